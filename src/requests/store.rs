//! The requests of a server, kept in `state_dir/requests`.
//!
//! In: a folder, then requests and decisions. Out: what is kept; the file, replaced whole at each change.
//! Always: what is answered as kept is on disk. A running server has the file to itself: commands ask it over the control socket, and open
//! the store only where none runs.
//! Fails: a file that is torn or damaged is read as far as it is whole, and said; a change that cannot be written is none.

use super::{New, NotAsked, NotMarked, Request, Requests, State};
use crate::limits::REQUESTS_BYTES;
use crate::list::publish::replace;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// See the page's first lines.
#[derive(Debug)]
pub struct Store {
    file: PathBuf,
    requests: Mutex<Requests>,
}

impl Store {
    /// What `state_dir` holds, and a sentence where that is not all there was.
    pub fn open(state_dir: &Path) -> (Store, Option<String>) {
        let file = state_dir.join("requests");
        let (requests, remark) = match read(&file) {
            Ok(text) => match Requests::from_text(&text) {
                Ok(requests) => (requests, None),
                Err(damaged) => {
                    let sentence = format!("{}: {damaged}", file.display());
                    (damaged.kept, Some(sentence))
                }
            },
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => (Requests::default(), None),
            Err(cause) => {
                let sentence = format!("{}: {cause}; requests from before are not known", file.display());
                (Requests::default(), Some(sentence))
            }
        };
        let requests = Mutex::new(requests);
        (Store { file, requests }, remark)
    }

    fn lock(&self) -> MutexGuard<'_, Requests> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All of them, in the order they came.
    pub fn list(&self) -> Vec<Request> {
        self.lock().list().to_vec()
    }

    /// Whether a request would be taken at `now_s`, Unix seconds.
    pub fn may_ask(&self, new: &New, now_s: u64) -> Result<(), NotAsked> {
        self.lock().may_ask(new, now_s)
    }

    /// Adds a request and returns its id. Waits for the disk.
    pub fn ask(&self, new: New, now_s: u64) -> Result<u64, NotAsked> {
        let mut held = self.lock();
        held.may_ask(&new, now_s)?;
        let mut next = held.clone();
        let id = next.ask(new, now_s)?;
        self.write(&next).map_err(NotAsked::NotKept)?;
        *held = next;
        Ok(id)
    }

    /// Says what became of a request, and returns it. Waits for the disk.
    pub fn mark(&self, id: u64, state: State, now_s: u64) -> Result<Request, NotMarked> {
        let mut held = self.lock();
        let mut next = held.clone();
        let marked = next.mark(id, state, now_s)?.clone();
        self.write(&next).map_err(NotMarked::NotKept)?;
        *held = next;
        Ok(marked)
    }

    fn write(&self, requests: &Requests) -> io::Result<()> {
        replace(&self.file, requests.to_text().as_bytes(), false)
    }
}

/// The file, as far as it is text and not longer than it can be.
fn read(file: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(file)?.take(REQUESTS_BYTES).read_to_end(&mut bytes)?;
    // Lines that are no text do not match their check.
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
