//! Which of many pieces of text stand in a name, found by windows of a few bytes.
//!
//! In: pieces of two bytes or more, then names. Out: the pieces that stand in a name.
//! Always: nothing is allocated for a name. Nearly every name holds none of the pieces, and that takes a few instructions a byte that
//! do not wait for each other: one look into a small table for every window of four bytes says whether a piece may stand there.
//! `docs/decisions/0013-windows-of-four-bytes.md` tells what this replaced, `0018-patterns-after-the-walk.md` how it became one look.

/// Windows are this wide.
const WINDOW: usize = 4;

/// What must stand behind a text, whatever it is, so that its last byte begins a window too.
pub const BEHIND: usize = WINDOW;

/// Words of the table of bits. 16 KiB, half of a core's first cache: with 800 pieces one window in 160 is looked at in vain.
const WORDS: usize = 1 << 11;

/// An odd number with bits all over, so that the highest bits of a product depend on all bytes of a window.
const SPREAD: u32 = 0x9E37_79B1;

/// Windows that are looked at together, before it is asked whether there was anything.
const TOGETHER: usize = 16;

/// Pieces to look for.
pub struct Grams {
    pieces: Vec<Box<[u8]>>,
    /// The first three bytes of a window choose the word, all four the bit. A piece of three bytes has all bits of its word.
    bits: Box<[u64; WORDS]>,
    /// In order of their words.
    rows: Vec<Row>,
    /// Where the rows of each word begin, and where those of the last end.
    firsts: Vec<u32>,
    /// Pieces of two bytes have a bit for each two bytes there can be; `None` if there are none.
    pairs: Option<Pairs>,
}

struct Row {
    window: u32,
    /// Which bits of a window count.
    mask: u32,
    piece: u32,
    /// How many bytes of the piece stand in front of the window.
    before: u32,
}

struct Pairs {
    bits: Box<[u64; 1024]>,
    /// What a pair is as a number, and its piece, in order.
    rows: Vec<(u16, u32)>,
}

impl Grams {
    /// Takes pieces of at least two bytes; `None` if there are none.
    pub fn new(pieces: &[Vec<u8>]) -> Option<Grams> {
        if pieces.is_empty() {
            return None;
        }
        let mut bits: Box<[u64; WORDS]> = zeros();
        let (mut rows, mut pairs) = (Vec::new(), Vec::new());
        for (number, piece) in (0u32..).zip(pieces) {
            let (window, mask, before) = match piece.as_slice() {
                [a, b] => {
                    pairs.push((u16::from_le_bytes([*a, *b]), number));
                    continue;
                }
                [a, b, c] => (u32::from_le_bytes([*a, *b, *c, 0]), 0xff_ffff, 0),
                _ => {
                    let (before, window) = rarest(piece).expect("pieces have at least two bytes");
                    (u32::from_le_bytes(window), u32::MAX, before as u32)
                }
            };
            bits[word(window)] |= if mask == u32::MAX { 1 << bit(window) } else { u64::MAX };
            rows.push(Row {
                window,
                mask,
                piece: number,
                before,
            });
        }
        rows.sort_by_key(|row| word(row.window));
        let first = |at: usize| rows.partition_point(|row| word(row.window) < at) as u32;
        Some(Grams {
            pieces: pieces.iter().map(|piece| piece.as_slice().into()).collect(),
            bits,
            firsts: (0..=WORDS).map(first).collect(),
            rows,
            pairs: Pairs::new(pairs),
        })
    }

    /// Calls `visit` with the number of every piece that stands in the first `length` bytes of a text, as often as it does. The text is at least
    /// [`BEHIND`] bytes longer.
    #[inline]
    pub fn each(&self, text: &[u8], length: usize, mut visit: impl FnMut(usize)) {
        for from in (0..length).step_by(TOGETHER) {
            let to = (from + TOGETHER).min(length);
            let windows = text[from..to + WINDOW - 1].windows(WINDOW).map(number);
            // First where there may be anything, which is seldom: so no window waits for what another leads to.
            let mut hits = match &self.pairs {
                None => marks(windows.map(|window| self.may_hold(window))),
                Some(pairs) => marks(windows.map(|window| self.may_hold(window) | pairs.may_hold(window))),
            };
            while hits != 0 {
                let at = from + hits.trailing_zeros() as usize;
                hits &= hits - 1;
                self.stand_here(number(&text[at..at + WINDOW]), &text[..length], at, &mut visit);
            }
        }
    }

    /// The lowest bit is 1 if a piece may have this window, 0 if none has; the others mean nothing.
    #[inline]
    fn may_hold(&self, window: u32) -> u64 {
        self.bits[word(window)] >> bit(window)
    }

    fn stand_here(&self, window: u32, text: &[u8], at: usize, visit: &mut impl FnMut(usize)) {
        if self.may_hold(window) & 1 != 0 {
            let word = word(window);
            for row in &self.rows[self.firsts[word] as usize..self.firsts[word + 1] as usize] {
                let from = at.checked_sub(row.before as usize);
                if let (0, Some(from)) = ((window ^ row.window) & row.mask, from)
                    && text[from..].starts_with(&self.pieces[row.piece as usize])
                {
                    visit(row.piece as usize);
                }
            }
        }
        if let Some(pairs) = &self.pairs
            && pairs.may_hold(window) & 1 != 0
            // The last byte of a text is no pair.
            && at + 2 <= text.len()
        {
            pairs.of(window).for_each(visit);
        }
    }

    /// Bytes it takes.
    pub fn size_bytes(&self) -> usize {
        let rows = self.rows.len() * size_of::<Row>() + self.firsts.len() * 4;
        let pieces = self.pieces.iter().map(|piece| piece.len() + 16).sum::<usize>();
        WORDS * 8 + rows + pieces + self.pairs.as_ref().map_or(0, |pairs| 8192 + pairs.rows.len() * 8)
    }
}

impl Pairs {
    fn new(mut rows: Vec<(u16, u32)>) -> Option<Pairs> {
        rows.sort_unstable();
        let mut bits: Box<[u64; 1024]> = zeros();
        for (pair, _) in &rows {
            bits[usize::from(pair / 64)] |= 1 << (pair % 64);
        }
        (!rows.is_empty()).then_some(Pairs { bits, rows })
    }

    /// As of all pieces.
    #[inline]
    fn may_hold(&self, window: u32) -> u64 {
        let pair = window as u16;
        self.bits[usize::from(pair / 64)] >> (pair % 64)
    }

    /// The pieces that a window begins with.
    fn of(&self, window: u32) -> impl Iterator<Item = usize> {
        let pair = window as u16;
        let first = self.rows.partition_point(|row| row.0 < pair);
        let same = self.rows[first..].iter().take_while(move |row| row.0 == pair);
        same.map(|row| row.1 as usize)
    }
}

/// The lowest bits of some words, at most [`TOGETHER`], as bits of one.
#[inline]
fn marks(words: impl Iterator<Item = u64>) -> u64 {
    words.zip(0..).fold(0, |marks, (word, at)| marks | (word & 1) << at)
}

/// On the heap.
fn zeros<const N: usize>() -> Box<[u64; N]> {
    vec![0; N].try_into().expect("as many words as there are")
}

/// The word of a window: bits of the product that depend on the first three bytes alone.
#[inline]
fn word(window: u32) -> usize {
    (window.wrapping_mul(SPREAD) >> (24 - WORDS.ilog2())) as usize % WORDS
}

/// The bit of a window in its word: the highest of the same product, which depend on all four bytes.
#[inline]
fn bit(window: u32) -> u32 {
    window.wrapping_mul(SPREAD) >> (u32::BITS - u64::BITS.ilog2())
}

/// The bytes of a window as one number.
#[inline]
fn number(window: &[u8]) -> u32 {
    u32::from_le_bytes([window[0], window[1], window[2], window[3]])
}

/// Where in a piece the window stands that is rarest in names, and the window; `None` if the piece is shorter.
fn rarest(piece: &[u8]) -> Option<(usize, [u8; WINDOW])> {
    let rarity = |window: &[u8]| -> u32 { window.iter().map(|&byte| rare(byte)).sum() };
    let windows = piece.windows(WINDOW).map(|window| number(window).to_le_bytes());
    windows
        .enumerate()
        .max_by_key(|(at, window)| (rarity(window), std::cmp::Reverse(*at)))
}

/// How rare a byte is in names, roughly.
fn rare(byte: u8) -> u32 {
    match byte {
        b'a' | b'c' | b'e' | b'i' | b'm' | b'n' | b'o' | b'r' | b's' | b't' | b'.' => 1,
        b'b' | b'd' | b'f' | b'g' | b'h' | b'l' | b'p' | b'u' => 2,
        b'k' | b'v' | b'w' | b'y' | b'-' => 3,
        b'0'..=b'9' => 4,
        _ => 5,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn found(pieces: &[&str], text: &str) -> Vec<usize> {
        let pieces: Vec<Vec<u8>> = pieces.iter().map(|piece| piece.as_bytes().to_vec()).collect();
        let mut padded = text.as_bytes().to_vec();
        padded.extend([b'.'; BEHIND]);
        let mut found = Vec::new();
        if let Some(grams) = Grams::new(&pieces) {
            grams.each(&padded, text.len(), |piece| found.push(piece));
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    #[test]
    fn pieces_are_found_wherever_they_stand_and_what_is_behind_a_text_is_no_part_of_it() {
        let pieces = ["ad", "track", "xyz", "counter.", "ad"];
        assert_eq!(found(&pieces, "adserver.example"), [0, 4]);
        assert_eq!(found(&pieces, "x.tracker.xyz"), [1, 2]);
        assert_eq!(found(&pieces, "bad"), [0, 4]);
        assert_eq!(found(&pieces, "a.xyz"), [2]);
        assert_eq!(found(&pieces, "ad\u{1}\u{ff}"), [0, 4]);
        assert_eq!(found(&pieces, "counter"), [0; 0], "the dot stands behind the text");
        assert_eq!(found(&pieces, "counter.x"), [3]);
        assert_eq!(found(&pieces, ""), [0; 0]);
        assert_eq!(found(&pieces, "a"), [0; 0]);
        let long = format!("{}track{}ad", "y".repeat(62), "q".repeat(70));
        assert_eq!(found(&pieces, &long), [0, 1, 4]);
    }

    proptest! {
        /// Against looking for each piece by itself.
        #[test]
        fn what_is_found_is_what_stands_in_the_text(
            pieces in prop::collection::vec("[ab.1]{2,7}", 0..40),
            text in "[ab.1]{0,150}",
        ) {
            let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
            let slow: Vec<usize> = (0..pieces.len()).filter(|&piece| text.contains(pieces[piece])).collect();
            prop_assert_eq!(found(&pieces, &text), slow);
        }
    }
}
