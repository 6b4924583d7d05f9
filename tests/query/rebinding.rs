//! Public names that lead into private networks: what is blocked, and what may be so.

use crate::common::*;
use stairgate::config::household::OwnName;
use stairgate::config::settings::{ClientSettings, LocalRecord, ProfileSettings, Settings, Zone, ZoneSource};
use stairgate::count::Count;
use stairgate::list::set::Gate;
use std::sync::Arc;

fn own(names: &[&str]) -> Vec<OwnName> {
    names.iter().map(|text| name(text).into()).collect()
}

fn guarded() -> Settings {
    let mut settings = settings();
    settings.profiles[0].rebinding = true;
    settings
}

/// One name that leads into a private network, and one that does not.
fn evil_and_fine() -> Arc<Script> {
    let script = Script::new();
    has(&script, "evil.example.", "192.168.1.1");
    has(&script, "fine.example.", "192.0.2.1");
    script
}

/// Says that `name` has this one address.
fn has(script: &Arc<Script>, name: &str, address: &str) {
    let rtype = if address.contains(':') { "AAAA" } else { "A" };
    script.says(name, rtype, 0, &[&format!("{name} 300 {rtype} {address}")]);
}

fn is_blocked(road: &Road, name: &str, rtype: &str) -> bool {
    let came = road.ask(&ask(name, rtype).edns(1232, false));
    let blocked = came.counted(Count::BlockedByAnswer);
    if blocked {
        let told = errors(&came.bytes);
        assert_eq!(told.len(), 1);
        assert_eq!(told[0].0, 15, "Blocked");
        assert!(told[0].1.contains("private network"), "{told:?}");
        let message = came.message();
        assert!(
            answers(&message)
                .iter()
                .all(|line| line.ends_with(" 0.0.0.0") || line.ends_with(" ::"))
        );
    }
    blocked
}

#[test]
fn a_public_name_with_a_private_address_is_blocked_fresh_and_cached_and_others_are_not() {
    let script = Script::new();
    for (address, blocked) in [
        ("192.168.1.1", true),
        ("10.1.2.3", true),
        ("172.20.0.1", true),
        ("127.0.0.1", true),
        ("169.254.169.254", true),
        ("100.64.0.1", true),
        ("0.0.0.0", true),
        ("::1", true),
        ("fd00::1", true),
        ("fe80::1", true),
        ("::ffff:192.168.1.1", true),
        ("64:ff9b::192.168.1.1", true),
        ("192.0.2.1", false),
        ("192.0.0.170", false),
        ("64:ff9b::192.0.2.1", false),
        ("2001:db8::1", false),
    ] {
        let rtype = if address.contains(':') { "AAAA" } else { "A" };
        has(&script, "evil.example.", address);
        let road = Road::new(guarded(), &script);
        for _ in 0..3 {
            assert_eq!(is_blocked(&road, "evil.example.", rtype), blocked, "{address}");
        }
        let road = Road::new(settings(), &script);
        assert!(
            !is_blocked(&road, "evil.example.", rtype),
            "{address}: nobody asked for it"
        );
    }
}

#[test]
fn behind_the_prefix_of_the_network_an_address_leads_where_its_ipv4_address_leads() {
    let script = Script::new();
    has(&script, "evil.example.", "2001:db8:64::c0a8:101");
    has(&script, "fine.example.", "2001:db8:64::c000:201");
    let mut settings = guarded();
    let prefix = stairgate::dns::translate::Prefix::new("2001:db8:64::".parse().unwrap(), 96).unwrap();
    settings.resolver.dns64 = vec![prefix];
    let road = Road::new(settings, &script);
    assert!(is_blocked(&road, "evil.example.", "AAAA"));
    assert!(!is_blocked(&road, "fine.example.", "AAAA"));
}

#[test]
fn hints_and_what_aliases_lead_to_are_looked_at_and_it_is_the_name_asked_for_that_counts() {
    let script = Script::new().says(
        "svc.example.",
        "HTTPS",
        0,
        &["svc.example. 300 HTTPS 1 . alpn=h2 ipv4hint=192.168.1.1"],
    );
    script.says(
        "six.example.",
        "HTTPS",
        0,
        &["six.example. 300 HTTPS 1 . alpn=h2 ipv6hint=fd00::1"],
    );
    script.says(
        "www.evil.example.",
        "A",
        0,
        &[
            "www.evil.example. 300 CNAME router.corp.example.",
            "router.corp.example. 300 A 192.168.1.1",
        ],
    );
    has(&script, "router.corp.example.", "192.168.1.1");
    let mut settings = guarded();
    settings.server.rebinding_allow = own(&["corp.example"]);
    let road = Road::new(settings, &script);
    for _ in 0..2 {
        assert!(is_blocked(&road, "svc.example.", "HTTPS"));
        assert!(is_blocked(&road, "six.example.", "HTTPS"));
        assert!(!is_blocked(&road, "router.corp.example.", "A"));
        assert!(
            is_blocked(&road, "www.evil.example.", "A"),
            "an alias to a name that may is no way in"
        );
    }
}

#[test]
fn names_of_zones_and_records_own_names_and_those_let_in_may() {
    let script = Script::new();
    for name in [
        "nas.home.arpa.",
        "a.allowed.example.",
        "corp.example.",
        "x.corp.example.",
        "only.example.",
    ] {
        has(&script, name, "192.168.1.7");
    }
    has(&script, "x.only.example.", "192.168.1.7");
    // Outside, behind a record of this server's own.
    has(&script, "dynamic.example.", "10.0.0.9");
    let mut settings = guarded();
    settings.server.rebinding_allow = own(&["corp.example"]);
    settings.server.rebinding_allow.push(OwnName {
        exact: true,
        ..OwnName::from(name("only.example"))
    });
    settings.zones = vec![Zone {
        name: name("home.arpa"),
        source: ZoneSource::Forward {
            upstreams: Vec::new(),
            order: Default::default(),
            validate: false,
        },
    }];
    settings.records = vec![LocalRecord {
        name: name("mine.example"),
        data: vec!["CNAME dynamic.example.".to_owned()],
    }];
    let road = Road::new(settings, &script);
    for _ in 0..2 {
        for name in [
            "nas.home.arpa.",
            "a.allowed.example.",
            "corp.example.",
            "x.corp.example.",
            "only.example.",
            "mine.example.",
        ] {
            let came = road.ask(&ask(name, "A"));
            assert!(!came.counted(Count::BlockedByAnswer), "{name}");
            assert!(!came.message().answers.is_empty(), "{name}");
        }
        assert!(is_blocked(&road, "x.only.example.", "A"));
        assert!(is_blocked(&road, "dynamic.example.", "A"), "asked for by its own name");
    }
}

#[test]
fn what_one_profile_has_noted_with_an_answer_says_nothing_about_the_other() {
    let script = evil_and_fine();
    // By lists alone, so that notes are made.
    let mut settings = settings();
    settings.profiles = ["default", "guarded"].map(ProfileSettings::named).to_vec();
    settings.profiles[1].rebinding = true;
    for profile in &mut settings.profiles {
        profile.block = vec!["x".to_owned()];
    }
    settings.clients = vec![ClientSettings {
        name: "tablet".to_owned(),
        tags: Vec::new(),
        networks: vec!["127.0.0.2/32".parse().unwrap()],
        profile: "guarded".to_owned(),
        person: None,
    }];
    for hosts in [[1, 2, 1, 2, 2], [2, 1, 2, 1, 1]] {
        let mut road = Road::new(self::settings(), &script);
        road.generation = with_gate(settings.clone(), Gate::from_lists(&[("list", "x", "listed.example\n")]));
        for host in hosts {
            road.peer.address = format!("127.0.0.{host}:4000").parse().unwrap();
            assert_eq!(is_blocked(&road, "evil.example.", "A"), host == 2);
            assert!(!is_blocked(&road, "fine.example.", "A"));
        }
    }
    assert!(script.asked() <= 4, "what was cached is not asked for again");
}

#[test]
fn an_observing_profile_counts_it_and_lets_it_through() {
    let script = Script::new();
    has(&script, "evil.example.", "192.168.1.1");
    let mut settings = guarded();
    settings.profiles[0].observe = true;
    let came = Road::new(settings, &script).ask(&ask("evil.example.", "A"));
    assert_eq!(answers(&came.message()), ["evil.example. 300 A 192.168.1.1"]);
    assert!(came.counted(Count::Observed) && !came.counted(Count::BlockedByAnswer));
}
