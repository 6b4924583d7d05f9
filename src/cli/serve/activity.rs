//! Keeps what is to be kept of who asked what, and knows when devices fell silent.
//!
//! In: what the threads that answer hold in their rings, taken each second; the policy in force; what the kernel knows of neighbors.
//! Out: `state_dir/activity`, for its user's eyes only; reports for the control socket.
//! Always: where nobody chose that anything is kept there is no file. When less is chosen, or somebody is forgotten, the file is written anew at once.
//! Fails: a file that is torn or damaged is read as far as it is whole, and said; one that cannot be written is said once until it can, and counted.

use super::{kept, neighbors};
use crate::activity::evidence::{Evidence, Neighbor, silent};
use crate::activity::record::{Keepers, Record};
use crate::activity::report::{DayReport, DeviceReport};
use crate::activity::ring::Rings;
use crate::count::Count;
use crate::limits::ACTIVITY_FILE_BYTES;
use crate::now::Now;
use crate::policy::Policy;
use crate::telemetry::counters::Counters;
use std::collections::{HashMap, HashSet};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tracing::{debug, warn};

/// What is written at most so often, in seconds: what a power cut may take back.
const SAVED_EVERY_S: u64 = 300;
/// How often neighbors are looked at, in seconds: the kernel holds for half a minute that one can be reached.
const LOOKED_EVERY_S: u64 = 30;

/// Where it is kept.
pub(in crate::cli) fn path(state_dir: &Path) -> PathBuf {
    state_dir.join("activity")
}

/// What the file holds, as far as it is whole, and a sentence if it is not.
pub(in crate::cli) fn read(path: &Path) -> io::Result<(Record, Option<String>)> {
    let mut text = Vec::new();
    match std::fs::File::open(path) {
        Ok(file) => file.take(ACTIVITY_FILE_BYTES).read_to_end(&mut text)?,
        Err(cause) if cause.kind() == ErrorKind::NotFound => return Ok((Record::default(), None)),
        Err(cause) => return Err(cause),
    };
    Ok(match Record::from_text(&String::from_utf8_lossy(&text)) {
        Ok(record) => (record, None),
        Err(damaged) => {
            let sentence = format!("{}: {damaged}", path.display());
            (*damaged.kept, Some(sentence))
        }
    })
}

/// Writes the file anew; one that would be empty is deleted.
pub(in crate::cli) fn write(path: &Path, record: &Record) -> io::Result<()> {
    if record.is_empty() {
        return match std::fs::remove_file(path) {
            Err(cause) if cause.kind() != ErrorKind::NotFound => Err(cause),
            _ => Ok(()),
        };
    }
    kept::write(path, |mut file| {
        file.write_all(record.to_text().as_bytes())?;
        file.sync_all()
    })
}

/// Who keeps it; shared by the server's loop and the control socket.
pub(super) struct Activity {
    path: PathBuf,
    pub(super) rings: Arc<Rings>,
    counters: Arc<Counters>,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    record: Record,
    keepers: Keepers,
    changed: bool,
    saved_s: u64,
    /// When days that are over their time were last looked for.
    shrunk_s: u64,
    failing: bool,
    looked_s: u64,
    /// By device: the minute since 1970 at which it was last there, and what told so.
    active: HashMap<String, (u64, Evidence)>,
}

impl Activity {
    /// What was kept before, from `state_dir`.
    pub(super) fn open(state_dir: &Path, counters: &Arc<Counters>) -> Activity {
        let path = path(state_dir);
        // One that a stop left half written.
        let _ = std::fs::remove_file(kept::draft(&path));
        let record = match read(&path) {
            Ok((record, sentence)) => {
                sentence.into_iter().for_each(|sentence| warn!("{sentence}"));
                record
            }
            Err(cause) => {
                warn!("{}: {cause}; what was kept before is lost", path.display());
                Record::default()
            }
        };
        Activity {
            path,
            rings: Arc::default(),
            counters: Arc::clone(counters),
            kept: Mutex::new(Kept {
                record,
                ..Kept::default()
            }),
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps to the choices of a policy that comes into force.
    pub(super) fn follow(&self, policy: &Policy, now: Now) {
        let mut kept = self.kept();
        self.take(&mut kept);
        let all = policy.kept_of().iter();
        kept.keepers = all.map(|whose| (whose.key.clone(), Arc::clone(whose))).collect();
        if policy.not_kept_of() > 0 {
            let (kept, others) = (policy.kept_of().len(), policy.not_kept_of());
            warn!(
                "activity is kept of {kept} persons and devices, the most there may be; of {others} others nothing is"
            );
        }
        let devices: HashSet<&str> = policy.asked().map(|(device, _)| device).collect();
        kept.active.retain(|device, _| devices.contains(device.as_str()));
        self.shrink(&mut kept, now);
    }

    /// Drops what is no longer to be kept, also from the file.
    fn shrink(&self, kept: &mut Kept, now: Now) {
        kept.shrunk_s = now.unix_s();
        if kept.record.shrink(&kept.keepers, now.unix_s()) {
            kept.changed = true;
            self.save_now(kept, now);
        }
    }

    /// Notes what the threads hold.
    fn take(&self, kept: &mut Kept) {
        let taken = self.rings.take();
        if taken.dropped > 0 {
            self.counters.register().add(Count::ActivityDropped, taken.dropped);
        }
        kept.changed |= !taken.asked.is_empty();
        for asked in &taken.asked {
            kept.record.note(&kept.keepers, asked);
        }
    }

    /// What is to be done each second.
    pub(super) fn tick(&self, policy: &Policy, now: Now) {
        let mut kept = self.kept();
        self.take(&mut kept);
        let now_s = now.unix_s();
        if !kept.record.is_empty() && now_s.abs_diff(kept.shrunk_s) >= 60 {
            self.shrink(&mut kept, now);
        }
        if kept.changed && now_s.abs_diff(kept.saved_s) >= SAVED_EVERY_S {
            self.save_now(&mut kept, now);
        }
        if now_s.abs_diff(kept.looked_s) >= LOOKED_EVERY_S && policy.asked().next().is_some() {
            kept.looked_s = now_s;
            match neighbors::look() {
                Ok(neighbors) => kept.hear(policy, &neighbors, now_s),
                Err(cause) => debug!("the kernel does not tell of neighbors: {cause}"),
            }
        }
    }

    /// Writes what is kept, if it changed.
    pub(super) fn save(&self, now: Now) {
        let mut kept = self.kept();
        self.take(&mut kept);
        if kept.changed {
            self.save_now(&mut kept, now);
        }
    }

    fn save_now(&self, kept: &mut Kept, now: Now) {
        kept.saved_s = now.unix_s();
        match write(&self.path, &kept.record) {
            Ok(()) => (kept.changed, kept.failing) = (false, false),
            Err(cause) => {
                if !kept.failing {
                    warn!(
                        "{}: {cause}; what is kept of who asked what stands in memory until it can be written",
                        self.path.display()
                    );
                    self.counters.add(Count::FilesNotKept.into());
                }
                kept.failing = true;
            }
        }
    }

    /// The last days of one, or of all.
    pub(super) fn report(&self, whose: Option<&str>, days: Option<u16>) -> Vec<DayReport> {
        let mut kept = self.kept();
        self.take(&mut kept);
        kept.record.report(whose, days)
    }

    /// Drops all that is kept of one; the days there were. An error: the file could not be written.
    pub(super) fn forget(&self, whose: &str, now: Now) -> Result<u64, String> {
        let mut kept = self.kept();
        self.take(&mut kept);
        let days = kept.record.forget(whose);
        kept.changed = true;
        self.save_now(&mut kept, now);
        match kept.failing {
            true => Err(format!(
                "{}: cannot be written; what it holds is still there",
                self.path.display()
            )),
            false => Ok(days),
        }
    }

    /// What is known of each device.
    pub(super) fn devices(&self, policy: &Policy, now: Now) -> Vec<DeviceReport> {
        let kept = self.kept();
        let minute = now.unix_s() / 60;
        let ago = |at: u64| (at != 0).then(|| minute.saturating_sub(at));
        let report = |(device, asked): (&str, u64)| {
            let active = kept.active.get(device).copied();
            let active_at = active.map_or(0, |(at, _)| at);
            let silent_minutes = silent(asked, active_at, minute);
            DeviceReport {
                device: device.to_owned(),
                asked_minutes_ago: ago(asked),
                active_minutes_ago: ago(active_at),
                silent_minutes,
                evidence: active.map(|(_, evidence)| evidence.words().to_owned()),
            }
        };
        policy.asked().map(report).collect()
    }
}

impl Kept {
    /// Notes which devices these neighbors are.
    fn hear(&mut self, policy: &Policy, neighbors: &[Neighbor], now_s: u64) {
        for neighbor in neighbors {
            let asker = policy.client(neighbor.addr, now_s);
            let Some(client) = asker.and_then(|asker| asker.client) else {
                continue;
            };
            let minute = now_s.saturating_sub(neighbor.confirmed_s) / 60;
            let heard = self.active.entry(policy.client_name(client).to_owned());
            let (at, _) = heard.or_insert((0, Evidence::Neighbor));
            *at = minute.max(*at);
        }
    }
}

#[cfg(test)]
#[path = "activity_tests.rs"]
mod tests;
