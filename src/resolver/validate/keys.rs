//! The keys of a zone, and whether they are the ones that its parent or a trust anchor means.
//!
//! In: a DNSKEY set with its signatures, DS records or trusted keys. Out: [`ZoneKeys`] to check the zone's records with, that
//! the zone counts as insecure, or what is wrong.
//! Always: a key that is not a zone key, not of protocol 3, or revoked checks nothing; of several paths one is enough.
//! Keeps: RFC 4034 §2.1 and §5, RFC 4035 §5.2, RFC 4509 §3 (SHA-1 digests count only alone), RFC 5011 §2.1, RFC 6840 §5.2, §5.11, RFC 9905.

use super::algorithm::{self, DigestType, Material, Support};
use super::canonical;
use super::dates::When;
use super::rdata::{Dnskey, Ds};
use super::signature::{self, Signed};
use super::verdict::Fault;
use super::work::Work;
use crate::dns::name::Name;
use crate::dns::rtype;
use crate::limits;
use crate::resolver::engine::rrset::RRset;

/// One DNSKEY.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    pub tag: u16,
    pub algorithm: u8,
    flags: u16,
    protocol: u8,
    material: Option<Material>,
}

impl Key {
    /// `sha1`: RSA with SHA-1 counts; otherwise such a key is one of an unsupported algorithm.
    pub fn read(rdata: &[u8], sha1: bool) -> Option<Key> {
        let dnskey = Dnskey::read(rdata)?;
        Some(Key {
            tag: dnskey.tag(),
            algorithm: dnskey.algorithm,
            flags: dnskey.flags,
            protocol: dnskey.protocol,
            material: counts(dnskey.algorithm, sha1)
                .then(|| Material::read(dnskey.algorithm, dnskey.key))
                .flatten(),
        })
    }

    /// A revoked key, for the one signature that shows that its owner revoked it (RFC 5011 §2.1).
    pub(super) fn of_revoked(rdata: &[u8]) -> Option<Key> {
        let key = Key::read(rdata, true)?;
        Some(Key {
            flags: key.flags & !0x0080,
            ..key
        })
    }

    /// What to check a signature with, or why this key may not.
    pub fn usable(&self) -> Result<&Material, Fault> {
        if self.flags & 0x0100 == 0 {
            return Err(Fault::NotAZoneKey);
        }
        if self.flags & 0x0080 != 0 {
            return Err(Fault::RevokedKey);
        }
        // RFC 4034 §2.1.2.
        if self.protocol != 3 {
            return Err(Fault::Malformed);
        }
        match &self.material {
            Some(material) => Ok(material),
            // A point is as long as its curve has it, or it is none; an RSA key may be of a size that is not supported.
            None if matches!(self.algorithm, 13..=15) => Err(Fault::Malformed),
            None => Err(Fault::UnsupportedSignature),
        }
    }

    fn bytes(&self) -> usize {
        let material = match &self.material {
            Some(Material::Rsa { exponent, modulus, .. }) => exponent.len() + modulus.len(),
            Some(Material::P256(key) | Material::P384(key) | Material::Ed25519(key)) => key.len(),
            None => 0,
        };
        size_of::<Key>() + material
    }
}

/// The keys of a zone that were found to be its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ZoneKeys {
    pub zone: Name,
    keys: Vec<Key>,
    /// How long they may be believed, in seconds from when they were checked.
    pub ttl_s: u32,
}

impl ZoneKeys {
    /// The keys of a set that was found to be the zone's own.
    fn new(set: &RRset, ttl_s: u32, sha1: bool) -> ZoneKeys {
        let keys = set.records().filter_map(|rdata| Key::read(rdata, sha1));
        ZoneKeys {
            zone: set.name.clone(),
            keys: keys.take(limits::ZONE_KEYS).collect(),
            ttl_s,
        }
    }

    pub(super) fn named(&self, tag: u16, algorithm: u8) -> impl Iterator<Item = &Key> {
        self.keys
            .iter()
            .filter(move |key| key.tag == tag && key.algorithm == algorithm)
    }

    pub fn bytes(&self) -> usize {
        size_of::<ZoneKeys>() + self.zone.as_wire().len() + self.keys.iter().map(Key::bytes).sum::<usize>()
    }
}

/// What a zone is to be checked with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Keying {
    Secure(ZoneKeys),
    /// All that the parent says is of algorithms or digests that are not supported (RFC 4035 §5.2).
    Insecure(Fault),
}

/// What the parent, or a trust anchor, says about a zone's keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Promise {
    /// DS RDATA.
    Ds(Vec<u8>),
    /// DNSKEY RDATA, of a trust anchor.
    Dnskey(Vec<u8>),
}

/// One promise that can be judged.
enum Link<'a> {
    Ds(Ds<'a>, DigestType),
    Dnskey(Dnskey<'a>),
}

/// The promises of a DS set.
pub fn of_ds(set: &RRset) -> Vec<Promise> {
    set.records().map(|rdata| Promise::Ds(rdata.to_vec())).collect()
}

/// Whether any of `promises` can be followed; if none can, why the zone is insecure. `sha1`: RSA with SHA-1 counts.
///
/// Its DNSKEY set need not be asked for then.
pub fn followable(promises: &[Promise], sha1: bool) -> Result<(), Fault> {
    links(promises, sha1).map(|_| ())
}

/// Promises of supported algorithms and digests. Of digests, SHA-1 only where nothing better is (RFC 4509 §3).
fn links(promises: &[Promise], sha1: bool) -> Result<Vec<Link<'_>>, Fault> {
    let mut why = Fault::UnsupportedAlgorithm;
    let mut links = Vec::new();
    for promise in promises.iter().take(limits::DS_RECORDS) {
        let (algorithm, link) = match promise {
            Promise::Ds(rdata) => match Ds::read(rdata) {
                Some(ds) => (
                    ds.algorithm,
                    DigestType::of(ds.digest_type).map(|digest| Link::Ds(ds, digest)),
                ),
                None => continue,
            },
            Promise::Dnskey(rdata) => match Dnskey::read(rdata) {
                Some(dnskey) => (dnskey.algorithm, Some(Link::Dnskey(dnskey))),
                None => continue,
            },
        };
        match link {
            Some(link) if counts(algorithm, sha1) => links.push(link),
            None if counts(algorithm, sha1) => why = Fault::UnsupportedDigest,
            _ if algorithm::support(algorithm) == Support::Sha1 && why == Fault::UnsupportedAlgorithm => {
                why = Fault::Sha1Only;
            }
            _ => {}
        }
    }
    if links.iter().any(|link| !matches!(link, Link::Ds(_, DigestType::Sha1))) {
        links.retain(|link| !matches!(link, Link::Ds(_, DigestType::Sha1)));
    }
    if links.is_empty() { Err(why) } else { Ok(links) }
}

fn counts(algorithm: u8, sha1: bool) -> bool {
    match algorithm::support(algorithm) {
        Support::Yes => true,
        Support::Sha1 => sha1,
        Support::No => false,
    }
}

/// Whether `set`, a zone's DNSKEY set, is the one that `promises` are about: one of them names a key of it, and that key signed it.
pub fn establish(set: &RRset, promises: &[Promise], sha1: bool, when: &When, work: &mut Work) -> Result<Keying, Fault> {
    debug_assert_eq!(set.rtype, rtype::DNSKEY, "keys come from DNSKEY sets");
    let links = match links(promises, sha1) {
        Ok(links) => links,
        Err(why) => return Ok(Keying::Insecure(why)),
    };
    // A zone with more keys than this is none of an honest keeper's; those past it are left out.
    let dnskeys: Vec<Dnskey<'_>> = set.records().filter_map(Dnskey::read).take(limits::ZONE_KEYS).collect();
    let tags: Vec<u16> = dnskeys.iter().map(Dnskey::tag).collect();
    let mut promised: Vec<Key> = Vec::new();
    let mut unsupported_links = 0;
    let mut worst = Fault::DsMismatch;
    for link in &links {
        let mut tried = 0;
        for (dnskey, tag) in dnskeys.iter().zip(&tags) {
            let alike = match link {
                Link::Ds(ds, _) => ds.tag == *tag && ds.algorithm == dnskey.algorithm,
                Link::Dnskey(ours) => ours.algorithm == dnskey.algorithm && ours.key == dnskey.key,
            };
            if !alike || tried == limits::KEYS_A_TAG {
                continue;
            }
            tried += 1;
            let same = match link {
                Link::Ds(ds, digest) => digest.digest(set.name.as_wire(), dnskey.rdata).as_ref() == ds.digest,
                Link::Dnskey(_) => true,
            };
            let Some(key) = Key::read(dnskey.rdata, sha1).filter(|_| same) else {
                continue;
            };
            match key.usable() {
                Ok(_) if promised.contains(&key) => {}
                Ok(_) => promised.push(key),
                // The right key, of a size that is not supported.
                Err(Fault::UnsupportedSignature) => unsupported_links += 1,
                Err(fault) => worst = fault,
            }
        }
    }
    if promised.is_empty() {
        // Insecure only where every link leads to such a key: leaving a key out must not make a zone insecure.
        return match unsupported_links == links.len() {
            true => Ok(Keying::Insecure(Fault::UnsupportedAlgorithm)),
            false => Err(worst),
        };
    }
    let named = |tag, algorithm| {
        promised
            .iter()
            .filter(move |key| key.tag == tag && key.algorithm == algorithm)
    };
    let Signed { ttl_s, encloser } = signature::check_with(set, &set.name, when, work, named)?;
    match encloser {
        // An apex is no wildcard's work.
        Some(_) => Err(Fault::WrongLabels),
        None => Ok(Keying::Secure(ZoneKeys::new(set, ttl_s, sha1))),
    }
}

/// The zones that signed a set, deepest first, each once: those that its owner can be in. For a DS set, those above its owner.
pub fn signers(set: &RRset) -> Vec<Name> {
    let mut signers: Vec<Name> = Vec::new();
    for rdata in set.signatures() {
        let Some(rrsig) = super::rdata::Rrsig::read(rdata) else {
            continue;
        };
        let above = canonical::is_within(set.name.as_wire(), rrsig.signer)
            && (set.rtype != rtype::DS || rrsig.signer.len() < set.name.as_wire().len());
        if !above
            || signers
                .iter()
                .any(|name| name.as_wire().eq_ignore_ascii_case(rrsig.signer))
        {
            continue;
        }
        if let Some(name) = Name::from_wire(rrsig.signer) {
            signers.push(name.to_lower());
        }
    }
    signers.sort_by_key(|name| std::cmp::Reverse(name.label_count()));
    signers
}
