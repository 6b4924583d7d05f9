//! Tells whether files have changed without reading them.
//!
//! In: a path. Out: a [`Stamp`], equal for as long as nothing there was written, replaced, added or removed.
//! Always: a folder is looked through with all below it, a symbolic link counts as what it points to, and links that go
//! round in circles end. A path that is not there has a stamp too, and it changes when something comes.

use sha2::{Digest as _, Sha256};
use std::collections::BTreeSet;
use std::fs::{self, Metadata};
use std::path::Path;
use std::time::UNIX_EPOCH;

/// How a path looked at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Stamp([u8; 32]);

impl Stamp {
    /// Looks at `path`.
    pub fn of(path: &Path) -> Stamp {
        let mut digest = Sha256::new();
        look(path, &mut digest, &mut BTreeSet::new());
        Stamp(digest.finalize().into())
    }

    /// A stamp of something that is no path, such as the digest of what a path holds.
    pub fn of_bytes(bytes: &[u8]) -> Stamp {
        Stamp(Sha256::digest(bytes).into())
    }

    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

fn look(path: &Path, digest: &mut Sha256, seen: &mut BTreeSet<(u64, u64)>) {
    // Lengths first, so that no two different trees give the same bytes.
    let name = path.as_os_str().as_encoded_bytes();
    digest.update((name.len() as u64).to_le_bytes());
    digest.update(name);
    let Ok(metadata) = fs::metadata(path) else {
        digest.update([0]);
        return;
    };
    if !metadata.is_dir() {
        digest.update([1]);
        digest.update(times_and_size(&metadata));
        return;
    }
    if !seen.insert(identity(&metadata)) {
        digest.update([2]);
        return;
    }
    let mut entries: Vec<_> = fs::read_dir(path)
        .map(|entries| entries.flatten().map(|entry| entry.path()).collect())
        .unwrap_or_default();
    entries.sort();
    digest.update([3]);
    digest.update((entries.len() as u64).to_le_bytes());
    for entry in entries {
        look(&entry, digest, seen);
    }
}

#[cfg(unix)]
fn identity(metadata: &Metadata) -> (u64, u64) {
    use std::os::unix::fs::MetadataExt as _;
    (metadata.dev(), metadata.ino())
}

/// The change time (`ctime`) moves with every write and rename, and no program can set it back.
#[cfg(unix)]
fn times_and_size(metadata: &Metadata) -> Vec<u8> {
    use std::os::unix::fs::MetadataExt as _;
    let numbers = [
        metadata.dev(),
        metadata.ino(),
        metadata.len(),
        metadata.ctime() as u64,
        metadata.ctime_nsec() as u64,
        modified_ns(metadata),
    ];
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

#[cfg(not(unix))]
fn identity(_: &Metadata) -> (u64, u64) {
    use std::sync::atomic::{AtomicU64, Ordering};
    // Without inode numbers every folder is its own; the operating system bounds the length of a path instead.
    static NEXT: AtomicU64 = AtomicU64::new(0);
    (0, NEXT.fetch_add(1, Ordering::Relaxed))
}

#[cfg(not(unix))]
fn times_and_size(metadata: &Metadata) -> Vec<u8> {
    [metadata.len(), modified_ns(metadata)]
        .iter()
        .flat_map(|number| number.to_le_bytes())
        .collect()
}

fn modified_ns(metadata: &Metadata) -> u64 {
    let since = metadata
        .modified()
        .ok()
        .and_then(|modified| modified.duration_since(UNIX_EPOCH).ok());
    since.map_or(0, |since| since.as_nanos() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_changes_with_the_file_and_only_then() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("list");
        let absent = Stamp::of(&file);
        fs::write(&file, "a.example\n").expect("a writable folder");
        let first = Stamp::of(&file);
        assert_ne!(absent, first);
        assert_eq!(first, Stamp::of(&file));
        fs::write(&file, "ab.example\n").expect("a writable folder");
        assert_ne!(first, Stamp::of(&file));
    }

    #[test]
    fn a_file_replaced_by_rename_with_one_of_the_same_size_and_date_is_seen() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (file, fresh) = (folder.path().join("list"), folder.path().join("fresh"));
        fs::write(&file, "a.example\n").expect("a writable folder");
        let before = Stamp::of(&file);
        let date = fs::metadata(&file)
            .and_then(|metadata| metadata.modified())
            .expect("a date");
        fs::write(&fresh, "b.example\n").expect("a writable folder");
        fs::File::options()
            .write(true)
            .open(&fresh)
            .and_then(|file| file.set_modified(date))
            .expect("a writable file");
        fs::rename(&fresh, &file).expect("a writable folder");
        assert_ne!(before, Stamp::of(&file));
    }

    #[test]
    fn a_folder_changes_when_anything_below_it_does() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::create_dir_all(folder.path().join("adult/deep")).expect("a writable folder");
        let empty = Stamp::of(folder.path());
        fs::write(folder.path().join("adult/deep/domains"), "a.example\n").expect("a writable folder");
        assert_ne!(empty, Stamp::of(folder.path()));
    }

    #[cfg(unix)]
    #[test]
    fn links_in_a_circle_end() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::os::unix::fs::symlink(folder.path(), folder.path().join("again")).expect("a writable folder");
        assert_eq!(Stamp::of(folder.path()), Stamp::of(folder.path()));
    }
}
