//! What is for a while: pauses, grants, more minutes of a quota.
//!
//! In: whom, what, how long. Out: the document with it, and the sentence that says until when.
//! Always: a second pause or grant of the same for the same takes the place of the first, so that the last word counts.
//! More minutes add up.
//! Fails: with a question where it is not clear what is meant, and for ends that are past or too far off.

mod grant;
mod pause;

pub(super) use grant::{grant, minutes, revoke};
pub(super) use pause::{pause, resume};

use super::End;
use super::error::EditError;
use super::people::Who;
use super::tables::{self, Spot};
use super::when::{self, Wall};
use crate::household::shape::{Household, Words};
use jiff::Timestamp;
use toml_edit::{DocumentMut, Item, Value};

/// Whether what is for `word` is for `who` too.
pub(crate) fn reaches(word: &str, who: &Who, household: &Household) -> bool {
    if word == "everyone" || *word == who.word() {
        return true;
    }
    let profile = word.strip_prefix("profile:");
    let member = |name: &str| {
        let is_group = household.groups.iter().any(|group| group.name == word);
        is_group && household.members(word).contains(&name)
    };
    match who {
        Who::Person(id) => {
            let own = household.person(id).and_then(|person| person.profile.as_deref());
            member(id) || (profile.is_some() && own == profile)
        }
        Who::Device(name) => {
            let device = household.devices.iter().find(|device| device.name == *name);
            let Some(device) = device else { return false };
            let owner = device.person.as_ref();
            member(name)
                || (profile.is_some() && device.profile.as_deref() == profile)
                || owner.is_some_and(|id| reaches(word, &Who::Person(id.clone()), household))
        }
        _ => false,
    }
}

/// Takes some of those out of a `for`; the whole table if nobody is left. `false`: none of them was in it.
fn let_go(doc: &mut DocumentMut, kind: &'static str, index: usize, whom: &Words, gone: &[String]) -> bool {
    let spot = Spot::Listed(kind, index);
    let stays = |word: &&String| !gone.contains(word);
    let kept = whom.list().iter().filter(stays).count();
    if kept == whom.list().len() {
        return false;
    }
    if kept == 0 {
        return tables::remove(doc, &spot);
    }
    let array = tables::at(doc, &spot).and_then(|table| table.get_mut("for").and_then(Item::as_array_mut));
    let Some(array) = array else { return false };
    for (place, word) in whom.list().iter().enumerate().rev() {
        if gone.contains(word) {
            tables::take(array, place);
        }
    }
    true
}

/// The end that was given, checked.
pub(in crate::household::edit) fn end_time(
    what: &str,
    end: &End,
    begins: Timestamp,
    now: Timestamp,
    wall: &Wall,
    days: i64,
) -> Result<Timestamp, EditError> {
    let until = match (end.lasting, end.until) {
        (Some(lasting), None) => {
            let minutes = when::minutes(lasting).ok_or_else(|| {
                EditError::value(
                    "--for",
                    lasting,
                    "is not a length of time; write it like \"30m\" or \"1h30m\"",
                )
            })?;
            wall.after(begins, minutes).ok_or_else(|| too_far(what, days))?
        }
        (None, Some(until)) => wall.read("--until", until, begins)?,
        (None, None) => {
            return Err(EditError::Unclear(format!(
                "for how long? {what} needs an end, such as `--for 30m` or `--until 21:00`"
            )));
        }
        (Some(_), Some(_)) => {
            return Err(EditError::Unclear(
                "both a length and an end are given; write `--for` or `--until`, not both".to_owned(),
            ));
        }
    };
    if until <= begins {
        return Err(EditError::Past {
            what: what.to_owned(),
            at: wall.said(until, now),
        });
    }
    match when::beyond(now, until, days) {
        true => Err(too_far(what, days)),
        false => Ok(until),
    }
}

fn too_far(what: &str, days: i64) -> EditError {
    EditError::TooLong {
        what: what.to_owned(),
        days,
    }
}

fn add(doc: &mut DocumentMut, kind: &'static str, keys: Vec<(&str, Value)>) -> Result<(), EditError> {
    let keys = keys.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    match tables::add(doc, kind, None, keys) {
        true => Ok(()),
        false => Err(EditError::Unreadable(format!(
            "\"{kind}\" is written in a form that commands cannot change"
        ))),
    }
}
