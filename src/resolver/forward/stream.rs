//! Exchanges over a byte stream: TCP, or TLS on it.
//!
//! Always: one task owns the stream; queries are sent as they come and answers are taken in any order (RFC 7766 §6.2.1.1,
//! §7). A stream that is idle is closed by us (§6.2.3).
//! Keeps: RFC 1035 §4.2.2 (two bytes of length), RFC 7766, RFC 7858.

use super::reuse::{Connection, Pulse};
use crate::clock;
use crate::limits;
use crate::resolver::exchange::ExchangeError;
use crate::resolver::message::{self, Reply};
use bytes::{Buf, BytesMut};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{sleep_until, timeout, timeout_at};

/// A stream to one server, shared by exchanges.
#[derive(Clone)]
pub(in crate::resolver) struct Stream {
    queue: mpsc::Sender<Ask>,
    pulse: Arc<Pulse>,
}

/// A query on its way to the task.
struct Ask {
    /// ID 0; the stream gives it one.
    query: Vec<u8>,
    reply: oneshot::Sender<Result<Vec<u8>, ExchangeError>>,
}

impl Connection for Stream {
    fn is_usable(&self) -> bool {
        !self.queue.is_closed() && !self.pulse.is_silent(clock::now().mono_ms)
    }
}

impl Stream {
    /// Starts the task that owns `io`. It ends with the stream, or when nothing was asked for a while.
    pub(in crate::resolver) fn start(io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Stream {
        let (queue, asks) = mpsc::channel(limits::UPSTREAM_STREAM_IN_FLIGHT);
        let pulse = Arc::new(Pulse::default());
        tokio::spawn(own(io, asks, Arc::clone(&pulse)));
        Stream { queue, pulse }
    }

    /// Asks `query` (its ID is replaced) and waits until `end`.
    pub(in crate::resolver) async fn exchange(&self, query: &[u8], end: Instant) -> Result<Reply, ExchangeError> {
        self.pulse.asked(clock::now().mono_ms);
        let (reply, response) = oneshot::channel();
        let ask = Ask {
            query: query.to_vec(),
            reply,
        };
        let exchanged = timeout_at(end.into(), async {
            self.queue.send(ask).await.map_err(|_| ExchangeError::Closed)?;
            response.await.unwrap_or(Err(ExchangeError::Closed))
        });
        match exchanged.await {
            Ok(bytes) => Ok(Reply::read(bytes?)?),
            Err(_) => Err(ExchangeError::Timeout),
        }
    }
}

/// Queries that wait for their responses, by the ID they were sent with.
type Waiting = HashMap<u16, Ask>;

async fn own(mut io: impl AsyncRead + AsyncWrite + Unpin, mut asks: mpsc::Receiver<Ask>, pulse: Arc<Pulse>) {
    let mut waiting = Waiting::new();
    let end = serve(&mut io, &mut asks, &mut waiting, &pulse).await;
    asks.close();
    for (_, ask) in waiting.drain() {
        // Who no longer waits needs no answer.
        let _ = ask.reply.send(Err(end.clone()));
    }
    while let Some(ask) = asks.recv().await {
        let _ = ask.reply.send(Err(end.clone()));
    }
    // Say goodbye (TLS close_notify) if the other side still listens; it may not.
    let _ = timeout(limits::UPSTREAM_CONNECT, io.shutdown()).await;
}

async fn serve(
    io: &mut (impl AsyncRead + AsyncWrite + Unpin),
    asks: &mut mpsc::Receiver<Ask>,
    waiting: &mut Waiting,
    pulse: &Pulse,
) -> ExchangeError {
    let mut buffer = BytesMut::with_capacity(4096);
    let mut idle_at = clock::instant() + limits::UPSTREAM_IDLE;
    loop {
        tokio::select! {
            ask = asks.recv(), if waiting.len() < limits::UPSTREAM_STREAM_IN_FLIGHT => {
                let Some(ask) = ask else {
                    return ExchangeError::Closed;
                };
                idle_at = clock::instant() + limits::UPSTREAM_IDLE;
                if let Err(error) = send(io, ask, waiting).await {
                    return error;
                }
            }
            read = io.read_buf(&mut buffer) => {
                match read {
                    Ok(0) => return ExchangeError::Closed,
                    Ok(_) => {}
                    Err(cause) => return cause.into(),
                }
                pulse.heard();
                hand_out(&mut buffer, waiting);
            }
            () = sleep_until(idle_at.into()) => {
                waiting.retain(|_, ask| !ask.reply.is_closed());
                if waiting.is_empty() {
                    return ExchangeError::Closed;
                }
                idle_at = clock::instant() + limits::UPSTREAM_IDLE;
            }
        }
        if waiting.len() >= limits::UPSTREAM_STREAM_IN_FLIGHT {
            waiting.retain(|_, ask| !ask.reply.is_closed());
        }
    }
}

/// Sends a query with an ID that no other in flight has.
async fn send(io: &mut (impl AsyncWrite + Unpin), mut ask: Ask, waiting: &mut Waiting) -> Result<(), ExchangeError> {
    if ask.reply.is_closed() {
        return Ok(());
    }
    let mut id: u16 = rand::random();
    while waiting.contains_key(&id) {
        id = id.wrapping_add(1);
    }
    message::set_id(&mut ask.query, id);
    let length = u16::try_from(ask.query.len()).expect("queries made here are a few hundred bytes long");
    // One write, one segment (RFC 7766 §8).
    let mut frame = length.to_be_bytes().to_vec();
    frame.extend_from_slice(&ask.query);
    waiting.insert(id, ask);
    match timeout(limits::UPSTREAM_CONNECT, async {
        io.write_all(&frame).await?;
        io.flush().await
    })
    .await
    {
        Ok(written) => Ok(written?),
        Err(_) => Err(ExchangeError::Timeout),
    }
}

/// Gives every whole response in the buffer to who asked. One that nobody asked for, any more, is dropped.
fn hand_out(buffer: &mut BytesMut, waiting: &mut Waiting) {
    while let Some(length) = buffer
        .first_chunk()
        .map(|bytes| usize::from(u16::from_be_bytes(*bytes)))
    {
        if buffer.len() < 2 + length {
            return;
        }
        buffer.advance(2);
        let response = buffer.split_to(length);
        let Some(id) = message::id(&response) else {
            continue;
        };
        if waiting
            .get(&id)
            .is_some_and(|ask| message::answers(&ask.query, &response))
            && let Some(ask) = waiting.remove(&id)
        {
            let _ = ask.reply.send(Ok(response.to_vec()));
        }
    }
}
