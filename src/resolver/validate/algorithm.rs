//! Which algorithms count, and the checks themselves.
//!
//! In: key and signature bytes as DNSKEY and RRSIG have them. Out: whether they match; whether they can be judged at all.
//! Always: what cannot be judged is said to be unsupported, never invalid.
//! Keeps: RFC 3110, RFC 5702, RFC 6605, RFC 8080, RFC 9904 (which algorithms), RFC 9905 (SHA-1), RFC 4509 and RFC 6605 §2 (digests).

use ring::digest;
use ring::signature::{self, RsaPublicKeyComponents, UnparsedPublicKey};

/// Whether signatures of an algorithm are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Support {
    Yes,
    /// RSA with SHA-1 (5 and 7): by setting only (RFC 9905 §3 has them count as insecure).
    Sha1,
    No,
}

/// What is known of an algorithm number (IANA "DNS Security Algorithm Numbers").
///
/// Ed448 (16) is not supported: the cryptographic library has none. Zones signed with nothing else are insecure.
pub fn support(algorithm: u8) -> Support {
    match algorithm {
        5 | 7 => Support::Sha1,
        8 | 10 | 13 | 14 | 15 => Support::Yes,
        _ => Support::No,
    }
}

/// Public key material, ready for checks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Material {
    Rsa {
        algorithm: u8,
        exponent: Box<[u8]>,
        modulus: Box<[u8]>,
    },
    /// With the 0x04 of an uncompressed point in front.
    P256(Box<[u8]>),
    P384(Box<[u8]>),
    Ed25519(Box<[u8]>),
}

/// Bounds of an RSA modulus, in bits. Shorter ones can be broken, and are treated as unknown algorithms are; RFC 3110 §2 and
/// RFC 5702 §2.1 end at 4096.
const RSA_BITS: std::ops::RangeInclusive<usize> = 1024..=4096;

impl Material {
    /// The key field of a DNSKEY; `None` if it is malformed, or of a size or algorithm that is not supported.
    pub fn read(algorithm: u8, key: &[u8]) -> Option<Material> {
        let point = |length| (key.len() == length).then(|| [&[4], key].concat().into_boxed_slice());
        match algorithm {
            5 | 7 | 8 | 10 => {
                // RFC 3110 §2: the length of the exponent takes one byte, or three of which the first is 0.
                let (length, rest) = match key {
                    [0, high, low, rest @ ..] => (usize::from(*high) << 8 | usize::from(*low), rest),
                    [length, rest @ ..] => (usize::from(*length), rest),
                    [] => return None,
                };
                let (exponent, modulus) = rest.split_at_checked(length)?;
                let (exponent, modulus) = (without_zeros(exponent), without_zeros(modulus));
                let bits = modulus.len() * 8 - modulus.first()?.leading_zeros() as usize;
                // A public exponent past 2^33 is used by nobody, and costs as much as the whole signature of an honest key.
                (RSA_BITS.contains(&bits) && (1..=5).contains(&exponent.len())).then(|| Material::Rsa {
                    algorithm,
                    exponent: exponent.into(),
                    modulus: modulus.into(),
                })
            }
            13 => point(64).map(Material::P256),
            14 => point(96).map(Material::P384),
            15 => (key.len() == 32).then(|| Material::Ed25519(key.into())),
            _ => None,
        }
    }

    /// Whether `signature` over `data` was made with this key.
    pub fn verify(&self, data: &[u8], signature: &[u8]) -> bool {
        let unparsed = |algorithm: &'static dyn signature::VerificationAlgorithm, key: &[u8]| {
            UnparsedPublicKey::new(algorithm, key).verify(data, signature).is_ok()
        };
        match self {
            Material::Rsa {
                algorithm,
                exponent,
                modulus,
            } => {
                let parameters = match algorithm {
                    5 | 7 => &signature::RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY,
                    8 => &signature::RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY,
                    _ => &signature::RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY,
                };
                let key = RsaPublicKeyComponents {
                    n: modulus,
                    e: exponent,
                };
                key.verify(parameters, data, signature).is_ok()
            }
            Material::P256(point) => unparsed(&signature::ECDSA_P256_SHA256_FIXED, point),
            Material::P384(point) => unparsed(&signature::ECDSA_P384_SHA384_FIXED, point),
            Material::Ed25519(key) => unparsed(&signature::ED25519, key),
        }
    }
}

fn without_zeros(bytes: &[u8]) -> &[u8] {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    &bytes[zeros..]
}

/// A digest type of DS records that can be computed (IANA "DS RR Type Digest Algorithms").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DigestType {
    Sha1,
    Sha256,
    Sha384,
}

impl DigestType {
    pub fn of(number: u8) -> Option<DigestType> {
        match number {
            1 => Some(DigestType::Sha1),
            2 => Some(DigestType::Sha256),
            4 => Some(DigestType::Sha384),
            _ => None,
        }
    }

    /// The digest that a DS of this type has for a DNSKEY (RFC 4034 §5.1.4). `owner` is a wire name.
    pub fn digest(self, owner: &[u8], dnskey: &[u8]) -> digest::Digest {
        let mut context = digest::Context::new(match self {
            DigestType::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
            DigestType::Sha256 => &digest::SHA256,
            DigestType::Sha384 => &digest::SHA384,
        });
        context.update(&owner.to_ascii_lowercase());
        context.update(dnskey);
        context.finish()
    }
}

/// The hash that NSEC3 orders names by (RFC 5155 §5). `name` is a wire name, letter case of no account.
pub fn nsec3_hash(name: &[u8], salt: &[u8], iterations: u16) -> [u8; 20] {
    let mut buffer = [0_u8; 255 + 255];
    buffer[..name.len()].copy_from_slice(name);
    buffer[..name.len()].make_ascii_lowercase();
    let mut length = name.len();
    let mut hash = [0; 20];
    for _ in 0..=iterations {
        buffer[length..length + salt.len()].copy_from_slice(salt);
        let round = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, &buffer[..length + salt.len()]);
        hash.copy_from_slice(round.as_ref());
        buffer[..20].copy_from_slice(&hash);
        length = 20;
    }
    hash
}

/// How many blocks of SHA-1 such a hash takes: what it costs, in a unit that an attacker cannot stretch.
pub fn nsec3_blocks(name_bytes: usize, salt_bytes: usize, iterations: u16) -> u32 {
    // 64 bytes a block, of which 9 at the end are padding.
    let blocks = |bytes: usize| ((bytes + 9).div_ceil(64)) as u32;
    blocks(name_bytes + salt_bytes) + u32::from(iterations) * blocks(20 + salt_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::name::Name;

    #[test]
    fn rfc5155_appendix_a_names_hash_as_in_its_example() {
        let salt = [0xaa, 0xbb, 0xcc, 0xdd];
        for (text, expected) in [
            ("example", "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom"),
            ("A.Example", "35mthgpgcu1qg68fab165klnsnk3dpvl"),
            ("*.w.example", "r53bq7cc2uvmubfu5ocmm6pers9tk9en"),
        ] {
            let hash = nsec3_hash(Name::parse(text).unwrap().as_wire(), &salt, 12);
            assert_eq!(super::super::denial::nsec3::label(&hash), expected.as_bytes(), "{text}");
        }
    }

    #[test]
    fn keys_of_wrong_sizes_are_not_read() {
        for algorithm in 0..=255 {
            for length in 0..200 {
                let key = vec![7; length];
                let Some(material) = Material::read(algorithm, &key) else {
                    continue;
                };
                assert!(!material.verify(b"data", &key));
            }
        }
        let rsa = |bits: usize| [&[3, 1, 0, 1][..], &vec![0xff; bits / 8]].concat();
        assert!(Material::read(8, &rsa(1016)).is_none());
        assert!(Material::read(8, &rsa(1024)).is_some());
        assert!(Material::read(8, &rsa(4096)).is_some());
        assert!(Material::read(8, &rsa(4104)).is_none());
        assert!(Material::read(8, &[0]).is_none() && Material::read(8, &[]).is_none());
    }

    #[test]
    fn a_hash_costs_as_many_blocks_as_sha1_takes() {
        assert_eq!(nsec3_blocks(55, 0, 0), 1);
        assert_eq!(nsec3_blocks(56, 0, 0), 2);
        assert_eq!(nsec3_blocks(255, 255, 50), 9 + 50 * 5);
    }
}
