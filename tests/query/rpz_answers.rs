//! What response policy zones make of an answer's records, one after the other.

use crate::common::*;
use hickory_proto::op::ResponseCode;
use stairgate::config::settings::Settings;
use stairgate::list::set::Gate;
use stairgate::query::Transport;
use std::sync::Arc;

const SOA: &str = "$TTL 60\n@ SOA localhost. root.localhost. 1 1h 15m 30d 2h\n@ NS localhost.\n";

/// A road over these zones, the first in front, and a list of domains behind them.
pub fn road(zones: &[&str], domains: &str, script: &Arc<Script>) -> Road {
    let mut settings = settings();
    let list = Settings::builtin(&std::env::temp_dir()).lists.remove(0);
    let texts: Vec<String> = zones.iter().map(|zone| format!("{SOA}{zone}\n")).collect();
    let names: Vec<String> = (1..=zones.len()).map(|number| format!("zone{number}")).collect();
    let mut lists: Vec<(&str, &str, &str)> = Vec::new();
    for (name, text) in names.iter().zip(&texts) {
        lists.push((name, "x", text));
    }
    let domains = format!("# domains\n{domains}\n");
    lists.push(("zz", "x", &domains));
    for (name, ..) in &lists {
        let mut list = list.clone();
        list.name = (*name).to_owned();
        list.category = "x".to_owned();
        settings.lists.push(list);
    }
    settings.profiles[0].block = vec!["x".to_owned()];
    let mut road = Road::new(self::settings(), script);
    road.generation = with_gate(settings, Gate::from_lists(&lists));
    road
}

fn rcode(road: &Road, name: &str, rtype: &str) -> ResponseCode {
    road.ask(&ask(name, rtype)).message().metadata.response_code
}

#[test]
fn what_a_zone_lets_through_at_an_alias_it_and_zones_behind_it_let_through_further_on() {
    let script = Script::new().says(
        "www.example.",
        "A",
        0,
        &[
            "www.example. 60 CNAME cdn.example.",
            "cdn.example. 60 CNAME edge.example.",
            "edge.example. 60 A 192.0.2.7",
        ],
    );
    let passes = "cdn.example CNAME rpz-passthru.";
    let blocks = "edge.example CNAME .\n32.7.2.0.192.rpz-ip CNAME .";
    let both = format!("{passes}\n{blocks}");
    let says = |zones: &[&str], domains: &str| rcode(&road(zones, domains, &script), "www.example.", "A");
    assert_eq!(says(&[blocks], ""), ResponseCode::NXDomain, "without the exemption");
    assert_eq!(says(&[&both], ""), ResponseCode::NoError, "the zone itself");
    assert_eq!(says(&[passes, blocks], ""), ResponseCode::NoError, "a zone behind");
    assert_eq!(says(&[blocks, passes], ""), ResponseCode::NXDomain, "a zone in front");
    assert_eq!(
        says(&[passes, "www.example CNAME ."], ""),
        ResponseCode::NXDomain,
        "a match in front of the exemption counts"
    );
    let domains = road(&[passes], "edge.example", &script)
        .ask(&ask("www.example.", "A"))
        .message();
    assert_eq!(
        domains.answers[0].data.to_string(),
        "0.0.0.0",
        "a list of another kind is not kept from its say"
    );
}

#[test]
fn what_is_sent_to_tcp_at_an_alias_is_not_judged_again_there_by_zones_behind() {
    let script = Script::new().says(
        "www.example.",
        "A",
        0,
        &["www.example. 60 CNAME cdn.example.", "cdn.example. 60 A 192.0.2.7"],
    );
    let zones = ["cdn.example CNAME rpz-tcp-only.", "32.7.2.0.192.rpz-ip CNAME ."];
    let mut road = road(&zones, "", &script);
    assert!(road.ask(&ask("www.example.", "A")).message().metadata.truncation);
    road.peer.transport = Transport::Tcp;
    assert_eq!(road.ask(&ask("www.example.", "A")).message().answers.len(), 2);
}

#[test]
fn of_the_addresses_of_an_answer_the_first_zone_speaks_whatever_their_order() {
    let [seven, eight] = ["host.example. 60 A 192.0.2.7", "host.example. 60 A 192.0.2.8"];
    for records in [[seven, eight], [eight, seven]] {
        let script = Script::new().says("host.example.", "A", 0, &records);
        let says = |zones: &[&str], domains: &str| rcode(&road(zones, domains, &script), "host.example.", "A");
        let block = "32.7.2.0.192.rpz-ip CNAME .";
        let pass = "32.8.2.0.192.rpz-ip CNAME rpz-passthru.";
        let nodata = "32.8.2.0.192.rpz-ip CNAME *.";
        assert_eq!(says(&[pass, block], ""), ResponseCode::NoError, "{records:?}");
        assert_eq!(says(&[block, pass], ""), ResponseCode::NXDomain, "{records:?}");
        assert_eq!(says(&[nodata, block], ""), ResponseCode::NoError, "{records:?}");
        assert_eq!(says(&[block, nodata], ""), ResponseCode::NXDomain, "{records:?}");
        let same = format!("{block}\n{pass}");
        assert_eq!(
            says(&[&same], ""),
            ResponseCode::NXDomain,
            "one zone does not take its block back: {records:?}"
        );
    }
}

#[test]
fn what_lets_one_service_through_says_nothing_about_the_next() {
    let script = Script::new().says(
        "shop.example.",
        "HTTPS",
        0,
        &[
            "shop.example. 60 HTTPS 1 good.example. alpn=h2 ipv4hint=192.0.2.7",
            "shop.example. 60 HTTPS 2 bad.example. alpn=h2",
        ],
    );
    let says = |zones: &[&str]| rcode(&road(zones, "", &script), "shop.example.", "HTTPS");
    let pass = "good.example CNAME rpz-passthru.";
    assert_eq!(
        says(&[pass, "32.7.2.0.192.rpz-ip CNAME ."]),
        ResponseCode::NoError,
        "its own hints"
    );
    assert_eq!(says(&[pass, "bad.example CNAME ."]), ResponseCode::NXDomain);
}

#[test]
fn an_address_behind_a_translator_is_judged_as_the_ipv4_address_that_it_stands_for() {
    let script = Script::new()
        .says("www.example.", "AAAA", 0, &["www.example. 60 AAAA 64:ff9b::192.0.2.7"])
        .says(
            "other.example.",
            "AAAA",
            0,
            &["other.example. 60 AAAA 64:ff9b::192.0.2.8"],
        );
    let road = road(&["32.7.2.0.192.rpz-ip CNAME ."], "", &script);
    assert_eq!(rcode(&road, "www.example.", "AAAA"), ResponseCode::NXDomain);
    assert_eq!(rcode(&road, "other.example.", "AAAA"), ResponseCode::NoError);
}
