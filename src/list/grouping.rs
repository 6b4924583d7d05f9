//! Groups sorted entries by name: what each name is listed for, without what is taken back or redundant.
//!
//! In: a range of sorted items. Out: a [`Shard`].
//! Always: a name is dropped only if nothing but the entry that is named changes by it.

use crate::list::lines::{self, BitWriter};
use crate::list::merge::{KeyRow, Meaning, Rules, Shard, slot};
use crate::list::order::{Item, entry_of, shard_prefix};
use crate::list::rule::{NameEntry, Parsed, Scope};
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

pub(super) struct Grouping<'p> {
    pub(super) parsed: &'p [Parsed],
    pub(super) rules: &'p Rules,
    /// For each rule: a number that rules of equal effect and modifiers share.
    pub(super) classes: Vec<u32>,
    /// For each rule: how many bits a line number of its source takes.
    pub(super) widths: Vec<u32>,
}

pub(super) fn classes(rules: &Rules) -> Vec<u32> {
    let mut numbers = HashMap::new();
    rules
        .rows
        .iter()
        .map(|row| {
            let next = numbers.len() as u32;
            *numbers.entry((row.effect, row.modifiers)).or_insert(next)
        })
        .collect()
}

/// An item and what it stands for.
struct Gathered<'p> {
    words: [u64; 2],
    key: &'p [u8],
    entry: NameEntry,
    source: u16,
}

/// How many items are gathered at a time, and a few more: as many as a core's first cache holds the keys of.
const BLOCK: usize = 128;

/// Where a block ends that breaks up no name: items of one name end up with equal words.
fn block_end(items: &[Item]) -> usize {
    let mut end = BLOCK.min(items.len());
    while end < items.len() && items[end].words == items[end - 1].words {
        end += 1;
    }
    end
}

/// A kept name above the current one.
struct Above<'p> {
    key: &'p [u8],
    set: u32,
}

impl<'p> Grouping<'p> {
    pub(super) fn shard(&self, items: &[Item], range: std::ops::Range<usize>) -> Shard {
        let mut shard = Shard::default();
        let mut interner = Interner::default();
        let mut above = Vec::new();
        let mut bits = BitWriter::default();
        let own = &items[range.clone()];
        if let Some(first) = own.first() {
            shard.first = shard_prefix(entry_of(self.parsed, first).0).into();
        }
        let copied = own.first().map_or(0..0, |first| {
            // The root and the TLD of the first key, where they are names of an earlier shard.
            let (key, _) = entry_of(self.parsed, first);
            let tld = key
                .iter()
                .position(|&byte| byte == crate::dns::key::SEPARATOR)
                .map_or(0, |at| at + 1);
            let find = |wanted: &[u8]| {
                let before = &items[..range.start];
                let start = before.partition_point(|item| entry_of(self.parsed, item).0 < wanted);
                start..start + before[start..].partition_point(|item| entry_of(self.parsed, item).0 == wanted)
            };
            for wanted in [&key[..0], &key[..tld]] {
                if wanted.is_empty() && tld == 0 {
                    continue;
                }
                let found = find(wanted);
                if !found.is_empty() {
                    let mut group = Vec::new();
                    self.gather(&items[found], &mut group);
                    self.name(&group, &mut shard, &mut interner, &mut above, &mut bits);
                }
            }
            0..shard.keys.len()
        });
        shard.copies = copied.len();
        shard.names = 0;
        let mut rest = own;
        let mut block = Vec::new();
        while !rest.is_empty() {
            let (items, after) = rest.split_at(block_end(rest));
            rest = after;
            self.gather(items, &mut block);
            for group in block.chunk_by(|a, b| a.words == b.words && a.key == b.key) {
                self.name(group, &mut shard, &mut interner, &mut above, &mut bits);
            }
        }
        shard.sets = interner.sets;
        shard.lines.stream = bits.finish();
        shard.keys.shrink_to_fit();
        shard
    }

    /// Fetches the entries of items and their keys. They lie all over memory: asked for one after another, each would be waited
    /// for; asked for in a loop that does nothing else, a processor waits for many at once.
    fn gather(&self, items: &[Item], into: &mut Vec<Gathered<'p>>) {
        into.clear();
        into.extend(items.iter().map(|item| Gathered {
            words: item.words,
            key: &[],
            entry: self.parsed[usize::from(item.source)].names[item.entry as usize],
            source: item.source,
        }));
        let mut first_bytes = 0;
        for gathered in into.iter_mut() {
            gathered.key = self.parsed[usize::from(gathered.source)].key(&gathered.entry);
            first_bytes ^= gathered.key.first().copied().unwrap_or(0);
        }
        // Keeps the compiler from leaving out the loads.
        std::hint::black_box(first_bytes);
    }

    /// Takes all entries of one name, in order of source and place.
    fn name(
        &self,
        group: &[Gathered<'p>],
        shard: &mut Shard,
        interner: &mut Interner,
        above: &mut Vec<Above<'p>>,
        bits: &mut BitWriter,
    ) {
        let key = group[0].key;
        interner.clear();
        let mut taken_back = Vec::new();
        for item in group {
            let entry = &item.entry;
            match self.rules.meanings[usize::from(item.source)][slot(usize::from(entry.template), entry.scope)] {
                Meaning::Rule(rule) => interner.push(rule, entry.line),
                Meaning::Unrule(rule) => taken_back.push(rule),
                Meaning::Nothing => {}
            }
        }
        if !taken_back.is_empty() {
            interner.rows.retain(|(rule, _)| !taken_back.contains(rule));
        }
        interner.tidy();
        if interner.rows.is_empty() {
            return;
        }
        shard.names += 1;
        while above.last().is_some_and(|parent| !key.starts_with(parent.key)) {
            above.pop();
        }
        if self.redundant(&interner.rows, above, &interner.sets) {
            return;
        }
        if shard.keys.len().is_multiple_of(lines::CHECKPOINT_KEYS) {
            shard.lines.checkpoints.push(bits.bit_count());
        }
        for &(rule, line) in &interner.rows {
            bits.put(line, self.widths[rule as usize]);
        }
        let set = interner.intern();
        above.push(Above { key, set });
        shard.bytes.extend_from_slice(key);
        shard.keys.push(KeyRow {
            end: shard.bytes.len() as u32,
            set,
        });
    }

    /// Whether dropping a name with these rules changes no decision and nothing but the entry that is named: for every
    /// source that lists it, the closest name above at which that source covers it says just the same.
    fn redundant(&self, rows: &[(u32, u32)], above: &[Above], sets: &[Box<[u32]>]) -> bool {
        if above.is_empty() {
            return false;
        }
        let source_of = |rule: u32| self.rules.rows[rule as usize].source;
        let scope_of = |rule: u32| self.rules.rows[rule as usize].scope;
        rows.chunk_by(|a, b| source_of(a.0) == source_of(b.0)).all(|own| {
            let source = source_of(own[0].0);
            let covers = |&&rule: &&u32| source_of(rule) == source && scope_of(rule) != Scope::Exact;
            let Some(parent) = above
                .iter()
                .rev()
                .find(|parent| sets[parent.set as usize].iter().any(|rule| covers(&rule)))
            else {
                return false;
            };
            let covering = || {
                sets[parent.set as usize]
                    .iter()
                    .filter(covers)
                    .map(|&rule| self.classes[rule as usize])
            };
            // The name itself and what is below it can differ (`Below` beside `Exact`): each must be as above, or unsaid.
            let same = |without: Scope| {
                let said = || {
                    own.iter()
                        .filter(move |row| scope_of(row.0) != without)
                        .map(|row| self.classes[row.0 as usize])
                };
                said().next().is_none()
                    || (said().all(|class| covering().any(|other| other == class))
                        && covering().all(|class| said().any(|other| other == class)))
            };
            same(Scope::Below) && same(Scope::Exact)
        })
    }
}

/// Collects the rules of one name, and keeps each different set once.
#[derive(Default)]
struct Interner {
    rows: Vec<(u32, u32)>,
    scratch: Vec<u32>,
    numbers: HashMap<Box<[u32]>, u32, BuildHasherDefault<SetHasher>>,
    sets: Vec<Box<[u32]>>,
}

impl Interner {
    fn clear(&mut self) {
        self.rows.clear();
    }

    fn push(&mut self, rule: u32, line: u32) {
        self.rows.push((rule, line));
    }

    /// Orders the rules; equal rules keep their first line.
    fn tidy(&mut self) {
        if self.rows.len() > 1 {
            self.rows.sort_unstable();
            self.rows.dedup_by_key(|row| row.0);
        }
    }

    fn intern(&mut self) -> u32 {
        self.scratch.clear();
        self.scratch.extend(self.rows.iter().map(|row| row.0));
        if let Some(&number) = self.numbers.get(self.scratch.as_slice()) {
            return number;
        }
        let number = self.sets.len() as u32;
        self.sets.push(self.scratch.as_slice().into());
        self.numbers.insert(self.scratch.as_slice().into(), number);
        number
    }
}

/// Hashes short runs of small numbers. Not against attackers: a list that makes its rule sets collide costs its own
/// compiler time, and rules of a set are numbered by this program.
#[derive(Default)]
struct SetHasher(u64);

impl Hasher for SetHasher {
    fn finish(&self) -> u64 {
        self.0 ^ self.0 >> 32
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(23) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn write_usize(&mut self, number: usize) {
        self.write_u64(number as u64);
    }
}
