//! What was used, as a text that outlives a restart.
//!
//! In: a [`Meter`]. Out: a text, and a meter from it again. The caller reads and writes the file, and replaces it whole.
//! Always: the same meter gives the same text. Every line carries its own check, and the last one that of all.
//! Fails: a text that is torn or damaged is [`Damaged`], with what stood before the damage.
//!
//! A line for each key, columns with tabs between them: the check of the rest; the periods, `day 2026-10-25 42 0 29384421 ff`
//! (used, carried, latest minute, the minutes up to it as bits); the grants, `30 1790000000` (minutes left, end in Unix
//! seconds); the key. Periods and grants are apart by `; `.

use super::quota::{Account, Grant, Meter, Period, Use, check_key};
use crate::limits::{QUOTA_GRANTS, QUOTA_KEYS, QUOTA_PERIODS};
use std::fmt::Write;

/// The first line, with the version of what follows.
const HEADER: &str = "minutes used, version 1";

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

/// What is wrong with a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    #[error("is not \"{HEADER}\": the file is of another version, or something else")]
    Header,
    #[error("does not match its check")]
    Check,
    #[error("matches its check but makes no sense")]
    Meaning,
    #[error("has a key that stood before")]
    Twice,
    #[error("is one quota more than can be kept")]
    TooMany,
    #[error("is missing: the file ends in the middle")]
    Torn,
    #[error("is the end, but lines before it are missing or in another order")]
    End,
    #[error("stands behind the end")]
    Behind,
}

impl Meter {
    /// The text from which [`Meter::from_text`] reads the same meter.
    pub fn to_text(&self) -> String {
        let mut text = format!("{HEADER}\n");
        for (key, account) in &self.accounts {
            let line = account_line(key, account);
            // Writing to a string does not fail.
            let _ = writeln!(text, "{:016x}\t{line}", check(line.as_bytes()));
        }
        let all = check(text.as_bytes());
        let _ = writeln!(text, "end\t{}\t{all:016x}", self.accounts.len());
        text
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
    // A line without an end is half a line, even if it reads as a whole one.
    let whole = text.rfind('\n').map_or("", |last| &text[..=last]);
    let mut lines = (1..).zip(whole.split_terminator('\n'));
    let mut begin = match lines.next() {
        Some((_, HEADER)) => HEADER.len() + 1,
        Some(_) => return Err((1, Damage::Header)),
        None => {
            return Err((
                1,
                if HEADER.starts_with(text) {
                    Damage::Torn
                } else {
                    Damage::Header
                },
            ));
        }
    };
    let mut number = 1;
    for (line_number, line) in lines {
        number = line_number;
        let wrong = |damage| (number, damage);
        if line.starts_with("end\t") {
            let all = check(&text.as_bytes()[..begin]);
            if line != format!("end\t{}\t{all:016x}", meter.len()) {
                return Err(wrong(Damage::End));
            }
            return match text.len() == begin + line.len() + 1 {
                true => Ok(()),
                false => Err((number + 1, Damage::Behind)),
            };
        }
        begin += line.len() + 1;
        let (key, account) = checked(line)
            .ok_or(wrong(Damage::Check))?
            .ok_or(wrong(Damage::Meaning))?;
        if meter.accounts.contains_key(key) {
            return Err(wrong(Damage::Twice));
        }
        if meter.len() >= QUOTA_KEYS {
            return Err(wrong(Damage::TooMany));
        }
        meter.accounts.insert(key.into(), account);
    }
    Err((number + 1, Damage::Torn))
}

/// `None`: the check is wrong.
fn checked(line: &str) -> Option<Option<(&str, Account)>> {
    let (written, rest) = line.split_once('\t')?;
    (written == format!("{:016x}", check(rest.as_bytes()))).then(|| read_account(rest))
}

fn account_line(key: &str, account: &Account) -> String {
    let uses = account.uses.iter().map(|used| {
        let period = match used.period {
            Period::Day => "day",
            Period::Week => "week",
        };
        let (day, last, recent) = (used.first_day, used.last_minute, used.recent);
        format!("{period} {day} {} {} {last} {recent:x}", used.used, used.carried)
    });
    let grants = account
        .grants
        .iter()
        .map(|grant| format!("{} {}", grant.minutes_left, grant.until_s));
    let (uses, grants): (Vec<_>, Vec<_>) = (uses.collect(), grants.collect());
    format!("{}\t{}\t{key}", uses.join("; "), grants.join("; "))
}

fn read_account(line: &str) -> Option<(&str, Account)> {
    let mut columns = line.splitn(3, '\t');
    let (uses, grants, key) = (columns.next()?, columns.next()?, columns.next()?);
    check_key(key).ok()?;
    let uses = items(uses).map(read_use).collect::<Option<Vec<Use>>>()?;
    let grants = items(grants).map(read_grant).collect::<Option<Vec<Grant>>>()?;
    let fits = uses.len() <= QUOTA_PERIODS && grants.len() <= QUOTA_GRANTS;
    (fits && grants.is_sorted_by_key(|grant| grant.until_s)).then_some((key, Account { uses, grants }))
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

fn read_grant(text: &str) -> Option<Grant> {
    let (minutes_left, until_s) = text.split_once(' ')?;
    Some(Grant {
        minutes_left: minutes_left.parse().ok()?,
        until_s: until_s.parse().ok()?,
    })
}

/// FNV-1a of 64 bits: it finds accidents, and nobody gains by forging a file they may write.
pub fn check(bytes: &[u8]) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, step)
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
            meter.note("masha/games", &DAY, now_s, &TimeZone::UTC).unwrap();
            meter.note("Peter K./all; of it", &WEEK, now_s, &TimeZone::UTC).unwrap();
        }
        meter.earn("masha/games", 30, 1_790_600_000, 1_790_000_000).unwrap();
        meter.earn("masha/games", 10, 1_790_500_000, 1_790_000_000).unwrap();
        meter.earn("only/earned", 5, 1_790_500_000, 1_790_000_000).unwrap();
        meter
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
             10 1790500000; 30 1790600000\tmasha/games"
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
            sentence("minutes used, version 2\n").starts_with("line 1 is not \"minutes used, version 1\": the file")
        );
        let second = text.lines().nth(2).unwrap();
        let without = text.replacen(&format!("{second}\n"), "", 1);
        assert!(sentence(&without).starts_with("line 4 is the end, but lines before it are missing"));
        let twice = text.replacen(second, &format!("{second}\n{second}"), 1);
        assert!(sentence(&twice).starts_with("line 4 has a key that stood before; 2 quotas"));
        assert!(sentence(&format!("{text}x")).starts_with("line 6 stands behind the end; 3 quotas"));
        let line = "hour 2026-09-23 1 15 29836333 1\t\tx";
        let odd = format!("{HEADER}\n{:016x}\t{line}\n", check(line.as_bytes()));
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
        fn no_text_is_a_panic(text in "(minutes used, version 1\n)?(end\t|day |; |[0-9a-f]{16}\t|\\PC|\n){0,20}") {
            let _ = Meter::from_text(&text);
        }
    }
}
