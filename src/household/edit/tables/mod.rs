//! The mechanics of a document: where tables go, what happens to the comments around them, lists.
//!
//! In: a [`DocumentMut`] and what to put or take. Out: the same document, changed there.
//! Always: every other line keeps its bytes and its place. A comment belongs to the table below it if no blank line is
//! between them, and goes with it; any other comment stays where it is. A new table comes after the last of its kind, or
//! last, with a blank line before it.

pub mod comments;
pub mod lists;

#[cfg(test)]
mod tests;

pub use lists::{entry, list, push, take};

use comments::{
    after_last_blank_line, at_position, ends_in_blank_line, first_blank_line, hand_on, next_position, prefix_of, walk,
    walk_item,
};
use toml_edit::{ArrayOfTables, DocumentMut, InlineTable, Item, Table, TableLike, Value};

/// Where in the document something stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Spot {
    /// The keys before the first table.
    Top,
    /// `[kind.name]`
    Named(&'static str, String),
    /// The n-th `[[kind]]`, from 0.
    Listed(&'static str, usize),
}

/// The table there; `None`: there is none.
pub fn at<'d>(doc: &'d mut DocumentMut, spot: &Spot) -> Option<&'d mut dyn TableLike> {
    match spot {
        Spot::Top => Some(doc.as_table_mut()),
        Spot::Named(kind, name) => doc
            .get_mut(kind)?
            .as_table_like_mut()?
            .get_mut(name)?
            .as_table_like_mut(),
        Spot::Listed(kind, index) => match doc.get_mut(kind)? {
            Item::ArrayOfTables(tables) => tables.get_mut(*index).map(|table| table as &mut dyn TableLike),
            Item::Value(Value::Array(array)) => array
                .get_mut(*index)?
                .as_inline_table_mut()
                .map(|table| table as &mut dyn TableLike),
            _ => None,
        },
    }
}

/// Puts a new table: named, or the last of its list. `false`: something of another form stands in its place.
pub fn add(doc: &mut DocumentMut, kind: &'static str, name: Option<&str>, keys: Vec<(String, Value)>) -> bool {
    let inline = match doc.get(kind) {
        Some(Item::Value(Value::InlineTable(_) | Value::Array(_))) => true,
        Some(Item::Table(table)) => table.is_dotted(),
        _ => false,
    };
    if inline {
        let table: InlineTable = keys.into_iter().collect();
        return match (doc.get_mut(kind), name) {
            (Some(Item::Value(Value::Array(array))), None) => {
                push(array, Value::InlineTable(table));
                true
            }
            (Some(item), Some(name)) => item.as_table_like_mut().is_some_and(|tables| {
                tables.insert(name, Item::Value(Value::InlineTable(table)));
                true
            }),
            _ => false,
        };
    }
    let mut table = Table::new();
    for (key, value) in keys {
        table.insert(&key, Item::Value(value));
    }
    let place = make_room(doc, kind);
    table.set_position(Some(place.position));
    table.decor_mut().set_prefix(place.prefix);
    match name {
        Some(name) => {
            let kinds = doc.entry(kind).or_insert_with(|| {
                let mut kinds = Table::new();
                kinds.set_implicit(true);
                Item::Table(kinds)
            });
            kinds.as_table_like_mut().is_some_and(|kinds| {
                kinds.insert(name, Item::Table(table));
                true
            })
        }
        None => {
            let tables = doc
                .entry(kind)
                .or_insert_with(|| Item::ArrayOfTables(ArrayOfTables::new()));
            tables.as_array_of_tables_mut().is_some_and(|tables| {
                tables.push(table);
                true
            })
        }
    }
}

struct Place {
    position: isize,
    /// What stands between the table before and this one.
    prefix: String,
}

/// Moves the tables that come after the last of a kind one further on.
fn make_room(doc: &mut DocumentMut, kind: &str) -> Place {
    let mut last_of_kind = None;
    if let Some(item) = doc.get_mut(kind) {
        walk_item(item, &mut |table| last_of_kind = last_of_kind.max(table.position()));
    }
    let mut last = 0;
    walk(doc.as_table_mut(), &mut |table| {
        last = last.max(table.position().unwrap_or(0))
    });
    let after = last_of_kind.unwrap_or(last);
    let begins = doc.trailing().as_str().unwrap_or_default().is_empty() && doc.to_string().is_empty();
    walk(doc.as_table_mut(), &mut |table| {
        if let Some(position) = table.position().filter(|position| *position > after) {
            table.set_position(Some(position + 1));
        }
    });
    let mut prefix = String::new();
    match next_position(doc, after) {
        Some(next) => at_position(doc, next, &mut |table| {
            let old = prefix_of(table.decor());
            // What follows the table before without a blank line is said of that one.
            let cut = first_blank_line(&old).unwrap_or(0);
            let (before, own) = old.split_at(cut);
            prefix = before.to_owned();
            let own = if own.starts_with('\n') {
                own.to_owned()
            } else {
                format!("\n{own}")
            };
            table.decor_mut().set_prefix(own);
        }),
        None => {
            prefix = doc.trailing().as_str().unwrap_or_default().to_owned();
            if !prefix.is_empty() && !prefix.ends_with('\n') {
                prefix.push('\n');
            }
            doc.set_trailing("");
        }
    }
    if !begins && !ends_in_blank_line(&prefix) {
        prefix.push('\n');
    }
    Place {
        position: after + 1,
        prefix,
    }
}

/// Takes a table out. `false`: it is not there.
pub fn remove(doc: &mut DocumentMut, spot: &Spot) -> bool {
    let (taken, kind) = match spot {
        Spot::Top => return false,
        Spot::Named(kind, name) => {
            let tables = doc.get_mut(kind).and_then(Item::as_table_like_mut);
            (tables.and_then(|tables| tables.remove(name)), kind)
        }
        Spot::Listed(kind, index) => match doc.get_mut(kind) {
            Some(Item::ArrayOfTables(tables)) if *index < tables.len() => {
                let table = tables.get(*index).cloned();
                tables.remove(*index);
                (table.map(Item::Table), kind)
            }
            Some(Item::Value(Value::Array(array))) if *index < array.len() => {
                take(array, *index);
                return true;
            }
            _ => (None, kind),
        },
    };
    let empty = match doc.get(kind) {
        Some(Item::ArrayOfTables(tables)) => tables.is_empty(),
        Some(Item::Table(tables)) => tables.is_implicit() && tables.is_empty(),
        _ => false,
    };
    if empty {
        doc.remove(kind);
    }
    let Some(taken) = taken else { return false };
    if let Item::Table(table) = &taken
        && let Some(position) = table.position().filter(|_| !table.is_dotted())
    {
        hand_on(doc, position, &prefix_of(table.decor()));
    }
    true
}

/// Sets a key: in its place if it is there, else as the last of the table. The comment beside it stays.
pub fn set(table: &mut dyn TableLike, key: &str, mut value: Value) {
    match table.get_mut(key) {
        Some(Item::Value(old)) => {
            *value.decor_mut() = old.decor().clone();
            *old = value;
        }
        _ => {
            table.insert(key, Item::Value(value));
        }
    }
}

/// Takes a key out, with the comment beside it and the one directly above it; comments further up stay.
pub fn unset(doc: &mut DocumentMut, spot: &Spot, key: &str) -> Option<Item> {
    let position = match spot {
        Spot::Top => Some(0),
        Spot::Named(kind, name) => doc.get(kind)?.get(name)?.as_table().and_then(Table::position),
        Spot::Listed(kind, index) => doc.get(kind)?.get(*index)?.as_table().and_then(Table::position),
    };
    let table = at(doc, spot)?;
    let prefix = table
        .key(key)
        .map(|key| prefix_of(key.leaf_decor()))
        .unwrap_or_default();
    let next = table.iter().skip_while(|(other, _)| *other != key).nth(1);
    let next = next
        .filter(|(_, item)| item.is_value())
        .map(|(next, _)| next.to_owned());
    let item = table.remove(key)?;
    let (above, _) = prefix.split_at(after_last_blank_line(&prefix));
    if above.contains('#') {
        match (next.and_then(|next| table.key_mut(&next)), position) {
            (Some(mut next), _) => {
                let below = prefix_of(next.leaf_decor());
                let joined = format!("{above}{}", below.trim_start_matches('\n'));
                next.leaf_decor_mut().set_prefix(joined);
            }
            (None, Some(position)) => hand_on(doc, position, &prefix),
            (None, None) => {}
        }
    }
    Some(item)
}

/// Sets a key before the first table. What stands on top of the file, apart from the first table, stays on top.
pub fn set_on_top(doc: &mut DocumentMut, key: &str, value: Value) {
    let has_keys = doc.as_table().iter().any(|(_, item)| item.is_value());
    if has_keys {
        return set(doc.as_table_mut(), key, value);
    }
    let mut head = String::new();
    match next_position(doc, 0) {
        Some(first) => at_position(doc, first, &mut |table| {
            let prefix = prefix_of(table.decor());
            let (above, own) = prefix.split_at(after_last_blank_line(&prefix));
            head = above.to_owned();
            let own = format!("\n{own}");
            table.decor_mut().set_prefix(own);
        }),
        None => {
            head = doc.trailing().as_str().unwrap_or_default().to_owned();
            if !head.is_empty() && !head.ends_with('\n') {
                head.push('\n');
            }
            doc.set_trailing("");
        }
    }
    doc.insert(key, Item::Value(value));
    if let Some(mut key) = doc.as_table_mut().key_mut(key) {
        key.leaf_decor_mut().set_prefix(head);
    }
}
