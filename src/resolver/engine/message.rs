//! Writes what was found as a response.
//!
//! In: a question and a [`Found`]. Out: a whole message as [`Answer`](crate::resolver::Answer) promises it.
//! Always: at most 65,535 bytes, or none; signatures and proofs only for those who asked for them; no records beside the answer
//! but the SOA and the proofs of a denial.
//! Keeps: RFC 1035 §4.1, RFC 2308 §3 (SOA and its TTL), RFC 4035 §3.2.1 (DO), RFC 6604 §2 (the RCODE is about the last name),
//! RFC 6672 §3.1, RFC 9824 §5.

use super::rrset::RRset;
use super::store::{Denial, Security};
use super::walk::{Finding, Found};
use crate::dns::name::Name;
use crate::dns::{class, rcode, rtype};
use crate::limits;
use crate::resolver::validate::rdata::Nsec;

/// The response to `qtype` at `qname`; `None` if it does not fit a message. `now_ms` is for what is left of TTLs.
pub(super) fn write(qname: &Name, qtype: u16, found: &Found, dnssec_ok: bool, now_ms: u64) -> Option<Vec<u8>> {
    let rcode = match &found.end {
        Finding::Set(_) => rcode::NOERROR,
        Finding::Denied(denial) if denial.nxdomain => rcode::NXDOMAIN,
        // RFC 9824 §5: who does not look at proofs is told in words that he knows.
        Finding::Denied(denial) if !dnssec_ok && is_denied_compactly(qname, found, denial) => rcode::NXDOMAIN,
        Finding::Denied(_) => rcode::NOERROR,
        Finding::TooLong => rcode::YXDOMAIN,
    };
    let mut writer = Writer::start(qname, qtype, rcode, dnssec_ok);
    if found.is_secure() {
        // AD (RFC 4035 §3.2.3); who sees it is the query road's to say.
        writer.bytes[3] |= 0x20;
    }
    for link in &found.aliases {
        writer.set(&link.held.set, link.held.ttl_s(now_ms));
    }
    if let Finding::Set(held) = &found.end {
        writer.set(&held.set, held.ttl_s(now_ms));
    }
    writer.section(6);
    // One gap may prove several things.
    let mut proofs: Vec<(&RRset, u32)> = Vec::new();
    if let Finding::Denied(denial) = &found.end {
        let ttl_s = denial.ttl_s(now_ms);
        if let Some(soa) = &denial.soa {
            writer.set(soa, ttl_s);
        }
        if dnssec_ok {
            proofs.extend(denial.proofs.iter().map(|set| (set, ttl_s)));
        }
    }
    if dnssec_ok {
        let links = found.aliases.iter().map(|link| &link.held);
        let end = match &found.end {
            Finding::Set(held) => Some(held),
            _ => None,
        };
        for held in links.chain(end) {
            let ttl_s = held.ttl_s(now_ms);
            for set in held.proofs.iter() {
                let same = |(theirs, _): &&mut (&RRset, u32)| theirs.rtype == set.rtype && theirs.name == set.name;
                match proofs.iter_mut().find(same) {
                    Some((_, least_s)) => *least_s = ttl_s.min(*least_s),
                    None => proofs.push((set, ttl_s)),
                }
            }
        }
    }
    proofs.into_iter().for_each(|(set, ttl_s)| writer.set(set, ttl_s));
    writer.section(8);
    writer.finish()
}

/// Whether a denial of a type is one of the whole name, made while answering (RFC 9824 §3.2), and to be believed.
fn is_denied_compactly(qname: &Name, found: &Found, denial: &Denial) -> bool {
    let last = found.aliases.iter().rfind(|link| link.held.set.rtype == rtype::CNAME);
    let target = last.and_then(|link| link.held.set.target());
    let name = target.as_ref().unwrap_or(qname);
    let mut here = denial
        .proofs
        .iter()
        .filter(|set| set.rtype == rtype::NSEC && set.name == *name);
    denial.security == Security::Secure
        && here.any(|set| set.records().filter_map(Nsec::read).any(|nsec| nsec.types.is_nxname()))
}

/// A name that stands in the message, for others to point at.
struct Standing<'a> {
    at: usize,
    wire: &'a [u8],
    /// So many of its first bytes stand there; then comes a pointer.
    literal_bytes: usize,
}

struct Writer<'a> {
    bytes: Vec<u8>,
    names: Vec<Standing<'a>>,
    count: u16,
    dnssec_ok: bool,
}

/// Names remembered for compression; later ones are written out. An answer with more owners is rare, and large anyway.
const NAMES: usize = 24;

impl<'a> Writer<'a> {
    fn start(qname: &'a Name, qtype: u16, rcode: u16, dnssec_ok: bool) -> Writer<'a> {
        let mut bytes = Vec::with_capacity(512);
        // QR and RD; RA and the RCODE.
        bytes.extend_from_slice(&[0, 0, 0x81, 0x80 | rcode as u8, 0, 1, 0, 0, 0, 0, 0, 0]);
        bytes.extend_from_slice(qname.as_wire());
        bytes.extend_from_slice(&qtype.to_be_bytes());
        bytes.extend_from_slice(&class::IN.to_be_bytes());
        Writer {
            bytes,
            names: vec![Standing {
                at: 12,
                wire: qname.as_wire(),
                literal_bytes: qname.as_wire().len(),
            }],
            count: 0,
            dnssec_ok,
        }
    }

    fn set(&mut self, set: &'a RRset, ttl_s: u32) {
        for rdata in set.records() {
            self.record(&set.name, set.rtype, ttl_s, rdata);
        }
        if self.dnssec_ok {
            for rdata in set.signatures() {
                self.record(&set.name, rtype::RRSIG, ttl_s, rdata);
            }
        }
    }

    fn record(&mut self, owner: &'a Name, rtype: u16, ttl_s: u32, rdata: &'a [u8]) {
        self.name(owner.as_wire());
        self.bytes.extend_from_slice(&rtype.to_be_bytes());
        self.bytes.extend_from_slice(&class::IN.to_be_bytes());
        self.bytes.extend_from_slice(&ttl_s.to_be_bytes());
        self.bytes.extend_from_slice(&(rdata.len() as u16).to_be_bytes());
        if matches!(rtype, rtype::CNAME | rtype::NS) {
            self.remember(rdata, rdata.len());
        }
        self.bytes.extend_from_slice(rdata);
        self.count = self.count.saturating_add(1);
    }

    /// A name, as a pointer from the first label on that already stands somewhere.
    fn name(&mut self, wire: &'a [u8]) {
        let mut at = 0;
        while wire[at] != 0 {
            if let Some(target) = self.standing(&wire[at..]) {
                self.remember(wire, at);
                self.bytes.extend_from_slice(&wire[..at]);
                self.bytes.extend_from_slice(&(0xc000 | target as u16).to_be_bytes());
                return;
            }
            at += usize::from(wire[at]) + 1;
        }
        self.remember(wire, wire.len());
        self.bytes.extend_from_slice(wire);
    }

    /// Where a name equal to `suffix` stands, within the reach of a pointer.
    fn standing(&self, suffix: &[u8]) -> Option<usize> {
        self.names.iter().find_map(|name| {
            let skipped = name.wire.len().checked_sub(suffix.len())?;
            let reachable = name.at + skipped < 0x4000 && skipped < name.literal_bytes;
            let found =
                reachable && name.wire[skipped..].eq_ignore_ascii_case(suffix) && is_label_start(name.wire, skipped);
            found.then_some(name.at + skipped)
        })
    }

    /// A name is about to be written here.
    fn remember(&mut self, wire: &'a [u8], literal_bytes: usize) {
        if self.names.len() < NAMES && literal_bytes > 0 {
            self.names.push(Standing {
                at: self.bytes.len(),
                wire,
                literal_bytes,
            });
        }
    }

    /// Ends a section whose count stands at `at`.
    fn section(&mut self, at: usize) {
        self.bytes[at..at + 2].copy_from_slice(&self.count.to_be_bytes());
        self.count = 0;
    }

    fn finish(self) -> Option<Vec<u8>> {
        (self.bytes.len() <= limits::MESSAGE_BYTES).then_some(self.bytes)
    }
}

fn is_label_start(wire: &[u8], wanted: usize) -> bool {
    let mut at = 0;
    while at < wanted {
        at += usize::from(wire[at]) + 1;
    }
    at == wanted
}

#[cfg(test)]
mod tests {
    use super::super::stage::Link;
    use super::super::store::{Held, Rank};
    use super::*;
    use hickory_proto::op::Message;
    use std::sync::Arc;

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    fn held(set: RRset) -> Held {
        Held {
            set: Arc::new(set),
            expires_ms: 60_000,
            rank: Rank::AnswerAa,
            security: Security::Unchecked,
            proofs: Arc::new([]),
        }
    }

    #[test]
    fn an_alias_and_its_target_are_written_with_the_letter_case_asked_and_the_time_left() {
        let target = name("host.example.org");
        let mut address = RRset::of(&target, rtype::A, 60, &[192, 0, 2, 1]);
        address.sign(&[0, 1, 13, 3, 0, 0, 0, 60, 1, 0, 0, 0, 0, 0, 0, 0, 0, 7, 0, 1, 2, 3, 4]);
        let found = Found {
            aliases: vec![Link {
                held: held(RRset::of(&name("www.example.com"), rtype::CNAME, 60, target.as_wire())),
                made: false,
            }],
            end: Finding::Set(held(address)),
        };
        let bytes = write(&name("wWw.example.com"), rtype::A, &found, false, 30_001).unwrap();
        let message = Message::from_vec(&bytes).unwrap();
        let texts: Vec<String> = message
            .answers
            .iter()
            .map(|record| format!("{} {} {}", record.name, record.ttl, record.data))
            .collect();
        assert_eq!(
            texts,
            [
                "wWw.example.com. 30 host.example.org.",
                "host.example.org. 30 192.0.2.1"
            ]
        );
        let signed = write(&name("www.example.com"), rtype::A, &found, true, 0).unwrap();
        assert_eq!(Message::from_vec(&signed).unwrap().answers.len(), 3);
    }

    #[test]
    fn rfc2308_3_a_denial_carries_its_soa_with_what_is_left_of_its_time() {
        let mut rdata = name("ns.example").as_wire().to_vec();
        rdata.extend_from_slice(name("nobody.example").as_wire());
        rdata.extend_from_slice(&[0; 20]);
        let soa = RRset::of(&name("example"), rtype::SOA, 3600, &rdata);
        let denial = Denial::new(true, Some(soa), Vec::new(), 10_000, Security::Unchecked);
        let found = Found {
            aliases: Vec::new(),
            end: Finding::Denied(Arc::new(denial)),
        };
        let bytes = write(&name("gone.example"), rtype::A, &found, true, 0).unwrap();
        let message = Message::from_vec(&bytes).unwrap();
        assert_eq!(u16::from(message.metadata.response_code), rcode::NXDOMAIN);
        assert_eq!(message.authorities[0].ttl, 10);
        assert_eq!(message.authorities[0].name.to_string(), "example.");
    }

    /// An NSEC set at `owner` with the type NXNAME alone, beside RRSIG and NSEC.
    fn nxname(owner: &Name) -> RRset {
        let mut rdata = [&b"\x01\0"[..], owner.as_wire()].concat();
        // RRSIG (46) and NSEC (47) in byte 5, NXNAME (128) in byte 16.
        let mut bits = [0_u8; 17];
        (bits[5], bits[16]) = (0x03, 0x80);
        rdata.extend_from_slice(&[0, 17]);
        rdata.extend_from_slice(&bits);
        RRset::of(owner, rtype::NSEC, 60, &rdata)
    }

    #[test]
    fn rfc9824_5_a_compact_denial_is_nxdomain_for_those_who_see_no_proofs() {
        let gone = name("gone.example");
        for (owner, security, dnssec_ok, expected) in [
            ("gone.example", Security::Secure, false, rcode::NXDOMAIN),
            ("gone.example", Security::Secure, true, rcode::NOERROR),
            ("gone.example", Security::Insecure, false, rcode::NOERROR),
            ("other.example", Security::Secure, false, rcode::NOERROR),
        ] {
            let denial = Denial::new(false, None, vec![nxname(&name(owner))], 10_000, security);
            let found = Found {
                aliases: Vec::new(),
                end: Finding::Denied(Arc::new(denial)),
            };
            let bytes = write(&gone, rtype::A, &found, dnssec_ok, 0).unwrap();
            assert_eq!(u16::from(bytes[3] & 15), expected, "{owner} {security:?} {dnssec_ok}");
        }
    }

    #[test]
    fn rfc2181_5_a_proof_of_two_things_is_sent_once() {
        let proof = nxname(&name("a.example"));
        let denial = Denial::new(true, None, vec![proof.clone()], 10_000, Security::Secure);
        let mut alias = held(RRset::of(
            &name("x.example"),
            rtype::CNAME,
            60,
            name("gone.example").as_wire(),
        ));
        alias.proofs = vec![proof, nxname(&name("b.example"))].into();
        let found = Found {
            aliases: vec![Link {
                held: alias,
                made: false,
            }],
            end: Finding::Denied(Arc::new(denial)),
        };
        let bytes = write(&name("x.example"), rtype::A, &found, true, 0).unwrap();
        assert_eq!(u16::from_be_bytes([bytes[8], bytes[9]]), 2);
    }
}
