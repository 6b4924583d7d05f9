//! Checks the signatures of one RRset against the keys of one zone.
//!
//! In: a set with its RRSIGs, a zone's keys, the moment. Out: what the signature grants, or what is wrong with the best one.
//! Always: one valid signature is enough (RFC 6840 §5.11, §5.4); bounded by [`SIGNATURE_CHECKS_A_SET`](limits::SIGNATURE_CHECKS_A_SET),
//! [`KEYS_A_TAG`](limits::KEYS_A_TAG) and what is left of the query's [`Work`].
//! Keeps: RFC 4034 §3, RFC 4035 §5.3, RFC 6840 §5.4, §5.11, CVE-2023-50387.

use super::algorithm::Support;
use super::canonical::{self, Canonical, Labels};
use super::dates::When;
use super::keys::{Key, ZoneKeys};
use super::rdata::Rrsig;
use super::verdict::Fault;
use super::work::Work;
use crate::dns::name::Name;
use crate::limits;
use crate::resolver::engine::rrset::RRset;

/// What a valid signature grants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// The set's TTL, no longer than the original one and than the signature lasts (RFC 4035 §5.3.3).
    pub ttl_s: u32,
    /// The set was made from the wildcard below this name; that nothing is closer is still to be proven (RFC 4035 §5.3.4).
    pub encloser: Option<Name>,
}

/// Checks the signatures of `set` that `keys`' zone made.
pub fn check(set: &RRset, keys: &ZoneKeys, when: &When, work: &mut Work) -> Result<Signed, Fault> {
    check_with(set, &keys.zone, when, work, |tag, algorithm| keys.named(tag, algorithm))
}

/// The same, with the keys that `candidates` gives for a tag and an algorithm.
pub(super) fn check_with<'k, I: Iterator<Item = &'k Key>>(
    set: &RRset,
    zone: &Name,
    when: &When,
    work: &mut Work,
    candidates: impl Fn(u16, u8) -> I,
) -> Result<Signed, Fault> {
    let owner = set.name.as_wire();
    if !canonical::is_within(owner, zone.as_wire()) {
        return Err(Fault::WrongSigner);
    }
    let labels = Labels::of(owner);
    let owner_labels = canonical::owner_labels(owner, &labels);
    let mut canonical = None;
    let mut data = Vec::new();
    let mut worst = Fault::NoSignature;
    let mut checks = limits::SIGNATURE_CHECKS_A_SET;
    // Those that can be judged at all cost nothing to look at; there are as many as fit a message.
    for bytes in set.signatures() {
        let mut note = |fault: Fault| {
            if worst == Fault::NoSignature || fault.nearness() > worst.nearness() {
                worst = fault;
            }
        };
        let Some(rrsig) = Rrsig::read(bytes).filter(|rrsig| rrsig.covered == set.rtype) else {
            note(Fault::Malformed);
            continue;
        };
        if !rrsig.signer.eq_ignore_ascii_case(zone.as_wire()) {
            note(Fault::WrongSigner);
            continue;
        }
        let signed_labels = usize::from(rrsig.labels);
        if signed_labels > owner_labels || signed_labels < Labels::of(zone.as_wire()).count() {
            note(Fault::WrongLabels);
            continue;
        }
        if super::algorithm::support(rrsig.algorithm) == Support::No {
            note(Fault::UnsupportedSignature);
            continue;
        }
        let lasts_s = match when.seconds_left(&rrsig) {
            Ok(seconds) => seconds,
            Err(fault) => {
                note(fault);
                continue;
            }
        };
        let mut found = false;
        for key in candidates(rrsig.tag, rrsig.algorithm).take(limits::KEYS_A_TAG) {
            found = true;
            let material = match key.usable() {
                Ok(material) => material,
                Err(fault) => {
                    note(fault);
                    continue;
                }
            };
            if checks == 0 {
                return Err(Fault::TooMuchWork("signatures of one set"));
            }
            checks -= 1;
            work.signature()?;
            let canonical = canonical.get_or_insert_with(|| Canonical::of(set));
            if canonical.signed_data(&rrsig, &mut data).is_none() {
                note(Fault::WrongLabels);
                break;
            }
            if material.verify(&data, rrsig.signature) {
                return Ok(Signed {
                    ttl_s: set.ttl_s.min(rrsig.original_ttl_s).min(lasts_s),
                    encloser: (signed_labels < owner_labels).then(|| canonical::suffix(&set.name, signed_labels)),
                });
            }
            work.failed();
            note(Fault::BadSignature);
        }
        if !found {
            note(Fault::NoKey);
        }
    }
    Err(worst)
}
