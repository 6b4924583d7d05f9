//! Upstream messages: queries to send, responses to check and to turn into answers.
//!
//! Bytes from upstreams are believed only as far as they are checked here: header, question, and that every record lies
//! within the message and every owner name can be read.
//! Keeps: RFC 1035 §4, RFC 5452 §9 (what must match), RFC 6891 (EDNS), RFC 8467 §4.1 (padding), RFC 8914 (EDE).

use super::{Answer, Question};
use crate::dns::{class, name, rcode, rtype};
use crate::limits;
use hickory_proto::rr::{self, RecordType};
use hickory_proto::serialize::binary::{BinEncodable, BinEncoder};

/// Length of a message header.
pub(super) const HEADER: usize = 12;
const QR: u8 = 0x80;
const TC: u8 = 0x02;
const RD: u8 = 0x01;
const RA: u8 = 0x80;
const CD: u8 = 0x10;
/// EDNS options: Padding (RFC 7830), Extended DNS Error (RFC 8914).
const OPTION_PADDING: u16 = 12;
const OPTION_EDE: u16 = 15;
/// RFC 8467 §4.1: queries are padded to a multiple of this.
const PADDING_BLOCK: usize = 128;

/// How a query is dressed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dress {
    /// The UDP payload size to announce; `None` leaves EDNS out, for servers that cannot bear it (RFC 6891 §7).
    pub edns_buffer: Option<u16>,
    /// Hide the length of the name, on encrypted transports.
    pub padding: bool,
}

/// A recursive query with ID 0, which each transport replaces as it needs.
pub(super) fn query(question: &Question, dress: Dress) -> Vec<u8> {
    assert_ne!(
        question.qtype,
        rtype::NAMESERVERS,
        "that is asked within this program only"
    );
    let qname = question.name.as_wire();
    let mut bytes = Vec::with_capacity(PADDING_BLOCK * 3);
    bytes.extend_from_slice(&[0, 0, RD, if question.checking_disabled { CD } else { 0 }]);
    bytes.extend_from_slice(&[0, 1, 0, 0, 0, 0, 0, u8::from(dress.edns_buffer.is_some())]);
    bytes.extend_from_slice(qname);
    bytes.extend_from_slice(&question.qtype.to_be_bytes());
    bytes.extend_from_slice(&class::IN.to_be_bytes());
    if let Some(buffer) = dress.edns_buffer {
        bytes.push(0);
        bytes.extend_from_slice(&rtype::OPT.to_be_bytes());
        bytes.extend_from_slice(&buffer.to_be_bytes());
        let flags: [u8; 4] = [0, 0, if question.dnssec_ok { 0x80 } else { 0 }, 0];
        bytes.extend_from_slice(&flags);
        if dress.padding {
            // After RDLENGTH and the option's own header.
            let short = (bytes.len() + 6) % PADDING_BLOCK;
            let padding = if short == 0 { 0 } else { PADDING_BLOCK - short };
            bytes.extend_from_slice(&(padding as u16 + 4).to_be_bytes());
            bytes.extend_from_slice(&OPTION_PADDING.to_be_bytes());
            bytes.extend_from_slice(&(padding as u16).to_be_bytes());
            bytes.resize(bytes.len() + padding, 0);
        } else {
            bytes.extend_from_slice(&[0, 0]);
        }
    }
    bytes
}

/// Writes a message's ID.
pub(super) fn set_id(message: &mut [u8], id: u16) {
    message[..2].copy_from_slice(&id.to_be_bytes());
}

/// The ID of a message of at least two bytes.
pub(super) fn id(message: &[u8]) -> Option<u16> {
    message.first_chunk().map(|bytes| u16::from_be_bytes(*bytes))
}

/// Whether `response` answers `query` (RFC 5452 §9.1): ID, QR, opcode and question agree, letter case aside. A bare header
/// that carries an error is taken too: some servers cannot echo a question they could not read.
pub(super) fn answers(query: &[u8], response: &[u8]) -> bool {
    let Some(header) = response.first_chunk::<HEADER>() else {
        return false;
    };
    if header[..2] != query[..2] || header[2] & QR == 0 || header[2] & 0x78 != 0 {
        return false;
    }
    match u16::from_be_bytes([header[4], header[5]]) {
        0 => header[3] & 0x0f != 0 && header[6..].iter().all(|&byte| byte == 0),
        1 => {
            let question = question_of(query);
            let theirs = response.get(HEADER..HEADER + question.len());
            let (name, rest) = question.split_at(question.len() - 4);
            theirs
                .is_some_and(|theirs| theirs[..name.len()].eq_ignore_ascii_case(name) && theirs[name.len()..] == *rest)
        }
        _ => false,
    }
}

/// The question section of a query made here: name, type, class.
fn question_of(query: &[u8]) -> &[u8] {
    let length = name::wire_len(&query[HEADER..]).expect("queries are made here, from a name");
    &query[HEADER..HEADER + length + 4]
}

/// A response that was checked.
#[derive(Debug, Clone)]
pub(super) struct Reply {
    bytes: Vec<u8>,
    /// With the upper bits of the OPT record, if there is one (RFC 6891 §6.1.3).
    pub rcode: u16,
    /// Something is missing; nothing but the header was looked at.
    pub truncated: bool,
    pub ede: Vec<(u16, String)>,
    opt: Option<Opt>,
}

#[derive(Debug, Clone, Copy)]
struct Opt {
    start: usize,
    end: usize,
}

/// What is wrong with a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Malformed {
    #[error("it ends too early")]
    Short,
    #[error("an owner name cannot be read")]
    Owner,
    #[error("it has two OPT records")]
    TwoOpt,
}

impl Reply {
    /// Checks a response whose question is known to match ([`answers`]).
    pub(super) fn read(mut bytes: Vec<u8>) -> Result<Reply, Malformed> {
        let header = *bytes.first_chunk::<HEADER>().ok_or(Malformed::Short)?;
        let mut reply = Reply {
            rcode: u16::from(header[3] & 0x0f),
            truncated: header[2] & TC != 0,
            ede: Vec::new(),
            opt: None,
            bytes: Vec::new(),
        };
        let counts = [6, 8, 10].map(|at| u16::from_be_bytes([header[at], header[at + 1]]));
        if !reply.truncated {
            let mut at = match header[5] {
                0 => HEADER,
                _ => HEADER + name::wire_len(&bytes[HEADER..]).ok_or(Malformed::Owner)? + 4,
            };
            for (section, &count) in counts.iter().enumerate() {
                for _ in 0..count {
                    let record = Record::read(&bytes, at)?;
                    if record.rtype == rtype::OPT && section == 2 {
                        if reply.opt.is_some() {
                            return Err(Malformed::TwoOpt);
                        }
                        reply.opt = Some(Opt {
                            start: at,
                            end: record.end,
                        });
                        reply.rcode |= u16::from(bytes[record.ttl_at]) << 4;
                        reply.ede = errors_of(&bytes[record.data_at..record.end]);
                    }
                    at = record.end;
                }
            }
            // What follows the last record is nobody's.
            bytes.truncate(at);
        }
        reply.bytes = bytes;
        Ok(reply)
    }

    /// Whether the sender knows EDNS.
    #[cfg(test)]
    pub(super) fn has_opt(&self) -> bool {
        self.opt.is_some()
    }

    /// The bytes as they came, but for what followed the last record.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Lowers every TTL by `age_s` seconds, for time spent in an HTTP cache (RFC 8484 §5.1).
    pub(super) fn age(&mut self, age_s: u32) {
        let header = *self.bytes.first_chunk::<HEADER>().expect("checked when it was read");
        let records: usize = [6, 8, 10]
            .iter()
            .map(|&at| usize::from(u16::from_be_bytes([header[at], header[at + 1]])))
            .sum();
        let mut at = HEADER;
        if header[5] != 0 {
            at += name::wire_len(&self.bytes[HEADER..]).map_or(0, |length| length + 4);
        }
        for _ in 0..records {
            let Ok(record) = Record::read(&self.bytes, at) else {
                return;
            };
            if record.rtype != rtype::OPT {
                let field = &mut self.bytes[record.ttl_at..record.ttl_at + 4];
                let ttl = u32::from_be_bytes([field[0], field[1], field[2], field[3]]);
                field.copy_from_slice(&ttl.saturating_sub(age_s).to_be_bytes());
            }
            at = record.end;
        }
    }

    /// The answer to `question` as [`Answer`] promises it. The reply's RCODE fits four bits and it is not truncated.
    pub(super) fn into_answer(mut self, question: &Question) -> Result<Answer, Malformed> {
        debug_assert!(!self.truncated && self.rcode < 16);
        if self.bytes[5] == 0 {
            return Err(Malformed::Short);
        }
        if let Some(opt) = self.opt {
            if opt.end == self.bytes.len() {
                self.bytes.truncate(opt.start);
                let count = u16::from_be_bytes([self.bytes[10], self.bytes[11]]) - 1;
                self.bytes[10..12].copy_from_slice(&count.to_be_bytes());
            } else {
                // Records behind it may point to names among themselves, so they cannot just be moved.
                let mut message = hickory_proto::op::Message::from_vec(&self.bytes).map_err(|_| Malformed::Owner)?;
                message.edns = None;
                self.bytes = message.to_vec().map_err(|_| Malformed::Owner)?;
            }
        }
        stamp(&mut self.bytes, question);
        Ok(Answer {
            message: self.bytes,
            ede: self.ede,
        })
    }
}

/// What a signature is about; `None` for all other records.
pub(super) fn covered(record: &rr::Record) -> Option<u16> {
    let mut rdata = Vec::new();
    (record.record_type() == RecordType::RRSIG && record.data.emit(&mut BinEncoder::new(&mut rdata)).is_ok())
        .then(|| rdata.first_chunk().map(|covered| u16::from_be_bytes(*covered)))
        .flatten()
}

/// Gives a whole response the ID, flags and question that [`Answer`] promises. Its question is `question` but for letter case.
pub(super) fn stamp(bytes: &mut [u8], question: &Question) {
    set_id(bytes, 0);
    bytes[2] = QR | RD;
    bytes[3] = RA | (bytes[3] & 0x0f);
    rename(bytes, question);
}

/// Gives a response the question's letter case. One with another question, or none, stays as it is.
pub(super) fn rename(bytes: &mut [u8], question: &Question) {
    let qname = question.name.as_wire();
    if let Some(theirs) = bytes.get_mut(HEADER..HEADER + qname.len())
        && theirs.eq_ignore_ascii_case(qname)
    {
        theirs.copy_from_slice(qname);
    }
}

/// Whether an RCODE is an answer rather than a failure: NOERROR, NXDOMAIN, and YXDOMAIN (RFC 6672 §2.2: the name after a
/// DNAME is too long).
pub(super) fn is_answer(code: u16) -> bool {
    const YXDOMAIN: u16 = 6;
    matches!(code, rcode::NOERROR | rcode::NXDOMAIN | YXDOMAIN)
}

/// Where a record's parts are.
struct Record {
    rtype: u16,
    ttl_at: usize,
    data_at: usize,
    end: usize,
}

impl Record {
    fn read(message: &[u8], at: usize) -> Result<Record, Malformed> {
        let fields = owner_end(message, at).ok_or(Malformed::Owner)?;
        let fixed = message.get(fields..fields + 10).ok_or(Malformed::Short)?;
        let length = usize::from(u16::from_be_bytes([fixed[8], fixed[9]]));
        let end = fields + 10 + length;
        if end > message.len() {
            return Err(Malformed::Short);
        }
        Ok(Record {
            rtype: u16::from_be_bytes([fixed[0], fixed[1]]),
            ttl_at: fields + 4,
            data_at: fields + 10,
            end,
        })
    }
}

/// Where the name at `at` ends in place; `None` if it cannot be read whole. Pointers must point backwards (RFC 1035 §4.1.4),
/// so every chain of them ends.
fn owner_end(message: &[u8], at: usize) -> Option<usize> {
    let mut end = None;
    let mut at = at;
    let mut length = 1;
    let mut limit = at;
    loop {
        let byte = *message.get(at)?;
        match byte {
            0 => return Some(end.unwrap_or(at + 1)),
            1..=63 => {
                at += usize::from(byte) + 1;
                length += usize::from(byte) + 1;
                if length > 255 {
                    return None;
                }
            }
            192.. => {
                let target = usize::from(byte & 0x3f) << 8 | usize::from(*message.get(at + 1)?);
                end = end.or(Some(at + 2));
                if target >= limit || target < HEADER {
                    return None;
                }
                limit = target;
                at = target;
            }
            _ => return None,
        }
    }
}

/// The Extended DNS Errors of OPT RDATA, as many and as long as are passed on; a torn option ends the list.
pub(super) fn errors_of(mut options: &[u8]) -> Vec<(u16, String)> {
    let mut errors = Vec::new();
    while let Some((header, rest)) = options.split_first_chunk::<4>() {
        let code = u16::from_be_bytes([header[0], header[1]]);
        let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
        let Some((data, rest)) = rest.split_at_checked(length) else {
            break;
        };
        if code == OPTION_EDE
            && errors.len() < limits::EDE_OPTIONS
            && let Some((info, text)) = data.split_first_chunk()
        {
            let text = &text[..text.len().min(limits::EDE_TEXT_BYTES)];
            // RFC 8914 §2: UTF-8, not ended by a NUL though some do. Whatever a terminal could trip over goes.
            let text: String = String::from_utf8_lossy(text)
                .chars()
                .filter(|letter| !letter.is_control() && *letter != char::REPLACEMENT_CHARACTER)
                .collect();
            errors.push((u16::from_be_bytes(*info), text));
        }
        options = rest;
    }
    errors
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::name::Name;

    const PLAIN: Dress = Dress {
        edns_buffer: Some(1232),
        padding: false,
    };

    fn question(text: &str) -> Question {
        Question {
            name: Name::parse(text).unwrap(),
            qtype: rtype::A,
            dnssec_ok: true,
            checking_disabled: false,
        }
    }

    /// A response to `query` with these counts and bytes after the question.
    fn response(query: &[u8], counts: [u8; 3], rest: &[u8]) -> Vec<u8> {
        let mut bytes = query[..HEADER].to_vec();
        bytes[2] |= QR;
        bytes[7] = counts[0];
        bytes[9] = counts[1];
        bytes[11] = counts[2];
        bytes.extend_from_slice(question_of(query));
        bytes.extend_from_slice(rest);
        bytes
    }

    const RECORD: &[u8] = &[0xc0, 12, 0, 1, 0, 1, 0, 0, 1, 44, 0, 4, 192, 0, 2, 1];
    const OPT: &[u8] = &[
        0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 10, 0, 15, 0, 6, 0, 6, b'b', b'o', b'g', b'u',
    ];

    #[test]
    fn a_query_is_readable_and_padded_ones_are_all_of_one_length() {
        let query_bytes = query(&question("www.example"), PLAIN);
        let message = hickory_proto::op::Message::from_vec(&query_bytes).unwrap();
        assert_eq!(message.queries[0].name().to_string(), "www.example.");
        let edns = message.edns.unwrap();
        assert!(edns.flags().dnssec_ok && edns.max_payload() == 1232);
        for text in ["a", "www.example", &vec!["label"; 17].join(".")] {
            let padded = query(&question(text), Dress { padding: true, ..PLAIN });
            assert_eq!(padded.len() % PADDING_BLOCK, 0, "{text}");
            hickory_proto::op::Message::from_vec(&padded).unwrap();
        }
    }

    #[test]
    fn only_a_response_with_the_same_id_and_question_is_believed() {
        let mut asked = query(&question("www.example"), PLAIN);
        set_id(&mut asked, 7);
        let good = response(&asked, [1, 0, 0], RECORD);
        assert!(answers(&asked, &good));
        let mut other_case = good.clone();
        other_case[13..16].copy_from_slice(b"WwW");
        assert!(answers(&asked, &other_case));
        for (at, what) in [
            (1, "id"),
            (14, "name"),
            (26, "type"),
            (28, "class"),
            (2, "opcode"),
            (5, "question count"),
        ] {
            let mut bad = good.clone();
            bad[at] ^= 0x10;
            assert!(!answers(&asked, &bad), "{what}");
        }
        assert!(!answers(&asked, &asked), "a query is no response");
        for end in 0..28 {
            assert!(!answers(&asked, &good[..end]), "cut at {end}");
        }
        let mut bare = good[..HEADER].to_vec();
        bare[4..].fill(0);
        assert!(!answers(&asked, &bare), "a bare header says nothing");
        bare[3] = 1;
        assert!(answers(&asked, &bare), "a bare FORMERR does");
    }

    #[test]
    fn an_answer_carries_no_opt_and_the_question_as_asked() {
        let asked = query(&question("www.example"), PLAIN);
        let mut bytes = response(&asked, [1, 0, 1], &[RECORD, OPT].concat());
        bytes[3] |= 0x20;
        bytes[13] = b'W';
        let reply = Reply::read(bytes).unwrap();
        assert!(reply.has_opt());
        let answer = reply.into_answer(&question("wWw.example")).unwrap();
        assert_eq!(answer.ede, vec![(6, "bogu".to_owned())]);
        assert_eq!(
            answer.message[..4],
            [0, 0, 0x81, 0x80],
            "AD is not an upstream's to set"
        );
        let message = hickory_proto::op::Message::from_vec(&answer.message).unwrap();
        assert!(message.edns.is_none() && message.answers.len() == 1);
        assert_eq!(&answer.message[13..16], b"wWw");
    }

    #[test]
    fn an_opt_record_before_others_is_taken_out_as_well() {
        let asked = query(&question("www.example"), PLAIN);
        let reply = Reply::read(response(&asked, [0, 0, 2], &[OPT, RECORD].concat())).unwrap();
        let answer = reply.into_answer(&question("www.example")).unwrap();
        let message = hickory_proto::op::Message::from_vec(&answer.message).unwrap();
        assert!(message.edns.is_none() && message.additionals.len() == 1);
    }

    #[test]
    fn every_truncation_and_flipped_byte_of_a_response_is_survived() {
        let asked = query(&question("www.example"), PLAIN);
        let good = response(&asked, [1, 0, 1], &[RECORD, OPT].concat());
        for end in 0..good.len() {
            assert!(Reply::read(good[..end].to_vec()).is_err(), "cut at {end}");
        }
        for at in 0..good.len() {
            for flip in [0x01, 0x40, 0x80, 0xff] {
                let mut bad = good.clone();
                bad[at] ^= flip;
                if answers(&asked, &bad)
                    && let Ok(mut reply) = Reply::read(bad)
                    && !reply.truncated
                    && reply.rcode < 16
                {
                    reply.age(10);
                    let _ = reply.into_answer(&question("www.example"));
                }
            }
        }
    }

    #[test]
    fn pointers_that_do_not_point_back_are_refused() {
        let asked = query(&question("www.example"), PLAIN);
        let at = HEADER + question_of(&asked).len();
        for target in [at, at + 2, 0, 5] {
            let mut record = RECORD.to_vec();
            record[..2].copy_from_slice(&(0xc000 | target as u16).to_be_bytes());
            let bytes = response(&asked, [1, 0, 0], &record);
            assert_eq!(Reply::read(bytes).unwrap_err(), Malformed::Owner, "{target}");
        }
    }

    #[test]
    fn time_in_an_http_cache_is_taken_off_every_ttl() {
        let asked = query(&question("www.example"), PLAIN);
        let mut reply = Reply::read(response(&asked, [1, 0, 1], &[RECORD, OPT].concat())).unwrap();
        reply.age(100);
        let answer = reply.into_answer(&question("www.example")).unwrap();
        let message = hickory_proto::op::Message::from_vec(&answer.message).unwrap();
        assert_eq!(message.answers[0].ttl, 200);
    }
}
