//! Datagrams by the batch: recvmmsg and sendmmsg with control messages, which no safe crate offers.
//!
//! In: a bound, blocking UDP socket. Out: up to [`UDP_BATCH`] queries a call, each with where it came from and which of our
//! addresses it was sent to; responses leave from that address.
//! Always: all buffers are taken once; receiving and sending allocate nothing.
//!
//! This file and the gate's memory map hold the program's only `unsafe`. Each block says why it is sound.
#![allow(unsafe_code, reason = "system calls that std does not offer")]

use super::{Incoming, RESPONSE_BYTES, Route};
use crate::limits::{MESSAGE_BYTES, QUERY_BYTES, UDP_BATCH};
use std::io;
use std::mem;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6, UdpSocket};
use std::os::fd::AsRawFd;
use std::ptr;

/// Room for one IP_PKTINFO or IPV6_PKTINFO control message (28 and 36 bytes with their headers), aligned as `cmsghdr` is.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
struct Control([u8; CONTROL_BYTES]);

const CONTROL_BYTES: usize = 64;

/// From one query's buffer to the next: not a power of two, else the starts of all of them, which is all that most queries fill, would
/// compete for a few sets of a core's cache.
const QUERY_STRIDE: usize = QUERY_BYTES + 128;

/// What belongs to one datagram beside its bytes.
#[derive(Clone, Copy)]
struct Envelope {
    /// Where it came from; the first `source_bytes` are written.
    source: libc::sockaddr_storage,
    source_bytes: libc::socklen_t,
    /// The control messages received, the first `control_bytes`; sent back with the response.
    control: Control,
    control_bytes: usize,
    /// Length of the datagram, at most [`QUERY_BYTES`].
    bytes: usize,
    /// The datagram was longer than its buffer.
    cut: bool,
}

/// Where in `responses` the response to one datagram stands.
#[derive(Clone, Copy)]
struct Reply {
    index: usize,
    start: usize,
    len: usize,
}

/// The buffers of one worker.
pub struct Batch {
    /// [`UDP_BATCH`] times [`QUERY_BYTES`].
    queries: Vec<u8>,
    envelopes: Vec<Envelope>,
    /// Responses one after another, and room behind the last for the largest message, which is written whole before it is
    /// cut to size.
    responses: Vec<u8>,
    responses_end: usize,
    replies: Vec<Reply>,
    /// Scratch for receiving: each header points to one query's buffer and envelope. The first `spent` of them are as the kernel
    /// left them; at low load that is one or two of the many.
    headers: Vec<libc::mmsghdr>,
    slices: Vec<libc::iovec>,
    spent: usize,
    /// Scratch for sending.
    reply_headers: Vec<libc::mmsghdr>,
    reply_slices: Vec<libc::iovec>,
}

// SAFETY: the raw pointers in headers and slices point into buffers that this owns and never reallocates, and only the kernel
// follows them, during a call that borrows this mutably.
unsafe impl Send for Batch {}

impl Batch {
    pub fn new() -> Batch {
        // SAFETY: these are plain C structs of integers and pointers, for which all zeros is a value.
        let (source, header, slice) = unsafe { (mem::zeroed(), mem::zeroed(), mem::zeroed()) };
        let envelope = Envelope {
            source,
            source_bytes: 0,
            control: Control([0; CONTROL_BYTES]),
            control_bytes: 0,
            bytes: 0,
            cut: false,
        };
        Batch {
            queries: vec![0; UDP_BATCH * QUERY_STRIDE],
            envelopes: vec![envelope; UDP_BATCH],
            responses: vec![0; UDP_BATCH * RESPONSE_BYTES + MESSAGE_BYTES],
            responses_end: 0,
            replies: Vec::with_capacity(UDP_BATCH),
            headers: vec![header; UDP_BATCH],
            slices: vec![slice; UDP_BATCH],
            spent: UDP_BATCH,
            reply_headers: vec![header; UDP_BATCH],
            reply_slices: vec![slice; UDP_BATCH],
        }
    }

    /// Waits for datagrams, takes up to [`UDP_BATCH`] of those that are there, and forgets the last batch. The number taken
    /// is 0 only if the socket was shut down.
    pub fn receive(&mut self, socket: &UdpSocket, wait: bool) -> io::Result<usize> {
        self.replies.clear();
        self.responses_end = 0;
        for (((header, slice), envelope), query) in self
            .headers
            .iter_mut()
            .zip(&mut self.slices)
            .zip(&mut self.envelopes)
            .zip(self.queries.chunks_exact_mut(QUERY_STRIDE))
            .take(self.spent)
        {
            slice.iov_base = query.as_mut_ptr().cast();
            slice.iov_len = QUERY_BYTES;
            let message = &mut header.msg_hdr;
            message.msg_name = ptr::from_mut(&mut envelope.source).cast();
            message.msg_namelen = mem::size_of::<libc::sockaddr_storage>() as libc::socklen_t;
            message.msg_iov = slice;
            message.msg_iovlen = 1;
            message.msg_control = envelope.control.0.as_mut_ptr().cast();
            message.msg_controllen = CONTROL_BYTES as _;
            message.msg_flags = 0;
        }
        self.spent = 0;
        let flags = if wait { libc::MSG_WAITFORONE } else { libc::MSG_DONTWAIT };
        // SAFETY: `headers` holds UDP_BATCH headers. Each points to one iovec in `slices`, to one chunk of `queries`, and to
        // the source and control buffer of one envelope, with their true lengths: those the kernel wrote to last were set anew
        // above, the others are as they were set before. All belong to `self`, are never moved (the vectors keep their
        // lengths), and are not touched during the call, since `self` is borrowed mutably. No timeout is passed.
        let received = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                self.headers.as_mut_ptr(),
                UDP_BATCH as libc::c_uint,
                flags as _,
                ptr::null_mut(),
            )
        };
        let received = usize::try_from(received).map_err(|_| {
            let error = io::Error::last_os_error();
            // The kernel may have begun with the first.
            self.spent = 1;
            error
        })?;
        self.spent = received;
        for (header, envelope) in self.headers[..received].iter().zip(&mut self.envelopes) {
            envelope.source_bytes = header.msg_hdr.msg_namelen;
            envelope.control_bytes = control_bytes(&header.msg_hdr);
            envelope.bytes = (header.msg_len as usize).min(QUERY_BYTES);
            envelope.cut = header.msg_hdr.msg_flags & libc::MSG_TRUNC != 0;
        }
        Ok(received)
    }

    /// The datagrams of the last batch, and where responses to them go.
    pub fn parts(&mut self) -> (Datagrams<'_>, Responses<'_>) {
        let datagrams = Datagrams {
            queries: &self.queries,
            envelopes: &self.envelopes,
        };
        let responses = Responses {
            bytes: &mut self.responses,
            end: &mut self.responses_end,
            replies: &mut self.replies,
        };
        (datagrams, responses)
    }

    /// Sends the responses kept; calls `failed` for each that could not be sent.
    pub fn send(&mut self, socket: &UdpSocket, mut failed: impl FnMut(io::Error)) {
        let count = self.replies.len();
        for ((reply, header), slice) in self
            .replies
            .iter()
            .zip(&mut self.reply_headers)
            .zip(&mut self.reply_slices)
        {
            let envelope = &mut self.envelopes[reply.index];
            leave_by_any_interface(&mut envelope.control, envelope.control_bytes);
            slice.iov_base = self.responses[reply.start..].as_mut_ptr().cast();
            slice.iov_len = reply.len;
            let message = &mut header.msg_hdr;
            message.msg_name = ptr::from_mut(&mut envelope.source).cast();
            message.msg_namelen = envelope.source_bytes;
            message.msg_iov = slice;
            message.msg_iovlen = 1;
            message.msg_control = envelope.control.0.as_mut_ptr().cast();
            message.msg_controllen = envelope.control_bytes as _;
            message.msg_flags = 0;
        }
        let mut done = 0;
        while done < count {
            // SAFETY: `reply_headers[done..count]` were filled above. Each points to one iovec in `reply_slices`, whose bytes are a
            // range of `responses` checked by slicing, and to the source and control buffer of the envelope it answers,
            // with the lengths the kernel itself gave; all belong to `self`, which is borrowed mutably for the whole time.
            let sent = unsafe {
                libc::sendmmsg(
                    socket.as_raw_fd(),
                    self.reply_headers[done..count].as_mut_ptr(),
                    (count - done) as libc::c_uint,
                    0,
                )
            };
            match usize::try_from(sent) {
                Ok(sent) if sent > 0 => done += sent,
                _ => {
                    let error = io::Error::last_os_error();
                    if error.kind() != io::ErrorKind::Interrupted {
                        // The kernel stops at the first that fails: it alone is given up.
                        failed(error);
                        done += 1;
                    }
                }
            }
        }
    }
}

/// What came in.
#[derive(Clone, Copy)]
pub struct Datagrams<'b> {
    queries: &'b [u8],
    envelopes: &'b [Envelope],
}

impl<'b> Datagrams<'b> {
    #[inline]
    pub fn get(self, index: usize) -> Incoming<'b> {
        let envelope = &self.envelopes[index];
        Incoming {
            source: address(&envelope.source, envelope.source_bytes),
            bytes: &self.queries[index * QUERY_STRIDE..][..envelope.bytes],
            cut: envelope.cut,
        }
    }

    /// How a response to datagram `index` gets back if it is sent later.
    pub fn route(self, index: usize) -> Option<Route> {
        let envelope = &self.envelopes[index];
        Some(Route {
            to: address(&envelope.source, envelope.source_bytes)?,
            from: pktinfo(&envelope.control, envelope.control_bytes),
        })
    }
}

/// The responses to a batch.
pub struct Responses<'b> {
    bytes: &'b mut [u8],
    end: &'b mut usize,
    replies: &'b mut Vec<Reply>,
}

impl Responses<'_> {
    /// Room of at least [`MESSAGE_BYTES`] for the next one.
    #[inline]
    pub fn room(&mut self) -> &mut [u8] {
        &mut self.bytes[*self.end..]
    }

    /// Keeps the first `len` bytes of that room, at most [`RESPONSE_BYTES`], as the response to datagram `index`. At most one for each.
    #[inline]
    pub fn keep(&mut self, index: usize, len: usize) {
        assert!(
            len <= RESPONSE_BYTES && self.replies.len() < UDP_BATCH,
            "one response of bounded length a datagram"
        );
        let start = *self.end;
        self.replies.push(Reply { index, start, len });
        *self.end += len;
    }
}

#[cfg(test)]
impl Batch {
    /// Makes the source of datagram `index` one that nothing can be sent to.
    pub fn spoil(&mut self, index: usize) {
        self.envelopes[index].source_bytes = 1;
    }
}

/// Sends one response by `route`, without waiting for room in the socket's buffer.
pub fn send_one(socket: &UdpSocket, route: &Route, response: &[u8]) -> io::Result<()> {
    let to = socket2::SockAddr::from(route.to);
    let mut control = Control([0; CONTROL_BYTES]);
    let written = route.from.map_or(0, |from| put_pktinfo(&mut control, from));
    let mut slice = libc::iovec {
        iov_base: response.as_ptr().cast_mut().cast(),
        iov_len: response.len(),
    };
    // SAFETY: a plain C struct of integers and pointers, for which all zeros is a value.
    let mut message: libc::msghdr = unsafe { mem::zeroed() };
    message.msg_name = to.as_ptr().cast_mut().cast();
    message.msg_namelen = to.len();
    message.msg_iov = &mut slice;
    message.msg_iovlen = 1;
    if written > 0 {
        message.msg_control = control.0.as_mut_ptr().cast();
        message.msg_controllen = written as _;
    }
    loop {
        // SAFETY: name, iovec and control message live on this stack frame or are borrowed by it, with their true lengths;
        // sendmsg only reads them.
        let sent = unsafe { libc::sendmsg(socket.as_raw_fd(), &message, libc::MSG_DONTWAIT) };
        if sent >= 0 {
            return Ok(());
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

/// Asks the kernel to say to which of our addresses each datagram was sent, where it may be more than the one of `address`, and never to
/// fragment by a path's MTU that someone may have forged (responses fit every path).
pub fn set_options(socket: &UdpSocket, address: SocketAddr) -> io::Result<()> {
    let told = libc::c_int::from(address.ip().is_unspecified());
    let set = |level: libc::c_int, option: libc::c_int, value: libc::c_int| {
        // SAFETY: the option's value is one C int on this stack frame, and its length is given.
        let result = unsafe {
            libc::setsockopt(
                socket.as_raw_fd(),
                level,
                option,
                ptr::from_ref(&value).cast(),
                mem::size_of::<libc::c_int>() as libc::socklen_t,
            )
        };
        if result == 0 {
            Ok(())
        } else {
            Err(io::Error::last_os_error())
        }
    };
    if address.is_ipv6() {
        set(libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO, told)?;
        // Older kernels lack "omit" for IPv6; without it responses still fit.
        let _ = set(libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER, libc::IPV6_PMTUDISC_OMIT);
    } else {
        set(libc::IPPROTO_IP, libc::IP_PKTINFO, told)?;
        let _ = set(libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, libc::IP_PMTUDISC_OMIT);
    }
    Ok(())
}

/// How much of its control buffer the kernel has written.
#[allow(
    clippy::unnecessary_cast,
    reason = "the field is a size_t with one libc and a socklen_t with another"
)]
fn control_bytes(message: &libc::msghdr) -> usize {
    (message.msg_controllen as usize).min(CONTROL_BYTES)
}

/// The address in a `sockaddr_storage` of which `bytes` were written.
fn address(storage: &libc::sockaddr_storage, bytes: libc::socklen_t) -> Option<SocketAddr> {
    let bytes = bytes as usize;
    match libc::c_int::from(storage.ss_family) {
        libc::AF_INET if bytes >= mem::size_of::<libc::sockaddr_in>() => {
            // SAFETY: sockaddr_storage is as large and as strictly aligned as every sockaddr, is initialized (it started as
            // zeros), and the kernel wrote a sockaddr_in, as family and length say.
            let v4 = unsafe { &*ptr::from_ref(storage).cast::<libc::sockaddr_in>() };
            let ip = Ipv4Addr::from(u32::from_be(v4.sin_addr.s_addr));
            Some(SocketAddrV4::new(ip, u16::from_be(v4.sin_port)).into())
        }
        libc::AF_INET6 if bytes >= mem::size_of::<libc::sockaddr_in6>() => {
            // SAFETY: as above, for sockaddr_in6.
            let v6 = unsafe { &*ptr::from_ref(storage).cast::<libc::sockaddr_in6>() };
            let ip = Ipv6Addr::from(v6.sin6_addr.s6_addr);
            Some(SocketAddrV6::new(ip, u16::from_be(v6.sin6_port), v6.sin6_flowinfo, v6.sin6_scope_id).into())
        }
        _ => None,
    }
}

// The layout of the one control message (cmsg(3)): a header of `length, level, type`, then the data, which starts at
// CMSG_LEN(0). Reading and writing it as bytes needs no pointers.
const HEADER: usize = mem::size_of::<libc::cmsghdr>();
const LEVEL_AT: usize = mem::offset_of!(libc::cmsghdr, cmsg_level);
const TYPE_AT: usize = mem::offset_of!(libc::cmsghdr, cmsg_type);
const PKTINFO4: usize = mem::size_of::<libc::in_pktinfo>();
const PKTINFO6: usize = mem::size_of::<libc::in6_pktinfo>();
const SPEC_DST_AT: usize = HEADER + mem::offset_of!(libc::in_pktinfo, ipi_spec_dst);
const INDEX4_AT: usize = HEADER + mem::offset_of!(libc::in_pktinfo, ipi_ifindex);
const ADDR6_AT: usize = HEADER + mem::offset_of!(libc::in6_pktinfo, ipi6_addr);
const INDEX6_AT: usize = HEADER + mem::offset_of!(libc::in6_pktinfo, ipi6_ifindex);

// The data starts right behind the header wherever the header's size is a multiple of the alignment of control messages.
const _: () = assert!(
    mem::align_of::<libc::cmsghdr>() <= 8
        && HEADER.is_multiple_of(mem::align_of::<usize>())
        && INDEX6_AT + 4 <= CONTROL_BYTES
);

fn int(bytes: &[u8; CONTROL_BYTES], at: usize) -> libc::c_int {
    libc::c_int::from_ne_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// Level and type of the control message, if there is one whole.
fn kind(control: &Control, bytes: usize) -> Option<(libc::c_int, libc::c_int)> {
    let kind = (int(&control.0, LEVEL_AT), int(&control.0, TYPE_AT));
    let data = match kind {
        (libc::IPPROTO_IP, libc::IP_PKTINFO) => PKTINFO4,
        (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => PKTINFO6,
        _ => return None,
    };
    (bytes >= HEADER + data).then_some(kind)
}

/// The address the datagram was sent to and the interface it came in by.
fn pktinfo(control: &Control, bytes: usize) -> Option<(IpAddr, u32)> {
    match kind(control, bytes)? {
        (libc::IPPROTO_IP, _) => {
            let octets = control.0[SPEC_DST_AT..].first_chunk::<4>()?;
            Some((Ipv4Addr::from(*octets).into(), int(&control.0, INDEX4_AT) as u32))
        }
        _ => {
            let octets = control.0[ADDR6_AT..].first_chunk::<16>()?;
            Some((Ipv6Addr::from(*octets).into(), int(&control.0, INDEX6_AT) as u32))
        }
    }
}

/// Makes a received control message fit to be sent: the address it names becomes the source, and the way out is left to
/// the routing table, except for link-local addresses, which mean nothing without their interface.
fn leave_by_any_interface(control: &mut Control, bytes: usize) {
    let index_at = match kind(control, bytes) {
        Some((libc::IPPROTO_IP, _)) => INDEX4_AT,
        Some(_) if control.0[ADDR6_AT] != 0xfe || control.0[ADDR6_AT + 1] & 0xc0 != 0x80 => INDEX6_AT,
        _ => return,
    };
    control.0[index_at..index_at + 4].fill(0);
}

/// Writes the control message that makes a datagram leave from an address; returns its length.
fn put_pktinfo(control: &mut Control, (ip, interface): (IpAddr, u32)) -> usize {
    let (level, kind, data) = match ip {
        IpAddr::V4(_) => (libc::IPPROTO_IP, libc::IP_PKTINFO, PKTINFO4),
        IpAddr::V6(_) => (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, PKTINFO6),
    };
    let len = HEADER + data;
    // SAFETY: a plain C struct of integers, for which all zeros is a value.
    let mut header: libc::cmsghdr = unsafe { mem::zeroed() };
    header.cmsg_len = len as _;
    header.cmsg_level = level;
    header.cmsg_type = kind;
    // SAFETY: the buffer is longer than a cmsghdr, aligned for one by `repr(align(8))`, and borrowed mutably.
    unsafe { control.0.as_mut_ptr().cast::<libc::cmsghdr>().write(header) };
    let mut put = |at: usize, bytes: &[u8]| control.0[at..at + bytes.len()].copy_from_slice(bytes);
    match ip {
        IpAddr::V4(ip) => {
            put(SPEC_DST_AT, &ip.octets());
            put(INDEX4_AT, &interface.to_ne_bytes());
        }
        IpAddr::V6(ip) => {
            put(ADDR6_AT, &ip.octets());
            put(INDEX6_AT, &interface.to_ne_bytes());
        }
    }
    leave_by_any_interface(control, len);
    // CMSG_SPACE: the length padded to the alignment.
    len.next_multiple_of(mem::align_of::<usize>())
}
