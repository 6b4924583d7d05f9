//! A new generation takes the old one's place under load.

use crate::common::*;
use stairgate::config::settings::AnswerKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Generations of even number answer `blocked.example` with a page at 192.0.2.2 and a TTL of 2 s, odd ones with 192.0.2.1 and
/// 1 s: an answer mixed of two would have an address with the other's TTL.
fn household(number: u64) -> stairgate::config::settings::Settings {
    let mut settings = settings();
    let part = number % 2 + 1;
    settings.profiles[0].answer = AnswerKind::Page;
    settings.profiles[0].answer_addresses = vec![format!("192.0.2.{part}").parse().unwrap()];
    settings.profiles[0].answer_ttl = Duration::from_secs(part);
    settings
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn swapping_generations_under_load_loses_no_query_and_mixes_none() {
    let script = Script::new();
    for n in 0..10_000 {
        let name = format!("n{n}.example.");
        // Found by way of the resolver, and blocked by what it leads to.
        script.says(
            &name,
            "A",
            0,
            &[
                &format!("{name} 300 CNAME www.blocked.example."),
                "www.blocked.example. 300 A 198.51.100.1",
            ],
        );
    }
    let server = Server::start("127.0.0.1", household(0), script);
    let done = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..3u16)
        .map(|client| {
            let (done, address) = (Arc::clone(&done), server.address);
            std::thread::spawn(move || {
                let socket = udp("127.0.0.1");
                let mut seen = [0; 2];
                let mut n = u32::from(client);
                while !done.load(Ordering::Relaxed) && n < 10_000 {
                    let name = if n.is_multiple_of(2) {
                        "blocked.example.".to_owned()
                    } else {
                        format!("n{n}.example.")
                    };
                    let query = ask(&name, "A").id(n as u16);
                    // `exchange` panics where a query is lost.
                    let response = read(&exchange(&socket, address, &query.bytes()));
                    assert_eq!(response.metadata.id, n as u16);
                    let line = answers(&response).remove(0);
                    let part = usize::from(line.ends_with(" 2 A 192.0.2.2"));
                    assert!(part == 1 || line.ends_with(" 1 A 192.0.2.1"), "mixed: {line}");
                    seen[part] += 1;
                    n += 3;
                }
                seen
            })
        })
        .collect();
    for number in 1..150 {
        server.generations.store(numbered(household(number), number));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    done.store(true, Ordering::Relaxed);
    let seen = clients
        .into_iter()
        .map(|client| client.join().unwrap())
        .fold([0; 2], |sum, seen| [sum[0] + seen[0], sum[1] + seen[1]]);
    assert!(
        seen[0] > 0 && seen[1] > 0,
        "both kinds of generations have answered: {seen:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_waiting_query_ends_with_the_generation_it_began_with_and_an_old_one_is_let_go() {
    let records = [
        "www.shop.example. 300 CNAME www.blocked.example.",
        "www.blocked.example. 300 A 198.51.100.1",
    ];
    let script = Script::new().says("www.shop.example.", "A", 0, &records);
    let gate = script.holds("www.shop.example.");
    let server = Server::start("127.0.0.1", household(0), script);
    let old = Arc::downgrade(&server.generations.load_full());
    let client = udp("127.0.0.1");
    client
        .send_to(&ask("www.shop.example.", "A").bytes(), server.address)
        .unwrap();
    // Time enough to begin.
    tokio::time::sleep(Duration::from_millis(100)).await;
    server.generations.store(numbered(household(1), 1));
    gate.add_permits(1);
    let mut buffer = [0; 600];
    let (len, _) = client.recv_from(&mut buffer).unwrap();
    assert_eq!(answers(&read(&buffer[..len])), ["www.shop.example. 1 A 192.0.2.1"]);
    // Idle workers let go of it within the time they look around.
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert!(
        old.upgrade().is_none(),
        "nothing holds the old generation's lists in memory"
    );
}
