//! Where rules that match a name or an address were found, before it is known what counts.
//!
//! In: a gate, a profile's table, a name. Out: [`Places`].
//! Always: on the stack, for all names but strange ones.

use super::judge::{Best, offer};
use super::profile::Table;
use super::rules::{Short, Verdict, leaves_out};
use super::triggers::Kinds;
use super::{Asker, Met, Policy};
use crate::dns::key::Key;
use crate::list::set::{Gate, RuleId, RuleSetId};
use std::cmp::Reverse;
use std::net::{IpAddr, Ipv4Addr};

/// Matched sets and patterns that are kept on the stack. A name has few listed parents, since a name under a listed one
/// is mostly dropped when lists are compiled; more than this go to the heap.
const INLINE: usize = 12;

/// Where matching rules were found.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place {
    /// A key of this many labels.
    Set(RuleSetId, u8),
    /// A pattern, by its index.
    Pattern(u32),
    /// Client or answer networks: a range of the groups of [`Triggers`](super::triggers::Triggers).
    Group((u32, u32)),
    /// Names of name servers: likewise.
    ServerName((u32, u32)),
    /// Networks of name servers: likewise.
    ServerAddress((u32, u32)),
    /// An address rule on its own.
    Alone(RuleId),
}

/// A short list that lives on the stack unless it gets long.
pub(super) struct Few<T> {
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

    pub(super) fn push(&mut self, item: T) {
        match self.inline.get_mut(self.len) {
            Some(slot) => {
                *slot = Some(item);
                self.len += 1;
            }
            None => self.more.push(item),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = T> + '_ {
        let inline = self.inline[..self.len].iter().filter_map(|item| *item);
        inline.chain(self.more.iter().copied())
    }
}

/// Everything that matches, before it is known what counts.
pub(super) struct Places {
    /// Keys of the gate, shortest name first.
    pub(super) sets: Few<(RuleSetId, u8)>,
    /// Patterns and networks, longest network first.
    pub(super) others: Few<Place>,
}

impl Places {
    pub(super) fn new() -> Places {
        Places {
            sets: Few::new(),
            others: Few::new(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.sets.is_empty() && self.others.is_empty()
    }

    /// The longest names first, then what is not a name.
    pub(super) fn longest_first(&self) -> impl Iterator<Item = Place> + '_ {
        let sets = self.sets.iter().rev().map(|(set, labels)| Place::Set(set, labels));
        sets.chain(self.others.iter())
    }
}

/// How many labels a key of the gate has that is the name itself; none has, if the name holds a label that no gate can hold.
pub(super) fn labels_of_name(key: &Key) -> usize {
    if key.complete() { key.label_count() } else { usize::MAX }
}

/// What the keys of a name mean together; by default those of a name that has none.
pub(super) struct Sketch {
    /// The weightiest verdict.
    highest: Verdict,
    /// `false`: no pattern of the gate matches the name.
    patterns: bool,
    /// The rules to report of those keys whose rules need no weighing.
    block: Option<Best>,
    allow: Option<Best>,
}

impl Default for Sketch {
    fn default() -> Sketch {
        Sketch {
            highest: Verdict::Nothing,
            patterns: true,
            block: None,
            allow: None,
        }
    }
}

impl Sketch {
    /// The rule that decides, where none has to be weighed against others.
    #[inline]
    pub(super) fn plain(&self) -> Option<&Best> {
        match self.highest {
            Verdict::Block => self.block.as_ref(),
            Verdict::Allow => self.allow.as_ref(),
            Verdict::Nothing | Verdict::Look => None,
        }
    }

    /// Whether a pattern with this rule, which counts for the profile, may change what the keys say. Against a rule of a key
    /// that does the same it is one of a name without labels.
    fn may_yield_to(&self, rule: RuleId, short: &Short) -> bool {
        let comes_before = |best: &Option<Best>| {
            let rank = (short.source, Reverse(0), rule);
            best.is_none_or(|best| rank < best.rank())
        };
        match (self.highest, short.verdict) {
            (Verdict::Nothing | Verdict::Look, _) | (_, Verdict::Look | Verdict::Nothing) => true,
            (Verdict::Block, Verdict::Block) => comes_before(&self.block),
            (Verdict::Allow, Verdict::Allow) => comes_before(&self.allow),
            (Verdict::Block, Verdict::Allow) => true,
            (Verdict::Allow, Verdict::Block) => false,
        }
    }

    /// Whether any pattern of these kinds may.
    fn may_yield(&self, kinds: &Kinds) -> bool {
        match self.highest {
            Verdict::Nothing | Verdict::Look => true,
            Verdict::Block => {
                let first = |best: Best| kinds.blocking.is_some_and(|first| first <= best.source);
                kinds.overruling || self.block.is_some_and(first)
            }
            Verdict::Allow => kinds.overruling,
        }
    }
}

impl Policy {
    /// Notes what the keys of a name mean for the profile with this table; `keep` is called with those that mean anything, shortest first.
    #[inline]
    pub(super) fn sketch(
        &self,
        gate: &Gate,
        table: &Table,
        key: &Key,
        sketch: &mut Sketch,
        mut keep: impl FnMut(RuleSetId, u8),
    ) {
        let names = labels_of_name(key);
        sketch.patterns = gate.walk(key, |labels, set| {
            let (mut highest, itself) = (Verdict::Nothing, labels == names);
            let (labels, mut blocks, mut allows) = (labels as u8, false, false);
            if let Some(first) = self.rules.first(set)
                && first.blocks
                && first.covers(itself)
                && table.is_active(first.source)
            {
                let (source, rule, place) = (first.source, first.rule, Place::Set(set, labels));
                let best = Best {
                    source,
                    labels,
                    rule,
                    place,
                };
                offer(&mut sketch.block, best);
                keep(set, labels);
                sketch.highest = sketch.highest.max(Verdict::Block);
                return;
            }
            for rule in gate.rules_of(set) {
                let Some(short) = self.rules.get(rule) else { continue };
                if !table.is_active(short.source) || !short.covers(itself) {
                    continue;
                }
                if short.leaves_out && gate.rule(rule).is_some_and(|rule| leaves_out(&rule.modifiers, key)) {
                    continue;
                }
                highest = highest.max(short.verdict);
                let (best, seen) = match short.verdict {
                    Verdict::Block => (&mut sketch.block, &mut blocks),
                    Verdict::Allow => (&mut sketch.allow, &mut allows),
                    Verdict::Nothing | Verdict::Look => continue,
                };
                // Rules of a set are in order of their sources: the first that counts is the lowest.
                if !*seen {
                    *seen = true;
                    let place = Place::Set(set, labels);
                    let source = short.source;
                    offer(
                        best,
                        Best {
                            source,
                            labels,
                            rule,
                            place,
                        },
                    );
                }
            }
            if highest != Verdict::Nothing {
                keep(set, labels);
                sketch.highest = sketch.highest.max(highest);
            }
        });
    }

    /// Whether what the keys mean is the decision: nothing has to be weighed, and no pattern and no client's network says
    /// anything that could change it.
    #[inline]
    pub(super) fn is_settled(&self, sketch: &Sketch, table: &Table, asker: &Asker, key: &Key, met: Met) -> bool {
        let kinds = table.kinds();
        if sketch.highest == Verdict::Look {
            return false;
        }
        if let (Met::Question, true, Some(addr)) = (met, kinds.clients, asker.addr)
            && self.triggers.clients.all(addr).next().is_some()
        {
            return false;
        }
        let mut settled = true;
        let patterns = kinds.patterns && sketch.patterns && sketch.may_yield(kinds);
        if let (true, Some(patterns)) = (patterns, self.triggers.patterns()) {
            patterns.name(key, |index| {
                settled &= !self.triggers.pattern_rules(index).iter().any(|&rule| {
                    let active = |short: &&Short| table.is_active(short.source);
                    let short = self.rules.get(rule).filter(active);
                    short.is_some_and(|short| sketch.may_yield_to(rule, short))
                });
            });
        }
        settled
    }

    /// Everything that matches a name and may count for the profile with this table.
    pub(super) fn matched(&self, gate: &Gate, table: &Table, asker: &Asker, key: &Key, met: Met) -> Places {
        let mut places = Places::new();
        let mut sketch = Sketch::default();
        self.sketch(gate, table, key, &mut sketch, |set, labels| {
            places.sets.push((set, labels))
        });
        let kinds = table.kinds();
        let others = &mut places.others;
        if let (true, Some(patterns)) = (kinds.patterns && sketch.patterns, self.triggers.patterns()) {
            patterns.name(key, |index| {
                if self.is_any_active(table, index) {
                    others.push(Place::Pattern(index as u32));
                }
            });
        }
        if let (Met::Question, true, Some(addr)) = (met, kinds.clients, asker.addr) {
            for range in self.triggers.clients.all(addr) {
                others.push(Place::Group(range));
            }
        }
        places
    }

    /// Whether a profile with this table has a rule of this pattern.
    pub(super) fn is_any_active(&self, table: &Table, pattern: usize) -> bool {
        let mut shorts = self.triggers.pattern_rules(pattern).iter();
        shorts.any(|rule| self.rules.get(*rule).is_some_and(|short| table.is_active(short.source)))
    }
}

/// Room for the text of an address.
pub(super) struct AddressText {
    bytes: [u8; 48],
    len: usize,
}

impl AddressText {
    pub(super) fn new(addr: IpAddr) -> AddressText {
        let mut text = AddressText { bytes: [0; 48], len: 0 };
        let addr = addr.to_canonical();
        if let IpAddr::V4(v4) = addr {
            text.v4(v4);
            return text;
        }
        // Longest text of an address is 45 bytes, so that writing cannot fail.
        let _ = std::fmt::Write::write_fmt(&mut text, format_args!("{addr}"));
        text
    }

    /// Digit by digit: nearly all addresses of answers are these, and the formatting machinery takes ten times as long.
    fn v4(&mut self, addr: Ipv4Addr) {
        let mut put = |byte: u8| {
            self.bytes[self.len] = byte;
            self.len += 1;
        };
        for (index, octet) in addr.octets().into_iter().enumerate() {
            if index > 0 {
                put(b'.');
            }
            if octet >= 100 {
                put(b'0' + octet / 100);
            }
            if octet >= 10 {
                put(b'0' + octet / 10 % 10);
            }
            put(b'0' + octet % 10);
        }
    }

    pub(super) fn as_str(&self) -> &str {
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_octet_is_written_as_the_standard_library_does() {
        for octet in 0..=255 {
            for addr in [[octet; 4], [0, octet, 255, 1]] {
                let addr = IpAddr::from(addr);
                assert_eq!(AddressText::new(addr).as_str(), addr.to_string());
            }
        }
    }

    proptest! {
        #[test]
        fn the_text_of_an_address_is_that_of_the_standard_library(v4 in any::<u32>(), v6 in any::<u128>()) {
            let v4 = Ipv4Addr::from(v4);
            for addr in [IpAddr::V4(v4), IpAddr::V6(v4.to_ipv6_mapped()), IpAddr::V6(v6.into())] {
                let text = AddressText::new(addr);
                prop_assert_eq!(text.as_str(), addr.to_canonical().to_string());
            }
        }
    }
}
