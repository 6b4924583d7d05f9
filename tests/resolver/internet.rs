//! A small internet: authorities on loopback addresses, served by hickory-server, that recursion walks from the root down.
//! Each has port 53 of its own address as far as the resolver knows; where it really listens is kept in a map.

use super::servers::{self, Handler, Seen, Server, Transport};
use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::{Name as WireName, RData, Record, RecordType, rdata};
use hickory_proto::serialize::txt::Parser;
use hickory_server::store::in_memory::InMemoryZoneHandler;
use hickory_server::zone_handler::{AxfrPolicy, Catalog, ZoneHandler, ZoneType};
use stairgate::config::settings::ResolverSettings;
use stairgate::dns::name::Name;
use stairgate::resolver::counters::Counters;
use stairgate::resolver::engine::{Mapping, Recursive};
use stairgate::resolver::{Failure, Question, Resolver};
use std::collections::HashMap;
use std::io::Write;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, UdpSocket};

const ROOT: &str = "127.5.0.1";

/// What runs, and where.
pub struct Internet {
    places: Arc<Mutex<HashMap<IpAddr, SocketAddr>>>,
    authorities: Vec<hickory_server::Server<Catalog>>,
    odd: Vec<Server>,
    hints: tempfile::NamedTempFile,
}

impl Internet {
    /// A root, two TLDs and whatever zones the test adds. `delegations` go into the root zone.
    pub async fn new(delegations: &str) -> Internet {
        let mut hints = tempfile::NamedTempFile::new().unwrap();
        writeln!(hints, ". NS a.root.\na.root. A {ROOT}").unwrap();
        let mut internet = Internet {
            places: Arc::default(),
            authorities: Vec::new(),
            odd: Vec::new(),
            hints,
        };
        let root =
            format!(". SOA a.root. nobody.invalid. 1 3600 600 86400 60\n. NS a.root.\na.root. A {ROOT}\n{delegations}");
        internet.authority(ROOT, &[(".", &root)]).await;
        internet
    }

    /// A server at `ip` with these zones.
    pub async fn authority(&mut self, ip: &str, zones: &[(&str, &str)]) {
        let mut catalog = Catalog::new();
        for (apex, text) in zones {
            let apex = WireName::from_str(apex).unwrap();
            let text = format!("$TTL 300\n{text}\n");
            let (_, records) = Parser::new(text, None, Some(apex.clone())).parse().unwrap();
            let zone: InMemoryZoneHandler =
                InMemoryZoneHandler::new(apex.clone(), records, ZoneType::Primary, AxfrPolicy::Deny).unwrap();
            catalog.upsert(apex.into(), vec![Arc::new(zone) as Arc<dyn ZoneHandler>]);
        }
        let address: IpAddr = ip.parse().unwrap();
        let (udp, tcp) = loop {
            let udp = UdpSocket::bind((address, 0)).await.unwrap();
            if let Ok(tcp) = TcpListener::bind(udp.local_addr().unwrap()).await {
                break (udp, tcp);
            }
        };
        self.places.lock().unwrap().insert(address, udp.local_addr().unwrap());
        let mut server = hickory_server::Server::new(catalog);
        server.register_socket(udp);
        server.register_listener(tcp, Duration::from_secs(5), 16);
        self.authorities.push(server);
    }

    /// A server at `ip` that does as the test says.
    pub async fn odd(&mut self, ip: &str, handler: Handler) -> Arc<Seen> {
        let address: IpAddr = ip.parse().unwrap();
        let server = servers::plain_at((address, 0).into(), handler).await;
        self.places.lock().unwrap().insert(address, server.address);
        let seen = Arc::clone(&server.seen);
        self.odd.push(server);
        seen
    }

    pub fn settings(&self) -> ResolverSettings {
        ResolverSettings {
            root_hints: Some(self.hints.path().to_owned()),
            query_private: vec!["127.0.0.0/8".parse().unwrap()],
            bootstrap: Vec::new(),
            // Nothing here is signed; the simulation beside the engine has the signed zones.
            validate: false,
            ..ResolverSettings::default()
        }
    }

    pub fn mapping(&self) -> Mapping {
        let places = Arc::clone(&self.places);
        Arc::new(move |ip| {
            let places = places.lock().unwrap();
            // Where nobody is, nobody answers: the discard port of this host.
            places.get(&ip).copied().unwrap_or((ip, 9).into())
        })
    }

    pub fn resolver(&self) -> Arc<dyn Resolver> {
        self.resolver_as(&self.settings()).0
    }

    pub fn resolver_as(&self, settings: &ResolverSettings) -> (Arc<dyn Resolver>, Arc<Counters>) {
        let (recursive, counters) = self.recursive(settings);
        (recursive, counters)
    }

    pub fn recursive(&self, settings: &ResolverSettings) -> (Arc<Recursive>, Arc<Counters>) {
        let counters = Arc::new(Counters::default());
        let recursive = Recursive::new(settings, 4 << 20, None, self.mapping(), Arc::clone(&counters)).unwrap();
        (Arc::new(recursive), counters)
    }
}

/// Asks, and writes the answer as `RCODE: answers | authorities`, records as `name TYPE data`.
async fn ask(resolver: &Arc<dyn Resolver>, name: &str, rtype: &str) -> String {
    match resolve(resolver, name, rtype, false).await {
        Ok(message) => write_down(&message),
        Err(failure) => format!("failed: {failure}"),
    }
}

fn write_down(message: &Message) -> String {
    let text = |records: &[Record]| {
        let mut texts: Vec<String> = records
            .iter()
            .map(|record| format!("{} {} {}", record.name, record.record_type(), record.data))
            .collect();
        // Servers rotate the records of a set; the chain in front of it stays in order.
        let chain = texts.iter().take_while(|text| text.contains(" CNAME ")).count();
        texts[chain..].sort();
        texts.join(", ")
    };
    let soa_only: Vec<String> = message
        .authorities
        .iter()
        .map(|record| format!("{} {}", record.name, record.record_type()))
        .collect();
    format!(
        "{:?}: {} | {}",
        message.metadata.response_code,
        text(&message.answers),
        soa_only.join(", ")
    )
}

async fn resolve(resolver: &Arc<dyn Resolver>, name: &str, rtype: &str, dnssec_ok: bool) -> Result<Message, Failure> {
    let question = Question {
        name: Name::parse(name).unwrap(),
        qtype: RecordType::from_str(rtype).unwrap().into(),
        dnssec_ok,
        checking_disabled: false,
    };
    let started = Instant::now();
    let result = resolver.resolve(&question, started + Duration::from_secs(5)).await;
    assert!(started.elapsed() < Duration::from_secs(6), "the deadline holds");
    let answer = result?;
    assert_eq!(answer.message[..3], [0, 0, 0x81], "ID 0, QR and RD, no AA and no TC");
    assert_eq!(answer.message[3] & 0xf0, 0x80, "RA, no AD");
    let qname = question.name.as_wire();
    assert_eq!(&answer.message[12..12 + qname.len()], qname, "the question as asked");
    Ok(Message::from_vec(&answer.message).unwrap())
}

const SOA: &str = "@ SOA ns nobody.invalid. 1 3600 600 86400 60";

/// A root with `com`, `net` and `org`, and zones below them.
///
/// hickory-server gives no glue that lies below a cut, so its zones name servers that stand beside theirs; `org` has a server
/// of its own kind that gives such glue.
pub async fn small() -> Internet {
    let mut internet = Internet::new(
        "com. NS com.servers.\ncom.servers. A 127.5.0.2\nnet. NS net.servers.\nnet.servers. A 127.5.0.3\n\
         org. NS org.servers.\norg.servers. A 127.5.0.6",
    )
    .await;
    let com = format!(
        "{SOA}\n@ NS com.servers.\n\
         example NS ns-example\nns-example A 127.5.0.4\n\
         glueless NS ns-hosting.net.\n\
         mixed NS ns-example\nmixed NS ns-hosting.net.\n\
         half NS ns1-half\nhalf NS ns2-half\nns1-half A 127.5.0.20\nns2-half A 127.5.0.4\n\
         dead NS ns-dead\nns-dead A 127.5.0.20\n\
         big NS ns-big\nns-big A 127.5.0.21\n\
         odd NS ns-odd\nns-odd A 127.5.0.22"
    );
    internet.authority("127.5.0.2", &[("com.", &com)]).await;
    let net = format!("{SOA}\n@ NS net.servers.\nhosting NS ns-hosting\nns-hosting A 127.5.0.5");
    internet.authority("127.5.0.3", &[("net.", &net)]).await;
    let example = format!(
        "{SOA}\n@ NS ns-example.com.\nwww A 192.0.2.1\nwww AAAA 2001:db8::1\n\
         alias CNAME www\nfar CNAME www.hosting.net.\nnowhere CNAME none.hosting.net.\nnothing CNAME mail.hosting.net.\n\
         longer CNAME far\n*.wild A 192.0.2.9\na.b.c TXT deep\nloop1 CNAME loop2\nloop2 CNAME loop1\n\
         gone CNAME www.dead.com."
    );
    let mixed = format!("{SOA}\n@ NS ns-example.com.\n@ NS ns-hosting.net.\nwww A 192.0.2.80");
    let half = format!("{SOA}\n@ NS ns1-half.com.\n@ NS ns2-half.com.\nwww A 192.0.2.20");
    internet
        .authority(
            "127.5.0.4",
            &[("example.com.", &example), ("half.com.", &half), ("mixed.com.", &mixed)],
        )
        .await;
    let hosting = format!("{SOA}\n@ NS ns-hosting.net.\nwww A 192.0.2.50\nmail MX 10 www\n*.wild A 192.0.2.51");
    let glueless = format!("{SOA}\n@ NS ns-hosting.net.\nwww A 192.0.2.60");
    let inside = format!("{SOA}\n@ NS ns.deep\nns.deep A 127.5.0.5\nwww A 192.0.2.70");
    internet
        .authority(
            "127.5.0.5",
            &[
                ("hosting.net.", &hosting),
                ("glueless.com.", &glueless),
                ("mixed.com.", &mixed),
                ("inside.org.", &inside),
            ],
        )
        .await;
    internet.odd("127.5.0.6", Arc::new(|_, query| vec![org(query)])).await;
    internet
}

/// What `org` says: a referral for `inside.org`, whose server's address only this referral can tell; else there is nothing.
fn org(query: &Message) -> Vec<u8> {
    let mut message = servers::response(query);
    let record = |owner: &str, rtype: &str, data: &str| {
        let data = RData::try_from_str(rtype.parse().unwrap(), data).unwrap();
        Record::from_rdata(owner.parse().unwrap(), 300, data)
    };
    let qname = query.queries[0].name().to_string().to_lowercase();
    if qname == "org." {
        message.metadata.authoritative = true;
        message.add_answer(record("org.", "NS", "org.servers."));
    } else if qname.ends_with("inside.org.") {
        message.add_authority(record("inside.org.", "NS", "ns.deep.inside.org."));
        message.add_additional(record("ns.deep.inside.org.", "A", "127.5.0.5"));
    } else {
        message.metadata.authoritative = true;
        message.metadata.response_code = ResponseCode::NXDomain;
        message.add_authority(record(
            "org.",
            "SOA",
            "org.servers. nobody.invalid. 1 3600 600 86400 60",
        ));
    }
    message.to_vec().unwrap()
}

fn always(code: ResponseCode) -> Handler {
    Arc::new(move |_, query| vec![servers::error(query, code)])
}

fn silent() -> Handler {
    Arc::new(|_, _| Vec::new())
}

#[tokio::test]
async fn referrals_with_and_without_glue_are_followed() {
    let internet = small().await;
    let resolver = internet.resolver();
    assert_eq!(
        ask(&resolver, "www.example.com", "A").await,
        "NoError: www.example.com. A 192.0.2.1 | "
    );
    assert_eq!(
        ask(&resolver, "WWW.example.com", "AAAA").await,
        "NoError: WWW.example.com. AAAA 2001:db8::1 | "
    );
    assert_eq!(
        ask(&resolver, "www.glueless.com", "A").await,
        "NoError: www.glueless.com. A 192.0.2.60 | "
    );
    assert_eq!(
        ask(&resolver, "www.inside.org", "A").await,
        "NoError: www.inside.org. A 192.0.2.70 | "
    );
    assert_eq!(
        ask(&resolver, "example.com", "NS").await,
        "NoError: example.com. NS ns-example.com. | "
    );
    assert_eq!(ask(&resolver, ".", "NS").await, "NoError: . NS a.root. | ");
}

#[tokio::test]
async fn names_and_types_that_do_not_exist_are_told_apart_and_carry_an_soa() {
    let internet = small().await;
    let resolver = internet.resolver();
    for _ in 0..2 {
        assert_eq!(
            ask(&resolver, "none.example.com", "A").await,
            "NXDomain:  | example.com. SOA"
        );
        assert_eq!(
            ask(&resolver, "www.example.com", "MX").await,
            "NoError:  | example.com. SOA"
        );
        assert_eq!(
            ask(&resolver, "www.example.com", "SOA").await,
            "NoError:  | example.com. SOA"
        );
        assert_eq!(
            ask(&resolver, "none.example.com", "SOA").await,
            "NXDomain:  | example.com. SOA"
        );
        // An empty name between two others exists (RFC 8020 §2).
        assert_eq!(
            ask(&resolver, "b.c.example.com", "A").await,
            "NoError:  | example.com. SOA"
        );
        assert_eq!(
            ask(&resolver, "a.b.c.example.com", "TXT").await,
            "NoError: a.b.c.example.com. TXT deep | "
        );
        assert_eq!(ask(&resolver, "www.example.info", "A").await, "NXDomain:  | . SOA");
    }
    let message = resolve(&resolver, "none.example.com", "A", false).await.unwrap();
    assert!(message.authorities[0].ttl <= 300);
}

#[tokio::test]
async fn aliases_are_followed_over_zones_and_reach_the_client_whole() {
    let internet = small().await;
    let resolver = internet.resolver();
    assert_eq!(
        ask(&resolver, "alias.example.com", "A").await,
        "NoError: alias.example.com. CNAME www.example.com., www.example.com. A 192.0.2.1 | "
    );
    for _ in 0..2 {
        assert_eq!(
            ask(&resolver, "longer.example.com", "A").await,
            "NoError: longer.example.com. CNAME far.example.com., far.example.com. CNAME www.hosting.net., \
             www.hosting.net. A 192.0.2.50 | "
        );
        assert_eq!(
            ask(&resolver, "nowhere.example.com", "A").await,
            "NXDomain: nowhere.example.com. CNAME none.hosting.net. | hosting.net. SOA"
        );
        assert_eq!(
            ask(&resolver, "nothing.example.com", "A").await,
            "NoError: nothing.example.com. CNAME mail.hosting.net. | hosting.net. SOA"
        );
    }
    assert_eq!(
        ask(&resolver, "far.example.com", "CNAME").await,
        "NoError: far.example.com. CNAME www.hosting.net. | "
    );
    assert!(ask(&resolver, "loop1.example.com", "A").await.starts_with("failed: "));
}

#[tokio::test]
async fn wildcards_answer_with_the_name_that_was_asked() {
    let internet = small().await;
    let resolver = internet.resolver();
    assert_eq!(
        ask(&resolver, "x.wild.example.com", "A").await,
        "NoError: x.wild.example.com. A 192.0.2.9 | "
    );
    assert_eq!(
        ask(&resolver, "x.y.wild.hosting.net", "A").await,
        "NoError: x.y.wild.hosting.net. A 192.0.2.51 | "
    );
}

#[tokio::test]
async fn one_bad_server_of_two_does_not_take_the_zone_down() {
    let lame: Handler = Arc::new(|_, query| {
        // A pointer back to the root, from a server that does not serve the zone.
        let mut message = servers::response(query);
        let root = rdata::NS("a.root.".parse().unwrap());
        let data = RData::NS(root);
        message.add_authority(Record::from_rdata(WireName::root(), 300, data));
        vec![message.to_vec().unwrap()]
    });
    let empty: Handler = Arc::new(|_, query| vec![servers::error(query, ResponseCode::NoError)]);
    let garbage: Handler = Arc::new(|_, query| {
        let mut bytes = servers::address(query);
        bytes.truncate(bytes.len() - 2);
        vec![bytes]
    });
    let kinds: [(&str, Handler); 7] = [
        ("silent", silent()),
        ("REFUSED", always(ResponseCode::Refused)),
        ("SERVFAIL", always(ResponseCode::ServFail)),
        ("NOTIMP", always(ResponseCode::NotImp)),
        ("lame", lame),
        ("empty", empty),
        ("garbage", garbage),
    ];
    for (kind, handler) in kinds {
        let mut internet = small().await;
        let seen = internet.odd("127.5.0.20", handler).await;
        // Which of the two comes first is random; several resolvers meet both.
        for round in 0..24 {
            if round > 1 && seen.udp() > 0 {
                break;
            }
            let resolver = internet.resolver();
            assert_eq!(
                ask(&resolver, "www.half.com", "A").await,
                "NoError: www.half.com. A 192.0.2.20 | ",
                "{kind}"
            );
            assert_eq!(
                ask(&resolver, "no.half.com", "A").await,
                "NXDomain:  | half.com. SOA",
                "{kind}"
            );
        }
        assert!(seen.udp() > 0, "{kind} was never asked");
    }
}

#[tokio::test]
async fn a_zone_without_a_working_server_fails_in_time_and_says_why() {
    let mut internet = small().await;
    internet.odd("127.5.0.20", silent()).await;
    let resolver = internet.resolver();
    assert_eq!(
        ask(&resolver, "www.dead.com", "A").await,
        "failed: no server answered in time"
    );
    assert!(ask(&resolver, "gone.example.com", "A").await.starts_with("failed: "));
    // Others do not suffer.
    assert!(ask(&resolver, "www.example.com", "A").await.starts_with("NoError"));

    let mut internet = small().await;
    internet.odd("127.5.0.20", always(ResponseCode::Refused)).await;
    let resolver = internet.resolver();
    assert!(
        ask(&resolver, "www.dead.com", "A")
            .await
            .starts_with("failed: authorities failed: 127.5.0.20: it answered")
    );
}

#[tokio::test]
async fn a_truncated_answer_is_asked_for_again_over_tcp() {
    let mut internet = small().await;
    let seen = internet
        .odd(
            "127.5.0.21",
            Arc::new(|transport, query| {
                let mut message = servers::response(query);
                message.metadata.authoritative = true;
                let name = query.queries[0].name().clone();
                if u16::from(query.queries[0].query_type()) == 16 {
                    if transport == Transport::Udp {
                        message.metadata.truncation = true;
                    } else {
                        for number in 0..40 {
                            let text = format!("{number:0200}");
                            let data = RData::TXT(rdata::TXT::new(vec![text]));
                            message.add_answer(Record::from_rdata(name.clone(), 300, data));
                        }
                    }
                }
                vec![message.to_vec().unwrap()]
            }),
        )
        .await;
    let resolver = internet.resolver();
    let message = resolve(&resolver, "www.big.com", "TXT", false).await.unwrap();
    assert_eq!(message.answers.len(), 40);
    assert!(seen.streams() >= 1);
}

#[tokio::test]
async fn a_server_that_knows_no_edns_is_asked_without() {
    let mut internet = small().await;
    internet
        .odd(
            "127.5.0.22",
            Arc::new(|_, query| {
                if query.edns.is_some() {
                    return vec![servers::error(query, ResponseCode::FormErr)];
                }
                let mut bytes = servers::address(query);
                bytes[2] |= 4;
                vec![bytes]
            }),
        )
        .await;
    let resolver = internet.resolver();
    assert_eq!(
        ask(&resolver, "www.odd.com", "A").await,
        "NoError: www.odd.com. A 192.0.2.1 | "
    );
}

#[tokio::test]
async fn a_dname_redirects_the_names_below_it() {
    let mut internet = small().await;
    internet
        .odd(
            "127.5.0.22",
            Arc::new(|_, query| {
                let mut message = servers::response(query);
                message.metadata.authoritative = true;
                let name = query.queries[0].name().clone();
                // DNAME of moved.odd.com to hosting.net, as RFC 6672 §3.1 has it: with the CNAME made from it.
                if name.to_string().ends_with(".moved.odd.com.") {
                    let below: String = name.to_string().trim_end_matches("moved.odd.com.").to_owned() + "hosting.net.";
                    let target = rdata::NULL::with(b"\x07hosting\x03net\x00".to_vec());
                    let dname = RData::Unknown {
                        code: RecordType::from(39),
                        rdata: target,
                    };
                    let owner = WireName::from_str("moved.odd.com.").unwrap();
                    message.add_answer(Record::from_rdata(owner, 300, dname));
                    let cname = rdata::CNAME(WireName::from_str(&below).unwrap());
                    let data = RData::CNAME(cname);
                    message.add_answer(Record::from_rdata(name, 300, data));
                } else {
                    let soa = "ns.odd.com. nobody.invalid. 1 3600 600 86400 60";
                    let data = RData::try_from_str(RecordType::SOA, soa).unwrap();
                    let owner = WireName::from_str("odd.com.").unwrap();
                    message.add_authority(Record::from_rdata(owner, 300, data));
                }
                vec![message.to_vec().unwrap()]
            }),
        )
        .await;
    let resolver = internet.resolver();
    let message = resolve(&resolver, "www.moved.odd.com", "A", false).await.unwrap();
    let names: Vec<String> = message.answers.iter().map(|record| record.name.to_string()).collect();
    assert_eq!(names, ["moved.odd.com.", "www.moved.odd.com.", "www.hosting.net."]);
    let message = resolve(&resolver, "none.moved.odd.com", "A", false).await.unwrap();
    assert_eq!(message.metadata.response_code, ResponseCode::NXDomain);
    assert_eq!(message.answers.len(), 2, "the DNAME and the alias made from it");
}

#[tokio::test]
async fn signatures_reach_clients_that_asked_for_them_and_nobody_else() {
    let mut internet = small().await;
    internet
        .odd(
            "127.5.0.22",
            Arc::new(|_, query| {
                assert!(query.edns.as_ref().is_some_and(|edns| edns.flags().dnssec_ok));
                let mut bytes = servers::address(query);
                bytes[2] |= 4;
                // An RRSIG over A behind the answer, before the end: made by hand, since no key signs here.
                let opt_free = Message::from_vec(&bytes).unwrap().to_vec().unwrap();
                let mut bytes = opt_free;
                bytes[7] += 1;
                bytes.extend_from_slice(&[0xc0, 12, 0, 46, 0, 1, 0, 0, 1, 44, 0, 32]);
                bytes.extend_from_slice(&[
                    0, 1, 13, 3, 0, 0, 1, 44, 0x70, 0, 0, 0, 0x60, 0, 0, 0, 0, 7, 3, b'o', b'd', b'd', 3,
                ]);
                bytes.extend_from_slice(&[b'c', b'o', b'm', 0, 1, 2, 3, 4, 5]);
                vec![bytes]
            }),
        )
        .await;
    let resolver = internet.resolver();
    let with = resolve(&resolver, "www.odd.com", "A", true).await.unwrap();
    let types: Vec<String> = with
        .answers
        .iter()
        .map(|record| record.record_type().to_string())
        .collect();
    assert_eq!(types, ["A", "RRSIG"]);
    let without = resolve(&resolver, "www.odd.com", "A", false).await.unwrap();
    assert_eq!(without.answers.len(), 1);
}

#[tokio::test]
async fn names_of_34_labels_are_resolved() {
    let mut internet = Internet::new("arpa. NS arpa.servers.\narpa.servers. A 127.5.0.2").await;
    let host = "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.6.2";
    let arpa = format!("{SOA}\n@ NS arpa.servers.\n{host}.0.ip6 PTR host.example.");
    internet.authority("127.5.0.2", &[("arpa.", &arpa)]).await;
    let resolver = internet.resolver();
    let name = format!("{host}.0.ip6.arpa");
    assert_eq!(Name::parse(&name).unwrap().label_count(), 34);
    assert_eq!(
        ask(&resolver, &name, "PTR").await,
        format!("NoError: {name}. PTR host.example. | ")
    );
}

#[tokio::test]
async fn private_networks_are_not_asked_unless_settings_say_so() {
    let mut internet = Internet::new("com. NS com.servers.\ncom.servers. A 127.5.0.2").await;
    let seen = internet.odd("127.5.0.2", always(ResponseCode::Refused)).await;
    let mut settings = internet.settings();
    settings.query_private = Vec::new();
    settings.prime = false;
    let (resolver, _) = internet.resolver_as(&settings);
    assert!(ask(&resolver, "www.com", "A").await.starts_with("failed: "));
    assert_eq!(seen.udp(), 0);
}

#[tokio::test]
async fn priming_finds_root_servers_that_the_hints_do_not_know_and_is_no_reason_not_to_answer() {
    let mut internet = Internet::new("com. NS com.servers.\ncom.servers. A 127.5.0.2").await;
    let com = format!("{SOA}\n@ NS com.servers.\nwww A 192.0.2.1\nmore A 192.0.2.2");
    internet.authority("127.5.0.2", &[("com.", &com)]).await;
    // The server that the hints name answers nothing but the priming query, with another server than itself.
    let new_root = ". SOA b.root. nobody.invalid. 1 3600 600 86400 60\n. NS b.root.\nb.root. A 127.5.0.7\n\
        com. NS com.servers.\ncom.servers. A 127.5.0.2";
    internet.authority("127.5.0.7", &[(".", new_root)]).await;
    let old_root = internet
        .odd(
            ROOT,
            Arc::new(|_, query| {
                let mut message = servers::response(query);
                message.metadata.authoritative = true;
                if !query.queries[0].name().is_root() {
                    return vec![servers::error(query, ResponseCode::Refused)];
                }
                let server: WireName = "b.root.".parse().unwrap();
                let data = RData::NS(rdata::NS(server.clone()));
                message.add_answer(Record::from_rdata(WireName::root(), 300, data));
                let data = RData::A(rdata::A([127, 5, 0, 7].into()));
                message.add_additional(Record::from_rdata(server, 300, data));
                vec![message.to_vec().unwrap()]
            }),
        )
        .await;
    let resolver = internet.resolver();
    // The first question may come before priming is done, and then fails at the old root.
    let end = Instant::now() + Duration::from_secs(3);
    loop {
        let answer = ask(&resolver, "www.com", "A").await;
        if answer == "NoError: www.com. A 192.0.2.1 | " {
            break;
        }
        assert!(Instant::now() < end, "{answer}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let asked = old_root.udp();
    assert_eq!(
        ask(&resolver, "more.com", "A").await,
        "NoError: more.com. A 192.0.2.2 | "
    );
    assert_eq!(old_root.udp(), asked, "the old root is left alone");
}

#[tokio::test]
async fn a_hundred_equal_cold_questions_cost_as_many_queries_as_one() {
    let internet = small().await;
    let mut settings = internet.settings();
    settings.prime = false;
    let (alone, counters) = internet.resolver_as(&settings);
    ask(&alone, "far.example.com", "A").await;
    let of_one = counters.upstream_queries.get();

    let (resolver, counters) = internet.resolver_as(&settings);
    let join: Arc<dyn Resolver> = Arc::new(stairgate::resolver::join::Join::new(resolver, Arc::clone(&counters)));
    let mut tasks = Vec::new();
    for _ in 0..100 {
        let join = Arc::clone(&join);
        tasks.push(tokio::spawn(async move { ask(&join, "far.example.com", "A").await }));
    }
    for task in tasks {
        assert!(task.await.unwrap().starts_with("NoError"));
    }
    assert_eq!(counters.upstream_queries.get(), of_one);
    assert_eq!(counters.joined.get(), 99);
}

#[tokio::test]
async fn letter_case_is_randomized_when_asked_and_does_not_show() {
    let mut internet = small().await;
    let cases: Arc<Mutex<Vec<String>>> = Arc::default();
    let heard = Arc::clone(&cases);
    internet
        .odd(
            "127.5.0.22",
            Arc::new(move |_, query| {
                heard.lock().unwrap().push(query.queries[0].name().to_string());
                let mut bytes = servers::address(query);
                bytes[2] |= 4;
                vec![bytes]
            }),
        )
        .await;
    let settings = ResolverSettings {
        case_randomization: true,
        ..internet.settings()
    };
    let (resolver, _) = internet.resolver_as(&settings);
    let name = "a-rather-long-name-for-many-letters.odd.com";
    assert_eq!(
        ask(&resolver, name, "A").await,
        format!("NoError: {name}. A 192.0.2.1 | ")
    );
    assert!(cases.lock().unwrap().iter().any(|heard| heard.to_lowercase() != *heard));
}
