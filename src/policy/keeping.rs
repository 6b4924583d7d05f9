//! Of whom something is kept when they ask, and when each device last asked.
//!
//! In: the settings' choices, once; then who asks. Out: [`Whose`], for those who chose that something is kept; the minute of each device.
//! Always: where nobody chose so, a query costs one branch. The minute of a device is written at most once a minute, so that cores hardly ever write
//! what others read. What is done with it is `activity`'s, in the hands of `serve`.

use super::decision::{Cause, Decision};
use super::{Asker, ClientId, Policy, ProfileId};
use crate::activity::{Whose, key};
use crate::config::settings::{LogChoice, LogSettings, Settings};
use crate::limits::{ACTIVITY_WHOSE, ASKED_CLIENTS};
use jiff::tz::TimeZone;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// See the page's first lines.
#[derive(Debug, Default)]
pub(super) struct Keeping {
    whose: Vec<Arc<Whose>>,
    /// By client: whose it is, or [`NOBODY`]; empty where nobody chose that anything is kept.
    of_clients: Box<[u32]>,
    /// The same for whoever is no client, by profile.
    of_profiles: Box<[u32]>,
    /// How many chose so and are past the bound.
    left_out: usize,
    /// By client: minutes since 1970 of its last query, 0 if there was none; empty where there are too many clients.
    asked: Box<[AtomicU32]>,
}

const NOBODY: u32 = u32::MAX;

impl Keeping {
    pub(super) fn new(settings: &Settings) -> Keeping {
        let household = settings.household.as_ref();
        let zone = household.map_or(TimeZone::UTC, |household| household.zone.clone());
        let mut all = Keeping {
            asked: match settings.clients.len() {
                many if many > ASKED_CLIENTS => Box::default(),
                few => (0..few).map(|_| AtomicU32::new(0)).collect(),
            },
            ..Keeping::default()
        };
        let keeps = |log: LogSettings| log.choice != LogChoice::Nothing;
        let mut people = household.iter().flat_map(|household| &household.people);
        if !people.any(|person| keeps(person.log)) && !settings.profiles.iter().any(|profile| keeps(profile.log)) {
            return all;
        }
        let profiles = settings
            .profiles
            .iter()
            .map(|profile| (profile.name.as_str(), profile.log));
        let logs: HashMap<&str, LogSettings> = profiles.collect();
        let mut of_people: HashMap<u32, u32> = HashMap::new();
        let of_clients = settings.clients.iter().map(|client| {
            let person = client
                .person
                .and_then(|at| Some((at, household?.people.get(at as usize)?)));
            match person {
                Some((at, person)) => *of_people
                    .entry(at)
                    .or_insert_with(|| all.add(key("person", &person.id), person.log, &person.zone)),
                None => {
                    let log = logs.get(client.profile.as_str()).copied().unwrap_or_default();
                    all.add(key("device", &client.name), log, &zone)
                }
            }
        });
        all.of_clients = of_clients.collect::<Vec<_>>().into();
        let of_profiles = settings.profiles.iter();
        let of_profiles = of_profiles.map(|profile| all.add(key("profile", &profile.name), profile.log, &zone));
        all.of_profiles = of_profiles.collect::<Vec<_>>().into();
        all
    }

    /// The number of somebody more.
    fn add(&mut self, key: String, log: LogSettings, zone: &TimeZone) -> u32 {
        if log.choice == LogChoice::Nothing {
            return NOBODY;
        }
        if self.whose.len() >= ACTIVITY_WHOSE {
            self.left_out += 1;
            return NOBODY;
        }
        self.whose.push(Arc::new(Whose {
            key,
            log,
            zone: zone.clone(),
        }));
        self.whose.len() as u32 - 1
    }

    fn of(&self, asker: &Asker) -> Option<&Arc<Whose>> {
        let number = match (asker.client, asker.profile) {
            (Some(ClientId(client)), _) => self.of_clients.get(client as usize),
            (None, Some(ProfileId(profile))) => self.of_profiles.get(usize::from(profile)),
            (None, None) => None,
        };
        self.whose.get(*number? as usize)
    }
}

impl Policy {
    /// Notes when who asks did so, and says of whom something is kept of it; `None` for most.
    #[inline]
    pub fn asks(&self, asker: &Asker) -> Option<&Arc<Whose>> {
        if let Some(ClientId(client)) = asker.client
            && let Some(asked) = self.keeping.asked.get(client as usize)
        {
            let minute = (asker.now_s / 60) as u32;
            if asked.load(Ordering::Relaxed) != minute {
                asked.store(minute, Ordering::Relaxed);
            }
        }
        match self.keeping.whose.is_empty() {
            true => None,
            false => self.keeping.of(asker),
        }
    }

    /// All of whom something is kept.
    pub fn kept_of(&self) -> &[Arc<Whose>] {
        &self.keeping.whose
    }

    /// How many chose that something is kept and are past the bound, so that nothing is.
    pub fn not_kept_of(&self) -> usize {
        self.keeping.left_out
    }

    /// Minutes since 1970 of each client's last query, 0 if there was none, by its name; of none where there are too many clients.
    pub fn asked(&self) -> impl Iterator<Item = (&str, u64)> {
        let asked = self.keeping.asked.iter().zip(0..);
        asked.map(|(minute, at)| (self.client_name(ClientId(at)), minute.load(Ordering::Relaxed).into()))
    }

    /// Takes over from a policy of before when clients of the same name last asked.
    pub fn remember(&self, before: &Policy) {
        let known: HashMap<&str, u64> = before.asked().filter(|(_, minute)| *minute != 0).collect();
        if known.is_empty() {
            return;
        }
        for (asked, at) in self.keeping.asked.iter().zip(0..) {
            if let Some(&minute) = known.get(self.client_name(ClientId(at))) {
                asked.fetch_max(minute as u32, Ordering::Relaxed);
            }
        }
    }

    /// What a decision that blocks rests on, in a word or two: the category of the list, or what of the settings.
    pub fn blocked_by(&self, decision: &Decision) -> &str {
        match decision.cause {
            Cause::Rule(_) => self
                .category_and_list(decision)
                .map_or("lists", |(category, _)| category),
            Cause::Service(number) => self.marks.service(number),
            Cause::Way(_) | Cause::Canary(_) => "bypass",
            Cause::Timed(_) => "times",
            Cause::NotAmongOnly => "only these names",
            Cause::Type => "types",
            _ => "own names",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::household::{Household, Person};
    use crate::config::settings::{ClientSettings, ProfileSettings};
    use crate::list::set::Gate;
    use std::path::Path;

    fn client(number: u32, person: Option<u32>) -> ClientSettings {
        ClientSettings {
            name: format!("d{number}"),
            tags: Vec::new(),
            networks: vec![std::net::IpAddr::from((0x0a00_0000 + number).to_be_bytes()).into()],
            profile: "kept".to_owned(),
            person,
        }
    }

    fn log(choice: LogChoice) -> LogSettings {
        LogSettings { choice, days: 7 }
    }

    /// Two persons with a device each and so many devices that are nobody's, whose profile keeps counts.
    fn policy(devices: u32) -> Policy {
        let mut settings = Settings::builtin(Path::new("/"));
        settings.lists.clear();
        let mut kept = ProfileSettings::named("kept");
        kept.log = log(LogChoice::Counts);
        settings.profiles.push(kept);
        let person = |id: &str, choice| Person {
            id: id.to_owned(),
            name: id.to_owned(),
            profile: "kept".to_owned(),
            zone: TimeZone::UTC,
            allow: Vec::new(),
            deny: Vec::new(),
            log: log(choice),
        };
        settings.household = Some(Household {
            people: vec![person("masha", LogChoice::Names), person("petya", LogChoice::Nothing)],
            ..Household::default()
        });
        settings.clients = (0..devices + 2)
            .map(|number| client(number, (number < 2).then_some(number)))
            .collect();
        Policy::build_at(&Gate::empty(), &settings, &[], 1_700_000_000).unwrap()
    }

    fn asks(policy: &Policy, number: u32) -> Option<(String, LogChoice)> {
        let addr = std::net::IpAddr::from((0x0a00_0000 + number).to_be_bytes());
        let asker = policy.client(addr, 1_700_000_000).unwrap();
        policy.asks(&asker).map(|whose| (whose.key.clone(), whose.log.choice))
    }

    #[test]
    fn a_person_has_its_own_choice_a_device_that_of_its_profile_and_strangers_that_of_theirs() {
        let policy = policy(1);
        assert_eq!(asks(&policy, 0), Some(("person:masha".to_owned(), LogChoice::Names)));
        assert_eq!(asks(&policy, 1), None);
        assert_eq!(asks(&policy, 2), Some(("device:d2".to_owned(), LogChoice::Counts)));
        // The default profile keeps nothing.
        assert_eq!(asks(&policy, 9), None);
        let asked: Vec<(&str, bool)> = policy.asked().map(|(name, minute)| (name, minute != 0)).collect();
        assert_eq!(asked, [("d0", true), ("d1", true), ("d2", true)], "whatever is kept");
    }

    #[test]
    fn past_the_bound_nothing_is_kept_and_it_is_known_of_how_many() {
        let policy = policy(ACTIVITY_WHOSE as u32 + 4);
        assert_eq!(policy.kept_of().len(), ACTIVITY_WHOSE);
        // Masha is one of those within it; the profile itself is one of those past it.
        assert_eq!(policy.not_kept_of(), 6);
        assert_eq!(asks(&policy, ACTIVITY_WHOSE as u32 + 5), None);
    }
}
