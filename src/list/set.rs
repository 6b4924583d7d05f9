//! The mmap reader: a gate file open for look-ups.
//!
//! In: the bytes of a verified gate. Out: what the gate holds for a name, an address, an id.
//! Always: immutable and shared between threads; look-ups allocate nothing and take no lock; bytes that are not what they
//! should be give fewer matches, never a panic.
//! Keeps: the format of `docs/gate-format.md`.

use crate::dns::key::Key;
use crate::list::format::{FormatError, Header, Reader, Section};
use crate::list::index::{self, Index};
use crate::list::nodes::{Fst, Keys};
use crate::list::rule::{Effect, Modifiers, Pattern, Scope};
use crate::list::tables;
use ipnet::IpNet;
use std::net::IpAddr;
use std::ops::Range;

pub use crate::list::tables::SourceInfo;

/// Index of a rule set, the combination of rules that a key has. Dense from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RuleSetId(pub u32);

/// Index of a rule, dense from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RuleId(pub u32);

/// Index of a source, dense from 0, in order of rank, ties by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SourceId(pub u16);

/// A rule as the gate holds it, decoded. Patterns and names have their own tables and point here.
#[derive(Debug, Clone)]
pub struct Rule {
    pub source: SourceId,
    /// Which names it covers; of no meaning for a pattern's rule.
    pub scope: Scope,
    pub effect: Effect,
    pub modifiers: Modifiers,
}

/// A gate open for look-ups. Immutable; shared by reference between threads.
pub struct Gate {
    bytes: Bytes,
    header: Header,
    shards: Vec<Shard>,
    /// Where the offsets of the sets stand, and where their rules do.
    set_offsets: Range<usize>,
    set_rules: Range<usize>,
    rules: Vec<Rule>,
    sources: Vec<SourceInfo>,
    patterns: Vec<(Pattern, RuleId)>,
    /// Rows of IPv4 networks of answers, then of IPv6 ones.
    networks4: Range<usize>,
    networks6: Range<usize>,
    ranges4: Ranges,
    ranges6: Ranges,
    /// What makes look-ups faster, where it was made.
    index: Option<Index>,
}

/// Where the bytes are.
pub(crate) enum Bytes {
    Owned(Vec<u8>),
    Mapped(memmap2::Mmap),
}

impl Bytes {
    /// Maps a file.
    ///
    /// The caller promises that nothing writes to the file while the map lives: it is one of the private files that
    /// [`publish`](crate::list::publish) makes, read-only and named by its gate's digest.
    pub(crate) fn map(file: &std::fs::File) -> std::io::Result<Bytes> {
        // SAFETY: a map is sound as long as the file neither shrinks nor changes. The only caller passes files of the
        // `gates` folder in the state directory, which this program alone writes: each is created under a temporary name,
        // synced, made read-only and renamed into place, and after that only ever unlinked, which leaves maps alone.
        Ok(Bytes::Mapped(unsafe { memmap2::Mmap::map(file) }?))
    }
}

impl std::ops::Deref for Bytes {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match self {
            Bytes::Owned(bytes) => bytes,
            Bytes::Mapped(map) => map,
        }
    }
}

struct Shard {
    /// Keys not less than this, up to the next shard's, are here. Empty for the first.
    first: Box<[u8]>,
    /// Where its fst lies in the file, or did when the gate was opened.
    fst: Range<usize>,
    /// How many of its first keys are copies of keys of earlier shards.
    copies: usize,
    /// Whether the root is a key.
    has_root: bool,
}

/// Sorted starts of address ranges, and the rule set of each.
#[derive(Default)]
struct Ranges {
    starts: Range<usize>,
    sets: Range<usize>,
}

/// The rule set of a range in which no rule is.
const NO_SET: u32 = u32::MAX;

/// Bytes of one row of [`Section::Networks`]: address, prefix length, rule.
const NETWORK4_BYTES: usize = 4 + 1 + 4;
const NETWORK6_BYTES: usize = 16 + 1 + 4;

impl Default for Gate {
    fn default() -> Gate {
        Gate::empty()
    }
}

impl Gate {
    /// A gate that holds nothing.
    pub fn empty() -> Gate {
        Gate::from_bytes(crate::list::compile::empty()).unwrap_or_else(|error| unreachable!("the empty gate {error}"))
    }

    /// Takes the bytes of a gate and reads its tables. What the fsts hold and whether the digest is right is for
    /// [`verify`](crate::list::verify) to check; here damage can only make the gate hold less.
    pub(crate) fn from_bytes(bytes: Vec<u8>) -> Result<Gate, FormatError> {
        Gate::read(Bytes::Owned(bytes))
    }

    /// The gate with an index for its look-ups; without one if these bytes are not that of this gate.
    pub(crate) fn with_index(self, index: Bytes) -> Gate {
        Gate {
            index: Index::read(index, &self.header.digest),
            ..self
        }
    }

    /// The gate with an index held in memory. For tests and benches; [`publish`](crate::list::publish) keeps indexes in files.
    pub fn indexed(self) -> Gate {
        let mut index = Vec::new();
        // Writing to memory cannot fail; a gate that can have no index is as good without.
        match index::write(&self, &mut index) {
            Ok(true) => self.with_index(Bytes::Owned(index)),
            _ => self,
        }
    }

    /// Whether look-ups go by an index.
    pub fn has_index(&self) -> bool {
        self.index.is_some()
    }

    pub(crate) fn read(bytes: Bytes) -> Result<Gate, FormatError> {
        let header = Header::read(&bytes)?;
        let damaged = |what: &'static str| FormatError::Damaged(what);
        let section = |section| Reader::new(&bytes[header.section(section)]);
        let shards = read_shards(section(Section::Shards), &bytes, header.section(Section::Fsts))
            .ok_or_else(|| damaged("its table of shards"))?;
        let sets = header.section(Section::Sets);
        let (set_offsets, set_rules) = read_sets(&bytes, sets).ok_or_else(|| damaged("its table of rule sets"))?;
        let sources =
            read_all(section(Section::Sources), 1, tables::source).ok_or_else(|| damaged("its table of sources"))?;
        let effects =
            read_all(section(Section::Effects), 1, tables::effect).ok_or_else(|| damaged("its table of effects"))?;
        let modifiers = read_all(section(Section::Modifiers), 1, tables::modifiers)
            .ok_or_else(|| damaged("its table of modifiers"))?;
        let rules = read_all(section(Section::Rules), 12, |reader| {
            let source = SourceId(reader.u16()?);
            let scope = tables::scope(reader.u8()?)?;
            let reserved = reader.u8()?;
            let effect = effects.get(reader.u32()? as usize)?.clone();
            let modifiers = modifiers.get(reader.u32()? as usize)?.clone();
            (reserved == 0 && usize::from(source.0) < sources.len()).then_some(Rule {
                source,
                scope,
                effect,
                modifiers,
            })
        })
        .ok_or_else(|| damaged("its table of rules"))?;
        let patterns = read_all(section(Section::Patterns), 5, |reader| {
            let rule = RuleId(reader.u32()?);
            let pattern = tables::pattern(reader)?;
            ((rule.0 as usize) < rules.len()).then_some((pattern, rule))
        })
        .ok_or_else(|| damaged("its table of patterns"))?;
        let (networks4, networks6) =
            read_networks(&bytes, header.section(Section::Networks)).ok_or_else(|| damaged("its table of networks"))?;
        let (ranges4, ranges6) = read_ranges(&bytes, header.section(Section::Ranges))
            .ok_or_else(|| damaged("its table of address ranges"))?;
        Ok(Gate {
            shards,
            set_offsets,
            set_rules,
            rules,
            sources,
            patterns,
            networks4,
            networks6,
            ranges4,
            ranges6,
            header,
            bytes,
            index: None,
        })
    }

    /// Calls `visit(labels, set)` for every prefix of `key` that is a key of the gate, shortest first. `false`: no pattern of the gate matches
    /// the name, which an index knows of names that are keys.
    #[inline]
    pub fn walk(&self, key: &Key, visit: impl FnMut(usize, RuleSetId)) -> bool {
        match &self.index {
            Some(index) => index.walk(key, visit),
            None => {
                self.walk_fst(key, visit);
                true
            }
        }
    }

    /// Adds to `places` where [`walk`](Gate::walk) will look first for this key, for [`touch`](Gate::touch).
    #[inline]
    pub fn foresee(&self, key: &Key, places: &mut Vec<usize>) {
        if let Some(index) = &self.index {
            index.foresee(key, places);
        }
    }

    /// Has memory bring these places near, all together, before the walks they are for. The number means nothing.
    pub fn touch(&self, places: &[usize]) -> u64 {
        self.index.as_ref().map_or(0, |index| index.touch(places))
    }

    /// The same as [`walk`](Gate::walk), by the fst alone.
    #[inline]
    pub fn walk_fst(&self, key: &Key, mut visit: impl FnMut(usize, RuleSetId)) {
        let shard = &self.shards[self.shard_of(key.as_bytes())];
        let Some(fst) = Fst::new(&self.bytes[shard.fst.clone()]) else {
            return;
        };
        let mut address = fst.root();
        let mut value = 0u32;
        if shard.has_root
            && let Some(output) = fst.final_output(address)
        {
            visit(0, RuleSetId(output));
        }
        let mut at = 0;
        for labels in 1..=key.label_count() {
            let end = key.end(labels);
            for &byte in &key.as_bytes()[at..end] {
                let Some((to, output)) = fst.step(address, byte) else {
                    return;
                };
                address = to;
                value = value.wrapping_add(output);
            }
            at = end;
            if let Some(output) = fst.final_output(address) {
                visit(labels, RuleSetId(value.wrapping_add(output)));
            }
        }
    }

    /// How many rule sets there are; their ids are dense from 0.
    pub fn rule_set_count(&self) -> usize {
        (self.set_offsets.len() / 4).saturating_sub(1)
    }

    /// The rules of a set, ascending, and so in order of their sources. Allocates nothing; empty past the last set.
    #[inline]
    pub fn rules_of(&self, set: RuleSetId) -> impl Iterator<Item = RuleId> + '_ {
        let offset = |index: usize| read_u32(&self.bytes[self.set_offsets.clone()], index).unwrap_or(0) as usize;
        let (start, end) = (set.0 as usize, set.0 as usize + 1);
        let range = if end < self.set_offsets.len() / 4 {
            offset(start) * 4..offset(end) * 4
        } else {
            0..0
        };
        let rules = self.bytes[self.set_rules.clone()].get(range).unwrap_or(&[]);
        rules
            .chunks_exact(4)
            .map(|bytes| RuleId(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])))
    }

    /// How many rules there are; their ids are dense from 0.
    pub fn rule_count(&self) -> usize {
        self.rules.len()
    }

    /// A rule; `None` past the last.
    #[inline]
    pub fn rule(&self, rule: RuleId) -> Option<&Rule> {
        self.rules.get(rule.0 as usize)
    }

    /// The sources in order of their ids.
    pub fn sources(&self) -> &[SourceInfo] {
        &self.sources
    }

    /// Everything that is neither a name nor a network of answers: regular expressions, wildcards, client networks,
    /// name-server rules, in order of pattern, then rule.
    pub fn patterns(&self) -> &[(Pattern, RuleId)] {
        &self.patterns
    }

    /// Whether any rule is about the addresses of an answer.
    pub fn has_address_rules(&self) -> bool {
        self.network_count() > 0
    }

    /// Calls `visit` for every rule about the addresses of an answer whose network holds this one, in order of their ids.
    /// An IPv4-mapped address (RFC 4291 §2.5.5.2) counts as the IPv4 address.
    pub fn addresses(&self, address: IpAddr, visit: impl FnMut(RuleId)) {
        let set = match address.to_canonical() {
            IpAddr::V4(address) => self.ranges4.find::<4>(&self.bytes, address.octets()),
            IpAddr::V6(address) => self.ranges6.find::<16>(&self.bytes, address.octets()),
        };
        if let Some(set) = set {
            self.rules_of(set).for_each(visit);
        }
    }

    /// How many rows [`networks`](Gate::networks) has.
    pub fn network_count(&self) -> usize {
        self.networks4.len() / NETWORK4_BYTES + self.networks6.len() / NETWORK6_BYTES
    }

    /// The networks of answers as the lists have them, in order, then by rule.
    pub fn networks(&self) -> impl Iterator<Item = (IpNet, RuleId)> + '_ {
        let rows = |range: &Range<usize>, bytes: usize| self.bytes[range.clone()].chunks_exact(bytes);
        let v4 = rows(&self.networks4, NETWORK4_BYTES).filter_map(tables::network_row::<4>);
        let v6 = rows(&self.networks6, NETWORK6_BYTES).filter_map(tables::network_row::<16>);
        v4.chain(v6).map(|(network, rule)| (network, RuleId(rule)))
    }

    /// SHA-256 of the file, its own place taken as zero.
    pub fn digest(&self) -> [u8; 32] {
        self.header.digest
    }

    /// Version of the file's format.
    pub fn version(&self) -> u32 {
        self.header.version
    }

    /// Different names that rules were taken for, redundant ones included.
    pub fn names(&self) -> u64 {
        self.header.names
    }

    /// Names the gate holds, redundant ones dropped.
    pub fn keys(&self) -> u64 {
        self.header.keys
    }

    /// Bytes of the file.
    pub fn size_bytes(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// How many shards the names are in.
    pub fn shard_count(&self) -> usize {
        self.shards.len()
    }

    /// Which shard a key is in, if in any.
    #[inline]
    pub fn shard_of(&self, key: &[u8]) -> usize {
        self.shards[1..].partition_point(|shard| shard.first.as_ref() <= key)
    }

    /// The keys of a shard that are not less than `from`, in order, copies of earlier shards' keys included, with their
    /// rule sets.
    pub fn shard_keys(&self, shard: usize, from: &[u8]) -> Keys<'_> {
        let range = self.shards.get(shard).map_or(0..0, |shard| shard.fst.clone());
        Keys::new(Fst::new(&self.bytes[range]), from)
    }

    /// Every key once, in order.
    pub fn all_keys(&self) -> AllKeys<'_> {
        AllKeys {
            gate: self,
            shard: 0,
            keys: self.shard_keys(0, b""),
            copies: self.shard_copies(0),
            key: Vec::with_capacity(256),
            set: 0,
        }
    }

    /// How many of a shard's first keys are copies of earlier shards' keys.
    pub fn shard_copies(&self, shard: usize) -> usize {
        self.shards.get(shard).map_or(0, |shard| shard.copies)
    }

    /// The keys the shard is for begin with this one.
    pub(crate) fn shard_first(&self, shard: usize) -> &[u8] {
        self.shards.get(shard).map_or(&[], |shard| &shard.first)
    }

    pub(crate) fn shard_bytes(&self, shard: usize) -> &[u8] {
        self.shards
            .get(shard)
            .map_or(&[], |shard| &self.bytes[shard.fst.clone()])
    }

    /// The whole file.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether the tables that are read in place hold only what they may: ids in bounds, ranges and rows in order.
    pub(crate) fn check_tables(&self) -> Result<(), FormatError> {
        let damaged = |what: &'static str| Err(FormatError::Damaged(what));
        let offsets = &self.bytes[self.set_offsets.clone()];
        let rules = &self.bytes[self.set_rules.clone()];
        let mut before = 0;
        for index in 0..=self.rule_set_count() {
            let offset = read_u32(offsets, index).unwrap_or(0) as usize;
            if offset < before || (index == 0 && offset != 0) {
                return damaged("the offsets of its rule sets");
            }
            before = offset;
        }
        if before * 4 != rules.len() {
            return damaged("the length of its rule sets");
        }
        for set in 0..self.rule_set_count() as u32 {
            let rules = self.rules_of(RuleSetId(set));
            if !rules.is_sorted_by(|a, b| a < b) || self.rules_of(RuleSetId(set)).any(|rule| self.rule(rule).is_none())
            {
                return damaged("the rules of a rule set");
            }
        }
        if self.networks().count() != self.network_count() || self.networks().any(|(_, rule)| self.rule(rule).is_none())
        {
            return damaged("a network");
        }
        let sets = self.rule_set_count() as u32;
        if !self.ranges4.check::<4>(&self.bytes, sets) || !self.ranges6.check::<16>(&self.bytes, sets) {
            return damaged("an address range");
        }
        Ok(())
    }
}

/// Every key of a gate, in order; stands before the first until it is advanced.
pub struct AllKeys<'g> {
    gate: &'g Gate,
    shard: usize,
    keys: Keys<'g>,
    /// Copies still to be passed over in this shard.
    copies: usize,
    key: Vec<u8>,
    set: u32,
}

impl AllKeys<'_> {
    /// Goes to the next key; `false` past the last.
    pub fn advance(&mut self) -> bool {
        loop {
            if let Some((key, set)) = self.keys.next() {
                if self.copies > 0 {
                    self.copies -= 1;
                    continue;
                }
                self.key.clear();
                self.key.extend_from_slice(key);
                self.set = set;
                return true;
            }
            self.shard += 1;
            if self.shard >= self.gate.shard_count() {
                return false;
            }
            self.keys = self.gate.shard_keys(self.shard, b"");
            self.copies = self.gate.shard_copies(self.shard);
        }
    }

    /// The key it stands at.
    pub fn key(&self) -> &[u8] {
        &self.key
    }

    /// Its rule set.
    pub fn set(&self) -> u32 {
        self.set
    }
}

impl Ranges {
    /// The rule set of the range that holds an address of `N` bytes in network order.
    fn find<const N: usize>(&self, bytes: &[u8], address: [u8; N]) -> Option<RuleSetId> {
        let starts = bytes[self.starts.clone()].as_chunks::<N>().0;
        let index = starts.partition_point(|start| *start <= address).checked_sub(1)?;
        let set = read_u32(&bytes[self.sets.clone()], index)?;
        (set != NO_SET).then_some(RuleSetId(set))
    }

    fn check<const N: usize>(&self, bytes: &[u8], set_count: u32) -> bool {
        let starts = bytes[self.starts.clone()].as_chunks::<N>().0;
        let sets = bytes[self.sets.clone()].as_chunks::<4>().0;
        starts.is_sorted_by(|a, b| a < b)
            && sets
                .iter()
                .map(|set| u32::from_le_bytes(*set))
                .all(|set| set == NO_SET || set < set_count)
    }
}

#[inline]
fn read_u32(bytes: &[u8], index: usize) -> Option<u32> {
    let bytes = bytes.get(index * 4..index * 4 + 4)?;
    Some(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
}

/// A table that begins with its count and fills its section.
fn read_all<'b, T>(
    mut reader: Reader<'b>,
    least_bytes: usize,
    mut one: impl FnMut(&mut Reader<'b>) -> Option<T>,
) -> Option<Vec<T>> {
    let count = reader.count(least_bytes)?;
    let rows = (0..count).map(|_| one(&mut reader)).collect::<Option<Vec<T>>>()?;
    reader.is_empty().then_some(rows)
}

fn read_shards(mut reader: Reader, bytes: &[u8], fsts: Range<usize>) -> Option<Vec<Shard>> {
    let count = reader.count(24)?;
    let mut shards: Vec<Shard> = Vec::with_capacity(count);
    let mut end = fsts.start;
    for _ in 0..count {
        let (start, length) = (
            usize::try_from(reader.u64()?).ok()?,
            usize::try_from(reader.u64()?).ok()?,
        );
        let copies = reader.u32()? as usize;
        let first: Box<[u8]> = reader.blob()?.into();
        let start = fsts.start.checked_add(start)?;
        let fst_range = start..start.checked_add(length)?;
        // One after another, nothing between them, the first for all that is less than the second's first key.
        let follows = start == end && fst_range.end <= fsts.end;
        let in_order = shards.last().map_or(first.is_empty(), |before| before.first < first);
        if !follows || !in_order || copies > 2 {
            return None;
        }
        end = fst_range.end;
        let fst = Fst::new(&bytes[fst_range.clone()])?;
        shards.push(Shard {
            first,
            has_root: fst.final_output(fst.root()).is_some(),
            fst: fst_range,
            copies,
        });
    }
    (!shards.is_empty() && end == fsts.end && reader.is_empty()).then_some(shards)
}

/// Count of sets, then an offset for each and one more, in rules; then the rules.
fn read_sets(bytes: &[u8], range: Range<usize>) -> Option<(Range<usize>, Range<usize>)> {
    let mut reader = Reader::new(&bytes[range.clone()]);
    let count = reader.u32()? as usize;
    let offsets = range.start + 4..(range.start + 4).checked_add(count.checked_add(1)?.checked_mul(4)?)?;
    let rules = offsets.end..range.end;
    (offsets.end <= range.end && rules.len() % 4 == 0).then_some((offsets, rules))
}

/// Counts of IPv4 and IPv6 networks, then the rows of the first, then those of the second.
fn read_networks(bytes: &[u8], range: Range<usize>) -> Option<(Range<usize>, Range<usize>)> {
    let mut reader = Reader::new(&bytes[range.clone()]);
    let (count4, count6) = (reader.u32()? as usize, reader.u32()? as usize);
    let start = range.start + 8;
    let middle = start.checked_add(count4.checked_mul(NETWORK4_BYTES)?)?;
    let end = middle.checked_add(count6.checked_mul(NETWORK6_BYTES)?)?;
    (end == range.end).then_some((start..middle, middle..end))
}

/// Counts of IPv4 and IPv6 ranges, then the starts and the sets of the first, then those of the second.
fn read_ranges(bytes: &[u8], range: Range<usize>) -> Option<(Ranges, Ranges)> {
    let mut reader = Reader::new(&bytes[range.clone()]);
    let (count4, count6) = (reader.u32()? as usize, reader.u32()? as usize);
    let mut at = range.start + 8;
    let mut next = |count: usize, each: usize| {
        let length = count.checked_mul(each)?;
        let start = at;
        at = at.checked_add(length)?;
        (at <= range.end).then_some(start..at)
    };
    let ranges4 = Ranges {
        starts: next(count4, 4)?,
        sets: next(count4, 4)?,
    };
    let ranges6 = Ranges {
        starts: next(count6, 16)?,
        sets: next(count6, 4)?,
    };
    (at == range.end).then_some((ranges4, ranges6))
}
