//! IPv4 and IPv6 by what works, and addresses of servers that have to be looked up.

use super::authority::{Reply, Temper, answer};
use super::network::{Internet, ip};
use super::zones::Zone;
use crate::dns::rtype::*;
use std::sync::Arc;

const ROOTS: [(&str, &str); 3] = [
    ("198.41.0.4", "2001:503:ba3e::2:30"),
    ("192.33.4.12", "2001:500:2::c"),
    ("199.7.91.13", "2001:500:2d::d"),
];

/// A root at three pairs of addresses, `com` and `example.com` at two; of each, only addresses that `lives` allows answer.
fn world(seed: u64, lives: fn(&str) -> bool) -> Internet {
    let mut internet = Internet::new(seed);
    internet.settings.hints = ROOTS.iter().flat_map(|(v4, v6)| [ip(v4), ip(v6)]).collect();
    let pairs = |net: u8| [1, 2].map(|at| (format!("193.{net}.0.{at}"), format!("2a00:{net}::{at}")));
    let mut root = "com. NS ns1.com.; com. NS ns2.com.".to_owned();
    let mut com = "@ NS ns1; @ NS ns2; example NS ns1.example; example NS ns2.example".to_owned();
    for (at, (v4, v6)) in pairs(1).iter().enumerate() {
        root += &format!("; ns{0}.com. A {v4}; ns{0}.com. AAAA {v6}", at + 1);
        com += &format!("; ns{0} A {v4}; ns{0} AAAA {v6}", at + 1);
    }
    for (at, (v4, v6)) in pairs(2).iter().enumerate() {
        com += &format!("; ns{0}.example A {v4}; ns{0}.example AAAA {v6}", at + 1);
    }
    let zones = [
        (
            ROOTS.map(|(v4, v6)| [v4.to_owned(), v6.to_owned()]).concat(),
            Zone::new(".", &root),
        ),
        (pairs(1).map(|(v4, v6)| [v4, v6]).concat(), Zone::new("com", &com)),
        (
            pairs(2).map(|(v4, v6)| [v4, v6]).concat(),
            Zone::new("example.com", "@ NS ns1; @ NS ns2; *.w A 192.0.2.1"),
        ),
    ];
    for (addresses, zone) in zones {
        for address in addresses.iter().filter(|address| lives(address)) {
            internet.serve(address, &zone);
        }
    }
    internet
}

fn is_v6(address: &str) -> bool {
    address.contains(':')
}

#[test]
fn a_dead_family_costs_the_first_question_a_tenth_of_a_second_and_later_ones_little() {
    for (v6_dead, lives) in [
        (true, (|address| !is_v6(address)) as fn(&str) -> bool),
        (false, |address| is_v6(address)),
    ] {
        let (mut first_ms, mut all_ms, mut dead) = (0, 0, 0);
        for seed in 0..40 {
            let mut internet = world(seed, lives);
            let started = internet.now_ms;
            assert_eq!(internet.ask("first.w.example.com", A), "NOERROR: 192.0.2.1");
            let first = internet.now_ms - started;
            assert!(first <= 60 + 200, "{first} ms, seed {seed}, IPv6 dead: {v6_dead}");
            first_ms += first;
            for number in 0..100 {
                let name = format!("n{number}.w.example.com");
                assert_eq!(internet.ask(&name, A), "NOERROR: 192.0.2.1");
            }
            all_ms += internet.now_ms - started;
            dead += internet
                .sent
                .iter()
                .filter(|sent| sent.server.is_ipv6() == v6_dead)
                .count();
        }
        // Three steps of 20 ms; then one.
        assert!(first_ms / 40 <= 60 + 100, "{first_ms}");
        assert!(all_ms / 40 <= (60 + 100 * 20) * 13 / 10, "{all_ms}");
        assert!(dead / 40 <= 8, "{dead} packets into the void");
    }
}

#[test]
fn a_family_that_dies_is_left_for_the_other_and_met_again_when_it_is_back() {
    let mut internet = world(5, |_| true);
    for number in 0..100 {
        internet.ask(&format!("n{number}.w.example.com"), A);
    }
    let both = |internet: &Internet, from: usize| {
        let v6 = internet.sent[from..]
            .iter()
            .filter(|sent| sent.server.is_ipv6())
            .count();
        (v6, internet.sent.len() - from - v6)
    };
    let (v6, v4) = both(&internet, 0);
    assert!(v6 > 20 && v4 > 20, "both are as good: {v6} {v4}");
    let gone: Vec<_> = internet
        .servers
        .keys()
        .copied()
        .filter(|address| address.is_ipv6())
        .collect();
    for address in &gone {
        internet.servers.get_mut(address).unwrap().temper = Temper::Silent;
    }
    for number in 100..200 {
        let name = format!("n{number}.w.example.com");
        assert_eq!(internet.ask(&name, A), "NOERROR: 192.0.2.1");
    }
    let from = internet.sent.len();
    for number in 200..300 {
        internet.ask(&format!("n{number}.w.example.com"), A);
    }
    assert!(both(&internet, from).0 <= 15, "{}", both(&internet, from).0);
    for address in &gone {
        internet.servers.get_mut(address).unwrap().temper = Temper::Good;
    }
    for number in 300..800 {
        internet.now_ms += 200;
        internet.ask(&format!("n{number}.w.example.com"), A);
    }
    assert!(both(&internet, from).0 > 50, "{}", both(&internet, from).0);
}

#[test]
fn a_zone_with_more_servers_than_are_asked_fails_as_soon_as_those_asked_have_failed() {
    let mut internet = Internet::new(1);
    let mut root = String::new();
    for number in 1..=13 {
        root += &format!(
            "com. NS ns{number}.com.; ns{number}.com. A 193.1.0.{number}; ns{number}.com. AAAA 2a00:1::{number};"
        );
    }
    internet.zone(super::network::ROOT, ".", &root);
    for number in 1..=13 {
        for address in [format!("193.1.0.{number}"), format!("2a00:1::{number}")] {
            internet.zone(&address, "com", "@ NS ns1");
            internet.servers.get_mut(&ip(&address)).unwrap().temper = Temper::Code(5);
        }
    }
    let started = internet.now_ms;
    assert!(internet.ask("a.com", A).starts_with("failed: "));
    let took_ms = internet.now_ms - started;
    assert!(took_ms < 1500, "{took_ms} ms for answers of 20 ms each");
}

/// `com` delegates `lone.com` to servers in `net`, whose addresses are not told.
fn glueless(seed: u64, servers: &str, hosting: &str) -> Internet {
    let mut internet = Internet::new(seed);
    internet.zone(
        super::network::ROOT,
        ".",
        "com. NS ns.com.; ns.com. A 193.1.0.1; net. NS ns.net.; ns.net. A 193.1.0.2; ns.net. AAAA 2a00:1::2",
    );
    internet.zone("193.1.0.1", "com", servers);
    let net = "hosting NS ns.hosting; ns.hosting A 193.1.0.3; ns.hosting AAAA 2a00:1::3
        dead NS ns.dead; ns.dead A 193.1.0.66; dead2 NS ns.dead2; ns.dead2 A 193.1.0.67";
    for address in ["193.1.0.2", "2a00:1::2"] {
        internet.zone(address, "net", net);
    }
    for address in ["193.1.0.3", "2a00:1::3"] {
        internet.zone(address, "hosting.net", hosting);
    }
    for address in ["193.1.0.4", "2a00:1::4"] {
        internet.zone(
            address,
            "lone.com",
            "@ NS ns.hosting.net.; *.w A 192.0.2.7; x A 192.0.2.8",
        );
    }
    internet
}

const BOTH: &str = "ns A 193.1.0.4; ns AAAA 2a00:1::4";

#[test]
fn one_address_of_a_glueless_server_is_enough() {
    let mut internet = glueless(1, "lone NS ns.hosting.net.", BOTH);
    assert_eq!(internet.ask("a.w.lone.com", A), "NOERROR: 192.0.2.7");
    assert!(
        internet.sent.iter().all(|sent| sent.qtype == A),
        "no AAAA was asked for"
    );
    assert_eq!(internet.sent.len(), 7);
}

#[test]
fn the_other_family_of_a_glueless_server_is_looked_up_when_the_first_fails() {
    // The server has no A record, or there is one and nobody is there, or A is not answered at all.
    let mut none = glueless(1, "lone NS ns.hosting.net.", "ns AAAA 2a00:1::4");
    assert_eq!(none.ask("a.w.lone.com", A), "NOERROR: 192.0.2.7");
    let mut dead = glueless(2, "lone NS ns.hosting.net.", "ns A 193.1.0.99; ns AAAA 2a00:1::4");
    let started = dead.now_ms;
    assert_eq!(dead.ask("a.w.lone.com", A), "NOERROR: 192.0.2.7");
    assert!(dead.now_ms - started < 4000, "{}", dead.now_ms - started);
    let started = dead.now_ms;
    dead.ask("b.w.lone.com", A);
    assert!(dead.now_ms - started < 400, "{}", dead.now_ms - started);
    let mut drops = glueless(3, "lone NS ns.hosting.net.", BOTH);
    for address in ["193.1.0.3", "2a00:1::3"] {
        let server = drops.servers.get_mut(&ip(address)).unwrap();
        let zones = server.zones.clone();
        server.script = Some(Arc::new(move |query, _| {
            let mut reply = Reply::to(query);
            answer(&zones, &mut reply, false);
            match reply.qtype() {
                A => Vec::new(),
                _ => vec![reply.bytes()],
            }
        }));
    }
    let started = drops.now_ms;
    assert_eq!(drops.ask("a.w.lone.com", A), "NOERROR: 192.0.2.7");
    assert!(drops.now_ms - started < 800, "{}", drops.now_ms - started);
}

#[test]
fn without_ipv4_addresses_of_glueless_servers_are_looked_up_as_ipv6_at_once() {
    let mut internet = glueless(4, "lone NS ns.hosting.net.", BOTH);
    let com = internet.servers[&ip("193.1.0.1")].clone();
    let root = internet.servers[&ip(super::network::ROOT)].clone();
    internet.servers.retain(|address, _| address.is_ipv6());
    internet.settings.hints = vec![ip("193.9.9.9"), ip("2a00:1::1")];
    internet.servers.insert(ip("2a00:1::1"), root);
    internet.servers.insert(ip("2a00:1::9"), com);
    let root = Zone::new(
        ".",
        "com. NS ns.com.; ns.com. AAAA 2a00:1::9; net. NS ns.net.; ns.net. A 193.1.0.2; ns.net. AAAA 2a00:1::2",
    );
    internet.servers.get_mut(&ip("2a00:1::1")).unwrap().zones = vec![root];
    let started = internet.now_ms;
    assert_eq!(internet.ask("a.w.lone.com", A), "NOERROR: 192.0.2.7");
    assert!(internet.now_ms - started < 500, "{}", internet.now_ms - started);
    let of = |rtype| {
        internet
            .sent
            .iter()
            .filter(|sent| sent.qname == super::zones::name("ns.hosting.net") && sent.qtype == rtype)
            .count()
    };
    assert_eq!((of(A), of(AAAA)), (0, 1));
}

#[test]
fn a_server_in_a_dead_zone_does_not_keep_the_others_waiting() {
    for seed in 0..10 {
        let servers = "lone NS ns.dead.net.; lone NS ns.dead2.net.; lone NS ns.hosting.net.";
        let mut internet = glueless(seed, servers, BOTH);
        let started = internet.now_ms;
        assert_eq!(internet.ask("a.w.lone.com", A), "NOERROR: 192.0.2.7");
        let took_ms = internet.now_ms - started;
        assert!(took_ms < 1000, "{took_ms}");
    }
}

#[test]
fn a_slow_server_is_heard_while_addresses_of_others_are_looked_up() {
    for seed in 0..10 {
        let servers = "lone NS ns.dead.net.; lone NS ns.lone; ns.lone A 193.1.0.4";
        let mut internet = glueless(seed, servers, BOTH);
        internet.servers.get_mut(&ip("193.1.0.4")).unwrap().delay_ms = 700;
        let started = internet.now_ms;
        assert_eq!(internet.ask("a.w.lone.com", A), "NOERROR: 192.0.2.7");
        let took_ms = internet.now_ms - started;
        // It is asked twice, for the name at the cut and for the whole one.
        assert!(took_ms < 2000, "{took_ms}");
    }
}

#[test]
fn whose_address_is_found_first_may_be_of_no_use_and_the_others_are_asked_even_so() {
    for seed in 0..20 {
        let servers = "lone NS bad1.hosting.net.; lone NS bad2.hosting.net.; lone NS ns.hosting.net.";
        let hosting = "ns A 193.1.0.4; bad1 A 193.1.0.5; bad2 A 193.1.0.6";
        let mut internet = glueless(seed, servers, hosting);
        for address in ["193.1.0.3", "2a00:1::3"] {
            // Longer than such a look-up usually takes: several are under way when the first is done.
            internet.servers.get_mut(&ip(address)).unwrap().delay_ms = 350;
        }
        for address in ["193.1.0.5", "193.1.0.6"] {
            internet.zone(address, "lone.com", "@ NS ns.hosting.net.");
            internet.servers.get_mut(&ip(address)).unwrap().temper = Temper::Code(2);
        }
        assert_eq!(internet.ask("x.lone.com", A), "NOERROR: 192.0.2.8", "seed {seed}");
    }
}

#[test]
fn the_one_server_of_twenty_six_that_lives_is_found_by_the_second_question() {
    for seed in 0..20 {
        let mut internet = Internet::new(seed);
        let mut root = String::new();
        for number in 1..=13 {
            root += &format!(
                "com. NS ns{number}.com.; ns{number}.com. A 193.1.0.{number}; ns{number}.com. AAAA 2a00:1::{number};"
            );
        }
        internet.zone(super::network::ROOT, ".", &root);
        internet.zone(
            &format!("193.1.0.{}", 1 + seed % 13),
            "com",
            "@ NS ns1; *.w A 192.0.2.3",
        );
        let first = internet.ask("a.w.com", A);
        internet.now_ms += 5_000;
        if first.starts_with("failed: ") {
            assert_eq!(internet.ask("a.w.com", A), "NOERROR: 192.0.2.3", "seed {seed}");
        }
        let started = internet.now_ms;
        for number in 0..20 {
            let name = format!("n{number}.w.com");
            assert_eq!(internet.ask(&name, A), "NOERROR: 192.0.2.3", "seed {seed}");
        }
        assert!(internet.now_ms - started < 2500, "{}", internet.now_ms - started);
    }
}
