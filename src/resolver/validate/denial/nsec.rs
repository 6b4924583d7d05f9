//! What NSEC records prove.
//!
//! In: NSEC sets of one zone, names. Out: proven or not.
//! Always: owner and next name lie in the zone; a gap ends at the next name in canonical order, or at the apex.
//! Keeps: RFC 4034 §4, RFC 4035 §3.1.3 and §5.4, RFC 6840 §4.1, §4.3, §4.4, RFC 9824.

use super::super::canonical::{self, Labels, compare, is_within, shared_labels};
use super::super::rdata::Nsec;
use super::super::verdict::Fault;
use super::NoDs;
use crate::dns::name::Name;
use crate::dns::rtype;
use crate::resolver::engine::rrset::RRset;
use std::cmp::Ordering;

/// The NSEC records of one zone.
pub struct Nsecs<'a> {
    zone: &'a Name,
    records: Vec<At<'a>>,
}

struct At<'a> {
    owner: &'a [u8],
    nsec: Nsec<'a>,
}

impl<'a> Nsecs<'a> {
    pub fn new(zone: &'a Name) -> Nsecs<'a> {
        Nsecs {
            zone,
            records: Vec::new(),
        }
    }

    pub fn add(&mut self, set: &'a RRset) {
        let owner = set.name.as_wire();
        let zone = self.zone.as_wire();
        if !is_within(owner, zone) {
            return;
        }
        let records = set.records().filter_map(Nsec::read);
        let inside = records.filter(|nsec| is_within(nsec.next, zone));
        self.records.extend(inside.map(|nsec| At { owner, nsec }));
    }

    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// RFC 4035 §5.4: the name is in a gap, and so is the wildcard that could stand in.
    pub fn name_error(&self, name: &Name) -> Result<(), Fault> {
        if self.is_nxname(name) {
            return Ok(());
        }
        let encloser = self.closest_encloser(name).ok_or(Fault::NoProof)?;
        let wildcard = canonical::wildcard(&encloser).ok_or(Fault::NoProof)?;
        self.gap(wildcard.as_wire()).map(|_| ()).ok_or(Fault::NoProof)
    }

    pub fn no_data(&self, name: &Name, qtype: u16) -> Result<(), Fault> {
        let proven = match self.at(name.as_wire()) {
            Some(nsec) => lacks_here(&nsec, qtype, name),
            None if self.is_empty_non_terminal(name) => true,
            // RFC 4035 §3.1.3.4: the wildcard is there, and lacks the type.
            None => self
                .closest_encloser(name)
                .and_then(|encloser| canonical::wildcard(&encloser))
                .and_then(|wildcard| self.at(wildcard.as_wire()))
                .is_some_and(|nsec| nsec.types.lacks(qtype) && !nsec.types.is_delegation()),
        };
        if proven { Ok(()) } else { Err(Fault::NoProof) }
    }

    /// RFC 4035 §5.3.4: what would be closer, and all below it, is in a gap.
    pub fn wildcard(&self, name: &Name, encloser: &Name) -> Result<(), Fault> {
        let closer = canonical::suffix(name, encloser.label_count() + 1);
        self.gap(closer.as_wire()).map(|_| ()).ok_or(Fault::NoProof)
    }

    pub fn no_ds(&self, name: &Name) -> Result<NoDs, Fault> {
        if let Some(nsec) = self.at(name.as_wire()) {
            // RFC 6840 §4.4: the delegation itself must be listed for its zone to be insecure.
            return match lacks_ds(&nsec) {
                false => Err(Fault::NoProof),
                true if nsec.types.has(rtype::NS) => Ok(NoDs::Delegation),
                true => Ok(NoDs::NoCut),
            };
        }
        if self.is_empty_non_terminal(name) {
            return Ok(NoDs::NoCut);
        }
        self.gap(name.as_wire()).map(|_| NoDs::NoName).ok_or(Fault::NoProof)
    }

    /// RFC 9824 §3.2.
    pub fn is_nxname(&self, name: &Name) -> bool {
        self.at(name.as_wire()).is_some_and(|nsec| nsec.types.is_nxname())
    }

    fn at(&self, name: &[u8]) -> Option<Nsec<'a>> {
        let found = self.records.iter().find(|at| at.owner.eq_ignore_ascii_case(name));
        found.map(|at| at.nsec)
    }

    /// The record whose gap `name` lies in, together with all names below it.
    fn gap(&self, name: &[u8]) -> Option<&At<'a>> {
        self.covering(name).find(|at| !is_within(at.nsec.next, name))
    }

    /// Names exist only below it (RFC 4592 §2.2.2).
    fn is_empty_non_terminal(&self, name: &Name) -> bool {
        let name = name.as_wire();
        self.covering(name).any(|at| is_within(at.nsec.next, name))
    }

    /// The records that `name` lies behind, and before the next name of.
    fn covering(&self, name: &[u8]) -> impl Iterator<Item = &At<'a>> {
        let zone = self.zone.as_wire();
        self.records.iter().filter(move |at| {
            let (owner, next) = (at.owner, at.nsec.next);
            let behind = compare(owner, name) == Ordering::Less;
            let before = if compare(owner, next) == Ordering::Less {
                compare(name, next) == Ordering::Less
            } else {
                // The last gap ends at the apex.
                next.eq_ignore_ascii_case(zone)
            };
            let blind = is_within(name, owner) && at.nsec.types.is_blind_below();
            behind && before && !blind && is_within(name, zone)
        })
    }

    /// The longest name above `name` that exists, told by the gap `name` lies in; `None` if it lies in none.
    fn closest_encloser(&self, name: &Name) -> Option<Name> {
        let wire = name.as_wire();
        let at = self.gap(wire)?;
        let shared = shared_labels(wire, at.owner).max(shared_labels(wire, at.nsec.next));
        debug_assert!(
            shared >= Labels::of(self.zone.as_wire()).count(),
            "both are in the zone"
        );
        Some(canonical::suffix(name, shared))
    }
}

/// Whether the record at the name itself proves that it lacks `qtype`: from the right side of a zone cut (RFC 6840 §4.1, RFC 4035
/// §5.2 for DS).
fn lacks_here(nsec: &Nsec<'_>, qtype: u16, name: &Name) -> bool {
    match qtype {
        rtype::DS if !name.is_root() => lacks_ds(nsec) && !nsec.types.has(rtype::CNAME),
        _ => nsec.types.lacks(qtype) && !nsec.types.is_delegation(),
    }
}

/// The parent's side says so; SOA shows the child's (RFC 4035 §5.2).
fn lacks_ds(nsec: &Nsec<'_>) -> bool {
    !nsec.types.has(rtype::DS) && !nsec.types.has(rtype::SOA)
}
