//! What comes from browsers that are none.

use crate::common::*;
use stairgate::count::Count;
use stairgate::limits::{PAGE_CONNECTIONS, PAGE_HEAD_BYTES, PAGE_HEAD_TIME};
use std::io::{Read, Write};
use std::time::{Duration, Instant};

fn world() -> (World, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    (World::new(settings(), folder.path()), folder)
}

#[test]
fn a_host_that_is_no_name_is_answered_and_shown_to_nobody() {
    let (world, _folder) = world();
    let (many, long) = (vec!["evil"; 300].join("."), "evil".repeat(20));
    for (host, status) in [
        ("<script>alert('evil')</script>", 400),
        ("evil\"onload=x.example", 400),
        ("evil&amp;.example", 400),
        (many.as_str(), 400),
        (long.as_str(), 400),
        ("", 400),
        (":80", 400),
        ("evil.example:99999", 400),
        ("evil.example:80:80", 400),
        ("user@evil.example", 400),
        ("evil..example", 400),
        ("adult.example:80", 403),
        ("ADULT.Example.", 403),
        ("adult.example:", 403),
        ("192.168.1.1", 404),
        ("192.168.1.1:8080", 404),
        ("[2001:db8::1]", 404),
        ("[2001:db8::1]:80", 404),
        ("[evil", 400),
        ("evil\u{e9}.example", 400),
        ("xn--evil-.example", 421),
    ] {
        let page = world.open(MASHA, host, "en");
        assert_eq!(page.status, status, "{host}");
        if status == 400 {
            assert!(!page.body.contains("evil"), "{host}: {}", page.body);
        }
        assert!(!page.body.contains("<script"));
    }
    let two = "GET / HTTP/1.1\r\nHost: adult.example\r\nHost: school.example\r\n\r\n";
    assert_eq!(world.send(MASHA, two.as_bytes()).status, 400);
    let raw = b"GET / HTTP/1.1\r\nHost: \xff\xfe.example\r\n\r\n";
    assert_eq!(world.send(MASHA, raw).status, 400);
}

#[test]
fn what_is_no_http_ends_and_heads_without_end_are_refused() {
    let (world, _folder) = world();
    for bytes in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 a browser that wants TLS \r\n\r\n"[..],
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : adult.example\r\n\r\n",
        b"GET /\0 HTTP/1.1\r\nHost: adult.example\r\n\r\n",
        b"\r\n\r\n\r\n",
    ] {
        let mut stream = world.connect(MASHA);
        let _ = stream.write_all(bytes);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let reply = Reply::read(stream);
        assert!(matches!(reply.status, 0 | 400), "{bytes:?}: {}", reply.head);
    }
    let large = format!(
        "GET / HTTP/1.1\r\nHost: adult.example\r\nCookie: {}\r\n\r\n",
        "x".repeat(PAGE_HEAD_BYTES / 2)
    );
    assert_eq!(
        world.send(MASHA, large.as_bytes()).status,
        403,
        "sites have large cookies"
    );
    let larger = format!(
        "GET / HTTP/1.1\r\nHost: adult.example\r\nCookie: {}",
        "x".repeat(2 * PAGE_HEAD_BYTES)
    );
    assert_eq!(world.send(MASHA, larger.as_bytes()).status, 431);
    let fields: String = (0..200).map(|number| format!("X-{number}: y\r\n")).collect();
    let many = format!("GET / HTTP/1.1\r\nHost: adult.example\r\n{fields}\r\n");
    assert_eq!(world.send(MASHA, many.as_bytes()).status, 431);
    // Two requests at once: the second is not answered.
    let twice = "GET / HTTP/1.1\r\nHost: adult.example\r\n\r\n".repeat(2);
    let reply = world.send(MASHA, twice.as_bytes());
    assert_eq!(reply.body.matches("HTTP/1.1").count(), 0);
}

#[test]
fn clients_that_only_hold_on_do_not_keep_others_from_the_page() {
    let (world, _folder) = world();
    let mut held = Vec::new();
    for number in 0..PAGE_CONNECTIONS + 20 {
        let mut stream = world.connect("127.0.0.9");
        let part: &[u8] = if number % 2 == 0 {
            b""
        } else {
            b"GET / HTTP/1.1\r\nHost: adult.ex"
        };
        stream.write_all(part).unwrap();
        held.push(stream);
        if number % 50 == 0 {
            let before = Instant::now();
            assert_eq!(world.open(MASHA, "adult.example", "en").status, 403);
            assert!(before.elapsed() < Duration::from_secs(2));
        }
    }
    let before = Instant::now();
    assert_eq!(world.open(MASHA, "adult.example", "en").status, 403);
    assert!(before.elapsed() < Duration::from_secs(2));
    assert!(world.counters.sum().get(Count::PageClosedLimit) >= 20);
}

#[test]
fn a_head_that_never_ends_and_a_body_that_never_comes_end_their_connection() {
    let (world, _folder) = world();
    let begun = Instant::now();
    let mut slow = world.connect(MASHA);
    slow.write_all(b"GET / HTTP/1.1\r\nHost: adult.example\r\n").unwrap();
    let mut waiting = world.connect(MASHA);
    waiting
        .write_all(
            b"POST /.stairgate/ask HTTP/1.1\r\nHost: adult.example\r\nContent-Type: application/x-www-form-urlencoded\r\n\
              Content-Length: 100\r\n\r\ntoken=",
        )
        .unwrap();
    // A byte now and then makes it no longer.
    let drip = slow.try_clone().unwrap();
    let dripping = std::thread::spawn(move || {
        let mut drip = drip;
        while begun.elapsed() < PAGE_HEAD_TIME * 2 {
            std::thread::sleep(Duration::from_millis(500));
            if drip.write_all(b"X").is_err() {
                return;
            }
        }
    });
    let mut rest = Vec::new();
    let _ = slow.read_to_end(&mut rest);
    assert!(
        begun.elapsed() < PAGE_HEAD_TIME + Duration::from_secs(3),
        "{:?}",
        begun.elapsed()
    );
    let _ = waiting.read_to_end(&mut rest);
    let all = stairgate::limits::PAGE_TIME + Duration::from_secs(3);
    assert!(begun.elapsed() < all, "{:?}", begun.elapsed());
    dripping.join().unwrap();
}
