//! When a list is fetched next. Jitter keeps a million homes from asking a publisher in the same second.

use crate::limits;
use std::time::Duration;

/// How long to wait after a good fetch: `refresh`, a tenth more or less. `jitter` is a random number from 0 to 1.
pub fn after_success(refresh: Duration, jitter: f64) -> Duration {
    refresh.mul_f64(0.9 + 0.2 * jitter.clamp(0.0, 1.0))
}

/// How long to wait after `failures` failed fetches in a row (at least one): doubling, never longer than the refresh.
/// A list that never arrived (`needed`) is asked for sooner.
pub fn after_failure(refresh: Duration, failures: u32, needed: bool, jitter: f64) -> Duration {
    let first = if needed {
        limits::FETCH_RETRY_NEEDED
    } else {
        limits::FETCH_RETRY
    };
    let doubled = first.saturating_mul(1 << failures.saturating_sub(1).min(16));
    after_success(doubled.min(refresh), jitter)
}

/// How long to wait after a start, for a list last asked for `age` ago: the rest of its refresh, so that a restart asks
/// nobody anew; but spread out, so that a machine that was off for a week does not ask for all its lists at once.
pub fn first_due(refresh: Duration, age: Duration, jitter: f64) -> Duration {
    let spread = limits::FETCH_RETRY.mul_f64(jitter.clamp(0.0, 1.0));
    after_success(refresh, jitter).saturating_sub(age).max(spread)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    #[test]
    fn a_refresh_strays_by_a_tenth_at_most() {
        assert_eq!(after_success(DAY, 0.0), DAY.mul_f64(0.9));
        assert_eq!(after_success(DAY, 1.0), DAY.mul_f64(1.1));
    }

    #[test]
    fn failures_double_the_wait_up_to_the_refresh() {
        assert_eq!(after_failure(DAY, 1, false, 0.5), limits::FETCH_RETRY);
        assert_eq!(after_failure(DAY, 3, false, 0.5), limits::FETCH_RETRY * 4);
        assert_eq!(after_failure(DAY, 4_000_000_000, false, 0.5), DAY);
        assert_eq!(after_failure(DAY, 1, true, 0.5), limits::FETCH_RETRY_NEEDED);
    }

    #[test]
    fn a_restart_waits_only_for_the_rest_of_the_refresh() {
        assert_eq!(first_due(DAY, DAY / 2, 0.5), DAY / 2);
        assert!(first_due(DAY, DAY * 7, 1.0) <= limits::FETCH_RETRY);
    }
}
