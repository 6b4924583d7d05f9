//! How many minutes of a day or a week were used.
//!
//! In: quotas, the minutes in which something was used; the time and the zone from the caller. Out: a [`Tally`].
//! Always: pure. A minute counts once for a key, whichever device asked. A clock that goes wrong and comes back finds what
//! was used before, and one that is set back does not begin a period anew.
//! Fails: what is beyond the bounds of the settings is a [`MeterError`], and then nothing was counted.

use super::local::{DAY_S, Offsets, civil_s, instant};
use crate::limits::{QUOTA_KEY_BYTES, QUOTA_KEYS, QUOTA_PERIODS};
use jiff::SignedDuration;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use std::collections::HashMap;

/// How much may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Quota {
    /// Minutes of each period.
    pub minutes: u32,
    pub period: Period,
    /// So many unused minutes go over into the next period at most; 0: none.
    pub carry: u32,
    /// The hour of the wall clock at which a day begins, 0 to 23: so that late at night is still the same day.
    pub day_begins_hour: u8,
}

impl Quota {
    /// The hour at which a day begins if nobody says otherwise: few are up then, and hardly any clock is changed.
    pub const DAY_BEGINS_HOUR: u8 = 4;

    /// So many minutes of each period, none of which go over, with days that begin at the usual hour.
    pub fn of_minutes(minutes: u32, period: Period) -> Quota {
        Quota {
            minutes,
            period,
            carry: 0,
            day_begins_hour: Quota::DAY_BEGINS_HOUR,
        }
    }
}

/// After what time minutes are given anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Period {
    Day,
    /// From Monday.
    Week,
}

impl Period {
    /// As settings write it.
    pub fn word(self) -> &'static str {
        match self {
            Period::Day => "day",
            Period::Week => "week",
        }
    }

    fn days(self) -> i64 {
        match self {
            Period::Day => 1,
            Period::Week => 7,
        }
    }
}

/// One period of a quota; good for every key with the same [`Period`] and hour, as long as the time is within.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeriodSpan {
    /// The day, or the Monday, by which the period is known.
    pub first_day: Date,
    /// Unix seconds.
    pub from_s: i64,
    /// Unix seconds, no longer included.
    pub to_s: i64,
}

impl Quota {
    /// The period at `now_s`, Unix seconds. A day begins when the clock first shows its hour or a later one.
    pub fn period_at(&self, now_s: i64, zone: &TimeZone) -> PeriodSpan {
        let reach_s = 10 * DAY_S;
        let offsets = Offsets::around(zone, now_s.saturating_sub(reach_s), now_s.saturating_add(reach_s));
        let begins = |day| offsets.first_at(civil_s(day, 60 * i64::from(self.day_begins_hour.min(23))));
        let shown = zone.to_datetime(instant(now_s)).date();
        // Tomorrow may have begun already and the clock been set back since.
        let day = [1, 0, -1].map(|days| days_after(shown, days));
        let day = day.into_iter().find(|day| begins(*day) <= now_s);
        let day = day.unwrap_or(days_after(shown, -2));
        let first_day = match self.period {
            Period::Day => day,
            Period::Week => days_after(day, -i64::from(day.weekday().to_monday_zero_offset())),
        };
        PeriodSpan {
            first_day,
            from_s: begins(first_day),
            to_s: begins(days_after(first_day, self.period.days())),
        }
    }

    /// How many minutes go over from a period in which so many were used to one that comes `periods` later, at least 1;
    /// in those between, none were used.
    fn carried(&self, from: &Use, periods: i64) -> u32 {
        let unused = self.minutes.saturating_add(from.carried).saturating_sub(from.used);
        let idle = u32::try_from(periods - 1).unwrap_or(u32::MAX);
        let between = self.minutes.saturating_mul(idle);
        unused.min(self.carry).saturating_add(between).min(self.carry)
    }
}

fn days_after(date: Date, days: i64) -> Date {
    date.saturating_add(SignedDuration::from_secs(days * DAY_S))
}

/// What was used of a quota in a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    /// Minutes of the period, with those that went over into it.
    pub given: u32,
    /// Minutes that were used; more than were given where somebody gave others beside the quota.
    pub used: u32,
    /// Minutes since 1970: the latest that was counted for the key, in whichever period; `None`: none was.
    pub last_minute: Option<i64>,
}

/// Why something was not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MeterError {
    #[error("{QUOTA_KEYS} quotas are counted already; leave some out of the household")]
    TooManyKeys,
    #[error("the key of a quota has {bytes} bytes; 1 to {QUOTA_KEY_BYTES} without control characters can be kept")]
    BadKey { bytes: usize },
}

/// What was used, by key: for whom and for what, such as `masha/games`, the same after a restart. A key that nothing was counted for takes
/// no room.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Meter {
    pub(super) accounts: HashMap<Box<str>, Account>,
}

impl Meter {
    /// Counts the minute of `now_s`, Unix seconds, unless it has been counted. It counts even where nothing is left. `period`: that of
    /// `now_s`, as [`Quota::period_at`] gives it.
    pub fn note(&mut self, key: &str, quota: &Quota, period: &PeriodSpan, now_s: i64) -> Result<(), MeterError> {
        self.account(key, QUOTA_KEYS)?.note(quota, period.first_day, now_s);
        Ok(())
    }

    /// What was used in a period of all it gives; changes nothing.
    pub fn tally(&self, key: &str, quota: &Quota, period: &PeriodSpan) -> Tally {
        let Some(account) = self.accounts.get(key) else {
            return Tally {
                given: quota.minutes,
                used: 0,
                last_minute: None,
            };
        };
        let current = match account.find(quota.period, period.first_day) {
            Some(at) => account.uses[at],
            None => account.open(quota, period.first_day),
        };
        let latest = account.uses.first().filter(|latest| latest.recent != 0);
        Tally {
            given: quota.minutes.saturating_add(current.carried.min(quota.carry)),
            used: current.used,
            last_minute: latest.map(|latest| latest.last_minute),
        }
    }

    /// Forgets the keys that `keep` does not want: those that settings no longer name.
    pub fn retain(&mut self, mut keep: impl FnMut(&str) -> bool) {
        self.accounts.retain(|key, _| keep(key));
    }

    /// How many keys have something counted.
    pub fn len(&self) -> usize {
        self.accounts.len()
    }

    pub fn is_empty(&self) -> bool {
        self.accounts.is_empty()
    }

    /// The account of a key, where there may be `most`.
    fn account(&mut self, key: &str, most: usize) -> Result<&mut Account, MeterError> {
        if !self.accounts.contains_key(key) {
            check_key(key)?;
            if self.accounts.len() >= most {
                return Err(MeterError::TooManyKeys);
            }
            self.accounts.insert(key.into(), Account::default());
        }
        // Looked up once more, so that a known key allocates nothing. It is there.
        self.accounts.get_mut(key).ok_or(MeterError::TooManyKeys)
    }
}

/// A key stands on one line of the file, with tabs between the columns.
pub(super) fn check_key(key: &str) -> Result<(), MeterError> {
    let bytes = key.len();
    let fits = (1..=QUOTA_KEY_BYTES).contains(&bytes) && !key.chars().any(char::is_control);
    if fits {
        Ok(())
    } else {
        Err(MeterError::BadKey { bytes })
    }
}

/// What is known of one key.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Account {
    /// At most [`QUOTA_PERIODS`], the one that was counted in last first.
    pub(super) uses: Vec<Use>,
}

/// One period of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Use {
    pub(super) period: Period,
    pub(super) first_day: Date,
    /// Minutes.
    pub(super) used: u32,
    /// Minutes that went over from the period before.
    pub(super) carried: u32,
    /// Minutes since 1970; the latest that was counted. It is no minute of this period if `recent` is 0.
    pub(super) last_minute: i64,
    /// Which of the minutes up to the last one were counted, the last one in the lowest bit.
    pub(super) recent: u64,
}

impl Account {
    fn note(&mut self, quota: &Quota, first_day: Date, now_s: i64) {
        match self.find(quota.period, first_day) {
            Some(at) => self.uses[..=at].rotate_right(1),
            None => {
                let opened = self.open(quota, first_day);
                self.uses.truncate(QUOTA_PERIODS - 1);
                // No more room than that: there may be millions of accounts.
                self.uses.reserve_exact(1);
                self.uses.insert(0, opened);
            }
        }
        let current = &mut self.uses[0];
        if !current.count(now_s.div_euclid(60)) {
            return;
        }
        current.used = current.used.saturating_add(1);
        self.carry_on(quota);
    }

    fn find(&self, period: Period, first_day: Date) -> Option<usize> {
        self.uses
            .iter()
            .position(|used| used.period == period && used.first_day == first_day)
    }

    /// A period in which nothing has been counted.
    fn open(&self, quota: &Quota, first_day: Date) -> Use {
        let mut opened = Use {
            period: quota.period,
            first_day,
            used: 0,
            carried: 0,
            last_minute: 0,
            recent: 0,
        };
        let mut known = self.uses.iter().filter(|used| used.period == quota.period);
        let earlier = known.clone().filter(|used| used.first_day < first_day);
        if let Some(before) = earlier.max_by_key(|used| used.first_day) {
            opened.carried = quota.carried(before, periods_between(before, first_day));
        } else if let Some(current) = known.next() {
            // All that is known is later: the clock was set back. Its period goes on with what is left of the one it came from.
            opened.used = current.used;
            opened.carried = current.carried;
        }
        opened
    }

    /// A minute may come after the next period has begun, which then gets fewer from the one before.
    fn carry_on(&mut self, quota: &Quota) {
        let mut before = self.uses[0];
        // No more than there are periods: the last day of the calendar is followed by itself.
        for _ in 1..self.uses.len() {
            let next_day = days_after(before.first_day, before.period.days());
            let Some(at) = self.find(before.period, next_day) else {
                return;
            };
            self.uses[at].carried = quota.carried(&before, 1);
            before = self.uses[at];
        }
    }
}

fn periods_between(earlier: &Use, later: Date) -> i64 {
    later.duration_since(earlier.first_day).as_secs() / (earlier.period.days() * DAY_S)
}

impl Use {
    /// Whether a minute had not been counted; now it is.
    fn count(&mut self, minute: i64) -> bool {
        let behind = self.last_minute.saturating_sub(minute);
        match u32::try_from(behind) {
            _ if self.recent == 0 => {}
            Ok(behind @ 0..64) => {
                let bit = 1 << behind;
                let counted = self.recent & bit != 0;
                self.recent |= bit;
                return !counted;
            }
            // Nothing comes so late; the clock was set back, and the minute is lived once more.
            Ok(_) => {}
            Err(_) => {
                let ahead = u32::try_from(behind.unsigned_abs()).unwrap_or(u32::MAX);
                self.recent = self.recent.checked_shl(ahead).unwrap_or(0) | 1;
                self.last_minute = minute;
                return true;
            }
        }
        self.last_minute = minute;
        self.recent = 1;
        true
    }
}

#[cfg(test)]
#[path = "quota_tests.rs"]
mod tests;
