//! What is kept of queries that were really asked, over UDP and TCP: of most people nothing.

use crate::common::*;
use stairgate::activity::Asked;
use stairgate::config::settings::{LogChoice, LogSettings, Settings};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

fn keeping(choice: LogChoice) -> Settings {
    let mut settings = settings();
    settings.profiles[0].log = LogSettings { choice, days: 7 };
    settings
}

fn over_tcp(server: &Server, query: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(server.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let length = (query.len() as u16).to_be_bytes();
    stream.write_all(&[&length[..], query].concat()).unwrap();
    let mut length = [0; 2];
    stream.read_exact(&mut length).unwrap();
    let mut response = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut response).unwrap();
    response
}

/// Asks for names that end in every way there is, and returns what is to be noted of it.
async fn noted(choice: LogChoice) -> Vec<Asked> {
    let script = Script::new()
        .says("fine.example.", "A", 0, &["fine.example. 300 A 192.0.2.1"])
        .says(
            "alias.example.",
            "A",
            0,
            &[
                "alias.example. 300 CNAME blocked.example.",
                "blocked.example. 300 A 192.0.2.2",
            ],
        );
    let server = Server::start("127.0.0.1", keeping(choice), script);
    let client = udp("127.0.0.1");
    // Resolved, cached, blocked, blocked by its answer, failed.
    for name in [
        "Fine.example.",
        "fine.example.",
        "blocked.example.",
        "alias.example.",
        "lost.example.",
    ] {
        exchange(&client, server.address, &ask(name, "A").bytes());
    }
    // No query.
    client.send_to(&[1, 2, 3], server.address).unwrap();
    over_tcp(&server, &ask("x.blocked.example.", "A").bytes());
    let activity = Arc::clone(&server.activity);
    // What is noted of a query may come a moment after its response.
    server.listeners.stop(Duration::from_secs(5)).await;
    let taken = activity.take();
    assert_eq!(taken.dropped, 0);
    taken.asked
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_noted_of_whoever_did_not_choose_it() {
    assert!(noted(LogChoice::Nothing).await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_query_is_noted_once_with_what_became_of_it_and_names_only_where_they_were_chosen() {
    for choice in [LogChoice::Counts, LogChoice::Names] {
        let noted = noted(choice).await;
        assert!(noted.iter().all(|asked| asked.whose.key == "profile:default"));
        assert_eq!(noted.len(), 6, "{noted:?}");
        let of = |category: Option<&str>| {
            let found = noted.iter().filter(|asked| asked.category.as_deref() == category);
            found
                .inspect(|asked| assert_eq!(asked.blocked, category.is_some()))
                .count()
        };
        assert_eq!((of(None), of(Some("own names")), of(Some("in an answer"))), (3, 2, 1));
        let mut names: Vec<String> = noted
            .iter()
            .filter_map(|asked| asked.name.as_deref())
            .map(|wire| {
                stairgate::dns::name::Name::from_wire(wire)
                    .unwrap()
                    .to_lower()
                    .to_string()
            })
            .collect();
        names.sort_unstable();
        match choice {
            LogChoice::Names => assert_eq!(
                names,
                [
                    "alias.example.",
                    "blocked.example.",
                    "fine.example.",
                    "fine.example.",
                    "lost.example.",
                    "x.blocked.example."
                ]
            ),
            _ => assert!(names.is_empty()),
        }
    }
}
