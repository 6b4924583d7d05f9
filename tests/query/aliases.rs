//! Aliases that rules, zone files and records put into answers: what they lead to, and what of that is not seen.

use crate::common::*;
use hickory_proto::op::ResponseCode;
use stairgate::config::settings::{LocalRecord, Settings, Zone, ZoneSource};
use stairgate::count::Count;
use stairgate::list::set::Gate;
use stairgate::query::Transport;
use stairgate::resolver::Failure;
use std::sync::Arc;

const SOA: &str = "$TTL 60\n@ SOA localhost. root.localhost. 1 1h 15m 30d 2h\n@ NS localhost.\n";

/// A road over these lists (the first in front), all enabled.
fn road(lists: &[&str], script: &Arc<Script>, adapt: impl Fn(&mut Settings)) -> Road {
    let mut settings = settings();
    let list = Settings::builtin(&std::env::temp_dir()).lists.remove(0);
    let names: Vec<String> = (1..=lists.len()).map(|number| format!("list{number}")).collect();
    let texts: Vec<(&str, &str, &str)> = names
        .iter()
        .zip(lists)
        .map(|(name, text)| (&**name, "x", *text))
        .collect();
    for name in &names {
        let mut list = list.clone();
        list.name = name.clone();
        list.category = "x".to_owned();
        settings.lists.push(list);
    }
    settings.profiles[0].block = vec!["x".to_owned()];
    adapt(&mut settings);
    let mut road = Road::new(self::settings(), script);
    road.generation = with_gate(settings, Gate::from_lists(&texts));
    road
}

fn rpz(rules: &str) -> String {
    format!("{SOA}{rules}\n")
}

/// Owner and data of each answer.
fn chain(came: &Came) -> Vec<String> {
    let message = came.message();
    let line = |record: &hickory_proto::rr::Record| format!("{} {}", record.name, record.data);
    message.answers.iter().map(line).collect()
}

fn codes(came: &Came) -> Vec<u16> {
    errors(&came.bytes).iter().map(|(code, _)| *code).collect()
}

/// NSCOUNT and ARCOUNT as the header has them.
fn counts(came: &Came) -> (u8, u8) {
    (came.bytes[9], came.bytes[11])
}

#[test]
fn an_alias_of_a_list_is_answered_with_one_opt_whatever_is_cached_and_however_it_is_asked() {
    let zone = rpz("rpzcn.example CNAME target.example.\n*.wild.example CNAME *.garden.example.");
    let adguard = "! Title: a\n||agcn.example^$dnsrewrite=target.example\n".to_owned();
    for (list, name, target) in [
        (&zone, "rpzcn.example.", "target.example."),
        (&zone, "a.wild.example.", "a.wild.example.garden.example."),
        (&adguard, "agcn.example.", "target.example."),
    ] {
        for transport in [Transport::Udp, Transport::Tcp] {
            let record = format!("{target} 60 A 192.0.2.5");
            let script = Script::new().says(target, "A", 0, &[&record]);
            let mut road = road(&[list], &script, |_| {});
            road.peer.transport = transport;
            let expected = [format!("{name} {target}"), format!("{target} 192.0.2.5")];
            for cached in [false, true] {
                let came = road.ask(&ask(name, "A").edns(1232, true));
                assert_eq!(chain(&came), expected, "{transport:?}");
                assert_eq!(counts(&came), (0, 1), "the OPT is counted once");
                assert_eq!(codes(&came), [4, 17], "who wrote it is told");
                assert_eq!(came.counted(Count::Cached), cached);
            }
            let plain = road.ask(&ask(name, "A"));
            assert_eq!(chain(&plain), expected);
            assert_eq!(counts(&plain), (0, 0));
        }
    }
}

#[test]
fn an_alias_that_leads_nowhere_has_one_soa_and_one_opt() {
    let zone = rpz("gone.example CNAME none.example.");
    let script = Script::new().says("none.example.", "A", 3, &["example. 60 SOA ns.x. host.x. 1 2 3 4 5"]);
    let road = road(&[&zone], &script, |_| {});
    for _ in 0..2 {
        let came = road.ask(&ask("gone.example.", "A").edns(1232, false));
        assert_eq!(came.message().metadata.response_code, ResponseCode::NXDomain);
        assert_eq!(counts(&came), (1, 1));
    }
    let failing = Script::new();
    failing.gives("none.example.", "A", Err(Failure::Unreachable));
    let came = self::road(&[&zone], &failing, |_| {}).ask(&ask("gone.example.", "A").edns(1232, false));
    assert_eq!(came.message().metadata.response_code, ResponseCode::ServFail);
    assert_eq!((counts(&came), codes(&came)), ((0, 1), vec![22]));
}

#[test]
fn an_alias_in_an_answer_that_a_list_leads_elsewhere_has_one_opt_too() {
    let zone = rpz("cdn.example CNAME safe.example.");
    let script = Script::new().says("safe.example.", "A", 0, &["safe.example. 60 A 192.0.2.5"]);
    let records = ["www.example. 60 CNAME cdn.example.", "cdn.example. 60 A 192.0.2.9"];
    script.says("www.example.", "A", 0, &records);
    let road = road(&[&zone], &script, |_| {});
    for _ in 0..2 {
        let came = road.ask(&ask("www.example.", "A").edns(1232, false));
        let expected = [
            "www.example. cdn.example.",
            "cdn.example. safe.example.",
            "safe.example. 192.0.2.5",
        ];
        assert_eq!(chain(&came), expected);
        assert_eq!(counts(&came), (0, 1));
    }
}

/// Two names of a domain list, one of which an alias of somebody leads to.
const LISTED: &str = "# domains\nblocked.example\n";

fn bad_targets() -> Arc<Script> {
    let script = Script::new().says("blocked.example.", "A", 0, &["blocked.example. 60 A 192.0.2.9"]);
    let records = [
        "mid.example. 60 CNAME blocked.example.",
        "blocked.example. 60 A 192.0.2.9",
    ];
    script.says("mid.example.", "A", 0, &records)
}

#[test]
fn a_listed_name_is_not_seen_through_an_alias_of_a_rule() {
    let adguard = "! Title: a\n||tobad.example^$dnsrewrite=blocked.example\n||tomid.example^$dnsrewrite=mid.example\n";
    let zone = rpz("rpzbad.example CNAME blocked.example.");
    let unbound = "local-zone: \"unbad.example\" redirect\nlocal-data: \"unbad.example CNAME blocked.example\"\n";
    let script = bad_targets();
    for open in [true, false] {
        let names = if open { "# domains\nother.example\n" } else { LISTED };
        let road = road(&[adguard, &zone, unbound, names], &script, |settings| {
            settings.profiles[0].deny.clear();
        });
        for name in ["tobad.example.", "tomid.example.", "rpzbad.example.", "unbad.example."] {
            for _ in 0..2 {
                let came = road.ask(&ask(name, "A").edns(1232, false));
                let seen = chain(&came).join(", ").contains("192.0.2.9");
                assert_eq!(seen, open, "{name} {:?}", chain(&came));
                assert_eq!(came.counted(Count::BlockedByAnswer), !open, "{name}");
                if !open {
                    assert_eq!(chain(&came), [format!("{name} 0.0.0.0")]);
                    assert_eq!(codes(&came), [17]);
                }
            }
        }
    }
}

#[test]
fn a_listed_name_is_not_seen_through_an_alias_of_a_zone_file_or_a_record() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("home.zone");
    std::fs::write(
        &file,
        "@ SOA ns.home.example. host.home.example. 1 2 3 4 60\nbad CNAME blocked.example.\nmid CNAME mid.example.\n\
         good CNAME fine.example.\n",
    )
    .unwrap();
    let script = bad_targets().says("fine.example.", "A", 0, &["fine.example. 60 A 192.0.2.5"]);
    let local = |settings: &mut Settings| {
        settings.profiles[0].deny.clear();
        settings.profiles[0].allow = vec![name("trusted.example").into()];
        settings.zones = vec![Zone {
            name: name("home.example"),
            source: ZoneSource::File(file.clone()),
        }];
        settings.records = ["record.example", "trusted.example"]
            .map(|owner| LocalRecord {
                name: name(owner),
                data: vec!["CNAME blocked.example.".to_owned()],
            })
            .to_vec();
    };
    let road = road(&[LISTED], &script, local);
    for name in ["bad.home.example.", "mid.home.example.", "record.example."] {
        for _ in 0..2 {
            let came = road.ask(&ask(name, "A").edns(1232, false));
            assert_eq!(chain(&came), [format!("{name} 0.0.0.0")]);
            assert!(came.counted(Count::BlockedByAnswer) && came.counted(Count::Local));
        }
    }
    let good = road.ask(&ask("good.home.example.", "A").edns(1232, false));
    assert_eq!(
        chain(&good),
        ["good.home.example. fine.example.", "fine.example. 192.0.2.5"]
    );
    assert_eq!((counts(&good), codes(&good)), ((0, 1), vec![]));
    let trusted = road.ask(&ask("trusted.example.", "A"));
    assert_eq!(
        trusted.message().answers.len(),
        2,
        "an own allow covers the whole answer"
    );
}

#[test]
fn what_a_list_has_in_place_of_an_alias_target_stands_behind_the_alias() {
    let adguard = "! Title: a\n||start.example^$dnsrewrite=walled.example\n||far.example^$dnsrewrite=mid.example\n";
    let zone = rpz("walled.example A 192.0.2.80\nblocked.example CNAME page.example.");
    let script = bad_targets().says("page.example.", "A", 0, &["page.example. 60 A 192.0.2.81"]);
    let road = road(&[adguard, &zone], &script, |settings| settings.profiles[0].deny.clear());
    let came = road.ask(&ask("start.example.", "A").edns(1232, false));
    assert_eq!(
        chain(&came),
        ["start.example. walled.example.", "walled.example. 192.0.2.80"]
    );
    assert_eq!((counts(&came), codes(&came)), ((0, 1), vec![4, 17]));
    let far = road.ask(&ask("far.example.", "A").edns(1232, false));
    let expected = [
        "far.example. mid.example.",
        "mid.example. blocked.example.",
        "blocked.example. page.example.",
        "page.example. 192.0.2.81",
    ];
    assert_eq!(chain(&far), expected);
    assert_eq!(counts(&far), (0, 1));
}

#[test]
fn a_zone_has_had_its_say_once_an_alias_of_it_stands_and_zones_in_front_have_not() {
    let moves = rpz("moved.example CNAME here.example.\nhere.example CNAME .\n*.grow.example CNAME *.x.grow.example.");
    let blocks = rpz("here.example CNAME .");
    let script = Script::new().says("here.example.", "A", 0, &["here.example. 60 A 192.0.2.5"]);
    let grown = "a.grow.example.x.grow.example.";
    script.says(grown, "A", 0, &[&format!("{grown} 60 A 192.0.2.6")]);
    let rcode = |zones: &[&str]| {
        let came = road(zones, &script, |_| {}).ask(&ask("moved.example.", "A"));
        came.message().metadata.response_code
    };
    assert_eq!(rcode(&[&moves]), ResponseCode::NoError);
    assert_eq!(rcode(&[&moves, &blocks]), ResponseCode::NoError, "a zone behind");
    assert_eq!(rcode(&[&blocks, &moves]), ResponseCode::NXDomain, "a zone in front");
    let came = road(&[&moves], &script, |_| {}).ask(&ask("a.grow.example.", "A"));
    assert_eq!(
        chain(&came),
        [format!("a.grow.example. {grown}"), format!("{grown} 192.0.2.6")],
        "a wildcard does not rewrite what it wrote"
    );
}

#[test]
fn rules_that_send_a_name_round_in_a_circle_end_in_a_failure() {
    let circle = |from: &str, to: &str| format!("local-zone: \"{from}\" redirect\nlocal-data: \"{from} CNAME {to}\"\n");
    let both = circle("a.example", "b.example") + &circle("b.example", "a.example");
    let road = road(&[&both], &Script::new(), |_| {});
    let came = road.ask(&ask("a.example.", "A").edns(1232, false));
    assert_eq!(came.message().metadata.response_code, ResponseCode::ServFail);
    assert_eq!(counts(&came), (0, 1));
    assert_eq!(road.script.asked(), 0);
}

#[test]
fn an_alias_is_not_followed_for_a_client_whose_list_was_never_fetched() {
    let script = Script::new().says("fine.example.", "A", 0, &["fine.example. 60 A 192.0.2.5"]);
    let road = road(&[], &script, |settings| {
        let mut list = Settings::builtin(&std::env::temp_dir()).lists.remove(0);
        list.name = "late".to_owned();
        list.category = "x".to_owned();
        settings.lists.push(list);
        settings.records = vec![LocalRecord {
            name: name("record.example"),
            data: vec!["CNAME fine.example.".to_owned()],
        }];
    });
    let came = road.ask(&ask("record.example.", "A").edns(1232, false));
    assert_eq!(came.message().metadata.response_code, ResponseCode::ServFail);
    assert_eq!(codes(&came), [14]);
}
