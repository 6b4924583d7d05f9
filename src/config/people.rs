//! Profiles and clients: who gets what. They stand in the settings file or in the household file, never in both.

use super::error::{ConfigError, Problem};
use super::household::OwnName;
use super::load::{Loader, Seen};
use super::settings::*;
use super::shape;
use super::values;
use crate::nearest::nearest;
use ipnet::IpNet;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;
use toml::Spanned;

/// Reads profiles and clients into `settings`, whose lists are there already.
pub(super) fn read(
    loader: &mut Loader,
    settings: &mut Settings,
    profiles: &BTreeMap<String, Spanned<shape::Profile>>,
    clients: &[Spanned<shape::Client>],
) -> Result<(), ConfigError> {
    // In the order of the file, so that the first wrong one is the one reported.
    let mut in_order: Vec<_> = profiles.iter().collect();
    in_order.sort_by_key(|(_, shape)| shape.span().start);
    for (name, shape) in in_order {
        let profile = profile(loader, settings, name, shape)?;
        settings.profiles.push(profile);
    }
    settings.profiles.sort_by(|a, b| a.name.cmp(&b.name));
    settings.clients = read_clients(loader, &settings.profiles, clients)?;

    let nobody = settings.clients.is_empty() && settings.household.is_none();
    let has_default = settings.profiles.iter().any(|profile| profile.name == "default");
    if settings.server.unmatched == Unmatched::Default && !has_default {
        if !nobody {
            let span = clients.first().map_or(0..0, |client| client.span());
            return Err(loader.fail(
                span,
                Problem::Other(
                    "clients are defined, so that unmatched = \"default\" needs a profile of that name; \
                     add [profile.default], or write unmatched = \"open\" or \"refuse\" in [server]"
                        .to_owned(),
                ),
            ));
        }
        settings.profiles.push(ProfileSettings::blocking_everything());
        settings.profiles.sort_by(|a, b| a.name.cmp(&b.name));
    }
    warn_of_the_unused(loader, settings, profiles);
    Ok(())
}

fn profile(
    loader: &mut Loader,
    settings: &Settings,
    name: &str,
    shape: &Spanned<shape::Profile>,
) -> Result<ProfileSettings, ConfigError> {
    let written = shape.get_ref();
    if name.is_empty() || name.chars().any(char::is_control) {
        return Err(loader.fail(
            shape.span(),
            Problem::Other("a profile has no name; write [profile.child] or the like".to_owned()),
        ));
    }
    let default = ProfileSettings::named(name);
    let block = written.block.as_deref().unwrap_or_default();
    let allow_lists = written.allow_lists.as_deref().unwrap_or_default();
    words_exist(loader, settings, name, "block", ListAction::Block, block)?;
    words_exist(loader, settings, name, "allow_lists", ListAction::Allow, allow_lists)?;
    let allow = loader.values(written.allow.as_deref().unwrap_or_default(), "profile.allow", |text| {
        values::own_name(text).map(OwnName::from)
    })?;
    let deny = loader.values(written.deny.as_deref().unwrap_or_default(), "profile.deny", |text| {
        values::own_name(text).map(OwnName::from)
    })?;
    if block.is_empty() && deny.is_empty() {
        if written.block.is_none() {
            return Err(loader.fail(
                shape.span(),
                Problem::Other(format!(
                    "profile \"{name}\" names no list and no category; add block = [\"adult\"] or others, \
                     or block = [] if it is to filter nothing"
                )),
            ));
        }
        loader.warn(
            shape.span(),
            format!("profile \"{name}\" blocks nothing; name categories or lists in block if that is not meant"),
        );
    }
    let both: HashSet<_> = allow.iter().collect();
    if let Some((_, text)) = deny
        .iter()
        .zip(written.deny.as_deref().unwrap_or_default())
        .find(|(name, _)| both.contains(name))
    {
        loader.warn(
            text.span(),
            format!(
                "profile \"{name}\" both allows and denies \"{}\"; allow wins, leave one out",
                text.get_ref()
            ),
        );
    }
    let answer = loader.word(
        written.answer.as_ref(),
        "profile.answer",
        default.answer,
        &[
            ("null", AnswerKind::Null),
            ("nxdomain", AnswerKind::Nxdomain),
            ("nodata", AnswerKind::Nodata),
            ("refused", AnswerKind::Refused),
            ("page", AnswerKind::Page),
        ],
    )?;
    let addresses = written.answer_addresses.as_ref();
    let answer_addresses = loader.values(
        addresses.map_or(&[][..], |addresses| addresses.get_ref()),
        "profile.answer_addresses",
        values::address,
    )?;
    match (answer, answer_addresses.is_empty()) {
        (AnswerKind::Page, true) => {
            let span = written.answer.as_ref().map_or(shape.span(), |answer| answer.span());
            return Err(loader.fail(
                span,
                Problem::Other(format!(
                    "profile \"{name}\" has answer = \"page\" without answer_addresses; add the addresses of the block page"
                )),
            ));
        }
        (AnswerKind::Page, false) | (_, true) => {}
        (_, false) => loader.warn(
            addresses.map_or(shape.span(), |addresses| addresses.span()),
            format!(
                "profile \"{name}\" has answer_addresses that nothing uses; write answer = \"page\" or leave them out"
            ),
        ),
    }
    Ok(ProfileSettings {
        block: block.iter().map(|word| word.get_ref().clone()).collect(),
        allow_lists: allow_lists.iter().map(|word| word.get_ref().clone()).collect(),
        allow,
        deny,
        answer,
        answer_addresses,
        answer_ttl: loader.value(
            written.answer_ttl.as_ref(),
            "profile.answer_ttl",
            default.answer_ttl,
            |text| match values::duration(text)? {
                ttl if ttl > Duration::from_secs(86_400) || ttl.subsec_millis() != 0 => {
                    Err("is out of bounds; write whole seconds up to \"1d\"".to_owned())
                }
                ttl => Ok(ttl),
            },
        )?,
        imposed_by: loader.imposed_by(written.imposed_by.as_ref(), "profile.imposed_by")?,
        observe: written.observe.unwrap_or(default.observe),
        ..default
    })
}

/// Checks that what a profile names is there. With a compiled gate file only the file can tell, and `policy` asks it.
fn words_exist(
    loader: &Loader,
    settings: &Settings,
    profile: &str,
    key: &'static str,
    action: ListAction,
    words: &[shape::Text],
) -> Result<(), ConfigError> {
    if settings.gate.is_some() {
        return Ok(());
    }
    for text in words {
        let word = text.get_ref();
        let fits = |list: &ListSettings| list.action == action;
        let named = |list: &ListSettings| list.name == *word;
        let in_category = |list: &ListSettings| action == ListAction::Block && list.category == *word;
        if settings
            .lists
            .iter()
            .any(|list| fits(list) && (named(list) || in_category(list)))
        {
            continue;
        }
        let why = if settings.lists.iter().any(|list| named(list) || list.category == *word) {
            match action {
                ListAction::Block => {
                    "its lists have action = \"allow\"; name them by list in allow_lists instead".to_owned()
                }
                ListAction::Allow => {
                    "that is not a list with action = \"allow\"; give the list that action or leave the word out"
                        .to_owned()
                }
            }
        } else {
            let known: Vec<String> = settings
                .lists
                .iter()
                .filter(|list| fits(list))
                .flat_map(|list| [list.name.clone(), list.category.clone()])
                .collect();
            match (action, nearest(word, &known)) {
                (_, Some(near)) => format!("there is no such list or category; is \"{near}\" meant?"),
                (ListAction::Block, None) => {
                    "there is no such list or category; add a [[list]] for it or leave the word out".to_owned()
                }
                (ListAction::Allow, None) => {
                    "there is no such list; add a [[list]] with action = \"allow\" or leave the word out".to_owned()
                }
            }
        };
        return Err(loader.fail(
            text.span(),
            Problem::ProfileWord {
                profile: profile.to_owned(),
                key,
                word: word.clone(),
                why,
            },
        ));
    }
    Ok(())
}

fn read_clients(
    loader: &Loader,
    profiles: &[ProfileSettings],
    shapes: &[Spanned<shape::Client>],
) -> Result<Vec<ClientSettings>, ConfigError> {
    let mut seen = Seen::new("client");
    let mut owners: HashMap<IpNet, (String, usize)> = HashMap::new();
    let mut clients = Vec::new();
    for shape in shapes {
        let client = shape.get_ref();
        let name = client.name.get_ref().clone();
        if name.is_empty() || name.chars().any(char::is_control) {
            return Err(loader.wrong(
                &client.name,
                "client.name",
                "is not a name; write one such as \"tablet\"",
            ));
        }
        seen.note(loader, &client.name, name.clone())?;
        if client.networks.get_ref().is_empty() {
            return Err(loader.fail(
                client.networks.span(),
                Problem::Other(format!(
                    "client \"{name}\" matches nothing; write its addresses or networks in match"
                )),
            ));
        }
        let networks = loader.values(client.networks.get_ref(), "client.match", values::network)?;
        for (network, text) in networks.iter().zip(client.networks.get_ref()) {
            let line = loader.source.line(text.span().start);
            if let Some((other, first)) = owners.insert(*network, (name.clone(), line)) {
                return Err(loader.fail(
                    text.span(),
                    Problem::SameNetwork {
                        client: name,
                        other,
                        line: first,
                        network: text.get_ref().clone(),
                    },
                ));
            }
        }
        let profile = client.profile.get_ref();
        if !profiles.iter().any(|known| known.name == *profile) {
            return Err(loader.fail(
                client.profile.span(),
                Problem::NoSuchProfile {
                    client: name,
                    profile: profile.clone(),
                },
            ));
        }
        clients.push(ClientSettings {
            name,
            tags: client
                .tags
                .as_deref()
                .unwrap_or_default()
                .iter()
                .map(|tag| tag.get_ref().clone())
                .collect(),
            networks,
            profile: profile.clone(),
            person: None,
        });
    }
    Ok(clients)
}

/// Profiles that no client has, categories that no profile blocks.
fn warn_of_the_unused(loader: &mut Loader, settings: &Settings, profiles: &BTreeMap<String, Spanned<shape::Profile>>) {
    for profile in &settings.profiles {
        let fallback = profile.name == "default" && settings.server.unmatched == Unmatched::Default;
        let used = fallback || settings.clients.iter().any(|client| client.profile == profile.name);
        if let (false, Some(shape)) = (used, profiles.get(&profile.name)) {
            loader.warn(
                shape.span(),
                format!(
                    "profile \"{}\" is nobody's; give it to a client or leave it out",
                    profile.name
                ),
            );
        }
    }
    if settings.profiles.iter().any(|profile| profile.every_category) {
        return;
    }
    let blocked: HashSet<&str> = settings
        .profiles
        .iter()
        .flat_map(|profile| &profile.block)
        .map(String::as_str)
        .collect();
    let mut idle: Vec<&str> = settings
        .lists
        .iter()
        .filter(|list| list.action == ListAction::Block)
        .filter(|list| !blocked.contains(list.name.as_str()) && !blocked.contains(list.category.as_str()))
        .map(|list| list.category.as_str())
        .collect();
    idle.sort_unstable();
    idle.dedup();
    for category in idle {
        loader.warnings.push(super::error::Warning {
            file: settings.file.clone(),
            line: None,
            sentence: format!(
                "no profile blocks the category \"{category}\"; add it to a profile's block or leave its lists out"
            ),
        });
    }
}
