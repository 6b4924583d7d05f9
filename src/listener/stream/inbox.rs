//! What others have for a connection's task: responses of queries that waited, and the word to close or to stop.
//!
//! Always: whoever puts something in wakes the task, which looks after it has said how to be woken; so nothing is missed.

use super::Unsent;
use super::buffers::LENGTH_BYTES;
use crate::clock;
use futures_util::task::AtomicWaker;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Waker;

#[derive(Debug)]
pub(super) struct Inbox {
    /// [`Now::mono_ms`](crate::now::Now::mono_ms) of its last query or response, for who looks for the idlest.
    active_ms: AtomicU64,
    /// A [`Told`].
    told: AtomicU8,
    ready: Mutex<Ready>,
    waker: AtomicWaker,
}

/// Responses that are ready.
#[derive(Debug, Default)]
pub(super) struct Ready {
    /// Each with its length; counted among what is [`Unsent`].
    pub bytes: Vec<u8>,
    /// Queries that wait no longer, with a response or without.
    pub ended: usize,
    /// Nobody will take them.
    gone: bool,
}

/// What a connection should do, the stronger word last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum Told {
    GoOn,
    /// Take no more queries, and close when those that came in are answered.
    Stop,
    /// Close now.
    Close,
}

impl Inbox {
    pub fn new() -> Inbox {
        Inbox {
            active_ms: AtomicU64::new(clock::now().mono_ms),
            told: AtomicU8::new(Told::GoOn as u8),
            ready: Mutex::default(),
            waker: AtomicWaker::new(),
        }
    }

    /// Something was asked or answered at this time.
    pub fn active(&self, mono_ms: u64) {
        self.active_ms.store(mono_ms, Ordering::Relaxed);
    }

    pub fn active_ms(&self) -> u64 {
        self.active_ms.load(Ordering::Relaxed)
    }

    /// Whom to wake from now on. To be said before looking for what is there.
    pub fn listen(&self, waker: &Waker) {
        self.waker.register(waker);
    }

    pub fn tell(&self, what: Told) {
        self.told.fetch_max(what as u8, Ordering::Release);
        self.waker.wake();
    }

    pub fn told(&self) -> Told {
        match self.told.load(Ordering::Acquire) {
            told if told == Told::Close as u8 => Told::Close,
            told if told == Told::Stop as u8 => Told::Stop,
            _ => Told::GoOn,
        }
    }

    /// Puts in the response to a query that waited, an empty one if it has none. `false`: it is lost, since the connection is gone, or
    /// is closed because too much waits for clients that do not read.
    pub fn put(&self, response: &[u8], unsent: &Unsent) -> bool {
        let mut ready = self.ready();
        if ready.gone {
            return response.is_empty();
        }
        ready.ended += 1;
        let kept = match u16::try_from(response.len()) {
            Ok(0) => true,
            Ok(length) if unsent.take(LENGTH_BYTES + response.len()) => {
                ready.bytes.extend_from_slice(&length.to_be_bytes());
                ready.bytes.extend_from_slice(response);
                true
            }
            Ok(_) | Err(_) => false,
        };
        drop(ready);
        match kept {
            true => self.waker.wake(),
            // Its client would wait for it in vain.
            false => self.tell(Told::Close),
        }
        kept
    }

    /// Takes all that is ready.
    pub fn take(&self) -> Ready {
        std::mem::take(&mut *self.ready())
    }

    /// Takes what is left, and no more will be put in.
    pub fn close(&self) -> Ready {
        let closed = Ready {
            gone: true,
            ..Ready::default()
        };
        std::mem::replace(&mut *self.ready(), closed)
    }

    fn ready(&self) -> MutexGuard<'_, Ready> {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn responses_are_taken_together_and_one_that_nobody_will_take_is_known_to_be_lost() {
        let (inbox, unsent) = (Inbox::new(), Unsent::new(100));
        assert!(inbox.put(&[7, 8], &unsent) && inbox.put(&[], &unsent) && inbox.put(&[9], &unsent));
        let ready = inbox.take();
        assert_eq!((ready.bytes.as_slice(), ready.ended), (&[0, 2, 7, 8, 0, 1, 9][..], 3));
        assert!(inbox.put(&[5], &unsent));
        assert_eq!(inbox.close().bytes, [0, 1, 5]);
        assert!(!inbox.put(&[6], &unsent), "the connection is gone");
        assert!(inbox.put(&[], &unsent), "there was nothing to lose");
    }

    #[test]
    fn a_connection_that_has_no_room_for_a_response_is_closed() {
        let (inbox, unsent) = (Inbox::new(), Unsent::new(10));
        assert!(inbox.put(&[0; 6], &unsent));
        assert_eq!(inbox.told(), Told::GoOn);
        assert!(!inbox.put(&[0; 6], &unsent));
        assert_eq!(inbox.told(), Told::Close);
        inbox.tell(Told::Stop);
        assert_eq!(inbox.told(), Told::Close, "the stronger word stands");
        assert_eq!(inbox.take().ended, 2);
    }
}
