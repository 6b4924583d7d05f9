//! How long a response may be kept, and where its TTLs stand.
//!
//! In: a response message. Out: the message as it may be kept, or why it may not.
//! Always: ends, whatever the bytes.
//! Keeps: RFC 2181 §8 (a TTL with the high bit set is 0), RFC 2308 §3 and §5 (negative answers live as long as their SOA
//! says), RFC 2181 §9 and RFC 9520 (truncated responses and failures are not answers).

use super::CacheKey;
use crate::dns::answer::{Message, Record, Section};
use crate::dns::{class, rcode, rtype};
use crate::limits;

/// Why a response is not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfit {
    /// Not one whole response to the key's question: broken, bytes left over, another question, an OPT record.
    Malformed,
    /// Truncated, a failure, a negative answer without SOA, or with a TTL of 0.
    Uncacheable,
    /// Longer than [`limits::CACHED_MESSAGE_BYTES`].
    TooLarge,
}

/// A response as it may be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keepable {
    /// From 1 to 2^31 - 1.
    pub lifetime_s: u32,
    /// The message, at most [`limits::CACHED_MESSAGE_BYTES`], its TTLs between the bounds, that of a negative answer's SOA
    /// no longer than that SOA allows.
    pub message: Vec<u8>,
    /// Where the TTLs stand, in bytes from the start of the message, rising; each has three more bytes after it.
    pub ttl_offsets: Vec<u16>,
    /// See [`Hit::info_code`](super::Hit::info_code).
    pub info_code: u8,
}

/// Bounds of a lifetime, in seconds, as the settings have them.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    pub min_s: u32,
    pub max_s: u32,
}

impl Bounds {
    fn apply(self, ttl: u32) -> u32 {
        ttl.max(self.min_s).min(self.max_s)
    }
}

/// Judges a response to the question of `key`.
pub fn judge(key: &CacheKey<'_>, response: &[u8], bounds: Bounds) -> Result<Keepable, Unfit> {
    if response.len() > limits::CACHED_MESSAGE_BYTES {
        return Err(Unfit::TooLarge);
    }
    let message = Message::parse(response).ok_or(Unfit::Malformed)?;
    if !asks(message.question(), key) {
        return Err(Unfit::Malformed);
    }
    let truncated = response[2] & 2 != 0;
    let code = u16::from(message.rcode());
    if truncated || !matches!(code, rcode::NOERROR | rcode::NXDOMAIN) {
        return Err(Unfit::Uncacheable);
    }

    let mut ttls = Vec::new();
    let mut negative = true;
    let mut has_soa = false;
    let mut records = message.records();
    for record in &mut records {
        let record = record.map_err(|_| Unfit::Malformed)?;
        if record.rtype == rtype::OPT {
            return Err(Unfit::Malformed);
        }
        // The answer section comes first, so that what follows it knows.
        if record.section == Section::Answer && code == rcode::NOERROR {
            negative &= record.rtype != key.qtype && key.qtype != rtype::ANY;
        }
        let mut ttl = plain_ttl(record.ttl);
        if negative && record.section == Section::Authority && record.rtype == rtype::SOA {
            // RFC 2308 §5; and §3 wants the SOA sent with that TTL, so that whoever caches it next lets it go no later.
            has_soa = true;
            ttl = ttl.min(soa_minimum(response, &record).ok_or(Unfit::Malformed)?);
        }
        if ttl == 0 {
            return Err(Unfit::Uncacheable);
        }
        ttls.push((record.rdata_at - 6, bounds.apply(ttl)));
    }
    if records.position() != response.len() {
        return Err(Unfit::Malformed);
    }
    // RFC 2308 §5: a negative answer without SOA should not be cached; nothing says for how long.
    if negative && !has_soa {
        return Err(Unfit::Uncacheable);
    }
    let longest_s = if negative { limits::CACHED_NEGATIVE_S } else { u32::MAX };
    let lifetime_s = ttls.iter().map(|&(_, ttl)| ttl).fold(longest_s, u32::min);
    if lifetime_s == 0 {
        // Where the settings leave nothing: max_ttl = "0s" is a cache that keeps nothing.
        return Err(Unfit::Uncacheable);
    }
    let mut message = response.to_vec();
    for &(at, ttl) in &ttls {
        message[at..at + 4].copy_from_slice(&ttl.to_be_bytes());
    }
    Ok(Keepable {
        info_code: 0,
        lifetime_s,
        message,
        ttl_offsets: ttls.iter().map(|&(at, _)| at as u16).collect(),
    })
}

/// Puts the TTLs of a response between the bounds, as those of one that was kept are. A TTL of 0 stays: nobody may keep that.
pub fn bound(response: &mut [u8], bounds: Bounds) {
    let Some(message) = Message::parse(response) else {
        return;
    };
    let ttls: Vec<(usize, u32)> = message
        .records()
        .flatten()
        .filter(|record| record.rtype != rtype::OPT)
        .map(|record| (record.rdata_at - 6, plain_ttl(record.ttl)))
        .collect();
    for (at, ttl) in ttls {
        let ttl = if ttl == 0 { 0 } else { bounds.apply(ttl) };
        response[at..at + 4].copy_from_slice(&ttl.to_be_bytes());
    }
}

/// Whether a question section asks what `key` is for, in class IN.
pub fn asks(question: &[u8], key: &CacheKey<'_>) -> bool {
    let [qtype_high, qtype_low] = key.qtype.to_be_bytes();
    let Some((name, type_and_class)) = question.split_at_checked(key.qname.len()) else {
        return false;
    };
    // Mostly the letters are the same: telling that takes a fraction of comparing them without case.
    type_and_class == [qtype_high, qtype_low, 0, class::IN as u8]
        && (name == key.qname || name.eq_ignore_ascii_case(key.qname))
}

/// RFC 2181 §8: at most 2^31 - 1; with the high bit set as if 0.
fn plain_ttl(ttl: u32) -> u32 {
    if ttl >> 31 == 1 { 0 } else { ttl }
}

/// MINIMUM of an SOA: the last of the five numbers that end its RDATA (RFC 1035 §3.3.13).
fn soa_minimum(response: &[u8], record: &Record) -> Option<u32> {
    let rdata = response.get(record.rdata_at..record.rdata_at + record.rdata_bytes)?;
    // Two names, at least the root's byte each, stand before the five numbers.
    (rdata.len() >= 22)
        .then(|| rdata.last_chunk::<4>())
        .flatten()
        .map(|minimum| plain_ttl(u32::from_be_bytes(*minimum)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::message::{Builder, key, qname};
    use proptest::prelude::*;

    const WIDE: Bounds = Bounds {
        min_s: 0,
        max_s: 86_400,
    };

    fn lifetime(response: &[u8], qtype: u16) -> Result<u32, Unfit> {
        judge(&key(&qname("www.example.com"), qtype), response, WIDE).map(|kept| kept.lifetime_s)
    }

    fn answer() -> Builder {
        Builder::new("www.example.com", rtype::A)
    }

    #[test]
    fn the_smallest_ttl_of_any_section_is_the_lifetime() {
        let response = answer().a(300).a(200).authority_ns(100).additional_a(50).build();
        assert_eq!(lifetime(&response, rtype::A), Ok(50));
        assert_eq!(lifetime(&answer().cname(30).a(300).build(), rtype::A), Ok(30));
    }

    #[test]
    fn a_negative_answer_lives_as_its_soa_says_and_no_longer_than_three_hours() {
        for rcode in [rcode::NOERROR, rcode::NXDOMAIN] {
            assert_eq!(lifetime(&answer().rcode(rcode).soa(900, 60).build(), rtype::A), Ok(60));
            assert_eq!(lifetime(&answer().rcode(rcode).soa(60, 900).build(), rtype::A), Ok(60));
            assert_eq!(
                lifetime(&answer().rcode(rcode).soa(86_400, 86_400).build(), rtype::A),
                Ok(10_800)
            );
            assert_eq!(
                lifetime(&answer().rcode(rcode).cname(20).soa(900, 60).build(), rtype::A),
                Ok(20)
            );
            assert_eq!(
                lifetime(&answer().rcode(rcode).soa(900, 0).build(), rtype::A),
                Err(Unfit::Uncacheable)
            );
            assert_eq!(
                lifetime(&answer().rcode(rcode).cname(20).build(), rtype::A),
                Err(Unfit::Uncacheable)
            );
            assert_eq!(
                lifetime(&answer().rcode(rcode).authority_ns(20).build(), rtype::A),
                Err(Unfit::Uncacheable)
            );
        }
    }

    #[test]
    fn the_soa_of_a_negative_answer_is_sent_with_the_ttl_it_allows_and_that_of_a_positive_one_as_it_came() {
        let judged = |response: &[u8]| judge(&key(&qname("www.example.com"), rtype::A), response, WIDE).unwrap();
        let ttl = |kept: &Keepable| {
            let at = usize::from(*kept.ttl_offsets.last().unwrap());
            u32::from_be_bytes(*kept.message[at..].first_chunk().unwrap())
        };
        assert_eq!(ttl(&judged(&answer().soa(900, 60).build())), 60);
        let positive = judged(&answer().a(1000).soa(900, 60).build());
        assert_eq!((ttl(&positive), positive.lifetime_s), (900, 900));
    }

    #[test]
    fn ttls_are_kept_between_the_bounds_but_0_and_the_high_bit_are_never_raised() {
        let bounds = Bounds { min_s: 60, max_s: 600 };
        let judged = |ttl| {
            judge(
                &key(&qname("www.example.com"), rtype::A),
                &answer().a(ttl).build(),
                bounds,
            )
        };
        let kept = |ttl: u32| {
            let kept = judged(ttl).unwrap();
            let at = usize::from(kept.ttl_offsets[0]);
            (
                kept.lifetime_s,
                u32::from_be_bytes(*kept.message[at..].first_chunk().unwrap()),
            )
        };
        assert_eq!(kept(1), (60, 60));
        assert_eq!(kept(100), (100, 100));
        assert_eq!(kept(0x7fff_ffff), (600, 600));
        assert_eq!(judged(0), Err(Unfit::Uncacheable));
        assert_eq!(judged(0x8000_0001), Err(Unfit::Uncacheable));
        let nothing = Bounds { min_s: 0, max_s: 0 };
        let key_name = qname("www.example.com");
        assert_eq!(
            judge(&key(&key_name, rtype::A), &answer().a(9).build(), nothing),
            Err(Unfit::Uncacheable)
        );
    }

    #[test]
    fn failures_truncated_responses_and_answers_to_other_questions_are_not_kept() {
        for rcode in [rcode::FORMERR, rcode::SERVFAIL, rcode::NOTIMP, rcode::REFUSED, 6, 9, 15] {
            assert_eq!(
                lifetime(&answer().rcode(rcode).a(60).build(), rtype::A),
                Err(Unfit::Uncacheable)
            );
        }
        let mut truncated = answer().a(60).build();
        truncated[2] |= 2;
        assert_eq!(lifetime(&truncated, rtype::A), Err(Unfit::Uncacheable));
        let mut query = answer().a(60).build();
        query[2] &= 0x7f;
        assert_eq!(lifetime(&query, rtype::A), Err(Unfit::Malformed));
        assert_eq!(lifetime(&answer().a(60).build(), rtype::AAAA), Err(Unfit::Malformed));
        assert_eq!(
            lifetime(&Builder::new("www.example.org", rtype::A).a(60).build(), rtype::A),
            Err(Unfit::Malformed)
        );
        assert_eq!(lifetime(&answer().a(60).opt().build(), rtype::A), Err(Unfit::Malformed));
        let mut trailing = answer().a(60).build();
        trailing.push(0);
        assert_eq!(lifetime(&trailing, rtype::A), Err(Unfit::Malformed));
        let large = answer().txt(60, 17_000).build();
        assert_eq!(lifetime(&large, rtype::A), Err(Unfit::TooLarge));
    }

    #[test]
    fn every_truncation_of_a_response_is_malformed() {
        let whole = answer().cname(30).a(300).soa(60, 60).additional_a(50).build();
        assert!(lifetime(&whole, rtype::A).is_ok());
        for length in 0..whole.len() {
            assert_eq!(
                lifetime(&whole[..length], rtype::A),
                Err(Unfit::Malformed),
                "{length} bytes"
            );
        }
    }

    #[test]
    fn any_type_is_answered_by_any_record() {
        let response = Builder::new("www.example.com", rtype::ANY).txt(60, 10).build();
        assert_eq!(lifetime(&response, rtype::ANY), Ok(60));
    }

    proptest! {
        #[test]
        fn no_bytes_break_it_and_what_it_keeps_has_its_ttls_inside(
            change in 0usize..200, to: u8, cut in 0usize..200, min_s in 0u32..100, max_s in 0u32..1000,
        ) {
            let mut response = answer().cname(30).a(300).a(0x7000_0000).soa(60, 60).additional_a(50).build();
            let at = change % response.len();
            response[at] = to;
            response.truncate(response.len() - cut / 20);
            if let Ok(kept) = judge(&key(&qname("www.example.com"), rtype::A), &response, Bounds { min_s, max_s }) {
                prop_assert_eq!(kept.message.len(), response.len());
                prop_assert!(kept.lifetime_s >= 1 && kept.lifetime_s <= max_s);
                for &offset in &kept.ttl_offsets {
                    let at = usize::from(offset);
                    let ttl = u32::from_be_bytes(*kept.message[at..].first_chunk().unwrap());
                    prop_assert!(ttl >= kept.lifetime_s);
                }
            }
        }
    }
}
