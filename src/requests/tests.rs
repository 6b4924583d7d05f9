use super::*;
use crate::checks::Damage;
use proptest::prelude::*;

const NOON_S: u64 = 1_700_049_600;

fn masha() -> Whom {
    Whom::Person("masha".to_owned())
}

fn new(name: &str, whom: Whom) -> New {
    New {
        name: Name::parse(name).unwrap(),
        whom,
        from: "192.0.2.1".parse().unwrap(),
        why: "games, some-list".to_owned(),
        by_time: false,
        note: String::new(),
    }
}

fn some() -> Requests {
    let mut requests = Requests::default();
    let noted = New {
        note: "für die \"Schule\"\n\tbitte \u{202e}".to_owned(),
        from: "::ffff:192.0.2.7".parse().unwrap(),
        by_time: true,
        ..new("Game.Example.", masha())
    };
    requests.ask(noted, NOON_S).unwrap();
    requests
        .ask(new("b.example", Whom::Device("Petya's tablet".to_owned())), NOON_S + 5)
        .unwrap();
    requests
        .ask(new("c.example", Whom::Profile("guests".to_owned())), NOON_S + 9)
        .unwrap();
    let until_s = Some(NOON_S + 3600);
    requests.mark(2, State::Granted { until_s }, NOON_S + 60).unwrap();
    requests.mark(3, State::Refused, NOON_S + 61).unwrap();
    requests
}

#[test]
fn a_request_is_one_flat_object_that_reads_as_it_was_written() {
    let requests = some();
    let json: Vec<String> = requests
        .list()
        .iter()
        .map(|one| serde_json::to_string(one).unwrap())
        .collect();
    assert_eq!(
        json,
        [
            r#"{"id":1,"name":"game.example","person":"masha","from":"192.0.2.7","asked_s":1700049600,"why":"games, some-list","by_time":true,"note":"für die \"Schule\" bitte","state":"open"}"#,
            r#"{"id":2,"name":"b.example","device":"Petya's tablet","from":"192.0.2.1","asked_s":1700049605,"why":"games, some-list","note":"","state":"granted","until_s":1700053200,"decided_s":1700049660}"#,
            r#"{"id":3,"name":"c.example","profile":"guests","from":"192.0.2.1","asked_s":1700049609,"why":"games, some-list","note":"","state":"refused","decided_s":1700049661}"#,
        ]
    );
    for (json, request) in json.iter().zip(requests.list()) {
        assert_eq!(serde_json::from_str::<Request>(json).unwrap(), *request);
    }
}

#[test]
fn everybody_has_ten_requests_a_day_and_others_have_theirs() {
    let mut requests = Requests::default();
    for number in 0..REQUESTS_A_DAY {
        let id = requests
            .ask(new(&format!("n{number}.example"), masha()), NOON_S)
            .unwrap();
        requests.mark(id, State::Refused, NOON_S).unwrap();
    }
    let more = new("more.example", masha());
    for (now_s, may) in [
        (NOON_S, false),
        (NOON_S + DAY_S - 1, false),
        (NOON_S - 60, false),
        (NOON_S + DAY_S, true),
    ] {
        assert_eq!(requests.may_ask(&more, now_s).is_ok(), may, "{now_s}");
    }
    assert!(matches!(requests.may_ask(&more, NOON_S), Err(NotAsked::TooManyToday)));
    requests
        .may_ask(&new("more.example", Whom::Person("petya".to_owned())), NOON_S)
        .unwrap();
}

#[test]
fn strangers_of_one_profile_have_their_own_days_but_leave_room_for_each_other() {
    let guests = Whom::Profile("guests".to_owned());
    let from = |from: &str, name: String| New {
        from: from.parse().unwrap(),
        ..new(&name, guests.clone())
    };
    let mut requests = Requests::default();
    for number in 0..REQUESTS_A_DAY {
        let address = format!("2001:db8::{number:x}");
        requests
            .ask(from(&address, format!("n{number}.example")), NOON_S)
            .unwrap();
    }
    let same = from("2001:db8::ffff", "more.example".to_owned());
    assert!(matches!(requests.may_ask(&same, NOON_S), Err(NotAsked::TooManyToday)));
    let mut number = 0;
    let full = loop {
        number += 1;
        let address = format!("192.0.2.{number}");
        match requests.ask(from(&address, format!("x{number}.example")), NOON_S) {
            Ok(_) => {}
            Err(full) => break full,
        }
    };
    assert!(matches!(full, NotAsked::TooManyOpen), "{full}");
    assert_eq!(requests.list().len(), REQUESTS_OPEN);
}

#[test]
fn a_name_is_asked_for_once_until_it_is_decided() {
    let mut requests = Requests::default();
    let id = requests.ask(new("game.example", masha()), NOON_S).unwrap();
    assert!(matches!(
        requests.ask(new("GAME.example", masha()), NOON_S),
        Err(NotAsked::IsOpen(1))
    ));
    requests
        .ask(new("game.example", Whom::Person("petya".to_owned())), NOON_S)
        .unwrap();
    requests.mark(id, State::Refused, NOON_S).unwrap();
    assert_eq!(requests.ask(new("game.example", masha()), NOON_S).unwrap(), 3);
    assert!(matches!(
        requests.mark(9, State::Refused, NOON_S),
        Err(NotMarked::NoSuch(9))
    ));
}

#[test]
fn the_oldest_decided_request_makes_room_and_open_ones_stay() {
    let mut requests = Requests::default();
    for number in 0..REQUESTS {
        let whom = Whom::Person(format!("p{number}"));
        requests.ask(new("game.example", whom), NOON_S).unwrap();
    }
    assert!(matches!(
        requests.ask(new("game.example", masha()), NOON_S),
        Err(NotAsked::Full)
    ));
    requests.mark(3, State::Granted { until_s: None }, NOON_S).unwrap();
    requests.mark(2, State::Refused, NOON_S).unwrap();
    let id = requests.ask(new("game.example", masha()), NOON_S).unwrap();
    assert_eq!((id, requests.list().len()), (REQUESTS as u64 + 1, REQUESTS));
    assert!(requests.get(2).is_none() && requests.get(1).is_some() && requests.get(3).is_some());
    assert!(requests.to_text().len() < crate::limits::REQUESTS_BYTES as usize);
}

#[test]
fn a_grant_ends_in_an_hour_or_with_the_day_where_the_child_is_or_never() {
    let request = &some().list()[0].clone();
    let zone = TimeZone::get("Asia/Yekaterinburg").unwrap();
    let until = |how_long| request.edit(how_long, NOON_S, &zone).until_s;
    assert_eq!(until(HowLong::Hour), Some(NOON_S + 3600));
    // It is 17:00 there.
    assert_eq!(until(HowLong::Today), Some(NOON_S + 7 * 3600));
    assert_eq!(until(HowLong::ForGood), None);
    let edit = request.edit(HowLong::ForGood, NOON_S, &zone);
    assert_eq!(
        (edit.whom, edit.name.to_string()),
        (masha(), "game.example.".to_owned())
    );
    // The night on which clocks are put back has an hour more.
    let berlin = TimeZone::get("Europe/Berlin").unwrap();
    let at = |text: &str| text.parse::<jiff::Timestamp>().unwrap().as_second() as u64;
    assert_eq!(
        HowLong::Today.until_s(at("2026-10-24T22:00Z"), &berlin),
        Some(at("2026-10-25T23:00Z"))
    );
    assert!(
        HowLong::Today.until_s(u64::MAX / 2, &berlin).is_some(),
        "beyond the calendar"
    );
}

#[test]
fn requests_read_as_they_were_written_and_a_part_of_the_text_as_far_as_it_is_whole() {
    for requests in [some(), Requests::default()] {
        assert_eq!(Requests::from_text(&requests.to_text()).unwrap(), requests);
    }
    let (whole, text) = (some(), some().to_text());
    for end in (0..text.len()).filter(|end| text.is_char_boundary(*end)) {
        let damaged = Requests::from_text(&text[..end]).unwrap_err();
        assert_eq!(damaged.damage, Damage::Torn, "{end}");
        let kept = damaged.kept.list();
        assert_eq!(kept, &whole.list()[..kept.len()]);
        assert_eq!(
            kept.len(),
            text[..end].matches('\n').count().saturating_sub(2).min(3),
            "{end}"
        );
    }
}

#[test]
fn what_is_wrong_with_the_text_is_one_sentence() {
    let text = some().to_text();
    let sentence = |text: &str| Requests::from_text(text).unwrap_err().to_string();
    assert_eq!(
        sentence(&text.replacen("b.example", "x.example", 1)),
        "line 4 does not match its check; the one request before it was kept, those behind it are lost"
    );
    let lines: Vec<String> = some()
        .list()
        .iter()
        .map(|one| serde_json::to_string(one).unwrap())
        .collect();
    let made = |lines: &[&str]| crate::checks::text("requests, version 1", lines.iter().map(|line| (*line).to_owned()));
    assert!(sentence(&made(&["next 4", &lines[1], &lines[1]])).starts_with("line 4 has a key that stood before"));
    for odd in [
        made(&["next 4", &lines[1], &lines[0]]),
        made(&["next 3", &lines[2]]),
        made(&["next 0"]),
        made(&["{}"]),
    ] {
        assert!(sentence(&odd).contains("makes no sense"), "{odd}");
    }
}

#[test]
fn a_store_keeps_what_it_says_and_says_what_it_cannot_read() {
    let folder = tempfile::tempdir().unwrap();
    let (store, remark) = Store::open(folder.path());
    assert_eq!(remark, None);
    store.ask(new("game.example", masha()), NOON_S).unwrap();
    store.mark(1, State::Granted { until_s: None }, NOON_S).unwrap();
    store.ask(new("b.example", masha()), NOON_S).unwrap();
    let (again, remark) = Store::open(folder.path());
    assert_eq!((again.list(), remark), (store.list(), None));
    let file = folder.path().join("requests");
    let mut bytes = std::fs::read(&file).unwrap();
    let last = bytes.len() - 60;
    bytes[last] = 0xff;
    std::fs::write(&file, bytes).unwrap();
    let (damaged, remark) = Store::open(folder.path());
    assert_eq!(damaged.list(), store.list()[..1]);
    assert!(remark.unwrap().contains("requests: line 4 does not match its check"));
    // Ids go on where they were.
    assert_eq!(damaged.ask(new("c.example", masha()), NOON_S).unwrap(), 3);
}

#[test]
fn a_request_that_cannot_be_written_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = Store::open(&folder.path().join("gone"));
    let failed = store.ask(new("game.example", masha()), NOON_S);
    assert!(matches!(failed, Err(NotAsked::NotKept(_))));
    assert!(store.list().is_empty());
}

proptest! {
    #[test]
    fn notes_are_one_line_within_bounds_and_cleaning_is_done_once(note in "\\PC{0,300}|[\\x00-\\x20\\u{200b}-\\u{206f}a-z]{0,300}") {
        let kept = clean(&note);
        prop_assert!(kept.chars().count() <= REQUEST_NOTE_CHARS);
        let harmless = |c: char| !c.is_control() && c != '\u{202e}';
        prop_assert!(kept.chars().all(harmless));
        let again = clean(&kept);
        prop_assert_eq!(again.trim(), kept.trim());
    }

    #[test]
    fn no_text_is_a_panic(text in "(requests, version 1\n)?([0-9a-f]{16}\t|next [0-9]|\\{|end\t|\\PC|\n){0,20}") {
        let _ = Requests::from_text(&text);
    }
}
