//! Responses for tests, built by hand.

use super::CacheKey;
use crate::dns::name::Name;
use crate::dns::{class, rtype};

pub fn qname(text: &str) -> Vec<u8> {
    Name::parse(text).unwrap().as_wire().to_vec()
}

pub fn key(qname: &[u8], qtype: u16) -> CacheKey<'_> {
    CacheKey {
        qname,
        qtype,
        dnssec_ok: false,
        checking_disabled: false,
    }
}

/// A response to one question; owners after the question are compression pointers to it.
pub struct Builder {
    bytes: Vec<u8>,
}

impl Builder {
    pub fn new(name: &str, qtype: u16) -> Builder {
        Builder::for_wire(&qname(name), qtype)
    }

    pub fn for_wire(name: &[u8], qtype: u16) -> Builder {
        let mut bytes = vec![0, 0, 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0];
        bytes.extend_from_slice(name);
        bytes.extend_from_slice(&qtype.to_be_bytes());
        bytes.extend_from_slice(&class::IN.to_be_bytes());
        Builder { bytes }
    }

    pub fn rcode(mut self, rcode: u16) -> Builder {
        self.bytes[3] = self.bytes[3] & 0xf0 | rcode as u8;
        self
    }

    fn record(mut self, section: usize, owner: &[u8], rtype: u16, ttl: u32, rdata: &[u8]) -> Builder {
        self.bytes[7 + 2 * section] += 1;
        self.bytes.extend_from_slice(owner);
        self.bytes.extend_from_slice(&rtype.to_be_bytes());
        self.bytes.extend_from_slice(&class::IN.to_be_bytes());
        self.bytes.extend_from_slice(&ttl.to_be_bytes());
        self.bytes.extend_from_slice(&(rdata.len() as u16).to_be_bytes());
        self.bytes.extend_from_slice(rdata);
        self
    }

    pub fn a(self, ttl: u32) -> Builder {
        self.record(0, &[0xc0, 12], rtype::A, ttl, &[192, 0, 2, 1])
    }

    pub fn cname(self, ttl: u32) -> Builder {
        self.record(0, &[0xc0, 12], rtype::CNAME, ttl, b"\x01c\xc0\x0c")
    }

    /// A TXT record of about `bytes` bytes.
    pub fn txt(self, ttl: u32, bytes: usize) -> Builder {
        self.record(0, &[0xc0, 12], rtype::TXT, ttl, &vec![b'x'; bytes])
    }

    pub fn soa(self, ttl: u32, minimum: u32) -> Builder {
        let mut rdata = vec![0xc0, 12, 1, b'h', 0xc0, 12];
        for number in [1, 2, 3, 4, minimum] {
            rdata.extend_from_slice(&number.to_be_bytes());
        }
        self.record(1, b"\x03com\x00", rtype::SOA, ttl, &rdata)
    }

    pub fn authority_ns(self, ttl: u32) -> Builder {
        self.record(1, &[0xc0, 12], rtype::NS, ttl, b"\x02ns\xc0\x0c")
    }

    pub fn additional_a(self, ttl: u32) -> Builder {
        self.record(2, b"\x02ns\xc0\x0c", rtype::A, ttl, &[192, 0, 2, 53])
    }

    pub fn opt(self) -> Builder {
        self.record(2, &[0], rtype::OPT, 0, &[])
    }

    pub fn build(self) -> Vec<u8> {
        self.bytes
    }
}
