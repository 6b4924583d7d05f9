//! Which servers serve which zone.
//!
//! In: NS sets of referrals (the parent's) and of the zone itself (the child's), with glue. Out: the deepest known [`Cut`] above
//! a name.
//! Always: a delegation ends when the parent's NS set does, whatever the child says meanwhile, so that no zone outlives its
//! removal (ghost domains, CVE-2012-1192); glue serves the delegation it came with and nothing else.
//! Keeps: RFC 1034 §4.2.1, RFC 2181 §5.4.1, RFC 9609 (the root's own set beside the hints).

use super::bounded::{Bounded, Secret};
use crate::dns::name::Name;
use crate::limits;
use crate::resolver::Scope;
use std::hash::{BuildHasher, Hasher};
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A name server as an NS set and its glue have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameServer {
    /// `None` for addresses from the hints, which are nobody's to look up.
    pub name: Option<Name>,
    pub glue: Vec<IpAddr>,
}

/// The servers of one zone, as one side of the cut has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NsSet {
    pub servers: Vec<NameServer>,
    pub expires_ms: u64,
}

impl NsSet {
    fn heap_bytes(&self) -> usize {
        let server =
            |server: &NameServer| size_of::<NameServer>() + 256.min(server.glue.len() * size_of::<IpAddr>() + 64) + 32;
        64 + self.servers.iter().map(server).sum::<usize>()
    }
}

/// What outlives a refresh of the delegation.
#[derive(Debug, Default)]
pub struct ZoneState {
    /// Resolutions that ask this zone's servers at this moment.
    in_flight: AtomicUsize,
    /// How often they were asked while only the parent's NS set was known.
    unchecked_asks: AtomicUsize,
    /// Servers that do not serve the zone, or not well, and until when they are left alone.
    lame: Mutex<Vec<(IpAddr, u64)>>,
}

impl ZoneState {
    /// Leaves `server` alone for this zone for a while.
    pub(super) fn mark_lame(&self, server: IpAddr, until_ms: u64) {
        let mut lame = self.lame.lock().unwrap_or_else(PoisonError::into_inner);
        lame.retain(|(theirs, _)| *theirs != server);
        if lame.len() >= limits::LAME_SERVERS_A_ZONE {
            lame.remove(0);
        }
        lame.push((server, until_ms));
    }

    pub(super) fn is_lame(&self, server: IpAddr, now_ms: u64) -> bool {
        let lame = self.lame.lock().unwrap_or_else(PoisonError::into_inner);
        lame.iter()
            .any(|(theirs, until_ms)| *theirs == server && now_ms < *until_ms)
    }

    /// Counts that the zone is asked with the parent's NS set only. True once: when that has been often enough to ask for the zone's
    /// own.
    pub(super) fn is_worth_revalidating(&self) -> bool {
        self.unchecked_asks.fetch_add(1, Ordering::Relaxed) + 1 == limits::REVALIDATE_ASKS
    }

    /// One more that asks this zone; `None` when that is more than `most`.
    pub(super) fn enter(self: &Arc<Self>, most: usize) -> Option<Inside> {
        let inside = Inside(Arc::clone(self));
        // Counted first: the guard takes it back either way.
        (self.in_flight.fetch_add(1, Ordering::Relaxed) < most).then_some(inside)
    }
}

/// A resolution counted as asking a zone, until this is dropped.
pub(super) struct Inside(Arc<ZoneState>);

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A zone and who serves it.
#[derive(Debug, Clone)]
pub struct Cut {
    pub zone: Name,
    pub parent: Arc<NsSet>,
    pub child: Option<Arc<NsSet>>,
    pub state: Arc<ZoneState>,
}

impl Cut {
    /// The glue that the parent has for a server.
    pub fn parents_glue(&self, server: &Name) -> &[IpAddr] {
        let same = |theirs: &&NameServer| theirs.name.as_ref() == Some(server);
        self.parent.servers.iter().find(same).map_or(&[], |server| &server.glue)
    }

    /// The servers: the child's own set goes first, being the zone's word about itself (RFC 2181 §5.4.1); servers that only the
    /// parent names come after it, for when the others fail. The number says which of the two it is.
    pub fn servers(&self) -> impl Iterator<Item = (u8, &NameServer)> {
        let child = self.child.as_deref();
        let own = child.into_iter().flat_map(|set| &set.servers).map(|server| (0, server));
        let behind = u8::from(child.is_some());
        own.chain(self.parent.servers.iter().map(move |server| (behind, server)))
    }
}

struct Entry {
    parent: Arc<NsSet>,
    child: Option<Arc<NsSet>>,
    state: Arc<ZoneState>,
}

/// See the page's first lines.
pub struct Delegations {
    shards: Vec<Mutex<Bounded<Entry>>>,
    secret: Secret,
    root: Mutex<Cut>,
}

const SHARDS: usize = 16;

impl Delegations {
    /// Knows the root's servers by their addresses.
    pub(super) fn new(bound_bytes: usize, secret: Secret, hints: &[IpAddr]) -> Delegations {
        let hints = NsSet {
            servers: vec![NameServer {
                name: None,
                glue: hints.to_vec(),
            }],
            expires_ms: u64::MAX,
        };
        let shards = (0..SHARDS).map(|_| Mutex::new(Bounded::new(bound_bytes / SHARDS, secret)));
        Delegations {
            shards: shards.collect(),
            secret,
            root: Mutex::new(Cut {
                zone: Name::root(),
                parent: Arc::new(hints),
                child: None,
                state: Arc::default(),
            }),
        }
    }

    /// The deepest zone known that `name` lies in; with `above`, only zones that `name` is not the apex of.
    pub fn deepest(&self, name: &Name, above: bool, now_ms: u64) -> Cut {
        let mut wire = name.as_wire().to_ascii_lowercase();
        if above && wire[0] != 0 {
            wire.drain(..=usize::from(wire[0]));
        }
        let mut at = 0;
        while wire[at] != 0 {
            if let Some(entry) = self.shard(&wire[at..]).get(&wire[at..])
                && entry.parent.expires_ms > now_ms
            {
                return Cut {
                    zone: Name::from_wire(&wire[at..]).expect("a suffix of a name is a name"),
                    parent: Arc::clone(&entry.parent),
                    child: entry.child.clone().filter(|child| child.expires_ms > now_ms),
                    state: Arc::clone(&entry.state),
                };
            }
            at += usize::from(wire[at]) + 1;
        }
        self.root()
    }

    pub fn root(&self) -> Cut {
        self.root.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes a referral: the parent's word. The child's own set starts anew with it.
    pub(super) fn put_parent(&self, zone: &Name, set: NsSet) -> Cut {
        let key = zone.as_wire().to_ascii_lowercase();
        let mut shard = self.shard(&key);
        let state = shard.remove(&key).map(|entry| entry.state).unwrap_or_default();
        state.unchecked_asks.store(0, Ordering::Relaxed);
        let parent = Arc::new(set);
        let entry = Entry {
            parent: Arc::clone(&parent),
            child: None,
            state: Arc::clone(&state),
        };
        // The child's set is counted in advance; it is about as large.
        let heap = 2 * parent.heap_bytes() + 128;
        shard.put(&key, entry, heap);
        Cut {
            zone: zone.to_lower(),
            parent,
            child: None,
            state,
        }
    }

    /// Takes the zone's own NS set, where there is a delegation; it lives no longer than that. For the root it is what priming
    /// found, which serves until it is found anew.
    pub(super) fn put_child(&self, zone: &Name, mut set: NsSet) {
        if zone.is_root() {
            self.root.lock().unwrap_or_else(PoisonError::into_inner).child = Some(Arc::new(set));
            return;
        }
        let key = zone.as_wire().to_ascii_lowercase();
        if let Some(entry) = self.shard(&key).get(&key) {
            set.expires_ms = set.expires_ms.min(entry.parent.expires_ms);
            entry.child = Some(Arc::new(set));
        }
    }

    /// Forgets delegations of zones; returns how many. What priming found stays.
    pub fn forget(&self, scope: &Scope) -> usize {
        let goes = |key: &[u8]| Name::from_wire(key).is_some_and(|zone| scope.covers(&zone));
        self.shards
            .iter()
            .map(|shard| shard.lock().unwrap_or_else(PoisonError::into_inner))
            .map(|mut shard| shard.retain(|key, _| !goes(key)))
            .sum()
    }

    fn shard(&self, key: &[u8]) -> MutexGuard<'_, Bounded<Entry>> {
        let mut hasher = self.secret.build_hasher();
        hasher.write(key);
        let at = (hasher.finish() >> 32) as usize % SHARDS;
        self.shards[at].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    fn set(server: &str, expires_ms: u64) -> NsSet {
        NsSet {
            servers: vec![NameServer {
                name: Some(name(server)),
                glue: Vec::new(),
            }],
            expires_ms,
        }
    }

    fn delegations() -> Delegations {
        Delegations::new(1 << 20, Secret([1, 2]), &[[192, 0, 2, 1].into()])
    }

    #[test]
    fn the_deepest_zone_is_found_and_a_ds_question_stays_above_the_cut() {
        let known = delegations();
        known.put_parent(&name("com"), set("ns.com", 1000));
        known.put_parent(&name("Example.com"), set("ns.example.com", 1000));
        assert_eq!(
            known.deepest(&name("a.b.example.COM"), false, 1).zone,
            name("example.com")
        );
        assert_eq!(known.deepest(&name("example.com"), true, 1).zone, name("com"));
        assert_eq!(known.deepest(&name("org"), false, 1).zone, Name::root());
        assert_eq!(known.deepest(&name("example.com"), false, 1000).zone, Name::root());
    }

    #[test]
    fn cve_2012_1192_a_child_cannot_prolong_its_own_delegation() {
        let known = delegations();
        known.put_parent(&name("ghost.com"), set("ns.ghost.com", 1000));
        known.put_child(&name("ghost.com"), set("ns2.ghost.com", 100_000));
        let cut = known.deepest(&name("ghost.com"), false, 999);
        assert_eq!(cut.servers().count(), 2);
        assert_eq!(cut.child.unwrap().expires_ms, 1000);
        assert_eq!(known.deepest(&name("ghost.com"), false, 1000).zone, Name::root());
        known.put_child(&name("unknown.com"), set("ns.unknown.com", 100_000));
        assert_eq!(known.deepest(&name("unknown.com"), false, 1).zone, Name::root());
    }

    #[test]
    fn a_zone_with_too_many_asking_lets_no_more_in() {
        let state = Arc::new(ZoneState::default());
        let first = state.enter(1).unwrap();
        assert!(state.enter(1).is_none());
        drop(first);
        assert!(state.enter(1).is_some());
    }
}
