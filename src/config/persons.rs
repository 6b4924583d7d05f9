//! `[person.ID]`, and the names by which something can be for somebody.
//!
//! In: persons as written, profiles, zones. Out: [`Person`]s in order of their ids; [`Names`].
//! Always: a name means one person, one device or one group, so that `for = ["masha"]` leaves no doubt.

use super::error::{ConfigError, Problem};
use super::household::Person;
use super::load::Loader;
use super::log::WrittenLog;
use super::profiles::warn_of_both;
use super::settings::{LogSettings, ProfileSettings};
use super::shape::{self, Text};
use super::times::{self, ZoneId, Zones};
use super::values;
use crate::limits;
use std::collections::{BTreeMap, HashMap};
use toml::Spanned;

/// All persons.
pub(super) struct Persons {
    pub people: Vec<Person>,
    /// Of each, its zone.
    pub zone_of: Vec<ZoneId>,
    pub names: Names,
}

/// Whom a name means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Named {
    Person(u32),
    /// Index of a client.
    Device(u32),
    /// Index of a group.
    Group(u32),
}

/// The names of persons, devices and groups.
#[derive(Default)]
pub(super) struct Names {
    by_name: HashMap<String, (Named, &'static str, usize)>,
}

impl Names {
    pub fn get(&self, name: &str) -> Option<Named> {
        self.by_name.get(name).map(|&(named, ..)| named)
    }

    pub fn all(&self) -> impl Iterator<Item = &String> {
        self.by_name.keys()
    }

    pub fn device(&mut self, loader: &Loader, kind: &'static str, text: &Text, at: usize) -> Result<(), ConfigError> {
        self.note(loader, kind, text, Named::Device(at as u32))
    }

    pub fn group(&mut self, loader: &Loader, text: &Text, at: usize) -> Result<(), ConfigError> {
        self.note(loader, "group", text, Named::Group(at as u32))
    }

    fn note(&mut self, loader: &Loader, kind: &'static str, text: &Text, named: Named) -> Result<(), ConfigError> {
        let name = text.get_ref();
        let line = loader.source.line(text.span().start);
        match self.by_name.insert(name.clone(), (named, kind, line)) {
            None => Ok(()),
            Some((before, _, first)) if std::mem::discriminant(&before) == std::mem::discriminant(&named) => {
                Err(loader.fail(
                    text.span(),
                    Problem::Duplicate {
                        kind,
                        name: name.clone(),
                        first,
                    },
                ))
            }
            Some((_, other, line)) => Err(loader.fail(
                text.span(),
                Problem::SameWord {
                    kind,
                    name: name.clone(),
                    other,
                    line,
                },
            )),
        }
    }
}

/// What persons, devices and groups may be called.
pub(super) fn id(text: &str) -> Result<(), String> {
    if text.is_empty() || text.trim() != text || text.chars().any(char::is_control) {
        Err("is not a name; write one such as \"masha\"".to_owned())
    } else if text.len() > limits::HOUSEHOLD_NAME_BYTES {
        let most = limits::HOUSEHOLD_NAME_BYTES;
        Err(format!("is longer than {most} bytes; write a shorter one"))
    } else if text == "everyone" {
        Err("already means the whole household; choose another name".to_owned())
    } else if text.starts_with("profile:") {
        Err("already means whoever has a profile; choose another name".to_owned())
    } else {
        Ok(())
    }
}

pub(super) fn read(
    loader: &mut Loader,
    profiles: &[ProfileSettings],
    shapes: &BTreeMap<String, Spanned<shape::Person>>,
    zones: &mut Zones,
) -> Result<Persons, ConfigError> {
    let logs = profiles.iter().map(|profile| (profile.name.as_str(), profile.log));
    let known: HashMap<&str, LogSettings> = logs.collect();
    // In the order of the file, so that the first wrong one is the one reported; then in order of their ids, as the map has them.
    let mut in_order: Vec<(usize, &String, &Spanned<shape::Person>)> = shapes
        .iter()
        .enumerate()
        .map(|(at, (name, shape))| (at, name, shape))
        .collect();
    in_order.sort_by_key(|(_, _, shape)| shape.span().start);
    let mut names = Names::default();
    let mut read = Vec::with_capacity(shapes.len());
    for (at, name, shape) in in_order {
        id(name).map_err(|why| loader.fail(shape.span(), Problem::Other(format!("person {name:?} {why}"))))?;
        let text = Spanned::new(shape.span(), name.clone());
        names.note(loader, "person", &text, Named::Person(at as u32))?;
        read.push((at, person(loader, name, shape, &known, zones)?));
    }
    read.sort_unstable_by_key(|(at, _)| *at);
    let (people, zone_of) = read.into_iter().map(|(_, person)| person).unzip();
    Ok(Persons { people, zone_of, names })
}

fn person(
    loader: &mut Loader,
    id: &str,
    shape: &Spanned<shape::Person>,
    profiles: &HashMap<&str, LogSettings>,
    zones: &mut Zones,
) -> Result<(Person, ZoneId), ConfigError> {
    let written = shape.get_ref();
    let profile = written.profile.get_ref();
    let Some(&log) = profiles.get(profile.as_str()) else {
        let owner = format!("person {id:?}");
        return Err(loader.no_such(
            &written.profile,
            owner,
            ("profile", "profile"),
            profiles.keys().copied(),
        ));
    };
    let own_log = WrittenLog::read(
        loader,
        (written.log.as_ref(), "person.log"),
        (written.log_for.as_ref(), "person.log_for"),
    )?;
    let name = loader.value(written.name.as_ref(), "person.name", id.to_owned(), |text| {
        match text.trim() {
            "" => Err("is empty; write a name or leave the key out".to_owned()),
            text if text.chars().any(char::is_control) => Err("has more than one line; write it on one".to_owned()),
            text => Ok(text.to_owned()),
        }
    })?;
    let zone_id = zones.of(loader, written.timezone.as_ref())?;
    let zone = zones.get(zone_id);
    let [allow, deny] = [&written.allow, &written.deny].map(|names| names.as_deref().unwrap_or_default());
    let allow = times::own_names(loader, allow, "person.allow", zone, values::own)?;
    let deny = times::own_names(loader, deny, "person.deny", zone, values::own)?;
    if !allow.is_empty() && !deny.is_empty() {
        warn_of_both(
            loader,
            &format!("person {id:?}"),
            &allow,
            &deny,
            written.deny.as_deref(),
        );
    }
    let person = Person {
        id: id.to_owned(),
        name,
        profile: profile.clone(),
        zone: zone.clone(),
        allow,
        deny,
        log: own_log.over(log),
    };
    Ok((person, zone_id))
}
