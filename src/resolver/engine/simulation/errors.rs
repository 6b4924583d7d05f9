//! What clients are told when a resolution fails, or is not validated: Extended DNS Errors, by code (RFC 8914 §4).

use super::authority::{Reply, Temper, answer};
use super::network::{Internet, ROOT, ip};
use super::signed::{self, Spoil};
use crate::dns::rtype::*;
use crate::resolver::Failure;
use crate::resolver::validate::ValidatorSettings;
use crate::resolver::validate::tests::world::{self, Deny, NOW_S, TestKey, World, Zone, name};
use std::sync::Arc;

/// A root, `com`, and `example.com` at two servers.
fn world(tempers: [Temper; 2]) -> Internet {
    let mut internet = Internet::new(1);
    internet.zone(
        ROOT,
        ".",
        "@ NS a.root.; a.root. A 198.41.0.4; com. NS ns.com.; ns.com. A 192.5.6.30",
    );
    internet.zone(
        "192.5.6.30",
        "com",
        "@ NS ns; ns A 192.5.6.30
         example NS ns1.example; example NS ns2.example; ns1.example A 193.0.0.1; ns2.example A 193.0.0.2",
    );
    for (address, temper) in ["193.0.0.1", "193.0.0.2"].into_iter().zip(tempers) {
        let server = internet.zone(address, "example.com", "@ NS ns1; @ NS ns2; www A 192.0.2.1");
        server.temper = temper;
    }
    internet
}

/// The server answers everything with this RCODE and these errors.
fn says(internet: &mut Internet, address: &str, rcode: u16, ede: &'static [(u16, &'static str)]) {
    let server = internet.servers.get_mut(&ip(address)).unwrap();
    server.script = Some(Arc::new(move |query, _| {
        let mut reply = Reply::to(query);
        reply.rcode = rcode;
        reply.ede = ede.to_vec();
        vec![reply.bytes()]
    }));
}

/// The errors that go with the failure of a question.
fn told(internet: &mut Internet, qname: &str) -> Vec<(u16, String)> {
    Failure::from(internet.resolve(qname, A).unwrap_err()).ede()
}

fn codes(internet: &mut Internet, qname: &str) -> Vec<u16> {
    told(internet, qname).into_iter().map(|(code, _)| code).collect()
}

#[test]
fn rfc8914_4_23_servers_that_keep_silent_or_refuse_are_no_reachable_authority() {
    let codes = |tempers| codes(&mut world(tempers), "www.example.com");
    assert_eq!(codes([Temper::Silent, Temper::Silent]), [22]);
    for code in [2, 4, 5, 9] {
        assert_eq!(codes([Temper::Code(code), Temper::Code(code)]), [23, 22], "{code}");
        assert_eq!(codes([Temper::Code(code), Temper::Silent]), [23, 22], "{code}");
    }
    assert_eq!(codes([Temper::Upward, Temper::Empty]), [23, 22]);
    assert_eq!(codes([Temper::Torn, Temper::Silent]), [23, 22]);
}

#[test]
fn rfc8914_4_24_a_network_error_names_the_server_and_what_was_wrong() {
    let told = told(&mut world([Temper::Closed, Temper::Closed]), "www.example.com");
    let [(23, text), (22, _)] = told.as_slice() else {
        panic!("{told:?}")
    };
    assert!(
        text.starts_with("193.0.0.") && text.ends_with("nobody listens there"),
        "{text}"
    );
    // A server that speaks says more than one that is not there.
    let told = super::errors::told(&mut world([Temper::Code(5), Temper::Closed]), "www.example.com");
    assert!(told[0].1.starts_with("193.0.0.1: it answered"), "{told:?}");
}

#[test]
fn rfc8914_3_what_authorities_say_of_their_failure_reaches_the_client_with_whose_words_they_are() {
    let mut internet = world([Temper::Good; 2]);
    says(&mut internet, "193.0.0.1", 5, &[(18, "not for you"), (20, "")]);
    says(&mut internet, "193.0.0.2", 2, &[]);
    let told = told(&mut internet, "www.example.com");
    let said = |code: u16, text: &str| (code, text.to_owned());
    assert_eq!(told[..2], [said(18, "193.0.0.1: not for you"), said(20, "193.0.0.1")]);
    assert_eq!([told[2].0, told[3].0, told.len() as u16], [23, 22, 4]);
    // And again, for a moment, from memory.
    let failure = Failure::from(internet.resolve("www.example.com", A).unwrap_err());
    let codes: Vec<u16> = Failure::Cached(Box::new(failure))
        .ede()
        .iter()
        .map(|ede| ede.0)
        .collect();
    assert_eq!(codes, [18, 20, 23, 22, 13]);
}

#[test]
fn errors_sent_along_with_an_answer_or_by_a_server_that_another_made_good_are_not_passed_on() {
    let mut internet = world([Temper::Good; 2]);
    says(&mut internet, "193.0.0.1", 5, &[(18, "not for you")]);
    assert_eq!(internet.ask("www.example.com", A), "NOERROR: 192.0.2.1");
    let zones = internet.servers[&ip("193.0.0.2")].zones.clone();
    for address in ["193.0.0.1", "193.0.0.2"] {
        let zones = zones.clone();
        internet.servers.get_mut(&ip(address)).unwrap().script = Some(Arc::new(move |query, _| {
            let mut reply = Reply::to(query);
            answer(&zones, &mut reply, false);
            reply.ede = vec![(15, "an authority cannot block here")];
            vec![reply.bytes()]
        }));
    }
    let found = internet.resolve("none.example.com", A).unwrap();
    assert_eq!(
        internet
            .engine()
            .remarks(&name("none.example.com"), &found, internet.now()),
        []
    );
}

#[test]
fn a_flood_of_errors_in_one_response_is_cut() {
    let mut internet = world([Temper::Good; 2]);
    const MANY: &[(u16, &str)] = &[(18, "a"), (18, "b"), (18, "c"), (18, "d"), (18, "e"), (18, "f")];
    says(&mut internet, "193.0.0.1", 5, MANY);
    says(&mut internet, "193.0.0.2", 5, MANY);
    assert_eq!(
        told(&mut internet, "www.example.com").len(),
        crate::limits::EDE_OPTIONS + 2
    );
}

#[test]
fn rfc9520_2_a_question_that_takes_too_much_has_failed_and_is_not_merely_turned_away() {
    let mut internet = super::odd::world();
    for address in ["193.0.0.1", "193.0.0.2"] {
        internet.zone(address, "example.com", "@ NS ns1; @ NS ns2; a CNAME a.other.com.");
    }
    let other = "@ NS ns; ns A 193.0.0.5; a CNAME a.example.com.";
    internet.zone("193.0.0.5", "other.com", other);
    let failure = Failure::from(internet.resolve("a.example.com", A).unwrap_err());
    assert!(!matches!(failure, Failure::Limit(_)), "{failure:?}");
    assert_eq!(failure.ede(), [(0, "too many aliases in a row".to_owned())]);
}

/// The root, `com` and `nsec.com` below it, changed before they are signed; every server of `com` and below spoils what it says.
fn signed(spoil: Spoil, deny: Deny, change: impl FnOnce(&mut Vec<Zone>)) -> Internet {
    let zones = vec![
        Zone::new(".", Deny::Nsec),
        Zone::new("com", Deny::Nsec),
        Zone::new("nsec.com", deny).with_a("www.nsec.com"),
    ];
    let mut internet = signed::internet(1, World::built(zones, ValidatorSettings::default(), change), spoil);
    for zone in ["193.1.0", "193.2.0"] {
        let bad = internet.servers[&ip(&format!("{zone}.1"))].clone();
        internet.servers.insert(ip(&format!("{zone}.2")), bad);
    }
    internet
}

fn ds(zones: &mut [Zone]) -> &mut Vec<u8> {
    let sets = zones[1].records.get_mut(&name("nsec.com")).unwrap();
    &mut sets.get_mut(&DS).unwrap()[0]
}

#[test]
fn rfc8914_4_7_to_4_13_each_way_to_be_bogus_has_its_code() {
    let first = |internet: &mut Internet, qname: &str| codes(internet, qname)[0];
    let now_s = NOW_S as u32;
    let plain = |change: fn(&mut Vec<Zone>)| signed(Spoil::Nothing, Deny::Nsec, change);
    let mut expired = signed(Spoil::Nothing, Deny::Nsec, |zones| {
        zones[2].how.inception = now_s - 90_000;
        zones[2].how.expiration = now_s - 10_000;
    });
    assert_eq!(first(&mut expired, "www.nsec.com"), 7);
    assert_eq!(first(&mut expired, "none.nsec.com"), 7);
    let mut early = signed(Spoil::Nothing, Deny::Nsec, |zones| {
        zones[2].how.inception = now_s + 10_000
    });
    assert_eq!(first(&mut early, "www.nsec.com"), 8);
    // RFC 8914 has no code for this; the registry has.
    let mut reversed = signed(Spoil::Nothing, Deny::Nsec, |zones| {
        zones[2].how.inception = now_s + 10_000;
        zones[2].how.expiration = now_s - 10_000;
    });
    assert_eq!(first(&mut reversed, "www.nsec.com"), 25);
    let mut changed = signed(Spoil::Changes, Deny::Nsec, |_| {});
    assert_eq!(first(&mut changed, "www.nsec.com"), 6);
    let mut no_key = plain(|zones| ds(zones)[20] ^= 1);
    assert_eq!(first(&mut no_key, "www.nsec.com"), 9);
    let mut other_keys = signed(Spoil::Keys, Deny::Nsec, |_| {});
    assert_eq!(first(&mut other_keys, "www.nsec.com"), 9);
    let mut stripped = signed(Spoil::Signatures, Deny::Nsec, |_| {});
    assert_eq!(first(&mut stripped, "www.nsec.com"), 10);
    assert_eq!(first(&mut stripped, "none.nsec.com"), 10);
    let mut no_bit = signed(Spoil::Nothing, Deny::Nsec, |zones| {
        zones[2].keys[0].flags = 1;
        *ds(zones) = zones[2].keys[0].ds(&name("nsec.com"), 2);
    });
    assert_eq!(first(&mut no_bit, "www.nsec.com"), 11);
    for deny in [Deny::Nsec, world::nsec3()] {
        let mut no_proof = signed(Spoil::Proofs, deny, |_| {});
        assert_eq!(first(&mut no_proof, "none.nsec.com"), 12);
        assert_eq!(no_proof.ask("www.nsec.com", A), "NOERROR: 192.0.2.1");
    }
    let many = |iterations| Deny::Nsec3 {
        iterations,
        salt: vec![1],
        opt_out: false,
    };
    let mut far_too_many = signed(Spoil::Nothing, many(crate::limits::NSEC3_ITERATIONS_BOGUS + 1), |_| {});
    assert_eq!(first(&mut far_too_many, "none.nsec.com"), 27);
}

#[test]
fn rfc8914_4_2_4_3_4_6_4_28_what_is_not_validated_is_answered_with_the_reason() {
    let remark = |internet: &mut Internet, qname: &str| {
        let found = internet.resolve(qname, A).unwrap();
        assert!(!found.is_secure(), "{qname}");
        let remarks = internet.engine().remarks(&name(qname), &found, internet.now());
        remarks.into_iter().map(|(code, _)| code).collect::<Vec<u16>>()
    };
    let mut algorithm = signed(Spoil::Nothing, Deny::Nsec, |zones| ds(zones)[2] = 99);
    assert_eq!(remark(&mut algorithm, "www.nsec.com"), [1]);
    assert_eq!(remark(&mut algorithm, "none.nsec.com"), [1]);
    let mut digest = signed(Spoil::Nothing, Deny::Nsec, |zones| ds(zones)[3] = 99);
    assert_eq!(remark(&mut digest, "www.nsec.com"), [2]);
    let deny = Deny::Nsec3 {
        iterations: 151,
        salt: Vec::new(),
        opt_out: false,
    };
    let mut iterations = signed(Spoil::Nothing, deny, |_| {});
    assert_eq!(remark(&mut iterations, "none.nsec.com"), [27]);
    let mut unsigned = signed(Spoil::Nothing, Deny::Unsigned, |_| {});
    assert!(
        remark(&mut unsigned, "www.nsec.com").is_empty(),
        "nothing is wrong with that"
    );
    let mut island = signed(Spoil::Nothing, Deny::Nsec, |_| {});
    let mut anchors = crate::resolver::validate::anchors::Anchors::none();
    let key = TestKey::new(15);
    anchors.add(
        &name("org"),
        crate::resolver::validate::keys::Promise::Ds(key.ds(&name("org"), 2)),
    );
    island.validator.as_ref().unwrap().set_anchors(anchors);
    assert_eq!(remark(&mut island, "www.nsec.com"), [5]);
}
