//! Rules about name servers on the whole road: from a query over policy, cache and resolver to the response.

use super::internet::small;
use super::servers;
use hickory_proto::op::{Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::{Name as WireName, RData, Record, RecordType};
use stairgate::cache::Cache;
use stairgate::clock;
use stairgate::config::settings::{
    ClientSettings, Host, Mode, ProfileSettings, Scheme, Settings, Unmatched, Upstream, Zone, ZoneSource,
};
use stairgate::dns::name::Name;
use stairgate::generation::Generation;
use stairgate::list::set::Gate;
use stairgate::local::Zones;
use stairgate::policy::Policy;
use stairgate::query::{self, Begun, Peer, Transport};
use stairgate::resolver::forward::Trust;
use stairgate::resolver::{Resolver, Scope, build};
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

const SOA: &str = "$TTL 60\n@ SOA localhost. root.localhost. 1 1h 15m 30d 2h\n@ NS localhost.\n";
/// Who has the rules, and who has none.
const CHILD: &str = "127.0.0.1";
const PARENT: &str = "127.0.0.2";

/// The query road of one server, without its sockets.
struct Road {
    generation: Arc<Generation>,
    cache: Cache,
    resolver: Arc<dyn Resolver>,
}

impl Road {
    /// These zones are the child's, the first in front.
    fn new(resolver: Arc<dyn Resolver>, zones: &[&str]) -> Road {
        let texts: Vec<(String, String)> = (1..)
            .zip(zones)
            .map(|(number, zone)| (format!("zone{number}"), format!("{SOA}{zone}\n")))
            .collect();
        let lists: Vec<(&str, &str, &str)> = texts
            .iter()
            .map(|(name, text)| (name.as_str(), "x", text.as_str()))
            .collect();
        let gate = Gate::from_lists(&lists);
        let mut settings = Settings::builtin(Path::new("/"));
        settings.gate = Some("lists.gate".into());
        settings.lists.clear();
        let mut child = ProfileSettings::named("child");
        child.block = vec!["x".to_owned()];
        child.allow = vec![Name::parse("gone.example.com").unwrap().into()];
        settings.profiles = vec![child, ProfileSettings::named("parent")];
        settings.server.unmatched = Unmatched::Refuse;
        let client = |name: &str, address: &str| ClientSettings {
            name: name.to_owned(),
            tags: Vec::new(),
            networks: vec![format!("{address}/32").parse().unwrap()],
            profile: name.to_owned(),
            person: None,
        };
        settings.clients = vec![client("child", CHILD), client("parent", PARENT)];
        Road {
            generation: Arc::new(Generation {
                number: 1,
                policy: Policy::build(&gate, &settings, &[]).unwrap(),
                gate: Arc::new(gate),
                local: stairgate::local::Zones::build(&settings).unwrap(),
                settings: Arc::new(settings),
            }),
            cache: Cache::new(1 << 20, Duration::ZERO, Duration::from_secs(86_400)),
            resolver,
        }
    }

    /// What `client` gets; nothing where the query is dropped.
    async fn response(&self, client: &str, name: &str, rtype: &str) -> Option<Message> {
        let mut query = Message::new(7, MessageType::Query, OpCode::Query);
        query.metadata.recursion_desired = true;
        let (name, rtype) = (WireName::from_str(name).unwrap(), RecordType::from_str(rtype).unwrap());
        query.add_query(Query::query(name, rtype));
        let peer = Peer {
            address: format!("{client}:40000").parse().unwrap(),
            transport: Transport::Udp,
        };
        let mut out = vec![0; 65_535];
        let bytes = query.to_vec().unwrap();
        let (mut begun, _) = query::begin(&self.generation, &self.cache, &bytes, &peer, clock::now(), &mut out);
        let deadline = Instant::now() + Duration::from_secs(5);
        loop {
            match begun {
                Begun::Respond(len) | Begun::RespondAndRenew(len, _) => {
                    return Some(Message::from_vec(&out[..len]).unwrap());
                }
                Begun::Drop => return None,
                Begun::Pending(pending) => {
                    let result = self.resolver.resolve(pending.question(), deadline).await;
                    (begun, _) = query::finish(pending, result, &self.cache, clock::now(), &mut out);
                }
            }
        }
    }

    /// The response code, and the records of the answer section as `NAME TYPE DATA`.
    async fn says(&self, client: &str, name: &str, rtype: &str) -> String {
        let Some(message) = self.response(client, name, rtype).await else {
            return "dropped".to_owned();
        };
        if message.metadata.truncation {
            return "truncated".to_owned();
        }
        let records: Vec<String> = message
            .answers
            .iter()
            .map(|record| format!("{} {} {}", record.name, record.record_type(), record.data))
            .collect();
        format!("{:?} {}", message.metadata.response_code, records.join(", "))
            .trim()
            .to_owned()
    }

    /// Whether the child is kept from the addresses of a name, now and from the cache.
    async fn blocks(&self, name: &str) -> bool {
        let first = self.says(CHILD, name, "A").await;
        assert_eq!(self.says(CHILD, name, "A").await, first, "from the cache");
        match first.as_str() {
            "NXDomain" => true,
            said => {
                assert!(said.starts_with("NoError "), "{name}: {said}");
                false
            }
        }
    }
}

#[tokio::test]
async fn servers_of_the_zone_and_of_those_above_it_are_matched_by_name_and_by_address() {
    let internet = small().await;
    let cases: [(&str, &[&str]); 8] = [
        (
            "ns-example.com.rpz-nsdname CNAME .",
            &["www.example.com", "www.mixed.com"],
        ),
        ("NS.DEEP.inside.org.rpz-nsdname CNAME .", &["www.inside.org"]),
        // Those of a top-level domain, and of nothing but that.
        (
            "com.servers.rpz-nsdname CNAME .",
            &["www.example.com", "www.glueless.com", "www.mixed.com"],
        ),
        ("*.root.rpz-nsdname CNAME .", &[]),
        // By glue, and by what was looked up.
        ("32.4.0.5.127.rpz-nsip CNAME .", &["www.example.com", "www.mixed.com"]),
        (
            "32.5.0.5.127.rpz-nsip CNAME .",
            &["www.glueless.com", "www.mixed.com", "www.hosting.net", "www.inside.org"],
        ),
        ("32.3.0.5.127.rpz-nsip CNAME .", &["www.hosting.net"]),
        ("32.1.0.5.127.rpz-nsip CNAME .", &[]),
    ];
    for (rule, blocked) in cases {
        let road = Road::new(internet.resolver(), &[rule]);
        for name in [
            "www.example.com",
            "www.glueless.com",
            "www.mixed.com",
            "www.hosting.net",
            "www.inside.org",
        ] {
            assert_eq!(road.blocks(name).await, blocked.contains(&name), "{rule}: {name}");
        }
    }
    // Nobody needs the second server's address to get at this name; it is looked up for the rule alone.
    let road = Road::new(internet.resolver(), &["32.5.0.5.127.rpz-nsip CNAME ."]);
    assert!(road.blocks("www.mixed.com").await);
}

#[tokio::test]
async fn each_name_of_an_alias_chain_counts_and_records_stand_where_the_rule_matched() {
    let internet = small().await;
    let says = async |zones: &[&str], name: &str| {
        let road = Road::new(internet.resolver(), zones);
        let first = road.says(CHILD, name, "A").await;
        assert_eq!(road.says(CHILD, name, "A").await, first, "from the cache");
        first
    };
    let second = "ns-hosting.net.rpz-nsdname A 192.0.2.200";
    assert_eq!(
        says(&[second], "longer.example.com.").await,
        "NoError longer.example.com. CNAME far.example.com., far.example.com. CNAME www.hosting.net., \
         www.hosting.net. A 192.0.2.200"
    );
    let first = "ns-example.com.rpz-nsdname A 192.0.2.201";
    assert_eq!(
        says(&[first], "far.example.com.").await,
        "NoError far.example.com. A 192.0.2.201"
    );
    assert_eq!(
        says(&[second, first], "far.example.com.").await,
        "NoError far.example.com. A 192.0.2.201",
        "the first name counts, whichever zone it is"
    );
    // Only an alias is asked for: what it leads to is nobody's business.
    let road = Road::new(internet.resolver(), &[second]);
    assert_eq!(
        road.says(CHILD, "far.example.com.", "CNAME").await,
        "NoError far.example.com. CNAME www.hosting.net."
    );
    // A walled garden whose own servers are fine.
    let garden = "ns-hosting.net.rpz-nsdname CNAME www.example.com.";
    assert_eq!(
        says(&[garden], "www.glueless.com.").await,
        "NoError www.glueless.com. CNAME www.example.com., www.example.com. A 192.0.2.1"
    );
}

#[tokio::test]
async fn every_action_is_taken_and_names_that_do_not_exist_are_judged_as_well() {
    let internet = small().await;
    let says = async |action: &str, name: &str, rtype: &str| {
        let zone = format!("ns-example.com.rpz-nsdname {action}");
        Road::new(internet.resolver(), &[&zone]).says(CHILD, name, rtype).await
    };
    assert_eq!(says("CNAME *.", "www.example.com.", "A").await, "NoError");
    assert_eq!(says("CNAME rpz-drop.", "www.example.com.", "A").await, "dropped");
    assert_eq!(says("CNAME rpz-tcp-only.", "www.example.com.", "A").await, "truncated");
    assert_eq!(says("CNAME .", "a.b.c.example.com.", "TXT").await, "NXDomain");
    assert_eq!(says("CNAME .", "www.example.com.", "MX").await, "NXDomain");
    assert_eq!(says("CNAME *.", "none.example.com.", "A").await, "NoError");
    assert_eq!(
        says("A 192.0.2.200", "none.example.com.", "A").await,
        "NoError none.example.com. A 192.0.2.200"
    );
}

#[tokio::test]
async fn of_rules_about_addresses_and_about_servers_the_first_zone_speaks_and_in_one_zone_the_address() {
    let internet = small().await;
    let says = async |zones: &[&str]| {
        Road::new(internet.resolver(), zones)
            .says(CHILD, "www.example.com.", "A")
            .await
    };
    let passes = "NoError www.example.com. A 192.0.2.1";
    let server = "ns-example.com.rpz-nsdname CNAME .";
    let address = "32.1.2.0.192.rpz-ip CNAME *.";
    assert_eq!(says(&[server, address]).await, "NXDomain");
    assert_eq!(says(&[address, server]).await, "NoError");
    assert_eq!(says(&[&format!("{server}\n{address}")]).await, "NoError");
    let exempt = "32.1.2.0.192.rpz-ip CNAME rpz-passthru.";
    assert_eq!(says(&[exempt, server]).await, passes);
    assert_eq!(says(&[&format!("{exempt}\n{server}")]).await, passes);
    assert_eq!(says(&[server, exempt]).await, "NXDomain");
    let exempt = "ns-example.com.rpz-nsdname CNAME rpz-passthru.";
    let by_ip = "32.4.0.5.127.rpz-nsip CNAME .";
    assert_eq!(says(&[exempt, address]).await, passes, "zones behind it have no say");
    assert_eq!(says(&[exempt, by_ip]).await, passes);
    assert_eq!(
        says(&[&format!("{exempt}\n{address}")]).await,
        "NoError",
        "its own address does"
    );
    assert_eq!(says(&[by_ip, exempt]).await, "NXDomain");
    let name = "www.example.com CNAME rpz-passthru.";
    assert_eq!(
        says(&[name, server]).await,
        passes,
        "the QNAME was let through in front"
    );
    assert_eq!(says(&[server, name]).await, "NXDomain");
}

#[tokio::test]
async fn the_cache_serves_both_who_has_such_rules_and_who_has_not_and_asks_nobody_for_what_is_known() {
    let internet = small().await;
    let mut settings = internet.settings();
    settings.prime = false;
    let (recursive, counters) = internet.recursive(&settings);
    let rules = "ns-hosting.net.rpz-nsdname CNAME .";
    let road = Road::new(Arc::clone(&recursive) as Arc<dyn Resolver>, &[rules]);
    let whole = road.says(PARENT, "longer.example.com.", "A").await;
    assert!(whole.ends_with("www.hosting.net. A 192.0.2.50"), "{whole}");
    let asked = counters.upstream_queries.get();
    assert_eq!(road.says(CHILD, "longer.example.com.", "A").await, "NXDomain");
    assert_eq!(counters.upstream_queries.get(), asked, "the walk there told it all");
    assert_eq!(road.says(PARENT, "longer.example.com.", "A").await, whole);

    // The answer is cached, and recursion has forgotten the way there.
    let road = Road::new(Arc::clone(&recursive) as Arc<dyn Resolver>, &[rules]);
    assert_eq!(road.says(PARENT, "longer.example.com.", "A").await, whole);
    recursive.forget(&Scope::All);
    assert_eq!(road.says(CHILD, "longer.example.com.", "A").await, "NXDomain");
    assert!(counters.upstream_queries.get() > asked);
    // The zone in between is forgotten alone.
    let road = Road::new(
        Arc::clone(&recursive) as Arc<dyn Resolver>,
        &["com.servers.rpz-nsdname CNAME ."],
    );
    assert!(road.says(PARENT, "www.example.com.", "A").await.starts_with("NoError"));
    recursive.forget(&Scope::At(Name::parse("com").unwrap()));
    assert_eq!(road.says(CHILD, "www.example.com.", "A").await, "NXDomain");
}

#[tokio::test]
async fn where_nobody_says_who_the_servers_are_an_answer_from_the_cache_is_withheld() {
    let mut internet = small().await;
    let mut settings = internet.settings();
    settings.prime = false;
    let (recursive, _) = internet.recursive(&settings);
    let road = Road::new(
        Arc::clone(&recursive) as Arc<dyn Resolver>,
        &["ns.x.rpz-nsdname CNAME ."],
    );
    assert!(road.says(PARENT, "www.example.com.", "A").await.starts_with("NoError"));
    recursive.forget(&Scope::All);
    let refuses: servers::Handler = Arc::new(|_, query| vec![servers::error(query, ResponseCode::Refused)]);
    internet.odd("127.5.0.1", refuses).await;
    assert_eq!(road.says(CHILD, "www.example.com.", "A").await, "ServFail");
    assert!(road.says(PARENT, "www.example.com.", "A").await.starts_with("NoError"));
    assert_eq!(
        road.says(CHILD, "gone.example.com.", "A").await,
        "ServFail",
        "its own answer cannot be had either"
    );
}

/// What the upstream of these tests knows: `NAME TYPE` and records `NAME TYPE DATA`, an SOA in the authority section.
const WORLD: &[(&str, &[&str])] = &[
    ("www.example.com. A", &["www.example.com. A 192.0.2.1"]),
    ("deep.in.example.com. A", &["deep.in.example.com. A 192.0.2.2"]),
    (
        "far.example.com. A",
        &[
            "far.example.com. CNAME www.hosting.net.",
            "www.hosting.net. A 192.0.2.50",
        ],
    ),
    ("www.hosting.net. A", &["www.hosting.net. A 192.0.2.50"]),
    (
        "www.example.com. NS",
        &["example.com. SOA ns.example.com. nobody.invalid. 1 2 3 4 5"],
    ),
    (
        "deep.in.example.com. NS",
        &["example.com. SOA ns.example.com. nobody.invalid. 1 2 3 4 5"],
    ),
    // The alias's target does not have NS records either; that SOA says nothing about the alias.
    (
        "far.example.com. NS",
        &[
            "far.example.com. CNAME www.hosting.net.",
            "com. SOA ns.servers. nobody.invalid. 1 2 3 4 5",
        ],
    ),
    (
        "www.hosting.net. NS",
        &["hosting.net. SOA ns.hosting.net. nobody.invalid. 1 2 3 4 5"],
    ),
    ("example.com. NS", &["example.com. NS ns.example.com."]),
    (
        "hosting.net. NS",
        &["hosting.net. NS ns.hosting.net.", "hosting.net. NS ns.silent."],
    ),
    ("com. NS", &["com. NS ns.servers."]),
    ("net. NS", &["net. NS ns.servers."]),
    ("ns.example.com. A", &["ns.example.com. A 198.51.100.1"]),
    ("ns.example.com. AAAA", &["ns.example.com. AAAA 2001:db8:1::1"]),
    ("ns.hosting.net. A", &["ns.hosting.net. A 198.51.100.2"]),
    ("ns.servers. A", &["ns.servers. A 198.51.100.3"]),
];

/// Settings that ask `server`, which says what [`WORLD`] says and refuses all else.
async fn upstream() -> (servers::Server, Settings) {
    let server = servers::plain(Arc::new(|_, query| {
        let asked = &query.queries[0];
        let line = format!("{} {}", asked.name(), asked.query_type()).to_lowercase();
        if line.starts_with("ns.silent.") {
            return Vec::new();
        }
        let Some((_, records)) = WORLD.iter().find(|(known, _)| known.to_lowercase() == line) else {
            return vec![servers::error(query, ResponseCode::Refused)];
        };
        let mut message = servers::response(query);
        for record in *records {
            let mut words = record.splitn(3, ' ');
            let mut word = || words.next().unwrap();
            let (owner, rtype, data) = (word(), word(), word());
            let rtype = RecordType::from_str(rtype).unwrap();
            let data = RData::try_from_str(rtype, data).unwrap();
            let record = Record::from_rdata(WireName::from_str(owner).unwrap(), 300, data);
            match rtype {
                RecordType::SOA => message.add_authority(record),
                _ => message.add_answer(record),
            };
        }
        vec![message.to_vec().unwrap()]
    }))
    .await;
    let mut settings = Settings::builtin(Path::new("."));
    settings.resolver.mode = Mode::Forward;
    // Nothing here is signed.
    settings.resolver.validate = false;
    settings.resolver.forward = vec![Upstream {
        scheme: Scheme::Udp,
        host: Host::Address(server.address.ip()),
        port: server.address.port(),
        server_name: None,
        pins: Vec::new(),
        get: false,
        path: String::new(),
    }];
    (server, settings)
}

#[tokio::test]
async fn upstreams_are_asked_who_the_servers_are_and_what_they_do_not_tell_cannot_match() {
    let (server, settings) = upstream().await;
    let cases: [(&str, &[&str]); 6] = [
        (
            "ns.example.com.rpz-nsdname CNAME .",
            &["www.example.com", "deep.in.example.com", "far.example.com"],
        ),
        (
            "ns.hosting.net.rpz-nsdname CNAME .",
            &["www.hosting.net", "far.example.com"],
        ),
        (
            "32.1.100.51.198.rpz-nsip CNAME .",
            &["www.example.com", "deep.in.example.com", "far.example.com"],
        ),
        (
            "48.zz.1.db8.2001.rpz-nsip CNAME .",
            &["www.example.com", "deep.in.example.com", "far.example.com"],
        ),
        (
            "*.servers.rpz-nsdname CNAME .",
            &[
                "www.example.com",
                "deep.in.example.com",
                "www.hosting.net",
                "far.example.com",
            ],
        ),
        ("ns.nowhere.rpz-nsdname CNAME .", &[]),
    ];
    for (rule, blocked) in cases {
        let stack = build(&settings, Trust::public()).unwrap();
        let road = Road::new(Arc::clone(&stack.resolver), &[rule]);
        let started = Instant::now();
        for name in [
            "www.example.com",
            "deep.in.example.com",
            "www.hosting.net",
            "far.example.com",
        ] {
            assert_eq!(road.blocks(name).await, blocked.contains(&name), "{rule}: {name}");
        }
        assert!(started.elapsed() < Duration::from_secs(9), "{:?}", started.elapsed());
    }
    // Who has no such rules costs one question; the next name of a zone costs two more than that.
    let stack = build(&settings, Trust::public()).unwrap();
    let road = Road::new(Arc::clone(&stack.resolver), &["ns.nowhere.rpz-nsdname CNAME ."]);
    let before = server.seen.udp();
    road.says(PARENT, "www.example.com.", "A").await;
    assert_eq!(server.seen.udp(), before + 1);
    road.says(CHILD, "www.example.com.", "A").await;
    let before = server.seen.udp();
    road.says(CHILD, "deep.in.example.com.", "A").await;
    // The refused address of the TLD's server is asked for again.
    assert!(server.seen.udp() <= before + 2 + 2, "{} {before}", server.seen.udp());
    assert!(stack.forget(&Scope::All) > 0, "what was remembered of them");
}

#[tokio::test]
async fn in_a_zone_with_upstreams_of_its_own_these_are_asked_and_nothing_above_it() {
    let (world, mut settings) = upstream().await;
    let outside = Arc::new(AtomicBool::new(false));
    let strays = Arc::clone(&outside);
    let zone = servers::plain(Arc::new(move |_, query| {
        let asked = &query.queries[0];
        let owner = asked.name().to_string().to_lowercase();
        strays.fetch_or(!owner.ends_with("home.arpa."), Relaxed);
        let mut message = servers::response(query);
        match (u16::from(asked.query_type()), owner.as_str()) {
            (1, _) => return vec![servers::address(query)],
            (2, "home.arpa.") => {
                let data = RData::try_from_str(RecordType::NS, "router.home.arpa.").unwrap();
                message.add_answer(Record::from_rdata(asked.name().clone(), 300, data));
            }
            _ => {}
        }
        vec![message.to_vec().unwrap()]
    }))
    .await;
    settings.zones = vec![Zone {
        name: Name::parse("home.arpa").unwrap(),
        source: ZoneSource::Forward {
            upstreams: vec![Upstream {
                port: zone.address.port(),
                ..settings.resolver.forward[0].clone()
            }],
            order: settings.resolver.forward_order,
            validate: false,
        },
    }];
    let stack = build(&settings, Trust::public()).unwrap();
    let mut road = Road::new(Arc::clone(&stack.resolver), &["router.home.arpa.rpz-nsdname CNAME ."]);
    // The server itself knows that the zone is elsewhere.
    let generation = Arc::get_mut(&mut road.generation).unwrap();
    generation.local = Zones::build(&settings).unwrap();
    assert!(road.blocks("laptop.home.arpa").await);
    assert_eq!((world.seen.udp(), outside.load(Relaxed)), (0, false));
}

#[tokio::test]
async fn upstreams_that_say_nothing_at_all_do_not_pass_for_ones_that_know_no_servers() {
    let (world, settings) = upstream().await;
    let stack = build(&settings, Trust::public()).unwrap();
    let road = Road::new(Arc::clone(&stack.resolver), &["ns.nowhere.rpz-nsdname CNAME ."]);
    assert!(road.says(PARENT, "www.example.com.", "A").await.starts_with("NoError"));
    drop(world);
    assert_eq!(road.says(CHILD, "www.example.com.", "A").await, "ServFail");
}
