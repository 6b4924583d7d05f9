//! Which local zone a name is in.
//!
//! Always: a name outside every local zone is told by its last label, most of the time, and by one probe for each suffix
//! length that some zone has, at worst. Look-ups allocate nothing.

use super::zone::Zone;
use crate::dns::name;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// What stands at a zone's apex.
#[derive(Debug, Clone)]
pub(super) enum Entry {
    /// Answered here.
    Zone(Box<Zone>),
    /// `[[zone]] forward`: the names below are the resolver's, whatever built-in zone is above.
    Elsewhere,
}

/// Local zones by apex (lower-case wire form).
#[derive(Debug, Clone, Default)]
pub(super) struct Table {
    entries: HashMap<Box<[u8]>, Entry, BuildHasherDefault<Fnv>>,
    /// The last labels of all apexes, lower case.
    tops: Vec<Box<[u8]>>,
    /// Of those, a bit for each by [`bit`]: most names are told by it.
    some_tops: u64,
    /// Whether some apex has this length in wire form.
    lengths: Lengths,
    /// A zone at the root: every name is a candidate.
    root: bool,
}

#[derive(Debug, Clone)]
struct Lengths([bool; 256]);

impl Default for Lengths {
    fn default() -> Self {
        Lengths([false; 256])
    }
}

impl Table {
    /// Puts an entry at `apex` (lower-case wire form), in place of what stands there.
    pub(super) fn insert(&mut self, apex: Box<[u8]>, entry: Entry) {
        debug_assert!(apex.iter().all(|byte| !byte.is_ascii_uppercase()));
        self.lengths.0[apex.len()] = true;
        match name::labels(&apex).last() {
            None => self.root = true,
            Some(top) if self.tops.iter().any(|known| **known == *top) => {}
            Some(top) => {
                self.some_tops |= 1 << bit(top.len(), top[0]);
                self.tops.push(top.into());
            }
        }
        self.entries.insert(apex, entry);
    }

    pub(super) fn get_mut(&mut self, apex: &[u8]) -> Option<&mut Entry> {
        self.entries.get_mut(apex)
    }

    /// The entries whose apex is `qname` or above it, the nearest first. `qname` is an uncompressed wire name, any case.
    pub(super) fn candidates<'a>(&'a self, qname: &[u8]) -> impl Iterator<Item = &'a Entry> + use<'a> {
        let mut lower = [0; 255];
        let mut at = 0;
        // A name that is none (longer than 255 bytes) has no candidates.
        let mut end = 0;
        if qname.len() <= lower.len() && self.may_hold(qname) {
            lower[..qname.len()].copy_from_slice(qname);
            lower[..qname.len()].make_ascii_lowercase();
            end = qname.len();
        }
        std::iter::from_fn(move || {
            while at < end {
                let suffix = &lower[at..end];
                let step = usize::from(suffix[0]) + 1;
                let hit = self.lengths.0[suffix.len()].then(|| self.entries.get(suffix)).flatten();
                at += step;
                if hit.is_some() {
                    return hit;
                }
            }
            None
        })
    }

    /// Whether a name may have [`candidates`](Table::candidates): none has that ends in no label that an apex ends in.
    #[inline]
    pub(super) fn may_hold(&self, qname: &[u8]) -> bool {
        if self.root {
            return true;
        }
        let (mut at, mut last) = (0, &[][..]);
        while let Some(length @ 1..=63) = qname.get(at).copied().map(usize::from) {
            let Some(label) = qname.get(at + 1..at + 1 + length) else {
                break;
            };
            last = label;
            at += 1 + length;
        }
        let Some(&first) = last.first() else {
            return false;
        };
        self.some_tops >> bit(last.len(), first) & 1 != 0 && self.tops.iter().any(|top| top.eq_ignore_ascii_case(last))
    }
}

/// Which of 64 bits a label has, by its length and its first byte, whatever the case.
#[inline]
fn bit(length: usize, first: u8) -> u32 {
    (length as u32 * 27 + u32::from(first | 0x20)) % 64
}

/// FNV-1a: short keys that the operator wrote need no defense against chosen collisions.
#[derive(Debug, Clone)]
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Fnv(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for Fnv {
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn finish(&self) -> u64 {
        // The table takes its buckets from both ends of the hash; FNV mixes upwards only.
        self.0 ^ (self.0 >> 29)
    }
}
