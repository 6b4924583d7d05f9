//! Keeps the keys of trust anchors up to date, over restarts too.
//!
//! In: the configured anchors, files of a folder, DNSKEY sets as they are seen. Out: the validator's anchors, the same files.
//! Always: what cannot be kept is in force all the same, with a line in the log; a file that cannot be read is left as it is, and the
//! configured anchors count. A file is replaced whole.
//! Keeps: RFC 5011 (its rules stand in `validate::rollover`).

use super::rrset::RRset;
use crate::dns::name::Name;
use crate::resolver::validate::rollover::Rollover;
use crate::resolver::validate::{Validator, When, Work};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// See the page's first lines.
pub(super) struct Keeper {
    /// `None`: nothing outlives the process.
    folder: Option<PathBuf>,
    rollovers: Mutex<Vec<Rollover>>,
    /// When to look next, in milliseconds since 1970; never while a look is under way.
    due_unix_ms: AtomicU64,
    sha1: bool,
}

impl Keeper {
    /// Takes up what the files in `folder` say of the anchors that `validator` was configured with.
    pub fn load(validator: &Validator, folder: Option<PathBuf>, sha1: bool, when: &When) -> Keeper {
        let mut anchors = (*validator.anchors()).clone();
        let configured: Vec<_> = anchors
            .zones()
            .map(|(zone, promises)| (zone.clone(), promises.to_vec()))
            .collect();
        let mut rollovers = Vec::new();
        for (zone, promises) in configured {
            let known = folder.as_ref().and_then(|folder| read(&file(folder, &zone), &zone));
            let rollover = match known {
                Some(mut known) => {
                    known.adopt(&promises, when);
                    anchors.replace(&zone, known.trusted());
                    known
                }
                None => Rollover::begin(&zone, &promises, when),
            };
            rollovers.push(rollover);
        }
        validator.set_anchors(anchors);
        Keeper {
            folder,
            due_unix_ms: AtomicU64::new(next(&rollovers)),
            rollovers: Mutex::new(rollovers),
            sha1,
        }
    }

    /// The zones to look at now. Whoever gets them looks, and calls [`settle`](Keeper::settle) afterwards; nobody else does
    /// meanwhile.
    pub fn due(&self, when: &When) -> Vec<Name> {
        let due_ms = self.due_unix_ms.load(Ordering::Relaxed);
        if when.suspended || when.now.unix_ms < due_ms {
            return Vec::new();
        }
        let claimed = self
            .due_unix_ms
            .compare_exchange(due_ms, u64::MAX, Ordering::Relaxed, Ordering::Relaxed);
        if claimed.is_err() {
            return Vec::new();
        }
        let rollovers = self.rollovers.lock().unwrap_or_else(PoisonError::into_inner);
        let due = rollovers.iter().filter(|rollover| rollover.is_due(when));
        due.map(|rollover| rollover.zone.clone()).collect()
    }

    /// The looks are over.
    pub fn settle(&self) {
        let rollovers = self.rollovers.lock().unwrap_or_else(PoisonError::into_inner);
        self.due_unix_ms.store(next(&rollovers), Ordering::Relaxed);
    }

    /// Takes in what was seen of a zone's DNSKEY set; `None` if nobody gave it.
    pub fn take_in(&self, zone: &Name, seen: Option<&RRset>, validator: &Validator, when: &When) {
        let mut rollovers = self.rollovers.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(rollover) = rollovers.iter_mut().find(|rollover| rollover.zone == *zone) else {
            return;
        };
        let before = rollover.trusted();
        let mut changes = Vec::new();
        match seen {
            None => rollover.failed(when),
            Some(set) => {
                let observed = rollover.observe(set, self.sha1, when, &mut Work::new(), &mut changes);
                if let Err(fault) = observed {
                    tracing::warn!(%zone, ?fault, "the keys of a trust anchor cannot be believed; those trusted before stay");
                }
            }
        }
        for change in changes {
            tracing::info!(%zone, ?change, "a key of a trust anchor changed");
        }
        let trusted = rollover.trusted();
        if trusted != before {
            let mut anchors = (*validator.anchors()).clone();
            anchors.replace(zone, trusted);
            validator.set_anchors(anchors);
        }
        if let Some(folder) = &self.folder
            && let Err(cause) = write(folder, &file(folder, zone), &rollover.to_text())
        {
            tracing::warn!(%zone, %cause, "the keys of a trust anchor cannot be kept; after a restart the configured ones count");
        }
    }
}

/// The last time at which something was kept in `folder`, in milliseconds since 1970: the clock showed it then.
pub(super) fn last_saved_unix_ms(folder: &Path) -> Option<u64> {
    let files = fs::read_dir(folder).ok()?;
    let times = files.filter_map(|file| file.ok()?.metadata().ok()?.modified().ok());
    let newest = times.max()?.duration_since(std::time::UNIX_EPOCH).ok()?;
    u64::try_from(newest.as_millis()).ok()
}

/// When the first of them is to be looked at, in milliseconds since 1970.
fn next(rollovers: &[Rollover]) -> u64 {
    let soonest = rollovers.iter().map(|rollover| rollover.look_at_unix_s).min();
    soonest.map_or(u64::MAX, |unix_s| unix_s.saturating_mul(1000))
}

/// The file of a zone: its name, with whatever could mean something to a file system as numbers.
fn file(folder: &Path, zone: &Name) -> PathBuf {
    if zone.is_root() {
        return folder.join("root.anchor");
    }
    let mut text = String::new();
    for label in zone.labels() {
        for &byte in label {
            match byte.to_ascii_lowercase() {
                byte @ (b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_') => text.push(char::from(byte)),
                byte => write!(text, "%{byte:02x}").expect("a string takes all"),
            }
        }
        text.push('.');
    }
    folder.join(text + "anchor")
}

fn read(path: &Path, zone: &Name) -> Option<Rollover> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => return None,
        Err(cause) => {
            tracing::warn!(path = %path.display(), %cause, "the keys of a trust anchor cannot be read; the configured ones count");
            return None;
        }
    };
    match Rollover::read(&text) {
        Ok(rollover) if rollover.zone == *zone => Some(rollover),
        Ok(_) => {
            tracing::warn!(path = %path.display(), "the file is of another trust anchor; the configured ones count");
            None
        }
        Err(bad) => {
            tracing::warn!(
                path = %path.display(),
                line = bad.line,
                "the keys of a trust anchor are damaged; the configured ones count, delete the file to begin anew"
            );
            None
        }
    }
}

fn write(folder: &Path, path: &Path, text: &str) -> std::io::Result<()> {
    fs::create_dir_all(folder)?;
    let draft = path.with_extension("draft");
    fs::write(&draft, text)?;
    fs::rename(draft, path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::now::Now;
    use crate::resolver::validate::ValidatorSettings;
    use crate::resolver::validate::anchors::Anchors;
    use crate::resolver::validate::keys::Promise;
    use crate::resolver::validate::tests::world::{self, Deny, TestKey, Zone};

    fn when(unix_s: u64) -> When {
        When {
            now: Now {
                mono_ms: 1,
                unix_ms: unix_s * 1000,
            },
            skew_s: 0,
            suspended: false,
        }
    }

    fn validator(key: &TestKey) -> Validator {
        let mut anchors = Anchors::none();
        anchors.add(&Name::root(), Promise::Ds(key.ds(&Name::root(), 2)));
        Validator::new(anchors, ValidatorSettings::default())
    }

    #[test]
    fn rfc5011_a_new_key_is_trusted_after_its_time_also_over_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let state = Some(folder.path().join("anchors"));
        let mut zone = Zone::new(".", Deny::Nsec);
        zone.how.expiration = (world::NOW_S + 100 * 86_400) as u32;
        let old = zone.keys[0].with_flags(257);
        let start = world::NOW_S;
        let first = validator(&old);
        let keeper = Keeper::load(&first, state.clone(), false, &when(start));
        assert_eq!(keeper.due(&when(start)), [Name::root()]);
        assert!(keeper.due(&when(start)).is_empty(), "one look at a time");
        zone.keys.push(TestKey::new(15));
        keeper.take_in(&Name::root(), Some(&zone.dnskeys()), &first, &when(start));
        keeper.settle();
        let trusted = |validator: &Validator| {
            validator
                .anchors()
                .zones()
                .map(|(_, promises)| promises.len())
                .sum::<usize>()
        };
        assert_eq!(trusted(&first), 1);

        let later = when(start + 31 * 86_400);
        let second = validator(&old);
        let keeper = Keeper::load(&second, state.clone(), false, &later);
        assert_eq!(keeper.due(&later), [Name::root()]);
        keeper.take_in(&Name::root(), Some(&zone.dnskeys()), &second, &later);
        assert_eq!(trusted(&second), 2);
        let third = validator(&old);
        Keeper::load(&third, state, false, &later);
        assert_eq!(trusted(&third), 2, "it is in the file");
    }

    #[test]
    fn a_damaged_file_leaves_the_configured_anchor_and_itself_as_they_are() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("root.anchor");
        fs::write(&path, "nonsense").unwrap();
        let key = TestKey::new(15);
        let configured = validator(&key);
        Keeper::load(&configured, Some(folder.path().to_owned()), false, &when(world::NOW_S));
        assert_eq!(configured.anchors().zones().count(), 1);
        assert_eq!(fs::read_to_string(path).unwrap(), "nonsense");
    }

    #[test]
    fn the_time_something_was_kept_is_known_afterwards() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(last_saved_unix_ms(folder.path()), None);
        assert_eq!(last_saved_unix_ms(&folder.path().join("none")), None);
        write(folder.path(), &file(folder.path(), &Name::root()), "x").unwrap();
        let kept = last_saved_unix_ms(folder.path()).unwrap();
        let now = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap();
        assert!(u128::from(kept).abs_diff(now.as_millis()) < 60_000);
    }

    #[test]
    fn a_zones_file_stays_in_its_folder() {
        let zone = Name::from_wire(b"\x05../.\\\x02A-\x00").unwrap();
        assert_eq!(file(Path::new("x"), &zone), Path::new("x/%2e%2e%2f%2e%5c.a-.anchor"));
    }
}
