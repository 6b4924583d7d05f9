//! Reads a table line by line: columns behind tabs, under a line that names them.
//!
//! In: the text of a table. Out: rows whose number of columns is right, and checks that say where they failed.
//! Always: the first fault ends the reading; nothing panics.
//! Keeps: RFC 1035 §2.3.4 (63 octets a label, 253 characters a name), RFC 1123 §2.1 (what a host name is made of).

/// A line that is not as its table promises.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {what}")]
pub struct CatalogueError {
    /// As it is called under `blocklists/`.
    pub file: &'static str,
    /// From 1.
    pub line: usize,
    pub what: Fault,
}

/// What is wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("the first line should name the columns {0:?}")]
    Header(&'static [&'static str]),
    #[error("{found} columns where {expected} are")]
    Columns { found: usize, expected: usize },
    #[error("{0:?} is no id; an id is made of a-z, 0-9 and '-'")]
    Id(String),
    #[error("{0:?} is no host name in lower-case A-labels, two at least")]
    Name(String),
    #[error("{0:?} is none of the words that may stand here")]
    Word(String),
    #[error("{0:?} is no address and no network")]
    Address(String),
    #[error("the row stands out of order or is there twice")]
    Order,
    #[error("service {0:?} has another display name or group than in the row before")]
    Service(String),
    #[error("the column for {0} is empty")]
    Empty(&'static str),
}

/// The rows of a table behind the line that names its columns. Empty lines and lines that begin with `#` are passed over.
pub(super) struct Rows<'a> {
    file: &'static str,
    columns: &'static [&'static str],
    lines: std::iter::Enumerate<std::str::Lines<'a>>,
}

impl<'a> Rows<'a> {
    pub(super) fn open(
        file: &'static str,
        text: &'a str,
        columns: &'static [&'static str],
    ) -> Result<Rows<'a>, CatalogueError> {
        let mut rows = Rows {
            file,
            columns,
            lines: text.lines().enumerate(),
        };
        match rows.next_line() {
            Some((_, header)) if header.split('\t').eq(columns.iter().copied()) => Ok(rows),
            found => Err(CatalogueError {
                file,
                line: found.map_or(1, |(line, _)| line),
                what: Fault::Header(columns),
            }),
        }
    }

    fn next_line(&mut self) -> Option<(usize, &'a str)> {
        let mut filled = self
            .lines
            .by_ref()
            .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
        filled.next().map(|(place, line)| (place + 1, line))
    }
}

impl<'a> Iterator for Rows<'a> {
    type Item = Result<Row<'a>, CatalogueError>;

    fn next(&mut self) -> Option<Self::Item> {
        let (line, text) = self.next_line()?;
        let row = Row {
            file: self.file,
            line,
            columns: text.split('\t').collect(),
        };
        let (found, expected) = (row.columns.len(), self.columns.len());
        Some(match found == expected {
            true => Ok(row),
            false => Err(row.fault(Fault::Columns { found, expected })),
        })
    }
}

pub(super) struct Row<'a> {
    file: &'static str,
    line: usize,
    columns: Vec<&'a str>,
}

impl<'a> Row<'a> {
    pub(super) fn fault(&self, what: Fault) -> CatalogueError {
        CatalogueError {
            file: self.file,
            line: self.line,
            what,
        }
    }

    fn check(&self, holds: bool, what: impl FnOnce() -> Fault) -> Result<(), CatalogueError> {
        if holds { Ok(()) } else { Err(self.fault(what())) }
    }

    pub(super) fn array<const N: usize>(&self) -> Result<[&'a str; N], CatalogueError> {
        let columns = self.columns.as_slice().try_into();
        columns.map_err(|_| {
            self.fault(Fault::Columns {
                found: self.columns.len(),
                expected: N,
            })
        })
    }

    pub(super) fn id(&self, text: &str) -> Result<(), CatalogueError> {
        let legal = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
        self.check(!text.is_empty() && text.bytes().all(legal), || {
            Fault::Id(text.to_owned())
        })
    }

    pub(super) fn name(&self, text: &str) -> Result<(), CatalogueError> {
        self.check(is_name(text), || Fault::Name(text.to_owned()))
    }

    pub(super) fn filled(&self, column: &'static str, text: &str) -> Result<(), CatalogueError> {
        self.check(!text.trim().is_empty(), || Fault::Empty(column))
    }

    pub(super) fn word<T: Copy>(&self, words: &[(&str, T)], text: &str) -> Result<T, CatalogueError> {
        let found = words.iter().find(|(word, _)| *word == text);
        found
            .map(|&(_, value)| value)
            .ok_or_else(|| self.fault(Fault::Word(text.to_owned())))
    }

    pub(super) fn ascends<T: PartialOrd<U>, U>(&self, before: Option<T>, now: U) -> Result<(), CatalogueError> {
        self.check(before.is_none_or(|before| before < now), || Fault::Order)
    }
}

pub(super) fn is_name(text: &str) -> bool {
    let label = |label: &str| {
        let legal = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
        (1..=63).contains(&label.len()) && label.bytes().all(legal) && !label.starts_with('-') && !label.ends_with('-')
    };
    // A last label of digits alone would be an address (RFC 3696 §2).
    let last = text.rsplit('.').next().unwrap_or(text);
    text.len() <= 253
        && text.contains('.')
        && text.split('.').all(label)
        && !last.bytes().all(|byte| byte.is_ascii_digit())
}
