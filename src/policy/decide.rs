//! Judges one name or one address: every rule that matches, in the order of precedence, down to one decision.
//!
//! In: what the gate holds for it, the profile's table, the question and the client. Out: a [`Decision`].
//! Always: a name that nothing matches, and one that is only blocked, costs one walk, one look-up for each key on the way
//! and at most one pass of the patterns, none where no pattern could change what the keys say; nothing is allocated.
//! The order of precedence among lists is `judge`'s.

use super::decision::{Action, Cause, Decision};
use super::judge::{Judge, blocked};
use super::places::{AddressText, Place, Places, Sketch, labels_of_name};
use super::profile::{Own, Table};
use super::rules::{Act, Question, Short};
use super::{Asker, Met, Policy};
use crate::dns::key::Key;
use crate::list::set::{Gate, RuleId};
use crate::list::source::Family;
use std::net::IpAddr;

impl Policy {
    /// What becomes of a name: the one asked for, or one met in an answer.
    pub fn decide(&self, gate: &Gate, asker: &Asker, key: &Key, met: Met, qtype: u16) -> Decision {
        let Some((id, profile)) = asker
            .profile
            .and_then(|id| Some((id, self.profiles.get(usize::from(id.0))?)))
        else {
            return Decision::UNFILTERED;
        };
        if met == Met::Question
            && let Some(decision) = self.canary(id, key, qtype)
        {
            return decision;
        }
        if profile.has_own
            && let Some(details) = self.details.get(usize::from(id.0))
        {
            match (details.own.find(key), met) {
                (Some(Own::Allow(index)), Met::Question) => {
                    return Decision::new(Action::PassWhole, Cause::OwnAllow(index));
                }
                (Some(Own::Allow(index)), Met::Answer) => return Decision::new(Action::Pass, Cause::OwnAllow(index)),
                (Some(Own::Deny(index)), _) => {
                    return Decision::new(Action::Sinkhole, Cause::OwnDeny(index)).observed_if(profile.observe);
                }
                (None, _) => {}
            }
        }
        let table = &self.tables[usize::from(profile.table)];
        if !table.kinds().names() {
            return Decision::PASS;
        }
        let mut sketch = Sketch::default();
        self.sketch(gate, table, key, &mut sketch, |_, _| {});
        // Rules of zones that have no say are told apart by weighing alone.
        let unbarred = met == Met::Question || asker.rpz_bar == u16::MAX;
        if !unbarred || !self.is_settled(&sketch, table, asker, key, met) {
            let decision = self.decide_by_all(gate, table, asker, key, met, qtype);
            return decision.observed_if(profile.observe);
        }
        let Some(best) = sketch.plain() else {
            return Decision::PASS;
        };
        // Nearly every decision ends here. It is made where it is returned: one is long enough that moving it shows.
        let cause = Cause::Rule(best.rule);
        match self.rules.get(best.rule) {
            Some(short) if short.act == Act::Allow => Decision::new(Action::Pass, cause),
            Some(short) if short.sinkhole && !profile.observe => Decision::new(Action::Sinkhole, cause),
            _ => Decision::new(blocked(gate, best), cause).observed_if(profile.observe),
        }
    }

    /// The decision with everything that matches weighed.
    pub(super) fn decide_by_all(
        &self,
        gate: &Gate,
        table: &Table,
        asker: &Asker,
        key: &Key,
        met: Met,
        qtype: u16,
    ) -> Decision {
        let places = self.matched(gate, table, asker, key, met);
        if places.is_empty() {
            return Decision::PASS;
        }
        let judge = Judge {
            policy: self,
            gate,
            table,
            asker,
            met,
            question: self.question(asker, Some(key), qtype),
            names: labels_of_name(key),
        };
        judge.weigh(&places)
    }

    /// What becomes of an answer that holds this name in a record of type `rtype`, where `qtype` was asked for.
    pub fn decide_in_answer(&self, gate: &Gate, asker: &Asker, key: &Key, rtype: u16, qtype: u16) -> Decision {
        let decision = self.decide(gate, asker, key, Met::Answer, rtype);
        // What a list's records put in place of the alias's target depends on the type that is wanted at its end.
        if matches!(decision.action, Action::Nodata | Action::Rewrite(_)) {
            let wanted = self.decide(gate, asker, key, Met::Answer, qtype);
            if wanted.acts() {
                return wanted;
            }
        }
        decision
    }

    /// What becomes of an answer that holds this address. `qtype`: the type of the record it stands in.
    pub fn decide_address(&self, gate: &Gate, asker: &Asker, addr: IpAddr, qtype: u16) -> Decision {
        let Some(profile) = asker.profile.and_then(|id| self.profiles.get(usize::from(id.0))) else {
            return Decision::UNFILTERED;
        };
        let table = &self.tables[usize::from(profile.table)];
        if !table.kinds().addresses() {
            return Decision::PASS;
        }
        let places = self.places_of_address(gate, table, addr);
        if places.is_empty() {
            return Decision::PASS;
        }
        let judge = Judge {
            policy: self,
            gate,
            table,
            asker,
            met: Met::Answer,
            question: self.question(asker, None, qtype),
            names: usize::MAX,
        };
        judge.weigh(&places).observed_if(profile.observe)
    }

    pub(super) fn places_of_address(&self, gate: &Gate, table: &Table, addr: IpAddr) -> Places {
        let mut places = Places::new();
        self.note_address(gate, table, addr, &mut places);
        if let IpAddr::V6(outer) = addr
            && let Some(inner) = self.translated.iter().find_map(|prefix| prefix.extract(outer))
        {
            // It leads where the IPv4 address leads.
            self.note_address(gate, table, inner.into(), &mut places);
        }
        places
    }

    fn note_address(&self, gate: &Gate, table: &Table, addr: IpAddr, places: &mut Places) {
        gate.addresses(addr, |rule| {
            let counts = |short: &Short| short.family != Family::Rpz && table.is_active(short.source);
            if self.rules.get(rule).is_some_and(counts) {
                places.others.push(Place::Alone(rule));
            }
        });
        for range in self.triggers.rpz_networks.all(addr) {
            places.others.push(Place::Group(range));
        }
        if let (true, Some(patterns)) = (table.kinds().adguard_patterns, self.triggers.patterns()) {
            patterns.text(AddressText::new(addr).as_str(), |index| {
                if self.is_any_active(table, index) {
                    places.others.push(Place::Pattern(index as u32));
                }
            });
        }
    }

    /// Every rule that counts for this asker and name, or address, whatever becomes of it: the longest names first.
    pub(super) fn matches(
        &self,
        gate: &Gate,
        asker: &Asker,
        what: What<'_>,
        met: Met,
        qtype: u16,
    ) -> Vec<(RuleId, u8)> {
        let Some(profile) = asker.profile.and_then(|id| self.profiles.get(usize::from(id.0))) else {
            return Vec::new();
        };
        let table = &self.tables[usize::from(profile.table)];
        let (places, key) = match what {
            What::Name(key) => (self.matched(gate, table, asker, key, met), Some(key)),
            What::Address(addr) => (self.places_of_address(gate, table, addr), None),
        };
        let judge = Judge {
            policy: self,
            gate,
            table,
            asker,
            met,
            question: self.question(asker, key, qtype),
            names: key.map_or(usize::MAX, labels_of_name),
        };
        let mut found = Vec::new();
        for place in places.longest_first() {
            let labels = match place {
                Place::Set(_, labels) => labels,
                _ => 0,
            };
            judge.each_rule(place, &mut |rule| {
                let counts = |short| judge.counts(short, rule, labels, place);
                if self.rules.get(rule).is_some_and(counts) && !found.contains(&(rule, labels)) {
                    found.push((rule, labels));
                }
            });
        }
        found
    }

    pub(super) fn question<'q>(&'q self, asker: &'q Asker, key: Option<&'q Key>, qtype: u16) -> Question<'q> {
        Question {
            key,
            qtype,
            client: asker.client.and_then(|id| self.clients.get(id)),
            addr: asker.addr,
        }
    }
}

/// What is judged.
#[derive(Clone, Copy)]
pub(super) enum What<'q> {
    Name(&'q Key),
    /// An address in an answer.
    Address(IpAddr),
}
