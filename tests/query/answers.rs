//! What each kind of question is answered with, without sockets.

use crate::common::*;
use hickory_proto::op::ResponseCode;
use hickory_proto::rr::{DNSClass, RecordType};
use stairgate::config::settings::{AnswerKind, ImposedBy, Unmatched};
use stairgate::count::Count;
use stairgate::query::Transport;
use stairgate::resolver::Failure;

const SOA: &str = "site.example. 300 SOA ns.site.example. host.site.example. 1 2 3 4 60";

#[test]
fn a_blocked_name_gets_null_addresses_for_thirty_seconds_and_other_types_an_soa() {
    let road = Road::new(settings(), &Script::new());
    let came = road.ask(&ask("www.Blocked.EXAMPLE.", "A"));
    let message = came.message();
    assert_eq!(answers(&message), ["www.Blocked.EXAMPLE. 30 A 0.0.0.0"]);
    assert!(message.metadata.recursion_available && !message.metadata.authoritative);
    assert!(came.counted(Count::Blocked) && !came.counted(Count::Resolved));
    assert_eq!(
        answers(&road.ask(&ask("blocked.example.", "AAAA")).message()),
        ["blocked.example. 30 AAAA ::"]
    );
    for rtype in ["HTTPS", "MX", "TXT", "ANY", "SVCB", "DS"] {
        let message = road.ask(&ask("blocked.example.", rtype)).message();
        assert_eq!(message.metadata.response_code, ResponseCode::NoError, "{rtype}");
        assert!(message.answers.is_empty(), "{rtype}");
        assert_eq!(message.authorities.len(), 1, "{rtype}");
        assert_eq!(message.authorities[0].record_type(), RecordType::SOA);
        assert_eq!(message.authorities[0].ttl, 30);
    }
}

#[test]
fn each_answer_kind_is_what_it_says_and_tells_why_only_where_the_query_had_opt() {
    let cases = [
        (AnswerKind::Null, 0, 1, 0, vec![17]),
        (AnswerKind::Nxdomain, 3, 0, 1, vec![17]),
        (AnswerKind::Nodata, 0, 0, 1, vec![17]),
        (AnswerKind::Refused, 5, 0, 0, vec![17]),
        (AnswerKind::Page, 0, 2, 0, vec![4, 17]),
    ];
    for (kind, rcode, answer_count, authority_count, codes) in cases {
        let mut settings = settings();
        settings.profiles[0].answer = kind;
        settings.profiles[0].answer_addresses = ["192.0.2.80", "192.0.2.81", "2001:db8::80"]
            .map(|text| text.parse().unwrap())
            .to_vec();
        let road = Road::new(settings, &Script::new());
        let came = road.ask(&ask("blocked.example.", "A").edns(1232, true));
        let message = came.message();
        assert_eq!(message.metadata.response_code, ResponseCode::from(0, rcode), "{kind:?}");
        assert_eq!(message.answers.len(), answer_count, "{kind:?}");
        assert_eq!(message.authorities.len(), authority_count, "{kind:?}");
        assert!(!message.metadata.authentic_data, "{kind:?}");
        let told = errors(&came.bytes);
        assert_eq!(
            told.iter().map(|(code, _)| *code).collect::<Vec<_>>(),
            codes,
            "{kind:?}"
        );
        assert!(!told[0].1.is_empty(), "{kind:?}: a person is told something");
        assert!(road.ask(&ask("blocked.example.", "A")).message().edns.is_none());
    }
}

#[test]
fn who_imposes_a_block_is_told_by_the_code() {
    for (imposed_by, code) in [
        (ImposedBy::Household, 17),
        (ImposedBy::Operator, 15),
        (ImposedBy::Law, 16),
    ] {
        let mut settings = settings();
        settings.profiles[0].imposed_by = imposed_by;
        let road = Road::new(settings, &Script::new());
        assert_eq!(
            errors(&road.ask(&ask("blocked.example.", "A").edns(1232, false)).bytes)[0].0,
            code
        );
    }
}

#[test]
fn an_observing_profile_answers_unfiltered_and_counts() {
    let mut settings = settings();
    settings.profiles[0].observe = true;
    let script = Script::new().says("blocked.example.", "A", 0, &["blocked.example. 60 A 192.0.2.1"]);
    let came = Road::new(settings, &script).ask(&ask("blocked.example.", "A"));
    assert_eq!(answers(&came.message()), ["blocked.example. 60 A 192.0.2.1"]);
    assert!(came.counted(Count::Observed) && !came.counted(Count::Blocked));
}

#[test]
fn an_answer_is_resolved_once_and_then_comes_from_the_cache_with_id_and_case_of_each_query() {
    let script = Script::new().says("www.site.example.", "A", 0, &["www.site.example. 300 A 192.0.2.7"]);
    let mut road = Road::new(settings(), &script);
    let first = road.ask(&ask("www.site.example.", "A").id(1));
    assert!(first.counted(Count::Resolved));
    road.now.mono_ms += 100_000;
    let second = road.ask(&ask("WWW.Site.Example.", "A").id(2));
    assert!(second.counted(Count::Cached) && !second.counted(Count::Resolved));
    let message = second.message();
    assert_eq!(message.metadata.id, 2);
    assert_eq!(message.queries[0].name().to_string(), "WWW.Site.Example.");
    assert_eq!(message.answers[0].ttl, 200);
    assert_eq!(script.asked(), 1);
}

#[test]
fn negative_answers_and_failures_reach_the_client() {
    let script = Script::new().says("none.site.example.", "A", 3, &[SOA]);
    script.says("empty.site.example.", "A", 0, &[SOA]);
    script.gives("broken.site.example.", "A", Err(Failure::Unreachable));
    let road = Road::new(settings(), &script);
    let nxdomain = road.ask(&ask("none.site.example.", "A")).message();
    assert_eq!(nxdomain.metadata.response_code, ResponseCode::NXDomain);
    assert_eq!(nxdomain.authorities.len(), 1);
    assert_eq!(
        road.ask(&ask("empty.site.example.", "A"))
            .message()
            .metadata
            .response_code,
        ResponseCode::NoError
    );
    let failed = road.ask(&ask("broken.site.example.", "A").edns(1232, false));
    assert_eq!(failed.message().metadata.response_code, ResponseCode::ServFail);
    assert_eq!(errors(&failed.bytes)[0].0, 22);
    assert!(failed.counted(Count::Failed));
}

#[test]
fn cname_to_blocked_name_is_caught_from_cache_too() {
    let records = [
        "www.shop.example. 300 CNAME cdn.blocked.example.",
        "cdn.blocked.example. 300 A 192.0.2.9",
    ];
    let script = Script::new().says("www.shop.example.", "A", 0, &records);
    let mut open = settings();
    open.profiles[0].deny.clear();
    let mut road = Road::new(open, &script);
    // Somebody who may see it fills the cache.
    assert_eq!(road.ask(&ask("www.shop.example.", "A")).message().answers.len(), 2);
    road.generation = generation(settings());
    let cached = road.ask(&ask("www.shop.example.", "A").edns(1232, false));
    assert_eq!(answers(&cached.message()), ["www.shop.example. 30 A 0.0.0.0"]);
    assert!(cached.counted(Count::BlockedByAnswer) && cached.counted(Count::Cached));
    assert_eq!(errors(&cached.bytes)[0].0, 17);
    assert_eq!(script.asked(), 1);
    let fresh = Road::new(settings(), &script).ask(&ask("www.shop.example.", "A"));
    assert_eq!(answers(&fresh.message()), ["www.shop.example. 30 A 0.0.0.0"]);
    assert!(fresh.counted(Count::BlockedByAnswer) && fresh.counted(Count::Resolved));
}

#[test]
fn an_own_allow_of_the_qname_covers_its_whole_answer() {
    let records = [
        "www.allowed.example. 300 CNAME cdn.blocked.example.",
        "cdn.blocked.example. 300 A 192.0.2.9",
    ];
    let script = Script::new().says("www.allowed.example.", "A", 0, &records);
    let came = Road::new(settings(), &script).ask(&ask("www.allowed.example.", "A"));
    assert_eq!(came.message().answers.len(), 2);
    assert!(came.counted(Count::Allowed));
}

#[test]
fn an_https_record_that_leads_to_a_blocked_name_is_caught() {
    let script = Script::new().says(
        "svc.example.",
        "HTTPS",
        0,
        &["svc.example. 300 HTTPS 1 cdn.blocked.example. alpn=h2"],
    );
    script.says(
        "self.example.",
        "HTTPS",
        0,
        &["self.example. 300 HTTPS 1 . alpn=h2 ipv4hint=192.0.2.1"],
    );
    let road = Road::new(settings(), &script);
    let caught = road.ask(&ask("svc.example.", "HTTPS"));
    assert!(caught.counted(Count::BlockedByAnswer) && caught.message().answers.is_empty());
    assert_eq!(road.ask(&ask("self.example.", "HTTPS")).message().answers.len(), 1);
}

#[test]
fn an_answer_that_names_more_names_than_are_followed_is_a_failure() {
    let lines: Vec<String> = (0..40)
        .map(|n| format!("n{n}.example. 300 CNAME n{}.example.", n + 1))
        .collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let script = Script::new().says("n0.example.", "A", 0, &lines);
    script.says("short.example.", "A", 0, &lines[..32]);
    let road = Road::new(settings(), &script);
    assert_eq!(
        road.ask(&ask("n0.example.", "A")).message().metadata.response_code,
        ResponseCode::ServFail
    );
    let mut tcp = Road::new(settings(), &Script::new().says("n0.example.", "A", 0, &lines[..32]));
    tcp.peer.transport = Transport::Tcp;
    assert_eq!(tcp.ask(&ask("n0.example.", "A")).message().answers.len(), 32);
}

#[test]
fn clients_that_may_not_ask_are_refused_and_told_so() {
    let mut road = Road::new(settings(), &Script::new());
    road.peer.address = "203.0.113.5:999".parse().unwrap();
    let came = road.ask(&ask("www.site.example.", "A").edns(1232, false));
    assert_eq!(came.message().metadata.response_code, ResponseCode::Refused);
    assert_eq!(errors(&came.bytes)[0].0, 18);
    assert!(came.counted(Count::Refused));
    let mut settings = settings();
    settings.server.unmatched = Unmatched::Refuse;
    let came = Road::new(settings, &Script::new()).ask(&ask("www.site.example.", "A"));
    assert_eq!(came.message().metadata.response_code, ResponseCode::Refused);
}

#[test]
fn a_query_that_does_not_desire_recursion_learns_nothing_of_the_cache() {
    let script = Script::new().says("www.site.example.", "A", 0, &["www.site.example. 300 A 192.0.2.7"]);
    let road = Road::new(settings(), &script);
    road.ask(&ask("www.site.example.", "A"));
    let came = road.ask(&ask("www.site.example.", "A").no_recursion());
    assert_eq!(came.message().metadata.response_code, ResponseCode::Refused);
    assert!(came.message().answers.is_empty());
    let blocked = road.ask(&ask("blocked.example.", "A").no_recursion()).message();
    assert_eq!(blocked.answers.len(), 1, "what this server says itself it says to all");
}

#[test]
fn questions_that_are_not_about_names_get_their_own_answers() {
    let road = Road::new(settings(), &Script::new());
    let rcode = |ask: &Ask| road.ask(ask).message().metadata.response_code;
    assert_eq!(rcode(&ask("site.example.", "AXFR")), ResponseCode::Refused);
    assert_eq!(rcode(&ask("site.example.", "IXFR")), ResponseCode::Refused);
    assert_eq!(rcode(&ask("site.example.", "OPT")), ResponseCode::FormErr);
    assert_eq!(
        rcode(&ask("site.example.", "A").class(DNSClass::HS)),
        ResponseCode::Refused
    );
    assert_eq!(
        rcode(&ask("site.example.", "A").class(DNSClass::ANY)),
        ResponseCode::Refused
    );
    let any = road.ask(&ask("site.example.", "ANY")).message();
    assert_eq!(any.answers[0].record_type(), RecordType::HINFO);
    let version = road.ask(&ask("Version.BIND.", "TXT").class(DNSClass::CH)).message();
    assert_eq!(version.answers[0].dns_class, DNSClass::CH);
    assert_eq!(version.answers[0].data.to_string(), "stairgate");
    assert_eq!(
        rcode(&ask("id.server.", "TXT").class(DNSClass::CH)),
        ResponseCode::Refused
    );
    assert_eq!(road.script.asked(), 0);
}

#[test]
fn names_this_server_answers_itself_come_before_policy_and_with_authority() {
    let mut settings = settings();
    settings.profiles[0].deny.push(name("localhost").into());
    let road = Road::new(settings, &Script::new());
    let came = road.ask(&ask("localhost.", "A"));
    let message = came.message();
    assert_eq!(message.answers[0].data.to_string(), "127.0.0.1");
    assert!(message.metadata.authoritative && came.counted(Count::Local));
}

#[test]
fn what_does_not_fit_is_truncated_over_udp_and_whole_over_tcp() {
    let lines: Vec<String> = (0..100).map(|n| format!("big.example. 300 A 192.0.2.{n}")).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let mut road = Road::new(settings(), &Script::new().says("big.example.", "A", 0, &lines));
    for (query, limit) in [
        (ask("big.example.", "A"), 512),
        (ask("big.example.", "A").edns(100, false), 512),
        (ask("big.example.", "A").edns(700, false), 700),
        (ask("big.example.", "A").edns(65_535, false), 1232),
    ] {
        let came = road.ask(&query);
        assert!(came.message().metadata.truncation && came.bytes.len() <= limit);
        assert!(came.counted(Count::Truncated));
        assert_eq!(came.message().edns.is_some(), query.message.edns.is_some());
    }
    road.peer.transport = Transport::Tcp;
    let whole = road.ask(&ask("big.example.", "A")).message();
    assert!(!whole.metadata.truncation && whole.answers.len() == 100);
}

#[test]
fn an_answer_to_another_question_is_never_passed_on() {
    let script = Script::new();
    script.gives(
        "a.example.",
        "A",
        Ok(message("b.example.", "A", 0, &["b.example. 300 A 192.0.2.1"])),
    );
    script.gives("c.example.", "A", Ok(vec![0; 5]));
    let mut broken = message("d.example.", "A", 0, &["d.example. 300 A 192.0.2.1"]);
    broken.truncate(broken.len() - 2);
    script.gives("d.example.", "A", Ok(broken));
    let road = Road::new(settings(), &script);
    for name in ["a.example.", "c.example.", "d.example."] {
        let came = road.ask(&ask(name, "A"));
        assert_eq!(came.message().metadata.response_code, ResponseCode::ServFail, "{name}");
        assert!(came.message().answers.is_empty());
    }
}

#[test]
fn ad_is_passed_on_only_to_those_who_ask_for_it_and_never_with_a_sinkhole_answer() {
    let script = Script::new();
    let mut validated = message("signed.example.", "A", 0, &["signed.example. 300 A 192.0.2.1"]);
    validated[3] |= 0x20;
    script.gives("signed.example.", "A", Ok(validated));
    let road = Road::new(settings(), &script);
    assert!(!road.ask(&ask("signed.example.", "A")).message().metadata.authentic_data);
    assert!(
        road.ask(&ask("signed.example.", "A").edns(1232, true))
            .message()
            .metadata
            .authentic_data
    );
    let mut asking = ask("signed.example.", "A");
    asking.message.metadata.authentic_data = true;
    assert!(road.ask(&asking).message().metadata.authentic_data);
    assert!(
        !road
            .ask(&ask("blocked.example.", "A").edns(1232, true))
            .message()
            .metadata
            .authentic_data
    );
}

#[test]
fn while_a_list_was_never_fetched_its_clients_get_servfail_and_what_is_certain_is_answered() {
    let mut settings = settings();
    let mut list = stairgate::config::settings::Settings::builtin(&std::env::temp_dir())
        .lists
        .remove(0);
    list.name = "late".to_owned();
    list.category = "adult".to_owned();
    settings.lists = vec![list];
    settings.profiles[0].block = vec!["adult".to_owned()];
    let script = Script::new().says("www.site.example.", "A", 0, &["www.site.example. 300 A 192.0.2.7"]);
    script.says(
        "www.allowed.example.",
        "A",
        0,
        &["www.allowed.example. 300 A 192.0.2.7"],
    );
    let road = Road::new(settings, &script);
    let came = road.ask(&ask("www.site.example.", "A").edns(1232, false));
    assert_eq!(came.message().metadata.response_code, ResponseCode::ServFail);
    assert_eq!(errors(&came.bytes), [(14, "not fetched yet: late".to_owned())]);
    assert!(road.ask(&ask("blocked.example.", "A")).counted(Count::Blocked));
    assert_eq!(road.ask(&ask("www.allowed.example.", "A")).message().answers.len(), 1);
    assert_eq!(road.ask(&ask("localhost.", "A")).message().answers.len(), 1);
}

#[test]
fn canaries_tell_clients_of_a_filtering_profile_to_leave_this_resolver_in_charge() {
    let road = Road::new(settings(), &Script::new());
    for name in ["use-application-dns.net.", "mask.icloud.com."] {
        let message = road.ask(&ask(name, "A")).message();
        assert_eq!(message.metadata.response_code, ResponseCode::NXDomain, "{name}");
    }
}

#[test]
fn no_designated_resolver_is_named_and_the_names_to_ask_for_one_exist() {
    let mut open = settings();
    (open.profiles[0].allow, open.profiles[0].deny) = (Vec::new(), Vec::new());
    for settings in [settings(), open] {
        let road = Road::new(settings, &Script::new());
        for name in ["resolver.arpa.", "_dns.resolver.arpa.", "x.y._dns.Resolver.ARPA."] {
            for rtype in ["SVCB", "A", "TXT", "HTTPS"] {
                let message = road.ask(&ask(name, rtype).edns(1232, false)).message();
                assert_eq!(message.metadata.response_code, ResponseCode::NoError, "{name} {rtype}");
                assert!(
                    message.answers.is_empty() && message.authorities.len() == 1,
                    "{name} {rtype}"
                );
            }
        }
    }
}

#[test]
fn ttls_are_between_the_bounds_for_who_gets_the_answer_first_too() {
    let lines = ["long.example. 10000000 A 192.0.2.7", "long.example. 5 A 192.0.2.8"];
    let script = Script::new().says("long.example.", "A", 0, &lines);
    script.says("never.example.", "A", 0, &["never.example. 0 A 192.0.2.7"]);
    script.says(
        "none.example.",
        "A",
        3,
        &["example. 10000000 SOA ns.x. host.x. 1 2 3 4 60"],
    );
    let mut road = Road::new(settings(), &script);
    let minute = std::time::Duration::from_secs(60);
    road.cache = stairgate::cache::Cache::new(1 << 20, minute, 60 * minute);
    for cached in [false, true] {
        let came = road.ask(&ask("long.example.", "A"));
        assert_eq!(came.counted(Count::Cached), cached);
        let ttls: Vec<u32> = came.message().answers.iter().map(|record| record.ttl).collect();
        assert_eq!(ttls, [3600, 60]);
    }
    assert!(road.ask(&ask("none.example.", "A")).message().authorities[0].ttl <= 3600);
    let never = road.ask(&ask("never.example.", "A")).message();
    assert_eq!(never.answers[0].ttl, 0, "what nobody may keep is not made keepable");
}

#[test]
fn what_is_owed_to_a_query_that_is_none_has_an_opt_where_the_query_had_one() {
    let road = Road::new(settings(), &Script::new());
    for edns in [true, false] {
        let asking = |name: &str| {
            let ask = ask(name, "A");
            if edns {
                ask.edns(1232, false).bytes()
            } else {
                ask.bytes()
            }
        };
        let mut notify = asking("site.example.");
        notify[2] |= 4 << 3;
        let mut none = asking(".");
        none.drain(12..17);
        none[5] = 0;
        for (bytes, rcode) in [(notify, ResponseCode::NotImp), (none, ResponseCode::FormErr)] {
            let message = road.walk(&bytes).message();
            assert_eq!(message.metadata.response_code, rcode);
            assert_eq!(message.edns.is_some(), edns, "{rcode}");
        }
    }
}

/// A household whose profile blocks the category of its one list.
fn listed(category: &str) -> stairgate::config::settings::Settings {
    let mut settings = settings();
    let mut list = stairgate::config::settings::Settings::builtin(&std::env::temp_dir())
        .lists
        .remove(0);
    list.name = "list".to_owned();
    list.category = category.to_owned();
    settings.lists = vec![list];
    settings.profiles[0].block = vec![category.to_owned()];
    settings
}

/// The road with that list compiled.
fn road_with(text: &str, script: &std::sync::Arc<Script>) -> Road {
    let settings = listed("adult");
    let gate = stairgate::list::set::Gate::from_lists(&[("list", "adult", text)]);
    let mut road = Road::new(self::settings(), script);
    road.generation = with_gate(settings, gate);
    road
}

const RPZ: &str = "\
$TTL 300
@ SOA localhost. root.localhost. 1 2 3 4 5
@ NS localhost.
data.example CNAME .
forged.example A 192.0.2.66
forged.example TXT \"why\"
moved.example CNAME safe.site.example.
*.below.example CNAME *.walled.example.
silent.example CNAME rpz-drop.
stream.example CNAME rpz-tcp-only.
empty.example CNAME *.
32.99.2.0.192.rpz-ip CNAME .
";

#[test]
fn list_data_and_aliases_are_answered_with_what_they_lead_to() {
    let script = Script::new().says("safe.site.example.", "A", 0, &["safe.site.example. 60 A 192.0.2.5"]);
    script.says(
        "x.below.example.walled.example.",
        "A",
        3,
        &["walled.example. 60 SOA ns.x. host.x. 1 2 3 4 5"],
    );
    let road = road_with(RPZ, &script);
    let forged = road.ask(&ask("forged.example.", "A").edns(1232, false));
    assert_eq!(forged.message().answers[0].data.to_string(), "192.0.2.66");
    assert_eq!(
        errors(&forged.bytes).iter().map(|(code, _)| *code).collect::<Vec<_>>(),
        [4, 17]
    );
    assert!(forged.counted(Count::Rewritten));
    let forged = road.ask(&ask("forged.example.", "AAAA").edns(1232, false));
    let other = forged.message();
    assert!(other.answers.is_empty() && other.authorities.len() == 1);
    let codes = |came: &Came| errors(&came.bytes).iter().map(|(code, _)| *code).collect::<Vec<_>>();
    assert_eq!(
        codes(&forged),
        [4, 17],
        "that there is none of this type is the list's word, too"
    );
    let empty = road.ask(&ask("empty.example.", "A").edns(1232, false));
    assert_eq!(codes(&empty), [17], "a block in the shape of NODATA is a block");
    for _ in 0..2 {
        let moved = road.ask(&ask("Moved.example.", "A")).message();
        let lines: Vec<String> = moved
            .answers
            .iter()
            .map(|record| format!("{} {}", record.name, record.data))
            .collect();
        assert_eq!(
            lines,
            ["Moved.example. safe.site.example.", "safe.site.example. 192.0.2.5"]
        );
    }
    assert_eq!(
        script.asked(),
        1,
        "the second time what the alias leads to is in the cache"
    );
    let below = road.ask(&ask("x.below.example.", "A")).message();
    assert_eq!(below.metadata.response_code, ResponseCode::NXDomain);
    assert_eq!(below.answers[0].data.to_string(), "x.below.example.walled.example.");
    assert_eq!(below.authorities.len(), 1);
}

#[test]
fn a_list_can_silence_send_to_tcp_and_judge_addresses() {
    let script = Script::new().says("stream.example.", "A", 0, &["stream.example. 60 A 192.0.2.5"]);
    script.says(
        "host.example.",
        "A",
        0,
        &["host.example. 60 A 192.0.2.98", "host.example. 60 A 192.0.2.99"],
    );
    let mut road = road_with(RPZ, &script);
    let silent = road.ask(&ask("silent.example.", "A"));
    assert!(silent.bytes.is_empty() && silent.counted(Count::DroppedByRule));
    assert!(road.ask(&ask("stream.example.", "A")).message().metadata.truncation);
    assert_eq!(
        road.ask(&ask("host.example.", "A")).message().metadata.response_code,
        ResponseCode::NXDomain
    );
    assert_eq!(
        road.ask(&ask("data.example.", "A")).message().metadata.response_code,
        ResponseCode::NXDomain
    );
    road.peer.transport = Transport::Tcp;
    assert_eq!(road.ask(&ask("stream.example.", "A")).message().answers.len(), 1);
}

#[test]
fn data_for_an_alias_target_stands_behind_the_alias() {
    let records = [
        "www.shop.example. 300 CNAME forged.example.",
        "forged.example. 300 A 198.51.100.1",
    ];
    let script = Script::new().says("www.shop.example.", "A", 0, &records);
    let came = road_with(RPZ, &script).ask(&ask("www.shop.example.", "A"));
    let lines: Vec<String> = came
        .message()
        .answers
        .iter()
        .map(|record| format!("{} {}", record.name, record.data))
        .collect();
    assert_eq!(
        lines,
        ["www.shop.example. forged.example.", "forged.example. 192.0.2.66"]
    );
}
