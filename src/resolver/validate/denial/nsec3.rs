//! What NSEC3 records prove.
//!
//! In: NSEC3 sets of one zone, names. Out: proven, proven but for opt-out, or not.
//! Always: only records of one set of parameters count together; each hash is paid for from the query's [`Work`].
//! Keeps: RFC 5155 §7.2 and §8, RFC 6840 §4.1 and §4.4, RFC 9276 §3.2, CVE-2023-50868.

use super::super::algorithm::nsec3_hash;
use super::super::canonical::{self, Labels};
use super::super::rdata::{Nsec3, Types};
use super::super::verdict::Fault;
use super::super::work::Work;
use super::{NoDs, Proven};
use crate::dns::name::Name;
use crate::dns::rtype;
use crate::limits;
use crate::resolver::engine::rrset::RRset;

/// A hashed name.
pub type Hash = [u8; 20];

/// The NSEC3 records of one zone, all of the parameters of the first.
pub struct Nsec3s<'a> {
    zone: &'a Name,
    records: Vec<At<'a>>,
}

struct At<'a> {
    owner: Hash,
    next: Hash,
    nsec3: Nsec3<'a>,
}

/// The closest encloser and what is known of the name below it towards the name in question (RFC 5155 §7.2.1).
struct Closest {
    encloser: Name,
    /// The gap that the next closer name lies in is an opt-out span.
    opt_out: bool,
}

impl<'a> Nsec3s<'a> {
    pub fn new(zone: &'a Name) -> Nsec3s<'a> {
        Nsec3s {
            zone,
            records: Vec::new(),
        }
    }

    pub fn add(&mut self, set: &'a RRset) {
        let Some(owner) = owner_hash(set.name.as_wire(), self.zone.as_wire()) else {
            return;
        };
        for nsec3 in set.records().filter_map(Nsec3::read) {
            // RFC 5155 §8.1 and §8.2: unknown algorithms and flags are passed over, and so are other parameters.
            let known = nsec3.algorithm == 1 && nsec3.flags <= 1;
            let alike = self
                .records
                .first()
                .is_none_or(|at| at.nsec3.iterations == nsec3.iterations && at.nsec3.salt == nsec3.salt);
            if let Ok(next) = Hash::try_from(nsec3.next)
                && known
                && alike
            {
                self.records.push(At { owner, next, nsec3 });
            }
        }
    }

    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The iterations, if they are past what is looked at (RFC 9276 §3.2). A fault past what any zone may ask of a resolver.
    pub fn iterations(&self) -> Result<Option<u16>, Fault> {
        match self.records.first().map(|at| at.nsec3.iterations) {
            Some(count) if count > limits::NSEC3_ITERATIONS_BOGUS => Err(Fault::Iterations(count)),
            Some(count) if count > limits::NSEC3_ITERATIONS => Ok(Some(count)),
            _ => Ok(None),
        }
    }

    /// RFC 5155 §8.4.
    pub fn name_error(&self, name: &Name, work: &mut Work) -> Result<Proven, Fault> {
        let closest = self.closest(name, work)?;
        let wildcard = canonical::wildcard(&closest.encloser).ok_or(Fault::NoProof)?;
        let hash = self.hash(wildcard.as_wire(), work)?;
        match self.covering(&hash) {
            Some(_) => Ok(closest.proven()),
            None => Err(Fault::NoProof),
        }
    }

    /// RFC 5155 §8.5 to §8.7.
    pub fn no_data(&self, name: &Name, qtype: u16, work: &mut Work) -> Result<Proven, Fault> {
        if self.is_empty() {
            return Err(Fault::NoProof);
        }
        let hash = self.hash(name.as_wire(), work)?;
        if let Some(types) = self.at(&hash) {
            let proven = match qtype {
                rtype::DS if !name.is_root() => lacks_ds(&types) && !types.has(rtype::CNAME),
                _ => types.lacks(qtype) && !types.is_delegation(),
            };
            return if proven {
                Ok(Proven::Secure)
            } else {
                Err(Fault::NoProof)
            };
        }
        let closest = self.closest(name, work)?;
        if let Some(wildcard) = canonical::wildcard(&closest.encloser) {
            let hash = self.hash(wildcard.as_wire(), work)?;
            if let Some(types) = self.at(&hash) {
                let proven = types.lacks(qtype) && !types.is_delegation();
                return if proven {
                    Ok(closest.proven())
                } else {
                    Err(Fault::NoProof)
                };
            }
        }
        // §8.6 for DS; for other types an empty non-terminal above nothing but unsigned delegations (erratum 3441).
        match closest.opt_out {
            true => Ok(Proven::OptOut),
            false => Err(Fault::NoProof),
        }
    }

    /// RFC 5155 §8.8.
    pub fn wildcard(&self, name: &Name, encloser: &Name, work: &mut Work) -> Result<Proven, Fault> {
        if self.is_empty() {
            return Err(Fault::NoProof);
        }
        let closer = canonical::suffix(name, encloser.label_count() + 1);
        let hash = self.hash(closer.as_wire(), work)?;
        match self.covering(&hash) {
            Some(at) if at.nsec3.is_opt_out() => Ok(Proven::OptOut),
            Some(_) => Ok(Proven::Secure),
            None => Err(Fault::NoProof),
        }
    }

    /// RFC 5155 §8.9.
    pub fn no_ds(&self, name: &Name, work: &mut Work) -> Result<NoDs, Fault> {
        if self.is_empty() {
            return Err(Fault::NoProof);
        }
        let hash = self.hash(name.as_wire(), work)?;
        if let Some(types) = self.at(&hash) {
            return match lacks_ds(&types) {
                false => Err(Fault::NoProof),
                true if types.has(rtype::NS) => Ok(NoDs::Delegation),
                true => Ok(NoDs::NoCut),
            };
        }
        match self.closest(name, work)?.opt_out {
            true => Ok(NoDs::OptOut),
            false => Ok(NoDs::NoName),
        }
    }

    /// RFC 5155 §8.3: the longest name above `name` that exists, while the next closer one does not.
    fn closest(&self, name: &Name, work: &mut Work) -> Result<Closest, Fault> {
        let wire = name.as_wire();
        let zone_labels = self.zone.label_count();
        let labels = Labels::of(wire);
        if self.is_empty() || !canonical::is_within(wire, self.zone.as_wire()) {
            return Err(Fault::NoProof);
        }
        let mut closer: Option<Hash> = None;
        for count in (zone_labels..=labels.count()).rev() {
            let hash = self.hash(labels.suffix(wire, count), work)?;
            let Some(types) = self.at(&hash) else {
                closer = Some(hash);
                continue;
            };
            // The name itself exists, or what is above it does not speak for what is below.
            let closer = closer.filter(|_| !types.is_blind_below()).ok_or(Fault::NoProof)?;
            let gap = self.covering(&closer).ok_or(Fault::NoProof)?;
            return Ok(Closest {
                encloser: canonical::suffix(name, count),
                opt_out: gap.nsec3.is_opt_out(),
            });
        }
        Err(Fault::NoProof)
    }

    /// The hash of a name of the zone.
    fn hash(&self, name: &[u8], work: &mut Work) -> Result<Hash, Fault> {
        let Some(at) = self.records.first() else {
            return Err(Fault::NoProof);
        };
        let (salt, iterations) = (at.nsec3.salt, at.nsec3.iterations);
        work.hash(name.len(), salt.len(), iterations)?;
        Ok(nsec3_hash(name, salt, iterations))
    }

    fn at(&self, hash: &Hash) -> Option<Types<'a>> {
        let found = self.records.iter().find(|at| at.owner == *hash);
        found.map(|at| at.nsec3.types)
    }

    fn covering(&self, hash: &Hash) -> Option<&At<'a>> {
        self.records.iter().find(|at| {
            let (behind, before) = (at.owner < *hash, *hash < at.next);
            // The last gap goes around.
            if at.owner < at.next {
                behind && before
            } else {
                *hash != at.owner && (behind || before)
            }
        })
    }
}

impl Closest {
    fn proven(&self) -> Proven {
        if self.opt_out { Proven::OptOut } else { Proven::Secure }
    }
}

/// The iterations of the NSEC3 records among `sets`, if they are past what is looked at.
pub fn iterations_past_limit<'a>(sets: impl IntoIterator<Item = &'a RRset>) -> Option<u16> {
    let nsec3s = sets.into_iter().filter(|set| set.rtype == rtype::NSEC3);
    let counts = nsec3s.filter_map(|set| Some(Nsec3::read(set.records().next()?)?.iterations));
    counts.max().filter(|count| *count > limits::NSEC3_ITERATIONS)
}

/// The parent's side says so; SOA shows the child's.
fn lacks_ds(types: &Types<'_>) -> bool {
    !types.has(rtype::DS) && !types.has(rtype::SOA)
}

/// The hash in the owner of an NSEC3: its first label, right below the zone (RFC 5155 §3).
pub fn owner_hash(owner: &[u8], zone: &[u8]) -> Option<Hash> {
    let (&length, rest) = owner.split_first()?;
    let (label, above) = rest.split_at_checked(usize::from(length))?;
    if label.len() != 32 || !above.eq_ignore_ascii_case(zone) {
        return None;
    }
    let mut hash = [0; 20];
    // 8 characters of base32hex (RFC 4648 §7) are 5 bytes.
    for (characters, bytes) in label.chunks(8).zip(hash.chunks_mut(5)) {
        let mut value: u64 = 0;
        for character in characters {
            let digit = match character.to_ascii_lowercase() {
                digit @ b'0'..=b'9' => digit - b'0',
                letter @ b'a'..=b'v' => letter - b'a' + 10,
                _ => return None,
            };
            value = value << 5 | u64::from(digit);
        }
        bytes.copy_from_slice(&value.to_be_bytes()[3..]);
    }
    Some(hash)
}

/// The label that an NSEC3 for this hash has, in lower case.
pub fn label(hash: &Hash) -> [u8; 32] {
    let mut label = [0; 32];
    for (bytes, characters) in hash.chunks(5).zip(label.chunks_mut(8)) {
        let value = bytes.iter().fold(0_u64, |value, byte| value << 8 | u64::from(*byte));
        for (at, character) in characters.iter_mut().enumerate() {
            let digit = (value >> (35 - 5 * at) & 31) as u8;
            *character = if digit < 10 { b'0' + digit } else { b'a' + digit - 10 };
        }
    }
    label
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_survive_the_way_through_labels() {
        for seed in 0..=255_u8 {
            let hash: Hash = std::array::from_fn(|at| seed.wrapping_mul(31).wrapping_add(at as u8 * 7));
            let owner = [&[32][..], &label(&hash), &[0]].concat();
            assert_eq!(owner_hash(&owner, &[0]), Some(hash));
            assert_eq!(owner_hash(&owner.to_ascii_uppercase(), &[0]), Some(hash));
        }
        assert!(owner_hash(&[&[32][..], &[b'w'; 32], &[0]].concat(), &[0]).is_none());
        assert!(owner_hash(&[0], &[0]).is_none());
    }
}
