//! Opens a gate file for a command that looks at it once, and remembers that it passed.
//!
//! In: a gate file, a state directory. Out: the gate, held in memory.
//! Always: the digest and all tables are checked; the rest, which takes most of the time, unless bytes with this digest are
//! known to have passed. Nothing but a note is written, and only into a state directory that is there.
//! Fails: a note that cannot be written costs the next command the time of the check.

use crate::list::format::hex;
use crate::list::publish::PublishError;
use crate::list::set::Gate;
use crate::list::verify::{CHECKS, Unverified};
use std::fs;
use std::path::{Path, PathBuf};

/// What a state directory knows about gates that were checked: `verified/DIGEST`, written by the
/// [store](crate::list::publish::Store) of the copies or here.
pub struct Known {
    verified: PathBuf,
}

impl Known {
    /// What the state directory knows; nothing, where there is none.
    pub fn of(state_dir: &Path) -> Known {
        Known {
            verified: state_dir.join("verified"),
        }
    }

    /// Reads a gate file. `note`: that it passed is noted for the next time.
    pub fn read(&self, path: &Path, note: bool) -> Result<Gate, PublishError> {
        let bytes = fs::read(path).map_err(|cause| PublishError::File {
            path: path.to_owned(),
            cause,
        })?;
        let mut known = false;
        let verified = Unverified::new(bytes).verify_unless(|digest| {
            known = self.passed(digest);
            known
        });
        let gate = verified
            .map_err(|cause| PublishError::Unverified {
                path: path.to_owned(),
                cause,
            })?
            .into_gate();
        if note && !known {
            self.note(gate.digest());
        }
        Ok(gate)
    }

    /// Whether bytes with this digest have passed the checks as they are now.
    fn passed(&self, digest: [u8; 32]) -> bool {
        let stamp = fs::read_to_string(self.verified.join(hex(&digest))).unwrap_or_default();
        stamp.split_whitespace().take(2).eq(["checks", &CHECKS.to_string()])
    }

    /// A note without the marks of a copy: the store, if it comes by, makes its own.
    fn note(&self, digest: [u8; 32]) {
        // The folder, but not the state directory itself: where no state is kept, nothing is left behind.
        let _ = fs::create_dir(&self.verified);
        let _ = fs::write(self.verified.join(hex(&digest)), format!("checks {CHECKS}\n"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::list::publish::Store;

    #[test]
    fn a_gate_looked_at_again_is_not_checked_again_but_its_digest_is() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("lists.gate");
        let mut bytes = Gate::from_lists(&[("a", "x", "0.0.0.0 bad.example\n")])
            .bytes()
            .to_vec();
        fs::write(&path, &bytes).expect("a writable folder");
        let state = folder.path().join("var");
        let known = Known::of(&state);
        let digest = known.read(&path, true).expect("a good gate").digest();
        assert!(!state.exists(), "where no state is kept, none is made");
        fs::create_dir(&state).expect("a writable folder");
        known.read(&path, false).expect("a good gate");
        assert!(!known.passed(digest), "nobody asked for a note");
        known.read(&path, true).expect("a good gate");
        assert!(known.passed(digest));
        let at = bytes.len() - 1;
        bytes[at] ^= 1;
        fs::write(&path, &bytes).expect("a writable folder");
        assert!(matches!(known.read(&path, true), Err(PublishError::Unverified { .. })));
        let stamp = known.verified.join(hex(&digest));
        fs::write(&stamp, format!("checks {}\n", CHECKS - 1)).expect("a writable folder");
        assert!(!known.passed(digest), "older checks do not count");
    }

    #[test]
    fn a_note_is_no_copy_to_serve_from_and_a_served_copy_is_known() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("lists.gate");
        fs::write(&path, Gate::from_lists(&[("a", "x", "0.0.0.0 bad.example\n")]).bytes()).expect("a writable folder");
        let known = Known::of(folder.path());
        let digest = known.read(&path, true).expect("a good gate").digest();
        let copy = folder.path().join("gates").join(hex(&digest) + ".gate");
        assert!(!copy.exists());
        let store = Store::new(folder.path()).expect("a writable folder");
        assert_eq!(store.open(&path).expect("a good gate").digest(), digest);
        assert!(copy.exists() && known.passed(digest));
    }
}
