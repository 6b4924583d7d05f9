//! Reading queries, and bringing near what answering them will look at.
//!
//! In: the bytes of a query, or of several that came together. Out: [`Read`]: what they say, and where the cache looks for the answer; for those that
//! have none there, the name as the gate knows it.
//! Always: waiting for memory is done for all of them at once, in three steps that each need what the one before brought: whether there are
//! entries, the entries, the places of the gate. Nothing is decided here, and what was brought near may be gone when it is wanted: that costs
//! time only.

use crate::cache::{Cache, CacheKey, Spot};
use crate::dns::key::Key;
use crate::dns::query::{Fault, Query};
use crate::generation::Generation;
use crate::limits::LOOKED_AHEAD;
use std::hint::black_box;

/// A query that was read, before it is answered.
#[derive(Clone, Copy)]
pub struct Read<'q> {
    pub(super) query: Result<Query<'q>, Fault<'q>>,
    /// Where the cache looks for the answer.
    pub(super) spot: Option<Spot>,
    /// QNAME, where it was needed to look ahead.
    pub(super) key: Option<&'q Key>,
}

impl<'q> Read<'q> {
    /// QNAME in wire form as sent and QTYPE; `None` where the bytes are no query.
    pub fn question(&self) -> Option<(&'q [u8], u16)> {
        let query = self.query.as_ref().ok()?;
        Some((query.qname(), query.qtype))
    }
}

/// Reads a query.
#[inline]
pub fn read<'q>(cache: &Cache, bytes: &'q [u8]) -> Read<'q> {
    let query = Query::parse(bytes);
    let spot = query.as_ref().ok().and_then(|query| {
        cache.spot(&CacheKey {
            qname: query.qname(),
            qtype: query.qtype,
            dnssec_ok: query.head.dnssec_ok(),
            checking_disabled: query.head.checking_disabled,
        })
    });
    Read { query, spot, key: None }
}

/// Room to look ahead in.
pub struct Ahead {
    /// [`LOOKED_AHEAD`] of them, made anew in place.
    keys: Vec<Key>,
    places: Vec<usize>,
}

impl Default for Ahead {
    /// Room that seldom has to grow: names have few labels.
    fn default() -> Ahead {
        Ahead {
            keys: vec![Key::ROOT; LOOKED_AHEAD],
            places: Vec::with_capacity(LOOKED_AHEAD * 8),
        }
    }
}

impl Ahead {
    /// Brings near what at most [`LOOKED_AHEAD`] queries will look at.
    pub fn look<'k>(&'k mut self, generation: &Generation, cache: &Cache, reads: &mut [Option<Read<'k>>]) {
        let mut all = 0;
        for spot in reads.iter().flatten().filter_map(|read| read.spot) {
            all ^= cache.touch(spot);
        }
        self.places.clear();
        let mut room = self.keys.iter_mut();
        // Which of them have a key: a bit each.
        let mut keyed = 0u64;
        for (at, read) in reads.iter().enumerate() {
            let Some(Read {
                query: Ok(query),
                spot: Some(spot),
                ..
            }) = read
            else {
                continue;
            };
            match cache.touch_entry(*spot) {
                Some(touched) => all ^= touched,
                None => {
                    let Some(key) = room.next() else { break };
                    key.set_wire(query.qname());
                    generation.gate.foresee(key, &mut self.places);
                    keyed |= 1 << at;
                }
            }
        }
        black_box(all ^ generation.gate.touch(&self.places));
        let mut keys = self.keys.iter();
        for (at, read) in reads.iter_mut().enumerate() {
            if let (true, Some(read)) = (keyed >> at & 1 == 1, read) {
                read.key = keys.next();
            }
        }
    }
}

const _: () = assert!(LOOKED_AHEAD <= 64, "a bit for each");
