//! Finds entries by hash: buckets of eight slots, each hash at home in two of them.
//!
//! In: a 64-bit hash nobody outside can predict. Out: the first blocks of entries that may have it.
//! Always: a look-up reads at most two lines of cache and takes no lock; inserting and removing happen under the shard's.
//! An entry never moves while it is indexed. Memory is taken page by page as slots are first used.

use super::arena::BlockId;
use std::sync::OnceLock;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

/// Slots of a bucket: one line of cache.
const BUCKET_SLOTS: usize = 8;
/// Buckets that are allocated together: 4 KiB.
const SEGMENT_BUCKETS: usize = 64;
/// What an allocation costs beside its bytes.
const ALLOCATION_BYTES: usize = 64 + 16;

const ID_BITS: u32 = 28;
const ID_MASK: u64 = (1 << ID_BITS) - 1;

/// Each slot is the upper 36 bits of a hash and a block number; 0 is an empty one.
#[repr(align(64))]
pub struct Bucket([AtomicU64; BUCKET_SLOTS]);

impl Bucket {
    fn empty() -> Bucket {
        Bucket([const { AtomicU64::new(0) }; BUCKET_SLOTS])
    }

    /// Which slots hold the upper bits of this hash, as bits.
    #[inline]
    fn matches(&self, hash: u64) -> u32 {
        // All slots are looked at: that is faster than stopping somewhere.
        self.0.iter().rev().fold(0, |some, slot| {
            some << 1 | u32::from((slot.load(Acquire) ^ hash) >> ID_BITS == 0)
        })
    }

    fn empty_slots(&self) -> usize {
        self.0.iter().filter(|slot| slot.load(Relaxed) == 0).count()
    }
}

pub struct Index {
    segments: Box<[OnceLock<Box<[Bucket]>>]>,
}

fn slot_word(hash: u64, id: BlockId) -> u64 {
    hash & !ID_MASK | u64::from(id)
}

impl Index {
    /// An index with room for at least `entries` entries.
    pub fn new(entries: usize) -> Index {
        let segments = entries.div_ceil(BUCKET_SLOTS * SEGMENT_BUCKETS).max(1);
        Index {
            segments: (0..segments).map(|_| OnceLock::new()).collect(),
        }
    }

    /// Bytes of memory when all of it is taken.
    pub fn full_bytes(&self) -> usize {
        let segment = size_of::<OnceLock<Box<[Bucket]>>>() + SEGMENT_BUCKETS * size_of::<Bucket>() + ALLOCATION_BYTES;
        self.segments.len() * segment
    }

    /// Bytes of memory taken so far.
    pub fn bytes(&self) -> usize {
        let taken = self.segments.iter().filter(|segment| segment.get().is_some()).count();
        size_of_val(&*self.segments) + taken * (SEGMENT_BUCKETS * size_of::<Bucket>() + ALLOCATION_BYTES)
    }

    /// The two buckets of a hash, as segment and place in it. They may be the same.
    fn homes(&self, hash: u64) -> [(usize, usize); 2] {
        let buckets = (self.segments.len() * SEGMENT_BUCKETS) as u64;
        // The second comes from other bits than the first, or two entries that share one would share both.
        [hash & 0xffff_ffff, hash.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32].map(|part| {
            let bucket = ((part * buckets) >> 32) as usize;
            (bucket / SEGMENT_BUCKETS, bucket % SEGMENT_BUCKETS)
        })
    }

    fn buckets(&self, hash: u64) -> impl Iterator<Item = &Bucket> {
        self.homes(hash)
            .into_iter()
            .filter_map(|(segment, place)| self.segments[segment].get()?.get(place))
    }

    fn slots(&self, hash: u64) -> impl Iterator<Item = &AtomicU64> {
        self.buckets(hash).flat_map(|bucket| &bucket.0)
    }

    /// The entries that may have this hash, without a lock.
    #[inline]
    pub fn find(&self, hash: u64) -> Candidates<'_> {
        Candidates {
            hash,
            buckets: self
                .homes(hash)
                .map(|(segment, place)| self.segments[segment].get()?.get(place)),
            next: 0,
            bucket: None,
            matches: 0,
        }
    }

    /// Reads the first bucket of a hash, so that it is near for who looks into it soon after.
    #[inline]
    pub fn touch(&self, hash: u64) -> u64 {
        self.buckets(hash).next().map_or(0, |bucket| bucket.0[0].load(Relaxed))
    }

    /// Adds an entry, to the first of its two buckets while that is half empty, so that most are found by one look, else to the emptier one; false
    /// if both are full.
    pub fn insert(&self, hash: u64, id: BlockId) -> bool {
        let [first, second] = self.homes(hash).map(|(segment, place)| {
            let segment =
                self.segments[segment].get_or_init(|| (0..SEGMENT_BUCKETS).map(|_| Bucket::empty()).collect());
            &segment[place]
        });
        let room = first.empty_slots();
        let bucket = if room >= BUCKET_SLOTS / 2 || room >= second.empty_slots() {
            first
        } else {
            second
        };
        match bucket.0.iter().find(|slot| slot.load(Relaxed) == 0) {
            Some(slot) => {
                slot.store(slot_word(hash, id), Release);
                true
            }
            None => false,
        }
    }

    /// Puts `new` in the place of `old`, in one step for readers; both have this hash.
    pub fn replace(&self, hash: u64, old: BlockId, new: BlockId) {
        self.swap(slot_word(hash, old), hash, slot_word(hash, new));
    }

    /// Removes an entry.
    pub fn remove(&self, hash: u64, id: BlockId) {
        self.swap(slot_word(hash, id), hash, 0);
    }

    fn swap(&self, from: u64, hash: u64, to: u64) {
        let slot = self.slots(hash).find(|slot| slot.load(Relaxed) == from);
        slot.expect("a stored entry is indexed").store(to, Release);
    }

    /// All entries in the two buckets of this hash, for choosing which must go when both are full.
    pub fn neighbors(&self, hash: u64) -> impl Iterator<Item = BlockId> {
        self.slots(hash).filter_map(|slot| match slot.load(Relaxed) & ID_MASK {
            0 => None,
            id => Some(id as BlockId),
        })
    }
}

/// What [`Index::find`] finds, the second bucket looked into when the first is through.
pub struct Candidates<'a> {
    hash: u64,
    buckets: [Option<&'a Bucket>; 2],
    next: usize,
    bucket: Option<&'a Bucket>,
    /// Of its slots those that are still to be told.
    matches: u32,
}

impl Iterator for Candidates<'_> {
    type Item = BlockId;

    #[inline]
    fn next(&mut self) -> Option<BlockId> {
        loop {
            match self.bucket {
                Some(bucket) if self.matches != 0 => {
                    let slot = self.matches.trailing_zeros() as usize;
                    self.matches &= self.matches - 1;
                    let word = bucket.0[slot % BUCKET_SLOTS].load(Acquire);
                    // Another may have taken the slot since.
                    if (word ^ self.hash) >> ID_BITS == 0 && word & ID_MASK != 0 {
                        return Some((word & ID_MASK) as BlockId);
                    }
                }
                _ => {
                    self.bucket = *self.buckets.get(self.next)?;
                    self.next += 1;
                    self.matches = self.bucket.map_or(0, |bucket| bucket.matches(self.hash));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Well mixed and the same each run.
    fn hashes() -> impl Iterator<Item = u64> {
        let mut state = 1u64;
        std::iter::repeat_with(move || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state ^ state >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd)
        })
    }

    #[test]
    fn what_was_inserted_is_found_until_removed() {
        let index = Index::new(2000);
        let known: Vec<u64> = hashes().take(1000).collect();
        for (id, &hash) in (1..).zip(&known) {
            assert!(index.insert(hash, id), "half full, a bucket of the two has room");
        }
        for (id, &hash) in (1..).zip(&known) {
            assert!(index.find(hash).any(|found| found == id));
            index.replace(hash, id, id + 5000);
            assert!(index.find(hash).any(|found| found == id + 5000) && !index.find(hash).any(|found| found == id));
            index.remove(hash, id + 5000);
            assert_eq!(index.find(hash).count(), 0);
        }
    }

    #[test]
    fn two_choices_fill_three_quarters_before_the_first_entry_finds_no_room() {
        let index = Index::new(BUCKET_SLOTS * SEGMENT_BUCKETS * 16);
        let slots = BUCKET_SLOTS * SEGMENT_BUCKETS * 16;
        let inserted = (1..)
            .zip(hashes())
            .take_while(|&(id, hash)| index.insert(hash, id))
            .count();
        assert!(inserted > slots * 3 / 4, "{inserted} of {slots}");
        let (_, refused) = (1..).zip(hashes()).nth(inserted).unwrap();
        assert_eq!(index.neighbors(refused).count(), 2 * BUCKET_SLOTS);
    }

    #[test]
    fn memory_is_taken_as_slots_are_used() {
        let index = Index::new(100_000);
        assert!(index.bytes() < index.full_bytes() / 50);
        for (id, hash) in (1..).zip(hashes()).take(50_000) {
            index.insert(hash, id);
        }
        assert_eq!(index.bytes(), index.full_bytes());
    }
}
