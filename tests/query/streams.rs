//! TCP over real sockets on loopback.

use crate::common::*;
use hickory_proto::op::Message;
use stairgate::count::Count;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

async fn connect(to: SocketAddr) -> TcpStream {
    TcpStream::connect(to).await.unwrap()
}

fn framed(query: &[u8]) -> Vec<u8> {
    [&(query.len() as u16).to_be_bytes()[..], query].concat()
}

async fn next(stream: &mut TcpStream) -> Message {
    let read_one = async {
        let length = stream.read_u16().await.unwrap();
        let mut bytes = vec![0; usize::from(length)];
        stream.read_exact(&mut bytes).await.unwrap();
        read(&bytes)
    };
    tokio::time::timeout(Duration::from_secs(5), read_one)
        .await
        .expect("a response comes")
}

/// Waits for the other side to close, which it does in time.
async fn closed(stream: &mut TcpStream, within: Duration) {
    let mut rest = Vec::new();
    let end = tokio::time::timeout(within, stream.read_to_end(&mut rest)).await;
    // Closed or reset, but not open.
    let _ = end.expect("the connection is closed");
    assert!(rest.is_empty(), "{rest:02x?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_truncated_response_comes_whole_over_tcp() {
    let lines: Vec<String> = (0..100).map(|n| format!("big.example. 300 A 192.0.2.{n}")).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let server = Server::start(
        "127.0.0.1",
        settings(),
        Script::new().says("big.example.", "A", 0, &lines),
    );
    let query = ask("big.example.", "A").bytes();
    assert!(
        read(&exchange(&udp("127.0.0.1"), server.address, &query))
            .metadata
            .truncation
    );
    let mut stream = connect(server.address).await;
    stream.write_all(&framed(&query)).await.unwrap();
    assert_eq!(next(&mut stream).await.answers.len(), 100);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pipelined_queries_are_answered_in_the_order_they_get_ready() {
    let script = Script::new().says("slow.example.", "A", 0, &["slow.example. 300 A 192.0.2.7"]);
    let gate = script.holds("slow.example.");
    let server = Server::start("127.0.0.1", settings(), script);
    let mut stream = connect(server.address).await;
    let queries = [
        ("slow.example.", 1),
        ("blocked.example.", 2),
        ("localhost.", 3),
        ("blocked.example.", 4),
    ];
    let bytes: Vec<u8> = queries
        .iter()
        .flat_map(|(name, id)| framed(&ask(name, "A").id(*id).bytes()))
        .collect();
    stream.write_all(&bytes).await.unwrap();
    for id in [2, 3, 4] {
        assert_eq!(next(&mut stream).await.metadata.id, id);
    }
    gate.add_permits(1);
    assert_eq!(next(&mut stream).await.metadata.id, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_query_may_come_byte_by_byte_and_the_client_may_close_its_half() {
    let script = Script::new().says("slow.example.", "A", 0, &["slow.example. 300 A 192.0.2.7"]);
    let gate = script.holds("slow.example.");
    let server = Server::start("127.0.0.1", settings(), script);
    let mut stream = connect(server.address).await;
    stream.set_nodelay(true).unwrap();
    for byte in framed(&ask("slow.example.", "A").id(9).bytes()) {
        stream.write_all(&[byte]).await.unwrap();
        tokio::task::yield_now().await;
    }
    stream.shutdown().await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    gate.add_permits(1);
    assert_eq!(next(&mut stream).await.metadata.id, 9);
    closed(&mut stream, Duration::from_secs(2)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_queries_in_one_piece_are_all_answered_in_their_order() {
    let server = Server::start("127.0.0.1", settings(), Script::new());
    let mut stream = connect(server.address).await;
    let count = 1000u16;
    let bytes: Vec<u8> = (0..count)
        .flat_map(|id| framed(&ask("blocked.example.", "A").id(id).bytes()))
        .collect();
    stream.write_all(&bytes).await.unwrap();
    for id in 0..count {
        let response = next(&mut stream).await;
        assert_eq!((response.metadata.id, response.answers.len()), (id, 1));
    }
    assert_eq!(server.counters.sum().get(Count::QueriesTcp), u64::from(count));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_makes_no_difference_where_queries_are_cut_in_two() {
    let server = Server::start("127.0.0.1", settings(), Script::new());
    let bytes: Vec<u8> = [1, 2, 3]
        .iter()
        .flat_map(|id| framed(&ask("blocked.example.", "A").id(*id).bytes()))
        .collect();
    let mut stream = connect(server.address).await;
    stream.set_nodelay(true).unwrap();
    for cut in 0..=bytes.len() {
        let (first, second) = bytes.split_at(cut);
        stream.write_all(first).await.unwrap();
        // Whole queries are answered before the rest comes, which then is read by itself.
        let whole = 3 * cut / bytes.len();
        for id in 1..=whole {
            assert_eq!(usize::from(next(&mut stream).await.metadata.id), id, "cut at {cut}");
        }
        if whole == 0 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        stream.write_all(second).await.unwrap();
        for id in whole + 1..=3 {
            assert_eq!(usize::from(next(&mut stream).await.metadata.id), id, "cut at {cut}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn queries_there_was_no_room_for_are_answered_after_the_client_has_closed_its_half() {
    let script = Script::new().says("slow.example.", "A", 0, &["slow.example. 300 A 192.0.2.7"]);
    let gate = script.holds("slow.example.");
    let server = Server::start("127.0.0.1", settings(), script);
    let mut stream = connect(server.address).await;
    let slow = (0..250u16).map(|id| ("slow.example.", id));
    let bytes: Vec<u8> = slow
        .chain([("blocked.example.", 250)])
        .flat_map(|(name, id)| framed(&ask(name, "A").id(id).bytes()))
        .collect();
    stream.write_all(&bytes).await.unwrap();
    stream.shutdown().await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    gate.add_permits(250);
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..251 {
        seen.insert(next(&mut stream).await.metadata.id);
    }
    assert_eq!(seen.len(), 251);
    closed(&mut stream, Duration::from_secs(2)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_queries_than_may_be_in_flight_wait_and_are_all_answered() {
    let script = Script::new().says("slow.example.", "A", 0, &["slow.example. 300 A 192.0.2.7"]);
    let gate = script.holds("slow.example.");
    let server = Server::start("127.0.0.1", settings(), script);
    let mut stream = connect(server.address).await;
    let count = 350u16;
    let bytes: Vec<u8> = (0..count)
        .flat_map(|id| framed(&ask("slow.example.", "A").id(id).bytes()))
        .collect();
    stream.write_all(&bytes).await.unwrap();
    gate.add_permits(usize::from(count));
    let mut seen = vec![false; usize::from(count)];
    for _ in 0..count {
        let id = usize::from(next(&mut stream).await.metadata.id);
        assert!(!std::mem::replace(&mut seen[id], true), "answered once");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_does_not_read_is_not_read_and_hurts_nobody() {
    let lines: Vec<String> = (0..200).map(|n| format!("big.example. 300 A 192.0.2.{n}")).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let server = Server::start(
        "127.0.0.1",
        settings(),
        Script::new().says("big.example.", "A", 0, &lines),
    );
    let mut greedy = connect(server.address).await;
    let query = framed(&ask("big.example.", "A").bytes());
    // Until the server reads no more.
    let flood = async {
        loop {
            greedy.write_all(&query).await.unwrap();
        }
    };
    assert!(tokio::time::timeout(Duration::from_millis(1500), flood).await.is_err());
    let taken = server.counters.sum().get(Count::QueriesTcp);
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(
        server.counters.sum().get(Count::QueriesTcp),
        taken,
        "it has stopped reading"
    );
    let mut other = connect(server.address).await;
    other
        .write_all(&framed(&ask("blocked.example.", "A").bytes()))
        .await
        .unwrap();
    assert_eq!(next(&mut other).await.answers.len(), 1);
    // Once it reads, it gets what it asked for.
    for _ in 0..taken {
        assert_eq!(next(&mut greedy).await.answers.len(), 200);
    }
    assert_eq!(server.counters.sum().get(Count::DroppedSend), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn responses_that_a_client_leaves_behind_are_counted() {
    let lines: Vec<String> = (0..200).map(|n| format!("big.example. 300 A 192.0.2.{n}")).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let script = Script::new().says("big.example.", "A", 0, &lines);
    let gate = script.says("slow.example.", "A", 0, &lines).holds("slow.example.");
    let server = Server::start("127.0.0.1", settings(), script);
    let mut gone = connect(server.address).await;
    let waiting: Vec<u8> = (0..20)
        .flat_map(|id| framed(&ask("slow.example.", "A").id(id).bytes()))
        .collect();
    gone.write_all(&waiting).await.unwrap();
    let query = framed(&ask("big.example.", "A").bytes());
    let flood = async {
        loop {
            gone.write_all(&query).await.unwrap();
        }
    };
    assert!(tokio::time::timeout(Duration::from_millis(1000), flood).await.is_err());
    drop(gone);
    gate.add_permits(20);
    for _ in 0..100 {
        if server.counters.sum().get(Count::DroppedSend) > 20 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!(
        "those that waited, and those that were put aside: {:?}",
        server.counters.sum()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_dns_ends_the_connection_and_is_counted() {
    let server = Server::start("127.0.0.1", settings(), Script::new());
    for junk in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0, 3, 1, 2, 3], &[0, 0], &[0xff, 0xff]] {
        let mut stream = connect(server.address).await;
        stream.write_all(junk).await.unwrap();
        closed(&mut stream, Duration::from_secs(2)).await;
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(server.counters.sum().get(Count::TcpClosedError), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_without_whole_queries_is_closed_as_idle() {
    let server = Server::start("127.0.0.1", settings(), Script::new());
    let mut silent = connect(server.address).await;
    let mut dripping = connect(server.address).await;
    let drip = async {
        for byte in framed(&ask("blocked.example.", "A").bytes()) {
            if dripping.write_all(&[byte]).await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(700)).await;
        }
        closed(&mut dripping, Duration::from_secs(1)).await;
    };
    tokio::join!(drip, closed(&mut silent, Duration::from_secs(12)));
    assert_eq!(server.counters.sum().get(Count::TcpClosedIdle), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_answers_tcp_queries_in_flight_and_closes() {
    let script = Script::new().says("slow.example.", "A", 0, &["slow.example. 300 A 192.0.2.7"]);
    let gate = script.holds("slow.example.");
    let server = Server::start("127.0.0.1", settings(), script);
    let mut stream = connect(server.address).await;
    stream
        .write_all(&framed(&ask("slow.example.", "A").bytes()))
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let counters = Arc::clone(&server.counters);
    let stopping = tokio::spawn(server.listeners.stop(Duration::from_secs(5)));
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(TcpStream::connect(server.address).await.is_err(), "no new connections");
    gate.add_permits(1);
    assert_eq!(next(&mut stream).await.answers.len(), 1);
    closed(&mut stream, Duration::from_secs(2)).await;
    assert_eq!(stopping.await.unwrap().abandoned, 0);
    assert_eq!(counters.sum().get(Count::Resolved), 1);
}
