//! Checks a gate whole, once, before anything is looked up in it.
//!
//! In: [`Unverified`] bytes. Out: [`Verified`], the only thing that [`publish`](crate::list::publish) takes and `serve` serves.
//! Always: time and memory are bounded by the size of the bytes; no panic on any of them.
//! Checked: digest, header, every table and every index in it, every node of every fst reachable and in bounds, every key a
//! name in its place with a rule set that is there, and that look-ups find what the streams give.

use crate::dns::key::{Key, SEPARATOR, to_text};
use crate::list::format::{self, FormatError, Header};
use crate::list::nodes::{EMPTY, Fst, HEAD_BYTES};
use crate::list::set::Gate;
use rayon::prelude::*;

/// Counts up when the checks change, so that what an older program found right is checked again.
pub const CHECKS: u32 = 1;

/// Every how many keys one is looked up.
const PROBE_KEYS: u64 = 1024;

/// Bytes that somebody says are a gate.
pub struct Unverified(Vec<u8>);

/// A gate that was checked whole.
pub struct Verified(Gate);

impl Unverified {
    pub fn new(bytes: Vec<u8>) -> Unverified {
        Unverified(bytes)
    }

    /// Checks the bytes. Takes about a second for six million names on two cores.
    pub fn verify(self) -> Result<Verified, FormatError> {
        self.verify_unless(|_| false)
    }

    /// Checks the bytes, but not what only depends on them and took most of the time, if bytes with their digest are `known`
    /// to have passed. The digest itself and all tables are checked in any case.
    pub fn verify_unless(self, known: impl FnOnce([u8; 32]) -> bool) -> Result<Verified, FormatError> {
        let header = Header::read(&self.0)?;
        if format::digest(&self.0) != header.digest {
            return Err(FormatError::Digest);
        }
        let gate = Gate::from_bytes(self.0)?;
        gate.check_tables()?;
        if known(gate.digest()) {
            return Ok(Verified(gate));
        }
        let keys = (0..gate.shard_count())
            .into_par_iter()
            .map(|shard| check_shard(&gate, shard))
            .try_reduce(|| 0, |a, b| Ok(a + b))?;
        if keys != gate.keys() || gate.names() < gate.keys() {
            return Err(FormatError::Damaged("its counts of names"));
        }
        Ok(Verified(gate))
    }
}

impl Verified {
    pub fn gate(&self) -> &Gate {
        &self.0
    }

    /// The gate, held in memory.
    pub fn into_gate(self) -> Gate {
        self.0
    }
}

/// Checks one shard; how many keys it has that are not copies.
fn check_shard(gate: &Gate, shard: usize) -> Result<u64, FormatError> {
    let fst = Fst::new(gate.shard_bytes(shard)).ok_or(FormatError::Damaged("the frame of an fst"))?;
    check_nodes(&fst)?;
    check_keys(gate, shard, &fst)
}

/// Nodes stand one right after the other, each after those it leads to. So reading them backwards from the root meets every
/// way to a node before the node itself.
fn check_nodes(fst: &Fst) -> Result<(), FormatError> {
    let damaged = Err(FormatError::Damaged("a node of an fst"));
    let mut at = fst.root();
    // One bit for each address that a node already read leads to and that was not met yet.
    let mut awaited = vec![0u64; at / 64 + 1];
    let mut awaited_count = 0u64;
    let mut address = at;
    while at != EMPTY {
        let Some(node) = fst.node(address) else { return damaged };
        let bit = 1 << (address % 64);
        if awaited[address / 64] & bit != 0 {
            awaited[address / 64] ^= bit;
            awaited_count -= 1;
        } else if address != fst.root() {
            return damaged;
        }
        // A dead end would let a small file make an endless stream; only the empty fst has one.
        if node.is_empty() && node.final_output().is_none() && fst.key_count() != 0 {
            return damaged;
        }
        let mut before = None;
        for index in 0..node.len() {
            let Some(transition) = fst.transition(&node, index) else {
                return damaged;
            };
            let in_order = before.is_none_or(|before| before < transition.input);
            before = Some(transition.input);
            if !in_order || fst.step(address, transition.input) != Some((transition.to, transition.output)) {
                return damaged;
            }
            if transition.to != EMPTY {
                let bit = 1 << (transition.to % 64);
                if transition.to < HEAD_BYTES || transition.to >= node.start() {
                    return damaged;
                }
                awaited_count += u64::from(awaited[transition.to / 64] & bit == 0);
                awaited[transition.to / 64] |= bit;
            }
        }
        at = if node.start() == HEAD_BYTES {
            EMPTY
        } else {
            node.start() - 1
        };
        address = at;
    }
    if awaited_count != 0 { damaged } else { Ok(()) }
}

fn check_keys(gate: &Gate, shard: usize, fst: &Fst) -> Result<u64, FormatError> {
    let damaged = Err(FormatError::Damaged("a key of an fst"));
    let copies = gate.shard_copies(shard) as u64;
    let next = (shard + 1 < gate.shard_count()).then(|| gate.shard_first(shard + 1));
    let sets = gate.rule_set_count();
    let mut keys = gate.shard_keys(shard, b"");
    let mut count = 0;
    while let Some((key, set)) = keys.next() {
        if count >= fst.key_count() || set as usize >= sets || !is_name(key) {
            return damaged;
        }
        let in_place = if count < copies {
            labels(key) <= 1
        } else {
            key >= gate.shard_first(shard) && next.is_none_or(|next| key < next)
        };
        if !in_place {
            return damaged;
        }
        if count % PROBE_KEYS == 0 && count >= copies && !found(gate, key, set) {
            return Err(FormatError::Damaged("a key that look-ups do not find"));
        }
        count += 1;
    }
    if keys.broken() || count != fst.key_count() || copies > count {
        return damaged;
    }
    Ok(count - copies)
}

/// Whether a key is one that a name can have: labels of 1 to 63 bytes, each followed by the separator, 254 bytes in all.
fn is_name(key: &[u8]) -> bool {
    let mut label = 0;
    for &byte in key {
        if byte != SEPARATOR {
            label += 1;
            continue;
        }
        if label == 0 || label > 63 {
            return false;
        }
        label = 0;
    }
    label == 0 && key.len() <= 254
}

fn labels(key: &[u8]) -> usize {
    key.iter().filter(|&&byte| byte == SEPARATOR).count()
}

fn found(gate: &Gate, key: &[u8], set: u32) -> bool {
    let Ok(parsed) = Key::parse(&to_text(key)) else {
        return false;
    };
    if parsed.as_bytes() != key {
        // An upper-case letter in the gate: no query can ask for it.
        return false;
    }
    let mut last = None;
    gate.walk(&parsed, |labels, set| last = Some((labels, set.0)));
    last == Some((parsed.label_count(), set))
}

#[cfg(test)]
#[path = "verify_tests.rs"]
mod tests;
