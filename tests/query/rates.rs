//! The rate limit over real sockets: a network that asks too much gets less, and whoever is really there a way back.
//!
//! Loopback is exempt unless settings say otherwise; here they mostly do.

use crate::common::*;
use hickory_proto::op::{Message, ResponseCode};
use stairgate::config::settings::Settings;
use stairgate::count::Count;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

/// Queries that are sent at once.
const MANY: usize = 60;
/// What goes out whole: a burst of this many, and what becomes due while the test runs.
const RATE: u32 = 5;

fn limited(rate_limit: u32, slip: u32) -> Settings {
    let mut settings = settings();
    settings.server.rate_limit = rate_limit;
    settings.server.rate_limit_slip = slip;
    settings.server.rate_limit_exempt = Some(Vec::new());
    settings
}

/// Sends `queries` from one socket, which is one worker's; the responses that come.
fn flood(socket: &UdpSocket, to: SocketAddr, queries: impl IntoIterator<Item = Vec<u8>>) -> Vec<Message> {
    for (index, query) in queries.into_iter().enumerate() {
        socket.send_to(&query, to).unwrap();
        if index % 20 == 19 {
            // Not so many at a time that a buffer loses one.
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    socket.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    let mut responses = Vec::new();
    let mut buffer = [0; 2048];
    while let Ok((len, _)) = socket.recv_from(&mut buffer) {
        responses.push(read(&buffer[..len]));
    }
    responses
}

fn many(query: Vec<u8>) -> Vec<Vec<u8>> {
    vec![query; MANY]
}

fn with_cookie(query: &Ask, cookie: &[u8]) -> Vec<u8> {
    let mut bytes = query.bytes();
    bytes[11] = 1;
    bytes.extend([0, 0, 41, 4, 0xd0, 0, 0, 0, 0, 0, 4 + cookie.len() as u8]);
    bytes.extend([0, 10, 0, cookie.len() as u8]);
    bytes.extend(cookie);
    bytes
}

fn cookie(message: &Message) -> Vec<u8> {
    let mut options = message.edns.as_ref().expect("an OPT").options().options.iter();
    let (_, option) = options.find(|(code, _)| u16::from(*code) == 10).expect("a cookie");
    option.try_into().unwrap()
}

fn over_tcp(to: SocketAddr, query: &[u8]) -> Message {
    let mut stream = TcpStream::connect(to).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    stream.write_all(&(query.len() as u16).to_be_bytes()).unwrap();
    stream.write_all(query).unwrap();
    let mut length = [0; 2];
    stream.read_exact(&mut length).unwrap();
    let mut response = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut response).unwrap();
    read(&response)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_network_over_its_rate_gets_truncated_responses_and_whoever_is_there_the_whole_one_over_tcp() {
    let server = Server::start("127.0.0.1", limited(RATE, 2), Script::new());
    let query = ask("blocked.example.", "A").bytes();
    let responses = flood(&udp("127.0.0.1"), server.address, many(query.clone()));
    let sums = server.counters.sum();
    let [limited, dropped] = [Count::LimitedTruncated, Count::DroppedOverRate].map(|count| sums.get(count) as usize);
    let truncated = responses.iter().filter(|message| message.metadata.truncation).count();
    let whole = responses.iter().filter(|message| message.answers.len() == 1).count();
    assert_eq!(
        (truncated, whole),
        (limited, MANY - limited - dropped),
        "each is one or the other"
    );
    // Another second may have passed on a slow machine, or three.
    assert!((RATE as usize..=RATE as usize * 4).contains(&whole), "{whole}");
    assert!(truncated.abs_diff(dropped) <= 1, "{truncated} and {dropped}");
    assert!(responses.iter().all(|message| message.queries.len() == 1));
    assert_eq!(
        sums.get(Count::Blocked),
        MANY as u64,
        "what it was is counted all the same"
    );
    for _ in 0..RATE * 4 {
        let message = over_tcp(server.address, &query);
        assert!(!message.metadata.truncation && message.answers.len() == 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cookie_under_the_limit_brings_badcookie_and_with_what_that_brings_there_is_none() {
    let server = Server::start("127.0.0.1", limited(RATE, 1), Script::new());
    let socket = udp("127.0.0.1");
    let query = ask("blocked.example.", "A");
    let responses = flood(&socket, server.address, many(with_cookie(&query, b"a client")));
    assert_eq!(responses.len(), MANY, "with a slip of 1 nothing is dropped");
    let bad = |message: &&Message| message.metadata.response_code == ResponseCode::BADCOOKIE;
    let limited: Vec<&Message> = responses.iter().filter(bad).collect();
    assert!(limited.len() >= MANY - RATE as usize * 4, "{}", limited.len());
    assert!(
        limited
            .iter()
            .all(|message| message.answers.is_empty() && !message.metadata.truncation)
    );
    assert_eq!(server.counters.sum().get(Count::LimitedBadcookie), limited.len() as u64);

    let own = cookie(limited[0]);
    let responses = flood(&socket, server.address, many(with_cookie(&query, &own)));
    assert_eq!(responses.len(), MANY);
    assert!(responses.iter().all(|message| message.answers.len() == 1), "all whole");

    // Another's cookie is none: made for this client, shown by one at another address.
    let elsewhere = flood(&udp("127.0.1.1"), server.address, many(with_cookie(&query, &own)));
    assert!(elsewhere.iter().filter(bad).count() >= MANY - RATE as usize * 4);
    let sums = server.counters.sum();
    let counted = [Count::CookiesNew, Count::CookiesValid, Count::CookiesInvalid].map(|count| sums.get(count) as usize);
    assert_eq!(counted, [MANY; 3]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_would_wait_for_the_resolver_counts_and_over_the_rate_nobody_is_asked_for_it() {
    let script = Script::new();
    let server = Server::start("127.0.0.1", limited(RATE, 0), script.clone());
    // Each a name of its own: the failure of one is not known of the next.
    let queries = (0..MANY).map(|index| ask(&format!("n{index}.example."), "A").bytes());
    let answered = flood(&udp("127.0.0.1"), server.address, queries).len();
    let sums = server.counters.sum();
    assert_eq!(sums.get(Count::Failed) as usize, answered);
    assert_eq!(script.asked(), answered);
    assert!((RATE as usize..=RATE as usize * 4).contains(&answered), "{answered}");
    assert_eq!(sums.get(Count::DroppedOverRate) as usize, MANY - answered);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn this_machine_is_exempt_unless_settings_say_otherwise_and_zero_is_no_limit() {
    let mut exempt = limited(1, 2);
    exempt.server.rate_limit_exempt = None;
    let query = ask("blocked.example.", "A").bytes();
    for settings in [exempt, limited(0, 2)] {
        let server = Server::start("127.0.0.1", settings, Script::new());
        let responses = flood(&udp("127.0.0.1"), server.address, many(query.clone()));
        assert_eq!(responses.len(), MANY);
        assert!(responses.iter().all(|message| message.answers.len() == 1));
        let counters = Arc::clone(&server.counters);
        assert_eq!(server.listeners.stop(Duration::from_secs(5)).await.abandoned, 0);
        let sums = counters.sum();
        let limited = [Count::LimitedTruncated, Count::LimitedBadcookie, Count::DroppedOverRate];
        assert_eq!(limited.map(|count| sums.get(count)), [0; 3]);
    }
}
