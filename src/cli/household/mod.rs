//! `stairgate household`: shows and changes who is protected from what, through the running server or on the file where none runs.
//!
//! In: a command line, the settings, `household.toml`. Out: one sentence for a change, a page for a look, or one JSON object.
//! Always: where a server runs with these settings it makes the change itself, and the command ends when the change is in force.
//! Fails: with one sentence; the household is as it was.

pub mod args;
mod requests;

#[cfg(test)]
mod property_tests;
#[cfg(test)]
mod walk_tests;

pub use args::{Args, Wanted};

use super::lists::Held;
use super::{Exit, Failure, Outcome, settings};
use crate::clock;
use crate::config::settings::{ListAction, Settings};
use crate::control::{Client, ClientError};
use crate::household::commands::{self, Answer, Asked};
use crate::household::edit::{Around, Words};
use crate::household::{beginning, store::Store};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;
use std::fmt::Display;
use std::io::{self, Write};

pub fn run(args: Args) -> Outcome {
    let json = args.json;
    let config = args.config.clone();
    let wanted = args.wanted().map_err(Failure::usage)?;
    let settings = settings::load_alone(config.as_deref())?;
    let mut household = match Client::connect(&settings.state_dir) {
        Ok(server) => Household::Server(server),
        Err(ClientError::NotRunning(_)) => Household::File,
        Err(error) => return Err(error.into()),
    };
    match wanted {
        Wanted::Household(asked) => print(&household.ask(asked, &settings)?, json),
        Wanted::Requests { all } => print(&requests::list(&mut household, &settings, all)?, json),
        Wanted::Grant { request, how_long } => {
            print(&requests::grant(&mut household, &settings, request, how_long)?, json)
        }
        Wanted::Refuse { request } => print(&requests::refuse(&mut household, &settings, request)?, json),
    }
}

fn print(told: &(impl Serialize + Display), json: bool) -> Outcome {
    let mut out = io::stdout().lock();
    match json {
        true => writeln!(out, "{}", serde_json::to_string(told).map_err(io::Error::from)?)?,
        false => write!(out, "{told}")?,
    }
    Ok(Exit::Done)
}

/// Who carries it out.
enum Household {
    /// The server that runs with these settings.
    Server(Client),
    /// None runs: this command does, on the file.
    File,
}

impl Household {
    fn ask(&mut self, asked: Asked, settings: &Settings) -> Result<Answer, Failure> {
        match self {
            Household::Server(server) => Ok(server.household(asked)?),
            Household::File => on_file(&asked, settings).map_err(Failure::failed),
        }
    }
}

/// Where no server runs.
fn on_file(asked: &Asked, settings: &Settings) -> Result<Answer, String> {
    // Only the gate file knows its words; one that cannot be read is for `check` to tell of, and any word will do.
    let gate = settings.gate.as_ref();
    let held = gate.and_then(|file| Held::look(file, &settings.state_dir, false).ok());
    let sources = held.iter().flat_map(|held| held.gate.sources());
    carry_out(
        asked,
        settings,
        sources.map(|source| (source.name.as_str(), source.category.as_str())),
    )
}

/// Carries out what is asked on the household file of these settings. `sources`: the lists of the gate in use, each with its category.
pub(super) fn carry_out<'s>(
    asked: &Asked,
    settings: &Settings,
    sources: impl Iterator<Item = (&'s str, &'s str)>,
) -> Result<Answer, String> {
    let Some(file) = &settings.household_file else {
        return Err(format!(
            "{}: names no household file; write household = \"household.toml\" at its top, before the first [table]",
            settings.file.as_deref().unwrap_or(settings.folder.as_path()).display()
        ));
    };
    if matches!(asked, Asked::Edit { .. }) && settings.file.is_none() {
        // The built-in example keeps it with its state, which is made by the first who needs it.
        let made = std::fs::create_dir_all(&settings.state_dir);
        made.map_err(|error| format!("{}: cannot be made ({error})", settings.state_dir.display()))?;
    }
    let sources: Vec<(&str, &str)> = sources.collect();
    let words = Words::of(settings, sources.iter().copied());
    let blocking = settings.lists.iter().filter(|list| list.action == ListAction::Block);
    let of_lists = blocking.map(|list| list.category.as_str());
    let beginning = match settings.gate {
        // What cannot be known is not to be said: a profile without categories would filter nothing.
        Some(_) if sources.is_empty() => String::new(),
        Some(_) => beginning(sources.iter().map(|(_, category)| *category)),
        None => beginning(of_lists),
    };
    let zone = TimeZone::try_system().unwrap_or(TimeZone::UTC);
    let now =
        Timestamp::from_millisecond(clock::now().unix_ms as i64).map_err(|error| format!("the clock: {error}"))?;
    let around = Around {
        now,
        system_zone: &zone,
        zone: &|name| TimeZone::get(name).ok(),
        words: &words,
        beginning: &beginning,
    };
    let check = |text: &str| match settings.with_household(text.to_owned()) {
        Ok(_) => Ok(()),
        Err(error) => Err(error.to_string()),
    };
    commands::carry_out(asked, &Store::new(file), &around, &check).map_err(|error| error.to_string())
}
