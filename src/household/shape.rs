//! The household as the file says it: persons, devices, profiles, hours, and what was granted for tonight.
//!
//! In: the text of `household.toml`. Out: a [`Household`].
//! Always: only read. What a key means for a query is not decided here; keys that are not known here are left alone, since
//! the checker of settings names them.
//! Fails: text that is not TOML, or a value of another type, is one sentence with its line.

use serde::Deserialize;
use std::collections::BTreeMap;
use toml::Spanned;

/// The whole file.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Household {
    pub timezone: Option<String>,
    profile: BTreeMap<String, Spanned<Profile>>,
    person: BTreeMap<String, Spanned<Person>>,
    #[serde(rename = "device")]
    pub devices: Vec<Device>,
    #[serde(rename = "group")]
    pub groups: Vec<Group>,
    #[serde(rename = "window")]
    pub windows: Vec<Window>,
    #[serde(rename = "quota")]
    pub quotas: Vec<Quota>,
    #[serde(rename = "grant")]
    pub grants: Vec<Grant>,
    #[serde(rename = "pause")]
    pub pauses: Vec<Pause>,
    service: BTreeMap<String, Spanned<Service>>,
    #[serde(rename = "client")]
    pub clients: Vec<Client>,
}

/// `[profile.NAME]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Profile {
    pub base: Option<String>,
    pub block: Vec<String>,
    pub allow_lists: Vec<String>,
    pub services: Vec<String>,
    pub allow: Vec<OwnName>,
    pub deny: Vec<OwnName>,
    pub only: Option<Words>,
    pub safe_search: Option<FlagOrWords>,
    pub youtube: Option<String>,
    pub bypass_guard: Option<bool>,
    pub rebinding: Option<bool>,
    pub look_alikes: Option<bool>,
    pub log: Option<String>,
    pub types: Vec<String>,
}

/// `[person.ID]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Person {
    pub name: Option<String>,
    pub profile: Option<String>,
    pub timezone: Option<String>,
    pub allow: Vec<OwnName>,
    pub deny: Vec<OwnName>,
    pub log: Option<String>,
}

/// `[[device]]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Device {
    pub name: String,
    pub person: Option<String>,
    pub profile: Option<String>,
    #[serde(rename = "match")]
    pub matches: Vec<String>,
    pub tags: Vec<String>,
}

/// `[[group]]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Group {
    pub name: String,
    pub members: Vec<String>,
}

/// `[[window]]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Window {
    pub name: Option<String>,
    #[serde(rename = "for")]
    pub whom: Words,
    pub days: Words,
    pub from: String,
    pub to: String,
    pub block: Vec<String>,
    pub allow: Vec<String>,
    pub reach: Vec<String>,
}

/// `[[quota]]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Quota {
    pub name: String,
    #[serde(rename = "for")]
    pub whom: Words,
    pub of: Vec<String>,
    pub limit: String,
    pub per: Option<String>,
    pub carry: Option<String>,
    pub reach: Vec<String>,
}

/// `[[grant]]`: things for a while, or more minutes of a quota.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Grant {
    #[serde(rename = "for")]
    pub whom: Words,
    pub allow: Vec<String>,
    pub quota: Option<String>,
    pub minutes: Option<u32>,
    pub from: Option<String>,
    pub until: Option<String>,
}

/// `[[pause]]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Pause {
    #[serde(rename = "for")]
    pub whom: Words,
    pub what: String,
    pub until: Option<String>,
}

/// `[service.ID]`: a service of the household's own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Service {
    pub name: Option<String>,
    pub names: Vec<String>,
}

/// `[[client]]`, as in the settings file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Client {
    pub name: String,
    #[serde(rename = "match")]
    pub matches: Vec<String>,
    pub profile: Option<String>,
}

/// One word or a list of them.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged, expecting = "must be a text or a list of texts")]
pub enum Words {
    One(String),
    Many(Vec<String>),
}

impl Words {
    pub fn list(&self) -> &[String] {
        match self {
            Words::One(word) => std::slice::from_ref(word),
            Words::Many(words) => words,
        }
    }
}

impl Default for Words {
    fn default() -> Words {
        Words::Many(Vec::new())
    }
}

/// Yes or no, or yes for some.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged, expecting = "must be true, false or a list of texts")]
pub enum FlagOrWords {
    Flag(bool),
    Words(Vec<String>),
}

/// One's own name in `allow` and `deny`: for good, or until a time.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged, expecting = "must be a name, or { name = \"...\", until = \"...\" }")]
pub enum OwnName {
    Always(String),
    Until { name: String, until: String },
}

impl OwnName {
    pub fn name(&self) -> &str {
        match self {
            OwnName::Always(name) | OwnName::Until { name, .. } => name,
        }
    }

    pub fn until(&self) -> Option<&str> {
        match self {
            OwnName::Always(_) => None,
            OwnName::Until { until, .. } => Some(until),
        }
    }
}

impl Household {
    /// Reads the text of the file. The error is half a sentence that begins with the line.
    pub fn read(text: &str) -> Result<Household, String> {
        toml::from_str(text).map_err(|error| {
            let line = error.span().and_then(|span| text.get(..span.start));
            let line = line.map_or(1, |before| before.matches('\n').count() + 1);
            format!("line {line}: {}", error.message().trim().replace('\n', ", "))
        })
    }

    /// In the order of the file, as all that follow.
    pub fn profiles(&self) -> Vec<(&str, &Profile)> {
        in_order(&self.profile)
    }

    pub fn persons(&self) -> Vec<(&str, &Person)> {
        in_order(&self.person)
    }

    pub fn services(&self) -> Vec<(&str, &Service)> {
        in_order(&self.service)
    }

    pub fn profile(&self, name: &str) -> Option<&Profile> {
        self.profile.get(name).map(Spanned::get_ref)
    }

    pub fn person(&self, id: &str) -> Option<&Person> {
        self.person.get(id).map(Spanned::get_ref)
    }

    /// Persons and devices of a group, those of groups within it among them, each once.
    pub fn members<'h>(&'h self, group: &'h str) -> Vec<&'h str> {
        let (mut members, mut open, mut seen) = (Vec::new(), vec![group], Vec::new());
        while let Some(name) = open.pop() {
            if seen.contains(&name) {
                continue;
            }
            seen.push(name);
            match self.groups.iter().find(|group| group.name == name) {
                Some(group) => open.extend(group.members.iter().rev().map(String::as_str)),
                None => members.push(name),
            }
        }
        members
    }

    pub fn service(&self, id: &str) -> Option<&Service> {
        self.service.get(id).map(Spanned::get_ref)
    }
}

fn in_order<T>(things: &BTreeMap<String, Spanned<T>>) -> Vec<(&str, &T)> {
    let mut things: Vec<_> = things.iter().collect();
    things.sort_by_key(|(_, thing)| thing.span().start);
    things
        .into_iter()
        .map(|(name, thing)| (name.as_str(), thing.get_ref()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn persons_come_in_the_order_of_the_file() {
        let household = Household::read("[person.zoe]\n[person.adam]\nname = 'Adam'").unwrap();
        let ids: Vec<&str> = household.persons().iter().map(|(id, _)| *id).collect();
        assert_eq!(ids, ["zoe", "adam"]);
    }

    #[test]
    fn the_members_of_a_group_are_those_of_groups_within_it_too_and_circles_end() {
        let household = Household::read(
            "[[group]]\nname = 'all'\nmembers = ['anna', 'kids', 'tv']\n\
             [[group]]\nname = 'kids'\nmembers = ['masha', 'all', 'anna']\n",
        )
        .unwrap();
        assert_eq!(household.members("all"), ["anna", "masha", "tv"]);
        assert_eq!(household.members("kids"), ["masha", "anna", "tv"]);
    }

    #[test]
    fn a_value_of_another_type_is_named_with_its_line() {
        let error = Household::read("version = 1\n[[window]]\nfor = 3\n").unwrap_err();
        assert!(error.starts_with("line 3: "), "{error}");
        assert!(error.contains("must be a text or a list of texts"), "{error}");
    }
}
