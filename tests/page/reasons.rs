//! What the page says.

use crate::common::*;
use stairgate::config::settings::Settings;
use stairgate::dns::key::Key;
use stairgate::dns::rtype;
use stairgate::policy::Met;

fn world(settings: Settings) -> (World, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    (World::new(settings, folder.path()), folder)
}

#[test]
fn a_closed_site_is_explained_in_the_language_of_its_reader() {
    let (world, _folder) = world(settings());
    let policy = &world.generations.load().policy;
    policy.accounts().iter().for_each(|account| account.set_spent(true));
    for (from, host, english, russian) in [
        (
            MASHA,
            "www.adult.example",
            "made for grown-ups only",
            "только для взрослых",
        ),
        (MASHA, "homework.example", "called “homework”", "называются «homework»"),
        (MASHA, "www.tiktok.com", "belongs to TikTok", "относится к TikTok"),
        (
            MASHA,
            "game.example",
            "time for “games” is used up",
            "Время на «games» закончилось",
        ),
        (MASHA, "denied.example", "closed just this site", "Именно этот сайт"),
        (MASHA, "court.example", "The law says", "По закону"),
        (PAUSED, "school.example", "taking a break", "перерыв"),
    ] {
        for (language, tag, reason, title) in [
            (
                "en-GB,en;q=0.9,ru;q=0.1",
                "en",
                english,
                "<h1>This site is closed here</h1>",
            ),
            ("ru", "ru", russian, "<h1>Этот сайт здесь закрыт</h1>"),
            ("fr", "en", english, "<h1>This site is closed here</h1>"),
        ] {
            let page = world.open(from, host, language);
            let status = if host == "court.example" { 451 } else { 403 };
            assert_eq!(page.status, status, "{host}");
            assert!(page.body.contains(&format!("<html lang=\"{tag}\">")));
            for part in [reason, title, host, "Mum &amp; &lt;Dad&gt;"] {
                assert!(
                    page.body.contains(part),
                    "{host} {language}: {part} is not in {}",
                    page.body
                );
            }
            assert_eq!(page.field("content-language"), Some(tag));
            assert_eq!(page.field("content-type"), Some("text/html; charset=utf-8"));
        }
    }
}

#[test]
fn a_page_says_until_when_where_the_reason_has_an_end() {
    let (world, _folder) = world(settings());
    let until = |page: &Reply, words: &str| {
        let (_, rest) = page.body.split_once(words)?;
        Some(rest.split_once(".</p>")?.0.to_owned())
    };
    let end = jiff::Timestamp::from_second(now_s() as i64 + 3 * 3600).unwrap();
    let clock = |at: jiff::Timestamp| {
        let at = jiff::tz::TimeZone::UTC.to_datetime(at);
        format!("{}:{:02}", at.hour(), at.minute())
    };
    let said = until(&world.open(PAUSED, "a.example", "en"), "It opens again: ").expect("a time");
    assert!(
        said.ends_with(&clock(end)) && (said.starts_with("today") || said.starts_with("tomorrow")),
        "{said}"
    );
    let said = until(&world.open(PAUSED, "a.example", "ru"), "Он снова откроется: ").expect("a time");
    assert!(
        said.ends_with(&clock(end)) && (said.starts_with("сегодня") || said.starts_with("завтра")),
        "{said}"
    );
    let accounts = &world.generations.load().policy;
    accounts.accounts().iter().for_each(|account| account.set_spent(true));
    let said = until(&world.open(MASHA, "game.example", "en"), "There is new time: ").expect("a time");
    assert!(said.ends_with("at 4:00"), "{said}");
    assert_eq!(until(&world.open(MASHA, "adult.example", "en"), "It opens again"), None);
}

#[test]
fn a_name_in_other_letters_is_shown_in_them_and_in_plain_ones() {
    let (world, _folder) = world(settings());
    let page = world.open(MASHA, "xn--bcher-kva.example", "en");
    assert!(
        page.body
            .contains("<bdi>bücher.example</bdi> <small>(xn--bcher-kva.example)</small>"),
        "{}",
        page.body
    );
}

#[test]
fn what_the_page_says_is_what_a_query_is_told() {
    let (world, _folder) = world(settings());
    let generation = world.generations.load_full();
    let (mut closed, mut open) = (0, 0);
    for from in [MASHA, MASHAS_TABLET, PETYA, CONSOLE, PAUSED, STRANGER] {
        for host in [
            "adult.example",
            "a.denied.example",
            "game.example",
            "school.example",
            "tiktok.com",
            "example",
        ] {
            let asker = generation.policy.client(from.parse().unwrap(), now_s()).unwrap();
            let key = Key::parse(host).unwrap();
            let decision = generation
                .policy
                .decide(&generation.gate, &asker, &key, Met::Question, rtype::A);
            let page = world.open(from, host, "en");
            let expected = if decision.acts() { 403 } else { 421 };
            assert_eq!(page.status, expected, "{from} {host}");
            let why = generation.policy.closed(&asker, &decision);
            assert_eq!(
                page.token().is_some(),
                why.is_some_and(|why| why.may_be_asked_for()),
                "{from} {host}"
            );
            if decision.acts() {
                closed += 1;
            } else {
                open += 1;
                assert!(
                    page.body.contains("is not closed") && page.body.contains("try again"),
                    "{}",
                    page.body
                );
            }
        }
    }
    assert!(closed > 10 && open > 5, "{closed} {open}");
}

#[test]
fn whoever_may_not_ask_for_names_is_told_nothing_about_them() {
    let mut settings = settings();
    settings.server.allow = Some(vec!["127.0.0.2/32".parse().unwrap()]);
    let (world, _folder) = world(settings);
    assert!(world.open(MASHA, "adult.example", "en").body.contains("grown-ups"));
    let page = world.open(STRANGER, "adult.example", "en");
    assert_eq!(page.status, 403);
    assert!(
        !page.body.contains("adult.example") && page.token().is_none(),
        "{}",
        page.body
    );
}

#[test]
fn every_answer_says_that_it_is_not_to_be_kept_framed_or_run_and_leads_nowhere() {
    let (world, _folder) = world(settings());
    let asks = [
        "GET / HTTP/1.1\r\nHost: adult.example\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: school.example\r\n\r\n",
        "GET //evil.example/%2e%2e HTTP/1.1\r\nHost: adult.example\r\n\r\n",
        "GET http://school.example/ HTTP/1.1\r\nHost: adult.example\r\n\r\n",
        "GET / HTTP/1.0\r\n\r\n",
        "HEAD / HTTP/1.1\r\nHost: adult.example\r\n\r\n",
        "GET /favicon.ico HTTP/1.1\r\nHost: adult.example\r\n\r\n",
        "OPTIONS / HTTP/1.1\r\nHost: adult.example\r\nOrigin: http://a.example\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: 192.168.1.1\r\n\r\n",
        "POST /login HTTP/1.1\r\nHost: adult.example\r\nContent-Length: 3\r\n\r\na=b",
    ];
    let mut seen = Vec::new();
    for ask in asks {
        let reply = world.send(MASHA, ask.as_bytes());
        seen.push(reply.status);
        assert_eq!(reply.field("cache-control"), Some("no-store"), "{ask}");
        assert_eq!(reply.field("x-content-type-options"), Some("nosniff"));
        assert_eq!(reply.field("x-frame-options"), Some("deny"));
        // It is what HTTP/1.0 does anyway.
        assert!(reply.field("connection") == Some("close") || ask.contains("HTTP/1.0"));
        let policy = reply.field("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none';") && !policy.contains("unsafe"));
        for absent in ["location", "refresh", "set-cookie", "access-control-allow-origin"] {
            assert_eq!(reply.field(absent), None, "{ask}");
        }
        assert!(!reply.body.contains("<script") && !reply.body.contains("evil"));
        assert!(!reply.body.contains("http-equiv") && !reply.body.contains("href="));
    }
    assert_eq!(seen, [403, 421, 403, 421, 400, 403, 404, 405, 404, 403]);
    let head = world.send(MASHA, asks[5].as_bytes());
    let get = world.send(MASHA, asks[0].as_bytes());
    assert!(head.body.is_empty());
    assert_eq!(head.field("content-length"), get.field("content-length"));
    let length: usize = get.field("content-length").unwrap().parse().unwrap();
    assert_eq!(length, get.body.len());
}

#[test]
fn programs_and_pictures_get_a_short_text_instead_of_a_page() {
    let (world, _folder) = world(settings());
    for (accept, html) in [
        ("image/avif,image/webp,*/*;q=0.8", false),
        ("application/json", false),
        ("*/*", false),
        ("text/html;q=0, */*", false),
        ("text/html", true),
        ("application/xml, TEXT/HTML;q=0.1", true),
    ] {
        let ask = format!("GET /x.png HTTP/1.1\r\nHost: adult.example\r\nAccept: {accept}\r\n\r\n");
        let reply = world.send(MASHA, ask.as_bytes());
        assert_eq!(reply.status, 403);
        let kind = if html {
            "text/html; charset=utf-8"
        } else {
            "text/plain; charset=utf-8"
        };
        assert_eq!(reply.field("content-type"), Some(kind), "{accept}");
        if !html {
            assert_eq!(reply.body, "adult.example does not open here.\n");
        }
    }
}
