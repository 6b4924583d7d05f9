//! The mmap reader: a gate file open for look-ups.

use crate::dns::key::Key;
use crate::list::rule::{Effect, Modifiers, Scope};

/// Index of a rule set, the combination of rules that a key has. Dense from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RuleSetId(pub u32);

/// Index of a rule, dense from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RuleId(pub u32);

/// Index of a source, dense from 0, in order of rank, ties by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SourceId(pub u16);

/// A rule as the gate holds it, decoded. Patterns and names have their own tables and point here.
#[derive(Debug, Clone)]
pub struct Rule {
    pub source: SourceId,
    pub scope: Scope,
    pub effect: Effect,
    pub modifiers: Modifiers,
}

/// A gate file open for look-ups. Immutable; shared by reference between threads.
#[derive(Default)]
pub struct Gate {}

impl Gate {
    /// Calls `visit(labels, set)` for every prefix of `key` that is a key of the gate, shortest first.
    pub fn walk(&self, key: &Key, mut visit: impl FnMut(usize, RuleSetId)) {
        let _ = (key, &mut visit);
    }
}
