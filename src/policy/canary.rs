//! Names that clients ask to learn whether a network filters: the answer that makes them leave its resolver in charge.
//!
//! In: a question. Out: the negative answer that the vendors of browsers and systems document for it.
//! Always: only for profiles that filter; nobody else's client is steered.
//! Keeps: RFC 9462 §4 and §6.4 (`resolver.arpa`: no encrypted resolver is designated here).

use super::decision::{Action, Cause, Decision};
use super::{Policy, ProfileId};
use crate::dns::key::Key;
use crate::dns::{rcode, rtype};
use crate::list::rule::Scope;

/// What a canary is answered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CanaryAnswer {
    Nxdomain,
    Nodata,
}

struct Canary {
    /// As a gate key.
    key: &'static [u8],
    scope: Scope,
    /// Empty: all types.
    types: &'static [u16],
    answer: CanaryAnswer,
    /// What it turns off.
    feature: &'static str,
}

/// From Mozilla's support page on the canary domain, Apple's page on preparing a network for iCloud Private Relay, RFC
/// 9462, and, for the names that no vendor documents, what other filtering resolvers answer.
const CANARIES: [Canary; 9] = [
    Canary {
        key: b"net.use-application-dns.",
        scope: Scope::Exact,
        types: &[rtype::A, rtype::AAAA],
        answer: CanaryAnswer::Nxdomain,
        feature: "Firefox application DNS",
    },
    relay(b"com.icloud.mask."),
    relay(b"com.icloud.mask-h2."),
    relay(b"com.icloud.mask-canary."),
    relay(b"com.icloud.mask-api."),
    relay(b"net.apple-dns.mask."),
    relay(b"net.apple-dns.mask.canary."),
    Canary {
        key: b"net.googlezip.dns-tunnel-check.",
        scope: Scope::Exact,
        types: &[],
        answer: CanaryAnswer::Nxdomain,
        feature: "Chrome private prefetch proxy",
    },
    Canary {
        key: b"arpa.resolver.",
        scope: Scope::Subtree,
        types: &[],
        answer: CanaryAnswer::Nodata,
        feature: "Discovery of Designated Resolvers",
    },
];

const fn relay(key: &'static [u8]) -> Canary {
    Canary {
        key,
        scope: Scope::Exact,
        types: &[],
        answer: CanaryAnswer::Nxdomain,
        feature: "iCloud Private Relay",
    }
}

fn find(key: &Key, qtype: u16) -> Option<&'static Canary> {
    let bytes = key.as_bytes();
    // Nearly every name is seen to be none by a few bytes behind its first label.
    if !matches!(bytes.get(4..8)?, b"iclo" | b"use-" | b"appl" | b"goog" | b".res") {
        return None;
    }
    CANARIES.iter().find(|canary| {
        let named = match canary.scope {
            Scope::Exact => key.complete() && bytes == canary.key,
            _ => bytes.starts_with(canary.key),
        };
        named && (canary.types.is_empty() || canary.types.contains(&qtype))
    })
}

/// Whether a name is a canary for any type.
pub(super) fn is_any(key: &Key) -> bool {
    find(key, rtype::A).is_some()
}

impl Policy {
    /// What a client with this profile gets for a canary; `None`: the name is none, or the profile filters nothing.
    #[inline]
    pub(super) fn canary(&self, profile: ProfileId, key: &Key, qtype: u16) -> Option<Decision> {
        let canary = find(key, qtype).filter(|_| self.filters(profile))?;
        let action = match canary.answer {
            CanaryAnswer::Nxdomain => Action::Rcode(rcode::NXDOMAIN as u8),
            CanaryAnswer::Nodata => Action::Nodata,
        };
        Some(Decision::new(action, Cause::Canary(canary.feature)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(name: &str, qtype: u16) -> Option<CanaryAnswer> {
        find(&Key::parse(name).unwrap(), qtype).map(|canary| canary.answer)
    }

    #[test]
    fn canaries_are_answered_as_their_vendors_ask_and_their_neighbors_are_not() {
        assert_eq!(
            answer("use-application-dns.net", rtype::A),
            Some(CanaryAnswer::Nxdomain)
        );
        assert_eq!(
            answer("Use-Application-DNS.net", rtype::AAAA),
            Some(CanaryAnswer::Nxdomain)
        );
        assert_eq!(answer("use-application-dns.net", rtype::NS), None);
        assert_eq!(answer("www.use-application-dns.net", rtype::A), None);
        assert_eq!(answer("mask.icloud.com", rtype::HTTPS), Some(CanaryAnswer::Nxdomain));
        assert_eq!(answer("mask-h2.icloud.com", rtype::A), Some(CanaryAnswer::Nxdomain));
        assert_eq!(answer("icloud.com", rtype::A), None);
        assert_eq!(answer("_dns.resolver.arpa", rtype::SVCB), Some(CanaryAnswer::Nodata));
        assert_eq!(answer("resolver.arpa", rtype::A), Some(CanaryAnswer::Nodata));
        assert_eq!(answer("arpa", rtype::A), None);
        assert_eq!(answer("example.net", rtype::A), None);
    }

    /// The facts file is the team's own collection; where it is there, nothing in it may be missing here.
    #[test]
    fn every_canary_of_the_facts_is_known() {
        let root = std::env::var_os("STAIRGATE_CORPUS").map_or_else(
            || concat!(env!("CARGO_MANIFEST_DIR"), "/../shared").into(),
            std::path::PathBuf::from,
        );
        let Ok(text) = std::fs::read_to_string(root.join("facts/canary.tsv")) else {
            println!("skipped: every_canary_of_the_facts_is_known");
            return;
        };
        let mut rows = 0;
        for row in text.lines().skip(1) {
            let columns: Vec<&str> = row.split('\t').collect();
            let expected = match columns[3] {
                "NXDOMAIN" => CanaryAnswer::Nxdomain,
                _ => CanaryAnswer::Nodata,
            };
            assert_eq!(answer(columns[0], rtype::A), Some(expected), "{row}");
            let below = answer(&format!("x.{}", columns[0]), rtype::A);
            assert_eq!(below.is_some(), columns[1] == "subtree", "{row}");
            assert_eq!(answer(columns[0], rtype::TXT).is_some(), columns[2] == "any", "{row}");
            rows += 1;
        }
        assert_eq!(rows, CANARIES.len());
    }
}
