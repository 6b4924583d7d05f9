//! How a household is told in plain words, by commands, screens and sentences alike.
//!
//! In: things as the file has them. Out: phrases without a full stop.

use crate::household::edit::Kind;
use crate::household::edit::people::{joined, person_said, said_words};
use crate::household::shape::{FlagOrWords, Household, OwnName, Profile, Quota, Window, Words};
use toml_edit::Value;

/// What a new thing is.
pub fn new_thing(kind: Kind, name: &str, household: &Household) -> String {
    match kind {
        Kind::Person => {
            let profile = household.person(name).and_then(|person| person.profile.clone());
            format!(
                "{} is now part of this household, with profile {}",
                person_said(name, household),
                profile.unwrap_or_default()
            )
        }
        Kind::Device => match household.devices.iter().find(|device| device.name == name) {
            Some(device) => {
                let whose = match (&device.person, &device.profile) {
                    (Some(person), _) => format!("belongs to {}", person_said(person, household)),
                    (None, profile) => format!("has profile {}", profile.as_deref().unwrap_or_default()),
                };
                format!("device {name} ({}) now {whose}", device.matches.join(", "))
            }
            None => format!("device {name} is new"),
        },
        Kind::Client => format!("client {name} is new"),
        Kind::Group => {
            let group = household.groups.iter().find(|group| group.name == name);
            let members = group.map(|group| group.members.clone()).unwrap_or_default();
            format!("group {name} is now {}", said_words(&members, household))
        }
        Kind::Profile => match household.profile(name).map(profile) {
            Some(phrases) => format!("profile {name} is new: {}", phrases.join("; ")),
            None => format!("profile {name} is new"),
        },
        Kind::Window => {
            let found = household
                .windows
                .iter()
                .find(|window| window.name.as_deref() == Some(name));
            match found {
                Some(found) => format!("window {name} is new: {}", window(found, household)),
                None => format!("window {name} is new"),
            }
        }
        Kind::Quota => match household.quotas.iter().find(|quota| quota.name == name) {
            Some(found) => format!("quota {name} is new: {}", quota(found, household)),
            None => format!("quota {name} is new"),
        },
        Kind::Service => {
            let names = household.service(name).map(|service| service.names.join(", "));
            format!("service {name} is new: {}", names.unwrap_or_default())
        }
        Kind::Household => "the household is new".to_owned(),
    }
}

/// What a profile does, a phrase each; never none.
pub fn profile(profile: &Profile) -> Vec<String> {
    let mut phrases = Vec::new();
    let mut some = |what: &str, words: &[String]| {
        if !words.is_empty() {
            phrases.push(format!("{what} {}", words.join(", ")));
        }
    };
    let names = |names: &[OwnName]| names.iter().map(own_name).collect::<Vec<_>>();
    some("like", &profile.base.iter().cloned().collect::<Vec<_>>());
    some("blocks", &profile.block);
    some("blocks services", &profile.services);
    some("allows what is on", &profile.allow_lists);
    some("allows", &names(&profile.allow));
    some("blocks", &names(&profile.deny));
    some(
        "reaches only",
        profile.only.as_ref().map(Words::list).unwrap_or_default(),
    );
    some("YouTube", &profile.youtube.iter().cloned().collect::<Vec<_>>());
    match &profile.safe_search {
        Some(FlagOrWords::Words(engines)) => some("safe search on", engines),
        Some(FlagOrWords::Flag(true)) => some("safe search", &["on".to_owned()]),
        Some(FlagOrWords::Flag(false)) => some("safe search", &["off".to_owned()]),
        None => {}
    }
    let mut flag = |what: &str, value: Option<bool>| {
        if let Some(value) = value {
            phrases.push(format!("{what} {}", if value { "closed" } else { "open" }));
        }
    };
    flag("ways around the filter", profile.bypass_guard);
    flag("names with addresses of the home", profile.rebinding);
    flag("names that only look like another", profile.look_alikes);
    if let Some(log) = &profile.log {
        phrases.push(format!("keeps {log} of what is asked for"));
    }
    if !profile.types.is_empty() {
        phrases.push(format!("no answers of type {}", profile.types.join(", ")));
    }
    if phrases.is_empty() {
        phrases.push("blocks nothing".to_owned());
    }
    phrases
}

/// "no internet for Masha, school nights 21:00 to 07:00, but school.example".
pub fn window(window: &Window, household: &Household) -> String {
    let days = match window.days.list() {
        [] => "every day".to_owned(),
        days => days.join(", "),
    };
    let whom = said_words(window.whom.list(), household);
    let what = match window.block.is_empty() {
        false => format!("no {} for {whom}", joined(window.block.clone())),
        true => format!("{} may have {}", whom, things(&window.allow)),
    };
    let hours = format!("{what}, {days} {} to {}", window.from, window.to);
    with_reach(hours, &window.reach)
}

/// "Masha may have games for 1h a day".
pub fn quota(quota: &Quota, household: &Household) -> String {
    let mut text = format!(
        "{} may have {} for {} a {}",
        said_words(quota.whom.list(), household),
        things(&quota.of),
        quota.limit,
        quota.per.as_deref().unwrap_or("day")
    );
    if let Some(carry) = &quota.carry {
        text.push_str(&format!(", and up to {carry} that were left over"));
    }
    with_reach(text, &quota.reach)
}

fn with_reach(text: String, reach: &[String]) -> String {
    match reach {
        [] => text,
        names => format!("{text}, but always {}", joined(names.to_vec())),
    }
}

/// Things that somebody may have.
pub fn things(words: &[String]) -> String {
    joined(words.iter().map(|word| thing(word)).collect())
}

pub fn thing(word: &str) -> String {
    match word {
        "internet" => "the internet".to_owned(),
        word => word.to_owned(),
    }
}

/// "once.example (until 2026-12-01 22:00)".
pub fn own_name(name: &OwnName) -> String {
    match name {
        OwnName::Always(name) => name.clone(),
        OwnName::Until { name, until } => format!("{name} (until {})", until.replace('T', " ")),
    }
}

/// A value of the file without its marks.
pub fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.value().clone(),
        Value::Boolean(flag) => if *flag.value() { "on" } else { "off" }.to_owned(),
        Value::Integer(number) => number.value().to_string(),
        Value::Array(array) => {
            let words: Vec<String> = array.iter().map(plain).collect();
            match words.is_empty() {
                true => "empty".to_owned(),
                false => words.join(", "),
            }
        }
        Value::InlineTable(table) => {
            let text = |key: &str| table.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
            format!("{} (until {})", text("name"), text("until").replace('T', " "))
        }
        other => other.to_string().trim().to_owned(),
    }
}
