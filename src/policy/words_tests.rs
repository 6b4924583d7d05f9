//! What a profile says in words: services, safe search, the guard, only some names, types.

use super::tests::{World, settings};
use super::*;
use crate::catalogue::Catalogue;
use crate::config::household::OwnName;
use crate::config::household::OwnService;
use crate::config::settings::ProfileSettings;
use crate::config::settings::YoutubeMode;
use crate::dns::rtype;
use crate::list::set::Gate;

/// A world without lists whose profile `default` was changed so.
fn world(change: impl FnOnce(&mut ProfileSettings)) -> World {
    world_with(&[], change)
}

fn world_with(lists: &[(&str, &str, &str)], change: impl FnOnce(&mut ProfileSettings)) -> World {
    let mut settings = settings();
    change(&mut settings.profiles[0]);
    World::with(lists, settings)
}

fn own(names: &[&str]) -> Vec<OwnName> {
    names.iter().map(|name| Name::parse(name).unwrap().into()).collect()
}

#[test]
fn a_blocked_service_is_blocked_with_all_its_names_and_others_are_not() {
    let world = world(|profile| profile.services = vec!["tiktok".to_owned(), "roblox".to_owned()]);
    for name in ["tiktok.com", "www.tiktok.com", "v16.tiktokcdn.com"] {
        assert_eq!(world.says(name, rtype::A), "block as TikTok", "{name}");
    }
    assert_eq!(world.says("www.roblox.com", rtype::HTTPS), "block as Roblox");
    for name in ["www.youtube.com", "tiktok.com.example", "mytiktok.com"] {
        assert_eq!(world.says(name, rtype::A), "pass", "{name}");
    }
    let asker = world.asker("127.0.0.1");
    assert_eq!(
        world.says_of_answer(&asker, "edge.tiktokcdn.com", rtype::CNAME),
        "block as TikTok"
    );
}

#[test]
fn the_most_specific_name_says_whose_it_is() {
    let names = |id: &str| {
        let services = &Catalogue::shipped().services;
        let of = services.get(id).unwrap().domains.iter();
        of.map(|domain| domain.name.clone()).collect::<Vec<_>>()
    };
    // YouTube Music has a name below YouTube's.
    let music = names("youtube-music")
        .into_iter()
        .find(|name| name.ends_with(".youtube.com"))
        .unwrap();
    let without = world(|profile| profile.services = vec!["youtube".to_owned()]);
    assert_eq!(without.says("www.youtube.com", rtype::A), "block as YouTube");
    assert_eq!(without.says(&music, rtype::A), "pass");
    let alone = world(|profile| profile.services = vec!["youtube-music".to_owned()]);
    assert_eq!(alone.says("www.youtube.com", rtype::A), "pass");
    assert!(alone.says(&music, rtype::A).starts_with("block"));
}

#[test]
fn a_service_of_the_household_is_one_like_all_and_takes_the_place_of_one_with_its_id() {
    let mut settings = settings();
    let service = |id: &str, name: &str| OwnService {
        id: id.to_owned(),
        name: id.to_owned(),
        names: own(&[name]),
    };
    settings.household = Some(crate::config::household::Household {
        services: vec![service("club", "chess.example"), service("tiktok", "tok.example")],
        ..Default::default()
    });
    settings.profiles[0].services = vec!["club".to_owned(), "tiktok".to_owned()];
    let world = World::with(&[], settings);
    assert_eq!(world.says("www.chess.example", rtype::A), "block as club");
    assert_eq!(world.says("tok.example", rtype::A), "block as tiktok");
    assert_eq!(world.says("tiktok.com", rtype::A), "pass");
}

#[test]
fn an_engine_is_led_to_its_safe_host_by_the_exact_host_alone() {
    let world = world(|profile| {
        profile.safe_search = vec!["google".to_owned(), "bing".to_owned()];
        profile.youtube = Some(YoutubeMode::Moderate);
    });
    for name in ["www.google.com", "WWW.Google.de"] {
        assert_eq!(
            world.says(name, rtype::A),
            "cname forcesafesearch.google.com. for safe google"
        );
    }
    assert_eq!(
        world.says("www.google.com", rtype::HTTPS),
        "cname forcesafesearch.google.com. for safe google"
    );
    assert_eq!(
        world.says("www.bing.com", rtype::AAAA),
        "cname strict.bing.com. for safe bing"
    );
    assert_eq!(
        world.says("www.youtube.com", rtype::A),
        "cname restrictmoderate.youtube.com. for safe youtube"
    );
    for name in [
        "mail.google.com",
        "x.www.google.com",
        "duckduckgo.com",
        "google.com.example",
    ] {
        assert_eq!(world.says(name, rtype::A), "pass", "{name}");
    }
    let strict = super::words_tests::world(|profile| profile.youtube = Some(YoutubeMode::Strict));
    assert_eq!(
        strict.says("www.youtube.com", rtype::A),
        "cname restrict.youtube.com. for safe youtube"
    );
}

#[test]
fn the_guard_blocks_ways_around_by_name_and_by_address() {
    let world = world(|profile| profile.bypass_guard = true);
    assert_eq!(world.says("dns.google", rtype::A), "block as way around: doh");
    assert!(
        world
            .says("www.torproject.org", rtype::A)
            .starts_with("block as way around: tor")
    );
    for name in ["www.google.com", "cloudflare.com", "apple.com"] {
        assert_eq!(world.says(name, rtype::A), "pass", "{name}");
    }
    let asker = world.asker("127.0.0.1");
    assert!(world.policy.inspects(&asker).addresses);
    assert_eq!(world.says_of_address(&asker, "1.1.1.1"), "block as way around: doh");
    assert_eq!(world.says_of_address(&asker, "192.0.2.1"), "pass");
    let without = super::words_tests::world(|_| {});
    assert_eq!(without.says("dns.google", rtype::A), "pass");
    assert_eq!(without.says_of_address(&asker, "1.1.1.1"), "pass");
}

#[test]
fn where_only_some_names_are_there_all_others_are_blocked_but_what_clocks_and_portals_need() {
    let list = ("adult", "adult", "bad.kids.example\n");
    let world = world_with(&[list], |profile| profile.only = Some(own(&["kids.example"])));
    assert_eq!(world.says("www.kids.example", rtype::A), "pass");
    assert_eq!(world.says("bad.kids.example", rtype::A), "block by adult");
    assert_eq!(
        world.says("elsewhere.example", rtype::A),
        "block as none of the only names"
    );
    assert_eq!(world.says("captive.apple.com", rtype::A), "pass");
    let asker = world.asker("127.0.0.1");
    assert_eq!(
        world.says_of_answer(&asker, "cdn.example", rtype::CNAME),
        "pass",
        "what a page needs"
    );
    assert!(
        !world.policy.goes_by_lists_alone(&asker),
        "a cached answer is judged, too"
    );
}

#[test]
fn a_profile_does_without_the_types_it_names() {
    let world = world(|profile| profile.types = vec![rtype::HTTPS]);
    assert_eq!(world.says("www.example", rtype::HTTPS), "nodata by type");
    assert_eq!(world.says("www.example", rtype::A), "pass");
}

#[test]
fn own_names_come_before_services_and_safe_search_and_those_before_lists() {
    let list = (
        "all",
        "all",
        "||www.google.com^\n@@||tiktok.com^$important\n@@||dns.google^$important\n",
    );
    let world = world_with(&[list], |profile| {
        profile.services = vec!["tiktok".to_owned(), "roblox".to_owned()];
        profile.safe_search = vec!["google".to_owned()];
        profile.bypass_guard = true;
        profile.allow = own(&["www.roblox.com", "www.google.de"]);
        profile.deny = own(&["www.google.fr"]);
    });
    assert_eq!(world.says("www.roblox.com", rtype::A), "pass whole by own allow 0");
    assert_eq!(world.says("www.google.de", rtype::A), "pass whole by own allow 1");
    assert_eq!(world.says("www.google.fr", rtype::A), "block by own deny 0");
    assert_eq!(world.says("tiktok.com", rtype::A), "block as TikTok");
    assert_eq!(world.says("dns.google", rtype::A), "block as way around: doh");
    assert_eq!(
        world.says("www.google.com", rtype::A),
        "cname forcesafesearch.google.com. for safe google"
    );
}

#[test]
fn a_profile_that_observes_only_notes_what_words_would_do() {
    let world = world(|profile| {
        profile.observe = true;
        profile.services = vec!["tiktok".to_owned()];
        profile.safe_search = vec!["google".to_owned()];
    });
    assert_eq!(world.says("tiktok.com", rtype::A), "block as TikTok (observed)");
    assert!(world.says("www.google.com", rtype::A).ends_with("(observed)"));
}

#[test]
fn a_service_or_an_engine_that_nobody_knows_is_an_error_that_names_it() {
    for (change, word) in [
        (
            Box::new(|profile: &mut ProfileSettings| profile.services = vec!["tictoc".to_owned()])
                as Box<dyn Fn(&mut _)>,
            "tictoc",
        ),
        (
            Box::new(|profile: &mut ProfileSettings| profile.safe_search = vec!["altavista".to_owned()]),
            "altavista",
        ),
    ] {
        let mut settings = settings();
        change(&mut settings.profiles[0]);
        let error = Policy::build(&Gate::empty(), &settings, &[]).map(drop).unwrap_err();
        assert!(error.to_string().contains(word), "{error}");
    }
}
