//! What is kept, as a text that outlives a restart.
//!
//! In: a [`Record`]. Out: a text, and a record from it again. The caller reads and writes the file, and replaces it whole.
//! Always: the same record gives the same text. Every line carries its check (`checks`).
//! Fails: a text that is torn or damaged is [`Damaged`], with what stood before the damage.
//!
//! Columns with tabs between them: `day`, the date, queries, blocked ones, those whose names were left out, categories
//! (`adult 3; ads 9`), the key; behind each such line its names: `name`, `+` or `-` for blocked, first and last minute, queries, the name.

use super::record::{Day, Record, Seen};
use crate::checks::{self, Damage};
use crate::limits::{ACTIVITY_NAMES, ACTIVITY_NAMES_A_DAY};
use jiff::civil::Date;

/// The first line, with the version of what follows.
const HEADER: &str = "activity, version 1";

/// Why a text is not, or not wholly, what was written.
#[derive(Debug, thiserror::Error)]
#[error("line {line} is not as it was written; the {} days before it were kept, what stood behind it is gone", kept.days.len())]
pub struct Damaged {
    /// From 1.
    pub line: usize,
    pub kept: Box<Record>,
}

impl Record {
    /// The text from which [`Record::from_text`] reads the same record.
    pub fn to_text(&self) -> String {
        let lines = self.days.iter().flat_map(|((key, date), day)| {
            let categories = day
                .categories
                .iter()
                .map(|(category, count)| format!("{category} {count}"));
            let categories = categories.collect::<Vec<_>>().join("; ");
            let (queries, blocked, left_out) = (day.queries, day.blocked, day.left_out);
            let all = format!("day\t{date}\t{queries}\t{blocked}\t{left_out}\t{categories}\t{key}");
            let names = day.names.iter().map(|((name, blocked), seen)| {
                let sign = if *blocked { '-' } else { '+' };
                let (first, last, queries) = (seen.first, seen.last, seen.queries);
                format!("name\t{sign}\t{first}\t{last}\t{queries}\t{name}")
            });
            std::iter::once(all).chain(names)
        });
        checks::text(HEADER, lines)
    }

    /// Reads what [`Record::to_text`] wrote.
    pub fn from_text(text: &str) -> Result<Record, Damaged> {
        let mut record = Record::default();
        match read(text, &mut record) {
            Ok(()) => Ok(record),
            Err((line, _)) => Err(Damaged {
                line,
                kept: Box::new(record),
            }),
        }
    }
}

/// Fills the record up to the first line that is wrong.
fn read(text: &str, record: &mut Record) -> Result<(), (usize, Damage)> {
    let mut day = None;
    checks::read(HEADER, text, |line| take(line, record, &mut day).ok_or(Damage::Meaning))
}

/// Takes one line; `None`: it is wrong. `open`: the day whose names follow.
fn take(line: &str, record: &mut Record, open: &mut Option<(String, Date)>) -> Option<()> {
    let (kind, rest) = line.split_once('\t')?;
    let number = |text: &str| text.parse::<u64>().ok();
    if kind == "day" {
        let columns: Vec<&str> = rest.splitn(6, '\t').collect();
        let [date, queries, blocked, left_out, categories, key] = columns[..] else {
            return None;
        };
        let mut day = Day {
            queries: number(queries)?,
            blocked: number(blocked)?,
            left_out: number(left_out)?,
            ..Day::default()
        };
        for category in categories.split("; ").filter(|category| !category.is_empty()) {
            let (category, count) = category.rsplit_once(' ')?;
            day.categories.insert(category.to_owned(), number(count)?);
        }
        let key = (key.to_owned(), date.parse().ok()?);
        if record.days.insert(key.clone(), day).is_some() {
            return None;
        }
        *open = Some(key);
    } else {
        let columns: Vec<&str> = rest.splitn(5, '\t').collect();
        let [sign, first, last, queries, name] = columns[..] else {
            return None;
        };
        let day = record.days.get_mut(open.as_ref()?)?;
        if kind != "name" || day.names.len() >= ACTIVITY_NAMES_A_DAY || record.names >= ACTIVITY_NAMES {
            return None;
        }
        let blocked = match sign {
            "-" => true,
            "+" => false,
            _ => return None,
        };
        let seen = Seen {
            first: number(first)?,
            last: number(last)?,
            queries: number(queries)?,
        };
        if day.names.insert((name.to_owned(), blocked), seen).is_some() {
            return None;
        }
        record.names += 1;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::super::record::tests::{asked, keepers, whose};
    use super::*;
    use crate::config::settings::LogChoice;
    use proptest::prelude::*;

    fn example() -> Record {
        let masha = whose("person:masha", LogChoice::Names, 7);
        let console = whose("device:the console; of all", LogChoice::Counts, 7);
        let keepers = keepers(&[&masha, &console]);
        let mut record = Record::default();
        for minute in [28_000_000, 28_000_001, 28_003_000] {
            record.note(&keepers, &asked(&masha, minute, "school.example", None));
            record.note(&keepers, &asked(&masha, minute, "x\\010y.example", Some("adult")));
            record.note(&keepers, &asked(&console, minute, "a.example", Some("own names")));
        }
        record
    }

    #[test]
    fn a_record_reads_as_it_was_written() {
        for record in [example(), Record::default()] {
            assert_eq!(Record::from_text(&record.to_text()).unwrap(), record);
        }
    }

    #[test]
    fn a_text_that_was_cut_off_anywhere_keeps_the_whole_lines_before() {
        let (record, text) = (example(), example().to_text());
        for end in 0..text.len() {
            let damaged = Record::from_text(&text[..end]).unwrap_err();
            let days = text[..end]
                .rfind('\n')
                .map_or(0, |whole| text[..whole].matches("\tday\t").count());
            assert_eq!(damaged.kept.days.len(), days, "{end}");
            for (key, day) in &damaged.kept.days {
                assert_eq!(record.days[key].queries, day.queries);
                assert!(
                    day.names
                        .iter()
                        .all(|(name, seen)| record.days[key].names[name] == *seen)
                );
            }
        }
        let torn = Record::from_text(&text[..text.len() - 3]).unwrap_err().to_string();
        assert!(
            torn.contains("is not as it was written; the 4 days before it were kept"),
            "{torn}"
        );
    }

    proptest! {
        #[test]
        fn no_single_byte_can_be_changed_without_being_found(at in any::<prop::sample::Index>(), byte in 0u8..128) {
            let mut bytes = example().to_text().into_bytes();
            let at = at.index(bytes.len());
            prop_assume!(bytes[at] != byte);
            bytes[at] = byte;
            prop_assert!(Record::from_text(std::str::from_utf8(&bytes).unwrap()).is_err());
        }

        #[test]
        fn no_text_is_a_panic(text in "(activity, version 1\n)?(end\t|day\t|name\t|; |[0-9a-f]{16}\t|\\PC|\n){0,20}") {
            let _ = Record::from_text(&text);
        }
    }
}
