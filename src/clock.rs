//! The only reader of time. Everything that decides is told [`Now`].

use crate::now::Now;
use std::sync::OnceLock;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Reads both clocks.
pub fn now() -> Now {
    static START: OnceLock<Instant> = OnceLock::new();
    // An hour in hand, so that "an hour ago" is never below zero.
    let mono_ms = 3_600_000 + START.get_or_init(Instant::now).elapsed().as_millis() as u64;
    let unix_ms = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_millis() as u64);
    Now { mono_ms, unix_ms }
}

/// This moment, for deadlines of what is being waited for.
pub fn instant() -> Instant {
    Instant::now()
}
