//! Answers from proofs that are there already: a gap that one name was denied with denies its neighbors.
//!
//! In: NSEC and NSEC3 sets of secure denials, with the zone's SOA; then names and types. Out: denials that the zone would give as
//! well, or the wildcard that stands in.
//! Always: what is answered is proven by the same functions that judge responses; opt-out spans prove nothing here; bounded in
//! bytes. An attack of random names at a signed zone ends here.
//! Keeps: RFC 8198 §5, RFC 9077 (TTLs), RFC 9824 §6 (compact denials are about their own name).

use super::algorithm::nsec3_hash;
use super::canonical::{self, compare};
use super::denial::nsec3::{Hash, owner_hash};
use super::denial::{Proofs, Proven};
use super::rdata::{Nsec, Nsec3};
use super::work::Work;
use crate::dns::name::Name;
use crate::dns::rtype;
use crate::limits;
use crate::resolver::engine::rrset::RRset;
use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// A denial, or a wildcard, that the proofs at hand show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    pub what: What,
    /// How long it holds, in seconds.
    pub ttl_s: u32,
    /// The SOA of the zone, which goes with a denial.
    pub soa: Arc<RRset>,
    /// The sets that prove it.
    pub proofs: Vec<Arc<RRset>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    NoName,
    NoData,
    /// The name does not exist and this wildcard stands in for it, if its set is at hand (RFC 8198 §5.3).
    Wildcard(Name),
}

/// A name in canonical order.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Ordered(Name);

impl Ord for Ordered {
    fn cmp(&self, other: &Ordered) -> Ordering {
        compare(self.0.as_wire(), other.0.as_wire())
    }
}

impl PartialOrd for Ordered {
    fn partial_cmp(&self, other: &Ordered) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[derive(Debug, Clone)]
struct Kept {
    set: Arc<RRset>,
    until_ms: u64,
}

/// What is kept of one zone.
#[derive(Default)]
struct Zone {
    soa: Option<Kept>,
    nsecs: BTreeMap<Ordered, Kept>,
    nsec3s: BTreeMap<Hash, Kept>,
    /// Salt and iterations of `nsec3s`; a set of others takes their place.
    parameters: (Vec<u8>, u16),
    bytes: usize,
}

/// See the page's first lines. Zones are kept in two generations, as in [`memory`](super::memory).
pub struct Aggressive {
    young: HashMap<Name, Zone>,
    old: HashMap<Name, Zone>,
    young_bytes: usize,
    bound_bytes: usize,
}

impl Aggressive {
    /// Of at most about `bound_bytes`.
    pub fn new(bound_bytes: usize) -> Aggressive {
        Aggressive {
            young: HashMap::new(),
            old: HashMap::new(),
            young_bytes: 0,
            bound_bytes,
        }
    }

    /// Keeps sets that `zone` signed, each checked and not made by a wildcard, for `ttl_s`: the least of theirs, the SOA's and its
    /// MINIMUM (RFC 9077 §3).
    pub fn learn<'a>(
        &mut self,
        zone: &Name,
        soa: &Arc<RRset>,
        sets: impl IntoIterator<Item = &'a RRset>,
        ttl_s: u32,
        now_ms: u64,
    ) {
        if ttl_s == 0 || soa.name != *zone {
            return;
        }
        let until_ms = now_ms + u64::from(ttl_s.min(limits::AGGRESSIVE_TTL_MAX_S)) * 1000;
        let mut kept = self.take(zone).unwrap_or_default();
        kept.soa = Some(Kept {
            set: Arc::clone(soa),
            until_ms,
        });
        for set in sets {
            let useful = match set.rtype {
                // One about a name that does not exist denies no other.
                rtype::NSEC => set.records().filter_map(Nsec::read).all(|nsec| !nsec.types.is_nxname()),
                rtype::NSEC3 => set
                    .records()
                    .filter_map(Nsec3::read)
                    .all(|nsec3| !nsec3.is_opt_out() && nsec3.iterations <= limits::NSEC3_ITERATIONS),
                _ => false,
            };
            if useful {
                let set = Arc::new(set.clone());
                kept.put(zone, Kept { set, until_ms });
            }
        }
        // No zone takes the room of all others.
        if kept.bytes <= self.bound_bytes / 4 {
            self.give(zone.to_lower(), kept);
        }
    }

    /// What the proofs at hand show about `qtype` at `name`.
    pub fn find(&mut self, name: &Name, qtype: u16, now_ms: u64, work: &mut Work) -> Option<Shown> {
        let most = match qtype {
            rtype::DS => name.label_count().checked_sub(1)?,
            _ => name.label_count(),
        };
        for labels in (0..=most).rev() {
            let zone = canonical::suffix(name, labels);
            if let Some(kept) = self.take(&zone) {
                let shown = kept.find(&zone, name, qtype, now_ms, work);
                self.give(zone, kept);
                if shown.is_some() {
                    return shown;
                }
            }
        }
        None
    }

    /// Forgets all, or what zones at `name` or below said.
    pub fn forget(&mut self, below: Option<&Name>) {
        let keep = |name: &Name| below.is_some_and(|below| !name.is_within(below) && !below.is_within(name));
        self.young.retain(|name, _| keep(name));
        self.old.retain(|name, _| keep(name));
        self.young_bytes = self.young.values().map(|zone| zone.bytes).sum();
    }

    /// Bytes in use, as counted.
    pub fn bytes(&self) -> usize {
        self.young_bytes + self.old.values().map(|zone| zone.bytes).sum::<usize>()
    }

    fn take(&mut self, zone: &Name) -> Option<Zone> {
        match self.young.remove(zone) {
            Some(kept) => {
                self.young_bytes -= kept.bytes;
                Some(kept)
            }
            None => self.old.remove(zone),
        }
    }

    fn give(&mut self, zone: Name, kept: Zone) {
        if self.young_bytes + kept.bytes > self.bound_bytes / 2 {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
        }
        self.young_bytes += kept.bytes;
        self.young.insert(zone, kept);
    }
}

impl Zone {
    fn put(&mut self, zone: &Name, kept: Kept) {
        let bytes = weight(&kept.set);
        let replaced = match kept.set.rtype {
            rtype::NSEC => self.nsecs.insert(Ordered(kept.set.name.clone()), kept),
            _ => {
                let Some(hash) = owner_hash(kept.set.name.as_wire(), zone.as_wire()) else {
                    return;
                };
                let Some(nsec3) = kept.set.records().find_map(Nsec3::read) else {
                    return;
                };
                let parameters = (nsec3.salt.to_vec(), nsec3.iterations);
                if self.parameters != parameters {
                    self.bytes -= self.nsec3s.values().map(|kept| weight(&kept.set)).sum::<usize>();
                    self.nsec3s.clear();
                    self.parameters = parameters;
                }
                self.nsec3s.insert(hash, kept)
            }
        };
        self.bytes += bytes;
        self.bytes -= replaced.map_or(0, |kept| weight(&kept.set));
    }

    fn find(&self, zone: &Name, name: &Name, qtype: u16, now_ms: u64, work: &mut Work) -> Option<Shown> {
        let soa = self.soa.as_ref().filter(|soa| soa.until_ms > now_ms)?;
        let mut candidates: Vec<&Kept> = Vec::new();
        self.nsecs_for(name, now_ms, &mut candidates);
        if candidates.is_empty() {
            self.nsec3s_for(zone, name, now_ms, work, &mut candidates)?;
        }
        if candidates.is_empty() {
            return None;
        }
        let proofs = Proofs::gather(zone, candidates.iter().map(|kept| &*kept.set));
        let proven = |found: Result<Proven, _>| matches!(found, Ok(Proven::Secure));
        let what = if proven(proofs.name_error(name, work)) {
            What::NoName
        } else if proven(proofs.no_data(name, qtype, work)) {
            What::NoData
        } else {
            let encloser = (zone.label_count()..name.label_count())
                .rev()
                .map(|labels| canonical::suffix(name, labels))
                .find(|encloser| proven(proofs.wildcard(name, encloser, work)))?;
            What::Wildcard(canonical::wildcard(&encloser)?)
        };
        let until_ms = candidates.iter().map(|kept| kept.until_ms).min()?.min(soa.until_ms);
        Some(Shown {
            what,
            ttl_s: u32::try_from((until_ms - now_ms).div_ceil(1000)).unwrap_or(u32::MAX),
            soa: Arc::clone(&soa.set),
            proofs: candidates.iter().map(|kept| Arc::clone(&kept.set)).collect(),
        })
    }

    /// The NSEC sets that could deny `name`: the one at or before it, and the one at or before the wildcard that would stand in.
    fn nsecs_for<'a>(&'a self, name: &Name, now_ms: u64, candidates: &mut Vec<&'a Kept>) {
        let before = |name: &Name| {
            let (_, kept) = self.nsecs.range(..=Ordered(name.clone())).next_back()?;
            (kept.until_ms > now_ms).then_some(kept)
        };
        let Some(first) = before(name) else { return };
        candidates.push(first);
        let Some(nsec) = first.set.records().find_map(Nsec::read) else {
            return;
        };
        let wire = name.as_wire();
        let shared =
            canonical::shared_labels(wire, first.set.name.as_wire()).max(canonical::shared_labels(wire, nsec.next));
        let wildcard = canonical::wildcard(&canonical::suffix(name, shared));
        if let Some(second) = wildcard.and_then(|wildcard| before(&wildcard))
            && !Arc::ptr_eq(&second.set, &first.set)
        {
            candidates.push(second);
        }
    }

    /// The NSEC3 sets that could: those at the closest name above that is known to exist, before the next closer one and at or
    /// before the wildcard. `None` if the hashes cost too much.
    fn nsec3s_for<'a>(
        &'a self,
        zone: &Name,
        name: &Name,
        now_ms: u64,
        work: &mut Work,
        candidates: &mut Vec<&'a Kept>,
    ) -> Option<()> {
        if self.nsec3s.is_empty() {
            return Some(());
        }
        let (salt, iterations) = &self.parameters;
        let mut hash = |name: &Name| {
            work.hash(name.as_wire().len(), salt.len(), *iterations).ok()?;
            Some(nsec3_hash(name.as_wire(), salt, *iterations))
        };
        let fresh = |kept: &&Kept| kept.until_ms > now_ms;
        let at_or_before = |hash: &Hash| {
            let before = self.nsec3s.range(..=*hash).next_back();
            // The last gap goes around to the first.
            before
                .or_else(|| self.nsec3s.last_key_value())
                .map(|(_, kept)| kept)
                .filter(fresh)
        };
        let mut closer: Option<Hash> = None;
        for labels in (zone.label_count()..=name.label_count()).rev() {
            let above = canonical::suffix(name, labels);
            let hashed = hash(&above)?;
            let Some(encloser) = self.nsec3s.get(&hashed).filter(fresh) else {
                closer = Some(hashed);
                continue;
            };
            candidates.push(encloser);
            if let Some(closer) = closer {
                candidates.extend(at_or_before(&closer));
                let wildcard = canonical::wildcard(&above)?;
                candidates.extend(at_or_before(&hash(&wildcard)?));
            }
            break;
        }
        candidates.sort_by_key(|kept| Arc::as_ptr(&kept.set));
        candidates.dedup_by_key(|kept| Arc::as_ptr(&kept.set));
        Some(())
    }
}

fn weight(set: &RRset) -> usize {
    // The set, its name as key, the room a tree leaves free.
    2 * set.heap_bytes() + size_of::<RRset>() + 2 * size_of::<(Ordered, Kept)>()
}
