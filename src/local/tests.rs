//! What local zones answer, question by question.

use super::*;
use crate::config::settings::{ForwardOrder, LocalRecord, Zone, ZoneSource};
use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::RecordType;
use std::io::Write;

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

fn record(owner: &str, data: &[&str]) -> LocalRecord {
    LocalRecord {
        name: name(owner),
        data: data.iter().map(|&data| data.to_owned()).collect(),
    }
}

fn forward(apex: &str) -> Zone {
    Zone {
        name: name(apex),
        source: ZoneSource::Forward {
            upstreams: Vec::new(),
            order: ForwardOrder::Ordered,
            validate: false,
        },
    }
}

fn zones(zones: &[Zone], records: &[LocalRecord]) -> Zones {
    Zones {
        table: load::build(zones, records).unwrap(),
    }
}

fn file_zone(text: &str) -> Result<Zones, LocalError> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    let zone = Zone {
        name: name("home.example"),
        source: ZoneSource::File(file.path().to_owned()),
    };
    load::build(&[zone], &[]).map(|table| Zones { table })
}

/// The answer as `RCODE aa|-- answers / authorities / additionals`, `-` for none at all.
fn ask(zones: &Zones, qname: &str, qtype: RecordType) -> String {
    let mut out = vec![0xff; 3];
    let qname = name(qname);
    let Some(answer) = zones.answer(qname.as_wire(), qtype.into(), &mut out) else {
        return "-".to_owned();
    };
    let message = Message::from_vec(&out).expect("a local answer is a message");
    assert_eq!(message.queries.len(), 1);
    assert_eq!(
        &out[12..12 + qname.as_wire().len()],
        qname.as_wire(),
        "the question is as asked"
    );
    assert!(message.metadata.recursion_available && message.metadata.recursion_desired);
    let records = |records: &[hickory_proto::rr::Record]| {
        let texts: Vec<String> = records
            .iter()
            .map(|record| format!("{} {} {}", record.name, record.record_type(), record.data))
            .collect();
        texts.join(", ")
    };
    let mut text = format!(
        "{:?} {} {} / {} / {}",
        message.metadata.response_code,
        if message.metadata.authoritative { "aa" } else { "--" },
        records(&message.answers),
        records(&message.authorities),
        records(&message.additionals),
    );
    if let Some(follow) = answer.follow {
        text.push_str(&format!(" -> {follow}"));
    }
    text
}

#[test]
fn localhost_and_all_below_it_are_the_loopback_address() {
    let zones = Zones::builtin();
    for qname in ["localhost", "LocalHost", "a.b.localhost"] {
        assert_eq!(
            ask(&zones, qname, RecordType::A).to_lowercase(),
            format!("noerror aa {}. a 127.0.0.1 /  / ", qname.to_lowercase())
        );
        assert!(ask(&zones, qname, RecordType::AAAA).contains("AAAA ::1"));
        assert!(ask(&zones, qname, RecordType::MX).starts_with("NoError aa  / localhost. SOA"));
    }
    assert!(ask(&zones, "1.0.0.127.in-addr.arpa", RecordType::PTR).contains("PTR localhost."));
}

#[test]
fn special_names_do_not_exist_and_ordinary_ones_are_left_alone() {
    let zones = Zones::builtin();
    for qname in [
        "invalid",
        "x.invalid",
        "y.test",
        "printer.local",
        "abc.onion",
        "x.home.arpa",
        "resolver.arpa",
        "_dns.resolver.arpa",
        "x.y.Resolver.ARPA",
    ] {
        let answer = ask(&zones, qname, RecordType::A);
        // RFC 9462: nothing is designated here, and that is all that is said.
        let nodata = qname == "invalid" || qname.to_ascii_lowercase().ends_with("resolver.arpa");
        assert!(
            answer.starts_with(if nodata { "NoError aa  /" } else { "NXDomain aa  /" }),
            "{qname}: {answer}"
        );
        assert!(answer.contains("SOA"), "{qname}: {answer}");
    }
    // RFC 6761 §6.5: caches do not treat example names as special. RFC 9476: .alt is nothing to the DNS.
    for qname in [
        "example",
        "www.example.com",
        "x.alt",
        ".",
        "arpa",
        "in-addr.arpa",
        "mylocalhost",
        "localhost.com",
    ] {
        assert_eq!(ask(&zones, qname, RecordType::A), "-", "{qname}");
    }
}

#[test]
fn reverse_names_of_private_networks_do_not_leak() {
    let zones = Zones::builtin();
    for address in [
        "10.1.2.3",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.1.1",
        "127.0.0.2",
        "169.254.9.9",
        "192.0.2.1",
        "198.51.100.1",
        "203.0.113.9",
        "255.255.255.255",
        "0.0.0.0",
        "100.64.0.1",
        "100.127.255.1",
        "::",
        "fd00::1",
        "fe80::1",
        "febf::1",
        "2001:db8::1",
    ] {
        let reverse = reverse_name(address.parse().unwrap()).to_string();
        let answer = ask(&zones, &reverse, RecordType::PTR);
        assert!(
            answer.contains("SOA") && answer.contains("nobody.invalid."),
            "{address}: {answer}"
        );
    }
    for address in [
        "172.15.0.1",
        "172.32.0.1",
        "100.63.0.1",
        "100.128.0.1",
        "9.9.9.9",
        "192.169.0.1",
        "2620:fe::fe",
        "fec0::1",
    ] {
        let reverse = reverse_name(address.parse().unwrap()).to_string();
        assert_eq!(ask(&zones, &reverse, RecordType::PTR), "-", "{address}");
    }
    assert!(ask(&zones, "168.192.in-addr.arpa", RecordType::NS).contains("NS 168.192.in-addr.arpa."));
}

#[test]
fn ds_of_a_locally_served_zone_is_asked_of_its_parent() {
    let zones = Zones::builtin();
    assert_eq!(ask(&zones, "10.in-addr.arpa", RecordType::DS), "-");
    assert_eq!(ask(&zones, "home.arpa", RecordType::DS), "-");
    assert!(ask(&zones, "1.10.in-addr.arpa", RecordType::DS).starts_with("NXDomain"));
    assert!(ask(&zones, "onion", RecordType::DS).starts_with("NoError aa  / onion. SOA"));
}

#[test]
fn a_record_is_answered_with_its_pointer_and_nodata_for_other_types() {
    let zones = zones(
        &[],
        &[
            record("printer.home.arpa", &["A 192.168.1.20", "60 IN AAAA fd00::20"]),
            record("nas.example.net", &["A 198.18.0.7"]),
        ],
    );
    assert_eq!(
        ask(&zones, "printer.home.arpa", RecordType::A),
        "NoError aa printer.home.arpa. A 192.168.1.20 /  / "
    );
    assert!(ask(&zones, "Printer.HOME.arpa", RecordType::AAAA).contains("AAAA fd00::20"));
    assert!(ask(&zones, "printer.home.arpa", RecordType::MX).starts_with("NoError aa  / home.arpa. SOA"));
    assert!(ask(&zones, "other.home.arpa", RecordType::A).starts_with("NXDomain"));
    assert!(ask(&zones, "20.1.168.192.in-addr.arpa", RecordType::PTR).contains("PTR printer.home.arpa."));
    let reverse = reverse_name("fd00::20".parse().unwrap()).to_string();
    assert!(ask(&zones, &reverse, RecordType::PTR).contains("PTR printer.home.arpa."));
    // Among other people's names only what was written is ours.
    assert!(ask(&zones, "nas.example.net", RecordType::A).contains("A 198.18.0.7"));
    assert!(ask(&zones, "nas.example.net", RecordType::MX).starts_with("NoError aa  / nas.example.net. SOA"));
    assert!(ask(&zones, "7.0.18.198.in-addr.arpa", RecordType::PTR).contains("PTR nas.example.net."));
    for qname in ["example.net", "x.nas.example.net", "8.0.18.198.in-addr.arpa"] {
        assert_eq!(ask(&zones, qname, RecordType::A), "-", "{qname}");
    }
}

#[test]
fn a_written_pointer_is_not_doubled() {
    let zones = zones(
        &[],
        &[
            record("a.home.arpa", &["A 192.168.1.20"]),
            record("20.1.168.192.in-addr.arpa", &["PTR b.home.arpa"]),
        ],
    );
    let answer = ask(&zones, "20.1.168.192.in-addr.arpa", RecordType::PTR);
    assert!(
        answer.contains("b.home.arpa.") && !answer.contains("a.home.arpa."),
        "{answer}"
    );
}

#[test]
fn a_forwarded_zone_takes_names_away_from_built_in_ones() {
    let zones = zones(
        &[forward("1.168.192.in-addr.arpa"), forward("home.arpa")],
        &[
            record("printer.home.arpa", &["A 192.168.1.20"]),
            record("home.arpa", &["TXT hello"]),
        ],
    );
    assert_eq!(ask(&zones, "9.1.168.192.in-addr.arpa", RecordType::PTR), "-");
    assert!(ask(&zones, "9.2.168.192.in-addr.arpa", RecordType::PTR).starts_with("NXDomain"));
    assert_eq!(ask(&zones, "laptop.home.arpa", RecordType::A), "-");
    // What was written here comes first all the same.
    assert!(ask(&zones, "printer.home.arpa", RecordType::A).contains("192.168.1.20"));
    assert!(ask(&zones, "20.1.168.192.in-addr.arpa", RecordType::PTR).contains("printer"));
    assert!(ask(&zones, "home.arpa", RecordType::TXT).contains("hello"));
}

#[test]
fn aliases_are_followed_among_local_names_and_handed_on_outside() {
    let zones = zones(
        &[],
        &[
            record("www.home.arpa", &["CNAME nas.lan.example"]),
            record("nas.lan.example", &["A 192.168.1.9"]),
            record("out.home.arpa", &["CNAME www.example.org"]),
            record("search.example.net", &["CNAME other.example.org"]),
            record("loop1.home.arpa", &["CNAME loop2.home.arpa"]),
            record("loop2.home.arpa", &["CNAME loop1.home.arpa"]),
            record("*.apps.example", &["A 192.168.1.10"]),
        ],
    );
    assert_eq!(
        ask(&zones, "www.home.arpa", RecordType::A),
        "NoError aa www.home.arpa. CNAME nas.lan.example., nas.lan.example. A 192.168.1.9 /  / "
    );
    assert_eq!(
        ask(&zones, "out.home.arpa", RecordType::A),
        "NoError aa out.home.arpa. CNAME www.example.org. /  /  -> www.example.org."
    );
    assert_eq!(
        ask(&zones, "out.home.arpa", RecordType::CNAME),
        "NoError aa out.home.arpa. CNAME www.example.org. /  / "
    );
    assert!(ask(&zones, "search.example.net", RecordType::A).ends_with("-> other.example.org."));
    assert!(ask(&zones, "loop1.home.arpa", RecordType::A).starts_with("ServFail"));
    assert_eq!(
        ask(&zones, "x.y.apps.example", RecordType::A),
        "NoError aa x.y.apps.example. A 192.168.1.10 /  / "
    );
    assert_eq!(ask(&zones, "apps.example", RecordType::A), "-");
}

#[test]
fn the_rest_of_an_alias_chain_is_put_behind_the_local_part() {
    let zones = zones(&[], &[record("out.home.arpa", &["CNAME www.example.org"])]);
    let mut local = Vec::new();
    zones.answer(name("out.home.arpa").as_wire(), 1, &mut local).unwrap();
    let rest_zones = self::zones(&[], &[record("www.example.org", &["A 198.18.0.1"])]);
    let mut rest = Vec::new();
    rest_zones
        .answer(name("www.example.org").as_wire(), 1, &mut rest)
        .unwrap();
    let whole = Message::from_vec(&append(&local, &rest).unwrap()).unwrap();
    assert_eq!(whole.answers.len(), 2);
    assert_eq!(whole.queries[0].name().to_string(), "out.home.arpa.");
    assert!(!whole.metadata.authoritative);
    assert_eq!(whole.metadata.response_code, ResponseCode::NoError);
    assert_eq!(append(&local, b"torn"), None);
}

const ZONE: &str = "\
@ IN SOA ns hostmaster 7 3600 600 86400 60
  NS ns
ns A 192.168.1.1
www CNAME host
host A 192.168.1.2
deep.empty TXT here
*.wild A 192.168.1.3
exact.wild TXT here
sub NS ns.sub
ns.sub A 192.168.1.4
";

#[test]
fn a_zone_file_is_answered_as_its_server_would() {
    let zones = file_zone(ZONE).unwrap();
    let soa = "home.example. SOA";
    assert_eq!(
        ask(&zones, "www.home.example", RecordType::A),
        "NoError aa www.home.example. CNAME host.home.example., host.home.example. A 192.168.1.2 /  / "
    );
    assert!(ask(&zones, "none.home.example", RecordType::A).starts_with(&format!("NXDomain aa  / {soa}")));
    assert!(ask(&zones, "host.home.example", RecordType::AAAA).starts_with(&format!("NoError aa  / {soa}")));
    // RFC 4592 §2.2.2: a name above another exists without records of its own.
    assert!(ask(&zones, "empty.home.example", RecordType::A).starts_with(&format!("NoError aa  / {soa}")));
    assert!(ask(&zones, "a.b.wild.home.example", RecordType::A).contains("a.b.wild.home.example. A 192.168.1.3"));
    assert!(ask(&zones, "a.wild.home.example", RecordType::MX).starts_with(&format!("NoError aa  / {soa}")));
    assert!(ask(&zones, "x.exact.wild.home.example", RecordType::A).starts_with("NXDomain"));
    assert_eq!(
        ask(&zones, "www.sub.home.example", RecordType::A),
        "NoError --  / sub.home.example. NS ns.sub.home.example. / ns.sub.home.example. A 192.168.1.4"
    );
    assert!(ask(&zones, "sub.home.example", RecordType::DS).starts_with(&format!("NoError aa  / {soa}")));
    assert_eq!(ask(&zones, "home.example", RecordType::DS), "-");
    assert!(ask(&zones, "home.example", RecordType::SOA).contains("hostmaster"));
}

#[test]
fn negative_answers_live_as_long_as_the_minimum_of_the_soa() {
    let zones = file_zone(ZONE).unwrap();
    let mut out = Vec::new();
    zones.answer(name("none.home.example").as_wire(), 1, &mut out).unwrap();
    assert_eq!(Message::from_vec(&out).unwrap().authorities[0].ttl, 60);
}

#[test]
fn a_bad_zone_file_is_named_with_its_line() {
    let wrong =
        file_zone("@ SOA ns host (\n 1 2 3\n 4 5 )\nok A 192.168.1.1\nbad A 192.168.1.999\nok2 A 192.168.1.2\n")
            .unwrap_err();
    assert!(wrong.to_string().contains(":5: "), "{wrong}");
    let outside = file_zone("www.elsewhere.example. A 192.168.1.1\n").unwrap_err();
    assert!(
        outside
            .to_string()
            .contains("www.elsewhere.example. is not in zone home.example."),
        "{outside}"
    );
    let twice = file_zone("a CNAME b\na A 192.168.1.1\n").unwrap_err();
    assert!(twice.to_string().contains("CNAME may not stand beside"), "{twice}");
    assert!(file_zone("").is_ok(), "an empty file is an empty zone");
}

#[test]
fn a_bad_record_is_refused_with_what_was_written() {
    for data in [
        "A 1.2.3",
        "",
        "A",
        "FOO bar",
        "A 192.168.1.1\nx A 192.168.1.2",
        "CH A 192.168.1.1 extra junk",
    ] {
        let error = load::build(&[], &[record("x.home.arpa", &[data])]);
        let error = error.err().unwrap_or_else(|| panic!("{data:?} was taken"));
        assert!(error.to_string().starts_with("[[record]] x.home.arpa.: "), "{error}");
    }
    let clash = load::build(&[], &[record("x.home.arpa", &["CNAME y.example", "A 192.168.1.1"])]).unwrap_err();
    assert!(clash.to_string().contains("CNAME may not stand beside"), "{clash}");
}

#[test]
fn names_of_every_shape_are_looked_up_without_harm() {
    let zones = zones(&[], &[record("*", &["TXT everywhere"])]);
    let long = vec!["a"; 127].join(".");
    assert!(ask(&zones, &long, RecordType::TXT).contains("everywhere"));
    assert_eq!(ask(&zones, ".", RecordType::TXT), "-");
    let mut out = Vec::new();
    for junk in [&[] as &[u8], &[3, b'a'], &[0xc0, 0], &[63; 300]] {
        // What is not a name is the parser's to refuse; here it must only do no harm.
        let _ = Zones::builtin().answer(junk, 1, &mut out);
    }
}
