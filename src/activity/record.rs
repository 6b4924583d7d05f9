//! What is kept: for each person, device or profile and each day how many queries there were, and for those who chose it the names.
//!
//! In: [`Asked`], each with who is kept by now and how. Out: [`Record`].
//! Always: bounded, whoever asks for what. Days are those of each one's zone. A name is kept only while names are chosen.

use super::{Asked, Whose, one_line};
use crate::config::settings::LogChoice;
use crate::dns::name::Name;
use crate::limits::{ACTIVITY_CATEGORIES, ACTIVITY_NAMES, ACTIVITY_NAMES_A_DAY};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Of whom something is kept, by key.
pub type Keepers = HashMap<String, Arc<Whose>>;

/// See the page's first lines.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Record {
    pub(super) days: BTreeMap<(String, Date), Day>,
    /// Names of all days together.
    pub(super) names: usize,
}

/// One day of somebody.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Day {
    pub queries: u64,
    pub blocked: u64,
    /// Blocked queries by category.
    pub categories: BTreeMap<String, u64>,
    /// By name in lower case with its final dot, and whether it was blocked.
    pub names: BTreeMap<(String, bool), Seen>,
    /// Queries whose names there was no room for.
    pub left_out: u64,
}

/// When a name was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// Minutes since 1970, of the first and the last query.
    pub first: u64,
    pub last: u64,
    pub queries: u64,
}

/// Where the categories go that there is no room for.
const OTHER: &str = "other";

impl Record {
    pub fn is_empty(&self) -> bool {
        self.days.is_empty()
    }

    /// The days of one, or of all, in order of keys and days.
    pub fn days<'r>(&'r self, whose: Option<&'r str>) -> impl Iterator<Item = (&'r str, Date, &'r Day)> {
        let all = self.days.iter().map(|((key, date), day)| (key.as_str(), *date, day));
        all.filter(move |(key, _, _)| whose.is_none_or(|whose| whose == *key))
    }

    /// Notes one query as far as `keepers` have it now: less may have been chosen since it was asked.
    pub fn note(&mut self, keepers: &Keepers, asked: &Asked) {
        let Some(whose) = keepers.get(&asked.whose.key) else {
            return;
        };
        let choice = whose.log.choice.min(asked.whose.log.choice);
        let Some(date) = date(asked.minute * 60, &whose.zone) else {
            return;
        };
        if choice == LogChoice::Nothing {
            return;
        }
        let day = self.days.entry((whose.key.clone(), date)).or_default();
        day.queries += 1;
        if asked.blocked {
            day.blocked += 1;
            let category = one_line(asked.category.as_deref().unwrap_or(OTHER));
            let room = day.categories.len() < ACTIVITY_CATEGORIES || day.categories.contains_key(&category);
            let category = if room { category } else { OTHER.to_owned() };
            *day.categories.entry(category).or_default() += 1;
        }
        let name = asked.name.as_deref().filter(|_| choice == LogChoice::Names);
        let Some(name) = name.and_then(Name::from_wire) else {
            return;
        };
        let key = (name.to_lower().to_string(), asked.blocked);
        if let Some(seen) = day.names.get_mut(&key) {
            seen.first = seen.first.min(asked.minute);
            seen.last = seen.last.max(asked.minute);
            seen.queries += 1;
        } else if day.names.len() >= ACTIVITY_NAMES_A_DAY || self.names >= ACTIVITY_NAMES {
            day.left_out += 1;
        } else {
            self.names += 1;
            let (first, last) = (asked.minute, asked.minute);
            day.names.insert(
                key,
                Seen {
                    first,
                    last,
                    queries: 1,
                },
            );
        }
    }

    /// Drops what is not to be kept any more at this Unix second: days that are over their time, names of those who no longer choose names,
    /// all of those who choose nothing or are gone. Whether there was anything.
    pub fn shrink(&mut self, keepers: &Keepers, now_s: u64) -> bool {
        let mut shrunk = false;
        self.days.retain(|(key, day), kept| {
            let whose = keepers.get(key).filter(|whose| whose.log.choice != LogChoice::Nothing);
            let stays = whose.is_some_and(|whose| is_kept(*day, whose, now_s));
            if whose.is_some_and(|whose| whose.log.choice < LogChoice::Names)
                && !(kept.names.is_empty() && kept.left_out == 0)
            {
                kept.names.clear();
                kept.left_out = 0;
                shrunk = true;
            }
            shrunk |= !stays;
            stays
        });
        self.count_names();
        shrunk
    }

    /// Drops all of this key; the days there were.
    pub fn forget(&mut self, key: &str) -> u64 {
        let before = self.days.len();
        self.days.retain(|(whose, _), _| whose != key);
        self.count_names();
        (before - self.days.len()) as u64
    }

    fn count_names(&mut self) {
        self.names = self.days.values().map(|day| day.names.len()).sum();
    }
}

/// Whether a day is still kept: today and those before it, so many as were chosen. One that is ahead of the clock by more than a day is from a
/// clock that went wrong.
fn is_kept(day: Date, whose: &Whose, now_s: u64) -> bool {
    let Some(today) = date(now_s, &whose.zone) else {
        return true;
    };
    let first = today.saturating_sub((i64::from(whose.log.days) - 1).days());
    first <= day && day <= today.saturating_add(1.day())
}

/// The day in a zone; `None` past every calendar.
pub fn date(now_s: u64, zone: &TimeZone) -> Option<Date> {
    let at = Timestamp::from_second(i64::try_from(now_s).ok()?).ok()?;
    Some(zone.to_datetime(at).date())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::config::settings::LogSettings;

    /// Noon of 2023-11-15, UTC.
    const NOON_S: u64 = 1_700_049_600;
    const NOON: u64 = NOON_S / 60;
    const DAY: u64 = 24 * 60;

    pub fn whose(key: &str, choice: LogChoice, days: u16) -> Arc<Whose> {
        Arc::new(Whose {
            key: key.to_owned(),
            log: LogSettings { choice, days },
            zone: TimeZone::get("Asia/Tokyo").unwrap(),
        })
    }

    pub fn asked(whose: &Arc<Whose>, minute: u64, name: &str, category: Option<&str>) -> Asked {
        Asked {
            whose: Arc::clone(whose),
            minute,
            blocked: category.is_some(),
            category: category.map(Box::from),
            name: (whose.log.choice == LogChoice::Names).then(|| Name::parse(name).unwrap().as_wire().into()),
        }
    }

    pub fn keepers(all: &[&Arc<Whose>]) -> Keepers {
        all.iter()
            .map(|&whose| (whose.key.clone(), Arc::clone(whose)))
            .collect()
    }

    fn only(record: &Record) -> &Day {
        assert_eq!(record.days.len(), 1);
        record.days.values().next().unwrap()
    }

    #[test]
    fn counts_keep_no_names_and_names_keep_when_and_how_often() {
        let counts = whose("person:petya", LogChoice::Counts, 7);
        let names = whose("person:masha", LogChoice::Names, 7);
        let keepers = keepers(&[&counts, &names]);
        for whose in [&counts, &names] {
            let mut record = Record::default();
            for (minute, name, category) in [
                (NOON, "a.example", None),
                (NOON + 7, "A.example", None),
                (NOON + 3, "bad.example", Some("adult")),
            ] {
                let mut asked = asked(whose, minute, name, category);
                // Even if somebody handed it over.
                asked.name = Some(Name::parse(name).unwrap().as_wire().into());
                record.note(&keepers, &asked);
            }
            let day = only(&record);
            assert_eq!((day.queries, day.blocked, day.categories["adult"]), (3, 1, 1));
            if whose.log.choice == LogChoice::Counts {
                assert!(day.names.is_empty());
            } else {
                let seen = day.names[&("a.example.".to_owned(), false)];
                assert_eq!((seen.first, seen.last, seen.queries), (NOON, NOON + 7, 2));
                assert_eq!(day.names[&("bad.example.".to_owned(), true)].queries, 1);
            }
        }
    }

    #[test]
    fn names_and_categories_are_bounded_and_the_rest_is_counted() {
        let masha = whose("person:masha", LogChoice::Names, 7);
        let keepers = keepers(&[&masha]);
        let mut record = Record::default();
        for number in 0..ACTIVITY_NAMES_A_DAY + 5 {
            let category = format!("c{number}");
            record.note(
                &keepers,
                &asked(&masha, NOON, &format!("n{number}.example"), Some(&category)),
            );
        }
        let day = only(&record);
        assert_eq!((day.names.len(), day.left_out), (ACTIVITY_NAMES_A_DAY, 5));
        assert_eq!(day.categories.len(), ACTIVITY_CATEGORIES + 1);
        assert_eq!(day.categories.values().sum::<u64>(), day.queries);
        for days in 1..60 {
            for number in 0..ACTIVITY_NAMES_A_DAY {
                record.note(
                    &keepers,
                    &asked(&masha, NOON + days * DAY, &format!("n{number}.example"), None),
                );
            }
        }
        assert_eq!(record.names, ACTIVITY_NAMES);
    }

    #[test]
    fn what_is_kept_shrinks_as_soon_as_less_is_chosen() {
        let names = whose("person:masha", LogChoice::Names, 7);
        let mut record = Record::default();
        record.note(&keepers(&[&names]), &asked(&names, NOON, "secret.example", None));
        assert!(!record.shrink(&keepers(&[&names]), NOON_S));
        let counts = whose("person:masha", LogChoice::Counts, 7);
        assert!(record.shrink(&keepers(&[&counts]), NOON_S));
        assert!(only(&record).names.is_empty() && only(&record).queries == 1);
        // What was asked under the choice before is noted under that of now.
        record.note(&keepers(&[&counts]), &asked(&names, NOON, "secret.example", None));
        assert!(only(&record).names.is_empty() && only(&record).queries == 2);
        assert!(!record.to_text().contains("secret"));
        let nothing = whose("person:masha", LogChoice::Nothing, 7);
        let mut gone = record.clone();
        assert!(record.shrink(&keepers(&[&nothing]), NOON_S) && record.is_empty());
        assert!(gone.shrink(&Keepers::new(), NOON_S) && gone.is_empty());
    }

    #[test]
    fn days_are_those_of_the_zone_and_end_after_so_many() {
        let masha = whose("person:masha", LogChoice::Counts, 2);
        let keepers = keepers(&[&masha]);
        let mut record = Record::default();
        // 23:59 and 0:00 in Tokyo.
        let midnight = NOON + 3 * 60;
        for minute in [midnight - 1, midnight] {
            record.note(&keepers, &asked(&masha, minute, "a.example", None));
        }
        let dates = |record: &Record| {
            record
                .days(None)
                .map(|(_, date, _)| date.to_string())
                .collect::<Vec<_>>()
        };
        assert_eq!(dates(&record), ["2023-11-15", "2023-11-16"]);
        assert!(!record.shrink(&keepers, 60 * (midnight + DAY) - 1));
        assert!(record.shrink(&keepers, 60 * (midnight + DAY)));
        assert_eq!(dates(&record), ["2023-11-16"]);
        // A clock that is set back by a month: what it noted ahead of now goes.
        assert!(record.shrink(&keepers, 60 * (midnight - 30 * DAY)) && record.is_empty());
    }

    #[test]
    fn who_is_forgotten_is_gone_and_the_others_stay() {
        let (masha, petya) = (
            whose("person:masha", LogChoice::Names, 7),
            whose("person:petya", LogChoice::Names, 7),
        );
        let keepers = keepers(&[&masha, &petya]);
        let mut record = Record::default();
        for whose in [&masha, &petya] {
            record.note(&keepers, &asked(whose, NOON, "a.example", None));
            record.note(&keepers, &asked(whose, NOON + DAY, "a.example", None));
        }
        assert_eq!(record.forget("person:masha"), 2);
        assert_eq!(record.days(None).count(), 2);
        assert_eq!(record.days(Some("person:petya")).count(), 2);
        assert_eq!((record.names, record.forget("person:masha")), (2, 0));
    }
}
