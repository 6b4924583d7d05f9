//! Servers that stumble over how a query is dressed: over EDNS, over letter case.

use super::super::task::Transport;
use super::authority::Reply;
use super::network::{Internet, Sent, ip, text};
use super::odd;
use super::signed::{self, Spoil};
use crate::dns::rcode;
use crate::dns::rtype::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

const SIGNED: [&str; 2] = ["193.2.0.1", "193.2.0.2"];

/// The servers of `nsec.com` say FORMERR, without an OPT record, to some queries with EDNS, by number.
fn stumbling(seed: u64, over: fn(usize) -> bool) -> Internet {
    let mut internet = signed::internet(seed, signed::zones(), Spoil::Nothing);
    for address in SIGNED {
        let server = internet.servers.get_mut(&ip(address)).unwrap();
        let good = server.script.take().unwrap();
        let heard = AtomicUsize::new(0);
        server.script = Some(Arc::new(move |query, transport| {
            let mut reply = Reply::to(query);
            if reply.opt && over(heard.fetch_add(1, Ordering::Relaxed)) {
                reply.opt = false;
                reply.rcode = rcode::FORMERR;
                return vec![reply.bytes()];
            }
            good(query, transport)
        }));
    }
    internet
}

fn plain(sent: &[Sent]) -> usize {
    let to_it = |sent: &&Sent| SIGNED.iter().any(|address| sent.server == ip(address));
    sent.iter().filter(to_it).filter(|sent| sent.bytes[11] == 0).count()
}

#[test]
fn rfc6891_7_a_formerr_does_not_take_edns_from_a_server_that_has_spoken_it() {
    for seed in 0..6 {
        let mut internet = stumbling(seed, |number| number == 1);
        for (label, qtype) in [("www", A), ("m", A), ("alias", A), ("far", A), ("out", A), ("www", TXT)] {
            let found = internet.resolve(&format!("{label}.nsec.com"), qtype).unwrap();
            assert_eq!(found.is_secure(), label != "out", "{seed} {label}: {}", text(&found));
        }
        assert!(plain(&internet.sent) <= 2, "each server stumbles once");
    }
}

#[test]
fn rfc6891_7_a_plain_answer_that_lacks_its_signatures_gives_edns_another_try() {
    for seed in 0..6 {
        let mut internet = stumbling(seed, |number| number == 0);
        for label in ["www", "m"] {
            let found = internet.resolve(&format!("{label}.nsec.com"), A).unwrap();
            assert!(found.is_secure(), "{seed} {label}: {}", text(&found));
        }
        let before = internet.sent.len();
        assert!(internet.resolve("alias.nsec.com", A).unwrap().is_secure());
        assert_eq!(plain(&internet.sent[before..]), 0);
    }
}

#[test]
fn draft_0x20_a_server_that_changes_letter_case_and_hears_nothing_over_tcp_still_works() {
    for seed in 0..6 {
        let mut internet = odd::world();
        internet.now_ms += seed;
        internet.settings.random_case = true;
        odd::both(&mut internet, |reply, transport| {
            reply.question.make_ascii_lowercase();
            transport == Transport::Udp
        });
        for number in 0..4 {
            let name = format!("n{number}.w.example.com");
            assert_eq!(internet.ask(&name, A), "NOERROR: 192.0.2.2", "{number}");
        }
        let (before_ms, before) = (internet.now_ms, internet.sent.len());
        for number in 4..10 {
            let name = format!("n{number}.w.example.com");
            assert_eq!(internet.ask(&name, A), "NOERROR: 192.0.2.2", "{number}");
        }
        assert!(internet.now_ms - before_ms < 1000, "{}", internet.now_ms - before_ms);
        let sent = &internet.sent[before..];
        assert!(
            sent.iter()
                .all(|sent| sent.transport == Transport::Udp && sent.bytes[11] == 1)
        );
    }
}
