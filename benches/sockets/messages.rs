//! Rows of message headers for recvmmsg and sendmmsg, with their buffers, and the control messages in them.
//!
//! In: a socket. Out: datagrams, and what came with each; datagrams sent.
//! Always: headers point into buffers of the same value, which are never reallocated.
#![allow(unsafe_code, reason = "system calls that std does not offer")]

use std::io;
use std::mem;
use std::net::UdpSocket;
use std::os::fd::AsRawFd;
use std::ptr;

pub const CONTROL_BYTES: usize = 64;
const ADDRESS_BYTES: usize = mem::size_of::<libc::sockaddr_in>();
// A control message is its length, level and type, then the data, each padded to 8 bytes (cmsg(3)).
const HEADER: usize = mem::size_of::<libc::cmsghdr>();
const PKTINFO: usize = mem::size_of::<libc::in_pktinfo>();

/// Where a datagram comes from or goes to, and the control messages with it, the first `control_bytes`; aligned as those must be.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
pub struct Envelope {
    control: [u8; CONTROL_BYTES],
    address: libc::sockaddr_in,
    control_bytes: usize,
}

impl Envelope {
    pub fn empty() -> Envelope {
        // SAFETY: a plain C struct of integers, for which all zeros is a value.
        let address = unsafe { mem::zeroed() };
        Envelope {
            control: [0; CONTROL_BYTES],
            address,
            control_bytes: 0,
        }
    }

    /// One to send with: to a port of 127.0.0.1, from an address of this machine.
    pub fn to(port: u16, from: Option<[u8; 4]>) -> Envelope {
        let mut envelope = Envelope::empty();
        envelope.address.sin_family = libc::AF_INET as libc::sa_family_t;
        envelope.address.sin_port = port.to_be();
        envelope.address.sin_addr.s_addr = u32::from_ne_bytes([127, 0, 0, 1]);
        if let Some(from) = from {
            let mut info = [0; PKTINFO];
            info[4..8].copy_from_slice(&from);
            envelope.put(libc::IPPROTO_IP, libc::IP_PKTINFO, &info);
        }
        envelope
    }

    /// Adds a control message.
    fn put(&mut self, level: libc::c_int, kind: libc::c_int, data: &[u8]) {
        let start = self.control_bytes;
        let mut at = start;
        for part in [
            &(HEADER + data.len()).to_ne_bytes()[..],
            &level.to_ne_bytes(),
            &kind.to_ne_bytes(),
            data,
        ] {
            self.control[at..at + part.len()].copy_from_slice(part);
            at += part.len();
        }
        self.control_bytes = at.next_multiple_of(8);
    }

    /// Has what is sent with it cut into datagrams of this size.
    pub fn segment(&mut self, bytes: u16) {
        self.put(libc::SOL_UDP, libc::UDP_SEGMENT, &bytes.to_ne_bytes());
    }

    /// The data of the first control message of this kind.
    fn find(&self, level: libc::c_int, kind: libc::c_int) -> Option<&[u8]> {
        let mut rest = &self.control[..self.control_bytes];
        loop {
            let bytes = usize::from_ne_bytes(*rest.first_chunk()?);
            let message = rest.get(..bytes)?;
            let data = message.get(HEADER..)?;
            if message[8..12] == level.to_ne_bytes() && message[12..16] == kind.to_ne_bytes() {
                return Some(data);
            }
            rest = rest.get(bytes.next_multiple_of(8)..)?;
        }
    }

    /// The size of the datagrams that were joined to the one received.
    pub fn joined(&self) -> Option<usize> {
        let size = *self.find(libc::SOL_UDP, libc::UDP_GRO)?.first_chunk()?;
        usize::try_from(libc::c_int::from_ne_bytes(size)).ok()
    }

    /// The way back: to where it came from, from where it was sent to, by whichever interface.
    pub fn back(&self) -> Envelope {
        let mut back = Envelope::empty();
        back.address = self.address;
        if let Some(info) = self.find(libc::IPPROTO_IP, libc::IP_PKTINFO) {
            let mut info: [u8; PKTINFO] = info.try_into().expect("the kernel writes an in_pktinfo");
            info[..4].fill(0);
            back.put(libc::IPPROTO_IP, libc::IP_PKTINFO, &info);
        }
        back
    }

    pub fn same_way(&self, other: &Envelope) -> bool {
        self.address.sin_port == other.address.sin_port
            && self.address.sin_addr.s_addr == other.address.sin_addr.s_addr
            && self.control == other.control
    }
}

/// Buffers to receive with.
pub struct Inbox {
    stride: usize,
    buffers: Vec<u8>,
    envelopes: Vec<Envelope>,
    headers: Vec<libc::mmsghdr>,
    slices: Vec<libc::iovec>,
    control: bool,
}

impl Inbox {
    /// Room for so many datagrams of so many bytes. Without `control` the kernel is not asked for control messages.
    pub fn new(datagrams: usize, bytes: usize, control: bool) -> Inbox {
        // SAFETY: plain C structs of integers and pointers, for which all zeros is a value.
        let (header, slice) = unsafe { (mem::zeroed(), mem::zeroed()) };
        Inbox {
            stride: bytes,
            buffers: vec![0; datagrams * bytes],
            envelopes: vec![Envelope::empty(); datagrams],
            headers: vec![header; datagrams],
            slices: vec![slice; datagrams],
            control,
        }
    }

    /// Takes the datagrams that are there; their number. `wait` waits for the first as long as the socket's timeout allows.
    pub fn receive(&mut self, socket: &UdpSocket, wait: bool) -> io::Result<usize> {
        let rows = self.headers.iter_mut().zip(&mut self.slices).zip(&mut self.envelopes);
        for (((header, slice), envelope), buffer) in rows.zip(self.buffers.chunks_exact_mut(self.stride)) {
            slice.iov_base = buffer.as_mut_ptr().cast();
            slice.iov_len = buffer.len();
            let message = &mut header.msg_hdr;
            message.msg_name = ptr::from_mut(&mut envelope.address).cast();
            message.msg_namelen = ADDRESS_BYTES as libc::socklen_t;
            message.msg_iov = slice;
            message.msg_iovlen = 1;
            message.msg_control = if self.control {
                envelope.control.as_mut_ptr().cast()
            } else {
                ptr::null_mut()
            };
            message.msg_controllen = if self.control { CONTROL_BYTES as _ } else { 0 };
            message.msg_flags = 0;
        }
        let flags = if wait { libc::MSG_WAITFORONE } else { libc::MSG_DONTWAIT };
        // SAFETY: every header points to one iovec, buffer, address and control buffer of the vectors above, with their true lengths;
        // none of them is touched during the call, since `self` is borrowed mutably. No timeout is passed.
        let received = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                self.headers.as_mut_ptr(),
                self.headers.len() as libc::c_uint,
                flags as _,
                ptr::null_mut(),
            )
        };
        let received = usize::try_from(received).map_err(|_| io::Error::last_os_error())?;
        for (header, envelope) in self.headers[..received].iter().zip(&mut self.envelopes) {
            envelope.control_bytes = control_bytes(&header.msg_hdr);
        }
        Ok(received)
    }

    /// Datagram `index` of the last received.
    pub fn datagram(&mut self, index: usize) -> (&mut [u8], &Envelope) {
        let bytes = (self.headers[index].msg_len as usize).min(self.stride);
        (
            &mut self.buffers[index * self.stride..][..bytes],
            &self.envelopes[index],
        )
    }
}

/// How much of its control buffer the kernel has written.
#[allow(
    clippy::unnecessary_cast,
    reason = "the field is a size_t with one libc and a socklen_t with another"
)]
fn control_bytes(message: &libc::msghdr) -> usize {
    (message.msg_controllen as usize).min(CONTROL_BYTES)
}

/// Datagrams to send.
#[derive(Default)]
pub struct Outbox {
    bytes: Vec<u8>,
    /// Start and length of each, and its way.
    datagrams: Vec<(usize, usize, Envelope)>,
    /// How many datagrams one header sends, and their way.
    trains: Vec<(usize, Envelope)>,
    headers: Vec<libc::mmsghdr>,
    slices: Vec<libc::iovec>,
}

/// What is sent as one, for the kernel or the network card to cut apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Couple {
    Nothing,
    /// Neighbours of one length that go one way.
    Neighbours,
    /// As many of one length that go one way as there are: they are sorted first.
    Sorted,
}

/// Most datagrams of one train, and most bytes (those of an IPv4 packet, less its headers).
const TRAIN: usize = 64;
const TRAIN_BYTES: usize = 65_507;

impl Outbox {
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.datagrams.clear();
    }

    pub fn push(&mut self, parts: &[&[u8]], way: &Envelope) {
        let start = self.bytes.len();
        parts.iter().for_each(|part| self.bytes.extend_from_slice(part));
        self.datagrams.push((start, self.bytes.len() - start, *way));
    }

    /// The last one pushed.
    pub fn last(&mut self) -> &mut [u8] {
        let start = self.datagrams.last().map_or(self.bytes.len(), |(start, ..)| *start);
        &mut self.bytes[start..]
    }

    /// How many trains there are, their ways made.
    fn couple(&mut self, couple: Couple) {
        self.trains.clear();
        if couple == Couple::Nothing {
            self.trains.extend(self.datagrams.iter().map(|(.., way)| (1, *way)));
            return;
        }
        if couple == Couple::Sorted {
            self.datagrams.sort_unstable_by_key(|(start, len, way)| {
                (way.address.sin_addr.s_addr, way.address.sin_port, *len, *start)
            });
        }
        let mut rest = self.datagrams.as_slice();
        while let Some((_, len, way)) = rest.first() {
            let most = TRAIN.min(TRAIN_BYTES / len.max(&1));
            let run = rest
                .iter()
                .take(most)
                .take_while(|(_, other, to)| other == len && to.same_way(way))
                .count();
            let mut way = *way;
            if run > 1 {
                way.segment(*len as u16);
            }
            self.trains.push((run, way));
            rest = &rest[run..];
        }
    }

    /// Sends all of them. What cannot be sent is left out.
    pub fn send(&mut self, socket: &UdpSocket, couple: Couple) {
        self.couple(couple);
        self.slices.clear();
        for (start, len, _) in &self.datagrams {
            let bytes = &mut self.bytes[*start..][..*len];
            self.slices.push(libc::iovec {
                iov_base: bytes.as_mut_ptr().cast(),
                iov_len: *len,
            });
        }
        // SAFETY: a plain C struct of integers and pointers, for which all zeros is a value.
        let header: libc::mmsghdr = unsafe { mem::zeroed() };
        self.headers.resize(self.trains.len(), header);
        let mut slices = self.slices.as_mut_slice();
        for ((run, way), header) in self.trains.iter_mut().zip(&mut self.headers) {
            let (mine, rest) = slices.split_at_mut(*run);
            slices = rest;
            let message = &mut header.msg_hdr;
            message.msg_name = ptr::from_mut(&mut way.address).cast();
            message.msg_namelen = ADDRESS_BYTES as libc::socklen_t;
            message.msg_iov = mine.as_mut_ptr();
            message.msg_iovlen = mine.len() as _;
            message.msg_control = if way.control_bytes > 0 {
                way.control.as_mut_ptr().cast()
            } else {
                ptr::null_mut()
            };
            message.msg_controllen = way.control_bytes as _;
        }
        let mut sent = 0;
        while sent < self.headers.len() {
            // SAFETY: every header was filled above and points to iovecs of its own, whose bytes are ranges of `bytes` checked by
            // slicing, and to the address and control buffer of one train; all belong to `self`, which is borrowed mutably for the
            // whole time.
            let more = unsafe {
                libc::sendmmsg(
                    socket.as_raw_fd(),
                    self.headers[sent..].as_mut_ptr(),
                    (self.headers.len() - sent) as libc::c_uint,
                    0,
                )
            };
            sent += usize::try_from(more).unwrap_or(1).max(1);
        }
    }
}
