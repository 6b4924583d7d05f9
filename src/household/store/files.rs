//! Reads and locks the one file.
//!
//! In: a path. Out: its bytes, or the right to be the only one who changes it.
//! Always: what is read is bounded; a lock is waited for no longer than [`PATIENCE`].

use super::StoreError;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a command waits for another one: an edit takes milliseconds, a slow disk a second.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
const AGAIN: Duration = Duration::from_millis(20);

/// At most one byte more than `largest`, which tells that there is more. `None`: there is no such file.
pub(super) fn read(path: &Path, largest: u64) -> io::Result<Option<Vec<u8>>> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    let mut bytes = Vec::new();
    file.take(largest + 1).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

/// One command at a time: holds the folder of the file until dropped. It needs no file of its own, which could be left over.
#[derive(Debug)]
pub(super) struct Lock {
    _folder: File,
}

pub(super) fn lock(path: &Path, patience: Duration) -> Result<Lock, StoreError> {
    let folder = folder(path);
    let unreadable = |cause| StoreError::Unreadable {
        path: folder.clone(),
        cause,
    };
    let file = File::open(&folder).map_err(unreadable)?;
    let mut waited = Duration::ZERO;
    loop {
        match rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(Lock { _folder: file }),
            Err(rustix::io::Errno::WOULDBLOCK | rustix::io::Errno::INTR) if waited < patience => {
                std::thread::sleep(AGAIN);
                waited += AGAIN;
            }
            Err(rustix::io::Errno::WOULDBLOCK | rustix::io::Errno::INTR) => {
                return Err(StoreError::Busy(path.to_owned()));
            }
            // A file system without locks: what is read is still compared before it is replaced.
            Err(_) => return Ok(Lock { _folder: file }),
        }
    }
}

fn folder(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}
