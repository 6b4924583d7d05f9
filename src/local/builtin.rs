//! The zones every resolver should answer for itself.

use super::key;
use super::table::{Entry, Table};
use super::zone::{Kind, RrSet, Zone, soa_data};
use crate::dns::name::Name;
use crate::dns::rtype;
use crate::dns::special_use::{DISCOVERY, EMPTY, TOP_LEVEL};

/// TTL of the built-in records, in seconds: RFC 6303 §3 gives its zones three hours.
const TTL_S: u32 = 10_800;

/// The built-in zones: special-use names, and the empty zones of RFC 6303 §3.
pub(super) fn table() -> Table {
    let mut table = Table::default();
    for top in TOP_LEVEL {
        insert(&mut table, top, Kind::TopLevel);
    }
    for empty in EMPTY {
        insert(&mut table, empty, Kind::Whole);
    }
    insert(&mut table, DISCOVERY, Kind::Hollow);
    // RFC 6303 §4.1: 172.16.0.0/12. RFC 7793: shared address space, 100.64.0.0/10.
    for byte in 16..=31 {
        insert(&mut table, &format!("{byte}.172.in-addr.arpa"), Kind::Whole);
    }
    for byte in 64..=127 {
        insert(&mut table, &format!("{byte}.100.in-addr.arpa"), Kind::Whole);
    }
    // RFC 6761 §6.3: address queries for localhost names get the loopback address, whatever the label in front.
    let localhost = wire("localhost");
    for owner in [localhost.clone(), wire("*.localhost")] {
        add(&mut table, "localhost", &owner, rtype::A, &[127, 0, 0, 1]);
        add(
            &mut table,
            "localhost",
            &owner,
            rtype::AAAA,
            &std::net::Ipv6Addr::LOCALHOST.octets(),
        );
    }
    for (zone, owner) in [
        ("127.in-addr.arpa", "1.0.0.127.in-addr.arpa"),
        (LOOPBACK_V6, LOOPBACK_V6),
    ] {
        add(&mut table, zone, &wire(owner), rtype::PTR, &localhost);
    }
    table
}

const LOOPBACK_V6: &str = "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa";

/// An empty zone as RFC 6303 §3 writes it: itself as its only server, nobody to write to.
pub(super) fn empty_zone(apex: &[u8], kind: Kind, ttl_s: u32) -> Zone {
    let soa = soa_data(apex, &wire("nobody.invalid"), [1, 3600, 1200, 604_800, ttl_s]);
    Zone::new(apex, kind, ttl_s, soa)
}

fn insert(table: &mut Table, apex: &str, kind: Kind) {
    let apex = wire(apex);
    let mut zone = empty_zone(&apex, kind, TTL_S);
    let server = RrSet {
        rtype: rtype::NS,
        ttl_s: TTL_S,
        data: vec![apex.clone().into_boxed_slice()],
    };
    zone.add(&apex, server).expect("an NS record fits an empty zone");
    table.insert(key(&apex), Entry::Zone(Box::new(zone)));
}

fn add(table: &mut Table, apex: &str, owner: &[u8], rtype: u16, data: &[u8]) {
    let Some(Entry::Zone(zone)) = table.get_mut(&wire(apex)) else {
        unreachable!("{apex} was inserted above");
    };
    let set = RrSet {
        rtype,
        ttl_s: TTL_S,
        data: vec![data.into()],
    };
    zone.add(owner, set).expect("built-in records do not clash");
}

/// The wire form of a name written here.
fn wire(text: &str) -> Vec<u8> {
    Name::parse(text).expect("built-in names are names").as_wire().to_vec()
}
