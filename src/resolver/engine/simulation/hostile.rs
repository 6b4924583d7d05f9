//! Attacks by name, and data that nobody may believe.

use super::authority::{Reply, answer};
use super::network::{Internet, ROOT, ip};
use super::zones::{Zone, name};
use crate::dns::rtype::*;
use std::sync::Arc;

fn world() -> Internet {
    let mut internet = Internet::new(2);
    internet.zone(
        ROOT,
        ".",
        "@ NS a.root.; a.root. A 198.41.0.4; com. NS ns.com.; ns.com. A 192.5.6.30",
    );
    internet.zone(
        "192.5.6.30",
        "com",
        "@ NS ns; ns A 192.5.6.30; evil NS ns.evil; ns.evil A 193.0.0.66; victim NS ns.victim; ns.victim A 193.0.0.1
         bank NS ns.bank; ns.bank A 193.0.0.2",
    );
    internet.zone("193.0.0.1", "victim.com", "@ NS ns; ns A 193.0.0.1; www A 192.0.2.1");
    internet.zone("193.0.0.2", "bank.com", "@ NS ns; ns A 193.0.0.2; www A 192.0.2.2");
    internet
}

/// The server of `evil.com` does as told.
fn evil(internet: &mut Internet, with: impl Fn(&mut Reply) + Send + Sync + 'static) {
    let zone = Zone::new("evil.com", "@ NS ns; ns A 193.0.0.66; www A 192.0.2.66");
    let server = internet.serve("193.0.0.66", &zone);
    let zones = server.zones.clone();
    server.script = Some(Arc::new(move |query, _| {
        let mut reply = Reply::to(query);
        answer(&zones, &mut reply, false);
        with(&mut reply);
        vec![reply.bytes()]
    }));
}

#[test]
fn cve_2020_8616_nxns_a_referral_to_made_up_servers_costs_the_victim_at_most_ten_queries() {
    for labels in ["", ".a.b", ".a.b.c.d.e"] {
        let mut internet = world();
        evil(&mut internet, move |reply| {
            if reply.qname().label_count() > 2 {
                reply.aa = false;
                reply.rcode = 0;
                let mut servers = super::super::rrset::RRset::new(&reply.qname(), NS, 300);
                for number in 0..100 {
                    servers.push(name(&format!("n{number}{labels}.victim.com")).as_wire());
                }
                reply.sections = [Vec::new(), vec![servers], Vec::new()];
            }
        });
        for number in 0..3 {
            let before = internet.at("193.0.0.1");
            let sent = internet.sent.len();
            assert!(internet.ask(&format!("x{number}.evil.com"), A).starts_with("failed: "));
            let cost = internet.at("193.0.0.1") - before;
            assert!(cost <= 10, "{cost} at the victim, {labels}");
            assert!(internet.sent.len() - sent < 40);
        }
    }
}

#[test]
fn tsuname_zones_that_point_at_each_other_cost_few_queries() {
    let mut internet = world();
    let com = Zone::new(
        "com",
        "@ NS ns; ns A 192.5.6.30; one NS a.two.com.; one NS b.two.com.; two NS a.one.com.; two NS b.one.com.",
    );
    internet.servers.get_mut(&ip("192.5.6.30")).unwrap().zones = vec![com];
    for number in 0..5 {
        let before = internet.sent.len();
        assert!(internet.ask(&format!("w{number}.one.com"), A).starts_with("failed: "));
        assert!(internet.sent.len() - before <= 16, "{}", internet.sent.len() - before);
    }
}

#[test]
fn rfc2181_5_4_1_records_beside_the_question_are_not_believed() {
    let mut internet = world();
    evil(&mut internet, |reply| {
        let bank = name("www.bank.com");
        let poison = |owner: &crate::dns::name::Name| super::super::rrset::RRset::of(owner, A, 86_400, &[6, 6, 6, 6]);
        reply.sections[0].push(poison(&bank));
        reply.sections[0].push(poison(&name("other.evil.com")));
        reply.sections[1].push(super::super::rrset::RRset::of(
            &name("com"),
            NS,
            86_400,
            name("ns.evil.com").as_wire(),
        ));
        reply.sections[1].push(super::super::rrset::RRset::of(
            &name("bank.com"),
            NS,
            86_400,
            name("ns.evil.com").as_wire(),
        ));
        reply.sections[2].push(poison(&bank));
        reply.sections[2].push(poison(&name("ns.bank.com")));
        reply.sections[2].push(poison(&name("ns.com")));
    });
    assert_eq!(internet.ask("www.evil.com", A), "NOERROR: 192.0.2.66");
    assert_eq!(internet.ask("www.bank.com", A), "NOERROR: 192.0.2.2");
    assert_eq!(internet.at("6.6.6.6"), 0);
    let before = internet.at("193.0.0.66");
    internet.ask("other.evil.com", A);
    assert!(internet.at("193.0.0.66") > before, "what came unasked is asked for");
}

#[test]
fn an_alias_to_another_zone_brings_no_data_of_that_zone() {
    let mut internet = world();
    evil(&mut internet, |reply| {
        if reply.qname() == name("trap.evil.com") {
            let bank = name("www.bank.com");
            reply.rcode = 0;
            reply.sections = Default::default();
            reply.sections[0].push(super::super::rrset::RRset::of(
                &reply.qname(),
                CNAME,
                300,
                bank.as_wire(),
            ));
            reply.sections[0].push(super::super::rrset::RRset::of(&bank, A, 86_400, &[6, 6, 6, 6]));
        }
    });
    assert_eq!(internet.ask("trap.evil.com", A), "NOERROR -> www.bank.com.: 192.0.2.2");
}

#[test]
fn a_server_cannot_delegate_what_is_not_below_its_zone() {
    for zone in ["com", "bank.com", "."] {
        let mut internet = world();
        evil(&mut internet, move |reply| {
            reply.aa = false;
            reply.rcode = 0;
            let servers = super::super::rrset::RRset::of(&name(zone), NS, 300, name("ns.evil.com").as_wire());
            reply.sections = [Vec::new(), vec![servers], Vec::new()];
        });
        assert!(internet.ask("www.evil.com", A).starts_with("failed: "));
        assert_eq!(internet.ask("www.bank.com", A), "NOERROR: 192.0.2.2", "{zone}");
    }
}

#[test]
fn cve_2012_1192_a_zone_that_its_parent_dropped_does_not_live_on() {
    let mut internet = world();
    evil(&mut internet, |reply| {
        // It names its own servers with each answer, for a day each time.
        reply.sections[1].push(super::super::rrset::RRset::of(
            &name("evil.com"),
            NS,
            86_400,
            name("ns.evil.com").as_wire(),
        ));
        let glue = super::super::rrset::RRset::of(&name("ns.evil.com"), A, 86_400, &[193, 0, 0, 66]);
        reply.sections[2].push(glue);
    });
    assert_eq!(internet.ask("www.evil.com", A), "NOERROR: 192.0.2.66");
    internet.servers.get_mut(&ip("192.5.6.30")).unwrap().zones = vec![Zone::new("com", "@ NS ns; ns A 192.5.6.30")];
    for _ in 0..4 {
        internet.now_ms += 100_000;
        internet.ask("none.evil.com", A);
    }
    assert_eq!(internet.ask("www.evil.com", A), "NXDOMAIN");
}

#[test]
fn an_endless_chain_of_aliases_or_zones_ends_with_few_queries() {
    let mut internet = world();
    evil(&mut internet, |reply| {
        let qname = reply.qname();
        let first = qname.labels().next().unwrap_or_default().len() as u8;
        reply.rcode = 0;
        reply.aa = true;
        reply.sections = Default::default();
        let target = name(&format!("{}.evil.com", "x".repeat(usize::from(first % 60) + 1)));
        reply.sections[0].push(super::super::rrset::RRset::of(&qname, CNAME, 300, target.as_wire()));
    });
    assert!(internet.ask("a.evil.com", A).starts_with("failed: "));
    assert!(internet.sent.len() < 30, "{}", internet.sent.len());
}

#[test]
fn a_flood_of_names_below_a_dead_zone_costs_its_servers_little_and_others_nothing() {
    let mut internet = world();
    internet.servers.get_mut(&ip("193.0.0.1")).unwrap().temper = super::authority::Temper::Silent;
    let names: Vec<String> = (0..2000).map(|number| format!("r{number}.victim.com")).collect();
    let mut questions: Vec<(&str, u16)> = names.iter().map(|name| (name.as_str(), A)).collect();
    questions.push(("www.bank.com", A));
    let results = internet.resolve_all(&questions);
    assert!(results[..2000].iter().all(Result::is_err));
    assert!(results[2000].is_ok());
    let first = internet.at("193.0.0.1");
    internet.resolve_all(&questions);
    let second = internet.at("193.0.0.1") - first;
    assert!(second < 50, "once it is known to be down: {second}");
}
