//! Judges the records of a response: each set, its denial, the whole.
//!
//! In: sets with signatures, the proofs that came with them, a [`Source`] of keys. Out: verdicts, with what they allow to be kept
//! and for how long.
//! Always: what is signed by a zone with a chain of trust is secure; what is not must be proven to be insecure, or is bogus.
//! Keeps: RFC 4035 §5.3 and §5.4, RFC 5155 §8 and §9.2, RFC 6672 §5.3.1 (CNAMEs made from a DNAME), RFC 6840 §4 and §5, RFC 9824 §5.

use super::chain::{Journey, Source, Trust, Validator};
use super::dates::When;
use super::denial::{Proofs, Proven};
use super::keys::{self, ZoneKeys};
use super::proofs;
use super::signature;
use super::verdict::{Fault, Verdict};
use super::work::Work;
use crate::dns::name::Name;
use crate::dns::rtype;
use crate::limits;
use crate::resolver::engine::rrset::{RRset, substitute};

/// What was found of one set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    pub verdict: Verdict,
    /// How long it may be kept, in seconds: of a secure set what its signature grants, of others its own TTL.
    pub ttl_s: u32,
    /// The set was made from the wildcard below this name.
    pub encloser: Option<Name>,
    /// The zone that signed it, where its signature is good.
    pub zone: Option<Name>,
    /// Which of the proofs that came along are signed by that zone, where a wildcard made the set.
    pub proofs: Vec<usize>,
}

/// What was found of a denial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JudgedDenial {
    pub verdict: Verdict,
    /// The whole name does not exist. Of a secure denial this is what was proven, whatever the response code said.
    pub nxdomain: bool,
    /// It is denied in the compact way (RFC 9824): the response code of such a NODATA may be made NXDOMAIN for clients that
    /// do not ask for DNSSEC records.
    pub nxname: bool,
    /// How long it may be kept, in seconds (RFC 2308 §5, RFC 9077 §3).
    pub ttl_s: u32,
    /// The zone that denies, where its signatures are good.
    pub zone: Option<Name>,
    /// Which of the proofs are signed by that zone; they may answer other questions (RFC 8198, `aggressive`).
    pub proofs: Vec<usize>,
}

/// A response's denial: that `qtype` is not at `name`, or that the name does not exist.
#[derive(Debug, Clone, Copy)]
pub struct Denial<'a> {
    pub name: &'a Name,
    pub qtype: u16,
    /// The response code says so.
    pub nxdomain: bool,
    pub soa: Option<&'a RRset>,
    /// All sets of the authority section, or just NSEC and NSEC3 sets.
    pub proofs: &'a [RRset],
}

impl Validator {
    /// Judges one set with its signatures. `proofs` are the NSEC and NSEC3 sets that came along, for sets that wildcards made.
    pub async fn set<S: Source>(
        &self,
        set: &RRset,
        proofs: &[RRset],
        source: &S,
        when: &When,
        work: &mut Work,
    ) -> Judged {
        // Signatures are not signed (RFC 4035 §2.2); who asks for them gets them as they are.
        if set.rtype == rtype::RRSIG {
            return unsecured(Verdict::Insecure(None), set);
        }
        let mut journey = Journey { source, when, work };
        let home = home(&set.name, set.rtype);
        let mut worst = Fault::NoSignature;
        let mut broken = None;
        for signer in self.plausible(keys::signers(set), &home) {
            match self.at(&signer, &mut journey).await {
                Some(Trust::Secure(keys)) => match secure(set, proofs, &keys, &mut journey) {
                    Ok(judged) => return judged,
                    Err(fault) if fault.nearness() >= worst.nearness() => worst = fault,
                    Err(_) => {}
                },
                Some(Trust::Insecure(reason)) => return unsecured(Verdict::Insecure(reason), set),
                Some(Trust::Indeterminate(reason)) => return unsecured(Verdict::Indeterminate(reason), set),
                // Another may be right.
                Some(Trust::Bogus(reason)) => broken = broken.or(Some(reason)),
                None => worst = Fault::WrongSigner,
            }
        }
        // Without a good signature it must be proven that there need be none.
        let own = !matches!(worst, Fault::NoSignature | Fault::WrongSigner);
        let verdict = match self.over(&home, &mut journey).await {
            Trust::Secure(_) => Verdict::Bogus(broken.unwrap_or_else(|| worst.at(&set.name, set.rtype))),
            // What is wrong with the set itself tells more.
            Trust::Bogus(_) if own => Verdict::Bogus(worst.at(&set.name, set.rtype)),
            other => verdict(other),
        };
        unsecured(verdict, set)
    }

    /// Judges a denial.
    pub async fn denial<S: Source>(
        &self,
        denial: Denial<'_>,
        source: &S,
        when: &When,
        work: &mut Work,
    ) -> JudgedDenial {
        let mut journey = Journey { source, when, work };
        let home = home(denial.name, denial.qtype);
        let mut worst = None;
        let mut broken = None;
        let signers = proofs::signers(denial.proofs);
        let signers = signers.into_iter().filter(|zone| home.is_within(zone));
        for signer in self.plausible(signers, &home) {
            match self.at(&signer, &mut journey).await {
                Some(Trust::Secure(keys)) => match proven(denial, &keys, &mut journey) {
                    Ok(judged) => return judged,
                    Err(fault) => worst = worst.or(Some(fault)),
                },
                None => worst = worst.or(Some(Fault::WrongSigner)),
                Some(Trust::Bogus(reason)) => broken = broken.or(Some(reason)),
                Some(other) => return undenied(verdict(other), denial),
            }
        }
        let verdict = match self.over(&home, &mut journey).await {
            Trust::Secure(_) => Verdict::Bogus(broken.unwrap_or_else(|| {
                let fault = worst.unwrap_or_else(|| unproven(denial));
                fault.at(denial.name, denial.qtype)
            })),
            Trust::Bogus(reason) => Verdict::Bogus(match worst {
                Some(fault) if fault != Fault::WrongSigner => fault.at(denial.name, denial.qtype),
                _ => reason,
            }),
            other => verdict(other),
        };
        undenied(verdict, denial)
    }

    /// The signers that could be the zone `home` is in, as far as they are looked at: at or below the closest anchor.
    fn plausible(&self, signers: impl IntoIterator<Item = Name>, home: &Name) -> Vec<Name> {
        use super::anchors::Cover;
        let anchors = self.anchors();
        let top = match anchors.over(home) {
            Cover::Anchor(zone, _) | Cover::Negative(zone) => zone,
            Cover::Nothing => return Vec::new(),
        };
        let signers = signers.into_iter().filter(|signer| signer.is_within(top));
        signers.take(limits::SIGNERS_A_SET).collect()
    }
}

/// The name whose zone a set of `rtype` at `name` is in: a DS set is in the zone above (RFC 4035 §3.1.4.1).
fn home(name: &Name, rtype: u16) -> Name {
    match rtype {
        rtype::DS => name.parent().unwrap_or_else(Name::root),
        _ => name.clone(),
    }
}

fn verdict(trust: Trust) -> Verdict {
    match trust {
        Trust::Secure(_) => Verdict::Secure,
        Trust::Insecure(reason) => Verdict::Insecure(reason),
        Trust::Indeterminate(reason) => Verdict::Indeterminate(reason),
        Trust::Bogus(reason) => Verdict::Bogus(reason),
    }
}

fn unsecured(verdict: Verdict, set: &RRset) -> Judged {
    Judged {
        verdict,
        ttl_s: set.ttl_s,
        encloser: None,
        zone: None,
        proofs: Vec::new(),
    }
}

fn undenied(verdict: Verdict, denial: Denial<'_>) -> JudgedDenial {
    JudgedDenial {
        verdict,
        nxdomain: denial.nxdomain,
        nxname: false,
        ttl_s: denial.soa.map_or(0, RRset::negative_ttl_s),
        zone: None,
        proofs: Vec::new(),
    }
}

/// A set signed by a zone with a chain of trust.
fn secure<S>(set: &RRset, proofs: &[RRset], keys: &ZoneKeys, journey: &mut Journey<'_, S>) -> Result<Judged, Fault> {
    let signed = signature::check(set, keys, journey.when, journey.work)?;
    let mut judged = Judged {
        verdict: Verdict::Secure,
        ttl_s: signed.ttl_s,
        encloser: signed.encloser,
        zone: Some(keys.zone.clone()),
        proofs: Vec::new(),
    };
    if let Some(encloser) = &judged.encloser {
        // These cannot come from a wildcard: they are made for one name (RFC 4592 §4.6, CVE-2017-15105).
        if matches!(set.rtype, rtype::DS | rtype::DNSKEY | rtype::NSEC | rtype::NSEC3) {
            return Err(Fault::WrongLabels);
        }
        let checked = proofs::check(proofs, keys, journey.when, journey.work);
        let proofs = Proofs::gather(&keys.zone, checked.sets.iter().copied());
        match proofs.wildcard(&set.name, encloser, journey.work) {
            Ok(Proven::Secure) => {}
            Ok(Proven::OptOut) => judged.verdict = Verdict::Insecure(None),
            Ok(Proven::Iterations(count)) => {
                judged.verdict = Verdict::Insecure(Some(Fault::Iterations(count).at(&set.name, set.rtype)));
            }
            Err(fault) => return Err(checked.fault.unwrap_or(fault)),
        }
        judged.ttl_s = judged.ttl_s.min(checked.ttl_s);
        judged.proofs = checked.places;
    }
    Ok(judged)
}

/// A denial by a zone with a chain of trust.
fn proven<S>(denial: Denial<'_>, keys: &ZoneKeys, journey: &mut Journey<'_, S>) -> Result<JudgedDenial, Fault> {
    let Denial { name, qtype, .. } = denial;
    let mut ttl_s = u32::MAX;
    if let Some(soa) = denial.soa {
        let signed = signature::check(soa, keys, journey.when, journey.work)?;
        ttl_s = signed.ttl_s.min(soa.negative_ttl_s());
    }
    let checked = proofs::check(denial.proofs, keys, journey.when, journey.work);
    let proofs = Proofs::gather(&keys.zone, checked.sets.iter().copied());
    // What is proven counts, not the response code, which nobody signed.
    let found = match denial.nxdomain {
        true => match proofs.name_error(name, journey.work) {
            Ok(found) => Ok((found, true)),
            Err(fault) => proofs
                .no_data(name, qtype, journey.work)
                .map(|found| (found, false))
                .map_err(|_| fault),
        },
        false => match proofs.no_data(name, qtype, journey.work) {
            Ok(found) => Ok((found, false)),
            Err(fault) => proofs
                .name_error(name, journey.work)
                .map(|found| (found, true))
                .map_err(|_| fault),
        },
    };
    let (found, nxdomain) = found.map_err(|fault| checked.fault.unwrap_or(fault))?;
    let verdict = match found {
        Proven::Secure => Verdict::Secure,
        Proven::OptOut => Verdict::Insecure(None),
        Proven::Iterations(count) => Verdict::Insecure(Some(Fault::Iterations(count).at(name, qtype))),
    };
    Ok(JudgedDenial {
        zone: Some(keys.zone.clone()),
        nxname: proofs.is_nxname(name),
        ttl_s: ttl_s.min(checked.ttl_s),
        proofs: checked.places,
        verdict,
        nxdomain,
    })
}

/// What is wrong with a denial that no zone with a chain of trust signed.
fn unproven(denial: Denial<'_>) -> Fault {
    let mut proofs = denial
        .proofs
        .iter()
        .filter(|set| matches!(set.rtype, rtype::NSEC | rtype::NSEC3));
    match proofs.next() {
        Some(_) => Fault::NoSignature,
        None => Fault::NoProof,
    }
}

// ---- A whole response ----

/// A response of a server that is trusted with nothing: a forwarder's upstream, or an authority.
#[derive(Debug, Clone, Copy)]
pub struct Whole<'a> {
    pub qname: &'a Name,
    pub qtype: u16,
    pub nxdomain: bool,
    pub answers: &'a [RRset],
    pub authorities: &'a [RRset],
}

/// What was found of a whole response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JudgedWhole {
    /// Of all that answers the question together: AD if secure (RFC 4035 §3.2.3), SERVFAIL if bogus.
    pub verdict: Verdict,
    /// Of each answer set, in order; `None` for those that do not belong to the answer.
    pub answers: Vec<Option<Judged>>,
    /// Where the aliases end in a denial.
    pub denial: Option<JudgedDenial>,
}

impl Validator {
    /// Follows the aliases of a response from its question, and judges the sets on the way and what is at the end.
    pub async fn response<S: Source>(&self, whole: Whole<'_>, source: &S, when: &When, work: &mut Work) -> JudgedWhole {
        let mut answers: Vec<Option<Judged>> = vec![None; whole.answers.len()];
        let mut verdict = Verdict::Secure;
        let mut name = whole.qname.clone();
        let mut ended = false;
        // The name is where a DNAME leads, and the CNAME made from it came along.
        let mut made = false;
        for _ in 0..=limits::ALIAS_HOPS {
            let at = |rtype: u16| {
                let here = |set: &RRset| set.rtype == rtype && set.name == name && !set.is_empty();
                whole.answers.iter().position(here)
            };
            let any = || {
                whole
                    .answers
                    .iter()
                    .enumerate()
                    .filter(|(_, set)| set.name == name && !set.is_empty())
            };
            // It goes first, also where the CNAME made from it is asked for: that has no signature.
            let dname = whole.answers.iter().position(|set| {
                set.rtype == rtype::DNAME && set.name != name && name.is_within(&set.name) && !set.is_empty()
            });
            // A question for all types is answered by all that is there, each set of which must hold.
            if whole.qtype == rtype::ANY && dname.is_none() && any().next().is_some() {
                for (at, set) in any() {
                    let judged = self.set(set, whole.authorities, source, when, work).await;
                    verdict = verdict.and(judged.verdict.clone());
                    answers[at] = Some(judged);
                }
                ended = true;
                break;
            }
            let (found, alias) = match dname.or_else(|| at(whole.qtype)) {
                Some(found) => (Some(found), dname.is_some()),
                None => (at(rtype::CNAME), true),
            };
            let Some(found) = found.filter(|found| answers[*found].is_none()) else {
                break;
            };
            let set = &whole.answers[found];
            let judged = self.set(set, whole.authorities, source, when, work).await;
            verdict = verdict.and(judged.verdict.clone());
            let made_by = judged.clone();
            answers[found] = Some(judged);
            // Nothing that follows can mend it.
            if !alias || verdict.is_bogus() {
                ended = true;
                break;
            }
            let target = set.target().and_then(|target| match set.rtype {
                rtype::DNAME => substitute(&name, &set.name, &target),
                _ => Some(target),
            });
            made = false;
            if set.rtype == rtype::DNAME
                && let Some(cname) = at(rtype::CNAME)
            {
                made = true;
                // RFC 6672 §5.3.1: the CNAME is what the DNAME makes of the name, or it is none of the zone's.
                let same = whole.answers[cname].len() == 1 && whole.answers[cname].target() == target;
                answers[cname] = Some(match same {
                    true => made_by,
                    false => unsecured(Verdict::Bogus(Fault::NoSignature.at(&name, rtype::CNAME)), set),
                });
                if !same {
                    verdict = verdict.and(Verdict::Bogus(Fault::NoSignature.at(&name, rtype::CNAME)));
                }
            }
            match target {
                Some(target) => name = target,
                // YXDOMAIN: the DNAME alone says so.
                None => {
                    ended = true;
                    break;
                }
            }
        }
        let mut denial = None;
        let soa = |set: &&RRset| set.rtype == rtype::SOA && !set.is_empty() && name.is_within(&set.name);
        let soa = whole.authorities.iter().find(soa);
        // That CNAME is an answer to who asks for one, though more may follow.
        let asked_for = made && matches!(whole.qtype, rtype::CNAME | rtype::ANY);
        let answered = asked_for && soa.is_none() && !whole.nxdomain;
        if !ended && !answered {
            let asked = Denial {
                name: &name,
                qtype: whole.qtype,
                nxdomain: whole.nxdomain,
                soa,
                proofs: whole.authorities,
            };
            let judged = self.denial(asked, source, when, work).await;
            verdict = verdict.and(judged.verdict.clone());
            denial = Some(judged);
        }
        JudgedWhole {
            verdict,
            answers,
            denial,
        }
    }
}
