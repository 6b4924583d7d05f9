//! Denials: NSEC, NSEC3, compact; and proofs replayed where they prove nothing.

use super::super::judge::JudgedWhole;
use super::super::verdict::{Fault, Verdict};
use super::world::*;
use crate::dns::name::Name;
use crate::dns::rtype;
use crate::limits;
use crate::resolver::engine::rrset::RRset;

/// A zone with every kind of name, above and below a signed and an unsigned zone.
fn world(deny: Deny) -> World {
    let example = Zone::new("example", deny.clone())
        .with_a("a.example")
        .with_a("ns.example")
        .with(
            "a.example",
            rtype::MX,
            &[&[0, 10][..], name("a.example").as_wire()].concat(),
        )
        .with_a("b.ent.example")
        .with_a("*.wild.example")
        .with_a("x.wild.example")
        .with_a("deep.x.wild.example")
        .with("alias.example", rtype::CNAME, name("a.example").as_wire())
        .with("dname.example", rtype::DNAME, name("sub.example").as_wire())
        .with("dname.example", rtype::TXT, b"\x01x");
    let sub = Zone::new("sub.example", deny.clone()).with_a("www.sub.example");
    let island = Zone::new("plain.example", Deny::Unsigned).with_a("www.plain.example");
    World::new(vec![Zone::new(".", deny), example, sub, island])
}

const NAMES: &[&str] = &[
    "example",
    "a.example",
    "ns.example",
    "0.example",
    "zz.example",
    "ent.example",
    "b.ent.example",
    "c.ent.example",
    "x.b.ent.example",
    "wild.example",
    "x.wild.example",
    "y.wild.example",
    "a.y.wild.example",
    "deep.x.wild.example",
    "other.x.wild.example",
    "*.wild.example",
    "alias.example",
    "below.alias.example",
    "dname.example",
    "under.dname.example",
    "sub.example",
    "www.sub.example",
    "no.sub.example",
    "x.www.sub.example",
    "plain.example",
    "www.plain.example",
    "no.plain.example",
    "x.no.plain.example",
    "nothing",
    "a.nothing",
    "",
];
const TYPES: &[u16] = &[
    rtype::A,
    rtype::MX,
    rtype::NS,
    rtype::DS,
    rtype::SOA,
    rtype::TXT,
    rtype::CNAME,
    rtype::DNSKEY,
    rtype::AAAA,
];

fn all_modes() -> Vec<Deny> {
    let salted = Deny::Nsec3 {
        iterations: 5,
        salt: vec![0xab, 0xcd],
        opt_out: false,
    };
    let opt_out = Deny::Nsec3 {
        iterations: 0,
        salt: Vec::new(),
        opt_out: true,
    };
    vec![Deny::Nsec, nsec3(), salted, opt_out, Deny::Compact]
}

fn fault(judged: &JudgedWhole) -> Option<Fault> {
    judged.verdict.reason().map(|reason| reason.fault)
}

#[test]
fn rfc4035_5_4_and_rfc5155_8_every_honest_answer_and_denial_holds() {
    for deny in all_modes() {
        let opt_out = matches!(deny, Deny::Nsec3 { opt_out: true, .. });
        let compact = deny == Deny::Compact;
        let world = world(deny);
        for qname in NAMES {
            for &qtype in TYPES {
                let reply = world.reply(qname, qtype);
                let judged = world.judge(qname, qtype, &reply);
                // What points out of the response is another question's.
                let leads_away = judged.denial.is_some() && !reply.answers.is_empty();
                if leads_away {
                    let first = judged.answers[0]
                        .as_ref()
                        .unwrap_or_else(|| panic!("{qname} {qtype}: {judged:?} {:?}", reply.answers));
                    assert_eq!(first.verdict, Verdict::Secure, "{qname} {qtype}");
                    continue;
                }
                let plain =
                    name(qname).is_within(&name("plain.example")) && !(*qname == "plain.example" && qtype == rtype::DS);
                let denied = judged.denial.as_ref();
                // A denial by a gap with opt-out is no more than insecure (RFC 5155 §9.2).
                let loose = opt_out && judged.verdict == Verdict::Insecure(None);
                if plain {
                    assert_eq!(judged.verdict, Verdict::Insecure(None), "{qname} {qtype}");
                } else {
                    assert!(
                        loose || judged.verdict == Verdict::Secure,
                        "{qname} {qtype}: {:?}",
                        judged.verdict
                    );
                }
                if let Some(denied) = denied.filter(|_| !plain) {
                    assert_eq!(denied.nxdomain, reply.nxdomain, "{qname} {qtype}");
                    let exists = world
                        .zones
                        .iter()
                        .any(|zone| zone.records.keys().any(|owner| owner.is_within(&name(qname))));
                    let wild = ["y.wild.example", "a.y.wild.example"].contains(qname);
                    assert_eq!(denied.nxname, compact && !exists && !wild, "{qname} {qtype}");
                    assert_eq!(denied.ttl_s, 300, "the SOA's MINIMUM");
                }
            }
        }
    }
}

/// Whether a denial of `qtype` at `qname` is true, and whether the whole name is missing.
fn truth(world: &World, qname: &str, qtype: u16) -> (bool, bool) {
    let reply = world.reply(qname, qtype);
    let name = name(qname);
    let exists = world
        .zones
        .iter()
        .any(|zone| zone.records.keys().any(|owner| owner.is_within(&name)));
    (reply.answers.is_empty(), !exists && reply.answers.is_empty())
}

#[test]
fn rfc6840_4_no_denial_can_be_replayed_where_it_is_not_true() {
    for deny in all_modes() {
        let world = world(deny);
        let mut held = 0;
        for from in NAMES {
            for from_type in [rtype::AAAA, rtype::DS] {
                let reply = world.reply(from, from_type);
                if !reply.answers.is_empty() {
                    continue;
                }
                for to in NAMES {
                    for qtype in [rtype::A, rtype::DS, rtype::SOA, rtype::CNAME] {
                        let judged = world.judge(to, qtype, &reply);
                        let Some(denied) = judged.denial.filter(|denied| denied.verdict.is_secure()) else {
                            continue;
                        };
                        held += 1;
                        let (absent, missing) = truth(&world, to, qtype);
                        assert!(absent, "{from} {from_type} denies {to} {qtype}");
                        assert!(
                            !denied.nxdomain || missing,
                            "{from} {from_type} denies all of {to} {qtype}"
                        );
                    }
                }
            }
        }
        assert!(held > 50, "{held} denials held");
    }
}

#[test]
fn a_denial_without_proof_or_with_an_unsigned_one_is_bogus() {
    for deny in [Deny::Nsec, nsec3()] {
        let world = world(deny);
        let reply = world.reply("0.example", rtype::A);
        let mut bare = reply.clone();
        bare.authorities.truncate(1);
        let judged = world.judge("0.example", rtype::A, &bare);
        assert_eq!(
            (fault(&judged), judged.verdict.is_bogus()),
            (Some(Fault::NoProof), true)
        );
        assert_eq!(judged.verdict.reason().unwrap().code(), 12);
        for at in 0..reply.authorities.len() {
            let mut less = reply.clone();
            less.authorities.remove(at);
            let judged = world.judge("0.example", rtype::A, &less);
            // Without the SOA it is still proven.
            assert_eq!(
                judged.verdict.is_secure(),
                at == 0,
                "without {:?}",
                reply.authorities[at]
            );
            let mut unsigned = reply.clone();
            let set = &reply.authorities[at];
            let mut naked = crate::resolver::engine::rrset::RRset::new(&set.name, set.rtype, set.ttl_s);
            set.records().for_each(|rdata| naked.push(rdata));
            unsigned.authorities[at] = naked;
            assert!(world.judge("0.example", rtype::A, &unsigned).verdict.is_bogus());
        }
        let nothing = world.judge(
            "0.example",
            rtype::A,
            &Reply {
                nxdomain: true,
                ..Reply::default()
            },
        );
        assert_eq!(fault(&nothing), Some(Fault::NoProof));
    }
}

#[test]
fn what_is_proven_counts_and_not_the_response_code() {
    for deny in [Deny::Nsec, nsec3()] {
        let world = world(deny);
        let mut reply = world.reply("0.example", rtype::A);
        reply.nxdomain = false;
        let judged = world.judge("0.example", rtype::A, &reply);
        assert!(judged.verdict.is_secure() && judged.denial.unwrap().nxdomain);
        let mut reply = world.reply("ent.example", rtype::A);
        reply.nxdomain = true;
        let judged = world.judge("ent.example", rtype::A, &reply);
        assert!(judged.verdict.is_secure() && !judged.denial.unwrap().nxdomain);
    }
}

#[test]
fn rfc9276_3_2_too_many_iterations_are_insecure_and_far_too_many_bogus() {
    let with = |iterations| {
        let deny = Deny::Nsec3 {
            iterations,
            salt: Vec::new(),
            opt_out: false,
        };
        let world = World::new(vec![
            Zone::new(".", Deny::Nsec),
            Zone::new("example", deny).with_a("a.example"),
        ]);
        assert_eq!(
            world.ask("a.example", rtype::A).verdict,
            Verdict::Secure,
            "answers need no proof"
        );
        world.ask("0.example", rtype::A).verdict
    };
    assert_eq!(with(limits::NSEC3_ITERATIONS), Verdict::Secure);
    let insecure = with(limits::NSEC3_ITERATIONS + 1);
    assert!(
        matches!(&insecure, Verdict::Insecure(Some(reason)) if reason.code() == 27),
        "{insecure:?}"
    );
    assert!(matches!(with(limits::NSEC3_ITERATIONS_BOGUS), Verdict::Insecure(_)));
    let bogus = with(limits::NSEC3_ITERATIONS_BOGUS + 1);
    assert!(
        matches!(&bogus, Verdict::Bogus(reason) if reason.code() == 27),
        "{bogus:?}"
    );
}

#[test]
fn cve_2023_50868_hashing_is_bounded() {
    let deny = Deny::Nsec3 {
        iterations: limits::NSEC3_ITERATIONS,
        salt: vec![7; 255],
        opt_out: false,
    };
    let world = World::new(vec![
        Zone::new(".", Deny::Nsec),
        Zone::new("example", deny).with_a("a.example"),
    ]);
    let long = format!("{}example", "a.".repeat(120));
    let reply = world.reply(&long, rtype::A);
    let judged = world.judge(&long, rtype::A, &reply);
    assert!(matches!(fault(&judged), Some(Fault::TooMuchWork(_)) | Some(Fault::BadProof)) && judged.verdict.is_bogus());
    assert!(world.blocks.get() <= limits::NSEC3_BLOCKS);
    // An honest zone answers for as deep a name as reverse names of IPv6 are.
    let deny = Deny::Nsec3 {
        iterations: limits::NSEC3_ITERATIONS,
        salt: vec![7; 8],
        opt_out: false,
    };
    let world = World::new(vec![Zone::new(".", Deny::Nsec), Zone::new("example", deny)]);
    let deep = format!("{}example", "a.".repeat(34));
    assert_eq!(world.ask(&deep, rtype::A).verdict, Verdict::Secure);
}

#[test]
fn rfc5155_8_2_records_of_other_parameters_do_not_count_together() {
    let zone = |salt: &[u8]| {
        let deny = Deny::Nsec3 {
            iterations: 0,
            salt: salt.to_vec(),
            opt_out: false,
        };
        (0..40).fold(Zone::new("example", deny), |zone, number| {
            zone.with_a(&format!("n{number}.example"))
        })
    };
    let world = World::new(vec![Zone::new(".", Deny::Nsec), zone(b"one")]);
    // The same zone with another salt, signed with the same key.
    let mut other = zone(b"two");
    other.keys = vec![world.zone("example").keys[0].with_flags(257)];
    // A name whose three hashes fall into three gaps of both chains.
    let (gone, mine, theirs) = (0..)
        .map(|number| format!("q{number}.n{}.example", number % 40))
        .map(|gone| {
            (
                gone.clone(),
                world.reply(&gone, rtype::A),
                other.reply(&name(&gone), rtype::A),
            )
        })
        .find(|(_, mine, theirs)| mine.authorities.len() == 4 && theirs.authorities.len() == 4)
        .unwrap();
    assert!(world.judge(&gone, rtype::A, &theirs).verdict.is_secure());
    for at in 1..4 {
        let mut mixed = mine.clone();
        mixed.authorities[at] = theirs.authorities[at].clone();
        assert!(world.judge(&gone, rtype::A, &mixed).verdict.is_bogus());
    }
}

#[test]
fn rfc4592_4_6_an_nsec_that_a_wildcard_made_proves_nothing() {
    // CVE-2017-15105: the NSEC of a wildcard, moved below it, would deny what is next to it there.
    let world = World::new(vec![
        Zone::new(".", Deny::Nsec),
        Zone::new("example", Deny::Nsec).with_a("*.example").with_a("z.example"),
    ]);
    let zone = world.zone("example");
    let there = zone.nsec(&name("*.example"));
    let records: Vec<Vec<u8>> = there.records().map(<[u8]>::to_vec).collect();
    let moved = zone.signed(&name("m.example"), rtype::NSEC, &records, Some(1));
    let soa = world.reply("z.example", rtype::TXT).authorities[0].clone();
    let reply = Reply {
        authorities: vec![soa, moved],
        ..Reply::default()
    };
    assert!(world.judge("m.example", rtype::TXT, &reply).verdict.is_bogus());
}

#[test]
fn rfc4035_3_2_3_a_denial_below_an_alias_counts_with_the_alias() {
    let world = World::new(vec![
        Zone::new(".", Deny::Nsec),
        Zone::new("example", Deny::Nsec)
            .with("alias.example", rtype::CNAME, name("gone.example").as_wire())
            .with("old.example", rtype::DNAME, name("new.example").as_wire())
            .with_a("www.new.example"),
    ]);
    let mut reply = world.reply("alias.example", rtype::A);
    let end = world.reply("gone.example", rtype::A);
    reply.authorities = end.authorities.clone();
    reply.nxdomain = true;
    let judged = world.judge("alias.example", rtype::A, &reply);
    assert!(judged.verdict.is_secure() && judged.denial.unwrap().nxdomain);
    // RFC 6672 §5.3.1: the CNAME that a server made of a DNAME is not signed.
    let mut reply = world.reply("www.old.example", rtype::A);
    let made = |target: &str| {
        let target: Name = name(target);
        RRset::of(&name("www.old.example"), rtype::CNAME, TTL_S, target.as_wire())
    };
    reply.answers.push(made("www.new.example"));
    reply.answers.extend(world.reply("www.new.example", rtype::A).answers);
    let judged = world.judge("www.old.example", rtype::A, &reply);
    assert_eq!(judged.verdict, Verdict::Secure);
    assert!(judged.answers.iter().all(Option::is_some));
    reply.answers[1] = made("www.evil.example");
    assert!(world.judge("www.old.example", rtype::A, &reply).verdict.is_bogus());
}

#[test]
fn rfc6672_5_3_1_a_question_for_the_cname_that_a_dname_makes_is_answered_by_the_dname() {
    let world = World::new(vec![
        Zone::new(".", Deny::Nsec),
        Zone::new("example", Deny::Nsec)
            .with("old.example", rtype::DNAME, name("new.example").as_wire())
            .with("alias.new.example", rtype::CNAME, name("www.new.example").as_wire())
            .with_a("www.new.example"),
    ]);
    let judge = |label: &str, target: &str, end: Reply| {
        let qname = format!("{label}.old.example");
        let mut reply = world.reply(&qname, rtype::CNAME);
        reply
            .answers
            .push(RRset::of(&name(&qname), rtype::CNAME, TTL_S, name(target).as_wire()));
        reply.answers.extend(end.answers);
        reply.authorities = end.authorities;
        reply.nxdomain = end.nxdomain;
        world.judge(&qname, rtype::CNAME, &reply)
    };
    for label in ["www", "alias", "none"] {
        let target = format!("{label}.new.example");
        // An upstream may go on from the CNAME, or stop there.
        for end in [world.reply(&target, rtype::CNAME), Reply::default()] {
            let (nxdomain, judged) = (end.nxdomain, judge(label, &target, end));
            assert_eq!(judged.verdict, Verdict::Secure, "{label}");
            assert!(judged.answers.iter().all(Option::is_some), "{label}");
            assert_eq!(judged.denial.is_some_and(|denial| denial.nxdomain), nxdomain, "{label}");
        }
    }
    assert!(judge("www", "www.evil.example", Reply::default()).verdict.is_bogus());
    // A response code alone proves nothing.
    let lie = Reply {
        nxdomain: true,
        ..Reply::default()
    };
    assert!(judge("www", "www.new.example", lie).verdict.is_bogus());
}
