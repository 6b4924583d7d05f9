//! The household file on disk, and its history.
//!
//! In: the path of `household.toml`, a change to make. Out: the file with the change, whole or as it was; in the folder
//! `household.history` beside it every version of the last [`HOUSEHOLD_VERSIONS`](crate::limits::HOUSEHOLD_VERSIONS), those edited by hand too.
//! Always: the file is replaced in one step, also by a power cut. Two commands at once come one after the other; whoever
//! saves the file in an editor meanwhile is not overwritten: the change is made anew on what they saved. The history is
//! never worth the file: where it cannot be written the change is made all the same, and a note says so.
//! Fails: with a [`StoreError`], one sentence that names the file; then the file is as it was.

mod files;
mod history;

#[cfg(test)]
mod tests;

pub use history::{By, Version};

use crate::limits::HOUSEHOLD_EDIT_BYTES;
use crate::list::publish::replace_like;
use history::History;
use jiff::Timestamp;
use std::io;
use std::path::{Path, PathBuf};

/// How often a change is made anew because the file was saved by somebody else meanwhile.
const ATTEMPTS: usize = 5;

/// Why the file was not read or changed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("{}: cannot be read ({cause}); check the path and who may read it", path.display())]
    Unreadable { path: PathBuf, cause: io::Error },
    #[error("{}: is not UTF-8 text; save it as UTF-8", .0.display())]
    NotText(PathBuf),
    #[error("{}: is larger than {} MiB, which commands do not change; write it with what wrote it", .0.display(), HOUSEHOLD_EDIT_BYTES >> 20)]
    TooLarge(PathBuf),
    #[error("{}: cannot be written ({cause}); it is as it was. Check its folder's permissions and free space", path.display())]
    Unwritable { path: PathBuf, cause: io::Error },
    #[error("{}: another command has been changing it for seconds; try again", .0.display())]
    Busy(PathBuf),
    #[error("{}: somebody else keeps saving it; try again when they are done", .0.display())]
    KeepsChanging(PathBuf),
    #[error("{}: there is no earlier version; `stairgate household history` lists those that are kept", .0.display())]
    NothingEarlier(PathBuf),
    #[error("{}: there is no version {version}; {}", path.display(), kept(first, last))]
    NoSuchVersion {
        path: PathBuf,
        version: u32,
        first: Option<u32>,
        last: Option<u32>,
    },
}

fn kept(first: &Option<u32>, last: &Option<u32>) -> String {
    match (first, last) {
        (Some(first), Some(last)) => format!("kept are {first} to {last}, as `stairgate household history` lists them"),
        _ => "none is kept yet".to_owned(),
    }
}

/// How a change went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Saved {
    /// The text that the file has now.
    pub text: String,
    /// Its number in the history; `None`: nothing changed, or the history could not be written.
    pub version: Option<u32>,
    /// What deserves a look: one sentence.
    pub note: Option<String>,
}

/// One household file.
#[derive(Debug, Clone)]
pub struct Store {
    file: PathBuf,
    history: PathBuf,
}

impl Store {
    /// `file` need not be there yet; its folder must be.
    pub fn new(file: &Path) -> Store {
        // Where the path is a link, the file behind it is replaced and the link stays.
        let file = file.canonicalize().unwrap_or_else(|_| file.to_owned());
        Store {
            history: file.with_extension("history"),
            file,
        }
    }

    /// The text of the file; empty if there is none.
    pub fn read(&self) -> Result<String, StoreError> {
        Ok(self.current()?.unwrap_or_default())
    }

    /// Changes the file: `change` is given its text and returns the new one and a sentence for the history, or why not.
    /// It may be called again, with a newer text.
    pub fn edit<E: From<StoreError>>(
        &self,
        now: Timestamp,
        mut change: impl FnMut(&str) -> Result<(String, String), E>,
    ) -> Result<Saved, E> {
        let lock = files::lock(&self.file, files::PATIENCE)?;
        for _ in 0..ATTEMPTS {
            let before = self.current()?;
            let mut note = self
                .catch_up(before.as_deref(), now)
                .err()
                .map(|cause| self.note(&cause));
            let text = before.as_deref().unwrap_or_default();
            let (after, what) = change(text)?;
            if after == text {
                return Ok(Saved {
                    text: after,
                    version: None,
                    note,
                });
            }
            if after.len() as u64 > HOUSEHOLD_EDIT_BYTES {
                return Err(StoreError::TooLarge(self.file.clone()).into());
            }
            if !self.swap(before.as_deref(), &after)? {
                continue;
            }
            let kept =
                History::open(&self.history).and_then(|mut history| history.add(&after, By::Command, &what, None, now));
            if let Err(cause) = &kept {
                note.get_or_insert_with(|| self.note(cause));
            }
            drop(lock);
            return Ok(Saved {
                text: after,
                version: kept.ok(),
                note,
            });
        }
        Err(StoreError::KeepsChanging(self.file.clone()).into())
    }

    /// Goes back: to the version before the present one, or to version `to`. Each further call goes one further back, and
    /// what was undone is still a version to go to. `check` may refuse a text: on the way back it is passed over, as what
    /// was broken by hand. The sentence says what was taken back.
    pub fn undo<E: From<StoreError>>(
        &self,
        now: Timestamp,
        to: Option<u32>,
        mut check: impl FnMut(&str) -> Result<(), E>,
    ) -> Result<(Saved, String), E> {
        let lock = files::lock(&self.file, files::PATIENCE)?;
        for _ in 0..ATTEMPTS {
            let before = self.current()?;
            let unkept = |cause| {
                E::from(StoreError::Unreadable {
                    path: self.history.clone(),
                    cause,
                })
            };
            self.catch_up(before.as_deref(), now).map_err(unkept)?;
            let mut history = History::open(&self.history).map_err(unkept)?;
            let targets = match to {
                Some(version) => vec![self.version(&history, version)?],
                None => self.earlier(&history, before.as_deref())?,
            };
            let (mut chosen, mut refused) = (None, None);
            for target in targets {
                let text = history.text(&target).map_err(unkept)?;
                if before.as_deref() == Some(&text) {
                    let sentence = format!("version {} is what the household is now", target.version);
                    let saved = Saved {
                        text,
                        version: None,
                        note: None,
                    };
                    return Ok((saved, sentence));
                }
                match check(&text) {
                    Ok(()) => {
                        chosen = Some((target, text));
                        break;
                    }
                    Err(error) => refused = refused.or(Some(error)),
                }
            }
            let Some((target, text)) = chosen else {
                let nothing = StoreError::NothingEarlier(self.file.clone());
                return Err(refused.unwrap_or(nothing.into()));
            };
            let sentence = match (to, before.is_some()) {
                (None, true) => history.taken_back(&target),
                _ => format!("back at version {}: {}", target.version, target.what),
            };
            if !self.swap(before.as_deref(), &text)? {
                continue;
            }
            let what = format!("went back to version {}", target.version);
            let kept = history.add(&text, By::Undo, &what, Some(target.version), now);
            drop(lock);
            let note = kept.as_ref().err().map(|cause| self.note(cause));
            let saved = Saved {
                text,
                version: kept.ok(),
                note,
            };
            return Ok((saved, sentence));
        }
        Err(StoreError::KeepsChanging(self.file.clone()).into())
    }

    /// The versions kept, the oldest first; the present one is the last, unless it was just edited by hand.
    pub fn history(&self) -> Result<Vec<Version>, StoreError> {
        let history = History::open(&self.history).map_err(|cause| StoreError::Unreadable {
            path: self.history.clone(),
            cause,
        })?;
        Ok(history.versions)
    }

    /// Keeps the present text if it was edited by hand; for the moment when the server reads it anew. Its number if so.
    pub fn notice(&self, now: Timestamp) -> Result<Option<u32>, StoreError> {
        let _lock = files::lock(&self.file, files::PATIENCE)?;
        self.catch_up(self.current()?.as_deref(), now)
            .map_err(|cause| StoreError::Unwritable {
                path: self.history.clone(),
                cause,
            })
    }

    fn current(&self) -> Result<Option<String>, StoreError> {
        let unreadable = |cause| StoreError::Unreadable {
            path: self.file.clone(),
            cause,
        };
        match files::read(&self.file, HOUSEHOLD_EDIT_BYTES) {
            Ok(Some(bytes)) if bytes.len() as u64 > HOUSEHOLD_EDIT_BYTES => {
                Err(StoreError::TooLarge(self.file.clone()))
            }
            Ok(Some(bytes)) => match String::from_utf8(bytes) {
                Ok(text) => Ok(Some(text)),
                Err(_) => Err(StoreError::NotText(self.file.clone())),
            },
            Ok(None) => Ok(None),
            Err(cause) => Err(unreadable(cause)),
        }
    }

    /// Makes a version of what was edited by hand since the last one.
    fn catch_up(&self, text: Option<&str>, now: Timestamp) -> io::Result<Option<u32>> {
        let Some(text) = text else { return Ok(None) };
        let mut history = History::open(&self.history)?;
        let known = history.versions.last().map(|last| history.text(last));
        // A last version that cannot be read is one more reason to keep this one.
        if known.is_some_and(|known| known.is_ok_and(|known| known == text)) {
            return Ok(None);
        }
        history.add(text, By::Hand, "edited by hand", None, now).map(Some)
    }

    /// Replaces the text if it is still the one that was read; `false`: it is not.
    fn swap(&self, before: Option<&str>, after: &str) -> Result<bool, StoreError> {
        if self.current()?.as_deref() != before {
            return Ok(false);
        }
        replace_like(&self.file, after.as_bytes()).map_err(|cause| StoreError::Unwritable {
            path: self.file.clone(),
            cause,
        })?;
        Ok(true)
    }

    fn note(&self, cause: &io::Error) -> String {
        format!(
            "{}: the history cannot be written ({cause}), so undo may not know this change; check its permissions and free space",
            self.history.display()
        )
    }

    fn version(&self, history: &History, version: u32) -> Result<Version, StoreError> {
        let found = history.versions.iter().find(|kept| kept.version == version);
        found.cloned().ok_or_else(|| StoreError::NoSuchVersion {
            path: self.file.clone(),
            version,
            first: history.versions.first().map(|kept| kept.version),
            last: history.versions.last().map(|kept| kept.version),
        })
    }

    /// The versions before the present one, the latest first. One made by going back counts as the one it went back to.
    fn earlier(&self, history: &History, text: Option<&str>) -> Result<Vec<Version>, StoreError> {
        let nothing = || StoreError::NothingEarlier(self.file.clone());
        let last = history.versions.last().ok_or_else(nothing)?;
        // Of a file that was deleted the last version is the earlier one.
        let Some(text) = text else {
            return Ok(history.versions.iter().rev().cloned().collect());
        };
        let mut at = last;
        while let Some(back) = at
            .back_to
            .and_then(|back| history.versions.iter().find(|kept| kept.version == back))
        {
            at = back;
        }
        let before = history.versions.iter().rev();
        let before = before.filter(|kept| kept.version < at.version);
        let other = |kept: &&Version| history.text(kept).is_ok_and(|other| other != text);
        Ok(before.filter(other).cloned().collect())
    }
}
