//! Times as parents say them, as the file writes them, and as sentences tell them.
//!
//! In: words such as `30m`, `21:00`, `friday 20:00`; the time now; the zone of whoever it is about. Out: a point in time,
//! and texts for it.
//! Always: pure. What is written reads back as the same instant, also in the hour that a clock shows twice: there the
//! offset is written along.
//! Fails: with the half sentence that says how to write it.

use super::error::EditError;
use crate::schedule::parse::weekday;
use crate::schedule::quota::Quota;
use crate::schedule::{ParseError, TimeOfDay};
use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};

/// The clock on the wall of whoever an edit is about.
#[derive(Debug, Clone)]
pub struct Wall {
    pub zone: TimeZone,
    /// Those it is about live in several zones, so that a time without an offset would mean several instants.
    pub several: bool,
}

/// The hour at which a day of a quota begins.
const DAY_BEGINS_HOUR: i8 = Quota::DAY_BEGINS_HOUR as i8;

const HOW: &str = "is not a time; write it like \"21:00\", \"tomorrow 7:00\", \"friday 20:00\" or \"2026-12-24T20:00\"";

impl Wall {
    /// The next time that `text` means, not before `now` if it names no date.
    pub fn read(&self, key: &str, text: &str, now: Timestamp) -> Result<Timestamp, EditError> {
        let lower = text.trim().to_lowercase();
        let wrong = || EditError::value(key, text, HOW);
        if let Ok(at) = text.trim().parse::<Timestamp>() {
            return Ok(at);
        }
        if let Some(at) = full(&lower) {
            return self.instant(at).ok_or_else(wrong);
        }
        let today = self.zone.to_datetime(now).date();
        let (day, clock) = match lower.rsplit_once(char::is_whitespace) {
            Some((day, clock)) => (Some(day.trim()), clock),
            None => (None, lower.as_str()),
        };
        let minutes = clock_minutes(clock).map_err(|meant| match meant {
            Some(meant) => EditError::value(key, text, format!("is not a time; write \"{meant}\"")),
            None => wrong(),
        })?;
        let on = |date: Date| {
            let midnight = date.to_datetime(Time::midnight());
            midnight.checked_add(minutes.minutes()).ok()
        };
        let days = match day {
            None => today.series(1.day()).take(2).collect(),
            Some("today" | "tonight") => vec![today],
            Some("tomorrow") => today.series(1.day()).skip(1).take(1).collect(),
            Some(word) => match (word.parse::<Date>(), weekday(word)) {
                (Ok(date), _) => vec![date],
                (_, Ok(weekday)) => today
                    .series(1.day())
                    .take(8)
                    .filter(|date| date.weekday() == weekday)
                    .collect(),
                _ => return Err(wrong()),
            },
        };
        let times: Vec<Timestamp> = days.into_iter().filter_map(|date| self.instant(on(date)?)).collect();
        let next = times.iter().find(|at| **at > now).or(times.last());
        next.copied().ok_or_else(wrong)
    }

    /// A time of the file: local, or with an offset.
    pub fn stored(&self, text: &str) -> Option<Timestamp> {
        let text = text.trim();
        match text.parse::<Timestamp>() {
            Ok(at) => Some(at),
            Err(_) => self.instant(full(text)?),
        }
    }

    /// As the file writes it: local, to the minute; with its offset where that alone would not be clear.
    pub fn written(&self, at: Timestamp) -> String {
        let local = self.zone.to_datetime(at);
        let short = local.strftime("%Y-%m-%dT%H:%M").to_string();
        let clear = local.second() == 0 && !self.zone.to_ambiguous_timestamp(local).is_ambiguous();
        match clear && !self.several {
            true => short,
            false => at
                .to_zoned_datetime(self.zone.clone())
                .strftime("%Y-%m-%dT%H:%M:%S%:z")
                .to_string(),
        }
    }

    /// As a sentence says it after "until": `21:30` for today, `Tuesday 04:00` for the coming days, else the date.
    pub fn said(&self, at: Timestamp, now: Timestamp) -> String {
        let (then, now) = (self.zone.to_datetime(at), self.zone.to_datetime(now));
        let clock = then.strftime("%H:%M");
        match (then.date() - now.date()).get_days() {
            0 => clock.to_string(),
            1..=6 => then.strftime("%A %H:%M").to_string(),
            _ => then.strftime("%Y-%m-%d %H:%M").to_string(),
        }
    }

    /// `now` and so many minutes, to the next whole minute.
    pub fn after(&self, now: Timestamp, minutes: i64) -> Option<Timestamp> {
        let seconds = now.as_second().checked_add(minutes.checked_mul(60)?)?;
        let whole = seconds.checked_add(59)?.div_euclid(60).checked_mul(60)?;
        Timestamp::from_second(whole).ok()
    }

    /// When the period of a quota ends: the next morning, or that of next Monday.
    pub fn period_end(&self, now: Timestamp, weekly: bool) -> Option<Timestamp> {
        let today = self.zone.to_datetime(now).date();
        let mornings = today.series(1.day()).take(9);
        let mut mornings = mornings.filter(|date| !weekly || date.weekday() == Weekday::Monday);
        mornings.find_map(|date| self.instant(date.at(DAY_BEGINS_HOUR, 0, 0, 0)).filter(|at| *at > now))
    }

    fn instant(&self, at: DateTime) -> Option<Timestamp> {
        self.zone.to_ambiguous_timestamp(at).compatible().ok()
    }
}

/// A date with a time, `T` or a blank between them.
fn full(text: &str) -> Option<DateTime> {
    let shaped = text.len() >= 16 && text.is_char_boundary(10) && text.as_bytes().get(4) == Some(&b'-');
    text.parse::<DateTime>().ok().filter(|_| shaped)
}

/// Minutes of a time of the clock, 1440 at most; else what was probably meant.
pub(super) fn clock_minutes(text: &str) -> Result<i64, Option<String>> {
    match text.trim() {
        "midnight" => Ok(1440),
        "noon" => Ok(720),
        text => TimeOfDay::parse(text)
            .map(TimeOfDay::minutes)
            .map_err(|error| match error {
                ParseError::Time { meant, .. } => meant,
                _ => None,
            }),
    }
}

/// Minutes of `30m`, `1h30m`, `2 hours`, `1 day`; a bare number is minutes. `None`: that is no duration, or no minute.
pub fn minutes(text: &str) -> Option<i64> {
    let mut rest = text.trim().trim_start_matches('+').trim_start();
    let mut total: i64 = 0;
    while !rest.is_empty() {
        let digits = rest.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(rest.len());
        let number: i64 = rest.get(..digits)?.parse().ok()?;
        rest = rest.get(digits..)?.trim_start();
        let letters = rest.find(|letter: char| !letter.is_alphabetic()).unwrap_or(rest.len());
        let unit = match rest.get(..letters)? {
            "" | "m" | "min" | "mins" | "minute" | "minutes" => 1,
            "h" | "hour" | "hours" => 60,
            "d" | "day" | "days" => 1440,
            "w" | "week" | "weeks" => 7 * 1440,
            _ => return None,
        };
        total = total.checked_add(number.checked_mul(unit)?)?;
        rest = rest.get(letters..)?.trim_start();
    }
    // Whatever is longer is a slip of the hand, and ten years of seconds still fit everywhere.
    (1..=10 * 366 * 1440).contains(&total).then_some(total)
}

/// `90` as `1h30m`.
pub fn short(minutes: i64) -> String {
    match (minutes / 60, minutes % 60) {
        (0, rest) => format!("{rest}m"),
        (hours, 0) => format!("{hours}h"),
        (hours, rest) => format!("{hours}h{rest}m"),
    }
}

/// Whether an end lies further away than so many days.
pub(super) fn beyond(now: Timestamp, end: Timestamp, days: i64) -> bool {
    end.duration_since(now) > SignedDuration::from_hours(24 * days)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wall(zone: &str) -> Wall {
        Wall {
            zone: TimeZone::get(zone).unwrap(),
            several: false,
        }
    }

    /// Monday, 20:00:30 in Moscow.
    fn monday() -> Timestamp {
        "2026-11-30T17:00:30Z".parse().unwrap()
    }

    #[test]
    fn a_time_of_the_clock_is_the_next_one_that_the_clock_shows() {
        let read = |text: &str| {
            let moscow = wall("Europe/Moscow");
            moscow.written(moscow.read("--until", text, monday()).unwrap())
        };
        for (text, expected) in [
            ("21:00", "2026-11-30T21:00"),
            ("7:00", "2026-12-01T07:00"),
            ("midnight", "2026-12-01T00:00"),
            ("today 23:15", "2026-11-30T23:15"),
            ("Tomorrow 7:00", "2026-12-01T07:00"),
            ("friday 20:00", "2026-12-04T20:00"),
            ("mon 21:00", "2026-11-30T21:00"),
            ("Monday 7:00", "2026-12-07T07:00"),
            ("2026-12-24 20:00", "2026-12-24T20:00"),
            ("2026-12-24T20:00", "2026-12-24T20:00"),
            ("2026-12-24T17:00:00Z", "2026-12-24T20:00"),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_told_with_the_way_to_write_it() {
        let wrong = |text: &str| wall("UTC").read("--until", text, monday()).unwrap_err().to_string();
        assert_eq!(wrong("9pm"), "--until \"9pm\" is not a time; write \"21:00\"");
        assert_eq!(wrong("21"), "--until \"21\" is not a time; write \"21:00\"");
        for text in ["", "25:00", "21:60", "someday 20:00", "2026-13-01T20:00"] {
            assert_eq!(
                wrong(text),
                format!(
                    "--until \"{text}\" is not a time; write it like \"21:00\", \"tomorrow 7:00\", \"friday 20:00\" or \
                     \"2026-12-24T20:00\""
                )
            );
        }
    }

    #[test]
    fn the_hour_that_comes_twice_is_written_with_its_offset() {
        let berlin = wall("Europe/Berlin");
        let second: Timestamp = "2026-10-25T01:30:00Z".parse().unwrap();
        assert_eq!(berlin.written(second), "2026-10-25T02:30:00+01:00");
        assert_eq!(berlin.stored(&berlin.written(second)), Some(second));
        let clear: Timestamp = "2026-10-25T19:30:00Z".parse().unwrap();
        assert_eq!(berlin.written(clear), "2026-10-25T20:30");
        assert_eq!(berlin.stored("2026-10-25T20:30"), Some(clear));
    }

    #[test]
    fn an_end_is_said_as_short_as_it_is_clear() {
        let moscow = wall("Europe/Moscow");
        let said = |text: &str| moscow.said(text.parse().unwrap(), monday());
        assert_eq!(said("2026-11-30T18:30:00Z"), "21:30");
        assert_eq!(said("2026-12-01T01:00:00Z"), "Tuesday 04:00");
        assert_eq!(said("2026-12-07T01:00:00Z"), "2026-12-07 04:00");
    }

    #[test]
    fn a_period_ends_at_four_in_the_morning() {
        let moscow = wall("Europe/Moscow");
        let end = |now: &str, weekly| moscow.written(moscow.period_end(now.parse().unwrap(), weekly).unwrap());
        assert_eq!(end("2026-11-30T17:00:00Z", false), "2026-12-01T04:00");
        assert_eq!(end("2026-11-30T00:59:00Z", false), "2026-11-30T04:00");
        assert_eq!(end("2026-11-30T01:00:00Z", false), "2026-12-01T04:00");
        assert_eq!(end("2026-11-30T17:00:00Z", true), "2026-12-07T04:00");
    }

    #[test]
    fn durations_are_read_as_people_write_them() {
        for (text, expected) in [
            ("30m", 30),
            ("+30m", 30),
            ("1h30m", 90),
            ("2 hours", 120),
            ("45", 45),
            ("1 day", 1440),
        ] {
            assert_eq!(minutes(text), Some(expected), "{text}");
        }
        for text in ["", "0", "0m", "m", "2ch.hk", "30x", "-5m", "99999999999999999999"] {
            assert_eq!(minutes(text), None, "{text}");
        }
        assert_eq!([30, 60, 90].map(short), ["30m", "1h", "1h30m"]);
    }
}
