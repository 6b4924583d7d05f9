//! The mmap reader: a gate file open for look-ups.

use crate::dns::key::Key;
use crate::list::rule::{Effect, Modifiers, Pattern, Scope};

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

/// One source of the gate, as policy needs to know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceInfo {
    pub name: String,
    pub category: String,
    /// A word of the command line's FORMAT, never `auto`.
    pub format: String,
    /// An allow list: acts only for profiles that name it, and whatever it blocks it allows.
    pub allow: bool,
    pub rank: u32,
}

/// A gate file open for look-ups. Immutable; shared by reference between threads.
#[derive(Default)]
pub struct Gate {}

impl Gate {
    /// Calls `visit(labels, set)` for every prefix of `key` that is a key of the gate, shortest first.
    pub fn walk(&self, key: &Key, mut visit: impl FnMut(usize, RuleSetId)) {
        let _ = (key, &mut visit);
    }

    /// How many rule sets there are; their ids are dense from 0.
    pub fn rule_set_count(&self) -> usize {
        0
    }

    /// The rules of a set, ascending, and so in order of their sources. Allocates nothing.
    pub fn rules_of(&self, set: RuleSetId) -> impl Iterator<Item = RuleId> + '_ {
        let _ = set;
        std::iter::empty()
    }

    /// How many rules there are; their ids are dense from 0.
    pub fn rule_count(&self) -> usize {
        0
    }

    /// A rule, decoded; `None` past the last.
    pub fn rule(&self, rule: RuleId) -> Option<Rule> {
        let _ = rule;
        None
    }

    /// The sources in order of their ids.
    pub fn sources(&self) -> Vec<SourceInfo> {
        Vec::new()
    }

    /// Everything that is not a name: regular expressions, wildcards, networks, name-server rules, in a stable order.
    pub fn patterns(&self) -> Vec<(Pattern, RuleId)> {
        Vec::new()
    }
}
