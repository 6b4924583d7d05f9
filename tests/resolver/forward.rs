//! Forwarding, transport by transport, and what happens when upstreams misbehave.

use super::servers::{self, Handler, Server, Transport};
use hickory_proto::op::{Edns, Message, ResponseCode};
use hickory_proto::rr::rdata::opt::{EdnsCode, EdnsOption};
use stairgate::config::settings::{ForwardOrder, Host, Scheme, Upstream};
use stairgate::dns::name::Name;
use stairgate::resolver::bootstrap::{Bootstrap, Families};
use stairgate::resolver::counters::Counters;
use stairgate::resolver::forward::{Forward, Surroundings, Trust};
use stairgate::resolver::join::Join;
use stairgate::resolver::{Answer, Failure, Question, Resolver};
use std::collections::HashSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

fn question(text: &str) -> Question {
    Question {
        name: Name::parse(text).unwrap(),
        qtype: 1,
        dnssec_ok: false,
        checking_disabled: false,
    }
}

pub(super) fn upstream(scheme: Scheme, address: SocketAddr) -> Upstream {
    Upstream {
        scheme,
        host: Host::Address(address.ip()),
        port: address.port(),
        server_name: None,
        pins: Vec::new(),
        path: "/dns-query".to_owned(),
        get: false,
    }
}

pub(super) fn surroundings(trust: Trust) -> Surroundings {
    Surroundings {
        trust,
        bootstrap: None,
        edns_buffer: 1232,
        counters: Arc::new(Counters::default()),
    }
}

fn forward(upstreams: &[Upstream]) -> Forward {
    Forward::new(upstreams, ForwardOrder::Ordered, &surroundings(Trust::public())).unwrap()
}

fn udp(servers: &[&Server]) -> Forward {
    let upstreams: Vec<Upstream> = servers
        .iter()
        .map(|server| upstream(Scheme::Udp, server.address))
        .collect();
    forward(&upstreams)
}

pub(super) async fn ask(resolver: &dyn Resolver, name: &str) -> Result<Message, Failure> {
    let answer = ask_within(resolver, name, Duration::from_secs(5)).await?;
    Ok(Message::from_vec(&answer.message).expect("an answer is a message"))
}

pub(super) async fn ask_within(resolver: &dyn Resolver, name: &str, time: Duration) -> Result<Answer, Failure> {
    let started = Instant::now();
    let result = resolver.resolve(&question(name), started + time).await;
    let took = started.elapsed();
    assert!(took < time + Duration::from_secs(1), "{name} took {took:?} of {time:?}");
    result
}

pub(super) fn handler(handle: impl Fn(Transport, &Message) -> Vec<Vec<u8>> + Send + Sync + 'static) -> Handler {
    Arc::new(handle)
}

pub(super) fn good() -> Handler {
    handler(|_, query| vec![servers::address(query)])
}

pub(super) fn silent() -> Handler {
    handler(|_, _| Vec::new())
}

#[tokio::test]
async fn every_udp_query_has_an_id_and_a_port_of_its_own() {
    let server = servers::plain(good()).await;
    let resolver = udp(&[&server]);
    for turn in 0..40 {
        let message = ask(&resolver, &format!("n{turn}.example")).await.unwrap();
        assert_eq!(message.answers.len(), 1);
        assert_eq!(message.metadata.id, 0);
        assert!(message.metadata.recursion_available && message.metadata.recursion_desired);
        assert!(message.edns.is_none());
    }
    let distinct = |values: &[u16]| values.iter().collect::<HashSet<_>>().len();
    // 40 of 65,536: two equal IDs or ports are possible, five are not.
    assert!(distinct(&server.seen.ids.lock().unwrap()) > 35);
    assert!(distinct(&server.seen.ports.lock().unwrap()) > 30);
}

#[tokio::test]
async fn answers_with_another_id_question_or_sender_are_not_believed() {
    let server = servers::plain(handler(|_, query| {
        let mut wrong_id = servers::address(query);
        wrong_id[0] ^= 1;
        let mut other = query.clone();
        other.queries[0].name = "other.example.".parse().unwrap();
        let wrong_question = servers::address(&other);
        vec![
            wrong_id,
            wrong_question,
            vec![1, 2, 3],
            servers::error(query, ResponseCode::NXDomain),
        ]
    }))
    .await;
    let message = ask(&udp(&[&server]), "www.example").await.unwrap();
    assert_eq!(message.metadata.response_code, ResponseCode::NXDomain);
}

#[tokio::test]
async fn a_flood_of_forged_answers_moves_the_question_to_tcp() {
    let server = servers::plain(handler(|transport, query| match transport {
        Transport::Udp => (1..50u8)
            .map(|guess| {
                let mut forged = servers::address(query);
                forged[1] = forged[1].wrapping_add(guess);
                forged
            })
            .collect(),
        _ => vec![servers::error(query, ResponseCode::NXDomain)],
    }))
    .await;
    let message = ask(&udp(&[&server]), "www.example").await.unwrap();
    assert_eq!(message.metadata.response_code, ResponseCode::NXDomain);
    assert_eq!(server.seen.streams(), 1);
}

#[tokio::test]
async fn a_truncated_answer_is_asked_for_again_over_tcp() {
    let server = servers::plain(handler(|transport, query| {
        let mut bytes = servers::address(query);
        if transport == Transport::Udp {
            bytes[2] |= 2;
        }
        vec![bytes]
    }))
    .await;
    let message = ask(&udp(&[&server]), "www.example").await.unwrap();
    assert!(!message.metadata.truncation);
    assert_eq!(message.answers.len(), 1);
    assert_eq!((server.seen.udp(), server.seen.streams()), (1, 1));
}

#[tokio::test]
async fn a_lost_packet_is_sent_again() {
    let lost = AtomicUsize::new(0);
    let server = servers::plain(handler(move |_, query| match lost.fetch_add(1, Ordering::SeqCst) {
        0 => Vec::new(),
        _ => vec![servers::address(query)],
    }))
    .await;
    ask(&udp(&[&server]), "www.example").await.unwrap();
    assert_eq!(server.seen.udp(), 2);
}

#[tokio::test]
async fn error_answers_and_garbage_send_the_question_to_the_next_upstream() {
    for code in [
        ResponseCode::ServFail,
        ResponseCode::Refused,
        ResponseCode::NotImp,
        ResponseCode::FormErr,
    ] {
        let bad = servers::plain(handler(move |_, query| vec![servers::error(query, code)])).await;
        let fine = servers::plain(good()).await;
        let message = ask(&udp(&[&bad, &fine]), "www.example").await.unwrap();
        assert_eq!(message.answers.len(), 1, "{code}");
        assert!(bad.seen.udp() >= 1 && fine.seen.udp() == 1, "{code}");
    }
    let garbage = servers::plain(handler(|_, query| {
        // The header promises two records, of which there is half of one.
        let mut bytes = servers::address(query);
        bytes[7] = 2;
        bytes.truncate(bytes.len() - 3);
        vec![bytes]
    }))
    .await;
    let fine = servers::plain(good()).await;
    assert_eq!(
        ask(&udp(&[&garbage, &fine]), "www.example")
            .await
            .unwrap()
            .answers
            .len(),
        1
    );
}

#[tokio::test]
async fn a_server_that_cannot_bear_edns_is_asked_without() {
    let server = servers::plain(handler(|_, query| match query.edns {
        Some(_) => vec![servers::error(query, ResponseCode::FormErr)],
        None => vec![servers::address(query)],
    }))
    .await;
    assert_eq!(ask(&udp(&[&server]), "www.example").await.unwrap().answers.len(), 1);
    assert_eq!(server.seen.udp(), 2);
}

#[tokio::test]
async fn do_and_cd_reach_the_upstream_and_its_errors_reach_us() {
    let server = servers::plain(handler(|_, query| {
        let edns = query.edns.as_ref().expect("queries carry EDNS");
        assert_eq!(edns.max_payload(), 1232);
        assert!(edns.flags().dnssec_ok && query.metadata.checking_disabled);
        let mut message = servers::response(query);
        message.metadata.response_code = ResponseCode::ServFail;
        let mut edns = Edns::new();
        edns.options_mut()
            .insert(EdnsOption::Unknown(15, [&[0, 6][..], b"signature expired"].concat()));
        assert!(edns.option(EdnsCode::from(15)).is_some());
        message.set_edns(edns);
        vec![message.to_vec().unwrap()]
    }))
    .await;
    let asked = Question {
        dnssec_ok: true,
        checking_disabled: true,
        ..question("bogus.example")
    };
    let failure = udp(&[&server])
        .resolve(&asked, Instant::now() + Duration::from_secs(5))
        .await
        .unwrap_err();
    assert_eq!(
        failure,
        Failure::Answered {
            rcode: 2,
            ede: vec![(6, "signature expired".to_owned())]
        }
    );
    assert_eq!(failure.ede()[0].0, 6);
}

#[tokio::test]
async fn a_silent_upstream_leaves_time_for_the_next_and_is_then_asked_last() {
    let dead = servers::plain(silent()).await;
    let fine = servers::plain(good()).await;
    let resolver = udp(&[&dead, &fine]);
    for turn in 0..6 {
        ask_within(&resolver, &format!("n{turn}.example"), Duration::from_secs(2))
            .await
            .unwrap();
    }
    assert_eq!(fine.seen.udp(), 6);
    assert!(dead.seen.udp() <= 3, "after two misses it is left alone");
}

#[tokio::test]
async fn the_deadline_holds_when_every_upstream_is_silent() {
    let dead = servers::plain(silent()).await;
    let resolver = udp(&[&dead, &dead]);
    let failure = ask_within(&resolver, "www.example", Duration::from_millis(700))
        .await
        .unwrap_err();
    assert_eq!(failure, Failure::Unreachable);
    assert_eq!(failure.ede()[0].0, 22);
    assert!(dead.seen.udp() <= 8);
}

/// A port where nobody listens and that nobody else gets as long as the sockets live: one bound and never listening, and one that hears
/// somebody else only.
fn closed() -> (SocketAddr, impl Sized) {
    let udp = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    udp.connect("127.0.0.1:1").unwrap();
    let address = udp.local_addr().unwrap();
    let tcp = tokio::net::TcpSocket::new_v4().unwrap();
    tcp.bind(address).unwrap();
    (address, (udp, tcp))
}

#[tokio::test]
async fn an_upstream_with_a_closed_port_is_left_for_the_next_before_its_time_is_up() {
    let (gone, _held) = closed();
    let fine = servers::plain(good()).await;
    for scheme in [Scheme::Udp, Scheme::Tcp] {
        let resolver = forward(&[upstream(scheme, gone), upstream(Scheme::Udp, fine.address)]);
        let started = Instant::now();
        ask(&resolver, "www.example").await.unwrap();
        // The shortest time that an upstream not yet measured is waited for is 600 ms.
        assert!(started.elapsed() < Duration::from_millis(300), "{scheme:?}");
    }
    let failure = ask_within(
        &forward(&[upstream(Scheme::Udp, gone)]),
        "www.example",
        Duration::from_millis(500),
    )
    .await;
    assert!(matches!(failure, Err(Failure::Upstream(_))), "{failure:?}");
}

fn chosen(order: ForwardOrder, servers: &[&Server]) -> Forward {
    let upstreams: Vec<Upstream> = servers
        .iter()
        .map(|server| upstream(Scheme::Udp, server.address))
        .collect();
    Forward::new(&upstreams, order, &surroundings(Trust::public())).unwrap()
}

async fn ask_many(resolver: &Forward, count: usize, each: Duration) {
    for turn in 0..count {
        let started = Instant::now();
        ask(resolver, &format!("n{turn}.example")).await.unwrap();
        assert!(started.elapsed() < each, "{turn} took {:?}", started.elapsed());
    }
}

#[tokio::test]
async fn raced_and_fastest_go_to_the_quicker_upstream_and_the_slower_is_spared() {
    for order in [ForwardOrder::Fastest, ForwardOrder::Raced] {
        let slow = servers::plain(good()).await;
        slow.seen.delay(Duration::from_millis(500));
        let quick = servers::plain(good()).await;
        let resolver = chosen(order, &[&slow, &quick]);
        ask_many(&resolver, 30, Duration::from_millis(300)).await;
        assert_eq!(quick.seen.udp(), 30, "{order:?}");
        // The first question went to both, to measure them.
        assert!(slow.seen.udp() <= 3, "{order:?}: {}", slow.seen.udp());
    }
}

#[tokio::test]
async fn where_the_first_of_raced_upstreams_falls_silent_no_question_waits_for_its_time_to_be_up() {
    let best = servers::plain(good()).await;
    let other = servers::plain(good()).await;
    other.seen.delay(Duration::from_millis(60));
    let resolver = chosen(ForwardOrder::Raced, &[&best, &other]);
    ask_many(&resolver, 10, Duration::from_millis(250)).await;
    let asked = other.seen.udp();
    assert!(asked <= 4, "{asked}");
    best.seen.delay(Duration::from_secs(60));
    // Its patience would be 200 ms; its head start is a tenth.
    ask_many(&resolver, 20, Duration::from_millis(190)).await;
    assert_eq!(other.seen.udp(), asked + 20);
    assert!(best.seen.udp() < 26, "it soon comes second: {}", best.seen.udp());
}

#[tokio::test]
async fn upstreams_in_order_are_not_asked_out_of_it() {
    let first = servers::plain(good()).await;
    first.seen.delay(Duration::from_millis(100));
    let second = servers::plain(good()).await;
    let resolver = chosen(ForwardOrder::Ordered, &[&first, &second]);
    ask_many(&resolver, 5, Duration::from_millis(500)).await;
    assert_eq!((first.seen.udp(), second.seen.udp()), (5, 0));
}

#[tokio::test]
async fn a_late_answer_counts_while_the_next_upstream_is_waited_for() {
    let late = servers::plain(good()).await;
    // The patience with an upstream not yet measured is 600 ms.
    late.seen.delay(Duration::from_millis(800));
    let silent = servers::plain(silent()).await;
    let resolver = chosen(ForwardOrder::Ordered, &[&late, &silent]);
    let started = Instant::now();
    ask(&resolver, "www.example").await.unwrap();
    assert!(
        started.elapsed() < Duration::from_millis(1100),
        "{:?}",
        started.elapsed()
    );
    assert_eq!((late.seen.udp(), silent.seen.udp()), (1, 1));
}

#[tokio::test]
async fn one_question_costs_a_bounded_number_of_queries_however_many_upstreams_fail() {
    for order in [ForwardOrder::Ordered, ForwardOrder::Fastest, ForwardOrder::Raced] {
        let mut broken = Vec::new();
        for _ in 0..12 {
            broken.push(servers::plain(silent()).await);
        }
        let resolver = chosen(order, &broken.iter().collect::<Vec<_>>());
        let failure = ask_within(&resolver, "www.example", Duration::from_secs(2)).await;
        assert_eq!(failure.unwrap_err(), Failure::Unreachable);
        let asked: usize = broken.iter().map(|server| server.seen.udp()).sum();
        assert!(asked <= 8, "{order:?}: {asked}");
    }
}

#[tokio::test]
async fn one_tcp_connection_carries_many_queries_answered_in_any_order() {
    let held: std::sync::Mutex<Vec<Vec<u8>>> = std::sync::Mutex::default();
    let server = servers::plain(handler(move |transport, query| {
        assert_eq!(transport, Transport::Tcp);
        // Answers come in reverse, five at a time.
        let mut held = held.lock().unwrap();
        held.push(servers::address(query));
        match held.len() {
            5 => held.drain(..).rev().collect(),
            _ => Vec::new(),
        }
    }))
    .await;
    let resolver = Arc::new(forward(&[upstream(Scheme::Tcp, server.address)]));
    let mut tasks = Vec::new();
    for turn in 0..20 {
        let resolver = Arc::clone(&resolver);
        tasks.push(tokio::spawn(async move {
            let name = format!("n{turn}.example");
            let message = ask(&*resolver, &name).await.unwrap();
            assert_eq!(message.answers[0].name.to_string(), format!("{name}."));
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(server.seen.connections(), 1);
    assert_eq!(server.seen.streams(), 20);
}

#[tokio::test]
async fn a_connection_that_the_server_closed_is_opened_again_without_harm() {
    let asked = AtomicUsize::new(0);
    let server = servers::plain(handler(move |_, query| match asked.fetch_add(1, Ordering::SeqCst) {
        1 => vec![Vec::new()],
        _ => vec![servers::address(query)],
    }))
    .await;
    let resolver = forward(&[upstream(Scheme::Tcp, server.address)]);
    ask(&resolver, "a.example").await.unwrap();
    // The server hangs up on this one, which is asked again over a new connection.
    ask(&resolver, "b.example").await.unwrap();
    assert_eq!(server.seen.connections(), 2);
}

#[tokio::test]
async fn an_upstream_given_by_name_is_looked_up_by_bootstrap_once() {
    let server = servers::plain(good()).await;
    let port = server.address.port();
    let phonebook = servers::plain(handler(|_, query| {
        let mut message = servers::response(query);
        if query.queries[0].name().to_string() == "dns.example." && u16::from(query.queries[0].query_type()) == 1 {
            let name = query.queries[0].name().clone();
            let data = hickory_proto::rr::RData::A(hickory_proto::rr::rdata::A([127, 0, 0, 1].into()));
            message.add_answer(hickory_proto::rr::Record::from_rdata(name, 300, data));
        }
        vec![message.to_vec().unwrap()]
    }))
    .await;
    let families = Families { ipv4: true, ipv6: true };
    let bootstrap = Arc::new(Bootstrap::new(&[phonebook.address], families).unwrap());
    let surroundings = Surroundings {
        bootstrap: Some(Arc::clone(&bootstrap)),
        ..surroundings(Trust::public())
    };
    let named = |name: &str| Upstream {
        scheme: Scheme::Tcp,
        host: Host::Name(Name::parse(name).unwrap()),
        port,
        server_name: None,
        pins: Vec::new(),
        path: String::new(),
        get: false,
    };
    let resolver = Forward::new(&[named("dns.example")], ForwardOrder::Ordered, &surroundings).unwrap();
    for turn in 0..5 {
        ask(&resolver, &format!("n{turn}.example")).await.unwrap();
    }
    assert_eq!(phonebook.seen.udp(), 2, "A and AAAA, once each");
    assert_eq!(server.seen.streams(), 5);
    let found = bootstrap
        .lookup(
            &Name::parse("DNS.example").unwrap(),
            Instant::now() + Duration::from_secs(1),
        )
        .await
        .unwrap();
    assert_eq!(found, [IpAddr::from([127, 0, 0, 1])]);

    let unknown = Forward::new(&[named("nowhere.example")], ForwardOrder::Ordered, &surroundings).unwrap();
    let failure = ask(&unknown, "www.example").await.unwrap_err();
    assert!(
        failure.to_string().contains("nowhere.example. has no address"),
        "{failure}"
    );
}

#[tokio::test]
async fn an_upstream_sees_one_packet_for_a_hundred_equal_questions() {
    let server = servers::plain(good()).await;
    let forward: Arc<dyn Resolver> = Arc::new(udp(&[&server]));
    let join = Arc::new(Join::new(forward, Arc::default()));
    let mut tasks = Vec::new();
    for _ in 0..100 {
        let join = Arc::clone(&join);
        tasks.push(tokio::spawn(async move { ask(&*join, "www.example").await.unwrap() }));
    }
    for task in tasks {
        assert_eq!(task.await.unwrap().answers.len(), 1);
    }
    assert_eq!(server.seen.udp(), 1);
}
