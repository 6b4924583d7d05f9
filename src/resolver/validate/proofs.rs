//! Which of the NSEC and NSEC3 sets of a response may be used as proofs.
//!
//! In: sets with their signatures, a zone's keys. Out: the sets that the zone signed as they stand.
//! Always: a set that a wildcard made proves nothing, for its owner is not where it stands (CVE-2017-15105).
//! Keeps: RFC 4035 §5.4, RFC 5155 §8.1.

use super::dates::When;
use super::keys::{self, ZoneKeys};
use super::signature;
use super::verdict::Fault;
use super::work::Work;
use crate::dns::name::Name;
use crate::dns::rtype;
use crate::limits;
use crate::resolver::engine::rrset::RRset;

/// Sets that were found to be the zone's.
pub struct Checked<'a> {
    pub sets: Vec<&'a RRset>,
    /// Where each stands among those that were given.
    pub places: Vec<usize>,
    /// How long they may be believed, in seconds.
    pub ttl_s: u32,
    /// What was wrong with one that was left out.
    pub fault: Option<Fault>,
}

/// Checks the NSEC and NSEC3 sets among `sets`, at most [`PROOF_SETS`](limits::PROOF_SETS).
pub fn check<'a>(
    sets: impl IntoIterator<Item = &'a RRset>,
    zone: &ZoneKeys,
    when: &When,
    work: &mut Work,
) -> Checked<'a> {
    let mut checked = Checked {
        sets: Vec::new(),
        places: Vec::new(),
        ttl_s: u32::MAX,
        fault: None,
    };
    let proofs = sets.into_iter().enumerate().filter(|(_, set)| is_proof(set));
    for (place, set) in proofs.take(limits::PROOF_SETS) {
        match signature::check(set, zone, when, work) {
            Ok(signed) if signed.encloser.is_none() => {
                checked.ttl_s = checked.ttl_s.min(signed.ttl_s);
                checked.sets.push(set);
                checked.places.push(place);
            }
            Ok(_) => checked.fault = Some(Fault::WrongLabels),
            // A zone above or below may have said something as well.
            Err(Fault::WrongSigner) => {}
            Err(fault) => checked.fault = Some(fault),
        }
    }
    checked
}

/// The zones that signed the proofs among `sets`, deepest first, each once.
pub fn signers(sets: &[RRset]) -> Vec<Name> {
    let mut all: Vec<Name> = Vec::new();
    for set in sets.iter().filter(|set| is_proof(set)).take(limits::PROOF_SETS) {
        for signer in keys::signers(set) {
            if !all.contains(&signer) {
                all.push(signer);
            }
        }
    }
    all.sort_by_key(|name| std::cmp::Reverse(name.label_count()));
    all
}

fn is_proof(set: &RRset) -> bool {
    matches!(set.rtype, rtype::NSEC | rtype::NSEC3) && !set.is_empty()
}
