//! Answers in wire form, as the resolver gave them; never what policy made of them.
//!
//! In: a key, a response. Out: the response with TTLs lowered by its age.
//! Always: a read takes no lock, writes no cache line that another core reads (but the first few times how often an entry
//! was read), and allocates nothing; what it gives is one whole message that was stored under that key.
//! Fails: by not finding. A response that may not be kept is counted and let go.
//! Keeps: RFC 2181 §8, RFC 2308 §5 (lifetimes), RFC 4343 (names without case), RFC 8767 §4 (what is past its time stays until its
//! room is needed, and may be given when nothing better can be had).
//!
//! [`saved`] is how it outlives a restart, `arena` says how reading goes without locks, `evict` what goes when room is needed, `departed` what it remembers
//! of that, `lifetime` what may be kept.

mod arena;
mod departed;
mod evict;
mod index;
mod lifetime;
#[cfg(test)]
pub(crate) mod message;
pub mod saved;
mod shard;
#[cfg(test)]
mod tests;

pub use arena::Note;

use crate::dns::name::{self, Name};
use crate::now::Now;
use lifetime::{Bounds, Unfit};
use rapidhash::v3::{RapidSecrets, rapidhash_v3_micro_inline};
use serde::{Deserialize, Serialize};
use shard::{Read, Shard, Want};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Bytes a shard should have: large enough that its share of the load is its share of the room, small enough that a lock is
/// never held for long.
const SHARD_BYTES: u64 = 2 << 20;
/// The most shards: what writers on as many cores wait for each other.
const MAX_SHARDS: u64 = 64;
/// How often a read that a writer got into is tried again before it counts as a miss. A writer gets in once in many
/// thousand reads, so nobody waits, and a miss costs only a look-up more.
const READ_ATTEMPTS: usize = 4;

/// What a response is stored under: the question, and the two header bits that change it.
#[derive(Debug, Clone, Copy)]
pub struct CacheKey<'a> {
    /// QNAME, uncompressed wire form, any letter case; look-ups ignore case.
    pub qname: &'a [u8],
    pub qtype: u16,
    /// DO of the query (RFC 3225).
    pub dnssec_ok: bool,
    /// CD of the query (RFC 4035 §3.2.2).
    pub checking_disabled: bool,
}

/// A response found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hit {
    /// How many bytes of `out` were written.
    pub len: usize,
    /// How long it still lives, in seconds; 0 for a stale one.
    pub remaining_s: u32,
    /// How long it was to live when it was stored, in seconds.
    pub lifetime_s: u32,
    /// Past its time (RFC 8767); only [`Cache::get_stale`] gives such.
    pub stale: bool,
    /// Little of its time is left, it was read before, and nobody is renewing it: [`Cache::claim`] makes that the caller's.
    pub ending: bool,
    /// The Extended DNS Error that came with the response (RFC 8914 §4), as of a zone signed by algorithms that nobody here knows; 0 for
    /// none, and for one that has no code of its own below 32.
    pub info_code: u8,
    /// What was noted with it.
    pub note: Note,
    /// Which entry it was read from, for [`Cache::note`].
    entry: EntryId,
}

/// Where the cache looks for a key: found out once for a look ahead and for the look-up behind it.
#[derive(Debug, Clone, Copy)]
pub struct Spot {
    hash: u64,
    shard: u32,
}

/// An entry, among all that there are and were.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct EntryId {
    block: arena::BlockId,
    id: u64,
}

/// An entry, for those who look at the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub name: Name,
    pub qtype: u16,
    pub dnssec_ok: bool,
    pub checking_disabled: bool,
    pub rcode: u8,
    /// Seconds it still lives, at least 1.
    pub remaining_s: u32,
    /// What it takes, in bytes.
    pub bytes: u64,
}

impl Entry {
    /// What it is stored under.
    pub fn key(&self) -> CacheKey<'_> {
        CacheKey {
            qname: self.name.as_wire(),
            qtype: self.qtype,
            dnssec_ok: self.dnssec_ok,
            checking_disabled: self.checking_disabled,
        }
    }
}

/// What the cache holds and did since the start, as the control socket says it too. Hits and misses are the query road's to
/// count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Stats {
    /// Entries stored now, those past their time included.
    pub entries: u64,
    /// Bytes of memory taken, tables included. It grows as the cache fills and never shrinks.
    pub bytes: u64,
    /// Bytes that entries hold now.
    pub live_bytes: u64,
    /// The bound of `bytes`.
    pub bound_bytes: u64,
    /// Responses stored.
    pub stored: u64,
    /// Entries that gave way to a newer response to the same question.
    pub replaced: u64,
    /// Entries that went before their time because room was needed.
    pub evicted: u64,
    /// Entries that went after their time, because room was needed.
    pub expired: u64,
    /// Responses not stored: longer than the bound, or than a quarter of a small cache's shard.
    pub too_large: u64,
    /// Responses not stored: failures, truncated, TTL 0, negative without SOA.
    pub uncacheable: u64,
    /// Responses not stored: not one whole response to their question.
    pub malformed: u64,
}

/// The answer cache, shared by all threads.
pub struct Cache {
    shards: Box<[Shard]>,
    /// Drawn by chance, once a cache: nobody can foresee which names fall into one bucket.
    secrets: RapidSecrets,
    bounds: Bounds,
    bound_bytes: u64,
    too_large: AtomicU64,
    uncacheable: AtomicU64,
    malformed: AtomicU64,
    flushes: AtomicU64,
}

impl Cache {
    /// A cache of at most `bytes` bytes, everything included, within a tenth. Memory is taken as it fills. One of less than
    /// some 40 kB keeps nothing. Lifetimes are kept between `min_ttl` and `max_ttl`, whole seconds; where they cross, `max_ttl`
    /// wins.
    pub fn new(bytes: u64, min_ttl: Duration, max_ttl: Duration) -> Cache {
        let count = (bytes / SHARD_BYTES).clamp(1, MAX_SHARDS).next_power_of_two();
        let count = if count * SHARD_BYTES > bytes && count > 1 {
            count / 2
        } else {
            count
        };
        let each = usize::try_from(bytes / count).unwrap_or(usize::MAX);
        let seconds =
            |ttl: Duration| u32::try_from(ttl.as_secs()).map_or(i32::MAX as u32, |ttl| ttl.min(i32::MAX as u32));
        Cache {
            shards: (0..count).map(|_| Shard::new(each)).collect(),
            secrets: RapidSecrets::seed(RandomState::new().build_hasher().finish()),
            bounds: Bounds {
                min_s: seconds(min_ttl),
                max_s: seconds(max_ttl),
            },
            bound_bytes: bytes,
            too_large: AtomicU64::new(0),
            uncacheable: AtomicU64::new(0),
            malformed: AtomicU64::new(0),
            flushes: AtomicU64::new(0),
        }
    }

    /// Where a key is looked for; `None` for what cannot be a name.
    #[inline]
    pub fn spot(&self, key: &CacheKey<'_>) -> Option<Spot> {
        let bytes = key.qname.len();
        let mut lower = [0; 255 + 3];
        let of_key = lower.get_mut(..bytes + 3)?;
        of_key[..bytes].copy_from_slice(key.qname);
        // Length bytes are at most 63 and so below the letters.
        of_key[..bytes].make_ascii_lowercase();
        let [high, low] = key.qtype.to_be_bytes();
        let flags = u8::from(key.dnssec_ok) << 1 | u8::from(key.checking_disabled);
        of_key[bytes..].copy_from_slice(&[high, low, flags]);
        let hash = rapidhash_v3_micro_inline::<true, false>(of_key, &self.secrets);
        // The lowest bits choose the shard, so that each shard's index still has all values of the others. There is always
        // at least one, a power of two of them.
        Some(Spot {
            hash: hash.rotate_right(32),
            shard: (hash as usize & (self.shards.len() - 1)) as u32,
        })
    }

    /// Brings near what says whether there is an entry at a spot. What it returns means nothing, and must be used for nothing but to keep the
    /// reads: those of several calls in a row wait for memory together.
    #[inline]
    pub fn touch(&self, spot: Spot) -> u64 {
        self.shards[spot.shard as usize].touch(spot.hash)
    }

    /// The same for the beginning of the entry itself; `None` if there is none.
    #[inline]
    pub fn touch_entry(&self, spot: Spot) -> Option<u64> {
        self.shards[spot.shard as usize].touch_entry(spot.hash)
    }

    /// Copies the response stored under `key` to the start of `out`, its TTLs lowered by its age. ID, question case and
    /// header bits of the new query are the caller's to set. `None` when there is none, it is expired, or `out` is too short;
    /// what `out` holds then is of no account.
    pub fn get(&self, key: &CacheKey<'_>, now: Now, out: &mut [u8]) -> Option<Hit> {
        self.read(self.spot(key)?, key, Want::Fresh, now, out)
    }

    /// The same, where the spot of `key` is known.
    #[inline]
    pub fn get_at(&self, spot: Spot, key: &CacheKey<'_>, now: Now, out: &mut [u8]) -> Option<Hit> {
        self.read(spot, key, Want::Fresh, now, out)
    }

    /// The same, where one that is past its time will do: its TTLs are then
    /// [`STALE_TTL_S`](crate::limits::STALE_TTL_S).
    pub fn get_stale(&self, key: &CacheKey<'_>, now: Now, out: &mut [u8]) -> Option<Hit> {
        self.read(self.spot(key)?, key, Want::EvenStale, now, out)
    }

    /// Makes the renewal of an [`ending`](Hit::ending) entry the caller's, for half of the time it has left and at least
    /// [`RENEWAL_PAUSE`](crate::limits::RENEWAL_PAUSE). False if it is somebody's already.
    pub fn claim(&self, key: &CacheKey<'_>, now: Now) -> bool {
        self.place(key).is_some_and(|(hash, shard)| shard.claim(hash, key, now))
    }

    /// Notes something with the entry that `hit` was read from under `key`, for who reads it next; not if it is gone, nor if somebody writes
    /// at the moment: what is noted must be something that can be found out again.
    pub fn note(&self, key: &CacheKey<'_>, hit: &Hit, note: Note) {
        if let Some((_, shard)) = self.place(key) {
            shard.note(hit.entry, note);
        }
    }

    /// Takes every note back.
    pub fn forget_notes(&self) {
        self.shards.iter().for_each(Shard::forget_notes);
    }

    #[inline]
    fn read(&self, spot: Spot, key: &CacheKey<'_>, want: Want, now: Now, out: &mut [u8]) -> Option<Hit> {
        let (hash, shard) = (spot.hash, &self.shards[spot.shard as usize]);
        for _ in 0..READ_ATTEMPTS {
            match shard.read(hash, key, want, now, out) {
                Read::Hit(hit) => return Some(hit),
                Read::Miss => return None,
                Read::Torn => std::hint::spin_loop(),
            }
        }
        None
    }

    /// The same as [`put_with`](Cache::put_with), if the response lives for at least so long; otherwise what is there stays. Says whether it was
    /// stored.
    pub fn renew(&self, key: &CacheKey<'_>, response: &[u8], info_code: u16, least: Duration, now: Now) -> bool {
        let (Some((hash, shard)), Ok(mut kept)) = (self.place(key), lifetime::judge(key, response, self.bounds)) else {
            return false;
        };
        kept.info_code = short(info_code);
        u64::from(kept.lifetime_s) >= least.as_secs() && shard.store(hash, key, &kept, now)
    }

    /// How often something was flushed: what was asked for before the last time may be what was to be forgotten.
    pub fn flushes(&self) -> u64 {
        self.flushes.load(Relaxed)
    }

    /// Stores a whole response message (header, one question, sections; no OPT). Its lifetime is the smallest TTL in it,
    /// or RFC 2308 §5's for a negative one, between the bounds. What may not be cached (SERVFAIL, TC, TTL 0) is not.
    pub fn put(&self, key: &CacheKey<'_>, response: &[u8], now: Now) {
        self.put_with(key, response, 0, now);
    }

    /// The same, with the INFO-CODE of the Extended DNS Error that came with it, or 0.
    pub fn put_with(&self, key: &CacheKey<'_>, response: &[u8], info_code: u16, now: Now) {
        let kept = lifetime::judge(key, response, self.bounds).map(|kept| lifetime::Keepable {
            info_code: short(info_code),
            ..kept
        });
        let unfit = match (self.place(key), kept) {
            (Some((hash, shard)), Ok(kept)) if shard.store(hash, key, &kept, now) => return,
            (Some(_), Ok(_)) => Unfit::TooLarge,
            (_, Err(unfit)) => unfit,
            (None, _) => Unfit::Malformed,
        };
        let count = match unfit {
            Unfit::TooLarge => &self.too_large,
            Unfit::Uncacheable => &self.uncacheable,
            Unfit::Malformed => &self.malformed,
        };
        count.fetch_add(1, Relaxed);
    }

    /// Puts the TTLs of a response that comes from the resolver between the bounds, so that those who get it first are told no
    /// other ones than those who get it from here.
    pub fn bound_ttls(&self, response: &mut [u8]) {
        lifetime::bound(response, self.bounds);
    }

    /// Forgets everything; with a name that name, all types; with `below` also everything below it. Returns how many
    /// entries were forgotten, those past their time included. What went before is forgotten with each flush.
    pub fn flush(&self, name: Option<&Name>, below: bool) -> usize {
        self.flushes.fetch_add(1, Relaxed);
        let mut count = 0;
        for shard in &self.shards {
            shard.flush(|seen| {
                let flushed = name.is_none_or(|name| is_at_or_below(seen.question, name, below));
                count += usize::from(flushed);
                flushed
            });
        }
        count
    }

    /// Calls `visit` with each entry that lives at `now`. Entries stored or forgotten meanwhile may or may not be seen. No
    /// lock is held while `visit` runs.
    pub fn entries(&self, now: Now, mut visit: impl FnMut(Entry)) {
        for shard in &self.shards {
            let mut entries = Vec::new();
            shard.walk(now, |seen| {
                let name_bytes = seen.question.len() - 4;
                let name = Name::from_wire(&seen.question[..name_bytes]);
                if let Some(name) = name.filter(|_| seen.remaining_s > 0) {
                    entries.push(Entry {
                        name,
                        qtype: u16::from_be_bytes([seen.question[name_bytes], seen.question[name_bytes + 1]]),
                        dnssec_ok: seen.shape.dnssec_ok,
                        checking_disabled: seen.shape.checking_disabled,
                        rcode: seen.rcode,
                        remaining_s: seen.remaining_s,
                        bytes: seen.bytes as u64,
                    });
                }
                false
            });
            entries.into_iter().for_each(&mut visit);
        }
    }

    /// What it holds and did, summed over the shards one after the other.
    pub fn stats(&self) -> Stats {
        let mut stats = Stats {
            bound_bytes: self.bound_bytes,
            bytes: size_of::<Cache>() as u64,
            too_large: self.too_large.load(Relaxed),
            uncacheable: self.uncacheable.load(Relaxed),
            malformed: self.malformed.load(Relaxed),
            ..Stats::default()
        };
        for shard in &self.shards {
            let tally = shard.tally();
            stats.entries += tally.entries;
            stats.bytes += tally.bytes;
            stats.live_bytes += tally.live_bytes;
            stats.stored += tally.stored;
            stats.replaced += tally.replaced;
            stats.evicted += tally.evicted;
            stats.expired += tally.expired;
        }
        stats
    }

    /// The hash of a key and the shard it belongs to; `None` for what cannot be a name.
    fn place(&self, key: &CacheKey<'_>) -> Option<(u64, &Shard)> {
        let spot = self.spot(key)?;
        Some((spot.hash, &self.shards[spot.shard as usize]))
    }
}

/// An INFO-CODE as there is room for it.
fn short(info_code: u16) -> u8 {
    u8::try_from(info_code).ok().filter(|code| *code < 32).unwrap_or(0)
}

/// Whether a question's name is `name`, or with `below` also below it.
fn is_at_or_below(question: &[u8], name: &Name, below: bool) -> bool {
    let qname = &question[..question.len() - 4];
    let Some(cut) = qname.len().checked_sub(name.as_wire().len()) else {
        return false;
    };
    if cut == 0 || !below {
        return cut == 0 && qname.eq_ignore_ascii_case(name.as_wire());
    }
    // The rest is the name only where a label begins: `ample.com` is no part of `example.com`.
    let mut at = 0;
    for label in name::labels(qname) {
        if at >= cut {
            break;
        }
        at += label.len() + 1;
    }
    at == cut && qname[cut..].eq_ignore_ascii_case(name.as_wire())
}
