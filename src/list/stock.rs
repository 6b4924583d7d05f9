//! The lists of the settings as one published gate, compiled anew only when something changed.
//!
//! In: settings. Out: the gate they lead to, from `state_dir/lists.gate`, and which lists have never arrived.
//! Always: what was compiled before is taken again only if every source and every setting that matters is as it was then.
//! What lacks a list is never published: it is held in memory until the list comes.
//! Fails: a list that cannot be read or parsed fails the whole; then the gate published before is taken, if the settings
//! were the same. A state directory that cannot be written costs the next start its head start, not this one its gate.

use crate::config::settings::{ListSettings, ListSource, Settings};
use crate::list::compile::{self, CompileError, CompileOptions, Progress, Report};
use crate::list::fetch;
use crate::list::format::{FormatError, hex};
use crate::list::publish::{self, PublishError};
use crate::list::set::Gate;
use crate::list::source::{self, SourceError, SourceSpec};
use crate::list::stamp::Stamp;
use crate::list::verify::{Unverified, Verified};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::path::{Path, PathBuf};
use std::{fs, io};

/// What is to be compiled.
#[derive(Debug, Clone)]
pub struct Plan {
    sources: Vec<Source>,
    /// Names of the lists that were never fetched, in the order of the settings. They are left out.
    pub missing: Vec<String>,
    made: Made,
    gate: PathBuf,
}

#[derive(Debug, Clone)]
struct Source {
    list: ListSettings,
    /// Its own path, or the last good snapshot; empty for a list that is part of the program.
    path: PathBuf,
    fetched: bool,
}

/// What a gate was made of, kept beside it as `lists.gate.made`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Made {
    /// Fingerprint of the settings of the lists.
    settings: String,
    /// Fingerprint of what the lists held, and of the program.
    sources: String,
    /// Digest of the gate that was made of them, since `compile` may put another in its place.
    gate: String,
}

/// What a gate in the state directory was made of, compared with a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The very same sources and settings.
    Current,
    /// The same settings, but sources that have changed since.
    Older,
}

/// What compiling gave: checked, not yet published.
pub struct Fresh {
    pub gate: Verified,
    /// The companion of line numbers.
    pub lines: Vec<u8>,
    pub report: Report,
}

/// A gate ready to serve.
pub struct Opened {
    pub gate: Gate,
    /// Nothing was compiled.
    pub reused: bool,
    /// It is the gate published before, because the lists as they are now cannot be compiled.
    pub stale: Option<StockError>,
    /// It is held in memory, because the state directory cannot be written.
    pub not_kept: Option<PublishError>,
}

/// Why lists do not become a gate. Each message names the list or the file.
#[derive(Debug, thiserror::Error)]
pub enum StockError {
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error(transparent)]
    Compile(#[from] CompileError),
    #[error("the gate just compiled {0}; this is a fault of the program, please report it")]
    Unsound(FormatError),
}

impl Plan {
    /// Looks at the sources that `settings` name.
    pub fn new(settings: &Settings) -> Plan {
        let mut plan = Plan {
            sources: Vec::new(),
            missing: Vec::new(),
            made: Made {
                settings: String::new(),
                sources: String::new(),
                gate: String::new(),
            },
            gate: gate_path(&settings.state_dir),
        };
        let mut of_settings = Sha256::new();
        let mut of_sources = Sha256::new();
        // Another build of the program may read the same lists differently.
        of_sources.update(std::env::current_exe().map_or([0; 32], |program| *Stamp::of(&program).bytes()));
        for list in &settings.lists {
            // The order of the fields is fixed and strings are quoted, so equal text means equal settings.
            let ListSettings {
                name,
                category,
                action,
                format,
                match_scope,
                rank,
                rewrite,
                ..
            } = list;
            let said = (name, category, action, format, match_scope, rank, rewrite);
            of_settings.update(format!("{said:?} {:?}\n", place(&list.source)));
            let (path, fetched, stamp) = match &list.source {
                ListSource::Path(path) => (path.clone(), false, Stamp::of(path)),
                ListSource::Embedded { bytes, .. } => (PathBuf::new(), false, Stamp::of_bytes(bytes)),
                ListSource::Url(url) => match fetch::Store::new(&settings.state_dir, name).last_good(url) {
                    Some(good) => (good.path, true, Stamp::of_bytes(good.metadata.sha256.as_bytes())),
                    None => {
                        plan.missing.push(name.clone());
                        continue;
                    }
                },
            };
            of_sources.update(name);
            of_sources.update([0]);
            of_sources.update(stamp.bytes());
            plan.sources.push(Source {
                list: list.clone(),
                path,
                fetched,
            });
        }
        plan.made.settings = hex(&of_settings.finalize());
        plan.made.sources = hex(&of_sources.finalize());
        plan
    }

    /// Where the gate is, or will be.
    pub fn gate(&self) -> &Path {
        &self.gate
    }

    /// What the gate that is there was made of; `None` when there is none, or it was made by other settings.
    pub fn standing(&self) -> Option<Standing> {
        self.made_before().map(|(standing, _)| standing)
    }

    fn made_before(&self) -> Option<(Standing, Made)> {
        let made: Made = serde_json::from_slice(&fs::read(self.made_path()).ok()?).ok()?;
        if made.settings != self.made.settings || !self.gate.is_file() {
            return None;
        }
        let standing = match made.sources == self.made.sources {
            true => Standing::Current,
            false => Standing::Older,
        };
        Some((standing, made))
    }

    /// The gate that was made before, if it is the one that the note is about.
    fn open_before(&self, state_dir: &Path, made: &Made) -> Option<Gate> {
        let gate = publish::Store::new(state_dir)
            .and_then(|store| store.open(&self.gate))
            .ok()?;
        (hex(&gate.digest()) == made.gate).then_some(gate)
    }

    /// The lists, ready to compile.
    pub fn specs(&self) -> Result<Vec<SourceSpec>, SourceError> {
        let mut specs = Vec::new();
        for source in &self.sources {
            specs.extend(source::expand_list(&source.list, &source.path, source.fetched)?);
        }
        Ok(specs)
    }

    /// Compiles and verifies the lists.
    pub fn compile(&self, progress: &dyn Progress) -> Result<Fresh, StockError> {
        let compiled = compile::compile(self.specs()?, &CompileOptions { jobs: 0, progress })?;
        let gate = Unverified::new(compiled.gate).verify().map_err(StockError::Unsound)?;
        Ok(Fresh {
            gate,
            lines: compiled.lines,
            report: compiled.report,
        })
    }

    /// Publishes what [`compile`](Plan::compile) made, at `to` if not in the state directory.
    pub fn publish(&self, fresh: &Fresh, to: Option<&Path>) -> Result<(), PublishError> {
        if let Some(to) = to {
            return publish::publish(to, &fresh.gate, &fresh.lines);
        }
        let made = self.made_path();
        let failed = |cause| PublishError::File {
            path: made.clone(),
            cause,
        };
        if let Some(folder) = self.gate.parent() {
            fs::create_dir_all(folder).map_err(failed)?;
        }
        // The note goes first and comes last, so a crash in between cannot leave it beside a gate that it does not describe.
        forget(&self.gate).map_err(failed)?;
        publish::publish(&self.gate, &fresh.gate, &fresh.lines)?;
        // Strings only: this cannot fail to serialize.
        let made_now = Made {
            gate: hex(&fresh.gate.gate().digest()),
            ..self.made.clone()
        };
        let note = serde_json::to_vec_pretty(&made_now).unwrap_or_default();
        fs::write(&made, note).map_err(failed)
    }

    /// The gate of these lists, ready to serve.
    pub fn open(&self, state_dir: &Path, progress: &dyn Progress) -> Result<Opened, StockError> {
        let complete = self.missing.is_empty();
        let before = self.made_before().filter(|_| complete);
        let opened = |gate, stale| Opened {
            gate,
            reused: true,
            stale,
            not_kept: None,
        };
        if let Some((Standing::Current, made)) = &before
            && let Some(gate) = self.open_before(state_dir, made)
        {
            return Ok(opened(gate, None));
        }
        let fresh = match self.compile(progress) {
            Ok(fresh) => fresh,
            Err(error) => {
                let old = before.and_then(|(_, made)| self.open_before(state_dir, &made));
                return match old {
                    Some(gate) => Ok(opened(gate, Some(error))),
                    None => Err(error),
                };
            }
        };
        if !complete {
            return Ok(Opened {
                gate: fresh.gate.into_gate(),
                reused: false,
                stale: None,
                not_kept: None,
            });
        }
        let kept = self
            .publish(&fresh, None)
            .and_then(|()| publish::Store::new(state_dir)?.adopt(&fresh.gate));
        let (gate, not_kept) = match kept {
            Ok(gate) => (gate, None),
            Err(error) => (fresh.gate.into_gate(), Some(error)),
        };
        Ok(Opened {
            gate,
            reused: false,
            stale: None,
            not_kept,
        })
    }

    fn made_path(&self) -> PathBuf {
        self.gate.with_extension("gate.made")
    }
}

/// Removes the note of what the gate at `gate` was made of, before a gate of other lists takes its place.
pub fn forget(gate: &Path) -> io::Result<()> {
    match fs::remove_file(gate.with_extension("gate.made")) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Where `compile` without `--output`, `update` and `serve` keep the gate of the settings' lists.
pub fn gate_path(state_dir: &Path) -> PathBuf {
    state_dir.join("lists.gate")
}

fn place(source: &ListSource) -> String {
    match source {
        ListSource::Path(path) => path.display().to_string(),
        ListSource::Url(url) => url.clone(),
        ListSource::Embedded { file, .. } => (*file).to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::key::Key;
    use crate::list::compile::Silent;

    /// Settings with one list, the file `adult.domains` of `folder`.
    fn settings(folder: &Path) -> Settings {
        let mut settings = Settings::builtin(folder);
        settings.lists.truncate(1);
        settings.lists[0].name = "adult".into();
        settings.lists[0].source = ListSource::Path(folder.join("adult.domains"));
        settings
    }

    fn open(settings: &Settings) -> Result<Opened, StockError> {
        Plan::new(settings).open(&settings.state_dir, &Silent)
    }

    fn holds(opened: &Opened, name: &str) -> bool {
        let mut found = false;
        opened
            .gate
            .walk(&Key::parse(name).expect("a name"), |_, _| found = true);
        found
    }

    fn write(folder: &Path, text: &str) {
        fs::write(folder.join("adult.domains"), text).expect("a writable folder");
    }

    #[test]
    fn lists_are_compiled_again_only_when_they_change() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        write(folder.path(), "a.example\n");
        let settings = settings(folder.path());
        assert!(!open(&settings).expect("a good list").reused);
        let again = open(&settings).expect("a good list");
        assert!(again.reused && holds(&again, "a.example"));
        write(folder.path(), "b.example\n");
        let changed = open(&settings).expect("a good list");
        assert!(!changed.reused && holds(&changed, "b.example") && !holds(&changed, "a.example"));
    }

    #[test]
    fn a_list_that_cannot_be_compiled_any_more_leaves_the_last_good_gate_and_says_why() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        write(folder.path(), "a.example\n");
        let settings = settings(folder.path());
        open(&settings).expect("a good list");
        write(folder.path(), "<!DOCTYPE html><html>Sign in</html>\n");
        let kept = open(&settings).expect("the last good gate");
        assert!(holds(&kept, "a.example"));
        assert!(kept.stale.is_some_and(|error| error.to_string().contains("adult")));
    }

    #[test]
    fn a_gate_of_other_settings_is_never_taken_for_these() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        write(folder.path(), "a.example\n");
        let mut settings = settings(folder.path());
        open(&settings).expect("a good list");
        settings.lists[0].category = "gambling".into();
        assert!(!open(&settings).expect("a good list").reused);
        settings.lists[0].rank = 7;
        write(folder.path(), "<!DOCTYPE html><html>Sign in</html>\n");
        assert!(open(&settings).is_err());
    }

    #[test]
    fn a_gate_that_somebody_put_in_its_place_is_not_taken_for_it() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        write(folder.path(), "a.example\n");
        let settings = settings(folder.path());
        open(&settings).expect("a good list");
        write(folder.path(), "other.example\n");
        let other = Plan::new(&settings).compile(&Silent).expect("a good list");
        write(folder.path(), "a.example\n");
        open(&settings).expect("a good list");
        publish::publish(&gate_path(&settings.state_dir), &other.gate, &other.lines).expect("a writable folder");
        let opened = open(&settings).expect("a good list");
        assert!(!opened.reused && holds(&opened, "a.example"));
    }

    #[test]
    fn a_gate_that_lacks_a_list_is_not_published() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        write(folder.path(), "a.example\n");
        let mut settings = settings(folder.path());
        let mut remote = settings.lists[0].clone();
        remote.name = "remote".into();
        remote.source = ListSource::Url("https://lists.example/remote".into());
        settings.lists.push(remote);
        let plan = Plan::new(&settings);
        assert_eq!(plan.missing, ["remote"]);
        let partial = plan.open(&settings.state_dir, &Silent).expect("a good list");
        assert!(holds(&partial, "a.example"));
        assert!(!plan.gate().exists());
        assert_eq!(Plan::new(&settings).standing(), None);
    }

    #[test]
    fn a_state_directory_that_cannot_be_written_costs_nothing_but_the_copy() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        write(folder.path(), "a.example\n");
        let mut settings = settings(folder.path());
        settings.state_dir = folder.path().join("adult.domains").join("var");
        let opened = open(&settings).expect("a good list");
        assert!(holds(&opened, "a.example") && opened.not_kept.is_some());
    }
}
