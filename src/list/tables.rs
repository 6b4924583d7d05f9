//! How rules, patterns and sources are written in a gate.
//!
//! In: values. Out: bytes, and back. Always: equal values have equal bytes; what is read is checked, or is `None`.

use crate::config::settings::{ListAction, MatchScope};
use crate::dns::name::Name;
use crate::list::format::{Reader, Write};
use crate::list::rule::{ClientIs, Counts, Effect, Modifiers, Pattern, Reject, Scope};
use crate::list::source::{DEFAULT_RANK, Format};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use std::net::{Ipv4Addr, Ipv6Addr};

/// One source of a gate: a list, how it was taken, and what became of its lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceInfo {
    /// Unique in the gate.
    pub name: String,
    pub category: String,
    pub action: ListAction,
    pub format: Format,
    pub match_scope: Option<MatchScope>,
    /// Lower comes first.
    pub rank: u32,
    /// Whether it may redirect.
    pub rewrite: bool,
    /// SHA-256 of the unpacked list.
    pub sha256: [u8; 32],
    pub counts: Counts,
    /// The first rejects, at most [`crate::limits::LIST_REJECTS_KEPT`].
    pub rejects: Vec<Reject>,
    /// The date or version written in the list itself, as written.
    pub dated: Option<String>,
    /// The licence written in the list itself, as written.
    pub licence: Option<String>,
}

impl Default for SourceInfo {
    /// A list that blocks, of plain names and with nothing in it.
    fn default() -> SourceInfo {
        SourceInfo {
            name: String::new(),
            category: String::new(),
            action: ListAction::Block,
            format: Format::Domains,
            match_scope: None,
            rank: DEFAULT_RANK,
            rewrite: false,
            sha256: [0; 32],
            counts: Counts::default(),
            rejects: Vec::new(),
            dated: None,
            licence: None,
        }
    }
}

impl SourceInfo {
    /// An allow list acts only for profiles that name it.
    pub fn is_allow(&self) -> bool {
        self.action == ListAction::Allow
    }
}

/// Writes one effect: a byte that says which, then what it holds.
pub fn put_effect(out: &mut Vec<u8>, effect: &Effect) {
    match effect {
        Effect::Block => out.put(&[0]),
        Effect::Allow => out.put(&[1]),
        Effect::Rcode(rcode) => out.put(&[2, *rcode]),
        Effect::Nodata => out.put(&[3]),
        Effect::Drop => out.put(&[4]),
        Effect::TcpOnly => out.put(&[5]),
        Effect::Data { rtype, rdata, ttl } => {
            out.put(&[6]);
            out.put_u16(*rtype);
            out.put(&[u8::from(ttl.is_some())]);
            out.put_u32(ttl.unwrap_or(0));
            out.put_blob(rdata);
        }
        Effect::Cname(name) => {
            out.put(&[7]);
            out.put_blob(name.as_wire());
        }
        Effect::CnameBelow(name) => {
            out.put(&[8]);
            out.put_blob(name.as_wire());
        }
        Effect::Unrewrite(None) => out.put(&[9]),
        Effect::Unrewrite(Some(inner)) => {
            out.put(&[10]);
            put_effect(out, inner);
        }
    }
}

/// Reads what [`put_effect`] wrote.
pub fn effect(reader: &mut Reader) -> Option<Effect> {
    // No list can nest an exception in an exception, so one level is enough and a hostile file cannot recurse.
    match reader.u8()? {
        9 => Some(Effect::Unrewrite(None)),
        10 => {
            let tag = reader.u8()?;
            Some(Effect::Unrewrite(Some(Box::new(simple_effect(tag, reader)?))))
        }
        tag => simple_effect(tag, reader),
    }
}

fn simple_effect(tag: u8, reader: &mut Reader) -> Option<Effect> {
    Some(match tag {
        0 => Effect::Block,
        1 => Effect::Allow,
        2 => Effect::Rcode(reader.u8()?),
        3 => Effect::Nodata,
        4 => Effect::Drop,
        5 => Effect::TcpOnly,
        6 => {
            let rtype = reader.u16()?;
            let has_ttl = flag(reader)?;
            let ttl = reader.u32()?;
            let rdata = reader.blob()?;
            if rdata.len() > usize::from(u16::MAX) || (!has_ttl && ttl != 0) {
                return None;
            }
            Effect::Data {
                rtype,
                rdata: rdata.into(),
                ttl: has_ttl.then_some(ttl),
            }
        }
        7 => Effect::Cname(Name::from_wire(reader.blob()?)?),
        8 => Effect::CnameBelow(Name::from_wire(reader.blob()?)?),
        _ => return None,
    })
}

/// Writes the modifiers of one rule: flags, then each list with its count.
pub fn put_modifiers(out: &mut Vec<u8>, modifiers: &Modifiers) {
    let Modifiers {
        important,
        types,
        types_not,
        denyallow,
        clients,
        clients_not,
        tags,
        tags_not,
    } = modifiers;
    out.put(&[u8::from(*important)]);
    for types in [types, types_not] {
        out.put_u32(types.len() as u32);
        for &rtype in types {
            out.put_u16(rtype);
        }
    }
    out.put_u32(denyallow.len() as u32);
    for key in denyallow {
        out.put_blob(key);
    }
    for clients in [clients, clients_not] {
        out.put_u32(clients.len() as u32);
        for client in clients {
            match client {
                ClientIs::Network(network) => {
                    out.put(&[0]);
                    put_network(out, network);
                }
                ClientIs::Name(name) => {
                    out.put(&[1]);
                    out.put_blob(name.as_bytes());
                }
            }
        }
    }
    for tags in [tags, tags_not] {
        out.put_u32(tags.len() as u32);
        for tag in tags {
            out.put_blob(tag.as_bytes());
        }
    }
}

/// Reads what [`put_modifiers`] wrote.
pub fn modifiers(reader: &mut Reader) -> Option<Modifiers> {
    let important = flag(reader)?;
    let types = list(reader, 2, Reader::u16)?;
    let types_not = list(reader, 2, Reader::u16)?;
    let denyallow = list(reader, 4, |reader| key(reader.blob()?))?;
    let clients = list(reader, 2, client)?;
    let clients_not = list(reader, 2, client)?;
    let tags = list(reader, 4, |reader| reader.text().map(str::to_owned))?;
    let tags_not = list(reader, 4, |reader| reader.text().map(str::to_owned))?;
    Some(Modifiers {
        important,
        types,
        types_not,
        denyallow,
        clients,
        clients_not,
        tags,
        tags_not,
    })
}

fn client(reader: &mut Reader) -> Option<ClientIs> {
    match reader.u8()? {
        0 => network(reader).map(ClientIs::Network),
        1 => reader.text().map(|name| ClientIs::Name(name.to_owned())),
        _ => None,
    }
}

fn list<'b, T>(
    reader: &mut Reader<'b>,
    least_bytes: usize,
    mut one: impl FnMut(&mut Reader<'b>) -> Option<T>,
) -> Option<Vec<T>> {
    let count = reader.count(least_bytes)?;
    (0..count).map(|_| one(reader)).collect()
}

fn flag(reader: &mut Reader) -> Option<bool> {
    match reader.u8()? {
        0 => Some(false),
        1 => Some(true),
        _ => None,
    }
}

/// A gate key: at most 254 bytes.
fn key(bytes: &[u8]) -> Option<Box<[u8]>> {
    (bytes.len() <= 254).then(|| bytes.into())
}

/// Writes a network in 18 bytes: 4 or 6, prefix length, address (an IPv4 address in the first four of sixteen).
pub fn put_network(out: &mut Vec<u8>, network: &IpNet) {
    let mut octets = [0; 16];
    let family = match network {
        IpNet::V4(network) => {
            octets[..4].copy_from_slice(&network.network().octets());
            4
        }
        IpNet::V6(network) => {
            octets = network.network().octets();
            6
        }
    };
    out.put(&[family, network.prefix_len()]);
    out.put(&octets);
}

/// Reads what [`put_network`] wrote; `None` also if bits are set past the prefix.
pub fn network(reader: &mut Reader) -> Option<IpNet> {
    let (family, prefix) = (reader.u8()?, reader.u8()?);
    let octets: [u8; 16] = reader.take(16)?.try_into().ok()?;
    let network = match family {
        4 if octets[4..] == [0; 12] => {
            let first: [u8; 4] = octets[..4].try_into().ok()?;
            IpNet::V4(Ipv4Net::new(Ipv4Addr::from(first), prefix).ok()?)
        }
        6 => IpNet::V6(Ipv6Net::new(Ipv6Addr::from(octets), prefix).ok()?),
        _ => return None,
    };
    (network.addr() == network.network()).then_some(network)
}

/// Writes a row of the table of networks: address, prefix length, rule.
pub fn put_network_row(out: &mut Vec<u8>, network: &IpNet, rule: u32) {
    match network {
        IpNet::V4(network) => out.put(&network.network().octets()),
        IpNet::V6(network) => out.put(&network.network().octets()),
    }
    out.put(&[network.prefix_len()]);
    out.put_u32(rule);
}

/// Reads what [`put_network_row`] wrote for a network whose addresses have `N` bytes.
pub fn network_row<const N: usize>(row: &[u8]) -> Option<(IpNet, u32)> {
    let mut reader = Reader::new(row);
    let octets = reader.take(N)?;
    let prefix = reader.u8()?;
    let network = if N == 4 {
        let octets: [u8; 4] = octets.try_into().ok()?;
        IpNet::V4(Ipv4Net::new(octets.into(), prefix).ok()?)
    } else {
        let octets: [u8; 16] = octets.try_into().ok()?;
        IpNet::V6(Ipv6Net::new(octets.into(), prefix).ok()?)
    };
    (network.addr() == network.network()).then_some((network, reader.u32()?))
}

/// The number of a scope in the file.
pub fn scope(number: u8) -> Option<Scope> {
    match number {
        0 => Some(Scope::Exact),
        1 => Some(Scope::Subtree),
        2 => Some(Scope::Below),
        _ => None,
    }
}

/// Writes a pattern: a byte that says which, then what it holds.
pub fn put_pattern(out: &mut Vec<u8>, pattern: &Pattern) {
    match pattern {
        Pattern::Regex(text) => {
            out.put(&[0]);
            out.put_blob(text.as_bytes());
        }
        Pattern::Wildcard(text) => {
            out.put(&[1]);
            out.put_blob(text.as_bytes());
        }
        Pattern::Address(network) => {
            out.put(&[2]);
            put_network(out, network);
        }
        Pattern::Client(network) => {
            out.put(&[3]);
            put_network(out, network);
        }
        Pattern::NsName(key, scope) => {
            out.put(&[4, *scope as u8]);
            out.put_blob(key);
        }
        Pattern::NsAddress(network) => {
            out.put(&[5]);
            put_network(out, network);
        }
    }
}

/// Reads what [`put_pattern`] wrote.
pub fn pattern(reader: &mut Reader) -> Option<Pattern> {
    Some(match reader.u8()? {
        0 => Pattern::Regex(reader.text()?.to_owned()),
        1 => Pattern::Wildcard(reader.text()?.to_owned()),
        2 => Pattern::Address(network(reader)?),
        3 => Pattern::Client(network(reader)?),
        4 => {
            let scope = scope(reader.u8()?)?;
            Pattern::NsName(key(reader.blob()?)?, scope)
        }
        5 => Pattern::NsAddress(network(reader)?),
        _ => return None,
    })
}

/// Writes one source.
pub fn put_source(out: &mut Vec<u8>, source: &SourceInfo) {
    out.put_blob(source.name.as_bytes());
    out.put_blob(source.category.as_bytes());
    let scope = match source.match_scope {
        None => 0,
        Some(MatchScope::Exact) => 1,
        Some(MatchScope::Subtree) => 2,
    };
    out.put(&[
        u8::from(source.is_allow()),
        source.format as u8,
        scope,
        u8::from(source.rewrite),
    ]);
    out.put_u32(source.rank);
    out.put(&source.sha256);
    let Counts {
        lines,
        rule_lines,
        comments,
        skipped,
        rejected_lines,
        rules,
        rejects,
    } = source.counts;
    for count in [lines, rule_lines, comments, skipped, rejected_lines, rules, rejects] {
        out.put_u64(count);
    }
    for text in [&source.dated, &source.licence] {
        out.put(&[u8::from(text.is_some())]);
        out.put_blob(text.as_deref().unwrap_or("").as_bytes());
    }
    out.put_u32(source.rejects.len() as u32);
    for reject in &source.rejects {
        out.put_u32(reject.line);
        out.put_blob(reject.reason.as_bytes());
        out.put_blob(reject.entry.as_bytes());
    }
}

/// Reads what [`put_source`] wrote.
pub fn source(reader: &mut Reader) -> Option<SourceInfo> {
    let name = reader.text()?.to_owned();
    let category = reader.text()?.to_owned();
    let action = if flag(reader)? {
        ListAction::Allow
    } else {
        ListAction::Block
    };
    let format = *Format::ALL.get(usize::from(reader.u8()?))?;
    let match_scope = match reader.u8()? {
        0 => None,
        1 => Some(MatchScope::Exact),
        2 => Some(MatchScope::Subtree),
        _ => return None,
    };
    let rewrite = flag(reader)?;
    let rank = reader.u32()?;
    let sha256 = reader.take(32)?.try_into().ok()?;
    let counts = Counts {
        lines: reader.u64()?,
        rule_lines: reader.u64()?,
        comments: reader.u64()?,
        skipped: reader.u64()?,
        rejected_lines: reader.u64()?,
        rules: reader.u64()?,
        rejects: reader.u64()?,
    };
    let dated = optional_text(reader)?;
    let licence = optional_text(reader)?;
    let rejects = list(reader, 12, |reader| {
        Some(Reject {
            line: reader.u32()?,
            reason: reader.text()?.to_owned(),
            entry: reader.text()?.to_owned(),
        })
    })?;
    Some(SourceInfo {
        name,
        category,
        action,
        format,
        match_scope,
        rank,
        rewrite,
        sha256,
        counts,
        rejects,
        dated,
        licence,
    })
}

fn optional_text(reader: &mut Reader) -> Option<Option<String>> {
    let present = flag(reader)?;
    let text = reader.text()?;
    (present || text.is_empty()).then(|| present.then(|| text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_effect_reads_back_equal() {
        let data = Effect::Data {
            rtype: 1,
            rdata: Box::new([192, 0, 2, 1]),
            ttl: Some(0),
        };
        let name = Name::parse("Forced.example").unwrap();
        let effects = [
            Effect::Block,
            Effect::Allow,
            Effect::Rcode(3),
            Effect::Nodata,
            Effect::Drop,
            Effect::TcpOnly,
            data.clone(),
            Effect::Cname(name.clone()),
            Effect::CnameBelow(name),
            Effect::Unrewrite(None),
            Effect::Unrewrite(Some(Box::new(data))),
        ];
        for wanted in effects {
            let mut bytes = Vec::new();
            put_effect(&mut bytes, &wanted);
            let mut reader = Reader::new(&bytes);
            assert_eq!(effect(&mut reader), Some(wanted));
            assert!(reader.is_empty());
            assert_eq!(effect(&mut Reader::new(&bytes[..bytes.len() - 1])), None, "cut short");
        }
    }

    #[test]
    fn modifiers_and_patterns_read_back_equal() {
        let wanted = Modifiers {
            important: true,
            types: vec![1, 28],
            types_not: vec![65],
            denyallow: vec![b"com.example.".as_slice().into()],
            clients: vec![
                ClientIs::Network("192.0.2.0/24".parse().unwrap()),
                ClientIs::Name("tablet".to_owned()),
            ],
            clients_not: vec![ClientIs::Network("2001:db8::/32".parse().unwrap())],
            tags: vec!["device_tv".to_owned()],
            tags_not: vec!["user_child".to_owned()],
        };
        let mut bytes = Vec::new();
        put_modifiers(&mut bytes, &wanted);
        assert_eq!(modifiers(&mut Reader::new(&bytes)), Some(wanted));
        let patterns = [
            Pattern::Regex("^ads?[0-9]".to_owned()),
            Pattern::Wildcard("||a*b^".to_owned()),
            Pattern::Address("192.0.2.1/32".parse().unwrap()),
            Pattern::Client("192.0.2.0/24".parse().unwrap()),
            Pattern::NsName(b"com.example.".as_slice().into(), Scope::Below),
            Pattern::NsAddress("2001:db8::/33".parse().unwrap()),
        ];
        for wanted in patterns {
            let mut bytes = Vec::new();
            put_pattern(&mut bytes, &wanted);
            assert_eq!(pattern(&mut Reader::new(&bytes)), Some(wanted));
        }
    }

    #[test]
    fn a_network_with_bits_past_its_prefix_is_refused() {
        let mut bytes = Vec::new();
        put_network(&mut bytes, &"192.0.2.0/24".parse().unwrap());
        bytes[5] = 1;
        assert_eq!(network(&mut Reader::new(&bytes)), None);
        bytes[5] = 0;
        bytes[1] = 33;
        assert_eq!(network(&mut Reader::new(&bytes)), None);
    }
}
