//! Takes out what has ended: grants, pauses, and names that were allowed or blocked for a while.
//!
//! In: a document, the time. Out: the document without them, and half a sentence that says what went.
//! Always: what has no end stays, and so does what has an end that cannot be read: the checker of settings names it.
//! Where those it is for live in several zones, it has ended once it has in all of them.

use super::Around;
use super::people::{self, Who};
use super::tables::{self, Spot};
use super::when::Wall;
use crate::household::shape::{Household, OwnName};
use toml_edit::{DocumentMut, Item};

/// `None`: nothing had ended.
pub(super) fn sweep(doc: &mut DocumentMut, household: &Household, around: &Around) -> Option<String> {
    let mut counts = [0; 3];
    let over = |whom: &[String], until: Option<&str>| until.is_some_and(|until| ended(whom, until, household, around));
    for (index, grant) in household.grants.iter().enumerate().rev() {
        if over(grant.whom.list(), grant.until.as_deref()) && tables::remove(doc, &Spot::Listed("grant", index)) {
            counts[0] += 1;
        }
    }
    for (index, pause) in household.pauses.iter().enumerate().rev() {
        if over(pause.whom.list(), pause.until.as_deref()) && tables::remove(doc, &Spot::Listed("pause", index)) {
            counts[1] += 1;
        }
    }
    for (id, person) in household.persons() {
        let spot = Spot::Named("person", id.to_owned());
        for (key, names) in [("allow", &person.allow), ("deny", &person.deny)] {
            counts[2] += names_ended(doc, &spot, key, names, &|until| over(&[id.to_owned()], Some(until)));
        }
    }
    for (name, profile) in household.profiles() {
        let spot = Spot::Named("profile", name.to_owned());
        for (key, names) in [("allow", &profile.allow), ("deny", &profile.deny)] {
            let whom = [format!("profile:{name}")];
            counts[2] += names_ended(doc, &spot, key, names, &|until| over(&whom, Some(until)));
        }
    }
    let nouns = [("grant", "grants"), ("pause", "pauses"), ("name", "names")];
    let words: Vec<String> = counts
        .iter()
        .zip(nouns)
        .filter(|(count, _)| **count > 0)
        .map(|(count, (one, more))| format!("{count} {}", if *count == 1 { one } else { more }))
        .collect();
    let total: usize = counts.iter().sum();
    let were = if total == 1 { "was" } else { "were" };
    (total > 0).then(|| format!("{} that had ended {were} removed", people::joined(words)))
}

fn names_ended(doc: &mut DocumentMut, spot: &Spot, key: &str, names: &[OwnName], over: &dyn Fn(&str) -> bool) -> usize {
    let array = tables::at(doc, spot).and_then(|table| table.get_mut(key).and_then(Item::as_array_mut));
    let Some(array) = array else { return 0 };
    let mut count = 0;
    for (index, name) in names.iter().enumerate().rev() {
        if name.until().is_some_and(over) {
            tables::take(array, index);
            count += 1;
        }
    }
    count
}

/// Whether a time of the file is past for all of them.
pub(super) fn ended(whom: &[String], until: &str, household: &Household, around: &Around) -> bool {
    let known: Vec<Who> = whom.iter().filter_map(|word| Who::read(word, household).ok()).collect();
    let mut zones = people::zones(&known, household, around);
    if zones.is_empty() {
        zones.push(people::household_zone(household, around));
    }
    let ends = zones
        .into_iter()
        .map(|zone| Wall { zone, several: false }.stored(until));
    let ends: Option<Vec<_>> = ends.collect();
    ends.is_some_and(|ends| ends.iter().all(|end| *end <= around.now))
}
