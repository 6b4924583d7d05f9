//! A made-up tree of signed zones: each answers as an authority would, slowly and by the book.
//!
//! In: zones of records, how they deny, which keys they have. Out: sections of responses as RRsets. The signatures are made by
//! hickory-proto from decoded records, which shares no code with the validator.

use super::super::algorithm::{DigestType, nsec3_hash};
use super::super::anchors::Anchors;
use super::super::chain::{Fetched, Source, Validator, ValidatorSettings};
use super::super::dates::When;
use super::super::denial::nsec3;
use super::super::judge::{JudgedWhole, Whole};
use super::super::keys::Promise;
use super::super::rdata;
use super::super::work::Work;
use crate::dns::name::Name;
use crate::dns::rtype;
use crate::now::Now;
use crate::resolver::engine::rrset::RRset;
use hickory_proto::dnssec::crypto::{EcdsaSigningKey, Ed25519SigningKey, RsaSigningKey};
use hickory_proto::dnssec::rdata::sig::SigInput;
use hickory_proto::dnssec::{Algorithm, PublicKey, SigningKey, TBS};
use hickory_proto::rr::{DNSClass, Record, RecordType, SerialNumber};
use hickory_proto::serialize::binary::{BinDecodable, BinDecoder};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

/// The moment of the tests, in seconds since 1970.
pub const NOW_S: u64 = 1_800_000_000;

pub fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

pub fn when() -> When {
    at(NOW_S)
}

pub fn at(unix_s: u64) -> When {
    When {
        now: Now {
            mono_ms: 1_000_000 + (unix_s.saturating_sub(NOW_S)) * 1000,
            unix_ms: unix_s * 1000,
        },
        skew_s: 0,
        suspended: false,
    }
}

/// Drives a future that never really waits.
pub fn run<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("nothing here waits"),
    }
}

/// A DNSKEY with its private half.
pub struct TestKey {
    pub flags: u16,
    pub algorithm: u8,
    pub public: Vec<u8>,
    private: Arc<dyn SigningKey>,
}

/// A private RSA key of 2,048 bits, made for these tests only.
pub const RSA_2048: &[u8] = include_bytes!("rsa-2048.pk8");

impl TestKey {
    pub fn new(algorithm: u8) -> TestKey {
        let private: Arc<dyn SigningKey> = match algorithm {
            // Nothing signs with SHA-1 (7) any more; a test brings such signatures ready made.
            7 => {
                return TestKey {
                    algorithm,
                    ..TestKey::new(8)
                };
            }
            8 | 10 => Arc::new(RsaSigningKey::from_pkcs8(&RSA_2048.into(), Algorithm::from_u8(algorithm)).unwrap()),
            13 | 14 => {
                let algorithm = Algorithm::from_u8(algorithm);
                let pkcs8 = EcdsaSigningKey::generate_pkcs8(algorithm).unwrap();
                Arc::new(EcdsaSigningKey::from_pkcs8(&pkcs8, algorithm).unwrap())
            }
            15 => Arc::new(Ed25519SigningKey::from_pkcs8(&Ed25519SigningKey::generate_pkcs8().unwrap()).unwrap()),
            other => panic!("no key of algorithm {other} can be made"),
        };
        TestKey {
            flags: 257,
            algorithm,
            public: private.to_public_key().unwrap().public_bytes().to_vec(),
            private,
        }
    }

    /// The same key under other flags.
    pub fn with_flags(&self, flags: u16) -> TestKey {
        TestKey {
            flags,
            algorithm: self.algorithm,
            public: self.public.clone(),
            private: Arc::clone(&self.private),
        }
    }

    pub fn rdata(&self) -> Vec<u8> {
        let mut rdata = self.flags.to_be_bytes().to_vec();
        rdata.extend([3, self.algorithm]);
        rdata.extend(&self.public);
        rdata
    }

    pub fn tag(&self) -> u16 {
        rdata::tag(&self.rdata())
    }

    pub fn ds(&self, zone: &Name, digest_type: u8) -> Vec<u8> {
        let digest = DigestType::of(digest_type)
            .unwrap()
            .digest(zone.as_wire(), &self.rdata());
        let mut ds = self.tag().to_be_bytes().to_vec();
        ds.extend([self.algorithm, digest_type]);
        ds.extend(digest.as_ref());
        ds
    }
}

/// How one signature is made.
#[derive(Clone)]
pub struct How {
    pub labels: Option<u8>,
    pub inception: u32,
    pub expiration: u32,
    pub original_ttl_s: Option<u32>,
    pub tag: Option<u16>,
    pub algorithm: Option<u8>,
}

impl Default for How {
    fn default() -> How {
        How {
            labels: None,
            inception: (NOW_S - 3600) as u32,
            expiration: (NOW_S + 86_400) as u32,
            original_ttl_s: None,
            tag: None,
            algorithm: None,
        }
    }
}

/// RDATA of an RRSIG over `set`.
pub fn rrsig(set: &RRset, zone: &Name, key: &TestKey, how: &How) -> Vec<u8> {
    let decoded = |wire: &[u8]| hickory_proto::rr::Name::read(&mut BinDecoder::new(wire)).unwrap();
    let owner = decoded(set.name.as_wire());
    let input = SigInput {
        type_covered: RecordType::from(set.rtype),
        algorithm: Algorithm::from_u8(how.algorithm.unwrap_or(key.algorithm)),
        num_labels: how.labels.unwrap_or(owner.num_labels()),
        original_ttl: how.original_ttl_s.unwrap_or(set.ttl_s),
        sig_expiration: SerialNumber::new(how.expiration),
        sig_inception: SerialNumber::new(how.inception),
        key_tag: how.tag.unwrap_or_else(|| key.tag()),
        signer_name: decoded(zone.as_wire()),
    };
    let records: Vec<Record> = set
        .records()
        .map(|rdata| {
            let mut wire = set.name.as_wire().to_vec();
            wire.extend(set.rtype.to_be_bytes());
            wire.extend([0, 1]);
            wire.extend(set.ttl_s.to_be_bytes());
            wire.extend((rdata.len() as u16).to_be_bytes());
            wire.extend(rdata);
            Record::read(&mut BinDecoder::new(&wire)).unwrap()
        })
        .collect();
    let tbs = TBS::from_input(&owner, DNSClass::IN, &input, records.iter());
    // Where there are too many labels no name can be made; any signature will do.
    let signature = tbs.map_or_else(|_| vec![7; 64], |tbs| key.private.sign(&tbs).unwrap());
    let mut bytes = set.rtype.to_be_bytes().to_vec();
    bytes.extend([how.algorithm.unwrap_or(key.algorithm), input.num_labels]);
    bytes.extend(input.original_ttl.to_be_bytes());
    bytes.extend(how.expiration.to_be_bytes());
    bytes.extend(how.inception.to_be_bytes());
    bytes.extend(input.key_tag.to_be_bytes());
    bytes.extend(zone.as_wire());
    bytes.extend(signature);
    bytes
}

/// How a zone denies.
#[derive(Clone, PartialEq, Eq)]
pub enum Deny {
    Nsec,
    Nsec3 {
        iterations: u16,
        salt: Vec<u8>,
        opt_out: bool,
    },
    /// RFC 9824.
    Compact,
    /// The zone is not signed.
    Unsigned,
}

pub fn nsec3() -> Deny {
    Deny::Nsec3 {
        iterations: 0,
        salt: Vec::new(),
        opt_out: false,
    }
}

pub struct Zone {
    pub apex: Name,
    pub keys: Vec<TestKey>,
    pub deny: Deny,
    pub how: How,
    pub records: BTreeMap<Name, BTreeMap<u16, Vec<Vec<u8>>>>,
}

/// Sections of a response.
#[derive(Clone, Default)]
pub struct Reply {
    pub nxdomain: bool,
    pub answers: Vec<RRset>,
    pub authorities: Vec<RRset>,
}

pub const TTL_S: u32 = 3600;

impl Zone {
    pub fn new(apex: &str, deny: Deny) -> Zone {
        let apex = name(apex);
        let soa = [apex.as_wire(), apex.as_wire(), &[0; 16], &300_u32.to_be_bytes()].concat();
        let mut zone = Zone {
            keys: if deny == Deny::Unsigned {
                Vec::new()
            } else {
                vec![TestKey::new(15)]
            },
            apex: apex.clone(),
            deny,
            how: How::default(),
            records: BTreeMap::new(),
        };
        zone.put(&apex, rtype::SOA, soa);
        zone.put(&apex, rtype::NS, name("ns.example.net").as_wire().to_vec());
        zone
    }

    pub fn with(mut self, owner: &str, rtype: u16, rdata: &[u8]) -> Zone {
        self.put(&name(owner), rtype, rdata.to_vec());
        self
    }

    pub fn with_a(self, owner: &str) -> Zone {
        self.with(owner, rtype::A, &[192, 0, 2, 1])
    }

    pub fn put(&mut self, owner: &Name, rtype: u16, rdata: Vec<u8>) {
        self.records
            .entry(owner.clone())
            .or_default()
            .entry(rtype)
            .or_default()
            .push(rdata);
    }

    /// Signed with all keys whose zone bit is set; a zone without keys signs nothing.
    pub fn signed(&self, owner: &Name, rtype: u16, records: &[Vec<u8>], wildcard: Option<u8>) -> RRset {
        let mut set = RRset::new(owner, rtype, TTL_S);
        records.iter().for_each(|rdata| set.push(rdata));
        let how = How {
            labels: wildcard.or(self.how.labels),
            ..self.how.clone()
        };
        for key in &self.keys {
            set.sign(&rrsig(&set, &self.apex, key, &how));
        }
        set
    }

    pub fn dnskeys(&self) -> RRset {
        let records: Vec<Vec<u8>> = self.keys.iter().map(TestKey::rdata).collect();
        self.signed(&self.apex, rtype::DNSKEY, &records, None)
    }

    pub fn ds(&self) -> Vec<Vec<u8>> {
        self.keys.iter().map(|key| key.ds(&self.apex, 2)).collect()
    }

    fn set(&self, owner: &Name, rtype: u16) -> Option<RRset> {
        let records = self.records.get(owner)?.get(&rtype)?;
        Some(self.signed(owner, rtype, records, None))
    }

    /// A zone cut at or above `name`, below the apex.
    fn cut(&self, name: &Name) -> Option<Name> {
        (self.apex.label_count() + 1..=name.label_count())
            .map(|labels| super::super::canonical::suffix(name, labels))
            .find(|name| {
                self.records
                    .get(name)
                    .is_some_and(|types| types.contains_key(&rtype::NS))
            })
    }

    fn exists(&self, name: &Name) -> bool {
        self.records.keys().any(|owner| owner.is_within(name))
    }

    fn closest_encloser(&self, name: &Name) -> Name {
        let mut encloser = name.clone();
        while !self.exists(&encloser) {
            encloser = encloser.parent().unwrap();
        }
        encloser
    }

    fn types_at(&self, owner: &Name) -> BTreeSet<u16> {
        let mut types: BTreeSet<u16> = self
            .records
            .get(owner)
            .map(|types| types.keys().copied().collect())
            .unwrap_or_default();
        if *owner == self.apex {
            types.insert(rtype::DNSKEY);
            if matches!(self.deny, Deny::Nsec3 { .. }) {
                types.insert(51);
            }
        }
        let delegation = types.contains(&rtype::NS) && *owner != self.apex;
        if delegation {
            types.retain(|rtype| matches!(*rtype, rtype::NS | rtype::DS));
        }
        if !types.is_empty() && (!delegation || types.contains(&rtype::DS) || self.deny == Deny::Nsec) {
            types.insert(rtype::RRSIG);
        }
        types
    }

    /// Names that are denied by: all that are the zone's own, and delegations.
    fn owners(&self) -> Vec<Name> {
        let own = |owner: &&Name| self.cut(owner).is_none_or(|cut| cut == **owner);
        self.records.keys().filter(own).cloned().collect()
    }

    /// The NSEC at or before `name`.
    pub fn nsec(&self, name: &Name) -> RRset {
        let owners = self.owners();
        let at = owners
            .iter()
            .rposition(|owner| owner <= name)
            .expect("the apex is first");
        let next = owners.get(at + 1).unwrap_or(&self.apex);
        self.nsec_of(&owners[at], next, &self.types_at(&owners[at]))
    }

    fn nsec_of(&self, owner: &Name, next: &Name, types: &BTreeSet<u16>) -> RRset {
        let mut types = types.clone();
        types.extend([rtype::NSEC, rtype::RRSIG]);
        let rdata = [next.as_wire(), &bitmap(&types)].concat();
        self.signed(owner, rtype::NSEC, &[rdata], None)
    }

    fn hash(&self, name: &Name) -> nsec3::Hash {
        match &self.deny {
            Deny::Nsec3 { iterations, salt, .. } => nsec3_hash(name.as_wire(), salt, *iterations),
            _ => panic!("not an NSEC3 zone"),
        }
    }

    /// The NSEC3 that matches `name`, or covers it.
    pub fn nsec3(&self, name: &Name) -> RRset {
        let Deny::Nsec3 {
            iterations,
            salt,
            opt_out,
        } = &self.deny
        else {
            panic!("not an NSEC3 zone")
        };
        let mut chain: BTreeMap<nsec3::Hash, Name> = BTreeMap::new();
        for owner in self.owners() {
            let types = self.types_at(&owner);
            if *opt_out && owner != self.apex && types.contains(&rtype::NS) && !types.contains(&rtype::DS) {
                continue;
            }
            let mut above = Some(owner);
            while let Some(name) = above.filter(|name| name.is_within(&self.apex)) {
                chain.insert(self.hash(&name), name.clone());
                above = name.parent();
            }
        }
        let hash = self.hash(name);
        let (owner_hash, owner) = chain.range(..=hash).next_back().or(chain.last_key_value()).unwrap();
        let next = chain
            .range((std::ops::Bound::Excluded(*owner_hash), std::ops::Bound::Unbounded))
            .next()
            .map_or(chain.keys().next().unwrap(), |(next, _)| next);
        let mut rdata = vec![1, u8::from(*opt_out)];
        rdata.extend(iterations.to_be_bytes());
        rdata.push(salt.len() as u8);
        rdata.extend(salt);
        rdata.push(20);
        rdata.extend(next);
        rdata.extend(bitmap(&self.types_at(owner)));
        let name = [&[32][..], &nsec3::label(owner_hash), self.apex.as_wire()].concat();
        self.signed(&Name::from_wire(&name).unwrap(), rtype::NSEC3, &[rdata], None)
    }

    /// Proofs about names, each record once.
    fn proofs(&self, names: &[&Name]) -> Vec<RRset> {
        let mut proofs: Vec<RRset> = Vec::new();
        for name in names {
            let proof = match &self.deny {
                Deny::Nsec => self.nsec(name),
                Deny::Nsec3 { .. } => self.nsec3(name),
                Deny::Compact | Deny::Unsigned => continue,
            };
            if !proofs.iter().any(|known| known.name == proof.name) {
                proofs.push(proof);
            }
        }
        proofs
    }

    fn either(&self, nsec: &[&Name], nsec3: &[&Name]) -> Vec<RRset> {
        self.proofs(if self.deny == Deny::Nsec { nsec } else { nsec3 })
    }

    /// RFC 1034 §4.3.2 with RFC 4035 §3.1 and RFC 5155 §7.2.
    pub fn reply(&self, qname: &Name, qtype: u16) -> Reply {
        let mut reply = Reply::default();
        if let Some(cut) = self.cut(qname).filter(|cut| cut != qname || qtype != rtype::DS) {
            reply.authorities.extend(self.set(&cut, rtype::DS));
            if reply.authorities.is_empty() {
                reply.authorities = self.no_ds(&cut);
            }
            return reply;
        }
        if *qname == self.apex && qtype == rtype::DNSKEY && !self.keys.is_empty() {
            reply.answers.push(self.dnskeys());
            return reply;
        }
        let dname = (self.apex.label_count()..qname.label_count())
            .map(|labels| super::super::canonical::suffix(qname, labels))
            .find_map(|owner| self.set(&owner, rtype::DNAME));
        if let Some(dname) = dname {
            reply.answers.push(dname);
            return reply;
        }
        if let Some(found) = self.set(qname, qtype).or_else(|| self.set(qname, rtype::CNAME)) {
            reply.answers.push(found);
            return reply;
        }
        if self.exists(qname) {
            reply.authorities = vec![self.set(&self.apex, rtype::SOA).unwrap()];
            match self.deny {
                Deny::Compact => reply.authorities.push(self.compact(qname, &self.types_at(qname))),
                // An empty non-terminal above nothing but unsigned delegations has no NSEC3 with opt-out.
                Deny::Nsec3 { .. } if self.nsec3_owner(qname) != self.hash(qname) => {
                    reply.authorities.extend(self.no_ds(qname));
                }
                _ => reply.authorities.extend(self.proofs(&[qname])),
            }
            return reply;
        }
        let encloser = self.closest_encloser(qname);
        let closer = super::super::canonical::suffix(qname, encloser.label_count() + 1);
        let wildcard = super::super::canonical::wildcard(&encloser).unwrap();
        if let Some(types) = self.records.get(&wildcard) {
            let found = [qtype, rtype::CNAME]
                .into_iter()
                .find(|rtype| types.contains_key(rtype));
            // Who signs while answering has no need of expansion.
            if self.deny == Deny::Compact {
                match found {
                    Some(found) => reply.answers.push(self.signed(qname, found, &types[&found], None)),
                    None => {
                        reply.authorities = vec![self.set(&self.apex, rtype::SOA).unwrap()];
                        reply.authorities.push(self.compact(qname, &self.types_at(&wildcard)));
                    }
                }
                return reply;
            }
            if let Some(found) = found {
                let labels = encloser.label_count() as u8;
                reply
                    .answers
                    .push(self.signed(qname, found, &types[&found], Some(labels)));
                reply.authorities = self.either(&[qname], &[&closer]);
                return reply;
            }
            reply.authorities = vec![self.set(&self.apex, rtype::SOA).unwrap()];
            reply
                .authorities
                .extend(self.either(&[qname, &wildcard], &[&encloser, &closer, &wildcard]));
            return reply;
        }
        reply.authorities = vec![self.set(&self.apex, rtype::SOA).unwrap()];
        if self.deny == Deny::Compact {
            reply
                .authorities
                .push(self.compact(qname, &BTreeSet::from([rdata::NXNAME])));
            return reply;
        }
        reply.nxdomain = true;
        reply
            .authorities
            .extend(self.either(&[qname, &wildcard], &[&encloser, &closer, &wildcard]));
        reply
    }

    fn nsec3_owner(&self, name: &Name) -> nsec3::Hash {
        nsec3::owner_hash(self.nsec3(name).name.as_wire(), self.apex.as_wire()).unwrap()
    }

    /// RFC 9824 §3: an NSEC made for this very name.
    fn compact(&self, name: &Name, types: &BTreeSet<u16>) -> RRset {
        let next = Name::from_wire(&[&[1, 0][..], name.as_wire()].concat()).unwrap();
        self.nsec_of(name, &next, types)
    }

    /// RFC 4035 §3.1.4.1, RFC 5155 §7.2.7: proofs that there is no DS set at `name`, with the closest provable encloser.
    fn no_ds(&self, name: &Name) -> Vec<RRset> {
        match self.deny {
            Deny::Nsec3 { .. } if self.nsec3_owner(name) != self.hash(name) => {
                let mut encloser = name.clone();
                while self.nsec3_owner(&encloser) != self.hash(&encloser) {
                    encloser = encloser.parent().unwrap();
                }
                let closer = super::super::canonical::suffix(name, encloser.label_count() + 1);
                self.proofs(&[&encloser, &closer])
            }
            Deny::Compact => vec![self.compact(name, &self.types_at(name))],
            _ => self.proofs(&[name]),
        }
    }
}

pub fn bitmap(types: &BTreeSet<u16>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let windows: BTreeSet<u8> = types.iter().map(|rtype| (rtype >> 8) as u8).collect();
    for window in windows {
        let mut bits = vec![0_u8; 32];
        for rtype in types.iter().filter(|rtype| (**rtype >> 8) as u8 == window) {
            let low = usize::from(*rtype & 0xff);
            bits[low / 8] |= 0x80 >> (low % 8);
        }
        while bits.last() == Some(&0) {
            bits.pop();
        }
        bytes.extend([window, bits.len() as u8]);
        bytes.extend(bits);
    }
    bytes
}

/// Zones below one another, the first being the one with the anchor.
pub struct World {
    pub zones: Vec<Zone>,
    /// What is fetched instead of what the zones say; `None`: nobody answers.
    pub forged: RefCell<HashMap<(Name, u16), Option<Fetched>>>,
    pub fetches: RefCell<Vec<(Name, u16)>>,
    pub validator: Validator,
    /// What the last judgment cost.
    pub signatures: Cell<u32>,
    pub blocks: Cell<u32>,
}

impl World {
    /// Puts NS and DS records of each zone into the zone above it, and trusts the first.
    pub fn new(zones: Vec<Zone>) -> World {
        World::built(zones, ValidatorSettings::default(), |_| {})
    }

    pub fn built(mut zones: Vec<Zone>, settings: ValidatorSettings, change: impl FnOnce(&mut Vec<Zone>)) -> World {
        for at in 1..zones.len() {
            let (apex, ds) = (zones[at].apex.clone(), zones[at].ds());
            let parent = World::home(&zones, &apex, true);
            zones[parent].put(&apex, rtype::NS, name("ns.example.net").as_wire().to_vec());
            for ds in ds {
                zones[parent].put(&apex, rtype::DS, ds);
            }
        }
        change(&mut zones);
        let mut anchors = Anchors::none();
        for ds in zones[0].ds() {
            anchors.add(&zones[0].apex, Promise::Ds(ds));
        }
        World {
            zones,
            forged: RefCell::default(),
            fetches: RefCell::default(),
            validator: Validator::new(anchors, settings),
            signatures: Cell::new(0),
            blocks: Cell::new(0),
        }
    }

    fn home(zones: &[Zone], name: &Name, above: bool) -> usize {
        let over = |zone: &Zone| name.is_within(&zone.apex) && !(above && zone.apex == *name && !name.is_root());
        let deepest = (0..zones.len()).filter(|at| over(&zones[*at]));
        deepest
            .max_by_key(|at| zones[*at].apex.label_count())
            .expect("a zone is over it")
    }

    pub fn zone(&self, apex: &str) -> &Zone {
        self.zones.iter().find(|zone| zone.apex == name(apex)).unwrap()
    }

    /// What the zone responsible says.
    pub fn reply(&self, qname: &str, qtype: u16) -> Reply {
        let qname = name(qname);
        self.zones[World::home(&self.zones, &qname, qtype == rtype::DS)].reply(&qname, qtype)
    }

    pub fn judge_at(&self, qname: &str, qtype: u16, reply: &Reply, when: &When) -> JudgedWhole {
        let mut work = Work::new();
        let qname = name(qname);
        let whole = Whole {
            qname: &qname,
            qtype,
            nxdomain: reply.nxdomain,
            answers: &reply.answers,
            authorities: &reply.authorities,
        };
        let judged = run(self.validator.response(whole, self, when, &mut work));
        self.signatures.set(work.signatures_checked());
        self.blocks.set(work.blocks_hashed());
        judged
    }

    pub fn judge(&self, qname: &str, qtype: u16, reply: &Reply) -> JudgedWhole {
        self.judge_at(qname, qtype, reply, &when())
    }

    /// Asks and judges.
    pub fn ask(&self, qname: &str, qtype: u16) -> JudgedWhole {
        self.judge(qname, qtype, &self.reply(qname, qtype))
    }

    pub fn forge(&self, owner: &str, rtype: u16, fetched: Option<Fetched>) {
        self.forged.borrow_mut().insert((name(owner), rtype), fetched);
    }
}

impl Source for World {
    async fn fetch(&self, name: &Name, rtype: u16) -> Option<Fetched> {
        self.fetches.borrow_mut().push((name.clone(), rtype));
        if let Some(forged) = self.forged.borrow().get(&(name.clone(), rtype)) {
            return forged.clone();
        }
        let zone = &self.zones[World::home(&self.zones, name, rtype == rtype::DS)];
        let mut reply = zone.reply(name, rtype);
        match reply.answers.pop() {
            Some(set) if set.rtype == rtype => Some(Fetched::Set(Arc::new(set))),
            Some(set) if set.rtype == rtype::CNAME => Some(Fetched::Alias(Arc::new(set), reply.authorities)),
            _ => Some(Fetched::Denied(reply.authorities)),
        }
    }
}
