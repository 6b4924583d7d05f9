//! One moment, as those who decide are told it. Only `clock` makes one from the system's clocks.

/// One moment, as both clocks tell it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Now {
    /// Milliseconds of a clock that never goes back, since some moment before the program's first query. TTLs, timeouts.
    pub mono_ms: u64,
    /// Milliseconds since 1970-01-01 UTC as the wall clock has it. Schedules, dates, logs; never TTLs.
    pub unix_ms: u64,
}
