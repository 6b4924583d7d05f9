//! The frame of a gate file: header, section table, and how numbers and texts are written. `docs/gate-format.md` says it
//! byte by byte.
//!
//! In: sections. Out: the bytes of a file, and back.
//! Always: little-endian; sections begin on pages; what is read is read in bounds, or is an error.

use sha2::{Digest, Sha256};

/// The first bytes of a gate. The high bit and the line ends show a transfer that took the file for text.
pub const MAGIC: [u8; 8] = *b"\x8bGATE\r\n\x1a";
/// The first bytes of a companion file of line numbers.
pub const LINES_MAGIC: [u8; 8] = *b"\x8bLINE\r\n\x1a";
/// The version this program writes, and the newest it reads.
pub const VERSION: u32 = 1;
/// Where the digest of the file stands; these bytes count as zero when it is computed.
pub const DIGEST: std::ops::Range<usize> = 16..48;
/// Bytes of the header before the section table.
pub const HEADER_BYTES: usize = 80;
/// Bytes of one row of the section table.
const ROW_BYTES: usize = 24;
/// Sections begin at multiples of this.
pub const PAGE_BYTES: usize = 4096;
/// The most sections a file may have: a reader of version 1 knows ten, later ones may add optional ones.
const SECTIONS: usize = 64;
/// Flag of a section that a reader which does not know its kind may pass over.
pub const OPTIONAL: u32 = 1;

/// What a section holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u32)]
pub enum Section {
    /// Where the shards are and which keys each holds.
    Shards = 1,
    /// The fsts of all shards.
    Fsts = 2,
    /// Which rules each rule set holds.
    Sets = 3,
    /// What each rule is.
    Rules = 4,
    /// The different effects of rules.
    Effects = 5,
    /// The different modifiers of rules.
    Modifiers = 6,
    /// Patterns other than names and networks of answers.
    Patterns = 7,
    /// Networks of answers as the lists have them.
    Networks = 8,
    /// The same, as ranges to look addresses up in.
    Ranges = 9,
    /// Where the rules came from.
    Sources = 10,
}

impl Section {
    /// Every section of version 1, in the order they stand in the file.
    pub const ALL: [Section; 10] = [
        Section::Shards,
        Section::Fsts,
        Section::Sets,
        Section::Rules,
        Section::Effects,
        Section::Modifiers,
        Section::Patterns,
        Section::Networks,
        Section::Ranges,
        Section::Sources,
    ];
}

/// Why bytes are not a gate file. Each is the end of a sentence that begins with the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    #[error("is not a {0} file; it begins with other bytes")]
    Magic(&'static str),
    #[error(
        "has format version {found}, this program reads up to {VERSION}; compile the lists again or update stairgate"
    )]
    Newer { found: u32 },
    #[error("is cut short: {found} bytes of {expected}; compile or copy it again")]
    Truncated { expected: u64, found: u64 },
    #[error("is longer than it says: {found} bytes instead of {expected}; compile or copy it again")]
    Overlong { expected: u64, found: u64 },
    #[error("does not have the digest it claims; it was damaged or changed, compile or copy it again")]
    Digest,
    #[error("is damaged: {0}")]
    Damaged(&'static str),
}

/// The fixed part of a gate file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    pub version: u32,
    /// SHA-256 of the file with these bytes zero.
    pub digest: [u8; 32],
    /// Different names that rules were taken for, before redundant ones were dropped.
    pub names: u64,
    /// Names the fsts hold.
    pub keys: u64,
    sections: Vec<(u32, std::ops::Range<usize>)>,
}

/// What the first bytes of a file say of the whole, not yet checked.
#[derive(Debug, Clone, Copy)]
pub struct Claim {
    pub digest: [u8; 32],
    /// Bytes of the file.
    pub length: u64,
}

impl Header {
    /// What the fixed part of a header of this program's version claims; `None` if it is not one.
    pub fn claim(head: &[u8; HEADER_BYTES]) -> Option<Claim> {
        let mut reader = Reader::new(head);
        if reader.take(8)? != MAGIC || reader.u32()? != VERSION {
            return None;
        }
        reader.u32()?;
        let digest = reader.take(32)?.try_into().ok()?;
        Some(Claim {
            digest,
            length: reader.u64()?,
        })
    }

    /// Reads the header of `bytes`, a whole file: lengths and bounds are checked, the digest is not.
    pub fn read(bytes: &[u8]) -> Result<Header, FormatError> {
        let magic = &MAGIC[..bytes.len().min(MAGIC.len())];
        if !bytes.starts_with(magic) || bytes.is_empty() {
            return Err(FormatError::Magic("gate"));
        }
        let truncated = |expected: u64| FormatError::Truncated {
            expected,
            found: bytes.len() as u64,
        };
        let mut reader = Reader::new(bytes.get(8..).unwrap_or(&[]));
        let version = reader.u32().ok_or_else(|| truncated(HEADER_BYTES as u64))?;
        if version == 0 {
            return Err(FormatError::Damaged("format version 0"));
        }
        if version > VERSION {
            return Err(FormatError::Newer { found: version });
        }
        let fixed: Option<_> = (|| {
            let count = reader.u32()?;
            let digest: [u8; 32] = reader.take(32)?.try_into().ok()?;
            Some((
                count,
                digest,
                reader.u64()?,
                reader.u64()?,
                reader.u64()?,
                reader.u64()?,
            ))
        })();
        let (count, digest, length, names, keys, reserved) = fixed.ok_or_else(|| truncated(HEADER_BYTES as u64))?;
        match (bytes.len() as u64).cmp(&length) {
            std::cmp::Ordering::Less => return Err(truncated(length)),
            std::cmp::Ordering::Greater => {
                return Err(FormatError::Overlong {
                    expected: length,
                    found: bytes.len() as u64,
                });
            }
            std::cmp::Ordering::Equal => {}
        }
        if count as usize > SECTIONS || reserved != 0 {
            return Err(FormatError::Damaged("the header holds impossible numbers"));
        }
        let mut sections = Vec::new();
        let mut end = HEADER_BYTES + count as usize * ROW_BYTES;
        for _ in 0..count {
            let row = (|| Some((reader.u32()?, reader.u32()?, reader.u64()?, reader.u64()?)))();
            let (kind, flags, start, length) = row.ok_or(FormatError::Damaged("the section table is cut short"))?;
            let known = Section::ALL.iter().any(|&section| section as u32 == kind);
            if !known && flags & OPTIONAL == 0 {
                return Err(FormatError::Damaged("it holds a section this program does not know"));
            }
            let range = usize::try_from(start).ok().zip(usize::try_from(length).ok());
            let range = range.and_then(|(start, length)| Some(start..start.checked_add(length)?));
            let range = range
                .filter(|range| range.start % PAGE_BYTES == 0 && range.start >= end && range.end <= bytes.len())
                .ok_or(FormatError::Damaged("a section lies outside its place"))?;
            if sections.iter().any(|&(other, _)| other == kind) {
                return Err(FormatError::Damaged("a section stands twice"));
            }
            end = range.end;
            sections.push((kind, range));
        }
        let header = Header {
            version,
            digest,
            names,
            keys,
            sections,
        };
        for section in Section::ALL {
            if header.find(section).is_none() {
                return Err(FormatError::Damaged("a section is missing"));
            }
        }
        Ok(header)
    }

    fn find(&self, section: Section) -> Option<std::ops::Range<usize>> {
        let row = self.sections.iter().find(|(kind, _)| *kind == section as u32)?;
        Some(row.1.clone())
    }

    /// Where a section lies in the file; every section of version 1 is there, [`Header::read`] has seen to it.
    pub fn section(&self, section: Section) -> std::ops::Range<usize> {
        self.find(section).unwrap_or(0..0)
    }
}

/// Puts a gate file together. `sections` come in the order of [`Section::ALL`].
pub fn assemble(names: u64, keys: u64, sections: &[(Section, Vec<&[u8]>)]) -> Vec<u8> {
    let page = |at: usize| at.next_multiple_of(PAGE_BYTES);
    let lengths: Vec<usize> = sections
        .iter()
        .map(|(_, parts)| parts.iter().map(|part| part.len()).sum())
        .collect();
    let mut total = HEADER_BYTES + sections.len() * ROW_BYTES;
    for length in &lengths {
        total = page(total) + length;
    }
    let mut out = Vec::with_capacity(total);
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&VERSION.to_le_bytes());
    out.extend_from_slice(&(sections.len() as u32).to_le_bytes());
    out.extend_from_slice(&[0; 32]);
    for number in [total as u64, names, keys, 0] {
        out.extend_from_slice(&number.to_le_bytes());
    }
    let mut at = HEADER_BYTES + sections.len() * ROW_BYTES;
    for ((section, _), length) in sections.iter().zip(&lengths) {
        at = page(at);
        out.extend_from_slice(&(*section as u32).to_le_bytes());
        out.extend_from_slice(&0u32.to_le_bytes());
        out.extend_from_slice(&(at as u64).to_le_bytes());
        out.extend_from_slice(&(*length as u64).to_le_bytes());
        at += length;
    }
    for (_, parts) in sections {
        out.resize(page(out.len()), 0);
        for part in parts {
            out.extend_from_slice(part);
        }
    }
    let digest = digest(&out);
    out[DIGEST].copy_from_slice(&digest);
    out
}

/// The digest of a file: SHA-256 with the digest's own bytes taken as zero.
pub fn digest(bytes: &[u8]) -> [u8; 32] {
    let mut hash = Sha256::new();
    let (head, rest) = bytes.split_at(DIGEST.start.min(bytes.len()));
    hash.update(head);
    hash.update([0; 32]);
    hash.update(rest.get(32..).unwrap_or(&[]));
    hash.finalize().into()
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            // Writing to a string cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
}

/// Reads numbers and texts from bytes; past the end everything is `None`.
#[derive(Clone)]
pub struct Reader<'b> {
    rest: &'b [u8],
}

impl<'b> Reader<'b> {
    pub fn new(bytes: &'b [u8]) -> Reader<'b> {
        Reader { rest: bytes }
    }

    pub fn take(&mut self, count: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(taken)
    }

    pub fn u8(&mut self) -> Option<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    pub fn u16(&mut self) -> Option<u16> {
        Some(u16::from_le_bytes(self.take(2)?.try_into().ok()?))
    }

    pub fn u32(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }

    pub fn u64(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(self.take(8)?.try_into().ok()?))
    }

    /// Bytes with their count in four bytes before them.
    pub fn blob(&mut self) -> Option<&'b [u8]> {
        let count = self.u32()?;
        self.take(count as usize)
    }

    /// A blob of UTF-8.
    pub fn text(&mut self) -> Option<&'b str> {
        std::str::from_utf8(self.blob()?).ok()
    }

    /// A count of things that take at least `each` bytes, which bounds what a lie can make the reader reserve.
    pub fn count(&mut self, each: usize) -> Option<usize> {
        let count = self.u32()? as usize;
        (count.checked_mul(each)? <= self.rest.len()).then_some(count)
    }

    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub fn rest(&self) -> &'b [u8] {
        self.rest
    }
}

/// Writes what [`Reader`] reads.
pub trait Write {
    fn put(&mut self, bytes: &[u8]);

    fn put_u16(&mut self, number: u16) {
        self.put(&number.to_le_bytes());
    }

    fn put_u32(&mut self, number: u32) {
        self.put(&number.to_le_bytes());
    }

    fn put_u64(&mut self, number: u64) {
        self.put(&number.to_le_bytes());
    }

    fn put_blob(&mut self, bytes: &[u8]) {
        // Longest are list names, rejects and record data, all bounded far below 4 GiB by the parsers' limits.
        self.put_u32(bytes.len() as u32);
        self.put(bytes);
    }
}

impl Write for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Vec<u8> {
        let sections: Vec<_> = Section::ALL
            .iter()
            .map(|&section| (section, vec![&b"abc"[..]]))
            .collect();
        assemble(5, 4, &sections)
    }

    #[test]
    fn sections_begin_on_pages_and_come_back_as_written() {
        let bytes = sample();
        let header = Header::read(&bytes).unwrap();
        assert_eq!((header.names, header.keys, header.version), (5, 4, VERSION));
        assert_eq!(header.digest, digest(&bytes));
        for section in Section::ALL {
            let range = header.section(section);
            assert_eq!(range.start % PAGE_BYTES, 0);
            assert_eq!(&bytes[range], b"abc");
        }
    }

    #[test]
    fn a_newer_version_is_told_apart_from_damage() {
        let mut bytes = sample();
        bytes[8] = 2;
        let error = Header::read(&bytes).unwrap_err();
        assert_eq!(error, FormatError::Newer { found: 2 });
        assert!(error.to_string().contains("format version 2"), "{error}");
    }

    #[test]
    fn every_truncation_is_an_error() {
        let bytes = sample();
        for length in 0..bytes.len() {
            assert!(Header::read(&bytes[..length]).is_err(), "{length} bytes");
        }
        assert!(matches!(Header::read(b"# a list"), Err(FormatError::Magic(_))));
    }

    #[test]
    fn an_unknown_section_is_passed_over_only_if_it_says_it_may_be() {
        let bytes = sample();
        let kind_at = HEADER_BYTES + 9 * ROW_BYTES;
        let mut unknown = bytes.clone();
        unknown[kind_at] = 77;
        assert_eq!(
            Header::read(&unknown).unwrap_err(),
            FormatError::Damaged("it holds a section this program does not know")
        );
        unknown[kind_at + 4] = OPTIONAL as u8;
        assert_eq!(
            Header::read(&unknown).unwrap_err(),
            FormatError::Damaged("a section is missing")
        );
    }
}
