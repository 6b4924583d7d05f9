//! Decides whether a new version may follow the last good one. Fails closed: what is doubtful stays out, the old list stays in force.

use super::FetchError;
use crate::limits;

/// Whether a new version may follow the last good one: half a list is an accident more often than a decision, and so is
/// one of several times the size.
pub(super) fn judge(was: Option<u64>, now: u64) -> Result<(), FetchError> {
    if now == 0 {
        return Err(FetchError::NoRules);
    }
    let Some(was) = was else { return Ok(()) };
    // Lists of a few dozen rules halve and double by honest work.
    if was.max(now) < limits::GUARD_FLOOR_RULES {
        return Ok(());
    }
    let shrank = now.saturating_mul(limits::GUARD_SHRINK) < was;
    let exploded = now > was.saturating_mul(limits::GUARD_GROWTH);
    if shrank || exploded {
        Err(FetchError::Held { was, now })
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(was: u64, now: u64) -> bool {
        matches!(judge(Some(was), now), Err(FetchError::Held { .. }))
    }

    #[test]
    fn half_the_rules_pass_and_one_less_is_held_back() {
        assert!(!held(10_000, 5_000));
        assert!(held(10_000, 4_999));
    }

    #[test]
    fn four_times_the_rules_pass_and_one_more_is_held_back() {
        assert!(!held(10_000, 40_000));
        assert!(held(10_000, 40_001));
    }

    #[test]
    fn a_list_of_a_few_rules_may_change_freely() {
        assert!(!held(3, 20));
        assert!(!held(60, 2));
    }

    #[test]
    fn a_version_without_rules_is_never_taken() {
        assert!(matches!(judge(None, 0), Err(FetchError::NoRules)));
        assert!(matches!(judge(Some(3), 0), Err(FetchError::NoRules)));
    }

    #[test]
    fn the_first_version_has_nothing_to_be_measured_by() {
        assert!(judge(None, 5_000_000).is_ok());
    }
}
