//! Signs what signed zones say: ECDSA P-256, one key for all zones, denial by NSEC made for the name at hand.

use hickory_proto::dnssec::crypto::EcdsaSigningKey;
use hickory_proto::dnssec::rdata::sig::SigInput;
use hickory_proto::dnssec::rdata::{DNSKEY, DNSSECRData, DS, NSEC, RRSIG};
use hickory_proto::dnssec::{Algorithm, DigestType, PublicKeyBuf, SigningKey, TBS};
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType, SerialNumber};
use std::cell::RefCell;
use std::collections::HashMap;
use std::time::{SystemTime, UNIX_EPOCH};

const ALGORITHM: Algorithm = Algorithm::ECDSAP256SHA256;
/// Signatures kept, so that the authorities' time is not the bench's.
const KEPT: usize = 200_000;

pub struct Signer {
    key: EcdsaSigningKey,
    public: PublicKeyBuf,
    tag: u16,
    now_s: u32,
    made: RefCell<HashMap<(Name, RecordType), Record>>,
}

impl Signer {
    pub fn new() -> Signer {
        let pkcs8 = EcdsaSigningKey::generate_pkcs8(ALGORITHM).expect("a key can be made");
        let key = EcdsaSigningKey::from_pkcs8(&pkcs8, ALGORITHM).expect("the key just made");
        let public = key.to_public_key().expect("it has a public half");
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock past 1970");
        Signer {
            tag: DNSKEY::from_key(&public).calculate_key_tag().expect("a key has a tag"),
            key,
            public,
            now_s: now.as_secs() as u32,
            made: RefCell::default(),
        }
    }

    pub fn dnskey(&self) -> RData {
        RData::DNSSEC(DNSSECRData::DNSKEY(DNSKEY::from_key(&self.public)))
    }

    pub fn ds(&self, zone: &Name) -> RData {
        let ds = DS::from_key(&self.public, zone, DigestType::SHA256).expect("a digest can be made");
        RData::DNSSEC(DNSSECRData::DS(ds))
    }

    /// The NSEC of `owner` that says which types are there, and nothing about other names.
    pub fn nsec(&self, owner: &Name, types: &[RecordType]) -> RData {
        let next = owner
            .prepend_label(&b"\0"[..])
            .expect("names of this internet are short");
        let nsec = NSEC::new_cover_self(next, types.iter().copied());
        RData::DNSSEC(DNSSECRData::NSEC(nsec))
    }

    /// The signature over an RRset.
    pub fn sign(&self, set: &[Record], zone: &Name) -> Record {
        let first = &set[0];
        let place = (first.name.clone(), first.record_type());
        if let Some(made) = self.made.borrow().get(&place) {
            return made.clone();
        }
        let input = SigInput {
            type_covered: first.record_type(),
            algorithm: ALGORITHM,
            num_labels: first.name.num_labels(),
            original_ttl: first.ttl,
            sig_expiration: SerialNumber::new(self.now_s + 7 * 86_400),
            sig_inception: SerialNumber::new(self.now_s - 3600),
            key_tag: self.tag,
            signer_name: zone.clone(),
        };
        let tbs = TBS::from_input(&first.name, DNSClass::IN, &input, set.iter()).expect("an RRset can be written");
        let signature = self.key.sign(&tbs).expect("a key signs");
        let rrsig = RRSIG::from_sig(input, signature);
        let record = Record::from_rdata(first.name.clone(), first.ttl, RData::DNSSEC(DNSSECRData::RRSIG(rrsig)));
        let mut made = self.made.borrow_mut();
        if made.len() < KEPT {
            made.insert(place, record.clone());
        }
        record
    }
}
