//! Where queries wait until they are noted: a bounded ring for each thread that answers.
//!
//! In: [`Asked`], from threads that answer. Out: all of them, to whoever notes them, once a second.
//! Always: a thread writes to a ring of its own, whose lock nobody else takes but to empty it. Of those of whom nothing is kept nothing comes here.
//! At its bound: what comes is counted as dropped, and the query goes on.

use super::Asked;
use crate::limits::ACTIVITY_RING;
use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// What one thread holds.
#[derive(Debug, Default)]
struct Held {
    asked: Vec<Asked>,
    dropped: u64,
}

type Ring = Mutex<Held>;

/// The rings of all threads.
#[derive(Debug)]
pub struct Rings {
    /// Tells one set of rings from another in a thread's memory; only tests have more than one.
    id: u64,
    threads: Mutex<Vec<Arc<Ring>>>,
}

thread_local! {
    /// This thread's ring, for each `Rings` it puts to.
    static MINE: RefCell<Vec<(u64, Arc<Ring>)>> = const { RefCell::new(Vec::new()) };
}

/// What the rings held.
#[derive(Debug, Default)]
pub struct Taken {
    pub asked: Vec<Asked>,
    /// How many there was no room for.
    pub dropped: u64,
}

impl Default for Rings {
    fn default() -> Rings {
        static IDS: AtomicU64 = AtomicU64::new(0);
        Rings {
            id: IDS.fetch_add(1, Ordering::Relaxed),
            threads: Mutex::default(),
        }
    }
}

impl Rings {
    /// Holds one query until it is taken.
    pub fn put(&self, asked: Asked) {
        MINE.with_borrow_mut(|mine| {
            let at = match mine.iter().position(|(id, _)| *id == self.id) {
                Some(at) => at,
                None => {
                    let ring = Arc::new(Ring::default());
                    let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
                    threads.push(Arc::clone(&ring));
                    mine.push((self.id, ring));
                    mine.len() - 1
                }
            };
            let mut held = mine[at].1.lock().unwrap_or_else(PoisonError::into_inner);
            match held.asked.len() < ACTIVITY_RING {
                true => held.asked.push(asked),
                false => held.dropped += 1,
            }
        });
    }

    /// Takes all that is held.
    pub fn take(&self) -> Taken {
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        let mut taken = Taken::default();
        for ring in threads.iter() {
            let held = std::mem::take(&mut *ring.lock().unwrap_or_else(PoisonError::into_inner));
            taken.dropped += held.dropped;
            taken.asked.extend(held.asked);
        }
        // Those of threads that have ended are empty now.
        threads.retain(|ring| Arc::strong_count(ring) > 1);
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activity::record::tests::{asked, whose};
    use crate::config::settings::LogChoice;

    #[test]
    fn what_a_full_ring_has_no_room_for_is_counted_and_the_next_second_has_room_again() {
        let rings = Rings::default();
        let masha = whose("person:masha", LogChoice::Counts, 7);
        for _ in 0..ACTIVITY_RING + 3 {
            rings.put(asked(&masha, 1, "a.example", None));
        }
        let taken = rings.take();
        assert_eq!((taken.asked.len(), taken.dropped), (ACTIVITY_RING, 3));
        rings.put(asked(&masha, 1, "a.example", None));
        let taken = rings.take();
        assert_eq!((taken.asked.len(), taken.dropped), (1, 0));
    }

    #[test]
    fn nothing_put_by_a_thread_is_lost_with_it() {
        let rings = Rings::default();
        let masha = whose("person:masha", LogChoice::Counts, 7);
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| (0..100).for_each(|_| rings.put(asked(&masha, 1, "a.example", None))));
            }
        });
        assert_eq!(rings.take().asked.len(), 300);
        assert!(rings.threads.lock().unwrap().is_empty(), "rings of ended threads go");
    }
}
