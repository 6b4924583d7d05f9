//! Names with a value each; finds those that a name is or lies below.
//!
//! In: keys with values, once; then a key. Out: the values of it and of its parents, the longest name first.
//! Always: allocates nothing once it is made; a look-up costs one look into a table of hashes for each label.

use crate::dns::key::{Key, SEPARATOR};
use rapidhash::v3::rapidhash_v3_micro_inline;

/// See the page's first lines.
#[derive(Debug)]
pub struct Suffixes<T> {
    rows: Vec<(Box<[u8]>, T)>,
    /// A row's number and one, and above them the upper half of its key's hash, at the place of that hash or behind it; 0: free. At least half
    /// of it is. Most names that are none of these are told without a look at a row.
    slots: Box<[u64]>,
    /// The fewest and the most labels of a name.
    labels: (usize, usize),
    /// A bit by the hash of the last two labels of each name that has as many. Most names that are asked for are told by it that neither they
    /// nor a parent with more than one label are here.
    tops: Box<[u64]>,
}

impl<T> Default for Suffixes<T> {
    fn default() -> Suffixes<T> {
        Suffixes {
            rows: Vec::new(),
            slots: Box::default(),
            labels: (1, 0),
            tops: Box::default(),
        }
    }
}

/// The names are the operator's own: nobody else chooses keys, so that the hash needs no secret.
#[inline]
fn hash(key: &[u8]) -> u64 {
    rapidhash_v3_micro_inline::<true, false>(key, &rapidhash::v3::DEFAULT_RAPID_SECRETS)
}

/// The place of a hash among the bits of so many words, a power of two.
#[inline]
fn place(hash: u64, words: usize) -> (usize, u64) {
    ((hash >> 38) as usize & words.wrapping_sub(1), 1 << (hash >> 32 & 63))
}

/// The bits of a hash that stand in a slot.
const TAG: u64 = !(u32::MAX as u64);

impl<T: Copy> Suffixes<T> {
    /// Of equal keys the first one counts.
    pub fn new(names: impl IntoIterator<Item = (Box<[u8]>, T)>) -> Suffixes<T> {
        let mut rows: Vec<(Box<[u8]>, T)> = names.into_iter().collect();
        // Stable: of equal names the first comes first and stays.
        rows.sort_by(|a, b| a.0.cmp(&b.0));
        rows.dedup_by(|later, first| later.0 == first.0);
        let mut made = Suffixes::default();
        if rows.is_empty() {
            return made;
        }
        let mut slots = vec![0u64; (2 * rows.len()).next_power_of_two()];
        let mask = slots.len() - 1;
        let mut tops = vec![0u64; (rows.len() / 4).next_power_of_two()];
        let (mut fewest, mut most) = (usize::MAX, 0);
        for ((key, _), number) in rows.iter().zip(1..) {
            let labels = memchr::memchr_iter(SEPARATOR, key).count();
            if let Some(second) = memchr::memchr_iter(SEPARATOR, key).nth(1) {
                let (word, bit) = place(hash(&key[..=second]), tops.len());
                tops[word] |= bit;
            }
            (fewest, most) = (fewest.min(labels), most.max(labels));
            let hash = hash(key);
            let mut at = hash as usize & mask;
            while slots[at] != 0 {
                at = (at + 1) & mask;
            }
            slots[at] = hash & TAG | number;
        }
        made.rows = rows;
        made.slots = slots.into();
        made.labels = (fewest, most);
        made.tops = tops.into();
        made
    }

    /// Whether a name may lie within the domain that these two labels name.
    #[inline]
    fn may_have(&self, top: &[u8]) -> bool {
        let (word, bit) = place(hash(top), self.tops.len());
        self.tops.get(word).is_some_and(|bits| bits & bit != 0)
    }

    #[inline]
    fn get(&self, key: &[u8]) -> Option<T> {
        let mask = self.slots.len().checked_sub(1)?;
        let hash = hash(key);
        let mut at = hash as usize & mask;
        loop {
            let slot = *self.slots.get(at)?;
            let row = (slot & !TAG).checked_sub(1)?;
            if slot & TAG == hash & TAG
                && let Some((known, value)) = self.rows.get(row as usize)
                && **known == *key
            {
                return Some(*value);
            }
            at = (at + 1) & mask;
        }
    }

    /// The names that `key` or a parent of it is, the longest first: how many labels each has, and its value.
    #[inline]
    pub fn all<'s, 'k>(&'s self, key: &'k Key) -> impl Iterator<Item = (usize, T)> + use<'s, 'k, T> {
        let (fewest, most) = self.labels;
        let most = match key.label_count().min(most) {
            labels @ 2.. if !self.may_have(key.prefix(2)) => labels.min(1),
            labels => labels,
        };
        (fewest..=most)
            .rev()
            .filter_map(|labels| Some((labels, self.get(key.prefix(labels))?)))
    }

    /// Bytes it takes.
    pub fn size_bytes(&self) -> usize {
        let row = |(key, _): &(Box<[u8]>, T)| size_of::<(Box<[u8]>, T)>() + key.len();
        self.rows.iter().map(row).sum::<usize>() + size_of_val(&*self.slots) + size_of_val(&*self.tops)
    }
}

/// Names with several values each.
#[derive(Debug)]
pub struct Groups<V> {
    /// Ranges of `values`.
    names: Suffixes<(u32, u32)>,
    values: Vec<V>,
}

impl<V> Default for Groups<V> {
    fn default() -> Groups<V> {
        Groups {
            names: Suffixes::default(),
            values: Vec::new(),
        }
    }
}

impl<V> Groups<V> {
    /// Values of equal keys stay in their order.
    pub fn new(mut rows: Vec<(Box<[u8]>, V)>) -> Groups<V> {
        rows.sort_by(|a, b| a.0.cmp(&b.0));
        let mut keys = Vec::new();
        let mut start = 0;
        for same in rows.chunk_by(|a, b| a.0 == b.0) {
            let end = start + same.len() as u32;
            keys.push((same[0].0.clone(), (start, end)));
            start = end;
        }
        Groups {
            names: Suffixes::new(keys),
            values: rows.into_iter().map(|(_, value)| value).collect(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// As [`Suffixes::all`].
    #[inline]
    pub fn all<'g, 'k>(&'g self, key: &'k Key) -> impl Iterator<Item = (usize, &'g [V])> + use<'g, 'k, V> {
        let values = |(start, end): (u32, u32)| &self.values[start as usize..end as usize];
        self.names.all(key).map(move |(labels, range)| (labels, values(range)))
    }

    /// Bytes it takes.
    pub fn size_bytes(&self) -> usize {
        self.names.size_bytes() + size_of_val(&*self.values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn all_names_that_a_name_is_or_lies_below_are_found_the_longest_first(
            names in proptest::collection::vec("[ab](\\.[ab]{1,2}){0,3}|\\.", 0..30),
            asked in proptest::collection::vec("[ab](\\.[ab]{1,2}){0,4}", 10),
        ) {
            let key = |name: &String| Key::parse(name).unwrap();
            let rows = names.iter().zip(0u32..).map(|(name, at)| (Box::from(key(name).as_bytes()), at));
            let table = Suffixes::new(rows);
            for asked in &asked {
                let asked = key(asked);
                let first = |labels: usize| names.iter().position(|name| key(name).as_bytes() == asked.prefix(labels));
                let slow: Vec<(usize, u32)> = (0..=asked.label_count())
                    .rev()
                    .filter_map(|labels| Some((labels, first(labels)? as u32)))
                    .collect();
                prop_assert_eq!(table.all(&asked).collect::<Vec<_>>(), slow);
            }
        }
    }
}
