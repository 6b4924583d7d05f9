//! The binary on a machine whose clock is wrong: years behind (a board without a battery), years ahead, or too fast.
//! The clock is made up by libfaketime, where that is installed.

use crate::common::{Home, Server, Upstream, ask, free_address, is_blocked, is_resolved, is_servfail, stairgate};
use hickory_proto::rr::RecordType;
use std::net::{SocketAddr, UdpSocket};
use std::path::PathBuf;

/// As libfaketime reads them: a moment to start at, or a pace.
const CLOCKS: [&str; 3] = ["@2001-01-01 00:00:00", "@2040-06-15 12:00:00", "+0 x10"];

const ADULT: &str = "[[list]]\nname = \"adult\"\nsource = \"adult.domains\"\ncategory = \"adult\"\n";

/// The library that tells a program another time, thread-safe.
fn faketime() -> Option<PathBuf> {
    let libraries = std::fs::read_dir("/usr/lib").ok()?;
    libraries
        .filter_map(Result::ok)
        .map(|entry| entry.path().join("faketime/libfaketimeMT.so.1"))
        .find(|library| library.exists())
}

fn serve(home: &Home, library: &PathBuf, clock: &str) -> Server {
    let arguments = ["serve", "--config", "stairgate.toml", "--watch-interval-ms", "50"];
    let mut command = stairgate(&arguments, home.path());
    command.env("LD_PRELOAD", library).env("FAKETIME", clock);
    let server = Server::spawn(command, home.address);
    server.wait_for("Stairgate answers on");
    server
}

/// Blocks, reloads by itself and by signal, and stops.
fn serves_reloads_and_stops(home: &Home, mut server: Server, clock: &str) {
    assert!(is_blocked(&server.ask("adult.example")), "{clock}");
    home.write("adult.domains", "adult.example\nseen.example\n");
    server.ask_until_blocked("seen.example");
    home.write("adult.domains", "adult.example\nsignaled.example\n");
    server.signal("HUP");
    server.ask_until_blocked("signaled.example");
    server.ask_until_resolved("seen.example");
    server.signal("TERM");
    assert_eq!(server.wait_for_exit().code(), Some(0), "{clock}\n{}", server.said());
    let said = server.said();
    assert!(!said.contains("panicked"), "{clock}\n{said}");
    // Its log shows that it believed the clock it was told.
    let year = clock.trim_start_matches('@').split('-').next().unwrap_or("");
    assert!(
        clock.contains("x10") || said.contains(&format!("\n{year}-")),
        "{clock}\n{said}"
    );
}

/// The TTL of an answer that is resolved.
fn ttl(server: &Server, name: &str) -> u32 {
    server.ask_until_resolved(name).answers[0].ttl
}

#[test]
fn forwarding_needs_no_right_clock() {
    let Some(library) = faketime() else {
        println!("skipped: forwarding_needs_no_right_clock (libfaketime is not installed)");
        return;
    };
    for clock in CLOCKS {
        let home = Home::new();
        home.write("adult.domains", "adult.example\n");
        home.configure(ADULT);
        let server = serve(&home, &library, clock);
        // What is kept ages from its own beginning: neither born old nor for ever.
        assert!((50..=60).contains(&ttl(&server, "harmless.example")), "{clock}");
        if clock.contains("x10") {
            std::thread::sleep(std::time::Duration::from_millis(1500));
            assert!((1..=50).contains(&ttl(&server, "harmless.example")), "{clock}");
        } else {
            assert!((40..=60).contains(&ttl(&server, "harmless.example")), "{clock}");
        }
        serves_reloads_and_stops(&home, server, clock);
    }
}

#[test]
fn recursion_needs_no_right_clock_and_no_root_server_before_it_is_asked() {
    let Some(library) = faketime() else {
        println!("skipped: recursion_needs_no_right_clock (libfaketime is not installed)");
        return;
    };
    for (number, clock) in CLOCKS.into_iter().enumerate() {
        let root: SocketAddr = ([127, 77, 0, number as u8 + 1], 53).into();
        if UdpSocket::bind(root).is_err() {
            println!(
                "skipped: recursion_needs_no_right_clock (port 53 of {} cannot be had)",
                root.ip()
            );
            return;
        }
        let mut home = Home::new();
        home.address = free_address();
        home.write("adult.domains", "adult.example\n");
        home.write(
            "hints.zone",
            &format!(". 3600 NS a.root.\na.root. 3600 A {}\n", root.ip()),
        );
        home.write(
            "stairgate.toml",
            &format!(
                "version = 1\n[server]\nlisten = [\"{}\"]\nworkers = 1\n[resolver]\nmode = \"recursive\"\n\
                 root_hints = \"hints.zone\"\nquery_private = [\"127.0.0.0/8\"]\nipv6 = false\nvalidate = false\n{ADULT}",
                home.address
            ),
        );
        let server = serve(&home, &library, clock);
        let early = ask(home.address, "early.example", RecordType::A).expect("an answer in time");
        assert!(is_servfail(&early), "{clock}: {early:#?}");
        // The root servers come up only now; they know every name.
        let _root = Upstream::on(UdpSocket::bind(root).expect("it was free a moment ago"));
        assert!(
            (50..=60).contains(&ttl(&server, "late.example")),
            "{clock}\n{}",
            server.said()
        );
        assert!(is_resolved(&server.ask("other.example")), "{clock}");
        serves_reloads_and_stops(&home, server, clock);
    }
}
