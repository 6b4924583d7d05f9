//! A household on the query road: safe search with what its alias leads to, hours that end while answers are kept.

use crate::common::*;
use hickory_proto::op::ResponseCode;
use jiff::tz::TimeZone;
use stairgate::config::household::{Household, Person, Subjects, Target, WindowSettings};
use stairgate::config::settings::{ClientSettings, Settings, YoutubeMode};
use stairgate::count::Count;
use stairgate::now::Now;
use stairgate::schedule::Window;
use std::sync::Arc;

/// 14 November 2023, 22:13:20 UTC, as [`now`] has it.
const MIDNIGHT_IN_S: u64 = 6_400;

fn codes(came: &Came) -> Vec<u16> {
    errors(&came.bytes).iter().map(|(code, _)| *code).collect()
}

fn searching() -> Settings {
    let mut settings = settings();
    settings.profiles[0].safe_search = vec!["google".to_owned()];
    settings.profiles[0].youtube = Some(YoutubeMode::Strict);
    settings
}

#[test]
fn a_search_engine_is_answered_with_an_alias_to_its_safe_host_and_with_what_that_holds() {
    let script = Script::new()
        .says(
            "forcesafesearch.google.com.",
            "A",
            0,
            &["forcesafesearch.google.com. 300 A 192.0.2.120"],
        )
        .says(
            "forcesafesearch.google.com.",
            "AAAA",
            0,
            &["forcesafesearch.google.com. 300 AAAA 2001:db8::120"],
        )
        .says(
            "forcesafesearch.google.com.",
            "HTTPS",
            0,
            &["google.com. 60 SOA ns.x. host.x. 1 2 3 4 5"],
        );
    let road = Road::new(searching(), &script);
    for (rtype, data) in [("A", "192.0.2.120"), ("AAAA", "2001:db8::120")] {
        for _ in 0..2 {
            let came = road.ask(&ask("www.google.de.", rtype).edns(1232, true));
            let message = came.message();
            assert_eq!(
                answers(&message),
                [
                    "www.google.de. 30 CNAME forcesafesearch.google.com.".to_owned(),
                    format!("forcesafesearch.google.com. 300 {rtype} {data}"),
                ]
            );
            assert_eq!(codes(&came), [4, 17], "forged, and filtered");
            assert!(errors(&came.bytes)[0].1.contains("safe search of google"));
            assert!(!message.metadata.authentic_data && came.counted(Count::Rewritten));
        }
    }
    // No other way in by a service record.
    let https = road.ask(&ask("www.google.de.", "HTTPS")).message();
    assert_eq!(https.answers.len(), 1);
    assert_eq!(
        script.asked(),
        3,
        "the second time what the alias leads to is in the cache"
    );
}

#[test]
fn a_search_engine_is_led_to_its_safe_host_where_an_alias_of_the_zone_leads_to_it() {
    let script = Script::new()
        .says(
            "search.example.",
            "A",
            0,
            &[
                "search.example. 300 CNAME www.youtube.com.",
                "www.youtube.com. 300 A 192.0.2.1",
            ],
        )
        .says(
            "restrict.youtube.com.",
            "A",
            0,
            &["restrict.youtube.com. 300 A 192.0.2.2"],
        );
    let road = Road::new(searching(), &script);
    for _ in 0..2 {
        let message = road.ask(&ask("search.example.", "A")).message();
        let data: Vec<String> = message.answers.iter().map(|record| record.data.to_string()).collect();
        assert_eq!(data, ["www.youtube.com.", "restrict.youtube.com.", "192.0.2.2"]);
    }
}

/// Whoever asks from 127.0.0.1 is Masha, whose internet is off from midnight UTC until six.
fn at_night() -> Settings {
    let mut settings = settings();
    settings.profiles[0].deny.clear();
    settings.household = Some(Household {
        zone: TimeZone::UTC,
        people: vec![Person {
            id: "masha".to_owned(),
            name: "Masha".to_owned(),
            profile: "default".to_owned(),
            zone: TimeZone::UTC,
            allow: Vec::new(),
            deny: Vec::new(),
            log: Default::default(),
        }],
        windows: vec![WindowSettings {
            name: "night".to_owned(),
            line: 7,
            subjects: Subjects {
                people: vec![0],
                ..Subjects::default()
            },
            when: Window::parse("every day", "0:00", "6:00").unwrap(),
            block: Target {
                internet: true,
                ..Target::default()
            },
            allow: Target::default(),
            reach: Target::default(),
        }],
        ..Household::default()
    });
    settings.clients = vec![ClientSettings {
        name: "phone".to_owned(),
        tags: Vec::new(),
        networks: vec!["127.0.0.1/32".parse().unwrap()],
        profile: "default".to_owned(),
        person: Some(0),
    }];
    settings
}

fn later(seconds: u64) -> Now {
    let now = now();
    Now {
        mono_ms: now.mono_ms + 1000 * seconds,
        unix_ms: now.unix_ms + 1000 * seconds,
    }
}

#[test]
fn an_answer_lives_no_longer_than_to_the_hour_at_which_it_would_be_another() {
    let script: Arc<Script> = Script::new().says("www.example.", "A", 0, &["www.example. 86400 A 192.0.2.1"]);
    let mut road = Road::new(at_night(), &script);
    let ttl = |came: Came| came.message().answers[0].ttl;
    for (seconds, expected) in [(0, MIDNIGHT_IN_S), (10, MIDNIGHT_IN_S - 10), (MIDNIGHT_IN_S - 1, 1)] {
        road.now = later(seconds);
        assert_eq!(
            u64::from(ttl(road.ask(&ask("www.example.", "A").edns(1232, false)))),
            expected
        );
    }
    assert_eq!(script.asked(), 1, "the others were answered by the cache");
    road.now = later(MIDNIGHT_IN_S);
    let blocked = road.ask(&ask("www.example.", "A").edns(1232, false));
    assert_eq!(answers(&blocked.message()), ["www.example. 30 A 0.0.0.0"]);
    assert_eq!(errors(&blocked.bytes), [(17, "night".to_owned())]);
    assert!(blocked.counted(Count::Blocked));
    road.now = later(MIDNIGHT_IN_S + 6 * 3600 - 5);
    let nearly_six = road.ask(&ask("www.example.", "A"));
    assert_eq!(ttl(nearly_six), 5);
    road.now = later(MIDNIGHT_IN_S + 6 * 3600);
    let six = road.ask(&ask("www.example.", "A")).message();
    assert_eq!(six.metadata.response_code, ResponseCode::NoError);
    assert_eq!(six.answers[0].data.to_string(), "192.0.2.1");
    // Somebody else has no hours.
    road.now = later(0);
    road.peer.address = "127.0.0.2:40000".parse().unwrap();
    assert!(ttl(road.ask(&ask("www.example.", "A"))) > 60_000);
}
