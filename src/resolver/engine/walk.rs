//! Finds what is at a name: from the store, or down the tree to the servers that know.
//!
//! In: a name and a type. Out: a [`Found`]: the aliases on the way, and the set or denial at their end.
//! Always: bounded in aliases, steps and queries; what is found is kept before it is returned; special-use names are never
//! asked for.
//! Keeps: RFC 1034 §5.3.3, RFC 2308, RFC 4035 §3.1.4.1 (DS is the parent's to answer), RFC 6672 §3.4, RFC 8020, RFC 9156.

use super::Engine;
use super::ask::redirects_subtree;
use super::classify::{Alias, End, Reading, Referral};
use super::delegations::Cut;
use super::minimize::Minimizer;
use super::rrset::RRset;
use super::special;
use super::store::{Denial, Held, Known, Rank, Security, expiry};
use super::task::{Errand, Io};
use super::trace::Step;
use super::trouble::Trouble;
use crate::config::settings::QnameMinimization;
use crate::dns::name::Name;
use crate::dns::rtype;
use crate::limits;
use std::sync::Arc;

/// What is at a name.
#[derive(Debug, Clone)]
pub struct Found {
    /// From the name asked for to the name that `end` is about.
    pub aliases: Vec<Link>,
    pub end: Finding,
}

/// One alias: a CNAME or DNAME set.
#[derive(Debug, Clone)]
pub struct Link {
    pub held: Held,
    /// A CNAME made here from the DNAME before it (RFC 6672 §3.1).
    pub made: bool,
}

/// What stands at the end of the aliases.
#[derive(Debug, Clone)]
pub enum Finding {
    Set(Held),
    Denied(Arc<Denial>),
    /// A DNAME makes a name that is too long: YXDOMAIN (RFC 6672 §2.2).
    TooLong,
}

impl Found {
    pub fn is_nxdomain(&self) -> bool {
        matches!(&self.end, Finding::Denied(denial) if denial.nxdomain)
    }
}

/// One look: the aliases that one server, or the store, knew, and where they lead.
struct Stage {
    aliases: Vec<Link>,
    end: StageEnd,
}

enum StageEnd {
    Finding(Finding),
    Elsewhere(Name),
}

impl Stage {
    fn finding(finding: Finding) -> Stage {
        Stage {
            aliases: Vec::new(),
            end: StageEnd::Finding(finding),
        }
    }
}

/// A look-up on behalf of another: the client's own has depth 0.
pub(super) struct Trip<'a> {
    above: Option<(&'a Trip<'a>, &'a Name)>,
    pub depth: usize,
}

impl Trip<'_> {
    /// The client's own.
    pub fn own() -> Trip<'static> {
        Trip { above: None, depth: 0 }
    }

    /// One for a name server's address.
    pub fn deeper<'b>(&'b self, server: &'b Name) -> Trip<'b> {
        Trip {
            above: Some((self, server)),
            depth: self.depth + 1,
        }
    }

    /// Whether it, or one it is on behalf of, is about this server: looking it up again would wait for itself.
    pub fn passes(&self, server: &Name) -> bool {
        let mut trip = self;
        while let Some((above, name)) = trip.above {
            if name == server {
                return true;
            }
            trip = above;
        }
        false
    }
}

/// A resolution's hold of the shared state and of its task.
pub(super) struct Walk {
    pub engine: Arc<Engine>,
    pub io: Arc<Io>,
    /// How much longer than now what is known must be fresh.
    pub least_left_ms: u64,
}

impl Walk {
    /// Looks `name` up and follows its aliases.
    pub(super) async fn answer(&self, name: &Name, qtype: u16, trip: &Trip<'_>) -> Result<Found, Trouble> {
        let mut aliases: Vec<Link> = Vec::new();
        let mut name = name.clone();
        loop {
            let stage = self.look(&name, qtype, trip).await?;
            aliases.extend(stage.aliases);
            match stage.end {
                StageEnd::Finding(end) => return Ok(Found { aliases, end }),
                StageEnd::Elsewhere(target) => {
                    let circle = aliases.iter().any(|link| link.held.set.name == target);
                    if circle || aliases.len() > limits::ALIAS_HOPS {
                        return Err(Trouble::Limit("too many aliases in a row"));
                    }
                    name = target;
                }
            }
        }
    }

    /// What is at `name` itself.
    async fn look(&self, name: &Name, qtype: u16, trip: &Trip<'_>) -> Result<Stage, Trouble> {
        let now_ms = self.io.now_ms();
        if let Some(zone) = special::zone_of(name) {
            self.io.note(|| Step::Kept { name: name.clone() });
            return Ok(Stage::finding(Finding::Denied(special::denial(&zone, now_ms))));
        }
        if let Some(known) = self.find(name, qtype, trip) {
            return Ok(self.known(name, qtype, known));
        }
        let strict = self.engine.settings.minimization == QnameMinimization::Strict;
        let (cut, doubtful) = self.engine.store.cut_above(name, now_ms, strict);
        if let Some(denial) = cut {
            return Ok(self.known(name, qtype, Known::Denied(denial)));
        }
        self.io.note(|| Step::Look {
            name: name.clone(),
            qtype,
            depth: trip.depth,
        });
        let stage = self.descend(name, qtype, trip).await?;
        if let (Some(doubtful), StageEnd::Finding(Finding::Denied(denial))) = (doubtful, &stage.end)
            && denial.nxdomain
            && stage.aliases.is_empty()
        {
            doubtful.confirm();
        }
        Ok(stage)
    }

    /// What is known, and fresh for as long as is wanted.
    fn find(&self, name: &Name, qtype: u16, trip: &Trip<'_>) -> Option<Known> {
        let more_ms = if trip.depth == 0 { self.least_left_ms } else { 0 };
        self.engine.store.find(name, qtype, self.io.now_ms() + more_ms)
    }

    fn known(&self, name: &Name, qtype: u16, known: Known) -> Stage {
        let what = match &known {
            Known::Set(_) => "its records",
            Known::Alias(_) => "an alias",
            Known::Denied(denial) if denial.nxdomain => "no such name",
            Known::Denied(_) => "no such type",
        };
        self.io.note(|| Step::Known {
            name: name.clone(),
            qtype,
            what,
        });
        match known {
            Known::Set(held) => Stage::finding(Finding::Set(held)),
            Known::Denied(denial) => Stage::finding(Finding::Denied(denial)),
            Known::Alias(held) => match held.set.target() {
                Some(target) => Stage {
                    aliases: vec![Link { held, made: false }],
                    end: StageEnd::Elsewhere(target),
                },
                None => Stage::finding(Finding::Set(held)),
            },
        }
    }

    /// Goes from the deepest zone known down to the one that `name` is in, and asks there.
    async fn descend(&self, name: &Name, qtype: u16, trip: &Trip<'_>) -> Result<Stage, Trouble> {
        let mode = self.engine.settings.minimization;
        let mut cut = self.engine.delegations.deepest(name, qtype == rtype::DS, self.io.now_ms());
        let mut minimizer = Minimizer::new(mode == QnameMinimization::Off);
        // A shorter name of which a server says that it does not exist.
        let mut denied_above: Option<Arc<Denial>> = None;
        let mut followed_ms = 0;
        for _ in 0..limits::WALK_STEPS {
            let shown = minimizer.next(name, &cut.zone);
            let minimized = shown != *name;
            if minimized
                && self
                    .engine
                    .store
                    .find(&shown, rtype::A, self.io.now_ms())
                    .is_some_and(|known| !matches!(known, Known::Denied(denial) if denial.nxdomain))
            {
                // It exists, and is no cut, or that would be known.
                continue;
            }
            let asked_type = if minimized { rtype::A } else { qtype };
            // What is on the way to many names at once is asked for once; then the others look again.
            let lead = match self.engine.lead(&cut.zone, &shown, asked_type) {
                None if followed_ms < limits::FOLLOW_MS => {
                    let wait_ms = (followed_ms / 2).max(limits::FOLLOW_LOOK_MS);
                    followed_ms += wait_ms;
                    self.io.heard(&[], self.io.now_ms() + wait_ms).await;
                    if let Some(known) = self.find(name, qtype, trip) {
                        return Ok(self.known(name, qtype, known));
                    }
                    let deeper = self.engine.delegations.deepest(name, qtype == rtype::DS, self.io.now_ms());
                    if deeper.zone.label_count() > cut.zone.label_count() {
                        cut = deeper;
                    }
                    minimizer.again();
                    continue;
                }
                lead => lead,
            };
            if cut.zone.is_root() {
                self.prime_when_due();
            } else if cut.child.is_none() && cut.state.is_worth_revalidating() {
                self.io.also(Errand::Revalidate(cut.zone.clone()));
            }
            let reading = match self.ask(&cut, &shown, asked_type, minimized, trip).await {
                Ok(reading) => reading,
                // Some servers stumble over names they would not be asked for otherwise (RFC 9156 §2.3, "relaxed").
                Err(trouble @ Trouble::Limit(_)) => return Err(trouble),
                Err(_) if minimized && mode == QnameMinimization::Relaxed => {
                    self.io.note(|| Step::Fallback {
                        zone: cut.zone.clone(),
                        why: "no server answers for the shorter name; the whole one is asked for",
                    });
                    minimizer.stop();
                    continue;
                }
                Err(trouble) => return Err(trouble),
            };
            // What was learned is kept below, without waiting for anything: who follows finds it.
            let _lead = lead;
            let now_ms = self.io.now_ms();
            if let Some((zone, servers)) = &reading.own_servers {
                self.engine.delegations.put_child(zone, servers.clone());
            }
            if minimized && redirects_subtree(&reading) {
                return self.redirect(reading, name, now_ms);
            }
            match reading.end {
                End::Referral(referral) => {
                    cut = self.refer(referral, now_ms);
                    continue;
                }
                End::Denied { nxdomain: true, .. } if minimized => {
                    let stage = self.keep(reading, &shown, asked_type, now_ms);
                    if let StageEnd::Finding(Finding::Denied(denial)) = stage.end
                        && stage.aliases.is_empty()
                    {
                        if mode == QnameMinimization::Strict {
                            return Ok(Stage::finding(Finding::Denied(denial)));
                        }
                        // Perhaps the server only does not know what an empty non-terminal is (RFC 8020 §4).
                        denied_above = Some(denial);
                        minimizer.stop();
                    }
                    continue;
                }
                _ => {}
            }
            let stage = self.keep(reading, &shown, asked_type, now_ms);
            if minimized {
                continue;
            }
            if let (Some(above), StageEnd::Finding(Finding::Denied(denial))) = (denied_above, &stage.end)
                && denial.nxdomain
            {
                above.confirm();
            }
            return Ok(stage);
        }
        Err(Trouble::Limit("the name is delegated too many times"))
    }

    /// Takes in a delegation.
    fn refer(&self, referral: Referral, now_ms: u64) -> Cut {
        let store = &self.engine.store;
        let expires_ms = referral.servers.expires_ms;
        match referral.ds {
            Some(ds) => store.put(
                &Held {
                    expires_ms: expiry(now_ms, ds.ttl_s),
                    set: Arc::new(ds),
                    rank: Rank::Referral,
                    security: Security::Unchecked,
                    proofs: Arc::new([]),
                },
                now_ms,
            ),
            None if !referral.proofs.is_empty() => {
                let denial = Denial::new(false, None, referral.proofs, expires_ms, Security::Unchecked);
                store.deny(&referral.zone, rtype::DS, &Arc::new(denial), now_ms);
            }
            None => {}
        }
        self.engine.delegations.put_parent(&referral.zone, referral.servers)
    }

    /// A DNAME above the shorter name that was asked for redirects the whole one as well.
    fn redirect(&self, reading: Reading, name: &Name, now_ms: u64) -> Result<Stage, Trouble> {
        let Some(Alias::Dname { set, .. }) = reading
            .aliases
            .into_iter()
            .find(|alias| matches!(alias, Alias::Dname { .. }))
        else {
            return Err(Trouble::Limit("the name is delegated too many times"));
        };
        let dname = self.hold(set, reading.weak, Vec::new(), now_ms);
        self.engine.store.put(&dname, now_ms);
        Ok(apply_dname(dname, name))
    }

    /// Keeps what was found at `name`, and turns it into a stage.
    fn keep(&self, reading: Reading, name: &Name, qtype: u16, now_ms: u64) -> Stage {
        let store = &self.engine.store;
        let weak = reading.weak;
        let mut aliases = Vec::with_capacity(reading.aliases.len());
        for alias in reading.aliases {
            match alias {
                Alias::Cname { set, proofs } => {
                    let held = self.hold(set, weak, proofs, now_ms);
                    store.put(&held, now_ms);
                    aliases.push(Link { held, made: false });
                }
                Alias::Dname { set, cname } => {
                    let held = self.hold(set, weak, Vec::new(), now_ms);
                    store.put(&held, now_ms);
                    let made = Held {
                        set: Arc::new(cname),
                        proofs: Arc::new([]),
                        ..held.clone()
                    };
                    aliases.push(Link { held, made: false });
                    if !made.set.is_empty() {
                        aliases.push(Link { held: made, made: true });
                    }
                }
            }
        }
        let end = match reading.end {
            End::Found { set, proofs } => {
                let held = self.hold(set, weak, proofs, now_ms);
                store.put(&held, now_ms);
                StageEnd::Finding(Finding::Set(held))
            }
            End::Denied {
                name: denied,
                nxdomain,
                soa,
                proofs,
            } => {
                // RFC 2308 §5; without an SOA it says not how long (§2.2: it should not be kept at all; a moment is).
                let ttl_s = match &soa {
                    Some(soa) if !weak => soa.negative_ttl_s().min(limits::CACHED_NEGATIVE_S),
                    _ => limits::DENIAL_BARE_S,
                };
                let expires_ms = expiry(now_ms, ttl_s);
                let denial = Arc::new(Denial::new(nxdomain, soa, proofs, expires_ms, Security::Unchecked));
                store.deny(&denied, qtype, &denial, now_ms);
                StageEnd::Finding(Finding::Denied(denial))
            }
            End::Elsewhere(target) => StageEnd::Elsewhere(target),
            End::TooLong => StageEnd::Finding(Finding::TooLong),
            End::Referral(_) => unreachable!("referrals to {name} are followed before anything is kept"),
        };
        Stage { aliases, end }
    }

    fn hold(&self, set: RRset, weak: bool, proofs: Vec<RRset>, now_ms: u64) -> Held {
        Held {
            expires_ms: expiry(now_ms, set.ttl_s),
            set: Arc::new(set),
            rank: if weak { Rank::Answer } else { Rank::AnswerAa },
            security: Security::Unchecked,
            proofs: proofs.into(),
        }
    }

    /// Asks a zone for its own NS set, which then goes before the parent's (RFC 2181 §5.4.1).
    pub(super) async fn revalidate(&self, zone: &Name) -> Result<(), Trouble> {
        let cut = self.engine.delegations.deepest(zone, false, self.io.now_ms());
        if cut.zone != *zone || cut.child.is_some() {
            return Ok(());
        }
        let reading = self.ask(&cut, zone, rtype::NS, false, &Trip::own()).await?;
        if let Some((apex, servers)) = &reading.own_servers {
            self.engine.delegations.put_child(apex, servers.clone());
        }
        if !matches!(reading.end, End::Referral(_)) {
            self.keep(reading, zone, rtype::NS, self.io.now_ms());
        }
        Ok(())
    }

    /// RFC 9609 §3: beside the resolution, never in front of it.
    fn prime_when_due(&self) {
        if self.engine.claim_priming(self.io.now_ms()) {
            self.io.also(Errand::Prime);
        }
    }
}

/// The stage that a DNAME above `name` makes.
fn apply_dname(dname: Held, name: &Name) -> Stage {
    let target = dname
        .set
        .target()
        .and_then(|target| super::classify::substitute(name, &dname.set.name, &target));
    let Some(target) = target else {
        return Stage {
            aliases: vec![Link {
                held: dname,
                made: false,
            }],
            end: StageEnd::Finding(Finding::TooLong),
        };
    };
    let cname = RRset::of(name, rtype::CNAME, dname.set.ttl_s, target.as_wire());
    let made = Held {
        set: Arc::new(cname),
        proofs: Arc::new([]),
        ..dname.clone()
    };
    Stage {
        aliases: vec![
            Link {
                held: dname,
                made: false,
            },
            Link { held: made, made: true },
        ],
        end: StageEnd::Elsewhere(target),
    }
}
