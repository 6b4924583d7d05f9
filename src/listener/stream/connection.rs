//! One connection being served.
//!
//! In: what its client sends. Out: responses. Queries are read as many at a time as have come, what can be answered at once is
//! answered, and all these responses are written together; those of queries that wait follow as they get ready (RFC 7766 §6.2.1.1).
//! Always: it reads no further while it has something to write, or while [`TCP_IN_FLIGHT`] of its queries wait: a client that does
//! not read is not read. Every query taken ends in a response sent or a counted drop.

use super::buffers::{self, Buffers, KEPT_BYTES, LENGTH_BYTES};
use super::frames::{self, First};
use super::inbox::Told;
use super::places::Place;
use crate::clock;
use crate::count::{Count, Counts};
use crate::dns::query::HEADER_BYTES;
use crate::generation::Generation;
use crate::limits::{MESSAGE_BYTES, TCP_IDLE, TCP_IN_FLIGHT, TCP_STALL, TCP_TURNS, TCP_UNSENT_BYTES};
use crate::listener::{Later, Shared, answer_later, begin, renew};
use crate::now::Now;
use crate::query::{Begun, Peer};
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

pub(super) struct Connection<S> {
    stream: S,
    peer: Peer,
    shared: Arc<Shared>,
    place: Place,
    /// What was read and not taken: part of a query, or queries there was no room for. None of the two buffers is there without need.
    unread: Vec<u8>,
    /// A whole query stands in `unread`.
    is_behind: bool,
    /// Responses that the client has no room for, each with its length; so many bytes of them are sent.
    unsent: Vec<u8>,
    sent: usize,
    /// Queries that wait for the resolver.
    in_flight: usize,
    /// No more will be read, for this reason: the client has closed its half, the server stops, or it was not DNS.
    ended: Option<Counts>,
    /// When something was last asked or answered.
    active_at: Instant,
}

/// Why a connection ends before its time, to be counted.
struct End(Counts);

/// The connection is of no use any more; what is lost is counted when it is dropped.
const LOST: End = End(Counts::NONE);

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    pub fn new(stream: S, peer: Peer, shared: Arc<Shared>, place: Place) -> Connection<S> {
        Connection {
            stream,
            peer,
            shared,
            place,
            unread: Vec::new(),
            is_behind: false,
            unsent: Vec::new(),
            sent: 0,
            in_flight: 0,
            ended: None,
            active_at: clock::instant().into(),
        }
    }

    /// Serves until either side has had enough.
    pub async fn serve(mut self) {
        // Not moved on with each query: it fires now and then, and is set to when it should have.
        let mut timer = pin!(tokio::time::sleep_until(self.active_at + TCP_IDLE));
        let End(counts) = poll_fn(|context| self.poll(context, timer.as_mut())).await;
        self.shared.service.counters.add(counts);
    }

    fn poll(&mut self, context: &mut Context<'_>, timer: Pin<&mut Sleep>) -> Poll<End> {
        self.place.inbox.listen(context.waker());
        for _ in 0..TCP_TURNS {
            if self.place.inbox.told() == Told::Close {
                // Counted by whoever asked for it.
                return Poll::Ready(LOST);
            }
            match self.step(context) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(end)) => return Poll::Ready(end),
                Poll::Pending if self.must_stop() => self.ended = Some(Counts::NONE),
                Poll::Pending => return self.out_of_time(context, timer),
            }
        }
        // It is the turn of others.
        context.waker().wake_by_ref();
        Poll::Pending
    }

    /// What has come in is read before a stop is heeded.
    fn must_stop(&self) -> bool {
        self.unsent.is_empty() && self.ended.is_none() && self.place.inbox.told() == Told::Stop
    }

    /// Does the next thing there is to do; `Pending` if there is none.
    fn step(&mut self, context: &mut Context<'_>) -> Poll<Result<(), End>> {
        if !self.unsent.is_empty() {
            return self.send(context);
        }
        if self.in_flight > 0 {
            let ready = self.place.inbox.take();
            self.in_flight -= ready.ended;
            if !ready.bytes.is_empty() {
                self.unsent = ready.bytes;
                return self.send(context);
            }
        }
        if self.in_flight < TCP_IN_FLIGHT {
            if self.is_behind {
                return Poll::Ready(self.catch_up(context));
            }
            if self.ended.is_none() {
                return self.read(context);
            }
        }
        match self.ended {
            Some(counts) if self.in_flight == 0 => {
                // The client may be gone already.
                let _ = ready!(Pin::new(&mut self.stream).poll_shutdown(context));
                Poll::Ready(Err(End(counts)))
            }
            _ => Poll::Pending,
        }
    }

    /// Takes what there was no room for before.
    fn catch_up(&mut self, context: &mut Context<'_>) -> Result<(), End> {
        let unread = std::mem::take(&mut self.unread);
        buffers::with(|buffers| self.answer(&unread, &mut buffers.output, context))
    }

    /// Reads what has come and takes it.
    fn read(&mut self, context: &mut Context<'_>) -> Poll<Result<(), End>> {
        buffers::with(|Buffers { input, output }| {
            let mut room = ReadBuf::new(&mut input[KEPT_BYTES..]);
            let read = ready!(Pin::new(&mut self.stream).poll_read(context, &mut room));
            let bytes = room.filled().len();
            match read {
                // Reset by the client, most often.
                Err(_) => return Poll::Ready(Err(LOST)),
                Ok(()) if bytes == 0 => {
                    self.ended = Some(Counts::NONE);
                    return Poll::Ready(Ok(()));
                }
                Ok(()) => {}
            }
            let start = KEPT_BYTES - self.unread.len();
            input[start..KEPT_BYTES].copy_from_slice(&self.unread);
            self.unread = Vec::new();
            Poll::Ready(self.answer(&input[start..KEPT_BYTES + bytes], output, context))
        })
    }

    /// Begins every whole query of `input`, as long as there is room for what comes of it, and sends the responses that are had at once.
    fn answer(&mut self, input: &[u8], output: &mut [u8], context: &mut Context<'_>) -> Result<(), End> {
        let generation = self.shared.service.generations.load_full();
        let now = clock::now();
        let mut rest = input;
        let mut used = 0;
        self.is_behind = loop {
            let (query, behind) = match frames::first(rest) {
                First::Whole(query, behind) => (query, behind),
                First::Part => break false,
                First::TooLong => break self.not_dns(&mut rest, Count::DroppedLong),
            };
            if self.in_flight >= TCP_IN_FLIGHT || used >= TCP_UNSENT_BYTES {
                break true;
            }
            if query.len() < HEADER_BYTES {
                break self.not_dns(&mut rest, Count::DroppedShort);
            }
            let (length, room) = output[used..].split_at_mut(LENGTH_BYTES);
            let response = self.answer_one(query, &generation, now, &mut room[..MESSAGE_BYTES]);
            if let Ok(bytes @ 1..) = u16::try_from(response) {
                length.copy_from_slice(&bytes.to_be_bytes());
                used += LENGTH_BYTES + response;
            }
            rest = behind;
        };
        if rest.len() < input.len() {
            self.active(now);
        }
        self.unread = rest.to_vec();
        match used {
            0 => Ok(()),
            _ => self.send_first(&output[..used], context),
        }
    }

    /// Nothing more is taken of what is no DNS; whether it is behind.
    fn not_dns(&mut self, rest: &mut &[u8], count: Count) -> bool {
        let counts = Counts::one(Count::QueriesTcp).with(count);
        self.shared.service.counters.add(counts);
        self.ended = Some(Count::TcpClosedError.into());
        *rest = &[];
        false
    }

    /// The length of the response written to `out`; 0 if there is none, or none yet.
    fn answer_one(&mut self, query: &[u8], generation: &Arc<Generation>, now: Now, out: &mut [u8]) -> usize {
        let (begun, counts) = begin(&self.shared, generation, query, &self.peer, now, out);
        self.shared.service.counters.add(counts);
        match begun {
            Begun::Respond(len) => len,
            Begun::RespondAndRenew(len, renewal) => {
                renew(&self.shared, renewal);
                len
            }
            Begun::Drop => 0,
            Begun::Pending(pending) => {
                let inbox = Arc::clone(&self.place.inbox);
                let deliver = move |shared: &Shared, response: &[u8]| {
                    if !inbox.put(response, &shared.unsent) {
                        shared.service.counters.add(Count::DroppedSend.into());
                    }
                };
                match answer_later(&self.shared, pending, self.peer.address.ip(), out, deliver) {
                    Later::Waits => {
                        self.in_flight += 1;
                        0
                    }
                    Later::Respond(len) => len,
                    Later::Drop => 0,
                }
            }
        }
    }

    /// Writes responses right where they were made. What the client has no room for is put aside.
    fn send_first(&mut self, responses: &[u8], context: &mut Context<'_>) -> Result<(), End> {
        let written = match Pin::new(&mut self.stream).poll_write(context, responses) {
            Poll::Ready(result) => result.and_then(not_none),
            Poll::Pending => Ok(0),
        };
        let (start, left) = frames::unsent(responses, written.as_ref().copied().unwrap_or(0));
        let aside = &responses[start..];
        match written {
            Ok(_) if aside.is_empty() => Ok(()),
            Ok(written) if self.shared.unsent.take(aside.len()) => {
                self.unsent = aside.to_vec();
                self.sent = written - start;
                Ok(())
            }
            // The client is gone, or takes nothing and too many others do so too.
            Ok(_) | Err(_) => {
                self.count_lost(left);
                Err(LOST)
            }
        }
    }

    /// Writes what was put aside.
    fn send(&mut self, context: &mut Context<'_>) -> Poll<Result<(), End>> {
        let left = &self.unsent[self.sent..];
        match ready!(Pin::new(&mut self.stream).poll_write(context, left)).and_then(not_none) {
            Ok(bytes) => self.sent += bytes,
            Err(_) => return Poll::Ready(Err(LOST)),
        }
        if self.sent == self.unsent.len() {
            self.give_back();
        }
        self.active(clock::now());
        Poll::Ready(Ok(()))
    }

    fn give_back(&mut self) {
        self.shared.unsent.give_back(self.unsent.len());
        self.unsent = Vec::new();
        self.sent = 0;
    }

    fn active(&mut self, now: Now) {
        self.active_at = clock::instant().into();
        self.place.inbox.active(now.mono_ms);
    }

    /// Ready when the client has done nothing for too long.
    fn out_of_time(&self, context: &mut Context<'_>, mut timer: Pin<&mut Sleep>) -> Poll<End> {
        while timer.as_mut().poll(context).is_ready() {
            let now = clock::instant().into();
            let is_stalled = !self.unsent.is_empty();
            let due = self.active_at + if is_stalled { TCP_STALL } else { TCP_IDLE };
            let due = match due <= now {
                false => due,
                true if is_stalled => return Poll::Ready(LOST),
                true if self.in_flight == 0 => return Poll::Ready(End(Count::TcpClosedIdle.into())),
                // Who waits for the resolver is not idle.
                true => now + TCP_IDLE,
            };
            timer.as_mut().reset(due);
        }
        Poll::Pending
    }
}

impl<S> Connection<S> {
    fn count_lost(&self, responses: u64) {
        for _ in 0..responses {
            self.shared.service.counters.add(Count::DroppedSend.into());
        }
    }
}

impl<S> Drop for Connection<S> {
    fn drop(&mut self) {
        let ready = self.place.inbox.close();
        for (responses, sent) in [(&self.unsent, self.sent), (&ready.bytes, 0)] {
            self.count_lost(frames::unsent(responses, sent).1);
            self.shared.unsent.give_back(responses.len());
        }
    }
}

/// Writing nothing would go on for ever.
fn not_none(written: usize) -> io::Result<usize> {
    match written {
        0 => Err(io::ErrorKind::WriteZero.into()),
        written => Ok(written),
    }
}
