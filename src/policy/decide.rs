//! Judges one name or one address: every rule that matches, in the order of precedence, down to one decision.
//!
//! In: what the gate holds for it, the profile's table, the question and the client. Out: a [`Decision`].
//! Always: a name that nothing matches, and one that is only blocked, costs one walk, one look-up for each key on the way
//! and one pass of the patterns; nothing is allocated.
//!
//! The order among lists: AdGuard's `$dnsrewrite` and list data, then `@@` with `$important`, `$important`, `@@`, block.
//! Of equals the lowest source counts (sources are numbered by rank, then name), then the longest name. An RPZ, unbound or
//! dnsmasq source has one say: RPZ zones together find one match (the first zone that has any; in it client address
//! before name before address of the answer, the longest name or network first), an unbound or dnsmasq source the one with
//! the longest name.

use super::decision::{Action, Cause, Decision, Rewrites};
use super::profile::{Own, Table, Verdict};
use super::rules::{Act, Question, Short, applies};
use super::{Asker, Met, Policy};
use crate::dns::key::Key;
use crate::dns::rtype;
use crate::list::rule::{Effect, Scope};
use crate::list::set::{Gate, RuleId, RuleSetId};
use crate::list::source::Family;
use std::net::IpAddr;

/// Matched sets and patterns that are kept on the stack. A name has few listed parents, since a name under a listed one
/// is mostly dropped when lists are compiled; more than this go to the heap.
const INLINE: usize = 12;

/// AdGuard rewrites and their exceptions that are weighed for one name; more, in no order that matters, are left out.
const REWRITES: usize = 32;

/// Where matching rules were found.
#[derive(Debug, Clone, Copy)]
enum Place {
    /// A key of this many labels.
    Set(RuleSetId, u8),
    /// A pattern, by its index.
    Pattern(u32),
    /// Client or answer networks: a range of the table's groups.
    Group((u32, u32)),
    /// An address rule on its own.
    Alone(RuleId),
}

/// A short list that lives on the stack unless it gets long.
struct Few<T> {
    inline: [Option<T>; INLINE],
    len: usize,
    more: Vec<T>,
}

impl<T: Copy> Few<T> {
    const NONE: Option<T> = None;

    fn new() -> Few<T> {
        Few {
            inline: [Self::NONE; INLINE],
            len: 0,
            more: Vec::new(),
        }
    }

    fn push(&mut self, item: T) {
        match self.inline.get_mut(self.len) {
            Some(slot) => {
                *slot = Some(item);
                self.len += 1;
            }
            None => self.more.push(item),
        }
    }

    fn is_empty(&self) -> bool {
        self.len == 0
    }

    fn iter(&self) -> impl DoubleEndedIterator<Item = T> + '_ {
        let inline = self.inline[..self.len].iter().filter_map(|item| *item);
        inline.chain(self.more.iter().copied())
    }
}

/// Everything that matches, before it is known what counts.
struct Places {
    /// Keys of the gate, shortest name first.
    sets: Few<(RuleSetId, u8)>,
    /// Patterns and networks, longest network first.
    others: Few<Place>,
}

impl Places {
    fn new() -> Places {
        Places {
            sets: Few::new(),
            others: Few::new(),
        }
    }

    fn is_empty(&self) -> bool {
        self.sets.is_empty() && self.others.is_empty()
    }

    /// The longest names first, then what is not a name.
    fn longest_first(&self) -> impl Iterator<Item = Place> + '_ {
        let sets = self.sets.iter().rev().map(|(set, labels)| Place::Set(set, labels));
        sets.chain(self.others.iter())
    }
}

/// The match of a class that is reported: lowest source, then longest name, then lowest rule.
#[derive(Debug, Clone, Copy)]
struct Best {
    source: u16,
    labels: u8,
    rule: RuleId,
    place: Place,
}

impl Best {
    fn rank(&self) -> (u16, std::cmp::Reverse<u8>, RuleId) {
        (self.source, std::cmp::Reverse(self.labels), self.rule)
    }
}

fn offer(best: &mut Option<Best>, candidate: Best) {
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
}

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
        if !profile.own.is_empty() {
            match (profile.own.find(key), met) {
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
        if !table.has_names {
            return Decision::PASS;
        }
        let (places, highest) = places_of_name(gate, table, asker, key, met);
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
        let plain = highest != Verdict::Look && places.others.is_empty();
        let decision = if plain {
            judge.plain(&places, highest)
        } else {
            judge.weigh(&places)
        };
        decision.observed_if(profile.observe)
    }

    /// What becomes of an answer that holds this address. `qtype`: the type of the record it stands in.
    pub fn decide_address(&self, gate: &Gate, asker: &Asker, addr: IpAddr, qtype: u16) -> Decision {
        let Some(profile) = asker.profile.and_then(|id| self.profiles.get(usize::from(id.0))) else {
            return Decision::UNFILTERED;
        };
        let table = &self.tables[usize::from(profile.table)];
        if !table.has_addresses {
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

    fn places_of_address(&self, gate: &Gate, table: &Table, addr: IpAddr) -> Places {
        let mut places = Places::new();
        gate.addresses(addr, |rule| {
            let rpz = self.rules.get(rule).is_some_and(|rule| rule.family == Family::Rpz);
            if !rpz {
                places.others.push(Place::Alone(rule));
            }
        });
        for range in table.rpz_networks().all(addr) {
            places.others.push(Place::Group(range));
        }
        if let (true, Some(patterns)) = (table.has_adguard_patterns, table.patterns()) {
            let mut text = AddressText { bytes: [0; 48], len: 0 };
            // Longest text of an address is 45 bytes, so that writing cannot fail.
            let _ = std::fmt::Write::write_fmt(&mut text, format_args!("{}", addr.to_canonical()));
            patterns.text(text.as_str(), |index| places.others.push(Place::Pattern(index as u32)));
        }
        places
    }

    /// Every rule that counts for this asker and name, or address, whatever becomes of it: the longest names first.
    pub(super) fn matches(&self, gate: &Gate, asker: &Asker, what: What<'_>, qtype: u16) -> Vec<(RuleId, u8)> {
        let Some(profile) = asker.profile.and_then(|id| self.profiles.get(usize::from(id.0))) else {
            return Vec::new();
        };
        let table = &self.tables[usize::from(profile.table)];
        let (places, key, met) = match what {
            What::Name(key) => (
                places_of_name(gate, table, asker, key, Met::Question).0,
                Some(key),
                Met::Question,
            ),
            What::Address(addr) => (self.places_of_address(gate, table, addr), None, Met::Answer),
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

    fn question<'q>(&'q self, asker: &'q Asker, key: Option<&'q Key>, qtype: u16) -> Question<'q> {
        Question {
            key,
            qtype,
            client: asker.client.and_then(|id| self.clients.get(id.0 as usize)),
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

/// How many labels a key of the gate has that is the name itself; none has, if the name holds a label that no gate can hold.
fn labels_of_name(key: &Key) -> usize {
    if key.complete() { key.label_count() } else { usize::MAX }
}

/// Everything that matches a name and may count for the profile, and the weightiest verdict of its keys.
#[inline]
fn places_of_name(gate: &Gate, table: &Table, asker: &Asker, key: &Key, met: Met) -> (Places, Verdict) {
    let names = labels_of_name(key);
    let mut places = Places::new();
    let mut highest = Verdict::Nothing;
    gate.walk(key, |labels, set| {
        let verdict = table.verdict(set, labels == names);
        if verdict != Verdict::Nothing {
            places.sets.push((set, labels as u8));
            if verdict as u8 > highest as u8 {
                highest = verdict;
            }
        }
    });
    if let Some(patterns) = table.patterns() {
        patterns.name(key, |index| places.others.push(Place::Pattern(index as u32)));
    }
    if let (Met::Question, false, Some(addr)) = (met, table.clients().is_empty(), asker.addr) {
        for range in table.clients().all(addr) {
            places.others.push(Place::Group(range));
        }
    }
    (places, highest)
}

/// Room for the text of an address.
struct AddressText {
    bytes: [u8; 48],
    len: usize,
}

impl AddressText {
    fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.len]).unwrap_or_default()
    }
}

impl std::fmt::Write for AddressText {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        let room = self
            .bytes
            .get_mut(self.len..self.len + text.len())
            .ok_or(std::fmt::Error)?;
        room.copy_from_slice(text.as_bytes());
        self.len += text.len();
        Ok(())
    }
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

struct Judge<'a> {
    policy: &'a Policy,
    gate: &'a Gate,
    table: &'a Table,
    asker: &'a Asker,
    met: Met,
    question: Question<'a>,
    /// How many labels a key has that is the name itself.
    names: usize,
}

impl Judge<'_> {
    /// Only rules that block or allow, whoever asks: the one to report is all that is left to find.
    fn plain(&self, places: &Places, highest: Verdict) -> Decision {
        let wanted = if highest == Verdict::Allow {
            Act::Allow
        } else {
            Act::Block
        };
        let mut best: Option<Best> = None;
        for (set, labels) in places.sets.iter() {
            let place = Place::Set(set, labels);
            for rule in self.gate.rules_of(set) {
                let Some(short) = self.policy.rules.get(rule) else {
                    continue;
                };
                if short.act == wanted && self.table.is_active(short.source) && self.in_scope(short, labels) {
                    // Rules of a set are in order of their sources: the first that counts is the lowest.
                    offer(
                        &mut best,
                        Best {
                            source: short.source,
                            labels,
                            rule,
                            place,
                        },
                    );
                    break;
                }
            }
        }
        match best {
            None => Decision::PASS,
            Some(best) if wanted == Act::Allow => Decision::new(Action::Pass, Cause::Rule(best.rule)),
            Some(best) => Decision::new(Action::Sinkhole, Cause::Rule(best.rule)),
        }
    }

    /// The whole order of precedence. Lists that only observe are left out first; if nothing else acts, they say what
    /// would have been.
    fn weigh(&self, places: &Places) -> Decision {
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
        if let Some(best) = found.important_allow {
            return pass(best);
        }
        if let Some(best) = found.important_block {
            return self.blocked(&best);
        }
        if let Some(best) = found.allow {
            return pass(best);
        }
        found.block.map_or(Decision::PASS, |best| self.blocked(&best))
    }

    fn blocked(&self, best: &Best) -> Decision {
        let action = match self.effect(best.rule) {
            // 0 is NOERROR: an answer without records.
            Some(Effect::Rcode(0) | Effect::Nodata) => Action::Nodata,
            Some(Effect::Rcode(rcode)) => Action::Rcode(*rcode),
            Some(Effect::Drop) => Action::Drop,
            Some(Effect::TcpOnly) => Action::TcpOnly,
            _ => Action::Sinkhole,
        };
        Decision::new(action, Cause::Rule(best.rule))
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

    fn each_rule(&self, place: Place, one: &mut impl FnMut(RuleId)) {
        match place {
            Place::Set(set, _) => self.gate.rules_of(set).for_each(one),
            Place::Pattern(index) => self.table.pattern_rules(index as usize).iter().copied().for_each(one),
            Place::Group(range) => self.table.group(range).iter().copied().for_each(one),
            Place::Alone(rule) => one(rule),
        }
    }

    /// Whether a rule that was met counts for this profile, name, type and client.
    fn counts(&self, short: &Short, rule: RuleId, labels: u8, place: Place) -> bool {
        if !self.table.is_active(short.source) {
            return false;
        }
        if matches!(place, Place::Set(..)) && !self.in_scope(short, labels) {
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

    fn in_scope(&self, short: &Short, labels: u8) -> bool {
        let itself = usize::from(labels) == self.names;
        match short.scope {
            Scope::Exact => itself,
            Scope::Subtree => true,
            Scope::Below => !itself,
        }
    }

    fn effect(&self, rule: RuleId) -> Option<&Effect> {
        self.gate.rule(rule).map(|rule| &rule.effect)
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

/// AdGuard's `$dnsrewrite` rules and their exceptions, of all AdGuard lists together.
struct Rewriting {
    rules: [Option<(bool, Best)>; REWRITES],
    rules_len: usize,
    exceptions: [Option<(bool, RuleId)>; REWRITES],
    exceptions_len: usize,
}

impl Default for Rewriting {
    fn default() -> Rewriting {
        Rewriting {
            rules: [None; REWRITES],
            rules_len: 0,
            exceptions: [None; REWRITES],
            exceptions_len: 0,
        }
    }
}

impl Rewriting {
    fn push(&mut self, short: &Short, best: Best) {
        if short.act == Act::Unrewrite {
            if let Some(slot) = self.exceptions.get_mut(self.exceptions_len) {
                *slot = Some((short.important, best.rule));
                self.exceptions_len += 1;
            }
        } else if let Some(slot) = self.rules.get_mut(self.rules_len) {
            *slot = Some((short.important, best));
            self.rules_len += 1;
        }
    }

    /// What is left when the exceptions have taken theirs: a CNAME before an RCODE before records.
    fn result(&self, judge: &Judge<'_>) -> Option<(Best, Action)> {
        let excepted = |important: bool, rule: RuleId| {
            let exceptions = self.exceptions[..self.exceptions_len].iter().flatten();
            exceptions
                .filter(|(strong, _)| *strong || !important)
                .any(|(_, exception)| match (judge.effect(*exception), judge.effect(rule)) {
                    (Some(Effect::Unrewrite(None)), _) => true,
                    (Some(Effect::Unrewrite(Some(taken))), Some(effect)) => **taken == *effect,
                    _ => false,
                })
        };
        let (mut alias, mut rcode, mut other): (Option<Best>, Option<Best>, Option<Best>) = (None, None, None);
        for &(important, best) in self.rules[..self.rules_len].iter().flatten() {
            if excepted(important, best.rule) {
                continue;
            }
            match judge.effect(best.rule) {
                Some(Effect::Cname(_) | Effect::CnameBelow(_)) => offer(&mut alias, best),
                Some(Effect::Rcode(code)) if *code != 0 => offer(&mut rcode, best),
                _ => offer(&mut other, best),
            }
        }
        if let Some(best) = alias {
            let mut rewrites = Rewrites::default();
            rewrites.push(best.rule);
            return Some((best, Action::Rewrite(rewrites)));
        }
        if let Some(best) = rcode {
            let Some(Effect::Rcode(code)) = judge.effect(best.rule) else {
                return None;
            };
            return Some((best, Action::Rcode(*code)));
        }
        let best = other?;
        let mut rewrites = Rewrites::default();
        let mut reported = None;
        for &(important, one) in self.rules[..self.rules_len].iter().flatten() {
            let fits = |rtype: u16| rtype == judge.question.qtype || judge.question.qtype == rtype::ANY;
            match judge.effect(one.rule) {
                Some(effect @ Effect::Data { rtype, .. }) if fits(*rtype) && !excepted(important, one.rule) => {
                    offer(&mut reported, one);
                    // Lists that agree give one record, not two.
                    if !rewrites.iter().any(|pushed| judge.effect(pushed) == Some(effect)) {
                        rewrites.push(one.rule);
                    }
                }
                _ => {}
            }
        }
        match reported {
            Some(best) => Some((best, Action::Rewrite(rewrites))),
            None => Some((best, Action::Nodata)),
        }
    }
}
