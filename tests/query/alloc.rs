//! Blocked and cached names are answered without the allocator.

use stairgate::cache::{Cache, CacheKey};
use stairgate::config::household::{Household, Subjects, Target, WindowSettings};
use stairgate::config::settings::{ProfileSettings, Settings};
use stairgate::count::Count;
use stairgate::dns::name::Name;
use stairgate::generation::Generation;
use stairgate::limits::LOOKED_AHEAD;
use stairgate::list::set::Gate;
use stairgate::local::Zones;
use stairgate::now::Now;
use stairgate::policy::Policy;
use stairgate::query::{self, Ahead, Begun, Peer, Transport};
use stairgate::schedule::Window;
use std::sync::Arc;
use std::time::Duration;

fn query(name: &str, rtype: u8) -> Vec<u8> {
    let mut bytes = vec![0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1];
    bytes.extend(Name::parse(name).unwrap().as_wire());
    bytes.extend([0, rtype, 0, 1]);
    bytes.extend([0, 0, 41, 4, 0xd0, 0, 0, 0, 0, 0, 0]);
    bytes
}

/// The same with a COOKIE option.
fn with_cookie(query: Vec<u8>, cookie: &[u8]) -> Vec<u8> {
    with_option(query, 10, cookie)
}

/// The same with an option.
fn with_option(mut query: Vec<u8>, code: u8, data: &[u8]) -> Vec<u8> {
    *query.last_mut().unwrap() = 4 + data.len() as u8;
    query.extend([0, code, 0, data.len() as u8]);
    query.extend(data);
    query
}

/// A household that lets nobody see one name at any time of the day.
fn always_without(name: &str) -> Household {
    Household {
        windows: vec![WindowSettings {
            name: "never".to_owned(),
            line: 1,
            subjects: Subjects {
                everyone: true,
                ..Subjects::default()
            },
            when: Window::parse("every day", "0:00", "24:00").unwrap(),
            block: Target {
                names: vec![Name::parse(name).unwrap().into()],
                ..Target::default()
            },
            allow: Target::default(),
            reach: Target::default(),
        }],
        ..Household::default()
    }
}

#[test]
fn a_hundred_thousand_blocked_and_cached_queries_allocate_nothing() {
    let mut settings = Settings::builtin(&std::env::temp_dir());
    settings.lists.clear();
    // Told to who asks for structured errors.
    settings.server.organization = Some("The network".to_owned());
    settings.server.contact = vec!["mailto:it@example.net".to_owned()];
    let mut profile = ProfileSettings {
        name: "default".to_owned(),
        ..ProfileSettings::blocking_everything()
    };
    profile.deny = vec![Name::parse("blocked.example").unwrap().into()];
    profile.services = vec!["tiktok".to_owned()];
    settings.household = Some(always_without("hours.example"));
    settings.profiles = vec![profile];
    // Plain names, exceptions, expressions with and without text to look for, wildcards; an index, as `serve` has one.
    let gate = Gate::from_lists(&[
        ("names", "adult", "listed.example\nallowed.example\n"),
        ("zone.rpz", "malware", "$ORIGIN rpz.\n@ SOA a. b. 1 1 1 1 1\nzone.example CNAME .\n"),
        (
            "rules",
            "ads",
            "||ads*.tracker.example^\n/^metrics[0-9]+\\./\n/^[a-z][0-9]\\./\n@@||fine.listed.example^\n||both.example^$important\n",
        ),
    ])
    .indexed();
    let generation = Arc::new(Generation {
        number: 1,
        policy: Policy::build_at(&gate, &settings, &[], 1_700_000_000).unwrap(),
        gate: std::sync::Arc::new(gate),
        local: Zones::build(&settings).unwrap(),
        settings: Arc::new(settings),
    });
    let cache = Cache::new(1 << 20, Duration::ZERO, Duration::from_secs(86_400));
    let now = Now {
        mono_ms: 10_000_000,
        unix_ms: 1_700_000_000_000,
    };
    // Aliases and an address: what is inspected in most answers.
    let mut response = b"\0\0\x81\x80\0\x01\0\x02\0\0\0\0\x03www\x06cached\x07example\0\0\x01\0\x01".to_vec();
    response.extend(b"\xc0\x0c\0\x05\0\x01\0\0\x01\x2c\0\x06\x03cdn\xc0\x10");
    response.extend(b"\xc0\x30\0\x01\0\x01\0\0\x01\x2c\0\x04\xc0\0\x02\x01");
    let key = CacheKey {
        qname: b"\x03www\x06cached\x07example\0",
        qtype: 1,
        dnssec_ok: false,
        checking_disabled: false,
    };
    cache.put(&key, &response, now);
    // One whose last tenth has come, and whose renewal is somebody's.
    let mut ending = response.clone();
    ending[17..23].copy_from_slice(b"ending");
    let key = CacheKey {
        qname: b"\x03www\x06ending\x07example\0",
        ..key
    };
    let before = Now {
        mono_ms: now.mono_ms - 280_000,
        ..now
    };
    cache.put(&key, &ending, before);
    let peer = Peer {
        address: "127.0.0.1:40000".parse().unwrap(),
        transport: Transport::Udp,
    };
    let cases = [
        (query("www.blocked.example", 1), Count::Blocked),
        (query("blocked.example", 65), Count::Blocked),
        (query("www.cached.example", 1), Count::Cached),
        (query("www.ending.example", 1), Count::Cached),
        (query("www.Listed.example", 28), Count::Blocked),
        (query("zone.example", 1), Count::Blocked),
        (query("x.ads7.tracker.example", 1), Count::Blocked),
        (query("metrics12.example", 1), Count::Blocked),
        (query("a1.example", 1), Count::Blocked),
        (query("both.example", 1), Count::Blocked),
        (query("www.tiktok.com", 1), Count::Blocked),
        (query("www.hours.example", 1), Count::Blocked),
    ];
    let mut out = vec![0; 65_535];
    // A client's first cookie, then one that it was given, then one that is not valid.
    let first = with_cookie(query("www.cached.example", 1), b"a client");
    let (begun, _) = query::begin(&generation, &cache, &first, &peer, now, &mut out);
    assert!(matches!(begun, Begun::Respond(len) if len > 28));
    let given = out[..512]
        .windows(4)
        .position(|part| part == [0, 10, 0, 24])
        .expect("a cookie")
        + 4;
    let given = out[given..given + 24].to_vec();
    let mut cases = cases.to_vec();
    cases.extend([
        (first, Count::CookiesNew),
        (with_cookie(query("www.cached.example", 1), &given), Count::CookiesValid),
        (
            with_cookie(query("www.blocked.example", 1), &given),
            Count::CookiesValid,
        ),
        (
            with_cookie(query("www.blocked.example", 1), &[9; 40]),
            Count::CookiesInvalid,
        ),
        (
            with_option(query("www.blocked.example", 1), 15, &[0, 0]),
            Count::Blocked,
        ),
    ]);
    let mut walk = |times: usize| {
        let mut renewals = 0;
        for index in 0..times {
            let (bytes, count) = &cases[index % cases.len()];
            let (begun, counts) = query::begin(&generation, &cache, bytes, &peer, now, &mut out);
            renewals += answered_at_once(begun, bytes);
            assert!(counts.contains(*count));
        }
        renewals
    };
    // Whatever is made at first use is not made for a query.
    assert_eq!(walk(100), 1);
    assert_eq!(
        allocation_counter::measure(|| assert_eq!(walk(100_000), 0)).count_total,
        0
    );
    // The same as a UDP worker does it with what came in together.
    let (mut ahead, mut askers) = (Ahead::default(), Vec::with_capacity(LOOKED_AHEAD));
    let mut walk = |times: usize| {
        let mut cases = cases.iter().cycle();
        for _ in 0..times.div_ceil(LOOKED_AHEAD) {
            generation
                .policy
                .clients(&[peer.address.ip(); LOOKED_AHEAD], now.unix_s(), &mut askers);
            let these: [_; LOOKED_AHEAD] = std::array::from_fn(|_| cases.next().expect("a cycle has no end"));
            let mut reads = these.map(|(bytes, _)| Some(query::read(&cache, bytes)));
            ahead.look(&generation, &cache, &mut reads);
            for (((bytes, count), read), asker) in these.iter().zip(reads).zip(&askers) {
                let read = read.expect("it was read");
                let (begun, counts) = query::begin_for(&generation, &cache, &read, &peer, *asker, now, &mut out);
                assert_eq!(answered_at_once(begun, bytes), 0);
                assert!(counts.contains(*count));
                // Of whom nothing is kept nothing is made.
                assert!(
                    asker
                        .as_ref()
                        .is_some_and(|asker| generation.policy.asks(asker).is_none())
                );
            }
        }
    };
    walk(100);
    assert_eq!(allocation_counter::measure(|| walk(100_000)).count_total, 0);
    let one = allocation_counter::measure(|| drop(std::hint::black_box(Box::new(1))));
    assert_eq!(one.count_total, 1, "what is counted is counted");
}

/// Whether there is something to renew beside the response.
fn answered_at_once(begun: Begun, query: &[u8]) -> usize {
    match begun {
        Begun::Respond(len) if len > query.len() => 0,
        Begun::RespondAndRenew(len, _) if len > query.len() => 1,
        _ => panic!("{query:02x?} is not answered at once"),
    }
}
