//! Walks the records of a response.
//!
//! In: the bytes of a response from the cache or a resolver; nothing about them is believed. Out: where each record stands,
//! names without compression, what SVCB records point to.
//! Always: ends after at most as many steps as there are bytes, allocates nothing, never panics.
//! Keeps: RFC 1035 §4.1.3 and §4.1.4 (records, compression), RFC 9460 §2.2 (SVCB RDATA).

use super::query::{HEADER_BYTES, skip_name};
use super::{name, rtype};

/// A response whose question section has been stepped over.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    bytes: &'a [u8],
    question_end: usize,
}

/// Which section a record stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Section {
    Answer,
    Authority,
    Additional,
}

/// Where a record stands and what its fixed part says. `rdata_at + rdata_bytes` is within the message.
#[derive(Debug, Clone, Copy)]
pub struct Record {
    pub section: Section,
    pub owner_at: usize,
    pub rtype: u16,
    pub class: u16,
    pub ttl: u32,
    pub rdata_at: usize,
    pub rdata_bytes: usize,
}

/// The message does not hold what its counts promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the response is broken")]
pub struct Broken;

impl<'a> Message<'a> {
    /// Takes a response with one question, whose name is not compressed; `None` for anything else.
    pub fn parse(bytes: &'a [u8]) -> Option<Message<'a>> {
        let header = bytes.first_chunk::<HEADER_BYTES>()?;
        let qname_bytes = name::wire_len(&bytes[HEADER_BYTES..])?;
        let question_end = HEADER_BYTES + qname_bytes + 4;
        let response = header[2] & 0x80 != 0;
        (response && header[4..6] == [0, 1] && question_end <= bytes.len()).then_some(Message { bytes, question_end })
    }

    /// The question section: QNAME, QTYPE, QCLASS.
    pub fn question(&self) -> &'a [u8] {
        &self.bytes[HEADER_BYTES..self.question_end]
    }

    /// RCODE of the header.
    pub fn rcode(&self) -> u8 {
        self.bytes[3] & 15
    }

    /// AA, TC.
    pub fn authoritative(&self) -> bool {
        self.bytes[2] & 4 != 0
    }

    /// How many records a section claims to have.
    pub fn count(&self, section: Section) -> u16 {
        let at = 6 + 2 * section as usize;
        u16::from_be_bytes([self.bytes[at], self.bytes[at + 1]])
    }

    /// All records, in order; the first broken one ends the walk.
    pub fn records(&self) -> Records<'a> {
        Records {
            bytes: self.bytes,
            at: self.question_end,
            left: [
                self.count(Section::Answer),
                self.count(Section::Authority),
                self.count(Section::Additional),
            ],
        }
    }
}

/// See [`Message::records`].
#[derive(Clone)]
pub struct Records<'a> {
    bytes: &'a [u8],
    at: usize,
    left: [u16; 3],
}

impl Records<'_> {
    /// Where the next record starts, or where the last one ended.
    pub fn position(&self) -> usize {
        self.at
    }

    fn step(&mut self, section: Section) -> Option<Record> {
        let owner_at = self.at;
        let fixed_at = skip_name(self.bytes, owner_at)?;
        let fixed = self.bytes.get(fixed_at..)?.first_chunk::<10>()?;
        let rdata_bytes = usize::from(u16::from_be_bytes([fixed[8], fixed[9]]));
        let rdata_at = fixed_at + 10;
        if rdata_at + rdata_bytes > self.bytes.len() {
            return None;
        }
        self.at = rdata_at + rdata_bytes;
        Some(Record {
            section,
            owner_at,
            rtype: u16::from_be_bytes([fixed[0], fixed[1]]),
            class: u16::from_be_bytes([fixed[2], fixed[3]]),
            ttl: u32::from_be_bytes([fixed[4], fixed[5], fixed[6], fixed[7]]),
            rdata_at,
            rdata_bytes,
        })
    }
}

impl Iterator for Records<'_> {
    type Item = Result<Record, Broken>;

    fn next(&mut self) -> Option<Result<Record, Broken>> {
        let sections = [Section::Answer, Section::Authority, Section::Additional];
        let section = *sections.iter().find(|&&section| self.left[section as usize] > 0)?;
        self.left[section as usize] -= 1;
        let step = self.step(section).ok_or(Broken);
        if step.is_err() {
            self.left = [0; 3];
        }
        Some(step)
    }
}

/// A name without compression, on the stack.
#[derive(Clone, Copy)]
pub struct NameBuf {
    bytes: [u8; 255],
    len: u8,
}

impl NameBuf {
    /// Reads the name at `at` of `message`, following compression pointers. Each must point before the labels it ends
    /// (RFC 1035 §4.1.4: to a prior occurrence), so none can loop. `None` for a broken name or one past 255 bytes.
    pub fn read(message: &[u8], at: usize) -> Option<NameBuf> {
        let mut name = NameBuf {
            bytes: [0; 255],
            len: 0,
        };
        let mut end = 0usize;
        let (mut at, mut before) = (at, at);
        loop {
            match *message.get(at)? {
                0 => {
                    name.len = u8::try_from(end + 1).ok()?;
                    return Some(name);
                }
                length @ 1..=63 => {
                    let label_bytes = usize::from(length) + 1;
                    let label = message.get(at..at + label_bytes)?;
                    // Room for the root label, too.
                    if end + label_bytes > 254 {
                        return None;
                    }
                    name.bytes[end..end + label_bytes].copy_from_slice(label);
                    end += label_bytes;
                    at += label_bytes;
                }
                high @ 0xc0.. => {
                    let target = usize::from(high & 0x3f) << 8 | usize::from(*message.get(at + 1)?);
                    if target >= before {
                        return None;
                    }
                    (at, before) = (target, target);
                }
                _ => return None,
            }
        }
    }

    /// Wire form, 1 to 255 bytes.
    pub fn as_wire(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

/// What an SVCB or HTTPS record points to (RFC 9460 §2.2). `hints` are the addresses of ipv4hint and ipv6hint.
pub struct Service<'a> {
    /// TargetName; the root stands for the owner itself (§2.5).
    pub target: NameBuf,
    params: &'a [u8],
}

impl<'a> Service<'a> {
    /// Reads the RDATA of `record`; `None` if it is broken.
    pub fn read(message: &'a [u8], record: &Record) -> Option<Service<'a>> {
        debug_assert!(matches!(record.rtype, rtype::SVCB | rtype::HTTPS));
        let end = record.rdata_at + record.rdata_bytes;
        let target_at = record.rdata_at + 2;
        // TargetName is not compressed (§2.2), but some server may not know.
        let target = NameBuf::read(message.get(..end)?, target_at)?;
        let params_at = skip_name(&message[..end], target_at)?;
        Some(Service {
            target,
            params: &message[params_at..end],
        })
    }

    /// The addresses in its hints; what is not whole is left out.
    pub fn hints(&self) -> impl Iterator<Item = std::net::IpAddr> + 'a {
        const IPV4HINT: u16 = 4;
        const IPV6HINT: u16 = 6;
        self.params()
            .filter_map(|(key, value)| match key {
                IPV4HINT => Some(value.chunks_exact(4)),
                IPV6HINT => Some(value.chunks_exact(16)),
                _ => None,
            })
            .flatten()
            .filter_map(address)
    }

    /// Key and value of each parameter, up to the first that is not whole.
    pub fn params(&self) -> impl Iterator<Item = (u16, &'a [u8])> + 'a {
        let mut rest = self.params;
        std::iter::from_fn(move || {
            let fixed = rest.first_chunk::<4>()?;
            let length = usize::from(u16::from_be_bytes([fixed[2], fixed[3]]));
            let value = rest.get(4..4 + length)?;
            rest = &rest[4 + length..];
            Some((u16::from_be_bytes([fixed[0], fixed[1]]), value))
        })
    }
}

/// The address that 4 or 16 bytes are.
pub fn address(bytes: &[u8]) -> Option<std::net::IpAddr> {
    match bytes.len() {
        4 => bytes.first_chunk::<4>().map(|octets| (*octets).into()),
        16 => bytes.first_chunk::<16>().map(|octets| (*octets).into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn header(answers: u8) -> Vec<u8> {
        let mut bytes = vec![0, 0, 0x81, 0x80, 0, 1, 0, answers, 0, 0, 0, 0];
        bytes.extend(b"\x03www\x07example\x03com\0\0\x01\0\x01");
        bytes
    }

    #[test]
    fn compressed_names_are_read_whole() {
        let mut bytes = header(1);
        bytes.extend(b"\xc0\x0c\0\x05\0\x01\0\0\0\x3c\0\x06\x03cdn\xc0\x10");
        let message = Message::parse(&bytes).unwrap();
        let record = message.records().next().unwrap().unwrap();
        assert_eq!((record.rtype, record.ttl), (rtype::CNAME, 60));
        let target = NameBuf::read(&bytes, record.rdata_at).unwrap();
        assert_eq!(target.as_wire(), b"\x03cdn\x07example\x03com\0");
        assert_eq!(
            NameBuf::read(&bytes, record.owner_at).unwrap().as_wire(),
            b"\x03www\x07example\x03com\0"
        );
    }

    #[test]
    fn a_pointer_to_itself_or_forward_is_no_name() {
        assert!(NameBuf::read(b"\xc0\x00", 0).is_none());
        assert!(NameBuf::read(b"\x01a\xc0\x00", 0).is_none());
        assert!(NameBuf::read(b"\x01a\xc0\x04\x01b\xc0\x00", 4).is_none());
        assert!(NameBuf::read(b"\xc0\x02\x00", 0).is_none());
        let mut long = vec![0];
        for _ in 0..6 {
            let before = long.len();
            long.push(63);
            long.extend([b'a'; 63]);
            long.extend([0xc0, if before == 1 { 0 } else { (before - 66) as u8 }]);
        }
        let last = long.len() - 66;
        assert!(NameBuf::read(&long, last).is_none(), "more than 255 bytes");
        assert!(NameBuf::read(&long, 1).is_some());
    }

    #[test]
    fn service_targets_and_hints_are_found() {
        let mut bytes = header(1);
        let rdata = b"\0\x01\x02h3\x00\0\x01\0\x03\x02h2\0\x04\0\x08\xc0\0\x02\x01\xc0\0\x02\x02\0\x06\0\x10\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01";
        bytes.extend(b"\xc0\x0c\0\x41\0\x01\0\0\0\x3c\0");
        bytes.push(rdata.len() as u8);
        bytes.extend(rdata);
        let record = Message::parse(&bytes).unwrap().records().next().unwrap().unwrap();
        let service = Service::read(&bytes, &record).unwrap();
        assert_eq!(service.target.as_wire(), b"\x02h3\0");
        let hints: Vec<String> = service.hints().map(|hint| hint.to_string()).collect();
        assert_eq!(hints, ["192.0.2.1", "192.0.2.2", "2001:db8::1"]);
    }

    proptest! {
        #[test]
        fn random_bytes_never_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            for (at, byte) in header(3).into_iter().enumerate() {
                if at < bytes.len() && at < 29 { bytes[at] = byte; }
            }
            if let Some(message) = Message::parse(&bytes) {
                for record in message.records().flatten() {
                    let _ = NameBuf::read(&bytes, record.owner_at);
                    if matches!(record.rtype, rtype::SVCB | rtype::HTTPS)
                        && let Some(service) = Service::read(&bytes, &record) {
                        let _ = service.hints().count();
                    }
                }
            }
            for at in 0..bytes.len() {
                if let Some(name) = NameBuf::read(&bytes, at) {
                    prop_assert_eq!(name::wire_len(name.as_wire()), Some(name.as_wire().len()));
                }
            }
        }
    }
}
