//! Notices changed files: settings, household, lists, the gate file, snapshots that `stairgate update` brought.
//!
//! In: what to look at, and a call every [`WATCH_INTERVAL`](crate::limits::WATCH_INTERVAL). Out: what changed.
//! Always: a file still being written is not reported; it is reported once two looks in a row agree.

use crate::config::settings::{ListSource, Settings};
use crate::list::fetch::Store;
use crate::list::stamp::Stamp;
use std::path::{Path, PathBuf};

/// What the household file is called.
const HOUSEHOLD: &str = "household";

/// The files that the running generation was made of.
pub(super) struct Watch {
    files: Vec<Watched>,
}

struct Watched {
    /// For the log: "settings", "household", "list adult".
    what: String,
    place: Place,
    /// As it was when it was last reported or read.
    acted: Stamp,
    /// As it was at the last look.
    seen: Stamp,
}

#[derive(Clone, PartialEq, Eq)]
enum Place {
    Path(PathBuf),
    Snapshot {
        state_dir: PathBuf,
        list: String,
        url: String,
    },
}

impl Place {
    fn look(&self) -> Stamp {
        match self {
            Place::Path(path) => Stamp::of(path),
            // Only a new version counts; that it was found current again changes the description, too.
            Place::Snapshot { state_dir, list, url } => {
                let good = Store::new(state_dir, list).last_good(url);
                Stamp::of_bytes(good.as_ref().map_or(&[], |good| good.metadata.sha256.as_bytes()))
            }
        }
    }
}

impl Watch {
    /// Everything that `settings` were read from and lead to, lists and gate only if they are used. Take it before reading the files: what changes in between is
    /// then reported, never lost.
    pub(super) fn new(settings: &Settings, without_lists: bool) -> Watch {
        let mut watch = Watch { files: Vec::new() };
        let path = |path: &Path| Place::Path(path.to_owned());
        if let Some(file) = &settings.file {
            watch.add("settings", path(file));
        }
        if let Some(file) = &settings.household_file {
            watch.add(HOUSEHOLD, path(file));
        }
        if without_lists {
            return watch;
        }
        if let Some(file) = &settings.gate {
            watch.add("gate", path(file));
            return watch;
        }
        for list in &settings.lists {
            let place = match &list.source {
                ListSource::Path(file) => path(file),
                ListSource::Url(url) => Place::Snapshot {
                    state_dir: settings.state_dir.clone(),
                    list: list.name.clone(),
                    url: url.clone(),
                },
                ListSource::Embedded { .. } => continue,
            };
            watch.add(&format!("list {}", list.name), place);
        }
        watch
    }

    fn add(&mut self, what: &str, place: Place) {
        let now = place.look();
        self.files.push(Watched {
            what: what.to_owned(),
            place,
            acted: now,
            seen: now,
        });
    }

    /// The household was read as it was at `stamp`: that is no news any more.
    pub(super) fn read_household(&mut self, stamp: Stamp) {
        for file in self.files.iter_mut().filter(|file| file.what == HOUSEHOLD) {
            file.acted = stamp;
        }
    }

    /// Whether the household is another than was read.
    pub(super) fn household_changed(&self) -> bool {
        let mut household = self.files.iter().filter(|file| file.what == HOUSEHOLD);
        household.any(|file| file.place.look() != file.acted)
    }

    /// Looks at everything once; says what has changed since it was read and stands still now.
    pub(super) fn poll(&mut self) -> Vec<String> {
        let mut changed = Vec::new();
        for file in &mut self.files {
            let now = file.place.look();
            if now != file.seen {
                file.seen = now;
            } else if now != file.acted {
                file.acted = now;
                changed.push(file.what.clone());
            }
        }
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn watch(path: &Path) -> Watch {
        let mut watch = Watch { files: Vec::new() };
        watch.add("list adult", Place::Path(path.to_owned()));
        watch
    }

    #[test]
    fn a_change_is_reported_once_and_only_when_it_stands_still() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("adult");
        fs::write(&file, "a.example\n").expect("a writable folder");
        let mut watch = watch(&file);
        assert!(watch.poll().is_empty());
        for size in 1..4 {
            fs::write(&file, "b.example\n".repeat(size)).expect("a writable folder");
            assert!(watch.poll().is_empty(), "it is still being written");
        }
        assert_eq!(watch.poll(), ["list adult"]);
        assert!(watch.poll().is_empty());
    }

    #[test]
    fn a_file_that_goes_and_comes_back_is_reported_each_time() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("adult");
        let mut watch = watch(&file);
        fs::write(&file, "a.example\n").expect("a writable folder");
        assert_eq!([watch.poll().len(), watch.poll().len()], [0, 1]);
        fs::remove_file(&file).expect("a writable folder");
        assert_eq!([watch.poll().len(), watch.poll().len()], [0, 1]);
    }
}
