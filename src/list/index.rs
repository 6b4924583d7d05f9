//! The index of a gate: a table of hashes beside the private copy that is served, so that a look-up costs about one cache
//! line for each label of the name instead of one for each few letters.
//!
//! In: a verified gate. Out: a file; from it, the rule set of a key.
//! Always: made from the gate and from nothing else, by the program that maps it, and thrown away with it: it is no
//! part of the gate, and without it look-ups walk the fst and find the same. A key is told from another by 64 bits of a
//! hash whose secret is drawn anew for each index: that a name which is no key is taken for one has a chance of one
//! in 1.6 million million for each label. `docs/decisions/` weighs that; `explain` walks the fst.
//!
//! Shape, little-endian: `MAGIC`, the gate's digest (32 bytes), the secret's seed (8), homes (8), slots (8), the most labels a
//! key has (4), the rule set of the root (4, `NONE` without one), bits of what a key has (4), zeros up to
//! `HEAD_BYTES`; then the slots, 8 bytes each. Keys stand in the order of their hashes. A home is a line of `HOME_SLOTS` slots; a hash has
//! its home where it lies among all hashes, and its slot there or, where the line is full, within `REACH` slots from its begin. A slot holds,
//! from its highest bit: `FAR_BITS`, how far from the begin of its home it is, and one; what tells the hash from others of the
//! same home; the rule set; a bit, whether a pattern of the gate may match the very name of the key. A free slot is 0.

use crate::dns::key::{Key, SEPARATOR};
use crate::list::patterns::{PatternError, Patterns};
use crate::list::set::{Bytes, Gate, RuleSetId};
use rapidhash::v3::{RapidSecrets, rapidhash_v3_micro_inline};
use rayon::prelude::*;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, Write};

/// The first bytes of an index; the last is the version of its shape.
const MAGIC: [u8; 8] = *b"\x8bINDEX\n\x02";
/// A cache line's multiple, so that the slots of a home share one.
const HEAD_BYTES: usize = 128;
/// As many as a cache line holds: nearly every look-up then reads one line.
const HOME_SLOTS: usize = 8;
const FAR_BITS: u32 = 6;
/// How far from the begin of its home a slot can be, and one: what those bits can say.
const REACH: u64 = (1 << FAR_BITS) - 1;
/// Prefixes of a name that are sought together: as many as nearly all names have.
const TOGETHER: usize = 6;
/// In the place of a rule set: none.
const NONE: u32 = u32::MAX;
/// With more rule sets than this the bits left would not tell hashes apart well enough; such a gate has no index.
const MOST_SETS: usize = 1 << 20;
/// Of three slots two are taken: one key in twenty does not stand in its home. With four of five taken it is one in seven.
const SLOTS_FOR_2_KEYS: u64 = 3;

/// An index open for look-ups.
pub struct Index {
    bytes: Bytes,
    secrets: RapidSecrets,
    homes: u64,
    most_labels: usize,
    root: Option<RuleSetId>,
    /// Bits of a rule set's number and one.
    value_bits: u32,
}

impl Index {
    /// Takes the bytes of an index; `None` if they are not one of this gate.
    pub(crate) fn read(bytes: Bytes, gate_digest: &[u8; 32]) -> Option<Index> {
        let head = bytes.get(..HEAD_BYTES)?;
        let u64_at = |at: usize| Some(u64::from_le_bytes(head.get(at..at + 8)?.try_into().ok()?));
        let u32_at = |at: usize| Some(u32::from_le_bytes(head.get(at..at + 4)?.try_into().ok()?));
        let (homes, slots) = (u64_at(48)?, u64_at(56)?);
        let value_bits = u32_at(72)?;
        let fits = head[..8] == MAGIC
            && head[8..40] == *gate_digest
            && slots.checked_mul(8)?.checked_add(HEAD_BYTES as u64)? == bytes.len() as u64
            && homes.checked_mul(HOME_SLOTS as u64)?.checked_add(REACH)? <= slots
            && (1..=MOST_SETS.ilog2() + 1).contains(&value_bits);
        fits.then_some(Index {
            secrets: RapidSecrets::seed(u64_at(40)?),
            homes,
            most_labels: u32_at(64)? as usize,
            root: Some(u32_at(68)?).filter(|&root| root != NONE).map(RuleSetId),
            value_bits,
            bytes,
        })
    }

    /// Calls `visit(labels, set)` for every prefix of `key` that is a key of the gate, shortest first. Whether a pattern of the gate may
    /// match the name: that none does is known only of names that are keys.
    #[inline]
    pub fn walk(&self, key: &Key, mut visit: impl FnMut(usize, RuleSetId)) -> bool {
        if let Some(root) = self.root {
            visit(0, root);
        }
        let deepest = key.label_count().min(self.most_labels);
        let names = if key.complete() { key.label_count() } else { usize::MAX };
        let (mut labels, mut may_match) = (0, true);
        while labels < deepest {
            // Where some prefixes are is known before any is looked at: memory gives them together, where a look at one would hold up the next.
            let some = (deepest - labels).min(TOGETHER);
            let mut homes = [(0, 0); TOGETHER];
            for (one, home) in homes[..some].iter_mut().enumerate() {
                *home = self.home(key.prefix(labels + one + 1));
            }
            for &(at, rest) in &homes[..some] {
                labels += 1;
                if let Some(value) = self.found(at, rest) {
                    may_match = labels != names || value & 1 == 1;
                    visit(labels, RuleSetId(value >> 1));
                }
            }
        }
        may_match
    }

    /// Adds to `places` where the walk of `key` will look first, for [`touch`](Index::touch).
    #[inline]
    pub fn foresee(&self, key: &Key, places: &mut Vec<usize>) {
        let prefixes = (1..=key.label_count().min(self.most_labels)).map(|labels| key.prefix(labels));
        places.extend(prefixes.map(|prefix| self.home(prefix).0));
    }

    /// Reads places, so that walks soon after find them near: reads that stand together wait for memory together. What it returns means
    /// nothing, and must be used for nothing but to keep the reads.
    pub fn touch(&self, places: &[usize]) -> u64 {
        places.iter().fold(0, |all, &place| all ^ self.slot(place))
    }

    /// Where in the file a key's home begins, and what tells it from others there.
    #[inline]
    fn home(&self, key: &[u8]) -> (usize, u64) {
        let (home, rest) = place(hash(&self.secrets, key), self.homes, self.value_bits);
        (HEAD_BYTES + 8 * HOME_SLOTS * home as usize, rest)
    }

    /// The slot at a place; 0, as a free one, where the file ends, which behind the last home it never does.
    #[inline]
    fn slot(&self, at: usize) -> u64 {
        let bytes = self.bytes.get(at..).and_then(|rest| rest.first_chunk());
        bytes.map_or(0, |bytes| u64::from_le_bytes(*bytes))
    }

    /// What the slot of a key says beside its hash, sought from the begin of its home.
    #[inline]
    fn found(&self, at: usize, rest: u64) -> Option<u32> {
        let line: &[u8; 8 * HOME_SLOTS] = self.bytes.get(at..)?.first_chunk()?;
        let step = 1 << (64 - FAR_BITS - self.value_bits);
        // What stands in the slots of the home, had the key this one: all are compared, without a branch between them.
        let (mut told, mut found, mut last) = (rest, 0, 0);
        for bytes in line.as_chunks::<8>().0 {
            last = u64::from_le_bytes(*bytes);
            told += step;
            found = if last >> self.value_bits == told { last } else { found };
        }
        // Keys are in order: the key can only stand behind a last one of an earlier home, or a lesser one of this.
        let far = last >> (64 - FAR_BITS);
        let goes_on = far > HOME_SLOTS as u64 || far == HOME_SLOTS as u64 && last >> self.value_bits < told;
        if found == 0 && goes_on {
            found = self.found_behind(at, told);
        }
        (found != 0).then_some((found & ((1 << self.value_bits) - 1)) as u32)
    }

    /// The slot of a key that may stand behind its home, 0 if it does not. `told`: what the last slot of the home would hold.
    #[cold]
    fn found_behind(&self, at: usize, mut told: u64) -> u64 {
        let step = 1 << (64 - FAR_BITS - self.value_bits);
        for far in HOME_SLOTS..REACH as usize {
            let slot = self.slot(at + 8 * far);
            told += step;
            if slot >> self.value_bits == told {
                return slot;
            }
            // A slot that is free, or whose home comes after this one: what is sought would stand before it.
            if slot >> (64 - FAR_BITS) <= far as u64 {
                return 0;
            }
        }
        0
    }
}

#[inline]
fn hash(secrets: &RapidSecrets, key: &[u8]) -> u64 {
    rapidhash_v3_micro_inline::<true, false>(key, secrets)
}

/// The home of a hash, and the bits that tell it from others of that home: greater for greater hashes.
#[inline]
fn place(hash: u64, homes: u64, value_bits: u32) -> (u64, u64) {
    let spread = u128::from(hash) * u128::from(homes);
    ((spread >> 64) as u64, spread as u64 >> (FAR_BITS + value_bits))
}

/// Writes the index of a gate. `Ok(false)`: it can have none, since it has too many rule sets.
pub(crate) fn write(gate: &Gate, to: &mut impl Write) -> io::Result<bool> {
    if gate.rule_set_count() > MOST_SETS {
        return Ok(false);
    }
    let value_bits = usize::BITS - gate.rule_set_count().saturating_sub(1).leading_zeros() + 1;
    // Patterns that cannot be used are for whoever asks for them to complain of; here any may match.
    let patterns = Patterns::build(gate.patterns().iter().map(|(pattern, _)| pattern));
    // Two keys with one hash, or more crowding than a slot can say, are next to impossible: another seed has neither.
    for _ in 0..16 {
        let seed = RandomState::new().build_hasher().finish();
        if let Some(table) = Table::new(gate, seed, value_bits, &patterns) {
            table.write(gate, to)?;
            return Ok(true);
        }
    }
    Ok(false)
}

/// An index to be written.
struct Table {
    seed: u64,
    value_bits: u32,
    homes: u64,
    most_labels: u32,
    root: u32,
    /// Each key's hash, and what it has: the rule set, and in the lowest bit whether a pattern may match. In order.
    rows: Vec<(u64, u32)>,
}

/// The patterns of a gate, `None` if it has none.
type Built = Result<Option<Patterns>, PatternError>;

/// What one shard gives.
struct Part {
    rows: Vec<(u64, u32)>,
    most_labels: u32,
    root: u32,
}

impl Part {
    fn new(gate: &Gate, shard: usize, secrets: &RapidSecrets, patterns: &Built) -> Part {
        let mut name = Key::ROOT;
        let mut part = Part {
            rows: Vec::new(),
            most_labels: 0,
            root: NONE,
        };
        let mut keys = gate.shard_keys(shard, b"");
        let mut number = 0;
        while let Some((key, set)) = keys.next() {
            number += 1;
            if key.is_empty() {
                part.root = set;
            } else if number > gate.shard_copies(shard) {
                let labels = memchr::memchr_iter(SEPARATOR, key).count();
                part.most_labels = part.most_labels.max(labels as u32);
                name.set_bytes(key);
                let may_match = match patterns {
                    Ok(Some(patterns)) => patterns.any_matches(&name),
                    Ok(None) => false,
                    Err(_) => true,
                };
                part.rows.push((hash(secrets, key), set << 1 | u32::from(may_match)));
            }
        }
        part
    }
}

impl Table {
    /// `None` if two keys have one hash or a key would be too far from its home.
    fn new(gate: &Gate, seed: u64, value_bits: u32, patterns: &Built) -> Option<Table> {
        let secrets = RapidSecrets::seed(seed);
        let of_shards: Vec<Part> = (0..gate.shard_count())
            .into_par_iter()
            .map(|shard| Part::new(gate, shard, &secrets, patterns))
            .collect();
        let most_labels = of_shards.iter().map(|part| part.most_labels).max().unwrap_or(0);
        let root = of_shards.first().map_or(NONE, |part| part.root);
        let mut rows = Vec::with_capacity(of_shards.iter().map(|part| part.rows.len()).sum());
        of_shards.into_iter().for_each(|part| rows.extend(part.rows));
        rows.par_sort_unstable();
        let slots = rows.len() as u64 * SLOTS_FOR_2_KEYS / 2;
        let homes = slots.div_ceil(HOME_SLOTS as u64).max(1);
        let table = Table {
            seed,
            value_bits,
            homes,
            most_labels,
            root,
            rows,
        };
        let different = table.rows.is_sorted_by(|a, b| a.0 < b.0);
        (different && table.slots().all(|(distance, _, _)| distance < REACH)).then_some(table)
    }

    /// For each row in order: how far its slot is from the begin of its home, the slot, and what it holds.
    fn slots(&self) -> impl Iterator<Item = (u64, u64, u64)> + '_ {
        let mut free = 0;
        self.rows.iter().map(move |&(hash, value)| {
            let (home, rest) = place(hash, self.homes, self.value_bits);
            let home = home * HOME_SLOTS as u64;
            let at = free.max(home);
            free = at + 1;
            let distance = at - home;
            let tells = (distance + 1) << (64 - FAR_BITS - self.value_bits) | rest;
            (distance, at, tells << self.value_bits | u64::from(value))
        })
    }

    fn write(&self, gate: &Gate, to: &mut impl Write) -> io::Result<()> {
        let count = self.homes * HOME_SLOTS as u64 + REACH;
        let mut head = Vec::with_capacity(HEAD_BYTES);
        head.extend(MAGIC);
        head.extend(gate.digest());
        for number in [self.seed, self.homes, count] {
            head.extend(number.to_le_bytes());
        }
        for number in [self.most_labels, self.root, self.value_bits] {
            head.extend(number.to_le_bytes());
        }
        head.resize(HEAD_BYTES, 0);
        to.write_all(&head)?;
        let mut written = 0;
        for (_, at, slot) in self.slots() {
            for _ in written..at {
                to.write_all(&[0; 8])?;
            }
            to.write_all(&slot.to_le_bytes())?;
            written = at + 1;
        }
        for _ in written..count {
            to.write_all(&[0; 8])?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What a walk finds: labels and rule set.
    fn found(walk: impl FnOnce(&mut dyn FnMut(usize, RuleSetId))) -> Vec<(usize, RuleSetId)> {
        let mut found = Vec::new();
        walk(&mut |labels, set| found.push((labels, set)));
        found
    }

    #[track_caller]
    fn assert_same(gate: &Gate, name: &str) {
        let key = Key::parse(name).unwrap();
        let (by_index, by_fst) = (
            found(|visit| {
                gate.walk(&key, visit);
            }),
            found(|visit| gate.walk_fst(&key, visit)),
        );
        assert_eq!(by_index, by_fst, "{name}");
    }

    proptest! {
        #[test]
        fn an_index_finds_what_the_fst_finds(
            exact in proptest::collection::vec("[abc]{1,2}(\\.[abc]){0,4}", 0..40),
            subtree in proptest::collection::vec("[abc]{1,2}(\\.[abc]){0,3}", 0..40),
            asked in proptest::collection::vec("[abc]{1,2}(\\.[abc]){0,6}", 20),
        ) {
            let hosts: String = exact.iter().map(|name| format!("0.0.0.0 {name}\n")).collect();
            let lists = [("a.hosts", "adult", hosts.as_str()), ("b", "gambling", &(subtree.join("\n") + "\n"))];
            let gate = Gate::from_lists(&lists).indexed();
            prop_assert!(gate.has_index());
            for name in asked.iter().chain(&exact).chain(&subtree) {
                assert_same(&gate, name);
            }
            assert_same(&gate, ".");
        }
    }

    proptest! {
        #[test]
        fn a_key_says_whether_any_pattern_matches_its_name(
            exact in proptest::collection::vec("[abc]{1,2}(\\.[abc]){0,3}", 1..40),
            globs in proptest::collection::vec("(\\|\\|)?[abc*]{1,3}\\.[abc*]{1,2}\\^?", 0..6),
            asked in proptest::collection::vec("[abc]{1,2}(\\.[abc]){0,4}", 20),
        ) {
            let hosts: String = exact.iter().map(|name| format!("0.0.0.0 {name}\n")).collect();
            let rules: String = globs.iter().map(|glob| format!("{glob}\n@@{glob}$important\n")).collect();
            let gate = Gate::from_lists(&[("a.hosts", "adult", &hosts), ("b.adguard", "ads", &rules)]).indexed();
            for name in asked.iter().chain(&exact) {
                let key = Key::parse(name).unwrap();
                let mut is_key = false;
                let may_match = gate.walk(&key, |labels, _| is_key |= labels == key.label_count());
                let mut matches = gate.patterns().iter().map(|(pattern, _)| {
                    let alone = Patterns::build(std::iter::once(pattern)).unwrap();
                    alone.is_some_and(|alone| alone.any_matches(&key))
                });
                prop_assert_eq!(may_match, !is_key || matches.any(|matches| matches), "{}", name);
            }
        }
    }

    #[test]
    fn many_names_are_all_found_at_their_places() {
        let names: String = (0..20_000).map(|n| format!("n{n}.d{}.example\n", n % 700)).collect();
        let gate = Gate::from_lists(&[("many", "adult", &names)]).indexed();
        for n in 0..20_000 {
            assert_same(&gate, &format!("www.n{n}.d{}.example", n % 700));
            assert_same(&gate, &format!("m{n}.d{}.example", n % 700));
        }
    }

    #[test]
    fn a_rule_for_the_root_is_found_for_every_name() {
        let gate =
            Gate::from_lists(&[("zone.rpz", "all", "$ORIGIN rpz.\n@ SOA a. b. 1 1 1 1 1\n* CNAME .\n")]).indexed();
        assert_same(&gate, "example.com");
        assert_same(&gate, ".");
    }

    #[test]
    fn an_index_of_another_gate_or_a_damaged_one_is_not_used() {
        let gate = Gate::from_lists(&[("a", "adult", "a.example\n")]);
        let mut index = Vec::new();
        write(&gate, &mut index).unwrap();
        let other = Gate::from_lists(&[("a", "adult", "b.example\n")]);
        assert!(!other.with_index(Bytes::Owned(index.clone())).has_index());
        let digest = gate.digest();
        for cut in [0, 7, HEAD_BYTES - 1, HEAD_BYTES, index.len() - 1] {
            assert!(
                Index::read(Bytes::Owned(index[..cut].into()), &digest).is_none(),
                "{cut}"
            );
        }
        // Whatever a slot or a count says, a look-up ends within the bytes.
        for at in 40..index.len() {
            let mut damaged = index.clone();
            damaged[at] ^= 0x41;
            if let Some(index) = Index::read(Bytes::Owned(damaged), &digest) {
                let key = Key::parse("www.a.example").unwrap();
                index.walk(&key, |labels, _| assert!(labels <= 3));
            }
        }
    }
}
