//! Notices at once that somebody has saved the household file, so that a change by hand does not wait for the next look at all files.
//!
//! In: the file. Out: a word each time it was written or another took its place.
//! Always: a file still open for writing is not told of; the folder is what is watched, since editors put a new file in the place of the old one.
//! Fails: where the kernel has no watch to give, nothing is told, and the looks of [`watch`](super::watch) find the change later.

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::io::{self, PipeReader, PipeWriter, pipe};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::Notify;
use tracing::debug;

/// Who notices. The thread that waits for the kernel ends with it.
pub(super) struct Notice {
    file: Option<PathBuf>,
    saved: Arc<Notify>,
    /// Closing it is what ends the thread.
    _end: Option<PipeWriter>,
}

impl Notice {
    /// Begins to watch.
    pub(super) fn of(file: Option<&Path>) -> Notice {
        let saved = Arc::new(Notify::new());
        let end = file.and_then(|file| match begin(file, Arc::clone(&saved)) {
            Ok(end) => Some(end),
            Err(error) => {
                debug!("{}: changes are noticed later ({error})", file.display());
                None
            }
        });
        Notice {
            file: file.map(Path::to_owned),
            saved,
            _end: end,
        }
    }

    /// Watches this file from now on.
    pub(super) fn follow(&mut self, file: Option<&Path>) {
        if self.file.as_deref() != file {
            *self = Notice::of(file);
        }
    }

    /// Returns when it was written; never, where nothing is watched. May be dropped and called again.
    pub(super) async fn saved(&self) {
        self.saved.notified().await;
    }
}

/// Watches on a thread of its own, which sleeps in the kernel.
fn begin(file: &Path, saved: Arc<Notify>) -> io::Result<PipeWriter> {
    // Behind a link the file itself is what is written.
    let file = file.canonicalize().unwrap_or_else(|_| file.to_owned());
    let (Some(folder), Some(name)) = (file.parent(), file.file_name()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let watch = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
    inotify::add_watch(&watch, folder, WatchFlags::CLOSE_WRITE | WatchFlags::MOVED_TO)?;
    let (ended, end) = pipe()?;
    let name = name.to_owned();
    let wait = move || {
        if let Err(error) = listen(&watch, &ended, &name, &saved) {
            debug!("changes of the household are noticed later ({error})");
        }
    };
    std::thread::Builder::new().name("household".to_owned()).spawn(wait)?;
    Ok(end)
}

/// Tells of each time, until the other end of the pipe is closed.
fn listen(watch: &OwnedFd, ended: &PipeReader, name: &OsStr, saved: &Notify) -> Result<(), Errno> {
    loop {
        let mut waiting = [PollFd::new(watch, PollFlags::IN), PollFd::new(ended, PollFlags::IN)];
        match poll(&mut waiting, None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
        let [news, end] = waiting.map(|fd| !fd.revents().is_empty());
        if end {
            return Ok(());
        }
        if news && is_about(watch, name)? {
            // One word stays for whoever comes later.
            saved.notify_one();
        }
    }
}

/// Reads what there is to read; whether some of it is about the file, or about more than was kept.
fn is_about(watch: &OwnedFd, name: &OsStr) -> Result<bool, Errno> {
    let mut buffer = [MaybeUninit::uninit(); 4096];
    let mut reader = inotify::Reader::new(watch, &mut buffer);
    let mut about = false;
    loop {
        match reader.next() {
            Ok(event) => {
                let named = event.file_name().is_some_and(|file| file.to_bytes() == name.as_bytes());
                about |= named || event.events().contains(ReadFlags::QUEUE_OVERFLOW);
            }
            Err(Errno::INTR) => {}
            Err(Errno::WOULDBLOCK) => return Ok(about),
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::time::Duration;
    use tokio::time::timeout;

    const SOON: Duration = Duration::from_secs(5);
    const WHILE: Duration = Duration::from_millis(100);

    #[tokio::test]
    async fn a_file_that_was_saved_in_any_way_is_noticed_and_its_neighbours_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("household.toml");
        let notice = Notice::of(Some(&file));
        fs::write(&file, "a = 1\n").unwrap();
        timeout(SOON, notice.saved()).await.expect("written in place");
        fs::write(folder.path().join("other.toml"), "a = 1\n").unwrap();
        assert!(timeout(WHILE, notice.saved()).await.is_err(), "a neighbour");
        fs::rename(folder.path().join("other.toml"), &file).unwrap();
        timeout(SOON, notice.saved()).await.expect("another took its place");
        let mut open = fs::OpenOptions::new().append(true).open(&file).unwrap();
        std::io::Write::write_all(&mut open, b"b = 2\n").unwrap();
        assert!(timeout(WHILE, notice.saved()).await.is_err(), "still being written");
        drop(open);
        timeout(SOON, notice.saved()).await.expect("written to its end");
    }

    #[tokio::test]
    async fn what_cannot_be_watched_is_never_told_of() {
        let notice = Notice::of(Some(Path::new("/there/is/no/such/folder/household.toml")));
        assert!(timeout(WHILE, notice.saved()).await.is_err());
        let nothing = Notice::of(None);
        assert!(timeout(WHILE, nothing.saved()).await.is_err());
    }
}
