//! One connection that many exchanges share.
//!
//! Always: at most one connection is being made; whoever needs it meanwhile waits for that one. It goes on being made when
//! the query that wanted it gives up, so that the next finds it.

use crate::clock;
use crate::limits;
use crate::resolver::exchange::ExchangeError;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// A connection that can tell whether it is still worth using.
pub(in crate::resolver) trait Connection: Clone + Send + Sync + 'static {
    fn is_usable(&self) -> bool;
}

/// Whether a connection still brings answers. Who waits for one may go before it comes, so that it is not told by their waiting.
#[derive(Debug, Default)]
pub(in crate::resolver) struct Pulse {
    /// Since when it has been asked without a sound, in milliseconds of the clock that never goes back; 0 when it has not.
    silent_since_ms: AtomicU64,
}

impl Pulse {
    /// A query goes out.
    pub(in crate::resolver) fn asked(&self, now_ms: u64) {
        let _ = self
            .silent_since_ms
            .compare_exchange(0, now_ms.max(1), Ordering::Relaxed, Ordering::Relaxed);
    }

    /// The same of a query that may be let go before its time, as by another upstream's answer: that says nothing of this one.
    pub(in crate::resolver) fn waiting(&self) -> Waiting<'_> {
        let since_ms = clock::now().mono_ms.max(1);
        self.asked(since_ms);
        Waiting {
            pulse: self,
            since_ms,
            ended: false,
        }
    }

    /// Something came in.
    pub(in crate::resolver) fn heard(&self) {
        self.silent_since_ms.store(0, Ordering::Relaxed);
    }

    /// Whether it has been silent for so long that a new connection is better, whatever is wrong with this one.
    pub(in crate::resolver) fn is_silent(&self, now_ms: u64) -> bool {
        let since = self.silent_since_ms.load(Ordering::Relaxed);
        since != 0 && now_ms.saturating_sub(since) >= limits::UPSTREAM_WAIT_MAX.as_millis() as u64
    }
}

/// See [`Pulse::waiting`].
pub(in crate::resolver) struct Waiting<'a> {
    pulse: &'a Pulse,
    since_ms: u64,
    ended: bool,
}

impl Waiting<'_> {
    /// It had its answer, or its time.
    pub(in crate::resolver) fn end(mut self) {
        self.ended = true;
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let waited_ms = clock::now().mono_ms.saturating_sub(self.since_ms);
        if !self.ended && waited_ms < limits::UPSTREAM_WAIT_MAX.as_millis() as u64 {
            // Unless somebody else has waited for longer.
            let _ = self
                .pulse
                .silent_since_ms
                .compare_exchange(self.since_ms, 0, Ordering::Relaxed, Ordering::Relaxed);
        }
    }
}

type Connecting<C> = Shared<BoxFuture<'static, Result<C, ExchangeError>>>;

/// The connection, made when first needed and made again when it has ended.
pub(in crate::resolver) struct Reused<C: Connection> {
    slot: Mutex<Option<Connecting<C>>>,
}

impl<C: Connection> Default for Reused<C> {
    fn default() -> Self {
        Reused { slot: Mutex::new(None) }
    }
}

impl<C: Connection> Reused<C> {
    /// Whether there is a connection worth using, or one is being made.
    pub(in crate::resolver) fn is_usable(&self) -> bool {
        let slot = self.slot.lock().unwrap_or_else(PoisonError::into_inner);
        slot.as_ref().is_some_and(|connecting| match connecting.peek() {
            None => true,
            Some(connection) => connection.as_ref().is_ok_and(Connection::is_usable),
        })
    }

    /// The connection, and whether it was there before: only then may its ending mean no more than that the server was
    /// tired of waiting (RFC 7766 §6.2.4), and the exchange be tried again.
    pub(in crate::resolver) async fn get(
        &self,
        connect: impl FnOnce() -> BoxFuture<'static, Result<C, ExchangeError>>,
    ) -> Result<(C, bool), ExchangeError> {
        let (connecting, was_there) = {
            let mut slot = self.slot.lock().unwrap_or_else(PoisonError::into_inner);
            let state = slot.as_ref().map(|connecting| match connecting.peek() {
                None => (connecting.clone(), false, true),
                Some(Ok(connection)) => (connecting.clone(), true, connection.is_usable()),
                Some(Err(_)) => (connecting.clone(), false, false),
            });
            match state {
                Some((connecting, was_there, true)) => (connecting, was_there),
                _ => {
                    let connecting = connect().shared();
                    tokio::spawn(connecting.clone());
                    *slot = Some(connecting.clone());
                    (connecting, false)
                }
            }
        };
        connecting.await.map(|connection| (connection, was_there))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_given_up_when_queries_have_met_silence_for_long_and_not_when_nobody_asks() {
        let pulse = Pulse::default();
        let long = limits::UPSTREAM_WAIT_MAX.as_millis() as u64;
        assert!(!pulse.is_silent(1_000_000));
        pulse.asked(1_000);
        pulse.asked(1_000 + long - 1);
        assert!(!pulse.is_silent(1_000 + long - 1));
        assert!(pulse.is_silent(1_000 + long));
        pulse.heard();
        assert!(!pulse.is_silent(1_000_000));

        let later = || clock::now().mono_ms + long;
        drop(pulse.waiting());
        assert!(!pulse.is_silent(later()), "who was let go says nothing");
        pulse.waiting().end();
        assert!(pulse.is_silent(later()));
    }
}
