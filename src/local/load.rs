//! Builds the local zones from settings.
//!
//! In: `[[zone]]` and `[[record]]` entries. Out: the table of zones, or the first thing that is wrong with them.

use super::builtin::{self, empty_zone};
use super::table::{Entry, Table};
use super::zone::{Kind, RrSet, ZoneError};
use super::{key, reverse_name};
use crate::config::settings::{LocalRecord, Zone as ZoneSettings, ZoneSource};
use crate::dns::name::Name;
use crate::dns::rtype;
use crate::limits;
use hickory_proto::rr::{DNSClass, RData, RecordSet};
use hickory_proto::serialize::binary::{BinEncodable, BinEncoder, NameEncoding};
use hickory_proto::serialize::txt::Parser;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

/// TTL of a `[[record]]` that names none, in seconds, and of negative answers beside it: a changed record is seen soon.
const RECORD_TTL_S: u32 = 300;
/// TTL of a zone file's records when neither they nor a `$TTL` line name one.
const FILE_TTL_S: u32 = 3600;

/// What is wrong with a local zone.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    #[error("{}: the file of zone {zone} cannot be read: {cause}", path.display())]
    Unreadable {
        zone: Name,
        path: PathBuf,
        cause: std::io::Error,
    },
    #[error("{}{}: {cause}; write it as a master file (RFC 1035 section 5)", path.display(), line.map_or(String::new(), |line| format!(":{line}")))]
    BadFile {
        path: PathBuf,
        /// Where reading stopped, counted from 1; unknown for very long files.
        line: Option<usize>,
        cause: String,
    },
    #[error("{}: {owner} is not in zone {zone}; leave it out or name the zone above both", path.display())]
    OutsideZone { path: PathBuf, zone: Name, owner: Name },
    #[error("{}: records of {owner}: {cause}", path.display())]
    BadSet { path: PathBuf, owner: Name, cause: String },
    #[error(
        "[[record]] {name}: {data:?} is not a record ({cause}); write it as in a master file, such as \"A 192.168.1.20\""
    )]
    BadRecord { name: Name, data: String, cause: String },
}

pub(super) fn build(zones: &[ZoneSettings], records: &[LocalRecord]) -> Result<Table, LocalError> {
    let mut table = builtin::table();
    for zone in zones {
        let entry = match &zone.source {
            ZoneSource::Forward { .. } => Entry::Elsewhere,
            ZoneSource::File(path) => Entry::Zone(Box::new(read_zone(&zone.name, path)?)),
        };
        table.insert(key(zone.name.as_wire()), entry);
    }
    let mut addresses = Vec::new();
    for record in records {
        for data in &record.data {
            for set in parse_record(&record.name, data)? {
                addresses.extend(addresses_of(&record.name, &set));
                put(&mut table, &record.name, set).map_err(|cause| LocalError::BadRecord {
                    name: record.name.clone(),
                    data: data.clone(),
                    cause: cause.to_string(),
                })?;
            }
        }
    }
    add_pointers(&mut table, records, addresses);
    Ok(table)
}

/// A PTR record for each address of a record, unless somebody wrote one for that address.
fn add_pointers(table: &mut Table, records: &[LocalRecord], mut addresses: Vec<(IpAddr, Name, u32)>) {
    // Judged before the first is added, so that two names of one address are both pointed to.
    addresses.retain(|(address, _, _)| {
        let reverse = reverse_name(*address);
        !records.iter().any(|record| record.name == reverse) && !has_pointer_in_file(table, &reverse)
    });
    for (address, name, ttl_s) in addresses {
        let reverse = reverse_name(address);
        let set = RrSet {
            rtype: rtype::PTR,
            ttl_s,
            data: vec![name.as_wire().into()],
        };
        // A reverse zone's file may hold a CNAME there (RFC 2317); then it says where the pointer is.
        if let Err(cause) = put(table, &reverse, set) {
            tracing::warn!(%reverse, %cause, "no PTR record was made along with a [[record]]");
        }
    }
}

/// Whether a zone file already says what the address is called.
fn has_pointer_in_file(table: &mut Table, reverse: &Name) -> bool {
    let apex = zone_above(table, reverse);
    match apex.and_then(|apex| table.get_mut(&apex)) {
        Some(Entry::Zone(zone)) => zone.is_from_file() && zone.has(reverse.as_wire(), rtype::PTR),
        _ => false,
    }
}

fn addresses_of(name: &Name, set: &RrSet) -> Vec<(IpAddr, Name, u32)> {
    // A wildcard is no name to point back to.
    if name.labels().next() == Some(b"*") {
        return Vec::new();
    }
    let address = |data: &[u8]| match (set.rtype, data.len()) {
        (rtype::A, 4) => <[u8; 4]>::try_from(data).ok().map(IpAddr::from),
        (rtype::AAAA, 16) => <[u8; 16]>::try_from(data).ok().map(IpAddr::from),
        _ => None,
    };
    set.data
        .iter()
        .filter_map(|data| Some((address(data)?, name.clone(), set.ttl_s)))
        .collect()
}

/// Puts records where they belong: into the whole zone around them, else into a loose zone of their own.
fn put(table: &mut Table, owner: &Name, set: RrSet) -> Result<(), ZoneError> {
    if let Some(apex) = zone_above(table, owner)
        && let Some(Entry::Zone(zone)) = table.get_mut(&apex)
    {
        return zone.add_recorded(owner.as_wire(), set);
    }
    // A wildcard stands in a zone at its parent, so that the names it covers find it.
    let apex = match owner.labels().next() {
        Some(b"*") => owner.parent().unwrap_or_else(Name::root),
        _ => owner.clone(),
    };
    let apex = key(apex.as_wire());
    if let Some(Entry::Zone(zone)) = table.get_mut(&apex) {
        return zone.add_recorded(owner.as_wire(), set);
    }
    let mut zone = empty_zone(&apex, Kind::Loose, RECORD_TTL_S);
    // What a `[[zone]] forward` at this very name said still holds for everything the records do not.
    zone.set_elsewhere(matches!(table.get_mut(&apex), Some(Entry::Elsewhere)));
    zone.add_recorded(owner.as_wire(), set)?;
    table.insert(apex, Entry::Zone(Box::new(zone)));
    Ok(())
}

/// The apex of the nearest whole zone at or above `owner`; `None` when the nearest entry is a forwarded zone or there is none.
fn zone_above(table: &mut Table, owner: &Name) -> Option<Box<[u8]>> {
    let mut name = Some(owner.clone());
    while let Some(at) = name {
        let apex = key(at.as_wire());
        match table.get_mut(&apex) {
            Some(Entry::Zone(zone)) if zone.is_elsewhere() => return None,
            Some(Entry::Zone(zone)) if zone.kind() != Kind::Loose => return Some(apex),
            Some(Entry::Elsewhere) => return None,
            _ => name = at.parent(),
        }
    }
    None
}

fn parse_record(name: &Name, data: &str) -> Result<Vec<RrSet>, LocalError> {
    let bad = |cause: String| LocalError::BadRecord {
        name: name.clone(),
        data: data.to_owned(),
        cause,
    };
    if data.contains(['\n', '\r']) {
        return Err(bad("it has more than one line".to_owned()));
    }
    let text = format!("$TTL {RECORD_TTL_S}\n{name} {data}\n");
    let sets = parse(&text, None, &Name::root()).map_err(&bad)?;
    if sets.is_empty() {
        return Err(bad("there is nothing in it".to_owned()));
    }
    Ok(sets.into_iter().map(|(_, set)| set).collect())
}

fn read_zone(apex: &Name, path: &Path) -> Result<super::zone::Zone, LocalError> {
    let bytes = std::fs::read(path).map_err(|cause| LocalError::Unreadable {
        zone: apex.clone(),
        path: path.to_owned(),
        cause,
    })?;
    let bad = |line, cause| LocalError::BadFile {
        path: path.to_owned(),
        line,
        cause,
    };
    if bytes.len() > limits::ZONE_FILE_BYTES {
        return Err(bad(
            None,
            format!("it is longer than {} bytes", limits::ZONE_FILE_BYTES),
        ));
    }
    let text = String::from_utf8(bytes).map_err(|_| bad(None, "it is not text".to_owned()))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text).replace("\r\n", "\n");
    // The default goes in front on the first line, so that lines keep their numbers.
    let with_ttl = |text: &str| format!("$TTL {FILE_TTL_S}\n{text}");
    let sets = parse(&with_ttl(&text), Some(path), apex)
        .map_err(|cause| bad(failing_line(&text, path, apex, &with_ttl), cause))?;
    let mut zone = empty_zone(apex.as_wire(), Kind::Whole, RECORD_TTL_S);
    zone.set_from_file();
    for (owner, set) in sets {
        if !owner.is_within(apex) {
            return Err(LocalError::OutsideZone {
                path: path.to_owned(),
                zone: apex.clone(),
                owner,
            });
        }
        zone.add(owner.as_wire(), set).map_err(|cause| LocalError::BadSet {
            path: path.to_owned(),
            owner,
            cause: cause.to_string(),
        })?;
    }
    Ok(zone)
}

/// The line after the longest readable beginning of a file, found by reading ever longer beginnings; only short files are
/// worth it.
fn failing_line(text: &str, path: &Path, apex: &Name, with_ttl: &dyn Fn(&str) -> String) -> Option<usize> {
    const LINES: usize = 1000;
    let ends: Vec<usize> = text.match_indices('\n').map(|(at, _)| at + 1).take(LINES + 1).collect();
    if ends.len() > LINES {
        return None;
    }
    let readable = ends
        .iter()
        .rposition(|&end| parse(&with_ttl(&text[..end]), Some(path), apex).is_ok());
    Some(readable.map_or(1, |lines| lines + 2))
}

fn parse(text: &str, path: Option<&Path>, origin: &Name) -> Result<Vec<(Name, RrSet)>, String> {
    let origin = hickory_proto::rr::Name::from_labels(origin.labels()).map_err(|cause| cause.to_string())?;
    let parser = Parser::new(text, path.map(Path::to_owned), Some(origin));
    let (_, sets) = parser.parse().map_err(|cause| cause.to_string())?;
    sets.values().map(rr_set).collect()
}

/// From the parser's form to wire form.
fn rr_set(set: &RecordSet) -> Result<(Name, RrSet), String> {
    let owner = to_name(set.name()).ok_or("an owner is no name")?;
    if set.dns_class() != DNSClass::IN {
        return Err(format!("class {} is not served; only IN is", set.dns_class()));
    }
    let data = set
        .records_without_rrsigs()
        .map(|record| rdata(&record.data))
        .collect::<Result<_, _>>()?;
    Ok((
        owner,
        RrSet {
            rtype: set.record_type().into(),
            ttl_s: set.ttl(),
            data,
        },
    ))
}

fn to_name(name: &hickory_proto::rr::Name) -> Option<Name> {
    let mut wire = Vec::with_capacity(name.len() + 1);
    for label in name.iter() {
        wire.push(u8::try_from(label.len()).ok()?);
        wire.extend_from_slice(label);
    }
    wire.push(0);
    Name::from_wire(&wire)
}

fn rdata(data: &RData) -> Result<Box<[u8]>, String> {
    let mut bytes = Vec::new();
    let mut encoder = BinEncoder::new(&mut bytes);
    encoder.set_name_encoding(NameEncoding::Uncompressed);
    data.emit(&mut encoder).map_err(|cause| cause.to_string())?;
    Ok(bytes.into_boxed_slice())
}
