//! Who gets what: profiles, clients, and in the household file the persons whose devices these are. They stand in the settings file or
//! in the household file, never in both.

use super::devices;
use super::error::{ConfigError, Problem};
use super::household::{Household, Person};
use super::household_load;
use super::load::Loader;
use super::persons;
use super::profiles;
use super::settings::*;
use super::shape;
use super::times::{HOUSEHOLD, Zones};
use super::words::Vocabulary;
use jiff::tz::TimeZone;
use std::collections::{BTreeMap, HashSet};
use toml::Spanned;

/// Reads profiles and clients of the settings file into `settings`, whose lists are there already.
pub(super) fn read(
    loader: &mut Loader,
    settings: &mut Settings,
    profiles: &BTreeMap<String, Spanned<shape::Profile>>,
    clients: &[Spanned<shape::Client>],
) -> Result<(), ConfigError> {
    let words = Vocabulary::new(settings.gate.is_some(), &settings.lists, &[]);
    // A zone has no key here; times of own names are in the system's.
    let zone = TimeZone::try_system().unwrap_or(TimeZone::UTC);
    settings.profiles = profiles::read(loader, &words, profiles, &zone)?;
    settings.clients = devices::read(loader, &settings.profiles, clients, &[], &[], &mut Default::default())?;
    finish(loader, settings, profiles, clients.first().map(|client| client.span()))
}

/// Reads the household file.
pub(super) fn read_household(
    loader: &mut Loader,
    settings: &mut Settings,
    shape: &shape::Household,
) -> Result<(), ConfigError> {
    household_load::counts(loader, shape)?;
    let own_words = Vocabulary::new(settings.gate.is_some(), &settings.lists, &[]);
    let services = household_load::services(loader, &own_words, &shape.service)?;
    let words = Vocabulary::new(settings.gate.is_some(), &settings.lists, &services);
    let has_family = shape.timezone.is_some()
        || !(shape.person.is_empty() && shape.device.is_empty() && shape.group.is_empty() && shape.window.is_empty())
        || !(shape.quota.is_empty() && shape.grant.is_empty() && shape.pause.is_empty() && services.is_empty());
    let mut zones = Zones::new(loader, shape.timezone.as_ref(), has_family)?;
    settings.profiles = profiles::read(loader, &words, &shape.profile, zones.get(HOUSEHOLD))?;
    let persons = persons::read(loader, &settings.profiles, &shape.person, &mut zones)?;
    let mut names = persons.names;
    for client in &shape.client {
        // Here something can be for a client, too.
        loader.value(Some(&client.get_ref().name), "client.name", (), persons::id)?;
    }
    settings.clients = devices::read(
        loader,
        &settings.profiles,
        &shape.client,
        &shape.device,
        &persons.people,
        &mut names,
    )?;
    let first = shape.client.first().map(|client| client.span());
    let first = first.or(shape.device.first().map(|device| device.span()));
    if has_family {
        let mut household = Household {
            zone: zones.get(HOUSEHOLD).clone(),
            people: persons.people,
            windows: Vec::new(),
            quotas: Vec::new(),
            grants: Vec::new(),
            earned: Vec::new(),
            pauses: Vec::new(),
            services,
        };
        warn_of_bare_persons(loader, &household.people, &settings.clients, shape);
        household_load::Rules {
            words: &words,
            zones: &zones,
            zone_of: &persons.zone_of,
            profiles: &settings.profiles,
            clients: &settings.clients,
        }
        .read(loader, &mut household, shape, names)?;
        settings.household = Some(household);
    }
    finish(loader, settings, &shape.profile, first)
}

/// What only everybody together can tell. `first`: where the first client stands.
fn finish(
    loader: &mut Loader,
    settings: &mut Settings,
    profiles: &BTreeMap<String, Spanned<shape::Profile>>,
    first: Option<std::ops::Range<usize>>,
) -> Result<(), ConfigError> {
    // A household file that says nothing yet defines nobody.
    let nothing = settings.household.is_none() && (settings.household_file.is_none() || settings.profiles.is_empty());
    let nobody = settings.clients.is_empty() && nothing;
    let has_default = settings.profiles.iter().any(|profile| profile.name == "default");
    if settings.server.unmatched == Unmatched::Default && !has_default {
        if !nobody {
            return Err(loader.fail(
                first.unwrap_or(0..0),
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

/// Persons without a device, who get what strangers get.
fn warn_of_bare_persons(loader: &mut Loader, people: &[Person], clients: &[ClientSettings], shape: &shape::Household) {
    let mut has = vec![false; people.len()];
    for person in clients.iter().filter_map(|client| client.person) {
        if let Some(has) = has.get_mut(person as usize) {
            *has = true;
        }
    }
    let bare: Vec<&Person> = people
        .iter()
        .zip(&has)
        .filter(|(_, has)| !**has)
        .map(|(person, _)| person)
        .collect();
    let Some(first) = bare.first() else { return };
    let span = shape.person.get(&first.id).map_or(0..0, |person| person.span());
    let who = match bare.len() {
        1 => format!("person {:?} has no device", first.id),
        several => format!("{several} persons have no device, the first is {:?}", first.id),
    };
    loader.warn(
        span,
        format!(
            "{who}, and queries come from devices; add a [[device]] with person = {:?}",
            first.id
        ),
    );
}

/// Profiles that no client has, categories that no profile blocks.
fn warn_of_the_unused(loader: &mut Loader, settings: &Settings, profiles: &BTreeMap<String, Spanned<shape::Profile>>) {
    let household = settings.household.as_ref();
    let people = household.iter().flat_map(|household| &household.people);
    let of_clients = settings.clients.iter().map(|client| client.profile.as_str());
    let of_people = people.map(|person| person.profile.as_str());
    let bases = profiles.values().filter_map(|shape| shape.get_ref().base.as_ref());
    let used: HashSet<&str> = of_clients
        .chain(of_people)
        .chain(bases.map(|base| base.get_ref().as_str()))
        .collect();
    for profile in &settings.profiles {
        let fallback = profile.name == "default" && settings.server.unmatched == Unmatched::Default;
        let used = fallback || used.contains(profile.name.as_str());
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
    let of_profiles = settings.profiles.iter().flat_map(|profile| &profile.block);
    let of_windows = household
        .iter()
        .flat_map(|household| household.windows.iter().map(|window| &window.block));
    let of_quotas = household
        .iter()
        .flat_map(|household| household.quotas.iter().map(|quota| &quota.of));
    let of_family = of_windows.chain(of_quotas).flat_map(|target| &target.lists);
    let blocked: HashSet<&str> = of_profiles.chain(of_family).map(String::as_str).collect();
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
