//! Where entries lie: blocks of 128 bytes, an entry a chain of them, read without a lock while others write.
//!
//! In: an entry as words. Out: the number of its first block, and readers of it.
//! Always: no `unsafe`; memory is taken a segment at a time as blocks are first used, and then kept. A reader sees one
//! whole entry or knows that it did not ([`Reader::unchanged`]).
//!
//! How a reader knows: a block's first word holds a version, whether the block begins an entry, and the next block. The
//! words of an entry, its note apart, never change; a block gets new content only after the entry it was part of was freed, which clears
//! the mark in that entry's first block. So a reader remembers the first word of the first block, reads, and looks at it
//! again: the same word means that none of its blocks was freed in between, thus none reused. The version grows by one
//! each time a block begins an entry and has 35 bits, so "the same word" is not "the same word again".
//!
//! Orderings: whoever frees or writes does it under the shard's lock, with a release fence between clearing a mark and
//! each later store to a block (in [`Pool::store`] and [`Pool::free`]); a reader's acquire fence before its second look
//! pairs with it. Publishing an entry is a release store of its first word, paired with the acquire load that begins a read.

use super::evict::{MOST_READS, Place};
use std::sync::OnceLock;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicU32, AtomicU64, fence};

/// Words of a block that can be content, 8 bytes each.
const BLOCK_WORDS: usize = 14;
// Only in an entry's first block:
const HASH: usize = 0;
const STORED: usize = 1;
const SHAPE: usize = 2;
const PLACE: usize = 3;
/// Words of an entry's first block before its content.
const HEADER_WORDS: usize = 4;
/// Blocks that are allocated together (32 KiB): small against a cache, large against what an allocation costs.
const SEGMENT_BLOCKS: usize = 256;
/// What an allocation costs beside its bytes: the allocator's own word or two and the alignment.
const ALLOCATION_BYTES: usize = 128 + 16;

const NEXT_BITS: u32 = 28;
const NEXT_MASK: u64 = (1 << NEXT_BITS) - 1;
const HEAD_BIT: u64 = 1 << NEXT_BITS;
const VERSION_ONE: u64 = HEAD_BIT << 1;
/// In the word that holds an entry's place, beside the newer neighbor.
const RESIDENT_BIT: u64 = HEAD_BIT;

/// In the word that says when an entry was stored: milliseconds, which last for 34 years, and above them the note.
const STORED_BITS: u32 = 40;
const STORED_MASK: u64 = (1 << STORED_BITS) - 1;

/// The most blocks of one arena: a block's number has 28 bits.
const MAX_BLOCKS: usize = NEXT_MASK as usize;

/// The number of a block, from 1; 0 is none.
pub type BlockId = u32;

/// Two lines of cache: processors fetch them in pairs.
#[repr(align(128))]
struct Block {
    /// Version, whether an entry begins here, next block.
    version: AtomicU64,
    /// How often the entry that begins here was read, up to [`MOST_READS`]. No content ever lies here or in `claimed_s`, because
    /// readers may write them late, when the block has become part of another entry; and they lie apart, because who counts a
    /// read must not undo a claim.
    reads: AtomicU32,
    /// Until when its renewal is somebody's, in seconds.
    claimed_s: AtomicU32,
    words: [AtomicU64; BLOCK_WORDS],
}

impl Block {
    fn empty() -> Block {
        Block {
            version: AtomicU64::new(0),
            reads: AtomicU32::new(0),
            claimed_s: AtomicU32::new(0),
            words: [const { AtomicU64::new(0) }; BLOCK_WORDS],
        }
    }

    fn next(&self) -> BlockId {
        (self.version.load(Relaxed) & NEXT_MASK) as BlockId
    }

    fn set_next(&self, next: BlockId) {
        let word = self.version.load(Relaxed);
        self.version.store(word & !NEXT_MASK | u64::from(next), Relaxed);
    }
}

/// What those who read an entry have noted with it: [`Note::BITS`] bits that mean something to them; 0 at first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Note(pub u32);

impl Note {
    pub const BITS: u32 = u64::BITS - STORED_BITS;
}

/// What is known of an entry beside its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    pub hash: u64,
    /// When it was stored, milliseconds of the clock that never goes back.
    pub stored_ms: u64,
    pub shape: Shape,
}

/// How long an entry lives and how large it is, in one word: lifetime 31 bits, message 15, TTLs 11, flags 2, INFO-CODE 5.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Seconds, below 2^31.
    pub lifetime_s: u32,
    /// Bytes of the message, below 2^15.
    pub message_bytes: u16,
    /// How many TTLs the message holds, below 2^11.
    pub ttls: u16,
    pub dnssec_ok: bool,
    pub checking_disabled: bool,
    /// Below 2^5.
    pub info_code: u8,
}

impl Shape {
    fn to_word(self) -> u64 {
        debug_assert!(self.lifetime_s < 1 << 31 && self.message_bytes < 1 << 15 && self.ttls < 1 << 11);
        debug_assert!(self.info_code < 1 << 5);
        u64::from(self.lifetime_s)
            | u64::from(self.message_bytes) << 31
            | u64::from(self.ttls) << 46
            | u64::from(self.dnssec_ok) << 57
            | u64::from(self.checking_disabled) << 58
            | u64::from(self.info_code) << 59
    }

    fn from_word(word: u64) -> Shape {
        Shape {
            lifetime_s: (word & 0x7fff_ffff) as u32,
            message_bytes: (word >> 31 & 0x7fff) as u16,
            ttls: (word >> 46 & 0x7ff) as u16,
            dnssec_ok: word >> 57 & 1 == 1,
            checking_disabled: word >> 58 & 1 == 1,
            info_code: (word >> 59) as u8,
        }
    }

    /// Words of content: the message, then the offsets of its TTLs, four a word.
    pub fn words(self) -> usize {
        usize::from(self.message_bytes).div_ceil(8) + usize::from(self.ttls).div_ceil(4)
    }

    /// Blocks that an entry of this shape takes.
    pub fn blocks(self) -> usize {
        1 + self
            .words()
            .saturating_sub(BLOCK_WORDS - HEADER_WORDS)
            .div_ceil(BLOCK_WORDS)
    }
}

/// The blocks, for readers.
pub struct Arena {
    segments: Box<[OnceLock<Box<[Block]>>]>,
    blocks: usize,
}

impl Arena {
    /// Bytes of one block.
    pub const BLOCK_BYTES: usize = size_of::<Block>();

    /// An arena of `blocks` blocks, none of them allocated yet.
    pub fn new(blocks: usize) -> Arena {
        let blocks = blocks.min(MAX_BLOCKS);
        // Number 0 is never used, its place is.
        let segments = (blocks + 1).div_ceil(SEGMENT_BLOCKS);
        Arena {
            segments: (0..segments).map(|_| OnceLock::new()).collect(),
            blocks,
        }
    }

    /// Blocks there can be.
    pub fn blocks(&self) -> usize {
        self.blocks
    }

    /// Bytes of memory taken when `used` blocks have been used at one time or another.
    pub fn bytes(&self, used: usize) -> usize {
        let segments = match used {
            0 => 0,
            _ => (used + 1).div_ceil(SEGMENT_BLOCKS),
        };
        size_of_val(&*self.segments) + segments * (SEGMENT_BLOCKS * Self::BLOCK_BYTES + ALLOCATION_BYTES)
    }

    fn block(&self, id: BlockId) -> Option<&Block> {
        let id = id as usize;
        self.segments.get(id / SEGMENT_BLOCKS)?.get()?.get(id % SEGMENT_BLOCKS)
    }

    /// The block of a number that this arena gave out.
    fn own(&self, id: BlockId) -> &Block {
        self.block(id).expect("only numbers of allocated blocks are given out")
    }

    /// Begins to read the entry whose first block is `head`; `None` if no entry begins there (any more).
    pub fn read(&self, head: BlockId) -> Option<Reader<'_>> {
        let block = self.block(head)?;
        let version = block.version.load(Acquire);
        (version & HEAD_BIT != 0).then_some(Reader {
            arena: self,
            head: block,
            version,
            block,
            at: HEADER_WORDS,
        })
    }

    /// Reads both lines of a block, so that they are near for who reads the entry soon after.
    #[inline]
    pub fn touch(&self, head: BlockId) -> u64 {
        let lines = |block: &Block| block.version.load(Relaxed) ^ block.words[BLOCK_WORDS - 1].load(Relaxed);
        self.block(head).map_or(0, lines)
    }

    /// The place of an entry in the order of eviction. Under the shard's lock only.
    pub fn place(&self, head: BlockId) -> Place {
        let word = self.own(head).words[PLACE].load(Relaxed);
        Place {
            newer: (word & NEXT_MASK) as BlockId,
            older: (word >> 32) as BlockId,
            resident: word & RESIDENT_BIT != 0,
        }
    }

    /// The same, set.
    pub fn set_place(&self, head: BlockId, place: Place) {
        let resident = if place.resident { RESIDENT_BIT } else { 0 };
        let word = u64::from(place.newer) | resident | u64::from(place.older) << 32;
        self.own(head).words[PLACE].store(word, Relaxed);
    }

    /// Notes something with an entry, unless it is another one by now. Under the shard's lock only, so that it stays the one it is meanwhile.
    pub fn set_note(&self, head: BlockId, id: u64, note: Note) {
        if let Some(block) = self.block(head).filter(|block| block.version.load(Relaxed) == id) {
            let stored = block.words[STORED].load(Relaxed) & STORED_MASK;
            block.words[STORED].store(stored | u64::from(note.0) << STORED_BITS, Relaxed);
        }
    }

    /// How often an entry was read, up to [`MOST_READS`], since this was last set.
    pub fn reads(&self, head: BlockId) -> u32 {
        self.own(head).reads.load(Relaxed)
    }

    /// The same, set. A read at the same moment may get lost, or undo this.
    pub fn set_reads(&self, head: BlockId, reads: u32) {
        self.own(head).reads.store(reads, Relaxed);
    }
}

/// One entry, being read. What it yields is to be believed only when [`unchanged`](Reader::unchanged) says so afterwards;
/// until then it may be a mixture, so nothing read may be trusted to be in bounds.
pub struct Reader<'a> {
    arena: &'a Arena,
    head: &'a Block,
    version: u64,
    block: &'a Block,
    at: usize,
}

impl Reader<'_> {
    pub fn header(&self) -> Header {
        Header {
            hash: self.head.words[HASH].load(Relaxed),
            stored_ms: self.head.words[STORED].load(Relaxed) & STORED_MASK,
            shape: Shape::from_word(self.head.words[SHAPE].load(Relaxed)),
        }
    }

    /// What was noted with the entry.
    pub fn note(&self) -> Note {
        Note((self.head.words[STORED].load(Relaxed) >> STORED_BITS) as u32)
    }

    /// Tells this entry from all others, also those that have its block later.
    pub fn id(&self) -> u64 {
        self.version
    }

    /// Hands the next `count` words of content to `take`, as many at a time as lie together; `None` if the chain ends before, which only a torn
    /// read sees.
    #[inline]
    fn words(&mut self, mut count: usize, mut take: impl FnMut(&[AtomicU64])) -> Option<()> {
        while count > 0 {
            if self.at == BLOCK_WORDS {
                self.block = self.arena.block(self.block.next())?;
                self.at = 0;
            }
            let words = count.min(BLOCK_WORDS - self.at);
            take(&self.block.words[self.at..self.at + words]);
            self.at += words;
            count -= words;
        }
        Some(())
    }

    /// Copies the start of the message to `out`, as much as `out` holds; `out` is at most as long as the message.
    /// Content is read in order: this first, the TTLs when the whole message was read.
    #[inline]
    pub fn message(&mut self, out: &mut [u8]) -> Option<()> {
        let (mut whole, rest) = out.split_at_mut(out.len() / 8 * 8);
        self.words(whole.len() / 8, |words| {
            let (these, behind) = std::mem::take(&mut whole).split_at_mut(8 * words.len());
            for (word, bytes) in words.iter().zip(these.chunks_exact_mut(8)) {
                bytes.copy_from_slice(&word.load(Relaxed).to_le_bytes());
            }
            whole = behind;
        })?;
        if rest.is_empty() {
            return Some(());
        }
        self.words(1, |words| {
            let word = words.first().map_or(0, |word| word.load(Relaxed));
            rest.copy_from_slice(&word.to_le_bytes()[..rest.len()]);
        })
    }

    /// Hands the offsets of the message's TTLs to `take`, after [`message`](Reader::message).
    pub fn ttls(&mut self, shape: Shape, mut take: impl FnMut(usize)) -> Option<()> {
        let mut left = usize::from(shape.ttls);
        self.words(left.div_ceil(4), |words| {
            for word in words.iter().map(|word| word.load(Relaxed)) {
                let here = left.min(4);
                left -= here;
                for place in 0..here {
                    take((word >> (16 * place) & 0xffff) as usize);
                }
            }
        })
    }

    /// Whether everything read so far was of one entry, and that entry is still stored.
    pub fn unchanged(&self) -> bool {
        fence(Acquire);
        self.head.version.load(Relaxed) == self.version
    }

    /// Counts a read, up to [`MOST_READS`]; a full count is not written. Of reads at the same moment some get lost, and on an entry that was just
    /// replaced the count lands on whatever has the block next: neither does harm. Returns until when its renewal is somebody's, in
    /// milliseconds, 0 if it never was; `None` for one that was not read before.
    pub fn count_read(&self) -> Option<u64> {
        let before = self.head.reads.load(Relaxed);
        if before < MOST_READS {
            self.head.reads.store(before + 1, Relaxed);
        }
        (before > 0).then(|| u64::from(self.head.claimed_s.load(Relaxed)) * 1000)
    }

    /// Makes its renewal the caller's until `until_ms` or up to a second later. False if it is somebody's already at `now_ms`.
    pub fn claim(&self, now_ms: u64, until_ms: u64) -> bool {
        let claimed_s = &self.head.claimed_s;
        let before = claimed_s.load(Relaxed);
        // Past what 32 bits hold, in more than a hundred years, everybody may renew everything.
        let until_s = u32::try_from(until_ms.div_ceil(1000)).unwrap_or(0);
        u64::from(before) * 1000 <= now_ms && claimed_s.compare_exchange(before, until_s, Relaxed, Relaxed).is_ok()
    }
}

/// The free blocks, for the one who holds the shard's lock.
#[derive(Default)]
pub struct Pool {
    /// First of the freed blocks, each linked to the next.
    freed: BlockId,
    freed_count: usize,
    /// Blocks used at one time or another; higher numbers never were.
    used: usize,
}

impl Pool {
    /// Blocks that can be taken now.
    pub fn free_blocks(&self, arena: &Arena) -> usize {
        self.freed_count + arena.blocks - self.used
    }

    /// Blocks used at one time or another.
    pub fn used_blocks(&self) -> usize {
        self.used
    }

    /// Blocks that entries hold now.
    pub fn live_blocks(&self) -> usize {
        self.used - self.freed_count
    }

    fn take(&mut self, arena: &Arena) -> BlockId {
        if self.freed_count > 0 {
            let id = self.freed;
            self.freed = arena.own(id).next();
            self.freed_count -= 1;
            return id;
        }
        assert!(self.used < arena.blocks, "free_blocks was asked before");
        self.used += 1;
        arena.segments[self.used / SEGMENT_BLOCKS]
            .get_or_init(|| (0..SEGMENT_BLOCKS).map(|_| Block::empty()).collect());
        self.used as BlockId
    }

    /// Stores an entry; there must be as many free blocks as its shape takes. `message` and `ttls` are as long as the
    /// header's shape says.
    pub fn store(&mut self, arena: &Arena, header: &Header, message: &[u8], ttls: &[u16]) -> BlockId {
        debug_assert_eq!(message.len(), usize::from(header.shape.message_bytes));
        debug_assert_eq!(ttls.len(), usize::from(header.shape.ttls));
        // The blocks may have been freed by another thread; see the orderings above.
        fence(Release);
        let head = self.take(arena);
        let head_block = arena.own(head);
        head_block.words[HASH].store(header.hash, Relaxed);
        head_block.words[STORED].store(header.stored_ms & STORED_MASK, Relaxed);
        head_block.words[SHAPE].store(header.shape.to_word(), Relaxed);
        head_block.words[PLACE].store(0, Relaxed);
        head_block.reads.store(0, Relaxed);
        head_block.claimed_s.store(0, Relaxed);

        let (mut block, mut at) = (head_block, HEADER_WORDS);
        let mut put = |word: u64| {
            if at == BLOCK_WORDS {
                let next = self.take(arena);
                block.set_next(next);
                block = arena.own(next);
                at = 0;
            }
            block.words[at].store(word, Relaxed);
            at += 1;
        };
        for chunk in message.chunks(8) {
            let mut bytes = [0; 8];
            bytes[..chunk.len()].copy_from_slice(chunk);
            put(u64::from_le_bytes(bytes));
        }
        for chunk in ttls.chunks(4) {
            put(chunk.iter().rev().fold(0, |word, &ttl| word << 16 | u64::from(ttl)));
        }

        let version = head_block.version.load(Relaxed).wrapping_add(VERSION_ONE);
        head_block.version.store(version | HEAD_BIT, Release);
        head
    }

    /// Frees the blocks of the entry that begins at `head`.
    pub fn free(&mut self, arena: &Arena, head: BlockId) {
        let head_block = arena.own(head);
        let blocks = Shape::from_word(head_block.words[SHAPE].load(Relaxed)).blocks();
        let version = head_block.version.load(Relaxed);
        assert!(version & HEAD_BIT != 0, "an entry is freed once");
        head_block.version.store(version & !HEAD_BIT, Relaxed);
        fence(Release);
        let mut last = head_block;
        for _ in 1..blocks {
            last = arena.own(last.next());
        }
        last.set_next(self.freed);
        self.freed = head;
        self.freed_count += blocks;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(message: &[u8], ttls: &[u16]) -> Header {
        Header {
            hash: 0x0123_4567_89ab_cdef,
            stored_ms: STORED_MASK,
            shape: Shape {
                info_code: 31,
                lifetime_s: (1 << 31) - 1,
                message_bytes: message.len() as u16,
                ttls: ttls.len() as u16,
                dnssec_ok: true,
                checking_disabled: false,
            },
        }
    }

    fn read_back(arena: &Arena, id: BlockId) -> (Header, Vec<u8>, Vec<u16>) {
        let mut reader = arena.read(id).expect("an entry begins here");
        let header = reader.header();
        let mut message = vec![0; usize::from(header.shape.message_bytes)];
        reader.message(&mut message).unwrap();
        let mut ttls = Vec::new();
        reader.ttls(header.shape, |ttl| ttls.push(ttl as u16)).unwrap();
        assert!(reader.unchanged());
        (header, message, ttls)
    }

    #[test]
    fn a_note_stays_with_its_entry_and_with_no_other() {
        let arena = Arena::new(4);
        let mut pool = Pool::default();
        let first = pool.store(&arena, &header(b"a", &[]), b"a", &[]);
        let id = arena.read(first).unwrap().id();
        assert_eq!(arena.read(first).unwrap().note(), Note(0));
        let most = Note((1 << Note::BITS) - 1);
        arena.set_note(first, id, most);
        let read = arena.read(first).unwrap();
        assert_eq!((read.note(), read.header()), (most, header(b"a", &[])));
        assert!(read.unchanged());
        pool.free(&arena, first);
        arena.set_note(first, id, most);
        let second = pool.store(&arena, &header(b"b", &[]), b"b", &[]);
        assert_eq!(second, first, "the same block again");
        arena.set_note(second, id, most);
        assert_eq!(arena.read(second).unwrap().note(), Note(0));
    }

    #[test]
    fn entries_of_every_length_around_a_block_come_back_whole() {
        let arena = Arena::new(600);
        let mut pool = Pool::default();
        for length in (0..420).chain([16_384]) {
            for ttl_count in [0, 1, 4, 5, 41] {
                let message: Vec<u8> = (0..length).map(|at| (at * 7 + length) as u8).collect();
                let ttls: Vec<u16> = (0..ttl_count).map(|at| at * 1000 + 3).collect();
                let header = header(&message, &ttls);
                let before = pool.free_blocks(&arena);
                let id = pool.store(&arena, &header, &message, &ttls);
                assert_eq!(before - pool.free_blocks(&arena), header.shape.blocks());
                assert_eq!(read_back(&arena, id), (header, message, ttls));
                pool.free(&arena, id);
                assert!(arena.read(id).is_none(), "a freed entry cannot be found");
                assert_eq!(pool.free_blocks(&arena), before);
            }
        }
    }

    #[test]
    fn a_reader_notices_that_its_entry_was_freed_and_its_blocks_reused() {
        let arena = Arena::new(8);
        let mut pool = Pool::default();
        let first = header(&[1; 100], &[]);
        let id = pool.store(&arena, &first, &[1; 100], &[]);
        let reader = arena.read(id).unwrap();
        assert!(reader.unchanged());
        pool.free(&arena, id);
        assert!(!reader.unchanged());
        let again = pool.store(&arena, &first, &[1; 100], &[]);
        assert_eq!(again, id, "the block is the same, the version is not");
        assert!(!reader.unchanged());
    }

    #[test]
    fn memory_is_taken_as_blocks_are_first_used_and_not_before() {
        let arena = Arena::new(10_000);
        let mut pool = Pool::default();
        assert!(arena.bytes(pool.used_blocks()) < 2048);
        let id = pool.store(&arena, &header(&[0; 50], &[]), &[0; 50], &[]);
        let one = arena.bytes(pool.used_blocks());
        assert!((32_768..40_000).contains(&one), "{one}");
        pool.free(&arena, id);
        pool.store(&arena, &header(&[0; 50], &[]), &[0; 50], &[]);
        assert_eq!(
            arena.bytes(pool.used_blocks()),
            one,
            "a freed block is used before a fresh one"
        );
        assert_eq!(
            arena.segments.iter().filter(|segment| segment.get().is_some()).count(),
            1
        );
    }
}
