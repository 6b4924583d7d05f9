//! Servers and lines that change with time.

use super::authority::{Reply, Temper, answer};
use super::network::{Internet, ROOT, ip};
use super::zones::{Zone, name};
use crate::config::settings::QnameMinimization;
use crate::dns::rtype::*;
use std::sync::Arc;

/// A root, `com`, and `example.com` at `count` servers 193.0.0.1 and up.
fn world(seed: u64, count: u8) -> Internet {
    let mut internet = Internet::new(seed);
    internet.zone(
        ROOT,
        ".",
        "@ NS a.root.; a.root. A 198.41.0.4; com. NS ns.com.; ns.com. A 192.5.6.30",
    );
    let mut com = "@ NS ns; ns A 192.5.6.30".to_owned();
    let mut own = "*.w A 192.0.2.1; www A 192.0.2.2".to_owned();
    for server in 1..=count {
        com += &format!("; example NS ns{server}.example; ns{server}.example A 193.0.0.{server}");
        own += &format!("; @ NS ns{server}; ns{server} A 193.0.0.{server}");
    }
    internet.zone("192.5.6.30", "com", &com);
    let zone = Zone::new("example.com", &own);
    for server in 1..=count {
        internet.serve(&format!("193.0.0.{server}"), &zone);
    }
    internet
}

fn temper(internet: &mut Internet, address: &str, temper: Temper) {
    internet.servers.get_mut(&ip(address)).unwrap().temper = temper;
}

#[test]
fn a_slow_server_is_listened_to_after_its_time_is_up() {
    let mut internet = world(1, 1);
    internet.servers.get_mut(&ip("193.0.0.1")).unwrap().delay_ms = 900;
    let started = internet.now_ms;
    assert_eq!(internet.ask("www.example.com", A), "NOERROR: 192.0.2.2");
    assert!(internet.now_ms - started < 1100, "{}", internet.now_ms - started);
    assert!(internet.at("193.0.0.1") <= 3);
    // Its time is known now.
    let before = internet.at("193.0.0.1");
    internet.ask("a.w.example.com", A);
    internet.ask("b.w.example.com", A);
    assert!(
        internet.at("193.0.0.1") - before <= 5,
        "{}",
        internet.at("193.0.0.1") - before
    );
}

#[test]
fn the_faster_of_two_servers_gets_nearly_all_questions_and_the_slower_is_not_forgotten() {
    let mut internet = world(2, 2);
    internet.servers.get_mut(&ip("193.0.0.1")).unwrap().delay_ms = 120;
    for number in 0..300 {
        internet.ask(&format!("n{number}.w.example.com"), A);
    }
    assert!(internet.at("193.0.0.2") > 250, "{}", internet.at("193.0.0.2"));
    let slow = internet.at("193.0.0.1");
    assert!((3..60).contains(&slow), "{slow}");
    // The fast one dies, the slow one takes over; and back again.
    temper(&mut internet, "193.0.0.2", Temper::Silent);
    for number in 300..400 {
        let name = format!("n{number}.w.example.com");
        assert_eq!(internet.ask(&name, A), "NOERROR: 192.0.2.1");
    }
    let dead = internet.at("193.0.0.2");
    assert!(internet.at("193.0.0.1") - slow >= 100);
    temper(&mut internet, "193.0.0.2", Temper::Good);
    for number in 400..800 {
        internet.now_ms += 50;
        internet.ask(&format!("n{number}.w.example.com"), A);
    }
    assert!(
        internet.at("193.0.0.2") - dead > 200,
        "{}",
        internet.at("193.0.0.2") - dead
    );
}

#[test]
fn a_line_that_comes_back_answers_within_seconds() {
    let mut internet = world(3, 2);
    for address in [ROOT, "192.5.6.30", "193.0.0.1", "193.0.0.2"] {
        temper(&mut internet, address, Temper::Silent);
    }
    for _ in 0..200 {
        internet.now_ms += 3_000;
        assert_eq!(internet.ask("www.example.com", A), "failed: no server answered in time");
    }
    for address in [ROOT, "192.5.6.30", "193.0.0.1", "193.0.0.2"] {
        temper(&mut internet, address, Temper::Good);
    }
    let back = internet.now_ms;
    while internet.ask("www.example.com", A) != "NOERROR: 192.0.2.2" {
        internet.now_ms += 500;
        assert!(internet.now_ms - back < 20_000, "{}", internet.now_ms - back);
    }
}

#[test]
fn silence_everywhere_costs_few_packets_once_it_is_known() {
    let mut internet = world(4, 2);
    internet.ask("www.example.com", A);
    for address in ["193.0.0.1", "193.0.0.2"] {
        temper(&mut internet, address, Temper::Silent);
    }
    for number in 0..20 {
        internet.ask(&format!("n{number}.w.example.com"), A);
    }
    let before = internet.sent.len();
    for number in 20..120 {
        internet.now_ms += 100;
        internet.ask(&format!("n{number}.w.example.com"), A);
    }
    assert!(internet.sent.len() - before < 200, "{}", internet.sent.len() - before);
}

#[test]
fn a_server_that_turns_lame_is_left_for_the_others_and_asked_first_no_more() {
    let mut internet = world(5, 3);
    temper(&mut internet, "193.0.0.1", Temper::Code(5));
    for number in 0..200 {
        assert_eq!(
            internet.ask(&format!("n{number}.w.example.com"), A),
            "NOERROR: 192.0.2.1"
        );
    }
    assert!(internet.at("193.0.0.1") <= 2, "{}", internet.at("193.0.0.1"));
    // Everything else fails: then it is better than nothing.
    temper(&mut internet, "193.0.0.1", Temper::Good);
    temper(&mut internet, "193.0.0.2", Temper::Code(2));
    temper(&mut internet, "193.0.0.3", Temper::Code(2));
    assert_eq!(internet.ask("x.w.example.com", A), "NOERROR: 192.0.2.1");
}

#[test]
fn a_zone_that_moves_is_found_at_its_new_servers_when_the_delegation_ends() {
    let mut internet = world(6, 1);
    assert_eq!(internet.ask("www.example.com", A), "NOERROR: 192.0.2.2");
    let com = Zone::new(
        "com",
        "@ NS ns; ns A 192.5.6.30; example NS ns.example; ns.example A 193.0.0.9",
    );
    internet.servers.get_mut(&ip("192.5.6.30")).unwrap().zones = vec![com];
    internet.zone("193.0.0.9", "example.com", "@ NS ns; ns A 193.0.0.9; www A 192.0.2.99");
    internet.now_ms += 299_000;
    assert_eq!(internet.ask("www.example.com", A), "NOERROR: 192.0.2.2");
    internet.now_ms += 2_000;
    assert_eq!(internet.ask("www.example.com", A), "NOERROR: 192.0.2.99");
}

#[test]
fn rfc2181_5_4_1_the_zones_own_ns_set_goes_before_its_parents_once_it_is_known() {
    let mut internet = world(7, 1);
    let own = Zone::new(
        "example.com",
        "@ NS new; new A 193.0.0.8; *.w A 192.0.2.1; www A 192.0.2.2; ns1 A 193.0.0.1",
    );
    internet.servers.get_mut(&ip("193.0.0.1")).unwrap().zones = vec![Arc::clone(&own)];
    internet.serve("193.0.0.8", &own);
    let zones = vec![own];
    // This server adds the addresses of the servers it names.
    internet.servers.get_mut(&ip("193.0.0.1")).unwrap().script = Some(Arc::new(move |query, _| {
        let mut reply = Reply::to(query);
        answer(&zones, &mut reply, false);
        if reply.qtype() == NS {
            reply.sections[2].extend(zones[0].get(&name("new.example.com"), A).cloned());
        }
        vec![reply.bytes()]
    }));
    for number in 0..40 {
        assert_eq!(
            internet.ask(&format!("n{number}.w.example.com"), A),
            "NOERROR: 192.0.2.1"
        );
    }
    let before = internet.at("193.0.0.1");
    for number in 40..60 {
        internet.ask(&format!("n{number}.w.example.com"), A);
    }
    assert!(internet.at("193.0.0.8") > 10);
    assert!(internet.at("193.0.0.1") - before <= 3, "only now and then");
    // The new one fails: the parent's is still there.
    temper(&mut internet, "193.0.0.8", Temper::Silent);
    assert_eq!(internet.ask("last.w.example.com", A), "NOERROR: 192.0.2.1");
}

#[test]
fn servers_that_are_not_there_at_start_are_found_when_they_come() {
    let mut internet = world(8, 1);
    internet.settings.prime = true;
    let root = internet.servers.remove(&ip(ROOT)).unwrap();
    assert!(internet.ask("www.example.com", A).starts_with("failed: "));
    internet.servers.insert(ip(ROOT), root);
    internet.now_ms += 2_000;
    assert_eq!(internet.ask("www.example.com", A), "NOERROR: 192.0.2.2");
}

#[test]
fn many_new_names_at_once_ask_for_what_they_have_in_common_once() {
    let mut internet = world(9, 2);
    let names: Vec<String> = (0..100).map(|number| format!("n{number}.w.example.com")).collect();
    let questions: Vec<(&str, u16)> = names.iter().map(|name| (name.as_str(), A)).collect();
    let results = internet.resolve_all(&questions);
    assert!(results.iter().all(Result::is_ok));
    assert_eq!((internet.at(ROOT), internet.at("192.5.6.30")), (1, 1));
    assert!(internet.sent.len() <= 104, "{}", internet.sent.len());
}

#[test]
fn what_is_popular_can_be_renewed_before_it_expires() {
    let mut internet = world(10, 1);
    internet.ask("www.example.com", A);
    internet.now_ms += 280_000;
    let engine = internet.engine();
    let before = internet.sent.len();
    internet.ask("www.example.com", A);
    assert_eq!(internet.sent.len(), before);
    internet.least_left_ms = 30_000;
    assert_eq!(internet.ask("www.example.com", A), "NOERROR: 192.0.2.2");
    assert_eq!(internet.sent.len(), before + 1);
    internet.least_left_ms = 0;
    internet.now_ms += 100_000;
    assert_eq!(internet.ask("www.example.com", A), "NOERROR: 192.0.2.2");
    assert_eq!(internet.sent.len(), before + 1, "it lives on from the renewal");
    assert!(engine.store.stale(&name("www.example.com"), A).is_some());
}

#[test]
fn a_denial_that_follows_from_one_above_is_renewed_at_the_servers_as_well() {
    let mut internet = world(11, 1);
    internet.settings.minimization = QnameMinimization::Strict;
    assert_eq!(internet.ask("none.example.com", A), "NXDOMAIN");
    let before = internet.sent.len();
    assert_eq!(internet.ask("below.none.example.com", A), "NXDOMAIN");
    assert_eq!(internet.sent.len(), before, "it follows from the first");
    internet.least_left_ms = 86_400_000;
    assert_eq!(internet.ask("below.none.example.com", A), "NXDOMAIN");
    assert!(internet.sent.len() > before);
}
