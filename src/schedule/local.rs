//! What the clock on the wall shows, and when it first and last shows it.
//!
//! In: a zone, a stretch of time. Out: [`Offsets`], which answer for local times of that stretch.
//! Always: every local time has both answers, also one that comes twice or never, and the later of two local times never
//! has the earlier answer. Local times are counted as seconds since 1970-01-01 0:00 of the same wall clock.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::{Offset, TimeZone};

/// Minutes of a day whose clock is not changed.
pub const MINUTES_PER_DAY: i64 = 24 * 60;
/// Seconds of such a day.
pub const DAY_S: i64 = MINUTES_PER_DAY * 60;
/// No clock on earth is further from UTC, in seconds; it is as far as jiff goes.
pub const OFFSET_MAX_S: i64 = 26 * 3600;

/// How far a zone is from UTC, from change to change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offsets {
    /// By time, never empty. The first one reaches back without end, the last one forward.
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Piece {
    /// Unix seconds.
    from_s: i64,
    /// What the wall clock is ahead of UTC.
    offset_s: i64,
}

impl Offsets {
    /// For local times that some instant of `from_s..=to_s` may show, and for those up to a day before and after.
    pub fn around(zone: &TimeZone, from_s: i64, to_s: i64) -> Offsets {
        // The instants that show such a local time are at most this much further out.
        let margin_s = DAY_S + 2 * OFFSET_MAX_S;
        let first = instant(from_s.saturating_sub(margin_s));
        let last = instant(to_s.saturating_add(margin_s));
        let mut pieces = vec![Piece {
            from_s: i64::MIN,
            offset_s: zone.to_offset(first).seconds().into(),
        }];
        let mut current_s = pieces[0].offset_s;
        for change in zone.following(first).take_while(|change| change.timestamp() <= last) {
            let offset_s = change.offset().seconds().into();
            // Some changes are of the zone's name only.
            if offset_s != current_s {
                let from_s = change.timestamp().as_second();
                pieces.push(Piece { from_s, offset_s });
                current_s = offset_s;
            }
        }
        Offsets { pieces }
    }

    /// The first instant at which the wall clock shows `local_s` or later.
    pub fn first_at(&self, local_s: i64) -> i64 {
        let shows = |at: &usize| self.end_of(*at).saturating_add(self.pieces[*at].offset_s) > local_s;
        let at = (0..self.pieces.len()).find(shows).unwrap_or(self.pieces.len() - 1);
        let piece = self.pieces[at];
        piece.from_s.max(local_s.saturating_sub(piece.offset_s))
    }

    /// The first instant after which the wall clock shows no time before `local_s` any more.
    pub fn end_before(&self, local_s: i64) -> i64 {
        let shows = |at: &usize| self.pieces[*at].from_s.saturating_add(self.pieces[*at].offset_s) < local_s;
        let at = (0..self.pieces.len()).rev().find(shows).unwrap_or(0);
        self.end_of(at).min(local_s.saturating_sub(self.pieces[at].offset_s))
    }

    fn end_of(&self, at: usize) -> i64 {
        self.pieces.get(at + 1).map_or(i64::MAX, |next| next.from_s)
    }
}

/// `minutes` after 0:00 of a day, on the same wall clock.
pub fn civil_s(date: Date, minutes: i64) -> i64 {
    date.duration_since(Date::constant(1970, 1, 1)).as_secs() + minutes * 60
}

/// The date in UTC.
pub fn utc_date(unix_s: i64) -> Date {
    Offset::UTC.to_datetime(instant(unix_s)).date()
}

/// A time beyond the calendar, years -9999 to 9999, is its end.
pub fn instant(unix_s: i64) -> Timestamp {
    let end = if unix_s < 0 { Timestamp::MIN } else { Timestamp::MAX };
    Timestamp::from_second(unix_s).unwrap_or(end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    /// Local 2:00 on 2026-10-25 in Berlin, which comes twice, and on 2026-03-29, which never comes.
    #[test]
    fn a_time_that_comes_twice_first_comes_an_hour_before_it_is_last_left_and_one_that_never_comes_is_one_instant() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let unix = |text: &str| text.parse::<Timestamp>().unwrap().as_second();
        let offsets = Offsets::around(&zone, unix("2026-03-01T00:00Z"), unix("2026-12-01T00:00Z"));
        let twice = civil_s(date(2026, 10, 25), 150);
        assert_eq!(offsets.first_at(twice), unix("2026-10-25T00:30Z"));
        assert_eq!(offsets.end_before(twice), unix("2026-10-25T01:30Z"));
        let never = civil_s(date(2026, 3, 29), 150);
        assert_eq!(offsets.first_at(never), unix("2026-03-29T01:00Z"));
        assert_eq!(offsets.end_before(never), unix("2026-03-29T01:00Z"));
    }

    #[test]
    fn times_beyond_the_calendar_are_answered_without_a_panic() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        for at in [i64::MIN, i64::MIN / 2, 0, i64::MAX / 2, i64::MAX] {
            let offsets = Offsets::around(&zone, at, at);
            assert!(offsets.first_at(at) <= offsets.end_before(at).saturating_add(DAY_S));
            utc_date(at);
        }
    }
}
