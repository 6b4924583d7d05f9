//! Which of many pieces of text stand in a name, found by windows of a few bytes.
//!
//! In: pieces of two bytes or more, then names. Out: the pieces that stand in a name.
//! Always: nothing is allocated for a name. Nearly every name holds none of the pieces, and that takes a few instructions a byte that
//! do not wait for each other: every window of four bytes, and of three for shorter pieces, has a bit in a small table that says
//! whether a piece may stand there. `docs/decisions/0013-windows-of-four-bytes.md` tells what this replaced.

/// Windows are this wide, those for shorter pieces a byte less.
const WINDOW: usize = 4;

/// What must stand behind a text, whatever it is, so that its last byte begins a window too.
pub const BEHIND: usize = WINDOW;

/// Words of a table of bits. 16 KiB, half of a core's first cache: with 800 pieces one window in 160 is looked at in vain.
const WORDS: usize = 1 << 11;

/// An odd number with bits all over, so that the highest bits of a product depend on all bytes of a window.
const SPREAD: u32 = 0x9E37_79B1;

/// Pieces to look for.
pub struct Grams {
    pieces: Vec<Box<[u8]>>,
    wide: Windows,
    narrow: Windows,
}

/// Windows of one width, each a number.
struct Windows {
    /// By the highest bits of a window's product with [`SPREAD`].
    bits: Box<[u64; WORDS]>,
    /// In order of the products.
    rows: Vec<Row>,
}

struct Row {
    product: u32,
    piece: u32,
    /// How many bytes of the piece stand in front of the window.
    before: u32,
}

impl Grams {
    /// Takes pieces of at least two bytes; `None` if there are none.
    pub fn new(pieces: &[Vec<u8>]) -> Option<Grams> {
        if pieces.is_empty() {
            return None;
        }
        let (mut wide, mut narrow) = (Vec::new(), Vec::new());
        for (number, piece) in (0u32..).zip(pieces) {
            let row = |window: [u8; WINDOW], before: usize| Row {
                product: u32::from_le_bytes(window).wrapping_mul(SPREAD),
                piece: number,
                before: before as u32,
            };
            match piece.as_slice() {
                [a, b, c] => narrow.push(row([*a, *b, *c, 0], 0)),
                // Whatever comes behind.
                [a, b] => narrow.extend((0..=u8::MAX).map(|any| row([*a, *b, any, 0], 0))),
                _ => {
                    let (before, window) = rarest(piece).expect("pieces have at least two bytes");
                    wide.push(row(window, before));
                }
            }
        }
        Some(Grams {
            pieces: pieces.iter().map(|piece| piece.as_slice().into()).collect(),
            wide: Windows::new(wide),
            narrow: Windows::new(narrow),
        })
    }

    /// Calls `visit` with the number of every piece that stands in the first `length` bytes of a text, as often as it does. The text is at least
    /// [`BEHIND`] bytes longer.
    #[inline]
    pub fn each(&self, text: &[u8], length: usize, mut visit: impl FnMut(usize)) {
        let windows = || text[..length + WINDOW - 1].windows(WINDOW).map(number);
        // First whether there is anything, which is seldom: so no window waits for what another leads to.
        let some = match self.narrow.rows.is_empty() {
            true => windows().fold(0, |some, window| some | self.wide.may_hold(window)),
            false => windows().fold(0, |some, window| {
                some | self.wide.may_hold(window) | self.narrow.may_hold(narrower(window))
            }),
        };
        if some & 1 == 0 {
            return;
        }
        for (at, window) in windows().enumerate() {
            if self.wide.may_hold(window) & 1 != 0 {
                self.stand_here(&self.wide, window, at, &text[..length], &mut visit);
            }
            if self.narrow.may_hold(narrower(window)) & 1 != 0 {
                self.stand_here(&self.narrow, narrower(window), at, &text[..length], &mut visit);
            }
        }
    }

    fn stand_here(&self, windows: &Windows, window: u32, at: usize, text: &[u8], visit: &mut impl FnMut(usize)) {
        for row in windows.rows_of(window) {
            let from = at.checked_sub(row.before as usize);
            let rest = from.and_then(|from| text.get(from..)).unwrap_or_default();
            let piece = row.piece as usize;
            if rest.starts_with(&self.pieces[piece]) {
                visit(piece);
            }
        }
    }

    /// Bytes it takes.
    pub fn size_bytes(&self) -> usize {
        let of = |windows: &Windows| WORDS * 8 + windows.rows.len() * size_of::<Row>();
        of(&self.wide) + of(&self.narrow) + self.pieces.iter().map(|piece| piece.len() + 16).sum::<usize>()
    }
}

impl Windows {
    fn new(mut rows: Vec<Row>) -> Windows {
        rows.sort_by_key(|row| row.product);
        let mut windows = Windows {
            bits: vec![0; WORDS].try_into().expect("as many words as there are"),
            rows,
        };
        for row in &windows.rows {
            let (word, bit) = place(row.product);
            windows.bits[word] |= 1 << bit;
        }
        windows
    }

    /// The lowest bit is 1 if a piece may have this window, 0 if none has; the others mean nothing.
    #[inline]
    fn may_hold(&self, window: u32) -> u64 {
        let (word, bit) = place(window.wrapping_mul(SPREAD));
        self.bits[word] >> bit
    }

    fn rows_of(&self, window: u32) -> impl Iterator<Item = &Row> {
        let product = window.wrapping_mul(SPREAD);
        let first = self.rows.partition_point(|row| row.product < product);
        self.rows[first..].iter().take_while(move |row| row.product == product)
    }
}

/// Word and bit of a product.
#[inline]
fn place(product: u32) -> (usize, u32) {
    let bit = product >> (u32::BITS - (64 * WORDS).ilog2());
    ((bit / 64) as usize, bit % 64)
}

/// The bytes of a window as one number.
#[inline]
fn number(window: &[u8]) -> u32 {
    u32::from_le_bytes([window[0], window[1], window[2], window[3]])
}

/// A window less its last byte.
#[inline]
fn narrower(window: u32) -> u32 {
    window & 0xff_ffff
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
