//! Servers of the made-up internet: what an authority answers, and what it answers with a bad temper.

use super::super::rrset::RRset;
use super::super::task::Transport;
use super::zones::Zone;
use crate::dns::name::Name;
use crate::dns::query::Query;
use crate::dns::{class, rcode, rtype};
use std::sync::Arc;

/// How a server behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Temper {
    Good,
    Silent,
    /// Nobody listens at its port.
    Closed,
    /// Every answer is this response code.
    Code(u16),
    /// Refers everybody to the root.
    Upward,
    /// Empty NOERROR without AA.
    Empty,
    /// Right answers without AA.
    NoAa,
    /// FORMERR to whoever uses EDNS, and no OPT in any response.
    NoEdns,
    /// Does not answer queries with EDNS at all.
    DropsEdns,
    /// Says truncated to every query over UDP.
    Truncates,
    /// Hears nothing over UDP.
    TcpOnly,
    /// Answers with another ID.
    WrongId,
    /// Answers another question.
    WrongQuestion,
    /// Lowers the letter case of the question.
    LowersCase,
    /// The last bytes are missing.
    Torn,
    /// Denies empty non-terminals.
    DeniesEnts,
    /// REFUSED for address questions about names with exactly this many labels.
    RefusesLabels(u8),
}

/// A response under construction.
pub struct Reply {
    pub id: [u8; 2],
    pub question: Vec<u8>,
    pub rcode: u16,
    pub aa: bool,
    pub tc: bool,
    pub opt: bool,
    /// Extended DNS Errors.
    pub ede: Vec<(u16, &'static str)>,
    pub sections: [Vec<RRset>; 3],
}

impl Reply {
    pub fn to(query: &[u8]) -> Reply {
        let parsed = Query::parse(query).expect("the iterator sends readable queries");
        let length = parsed.qname().len() + 4;
        Reply {
            id: [query[0], query[1]],
            question: query[12..12 + length].to_vec(),
            rcode: rcode::NOERROR,
            aa: false,
            tc: false,
            opt: query[11] == 1,
            ede: Vec::new(),
            sections: Default::default(),
        }
    }

    pub fn qname(&self) -> Name {
        Name::from_wire(&self.question[..self.question.len() - 4]).unwrap()
    }

    pub fn qtype(&self) -> u16 {
        let at = self.question.len() - 4;
        u16::from_be_bytes([self.question[at], self.question[at + 1]])
    }

    pub fn bytes(&self) -> Vec<u8> {
        let flags = 0x80 | u8::from(self.aa) << 2 | u8::from(self.tc) << 1;
        let mut bytes = vec![self.id[0], self.id[1], flags, self.rcode as u8 & 15, 0, 1];
        let sections: &[Vec<RRset>] = if self.tc { &[] } else { &self.sections };
        for section in 0..3 {
            let records = sections.get(section).map_or(0, |sets| {
                sets.iter().map(|set| set.len() + set.signatures().count()).sum()
            });
            let count = records + usize::from(section == 2 && self.opt);
            bytes.extend_from_slice(&(count as u16).to_be_bytes());
        }
        bytes.extend_from_slice(&self.question);
        for set in sections.iter().flatten() {
            let signatures = set.signatures().map(|rdata| (rtype::RRSIG, rdata));
            for (rtype, rdata) in set.records().map(|rdata| (set.rtype, rdata)).chain(signatures) {
                bytes.extend_from_slice(set.name.as_wire());
                bytes.extend_from_slice(&rtype.to_be_bytes());
                bytes.extend_from_slice(&class::IN.to_be_bytes());
                bytes.extend_from_slice(&set.ttl_s.to_be_bytes());
                bytes.extend_from_slice(&(rdata.len() as u16).to_be_bytes());
                bytes.extend_from_slice(rdata);
            }
        }
        if self.opt {
            let mut options = Vec::new();
            for (code, text) in &self.ede {
                options.extend_from_slice(&[0, 15, 0, 2 + text.len() as u8]);
                options.extend_from_slice(&code.to_be_bytes());
                options.extend_from_slice(text.as_bytes());
            }
            let rcode = (self.rcode >> 4) as u8;
            bytes.extend_from_slice(&[0, 0, 41, 4, 208, rcode, 0, 0x80, 0, 0, options.len() as u8]);
            bytes.extend_from_slice(&options);
        }
        bytes
    }
}

/// Fills `reply` with what a good authority of `zones` says (RFC 1034 §4.3.2).
pub fn answer(zones: &[Arc<Zone>], reply: &mut Reply, denies_ents: bool) {
    let (qname, qtype) = (reply.qname(), reply.qtype());
    // A DS question at an apex belongs to the parent, where that is here, too.
    let serving = |zone: &&Arc<Zone>| qname.is_within(&zone.apex);
    let deepest = |zone: &&Arc<Zone>| zone.apex.label_count();
    let above = zones
        .iter()
        .filter(serving)
        .filter(|zone| qtype == rtype::DS && zone.apex != qname)
        .max_by_key(deepest);
    let Some(zone) = above.or_else(|| zones.iter().filter(serving).max_by_key(deepest)) else {
        reply.rcode = rcode::REFUSED;
        return;
    };
    reply.aa = true;
    let mut name = qname.clone();
    for _ in 0..20 {
        if let Some(cut) = zone.cut(&name)
            && !(qtype == rtype::DS && cut.name == name)
        {
            if name == qname {
                reply.aa = false;
                refer(zone, cut, reply);
            }
            return;
        }
        if let Some(set) = zone.get(&name, qtype) {
            reply.sections[0].push(set.clone());
            return;
        }
        let dname = (0..name.label_count())
            .map(|labels| super::super::minimize::suffix(&name, labels))
            .find_map(|above| zone.get(&above, rtype::DNAME));
        let alias = if let Some(set) = dname {
            reply.sections[0].push(set.clone());
            let kept = name.as_wire().len() - set.name.as_wire().len();
            let target = set.target().unwrap();
            let mut wire = name.as_wire()[..kept].to_vec();
            wire.extend_from_slice(target.as_wire());
            match Name::from_wire(&wire) {
                Some(target) => Some(RRset::of(&name, rtype::CNAME, set.ttl_s, target.as_wire())),
                None => {
                    reply.rcode = rcode::YXDOMAIN;
                    return;
                }
            }
        } else {
            zone.get(&name, rtype::CNAME)
                .cloned()
                .or_else(|| wild(zone, &name, rtype::CNAME))
        };
        if let Some(alias) = alias {
            name = alias.target().unwrap();
            reply.sections[0].push(alias);
            if !name.is_within(&zone.apex) {
                return;
            }
            continue;
        }
        if let Some(set) = wild(zone, &name, qtype) {
            reply.sections[0].push(set);
            return;
        }
        let ent = zone.exists(&name) && !zone.sets.keys().any(|(owner, _)| *owner == name);
        if !(zone.exists(&name) && !(ent && denies_ents)) && closest_wild(zone, &name).is_none() {
            reply.rcode = rcode::NXDOMAIN;
        }
        reply.sections[1].push(zone.get(&zone.apex, rtype::SOA).unwrap().clone());
        return;
    }
}

/// The wildcard that stands in for `name`, which is not there itself (RFC 4592 §3.3.1).
fn closest_wild(zone: &Zone, name: &Name) -> Option<Name> {
    if zone.exists(name) {
        return None;
    }
    let mut above = name.parent()?;
    while !zone.exists(&above) {
        above = above.parent()?;
    }
    let mut wire = b"\x01*".to_vec();
    wire.extend_from_slice(above.as_wire());
    let wild = Name::from_wire(&wire)?;
    zone.exists(&wild).then_some(wild)
}

fn wild(zone: &Zone, name: &Name, rtype: u16) -> Option<RRset> {
    let wild = closest_wild(zone, name)?;
    let from = zone.get(&wild, rtype)?;
    let mut set = RRset::new(name, rtype, from.ttl_s);
    from.records().for_each(|rdata| set.push(rdata));
    Some(set)
}

fn refer(zone: &Zone, cut: &RRset, reply: &mut Reply) {
    reply.sections[1].push(cut.clone());
    if let Some(ds) = zone.get(&cut.name, rtype::DS) {
        reply.sections[1].push(ds.clone());
    }
    for server in cut.records().filter_map(Name::from_wire) {
        for rtype in [rtype::A, rtype::AAAA] {
            reply.sections[2].extend(zone.get(&server, rtype).cloned());
        }
    }
}

/// What a server of this temper sends back; nothing is silence.
pub fn respond(zones: &[Arc<Zone>], temper: Temper, transport: Transport, query: &[u8]) -> Option<Vec<u8>> {
    let mut reply = Reply::to(query);
    let udp = transport == Transport::Udp;
    match temper {
        Temper::Silent | Temper::Closed => return None,
        Temper::TcpOnly if udp => return None,
        Temper::DropsEdns if reply.opt => return None,
        Temper::Code(code) => {
            reply.rcode = code;
            return Some(reply.bytes());
        }
        Temper::Upward => {
            let root = crate::dns::name::Name::root();
            reply.sections[1].push(RRset::of(&root, rtype::NS, 300, b"\x01a\x04root\0"));
            return Some(reply.bytes());
        }
        Temper::Empty => return Some(reply.bytes()),
        Temper::NoEdns if reply.opt => {
            reply.opt = false;
            reply.rcode = rcode::FORMERR;
            return Some(reply.bytes());
        }
        Temper::RefusesLabels(labels)
            if reply.qname().label_count() == usize::from(labels) && reply.qtype() == rtype::A =>
        {
            reply.rcode = rcode::REFUSED;
            return Some(reply.bytes());
        }
        _ => {}
    }
    answer(zones, &mut reply, temper == Temper::DeniesEnts);
    match temper {
        Temper::NoAa => reply.aa = false,
        Temper::Truncates => reply.tc = udp,
        Temper::WrongId => reply.id[0] ^= 0x55,
        Temper::WrongQuestion => {
            let at = reply.question.len() - 3;
            reply.question[at] ^= 0x10;
        }
        Temper::LowersCase => reply.question = reply.question.to_ascii_lowercase(),
        _ => {}
    }
    let mut bytes = reply.bytes();
    if temper == Temper::Torn {
        bytes.truncate(bytes.len() - 2);
    }
    Some(bytes)
}
