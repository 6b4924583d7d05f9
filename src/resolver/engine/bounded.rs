//! A map that never grows past its bound in bytes.
//!
//! Always: what was used since the hand last came by is passed over once (second chance), so that a flood of names asked once
//! does not push out what everybody asks. What goes does not depend on hash order: the same calls give the same map.

use std::collections::HashMap;
use std::hash::{BuildHasher, DefaultHasher, Hasher};
use std::sync::Arc;

/// Hashes bytes behind a secret, so that names cannot be chosen to collide.
#[derive(Debug, Clone, Copy)]
pub(super) struct Secret(pub [u64; 2]);

impl BuildHasher for Secret {
    type Hasher = DefaultHasher;

    fn build_hasher(&self) -> DefaultHasher {
        let mut hasher = DefaultHasher::new();
        hasher.write_u64(self.0[0]);
        hasher.write_u64(self.0[1]);
        hasher
    }
}

/// See the page's first lines.
pub(super) struct Bounded<V> {
    index: HashMap<Arc<[u8]>, u32, Secret>,
    slots: Vec<Option<Slot<V>>>,
    free: Vec<u32>,
    hand: usize,
    bytes: usize,
    bound: usize,
}

struct Slot<V> {
    key: Arc<[u8]>,
    value: V,
    bytes: usize,
    used: bool,
}

impl<V> Bounded<V> {
    /// What an entry costs beside its key and value: the slot and its share of growth, the index, the key's counts, and what the
    /// allocator adds to some five pieces of memory.
    const OVERHEAD: usize = size_of::<Option<Slot<V>>>() * 3 / 2 + 64 + 5 * 16;

    pub fn new(bound: usize, secret: Secret) -> Bounded<V> {
        Bounded {
            index: HashMap::with_hasher(secret),
            slots: Vec::new(),
            free: Vec::new(),
            hand: 0,
            bytes: 0,
            bound,
        }
    }

    pub fn get(&mut self, key: &[u8]) -> Option<&mut V> {
        let at = *self.index.get(key)?;
        let slot = self.slots[at as usize].as_mut()?;
        slot.used = true;
        Some(&mut slot.value)
    }

    /// Puts `value` in, whose own heap takes `heap_bytes`; an entry of the same key goes. One that alone is past the bound is
    /// not kept.
    pub fn put(&mut self, key: &[u8], value: V, heap_bytes: usize) {
        let bytes = Self::OVERHEAD + key.len() + heap_bytes;
        self.remove(key);
        if bytes > self.bound {
            return;
        }
        while self.bytes + bytes > self.bound {
            self.evict();
        }
        let key: Arc<[u8]> = key.into();
        let slot = Slot {
            key: Arc::clone(&key),
            value,
            bytes,
            used: false,
        };
        let at = match self.free.pop() {
            Some(at) => {
                self.slots[at as usize] = Some(slot);
                at
            }
            None => {
                self.slots.push(Some(slot));
                (self.slots.len() - 1) as u32
            }
        };
        self.index.insert(key, at);
        self.bytes += bytes;
    }

    pub fn remove(&mut self, key: &[u8]) -> Option<V> {
        let at = self.index.remove(key)?;
        let slot = self.slots[at as usize].take()?;
        self.free.push(at);
        self.bytes -= slot.bytes;
        Some(slot.value)
    }

    /// Removes every entry that `keep` does not want; returns how many.
    pub fn retain(&mut self, mut keep: impl FnMut(&[u8], &V) -> bool) -> usize {
        let before = self.len();
        for at in 0..self.slots.len() {
            let unwanted = self.slots[at]
                .as_ref()
                .filter(|slot| !keep(&slot.key, &slot.value))
                .map(|slot| Arc::clone(&slot.key));
            if let Some(key) = unwanted {
                self.remove(&key);
            }
        }
        before - self.len()
    }

    /// Bytes counted: an estimate from above of what the map takes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    pub fn len(&self) -> usize {
        self.index.len()
    }

    fn evict(&mut self) {
        loop {
            let at = self.hand % self.slots.len();
            self.hand = at + 1;
            let Some(slot) = &mut self.slots[at] else {
                continue;
            };
            if slot.used {
                slot.used = false;
                continue;
            }
            let key = Arc::clone(&slot.key);
            self.remove(&key);
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_holds_and_what_is_used_outlives_what_is_not() {
        let mut map = Bounded::new(20_000, Secret([1, 2]));
        map.put(b"popular", 0, 10);
        for number in 1..10_000_u32 {
            map.put(&number.to_be_bytes(), number, 10);
            assert!(map.bytes() <= 20_000);
            assert_eq!(map.get(b"popular"), Some(&mut 0), "after {number}");
        }
        assert!(map.len() > 50);
        map.put(b"huge", 1, 30_000);
        assert!(map.get(b"huge").is_none());
        let others = map.len() - 1;
        assert_eq!(map.retain(|key, _| key == b"popular"), others);
        assert_eq!(map.len(), 1);
    }
}
