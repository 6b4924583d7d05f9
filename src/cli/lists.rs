//! The compiled lists that a command looks at once: read or compiled in memory, nothing published.

use super::inspect::unreadable;
use super::look::Known;
use super::{Exit, Failure};
use crate::config::settings::Settings;
use crate::list::compile::Silent;
use crate::list::lines::Lines;

use crate::list::publish::{self, PublishError};
use crate::list::set::Gate;
use crate::list::source::SourceSpec;
use crate::list::stock::{Plan, Standing, StockError};
use std::path::Path;

/// A gate in memory, with what belongs to it.
pub struct Held {
    pub gate: Gate,
    /// The companion of line numbers, if it is there and fits.
    pub lines: Option<Lines>,
    /// What it was compiled from; none where only a gate file is known.
    plan: Option<Plan>,
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
            missing: Vec::new(),
        }
    }

    /// Where the lists come from, as far as they can be found. A folder or a tar is looked through for them.
    pub fn specs(&self) -> Vec<SourceSpec> {
        self.plan
            .as_ref()
            .and_then(|plan| plan.specs().ok())
            .unwrap_or_default()
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
