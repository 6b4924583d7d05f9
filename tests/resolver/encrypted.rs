//! Forwarding over TLS, HTTPS and QUIC: whom upstreams must prove to be, and what their transports do.

use super::forward::{ask, ask_within, good, handler, silent, surroundings, upstream};
use super::servers::{self, Identity};
use stairgate::config::settings::{ForwardOrder, Scheme, Upstream};
use stairgate::resolver::Failure;
use stairgate::resolver::forward::{Forward, Trust};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

#[tokio::test]
async fn tls_names_the_server_and_believes_only_its_certificate() {
    let identity = Identity::of(&["dns.example"]);
    let server = servers::encrypted(&identity, &[], good()).await;
    let trust = Trust::public_and([identity.authority.clone()]).unwrap();
    let named = |name: &str| Upstream {
        server_name: Some(name.to_owned()),
        ..upstream(Scheme::Tls, server.address)
    };
    let resolver = Forward::new(
        &[named("dns.example")],
        ForwardOrder::Ordered,
        &surroundings(trust.clone()),
    )
    .unwrap();
    for turn in 0..3 {
        assert_eq!(
            ask(&resolver, &format!("n{turn}.example")).await.unwrap().answers.len(),
            1
        );
    }
    assert_eq!(*server.seen.names.lock().unwrap(), [Some("dns.example".to_owned())]);
    assert_eq!(server.seen.connections(), 1);

    let wrong = Forward::new(&[named("other.example")], ForwardOrder::Ordered, &surroundings(trust)).unwrap();
    let failure = ask(&wrong, "www.example").await.unwrap_err();
    assert!(failure.to_string().contains("TLS"), "{failure}");
    let stranger = Forward::new(
        &[named("dns.example")],
        ForwardOrder::Ordered,
        &surroundings(Trust::public()),
    )
    .unwrap();
    let failure = ask(&stranger, "www.example").await.unwrap_err();
    assert!(failure.to_string().contains("TLS"), "{failure}");
    // Without a name the certificate must be for the address.
    let unnamed = Forward::new(
        &[upstream(Scheme::Tls, server.address)],
        ForwardOrder::Ordered,
        &surroundings(Trust::public_and([identity.authority]).unwrap()),
    )
    .unwrap();
    ask(&unnamed, "www.example").await.unwrap_err();
    assert_eq!(server.seen.streams(), 3);
}

#[tokio::test]
async fn tls_to_a_bare_address_is_checked_against_the_address() {
    let identity = Identity::of(&["127.0.0.1"]);
    let server = servers::encrypted(&identity, &[], good()).await;
    let trust = Trust::public_and([identity.authority]).unwrap();
    let resolver = Forward::new(
        &[upstream(Scheme::Tls, server.address)],
        ForwardOrder::Ordered,
        &surroundings(trust),
    )
    .unwrap();
    ask(&resolver, "www.example").await.unwrap();
    assert_eq!(*server.seen.names.lock().unwrap(), [None]);
}

#[tokio::test]
async fn https_posts_to_the_path_with_id_zero_and_takes_off_the_age() {
    let identity = Identity::of(&["dns.example"]);
    let server = servers::encrypted(&identity, &[b"h2"], good()).await;
    let trust = Trust::public_and([identity.authority]).unwrap();
    let settings = Upstream {
        server_name: Some("dns.example".to_owned()),
        path: "/family?x=1".to_owned(),
        ..upstream(Scheme::Https, server.address)
    };
    let resolver = Forward::new(&[settings], ForwardOrder::Ordered, &surroundings(trust)).unwrap();
    for turn in 0..5 {
        let message = ask(&resolver, &format!("n{turn}.example")).await.unwrap();
        assert_eq!(message.answers[0].ttl, 200);
    }
    assert_eq!(server.seen.connections(), 1);
    assert_eq!(*server.seen.names.lock().unwrap(), [Some("dns.example".to_owned())]);
    assert!(server.seen.ids.lock().unwrap().iter().all(|&id| id == 0));
    let expected = format!("https://dns.example:{}/family?x=1", server.address.port());
    assert!(server.seen.paths.lock().unwrap().iter().all(|path| *path == expected));
}

#[tokio::test]
async fn rfc9113_6_8_a_connection_that_takes_no_more_requests_is_left_for_another_one_at_once() {
    let identity = Identity::of(&["dns.example"]);
    let slow = handler(|_, query| match query.queries[0].name.to_string().starts_with("slow") {
        true => Vec::new(),
        false => vec![servers::address(query)],
    });
    let server = servers::encrypted(&identity, &[b"h2"], slow).await;
    let trust = Trust::public_and([identity.authority]).unwrap();
    let settings = Upstream {
        server_name: Some("dns.example".to_owned()),
        ..upstream(Scheme::Https, server.address)
    };
    let surroundings = surroundings(trust);
    let resolver = Arc::new(Forward::new(&[settings], ForwardOrder::Ordered, &surroundings).unwrap());
    // A request that still runs keeps the connection open.
    let running = Arc::clone(&resolver);
    let running = tokio::spawn(async move { ask(&*running, "slow.example").await.map(|_| ()) });
    tokio::time::sleep(Duration::from_millis(50)).await;
    server.seen.goes_away.store(true, Ordering::SeqCst);
    let started = Instant::now();
    for turn in 0..3 {
        ask(&*resolver, &format!("n{turn}.example")).await.unwrap();
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
    running.abort();
    let asked = surroundings.counters.upstream_queries.get();
    assert!(asked <= 8, "{asked} requests for four questions");
}

#[tokio::test]
async fn an_http_status_other_than_200_is_no_answer() {
    let identity = Identity::of(&["127.0.0.1"]);
    let server = servers::encrypted(&identity, &[b"h2"], handler(|_, _| vec![503u16.to_be_bytes().to_vec()])).await;
    let trust = Trust::public_and([identity.authority.clone()]).unwrap();
    let resolver = Forward::new(
        &[upstream(Scheme::Https, server.address)],
        ForwardOrder::Ordered,
        &surroundings(trust),
    )
    .unwrap();
    let failure = ask(&resolver, "www.example").await.unwrap_err();
    assert!(
        failure.to_string().contains("status 503 (Service Unavailable)"),
        "{failure}"
    );
    let server = servers::encrypted(&identity, &[b"h2"], handler(|_, _| vec![302u16.to_be_bytes().to_vec()])).await;
    let resolver = Forward::new(
        &[upstream(Scheme::Https, server.address)],
        ForwardOrder::Ordered,
        &surroundings(Trust::public_and([identity.authority]).unwrap()),
    )
    .unwrap();
    let failure = ask(&resolver, "www.example").await.unwrap_err();
    assert!(
        failure
            .to_string()
            .contains("redirects to \"https://elsewhere.example/\""),
        "{failure}"
    );
    assert_eq!(server.seen.connections(), 1);
}

#[tokio::test]
async fn rfc8484_4_1_get_carries_the_query_in_the_path_with_id_zero_and_its_age_is_taken_off() {
    let identity = Identity::of(&["dns.example"]);
    let server = servers::encrypted(&identity, &[b"h2"], good()).await;
    let trust = Trust::public_and([identity.authority]).unwrap();
    for (path, shown) in [("/q", "/q?"), ("/q?x=1", "/q?x=1&")] {
        server.seen.paths.lock().unwrap().clear();
        let settings = Upstream {
            server_name: Some("dns.example".to_owned()),
            path: path.to_owned(),
            get: true,
            ..upstream(Scheme::Https, server.address)
        };
        let resolver = Forward::new(&[settings], ForwardOrder::Ordered, &surroundings(trust.clone())).unwrap();
        for turn in 0..3 {
            let message = ask(&resolver, &format!("n{turn}.example")).await.unwrap();
            assert_eq!(message.answers[0].ttl, 200);
        }
        let expected = format!("GET https://dns.example:{}{shown}", server.address.port());
        assert_eq!(*server.seen.paths.lock().unwrap(), vec![expected; 3]);
    }
    assert!(server.seen.ids.lock().unwrap().iter().all(|&id| id == 0));
}

#[tokio::test]
async fn rfc7858_4_2_a_pinned_key_is_enough_without_a_name_and_needed_with_one() {
    let identity = Identity::of(&["dns.example"]);
    let other = Identity::of(&["dns.example"]);
    let known = Trust::public_and([identity.authority.clone()]).unwrap();
    let tls = servers::encrypted(&identity, &[], good()).await;
    let quic = servers::quic(&identity, good()).await;
    let settings = |scheme, name: Option<&str>, pins: &[[u8; 32]]| Upstream {
        server_name: name.map(str::to_owned),
        pins: pins.to_vec(),
        ..upstream(
            scheme,
            if scheme == Scheme::Quic {
                quic.address
            } else {
                tls.address
            },
        )
    };
    for scheme in [Scheme::Tls, Scheme::Quic] {
        let cases = [
            // Nobody known has signed it, and it is not for this address.
            (None, vec![other.pin, identity.pin], Trust::public(), true),
            (None, vec![other.pin], known.clone(), false),
            (Some("dns.example"), vec![identity.pin], known.clone(), true),
            (Some("dns.example"), vec![other.pin], known.clone(), false),
            (Some("dns.example"), vec![identity.pin], Trust::public(), false),
            (Some("other.example"), vec![identity.pin], known.clone(), false),
        ];
        for (case, (name, pins, trust, good)) in cases.into_iter().enumerate() {
            let settings = [settings(scheme, name, &pins)];
            let resolver = Forward::new(&settings, ForwardOrder::Ordered, &surroundings(trust)).unwrap();
            let answered = ask(&resolver, "www.example").await;
            assert_eq!(answered.is_ok(), good, "{scheme:?} {case}: {answered:?}");
            if let (Err(failure), None) = (answered, name) {
                assert!(failure.to_string().contains("pin-sha256="), "{failure}");
            }
        }
    }
}

#[tokio::test]
async fn a_tls_session_is_resumed_over_the_next_connection() {
    let identity = Identity::of(&["dns.example"]);
    let asked = AtomicUsize::new(0);
    let hangs_up = handler(move |_, query| match asked.fetch_add(1, Ordering::SeqCst) % 2 {
        1 => vec![Vec::new()],
        _ => vec![servers::address(query)],
    });
    let server = servers::encrypted(&identity, &[], hangs_up).await;
    let trust = Trust::public_and([identity.authority]).unwrap();
    let settings = [Upstream {
        server_name: Some("dns.example".to_owned()),
        ..upstream(Scheme::Tls, server.address)
    }];
    let resolver = Forward::new(&settings, ForwardOrder::Ordered, &surroundings(trust)).unwrap();
    ask(&resolver, "a.example").await.unwrap();
    ask(&resolver, "b.example").await.unwrap();
    assert_eq!(server.seen.connections(), 2);
    assert_eq!(server.seen.resumed.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn quic_carries_each_query_in_a_stream_of_its_own_with_id_zero() {
    let identity = Identity::of(&["dns.example"]);
    let server = servers::quic(&identity, good()).await;
    let trust = Trust::public_and([identity.authority]).unwrap();
    let settings = |name: &str| Upstream {
        server_name: Some(name.to_owned()),
        ..upstream(Scheme::Quic, server.address)
    };
    let resolver = Forward::new(
        &[settings("dns.example")],
        ForwardOrder::Ordered,
        &surroundings(trust.clone()),
    )
    .unwrap();
    for turn in 0..5 {
        assert_eq!(
            ask(&resolver, &format!("n{turn}.example")).await.unwrap().answers.len(),
            1
        );
    }
    assert_eq!(server.seen.connections(), 1);
    assert_eq!(server.seen.streams(), 5);
    assert_eq!(*server.seen.names.lock().unwrap(), [Some("dns.example".to_owned())]);
    assert!(server.seen.ids.lock().unwrap().iter().all(|&id| id == 0));

    let wrong = Forward::new(
        &[settings("other.example")],
        ForwardOrder::Ordered,
        &surroundings(trust),
    )
    .unwrap();
    let failure = ask(&wrong, "www.example").await.unwrap_err();
    assert!(failure.to_string().contains("TLS"), "{failure}");
    assert_eq!(server.seen.streams(), 5);
}

#[tokio::test]
async fn a_silent_encrypted_upstream_does_not_hold_the_deadline() {
    let identity = Identity::of(&["127.0.0.1"]);
    let trust = Trust::public_and([identity.authority.clone()]).unwrap();
    let tls = servers::encrypted(&identity, &[b"h2"], silent()).await;
    let quic = servers::quic(&identity, silent()).await;
    for (scheme, address) in [
        (Scheme::Tls, tls.address),
        (Scheme::Https, tls.address),
        (Scheme::Quic, quic.address),
    ] {
        let resolver = Forward::new(
            &[upstream(scheme, address)],
            ForwardOrder::Ordered,
            &surroundings(trust.clone()),
        )
        .unwrap();
        let failure = ask_within(&resolver, "www.example", Duration::from_millis(500))
            .await
            .unwrap_err();
        assert_eq!(failure, Failure::Unreachable, "{scheme:?}");
    }
}
