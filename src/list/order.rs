//! Puts the names of all lists in order and cuts them into shards.
//!
//! In: parsed lists. Out: [`Item`]s, sorted, and the ranges of them that shards are made of.
//! Always: the same lists give the same order, however many threads sort.

use crate::list::rule::{NameEntry, Parsed};
use rayon::prelude::*;

/// Entries that a shard holds before another one is made, and the most shards there are. The first bounds what one thread
/// does alone, the second what a look-up must search through to find its shard.
const SHARD_ENTRIES: usize = 200_000;
const SHARDS: usize = 32;

/// One name entry while it is sorted.
#[derive(Clone, Copy)]
pub(super) struct Item {
    /// 16 bytes of the key, from where the sort has got to, big-endian, filled up with zeros.
    pub(super) words: [u64; 2],
    pub(super) entry: u32,
    pub(super) source: u16,
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
pub(super) fn sorted(parsed: &[Parsed]) -> Vec<Item> {
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

pub(super) fn entry_of<'p>(parsed: &'p [Parsed], item: &Item) -> (&'p [u8], &'p NameEntry) {
    let list = &parsed[usize::from(item.source)];
    let entry = &list.names[item.entry as usize];
    (list.key(entry), entry)
}

/// The part of a key that decides its shard: its first two labels.
pub(super) fn shard_prefix(key: &[u8]) -> &[u8] {
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
pub(super) fn shard_ranges(items: &[Item], parsed: &[Parsed]) -> Vec<std::ops::Range<usize>> {
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
