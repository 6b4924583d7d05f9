//! Talks DNS to the program over sockets that stay open: a UDP socket of one client, a TCP connection with several queries.

use crate::common::PATIENCE;
use hickory_proto::op::Message;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};

/// A client's socket that hears from `server` only and waits long enough.
pub fn udp_client(server: SocketAddr) -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port on loopback");
    socket.connect(server).expect("an address of loopback");
    socket.set_read_timeout(Some(PATIENCE)).expect("a socket of ours");
    socket
}

/// One connection over TCP.
pub struct Stream(TcpStream);

impl Stream {
    pub fn connect(server: SocketAddr) -> Stream {
        let stream = TcpStream::connect(server).expect("the server accepts");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket of ours");
        stream.set_nodelay(true).expect("a socket of ours");
        Stream(stream)
    }

    /// Writes a query, its length in front (RFC 1035 §4.2.2).
    pub fn send(&mut self, query: &[u8]) {
        let len = u16::try_from(query.len()).expect("a query is short");
        let framed = [&len.to_be_bytes()[..], query].concat();
        self.0.write_all(&framed).expect("the server reads");
    }

    /// Whether the server closes the connection, or has, and says nothing more.
    pub fn ends_here(mut self) -> bool {
        let mut rest = Vec::new();
        match self.0.read_to_end(&mut rest) {
            Ok(_) => rest.is_empty(),
            Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
        }
    }

    /// The next response; `None` when the server has closed the connection.
    pub fn next(&mut self) -> Option<Message> {
        let mut len = [0; 2];
        match self.0.read_exact(&mut len) {
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return None,
            read => read.expect("a response in time"),
        }
        let mut response = vec![0; usize::from(u16::from_be_bytes(len))];
        self.0.read_exact(&mut response).expect("a whole response");
        Some(Message::from_vec(&response).expect("a well-formed response"))
    }
}
