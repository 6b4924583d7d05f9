//! The cache as a whole, against a model, under load, and against its bounds.

use super::message::{Builder, key, qname};
use super::*;
use crate::dns::rtype;
use proptest::prelude::*;
use std::collections::HashMap;
use std::sync::atomic::AtomicBool;

const DAY: Duration = Duration::from_secs(86_400);

fn cache(bytes: u64) -> Cache {
    Cache::new(bytes, Duration::ZERO, DAY)
}

fn at(mono_ms: u64) -> Now {
    Now { mono_ms, unix_ms: 0 }
}

fn got(cache: &Cache, key: &CacheKey<'_>, now: Now) -> Option<(Vec<u8>, u32)> {
    let mut out = [0; 65_535];
    let hit = cache.get(key, now, &mut out)?;
    assert!(!hit.stale);
    Some((out[..hit.len].to_vec(), hit.remaining_s))
}

#[test]
fn ttls_of_all_sections_go_down_with_age_and_the_entry_ends_with_the_first() {
    let cache = cache(1 << 20);
    let name = qname("www.example.com");
    let build = |lower: u32| {
        Builder::new("www.example.com", rtype::A)
            .cname(120 - lower)
            .a(60 - lower)
            .a(61 - lower)
            .authority_ns(3600 - lower)
            .additional_a(300 - lower)
            .build()
    };
    let key = key(&name, rtype::A);
    cache.put(&key, &build(0), at(5_000));
    assert_eq!(got(&cache, &key, at(5_000)), Some((build(0), 60)));
    assert_eq!(got(&cache, &key, at(5_999)), Some((build(0), 60)));
    assert_eq!(got(&cache, &key, at(6_000)), Some((build(1), 59)));
    assert_eq!(got(&cache, &key, at(64_999)), Some((build(59), 1)));
    assert_eq!(got(&cache, &key, at(65_000)), None);
    assert_eq!(
        got(&cache, &key, at(4_000)),
        Some((build(0), 60)),
        "a thread whose moment is a little earlier"
    );
}

#[test]
fn what_is_past_its_time_is_given_to_who_asks_for_it_for_three_days() {
    let cache = cache(1 << 20);
    let name = qname("www.example.com");
    let response = Builder::new("www.example.com", rtype::A).a(60).build();
    let key = key(&name, rtype::A);
    cache.put(&key, &response, at(0));
    let mut out = [0; 512];
    let ttl = |out: &[u8]| u32::from_be_bytes(*out[response.len() - 10..].first_chunk().unwrap());
    let hit = cache.get_stale(&key, at(10_000), &mut out).unwrap();
    assert_eq!((hit.stale, hit.remaining_s, ttl(&out)), (false, 50, 50));
    for age_s in [60, 61, 3 * 86_400 + 59] {
        assert_eq!(cache.get(&key, at(age_s * 1000), &mut out), None);
        let hit = cache.get_stale(&key, at(age_s * 1000), &mut out).unwrap();
        assert_eq!(
            (hit.stale, hit.remaining_s, hit.len, ttl(&out)),
            (true, 0, response.len(), 30),
            "{age_s}"
        );
    }
    assert_eq!(cache.get_stale(&key, at((3 * 86_400 + 60) * 1000), &mut out), None);
}

#[test]
fn one_reader_at_a_time_may_renew_what_is_ending_and_eviction_changes_nothing_in_that() {
    let cache = cache(1 << 20);
    let name = qname("www.example.com");
    let key = key(&name, rtype::A);
    let response = Builder::new("www.example.com", rtype::A).a(1000).build();
    cache.put(&key, &response, at(0));
    let mut out = [0; 512];
    let mut ending = |age_s: u64| cache.get(&key, at(age_s * 1000), &mut out).unwrap().ending;
    assert!(!ending(950), "nobody has read it before");
    assert!(!ending(899) && ending(900) && ending(999));
    assert!(cache.claim(&key, at(900_000)));
    assert!(!ending(901), "somebody is at it");
    assert!(!cache.claim(&key, at(901_000)));
    for shard in &cache.shards {
        shard.forget_reads();
    }
    assert!(!ending(902) && !ending(903), "somebody still is");
    assert!(
        !ending(949) && ending(950) && cache.claim(&key, at(950_000)),
        "whoever it was has had his time"
    );
    cache.put(&key, &response, at(951_000));
    assert!(!ending(1000) && ending(1851) && cache.claim(&key, at(1_851_000)));
    let other = CacheKey { dnssec_ok: true, ..key };
    assert!(!cache.claim(&other, at(1_850_000)), "there is none");
}

#[test]
fn letter_case_makes_no_difference_and_every_other_part_of_the_key_does() {
    let cache = cache(1 << 20);
    let stored = Builder::new("WWW.eXample.com", rtype::A).a(60).build();
    cache.put(&key(&qname("www.EXAMPLE.com"), rtype::A), &stored, at(0));
    let name = qname("wwW.example.Com");
    let plain = key(&name, rtype::A);
    assert_eq!(got(&cache, &plain, at(0)), Some((stored, 60)));
    assert_eq!(got(&cache, &key(&name, rtype::AAAA), at(0)), None);
    assert_eq!(
        got(
            &cache,
            &CacheKey {
                dnssec_ok: true,
                ..plain
            },
            at(0)
        ),
        None
    );
    assert_eq!(
        got(
            &cache,
            &CacheKey {
                checking_disabled: true,
                ..plain
            },
            at(0)
        ),
        None
    );
    assert_eq!(got(&cache, &key(&qname("ww.example.com"), rtype::A), at(0)), None);
    assert_eq!(got(&cache, &key(&[3; 300], rtype::A), at(0)), None);
    assert_eq!(got(&cache, &key(&[], rtype::A), at(0)), None);
}

#[test]
fn a_response_that_does_not_fit_the_buffer_is_not_given_out() {
    let cache = cache(1 << 20);
    let name = qname("www.example.com");
    let stored = Builder::new("www.example.com", rtype::A).a(60).build();
    cache.put(&key(&name, rtype::A), &stored, at(0));
    let mut out = vec![0; stored.len()];
    assert!(cache.get(&key(&name, rtype::A), at(0), &mut out[1..]).is_none());
    assert!(cache.get(&key(&name, rtype::A), at(0), &mut out).is_some());
}

#[test]
fn flushing_a_name_takes_all_types_and_flushing_below_takes_its_subtree_and_no_lookalike() {
    let filled = || {
        let cache = cache(1 << 20);
        for name in [
            "example.com",
            "www.example.com",
            "a.b.example.com",
            "notexample.com",
            "com",
            ".",
        ] {
            for qtype in [rtype::A, rtype::AAAA] {
                let response = Builder::new(name, qtype).soa(60, 60).build();
                cache.put(&key(&qname(name), qtype), &response, at(0));
            }
        }
        cache
    };
    let left = |cache: &Cache| {
        let mut names = Vec::new();
        cache.entries(at(0), |entry| names.push(entry.name.to_string()));
        names.sort_unstable();
        names.dedup();
        names
    };
    let name = Name::parse("EXAMPLE.com").unwrap();
    let all = filled();
    assert_eq!(all.flush(Some(&name), false), 2);
    assert_eq!(
        left(&all),
        [".", "a.b.example.com.", "com.", "notexample.com.", "www.example.com."]
    );
    let all = filled();
    assert_eq!(all.flush(Some(&name), true), 6);
    assert_eq!(left(&all), [".", "com.", "notexample.com."]);
    let all = filled();
    assert_eq!(all.flush(Some(&Name::root()), false), 2);
    assert_eq!(all.flush(Some(&Name::root()), true), 10);
    let all = filled();
    assert_eq!(all.flush(None, false), 12);
    assert_eq!((all.stats().entries, all.stats().live_bytes), (0, 0));
    assert!(got(&all, &key(&qname("com"), rtype::A), at(0)).is_none());
}

#[test]
fn a_dump_says_what_each_entry_is_and_leaves_out_the_dead() {
    let cache = cache(1 << 20);
    let name = qname("WWW.example.com");
    let validating = CacheKey {
        dnssec_ok: true,
        ..key(&name, rtype::HTTPS)
    };
    let response = Builder::for_wire(&name, rtype::HTTPS).rcode(3).soa(60, 40).build();
    cache.put(&validating, &response, at(0));
    cache.put(
        &key(&name, rtype::A),
        &Builder::for_wire(&name, rtype::A).a(5).build(),
        at(0),
    );
    let mut entries = Vec::new();
    cache.entries(at(10_500), |entry| entries.push(entry));
    let expected = Entry {
        name: Name::from_wire(&name).unwrap(),
        qtype: rtype::HTTPS,
        dnssec_ok: true,
        checking_disabled: false,
        rcode: 3,
        remaining_s: 30,
        bytes: 256,
    };
    assert_eq!(entries, [expected]);
}

#[test]
fn a_cache_too_small_for_anything_keeps_nothing_and_says_so() {
    for bytes in [0, 1, 1000, 20_000] {
        let cache = cache(bytes);
        let name = qname("www.example.com");
        let response = Builder::new("www.example.com", rtype::A).a(60).build();
        cache.put(&key(&name, rtype::A), &response, at(0));
        assert!(got(&cache, &key(&name, rtype::A), at(0)).is_none());
        assert_eq!(cache.stats().too_large, 1);
    }
}

#[test]
fn responses_not_kept_are_counted_by_reason() {
    let cache = cache(1 << 20);
    let name = qname("www.example.com");
    let key = key(&name, rtype::A);
    let new = || Builder::new("www.example.com", rtype::A);
    cache.put(&key, &new().txt(60, 17_000).a(60).build(), at(0));
    cache.put(&key, &new().rcode(2).build(), at(0));
    cache.put(&key, &new().a(0).build(), at(0));
    cache.put(&key, &[1, 2, 3], at(0));
    let stats = cache.stats();
    assert_eq!(
        (stats.too_large, stats.uncacheable, stats.malformed, stats.stored),
        (1, 2, 1, 0)
    );
}

/// A response of `bytes` bytes or some more, told from others by its TTL.
fn sized(name: &[u8], bytes: usize, ttl: u32) -> Vec<u8> {
    Builder::for_wire(name, rtype::TXT).txt(ttl, bytes).build()
}

fn numbered(number: u64) -> Vec<u8> {
    qname(&format!("name{number}.example.com"))
}

/// Well mixed and the same each run.
fn mixed(number: u64) -> u64 {
    let mixed = (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed ^ mixed >> 32).wrapping_mul(0xd6e8_feb8_6659_fd93) >> 16
}

/// Mostly small responses, a few large, one of 16 kB now and then.
fn some_size(number: u64) -> usize {
    match mixed(number) % 100 {
        0..=79 => (mixed(number) >> 8) as usize % 200,
        80..=97 => (mixed(number) >> 8) as usize % 2000,
        98 => 16_000,
        _ => 5_000,
    }
}

#[test]
fn a_full_cache_takes_its_bound_within_a_tenth_whatever_the_sizes() {
    for bound in [1 << 20, 3 << 20, 5_000_000] {
        for size in [|_| 0, |_| 60, |_| 150, |_| 16_000, some_size as fn(u64) -> usize] {
            let cache = cache(bound);
            assert!(cache.stats().bytes < bound / 20, "an empty one takes next to nothing");
            let mut fed = 0;
            let mut number = 0;
            while fed < 3 * bound {
                let name = numbered(number);
                let response = sized(&name, size(number), 60);
                cache.put(&key(&name, rtype::TXT), &response, at(0));
                fed += 100 + response.len() as u64;
                number += 1;
            }
            let stats = cache.stats();
            assert!(stats.bytes <= bound, "{stats:?}");
            assert!(stats.bytes >= bound - bound / 10, "{stats:?}");
            assert!(stats.live_bytes >= bound - bound / 4, "{stats:?}");
            assert_eq!(stats.stored - stats.evicted, stats.entries);
            assert_eq!(stats.stored, number);
        }
    }
}

#[test]
#[cfg_attr(miri, ignore = "minutes under Miri, and there is nothing unsafe to see")]
fn the_bytes_it_says_are_the_bytes_it_takes() {
    let mut cache = None;
    let check = |stage: &str, cache: &Cache, taken: i64| {
        let said = cache.stats().bytes as i64;
        assert!(
            (said - taken).abs() <= taken / 50 + 1024,
            "{stage}: says {said}, takes {taken}"
        );
    };
    let taken = allocation_counter::measure(|| cache = Some(Cache::new(8 << 20, Duration::ZERO, DAY))).bytes_current;
    let cache = cache.unwrap();
    check("empty", &cache, taken);
    let fill = |numbers: std::ops::Range<u64>| {
        for number in numbers {
            let name = numbered(number);
            cache.put(&key(&name, rtype::TXT), &sized(&name, some_size(number), 60), at(0));
        }
    };
    let half = taken + allocation_counter::measure(|| fill(0..4000)).bytes_current;
    check("half", &cache, half);
    let full = half + allocation_counter::measure(|| fill(4000..60_000)).bytes_current;
    check("full", &cache, full);
    assert!(full > 7 << 20, "{full}");
    let flushed = full + allocation_counter::measure(|| _ = cache.flush(None, false)).bytes_current;
    check("flushed", &cache, flushed);
}

#[test]
fn a_read_allocates_nothing_whether_it_finds_or_not() {
    let cache = cache(1 << 20);
    let (short, long, absent) = (qname("a.example"), qname("b.example"), qname("c.example"));
    cache.put(&key(&short, rtype::TXT), &sized(&short, 20, 60), at(0));
    cache.put(&key(&long, rtype::TXT), &sized(&long, 4000, 60), at(0));
    let mut out = [0; 8192];
    let mut hits = 0;
    let taken = allocation_counter::measure(|| {
        for name in [&short, &long, &absent] {
            hits += usize::from(cache.get(&key(name, rtype::TXT), at(2_000), &mut out).is_some());
        }
        cache.get(&key(&long, rtype::TXT), at(100_000), &mut out);
    });
    assert_eq!((hits, taken.count_total), (2, 0));
}

#[test]
fn what_is_read_again_outlives_what_was_asked_for_once() {
    let cache = cache(1 << 20);
    for number in 0..100_000 {
        let name = numbered(number);
        cache.put(&key(&name, rtype::TXT), &sized(&name, 40, 3600), at(0));
        let favorite = numbered(number % 50);
        got(&cache, &key(&favorite, rtype::TXT), at(0));
    }
    let kept = (0..50)
        .filter(|&number| got(&cache, &key(&numbered(number), rtype::TXT), at(0)).is_some())
        .count();
    assert_eq!(kept, 50);
}

#[test]
fn room_is_made_from_the_dead_before_the_living_are_asked() {
    let cache = cache(256 << 10);
    let mut number = 0;
    while cache.stats().evicted == 0 {
        let name = numbered(number);
        cache.put(&key(&name, rtype::TXT), &sized(&name, 40, 10), at(0));
        got(&cache, &key(&name, rtype::TXT), at(0));
        number += 1;
    }
    let name = numbered(number);
    cache.put(&key(&name, rtype::TXT), &sized(&name, 40, 10), at(20_000));
    let stats = cache.stats();
    assert_eq!((stats.evicted, stats.expired), (1, 1), "{stats:?}");
}

#[derive(Debug, Clone)]
enum Step {
    Put {
        name: u8,
        qtype: u16,
        dnssec_ok: bool,
        bytes: usize,
        ttl: u32,
    },
    Get {
        name: u8,
        qtype: u16,
        dnssec_ok: bool,
    },
    Wait {
        ms: u64,
    },
    Flush {
        name: u8,
        below: bool,
    },
    FlushAll,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let qtype = || prop_oneof![Just(rtype::TXT), Just(rtype::MX)];
    let step = prop_oneof![
        6 => (0u8..12, qtype(), any::<bool>(), 0usize..700, 0u32..8).prop_map(|(name, qtype, dnssec_ok, bytes, ttl)| {
            Step::Put { name, qtype, dnssec_ok, bytes, ttl }
        }),
        6 => (0u8..12, qtype(), any::<bool>()).prop_map(|(name, qtype, dnssec_ok)| Step::Get { name, qtype, dnssec_ok }),
        2 => (0u64..3000).prop_map(|ms| Step::Wait { ms }),
        1 => (0u8..12, any::<bool>()).prop_map(|(name, below)| Step::Flush { name, below }),
        1 => Just(Step::FlushAll),
    ];
    proptest::collection::vec(step, 0..120)
}

/// Name, type and DO to TTL, time of storing and bytes of the TXT record.
type Model = HashMap<(Vec<u8>, u16, bool), (u32, u64, usize)>;

/// Names of which some lie below others: `n0.test`, `n1.n0.test`, ...
fn nested(number: u8) -> Vec<u8> {
    let text = match number % 3 {
        0 => format!("n{}.test", number / 3),
        1 => format!("x.n{}.test", number / 3),
        _ => format!("Y.x.n{}.test", number / 3),
    };
    qname(&text)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 4 } else { 256 }, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn with_room_enough_it_is_a_map_whose_entries_expire(steps in steps()) {
        let cache = cache(1 << 20);
        let mut model: Model = HashMap::new();
        let mut now = 1_000_000;
        for step in steps {
            match step {
                Step::Put { name, qtype, dnssec_ok, bytes, ttl } => {
                    let name = nested(name);
                    let key = CacheKey { dnssec_ok, ..key(&name, qtype) };
                    // MX gets a TXT answer and an SOA: a negative answer, longer than TXT's.
                    let response = Builder::for_wire(&name, qtype).txt(ttl, bytes);
                    let response = if qtype == rtype::MX { response.soa(100, 100) } else { response }.build();
                    cache.put(&key, &response, at(now));
                    if ttl > 0 {
                        model.insert((name, qtype, dnssec_ok), (ttl, now, bytes));
                    }
                }
                Step::Get { name, qtype, dnssec_ok } => {
                    let name = nested(name);
                    let key = CacheKey { dnssec_ok, ..key(&name, qtype) };
                    let expected = model.get(&(name.clone(), qtype, dnssec_ok)).and_then(|&(ttl, stored, bytes)| {
                        let age = ((now - stored) / 1000) as u32;
                        let lower = ttl.checked_sub(age).filter(|&left| left > 0)?;
                        let response = Builder::for_wire(&name, qtype).txt(lower, bytes);
                        let response = if qtype == rtype::MX { response.soa(100 - age, 100) } else { response };
                        Some((response.build(), lower))
                    });
                    prop_assert_eq!(got(&cache, &key, at(now)), expected);
                }
                Step::Wait { ms } => now += ms,
                Step::Flush { name, below } => {
                    let name = Name::from_wire(&nested(name)).unwrap();
                    let before = model.len();
                    model.retain(|(stored, _, _), _| {
                        let stored = Name::from_wire(stored).unwrap();
                        !(stored == name || below && stored.is_within(&name))
                    });
                    prop_assert_eq!(cache.flush(Some(&name), below), before - model.len());
                }
                Step::FlushAll => {
                    prop_assert_eq!(cache.flush(None, false), model.len());
                    model.clear();
                }
            }
            prop_assert_eq!(cache.stats().entries, model.len() as u64);
        }
    }
}

/// The response that version `version` of a name's answer is: its whole content follows from the two.
fn versioned(name: &[u8], number: u64, version: u64) -> Vec<u8> {
    let bytes = (mixed(number ^ version << 20) % if version.is_multiple_of(7) { 1500 } else { 250 }) as usize;
    let fill = mixed(version) as u8;
    let mut response = sized(name, bytes, 1000 + (version % 1000) as u32);
    let start = response.len() - bytes;
    response[start..].fill(fill);
    response
}

#[test]
fn readers_see_only_whole_messages_while_writers_replace_evict_and_flush() {
    let (names, rounds) = if cfg!(miri) { (6, 40) } else { (400, 60_000) };
    // Room for about half of the names, so that blocks change hands all the time.
    let cache = Cache::new(96 << 10, Duration::ZERO, DAY);
    let done = AtomicBool::new(false);
    let hits = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for reader in 0..3u64 {
            let (cache, done, hits) = (&cache, &done, &hits);
            scope.spawn(move || {
                let mut out = [0; 4096];
                let mut turn = reader;
                let mut seen = 0;
                while !done.load(Relaxed) {
                    turn += 1;
                    let number = mixed(turn) % names;
                    let name = numbered(number);
                    let Some(hit) = cache.get(&key(&name, rtype::TXT), at(0), &mut out) else {
                        continue;
                    };
                    seen += 1;
                    let response = &out[..hit.len];
                    let header_end = 12 + name.len() + 4;
                    let ttl = u32::from_be_bytes(*response[header_end + 6..].first_chunk().unwrap());
                    assert_eq!(hit.remaining_s, ttl, "lifetime and content are of one entry");
                    let content = &response[header_end + 12..];
                    let rest = ttl - 1000;
                    let matches = content.windows(2).all(|pair| pair[0] == pair[1]) && {
                        let mut version = u64::from(rest);
                        loop {
                            if versioned(&name, number, version) == response {
                                break true;
                            }
                            version += 1000;
                            if version > 2 * rounds {
                                break false;
                            }
                        }
                    };
                    assert!(matches, "no version of name {number} looks like this: {response:?}");
                }
                hits.fetch_add(seen, Relaxed);
            });
        }
        let writers: Vec<_> = (0..2u64)
            .map(|writer| {
                let cache = &cache;
                scope.spawn(move || {
                    for round in 0..rounds {
                        let number = mixed(round * 2 + writer) % names;
                        let name = numbered(number);
                        let version = round * 2 + writer;
                        cache.put(&key(&name, rtype::TXT), &versioned(&name, number, version), at(0));
                        if round % 5000 == 4999 {
                            cache.flush(None, false);
                        }
                    }
                })
            })
            .collect();
        let finished = writers.into_iter().map(|writer| writer.join());
        let failed = finished.filter(|result| result.is_err()).count();
        done.store(true, Relaxed);
        assert_eq!(failed, 0);
    });
    assert!(
        cfg!(miri) || hits.load(Relaxed) > 1000,
        "the readers did read: {hits:?}"
    );
    let stats = cache.stats();
    assert!(cfg!(miri) || stats.replaced > 1000 && stats.evicted > 1000, "{stats:?}");
}
