//! Signed zones: what validation makes of a whole resolution, and how servers that spoil it are got around.

use super::super::rrset::RRset;
use super::super::store::Security;
use super::super::task::Transport;
use super::super::{Finding, Found, Trouble};
use super::authority::Reply;
use super::network::{Internet, ROOT, Server, ip, text};
use crate::dns::name::Name;
use crate::dns::rtype::*;
use crate::dns::{query::Query, rcode};
use crate::resolver::Scope;
use crate::resolver::validate::tests::world::{self, Deny, TTL_S, World, Zone};
use std::net::IpAddr;
use std::sync::Arc;

/// How a server of a signed zone spoils what it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spoil {
    Nothing,
    Silent,
    /// No RRSIG, NSEC or NSEC3, as behind a box that does not know DNSSEC.
    Strips,
    /// No RRSIG of what is asked for.
    Signatures,
    /// No NSEC and NSEC3.
    Proofs,
    /// Other addresses under the same signatures.
    Changes,
    /// Denies what there is.
    Denies,
    /// Another DNSKEY set.
    Keys,
}

/// Puts NS and glue where the zone's reply leaves them out.
fn referral(zones: &[Name], servers: &[(Name, Vec<IpAddr>)], apex: &Name, qname: &Name, qtype: u16, reply: &mut Reply) {
    let below = |zone: &&Name| zone.is_within(apex) && *zone != apex && qname.is_within(zone);
    let Some(child) = zones.iter().filter(below).min_by_key(|zone| zone.label_count()) else {
        return;
    };
    if qtype == DS && child == qname {
        return;
    }
    reply.aa = false;
    reply.rcode = rcode::NOERROR;
    let server = world::name(&format!("ns.{child}"));
    reply.sections[1].insert(0, RRset::of(child, NS, TTL_S, server.as_wire()));
    let (_, addresses) = servers.iter().find(|(zone, _)| zone == child).unwrap();
    let mut glue = RRset::new(&server, A, TTL_S);
    for address in addresses {
        let IpAddr::V4(v4) = address else { continue };
        glue.push(&v4.octets());
    }
    reply.sections[2].push(glue);
}

/// The CNAME that goes with a DNAME, which the zones leave to their servers to make (RFC 6672 §3.1).
fn made(qname: &Name, answers: &[RRset]) -> Option<RRset> {
    let dname = answers.iter().find(|set| set.rtype == DNAME && set.name != *qname)?;
    let kept = qname.as_wire().len() - dname.name.as_wire().len();
    let target = [&qname.as_wire()[..kept], dname.target()?.as_wire()].concat();
    Some(RRset::of(qname, CNAME, dname.ttl_s, &target))
}

fn spoiled(how: Spoil, apex: &Name, reply: &mut Reply) {
    match how {
        Spoil::Nothing | Spoil::Silent => {}
        Spoil::Strips => {
            for section in &mut reply.sections {
                section.retain(|set| !matches!(set.rtype, NSEC | NSEC3));
                for set in section {
                    let mut plain = RRset::new(&set.name, set.rtype, set.ttl_s);
                    set.records().for_each(|rdata| plain.push(rdata));
                    *set = plain;
                }
            }
        }
        Spoil::Signatures if reply.qtype() == A && apex.label_count() > 1 => {
            for set in reply.sections.iter_mut().flatten() {
                let mut plain = RRset::new(&set.name, set.rtype, set.ttl_s);
                set.records().for_each(|rdata| plain.push(rdata));
                *set = plain;
            }
        }
        Spoil::Proofs if apex.label_count() > 1 => {
            for section in &mut reply.sections {
                section.retain(|set| !matches!(set.rtype, NSEC | NSEC3));
            }
        }
        Spoil::Changes => {
            for set in reply.sections[0].iter_mut().filter(|set| set.rtype == A) {
                let mut other = RRset::of(&set.name, A, set.ttl_s, &[6, 6, 6, 6]);
                set.signatures().for_each(|rdata| other.sign(rdata));
                *set = other;
            }
        }
        Spoil::Denies if !reply.sections[0].is_empty() && reply.qtype() == A => {
            reply.sections[0].clear();
            reply.rcode = rcode::NXDOMAIN;
        }
        Spoil::Keys if reply.qtype() == DNSKEY => {
            let key = world::TestKey::new(15).rdata();
            reply.sections[0] = vec![RRset::of(apex, DNSKEY, TTL_S, &key)];
        }
        Spoil::Signatures | Spoil::Proofs | Spoil::Denies | Spoil::Keys => {}
    }
}

/// The zones of `world` in an internet that trusts the first: the root at [`ROOT`], the others at two addresses each, 193.N.0.1
/// and 193.N.0.2, of which the first spoils what it says.
pub(super) fn internet(seed: u64, world: World, spoil: Spoil) -> Internet {
    let mut internet = Internet::new(seed);
    let World { zones, validator, .. } = world;
    internet.validator = Some(validator);
    let apexes: Vec<Name> = zones.iter().map(|zone| zone.apex.clone()).collect();
    let places = |at: usize| match at {
        0 => vec![ip(ROOT)],
        _ => vec![ip(&format!("193.{at}.0.1")), ip(&format!("193.{at}.0.2"))],
    };
    let servers: Vec<(Name, Vec<IpAddr>)> = apexes
        .iter()
        .cloned()
        .enumerate()
        .map(|(at, apex)| (apex, places(at)))
        .collect();
    for (at, zone) in zones.into_iter().enumerate() {
        // Signing keys may be shared, cells may not.
        let zone = Arc::new(zone);
        for (number, address) in places(at).into_iter().enumerate() {
            let how = if at > 0 && number == 0 { spoil } else { Spoil::Nothing };
            let (zone, apexes, servers) = (Arc::clone(&zone), apexes.clone(), servers.clone());
            let script = move |query: &[u8], _: Transport| {
                if how == Spoil::Silent {
                    return Vec::new();
                }
                let asked = Query::parse(query).unwrap();
                let qname = Name::from_wire(asked.qname()).unwrap().to_lower();
                let said = zone.reply(&qname, asked.qtype);
                let mut reply = Reply::to(query);
                reply.aa = true;
                reply.rcode = if said.nxdomain { rcode::NXDOMAIN } else { rcode::NOERROR };
                reply.sections = [said.answers, said.authorities, Vec::new()];
                reply.sections[0].extend(made(&qname, &reply.sections[0]));
                referral(&apexes, &servers, &zone.apex, &qname, asked.qtype, &mut reply);
                spoiled(how, &zone.apex, &mut reply);
                // Signatures are for those who ask for them (RFC 3225 §3).
                if !reply.opt {
                    spoiled(Spoil::Strips, &zone.apex, &mut reply);
                }
                vec![reply.bytes()]
            };
            internet.servers.insert(
                address,
                Server {
                    zones: Vec::new(),
                    temper: super::authority::Temper::Good,
                    delay_ms: 20,
                    script: Some(Arc::new(script)),
                },
            );
        }
    }
    internet
}

/// A root, `com`, and zones below: `nsec`, `nsec3` and `compact` signed, `plain` not.
pub(super) fn zones() -> World {
    let below = |label: &str, deny: Deny| {
        let apex = format!("{label}.com");
        Zone::new(&apex, deny)
            .with_a(&format!("www.{apex}"))
            .with_a(&format!("m.{apex}"))
            .with_a(&format!("*.wild.{apex}"))
            .with(
                &format!("alias.{apex}"),
                CNAME,
                world::name(&format!("www.{apex}")).as_wire(),
            )
            .with(&format!("far.{apex}"), CNAME, world::name("www.nsec3.com").as_wire())
            .with(&format!("out.{apex}"), CNAME, world::name("www.plain.com").as_wire())
            .with(&format!("moved.{apex}"), DNAME, world::name("nsec.com").as_wire())
    };
    World::new(vec![
        Zone::new(".", Deny::Nsec),
        Zone::new("com", Deny::Nsec),
        below("nsec", Deny::Nsec),
        below("nsec3", world::nsec3()),
        below("compact", Deny::Compact),
        below("plain", Deny::Unsigned),
    ])
}

fn ask(internet: &mut Internet, qname: &str, qtype: u16) -> String {
    match internet.resolve(qname, qtype) {
        Ok(found) => format!("{}{}", text(&found), if found.is_secure() { ", secure" } else { "" }),
        Err(trouble) => format!("failed: {trouble}"),
    }
}

#[test]
fn rfc4035_5_answers_and_denials_of_signed_zones_are_secure_and_of_others_are_not() {
    for zone in ["nsec", "nsec3"] {
        let mut internet = internet(1, zones(), Spoil::Nothing);
        for _ in 0..2 {
            let mut ask = |label: &str, qtype| ask(&mut internet, &format!("{label}.{zone}.com"), qtype);
            assert_eq!(ask("www", A), "NOERROR: 192.0.2.1, secure");
            assert_eq!(ask("www", TXT), "NODATA, secure");
            assert_eq!(ask("none", A), "NXDOMAIN, secure");
            assert_eq!(ask("x.wild", A), "NOERROR: 192.0.2.1, secure");
            assert_eq!(ask("far", A), "NOERROR -> www.nsec3.com.: 192.0.2.1, secure");
            assert_eq!(ask("out", A), "NOERROR -> www.plain.com.: 192.0.2.1");
            assert_eq!(ask("www.moved", A), "NOERROR -> www.nsec.com.: 192.0.2.1, secure");
        }
        assert_eq!(ask(&mut internet, "www.plain.com", A), "NOERROR: 192.0.2.1");
        assert_eq!(ask(&mut internet, "none.plain.com", A), "NXDOMAIN");
        assert_eq!(ask(&mut internet, "none.com", A), "NXDOMAIN, secure");
    }
    let mut internet = internet(1, zones(), Spoil::Nothing);
    assert_eq!(ask(&mut internet, "www.compact.com", A), "NOERROR: 192.0.2.1, secure");
    assert!(ask(&mut internet, "none.compact.com", A).ends_with(", secure"));
}

#[test]
fn rfc6672_5_3_1_the_alias_that_a_dname_makes_is_secure_for_those_who_ask_for_it_as_well() {
    let mut internet = internet(1, zones(), Spoil::Nothing);
    for _ in 0..2 {
        assert_eq!(
            ask(&mut internet, "www.moved.nsec3.com", CNAME),
            "NODATA -> www.nsec.com., secure"
        );
        assert_eq!(
            ask(&mut internet, "alias.moved.nsec3.com", CNAME),
            "NOERROR -> alias.nsec.com.: www.nsec.com., secure"
        );
    }
}

#[test]
fn a_cold_question_for_the_keys_of_a_zone_does_not_wait_for_itself() {
    let mut internet = internet(1, zones(), Spoil::Nothing);
    let started_ms = internet.now_ms;
    assert!(ask(&mut internet, "nsec.com", DNSKEY).ends_with(", secure"));
    let asked = internet
        .sent
        .iter()
        .filter(|sent| sent.qtype == DNSKEY && sent.server.to_string().starts_with("193.2.0."));
    assert_eq!(asked.count(), 1);
    assert!(internet.now_ms - started_ms < 500, "{}", internet.now_ms - started_ms);
    for seed in 0..6 {
        let mut internet = super::signed::internet(seed, zones(), Spoil::Keys);
        assert!(
            ask(&mut internet, "nsec.com", DNSKEY).ends_with(", secure"),
            "{seed}: those of another server"
        );
    }
}

#[test]
fn rfc4035_5_signatures_asked_for_are_records_and_those_of_a_denial_or_referral_sign_it() {
    for zone in ["nsec", "nsec3"] {
        let mut internet = internet(1, zones(), Spoil::Nothing);
        let none = format!("none.{zone}.com");
        assert_eq!(ask(&mut internet, &none, RRSIG), "NXDOMAIN, secure");
    }
    let mut internet = internet(1, zones(), Spoil::Nothing);
    // The referral brings the DS set, with its signature, to be checked later.
    internet.check = false;
    assert!(internet.resolve("nsec.com", RRSIG).is_ok());
    internet.check = true;
    assert_eq!(ask(&mut internet, "www.nsec.com", A), "NOERROR: 192.0.2.1, secure");
    assert!(internet.sent.iter().all(|sent| sent.qtype != DS));
}

#[test]
fn a_signed_name_costs_two_queries_for_keys_a_zone_and_the_referrals_ds_sets_are_used() {
    let mut internet = internet(2, zones(), Spoil::Nothing);
    ask(&mut internet, "www.nsec.com", A);
    let types: Vec<u16> = internet.sent.iter().map(|sent| sent.qtype).collect();
    assert_eq!(types.iter().filter(|rtype| **rtype == DNSKEY).count(), 3);
    assert_eq!(types.iter().filter(|rtype| **rtype == DS).count(), 0);
    assert_eq!(types.len(), 6, "{types:?}");
    let before = internet.sent.len();
    ask(&mut internet, "m.nsec.com", A);
    assert_eq!(internet.sent.len(), before + 1);
}

#[test]
fn a_server_that_spoils_what_a_zone_says_is_got_around() {
    for spoil in [Spoil::Silent, Spoil::Strips, Spoil::Changes, Spoil::Denies, Spoil::Keys] {
        for zone in ["nsec", "nsec3"] {
            for seed in 0..12 {
                let mut internet = internet(seed, zones(), spoil);
                for (label, right) in [("www", "NOERROR: 192.0.2.1, secure"), ("none", "NXDOMAIN, secure")] {
                    let name = format!("{label}.{zone}.com");
                    assert_eq!(ask(&mut internet, &name, A), right, "{spoil:?} {seed} {name}");
                }
            }
        }
    }
}

#[test]
fn rfc4035_5_5_what_every_server_spoils_is_bogus_and_passes_only_unchecked() {
    for spoil in [Spoil::Strips, Spoil::Changes, Spoil::Denies, Spoil::Keys] {
        let mut internet = internet(3, zones(), spoil);
        let bad = internet.servers[&ip("193.2.0.1")].clone();
        internet.servers.insert(ip("193.2.0.2"), bad);
        let Err(Trouble::Bogus(reason)) = internet.resolve("www.nsec.com", A) else {
            panic!("{spoil:?} is noticed");
        };
        assert!((6..=12).contains(&reason.code()), "{reason}");
        assert!(internet.sent.len() < 40, "{spoil:?}: {}", internet.sent.len());
        assert_eq!(
            ask(&mut internet, "www.nsec3.com", A),
            "NOERROR: 192.0.2.1, secure",
            "{spoil:?}"
        );
        internet.check = false;
        let found = internet.resolve("www.nsec.com", A).unwrap();
        assert!(!found.is_secure());
        internet.check = true;
        assert!(
            internet.resolve("www.nsec.com", A).is_err(),
            "{spoil:?} is not kept as if it were good"
        );
    }
}

#[test]
fn rfc8198_5_neighbors_of_a_denied_name_are_denied_without_asking() {
    let mut internet = internet(4, zones(), Spoil::Nothing);
    assert_eq!(ask(&mut internet, "n1.nsec.com", A), "NXDOMAIN, secure");
    let before = internet.sent.len();
    for number in 2..9 {
        assert_eq!(
            ask(&mut internet, &format!("n{number}.nsec.com"), A),
            "NXDOMAIN, secure"
        );
    }
    assert_eq!(internet.sent.len(), before);
    assert_eq!(
        ask(&mut internet, "www.nsec.com", A),
        "NOERROR: 192.0.2.1, secure",
        "what is there is there"
    );
}

#[test]
fn rfc8198_5_3_a_validated_wildcard_answers_for_its_neighbors_without_asking() {
    for zone in ["nsec", "nsec3"] {
        let mut internet = internet(4, zones(), Spoil::Nothing);
        let mut ask = |label: &str| {
            let before = internet.sent.len();
            let answer = ask(&mut internet, &format!("{label}.wild.{zone}.com"), A);
            assert_eq!(answer, "NOERROR: 192.0.2.1, secure", "{label}");
            internet.sent.len() - before
        };
        (0..20).for_each(|number| {
            ask(&format!("x{number}"));
        });
        let asked: usize = (20..120).map(|number| ask(&format!("x{number}"))).sum();
        assert!(asked <= 3, "{asked} of 100, {zone}");
        // Names that are there, or denied, stay what they are.
        let found = internet.resolve(&format!("x1.wild.{zone}.com"), TXT).unwrap();
        assert!(found.is_secure() && text(&found) == "NODATA");
        internet.now_ms += u64::from(TTL_S) * 1000;
        let before = internet.sent.len();
        internet.resolve(&format!("y.wild.{zone}.com"), A).unwrap();
        assert!(internet.sent.len() > before, "its time is over");
        internet.check = false;
        let before = internet.sent.len();
        internet.resolve(&format!("z.wild.{zone}.com"), A).unwrap();
        assert!(
            internet.sent.len() > before,
            "who checks for himself gets what servers say"
        );
    }
}

#[test]
fn a_name_that_was_flushed_is_asked_for_again_whatever_proofs_and_denials_stood_in_for_it() {
    let mut internet = internet(4, zones(), Spoil::Nothing);
    // A proof of its neighbor, a denial above it, a DNAME above it.
    for (first, second, seen) in [
        ("n1.nsec.com", "n2.nsec.com", "NXDOMAIN, secure"),
        ("none.nsec3.com", "a.b.none.nsec3.com", "NXDOMAIN, secure"),
        (
            "www.moved.nsec3.com",
            "m.moved.nsec3.com",
            "NOERROR -> m.nsec.com.: 192.0.2.1, secure",
        ),
    ] {
        ask(&mut internet, first, A);
        let known = internet.sent.len();
        assert_eq!(ask(&mut internet, second, A), seen);
        if !second.starts_with("m.") {
            assert_eq!(internet.sent.len(), known, "{second}");
        }
        let before = internet.sent.len();
        internet.engine().forget(&Scope::At(world::name(second)));
        assert_eq!(ask(&mut internet, second, A), seen);
        let asked = &internet.sent[before..];
        assert!(!asked.is_empty(), "{second}");
        assert!(
            asked.iter().all(|sent| sent.server != ip(ROOT)),
            "what leads there is known: {asked:?}"
        );
    }
    // A wildcard that answers for all its neighbors.
    let mut neighbors = (0..40).map(|number| format!("x{number}.wild.nsec.com"));
    neighbors.by_ref().take(39).for_each(|name| {
        ask(&mut internet, &name, A);
    });
    let last = neighbors.next().unwrap();
    internet.engine().forget(&Scope::At(world::name(&last)));
    let before = internet.sent.len();
    assert_eq!(ask(&mut internet, &last, A), "NOERROR: 192.0.2.1, secure");
    assert!(internet.sent.len() > before);
}

#[test]
fn rfc8020_2_a_proven_denial_covers_all_below_at_once() {
    let mut internet = internet(5, zones(), Spoil::Nothing);
    ask(&mut internet, "none.nsec3.com", A);
    let before = internet.sent.len();
    assert_eq!(ask(&mut internet, "a.b.none.nsec3.com", A), "NXDOMAIN, secure");
    assert_eq!(internet.sent.len(), before);
}

#[test]
fn rfc6672_5_3_1_a_secure_dname_redirects_other_names_without_asking() {
    let mut internet = internet(6, zones(), Spoil::Nothing);
    ask(&mut internet, "www.moved.nsec3.com", A);
    let before = internet.sent.len();
    assert_eq!(
        ask(&mut internet, "m.moved.nsec3.com", A),
        "NOERROR -> m.nsec.com.: 192.0.2.1, secure"
    );
    assert_eq!(internet.sent.len(), before + 1, "only the target is asked for");
}

#[test]
fn what_was_found_unchecked_is_checked_before_it_is_said() {
    let mut internet = internet(7, zones(), Spoil::Nothing);
    internet.check = false;
    assert_eq!(ask(&mut internet, "www.nsec.com", A), "NOERROR: 192.0.2.1");
    internet.check = true;
    let before = internet.sent.len();
    let found: Found = internet.resolve("www.nsec.com", A).unwrap();
    let Finding::Set(held) = &found.end else {
        panic!("a set")
    };
    assert_eq!(held.security, Security::Secure);
    assert!(
        internet.sent[before..].iter().all(|sent| sent.qtype != A),
        "the set itself is not asked for again"
    );
}

#[test]
fn rfc8198_5_4_what_is_checked_late_serves_others_no_longer_than_it_lives_itself() {
    for (first, neighbor) in [("n1.nsec.com", "n2.nsec.com"), ("x1.wild.nsec.com", "x2.wild.nsec.com")] {
        let mut internet = internet(7, zones(), Spoil::Nothing);
        internet.check = false;
        let over_ms = match internet.resolve(first, A).unwrap().end {
            Finding::Set(held) => held.expires_ms,
            Finding::Denied(denial) => denial.expires_ms,
            Finding::TooLong => unreachable!("there is no DNAME"),
        };
        internet.now_ms = over_ms - 10_000;
        internet.check = true;
        assert!(internet.resolve(first, A).unwrap().is_secure());
        internet.now_ms = over_ms + 10_000;
        let before = internet.sent.len();
        assert!(internet.resolve(neighbor, A).unwrap().is_secure());
        let asked = internet.sent[before..].iter().any(|sent| sent.qtype == A);
        assert!(asked, "{neighbor} is known from {first}, whose time is over");
    }
}

#[test]
fn signed_worlds_in_bad_weather_answer_securely_as_their_zones_say() {
    for seed in 0..40 {
        let spoils = [
            Spoil::Nothing,
            Spoil::Silent,
            Spoil::Strips,
            Spoil::Changes,
            Spoil::Denies,
            Spoil::Keys,
        ];
        let mut internet = internet(seed, zones(), spoils[seed as usize % spoils.len()]);
        internet.weather = super::network::Weather {
            loss: 2,
            doubled: 3,
            forged: 3,
            jitter_ms: 30,
        };
        for zone in ["nsec", "nsec3", "plain"] {
            let secure = if zone == "plain" { "" } else { ", secure" };
            for (label, right) in [
                ("www", "NOERROR: 192.0.2.1"),
                ("a.wild", "NOERROR: 192.0.2.1"),
                ("none", "NXDOMAIN"),
                ("far", "NOERROR -> www.nsec3.com.: 192.0.2.1"),
            ] {
                // What nobody signs, one bad server in two may change.
                if zone == "plain" && seed % 6 > 1 {
                    continue;
                }
                let name = format!("{label}.{zone}.com");
                let mut got = ask(&mut internet, &name, A);
                if got.starts_with("failed: ") {
                    got = ask(&mut internet, &name, A);
                }
                assert_eq!(got, format!("{right}{secure}"), "seed {seed}: {name}");
            }
        }
    }
}

#[test]
fn rfc8020_2_a_confirmed_denial_of_an_unsigned_zone_covers_all_below_as_well() {
    let mut internet = internet(8, zones(), Spoil::Nothing);
    assert_eq!(ask(&mut internet, "a.none.plain.com", A), "NXDOMAIN");
    assert_eq!(ask(&mut internet, "c.none.plain.com", A), "NXDOMAIN");
    let before = internet.sent.len();
    assert_eq!(ask(&mut internet, "b.none.plain.com", A), "NXDOMAIN");
    assert_eq!(internet.sent.len(), before);
}

#[test]
fn what_one_resolution_waits_for_another_to_find_is_checked_as_well() {
    let mut internet = internet(9, zones(), Spoil::Changes);
    let names = [
        "www.nsec.com",
        "m.nsec.com",
        "www.nsec.com",
        "www.nsec.com",
        "far.nsec.com",
    ];
    let questions = names.map(|name| (name, A));
    for result in internet.resolve_all(&questions) {
        assert!(result.unwrap().is_secure());
    }
}
