//! A borrowed view of a query: what its header, its question and its OPT record say, checked.
//!
//! In: the bytes of one message as they came, at most 65,535. Out: a [`Query`] that borrows them, or a [`Fault`] that says
//! which response they deserve, or that they deserve none.
//! Always: reads each byte at most once, allocates nothing, never panics. Fails closed: what is not plainly a query is a fault.
//! Keeps: RFC 1035 §4.1, RFC 6891 §6.1 and §7 (OPT), RFC 9619 (one question), RFC 3225 (DO), RFC 6840 §5.7 (AD in queries),
//! RFC 7873 §5.2 and §5.4 (where a cookie stands); draft-ietf-dnsop-structured-dns-error up to -19 §5.1 (who reads structured errors).

use super::cookie::{self, Cookie};
use super::{ede, name, rcode, rtype};

/// Length of a message header (RFC 1035 §4.1.1).
pub const HEADER_BYTES: usize = 12;

const QR: u16 = 0x8000;
const TC: u16 = 0x0200;
const RD: u16 = 0x0100;
const AD: u16 = 0x0020;
const CD: u16 = 0x0010;

/// What a response must take over from the query's header and OPT record. Small, so that it can outlive the query's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Head {
    pub id: u16,
    /// 0 to 15; 0 is QUERY.
    pub opcode: u8,
    pub recursion_desired: bool,
    pub checking_disabled: bool,
    /// The client understands AD (RFC 6840 §5.7).
    pub authentic_data: bool,
    /// What the OPT record says; `None` when there is none.
    pub edns: Option<Edns>,
}

impl Head {
    /// DO of the OPT record (RFC 3225).
    pub fn dnssec_ok(&self) -> bool {
        self.edns.is_some_and(|edns| edns.dnssec_ok)
    }
}

/// An OPT record (RFC 6891 §6.1.2, §6.1.3), its options left out: none of them changes the records of an answer. A cookie gets one of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edns {
    /// The largest response in bytes that the client takes over UDP, as sent; values below 512 mean 512 (§6.2.3).
    pub payload_bytes: u16,
    pub version: u8,
    pub dnssec_ok: bool,
    /// The client reads the texts of Extended DNS Errors as [`structured`](super::structured) ones: it sent an error of its own that says
    /// nothing (INFO-CODE 0, no text).
    pub structured_errors: bool,
    /// The cookie of the response, once that of the query was judged; no query is read with one.
    pub cookie: Option<Cookie>,
}

/// One well-formed query: opcode QUERY, one question, at most one OPT record of version 0.
#[derive(Debug, Clone, Copy)]
pub struct Query<'a> {
    pub head: Head,
    /// The question section as sent: QNAME without compression, two bytes QTYPE, two bytes QCLASS. 5 to 259 bytes.
    pub question: &'a [u8],
    pub qtype: u16,
    pub qclass: u16,
    /// The data of its first COOKIE option, of any length (RFC 7873 §5.2: further ones do not count).
    pub cookie: Option<&'a [u8]>,
}

impl<'a> Query<'a> {
    /// QNAME in wire form as sent, 1 to 255 bytes.
    pub fn qname(&self) -> &'a [u8] {
        &self.question[..self.question.len() - 4]
    }
}

/// Why bytes are not a query that can be answered.
#[derive(Debug, Clone, Copy)]
pub enum Fault<'a> {
    /// Shorter than a header: there is no ID to answer to.
    Short,
    /// A response. Answering one would let two servers talk to each other for ever.
    Response,
    /// Owed this RCODE.
    Owed {
        head: Head,
        /// The question to echo; empty where none could be read.
        question: &'a [u8],
        /// FORMERR, NOTIMP or BADVERS.
        rcode: u16,
        /// As of a [`Query`], as far as it could be read.
        cookie: Option<&'a [u8]>,
    },
    /// A query that asks for nothing but a cookie (RFC 7873 §5.4). A format error to whoever has no cookies.
    NoQuestion { head: Head, cookie: &'a [u8] },
}

impl<'a> Query<'a> {
    /// Reads a query.
    pub fn parse(bytes: &'a [u8]) -> Result<Query<'a>, Fault<'a>> {
        let Some(header) = bytes.first_chunk::<HEADER_BYTES>() else {
            return Err(Fault::Short);
        };
        let word = |at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
        let flags = word(2);
        if flags & QR != 0 {
            return Err(Fault::Response);
        }
        let mut head = Head {
            id: word(0),
            opcode: (flags >> 11) as u8 & 15,
            recursion_desired: flags & RD != 0,
            checking_disabled: flags & CD != 0,
            authentic_data: flags & AD != 0,
            edns: None,
        };
        let (questions, answers, authorities, additionals) = (word(4), word(6), word(8), word(10));

        // RFC 9619 §4: more than one question is a format error, whatever follows; without one there is nothing to answer.
        let question = match questions {
            1 => question(bytes).unwrap_or_default(),
            _ => &[],
        };
        let mut cookie = None;
        if head.opcode != 0 || question.is_empty() {
            let opt = readable_opt(bytes, [questions, answers, authorities, additionals]);
            (head.edns, cookie) = opt.map_or((None, None), |opt| (Some(opt.edns), opt.cookie));
            let lone = flags & TC == 0 && [questions, answers, authorities] == [0; 3];
            if let (
                true,
                0,
                Some(Opt {
                    end,
                    cookie: Some(cookie),
                    ..
                }),
            ) = (lone, head.opcode, opt)
                && end == bytes.len()
            {
                return Err(Fault::NoQuestion { head, cookie });
            }
        }
        if head.opcode != 0 {
            return Err(Fault::Owed {
                head,
                question,
                rcode: rcode::NOTIMP,
                cookie,
            });
        }
        let formerr = |head, cookie| Fault::Owed {
            head,
            question,
            rcode: rcode::FORMERR,
            cookie,
        };
        if question.is_empty() {
            return Err(formerr(head, cookie));
        }
        let (qtype, qclass) = type_and_class(question);

        // A query has no answers, and authority only to say from which version on an IXFR is wanted (RFC 1995 §3).
        // A truncated query is not a whole one.
        let mut broken = flags & TC != 0 || answers != 0 || (authorities != 0 && qtype != rtype::IXFR);
        let mut rest = Rest {
            bytes,
            at: HEADER_BYTES + question.len(),
        };
        if !broken {
            for _ in 0..authorities {
                broken |= rest.record().is_none();
                if broken {
                    break;
                }
            }
        }
        if !broken {
            for _ in 0..additionals {
                let Some(record) = rest.record() else {
                    broken = true;
                    break;
                };
                if record.rtype != rtype::OPT {
                    // Others (a TSIG, say) are not understood here and left alone.
                    continue;
                }
                // RFC 6891 §6.1.1 and §6.1.2: one OPT at most, owned by the root.
                if head.edns.is_some() || !record.owned_by_root {
                    broken = true;
                    break;
                }
                let mut edns = record.edns();
                // What the options of another version look like is not known.
                if edns.version == 0 {
                    match Options::read(record.rdata) {
                        Some(options) => {
                            cookie = options.cookie;
                            edns.structured_errors = options.structured_errors;
                        }
                        None => broken = true,
                    }
                }
                head.edns = Some(edns);
                if broken {
                    break;
                }
            }
        }
        if broken || rest.at != bytes.len() {
            return Err(formerr(head, cookie));
        }
        // RFC 6891 §6.1.3.
        if head.edns.is_some_and(|edns| edns.version != 0) {
            return Err(Fault::Owed {
                head,
                question,
                rcode: rcode::BADVERS,
                cookie,
            });
        }
        Ok(Query {
            head,
            question,
            qtype,
            qclass,
            cookie,
        })
    }
}

/// The only OPT record of a message.
#[derive(Clone, Copy)]
struct Opt<'a> {
    edns: Edns,
    cookie: Option<&'a [u8]>,
    /// Where the last record ends.
    end: usize,
}

/// What the OPT record of a message says that is answered for what stands in front of it (RFC 6891 §7: a response to a query with
/// an OPT has one). `None` where the sections cannot be walked up to the end, or there is not exactly one.
fn readable_opt(bytes: &[u8], [questions, answers, authorities, additionals]: [u16; 4]) -> Option<Opt<'_>> {
    let mut rest = Rest {
        bytes,
        at: HEADER_BYTES,
    };
    for _ in 0..questions {
        rest.at = skip_name(bytes, rest.at)? + 4;
    }
    for _ in 0..u32::from(answers) + u32::from(authorities) {
        rest.record()?;
    }
    let mut opt = None;
    for _ in 0..additionals {
        let record = rest.record()?;
        if record.rtype == rtype::OPT {
            if opt.is_some() || !record.owned_by_root {
                return None;
            }
            opt = Some(record);
        }
    }
    let (opt, end) = (opt?, rest.at);
    let edns = opt.edns();
    let options = Options::read(opt.rdata).filter(|_| edns.version == 0);
    let cookie = options.and_then(|options| options.cookie);
    Some(Opt { edns, cookie, end })
}

/// The first question, or `None` if it is not whole or its name is compressed (there is nothing before it to point to).
fn question(bytes: &[u8]) -> Option<&[u8]> {
    let section = bytes.get(HEADER_BYTES..)?;
    section.get(..name::wire_len(section)? + 4)
}

fn type_and_class(question: &[u8]) -> (u16, u16) {
    match question {
        [_, .., a, b, c, d] => (u16::from_be_bytes([*a, *b]), u16::from_be_bytes([*c, *d])),
        _ => (0, 0),
    }
}

/// What follows the question.
struct Rest<'a> {
    bytes: &'a [u8],
    at: usize,
}

struct Additional<'a> {
    owned_by_root: bool,
    rtype: u16,
    class: u16,
    ttl: [u8; 4],
    rdata: &'a [u8],
}

impl Additional<'_> {
    /// What an OPT record says (RFC 6891 §6.1.2, §6.1.3).
    fn edns(&self) -> Edns {
        let [_, version, dnssec, _] = self.ttl;
        Edns {
            payload_bytes: self.class,
            version,
            dnssec_ok: dnssec & 0x80 != 0,
            structured_errors: false,
            cookie: None,
        }
    }
}

impl<'a> Rest<'a> {
    /// Steps over one record; `None` if it is not whole.
    fn record(&mut self) -> Option<Additional<'a>> {
        let start = self.at;
        let after_name = skip_name(self.bytes, start)?;
        let fixed = self.bytes.get(after_name..)?.first_chunk::<10>()?;
        let length = usize::from(u16::from_be_bytes([fixed[8], fixed[9]]));
        let rdata = self.bytes.get(after_name + 10..)?.get(..length)?;
        self.at = after_name + 10 + length;
        Some(Additional {
            owned_by_root: after_name == start + 1,
            rtype: u16::from_be_bytes([fixed[0], fixed[1]]),
            class: u16::from_be_bytes([fixed[2], fixed[3]]),
            ttl: [fixed[4], fixed[5], fixed[6], fixed[7]],
            rdata,
        })
    }
}

/// Where the name that starts at `at` ends in place: after its root label or its pointer, which is not followed.
pub(crate) fn skip_name(message: &[u8], start: usize) -> Option<usize> {
    let mut at = start;
    loop {
        match *message.get(at)? {
            0 => return (at - start < 255).then_some(at + 1),
            length @ 1..=63 => at += usize::from(length) + 1,
            0xc0.. => return (at + 1 < message.len()).then_some(at + 2),
            _ => return None,
        }
        if at - start >= 255 {
            return None;
        }
    }
}

/// What options of a query are of account.
#[derive(Clone, Copy, Default)]
struct Options<'a> {
    /// The data of the first COOKIE option.
    cookie: Option<&'a [u8]>,
    structured_errors: bool,
}

impl<'a> Options<'a> {
    /// Reads OPT RDATA; `None` if it is not a run of whole options (RFC 6891 §6.1.2).
    fn read(mut rdata: &'a [u8]) -> Option<Options<'a>> {
        let mut options = Options::default();
        while let Some((fixed, rest)) = rdata.split_first_chunk::<4>() {
            let code = u16::from_be_bytes([fixed[0], fixed[1]]);
            let length = usize::from(u16::from_be_bytes([fixed[2], fixed[3]]));
            let (data, behind) = rest.split_at_checked(length)?;
            match code {
                cookie::OPTION if options.cookie.is_none() => options.cookie = Some(data),
                // OPTION-LENGTH 2, INFO-CODE 0 and no text. Later drafts have an option of its own for it, which has no number yet.
                ede::OPTION => options.structured_errors |= data == [0, 0],
                _ => {}
            }
            rdata = behind;
        }
        rdata.is_empty().then_some(options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(name: &str) -> Vec<u8> {
        let mut bytes = vec![0x12, 0x34, 0x01, 0x00, 0, 1, 0, 0, 0, 0, 0, 0];
        bytes.extend(name::Name::parse(name).unwrap().as_wire());
        bytes.extend([0, 1, 0, 1]);
        bytes
    }

    fn with_opt(name: &str, opt: &[u8]) -> Vec<u8> {
        let mut bytes = plain(name);
        bytes[11] += 1;
        bytes.extend(opt);
        bytes
    }

    fn owed(bytes: &[u8]) -> u16 {
        match Query::parse(bytes) {
            Err(Fault::Owed { rcode, .. }) => rcode,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_query_is_read_as_sent() {
        let bytes = with_opt("wWw.Example.com", &[0, 0, 41, 0x04, 0xd0, 0, 0, 0x80, 0, 0, 0]);
        let query = Query::parse(&bytes).unwrap();
        assert_eq!(query.head.id, 0x1234);
        assert!(query.head.recursion_desired && query.head.dnssec_ok());
        assert_eq!(query.qname(), b"\x03wWw\x07Example\x03com\0");
        assert_eq!((query.qtype, query.qclass), (1, 1));
        assert_eq!(
            query.head.edns,
            Some(Edns {
                payload_bytes: 1232,
                version: 0,
                dnssec_ok: true,
                structured_errors: false,
                cookie: None,
            })
        );
    }

    #[test]
    fn every_truncation_of_a_query_is_short_or_a_format_error() {
        let bytes = with_opt(
            "www.example.com",
            &[0, 0, 41, 4, 0xd0, 0, 0, 0, 0, 0, 6, 0, 10, 0, 2, 1, 2],
        );
        assert!(Query::parse(&bytes).is_ok());
        for length in 0..bytes.len() {
            match Query::parse(&bytes[..length]) {
                Err(Fault::Short) => assert!(length < HEADER_BYTES),
                Err(Fault::Owed {
                    rcode: rcode::FORMERR, ..
                }) => {}
                other => panic!("{length} bytes: {other:?}"),
            }
        }
    }

    #[test]
    fn responses_are_owed_nothing_and_other_opcodes_notimp() {
        let mut bytes = plain("example.com");
        bytes[2] |= 0x80;
        assert!(matches!(Query::parse(&bytes), Err(Fault::Response)));
        for opcode in 1..16 {
            bytes[2] = opcode << 3;
            assert_eq!(owed(&bytes), rcode::NOTIMP, "opcode {opcode}");
        }
    }

    #[test]
    fn what_is_owed_for_another_opcode_or_no_question_goes_with_the_opt_that_came() {
        let edns = |bytes: &[u8]| match Query::parse(bytes) {
            Err(Fault::Owed { head, rcode, .. }) => (rcode, head.edns.map(|edns| edns.payload_bytes)),
            other => panic!("{other:?}"),
        };
        let opt: &[u8] = &[0, 0, 41, 0x04, 0xd0, 0, 0, 0x80, 0, 0, 0];
        let mut notify = with_opt("example.com", opt);
        notify[2] = 4 << 3;
        assert_eq!(edns(&notify), (rcode::NOTIMP, Some(1232)));
        let mut none = [&plain("example.com")[..HEADER_BYTES], opt].concat();
        (none[5], none[11]) = (0, 1);
        assert_eq!(edns(&none), (rcode::FORMERR, Some(1232)));
        let mut two = with_opt("example.com", opt);
        let question = two[HEADER_BYTES..two.len() - opt.len()].to_vec();
        two.splice(HEADER_BYTES..HEADER_BYTES, question);
        two[5] = 2;
        assert_eq!(edns(&two), (rcode::FORMERR, Some(1232)));
        for length in HEADER_BYTES..none.len() {
            assert_eq!(edns(&none[..length]), (rcode::FORMERR, None), "{length} bytes");
        }
        let twice = [&none[..], opt].concat();
        assert_eq!(edns(&twice).1, Some(1232), "what is behind the counts is nothing");
        none.extend(opt);
        none[11] = 2;
        assert_eq!(edns(&none), (rcode::FORMERR, None), "two are none");
    }

    #[test]
    fn counts_that_lie_are_format_errors() {
        for (at, value) in [(5, 0), (5, 2), (4, 1), (7, 1), (9, 1), (11, 1), (10, 255)] {
            let mut bytes = plain("example.com");
            bytes[at] = value;
            assert_eq!(owed(&bytes), rcode::FORMERR, "byte {at} is {value}");
        }
        let mut bytes = plain("example.com");
        bytes.push(0);
        assert_eq!(owed(&bytes), rcode::FORMERR, "a trailing byte");
    }

    #[test]
    fn a_question_name_may_not_be_compressed_or_too_long() {
        for name in [&b"\xc0\x0c"[..], b"\x01a\xc0\x0c", b"\xc0\x04", b"\x41aaaa", b"\x80a"] {
            let mut bytes = vec![0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
            bytes.extend(name);
            bytes.extend([0, 1, 0, 1]);
            assert_eq!(owed(&bytes), rcode::FORMERR, "{name:02x?}");
        }
        let longest = [vec!["a".repeat(61); 4].join(".").as_str(), "aaaa"].join(".");
        assert_eq!(name::Name::parse(&longest).unwrap().as_wire().len(), 254);
        assert!(
            Query::parse(&plain(&format!("{longest}a"))).is_ok(),
            "255 bytes are a name"
        );
        let mut bytes = vec![0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        for _ in 0..128 {
            bytes.extend([1, b'a']);
        }
        bytes.extend([0, 0, 1, 0, 1]);
        assert_eq!(owed(&bytes), rcode::FORMERR, "257 bytes are not");
    }

    #[test]
    fn opt_records_that_break_rfc_6891_are_format_errors() {
        let opt: &[u8] = &[0, 0, 41, 4, 0xd0, 0, 0, 0, 0, 0, 0];
        let mut twice = with_opt("example.com", &[opt, opt].concat());
        twice[11] = 2;
        assert_eq!(owed(&twice), rcode::FORMERR);
        let owner = with_opt("example.com", &[&[1, b'x'][..], opt].concat());
        assert_eq!(owed(&owner), rcode::FORMERR);
        let pointer = with_opt("example.com", &[&[0xc0, 0x18][..], &opt[1..]].concat());
        assert_eq!(owed(&pointer), rcode::FORMERR);
        let option = with_opt("example.com", &[0, 0, 41, 4, 0xd0, 0, 0, 0, 0, 0, 5, 0, 10, 0, 2, 1]);
        assert_eq!(owed(&option), rcode::FORMERR);
        let version = with_opt("example.com", &[0, 0, 41, 4, 0xd0, 0, 1, 0, 0, 0, 0]);
        assert_eq!(owed(&version), rcode::BADVERS);
    }

    /// OPT RDATA with these options, code and data.
    fn opt_with(options: &[(u8, &[u8])]) -> Vec<u8> {
        let rdata: Vec<u8> = options
            .iter()
            .flat_map(|(code, data)| [&[0, *code, 0, data.len() as u8], *data].concat())
            .collect();
        [&[0, 0, 41, 4, 0xd0, 0, 0, 0, 0, 0, rdata.len() as u8], &rdata[..]].concat()
    }

    #[test]
    fn the_first_cookie_of_an_opt_record_counts_wherever_it_stands_and_of_whatever_length() {
        for (options, expected) in [
            (&[][..], None),
            (&[(3, &b"x"[..]), (10, b"12345678"), (12, b"")], Some(&b"12345678"[..])),
            (&[(10, b""), (10, b"12345678")], Some(b"")),
            (&[(10, b"abcdefgh"), (10, b"1")], Some(b"abcdefgh")),
            (&[(11, b"12345678")], None),
        ] {
            let opt = opt_with(options);
            let bytes = with_opt("example.com", &opt);
            assert_eq!(Query::parse(&bytes).unwrap().cookie, expected);
            // Of another version nothing is known but the version.
            let mut version = bytes.clone();
            let at = version.len() - opt.len() + 6;
            version[at] = 1;
            assert!(matches!(Query::parse(&version), Err(Fault::Owed { cookie: None, .. })));
            let mut notify = bytes.clone();
            notify[2] = 4 << 3;
            match Query::parse(&notify) {
                Err(Fault::Owed {
                    cookie,
                    rcode: rcode::NOTIMP,
                    ..
                }) => assert_eq!(cookie, expected),
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn no_question_is_a_format_error_unless_there_is_a_cookie_and_nothing_else() {
        let lone = |options: &[(u8, &[u8])]| {
            let mut bytes = [&plain("x.example")[..HEADER_BYTES], &opt_with(options)].concat();
            (bytes[5], bytes[11]) = (0, 1);
            bytes
        };
        let cookie: &[u8] = b"12345678";
        let asks = lone(&[(10, cookie)]);
        match Query::parse(&asks) {
            Err(Fault::NoQuestion { head, cookie: found }) => {
                assert_eq!((head.id, found, head.edns.is_some()), (0x1234, cookie, true));
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(owed(&lone(&[])), rcode::FORMERR);
        for (at, value) in [(2, 3), (7, 1), (9, 1), (5, 1), (5, 2), (11, 2), (18, 1)] {
            let mut bytes = asks.clone();
            bytes[at] = value;
            assert_eq!(owed(&bytes), rcode::FORMERR, "byte {at} is {value}");
        }
        assert_eq!(owed(&[&asks[..], &[0]].concat()), rcode::FORMERR, "a trailing byte");
    }
}
