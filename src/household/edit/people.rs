//! Whom an edit is about: persons, devices, groups, profiles, everyone; how they are called, and which clock they see.
//!
//! In: a word of a command, such as `masha`, `kids` or `profile:child`. Out: a [`Who`].
//! Always: the word that is written to the file is the one the file has, whatever its letters' case in the command.
//! Fails: with the nearest word that is known.

use super::Around;
use super::error::EditError;
use super::when::Wall;
use crate::household::shape::Household;
use jiff::tz::TimeZone;
use std::collections::BTreeSet;

/// One word of a `for`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Who {
    Person(String),
    Device(String),
    Group(String),
    Profile(String),
    Everyone,
}

impl Who {
    /// Reads a word; also the name of a person as it is shown.
    pub fn read(word: &str, household: &Household) -> Result<Who, EditError> {
        let word = word.trim();
        let same = |known: &str| known.to_lowercase() == word.to_lowercase();
        if same("everyone") {
            return Ok(Who::Everyone);
        }
        if let Some((_, profile)) = word.split_once(':').filter(|(kind, _)| *kind == "profile") {
            return Ok(Who::Profile(profile_name(profile, household)?));
        }
        let persons = household.persons();
        let by_id = persons.iter().find(|(id, _)| same(id));
        if let Some((id, _)) = by_id {
            return Ok(Who::Person((*id).to_owned()));
        }
        if let Some(device) = household.devices.iter().find(|device| same(&device.name)) {
            return Ok(Who::Device(device.name.clone()));
        }
        if let Some(group) = household.groups.iter().find(|group| same(&group.name)) {
            return Ok(Who::Group(group.name.clone()));
        }
        let shown = persons
            .iter()
            .filter(|(_, person)| person.name.as_deref().is_some_and(same));
        let shown: Vec<&str> = shown.map(|(id, _)| *id).collect();
        match shown[..] {
            [id] => return Ok(Who::Person(id.to_owned())),
            [] => {}
            _ => {
                return Err(EditError::Unclear(format!(
                    "{} persons are called {word}; which one is meant: {}?",
                    shown.len(),
                    shown.join(" or ")
                )));
            }
        }
        if household.profile(word).is_some() {
            return Err(EditError::Unclear(format!(
                "\"{word}\" is a profile; write \"profile:{word}\" for everyone who has it"
            )));
        }
        Err(EditError::no_such(
            "person, device or group",
            word,
            words(household),
            match words(household).is_empty() {
                true => "add one first, as in `stairgate household add person masha --profile child`",
                false => "\"everyone\" and \"profile:NAME\" go too",
            },
        ))
    }

    /// Reads some, without saying one twice.
    pub fn read_all(given: &[String], household: &Household) -> Result<Vec<Who>, EditError> {
        let mut all = Vec::new();
        for word in given.iter().flat_map(|word| word.split(',')).map(str::trim) {
            if word.is_empty() {
                continue;
            }
            let who = Who::read(word, household)?;
            if !all.contains(&who) {
                all.push(who);
            }
        }
        match all.is_empty() {
            true => Err(EditError::Unclear(
                "for whom? name a person, a device, a group, \"profile:NAME\" or \"everyone\"".to_owned(),
            )),
            false => Ok(all),
        }
    }

    /// As the file has it.
    pub fn word(&self) -> String {
        match self {
            Who::Person(word) | Who::Device(word) | Who::Group(word) => word.clone(),
            Who::Profile(name) => format!("profile:{name}"),
            Who::Everyone => "everyone".to_owned(),
        }
    }

    /// As sentences say it.
    pub fn said(&self, household: &Household) -> String {
        match self {
            Who::Person(id) => person_said(id, household),
            Who::Device(name) => name.clone(),
            Who::Group(name) => format!("group {name}"),
            Who::Profile(name) => format!("profile {name}"),
            Who::Everyone => "everyone".to_owned(),
        }
    }

    /// The persons and the zones behind it; `None` is the household's zone.
    fn zones(&self, household: &Household, zones: &mut BTreeSet<Option<String>>) {
        let of_person = |id: &str| household.person(id).and_then(|person| person.timezone.clone());
        match self {
            Who::Person(id) => {
                zones.insert(of_person(id));
            }
            Who::Device(name) => {
                let device = household.devices.iter().find(|device| device.name == *name);
                let owner = device.and_then(|device| device.person.as_deref());
                zones.insert(owner.and_then(of_person));
            }
            Who::Group(name) => {
                for member in household.members(name) {
                    match household.person(member) {
                        Some(person) => zones.extend([person.timezone.clone()]),
                        None => Who::Device(member.to_owned()).zones(household, zones),
                    }
                }
            }
            Who::Profile(name) => {
                let persons = household.persons();
                let having = persons
                    .iter()
                    .filter(|(_, person)| person.profile.as_deref() == Some(name));
                zones.extend(having.map(|(_, person)| person.timezone.clone()));
            }
            Who::Everyone => {
                zones.extend(household.persons().iter().map(|(_, person)| person.timezone.clone()));
                zones.insert(None);
            }
        }
    }
}

/// The clock that they see.
pub fn wall(all: &[Who], household: &Household, around: &Around) -> Wall {
    match <[TimeZone; 1]>::try_from(zones(all, household, around)) {
        Ok([zone]) => Wall { zone, several: false },
        Err(zones) => Wall {
            zone: household_zone(household, around),
            several: zones.len() > 1,
        },
    }
}

/// Every zone that they live in.
pub fn zones(all: &[Who], household: &Household, around: &Around) -> Vec<TimeZone> {
    let mut names = BTreeSet::new();
    for who in all {
        who.zones(household, &mut names);
    }
    let mut zones: Vec<TimeZone> = Vec::new();
    for name in &names {
        let zone = name.as_deref().and_then(|name| (around.zone)(name));
        let zone = zone.unwrap_or_else(|| household_zone(household, around));
        if !zones.contains(&zone) {
            zones.push(zone);
        }
    }
    zones
}

/// The zone of whoever has none of their own.
pub fn household_zone(household: &Household, around: &Around) -> TimeZone {
    let named = household.timezone.as_deref().and_then(|name| (around.zone)(name));
    named.unwrap_or_else(|| around.system_zone.clone())
}

/// "Masha", "Masha and Petya", "Masha, Petya and tablet".
pub fn said_all(all: &[Who], household: &Household) -> String {
    joined(all.iter().map(|who| who.said(household)).collect())
}

/// Words of a file that may name nobody any more.
pub fn said_words(words: &[String], household: &Household) -> String {
    let said = |word: &String| Who::read(word, household).map_or_else(|_| word.clone(), |who| who.said(household));
    joined(words.iter().map(said).collect())
}

pub fn joined(mut words: Vec<String>) -> String {
    match words.pop() {
        Some(last) if words.is_empty() => last,
        Some(last) => format!("{} and {last}", words.join(", ")),
        None => "nobody".to_owned(),
    }
}

/// "has" or "have", as sentences about them need it.
pub fn has(all: &[Who]) -> &'static str {
    if all.len() > 1 { "have" } else { "has" }
}

/// The name of a person as shown.
pub fn person_said(id: &str, household: &Household) -> String {
    let name = household.person(id).and_then(|person| person.name.clone());
    name.unwrap_or_else(|| id.to_owned())
}

/// A profile as the file writes it.
pub fn profile_name(word: &str, household: &Household) -> Result<String, EditError> {
    let known: Vec<String> = household
        .profiles()
        .iter()
        .map(|(name, _)| (*name).to_owned())
        .collect();
    match known.iter().find(|name| name.to_lowercase() == word.to_lowercase()) {
        Some(name) => Ok(name.clone()),
        None => Err(EditError::no_such(
            "profile",
            word,
            known,
            format!("`stairgate household add profile {word} --block adult` makes one"),
        )),
    }
}

/// A person by id or shown name.
pub fn person_id(word: &str, household: &Household) -> Result<String, EditError> {
    match Who::read(word, household) {
        Ok(Who::Person(id)) => Ok(id),
        Err(error @ EditError::Unclear(_)) => Err(error),
        _ => {
            let known = household.persons().iter().map(|(id, _)| (*id).to_owned()).collect();
            let how = format!("`stairgate household add person {word} --profile child` makes one");
            Err(EditError::no_such("person", word, known, how))
        }
    }
}

/// Every word that `for` knows, but `everyone` and profiles.
pub fn words(household: &Household) -> Vec<String> {
    let persons = household.persons().into_iter().map(|(id, _)| id.to_owned());
    let devices = household.devices.iter().map(|device| device.name.clone());
    let groups = household.groups.iter().map(|group| group.name.clone());
    persons.chain(devices).chain(groups).collect()
}
