//! Remembers what was found out about zones: their keys, that they are insecure, that a name is no zone cut.
//!
//! In: names and what is true of them for a while. Out: the same, while that time lasts.
//! Always: bounded in bytes; what was not looked at lately goes first. One lock, held for a look-up.

use super::keys::ZoneKeys;
use super::verdict::Reason;
use crate::dns::name::Name;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What is true of a name as a place where a zone may begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// A zone begins, with these keys.
    Secure(Arc<ZoneKeys>),
    /// What is here and below is insecure.
    Insecure(Option<Reason>),
    /// What is here and below cannot be believed.
    Bogus(Reason),
    /// The zone above goes on.
    NoCut,
    /// The zone above goes on, and nothing exists below.
    NoName,
}

struct Entry {
    standing: Standing,
    until_ms: u64,
}

/// Two generations: what is looked at moves to the young; when that is half the bound, the old one goes.
#[derive(Default)]
struct Generations {
    young: HashMap<Name, Entry>,
    old: HashMap<Name, Entry>,
    young_bytes: usize,
}

/// See the page's first lines.
pub struct Memory {
    generations: Mutex<Generations>,
    bound_bytes: usize,
}

impl Memory {
    /// Of at most about `bound_bytes`.
    pub fn new(bound_bytes: usize) -> Memory {
        Memory {
            generations: Mutex::default(),
            bound_bytes,
        }
    }

    pub fn get(&self, name: &Name, now_ms: u64) -> Option<Standing> {
        let mut generations = self.lock();
        if let Some(entry) = generations.young.get(name) {
            return (entry.until_ms > now_ms).then(|| entry.standing.clone());
        }
        let (name, entry) = generations.old.remove_entry(name)?;
        let standing = (entry.until_ms > now_ms).then(|| entry.standing.clone())?;
        self.insert(&mut generations, name, entry);
        Some(standing)
    }

    /// `ttl_s` from now.
    pub fn put(&self, name: &Name, standing: Standing, ttl_s: u32, now_ms: u64) {
        let until_ms = now_ms + u64::from(ttl_s) * 1000;
        let mut generations = self.lock();
        self.insert(&mut generations, name.to_lower(), Entry { standing, until_ms });
    }

    /// Forgets all, or what is at `name` or below.
    pub fn forget(&self, below: Option<&Name>) {
        let mut generations = self.lock();
        let keep = |name: &Name| below.is_some_and(|below| !name.is_within(below));
        generations.young.retain(|name, _| keep(name));
        generations.old.retain(|name, _| keep(name));
        generations.young_bytes = generations.young.iter().map(|(name, entry)| bytes(name, entry)).sum();
    }

    /// Forgets one name.
    pub fn remove(&self, name: &Name) {
        let mut generations = self.lock();
        generations.old.remove(name);
        if let Some((name, removed)) = generations.young.remove_entry(name) {
            generations.young_bytes -= bytes(&name, &removed);
        }
    }

    /// Entries there are.
    pub fn len(&self) -> usize {
        let generations = self.lock();
        generations.young.len() + generations.old.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn insert(&self, generations: &mut Generations, name: Name, entry: Entry) {
        let added = bytes(&name, &entry);
        if generations.young_bytes + added > self.bound_bytes / 2 {
            generations.old = std::mem::take(&mut generations.young);
            generations.young_bytes = 0;
        }
        generations.old.remove(&name);
        generations.young_bytes += added;
        if let Some((name, replaced)) = generations.young.remove_entry(&name) {
            generations.young_bytes -= bytes(&name, &replaced);
        }
        generations.young.insert(name, entry);
    }

    fn lock(&self) -> MutexGuard<'_, Generations> {
        self.generations.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What an entry takes, with the room a hash map leaves free.
fn bytes(name: &Name, entry: &Entry) -> usize {
    let beside = match &entry.standing {
        Standing::Secure(keys) => keys.bytes(),
        Standing::Insecure(Some(reason)) | Standing::Bogus(reason) => reason.name.as_wire().len(),
        Standing::Insecure(None) | Standing::NoCut | Standing::NoName => 0,
    };
    2 * (size_of::<Name>() + size_of::<Entry>()) + name.as_wire().len() + beside
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    #[test]
    fn what_is_looked_at_outlives_what_is_not_and_all_stays_within_the_bound() {
        let memory = Memory::new(100_000);
        memory.put(&name("wanted.example"), Standing::NoCut, 60, 0);
        for number in 0..10_000 {
            memory.put(&name(&format!("n{number}.example")), Standing::NoCut, 60, 0);
            assert_eq!(memory.get(&name("Wanted.example"), 1), Some(Standing::NoCut));
        }
        let entry = bytes(
            &name("n9999.example"),
            &Entry {
                standing: Standing::NoCut,
                until_ms: 0,
            },
        );
        assert!(memory.len() * entry <= 100_000, "{} entries", memory.len());
        assert!(memory.len() * entry > 40_000, "{} entries", memory.len());
        assert_eq!(memory.get(&name("n1.example"), 1), None);
        assert_eq!(memory.get(&name("wanted.example"), 60_000), None, "its time is over");
    }

    #[test]
    fn names_below_one_can_be_forgotten_alone() {
        let memory = Memory::new(100_000);
        for text in ["example", "a.example", "b.a.example"] {
            memory.put(&name(text), Standing::NoName, 60, 0);
        }
        memory.forget(Some(&name("a.example")));
        assert_eq!((memory.len(), memory.is_empty()), (1, false));
        memory.forget(None);
        assert!(memory.is_empty());
    }
}
