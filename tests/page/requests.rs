//! How a child asks for a site, and what does not count as asking.

use crate::common::*;
use stairgate::count::Count;
use stairgate::limits::{PAGE_BODY_BYTES, REQUESTS_A_DAY};
use stairgate::requests::{State, Whom};

fn person(id: &str) -> Whom {
    Whom::Person(id.to_owned())
}

#[test]
fn a_child_asks_for_a_site_once_and_the_request_is_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new(settings(), folder.path());
    let page = world.open(MASHA, "www.adult.example", "en");
    let sent = world.ask(
        MASHA,
        "www.adult.example",
        page.token().unwrap(),
        "für <b>Bio</b>\r\nbitte",
    );
    assert_eq!(sent.status, 200);
    assert!(sent.body.contains("Your question was sent."), "{}", sent.body);
    // On any device of hers, it is asked already.
    for from in [MASHA, MASHAS_TABLET] {
        let again = world.open(from, "www.adult.example", "ru");
        assert!(
            again.token().is_none() && again.body.contains("просьба уже есть"),
            "{}",
            again.body
        );
    }
    assert!(world.open(PETYA, "www.adult.example", "en").token().is_some());
    for (from, whom) in [
        (CONSOLE, Whom::Device("console".to_owned())),
        (STRANGER, Whom::Profile("default".to_owned())),
    ] {
        let page = world.open(from, "tiktok.com", "en");
        assert_eq!(world.ask(from, "tiktok.com", page.token().unwrap(), "").status, 200);
        assert_eq!(world.requests.list().last().unwrap().whom, whom);
    }
    assert_eq!(world.counters.sum().get(Count::PageAsked), 3);
    let kept = world.requests.list();
    assert_eq!(
        (kept[0].id, kept[0].name.to_string()),
        (1, "www.adult.example.".to_owned())
    );
    assert_eq!(
        (&kept[0].whom, kept[0].from.to_string()),
        (&person("masha"), MASHA.to_owned())
    );
    assert_eq!(
        (kept[0].note.as_str(), kept[0].state),
        ("für <b>Bio</b> bitte", State::Open)
    );
    assert_eq!((kept[0].why.as_str(), kept[0].by_time), ("adult, adult-list", false));
    assert_eq!(kept[1].why, "service TikTok");
    assert!(kept[0].asked_s.abs_diff(now_s()) < 60);
    drop(world);
    let world = World::new(settings(), folder.path());
    assert_eq!(world.requests.list(), kept);
    assert!(world.open(MASHA, "www.adult.example", "en").token().is_none());
    world.requests.mark(1, State::Refused, now_s()).unwrap();
    assert!(
        world.open(MASHA, "www.adult.example", "en").token().is_some(),
        "it is decided"
    );
}

#[test]
fn a_form_counts_only_from_a_page_of_this_server_for_this_client_and_site_and_once() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new(settings(), folder.path());
    let page = world.open(MASHA, "adult.example", "en");
    let token = page.token().unwrap();
    let of_petya = world.open(PETYA, "adult.example", "en");
    let other_site = world.open(MASHA, "tiktok.com", "en");
    let before = World::new(settings(), folder.path()).open(MASHA, "adult.example", "en");
    let cut = &token[1..];
    for wrong in [
        of_petya.token().unwrap(),
        other_site.token().unwrap(),
        before.token().unwrap(),
        cut,
        "",
        "%00",
        "AAAA",
    ] {
        let reply = world.ask(MASHA, "adult.example", wrong, "x");
        assert_eq!(reply.status, 403, "{wrong}");
        assert!(reply.body.contains("too old") && reply.token().is_some_and(|new| new != wrong));
    }
    assert!(world.requests.list().is_empty());
    assert_eq!(world.ask(MASHA, "adult.example", token, "x").status, 200);
    world.requests.mark(1, State::Refused, now_s()).unwrap();
    assert_eq!(world.ask(MASHA, "adult.example", token, "x").status, 403, "it was used");
    assert_eq!(world.requests.list().len(), 1);
}

#[test]
fn nobody_asks_more_than_ten_times_a_day_and_others_go_on_to() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new(settings(), folder.path());
    let ask = |from: &str, number: usize| {
        let host = format!("n{number}.adult.example");
        let page = world.open(from, &host, "en");
        let token = page.token().unwrap_or_default().to_owned();
        (page, world.ask(from, &host, &token, ""))
    };
    let late = world.open(MASHAS_TABLET, "late.adult.example", "en");
    for number in 0..REQUESTS_A_DAY {
        assert_eq!(ask(MASHA, number).1.status, 200);
    }
    let page = ask(MASHAS_TABLET, 99).0;
    assert!(
        page.token().is_none() && page.body.contains("many sites today"),
        "{}",
        page.body
    );
    // A page from before does not help.
    let reply = world.ask(MASHAS_TABLET, "late.adult.example", late.token().unwrap(), "");
    assert_eq!(reply.status, 429);
    assert!(reply.body.contains("many sites today"));
    assert_eq!(world.requests.list().len(), REQUESTS_A_DAY);
    assert_eq!(ask(PETYA, 0).1.status, 200);
}

#[test]
fn what_is_denied_by_name_or_by_law_and_what_is_open_is_not_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new(settings(), folder.path());
    for (host, status) in [("denied.example", 403), ("court.example", 451), ("school.example", 421)] {
        let page = world.open(MASHA, host, "en");
        assert_eq!((page.status, page.token()), (status, None), "{host}");
        let other = world.open(MASHA, "adult.example", "en");
        assert_eq!(world.ask(MASHA, host, other.token().unwrap(), "").status, status);
    }
    assert!(world.requests.list().is_empty());
}

#[test]
fn what_is_no_form_or_too_long_is_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new(settings(), folder.path());
    let token = world.open(MASHA, "adult.example", "en").token().unwrap().to_owned();
    let long = world.ask(MASHA, "adult.example", &token, &"x".repeat(PAGE_BODY_BYTES));
    assert_eq!(long.status, 413);
    let json = "POST /.stairgate/ask HTTP/1.1\r\nHost: adult.example\r\nContent-Type: application/json\r\n\
                Content-Length: 2\r\n\r\n{}";
    assert_eq!(world.send(MASHA, json.as_bytes()).status, 415);
    let get = format!("GET /.stairgate/ask?token={token} HTTP/1.1\r\nHost: adult.example\r\n\r\n");
    assert_eq!(world.send(MASHA, get.as_bytes()).status, 403);
    assert!(world.requests.list().is_empty());
    // Keys that are not the form's are of no account, and a note is cut to its bound.
    let body = format!("x=y&token={token}&note={}&&&=%%%", "z".repeat(3000));
    assert_eq!(world.post(MASHA, "adult.example", &body).status, 200);
    assert_eq!(
        world.requests.list()[0].note.len(),
        stairgate::limits::REQUEST_NOTE_CHARS
    );
}

#[test]
fn a_request_that_cannot_be_written_is_said_to_be_none() {
    let folder = tempfile::tempdir().unwrap();
    let gone = folder.path().join("gone");
    let world = World::new(settings(), &gone);
    let page = world.open(MASHA, "adult.example", "en");
    let reply = world.ask(MASHA, "adult.example", page.token().unwrap(), "");
    assert_eq!(reply.status, 503);
    assert!(reply.body.contains("could not be kept"), "{}", reply.body);
    assert_eq!(world.counters.sum().get(Count::FilesNotKept), 1);
    assert!(world.requests.list().is_empty());
}
