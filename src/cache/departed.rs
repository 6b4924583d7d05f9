//! What left the cache unread a while ago: so much of its hash that it is known again.
//!
//! In: hashes nobody outside can predict, as they leave and as they come. Out: whether one left among the last so many.
//! Always: four bytes for each that can be remembered, taken when the first leaves; constant work. Names are not in it, and what
//! is in it means nothing without the key that the process drew at its start; yet with that key it would tell what was asked for, so
//! [`forget`](Departed::forget) goes with every flush.
//! Fails: by a chance of one in some ten thousand it knows what it never saw, and where many fall into one set it has forgotten one
//! too early. Either costs a little of the hit ratio, nothing else.

/// Words of a set: half a line of cache. With fewer, sets overflow while others are empty.
const SET_WORDS: usize = 8;
/// A clock that goes so many times slower than departures, as a part of all words: its steps are fine beside what it measures,
/// and it comes round only after every word was overwritten many times.
const STEPS: usize = 1024;
/// Below the fingerprint lies the step at which it left.
const STEP_BITS: u32 = 16;

/// The words: upper half the fingerprint, never 0, lower half when it left; 0 is an empty one.
#[derive(Debug, Default)]
pub struct Departed {
    words: Vec<u32>,
    sets: usize,
    /// How many ever left.
    count: u64,
}

impl Departed {
    /// One that remembers some `room` hashes.
    pub fn new(room: usize) -> Departed {
        Departed {
            words: Vec::new(),
            sets: room.div_ceil(SET_WORDS).min(u32::MAX as usize),
            count: 0,
        }
    }

    /// Bytes of memory when it is in use.
    pub fn full_bytes(&self) -> usize {
        self.sets * SET_WORDS * size_of::<u32>()
    }

    /// Bytes of memory taken so far.
    pub fn bytes(&self) -> usize {
        self.words.capacity() * size_of::<u32>()
    }

    /// Departures in one step of the clock.
    fn pace(&self) -> u64 {
        (self.sets * SET_WORDS / STEPS).max(1) as u64
    }

    fn step(&self) -> u16 {
        (self.count / self.pace()) as u16
    }

    /// The set of a hash, and its fingerprint in place. The lower half of a hash chooses the set; of the upper half the lower bits
    /// are the same in a whole shard, so the fingerprint is of the others.
    fn place(&self, hash: u64) -> (usize, u32) {
        let set = ((hash & 0xffff_ffff) * self.sets as u64) >> 32;
        (set as usize * SET_WORDS, ((hash >> 48) as u32).max(1) << STEP_BITS)
    }

    /// Remembers a hash; in a full set the one that left first gives way.
    pub fn add(&mut self, hash: u64) {
        if self.sets == 0 {
            return;
        }
        if self.words.is_empty() {
            self.words = vec![0; self.sets * SET_WORDS];
        }
        let (at, fingerprint) = self.place(hash);
        let step = self.step();
        let word = self.words[at..at + SET_WORDS]
            .iter_mut()
            .max_by_key(|word| match **word {
                0 => u32::MAX,
                word => u32::from(step.wrapping_sub(word as u16)),
            })
            .expect("a set has words");
        *word = fingerprint | u32::from(step);
        self.count += 1;
    }

    /// Whether a hash was among the last `length` that left; it is forgotten by that.
    pub fn take(&mut self, hash: u64, length: usize) -> bool {
        if self.words.is_empty() {
            return false;
        }
        let (at, fingerprint) = self.place(hash);
        let (step, pace) = (self.step(), self.pace());
        let known = self.words[at..at + SET_WORDS]
            .iter_mut()
            .find(|word| **word & !0xffff == fingerprint);
        known.is_some_and(|word| {
            let age = u64::from(step.wrapping_sub(*word as u16)) * pace;
            *word = 0;
            age <= length as u64
        })
    }

    /// Forgets all of them.
    pub fn forget(&mut self) {
        self.words.fill(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(number: u64) -> u64 {
        let mixed = (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed ^ mixed >> 31).wrapping_mul(0xd6e8_feb8_6659_fd93)
    }

    #[test]
    fn what_left_is_known_once_and_what_never_came_is_not() {
        let mut departed = Departed::new(1000);
        assert_eq!(departed.bytes(), 0, "no memory before the first");
        (0..500).for_each(|number| departed.add(hash(number)));
        assert_eq!(departed.bytes(), departed.full_bytes());
        assert_eq!((0..250).filter(|&number| departed.take(hash(number), 900)).count(), 250);
        assert_eq!((0..250).filter(|&number| departed.take(hash(number), 900)).count(), 0);
        let by_chance = (500..100_000)
            .filter(|&number| departed.take(hash(number), 900))
            .count();
        assert!(by_chance < 20, "{by_chance} of a hundred thousand");
    }

    #[test]
    fn it_reaches_back_as_far_as_asked_and_no_further() {
        let mut departed = Departed::new(1024);
        (0..600).for_each(|number| departed.add(hash(number)));
        assert!(!departed.take(hash(599 - 100), 100), "there were 100 after it, and it");
        assert!(departed.take(hash(599 - 99), 100));
    }

    #[test]
    fn nearly_all_of_as_many_as_there_is_room_for_are_known_and_memory_stays_the_same() {
        let mut departed = Departed::new(10_000);
        // So many that the clock comes round more than once.
        let last = 1_000_000;
        (0..last).for_each(|number| departed.add(hash(number)));
        assert_eq!(departed.bytes(), 40_000);
        let known = (last - 6_000..last)
            .filter(|&number| departed.take(hash(number), 6_000))
            .count();
        assert!(known > 5_700, "{known}");
        let older = (0..last - 10_000)
            .filter(|&number| departed.take(hash(number), 6_000))
            .count();
        assert!(older < 600, "only by chance: {older}");
    }

    #[test]
    fn after_forgetting_nothing_is_left_in_memory() {
        let mut departed = Departed::new(100);
        (0..90).for_each(|number| departed.add(hash(number)));
        departed.forget();
        assert!(departed.words.iter().all(|&word| word == 0));
        assert!(!departed.take(hash(89), 100));
    }

    #[test]
    fn one_without_room_remembers_nothing() {
        let mut departed = Departed::new(0);
        departed.add(hash(1));
        assert!(!departed.take(hash(1), 100));
        assert_eq!((departed.bytes(), departed.full_bytes()), (0, 0));
    }
}
