//! The RRset store: what authorities said, with how far it is to be trusted.
//!
//! In: sets and denials from the walk. Out: the same, shared, while they are fresh.
//! Always: less trusted data never takes the place of more trusted data that is fresh (RFC 2181 §5.4.1); glue never comes here
//! (`delegations` keeps it); bounded in bytes; a lock is held for one look-up.
//! Keeps: RFC 2181 §5.4.1, RFC 2308 §5 to §7, RFC 8020 §2, RFC 8767 §5 (expired data stays until its room is needed).

use super::bounded::{Bounded, Secret};
use super::rrset::RRset;
use crate::dns::name::Name;
use crate::dns::rtype;
use crate::limits;
use crate::now::seconds_between;
use crate::resolver::Scope;
use std::hash::{BuildHasher, Hasher};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How far a set is to be trusted, least first (RFC 2181 §5.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rank {
    /// The authority section of a referral: DS sets.
    Referral,
    /// The answer section of a response without AA.
    Answer,
    /// The authority section of a response with AA.
    AuthorityAa,
    /// The answer section of a response with AA.
    AnswerAa,
}

/// What validation made of a set or denial, worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Security {
    /// RFC 4033 §5: bogus.
    Bogus,
    /// Nobody looked yet.
    Unchecked,
    /// Proven to be under no chain of trust, or under none that can be followed (indeterminate).
    Insecure,
    Secure,
}

/// A set as the store has it.
#[derive(Debug, Clone)]
pub struct Held {
    pub set: Arc<RRset>,
    /// In milliseconds of the clock that never goes back.
    pub expires_ms: u64,
    pub rank: Rank,
    pub security: Security,
    /// NSEC and NSEC3 sets that came with a set made from a wildcard: there is nothing closer (RFC 4035 §3.1.3.3).
    pub proofs: Arc<[RRset]>,
}

impl Held {
    /// What is left of the TTL, in seconds, rounded up: a set with time left never says 0.
    pub fn ttl_s(&self, now_ms: u64) -> u32 {
        seconds_between(now_ms, self.expires_ms)
    }
}

/// That a name, or a type at it, does not exist.
#[derive(Debug)]
pub struct Denial {
    /// The whole name does not exist; otherwise only the type.
    pub nxdomain: bool,
    /// `None` where the server sent none.
    pub soa: Option<RRset>,
    /// NSEC and NSEC3 sets that came along.
    pub proofs: Vec<RRset>,
    pub expires_ms: u64,
    pub security: Security,
    /// So many names below were found missing as well: the server does not merely deny empty non-terminals.
    confirmed: AtomicU8,
}

impl Denial {
    pub fn new(nxdomain: bool, soa: Option<RRset>, proofs: Vec<RRset>, expires_ms: u64, security: Security) -> Denial {
        Denial {
            nxdomain,
            soa,
            proofs,
            expires_ms,
            security,
            confirmed: AtomicU8::new(0),
        }
    }

    pub fn ttl_s(&self, now_ms: u64) -> u32 {
        seconds_between(now_ms, self.expires_ms)
    }

    /// A name below was looked for and does not exist either.
    pub fn confirm(&self) {
        let _ = self
            .confirmed
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |count| count.checked_add(1));
    }

    /// Whether names below may be denied without asking (RFC 8020). A proof is enough; so is having looked a few times.
    fn covers_below(&self) -> bool {
        self.security == Security::Secure || self.confirmed.load(Ordering::Relaxed) >= limits::DENIAL_CONFIRMED
    }

    fn heap_bytes(&self) -> usize {
        let sets = self.proofs.iter().chain(&self.soa);
        size_of::<Denial>() + sets.map(|set| size_of::<RRset>() + set.heap_bytes()).sum::<usize>()
    }
}

/// What is known of a name and type.
#[derive(Debug, Clone)]
pub enum Known {
    Set(Held),
    /// Another name is meant.
    Alias(Held),
    Denied(Arc<Denial>),
}

/// What denials above a name mean for it.
#[derive(Debug, Clone)]
pub enum Above {
    /// This name does not exist, and so nothing below it.
    Denied(Name, Arc<Denial>),
    /// So it was said of a name above; the denial needs confirming.
    Doubtful(Arc<Denial>),
    Nothing,
}

#[derive(Debug, Clone)]
enum Kept {
    Set(Held),
    Denied(Arc<Denial>),
}

impl Kept {
    fn expires_ms(&self) -> u64 {
        match self {
            Kept::Set(held) => held.expires_ms,
            Kept::Denied(denial) => denial.expires_ms,
        }
    }
}

/// See the page's first lines.
pub struct Store {
    shards: Vec<Mutex<Bounded<Kept>>>,
    secret: Secret,
}

/// Stands for "the whole name" where a type would be; no record has it (RFC 6895 §3.1: reserved).
const WHOLE_NAME: u16 = 0;
const SHARDS: usize = 16;

impl Store {
    /// A store of at most about `bound_bytes`.
    pub(super) fn new(bound_bytes: usize, secret: Secret) -> Store {
        let shards = (0..SHARDS).map(|_| Mutex::new(Bounded::new(bound_bytes / SHARDS, secret)));
        Store {
            shards: shards.collect(),
            secret,
        }
    }

    /// What is known, and still fresh, of `rtype` at `name`.
    pub fn find(&self, name: &Name, rtype: u16, now_ms: u64) -> Option<Known> {
        let mut key = Key::new(name, rtype);
        if let Some(kept) = self.fresh(&key, now_ms) {
            return Some(kept.into());
        }
        // An alias at an apex, which should not be, must not hide what the zone or the one above it says of the cut.
        let of_cuts = matches!(rtype, rtype::NS | rtype::SOA | rtype::DS | rtype::DNSKEY);
        if rtype != rtype::CNAME
            && !of_cuts
            && let Some(Kept::Set(held)) = self.fresh(key.retype(rtype::CNAME), now_ms)
        {
            return Some(Known::Alias(held));
        }
        self.fresh(key.retype(WHOLE_NAME), now_ms).map(Known::from)
    }

    /// The set of `rtype` at `name`, fresh or not: what is left to say when servers fail (RFC 8767). Gone once its room was
    /// needed.
    pub fn stale(&self, name: &Name, rtype: u16) -> Option<Known> {
        let key = Key::new(name, rtype);
        self.shard(key.as_bytes()).get(key.as_bytes()).cloned().map(Known::from)
    }

    /// Whether a name above `name` is denied, so that names below may be denied by it (RFC 8020 §2). `always`: without its having
    /// been confirmed.
    pub fn cut_above(&self, name: &Name, now_ms: u64, always: bool) -> Above {
        let key = Key::new(name, WHOLE_NAME);
        let mut at = usize::from(key.bytes[0]) + 1;
        let mut doubtful = Above::Nothing;
        // Not at the root, which exists.
        while key.as_bytes().get(at).is_some_and(|&length| length != 0) {
            if let Some(Kept::Denied(denial)) = self.fresh_bytes(&key.as_bytes()[at..], now_ms) {
                if always || denial.covers_below() {
                    let (above, _) = key.as_bytes()[at..].split_at(key.length - at - 2);
                    let above = Name::from_wire(above).expect("a suffix of a name is a name");
                    return Above::Denied(above, denial);
                }
                doubtful = Above::Doubtful(denial);
            }
            at += usize::from(key.bytes[at]) + 1;
        }
        doubtful
    }

    /// Keeps a set. Fresh data that is trusted more stays.
    pub fn put(&self, held: &Held, now_ms: u64) {
        if held.expires_ms <= now_ms {
            return;
        }
        let mut key = Key::new(&held.set.name, held.set.rtype);
        let proofs: usize = held
            .proofs
            .iter()
            .map(|set| size_of::<RRset>() + set.heap_bytes())
            .sum();
        let heap = size_of::<RRset>() + 16 + held.set.heap_bytes() + proofs;
        {
            let mut shard = self.shard(key.as_bytes());
            if let Some(Kept::Set(there)) = shard.get(key.as_bytes())
                && there.expires_ms > now_ms
                && (there.rank > held.rank || there.security > held.security)
            {
                return;
            }
            shard.put(key.as_bytes(), Kept::Set(held.clone()), heap);
        }
        // The name exists after all.
        let key = key.retype(WHOLE_NAME);
        self.shard(key.as_bytes()).remove(key.as_bytes());
    }

    /// Keeps a denial of `rtype` at `name`, or of all of it.
    pub fn deny(&self, name: &Name, rtype: u16, denial: &Arc<Denial>, now_ms: u64) {
        if denial.expires_ms <= now_ms {
            return;
        }
        let key = Key::new(name, if denial.nxdomain { WHOLE_NAME } else { rtype });
        let heap = denial.heap_bytes();
        self.shard(key.as_bytes())
            .put(key.as_bytes(), Kept::Denied(Arc::clone(denial)), heap);
    }

    /// Forgets what is known of names, and what was said above them of all below: that nothing is there, or that it is elsewhere.
    /// Returns how many entries went.
    pub fn forget(&self, scope: &Scope) -> usize {
        let goes = |key: &[u8]| {
            let (wire, rtype) = key.split_at(key.len() - 2);
            let of_all_below = |rtype: &[u8]| [WHOLE_NAME, rtype::DNAME].iter().any(|one| rtype == one.to_be_bytes());
            Name::from_wire(wire)
                .is_some_and(|name| scope.covers(&name) || (of_all_below(rtype) && scope.is_below(&name)))
        };
        self.shards
            .iter()
            .map(|shard| shard.lock().unwrap_or_else(PoisonError::into_inner))
            .map(|mut shard| shard.retain(|key, _| !goes(key)))
            .sum()
    }

    /// Bytes in use, counted from above, and entries.
    pub fn size(&self) -> (usize, usize) {
        self.shards.iter().fold((0, 0), |(bytes, entries), shard| {
            let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            (bytes + shard.bytes(), entries + shard.len())
        })
    }

    fn fresh(&self, key: &Key, now_ms: u64) -> Option<Kept> {
        self.fresh_bytes(key.as_bytes(), now_ms)
    }

    fn fresh_bytes(&self, key: &[u8], now_ms: u64) -> Option<Kept> {
        let mut shard = self.shard(key);
        let kept = shard.get(key)?;
        (kept.expires_ms() > now_ms).then(|| kept.clone())
    }

    fn shard(&self, key: &[u8]) -> MutexGuard<'_, Bounded<Kept>> {
        let mut hasher = self.secret.build_hasher();
        hasher.write(key);
        // Other bits than the map inside uses first.
        let at = (hasher.finish() >> 32) as usize % SHARDS;
        self.shards[at].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl From<Kept> for Known {
    fn from(kept: Kept) -> Known {
        match kept {
            Kept::Set(held) => Known::Set(held),
            Kept::Denied(denial) => Known::Denied(denial),
        }
    }
}

/// A name in lower case and a type, on the stack.
struct Key {
    bytes: [u8; 257],
    length: usize,
}

impl Key {
    fn new(name: &Name, rtype: u16) -> Key {
        let wire = name.as_wire();
        let mut key = Key {
            bytes: [0; 257],
            length: wire.len() + 2,
        };
        for (to, from) in key.bytes.iter_mut().zip(wire) {
            *to = from.to_ascii_lowercase();
        }
        key.retype(rtype);
        key
    }

    fn retype(&mut self, rtype: u16) -> &Key {
        self.bytes[self.length - 2..self.length].copy_from_slice(&rtype.to_be_bytes());
        self
    }

    fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

/// Until when a set that came now may be kept. `ttl_s` is as received.
pub(super) fn expiry(now_ms: u64, ttl_s: u32) -> u64 {
    now_ms + u64::from(ttl_s.min(limits::STORE_TTL_MAX_S)) * 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    fn store() -> Store {
        Store::new(1 << 20, Secret([1, 2]))
    }

    fn held(text: &str, octet: u8, rank: Rank, security: Security) -> Held {
        Held {
            set: Arc::new(RRset::of(&name(text), rtype::A, 60, &[192, 0, 2, octet])),
            expires_ms: 60_000,
            rank,
            security,
            proofs: Arc::new([]),
        }
    }

    fn octet(store: &Store, text: &str, now_ms: u64) -> Option<u8> {
        match store.find(&name(text), rtype::A, now_ms)? {
            Known::Set(held) => held.set.records().next().map(|rdata| rdata[3]),
            _ => None,
        }
    }

    #[test]
    fn rfc2181_5_4_1_less_trusted_data_waits_until_the_better_expires() {
        let store = store();
        store.put(&held("www.example", 1, Rank::AnswerAa, Security::Unchecked), 0);
        store.put(&held("www.example", 2, Rank::Answer, Security::Unchecked), 0);
        assert_eq!(octet(&store, "WWW.example", 1), Some(1));
        store.put(&held("www.example", 3, Rank::AnswerAa, Security::Secure), 0);
        store.put(&held("www.example", 4, Rank::AnswerAa, Security::Unchecked), 0);
        assert_eq!(octet(&store, "www.example", 59_999), Some(3));
        assert_eq!(octet(&store, "www.example", 60_000), None);
        assert!(store.stale(&name("www.example"), rtype::A).is_some());
        let late = Held {
            expires_ms: 90_000,
            ..held("www.example", 5, Rank::Answer, Security::Unchecked)
        };
        store.put(&late, 60_000);
        assert_eq!(octet(&store, "www.example", 60_000), Some(5));
    }

    #[test]
    fn rfc8020_2_nothing_is_below_a_name_that_does_not_exist_once_that_was_confirmed() {
        let store = store();
        let denial = Arc::new(Denial::new(true, None, Vec::new(), 60_000, Security::Unchecked));
        store.deny(&name("gone.example"), rtype::A, &denial, 0);
        let below = name("a.b.gone.example");
        let denied = |below: &Name, now_ms, always| matches!(store.cut_above(below, now_ms, always), Above::Denied(..));
        assert!(matches!(store.cut_above(&below, 1, false), Above::Doubtful(_)));
        assert!(denied(&below, 1, true));
        for _ in 0..limits::DENIAL_CONFIRMED {
            assert!(!denied(&below, 1, false));
            denial.confirm();
        }
        assert!(denied(&below, 1, false));
        assert!(!denied(&name("gone.example"), 1, true), "strictly below");
        assert!(!denied(&below, 60_000, true));
        store.put(&held("gone.example", 1, Rank::AnswerAa, Security::Unchecked), 0);
        assert!(!denied(&below, 1, true), "it exists now");
    }

    #[test]
    fn names_below_one_can_be_forgotten_alone() {
        let store = store();
        for text in ["a.example", "b.a.example", "ba.example", "example"] {
            store.put(&held(text, 1, Rank::AnswerAa, Security::Unchecked), 0);
        }
        let left =
            || ["a.example", "b.a.example", "ba.example", "example"].map(|text| octet(&store, text, 1).is_some());
        assert_eq!(store.forget(&Scope::At(name("A.example"))), 1);
        assert_eq!(left(), [false, true, true, true]);
        assert_eq!(store.forget(&Scope::Within(name("a.example"))), 1);
        assert_eq!(left(), [false, false, true, true]);
        assert_eq!(store.forget(&Scope::All), 2);
        assert_eq!(store.size().1, 0);
    }

    #[test]
    fn what_was_said_above_a_name_of_all_below_goes_with_it_and_nothing_else_does() {
        let store = store();
        let denial = |nxdomain| Arc::new(Denial::new(nxdomain, None, Vec::new(), 60_000, Security::Secure));
        store.deny(&name("gone.example"), rtype::A, &denial(true), 0);
        store.deny(&name("there.example"), rtype::A, &denial(false), 0);
        let dname = Held {
            set: Arc::new(RRset::of(&name("moved.example"), rtype::DNAME, 60, b"\x03new\x00")),
            ..held("moved.example", 1, Rank::AnswerAa, Security::Secure)
        };
        store.put(&dname, 0);
        assert_eq!(store.forget(&Scope::At(name("there.example"))), 1);
        assert_eq!(store.forget(&Scope::At(name("example"))), 0);
        assert_eq!(store.forget(&Scope::At(name("x.y.gone.example"))), 1);
        assert_eq!(store.forget(&Scope::Within(name("x.moved.example"))), 1);
        assert_eq!(store.size().1, 0);
    }
}
