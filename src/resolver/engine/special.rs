//! Names that mean this host or network only. The query road answers them itself; here they may still come up as the target of
//! an alias or the name of a server, and must not leave the house.
//!
//! Keeps: RFC 6303 §4, RFC 6761 §6, RFC 6762 §22.1, RFC 7686 §2, RFC 7793, RFC 8375 §4, RFC 9476.

use super::rrset::RRset;
use super::store::{Denial, Security, expiry};
use crate::dns::name::Name;
use crate::dns::rtype;
use crate::dns::special_use::{DISCOVERY, EMPTY, TOP_LEVEL};
use std::sync::Arc;

/// RFC 9476 §2: no name of the DNS. Nobody's zone, so this server has no answer of its own for it, but the root need not hear of it.
const ALT: &str = "alt";

/// How long the denial of such a name serves, in seconds (RFC 6303 §3).
const TTL_S: u32 = 10_800;

/// The special-use zone that `name` is in.
pub(super) fn zone_of(name: &Name) -> Option<Name> {
    let last = name.labels().last()?;
    // Nearly every name is in none; this is found out by its last label.
    if last.eq_ignore_ascii_case(b"arpa") {
        return reverse(name).or_else(|| listed(name));
    }
    TOP_LEVEL
        .iter()
        .chain([&ALT])
        .any(|special| last.eq_ignore_ascii_case(special.as_bytes()))
        .then(|| listed(name))
        .flatten()
}

fn listed(name: &Name) -> Option<Name> {
    let zones = TOP_LEVEL
        .iter()
        .chain(&EMPTY)
        .chain([&DISCOVERY, &ALT])
        .map(|text| Name::parse(text).expect("the table holds names"));
    zones.into_iter().find(|zone| name.is_within(zone))
}

/// 172.16.0.0/12 and 100.64.0.0/10.
fn reverse(name: &Name) -> Option<Name> {
    let count = name.label_count();
    let end: Vec<&[u8]> = name.labels().skip(count.checked_sub(4)?).collect();
    let [third, second, in_addr, _] = end.as_slice() else {
        return None;
    };
    if !in_addr.eq_ignore_ascii_case(b"in-addr") {
        return None;
    }
    let byte: u8 = std::str::from_utf8(third).ok()?.parse().ok()?;
    let private = match *second {
        b"172" => (16..32).contains(&byte),
        b"100" => (64..128).contains(&byte),
        _ => false,
    };
    private.then(|| super::minimize::suffix(name, 4))
}

/// That there is nothing in `zone`.
pub(super) fn denial(zone: &Name, now_ms: u64) -> Arc<Denial> {
    // RFC 6303 §3: the zone itself as the server, no mailbox.
    let mut rdata = zone.as_wire().to_vec();
    rdata.extend_from_slice(b"\x06nobody\x07invalid\0");
    for field in [1, 3600, 1200, 604_800, TTL_S] {
        rdata.extend_from_slice(&field.to_be_bytes());
    }
    let soa = RRset::of(zone, rtype::SOA, TTL_S, &rdata);
    let expires_ms = expiry(now_ms, TTL_S);
    Arc::new(Denial::new(true, Some(soa), Vec::new(), expires_ms, Security::Insecure))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_names_are_known_and_lookalikes_are_not() {
        let zone = |text: &str| zone_of(&Name::parse(text).unwrap()).map(|zone| zone.to_string());
        assert_eq!(zone("printer.local").as_deref(), Some("local."));
        assert_eq!(zone("x.Onion").as_deref(), Some("onion."));
        assert_eq!(
            zone("1.2.168.192.in-addr.arpa").as_deref(),
            Some("168.192.in-addr.arpa.")
        );
        assert_eq!(zone("1.1.20.172.in-addr.arpa").as_deref(), Some("20.172.in-addr.arpa."));
        assert_eq!(zone("1.1.65.100.in-addr.arpa").as_deref(), Some("65.100.in-addr.arpa."));
        for text in [
            "www.example",
            "local.example",
            "1.1.32.172.in-addr.arpa",
            "8.8.8.8.in-addr.arpa",
            ".",
        ] {
            assert_eq!(zone(text), None, "{text}");
        }
    }
}
