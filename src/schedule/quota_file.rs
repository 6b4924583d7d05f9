//! What was used, as a text that outlives a restart.
//!
//! In: a [`Meter`]. Out: a text, and a meter from it again; lines to add where little changed since, so that a million accounts are not
//! written for the sake of one. The caller reads and writes the files: one for the whole text, which is replaced, one for the lines.
//! Always: the same meter gives the same text. Every line carries its own check, and the last one of the text that of all.
//! Fails: a text that is torn or damaged is [`Damaged`], with what stood before the damage.
//!
//! A line for each key, columns with tabs between them: the check of the rest; the periods with `; ` between them, `day 2026-10-25 42 0
//! 29384421 ff` (used, carried, latest minute, the minutes up to it as bits); the key. Of lines that were added the last of a key counts, and
//! the first of them all names the text that they are added to by its check.

use super::quota::{Account, Meter, Period, Use, check_key};
use crate::checks::{self, Damage};
use crate::limits::{QUOTA_KEYS, QUOTA_PERIODS};

/// The first line, with the version of what follows.
const HEADER: &str = "minutes used, version 2";
/// The first line of what is added to a text, with the check of that text behind it.
const MORE_HEADER: &str = "minutes used since, version 2";

/// Why a text is not, or not wholly, what was written.
#[derive(Debug, thiserror::Error)]
#[error("line {line} {damage}; {}", rest(kept))]
pub struct Damaged {
    /// From 1.
    pub line: usize,
    pub damage: Damage,
    /// The keys of all lines before it: the minutes of the others count from 0 again.
    pub kept: Box<Meter>,
}

fn rest(kept: &Meter) -> String {
    match kept.len() {
        0 => "nothing could be kept, so that all minutes count from 0".to_owned(),
        1 => "the one quota before it was kept, those behind it count from 0".to_owned(),
        lines => format!("{lines} quotas before it were kept, those behind it count from 0"),
    }
}

/// Why lines that were added to a text are not all what was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("line {line} {damage}; what was used is known up to there")]
pub struct DamagedMore {
    /// From 1.
    pub line: usize,
    pub damage: Damage,
}

impl Meter {
    /// The text from which [`Meter::from_text`] reads the same meter.
    pub fn to_text(&self) -> String {
        let mut accounts: Vec<(&Box<str>, &Account)> = self.accounts.iter().collect();
        accounts.sort_unstable_by_key(|(key, _)| *key);
        checks::text(
            HEADER,
            accounts.into_iter().map(|(key, account)| account_line(key, account)),
        )
    }

    /// Begins what is added to a text of [`Meter::to_text`].
    pub fn begin_more(text: &str) -> String {
        format!("{MORE_HEADER}\t{:016x}\n", checks::check(text.as_bytes()))
    }

    /// Adds the line of a key as it is now, if anything is counted for it.
    pub fn add_more(&self, key: &str, more: &mut String) {
        if let Some(account) = self.accounts.get(key) {
            checks::add_line(more, &account_line(key, account));
        }
    }

    /// Reads what was added to `text`, of which this meter is, up to the first line that is wrong.
    pub fn read_more(&mut self, text: &str, more: &str) -> Result<(), DamagedMore> {
        let wrong = |line, damage| DamagedMore { line, damage };
        let begin = Meter::begin_more(text);
        let Some(lines) = more.strip_prefix(begin.as_str()) else {
            let damage = if begin.starts_with(more) {
                Damage::Torn
            } else {
                Damage::Other
            };
            return Err(wrong(1, damage));
        };
        for (number, line) in (2..).zip(lines.split_inclusive('\n')) {
            let line = line.strip_suffix('\n').ok_or(wrong(number, Damage::Torn))?;
            let line = checks::checked(line).ok_or(wrong(number, Damage::Check))?;
            let (key, account) = read_account(line).ok_or(wrong(number, Damage::Meaning))?;
            if self.len() >= QUOTA_KEYS && !self.accounts.contains_key(key) {
                return Err(wrong(number, Damage::TooMany));
            }
            self.accounts.insert(key.into(), account);
        }
        Ok(())
    }

    /// Reads what [`Meter::to_text`] wrote.
    pub fn from_text(text: &str) -> Result<Meter, Damaged> {
        let mut meter = Meter::default();
        match read(text, &mut meter) {
            Ok(()) => Ok(meter),
            Err((line, damage)) => Err(Damaged {
                line,
                damage,
                kept: Box::new(meter),
            }),
        }
    }
}

/// Fills the meter up to the first line that is wrong.
fn read(text: &str, meter: &mut Meter) -> Result<(), (usize, Damage)> {
    checks::read(HEADER, text, |line| {
        let (key, account) = read_account(line).ok_or(Damage::Meaning)?;
        if meter.accounts.contains_key(key) {
            return Err(Damage::Twice);
        }
        if meter.len() >= QUOTA_KEYS {
            return Err(Damage::TooMany);
        }
        meter.accounts.insert(key.into(), account);
        Ok(())
    })
}

fn account_line(key: &str, account: &Account) -> String {
    let uses = account.uses.iter().map(|used| {
        let period = used.period.word();
        let (day, last, recent) = (used.first_day, used.last_minute, used.recent);
        format!("{period} {day} {} {} {last} {recent:x}", used.used, used.carried)
    });
    let uses: Vec<String> = uses.collect();
    format!("{}\t{key}", uses.join("; "))
}

fn read_account(line: &str) -> Option<(&str, Account)> {
    let (uses, key) = line.split_once('\t')?;
    check_key(key).ok()?;
    let uses = items(uses).map(read_use).collect::<Option<Box<[Use]>>>()?;
    (uses.len() <= QUOTA_PERIODS).then_some((key, Account { uses: uses.into() }))
}

fn items(column: &str) -> impl Iterator<Item = &str> {
    column.split("; ").filter(|item| !item.is_empty())
}

fn read_use(text: &str) -> Option<Use> {
    let words: Vec<&str> = text.split(' ').collect();
    let [period, first_day, used, carried, last_minute, recent] = words[..] else {
        return None;
    };
    Some(Use {
        period: match period {
            "day" => Period::Day,
            "week" => Period::Week,
            _ => return None,
        },
        first_day: first_day.parse().ok()?,
        used: used.parse().ok()?,
        carried: carried.parse().ok()?,
        last_minute: last_minute.parse().ok()?,
        recent: u64::from_str_radix(recent, 16).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::quota::Quota;
    use jiff::tz::TimeZone;
    use proptest::prelude::*;

    const DAY: Quota = Quota {
        minutes: 60,
        period: Period::Day,
        carry: 15,
        day_begins_hour: Quota::DAY_BEGINS_HOUR,
    };
    const WEEK: Quota = Quota {
        minutes: 300,
        period: Period::Week,
        ..DAY
    };

    fn example() -> Meter {
        let mut meter = Meter::default();
        for minute in [0, 1, 3, 1440, 1450, 3000] {
            let now_s = 1_790_000_000 + minute * 60;
            note(&mut meter, "masha/games", &DAY, now_s);
            note(&mut meter, "Peter K./all; of it", &WEEK, now_s);
        }
        note(&mut meter, "petya/games", &DAY, 1_790_000_000);
        meter
    }

    fn note(meter: &mut Meter, key: &str, quota: &Quota, now_s: i64) {
        let period = quota.period_at(now_s, &TimeZone::UTC);
        meter.note(key, quota, &period, now_s).unwrap();
    }

    #[test]
    fn lines_that_were_added_are_read_as_far_as_they_are_whole_and_of_that_text() {
        let mut meter = example();
        let (before, text) = (meter.clone(), meter.to_text());
        let mut more = Meter::begin_more(&text);
        note(&mut meter, "masha/games", &DAY, 1_790_000_000 + 60 * 3001);
        meter.add_more("masha/games", &mut more);
        let one = (meter.clone(), more.len());
        note(&mut meter, "masha/games", &DAY, 1_790_000_000 + 60 * 3002);
        note(&mut meter, "new/games", &DAY, 1_790_000_000);
        for key in ["masha/games", "new/games", "nobody/games"] {
            meter.add_more(key, &mut more);
        }
        let read = |more: &str| {
            let mut read = Meter::from_text(&text).unwrap();
            (read.read_more(&text, more), read)
        };
        assert_eq!(read(&more), (Ok(()), meter));
        let torn = |line| {
            Err(DamagedMore {
                line,
                damage: Damage::Torn,
            })
        };
        assert_eq!(read(&more[..one.1 + 9]), (torn(3), one.0));
        assert_eq!(read(&more[..20]), (torn(1), before.clone()));
        let changed = more.replacen("\tday", "\tdax", 1);
        let wrong = |line, damage| Err(DamagedMore { line, damage });
        assert_eq!(read(&changed), (wrong(2, Damage::Check), before.clone()));
        let other = Meter::begin_more(&Meter::default().to_text());
        assert_eq!(read(&other), (wrong(1, Damage::Other), before));
    }

    #[test]
    fn a_meter_reads_as_it_was_written() {
        assert_eq!(Meter::from_text(&example().to_text()).unwrap(), example());
        assert_eq!(Meter::from_text(&Meter::default().to_text()).unwrap(), Meter::default());
    }

    #[test]
    fn the_text_is_one_a_person_can_read() {
        let text = example().to_text();
        let line = text.lines().find(|line| line.ends_with("\tmasha/games")).unwrap();
        let rest = line.split_once('\t').unwrap().1;
        assert_eq!(
            rest,
            "day 2026-09-23 1 15 29836333 1; day 2026-09-22 2 15 29834783 401; day 2026-09-21 3 0 29833336 d\t\
             masha/games"
        );
    }

    #[test]
    fn a_text_that_was_cut_off_anywhere_keeps_the_whole_lines_before() {
        let (meter, text) = (example(), example().to_text());
        for end in 0..text.len() {
            let damaged = Meter::from_text(&text[..end]).unwrap_err();
            assert_eq!(damaged.damage, Damage::Torn, "{end}");
            let whole = text[..end].matches('\n').count();
            assert_eq!(
                (damaged.line, damaged.kept.len()),
                (whole + 1, whole.saturating_sub(1)),
                "{end}"
            );
            for (key, account) in &damaged.kept.accounts {
                assert_eq!(meter.accounts.get(key), Some(account));
            }
        }
    }

    #[test]
    fn what_is_wrong_is_one_sentence() {
        let text = example().to_text();
        let sentence = |text: &str| Meter::from_text(text).unwrap_err().to_string();
        assert_eq!(
            sentence(&text.replacen("day 2026-09-23 1 15", "day 2026-09-23 1 16", 1)),
            "line 3 does not match its check; the one quota before it was kept, those behind it count from 0"
        );
        assert_eq!(
            sentence(""),
            "line 1 is missing: the file ends in the middle; nothing could be kept, so that all minutes count from 0"
        );
        assert!(
            sentence("minutes used, version 1\n").starts_with("line 1 is not \"minutes used, version 2\": the file")
        );
        let second = text.lines().nth(2).unwrap();
        let without = text.replacen(&format!("{second}\n"), "", 1);
        assert!(sentence(&without).starts_with("line 4 is the end, but lines before it are missing"));
        let twice = text.replacen(second, &format!("{second}\n{second}"), 1);
        assert!(sentence(&twice).starts_with("line 4 has a key that stood before; 2 quotas"));
        assert!(sentence(&format!("{text}x")).starts_with("line 6 stands behind the end; 3 quotas"));
        let line = "hour 2026-09-23 1 15 29836333 1\tx";
        let odd = format!("{HEADER}\n{:016x}\t{line}\n", checks::check(line.as_bytes()));
        assert!(sentence(&odd).starts_with("line 2 matches its check but makes no sense; nothing"));
    }

    proptest! {
        #[test]
        fn no_single_byte_can_be_changed_without_being_found(at in any::<prop::sample::Index>(), byte in 0u8..128) {
            let whole = example();
            let mut bytes = whole.to_text().into_bytes();
            let at = at.index(bytes.len());
            prop_assume!(bytes[at] != byte);
            bytes[at] = byte;
            let damaged = Meter::from_text(std::str::from_utf8(&bytes).unwrap()).unwrap_err();
            for (key, account) in &damaged.kept.accounts {
                prop_assert_eq!(whole.accounts.get(key), Some(account));
            }
        }

        #[test]
        fn no_text_is_a_panic(text in "(minutes used, version 2\n)?(end\t|day |; |[0-9a-f]{16}\t|\\PC|\n){0,20}") {
            let _ = Meter::from_text(&text);
        }
    }
}
