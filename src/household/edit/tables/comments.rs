//! Where tables stand in a document, and the comments between them.
//!
//! In: a document, the place of a table in it. Out: the tables behind it, what stands above them.
//! Always: a comment directly above a table is that table's; one that is apart by a blank line is not.

use toml_edit::{Decor, DocumentMut, Item, RawString, Table};

/// Keeps the comments above a table that was taken out, as far as they are not its own.
pub(super) fn hand_on(doc: &mut DocumentMut, position: isize, prefix: &str) {
    let (above, _) = prefix.split_at(after_last_blank_line(prefix));
    let kept = if above.contains('#') { above } else { "" };
    let before = doc.as_table().iter().any(|(_, item)| item.is_value()) || position_before(doc, position);
    let joined = |below: &str| {
        let below = match kept.is_empty() && before {
            true => below,
            false => below.trim_start_matches('\n'),
        };
        format!("{kept}{below}")
    };
    match next_position(doc, position) {
        Some(next) => at_position(doc, next, &mut |table| {
            let below = joined(&prefix_of(table.decor()));
            table.decor_mut().set_prefix(below);
        }),
        None => {
            let mut trailing = joined(doc.trailing().as_str().unwrap_or_default());
            while trailing.ends_with("\n\n") {
                trailing.pop();
            }
            doc.set_trailing(if trailing == "\n" { "" } else { &trailing });
        }
    }
}

pub(super) fn walk(table: &mut Table, visit: &mut dyn FnMut(&mut Table)) {
    for (_, item) in table.iter_mut() {
        walk_item(item, visit);
    }
}

pub(super) fn walk_item(item: &mut Item, visit: &mut dyn FnMut(&mut Table)) {
    match item {
        Item::Table(table) => {
            if !table.is_dotted() && !table.is_implicit() {
                visit(table);
            }
            walk(table, visit);
        }
        Item::ArrayOfTables(tables) => {
            for table in tables.iter_mut() {
                visit(table);
                walk(table, visit);
            }
        }
        _ => {}
    }
}

pub(super) fn next_position(doc: &mut DocumentMut, after: isize) -> Option<isize> {
    let mut next: Option<isize> = None;
    walk(doc.as_table_mut(), &mut |table| {
        if let Some(position) = table.position().filter(|position| *position > after) {
            next = Some(next.map_or(position, |next| next.min(position)));
        }
    });
    next
}

fn position_before(doc: &mut DocumentMut, position: isize) -> bool {
    let mut found = false;
    walk(doc.as_table_mut(), &mut |table| {
        found |= table.position().is_some_and(|other| other < position);
    });
    found
}

pub(super) fn at_position(doc: &mut DocumentMut, position: isize, change: &mut dyn FnMut(&mut Table)) {
    walk(doc.as_table_mut(), &mut |table| {
        if table.position() == Some(position) {
            change(table);
        }
    });
}

pub(super) fn prefix_of(decor: &Decor) -> String {
    decor
        .prefix()
        .and_then(RawString::as_str)
        .unwrap_or_default()
        .to_owned()
}

pub(super) fn suffix_of(decor: &Decor) -> String {
    decor
        .suffix()
        .and_then(RawString::as_str)
        .unwrap_or_default()
        .to_owned()
}

/// Where the first blank line begins, behind at least one other.
pub(super) fn first_blank_line(text: &str) -> Option<usize> {
    let mut offset = 0;
    for line in text.split_inclusive('\n') {
        if line.trim().is_empty() && line.ends_with('\n') {
            return Some(offset);
        }
        offset += line.len();
    }
    None
}

/// Where the last blank line has ended; 0 without one.
pub(super) fn after_last_blank_line(text: &str) -> usize {
    let (mut offset, mut cut) = (0, 0);
    for line in text.split_inclusive('\n') {
        offset += line.len();
        if line.trim().is_empty() && line.ends_with('\n') {
            cut = offset;
        }
    }
    cut
}

pub(super) fn ends_in_blank_line(text: &str) -> bool {
    !text.is_empty() && after_last_blank_line(text) == text.len()
}
