//! Answers in wire form, as the resolver gave them; never what policy made of them.
//!
//! In: a key, a response. Out: the response with TTLs lowered by its age.
//! Always: a read takes no lock, writes no cache line that another core reads, and allocates nothing.

use crate::dns::name::Name;
use crate::now::Now;
use std::time::Duration;

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
#[derive(Debug, Clone, Copy)]
pub struct Hit {
    /// How many bytes of `out` were written.
    pub len: usize,
    /// How long it still lives, in seconds; 0 for a stale one.
    pub remaining_s: u32,
    /// Past its TTL, kept for RFC 8767.
    pub stale: bool,
}

/// The answer cache, shared by all threads.
pub struct Cache {}

impl Cache {
    /// A cache of at most `bytes` bytes, everything included, within a tenth. Memory is taken as it fills.
    pub fn new(bytes: u64, min_ttl: Duration, max_ttl: Duration) -> Cache {
        let _ = (bytes, min_ttl, max_ttl);
        Cache {}
    }

    /// Copies the response stored under `key` to the start of `out`, its TTLs lowered by its age. ID, question case and
    /// header bits of the new query are the caller's to set. `None` when there is none, it is expired, or `out` is too short.
    pub fn get(&self, key: &CacheKey<'_>, now: Now, out: &mut [u8]) -> Option<Hit> {
        let _ = (key, now, out);
        None
    }

    /// Stores a whole response message (header, one question, sections; no OPT). Its lifetime is the smallest TTL in it,
    /// or RFC 2308 §5's for a negative one, between the bounds. What may not be cached (SERVFAIL, TC, TTL 0) is not.
    pub fn put(&self, key: &CacheKey<'_>, response: &[u8], now: Now) {
        let _ = (key, response, now);
    }

    /// Forgets everything; with a name that name, all types; with `below` also everything below it. Returns how many.
    pub fn flush(&self, name: Option<&Name>, below: bool) -> usize {
        let _ = (name, below);
        0
    }
}
