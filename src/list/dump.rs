//! The text form of rules: what `dump` prints and what the dump format reads.
//!
//! In: rules. Out: text without tabs or line ends, and back.
//! Always: what is written reads back equal.

use crate::list::rule::{Effect, Modifiers, Pattern};

/// The words of the kind column.
pub const KINDS: [&str; 8] = [
    "exact", "subtree", "wildcard", "regex", "ip", "clientip", "nsname", "nsip",
];

/// The kind column.
pub fn pattern_kind(pattern: &Pattern) -> &'static str {
    match pattern {
        Pattern::Regex(_) => "regex",
        Pattern::Wildcard(_) => "wildcard",
        Pattern::Address(_) => "ip",
        Pattern::Client(_) => "clientip",
        Pattern::NsName(..) => "nsname",
        Pattern::NsAddress(_) => "nsip",
    }
}

/// The pattern column.
pub fn pattern_text(pattern: &Pattern) -> String {
    let _ = pattern;
    String::new()
}

/// The effect column.
pub fn effect_text(effect: &Effect) -> String {
    let _ = effect;
    String::new()
}

/// The modifiers column; empty for plain rules.
pub fn modifiers_text(modifiers: &Modifiers) -> String {
    let _ = modifiers;
    String::new()
}
