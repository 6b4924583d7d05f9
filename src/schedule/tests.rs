//! Each rule of a schedule by an example, in zones whose clocks do strange things.

use super::*;
use crate::limits::{SCHEDULE_ITEMS, TIMETABLE_CHANGES};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::collections::HashSet;

fn unix(text: &str) -> i64 {
    text.parse::<Timestamp>().unwrap().as_second()
}

/// The pieces in which a window holds in these days, as the wall clock shows them with its offset.
fn pieces(zone_name: &str, (days, from, to): (&str, &str, &str), (first, last): (&str, &str)) -> Vec<String> {
    let zone = TimeZone::get(zone_name).unwrap();
    let window = Window::parse(days, from, to).unwrap();
    let (begin, end) = (unix(&format!("{first}T00:00Z")), unix(&format!("{last}T00:00Z")));
    let table = Timetable::compile(&[window], &[], &zone, begin, end).unwrap();
    let shown = |at_s: i64| {
        let at = Timestamp::from_second(at_s).unwrap();
        let text = at
            .to_zoned_datetime(zone.clone())
            .strftime("%m-%d %H:%M%:z")
            .to_string();
        text.trim_end_matches(":00").to_owned()
    };
    let (mut pieces, mut now) = (Vec::new(), begin);
    while let Some((state, until)) = table.at(now) {
        // Wherever the look before ended.
        for near in [0, 1, 2, 7, 100, usize::MAX] {
            let found = table.at_near(now, near);
            assert_eq!(
                found.map(|(state, until, _)| (state, until)),
                Some((state, until)),
                "{near}"
            );
        }
        if !table.state(state).is_empty() {
            pieces.push(format!("{} to {}", shown(now), shown(until)));
        }
        now = until;
    }
    pieces
}

#[test]
fn a_window_whose_end_is_not_after_its_beginning_ends_on_the_next_day() {
    assert_eq!(
        pieces("Europe/Berlin", ("fri", "21:00", "7:00"), ("2026-09-01", "2026-09-08")),
        ["09-04 21:00+02 to 09-05 07:00+02"]
    );
}

#[test]
fn a_window_with_equal_ends_is_a_whole_day_from_there() {
    assert_eq!(
        pieces("Europe/Berlin", ("sat", "12:00", "12:00"), ("2026-09-01", "2026-09-08")),
        ["09-05 12:00+02 to 09-06 12:00+02"]
    );
}

#[test]
fn whole_days_in_a_row_are_one_piece_and_so_are_windows_that_touch_at_24_00() {
    for (from, to) in [("0:00", "24:00"), ("0:00", "0:00"), ("3:00", "3:00")] {
        let table = pieces("Europe/Berlin", ("every day", from, to), ("2026-10-20", "2026-10-30"));
        assert_eq!(table, ["10-20 02:00+02 to 10-30 01:00+01"], "{from}");
    }
}

#[test]
fn holidays_off_leaves_out_the_windows_that_begin_on_them() {
    assert_eq!(
        pieces(
            "Europe/Berlin",
            ("school nights except 2026-12-24..2027-01-08", "21:00", "7:00"),
            ("2026-12-22", "2027-01-11")
        ),
        [
            "12-22 01:00+01 to 12-22 07:00+01",
            "12-22 21:00+01 to 12-23 07:00+01",
            "12-23 21:00+01 to 12-24 07:00+01",
            "01-10 21:00+01 to 01-11 01:00+01",
        ]
    );
}

#[test]
fn when_a_time_comes_twice_a_window_ends_at_the_second_and_begins_at_the_first() {
    let night = ("2026-10-24", "2026-10-26");
    assert_eq!(
        pieces("Europe/Berlin", ("sat", "22:00", "2:30"), night),
        ["10-24 22:00+02 to 10-25 02:30+01"]
    );
    assert_eq!(
        pieces("Europe/Berlin", ("sun", "2:30", "4:00"), night),
        ["10-25 02:30+02 to 10-25 04:00+01"]
    );
    assert_eq!(
        pieces("Europe/Berlin", ("sun", "2:15", "2:45"), night),
        ["10-25 02:15+02 to 10-25 02:45+01"]
    );
    assert_eq!(
        pieces(
            "America/New_York",
            ("sat", "22:00", "1:30"),
            ("2026-10-31", "2026-11-02")
        ),
        ["10-31 22:00-04 to 11-01 01:30-05"]
    );
}

#[test]
fn when_a_time_is_skipped_windows_begin_and_end_where_the_clock_has_jumped() {
    let night = ("2026-03-28", "2026-03-30");
    assert_eq!(
        pieces("Europe/Berlin", ("sun", "2:30", "4:00"), night),
        ["03-29 03:00+02 to 03-29 04:00+02"]
    );
    assert_eq!(
        pieces("Europe/Berlin", ("sat", "22:00", "2:30"), night),
        ["03-28 22:00+01 to 03-29 03:00+02"]
    );
}

#[test]
fn a_window_that_the_clock_jumps_over_is_empty() {
    let none: [&str; 0] = [];
    let night = ("2026-03-28", "2026-03-30");
    assert_eq!(pieces("Europe/Berlin", ("sun", "2:00", "3:00"), night), none);
    assert_eq!(pieces("Europe/Berlin", ("sun", "2:15", "2:45"), night), none);
}

#[test]
fn half_an_hour_of_summer_time_moves_windows_by_half_an_hour() {
    assert_eq!(
        pieces(
            "Australia/Lord_Howe",
            ("sun", "1:45", "3:00"),
            ("2025-04-04", "2025-04-07")
        ),
        ["04-06 01:45+11 to 04-06 03:00+10:30"]
    );
    assert_eq!(
        pieces(
            "Australia/Lord_Howe",
            ("sun", "2:15", "3:00"),
            ("2025-10-03", "2025-10-06")
        ),
        ["10-05 02:30+11 to 10-05 03:00+11"]
    );
}

#[test]
fn where_midnight_is_skipped_a_day_begins_at_1_00_and_the_one_before_ends_there() {
    let days = ("2022-03-25", "2022-03-29");
    let begins = pieces("Asia/Beirut", ("sun", "0:00", "3:00"), days);
    assert_eq!(begins, ["03-27 01:00+03 to 03-27 03:00+03"]);
    let ends = pieces("Asia/Beirut", ("sat", "21:00", "24:00"), days);
    assert_eq!(ends, ["03-26 21:00+02 to 03-27 01:00+03"]);
    let cairo = pieces("Africa/Cairo", ("fri", "0:30", "2:00"), ("2023-04-26", "2023-04-30"));
    assert_eq!(cairo, ["04-28 01:00+03 to 04-28 02:00+03"]);
}

#[test]
fn where_the_hour_before_midnight_comes_twice_the_evening_lasts_to_the_second_midnight() {
    assert_eq!(
        pieces(
            "America/Asuncion",
            ("sat", "23:30", "24:00"),
            ("2024-03-22", "2024-03-26")
        ),
        ["03-23 23:30-03 to 03-24 00:00-04"]
    );
    assert_eq!(
        pieces(
            "America/Sao_Paulo",
            ("sun", "0:00", "1:00"),
            ("2018-02-16", "2018-02-20")
        ),
        ["02-18 00:00-03 to 02-18 01:00-03"]
    );
}

#[test]
fn of_a_day_that_is_skipped_only_the_part_after_midnight_is_left() {
    let days = ("2011-12-29", "2012-01-02");
    let none: [&str; 0] = [];
    assert_eq!(pieces("Pacific/Apia", ("2011-12-30", "8:00", "20:00"), days), none);
    assert_eq!(
        pieces("Pacific/Apia", ("2011-12-30", "21:00", "7:00"), days),
        ["12-31 00:00+14 to 12-31 07:00+14"]
    );
    assert_eq!(
        pieces("Pacific/Apia", ("2011-12-29", "21:00", "7:00"), days),
        ["12-29 21:00-10 to 12-31 00:00+14"]
    );
}

#[test]
fn beyond_its_horizon_a_table_says_that_it_does_not_know() {
    let table = Timetable::compile(&[], &[], &TimeZone::UTC, 1000, 2000).unwrap();
    assert_eq!(table.at(999), None);
    assert_eq!([0, 1, 9].map(|near| table.at_near(999, near)), [None; 3]);
    assert_eq!(table.at(1000).map(|(_, until)| until), Some(2000));
    assert_eq!(table.at(1999).map(|(_, until)| until), Some(2000));
    assert_eq!(table.at(2000), None);
    let empty = Timetable::compile(&[], &[], &TimeZone::UTC, 2000, 2000).unwrap();
    assert!(empty.at(2000).is_none() && empty.at(1999).is_none() && empty.at(-1).is_none());
}

#[test]
fn spans_are_numbered_after_windows_and_hold_to_the_second() {
    let windows = [Window::parse("every day", "0:00", "24:00").unwrap()];
    let spans = [
        Span {
            from_s: 1500,
            to_s: 1501,
        },
        Span {
            from_s: 1800,
            to_s: 1700,
        },
        Span {
            from_s: i64::MIN,
            to_s: i64::MAX,
        },
    ];
    let table = Timetable::compile(&windows, &spans, &TimeZone::UTC, 1000, 2000).unwrap();
    let active = |now| table.at(now).map(|(state, _)| table.state(state));
    assert_eq!(active(1499), Some(&[0, 3][..]));
    assert_eq!(active(1500), Some(&[0, 1, 3][..]));
    assert_eq!(active(1501), Some(&[0, 3][..]));
    assert_eq!(table.state_ids().count(), 2);
    assert_eq!(
        table.at(1000).map(|(state, _)| state),
        table.at(1999).map(|(state, _)| state)
    );
}

#[test]
fn a_schedule_with_too_many_items_is_refused_with_a_sentence() {
    let spans = vec![Span { from_s: 0, to_s: 1 }; SCHEDULE_ITEMS + 1];
    let refused = Timetable::compile(&[], &spans, &TimeZone::UTC, 0, 1).unwrap_err();
    let sentence = "a schedule has 513 windows and spans, but may have 512; leave out those that are over";
    assert_eq!(refused.to_string(), sentence);
}

#[test]
fn a_table_that_is_full_ends_sooner_and_is_right_until_then() {
    let window = |at: u16| Window {
        days: Days::parse("every day").unwrap(),
        from: TimeOfDay::new(at / 60, at % 60).unwrap(),
        to: TimeOfDay::new(at / 60, at % 60 + 1).unwrap(),
    };
    let windows: Vec<Window> = (0..500).map(|at| window(2 * at)).collect();
    let year = 366 * 86_400;
    let table = Timetable::compile(&windows, &[], &TimeZone::UTC, 0, year).unwrap();
    assert!(table.end_s() < year && table.end_s() > 15 * 86_400, "{}", table.end_s());
    assert!(table.size_bytes() < 10 * TIMETABLE_CHANGES + 10_000);
    assert_eq!(table.at(table.end_s()), None);
    let again = Timetable::compile(&windows, &[], &TimeZone::UTC, table.end_s(), year).unwrap();
    let (before, until) = table.at(table.end_s() - 1).unwrap();
    assert_eq!(until, table.end_s());
    assert_ne!(table.state(before), again.state(again.at(table.end_s()).unwrap().0));
}

#[test]
fn equal_windows_are_equal_however_their_days_were_written() {
    let window = |days: &str| Window::parse(days, "21:00", "7:00").unwrap();
    let windows: HashSet<Window> = ["school nights", "sun-thu", "sun, mon, tue, wed, thu", "sun-wed"]
        .map(window)
        .into();
    assert_eq!(windows.len(), 2);
}
