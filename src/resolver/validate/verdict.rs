//! What validation says of records, and why, for programs and for people.
//!
//! In: what a check found. Out: a [`Verdict`]; with a [`Reason`] comes an EDE code and a sentence.
//! Always: a verdict that is not secure by proof names the records and what is wrong with them; no reason is repeated from the
//! network.
//! Keeps: RFC 4033 §5 (the four states), RFC 8914 §4 (codes).

use crate::dns::ede::code;
use crate::dns::name::Name;
use std::fmt;

/// RFC 4033 §5.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// A chain of signatures leads from a trust anchor to the records.
    Secure,
    /// Proven to be under no chain, or under one that this program does not follow; the reason is there where that is worth
    /// telling a client.
    Insecure(Option<Reason>),
    /// No trust anchor covers the name.
    Indeterminate(Reason),
    /// A chain should be there, and does not hold: SERVFAIL (RFC 4035 §5.5).
    Bogus(Reason),
}

impl Verdict {
    pub fn is_secure(&self) -> bool {
        matches!(self, Verdict::Secure)
    }

    pub fn is_bogus(&self) -> bool {
        matches!(self, Verdict::Bogus(_))
    }

    pub fn reason(&self) -> Option<&Reason> {
        match self {
            Verdict::Secure => None,
            Verdict::Insecure(reason) => reason.as_ref(),
            Verdict::Indeterminate(reason) | Verdict::Bogus(reason) => Some(reason),
        }
    }

    /// The worse of two, the first of equals: bogus, indeterminate, insecure, secure.
    pub fn and(self, other: Verdict) -> Verdict {
        let rank = |verdict: &Verdict| match verdict {
            Verdict::Bogus(_) => 0,
            Verdict::Indeterminate(_) => 1,
            Verdict::Insecure(Some(_)) => 2,
            Verdict::Insecure(None) => 3,
            Verdict::Secure => 4,
        };
        if rank(&other) < rank(&self) { other } else { self }
    }
}

/// Which records, and what of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    pub name: Name,
    pub rtype: u16,
    pub fault: Fault,
}

/// What is wrong with records, or why they are not looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The signature ended then, in seconds since 1970.
    Expired {
        at_unix_s: u64,
    },
    /// The signature begins then.
    NotYetValid {
        from_unix_s: u64,
    },
    /// It ends before it begins.
    DatesReversed,
    /// No RRSIG came with records that must have one.
    NoSignature,
    /// The zone has no DNSKEY that the signatures name.
    NoKey,
    /// The DNSKEY that the signatures name is not for signing zones (RFC 4034 §2.1.1), or revoked (RFC 5011 §2.1).
    NotAZoneKey,
    RevokedKey,
    /// The key and the signature do not match.
    BadSignature,
    /// The signer is not the zone that the records are in (RFC 4035 §5.3.1).
    WrongSigner,
    /// The RRSIG's label count is more than the name has, or less where no wildcard may be.
    WrongLabels,
    /// The RDATA of a signature, key or proof has not the form of its type.
    Malformed,
    /// Signatures only of algorithms that are not supported, where the zone's DS has one that is.
    UnsupportedSignature,
    /// No DNSKEY matches what the parent, or the trust anchor, says.
    DsMismatch,
    /// No server gave the records that the next step needs.
    Unreachable,
    /// The DNSKEY set that a DS or trust anchor promises does not exist.
    NoKeys,
    /// NSEC or NSEC3 records are missing.
    NoProof,
    /// They are there and do not prove what they should.
    BadProof,
    /// NSEC3 with so many iterations (RFC 9276 §3.2).
    Iterations(u16),
    /// DS and DNSKEY records only of algorithms that are not supported.
    UnsupportedAlgorithm,
    /// RSA with SHA-1 only (RFC 9905).
    Sha1Only,
    /// DS records only with digests that are not supported.
    UnsupportedDigest,
    /// No trust anchor covers the name.
    NoAnchor,
    /// The operator said so (RFC 7646).
    NegativeAnchor,
    /// Checking would take more than is allowed (CVE-2023-50387, CVE-2023-50868).
    TooMuchWork(&'static str),
}

impl Fault {
    pub fn at(self, name: &Name, rtype: u16) -> Reason {
        Reason {
            name: name.clone(),
            rtype,
            fault: self,
        }
    }

    /// How near to success a signature with this fault came: of several, the nearest tells most.
    pub(super) fn nearness(self) -> u8 {
        match self {
            Fault::TooMuchWork(_) => 9,
            Fault::Expired { .. } => 8,
            Fault::NotYetValid { .. } => 7,
            Fault::BadSignature => 6,
            Fault::NotAZoneKey | Fault::RevokedKey => 5,
            Fault::NoKey => 4,
            Fault::UnsupportedSignature => 3,
            Fault::DatesReversed | Fault::WrongLabels => 2,
            Fault::WrongSigner => 1,
            _ => 0,
        }
    }
}

impl Reason {
    /// INFO-CODE (RFC 8914 §4).
    pub fn code(&self) -> u16 {
        match self.fault {
            Fault::Expired { .. } => code::SIGNATURE_EXPIRED,
            Fault::NotYetValid { .. } => code::SIGNATURE_NOT_YET_VALID,
            Fault::DatesReversed => code::SIGNATURE_EXPIRED_BEFORE_VALID,
            Fault::NoSignature => code::RRSIGS_MISSING,
            Fault::NoKey | Fault::DsMismatch | Fault::NoKeys => code::DNSKEY_MISSING,
            Fault::Unreachable if self.rtype == crate::dns::rtype::DNSKEY => code::DNSKEY_MISSING,
            Fault::Unreachable => code::NO_REACHABLE_AUTHORITY,
            Fault::NotAZoneKey => code::NO_ZONE_KEY_BIT_SET,
            Fault::NoProof => code::NSEC_MISSING,
            Fault::Iterations(_) => code::UNSUPPORTED_NSEC3_ITERATIONS,
            Fault::UnsupportedAlgorithm | Fault::Sha1Only => code::UNSUPPORTED_DNSKEY_ALGORITHM,
            Fault::UnsupportedDigest => code::UNSUPPORTED_DS_DIGEST,
            Fault::NoAnchor => code::DNSSEC_INDETERMINATE,
            Fault::NegativeAnchor => code::OTHER,
            Fault::RevokedKey
            | Fault::BadSignature
            | Fault::WrongSigner
            | Fault::WrongLabels
            | Fault::Malformed
            | Fault::UnsupportedSignature
            | Fault::BadProof
            | Fault::TooMuchWork(_) => code::DNSSEC_BOGUS,
        }
    }

    /// Whether it may look different in a moment, so that it should not be remembered for long.
    pub fn is_passing(&self) -> bool {
        matches!(self.fault, Fault::Unreachable | Fault::TooMuchWork(_))
    }
}

/// One sentence for a person, such as `example. DNSKEY: the signature expired on 2026-01-01T00:00:00Z`.
impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: ", self.name, hickory_proto::rr::RecordType::from(self.rtype))?;
        match self.fault {
            Fault::Expired { at_unix_s } => write!(f, "the signature expired on {}", Date(at_unix_s)),
            Fault::NotYetValid { from_unix_s } => {
                write!(
                    f,
                    "the signature is valid from {} only; is the clock right?",
                    Date(from_unix_s)
                )
            }
            Fault::DatesReversed => f.write_str("the signature ends before it begins"),
            Fault::NoSignature => f.write_str("no signature came along, and the zone is signed"),
            Fault::NoKey => f.write_str("the zone has no key that the signatures name"),
            Fault::NotAZoneKey => f.write_str("signed with a key that is not a zone key"),
            Fault::RevokedKey => f.write_str("signed with a key that was revoked"),
            Fault::BadSignature => {
                f.write_str("the signature does not match; the records may have been changed on the way")
            }
            Fault::WrongSigner => f.write_str("signed by another zone than it is in"),
            Fault::WrongLabels => f.write_str("the signature's label count does not fit the name"),
            Fault::Malformed => f.write_str("malformed"),
            Fault::UnsupportedSignature => {
                f.write_str("the signatures of the algorithms the zone promises are missing")
            }
            Fault::DsMismatch => f.write_str("no key matches what the zone above says"),
            Fault::Unreachable => f.write_str("no server gave these records, which checking needs"),
            Fault::NoKeys => f.write_str("the zone above promises keys, and there are none"),
            Fault::NoProof => f.write_str("the proof that it does not exist is missing"),
            Fault::BadProof => f.write_str("the proof that it does not exist proves something else"),
            Fault::Iterations(count) => write!(f, "NSEC3 with {count} iterations is not checked"),
            Fault::UnsupportedAlgorithm => f.write_str("signed with unsupported algorithms only"),
            Fault::Sha1Only => f.write_str("signed with SHA-1 only, which does not count any more"),
            Fault::UnsupportedDigest => f.write_str("unsupported digests only"),
            Fault::NoAnchor => f.write_str("no trust anchor covers it"),
            Fault::NegativeAnchor => f.write_str("not checked, by setting"),
            Fault::TooMuchWork(what) => write!(f, "checking takes too much work ({what})"),
        }
    }
}

struct Date(u64);

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_second(self.0 as i64) {
            Ok(time) => write!(f, "{time}"),
            Err(_) => write!(f, "second {}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_a_sentence_with_its_code() {
        let reason = Fault::Expired {
            at_unix_s: 1_767_225_600,
        }
        .at(&Name::parse("www.example").unwrap(), 1);
        assert_eq!(
            reason.to_string(),
            "www.example. A: the signature expired on 2026-01-01T00:00:00Z"
        );
        assert_eq!(reason.code(), 7);
    }

    #[test]
    fn the_worse_verdict_speaks_for_both() {
        let reason = |fault: Fault| fault.at(&Name::root(), 48);
        let bogus = Verdict::Bogus(reason(Fault::NoSignature));
        let insecure = Verdict::Insecure(None);
        assert_eq!(insecure.clone().and(Verdict::Secure), insecure);
        assert_eq!(Verdict::Secure.and(insecure.clone()), insecure);
        assert_eq!(insecure.and(bogus.clone()), bogus);
        assert_eq!(bogus.clone().and(Verdict::Bogus(reason(Fault::NoKey))), bogus);
    }
}
