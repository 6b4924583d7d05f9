//! Answers from proofs that are there already (RFC 8198), compared with what the zones say.

use super::super::aggressive::{Aggressive, What};
use super::super::judge::Denial;
use super::super::work::Work;
use super::world::*;
use crate::dns::name::Name;
use crate::dns::rtype;
use crate::resolver::engine::rrset::RRset;
use std::sync::Arc;

const NOW_MS: u64 = 1_000_000;

fn zone(deny: Deny) -> Zone {
    Zone::new("example", deny)
        .with_a("b.example")
        .with_a("m.example")
        .with_a("x.ent.example")
        .with_a("*.wild.example")
        .with_a("closer.wild.example")
        .with("*.alias.example", rtype::CNAME, name("b.example").as_wire())
        .with("cut.example", rtype::NS, name("ns.cut.example").as_wire())
        .with("dname.example", rtype::DNAME, name("b.example").as_wire())
        .with_a("y.example")
}

/// Judges what a zone says and keeps the proofs, as the engine does.
fn learn(aggressive: &mut Aggressive, world: &World, qname: &str, qtype: u16) {
    let reply = world.reply(qname, qtype);
    if let Some(set) = reply.answers.first() {
        let judged = run(world
            .validator
            .set(set, &reply.authorities, world, &when(), &mut Work::new()));
        if let (true, Some(zone), Some(encloser)) = (judged.verdict.is_secure(), judged.zone, judged.encloser) {
            let proofs = judged.proofs.iter().map(|at| &reply.authorities[*at]);
            aggressive.learn_made(&zone, &encloser, set, proofs, judged.ttl_s, NOW_MS);
        }
        return;
    }
    let qname = name(qname);
    let soa = reply.authorities.iter().find(|set| set.rtype == rtype::SOA);
    let denial = Denial {
        name: &qname,
        qtype,
        nxdomain: reply.nxdomain,
        soa,
        proofs: &reply.authorities,
    };
    let judged = run(world.validator.denial(denial, world, &when(), &mut Work::new()));
    let (Some(zone), Some(soa)) = (judged.zone, soa) else {
        return;
    };
    let sets = judged.proofs.iter().map(|at| &reply.authorities[*at]);
    aggressive.learn(&zone, &Arc::new(soa.clone()), sets, judged.ttl_s, NOW_MS);
}

const NAMES: &[&str] = &[
    "a.example",
    "b.example",
    "c.example",
    "d.c.example",
    "m.example",
    "n.example",
    "z.example",
    "ent.example",
    "x.ent.example",
    "y.ent.example",
    "wild.example",
    "a.wild.example",
    "closer.wild.example",
    "a.closer.wild.example",
    "b.c.wild.example",
    "*.wild.example",
    "alias.example",
    "a.alias.example",
    "b.alias.example",
    "cut.example",
    "a.cut.example",
    "dname.example",
    "a.dname.example",
    "a.a.a.example",
    "y.example",
    "0.example",
    "example",
];

#[test]
fn rfc8198_5_what_is_answered_is_what_the_zone_would_say() {
    for deny in [Deny::Nsec, nsec3(), Deny::Compact] {
        let compact = deny == Deny::Compact;
        let world = World::new(vec![Zone::new(".", Deny::Nsec), zone(deny)]);
        let (mut spared, mut made) = (0, 0);
        for first in NAMES {
            for first_type in [rtype::A, rtype::MX, rtype::DS] {
                let mut aggressive = Aggressive::new(1 << 20);
                learn(&mut aggressive, &world, first, first_type);
                for qname in NAMES {
                    for qtype in [rtype::A, rtype::MX, rtype::DS] {
                        let asked = name(qname);
                        let Some(shown) = aggressive.find(&asked, qtype, NOW_MS + 1, &mut Work::new()) else {
                            continue;
                        };
                        spared += 1;
                        let reply = world.reply(qname, qtype);
                        let told = format!("{first} {first_type} told {qname} {qtype}: {:?}", shown.what);
                        match &shown.what {
                            What::NoName(_) => assert!(reply.nxdomain, "{told}"),
                            What::NoData(_) => assert!(!reply.nxdomain && reply.answers.is_empty(), "{told}"),
                            What::Made(set) => {
                                made += 1;
                                assert!(set.same_data(&reply.answers[0]) && set.name == asked, "{told}");
                                assert_eq!(set.rtype, reply.answers[0].rtype, "{told}");
                                let proofs: Vec<RRset> = shown.proofs.iter().map(|set| (**set).clone()).collect();
                                let judged = run(world.validator.set(set, &proofs, &world, &when(), &mut Work::new()));
                                assert!(judged.verdict.is_secure(), "{told}");
                            }
                        }
                        // And who checks what is sent on finds it proven.
                        match &shown.what {
                            What::NoName(soa) | What::NoData(soa) => {
                                assert!(shown.ttl_s <= 300 && soa.rtype == rtype::SOA);
                            }
                            What::Made(set) => assert_eq!(set.ttl_s, shown.ttl_s),
                        }
                        assert!(!shown.proofs.is_empty() && shown.proofs.iter().all(|set| set.is_signed()));
                    }
                }
            }
        }
        assert!(spared > if compact { 10 } else { 100 }, "{spared}");
        assert!(if compact { made == 0 } else { made > 10 }, "{made}");
    }
}

#[test]
fn rfc8198_a_flood_of_random_names_ends_at_the_first_denials() {
    for deny in [Deny::Nsec, nsec3()] {
        let world = World::new(vec![Zone::new(".", Deny::Nsec), zone(deny)]);
        let mut aggressive = Aggressive::new(1 << 20);
        let mut asked = 0;
        for number in 0..500 {
            let qname = format!("r{}.example", number * 7919 % 10_007);
            if aggressive
                .find(&name(&qname), rtype::A, NOW_MS + 1, &mut Work::new())
                .is_none()
            {
                asked += 1;
                learn(&mut aggressive, &world, &qname, rtype::A);
            }
        }
        // The zone has some ten gaps.
        assert!(asked <= 12, "{asked} of 500 were asked for");
    }
}

#[test]
fn rfc9077_3_and_rfc5155_6_proofs_end_with_the_soa_and_opt_out_proves_nothing() {
    let world = World::new(vec![Zone::new(".", Deny::Nsec), zone(Deny::Nsec)]);
    let mut aggressive = Aggressive::new(1 << 20);
    learn(&mut aggressive, &world, "c.example", rtype::A);
    let mut find = |text: &str, now_ms| aggressive.find(&name(text), rtype::A, now_ms, &mut Work::new());
    assert_eq!(find("c1.example", NOW_MS + 1000).unwrap().ttl_s, 299);
    assert!(find("c1.example", NOW_MS + 300_000).is_none());
    let opt_out = Deny::Nsec3 {
        iterations: 0,
        salt: Vec::new(),
        opt_out: true,
    };
    let world = World::new(vec![Zone::new(".", Deny::Nsec), zone(opt_out)]);
    let mut aggressive = Aggressive::new(1 << 20);
    for text in NAMES {
        learn(&mut aggressive, &world, text, rtype::A);
    }
    for text in NAMES {
        assert!(
            aggressive
                .find(&name(text), rtype::A, NOW_MS + 1, &mut Work::new())
                .is_none(),
            "{text}"
        );
    }
}

#[test]
fn rfc9824_6_a_compact_denial_denies_no_name_as_a_whole() {
    let world = World::new(vec![Zone::new(".", Deny::Nsec), zone(Deny::Compact)]);
    let mut aggressive = Aggressive::new(1 << 20);
    learn(&mut aggressive, &world, "c.example", rtype::A);
    assert!(
        aggressive
            .find(&name("c.example"), rtype::A, NOW_MS + 1, &mut Work::new())
            .is_none()
    );
    learn(&mut aggressive, &world, "b.example", rtype::MX);
    let shown = aggressive
        .find(&name("b.example"), rtype::TXT, NOW_MS + 1, &mut Work::new())
        .unwrap();
    assert!(matches!(shown.what, What::NoData(_)));
}

#[test]
fn proofs_stay_within_their_bound_and_can_be_forgotten() {
    let mut aggressive = Aggressive::new(200_000);
    let zone = name("example");
    let soa = Arc::new(RRset::of(&zone, rtype::SOA, 300, &[0; 22]));
    let nsec = |owner: &Name, next: &Name| {
        let types = [0, 6, 0x40, 0, 0, 0, 0, 3];
        RRset::of(owner, rtype::NSEC, 300, &[next.as_wire(), &types].concat())
    };
    for number in 0..2000 {
        let (owner, next) = (
            name(&format!("n{number}.example")),
            name(&format!("n{number}a.example")),
        );
        aggressive.learn(&zone, &soa, [&nsec(&owner, &next)], 300, NOW_MS);
        assert!(aggressive.bytes() <= 200_000);
    }
    for number in 0..2000 {
        let zone = name(&format!("z{number}"));
        let soa = Arc::new(RRset::of(&zone, rtype::SOA, 300, &[0; 22]));
        aggressive.learn(&zone, &soa, [&nsec(&zone, &zone)], 300, NOW_MS);
        assert!(aggressive.bytes() <= 200_000);
    }
    assert!(aggressive.bytes() > 80_000);
    assert!(
        aggressive
            .find(&name("a.z1999"), rtype::A, NOW_MS, &mut Work::new())
            .is_some()
    );
    aggressive.forget(Some(&name("z1999")));
    assert!(
        aggressive
            .find(&name("a.z1999"), rtype::A, NOW_MS, &mut Work::new())
            .is_none()
    );
    assert!(
        aggressive
            .find(&name("a.z1998"), rtype::A, NOW_MS, &mut Work::new())
            .is_some()
    );
    aggressive.forget(None);
    assert_eq!(aggressive.bytes(), 0);
}

#[test]
fn rfc8198_5_3_a_wildcard_answers_until_it_or_the_proof_ends_and_closer_names_never() {
    for deny in [Deny::Nsec, nsec3()] {
        let world = World::new(vec![Zone::new(".", Deny::Nsec), zone(deny)]);
        let mut aggressive = Aggressive::new(1 << 20);
        for number in 0..200 {
            learn(&mut aggressive, &world, &format!("r{number}.wild.example"), rtype::A);
        }
        let mut find = |text: &str, qtype, now_ms| aggressive.find(&name(text), qtype, now_ms, &mut Work::new());
        let mut made = 0;
        for number in 200..300 {
            let text = format!("r{number}.wild.example");
            let Some(shown) = find(&text, rtype::A, NOW_MS + 1000) else {
                continue;
            };
            made += 1;
            assert_eq!(shown.ttl_s, TTL_S - 1);
            assert!(find(&text, rtype::A, NOW_MS + u64::from(TTL_S) * 1000).is_none());
            assert!(find(&text, rtype::MX, NOW_MS + 1000).is_none(), "no SOA came along yet");
        }
        assert!(made >= 95, "{made}: nearly all gaps below were seen");
        for text in [
            "closer.wild.example",
            "a.closer.wild.example",
            "wild.example",
            "*.wild.example",
        ] {
            assert!(find(text, rtype::A, NOW_MS + 1).is_none(), "{text}");
        }
        assert!(find("r1.wild.example", rtype::DS, NOW_MS + 1).is_none());
    }
}

#[test]
fn rfc9077_3_proofs_that_came_with_an_answer_deny_only_as_long_as_the_zones_soa_allows() {
    let world = World::new(vec![Zone::new(".", Deny::Nsec), zone(Deny::Nsec)]);
    let mut aggressive = Aggressive::new(1 << 20);
    // The gap from closer.wild to y: d.wild is in it, and so is x.
    learn(&mut aggressive, &world, "d.wild.example", rtype::A);
    let at = |seconds: u64| NOW_MS + seconds * 1000;
    let find = |aggressive: &mut Aggressive, text: &str, now_ms| {
        aggressive
            .find(&name(text), rtype::A, now_ms, &mut Work::new())
            .map(|shown| shown.what)
    };
    assert_eq!(find(&mut aggressive, "x.example", at(1)), None);
    learn(&mut aggressive, &world, "x.example", rtype::A);
    assert!(matches!(
        find(&mut aggressive, "x1.example", at(1)),
        Some(What::NoName(_))
    ));
    // Learned again with an answer, it still denies for as long as the denial said, and makes answers for its own time.
    learn(&mut aggressive, &world, "e.wild.example", rtype::A);
    assert!(matches!(
        find(&mut aggressive, "x1.example", at(299)),
        Some(What::NoName(_))
    ));
    assert_eq!(find(&mut aggressive, "x1.example", at(300)), None);
    assert!(matches!(
        find(&mut aggressive, "f.wild.example", at(300)),
        Some(What::Made(_))
    ));
}
