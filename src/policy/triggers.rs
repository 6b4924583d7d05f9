//! Rules that are found by something else than a key of the gate: patterns, networks of clients and of answers, name servers.
//!
//! In: a gate, and the sources that any profile enables. Out: [`Triggers`], one for all profiles, and [`Kinds`], what rules each source has.
//! Always: finds the rules of all those sources, so whoever asks for a profile leaves out what is not active there.

use super::PolicyError;
use super::clients::Prefixes;
use super::rules::{Rules, Short, Verdict};
use super::servers::Servers;
use crate::list::patterns::Patterns;
use crate::list::rule::{Pattern, Scope};
use crate::list::set::{Gate, RuleId, RuleSetId};
use crate::list::source::Family;
use ipnet::IpNet;
use std::ops::Range;

/// Which kinds of rules there are.
#[derive(Debug, Clone, Copy, Default)]
pub struct Kinds {
    /// Names, of the fst.
    pub keys: bool,
    pub patterns: bool,
    /// Patterns that do more than block, or not always: they may change what the keys of a name say.
    pub overruling: bool,
    /// The first source with patterns that only block.
    pub blocking: Option<u16>,
    /// Patterns of AdGuard lists: those are asked about the text of addresses too, as AdGuard Home does.
    pub adguard_patterns: bool,
    /// Networks of clients, of RPZ.
    pub clients: bool,
    /// Networks of answers.
    pub networks: bool,
    /// The first source that has rules about name servers.
    pub servers: Option<u16>,
}

impl Kinds {
    pub fn add(&mut self, other: &Kinds) {
        self.keys |= other.keys;
        self.patterns |= other.patterns;
        self.overruling |= other.overruling;
        self.blocking = self.blocking.into_iter().chain(other.blocking).min();
        self.adguard_patterns |= other.adguard_patterns;
        self.clients |= other.clients;
        self.networks |= other.networks;
        self.servers = self.servers.into_iter().chain(other.servers).min();
    }

    /// Any rule may say something about a question or a name in an answer.
    #[inline]
    pub fn names(&self) -> bool {
        self.keys || self.patterns || self.clients
    }

    /// Any rule may say something about an address in an answer.
    #[inline]
    pub fn addresses(&self) -> bool {
        self.networks || self.adguard_patterns
    }

    /// By source.
    pub fn of_sources(gate: &Gate, rules: &Rules) -> Vec<Kinds> {
        let mut kinds = vec![Kinds::default(); gate.sources().len()];
        let mut note = |rule: RuleId, set: fn(&mut Kinds, &Short)| {
            if let Some(short) = rules.get(rule)
                && let Some(kinds) = kinds.get_mut(usize::from(short.source))
            {
                set(kinds, short);
            }
        };
        for set in 0..gate.rule_set_count() as u32 {
            gate.rules_of(RuleSetId(set))
                .for_each(|rule| note(rule, |kinds, _| kinds.keys = true));
        }
        for (pattern, rule) in gate.patterns() {
            match pattern {
                Pattern::Regex(_) | Pattern::Wildcard(_) => note(*rule, |kinds, short| {
                    kinds.patterns = true;
                    kinds.adguard_patterns |= short.family == Family::Adguard;
                    match short.verdict {
                        Verdict::Block => kinds.blocking = Some(short.source),
                        _ => kinds.overruling = true,
                    }
                }),
                Pattern::Client(_) => note(*rule, |kinds, _| kinds.clients = true),
                Pattern::NsName(..) | Pattern::NsAddress(_) => {
                    note(*rule, |kinds, short| kinds.servers = Some(short.source))
                }
                // Those of answers have a table of their own in the gate.
                Pattern::Address(_) => {}
            }
        }
        for (_, rule) in gate.networks() {
            note(rule, |kinds, _| kinds.networks = true);
        }
        kinds
    }
}

/// The rules themselves; ranges are of `grouped`.
#[derive(Default)]
pub struct Triggers {
    patterns: Option<Patterns>,
    /// By pattern of the automaton: its rules.
    pattern_rules: Vec<Range<u32>>,
    /// Networks of clients that RPZ rules are about.
    pub clients: Prefixes<(u32, u32)>,
    /// Networks of answers that RPZ rules are about: there the longest counts.
    pub rpz_networks: Prefixes<(u32, u32)>,
    /// Rules about the servers of the zones on the way.
    pub servers: Servers,
    grouped: Vec<RuleId>,
}

impl Triggers {
    /// `active`: by source, whether any profile enables it.
    pub fn new(gate: &Gate, rules: &Rules, active: &[bool]) -> Result<Triggers, PolicyError> {
        let counts = |rule: RuleId| {
            rules
                .get(rule)
                .is_some_and(|rule| active.get(usize::from(rule.source)) == Some(&true))
        };
        let mut grouped: Vec<RuleId> = Vec::new();
        let mut texts: Vec<&Pattern> = Vec::new();
        let mut pattern_rules: Vec<Range<u32>> = Vec::new();
        let mut clients: Vec<(IpNet, RuleId)> = Vec::new();
        let mut server_names: Vec<(&[u8], Scope, RuleId)> = Vec::new();
        let mut server_networks: Vec<(IpNet, RuleId)> = Vec::new();
        // In order of pattern: equal patterns follow each other.
        for (pattern, id) in gate.patterns().iter().filter(|(_, id)| counts(*id)) {
            match pattern {
                Pattern::Regex(_) | Pattern::Wildcard(_) => {
                    if texts.last() == Some(&pattern) {
                        if let Some(range) = pattern_rules.last_mut() {
                            range.end += 1;
                        }
                    } else {
                        texts.push(pattern);
                        pattern_rules.push(grouped.len() as u32..grouped.len() as u32 + 1);
                    }
                    grouped.push(*id);
                }
                Pattern::Client(network) => clients.push((*network, *id)),
                Pattern::NsName(key, scope) => server_names.push((key, *scope, *id)),
                Pattern::NsAddress(network) => server_networks.push((*network, *id)),
                Pattern::Address(_) => {}
            }
        }
        let is_rpz = |id: RuleId| rules.get(id).is_some_and(|rule| rule.family == Family::Rpz);
        let rpz_networks = gate.networks().filter(|(_, id)| counts(*id) && is_rpz(*id));
        Ok(Triggers {
            patterns: Patterns::build(texts.into_iter()).map_err(PolicyError::Pattern)?,
            pattern_rules,
            clients: Prefixes::new(group(clients, &mut grouped)),
            rpz_networks: Prefixes::new(group(rpz_networks.collect(), &mut grouped)),
            servers: Servers::new(server_names, server_networks, &mut grouped),
            grouped,
        })
    }

    #[inline]
    pub fn patterns(&self) -> Option<&Patterns> {
        self.patterns.as_ref()
    }

    /// The rules of a pattern, by its index in the automaton.
    pub fn pattern_rules(&self, index: usize) -> &[RuleId] {
        self.pattern_rules
            .get(index)
            .and_then(|range| self.grouped.get(range.start as usize..range.end as usize))
            .unwrap_or(&[])
    }

    pub fn group(&self, (start, end): (u32, u32)) -> &[RuleId] {
        self.grouped.get(start as usize..end as usize).unwrap_or(&[])
    }

    /// Bytes it takes, the threads' own states not counted.
    pub fn size_bytes(&self) -> usize {
        self.grouped.len() * 4
            + self.pattern_rules.len() * 8
            + self.servers.size_bytes()
            + self.patterns.as_ref().map_or(0, Patterns::size_bytes)
    }
}

/// Puts the rules of equal networks next to each other in `grouped`; returns where.
pub(super) fn group(mut rules: Vec<(IpNet, RuleId)>, grouped: &mut Vec<RuleId>) -> Vec<(IpNet, (u32, u32))> {
    rules.sort();
    rules
        .chunk_by(|a, b| a.0 == b.0)
        .map(|same| {
            let start = grouped.len() as u32;
            grouped.extend(same.iter().map(|(_, id)| *id));
            (same[0].0, (start, grouped.len() as u32))
        })
        .collect()
}
