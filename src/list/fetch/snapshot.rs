//! The last good version of a list that was fetched: `state_dir/lists/NAME/DIGEST/FILE`, described by `metadata.json`
//! beside the digest folders.
//!
//! The description is renamed into place after the file it names, so a crash leaves the old version or the new one.

use super::FetchError;
use crate::clock;
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, UNIX_EPOCH};

/// What is known of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metadata {
    pub url: String,
    /// Where the file stands, relative to the list's folder.
    pub file: String,
    /// Of the file, lower-case hexadecimal.
    pub sha256: String,
    pub bytes: u64,
    /// Validators for the next conditional request, as the server wrote them.
    pub etag: Option<String>,
    pub last_modified: Option<String>,
    /// When this version arrived.
    pub fetched_unix_ms: u64,
    /// When the server last said that it is current.
    pub checked_unix_ms: u64,
    pub rules: u64,
}

/// A version of a list on disk.
#[derive(Debug, Clone)]
pub struct Snapshot {
    pub path: PathBuf,
    pub metadata: Metadata,
}

/// The snapshots of one list.
#[derive(Debug, Clone)]
pub struct Store {
    folder: PathBuf,
}

/// A version on its way in; removed when dropped before it was kept.
pub(super) struct Incoming {
    path: PathBuf,
    pub(super) file: File,
}

impl Incoming {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn failed(&self, source: std::io::Error) -> FetchError {
        FetchError::Store {
            path: self.path.clone(),
            source,
        }
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        // After `keep` the file has moved on and there is nothing left here.
        let _ = fs::remove_file(&self.path);
        if let Some(folder) = self.path.parent() {
            let _ = fs::remove_dir(folder);
        }
    }
}

impl Store {
    /// The snapshots of the list called `name`. Nothing is created before something is kept.
    pub fn new(state_dir: &Path, name: &str) -> Store {
        Store {
            folder: state_dir.join("lists").join(file_name(name)),
        }
    }

    /// The file that changes whenever a new version is kept.
    pub fn metadata_path(&self) -> PathBuf {
        self.folder.join("metadata.json")
    }

    /// The last good version of what `url` holds; `None` when it was never fetched, or the snapshot is of another address
    /// or damaged.
    pub fn last_good(&self, url: &str) -> Option<Snapshot> {
        let metadata: Metadata = serde_json::from_slice(&fs::read(self.metadata_path()).ok()?).ok()?;
        let path = self.folder.join(&metadata.file);
        let bytes = fs::metadata(&path).ok()?.len();
        (metadata.url == url && metadata.bytes == bytes).then_some(Snapshot { path, metadata })
    }

    /// A place for the next version. The file has the name it has at its publisher, since names tell formats apart.
    pub(super) fn incoming(&self, url: &str) -> Result<Incoming, FetchError> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let unique = format!(
            "incoming-{}-{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        let folder = self.folder.join(unique);
        fs::create_dir_all(&folder).map_err(|source| FetchError::Store {
            path: folder.clone(),
            source,
        })?;
        let path = folder.join(name_at_publisher(url));
        match File::create(&path) {
            Ok(file) => Ok(Incoming { path, file }),
            Err(source) => Err(FetchError::Store { path, source }),
        }
    }

    /// Makes `incoming` the last good version.
    pub(super) fn keep(&self, incoming: Incoming, mut metadata: Metadata) -> Result<Snapshot, FetchError> {
        let digest = metadata.sha256.get(..16).unwrap_or(&metadata.sha256).to_owned();
        let name = incoming
            .path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default();
        metadata.file = format!("{digest}/{name}");
        let path = self.folder.join(&metadata.file);
        let keep = || {
            incoming.file.sync_all()?;
            fs::create_dir_all(self.folder.join(&digest))?;
            fs::rename(&incoming.path, &path)?;
            self.write_metadata(&metadata)
        };
        keep().map_err(|source| FetchError::Store {
            path: path.clone(),
            source,
        })?;
        self.remove_all_but(&digest);
        Ok(Snapshot { path, metadata })
    }

    /// Notes that `snapshot` is still current.
    pub(super) fn touch(&self, snapshot: &Snapshot, metadata: Metadata) -> Result<Snapshot, FetchError> {
        self.write_metadata(&metadata).map_err(|source| FetchError::Store {
            path: self.metadata_path(),
            source,
        })?;
        Ok(Snapshot {
            path: snapshot.path.clone(),
            metadata,
        })
    }

    fn write_metadata(&self, metadata: &Metadata) -> std::io::Result<()> {
        let text = serde_json::to_vec_pretty(metadata)?;
        let fresh = self.folder.join(format!("metadata.json.{}", std::process::id()));
        let write = || {
            let mut file = File::create(&fresh)?;
            file.write_all(&text)?;
            file.sync_all()?;
            fs::rename(&fresh, self.metadata_path())
        };
        write().inspect_err(|_| {
            let _ = fs::remove_file(&fresh);
        })
    }

    /// Tidies up older versions and what a crash left behind; another fetch of this moment is left alone.
    fn remove_all_but(&self, digest: &str) {
        let Ok(entries) = fs::read_dir(&self.folder) else {
            return;
        };
        let now = UNIX_EPOCH + Duration::from_millis(clock::now().unix_ms);
        for entry in entries.flatten() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let fresh = entry
                .metadata()
                .and_then(|metadata| metadata.modified())
                .is_ok_and(|modified| {
                    now.duration_since(modified)
                        .is_ok_and(|age| age < crate::limits::FETCH_TIME * 2)
                });
            let passing = name.starts_with("incoming-") || name.starts_with("metadata.json.");
            let in_use = name == digest || name == "metadata.json" || (passing && fresh);
            if !in_use {
                let _ = if entry.path().is_dir() {
                    fs::remove_dir_all(entry.path())
                } else {
                    fs::remove_file(entry.path())
                };
            }
        }
    }
}

/// A list's name as the name of a folder: what a file system could take amiss is written as `%` and hexadecimal.
fn file_name(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for (at, byte) in name.bytes().enumerate() {
        let plain = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_') || (byte == b'.' && at > 0);
        if plain {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02x}");
        }
    }
    out
}

/// The last segment of the URL's path, made harmless; `list` when there is none.
fn name_at_publisher(url: &str) -> String {
    let without_query = url.split(['?', '#']).next().unwrap_or_default();
    let path = without_query
        .split_once("://")
        .and_then(|(_, rest)| rest.split_once('/'))
        .map_or("", |(_, path)| path);
    let last = path.rsplit('/').next().unwrap_or_default();
    let last = file_name(last);
    if last.is_empty() {
        return "list".into();
    }
    // A file system takes 255 bytes; the suffix at the end matters most.
    let start = last.len().saturating_sub(120);
    last[start..].trim_start_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lists_name_never_leaves_its_folder() {
        assert_eq!(file_name("../../etc"), "%2e.%2f..%2fetc");
        assert_eq!(file_name("ut1-adult.v2"), "ut1-adult.v2");
        assert!(
            !Store::new(Path::new("/state"), "..")
                .metadata_path()
                .to_string_lossy()
                .contains("/../")
        );
    }

    #[test]
    fn the_publishers_file_name_is_kept_for_its_suffix() {
        assert_eq!(
            name_at_publisher("https://lists.example/a/adult.tar.gz?x=1"),
            "adult.tar.gz"
        );
        assert_eq!(name_at_publisher("https://lists.example"), "list");
        assert_eq!(name_at_publisher("https://lists.example/"), "list");
        assert_eq!(
            name_at_publisher(&format!("https://lists.example/{}.rpz", "a".repeat(400))).len(),
            120
        );
    }

    fn metadata(sha256: &str) -> Metadata {
        Metadata {
            url: "https://lists.example/a".into(),
            file: String::new(),
            sha256: sha256.into(),
            bytes: 3,
            etag: None,
            last_modified: None,
            fetched_unix_ms: 1,
            checked_unix_ms: 1,
            rules: 1,
        }
    }

    fn keep(store: &Store, sha256: &str) -> Snapshot {
        let mut incoming = store.incoming("https://lists.example/a").expect("a writable folder");
        incoming.file.write_all(b"x.y").expect("a writable file");
        store.keep(incoming, metadata(sha256)).expect("a writable folder")
    }

    #[test]
    fn a_new_version_replaces_the_old_one_and_leaves_nothing_else_behind() {
        let state = tempfile::tempdir().expect("a temporary folder");
        let store = Store::new(state.path(), "adult");
        assert!(store.last_good("https://lists.example/a").is_none());
        keep(&store, "0123456789abcdef0123");
        let second = keep(&store, "fedcba98765432100123");
        assert_eq!(
            store.last_good("https://lists.example/a").map(|good| good.path),
            Some(second.path)
        );
        let mut left: Vec<_> = fs::read_dir(state.path().join("lists/adult"))
            .expect("the list's folder")
            .map(|entry| {
                entry
                    .expect("an entry")
                    .file_name()
                    .into_string()
                    .expect("a plain name")
            })
            .collect();
        left.sort();
        assert_eq!(left, ["fedcba9876543210", "metadata.json"]);
    }

    #[test]
    fn a_snapshot_of_another_address_is_not_this_list() {
        let state = tempfile::tempdir().expect("a temporary folder");
        let store = Store::new(state.path(), "adult");
        keep(&store, "0123456789abcdef0123");
        assert!(store.last_good("https://lists.example/b").is_none());
    }

    #[test]
    fn a_torn_snapshot_counts_as_none() {
        let state = tempfile::tempdir().expect("a temporary folder");
        let store = Store::new(state.path(), "adult");
        let good = keep(&store, "0123456789abcdef0123");
        fs::write(&good.path, b"x").expect("a writable file");
        assert!(store.last_good("https://lists.example/a").is_none());
        fs::write(store.metadata_path(), b"{").expect("a writable file");
        assert!(store.last_good("https://lists.example/a").is_none());
    }

    #[test]
    fn an_abandoned_download_leaves_no_file() {
        let state = tempfile::tempdir().expect("a temporary folder");
        let store = Store::new(state.path(), "adult");
        drop(store.incoming("https://lists.example/a").expect("a writable folder"));
        assert_eq!(
            fs::read_dir(state.path().join("lists/adult"))
                .expect("the list's folder")
                .count(),
            0
        );
    }
}
