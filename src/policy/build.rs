//! Makes policy of settings and a gate.
//!
//! In: settings, a gate, the networks this machine is connected to, the time. Out: [`Policy`].
//! Fails: a profile that names what is nowhere is a [`PolicyError`].

use super::clients::{self, Clients};
use super::keeping::Keeping;
use super::marks::Marks;
use super::plans::{Made, Plans};
use super::profile::{OwnNames, Table};
use super::rules::Rules;
use super::triggers::{Kinds, Triggers};
use super::{Details, Policy, PolicyError, Profile, ProfileId, Source, is_of_list, sub_error};
use crate::catalogue::Catalogue;
use crate::config::household::OwnName;
use crate::config::settings::{ImposedBy, ListAction, ListSettings, ProfileSettings, Settings, Unmatched};
use crate::dns::name::Name;
use crate::dns::translate;
use crate::list::set::Gate;
use ipnet::IpNet;
use std::collections::HashMap;
use std::iter;
use std::sync::LazyLock;

impl Policy {
    /// Policy for these settings over this gate. `connected`: the networks this machine is directly connected to, for
    /// the access list where the settings have none.
    pub fn build(gate: &Gate, settings: &Settings, connected: &[IpNet]) -> Result<Policy, PolicyError> {
        Policy::build_at(gate, settings, connected, 0)
    }

    /// The same from this Unix second on: what a household's windows say is known for the weeks after.
    pub fn build_at(gate: &Gate, settings: &Settings, connected: &[IpNet], now_s: u64) -> Result<Policy, PolicyError> {
        Policy::build_for(gate, settings, connected, now_s, |_| true)
    }

    /// Policy to explain one decision by: lists are in force only for profiles that are `asked` for by name. The others are
    /// checked all the same.
    pub fn build_for(
        gate: &Gate,
        settings: &Settings,
        connected: &[IpNet],
        now_s: u64,
        asked: impl Fn(&str) -> bool,
    ) -> Result<Policy, PolicyError> {
        let sources: Vec<Source> = gate
            .sources()
            .iter()
            .map(|source| {
                let list = settings.lists.iter().find(|list| is_of_list(&source.name, &list.name));
                Source {
                    name: source.name.clone(),
                    category: source.category.clone(),
                    lets_through: source.is_allow(),
                    sub_error: sub_error::of_category(&source.category),
                    observe: list.is_some_and(|list| list.observe),
                    imposed_by: list.map_or(ImposedBy::Household, |list| list.imposed_by),
                }
            })
            .collect();
        if settings.profiles.len() > usize::from(u16::MAX) {
            return Err(PolicyError::TooManyProfiles(settings.profiles.len()));
        }
        let observe: Vec<bool> = sources.iter().map(|source| source.observe).collect();
        let rules = Rules::new(gate, &observe);
        let kinds = Kinds::of_sources(gate, &rules);
        let own_services = settings
            .household
            .as_ref()
            .map_or(&[][..], |household| &household.services);
        let marks = match settings.household.is_some() || settings.profiles.iter().any(Marks::are_wanted) {
            true => Marks::new(Catalogue::shipped(), own_services),
            false => Marks::default(),
        };
        let mut by_any = vec![false; sources.len()];
        let mut tables: Vec<Table> = Vec::new();
        let mut numbers: HashMap<Box<[bool]>, u16> = HashMap::new();
        let mut profiles = Vec::with_capacity(settings.profiles.len());
        let mut details = Vec::with_capacity(settings.profiles.len());
        for profile in &settings.profiles {
            let (mut active, missing) = enabled(gate, settings, profile)?;
            if !asked(&profile.name) {
                active.fill(false);
            }
            let table = match numbers.get(&active) {
                Some(&table) => table,
                None => {
                    tables.push(Table::new(&active, &kinds));
                    by_any.iter_mut().zip(&active).for_each(|(any, active)| *any |= active);
                    let number = (tables.len() - 1) as u16;
                    numbers.insert(active, number);
                    number
                }
            };
            let own = OwnNames::new(&profile.allow, &profile.deny);
            let chosen = marks.chosen(profile)?;
            let only = profile
                .only
                .as_ref()
                .map(|only| OwnNames::new(&[&only[..], reachable()].concat(), &[]));
            let has_more = !chosen.is_empty() || only.is_some() || !profile.types.is_empty();
            let kinds = tables[usize::from(table)].kinds();
            profiles.push(Profile {
                table,
                answer: profile.answer,
                imposed_by: profile.imposed_by,
                observe: profile.observe,
                has_own: !own.is_empty(),
                has_more,
                guard: chosen.guard(),
                rebinding: profile.rebinding,
                look_alikes: profile.look_alikes,
                has_addresses: !profile.answer_addresses.is_empty(),
                alone: own.is_empty() && !has_more && missing.is_empty() && !kinds.clients && kinds.servers.is_none(),
                ttl_s: profile.answer_ttl.as_secs() as u32,
            });
            details.push(Details {
                name: profile.name.clone(),
                own,
                only,
                chosen,
                types: profile.types.clone(),
                addresses: profile.answer_addresses.clone(),
                missing,
            });
        }
        for word in settings.household.iter().flat_map(|household| household.list_words()) {
            of_word(gate, word).into_iter().for_each(|source| by_any[source] = true);
        }
        let mut policy = Policy::of_nobody(settings);
        let ids: HashMap<&str, ProfileId> = settings
            .profiles
            .iter()
            .enumerate()
            .map(|(at, profile)| (profile.name.as_str(), ProfileId(at as u16)))
            .collect();
        let profile = |name: &str| ids.get(name).copied();
        policy.clients = Clients::new(&settings.clients, may_ask(settings, connected), |client| match profile(
            &client.profile,
        ) {
            Some(id) => Ok(Some(id)),
            None => Err(PolicyError::NoSuchProfile {
                client: client.name.clone(),
                profile: client.profile.clone(),
            }),
        })?;
        if let Some(household) = &settings.household {
            let made = Made {
                gate,
                marks: &marks,
                kinds: &kinds,
                sources: &|word| of_word(gate, word),
            };
            policy.plans = Plans::new(settings, household, &made, profile, now_s)?;
            policy.always = OwnNames::new(reachable(), &[]);
            policy.made_s = now_s;
        }
        policy.unmatched = match settings.server.unmatched {
            Unmatched::Refuse => None,
            Unmatched::Open => Some(None),
            // Without a profile of that name nobody is let through unfiltered. Settings that were checked have one.
            Unmatched::Default => profile("default").map(Some),
        };
        policy.keeping = Keeping::new(settings);
        policy.any_look_alikes = profiles.iter().any(|profile| profile.look_alikes);
        policy.any_rebinding = profiles.iter().any(|profile| profile.rebinding);
        if policy.any_rebinding {
            let zones = settings.zones.iter().map(|zone| OwnName::from(zone.name.clone()));
            let inward: Vec<OwnName> = settings.server.rebinding_allow.iter().cloned().chain(zones).collect();
            policy.inward = OwnNames::new(&inward, &[]);
        }
        policy.profiles = profiles;
        policy.details = details;
        policy.tables = tables;
        policy.any = Table::new(&by_any, &kinds);
        policy.triggers = Triggers::new(gate, &rules, &by_any)?;
        policy.rules = rules;
        policy.sources = sources;
        policy.marks = marks;
        Ok(policy)
    }

    /// Policy that filters nobody, for `--without-lists`: only the access list counts.
    pub fn unfiltered(settings: &Settings, connected: &[IpNet]) -> Policy {
        let clients = Clients::new(&settings.clients, may_ask(settings, connected), |_| {
            Ok::<_, std::convert::Infallible>(None)
        });
        Policy {
            clients: clients.unwrap_or_else(|never| match never {}),
            // What is kept of whom does not depend on lists.
            keeping: Keeping::new(settings),
            ..Policy::of_nobody(settings)
        }
    }

    /// The same, and nobody may ask.
    fn of_nobody(settings: &Settings) -> Policy {
        Policy {
            clients: Clients::default(),
            unmatched: match settings.server.unmatched {
                Unmatched::Refuse => None,
                _ => Some(None),
            },
            profiles: Vec::new(),
            details: Vec::new(),
            tables: Vec::new(),
            any: Table::new(&[], &[]),
            triggers: Triggers::default(),
            rules: Rules::default(),
            sources: Vec::new(),
            marks: Marks::default(),
            plans: Plans::default(),
            keeping: Keeping::default(),
            made_s: 0,
            always: OwnNames::default(),
            inward: OwnNames::default(),
            any_rebinding: false,
            any_look_alikes: false,
            translated: iter::once(translate::WELL_KNOWN)
                .chain(settings.resolver.dns64.iter().copied())
                .collect(),
        }
    }
}

/// What is reachable whatever is off.
fn reachable() -> &'static [OwnName] {
    static NAMES: LazyLock<Vec<OwnName>> = LazyLock::new(|| {
        let names = Catalogue::shipped().reachable.iter();
        names
            .filter_map(|(_, name)| Name::parse(name).ok().map(OwnName::from))
            .collect()
    });
    &NAMES
}

/// The sources that a word names: those of the list, or of the category that block.
fn of_word(gate: &Gate, word: &str) -> Vec<usize> {
    let sources = gate.sources().iter().enumerate();
    let named =
        sources.filter(|(_, source)| is_of_list(&source.name, word) || !source.is_allow() && source.category == word);
    named.map(|(at, _)| at).collect()
}

/// The networks that may ask at all.
fn may_ask(settings: &Settings, connected: &[IpNet]) -> Vec<IpNet> {
    match &settings.server.allow {
        Some(allow) => allow.clone(),
        None => [clients::default_access(), connected.to_vec()].concat(),
    }
}

/// Which sources a profile enables, and which lists it asks for that the gate lacks.
fn enabled(
    gate: &Gate,
    settings: &Settings,
    profile: &ProfileSettings,
) -> Result<(Box<[bool]>, Vec<String>), PolicyError> {
    let sources = gate.sources();
    let mut active = vec![false; sources.len()].into_boxed_slice();
    let mut missing = Vec::new();
    let in_settings = |action: ListAction, word: &str, by_category: bool| -> Vec<&ListSettings> {
        settings
            .lists
            .iter()
            .filter(|list| list.action == action && (list.name == word || by_category && list.category == word))
            .collect()
    };
    let mut lacks = |list: &ListSettings| {
        if !sources.iter().any(|source| is_of_list(&source.name, &list.name)) && !missing.contains(&list.name) {
            missing.push(list.name.clone());
        }
    };
    if profile.every_category {
        for (index, source) in sources.iter().enumerate() {
            active[index] |= !source.is_allow();
        }
        settings
            .lists
            .iter()
            .filter(|list| list.action == ListAction::Block)
            .for_each(&mut lacks);
    }
    for (key, words, action) in [
        ("block", &profile.block, ListAction::Block),
        ("allow_lists", &profile.allow_lists, ListAction::Allow),
    ] {
        let by_category = action == ListAction::Block;
        for word in words {
            let mut known = false;
            for (index, source) in sources.iter().enumerate() {
                if source.action == action
                    && (is_of_list(&source.name, word) || by_category && source.category == *word)
                {
                    active[index] = true;
                    known = true;
                }
            }
            let lists = in_settings(action, word, by_category);
            if !known && (lists.is_empty() || settings.gate.is_some()) {
                return Err(PolicyError::UnknownWord {
                    profile: profile.name.clone(),
                    key,
                    word: word.clone(),
                });
            }
            if settings.gate.is_none() {
                lists.into_iter().for_each(&mut lacks);
            }
        }
    }
    missing.sort();
    Ok((active, missing))
}
