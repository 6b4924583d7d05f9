//! Every row of the table "what fails, what people see" of ARCHITECTURE.md, tried on the real binary.

use crate::common::{Home, UPSTREAM_SAYS, eventually, extended_errors, is_blocked, is_resolved, is_servfail};
use crate::publisher::{Page, Publisher};
use hickory_proto::op::{Message, MessageType, OpCode, ResponseCode};
use hickory_proto::rr::{RData, Record};
use std::net::{TcpListener, UdpSocket};
use std::time::{Duration, Instant};

const ADULT: &str = "[[list]]\nname = \"adult\"\nsource = \"adult.domains\"\ncategory = \"adult\"\n";

/// A home whose list blocks `adult.example`, for everybody.
fn home() -> Home {
    let home = Home::new();
    home.write("adult.domains", "adult.example\n");
    home.configure(ADULT);
    home
}

// ---- settings wrong at start ----

#[test]
fn wrong_settings_stop_the_start_with_one_sentence_that_names_file_and_line() {
    let home = Home::new();
    let wrong = [
        ("colour = \"red\"\n", 9, "colour"),
        (
            "[[list]]\nname = \"adult\"\nsource = \"adult.domains\"\n",
            9,
            "category",
        ),
        ("[profile.child]\nblock = [\"adultery\"]\n", 10, "adultery"),
        ("[cache]\nsize = \"much\"\n", 10, "much"),
        ("[cache\n", 9, ""),
    ];
    for (rest, line, word) in wrong {
        home.configure(rest);
        let ended = home.run(&["serve"]);
        assert_eq!(ended.code, Some(2), "{rest}\n{ended:?}");
        assert_eq!(ended.stdout, "", "{rest}");
        assert_eq!(ended.stderr.lines().count(), 1, "{rest}\n{}", ended.stderr);
        assert!(
            ended.stderr.contains(&format!("stairgate.toml:{line}: ")),
            "{rest}\n{}",
            ended.stderr
        );
        assert!(ended.stderr.contains(word), "{rest}\n{}", ended.stderr);
    }
}

#[test]
fn a_settings_file_that_is_not_there_is_named() {
    let home = Home::new();
    let ended = home.run(&["serve"]);
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.stderr.contains("stairgate.toml: "), "{}", ended.stderr);
}

#[test]
fn an_address_in_use_stops_the_start_and_says_what_to_do() {
    let home = home();
    let _udp = UdpSocket::bind(home.address).expect("a free port on loopback");
    let _tcp = TcpListener::bind(home.address).expect("a free port on loopback");
    let ended = home.run(&["serve"]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let start = format!("{}: address already in use; ", home.address);
    assert!(
        ended.stderr.lines().any(|line| line.starts_with(&start)),
        "{}",
        ended.stderr
    );
}

#[test]
fn a_list_file_that_is_not_there_stops_the_start() {
    let home = Home::new();
    home.configure(ADULT);
    let ended = home.run(&["serve"]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("adult.domains"), "{}", ended.stderr);
}

// ---- settings or household wrong at reload ----

#[test]
fn wrong_settings_at_reload_leave_the_running_ones_in_force() {
    let home = home();
    let server = home.serve(&[]);
    server.ask_until_blocked("adult.example");
    home.configure("colour = \"red\"\n");
    server.wait_for("colour");
    server.wait_for("stay in force");
    assert!(is_blocked(&server.ask("adult.example")));
    home.configure(&format!(
        "{ADULT}[profile.default]\nblock = [\"adult\"]\ndeny = [\"games.example\"]\n"
    ));
    server.ask_until_blocked("games.example");
}

#[test]
fn a_wrong_household_at_reload_leaves_the_running_one_in_force() {
    let home = home();
    home.configure_with("household = \"household.toml\"\n", ADULT);
    home.write(
        "household.toml",
        "[profile.default]\nblock = [\"adult\"]\ndeny = [\"games.example\"]\n",
    );
    let server = home.serve(&[]);
    server.ask_until_blocked("games.example");
    home.write("household.toml", "[profile.default]\nblock = [\"adult\"\n");
    server.wait_for("household.toml:");
    assert!(is_blocked(&server.ask("games.example")));
    assert!(is_blocked(&server.ask("adult.example")));
    home.write("household.toml", "[profile.default]\nblock = [\"adult\"]\n");
    server.ask_until_resolved("games.example");
    assert!(is_blocked(&server.ask("adult.example")));
}

#[test]
fn a_key_that_needs_a_restart_is_named_and_the_rest_comes_into_force() {
    let home = home();
    let server = home.serve(&[]);
    home.configure(&format!(
        "[cache]\nsize = \"1 MiB\"\n{ADULT}[profile.default]\nblock = [\"adult\"]\ndeny = [\"games.example\"]\n"
    ));
    server.ask_until_blocked("games.example");
    server.wait_for("cache.size");
    server.wait_for("restart");
}

// ---- one bad line in a list ----

#[test]
fn a_bad_line_is_skipped_counted_and_shown_by_inspect() {
    let home = home();
    home.write(
        "adult.domains",
        &format!("first.example\n{}.example\nlast.example\n", "x".repeat(70)),
    );
    let server = home.serve(&[]);
    server.ask_until_blocked("first.example");
    assert!(is_blocked(&server.ask("last.example")));
    let shown = crate::common::run(&["inspect", "var/lists.gate", "--json"], home.path());
    let shown: serde_json::Value = serde_json::from_str(&shown.stdout).expect("one JSON object");
    assert_eq!(shown["sources"][0]["rule_lines"], 2, "{shown}");
    assert_eq!(shown["sources"][0]["rejected_lines"], 1, "{shown}");
    assert_eq!(shown["sources"][0]["rejects"], 1, "{shown}");
    let shown = crate::common::run(&["inspect", "var/lists.gate"], home.path());
    assert!(shown.stdout.contains("line 2: "), "{shown:?}");
}

// ---- one list fails to fetch, shrinks or explodes ----

fn fetched_home(publisher: &Publisher, page: Page) -> Home {
    let home = Home::new();
    let url = publisher.put("/adult", page);
    home.write(crate::common::ROOTS, &publisher.root);
    home.configure(&format!(
        "[[list]]\nname = \"adult\"\nsource = \"{url}\"\ncategory = \"adult\"\n"
    ));
    home
}

fn numbered(from: usize, count: usize) -> String {
    (from..from + count).map(|at| format!("n{at}.example\n")).collect()
}

#[test]
fn a_list_that_fails_to_fetch_or_shrinks_keeps_its_last_good_version_in_service() {
    let publisher = Publisher::start_https();
    let home = fetched_home(&publisher, Page::List(numbered(0, 1000)));
    let server = home.serve(&[]);
    server.ask_until_blocked("n7.example");

    publisher.put("/adult", Page::Status(500));
    let failed = home.run(&["update"]);
    assert_eq!(failed.code, Some(1), "{failed:?}");
    assert!(
        failed.stderr.contains("adult") && failed.stderr.contains("500"),
        "{}",
        failed.stderr
    );

    publisher.put("/adult", Page::List(numbered(1000, 100)));
    let held = home.run(&["update"]);
    assert_eq!(held.code, Some(1), "{held:?}");
    assert!(held.stderr.contains("held back"), "{}", held.stderr);
    assert!(is_blocked(&server.ask("n7.example")));

    let accepted = home.run(&["update", "--accept", "adult"]);
    assert_eq!(accepted.code, Some(0), "{accepted:?}");
    server.ask_until_blocked("n1007.example");
    assert!(is_resolved(&server.ask("n7.example")));
}

#[test]
fn a_restart_needs_neither_the_publisher_nor_another_compile() {
    let publisher = Publisher::start_https();
    let home = fetched_home(&publisher, Page::List(numbered(0, 10)));
    let mut server = home.serve(&[]);
    server.ask_until_blocked("n7.example");
    server.signal("TERM");
    server.wait_for_exit();
    publisher.put("/adult", Page::Status(500));
    let compiled = std::fs::metadata(home.file("var/lists.gate"))
        .and_then(|file| file.modified())
        .expect("a gate");
    let server = home.serve(&[]);
    assert!(is_blocked(&server.ask("n7.example")));
    let again = std::fs::metadata(home.file("var/lists.gate"))
        .and_then(|file| file.modified())
        .expect("a gate");
    assert_eq!(compiled, again);
    assert_eq!(publisher.requests("/adult"), 1);
}

// ---- a needed list was never fetched ----

#[test]
fn a_list_that_never_comes_means_servfail_that_says_so_and_then_the_end() {
    let publisher = Publisher::start_https();
    let home = fetched_home(&publisher, Page::Status(404));
    let mut server = home.serve_without_waiting(&["--start-wait-ms", "2000"]);
    server.wait_for("adult");
    let response = server.ask_until(
        "harmless.example",
        hickory_proto::rr::RecordType::A,
        "SERVFAIL",
        is_servfail,
    );
    assert_eq!(
        extended_errors(&response).first().map(|(code, _)| *code),
        Some(14),
        "Not Ready: {response:#?}"
    );
    let status = server.wait_for_exit();
    assert_eq!(status.code(), Some(1), "{}", server.said());
    assert!(server.said().contains("--without-lists"), "{}", server.said());
}

#[test]
fn a_list_that_comes_late_ends_the_wait() {
    let publisher = Publisher::start_https();
    let home = fetched_home(&publisher, Page::Status(503));
    let server = home.serve_without_waiting(&[]);
    server.ask_until(
        "harmless.example",
        hickory_proto::rr::RecordType::A,
        "SERVFAIL",
        is_servfail,
    );
    publisher.put("/adult", Page::List(numbered(0, 10)));
    server.ask_until_blocked("n7.example");
    assert!(is_resolved(&server.ask("harmless.example")));
    server.wait_for("Stairgate answers on");
}

#[test]
fn a_client_whose_profile_does_not_need_the_list_does_not_wait_for_it() {
    let publisher = Publisher::start_https();
    let home = fetched_home(&publisher, Page::Status(503));
    let url = publisher.url("/adult");
    home.configure(&format!(
        "[[list]]\nname = \"adult\"\nsource = \"{url}\"\ncategory = \"adult\"\n{}",
        "[profile.default]\nblock = [\"adult\"]\n[profile.grown]\nblock = []\n\
         [[client]]\nname = \"desk\"\nmatch = [\"127.0.0.1\"]\nprofile = \"grown\"\n"
    ));
    let server = home.serve_without_waiting(&[]);
    server.ask_until_resolved("harmless.example");
}

#[test]
fn without_lists_it_is_a_plain_resolver() {
    let publisher = Publisher::start_https();
    let home = fetched_home(&publisher, Page::Status(404));
    let server = home.serve(&["--without-lists"]);
    assert!(is_resolved(&server.ask("n7.example")));
    assert_eq!(publisher.requests("/adult"), 0);
}

// ---- a compiled file does not verify ----

fn compile(home: &Home, names: &str, to: &str) {
    home.write("adult/adult.domains", names);
    let ended = crate::common::run(&["compile", "--output", to, "adult/adult.domains"], home.path());
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

#[test]
fn a_gate_that_does_not_verify_leaves_the_old_one_in_force() {
    let home = Home::new();
    compile(&home, "adult.example\n", "lists.gate");
    home.configure_with("gate = \"lists.gate\"\n", "");
    let server = home.serve(&[]);
    server.ask_until_blocked("adult.example");

    let good = std::fs::read(home.file("lists.gate")).expect("a gate");
    for damaged in [&good[..good.len() / 2], &b"not a gate"[..], &[]] {
        std::fs::write(home.file("lists.gate"), damaged).expect("a writable folder");
        std::thread::sleep(Duration::from_millis(300));
        assert!(is_blocked(&server.ask("adult.example")), "{}", server.said());
    }
    server.wait_for("lists.gate");
    server.wait_for("stay in force");

    compile(&home, "games.example\n", "lists.gate");
    server.ask_until_blocked("games.example");
    assert!(is_resolved(&server.ask("adult.example")));
}

#[test]
fn a_gate_that_does_not_verify_stops_a_start_with_exit_3() {
    let home = Home::new();
    home.write("lists.gate", "not a gate");
    home.configure_with("gate = \"lists.gate\"\n", "");
    let ended = home.run(&["serve"]);
    assert_eq!(ended.code, Some(3), "{ended:?}");
    assert!(ended.stderr.contains("lists.gate"), "{}", ended.stderr);
}

// ---- upstream fails ----

#[test]
fn an_upstream_that_does_not_answer_is_servfail_that_says_why() {
    let home = home();
    let text = std::fs::read_to_string(home.file("stairgate.toml")).expect("settings");
    let silent = UdpSocket::bind("127.0.0.1:0").expect("a free port on loopback");
    let silent_address = silent.local_addr().expect("a bound socket");
    home.write(
        "stairgate.toml",
        &text
            .replace(&home.upstream.address.to_string(), &silent_address.to_string())
            .replace("2s", "500ms"),
    );
    let server = home.serve(&[]);
    let response = server.ask("harmless.example");
    assert!(is_servfail(&response), "{response:#?}");
    assert_eq!(
        extended_errors(&response).first().map(|(code, _)| *code),
        Some(22),
        "{response:#?}"
    );
    let again = server.ask("harmless.example");
    assert!(is_servfail(&again), "{again:#?}");
    assert!(
        extended_errors(&again).iter().any(|(code, _)| *code == 13),
        "Cached Error: {again:#?}"
    );
    assert!(
        is_blocked(&server.ask("adult.example")),
        "a blocked name needs no upstream"
    );
}

#[test]
fn an_answer_from_before_beats_an_upstream_that_fell_silent() {
    let home = home();
    let text = std::fs::read_to_string(home.file("stairgate.toml")).expect("settings");
    let upstream = UdpSocket::bind("127.0.0.1:0").expect("a free port on loopback");
    let address = upstream.local_addr().expect("a bound socket");
    home.write(
        "stairgate.toml",
        &text
            .replace(&home.upstream.address.to_string(), &address.to_string())
            .replace("2s", "4s"),
    );
    // Answers once, with a TTL of a second; then nothing.
    let answering = std::thread::spawn(move || {
        let mut buffer = [0; 1500];
        let (length, from) = upstream.recv_from(&mut buffer).expect("the first query");
        let asked = Message::from_vec(&buffer[..length]).expect("a query");
        let mut response = Message::new(asked.metadata.id, MessageType::Response, OpCode::Query);
        response.add_query(asked.queries[0].clone());
        let name = asked.queries[0].name().clone();
        response.add_answer(Record::from_rdata(name, 1, RData::A(UPSTREAM_SAYS.into())));
        let bytes = response.to_vec().expect("a response");
        upstream.send_to(&bytes, from).expect("loopback takes it");
        upstream
    });
    let server = home.serve(&[]);
    assert!(is_resolved(&server.ask("harmless.example")));
    let _silent = answering.join().expect("it answered");
    std::thread::sleep(Duration::from_millis(1500));
    let stale = |response: &Message| {
        is_resolved(response)
            && response.answers[0].ttl == 30
            && extended_errors(response).iter().any(|(code, _)| *code == 3)
    };
    let asked = Instant::now();
    let first = server.ask("harmless.example");
    assert!(stale(&first), "{first:#?}");
    let waited = asked.elapsed();
    assert!(
        waited > Duration::from_millis(1500) && waited < Duration::from_millis(3800),
        "the upstream has its chance, and the client is not kept until the deadline: {waited:?}"
    );
    // Once the failure is known it is not waited for again.
    eventually("the failure is remembered", || {
        let asked = Instant::now();
        let again = server.ask("harmless.example");
        assert!(stale(&again), "{again:#?}");
        (asked.elapsed() < Duration::from_millis(1000)).then_some(())
    });
}

// ---- bad packets ----

#[test]
fn bad_packets_are_answered_or_dropped_and_the_next_query_is_answered() {
    let home = home();
    let server = home.serve(&[]);
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port on loopback");
    let good = crate::common::query(7, "adult.example", hickory_proto::rr::RecordType::A)
        .to_vec()
        .expect("a query");
    for len in 0..good.len() {
        socket.send_to(&good[..len], home.address).expect("loopback takes it");
    }
    for byte in 0..good.len() {
        let mut flipped = good.clone();
        flipped[byte] ^= 0xff;
        socket.send_to(&flipped, home.address).expect("loopback takes it");
    }
    let mut two = good.clone();
    two[5] = 2;
    let strange = UdpSocket::bind("127.0.0.1:0").expect("a free port on loopback");
    strange
        .set_read_timeout(Some(Duration::from_secs(5)))
        .expect("a socket of ours");
    strange.send_to(&two, home.address).expect("loopback takes it");
    let mut buffer = [0; 512];
    let len = strange.recv(&mut buffer).expect("a response");
    let response = hickory_proto::op::Message::from_vec(&buffer[..len]);
    let rcode = response.map_or(u16::from(buffer[3] & 15), |response| {
        response.metadata.response_code.into()
    });
    assert_eq!(rcode, u16::from(ResponseCode::FormErr));
    assert!(is_blocked(&server.ask("adult.example")));
}

// ---- disk full ----

#[test]
fn a_state_folder_that_cannot_be_written_does_not_stop_queries() {
    let home = home();
    home.write("var", "a file where the state folder should be");
    let server = home.serve(&[]);
    server.wait_for("var");
    assert!(is_blocked(&server.ask("adult.example")));
    assert!(is_resolved(&server.ask("harmless.example")));
    home.write("adult.domains", "other.example\n");
    server.ask_until_blocked("other.example");
}
