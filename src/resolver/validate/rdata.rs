//! Reads the RDATA of the types that DNSSEC is made of.
//!
//! In: uncompressed RDATA. Out: borrowed views, or `None` where the bytes break the form of their type.
//! Always: no panic on any bytes; nothing copied.
//! Keeps: RFC 4034 §2 to §5, RFC 5155 §3, RFC 9824 §3.2 (NXNAME).

use crate::dns::name;
use crate::dns::rtype;

/// The type that says in an NSEC of compact denial that the name does not exist (RFC 9824 §3.2).
pub const NXNAME: u16 = 128;

/// An RRSIG (RFC 4034 §3.1).
#[derive(Debug, Clone, Copy)]
pub struct Rrsig<'a> {
    pub covered: u16,
    pub algorithm: u8,
    pub labels: u8,
    pub original_ttl_s: u32,
    /// Seconds since 1970 modulo 2^32.
    pub expiration: u32,
    pub inception: u32,
    pub tag: u16,
    /// A wire name, letter case as received.
    pub signer: &'a [u8],
    pub signature: &'a [u8],
    /// All before the signer, 18 bytes: they are signed as they stand.
    pub fixed: &'a [u8],
}

impl<'a> Rrsig<'a> {
    pub fn read(rdata: &'a [u8]) -> Option<Rrsig<'a>> {
        let (fixed, rest) = rdata.split_at_checked(18)?;
        let (signer, signature) = rest.split_at(name::wire_len(rest)?);
        Some(Rrsig {
            covered: u16_at(fixed, 0),
            algorithm: fixed[2],
            labels: fixed[3],
            original_ttl_s: u32_at(fixed, 4),
            expiration: u32_at(fixed, 8),
            inception: u32_at(fixed, 12),
            tag: u16_at(fixed, 16),
            signer,
            signature,
            fixed,
        })
    }
}

/// A DNSKEY (RFC 4034 §2.1).
#[derive(Debug, Clone, Copy)]
pub struct Dnskey<'a> {
    pub flags: u16,
    pub protocol: u8,
    pub algorithm: u8,
    pub key: &'a [u8],
    pub rdata: &'a [u8],
}

impl<'a> Dnskey<'a> {
    pub fn read(rdata: &'a [u8]) -> Option<Dnskey<'a>> {
        (rdata.len() > 4).then(|| Dnskey {
            flags: u16_at(rdata, 0),
            protocol: rdata[2],
            algorithm: rdata[3],
            key: &rdata[4..],
            rdata,
        })
    }

    /// Bit 7 (RFC 4034 §2.1.1): a key without it signs nothing of the zone.
    pub fn is_zone_key(&self) -> bool {
        self.flags & 0x0100 != 0
    }

    /// Bit 8 (RFC 5011 §2.1).
    pub fn is_revoked(&self) -> bool {
        self.flags & 0x0080 != 0
    }

    /// Bit 15: meant to be pointed at. A hint for rollovers, of no account in validation (RFC 4034 §2.1.1).
    pub fn is_entry_point(&self) -> bool {
        self.flags & 1 != 0
    }

    /// RFC 4034 appendix B.
    pub fn tag(&self) -> u16 {
        tag(self.rdata)
    }
}

/// The key tag of DNSKEY RDATA (RFC 4034 appendix B).
pub fn tag(rdata: &[u8]) -> u16 {
    // Algorithm 1 takes its tag from the modulus; it is not supported, and no such signature gets as far as a tag.
    let mut sum: u32 = 0;
    for pair in rdata.chunks(2) {
        sum += u32::from(pair[0]) << 8 | u32::from(pair.get(1).copied().unwrap_or(0));
    }
    (sum + (sum >> 16)) as u16
}

/// A DS (RFC 4034 §5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ds<'a> {
    pub tag: u16,
    pub algorithm: u8,
    pub digest_type: u8,
    pub digest: &'a [u8],
}

impl<'a> Ds<'a> {
    pub fn read(rdata: &'a [u8]) -> Option<Ds<'a>> {
        (rdata.len() > 4).then(|| Ds {
            tag: u16_at(rdata, 0),
            algorithm: rdata[2],
            digest_type: rdata[3],
            digest: &rdata[4..],
        })
    }
}

/// An NSEC (RFC 4034 §4.1).
#[derive(Debug, Clone, Copy)]
pub struct Nsec<'a> {
    /// A wire name, letter case as received.
    pub next: &'a [u8],
    pub types: Types<'a>,
}

impl<'a> Nsec<'a> {
    pub fn read(rdata: &'a [u8]) -> Option<Nsec<'a>> {
        let (next, types) = rdata.split_at(name::wire_len(rdata)?);
        Some(Nsec {
            next,
            types: Types::read(types)?,
        })
    }
}

/// An NSEC3 (RFC 5155 §3.1).
#[derive(Debug, Clone, Copy)]
pub struct Nsec3<'a> {
    pub algorithm: u8,
    pub flags: u8,
    pub iterations: u16,
    pub salt: &'a [u8],
    pub next: &'a [u8],
    pub types: Types<'a>,
}

impl<'a> Nsec3<'a> {
    pub fn read(rdata: &'a [u8]) -> Option<Nsec3<'a>> {
        let (fixed, rest) = rdata.split_at_checked(4)?;
        let (salt, rest) = length_prefixed(rest)?;
        let (next, types) = length_prefixed(rest)?;
        Some(Nsec3 {
            algorithm: fixed[0],
            flags: fixed[1],
            iterations: u16_at(fixed, 2),
            salt,
            next,
            types: Types::read(types)?,
        })
    }

    /// RFC 5155 §3.1.2.1: delegations without DS may hide in the gap.
    pub fn is_opt_out(&self) -> bool {
        self.flags & 1 != 0
    }
}

/// A type bitmap (RFC 4034 §4.1.2), whose windows were checked.
#[derive(Debug, Clone, Copy)]
pub struct Types<'a>(&'a [u8]);

impl<'a> Types<'a> {
    fn read(bytes: &'a [u8]) -> Option<Types<'a>> {
        let mut rest = bytes;
        let mut above: Option<u8> = None;
        while let Some((&window, after)) = rest.split_first() {
            let (bits, after) = length_prefixed(after)?;
            if !(1..=32).contains(&bits.len()) || above.is_some_and(|above| window <= above) {
                return None;
            }
            above = Some(window);
            rest = after;
        }
        Some(Types(bytes))
    }

    pub fn has(&self, rtype: u16) -> bool {
        let [window, low] = rtype.to_be_bytes();
        let mut rest = self.0;
        while let [at, length, after @ ..] = rest {
            let (bits, after) = after.split_at(usize::from(*length));
            if *at == window {
                return bits
                    .get(usize::from(low / 8))
                    .is_some_and(|byte| byte & (0x80 >> (low % 8)) != 0);
            }
            rest = after;
        }
        false
    }

    /// Whether it lists nothing but some of these.
    pub fn only(&self, rtypes: &[u16]) -> bool {
        let mut rest = self.0;
        while let [window, length, after @ ..] = rest {
            let (bits, after) = after.split_at(usize::from(*length));
            let set = |at: &usize| bits[at / 8] & (0x80 >> (at % 8)) != 0;
            let listed = (0..bits.len() * 8)
                .filter(set)
                .map(|at| u16::from(*window) << 8 | at as u16);
            if listed.into_iter().any(|rtype| !rtypes.contains(&rtype)) {
                return false;
            }
            rest = after;
        }
        true
    }

    /// Whether records of `rtype` are proven not to be here, an alias included.
    pub fn lacks(&self, rtype: u16) -> bool {
        match rtype {
            rtype::ANY => self.only(&[rtype::RRSIG, rtype::NSEC, NXNAME]),
            _ => !self.has(rtype) && !self.has(rtype::CNAME),
        }
    }

    /// Whether an owner with these types says nothing of names below it: they are another zone's or redirected (RFC 6840 §4.1).
    pub fn is_blind_below(&self) -> bool {
        self.is_delegation() || self.has(rtype::DNAME)
    }

    /// The parent's side of a zone cut: NS without SOA (RFC 6840 §4.1).
    pub fn is_delegation(&self) -> bool {
        self.has(rtype::NS) && !self.has(rtype::SOA)
    }

    /// The compact denial of a name that does not exist: it is "listed" with nothing but the sign for that (RFC 9824 §3.2).
    pub fn is_nxname(&self) -> bool {
        self.has(NXNAME) && self.only(&[rtype::RRSIG, rtype::NSEC, NXNAME])
    }
}

fn length_prefixed(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&length, rest) = bytes.split_first()?;
    rest.split_at_checked(usize::from(length))
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc4034_4_1_2_a_bitmap_says_what_it_lists_and_no_more() {
        // A MX RRSIG NSEC TYPE1234, the example of RFC 4034 §4.3.
        let mut bytes = vec![0x00, 0x06, 0x40, 0x01, 0x00, 0x00, 0x00, 0x03, 0x04, 0x1b];
        bytes.extend([0; 26]);
        bytes.push(0x20);
        let types = Types::read(&bytes).unwrap();
        let listed: Vec<u16> = (0..=u16::MAX).filter(|&rtype| types.has(rtype)).collect();
        assert_eq!(listed, [1, 15, 46, 47, 1234]);
        assert!(types.only(&listed) && !types.only(&listed[1..]));
        assert!(types.lacks(2) && !types.lacks(1234) && !types.lacks(rtype::ANY));
    }

    #[test]
    fn rfc4034_4_1_2_windows_out_of_order_empty_or_too_long_are_no_bitmap() {
        assert!(Types::read(&[1, 1, 0x80, 0, 1, 0x80]).is_none());
        assert!(Types::read(&[0, 1, 0x80, 0, 1, 0x80]).is_none());
        assert!(Types::read(&[0, 0]).is_none());
        assert!(Types::read(&[0, 2, 0x80]).is_none());
        assert!(Types::read(&[0]).is_none());
        let mut long = vec![0, 33];
        long.extend([1; 33]);
        assert!(Types::read(&long).is_none());
        assert!(
            Types::read(&[]).is_some(),
            "an empty non-terminal of NSEC3 has no types"
        );
    }

    #[test]
    fn cut_rdata_is_none_and_never_a_panic() {
        let whole: Vec<u8> = (0..64).collect();
        for end in 0..whole.len() {
            let bytes = &whole[..end];
            let _ = (Rrsig::read(bytes).is_some(), Dnskey::read(bytes).is_some());
            let _ = (
                Ds::read(bytes).is_some(),
                Nsec::read(bytes).is_some(),
                Nsec3::read(bytes).is_some(),
            );
        }
    }
}
