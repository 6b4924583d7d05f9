//! What commands do to the household file.
//!
//! In: a document, an [`Edit`], the time and the zones ([`Around`]). Out: the document as it is after the edit, and one
//! sentence that says what is different now and for how long.
//! Always: pure. Comments, order and writing of everything an edit is not about stay byte for byte. What names a person,
//! profile, device, group or quota names one that is there. What ended (grants, pauses, names for a while) is swept out
//! with the next edit, and the sentence says so.
//! Fails: as a whole, with an [`EditError`]; then the document is as it was.

pub mod checks;
pub mod error;
mod fields;
mod names;
pub mod people;
mod refs;
mod sweep;
pub mod tables;
mod things;
mod tonight;
pub mod when;

#[cfg(test)]
mod refused_tests;
#[cfg(test)]
mod tests;

pub use error::EditError;
pub use fields::Kind;
pub(crate) use tonight::reaches;

use crate::household::shape::Household;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use toml_edit::DocumentMut;

/// One thing to do. As JSON an object: `{"edit":"grant","who":["masha"],"allow":["internet"],"lasting":"30m"}`.
///
/// `who` are persons, devices, groups, `profile:NAME` or `everyone`. Of `lasting` (how long) and `until` (to when) one is
/// given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "edit", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Edit {
    /// A new person, device, group, profile, window, quota, service or client.
    Add {
        kind: Kind,
        /// A window may go without.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        keys: BTreeMap<String, Given>,
    },
    /// Another value for a key.
    Set {
        kind: Kind,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        key: String,
        value: Given,
    },
    /// More words for a list.
    Also {
        kind: Kind,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        key: String,
        values: Vec<String>,
    },
    /// Fewer words for a list.
    Without {
        kind: Kind,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        key: String,
        values: Vec<String>,
    },
    /// Takes a key away, so that what goes without it goes.
    Unset {
        kind: Kind,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        key: String,
    },
    /// Takes the whole thing away.
    Remove { kind: Kind, name: String },
    /// Switches the filter or the internet off for a while.
    Pause {
        what: Pausable,
        who: Vec<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        lasting: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<String>,
    },
    /// Ends pauses; without `what` those of both kinds.
    Resume {
        who: Vec<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        what: Option<Pausable>,
    },
    /// Lets somebody have something for a while: `internet`, services, categories, names.
    Grant {
        who: Vec<String>,
        allow: Vec<String>,
        /// A time to begin with; without it now.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        lasting: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<String>,
    },
    /// More minutes of a quota, until its period ends or until a time.
    Minutes {
        who: Vec<String>,
        /// A length of time such as `30m`.
        minutes: String,
        /// Without it the only one that they have.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        quota: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<String>,
    },
    /// Takes back every grant of these.
    Revoke { who: Vec<String> },
    /// Allows or blocks a name of one's own; without `who` for the profile `default`.
    OwnName {
        list: OwnList,
        name: String,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        who: Vec<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        lasting: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<String>,
    },
    /// Takes such a name off its list again.
    ForgetName {
        list: OwnList,
        name: String,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        who: Vec<String>,
    },
}

/// A value as a command or the admin page gives it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, expecting = "a value must be a text, a list of texts, true or false")]
pub enum Given {
    Flag(bool),
    Text(String),
    Many(Vec<String>),
}

impl Given {
    pub(crate) fn texts(&self) -> Vec<String> {
        match self {
            Given::Flag(flag) => vec![flag.to_string()],
            Given::Text(text) => vec![text.clone()],
            Given::Many(texts) => texts.clone(),
        }
    }
}

/// What can be paused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pausable {
    Filter,
    Internet,
}

impl Pausable {
    pub fn word(self) -> &'static str {
        match self {
            Pausable::Filter => "filter",
            Pausable::Internet => "internet",
        }
    }
}

/// The two lists of one's own names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OwnList {
    Allow,
    Block,
}

/// What an edit must know of the world.
#[derive(Clone, Copy)]
pub struct Around<'a> {
    pub now: Timestamp,
    /// For a household that names none.
    pub system_zone: &'a TimeZone,
    /// A zone by its IANA name.
    pub zone: &'a dyn Fn(&str) -> Option<TimeZone>,
    pub words: &'a Words,
    /// What a household has before the first change.
    pub beginning: &'a str,
}

/// The words that lists and the catalogue bring. A kind without any is not checked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Words {
    /// Categories, and names of lists that block.
    pub categories: Vec<String>,
    /// Names of lists that allow.
    pub allow_lists: Vec<String>,
    /// Ids of services and of groups of services.
    pub services: Vec<String>,
    /// Search engines that have a safe mode.
    pub engines: Vec<String>,
}

/// What is different now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    /// One sentence without its full stop.
    pub sentence: String,
    /// What had ended and was swept out along the way, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub swept: Option<String>,
}

impl fmt::Display for Changed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)?;
        match &self.swept {
            Some(swept) => write!(f, "; {swept}"),
            None => Ok(()),
        }
    }
}

/// Applies one edit.
pub fn apply(doc: &mut DocumentMut, edit: &Edit, around: &Around) -> Result<Changed, EditError> {
    let mut draft = doc.clone();
    let mut household = read(&draft)?;
    let swept = sweep::sweep(&mut draft, &household, around);
    if swept.is_some() {
        household = read(&draft)?;
    }
    if draft.as_table().is_empty() {
        tables::set_on_top(&mut draft, "version", 1.into());
    }
    let sentence = one(&mut draft, &household, edit, around)?;
    Household::read(&draft.to_string()).map_err(EditError::Broken)?;
    *doc = draft;
    Ok(Changed { sentence, swept })
}

/// Applies one edit to the text of a file. Line ends and the mark at its beginning are kept.
pub fn apply_to_text(text: &str, edit: &Edit, around: &Around) -> Result<(String, Changed), EditError> {
    let (mark, bare) = match text.strip_prefix('\u{feff}') {
        Some(bare) => ("\u{feff}", bare),
        None => ("", text),
    };
    let windows = bare.contains("\r\n");
    let unix = if windows {
        bare.replace("\r\n", "\n")
    } else {
        bare.to_owned()
    };
    let unreadable = |error: toml_edit::TomlError| EditError::Unreadable(one_line(&error, &unix));
    let mut doc: DocumentMut = unix.parse().map_err(unreadable)?;
    let changed = apply(&mut doc, edit, around)?;
    let edited = doc.to_string();
    let edited = if windows { edited.replace('\n', "\r\n") } else { edited };
    Ok((format!("{mark}{edited}"), changed))
}

fn one_line(error: &toml_edit::TomlError, text: &str) -> String {
    let line = error.span().and_then(|span| text.get(..span.start));
    let line = line.map_or(1, |before| before.matches('\n').count() + 1);
    format!("line {line}: {}", error.message().trim().replace('\n', ", "))
}

fn read(doc: &DocumentMut) -> Result<Household, EditError> {
    Household::read(&doc.to_string()).map_err(EditError::Unreadable)
}

fn one(doc: &mut DocumentMut, household: &Household, edit: &Edit, around: &Around) -> Result<String, EditError> {
    let context = Context { household, around };
    match edit {
        Edit::Add { kind, name, keys } => things::add(doc, &context, *kind, name.as_deref(), keys),
        Edit::Set { kind, name, key, value } => things::set(doc, &context, *kind, name.as_deref(), key, value),
        Edit::Also {
            kind,
            name,
            key,
            values,
        } => things::also(doc, &context, *kind, name.as_deref(), key, values),
        Edit::Without {
            kind,
            name,
            key,
            values,
        } => things::without(doc, &context, *kind, name.as_deref(), key, values),
        Edit::Unset { kind, name, key } => things::unset(doc, &context, *kind, name.as_deref(), key),
        Edit::Remove { kind, name } => things::remove(doc, &context, *kind, name),
        Edit::Pause {
            what,
            who,
            lasting,
            until,
        } => tonight::pause(doc, &context, *what, who, &End::new(lasting, until)),
        Edit::Resume { who, what } => tonight::resume(doc, &context, who, *what),
        Edit::Grant {
            who,
            allow,
            from,
            lasting,
            until,
        } => tonight::grant(doc, &context, who, allow, from.as_deref(), &End::new(lasting, until)),
        Edit::Minutes {
            who,
            minutes,
            quota,
            until,
        } => tonight::minutes(doc, &context, who, minutes, quota.as_deref(), until.as_deref()),
        Edit::Revoke { who } => tonight::revoke(doc, &context, who),
        Edit::OwnName {
            list,
            name,
            who,
            lasting,
            until,
        } => names::add(doc, &context, *list, name, who, &End::new(lasting, until)),
        Edit::ForgetName { list, name, who } => names::forget(doc, &context, *list, name, who),
    }
}

/// What an edit is judged by.
struct Context<'a> {
    household: &'a Household,
    around: &'a Around<'a>,
}

/// How an end was given.
struct End<'a> {
    lasting: Option<&'a str>,
    until: Option<&'a str>,
}

impl<'a> End<'a> {
    fn new(lasting: &'a Option<String>, until: &'a Option<String>) -> End<'a> {
        End {
            lasting: lasting.as_deref(),
            until: until.as_deref(),
        }
    }
}
