//! One part of the cache, with a lock of its own for those who write.
//!
//! In: hashes, keys, responses that may be kept. Out: copies of them.
//! Always: reading takes no lock, and writes nothing but how often an entry was read, and that only until it is counted to the end.

use super::arena::{Arena, BlockId, Header, Note, Pool, Reader, Shape};
use super::evict::{Nodes, Place, Queues};
use super::index::Index;
use super::lifetime::{Keepable, asks};
use super::{CacheKey, EntryId, Hit};
use crate::dns::name::wire_len;
use crate::dns::query::HEADER_BYTES;
use crate::limits;
use crate::now::Now;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Keeps what writers change away from the lines of cache that readers need.
#[repr(align(128))]
struct Apart<T>(T);

pub struct Shard {
    arena: Arena,
    index: Index,
    writer: Apart<Mutex<Writer>>,
}

/// What only the holder of the lock sees.
struct Writer {
    pool: Pool,
    queues: Queues,
    tally: Tally,
}

/// What one shard holds and did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    pub entries: u64,
    /// Bytes of memory taken, tables included.
    pub bytes: u64,
    /// Bytes of the blocks that entries hold now.
    pub live_bytes: u64,
    pub stored: u64,
    /// Entries that gave way to a newer response to the same question.
    pub replaced: u64,
    /// Entries that went before their time because room was needed.
    pub evicted: u64,
    /// Entries that went after their time.
    pub expired: u64,
}

/// An entry as [`Shard::walk`] shows it.
pub struct Seen<'a> {
    /// QNAME, QTYPE, QCLASS.
    pub question: &'a [u8],
    pub rcode: u8,
    pub shape: Shape,
    /// Seconds it still lives; 0 if it does not.
    pub remaining_s: u32,
    /// What it takes, in bytes of whole blocks.
    pub bytes: usize,
}

/// What became of one attempt to read.
pub enum Read {
    Hit(Hit),
    Miss,
    /// A writer got in between; try again.
    Torn,
}

/// The queues' view of a shard at one moment.
struct Moment<'a> {
    arena: &'a Arena,
    now: Now,
}

impl Nodes for Moment<'_> {
    fn place(&self, id: u32) -> Place {
        self.arena.place(id)
    }
    fn set_place(&self, id: u32, place: Place) {
        self.arena.set_place(id, place);
    }
    fn reads(&self, id: u32) -> u32 {
        self.arena.reads(id)
    }
    fn set_reads(&self, id: u32, reads: u32) {
        self.arena.set_reads(id, reads);
    }
    fn is_dead(&self, id: u32) -> bool {
        age(&header(self.arena, id), self.now).is_none()
    }
    fn hash(&self, id: u32) -> u64 {
        header(self.arena, id).hash
    }
}

/// The header of a stored entry, read under the lock.
fn header(arena: &Arena, id: BlockId) -> Header {
    arena.read(id).expect("a queued entry is stored").header()
}

/// The whole seconds an entry has been stored, if it still lives.
fn age(header: &Header, now: Now) -> Option<u32> {
    let age_s = now.mono_ms.saturating_sub(header.stored_ms) / 1000;
    u32::try_from(age_s)
        .ok()
        .filter(|&age_s| age_s < header.shape.lifetime_s)
}

fn is_for(shape: Shape, key: &CacheKey<'_>) -> bool {
    shape.dnssec_ok == key.dnssec_ok && shape.checking_disabled == key.checking_disabled
}

/// Header and question of the longest name, in bytes.
const QUESTION_END: usize = HEADER_BYTES + 255 + 4;

/// The start of a stored message, at least its header and question, read under the lock.
fn start_of<'a>(arena: &Arena, id: BlockId, buffer: &'a mut [u8; QUESTION_END]) -> &'a [u8] {
    let mut entry = arena.read(id).expect("a queued entry is stored");
    let length = usize::from(entry.header().shape.message_bytes).min(QUESTION_END);
    let start = &mut buffer[..length];
    entry.message(start).expect("a stored entry is whole");
    start
}

/// The question section of a stored message that starts like this.
fn question_of(start: &[u8]) -> &[u8] {
    let question = &start[HEADER_BYTES..];
    let name = wire_len(question).expect("a stored message begins with a question");
    &question[..name + 4]
}

/// Whether an entry with so much left of such a lifetime, both in seconds, is worth renewing for who reads it next.
fn is_ending(remaining_s: u32, lifetime_s: u32) -> bool {
    lifetime_s >= limits::RENEWED_LIFETIME_S && (1..=lifetime_s / limits::RENEWED_PART).contains(&remaining_s)
}

/// Whether an entry past its time will do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Want {
    Fresh,
    /// One not longer past than [`limits::STALE_S`].
    EvenStale,
}

/// Copies the message of an entry to the start of `out` and lowers its TTLs; `None` if it is too long for `out`, too old, or
/// the answer to another question. What is being read may be torn, so nothing is taken on trust.
fn copy(
    block: BlockId,
    entry: &mut Reader<'_>,
    header: &Header,
    key: &CacheKey<'_>,
    want: Want,
    now: Now,
    out: &mut [u8],
) -> Option<Hit> {
    let shape = header.shape;
    let len = usize::from(shape.message_bytes);
    let age_s = match (age(header, now), want) {
        (Some(age_s), _) => Some(age_s),
        (None, Want::Fresh) => return None,
        (None, Want::EvenStale) => {
            let past_s = now.mono_ms.saturating_sub(header.stored_ms) / 1000;
            if past_s >= u64::from(shape.lifetime_s) + u64::from(limits::STALE_S) {
                return None;
            }
            None
        }
    };
    let message = out.get_mut(..len)?;
    entry.message(message)?;
    if !asks(message.get(HEADER_BYTES..HEADER_BYTES + key.qname.len() + 4)?, key) {
        return None;
    }
    if age_s != Some(0) {
        entry.ttls(shape, |offset| {
            if let Some(bytes) = message.get_mut(offset..).and_then(|rest| rest.first_chunk_mut::<4>()) {
                let ttl = match age_s {
                    Some(age_s) => u32::from_be_bytes(*bytes).saturating_sub(age_s),
                    None => limits::STALE_TTL_S,
                };
                *bytes = ttl.to_be_bytes();
            }
        })?;
    }
    Some(Hit {
        len,
        remaining_s: age_s.map_or(0, |age_s| shape.lifetime_s - age_s),
        lifetime_s: shape.lifetime_s,
        stale: age_s.is_none(),
        ending: false,
        info_code: shape.info_code,
        note: entry.note(),
        entry: EntryId { block, id: entry.id() },
    })
}

impl Shard {
    /// A shard that takes at most `bytes` bytes, itself included.
    pub fn new(bytes: usize) -> Shard {
        // A slot of the index for every block: entries of more than one block leave it half empty.
        let room = |blocks: usize| {
            let arena = Arena::new(blocks);
            size_of::<Shard>()
                + arena.bytes(blocks)
                + Index::new(blocks).full_bytes()
                + Queues::new(blocks).full_bytes()
        };
        let mut blocks = bytes / (Arena::BLOCK_BYTES + size_of::<u64>());
        while blocks > 0 && room(blocks) > bytes {
            blocks -= (blocks / 256).max(1);
        }
        Shard {
            arena: Arena::new(blocks),
            index: Index::new(blocks),
            writer: Apart(Mutex::new(Writer {
                pool: Pool::default(),
                queues: Queues::new(blocks),
                tally: Tally::default(),
            })),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Writer> {
        self.writer.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Brings near what says whether there is an entry of this hash.
    #[inline]
    pub fn touch(&self, hash: u64) -> u64 {
        self.index.touch(hash)
    }

    /// The same for the beginning of the entry itself; `None` if there is none.
    #[inline]
    pub fn touch_entry(&self, hash: u64) -> Option<u64> {
        self.index.find(hash).next().map(|id| self.arena.touch(id))
    }

    /// Copies the response stored under `key`, whose hash this is, to the start of `out`.
    pub fn read(&self, hash: u64, key: &CacheKey<'_>, want: Want, now: Now, out: &mut [u8]) -> Read {
        for id in self.index.find(hash) {
            let Some(mut entry) = self.arena.read(id) else {
                return Read::Torn;
            };
            let header = entry.header();
            if header.hash != hash || !is_for(header.shape, key) {
                // Another entry of nearly the same hash, or one that took this one's place since.
                if entry.unchanged() {
                    continue;
                }
                return Read::Torn;
            }
            let copied = copy(id, &mut entry, &header, key, want, now, out);
            if !entry.unchanged() {
                return Read::Torn;
            }
            if let Some(mut hit) = copied {
                let claimed_ms = entry.count_read();
                hit.ending = is_ending(hit.remaining_s, hit.lifetime_s)
                    && claimed_ms.is_some_and(|until_ms| until_ms <= now.mono_ms);
                return Read::Hit(hit);
            }
        }
        Read::Miss
    }

    /// Notes something with an entry, unless it is gone or somebody holds the lock.
    pub fn note(&self, entry: EntryId, note: Note) {
        if let Ok(_writer) = self.writer.0.try_lock() {
            self.arena.set_note(entry.block, entry.id, note);
        }
    }

    /// Takes all notes back.
    pub fn forget_notes(&self) {
        let writer = self.lock();
        for id in writer.queues.iter(&self.at(Now::default())) {
            let entry = self.arena.read(id).expect("a queued entry is stored");
            self.arena.set_note(id, entry.id(), Note::default());
        }
    }

    /// Makes the renewal of the entry stored under `key`, whose hash this is, the caller's for a while, unless it is somebody's.
    pub fn claim(&self, hash: u64, key: &CacheKey<'_>, now: Now) -> bool {
        // Names of the same whole hash are too rare to be told apart here: one would go without a renewal.
        let entry = self
            .index
            .find(hash)
            .filter_map(|id| self.arena.read(id))
            .find(|entry| {
                let header = entry.header();
                header.hash == hash && is_for(header.shape, key)
            });
        entry.is_some_and(|entry| {
            let header = entry.header();
            let left_s = header.shape.lifetime_s - age(&header, now).unwrap_or(header.shape.lifetime_s);
            let pause_ms = (u64::from(left_s) * 500).max(limits::RENEWAL_PAUSE.as_millis() as u64);
            entry.claim(now.mono_ms, now.mono_ms + pause_ms)
        })
    }

    /// Stores a response under `key`, whose hash this is, in the place of one that was there. False if the shard is too
    /// small for it.
    pub fn store(&self, hash: u64, key: &CacheKey<'_>, kept: &Keepable, now: Now) -> bool {
        let shape = Shape {
            lifetime_s: kept.lifetime_s,
            message_bytes: kept.message.len() as u16,
            ttls: kept.ttl_offsets.len() as u16,
            dnssec_ok: key.dnssec_ok,
            checking_disabled: key.checking_disabled,
            info_code: kept.info_code,
        };
        // One response never pushes out more than a quarter of a shard.
        if shape.blocks() > self.arena.blocks() / 4 {
            return false;
        }
        let mut writer = self.lock();
        let writer = &mut *writer;
        let moment = self.at(now);
        while writer.pool.free_blocks(&self.arena) < shape.blocks() {
            let Some(victim) = writer.queues.victim(&moment) else {
                return false;
            };
            self.evict(writer, victim, now);
        }

        let header = Header {
            hash,
            stored_ms: now.mono_ms,
            shape,
        };
        let old = self.find(hash, key);
        let new = writer
            .pool
            .store(&self.arena, &header, &kept.message, &kept.ttl_offsets);
        if let Some(old) = old {
            writer.queues.replace(&moment, old, new);
            self.index.replace(hash, old, new);
            writer.pool.free(&self.arena, old);
            writer.tally.replaced += 1;
        } else {
            if !self.index.insert(hash, new) {
                self.evict(writer, self.crowded_out(hash, now), now);
                let inserted = self.index.insert(hash, new);
                assert!(inserted, "a slot of this hash was emptied under the lock");
            }
            writer.queues.admit(&moment, new);
        }
        writer.tally.stored += 1;
        true
    }

    fn at(&self, now: Now) -> Moment<'_> {
        Moment {
            arena: &self.arena,
            now,
        }
    }

    /// The entry stored under `key`, under the lock.
    fn find(&self, hash: u64, key: &CacheKey<'_>) -> Option<BlockId> {
        self.index.find(hash).find(|&id| {
            let header = header(&self.arena, id);
            header.hash == hash && is_for(header.shape, key) && {
                let mut start = [0; QUESTION_END];
                asks(question_of(start_of(&self.arena, id, &mut start)), key)
            }
        })
    }

    /// Which entry goes when both buckets of a hash are full: a dead one, else one not read lately, else any.
    fn crowded_out(&self, hash: u64, now: Now) -> BlockId {
        let moment = self.at(now);
        self.index
            .neighbors(hash)
            .min_by_key(|&id| (!moment.is_dead(id), moment.reads(id), moment.place(id).resident))
            .expect("full buckets hold entries")
    }

    /// Removes an entry because room is needed.
    fn evict(&self, writer: &mut Writer, id: BlockId, now: Now) {
        let header = header(&self.arena, id);
        match age(&header, now) {
            Some(_) => writer.tally.evicted += 1,
            None => writer.tally.expired += 1,
        }
        self.index.remove(header.hash, id);
        writer.queues.evict(&self.at(now), id);
        writer.pool.free(&self.arena, id);
    }

    /// Forgets those entries for which `flushed` returns true, and all that is remembered of entries that went before: nobody can
    /// tell any more of which names they were, so what is to be forgotten may be among them.
    pub fn flush(&self, flushed: impl FnMut(&Seen<'_>) -> bool) {
        // Whether an entry still lives makes no difference here, so any moment will do.
        self.walk(Now::default(), flushed);
        self.lock().queues.forget_departed();
    }

    /// Calls `visit` with each entry, those first that would go first, and forgets those for which it returns true. The lock is held
    /// meanwhile, so `visit` must not wait for anything.
    pub fn walk(&self, now: Now, mut visit: impl FnMut(&Seen<'_>) -> bool) {
        let mut writer = self.lock();
        let moment = self.at(now);
        let ids: Vec<BlockId> = writer.queues.iter(&moment).collect();
        for id in ids {
            let mut start = [0; QUESTION_END];
            let start = start_of(&self.arena, id, &mut start);
            let header = header(&self.arena, id);
            let seen = Seen {
                rcode: start[3] & 15,
                question: question_of(start),
                shape: header.shape,
                remaining_s: age(&header, now).map_or(0, |age_s| header.shape.lifetime_s - age_s),
                bytes: header.shape.blocks() * Arena::BLOCK_BYTES,
            };
            if visit(&seen) {
                self.index.remove(header.hash, id);
                writer.queues.remove(&moment, id);
                writer.pool.free(&self.arena, id);
            }
        }
    }

    /// Takes the counts of reads of all entries, as eviction does on its way.
    #[cfg(test)]
    pub fn forget_reads(&self) {
        let writer = self.lock();
        let moment = self.at(Now::default());
        writer.queues.iter(&moment).for_each(|id| moment.set_reads(id, 0));
    }

    /// What it holds and did.
    pub fn tally(&self) -> Tally {
        let writer = self.lock();
        Tally {
            entries: writer.queues.len() as u64,
            bytes: (size_of::<Shard>()
                + self.arena.bytes(writer.pool.used_blocks())
                + self.index.bytes()
                + writer.queues.bytes()) as u64,
            live_bytes: (writer.pool.live_blocks() * Arena::BLOCK_BYTES) as u64,
            ..writer.tally
        }
    }
}
