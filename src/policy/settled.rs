//! Decisions that need no judging: of the rule sets that most names have, when nothing else matches a name.
//!
//! In: a profile's table. Out: [`Settled`], asked before the rules themselves are read.
//! Always: made by the judge, once, so that there is one order of precedence. Only sets whose rules count or not whoever asks
//! for whatever type are here.

use super::decision::{Cause, Decision};
use super::judge::Judge;
use super::places::Places;
use super::profile::{Table, Verdict};
use super::rules::Act;
use super::{Asker, Met, Policy};
use crate::dns::rtype;
use crate::list::set::{Gate, RuleSetId};
use std::collections::HashMap;

/// Sets are numbered by how many names have them; the first of them are those of nearly all names, and settling one
/// takes about a microsecond.
const SETS: usize = 4096;

/// In the place of a decision's number: there is none.
const NONE: u16 = u16::MAX;

/// What was decided beforehand.
#[derive(Default)]
pub struct Settled {
    /// Two a set: for a key above the name, for the name itself.
    numbers: Box<[u16]>,
    decisions: Vec<Decision>,
}

impl Settled {
    /// What becomes of a question for a name that only this set matches, where its key is the name itself or a parent.
    #[inline]
    pub fn get(&self, set: RuleSetId, itself: bool) -> Option<Decision> {
        let number = *self.numbers.get(2 * set.0 as usize + usize::from(itself))?;
        self.decisions.get(usize::from(number)).copied()
    }

    pub fn size_bytes(&self) -> usize {
        self.numbers.len() * size_of::<u16>() + self.decisions.len() * size_of::<Decision>()
    }
}

impl Policy {
    /// Judges the first sets of a gate for a table.
    pub(super) fn settle(&self, gate: &Gate, table: &Table) -> Settled {
        let mut settled = Settled::default();
        // Decisions about sets differ in their rule and action, of which there are few.
        let mut known: HashMap<(u32, bool), Vec<u16>> = HashMap::new();
        let sets = (0..gate.rule_set_count().min(SETS) as u32).map(RuleSetId);
        let mut numbers = Vec::with_capacity(2 * SETS);
        for (set, itself) in sets.flat_map(|set| [(set, false), (set, true)]) {
            let number = self.decided(gate, table, set, itself).and_then(|decision| {
                let Cause::Rule(rule) = decision.cause else { return None };
                let key = (rule.0, decision.acts());
                let same = known.entry(key).or_default();
                let at = same.iter().find(|&&at| settled.decisions[usize::from(at)] == decision);
                at.copied().or_else(|| {
                    let at = u16::try_from(settled.decisions.len()).ok().filter(|&at| at != NONE)?;
                    settled.decisions.push(decision);
                    same.push(at);
                    Some(at)
                })
            });
            numbers.push(number.unwrap_or(NONE));
        }
        settled.numbers = numbers.into();
        settled
    }

    fn decided(&self, gate: &Gate, table: &Table, set: RuleSetId, itself: bool) -> Option<Decision> {
        if table.verdict(set, itself) == Verdict::Nothing {
            return None;
        }
        let always = gate
            .rules_of(set)
            .filter_map(|rule| self.rules.get(rule))
            .filter(|rule| table.is_active(rule.source))
            .all(|rule| {
                let observed = self.sources[usize::from(rule.source)].observe;
                matches!(rule.act, Act::Block | Act::Allow) && !rule.conditional && !observed
            });
        if !always {
            return None;
        }
        let mut places = Places::new();
        places.sets.push((set, 1));
        let asker = Asker::new(None, None, None);
        let judge = Judge {
            policy: self,
            gate,
            table,
            asker: &asker,
            met: Met::Question,
            question: self.question(&asker, None, rtype::A),
            // One label, as the set's key above has, or more.
            names: if itself { 1 } else { 2 },
        };
        Some(judge.weigh(&places))
    }
}
