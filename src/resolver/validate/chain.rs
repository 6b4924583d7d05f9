//! Builds chains of trust: from the closest anchor down to the zone that a name is in.
//!
//! In: names; DS and DNSKEY sets from a [`Source`], as servers gave them. Out: a zone's keys, or why there are none.
//! Always: zone cuts are what signed DS sets and proofs say they are, never what servers' referrals say. The names of signers
//! are hints for which cuts to ask about: right ones save questions, wrong ones lead nowhere. Bounded by [`Work`]; what was
//! found is remembered for as long as it is signed for.
//! Keeps: RFC 4035 §5, RFC 6840 §4.4 and §5, RFC 7646.

use super::anchors::{Anchors, Cover};
use super::canonical;
use super::dates::When;
use super::denial::{self, NoDs, Proofs};
use super::keys::{self, Keying, Promise, ZoneKeys};
use super::memory::{Memory, Standing};
use super::proofs;
use super::signature;
use super::verdict::{Fault, Reason};
use super::work::Work;
use crate::dns::name::Name;
use crate::dns::rtype;
use crate::limits;
use crate::resolver::engine::rrset::RRset;
use std::sync::{Arc, PoisonError, RwLock};

/// Who can be asked for the records that chains are made of.
pub trait Source {
    /// The DS or DNSKEY set at `name` as its servers have it, not validated; a DS set from the zone above (RFC 4035 §3.1.4.1).
    /// `None` if nobody answers.
    fn fetch(&self, name: &Name, rtype: u16) -> impl Future<Output = Option<Fetched>>;
}

/// What a [`Source`] found.
#[derive(Debug, Clone)]
pub enum Fetched {
    Set(Arc<RRset>),
    /// The CNAME set that is there instead, with the proofs that came along.
    Alias(Arc<RRset>, Vec<RRset>),
    /// Nothing, with the NSEC and NSEC3 sets that came along.
    Denied(Vec<RRset>),
}

impl Fetched {
    /// The zone that says so, if it is above `name`: a hint.
    fn signer(&self, name: &Name) -> Option<Name> {
        let above = |signer: &Name| name.is_within(signer) && name.label_count() > signer.label_count();
        match self {
            Fetched::Set(set) => keys::signers(set).into_iter().find(above),
            Fetched::Alias(set, _) => keys::signers(set).into_iter().find(above),
            Fetched::Denied(sets) => proofs::signers(sets).into_iter().find(above),
        }
    }
}

/// The zone that is responsible for a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    Secure(Arc<ZoneKeys>),
    Insecure(Option<Reason>),
    Indeterminate(Reason),
    Bogus(Reason),
}

/// How chains are built.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ValidatorSettings {
    /// RSA with SHA-1 counts instead of being insecure.
    pub sha1: bool,
}

/// See the page's first lines.
pub struct Validator {
    settings: ValidatorSettings,
    anchors: RwLock<Arc<Anchors>>,
    memory: Memory,
}

/// A moment and a purse, handed down through one validation.
pub(super) struct Journey<'a, S> {
    pub source: &'a S,
    pub when: &'a When,
    pub work: &'a mut Work,
}

impl<S: Source> Journey<'_, S> {
    async fn fetch(&mut self, name: &Name, rtype: u16) -> Result<Fetched, Fault> {
        self.work.fetch()?;
        self.source.fetch(name, rtype).await.ok_or(Fault::Unreachable)
    }
}

impl Validator {
    pub fn new(anchors: Anchors, settings: ValidatorSettings) -> Validator {
        Validator {
            settings,
            anchors: RwLock::new(Arc::new(anchors)),
            memory: Memory::new(limits::ZONES_TRUSTED_BYTES),
        }
    }

    /// The same, with at most so many bytes for what it finds out about zones, and never more than
    /// [`ZONES_TRUSTED_BYTES`](limits::ZONES_TRUSTED_BYTES), which is what it has otherwise.
    pub fn remembering(self, bytes: usize) -> Validator {
        Validator {
            memory: Memory::new(bytes.min(limits::ZONES_TRUSTED_BYTES)),
            ..self
        }
    }

    pub fn anchors(&self) -> Arc<Anchors> {
        Arc::clone(&self.anchors.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// From now on these; what was found with the old ones is forgotten.
    pub fn set_anchors(&self, anchors: Anchors) {
        *self.anchors.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(anchors);
        self.memory.forget(None);
    }

    /// Why what is at `name` is not checked, where a client should be told (RFC 8914 §4.2, §4.3, §4.6, §4.28): found of the zones above
    /// it a moment ago, or told by the proofs that deny it.
    pub fn remark<'a>(&self, name: &Name, proofs: impl IntoIterator<Item = &'a RRset>, when: &When) -> Option<Reason> {
        let anchors = self.anchors();
        let from = match anchors.over(name) {
            Cover::Anchor(zone, _) => zone.label_count(),
            Cover::Negative(_) => return None,
            Cover::Nothing => return Some(Fault::NoAnchor.at(name, rtype::DS)),
        };
        for labels in from..=name.label_count() {
            if let Some(Standing::Insecure(reason)) =
                self.memory.get(&canonical::suffix(name, labels), when.now.mono_ms)
            {
                return reason;
            }
        }
        let count = denial::nsec3::iterations_past_limit(proofs)?;
        Some(Fault::Iterations(count).at(name, rtype::NSEC3))
    }

    /// What `reason` is about is found out anew when it is needed; with `keys`, so are those of the zone that it lies in, which may
    /// have changed since, and that no zone begins between the two, where one may begin by now.
    pub fn doubt(&self, reason: &Reason, keys: bool, when: &When) {
        self.memory.remove(&reason.name);
        if !keys {
            return;
        }
        let labels = reason.name.label_count();
        let above = match reason.rtype {
            rtype::DS => labels.saturating_sub(1),
            _ => labels,
        };
        for zone in (0..=above).rev().map(|labels| canonical::suffix(&reason.name, labels)) {
            match self.memory.get(&zone, when.now.mono_ms) {
                Some(Standing::Secure(_)) => return self.memory.remove(&zone),
                Some(Standing::NoCut | Standing::NoName) => self.memory.remove(&zone),
                Some(Standing::Insecure(_) | Standing::Bogus(_)) | None => {}
            }
        }
    }

    /// Forgets what was found of zones, or of those at `name` and below.
    pub fn forget(&self, below: Option<&Name>) {
        self.memory.forget(below);
    }

    /// The zone that `name` is in, found label by label.
    pub(super) async fn over<S: Source>(&self, name: &Name, journey: &mut Journey<'_, S>) -> Trust {
        self.descend(name, false, journey).await
    }

    /// The zone that begins at `apex`, found by its signers; `None` if none does.
    pub(super) async fn at<S: Source>(&self, apex: &Name, journey: &mut Journey<'_, S>) -> Option<Trust> {
        let known = self.memory.get(apex, journey.when.now.mono_ms);
        if matches!(known, Some(Standing::NoCut | Standing::NoName)) {
            return None;
        }
        match self.descend(apex, true, journey).await {
            Trust::Secure(keys) if keys.zone != *apex => None,
            trust => Some(trust),
        }
    }

    async fn descend<S: Source>(&self, name: &Name, by_signers: bool, journey: &mut Journey<'_, S>) -> Trust {
        let anchors = self.anchors();
        let (anchor, promises) = match anchors.over(name) {
            Cover::Anchor(zone, promises) => (zone, promises),
            Cover::Negative(zone) => return Trust::Insecure(Some(Fault::NegativeAnchor.at(zone, rtype::DS))),
            Cover::Nothing => return Trust::Indeterminate(Fault::NoAnchor.at(name, rtype::DS)),
        };
        let now_ms = journey.when.now.mono_ms;
        // The deepest zone on the way that is known.
        let (from, to) = (anchor.label_count(), name.label_count());
        let mut zone: Option<Arc<ZoneKeys>> = None;
        let mut known = from;
        for labels in (from..=to).rev() {
            match self.memory.get(&canonical::suffix(name, labels), now_ms) {
                Some(Standing::Secure(keys)) => {
                    zone = Some(keys);
                    known = labels;
                    break;
                }
                Some(Standing::Insecure(reason)) => return Trust::Insecure(reason),
                Some(Standing::Bogus(reason)) => return Trust::Bogus(reason),
                Some(Standing::NoCut | Standing::NoName) | None => {}
            }
        }
        let mut zone = match zone {
            Some(keys) => keys,
            None => match self.begin(anchor, promises, journey).await {
                Standing::Secure(keys) => keys,
                Standing::Insecure(reason) => return Trust::Insecure(reason),
                Standing::Bogus(reason) => return Trust::Bogus(reason),
                Standing::NoCut | Standing::NoName => unreachable!("a zone with an anchor begins or fails"),
            },
        };
        let mut plan = match by_signers {
            true => self.plan(name, known, journey).await,
            false => (known + 1..=to)
                .map(|labels| (canonical::suffix(name, labels), None))
                .collect(),
        };
        for (cut, fetched) in plan.drain(..) {
            let standing = match self.memory.get(&cut, now_ms) {
                Some(standing) => standing,
                None => self.step(&zone, &cut, fetched, journey).await,
            };
            match standing {
                Standing::Secure(keys) => zone = keys,
                Standing::Insecure(reason) => return Trust::Insecure(reason),
                Standing::Bogus(reason) => return Trust::Bogus(reason),
                Standing::NoCut => {}
                Standing::NoName => break,
            }
        }
        Trust::Secure(zone)
    }

    /// The names between the zone of `known` labels and `apex` to ask about, from the top: the zones that signed each other's
    /// DS sets. From where no signature tells, every label.
    async fn plan<S: Source>(
        &self,
        apex: &Name,
        known: usize,
        journey: &mut Journey<'_, S>,
    ) -> Vec<(Name, Option<Fetched>)> {
        let mut plan = Vec::new();
        let mut labels = apex.label_count();
        while labels > known {
            let cut = canonical::suffix(apex, labels);
            let signer = match self.memory.get(&cut, journey.when.now.mono_ms) {
                Some(_) => None,
                None => {
                    let fetched = journey.fetch(&cut, rtype::DS).await.ok();
                    let signer = fetched.as_ref().and_then(|fetched| fetched.signer(&cut));
                    plan.push((cut, fetched));
                    signer.filter(|signer| signer.label_count() >= known)
                }
            };
            match signer {
                Some(signer) => labels = signer.label_count(),
                None => {
                    let above = (known + 1..labels).rev();
                    plan.extend(above.map(|labels| (canonical::suffix(apex, labels), None)));
                    break;
                }
            }
        }
        plan.reverse();
        plan
    }

    /// The zone of an anchor.
    async fn begin<S: Source>(&self, anchor: &Name, promises: &[Promise], journey: &mut Journey<'_, S>) -> Standing {
        let ttl_s = limits::ZONE_TRUST_TTL_MAX_S;
        let (standing, ttl_s) = self.keyed(anchor, promises, ttl_s, journey).await;
        self.remember(anchor, standing, ttl_s, journey)
    }

    /// What `zone` says of `cut`, a name below its apex, where another zone may begin.
    async fn step<S: Source>(
        &self,
        zone: &ZoneKeys,
        cut: &Name,
        fetched: Option<Fetched>,
        journey: &mut Journey<'_, S>,
    ) -> Standing {
        let fetched = match fetched {
            Some(fetched) => Ok(fetched),
            None => journey.fetch(cut, rtype::DS).await,
        };
        let (standing, ttl_s) = match fetched {
            Ok(Fetched::Set(set)) => match signature::check(&set, zone, journey.when, journey.work) {
                // A DS set stands at a delegation; nothing can be made up there.
                Ok(signed) if signed.encloser.is_some() => failed(Fault::WrongLabels, cut, rtype::DS),
                Ok(signed) => self.keyed(cut, &keys::of_ds(&set), signed.ttl_s, journey).await,
                Err(fault) => failed(fault, cut, rtype::DS),
            },
            Ok(Fetched::Denied(sets)) => self.unpromised(zone, cut, &sets, journey),
            Ok(Fetched::Alias(set, sets)) => {
                let alias = signature::check(&set, zone, journey.when, journey.work);
                match alias {
                    Ok(signed) => match signed.encloser {
                        None => (Standing::NoCut, signed.ttl_s),
                        Some(encloser) => {
                            let checked = proofs::check(&sets, zone, journey.when, journey.work);
                            let proofs = Proofs::gather(&zone.zone, checked.sets.iter().copied());
                            match proofs.wildcard(cut, &encloser, journey.work) {
                                Ok(_) => (Standing::NoCut, signed.ttl_s.min(checked.ttl_s)),
                                Err(fault) => failed(checked.fault.unwrap_or(fault), cut, rtype::CNAME),
                            }
                        }
                    },
                    Err(fault) => failed(fault, cut, rtype::CNAME),
                }
            }
            Err(fault) => failed(fault, cut, rtype::DS),
        };
        self.remember(cut, standing, ttl_s, journey)
    }

    /// A zone whose keys are promised. `ttl_s` is the promise's.
    async fn keyed<S: Source>(
        &self,
        apex: &Name,
        promises: &[Promise],
        ttl_s: u32,
        journey: &mut Journey<'_, S>,
    ) -> (Standing, u32) {
        if let Err(fault) = keys::followable(promises, self.settings.sha1) {
            return (Standing::Insecure(Some(fault.at(apex, rtype::DS))), ttl_s);
        }
        let set = match journey.fetch(apex, rtype::DNSKEY).await {
            Ok(Fetched::Set(set)) => set,
            Ok(_) => return failed(Fault::NoKeys, apex, rtype::DNSKEY),
            Err(fault) => return failed(fault, apex, rtype::DNSKEY),
        };
        match keys::establish(&set, promises, self.settings.sha1, journey.when, journey.work) {
            Ok(Keying::Secure(keys)) => {
                let ttl_s = ttl_s.min(keys.ttl_s);
                (Standing::Secure(Arc::new(keys)), ttl_s)
            }
            Ok(Keying::Insecure(fault)) => (Standing::Insecure(Some(fault.at(apex, rtype::DNSKEY))), ttl_s),
            Err(fault) => failed(fault, apex, rtype::DNSKEY),
        }
    }

    /// A name without a DS set, with the proofs of that.
    fn unpromised<S: Source>(
        &self,
        zone: &ZoneKeys,
        cut: &Name,
        sets: &[RRset],
        journey: &mut Journey<'_, S>,
    ) -> (Standing, u32) {
        let checked = proofs::check(sets, zone, journey.when, journey.work);
        let proofs = Proofs::gather(&zone.zone, checked.sets.iter().copied());
        let standing = match proofs.no_ds(cut, journey.work) {
            Ok(NoDs::Delegation | NoDs::OptOut) => Standing::Insecure(None),
            Ok(NoDs::Iterations(count)) => Standing::Insecure(Some(Fault::Iterations(count).at(cut, rtype::DS))),
            Ok(NoDs::NoCut) => Standing::NoCut,
            Ok(NoDs::NoName) => Standing::NoName,
            Err(fault) => return failed(checked.fault.unwrap_or(fault), cut, rtype::DS),
        };
        (standing, checked.ttl_s)
    }

    fn remember<S>(&self, name: &Name, standing: Standing, ttl_s: u32, journey: &Journey<'_, S>) -> Standing {
        let ttl_s = ttl_s.min(limits::ZONE_TRUST_TTL_MAX_S);
        // What one client's purse could not pay for says nothing about the zone.
        let about_zone = !matches!(&standing, Standing::Bogus(reason) if matches!(reason.fault, Fault::TooMuchWork(_)));
        if about_zone {
            self.memory.put(name, standing.clone(), ttl_s, journey.when.now.mono_ms);
        }
        standing
    }
}

fn failed(fault: Fault, name: &Name, rtype: u16) -> (Standing, u32) {
    let reason = fault.at(name, rtype);
    let ttl_s = if reason.is_passing() {
        limits::BOGUS_PASSING_TTL_S
    } else {
        limits::BOGUS_TTL_S
    };
    (Standing::Bogus(reason), ttl_s)
}
