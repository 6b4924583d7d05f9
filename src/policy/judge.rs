//! The order of precedence: what counts of the rules that match, and which of it becomes the decision.
//!
//! In: [`Places`], the profile's table, the question and the client. Out: a [`Decision`].
//!
//! The order among lists: AdGuard's `$dnsrewrite` and list data, then `@@` with `$important`, `$important`, `@@`, block.
//! Of equals the lowest source counts (sources are numbered by rank, then name), then the longest name. An RPZ, unbound or
//! dnsmasq source has one say: RPZ zones together find one match (the first zone that has any; in it client address
//! before name before address of the answer before name and address of a name server, the longest name or network first), an unbound or dnsmasq source the one with
//! the longest name.

use super::decision::{Action, Cause, Decision, Rewrites};
use super::places::{Place, Places};
use super::profile::Table;
use super::rewriting::Rewriting;
use super::rules::{Act, Question, Short, applies};
use super::{Asker, Met, Policy};
use crate::dns::key::Key;
use crate::dns::rtype;
use crate::list::rule::Effect;
use crate::list::set::{Gate, RuleId};
use crate::list::source::Family;

/// The match of a class that is reported: lowest source, then longest name, then lowest rule.
#[derive(Debug, Clone, Copy)]
pub(super) struct Best {
    pub(super) source: u16,
    pub(super) labels: u8,
    pub(super) rule: RuleId,
    pub(super) place: Place,
}

impl Best {
    pub(super) fn rank(&self) -> (u16, std::cmp::Reverse<u8>, RuleId) {
        (self.source, std::cmp::Reverse(self.labels), self.rule)
    }
}

pub(super) fn offer(best: &mut Option<Best>, candidate: Best) {
    if best.is_none_or(|best| candidate.rank() < best.rank()) {
        *best = Some(candidate);
    }
}

/// Triggers of an RPZ in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Trigger {
    Client,
    Name,
    Address,
    ServerName,
    ServerAddress,
}

/// What was found in each class.
#[derive(Default)]
struct Found {
    /// Records of RPZ, unbound and other lists.
    data: Option<Best>,
    important_allow: Option<Best>,
    important_block: Option<Best>,
    allow: Option<Best>,
    block: Option<Best>,
}

impl Found {
    fn offer(&mut self, act: Act, important: bool, best: Best) {
        let class = match (act, important) {
            (Act::Rewrite, _) => &mut self.data,
            (Act::Allow, true) => &mut self.important_allow,
            (Act::Block, true) => &mut self.important_block,
            (Act::Allow, false) => &mut self.allow,
            (Act::Block, false) => &mut self.block,
            // Takes nothing back but AdGuard rewrites, which are weighed apart.
            (Act::Unrewrite, _) => return,
        };
        offer(class, best);
    }
}

pub(super) struct Judge<'a> {
    pub(super) policy: &'a Policy,
    pub(super) gate: &'a Gate,
    pub(super) table: &'a Table,
    pub(super) asker: &'a Asker,
    pub(super) met: Met,
    pub(super) question: Question<'a>,
    /// How many labels a key has that is the name itself.
    pub(super) names: usize,
}

impl Judge<'_> {
    /// The whole order of precedence. Lists that only observe are left out first; if nothing else acts, they say what
    /// would have been.
    pub(super) fn weigh(&self, places: &Places) -> Decision {
        let (decision, observing) = self.judge(places, false);
        if observing && !decision.acts() {
            let (would_be, _) = self.judge(places, true);
            if would_be.acts() {
                return would_be.observed_if(true);
            }
        }
        decision
    }

    /// The decision, and whether a list that only observes had something to say.
    fn judge(&self, places: &Places, with_observing: bool) -> (Decision, bool) {
        let mut found = Found::default();
        let mut rpz: Option<(Trigger, Best)> = None;
        let mut adguard = Rewriting::default();
        // Unbound and dnsmasq sources that have had their say on a longer name.
        let mut spoken = Spoken::default();
        let mut observing = false;
        for place in places.longest_first() {
            let labels = match place {
                Place::Set(_, labels) => labels,
                _ => 0,
            };
            // What such a source says on this name, until all its rules here are seen.
            let mut speaking: Option<(Best, Act)> = None;
            let mut one = |rule: RuleId| {
                let Some(short) = self.policy.rules.get(rule) else {
                    return;
                };
                if !self.counts(short, rule, labels, place) {
                    return;
                }
                if self.policy.sources[usize::from(short.source)].observe {
                    observing = true;
                    if !with_observing {
                        return;
                    }
                }
                let best = Best {
                    source: short.source,
                    labels,
                    rule,
                    place,
                };
                match short.family {
                    Family::Rpz => {
                        let trigger = match (place, self.met) {
                            (Place::Set(..) | Place::Pattern(_), _) => Trigger::Name,
                            (Place::ServerName(_), _) => Trigger::ServerName,
                            (Place::ServerAddress(_), _) => Trigger::ServerAddress,
                            (_, Met::Question) => Trigger::Client,
                            (_, Met::Answer) => Trigger::Address,
                        };
                        // A zone at or behind one that has let the question through has no say in its answer.
                        let barred = self.met == Met::Answer && short.source >= self.asker.rpz_bar;
                        let first = rpz.is_none_or(|(other, rule)| (best.source, trigger) < (rule.source, other));
                        if !barred && first {
                            rpz = Some((trigger, best));
                        }
                    }
                    Family::Unbound | Family::Dnsmasq => {
                        if let Some((other, act)) = speaking.filter(|(other, _)| other.source != short.source) {
                            found.offer(act, false, other);
                            spoken.note(other.source);
                            speaking = None;
                        }
                        let heavier = speaking.is_none_or(|(_, act)| weight(short.act) > weight(act));
                        if heavier && !spoken.contains(short.source) {
                            speaking = Some((best, short.act));
                        }
                    }
                    Family::Adguard if matches!(short.act, Act::Rewrite | Act::Unrewrite) => {
                        // As in AdGuard Home, names met in an answer are blocked or let through, not rewritten.
                        if self.met == Met::Question {
                            adguard.push(short, best);
                        }
                    }
                    _ => found.offer(short.act, short.important, best),
                }
            };
            self.each_rule(place, &mut one);
            if let Some((best, act)) = speaking {
                found.offer(act, false, best);
                spoken.note(best.source);
            }
        }
        let mut bar = u16::MAX;
        if let Some((_, best)) = rpz {
            if let Some(short) = self.policy.rules.get(best.rule) {
                found.offer(short.act, false, best);
            }
            if matches!(self.effect(best.rule), Some(Effect::Allow | Effect::TcpOnly)) {
                bar = best.source;
            }
        }
        let mut decision = self.settle(&found, &adguard);
        // An answer is rewritten once: what the zone's records lead to is as its author wished.
        if let (Some((_, best)), Action::Rewrite(_), Cause::Rule(rule)) = (rpz, decision.action, decision.cause)
            && self
                .policy
                .rules
                .get(rule)
                .is_some_and(|short| short.source == best.source)
        {
            bar = best.source;
        }
        decision.rpz_bar = bar;
        (decision, observing)
    }

    /// Precedence among the classes.
    fn settle(&self, found: &Found, adguard: &Rewriting) -> Decision {
        let rewritten = adguard.result(self);
        let data = match (&found.data, &rewritten) {
            (Some(data), Some((best, _))) => data.rank() < best.rank(),
            (data, _) => data.is_some(),
        };
        if let (Some(best), true) = (found.data, data) {
            return self.records(&best);
        }
        if let Some((best, action)) = rewritten {
            return Decision::new(action, Cause::Rule(best.rule));
        }
        let pass = |best: Best| Decision::new(Action::Pass, Cause::Rule(best.rule));
        let block = |best: Best| Decision::new(blocked(self.gate, &best), Cause::Rule(best.rule));
        if let Some(best) = found.important_allow {
            return pass(best);
        }
        if let Some(best) = found.important_block {
            return block(best);
        }
        if let Some(best) = found.allow {
            return pass(best);
        }
        found.block.map_or(Decision::PASS, block)
    }

    /// The records that the best rule's source has at the same place: a CNAME alone, or those of the type asked for, or
    /// NODATA where there are others.
    fn records(&self, best: &Best) -> Decision {
        let mut rewrites = Rewrites::default();
        let mut first = None;
        let mut alias = None;
        self.each_rule(best.place, &mut |rule| {
            let Some(short) = self.policy.rules.get(rule) else {
                return;
            };
            if short.source != best.source || !self.counts(short, rule, best.labels, best.place) {
                return;
            }
            match self.effect(rule) {
                Some(Effect::Cname(_) | Effect::CnameBelow(_)) => alias = alias.or(Some(rule)),
                Some(Effect::Data {
                    rtype: rtype::CNAME, ..
                }) => alias = alias.or(Some(rule)),
                Some(Effect::Data { rtype, .. })
                    if *rtype == self.question.qtype || self.question.qtype == rtype::ANY =>
                {
                    rewrites.push(rule);
                    first = first.or(Some(rule));
                }
                _ => {}
            }
        });
        if let Some(alias) = alias {
            let mut rewrites = Rewrites::default();
            rewrites.push(alias);
            return Decision::new(Action::Rewrite(rewrites), Cause::Rule(alias));
        }
        match first {
            Some(rule) => Decision::new(Action::Rewrite(rewrites), Cause::Rule(rule)),
            None => Decision::new(Action::Nodata, Cause::Rule(best.rule)),
        }
    }

    pub(super) fn each_rule(&self, place: Place, one: &mut impl FnMut(RuleId)) {
        match place {
            Place::Set(set, _) => self.gate.rules_of(set).for_each(one),
            Place::Pattern(index) => self
                .policy
                .triggers
                .pattern_rules(index as usize)
                .iter()
                .copied()
                .for_each(one),
            Place::Group(range) | Place::ServerName(range) | Place::ServerAddress(range) => {
                self.policy.triggers.group(range).iter().copied().for_each(one)
            }
            Place::Alone(rule) => one(rule),
        }
    }

    /// Whether a rule that was met counts for this profile, name, type and client.
    pub(super) fn counts(&self, short: &Short, rule: RuleId, labels: u8, place: Place) -> bool {
        if !self.table.is_active(short.source) {
            return false;
        }
        if matches!(place, Place::Set(..)) && !short.covers(usize::from(labels) == self.names) {
            return false;
        }
        // The text of an address is AdGuard's business only.
        if matches!(place, Place::Pattern(_)) && self.question.key.is_none() && short.family != Family::Adguard {
            return false;
        }
        let Some(whole) = self.gate.rule(rule) else {
            return false;
        };
        if short.conditional && !applies(&whole.modifiers, &self.question) {
            return false;
        }
        // An alias to the name itself changes nothing.
        if let (Act::Rewrite, Effect::Cname(target), Some(key)) = (short.act, &whole.effect, self.question.key) {
            return !key.complete() || Key::from_wire(target.as_wire()).as_bytes() != key.as_bytes();
        }
        true
    }

    pub(super) fn effect(&self, rule: RuleId) -> Option<&Effect> {
        self.gate.rule(rule).map(|rule| &rule.effect)
    }
}

/// What a rule that blocks does.
pub(super) fn blocked(gate: &Gate, best: &Best) -> Action {
    match gate.rule(best.rule).map(|rule| &rule.effect) {
        // 0 is NOERROR: an answer without records.
        Some(Effect::Rcode(0) | Effect::Nodata) => Action::Nodata,
        Some(Effect::Rcode(rcode)) => Action::Rcode(*rcode),
        Some(Effect::Drop) => Action::Drop,
        Some(Effect::TcpOnly) => Action::TcpOnly,
        _ => Action::Sinkhole,
    }
}

/// Which of several rules at one name speaks for an unbound or dnsmasq source: records come before whatever the zone around
/// them is, and a block before an exemption (dnsmasq answers from an address before it asks a server).
fn weight(act: Act) -> u8 {
    match act {
        Act::Rewrite => 3,
        Act::Block => 2,
        Act::Allow => 1,
        Act::Unrewrite => 0,
    }
}

/// Sources that have had their say.
#[derive(Default)]
struct Spoken {
    sources: [u16; 8],
    len: usize,
    more: Vec<u16>,
}

impl Spoken {
    fn contains(&self, source: u16) -> bool {
        self.sources[..self.len].contains(&source) || self.more.contains(&source)
    }

    fn note(&mut self, source: u16) {
        match self.sources.get_mut(self.len) {
            Some(slot) => {
                *slot = source;
                self.len += 1;
            }
            None => self.more.push(source),
        }
    }
}
