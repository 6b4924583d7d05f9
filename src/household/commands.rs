//! Carries out what is asked of a household, on its file. A running server does it itself, a command where none runs.
//!
//! In: what is asked ([`Asked`], one JSON object over the control socket), the file, the time. Out: an [`Answer`], as
//! text or as JSON.
//! Always: a text that `check` refuses is never written; a server checks with the loader of its settings, so that what
//! is written is what it can run on.
//! Fails: with one sentence; the file is as it was.

use crate::household::edit::people::household_zone;
use crate::household::edit::{Around, Edit, EditError, apply_to_text};
use crate::household::shape::Household;
use crate::household::show::{self, View};
use crate::household::store::{By, Saved, Store, StoreError};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What is asked. As JSON `{"household":"undo","version":12}`, `{"household":"edit","edit":{"edit":"resume",...}}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "household", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Asked {
    /// The whole household, or some of it.
    Show {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        who: Option<String>,
    },
    Edit {
        edit: Edit,
    },
    History,
    /// One version back, or to the version of that number.
    Undo {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        version: Option<u32>,
    },
}

impl From<Edit> for Asked {
    fn from(edit: Edit) -> Asked {
        Asked::Edit { edit }
    }
}

/// What comes of it; shown as text for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Answer {
    Done(Done),
    History { versions: Vec<VersionView> },
    View(Box<View>),
}

/// The household is different now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// One sentence: what is different, and for how long.
    pub done: String,
    /// What had ended and was swept out along the way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub swept: Option<String>,
    /// The number of the version; without one nothing was written, or the history could not be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// What deserves a look.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// A running server answers by it already.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub in_force: bool,
}

/// One version of the history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionView {
    pub version: u32,
    /// RFC 3339, UTC.
    pub at: String,
    /// By the household's own clock, such as `2026-12-01 20:00`.
    pub clock: String,
    pub by: By,
    pub what: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub back_to: Option<u32>,
}

/// Why nothing came of it.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    #[error(transparent)]
    Edit(#[from] EditError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("that would leave a household the server cannot run on, so nothing was changed: {0}")]
    Refused(String),
}

/// Said with the first change.
const BEGUN: &str =
    "this household is new: devices that it does not name have the profile default, which blocks every category";

/// Carries it out. `check`: half a sentence on why a text would not do.
pub fn carry_out(
    asked: &Asked,
    store: &Store,
    around: &Around,
    check: &dyn Fn(&str) -> Result<(), String>,
) -> Result<Answer, CommandError> {
    match asked {
        Asked::Show { who } => {
            let view = show::view(&store.read()?, who.as_deref(), around)?;
            Ok(Answer::View(Box::new(view)))
        }
        Asked::Edit { edit } => {
            let mut swept = None;
            let mut done = String::new();
            let mut begun = false;
            let mut saved = store.edit(around.now, |text| -> Result<_, CommandError> {
                begun = text.trim().is_empty();
                let text = if begun { around.beginning } else { text };
                let (after, changed) = apply_to_text(text, edit, around)?;
                check(&after).map_err(CommandError::Refused)?;
                let what = changed.to_string();
                (done, swept) = (changed.sentence, changed.swept);
                Ok((after, what))
            })?;
            if begun && !around.beginning.is_empty() {
                saved.note.get_or_insert_with(|| BEGUN.to_owned());
            }
            Ok(Answer::Done(finished(saved, done, swept)))
        }
        Asked::History => {
            let zone = zone(&store.read()?, around);
            let versions = store.history()?.into_iter();
            let versions = versions.map(|version| VersionView {
                version: version.version,
                at: version.at.to_string(),
                clock: zone.to_datetime(version.at).strftime("%Y-%m-%d %H:%M").to_string(),
                by: version.by,
                what: version.what,
                back_to: version.back_to,
            });
            Ok(Answer::History {
                versions: versions.collect(),
            })
        }
        Asked::Undo { version } => {
            let judged = |text: &str| check(text).map_err(CommandError::Refused);
            let (saved, done) = store.undo(around.now, *version, judged)?;
            Ok(Answer::Done(finished(saved, done, None)))
        }
    }
}

fn finished(saved: Saved, done: String, swept: Option<String>) -> Done {
    Done {
        done,
        swept,
        version: saved.version,
        note: saved.note,
        in_force: false,
    }
}

/// The history of a household is told also when it is not readable just now.
fn zone(text: &str, around: &Around) -> TimeZone {
    match Household::read(text) {
        Ok(household) => household_zone(&household, around),
        Err(_) => around.system_zone.clone(),
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Answer::Done(done) => {
                writeln!(f, "{}", done.done)?;
                for more in [&done.swept, &done.note].into_iter().flatten() {
                    writeln!(f, "{more}")?;
                }
                Ok(())
            }
            Answer::History { versions } if versions.is_empty() => {
                writeln!(
                    f,
                    "nothing was changed by commands yet; the history begins with the first change"
                )
            }
            Answer::History { versions } => {
                // The newest first, as one looks for what was changed last.
                for version in versions.iter().rev() {
                    let by = match version.by {
                        By::Command => "command",
                        By::Hand => "by hand",
                        By::Undo => "undo",
                        By::Unknown => "unknown",
                    };
                    writeln!(
                        f,
                        "{:>5}  {}  {by:<7}  {}",
                        version.version, version.clock, version.what
                    )?;
                }
                Ok(())
            }
            Answer::View(view) => view.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::household::edit::Words;

    fn ask(store: &Store, json: &str, minute: i64) -> Result<Answer, String> {
        let words = Words::default();
        let zone = TimeZone::get("Europe/Moscow").unwrap();
        let now: jiff::Timestamp = "2026-11-30T17:00:00Z".parse().unwrap();
        let around = Around {
            now: now + jiff::SignedDuration::from_mins(minute),
            system_zone: &zone,
            zone: &|name| TimeZone::get(name).ok(),
            words: &words,
            beginning: "",
        };
        let check = |text: &str| match text.contains("forbidden") {
            true => Err("forbidden is forbidden".to_owned()),
            false => Ok(()),
        };
        let asked: Asked = serde_json::from_str(json).unwrap();
        carry_out(&asked, store, &around, &check).map_err(|error| error.to_string())
    }

    #[test]
    fn an_evening_over_the_socket() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(&folder.path().join("household.toml"));
        let says = |json: &str, minute| ask(&store, json, minute).unwrap().to_string();
        assert_eq!(
            says(r#"{"household":"history"}"#, 0),
            "nothing was changed by commands yet; the history begins with the first change\n"
        );
        assert_eq!(
            says(
                r#"{"household":"edit","edit":{"edit":"add","kind":"profile","name":"child","keys":{"block":["adult"]}}}"#,
                0
            ),
            "profile child is new: blocks adult\n"
        );
        let masha =
            r#"{"household":"edit","edit":{"edit":"add","kind":"person","name":"masha","keys":{"profile":"child"}}}"#;
        says(masha, 1);
        assert_eq!(
            says(
                r#"{"household":"edit","edit":{"edit":"pause","what":"filter","who":["masha"],"lasting":"5m"}}"#,
                2
            ),
            "the filter is off for masha until 20:07\n"
        );
        assert_eq!(
            says(r#"{"household":"show"}"#, 3),
            "masha: profile child\n  paused: the filter is off for masha until 20:07\n\nprofiles\n  child: blocks adult\n"
        );
        assert_eq!(
            says(
                r#"{"household":"edit","edit":{"edit":"own-name","list":"allow","name":"a.example","who":["masha"]}}"#,
                10
            ),
            "a.example is now allowed for masha\n1 pause that had ended was removed\n"
        );
        assert_eq!(
            says(r#"{"household":"undo"}"#, 11),
            "taken back: a.example is now allowed for masha; 1 pause that had ended was removed\n"
        );
        assert_eq!(
            says(r#"{"household":"history"}"#, 12),
            "    5  2026-11-30 20:11  undo     went back to version 3
    4  2026-11-30 20:10  command  a.example is now allowed for masha; 1 pause that had ended was removed
    3  2026-11-30 20:02  command  the filter is off for masha until 20:07
    2  2026-11-30 20:01  command  masha is now part of this household, with profile child
    1  2026-11-30 20:00  command  profile child is new: blocks adult\n"
        );
        let json = serde_json::to_string(&ask(&store, r#"{"household":"undo","version":4}"#, 13).unwrap()).unwrap();
        assert_eq!(
            json,
            r#"{"done":"back at version 4: a.example is now allowed for masha; 1 pause that had ended was removed","version":6}"#
        );
        let answer = ask(&store, r#"{"household":"history"}"#, 14).unwrap();
        let json = serde_json::to_string(&answer).unwrap();
        assert!(
            json.contains(
                r#"{"version":5,"at":"2026-11-30T17:11:00Z","clock":"2026-11-30 20:11","by":"undo","what":"went back to version 3","back_to":3}"#
            ),
            "{json}"
        );
        assert_eq!(serde_json::from_str::<Answer>(&json).unwrap(), answer);
        let answer = ask(&store, r#"{"household":"show"}"#, 14).unwrap();
        assert_eq!(
            serde_json::from_str::<Answer>(&serde_json::to_string(&answer).unwrap()).unwrap(),
            answer
        );
    }

    #[test]
    fn what_the_server_could_not_run_on_is_not_written() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(&folder.path().join("household.toml"));
        std::fs::write(folder.path().join("household.toml"), "# ours\n").unwrap();
        let edit = r#"{"household":"edit","edit":{"edit":"add","kind":"profile","name":"forbidden"}}"#;
        assert_eq!(
            ask(&store, edit, 0).unwrap_err(),
            "that would leave a household the server cannot run on, so nothing was changed: forbidden is forbidden"
        );
        assert_eq!(store.read().unwrap(), "# ours\n");
    }

    #[test]
    fn a_question_that_is_not_known_is_refused() {
        for bad in [
            r#"{"household":"undo","verison":12}"#,
            r#"{"household":"edit"}"#,
            r#"{"household":"burn"}"#,
        ] {
            assert!(serde_json::from_str::<Asked>(bad).is_err(), "{bad}");
        }
    }
}
