//! Merges parsed lists: what each name is listed for, by whom, on which line.
//!
//! In: parsed lists. Out: [`Merged`], shards of sorted keys, each key with its set of rules, and everything that is not a name.
//! Always: the same lists give the same result, whatever their order and however many threads work.
//! Steps: number the rules, sort the names, cut them into shards, then group equal names, take back what `$badfilter`
//! takes back and drop what is redundant.

use crate::list::lines::{self, BitWriter};
use crate::list::rule::{Effect, Modifiers, NameEntry, Parsed, Pattern, Scope};
use crate::list::tables::SourceInfo;
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{BuildHasherDefault, Hasher};

/// Entries that a shard holds before another one is made, and the most shards there are. The first bounds what one thread
/// does alone, the second what a look-up must search through to find its shard.
const SHARD_ENTRIES: usize = 200_000;
const SHARDS: usize = 32;

/// The most sources of one gate: their numbers take two bytes.
pub const SOURCES: usize = u16::MAX as usize;

/// A parsed list and where it came from.
#[derive(Debug)]
pub struct ParsedSource {
    pub info: SourceInfo,
    pub parsed: Parsed,
}

/// A rule, with its effect and modifiers as indexes into [`Rules::effects`] and [`Rules::modifiers`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RuleRow {
    pub source: u16,
    pub scope: Scope,
    pub effect: u32,
    pub modifiers: u32,
}

/// All different rules, in order of source, scope, effect, modifiers.
#[derive(Debug, Default)]
pub struct Rules {
    pub rows: Vec<RuleRow>,
    pub effects: Vec<Effect>,
    pub modifiers: Vec<Modifiers>,
    /// For each source, template and scope: what an entry of it stands for.
    meanings: Vec<Vec<Meaning>>,
}

/// What an entry does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    Rule(u32),
    /// Takes back that rule for the same pattern.
    Unrule(u32),
    /// Takes back a rule that its source does not have.
    Nothing,
}

/// A kept name: where its key ends in the shard's bytes, and its rule set.
#[derive(Debug, Clone, Copy)]
pub struct KeyRow {
    end: u32,
    /// Index into the shard's own sets.
    pub set: u32,
}

/// A range of the sorted names.
#[derive(Debug, Default)]
pub struct Shard {
    /// The first two labels of its first name, which all its names but the copies are not less than.
    pub first: Box<[u8]>,
    /// Kept names in order.
    pub keys: Vec<KeyRow>,
    /// Their keys, one after another: in the order in which they are read from here on, where the lists have them all
    /// over memory.
    bytes: Vec<u8>,
    /// How many of the first keys are copies of the root's or a TLD's key whose place is in an earlier shard.
    pub copies: usize,
    /// Different names, dropped ones included, copies not.
    pub names: u64,
    /// The rule sets of its names, each ascending.
    pub sets: Vec<Box<[u32]>>,
    /// Line numbers of the keys, copies included.
    pub lines: lines::ShardLines,
}

/// What lists hold, merged.
#[derive(Debug, Default)]
pub struct Merged {
    pub sources: Vec<SourceInfo>,
    pub rules: Rules,
    pub shards: Vec<Shard>,
    /// Patterns without networks of answers, each with its rule and line, in order of pattern, then rule.
    pub patterns: Vec<(Pattern, u32, u32)>,
    /// Networks of answers likewise, those of IPv4 first.
    pub networks: Vec<(ipnet::IpNet, u32, u32)>,
    /// For each source, how many bits its line numbers take.
    pub line_widths: Vec<u8>,
}

/// Why lists cannot be merged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MergeError {
    #[error("two lists are called \"{0}\"; give one of them another name")]
    SameName(String),
    #[error("{0} lists are more than a gate can hold, {SOURCES}")]
    TooMany(usize),
}

impl Merged {
    /// What no lists give.
    pub fn nothing() -> Merged {
        Merged {
            shards: vec![Shard::default()],
            ..Merged::default()
        }
    }
}

impl Shard {
    /// The key of one of its rows, by its place.
    pub fn key(&self, row: usize) -> &[u8] {
        let start = row.checked_sub(1).map_or(0, |before| self.keys[before].end);
        &self.bytes[start as usize..self.keys[row].end as usize]
    }
}

/// Merges lists. Works on the current rayon pool.
pub fn merge(mut lists: Vec<ParsedSource>) -> Result<Merged, MergeError> {
    if lists.len() > SOURCES {
        return Err(MergeError::TooMany(lists.len()));
    }
    lists.sort_by(|a, b| (a.info.rank, &a.info.name).cmp(&(b.info.rank, &b.info.name)));
    let mut names = BTreeSet::new();
    for list in &lists {
        if !names.insert(&list.info.name) {
            return Err(MergeError::SameName(list.info.name.clone()));
        }
    }
    let (mut sources, mut parsed) = (Vec::with_capacity(lists.len()), Vec::with_capacity(lists.len()));
    for list in lists {
        sources.push(list.info);
        parsed.push(list.parsed);
    }
    let rules = number_rules(&parsed);
    let (patterns, networks) = merge_patterns(&mut parsed, &rules);
    let items = sorted(&parsed);
    let line_widths: Vec<u8> = parsed.par_iter().map(line_width).collect();
    let grouping = Grouping {
        parsed: &parsed,
        rules: &rules,
        classes: classes(&rules),
        widths: rules
            .rows
            .iter()
            .map(|row| u32::from(line_widths[usize::from(row.source)]))
            .collect(),
    };
    let shards = shard_ranges(&items, &parsed)
        .into_par_iter()
        .with_max_len(1)
        .map(|range| grouping.shard(&items, range))
        .collect();
    drop(items);
    Ok(Merged {
        sources,
        rules,
        shards,
        patterns,
        networks,
        line_widths,
    })
}

/// How many bits the largest line number of a list takes.
fn line_width(list: &Parsed) -> u8 {
    let names = list.names.iter().map(|entry| entry.line).max();
    lines::width(names.unwrap_or(0))
}

// ---- Numbering the rules ----

fn number_rules(parsed: &[Parsed]) -> Rules {
    let used: Vec<Vec<bool>> = parsed.par_iter().map(used_meanings).collect();
    let mut effects = BTreeSet::new();
    let mut modifiers = BTreeSet::new();
    for list in parsed {
        for template in &list.templates {
            effects.insert(&template.effect);
            modifiers.insert(canonical(&template.modifiers));
        }
    }
    let effects: Vec<Effect> = effects.into_iter().cloned().collect();
    let modifiers: Vec<Modifiers> = modifiers.into_iter().collect();
    let effect_index: HashMap<&Effect, u32> = effects.iter().zip(0..).collect();
    let modifiers_index: HashMap<&Modifiers, u32> = modifiers.iter().zip(0..).collect();
    let mut rows = Vec::new();
    let mut meanings = Vec::new();
    for (source, (list, used)) in parsed.iter().zip(&used).enumerate() {
        let row_of = |template: usize, scope: Scope| RuleRow {
            source: source as u16,
            scope,
            effect: effect_index[&list.templates[template].effect],
            modifiers: modifiers_index[&canonical(&list.templates[template].modifiers)],
        };
        let all = || (0..list.templates.len()).flat_map(|template| SCOPES.map(|scope| (template, scope)));
        let own: BTreeMap<RuleRow, u32> = all()
            .filter(|&(template, scope)| used[slot(template, scope)] && !list.templates[template].badfilter)
            .map(|(template, scope)| row_of(template, scope))
            .collect::<BTreeSet<RuleRow>>()
            .into_iter()
            .zip(rows.len() as u32..)
            .collect();
        rows.extend(own.keys().copied());
        meanings.push(
            all()
                .map(|(template, scope)| match own.get(&row_of(template, scope)) {
                    None => Meaning::Nothing,
                    Some(&rule) if list.templates[template].badfilter => Meaning::Unrule(rule),
                    Some(&rule) => Meaning::Rule(rule),
                })
                .collect(),
        );
    }
    drop((effect_index, modifiers_index));
    Rules {
        rows,
        effects,
        modifiers,
        meanings,
    }
}

const SCOPES: [Scope; 3] = [Scope::Exact, Scope::Subtree, Scope::Below];

fn slot(template: usize, scope: Scope) -> usize {
    template * SCOPES.len() + scope as usize
}

/// Which templates and scopes a list's entries have. Patterns count as exact.
fn used_meanings(list: &Parsed) -> Vec<bool> {
    let mut used = vec![false; list.templates.len() * SCOPES.len()];
    for entry in &list.names {
        used[slot(usize::from(entry.template), entry.scope)] = true;
    }
    for entry in &list.patterns {
        used[slot(usize::from(entry.template), Scope::Exact)] = true;
    }
    used
}

/// Modifiers without a difference that means nothing: lists in order, each thing once.
fn canonical(modifiers: &Modifiers) -> Modifiers {
    fn tidy<T: Ord>(list: &mut Vec<T>) {
        list.sort_unstable();
        list.dedup();
    }
    let mut modifiers = modifiers.clone();
    tidy(&mut modifiers.types);
    tidy(&mut modifiers.types_not);
    tidy(&mut modifiers.denyallow);
    tidy(&mut modifiers.clients);
    tidy(&mut modifiers.clients_not);
    tidy(&mut modifiers.tags);
    tidy(&mut modifiers.tags_not);
    modifiers
}

// ---- What is not a name ----

type PatternRows = Vec<(Pattern, u32, u32)>;
type NetworkRows = Vec<(ipnet::IpNet, u32, u32)>;

fn merge_patterns(parsed: &mut [Parsed], rules: &Rules) -> (PatternRows, NetworkRows) {
    let mut rows = Vec::new();
    let mut taken_back = BTreeSet::new();
    for (list, meanings) in parsed.iter_mut().zip(&rules.meanings) {
        for entry in std::mem::take(&mut list.patterns) {
            match meanings[slot(usize::from(entry.template), Scope::Exact)] {
                Meaning::Rule(rule) => rows.push((entry.pattern, rule, entry.line)),
                Meaning::Unrule(rule) => {
                    taken_back.insert((entry.pattern, rule));
                }
                Meaning::Nothing => {}
            }
        }
    }
    rows.par_sort_unstable();
    rows.dedup_by(|next, first| (&next.0, next.1) == (&first.0, first.1));
    if !taken_back.is_empty() {
        rows.retain(|(pattern, rule, _)| !taken_back.contains(&(pattern.clone(), *rule)));
    }
    let (mut patterns, mut networks) = (Vec::new(), Vec::new());
    for (pattern, rule, line) in rows {
        match pattern {
            Pattern::Address(network) => networks.push((network.trunc(), rule, line)),
            pattern => patterns.push((pattern, rule, line)),
        }
    }
    networks.sort_unstable();
    networks.dedup_by(|next, first| (next.0, next.1) == (first.0, first.1));
    (patterns, networks)
}

// ---- Sorting ----

/// One name entry while it is sorted.
#[derive(Clone, Copy)]
struct Item {
    /// 16 bytes of the key, from where the sort has got to, big-endian, filled up with zeros.
    words: [u64; 2],
    entry: u32,
    source: u16,
}

const WORD_BYTES: usize = 16;

/// The bytes of a key from `depth`, filled up with zeros: their order is that of the keys, since every key but the root's
/// ends in the separator, so that no key is another one followed by zeros.
fn words(key: &[u8], depth: usize) -> [u64; 2] {
    let rest = key.get(depth..).unwrap_or(&[]);
    let mut bytes = [0; WORD_BYTES];
    let length = rest.len().min(WORD_BYTES);
    bytes[..length].copy_from_slice(&rest[..length]);
    let number = u128::from_be_bytes(bytes);
    [(number >> 64) as u64, number as u64]
}

/// Every name entry of every list, in order of key, then source, then place in the list.
fn sorted(parsed: &[Parsed]) -> Vec<Item> {
    let total = parsed.iter().map(|list| list.names.len()).sum();
    let mut items = Vec::with_capacity(total);
    for (source, list) in parsed.iter().enumerate() {
        items.extend(list.names.iter().enumerate().map(|(entry, name)| Item {
            words: words(list.key(name), 0),
            entry: entry as u32,
            source: source as u16,
        }));
    }
    items.par_sort_unstable_by_key(|item| (item.words, item.source, item.entry));
    items
        .par_chunk_by_mut(|a, b| a.words == b.words)
        .for_each(|run| settle(run, WORD_BYTES, parsed));
    items
}

/// Sorts items whose keys agree up to `depth`. Comparing 16 bytes at a time keeps the sort out of the keys themselves,
/// which lie all over memory.
fn settle(run: &mut [Item], depth: usize, parsed: &[Parsed]) {
    if run.len() < 2 {
        return;
    }
    let mut longer = false;
    for item in run.iter_mut() {
        let list = &parsed[usize::from(item.source)];
        let key = list.key(&list.names[item.entry as usize]);
        item.words = words(key, depth);
        longer |= key.len() > depth + WORD_BYTES;
    }
    run.sort_unstable_by_key(|item| (item.words, item.source, item.entry));
    if longer {
        for run in run.chunk_by_mut(|a, b| a.words == b.words) {
            settle(run, depth + WORD_BYTES, parsed);
        }
    }
}

fn entry_of<'p>(parsed: &'p [Parsed], item: &Item) -> (&'p [u8], &'p NameEntry) {
    let list = &parsed[usize::from(item.source)];
    let entry = &list.names[item.entry as usize];
    (list.key(entry), entry)
}

// ---- Shards ----

/// The part of a key that decides its shard: its first two labels.
pub fn shard_prefix(key: &[u8]) -> &[u8] {
    let mut labels = 0;
    for (at, &byte) in key.iter().enumerate() {
        if byte == crate::dns::key::SEPARATOR {
            labels += 1;
            if labels == 2 {
                return &key[..=at];
            }
        }
    }
    key
}

/// Cuts the sorted items where the first two labels change, so that a name and its parents are in one shard, except for
/// the root and TLDs, which get copies.
fn shard_ranges(items: &[Item], parsed: &[Parsed]) -> Vec<std::ops::Range<usize>> {
    let count = items.len().div_ceil(SHARD_ENTRIES).clamp(1, SHARDS);
    let mut ranges = Vec::with_capacity(count);
    let mut start = 0;
    for shard in 1..count {
        let mut end = (items.len() * shard / count).max(start);
        while end > start && end < items.len() {
            let (before, _) = entry_of(parsed, &items[end - 1]);
            let (after, _) = entry_of(parsed, &items[end]);
            let labels = after.iter().filter(|&&byte| byte == crate::dns::key::SEPARATOR).count();
            if labels >= 2 && shard_prefix(before) != shard_prefix(after) {
                break;
            }
            end += 1;
        }
        if end > start && end < items.len() {
            ranges.push(start..end);
            start = end;
        }
    }
    ranges.push(start..items.len());
    ranges
}

// ---- Grouping ----

struct Grouping<'p> {
    parsed: &'p [Parsed],
    rules: &'p Rules,
    /// For each rule: a number that rules of equal effect and modifiers share.
    classes: Vec<u32>,
    /// For each rule: how many bits a line number of its source takes.
    widths: Vec<u32>,
}

fn classes(rules: &Rules) -> Vec<u32> {
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
    fn shard(&self, items: &[Item], range: std::ops::Range<usize>) -> Shard {
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

#[cfg(test)]
#[path = "merge_tests.rs"]
pub(crate) mod tests;
