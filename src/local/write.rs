//! Writes local answers in wire form.
//!
//! Always: what is in the buffer is a whole message at most 65,535 bytes long. Only the question's name is pointed to (RFC 1035
//! §4.1.4); others are written out, since local answers are short.

use super::LocalAnswer;
use super::zone::{RrSet, Soa};
use crate::dns::name::Name;
use crate::dns::{class, rcode, rtype};
use crate::limits;

/// QR, AA, RD and RA; RD is what clients of a resolver send, whoever answers sets the bit as asked.
const FLAGS: u16 = 0x8000 | 0x0400 | 0x0100 | 0x0080;
const AA: u16 = 0x0400;
/// Where the question's name begins.
const QNAME_AT: usize = 12;

pub(super) struct Response<'a> {
    out: &'a mut Vec<u8>,
    qname_len: usize,
    flags: u16,
    /// ANCOUNT, NSCOUNT, ARCOUNT.
    counts: [u16; 3],
}

impl<'a> Response<'a> {
    pub(super) fn start(out: &'a mut Vec<u8>, qname: &[u8], qtype: u16) -> Response<'a> {
        out.clear();
        out.extend_from_slice(&[0; 12]);
        out.extend_from_slice(qname);
        out.extend_from_slice(&qtype.to_be_bytes());
        out.extend_from_slice(&class::IN.to_be_bytes());
        Response {
            out,
            qname_len: qname.len(),
            flags: FLAGS,
            counts: [0; 3],
        }
    }

    pub(super) fn answer(&mut self, owner: &[u8], set: &RrSet) {
        self.set(0, owner, set);
    }

    pub(super) fn negative(&mut self, rcode: u16, soa: Soa<'_>) {
        self.flags |= rcode;
        self.record(1, soa.owner, rtype::SOA, soa.ttl_s, soa.data);
    }

    /// A referral is no authoritative answer (RFC 1034 §4.3.2 step 3b).
    pub(super) fn referral(&mut self, cut: &[u8], servers: &RrSet, glue: &[(&[u8], &RrSet)]) {
        self.flags &= !AA;
        self.set(1, cut, servers);
        for (owner, set) in glue {
            self.set(2, owner, set);
        }
    }

    pub(super) fn finish(mut self, follow: Option<Name>) -> LocalAnswer {
        if self.out.len() > limits::MESSAGE_BYTES {
            self.fail();
            return LocalAnswer { follow: None };
        }
        self.header();
        LocalAnswer { follow }
    }

    /// Nothing but SERVFAIL.
    pub(super) fn fail(mut self) {
        self.out.truncate(QNAME_AT + self.qname_len + 4);
        self.flags = (FLAGS & !AA) | rcode::SERVFAIL;
        self.counts = [0; 3];
        self.header();
    }

    fn header(&mut self) {
        self.out[2..4].copy_from_slice(&self.flags.to_be_bytes());
        self.out[4..6].copy_from_slice(&1u16.to_be_bytes());
        for (section, count) in self.counts.iter().enumerate() {
            let at = 6 + 2 * section;
            self.out[at..at + 2].copy_from_slice(&count.to_be_bytes());
        }
    }

    fn set(&mut self, section: usize, owner: &[u8], set: &RrSet) {
        for data in &set.data {
            self.record(section, owner, set.rtype, set.ttl_s, data);
        }
    }

    fn record(&mut self, section: usize, owner: &[u8], rtype: u16, ttl_s: u32, data: &[u8]) {
        // Sizes were bounded when the zone was built; a message that grows past the limit all the same fails as a whole.
        let Ok(length) = u16::try_from(data.len()) else {
            debug_assert!(false, "RDATA is at most 65,535 bytes long");
            return;
        };
        if self.out[QNAME_AT..QNAME_AT + self.qname_len] == *owner {
            self.out.extend_from_slice(&[0xc0, QNAME_AT as u8]);
        } else {
            self.out.extend_from_slice(owner);
        }
        self.out.extend_from_slice(&rtype.to_be_bytes());
        self.out.extend_from_slice(&class::IN.to_be_bytes());
        self.out.extend_from_slice(&ttl_s.to_be_bytes());
        self.out.extend_from_slice(&length.to_be_bytes());
        self.out.extend_from_slice(data);
        self.counts[section] += 1;
    }
}
