//! Cached answers go out by what was noted when somebody asked before; here that is wrong for no one who asks later.

use crate::common::*;
use hickory_proto::op::ResponseCode;
use stairgate::config::settings::{ClientSettings, ProfileSettings, Settings};
use stairgate::count::Count;
use stairgate::generation::Generation;
use stairgate::list::set::Gate;
use stairgate::local::Zones;
use stairgate::policy::Policy;
use stairgate::query;
use std::sync::Arc;

/// Lists of their own categories, and for each category a profile that blocks it and a client 10.0.0.N that has the profile; `all` is 10.0.0.100.
fn household(lists: &[(&str, &str, &str)]) -> Settings {
    let mut settings = settings();
    let list = Settings::builtin(&std::env::temp_dir()).lists.remove(0);
    let base = ProfileSettings {
        allow: Vec::new(),
        deny: Vec::new(),
        ..settings.profiles[0].clone()
    };
    settings.profiles.clear();
    let mut categories: Vec<&str> = lists.iter().map(|(_, category, _)| *category).collect();
    categories.dedup();
    for (name, category, _) in lists {
        let mut list = list.clone();
        (list.name, list.category) = ((*name).to_owned(), (*category).to_owned());
        settings.lists.push(list);
    }
    for (index, category) in categories.iter().enumerate() {
        person(&mut settings, &base, category, &[*category], index + 1);
    }
    person(&mut settings, &base, "default", &[], 99);
    person(&mut settings, &base, "all", &categories, 100);
    settings
}

fn person(settings: &mut Settings, base: &ProfileSettings, name: &str, block: &[&str], host: usize) {
    settings.profiles.push(ProfileSettings {
        name: name.to_owned(),
        block: block.iter().map(|category| (*category).to_owned()).collect(),
        ..base.clone()
    });
    settings.clients.push(ClientSettings {
        name: name.to_owned(),
        tags: Vec::new(),
        networks: vec![format!("10.0.0.{host}/32").parse().unwrap()],
        profile: name.to_owned(),
        person: None,
    });
}

fn road(lists: &[(&str, &str, &str)], script: &Arc<Script>) -> Road {
    let mut road = Road::new(settings(), script);
    road.generation = with_gate(household(lists), Gate::from_lists(lists));
    road
}

/// What each of these clients gets, one after the other.
fn blocked(road: &mut Road, name: &str, rtype: &str, hosts: &[u8]) -> Vec<bool> {
    let mut ask_of = |host: &u8| {
        road.peer.address = format!("10.0.0.{host}:4000").parse().unwrap();
        let came = road.ask(&ask(name, rtype));
        let blocked = came.counted(Count::Blocked) || came.counted(Count::BlockedByAnswer);
        assert!(blocked || came.message().metadata.response_code == ResponseCode::NoError);
        blocked
    };
    hosts.iter().map(&mut ask_of).collect()
}

fn script() -> Arc<Script> {
    Script::new()
        .says("plain.example.", "A", 0, &["plain.example. 600 A 192.0.2.1"])
        .says("listed.example.", "A", 0, &["listed.example. 600 A 192.0.2.1"])
        .says("x.both.example.", "A", 0, &["x.both.example. 600 A 192.0.2.1"])
        .says("number.example.", "A", 0, &["number.example. 600 A 192.0.2.66"])
        .says(
            "alias.example.",
            "A",
            0,
            &[
                "alias.example. 600 CNAME listed.example.",
                "listed.example. 600 A 192.0.2.1",
            ],
        )
        .says(
            "service.example.",
            "HTTPS",
            0,
            &["service.example. 600 HTTPS 1 listed.example. alpn=h2"],
        )
        .says(
            "hint.example.",
            "HTTPS",
            0,
            &["hint.example. 600 HTTPS 1 . ipv4hint=192.0.2.66"],
        )
}

const LISTS: [(&str, &str, &str); 3] = [
    ("l1", "one", "||listed.example^\n||both.example^\n"),
    ("l2", "two", "||both.example^\n"),
    ("l3", "two", "/^y[0-9]*\\.pattern\\.example$/\n"),
];

#[test]
fn what_one_client_may_see_says_nothing_about_another() {
    let script = script();
    // Whoever comes first fills the cache and leaves a note; all orders of the rest see their own.
    for hosts in [[99, 1, 2, 100, 99], [2, 100, 99, 1, 2], [100, 1, 2, 99, 100]] {
        let mut road = road(&LISTS, &script);
        // Once for the cache, once for the note.
        let first = [99, 99, hosts[0]];
        for (name, rtype, by) in [
            ("plain.example.", "A", &[][..]),
            ("listed.example.", "A", &[1, 100]),
            ("alias.example.", "A", &[1, 100]),
            ("service.example.", "HTTPS", &[1, 100]),
            ("x.both.example.", "A", &[1, 2, 100]),
        ] {
            blocked(&mut road, name, rtype, &first);
            for _ in 0..3 {
                let expected: Vec<bool> = hosts.iter().map(|host| by.contains(host)).collect();
                assert_eq!(blocked(&mut road, name, rtype, &hosts), expected, "{name}");
            }
        }
    }
    let asked = script.asked();
    assert!(asked <= 15, "what was cached is not asked for again: {asked}");
}

#[test]
fn addresses_in_answers_count_too() {
    let script = script();
    let zone =
        "$TTL 60\n@ SOA localhost. root.localhost. 1 1h 15m 30d 2h\n@ NS localhost.\n32.66.2.0.192.rpz-ip CNAME .\n";
    let mut road = road(&[("l1", "one", "||listed.example^\n"), ("l2", "two", zone)], &script);
    for (name, rtype) in [("number.example.", "A"), ("hint.example.", "HTTPS")] {
        for _ in 0..3 {
            let seen = blocked(&mut road, name, rtype, &[99, 1, 2, 100]);
            assert_eq!(seen, [false, false, true, true], "{name}");
        }
    }
}

#[test]
fn a_note_holds_for_one_generation() {
    let script = script();
    let mut road = road(&LISTS, &script);
    assert_eq!(blocked(&mut road, "plain.example.", "A", &[1, 1, 1]), [false; 3]);
    let more = [("l1", "one", "||plain.example^\n")];
    road.generation = with_gate(household(&more), Gate::from_lists(&more));
    assert_eq!(blocked(&mut road, "plain.example.", "A", &[1, 99]), [true, false]);
    road.generation = with_gate(household(&LISTS), Gate::from_lists(&LISTS));
    assert_eq!(blocked(&mut road, "plain.example.", "A", &[1]), [false]);
}

#[test]
fn a_note_is_forgotten_before_its_generation_can_be_mistaken_for_another() {
    let script = script();
    let more = [("l1", "one", "||plain.example^\n")];
    // Notes tell generations apart by fewer bits than a number has.
    for apart in [64u64, 128, 256, 512, 65_536] {
        let mut road = Road::new(settings(), &script);
        road.generation = at(&LISTS, 1);
        assert_eq!(blocked(&mut road, "plain.example.", "A", &[1, 1, 1]), [false; 3]);
        let between = at(&[], 1);
        for number in 2..=1 + apart {
            query::prepare(&Generation { number, ..of(&between) }, &road.cache);
        }
        road.generation = at(&more, 1 + apart);
        assert_eq!(blocked(&mut road, "plain.example.", "A", &[1]), [true], "{apart}");
    }
}

fn at(lists: &[(&str, &str, &str)], number: u64) -> Arc<Generation> {
    built(household(lists), Gate::from_lists(lists), number)
}

/// A generation of no account but its number.
fn of(like: &Generation) -> Generation {
    Generation {
        number: like.number,
        policy: Policy::unfiltered(&like.settings, &[]),
        gate: Arc::clone(&like.gate),
        local: Zones::build(&like.settings).unwrap(),
        settings: Arc::clone(&like.settings),
    }
}

#[test]
fn canaries_and_names_of_the_profile_itself_are_seen_after_any_note() {
    let script = script().says(
        "use-application-dns.net.",
        "A",
        0,
        &["use-application-dns.net. 600 A 192.0.2.1"],
    );
    let mut settings = household(&LISTS);
    settings.profiles[0].deny = vec![name("plain.example").into()];
    let mut road = Road::new(self::settings(), &script);
    road.generation = with_gate(settings, Gate::from_lists(&LISTS));
    assert_eq!(
        blocked(&mut road, "plain.example.", "A", &[99, 99, 1, 2, 1, 99]),
        [false, false, true, false, true, false]
    );
    // `default` filters nothing, so that its clients are not steered.
    assert_eq!(
        blocked(&mut road, "use-application-dns.net.", "A", &[99, 99, 99, 2]),
        [false, false, false, true]
    );
}

#[test]
fn what_the_resolver_remarked_is_told_with_cached_answers_too() {
    let script = script().remarks("plain.example.", "A", 1);
    let mut road = road(&LISTS, &script);
    let mut codes = |host: u8| {
        road.peer.address = format!("10.0.0.{host}:4000").parse().unwrap();
        let came = road.ask(&ask("plain.example.", "A").edns(1232, false));
        errors(&came.bytes)
            .into_iter()
            .map(|(code, _)| code)
            .collect::<Vec<_>>()
    };
    // From the resolver, after an inspection, and by what was noted then; without a profile of lists too.
    for host in [1, 1, 1, 2, 99, 150] {
        assert_eq!(codes(host), [1], "10.0.0.{host}");
    }
    assert_eq!(script.asked(), 1);
}
