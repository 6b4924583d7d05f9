//! The household as the program runs on it: who there is, what holds for them, and when. What each key means stands in
//! `config/examples/household.toml`; names here are the file's.
//!
//! Always: whatever one part says of another is an index that exists, groups are written out, and times are in the
//! zone of whom they are for.

use super::settings::LogSettings;
use crate::dns::name::Name;
use crate::schedule::Window;
use crate::schedule::quota::{Period, Quota};
use jiff::tz::TimeZone;
use std::time::Duration;

/// Persons, and what holds for them beside their profiles; by default nobody, in UTC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Household {
    /// Of whoever has no other.
    pub zone: TimeZone,
    /// In order of their ids.
    pub people: Vec<Person>,
    pub windows: Vec<WindowSettings>,
    pub quotas: Vec<QuotaSettings>,
    pub grants: Vec<GrantSettings>,
    /// More minutes of quotas, by `[[grant]]` too.
    pub earned: Vec<EarnedSettings>,
    pub pauses: Vec<PauseSettings>,
    /// `[service.ID]`: services of the household's own, beside those of the catalogue.
    pub services: Vec<OwnService>,
}

impl Default for Household {
    fn default() -> Household {
        Household {
            zone: TimeZone::UTC,
            people: Vec::new(),
            windows: Vec::new(),
            quotas: Vec::new(),
            grants: Vec::new(),
            earned: Vec::new(),
            pauses: Vec::new(),
            services: Vec::new(),
        }
    }
}

impl Household {
    /// The categories and lists that anything in it is about.
    pub fn list_words(&self) -> impl Iterator<Item = &str> {
        let windows = self
            .windows
            .iter()
            .flat_map(|window| [&window.block, &window.allow, &window.reach]);
        let quotas = self.quotas.iter().flat_map(|quota| [&quota.of, &quota.reach]);
        let targets = windows
            .chain(quotas)
            .chain(self.grants.iter().map(|grant| &grant.allow));
        targets.flat_map(|target| target.lists.iter().map(String::as_str))
    }
}

/// `[person.ID]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    pub id: String,
    /// As screens show it; the id unless written.
    pub name: String,
    pub profile: String,
    pub zone: TimeZone,
    /// Own names, which come before those of the profile.
    pub allow: Vec<OwnName>,
    pub deny: Vec<OwnName>,
    /// Its own choice, or else that of the profile.
    pub log: LogSettings,
}

/// A name of a profile or a person: `"school.example"` with all below it, `"=school.example"` alone, `{ name = "...", until = "..." }` for a time.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct OwnName {
    pub name: Name,
    /// Not what is below it.
    pub exact: bool,
    /// Unix seconds; `None`: for good.
    pub until: Option<i64>,
}

impl From<Name> for OwnName {
    /// The name with all below it, for good.
    fn from(name: Name) -> OwnName {
        OwnName {
            name,
            exact: false,
            until: None,
        }
    }
}

/// Whom something is for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Subjects {
    /// Everybody in the house, unknown devices too.
    pub everyone: bool,
    /// Indexes of persons, ascending.
    pub people: Vec<u32>,
    /// Indexes of devices, ascending: those of the clients of the settings.
    pub devices: Vec<u32>,
    /// Whoever has one of these profiles.
    pub profiles: Vec<String>,
}

/// What something is about.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Target {
    /// `"internet"`: every name.
    pub internet: bool,
    /// Categories and lists.
    pub lists: Vec<String>,
    /// Services by their ids, groups of services written out.
    pub services: Vec<String>,
    pub names: Vec<OwnName>,
}

/// `[[window]]`: at certain times something is blocked or allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WindowSettings {
    /// As the file names it, or what it does and when.
    pub name: String,
    /// Line of the file.
    pub line: usize,
    pub subjects: Subjects,
    pub when: Window,
    pub block: Target,
    pub allow: Target,
    /// What stays reachable where the internet is blocked, beside what always does.
    pub reach: Target,
}

/// `[[quota]]`: so much of something a day or a week.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuotaSettings {
    pub name: String,
    pub line: usize,
    pub subjects: Subjects,
    pub of: Target,
    pub limit: Duration,
    pub per: Period,
    /// At most so much of what was not used goes over into the next period.
    pub carry: Duration,
    pub reach: Target,
}

impl QuotaSettings {
    /// In minutes, with the usual hour at which a day begins.
    pub fn quota(&self) -> Quota {
        let minutes = |of: Duration| u32::try_from(of.as_secs() / 60).unwrap_or(u32::MAX);
        Quota {
            carry: minutes(self.carry),
            ..Quota::of_minutes(minutes(self.limit), self.per)
        }
    }
}

/// `[[grant]]`: something is allowed until a time, whatever windows and quotas say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantSettings {
    pub name: String,
    pub line: usize,
    pub subjects: Subjects,
    pub allow: Target,
    /// Unix seconds.
    pub from: Option<i64>,
    pub until: i64,
}

/// `[[grant]]` with `quota`: so many more minutes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EarnedSettings {
    pub line: usize,
    pub subjects: Subjects,
    /// Index of the quota.
    pub quota: u32,
    pub minutes: u32,
    /// Unix seconds.
    pub from: Option<i64>,
    pub until: i64,
}

/// `[[pause]]`: filtering, or the internet, is off until a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PauseSettings {
    pub line: usize,
    pub subjects: Subjects,
    pub what: Paused,
    /// Unix seconds.
    pub from: Option<i64>,
    pub until: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paused {
    /// Nothing is filtered.
    Filter,
    /// Everything is blocked, but what stays reachable.
    Internet,
}

/// `[service.ID]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnService {
    pub id: String,
    pub name: String,
    pub names: Vec<OwnName>,
}

impl Household {
    /// Grants and pauses that ended before `now_s`, Unix seconds: the lines of the file, and what each is.
    pub fn over(&self, now_s: i64) -> Vec<(usize, &'static str)> {
        let grants = self.grants.iter().map(|grant| (grant.line, grant.until, "grant"));
        let earned = self.earned.iter().map(|earned| (earned.line, earned.until, "grant"));
        let pauses = self.pauses.iter().map(|pause| (pause.line, pause.until, "pause"));
        let all = grants.chain(earned).chain(pauses);
        let over = all.filter(|&(_, until, _)| until <= now_s);
        let mut over: Vec<(usize, &str)> = over.map(|(line, _, kind)| (line, kind)).collect();
        over.sort_unstable();
        over
    }
}
