//! What a SOURCE is: from a command-line argument or a `[[list]]` entry to lists whose bytes can be read.
//!
//! In: paths. Out: [`SourceSpec`]s and their unpacked bytes.
//! Always: the same files give the same sources in the same order; a list larger than [`limits::LIST_BYTES`] is never
//! held in memory, also when it only gets that large by unpacking.
//! Fails: a source that cannot be read is a [`SourceError`] that names it.

use crate::config::settings::{ListAction, ListSettings, MatchScope};
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

/// How a list is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Format {
    Hosts = 0,
    Domains = 1,
    Wildcard = 2,
    Adguard = 3,
    Regex = 4,
    Rpz = 5,
    Dnsmasq = 6,
    Unbound = 7,
    Dnscrypt = 8,
    V2fly = 9,
    Dump = 10,
}

impl Format {
    /// Every format, in the order of their numbers.
    pub const ALL: [Format; 11] = [
        Format::Hosts,
        Format::Domains,
        Format::Wildcard,
        Format::Adguard,
        Format::Regex,
        Format::Rpz,
        Format::Dnsmasq,
        Format::Unbound,
        Format::Dnscrypt,
        Format::V2fly,
        Format::Dump,
    ];

    /// The word of the command line and the settings.
    pub fn word(self) -> &'static str {
        match self {
            Format::Hosts => "hosts",
            Format::Domains => "domains",
            Format::Wildcard => "wildcard",
            Format::Adguard => "adguard",
            Format::Regex => "regex",
            Format::Rpz => "rpz",
            Format::Dnsmasq => "dnsmasq",
            Format::Unbound => "unbound",
            Format::Dnscrypt => "dnscrypt",
            Format::V2fly => "v2fly",
            Format::Dump => "dump",
        }
    }

    /// How a source of this format chooses among its own matches.
    pub fn family(self) -> Family {
        match self {
            Format::Adguard => Family::Adguard,
            Format::Rpz => Family::Rpz,
            Format::Dnsmasq => Family::Dnsmasq,
            Format::Unbound => Family::Unbound,
            _ => Family::Plain,
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// A word that names no format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{0}\" is not a format; it is one of auto, hosts, domains, wildcard, adguard, regex, rpz, dnsmasq, unbound, dnscrypt, v2fly, dump"
)]
pub struct UnknownFormat(pub String);

/// "auto" is no format: callers take it as `None` before they ask.
impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(word: &str) -> Result<Format, UnknownFormat> {
        Format::ALL
            .into_iter()
            .find(|format| format.word() == word)
            .ok_or_else(|| UnknownFormat(word.to_owned()))
    }
}

/// How a source reduces several matches of its own to one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Family {
    /// Every match counts.
    Plain = 0,
    /// Every match counts, in AdGuard's order of precedence.
    Adguard = 1,
    /// One match: client-IP, QNAME, IP, NSDNAME, NSIP; exact before wildcard.
    Rpz = 2,
    /// The longest name.
    Dnsmasq = 3,
    /// The closest zone.
    Unbound = 4,
}

/// One list, not yet read.
#[derive(Debug, Clone)]
pub struct SourceSpec {
    /// File name less the compression suffix, made unique by its folders; or the name of the `[[list]]`.
    pub name: String,
    /// Where it was found, for messages and unique names: a path, one inside an archive, or `-`.
    pub path: PathBuf,
    /// `[a-z0-9_-]+`
    pub category: String,
    pub action: ListAction,
    /// `None`: told from the content.
    pub format: Option<Format>,
    pub match_scope: Option<MatchScope>,
    /// Lower comes first, ties by name.
    pub rank: u32,
    /// Whether it may redirect.
    pub rewrite: bool,
    /// Whether somebody else publishes it.
    pub fetched: bool,
    pub content: Content,
}

/// Where the bytes of a source are.
#[derive(Debug, Clone)]
pub enum Content {
    File(PathBuf),
    /// Standard input, a pipe, a member of an archive. May be compressed, as a file may.
    Bytes(Arc<[u8]>),
}

/// A source that was read.
#[derive(Debug, Clone)]
pub struct Unpacked {
    pub bytes: Vec<u8>,
    /// SHA-256 of `bytes`.
    pub sha256: [u8; 32],
}

/// Why a source cannot be read. Each message is one sentence that names the path.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    #[error("{path}: {cause}")]
    Read { path: String, cause: std::io::Error },
}

impl SourceSpec {
    /// Reads and unpacks the list.
    pub fn read(&self) -> Result<Unpacked, SourceError> {
        Ok(Unpacked {
            bytes: Vec::new(),
            sha256: [0; 32],
        })
    }

    /// Its size before unpacking, in bytes, to show progress and to begin with the largest; 0 if not known.
    pub fn size_hint(&self) -> u64 {
        0
    }

    /// What [`parse`](crate::list::parse::parse) needs to know of it.
    pub fn options(&self) -> crate::list::parse::Options {
        crate::list::parse::Options {
            format: self.format,
            file_name: self.name.clone(),
            action: self.action,
            match_scope: self.match_scope,
            rewrite: self.rewrite,
            fetched: self.fetched,
        }
    }
}

/// One SOURCE of the command line (PATH, CATEGORY=PATH or `-`). `allow`: it came with `--allow`.
pub fn expand(argument: &str, format: Option<Format>, allow: bool) -> Result<Vec<SourceSpec>, SourceError> {
    let _ = (argument, format, allow);
    Ok(Vec::new())
}

/// A path: a file, a folder, a tar. `category`: instead of the nearest folder of each file.
pub fn expand_path(
    path: &Path,
    category: Option<&str>,
    format: Option<Format>,
    allow: bool,
) -> Result<Vec<SourceSpec>, SourceError> {
    let _ = (path, category, format, allow);
    Ok(Vec::new())
}

/// A `[[list]]` entry whose bytes are at `path`: its own path, or the last good snapshot of its URL (`fetched`).
/// A path with one list gives that list the entry's name; one with several adds their names behind a slash.
pub fn expand_list(list: &ListSettings, path: &Path, fetched: bool) -> Result<Vec<SourceSpec>, SourceError> {
    let _ = (list, path, fetched);
    Ok(Vec::new())
}

/// Gives every source a name of its own: folders are put in front where names meet. The order of `specs` does not matter.
pub fn unique_names(specs: &mut [SourceSpec]) {
    let _ = specs;
}
