//! One datagram at a time, for systems without recvmmsg. Same face as the batches of Linux.
//!
//! A response leaves from the address the system chooses: on a machine with several, list each in `listen`.

use super::{Incoming, RESPONSE_BYTES, Route};
use crate::limits::{MESSAGE_BYTES, QUERY_BYTES};
use std::io;
use std::net::{SocketAddr, UdpSocket};

/// The buffers of one worker.
pub struct Batch {
    /// One byte more than a query may have, to tell a longer datagram.
    query: Vec<u8>,
    query_bytes: usize,
    source: Option<SocketAddr>,
    response: Vec<u8>,
    response_bytes: Option<usize>,
}

impl Batch {
    pub fn new() -> Batch {
        Batch {
            query: vec![0; QUERY_BYTES + 1],
            query_bytes: 0,
            source: None,
            response: vec![0; MESSAGE_BYTES],
            response_bytes: None,
        }
    }

    /// Waits for a datagram, takes it, and forgets the last one.
    pub fn receive(&mut self, socket: &UdpSocket, wait: bool) -> io::Result<usize> {
        self.response_bytes = None;
        if !wait {
            socket.set_nonblocking(true)?;
        }
        let received = socket.recv_from(&mut self.query);
        if !wait {
            socket.set_nonblocking(false)?;
        }
        let (bytes, source) = received?;
        self.query_bytes = bytes;
        self.source = Some(source);
        Ok(1)
    }

    /// The datagram, and where the response to it goes.
    pub fn parts(&mut self) -> (Datagrams<'_>, Responses<'_>) {
        let datagrams = Datagrams {
            query: &self.query[..self.query_bytes],
            source: self.source,
        };
        let responses = Responses {
            bytes: &mut self.response,
            kept: &mut self.response_bytes,
        };
        (datagrams, responses)
    }

    /// Sends the response kept, if there is one; calls `failed` if it could not be sent.
    pub fn send(&mut self, socket: &UdpSocket, mut failed: impl FnMut(io::Error)) {
        if let (Some(bytes), Some(source)) = (self.response_bytes.take(), self.source)
            && let Err(error) = socket.send_to(&self.response[..bytes], source)
        {
            failed(error);
        }
    }
}

/// What came in.
#[derive(Clone, Copy)]
pub struct Datagrams<'b> {
    query: &'b [u8],
    source: Option<SocketAddr>,
}

impl<'b> Datagrams<'b> {
    pub fn get(self, _index: usize) -> Incoming<'b> {
        Incoming {
            source: self.source,
            bytes: &self.query[..self.query.len().min(QUERY_BYTES)],
            cut: self.query.len() > QUERY_BYTES,
        }
    }

    /// How a response gets back if it is sent later.
    pub fn route(self, _index: usize) -> Option<Route> {
        Some(Route {
            to: self.source?,
            from: None,
        })
    }
}

/// The response.
pub struct Responses<'b> {
    bytes: &'b mut [u8],
    kept: &'b mut Option<usize>,
}

impl Responses<'_> {
    /// Room of at least [`MESSAGE_BYTES`] for it.
    pub fn room(&mut self) -> &mut [u8] {
        self.bytes
    }

    /// Keeps the first `len` bytes of that room, at most [`RESPONSE_BYTES`], as the response.
    pub fn keep(&mut self, _index: usize, len: usize) {
        assert!(len <= RESPONSE_BYTES, "one response of bounded length a datagram");
        *self.kept = Some(len);
    }
}

/// Sends one response by `route`.
pub fn send_one(socket: &UdpSocket, route: &Route, response: &[u8]) -> io::Result<()> {
    socket.send_to(response, route.to).map(|_| ())
}

/// Nothing to ask of the kernel that is the same everywhere.
pub fn set_options(_socket: &UdpSocket, _address: SocketAddr) -> io::Result<()> {
    Ok(())
}
