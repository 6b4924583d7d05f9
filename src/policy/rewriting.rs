//! AdGuard's `$dnsrewrite`: which of several rules make the answer when the exceptions have taken theirs.
//!
//! In: the rules that count for a name, as the judge meets them. Out: what is answered, if anything is left.

use super::decision::{Action, Rewrites};
use super::judge::{Best, Judge, offer};
use super::rules::{Act, Short};
use crate::dns::rtype;
use crate::list::rule::Effect;
use crate::list::set::RuleId;

/// AdGuard rewrites and their exceptions that are weighed for one name; more, in no order that matters, are left out.
const REWRITES: usize = 32;

/// AdGuard's `$dnsrewrite` rules and their exceptions, of all AdGuard lists together.
pub(super) struct Rewriting {
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
    pub(super) fn push(&mut self, short: &Short, best: Best) {
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
    pub(super) fn result(&self, judge: &Judge<'_>) -> Option<(Best, Action)> {
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
