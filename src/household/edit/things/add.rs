//! Adds a thing.
//!
//! In: its kind, its name, its keys. Out: the table with what it needs, and the sentence.

use super::{Context, either, odd_form, unmatched, unused};
use crate::household::edit::error::EditError;
use crate::household::edit::fields::{Check, Kind};
use crate::household::edit::{Given, checks, read, tables};
use crate::household::phrases;
use crate::household::shape::Household;
use std::collections::BTreeMap;
use toml_edit::{DocumentMut, Value};

pub(in crate::household::edit) fn add(
    doc: &mut DocumentMut,
    context: &Context,
    kind: Kind,
    name: Option<&str>,
    keys: &BTreeMap<String, Given>,
) -> Result<String, EditError> {
    let household = context.household;
    let name = new_name(kind, name, keys, household)?;
    let owner = match kind {
        Kind::Person => name.clone(),
        kind => format!("{} {name}", kind.word()),
    };
    let mut values: BTreeMap<&str, Value> = BTreeMap::new();
    for (key, given) in keys {
        let field = kind.field(key)?;
        if field.key == "base"
            && given
                .texts()
                .iter()
                .any(|base| base.to_lowercase() == name.to_lowercase())
        {
            return Err(EditError::value(
                "base",
                &name,
                "is the profile itself; name another one",
            ));
        }
        values.insert(field.key, field.value(given, context)?);
    }
    if !kind.is_named() {
        values.insert("name", Value::from(&name));
    }
    match kind {
        Kind::Quota => {
            values.entry("per").or_insert_with(|| Value::from("day"));
        }
        // A profile says what it filters, be it nothing, so that an empty one is no slip.
        Kind::Profile if !values.contains_key("base") && !values.contains_key("block") => {
            values.insert("block", tables::list::<&str>(&[]));
        }
        _ => {}
    }
    for field in kind.fields().iter().filter(|field| field.needed) {
        if !values.contains_key(field.key) {
            return Err(EditError::Missing {
                owner,
                missing: format!("\"{}\"", field.key),
                flag: format!("{} {}", field.flag(), example(field.check)),
            });
        }
    }
    either(kind, &owner, &|key| values.contains_key(key))?;
    if let Some(networks) = values.get("match").and_then(Value::as_array) {
        unmatched(networks, None, household)?;
    }
    let ordered = kind.fields().iter();
    let ordered = ordered.filter_map(|field| Some((field.key.to_owned(), values.remove(field.key)?)));
    let ordered: Vec<(String, Value)> = ordered.collect();
    if !tables::add(doc, kind.word(), kind.is_named().then_some(&*name), ordered) {
        return Err(odd_form(kind));
    }
    let after = read(doc)?;
    Ok(phrases::new_thing(kind, &name, &after))
}

/// The name that a new thing gets, if nothing else has it.
fn new_name(
    kind: Kind,
    name: Option<&str>,
    keys: &BTreeMap<String, Given>,
    household: &Household,
) -> Result<String, EditError> {
    let name = match (kind, name.map(str::trim).filter(|name| !name.is_empty())) {
        (Kind::Household, _) => {
            return Err(EditError::Unclear(
                "there is one household, and nothing more of it to add; \
                 change it as in `stairgate household set household timezone Europe/Berlin`"
                    .to_owned(),
            ));
        }
        (_, Some(name)) => name.to_owned(),
        (Kind::Window, None) => {
            let days = keys.get("days").map(|days| days.texts().join(", ")).unwrap_or_default();
            let days = if days.is_empty() { "every day" } else { &days };
            let taken = |name: &str| {
                household
                    .windows
                    .iter()
                    .any(|window| window.name.as_deref() == Some(name))
            };
            let numbered = (2..).map(|number| format!("{days} {number}"));
            let mut names = std::iter::once(days.to_owned()).chain(numbered);
            return Ok(names.find(|name| !taken(name)).unwrap_or_default());
        }
        (kind, None) => {
            return Err(EditError::Missing {
                owner: format!("a {}", kind.word()),
                missing: "a name".to_owned(),
                flag: format!("one, as in `stairgate household add {} NAME`", kind.word()),
            });
        }
    };
    match kind {
        Kind::Window | Kind::Quota => checks::line(&name).map(drop),
        _ => checks::id(&name),
    }
    .map_err(|why| EditError::value(kind.word(), &name, why))?;
    unused(kind, &name, household)?;
    Ok(name)
}

/// What to write behind a flag that is missing.
fn example(check: Check) -> &'static str {
    match check {
        Check::Profile => "child",
        Check::Network => "192.168.1.20",
        Check::Member => "masha",
        Check::Who => "masha",
        Check::Clock => "21:00",
        Check::Length => "1h",
        Check::Thing => "games",
        Check::OwnName => "school.example",
        _ => "NAME",
    }
}
