//! Look-ups one of which is enough.
//!
//! In: look-ups in the order of what they promise. Out: what the first of them finds that finds anything, and what others find
//! should that not be enough.
//! Always: the next one begins when the one before has found nothing, or takes longer than is usual; at most
//! [`SIDE_TRIPS_AT_ONCE`](limits::SIDE_TRIPS_AT_ONCE) run at the same time. Once something is found those that run go on, since it may
//! turn out to be useless, and no other begins unasked.

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
    /// Something was found since the last one began.
    found: bool,
}

impl<'a, T> Race<'a, T> {
    pub fn new(io: &'a Io, looks: impl IntoIterator<Item = Look<'a, T>>) -> Race<'a, T> {
        Race {
            io,
            waiting: looks.into_iter().collect(),
            running: Vec::new(),
            next_ms: 0,
            found: false,
        }
    }

    /// More look-ups, after all others.
    pub fn add(&mut self, looks: impl IntoIterator<Item = Look<'a, T>>) {
        self.waiting.extend(looks);
    }

    /// Begins the next look-up. False if there is none, or enough are running.
    pub fn begin(&mut self) -> bool {
        if self.running.len() >= limits::SIDE_TRIPS_AT_ONCE {
            return false;
        }
        let Some(next) = self.waiting.pop_front() else {
            return false;
        };
        self.running.push(next);
        self.found = false;
        self.next_ms = self.io.now_ms() + limits::SIDE_TRIP_USUAL.as_millis() as u64;
        true
    }

    pub fn is_running(&self) -> bool {
        !self.running.is_empty()
    }

    /// Somebody waits for what is running: nothing was found since it began.
    pub fn is_awaited(&self) -> bool {
        self.is_running() && !self.found
    }

    /// The latest look-up has not yet had the time that they usually take.
    pub fn is_young(&self) -> bool {
        self.is_awaited() && self.io.now_ms() < self.next_ms
    }

    /// When it has had it.
    pub fn young_until_ms(&self) -> u64 {
        self.next_ms
    }

    /// Goes on with those that were begun. Ready with what one of them found, or with nothing when the last has found nothing.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        while self.is_running() {
            if !self.found && self.io.now_ms() >= self.next_ms {
                self.begin();
            }
            let before = self.running.len();
            let mut at = 0;
            while let Some(look) = self.running.get_mut(at) {
                match look.as_mut().poll(cx) {
                    Poll::Pending => at += 1,
                    Poll::Ready(result) => {
                        drop(self.running.remove(at));
                        if result.is_some() {
                            self.found = true;
                            return Poll::Ready(result);
                        }
                    }
                }
            }
            if self.running.len() == before {
                if !self.found && !self.waiting.is_empty() && before < limits::SIDE_TRIPS_AT_ONCE {
                    self.io.wake_at(self.next_ms);
                }
                return Poll::Pending;
            }
            let begun = !self.found && self.begin();
            if !begun && !self.is_running() {
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

#[cfg(test)]
mod tests {
    use super::super::task::{Event, Task};
    use super::*;
    use crate::now::Now;
    use std::future::poll_fn;

    /// Finds `what` after so many polls.
    fn look<'a>(polls: usize, what: Option<u8>) -> Look<'a, u8> {
        let mut left = polls;
        Box::pin(poll_fn(move |_| match left {
            0 => Poll::Ready(what),
            _ => {
                left -= 1;
                Poll::Pending
            }
        }))
    }

    /// Everything that is found, while `more` others are begun at once.
    fn found(looks: Vec<Look<'static, u8>>, more: usize) -> Vec<Option<u8>> {
        let mut task = Task::start(1, u64::MAX, false, move |io| async move {
            let mut race = Race::new(&io, looks);
            let mut all = Vec::new();
            race.begin();
            for _ in 0..more {
                race.begin();
            }
            while race.is_running() {
                all.push(poll_fn(|cx| race.poll(cx)).await);
            }
            Ok(all)
        });
        let mut commands = Vec::new();
        let results = (0..20).filter_map(|_| task.step(Now::default(), Event::Timer, &mut commands));
        results.last().expect("it ends").expect("it finds")
    }

    #[test]
    fn what_runs_beside_the_first_that_finds_something_goes_on() {
        let looks = || vec![look(1, Some(1)), look(3, Some(2)), look(0, Some(3))];
        assert_eq!(found(looks(), 1), [Some(1), Some(2)]);
        assert_eq!(found(looks(), 0), [Some(1)], "others wait to be begun");
        let fruitless = vec![look(1, None), look(2, None), look(0, Some(3))];
        assert_eq!(
            found(fruitless, 0),
            [Some(3)],
            "who finds nothing makes room for the next"
        );
        assert_eq!(found(vec![look(1, None), look(0, None)], 0), [None]);
    }
}
