//! The folder of versions: one file each, and an index that says what was changed, when and by whom.
//!
//! In: a folder that may not be there. Out: the versions in it; a new one.
//! Always: a version is its file. An index line that is torn or missing costs the words about a version, never the version;
//! a line without its file counts for nothing.
//! Fails: with the error of the file system; what was kept before is still there.

use super::files;
use crate::limits::{HOUSEHOLD_EDIT_BYTES, HOUSEHOLD_VERSIONS};
use crate::list::publish::replace_like;
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;
use std::fs::{self, DirBuilder};
use std::io;
use std::path::{Path, PathBuf};

/// Who changed the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum By {
    #[serde(rename = "command")]
    Command,
    #[serde(rename = "by hand")]
    Hand,
    #[serde(rename = "undo")]
    Undo,
    /// The index does not say.
    #[serde(rename = "unknown")]
    Unknown,
}

/// One version; as JSON a line of the index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// From 1, ever growing.
    pub version: u32,
    #[serde(serialize_with = "as_text", deserialize_with = "from_text")]
    pub at: Timestamp,
    pub by: By,
    /// What was changed: one sentence.
    pub what: String,
    /// The version whose text this is, if somebody went back to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub back_to: Option<u32>,
}

fn as_text<S: Serializer>(at: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(at)
}

fn from_text<'de, D: Deserializer<'de>>(from: D) -> Result<Timestamp, D::Error> {
    let text = String::deserialize(from)?;
    text.parse().map_err(serde::de::Error::custom)
}

pub(super) struct History {
    folder: PathBuf,
    /// Ascending.
    pub versions: Vec<Version>,
    files: BTreeMap<u32, PathBuf>,
}

const INDEX: &str = "index.jsonl";

impl History {
    pub fn open(folder: &Path) -> io::Result<History> {
        let mut history = History {
            folder: folder.to_owned(),
            versions: Vec::new(),
            files: BTreeMap::new(),
        };
        let entries = match fs::read_dir(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(history),
            entries => entries?,
        };
        let index = match files::read(&folder.join(INDEX), HOUSEHOLD_EDIT_BYTES) {
            Ok(bytes) => bytes.unwrap_or_default(),
            Err(_) => Vec::new(),
        };
        let lines = index.split(|byte| *byte == b'\n');
        let lines = lines.filter_map(|line| serde_json::from_slice::<Version>(line).ok());
        let mut told: BTreeMap<u32, Version> = lines.map(|version| (version.version, version)).collect();
        for entry in entries {
            let path = entry?.path();
            if let Some((number, at)) = stamp(&path) {
                let untold = || Version {
                    version: number,
                    at,
                    by: By::Unknown,
                    what: "nothing is known about this change".to_owned(),
                    back_to: None,
                };
                history.versions.push(told.remove(&number).unwrap_or_else(untold));
                history.files.insert(number, path);
            }
        }
        // An index that points ahead would lead in circles.
        for version in &mut history.versions {
            version.back_to = version.back_to.filter(|back| *back < version.version);
        }
        history.versions.sort_by_key(|version| version.version);
        history.versions.dedup_by_key(|version| version.version);
        Ok(history)
    }

    pub fn text(&self, version: &Version) -> io::Result<String> {
        let path = self.files.get(&version.version);
        let path = path.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        fs::read_to_string(path)
    }

    /// Keeps one more, and drops the oldest past [`HOUSEHOLD_VERSIONS`]. Its number.
    pub fn add(&mut self, text: &str, by: By, what: &str, back_to: Option<u32>, now: Timestamp) -> io::Result<u32> {
        make_private(&self.folder)?;
        // The name of the file has whole seconds too.
        let now = Timestamp::from_second(now.as_second()).unwrap_or(now);
        let number = self.versions.last().map_or(1, |last| last.version.saturating_add(1));
        let name = format!("{number:05}-{}.toml", now.strftime("%Y%m%dT%H%M%SZ"));
        let path = self.folder.join(name);
        replace_like(&path, text.as_bytes())?;
        self.files.insert(number, path);
        self.versions.push(Version {
            version: number,
            at: now,
            by,
            what: what.to_owned(),
            back_to,
        });
        let over = self.versions.len().saturating_sub(HOUSEHOLD_VERSIONS);
        let dropped: Vec<Version> = self.versions.drain(..over).collect();
        let mut index = Vec::new();
        for version in &self.versions {
            serde_json::to_writer(&mut index, version)?;
            index.push(b'\n');
        }
        replace_like(&self.folder.join(INDEX), &index)?;
        for version in dropped {
            if let Some(path) = self.files.remove(&version.version) {
                fs::remove_file(path)?;
            }
        }
        Ok(number)
    }

    /// What goes when `target` comes back: the changes after it, up to the present one.
    pub fn taken_back(&self, target: &Version) -> String {
        let after = self.versions.iter().find(|version| version.version > target.version);
        match after {
            Some(after) => format!("taken back: {}", after.what),
            None => format!("back at version {}: {}", target.version, target.what),
        }
    }
}

/// Number and time of the name of a version's file.
fn stamp(path: &Path) -> Option<(u32, Timestamp)> {
    let name = path.file_name()?.to_str()?.strip_suffix(".toml")?;
    let (number, time) = name.split_once('-')?;
    let time = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", time).ok()?;
    let at = jiff::tz::TimeZone::UTC.to_timestamp(time).ok()?;
    Some((number.parse().ok().filter(|number| *number > 0)?, at))
}

/// Only whoever may edit the household reads its past.
fn make_private(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}
