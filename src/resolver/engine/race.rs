//! Look-ups one of which is enough.
//!
//! In: look-ups in the order of what they promise. Out: what the first of them finds that finds anything.
//! Always: the next one begins when the one before has found nothing, or takes longer than is usual; at most
//! [`SIDE_TRIPS_AT_ONCE`](limits::SIDE_TRIPS_AT_ONCE) run at the same time, and those not needed any more end.

use super::task::Io;
use crate::limits;
use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

/// One look-up. Nothing of it happens before it is polled.
pub(super) type Look<'a, T> = Pin<Box<dyn Future<Output = Option<T>> + Send + 'a>>;

/// See the page's first lines.
pub(super) struct Race<'a, T> {
    io: &'a Io,
    waiting: VecDeque<Look<'a, T>>,
    running: Vec<Look<'a, T>>,
    /// When the next one begins, whatever those before it do.
    next_ms: u64,
}

impl<'a, T> Race<'a, T> {
    pub fn new(io: &'a Io, looks: impl IntoIterator<Item = Look<'a, T>>) -> Race<'a, T> {
        Race {
            io,
            waiting: looks.into_iter().collect(),
            running: Vec::new(),
            next_ms: 0,
        }
    }

    /// More look-ups, after all others.
    pub fn add(&mut self, looks: impl IntoIterator<Item = Look<'a, T>>) {
        self.waiting.extend(looks);
    }

    /// Begins the next look-up. False if there is none.
    pub fn begin(&mut self) -> bool {
        let Some(next) = self.waiting.pop_front() else {
            return false;
        };
        self.running.push(next);
        self.next_ms = self.io.now_ms() + limits::SIDE_TRIP_USUAL.as_millis() as u64;
        true
    }

    pub fn is_running(&self) -> bool {
        !self.running.is_empty()
    }

    /// The latest look-up has not yet had the time that they usually take.
    pub fn is_young(&self) -> bool {
        self.is_running() && self.io.now_ms() < self.next_ms
    }

    /// When it has had it.
    pub fn young_until_ms(&self) -> u64 {
        self.next_ms
    }

    /// Goes on with those that were begun. Ready with what one of them found, or with nothing when the last has found nothing.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        while self.is_running() {
            let late = self.io.now_ms() >= self.next_ms && self.running.len() < limits::SIDE_TRIPS_AT_ONCE;
            if late {
                self.begin();
            }
            let before = self.running.len();
            let mut found = None;
            self.running.retain_mut(|look| match look.as_mut().poll(cx) {
                Poll::Pending => true,
                Poll::Ready(result) => {
                    found = found.take().or(result);
                    false
                }
            });
            if found.is_some() {
                self.running.clear();
                return Poll::Ready(found);
            }
            if self.running.len() == before {
                if !self.waiting.is_empty() && before < limits::SIDE_TRIPS_AT_ONCE {
                    self.io.wake_at(self.next_ms);
                }
                return Poll::Pending;
            }
            if !self.begin() && !self.is_running() {
                return Poll::Ready(None);
            }
        }
        Poll::Pending
    }

    /// Begins, and waits for the end.
    pub async fn run(mut self) -> Option<T> {
        match self.begin() {
            true => std::future::poll_fn(|cx| self.poll(cx)).await,
            false => None,
        }
    }
}
