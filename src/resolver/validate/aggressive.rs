//! Answers from proofs that are there already: a gap that one name was denied with denies its neighbors.
//!
//! In: NSEC and NSEC3 sets of secure denials, with the zone's SOA; secure sets that wildcards made, with their proofs; then names and
//! types. Out: denials that the zone would give as well, or what the wildcard makes of the name.
//! Always: what is answered is proven by the same functions that judge responses; opt-out spans prove nothing here; bounded in
//! bytes. An attack of random names at a signed zone ends here.
//! Keeps: RFC 8198 §5.1 to §5.4, RFC 9077 (TTLs), RFC 9824 §6 (compact denials are about their own name).

use super::algorithm::nsec3_hash;
use super::canonical::{self, compare};
use super::denial::nsec3::{Hash, owner_hash};
use super::denial::{Proofs, Proven};
use super::rdata::{Nsec, Nsec3};
use super::work::Work;
use crate::dns::name::Name;
use crate::dns::rtype;
use crate::limits;
use crate::now::seconds_between;
use crate::resolver::engine::rrset::RRset;
use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// What the proofs at hand show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    pub what: What,
    /// How long it holds, in seconds.
    pub ttl_s: u32,
    /// The sets that prove it.
    pub proofs: Vec<Arc<RRset>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// With the SOA of the zone, as for the next.
    NoName(Arc<RRset>),
    NoData(Arc<RRset>),
    /// The set, or the CNAME set, that a wildcard makes at the name (RFC 8198 §5.3), signed as the wildcard is.
    Made(RRset),
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
    /// As long as it proves that a name does not exist for which a wildcard stands in.
    until_ms: u64,
    /// As long as it denies: not past what the SOA allows (RFC 9077 §3), so not at all where no SOA came along.
    denies_until_ms: u64,
}

/// What is kept of one zone.
#[derive(Default)]
struct Zone {
    soa: Option<Kept>,
    /// Sets of wildcards, under the name that each is right below.
    wildcards: BTreeMap<Ordered, Vec<Kept>>,
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
        let keep = |set: Arc<RRset>| Kept {
            set,
            until_ms,
            denies_until_ms: until_ms,
        };
        kept.soa = Some(keep(Arc::clone(soa)));
        let useful = sets.into_iter().filter(|set| is_useful(set));
        useful.for_each(|set| kept.put(zone, keep(Arc::new(set.clone()))));
        self.settle(zone, kept);
    }

    /// Keeps a set of `zone` that the wildcard below `encloser` made, and the proofs that nothing is closer to its owner, each
    /// checked, for `ttl_s`: the least of theirs.
    pub fn learn_made<'a>(
        &mut self,
        zone: &Name,
        encloser: &Name,
        made: &RRset,
        proofs: impl IntoIterator<Item = &'a RRset>,
        ttl_s: u32,
        now_ms: u64,
    ) {
        // Those are about zone cuts and subtrees, which a wildcard's owner is none of (RFC 4592 §4).
        let plain = !matches!(
            made.rtype,
            rtype::NS | rtype::DNAME | rtype::DS | rtype::DNSKEY | rtype::NSEC
        );
        let Some(owner) = canonical::wildcard(encloser).filter(|_| plain && ttl_s > 0 && made.is_signed()) else {
            return;
        };
        let until_ms = now_ms + u64::from(ttl_s.min(limits::AGGRESSIVE_TTL_MAX_S)) * 1000;
        let mut kept = self.take(zone).unwrap_or_default();
        let soa = kept.soa.as_ref().filter(|soa| soa.until_ms > now_ms);
        let denies_until_ms = soa.map_or(0, |soa| {
            until_ms.min(now_ms + u64::from(soa.set.negative_ttl_s()) * 1000)
        });
        for set in proofs.into_iter().filter(|set| is_useful(set)) {
            let set = Arc::new(set.clone());
            kept.put(
                zone,
                Kept {
                    set,
                    until_ms,
                    denies_until_ms,
                },
            );
        }
        let set = Arc::new(made.at(&owner, made.ttl_s));
        kept.put_wildcard(
            encloser,
            Kept {
                set,
                until_ms,
                denies_until_ms: 0,
            },
        );
        self.settle(zone, kept);
    }

    /// Puts back what was taken and has grown.
    fn settle(&mut self, zone: &Name, kept: Zone) {
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

/// Whether a proof says something about other names too.
fn is_useful(set: &RRset) -> bool {
    match set.rtype {
        // One about a name that does not exist denies no other.
        rtype::NSEC => set.records().filter_map(Nsec::read).all(|nsec| !nsec.types.is_nxname()),
        rtype::NSEC3 => set
            .records()
            .filter_map(Nsec3::read)
            .all(|nsec3| !nsec3.is_opt_out() && nsec3.iterations <= limits::NSEC3_ITERATIONS),
        _ => false,
    }
}

impl Zone {
    fn put(&mut self, zone: &Name, mut kept: Kept) {
        let bytes = weight(&kept.set);
        let outlives = |kept: &mut Kept, there: Option<&Kept>| {
            if let Some(there) = there.filter(|there| there.set.same_data(&kept.set)) {
                kept.denies_until_ms = kept.denies_until_ms.max(there.denies_until_ms);
            }
        };
        let replaced = match kept.set.rtype {
            rtype::NSEC => {
                let owner = Ordered(kept.set.name.clone());
                outlives(&mut kept, self.nsecs.get(&owner));
                self.nsecs.insert(owner, kept)
            }
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
                outlives(&mut kept, self.nsec3s.get(&hash));
                self.nsec3s.insert(hash, kept)
            }
        };
        self.bytes += bytes;
        self.bytes -= replaced.map_or(0, |kept| weight(&kept.set));
    }

    fn put_wildcard(&mut self, encloser: &Name, kept: Kept) {
        self.bytes += weight(&kept.set);
        let there = self.wildcards.entry(Ordered(encloser.to_lower())).or_default();
        let same = there.iter().position(|theirs| theirs.set.rtype == kept.set.rtype);
        let goes = match same {
            None if there.len() >= limits::WILDCARD_TYPES => Some(0),
            same => same,
        };
        if let Some(at) = goes {
            self.bytes -= weight(&there.remove(at).set);
        }
        there.push(kept);
    }

    fn find(&self, zone: &Name, name: &Name, qtype: u16, now_ms: u64, work: &mut Work) -> Option<Shown> {
        self.made(zone, name, qtype, now_ms, work)
            .or_else(|| self.denied(zone, name, qtype, now_ms, work))
    }

    /// RFC 8198 §5.3: what the wildcard that is known, and closest, makes of the name, if it is proven that nothing is closer.
    fn made(&self, zone: &Name, name: &Name, qtype: u16, now_ms: u64, work: &mut Work) -> Option<Shown> {
        if self.wildcards.is_empty() {
            return None;
        }
        let enclosers = (zone.label_count()..name.label_count()).rev();
        // A wildcard exists, and so does the name above it: no other can be closer than the first one found.
        let (encloser, sets) = enclosers
            .map(|labels| Ordered(canonical::suffix(name, labels)))
            .find_map(|encloser| self.wildcards.get_key_value(&encloser))?;
        let of_type = |rtype: u16| {
            sets.iter()
                .find(|kept| kept.set.rtype == rtype && kept.until_ms > now_ms)
        };
        let wildcard = of_type(qtype).or_else(|| of_type(rtype::CNAME))?;
        let closer = canonical::suffix(name, encloser.0.label_count() + 1);
        let proves = |kept: &Kept, work: &mut Work| {
            let proofs = Proofs::gather(zone, [&*kept.set]);
            kept.until_ms > now_ms && proofs.wildcard(name, &encloser.0, work) == Ok(Proven::Secure)
        };
        let nsec = self.nsecs.range(..=Ordered(closer.clone())).next_back();
        let proof = match nsec.map(|(_, kept)| kept).filter(|kept| proves(kept, work)) {
            Some(nsec) => nsec,
            None if self.nsec3s.is_empty() => return None,
            None => {
                let (salt, iterations) = &self.parameters;
                work.hash(closer.as_wire().len(), salt.len(), *iterations).ok()?;
                let hash = nsec3_hash(closer.as_wire(), salt, *iterations);
                self.at_or_before(&hash).filter(|kept| proves(kept, work))?
            }
        };
        let ttl_s = seconds_between(now_ms, wildcard.until_ms.min(proof.until_ms));
        Some(Shown {
            what: What::Made(wildcard.set.at(name, ttl_s)),
            ttl_s,
            proofs: vec![Arc::clone(&proof.set)],
        })
    }

    fn denied(&self, zone: &Name, name: &Name, qtype: u16, now_ms: u64, work: &mut Work) -> Option<Shown> {
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
            What::NoName(Arc::clone(&soa.set))
        } else if proven(proofs.no_data(name, qtype, work)) {
            What::NoData(Arc::clone(&soa.set))
        } else {
            return None;
        };
        let until_ms = candidates.iter().map(|kept| kept.denies_until_ms).min()?;
        Some(Shown {
            what,
            ttl_s: seconds_between(now_ms, until_ms.min(soa.until_ms)),
            proofs: candidates.iter().map(|kept| Arc::clone(&kept.set)).collect(),
        })
    }

    /// The NSEC sets that could deny `name`: the one at or before it, and the one at or before the wildcard that would stand in.
    fn nsecs_for<'a>(&'a self, name: &Name, now_ms: u64, candidates: &mut Vec<&'a Kept>) {
        let before = |name: &Name| {
            let (_, kept) = self.nsecs.range(..=Ordered(name.clone())).next_back()?;
            (kept.denies_until_ms > now_ms).then_some(kept)
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
        let fresh = |kept: &&Kept| kept.denies_until_ms > now_ms;
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
                candidates.extend(self.at_or_before(&closer).filter(fresh));
                let wildcard = canonical::wildcard(&above)?;
                candidates.extend(self.at_or_before(&hash(&wildcard)?).filter(fresh));
            }
            break;
        }
        candidates.sort_by_key(|kept| Arc::as_ptr(&kept.set));
        candidates.dedup_by_key(|kept| Arc::as_ptr(&kept.set));
        Some(())
    }

    /// The NSEC3 set at a hash, or of the gap that it lies in if there is none.
    fn at_or_before(&self, hash: &Hash) -> Option<&Kept> {
        let before = self.nsec3s.range(..=*hash).next_back();
        // The last gap goes around to the first.
        before.or_else(|| self.nsec3s.last_key_value()).map(|(_, kept)| kept)
    }
}

fn weight(set: &RRset) -> usize {
    // The set, its name as key, the room a tree leaves free.
    2 * set.heap_bytes() + size_of::<RRset>() + 2 * size_of::<(Ordered, Kept)>()
}
