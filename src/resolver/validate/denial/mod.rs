//! Proofs that something does not exist.
//!
//! In: NSEC and NSEC3 sets of one zone whose signatures were checked and that no wildcard made; a name and a type. Out: what
//! they prove, or that they do not.
//! Always: a proof of the side of a zone cut that it does not speak for proves nothing (RFC 6840 §4); NSEC3 hashing is bounded
//! by the query's [`Work`].
//! Keeps: RFC 4035 §5.4, RFC 5155 §8, RFC 6840 §4 and §5.1, RFC 9276 §3.2, RFC 9824.

pub mod nsec;
pub mod nsec3;

use super::verdict::Fault;
use super::work::Work;
use crate::dns::name::Name;
use crate::dns::rtype;
use crate::limits;
use crate::resolver::engine::rrset::RRset;

/// What a proof is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proven {
    Secure,
    /// An opt-out span leaves room for a delegation without DS (RFC 5155 §9.2: no AD).
    OptOut,
    /// Not looked at (RFC 9276 §3.2): insecure.
    Iterations(u16),
}

/// What is at a name where no DS set is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoDs {
    /// A delegation: the zone below is insecure.
    Delegation,
    /// No zone cut; the zone goes on.
    NoCut,
    /// No such name, and so nothing below it.
    NoName,
    /// A delegation without DS may hide there (RFC 5155 §6).
    OptOut,
    /// Not looked at (RFC 9276 §3.2): insecure.
    Iterations(u16),
}

/// The NSEC and NSEC3 records of one zone that came with a response.
pub struct Proofs<'a> {
    nsecs: nsec::Nsecs<'a>,
    nsec3s: nsec3::Nsec3s<'a>,
}

impl<'a> Proofs<'a> {
    /// `sets` of types NSEC and NSEC3; others are passed over. At most [`PROOF_SETS`](limits::PROOF_SETS) count.
    pub fn gather(zone: &'a Name, sets: impl IntoIterator<Item = &'a RRset>) -> Proofs<'a> {
        let mut proofs = Proofs {
            nsecs: nsec::Nsecs::new(zone),
            nsec3s: nsec3::Nsec3s::new(zone),
        };
        for set in sets.into_iter().take(limits::PROOF_SETS) {
            match set.rtype {
                rtype::NSEC => proofs.nsecs.add(set),
                rtype::NSEC3 => proofs.nsec3s.add(set),
                _ => {}
            }
        }
        proofs
    }

    pub fn is_empty(&self) -> bool {
        self.nsecs.is_empty() && self.nsec3s.is_empty()
    }

    /// That `name` does not exist, and no wildcard stands in for it.
    pub fn name_error(&self, name: &Name, work: &mut Work) -> Result<Proven, Fault> {
        self.first(|nsecs| nsecs.name_error(name), |nsec3s| nsec3s.name_error(name, work))
    }

    /// That `qtype` does not exist at `name`, or at the wildcard that stands in for it; nor an alias.
    pub fn no_data(&self, name: &Name, qtype: u16, work: &mut Work) -> Result<Proven, Fault> {
        self.first(
            |nsecs| nsecs.no_data(name, qtype),
            |nsec3s| nsec3s.no_data(name, qtype, work),
        )
    }

    /// That nothing is closer to `name` than the wildcard below `encloser`, which is above `name`.
    pub fn wildcard(&self, name: &Name, encloser: &Name, work: &mut Work) -> Result<Proven, Fault> {
        self.first(
            |nsecs| nsecs.wildcard(name, encloser),
            |nsec3s| nsec3s.wildcard(name, encloser, work),
        )
    }

    /// That no DS set is at `name`, which is below the zone's apex.
    pub fn no_ds(&self, name: &Name, work: &mut Work) -> Result<NoDs, Fault> {
        if let Ok(found) = self.nsecs.no_ds(name) {
            return Ok(found);
        }
        match self.nsec3s.iterations()? {
            Some(count) => Ok(NoDs::Iterations(count)),
            None => self.nsec3s.no_ds(name, work).map_err(|fault| self.fault(fault)),
        }
    }

    /// Whether the name is denied by listing nothing at it (RFC 9824 §3.2).
    pub fn is_nxname(&self, name: &Name) -> bool {
        self.nsecs.is_nxname(name)
    }

    fn first(
        &self,
        nsec: impl FnOnce(&nsec::Nsecs<'a>) -> Result<(), Fault>,
        nsec3: impl FnOnce(&nsec3::Nsec3s<'a>) -> Result<Proven, Fault>,
    ) -> Result<Proven, Fault> {
        if nsec(&self.nsecs).is_ok() {
            return Ok(Proven::Secure);
        }
        match self.nsec3s.iterations()? {
            Some(count) => Ok(Proven::Iterations(count)),
            None => nsec3(&self.nsec3s).map_err(|fault| self.fault(fault)),
        }
    }

    /// Missing records are another matter than records that prove something else.
    fn fault(&self, fault: Fault) -> Fault {
        match fault {
            Fault::NoProof if !self.is_empty() => Fault::BadProof,
            other => other,
        }
    }
}
