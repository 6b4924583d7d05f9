//! Reads a response of an authority into RRsets, section by section.
//!
//! In: bytes whose ID and question were compared with the query's (`query`). Out: a [`Response`], or why it cannot be believed.
//! Always: bounded by [`ANSWER_SETS`](limits::ANSWER_SETS) and [`SET_RECORDS`](limits::SET_RECORDS); no panic on any bytes. What
//! the records may say is `classify`'s to judge.
//! Keeps: RFC 1035 §4.1, RFC 2181 §5, RFC 6891 §6.1, RFC 8914 §2, RFC 9619.

use super::rrset::{self, RRset};
use crate::dns::answer::{Message, NameBuf, Record, Section};
use crate::dns::name::Name;
use crate::dns::{class, rcode, rtype};
use crate::limits;
use crate::resolver::message::errors_of;

/// A response with one question, in pieces.
#[derive(Debug, Clone, Default)]
pub struct Response {
    /// With the upper bits of the OPT record, if there is one (RFC 6891 §6.1.3).
    pub rcode: u16,
    pub authoritative: bool,
    pub truncated: bool,
    pub recursion_available: bool,
    /// The server knows EDNS.
    pub has_opt: bool,
    /// Extended DNS Errors of a response that is one (RFC 8914).
    pub ede: Vec<(u16, String)>,
    pub answers: Vec<RRset>,
    pub authorities: Vec<RRset>,
    pub additionals: Vec<RRset>,
}

/// Why a response cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    #[error("it has no header, not one question, or is cut short")]
    Short,
    #[error("a record breaks the form of its type")]
    Record,
    #[error("it has two OPT records")]
    TwoOpt,
    #[error("it has more records than any answer needs")]
    Crowded,
}

impl Response {
    /// Reads all sections. Of a truncated response only the header counts (RFC 2181 §9).
    ///
    /// For `qtype` RRSIG the signatures are the answer and stay records; otherwise they go with the sets they cover.
    pub fn read(bytes: &[u8], qtype: u16) -> Result<Response, Malformed> {
        if let Some(bare) = bare_error(bytes) {
            return Ok(bare);
        }
        let message = Message::parse(bytes).ok_or(Malformed::Short)?;
        let mut response = Response {
            rcode: u16::from(message.rcode()),
            authoritative: message.authoritative(),
            truncated: bytes[2] & 0x02 != 0,
            recursion_available: bytes[3] & 0x80 != 0,
            ..Response::default()
        };
        if response.truncated {
            return Ok(response);
        }
        let mut rdata = Vec::with_capacity(256);
        for record in message.records() {
            let record = record.map_err(|_| Malformed::Short)?;
            if record.rtype == rtype::OPT && record.section == Section::Additional {
                if response.has_opt {
                    return Err(Malformed::TwoOpt);
                }
                response.has_opt = true;
                response.rcode |= ((record.ttl >> 24) as u16) << 4;
                if !matches!(response.rcode, rcode::NOERROR | rcode::NXDOMAIN) {
                    response.ede = errors_of(&bytes[record.rdata_at..record.rdata_at + record.rdata_bytes]);
                }
                continue;
            }
            response.add(bytes, &record, qtype, &mut rdata)?;
        }
        Ok(response)
    }

    fn add(&mut self, bytes: &[u8], record: &Record, qtype: u16, rdata: &mut Vec<u8>) -> Result<(), Malformed> {
        // Addresses for name servers are all that is ever taken from there; the rest may be anything, TSIG included.
        let wanted = record.section != Section::Additional || matches!(record.rtype, rtype::A | rtype::AAAA);
        if record.class != class::IN || !wanted {
            return Ok(());
        }
        let owner = NameBuf::read(bytes, record.owner_at).ok_or(Malformed::Record)?;
        rrset::rdata(bytes, record.rdata_at, record.rdata_bytes, record.rtype, rdata).ok_or(Malformed::Record)?;
        // Signatures that are the answer are records; those of what denies or refers are signatures even then.
        let asked_for = qtype == rtype::RRSIG && record.section == Section::Answer;
        let covered = match rdata.first_chunk::<2>() {
            Some(covered) if record.rtype == rtype::RRSIG && !asked_for => Some(u16::from_be_bytes(*covered)),
            _ => None,
        };
        let rtype = covered.unwrap_or(record.rtype);
        let section = match record.section {
            Section::Answer => &mut self.answers,
            Section::Authority => &mut self.authorities,
            Section::Additional => &mut self.additionals,
        };
        // The set is nearly always the last one.
        let same = |set: &RRset| set.rtype == rtype && set.name.as_wire().eq_ignore_ascii_case(owner.as_wire());
        let at = match section.iter().rposition(same) {
            Some(at) => at,
            None if section.len() >= limits::ANSWER_SETS && record.section == Section::Additional => return Ok(()),
            None if section.len() >= limits::ANSWER_SETS => return Err(Malformed::Crowded),
            None => {
                let name = Name::from_wire(owner.as_wire()).ok_or(Malformed::Record)?;
                section.push(RRset::new(&name, rtype, rrset::ttl(record.ttl)));
                section.len() - 1
            }
        };
        let set = &mut section[at];
        if set.len() >= limits::SET_RECORDS {
            return Err(Malformed::Crowded);
        }
        set.ttl_s = set.ttl_s.min(rrset::ttl(record.ttl));
        match covered {
            Some(_) => set.sign(rdata),
            None => set.push(rdata),
        }
        Ok(())
    }

    /// The set of this name and type in the answer section.
    pub fn answer(&self, name: &Name, rtype: u16) -> Option<&RRset> {
        let wanted = |set: &&RRset| set.rtype == rtype && !set.is_empty() && set.name == *name;
        self.answers.iter().find(wanted)
    }

    /// The set of this type in the authority section whose owner `name` is at or below.
    pub fn authority_above(&self, name: &Name, rtype: u16) -> Option<&RRset> {
        let wanted = |set: &&RRset| set.rtype == rtype && !set.is_empty() && name.is_within(&set.name);
        self.authorities.iter().find(wanted)
    }
}

/// A bare header with an error: some servers cannot echo a question they could not read.
fn bare_error(bytes: &[u8]) -> Option<Response> {
    let header = bytes.first_chunk::<12>()?;
    let bare = header[4..6] == [0, 0] && header[2] & 0x80 != 0 && header[3] & 0x0f != 0;
    bare.then(|| Response {
        rcode: u16::from(header[3] & 0x0f),
        authoritative: header[2] & 4 != 0,
        recursion_available: header[3] & 0x80 != 0,
        ..Response::default()
    })
}
