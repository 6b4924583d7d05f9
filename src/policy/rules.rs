//! The rules of a gate as the decision reads them: a few bytes each, in one table.
//!
//! In: a gate, and which of its sources only observe. Out: [`Rules`], by rule id.
//! Always: says what a rule does and when it may count; whether it counts for a profile is for `profile`.

use super::clients::Client;
use crate::dns::key::Key;
use crate::list::rule::{ClientIs, Effect, Modifiers, Scope};
use crate::list::set::{Gate, RuleId, RuleSetId};
use crate::list::source::Family;
use std::net::IpAddr;

/// One rule, in short.
#[derive(Debug, Clone, Copy)]
pub struct Short {
    pub source: u16,
    pub scope: Scope,
    pub family: Family,
    pub act: Act,
    /// Blocks with the profile's own answer, not with one that the list chose.
    pub sinkhole: bool,
    /// `$important`
    pub important: bool,
    /// Has modifiers that depend on the question or the client.
    pub conditional: bool,
    /// Leaves out some names below its own (`$denyallow`), and its verdict holds for the others.
    pub leaves_out: bool,
    /// What it means by itself.
    pub verdict: Verdict,
}

impl Short {
    /// Whether it covers a name where its key is that name (`itself`) or a parent of it.
    #[inline]
    pub fn covers(&self, itself: bool) -> bool {
        covers(self.scope, itself)
    }
}

#[inline]
fn covers(scope: Scope, itself: bool) -> bool {
    match scope {
        Scope::Exact => itself,
        Scope::Subtree => true,
        Scope::Below => !itself,
    }
}

/// The first rule of a set: where it counts and all the others do no more than it, they need not be read.
#[derive(Debug, Clone, Copy)]
pub struct First {
    pub rule: RuleId,
    pub source: u16,
    scope: Scope,
    /// Every rule of the set only blocks.
    pub blocks: bool,
}

impl First {
    /// See [`Short::covers`].
    #[inline]
    pub fn covers(&self, itself: bool) -> bool {
        covers(self.scope, itself)
    }
}

/// What rules mean before anything is known of the question; of several the last counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// There is none that counts.
    Nothing,
    /// All only block.
    Block,
    /// All only block or allow, and at least one allows.
    Allow,
    /// They have to be weighed: modifiers, rewrites, sources that reduce themselves to one match, observing lists.
    Look,
}

/// What a rule does, as far as precedence asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Keeps the client away: a sinkhole answer, an RCODE, NODATA, silence.
    Block,
    /// Lets through.
    Allow,
    /// Puts records of the list in place of the answer, or an AdGuard `$dnsrewrite` of any kind.
    Rewrite,
    /// Takes AdGuard rewrites back.
    Unrewrite,
}

/// Every rule of a gate, by id.
#[derive(Debug, Default)]
pub struct Rules {
    rows: Vec<Short>,
    /// By set.
    firsts: Vec<First>,
}

impl Rules {
    /// `observe`: by source, whether it only observes.
    pub fn new(gate: &Gate, observe: &[bool]) -> Rules {
        let sources = gate.sources();
        let rows = (0..gate.rule_count() as u32)
            .filter_map(|id| gate.rule(RuleId(id)))
            .map(|rule| {
                let source = &sources[usize::from(rule.source.0)];
                let family = source.format.family();
                let act = match act(&rule.effect, family) {
                    // Whatever an allow list names it lets through.
                    Act::Block if source.is_allow() => Act::Allow,
                    act => act,
                };
                let important = rule.modifiers.important;
                let conditional = Modifiers {
                    important: false,
                    ..rule.modifiers.clone()
                } != Modifiers::default();
                let leaves_out = Modifiers {
                    denyallow: rule.modifiers.denyallow.clone(),
                    ..Modifiers::default()
                } == rule.modifiers
                    && conditional;
                let plain = !important
                    && (!conditional || leaves_out)
                    && observe.get(usize::from(rule.source.0)) != Some(&true);
                Short {
                    source: rule.source.0,
                    scope: rule.scope,
                    family,
                    act,
                    sinkhole: rule.effect == Effect::Block,
                    important,
                    conditional,
                    leaves_out,
                    verdict: match (act, family) {
                        _ if !plain => Verdict::Look,
                        // Over a stream it lets through, and then keeps other zones from acting.
                        (Act::Block, _) if rule.effect == Effect::TcpOnly => Verdict::Look,
                        (Act::Block, _) => Verdict::Block,
                        // An allow of a source that reduces itself may lose to a longer block of the same source.
                        (Act::Allow, Family::Plain | Family::Adguard) => Verdict::Allow,
                        _ => Verdict::Look,
                    },
                }
            })
            .collect();
        let mut rules = Rules {
            rows,
            firsts: Vec::new(),
        };
        let sets = (0..gate.rule_set_count() as u32).map(RuleSetId);
        rules.firsts = sets.map(|set| rules.first_of(gate, set)).collect();
        rules
    }

    fn first_of(&self, gate: &Gate, set: RuleSetId) -> First {
        let mut all = gate.rules_of(set);
        let first = all.next();
        let only_blocks = |rule| {
            let short = self.get(rule);
            short.is_some_and(|short| short.verdict == Verdict::Block && !short.leaves_out)
        };
        let short = first.and_then(|rule| self.get(rule));
        First {
            rule: first.unwrap_or(RuleId(u32::MAX)),
            source: short.map_or(u16::MAX, |short| short.source),
            scope: short.map_or(Scope::Exact, |short| short.scope),
            blocks: first.is_some_and(only_blocks) && all.all(only_blocks),
        }
    }

    /// The first rule of a set; `None` past the last set.
    #[inline]
    pub fn first(&self, set: RuleSetId) -> Option<&First> {
        self.firsts.get(set.0 as usize)
    }

    #[inline]
    pub fn get(&self, rule: RuleId) -> Option<&Short> {
        self.rows.get(rule.0 as usize)
    }
}

fn act(effect: &Effect, family: Family) -> Act {
    match effect {
        // In AdGuard's language an RCODE comes only with $dnsrewrite.
        Effect::Rcode(_) | Effect::Nodata if family == Family::Adguard => Act::Rewrite,
        Effect::Block | Effect::Rcode(_) | Effect::Nodata | Effect::Drop | Effect::TcpOnly => Act::Block,
        Effect::Allow => Act::Allow,
        Effect::Data { .. } | Effect::Cname(_) | Effect::CnameBelow(_) => Act::Rewrite,
        Effect::Unrewrite(_) => Act::Unrewrite,
    }
}

/// What the modifiers of a rule ask about.
#[derive(Clone, Copy)]
pub struct Question<'q> {
    /// The name, where one is judged and not an address.
    pub key: Option<&'q Key>,
    pub qtype: u16,
    pub client: Option<Client<'q>>,
    pub addr: Option<IpAddr>,
}

/// Whether the name is one that the rule leaves out, or below one.
pub fn leaves_out(modifiers: &Modifiers, key: &Key) -> bool {
    // A key ends after a whole label, so a prefix of the bytes is a parent.
    let mut left_out = modifiers.denyallow.iter();
    left_out.any(|left_out| key.as_bytes().starts_with(left_out))
}

/// Whether the modifiers let a rule count.
pub fn applies(modifiers: &Modifiers, question: &Question<'_>) -> bool {
    if !modifiers.types.is_empty() && !modifiers.types.contains(&question.qtype) {
        return false;
    }
    if modifiers.types_not.contains(&question.qtype) {
        return false;
    }
    if question.key.is_some_and(|key| leaves_out(modifiers, key)) {
        return false;
    }
    let is = |who: &ClientIs| match who {
        ClientIs::Network(network) => question.addr.is_some_and(|addr| network.contains(&addr)),
        ClientIs::Name(name) => question
            .client
            .is_some_and(|client| client.name.eq_ignore_ascii_case(name)),
    };
    if !modifiers.clients.is_empty() && !modifiers.clients.iter().any(is) {
        return false;
    }
    if modifiers.clients_not.iter().any(is) {
        return false;
    }
    let tagged = |tag: &String| {
        question
            .client
            .is_some_and(|client| client.tags.iter().any(|own| own.eq_ignore_ascii_case(tag)))
    };
    if !modifiers.tags.is_empty() && !modifiers.tags.iter().any(tagged) {
        return false;
    }
    !modifiers.tags_not.iter().any(tagged)
}
