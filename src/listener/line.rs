//! The line of queries that wait for the resolver, oldest first.
//!
//! In: a query that begins to wait. Out: its place, which hears when it must go.
//! Always: no more than `bound` places are held; one more sends the oldest away, whose client has waited longest and has
//! most likely asked again or given up, while the newest may well be answered from what is known by now.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

/// The line. Only queries that no cache could answer come here, so a lock is no hardship.
#[derive(Debug)]
pub(super) struct Line {
    bound: usize,
    places: Mutex<Places>,
}

#[derive(Debug, Default)]
struct Places {
    next: u64,
    /// By number, so the first is the oldest; a sender that is dropped tells its place to go.
    held: BTreeMap<u64, oneshot::Sender<std::convert::Infallible>>,
}

/// One query's place, given up when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    line: Arc<Line>,
    number: u64,
    /// `None` once it was told.
    told: Option<oneshot::Receiver<std::convert::Infallible>>,
}

impl Line {
    pub fn new(bound: usize) -> Arc<Line> {
        Arc::new(Line {
            bound,
            places: Mutex::default(),
        })
    }

    /// Takes a place at the end; with all taken the oldest is sent away.
    pub fn enter(self: &Arc<Line>) -> Place {
        let (tell, told) = oneshot::channel();
        let mut places = self.places();
        let number = places.next;
        places.next += 1;
        let oldest = (places.held.len() >= self.bound).then(|| places.held.pop_first());
        places.held.insert(number, tell);
        drop(places);
        // It wakes up by this, which is nothing to do under the lock.
        drop(oldest);
        Place {
            line: Arc::clone(self),
            number,
            told: Some(told),
        }
    }

    fn places(&self) -> MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Ends when this query must go, so that another can wait; from then on at once.
    pub async fn sent_away(&mut self) {
        if let Some(told) = &mut self.told {
            // Nothing is ever sent: the end is the message.
            let _ = told.await;
            self.told = None;
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.line.places().held.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    fn must_go(place: &mut Place) -> bool {
        place.sent_away().now_or_never().is_some()
    }

    #[test]
    fn the_oldest_goes_when_one_too_many_comes_and_only_the_oldest() {
        let line = Line::new(3);
        let mut places: Vec<Place> = (0..3).map(|_| line.enter()).collect();
        assert!(!places.iter_mut().any(must_go), "there is room for three");
        places.push(line.enter());
        places.push(line.enter());
        let gone: Vec<bool> = places.iter_mut().map(must_go).collect();
        assert_eq!(gone, [true, true, false, false, false]);
        assert!(must_go(&mut places[0]), "it may be asked again");
    }

    #[test]
    fn a_place_given_up_makes_room_whatever_its_age() {
        let line = Line::new(3);
        let mut places: Vec<Place> = (0..3).map(|_| line.enter()).collect();
        places.remove(1);
        places.push(line.enter());
        assert!(!places.iter_mut().any(must_go));
        places.clear();
        assert!(line.places().held.is_empty(), "nothing is left of who has gone");
    }
}
