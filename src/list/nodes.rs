//! The nodes of an fst, read without trust.
//!
//! In: the bytes of one fst as the `fst` crate writes it (version 3). Out: nodes, transitions, a sorted stream of keys.
//! Always: no panic and no unbounded work on any bytes; what cannot be a node is `None`. That is why the gate is not read
//! through the crate's own reader, which trusts its input. The encoding stands in `docs/gate-format.md`.

/// The bytes before the first node: version and type, eight each.
pub const HEAD_BYTES: usize = 16;
/// The bytes after the last node: count of keys (8), address of the root (8), checksum (4).
pub const TAIL_BYTES: usize = 20;
/// The version of the encoding this module reads.
pub const VERSION: u64 = 3;
/// The address that stands for the final node without transitions and output, which takes no bytes.
pub const EMPTY: usize = 0;

/// Inputs that a node byte can name in its low six bits, from 1; 0 there means that the input has a byte of its own.
const COMMON: [u8; 63] = *b"te/oasripcnw.hlm-du012g=:bf3y5&_4v9678k%?xCDASFIBEjPTzRNM+LOqHG";
/// Nodes with more transitions than this hold a table of 256 bytes, from input to transition.
pub(super) const INDEXED_ABOVE: usize = 32;

/// The number that stands for an input in a node byte; 0 if it needs a byte of its own.
pub(super) fn common_index(input: u8) -> u8 {
    const INDEX: [u8; 256] = {
        let mut index = [0; 256];
        let mut at = 0;
        while at < COMMON.len() {
            index[COMMON[at] as usize] = at as u8 + 1;
            at += 1;
        }
        index
    };
    INDEX[usize::from(input)]
}

/// The checksum at the end of an fst: CRC-32C, turned and shifted as the encoding asks.
pub(super) fn checksum(bytes: &[u8]) -> u32 {
    const TABLE: [u32; 256] = {
        let mut table = [0; 256];
        let mut number = 0;
        while number < 256 {
            let mut crc = number as u32;
            let mut bit = 0;
            while bit < 8 {
                crc = if crc & 1 == 1 { crc >> 1 ^ 0x82f6_3b78 } else { crc >> 1 };
                bit += 1;
            }
            table[number] = crc;
            number += 1;
        }
        table
    };
    let crc = !bytes
        .iter()
        .fold(!0u32, |crc, &byte| crc >> 8 ^ TABLE[usize::from(crc as u8 ^ byte)]);
    crc.rotate_right(15).wrapping_add(0xa282_ead8)
}

/// One fst of a gate.
#[derive(Clone, Copy)]
pub struct Fst<'g> {
    bytes: &'g [u8],
    root: usize,
}

/// A way from one node to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transition {
    pub input: u8,
    /// Added to the value of every key that goes this way.
    pub output: u32,
    /// Address of the next node: that of its last byte, or [`EMPTY`].
    pub to: usize,
}

/// A node, decoded as far as its transitions, which `Node::transition` reads.
#[derive(Debug, Clone, Copy)]
pub struct Node {
    shape: Shape,
    /// Address: where its last byte stands.
    address: usize,
    /// Where its first byte stands.
    start: usize,
    transitions: usize,
    is_final: bool,
    final_output: u32,
}

#[derive(Debug, Clone, Copy)]
enum Shape {
    Empty,
    /// One transition without output to the node that stands just before.
    Next {
        input: u8,
    },
    /// One transition.
    One {
        transition: Transition,
    },
    /// Any number of them; where inputs, addresses and outputs end, and how wide they are.
    Any {
        inputs_end: usize,
        to_width: usize,
        output_width: usize,
    },
}

impl<'g> Fst<'g> {
    /// Takes the bytes of one fst, head and tail included. `None` if head or tail are not those of one.
    pub fn new(bytes: &'g [u8]) -> Option<Fst<'g>> {
        let tail = bytes.len().checked_sub(TAIL_BYTES).filter(|&tail| tail >= HEAD_BYTES)?;
        if u64::from_le_bytes(bytes[..8].try_into().ok()?) != VERSION {
            return None;
        }
        let root = u64::from_le_bytes(bytes[tail + 8..tail + 16].try_into().ok()?);
        let root = usize::try_from(root).ok()?;
        let is_last = if tail == HEAD_BYTES {
            root == EMPTY
        } else {
            root == tail - 1
        };
        is_last.then_some(Fst { bytes, root })
    }

    /// The nodes written so far of an fst without its tail: addresses up to the end of `bytes` can be read.
    pub(super) fn unfinished(bytes: &'g [u8]) -> Fst<'g> {
        Fst { bytes, root: EMPTY }
    }

    /// How many keys its tail says it holds.
    pub fn key_count(&self) -> u64 {
        let tail = self.bytes.len() - TAIL_BYTES;
        self.bytes[tail..tail + 8]
            .iter()
            .rev()
            .fold(0, |sum, &byte| sum << 8 | u64::from(byte))
    }

    /// Address of the root node.
    pub fn root(&self) -> usize {
        self.root
    }

    /// Where one input leads from the node at `address`, and what it adds to the value.
    #[inline]
    pub fn step(&self, address: usize, input: u8) -> Option<(usize, u32)> {
        let bytes = self.bytes;
        if address == EMPTY {
            return None;
        }
        let state = *bytes.get(address)?;
        if state & 0b1100_0000 == 0b1100_0000 {
            return match state & 0b0011_1111 {
                0 => (*bytes.get(address - 1)? == input).then(|| (address.wrapping_sub(2), 0)),
                common => (COMMON[usize::from(common) - 1] == input).then(|| (address - 1, 0)),
            };
        }
        self.step_wide(address, state, input)
    }

    #[inline]
    fn step_wide(&self, address: usize, state: u8, input: u8) -> Option<(usize, u32)> {
        let bytes = self.bytes;
        if state & 0b1000_0000 != 0 {
            let (found, at) = match state & 0b0011_1111 {
                0 => (*bytes.get(address - 1)?, address.checked_sub(2)?),
                common => (COMMON[usize::from(common) - 1], address - 1),
            };
            if found != input {
                return None;
            }
            let sizes = *bytes.get(at)?;
            let (to_width, output_width) = (usize::from(sizes >> 4), usize::from(sizes & 15));
            let to_start = at.checked_sub(to_width)?;
            let start = to_start.checked_sub(output_width)?;
            return Some((
                self.target(to_start, to_width, start)?,
                self.number(start, output_width)?,
            ));
        }
        let node = self.any(address, state)?;
        let Shape::Any { inputs_end, .. } = node.shape else {
            return None;
        };
        let count = node.transitions;
        if count == 0 {
            return None;
        }
        let index = if count > INDEXED_ABOVE {
            usize::from(*bytes.get(inputs_end + usize::from(input))?)
        } else {
            let inputs = bytes.get(inputs_end - count..inputs_end)?;
            count - 1 - inputs.iter().position(|&byte| byte == input)?
        };
        if index >= count {
            return None;
        }
        let transition = self.transition(&node, index)?;
        (transition.input == input).then_some((transition.to, transition.output))
    }

    /// What a key that ends at the node adds to its value; `None` if none ends there.
    #[inline]
    pub fn final_output(&self, address: usize) -> Option<u32> {
        if address == EMPTY {
            return Some(0);
        }
        let state = *self.bytes.get(address)?;
        if state & 0b1100_0000 != 0b0100_0000 {
            return None;
        }
        self.any(address, state).map(|node| node.final_output)
    }

    /// Decodes the node at an address; `None` if no node can stand there.
    pub fn node(&self, address: usize) -> Option<Node> {
        if address == EMPTY {
            return Some(Node {
                shape: Shape::Empty,
                address,
                start: EMPTY,
                transitions: 0,
                is_final: true,
                final_output: 0,
            });
        }
        if address < HEAD_BYTES || address >= self.bytes.len() {
            return None;
        }
        let state = self.bytes[address];
        if state & 0b1000_0000 == 0 {
            return self.any(address, state);
        }
        let (input, at) = match state & 0b0011_1111 {
            0 => (self.bytes[address - 1], address - 1),
            common => (COMMON[usize::from(common) - 1], address),
        };
        let (shape, start) = if state & 0b0100_0000 != 0 {
            (Shape::Next { input }, at)
        } else {
            let sizes = *self.bytes.get(at.checked_sub(1)?)?;
            let (to_width, output_width) = (usize::from(sizes >> 4), usize::from(sizes & 15));
            let to_start = (at - 1).checked_sub(to_width)?;
            let start = to_start.checked_sub(output_width)?;
            let to = self.target(to_start, to_width, start)?;
            let output = self.number(start, output_width)?;
            (
                Shape::One {
                    transition: Transition { input, output, to },
                },
                start,
            )
        };
        (start >= HEAD_BYTES).then_some(Node {
            shape,
            address,
            start,
            transitions: 1,
            is_final: false,
            final_output: 0,
        })
    }

    /// Decodes a node of any number of transitions whose last byte is `state`.
    #[inline]
    fn any(&self, address: usize, state: u8) -> Option<Node> {
        let bytes = self.bytes;
        let (transitions, at) = match state & 0b0011_1111 {
            // A count of 1 has the other shapes, so here it stands for 256.
            0 => match *bytes.get(address.checked_sub(1)?)? {
                1 => (256, address - 1),
                count => (usize::from(count), address - 1),
            },
            count => (usize::from(count), address),
        };
        let at = at.checked_sub(1)?;
        let sizes = *bytes.get(at)?;
        let (to_width, output_width) = (usize::from(sizes >> 4), usize::from(sizes & 15));
        if to_width > 8 || output_width > 8 {
            return None;
        }
        let inputs_end = if transitions > INDEXED_ABOVE {
            at.checked_sub(256)?
        } else {
            at
        };
        let is_final = state & 0b0100_0000 != 0;
        let outputs = transitions + usize::from(is_final);
        let start = inputs_end.checked_sub(transitions * (1 + to_width) + outputs * output_width)?;
        if start < HEAD_BYTES {
            return None;
        }
        let final_output = if is_final { self.number(start, output_width)? } else { 0 };
        Some(Node {
            shape: Shape::Any {
                inputs_end,
                to_width,
                output_width,
            },
            address,
            start,
            transitions,
            is_final,
            final_output,
        })
    }

    /// One transition of a node of this fst, in order of input; `None` past the last and where the bytes cannot be one.
    #[inline]
    pub fn transition(&self, node: &Node, index: usize) -> Option<Transition> {
        if index >= node.transitions {
            return None;
        }
        match node.shape {
            Shape::Empty => None,
            Shape::Next { input } => Some(Transition {
                input,
                output: 0,
                to: node.start - 1,
            }),
            Shape::One { transition } => Some(transition),
            Shape::Any {
                inputs_end,
                to_width,
                output_width,
            } => {
                // `any` has checked that all of this lies between the head and the address.
                let input = self.bytes[inputs_end - 1 - index];
                let tos_end = inputs_end - node.transitions;
                let to = self.target(tos_end - (index + 1) * to_width, to_width, node.start)?;
                let outputs_end = tos_end - node.transitions * to_width;
                let output = self.number(outputs_end - (index + 1) * output_width, output_width)?;
                Some(Transition { input, output, to })
            }
        }
    }

    /// The address that `width` bytes at `at` give as the distance back from the start of the node that holds them.
    #[inline]
    fn target(&self, at: usize, width: usize, start: usize) -> Option<usize> {
        match self.number(at, width)? {
            0 => Some(EMPTY),
            distance => start.checked_sub(distance as usize),
        }
    }

    /// A little-endian number of `width` bytes at `at`; `None` past the end of the bytes or past 32 bits.
    #[inline]
    fn number(&self, at: usize, width: usize) -> Option<u32> {
        match width {
            0 => Some(0),
            1 => self.bytes.get(at).map(|&byte| u32::from(byte)),
            2..=8 => {
                let mut number = 0u64;
                for (place, &byte) in self.bytes.get(at..at + width)?.iter().enumerate() {
                    number |= u64::from(byte) << (8 * place);
                }
                u32::try_from(number).ok()
            }
            _ => None,
        }
    }

    /// All keys not less than `from`, in order.
    pub fn keys_from(self, from: &[u8]) -> Keys<'g> {
        Keys::new(Some(self), from)
    }
}

impl Node {
    /// How many transitions it has, 0 to 256.
    pub fn len(&self) -> usize {
        self.transitions
    }

    pub fn is_empty(&self) -> bool {
        self.transitions == 0
    }

    /// Where its first byte stands.
    pub fn start(&self) -> usize {
        self.start
    }

    /// Where its last byte stands.
    pub fn address(&self) -> usize {
        self.address
    }

    /// What a key that ends here adds to its value; `None` if none ends here.
    pub fn final_output(&self) -> Option<u32> {
        self.is_final.then_some(self.final_output)
    }
}

/// A sorted stream of the keys of an fst, or of none. Ends early at bytes that cannot be a node and at keys longer than 255 bytes;
/// [`Keys::broken`] tells.
pub struct Keys<'g> {
    /// `None` only with an empty stack.
    fst: Option<Fst<'g>>,
    stack: Vec<Frame>,
    key: Vec<u8>,
    /// The key to give out next is the one at the top of the stack, before its transitions.
    pending: bool,
    broken: bool,
}

struct Frame {
    node: Node,
    next: usize,
    value: u32,
}

impl<'g> Keys<'g> {
    /// The keys of `fst` not less than `from`.
    pub fn new(fst: Option<Fst<'g>>, from: &[u8]) -> Keys<'g> {
        let mut keys = Keys {
            fst,
            stack: Vec::with_capacity(64),
            key: Vec::with_capacity(256),
            pending: false,
            broken: false,
        };
        keys.seek(from);
        keys
    }

    fn seek(&mut self, from: &[u8]) {
        let Some((fst, root)) = self.fst.and_then(|fst| Some((fst, fst.node(fst.root)?))) else {
            self.broken = true;
            return;
        };
        self.stack.push(Frame {
            node: root,
            next: 0,
            value: 0,
        });
        for &byte in from {
            let Some(frame) = self.stack.last_mut() else { return };
            let mut equal = None;
            while let Some(transition) = fst.transition(&frame.node, frame.next) {
                if transition.input > byte {
                    break;
                }
                frame.next += 1;
                if transition.input == byte {
                    equal = Some(transition);
                    break;
                }
            }
            let value = frame.value;
            let Some(transition) = equal else { return };
            if !self.enter(transition, value) {
                return;
            }
        }
        self.pending = true;
    }

    /// Goes on to the node a transition leads to.
    fn enter(&mut self, transition: Transition, value: u32) -> bool {
        let node = self.fst.and_then(|fst| fst.node(transition.to));
        match (node, value.checked_add(transition.output)) {
            (Some(node), Some(value)) if self.key.len() < 255 => {
                self.key.push(transition.input);
                self.stack.push(Frame { node, next: 0, value });
                true
            }
            _ => {
                self.broken = true;
                self.stack.clear();
                false
            }
        }
    }

    /// The next key and its value.
    #[allow(
        clippy::should_implement_trait,
        reason = "the key is lent, which `Iterator` cannot say"
    )]
    pub fn next(&mut self) -> Option<(&[u8], u32)> {
        loop {
            let frame = self.stack.last_mut()?;
            if self.pending {
                self.pending = false;
                if let Some(output) = frame.node.final_output() {
                    match frame.value.checked_add(output) {
                        Some(value) => return Some((&self.key, value)),
                        None => {
                            self.broken = true;
                            self.stack.clear();
                            return None;
                        }
                    }
                }
            }
            if frame.next >= frame.node.len() {
                self.stack.pop();
                self.key.pop();
                continue;
            }
            let value = frame.value;
            let Some(transition) = self.fst.and_then(|fst| fst.transition(&frame.node, frame.next)) else {
                self.broken = true;
                self.stack.clear();
                return None;
            };
            frame.next += 1;
            if self.enter(transition, value) {
                self.pending = true;
            }
        }
    }

    /// Whether the stream ended before its time.
    pub fn broken(&self) -> bool {
        self.broken
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fst::raw::Builder;

    fn build(keys: &[(Vec<u8>, u64)]) -> Vec<u8> {
        let mut builder = Builder::memory();
        for (key, value) in keys {
            builder.insert(key, *value).unwrap();
        }
        builder.into_inner().unwrap()
    }

    fn some_keys() -> Vec<(Vec<u8>, u64)> {
        // Every input byte, wide and narrow nodes, long tails, values of one to four bytes.
        let mut keys: Vec<Vec<u8>> = (0..=255u8).map(|byte| vec![b'k', byte, b'.']).collect();
        keys.extend((0..=255u8).map(|byte| vec![byte, b'.']));
        keys.extend((0..5000u32).map(|n| format!("com.{:x}.www.", n.wrapping_mul(2_654_435_761)).into_bytes()));
        keys.push(Vec::new());
        keys.sort();
        keys.dedup();
        let value = |n: usize| [3, 300, 70_000, 4_000_000_000][n % 4] + n as u64;
        keys.into_iter().enumerate().map(|(n, key)| (key, value(n))).collect()
    }

    #[test]
    fn every_key_the_builder_wrote_is_found_with_its_value() {
        let keys = some_keys();
        let bytes = build(&keys);
        let fst = Fst::new(&bytes).unwrap();
        assert_eq!(fst.key_count(), keys.len() as u64);
        for (key, value) in &keys {
            let mut address = fst.root();
            let mut sum = 0;
            for &byte in key {
                let (to, output) = fst.step(address, byte).unwrap();
                address = to;
                sum += output;
            }
            assert_eq!(u64::from(sum + fst.final_output(address).unwrap()), *value);
        }
        assert!(
            fst.step(fst.root(), b'k')
                .and_then(|(at, _)| fst.step(at, b'k'))
                .is_some()
        );
    }

    #[test]
    fn the_stream_gives_every_key_in_order_from_any_start() {
        let keys = some_keys();
        let bytes = build(&keys);
        for from in [&b""[..], b"com.", b"com.7", b"k\x80.", b"k\x80.x", b"zzz", b"com.zzzz"] {
            let mut stream = Fst::new(&bytes).unwrap().keys_from(from);
            let wanted = keys.iter().filter(|(key, _)| key.as_slice() >= from);
            for (key, value) in wanted {
                let (found, found_value) = stream.next().unwrap();
                assert_eq!((found, u64::from(found_value)), (key.as_slice(), *value));
            }
            assert!(stream.next().is_none() && !stream.broken());
        }
    }

    #[test]
    fn no_flipped_byte_makes_the_reader_panic_or_run_on() {
        let keys: Vec<_> = some_keys().into_iter().step_by(97).collect();
        let bytes = build(&keys);
        for at in 0..bytes.len() {
            for flip in [1u8, 0x40, 0x80, 0xff] {
                let mut bad = bytes.clone();
                bad[at] ^= flip;
                let Some(fst) = Fst::new(&bad) else { continue };
                let mut stream = fst.keys_from(b"");
                let mut count = 0;
                while count < 10_000 && stream.next().is_some() {
                    count += 1;
                }
                for byte in 0..=255 {
                    let _ = fst
                        .step(fst.root(), byte)
                        .map(|(to, _)| (fst.step(to, byte), fst.final_output(to)));
                }
            }
        }
    }
}
