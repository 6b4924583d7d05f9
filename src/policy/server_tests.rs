//! What rules about name servers make of answers: their order among each other, among zones and after other triggers.

use super::decision::Decision;
use super::tests::*;
use super::*;
use crate::config::settings::*;
use crate::dns::answer::NameBuf;
use crate::dns::key::Key;
use crate::dns::rtype;
use std::path::PathBuf;

const SOA: &str = "$TTL 60\n@ SOA localhost. root.localhost. 1 1h 15m 30d 2h\n@ NS localhost.\n";

fn zones(of: &[&str]) -> World {
    with(of, settings())
}

/// Zones called 1, 2 and so on, each in front of the next.
fn with(of: &[&str], settings: Settings) -> World {
    let texts: Vec<(String, String)> = (1..)
        .zip(of)
        .map(|(number, zone)| (number.to_string(), format!("{SOA}{zone}\n")))
        .collect();
    let lists: Vec<(&str, &str, &str)> = texts
        .iter()
        .map(|(name, text)| (name.as_str(), "x", text.as_str()))
        .collect();
    World::with(&lists, settings)
}

/// `servers`: names and addresses of the servers on the way, apart by blanks.
fn decide(world: &World, asker: &Asker, servers: &str) -> Decision {
    let is_address = |word: &&str| word.parse::<IpAddr>().is_ok();
    let words = || servers.split(' ').filter(|word| !word.is_empty());
    let names = words().filter(|word| !is_address(word)).map(|word| {
        let name = crate::dns::name::Name::parse(word).unwrap();
        NameBuf::read(name.as_wire(), 0).unwrap()
    });
    let addresses = words().filter_map(|word| word.parse().ok());
    let key = Key::parse("www.example").unwrap();
    world
        .policy
        .decide_servers(&world.gate, asker, (&key, rtype::A), names, addresses)
}

fn says(world: &World, servers: &str) -> String {
    let asker = world.asker("127.0.0.1");
    world.words(&decide(world, &asker, servers))
}

#[track_caller]
fn check(of: &[&str], expected: &[(&str, &str)]) {
    let world = zones(of);
    for (servers, words) in expected {
        assert_eq!(says(&world, servers), *words, "{servers}");
    }
}

#[test]
fn a_server_is_matched_by_its_name_and_by_those_above_it_only_where_a_wildcard_stands() {
    check(
        &["ns.bad.example.rpz-nsdname CNAME .\n*.farm.example.rpz-nsdname CNAME *."],
        &[
            ("NS.Bad.example", "rcode 3 by 1"),
            ("x.ns.bad.example", "pass"),
            ("bad.example", "pass"),
            ("a.farm.example", "nodata by 1"),
            ("a.b.farm.example", "nodata by 1"),
            ("farm.example", "pass"),
            ("notfarm.example", "pass"),
            ("ns.good.example ns.bad.example", "rcode 3 by 1"),
            // A label that no list can hold is still below what a list can.
            (r"a\.b.farm.example", "nodata by 1"),
            ("", "pass"),
        ],
    );
}

#[test]
fn addresses_of_servers_are_matched_by_the_longest_network() {
    check(
        &[
            "24.0.2.0.192.rpz-nsip CNAME .\n32.9.2.0.192.rpz-nsip CNAME rpz-drop.\n32.zz.db8.2001.rpz-nsip CNAME *.\n\
           48.zz.1.db8.2001.rpz-nsip A 198.51.100.1",
        ],
        &[
            ("192.0.2.1", "rcode 3 by 1"),
            ("192.0.2.9", "drop by 1"),
            ("192.0.2.1 192.0.2.9", "drop by 1"),
            ("192.0.2.9 192.0.2.1", "drop by 1"),
            ("192.0.3.1", "pass"),
            ("::ffff:192.0.2.1", "rcode 3 by 1"),
            ("2001:db8:2::1", "nodata by 1"),
            ("2001:db8:1::1", "1:198.51.100.1 by 1"),
            ("2001:db8:2::1 2001:db8:1::1", "1:198.51.100.1 by 1"),
        ],
    );
}

#[test]
fn of_one_zone_the_longest_name_counts_and_names_before_addresses_and_of_all_the_first_zone() {
    let names = "*.example.rpz-nsdname CNAME *.\n*.bad.example.rpz-nsdname CNAME .\nns.bad.example.rpz-nsdname CNAME rpz-drop.\n\
                 24.0.2.0.192.rpz-nsip CNAME rpz-tcp-only.";
    check(
        &[names],
        &[
            ("ns.bad.example", "drop by 1"),
            ("ns2.bad.example", "rcode 3 by 1"),
            ("a.example ns2.bad.example", "rcode 3 by 1"),
            ("a.example 192.0.2.1", "nodata by 1"),
            ("192.0.2.1", "tcp by 1"),
        ],
    );
    check(
        &["24.0.2.0.192.rpz-nsip CNAME .", "ns.bad.example.rpz-nsdname CNAME *."],
        &[
            ("ns.bad.example", "nodata by 2"),
            ("ns.bad.example 192.0.2.1", "rcode 3 by 1"),
        ],
    );
}

#[test]
fn an_exemption_keeps_the_zones_behind_and_an_alias_is_no_reason_to_go_round_in_circles() {
    let world = zones(&[
        "ns.good.example.rpz-nsdname CNAME rpz-passthru.",
        "24.0.2.0.192.rpz-nsip CNAME .\n32.7.2.0.192.rpz-ip CNAME .",
    ]);
    let asker = world.asker("127.0.0.1");
    let decision = decide(&world, &asker, "ns.good.example 192.0.2.1");
    assert_eq!(world.words(&decision), "pass by 1");
    let after = asker.after(&decision);
    assert_eq!(world.says_of_address(&after, "192.0.2.7"), "pass");
    assert_eq!(world.says_of_address(&asker, "192.0.2.7"), "rcode 3 by 2");
    assert!(world.policy.inspects(&asker).servers);
    assert!(!world.policy.inspects(&after).servers, "no zone is left to ask");
    let barred = Asker { rpz_bar: 1, ..asker };
    assert_eq!(
        world.words(&decide(&world, &barred, "192.0.2.1")),
        "pass",
        "zones behind the bar are silent"
    );
    let same =
        zones(&["*.bad.example.rpz-nsdname CNAME www.example.\nns.other.example.rpz-nsdname CNAME garden.example."]);
    assert_eq!(says(&same, "ns.bad.example"), "pass");
    assert_eq!(says(&same, "ns.other.example"), "cname garden.example. by 1");
}

#[test]
fn who_only_observes_acts_on_nothing_and_other_profiles_have_no_such_rules() {
    let zone = "ns.bad.example.rpz-nsdname CNAME .";
    let mut observing = settings();
    observing.profiles[0].observe = true;
    assert_eq!(
        says(&with(&[zone], observing), "ns.bad.example"),
        "rcode 3 by 1 (observed)"
    );
    let mut idle = settings();
    idle.profiles[0] = ProfileSettings::named("default");
    let idle = with(&[zone], idle);
    assert_eq!(says(&idle, "ns.bad.example"), "pass");
    let asker = idle.asker("127.0.0.1");
    assert!(!idle.policy.inspects(&asker).servers);
    assert!(!idle.policy.filters(asker.profile.unwrap()));
    let acting = zones(&[zone]);
    assert!(acting.policy.filters(acting.asker("127.0.0.1").profile.unwrap()));
    // The first zone's list observes: what is behind it acts.
    let mut first = settings();
    let mut list = Settings::builtin(&PathBuf::from("/")).lists.remove(0);
    list.name = "1".to_owned();
    list.observe = true;
    first.lists.push(list);
    let first = with(&[zone, "24.0.2.0.192.rpz-nsip CNAME *."], first);
    assert_eq!(says(&first, "ns.bad.example"), "rcode 3 by 1 (observed)");
    assert_eq!(says(&first, "ns.bad.example 192.0.2.1"), "nodata by 2");
}
