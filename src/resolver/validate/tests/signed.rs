//! Positive answers: signatures, their dates, labels, keys and algorithms.

use super::super::chain::ValidatorSettings;
use super::super::verdict::{Fault, Verdict};
use super::world::*;
use crate::dns::rtype;
use crate::limits;
use crate::resolver::engine::rrset::RRset;

fn two_zones() -> World {
    World::new(vec![
        Zone::new(".", Deny::Nsec),
        Zone::new("example", Deny::Nsec)
            .with_a("www.example")
            .with_a("*.wild.example"),
    ])
}

fn fault(verdict: &Verdict) -> Option<Fault> {
    verdict.reason().map(|reason| reason.fault)
}

/// `www.example A` with a signature made as `how` says.
fn www(world: &World, how: &How) -> Reply {
    let zone = world.zone("example");
    let mut set = RRset::of(&name("www.example"), rtype::A, TTL_S, &[192, 0, 2, 1]);
    set.sign(&rrsig(&set, &zone.apex, &zone.keys[0], how));
    Reply {
        answers: vec![set],
        ..Reply::default()
    }
}

fn judged_with(how: &How) -> Verdict {
    let world = two_zones();
    world.judge("www.example", rtype::A, &www(&world, how)).verdict
}

#[test]
fn rfc4035_5_a_chain_from_the_anchor_makes_an_answer_secure() {
    let world = two_zones();
    let judged = world.ask("www.example", rtype::A);
    assert_eq!(judged.verdict, Verdict::Secure);
    let answer = judged.answers[0].as_ref().unwrap();
    assert_eq!((answer.ttl_s, answer.zone.clone()), (TTL_S, Some(name("example"))));
    assert_eq!(world.fetches.borrow().len(), 3, "one DS set, two DNSKEY sets");
    world.ask("www.example", rtype::A);
    assert_eq!(world.fetches.borrow().len(), 3, "keys are remembered");
}

#[test]
fn rfc9904_every_supported_algorithm_validates_and_a_chain_may_mix_them() {
    for algorithm in [8, 10, 13, 14, 15] {
        for digest_type in [1, 2, 4] {
            let mut example = Zone::new("example", Deny::Nsec).with_a("www.example");
            example.keys = vec![TestKey::new(algorithm)];
            let ds = example.keys[0].ds(&example.apex, digest_type);
            let world = World::built(
                vec![Zone::new(".", Deny::Nsec), example],
                ValidatorSettings::default(),
                |zones| {
                    let there = zones[0].records.get_mut(&name("example")).unwrap();
                    there.insert(rtype::DS, vec![ds]);
                },
            );
            assert_eq!(
                world.ask("www.example", rtype::A).verdict,
                Verdict::Secure,
                "algorithm {algorithm}, digest {digest_type}"
            );
        }
    }
}

#[test]
fn rfc4035_5_3_1_a_signature_outside_its_dates_is_bogus_with_its_own_code() {
    let expired = judged_with(&How {
        expiration: (NOW_S - 1) as u32,
        ..How::default()
    });
    let at_unix_s = NOW_S - 1;
    assert_eq!(fault(&expired), Some(Fault::Expired { at_unix_s }));
    assert_eq!(expired.reason().unwrap().code(), 7);
    let early = judged_with(&How {
        inception: (NOW_S + 1) as u32,
        ..How::default()
    });
    let from_unix_s = NOW_S + 1;
    assert_eq!(fault(&early), Some(Fault::NotYetValid { from_unix_s }));
    assert_eq!(early.reason().unwrap().code(), 8);
    assert!(expired.is_bogus() && early.is_bogus());
}

#[test]
fn a_clock_that_is_plainly_wrong_suspends_the_dates_and_nothing_else() {
    let world = two_zones();
    let mut when = at(1000);
    let reply = world.reply("www.example", rtype::A);
    assert!(
        world
            .judge_at("www.example", rtype::A, &reply, &when)
            .verdict
            .is_bogus()
    );
    let world = two_zones();
    when.suspended = true;
    let mut reply = world.reply("www.example", rtype::A);
    assert!(
        world
            .judge_at("www.example", rtype::A, &reply, &when)
            .verdict
            .is_secure()
    );
    reply.answers[0].push(&[192, 0, 2, 2]);
    assert!(
        world
            .judge_at("www.example", rtype::A, &reply, &when)
            .verdict
            .is_bogus()
    );
}

#[test]
fn rfc4035_5_3_3_the_ttl_ends_with_the_signature_and_the_original_ttl() {
    let ttl = |how: &How| {
        let world = two_zones();
        let judged = world.judge("www.example", rtype::A, &www(&world, how));
        assert_eq!(judged.verdict, Verdict::Secure);
        judged.answers[0].as_ref().unwrap().ttl_s
    };
    let short = How {
        expiration: (NOW_S + 77) as u32,
        ..How::default()
    };
    assert_eq!(ttl(&short), 77);
    let original = How {
        original_ttl_s: Some(60),
        ..How::default()
    };
    assert_eq!(ttl(&original), 60);
    let longer = How {
        original_ttl_s: Some(100_000),
        ..How::default()
    };
    assert_eq!(ttl(&longer), TTL_S);
}

#[test]
fn rfc4035_5_3_1_labels_must_fit_the_name() {
    let more = judged_with(&How {
        labels: Some(3),
        ..How::default()
    });
    assert_eq!(fault(&more), Some(Fault::WrongLabels));
    // A wildcard of the zone above the signer's.
    let less = judged_with(&How {
        labels: Some(0),
        ..How::default()
    });
    assert_eq!(fault(&less), Some(Fault::WrongLabels));
}

#[test]
fn rfc8914_4_10_records_without_signatures_in_a_signed_zone_are_bogus() {
    let world = two_zones();
    let mut reply = world.reply("www.example", rtype::A);
    reply.answers[0] = RRset::of(&name("www.example"), rtype::A, TTL_S, &[192, 0, 2, 1]);
    let verdict = world.judge("www.example", rtype::A, &reply).verdict;
    assert_eq!((fault(&verdict), verdict.is_bogus()), (Some(Fault::NoSignature), true));
    assert_eq!(verdict.reason().unwrap().code(), 10);
    assert_eq!(
        verdict.reason().unwrap().to_string(),
        "www.example. A: no signature came along, and the zone is signed"
    );
}

#[test]
fn a_signature_by_another_key_or_another_zone_is_bogus() {
    let world = two_zones();
    let set = || RRset::of(&name("www.example"), rtype::A, TTL_S, &[192, 0, 2, 1]);
    let judge = |zone: &str, key: &TestKey, how: &How| {
        let mut set = set();
        set.sign(&rrsig(&set, &name(zone), key, how));
        let reply = Reply {
            answers: vec![set],
            ..Reply::default()
        };
        world.judge("www.example", rtype::A, &reply).verdict
    };
    let (own, stranger) = (&world.zone("example").keys[0], TestKey::new(15));
    assert_eq!(judge("example", own, &How::default()), Verdict::Secure);
    assert_eq!(fault(&judge("example", &stranger, &How::default())), Some(Fault::NoKey));
    let disguised = How {
        tag: Some(own.tag()),
        ..How::default()
    };
    assert_eq!(
        fault(&judge("example", &stranger, &disguised)),
        Some(Fault::BadSignature)
    );
    assert_eq!(
        fault(&judge("www.example", own, &How::default())),
        Some(Fault::WrongSigner)
    );
    assert_eq!(fault(&judge("other", own, &How::default())), Some(Fault::NoSignature));
    assert!(judge("", own, &How::default()).is_bogus());
}

#[test]
fn rfc6840_5_11_one_good_signature_is_enough_whatever_stands_beside_it() {
    let world = two_zones();
    let (zone, stranger) = (world.zone("example"), TestKey::new(15));
    let disguised = How {
        tag: Some(zone.keys[0].tag()),
        ..How::default()
    };
    let mut set = RRset::of(&name("www.example"), rtype::A, TTL_S, &[192, 0, 2, 1]);
    set.sign(&[1, 2, 3]);
    set.sign(&rrsig(&set, &zone.apex, &stranger, &disguised));
    set.sign(&rrsig(
        &set,
        &zone.apex,
        &stranger,
        &How {
            algorithm: Some(99),
            ..How::default()
        },
    ));
    set.sign(&rrsig(&set, &name("www.example"), &stranger, &How::default()));
    set.sign(&rrsig(
        &set,
        &zone.apex,
        &zone.keys[0],
        &How {
            expiration: (NOW_S - 9) as u32,
            ..How::default()
        },
    ));
    set.sign(&rrsig(&set, &zone.apex, &zone.keys[0], &How::default()));
    let reply = Reply {
        answers: vec![set],
        ..Reply::default()
    };
    assert_eq!(world.judge("www.example", rtype::A, &reply).verdict, Verdict::Secure);
}

#[test]
fn rfc6840_5_11_removing_the_supported_signatures_is_bogus_not_insecure() {
    let verdict = judged_with(&How {
        algorithm: Some(99),
        ..How::default()
    });
    assert_eq!(
        (fault(&verdict), verdict.is_bogus()),
        (Some(Fault::UnsupportedSignature), true)
    );
}

#[test]
fn rfc4034_6_2_letter_case_of_names_is_of_no_account_where_the_types_say_so() {
    let mut set = RRset::of(
        &name("www.example"),
        rtype::CNAME,
        TTL_S,
        name("Target.EXAMPLE").as_wire(),
    );
    let world = two_zones();
    let zone = world.zone("example");
    set.sign(&rrsig(&set, &zone.apex, &zone.keys[0], &How::default()));
    // On the way, the case of the owner, of the target and of the signer changes.
    let mut other = RRset::of(
        &name("WWW.example"),
        rtype::CNAME,
        TTL_S,
        name("tARGET.example").as_wire(),
    );
    for bytes in set.signatures() {
        let mut bytes = bytes.to_vec();
        bytes[18..27].make_ascii_uppercase();
        other.sign(&bytes);
    }
    let reply = Reply {
        answers: vec![other],
        ..Reply::default()
    };
    assert_eq!(
        world.judge("www.example", rtype::CNAME, &reply).verdict,
        Verdict::Secure
    );
}

#[test]
fn rfc4034_6_3_the_order_in_which_records_come_is_of_no_account() {
    let world = two_zones();
    let zone = world.zone("example");
    let texts: [&[u8]; 4] = [b"\x02bb", b"\x01a", b"\x03abc", b"\x01a\x01b"];
    let build = |order: [usize; 4]| {
        let mut set = RRset::new(&name("www.example"), rtype::TXT, TTL_S);
        order.iter().for_each(|at| set.push(texts[*at]));
        set
    };
    let signature = rrsig(&build([0, 1, 2, 3]), &zone.apex, &zone.keys[0], &How::default());
    for order in [[0, 1, 2, 3], [3, 2, 1, 0], [1, 3, 0, 2]] {
        let mut set = build(order);
        set.sign(&signature);
        let reply = Reply {
            answers: vec![set],
            ..Reply::default()
        };
        assert_eq!(world.judge("www.example", rtype::TXT, &reply).verdict, Verdict::Secure);
    }
}

#[test]
fn rfc4035_5_3_4_a_wildcard_answer_needs_the_proof_that_nothing_is_closer() {
    let world = two_zones();
    let mut reply = world.reply("a.b.wild.example", rtype::A);
    let judged = world.judge("a.b.wild.example", rtype::A, &reply);
    assert_eq!(judged.verdict, Verdict::Secure);
    let answer = judged.answers[0].as_ref().unwrap();
    assert_eq!(answer.encloser, Some(name("wild.example")));
    assert_eq!(answer.proofs, [0]);
    reply.authorities.clear();
    let verdict = world.judge("a.b.wild.example", rtype::A, &reply).verdict;
    assert_eq!(fault(&verdict), Some(Fault::NoProof));
    assert_eq!(verdict.reason().unwrap().code(), 12);
    // The wildcard itself may be asked for.
    assert_eq!(world.ask("*.wild.example", rtype::A).verdict, Verdict::Secure);
}

#[test]
fn rfc4035_5_3_4_a_wildcard_may_not_stand_in_where_a_closer_name_exists() {
    let world = World::new(vec![
        Zone::new(".", Deny::Nsec),
        Zone::new("example", Deny::Nsec)
            .with_a("*.example")
            .with_a("b.example")
            .with_a("z.b.example"),
    ]);
    // The set that the wildcard makes for another name, moved below b.example, with the proof that a.b.example does not exist.
    let zone = world.zone("example");
    let set = zone.signed(&name("a.b.example"), rtype::A, &[vec![192, 0, 2, 1]], Some(1));
    let reply = Reply {
        answers: vec![set],
        authorities: vec![zone.nsec(&name("a.b.example"))],
        ..Reply::default()
    };
    let verdict = world.judge("a.b.example", rtype::A, &reply).verdict;
    assert_eq!((fault(&verdict), verdict.is_bogus()), (Some(Fault::BadProof), true));
}

#[test]
fn keytrap_signatures_of_one_set_are_bounded() {
    let world = two_zones();
    let (zone, stranger) = (world.zone("example"), TestKey::new(15));
    let disguised = How {
        tag: Some(zone.keys[0].tag()),
        ..How::default()
    };
    let mut set = RRset::of(&name("www.example"), rtype::A, TTL_S, &[192, 0, 2, 1]);
    for _ in 0..1000 {
        set.sign(&rrsig(&set, &zone.apex, &stranger, &disguised));
    }
    let reply = Reply {
        answers: vec![set],
        ..Reply::default()
    };
    let verdict = world.judge("www.example", rtype::A, &reply).verdict;
    assert!(
        matches!(fault(&verdict), Some(Fault::TooMuchWork(_))) && verdict.is_bogus(),
        "{verdict:?}"
    );
    assert!(
        world.signatures.get() <= limits::SIGNATURE_CHECKS_A_SET + 4,
        "{}",
        world.signatures.get()
    );
}

#[test]
fn keytrap_keys_of_one_tag_and_signatures_of_one_query_are_bounded() {
    // Many keys of one tag, all signatures naming them: every pair would be tried.
    let mut example = Zone::new("example", Deny::Nsec);
    let honest = TestKey::new(13);
    let tag = honest.tag();
    let mut zone_keys = vec![honest.rdata()];
    for number in 1..60_u8 {
        let mut public = honest.public.clone();
        // The same words in another order have the same sum.
        public.swap(usize::from(number % 30) * 2, usize::from(number / 30) * 2 + 2);
        public.swap(usize::from(number % 30) * 2 + 1, usize::from(number / 30) * 2 + 3);
        let rdata = [&[1, 1, 3, 13][..], &public].concat();
        assert_eq!(super::super::rdata::tag(&rdata), tag);
        zone_keys.push(rdata);
    }
    example.keys = vec![honest];
    let world = World::new(vec![Zone::new(".", Deny::Nsec), example]);
    let zone = world.zone("example");
    let dnskeys = zone.signed(&zone.apex, rtype::DNSKEY, &zone_keys, None);
    world.forge(
        "example",
        rtype::DNSKEY,
        Some(super::super::Fetched::Set(dnskeys.into())),
    );
    let mut answers = Vec::new();
    for number in 0..100 {
        let owner = name(&format!("n{number}.example"));
        let mut set = RRset::of(
            &owner,
            rtype::CNAME,
            TTL_S,
            name(&format!("n{}.example", number + 1)).as_wire(),
        );
        for _ in 0..50 {
            let mut bytes = rrsig(&set, &zone.apex, &zone.keys[0], &How::default());
            *bytes.last_mut().unwrap() ^= 1;
            set.sign(&bytes);
        }
        answers.push(set);
    }
    let reply = Reply {
        answers,
        ..Reply::default()
    };
    let verdict = world.judge("n0.example", rtype::A, &reply).verdict;
    assert!(verdict.is_bogus());
    let bound = limits::SIGNATURE_FAILURES + 8;
    assert!(world.signatures.get() <= bound, "{} signatures", world.signatures.get());
}

/// `example`, whose key and whose `www.example A` are signed with RSA and SHA-1, by the command line of OpenSSL.
fn sha1_world(settings: ValidatorSettings) -> (World, Reply) {
    let mut example = Zone::new("example", Deny::Nsec);
    example.keys = vec![TestKey::new(7)];
    let world = World::built(vec![Zone::new(".", Deny::Nsec), example], settings, |_| {});
    let zone = world.zone("example");
    let signed = |mut set: RRset, signature: &[u8; 256]| {
        let made = rrsig(&set, &zone.apex, &zone.keys[0], &How::default());
        let (head, _) = made.split_at(made.len() - 256);
        set.sign(&[head, signature].concat());
        set
    };
    let keys = RRset::of(&zone.apex, rtype::DNSKEY, TTL_S, &zone.keys[0].rdata());
    let keys = signed(keys, include_bytes!("sha1-48.sig"));
    world.forge("example", rtype::DNSKEY, Some(super::super::Fetched::Set(keys.into())));
    let set = RRset::of(&name("www.example"), rtype::A, TTL_S, &[192, 0, 2, 1]);
    let reply = Reply {
        answers: vec![signed(set, include_bytes!("sha1-1.sig"))],
        ..Reply::default()
    };
    (world, reply)
}

#[test]
fn rfc9905_3_sha1_is_insecure_unless_the_operator_says_otherwise() {
    let (world, reply) = sha1_world(ValidatorSettings::default());
    let verdict = world.judge("www.example", rtype::A, &reply).verdict;
    assert!(matches!(verdict, Verdict::Insecure(Some(_))), "{verdict:?}");
    assert_eq!(
        (fault(&verdict), verdict.reason().unwrap().code()),
        (Some(Fault::Sha1Only), 1)
    );
    let (world, mut reply) = sha1_world(ValidatorSettings { sha1: true });
    assert_eq!(world.judge("www.example", rtype::A, &reply).verdict, Verdict::Secure);
    reply.answers[0].push(&[192, 0, 2, 66]);
    assert_eq!(
        fault(&world.judge("www.example", rtype::A, &reply).verdict),
        Some(Fault::BadSignature)
    );
}

#[test]
fn rfc9905_3_a_sha1_signature_counts_for_nothing_in_a_zone_that_promises_better() {
    let (sha1, reply) = sha1_world(ValidatorSettings::default());
    let mut example = Zone::new("example", Deny::Nsec);
    example.keys = vec![TestKey::new(15), sha1.zone("example").keys[0].with_flags(256)];
    let ds = example.keys[0].ds(&example.apex, 2);
    let world = World::built(
        vec![Zone::new(".", Deny::Nsec), example],
        ValidatorSettings::default(),
        |zones| {
            let there = zones[0].records.get_mut(&name("example")).unwrap();
            there.insert(rtype::DS, vec![ds]);
        },
    );
    let verdict = world.judge("www.example", rtype::A, &reply).verdict;
    assert!(verdict.is_bogus(), "{verdict:?}");
}

#[test]
fn rfc6605_6_and_rfc8080_6_the_examples_of_the_standards_hold() {
    let examples = [
        (
            "example.net",
            "DNSKEY 257 3 13 GojIhhXUN/u4v54ZQqGSnyhWJwaubCvTmeexv7bR6edbkrSqQpF64cYbcB7wNcP+e+MAnLr+Wi9xMWyQLc8NAA==",
            "DS 55648 13 2 b4c8c1fe2e7477127b27115656ad6256f424625bf5c1e2770ce6d6e37df61d17",
            ("www.example.net", rtype::A, vec![192, 0, 2, 1]),
            (3, 1_284_026_679, 1_281_607_479),
            "qx6wLYqmh+l9oCKTN6qIc+bw6ya+KJ8oMz0YP107epXAyGmt+3SNruPFKG7tZoLBLlUzGGus7ZwmwWep666VCw==",
        ),
        (
            "example.net",
            "DNSKEY 257 3 14 xKYaNhWdGOfJ+nPrL8/arkwf2EY3MDJ+SErKivBVSum1w/egsXvSADtNJhyem5RCOpgQ6K8X1DRSEkrbYQ+OB+v8/uX45NBwY8rp65F6Glur8I/mlVNgF6W/qTI37m40",
            "DS 10771 14 4 72d7b62976ce06438e9c0bf319013cf801f09ecc84b8d7e9495f27e305c6a9b0563a9b5f4d288405c3008a946df983d6",
            ("www.example.net", rtype::A, vec![192, 0, 2, 1]),
            (3, 1_284_027_625, 1_281_608_425),
            "/L5hDKIvGDyI1fcARX3z65qrmPsVz73QD1Mr5CEqOiLP95hxQouuroGCeZOvzFaxsT8Glr74hbavRKayJNuydCuzWTSSPdz7wnqXL5bdcJzusdnI0RSMROxxwGipWcJm",
        ),
        (
            "example.com",
            "DNSKEY 257 3 15 l02Woi0iS8Aa25FQkUd9RMzZHJpBoRQwAQEX1SxZJA4=",
            "DS 3613 15 2 3aa5ab37efce57f737fc1627013fee07bdf241bd10f3b1964ab55c78e79a304b",
            (
                "example.com",
                rtype::MX,
                [&[0, 10][..], name("mail.example.com").as_wire()].concat(),
            ),
            (2, 1_440_021_600, 1_438_207_200),
            "oL9krJun7xfBOIWcGHi7mag5/hdZrKWw15jPGrHpjQeRAvTdszaPD+QLs3fx8A4M3e23mRZ9VrbpMngwcrqNAg==",
        ),
    ];
    for (zone, dnskey, ds, (owner, rtype, data), (labels, expiration, inception), signature) in examples {
        use super::super::{anchors, keys::Promise, rdata};
        let (Some(Promise::Dnskey(dnskey)), Some(Promise::Ds(ds))) =
            (anchors::from_text(dnskey), anchors::from_text(ds))
        else {
            panic!("{zone}")
        };
        let read = rdata::Ds::read(&ds).unwrap();
        let digest = super::super::algorithm::DigestType::of(read.digest_type).unwrap();
        assert_eq!(digest.digest(name(zone).as_wire(), &dnskey).as_ref(), read.digest);
        assert_eq!(rdata::tag(&dnskey), read.tag);
        let mut set = RRset::of(&name(owner), rtype, 3600, &data);
        let mut bytes = rtype.to_be_bytes().to_vec();
        bytes.extend([read.algorithm, labels]);
        bytes.extend(3600_u32.to_be_bytes());
        bytes.extend(u32::to_be_bytes(expiration));
        bytes.extend(u32::to_be_bytes(inception));
        bytes.extend(read.tag.to_be_bytes());
        bytes.extend(name(zone).as_wire());
        bytes.extend(data_encoding::BASE64.decode(signature.as_bytes()).unwrap());
        set.sign(&bytes);
        let key = super::super::keys::Key::read(&dnskey, false).unwrap();
        let when = at(u64::from(inception));
        let mut work = super::super::Work::new();
        let signed =
            super::super::signature::check_with(&set, &name(zone), &when, &mut work, |_, _| std::iter::once(&key));
        assert_eq!(signed.map(|signed| signed.ttl_s), Ok(3600), "{zone} {}", read.algorithm);
    }
}
