//! Names of one's own: allowed or blocked for a person or a profile, for good or for a while.
//!
//! In: a name, whom it is for, perhaps an end. Out: the document with it, and the sentence.
//! Always: a name is on one of the two lists of somebody, never on both: the last word counts.
//! Fails: with a question where it is not clear for whom.

use super::error::EditError;
use super::people::{self, Who};
use super::tables::{self, Spot, entry};
use super::tonight::end_time;
use super::{Context, End, OwnList, checks};
use toml_edit::{DocumentMut, InlineTable, Item, Value};

/// Longest time for which a name is allowed or blocked; who means longer gives no end.
const NAME_DAYS: i64 = 366;

impl OwnList {
    fn key(self) -> &'static str {
        match self {
            OwnList::Allow => "allow",
            OwnList::Block => "deny",
        }
    }

    fn other(self) -> &'static str {
        match self {
            OwnList::Allow => "deny",
            OwnList::Block => "allow",
        }
    }

    fn done(self) -> &'static str {
        match self {
            OwnList::Allow => "allowed",
            OwnList::Block => "blocked",
        }
    }

    fn word(self) -> &'static str {
        match self {
            OwnList::Allow => "allow",
            OwnList::Block => "block",
        }
    }
}

pub(super) fn add(
    doc: &mut DocumentMut,
    context: &Context,
    list: OwnList,
    name: &str,
    who: &[String],
    end: &End,
) -> Result<String, EditError> {
    let name = own_name(name)?;
    let targets = targets(who, list, &name, context)?;
    let wall = people::wall(&targets, context.household, context.around);
    let now = context.around.now;
    let until = match (end.lasting, end.until) {
        (None, None) => None,
        _ => Some(end_time("it", end, now, now, &wall, NAME_DAYS)?),
    };
    let value = match until {
        None => Value::from(&name),
        Some(until) => {
            let pairs = [("name", name.clone()), ("until", wall.written(until))];
            Value::InlineTable(pairs.into_iter().collect::<InlineTable>())
        }
    };
    let (mut moved, mut news) = (false, false);
    for who in &targets {
        let table = tables::at(doc, &spot(who)).ok_or_else(odd_form)?;
        moved |= strike(table.get_mut(list.other()), &name);
        let array = match table.get_mut(list.key()) {
            Some(item) => item.as_array_mut().ok_or_else(odd_form)?,
            None => {
                tables::set(table, list.key(), Value::Array([value.clone()].into_iter().collect()));
                news = true;
                continue;
            }
        };
        let place = array.iter().position(|other| entry(other) == Some(&name));
        match place.and_then(|place| array.get_mut(place)) {
            Some(old) if plain_text(old) == plain_text(&value) => {}
            Some(old) => {
                let decor = old.decor().clone();
                *old = value.clone();
                *old.decor_mut() = decor;
                news = true;
            }
            None => {
                tables::push(array, value.clone());
                news = true;
            }
        }
    }
    let said = people::said_all(&targets, context.household);
    let until = until.map_or(String::new(), |until| format!(" until {}", wall.said(until, now)));
    Ok(match (news, moved) {
        (false, _) => format!("{name} is {} for {said}{until}, as it was", list.done()),
        (true, false) => format!("{name} is now {} for {said}{until}", list.done()),
        (true, true) => {
            let before = if list == OwnList::Allow { "blocked" } else { "allowed" };
            format!(
                "{name} is now {} for {said}{until}, and no longer {before}",
                list.done()
            )
        }
    })
}

pub(super) fn forget(
    doc: &mut DocumentMut,
    context: &Context,
    list: OwnList,
    name: &str,
    who: &[String],
) -> Result<String, EditError> {
    let name = own_name(name)?;
    let targets = targets(who, list, &name, context)?;
    let said = people::said_all(&targets, context.household);
    let mut found = false;
    for who in &targets {
        let table = tables::at(doc, &spot(who)).ok_or_else(odd_form)?;
        found |= strike(table.get_mut(list.key()), &name);
    }
    match found {
        true => Ok(format!(
            "{name} is no longer on the {} list of {said}; what the profile and its lists say counts again",
            list.word()
        )),
        false => Err(EditError::Unclear(format!(
            "{name} is not on the {} list of {said}; `stairgate household show` tells which names are",
            list.word()
        ))),
    }
}

/// Takes a name off a list, if it is on it.
fn strike(list: Option<&mut Item>, name: &str) -> bool {
    let Some(array) = list.and_then(Item::as_array_mut) else {
        return false;
    };
    let place = array.iter().position(|other| entry(other) == Some(name));
    if let Some(place) = place {
        tables::take(array, place);
    }
    place.is_some()
}

/// Persons and profiles, which alone have names of their own.
fn targets(who: &[String], list: OwnList, name: &str, context: &Context) -> Result<Vec<Who>, EditError> {
    let household = context.household;
    if who.is_empty() {
        if household.profile("default").is_some() {
            return Ok(vec![Who::Profile("default".to_owned())]);
        }
        let persons = household.persons().into_iter().map(|(id, _)| format!("--for {id}"));
        let profiles = household
            .profiles()
            .into_iter()
            .map(|(name, _)| format!("--for profile:{name}"));
        let choices: Vec<String> = persons.chain(profiles).collect();
        return Err(EditError::Unclear(match choices.is_empty() {
            true => format!(
                "for whom is {name} to be {}? there is nobody yet; `stairgate household add profile default` makes \
                 a profile for the whole household",
                list.done()
            ),
            false => format!(
                "for whom is {name} to be {}? write {}",
                list.done(),
                choices.join(" or ")
            ),
        }));
    }
    let mut targets: Vec<Who> = Vec::new();
    for who in Who::read_all(who, household)? {
        let more = match who {
            Who::Person(_) | Who::Profile(_) => vec![who],
            Who::Everyone => {
                // What a base has, those built on it have.
                let profiles = household.profiles().into_iter();
                let first = profiles.filter(|(_, profile)| profile.base.is_none());
                first.map(|(name, _)| Who::Profile(name.to_owned())).collect()
            }
            Who::Group(group) => {
                let mut persons = Vec::new();
                for member in household.members(&group) {
                    match household.person(member) {
                        Some(_) => persons.push(Who::Person(member.to_owned())),
                        None => persons.push(owner(member, context)?),
                    }
                }
                persons
            }
            Who::Device(device) => vec![owner(&device, context)?],
        };
        for who in more {
            if !targets.contains(&who) {
                targets.push(who);
            }
        }
    }
    match targets.is_empty() {
        true => Err(EditError::Unclear(format!(
            "there is no profile yet for which {name} could be {}; `stairgate household add profile default` makes one",
            list.done()
        ))),
        false => Ok(targets),
    }
}

/// A device has no names of its own: the question is whether its owner is meant.
fn owner(device: &str, context: &Context) -> Result<Who, EditError> {
    let found = context.household.devices.iter().find(|other| other.name == device);
    let whose = match found.map(|device| (&device.person, &device.profile)) {
        Some((Some(person), _)) => format!("--for {person}"),
        Some((None, Some(profile))) => format!("--for profile:{profile}"),
        _ => "--for a person or a profile".to_owned(),
    };
    Err(EditError::Unclear(format!(
        "device {device} has no names of its own; write {whose}, whose names count for it"
    )))
}

fn spot(who: &Who) -> Spot {
    match who {
        Who::Person(id) => Spot::Named("person", id.clone()),
        Who::Profile(name) => Spot::Named("profile", name.clone()),
        who => Spot::Named("person", who.word()),
    }
}

fn own_name(text: &str) -> Result<String, EditError> {
    checks::own_name(text).map_err(|why| EditError::value("the name", text, why))
}

/// Name and end, without the blanks and comments around them.
fn plain_text(value: &Value) -> (Option<String>, Option<String>) {
    let until = value.as_inline_table().and_then(|table| table.get("until"));
    (
        entry(value).map(str::to_owned),
        until.and_then(Value::as_str).map(str::to_owned),
    )
}

fn odd_form() -> EditError {
    EditError::Unreadable("a list of names is written in a form that commands cannot change".to_owned())
}
