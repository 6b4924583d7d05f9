//! Quotas by example, with clocks that go wrong, and against a model that keeps every minute there was.

use super::*;
use jiff::Timestamp;
use jiff::civil::date;

use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

const KEY: &str = "masha/games";

fn quota(minutes: u32, period: Period, carry: u32) -> Quota {
    Quota {
        minutes,
        period,
        carry,
        day_begins_hour: Quota::DAY_BEGINS_HOUR,
    }
}

fn berlin() -> TimeZone {
    TimeZone::get("Europe/Berlin").unwrap()
}

fn unix(text: &str) -> i64 {
    text.parse::<Timestamp>().unwrap().as_second()
}

fn note(meter: &mut Meter, key: &str, quota: &Quota, now_s: i64, zone: &TimeZone) -> Result<(), MeterError> {
    meter.note(key, quota, &quota.period_at(now_s, zone), now_s)
}

fn left_in(meter: &Meter, quota: &Quota, now_s: i64, zone: &TimeZone) -> u32 {
    let tally = meter.tally(KEY, quota, &quota.period_at(now_s, zone));
    tally.given.saturating_sub(tally.used)
}

/// Counts so many minutes in a row.
fn play(meter: &mut Meter, quota: &Quota, from_s: i64, minutes: i64) {
    for minute in 0..minutes {
        note(meter, KEY, quota, from_s + minute * 60, &berlin()).unwrap();
    }
}

fn left(meter: &Meter, quota: &Quota, now_s: i64) -> u32 {
    left_in(meter, quota, now_s, &berlin())
}

#[test]
fn a_minute_counts_once_whoever_asks_in_it_and_late_ones_count_too() {
    let (mut meter, quota) = (Meter::default(), quota(60, Period::Day, 0));
    let noon = unix("2026-09-01T10:00Z");
    for after in [0, 59, 1, 180, 120, 125, 30, 60 * 63, 60, 61] {
        note(&mut meter, KEY, &quota, noon + after, &berlin()).unwrap();
    }
    // The minutes 0, 1, 2, 3 and 63.
    assert_eq!(left(&meter, &quota, noon), 55);
}

#[test]
fn a_day_begins_at_its_hour_of_the_wall_clock_also_when_the_clock_is_changed() {
    let quota = quota(60, Period::Day, 0);
    let at = |now| quota.period_at(unix(now), &berlin());
    let night = at("2026-10-25T02:59:59Z");
    assert_eq!(night.first_day, date(2026, 10, 24));
    assert_eq!(
        (night.from_s, night.to_s),
        (unix("2026-10-24T02:00Z"), unix("2026-10-25T03:00Z"))
    );
    assert_eq!(at("2026-10-25T03:00:00Z").first_day, date(2026, 10, 25));
    // The hour of 2:00 is skipped: the day begins at 3:00.
    let early = Quota {
        day_begins_hour: 2,
        ..quota
    };
    assert_eq!(
        early.period_at(unix("2026-03-29T01:00Z"), &berlin()).from_s,
        unix("2026-03-29T01:00Z")
    );
    assert_eq!(
        early.period_at(unix("2026-03-29T00:59Z"), &berlin()).first_day,
        date(2026, 3, 28)
    );
}

#[test]
fn a_day_that_has_begun_does_not_end_when_the_clock_is_set_back_before_its_hour() {
    let midnight = Quota {
        day_begins_hour: 0,
        ..quota(60, Period::Day, 0)
    };
    // At 0:01 the clock went back to 23:01 of the day before.
    let zone = TimeZone::get("America/St_Johns").unwrap();
    let begun = unix("2010-11-07T02:30Z");
    assert_eq!(midnight.period_at(begun, &zone).first_day, date(2010, 11, 7));
    for now in [
        "2010-11-07T02:31Z",
        "2010-11-07T03:00Z",
        "2010-11-07T03:29Z",
        "2010-11-07T03:31Z",
    ] {
        let span = midnight.period_at(unix(now), &zone);
        assert_eq!((span.first_day, span.from_s), (date(2010, 11, 7), begun), "{now}");
    }
}

#[test]
fn a_week_begins_on_monday_at_the_hour_of_its_days() {
    let week = quota(300, Period::Week, 0);
    let at = |now| week.period_at(unix(now), &berlin());
    let before = at("2026-09-07T01:59:59Z");
    assert_eq!(
        (before.first_day, before.to_s),
        (date(2026, 8, 31), unix("2026-09-07T02:00Z"))
    );
    assert_eq!(at("2026-09-07T02:00:00Z").first_day, date(2026, 9, 7));
}

#[test]
fn unused_minutes_go_over_up_to_the_bound_and_pile_up_to_it_over_idle_days() {
    let (mut meter, quota) = (Meter::default(), quota(20, Period::Day, 50));
    let noon = unix("2026-09-01T10:00Z");
    assert_eq!(left(&meter, &quota, noon), 20);
    play(&mut meter, &quota, noon, 5);
    assert_eq!(left(&meter, &quota, noon + DAY_S), 20 + 15);
    assert_eq!(left(&meter, &quota, noon + 2 * DAY_S), 20 + 35);
    assert_eq!(left(&meter, &quota, noon + 3 * DAY_S), 20 + 50);
    assert_eq!(left(&meter, &quota, noon + 300 * DAY_S), 20 + 50);
    play(&mut meter, &quota, noon + DAY_S, 40);
    assert_eq!(left(&meter, &quota, noon + 2 * DAY_S), 20);
}

#[test]
fn a_minute_that_comes_after_the_day_is_taken_from_what_went_over() {
    let (mut meter, quota) = (Meter::default(), quota(20, Period::Day, 50));
    let before = unix("2026-09-01T01:59Z");
    let after = before + 60;
    play(&mut meter, &quota, before, 1);
    play(&mut meter, &quota, after, 1);
    assert_eq!(left(&meter, &quota, after), 20 + 19 - 1);
    play(&mut meter, &quota, before - 60, 1);
    assert_eq!(left(&meter, &quota, after), 20 + 18 - 1);
}

#[test]
fn a_clock_that_is_set_back_within_the_day_gives_no_minutes_and_counts_those_that_are_lived_again() {
    let (mut meter, quota) = (Meter::default(), quota(300, Period::Day, 0));
    let noon = unix("2026-09-01T10:00Z");
    play(&mut meter, &quota, noon, 100);
    play(&mut meter, &quota, noon - 7200, 3);
    play(&mut meter, &quota, noon - 7200, 3);
    assert_eq!(left(&meter, &quota, noon), 197);
}

#[test]
fn a_clock_that_is_set_back_to_before_all_that_is_known_goes_on_with_what_was_left() {
    let (mut meter, quota) = (Meter::default(), quota(60, Period::Day, 60));
    let noon = unix("2026-09-01T10:00Z");
    play(&mut meter, &quota, noon, 50);
    let wrong = unix("1970-01-01T12:00Z");
    assert_eq!(left(&meter, &quota, wrong), 10);
    play(&mut meter, &quota, wrong, 4);
    assert_eq!(left(&meter, &quota, wrong), 6);
    assert_eq!(left(&meter, &quota, noon), 10);
}

#[test]
fn a_clock_that_runs_far_ahead_and_comes_back_finds_what_was_used() {
    let (mut meter, quota) = (Meter::default(), quota(60, Period::Day, 0));
    let noon = unix("2026-09-01T10:00Z");
    play(&mut meter, &quota, noon, 50);
    for wrong in ["2035-01-01T12:00Z", "2035-01-02T12:00Z", "2099-01-01T12:00Z"] {
        play(&mut meter, &quota, unix(wrong), 20);
    }
    assert_eq!(left(&meter, &quota, noon), 10);
    // And the next day begins as it should.
    play(&mut meter, &quota, noon + DAY_S, 1);
    assert_eq!(left(&meter, &quota, noon + DAY_S), 59);
}

#[test]
fn a_clock_that_was_ahead_from_the_beginning_does_not_stop_the_days_that_come() {
    let (mut meter, quota) = (Meter::default(), quota(60, Period::Day, 0));
    play(&mut meter, &quota, unix("2099-01-01T12:00Z"), 50);
    let noon = unix("2026-09-01T10:00Z");
    play(&mut meter, &quota, noon, 5);
    assert_eq!(left(&meter, &quota, noon), 5);
    assert_eq!(left(&meter, &quota, noon + DAY_S), 60);
}

#[test]
fn a_day_and_a_week_of_one_key_are_counted_apart() {
    let (mut meter, day, week) = (Meter::default(), quota(60, Period::Day, 0), quota(300, Period::Week, 0));
    let monday = unix("2026-08-31T10:00Z");
    play(&mut meter, &day, monday, 10);
    assert_eq!(left(&meter, &week, monday), 300);
    play(&mut meter, &week, monday, 20);
    assert_eq!((left(&meter, &day, monday), left(&meter, &week, monday)), (50, 280));
}

#[test]
fn what_is_beyond_the_bounds_is_refused_and_counts_nothing() {
    let (mut meter, quota) = (Meter::default(), quota(60, Period::Day, 0));
    for key in ["", "a\tb", "a\nb", &"x".repeat(QUOTA_KEY_BYTES + 1)] {
        let refused = note(&mut meter, key, &quota, 0, &berlin());
        assert_eq!(refused, Err(MeterError::BadKey { bytes: key.len() }));
    }
    note(&mut meter, KEY, &quota, 0, &berlin()).unwrap();
    assert!(
        meter
            .account("more", 1)
            .is_err_and(|refused| refused == MeterError::TooManyKeys)
    );
    assert!(meter.account(KEY, 1).is_ok() && meter.account("more", 2).is_ok());
    meter.retain(|key| key == KEY);
    assert_eq!(meter.len(), 1);
}

#[test]
fn times_beyond_the_calendar_are_no_panic() {
    let mut meter = Meter::default();
    for period in [Period::Day, Period::Week] {
        for now_s in [i64::MIN, -1, 0, i64::MAX - 1, i64::MAX] {
            let most = quota(u32::MAX, period, u32::MAX);
            note(&mut meter, KEY, &most, now_s, &berlin()).unwrap();
            // The last day of the calendar has none behind it.
            left(&meter, &most, now_s);
        }
    }
}

/// Keeps everything, and replays it whenever it is asked.
struct Model {
    zone: TimeZone,
    quota: Quota,
    /// The seconds of what was used, in the order in which it was noted.
    events: Vec<i64>,
    /// The day of each minute from the first one on, by reading the clock.
    first_minute: i64,
    days: Vec<Date>,
}

impl Model {
    fn new(zone: TimeZone, quota: Quota, first_s: i64, minutes: i64) -> Model {
        let first_minute = first_s / 60;
        let shown = |minute: i64| {
            Timestamp::from_second(minute * 60)
                .unwrap()
                .to_zoned_datetime(zone.clone())
                .datetime()
        };
        let mut day = shown(first_minute).date().yesterday().unwrap();
        let mut days = Vec::new();
        for minute in first_minute..first_minute + minutes {
            let next = day.tomorrow().unwrap();
            if shown(minute) >= next.at(quota.day_begins_hour as i8, 0, 0, 0) {
                day = next;
            }
            days.push(day);
        }
        Model {
            zone,
            quota,
            events: Vec::new(),
            first_minute,
            days,
        }
    }

    fn period(&self, now_s: i64) -> Date {
        let day = self.days[(now_s.div_euclid(60) - self.first_minute) as usize];
        let mut monday = day;
        while self.quota.period == Period::Week && monday.weekday() != jiff::civil::Weekday::Monday {
            monday = monday.yesterday().unwrap();
        }
        monday
    }

    fn left(&self, now_s: i64) -> u32 {
        let mut minutes = BTreeSet::new();
        let mut used: BTreeMap<Date, u32> = BTreeMap::new();
        for &at_s in &self.events {
            let base = used.entry(self.period(at_s)).or_default();
            *base += u32::from(minutes.insert(at_s.div_euclid(60)));
        }
        let current = self.period(now_s);
        let (mut period, mut carried) = (used.keys().next().copied().unwrap_or(current), 0);
        while period < current {
            let before = used.get(&period).copied().unwrap_or(0);
            carried = (self.quota.minutes + carried)
                .saturating_sub(before)
                .min(self.quota.carry);
            for _ in 0..if self.quota.period == Period::Week { 7 } else { 1 } {
                period = period.tomorrow().unwrap();
            }
        }
        let before = used.get(&current).copied().unwrap_or(0);
        (self.quota.minutes + carried).saturating_sub(before)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn a_meter_agrees_with_keeping_everything(
        place in 0usize..6,
        (minutes, weekly, carry, hour) in (0u32..90, any::<bool>(), prop_oneof![Just(0u32), 1u32..200], 0u8..24),
        steps in proptest::collection::vec((0i64..4, 0i64..1500, 0i64..45, any::<bool>()), 1..60),
    ) {
        let (name, begin) = [
            ("Europe/Berlin", "2026-10-23T10:00Z"),
            ("Europe/Berlin", "2026-03-27T10:00Z"),
            ("Australia/Lord_Howe", "2025-04-04T01:00Z"),
            ("Asia/Beirut", "2022-10-28T10:00Z"),
            ("America/Sao_Paulo", "2018-11-02T15:00Z"),
            ("America/St_Johns", "2010-11-05T15:00Z"),
        ][place];
        let period = if weekly { Period::Week } else { Period::Day };
        let quota = Quota { minutes, period, carry, day_begins_hour: hour };
        let begin_s = unix(begin);
        let mut model = Model::new(TimeZone::get(name).unwrap(), quota, begin_s - 2 * DAY_S, 40 * 1440);
        let mut meter = Meter::default();
        // Nothing comes so late that it belongs to a time before the first period.
        let mut clock_s = begin_s;
        note(&mut meter, KEY, &quota, begin_s, &model.zone).unwrap();
        model.events.push(begin_s);
        let first_s = quota.period_at(begin_s, &model.zone).from_s;
        for (kind, ahead, late, restart) in steps {
            // Mostly minutes in a row, sometimes up to a day ahead.
            clock_s += if kind == 0 { ahead * 60 } else { ahead % 150 };
            clock_s = clock_s.min(begin_s + 30 * DAY_S);
            let late_s = if kind == 3 { 0 } else { late * 60 };
            let late_s = late_s.min(clock_s - first_s);
            let now_s = clock_s - late_s;
            note(&mut meter, KEY, &quota, now_s, &model.zone).unwrap();
            model.events.push(now_s);
            prop_assert_eq!(left_in(&meter, &quota, now_s, &model.zone), model.left(now_s));
            if restart {
                meter = Meter::from_text(&meter.to_text()).unwrap();
            }
            let fast = left_in(&meter, &quota, clock_s, &model.zone);
            let resets_at_s = quota.period_at(clock_s, &model.zone).to_s;
            prop_assert_eq!(fast, model.left(clock_s), "{} {}", name, Timestamp::from_second(clock_s).unwrap());
            // It resets at the first minute that belongs to another period.
            let current = model.period(clock_s);
            prop_assert_ne!(model.period(resets_at_s), current);
            prop_assert_eq!(model.period(resets_at_s - 60), current);
        }
    }
}

#[test]
fn a_month_of_every_minute_is_counted_to_the_minute() {
    let (mut meter, quota, zone) = (Meter::default(), quota(100, Period::Day, 30), berlin());
    let begin = unix("2026-10-01T02:00Z");
    let end = unix("2026-11-01T03:00Z");
    let mut days: BTreeMap<Date, u32> = BTreeMap::new();
    for now_s in (begin..end).step_by(60) {
        // Three devices.
        let told = [0, 20, 59].map(|second| {
            note(&mut meter, KEY, &quota, now_s + second, &zone).unwrap();
            left_in(&meter, &quota, now_s, &zone)
        });
        assert!(told[0] == told[1] && told[1] == told[2]);
        let day = days.entry(quota.period_at(now_s, &zone).first_day).or_default();
        *day += 1;
        assert_eq!(told[0], 100u32.saturating_sub(*day));
    }
    assert_eq!(days.len(), 31);
    // The day on which the clock is set back has 25 hours.
    assert_eq!(days.values().filter(|minutes| **minutes == 1440).count(), 30);
    assert_eq!(days[&date(2026, 10, 24)], 1500);
}
