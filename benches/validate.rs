//! Checks of signatures a second, beside the bare call into the cryptographic library: what canonical form, order and rules cost.
//!
//! `cargo bench --bench validate`. One core. The signed set is an A set of four records below a zone with four keys.

use ring::rand::SystemRandom;
use ring::signature::{self, EcdsaKeyPair, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use stairgate::dns::name::Name;
use stairgate::dns::rtype;
use stairgate::now::Now;
use stairgate::resolver::engine::rrset::RRset;
use stairgate::resolver::validate::algorithm::nsec3_hash;
use stairgate::resolver::validate::canonical::Canonical;
use stairgate::resolver::validate::keys::{self, Keying, Promise, ZoneKeys};
use stairgate::resolver::validate::rdata::{Rrsig, tag};
use stairgate::resolver::validate::{When, Work, signature as sets};
use std::hint::black_box;
use std::time::{Duration, Instant};

const NOW_S: u64 = 1_800_000_000;
const RUN: Duration = Duration::from_secs(2);

/// A private key: its algorithm, its public half as DNSKEY has it, how it signs, and the bare check.
struct Pair {
    algorithm: u8,
    public: Vec<u8>,
    sign: Box<Sign>,
    bare: Box<Check>,
}

type Sign = dyn Fn(&[u8]) -> Vec<u8>;
type Check = dyn Fn(&[u8], &[u8]) -> bool;

fn ecdsa(
    algorithm: u8,
    signing: &'static signature::EcdsaSigningAlgorithm,
    checking: &'static dyn signature::VerificationAlgorithm,
) -> Pair {
    let random = SystemRandom::new();
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(signing, &random).expect("a key");
    let pair = EcdsaKeyPair::from_pkcs8(signing, pkcs8.as_ref(), &random).expect("the same key");
    let point = pair.public_key().as_ref().to_vec();
    Pair {
        algorithm,
        public: point[1..].to_vec(),
        bare: Box::new(move |data, signature| UnparsedPublicKey::new(checking, &point).verify(data, signature).is_ok()),
        sign: Box::new(move |data| pair.sign(&random, data).expect("a signature").as_ref().to_vec()),
    }
}

fn ed25519() -> Pair {
    let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect("a key");
    let pair = Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).expect("the same key");
    let public = pair.public_key().as_ref().to_vec();
    let key = public.clone();
    Pair {
        algorithm: 15,
        public,
        bare: Box::new(move |data, signature| {
            UnparsedPublicKey::new(&signature::ED25519, &key)
                .verify(data, signature)
                .is_ok()
        }),
        sign: Box::new(move |data| pair.sign(data).as_ref().to_vec()),
    }
}

fn sign(set: &mut RRset, zone: &Name, pair: &Pair, rdata: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let mut bytes = set.rtype.to_be_bytes().to_vec();
    bytes.extend([pair.algorithm, set.name.label_count() as u8]);
    bytes.extend(3600_u32.to_be_bytes());
    bytes.extend(((NOW_S + 86_400) as u32).to_be_bytes());
    bytes.extend(((NOW_S - 3600) as u32).to_be_bytes());
    bytes.extend(tag(rdata).to_be_bytes());
    bytes.extend(zone.as_wire());
    let mut data = Vec::new();
    let rrsig = Rrsig::read(&bytes).expect("an RRSIG");
    Canonical::of(set)
        .signed_data(&rrsig, &mut data)
        .expect("labels that fit");
    let signature = (pair.sign)(&data);
    bytes.extend(&signature);
    set.sign(&bytes);
    (data, signature)
}

fn rate(what: &str, mut once: impl FnMut() -> bool) -> f64 {
    let start = Instant::now();
    let mut count = 0_u64;
    while start.elapsed() < RUN {
        for _ in 0..64 {
            assert!(black_box(once()), "{what} holds");
        }
        count += 64;
    }
    let rate = count as f64 / start.elapsed().as_secs_f64();
    println!("{what:<44} {rate:>10.0} /s  {:>8.2} µs", 1e6 / rate);
    rate
}

fn main() {
    let zone = Name::parse("example.com").expect("a name");
    let when = When {
        now: Now {
            mono_ms: 0,
            unix_ms: NOW_S * 1000,
        },
        skew_s: 0,
        suspended: false,
    };
    let pairs = [
        (
            "ECDSA P-256",
            ecdsa(
                13,
                &signature::ECDSA_P256_SHA256_FIXED_SIGNING,
                &signature::ECDSA_P256_SHA256_FIXED,
            ),
        ),
        (
            "ECDSA P-384",
            ecdsa(
                14,
                &signature::ECDSA_P384_SHA384_FIXED_SIGNING,
                &signature::ECDSA_P384_SHA384_FIXED,
            ),
        ),
        ("Ed25519", ed25519()),
    ];
    for (label, pair) in pairs {
        let dnskey = [&[1, 1, 3, pair.algorithm][..], &pair.public].concat();
        let mut dnskeys = RRset::of(&zone, rtype::DNSKEY, 3600, &dnskey);
        for other in 0..3 {
            dnskeys.push(&[&[1, 0, 3, pair.algorithm][..], &vec![other; pair.public.len()]].concat());
        }
        sign(&mut dnskeys, &zone, &pair, &dnskey);
        let promises = [Promise::Dnskey(dnskey.clone())];
        let establish = || keys::establish(&dnskeys, &promises, false, &when, &mut Work::new());
        let Ok(Keying::Secure(keys)) = establish() else {
            panic!("the keys hold")
        };
        let mut set = RRset::new(&Name::parse("www.example.com").expect("a name"), rtype::A, 3600);
        (0..4).for_each(|octet| set.push(&[192, 0, 2, 4 - octet]));
        let (data, bytes) = sign(&mut set, &zone, &pair, &dnskey);
        let bare = rate(&format!("{label}: bare call"), || (pair.bare)(&data, &bytes));
        let keys: &ZoneKeys = &keys;
        let ours = rate(&format!("{label}: an RRset"), || {
            sets::check(&set, keys, &when, &mut Work::new()).is_ok()
        });
        rate(&format!("{label}: a DNSKEY set by its anchor"), || establish().is_ok());
        println!("{label}: {:.1} % over the bare call\n", (bare / ours - 1.0) * 100.0);
    }
    let name = Name::parse("a.name.of.some.length.example.com").expect("a name");
    for iterations in [0, 50] {
        rate(&format!("NSEC3 hash, {iterations} iterations"), || {
            nsec3_hash(name.as_wire(), &[7; 8], iterations)[0] != 1 || iterations > 0
        });
    }
}
