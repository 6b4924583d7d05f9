//! UDP over real sockets on loopback.

use crate::common::*;
use hickory_proto::op::ResponseCode;
use stairgate::count::Count;
use stairgate::listener::{Listeners, Service};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blocked_resolved_cached_and_refused_names_are_answered_over_udp() {
    let script = Script::new().says("www.site.example.", "A", 0, &["www.site.example. 300 A 192.0.2.7"]);
    let server = Server::start("127.0.0.1", settings(), script.clone());
    let client = udp("127.0.0.1");
    let blocked = read(&exchange(
        &client,
        server.address,
        &ask("blocked.example.", "A").bytes(),
    ));
    assert_eq!(answers(&blocked), ["blocked.example. 30 A 0.0.0.0"]);
    for _ in 0..3 {
        let found = read(&exchange(
            &client,
            server.address,
            &ask("www.site.example.", "A").bytes(),
        ));
        assert_eq!(found.answers[0].data.to_string(), "192.0.2.7");
    }
    assert_eq!(script.asked(), 1);
    let failed = read(&exchange(&client, server.address, &ask("nobody.example.", "A").bytes()));
    assert_eq!(failed.metadata.response_code, ResponseCode::ServFail);
    let counters = Arc::clone(&server.counters);
    assert_eq!(server.listeners.stop(Duration::from_secs(5)).await.abandoned, 0);
    let sums = counters.sum();
    let counted = [
        Count::QueriesUdp,
        Count::Blocked,
        Count::Cached,
        Count::Resolved,
        Count::Failed,
    ];
    assert_eq!(counted.map(|count| sums.get(count)), [5, 1, 2, 1, 1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_reply_leaves_from_the_address_that_was_asked() {
    let held = Script::new().says("slow.example.", "A", 0, &["slow.example. 300 A 192.0.2.7"]);
    let server = Server::start("0.0.0.0", settings(), held);
    let client = udp("127.0.0.1");
    for to in ["127.0.0.1", "127.0.0.2", "127.8.9.10"] {
        let to = SocketAddr::new(to.parse().unwrap(), server.address.port());
        // `exchange` checks where the response comes from: at once, and by way of the resolver.
        exchange(&client, to, &ask("blocked.example.", "A").bytes());
        exchange(&client, to, &ask("slow.example.", "A").bytes());
    }
    let server = Server::start("::", settings(), Script::new());
    let client = udp("::1");
    let to = SocketAddr::new("::1".parse().unwrap(), server.address.port());
    exchange(&client, to, &ask("blocked.example.", "A").bytes());
    exchange(&client, to, &ask("unknown.example.", "A").bytes());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn packets_that_are_owed_nothing_get_nothing_and_are_counted() {
    let server = Server::start("127.0.0.1", settings(), Script::new());
    let client = udp("127.0.0.1");
    let query = ask("blocked.example.", "A").bytes();
    let mut response = query.clone();
    response[2] |= 0x80;
    client.send_to(&query[..5], server.address).unwrap();
    client.send_to(&[], server.address).unwrap();
    client.send_to(&response, server.address).unwrap();
    client.send_to(&[0; 5000], server.address).unwrap();
    let answered = exchange(&client, server.address, &query);
    assert_eq!(
        read(&answered).answers.len(),
        1,
        "the first that comes back is the one that was owed"
    );
    let counters = Arc::clone(&server.counters);
    server.listeners.stop(Duration::from_secs(5)).await;
    let sums = counters.sum();
    let dropped = [Count::DroppedShort, Count::DroppedResponse, Count::DroppedLong];
    assert_eq!(dropped.map(|count| sums.get(count)), [2, 1, 1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_answers_what_is_in_flight_first() {
    let script = Script::new().says("slow.example.", "A", 0, &["slow.example. 300 A 192.0.2.7"]);
    let gate = script.holds("slow.example.");
    let server = Server::start("127.0.0.1", settings(), script);
    let client = udp("127.0.0.1");
    client
        .send_to(&ask("slow.example.", "A").bytes(), server.address)
        .unwrap();
    let stopping = tokio::spawn(server.listeners.stop(Duration::from_secs(5)));
    tokio::time::sleep(Duration::from_millis(300)).await;
    gate.add_permits(1);
    let mut buffer = [0; 600];
    let (len, _) = client.recv_from(&mut buffer).unwrap();
    assert_eq!(read(&buffer[..len]).answers.len(), 1);
    assert_eq!(stopping.await.unwrap().abandoned, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_answered_within_the_grace_is_abandoned_and_counted() {
    let script = Script::new();
    let _gate = script.holds("never.example.");
    let server = Server::start("127.0.0.1", settings(), script);
    let client = udp("127.0.0.1");
    client
        .send_to(&ask("never.example.", "A").bytes(), server.address)
        .unwrap();
    assert_eq!(server.listeners.stop(Duration::from_millis(700)).await.abandoned, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_port_already_in_use_is_an_error_that_names_it() {
    let server = Server::start("127.0.0.1", settings(), Script::new());
    let service = || Service {
        generations: Arc::clone(&server.generations),
        cache: Arc::new(cache()),
        resolver: Script::new(),
        counters: Arc::default(),
        activity: Arc::default(),
    };
    let error = Listeners::start(&[server.address], 1, service())
        .err()
        .unwrap()
        .to_string();
    assert!(
        error.contains(&server.address.to_string()) && error.contains("stop the program"),
        "{error}"
    );
    // A program that holds only the UDP port, and shares it. Another test may hold the TCP port of that number, and is then named: again.
    let error = || {
        let held = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::DGRAM, None).unwrap();
        held.set_reuse_port(true).unwrap();
        held.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        let address = held.local_addr().unwrap().as_socket().unwrap();
        let error = Listeners::start(&[address], 1, service()).err().unwrap().to_string();
        assert!(error.contains(&address.to_string()), "{error}");
        error
    };
    let errors: Vec<String> = (0..20).map(|_| error()).collect();
    assert!(errors.iter().any(|error| error.contains("UDP")), "{errors:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blocked_and_cached_names_are_answered_while_the_resolver_hangs() {
    let script = Script::new();
    let _gate = script.holds("hang.example.");
    let server = Server::start("127.0.0.1", settings(), script);
    let client = udp("127.0.0.1");
    for id in 0..200 {
        client
            .send_to(&ask("hang.example.", "A").id(id).bytes(), server.address)
            .unwrap();
    }
    assert_eq!(
        read(&exchange(
            &client,
            server.address,
            &ask("blocked.example.", "A").bytes()
        ))
        .answers
        .len(),
        1
    );
}
