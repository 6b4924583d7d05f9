//! Adds, changes and removes persons, devices, groups, profiles, windows, quotas, services and clients.
//!
//! In: a kind, a name, keys. Out: the document with it, and the sentence.
//! Always: what is written is whole (what a thing needs, it has) and nothing is left that names what is gone.
//! Fails: with what is missing, what is wrong, or what has to go first.

mod add;
mod change;

pub(super) use add::add;
pub(super) use change::{also, remove, set, unset, without};

use super::error::EditError;
use super::fields::Kind;
use super::people::{self, person_said};
use super::tables::Spot;
use super::{Context, checks};
use crate::household::shape::Household;
use toml_edit::{Array, Value};

/// A thing that is there.
struct Thing {
    /// As the file writes it.
    name: String,
    spot: Spot,
    /// As sentences call it.
    said: String,
}

fn find(kind: Kind, name: Option<&str>, household: &Household) -> Result<Thing, EditError> {
    let word = name.unwrap_or_default().trim();
    let same = |known: &str| known.to_lowercase() == word.to_lowercase();
    let listed = |names: Vec<String>| match names.iter().position(|known| same(known)) {
        Some(index) => Ok((
            names.get(index).cloned().unwrap_or_default(),
            Spot::Listed(kind.word(), index),
        )),
        None => {
            let known = names.into_iter().filter(|name| !name.is_empty()).collect();
            Err(EditError::no_such(kind.word(), word, known, ""))
        }
    };
    let (name, spot) = match kind {
        Kind::Household => (String::new(), Spot::Top),
        Kind::Profile => {
            let name = people::profile_name(word, household)?;
            (name.clone(), Spot::Named(kind.word(), name))
        }
        Kind::Person => {
            let id = people::person_id(word, household)?;
            (id.clone(), Spot::Named(kind.word(), id))
        }
        Kind::Service => match household.services().iter().find(|(id, _)| same(id)) {
            Some((id, _)) => ((*id).to_owned(), Spot::Named(kind.word(), (*id).to_owned())),
            None => {
                let known = household.services().iter().map(|(id, _)| (*id).to_owned()).collect();
                return Err(EditError::no_such("service of your own", word, known, ""));
            }
        },
        Kind::Device => listed(household.devices.iter().map(|device| device.name.clone()).collect())?,
        Kind::Group => listed(household.groups.iter().map(|group| group.name.clone()).collect())?,
        Kind::Quota => listed(household.quotas.iter().map(|quota| quota.name.clone()).collect())?,
        Kind::Client => listed(household.clients.iter().map(|client| client.name.clone()).collect())?,
        Kind::Window => window(word, household)?,
    };
    let said = said(kind, &name, household);
    Ok(Thing { name, spot, said })
}

/// A window by its name, or by its number as `show` gives it: `2`.
fn window(word: &str, household: &Household) -> Result<(String, Spot), EditError> {
    let names: Vec<String> = household
        .windows
        .iter()
        .enumerate()
        .map(|(index, window)| window.name.clone().unwrap_or_else(|| (index + 1).to_string()))
        .collect();
    let by_name = names.iter().position(|name| name.to_lowercase() == word.to_lowercase());
    let by_number = word.trim_start_matches('#').parse::<usize>().ok();
    let by_number = by_number.and_then(|number| number.checked_sub(1));
    match by_name.or(by_number.filter(|index| *index < names.len())) {
        Some(index) => Ok((
            names.get(index).cloned().unwrap_or_default(),
            Spot::Listed(Kind::Window.word(), index),
        )),
        None => Err(EditError::no_such("window", word, names, "")),
    }
}

fn said(kind: Kind, name: &str, household: &Household) -> String {
    match kind {
        Kind::Household => "the household".to_owned(),
        Kind::Person => person_said(name, household),
        kind => format!("{} {name}", kind.word()),
    }
}

/// Refuses a name that is taken. Persons, devices and groups share theirs: `for` tells them apart by name alone.
fn unused(kind: Kind, name: &str, household: &Household) -> Result<(), EditError> {
    let taken = |kind: Kind| {
        Err(EditError::Taken {
            kind: kind.word(),
            name: name.to_owned(),
        })
    };
    let same = |known: &str| known.to_lowercase() == name.to_lowercase();
    match kind {
        Kind::Person | Kind::Device | Kind::Group => {
            if household.persons().iter().any(|(id, _)| same(id)) {
                return taken(Kind::Person);
            }
            if household.devices.iter().any(|device| same(&device.name)) {
                return taken(Kind::Device);
            }
            match household.groups.iter().any(|group| same(&group.name)) {
                true => taken(Kind::Group),
                false => Ok(()),
            }
        }
        kind => match find(kind, Some(name), household) {
            Ok(thing) if same(&thing.name) => taken(kind),
            _ => Ok(()),
        },
    }
}

/// Things of which exactly one of two keys is there.
fn either(kind: Kind, owner: &str, has: &dyn Fn(&str) -> bool) -> Result<(), EditError> {
    let (one, other) = match kind {
        Kind::Device => ("person", "profile"),
        Kind::Window => ("block", "allow"),
        _ => return Ok(()),
    };
    match has(one) != has(other) {
        true => Ok(()),
        false => Err(EditError::EitherOr {
            owner: owner.to_owned(),
            one,
            other,
        }),
    }
}

/// Refuses addresses that another device or client has. `but`: the one they are for.
fn unmatched(networks: &Array, but: Option<&Spot>, household: &Household) -> Result<(), EditError> {
    let devices = household.devices.iter().map(|device| (&device.name, &device.matches));
    let devices = devices.enumerate().map(|(index, owner)| (Kind::Device, index, owner));
    let clients = household.clients.iter().map(|client| (&client.name, &client.matches));
    let clients = clients.enumerate().map(|(index, owner)| (Kind::Client, index, owner));
    for (kind, index, (name, matches)) in devices.chain(clients) {
        if but == Some(&Spot::Listed(kind.word(), index)) {
            continue;
        }
        for network in networks.iter().filter_map(Value::as_str) {
            let value = checks::network_value(network);
            if matches.iter().any(|other| checks::network_value(other) == value) {
                return Err(EditError::value(
                    "match",
                    network,
                    format!("is {} {name}'s already; take it away there first", kind.word()),
                ));
            }
        }
    }
    Ok(())
}

fn odd_form(kind: Kind) -> EditError {
    EditError::Unreadable(format!(
        "\"{}\" is written in a form that commands cannot change",
        kind.word()
    ))
}
