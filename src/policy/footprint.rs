//! What lists hold for a name or an address, whoever asks, so that it need not be looked up for each who does.
//!
//! In: a name, an address. Out: a [`Footprint`], and whether it means anything for a profile.
//! Always: of all sources that any profile enables; a footprint that does not touch a profile is one for which every decision would be to
//! pass, with no cause.

use super::places::Places;
use super::{Asker, Met, Policy, canary, look_alikes};
use crate::dns::key::Key;
use crate::list::set::{Gate, RuleSetId};
use std::net::IpAddr;

/// What lists hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Footprint {
    Nothing,
    /// One rule set of the gate.
    Set(RuleSetId),
    /// More than that, or what depends on more than the profile.
    Many,
}

impl Footprint {
    /// What lists hold for two things together.
    pub fn and(self, other: Footprint) -> Footprint {
        match (self, other) {
            (one, Footprint::Nothing) | (Footprint::Nothing, one) => one,
            (one, other) if one == other => one,
            _ => Footprint::Many,
        }
    }
}

impl Policy {
    pub fn footprint_of_name(&self, gate: &Gate, key: &Key) -> Footprint {
        // What a name looks like is worth a look each time.
        if canary::is_any(key) || self.any_look_alikes && look_alikes::has_a_label(key) {
            return Footprint::Many;
        }
        let nobody = Asker::new(None, None, None);
        // What client networks have to do with it is nothing of the name's.
        let places = self.matched(gate, &self.any, &nobody, key, Met::Answer);
        of_places(&places)
    }

    pub fn footprint_of_address(&self, gate: &Gate, addr: IpAddr) -> Footprint {
        // Whether that matters depends on the name that was asked for.
        if self.any_rebinding && self.leads_inward(addr) {
            return Footprint::Many;
        }
        of_places(&self.places_of_address(gate, &self.any, addr))
    }

    /// Whether what lists hold is all that counts for who asks: not what the profile names itself, what its lists lack, what client
    /// networks or name servers have to do with it.
    #[inline]
    pub fn goes_by_lists_alone(&self, asker: &Asker) -> bool {
        let profile = asker.profile.and_then(|id| self.profiles.get(usize::from(id.0)));
        profile.is_some_and(|profile| profile.alone) && !self.has_more(asker)
    }

    /// Whether a footprint means nothing for who asks.
    #[inline]
    pub fn is_untouched(&self, gate: &Gate, asker: &Asker, footprint: Footprint) -> bool {
        match footprint {
            Footprint::Nothing => true,
            Footprint::Set(set) => {
                let profile = asker.profile.and_then(|id| self.profiles.get(usize::from(id.0)));
                profile.is_some_and(|profile| {
                    let table = &self.tables[usize::from(profile.table)];
                    let counts = |rule| self.rules.get(rule).is_none_or(|short| table.is_active(short.source));
                    !gate.rules_of(set).any(counts)
                })
            }
            Footprint::Many => false,
        }
    }
}

fn of_places(places: &Places) -> Footprint {
    let mut sets = places.sets.iter().map(|(set, _)| Footprint::Set(set));
    match places.others.is_empty() {
        true => sets.by_ref().fold(Footprint::Nothing, Footprint::and),
        false => Footprint::Many,
    }
}
