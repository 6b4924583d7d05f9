//! Chooses what of a response goes when it is too long for its way.
//!
//! In: a response, how long it may be. Out: where it is to be cut off, and whether TC must own up to it.
//! Always: whole RRsets remain or go; allocates nothing. A name may point to one in front of it (RFC 1035 §4.1.4), so nothing is
//! left out of the middle: the additional section goes first, the answer last.
//! Keeps: RFC 2181 §5 and §9 (RRsets, TC), RFC 4035 §3.1.1 (signatures count), RFC 6891 §7 (room for OPT is the caller's).

use super::answer::{Message, NameBuf, Record, Records, Section};
use super::rtype;

/// What remains of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut {
    /// Its length.
    pub bytes: usize,
    /// How many records of each section remain.
    pub counts: [u16; 3],
    /// Something is gone that the response needs.
    pub needed: bool,
}

/// Cuts a response, whose question section ends at `question_end`, so that its records end at or before `end`.
pub fn cut(message: &[u8], question_end: usize, end: usize) -> Cut {
    let mut cut = Cut {
        bytes: question_end,
        counts: [0; 3],
        needed: true,
    };
    let Some(parsed) = Message::parse(message) else {
        return cut;
    };
    let mut counts = [0; 3];
    let mut before: Option<Record> = None;
    for (start, record) in starts(&parsed) {
        let begins = before.is_none_or(|before| !same_rrset(message, &before, &record));
        if begins && start <= end {
            (cut.bytes, cut.counts) = (start, counts);
        }
        counts[record.section as usize] += 1;
        before = Some(record);
    }
    // Records behind a broken one were not counted.
    let whole =
        [Section::Answer, Section::Authority, Section::Additional].map(|section| parsed.count(section)) == counts;
    let mut gone = starts(&parsed).filter(|(start, _)| *start >= cut.bytes);
    cut.needed = !whole || gone.any(|(_, record)| is_needed(message, &record, counts[0] > 0));
    cut
}

/// The records of a message, each with where it starts; they end at a broken one.
fn starts<'m>(message: &Message<'m>) -> impl Iterator<Item = (usize, Record)> + use<'m> {
    let mut records = message.records();
    std::iter::from_fn(move || {
        let start = Records::position(&records);
        Some((start, records.next()?.ok()?))
    })
}

/// Whether two records belong to one RRset (RFC 2181 §5); signatures do by what they cover.
fn same_rrset(message: &[u8], a: &Record, b: &Record) -> bool {
    let owner = |record: &Record| NameBuf::read(message, record.owner_at);
    (a.section, a.rtype, a.class, covered(message, a)) == (b.section, b.rtype, b.class, covered(message, b))
        && matches!((owner(a), owner(b)), (Some(a), Some(b)) if a.as_wire().eq_ignore_ascii_case(b.as_wire()))
}

/// The type that an RRSIG record covers (RFC 4034 §3.1.1).
fn covered(message: &[u8], record: &Record) -> Option<u16> {
    let rdata = &message[record.rdata_at..record.rdata_at + record.rdata_bytes];
    (record.rtype == rtype::RRSIG).then(|| rdata.first_chunk().map(|bytes| u16::from_be_bytes(*bytes)))?
}

/// Whether a response says less without this record. It does without additional records, and beside an answer without the
/// name servers of its zone. All else in the authority section is a negative answer or proves something.
fn is_needed(message: &[u8], record: &Record, has_answer: bool) -> bool {
    match record.section {
        Section::Answer => true,
        Section::Authority => !has_answer || ![Some(record.rtype), covered(message, record)].contains(&Some(rtype::NS)),
        Section::Additional => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::ede::Errors;
    use crate::dns::edns::OPT_BYTES;
    use crate::dns::query::{Edns, Head};
    use crate::dns::response::{Owner, Writer};

    const QUESTION: &[u8] = b"\x07eXample\x03com\0\0\x01\0\x01";

    /// A response of 512 bytes at most, made of records (section, owner, type, bytes of RDATA): how many of each section
    /// remain, OPT left out, and TC.
    fn remains(records: &[(Section, &[u8], u16, &[u8])]) -> ([u8; 3], bool) {
        let mut out = [0; 4000];
        let edns = Some(Edns {
            payload_bytes: 512,
            version: 0,
            dnssec_ok: true,
            structured_errors: false,
            cookie: None,
        });
        let head = Head {
            edns,
            ..Head::default()
        };
        let mut writer = Writer::start(&mut out, head, QUESTION, 0);
        for (section, owner, rtype, rdata) in records {
            writer.record(*section, Owner::Name(owner), *rtype, 60, rdata);
        }
        let written = writer.finish(512, &Errors::NONE);
        assert!(written.bytes <= 512);
        assert_eq!(written.truncated, out[2] & 2 != 0);
        let message = Message::parse(&out[..written.bytes]).expect("a response");
        let found = starts(&message).map(|(_, record)| record.rtype);
        assert_eq!(
            found.last(),
            Some(rtype::OPT),
            "OPT stays, and all before it can be read"
        );
        ([out[7], out[9], out[11] - 1], written.truncated)
    }

    #[test]
    fn whole_rrsets_that_fit_stay_and_tc_is_set_only_for_what_is_needed() {
        const NAME: &[u8] = b"\x01a\x07example\x03com\0";
        const UPPER: &[u8] = b"\x01A\x07EXAMPLE\x03com\0";
        const OTHER: &[u8] = b"\x01b\x07example\x03com\0";
        let (small, large) = (&[0u8; 20][..], &[0u8; 200][..]);
        let of_ns = &[[0, 2].as_slice(), &[0; 198]].concat()[..];
        let of_soa = &[[0, 6].as_slice(), &[0; 198]].concat()[..];
        use Section::{Additional, Answer, Authority};
        let (cname, txt, ns, soa) = (rtype::CNAME, 16, rtype::NS, rtype::SOA);
        let alias = (Answer, NAME, cname, small);
        for (records, expected, why) in [
            (
                vec![
                    alias,
                    (Answer, OTHER, txt, large),
                    (Answer, OTHER, txt, large),
                    (Answer, OTHER, txt, large),
                ],
                ([1, 0, 0], true),
                "no part of an RRset stays",
            ),
            (
                vec![
                    (Answer, NAME, txt, large),
                    (Answer, OTHER, txt, large),
                    (Answer, UPPER, txt, large),
                ],
                ([2, 0, 0], true),
                "what fits stays, up to the first that does not",
            ),
            (
                vec![
                    (Answer, NAME, txt, large),
                    (Answer, UPPER, txt, large),
                    (Answer, NAME, txt, large),
                ],
                ([0, 0, 0], true),
                "an RRset whatever the case of its owner",
            ),
            (
                vec![
                    alias,
                    (Authority, NAME, ns, large),
                    (Authority, NAME, ns, large),
                    (Additional, NAME, txt, large),
                ],
                ([1, 0, 0], false),
                "name servers beside an answer may go",
            ),
            (
                vec![
                    alias,
                    (Authority, NAME, rtype::RRSIG, large),
                    (Authority, NAME, rtype::RRSIG, of_ns),
                ],
                ([1, 1, 0], false),
                "and so may their signatures",
            ),
            (
                vec![
                    alias,
                    (Authority, NAME, ns, large),
                    (Authority, NAME, rtype::RRSIG, of_soa),
                ],
                ([1, 1, 0], true),
                "other signatures prove something",
            ),
            (
                vec![
                    (Authority, NAME, soa, large),
                    (Authority, NAME, txt, large),
                    (Authority, NAME, ns, large),
                ],
                ([0, 2, 0], true),
                "a negative answer or a referral needs its authority section",
            ),
            (
                vec![
                    (Answer, NAME, txt, large),
                    (Additional, NAME, txt, small),
                    (Additional, OTHER, txt, large),
                ],
                ([1, 0, 1], false),
                "of additional records those that fit stay",
            ),
        ] {
            assert_eq!(remains(&records), expected, "{why}");
        }
    }

    #[test]
    fn a_message_that_breaks_off_is_cut_to_its_question_or_owned_up_to() {
        let mut out = [0; 600];
        let mut writer = Writer::start(&mut out, Head::default(), QUESTION, 0);
        writer.record(Section::Answer, Owner::Qname, 1, 30, &[0; 4]);
        writer.record(Section::Answer, Owner::Qname, 16, 30, &[0; 40]);
        let bytes = writer.pause();
        let question_end = 12 + QUESTION.len();
        for length in 0..bytes {
            let cut = cut(&out[..length], question_end, bytes - OPT_BYTES);
            assert!(cut.needed, "{length}");
            assert!(cut.bytes == question_end || cut.bytes <= length, "{length}");
        }
    }
}
