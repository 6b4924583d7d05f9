//! Whom something is for: the words of `for`, and groups written out.
//!
//! In: names of persons, devices and groups. Out: [`Subjects`], by their indexes.
//! Always: groups may stand in groups, but none in itself; each is written out once, however many things are for it.

use super::error::{ConfigError, Problem};
use super::household::Subjects;
use super::load::Loader;
use super::persons::{Named, Names};
use super::settings::{ClientSettings, ProfileSettings};
use super::shape::{self, Text, Words};
use super::times::{HOUSEHOLD, ZoneId};
use crate::limits;
use crate::nearest::nearest;
use std::cell::Cell;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::rc::Rc;
use toml::Spanned;

/// Everybody whom something can be for.
pub(super) struct Everybody<'a> {
    names: Names,
    profiles: HashSet<&'a str>,
    clients: &'a [ClientSettings],
    zone_of: &'a [ZoneId],
    /// Zones of the persons that have a profile.
    zones_of_profile: HashMap<&'a str, BTreeSet<ZoneId>>,
    groups: Vec<Rc<Members>>,
    /// Members written out so far.
    written_out: Cell<usize>,
}

/// Of a group with all groups in it, ascending.
#[derive(Default)]
struct Members {
    people: BTreeSet<u32>,
    devices: BTreeSet<u32>,
}

impl<'a> Everybody<'a> {
    /// `person_profiles`: of each person, its profile.
    pub fn new(
        loader: &Loader,
        mut names: Names,
        profiles: &'a [ProfileSettings],
        clients: &'a [ClientSettings],
        zone_of: &'a [ZoneId],
        person_profiles: impl Iterator<Item = &'a str>,
        groups: &[Spanned<shape::Group>],
    ) -> Result<Everybody<'a>, ConfigError> {
        for (shape, at) in groups.iter().zip(0..) {
            let name = &shape.get_ref().name;
            loader.value(Some(name), "group.name", (), super::persons::id)?;
            names.group(loader, name, at)?;
        }
        let mut zones_of_profile: HashMap<&str, BTreeSet<ZoneId>> = HashMap::new();
        for (profile, zone) in person_profiles.zip(zone_of) {
            zones_of_profile.entry(profile).or_default().insert(*zone);
        }
        let mut all = Everybody {
            names,
            profiles: profiles.iter().map(|profile| profile.name.as_str()).collect(),
            clients,
            zone_of,
            zones_of_profile,
            groups: Vec::new(),
            written_out: Cell::new(0),
        };
        let mut members: Vec<Option<Rc<Members>>> = vec![None; groups.len()];
        for at in 0..groups.len() {
            all.write_out(loader, groups, at, &mut Vec::new(), &mut members)?;
        }
        all.groups = members.into_iter().map(Option::unwrap_or_default).collect();
        Ok(all)
    }

    /// The members of a group. `way`: the groups in whose members it was met.
    fn write_out(
        &self,
        loader: &Loader,
        groups: &[Spanned<shape::Group>],
        at: usize,
        way: &mut Vec<usize>,
        members: &mut [Option<Rc<Members>>],
    ) -> Result<Rc<Members>, ConfigError> {
        if let Some(done) = &members[at] {
            return Ok(done.clone());
        }
        let group = groups[at].get_ref();
        let name = group.name.get_ref();
        if way.len() >= limits::GROUP_DEPTH {
            return Err(loader.fail(
                group.name.span(),
                Problem::Other(format!(
                    "group {name:?} stands in {} groups within each other, more than {}; name its members instead",
                    way.len(),
                    limits::GROUP_DEPTH - 1
                )),
            ));
        }
        way.push(at);
        let mut all = Members::default();
        for text in group.members.get_ref() {
            match self.names.get(text.get_ref()) {
                Some(Named::Person(person)) => _ = all.people.insert(person),
                Some(Named::Device(device)) => _ = all.devices.insert(device),
                Some(Named::Group(other)) => {
                    let other = other as usize;
                    if let Some(from) = way.iter().position(|&one| one == other) {
                        let chain = way[from..].iter().chain([&other]);
                        let chain: Vec<&str> = chain
                            .map(|&one| groups[one].get_ref().name.get_ref().as_str())
                            .collect();
                        return Err(loader.fail(
                            text.span(),
                            Problem::Other(format!(
                                "group {:?} is among its own members: {}; take it out of one of them",
                                text.get_ref(),
                                chain.join(" -> ")
                            )),
                        ));
                    }
                    let inner = self.write_out(loader, groups, other, way, members)?;
                    self.count(loader, &group.members, inner.people.len() + inner.devices.len())?;
                    all.people.extend(&inner.people);
                    all.devices.extend(&inner.devices);
                }
                None => {
                    return Err(self.nobody(loader, &format!("group {name:?}"), "members", text));
                }
            }
        }
        way.pop();
        if all.people.is_empty() && all.devices.is_empty() {
            return Err(loader.fail(
                group.members.span(),
                Problem::Other(format!(
                    "group {name:?} has no members; name persons and devices, or leave it out"
                )),
            ));
        }
        self.count(loader, &group.members, group.members.get_ref().len())?;
        let all = Rc::new(all);
        members[at] = Some(all.clone());
        Ok(all)
    }

    /// What `for` says. `owner`: whose it is, for sentences.
    pub fn subjects(&self, loader: &Loader, owner: &str, whom: &Spanned<Words>) -> Result<Subjects, ConfigError> {
        let words = Words::texts(whom);
        if words.is_empty() {
            return Err(loader.fail(
                whom.span(),
                Problem::Other(format!(
                    "{owner} is for nobody; name persons, devices or groups in for, or write for = \"everyone\""
                )),
            ));
        }
        let (mut all, mut profiles) = (Members::default(), BTreeSet::new());
        let mut everyone = false;
        for text in &words {
            let word = text.get_ref().as_str();
            if word == "everyone" {
                everyone = true;
            } else if let Some(profile) = word.strip_prefix("profile:") {
                if !self.profiles.contains(profile) {
                    return Err(self.nobody(loader, owner, "for", text));
                }
                profiles.insert(profile.to_owned());
            } else {
                match self.names.get(word) {
                    Some(Named::Person(person)) => _ = all.people.insert(person),
                    Some(Named::Device(device)) => _ = all.devices.insert(device),
                    Some(Named::Group(at)) => {
                        if let Some(group) = self.groups.get(at as usize) {
                            self.count(loader, whom, group.people.len() + group.devices.len())?;
                            all.people.extend(&group.people);
                            all.devices.extend(&group.devices);
                        }
                    }
                    None => return Err(self.nobody(loader, owner, "for", text)),
                }
            }
        }
        Ok(Subjects {
            everyone,
            people: all.people.into_iter().collect(),
            devices: all.devices.into_iter().collect(),
            profiles: profiles.into_iter().collect(),
        })
    }

    /// The zone in which times of something for them are read: theirs if they have one together, else the household's.
    pub fn zone(&self, subjects: &Subjects) -> ZoneId {
        if subjects.everyone {
            return HOUSEHOLD;
        }
        let of_person = |person: u32| self.zone_of.get(person as usize).copied().unwrap_or(HOUSEHOLD);
        let of_device = |device: u32| {
            let person = self.clients.get(device as usize).and_then(|client| client.person);
            person.map_or(HOUSEHOLD, of_person)
        };
        let people = subjects.people.iter().map(|&person| of_person(person));
        let devices = subjects.devices.iter().map(|&device| of_device(device));
        let of_profiles = subjects.profiles.iter().flat_map(|profile| {
            let zones = self.zones_of_profile.get(profile.as_str());
            // A profile that no person has is that of things.
            zones.map_or(vec![HOUSEHOLD], |zones| zones.iter().copied().collect())
        });
        let mut zones = people.chain(devices).chain(of_profiles);
        let first = zones.next().unwrap_or(HOUSEHOLD);
        if zones.all(|zone| zone == first) {
            first
        } else {
            HOUSEHOLD
        }
    }

    /// Counts members that are written out.
    pub fn count<T>(&self, loader: &Loader, at: &Spanned<T>, members: usize) -> Result<(), ConfigError> {
        self.written_out.set(self.written_out.get().saturating_add(members));
        if self.written_out.get() <= limits::HOUSEHOLD_MEMBERS {
            return Ok(());
        }
        Err(loader.fail(
            at.span(),
            Problem::Other(format!(
                "written out, groups and what is for them name more than {} members; write for = \"everyone\" or \"profile:NAME\"",
                limits::HOUSEHOLD_MEMBERS
            )),
        ))
    }

    fn nobody(&self, loader: &Loader, owner: &str, key: &'static str, text: &Text) -> ConfigError {
        let everyone = "everyone".to_owned();
        let profiles: Vec<String> = self
            .profiles
            .iter()
            .map(|profile| format!("profile:{profile}"))
            .collect();
        let known = self.names.all();
        let nearest = match key {
            "for" => nearest(text.get_ref(), known.chain(&profiles).chain([&everyone])),
            _ => nearest(text.get_ref(), known),
        };
        loader.fail(
            text.span(),
            Problem::NoSuch {
                owner: owner.to_owned(),
                key,
                word: text.get_ref().clone(),
                what: match text.get_ref().starts_with("profile:") {
                    true => "profile",
                    false => "person, device or group",
                },
                nearest,
                advice: match key {
                    "for" => "name those of the file, \"profile:NAME\" or \"everyone\"".to_owned(),
                    _ => "name those of the file".to_owned(),
                },
            },
        )
    }
}
