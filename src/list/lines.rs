//! The companion of a gate, `NAME.gate.lines`: on which line of its list each rule stands. `serve` does not map it;
//! `explain` and `dump` read it when it is there.
//!
//! In: line numbers in key order. Out: a file bound to its gate by digest, and line numbers back.
//! Always: a file that is not the companion of the gate at hand is an error; no panic on any bytes.
//! Shape: one bit stream a shard. Each key, in order, has one number for each rule of its set, as wide as the largest line
//! number of the rule's source. A checkpoint every [`CHECKPOINT_KEYS`] keys says where in the stream that key begins.

use crate::list::format::{self, FormatError, LINES_MAGIC, Reader, VERSION, Write};
use crate::list::set::{Gate, RuleId, RuleSetId};

/// Keys from one checkpoint to the next: at most this many are streamed to find one, some tens of microseconds.
pub const CHECKPOINT_KEYS: usize = 1024;

/// Bytes before the shards: magic, version, count of shards, digest, digest of the gate, counts of sources,
/// patterns and networks.
const HEADER_BYTES: usize = 8 + 4 + 4 + 32 + 32 + 4 + 4 + 4;

/// How many bits line numbers up to this one take, 1 to 32.
pub fn width(line: u32) -> u8 {
    (u32::BITS - line.leading_zeros()).max(1) as u8
}

/// Line numbers of one shard.
#[derive(Debug, Default)]
pub struct ShardLines {
    /// For key 0, [`CHECKPOINT_KEYS`], ...: where its numbers begin, in bits.
    pub checkpoints: Vec<u64>,
    pub stream: Vec<u8>,
}

/// Writes numbers of any width up to 32 bits, lowest bit first.
#[derive(Debug, Default)]
pub struct BitWriter {
    out: Vec<u8>,
    pending: u64,
    pending_bits: u32,
}

impl BitWriter {
    /// Writes the low `width` bits of a number (at most 32).
    pub fn put(&mut self, number: u32, width: u32) {
        debug_assert!(
            width == 32 || number >> width == 0,
            "{number} does not fit {width} bits"
        );
        let number = u64::from(number) & ((1 << width) - 1);
        self.pending |= number << self.pending_bits;
        self.pending_bits += width;
        if self.pending_bits >= 32 {
            self.out.extend_from_slice(&(self.pending as u32).to_le_bytes());
            self.pending >>= 32;
            self.pending_bits -= 32;
        }
    }

    /// How many bits were written.
    pub fn bit_count(&self) -> u64 {
        self.out.len() as u64 * 8 + u64::from(self.pending_bits)
    }

    /// The bytes, the last filled up with zeros.
    pub fn finish(mut self) -> Vec<u8> {
        let rest = self.pending_bits.div_ceil(8) as usize;
        self.out.extend_from_slice(&self.pending.to_le_bytes()[..rest]);
        self.out.shrink_to_fit();
        self.out
    }
}

/// The number of `width` bits at a bit offset; `None` past the end.
fn bits(stream: &[u8], offset: u64, width: u32) -> Option<u32> {
    let first = usize::try_from(offset / 8).ok()?;
    let last = usize::try_from((offset + u64::from(width)).div_ceil(8)).ok()?;
    let bytes = stream.get(first..last)?;
    let number = bytes.iter().rev().fold(0u64, |sum, &byte| sum << 8 | u64::from(byte));
    Some((number >> (offset % 8)) as u32 & (u64::MAX >> (64 - width)) as u32)
}

/// Puts a companion file together. Each source comes with the width of its line numbers; each shard comes with the keys of its checkpoints; `patterns` and `networks` have one
/// line number for each row of the gate's tables.
pub fn assemble(
    gate_digest: [u8; 32],
    widths: &[u8],
    shards: &[(&ShardLines, Vec<&[u8]>)],
    patterns: &[u32],
    networks: &[u32],
) -> Vec<u8> {
    let mut out = Vec::new();
    out.put(&LINES_MAGIC);
    out.put_u32(VERSION);
    out.put_u32(shards.len() as u32);
    out.put(&[0; 32]);
    out.put(&gate_digest);
    out.put_u32(widths.len() as u32);
    out.put_u32(patterns.len() as u32);
    out.put_u32(networks.len() as u32);
    out.put(widths);
    for (lines, keys) in shards {
        assert_eq!(lines.checkpoints.len(), keys.len(), "each checkpoint has a key");
        out.put_u32(keys.len() as u32);
        for (offset, key) in lines.checkpoints.iter().zip(keys) {
            out.put_u64(*offset);
            out.put_blob(key);
        }
        out.put_u64(lines.stream.len() as u64);
        out.put(&lines.stream);
    }
    for line in patterns.iter().chain(networks) {
        out.put_u32(*line);
    }
    let digest = format::digest(&out);
    out[format::DIGEST].copy_from_slice(&digest);
    out
}

/// A companion file, checked and open.
pub struct Lines {
    bytes: Vec<u8>,
    shards: Vec<Shard>,
    /// Where the numbers of patterns begin, and how many there are; those of networks follow.
    patterns: std::ops::Range<usize>,
    networks: std::ops::Range<usize>,
    /// For each rule of the gate, the width of its line numbers.
    widths: Vec<u32>,
}

struct Shard {
    /// Where the checkpoint's key begins in the stream, in bits, and the key.
    checkpoints: Vec<(u64, Box<[u8]>)>,
    stream: std::ops::Range<usize>,
}

/// The line numbers of a shard's keys, one after another.
pub struct Cursor<'l> {
    stream: &'l [u8],
    widths: &'l [u32],
    offset: u64,
}

impl Lines {
    /// Takes the bytes of a companion file. They are checked whole; that takes some hundredths of a second.
    pub fn open(bytes: Vec<u8>, gate: &Gate) -> Result<Lines, FormatError> {
        let damaged = FormatError::Damaged("its tables do not fit the gate");
        if bytes.len() < 8 || bytes[..8] != LINES_MAGIC {
            return Err(FormatError::Magic("gate line"));
        }
        let mut reader = Reader::new(&bytes[8..]);
        let fixed = (|| {
            let version = reader.u32()?;
            let shards = reader.u32()?;
            let digest: [u8; 32] = reader.take(32)?.try_into().ok()?;
            let gate_digest: [u8; 32] = reader.take(32)?.try_into().ok()?;
            Some((
                version,
                shards,
                digest,
                gate_digest,
                reader.u32()?,
                reader.u32()?,
                reader.u32()?,
            ))
        })();
        let (version, shard_count, digest, gate_digest, sources, patterns, networks) =
            fixed.ok_or(FormatError::Truncated {
                expected: HEADER_BYTES as u64,
                found: bytes.len() as u64,
            })?;
        if version > VERSION {
            return Err(FormatError::Newer { found: version });
        }
        if format::digest(&bytes) != digest {
            return Err(FormatError::Digest);
        }
        if gate_digest != gate.digest() {
            return Err(FormatError::Damaged(
                "it belongs to another gate; compile the lists again",
            ));
        }
        if shard_count as usize != gate.shard_count() || sources as usize != gate.sources().len() {
            return Err(damaged);
        }
        let of_sources = reader.take(sources as usize).ok_or(damaged.clone())?;
        if of_sources.iter().any(|width| !(1..=32).contains(width)) {
            return Err(damaged);
        }
        let widths = (0..gate.rule_count() as u32)
            .filter_map(|rule| gate.rule(RuleId(rule)))
            .map(|rule| {
                of_sources
                    .get(usize::from(rule.source.0))
                    .map_or(1, |&width| u32::from(width))
            })
            .collect();
        let at = |reader: &Reader| bytes.len() - reader.rest().len();
        let mut shards = Vec::new();
        for _ in 0..shard_count {
            let shard = (|| {
                let count = reader.count(12)?;
                let mut checkpoints = Vec::with_capacity(count);
                for _ in 0..count {
                    checkpoints.push((reader.u64()?, reader.blob()?.into()));
                }
                let length = usize::try_from(reader.u64()?).ok()?;
                let start = at(&reader);
                reader.take(length)?;
                Some(Shard {
                    checkpoints,
                    stream: start..start + length,
                })
            })();
            shards.push(shard.ok_or(damaged.clone())?);
        }
        let start = at(&reader);
        let (patterns, networks) = (patterns as usize, networks as usize);
        if reader.rest().len() != (patterns + networks) * 4
            || patterns != gate.patterns().len()
            || networks != gate.network_count()
        {
            return Err(damaged);
        }
        Ok(Lines {
            shards,
            patterns: start..start + patterns * 4,
            networks: start + patterns * 4..bytes.len(),
            widths,
            bytes,
        })
    }

    /// The line numbers of a key's rules, in the order of its rule set; `None` if the gate does not hold the key.
    pub fn of_key(&self, gate: &Gate, key: &[u8]) -> Option<Vec<(RuleId, u32)>> {
        let shard_number = gate.shard_of(key);
        let shard = self.shards.get(shard_number)?;
        let after = shard
            .checkpoints
            .partition_point(|(_, checkpoint)| checkpoint.as_ref() <= key);
        let (offset, checkpoint) = shard.checkpoints.get(after.checked_sub(1)?)?;
        let mut cursor = Cursor {
            stream: &self.bytes[shard.stream.clone()],
            widths: &self.widths,
            offset: *offset,
        };
        let mut keys = gate.shard_keys(shard_number, checkpoint);
        for _ in 0..CHECKPOINT_KEYS {
            let (found, set) = keys.next()?;
            let set = RuleSetId(set);
            match found.cmp(key) {
                std::cmp::Ordering::Less => cursor.skip(gate, set),
                std::cmp::Ordering::Equal => {
                    let mut lines = Vec::new();
                    return cursor
                        .read(gate, set, |rule, line| lines.push((rule, line)))
                        .then_some(lines);
                }
                std::cmp::Ordering::Greater => return None,
            }
        }
        None
    }

    /// The line numbers of a shard from its first key on.
    pub fn of_shard(&self, shard: usize) -> Option<Cursor<'_>> {
        let shard = self.shards.get(shard)?;
        Some(Cursor {
            stream: &self.bytes[shard.stream.clone()],
            widths: &self.widths,
            offset: 0,
        })
    }

    /// The line of a pattern, by its index in [`Gate::patterns`].
    pub fn of_pattern(&self, index: usize) -> Option<u32> {
        Reader::new(self.bytes[self.patterns.clone()].get(index * 4..)?).u32()
    }

    /// The line of a network of answers, by its index in [`Gate::networks`].
    pub fn of_network(&self, index: usize) -> Option<u32> {
        Reader::new(self.bytes[self.networks.clone()].get(index * 4..)?).u32()
    }
}

impl Cursor<'_> {
    /// Where the next key's numbers begin, in bits.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Goes on from an [`offset`](Cursor::offset) of the same shard.
    pub fn go_to(&mut self, offset: u64) {
        self.offset = offset;
    }

    /// Passes over the next key, which has this rule set.
    pub fn skip(&mut self, gate: &Gate, set: RuleSetId) {
        for rule in gate.rules_of(set) {
            self.offset += u64::from(self.widths.get(rule.0 as usize).copied().unwrap_or(0));
        }
    }

    /// Reads the numbers of the next key, which has this rule set. `false` past the end of the stream.
    pub fn read(&mut self, gate: &Gate, set: RuleSetId, mut each: impl FnMut(RuleId, u32)) -> bool {
        for rule in gate.rules_of(set) {
            let Some(&width) = self.widths.get(rule.0 as usize) else {
                return false;
            };
            let Some(line) = bits(self.stream, self.offset, width) else {
                return false;
            };
            self.offset += u64::from(width);
            each(rule, line);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_every_width_come_back_from_any_offset() {
        let mut writer = BitWriter::default();
        let number = |width: u32| (0x9e37_79b9u64 & ((1 << width) - 1)) as u32;
        let mut places = Vec::new();
        for _ in 0..3 {
            for width in 1..=32 {
                places.push((writer.bit_count(), width));
                writer.put(number(width), width);
            }
        }
        let length = writer.bit_count();
        let stream = writer.finish();
        assert_eq!(stream.len() as u64, length.div_ceil(8));
        for (offset, width) in places {
            assert_eq!(
                bits(&stream, offset, width),
                Some(number(width)),
                "width {width} at {offset}"
            );
        }
        assert_eq!(bits(&stream, length + 8, 8), None);
    }

    #[test]
    fn a_width_holds_the_last_line_and_not_much_more() {
        assert_eq!([0, 1, 2, 3, 4, 255, 256].map(width), [1, 1, 2, 2, 3, 8, 9]);
        assert_eq!(width(u32::MAX), 32);
    }
}
