//! Zones as text.

use super::super::rrset::RRset;
use crate::dns::name::Name;
use crate::dns::rtype;
use std::collections::BTreeMap;
use std::sync::Arc;

pub fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

/// A zone: its sets by owner and type. There is always an SOA with a minimum of 60.
#[derive(Clone)]
pub struct Zone {
    pub apex: Name,
    pub sets: BTreeMap<(Name, u16), RRset>,
}

impl Zone {
    /// Records as lines `owner TYPE data`, or several with `;` between; `@` is the apex, names without a final dot are relative to
    /// it. TTLs are 300.
    pub fn new(apex: &str, text: &str) -> Arc<Zone> {
        let mut zone = Zone {
            apex: name(apex),
            sets: BTreeMap::new(),
        };
        let mut soa = zone.full("ns").as_wire().to_vec();
        soa.extend_from_slice(zone.full("nobody").as_wire());
        for field in [1_u32, 3600, 600, 86_400, 60] {
            soa.extend_from_slice(&field.to_be_bytes());
        }
        zone.add(&zone.apex.clone(), rtype::SOA, &soa);
        for line in text.split([';', '\n']).map(str::trim).filter(|line| !line.is_empty()) {
            let mut words = line.split_whitespace();
            let owner = zone.full(words.next().unwrap());
            let kind = words.next().unwrap();
            let data: Vec<&str> = words.collect();
            let (rtype, rdata) = zone.rdata(kind, &data);
            zone.add(&owner, rtype, &rdata);
        }
        Arc::new(zone)
    }

    pub fn add(&mut self, owner: &Name, rtype: u16, rdata: &[u8]) {
        self.sets
            .entry((owner.to_lower(), rtype))
            .or_insert_with(|| RRset::new(owner, rtype, 300))
            .push(rdata);
    }

    pub fn get(&self, owner: &Name, rtype: u16) -> Option<&RRset> {
        self.sets.get(&(owner.to_lower(), rtype))
    }

    /// Whether anything is at or below `owner`.
    pub fn exists(&self, owner: &Name) -> bool {
        self.sets.keys().any(|(theirs, _)| theirs.is_within(owner))
    }

    /// The cut at or above `owner`, below the apex; the highest one.
    pub fn cut(&self, owner: &Name) -> Option<&RRset> {
        let cuts = self
            .sets
            .iter()
            .filter(|((theirs, rtype), _)| *rtype == rtype::NS && *theirs != self.apex && owner.is_within(theirs));
        cuts.min_by_key(|((theirs, _), _)| theirs.label_count())
            .map(|(_, set)| set)
    }

    fn full(&self, text: &str) -> Name {
        match text {
            "@" => self.apex.clone(),
            _ if text.ends_with('.') => name(text),
            _ if self.apex.is_root() => name(text),
            _ => name(&format!("{text}.{}", self.apex)),
        }
    }

    fn rdata(&self, kind: &str, data: &[&str]) -> (u16, Vec<u8>) {
        let wire = |text: &str| self.full(text).as_wire().to_vec();
        match kind {
            "A" => (
                rtype::A,
                data[0].parse::<std::net::Ipv4Addr>().unwrap().octets().to_vec(),
            ),
            "AAAA" => (
                rtype::AAAA,
                data[0].parse::<std::net::Ipv6Addr>().unwrap().octets().to_vec(),
            ),
            "NS" => (rtype::NS, wire(data[0])),
            "CNAME" => (rtype::CNAME, wire(data[0])),
            "DNAME" => (rtype::DNAME, wire(data[0])),
            "PTR" => (rtype::PTR, wire(data[0])),
            "MX" => {
                let mut rdata = data[0].parse::<u16>().unwrap().to_be_bytes().to_vec();
                rdata.extend(wire(data[1]));
                (rtype::MX, rdata)
            }
            "TXT" => {
                let text = data.join(" ");
                let mut rdata = vec![text.len() as u8];
                rdata.extend_from_slice(text.as_bytes());
                (rtype::TXT, rdata)
            }
            "DS" => (rtype::DS, vec![0, 1, 13, 2, data[0].parse().unwrap()]),
            other => panic!("no such type here: {other}"),
        }
    }
}
