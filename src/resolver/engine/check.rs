//! Has what was found validated before anybody sees it.
//!
//! In: a stage of a client's own resolution. Out: the same with what validation made of each set and denial, or the reason why it
//! is bogus.
//! Always: records that validation itself asks for are checked by it and not here; bogus data is not kept, and its servers are
//! asked last when the question is asked again.
//! Keeps: RFC 4035 §4.3 and §5.5, RFC 8198 §5 (proofs are kept for other names).

use super::Engine;
use super::rrset::RRset;
use super::stage::{Link, Stage, StageEnd};
use super::store::{Denial, Held, Known, Rank, Security, expiry};
use super::trace::Step;
use super::trouble::Trouble;
use super::walk::{Finding, Found, Trip, Walk};
use crate::dns::name::Name;
use crate::dns::rtype;
use crate::now::Now;
use crate::resolver::validate::{
    self, Fetched, JudgedDenial, Reason, Source, Validator, Verdict, When, Work, aggressive::What,
};
use std::pin::Pin;
use std::sync::{Arc, PoisonError};

impl Walk {
    /// Whether resolutions on this trip are to be validated, and by whom.
    pub(super) fn validator(&self, trip: &Trip<'_>) -> Option<&Validator> {
        self.engine.validator.as_ref().filter(|_| trip.check)
    }

    /// Judges whatever in `stage` was not judged before. On success the stage says how far each part is to be trusted, and lives no
    /// longer than its signatures.
    pub(super) async fn check(
        &self,
        stage: &mut Stage,
        name: &Name,
        qtype: u16,
        trip: &Trip<'_>,
    ) -> Result<(), Reason> {
        let Some(validator) = self.validator(trip) else {
            return Ok(());
        };
        let when = self.engine.when(self.io.now());
        let own = (qtype == rtype::DNSKEY).then(|| fetched(stage)).flatten();
        let source = Keys {
            walk: self,
            trip,
            own: own.map(|own| (name, own)),
        };
        let mut work = self.io.purse(|purse| purse.work.take()).unwrap_or_default();
        let judged = self
            .judge(validator, stage, name, qtype, &source, &when, &mut work)
            .await;
        self.io.purse(|purse| purse.work = Some(work));
        let verdict = match &judged {
            Ok(()) => None,
            Err(reason) => Some(reason.clone()),
        };
        self.io.note(|| Step::Checked {
            name: name.clone(),
            security: stage.security(),
            reason: verdict,
        });
        judged
    }

    #[allow(
        clippy::too_many_arguments,
        reason = "one validation's surroundings, each of another life"
    )]
    async fn judge(
        &self,
        validator: &Validator,
        stage: &mut Stage,
        name: &Name,
        qtype: u16,
        source: &Keys<'_>,
        when: &When,
        work: &mut Work,
    ) -> Result<(), Reason> {
        let mut owner = name.clone();
        let mut above = Security::Unchecked;
        for Link { held, made } in &mut stage.aliases {
            if *made {
                // What a secure DNAME makes is as good as it (RFC 6672 §5.3.1).
                held.security = above;
            } else {
                self.judge_set(validator, held, source, when, work).await?;
            }
            above = held.security;
            if held.set.rtype == rtype::CNAME
                && let Some(target) = held.set.target()
            {
                owner = target;
            }
        }
        match &mut stage.end {
            StageEnd::Finding(Finding::Set(held)) => self.judge_set(validator, held, source, when, work).await,
            StageEnd::Finding(Finding::Denied(denial)) => {
                if denial.security > Security::Unchecked {
                    return Ok(());
                }
                let asked = validate::Denial {
                    name: &owner,
                    qtype,
                    nxdomain: denial.nxdomain,
                    soa: denial.soa.as_ref(),
                    proofs: &denial.proofs,
                };
                let judged = validator.denial(asked, source, when, work).await;
                let security = security(&judged.verdict)?;
                let expires_ms = denial.expires_ms.min(expiry(when.now.mono_ms, judged.ttl_s));
                self.learn(denial, &judged, when.now.mono_ms);
                *denial = Arc::new(Denial::new(
                    judged.nxdomain,
                    denial.soa.clone(),
                    denial.proofs.clone(),
                    expires_ms,
                    security,
                ));
                Ok(())
            }
            StageEnd::Finding(Finding::TooLong) | StageEnd::Elsewhere(_) => Ok(()),
        }
    }

    async fn judge_set(
        &self,
        validator: &Validator,
        held: &mut Held,
        source: &Keys<'_>,
        when: &When,
        work: &mut Work,
    ) -> Result<(), Reason> {
        if held.security > Security::Unchecked {
            return Ok(());
        }
        let judged = validator.set(&held.set, &held.proofs, source, when, work).await;
        held.security = security(&judged.verdict)?;
        held.expires_ms = held.expires_ms.min(expiry(when.now.mono_ms, judged.ttl_s));
        if let (true, Some(zone), Some(encloser)) = (judged.verdict.is_secure(), &judged.zone, &judged.encloser) {
            let proofs = judged.proofs.iter().filter_map(|&at| held.proofs.get(at));
            let mut aggressive = self.engine.aggressive.lock().unwrap_or_else(PoisonError::into_inner);
            // It may have been held for a while before anybody looked.
            let ttl_s = judged.ttl_s.min(held.ttl_s(when.now.mono_ms));
            aggressive.learn_made(zone, encloser, &held.set, proofs, ttl_s, when.now.mono_ms);
        }
        Ok(())
    }

    /// Keeps the proofs of a secure denial for other names (RFC 8198).
    fn learn(&self, denial: &Denial, judged: &JudgedDenial, now_ms: u64) {
        if let (true, Some(zone), Some(soa)) = (judged.verdict.is_secure(), &judged.zone, &denial.soa) {
            let sets = judged.proofs.iter().filter_map(|&at| denial.proofs.get(at));
            let mut aggressive = self.engine.aggressive.lock().unwrap_or_else(PoisonError::into_inner);
            let ttl_s = judged.ttl_s.min(denial.ttl_s(now_ms));
            aggressive.learn(zone, &Arc::new(soa.clone()), sets, ttl_s, now_ms);
        }
    }

    /// What proofs at hand say about `qtype` at `name` (RFC 8198 §5.1 to §5.3).
    pub(super) fn shown(&self, name: &Name, qtype: u16, trip: &Trip<'_>) -> Option<Known> {
        self.validator(trip)?;
        let now_ms = self.io.now_ms();
        let mut work = Work::new();
        let shown = {
            let mut aggressive = self.engine.aggressive.lock().unwrap_or_else(PoisonError::into_inner);
            aggressive.find(name, qtype, now_ms, &mut work)?
        };
        // To be renewed, not to be repeated.
        if trip.depth == 0 && u64::from(shown.ttl_s) * 1000 <= self.least_left_ms {
            return None;
        }
        let proofs: Vec<RRset> = shown.proofs.iter().map(|set| (**set).clone()).collect();
        let expires_ms = expiry(now_ms, shown.ttl_s);
        let denied = |nxdomain, soa: Arc<RRset>, proofs| {
            let soa = Some((*soa).clone());
            Known::Denied(Arc::new(Denial::new(
                nxdomain,
                soa,
                proofs,
                expires_ms,
                Security::Secure,
            )))
        };
        Some(match shown.what {
            What::NoName(soa) => denied(true, soa, proofs),
            What::NoData(soa) => denied(false, soa, proofs),
            What::Made(set) => {
                let alias = set.rtype != qtype;
                let held = Held {
                    set: Arc::new(set),
                    expires_ms,
                    rank: Rank::AnswerAa,
                    security: Security::Secure,
                    proofs: proofs.into(),
                };
                if alias { Known::Alias(held) } else { Known::Set(held) }
            }
        })
    }
}

impl Engine {
    /// What a client may be told about an answer that was not validated (RFC 8914 §4.2, §4.3, §4.6, §4.28): about the first part of
    /// it that is insecure for a reason other than being unsigned.
    pub(super) fn remarks(&self, qname: &Name, found: &Found, now: Now) -> Vec<(u16, String)> {
        let Some(validator) = &self.validator else {
            return Vec::new();
        };
        let when = self.when(now);
        let mut name = qname.clone();
        let mut reason = None;
        for Link { held, .. } in &found.aliases {
            if held.security != Security::Secure && reason.is_none() {
                reason = validator.remark(&held.set.name, held.proofs.iter(), &when);
            }
            if held.set.rtype == rtype::CNAME
                && let Some(target) = held.set.target()
            {
                name = target;
            }
        }
        let reason = reason.or_else(|| match &found.end {
            Finding::Set(held) if held.security != Security::Secure => {
                validator.remark(&name, held.proofs.iter(), &when)
            }
            Finding::Denied(denial) if denial.security != Security::Secure => {
                validator.remark(&name, denial.proofs.iter(), &when)
            }
            _ => None,
        });
        reason
            .map(|reason| (reason.code(), reason.to_string()))
            .into_iter()
            .collect()
    }
}

/// What the store keeps of a verdict.
fn security(verdict: &Verdict) -> Result<Security, Reason> {
    match verdict {
        Verdict::Secure => Ok(Security::Secure),
        Verdict::Insecure(_) | Verdict::Indeterminate(_) => Ok(Security::Insecure),
        Verdict::Bogus(reason) => Err(reason.clone()),
    }
}

/// DS and DNSKEY sets for validation, as servers have them.
struct Keys<'a> {
    walk: &'a Walk,
    trip: &'a Trip<'a>,
    /// The keys that are being checked, where it is keys: with themselves. Who asked for them again would wait for this very
    /// question, and might be told others.
    own: Option<(&'a Name, Fetched)>,
}

impl Source for Keys<'_> {
    // Boxed, with its bounds spelled out: a resolution validates, validation resolves, and the compiler must not go round with it.
    #[allow(
        refining_impl_trait,
        reason = "the type cannot be left to inference, which would depend on itself"
    )]
    fn fetch<'a>(&'a self, name: &Name, rtype: u16) -> Pin<Box<dyn Future<Output = Option<Fetched>> + Send + 'a>> {
        let name = name.clone();
        Box::pin(async move {
            match &self.own {
                Some((own, keys)) if rtype == rtype::DNSKEY && **own == name => Some(keys.clone()),
                _ => fetched(&self.walk.look_for_keys(&name, rtype, self.trip).await.ok()?),
            }
        })
    }
}

/// What was found, as validation takes it.
fn fetched(stage: &Stage) -> Option<Fetched> {
    if let Some(Link { held, .. }) = stage.aliases.first() {
        return Some(Fetched::Alias(Arc::clone(&held.set), held.proofs.to_vec()));
    }
    match &stage.end {
        StageEnd::Finding(Finding::Set(held)) => Some(Fetched::Set(Arc::clone(&held.set))),
        StageEnd::Finding(Finding::Denied(denial)) => Some(Fetched::Denied(denial.proofs.clone())),
        StageEnd::Finding(Finding::TooLong) | StageEnd::Elsewhere(_) => None,
    }
}

/// A reason in the words of a failure.
impl From<Reason> for Trouble {
    fn from(reason: Reason) -> Trouble {
        Trouble::Bogus(Box::new(reason))
    }
}
