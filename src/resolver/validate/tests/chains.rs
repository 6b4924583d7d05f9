//! Chains of trust: delegations, anchors, islands, what is proven to be insecure, what is broken.

use super::super::anchors::Anchors;
use super::super::chain::{Fetched, Validator, ValidatorSettings};
use super::super::keys::Promise;
use super::super::verdict::{Fault, Verdict};
use super::world::*;
use crate::dns::rtype;
use crate::limits;
use crate::resolver::engine::rrset::RRset;
use std::sync::Arc;

fn fault(verdict: &Verdict) -> Option<Fault> {
    verdict.reason().map(|reason| reason.fault)
}

fn code(verdict: &Verdict) -> Option<u16> {
    verdict.reason().map(|reason| reason.code())
}

/// The root and `example` below it, changed before anchors are made.
fn changed(change: impl FnOnce(&mut Vec<Zone>)) -> World {
    let zones = vec![
        Zone::new(".", Deny::Nsec),
        Zone::new("example", Deny::Nsec).with_a("www.example"),
    ];
    World::built(zones, ValidatorSettings::default(), change)
}

fn ds_of(zones: &mut [Zone]) -> &mut Vec<Vec<u8>> {
    zones[0]
        .records
        .get_mut(&name("example"))
        .unwrap()
        .get_mut(&rtype::DS)
        .unwrap()
}

#[test]
fn rfc4035_5_2_a_ds_that_fits_no_key_is_bogus() {
    let world = changed(|zones| ds_of(zones)[0][10] ^= 1);
    let verdict = world.ask("www.example", rtype::A).verdict;
    assert_eq!((fault(&verdict), code(&verdict)), (Some(Fault::DsMismatch), Some(9)));
    assert!(verdict.is_bogus());
    let denied = world.ask("0.example", rtype::A).verdict;
    assert!(denied.is_bogus());
}

#[test]
fn rfc4035_5_2_unknown_algorithms_and_digests_are_insecure_with_their_codes() {
    let algorithm = changed(|zones| ds_of(zones)[0][2] = 99)
        .ask("www.example", rtype::A)
        .verdict;
    assert!(matches!(algorithm, Verdict::Insecure(_)));
    assert_eq!(code(&algorithm), Some(1));
    let digest = changed(|zones| ds_of(zones)[0][3] = 99)
        .ask("www.example", rtype::A)
        .verdict;
    assert!(matches!(digest, Verdict::Insecure(_)));
    assert_eq!(code(&digest), Some(2));
    // Beside one that is known it does not matter.
    let beside = changed(|zones| {
        let mut other = ds_of(zones)[0].clone();
        other[2] = 99;
        ds_of(zones).insert(0, other);
    });
    assert_eq!(beside.ask("www.example", rtype::A).verdict, Verdict::Secure);
}

#[test]
fn rfc4509_3_a_sha1_digest_counts_only_where_nothing_better_is() {
    let alone = changed(|zones| *ds_of(zones) = vec![zones[1].keys[0].ds(&name("example"), 1)]);
    assert_eq!(alone.ask("www.example", rtype::A).verdict, Verdict::Secure);
    // The better digest fits nothing: the good SHA-1 must not mend it.
    let downgraded = changed(|zones| {
        let sha1 = zones[1].keys[0].ds(&name("example"), 1);
        ds_of(zones)[0][10] ^= 1;
        ds_of(zones).push(sha1);
    });
    assert_eq!(
        fault(&downgraded.ask("www.example", rtype::A).verdict),
        Some(Fault::DsMismatch)
    );
}

#[test]
fn rfc4034_2_1_1_and_rfc5011_2_1_keys_without_the_zone_bit_or_revoked_check_nothing() {
    for (flags, expected, code) in [(1, Fault::NotAZoneKey, 11), (385, Fault::RevokedKey, 6)] {
        let mut example = Zone::new("example", Deny::Nsec).with_a("www.example");
        example.keys = vec![TestKey::new(15).with_flags(flags)];
        let world = World::new(vec![Zone::new(".", Deny::Nsec), example]);
        let verdict = world.ask("www.example", rtype::A).verdict;
        assert_eq!((fault(&verdict), verdict.is_bogus()), (Some(expected), true));
        assert_eq!(verdict.reason().unwrap().code(), code);
    }
}

#[test]
fn rfc4035_5_2_the_dnskey_set_must_be_signed_by_the_key_that_the_ds_means() {
    // Two keys; the one the DS means signs the zone's data but not the keys.
    let mut example = Zone::new("example", Deny::Nsec).with_a("www.example");
    example.keys.push(TestKey::new(15).with_flags(256));
    let (ksk, zsk) = (example.keys[0].rdata(), example.keys[1].rdata());
    let ds = example.keys[0].ds(&example.apex, 2);
    let world = World::built(
        vec![Zone::new(".", Deny::Nsec), example],
        ValidatorSettings::default(),
        |zones| {
            *ds_of(zones) = vec![ds];
        },
    );
    assert_eq!(world.ask("www.example", rtype::A).verdict, Verdict::Secure);
    world.validator.forget(None);
    let zone = world.zone("example");
    let mut keys = RRset::new(&zone.apex, rtype::DNSKEY, TTL_S);
    keys.push(&ksk);
    keys.push(&zsk);
    keys.sign(&rrsig(&keys, &zone.apex, &zone.keys[1], &How::default()));
    world.forge("example", rtype::DNSKEY, Some(Fetched::Set(Arc::new(keys))));
    assert_eq!(fault(&world.ask("www.example", rtype::A).verdict), Some(Fault::NoKey));
}

#[test]
fn what_nobody_answers_or_answers_with_nothing_is_bogus_and_soon_asked_again() {
    let world = changed(|_| {});
    world.forge("example", rtype::DNSKEY, None);
    let verdict = world.ask("www.example", rtype::A).verdict;
    assert_eq!((fault(&verdict), code(&verdict)), (Some(Fault::Unreachable), Some(9)));
    world.forged.borrow_mut().clear();
    assert!(
        world.ask("www.example", rtype::A).verdict.is_bogus(),
        "remembered for a moment"
    );
    let later = at(NOW_S + u64::from(limits::BOGUS_PASSING_TTL_S));
    let reply = world.reply("www.example", rtype::A);
    assert_eq!(
        world.judge_at("www.example", rtype::A, &reply, &later).verdict,
        Verdict::Secure
    );
    let world = changed(|_| {});
    world.forge("example", rtype::DNSKEY, Some(Fetched::Denied(Vec::new())));
    assert_eq!(fault(&world.ask("www.example", rtype::A).verdict), Some(Fault::NoKeys));
    let world = changed(|_| {});
    world.forge("example", rtype::DS, None);
    let verdict = world.ask("www.example", rtype::A).verdict;
    assert_eq!((fault(&verdict), code(&verdict)), (Some(Fault::Unreachable), Some(22)));
}

#[test]
fn a_stripped_ds_is_bogus_unless_its_absence_is_proven() {
    let world = changed(|_| {});
    for proofs in [
        Vec::new(),
        vec![world.zone("").nsec(&name(""))],
        vec![world.zone("").nsec(&name("example"))],
    ] {
        world.validator.forget(None);
        world.forge("example", rtype::DS, Some(Fetched::Denied(proofs)));
        let mut reply = world.reply("www.example", rtype::A);
        let mut naked = RRset::new(&name("www.example"), rtype::A, TTL_S);
        reply.answers[0].records().for_each(|rdata| naked.push(rdata));
        reply.answers[0] = naked;
        assert!(world.judge("www.example", rtype::A, &reply).verdict.is_bogus());
    }
}

#[test]
fn rfc6840_4_4_an_unsigned_zone_below_a_signed_one_is_insecure_whatever_it_signs() {
    for deny in [
        Deny::Nsec,
        nsec3(),
        Deny::Compact,
        Deny::Nsec3 {
            iterations: 0,
            salt: vec![1],
            opt_out: true,
        },
    ] {
        let world = World::new(vec![
            Zone::new(".", deny.clone()),
            Zone::new("tld", deny),
            Zone::new("plain.tld", Deny::Unsigned).with_a("a.b.plain.tld"),
        ]);
        let judged = world.ask("a.b.plain.tld", rtype::A);
        assert_eq!(judged.verdict, Verdict::Insecure(None));
        assert!(
            world.fetches.borrow().iter().all(|(asked, _)| asked.label_count() <= 2),
            "no question below the cut"
        );
        assert_eq!(world.ask("no.plain.tld", rtype::A).verdict, Verdict::Insecure(None));
        // Signatures of a zone without DS do not make it worse or better.
        let mut reply = world.reply("a.b.plain.tld", rtype::A);
        let stranger = TestKey::new(15);
        let signature = rrsig(&reply.answers[0], &name("plain.tld"), &stranger, &How::default());
        reply.answers[0].sign(&signature);
        assert_eq!(
            world.judge("a.b.plain.tld", rtype::A, &reply).verdict,
            Verdict::Insecure(None)
        );
        // The delegation's own DS question is the parent's to deny.
        let ds = world.ask("plain.tld", rtype::DS);
        assert!(matches!(ds.verdict, Verdict::Secure | Verdict::Insecure(None)));
    }
}

#[test]
fn rfc5155_6_opt_out_hides_unsigned_delegations_and_never_signed_ones() {
    let deny = Deny::Nsec3 {
        iterations: 0,
        salt: Vec::new(),
        opt_out: true,
    };
    let world = World::new(vec![
        Zone::new(".", Deny::Nsec),
        Zone::new("tld", deny),
        Zone::new("signed.tld", Deny::Nsec).with_a("www.signed.tld"),
        Zone::new("plain.tld", Deny::Unsigned).with_a("www.plain.tld"),
    ]);
    assert_eq!(world.ask("www.plain.tld", rtype::A).verdict, Verdict::Insecure(None));
    // The proof that covers the unsigned delegation is replayed for the signed one.
    let Fetched::Denied(proofs) = run(super::super::Source::fetch(&world, &name("plain.tld"), rtype::DS)).unwrap()
    else {
        panic!("no DS")
    };
    world.forge("signed.tld", rtype::DS, Some(Fetched::Denied(proofs)));
    let naked = RRset::of(&name("www.signed.tld"), rtype::A, TTL_S, &[192, 0, 2, 66]);
    let reply = Reply {
        answers: vec![naked],
        ..Reply::default()
    };
    assert!(world.judge("www.signed.tld", rtype::A, &reply).verdict.is_bogus());
}

#[test]
fn zone_cuts_may_skip_labels_and_names_between_cost_no_questions_where_signers_tell() {
    let world = World::new(vec![
        Zone::new(".", Deny::Nsec),
        Zone::new("a.b.c.d.e.arpa", Deny::Nsec).with_a("x.y.z.a.b.c.d.e.arpa"),
    ]);
    assert_eq!(world.ask("x.y.z.a.b.c.d.e.arpa", rtype::A).verdict, Verdict::Secure);
    assert_eq!(world.fetches.borrow().len(), 3);
    // Without signatures every label must be asked about, and the zone is still found.
    world.validator.forget(None);
    let naked = RRset::of(&name("x.y.z.a.b.c.d.e.arpa"), rtype::A, TTL_S, &[192, 0, 2, 66]);
    let reply = Reply {
        answers: vec![naked],
        ..Reply::default()
    };
    let verdict = world.judge("x.y.z.a.b.c.d.e.arpa", rtype::A, &reply).verdict;
    assert_eq!(fault(&verdict), Some(Fault::NoSignature));
}

#[test]
fn an_alias_where_a_ds_set_is_looked_for_is_no_zone_cut() {
    let world = World::new(vec![
        Zone::new(".", Deny::Nsec),
        Zone::new("example", Deny::Nsec)
            .with("alias.example", rtype::CNAME, name("example").as_wire())
            .with("*.wild.example", rtype::CNAME, name("example").as_wire()),
    ]);
    for text in ["alias.example", "a.b.wild.example"] {
        let naked = RRset::of(&name(text), rtype::CNAME, TTL_S, name("evil.test").as_wire());
        let reply = Reply {
            answers: vec![naked],
            ..Reply::default()
        };
        let verdict = world.judge(text, rtype::A, &reply).verdict;
        assert_eq!(fault(&verdict), Some(Fault::NoSignature), "{text}");
    }
}

#[test]
fn rfc4035_5_islands_of_trust_and_names_under_no_anchor() {
    let mut world = World::new(vec![
        Zone::new(".", Deny::Nsec),
        Zone::new("plain.test", Deny::Unsigned),
        Zone::new("island.plain.test", Deny::Nsec).with_a("www.island.plain.test"),
    ]);
    let island = world.zone("island.plain.test").ds();
    assert_eq!(
        world.ask("www.island.plain.test", rtype::A).verdict,
        Verdict::Insecure(None)
    );
    let mut anchors = (*world.validator.anchors()).clone();
    anchors.add(&name("island.plain.test"), Promise::Ds(island[0].clone()));
    world.validator.set_anchors(anchors);
    assert_eq!(world.ask("www.island.plain.test", rtype::A).verdict, Verdict::Secure);
    assert_eq!(world.ask("www.plain.test", rtype::A).verdict, Verdict::Insecure(None));
    // RFC 6840 appendix C: the closest anchor counts, even where the parent would lead elsewhere.
    let stranger = TestKey::new(15).ds(&name("island.plain.test"), 2);
    let mut anchors = (*world.validator.anchors()).clone();
    anchors.replace(&name("island.plain.test"), vec![Promise::Ds(stranger)]);
    world.validator.set_anchors(anchors);
    assert_eq!(
        fault(&world.ask("www.island.plain.test", rtype::A).verdict),
        Some(Fault::DsMismatch)
    );
    let mut only = Anchors::none();
    only.add(
        &name("island.plain.test"),
        Promise::Dnskey(world.zone("island.plain.test").keys[0].rdata()),
    );
    world.validator = Validator::new(only, ValidatorSettings::default());
    assert_eq!(
        world.ask("www.island.plain.test", rtype::A).verdict,
        Verdict::Secure,
        "a DNSKEY is an anchor, too"
    );
    let outside = world.ask("nothing", rtype::A).verdict;
    assert!(matches!(outside, Verdict::Indeterminate(_)));
    assert_eq!(code(&outside), Some(5));
}

#[test]
fn rfc7646_a_negative_anchor_makes_a_broken_zone_insecure() {
    let world = changed(|zones| ds_of(zones)[0][10] ^= 1);
    assert!(world.ask("www.example", rtype::A).verdict.is_bogus());
    let mut anchors = (*world.validator.anchors()).clone();
    anchors.add_negative(&name("example"));
    world.validator.set_anchors(anchors);
    let verdict = world.ask("www.example", rtype::A).verdict;
    assert!(matches!(verdict, Verdict::Insecure(_)));
    assert_eq!(fault(&verdict), Some(Fault::NegativeAnchor));
    assert_eq!(world.ask("other", rtype::A).verdict, Verdict::Secure);
}

#[test]
fn questions_for_keys_are_bounded() {
    let world = changed(|_| {});
    let deep = format!("{}example", "a.".repeat(110));
    // Everything says that there is no cut yet: each label could be one.
    let mut owners = vec![];
    for labels in 2..=111 {
        let owner = super::super::canonical::suffix(&name(&deep), labels);
        let mut nsec = crate::resolver::engine::rrset::RRset::new(&owner, rtype::NSEC, TTL_S);
        nsec.push(&[name("example").as_wire(), &[0, 6, 0x40, 0, 0, 0, 0, 3]].concat());
        let zone = world.zone("example");
        nsec.sign(&rrsig(&nsec, &zone.apex, &zone.keys[0], &How::default()));
        world
            .forged
            .borrow_mut()
            .insert((owner.clone(), rtype::DS), Some(Fetched::Denied(vec![nsec])));
        owners.push(owner);
    }
    let reply = Reply {
        answers: vec![RRset::of(&name(&deep), rtype::A, TTL_S, &[192, 0, 2, 1])],
        ..Reply::default()
    };
    let verdict = world.judge(&deep, rtype::A, &reply).verdict;
    assert!(matches!(fault(&verdict), Some(Fault::TooMuchWork(_))), "{verdict:?}");
    assert!(world.fetches.borrow().len() <= limits::CHAIN_FETCHES as usize);
}

#[test]
fn what_was_found_of_a_zone_ends_with_its_signatures() {
    let world = changed(|zones| {
        zones[1].how.expiration = (NOW_S + 50) as u32;
    });
    assert_eq!(world.ask("www.example", rtype::A).verdict, Verdict::Secure);
    let reply = world.reply("www.example", rtype::A);
    let later = at(NOW_S + 51);
    let verdict = world.judge_at("www.example", rtype::A, &reply, &later).verdict;
    let at_unix_s = NOW_S + 50;
    assert_eq!(fault(&verdict), Some(Fault::Expired { at_unix_s }));
}

#[test]
fn rfc8914_4_2_why_an_answer_is_insecure_is_told_where_it_is_worth_telling() {
    let world = changed(|zones| ds_of(zones)[0][2] = 99);
    let remark = |world: &World, text: &str, proofs: &[RRset]| {
        let reason = world.validator.remark(&name(text), proofs, &when());
        reason.map(|reason| (reason.code(), reason.name))
    };
    assert_eq!(remark(&world, "www.example", &[]), None, "nothing was found yet");
    world.ask("www.example", rtype::A);
    assert_eq!(remark(&world, "www.example", &[]), Some((1, name("example"))));
    assert_eq!(remark(&world, "other", &[]), None);
    let deny = Deny::Nsec3 {
        iterations: 51,
        salt: Vec::new(),
        opt_out: false,
    };
    let world = World::new(vec![Zone::new(".", Deny::Nsec), Zone::new("heavy", deny)]);
    world.ask("no.heavy", rtype::A);
    let reply = world.reply("no.heavy", rtype::A);
    assert_eq!(
        remark(&world, "no.heavy", &reply.authorities),
        Some((27, name("no.heavy")))
    );
    // An unsigned zone is as it should be.
    let world = World::new(vec![
        Zone::new(".", Deny::Nsec),
        Zone::new("plain", Deny::Unsigned).with_a("www.plain"),
    ]);
    world.ask("www.plain", rtype::A);
    assert_eq!(remark(&world, "www.plain", &[]), None);
}

#[test]
fn rfc4035_5_2_a_key_of_unsupported_size_is_insecure_and_one_that_is_no_key_bogus() {
    let with = |algorithm: u8, public: Vec<u8>, beside: bool| {
        let mut example = Zone::new("example", Deny::Nsec).with_a("www.example");
        let mut odd = TestKey::new(15);
        odd.algorithm = algorithm;
        odd.public = public;
        example.keys = vec![odd];
        let world = World::built(
            vec![Zone::new(".", Deny::Nsec), example],
            ValidatorSettings::default(),
            |zones| {
                if beside {
                    // The zone promises a good key as well, and somebody left it out.
                    let other = TestKey::new(15).ds(&name("example"), 2);
                    ds_of(zones).push(other);
                }
            },
        );
        world.ask("www.example", rtype::A).verdict
    };
    let small = [&[3, 1, 0, 1][..], &[0xff; 64]].concat();
    let verdict = with(8, small.clone(), false);
    assert!(matches!(verdict, Verdict::Insecure(_)), "{verdict:?}");
    assert_eq!(code(&verdict), Some(1));
    assert_eq!(
        fault(&with(8, small, true)),
        Some(Fault::DsMismatch),
        "leaving a key out must not make a zone insecure"
    );
    assert_eq!(fault(&with(13, vec![7; 60], false)), Some(Fault::Malformed));
}

#[test]
fn a_cut_that_is_new_is_found_once_what_stood_in_its_place_is_doubted() {
    let zones = vec![
        Zone::new(".", Deny::Nsec),
        Zone::new("example", Deny::Nsec).with_a("www.sub.example"),
    ];
    let mut world = World::new(zones);
    // Label by label it is found that no zone begins there.
    let unsigned = RRset::of(&name("www.sub.example"), rtype::A, TTL_S, &[192, 0, 2, 1]);
    let stripped = Reply {
        answers: vec![unsigned],
        ..Reply::default()
    };
    assert!(world.judge("www.sub.example", rtype::A, &stripped).verdict.is_bogus());
    let child = Zone::new("sub.example", Deny::Nsec).with_a("www.sub.example");
    world.zones[1].records.remove(&name("www.sub.example"));
    world.zones[1].put(&child.apex, rtype::NS, name("ns.example.net").as_wire().to_vec());
    for ds in child.ds() {
        world.zones[1].put(&child.apex, rtype::DS, ds);
    }
    world.zones.push(child);
    let verdict = world.ask("www.sub.example", rtype::A).verdict;
    let reason = verdict.reason().expect("the old is still believed");
    assert!(verdict.is_bogus());
    world.validator.doubt(reason, true, &when());
    assert_eq!(world.ask("www.sub.example", rtype::A).verdict, Verdict::Secure);
}
