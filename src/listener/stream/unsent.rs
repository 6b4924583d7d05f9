//! How many bytes of responses wait for clients that do not take them, all streams together.
//!
//! Always: only what a connection has to put aside is counted, so that whoever reads its responses touches nothing shared.

use std::sync::atomic::{AtomicUsize, Ordering};

#[derive(Debug)]
pub(in crate::listener) struct Unsent {
    bytes: AtomicUsize,
    most: usize,
}

impl Unsent {
    pub fn new(most: usize) -> Unsent {
        Unsent {
            bytes: AtomicUsize::new(0),
            most,
        }
    }

    /// Whether so many more may be put aside; if so they are counted until they are [given back](Unsent::give_back).
    pub fn take(&self, bytes: usize) -> bool {
        let before = self.bytes.fetch_add(bytes, Ordering::Relaxed);
        let is_room = before + bytes <= self.most;
        if !is_room {
            self.give_back(bytes);
        }
        is_room
    }

    pub fn give_back(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_put_aside_than_there_is_room_for_and_what_is_given_back_can_be_had_again() {
        let unsent = Unsent::new(10);
        assert!(unsent.take(6) && !unsent.take(5) && unsent.take(4) && !unsent.take(1));
        unsent.give_back(6);
        assert!(unsent.take(6));
    }
}
