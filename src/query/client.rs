//! Who asks: what the listener knows of a client, and how its responses get back.

use crate::dns::edns;
use crate::dns::query::Head;
use crate::limits::MESSAGE_BYTES;
use std::net::SocketAddr;

/// The other end of a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// Where the query came from. IPv4-mapped IPv6 addresses count as the IPv4 address they hold.
    pub address: SocketAddr,
    pub transport: Transport,
}

/// How a query came, as far as it changes the response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// Responses are bounded by what the client announced; the source address may be forged.
    Udp,
    /// Responses of up to 65,535 bytes.
    Tcp,
}

impl Transport {
    /// The longest response in bytes to a query with this head.
    pub fn limit(self, head: &Head) -> usize {
        match self {
            Transport::Udp => edns::udp_limit(head.edns),
            Transport::Tcp => MESSAGE_BYTES,
        }
    }
}
