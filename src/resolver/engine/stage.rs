//! What one look brought: aliases, and where they lead.
//!
//! In: a [`Reading`], or a DNAME and a name. Out: a [`Stage`], which can be kept.

use super::classify::{Alias, End, Reading};
use super::rrset::{RRset, substitute};
use super::store::{Denial, Held, Rank, Security, Store, expiry};
use super::walk::Finding;
use crate::dns::name::Name;
use crate::dns::rtype;
use crate::limits;
use std::sync::Arc;

/// One alias: a CNAME or DNAME set.
#[derive(Debug, Clone)]
pub struct Link {
    pub held: Held,
    /// A CNAME made here from the DNAME before it (RFC 6672 §3.1).
    pub made: bool,
}

/// The aliases that one server, or the store, knew, and where they lead.
#[derive(Debug)]
pub(super) struct Stage {
    pub aliases: Vec<Link>,
    pub end: StageEnd,
    /// The name that a denial at the end is about.
    about: Option<Name>,
}

#[derive(Debug)]
pub(super) enum StageEnd {
    Finding(Finding),
    Elsewhere(Name),
}

impl Stage {
    /// Without aliases.
    pub fn finding(finding: Finding) -> Stage {
        Stage {
            aliases: Vec::new(),
            end: StageEnd::Finding(finding),
            about: None,
        }
    }

    /// One alias that was known.
    pub fn alias(held: Held, target: Name) -> Stage {
        Stage {
            aliases: vec![Link { held, made: false }],
            end: StageEnd::Elsewhere(target),
            about: None,
        }
    }

    /// What a server said, which is no referral; `None` if it is one.
    pub fn of(reading: Reading, now_ms: u64) -> Option<Stage> {
        let weak = reading.weak;
        let hold = |set: RRset, proofs: Vec<RRset>| Held {
            expires_ms: expiry(now_ms, set.ttl_s),
            set: Arc::new(set),
            rank: if weak { Rank::Answer } else { Rank::AnswerAa },
            security: Security::Unchecked,
            proofs: proofs.into(),
        };
        let mut aliases = Vec::with_capacity(reading.aliases.len());
        for alias in reading.aliases {
            match alias {
                Alias::Cname { set, proofs } => aliases.push(Link {
                    held: hold(set, proofs),
                    made: false,
                }),
                Alias::Dname { set, cname } => {
                    let held = hold(set, Vec::new());
                    let made = Held {
                        set: Arc::new(cname),
                        ..held.clone()
                    };
                    aliases.push(Link { held, made: false });
                    if !made.set.is_empty() {
                        aliases.push(Link { held: made, made: true });
                    }
                }
            }
        }
        let mut about = None;
        let end = match reading.end {
            End::Found { set, proofs } => StageEnd::Finding(Finding::Set(hold(set, proofs))),
            End::Denied {
                name,
                nxdomain,
                soa,
                proofs,
            } => {
                // RFC 2308 §5; without an SOA it says not how long (§2.2: it should not be kept at all; a moment is).
                let ttl_s = match &soa {
                    Some(soa) if !weak => soa.negative_ttl_s().min(limits::CACHED_NEGATIVE_S),
                    _ => limits::DENIAL_BARE_S,
                };
                about = Some(name);
                let denial = Denial::new(nxdomain, soa, proofs, expiry(now_ms, ttl_s), Security::Unchecked);
                StageEnd::Finding(Finding::Denied(Arc::new(denial)))
            }
            End::Elsewhere(target) => StageEnd::Elsewhere(target),
            End::TooLong => StageEnd::Finding(Finding::TooLong),
            End::Referral(_) => return None,
        };
        Some(Stage { aliases, end, about })
    }

    /// What a DNAME above `name` makes of it.
    pub fn redirected(dname: Held, name: &Name) -> Stage {
        let target = dname
            .set
            .target()
            .and_then(|target| substitute(name, &dname.set.name, &target));
        let mut aliases = vec![Link {
            held: dname.clone(),
            made: false,
        }];
        let end = match target {
            Some(target) => {
                let cname = RRset::of(name, rtype::CNAME, dname.set.ttl_s, target.as_wire());
                let made = Held {
                    set: Arc::new(cname),
                    ..dname
                };
                aliases.push(Link { held: made, made: true });
                StageEnd::Elsewhere(target)
            }
            None => StageEnd::Finding(Finding::TooLong),
        };
        Stage {
            aliases,
            end,
            about: None,
        }
    }

    /// Puts all of it into the store; a denial is of `qtype`.
    pub fn keep(&self, store: &Store, qtype: u16, now_ms: u64) {
        for link in self.aliases.iter().filter(|link| !link.made) {
            store.put(&link.held, now_ms);
        }
        match &self.end {
            StageEnd::Finding(Finding::Set(held)) => store.put(held, now_ms),
            StageEnd::Finding(Finding::Denied(denial)) => {
                if let Some(name) = &self.about {
                    store.deny(name, qtype, denial, now_ms);
                }
            }
            StageEnd::Finding(Finding::TooLong) | StageEnd::Elsewhere(_) => {}
        }
    }

    /// The denial of the very name that was looked for, if it is that.
    pub fn denied_name(&self) -> Option<&Arc<Denial>> {
        match &self.end {
            StageEnd::Finding(Finding::Denied(denial)) if denial.nxdomain && self.aliases.is_empty() => Some(denial),
            _ => None,
        }
    }

    /// The least that any part of it is to be trusted.
    pub fn security(&self) -> Security {
        let end = match &self.end {
            StageEnd::Finding(Finding::Set(held)) => Some(held.security),
            StageEnd::Finding(Finding::Denied(denial)) => Some(denial.security),
            StageEnd::Finding(Finding::TooLong) | StageEnd::Elsewhere(_) => None,
        };
        let aliases = self.aliases.iter().map(|link| link.held.security);
        aliases.chain(end).min().unwrap_or(Security::Unchecked)
    }

    /// It came from the store: a denial there is about `name`.
    pub fn about(mut self, name: &Name) -> Stage {
        self.about = Some(name.clone());
        self
    }
}
