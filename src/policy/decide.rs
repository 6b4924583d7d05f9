//! Judges one name or one address: every rule that matches, in the order of precedence, down to one decision.
//!
//! In: what the gate holds for it, the profile's table, the question and the client. Out: a [`Decision`].
//! Always: a name that nothing matches, and one that is only blocked, costs one walk, one look-up for each key on the way
//! and at most one pass of the patterns, none where no pattern could change what the keys say; nothing is allocated.
//! The order of precedence among lists is `judge`'s.

use super::decision::{Action, Cause, Decision};
use super::judge::{Judge, blocked};
use super::marks::Marked;
use super::places::{AddressText, Place, Places, Sketch, labels_of_name};
use super::profile::{Own, Table};
use super::rules::{Act, Question, Short};
use super::timed::Lifted;
use super::{Asker, Details, LayerId, Met, Policy, Profile, ProfileId};
use crate::catalogue::Way;
use crate::dns::key::Key;
use crate::list::set::{Gate, RuleId};
use crate::list::source::Family;
use std::net::{IpAddr, Ipv4Addr};

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
        let asked = Asked { key, met, qtype };
        if asker.layer == LayerId::NONE {
            return self.decide_with(gate, asker, (id, profile), asked, &Lifted::default());
        }
        self.decide_timed(gate, asker, (id, profile), asked)
    }

    /// The decision by what holds at the time, and else by what holds always.
    fn decide_timed(
        &self,
        gate: &Gate,
        asker: &Asker,
        (id, profile): (ProfileId, &Profile),
        asked: Asked<'_>,
    ) -> Decision {
        let mut lifted = Lifted::default();
        let (decision, limited) = self.timed(gate, asker, &asked, &mut lifted);
        let mut decision = match decision {
            Some(decision) => decision.observed_if(profile.observe),
            None => self.decide_with(gate, asker, (id, profile), asked, &lifted),
        };
        decision.limited = limited;
        decision
    }

    /// The decision by what holds always: own names, words, lists, less what is lifted at the time.
    #[inline]
    fn decide_with(
        &self,
        gate: &Gate,
        asker: &Asker,
        (id, profile): (ProfileId, &Profile),
        asked: Asked<'_>,
        lifted: &Lifted<'_>,
    ) -> Decision {
        let Asked { key, met, .. } = asked;
        if let Some(person) = asker.person {
            match self.plans.own.find(person, key, asker.now_s) {
                Some(Own::Allow(index)) => return allowed(met, Cause::PersonAllow(index)),
                Some(Own::Deny(index)) => {
                    return Decision::new(Action::Sinkhole, Cause::PersonDeny(index)).observed_if(profile.observe);
                }
                None => {}
            }
        }
        if (profile.has_own || profile.has_more)
            && let Some(details) = self.details.get(usize::from(id.0))
        {
            // Names in an answer are what a page of the only names needs.
            if let (Some(only), Met::Question) = (&details.only, met)
                && only.find(key, asker.now_s).is_none()
            {
                return Decision::new(Action::Sinkhole, Cause::NotAmongOnly).observed_if(profile.observe);
            }
            match details.own.find(key, asker.now_s) {
                Some(Own::Allow(index)) => return allowed(met, Cause::OwnAllow(index)),
                Some(Own::Deny(index)) => {
                    return Decision::new(Action::Sinkhole, Cause::OwnDeny(index)).observed_if(profile.observe);
                }
                None => {}
            }
            if let Some(decision) = self.by_words(details, &asked, lifted) {
                return decision.observed_if(profile.observe);
            }
        }
        let table = &self.tables[usize::from(profile.table)];
        let without;
        let table = match lifted.lists {
            None => table,
            Some(lists) => {
                without = table.without(lists);
                &without
            }
        };
        let decision = self.by_lists(gate, table, asker, &asked);
        if profile.look_alikes
            && decision.cause == Cause::Nothing
            && let Some(decision) = self.by_look_alikes(gate, table, asker, &asked)
        {
            return decision.observed_if(profile.observe);
        }
        decision.observed_if(profile.observe)
    }

    /// The decision by the lists of this table alone.
    #[inline]
    pub(super) fn by_lists(&self, gate: &Gate, table: &Table, asker: &Asker, asked: &Asked<'_>) -> Decision {
        let Asked { key, met, .. } = *asked;
        if !table.kinds().names() {
            return Decision::PASS;
        }
        let mut sketch = Sketch::default();
        self.sketch(gate, table, key, &mut sketch, |_, _| {});
        // Rules of zones that have no say are told apart by weighing alone.
        let unbarred = met == Met::Question || asker.rpz_bar == u16::MAX;
        if !unbarred || !self.is_settled(&sketch, table, asker, key, met) {
            return self.decide_by_all(gate, table, asker, asked);
        }
        let Some(best) = sketch.plain() else {
            return Decision::PASS;
        };
        // Nearly every decision ends here. It is made where it is returned: one is long enough that moving it shows.
        let cause = Cause::Rule(best.rule);
        match self.rules.get(best.rule) {
            Some(short) if short.act == Act::Allow => Decision::new(Action::Pass, cause),
            Some(short) if short.sinkhole => Decision::new(Action::Sinkhole, cause),
            _ => Decision::new(blocked(gate, best), cause),
        }
    }

    /// The decision by what the profile says in words: types, services, the guard, safe search.
    fn by_words(&self, details: &Details, asked: &Asked<'_>, lifted: &Lifted<'_>) -> Option<Decision> {
        if asked.met == Met::Question && details.types.contains(&asked.qtype) {
            return Some(Decision::new(Action::Nodata, Cause::Type));
        }
        if details.chosen.is_empty() {
            return None;
        }
        let seen = lifted.seen.unwrap_or_else(|| self.marks.look(asked.key));
        Some(match self.marks.find(&details.chosen, &seen, lifted.service)? {
            Marked::Service(number) => Decision::new(Action::Sinkhole, Cause::Service(number)),
            Marked::Way(way) => Decision::new(Action::Sinkhole, Cause::Way(way)),
            Marked::Safe(number) => Decision::new(Action::Alias(number), Cause::Safe(number)),
        })
    }

    /// The decision with everything that matches weighed.
    pub(super) fn decide_by_all(&self, gate: &Gate, table: &Table, asker: &Asker, asked: &Asked<'_>) -> Decision {
        let Asked { key, met, qtype } = *asked;
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
        let is_way = |addr| self.marks.is_way(addr);
        if profile.guard && (is_way(addr) || self.translated(addr).is_some_and(|inner| is_way(inner.into()))) {
            return Decision::new(Action::Sinkhole, Cause::Way(Way::Doh)).observed_if(profile.observe);
        }
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
        if let Some(inner) = self.translated(addr) {
            // It leads where the IPv4 address leads.
            self.note_address(gate, table, inner.into(), &mut places);
        }
        places
    }

    /// The IPv4 address that an IPv6 address behind one of the translators' prefixes stands for.
    pub(super) fn translated(&self, addr: IpAddr) -> Option<Ipv4Addr> {
        let IpAddr::V6(outer) = addr else { return None };
        self.translated.iter().find_map(|prefix| prefix.extract(outer))
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

/// An own name is let through: the whole answer of the name asked for, and of one met in an answer only that.
pub(super) fn allowed(met: Met, cause: Cause) -> Decision {
    match met {
        Met::Question => Decision::new(Action::PassWhole, cause),
        Met::Answer => Decision::new(Action::Pass, cause),
    }
}

/// A name, and how it is met.
#[derive(Clone, Copy)]
pub(super) struct Asked<'k> {
    pub key: &'k Key,
    pub met: Met,
    /// The type asked for, or that of the record it is met in.
    pub qtype: u16,
}

/// What is judged.
#[derive(Clone, Copy)]
pub(super) enum What<'q> {
    Name(&'q Key),
    /// An address in an answer.
    Address(IpAddr),
}
