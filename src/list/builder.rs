//! Builds an fst from sorted keys, in the encoding of the `fst` crate.
//!
//! In: different keys in ascending order, each with a value. Out: the bytes of one fst (version 3, with its checksum).
//! Always: the same keys and values give the same bytes; no allocation a key.
//!
//! The crate's own builder remembers twenty thousand nodes, each with its own allocations. This one remembers half a
//! million by address and hash, and compares with what it wrote: smaller files in less time, and the crate reads them
//! (`docs/decisions/0005-own-fst-builder-and-reader.md` has the numbers).

use crate::list::nodes::{self, EMPTY, Fst, HEAD_BYTES, INDEXED_ABOVE, TAIL_BYTES, VERSION, common_index};

/// Equal nodes are looked for among this many places of four, 8 MiB for the table. Twice as many save less than a hundredth.
const PLACES: usize = 1 << 17;
const WAYS: usize = 4;

/// Builds one fst.
pub struct Builder {
    out: Vec<u8>,
    /// The nodes on the way to the last key, the root first; those past `depth` wait to be used again.
    levels: Vec<Level>,
    depth: usize,
    last_key: Vec<u8>,
    count: u64,
    /// Where the last written node ends; `EMPTY` before the first.
    last_node: usize,
    known: Vec<Known>,
}

/// A node to which keys may still be added.
#[derive(Default)]
struct Level {
    ways: Vec<Way>,
    final_output: Option<u32>,
    /// The transition to the next level, while that is not finished.
    open: Option<(u8, u32)>,
}

#[derive(Clone, Copy)]
struct Way {
    input: u8,
    output: u32,
    to: usize,
}

/// A written node that later ones may equal.
#[derive(Clone, Copy, Default)]
struct Known {
    hash: u32,
    address: u32,
}

impl Builder {
    pub fn new() -> Builder {
        let mut out = Vec::new();
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&[0; 8]);
        Builder {
            out,
            levels: vec![Level::default()],
            depth: 0,
            last_key: Vec::with_capacity(256),
            count: 0,
            last_node: EMPTY,
            known: vec![Known::default(); PLACES * WAYS],
        }
    }

    /// Adds a key. Panics if it does not come after the one before.
    pub fn insert(&mut self, key: &[u8], value: u32) {
        assert!(
            self.count == 0 || self.last_key.as_slice() < key,
            "keys come in order, each once"
        );
        self.count += 1;
        let mut rest = value;
        let mut shared = 0;
        while shared < self.depth && shared < key.len() && self.last_key[shared] == key[shared] {
            let Some((_, output)) = &mut self.levels[shared].open else {
                unreachable!("every level but the last is open")
            };
            let common = rest.min(*output);
            let moved = *output - common;
            *output = common;
            rest -= common;
            shared += 1;
            if moved > 0 {
                self.levels[shared].add(moved);
            }
        }
        self.finish_below(shared);
        for &input in &key[shared..] {
            self.levels[self.depth].open = Some((input, std::mem::take(&mut rest)));
            self.depth += 1;
            if self.levels.len() == self.depth {
                self.levels.push(Level::default());
            }
        }
        self.levels[self.depth].final_output = Some(rest);
        self.last_key.clear();
        self.last_key.extend_from_slice(key);
    }

    /// The finished bytes.
    pub fn finish(mut self) -> Vec<u8> {
        self.finish_below(0);
        let root = &self.levels[0];
        let address = if root.ways.is_empty() && root.final_output == Some(0) {
            EMPTY
        } else {
            self.write(0)
        };
        self.out.extend_from_slice(&self.count.to_le_bytes());
        self.out.extend_from_slice(&(address as u64).to_le_bytes());
        let checksum = nodes::checksum(&self.out);
        self.out.extend_from_slice(&checksum.to_le_bytes());
        self.out
    }

    /// Finishes all levels below `top`, which no later key goes through, and closes the way from `top` to them.
    fn finish_below(&mut self, top: usize) {
        if self.depth == top {
            return;
        }
        let (mut below, mut fresh) = self.finished(self.depth, false);
        for level in (top + 1..self.depth).rev() {
            self.close(level, below);
            (below, fresh) = self.finished(level, fresh);
        }
        self.close(top, below);
        self.depth = top;
    }

    /// The address of a closed level: where an equal one stands, or where it is now written, and whether it was written.
    /// Empties it for the next key. `leads_to_fresh`: the node it was closed with was written a moment ago. Then no
    /// other node can lead there yet, so that none can be equal, and the search is spared: half of all.
    fn finished(&mut self, level: usize, leads_to_fresh: bool) -> (usize, bool) {
        let node = &self.levels[level];
        let result = if node.ways.is_empty() && node.final_output == Some(0) {
            (EMPTY, false)
        } else {
            let hash = node.hash();
            let known = if leads_to_fresh { None } else { self.known(level, hash) };
            match known {
                Some(address) => (address, false),
                None => {
                    let address = self.write(level);
                    self.remember(hash, address);
                    (address, true)
                }
            }
        };
        let node = &mut self.levels[level];
        node.ways.clear();
        node.final_output = None;
        result
    }

    fn close(&mut self, level: usize, to: usize) {
        let level = &mut self.levels[level];
        if let Some((input, output)) = level.open.take() {
            level.ways.push(Way { input, output, to });
        }
    }

    // ---- Nodes that are there ----

    /// The written node that a closed level equals.
    fn known(&mut self, level: usize, hash: u64) -> Option<usize> {
        let place = place(hash);
        let found = (0..WAYS).find(|way| {
            let known = self.known[place + way];
            known.address != 0 && known.hash == hash as u32 && self.equals(level, known.address as usize)
        })?;
        let address = self.known[place + found].address as usize;
        // The most recently used stands first, the last one is given up.
        self.known[place..=place + found].rotate_right(1);
        Some(address)
    }

    fn remember(&mut self, hash: u64, address: usize) {
        // Past 4 GiB nothing is remembered; the caller refuses such an fst anyway.
        let Ok(address) = u32::try_from(address) else { return };
        let place = place(hash);
        let ways = &mut self.known[place..place + WAYS];
        ways.rotate_right(1);
        ways[0] = Known {
            hash: hash as u32,
            address,
        };
    }

    fn equals(&self, level: usize, address: usize) -> bool {
        let node = &self.levels[level];
        let fst = Fst::unfinished(&self.out);
        fst.node(address).is_some_and(|other| {
            other.final_output() == node.final_output
                && other.len() == node.ways.len()
                && node.ways.iter().enumerate().all(|(index, way)| {
                    let transition = fst.transition(&other, index);
                    transition
                        .is_some_and(|other| (other.input, other.output, other.to) == (way.input, way.output, way.to))
                })
        })
    }

    // ---- Writing ----

    /// Writes a closed level; its address.
    fn write(&mut self, level: usize) -> usize {
        let Level { ways, final_output, .. } = &self.levels[level];
        let out = &mut self.out;
        let start = out.len();
        match (ways.as_slice(), final_output) {
            ([way], None) => {
                let common = common_index(way.input);
                let next = way.to == self.last_node && way.to != EMPTY && way.output == 0;
                if !next {
                    let output_width = if way.output == 0 { 0 } else { width(way.output as usize) };
                    put(out, way.output as usize, output_width);
                    let to_width = put_distance(out, start, way.to, 0);
                    out.push((to_width << 4 | output_width) as u8);
                }
                if common == 0 {
                    out.push(way.input);
                }
                out.push(if next { 0b1100_0000 } else { 0b1000_0000 } | common);
            }
            (ways, final_output) => {
                let largest = ways
                    .iter()
                    .map(|way| way.output)
                    .chain(*final_output)
                    .max()
                    .unwrap_or(0);
                let output_width = if largest == 0 { 0 } else { width(largest as usize) };
                let to_width = ways.iter().map(|way| width(distance(start, way.to))).max().unwrap_or(0);
                if let Some(output) = final_output {
                    put(out, *output as usize, output_width);
                }
                ways.iter()
                    .rev()
                    .for_each(|way| put(out, way.output as usize, output_width));
                for way in ways.iter().rev() {
                    put_distance(out, start, way.to, to_width);
                }
                out.extend(ways.iter().rev().map(|way| way.input));
                if ways.len() > INDEXED_ABOVE {
                    let mut index = [255u8; 256];
                    for (number, way) in ways.iter().enumerate() {
                        index[usize::from(way.input)] = number as u8;
                    }
                    out.extend_from_slice(&index);
                }
                out.push((to_width << 4 | output_width) as u8);
                let state = if final_output.is_some() { 0b0100_0000 } else { 0 };
                if (1..=63).contains(&ways.len()) {
                    out.push(state | ways.len() as u8);
                } else {
                    // 256 does not fit a byte; 1 stands for it, since a count of 1 never comes here.
                    out.push(if ways.len() == 256 { 1 } else { ways.len() as u8 });
                    out.push(state);
                }
            }
        }
        self.last_node = out.len() - 1;
        self.last_node
    }
}

impl Default for Builder {
    fn default() -> Builder {
        Builder::new()
    }
}

/// Where nodes of a hash are remembered; its low half is remembered with them.
fn place(hash: u64) -> usize {
    (hash >> 32) as usize % PLACES * WAYS
}

impl Level {
    /// Of a closed level.
    fn hash(&self) -> u64 {
        let mut hash = self.final_output.map_or(1, |output| u64::from(output) << 1 | 1 << 40);
        for way in &self.ways {
            let word = u64::from(way.input) | u64::from(way.output) << 8 | (way.to as u64) << 40;
            hash = (hash ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
        }
        // Spreads what was added last over all bits.
        hash = (hash ^ hash >> 32).wrapping_mul(0xd6e8_feb8_6659_fd93);
        hash ^ hash >> 32
    }

    /// Adds to the value of every key below.
    fn add(&mut self, output: u32) {
        if let Some(own) = &mut self.final_output {
            *own += output;
        }
        for way in &mut self.ways {
            way.output += output;
        }
        if let Some((_, own)) = &mut self.open {
            *own += output;
        }
    }
}

/// Bytes that a number takes, at least one.
fn width(number: usize) -> usize {
    ((usize::BITS - number.leading_zeros()).div_ceil(8) as usize).max(1)
}

fn distance(start: usize, to: usize) -> usize {
    if to == EMPTY { 0 } else { start - to }
}

/// Writes the low `width` bytes of a number.
fn put(out: &mut Vec<u8>, number: usize, width: usize) {
    out.extend_from_slice(&number.to_le_bytes()[..width]);
}

/// Writes how far back a node is, in at least `least` bytes; in how many.
fn put_distance(out: &mut Vec<u8>, start: usize, to: usize, least: usize) -> usize {
    let distance = distance(start, to);
    let width = width(distance).max(least);
    put(out, distance, width);
    width
}

const _: () = assert!(HEAD_BYTES == 16 && TAIL_BYTES == 20);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(keys: &[(Vec<u8>, u32)]) -> usize {
        let mut builder = Builder::new();
        for (key, value) in keys {
            builder.insert(key, *value);
        }
        let bytes = builder.finish();
        let fst = fst::raw::Fst::new(&bytes[..]).unwrap();
        fst.verify().unwrap();
        assert_eq!(fst.len(), keys.len());
        for (key, value) in keys {
            assert_eq!(
                fst.get(key).map(|output| output.value()),
                Some(u64::from(*value)),
                "{key:?}"
            );
        }
        let mut stream = Fst::new(&bytes).unwrap().keys_from(b"");
        for (key, value) in keys {
            assert_eq!(stream.next(), Some((key.as_slice(), *value)));
        }
        assert_eq!(stream.next(), None);
        bytes.len()
    }

    #[test]
    fn the_crate_reads_what_is_written_and_finds_it_no_larger_than_its_own() {
        let mut keys = vec![(Vec::new(), 7)];
        for n in 0..60_000u32 {
            let hash = n.wrapping_mul(2_654_435_761);
            let value = [0, 0, 0, 3, 300, 70_000][n as usize % 6];
            keys.push((
                format!("com.{:x}.{}", hash >> 12, ["", "www.", "m.login."][n as usize % 3]).into_bytes(),
                value,
            ));
        }
        keys.extend((0..=255u8).map(|byte| (vec![b'k', byte, b'.'], u32::MAX - u32::from(byte))));
        keys.sort();
        keys.dedup_by(|a, b| a.0 == b.0);
        let ours = check(&keys);
        let mut theirs = fst::raw::Builder::memory();
        for (key, value) in &keys {
            theirs.insert(key, u64::from(*value)).unwrap();
        }
        let theirs = theirs.into_inner().unwrap().len();
        assert!(ours <= theirs, "{ours} bytes, the crate takes {theirs}");
    }

    #[test]
    fn no_keys_and_the_empty_key_are_fsts_too() {
        check(&[]);
        check(&[(Vec::new(), 0)]);
        check(&[(Vec::new(), 9)]);
        check(&[(Vec::new(), 0), (b"a.".to_vec(), 0)]);
    }

    proptest! {
        #[test]
        fn any_keys_and_values_come_back(
            keys in prop::collection::btree_map("[ab.-]{0,9}", prop_oneof![Just(0u32), 0..4u32, any::<u32>()], 0..60)
        ) {
            let keys: Vec<_> = keys.into_iter().map(|(key, value)| (key.into_bytes(), value)).collect();
            check(&keys);
        }
    }
}
