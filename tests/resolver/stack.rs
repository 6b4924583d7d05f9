//! The resolver as settings build it: joining, failure memory, zones and the way below them in one.

use super::internet::Internet;
use super::servers;
use hickory_proto::op::{Message, ResponseCode};
use stairgate::config::settings::{Fallback, ForwardOrder, Host, Mode, Scheme, Settings, Upstream, Zone, ZoneSource};
use stairgate::dns::name::Name;
use stairgate::dns::translate::Prefix;
use stairgate::resolver::forward::Trust;
use stairgate::resolver::{BuildError, Failure, Question, Scope, Stack, build, build_mapped, memory_bytes};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

fn to(server: &servers::Server) -> Vec<Upstream> {
    vec![Upstream {
        scheme: Scheme::Udp,
        host: Host::Address(server.address.ip()),
        port: server.address.port(),
        server_name: None,
        pins: Vec::new(),
        get: false,
        path: String::new(),
    }]
}

fn question(name: &str) -> Question {
    Question {
        name: Name::parse(name).unwrap(),
        qtype: 1,
        dnssec_ok: false,
        checking_disabled: false,
    }
}

async fn ask(stack: &Stack, name: &str) -> Result<Message, Failure> {
    let answer = stack
        .resolver
        .resolve(&question(name), Instant::now() + Duration::from_secs(5))
        .await?;
    Ok(Message::from_vec(&answer.message).unwrap())
}

#[tokio::test]
async fn each_zone_goes_its_way_and_what_failed_is_not_asked_again_until_it_is_forgotten() {
    let world = servers::plain(Arc::new(|_, query| vec![servers::address(query)])).await;
    let router = servers::plain(Arc::new(|_, query| {
        let broken = query.queries[0].name().to_string().starts_with("broken");
        let code = if broken {
            ResponseCode::ServFail
        } else {
            ResponseCode::NXDomain
        };
        vec![servers::error(query, code)]
    }))
    .await;
    let mut settings = Settings::builtin(Path::new("."));
    settings.resolver.mode = Mode::Forward;
    // Nothing here is signed.
    settings.resolver.validate = false;
    settings.resolver.forward = to(&world);
    settings.zones = vec![Zone {
        name: Name::parse("home.arpa").unwrap(),
        source: ZoneSource::Forward {
            upstreams: to(&router),
            order: ForwardOrder::Ordered,
            validate: false,
        },
    }];
    let stack = build(&settings, Trust::public()).unwrap();

    assert_eq!(ask(&stack, "www.example").await.unwrap().answers.len(), 1);
    let local = ask(&stack, "laptop.home.arpa").await.unwrap();
    assert_eq!(local.metadata.response_code, ResponseCode::NXDomain);
    assert_eq!((world.seen.udp(), router.seen.udp()), (1, 1));

    let failure = ask(&stack, "broken.home.arpa").await.unwrap_err();
    assert!(matches!(failure, Failure::Answered { rcode: 2, .. }), "{failure}");
    for _ in 0..10 {
        let again = ask(&stack, "BROKEN.home.arpa").await.unwrap_err();
        assert!(matches!(again, Failure::Cached(_)), "{again}");
    }
    assert_eq!(router.seen.udp(), 2);
    assert_eq!(stack.forget(&Scope::At(Name::parse("home.arpa").unwrap())), 0);
    ask(&stack, "broken.home.arpa").await.unwrap_err();
    assert_eq!(router.seen.udp(), 2, "another name was meant");
    assert_eq!(stack.forget(&Scope::Within(Name::parse("home.arpa").unwrap())), 1);
    ask(&stack, "broken.home.arpa").await.unwrap_err();
    assert_eq!(router.seen.udp(), 3);
    let counts: Vec<(&str, u64)> = stack
        .counters
        .all()
        .into_iter()
        .filter(|(_, count)| *count > 0)
        .collect();
    assert_eq!(
        counts,
        [
            ("questions", 15),
            ("cached_failures", 11),
            ("failures", 2),
            ("upstream_queries", 4),
            ("upstream_errors", 2)
        ]
    );
}

#[tokio::test]
async fn a_renewal_asks_whoever_knows_although_the_answer_is_still_good_and_its_failure_is_nobody_elses() {
    let broken = Arc::new(AtomicBool::new(false));
    let mut internet = Internet::new("com. NS com.servers.\ncom.servers. A 127.5.0.2").await;
    let goes_wrong = Arc::clone(&broken);
    let seen = internet
        .odd(
            "127.5.0.2",
            Arc::new(move |_, query| match goes_wrong.load(Relaxed) {
                true => vec![servers::error(query, ResponseCode::ServFail)],
                false => vec![servers::address(query)],
            }),
        )
        .await;
    let mut settings = Settings::builtin(Path::new("."));
    settings.resolver = internet.settings();
    let stack = build_mapped(&settings, Trust::public(), internet.mapping()).unwrap();
    ask(&stack, "www.com").await.unwrap();
    ask(&stack, "www.com").await.unwrap();
    let first = seen.udp();
    let question = question("www.com");
    let renew = |least_left| {
        let deadline = Instant::now() + Duration::from_secs(5);
        stack
            .resolver
            .renew(&question, Duration::from_secs(least_left), deadline)
    };
    renew(1).await.unwrap();
    assert_eq!(seen.udp(), first, "what is known has more than a second left");
    let renewed = Message::from_vec(&renew(86_400).await.unwrap().message).unwrap();
    assert_eq!((seen.udp(), renewed.answers.len()), (first + 1, 1));
    broken.store(true, Relaxed);
    renew(86_400).await.unwrap_err();
    assert!(seen.udp() > first + 1);
    ask(&stack, "www.com").await.expect("it is still known");
    broken.store(false, Relaxed);
    renew(86_400).await.expect("no failure is remembered");
}

#[tokio::test]
async fn what_is_flushed_is_asked_for_again_and_its_neighbors_are_not() {
    let mut internet = Internet::new("com. NS com.servers.\ncom.servers. A 127.5.0.2").await;
    let seen = internet
        .odd(
            "127.5.0.2",
            Arc::new(|_, query| {
                let name = query.queries[0].name().to_string().to_ascii_lowercase();
                vec![match name.as_str() {
                    "gone.com." | "below.gone.com." => servers::error(query, ResponseCode::NXDomain),
                    _ => servers::address(query),
                }]
            }),
        )
        .await;
    let mut settings = Settings::builtin(Path::new("."));
    settings.resolver = internet.settings();
    let stack = build_mapped(&settings, Trust::public(), internet.mapping()).unwrap();
    let name = |text| Name::parse(text).unwrap();
    let mut asked = 0;
    let mut asks = async |text: &str| {
        ask(&stack, text).await.unwrap();
        let before = std::mem::replace(&mut asked, seen.udp());
        asked - before
    };
    for text in ["www.com", "a.www.com", "mail.com"] {
        assert!(asks(text).await > 0 && asks(text).await == 0, "{text}");
    }
    assert!(stack.forget(&Scope::At(name("WWW.com"))) > 0);
    assert_eq!(
        (asks("a.www.com").await, asks("mail.com").await, asks("www.com").await),
        (0, 0, 1)
    );
    assert!(stack.forget(&Scope::Within(name("www.com"))) > 0);
    assert_eq!(asks("mail.com").await, 0);
    assert!(asks("a.www.com").await > 0);
    // The zone itself: its delegation too, so that the root is asked who serves it.
    assert!(stack.forget(&Scope::Within(name("com"))) > 3);
    assert!(asks("mail.com").await > 0);
    stack.forget(&Scope::All);
    assert!(asks("mail.com").await > 0);
}

#[test]
fn forwarding_to_nobody_is_refused_with_a_sentence() {
    let mut settings = Settings::builtin(Path::new("."));
    settings.resolver.mode = Mode::Forward;
    settings.resolver.forward.clear();
    let error = build(&settings, Trust::public()).err().expect("there is no upstream");
    assert!(matches!(error, BuildError::NoUpstream));
    assert!(
        error.to_string().contains("resolver.forward names no upstream"),
        "{error}"
    );
}

#[tokio::test]
async fn without_bootstrap_servers_own_look_ups_go_the_way_of_all_names() {
    let mut internet = Internet::new("com. NS com.servers.\ncom.servers. A 127.5.0.2").await;
    let soa = "@ SOA ns nobody.invalid. 1 3600 600 86400 60\n@ NS com.servers.";
    let com = format!("{soa}\nlists CNAME www\nwww A 192.0.2.1\nwww AAAA 2001:db8::1");
    internet.authority("127.5.0.2", &[("com.", &com)]).await;
    let mut settings = Settings::builtin(Path::new("."));
    settings.resolver = internet.settings();
    assert!(settings.resolver.bootstrap.is_empty());
    let deadline = || Instant::now() + Duration::from_secs(5);
    let name = |text| Name::parse(text).unwrap();
    let stack = build_mapped(&settings, Trust::public(), internet.mapping()).unwrap();
    let found = stack.bootstrap.lookup(&name("lists.com"), deadline()).await.unwrap();
    let expected: Vec<std::net::IpAddr> = ["192.0.2.1", "2001:db8::1"].map(|addr| addr.parse().unwrap()).into();
    assert_eq!(found, expected);
    assert!(stack.bootstrap.lookup(&name("none.com"), deadline()).await.is_err());

    let world = servers::plain(Arc::new(|_, query| vec![servers::address(query)])).await;
    settings.resolver.mode = Mode::Forward;
    settings.resolver.forward = to(&world);
    let stack = build(&settings, Trust::public()).unwrap();
    assert!(stack.bootstrap.lookup(&name("lists.com"), deadline()).await.is_ok());
}

#[tokio::test]
async fn where_upstreams_give_no_answer_recursion_does_if_that_was_asked_for() {
    let mut internet = Internet::new("com. NS com.servers.\ncom.servers. A 127.5.7.2").await;
    let com = "@ SOA ns nobody.invalid. 1 3600 600 86400 60\n@ NS com.servers.\nwww A 192.0.2.1";
    internet.authority("127.5.7.2", &[("com.", com)]).await;
    let refuses = servers::plain(Arc::new(|_, query| vec![servers::error(query, ResponseCode::Refused)])).await;
    let mut settings = Settings::builtin(Path::new("."));
    settings.resolver = internet.settings();
    settings.resolver.mode = Mode::Forward;
    settings.resolver.forward = to(&refuses);
    assert_eq!(memory_bytes(&settings), 0);
    let stack = build_mapped(&settings, Trust::public(), internet.mapping()).unwrap();
    ask(&stack, "www.com").await.unwrap_err();

    settings.resolver.fallback = Some(Fallback::Recursive { validate: false });
    assert!(memory_bytes(&settings) > 0, "recursion remembers what it learns");
    let stack = build_mapped(&settings, Trust::public(), internet.mapping()).unwrap();
    assert_eq!(ask(&stack, "www.com").await.unwrap().answers.len(), 1);
    let denied = ask(&stack, "no.com").await.unwrap();
    assert_eq!(denied.metadata.response_code, ResponseCode::NXDomain);
    assert_eq!(stack.counters.fallbacks.get(), 2);
}

#[tokio::test]
async fn a_zones_upstreams_are_validated_where_that_is_written_and_a_private_zone_works_once_it_is_named_insecure() {
    let strips = servers::plain(Arc::new(|_, query| vec![servers::address(query)])).await;
    let mut settings = Settings::builtin(Path::new("."));
    settings.resolver.mode = Mode::Forward;
    settings.resolver.validate = false;
    settings.resolver.forward = to(&strips);
    let zone = |validate| Zone {
        name: Name::parse("corp.example").unwrap(),
        source: ZoneSource::Forward {
            upstreams: to(&strips),
            order: ForwardOrder::Ordered,
            validate,
        },
    };
    settings.zones = vec![zone(false)];
    let stack = build(&settings, Trust::public()).unwrap();
    ask(&stack, "www.corp.example").await.unwrap();
    settings.zones = vec![zone(true)];
    let stack = build(&settings, Trust::public()).unwrap();
    let failure = ask(&stack, "www.corp.example").await.unwrap_err();
    assert!(matches!(&failure, Failure::Bogus { .. }), "{failure:?}");
    assert!(failure.to_string().contains("leaves DNSSEC records out"), "{failure}");
    ask(&stack, "www.example").await.expect("other names are not validated");
    settings.resolver.insecure = vec![Name::parse("corp.example").unwrap()];
    let stack = build(&settings, Trust::public()).unwrap();
    ask(&stack, "www.corp.example").await.unwrap();
}

#[tokio::test]
async fn a_translators_prefix_in_the_settings_makes_addresses_of_what_upstreams_say() {
    let world = servers::plain(Arc::new(|_, query| {
        let asked = u16::from(query.queries[0].query_type());
        match asked {
            1 => vec![servers::address(query)],
            _ => vec![servers::response(query).to_vec().unwrap()],
        }
    }))
    .await;
    let mut settings = Settings::builtin(Path::new("."));
    settings.resolver.mode = Mode::Forward;
    settings.resolver.validate = false;
    settings.resolver.forward = to(&world);
    let question = Question {
        name: Name::parse("www.example").unwrap(),
        qtype: 28,
        dnssec_ok: false,
        checking_disabled: false,
    };
    for (prefixes, made) in [
        (Vec::new(), 0),
        (
            Prefix::new("2001:db8:64::".parse().unwrap(), 96).into_iter().collect(),
            1,
        ),
    ] {
        settings.resolver.dns64 = prefixes;
        let stack = build(&settings, Trust::public()).unwrap();
        let deadline = Instant::now() + Duration::from_secs(5);
        let answer = stack.resolver.resolve(&question, deadline).await.unwrap();
        assert_eq!(Message::from_vec(&answer.message).unwrap().answers.len(), made);
    }
}
