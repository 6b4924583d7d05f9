//! What is kept and known, as people and programs are told: the same over the control socket, in JSON and from the file.

use super::record::Record;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One day of a person, a device or a profile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayReport {
    /// `person:masha`, `device:console`, `profile:default`.
    pub whose: String,
    /// `2026-10-25`, in the zone of whom it is.
    pub day: String,
    pub queries: u64,
    pub blocked: u64,
    /// Blocked queries by category.
    pub categories: BTreeMap<String, u64>,
    /// Those of whoever chose names.
    pub names: Vec<NameReport>,
    /// Queries whose names there was no room for.
    pub left_out: u64,
}

/// One name of a day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NameReport {
    /// Presentation form, with its final dot.
    pub name: String,
    pub blocked: bool,
    pub queries: u64,
    /// Unix seconds of the minutes in which it was first and last asked for.
    pub first_s: u64,
    pub last_s: u64,
}

/// What is known of a device, whatever its log choice: no names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceReport {
    pub device: String,
    /// Minutes since it last asked; `None`: it has not since the start of the server.
    pub asked_minutes_ago: Option<u64>,
    /// Minutes since it was last known to be there.
    pub active_minutes_ago: Option<u64>,
    /// How long it was silent while it was active; `None`: it was not, as far as anybody can tell.
    pub silent_minutes: Option<u64>,
    /// What tells that it was active.
    pub evidence: Option<String>,
}

impl Record {
    /// The last `days` days of one, or of all; without a number all of them. Oldest first.
    pub fn report(&self, whose: Option<&str>, days: Option<u16>) -> Vec<DayReport> {
        let mut reports: Vec<DayReport> = Vec::new();
        let mut of_each: BTreeMap<&str, usize> = BTreeMap::new();
        for (key, ..) in self.days(whose) {
            *of_each.entry(key).or_default() += 1;
        }
        for (key, date, day) in self.days(whose) {
            let left = of_each
                .get_mut(key)
                .map_or(0, |left| std::mem::replace(left, *left - 1));
            if days.is_some_and(|days| left > usize::from(days)) {
                continue;
            }
            let name = |((name, blocked), seen): (&(String, bool), &super::record::Seen)| NameReport {
                name: name.clone(),
                blocked: *blocked,
                queries: seen.queries,
                first_s: seen.first * 60,
                last_s: seen.last * 60,
            };
            reports.push(DayReport {
                whose: key.to_owned(),
                day: date.to_string(),
                queries: day.queries,
                blocked: day.blocked,
                categories: day.categories.clone(),
                names: day.names.iter().map(name).collect(),
                left_out: day.left_out,
            });
        }
        reports
    }
}
