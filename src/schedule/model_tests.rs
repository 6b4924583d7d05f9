//! Random schedules against a slow obvious model that walks the days minute by minute and reads the clock on the wall.

use super::*;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use proptest::prelude::*;

/// Zones, each with days on which its clock does something, or does nothing.
const NIGHTS: [(&str, &str); 23] = [
    ("Europe/Berlin", "2026-03-29"),
    ("Europe/Berlin", "2026-10-25"),
    ("Europe/Berlin", "2026-07-01"),
    ("America/New_York", "2026-03-08"),
    ("America/New_York", "2026-11-01"),
    ("Australia/Lord_Howe", "2025-04-06"),
    ("Australia/Lord_Howe", "2025-10-05"),
    ("Africa/Cairo", "2023-04-28"),
    ("Africa/Cairo", "2023-10-27"),
    ("America/Sao_Paulo", "2018-02-18"),
    ("America/Sao_Paulo", "2018-11-04"),
    ("Asia/Beirut", "2022-03-27"),
    ("Asia/Beirut", "2022-10-30"),
    ("America/Asuncion", "2023-10-01"),
    ("America/Asuncion", "2024-03-24"),
    ("Pacific/Apia", "2011-12-30"),
    ("Pacific/Apia", "2011-09-24"),
    ("Europe/Moscow", "2011-03-27"),
    ("Europe/Moscow", "2014-10-26"),
    ("Asia/Kathmandu", "2024-05-05"),
    // The clock goes two hours, from 0:01, and over the date line backward.
    ("Antarctica/Troll", "2024-10-27"),
    ("America/St_Johns", "2010-11-07"),
    ("Pacific/Kwajalein", "1969-09-30"),
];

/// Days before and after the interesting one.
const AROUND: i64 = 3;

/// What the wall clock shows at each minute of the days around one, and of three more on both sides.
struct Model {
    first_s: i64,
    shown: Vec<DateTime>,
}

impl Model {
    fn new(zone: &TimeZone, middle: Date) -> Model {
        let first_s = civil_s(middle, -(AROUND + 3) * MINUTES_PER_DAY);
        let minutes = (2 * (AROUND + 3) + 1) * MINUTES_PER_DAY;
        let shown = |minute| {
            let at = Timestamp::from_second(first_s + minute * 60).unwrap();
            at.to_zoned_datetime(zone.clone()).datetime()
        };
        Model {
            first_s,
            shown: (0..minutes).map(shown).collect(),
        }
    }

    /// Whether a window holds, minute by minute.
    fn window(&self, window: &Window) -> Vec<bool> {
        let mut holds = vec![false; self.shown.len()];
        let (first, last) = (self.shown[0].date(), self.shown[self.shown.len() - 1].date());
        let mut days: Vec<Date> = vec![first.yesterday().unwrap()];
        while days[days.len() - 1] <= last {
            days.push(days[days.len() - 1].tomorrow().unwrap());
        }
        for day in days.into_iter().filter(|day| window.days.contains(*day)) {
            let at = |day: Date, time: TimeOfDay| match time.minutes() {
                MINUTES_PER_DAY => day.tomorrow().unwrap().at(0, 0, 0, 0),
                minutes => day.at((minutes / 60) as i8, (minutes % 60) as i8, 0, 0),
            };
            let ends_on = if window.to <= window.from {
                day.tomorrow().unwrap()
            } else {
                day
            };
            let (from, to) = (at(day, window.from), at(ends_on, window.to));
            let begin = self
                .shown
                .iter()
                .position(|shown| *shown >= from)
                .unwrap_or(holds.len());
            let end = self
                .shown
                .iter()
                .rposition(|shown| *shown < to)
                .map_or(0, |last| last + 1);
            holds[begin.min(end)..end].fill(true);
        }
        holds
    }

    fn span(&self, span: &Span) -> Vec<bool> {
        let second = |minute: usize| self.first_s + minute as i64 * 60;
        (0..self.shown.len())
            .map(|minute| (span.from_s..span.to_s).contains(&second(minute)))
            .collect()
    }
}

/// Days near the interesting one, by weekday and by date.
fn days(middle: Date) -> impl Strategy<Value = Days> {
    let set = move |fewest: usize| {
        let near = (-5i64..6).prop_map(move |more| middle.saturating_add(jiff::SignedDuration::from_hours(24 * more)));
        let range = (near.clone(), near).prop_map(|(first, last)| DateRange { first, last });
        let weekdays = proptest::collection::vec((0i8..7, 0i8..7), 0..2).prop_map(|ranges| {
            let day = |place| jiff::civil::Weekday::from_monday_zero_offset(place).unwrap();
            let ranges = ranges
                .iter()
                .map(|(first, last)| Weekdays::range(day(*first), day(*last)));
            ranges.fold(Weekdays::NONE, Weekdays::with)
        });
        (weekdays, proptest::collection::vec(range, fewest..3))
            .prop_map(|(weekdays, ranges)| DaySet::new(weekdays, ranges))
    };
    (set(1), prop_oneof![Just(DaySet::default()), set(0)])
        .prop_map(|(included, excepted)| Days::new(included, excepted))
}

/// Mostly in the small hours, where clocks are changed, and around midnight.
fn minutes() -> impl Strategy<Value = u16> {
    prop_oneof![
        0u16..1440,
        0u16..240,
        1380u16..1440,
        (0u16..48).prop_map(|halves| halves * 30)
    ]
}

fn windows(middle: Date) -> impl Strategy<Value = Vec<Window>> {
    let time = |minutes: u16| TimeOfDay::new(minutes / 60, minutes % 60).unwrap();
    let window = (
        days(middle),
        minutes(),
        prop_oneof![4 => minutes(), 1 => Just(1440u16)],
        0..8,
    )
        .prop_map(move |(days, from, to, same)| Window {
            days,
            from: time(from),
            to: time(if same == 0 { from } else { to }),
        });
    proptest::collection::vec(window, 0..6)
}

/// Zone, day, windows, spans, and two numbers to choose times by.
type Case = (&'static str, Date, Vec<Window>, Vec<(i64, i64)>, i64, i64);

fn cases() -> impl Strategy<Value = Case> {
    (0..NIGHTS.len()).prop_flat_map(|night| {
        let (zone, middle) = (NIGHTS[night].0, NIGHTS[night].1.parse::<Date>().unwrap());
        let minute = -AROUND * MINUTES_PER_DAY..(AROUND + 1) * MINUTES_PER_DAY;
        let spans = proptest::collection::vec((minute.clone(), minute.clone()), 0..3);
        (Just(zone), Just(middle), windows(middle), spans, minute.clone(), minute)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_timetable_agrees_with_reading_the_clock_every_minute((name, middle, windows, spans, one, other) in cases()) {
        let zone = TimeZone::get(name).unwrap();
        let model = Model::new(&zone, middle);
        let minute_s = |minute| civil_s(middle, minute);
        let spans: Vec<Span> = spans.iter().map(|(from, to)| Span { from_s: minute_s(*from), to_s: minute_s(*to) }).collect();
        let (from_s, to_s) = (minute_s(one.min(other)), minute_s(one.max(other)));
        let table = Timetable::compile(&windows, &spans, &zone, from_s, to_s).unwrap();

        let holds: Vec<Vec<bool>> = windows.iter().map(|window| model.window(window))
            .chain(spans.iter().map(|span| model.span(span))).collect();
        let slow = |now_s: i64| {
            let minute = ((now_s - model.first_s) / 60) as usize;
            (0..holds.len() as u16).filter(|item| holds[usize::from(*item)][minute]).collect::<Vec<_>>()
        };
        // Backward, so that the next change is known.
        let mut until_s = to_s;
        for now_s in (0..(to_s - from_s) as usize).step_by(60).rev().map(|after| from_s + after as i64) {
            let (state, fast_until_s) = table.at(now_s).unwrap();
            let active = slow(now_s);
            prop_assert_eq!(table.state(state), &active[..], "{} {}", name, Timestamp::from_second(now_s).unwrap());
            prop_assert_eq!(fast_until_s, until_s);
            prop_assert_eq!(table.at(now_s + 59), table.at(now_s));
            if now_s > from_s && slow(now_s - 60) != active {
                until_s = now_s;
            }
        }
        prop_assert_eq!(table.at(from_s - 1), None);
        prop_assert_eq!(table.at(to_s), None);
    }

    #[test]
    fn overlaps_agree_with_reading_the_clock_every_minute((name, middle, windows, _, _, _) in cases()) {
        let zone = TimeZone::get(name).unwrap();
        let model = Model::new(&zone, middle);
        let from = middle.saturating_sub(jiff::SignedDuration::from_hours(24 * AROUND));
        let found = overlaps(&windows, &zone, from).unwrap();
        let begin = model.shown.iter().position(|shown| shown.date() >= from).unwrap();
        let holds: Vec<Vec<bool>> = windows.iter().map(|window| model.window(window)).collect();
        for one in 0..windows.len() {
            for other in one + 1..windows.len() {
                // The model ends within the year: what meets later is not its business.
                let end = model.shown.len() - 2 * MINUTES_PER_DAY as usize;
                let met = (begin..end).find(|minute| holds[one][*minute] && holds[other][*minute]);
                let met = met.map(|minute| model.first_s + minute as i64 * 60);
                let pair = (one as u16, other as u16);
                let fast = found.iter().find(|overlap| (overlap.one, overlap.other) == pair).map(|overlap| overlap.at_s);
                prop_assert_eq!(fast.filter(|at_s| *at_s < model.first_s + end as i64 * 60), met);
            }
        }
    }
}
