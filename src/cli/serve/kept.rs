//! Keeps the cache over a restart, where `cache.keep` asks for it.
//!
//! In: a cache at the start and at the stop. Out: a file in `state_dir` while the server is stopped, for its user's eyes only.
//! Always: what cannot be read back is a line in the log and an empty cache; what cannot be written is a line in the log and counted.
//! While the server runs there is no such file, so that what was flushed does not come back and what cannot be read is tried once; where
//! `keep` is off one that is there from before, whole or half written, is deleted: it tells what people looked up.

use crate::cache::{Cache, saved};
use crate::clock;
use crate::config::settings::Settings;
use crate::count::Count;
use crate::resolver::validate::dates;
use crate::telemetry::counters::Counters;
use sha2::{Digest as _, Sha256};
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tracing::{info, warn};

/// See the page's first lines.
pub(super) struct Kept {
    /// `None`: nothing is kept.
    path: Option<PathBuf>,
    mark: [u8; 32],
    cache: Arc<Cache>,
    counters: Arc<Counters>,
}

impl Kept {
    /// Fills the cache with what was kept at the last stop, and deletes that.
    pub(super) fn load(settings: &Settings, cache: &Arc<Cache>, counters: &Arc<Counters>) -> Kept {
        let path = settings.state_dir.join("cache.saved");
        let kept = Kept {
            path: settings.cache.keep.then(|| path.clone()),
            mark: mark(settings),
            cache: Arc::clone(cache),
            counters: Arc::clone(counters),
        };
        let file = take(&path);
        remove(&draft(&path));
        let now = clock::now();
        // Nothing is taken back whose age nobody can tell.
        let wanted = settings.cache.keep && !dates::is_plainly_wrong(now.unix_ms, None);
        match wanted.then(|| file.and_then(|file| read(file, settings.cache.size_bytes))) {
            None => {}
            Some(Err(cause)) if cause.kind() == io::ErrorKind::NotFound => {}
            Some(Err(cause)) => {
                warn!(path = %path.display(), %cause, "the saved cache cannot be read; it starts empty")
            }
            Some(Ok(bytes)) => match saved::load(cache, &kept.mark, now, &bytes) {
                Ok(answers) => info!(answers, "the cache is as it was saved"),
                Err(cause) => warn!(path = %path.display(), %cause, "the saved cache cannot be used; it starts empty"),
            },
        }
        kept
    }

    /// Keeps what the cache holds for the next start, if that is still wanted.
    pub(super) fn save(&self, settings: &Settings) {
        let Some(path) = self.path.as_ref().filter(|_| settings.cache.keep) else {
            return;
        };
        let now = clock::now();
        if dates::is_plainly_wrong(now.unix_ms, None) {
            warn!("the clock shows a time that is past; the cache is not saved, since nobody could tell its age");
            return;
        }
        match write(path, |file| {
            saved::save(&self.cache, &self.mark, now, BufWriter::new(file))
        }) {
            Ok(answers) => info!(answers, "the cache is saved"),
            Err(cause) => {
                self.counters.add(Count::FilesNotKept.into());
                warn!(path = %path.display(), %cause, "the cache cannot be saved; the next start begins empty");
            }
        }
    }
}

/// What must be the same for answers to be as good as new: the program, and how it resolves.
fn mark(settings: &Settings) -> [u8; 32] {
    let text = format!(
        "{} {:?} {:?}",
        env!("CARGO_PKG_VERSION"),
        settings.resolver,
        settings.zones
    );
    Sha256::digest(text).into()
}

/// Opens the file and deletes it: whatever it does to who reads it, it does once.
fn take(path: &Path) -> io::Result<File> {
    let file = File::open(path);
    remove(path);
    file
}

fn remove(path: &Path) {
    match fs::remove_file(path) {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => {
            warn!(path = %path.display(), %cause, "a saved cache cannot be deleted");
        }
        _ => {}
    }
}

/// Where it is written before it is whole.
pub(super) fn draft(path: &Path) -> PathBuf {
    path.with_extension("draft")
}

/// The whole file, unless it is longer than what a cache of `bound_bytes` fills.
fn read(file: File, bound_bytes: u64) -> io::Result<Vec<u8>> {
    let length = file.metadata()?.len().min(bound_bytes);
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or(0) + 1);
    file.take(bound_bytes + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > bound_bytes {
        true => Err(io::Error::other("it is larger than cache.size")),
        false => Ok(bytes),
    }
}

/// Writes a file that only this user may read, whole or not at all.
pub(super) fn write<T>(path: &Path, fill: impl FnOnce(File) -> io::Result<T>) -> io::Result<T> {
    let draft = draft(path);
    // One that a stop left half done.
    match fs::remove_file(&draft) {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => return Err(cause),
        _ => {}
    }
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&draft)?;
    let filled = fill(file).and_then(|value| fs::rename(&draft, path).map(|()| value));
    if filled.is_err() {
        // What is half written helps nobody; the error that came first counts.
        let _ = fs::remove_file(&draft);
    }
    filled
}
