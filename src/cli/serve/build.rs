//! From settings to a generation: lists to a gate, gate and settings to policy, zones and records to local zones.
//!
//! In: settings, the generation in force. Out: the next generation and what to say about it; nothing is in force yet.
//! Fails: the first part that cannot be made fails the whole, so that what is in force stays. A gate file or a list that
//! is broken now is an exception: the last good one takes its place, and the notes say so.

use crate::cli::Exit;
use crate::clock;
use crate::config::settings::Settings;
use crate::generation::Generation;
use crate::list::compile::Progress;
use crate::list::publish::{self, PublishError};
use crate::list::set::Gate;
use crate::list::stock::{Plan, StockError};
use crate::local::{self, Zones};
use crate::policy::{Policy, PolicyError, ProfileId};
use std::path::Path;
use std::sync::Arc;

/// The next generation, not in force yet.
pub(super) struct Built {
    pub(super) generation: Generation,
    /// Lists that some profile needs and that have never arrived.
    pub(super) missing: Vec<String>,
    /// What works but deserves a look, a sentence each.
    pub(super) notes: Vec<String>,
    /// Something could not be written to the state directory.
    pub(super) not_kept: bool,
}

/// Why there is no next generation.
#[derive(Debug, thiserror::Error)]
pub(super) enum BuildError {
    #[error(transparent)]
    Lists(#[from] StockError),
    #[error(transparent)]
    Gate(#[from] PublishError),
    #[error(transparent)]
    Policy(#[from] PolicyError),
    #[error(transparent)]
    Local(#[from] local::LocalError),
}

impl BuildError {
    /// How a start ends that fails with this.
    pub(super) fn exit(&self) -> Exit {
        match self {
            BuildError::Gate(PublishError::Unverified { .. }) | BuildError::Lists(StockError::Unsound(_)) => {
                Exit::Unverified
            }
            BuildError::Lists(_) | BuildError::Gate(_) => Exit::Failed,
            BuildError::Policy(_) | BuildError::Local(_) => Exit::Usage,
        }
    }
}

/// Builds the generation after `before`. Takes as long as compiling the lists does, if they have changed.
pub(super) fn build(
    settings: &Arc<Settings>,
    without_lists: bool,
    before: Option<&Generation>,
    progress: &dyn Progress,
) -> Result<Built, BuildError> {
    let number = before.map_or(1, |before| before.number + 1);
    let connected = crate::cli::connected::networks();
    let local = Zones::build(settings)?;
    let settings = Arc::clone(settings);
    if without_lists {
        let policy = Policy::unfiltered(&settings, &connected);
        let generation = Generation {
            number,
            gate: Arc::new(Gate::empty()),
            policy,
            settings,
            local,
        };
        return Ok(Built {
            generation,
            missing: Vec::new(),
            notes: Vec::new(),
            not_kept: false,
        });
    }
    let Opened { gate, notes, not_kept } = match &settings.gate {
        Some(path) => open_gate(path, &settings.state_dir, before)?,
        None => open_lists(&settings, progress)?,
    };
    let policy = Policy::build_at(&gate, &settings, &connected, clock::now().unix_s())?;
    let generation = Generation {
        number,
        gate,
        policy,
        settings,
        local,
    };
    Ok(Built {
        missing: missing(&generation),
        generation,
        notes,
        not_kept,
    })
}

/// Builds the generation after `before` where nothing but the household is another: takes milliseconds.
pub(super) fn build_household(
    settings: &Arc<Settings>,
    without_lists: bool,
    before: &Generation,
) -> Result<Built, BuildError> {
    let connected = crate::cli::connected::networks();
    let policy = match without_lists {
        true => Policy::unfiltered(settings, &connected),
        false => Policy::build_at(&before.gate, settings, &connected, clock::now().unix_s())?,
    };
    let generation = Generation {
        number: before.number + 1,
        gate: Arc::clone(&before.gate),
        policy,
        settings: Arc::clone(settings),
        local: before.local.clone(),
    };
    Ok(Built {
        missing: missing(&generation),
        generation,
        notes: Vec::new(),
        not_kept: false,
    })
}

/// Lists that some profile needs and that the gate lacks.
fn missing(generation: &Generation) -> Vec<String> {
    let profiles = 0..generation.settings.profiles.len();
    let mut missing: Vec<String> = profiles
        .flat_map(|profile| generation.policy.missing(ProfileId(profile as u16)).iter().cloned())
        .collect();
    missing.sort();
    missing.dedup();
    missing
}

struct Opened {
    gate: Arc<Gate>,
    notes: Vec<String>,
    not_kept: bool,
}

/// The file that `gate` names: a private copy of it, or where none can be made, its bytes in memory.
fn open_gate(path: &Path, state_dir: &Path, before: Option<&Generation>) -> Result<Opened, PublishError> {
    let mut notes = Vec::new();
    let mut not_kept = false;
    let opened = publish::Store::new(state_dir)
        .and_then(|store| store.open(path))
        .or_else(|error| match error {
            PublishError::File { path: at, cause } if at != path => {
                notes.push(format!(
                    "{}: {cause}; the lists are held in memory instead of a file",
                    at.display()
                ));
                not_kept = true;
                publish::read(path).map(|verified| verified.into_gate())
            }
            error => Err(error),
        });
    let in_force = before.filter(|before| before.settings.gate.as_deref() == Some(path));
    let gate = match (opened, in_force) {
        (Ok(gate), _) => Arc::new(gate),
        (Err(error), Some(before)) => {
            notes.push(format!("{error}; the lists in force stay in force"));
            Arc::clone(&before.gate)
        }
        (Err(error), None) => return Err(error),
    };
    Ok(Opened { gate, notes, not_kept })
}

fn open_lists(settings: &Settings, progress: &dyn Progress) -> Result<Opened, StockError> {
    let opened = Plan::new(settings).open(&settings.state_dir, progress)?;
    let mut notes = Vec::new();
    if let Some(error) = &opened.stale {
        notes.push(format!("{error}; the lists compiled before stay in force"));
    }
    if let Some(error) = &opened.not_kept {
        notes.push(format!(
            "{error}; the lists are held in memory and will be compiled again at the next start"
        ));
    }
    let not_kept = opened.not_kept.is_some();
    Ok(Opened {
        gate: Arc::new(opened.gate),
        notes,
        not_kept,
    })
}
