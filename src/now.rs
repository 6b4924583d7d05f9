//! One moment, as those who decide are told it. Only `clock` makes one from the system's clocks.

/// One moment, as both clocks tell it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Now {
    /// Milliseconds of a clock that never goes back, since some moment before the program's first query. TTLs, timeouts.
    pub mono_ms: u64,
    /// Milliseconds since 1970-01-01 UTC as the wall clock has it. Schedules, dates, logs; never TTLs.
    pub unix_ms: u64,
}

impl Now {
    /// Seconds since 1970-01-01 UTC as the wall clock has it.
    #[inline]
    pub fn unix_s(&self) -> u64 {
        self.unix_ms / 1000
    }
}

/// The seconds from `now_ms` to `until_ms`, both of one clock, rounded up: what has time left never says 0. 0 where it is past.
pub fn seconds_between(now_ms: u64, until_ms: u64) -> u32 {
    u32::try_from(until_ms.saturating_sub(now_ms).div_ceil(1000)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_second_counts_as_one_and_what_is_past_as_none() {
        assert_eq!(seconds_between(5_000, 5_001), 1);
        assert_eq!(seconds_between(5_000, 7_000), 2);
        assert_eq!(seconds_between(5_000, 5_000), 0);
        assert_eq!(seconds_between(5_000, 1), 0);
        assert_eq!(seconds_between(0, u64::MAX), u32::MAX);
    }
}
