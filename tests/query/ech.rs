//! Services under the guard: what their hints and targets lead to, and keys that would hide a connection's name.

use crate::common::*;
use hickory_proto::rr::RecordType;
use stairgate::config::settings::{LocalRecord, Settings};
use stairgate::count::Count;
use std::sync::Arc;

/// An HTTPS record with keys, as another program writes it.
const WITH_KEYS: &str =
    "site.example. 300 HTTPS 1 . mandatory=alpn,ech alpn=h2 ipv4hint=192.0.2.1 ech=AEX+DQA= ipv6hint=2001:db8::1";

fn guarded() -> Settings {
    let mut settings = settings();
    settings.profiles[0].bypass_guard = true;
    settings
}

fn codes(came: &Came) -> Vec<u16> {
    errors(&came.bytes).iter().map(|(code, _)| *code).collect()
}

/// A resolver that knows one record of `site.example` and its signature, with AD.
fn script(record: &str) -> Arc<Script> {
    let mut message = message("site.example.", "HTTPS", 0, &[record]);
    message[3] |= 0x20;
    // Owned by the QNAME, of type RRSIG, over HTTPS by algorithm 13.
    message[7] += 1;
    message.extend(b"\xc0\x0c\0\x2e\0\x01\0\0\x01\x2c\0\x5b\0\x41\x0d\x02\0\0\x01\x2c");
    message.extend(b"\x77\0\0\0\x60\0\0\0\0\x01\x07example\0");
    message.extend([7; 64]);
    Script::new().gives("site.example.", "HTTPS", Ok(message))
}

#[test]
fn keys_are_left_out_under_the_guard_fresh_and_cached_and_the_answer_says_so() {
    let script = script(WITH_KEYS);
    let road = Road::new(guarded(), &script);
    for count in [Count::Resolved, Count::Cached] {
        let came = road.ask(&ask("site.example.", "HTTPS").edns(1232, true));
        let message = came.message();
        assert!(came.counted(count) && came.counted(Count::Rewritten));
        assert_eq!(
            answers(&message),
            ["site.example. 300 HTTPS 1 . mandatory=alpn, alpn=h2, ipv4hint=192.0.2.1, ipv6hint=2001:db8::1,"],
            "no signature of what it no longer is"
        );
        assert!(!message.metadata.authentic_data);
        assert_eq!(message.metadata.id, 0x5a5a);
        assert_eq!(codes(&came), [4, 17]);
        assert!(errors(&came.bytes)[0].1.contains("encrypted client hello"));
        // A client that reads structured errors is not told that it is forged.
        let wants = ask("site.example.", "HTTPS").edns(1232, true).option(15, &[0, 0]);
        let told = errors(&road.ask(&wants).bytes);
        assert_eq!(told.len(), 1);
        assert!(told[0].0 == 17 && told[0].1.starts_with("{\"j\":"), "{told:?}");
    }
    assert_eq!(script.asked(), 1);
    let open = Road::new(settings(), &script).ask(&ask("site.example.", "HTTPS").edns(1232, true));
    assert!(
        answers(&open.message())[0].contains("ech="),
        "{:?}",
        answers(&open.message())
    );
    assert!(open.message().metadata.authentic_data && codes(&open).is_empty());
}

#[test]
fn what_has_no_keys_stays_as_it_is() {
    let plain = "site.example. 300 HTTPS 1 . alpn=h2 ipv4hint=192.0.2.1";
    let came = Road::new(guarded(), &script(plain)).ask(&ask("site.example.", "HTTPS").edns(1232, true));
    let message = came.message();
    assert_eq!(message.answers.len(), 2);
    assert!(message.metadata.authentic_data && codes(&came).is_empty() && !came.counted(Count::Rewritten));
}

#[test]
fn an_observing_profile_and_an_own_allow_leave_keys_in() {
    let mut observing = guarded();
    observing.profiles[0].observe = true;
    let mut allowing = guarded();
    allowing.profiles[0].allow.push(name("site.example").into());
    for settings in [observing, allowing] {
        let came = Road::new(settings, &script(WITH_KEYS)).ask(&ask("site.example.", "HTTPS"));
        assert!(answers(&came.message())[0].contains("ech="));
    }
}

#[test]
fn keys_behind_an_alias_are_left_out_too() {
    let script = script(WITH_KEYS);
    script.says(
        "www.site.example.",
        "HTTPS",
        0,
        &["www.site.example. 300 CNAME site.example.", WITH_KEYS],
    );
    let mut settings = guarded();
    settings.records = vec![LocalRecord {
        name: name("mine.example"),
        data: vec!["CNAME site.example.".to_owned()],
    }];
    let road = Road::new(settings, &script);
    for asked in ["www.site.example.", "mine.example."] {
        for _ in 0..2 {
            let came = road.ask(&ask(asked, "HTTPS").edns(1232, false));
            let message = came.message();
            let types: Vec<RecordType> = message.answers.iter().map(|record| record.record_type()).collect();
            assert_eq!(types, [RecordType::CNAME, RecordType::HTTPS], "{asked}");
            assert!(!answers(&message)[1].contains("ech="), "{asked}");
            assert_eq!(codes(&came), [4, 17], "{asked}");
        }
    }
}

#[test]
fn a_hint_that_leads_to_an_encrypted_resolver_and_a_target_that_is_one_are_caught_under_the_guard() {
    let script = Script::new();
    for (name, data) in [
        ("hint4.example.", ". alpn=h2 ipv4hint=192.0.2.1,8.8.8.8"),
        ("hint6.example.", ". alpn=h2 ipv6hint=2001:4860:4860::8888"),
        ("nat.example.", ". alpn=h2 ipv6hint=64:ff9b::808:808"),
        ("target.example.", "dns.google. alpn=h2"),
        ("fine.example.", "cdn.example. alpn=h2 ipv4hint=192.0.2.1"),
    ] {
        let name_and_data = format!("{name} 300 HTTPS 1 {data}");
        script.says(name, "HTTPS", 0, &[&name_and_data]);
    }
    let road = Road::new(guarded(), &script);
    let open = Road::new(settings(), &script);
    for (name, caught) in [
        ("hint4.example.", true),
        ("hint6.example.", true),
        ("nat.example.", true),
        ("target.example.", true),
        ("fine.example.", false),
    ] {
        for _ in 0..2 {
            let came = road.ask(&ask(name, "HTTPS").edns(1232, false));
            assert_eq!(came.counted(Count::BlockedByAnswer), caught, "{name}");
            assert_eq!(came.message().answers.is_empty(), caught, "{name}");
            if caught {
                assert!(errors(&came.bytes)[0].1.contains("way around the filter"), "{name}");
            }
            assert_eq!(open.ask(&ask(name, "HTTPS")).message().answers.len(), 1, "{name}");
        }
    }
}
