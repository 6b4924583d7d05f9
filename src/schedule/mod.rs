//! When something holds: windows that come back on certain days, and spans that come once.
//!
//! In: windows and spans as settings and parents write them, a time zone. Out: a [`Timetable`], asked by the second.
//! Always: pure; the caller passes the time and the zone. Same inputs, same table.
//! Fails: text that is no schedule is a [`ParseError`], one sentence; a schedule beyond its bounds is a [`TooManyItems`].

pub mod days;
pub mod local;
pub mod overlaps;
pub mod parse;
pub mod quota;
pub mod quota_file;
pub mod timetable;

#[cfg(test)]
mod model_tests;
#[cfg(test)]
mod tests;

pub use days::{DateRange, DaySet, Days, Weekdays};
pub use overlaps::{Overlap, overlaps};
pub use parse::ParseError;
pub use timetable::{StateId, Timetable, TooManyItems};

use jiff::civil::Date;
use local::{MINUTES_PER_DAY, Offsets, civil_s};
use std::fmt;

/// Hours that come back: on each of `days`, from one time of the wall clock to another.
///
/// Where `to` is not after `from`, it is a time of the next day; where both are equal, the window lasts until the clock
/// shows the same time again.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Window {
    /// The days on which the window begins.
    pub days: Days,
    /// 0:00 to 23:59.
    pub from: TimeOfDay,
    /// 0:00 to 24:00.
    pub to: TimeOfDay,
}

impl Window {
    /// The instants of the window that begins on `date`, as Unix seconds, the end not included; whether it begins on that
    /// day at all is for [`Window::days`]. `None`: it is empty, since the clock jumps over it.
    ///
    /// One unbroken piece: from when the clock first shows `from` or later, until it last shows a time before `to`.
    pub fn on(&self, date: Date, offsets: &Offsets) -> Option<(i64, i64)> {
        let next_day = if self.to <= self.from { MINUTES_PER_DAY } else { 0 };
        let begins = offsets.first_at(civil_s(date, self.from.minutes()));
        let ends = offsets.end_before(civil_s(date, self.to.minutes() + next_day));
        (begins < ends).then_some((begins, ends))
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {} to {}", self.days, self.from, self.to)
    }
}

/// Hours that come once: a grant, a pause, an exception for tonight. Unix seconds, the end not included; one that ends
/// before it begins never holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Span {
    pub from_s: i64,
    pub to_s: i64,
}

/// A time as a clock on the wall shows it, to the minute, 0:00 to 24:00.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TimeOfDay(u16);

impl TimeOfDay {
    /// `None` past 24:00, or where `minute` is past 59.
    pub fn new(hour: u16, minute: u16) -> Option<TimeOfDay> {
        let minutes = hour.checked_mul(60)?.checked_add(minute)?;
        (minute < 60 && i64::from(minutes) <= MINUTES_PER_DAY).then_some(TimeOfDay(minutes))
    }

    /// Minutes since midnight, 0 to 1440.
    pub fn minutes(self) -> i64 {
        i64::from(self.0)
    }
}

/// As settings write it: `7:05`, `24:00`.
impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{:02}", self.0 / 60, self.0 % 60)
    }
}
