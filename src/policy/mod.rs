//! What becomes of a query, before anything is looked up, and of what its answer holds: pure, no sockets, no clock, no locks.
//!
//! In: settings and a gate, once; then who asks and for what. Out: a [`Decision`].
//! Always: same inputs, same decision. A decision about a name that no list or only plain rules match allocates nothing.
//! Fails: a profile that names what is nowhere is a [`PolicyError`]; one whose lists are configured but not in the gate says
//! so in [`Policy::missing`], so that its clients are not answered unfiltered by accident.
//! Keeps: RFC 8914 §4.5, §4.16 to §4.18 (who imposed a block); the response policy zones' order of triggers.

pub mod accounts;
pub mod clients;
pub mod decision;
pub mod explain;

mod build;
mod canary;
mod decide;
mod footprint;
mod hosts;
mod judge;
mod keeping;
mod longest;
pub mod look_alikes;
mod marks;
mod people;
mod places;
mod plans;
mod profile;
mod rebinding;
mod rewriting;
mod rules;
mod servers;
mod sub_error;
mod suffixes;
mod timed;
mod triggers;
mod why;
mod written;

use crate::config::settings::{AnswerKind, ImposedBy};
use crate::dns::ede::Text;
use crate::dns::name::Name;
use crate::dns::translate::Prefix;
use crate::limits::QUOTA_TTL_S;
use crate::list::patterns::PatternError;
use crate::list::set::RuleId;
pub use footprint::Footprint;
pub use why::{Closed, Why};

use accounts::Account;
use clients::{Clients, Who};
use decision::{Cause, Decision};
use keeping::Keeping;
use marks::{Chosen, Marks};
use plans::{LayerId, Plans};
use profile::{OwnNames, Table};
use rules::Rules;
use std::net::IpAddr;
use triggers::Triggers;

/// Index of a profile, in the order of the settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ProfileId(pub u16);

/// Index of a client, in the order of the settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientId(pub u32);

/// Who asks, as far as decisions depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asker {
    /// `None`: not filtered.
    pub profile: Option<ProfileId>,
    /// The `[[client]]` that matched.
    pub client: Option<ClientId>,
    /// `None` where only a profile is asked about.
    pub addr: Option<IpAddr>,
    /// When, in Unix seconds.
    pub now_s: u64,
    /// The person whose device it is, by index.
    pub person: Option<u32>,
    /// Which windows, grants and pauses hold.
    pub layer: LayerId,
    /// The Unix second from which others may.
    pub until_s: u64,
    /// RPZ zones from this source on have no say in the answer; `u16::MAX` at first.
    pub rpz_bar: u16,
}

impl Asker {
    pub fn new(profile: Option<ProfileId>, client: Option<ClientId>, addr: Option<IpAddr>) -> Asker {
        Asker {
            profile,
            client,
            addr: addr.map(|addr| addr.to_canonical()),
            now_s: 0,
            person: None,
            layer: LayerId::NONE,
            until_s: u64::MAX,
            rpz_bar: u16::MAX,
        }
    }

    /// The same at this Unix second.
    pub fn at(self, now_s: u64) -> Asker {
        Asker { now_s, ..self }
    }

    /// The asker for what is still to be judged of the same answer: an RPZ zone that let a name through keeps itself and the
    /// zones behind it from what follows. One that only observes lets nothing through. What counts towards a quota is decided anew soon.
    pub fn after(mut self, decision: &Decision) -> Asker {
        if !decision.observed {
            self.rpz_bar = self.rpz_bar.min(decision.rpz_bar);
        }
        if decision.limited {
            self.until_s = self.until_s.min(self.now_s + QUOTA_TTL_S);
        }
        self
    }
}

const DAY_S: u64 = 86_400;

/// Why somebody may not ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The address is not in `server.allow`.
    Access,
    /// No client entry matches, and `server.unmatched` is "refuse".
    Unmatched,
}

/// Where a name was met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Met {
    /// It is the QNAME.
    Question,
    /// It stands in an answer: the target of a CNAME, DNAME, SVCB or HTTPS record.
    Answer,
}

/// How a blocked question is answered, and why, for the client.
#[derive(Clone, Copy)]
pub struct Shape<'p> {
    pub kind: AnswerKind,
    /// The addresses of the block page.
    pub addresses: &'p [IpAddr],
    pub ttl_s: u32,
    /// Chooses the Extended DNS Error: 17, 15 or 16.
    pub imposed_by: ImposedBy,
    /// The category and the list.
    pub text: Text,
    /// The same as a number of the registry of sub-error codes, where that has one for it.
    pub sub_error: Option<u8>,
}

/// Clients and profiles, made for one gate: rule ids mean nothing with another.
pub struct Policy {
    clients: Clients,
    unmatched: Option<Option<ProfileId>>,
    profiles: Vec<Profile>,
    /// As many.
    details: Vec<Details>,
    tables: Vec<Table>,
    /// Of all sources that any of those has.
    any: Table,
    triggers: Triggers,
    rules: Rules,
    sources: Vec<Source>,
    marks: Marks,
    plans: Plans,
    keeping: Keeping,
    /// The Unix second it was made at.
    made_s: u64,
    /// What is reachable whatever is off.
    always: OwnNames,
    /// Prefixes behind which IPv6 addresses stand for IPv4 addresses: the well-known one, and those of the settings.
    translated: Vec<Prefix>,
    /// Names that may lead into private networks.
    inward: OwnNames,
    /// Some profile looks at where addresses lead.
    any_rebinding: bool,
    /// Some profile blocks what looks like a listed name.
    any_look_alikes: bool,
}

/// What every query asks of a profile, in few bytes: thousands of them are in use at once.
struct Profile {
    table: u16,
    answer: AnswerKind,
    imposed_by: ImposedBy,
    observe: bool,
    has_own: bool,
    /// Beside lists and own names there is something that decides about names: see [`Details`].
    has_more: bool,
    /// Addresses that lead around the filter are blocked.
    guard: bool,
    /// So are those that lead into private networks.
    rebinding: bool,
    look_alikes: bool,
    has_addresses: bool,
    /// See [`Policy::goes_by_lists_alone`].
    alone: bool,
    ttl_s: u32,
}

/// The rest of it.
struct Details {
    name: String,
    own: OwnNames,
    /// The names there are, if there are only some.
    only: Option<OwnNames>,
    chosen: Chosen,
    types: Vec<u16>,
    addresses: Vec<IpAddr>,
    missing: Vec<String>,
}

/// A source of the gate, with what the settings say of its list.
struct Source {
    name: String,
    category: String,
    /// An allow list.
    lets_through: bool,
    /// By its category, for programs that read why.
    sub_error: Option<u8>,
    observe: bool,
    imposed_by: ImposedBy,
}

/// Why settings and a gate do not go together.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    #[error(
        "profile \"{profile}\" has {key} = \"{word}\", which is neither in the settings nor in the compiled lists; correct the word or compile the lists anew"
    )]
    UnknownWord {
        profile: String,
        key: &'static str,
        word: String,
    },
    #[error("{0}")]
    Pattern(PatternError),
    #[error("{0}")]
    Schedule(String),
    #[error("the own names of all persons together are more than four gigabytes")]
    TooManyNames,
    #[error("there are {0} profiles; 65535 is the most")]
    TooManyProfiles(usize),
    #[error("client \"{client}\" has profile \"{profile}\", which is not defined; add [profile.{profile}]")]
    NoSuchProfile { client: String, profile: String },
}

impl Policy {
    /// Who asks from this address at this Unix second; `None`: somebody who may not, and gets REFUSED.
    #[inline]
    pub fn client(&self, addr: IpAddr, now_s: u64) -> Option<Asker> {
        let (profile, client) = match self.clients.find(addr) {
            Who::Refused => return None,
            Who::Nobody => (self.unmatched?, None),
            Who::Client(client, profile) => (profile, Some(client)),
        };
        let (layer, until_s) = self.plans.holds(client, profile, now_s);
        Some(Asker {
            person: client.and_then(|client| self.plans.person(client)),
            layer,
            until_s,
            ..Asker::new(profile, client, Some(addr)).at(now_s)
        })
    }

    /// The same for several addresses at once, in their order, with their profiles near: all of them wait for memory together.
    pub fn clients(&self, addrs: &[IpAddr], now_s: u64, askers: &mut Vec<Option<Asker>>) {
        let mut touched = addrs.iter().fold(0, |all, addr| all ^ self.clients.touch(*addr));
        askers.clear();
        askers.extend(addrs.iter().map(|addr| self.client(*addr, now_s)));
        for step in [Policy::touch_profile, Policy::touch_table] {
            touched = askers
                .iter()
                .flatten()
                .fold(touched, |all, asker| all ^ step(self, asker));
        }
        std::hint::black_box(touched);
    }

    #[inline]
    fn touch_profile(&self, asker: &Asker) -> u64 {
        let profile = asker.profile.and_then(|id| self.profiles.get(usize::from(id.0)));
        profile.map_or(0, |profile| profile.table.into())
    }

    #[inline]
    fn touch_table(&self, asker: &Asker) -> u64 {
        let table = self.tables.get(self.touch_profile(asker) as usize);
        table.map_or(0, |table| table.is_active(0).into())
    }

    /// Why somebody at this address may not ask, whom [`client`](Policy::client) does not know.
    pub fn refusal(&self, addr: IpAddr) -> Refusal {
        match self.clients.may_ask(addr) {
            false => Refusal::Access,
            true => Refusal::Unmatched,
        }
    }

    /// Whether it is time to make it anew from the same settings: windows are known for some weeks around the day it was made.
    pub fn is_due(&self, now_s: u64) -> bool {
        !self.plans.is_empty() && now_s.abs_diff(self.made_s) >= DAY_S
    }

    /// The accounts of all quotas, for whoever counts.
    pub fn accounts(&self) -> &[Account] {
        self.plans.accounts()
    }

    /// The profile of this name.
    pub fn profile(&self, name: &str) -> Option<ProfileId> {
        let at = self.details.iter().position(|profile| profile.name == name)?;
        Some(ProfileId(at as u16))
    }

    pub fn profile_name(&self, profile: ProfileId) -> &str {
        self.details
            .get(usize::from(profile.0))
            .map_or("", |profile| &profile.name)
    }

    pub fn client_name(&self, client: ClientId) -> &str {
        self.clients.get(client).map_or("", |client| client.name)
    }

    /// Whether the profile filters anything at all, so that its clients must not get around it.
    pub fn filters(&self, profile: ProfileId) -> bool {
        self.profiles.get(usize::from(profile.0)).is_some_and(|profile| {
            let table = &self.tables[usize::from(profile.table)];
            let kinds = table.kinds();
            let rules = kinds.names() || kinds.addresses() || kinds.servers.is_some();
            !profile.observe && (rules || profile.has_own || profile.has_more || profile.rebinding)
        })
    }

    /// What of an answer has to be looked at for this asker.
    #[inline]
    pub fn inspects(&self, asker: &Asker) -> Inspects {
        let profile = asker.profile.and_then(|id| self.profiles.get(usize::from(id.0)));
        profile.map_or(Inspects::default(), |profile| {
            let table = &self.tables[usize::from(profile.table)];
            let kinds = table.kinds();
            Inspects {
                names: kinds.names() || profile.has_own || profile.has_more || self.has_more(asker),
                addresses: kinds.addresses() || profile.guard || profile.rebinding,
                rebinding: profile.rebinding,
                ech: profile.guard && !profile.observe,
                // Zones from the bar on have no say.
                servers: kinds.servers.is_some_and(|first| first < asker.rpz_bar),
            }
        })
    }

    /// Whether who asks has more than the profile: something that holds now, or own names.
    #[inline]
    fn has_more(&self, asker: &Asker) -> bool {
        asker.layer != LayerId::NONE || asker.person.is_some_and(|person| self.plans.own.has(person))
    }

    /// Lists that the profile enables and the settings know, but the gate lacks.
    pub fn missing(&self, profile: ProfileId) -> &[String] {
        self.details
            .get(usize::from(profile.0))
            .map_or(&[], |profile| &profile.missing)
    }

    /// How a question that was decided so is answered.
    pub fn answer(&self, asker: &Asker, decision: &Decision) -> Shape<'_> {
        let profile = asker.profile.and_then(|id| self.profiles.get(usize::from(id.0)));
        let details = asker.profile.and_then(|id| self.details.get(usize::from(id.0)));
        let source = match decision.cause {
            Cause::Rule(rule) | Cause::LookAlike(rule, _) => self.source(rule),
            _ => None,
        };
        let by_list = source.map_or(ImposedBy::Household, |source| source.imposed_by);
        let mut text = Text::EMPTY;
        match (source, decision.cause, details) {
            (Some(source), _, _) => {
                text.push(&source.category);
                text.push(", ");
                text.push(&source.name);
            }
            (None, Cause::Canary(feature), _) => {
                text.push("canary of ");
                text.push(feature);
            }
            (None, Cause::Service(number), _) => {
                text.push("service ");
                text.push(self.marks.service(number));
            }
            (None, Cause::Way(way), _) => {
                text.push("way around the filter: ");
                text.push(way.word());
            }
            (None, Cause::Safe(number), _) => {
                text.push("safe search of ");
                text.push(self.marks.engine(number));
            }
            (None, Cause::Timed(number), _) => {
                text.push(self.plans.item(number).map_or("", |item| &item.name));
            }
            (None, Cause::Rebinding, _) => text.push("a public name that leads into a private network (rebinding)"),
            (None, Cause::PersonDeny(_), _) => text.push("denied by an own name"),
            (None, Cause::NotAmongOnly, Some(profile)) => {
                text.push("none of the names of profile ");
                text.push(&profile.name);
            }
            (None, Cause::Type, _) => text.push("a type that the profile does without"),
            (None, Cause::OwnDeny(_), Some(profile)) => {
                text.push("denied by profile ");
                text.push(&profile.name);
            }
            _ => {}
        }
        let imposed_by = match (decision.cause, profile) {
            // Nobody's wish about a name: whoever runs the server keeps its network shut.
            (Cause::Rebinding, _) => ImposedBy::Operator,
            (_, Some(profile)) => heavier(by_list, profile.imposed_by),
            (_, None) => by_list,
        };
        let by_category = source.and_then(|source| source.sub_error);
        let sub_error = sub_error::of(by_category, &decision.cause, imposed_by);
        match profile {
            Some(profile) => Shape {
                kind: profile.answer,
                addresses: match details {
                    Some(details) if profile.has_addresses => &details.addresses,
                    _ => &[],
                },
                ttl_s: profile.ttl_s,
                imposed_by,
                text,
                sub_error,
            },
            None => Shape {
                kind: AnswerKind::Null,
                addresses: &[],
                ttl_s: 0,
                imposed_by,
                text,
                sub_error,
            },
        }
    }

    fn source(&self, rule: RuleId) -> Option<&Source> {
        self.sources.get(usize::from(self.rules.get(rule)?.source))
    }

    /// The category and the list that a decision rests on, where it rests on a list.
    pub fn category_and_list(&self, decision: &Decision) -> Option<(&str, &str)> {
        match decision.cause {
            Cause::Rule(rule) | Cause::LookAlike(rule, _) => self
                .source(rule)
                .map(|source| (source.category.as_str(), source.name.as_str())),
            _ => None,
        }
    }

    /// What a host of a search engine is answered with in its safe mode, by number.
    pub fn safe_host(&self, number: u32) -> Option<&Name> {
        self.marks.target(number)
    }

    /// Bytes of clients, of the profiles' tables and of what they share, for metrics.
    pub fn size_bytes(&self) -> usize {
        self.triggers.size_bytes()
            + self.marks.size_bytes()
            + self.plans.size_bytes()
            + self.clients.size_bytes()
            + self.profiles.len() * size_of::<Profile>()
            + self.tables.iter().map(Table::size_bytes).sum::<usize>()
    }
}

/// What of an answer has to be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Inspects {
    pub names: bool,
    pub addresses: bool,
    /// Whether they lead into private networks.
    pub rebinding: bool,
    /// Keys of Encrypted ClientHello, which are left out.
    pub ech: bool,
    /// Who serves the zones on the way to the names in it.
    pub servers: bool,
}

/// Of two reasons the one that weighs more: what the law demands is not the household's wish.
fn heavier(a: ImposedBy, b: ImposedBy) -> ImposedBy {
    let weight = |by| match by {
        ImposedBy::Household => 0,
        ImposedBy::Operator => 1,
        ImposedBy::Law => 2,
    };
    if weight(a) >= weight(b) { a } else { b }
}

/// Whether a source of the gate came from a `[[list]]`: it has the list's name, or that and a file's behind a slash.
pub fn is_of_list(source: &str, list: &str) -> bool {
    source
        .strip_prefix(list)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod explain_tests;
#[cfg(test)]
mod family_tests;
#[cfg(test)]
mod profile_tests;
#[cfg(test)]
mod server_tests;
#[cfg(test)]
mod settled_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod timed_tests;
#[cfg(test)]
mod words_tests;
