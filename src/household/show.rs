//! The household in plain words, and as one JSON object: who is who, what holds for them, what is granted until when.
//!
//! In: the text of the file, the time. Out: a [`View`].
//! Always: what has ended is left out, whether or not it still stands in the file.
//! Fails: with the sentence of an edit, for a file that cannot be read or a word that names nobody.

mod text;

use crate::household::edit::error::EditError;
use crate::household::edit::people::{self, Who, household_zone, person_said, said_words};
use crate::household::edit::when::Wall;
use crate::household::edit::{Around, reaches};
use crate::household::phrases;
use crate::household::shape::{Device, Grant, Household, OwnName, Pause, Words};
use serde::{Deserialize, Serialize};

/// All of it, or what concerns some.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct View {
    /// The zone of whoever has none of their own.
    pub timezone: String,
    pub persons: Vec<PersonView>,
    /// Those that are nobody's, and the clients.
    pub devices: Vec<DeviceView>,
    pub groups: Vec<GroupView>,
    pub profiles: Vec<ProfileView>,
    pub services: Vec<ServiceView>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonView {
    pub id: String,
    pub name: String,
    pub profile: String,
    /// Of their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    pub devices: Vec<DeviceView>,
    pub allow: Vec<NameView>,
    pub deny: Vec<NameView>,
    #[serde(flatten)]
    pub rules: Rules,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceView {
    pub name: String,
    #[serde(rename = "match")]
    pub matches: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// What holds for this device beside what holds for its owner.
    #[serde(flatten)]
    pub rules: Rules,
}

/// What holds for somebody, be it by their own name, their group's or their profile's.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rules {
    pub windows: Vec<WindowView>,
    pub quotas: Vec<QuotaView>,
    pub grants: Vec<GrantView>,
    pub pauses: Vec<PauseView>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowView {
    /// For commands: its name, or `2` for the second of the file.
    pub name: String,
    #[serde(rename = "for")]
    pub whom: Vec<String>,
    pub days: Vec<String>,
    pub from: String,
    pub to: String,
    pub block: Vec<String>,
    pub allow: Vec<String>,
    pub reach: Vec<String>,
    /// All of that in words.
    pub says: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuotaView {
    pub name: String,
    #[serde(rename = "for")]
    pub whom: Vec<String>,
    pub of: Vec<String>,
    pub limit: String,
    pub per: String,
    pub says: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantView {
    #[serde(rename = "for")]
    pub whom: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allow: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quota: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minutes: Option<u32>,
    /// As the file writes them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    pub says: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PauseView {
    #[serde(rename = "for")]
    pub whom: Vec<String>,
    pub what: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    pub says: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NameView {
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupView {
    pub name: String,
    pub members: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProfileView {
    pub name: String,
    /// What it does, a phrase each.
    pub says: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceView {
    pub id: String,
    pub names: Vec<String>,
}

/// Looks at the text of a household. `who`: a person, device, group or profile, and nobody else.
pub fn view(text: &str, who: Option<&str>, around: &Around) -> Result<View, EditError> {
    let household = Household::read(text).map_err(EditError::Unreadable)?;
    let looker = Looker {
        household: &household,
        around,
    };
    let zone = household_zone(&household, around);
    let timezone = zone.iana_name().unwrap_or("the system's").to_owned();
    // A bare profile is clear enough where nothing is changed.
    let who = match who {
        Some(word) if household.profile(word).is_some() && household.person(word).is_none() => {
            Some(Who::Profile(word.to_owned()))
        }
        who => who.map(|word| Who::read(word, &household)).transpose()?,
    };
    let who = who.filter(|who| *who != Who::Everyone);
    let concerns = |other: &Who| match &who {
        None => true,
        Some(who) => other == who || reaches(&who.word(), other, &household),
    };
    let owns = |id: &str| match &who {
        Some(Who::Device(name)) => {
            let device = household.devices.iter().find(|device| device.name == *name);
            device.is_some_and(|device| device.person.as_deref() == Some(id))
        }
        _ => false,
    };
    let persons: Vec<PersonView> = household
        .persons()
        .into_iter()
        .filter(|(id, _)| concerns(&Who::Person((*id).to_owned())) || owns(id))
        .map(|(id, _)| looker.person(id))
        .collect();
    let devices = household.devices.iter().filter(|device| {
        let owner = device.person.as_deref();
        owner.is_none_or(|id| household.person(id).is_none()) && concerns(&Who::Device(device.name.clone()))
    });
    let mut devices: Vec<DeviceView> = devices.map(|device| looker.device(device)).collect();
    let clients = household.clients.iter().filter(|_| who.is_none());
    devices.extend(clients.map(|client| DeviceView {
        name: client.name.clone(),
        matches: client.matches.clone(),
        profile: client.profile.clone(),
        rules: Rules::default(),
    }));
    let used = |name: &str| {
        let by_person = persons.iter().any(|person| person.profile == name);
        by_person || devices.iter().any(|device| device.profile.as_deref() == Some(name))
    };
    let profiles = household.profiles().into_iter();
    let profiles = profiles.filter(|(name, _)| concerns(&Who::Profile((*name).to_owned())) || used(name));
    Ok(View {
        timezone,
        profiles: profiles
            .map(|(name, profile)| ProfileView {
                name: name.to_owned(),
                says: phrases::profile(profile),
            })
            .collect(),
        groups: household
            .groups
            .iter()
            .filter(|group| concerns(&Who::Group(group.name.clone())))
            .map(|group| GroupView {
                name: group.name.clone(),
                members: group.members.clone(),
            })
            .collect(),
        services: match who {
            Some(_) => Vec::new(),
            None => household
                .services()
                .into_iter()
                .map(|(id, service)| ServiceView {
                    id: id.to_owned(),
                    names: service.names.clone(),
                })
                .collect(),
        },
        persons,
        devices,
    })
}

struct Looker<'a> {
    household: &'a Household,
    around: &'a Around<'a>,
}

impl Looker<'_> {
    fn person(&self, id: &str) -> PersonView {
        let person = self.household.person(id).cloned().unwrap_or_default();
        let who = Who::Person(id.to_owned());
        let names = |names: &[OwnName]| names.iter().filter_map(|name| self.own_name(id, name)).collect();
        let theirs = self.household.devices.iter();
        let theirs = theirs.filter(|device| device.person.as_deref() == Some(id));
        PersonView {
            id: id.to_owned(),
            name: person_said(id, self.household),
            profile: person.profile.unwrap_or_default(),
            timezone: person.timezone,
            devices: theirs.map(|device| self.device(device)).collect(),
            allow: names(&person.allow),
            deny: names(&person.deny),
            rules: self.rules(&|words| words.list().iter().any(|word| reaches(word, &who, self.household))),
        }
    }

    fn device(&self, device: &Device) -> DeviceView {
        let who = Who::Device(device.name.clone());
        let owner = device.person.clone().map(Who::Person);
        let alone = |words: &Words| {
            let reached = |who: &Who| words.list().iter().any(|word| reaches(word, who, self.household));
            reached(&who) && !owner.as_ref().is_some_and(reached)
        };
        DeviceView {
            name: device.name.clone(),
            matches: device.matches.clone(),
            profile: device.profile.clone(),
            rules: self.rules(&alone),
        }
    }

    fn rules(&self, concerns: &dyn Fn(&Words) -> bool) -> Rules {
        let windows = self.household.windows.iter().enumerate();
        let quotas = self.household.quotas.iter();
        let grants = self.household.grants.iter();
        let pauses = self.household.pauses.iter();
        Rules {
            windows: windows
                .filter(|(_, window)| concerns(&window.whom))
                .map(|(index, window)| WindowView {
                    name: window.name.clone().unwrap_or_else(|| (index + 1).to_string()),
                    whom: window.whom.list().to_vec(),
                    days: window.days.list().to_vec(),
                    from: window.from.clone(),
                    to: window.to.clone(),
                    block: window.block.clone(),
                    allow: window.allow.clone(),
                    reach: window.reach.clone(),
                    says: phrases::window(window, self.household),
                })
                .collect(),
            quotas: quotas
                .filter(|quota| concerns(&quota.whom))
                .map(|quota| QuotaView {
                    name: quota.name.clone(),
                    whom: quota.whom.list().to_vec(),
                    of: quota.of.clone(),
                    limit: quota.limit.clone(),
                    per: quota.per.clone().unwrap_or_else(|| "day".to_owned()),
                    says: phrases::quota(quota, self.household),
                })
                .collect(),
            grants: grants
                .filter(|grant| concerns(&grant.whom))
                .filter_map(|grant| self.grant(grant))
                .collect(),
            pauses: pauses
                .filter(|pause| concerns(&pause.whom))
                .filter_map(|pause| self.pause(pause))
                .collect(),
        }
    }

    fn wall(&self, words: &[String]) -> Wall {
        let known: Vec<Who> = words
            .iter()
            .filter_map(|word| Who::read(word, self.household).ok())
            .collect();
        people::wall(&known, self.household, self.around)
    }

    /// `None`: it has ended.
    fn grant(&self, grant: &Grant) -> Option<GrantView> {
        let wall = self.wall(grant.whom.list());
        let until = self.end(&wall, grant.until.as_deref())?;
        let from = grant.from.as_deref().and_then(|from| wall.stored(from));
        let from = from.filter(|from| *from > self.around.now);
        let from = from.map_or(String::new(), |from| {
            format!(" from {}", wall.said(from, self.around.now))
        });
        let whom = said_words(grant.whom.list(), self.household);
        let what = match (&grant.quota, grant.minutes) {
            (Some(quota), minutes) => format!("{} more minutes of {quota} for {whom}", minutes.unwrap_or_default()),
            (None, _) => format!("{whom} may have {}", phrases::things(&grant.allow)),
        };
        Some(GrantView {
            whom: grant.whom.list().to_vec(),
            allow: grant.allow.clone(),
            quota: grant.quota.clone(),
            minutes: grant.minutes,
            from: grant.from.clone(),
            until: grant.until.clone(),
            says: format!("{what}{from}{until}"),
        })
    }

    fn pause(&self, pause: &Pause) -> Option<PauseView> {
        let wall = self.wall(pause.whom.list());
        let until = self.end(&wall, pause.until.as_deref())?;
        let whom = said_words(pause.whom.list(), self.household);
        Some(PauseView {
            whom: pause.whom.list().to_vec(),
            what: pause.what.clone(),
            until: pause.until.clone(),
            says: format!("the {} is off for {whom}{until}", pause.what),
        })
    }

    fn own_name(&self, id: &str, name: &OwnName) -> Option<NameView> {
        self.end(&self.wall(&[id.to_owned()]), name.until())?;
        Some(NameView {
            name: name.name().to_owned(),
            until: name.until().map(str::to_owned),
        })
    }

    /// " until 21:30"; nothing where there is no end; `None` where it is past.
    fn end(&self, wall: &Wall, until: Option<&str>) -> Option<String> {
        let Some(text) = until else { return Some(String::new()) };
        match wall.stored(text) {
            Some(end) if end <= self.around.now => None,
            Some(end) => Some(format!(" until {}", wall.said(end, self.around.now))),
            None => Some(format!(" until {text}, which is no time")),
        }
    }
}

#[cfg(test)]
mod tests;
