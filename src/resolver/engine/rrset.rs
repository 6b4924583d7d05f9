//! RRsets: the records of one name and type, with their signatures, in uncompressed wire form.
//!
//! In: records of a response. Out: what the store keeps, the walk reads, and validation checks.
//! Always: owner names are lower case; RDATA holds no compression pointer and was checked as far as its type is known.
//! Keeps: RFC 2181 §5 (RRsets; one TTL, the smallest), §8 (TTLs past 2^31 are 0), RFC 3597 §4 (which types may be compressed),
//! RFC 6672 §2.2 (what a DNAME makes of a name).

use crate::dns::answer::NameBuf;
use crate::dns::name::{self, Name};
use crate::dns::rtype;

/// The records of one name and type. Immutable once made; shared by reference count.
#[derive(Clone, PartialEq, Eq)]
pub struct RRset {
    /// In lower case.
    pub name: Name,
    pub rtype: u16,
    /// As received, the smallest of the records, not yet clamped.
    pub ttl_s: u32,
    records: Packed,
    signatures: Packed,
}

/// RDATA one after the other, each behind two bytes of length (big-endian).
#[derive(Clone, Default, PartialEq, Eq)]
struct Packed {
    bytes: Vec<u8>,
    count: u16,
}

impl Packed {
    fn push(&mut self, rdata: &[u8]) {
        self.bytes.extend_from_slice(&(rdata.len() as u16).to_be_bytes());
        self.bytes.extend_from_slice(rdata);
        self.count += 1;
    }

    fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = self.bytes.as_slice();
        std::iter::from_fn(move || {
            let (length, after) = rest.split_first_chunk::<2>()?;
            let (rdata, after) = after.split_at(usize::from(u16::from_be_bytes(*length)));
            rest = after;
            Some(rdata)
        })
    }
}

impl RRset {
    /// A set without records yet. `name` is lowered.
    pub fn new(name: &Name, rtype: u16, ttl_s: u32) -> RRset {
        RRset {
            name: name.to_lower(),
            rtype,
            ttl_s,
            records: Packed::default(),
            signatures: Packed::default(),
        }
    }

    /// A set of one record.
    pub fn of(name: &Name, rtype: u16, ttl_s: u32, rdata: &[u8]) -> RRset {
        let mut set = RRset::new(name, rtype, ttl_s);
        set.push(rdata);
        set
    }

    /// The same records and signatures under another name and TTL: what a wildcard makes, and back.
    pub fn at(&self, name: &Name, ttl_s: u32) -> RRset {
        RRset {
            name: name.to_lower(),
            ttl_s,
            ..self.clone()
        }
    }

    /// Whether the records are the same, in the same order.
    pub fn same_data(&self, other: &RRset) -> bool {
        self.records == other.records
    }

    /// Adds a record; one that is there already is left out (RFC 2181 §5). `rdata` is at most 65,535 bytes and uncompressed.
    pub fn push(&mut self, rdata: &[u8]) {
        if !self.records.iter().any(|theirs| theirs == rdata) {
            self.records.push(rdata);
        }
    }

    /// Adds the RDATA of an RRSIG that covers this set.
    pub fn sign(&mut self, rdata: &[u8]) {
        self.signatures.push(rdata);
    }

    /// RDATA of the records.
    pub fn records(&self) -> impl Iterator<Item = &[u8]> {
        self.records.iter()
    }

    /// RDATA of the RRSIG records that cover the set.
    pub fn signatures(&self) -> impl Iterator<Item = &[u8]> {
        self.signatures.iter()
    }

    pub fn len(&self) -> usize {
        usize::from(self.records.count)
    }

    pub fn is_empty(&self) -> bool {
        self.records.count == 0
    }

    pub fn is_signed(&self) -> bool {
        self.signatures.count > 0
    }

    /// Memory the set takes beside the struct itself, in bytes.
    pub fn heap_bytes(&self) -> usize {
        self.name.as_wire().len() + self.records.bytes.capacity() + self.signatures.bytes.capacity()
    }

    /// The name that a CNAME, DNAME, NS or PTR set points to with its first record.
    pub fn target(&self) -> Option<Name> {
        Name::from_wire(self.records().next()?)
    }

    /// The label count that the first signature covers (RFC 4034 §3.1.3), which is less than the owner's where a wildcard was
    /// expanded.
    pub fn signed_labels(&self) -> Option<usize> {
        self.signatures().next()?.get(3).map(|&labels| usize::from(labels))
    }

    /// For an SOA set: how long a negative answer with it may be kept (RFC 2308 §5), in seconds.
    pub fn negative_ttl_s(&self) -> u32 {
        let minimum = self
            .records()
            .next()
            .and_then(|rdata| rdata.last_chunk::<4>())
            .map_or(0, |bytes| u32::from_be_bytes(*bytes));
        self.ttl_s.min(minimum)
    }
}

impl std::fmt::Debug for RRset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} {} TYPE{} x{}",
            self.name, self.ttl_s, self.rtype, self.records.count
        )
    }
}

/// What a DNAME at `owner` makes of `name`: its end replaced by `target` (RFC 6672 §2.2). `None` if that is too long, or if `name`
/// is not below `owner`.
pub fn substitute(name: &Name, owner: &Name, target: &Name) -> Option<Name> {
    if name == owner || !name.is_within(owner) {
        return None;
    }
    let kept = name.as_wire().len() - owner.as_wire().len();
    Name::from_wire(&[&name.as_wire()[..kept], target.as_wire()].concat())
}

/// A TTL as RFC 2181 §8 reads it.
pub(super) fn ttl(raw: u32) -> u32 {
    if raw > i32::MAX as u32 { 0 } else { raw }
}

/// The RDATA at `at..at + length` of `message`, without compression, into `out`. `None` where it breaks its type's form.
///
/// The caller has checked that the range lies within the message.
pub(super) fn rdata(message: &[u8], at: usize, length: usize, rtype: u16, out: &mut Vec<u8>) -> Option<()> {
    out.clear();
    let end = at + length;
    let mut reader = Reader {
        message: &message[..end],
        at,
        out,
    };
    match rtype {
        rtype::A => reader.fixed(4)?,
        rtype::AAAA => reader.fixed(16)?,
        // NS, MD, MF, CNAME, MB, MG, MR, PTR, DNAME
        2 | 3 | 4 | 5 | 7 | 8 | 9 | 12 | 39 => reader.name()?,
        rtype::SOA => {
            reader.name()?;
            reader.name()?;
            reader.fixed(20)?;
        }
        // MINFO, RP
        14 | 17 => {
            reader.name()?;
            reader.name()?;
        }
        // MX, AFSDB, RT, KX
        15 | 18 | 21 | 36 => {
            reader.fixed(2)?;
            reader.name()?;
        }
        // PX
        26 => {
            reader.fixed(2)?;
            reader.name()?;
            reader.name()?;
        }
        rtype::SRV => {
            reader.fixed(6)?;
            reader.name()?;
        }
        // NAPTR
        35 => {
            reader.fixed(4)?;
            for _ in 0..3 {
                reader.text()?;
            }
            reader.name()?;
        }
        // SIG, RRSIG
        24 | 46 => {
            reader.fixed(18)?;
            reader.name()?;
            reader.rest();
        }
        // NXT, NSEC
        30 | 47 => {
            reader.name()?;
            reader.rest();
        }
        rtype::DS if length < 5 => return None,
        rtype::DNSKEY if length < 5 => return None,
        rtype::NSEC3 if length < 8 => return None,
        rtype::TXT if length == 0 => return None,
        _ => reader.rest(),
    }
    (reader.at == end).then_some(())
}

struct Reader<'a> {
    message: &'a [u8],
    at: usize,
    out: &'a mut Vec<u8>,
}

impl Reader<'_> {
    fn fixed(&mut self, length: usize) -> Option<()> {
        self.out.extend_from_slice(self.message.get(self.at..self.at + length)?);
        self.at += length;
        Some(())
    }

    fn text(&mut self) -> Option<()> {
        let length = usize::from(*self.message.get(self.at)?);
        self.fixed(length + 1)
    }

    fn name(&mut self) -> Option<()> {
        // Almost every name in RDATA of signed zones is uncompressed; those are copied in one piece.
        if let Some(length) = name::wire_len(&self.message[self.at..]) {
            return self.fixed(length);
        }
        let name = NameBuf::read(self.message, self.at)?;
        self.out.extend_from_slice(name.as_wire());
        self.at = crate::dns::query::skip_name(self.message, self.at)?;
        Some(())
    }

    fn rest(&mut self) {
        self.out.extend_from_slice(&self.message[self.at..]);
        self.at = self.message.len();
    }
}
