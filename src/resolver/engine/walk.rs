//! Finds what is at a name: from the store, or down the tree to the servers that know.
//!
//! In: a name and a type. Out: a [`Found`]: the aliases on the way, and the set or denial at their end.
//! Always: bounded in aliases, steps and queries; what is found is kept before it is returned; special-use names are never
//! asked for.
//! Keeps: RFC 1034 §5.3.3, RFC 2308, RFC 4035 §3.1.4.1 (DS is the parent's to answer), RFC 6672 §3.4, RFC 8020, RFC 9156.

use super::Engine;
use super::apexes::Side;
use super::classify::{Alias, End, Reading, Referral};
use super::delegations::Cut;
use super::minimize::Minimizer;
use super::special;
use super::stage::{Link, Stage, StageEnd};
use super::store::{Above, Denial, Held, Known, Rank, Security, expiry};
use super::task::{Errand, Io};
use super::trace::Step;
use super::trouble::Trouble;
use crate::config::settings::QnameMinimization;
use crate::dns::name::Name;
use crate::dns::rtype;
use crate::limits;
use crate::resolver::validate::Reason;
use std::net::IpAddr;
use std::sync::Arc;

/// What is at a name.
#[derive(Debug, Clone)]
pub struct Found {
    /// From the name asked for to the name that `end` is about.
    pub aliases: Vec<Link>,
    pub end: Finding,
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
    /// Whether every part of it is under a chain of trust (RFC 4035 §3.2.3).
    pub fn is_secure(&self) -> bool {
        let end = match &self.end {
            Finding::Set(held) => held.security,
            Finding::Denied(denial) => denial.security,
            // Its DNAME is among the aliases.
            Finding::TooLong => Security::Secure,
        };
        let mut aliases = self.aliases.iter().map(|link| link.held.security);
        end == Security::Secure && aliases.all(|security| security == Security::Secure)
    }

    pub fn is_nxdomain(&self) -> bool {
        matches!(&self.end, Finding::Denied(denial) if denial.nxdomain)
    }
}

/// A look-up on behalf of another: the client's own has depth 0.
pub(super) struct Trip<'a> {
    above: Option<(&'a Trip<'a>, &'a Name)>,
    pub depth: usize,
    /// What is found is to be validated.
    pub check: bool,
    /// It is for what validation needs to know.
    keys: bool,
    /// What is known does not count: it made something else bogus.
    renew: bool,
}

impl Trip<'_> {
    /// The client's own.
    pub fn own(check: bool) -> Trip<'static> {
        Trip {
            above: None,
            depth: 0,
            check,
            keys: false,
            renew: false,
        }
    }

    /// One for a name server's address. Whoever it leads to is not believed without signatures, so its own need no checking.
    pub fn deeper<'b>(&'b self, server: &'b Name) -> Trip<'b> {
        Trip {
            above: Some((self, server)),
            depth: self.depth + 1,
            check: false,
            keys: false,
            renew: false,
        }
    }

    /// One for what validation needs to know, at the same depth.
    fn for_keys(&self, renew: bool) -> Trip<'_> {
        Trip {
            above: self.above,
            depth: self.depth,
            check: false,
            keys: true,
            renew,
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
                        return Err(Trouble::TooMuch("too many aliases in a row"));
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
            let stage = self.known(name, qtype, known);
            if let Some(stage) = self.checked(stage, name, qtype, trip).await {
                return Ok(stage);
            }
        } else if let Some(stage) = self.implied(name, qtype, trip).await {
            return Ok(stage);
        }
        self.io.note(|| Step::Look {
            name: name.clone(),
            qtype,
            depth: trip.depth,
        });
        let above = self.engine.store.cut_above(name, now_ms, false);
        let stage = self.descend(name, qtype, trip).await?;
        if let (Above::Doubtful(doubtful), Some(_)) = (above, stage.denied_name()) {
            doubtful.confirm();
        }
        Ok(stage)
    }

    /// The same for validation: from the store unless that is under suspicion, and not validated here.
    pub(super) async fn look_for_keys(&self, name: &Name, rtype: u16, trip: &Trip<'_>) -> Result<Stage, Trouble> {
        let renew = self.io.purse(|purse| purse.renew);
        self.look(name, rtype, &trip.for_keys(renew)).await
    }

    /// A stage from the store. What was found on the way to something else, and nobody has looked at yet, is checked first; `None`
    /// if it does not hold.
    async fn checked(&self, mut stage: Stage, name: &Name, qtype: u16, trip: &Trip<'_>) -> Option<Stage> {
        if self.validator(trip).is_some() && stage.security() == Security::Unchecked {
            self.check(&mut stage, name, qtype, trip).await.ok()?;
            stage.keep(&self.engine.store, qtype, self.io.now_ms());
        }
        Some(stage)
    }

    /// What follows from something known about names above or beside.
    async fn implied(&self, name: &Name, qtype: u16, trip: &Trip<'_>) -> Option<Stage> {
        if trip.renew {
            return None;
        }
        let now_ms = self.needed_ms(trip);
        let strict = self.engine.settings.minimization == QnameMinimization::Strict;
        if let Above::Denied(above, denial) = self.engine.store.cut_above(name, now_ms, strict) {
            let stage = self.known(&above, qtype, Known::Denied(denial));
            if let Some(stage) = self.checked(stage, &above, qtype, trip).await {
                return Some(stage);
            }
        }
        if let Some(known) = self.shown(name, qtype, trip) {
            return Some(self.known(name, qtype, known));
        }
        self.secure_dname(name, now_ms)
    }

    /// A DNAME above `name` that is known to be secure redirects it (RFC 6672 §5.3.1: others might be about other names only).
    fn secure_dname(&self, name: &Name, now_ms: u64) -> Option<Stage> {
        self.engine.validator.as_ref()?;
        let mut above = name.parent()?;
        while !above.is_root() {
            if let Some(Known::Set(dname)) = self.engine.store.find(&above, rtype::DNAME, now_ms)
                && dname.security == Security::Secure
            {
                return Some(Stage::redirected(dname, name));
            }
            above = above.parent()?;
        }
        None
    }

    /// What is known, and fresh for as long as is wanted.
    fn find(&self, name: &Name, qtype: u16, trip: &Trip<'_>) -> Option<Known> {
        if trip.renew {
            return None;
        }
        self.engine.store.find(name, qtype, self.needed_ms(trip))
    }

    /// Until when what is known must be fresh.
    fn needed_ms(&self, trip: &Trip<'_>) -> u64 {
        self.io.now_ms() + if trip.depth == 0 { self.least_left_ms } else { 0 }
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
            Known::Denied(denial) => Stage::finding(Finding::Denied(denial)).about(name),
            Known::Alias(held) => match held.set.target() {
                Some(target) => Stage::alias(held, target),
                None => Stage::finding(Finding::Set(held)),
            },
        }
    }

    /// Goes from the deepest zone known down to the one that `name` is in, and asks there.
    pub(super) async fn descend(&self, name: &Name, qtype: u16, trip: &Trip<'_>) -> Result<Stage, Trouble> {
        let mode = self.engine.settings.minimization;
        let mut cut = self
            .engine
            .delegations
            .deepest(name, qtype == rtype::DS, self.io.now_ms());
        let mut minimizer = Minimizer::new(mode == QnameMinimization::Off);
        // A shorter name of which a server says that it does not exist.
        let mut denied_above: Option<Arc<Denial>> = None;
        let mut bogus = 0;
        let mut followed_ms = 0;
        for _ in 0..limits::WALK_STEPS {
            let shown = minimizer.next(name, &cut.zone);
            let minimized = shown != *name;
            if minimized {
                match self.engine.store.find(&shown, rtype::A, self.io.now_ms()) {
                    // Somebody was told that it does not exist; whether that is so, the whole name shows.
                    Some(Known::Denied(denial)) if denial.nxdomain => {
                        denied_above = Some(denial);
                        minimizer.stop();
                        continue;
                    }
                    // It exists, and is no cut, or that would be known.
                    Some(_) => continue,
                    None => {}
                }
            }
            let asked_type = if minimized { rtype::A } else { qtype };
            // What is on the way to many names at once is asked for once; then the others look again.
            let lead = match self.engine.lead(&cut.zone, &shown, asked_type) {
                None if followed_ms < limits::FOLLOW_MS => {
                    let wait_ms = (followed_ms / 2).max(limits::FOLLOW_LOOK_MS);
                    followed_ms += wait_ms;
                    self.io.heard(&[], self.io.now_ms() + wait_ms).await;
                    if let Some(known) = self.find(name, qtype, trip) {
                        let stage = self.known(name, qtype, known);
                        if let Some(stage) = self.checked(stage, name, qtype, trip).await {
                            return Ok(stage);
                        }
                    }
                    let deeper = self
                        .engine
                        .delegations
                        .deepest(name, qtype == rtype::DS, self.io.now_ms());
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
            let (reading, server) = match self.ask(&cut, &shown, asked_type, minimized, trip).await {
                Ok(heard) => heard,
                // Some servers stumble over names they would not be asked for otherwise (RFC 9156 §2.3, "relaxed").
                Err(trouble @ (Trouble::Limit(_) | Trouble::TooMuch(_))) => return Err(trouble),
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
            if let End::Referral(referral) = reading.end {
                self.testify(&referral.zone, rtype::DS, server);
                self.engine.apexes.note(Side::Above, &referral.zone, &cut.zone);
                cut = self.refer(referral, now_ms);
                continue;
            }
            // A DNAME above the shorter name redirects the whole one as well.
            let dname = if minimized { dname_above(&reading, now_ms) } else { None };
            let whole = !minimized || dname.is_some();
            let mut stage = match dname {
                Some(dname) => Stage::redirected(dname, name),
                None => match Stage::of(reading, now_ms) {
                    Some(stage) => stage,
                    None => continue,
                },
            };
            if !whole {
                stage.keep(&self.engine.store, asked_type, now_ms);
                if let Some(denial) = stage.denied_name() {
                    // Perhaps the server only does not know what an empty non-terminal is (RFC 8020 §4).
                    denied_above = Some(Arc::clone(denial));
                    minimizer.stop();
                    if mode == QnameMinimization::Strict && self.validator(trip).is_none() {
                        self.engine.apexes.note(Side::Inside, name, &cut.zone);
                        return Ok(Stage::finding(Finding::Denied(Arc::clone(denial))));
                    }
                }
                continue;
            }
            let mut ask_again = false;
            while let Err(reason) = self.check(&mut stage, name, qtype, trip).await {
                self.io.worry(reason.clone().into());
                bogus += 1;
                if bogus > limits::BOGUS_RETRIES {
                    return Err(reason.into());
                }
                ask_again = self.distrust(&reason, qtype, server);
                if ask_again {
                    break;
                }
            }
            if ask_again {
                minimizer.again();
                continue;
            }
            if trip.keys {
                self.testify(name, qtype, server);
            }
            stage.keep(&self.engine.store, qtype, self.io.now_ms());
            if let (Some(above), Some(_)) = (denied_above, stage.denied_name()) {
                above.confirm();
            }
            self.note_apex(name, qtype, &cut.zone, &stage);
            return Ok(stage);
        }
        Err(Trouble::TooMuch("the name is delegated too many times"))
    }

    /// Remembers that servers of `zone` answered for `name`, and for what it is an alias of as far as they did.
    fn note_apex(&self, name: &Name, qtype: u16, zone: &Name, stage: &Stage) {
        let side = if qtype == rtype::DS { Side::Above } else { Side::Inside };
        self.engine.apexes.note(side, name, zone);
        for link in stage.aliases.iter().filter(|link| link.held.set.rtype == rtype::CNAME) {
            let target = link.held.set.target();
            if let Some(target) =
                target.filter(|target| !matches!(&stage.end, StageEnd::Elsewhere(end) if end == target))
            {
                self.engine.apexes.note(Side::Inside, &target, zone);
            }
        }
    }

    /// Something is bogus: who said it is asked last from now on, and what was concluded from it is found out anew. Another server,
    /// and keys that nobody has seen yet, may make it right. True if it is the answer of `server` to the question of `qtype`, not
    /// what that was checked against.
    fn distrust(&self, reason: &Reason, qtype: u16, server: IpAddr) -> bool {
        if let Some(validator) = &self.engine.validator {
            // Once for each question: keys that changed early are the zone's fault, and others pay for asking.
            let first = self.io.purse(|purse| !purse.renew);
            validator.doubt(reason, first, &self.engine.when(self.io.now()));
        }
        let (source, about_keys) = self.io.purse(|purse| {
            purse.renew = true;
            let said = |witness: &&(Name, u16, IpAddr)| witness.0 == reason.name && witness.1 == reason.rtype;
            let witness = purse.witnesses.iter().rfind(said).map(|witness| witness.2);
            let about_keys =
                witness.is_some() || (matches!(reason.rtype, rtype::DS | rtype::DNSKEY) && reason.rtype != qtype);
            // Without one some other resolution heard it, long ago perhaps.
            let source = witness.or((!about_keys).then_some(server));
            purse.distrusted.extend(source);
            (source, about_keys)
        });
        // Asked without EDNS it leaves signatures out.
        if let Some(source) = source {
            self.engine.servers.may_know_edns(source);
        }
        !about_keys
    }

    /// Remembers who said it, should it turn out bogus.
    fn testify(&self, name: &Name, rtype: u16, server: IpAddr) {
        if self.engine.validator.is_some() {
            self.io
                .purse(|purse| purse.witnesses.push((name.clone(), rtype, server)));
        }
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

    /// Asks a zone for its own NS set, which then goes before the parent's (RFC 2181 §5.4.1).
    pub(super) async fn revalidate(&self, zone: &Name) -> Result<(), Trouble> {
        let cut = self.engine.delegations.deepest(zone, false, self.io.now_ms());
        if cut.zone != *zone || cut.child.is_some() {
            return Ok(());
        }
        let (reading, _) = self.ask(&cut, zone, rtype::NS, false, &Trip::own(false)).await?;
        if let Some((apex, servers)) = &reading.own_servers {
            self.engine.delegations.put_child(apex, servers.clone());
        }
        let now_ms = self.io.now_ms();
        if let Some(stage) = Stage::of(reading, now_ms) {
            stage.keep(&self.engine.store, rtype::NS, now_ms);
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

/// The DNAME set that a reading begins with: it is above the name asked for. One that comes later is about where an alias leads.
fn dname_above(reading: &Reading, now_ms: u64) -> Option<Held> {
    let Some(Alias::Dname { set, .. }) = reading.aliases.first() else {
        return None;
    };
    Some(Held {
        expires_ms: expiry(now_ms, set.ttl_s),
        set: Arc::new(set.clone()),
        rank: if reading.weak { Rank::Answer } else { Rank::AnswerAa },
        security: Security::Unchecked,
        proofs: Arc::new([]),
    })
}
