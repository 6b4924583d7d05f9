//! Which windows meet: for a check that finds one that allows what another blocks at the same time.
//!
//! In: the windows of one subject, a zone, a date. Out: every pair that overlaps within a year, with the first instant.
//! Always: only times are looked at; what the windows do is for the caller to compare.

use super::local::{DAY_S, Offsets, civil_s};
use super::timetable::{Active, edges};
use super::{TooManyItems, Window};
use crate::limits::{OVERLAP_DAYS, SCHEDULE_ITEMS};
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// Two windows that hold at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Overlap {
    /// The first instant at which both hold, Unix seconds.
    pub at_s: i64,
    /// The lower index of the two.
    pub one: u16,
    pub other: u16,
}

/// The pairs of windows that overlap in the [`OVERLAP_DAYS`] from the beginning of `from`, each once, by time.
pub fn overlaps(windows: &[Window], zone: &TimeZone, from: Date) -> Result<Vec<Overlap>, TooManyItems> {
    let items = windows.len();
    if items > SCHEDULE_ITEMS {
        return Err(TooManyItems { items });
    }
    let midnight = civil_s(from, 0);
    let from_s = Offsets::around(zone, midnight, midnight).first_at(midnight);
    let to_s = from_s.saturating_add(OVERLAP_DAYS * DAY_S);
    let mut active = Active::new(items);
    let mut met = vec![false; items * items];
    let mut found = Vec::new();
    for edge in edges(windows, &[], zone, from_s, to_s) {
        if !active.turn(&edge) {
            continue;
        }
        for &item in active.items.iter().filter(|item| **item != edge.item) {
            let (one, other) = (item.min(edge.item), item.max(edge.item));
            let pair = &mut met[usize::from(one) * items + usize::from(other)];
            if !std::mem::replace(pair, true) {
                let at_s = edge.at_s;
                found.push(Overlap { at_s, one, other });
            }
        }
    }
    found.sort_unstable();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use jiff::civil::date;

    fn window(days: &str, from: &str, to: &str) -> Window {
        Window::parse(days, from, to).unwrap()
    }

    fn pairs(windows: &[Window]) -> Vec<(u16, u16, String)> {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let found = overlaps(windows, &zone, date(2026, 9, 1)).unwrap();
        let text = |at_s| Timestamp::from_second(at_s).unwrap().to_string();
        found.iter().map(|met| (met.one, met.other, text(met.at_s))).collect()
    }

    #[test]
    fn windows_that_only_touch_do_not_overlap() {
        assert_eq!(
            pairs(&[
                window("every day", "21:00", "7:00"),
                window("every day", "7:00", "21:00")
            ]),
            []
        );
    }

    #[test]
    fn a_window_over_midnight_meets_one_of_the_next_morning() {
        let night = window("sun", "21:00", "7:00");
        let morning = window("mon", "6:00", "8:00");
        // 2026-09-07 is the first Monday; 6:00 is 4:00 UTC.
        let first = (0, 1, "2026-09-07T04:00:00Z".to_owned());
        assert_eq!(pairs(&[night, morning]), [first]);
    }

    #[test]
    fn windows_that_meet_on_one_day_of_the_year_are_found_with_that_day() {
        let always = window("weekdays except 2027-03-01..2027-03-31", "12:00", "13:00");
        let once = window("2027-02-26, 2027-03-05", "12:30", "12:31");
        let first = (0, 1, "2027-02-26T11:30:00Z".to_owned());
        assert_eq!(pairs(&[always, once]), [first]);
    }

    #[test]
    fn windows_that_follow_each_other_meet_in_the_hour_that_comes_twice() {
        let windows = [window("every day", "0:00", "2:30"), window("every day", "2:30", "5:00")];
        assert_eq!(pairs(&windows), [(0, 1, "2026-10-25T00:30:00Z".to_owned())]);
    }

    #[test]
    fn what_already_holds_when_the_year_begins_meets_at_its_beginning() {
        let windows = [window("mon", "20:00", "3:00"), window("mon", "22:00", "4:00")];
        // The last of August is a Monday.
        assert_eq!(pairs(&windows), [(0, 1, "2026-08-31T22:00:00Z".to_owned())]);
    }

    #[test]
    fn too_many_windows_are_refused() {
        let windows = vec![window("mon", "1:00", "2:00"); SCHEDULE_ITEMS + 1];
        let refused = overlaps(&windows, &TimeZone::UTC, date(2026, 9, 1));
        assert_eq!(
            refused,
            Err(TooManyItems {
                items: SCHEDULE_ITEMS + 1
            })
        );
    }
}
