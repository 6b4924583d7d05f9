//! Profiles as tables: what each rule set of a gate means for whoever has the profile.
//!
//! In: a gate, a profile's settings. Out: [`Table`], shared by profiles that enable the same sources; [`OwnNames`].
//! Always: made when policy loads, never changed after. A verdict takes two bits for each of the two places a key can
//! have: the name itself, or a parent of it.

use super::PolicyError;
use super::clients::Prefixes;
use super::patterns::Patterns;
use super::rules::{Act, Rules, Short};
use super::servers::Servers;
use super::settled::Settled;
use super::suffixes::Suffixes;
use crate::dns::key::Key;
use crate::dns::name::Name;
use crate::list::rule::{Pattern, Scope};
use crate::list::set::{Gate, RuleId, RuleSetId};
use crate::list::source::Family;
use ipnet::IpNet;
use std::ops::Range;

/// What a rule set means for a profile, before anything is known of the question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// None of its rules counts.
    Nothing = 0,
    /// Rules count, and all only block.
    Block = 1,
    /// Rules that count only block or allow, and at least one allows.
    Allow = 2,
    /// Rules have to be read: modifiers, rewrites, sources that reduce themselves to one match, observing lists.
    Look = 3,
}

/// What the sources that a profile enables mean.
pub struct Table {
    /// By source: whether its rules count.
    active: Box<[bool]>,
    /// Four bits a rule set, two sets a byte: the low two for a key above the name, the high two for the name itself.
    verdicts: Box<[u8]>,
    patterns: Option<Patterns>,
    /// By pattern of the automaton: its rules in `grouped`.
    pattern_rules: Vec<Range<u32>>,
    /// Networks of clients that RPZ rules are about.
    clients: Prefixes<(u32, u32)>,
    /// Networks of answers that RPZ rules are about: there the longest counts.
    rpz_networks: Prefixes<(u32, u32)>,
    /// Rules about the servers of the zones on the way.
    pub servers: Servers,
    grouped: Vec<RuleId>,
    /// Decisions made beforehand; made last, when policy is whole.
    pub settled: Settled,
    /// Any rule about names, patterns or clients counts.
    pub has_names: bool,
    /// Any rule about the addresses of an answer counts.
    pub has_addresses: bool,
    /// Any pattern of an AdGuard list counts: those are asked about the text of addresses too, as AdGuard Home does.
    pub has_adguard_patterns: bool,
}

impl Table {
    pub fn new(gate: &Gate, rules: &Rules, observe: &[bool], active: Box<[bool]>) -> Result<Table, PolicyError> {
        let counts = |rule: RuleId| {
            rules
                .get(rule)
                .is_some_and(|rule| active.get(usize::from(rule.source)) == Some(&true))
        };
        let mut verdicts = vec![0u8; gate.rule_set_count().div_ceil(2)].into_boxed_slice();
        let mut has_names = false;
        for set in 0..gate.rule_set_count() {
            let (mut above, mut itself) = (Verdict::Nothing, Verdict::Nothing);
            for id in gate.rules_of(RuleSetId(set as u32)).filter(|&id| counts(id)) {
                let Some(rule) = rules.get(id) else { continue };
                let verdict = alone(rule, observe);
                if rule.scope != Scope::Exact {
                    above = together(above, verdict);
                }
                if rule.scope != Scope::Below {
                    itself = together(itself, verdict);
                }
            }
            let bits = above as u8 | (itself as u8) << 2;
            has_names |= bits != 0;
            verdicts[set / 2] |= bits << (4 * (set % 2));
        }

        let mut grouped: Vec<RuleId> = Vec::new();
        let mut texts: Vec<&Pattern> = Vec::new();
        let mut pattern_rules: Vec<Range<u32>> = Vec::new();
        let mut clients: Vec<(IpNet, RuleId)> = Vec::new();
        let mut server_names: Vec<(&[u8], Scope, RuleId)> = Vec::new();
        let mut server_networks: Vec<(IpNet, RuleId)> = Vec::new();
        let mut has_adguard_patterns = false;
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
                    has_adguard_patterns |= rules.get(*id).is_some_and(|rule| rule.family == Family::Adguard);
                }
                Pattern::Client(network) => clients.push((*network, *id)),
                Pattern::NsName(key, scope) => server_names.push((key, *scope, *id)),
                Pattern::NsAddress(network) => server_networks.push((*network, *id)),
                // Those of answers have a table of their own in the gate.
                Pattern::Address(_) => {}
            }
        }
        let patterns = Patterns::build(texts.into_iter()).map_err(PolicyError::Pattern)?;
        let mut has_addresses = false;
        let mut rpz_networks: Vec<(IpNet, RuleId)> = Vec::new();
        for (network, id) in gate.networks().filter(|(_, id)| counts(*id)) {
            has_addresses = true;
            if rules.get(id).is_some_and(|rule| rule.family == Family::Rpz) {
                rpz_networks.push((network, id));
            }
        }
        has_names |= patterns.is_some() || !clients.is_empty();
        let source = |rule: RuleId| rules.get(rule).map(|rule| rule.source);
        Ok(Table {
            clients: Prefixes::new(group(clients, &mut grouped)),
            rpz_networks: Prefixes::new(group(rpz_networks, &mut grouped)),
            servers: Servers::new(server_names, server_networks, source, &mut grouped),
            active,
            verdicts,
            patterns,
            pattern_rules,
            grouped,
            settled: Settled::default(),
            has_names,
            has_addresses: has_addresses || has_adguard_patterns,
            has_adguard_patterns,
        })
    }

    /// What a set means where its key is the name itself (`itself`) or a parent of it.
    #[inline]
    pub fn verdict(&self, set: RuleSetId, itself: bool) -> Verdict {
        let set = set.0 as usize;
        let byte = self.verdicts.get(set / 2).copied().unwrap_or(0);
        match byte >> (4 * (set % 2) + if itself { 2 } else { 0 }) & 3 {
            0 => Verdict::Nothing,
            1 => Verdict::Block,
            2 => Verdict::Allow,
            _ => Verdict::Look,
        }
    }

    #[inline]
    pub fn is_active(&self, source: u16) -> bool {
        self.active.get(usize::from(source)) == Some(&true)
    }

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

    pub fn clients(&self) -> &Prefixes<(u32, u32)> {
        &self.clients
    }

    pub fn rpz_networks(&self) -> &Prefixes<(u32, u32)> {
        &self.rpz_networks
    }

    pub fn group(&self, (start, end): (u32, u32)) -> &[RuleId] {
        self.grouped.get(start as usize..end as usize).unwrap_or(&[])
    }

    /// Bytes it takes, the threads' own states not counted.
    pub fn size_bytes(&self) -> usize {
        let patterns = self.patterns.as_ref().map_or(0, Patterns::size_bytes);
        self.verdicts.len()
            + self.active.len()
            + self.grouped.len() * 4
            + self.pattern_rules.len() * 8
            + self.servers.size_bytes()
            + patterns
            + self.settled.size_bytes()
    }
}

fn alone(rule: &Short, observe: &[bool]) -> Verdict {
    let plain = !rule.important && !rule.conditional && observe.get(usize::from(rule.source)) != Some(&true);
    match (rule.act, rule.family) {
        (Act::Block, Family::Plain | Family::Adguard | Family::Dnsmasq | Family::Unbound) if plain && rule.sinkhole => {
            Verdict::Block
        }
        // An allow of a source that reduces itself may lose to a longer block of the same source.
        (Act::Allow, Family::Plain | Family::Adguard) if plain => Verdict::Allow,
        _ => Verdict::Look,
    }
}

fn together(a: Verdict, b: Verdict) -> Verdict {
    if (a as u8) < (b as u8) { b } else { a }
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

/// A profile's own names, each with all below it.
#[derive(Debug, Default)]
pub struct OwnNames {
    names: Suffixes<Own>,
}

/// What a profile's own name does; the number is its place in the settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Own {
    Allow(u32),
    Deny(u32),
}

impl OwnNames {
    pub fn new(allow: &[Name], deny: &[Name]) -> OwnNames {
        let key = |name: &Name| Box::from(Key::from_wire(name.as_wire()).as_bytes());
        let allowed = allow
            .iter()
            .enumerate()
            .map(|(index, name)| (key(name), Own::Allow(index as u32)));
        let denied = deny
            .iter()
            .enumerate()
            .map(|(index, name)| (key(name), Own::Deny(index as u32)));
        // Of equal names the allow counts.
        OwnNames {
            names: Suffixes::new(allowed.chain(denied)),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// What the longest own name that is this one or a parent of it does.
    #[inline]
    pub fn find(&self, key: &Key) -> Option<Own> {
        self.names.all(key.as_bytes()).next().map(|(_, own)| own)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn names(of: &[&str]) -> Vec<Name> {
        of.iter().map(|name| Name::parse(name).unwrap()).collect()
    }

    #[test]
    fn the_longest_own_name_counts_and_allow_wins_ties() {
        let own = OwnNames::new(
            &names(&["school.example", "both.example"]),
            &names(&["example", "game.school.example", "both.example"]),
        );
        let find = |name: &str| own.find(&Key::parse(name).unwrap());
        assert_eq!(find("www.school.example"), Some(Own::Allow(0)));
        assert_eq!(find("game.school.example"), Some(Own::Deny(1)));
        assert_eq!(find("x.game.school.example"), Some(Own::Deny(1)));
        assert_eq!(find("school.example"), Some(Own::Allow(0)));
        assert_eq!(find("schools.example"), Some(Own::Deny(0)));
        assert_eq!(find("both.example"), Some(Own::Allow(1)));
        assert_eq!(find("test"), None);
        assert_eq!(find("."), None);
    }

    proptest! {
        #[test]
        fn finding_an_own_name_agrees_with_trying_each(
            allow in proptest::collection::vec("[ab](\\.[ab]){0,3}", 0..6),
            deny in proptest::collection::vec("[ab](\\.[ab]){0,3}", 0..6),
            asked in "[ab](\\.[ab]){0,4}",
        ) {
            let read = |of: &[String]| of.iter().map(|name| Name::parse(name).unwrap()).collect::<Vec<_>>();
            let (allow, deny, asked) = (read(&allow), read(&deny), Name::parse(&asked).unwrap());
            let longest = |of: &[Name]| of.iter().filter(|name| asked.is_within(name)).map(Name::label_count).max();
            let slow = match (longest(&allow), longest(&deny)) {
                (None, None) => None,
                (allowed, denied) => Some(allowed >= denied),
            };
            let fast = OwnNames::new(&allow, &deny)
                .find(&Key::from_wire(asked.as_wire()))
                .map(|own| matches!(own, Own::Allow(_)));
            prop_assert_eq!(fast, slow);
        }
    }
}
