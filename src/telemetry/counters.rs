//! Counters that no two threads share: each thread adds to its own, and whoever asks sums them.
//!
//! In: what happened ([`Counts`]). Out: sums since the start.
//! Always: adding touches no cache line that another thread writes, takes no lock and allocates nothing (a thread's first
//! addition through [`Counters::add`] does both, once). A sum is not one moment's, but no counter ever goes back.

use crate::count::{Count, Counts};
use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

/// The counters of one thread, on cache lines of their own (two lines apart: processors fetch lines in pairs).
#[repr(align(128))]
pub struct OwnCounters {
    values: [AtomicU64; Count::ALL.len()],
}

impl OwnCounters {
    fn new() -> OwnCounters {
        OwnCounters {
            values: [const { AtomicU64::new(0) }; Count::ALL.len()],
        }
    }

    /// Adds `n`. Only the thread that [`Counters::register`]ed may call this: a load and a store, no locked instruction.
    pub fn add(&self, count: Count, n: u64) {
        let value = &self.values[count as usize];
        value.store(value.load(Relaxed).wrapping_add(n), Relaxed);
    }

    /// Adds one to each count of the set; the same rule as for [`add`](OwnCounters::add).
    pub fn add_all(&self, counts: Counts) {
        for count in counts.iter() {
            self.add(count, 1);
        }
    }
}

/// All threads' counters.
pub struct Counters {
    /// Tells one set of counters from another in a thread's memory; only tests have more than one.
    id: u64,
    threads: Mutex<Vec<Arc<OwnCounters>>>,
}

thread_local! {
    /// This thread's counters, for each `Counters` it adds to.
    static MINE: RefCell<Vec<(u64, Arc<OwnCounters>)>> = const { RefCell::new(Vec::new()) };
}

impl Counters {
    pub fn new() -> Counters {
        static IDS: AtomicU64 = AtomicU64::new(0);
        Counters {
            id: IDS.fetch_add(1, Relaxed),
            threads: Mutex::default(),
        }
    }

    /// Counters for the calling thread to keep and to add to. Those of a thread that has ended go to the next one, so
    /// nothing counted is lost and short-lived threads do not pile up.
    pub fn register(&self) -> Arc<OwnCounters> {
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        // Only the list holds it, so nobody adds to it any more; and only under this lock is it given away again.
        let free = threads
            .iter_mut()
            .find_map(|own| Arc::get_mut(own).is_some().then(|| Arc::clone(own)));
        if let Some(free) = free {
            return free;
        }
        let own = Arc::new(OwnCounters::new());
        threads.push(Arc::clone(&own));
        own
    }

    /// Adds to the calling thread's counters, for tasks that move between threads.
    pub fn add(&self, counts: Counts) {
        MINE.with_borrow_mut(|mine| {
            if let Some((_, own)) = mine.iter().find(|(id, _)| *id == self.id) {
                own.add_all(counts);
            } else {
                let own = self.register();
                own.add_all(counts);
                mine.push((self.id, own));
            }
        });
    }

    /// The sums over all threads, in the order of [`Count::ALL`].
    pub fn sum(&self) -> Sums {
        let threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        let mut values = [0u64; Count::ALL.len()];
        for own in threads.iter() {
            for (sum, value) in values.iter_mut().zip(&own.values) {
                *sum = sum.wrapping_add(value.load(Relaxed));
            }
        }
        Sums { values }
    }
}

impl Default for Counters {
    fn default() -> Counters {
        Counters::new()
    }
}

/// What the counters stood at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sums {
    values: [u64; Count::ALL.len()],
}

impl Sums {
    pub fn get(&self, count: Count) -> u64 {
        self.values[count as usize]
    }

    pub fn iter(&self) -> impl Iterator<Item = (Count, u64)> + '_ {
        Count::ALL.iter().map(|&count| (count, self.get(count)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    #[test]
    fn nothing_counted_is_lost_when_threads_come_and_go() {
        let counters = Counters::new();
        for _ in 0..3 {
            thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| {
                        let own = counters.register();
                        for _ in 0..1000 {
                            own.add_all(Counts::one(Count::QueriesUdp).with(Count::Cached));
                        }
                        own.add(Count::QueriesUdp, 5);
                        counters.add(Count::QueriesTcp.into());
                    });
                }
            });
        }
        let sums = counters.sum();
        assert_eq!(sums.get(Count::QueriesUdp), 12 * 1005);
        assert_eq!(sums.get(Count::Cached), 12 * 1000);
        assert_eq!(sums.get(Count::QueriesTcp), 12);
        assert_eq!(sums.iter().map(|(_, value)| value).sum::<u64>(), 12 * 2006);
        assert!(
            counters.threads.lock().unwrap().len() <= 8,
            "counters of ended threads are used again"
        );
    }

    #[test]
    fn two_sets_of_counters_do_not_mix_in_one_thread() {
        let (a, b) = (Counters::new(), Counters::new());
        a.add(Count::Blocked.into());
        b.add(Count::Failed.into());
        a.add(Count::Blocked.into());
        assert_eq!((a.sum().get(Count::Blocked), a.sum().get(Count::Failed)), (2, 0));
        assert_eq!((b.sum().get(Count::Blocked), b.sum().get(Count::Failed)), (0, 1));
    }

    #[test]
    fn counters_of_two_threads_share_no_cache_line() {
        assert_eq!(align_of::<OwnCounters>(), 128);
        assert_eq!(size_of::<OwnCounters>() % 128, 0);
    }
}
