//! Changes and removes what is there.
//!
//! In: a thing, a key, words. Out: the document with it, and the sentence that says what was before.

use super::{Context, Thing, either, find, odd_form, unmatched, unused};
use crate::household::edit::error::EditError;
use crate::household::edit::fields::{Field, Kind};
use crate::household::edit::tables::{self, Spot, entry};
use crate::household::edit::{Given, people, refs};
use crate::household::phrases;
use crate::household::shape::Household;
use toml_edit::{Array, DocumentMut, Item, Value};

pub(in crate::household::edit) fn set(
    doc: &mut DocumentMut,
    context: &Context,
    kind: Kind,
    name: Option<&str>,
    key: &str,
    given: &Given,
) -> Result<String, EditError> {
    let household = context.household;
    let thing = find(kind, name, household)?;
    let field = kind.field(key)?;
    let value = field.value(given, context)?;
    if field.key == "name" && !kind.is_named() {
        let new = value.as_str().unwrap_or_default();
        if new.to_lowercase() != thing.name.to_lowercase() {
            unused(kind, new, household)?;
        }
        if new != thing.name {
            refs::free(kind, &thing.name, &thing.said, household)?;
        }
    }
    if field.key == "base" {
        no_circle(&thing.name, value.as_str().unwrap_or_default(), household)?;
    }
    if let (Some(networks), "match") = (value.as_array(), field.key) {
        unmatched(networks, Some(&thing.spot), household)?;
    }
    let new = phrases::plain(&value);
    if thing.spot == Spot::Top {
        let old = doc.get(field.key).and_then(Item::as_value).map(phrases::plain);
        tables::set_on_top(doc, field.key, value);
        return Ok(changed(&thing.said, field.key, &new, old));
    }
    let table = tables::at(doc, &thing.spot).ok_or_else(|| odd_form(kind))?;
    let old = table.get(field.key).and_then(Item::as_value).map(phrases::plain);
    tables::set(table, field.key, value);
    // A device goes from a person to a profile and back by one command.
    let other = match (kind, field.key) {
        (Kind::Device, "person") => tables::unset(doc, &thing.spot, "profile").map(|_| "profile"),
        (Kind::Device, "profile") => tables::unset(doc, &thing.spot, "person").map(|_| "person"),
        _ => None,
    };
    let table = tables::at(doc, &thing.spot).ok_or_else(|| odd_form(kind))?;
    either(kind, &thing.said, &|key| table.contains_key(key))?;
    let sentence = changed(&thing.said, field.key, &new, old);
    Ok(match other {
        Some(other) => format!("{sentence}, and no longer has a {other} of its own"),
        None => sentence,
    })
}

fn changed(owner: &str, key: &str, new: &str, old: Option<String>) -> String {
    match old {
        Some(old) if old == new => format!("{owner}: {key} is {new}, as it was"),
        Some(old) => format!("{owner}: {key} is now {new}; it was {old}"),
        None => format!("{owner}: {key} is now {new}"),
    }
}

/// A base whose own bases lead back to the profile.
fn no_circle(name: &str, base: &str, household: &Household) -> Result<(), EditError> {
    let mut next = Some(base.to_owned());
    for _ in 0..=household.profiles().len() {
        let Some(at) = next else { return Ok(()) };
        if at == name {
            break;
        }
        next = household.profile(&at).and_then(|profile| profile.base.clone());
    }
    Err(EditError::value(
        "base",
        base,
        format!("is itself based on {name}; name a profile that is not"),
    ))
}

pub(in crate::household::edit) fn also(
    doc: &mut DocumentMut,
    context: &Context,
    kind: Kind,
    name: Option<&str>,
    key: &str,
    values: &[String],
) -> Result<String, EditError> {
    let (thing, field) = list_of(kind, name, key, context.household)?;
    let words = field.words(values, context)?;
    if field.key == "match" {
        let networks: Array = words.iter().map(String::as_str).collect();
        unmatched(&networks, Some(&thing.spot), context.household)?;
    }
    let table = tables::at(doc, &thing.spot).ok_or_else(|| odd_form(kind))?;
    let mut fresh = Vec::new();
    match table.get_mut(field.key) {
        Some(Item::Value(value)) => {
            let array = as_list(value).ok_or_else(|| odd_form(kind))?;
            for word in words {
                if !array.iter().any(|other| entry(other) == Some(&word)) {
                    tables::push(array, Value::from(&word));
                    fresh.push(word);
                }
            }
        }
        _ => {
            tables::set(table, field.key, tables::list(&words));
            fresh = words;
        }
    }
    let now = table.get(field.key).and_then(Item::as_value).map(phrases::plain);
    let now = now.unwrap_or_default();
    either(kind, &thing.said, &|key| table.contains_key(key))?;
    Ok(match fresh.is_empty() {
        true => format!("{}: {} is {now}, as it was", thing.said, field.key),
        false => format!(
            "{}: {} now has {} too: {now}",
            thing.said,
            field.key,
            people::joined(fresh)
        ),
    })
}

pub(in crate::household::edit) fn without(
    doc: &mut DocumentMut,
    context: &Context,
    kind: Kind,
    name: Option<&str>,
    key: &str,
    values: &[String],
) -> Result<String, EditError> {
    let (thing, field) = list_of(kind, name, key, context.household)?;
    let table = tables::at(doc, &thing.spot).ok_or_else(|| odd_form(kind))?;
    let Some(Item::Value(value)) = table.get_mut(field.key) else {
        return Err(EditError::NotSet {
            owner: thing.said,
            key: field.key.to_owned(),
        });
    };
    let array = as_list(value).ok_or_else(|| odd_form(kind))?;
    for text in values {
        // As it stands, or as it would be written: what the file has may no longer be a word of today's catalogue.
        let word = field.word(text, context).unwrap_or_else(|_| text.trim().to_owned());
        let place = array
            .iter()
            .position(|other| entry(other) == Some(&word) || entry(other) == Some(text));
        match place {
            Some(place) => tables::take(array, place),
            None => {
                let known = array.iter().filter_map(entry).map(str::to_owned).collect();
                return Err(EditError::no_such("such word in it:", text, known, ""));
            }
        }
    }
    let empty = array.is_empty();
    // Other lists may be empty; an empty window or engine list would say something else than it did.
    if empty && (field.needed || kind == Kind::Window && matches!(field.key, "block" | "allow")) {
        return Err(EditError::LeftWithout {
            owner: thing.said,
            key: format!("\"{}\"", field.key),
            kind: kind.word(),
        });
    }
    let now = phrases::plain(value);
    if empty && !matches!(field.key, "block" | "allow" | "deny") {
        tables::unset(doc, &thing.spot, field.key);
    }
    Ok(format!(
        "{}: {} is now {}; {} {} gone",
        thing.said,
        field.key,
        if empty { "empty" } else { &now },
        people::joined(values.to_vec()),
        if values.len() == 1 { "is" } else { "are" },
    ))
}

pub(in crate::household::edit) fn unset(
    doc: &mut DocumentMut,
    context: &Context,
    kind: Kind,
    name: Option<&str>,
    key: &str,
) -> Result<String, EditError> {
    let thing = find(kind, name, context.household)?;
    let field = kind.field(key)?;
    let table = tables::at(doc, &thing.spot).ok_or_else(|| odd_form(kind))?;
    let pair = either(kind, "", &|other| other != field.key && table.contains_key(other));
    if field.needed || (pair.is_err() && table.contains_key(field.key)) {
        return Err(EditError::LeftWithout {
            owner: thing.said,
            key: format!("\"{}\"", field.key),
            kind: kind.word(),
        });
    }
    match tables::unset(doc, &thing.spot, field.key) {
        Some(item) => {
            let old = item.as_value().map(phrases::plain).unwrap_or_default();
            Ok(format!("{}: {} is gone; it was {old}", thing.said, field.key))
        }
        None => Err(EditError::NotSet {
            owner: thing.said,
            key: field.key.to_owned(),
        }),
    }
}

pub(in crate::household::edit) fn remove(
    doc: &mut DocumentMut,
    context: &Context,
    kind: Kind,
    name: &str,
) -> Result<String, EditError> {
    if kind == Kind::Household {
        return Err(EditError::Unclear(
            "the household itself cannot be removed; remove what is in it, or delete the file".to_owned(),
        ));
    }
    let thing = find(kind, Some(name), context.household)?;
    refs::free(kind, &thing.name, &thing.said, context.household)?;
    match tables::remove(doc, &thing.spot) {
        true => Ok(format!("{} is no longer part of this household", thing.said)),
        false => Err(odd_form(kind)),
    }
}

/// A list as it is, or one made of the one word that stood there.
fn as_list(value: &mut Value) -> Option<&mut Array> {
    if !value.is_array() {
        let mut array = Array::new();
        let decor = value.decor().clone();
        if value.is_str() {
            value.decor_mut().clear();
            array.push(value.clone());
        }
        *array.decor_mut() = decor;
        *value = Value::Array(array);
    }
    value.as_array_mut()
}

/// A thing, and one of its keys that is a list.
fn list_of(
    kind: Kind,
    name: Option<&str>,
    key: &str,
    household: &Household,
) -> Result<(Thing, &'static Field), EditError> {
    let thing = find(kind, name, household)?;
    let field = kind.field(key)?;
    match field.is_list() {
        true => Ok((thing, field)),
        false => Err(no_list(field.key, kind, &thing)),
    }
}

fn no_list(key: &str, kind: Kind, thing: &Thing) -> EditError {
    let name = if thing.name.is_empty() {
        String::new()
    } else {
        format!(" {}", thing.name)
    };
    EditError::Unclear(format!(
        "{key} is one value and no list; write `stairgate household set {}{name} {key} VALUE`",
        kind.word()
    ))
}
