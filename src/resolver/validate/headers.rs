//! The three DNSSEC bits: what a client's mean, and what is sent back.
//!
//! In: DO, AD and CD of a query, a verdict. Out: whether to check, what to send, whether AD is set.
//! Always: nobody but those who asked sees AD or DNSSEC records; a bogus answer goes only to those who check for themselves.
//! Keeps: RFC 4035 §3.2, RFC 6840 §5.7 to §5.9.

use super::verdict::Verdict;

/// What a client said in its query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Asked {
    /// DO: send DNSSEC records.
    pub dnssec_ok: bool,
    /// AD: tell me whether it was validated (RFC 6840 §5.7).
    pub authentic_data: bool,
    /// CD: I check for myself.
    pub checking_disabled: bool,
}

/// What becomes of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It is sent, with AD or without.
    Send { authentic_data: bool },
    /// SERVFAIL with the reason as EDE (RFC 4035 §5.5).
    Refuse,
}

impl Asked {
    /// What `verdict` means for this client.
    pub fn outcome(self, verdict: &Verdict) -> Outcome {
        match verdict {
            // RFC 4035 §3.2.2: what a client that checks for itself gets is not filtered by our opinion.
            Verdict::Bogus(_) if !self.checking_disabled => Outcome::Refuse,
            // RFC 6840 §5.7 and §5.8: to those who understand AD.
            verdict => Outcome::Send {
                authentic_data: verdict.is_secure() && (self.dnssec_ok || self.authentic_data),
            },
        }
    }

    /// Whether RRSIG, NSEC and NSEC3 records that were not asked for go along (RFC 4035 §3.2.1).
    pub fn wants_records(self) -> bool {
        self.dnssec_ok
    }
}

/// Whether queries to upstream servers carry CD. Always (RFC 6840 §5.9): the answer is checked here, and one that another checked
/// and refused could not be retried elsewhere.
pub const UPSTREAM_CHECKING_DISABLED: bool = true;
/// Whether they carry DO. Always (RFC 4035 §3.2.1).
pub const UPSTREAM_DNSSEC_OK: bool = true;

#[cfg(test)]
mod tests {
    use super::super::verdict::Fault;
    use super::*;
    use crate::dns::name::Name;

    #[test]
    fn rfc6840_5_7_and_5_9_bits_are_for_those_who_ask() {
        let bogus = Verdict::Bogus(Fault::NoSignature.at(&Name::root(), 1));
        for bits in 0..8 {
            let asked = Asked {
                dnssec_ok: bits & 1 != 0,
                authentic_data: bits & 2 != 0,
                checking_disabled: bits & 4 != 0,
            };
            let ad = bits & 3 != 0;
            assert_eq!(asked.outcome(&Verdict::Secure), Outcome::Send { authentic_data: ad });
            let plain = Outcome::Send { authentic_data: false };
            assert_eq!(asked.outcome(&Verdict::Insecure(None)), plain);
            let expected = if asked.checking_disabled {
                plain
            } else {
                Outcome::Refuse
            };
            assert_eq!(asked.outcome(&bogus), expected);
            assert_eq!(asked.wants_records(), asked.dnssec_ok);
        }
    }
}
