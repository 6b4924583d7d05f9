//! The loop on io_uring: one multishot recvmsg that fills buffers of a ring, and a sendmsg for each response.
//!
//! In: a bound socket. Out: responses. Everything is taken once.
#![allow(unsafe_code, reason = "buffers shared with the kernel")]

use crate::server::{QUERY_BYTES, RECORD, count, turn_round};
use io_uring::cqueue;
use io_uring::squeue::Flags;
use io_uring::types::{BufRingEntry, Fixed};
use io_uring::{IoUring, opcode, squeue};
use std::alloc::{Layout, alloc_zeroed, handle_alloc_error};
use std::mem;
use std::net::UdpSocket;
use std::os::fd::AsRawFd;
use std::ptr;
use std::sync::atomic::{AtomicU16, Ordering};

/// Buffers provided to the kernel: a power of two.
const BUFFERS: usize = 1024;
const GROUP: u16 = 1;
const NAME_BYTES: usize = mem::size_of::<libc::sockaddr_in>();
const CONTROL_BYTES: usize = 64;
// A buffer as the kernel fills it: io_uring_recvmsg_out (four u32: lengths of name, control messages and payload, flags), the
// name, the control messages, the payload. Behind it is room for the record.
const NAME_AT: usize = 16;
const CONTROL_AT: usize = NAME_AT + NAME_BYTES;
const PAYLOAD_AT: usize = CONTROL_AT + CONTROL_BYTES;
const FILLED_BYTES: usize = PAYLOAD_AT + QUERY_BYTES;
/// Not a multiple of a page, else all heads would compete for a few sets of a core's cache.
const STRIDE: usize = FILLED_BYTES + 160;
const RECEIVE: u64 = u64::MAX;
/// The ring of buffers starts at a page.
const PAGE: usize = 4096;

const _: () = assert!(BUFFERS.is_power_of_two() && STRIDE >= FILLED_BYTES + RECORD.len() && STRIDE.is_multiple_of(8));

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Work of the kernel for this ring is done when it is entered, by the one thread that may (the advice of its authors).
    Deferred,
    /// As `Deferred`; no completions for responses sent, which must not wait then.
    Silent,
    /// Neither.
    Simple,
    /// A thread of the kernel takes what is submitted.
    Polled,
    /// As `Deferred`, sent without a copy.
    ZeroCopy,
    /// As `Deferred`; the ring receives, sendmmsg sends.
    Half,
}

impl Kind {
    pub fn parse(word: &str) -> Kind {
        match word {
            "deferred" => Kind::Deferred,
            "silent" => Kind::Silent,
            "simple" => Kind::Simple,
            "polled" => Kind::Polled,
            "zerocopy" => Kind::ZeroCopy,
            "half" => Kind::Half,
            _ => panic!("{word}: no such ring"),
        }
    }
}

/// The buffers, and the ring by which they are given to the kernel.
struct Buffers {
    /// BUFFERS entries, aligned to a page, never freed.
    entries: *mut BufRingEntry,
    tail: u16,
    bytes: Vec<u8>,
    /// For sending: one of each for each buffer.
    headers: Vec<libc::mmsghdr>,
    slices: Vec<libc::iovec>,
}

impl Buffers {
    fn new() -> Buffers {
        let layout = Layout::from_size_align(BUFFERS * mem::size_of::<BufRingEntry>(), PAGE).expect("a small layout");
        // SAFETY: the layout is not empty.
        let entries: *mut BufRingEntry = unsafe { alloc_zeroed(layout) }.cast();
        if entries.is_null() {
            handle_alloc_error(layout);
        }
        // SAFETY: plain C structs of integers and pointers, for which all zeros is a value.
        let (header, slice) = unsafe { (mem::zeroed(), mem::zeroed()) };
        Buffers {
            entries,
            tail: 0,
            bytes: vec![0; BUFFERS * STRIDE],
            headers: vec![header; BUFFERS],
            slices: vec![slice; BUFFERS],
        }
    }

    /// Gives a buffer to the kernel, once it is published.
    fn provide(&mut self, id: u16) {
        let place = usize::from(self.tail) & (BUFFERS - 1);
        let address = self.bytes[usize::from(id) * STRIDE..][..FILLED_BYTES].as_mut_ptr();
        // SAFETY: `place` is below BUFFERS, the entries were allocated for that many and zeroed, and the kernel reads none from the
        // tail on that it was told of.
        let entry = unsafe { &mut *self.entries.add(place) };
        entry.set_addr(address as u64);
        entry.set_len(FILLED_BYTES as u32);
        entry.set_bid(id);
        self.tail = self.tail.wrapping_add(1);
    }

    fn publish(&self) {
        // SAFETY: the tail lies in the first entry, aligned for a u16, and lives as long as the entries. The kernel only reads it, and
        // we write it only here, atomically.
        unsafe { AtomicU16::from_ptr(BufRingEntry::tail(self.entries).cast_mut()) }.store(self.tail, Ordering::Release);
    }

    /// Makes a received query a response; false if there is none.
    fn answer(&mut self, id: u16) -> bool {
        let start = usize::from(id) * STRIDE;
        let buffer = &mut self.bytes[start..][..STRIDE];
        let length =
            |at: usize| u32::from_ne_bytes([buffer[at], buffer[at + 1], buffer[at + 2], buffer[at + 3]]) as usize;
        let (control, payload) = (length(4).min(CONTROL_BYTES), length(8).min(QUERY_BYTES));
        if payload < 12 {
            return false;
        }
        turn_round(&mut buffer[PAYLOAD_AT..]);
        buffer[PAYLOAD_AT + payload..][..RECORD.len()].copy_from_slice(RECORD);
        // The interface the query came by; the route is left to the kernel.
        buffer[CONTROL_AT + 16..][..4].fill(0);
        let buffer = buffer.as_mut_ptr();
        let (header, slice) = (&mut self.headers[usize::from(id)], &mut self.slices[usize::from(id)]);
        slice.iov_base = buffer.wrapping_add(PAYLOAD_AT).cast();
        slice.iov_len = payload + RECORD.len();
        let message = &mut header.msg_hdr;
        message.msg_name = buffer.wrapping_add(NAME_AT).cast();
        message.msg_namelen = NAME_BYTES as libc::socklen_t;
        message.msg_iov = slice;
        message.msg_iovlen = 1;
        message.msg_control = buffer.wrapping_add(CONTROL_AT).cast();
        message.msg_controllen = control as _;
        true
    }
}

fn build(kind: Kind) -> IoUring {
    let mut builder = IoUring::builder();
    builder.setup_cqsize(4 * BUFFERS as u32);
    match kind {
        Kind::Simple => {}
        Kind::Polled => {
            builder.setup_sqpoll(2);
        }
        _ => {
            builder.setup_single_issuer().setup_defer_taskrun();
        }
    }
    builder
        .build(2 * BUFFERS as u32)
        .unwrap_or_else(|error| panic!("io_uring_setup: {error}"))
}

/// Answers for ever.
pub fn answer(socket: &UdpSocket, kind: Kind) {
    let mut ring = build(kind);
    ring.submitter()
        .register_files(&[socket.as_raw_fd()])
        .expect("a file can be registered");
    let mut buffers = Buffers::new();
    (0..BUFFERS as u16).for_each(|id| buffers.provide(id));
    buffers.publish();
    // SAFETY: the entries are never freed, and there are as many as said.
    unsafe {
        ring.submitter()
            .register_buf_ring_with_flags(buffers.entries as u64, BUFFERS as u16, GROUP, 0)
    }
    .expect("a ring of buffers can be registered");
    // SAFETY: a plain C struct of integers and pointers, for which all zeros is a value.
    let mut template: libc::msghdr = unsafe { mem::zeroed() };
    template.msg_namelen = NAME_BYTES as libc::socklen_t;
    template.msg_controllen = CONTROL_BYTES as _;
    let receive = opcode::RecvMsgMulti::new(Fixed(0), ptr::from_ref(&template), GROUP)
        .build()
        .user_data(RECEIVE);
    push(&mut ring, &receive);
    // What to send or give back once the completions are read.
    let mut queries: Vec<u16> = Vec::with_capacity(BUFFERS);
    loop {
        ring.submit_and_wait(1).expect("the ring can be entered");
        if kind == Kind::Silent {
            assert!(ring.submission().is_empty(), "the kernel takes all that is submitted");
            // A response that must not wait is sent, or has failed, when it was submitted.
            queries.drain(..).for_each(|id| buffers.provide(id));
        }
        queries.clear();
        let mut again = false;
        for completion in ring.completion() {
            let flags = completion.flags();
            if completion.user_data() == RECEIVE {
                queries.extend(cqueue::buffer_select(flags));
                again |= !cqueue::more(flags);
            } else if kind != Kind::Silent && !cqueue::more(flags) {
                buffers.provide(completion.user_data() as u16);
            }
        }
        let received = queries.len();
        queries.retain(|id| {
            let answered = buffers.answer(*id);
            if !answered {
                buffers.provide(*id);
            }
            answered
        });
        match kind {
            Kind::Half => {
                send_all(socket, &mut buffers, &queries);
                queries.iter().for_each(|id| buffers.provide(*id));
            }
            _ => queries
                .iter()
                .for_each(|id| push(&mut ring, &send(kind, &buffers, *id))),
        }
        buffers.publish();
        if again {
            push(&mut ring, &receive);
        }
        if received > 0 {
            count(received as u64, 0);
        }
    }
}

fn send(kind: Kind, buffers: &Buffers, id: u16) -> squeue::Entry {
    let header = ptr::from_ref(&buffers.headers[usize::from(id)].msg_hdr);
    let entry = match kind {
        Kind::ZeroCopy => opcode::SendMsgZc::new(Fixed(0), header).build(),
        Kind::Silent => opcode::SendMsg::new(Fixed(0), header)
            .flags(libc::MSG_DONTWAIT as u32)
            .build()
            .flags(Flags::SKIP_SUCCESS),
        _ => opcode::SendMsg::new(Fixed(0), header).build(),
    };
    entry.user_data(u64::from(id))
}

fn push(ring: &mut IoUring, entry: &squeue::Entry) {
    // SAFETY: what the entry points to, a header and by it an iovec, a name, control messages and a buffer, or the template, lives in
    // vectors that are not reallocated or on the frame of a function that does not return; a buffer is not touched before the kernel
    // says that it is done with it.
    while unsafe { ring.submission().push(entry) }.is_err() {
        ring.submit().expect("the ring can be entered");
    }
}

/// By sendmmsg.
fn send_all(socket: &UdpSocket, buffers: &mut Buffers, ids: &[u16]) {
    let mut row: Vec<libc::mmsghdr> = ids.iter().map(|id| buffers.headers[usize::from(*id)]).collect();
    let mut sent = 0;
    while sent < row.len() {
        // SAFETY: every header was filled when its query was answered, and points to an iovec, a buffer, a name and control messages
        // of `buffers`, which is borrowed mutably.
        let more = unsafe {
            libc::sendmmsg(
                socket.as_raw_fd(),
                row[sent..].as_mut_ptr(),
                (row.len() - sent) as libc::c_uint,
                0,
            )
        };
        sent += usize::try_from(more).unwrap_or(1).max(1);
    }
}
