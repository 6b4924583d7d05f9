//! Servers and zones that are odd, one way or another, and still to be understood.

use super::super::rrset::RRset;
use super::super::task::Transport;
use super::authority::{Reply, Temper, answer};
use super::network::{Internet, ROOT, ip};
use super::zones::{Zone, name};
use crate::dns::rtype::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

const OWN: &str =
    "@ NS ns1; @ NS ns2; www A 192.0.2.1; *.w A 192.0.2.2; out CNAME www.other.com.; in CNAME www; loose CNAME none";

/// A root, `com`, `example.com` at two servers, `other.com` at one.
pub(super) fn world() -> Internet {
    let mut internet = Internet::new(3);
    internet.zone(
        ROOT,
        ".",
        "@ NS a.root.; a.root. A 198.41.0.4; com. NS ns.com.; ns.com. A 192.5.6.30",
    );
    internet.zone(
        "192.5.6.30",
        "com",
        "@ NS ns; ns A 192.5.6.30; other NS ns.other; ns.other A 193.0.0.5
         example NS ns1.example; example NS ns2.example; ns1.example A 193.0.0.1; ns2.example A 193.0.0.2",
    );
    let example = Zone::new("example.com", OWN);
    internet.serve("193.0.0.1", &example);
    internet.serve("193.0.0.2", &example);
    internet.zone("193.0.0.5", "other.com", "@ NS ns; ns A 193.0.0.5; www A 192.0.2.50");
    internet
}

/// The server answers as it should, and then as told; nothing is silence.
fn odd(internet: &mut Internet, address: &str, with: impl Fn(&mut Reply, Transport) -> bool + Send + Sync + 'static) {
    let server = internet.servers.get_mut(&ip(address)).unwrap();
    let zones = server.zones.clone();
    server.script = Some(Arc::new(move |query, transport| {
        let mut reply = Reply::to(query);
        answer(&zones, &mut reply, false);
        match with(&mut reply, transport) {
            true => vec![reply.bytes()],
            false => Vec::new(),
        }
    }));
}

pub(super) fn both(internet: &mut Internet, with: fn(&mut Reply, Transport) -> bool) {
    odd(internet, "193.0.0.1", with);
    odd(internet, "193.0.0.2", with);
}

fn ns(owner: &str, server: &str) -> RRset {
    RRset::of(&name(owner), NS, 300, name(server).as_wire())
}

#[test]
fn a_referral_is_found_behind_ns_sets_that_the_server_has_no_say_about() {
    let mut internet = world();
    odd(&mut internet, "192.5.6.30", |reply, _| {
        reply.sections[1].insert(0, ns(".", "a.root"));
        reply.sections[1].insert(0, ns("org", "ns.example.com"));
        true
    });
    assert_eq!(internet.ask("www.example.com", A), "NOERROR: 192.0.2.1");
}

#[test]
fn a_referral_with_aa_is_one_all_the_same() {
    let mut internet = world();
    odd(&mut internet, "192.5.6.30", |reply, _| {
        reply.aa = true;
        true
    });
    assert_eq!(internet.ask("www.example.com", A), "NOERROR: 192.0.2.1");
}

#[test]
fn rfc6672_2_2_yxdomain_without_a_dname_says_nothing() {
    let mut internet = world();
    odd(&mut internet, "193.0.0.1", |reply, _| {
        reply.sections = Default::default();
        reply.rcode = 6;
        true
    });
    for number in 0..10 {
        assert_eq!(
            internet.ask(&format!("n{number}.w.example.com"), A),
            "NOERROR: 192.0.2.2"
        );
    }
}

#[test]
fn rfc6891_7_one_lost_packet_does_not_take_edns_from_a_server() {
    let mut internet = world();
    let lost = AtomicUsize::new(0);
    internet.servers.remove(&ip("193.0.0.2"));
    odd(&mut internet, "193.0.0.1", move |reply, _| {
        !reply.opt || lost.fetch_add(1, Ordering::Relaxed) > 0
    });
    for number in 0..20 {
        assert_eq!(
            internet.ask(&format!("n{number}.w.example.com"), A),
            "NOERROR: 192.0.2.2"
        );
    }
    let to_it = internet.sent.iter().filter(|sent| sent.server == ip("193.0.0.1"));
    let plain = to_it.filter(|sent| sent.bytes[11] == 0).count();
    assert!(plain <= 1, "{plain} queries without EDNS");
}

#[test]
fn rfc6891_6_1_3_badvers_has_edns_left_out() {
    let mut internet = world();
    both(&mut internet, |reply, _| {
        if reply.opt {
            reply.rcode = 16;
            reply.sections = Default::default();
        }
        true
    });
    assert_eq!(internet.ask("www.example.com", A), "NOERROR: 192.0.2.1");
    let before = internet.sent.len();
    assert_eq!(internet.ask("n.w.example.com", A), "NOERROR: 192.0.2.2");
    assert!(internet.sent[before..].len() <= 4);
}

#[test]
fn rfc6604_2_an_alias_into_another_zone_with_nxdomain_is_followed() {
    let mut internet = world();
    both(&mut internet, |reply, _| {
        if reply.qname() == name("out.example.com") {
            reply.rcode = 3;
        }
        true
    });
    assert_eq!(
        internet.ask("out.example.com", A),
        "NOERROR -> www.other.com.: 192.0.2.50"
    );
    assert_eq!(internet.ask("loose.example.com", A), "NXDOMAIN -> none.example.com.");
    assert_eq!(internet.ask("loose.example.com", CNAME), "NOERROR: none.example.com.");
}

#[test]
fn truncation_over_tcp_as_well_ends_soon() {
    let mut internet = world();
    both(&mut internet, |reply, _| {
        reply.tc = true;
        true
    });
    let started = internet.now_ms;
    assert!(internet.ask("www.example.com", A).contains("truncated over TCP"));
    assert!(
        internet.now_ms - started < 1000 && internet.sent.len() < 16,
        "{}",
        internet.sent.len()
    );
}

#[test]
fn an_answer_of_another_resolver_behind_a_server_is_better_than_none_and_no_better_than_any() {
    // Without AA, as from a forwarder in the authority's place.
    let mut internet = world();
    odd(&mut internet, "193.0.0.1", |reply, _| {
        reply.aa = false;
        for set in &mut reply.sections[0] {
            *set = RRset::of(&reply_name(set), A, 300, &[192, 0, 2, 99]);
        }
        true
    });
    for number in 0..20 {
        assert_eq!(
            internet.ask(&format!("n{number}.w.example.com"), A),
            "NOERROR: 192.0.2.2"
        );
    }
    internet.servers.get_mut(&ip("193.0.0.2")).unwrap().temper = Temper::Silent;
    assert_eq!(internet.ask("last.w.example.com", A), "NOERROR: 192.0.2.99");
}

fn reply_name(set: &RRset) -> crate::dns::name::Name {
    set.name.clone()
}

#[test]
fn a_type_that_servers_cannot_answer_leaves_the_other_types_alone() {
    for code in [1, 2, 4, 5] {
        let mut internet = world();
        for address in ["193.0.0.1", "193.0.0.2"] {
            odd(&mut internet, address, move |reply, _| {
                if reply.qtype() == AAAA {
                    reply.sections = Default::default();
                    reply.rcode = code;
                }
                true
            });
        }
        for number in 0..10 {
            let name = format!("n{number}.w.example.com");
            assert!(internet.ask(&name, AAAA).starts_with("failed: "), "{code}");
            assert_eq!(internet.ask(&name, A), "NOERROR: 192.0.2.2", "{code}");
        }
    }
}

#[test]
fn an_alias_or_dname_at_an_apex_is_no_zones_end() {
    let mut internet = world();
    let com = Zone::new(
        "com",
        "@ NS ns; ns A 192.5.6.30; other NS ns.other; ns.other A 193.0.0.5
         cname NS ns.cname; ns.cname A 193.0.0.7; dname NS ns.dname; ns.dname A 193.0.0.8",
    );
    internet.servers.get_mut(&ip("192.5.6.30")).unwrap().zones = vec![com];
    internet.zone(
        "193.0.0.7",
        "cname.com",
        "@ NS ns; ns A 193.0.0.7; @ CNAME www.other.com.; www A 192.0.2.7",
    );
    internet.zone(
        "193.0.0.8",
        "dname.com",
        "@ NS ns.other.com.; @ DNAME other.com.; @ MX 1 mail",
    );
    for _ in 0..2 {
        assert_eq!(internet.ask("cname.com", A), "NOERROR -> www.other.com.: 192.0.2.50");
        assert_eq!(internet.ask("www.cname.com", A), "NOERROR: 192.0.2.7");
        assert_eq!(internet.ask("cname.com", NS), "NOERROR: ns.cname.com.");
        assert_eq!(
            internet.ask("www.dname.com", A),
            "NOERROR -> www.other.com.: 192.0.2.50"
        );
        assert_eq!(internet.ask("dname.com", A), "NODATA");
        assert_eq!(internet.ask("dname.com", DNAME), "NOERROR: other.com.");
        assert_eq!(internet.ask("x.y.dname.com", A), "NXDOMAIN -> x.y.other.com.");
    }
}

#[test]
fn a_dname_that_an_alias_leads_below_moves_nothing_beside_it() {
    for label in ["d", "a-label-longer-than-the-whole-name-asked-for"] {
        let mut internet = world();
        for address in ["193.0.0.1", "193.0.0.2"] {
            let own = format!("@ NS ns1; @ NS ns2; a CNAME www.{label}; {label} DNAME other.com.");
            internet.zone(address, "example.com", &own);
        }
        // The name shown first is the alias; the server tells the DNAME on the way of that one.
        assert_eq!(internet.ask("www.a.example.com", A), "NXDOMAIN");
        assert_eq!(
            internet.ask("a.example.com", A),
            format!("NOERROR -> www.{label}.example.com. -> www.other.com.: 192.0.2.50")
        );
    }
}

#[test]
fn a_priming_answer_without_addresses_leaves_the_hints_in_force() {
    let mut internet = world();
    internet.settings.prime = true;
    odd(&mut internet, ROOT, |reply, _| {
        reply.sections[2].clear();
        if reply.qtype() == A {
            let glue = RRset::of(&name("ns.com"), A, 300, &[192, 5, 6, 30]);
            reply.sections[2].push(glue);
        }
        true
    });
    for number in 0..5 {
        assert_eq!(
            internet.ask(&format!("n{number}.w.example.com"), A),
            "NOERROR: 192.0.2.2"
        );
        internet.now_ms += 400_000;
    }
}

#[test]
fn records_that_do_not_answer_the_question_are_left_out_of_the_answer() {
    let mut internet = world();
    both(&mut internet, |reply, _| {
        let owner = reply.qname();
        reply.sections[0].insert(0, RRset::of(&owner, TXT, 300, b"\x05extra"));
        reply.sections[0].push(RRset::of(&name("ns1.example.com"), A, 300, &[6, 6, 6, 6]));
        true
    });
    let found = internet.resolve("in.example.com", A).unwrap();
    assert_eq!(super::network::text(&found), "NOERROR -> www.example.com.: 192.0.2.1");
    assert_eq!(found.aliases.len(), 1);
    assert_eq!(internet.ask("www.example.com", MX), "NODATA");
    assert_eq!(internet.at("6.6.6.6"), 0);
}

#[test]
fn a_lame_delegation_of_one_server_or_to_a_zone_beside_is_left_for_the_other() {
    let beside: [fn(&mut Reply, Transport) -> bool; 3] = [
        |reply, _| {
            reply.aa = false;
            reply.sections = [Vec::new(), vec![ns("example.com", "ns1.example.com")], Vec::new()];
            true
        },
        |reply, _| {
            reply.aa = false;
            reply.sections = [Vec::new(), vec![ns("com", "ns.com")], Vec::new()];
            true
        },
        |reply, _| {
            reply.aa = false;
            reply.sections = [Vec::new(), vec![ns("other.com", "ns.other.com")], Vec::new()];
            true
        },
    ];
    for lame in beside {
        let mut internet = world();
        odd(&mut internet, "193.0.0.1", lame);
        for number in 0..10 {
            assert_eq!(
                internet.ask(&format!("n{number}.w.example.com"), A),
                "NOERROR: 192.0.2.2"
            );
        }
        assert!(internet.at("193.0.0.1") <= 2, "{}", internet.at("193.0.0.1"));
    }
}

#[test]
fn rfc9619_a_response_with_two_questions_or_another_opcode_is_none_of_ours() {
    for spoil in [
        (|bytes: &mut Vec<u8>| bytes[5] = 2) as fn(&mut Vec<u8>),
        |bytes| bytes[2] |= 0x28,
        |bytes| bytes[2] &= 0x7f,
        |bytes| bytes.truncate(11),
    ] {
        let mut internet = world();
        let server = internet.servers.get_mut(&ip("193.0.0.1")).unwrap();
        let zones = server.zones.clone();
        server.script = Some(Arc::new(move |query, _| {
            let mut reply = Reply::to(query);
            answer(&zones, &mut reply, false);
            let mut bytes = reply.bytes();
            spoil(&mut bytes);
            vec![bytes]
        }));
        for number in 0..5 {
            assert_eq!(
                internet.ask(&format!("n{number}.w.example.com"), A),
                "NOERROR: 192.0.2.2"
            );
        }
    }
}
