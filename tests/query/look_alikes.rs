//! Names in other scripts that look like listed ones: what the client gets and is told.

use crate::common::*;
use stairgate::config::settings::{ClientSettings, ProfileSettings, Settings};
use stairgate::count::Count;
use stairgate::list::set::Gate;
use std::sync::Arc;

/// `paypal.example` with Cyrillic letters for the first two.
const PAYPAL: &str = "xn--ypal-43d9g.example.";

const LISTS: [(&str, &str, &str); 2] = [
    ("phish", "phishing", "||paypal.example^\n||games.example^\n"),
    ("fine", "trusted", "@@||xn--ypal-43d9g.example^\n"),
];

/// Whoever asks from 127.0.0.2 has look-alikes blocked, all others have the same lists without.
fn household() -> Settings {
    let mut settings = settings();
    settings.profiles = ["default", "watched"].map(ProfileSettings::named).to_vec();
    settings.profiles[1].look_alikes = true;
    for profile in &mut settings.profiles {
        profile.block = vec!["phishing".to_owned()];
    }
    settings.clients = vec![ClientSettings {
        name: "tablet".to_owned(),
        tags: Vec::new(),
        networks: vec!["127.0.0.2/32".parse().unwrap()],
        profile: "watched".to_owned(),
        person: None,
    }];
    settings
}

fn road(settings: Settings, script: &Arc<Script>) -> Road {
    let mut road = Road::new(self::settings(), script);
    road.generation = with_gate(settings, Gate::from_lists(&LISTS));
    road.peer.address = "127.0.0.2:4000".parse().unwrap();
    road
}

#[test]
fn a_name_that_looks_like_a_listed_one_is_blocked_and_the_client_is_told_which() {
    let road = road(household(), &Script::new());
    for asked in [PAYPAL.to_owned(), format!("www.{PAYPAL}")] {
        let came = road.ask(&ask(&asked, "A").edns(1232, false));
        assert!(came.counted(Count::Blocked), "{asked}");
        let www = if asked == PAYPAL { "" } else { "www." };
        assert_eq!(
            errors(&came.bytes),
            [(17, format!("looks like {www}paypal.example: phishing, phish"))]
        );
    }
    // The second of the names it looks like.
    let rn = idna::domain_to_ascii("g\u{430}rnes.example").unwrap();
    let came = road.ask(&ask(&format!("{rn}."), "A").edns(1232, false));
    assert_eq!(
        errors(&came.bytes),
        [(17, "looks like games.example: phishing, phish".to_owned())]
    );
}

#[test]
fn what_one_profile_has_noted_with_an_answer_says_nothing_about_the_other() {
    for hosts in [[1, 2, 1, 1, 2], [2, 1, 1, 2, 1]] {
        let script = Script::new().says(PAYPAL, "A", 0, &[&format!("{PAYPAL} 300 A 192.0.2.1")]);
        let mut road = road(household(), &script);
        for host in hosts {
            road.peer.address = format!("127.0.0.{host}:4000").parse().unwrap();
            let came = road.ask(&ask(PAYPAL, "A"));
            assert_eq!(came.counted(Count::Blocked), host == 2);
        }
        assert_eq!(script.asked(), 1);
    }
}

#[test]
fn an_alias_to_a_look_alike_is_caught_fresh_and_cached() {
    let script = Script::new().says(
        "shop.example.",
        "A",
        0,
        &[
            &format!("shop.example. 300 CNAME {PAYPAL}"),
            &format!("{PAYPAL} 300 A 192.0.2.1"),
        ],
    );
    let road = road(household(), &script);
    for _ in 0..2 {
        let came = road.ask(&ask("shop.example.", "A").edns(1232, false));
        assert!(came.counted(Count::BlockedByAnswer));
        assert_eq!(errors(&came.bytes)[0].1, "looks like paypal.example: phishing, phish");
    }
}

#[test]
fn names_in_their_own_script_pass_and_so_does_what_is_allowed() {
    let buecher = idna::domain_to_ascii("b\u{fc}cher.example").unwrap() + ".";
    let script = Script::new();
    for name in [buecher.as_str(), PAYPAL] {
        script.says(name, "A", 0, &[&format!("{name} 300 A 192.0.2.1")]);
    }
    let passes = |settings: Settings, name: &str| {
        let came = road(settings, &script).ask(&ask(name, "A"));
        !came.counted(Count::Blocked) && came.message().answers.len() == 1
    };
    assert!(passes(household(), &buecher));
    assert!(!passes(household(), PAYPAL));
    let mut own = household();
    own.profiles[1].allow = vec![name(PAYPAL).into()];
    assert!(passes(own, PAYPAL), "an own name");
    let mut listed = household();
    listed.profiles[1].block.push("trusted".to_owned());
    assert!(passes(listed, PAYPAL), "a list that has a say in the name itself");
    let mut observing = household();
    observing.profiles[1].observe = true;
    assert!(passes(observing, PAYPAL));
}
