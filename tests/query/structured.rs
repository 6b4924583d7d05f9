//! Errors that programs read: who gets them, what they say, what of them gives way (draft-ietf-dnsop-structured-dns-error).

use crate::common::*;
use serde_json::{Value, json};
use stairgate::config::settings::{AnswerKind, ImposedBy, Settings};
use stairgate::list::set::Gate;
use stairgate::query::Transport;
use stairgate::resolver::Failure;

/// A query by a client that reads them: an Extended DNS Error that says nothing.
fn wants(name: &str, rtype: &str) -> Ask {
    ask(name, rtype).edns(1232, false).option(15, &[0, 0])
}

/// A household with contacts, and lists of these categories, each with `CATEGORY.example`.
fn road(categories: &[&str], adapt: impl Fn(&mut Settings)) -> Road {
    let mut settings = settings();
    settings.server.organization = Some("Smiths\u{2019} \"network\"".to_owned());
    settings.server.contact = vec!["mailto:dad@example.net".to_owned(), "tel:+49-30-1234567".to_owned()];
    let list = Settings::builtin(&std::env::temp_dir()).lists.remove(0);
    let mut texts = Vec::new();
    for category in categories {
        let mut list = list.clone();
        (list.name, list.category) = (format!("the-{category}"), (*category).to_owned());
        settings.lists.push(list);
        settings.profiles[0].block.push((*category).to_owned());
        texts.push((format!("the-{category}"), format!("{category}.example\n")));
    }
    adapt(&mut settings);
    let lists: Vec<(&str, &str, &str)> = texts
        .iter()
        .zip(categories)
        .map(|((name, text), category)| (&**name, *category, &**text))
        .collect();
    let mut road = Road::new(self::settings(), &Script::new());
    road.generation = with_gate(settings, Gate::from_lists(&lists));
    road
}

/// The INFO-CODEs, and the text of the first as JSON.
fn told(came: &Came) -> (Vec<u16>, Value) {
    let errors = errors(&came.bytes);
    let value = serde_json::from_str(&errors[0].1).unwrap_or_else(|error| panic!("{error}: {}", errors[0].1));
    (errors.iter().map(|(code, _)| *code).collect(), value)
}

#[test]
fn who_asks_for_it_is_told_in_json_and_everybody_else_in_a_sentence() {
    let road = road(&["malware"], |_| {});
    let (codes, object) = told(&road.ask(&wants("malware.example.", "A")));
    assert_eq!(codes, [17]);
    assert_eq!(
        object,
        json!({
            "c": ["mailto:dad@example.net", "tel:+49-30-1234567"],
            "j": "malware, the-malware",
            "s": 1,
            "o": "Smiths\u{2019} \"network\"",
            "l": "en",
        })
    );
    let plain = [(17, "malware, the-malware".to_owned())];
    let asks = ask("malware.example.", "A").edns(1232, false);
    // An error that says something does not ask for any; nor does one that is not whole.
    for other in [
        asks.clone(),
        asks.clone().option(15, &[0, 17]),
        asks.clone().option(15, &[0]),
        asks.option(15, b""),
    ] {
        assert_eq!(errors(&road.ask(&other).bytes), plain);
    }
    assert!(road.ask(&ask("malware.example.", "A")).message().edns.is_none());
}

#[test]
fn the_sub_error_is_one_of_the_registry_that_goes_with_the_info_code() {
    let categories = ["malware", "phishing", "spam", "spyware", "adult"];
    for (by, code, sub_errors) in [
        (ImposedBy::Household, 17, [Some(1), Some(2), Some(3), Some(4), None]),
        (ImposedBy::Operator, 15, [Some(1), Some(2), Some(3), Some(4), Some(5)]),
        (ImposedBy::Law, 16, [None; 5]),
    ] {
        let road = road(&categories, |settings| settings.profiles[0].imposed_by = by);
        for (category, sub_error) in categories.iter().zip(sub_errors) {
            let (codes, object) = told(&road.ask(&wants(&format!("{category}.example."), "AAAA")));
            assert_eq!(codes, [code]);
            assert_eq!(object.get("s").and_then(Value::as_u64), sub_error, "{category} {by:?}");
            assert_eq!(object["j"], format!("{category}, the-{category}"));
        }
    }
}

#[test]
fn a_client_that_reads_them_is_not_told_that_the_answer_is_forged() {
    let page = |settings: &mut Settings| {
        settings.profiles[0].answer = AnswerKind::Page;
        settings.profiles[0].answer_addresses = vec!["192.0.2.80".parse().unwrap()];
    };
    let road = road(&["malware"], page);
    assert_eq!(told(&road.ask(&wants("malware.example.", "A"))).0, [17]);
    let plain = errors(&road.ask(&ask("malware.example.", "A").edns(1232, false)).bytes);
    assert_eq!(plain.iter().map(|(code, _)| *code).collect::<Vec<_>>(), [4, 17]);
}

#[test]
fn what_does_not_fit_a_small_response_gives_way_and_json_stays_json() {
    let contact = format!("mailto:{}@example.net", "x".repeat(200));
    let road = road(&["malware"], |settings| {
        settings.server.contact = vec![contact.clone()];
        settings.server.organization = Some("o".repeat(96));
    });
    // 512 bytes with a long name leave no room for all of it.
    let label = "y".repeat(60);
    let long = format!("{label}.{label}.malware.example.");
    let mut small = wants(&long, "TXT");
    small.message.edns.as_mut().unwrap().set_max_payload(512);
    let came = road.ask(&small);
    assert!(came.bytes.len() <= 512 && !came.message().metadata.truncation);
    let (_, object) = told(&came);
    assert!(object.get("o").is_none(), "{object}");
    assert_eq!(
        (&object["s"], &object["j"]),
        (&json!(1), &json!("malware, the-malware"))
    );
    let (_, whole) = told(&road.ask(&wants(&long, "TXT")));
    assert_eq!((&whole["c"], &whole["o"]), (&json!([contact]), &json!("o".repeat(96))));
}

#[test]
fn failures_are_told_in_a_sentence_whoever_asks() {
    let mut road = road(&[], |_| {});
    road.script = Script::new().gives("broken.site.example.", "A", Err(Failure::Unreachable));
    road.peer.transport = Transport::Tcp;
    let told = errors(&road.ask(&wants("broken.site.example.", "A")).bytes);
    assert_eq!(told[0].0, 22);
    assert!(!told[0].1.starts_with('{'), "{told:?}");
}
