//! What the answer cache costs: time for each read and write, memory for each entry.
//!
//! Prints a table; fails only without its data (`STAIRGATE_CORPUS`, default `../shared`). Names are the most looked-up ones of
//! the corpus, under several subdomains to make more of them. A figure is the best of [`ROUNDS`].

use stairgate::cache::{Cache, CacheKey};
use stairgate::dns::name::Name;
use stairgate::dns::rtype;
use stairgate::now::Now;
use std::hint::black_box;
use std::io::Read;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

/// The longer ones are interrupted now and then, the best of many short ones is not.
const ROUNDS: usize = 20;
const SIZE_BYTES: u64 = 128 << 20;

fn main() {
    // Fewer for counting instructions: `valgrind --tool=callgrind target/release/deps/cache-* 2000`.
    let many = std::env::args()
        .find_map(|argument| argument.parse().ok())
        .unwrap_or(300_000);
    let mut names = names();
    names.truncate(many + 100_000.min(many));
    println!("names: {many} stored, {} not", names.len() - many);

    let before = resident_bytes();
    let cache = cache();
    println!(
        "empty cache of {} MiB: {} kB resident",
        SIZE_BYTES >> 20,
        (resident_bytes() - before) >> 10
    );

    let few = &names[..1000];
    let many = &names[..many];
    let responses: Vec<Vec<u8>> = many.iter().map(|name| response(name)).collect();
    let mean_bytes = responses.iter().map(Vec::len).sum::<usize>() / responses.len();
    println!("responses: {mean_bytes} bytes on average");
    let before = resident_bytes();

    row("write, new name", many.len(), || {
        cache.flush(None, false);
        let started = Instant::now();
        fill(&cache, many, &responses);
        started.elapsed()
    });
    let stats = cache.stats();
    println!(
        "memory: {} entries, {} bytes each held, {} bytes each taken, {} kB resident",
        stats.entries,
        stats.live_bytes / stats.entries,
        stats.bytes / stats.entries,
        (resident_bytes() - before) >> 10
    );
    assert_eq!(stats.evicted, 0, "all of these fit");
    row("write, over an old one", many.len(), || {
        let started = Instant::now();
        fill(&cache, many, &responses);
        started.elapsed()
    });
    row("read, 1000 names in turn, fresh", few.len(), || reads(&cache, few, 1));
    row("read, 1000 names in turn, aged", few.len(), || {
        reads(&cache, few, 10_000)
    });
    row("read, all names in random order, aged", many.len(), || {
        reads(&cache, many, 10_000)
    });
    let absent = &names[many.len()..];
    row("read, names not there", absent.len(), || reads(&cache, absent, 10_000));
    row("read, 2 threads at once, 1000 names in turn, aged", few.len(), || {
        thread::scope(|scope| {
            let other = scope.spawn(|| (0..20).map(|_| reads(&cache, few, 10_000)).min());
            let this = (0..20).map(|_| reads(&cache, few, 10_000)).min();
            this.max(other.join().expect("reading does not fail"))
                .expect("it was read")
        })
    });
    row(
        "read, 1000 names in turn beside a thread that writes them",
        few.len(),
        || {
            let done = AtomicBool::new(false);
            thread::scope(|scope| {
                scope.spawn(|| {
                    while !done.load(Relaxed) {
                        fill(&cache, few, &responses);
                    }
                });
                let took = (0..20).map(|_| reads(&cache, few, 1)).min().expect("it was read");
                done.store(true, Relaxed);
                took
            })
        },
    );

    // More than fits: every write evicts.
    let small = Cache::new(8 << 20, Duration::ZERO, Duration::from_secs(86_400));
    row("write, full cache of 8 MiB", many.len(), || {
        let started = Instant::now();
        fill(&small, many, &responses);
        started.elapsed()
    });
}

fn cache() -> Cache {
    Cache::new(SIZE_BYTES, Duration::ZERO, Duration::from_secs(86_400))
}

fn row(what: &str, operations: usize, mut round: impl FnMut() -> Duration) {
    let best = (0..ROUNDS).map(|_| round()).min().expect("there are rounds");
    println!("{what}: {:.1} ns", best.as_nanos() as f64 / operations as f64);
}

fn key(name: &[u8]) -> CacheKey<'_> {
    CacheKey {
        qname: name,
        qtype: rtype::A,
        dnssec_ok: false,
        checking_disabled: false,
    }
}

fn fill(cache: &Cache, names: &[Vec<u8>], responses: &[Vec<u8>]) {
    for (name, response) in names.iter().zip(responses) {
        cache.put(&key(name), response, Now::default());
    }
}

fn reads(cache: &Cache, names: &[Vec<u8>], mono_ms: u64) -> Duration {
    let mut out = [0; 4096];
    let now = Now { mono_ms, unix_ms: 0 };
    let started = Instant::now();
    for name in names {
        black_box(cache.get(&key(name), now, &mut out));
    }
    started.elapsed()
}

/// Two addresses, or an alias and four, or no such name, as names have them in life.
fn response(name: &[u8]) -> Vec<u8> {
    let kind = name
        .iter()
        .fold(0u32, |sum, &byte| sum.wrapping_mul(31).wrapping_add(u32::from(byte)))
        % 10;
    let mut bytes = vec![0, 0, 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0];
    bytes.extend_from_slice(name);
    bytes.extend_from_slice(&[0, 1, 0, 1]);
    let record = |bytes: &mut Vec<u8>, rtype: u8, rdata: &[u8]| {
        bytes.extend_from_slice(&[0xc0, 12, 0, rtype, 0, 1, 0, 0, 0x0e, 0x10, 0, rdata.len() as u8]);
        bytes.extend_from_slice(rdata);
    };
    match kind {
        0..=4 => {
            bytes[7] = 2;
            (0..2).for_each(|host| record(&mut bytes, 1, &[192, 0, 2, host]));
        }
        5..=8 => {
            bytes[7] = 5;
            record(&mut bytes, 5, b"\x08d1234abc\x0acloudfront\x03net\x00");
            (0..4).for_each(|host| record(&mut bytes, 1, &[192, 0, 2, host]));
        }
        _ => {
            bytes[3] |= 3;
            bytes[9] = 1;
            let mut soa = b"\x01a\xc0\x0c\x01b\xc0\x0c".to_vec();
            soa.extend_from_slice(&[0, 0, 0x0e, 0x10].repeat(5));
            record(&mut bytes, 6, &soa);
        }
    }
    bytes
}

/// In an order that has nothing to do with where the cache puts them.
fn names() -> Vec<Vec<u8>> {
    let corpus = std::env::var_os("STAIRGATE_CORPUS").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared"),
        PathBuf::from,
    );
    let file = corpus.join("queries/umbrella-top-100k-fqdn.txt.zst");
    let file =
        std::fs::File::open(&file).unwrap_or_else(|error| panic!("{}: {error}; set STAIRGATE_CORPUS", file.display()));
    let mut text = String::new();
    zstd::Decoder::new(file)
        .and_then(|mut decoder| decoder.read_to_string(&mut text))
        .expect("the corpus is whole");
    let parse = |text: &str| Name::parse(text).ok().map(|name| name.as_wire().to_vec());
    let plain: Vec<&str> = text.lines().collect();
    let mut names: Vec<Vec<u8>> = plain.iter().filter_map(|name| parse(name)).collect();
    for label in ["www", "api", "cdn-a1"] {
        names.extend(plain.iter().filter_map(|name| parse(&format!("{label}.{name}"))));
    }
    names
}

/// Memory of this process that is really there; 0 where the system does not say.
fn resident_bytes() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: usize = statm
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse().ok())
        .unwrap_or(0);
    pages * 4096
}
