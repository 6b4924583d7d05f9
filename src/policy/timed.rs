//! What the time of day says of a name: pauses, grants and windows that hold for whoever asks.
//!
//! In: the items that hold, a name. Out: a decision, or what of the profile is lifted.
//! Always: of the items that concern the name the first counts. What lets the internet or a list through lifts windows and pauses, and no more: lists
//! of other categories go on to block. What lets a name through by itself lets its whole answer through.

use super::decision::{Action, Cause, Decision};
use super::family::{About, Does, Item};
use super::marks::Seen;
use super::profile::Table;
use super::{Asker, Met, Policy};
use crate::dns::key::Key;
use crate::list::set::Gate;

/// What holds besides.
#[derive(Default)]
pub(super) struct Timed {
    /// What becomes of the name; `None`: what the profile says.
    pub decision: Option<Decision>,
    /// What the name is, where it was looked up.
    pub seen: Option<Seen>,
    /// The service it belongs to is let through.
    pub service: bool,
    /// The name counts towards a quota.
    pub limited: bool,
    /// The table of the profile without the lists that are let through, if any are.
    pub table: Option<Table>,
}

/// A name, what it is, and how it is met.
#[derive(Clone, Copy)]
struct Asked<'k> {
    key: &'k Key,
    seen: Seen,
    met: Met,
    qtype: u16,
}

/// How an item concerns a name.
enum Concern {
    /// The name itself is named.
    Name,
    Service,
    List,
    /// Every name is concerned.
    Internet,
}

impl Policy {
    /// What the items say that hold for the asker. `table`: that of its profile.
    pub(super) fn timed(&self, gate: &Gate, asker: &Asker, table: &Table, key: &Key, met: Met, qtype: u16) -> Timed {
        let seen = self.marks.look(key);
        let asked = Asked { key, seen, met, qtype };
        let mut timed = Timed {
            seen: Some(seen),
            ..Timed::default()
        };
        for (number, item) in self.family.items(asker.layer) {
            let cause = Cause::Timed(number);
            if item.does == Does::PausesFilter {
                timed.decision = Some(Decision::new(Action::PassWhole, cause));
                return timed;
            }
            let Some(concern) = self.concern(gate, asker, &item.about, &asked) else {
                continue;
            };
            match (item.does, concern) {
                (Does::Limits, concern) => {
                    let internet = matches!(concern, Concern::Internet);
                    if internet && (met == Met::Answer || self.is_reachable(gate, asker, item, &asked)) {
                        continue;
                    }
                    let Some(account) = self.family.accounts.of(number, asker.holder()) else {
                        continue;
                    };
                    timed.limited = true;
                    if !account.is_spent() {
                        if met == Met::Question && !seen.background {
                            account.uses(asker.now_s);
                        }
                        continue;
                    }
                    timed.decision = Some(Decision::new(Action::Sinkhole, cause));
                }
                (Does::PausesInternet | Does::Blocks(_), Concern::Internet) => {
                    // What a page needs that is reachable is met in answers.
                    if met == Met::Answer || self.is_reachable(gate, asker, item, &asked) {
                        continue;
                    }
                    timed.decision = Some(Decision::new(Action::Sinkhole, cause));
                }
                (Does::PausesInternet | Does::Blocks(_), _) => {
                    timed.decision = Some(Decision::new(Action::Sinkhole, cause));
                }
                (_, Concern::Name) => {
                    let action = match met {
                        Met::Question => Action::PassWhole,
                        Met::Answer => Action::Pass,
                    };
                    timed.decision = Some(Decision::new(action, cause));
                }
                (_, Concern::Service) => timed.service = true,
                (_, Concern::List) => timed.table = item.about.table.as_ref().map(|lifted| table.without(lifted)),
                (_, Concern::Internet) => {}
            }
            return timed;
        }
        timed
    }

    fn is_reachable(&self, gate: &Gate, asker: &Asker, item: &Item, asked: &Asked<'_>) -> bool {
        self.always.find(asked.key, asker.now_s).is_some() || self.concern(gate, asker, &item.reach, asked).is_some()
    }

    fn concern(&self, gate: &Gate, asker: &Asker, about: &About, asked: &Asked<'_>) -> Option<Concern> {
        let Asked { key, seen, met, qtype } = *asked;
        if !about.names.is_empty() && about.names.find(key, asker.now_s).is_some() {
            return Some(Concern::Name);
        }
        if self.marks.service_of(&about.services, &seen).is_some() {
            return Some(Concern::Service);
        }
        if let Some(table) = &about.table
            && self.by_lists(gate, table, asker, key, met, qtype).acts()
        {
            return Some(Concern::List);
        }
        about.internet.then_some(Concern::Internet)
    }
}
