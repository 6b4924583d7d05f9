//! What can be wrong with settings, each as one sentence for the operator: `FILE:LINE: what, what to do`.

use std::fmt;
use std::path::PathBuf;

/// Why settings cannot be used, and where that stands.
#[derive(Debug)]
pub struct ConfigError {
    pub file: PathBuf,
    /// From 1; `None` when the file as a whole is meant.
    pub line: Option<usize>,
    pub problem: Box<Problem>,
}

/// Something in the settings that works but is hardly meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// `None` for the built-in home example.
    pub file: Option<PathBuf>,
    pub line: Option<usize>,
    /// What, and what to do.
    pub sentence: String,
}

/// What is wrong.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    #[error("cannot be read ({0}); check the path and who may read it")]
    Unreadable(std::io::Error),
    #[error("is not UTF-8 text; save it as UTF-8")]
    NotText,
    #[error("is larger than {} KiB, which no settings are; check the path", .0 >> 10)]
    TooLarge(u64),
    #[error("is not TOML here: {0}")]
    Syntax(String),
    #[error("there is no key \"{key}\" in {table}; {}", advice(nearest, known))]
    UnknownKey {
        key: String,
        /// `the file`, `[server]` or `[[list]]`.
        table: String,
        /// A key that looks like it.
        nearest: Option<String>,
        known: Vec<String>,
    },
    #[error("{key} must be {wanted}, not {found}")]
    WrongType { key: String, wanted: String, found: String },
    #[error("{table} lacks the key \"{key}\"; add it")]
    MissingKey { table: String, key: String },
    #[error("{key} = {value:?} {why}")]
    Value {
        key: &'static str,
        value: String,
        /// What it is not, and how to write it.
        why: String,
    },
    #[error("{kind} {name:?} is there twice, first on line {first}; give each a name of its own")]
    Duplicate {
        kind: &'static str,
        name: String,
        first: usize,
    },
    #[error(
        "{kind} {client:?} and {other_kind} {other:?} (line {line}) both match {network}; keep it with one of them"
    )]
    SameNetwork {
        /// `client` or `device`.
        kind: &'static str,
        client: String,
        other_kind: &'static str,
        other: String,
        line: usize,
        network: String,
    },
    #[error("profile {profile:?} has {key} = {word:?}, but {why}")]
    ProfileWord {
        profile: String,
        key: &'static str,
        word: String,
        why: String,
    },
    #[error("{owner} has {key} = {word:?}, but there is no such {what}; {}", nearest.as_ref().map_or_else(|| advice.clone(), |near| format!("is \"{near}\" meant?")))]
    NoSuch {
        /// `person "masha"`, `window "school nights"`.
        owner: String,
        key: &'static str,
        word: String,
        /// What the word should be.
        what: &'static str,
        /// A word that looks like it.
        nearest: Option<String>,
        /// What to do where nothing does.
        advice: String,
    },
    #[error(
        "{kind} {name:?} has the name of a {other} (line {line}), so that nobody could tell which is meant; rename one of them"
    )]
    SameWord {
        kind: &'static str,
        name: String,
        other: &'static str,
        line: usize,
    },
    #[error("there are {count} of {table}, more than {most}; leave out what is over")]
    TooMany {
        /// `[[window]]` or `[person.ID]`.
        table: &'static str,
        count: usize,
        most: usize,
    },
    /// Anything else, with what to do.
    #[error("{0}")]
    Other(String),
}

fn advice(nearest: &Option<String>, known: &[String]) -> String {
    match nearest {
        Some(near) => format!("is \"{near}\" meant?"),
        None => format!("it may hold {}", known.join(", ")),
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.file.display(), self.problem),
            None => write!(f, "{}: {}", self.file.display(), self.problem),
        }
    }
}

impl std::error::Error for ConfigError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &*self.problem {
            Problem::Unreadable(cause) => Some(cause),
            _ => None,
        }
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.file, self.line) {
            (Some(file), Some(line)) => write!(f, "{}:{line}: {}", file.display(), self.sentence),
            (Some(file), None) => write!(f, "{}: {}", file.display(), self.sentence),
            (None, _) => f.write_str(&self.sentence),
        }
    }
}
