//! Where entries lie: blocks of 128 bytes, an entry a chain of them, read without a lock while others write.
//!
//! In: an entry as words. Out: the number of its first block, and readers of it.
//! Always: no `unsafe`; memory is taken a segment at a time as blocks are first used, and then kept. A reader sees one
//! whole entry or knows that it did not ([`Reader::unchanged`]).
//!
//! How a reader knows: a block's first word holds a version, whether the block begins an entry, and the next block. The
//! words of an entry never change; a block gets new content only after the entry it was part of was freed, which clears
//! the mark in that entry's first block. So a reader remembers the first word of the first block, reads, and looks at it
//! again: the same word means that none of its blocks was freed in between, thus none reused. The version grows by one
//! each time a block begins an entry and has 35 bits, so "the same word" is not "the same word again".
//!
//! Orderings: whoever frees or writes does it under the shard's lock, with a release fence between clearing a mark and
//! each later store to a block (in [`Pool::store`] and [`Pool::free`]); a reader's acquire fence before its second look
//! pairs with it. Publishing an entry is a release store of its first word, paired with the acquire load that begins a read.

use std::sync::OnceLock;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicU64, fence};

/// Words of a block, 8 bytes each.
const BLOCK_WORDS: usize = 16;
/// The first word of every block: version, whether an entry begins here, next block.
const VERSION: usize = 0;
/// The second word of every block: whether the entry that begins here was read, and above that until when its renewal is
/// somebody's. No content ever lies here, because a reader may set it late, when the block has become part of another entry.
const MARK: usize = 1;
// Only in an entry's first block:
const HASH: usize = 2;
const STORED: usize = 3;
const SHAPE: usize = 4;
const LINKS: usize = 5;
/// Words of an entry's first block before its content.
const HEADER_WORDS: usize = 6;
/// Words of any other block before its content.
const LINK_WORDS: usize = 2;
/// Blocks that are allocated together (32 KiB): small against a cache, large against what an allocation costs.
const SEGMENT_BLOCKS: usize = 256;
/// What an allocation costs beside its bytes: the allocator's own word or two and the alignment.
const ALLOCATION_BYTES: usize = 128 + 16;

const VISITED: u64 = 1;

const NEXT_BITS: u32 = 28;
const NEXT_MASK: u64 = (1 << NEXT_BITS) - 1;
const HEAD_BIT: u64 = 1 << NEXT_BITS;
const VERSION_ONE: u64 = HEAD_BIT << 1;

/// The most blocks of one arena: a block's number has 28 bits.
const MAX_BLOCKS: usize = NEXT_MASK as usize;

/// The number of a block, from 1; 0 is none.
pub type BlockId = u32;

/// Two lines of cache: processors fetch them in pairs.
#[repr(align(128))]
struct Block([AtomicU64; BLOCK_WORDS]);

impl Block {
    fn empty() -> Block {
        Block([const { AtomicU64::new(0) }; BLOCK_WORDS])
    }

    fn next(&self) -> BlockId {
        (self.0[VERSION].load(Relaxed) & NEXT_MASK) as BlockId
    }

    fn set_next(&self, next: BlockId) {
        let word = self.0[VERSION].load(Relaxed);
        self.0[VERSION].store(word & !NEXT_MASK | u64::from(next), Relaxed);
    }
}

/// What is known of an entry beside its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    pub hash: u64,
    /// When it was stored, milliseconds of the clock that never goes back.
    pub stored_ms: u64,
    pub shape: Shape,
}

/// How long an entry lives and how large it is, in one word: lifetime 31 bits, message 15, TTLs 11, flags 2.
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
}

impl Shape {
    fn to_word(self) -> u64 {
        debug_assert!(self.lifetime_s < 1 << 31 && self.message_bytes < 1 << 15 && self.ttls < 1 << 11);
        u64::from(self.lifetime_s)
            | u64::from(self.message_bytes) << 31
            | u64::from(self.ttls) << 46
            | u64::from(self.dnssec_ok) << 57
            | u64::from(self.checking_disabled) << 58
    }

    fn from_word(word: u64) -> Shape {
        Shape {
            lifetime_s: (word & 0x7fff_ffff) as u32,
            message_bytes: (word >> 31 & 0x7fff) as u16,
            ttls: (word >> 46 & 0x7ff) as u16,
            dnssec_ok: word >> 57 & 1 == 1,
            checking_disabled: word >> 58 & 1 == 1,
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
            .div_ceil(BLOCK_WORDS - LINK_WORDS)
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
        let version = block.0[VERSION].load(Acquire);
        (version & HEAD_BIT != 0).then_some(Reader {
            arena: self,
            head: block,
            version,
            block,
            at: HEADER_WORDS,
        })
    }

    /// The neighbors of an entry in the order of eviction. Under the shard's lock only.
    pub fn links(&self, head: BlockId) -> (BlockId, BlockId) {
        let word = self.own(head).0[LINKS].load(Relaxed);
        (word as u32, (word >> 32) as u32)
    }

    /// The same, set.
    pub fn set_links(&self, head: BlockId, (newer, older): (BlockId, BlockId)) {
        self.own(head).0[LINKS].store(u64::from(newer) | u64::from(older) << 32, Relaxed);
    }

    /// Whether an entry was read since this was last asked. Under the shard's lock only.
    pub fn take_visited(&self, head: BlockId) -> bool {
        let mark = &self.own(head).0[MARK];
        let visited = mark.load(Relaxed) & VISITED != 0;
        if visited {
            mark.fetch_and(!VISITED, Relaxed);
        }
        visited
    }

    /// Whether an entry was read since [`take_visited`](Arena::take_visited).
    pub fn visited(&self, head: BlockId) -> bool {
        self.own(head).0[MARK].load(Relaxed) & VISITED != 0
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
            hash: self.head.0[HASH].load(Relaxed),
            stored_ms: self.head.0[STORED].load(Relaxed),
            shape: Shape::from_word(self.head.0[SHAPE].load(Relaxed)),
        }
    }

    /// Hands the next `count` words of content to `take`; `None` if the chain ends before, which only a torn read sees.
    pub fn words(&mut self, mut count: usize, mut take: impl FnMut(u64)) -> Option<()> {
        while count > 0 {
            if self.at == BLOCK_WORDS {
                self.block = self.arena.block(self.block.next())?;
                self.at = LINK_WORDS;
            }
            let words = count.min(BLOCK_WORDS - self.at);
            for word in &self.block.0[self.at..self.at + words] {
                take(word.load(Relaxed));
            }
            self.at += words;
            count -= words;
        }
        Some(())
    }

    /// Copies the start of the message to `out`, as much as `out` holds; `out` is at most as long as the message.
    /// Content is read in order: this first, the TTLs when the whole message was read.
    pub fn message(&mut self, out: &mut [u8]) -> Option<()> {
        let mut whole = out.chunks_exact_mut(8);
        self.words(whole.len(), |word| {
            if let Some(chunk) = whole.next() {
                chunk.copy_from_slice(&word.to_le_bytes());
            }
        })?;
        let rest = whole.into_remainder();
        if rest.is_empty() {
            return Some(());
        }
        self.words(1, |word| rest.copy_from_slice(&word.to_le_bytes()[..rest.len()]))
    }

    /// Hands the offsets of the message's TTLs to `take`, after [`message`](Reader::message).
    pub fn ttls(&mut self, shape: Shape, mut take: impl FnMut(usize)) -> Option<()> {
        let mut left = usize::from(shape.ttls);
        self.words(left.div_ceil(4), |word| {
            let here = left.min(4);
            left -= here;
            for place in 0..here {
                take((word >> (16 * place) & 0xffff) as usize);
            }
        })
    }

    /// Whether everything read so far was of one entry, and that entry is still stored.
    pub fn unchanged(&self) -> bool {
        fence(Acquire);
        self.head.0[VERSION].load(Relaxed) == self.version
    }

    /// Marks the entry as read. Writes only when the mark is not set already; on an entry that was just replaced the
    /// mark lands on whatever has the block next, which does no harm. Returns until when its renewal is somebody's, in
    /// milliseconds, 0 if it never was; `None` for one that was not read before.
    pub fn mark_visited(&self) -> Option<u64> {
        let mark = &self.head.0[MARK];
        let before = mark.load(Relaxed);
        if before & VISITED == 0 {
            mark.fetch_or(VISITED, Relaxed);
            return None;
        }
        Some(before >> 1)
    }

    /// Makes its renewal the caller's until `until_ms`, below 2^63. False if it is somebody's already at `now_ms`.
    pub fn claim(&self, now_ms: u64, until_ms: u64) -> bool {
        let mark = &self.head.0[MARK];
        let before = mark.load(Relaxed);
        before >> 1 <= now_ms
            && mark
                .compare_exchange(before, until_ms << 1 | VISITED, Relaxed, Relaxed)
                .is_ok()
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
    pub fn store(&mut self, arena: &Arena, header: &Header, visited: bool, message: &[u8], ttls: &[u16]) -> BlockId {
        debug_assert_eq!(message.len(), usize::from(header.shape.message_bytes));
        debug_assert_eq!(ttls.len(), usize::from(header.shape.ttls));
        // The blocks may have been freed by another thread; see the orderings above.
        fence(Release);
        let head = self.take(arena);
        let head_block = arena.own(head);
        head_block.0[HASH].store(header.hash, Relaxed);
        head_block.0[STORED].store(header.stored_ms, Relaxed);
        head_block.0[SHAPE].store(header.shape.to_word(), Relaxed);
        head_block.0[LINKS].store(0, Relaxed);
        head_block.0[MARK].store(u64::from(visited), Relaxed);

        let (mut block, mut at) = (head_block, HEADER_WORDS);
        let mut put = |word: u64| {
            if at == BLOCK_WORDS {
                let next = self.take(arena);
                block.set_next(next);
                block = arena.own(next);
                at = LINK_WORDS;
            }
            block.0[at].store(word, Relaxed);
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

        let version = head_block.0[VERSION].load(Relaxed).wrapping_add(VERSION_ONE);
        head_block.0[VERSION].store(version | HEAD_BIT, Release);
        head
    }

    /// Frees the blocks of the entry that begins at `head`.
    pub fn free(&mut self, arena: &Arena, head: BlockId) {
        let head_block = arena.own(head);
        let blocks = Shape::from_word(head_block.0[SHAPE].load(Relaxed)).blocks();
        let version = head_block.0[VERSION].load(Relaxed);
        assert!(version & HEAD_BIT != 0, "an entry is freed once");
        head_block.0[VERSION].store(version & !HEAD_BIT, Relaxed);
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
            stored_ms: u64::MAX,
            shape: Shape {
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
    fn entries_of_every_length_around_a_block_come_back_whole() {
        let arena = Arena::new(600);
        let mut pool = Pool::default();
        for length in (0..420).chain([16_384]) {
            for ttl_count in [0, 1, 4, 5, 41] {
                let message: Vec<u8> = (0..length).map(|at| (at * 7 + length) as u8).collect();
                let ttls: Vec<u16> = (0..ttl_count).map(|at| at * 1000 + 3).collect();
                let header = header(&message, &ttls);
                let before = pool.free_blocks(&arena);
                let id = pool.store(&arena, &header, false, &message, &ttls);
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
        let id = pool.store(&arena, &first, false, &[1; 100], &[]);
        let reader = arena.read(id).unwrap();
        assert!(reader.unchanged());
        pool.free(&arena, id);
        assert!(!reader.unchanged());
        let again = pool.store(&arena, &first, false, &[1; 100], &[]);
        assert_eq!(again, id, "the block is the same, the version is not");
        assert!(!reader.unchanged());
    }

    #[test]
    fn memory_is_taken_as_blocks_are_first_used_and_not_before() {
        let arena = Arena::new(10_000);
        let mut pool = Pool::default();
        assert!(arena.bytes(pool.used_blocks()) < 2048);
        let id = pool.store(&arena, &header(&[0; 50], &[]), false, &[0; 50], &[]);
        let one = arena.bytes(pool.used_blocks());
        assert!((32_768..40_000).contains(&one), "{one}");
        pool.free(&arena, id);
        pool.store(&arena, &header(&[0; 50], &[]), false, &[0; 50], &[]);
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
