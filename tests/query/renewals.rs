//! Popular answers are renewed shortly before their time is over.

use crate::common::*;
use async_trait::async_trait;
use stairgate::cache::{Cache, CacheKey};
use stairgate::count::Count;
use stairgate::now::Now;
use stairgate::resolver::{Answer, Failure, Question, Resolver};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const SITE: &str = "www.site.example.";

fn site(octet: u8) -> Vec<u8> {
    message(SITE, "A", 0, &[&format!("{SITE} 300 A 192.0.2.{octet}")])
}

fn after(start: Now, seconds: u64) -> Now {
    Now {
        mono_ms: start.mono_ms + seconds * 1000,
        unix_ms: start.unix_ms + seconds * 1000,
    }
}

fn put(cache: &Cache, question: &Question, bytes: &[u8], now: Now) {
    let key = CacheKey {
        qname: question.name.as_wire(),
        qtype: question.qtype,
        dnssec_ok: question.dnssec_ok,
        checking_disabled: question.checking_disabled,
    };
    cache.put(&key, bytes, now);
}

fn question(dnssec_ok: bool, checking_disabled: bool) -> Question {
    Question {
        name: name("www.site.example"),
        qtype: 1,
        dnssec_ok,
        checking_disabled,
    }
}

#[test]
fn who_asks_again_in_the_last_tenth_is_answered_at_once_and_one_renewal_begins_of_that_form_of_the_question() {
    let mut road = Road::new(settings(), &Script::new());
    let start = road.now;
    for (dnssec_ok, cd) in [(false, false), (true, false), (true, true)] {
        let question = question(dnssec_ok, cd);
        put(&road.cache, &question, &site(1), start);
        let mut query = ask(SITE, "A").edns(1232, dnssec_ok);
        query.message.metadata.checking_disabled = cd;
        for (age_s, due) in [
            (0, false),
            (100, false),
            (269, false),
            (270, true),
            (271, false),
            (299, false),
        ] {
            road.now = after(start, age_s);
            let came = road.ask(&query);
            assert_eq!(came.message().answers[0].ttl, 300 - age_s as u32);
            assert!(came.counted(Count::Cached));
            assert_eq!(came.renewal.is_some(), due, "after {age_s} s, do {dnssec_ok}, cd {cd}");
            if let Some(renewal) = came.renewal {
                assert_eq!(renewal.question(), &question);
                assert_eq!(renewal.least_left(), Duration::from_secs(150));
            }
        }
    }
    assert_eq!(road.script.asked(), 0, "no client waited");
}

#[test]
fn a_renewal_takes_the_place_of_the_answer_and_one_that_fails_leaves_it_and_is_tried_again_later() {
    let mut road = Road::new(settings(), &Script::new());
    let start = road.now;
    // An hour, so that there is time to fail in.
    let long = |octet| message(SITE, "A", 0, &[&format!("{SITE} 3600 A 192.0.2.{octet}")]);
    put(&road.cache, &question(false, false), &long(1), start);
    road.ask(&ask(SITE, "A"));
    let due = |road: &mut Road, age_s| {
        road.now = after(start, age_s);
        road.ask(&ask(SITE, "A")).renewal
    };
    assert!(due(&mut road, 3300).is_some());
    assert!(
        due(&mut road, 3449).is_none(),
        "it has its pause, half of what was left"
    );
    let renewal = due(&mut road, 3450).expect("the first has failed");
    let answer = Answer {
        message: long(2),
        ede: Vec::new(),
    };
    assert!(renewal.keep(&answer, &road.cache, road.now));
    assert!(due(&mut road, 3520).is_none());
    let came = road.ask(&ask(SITE, "A"));
    assert_eq!(answers(&came.message()), ["www.site.example. 3530 A 192.0.2.2"]);
    assert!(due(&mut road, 3450 + 3500).is_some(), "its own last tenth has come");
}

#[test]
fn what_is_no_newer_or_was_to_be_forgotten_does_not_take_the_place_of_an_answer() {
    let mut road = Road::new(settings(), &Script::new());
    let start = road.now;
    put(&road.cache, &question(false, false), &site(1), start);
    road.ask(&ask(SITE, "A"));
    road.now = after(start, 270);
    let renewal = road.ask(&ask(SITE, "A")).renewal.expect("it is due");
    let lives_for = |ttl: u32| Answer {
        message: message(SITE, "A", 0, &[&format!("{SITE} {ttl} A 192.0.2.2")]),
        ede: Vec::new(),
    };
    // A forwarder that caches has the rest of the time as well.
    assert!(!renewal.keep(&lives_for(30), &road.cache, road.now));
    let came = road.ask(&ask(SITE, "A"));
    assert_eq!(answers(&came.message()), ["www.site.example. 30 A 192.0.2.1"]);

    assert_eq!(road.cache.flush(None, false), 1);
    assert!(!renewal.keep(&lives_for(300), &road.cache, road.now));
    assert_eq!(road.cache.stats().entries, 0);
}

#[test]
fn answers_that_nobody_asked_for_twice_short_ones_and_blocked_ones_are_not_renewed() {
    let mut road = Road::new(settings(), &Script::new());
    let start = road.now;
    let due = |road: &mut Road, age_s, name: &str| {
        road.now = after(start, age_s);
        road.ask(&ask(name, "A")).renewal.is_some()
    };
    put(&road.cache, &question(false, false), &site(1), start);
    assert!(!due(&mut road, 280, SITE), "it was not asked for before");
    assert!(due(&mut road, 281, SITE));

    for (ttl, expected) in [(9, false), (10, true)] {
        let short = message(SITE, "A", 0, &[&format!("{SITE} {ttl} A 192.0.2.1")]);
        put(&road.cache, &question(false, false), &short, start);
        assert!(!due(&mut road, 0, SITE));
        assert_eq!(due(&mut road, ttl - 1, SITE), expected, "a TTL of {ttl} s");
    }

    let cloaked = [
        "cloak.site.example. 300 CNAME tracker.blocked.example.",
        "tracker.blocked.example. 300 A 192.0.2.1",
    ];
    let cloak = Question {
        name: name("cloak.site.example"),
        ..question(false, false)
    };
    put(
        &road.cache,
        &cloak,
        &message("cloak.site.example.", "A", 0, &cloaked),
        start,
    );
    assert!(!due(&mut road, 280, "cloak.site.example."));
    assert!(!due(&mut road, 281, "cloak.site.example."), "nobody gets it");

    let mut off = settings();
    off.cache.prefetch = false;
    let mut road = Road::new(off, &Script::new());
    put(&road.cache, &question(false, false), &site(1), start);
    assert!(
        !due(&mut road, 280, SITE) && !due(&mut road, 281, SITE),
        "the setting says no"
    );
}

#[test]
fn what_an_alias_of_this_server_leads_to_is_renewed_as_well() {
    let mut home = settings();
    home.records = vec![stairgate::config::settings::LocalRecord {
        name: name("alias.home.arpa"),
        data: vec!["CNAME www.site.example.".to_owned()],
    }];
    let mut road = Road::new(home, &Script::new());
    put(&road.cache, &question(false, false), &site(1), road.now);
    road.ask(&ask("alias.home.arpa.", "A"));
    road.now = after(road.now, 290);
    let renewal = road.ask(&ask("alias.home.arpa.", "A")).renewal.expect("a renewal");
    assert_eq!(renewal.question(), &question(false, false));
}

/// Renews as it is told, and never answers anybody who waits.
#[derive(Default)]
struct Renewing {
    renewed: AtomicUsize,
    with: Mutex<Option<Vec<u8>>>,
    held: Option<Arc<tokio::sync::Semaphore>>,
    /// Renewals that went away before they were done.
    let_go: Arc<AtomicUsize>,
}

/// Counts itself as it is dropped.
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[async_trait]
impl Resolver for Renewing {
    async fn resolve(&self, _: &Question, _: Instant) -> Result<Answer, Failure> {
        std::future::pending().await
    }

    async fn renew(&self, _: &Question, _: Duration, _: Instant) -> Result<Answer, Failure> {
        self.renewed.fetch_add(1, Ordering::Relaxed);
        if let Some(held) = &self.held {
            let _counted = Counted(Arc::clone(&self.let_go));
            held.acquire().await.expect("it is open").forget();
        }
        let with = self.with.lock().expect("no panic").clone();
        with.map(|message| Answer {
            message,
            ede: Vec::new(),
        })
        .ok_or(Failure::Unreachable)
    }
}

/// So long before now.
fn ago(seconds: u64) -> Now {
    let now = stairgate::clock::now();
    Now {
        mono_ms: now.mono_ms - seconds * 1000,
        unix_ms: now.unix_ms - seconds * 1000,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_server_renews_over_every_transport_beside_its_clients_and_counts_what_came_of_it() {
    let resolver = Arc::new(Renewing {
        with: Mutex::new(Some(site(2))),
        ..Renewing::default()
    });
    let server = Server::start("127.0.0.1", settings(), Arc::clone(&resolver) as Arc<dyn Resolver>);
    let client = udp("127.0.0.1");
    put(&server.cache, &question(false, false), &site(1), ago(275));
    let query = ask(SITE, "A").bytes();
    let mut seen = Vec::new();
    for _ in 0..200 {
        let response = read(&exchange(&client, server.address, &query));
        seen.push(response.answers[0].data.to_string());
        if seen.last().is_some_and(|address| address == "192.0.2.2") {
            break;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(seen[..2], ["192.0.2.1", "192.0.2.1"], "the old answer comes at once");
    assert_eq!(seen.last().map(String::as_str), Some("192.0.2.2"), "then the new one");
    assert_eq!(resolver.renewed.load(Ordering::Relaxed), 1);

    // Over TCP, where it fails.
    *resolver.with.lock().unwrap() = None;
    put(&server.cache, &question(false, false), &site(3), ago(275));
    let mut stream = std::net::TcpStream::connect(server.address).unwrap();
    for _ in 0..3 {
        use std::io::{Read, Write};
        let mut framed = (query.len() as u16).to_be_bytes().to_vec();
        framed.extend(&query);
        stream.write_all(&framed).unwrap();
        let mut length = [0; 2];
        stream.read_exact(&mut length).unwrap();
        let mut response = vec![0; usize::from(u16::from_be_bytes(length))];
        stream.read_exact(&mut response).unwrap();
        assert_eq!(read(&response).answers[0].data.to_string(), "192.0.2.3");
    }
    let counted = |count| server.counters.sum().get(count);
    for _ in 0..200 {
        if counted(Count::RenewalsFailed) == 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!((counted(Count::Renewals), counted(Count::RenewalsFailed)), (2, 1));
    assert_eq!(counted(Count::Failed), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn renewals_are_shed_before_any_client_waits_for_them_and_end_with_the_server() {
    let resolver = Arc::new(Renewing {
        held: Some(Arc::new(tokio::sync::Semaphore::new(0))),
        ..Renewing::default()
    });
    let server = Server::start("127.0.0.1", settings(), Arc::clone(&resolver) as Arc<dyn Resolver>);
    let client = udp("127.0.0.1");
    let names = stairgate::limits::RENEWALS + 20;
    for number in 0..names {
        let site = format!("n{number}.site.example.");
        let question = Question {
            name: name(&site),
            ..question(false, false)
        };
        let bytes = message(&site, "A", 0, &[&format!("{site} 300 A 192.0.2.1")]);
        put(&server.cache, &question, &bytes, ago(275));
        for _ in 0..2 {
            let response = read(&exchange(&client, server.address, &ask(&site, "A").bytes()));
            assert_eq!(response.answers.len(), 1);
        }
    }
    let counted = |count| server.counters.sum().get(count);
    assert_eq!(counted(Count::Renewals), stairgate::limits::RENEWALS as u64);
    assert_eq!(counted(Count::RenewalsOverLimit), 20);
    let started = Instant::now();
    let stopped = server.listeners.stop(Duration::from_secs(5)).await;
    assert_eq!(stopped.abandoned, 0, "nobody waited for a renewal");
    assert!(started.elapsed() < Duration::from_secs(3));
    for _ in 0..200 {
        if resolver.let_go.load(Ordering::Relaxed) == stairgate::limits::RENEWALS {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(resolver.let_go.load(Ordering::Relaxed), stairgate::limits::RENEWALS);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_many_clients_wait_nothing_is_renewed() {
    let resolver = Arc::new(Renewing::default());
    let server = Server::start("127.0.0.1", settings(), Arc::clone(&resolver) as Arc<dyn Resolver>);
    let client = udp("127.0.0.1");
    put(&server.cache, &question(false, false), &site(1), ago(275));
    let many = stairgate::limits::RENEWALS_UP_TO_PENDING + 100;
    for number in 0..many {
        let query = ask(&format!("w{number}.site.example."), "A").bytes();
        client.send_to(&query, server.address).unwrap();
        if number % 50 == 0 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
    let counted = |count| server.counters.sum().get(count);
    for _ in 0..400 {
        if counted(Count::QueriesUdp) >= many as u64 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(
        counted(Count::QueriesUdp) >= many as u64,
        "loopback loses nothing so slow"
    );
    for _ in 0..2 {
        let response = read(&exchange(&client, server.address, &ask(SITE, "A").bytes()));
        assert_eq!(response.answers.len(), 1);
    }
    assert_eq!((counted(Count::Renewals), counted(Count::RenewalsOverLimit)), (0, 1));
    assert_eq!(resolver.renewed.load(Ordering::Relaxed), 0);
}
