//! One case a section of a standard.

use super::authority::Temper;
use super::network::{Internet, ROOT, ip};
use super::zones::Zone;
use crate::config::settings::QnameMinimization;
use crate::dns::rtype::*;

/// A root, `com` and `net`, and `example.com` with two servers.
fn small() -> Internet {
    seeded(1)
}

fn seeded(seed: u64) -> Internet {
    let mut internet = Internet::new(seed);
    internet.zone(
        ROOT,
        ".",
        "@ NS a.root.; a.root. A 198.41.0.4
         com. NS ns.com.; ns.com. A 192.5.6.30; net. NS ns.net.; ns.net. A 192.5.6.31",
    );
    internet.zone(
        "192.5.6.30",
        "com",
        "@ NS ns; ns A 192.5.6.30
         example NS ns1.example; example NS ns2.example; ns1.example A 193.0.0.1; ns2.example A 193.0.0.2
         glueless NS ns.hosting.net.; big NS ns.big; ns.big A 193.0.0.9
         left NS ns.right.com.; right NS ns.left.com.",
    );
    internet.zone(
        "192.5.6.31",
        "net",
        "@ NS ns; ns A 192.5.6.31; hosting NS ns.hosting; ns.hosting A 193.0.0.5",
    );
    let example = Zone::new(
        "example.com",
        "@ NS ns1; @ NS ns2; ns1 A 193.0.0.1; ns2 A 193.0.0.2
         www A 192.0.2.1; www A 192.0.2.2; alias CNAME www; far CNAME www.hosting.net.; gone CNAME none.hosting.net.
         loop1 CNAME loop2; loop2 CNAME loop1; a.b.c TXT deep; *.wild A 192.0.2.9; moved DNAME hosting.net.
         long DNAME aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb.net.; onion CNAME x.onion.",
    );
    internet.serve("193.0.0.1", &example);
    internet.serve("193.0.0.2", &example);
    internet.zone(
        "193.0.0.5",
        "hosting.net",
        "@ NS ns; ns A 193.0.0.5; www A 192.0.2.50; mail MX 10 www",
    );
    internet.zone("193.0.0.5", "glueless.com", "@ NS ns.hosting.net.; www A 192.0.2.60");
    internet
}

#[test]
fn rfc1034_5_3_3_referrals_lead_from_the_root_to_the_zone_and_are_remembered() {
    let mut internet = small();
    assert_eq!(internet.ask("www.example.com", A), "NOERROR: 192.0.2.1 192.0.2.2");
    assert_eq!(internet.sent.len(), 3);
    assert_eq!(internet.ask("WWW.example.com", A), "NOERROR: 192.0.2.1 192.0.2.2");
    assert_eq!(internet.sent.len(), 3, "known");
    assert_eq!(internet.ask("www.example.com", MX), "NODATA");
    assert_eq!(internet.sent.len(), 4, "the zone is known");
    assert_eq!(internet.ask("www.glueless.com", A), "NOERROR: 192.0.2.60");
    assert_eq!(internet.ask("com", NS), "NOERROR: ns.com.");
    assert_eq!(internet.ask(".", NS), "NOERROR: a.root.");
}

#[test]
fn rfc2308_2_denials_tell_names_and_types_apart_and_are_kept() {
    let mut internet = small();
    for _ in 0..2 {
        assert_eq!(internet.ask("none.example.com", A), "NXDOMAIN");
        assert_eq!(internet.ask("b.c.example.com", A), "NODATA");
        assert_eq!(internet.ask("a.b.c.example.com", TXT), "NOERROR: deep");
        assert_eq!(internet.ask("www.none", A), "NXDOMAIN");
    }
    let before = internet.sent.len();
    internet.now_ms += 59_000;
    assert_eq!(internet.ask("none.example.com", TXT), "NXDOMAIN", "for every type");
    assert_eq!(internet.sent.len(), before);
    internet.now_ms += 2_000;
    internet.ask("none.example.com", A);
    assert!(
        internet.sent.len() > before,
        "after the SOA's minimum it is asked again"
    );
}

#[test]
fn rfc1034_3_6_2_aliases_are_followed_over_zones_and_loops_end() {
    let mut internet = small();
    assert_eq!(
        internet.ask("alias.example.com", A),
        "NOERROR -> www.example.com.: 192.0.2.1 192.0.2.2"
    );
    assert_eq!(internet.sent.len(), 3, "the target came along");
    assert_eq!(
        internet.ask("far.example.com", A),
        "NOERROR -> www.hosting.net.: 192.0.2.50"
    );
    assert_eq!(internet.ask("gone.example.com", A), "NXDOMAIN -> none.hosting.net.");
    assert_eq!(internet.ask("far.example.com", CNAME), "NOERROR: www.hosting.net.");
    let before = internet.sent.len();
    assert!(internet.ask("loop1.example.com", A).starts_with("failed: "));
    assert!(internet.sent.len() < before + 10);
}

#[test]
fn rfc6672_2_2_a_dname_makes_aliases_for_all_below_it() {
    let mut internet = small();
    assert_eq!(
        internet.ask("www.moved.example.com", A),
        "NOERROR -> www.hosting.net.: 192.0.2.50"
    );
    assert_eq!(
        internet.ask("none.moved.example.com", A),
        "NXDOMAIN -> none.hosting.net."
    );
    assert_eq!(
        internet.ask("x.y.z.moved.example.com", A),
        "NXDOMAIN -> x.y.z.hosting.net."
    );
    let long = [&"x".repeat(60)[..]; 3].join(".") + ".long.example.com";
    assert_eq!(internet.ask(&long, A), "YXDOMAIN");
}

#[test]
fn rfc4592_wildcards_answer_with_the_name_asked() {
    let mut internet = small();
    assert_eq!(internet.ask("x.wild.example.com", A), "NOERROR: 192.0.2.9");
    assert_eq!(internet.ask("x.y.wild.example.com", A), "NOERROR: 192.0.2.9");
    assert_eq!(internet.ask("x.wild.example.com", MX), "NODATA");
}

#[test]
fn one_bad_server_of_two_does_not_take_the_zone_down() {
    let tempers = [
        Temper::Silent,
        Temper::Code(1),
        Temper::Code(2),
        Temper::Code(4),
        Temper::Code(5),
        Temper::Code(9),
        Temper::Upward,
        Temper::Empty,
        Temper::NoAa,
        Temper::WrongId,
        Temper::WrongQuestion,
        Temper::Torn,
    ];
    for temper in tempers {
        for seed in 0..8 {
            let mut internet = seeded(seed);
            internet.servers.get_mut(&ip("193.0.0.1")).unwrap().temper = temper;
            let started = internet.now_ms;
            assert_eq!(
                internet.ask("www.example.com", A),
                "NOERROR: 192.0.2.1 192.0.2.2",
                "{temper:?}"
            );
            assert_eq!(internet.ask("none.example.com", A), "NXDOMAIN", "{temper:?}");
            assert!(internet.now_ms - started < 10_000);
        }
    }
}

#[test]
fn a_zone_whose_servers_all_fail_fails_soon_and_says_how() {
    let mut internet = small();
    for address in ["193.0.0.1", "193.0.0.2"] {
        internet.servers.get_mut(&ip(address)).unwrap().temper = Temper::Code(5);
    }
    let started = internet.now_ms;
    let answer = internet.ask("www.example.com", A);
    assert!(answer.contains("response code 5"), "{answer}");
    assert!(internet.now_ms - started < 1000);
    assert!(internet.at("193.0.0.1") <= 2);
    for address in ["193.0.0.1", "193.0.0.2"] {
        internet.servers.get_mut(&ip(address)).unwrap().temper = Temper::Silent;
    }
    assert_eq!(internet.ask("www.example.com", A), "failed: no server answered in time");
    for address in ["193.0.0.1", "193.0.0.2"] {
        internet.servers.get_mut(&ip(address)).unwrap().temper = Temper::Good;
    }
    internet.now_ms += 3_000;
    assert_eq!(
        internet.ask("www.example.com", A),
        "NOERROR: 192.0.2.1 192.0.2.2",
        "back once they are"
    );
}

#[test]
fn rfc6891_7_servers_without_edns_are_asked_without_and_that_is_remembered() {
    for temper in [Temper::NoEdns, Temper::DropsEdns] {
        let mut internet = small();
        for address in ["193.0.0.1", "193.0.0.2"] {
            internet.servers.get_mut(&ip(address)).unwrap().temper = temper;
        }
        assert_eq!(
            internet.ask("www.example.com", A),
            "NOERROR: 192.0.2.1 192.0.2.2",
            "{temper:?}"
        );
        internet.ask("none.example.com", A);
        let before = internet.sent.len();
        assert_eq!(internet.ask("alias.example.com", MX), "NODATA -> www.example.com.");
        assert!(internet.sent.len() <= before + 3, "{temper:?}");
    }
}

#[test]
fn rfc7766_5_truncated_answers_are_asked_for_over_tcp_and_so_is_all_when_udp_fails() {
    for temper in [Temper::Truncates, Temper::TcpOnly] {
        let mut internet = small();
        for address in ["193.0.0.1", "193.0.0.2"] {
            internet.servers.get_mut(&ip(address)).unwrap().temper = temper;
        }
        assert_eq!(
            internet.ask("www.example.com", A),
            "NOERROR: 192.0.2.1 192.0.2.2",
            "{temper:?}"
        );
    }
}

#[test]
fn rfc9156_2_3_no_server_sees_more_of_the_name_than_it_needs() {
    let mut internet = small();
    internet.ask("a.b.c.example.com", TXT);
    let shown = |address: &str| -> Vec<String> {
        let sent = internet.sent.iter().filter(|sent| sent.server == ip(address));
        sent.map(|sent| sent.qname.to_string()).collect()
    };
    assert_eq!(shown(ROOT), ["com."]);
    assert_eq!(shown("192.5.6.30"), ["example.com."]);
    let all: Vec<&u16> = internet.sent.iter().map(|sent| &sent.qtype).collect();
    assert_eq!(
        all.iter().filter(|rtype| ***rtype == TXT).count(),
        1,
        "the type is shown last"
    );
}

#[test]
fn rfc9156_relaxed_asks_for_the_whole_name_where_the_shorter_is_denied_or_fails_and_strict_does_not() {
    for temper in [Temper::DeniesEnts, Temper::RefusesLabels(3)] {
        for (mode, fine) in [
            (QnameMinimization::Relaxed, true),
            (QnameMinimization::Off, true),
            (QnameMinimization::Strict, false),
        ] {
            let mut internet = small();
            internet.settings.minimization = mode;
            for address in ["193.0.0.1", "193.0.0.2"] {
                internet.servers.get_mut(&ip(address)).unwrap().temper = temper;
            }
            let answer = internet.ask("a.b.c.example.com", TXT);
            assert_eq!(answer == "NOERROR: deep", fine, "{mode:?} {temper:?}: {answer}");
        }
    }
}

#[test]
fn rfc8020_2_names_below_a_denied_one_are_not_asked_for_once_it_is_certain() {
    let mut internet = small();
    internet.ask("w.none.example.com", A);
    internet.ask("x.none.example.com", A);
    let before = internet.sent.len();
    assert_eq!(internet.ask("y.none.example.com", A), "NXDOMAIN");
    assert_eq!(internet.ask("z.y.none.example.com", TXT), "NXDOMAIN");
    assert_eq!(internet.sent.len(), before);
}

#[test]
fn rfc5452_9_1_forged_answers_are_ignored_and_a_flood_of_them_moves_the_question_to_tcp() {
    let mut internet = small();
    internet.weather.forged = 100;
    assert_eq!(internet.ask("www.example.com", A), "NOERROR: 192.0.2.1 192.0.2.2");
    let mut internet = small();
    for address in ["193.0.0.1", "193.0.0.2"] {
        let server = internet.servers.get_mut(&ip(address)).unwrap();
        let zones = server.zones.clone();
        server.script = Some(std::sync::Arc::new(move |query, transport| {
            use super::super::task::Transport;
            match transport {
                Transport::Tcp => super::authority::respond(&zones, Temper::Good, transport, query)
                    .into_iter()
                    .collect(),
                Transport::Udp => (1..=40)
                    .map(|guess| {
                        let mut reply = super::authority::Reply::to(query);
                        reply.id[1] ^= guess;
                        reply.bytes()
                    })
                    .collect(),
            }
        }));
    }
    assert_eq!(internet.ask("www.example.com", A), "NOERROR: 192.0.2.1 192.0.2.2");
}

#[test]
fn draft_0x20_letter_case_is_random_where_wanted_and_servers_that_lose_it_still_work() {
    for temper in [Temper::Good, Temper::LowersCase] {
        let mut internet = small();
        internet.settings.random_case = true;
        for address in ["193.0.0.1", "193.0.0.2"] {
            internet.servers.get_mut(&ip(address)).unwrap().temper = temper;
        }
        for _ in 0..3 {
            assert_eq!(internet.ask("www.example.com", A), "NOERROR: 192.0.2.1 192.0.2.2");
            internet.now_ms += 301_000;
        }
        let mixed = |sent: &&super::network::Sent| {
            let text = sent.qname.to_string();
            text != text.to_lowercase()
        };
        assert!(internet.sent.iter().filter(mixed).count() > 0, "{temper:?}");
    }
}

#[test]
fn rfc4035_3_1_4_1_ds_is_asked_of_the_parent() {
    let mut internet = small();
    assert_eq!(internet.ask("www.example.com", A), "NOERROR: 192.0.2.1 192.0.2.2");
    let before = internet.sent.len();
    assert_eq!(internet.ask("example.com", DS), "NODATA");
    assert!(
        internet.sent[before..]
            .iter()
            .all(|sent| sent.server == ip("192.5.6.30"))
    );
}

#[test]
fn zones_that_need_each_others_servers_fail_with_few_queries() {
    let mut internet = small();
    assert!(internet.ask("www.left.com", A).starts_with("failed: "));
    assert!(internet.sent.len() < 12, "{}", internet.sent.len());
}

#[test]
fn rfc7686_2_an_alias_into_a_special_name_is_answered_here() {
    let mut internet = small();
    assert_eq!(internet.ask("onion.example.com", A), "NXDOMAIN -> x.onion.");
    let leaks = |sent: &&super::network::Sent| sent.qname.to_string().to_lowercase().ends_with("onion.");
    assert_eq!(internet.sent.iter().filter(leaks).count(), 0);
}

#[test]
fn rfc9609_3_priming_replaces_the_hints_and_its_failure_stops_nobody() {
    let mut internet = small();
    internet.settings.prime = true;
    internet.servers.get_mut(&ip(ROOT)).unwrap().temper = Temper::Good;
    // The hints name an old address, where only the priming query is answered, with the address of the day.
    internet.settings.hints = vec![ip("199.9.14.201")];
    let old = internet.zone("199.9.14.201", ".", "@ NS a.root.; a.root. A 198.41.0.4");
    let zones = old.zones.clone();
    old.script = Some(std::sync::Arc::new(move |query, transport| {
        let mut reply = super::authority::Reply::to(query);
        if reply.qname().is_root() && reply.qtype() == NS {
            super::authority::answer(&zones, &mut reply, false);
            reply.sections[2].push(zones[0].get(&super::zones::name("a.root"), A).unwrap().clone());
        } else {
            reply.rcode = 5;
        }
        let _ = transport;
        vec![reply.bytes()]
    }));
    internet.ask("www.example.com", A);
    assert_eq!(internet.ask("www.example.com", A), "NOERROR: 192.0.2.1 192.0.2.2");
    let asked = internet.at("199.9.14.201");
    assert_eq!(internet.ask("www.hosting.net", A), "NOERROR: 192.0.2.50");
    assert_eq!(internet.at("199.9.14.201"), asked);
}

#[test]
fn ipv6_that_leads_nowhere_does_not_slow_names_down_for_long() {
    let mut internet = small();
    let com = Zone::new(
        "com",
        "@ NS ns; ns A 192.5.6.30; six NS ns.six; ns.six A 193.0.0.7; ns.six AAAA 2a00::7",
    );
    internet.servers.get_mut(&ip("192.5.6.30")).unwrap().zones = vec![com];
    internet.zone(
        "193.0.0.7",
        "six.com",
        "@ NS ns; ns A 193.0.0.7; ns AAAA 2a00::7; *.x A 192.0.2.7",
    );
    for number in 0..100 {
        assert_eq!(internet.ask(&format!("n{number}.x.six.com"), A), "NOERROR: 192.0.2.7");
    }
    let six = internet.sent.iter().filter(|sent| sent.server.is_ipv6()).count();
    assert!(six < 20, "{six}");
}

#[test]
fn rfc2181_8_ttls_past_31_bits_are_zero_and_long_ones_are_cut_to_a_day() {
    for (ttl_s, left_s) in [
        (0x8000_0000, 0),
        (0xffff_ffff, 0),
        (10_000_000, 86_400),
        (60, 60),
        (0, 0),
    ] {
        let mut internet = small();
        script(&mut internet, move |reply| {
            for set in &mut reply.sections[0] {
                set.ttl_s = ttl_s;
            }
        });
        let found = internet.resolve("www.example.com", A).unwrap();
        let super::super::Finding::Set(held) = found.end else {
            panic!("an answer");
        };
        assert_eq!(held.ttl_s(internet.now_ms), left_s, "{ttl_s}");
    }
}

#[test]
fn rfc2308_5_denials_live_no_longer_than_their_soa_and_three_hours() {
    for (ttl_s, left_s) in [(30, 30), (300, 60)] {
        let mut internet = small();
        script(&mut internet, move |reply| {
            for set in &mut reply.sections[1] {
                set.ttl_s = ttl_s;
            }
        });
        let found = internet.resolve("none.example.com", A).unwrap();
        let super::super::Finding::Denied(denial) = found.end else {
            panic!("a denial");
        };
        assert_eq!(denial.ttl_s(internet.now_ms), left_s);
    }
}

#[test]
fn rfc2181_5_2_records_of_one_set_share_the_smallest_ttl_and_are_there_once() {
    let mut set = super::super::rrset::RRset::of(&super::zones::name("WWW.example"), A, 60, &[192, 0, 2, 1]);
    set.push(&[192, 0, 2, 1]);
    set.push(&[192, 0, 2, 2]);
    assert_eq!((set.len(), set.name.to_string().as_str()), (2, "www.example."));
}

/// Both servers of `example.com` answer as they should, and then as told.
fn script(internet: &mut Internet, with: impl Fn(&mut super::authority::Reply) + Send + Sync + 'static) {
    let with = std::sync::Arc::new(with);
    for address in ["193.0.0.1", "193.0.0.2"] {
        let server = internet.servers.get_mut(&ip(address)).unwrap();
        let (zones, with) = (server.zones.clone(), std::sync::Arc::clone(&with));
        server.script = Some(std::sync::Arc::new(move |query, _| {
            let mut reply = super::authority::Reply::to(query);
            super::authority::answer(&zones, &mut reply, false);
            with(&mut reply);
            vec![reply.bytes()]
        }));
    }
}

#[test]
fn glue_leads_to_servers_and_answers_nobody() {
    let mut internet = small();
    internet.ask("www.example.com", A);
    let before = internet.sent.len();
    assert_eq!(internet.ask("ns1.example.com", A), "NOERROR: 193.0.0.1");
    assert_eq!(internet.sent.len(), before + 1, "the zone itself is asked");
}

#[test]
fn rfc1035_3_3_11_a_server_named_by_an_alias_is_found_all_the_same() {
    let mut internet = small();
    let net = Zone::new(
        "net",
        "@ NS ns; ns A 192.5.6.31; hosting NS ns.hosting; ns.hosting A 193.0.0.5; ns2 CNAME ns.hosting",
    );
    internet.servers.get_mut(&ip("192.5.6.31")).unwrap().zones = vec![net];
    let com = Zone::new("com", "@ NS ns; ns A 192.5.6.30; glueless NS ns2.net.");
    internet.servers.get_mut(&ip("192.5.6.30")).unwrap().zones = vec![com];
    assert_eq!(internet.ask("www.glueless.com", A), "NOERROR: 192.0.2.60");
}

#[test]
fn rfc4035_3_1_4_a_referrals_ds_set_is_kept_and_not_asked_for_again() {
    let mut internet = small();
    let com = Zone::new(
        "com",
        "@ NS ns; ns A 192.5.6.30; example NS ns1.example; example DS 7; ns1.example A 193.0.0.1",
    );
    internet.servers.get_mut(&ip("192.5.6.30")).unwrap().zones = vec![com];
    internet.ask("www.example.com", A);
    let before = internet.sent.len();
    assert!(
        internet
            .ask("example.com", DS)
            .starts_with("NOERROR: [00, 01, 0d, 02, 07]")
    );
    assert_eq!(internet.sent.len(), before);
}

#[test]
fn a_server_for_parent_and_child_answers_for_both_without_a_referral() {
    let mut internet = small();
    for address in ["193.0.0.1", "193.0.0.2"] {
        let sub = Zone::new(
            "sub.example.com",
            "@ NS ns1.example.com.; www A 192.0.2.80; x.y A 192.0.2.81",
        );
        internet.servers.get_mut(&ip(address)).unwrap().zones.push(sub);
    }
    assert_eq!(internet.ask("www.sub.example.com", A), "NOERROR: 192.0.2.80");
    assert_eq!(internet.ask("x.y.sub.example.com", A), "NOERROR: 192.0.2.81");
    assert_eq!(internet.ask("none.sub.example.com", A), "NXDOMAIN");
}

#[test]
fn a_name_of_34_labels_is_found_with_minimization_and_without() {
    for mode in [
        QnameMinimization::Relaxed,
        QnameMinimization::Strict,
        QnameMinimization::Off,
    ] {
        let mut internet = small();
        internet.settings.minimization = mode;
        let host = vec!["0"; 32].join(".");
        let own = Zone::new("example.com", &format!("@ NS ns1; {host} PTR www"));
        for address in ["193.0.0.1", "193.0.0.2"] {
            internet.servers.get_mut(&ip(address)).unwrap().zones = vec![std::sync::Arc::clone(&own)];
        }
        let answer = internet.ask(&format!("{host}.example.com"), PTR);
        assert_eq!(answer, "NOERROR: www.example.com.", "{mode:?}");
        assert!(internet.sent.len() <= 14, "{mode:?}: {}", internet.sent.len());
    }
}
