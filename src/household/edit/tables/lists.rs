//! Lists, on one line or on several, with comments beside their words.
//!
//! In: a list, what to put or take. Out: the same list, written as it was.
//! Always: a comment beside a word goes with it, one on a line of its own stays.

use super::comments::{prefix_of, suffix_of};
use toml_edit::{Array, Value};

/// Adds a value at the end of a list: on a line of its own if the others have theirs.
pub fn push(array: &mut Array, mut value: Value) {
    let trailing = array.trailing().as_str().unwrap_or_default().to_owned();
    let comma = array.trailing_comma();
    let count = array.len();
    let last = count.checked_sub(1).and_then(|last| array.get_mut(last));
    let (last_prefix, last_suffix) = match &last {
        Some(last) => (prefix_of(last.decor()), suffix_of(last.decor())),
        None => Default::default(),
    };
    let tail = format!("{last_suffix}{trailing}");
    if last_prefix.contains('\n') || tail.contains('\n') {
        let indent = last_prefix.rsplit_once('\n').map_or("    ", |(_, indent)| indent);
        value.decor_mut().set_prefix(format!("{}\n{indent}", tail.trim_end()));
        value.decor_mut().set_suffix("");
        if let Some(last) = last {
            last.decor_mut().set_suffix("");
        }
        let rest = tail
            .rfind('\n')
            .and_then(|newline| tail.get(newline..))
            .unwrap_or_default();
        array.set_trailing(rest);
        array.set_trailing_comma(comma || count == 0);
    } else {
        value.decor_mut().set_prefix(if count == 0 { "" } else { " " });
        value.decor_mut().set_suffix(last_suffix);
        if let Some(last) = last {
            last.decor_mut().set_suffix("");
        }
    }
    array.push_formatted(value);
}

/// Takes a value out of a list, with the comment beside it.
pub fn take(array: &mut Array, index: usize) {
    if index >= array.len() {
        return;
    }
    let taken = array.remove(index);
    let (own, suffix) = (prefix_of(taken.decor()), suffix_of(taken.decor()));
    let (above, _) = own.rsplit_once('\n').unwrap_or_default();
    match array.get_mut(index) {
        Some(next) => {
            let prefix = prefix_of(next.decor());
            let joined = match prefix.find('\n').and_then(|newline| prefix.get(newline..)) {
                Some(rest) => format!("{above}{rest}"),
                None => own,
            };
            next.decor_mut().set_prefix(joined);
        }
        None => {
            let tail = suffix + array.trailing().as_str().unwrap_or_default();
            let rest = tail.find('\n').and_then(|newline| tail.get(newline..));
            let joined = match rest {
                Some(rest) => format!("{above}{rest}"),
                None if above.is_empty() => tail.trim_start().to_owned(),
                None => format!("{above}\n"),
            };
            array.set_trailing(joined);
            // The line before keeps its comma.
            let comma = array.trailing_comma() || own.contains('\n');
            array.set_trailing_comma(comma && !array.is_empty());
        }
    }
}

/// A list of texts.
pub fn list<T: AsRef<str>>(texts: &[T]) -> Value {
    Value::Array(texts.iter().map(|text| text.as_ref()).collect())
}

/// The text of a list's entry: itself, or the name in it.
pub fn entry(value: &Value) -> Option<&str> {
    match value {
        Value::String(text) => Some(text.value()),
        Value::InlineTable(table) => table.get("name").and_then(Value::as_str),
        _ => None,
    }
}
