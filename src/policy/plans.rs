//! What holds for whom, and when: windows, grants, pauses and quotas of a household.
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
use super::{Asker, ClientId, DAY_S, PolicyError, ProfileId};
use crate::config::household::{EarnedSettings, Household, Paused, Subjects, Target};
use crate::config::settings::Settings;
use crate::list::set::Gate;
use crate::schedule::{Span, Timetable, TooManyItems, Window};
use jiff::tz::TimeZone;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering};

/// Seconds that timetables reach ahead. A policy is made anew long before: at every change of lists or settings, and by `serve` each day.
const AHEAD_S: i64 = 40 * 86_400;
/// Seconds that they reach back, for clocks that are set.
const BACK_S: i64 = 2 * 86_400;

/// See the page's first lines.
#[derive(Default)]
pub struct Plans {
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
    accounts: Accounts,
}

const NO_PLAN: u32 = u32::MAX;
const NOBODY: u32 = u32::MAX;

/// What may hold for somebody, and when.
struct Plan {
    table: Timetable,
    /// Where in the table the last query was: written once at each change, read by all.
    near: AtomicU32,
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

/// A window, a grant, a pause or a quota.
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Does {
    /// Nothing is filtered.
    PausesFilter,
    Grants,
    PausesInternet,
    /// A quota: blocks when it is spent.
    Limits,
    /// Windows.
    Allows,
    Blocks,
}

impl Does {
    /// Where the item of this number comes, the lowest first: of windows the last of the file, else the first.
    fn rank(self, item: u32) -> (u8, u32) {
        match self {
            Does::PausesFilter => (0, item),
            Does::Grants => (1, item),
            Does::PausesInternet => (2, item),
            Does::Limits => (3, item),
            Does::Allows | Does::Blocks => (4, u32::MAX - item),
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

impl Plans {
    /// `profile`: the id of a profile.
    pub fn new(
        settings: &Settings,
        household: &Household,
        made: &Made<'_>,
        profile: impl Fn(&str) -> Option<ProfileId>,
        now_s: u64,
    ) -> Result<Plans, PolicyError> {
        let items = Items::of(household, made);
        let mut all = Plans {
            people: settings
                .clients
                .iter()
                .map(|client| client.person.unwrap_or(NOBODY))
                .collect(),
            layers: vec![Box::default()],
            items: items.rows,
            ..Plans::default()
        };
        for person in &household.people {
            all.own
                .push(&person.allow, &person.deny)
                .ok_or(PolicyError::TooManyNames)?;
        }
        all.own.shrink();
        let (people, devices) = (household.people.len(), settings.clients.len());
        let whom = Whom::new(&items.subjects, people, devices);
        let earned: Vec<&Subjects> = household.earned.iter().map(|earned| &earned.subjects).collect();
        let earning = Whom::new(&earned, people, devices);
        let mut plans: HashMap<(String, Vec<u32>), u32> = HashMap::new();
        let mut known: HashMap<Layer, LayerId> = HashMap::from([(Box::default(), LayerId::NONE)]);
        // The plan of somebody, and the accounts of the quotas in it.
        let mut of = |all: &mut Plans, who: Who<'_>, holder: Holder, whose: &str, zone: &TimeZone| {
            let items_for = whom.items(who);
            if items_for.is_empty() {
                return Ok(NO_PLAN);
            }
            let quotas = items_for.iter().copied().filter(|item| items.quotas.contains(item));
            for item in quotas {
                let number = item - items.quotas.start;
                let quota = &household.quotas[number as usize];
                let new = || Account::new(format!("{whose}/{}", quota.name), quota.quota(), zone.clone());
                let account = all.accounts.open(item, holder, new);
                for earned in earning.items(who) {
                    let earned_by = &household.earned[earned as usize];
                    if earned_by.quota == number {
                        account.earns(earned, Earned::from(earned_by));
                    }
                }
            }
            let key = (zone.iana_name().unwrap_or_default().to_owned(), items_for);
            if let Some(&number) = plans.get(&key) {
                return Ok(number);
            }
            let number = all.plan(zone, &key.1, &items.times, &mut known, now_s)?;
            plans.insert(key, number);
            Ok(number)
        };
        let mut of_clients = Vec::with_capacity(devices);
        for (client, at) in settings.clients.iter().zip(0..) {
            let person = client.person.and_then(|person| household.people.get(person as usize));
            let zone = person.map_or(&household.zone, |person| &person.zone);
            let (holder, whose) = match (client.person, person) {
                (Some(person), Some(named)) => (Holder::Person(person), named.id.as_str()),
                _ => (Holder::Client(at), client.name.as_str()),
            };
            let who = Who {
                device: Some(at),
                person: client.person,
                profile: &client.profile,
            };
            of_clients.push(of(&mut all, who, holder, whose, zone)?);
        }
        let mut of_profiles = vec![NO_PLAN; settings.profiles.len()];
        for named in &settings.profiles {
            if let Some(ProfileId(id)) = profile(&named.name) {
                let whose = format!("profile {}", named.name);
                let who = Who {
                    device: None,
                    person: None,
                    profile: &named.name,
                };
                of_profiles[usize::from(id)] = of(&mut all, who, Holder::Profile(id), &whose, &household.zone)?;
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
            near: AtomicU32::new(0),
            layers: layers.into(),
            schedule,
        });
        Ok(self.plans.len() as u32 - 1)
    }

    /// The items of a state in the order in which they count.
    fn layer_of(&self, schedule: &Schedule, state: &[u16]) -> Layer {
        let mut items: Vec<u32> = state.iter().map(|&at| schedule.items[usize::from(at)]).collect();
        items.sort_by_key(|&item| self.items[item as usize].does.rank(item));
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
        let near = plan.near.load(Ordering::Relaxed);
        match plan.table.at_near(now_s as i64, near as usize) {
            Some((state, until_s, place)) => {
                if place as u32 != near {
                    plan.near.store(place as u32, Ordering::Relaxed);
                }
                let layer = plan.layers.get(state.index()).copied().unwrap_or_default();
                (layer, until_s.max(0) as u64)
            }
            None => self.beyond(plan, now_s),
        }
    }

    /// The same at a time that the table does not reach, in the moments until policy is made anew after a clock was set far away: a table
    /// for that day alone. A layer that was not made for this plan is not known; the one that is nearest to it counts.
    #[cold]
    fn beyond(&self, plan: &Plan, now_s: u64) -> (LayerId, u64) {
        let now = i64::try_from(now_s).unwrap_or(i64::MAX);
        let table = plan.schedule.table(now, now.saturating_add(DAY_S as i64)).ok();
        let Some((table, state, until_s)) =
            table.and_then(|table| table.at(now).map(|(state, until_s)| (table, state, until_s)))
        else {
            return (LayerId::NONE, now_s);
        };
        let layer = self.layer_of(&plan.schedule, table.state(state));
        let nearest = plan.layers.iter().min_by_key(|&&LayerId(id)| {
            let known = &self.layers[id as usize];
            let missing = layer.iter().filter(|item| !known.contains(item)).count();
            let more = known.iter().filter(|item| !layer.contains(item)).count();
            missing + more
        });
        (nearest.copied().unwrap_or_default(), until_s.max(0) as u64)
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

    /// The account of a quota for whoever asks.
    pub fn account(&self, item: u32, asker: &Asker) -> Option<&Account> {
        self.accounts.of(item, Holder::of(asker)?)
    }

    /// All accounts.
    pub fn accounts(&self) -> &[Account] {
        self.accounts.all()
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
    fn table(&self, from_s: i64, to_s: i64) -> Result<Timetable, TooManyItems> {
        Timetable::compile(&self.windows, &self.spans, &self.zone, from_s, to_s)
    }
}

/// When an item holds.
enum Time {
    Window(Window),
    Span(Span),
}

impl Time {
    fn span(from: Option<i64>, until: i64) -> Time {
        Time::Span(Span {
            from_s: from.unwrap_or(i64::MIN),
            to_s: until,
        })
    }
}

/// The items of a household, in columns.
struct Items<'s> {
    rows: Vec<Item>,
    times: Vec<Time>,
    subjects: Vec<&'s Subjects>,
    /// Those that are quotas.
    quotas: Range<u32>,
}

impl<'s> Items<'s> {
    fn of(household: &'s Household, made: &Made<'_>) -> Items<'s> {
        let mut items = Items {
            rows: Vec::new(),
            times: Vec::new(),
            subjects: Vec::new(),
            quotas: 0..0,
        };
        let nothing = Target::default();
        for window in &household.windows {
            // Of one window what it allows comes before what it blocks, as the later one does.
            for (does, target) in [(Does::Blocks, &window.block), (Does::Allows, &window.allow)] {
                if *target != nothing {
                    let item = Item::new(does, &window.name, window.line, target, &window.reach, made);
                    items.add(item, Time::Window(window.when.clone()), &window.subjects);
                }
            }
        }
        for grant in &household.grants {
            let item = Item::new(Does::Grants, &grant.name, grant.line, &grant.allow, &nothing, made);
            items.add(item, Time::span(grant.from, grant.until), &grant.subjects);
        }
        let everything = Target {
            internet: true,
            ..Target::default()
        };
        for pause in &household.pauses {
            let does = match pause.what {
                Paused::Filter => Does::PausesFilter,
                Paused::Internet => Does::PausesInternet,
            };
            let item = Item::new(does, "pause", pause.line, &everything, &nothing, made);
            items.add(item, Time::span(pause.from, pause.until), &pause.subjects);
        }
        let first = items.rows.len() as u32;
        for quota in &household.quotas {
            let item = Item::new(Does::Limits, &quota.name, quota.line, &quota.of, &quota.reach, made);
            items.add(item, Time::span(None, i64::MAX), &quota.subjects);
        }
        items.quotas = first..items.rows.len() as u32;
        items
    }

    fn add(&mut self, item: Item, time: Time, subjects: &'s Subjects) {
        self.rows.push(item);
        self.times.push(time);
        self.subjects.push(subjects);
    }
}

impl Item {
    fn new(does: Does, name: &str, line: usize, target: &Target, reach: &Target, made: &Made<'_>) -> Item {
        Item {
            name: name.to_owned(),
            line,
            does,
            about: About::new(target, made),
            reach: About::new(reach, made),
        }
    }
}

impl From<&EarnedSettings> for Earned {
    fn from(earned: &EarnedSettings) -> Earned {
        Earned {
            minutes: earned.minutes,
            from_s: earned.from.unwrap_or(i64::MIN),
            until_s: earned.until,
        }
    }
}

/// A device, or a stranger with a profile.
#[derive(Clone, Copy)]
struct Who<'s> {
    device: Option<u32>,
    person: Option<u32>,
    profile: &'s str,
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

    /// The items for somebody, ascending.
    fn items(&self, who: Who<'_>) -> Vec<u32> {
        let of = |all: &[Vec<u32>], index: Option<u32>| {
            index
                .and_then(|index| all.get(index as usize))
                .cloned()
                .unwrap_or_default()
        };
        let of_profile = self.profiles.get(who.profile).cloned().unwrap_or_default();
        let mut items = [
            self.everyone.clone(),
            of(&self.people, who.person),
            of(&self.devices, who.device),
            of_profile,
        ]
        .concat();
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
