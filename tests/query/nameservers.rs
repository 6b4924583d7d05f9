//! Rules about name servers, on the road without a resolver: what waits for what, and what is kept apart.

use crate::common::*;
use crate::rpz_answers::road;
use hickory_proto::op::ResponseCode;
use stairgate::cache::{Cache, CacheKey};
use stairgate::count::Count;
use stairgate::dns::{nameservers, rtype};
use stairgate::now::Now;
use stairgate::query::{self, Begun};
use std::sync::Arc;
use std::time::Duration;

const RULE: &str = "ns.bad.example.rpz-nsdname CNAME .";

fn rcode(road: &Road, name: &str) -> ResponseCode {
    road.ask(&ask(name, "A")).message().metadata.response_code
}

fn script() -> Arc<Script> {
    Script::new().says(
        "www.example.",
        "A",
        0,
        &["www.example. 60 CNAME cdn.example.", "cdn.example. 60 A 192.0.2.7"],
    )
}

#[test]
fn each_name_is_asked_about_once_and_who_has_no_such_rules_waits_for_the_answer_alone() {
    let script = script()
        .served("www.example", &["ns.example"], &[])
        .served("cdn.example", &["ns.bad.example"], &[]);
    let child = road(&[RULE], "", &script);
    assert_eq!(rcode(&child, "www.example."), ResponseCode::NXDomain);
    assert_eq!(script.asked(), 3);
    let came = child.ask(&ask("www.example.", "A"));
    assert_eq!(came.message().metadata.response_code, ResponseCode::NXDomain);
    assert!(came.counted(Count::BlockedByAnswer) && came.counted(Count::Cached) && !came.counted(Count::Resolved));
    assert_eq!(script.asked(), 3, "all of it is in the cache");
    let other = road(&["x.example CNAME ."], "", &script);
    assert_eq!(other.ask(&ask("www.example.", "A")).message().answers.len(), 2);
    assert_eq!(script.asked(), 4);
}

#[test]
fn what_the_cache_does_not_keep_is_used_all_the_same_and_asked_for_once() {
    let script =
        script()
            .served("www.example", &["ns.example"], &[])
            .served("cdn.example", &["ns.example"], &["192.0.2.53"]);
    let mut road = road(&["32.53.2.0.192.rpz-nsip CNAME ."], "", &script);
    road.cache = Cache::new(1 << 20, Duration::ZERO, Duration::ZERO);
    assert_eq!(rcode(&road, "www.example."), ResponseCode::NXDomain);
    assert_eq!(script.asked(), 3);
}

#[test]
fn an_own_allow_covers_the_whole_answer_and_nothing_is_asked_about_servers() {
    let script = Script::new().says("allowed.example.", "A", 0, &["allowed.example. 60 A 192.0.2.7"]);
    let mut road = road(&[RULE], "", &script);
    let generation = Arc::get_mut(&mut road.generation).unwrap();
    let mut settings = (*generation.settings).clone();
    settings.profiles[0].allow = vec![name("allowed.example").into()];
    generation.policy = stairgate::policy::Policy::build(&generation.gate, &settings, &[]).unwrap();
    assert_eq!(rcode(&road, "allowed.example."), ResponseCode::NoError);
    assert_eq!(script.asked(), 1);
}

#[test]
fn where_the_servers_cannot_be_found_out_the_answer_is_servfail_and_says_why_unless_they_were_known_before() {
    let script = script().served("www.example", &["ns.example"], &[]);
    let mut road = road(&[RULE], "", &script);
    let came = road.ask(&ask("www.example.", "A").edns(1232, false));
    assert_eq!(came.message().metadata.response_code, ResponseCode::ServFail);
    assert!(came.counted(Count::Failed));
    assert_eq!(
        errors(&came.bytes)[0],
        (22, "who serves the zones of the name could not be found out".to_owned())
    );
    script.served("cdn.example", &["ns.example"], &[]);
    assert_eq!(rcode(&road, "www.example."), ResponseCode::NoError);
    road.script = Script::new();
    road.now = Now {
        mono_ms: road.now.mono_ms + 1_000_000,
        ..road.now
    };
    let came = road.ask(&ask("www.example.", "A"));
    assert_eq!(came.message().metadata.response_code, ResponseCode::NoError);
    assert!(came.counted(Count::Stale));
}

#[test]
fn a_message_that_is_not_about_servers_does_not_pass_for_one() {
    let script = script().served("www.example", &["ns.example"], &[]);
    let road = road(&[RULE], "", &script);
    let mut out = vec![0; 65_535];
    let bytes = ask("www.example.", "A").bytes();
    let (begun, _) = query::begin(&road.generation, &road.cache, &bytes, &road.peer, road.now, &mut out);
    let Begun::Pending(pending) = begun else {
        panic!("it waits")
    };
    let answer = stairgate::resolver::Answer {
        message: message("www.example.", "A", 0, &["www.example. 60 A 192.0.2.7"]),
        ede: Vec::new(),
    };
    let (begun, _) = query::finish(pending, Ok(answer.clone()), &road.cache, road.now, &mut out);
    let Begun::Pending(pending) = begun else {
        panic!("it waits for the servers")
    };
    assert_eq!(pending.question().qtype, rtype::NAMESERVERS);
    let (begun, counts) = query::finish(pending, Ok(answer), &road.cache, road.now, &mut out);
    let Begun::Respond(len) = begun else {
        panic!("a response")
    };
    assert_eq!(read(&out[..len]).metadata.response_code, ResponseCode::ServFail);
    assert!(counts.contains(Count::Failed));
}

#[test]
fn no_client_gets_at_what_is_known_of_servers_nor_puts_anything_in_its_place() {
    let script = Script::new();
    let road = road(&[RULE], "", &script);
    let qname = name("www.example");
    let key = CacheKey {
        qname: qname.as_wire(),
        qtype: rtype::NAMESERVERS,
        dnssec_ok: false,
        checking_disabled: false,
    };
    let known = nameservers::write(&qname, 60, [&name("ns.example")], []);
    road.cache.put(&key, &known, road.now);
    let mut bytes = ask("www.example.", "A").bytes();
    let at = bytes.len() - 4;
    bytes[at..at + 2].copy_from_slice(&rtype::NAMESERVERS.to_be_bytes());
    let came = road.walk(&bytes);
    assert!(came.counted(Count::Formerr));
    assert_eq!(
        (script.asked(), came.bytes[7]),
        (0, 0),
        "nobody is asked, nothing is answered"
    );
    let mut out = vec![0; 65_535];
    let hit = road.cache.get(&key, road.now, &mut out).expect("it stays");
    assert_eq!(out[..hit.len], known);
}
