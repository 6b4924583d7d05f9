//! Cookies over the whole road: every response to a client cookie brings a server cookie, and what a cookie is worth is counted.

use crate::common::{Ask, Came, Road, Script, ask, errors, name, read, settings};
use hickory_proto::op::ResponseCode;
use hickory_proto::rr::DNSClass;
use stairgate::config::settings::{Settings, Unmatched};
use stairgate::count::Count;
use stairgate::dns::cookie::Secrets;
use stairgate::query::{Short, Transport, shorten};
use stairgate::resolver::Failure;
use std::sync::Arc;

const OLD: [u8; 16] = [1; 16];
const NEW: [u8; 16] = [2; 16];
const CLIENT: &[u8] = b"a client";

fn with_secrets(signing: [u8; 16], other: Option<[u8; 16]>) -> Settings {
    let mut settings = settings();
    settings.server.cookie_secret = Secrets::shared(signing, other);
    settings
}

fn script() -> Arc<Script> {
    Script::new()
        .says("www.example", "A", 0, &["www.example. 300 A 192.0.2.1"])
        .says(
            "bad.example",
            "A",
            0,
            &[
                "bad.example. 300 CNAME x.blocked.example.",
                "x.blocked.example. 300 A 192.0.2.1",
            ],
        )
        .gives("broken.example", "A", Err(Failure::Unreachable))
}

/// A road whose client is at a public address.
fn road(settings: Settings) -> Road {
    let mut settings = settings;
    settings.server.allow = Some(vec!["0.0.0.0/0".parse().unwrap(), "::/0".parse().unwrap()]);
    let mut road = Road::new(settings, &script());
    road.peer.address = "203.0.113.5:4000".parse().unwrap();
    road
}

/// EDNS options, code and data.
type Options<'a> = &'a [(u16, &'a [u8])];

/// The query with an OPT record that has these options, put together by hand.
fn with_options(ask: &Ask, options: Options) -> Vec<u8> {
    let mut bytes = ask.bytes();
    let rdata: Vec<u8> = options
        .iter()
        .flat_map(|(code, data)| [&code.to_be_bytes(), &(data.len() as u16).to_be_bytes(), *data].concat())
        .collect();
    assert_eq!(bytes[11], 0, "no OPT yet");
    bytes[11] = 1;
    bytes.extend([0, 0, 41, 4, 0xd0, 0, 0, 0, 0]);
    bytes.extend((rdata.len() as u16).to_be_bytes());
    bytes.extend(rdata);
    bytes
}

fn with_cookie(ask: &Ask, cookie: &[u8]) -> Vec<u8> {
    with_options(ask, &[(10, cookie)])
}

/// The data of every COOKIE option of a response.
fn cookies(bytes: &[u8]) -> Vec<Vec<u8>> {
    let message = read(bytes);
    let options = message.edns.iter().flat_map(|edns| &edns.options().options);
    options
        .filter(|(code, _)| u16::from(*code) == 10)
        .map(|(_, option)| option.try_into().unwrap())
        .collect()
}

/// The one cookie of a response: ours, for [`CLIENT`].
fn cookie(came: &Came) -> Vec<u8> {
    let [cookie] = cookies(&came.bytes).try_into().expect("one cookie");
    assert_eq!(cookie.len(), 24);
    assert_eq!((&cookie[..8], &cookie[8..12]), (CLIENT, &[1, 0, 0, 0][..]));
    cookie
}

/// What a first query learns.
fn learned(road: &Road) -> Vec<u8> {
    cookie(&road.walk(&with_cookie(&ask("www.example", "A"), CLIENT)))
}

#[test]
fn every_response_to_a_client_cookie_brings_a_server_cookie_that_is_valid_with_the_next_query() {
    let mut refusing = with_secrets(OLD, None);
    refusing.server.unmatched = Unmatched::Refuse;
    let (usual, refusing) = (road(with_secrets(OLD, None)), road(refusing));
    let mut notify = ask("www.example", "A");
    notify.message.metadata.op_code = hickory_proto::op::OpCode::Notify;
    let cases: &[(&Road, Ask, ResponseCode)] = &[
        (&usual, ask("www.example", "A"), ResponseCode::NoError),
        (&usual, ask("www.example", "A"), ResponseCode::NoError),
        (&usual, ask("blocked.example", "A"), ResponseCode::NoError),
        (&usual, ask("blocked.example", "TXT"), ResponseCode::NoError),
        (&usual, ask("bad.example", "A"), ResponseCode::NoError),
        (&usual, ask("broken.example", "A"), ResponseCode::ServFail),
        (&usual, ask("nothing.invalid", "A"), ResponseCode::NXDomain),
        (&usual, ask("localhost", "A"), ResponseCode::NoError),
        (&usual, ask("www.example", "AXFR"), ResponseCode::Refused),
        (&usual, ask("www.example", "ANY"), ResponseCode::NoError),
        (&usual, ask("www.example", "A").no_recursion(), ResponseCode::Refused),
        (
            &usual,
            ask("version.bind", "TXT").class(DNSClass::CH),
            ResponseCode::NoError,
        ),
        (&usual, ask("www.example", "OPT"), ResponseCode::FormErr),
        (&usual, notify, ResponseCode::NotImp),
        (&refusing, ask("www.example", "A"), ResponseCode::Refused),
    ];
    for transport in [Transport::Udp, Transport::Tcp] {
        for (index, (road, ask, rcode)) in cases.iter().enumerate() {
            let road = Road {
                generation: Arc::clone(&road.generation),
                cache: crate::common::cache(),
                script: Arc::clone(&road.script),
                peer: stairgate::query::Peer { transport, ..road.peer },
                now: road.now,
            };
            let first = road.walk(&with_cookie(ask, CLIENT));
            assert_eq!(first.message().metadata.response_code, *rcode, "case {index}");
            assert!(first.counted(Count::CookiesNew) && !first.counted(Count::CookiesValid));
            let again = road.walk(&with_cookie(ask, &cookie(&first)));
            assert!(
                again.counted(Count::CookiesValid) && !again.counted(Count::CookiesNew),
                "case {index}"
            );
            assert_eq!(cookie(&again), cookie(&first), "case {index}");
            let (mut plain, mut message) = (road.ask(ask).message(), again.message());
            plain.edns = None;
            message.edns = None;
            assert_eq!(plain, message, "case {index}: a cookie changes nothing else");
        }
    }
}

#[test]
fn each_length_and_kind_of_cookie_gets_what_it_is_owed() {
    let road = road(with_secrets(OLD, None));
    let good = learned(&road);
    let query = ask("www.example", "A");
    let long = [CLIENT, &[7; 32]].concat();
    let mut wrong = good.clone();
    wrong[20] ^= 1;
    let mut version = good.clone();
    version[8] = 2;
    let cases: &[(&str, Options, Option<Count>)] = &[
        ("client", &[(10, CLIENT)], Some(Count::CookiesNew)),
        ("valid", &[(10, &good)], Some(Count::CookiesValid)),
        ("16", &[(10, &good[..16])], Some(Count::CookiesInvalid)),
        ("23", &[(10, &good[..23])], Some(Count::CookiesInvalid)),
        ("40", &[(10, &long)], Some(Count::CookiesInvalid)),
        ("wrong", &[(10, &wrong)], Some(Count::CookiesInvalid)),
        ("version", &[(10, &version)], Some(Count::CookiesInvalid)),
        ("0", &[(10, &[])], None),
        ("7", &[(10, &CLIENT[..7])], None),
        ("9", &[(10, &good[..9])], None),
        ("15", &[(10, &good[..15])], None),
        ("41", &[(10, &[&long[..], &[0]].concat())], None),
        (
            "two, the first counts",
            &[(10, &good), (10, CLIENT)],
            Some(Count::CookiesValid),
        ),
        (
            "two, the second is of no account",
            &[(10, CLIENT), (10, &good[..9])],
            Some(Count::CookiesNew),
        ),
        ("two, the first is broken", &[(10, &good[..9]), (10, &good)], None),
        (
            "behind others",
            &[(8, &[0, 1, 0, 0]), (10, &good)],
            Some(Count::CookiesValid),
        ),
    ];
    for (what, options, count) in cases {
        let came = road.walk(&with_options(&query, options));
        let all = [Count::CookiesNew, Count::CookiesValid, Count::CookiesInvalid];
        let counted: Vec<Count> = all.into_iter().filter(|&count| came.counted(count)).collect();
        let expected: Vec<Count> = count.iter().copied().collect();
        assert_eq!(counted, expected, "{what}");
        match count {
            Some(_) => {
                assert_eq!(came.message().metadata.response_code, ResponseCode::NoError, "{what}");
                assert_eq!(came.message().answers.len(), 1, "{what}");
                assert_eq!(cookie(&came), good, "{what}");
            }
            None => {
                assert_eq!(came.message().metadata.response_code, ResponseCode::FormErr, "{what}");
                assert!(came.counted(Count::Formerr) && came.message().edns.is_some(), "{what}");
                assert!(cookies(&came.bytes).is_empty(), "{what}");
            }
        }
    }
}

#[test]
fn cookies_age_and_are_good_for_one_address_only() {
    let mut road = road(with_secrets(OLD, None));
    let query = ask("www.example", "A");
    let good = learned(&road);
    let made = road.now.unix_ms;
    for (later_s, valid, renewed) in [
        (0, true, false),
        (1800, true, false),
        (1801, true, true),
        (3600, true, true),
        (3601, false, true),
        (-300, true, false),
        (-301, false, true),
    ] {
        road.now.unix_ms = made.wrapping_add_signed(later_s * 1000);
        let came = road.walk(&with_cookie(&query, &good));
        assert_eq!(came.counted(Count::CookiesValid), valid, "{later_s} s");
        assert_eq!(came.counted(Count::CookiesInvalid), !valid, "{later_s} s");
        assert_eq!(cookie(&came) != good, renewed, "{later_s} s");
    }
    road.now.unix_ms = made;
    for (from, valid) in [
        ("203.0.113.5:5", true),
        ("[::ffff:203.0.113.5]:4000", true),
        ("203.0.113.6:4000", false),
        ("[2001:db8::1]:4000", false),
    ] {
        road.peer.address = from.parse().unwrap();
        let came = road.walk(&with_cookie(&query, &good));
        assert_eq!(came.counted(Count::CookiesValid), valid, "{from}");
        assert_eq!(came.message().answers.len(), 1, "{from}: answered all the same");
    }
    let learned = learned(&road);
    assert!(
        road.walk(&with_cookie(&query, &learned)).counted(Count::CookiesValid),
        "IPv6"
    );
}

#[test]
fn a_secret_is_changed_in_three_steps_without_a_cookie_that_becomes_invalid() {
    let query = ask("www.example", "A");
    let stages = [(OLD, None), (OLD, Some(NEW)), (NEW, Some(OLD)), (NEW, None)].map(|(a, b)| road(with_secrets(a, b)));
    let of_old = learned(&stages[0]);
    let of_new = learned(&stages[3]);
    assert_ne!(of_old, of_new);
    for (stage, old, new, signs_new) in [
        (0, true, false, false),
        (1, true, true, false),
        (2, true, true, true),
        (3, false, true, true),
    ] {
        let road = &stages[stage];
        for (shown, valid) in [(&of_old, old), (&of_new, new)] {
            let came = road.walk(&with_cookie(&query, shown));
            assert_eq!(came.counted(Count::CookiesValid), valid, "stage {stage}");
            assert_eq!(cookie(&came) == of_new, signs_new, "stage {stage} signs");
        }
    }
}

#[test]
fn no_question_but_a_cookie_is_answered_with_one_and_with_badcookie_where_it_was_wrong() {
    let road = road(with_secrets(OLD, None));
    let good = learned(&road);
    let mut wrong = good.clone();
    wrong[23] ^= 1;
    let lone = |cookie: &[u8]| {
        let mut bytes = with_cookie(&ask("www.example", "A"), cookie);
        bytes.drain(12..bytes.len() - 11 - 4 - cookie.len());
        bytes[5] = 0;
        bytes
    };
    for (shown, rcode) in [
        (CLIENT, ResponseCode::NoError),
        (&good, ResponseCode::NoError),
        (&wrong, ResponseCode::BADCOOKIE),
    ] {
        let came = road.walk(&lone(shown));
        let message = came.message();
        assert_eq!(message.metadata.response_code, rcode);
        assert_eq!(
            (message.metadata.id, message.queries.len(), message.answers.len()),
            (0x5a5a, 0, 0)
        );
        assert_eq!(cookie(&came), good);
        assert!(!came.counted(Count::Formerr));
    }
    let came = road.walk(&lone(&good[..9]));
    assert_eq!(came.message().metadata.response_code, ResponseCode::FormErr);
    assert!(came.counted(Count::Formerr) && cookies(&came.bytes).is_empty());
}

#[test]
fn switched_off_the_option_is_nothing_whatever_its_length() {
    let mut settings = with_secrets(OLD, None);
    settings.server.cookies = false;
    let road = road(settings);
    for shown in [CLIENT, &CLIENT[..7], &[0; 24]] {
        let came = road.walk(&with_cookie(&ask("www.example", "A"), shown));
        assert_eq!(came.message().metadata.response_code, ResponseCode::NoError);
        assert!(cookies(&came.bytes).is_empty());
        let all = [Count::CookiesNew, Count::CookiesValid, Count::CookiesInvalid];
        assert!(!all.into_iter().any(|count| came.counted(count)));
    }
    let mut lone = with_cookie(&ask("www.example", "A"), CLIENT);
    lone.drain(12..lone.len() - 11 - 12);
    lone[5] = 0;
    assert_eq!(road.walk(&lone).message().metadata.response_code, ResponseCode::FormErr);
}

#[test]
fn a_cookie_stays_beside_errors_and_where_records_do_not_fit() {
    let road = road(with_secrets(OLD, None));
    let records: Vec<String> = (0..200).map(|n| format!("many.example. 60 A 192.0.2.{n}")).collect();
    let records: Vec<&str> = records.iter().map(String::as_str).collect();
    road.script.says("many.example", "A", 0, &records);
    let came = road.walk(&with_cookie(&ask("many.example", "A"), CLIENT));
    assert!(came.counted(Count::Truncated) && came.bytes.len() <= 1232);
    cookie(&came);
    let came = road.walk(&with_cookie(&ask("blocked.example", "A"), CLIENT));
    cookie(&came);
    assert_eq!(errors(&came.bytes).len(), 1);
    let Some(deny) = road.generation.settings.profiles[0].deny.first() else {
        panic!("the household denies a name")
    };
    assert_eq!(deny.name, name("blocked.example"));
}

#[test]
fn what_is_shortened_has_no_records_and_the_cookie_that_brings_the_client_back() {
    let road = road(with_secrets(OLD, None));
    let good = learned(&road);
    let mut out = vec![0; 65_535];
    let mut shortened = |bytes: &[u8], short| {
        let (begun, counts) = shorten(&road.generation, bytes, &road.peer, road.now, short, &mut out);
        let stairgate::query::Begun::Respond(len) = begun else {
            panic!("a response")
        };
        Came {
            bytes: out[..len].to_vec(),
            counts,
            renewal: None,
        }
    };
    let plain = ask("www.example", "A").bytes();
    let came = shortened(&plain, Short::Truncated);
    let message = came.message();
    assert!(message.metadata.truncation && message.answers.is_empty() && message.queries.len() == 1);
    assert_eq!(came.bytes.len(), plain.len(), "no longer than what asked for it");
    assert!(came.counted(Count::LimitedTruncated) && !came.counted(Count::LimitedBadcookie));

    let came = shortened(&with_cookie(&ask("blocked.example", "A"), CLIENT), Short::BadCookie);
    let message = came.message();
    assert_eq!(message.metadata.response_code, ResponseCode::BADCOOKIE);
    assert!(!message.metadata.truncation && message.answers.is_empty());
    assert_eq!((cookie(&came), errors(&came.bytes)), (good, vec![]));
    assert!(
        came.counted(Count::LimitedBadcookie) && !came.counted(Count::CookiesNew),
        "counted before"
    );

    let broken = [&plain[..], &[0]].concat();
    assert!(shortened(&broken, Short::Truncated).message().metadata.truncation);
}
