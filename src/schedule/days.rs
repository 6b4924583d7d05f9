//! Sets of days: weekdays, dates, ranges of dates, less those that are excepted.
//!
//! In: weekdays and ranges. Out: [`Days`].
//! Always: ranges are sorted and apart, so that sets written in another order are equal. Shown as settings write it.

use jiff::civil::{Date, Weekday};
use std::fmt;

/// The days on which something begins: those of one set that are not in another.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Days {
    included: DaySet,
    excepted: DaySet,
}

impl Days {
    /// `excepted`: left out, whatever `included` says.
    pub fn new(included: DaySet, excepted: DaySet) -> Days {
        Days { included, excepted }
    }

    /// Whether a day is among them.
    pub fn contains(&self, date: Date) -> bool {
        self.included.contains(date) && !self.excepted.contains(date)
    }

    /// Whether no day can be among them, as far as weekdays tell.
    pub fn is_never(&self) -> bool {
        self.included.ranges.is_empty() && self.included.weekdays.without(self.excepted.weekdays) == Weekdays::NONE
    }
}

impl fmt::Display for Days {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.included.fmt(f)?;
        if self.excepted != DaySet::default() {
            write!(f, " except {}", self.excepted)?;
        }
        Ok(())
    }
}

/// Weekdays and dates together.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct DaySet {
    weekdays: Weekdays,
    /// Sorted; between two of them there is at least one day.
    ranges: Vec<DateRange>,
}

impl DaySet {
    /// The ranges may be in any order and may overlap; one that ends before it begins counts for nothing.
    pub fn new(weekdays: Weekdays, mut ranges: Vec<DateRange>) -> DaySet {
        ranges.retain(|range| range.first <= range.last);
        ranges.sort_unstable();
        let mut apart: Vec<DateRange> = Vec::with_capacity(ranges.len());
        for range in ranges {
            match apart.last_mut() {
                Some(before) if before.touches(&range) => before.last = before.last.max(range.last),
                _ => apart.push(range),
            }
        }
        DaySet {
            weekdays,
            ranges: apart,
        }
    }

    /// Whether a day is one of these weekdays or dates.
    pub fn contains(&self, date: Date) -> bool {
        let by_date = || {
            let begun = self.ranges.partition_point(|range| range.first <= date);
            begun > 0 && date <= self.ranges[begun - 1].last
        };
        self.weekdays.contains(date.weekday()) || by_date()
    }
}

impl fmt::Display for DaySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut comma = "";
        if self.weekdays != Weekdays::NONE {
            self.weekdays.fmt(f)?;
            comma = ", ";
        }
        for range in &self.ranges {
            write!(f, "{comma}{range}")?;
            comma = ", ";
        }
        Ok(())
    }
}

/// Dates that follow each other; both ends are included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DateRange {
    pub first: Date,
    pub last: Date,
}

impl DateRange {
    /// Whether a later range begins within this one or on the day after it.
    fn touches(&self, later: &DateRange) -> bool {
        self.last.tomorrow().map_or(true, |day| later.first <= day)
    }
}

impl fmt::Display for DateRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.first == self.last {
            true => write!(f, "{}", self.first),
            false => write!(f, "{}..{}", self.first, self.last),
        }
    }
}

/// A set of weekdays, a bit each, Monday the lowest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Weekdays(u8);

impl Weekdays {
    pub const NONE: Weekdays = Weekdays(0);
    pub const EVERY_DAY: Weekdays = Weekdays(0b111_1111);
    /// Monday to Friday.
    pub const WEEKDAYS: Weekdays = Weekdays(0b001_1111);
    /// Saturday and Sunday.
    pub const WEEKEND: Weekdays = Weekdays(0b110_0000);
    /// Sunday to Thursday: the evenings before school days.
    pub const SCHOOL_NIGHTS: Weekdays = Weekdays(0b100_1111);

    /// From one weekday up to another, both included, over the end of the week where the second comes first in it.
    pub fn range(first: Weekday, last: Weekday) -> Weekdays {
        let mut days = Weekdays::one(first);
        let mut day = first;
        while day != last {
            day = day.next();
            days = days.with(Weekdays::one(day));
        }
        days
    }

    pub fn one(day: Weekday) -> Weekdays {
        Weekdays(1 << day.to_monday_zero_offset())
    }

    pub fn with(self, others: Weekdays) -> Weekdays {
        Weekdays(self.0 | others.0)
    }

    pub fn without(self, others: Weekdays) -> Weekdays {
        Weekdays(self.0 & !others.0)
    }

    pub fn contains(self, day: Weekday) -> bool {
        self.0 & Weekdays::one(day).0 != 0
    }
}

/// How settings write each weekday, from Monday.
pub(super) const SHORT_NAMES: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

impl fmt::Display for Weekdays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Weekdays::EVERY_DAY => return f.write_str("every day"),
            Weekdays::WEEKDAYS => return f.write_str("weekdays"),
            Weekdays::WEEKEND => return f.write_str("weekend"),
            Weekdays::SCHOOL_NIGHTS => return f.write_str("school nights"),
            _ => {}
        }
        let mut comma = "";
        for (bit, name) in SHORT_NAMES.iter().enumerate().filter(|(bit, _)| self.0 >> bit & 1 == 1) {
            let _ = bit;
            write!(f, "{comma}{name}")?;
            comma = ", ";
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    fn range(first: Date, last: Date) -> DateRange {
        DateRange { first, last }
    }

    #[test]
    fn sets_of_the_same_dates_are_equal_however_they_were_cut() {
        let whole = DaySet::new(Weekdays::NONE, vec![range(date(2026, 12, 24), date(2027, 1, 8))]);
        let pieces = vec![
            range(date(2027, 1, 1), date(2027, 1, 8)),
            range(date(2026, 12, 24), date(2026, 12, 31)),
            range(date(2026, 12, 30), date(2027, 1, 2)),
            range(date(2026, 5, 2), date(2026, 5, 1)),
        ];
        assert_eq!(whole, DaySet::new(Weekdays::NONE, pieces));
        assert!(whole.contains(date(2026, 12, 24)) && whole.contains(date(2027, 1, 8)));
        assert!(!whole.contains(date(2026, 12, 23)) && !whole.contains(date(2027, 1, 9)));
    }

    #[test]
    fn an_excepted_day_is_left_out_even_where_its_date_is_named() {
        let one = |day| DaySet::new(Weekdays::NONE, vec![range(day, day)]);
        let christmas = date(2026, 12, 24);
        assert!(Days::new(one(christmas), DaySet::default()).contains(christmas));
        assert!(!Days::new(one(christmas), one(christmas)).contains(christmas));
    }

    #[test]
    fn a_range_of_weekdays_runs_over_the_end_of_the_week() {
        let days = Weekdays::range(Weekday::Friday, Weekday::Monday);
        assert_eq!(days.to_string(), "mon, fri, sat, sun");
        assert_eq!(
            Weekdays::range(Weekday::Sunday, Weekday::Thursday),
            Weekdays::SCHOOL_NIGHTS
        );
        assert_eq!(Weekdays::range(Weekday::Monday, Weekday::Sunday), Weekdays::EVERY_DAY);
        assert_eq!(Weekdays::range(Weekday::Tuesday, Weekday::Tuesday).to_string(), "tue");
    }
}
