//! What a new gate adds to an old one, what it drops, and what it says differently.
//!
//! In: two gates. Out: patterns, in the order of gate keys, then everything that is not a name.
//! Always: what is compared is what rules mean and which list they are of, not ids or line numbers. A name that one of them
//! leaves out because an entry above says the same there counts as held.

use crate::dns::key::Key;
use crate::list::dump;
use crate::list::rule::{Pattern, Scope};
use crate::list::set::{Gate, RuleId, RuleSetId};
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// What became of a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    Added,
    Removed,
    Changed,
}

/// How rules of two gates are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sources {
    /// Rules of different lists differ.
    Compared,
    /// Only what a rule does counts, not which list it is of.
    Ignored,
}

/// Calls `each` for everything that differs.
pub fn diff<E>(
    old: &Gate,
    new: &Gate,
    sources: Sources,
    mut each: impl FnMut(Change, &str) -> Result<(), E>,
) -> Result<(), E> {
    let mut meanings = Meanings::default();
    let old = Side {
        gate: old,
        meanings: meanings.of(old, sources),
    };
    let new = Side {
        gate: new,
        meanings: meanings.of(new, sources),
    };
    names(&old, &new, &mut each)?;
    let (old_others, new_others) = (old.others(), new.others());
    let both: BTreeSet<&String> = old_others.keys().chain(new_others.keys()).collect();
    for text in both {
        match (old_others.get(text), new_others.get(text)) {
            (None, _) => each(Change::Added, text)?,
            (_, None) => each(Change::Removed, text)?,
            (a, b) if a != b => each(Change::Changed, text)?,
            _ => {}
        }
    }
    Ok(())
}

/// Numbers for what rules mean, the same for both gates.
#[derive(Default)]
struct Meanings {
    numbers: HashMap<String, u32>,
}

impl Meanings {
    /// For each rule of a gate the number of what it does, its scope apart.
    fn of(&mut self, gate: &Gate, sources: Sources) -> Vec<(u32, Scope)> {
        let rules = (0..gate.rule_count() as u32).filter_map(|rule| gate.rule(RuleId(rule)));
        rules
            .map(|rule| {
                let source = gate.sources().get(usize::from(rule.source.0));
                let traits = source.map_or_else(dump::Traits::default, |source| dump::Traits {
                    action: source.action,
                    format: source.format,
                    rank: source.rank,
                });
                let mut text = dump::effect_text(&rule.effect) + "\t" + &dump::modifiers_text(&rule.modifiers, &traits);
                if let (Some(source), Sources::Compared) = (source, sources) {
                    text += &format!("\t{}\t{}", source.category, source.name);
                }
                let next = self.numbers.len() as u32;
                (*self.numbers.entry(text).or_insert(next), rule.scope)
            })
            .collect()
    }
}

struct Side<'g> {
    gate: &'g Gate,
    meanings: Vec<(u32, Scope)>,
}

impl Side<'_> {
    /// What a set means, in an order that both sides share.
    fn meaning(&self, set: u32, into: &mut Vec<(u32, Scope)>) {
        into.clear();
        let rules = self.gate.rules_of(RuleSetId(set));
        into.extend(rules.filter_map(|rule| self.meanings.get(rule.0 as usize)).copied());
        into.sort_unstable();
        into.dedup();
    }

    /// Whether entries above a name say all of this there.
    fn covers(&self, key: &[u8], wanted: &[(u32, Scope)]) -> bool {
        let Ok(key) = Key::parse(&crate::dns::key::to_text(key)) else {
            return false;
        };
        let mut said = Vec::new();
        self.gate.walk(&key, |labels, set| {
            if labels < key.label_count() {
                let rules = self
                    .gate
                    .rules_of(set)
                    .filter_map(|rule| self.meanings.get(rule.0 as usize));
                said.extend(
                    rules
                        .filter(|(_, scope)| *scope != Scope::Exact)
                        .map(|(meaning, _)| *meaning),
                );
            }
        });
        wanted.iter().all(|(meaning, _)| said.contains(meaning))
    }

    fn others(&self) -> BTreeMap<String, BTreeSet<u32>> {
        let mut others: BTreeMap<String, BTreeSet<u32>> = BTreeMap::new();
        let networks = self
            .gate
            .networks()
            .map(|(network, rule)| (Pattern::Address(network), rule));
        for (pattern, rule) in self.gate.patterns().iter().cloned().chain(networks) {
            if let Some((meaning, _)) = self.meanings.get(rule.0 as usize) {
                others.entry(dump::pattern_text(&pattern)).or_default().insert(*meaning);
            }
        }
        others
    }
}

fn names<E>(old: &Side, new: &Side, each: &mut impl FnMut(Change, &str) -> Result<(), E>) -> Result<(), E> {
    let (mut olds, mut news) = (old.gate.all_keys(), new.gate.all_keys());
    let (mut a, mut b) = (Vec::new(), Vec::new());
    let (mut more_old, mut more_new) = (olds.advance(), news.advance());
    while more_old || more_new {
        let order = match (more_old, more_new) {
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
            _ => olds.key().cmp(news.key()),
        };
        let text = |key: &[u8]| dump::name_text(key, Scope::Subtree);
        match order {
            Ordering::Less => {
                old.meaning(olds.set(), &mut a);
                if !new.covers(olds.key(), &a) {
                    each(Change::Removed, &text(olds.key()))?;
                }
            }
            Ordering::Greater => {
                new.meaning(news.set(), &mut b);
                if !old.covers(news.key(), &b) {
                    each(Change::Added, &text(news.key()))?;
                }
            }
            Ordering::Equal => {
                old.meaning(olds.set(), &mut a);
                new.meaning(news.set(), &mut b);
                if a != b {
                    each(Change::Changed, &text(olds.key()))?;
                }
            }
        }
        if order.is_le() {
            more_old = olds.advance();
        }
        if order.is_ge() {
            more_new = news.advance();
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes(old: &str, new: &str) -> Vec<(Change, String)> {
        let (old, new) = (
            Gate::from_lists(&[("a", "ads", old)]),
            Gate::from_lists(&[("a", "ads", new)]),
        );
        let mut changes = Vec::new();
        let result: Result<(), ()> = diff(&old, &new, Sources::Compared, |change, text| {
            changes.push((change, text.to_owned()));
            Ok(())
        });
        result.unwrap();
        changes
    }

    use Change::{Added, Changed, Removed};

    #[test]
    fn names_that_come_go_and_change_are_told_apart() {
        let old = "||gone.example^\n||same.example^\n||other.example^\n/^ads/\n";
        let new = "||same.example^\n||new.example^\n||other.example^$important\n/^ads[0-9]/\n";
        let wanted = [
            (Removed, "gone.example"),
            (Added, "new.example"),
            (Changed, "other.example"),
            (Removed, "^ads"),
            (Added, "^ads[0-9]"),
        ];
        assert_eq!(
            changes(old, new),
            wanted.map(|(change, text)| (change, text.to_owned()))
        );
        assert_eq!(changes(old, old), []);
    }

    #[test]
    fn a_name_that_an_entry_above_now_covers_is_not_gone() {
        let old = "||www.example.com^\n||x.example.net^\n";
        let new = "||example.com^\n||www.example.com^\n||x.example.net^\n";
        assert_eq!(changes(old, new), [(Added, "example.com".to_owned())]);
        assert_eq!(changes(new, old), [(Removed, "example.com".to_owned())]);
    }

    #[test]
    fn the_list_of_a_rule_counts_only_if_asked_for() {
        let (old, new) = (
            Gate::from_lists(&[("a", "ads", "x.example\n")]),
            Gate::from_lists(&[("b", "ads", "x.example\n")]),
        );
        for (sources, wanted) in [(Sources::Compared, 1), (Sources::Ignored, 0)] {
            let mut count = 0;
            let result: Result<(), ()> = diff(&old, &new, sources, |_, _| {
                count += 1;
                Ok(())
            });
            result.unwrap();
            assert_eq!(count, wanted);
        }
    }
}
