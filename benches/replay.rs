//! How many queries the answer cache answers when it is too small for all names: hit ratios on made-up days of queries, beside other
//! ways to choose what goes.
//!
//! Queries are for names of the corpus's rankings: popularity by Zipf's law, a tenth of the names changes places each hour, and one query in five
//! is for a name that is never asked for again. The cache is the program's own, written and read as the query road does; LRU, S3-FIFO, plain SIEVE
//! and the optimum (Belady's: what is needed last goes) have room for as many entries as it held at the end. One seed, the same figures every time.
//! `replay SEED` takes another.

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use stairgate::cache::{Cache, CacheKey};
use stairgate::dns::name::Name;
use stairgate::dns::rtype;
use stairgate::now::Now;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::io::Read;
use std::path::PathBuf;
use std::time::Duration;

const HOURS: usize = 6;
const QUERIES_AN_HOUR: usize = 250_000;
/// Of a hundred queries so many are for names that are asked for once.
const ONE_OFF_PERCENT: u32 = 20;
/// Of a hundred names so many change places in an hour.
const DRIFT_PERCENT: usize = 10;

fn main() {
    let seed = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(1);
    let names = names();
    println!(
        "{} names, {HOURS} hours of {QUERIES_AN_HOUR} queries, {ONE_OFF_PERCENT} % of them one-off, {DRIFT_PERCENT} % of the names change places in an hour, seed {seed}; hit ratios in %",
        names.len()
    );
    println!(
        "{:>5}{:>7}{:>9}{:>11}{:>8}{:>8}{:>9}{:>9}",
        "Zipf", "room", "entries", "Stairgate", "SIEVE", "LRU", "S3-FIFO", "optimum"
    );
    for exponent in [0.8, 1.0, 1.2] {
        let trace = trace(names.len(), exponent, seed);
        for percent in [1, 10] {
            let wanted = names.len() * percent / 100;
            let (hits, entries) = ours(&names, &trace, wanted);
            let ratio = |hits: usize| 100.0 * hits as f64 / trace.len() as f64;
            println!(
                "{exponent:>5}{:>5} %{entries:>9}{:>11.2}{:>8.2}{:>8.2}{:>9.2}{:>9.2}",
                percent,
                ratio(hits),
                ratio(sieve(&trace, entries)),
                ratio(lru(&trace, entries)),
                ratio(s3_fifo(&trace, entries)),
                ratio(optimum(&trace, entries)),
            );
        }
    }
}

/// The names asked for, each as its number; numbers past the names are of names that are asked for once.
fn trace(names: usize, exponent: f64, seed: u64) -> Vec<u32> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut sums = Vec::with_capacity(names);
    let mut sum = 0.0;
    for rank in 1..=names {
        sum += (rank as f64).powf(-exponent);
        sums.push(sum);
    }
    // Who has which rank.
    let mut ranked: Vec<u32> = (0..names as u32).collect();
    ranked.shuffle(&mut random);
    let mut once = names as u32;
    let mut trace = Vec::with_capacity(HOURS * QUERIES_AN_HOUR);
    for _ in 0..HOURS {
        for _ in 0..QUERIES_AN_HOUR {
            if random.random_range(0..100) < ONE_OFF_PERCENT {
                trace.push(once);
                once += 1;
            } else {
                let at = random.random_range(0.0..sum);
                let rank = sums.partition_point(|&upto| upto <= at);
                trace.push(ranked[rank.min(names - 1)]);
            }
        }
        for _ in 0..names * DRIFT_PERCENT / 200 {
            let (a, b) = (random.random_range(0..names), random.random_range(0..names));
            ranked.swap(a, b);
        }
    }
    trace
}

/// Hits of the program's cache with room for about as many entries as wanted, and how many it held.
fn ours(names: &[Name], trace: &[u32], wanted: usize) -> (usize, usize) {
    // How many bytes an entry takes depends on how many there are: tables, and memory taken in pieces. The size is found by trying.
    let mut bytes = wanted as u64 * 200;
    let mut best = (0, 0usize);
    for _ in 0..6 {
        let held = replay(names, trace, bytes);
        if held.1.abs_diff(wanted) < best.1.abs_diff(wanted) {
            best = held;
        }
        if best.1.abs_diff(wanted) <= wanted / 200 {
            break;
        }
        bytes = bytes * wanted as u64 / held.1.max(1) as u64;
    }
    best
}

fn replay(names: &[Name], trace: &[u32], bytes: u64) -> (usize, usize) {
    let cache = Cache::new(bytes, Duration::ZERO, Duration::from_secs(86_400));
    let now = Now::default();
    let mut out = vec![0; 4096];
    let mut hits = 0;
    for &number in trace {
        let name = match names.get(number as usize) {
            Some(name) => name.as_wire().to_vec(),
            None => Name::parse(&format!("once-{number}.example"))
                .expect("a name")
                .as_wire()
                .to_vec(),
        };
        let key = CacheKey {
            qname: &name,
            qtype: rtype::A,
            dnssec_ok: false,
            checking_disabled: false,
        };
        match cache.get(&key, now, &mut out) {
            Some(_) => hits += 1,
            None => cache.put(&key, &response(&name), now),
        }
    }
    (hits, cache.stats().entries as usize)
}

fn response(name: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0];
    bytes.extend_from_slice(name);
    bytes.extend_from_slice(&[0, 1, 0, 1]);
    bytes.extend_from_slice(b"\xc0\x0c\0\x01\0\x01\0\x01\0\0\0\x04\xc0\0\x02\x01");
    bytes
}

/// The one used least recently goes.
fn lru(trace: &[u32], room: usize) -> usize {
    let mut used: HashMap<u32, usize> = HashMap::new();
    let mut order: BTreeMap<usize, u32> = BTreeMap::new();
    let mut hits = 0;
    for (now, &name) in trace.iter().enumerate() {
        match used.insert(name, now) {
            Some(before) => {
                order.remove(&before);
                hits += 1;
            }
            None if used.len() > room => {
                let (_, least) = order.pop_first().expect("a full cache has a least recent entry");
                used.remove(&least);
            }
            None => {}
        }
        order.insert(now, name);
    }
    hits
}

/// A hand walks from the oldest to the newest; what was read since it last passed stays, the first that was not goes.
fn sieve(trace: &[u32], room: usize) -> usize {
    // By the time of insertion: the order of the queue.
    let mut queue: BTreeMap<usize, (u32, bool)> = BTreeMap::new();
    let mut place: HashMap<u32, usize> = HashMap::new();
    let (mut hand, mut hits) = (0, 0);
    for (now, &name) in trace.iter().enumerate() {
        if let Some(at) = place.get(&name) {
            queue.get_mut(at).expect("what has a place stands there").1 = true;
            hits += 1;
            continue;
        }
        if place.len() == room {
            loop {
                let next = queue.range_mut(hand..).next().map(|(&at, entry)| (at, entry));
                let Some((at, entry)) = next else {
                    hand = 0;
                    continue;
                };
                hand = at + 1;
                if std::mem::take(&mut entry.1) {
                    continue;
                }
                let gone = entry.0;
                queue.remove(&at);
                place.remove(&gone);
                break;
            }
        }
        queue.insert(now, (name, false));
        place.insert(name, now);
    }
    hits
}

/// Three queues: a tenth of the room for newcomers, the rest for what was read again, and the names of what left the first.
fn s3_fifo(trace: &[u32], room: usize) -> usize {
    let small_room = (room / 10).max(1);
    let (mut small, mut main, mut ghosts) = (VecDeque::new(), VecDeque::new(), VecDeque::new());
    let mut reads: HashMap<u32, u8> = HashMap::new();
    let mut remembered: HashMap<u32, usize> = HashMap::new();
    let mut hits = 0;
    for (now, &name) in trace.iter().enumerate() {
        if let Some(reads) = reads.get_mut(&name) {
            *reads = (*reads + 1).min(3);
            hits += 1;
            continue;
        }
        while reads.len() >= room {
            if small.len() >= small_room || main.is_empty() {
                let Some(oldest) = small.pop_front() else { break };
                if reads[&oldest] > 1 {
                    reads.insert(oldest, 0);
                    main.push_back(oldest);
                } else {
                    reads.remove(&oldest);
                    ghosts.push_back((oldest, now));
                    remembered.insert(oldest, now);
                    if ghosts.len() > room - small_room
                        && let Some((forgotten, since)) = ghosts.pop_front()
                        && remembered.get(&forgotten) == Some(&since)
                    {
                        remembered.remove(&forgotten);
                    }
                }
            } else if let Some(oldest) = main.pop_front() {
                match reads[&oldest] {
                    0 => {
                        reads.remove(&oldest);
                    }
                    more => {
                        reads.insert(oldest, more - 1);
                        main.push_back(oldest);
                    }
                }
            }
        }
        reads.insert(name, 0);
        match remembered.remove(&name) {
            Some(_) => main.push_back(name),
            None => small.push_back(name),
        }
    }
    hits
}

/// What will be asked for last goes, or does not come in.
fn optimum(trace: &[u32], room: usize) -> usize {
    let mut next = vec![usize::MAX; trace.len()];
    let mut seen: HashMap<u32, usize> = HashMap::new();
    for (at, name) in trace.iter().enumerate().rev() {
        next[at] = seen.insert(*name, at).unwrap_or(usize::MAX);
    }
    // By when they are asked for next.
    let mut held: BTreeSet<(usize, u32)> = BTreeSet::new();
    let mut hits = 0;
    for (at, &name) in trace.iter().enumerate() {
        hits += usize::from(held.remove(&(at, name)));
        if next[at] == usize::MAX {
            continue;
        }
        held.insert((next[at], name));
        if held.len() > room {
            held.pop_last();
        }
    }
    hits
}

/// The names of the ranking of host names.
fn names() -> Vec<Name> {
    let corpus = std::env::var_os("STAIRGATE_CORPUS").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared"),
        PathBuf::from,
    );
    let path = corpus.join("queries/umbrella-top-100k-fqdn.txt.zst");
    let file =
        std::fs::File::open(&path).unwrap_or_else(|error| panic!("{}: {error}; set STAIRGATE_CORPUS", path.display()));
    let mut text = String::new();
    zstd::Decoder::new(file)
        .and_then(|mut decoder| decoder.read_to_string(&mut text))
        .expect("the corpus is whole");
    let mut names: Vec<Name> = text.lines().filter_map(|name| Name::parse(name).ok()).collect();
    names.sort();
    names.dedup();
    names
}
