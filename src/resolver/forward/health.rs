//! How an upstream has been doing: whether it keeps silent, and how long it takes.
//!
//! Always: a few atomic numbers; two writers at once lose one sample of many.

use crate::limits;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

/// How a server has been doing.
#[derive(Debug, Default)]
pub(in crate::resolver) struct Health {
    /// Exchanges in a row that brought nothing.
    misses: AtomicU32,
    /// Until when others are asked first, in milliseconds of the clock that never goes back.
    avoid_until_ms: AtomicU64,
    /// Smoothed time of an exchange in microseconds (RFC 6298 §2, gain 1/8); 0 is not known.
    srtt_us: AtomicU32,
    /// The same with what is known of exchanges that others were quicker than; 0 is not known.
    rank_us: AtomicU32,
    /// When it last answered, and when that or an attempt at it was last begun for the sake of measuring, in milliseconds; 0 is never.
    answered_ms: AtomicU64,
    measured_ms: AtomicU64,
}

impl Health {
    /// Whether to ask others first. When the time is up, the first to see it tries the server, and the rest go on avoiding
    /// it until that one knows.
    pub(in crate::resolver) fn is_avoided(&self, now_ms: u64) -> bool {
        let until = self.avoid_until_ms.load(Ordering::Relaxed);
        if until == 0 {
            return false;
        }
        let retry = now_ms + millis(limits::UPSTREAM_WAIT_MAX);
        now_ms < until
            || self
                .avoid_until_ms
                .compare_exchange(until, retry, Ordering::Relaxed, Ordering::Relaxed)
                .is_err()
    }

    pub(in crate::resolver) fn answered(&self, took: Duration, now_ms: u64) {
        self.misses.store(0, Ordering::Relaxed);
        self.avoid_until_ms.store(0, Ordering::Relaxed);
        let took = micros(took);
        smooth(&self.srtt_us, took);
        // What was so long ago says nothing of now.
        let before = self.answered_ms.swap(now_ms, Ordering::Relaxed);
        if now_ms.saturating_sub(before) >= millis(limits::UPSTREAM_MEASURE) {
            self.rank_us.store(took, Ordering::Relaxed);
        } else {
            smooth(&self.rank_us, took);
        }
        self.measured_ms.store(now_ms, Ordering::Relaxed);
    }

    pub(in crate::resolver) fn missed(&self, now_ms: u64) {
        let misses = self.misses.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        // One lost packet is no illness.
        if misses >= 2 {
            let first = millis(limits::UPSTREAM_AVOID_MIN);
            let most = millis(limits::UPSTREAM_AVOID_MAX);
            let pause = (first << (misses - 2).min(16)).min(most);
            self.avoid_until_ms.store(now_ms + pause, Ordering::Relaxed);
        }
    }

    /// Another was quicker, when this one had been waited for so long.
    pub(super) fn outrun(&self, waited: Duration) {
        let waited = micros(waited);
        if waited > self.rank_us.load(Ordering::Relaxed) {
            smooth(&self.rank_us, waited);
        }
    }

    /// Its place among others, lower first; what was never measured comes last.
    pub(super) fn rank(&self) -> u32 {
        match self.rank_us.load(Ordering::Relaxed) {
            0 => u32::MAX,
            rank => rank,
        }
    }

    /// Whether it should be asked for the sake of measuring. Only the first to see it is told so.
    pub(super) fn is_due(&self, now_ms: u64) -> bool {
        let measured = self.measured_ms.load(Ordering::Relaxed);
        (measured == 0 || now_ms.saturating_sub(measured) >= millis(limits::UPSTREAM_MEASURE))
            && self
                .measured_ms
                .compare_exchange(measured, now_ms.max(1), Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }

    /// How long an answer over UDP may take before it is thought lost.
    pub(super) fn wait(&self) -> Duration {
        match self.srtt_us.load(Ordering::Relaxed) {
            0 => limits::UPSTREAM_WAIT_UNKNOWN,
            srtt => {
                Duration::from_micros(u64::from(srtt) * 4).clamp(limits::UPSTREAM_WAIT_MIN, limits::UPSTREAM_WAIT_MAX)
            }
        }
    }

    /// How far ahead of the next it starts where upstreams are raced.
    pub(super) fn ahead(&self) -> Duration {
        match self.srtt_us.load(Ordering::Relaxed) {
            0 => limits::RACE_AHEAD_MAX,
            srtt => Duration::from_micros(u64::from(srtt) * 2).clamp(limits::RACE_AHEAD_MIN, limits::RACE_AHEAD_MAX),
        }
    }
}

fn smooth(mean: &AtomicU32, sample: u32) {
    let smoothed = match mean.load(Ordering::Relaxed) {
        0 => sample,
        known => known - known / 8 + sample / 8,
    };
    mean.store(smoothed.max(1), Ordering::Relaxed);
}

fn micros(time: Duration) -> u32 {
    u32::try_from(time.as_micros()).unwrap_or(u32::MAX).max(1)
}

fn millis(time: Duration) -> u64 {
    time.as_millis() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_millis(10);

    #[test]
    fn one_lost_answer_is_forgiven_and_more_make_others_go_first_for_longer_and_longer() {
        let health = Health::default();
        health.missed(1_000);
        assert!(!health.is_avoided(1_000));
        health.missed(1_000);
        let min = millis(limits::UPSTREAM_AVOID_MIN);
        assert!(health.is_avoided(1_000 + min - 1));
        // The first after the pause tries it, the next still avoid it.
        assert!(!health.is_avoided(1_000 + min));
        assert!(health.is_avoided(1_000 + min));
        health.missed(10_000);
        assert!(health.is_avoided(10_000 + 2 * min - 1));
        for _ in 0..100 {
            health.missed(20_000);
        }
        assert!(!health.is_avoided(20_000 + millis(limits::UPSTREAM_AVOID_MAX)));
        health.answered(SOON, 20_001);
        assert!(!health.is_avoided(20_001));
    }

    #[test]
    fn the_wait_follows_the_measured_time_within_bounds() {
        let health = Health::default();
        assert_eq!(health.wait(), limits::UPSTREAM_WAIT_UNKNOWN);
        health.answered(Duration::from_micros(3), 1);
        assert_eq!(health.wait(), limits::UPSTREAM_WAIT_MIN);
        assert_eq!(health.ahead(), limits::RACE_AHEAD_MIN);
        for now_ms in 2..52 {
            health.answered(Duration::from_secs(30), now_ms);
        }
        assert_eq!(health.wait(), limits::UPSTREAM_WAIT_MAX);
        assert_eq!(health.ahead(), limits::RACE_AHEAD_MAX);
    }

    #[test]
    fn who_is_outrun_loses_its_place_but_not_its_patience_and_wins_it_back_with_one_measurement() {
        let (first, second) = (Health::default(), Health::default());
        first.answered(SOON, 1_000);
        second.answered(SOON * 2, 1_000);
        assert!(first.rank() < second.rank());
        let wait = first.wait();
        for _ in 0..20 {
            first.outrun(SOON * 5);
        }
        assert!(first.rank() > second.rank());
        assert_eq!(first.wait(), wait);
        // Being overtaken early says nothing.
        let rank = second.rank();
        second.outrun(SOON);
        assert_eq!(second.rank(), rank);
        first.answered(SOON, 1_000 + millis(limits::UPSTREAM_MEASURE));
        assert!(first.rank() < second.rank());
    }

    #[test]
    fn one_question_a_minute_measures_it_and_one_that_was_never_measured_at_once() {
        let health = Health::default();
        assert_eq!(health.rank(), u32::MAX);
        assert!(health.is_due(5_000));
        assert!(!health.is_due(5_000));
        health.answered(SOON, 6_000);
        let next = 6_000 + millis(limits::UPSTREAM_MEASURE);
        assert!(!health.is_due(next - 1));
        assert!(health.is_due(next));
        assert!(!health.is_due(next + 1));
    }
}
