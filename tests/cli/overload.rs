//! More queries than the server lets wait, while whom it must ask keeps silent: the overload row of what-fails.

use crate::common::{Home, Server, ask, extended_errors, is_blocked, is_resolved, is_servfail, query, stairgate};
use crate::talk::{Stream, udp_client};
use hickory_proto::op::Message;
use hickory_proto::rr::RecordType;
use stairgate::limits::PENDING_QUERIES;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::UdpSocket;
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// Names that the upstream never answers. Few, so that the upstream sees few queries: those that ask the same are joined,
/// but each waits.
const NAMES: usize = 200;
/// Queries of one client: of each name one.
const CLIENTS: usize = PENDING_QUERIES / NAMES + 5;
/// More queries than may wait.
const EXCESS: usize = CLIENTS * NAMES - PENDING_QUERIES;
/// Queries sent before the server is seen to have taken them, far below what a socket's buffer holds.
const AT_A_TIME: usize = 100;
/// How long a query waits for the upstream. The burst takes a part of it.
const DEADLINE: Duration = Duration::from_secs(8);
/// How long a client that has all its answers listens for one too many.
const AFTERTHOUGHT: Duration = Duration::from_millis(500);

/// Everything `status` counted, asked over the control socket.
fn counters(home: &Home) -> BTreeMap<String, u64> {
    let mut stream = UnixStream::connect(home.file("var/control.sock")).expect("the control socket");
    stream.write_all(b"{\"command\":\"status\"}\n").expect("it reads");
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).expect("it answers");
    let status: serde_json::Value = serde_json::from_str(&line).expect("one JSON object");
    assert_eq!(status["ok"], true, "{status}");
    serde_json::from_value(status["counters"].clone()).expect("numbers by name")
}

/// A response that came, and to which client.
struct Came {
    client: usize,
    response: Message,
}

/// Hears what comes to one client until `until`, or until it has an answer to each of its queries and no more come.
fn hear(client: usize, socket: &UdpSocket, until: Instant, to: &mpsc::Sender<Came>) {
    let mut heard = 0;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let wait = if heard < NAMES { left } else { left.min(AFTERTHOUGHT) };
        if wait.is_zero() {
            return;
        }
        socket.set_read_timeout(Some(wait)).expect("a socket of ours");
        let mut buffer = [0; 4096];
        match socket.recv(&mut buffer) {
            Ok(len) => {
                heard += 1;
                let response = Message::from_vec(&buffer[..len]).expect("a well-formed response");
                to.send(Came { client, response }).expect("the test is there");
            }
            Err(_) if heard >= NAMES => return,
            Err(_) => {}
        }
    }
}

fn silent_name(number: usize) -> String {
    format!("silent{number}.example.")
}

/// A blocked and a cached name are answered now, not when some query that waits is done.
fn answers_at_once(server: &Server) {
    let started = Instant::now();
    assert!(is_blocked(&server.ask("adult.example")));
    assert!(is_resolved(&server.ask("cached.example")));
    let took = started.elapsed();
    assert!(took < DEADLINE / 4, "blocked and cached names waited {took:?}");
}

#[test]
fn a_flood_that_nobody_answers_sheds_the_oldest_and_leaves_blocked_and_cached_names_answered_at_once() {
    let home = Home::new();
    home.write("adult.domains", "adult.example\n");
    home.configure("[[list]]\nname = \"adult\"\nsource = \"adult.domains\"\ncategory = \"adult\"\n");
    let settings = std::fs::read_to_string(home.file("stairgate.toml")).expect("settings");
    home.write(
        "stairgate.toml",
        &settings.replace("\"2s\"", &format!("\"{}s\"", DEADLINE.as_secs())),
    );
    let server = home.serve(&[]);
    server.ask_until_resolved("cached.example");

    let sockets: Vec<UdpSocket> = (0..CLIENTS).map(|_| udp_client(home.address)).collect();
    let started = Instant::now();
    let (to, came) = mpsc::channel();
    let (shed, during) = std::thread::scope(|scope| {
        for (client, socket) in sockets.iter().enumerate() {
            let to = to.clone();
            // Until all that waited has run out of time, and somewhat longer.
            scope.spawn(move || hear(client, socket, started + 3 * DEADLINE, &to));
        }
        drop(to);
        for (client, socket) in sockets.iter().enumerate() {
            for number in 0..NAMES {
                let id = u16::try_from(number).expect("few names");
                let query = query(id, &silent_name(number), RecordType::A);
                socket
                    .send(&query.to_vec().expect("a query"))
                    .expect("loopback takes it");
                if number % AT_A_TIME == AT_A_TIME - 1 {
                    // Its answer shows that what was sent before has been taken.
                    assert!(is_blocked(&server.ask("adult.example")), "after {client} clients");
                }
            }
        }
        let burst = started.elapsed();
        assert!(
            burst < DEADLINE / 2,
            "the burst took {burst:?}, so that queries ended by themselves"
        );
        answers_at_once(&server);
        let shed: Vec<Came> = (0..EXCESS)
            .map(|number| {
                came.recv_timeout(DEADLINE / 4)
                    .unwrap_or_else(|error| panic!("shed query {number}: {error}\n{}", server.said()))
            })
            .collect();
        let during = counters(&home);
        answers_at_once(&server);
        (shed, during)
    });
    let after: Vec<Came> = came.into_iter().collect();

    // The oldest went, with a response that says why, and each was counted.
    for Came { client, response } in &shed {
        assert!(is_servfail(response), "{response:#?}");
        let why = extended_errors(response);
        assert!(
            why.iter()
                .any(|(_, text)| text.contains("too many queries are waiting")),
            "{why:?}"
        );
        assert!(
            *client < EXCESS.div_ceil(NAMES),
            "client {client} came late, yet was shed"
        );
    }
    assert_eq!(during["pending_over_limit"], EXCESS as u64, "{during:?}");

    // Those that waited were answered too, at the latest when their time was up.
    let mut answered = vec![[0u8; NAMES]; CLIENTS];
    for Came { client, response } in shed.iter().chain(&after) {
        let number = usize::from(response.metadata.id);
        assert_eq!(response.queries[0].name().to_ascii(), silent_name(number));
        assert!(is_servfail(response), "{response:#?}");
        answered[*client][number] += 1;
    }
    let total = counters(&home);
    let dropped: u64 = total
        .iter()
        .filter(|(name, _)| name.starts_with("dropped_"))
        .map(|(_, count)| count)
        .sum();
    let silent = answered.iter().flatten().filter(|&&count| count == 0).count() as u64;
    assert!(
        answered.iter().flatten().all(|&count| count <= 1),
        "no query is answered twice"
    );
    assert_eq!(
        silent, dropped,
        "a query without an answer is a counted drop: {total:?}"
    );
    assert_eq!(total["pending_over_limit"], EXCESS as u64, "{total:?}");
    assert!(total["failed"] >= (CLIENTS * NAMES) as u64 - dropped, "{total:?}");

    // And it is as it was before.
    let fresh = ask(home.address, "fresh.example", RecordType::A).expect("an answer");
    assert!(is_resolved(&fresh), "{fresh:#?}");
}

/// A server that may open so many files.
fn with_open_files(most: u16) -> (Home, Server) {
    let home = Home::new();
    home.write("adult.domains", "adult.example\n");
    home.configure("[[list]]\nname = \"adult\"\nsource = \"adult.domains\"\ncategory = \"adult\"\n");
    let plain = stairgate(&["serve", "--config", "stairgate.toml"], home.path());
    let mut limited = Command::new("sh");
    limited
        .args(["-c", &format!("ulimit -n {most} && exec \"$0\" \"$@\"")])
        .arg(plain.get_program())
        .args(plain.get_args())
        .current_dir(home.path());
    let server = Server::spawn(limited, home.address);
    server.wait_for("Stairgate answers on");
    (home, server)
}

#[test]
fn where_few_files_may_be_open_the_log_says_so_and_the_idlest_connections_make_room_for_new_ones() {
    // Half for upstreams, and of the rest half for connections.
    const CONNECTIONS: usize = 32;
    let (home, server) = with_open_files(4 * CONNECTIONS as u16);
    assert!(
        server.said().contains("32 TCP connections at once instead of 20000"),
        "{}",
        server.said()
    );
    let mut next_id = 0;
    let mut ask = |stream: &mut Stream| {
        next_id += 1;
        stream.send(
            &query(next_id, "adult.example", RecordType::A)
                .to_vec()
                .expect("a query"),
        );
        is_blocked(&stream.next().expect("a response"))
    };
    let mut streams: Vec<Stream> = (0..CONNECTIONS).map(|_| Stream::connect(home.address)).collect();
    for stream in &mut streams {
        assert!(ask(stream));
    }
    std::thread::sleep(Duration::from_millis(5));
    // The first two have been here longest, and have just been busy.
    assert!(ask(&mut streams[0]) && ask(&mut streams[1]));
    let mut newer: Vec<Stream> = (0..2).map(|_| Stream::connect(home.address)).collect();
    assert!(newer.iter_mut().all(&mut ask));
    for gone in streams.drain(2..4) {
        assert!(gone.ends_here(), "the idlest");
    }
    assert!(
        streams.iter_mut().chain(&mut newer).all(ask),
        "the others are served as before"
    );
    assert_eq!(counters(&home)["tcp_closed_limit"], 2);
}

#[test]
fn silence_upstream_never_takes_the_files_that_clients_the_control_socket_and_a_reload_need() {
    const OPEN_FILES: u16 = 128;
    let (home, server) = with_open_files(OPEN_FILES);

    // Each of these waits for the upstream with a socket of its own, if it gets one. No client has more than its buffer holds.
    let sockets: Vec<UdpSocket> = (0..6).map(|_| udp_client(home.address)).collect();
    for (client, socket) in sockets.iter().enumerate() {
        for id in 0..OPEN_FILES / 2 {
            let query = query(id, &format!("silent{client}-{id}.example"), RecordType::A);
            socket
                .send(&query.to_vec().expect("a query"))
                .expect("loopback takes it");
        }
        assert!(is_blocked(&server.ask("adult.example")));
    }
    assert_eq!(counters(&home)["queries_tcp"], 0);
    let mut stream = Stream::connect(home.address);
    stream.send(&query(9, "adult.example", RecordType::A).to_vec().expect("a query"));
    assert!(is_blocked(&stream.next().expect("a response")));
    home.write("adult.domains", "adult.example\nlater.example\n");
    server.signal("HUP");
    server.ask_until_blocked("later.example");
    for socket in &sockets {
        for _ in 0..OPEN_FILES / 2 {
            let mut buffer = [0; 4096];
            let len = socket.recv(&mut buffer).expect("each query is answered in the end");
            assert!(is_servfail(&Message::from_vec(&buffer[..len]).expect("a response")));
        }
    }
    assert!(!server.said().contains("Too many open files"), "{}", server.said());
}
