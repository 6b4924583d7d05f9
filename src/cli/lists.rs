//! The compiled lists that a command looks at once: read or compiled in memory, nothing published.

use super::inspect::unreadable;
use super::look::Known;
use super::{Exit, Failure};
use crate::config::settings::Settings;
use crate::list::compile::Silent;
use crate::list::lines::Lines;

use crate::list::publish::{self, PublishError};
use crate::list::set::Gate;
use crate::list::source::{self, SourceSpec};
use crate::list::stock::{Plan, Standing, StockError};
use std::path::{Component, Path, PathBuf};

/// A gate in memory, with what belongs to it.
pub struct Held {
    pub gate: Gate,
    /// The companion of line numbers, if it is there and fits.
    pub lines: Option<Lines>,
    /// What it was compiled from; none where only a gate file is known.
    plan: Option<Plan>,
    /// Where the gate file stands, if it is one that was named.
    folder: Option<PathBuf>,
    /// Lists of the settings that were never fetched.
    pub missing: Vec<String>,
}

impl Held {
    /// Reads and verifies a gate file, and its companion if there is one.
    pub fn read(file: &Path) -> Result<Held, PublishError> {
        Ok(Held::with(publish::read(file)?.into_gate(), file))
    }

    /// The same, but what `state_dir` knows to have been checked is not checked again. `note`: it may learn of this file.
    pub fn look(file: &Path, state_dir: &Path, note: bool) -> Result<Held, PublishError> {
        Ok(Held::with(Known::of(state_dir).read(file, note)?, file))
    }

    fn with(gate: Gate, file: &Path) -> Held {
        let lines = std::fs::read(publish::lines_path(file))
            .ok()
            .and_then(|bytes| Lines::open(bytes, &gate).ok());
        Held {
            gate,
            lines,
            plan: None,
            folder: file.parent().map(Path::to_owned),
            missing: Vec::new(),
        }
    }

    /// Where the lists come from, as far as they can be found. A folder or a tar is looked through for them. A gate alone
    /// holds only their names: files so called are looked for beside it and in the current folder.
    pub fn specs(&self) -> Vec<SourceSpec> {
        match &self.plan {
            Some(plan) => plan.specs().unwrap_or_default(),
            None => self.beside(),
        }
    }

    /// Files that may be the lists; whoever reads one compares its digest.
    fn beside(&self) -> Vec<SourceSpec> {
        let folders = [self.folder.as_deref().unwrap_or(Path::new("")), Path::new("")];
        let names = self.gate.sources().iter().map(|source| source.name.as_str());
        // A gate is not trusted with paths that lead elsewhere.
        let plain = |name: &&str| {
            Path::new(name)
                .components()
                .all(|part| matches!(part, Component::Normal(_)))
        };
        let mut found = Vec::new();
        for name in names.filter(plain) {
            for folder in folders {
                for packing in ["", ".gz", ".zst", ".xz"] {
                    let path = folder.join(format!("{name}{packing}"));
                    if !path.is_file() {
                        continue;
                    }
                    if let Ok([spec]) = source::expand_path(&path, None, None, false).as_deref() {
                        found.push(SourceSpec {
                            name: name.to_owned(),
                            ..spec.clone()
                        });
                    }
                }
            }
        }
        found
    }

    /// What these settings serve: the file they name, the gate of the state directory if it is still right, or the lists
    /// compiled anew in memory. `note` as for [`look`](Held::look).
    pub fn of(settings: &Settings, note: bool) -> Result<Held, Failure> {
        if let Some(file) = &settings.gate {
            return Held::look(file, &settings.state_dir, note).map_err(unreadable);
        }
        let plan = Plan::new(settings);
        let current = plan.missing.is_empty() && plan.standing() == Some(Standing::Current);
        let made = current.then(|| Held::look(plan.gate(), &settings.state_dir, note));
        let held = match made {
            Some(Ok(held)) => held,
            _ => {
                let fresh = plan.compile(&Silent).map_err(stock)?;
                let gate = fresh.gate.into_gate();
                Held {
                    lines: Lines::open(fresh.lines, &gate).ok(),
                    gate,
                    plan: None,
                    folder: None,
                    missing: Vec::new(),
                }
            }
        };
        Ok(Held {
            missing: plan.missing.clone(),
            plan: Some(plan),
            ..held
        })
    }
}

/// A list that cannot be read has failed (1), one that is no list does not verify (3).
pub(super) fn stock(error: StockError) -> Failure {
    use crate::list::compile::{CompileError, ListError};
    let unverified = match &error {
        StockError::Compile(CompileError::Lists(failed)) => {
            failed.iter().any(|(_, error)| matches!(error, ListError::Parse(_)))
        }
        StockError::Unsound(_) => true,
        _ => false,
    };
    Failure {
        exit: if unverified { Exit::Unverified } else { Exit::Failed },
        sentence: error.to_string(),
    }
}
