//! Puts verified gates where they are served from: the operator's file, and the private copies in the state directory.
//!
//! In: [`Verified`] gates. Out: files that appear whole or not at all, and gates mapped from private copies.
//! Always: a published file is never edited; a newer one takes its place by rename. Only private copies are mapped, so that
//! whoever overwrites the published file in place hurts nobody.
//! Shape of the state directory: `gates/DIGEST.gate` and its `gates/DIGEST.index`, read-only, and `verified/DIGEST` and
//! `verified/DIGEST.index`, which say that the copy was checked and the index was made whole.

use crate::list::format::{self, FormatError, HEADER_BYTES, Header};
use crate::list::index;
use crate::list::set::{Bytes, Gate};
use crate::list::verify::{CHECKS, Unverified, Verified};
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// Why a gate cannot be published or opened. Each message is a sentence that names the file.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    #[error("{}: {}", path.display(), sentence(cause))]
    File { path: PathBuf, cause: io::Error },
    #[error("{} {cause}", path.display())]
    Unverified { path: PathBuf, cause: FormatError },
}

fn sentence(cause: &io::Error) -> String {
    match cause.kind() {
        io::ErrorKind::NotFound => {
            "there is no such file or folder; `stairgate compile --output FILE` makes a gate file".to_owned()
        }
        io::ErrorKind::PermissionDenied => "permission denied; check its permissions and its folders'".to_owned(),
        _ => cause.to_string(),
    }
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> PublishError + '_ {
    |cause| PublishError::File {
        path: path.to_owned(),
        cause,
    }
}

/// The companion of a gate file: `lists.gate` has `lists.gate.lines`.
pub fn lines_path(gate: &Path) -> PathBuf {
    let mut name = gate.as_os_str().to_owned();
    name.push(".lines");
    PathBuf::from(name)
}

/// Publishes a gate and its companion at `path`. The companion comes first, so that whoever sees the gate finds it.
pub fn publish(path: &Path, gate: &Verified, lines: &[u8]) -> Result<(), PublishError> {
    let companion = lines_path(path);
    replace(&companion, lines, false).map_err(at(&companion))?;
    replace(path, gate.gate().bytes(), false).map_err(at(path))
}

/// Reads and verifies a gate file, and holds it in memory. For commands that look at a file once.
pub fn read(path: &Path) -> Result<Verified, PublishError> {
    let bytes = fs::read(path).map_err(at(path))?;
    Unverified::new(bytes)
        .verify()
        .map_err(|cause| PublishError::Unverified {
            path: path.to_owned(),
            cause,
        })
}

/// The private copies of one state directory.
pub struct Store {
    gates: PathBuf,
    verified: PathBuf,
}

impl Store {
    /// `state_dir` is made if it is not there.
    pub fn new(state_dir: &Path) -> Result<Store, PublishError> {
        let store = Store {
            gates: state_dir.join("gates"),
            verified: state_dir.join("verified"),
        };
        for folder in [&store.gates, &store.verified] {
            fs::create_dir_all(folder).map_err(at(folder))?;
        }
        Ok(store)
    }

    /// Opens a gate file. If the digest it claims is that of a copy checked before, that copy is mapped, which takes
    /// milliseconds; otherwise the file is read, checked whole and copied.
    pub fn open(&self, path: &Path) -> Result<Gate, PublishError> {
        if let Some(gate) = self.known(path).map_err(at(path))? {
            return Ok(gate);
        }
        self.adopt(&read(path)?)
    }

    /// Copies a gate into the store and maps the copy.
    pub fn adopt(&self, gate: &Verified) -> Result<Gate, PublishError> {
        let digest = gate.gate().digest();
        if let Some(gate) = self.copy(digest) {
            return Ok(gate);
        }
        let path = self.path(digest);
        replace(&path, gate.gate().bytes(), true).map_err(at(&path))?;
        let stamp = self.verified.join(format::hex(&digest));
        let identity = File::open(&path).and_then(|file| identity(&file)).map_err(at(&path))?;
        replace(&stamp, identity.as_bytes(), false).map_err(at(&stamp))?;
        self.copy(digest).ok_or_else(|| PublishError::File {
            path,
            cause: io::Error::other(
                "the copy changed as it was made; is another stairgate using this state directory?",
            ),
        })
    }

    /// Removes every copy but these. Gates mapped from a removed one live on until they are dropped.
    pub fn keep_only(&self, digests: &[[u8; 32]]) -> Result<(), PublishError> {
        let kept: Vec<String> = digests.iter().map(|digest| format::hex(digest)).collect();
        for folder in [&self.gates, &self.verified] {
            for entry in fs::read_dir(folder).map_err(at(folder))? {
                let path = entry.map_err(at(folder))?.path();
                let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
                if !kept.iter().any(|kept| kept == name) {
                    fs::remove_file(&path).map_err(at(&path))?;
                }
            }
        }
        Ok(())
    }

    fn path(&self, digest: [u8; 32]) -> PathBuf {
        self.gates.join(format::hex(&digest) + ".gate")
    }

    /// The checked copy of the file at `path`, going by the digest in its header and its length.
    fn known(&self, path: &Path) -> io::Result<Option<Gate>> {
        let mut file = File::open(path)?;
        let mut head = [0; HEADER_BYTES];
        match file.read_exact(&mut head) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(error),
        }
        let Some(claim) = Header::claim(&head) else {
            return Ok(None);
        };
        if file.metadata()?.len() != claim.length {
            return Ok(None);
        }
        Ok(self.copy(claim.digest))
    }

    /// A copy that was checked and is still the same file. Whatever is wrong with it, the way out is to check again.
    fn copy(&self, digest: [u8; 32]) -> Option<Gate> {
        let stamp = fs::read_to_string(self.verified.join(format::hex(&digest))).ok()?;
        let file = File::open(self.path(digest)).ok()?;
        if identity(&file).ok()? != stamp {
            return None;
        }
        let gate = Gate::read(Bytes::map(&file).ok()?).ok()?;
        (gate.digest() == digest).then(|| self.with_index(gate))
    }

    /// The gate with its index, which is made if it is not there. Where that cannot be done look-ups are slower, no more.
    fn with_index(&self, gate: Gate) -> Gate {
        let name = format::hex(&gate.digest()) + ".index";
        let (path, stamp) = (self.gates.join(&name), self.verified.join(&name));
        let known = || -> io::Result<Bytes> {
            let file = File::open(&path)?;
            if identity(&file)? != fs::read_to_string(&stamp)? {
                return Err(io::Error::other("not the file that was made"));
            }
            Bytes::map(&file)
        };
        let made = || -> io::Result<Bytes> {
            replace_with(&path, Access::ReadOnly, |file| {
                let mut file = BufWriter::with_capacity(1 << 20, file);
                index::write(&gate, &mut file)?;
                file.flush()
            })?;
            replace(&stamp, identity(&File::open(&path)?)?.as_bytes(), false)?;
            known()
        };
        match known().or_else(|_| made()) {
            Ok(index) => gate.with_index(index),
            Err(cause) => {
                tracing::warn!(
                    "{}: {cause}; names are looked up without an index, which takes longer",
                    path.display()
                );
                gate
            }
        }
    }
}

/// What tells a file from one that was put or changed in its place, and which checks it passed.
fn identity(file: &File) -> io::Result<String> {
    let metadata = file.metadata()?;
    let modified = metadata
        .modified()?
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    #[cfg(unix)]
    let inode = std::os::unix::fs::MetadataExt::ino(&metadata);
    #[cfg(not(unix))]
    let inode = 0;
    Ok(format!(
        "checks {CHECKS} bytes {} modified {} inode {inode}\n",
        metadata.len(),
        modified.as_nanos()
    ))
}

/// Writes a file that is whole under its name from the first moment, also after a power cut.
pub fn replace(path: &Path, bytes: &[u8], read_only: bool) -> io::Result<()> {
    let access = if read_only { Access::ReadOnly } else { Access::Default };
    replace_with(path, access, |file| file.write_all(bytes))
}

/// The same for a file that is somebody's own: who may read and write it stays.
pub fn replace_like(path: &Path, bytes: &[u8]) -> io::Result<()> {
    replace_with(path, Access::AsBefore, |file| file.write_all(bytes))
}

/// Who may read and write a file that takes the place of another.
enum Access {
    Default,
    ReadOnly,
    AsBefore,
}

fn replace_with(path: &Path, access: Access, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let name = path
        .file_name()
        .ok_or_else(|| io::Error::from(io::ErrorKind::InvalidFilename))?;
    let mut temporary = std::ffi::OsString::from(".");
    temporary.push(name);
    temporary.push(format!(
        ".{}-{}.new",
        std::process::id(),
        NUMBER.fetch_add(1, Ordering::Relaxed)
    ));
    let temporary = folder.join(temporary);
    let written = (|| {
        let mut file = OpenOptions::new().write(true).create_new(true).open(&temporary)?;
        // Before anything stands in it that not everybody may read.
        if let (Access::AsBefore, Ok(before)) = (&access, fs::metadata(path)) {
            file.set_permissions(before.permissions())?;
        }
        write(&mut file)?;
        if matches!(access, Access::ReadOnly) {
            let mut permissions = file.metadata()?.permissions();
            permissions.set_readonly(true);
            file.set_permissions(permissions)?;
        }
        file.sync_all()?;
        fs::rename(&temporary, path)?;
        // The rename itself lasts only once the folder is written.
        File::open(folder)?.sync_all()
    })();
    if written.is_err() {
        // Nobody needs half a file; if it cannot be removed, the error already being returned matters more.
        let _ = fs::remove_file(&temporary);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::list::compile::{CompileOptions, Compiled, compile_parsed};
    use crate::list::merge::tests::{list, template};
    use crate::list::rule::{Effect, Scope};

    fn compiled(name: &str) -> Compiled {
        let names = [(name, Scope::Subtree, 0)];
        let lists = vec![list("a", &[template(Effect::Block)], &names)];
        compile_parsed(lists, &CompileOptions::default()).unwrap()
    }

    fn publish_at(path: &Path, name: &str) -> [u8; 32] {
        let compiled = compiled(name);
        let verified = Unverified::new(compiled.gate).verify().unwrap();
        publish(path, &verified, &compiled.lines).unwrap();
        verified.gate().digest()
    }

    #[test]
    fn a_gate_overwritten_in_place_goes_on_being_served_from_the_copy() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lists.gate");
        let digest = publish_at(&path, "example.com");
        let store = Store::new(&folder.path().join("var")).unwrap();
        let gate = store.open(&path).unwrap();
        assert_eq!(gate.digest(), digest);
        let length = fs::metadata(&path).unwrap().len();
        fs::write(&path, vec![0xff; length as usize]).unwrap();
        let mut hits = 0;
        gate.walk(&crate::dns::key::Key::parse("www.example.com").unwrap(), |_, _| {
            hits += 1
        });
        assert_eq!(hits, 1);
        assert!(matches!(store.open(&path), Err(PublishError::Unverified { .. })));
    }

    #[test]
    fn a_copy_that_was_touched_is_checked_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lists.gate");
        let digest = publish_at(&path, "example.com");
        let store = Store::new(&folder.path().join("var")).unwrap();
        drop(store.open(&path).unwrap());
        assert!(store.copy(digest).is_some());
        let copy = store.path(digest);
        fs::remove_file(&copy).unwrap();
        fs::write(&copy, b"something else").unwrap();
        assert!(store.copy(digest).is_none());
        assert_eq!(store.open(&path).unwrap().digest(), digest);
        assert!(store.copy(digest).is_some());
    }

    #[test]
    fn an_index_is_made_beside_the_copy_and_again_when_it_is_gone_or_changed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lists.gate");
        let digest = publish_at(&path, "example.com");
        let store = Store::new(&folder.path().join("var")).unwrap();
        assert!(store.open(&path).unwrap().has_index());
        let index = store.path(digest).with_extension("index");
        let made = fs::read(&index).unwrap();
        fs::remove_file(&index).unwrap();
        assert!(store.open(&path).unwrap().has_index());
        fs::remove_file(&index).unwrap();
        fs::write(&index, &made[..made.len() - 8]).unwrap();
        let gate = store.open(&path).unwrap();
        assert!(gate.has_index());
        let mut hits = 0;
        gate.walk(&crate::dns::key::Key::parse("www.example.com").unwrap(), |_, _| {
            hits += 1
        });
        assert_eq!(hits, 1);
        store.keep_only(&[]).unwrap();
        assert!(!index.exists());
    }

    #[test]
    fn old_copies_go_and_mapped_ones_live_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lists.gate");
        let store = Store::new(folder.path()).unwrap();
        publish_at(&path, "one.example");
        let old = store.open(&path).unwrap();
        publish_at(&path, "two.example");
        let new = store.open(&path).unwrap();
        store.keep_only(&[new.digest()]).unwrap();
        assert!(store.copy(old.digest()).is_none());
        assert!(store.copy(new.digest()).is_some());
        let mut hits = 0;
        old.walk(&crate::dns::key::Key::parse("one.example").unwrap(), |_, _| hits += 1);
        assert_eq!(hits, 1);
    }

    #[test]
    fn a_truncated_file_is_not_taken_for_the_copy_of_its_digest() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lists.gate");
        publish_at(&path, "example.com");
        let store = Store::new(folder.path()).unwrap();
        store.open(&path).unwrap();
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
        let error = store.open(&path).map(drop).unwrap_err();
        assert!(error.to_string().contains("cut short"), "{error}");
        fs::write(&path, b"").unwrap();
        assert!(store.open(&path).is_err());
    }

    #[test]
    fn publishing_leaves_no_other_files_behind() {
        let folder = tempfile::tempdir().unwrap();
        publish_at(&folder.path().join("lists.gate"), "example.com");
        publish_at(&folder.path().join("lists.gate"), "example.net");
        let mut names: Vec<_> = fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        names.sort();
        assert_eq!(names, ["lists.gate", "lists.gate.lines"]);
        let nowhere = folder.path().join("none").join("lists.gate");
        let compiled = compiled("x.example");
        let verified = Unverified::new(compiled.gate).verify().unwrap();
        assert!(publish(&nowhere, &verified, &compiled.lines).is_err());
    }
}
