//! Schedules from text, as settings and the admin page give it.
//!
//! In: a text for the days, one for each time. Out: [`Days`], [`TimeOfDay`], [`Window`].
//! Always: what is read and shown again reads as the same.
//! Fails: with one sentence that says which word is wrong and what to write instead.

use super::days::SHORT_NAMES;
use super::{DateRange, DaySet, Days, TimeOfDay, Weekdays, Window};
use crate::limits::SCHEDULE_DATES;
use crate::nearest::nearest;
use jiff::civil::{Date, Weekday};

/// What is wrong with the text of a schedule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    #[error("no day is named{}; write days such as \"mon-fri\", \"weekend\" or \"2026-12-24\"", if *.after_except { " after \"except\"" } else { "" })]
    NoDays { after_except: bool },
    #[error("\"{word}\" is no day; {}", advice(nearest))]
    Day {
        word: String,
        /// A word that looks like it.
        nearest: Option<String>,
    },
    #[error("\"{word}\" is no date of the calendar; write year, month and day such as 2026-12-24")]
    Date { word: String },
    #[error("\"{first}..{last}\" ends before it begins; write {last}..{first}")]
    Backward { first: Date, last: Date },
    #[error("\"{text}\" leaves no day; name fewer days after \"except\"")]
    NeverADay { text: String },
    #[error(
        "{count} dates are named, but a window may have {SCHEDULE_DATES}; write ranges such as 2026-12-24..2027-01-08"
    )]
    TooManyDates { count: usize },
    #[error("\"{text}\" is no time; write {}", meant.as_deref().unwrap_or("hours and minutes such as 7:00 or 21:30"))]
    Time {
        text: String,
        /// What was probably meant.
        meant: Option<String>,
    },
    #[error("no window begins at 24:00; write 0:00 and the day after")]
    BeginsAtTheEnd,
}

fn advice(nearest: &Option<String>) -> String {
    match nearest {
        Some(word) => format!("did you mean \"{word}\"?"),
        None => {
            "write mon to sun, \"weekdays\", \"weekend\", \"every day\", \"school nights\" or a date such as 2026-12-24"
                .to_owned()
        }
    }
}

impl Window {
    /// Reads the days on which a window begins, and its first and last time: `"school nights"`, `"21:00"`, `"7:00"`.
    pub fn parse(days: &str, from: &str, to: &str) -> Result<Window, ParseError> {
        let (days, from, to) = (Days::parse(days)?, TimeOfDay::beginning(from)?, TimeOfDay::parse(to)?);
        Ok(Window { days, from, to })
    }
}

impl Days {
    /// Reads `mon-fri, 2026-10-03 except 2026-12-24..2027-01-08`: days with commas, blanks or "and" between them, and after
    /// "except" those that are left out.
    pub fn parse(text: &str) -> Result<Days, ParseError> {
        // Telephones write longer dashes of their own accord.
        let lower = text.to_lowercase().replace(['–', '—', '−'], "-");
        let lower = lower.replace(" - ", "-").replace(" .. ", "..");
        let (mut included, mut excepted) = (Terms::default(), None);
        for piece in lower.split(',') {
            let words: Vec<&str> = piece.split_whitespace().filter(|word| *word != "and").collect();
            let mut rest = &words[..];
            while let [word, after @ ..] = rest {
                rest = after;
                if *word == "except" {
                    excepted.get_or_insert_with(Terms::default);
                    continue;
                }
                let terms = excepted.as_mut().unwrap_or(&mut included);
                if after.first().is_some_and(|second| terms.add_two_words(word, second)) {
                    rest = &after[1..];
                    continue;
                }
                terms.add(word, after.first().copied())?;
            }
        }
        let days = Days::new(
            included.finish(false)?,
            excepted.map_or(Ok(DaySet::default()), |terms| terms.finish(true))?,
        );
        match days.is_never() {
            true => Err(ParseError::NeverADay {
                text: text.trim().to_owned(),
            }),
            false => Ok(days),
        }
    }
}

/// Words for more than one day, or of more than one word.
const PHRASES: [(&str, Weekdays); 4] = [
    ("weekdays", Weekdays::WEEKDAYS),
    ("weekend", Weekdays::WEEKEND),
    ("every day", Weekdays::EVERY_DAY),
    ("school nights", Weekdays::SCHOOL_NIGHTS),
];

const LONG_NAMES: [&str; 7] = [
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
];

/// Days as they are read.
#[derive(Default)]
struct Terms {
    weekdays: Weekdays,
    ranges: Vec<DateRange>,
}

impl Terms {
    fn add_two_words(&mut self, first: &str, second: &str) -> bool {
        let found = phrase(&format!("{first} {second}"));
        self.weekdays = self.weekdays.with(found.unwrap_or_default());
        found.is_some()
    }

    /// `next`: the word behind it, in case both are a misspelt phrase.
    fn add(&mut self, word: &str, next: Option<&str>) -> Result<(), ParseError> {
        if word.starts_with(|first: char| first.is_ascii_digit()) {
            self.ranges.push(dates(word)?);
            return Ok(());
        }
        let days = match word.split_once('-') {
            Some((first, last)) => Weekdays::range(weekday(first)?, weekday(last)?),
            None => match phrase(word) {
                Some(days) => days,
                None => Weekdays::one(weekday(word).map_err(|error| misspelt_phrase(word, next).unwrap_or(error))?),
            },
        };
        self.weekdays = self.weekdays.with(days);
        Ok(())
    }

    fn finish(self, after_except: bool) -> Result<DaySet, ParseError> {
        let count = self.ranges.len();
        if count > SCHEDULE_DATES {
            return Err(ParseError::TooManyDates { count });
        }
        if count == 0 && self.weekdays == Weekdays::NONE {
            return Err(ParseError::NoDays { after_except });
        }
        Ok(DaySet::new(self.weekdays, self.ranges))
    }
}

fn phrase(text: &str) -> Option<Weekdays> {
    PHRASES.iter().find(|(name, _)| *name == text).map(|(_, days)| *days)
}

fn misspelt_phrase(word: &str, next: Option<&str>) -> Option<ParseError> {
    let word = format!("{word} {}", next?);
    let known: Vec<String> = PHRASES.iter().map(|(name, _)| (*name).to_owned()).collect();
    let nearest = Some(nearest(&word, &known)?);
    Some(ParseError::Day { word, nearest })
}

/// Reads `mon` or `monday`, in small letters.
pub fn weekday(word: &str) -> Result<Weekday, ParseError> {
    let place = |names: &[&str]| names.iter().position(|name| *name == word);
    let found = place(&SHORT_NAMES).or_else(|| place(&LONG_NAMES));
    let day = found.and_then(|place| Weekday::from_monday_zero_offset(place as i8).ok());
    day.ok_or_else(|| {
        let phrases = PHRASES.iter().map(|(name, _)| name);
        let known: Vec<String> = SHORT_NAMES
            .iter()
            .chain(&LONG_NAMES)
            .chain(phrases)
            .map(|name| (*name).to_owned())
            .collect();
        ParseError::Day {
            word: word.to_owned(),
            nearest: nearest(word, &known),
        }
    })
}

/// A date, or two with `..` between them.
fn dates(word: &str) -> Result<DateRange, ParseError> {
    let Some((first, last)) = word.split_once("..") else {
        let day = date(word)?;
        return Ok(DateRange { first: day, last: day });
    };
    let (first, last) = (date(first)?, date(last)?);
    match first <= last {
        true => Ok(DateRange { first, last }),
        false => Err(ParseError::Backward { first, last }),
    }
}

/// Four digits, two and two: no other form that the calendar's own reader would take, and no year that is a slip.
fn date(word: &str) -> Result<Date, ParseError> {
    let shaped = word.len() == 10
        && word.bytes().enumerate().all(|(at, byte)| match at {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    let day = word.parse::<Date>().ok().filter(|day| shaped && day.year() >= 1970);
    day.ok_or_else(|| ParseError::Date { word: word.to_owned() })
}

impl TimeOfDay {
    /// As [`TimeOfDay::parse`], for a time at which something begins: at 24:00 nothing does.
    pub fn beginning(text: &str) -> Result<TimeOfDay, ParseError> {
        match TimeOfDay::parse(text)? {
            time if time.minutes() == super::local::MINUTES_PER_DAY => Err(ParseError::BeginsAtTheEnd),
            time => Ok(time),
        }
    }

    /// Reads `7:00`, `07:00`, `21:30` or `24:00`.
    pub fn parse(text: &str) -> Result<TimeOfDay, ParseError> {
        let text = text.trim();
        let parts = text.split_once(':').filter(|(_, minute)| minute.len() == 2);
        let read = parts.and_then(|(hour, minute)| TimeOfDay::new(number(hour)?, number(minute)?));
        read.ok_or_else(|| ParseError::Time {
            text: text.to_owned(),
            meant: meant(text).map(|time| time.to_string()),
        })
    }
}

/// One or two digits.
fn number(text: &str) -> Option<u16> {
    let digits = matches!(text.len(), 1 | 2) && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits)
}

/// The time that other ways of writing one mean: `9 pm`, `9:30pm`, `21`, `21.30`.
fn meant(text: &str) -> Option<TimeOfDay> {
    let lower = text.to_lowercase();
    let half = [("am", 0), ("pm", 12)].into_iter();
    let half = half
        .filter_map(|(name, add)| Some((lower.strip_suffix(name)?.trim_end(), add)))
        .next();
    let (time, add) = half.map_or((lower.as_str(), None), |(time, add)| (time, Some(add)));
    let (hour, minute) = time.split_once([':', '.', 'h']).unwrap_or((time, "00"));
    let hour = match (number(hour)?, add) {
        (hour, None) => hour,
        (hour @ 1..=12, Some(add)) => hour % 12 + add,
        _ => return None,
    };
    TimeOfDay::new(hour, number(if minute.is_empty() { "00" } else { minute })?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(text: &str) -> String {
        Days::parse(text).unwrap().to_string()
    }

    fn wrong(text: &str) -> String {
        Days::parse(text).unwrap_err().to_string()
    }

    #[test]
    fn days_are_read_in_all_the_ways_they_are_written() {
        assert_eq!(shown("mon-fri"), "weekdays");
        assert_eq!(shown("fri-mon"), "mon, fri, sat, sun");
        assert_eq!(shown("Sunday - Thursday"), "school nights");
        assert_eq!(shown(" Every Day "), "every day");
        assert_eq!(shown("weekend and wed"), "wed, sat, sun");
        assert_eq!(shown("mon wed,fri"), "mon, wed, fri");
        assert_eq!(shown("mon\u{2013}fri"), "weekdays");
        assert_eq!(shown("mon \u{2014} wed"), "mon, tue, wed");
        assert_eq!(shown("2027-01-01, 2026-12-24 .. 2026-12-31"), "2026-12-24..2027-01-01");
        assert_eq!(
            shown("school nights, 2026-10-03 except 2026-12-24..2027-01-08, wed"),
            "school nights, 2026-10-03 except wed, 2026-12-24..2027-01-08"
        );
    }

    #[test]
    fn a_wrong_day_is_named_with_what_to_write() {
        assert_eq!(wrong("mon, tuw"), "\"tuw\" is no day; did you mean \"tue\"?");
        assert_eq!(wrong("mon-fry"), "\"fry\" is no day; did you mean \"fri\"?");
        assert_eq!(
            wrong("scool nights"),
            "\"scool nights\" is no day; did you mean \"school nights\"?"
        );
        assert_eq!(
            wrong("schoolnights"),
            "\"schoolnights\" is no day; did you mean \"school nights\"?"
        );
        assert_eq!(wrong("weekday"), "\"weekday\" is no day; did you mean \"weekdays\"?");
        assert_eq!(
            wrong("holidays"),
            "\"holidays\" is no day; write mon to sun, \"weekdays\", \"weekend\", \"every day\", \"school nights\" or a date such as 2026-12-24"
        );
        assert_eq!(
            wrong(" , "),
            "no day is named; write days such as \"mon-fri\", \"weekend\" or \"2026-12-24\""
        );
        assert!(wrong("mon except").starts_with("no day is named after \"except\";"));
        assert_eq!(
            wrong("mon except mon"),
            "\"mon except mon\" leaves no day; name fewer days after \"except\""
        );
    }

    #[test]
    fn a_wrong_date_is_named_with_what_to_write() {
        let sentence = "is no date of the calendar; write year, month and day such as 2026-12-24";
        for word in ["2026-02-30", "26-12-24", "24.12.2026", "2026-12-24t00:00", "0026-12-24"] {
            assert_eq!(wrong(word), format!("\"{word}\" {sentence}"));
        }
        assert_eq!(
            wrong("2027-01-08..2026-12-24"),
            "\"2027-01-08..2026-12-24\" ends before it begins; write 2026-12-24..2027-01-08"
        );
        let many = "2026-12-24 ".repeat(SCHEDULE_DATES + 1);
        assert!(wrong(&many).starts_with("513 dates are named, but a window may have 512;"));
    }

    #[test]
    fn times_go_from_0_00_to_24_00_and_other_ways_to_write_one_are_answered_with_the_right_one() {
        let read = |text: &str| {
            TimeOfDay::parse(text)
                .map(|time| time.to_string())
                .map_err(|error| error.to_string())
        };
        for (text, time) in [
            ("7:00", "7:00"),
            ("07:05", "7:05"),
            ("24:00", "24:00"),
            (" 0:00 ", "0:00"),
        ] {
            assert_eq!(read(text), Ok(time.to_owned()));
        }
        for (text, meant) in [
            ("9 pm", "21:00"),
            ("9:30PM", "21:30"),
            ("12am", "0:00"),
            ("12 pm", "12:00"),
            ("21", "21:00"),
            ("21.30", "21:30"),
            ("7h", "7:00"),
        ] {
            assert_eq!(read(text), Err(format!("\"{text}\" is no time; write {meant}")));
        }
        for text in [
            "24:01", "25:00", "7:60", "7:0", "", "-7:00", "+7:00", "noon", "13 pm", "007:00", "7:00:00",
        ] {
            let sentence = "is no time; write hours and minutes such as 7:00 or 21:30";
            // 7:0 is taken for seven.
            if text != "7:0" {
                assert_eq!(read(text), Err(format!("\"{text}\" {sentence}")));
            }
        }
        assert_eq!(Window::parse("mon", "24:00", "7:00"), Err(ParseError::BeginsAtTheEnd));
    }

    proptest! {
        #[test]
        fn what_is_read_and_shown_reads_as_the_same(
            bits in proptest::collection::vec((0i8..7, 0i8..7, any::<bool>()), 0..4),
            dates in proptest::collection::vec((2020i16..2030, 1i8..13, 1i8..29, 0i32..40, any::<bool>()), 0..5),
        ) {
            let mut sets = [Terms::default(), Terms::default()];
            for (first, last, excepted) in bits {
                let day = |bit| Weekday::from_monday_zero_offset(bit).unwrap();
                let set = &mut sets[usize::from(excepted)];
                set.weekdays = set.weekdays.with(Weekdays::range(day(first), day(last)));
            }
            for (year, month, day, more, excepted) in dates {
                let first = Date::new(year, month, day).unwrap();
                let last = first.saturating_add(jiff::SignedDuration::from_hours(24 * i64::from(more)));
                sets[usize::from(excepted)].ranges.push(DateRange { first, last });
            }
            let [included, excepted] = sets.map(|set| DaySet::new(set.weekdays, set.ranges));
            let days = Days::new(included.clone(), excepted);
            prop_assume!(included != DaySet::default() && !days.is_never());
            prop_assert_eq!(Days::parse(&days.to_string()), Ok(days));
        }

        #[test]
        fn no_text_is_a_panic(text in "(mon|tue-|except|every|day|2026-|[0-9.:, -]|am|\\PC){0,12}") {
            let _ = Days::parse(&text);
            let _ = TimeOfDay::parse(&text);
        }
    }
}
