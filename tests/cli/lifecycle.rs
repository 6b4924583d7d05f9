//! A server's life as its operator steers it: reload by SIGHUP while queries come, stop by SIGTERM while some are in flight.

use crate::common::{Home, SLOW, addresses, extended_errors, is_resolved, query};
use crate::talk::{Stream, udp_client};
use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::RecordType;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

const ADULT: &str = "[[list]]\nname = \"adult\"\nsource = \"adult.domains\"\ncategory = \"adult\"\n";

/// Queries in flight at once, over each transport.
const IN_FLIGHT: u16 = 40;

#[test]
fn a_stop_answers_the_queries_in_flight_over_both_transports_and_ends_well() {
    let home = Home::new();
    home.write("adult.domains", "adult.example\n");
    home.configure(ADULT);
    let mut server = home.serve(&[]);
    let name = |id: u16| format!("slow{id}.example.");

    let socket = udp_client(home.address);
    let mut stream = Stream::connect(home.address);
    for id in 0..IN_FLIGHT {
        let query = query(id, &name(id), RecordType::A).to_vec().expect("a query");
        socket.send(&query).expect("loopback takes it");
        stream.send(&query);
    }
    // Late enough that the queries are on their way, early enough that their answers are not.
    std::thread::sleep(SLOW / 3);
    server.signal("TERM");

    let mut over_udp = Vec::new();
    let mut over_tcp = Vec::new();
    for _ in 0..IN_FLIGHT {
        let mut buffer = [0; 4096];
        let len = socket.recv(&mut buffer).expect("an answer although the server stops");
        over_udp.push(Message::from_vec(&buffer[..len]).expect("a well-formed response"));
        over_tcp.push(stream.next().expect("an answer although the server stops"));
    }
    for mut answered in [over_udp, over_tcp] {
        answered.sort_by_key(|response| response.metadata.id);
        for (id, response) in (0..IN_FLIGHT).zip(&answered) {
            assert_eq!(response.metadata.id, id, "each query is answered, once");
            assert_eq!(response.queries[0].name().to_ascii(), name(id));
            assert!(is_resolved(response), "{response:#?}");
        }
    }
    assert!(
        stream.next().is_none(),
        "the connection is closed after the last answer"
    );
    assert_eq!(server.wait_for_exit().code(), Some(0), "{}", server.said());
    assert!(!server.said().contains("not answered in time"), "{}", server.said());
    assert!(TcpStream::connect(home.address).is_err(), "nobody listens any more");
}

/// Settings and list of one round: what blocks, how it answers and what it says all name the round, so that an answer made
/// of two generations shows.
fn configure_round(home: &Home, round: u8) {
    // A server that reloads for another reason must not find half a file.
    let list = format!("round{round}.domains");
    home.write(&list, &format!("adult.example\nround{round}.example\n"));
    home.configure(&format!(
        "[[list]]\nname = \"list{round}\"\nsource = \"{list}\"\ncategory = \"category{round}\"\n\
         [profile.default]\nblock = [\"category{round}\"]\nanswer = \"page\"\nanswer_addresses = [\"198.51.100.{round}\"]\n"
    ));
}

/// The round whose generation made this answer to a blocked name.
fn round_of(response: &Message) -> u8 {
    assert_eq!(response.metadata.response_code, ResponseCode::NoError, "{response:#?}");
    let [address] = addresses(response)[..] else {
        panic!("a blocked name is answered with the page alone: {response:#?}")
    };
    let [a, b, c, round] = address.octets();
    assert_eq!(
        Ipv4Addr::new(a, b, c, 0),
        Ipv4Addr::new(198, 51, 100, 0),
        "{response:#?}"
    );
    let why = extended_errors(response);
    let text = why.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>().join(" ");
    assert!(
        text.contains(&format!("category{round}")) && text.contains(&format!("list{round}")),
        "the page of round {round} with {why:?}"
    );
    round
}

/// What one client asks and checks, again and again: a blocked name, and a name that is resolved afresh.
struct Client<'a> {
    number: u16,
    /// How those begin: `quick`, or `slow`, so that reloads come while they are in flight.
    start: &'static str,
    asked: &'a AtomicU64,
    last_round: u8,
}

impl Client<'_> {
    fn run(&mut self, done: &AtomicBool, mut exchange: impl FnMut(&Message) -> Message) {
        let mut id = self.number;
        let mut last = false;
        while !last {
            // Once more after the last reload.
            last = done.load(Ordering::Relaxed);
            id = id.wrapping_add(977);
            let turn = self.asked.fetch_add(1, Ordering::Relaxed);
            let blocked = exchange(&query(id, "aDuLt.eXample.", RecordType::A));
            assert_eq!(blocked.metadata.id, id);
            assert_eq!(
                blocked.queries[0].name().to_ascii(),
                "aDuLt.eXample.",
                "letter case comes back"
            );
            let round = round_of(&blocked);
            assert!(
                round >= self.last_round,
                "round {round} after round {}",
                self.last_round
            );
            self.last_round = round;
            let name = format!("{}-{turn}.example.", self.start);
            let resolved = exchange(&query(id ^ 0x5555, &name, RecordType::A));
            assert_eq!(resolved.metadata.id, id ^ 0x5555);
            assert_eq!(resolved.queries[0].name().to_ascii(), name);
            assert!(is_resolved(&resolved), "{resolved:#?}");
        }
    }
}

fn ask_over_udp(address: SocketAddr) -> impl FnMut(&Message) -> Message {
    let socket = udp_client(address);
    move |query| {
        socket
            .send(&query.to_vec().expect("a query"))
            .expect("loopback takes it");
        let mut buffer = [0; 4096];
        let len = socket.recv(&mut buffer).expect("no query is lost");
        Message::from_vec(&buffer[..len]).expect("a well-formed response")
    }
}

fn ask_over_tcp(address: SocketAddr) -> impl FnMut(&Message) -> Message {
    // One connection for all: a reload closes none.
    let mut stream = Stream::connect(address);
    move |query| {
        stream.send(&query.to_vec().expect("a query"));
        stream.next().expect("no query is lost and no connection closed")
    }
}

#[test]
fn reloads_by_signal_lose_no_query_mix_no_two_generations_and_never_let_a_blocked_name_through() {
    const ROUNDS: u8 = 12;
    const CLIENTS: u16 = 6;
    let home = Home::new();
    configure_round(&home, 1);
    // Looks at its files so seldom that what reloads it is the signal.
    let server = home.serve(&["--watch-interval-ms", "600000"]);
    let (done, asked) = (AtomicBool::new(false), AtomicU64::new(0));
    let last_rounds = std::thread::scope(|scope| {
        // Whatever fails in here, the clients end.
        let _ends = SetAtEnd(&done);
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| {
                let (asked, done) = (&asked, &done);
                let address = home.address;
                scope.spawn(move || {
                    let mut client = Client {
                        number,
                        start: if number < 4 { "quick" } else { "slow" },
                        asked,
                        last_round: 1,
                    };
                    match number % 2 {
                        0 => client.run(done, ask_over_udp(address)),
                        _ => client.run(done, ask_over_tcp(address)),
                    }
                    client.last_round
                })
            })
            .collect();
        for round in 2..=ROUNDS {
            configure_round(&home, round);
            server.signal("HUP");
            if round % 3 == 0 {
                // A reload while one is under way is not forgotten.
                server.signal("HUP");
            }
            server.ask_until(&format!("round{round}.example"), RecordType::A, "blocked", |response| {
                addresses(response) == [Ipv4Addr::new(198, 51, 100, round)]
            });
            std::thread::sleep(Duration::from_millis(30));
        }
        done.store(true, Ordering::Relaxed);
        clients
            .into_iter()
            .map(|client| client.join().expect("every answer was as it should be"))
            .collect::<Vec<_>>()
    });
    assert_eq!(
        last_rounds, [ROUNDS; CLIENTS as usize],
        "every client came to see the last round"
    );
    let asked = asked.load(Ordering::Relaxed);
    assert!(
        asked > u64::from(ROUNDS) * 4,
        "only {asked} queries were asked while it reloaded"
    );
}

/// Sets a flag when it is dropped, by a panic too.
struct SetAtEnd<'a>(&'a AtomicBool);

impl Drop for SetAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
