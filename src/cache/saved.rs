//! The cache as bytes, to outlive a restart.
//!
//! In: a cache and the time; or bytes and the time. Out: the bytes; or how many answers came back into the cache.
//! Always: what comes back is judged as an answer of the resolver is, and lives no longer than it would have: times are those of the
//! wall clock, since no other goes on over a restart. Bytes that are not whole, are of other settings or from the future bring
//! nothing back; no bytes break anything.
//!
//! The bytes: [`MAGIC`], 32 bytes of the caller's that must be the same again, when it was saved (milliseconds since 1970, 8 bytes);
//! then for each answer a byte of flags (1: DO, 2: CD), seconds left (4), length (2) and the message, TTLs lowered by its age; at the
//! end the SHA-256 of all that. Numbers are little-endian.

use super::lifetime::{self, Bounds};
use super::{Cache, CacheKey};
use crate::dns::answer::Message;
use crate::limits::CACHED_MESSAGE_BYTES;
use crate::now::{Now, seconds_between};
use sha2::{Digest as _, Sha256};
use std::io::{self, Write};

/// What such bytes begin with; the last of it is the version.
pub const MAGIC: &[u8; 8] = b"sgcache1";
const HEADER_BYTES: usize = MAGIC.len() + 32 + 8;
const DIGEST_BYTES: usize = 32;

/// Why nothing came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    #[error("it is not a saved cache of this version")]
    Foreign,
    #[error("it is damaged")]
    Damaged,
    #[error("it was saved with other settings of the resolver")]
    OtherSettings,
    #[error("it is from the future, or the clock is wrong")]
    Future,
}

/// Writes every answer that lives at `now` to `out`; returns how many. `mark` is to be given again at [`load`].
pub fn save(cache: &Cache, mark: &[u8; 32], now: Now, out: impl Write) -> io::Result<usize> {
    let mut out = Digested {
        out,
        digest: Sha256::new(),
    };
    out.put(MAGIC)?;
    out.put(mark)?;
    out.put(&now.unix_ms.to_le_bytes())?;
    let mut message = vec![0; CACHED_MESSAGE_BYTES];
    let (mut count, mut result) = (0, Ok(()));
    cache.entries(now, |entry| {
        let key = entry.key();
        // It may have gone since.
        let Some(hit) = cache.get(&key, now, &mut message) else {
            return;
        };
        if result.is_ok() {
            result = out.answer(&key, hit.remaining_s, &message[..hit.len]);
            count += 1;
        }
    });
    result?;
    let digest = out.digest.finalize();
    out.out.write_all(&digest)?;
    out.out.flush()?;
    Ok(count)
}

struct Digested<W> {
    out: W,
    digest: Sha256,
}

impl<W: Write> Digested<W> {
    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.digest.update(bytes);
        self.out.write_all(bytes)
    }

    fn answer(&mut self, key: &CacheKey<'_>, remaining_s: u32, message: &[u8]) -> io::Result<()> {
        self.put(&[u8::from(key.dnssec_ok) | u8::from(key.checking_disabled) << 1])?;
        self.put(&remaining_s.to_le_bytes())?;
        self.put(&(message.len() as u16).to_le_bytes())?;
        self.put(message)
    }
}

/// Puts the answers of `bytes` that would still live into the cache; returns how many.
pub fn load(cache: &Cache, mark: &[u8; 32], now: Now, bytes: &[u8]) -> Result<usize, Unusable> {
    if bytes.get(..MAGIC.len()) != Some(MAGIC) {
        return Err(Unusable::Foreign);
    }
    let (bytes, digest) = bytes
        .split_last_chunk::<DIGEST_BYTES>()
        .filter(|(bytes, _)| bytes.len() >= HEADER_BYTES)
        .ok_or(Unusable::Damaged)?;
    if Sha256::digest(bytes)[..] != digest[..] {
        return Err(Unusable::Damaged);
    }
    let (header, answers) = bytes.split_at(HEADER_BYTES);
    let (theirs, saved) = header[MAGIC.len()..].split_at(mark.len());
    if theirs != mark {
        return Err(Unusable::OtherSettings);
    }
    let saved_unix_ms = saved.first_chunk().map_or(u64::MAX, |saved| u64::from_le_bytes(*saved));
    // Rounded up: a part of a second may have passed before the whole ones.
    if saved_unix_ms > now.unix_ms {
        return Err(Unusable::Future);
    }
    let away_s = seconds_between(saved_unix_ms, now.unix_ms);
    let each = |take: &mut dyn FnMut(Answer<'_>)| {
        let mut rest = answers;
        while let Some((answer, behind)) = Answer::read(rest) {
            rest = behind;
            take(answer);
        }
        rest.is_empty()
    };
    if !each(&mut |_| {}) {
        return Err(Unusable::Damaged);
    }
    let mut count = 0;
    each(&mut |answer| count += usize::from(answer.restore(cache, away_s, now)));
    Ok(count)
}

/// One saved answer.
struct Answer<'a> {
    flags: u8,
    remaining_s: u32,
    message: &'a [u8],
}

impl Answer<'_> {
    /// The first of `bytes`, and what is behind it.
    fn read(bytes: &[u8]) -> Option<(Answer<'_>, &[u8])> {
        let (&[flags], rest) = bytes.split_first_chunk::<1>()?;
        let (remaining_s, rest) = rest.split_first_chunk::<4>()?;
        let (length, rest) = rest.split_first_chunk::<2>()?;
        let (message, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes(*length)))?;
        let answer = Answer {
            flags,
            remaining_s: u32::from_le_bytes(*remaining_s),
            message,
        };
        Some((answer, rest))
    }

    /// Whether it is in the cache now, `away_s` older.
    fn restore(&self, cache: &Cache, away_s: u32, now: Now) -> bool {
        let Some(remaining_s) = self.remaining_s.checked_sub(away_s).filter(|&left| left > 0) else {
            return false;
        };
        let Some(parsed) = Message::parse(self.message) else {
            return false;
        };
        let question = parsed.question();
        let Some((qname, &[high, low, _, _])) = question.split_last_chunk::<4>() else {
            return false;
        };
        let mut message = self.message.to_vec();
        for record in parsed.records().flatten() {
            let at = record.rdata_at - 6;
            message[at..at + 4].copy_from_slice(&record.ttl.saturating_sub(away_s).to_be_bytes());
        }
        let key = CacheKey {
            qname,
            qtype: u16::from_be_bytes([high, low]),
            dnssec_ok: self.flags & 1 != 0,
            checking_disabled: self.flags & 2 != 0,
        };
        // What was raised to the least lifetime once is not raised again.
        let bounds = Bounds {
            min_s: 0,
            ..cache.bounds
        };
        let (Some((hash, shard)), Ok(mut kept)) = (cache.place(&key), lifetime::judge(&key, &message, bounds)) else {
            return false;
        };
        kept.lifetime_s = kept.lifetime_s.min(remaining_s);
        shard.store(hash, &key, &kept, now)
    }
}

#[cfg(test)]
mod tests {
    use super::super::message::{Builder, key, qname};
    use super::*;
    use crate::dns::{rcode, rtype};
    use proptest::prelude::*;
    use std::time::Duration;

    const MARK: [u8; 32] = [7; 32];
    const SAVED_MS: u64 = 1_800_000_000_000;

    fn at(mono_ms: u64, unix_ms: u64) -> Now {
        Now { mono_ms, unix_ms }
    }

    fn cache() -> Cache {
        Cache::new(1 << 20, Duration::ZERO, Duration::from_secs(86_400))
    }

    /// A cache with three answers, saved 100 s after they came.
    fn saved() -> Vec<u8> {
        let cache = cache();
        let put = |name: &str, qtype, dnssec_ok, response: Vec<u8>| {
            let qname = qname(name);
            let key = CacheKey {
                dnssec_ok,
                ..key(&qname, qtype)
            };
            cache.put(&key, &response, at(5_000, 0));
        };
        put(
            "a.example",
            rtype::A,
            true,
            Builder::new("a.example", rtype::A).cname(400).a(300).build(),
        );
        put(
            "a.example",
            rtype::A,
            false,
            Builder::new("a.example", rtype::A).a(150).build(),
        );
        let gone = Builder::new("gone.example", rtype::AAAA).rcode(rcode::NXDOMAIN);
        put("gone.example", rtype::AAAA, false, gone.soa(86_400, 86_400).build());
        let mut bytes = Vec::new();
        assert_eq!(save(&cache, &MARK, at(105_000, SAVED_MS), &mut bytes).unwrap(), 3);
        bytes
    }

    /// Puts the right digest behind bytes that were changed.
    fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
        bytes.truncate(bytes.len() - DIGEST_BYTES);
        let digest = Sha256::digest(&bytes);
        bytes.extend(digest);
        bytes
    }

    fn left(cache: &Cache, now: Now) -> Vec<(String, bool, u32)> {
        let mut left = Vec::new();
        cache.entries(now, |entry| {
            left.push((entry.name.to_string(), entry.dnssec_ok, entry.remaining_s))
        });
        left.sort();
        left
    }

    #[test]
    fn answers_come_back_older_by_the_time_away_and_those_whose_time_is_over_do_not() {
        let bytes = saved();
        for (away_s, expected) in [
            (
                0,
                vec![
                    ("a.example.", false, 50),
                    ("a.example.", true, 200),
                    ("gone.example.", false, 10_700),
                ],
            ),
            (60, vec![("a.example.", true, 140), ("gone.example.", false, 10_640)]),
            (200, vec![("gone.example.", false, 10_500)]),
            (86_400, vec![]),
        ] {
            let cache = cache();
            // The clock that never goes back begins anew.
            let now = at(9, SAVED_MS + away_s * 1000);
            assert_eq!(load(&cache, &MARK, now, &bytes), Ok(expected.len()));
            let expected: Vec<_> = expected
                .into_iter()
                .map(|(name, dnssec_ok, left)| (name.to_owned(), dnssec_ok, left))
                .collect();
            assert_eq!(left(&cache, now), expected, "after {away_s} s");
        }
        let cache = cache();
        load(&cache, &MARK, at(9, SAVED_MS + 60_000), &bytes).unwrap();
        let (name, mut out) = (qname("a.example"), [0; 512]);
        let key = CacheKey {
            dnssec_ok: true,
            ..key(&name, rtype::A)
        };
        let hit = cache.get(&key, at(9, 0), &mut out).unwrap();
        let ttls: Vec<u32> = Message::parse(&out[..hit.len])
            .unwrap()
            .records()
            .map(|record| record.unwrap().ttl)
            .collect();
        assert_eq!(ttls, [240, 140]);
    }

    #[test]
    fn what_is_of_other_settings_or_another_time_brings_nothing_back() {
        let bytes = saved();
        let cache = cache();
        let now = at(9, SAVED_MS + 1000);
        assert_eq!(load(&cache, &[8; 32], now, &bytes), Err(Unusable::OtherSettings));
        assert_eq!(load(&cache, &MARK, at(9, SAVED_MS - 1), &bytes), Err(Unusable::Future));
        assert_eq!(load(&cache, &MARK, at(9, 0), &bytes), Err(Unusable::Future));
        assert_eq!(load(&cache, &MARK, at(9, u64::MAX), &bytes), Ok(0), "long ago");
        let mut newer = bytes;
        newer[7] += 1;
        assert_eq!(load(&cache, &MARK, now, &sealed(newer)), Err(Unusable::Foreign));
        assert_eq!(cache.stats().entries, 0);
    }

    #[test]
    fn every_truncation_and_every_changed_byte_is_noticed() {
        let bytes = saved();
        let cache = cache();
        let now = at(9, SAVED_MS);
        for length in 0..bytes.len() {
            assert!(load(&cache, &MARK, now, &bytes[..length]).is_err(), "{length} bytes");
            let mut changed = bytes.clone();
            changed[length] ^= 1 << (length % 8);
            assert!(load(&cache, &MARK, now, &changed).is_err(), "byte {length}");
        }
        assert_eq!(cache.stats().entries, 0);
    }

    #[test]
    fn a_lifetime_that_was_raised_is_not_raised_again() {
        let cache = Cache::new(1 << 20, Duration::from_secs(600), Duration::from_secs(86_400));
        let name = qname("a.example");
        let response = Builder::new("a.example", rtype::A).a(10).build();
        cache.put(&key(&name, rtype::A), &response, at(0, 0));
        let mut bytes = Vec::new();
        save(&cache, &MARK, at(500_000, SAVED_MS), &mut bytes).unwrap();
        let again = Cache::new(1 << 20, Duration::from_secs(600), Duration::from_secs(86_400));
        load(&again, &MARK, at(9, SAVED_MS + 1), &bytes).unwrap();
        assert_eq!(left(&again, at(9, 0)), [("a.example.".to_owned(), false, 99)]);
    }

    proptest! {
        /// Behind a right digest, so that what reads the answers sees them.
        #[test]
        fn no_bytes_break_it_and_what_comes_back_can_be_read(
            changes in proptest::collection::vec((HEADER_BYTES..400usize, any::<u8>()), 0..6), cut in 0usize..300,
        ) {
            let mut bytes = saved();
            for (change, to) in changes {
                let at = change.min(bytes.len() - DIGEST_BYTES - 1);
                bytes[at] = to;
            }
            let keep = (bytes.len() - cut.min(bytes.len() - HEADER_BYTES - DIGEST_BYTES)).max(HEADER_BYTES + DIGEST_BYTES);
            bytes.truncate(keep);
            let cache = cache();
            let now = at(9, SAVED_MS + 1000);
            let _ = load(&cache, &MARK, now, &sealed(bytes));
            let mut out = vec![0; CACHED_MESSAGE_BYTES];
            cache.entries(now, |entry| {
                let hit = cache.get(&entry.key(), now, &mut out).expect("it is there");
                assert!(hit.remaining_s <= 86_400);
                assert!(Message::parse(&out[..hit.len]).unwrap().records().all(|record| record.is_ok()));
            });
        }
    }
}
