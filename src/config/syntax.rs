//! From text to shape: where a place in the text is, and what the TOML reader's complaints mean to the operator.

use super::error::{ConfigError, Problem};
use crate::nearest::nearest;
use serde::de::DeserializeOwned;
use std::cell::OnceCell;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// One settings file with its text.
pub struct Source {
    pub file: PathBuf,
    pub text: String,
    /// Where lines end, from the first question on: a household has hundreds of thousands, and each name asks for its own.
    line_ends: OnceCell<Vec<usize>>,
}

impl Source {
    /// Reads a file of at most so many bytes.
    pub fn read(file: &Path, most_bytes: u64) -> Result<Source, ConfigError> {
        let fail = |problem| ConfigError {
            file: file.to_owned(),
            line: None,
            problem: Box::new(problem),
        };
        let length = std::fs::metadata(file)
            .map_err(|cause| fail(Problem::Unreadable(cause)))?
            .len();
        if length > most_bytes {
            return Err(fail(Problem::TooLarge(most_bytes)));
        }
        let bytes = std::fs::read(file).map_err(|cause| fail(Problem::Unreadable(cause)))?;
        let text = String::from_utf8(bytes).map_err(|_| fail(Problem::NotText))?;
        Ok(Source::new(file.to_owned(), text))
    }

    /// A text that stands in a file, or is to.
    pub fn new(file: PathBuf, text: String) -> Source {
        Source {
            file,
            text,
            line_ends: OnceCell::new(),
        }
    }

    /// The line, from 1, that the byte at `at` stands on.
    pub fn line(&self, at: usize) -> usize {
        let ends = self
            .line_ends
            .get_or_init(|| memchr::memchr_iter(b'\n', self.text.as_bytes()).collect());
        1 + ends.partition_point(|&end| end < at)
    }

    /// An error at a place of this file.
    pub fn fail(&self, span: Range<usize>, problem: Problem) -> ConfigError {
        ConfigError {
            file: self.file.clone(),
            line: Some(self.line(span.start)),
            problem: Box::new(problem),
        }
    }

    /// The text as a shape.
    pub fn shape<T: DeserializeOwned>(&self) -> Result<T, ConfigError> {
        toml::from_str(&self.text).map_err(|error| {
            let start = error.span().map_or(0, |span| span.start);
            self.fail(start..start, self.problem(start, error.message()))
        })
    }

    /// What a complaint of the TOML reader means. Its serde half has fixed forms; anything else is about syntax.
    fn problem(&self, at: usize, message: &str) -> Problem {
        if let Some(rest) = message.strip_prefix("unknown field `") {
            let mut quoted = rest.split('`').step_by(2);
            let key = quoted.next().unwrap_or_default().to_owned();
            let mut known: Vec<String> = rest.split('`').skip(2).step_by(2).map(str::to_owned).collect();
            known.sort();
            let elsewhere = HOUSEHOLD_KEYS.contains(&key.as_str()) && known.iter().any(|known| known == "household");
            if elsewhere {
                return Problem::Other(format!(
                    "{key} stands in the household file only; name one with household = \"household.toml\" and move it there, \
                     and profiles and clients too"
                ));
            }
            let nearest = nearest(&key, &known);
            return Problem::UnknownKey {
                key,
                table: self.table(at),
                nearest,
                known,
            };
        }
        if let Some(rest) = message.strip_prefix("missing field `") {
            return Problem::MissingKey {
                table: self.table(at),
                key: rest.trim_end_matches('`').to_owned(),
            };
        }
        for prefix in ["invalid type: ", "invalid value: "] {
            if let Some((found, wanted)) = message
                .strip_prefix(prefix)
                .and_then(|rest| rest.split_once(", expected "))
            {
                let key = self.key(at);
                // Half a secret without its quotes is a number, and an error goes to a log.
                let secret = key == "\"cookie_secret\"";
                return Problem::WrongType {
                    wanted: plain_type(if secret { SECRET } else { wanted }),
                    found: if secret { "something else" } else { found }.to_owned(),
                    key,
                };
            }
        }
        Problem::Syntax(message.trim_end_matches('\n').replace('\n', ", "))
    }

    /// The table that the key at `at` belongs to, in words.
    fn table(&self, at: usize) -> String {
        // A key that stands in a header itself belongs to the table around.
        let header = self.text[..at.min(self.text.len())].trim_end_matches('[');
        if header.len() < at && (header.is_empty() || header.ends_with('\n')) {
            return "the file".to_owned();
        }
        let end = self.text[at.min(self.text.len())..]
            .find('\n')
            .map_or(self.text.len(), |line| at + line);
        self.text[..end]
            .lines()
            .rev()
            .map(str::trim)
            .find(|line| line.starts_with('['))
            .and_then(|line| {
                let close = line.rfind(']')?;
                Some(line[..=close].to_owned())
            })
            .unwrap_or_else(|| "the file".to_owned())
    }

    /// The key whose value stands at `at`; the table if the value is a table of its own.
    fn key(&self, at: usize) -> String {
        let before = &self.text[..at.min(self.text.len())];
        for line in before.rsplit('\n') {
            if line.trim_start().starts_with('#') {
                continue;
            }
            if let Some((key, _)) = line.split_once('=') {
                return format!("\"{}\"", key.trim());
            }
            if line.trim_start().starts_with('[') {
                break;
            }
        }
        self.table(at)
    }
}

/// Keys of the household file that people look for in the settings file.
const HOUSEHOLD_KEYS: [&str; 9] = [
    "timezone", "person", "device", "group", "window", "quota", "grant", "pause", "service",
];

/// What a secret of cookies is, where a value is none.
const SECRET: &str = "a secret in quotes or a list of two";

fn plain_type(wanted: &str) -> String {
    match wanted {
        "a boolean" => "true or false".to_owned(),
        "a sequence" => "a list in [ ]".to_owned(),
        "i64" => "a whole number".to_owned(),
        "a string" => "a text in quotes".to_owned(),
        struct_name if struct_name.starts_with("struct ") || struct_name == "a map" => "a table".to_owned(),
        other => other.to_owned(),
    }
}
