//! What holds for whom, and when: windows, grants and pauses of a household.
//!
//! In: the household's settings, the clients, a time; once. Then a client and a second. Out: the [`Layer`] that holds for it.
//! Always: a schedule is a table of its changes, shared by all whom the same things are for, so that asking what holds costs one short
//! search, whatever the windows; what does not hold costs nothing more. Decides nothing itself: `timed` does.
//! Of what holds together the first of this order that concerns a name counts: pauses of the filter, grants, pauses of the internet, quotas
//! that are spent, windows, of those the one that stands last in the file.

use super::accounts::{Account, Accounts, Earned, Holder};
use super::marks::{Chosen, Marks};
use super::people::PeopleNames;
use super::profile::{OwnNames, Table};
use super::triggers::Kinds;
use super::{ClientId, PolicyError, ProfileId};
use crate::config::household::{Household, Paused, Subjects, Target};
use crate::config::settings::Settings;
use crate::list::set::Gate;
use crate::schedule::{Span, Timetable, Window};
use jiff::tz::TimeZone;
use std::collections::HashMap;

/// Seconds that timetables reach ahead. A policy is made anew long before: at every change of lists or settings, and by `serve` each day.
const AHEAD_S: i64 = 40 * 86_400;
/// Seconds that they reach back, for clocks that are set.
const BACK_S: i64 = 2 * 86_400;

/// See the page's first lines.
#[derive(Default)]
pub struct Family {
    items: Vec<Item>,
    plans: Vec<Plan>,
    layers: Vec<Layer>,
    /// By client: its plan, [`NO_PLAN`] where nothing is ever for it.
    of_clients: Box<[u32]>,
    /// The plan of whoever is no client, by profile.
    of_profiles: Box<[u32]>,
    /// By person.
    pub own: PeopleNames,
    /// By client: its person, or [`NOBODY`].
    people: Box<[u32]>,
    pub accounts: Accounts,
}

const NO_PLAN: u32 = u32::MAX;
const NOBODY: u32 = u32::MAX;

/// What may hold for somebody, and when.
struct Plan {
    table: Timetable,
    /// By state of the table: its layer.
    layers: Box<[LayerId]>,
    schedule: Schedule,
}

/// What a timetable is made of, for times that it does not reach.
#[derive(Clone)]
struct Schedule {
    zone: TimeZone,
    windows: Vec<Window>,
    spans: Vec<Span>,
    /// Items of the windows and then of the spans.
    items: Vec<u32>,
}

/// What holds together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct LayerId(u32);

impl LayerId {
    /// Nothing holds but the profile.
    pub const NONE: LayerId = LayerId(0);
}

/// Items that hold together, in the order in which they count.
type Layer = Box<[u32]>;

/// A window, a grant or a pause.
pub struct Item {
    /// As the file names it.
    pub name: String,
    /// Line of the file.
    pub line: usize,
    pub does: Does,
    /// What it is about.
    pub about: About,
    /// What stays reachable where the internet is off.
    pub reach: About,
}

/// What an item does, in the order in which items count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Does {
    /// Nothing is filtered.
    PausesFilter,
    Grants,
    PausesInternet,
    /// A quota: blocks when it is spent.
    Limits,
    /// Of windows the last one counts: the number is that of the file, backward.
    Allows(std::cmp::Reverse<u32>),
    Blocks(std::cmp::Reverse<u32>),
}

impl Does {
    fn rank(self) -> (u8, std::cmp::Reverse<u32>) {
        let none = std::cmp::Reverse(0);
        match self {
            Does::PausesFilter => (0, none),
            Does::Grants => (1, none),
            Does::PausesInternet => (2, none),
            Does::Limits => (3, none),
            Does::Allows(at) | Does::Blocks(at) => (4, at),
        }
    }
}

/// What something is about, ready to be asked.
#[derive(Default)]
pub struct About {
    pub internet: bool,
    pub names: OwnNames,
    pub services: Chosen,
    /// The sources of the lists and categories.
    pub table: Option<Table>,
}

/// What a policy has made before.
pub struct Made<'m> {
    pub gate: &'m Gate,
    pub marks: &'m Marks,
    pub kinds: &'m [Kinds],
    /// The sources of a word of a category or list.
    pub sources: &'m dyn Fn(&str) -> Vec<usize>,
}

impl Family {
    /// `profile`: the id of a profile.
    pub fn new(
        settings: &Settings,
        family: &Household,
        made: &Made<'_>,
        profile: impl Fn(&str) -> Option<ProfileId>,
        now_s: u64,
    ) -> Result<Family, PolicyError> {
        let mut all = Family {
            people: settings
                .clients
                .iter()
                .map(|client| client.person.unwrap_or(NOBODY))
                .collect(),
            layers: vec![Box::default()],
            ..Family::default()
        };
        for person in &family.people {
            all.own
                .push(&person.allow, &person.deny)
                .ok_or(PolicyError::TooManyNames)?;
        }
        all.own.shrink();
        let mut times = Vec::new();
        let mut subjects: Vec<&Subjects> = Vec::new();
        for (window, at) in family.windows.iter().zip(0..) {
            let at = std::cmp::Reverse(at);
            for (does, target) in [(Does::Blocks(at), &window.block), (Does::Allows(at), &window.allow)] {
                if *target == Target::default() {
                    continue;
                }
                all.items.push(Item {
                    name: window.name.clone(),
                    line: window.line,
                    does,
                    about: About::new(target, made),
                    reach: About::new(&window.reach, made),
                });
                times.push(Time::Window(window.when.clone()));
                subjects.push(&window.subjects);
            }
        }
        for grant in &family.grants {
            all.items.push(Item {
                name: grant.name.clone(),
                line: grant.line,
                does: Does::Grants,
                about: About::new(&grant.allow, made),
                reach: About::default(),
            });
            times.push(Time::Span(span(grant.from, grant.until)));
            subjects.push(&grant.subjects);
        }
        for pause in &family.pauses {
            let does = match pause.what {
                Paused::Filter => Does::PausesFilter,
                Paused::Internet => Does::PausesInternet,
            };
            all.items.push(Item {
                name: "pause".to_owned(),
                line: pause.line,
                does,
                about: About {
                    internet: true,
                    ..About::default()
                },
                reach: About::default(),
            });
            times.push(Time::Span(span(pause.from, pause.until)));
            subjects.push(&pause.subjects);
        }
        let first_quota = all.items.len();
        for quota in &family.quotas {
            all.items.push(Item {
                name: quota.name.clone(),
                line: quota.line,
                does: Does::Limits,
                about: About::new(&quota.of, made),
                reach: About::new(&quota.reach, made),
            });
            times.push(Time::Span(span(None, i64::MAX)));
            subjects.push(&quota.subjects);
        }
        let whom = Whom::new(&subjects, family.people.len(), settings.clients.len());
        let mut plans: HashMap<(String, Vec<u32>), u32> = HashMap::new();
        let mut known: HashMap<Layer, LayerId> = HashMap::from([(Box::default(), LayerId::NONE)]);
        let mut plan = |all: &mut Family, zone: &TimeZone, items: Vec<u32>| -> Result<u32, PolicyError> {
            if items.is_empty() {
                return Ok(NO_PLAN);
            }
            let key = (zone.iana_name().unwrap_or_default().to_owned(), items);
            if let Some(&number) = plans.get(&key) {
                return Ok(number);
            }
            let number = all.plan(zone, &key.1, &times, &mut known, now_s)?;
            plans.insert(key, number);
            Ok(number)
        };
        let open = |accounts: &mut Accounts, items: &[u32], holder: Holder, whose: &str, zone: &TimeZone| {
            let quotas = first_quota..first_quota + family.quotas.len();
            for &item in items.iter().filter(|&&item| quotas.contains(&(item as usize))) {
                let number = item as usize - first_quota;
                let quota = &family.quotas[number];
                accounts.open(item, holder, || {
                    let is_for = |subjects: &Subjects| match holder {
                        Holder::Person(person) => subjects.everyone || subjects.people.contains(&person),
                        Holder::Client(client) => subjects.everyone || subjects.devices.contains(&client),
                        Holder::Profile(_) => subjects.everyone,
                    };
                    let earned = family.earned.iter().filter(|earned| earned.quota as usize == number);
                    let earned = earned.filter(|earned| is_for(&earned.subjects)).map(|earned| Earned {
                        minutes: earned.minutes,
                        from_s: earned.from.unwrap_or(i64::MIN),
                        until_s: earned.until,
                    });
                    let key = format!("{whose}/{}", quota.name);
                    Account::new(key, quota.quota(), zone.clone(), earned.collect())
                });
            }
        };
        let mut of_clients = Vec::with_capacity(settings.clients.len());
        for (client, at) in settings.clients.iter().zip(0..) {
            let person = client.person.and_then(|person| family.people.get(person as usize));
            let zone = person.map_or(&family.zone, |person| &person.zone);
            let items = whom.items(Some(at), client.person, &client.profile);
            let (holder, whose) = match (client.person, person) {
                (Some(person), Some(named)) => (Holder::Person(person), &named.id),
                _ => (Holder::Client(at as u32), &client.name),
            };
            open(&mut all.accounts, &items, holder, whose, zone);
            of_clients.push(plan(&mut all, zone, items)?);
        }
        let mut of_profiles = vec![NO_PLAN; settings.profiles.len()];
        for named in &settings.profiles {
            if let Some(ProfileId(id)) = profile(&named.name) {
                let items = whom.items(None, None, &named.name);
                let whose = format!("profile {}", named.name);
                open(&mut all.accounts, &items, Holder::Profile(id), &whose, &family.zone);
                of_profiles[usize::from(id)] = plan(&mut all, &family.zone, items)?;
            }
        }
        all.of_clients = of_clients.into();
        all.of_profiles = of_profiles.into();
        Ok(all)
    }

    /// Makes the plan of somebody whom these items are for.
    fn plan(
        &mut self,
        zone: &TimeZone,
        items: &[u32],
        times: &[Time],
        known: &mut HashMap<Layer, LayerId>,
        now_s: u64,
    ) -> Result<u32, PolicyError> {
        let mut schedule = Schedule {
            zone: zone.clone(),
            windows: Vec::new(),
            spans: Vec::new(),
            items: Vec::new(),
        };
        for &item in items {
            if let Time::Window(window) = &times[item as usize] {
                schedule.windows.push(window.clone());
                schedule.items.push(item);
            }
        }
        for &item in items {
            if let Time::Span(span) = &times[item as usize] {
                schedule.spans.push(*span);
                schedule.items.push(item);
            }
        }
        let now_s = now_s as i64;
        let table = schedule
            .table(now_s - BACK_S, now_s + AHEAD_S)
            .map_err(|cause| PolicyError::Schedule(cause.to_string()))?;
        let mut layers = Vec::new();
        for state in table.state_ids() {
            let layer = self.layer_of(&schedule, table.state(state));
            layers.push(*known.entry(layer).or_insert_with_key(|layer| {
                self.layers.push(layer.clone());
                LayerId(self.layers.len() as u32 - 1)
            }));
        }
        self.plans.push(Plan {
            table,
            layers: layers.into(),
            schedule,
        });
        Ok(self.plans.len() as u32 - 1)
    }

    /// The items of a state in the order in which they count.
    fn layer_of(&self, schedule: &Schedule, state: &[u16]) -> Layer {
        let mut items: Vec<u32> = state.iter().map(|&at| schedule.items[usize::from(at)]).collect();
        items.sort_by_key(|&item| (self.items[item as usize].does.rank(), item));
        items.into()
    }

    /// What holds at this Unix second for a client, or for whoever has the profile and is none, and until when it does.
    #[inline]
    pub fn holds(&self, client: Option<ClientId>, profile: Option<ProfileId>, now_s: u64) -> (LayerId, u64) {
        let plan = match (client, profile) {
            (Some(ClientId(id)), _) => self.of_clients.get(id as usize),
            (None, Some(ProfileId(id))) => self.of_profiles.get(usize::from(id)),
            (None, None) => None,
        };
        let Some(plan) = plan.and_then(|&plan| self.plans.get(plan as usize)) else {
            return (LayerId::NONE, u64::MAX);
        };
        match plan.table.at(now_s as i64) {
            Some((state, until_s)) => {
                let layer = plan.layers.get(state.index()).copied().unwrap_or_default();
                (layer, until_s.max(0) as u64)
            }
            None => self.beyond(plan, now_s),
        }
    }

    /// The same at a time that the table does not reach, after a clock was set far away: a table for that day alone. What holds then
    /// may be a layer that was never made; the one that holds most of it counts.
    #[cold]
    fn beyond(&self, plan: &Plan, now_s: u64) -> (LayerId, u64) {
        let now_s = now_s as i64;
        let Ok(table) = plan.schedule.table(now_s, now_s + 86_400) else {
            return (LayerId::NONE, 0);
        };
        let Some((state, until_s)) = table.at(now_s) else {
            return (LayerId::NONE, 0);
        };
        let layer = self.layer_of(&plan.schedule, table.state(state));
        let closest = (0..self.layers.len()).max_by_key(|&at| {
            let known = &self.layers[at];
            let common = known.iter().filter(|item| layer.contains(item)).count();
            (common, std::cmp::Reverse(known.len()))
        });
        (LayerId(closest.unwrap_or(0) as u32), until_s.max(0) as u64)
    }

    /// Whether nothing is for anybody.
    pub fn is_empty(&self) -> bool {
        self.plans.is_empty()
    }

    /// The items of a layer in the order in which they count.
    #[inline]
    pub fn items(&self, LayerId(id): LayerId) -> impl Iterator<Item = (u32, &Item)> {
        let layer = self.layers.get(id as usize).map_or(&[][..], |layer| layer);
        layer.iter().map(|&item| (item, &self.items[item as usize]))
    }

    pub fn item(&self, item: u32) -> Option<&Item> {
        self.items.get(item as usize)
    }

    /// The person whose device a client is, by index.
    #[inline]
    pub fn person(&self, ClientId(id): ClientId) -> Option<u32> {
        self.people.get(id as usize).copied().filter(|&person| person != NOBODY)
    }

    /// Bytes it takes.
    pub fn size_bytes(&self) -> usize {
        let plans = self
            .plans
            .iter()
            .map(|plan| plan.table.size_bytes() + 4 * plan.layers.len());
        4 * (self.of_clients.len() + self.people.len()) + self.own.size_bytes() + plans.sum::<usize>()
    }
}

impl Schedule {
    fn table(&self, from_s: i64, to_s: i64) -> Result<Timetable, crate::schedule::TooManyItems> {
        Timetable::compile(&self.windows, &self.spans, &self.zone, from_s, to_s)
    }
}

/// When an item holds.
enum Time {
    Window(Window),
    Span(Span),
}

fn span(from: Option<i64>, until: i64) -> Span {
    Span {
        from_s: from.unwrap_or(i64::MIN),
        to_s: until,
    }
}

/// Whom items are for, the other way round.
struct Whom<'s> {
    everyone: Vec<u32>,
    people: Vec<Vec<u32>>,
    devices: Vec<Vec<u32>>,
    profiles: HashMap<&'s str, Vec<u32>>,
}

impl<'s> Whom<'s> {
    fn new(subjects: &[&'s Subjects], people: usize, devices: usize) -> Whom<'s> {
        let mut whom = Whom {
            everyone: Vec::new(),
            people: vec![Vec::new(); people],
            devices: vec![Vec::new(); devices],
            profiles: HashMap::new(),
        };
        for (subjects, item) in subjects.iter().zip(0u32..) {
            if subjects.everyone {
                whom.everyone.push(item);
            }
            for (of, indexes) in [
                (&mut whom.people, &subjects.people),
                (&mut whom.devices, &subjects.devices),
            ] {
                for &index in indexes {
                    if let Some(items) = of.get_mut(index as usize) {
                        items.push(item);
                    }
                }
            }
            for profile in &subjects.profiles {
                whom.profiles.entry(profile).or_default().push(item);
            }
        }
        whom
    }

    /// The items for a device of a person with a profile, ascending.
    fn items(&self, device: Option<usize>, person: Option<u32>, profile: &str) -> Vec<u32> {
        let mut items = self.everyone.clone();
        items.extend(device.and_then(|device| self.devices.get(device)).into_iter().flatten());
        items.extend(
            person
                .and_then(|person| self.people.get(person as usize))
                .into_iter()
                .flatten(),
        );
        items.extend(self.profiles.get(profile).into_iter().flatten());
        items.sort_unstable();
        items.dedup();
        items
    }
}

impl About {
    fn new(target: &Target, made: &Made<'_>) -> About {
        let mut active = vec![false; made.gate.sources().len()];
        for source in target.lists.iter().flat_map(|word| (made.sources)(word)) {
            active[source] = true;
        }
        About {
            internet: target.internet,
            names: OwnNames::new(&target.names, &[]),
            services: made.marks.services(&target.services),
            table: active.contains(&true).then(|| Table::new(&active, made.kinds)),
        }
    }
}
