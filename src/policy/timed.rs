//! What the time of day says of a name: pauses, grants, quotas and windows that hold for whoever asks.
//!
//! In: the items that hold, a name. Out: a decision, or what of the profile is lifted.
//! Always: of the items that concern the name the first counts. What lets the internet, a service or a list through lifts windows and pauses, and no
//! more: lists of other categories go on to block. What lets a name through by itself lets its whole answer through.

use super::decide::{Asked, allowed};
use super::decision::{Action, Cause, Decision};
use super::marks::Seen;
use super::plans::{About, Does, Item};
use super::profile::Table;
use super::{Asker, Met, Policy};
use crate::list::set::Gate;

/// What of a profile does not hold at the time.
#[derive(Clone, Copy, Default)]
pub(super) struct Lifted<'p> {
    /// What the name is, where it was looked up.
    pub seen: Option<Seen<'p>>,
    /// The service it belongs to is let through.
    pub service: bool,
    /// The lists that are let through.
    pub lists: Option<&'p Table>,
}

/// How an item concerns a name.
enum Concern<'i> {
    /// The name itself is named.
    Name,
    Service,
    List(&'i Table),
    /// Every name is concerned.
    Internet,
}

impl Policy {
    /// What the items say that hold for the asker: a decision, or none, and what is lifted; and whether the name counts towards a quota.
    pub(super) fn timed<'p>(
        &'p self,
        gate: &Gate,
        asker: &Asker,
        asked: &Asked<'_>,
        lifted: &mut Lifted<'p>,
    ) -> (Option<Decision>, bool) {
        let seen = self.marks.look(asked.key);
        lifted.seen = Some(seen);
        let mut limited = false;
        for (number, item) in self.plans.items(asker.layer) {
            let Some(concern) = self.concern(gate, asker, &item.about, asked, &seen) else {
                continue;
            };
            let cause = Cause::Timed(number);
            let blocks = match item.does {
                Does::PausesFilter => return (Some(Decision::new(Action::PassWhole, cause)), limited),
                Does::Grants | Does::Allows => {
                    match concern {
                        Concern::Name => return (Some(allowed(asked.met, cause)), limited),
                        Concern::Service => lifted.service = true,
                        Concern::List(lists) => lifted.lists = Some(lists),
                        Concern::Internet => {}
                    }
                    return (None, limited);
                }
                Does::PausesInternet | Does::Limits | Does::Blocks => match concern {
                    // What a page needs that is reachable is met in answers.
                    Concern::Internet => {
                        asked.met == Met::Question && !self.is_reachable(gate, asker, item, asked, &seen)
                    }
                    _ => true,
                },
            };
            let account = match (blocks, item.does) {
                (false, _) => continue,
                (true, Does::Limits) => self.plans.account(number, asker),
                (true, _) => return (Some(Decision::new(Action::Sinkhole, cause)), limited),
            };
            limited |= account.is_some();
            match account {
                Some(account) if account.is_spent() => return (Some(Decision::new(Action::Sinkhole, cause)), limited),
                Some(account) if asked.met == Met::Question && !seen.background => account.uses(asker.now_s),
                _ => {}
            }
        }
        (None, limited)
    }

    fn is_reachable(&self, gate: &Gate, asker: &Asker, item: &Item, asked: &Asked<'_>, seen: &Seen<'_>) -> bool {
        self.always.find(asked.key, asker.now_s).is_some()
            || self.concern(gate, asker, &item.reach, asked, seen).is_some()
    }

    fn concern<'i>(
        &self,
        gate: &Gate,
        asker: &Asker,
        about: &'i About,
        asked: &Asked<'_>,
        seen: &Seen<'_>,
    ) -> Option<Concern<'i>> {
        if !about.names.is_empty() && about.names.find(asked.key, asker.now_s).is_some() {
            return Some(Concern::Name);
        }
        if self.marks.service_of(&about.services, seen).is_some() {
            return Some(Concern::Service);
        }
        if let Some(table) = &about.table
            && self.is_listed(&self.by_lists(gate, table, asker, asked))
        {
            return Some(Concern::List(table));
        }
        about.internet.then_some(Concern::Internet)
    }

    /// Whether a decision by lists says that they hold the name: they block it, or one that lets through names it.
    fn is_listed(&self, decision: &Decision) -> bool {
        let by_allow_list = || match decision.cause {
            Cause::Rule(rule) => self.source(rule).is_some_and(|source| source.lets_through),
            _ => false,
        };
        !decision.observed && (decision.acts() || by_allow_list())
    }
}
