//! Why an edit is not made, each as one sentence: which thing, what is wrong, what to do.

use crate::nearest::nearest;

/// Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    #[error(
        "the household is not readable as it stands ({0}); mend that by hand, or go back with `stairgate household undo`"
    )]
    Unreadable(String),
    #[error("there is no {kind} \"{word}\"; {}", advice(nearest, known, how))]
    NoSuch {
        kind: &'static str,
        word: String,
        /// A known one that looks like it.
        nearest: Option<String>,
        known: Vec<String>,
        /// What to do where none is known.
        how: String,
    },
    #[error("{owner} has no key \"{key}\"; {}", advice(nearest, known, ""))]
    UnknownKey {
        owner: String,
        key: String,
        nearest: Option<String>,
        known: Vec<String>,
    },
    #[error("{owner} has no {key} to take away; nothing was changed")]
    NotSet { owner: String, key: String },
    #[error("{key} \"{value}\" {why}")]
    Value { key: String, value: String, why: String },
    #[error(
        "there is already a {kind} \"{name}\"; choose another name, or change that one with `stairgate household set`"
    )]
    Taken { kind: &'static str, name: String },
    #[error("{owner} needs {missing}; add {flag}")]
    Missing {
        owner: String,
        missing: String,
        flag: String,
    },
    #[error("{owner} has either {one} or {other}; give one of them")]
    EitherOr {
        owner: String,
        one: &'static str,
        other: &'static str,
    },
    #[error("{owner} cannot go: {}; {first} first", users.join(", "))]
    InUse {
        owner: String,
        /// Who has it, as half sentences.
        users: Vec<String>,
        /// What to do.
        first: String,
    },
    #[error("{owner} would be left without {key}; give another with `set`, or remove the whole {kind}")]
    LeftWithout {
        owner: String,
        key: String,
        kind: &'static str,
    },
    #[error("{what} ended already: {at} is past; name a time to come")]
    Past { what: String, at: String },
    #[error("{what} may last {days} days at most; choose an earlier end, or change the rules themselves with `set`")]
    TooLong { what: String, days: i64 },
    /// A question that the parent has to answer.
    #[error("{0}")]
    Unclear(String),
    #[error("the edit would leave a household that does not read back ({0}); nothing was changed, please report this")]
    Broken(String),
}

impl EditError {
    pub(super) fn value(key: &str, value: &str, why: impl Into<String>) -> EditError {
        EditError::Value {
            key: key.to_owned(),
            value: value.to_owned(),
            why: why.into(),
        }
    }

    /// `known`: what it may be. `how`: how to make one, where there is none.
    pub(super) fn no_such(kind: &'static str, word: &str, known: Vec<String>, how: impl Into<String>) -> EditError {
        EditError::NoSuch {
            kind,
            word: word.to_owned(),
            nearest: nearest(word, &known),
            known,
            how: how.into(),
        }
    }
}

fn advice(nearest: &Option<String>, known: &[String], how: &str) -> String {
    match (nearest, known) {
        (Some(near), _) => format!("is \"{near}\" meant?"),
        (None, []) if how.is_empty() => "there is none".to_owned(),
        (None, []) => how.to_owned(),
        (None, known) if how.is_empty() => format!("there is {}", known.join(", ")),
        (None, known) => format!("there is {}; {how}", known.join(", ")),
    }
}
