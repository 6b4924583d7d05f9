//! What validation makes of zones that are laid out one way or another, through the iterator.

use super::authority::{Reply, Temper};
use super::network::{Internet, ROOT, Server, ip, text};
use super::signed::{self, Spoil};
use crate::dns::query::Query;
use crate::dns::rtype::*;
use crate::dns::{name::Name, rcode};
use crate::resolver::validate::ValidatorSettings;
use crate::resolver::validate::anchors::Anchors;
use crate::resolver::validate::keys::Promise;
use crate::resolver::validate::tests::world::{self, Deny, TestKey, World, Zone, name};
use std::sync::Arc;

fn ask(internet: &mut Internet, qname: &str, qtype: u16) -> String {
    match internet.resolve(qname, qtype) {
        Ok(found) => format!("{}{}", text(&found), if found.is_secure() { ", secure" } else { "" }),
        Err(trouble) => format!("failed: {trouble}"),
    }
}

fn opt_out() -> Deny {
    Deny::Nsec3 {
        iterations: 0,
        salt: vec![1, 2],
        opt_out: true,
    }
}

/// All zones of `world` at one address, which never refers: the deepest zone answers, for DS the one above.
fn together(world: World) -> Internet {
    let mut internet = Internet::new(1);
    let World { zones, validator, .. } = world;
    internet.validator = Some(validator);
    let zones: Arc<Vec<Zone>> = Arc::new(zones);
    let script = move |query: &[u8], _| {
        let asked = Query::parse(query).unwrap();
        let qname = Name::from_wire(asked.qname()).unwrap().to_lower();
        let over = |zone: &&Zone| {
            qname.is_within(&zone.apex) && !(asked.qtype == DS && zone.apex == qname && !qname.is_root())
        };
        let zone = zones
            .iter()
            .filter(over)
            .max_by_key(|zone| zone.apex.label_count())
            .unwrap();
        let said = zone.reply(&qname, asked.qtype);
        let mut reply = Reply::to(query);
        reply.aa = true;
        reply.rcode = if said.nxdomain { rcode::NXDOMAIN } else { rcode::NOERROR };
        reply.sections = [said.answers, said.authorities, Vec::new()];
        vec![reply.bytes()]
    };
    internet.servers.insert(
        ip(ROOT),
        Server {
            zones: Vec::new(),
            temper: Temper::Good,
            delay_ms: 20,
            script: Some(Arc::new(script)),
        },
    );
    internet
}

#[test]
fn rfc4035_3_1_4_1_zones_above_and_below_one_another_at_the_same_servers_need_no_referral() {
    for deny in [Deny::Nsec, world::nsec3(), opt_out()] {
        let zones = vec![
            Zone::new(".", Deny::Nsec),
            Zone::new("com", deny.clone()),
            Zone::new("signed.com", deny.clone()).with_a("www.signed.com"),
            Zone::new("plain.com", Deny::Unsigned)
                .with_a("www.plain.com")
                .with_a("a.b.plain.com"),
            Zone::new("deep.signed.com", deny).with_a("www.deep.signed.com"),
        ];
        let mut internet = together(World::new(zones));
        for _ in 0..2 {
            assert_eq!(ask(&mut internet, "www.signed.com", A), "NOERROR: 192.0.2.1, secure");
            assert_eq!(
                ask(&mut internet, "www.deep.signed.com", A),
                "NOERROR: 192.0.2.1, secure"
            );
            assert_eq!(ask(&mut internet, "www.plain.com", A), "NOERROR: 192.0.2.1");
            assert_eq!(ask(&mut internet, "a.b.plain.com", A), "NOERROR: 192.0.2.1");
            assert_eq!(ask(&mut internet, "none.plain.com", A), "NXDOMAIN");
            assert!(ask(&mut internet, "signed.com", DS).ends_with(", secure"));
            assert!(ask(&mut internet, "plain.com", DS).starts_with("NODATA"));
            assert!(ask(&mut internet, "signed.com", DNSKEY).ends_with(", secure"));
            assert!(ask(&mut internet, "signed.com", SOA).ends_with(", secure"));
            assert!(ask(&mut internet, ".", DS).starts_with("NODATA"));
        }
    }
}

#[test]
fn rfc5155_6_below_an_opt_out_zone_signed_zones_are_secure_and_others_are_not() {
    let zones = vec![
        Zone::new(".", Deny::Nsec),
        Zone::new("com", opt_out()),
        Zone::new("signed.com", Deny::Nsec).with_a("www.signed.com"),
        Zone::new("plain.com", Deny::Unsigned).with_a("www.plain.com"),
    ];
    let mut internet = signed::internet(1, World::new(zones), Spoil::Nothing);
    assert_eq!(ask(&mut internet, "www.signed.com", A), "NOERROR: 192.0.2.1, secure");
    assert_eq!(ask(&mut internet, "www.plain.com", A), "NOERROR: 192.0.2.1");
    assert_eq!(
        ask(&mut internet, "none.com", A),
        "NXDOMAIN",
        "§9.2: no AD where a delegation may hide"
    );
    assert_eq!(ask(&mut internet, "plain.com", DS), "NODATA");
}

/// `nsec.com` in all its facets, and `plain.com`.
fn facets() -> Internet {
    let below = |label: &str, deny: Deny| {
        let apex = format!("{label}.com");
        let to = |text: &str| name(text).as_wire().to_vec();
        Zone::new(&apex, deny)
            .with_a(&format!("www.{apex}"))
            .with_a(&format!("a.ent.{apex}"))
            .with_a(&format!("*.wild.{apex}"))
            .with(&format!("*.cname.{apex}"), CNAME, &to(&format!("www.{apex}")))
            .with(&format!("*.out.{apex}"), CNAME, &to("www.plain.com"))
            .with(&format!("*.gone.{apex}"), CNAME, &to(&format!("none.{apex}")))
            .with(&format!("dname.{apex}"), DNAME, &to("plain.com"))
            .with(&format!("home.{apex}"), DNAME, &to(&apex))
            .with(&format!("loop1.{apex}"), CNAME, &to(&format!("loop2.{apex}")))
            .with(&format!("loop2.{apex}"), CNAME, &to(&format!("loop1.{apex}")))
    };
    let zones = vec![
        Zone::new(".", Deny::Nsec),
        Zone::new("com", Deny::Nsec),
        below("nsec", Deny::Nsec),
        below("nsec3", world::nsec3()),
        below("plain", Deny::Unsigned),
        Zone::new("apex.com", Deny::Nsec).with("apex.com", DNAME, name("nsec.com").as_wire()),
    ];
    signed::internet(1, World::new(zones), Spoil::Nothing)
}

#[test]
fn rfc4035_5_wildcards_aliases_and_empty_names_of_signed_zones_are_secure_and_where_they_lead_counts() {
    let mut internet = facets();
    for zone in ["nsec", "nsec3"] {
        for round in 0..2 {
            let mut ask = |label: &str, qtype| ask(&mut internet, &format!("{label}.{zone}.com"), qtype);
            assert_eq!(
                ask("x.wild", TXT),
                "NODATA, secure",
                "wildcard without the type, {round}"
            );
            assert_eq!(ask("x.y.wild", A), "NOERROR: 192.0.2.1, secure");
            assert_eq!(ask("ent", A), "NODATA, secure");
            assert_eq!(ask("none.ent", A), "NXDOMAIN, secure");
            assert_eq!(ask("a.none.www", A), "NXDOMAIN, secure");
            let own = format!("NOERROR -> www.{zone}.com.: 192.0.2.1");
            assert_eq!(ask("x.cname", A), format!("{own}, secure"));
            assert_eq!(ask("x.cname", TXT), format!("NODATA -> www.{zone}.com., secure"));
            assert!(ask("x.cname", CNAME).ends_with(", secure"));
            assert_eq!(ask("x.out", A), "NOERROR -> www.plain.com.: 192.0.2.1");
            assert_eq!(ask("x.gone", A), format!("NXDOMAIN -> none.{zone}.com., secure"));
            assert_eq!(ask("www.dname", A), "NOERROR -> www.plain.com.: 192.0.2.1");
            assert_eq!(ask("www.home", A), format!("{own}, secure"));
            assert_eq!(ask("dname", A), "NODATA, secure");
            assert!(ask("dname", DNAME).ends_with(", secure"));
            assert!(ask("loop1", A).starts_with("failed: "));
            assert_eq!(ask("www", DS), "NODATA, secure");
            assert_eq!(ask("www", DNSKEY), "NODATA, secure");
        }
    }
    assert_eq!(
        ask(&mut internet, "www.apex.com", A),
        "NOERROR -> www.nsec.com.: 192.0.2.1, secure"
    );
    assert_eq!(ask(&mut internet, "apex.com", A), "NODATA, secure");
}

#[test]
fn rfc7646_a_negative_anchor_counts_at_it_and_below_and_a_positive_one_below_that_again() {
    let key = TestKey::new(15);
    let mut zones = vec![
        Zone::new(".", Deny::Nsec),
        Zone::new("com", Deny::Nsec),
        Zone::new("broken.com", Deny::Nsec).with_a("www.broken.com"),
        Zone::new("good.broken.com", Deny::Nsec).with_a("www.good.broken.com"),
        Zone::new("beside.com", Deny::Nsec).with_a("www.beside.com"),
    ];
    zones[3].keys = vec![key];
    let island = zones[3].ds()[0].clone();
    let world = World::built(zones, ValidatorSettings::default(), |zones| {
        let sets = zones[1].records.get_mut(&name("broken.com")).unwrap();
        sets.get_mut(&DS).unwrap()[0][10] ^= 1;
    });
    let mut anchors: Anchors = (*world.validator.anchors()).clone();
    let mut internet = signed::internet(1, world, Spoil::Nothing);
    assert!(ask(&mut internet, "www.broken.com", A).starts_with("failed: "));
    let validator = |internet: &mut Internet, anchors: &Anchors| {
        let engine = internet.engine();
        engine.validator.as_ref().unwrap().set_anchors(anchors.clone());
    };
    anchors.add_negative(&name("broken.com"));
    validator(&mut internet, &anchors);
    assert_eq!(ask(&mut internet, "www.broken.com", A), "NOERROR: 192.0.2.1");
    assert_eq!(ask(&mut internet, "www.good.broken.com", A), "NOERROR: 192.0.2.1");
    assert_eq!(ask(&mut internet, "www.beside.com", A), "NOERROR: 192.0.2.1, secure");
    anchors.add(&name("good.broken.com"), Promise::Ds(island));
    validator(&mut internet, &anchors);
    internet.now_ms += 4_000_000;
    assert_eq!(
        ask(&mut internet, "www.good.broken.com", A),
        "NOERROR: 192.0.2.1, secure"
    );
    assert_eq!(ask(&mut internet, "www.broken.com", A), "NOERROR: 192.0.2.1");
}

#[test]
fn rfc6840_5_9_what_a_client_that_checks_for_itself_got_is_never_given_to_one_that_does_not() {
    let zones = vec![
        Zone::new(".", Deny::Nsec),
        Zone::new("com", Deny::Nsec),
        Zone::new("bad.com", Deny::Nsec).with_a("www.bad.com"),
    ];
    let mut internet = signed::internet(1, World::new(zones), Spoil::Changes);
    let bad = internet.servers[&ip("193.2.0.1")].clone();
    internet.servers.insert(ip("193.2.0.2"), bad);
    for _ in 0..3 {
        internet.check = false;
        assert_eq!(ask(&mut internet, "www.bad.com", A), "NOERROR: 6.6.6.6");
        internet.check = true;
        assert!(ask(&mut internet, "www.bad.com", A).starts_with("failed: "));
    }
}

#[test]
fn one_lost_packet_to_the_only_server_of_a_signed_zone_does_not_make_it_bogus() {
    for lost in 0..8 {
        let mut internet = signed::internet(1, signed::zones(), Spoil::Nothing);
        internet.servers.remove(&ip("193.2.0.2"));
        let server = internet.servers.get_mut(&ip("193.2.0.1")).unwrap();
        let (good, count) = (server.script.clone().unwrap(), std::sync::atomic::AtomicUsize::new(0));
        server.script = Some(Arc::new(move |query, transport| {
            match count.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == lost {
                true => Vec::new(),
                false => good(query, transport),
            }
        }));
        for label in ["www", "m", "x.wild", "none"] {
            let answer = ask(&mut internet, &format!("{label}.nsec.com"), A);
            assert!(answer.ends_with(", secure"), "packet {lost}: {label}: {answer}");
        }
    }
}

#[test]
fn rfc6781_4_1_keys_that_were_changed_before_their_time_are_fetched_anew() {
    let mut com = Zone::new("com", Deny::Nsec);
    let (old, new) = (TestKey::new(15), TestKey::new(15));
    let apex = name("nsec.com");
    com.put(&apex, DS, new.ds(&apex, 2));
    let mut nsec = Zone::new("nsec.com", Deny::Nsec).with_a("www.nsec.com");
    nsec.keys = vec![old];
    let zones = vec![Zone::new(".", Deny::Nsec), com, nsec];
    let mut internet = signed::internet(1, World::new(zones), Spoil::Nothing);
    assert_eq!(ask(&mut internet, "www.nsec.com", A), "NOERROR: 192.0.2.1, secure");
    let mut changed = Zone::new("nsec.com", Deny::Nsec).with_a("m.nsec.com");
    changed.keys = vec![new];
    let changed = Arc::new(changed);
    for address in ["193.2.0.1", "193.2.0.2"] {
        let zone = Arc::clone(&changed);
        internet.servers.get_mut(&ip(address)).unwrap().script = Some(Arc::new(move |query, _| {
            let mut reply = Reply::to(query);
            let said = zone.reply(&reply.qname().to_lower(), reply.qtype());
            reply.aa = true;
            reply.rcode = if said.nxdomain { rcode::NXDOMAIN } else { rcode::NOERROR };
            reply.sections = [said.answers, said.authorities, Vec::new()];
            vec![reply.bytes()]
        }));
    }
    let before = internet.sent.len();
    assert_eq!(ask(&mut internet, "m.nsec.com", A), "NOERROR: 192.0.2.1, secure");
    assert!(internet.sent.len() - before <= 6, "{}", internet.sent.len() - before);
    let before = internet.sent.len();
    assert_eq!(ask(&mut internet, "none.nsec.com", A), "NXDOMAIN, secure");
    assert_eq!(internet.sent.len(), before + 1);
}

#[test]
fn rfc4035_5_2_a_zone_that_stopped_signing_is_believed_once_its_parent_says_so() {
    let zones = |signed: bool| {
        let deny = if signed { Deny::Nsec } else { Deny::Unsigned };
        vec![
            Zone::new(".", Deny::Nsec),
            Zone::new("com", Deny::Nsec),
            Zone::new("nsec.com", deny).with_a("www.nsec.com").with_a("m.nsec.com"),
        ]
    };
    let mut first = zones(true);
    let mut second = zones(false);
    // The keys above stay.
    for at in 0..2 {
        second[at].keys = first[at].keys.iter().map(|key| key.with_flags(key.flags)).collect();
    }
    let mut internet = signed::internet(1, World::new(std::mem::take(&mut first)), Spoil::Nothing);
    assert_eq!(ask(&mut internet, "www.nsec.com", A), "NOERROR: 192.0.2.1, secure");
    let later = signed::internet(1, World::new(second), Spoil::Nothing);
    internet.servers = later.servers;
    assert_eq!(ask(&mut internet, "m.nsec.com", A), "NOERROR: 192.0.2.1");
    assert_eq!(ask(&mut internet, "www.nsec.com", TXT), "NODATA");
}

#[test]
fn rfc2181_8_a_signed_zone_whose_records_live_no_time_at_all_is_secure_all_the_same() {
    let mut internet = signed::internet(1, signed::zones(), Spoil::Nothing);
    for server in internet.servers.values_mut() {
        let good = server.script.clone().unwrap();
        server.script = Some(Arc::new(move |query, transport| {
            let replies = good(query, transport);
            replies.into_iter().map(without_time).collect()
        }));
    }
    for label in ["www", "none", "x.wild", "far"] {
        let before = internet.sent.len();
        let answer = ask(&mut internet, &format!("{label}.nsec.com"), A);
        assert!(answer.ends_with(", secure"), "{label}: {answer}");
        assert!(internet.sent.len() - before < 50, "{}", internet.sent.len() - before);
    }
}

/// The same message with TTLs of 0.
fn without_time(mut bytes: Vec<u8>) -> Vec<u8> {
    let message = crate::dns::answer::Message::parse(&bytes).unwrap();
    let records: Vec<_> = message.records().map(Result::unwrap).collect();
    for record in records.iter().filter(|record| record.rtype != OPT) {
        // TTL and RDLENGTH go before the RDATA.
        bytes[record.rdata_at - 6..record.rdata_at - 2].fill(0);
    }
    bytes
}
