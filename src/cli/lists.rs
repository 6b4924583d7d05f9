//! The compiled lists that a command looks at once: read or compiled in memory, nothing published.

use super::inspect::unreadable;
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
    /// Where the lists come from; empty where only a gate file is known.
    pub specs: Vec<SourceSpec>,
    /// Lists of the settings that were never fetched.
    pub missing: Vec<String>,
}

impl Held {
    /// Reads and verifies a gate file, and its companion if there is one.
    pub fn read(file: &Path) -> Result<Held, PublishError> {
        let gate = publish::read(file)?.into_gate();
        let lines = std::fs::read(publish::lines_path(file))
            .ok()
            .and_then(|bytes| Lines::open(bytes, &gate).ok());
        Ok(Held {
            gate,
            lines,
            specs: Vec::new(),
            missing: Vec::new(),
        })
    }

    /// What these settings serve: the file they name, the gate of the state directory if it is still right, or the lists
    /// compiled anew in memory.
    pub fn of(settings: &Settings) -> Result<Held, Failure> {
        if let Some(file) = &settings.gate {
            return Held::read(file).map_err(unreadable);
        }
        let plan = Plan::new(settings);
        let specs = plan.specs().map_err(|error| stock(error.into()))?;
        let current = plan.missing.is_empty() && plan.standing() == Some(Standing::Current);
        let held = match Held::read(plan.gate()) {
            Ok(held) if current => held,
            _ => {
                let fresh = plan.compile(&Silent).map_err(stock)?;
                let gate = fresh.gate.into_gate();
                Held {
                    lines: Lines::open(fresh.lines, &gate).ok(),
                    gate,
                    specs: Vec::new(),
                    missing: Vec::new(),
                }
            }
        };
        Ok(Held {
            specs,
            missing: plan.missing,
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
