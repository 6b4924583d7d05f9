//! The query road with the lists of the corpus, for benches: the gate, names to ask for, queries, answers to keep.
#![allow(dead_code, reason = "not every bench that takes this in uses all of it")]

use rand::SeedableRng;
use rand::seq::SliceRandom;
use stairgate::cache::{Cache, CacheKey};
use stairgate::config::settings::{ProfileSettings, Settings};
use stairgate::dns::key::{Key, to_text};
use stairgate::dns::name::Name;
use stairgate::dns::rtype;
use stairgate::generation::Generation;
use stairgate::list::compile::{CompileOptions, compile};
use stairgate::list::publish;
use stairgate::list::rule::Pattern;
use stairgate::list::set::Gate;
use stairgate::list::source;
use stairgate::list::verify::Unverified;
use stairgate::local::Zones;
use stairgate::now::Now;
use stairgate::policy::decision::Action;
use stairgate::policy::{Met, Policy};
use std::collections::HashSet;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Names that people look up and no list holds, asked for in turn: all fit the cache.
const CACHED: usize = 10_000;
/// Listed names, in an order that no cache of the processor foresees.
const BLOCKED: usize = 500_000;

/// The gate of all lists of the corpus.
pub fn gate() -> PathBuf {
    if let Some(gate) = std::env::var_os("STAIRGATE_GATE") {
        return gate.into();
    }
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("udp.gate");
    if !path.exists() {
        let lists = corpus().join("lists");
        let mut specs = source::expand(lists.to_str().unwrap(), None, false).unwrap_or_else(|error| panic!("{error}"));
        source::unique_names(&mut specs);
        let compiled = compile(specs, &CompileOptions::default()).unwrap_or_else(|error| panic!("{error}"));
        let verified = Unverified::new(compiled.gate)
            .verify()
            .unwrap_or_else(|error| panic!("{error}"));
        publish::publish(&path, &verified, &compiled.lines).unwrap_or_else(|error| panic!("{error}"));
    }
    path
}

/// As `serve` opens it, index and all.
pub fn open(gate: &Path) -> Gate {
    let state = Path::new(env!("CARGO_TARGET_TMPDIR")).join("udp-state");
    publish::Store::new(&state)
        .and_then(|store| store.open(gate))
        .unwrap_or_else(|error| panic!("{error}"))
}

/// The sources that block, without those that ask who serves a zone: what they need is known only where answers come from a resolver.
pub fn sources(gate: &Gate) -> Vec<String> {
    let servers = gate.patterns().iter().filter_map(|(pattern, rule)| match pattern {
        Pattern::NsName(..) | Pattern::NsAddress(_) => gate.rule(*rule).map(|rule| usize::from(rule.source.0)),
        _ => None,
    });
    let servers: HashSet<usize> = servers.collect();
    let sources = gate.sources().iter().enumerate();
    let sources = sources.filter(|(index, source)| !source.is_allow() && !servers.contains(index));
    sources.map(|(_, source)| source.name.clone()).collect()
}

/// Everything in force that [`sources`] have.
pub fn generation(gate: &Path) -> Arc<Generation> {
    generation_with(gate, |_| {})
}

/// The same, with other settings.
pub fn generation_with(gate: &Path, change: impl FnOnce(&mut Settings)) -> Arc<Generation> {
    let gate = open(gate);
    let mut settings = Settings::builtin(&std::env::temp_dir());
    settings.lists.clear();
    settings.profiles = vec![ProfileSettings {
        every_category: false,
        block: sources(&gate),
        ..ProfileSettings::blocking_everything()
    }];
    change(&mut settings);
    Arc::new(Generation {
        number: 1,
        policy: Policy::build(&gate, &settings, &[]).unwrap_or_else(|error| panic!("{error}")),
        gate: gate.into(),
        local: Zones::builtin(),
        settings: Arc::new(settings),
    })
}

fn corpus() -> PathBuf {
    let corpus = std::env::var_os("STAIRGATE_CORPUS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"),
        PathBuf::from,
    );
    assert!(
        corpus.join("lists").is_dir(),
        "no lists under {}; set STAIRGATE_CORPUS",
        corpus.display()
    );
    corpus
}

/// What becomes of a name; `None` if it is answered locally or is none.
fn action(generation: &Generation, name: &str) -> Option<Action> {
    let name = Name::parse(name).ok().filter(|name| !name.is_root())?;
    let asker = generation.policy.client([127, 0, 0, 1].into(), 0)?;
    if generation.local.covers(name.as_wire()) {
        return None;
    }
    let key = Key::from_wire(name.as_wire());
    let decision = generation
        .policy
        .decide(&generation.gate, &asker, &key, Met::Question, rtype::A);
    Some(decision.action)
}

/// Listed names that get a sinkhole answer, in random order.
pub fn blocked(generation: &Generation) -> Vec<String> {
    let mut keys = generation.gate.all_keys();
    let step = (generation.gate.keys() as usize / BLOCKED).max(1);
    let (mut names, mut number) = (Vec::new(), 0);
    while keys.advance() {
        if number % step == 0 {
            let name = to_text(keys.key());
            // Dropped names would hold up the driver, and rewritten ones are a question to the resolver.
            if action(generation, &name) == Some(Action::Sinkhole) {
                names.push(name);
            }
        }
        number += 1;
    }
    names.shuffle(&mut rand::rngs::StdRng::seed_from_u64(1));
    names
}

/// Names people look up that no list holds.
pub fn cached(generation: &Generation) -> Vec<String> {
    let mut names = Vec::new();
    for file in ["umbrella-top-100k-fqdn.txt.zst", "top-domains.txt.zst"] {
        let path = corpus().join("queries").join(file);
        let packed = std::fs::File::open(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut text = String::new();
        zstd::Decoder::new(packed)
            .and_then(|mut decoder| decoder.read_to_string(&mut text))
            .unwrap();
        let asked = text.lines().map(str::trim).filter(|line| line.is_ascii());
        names.extend(
            asked
                .filter(|name| action(generation, name) == Some(Action::Pass))
                .map(str::to_owned),
        );
    }
    names.truncate(CACHED);
    names
}

pub fn cache() -> Cache {
    Cache::new(128 << 20, Duration::ZERO, Duration::from_secs(86_400))
}

pub fn plain_query(name: &str) -> Vec<u8> {
    let mut bytes = vec![0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    bytes.extend(Name::parse(name).expect("a name of the corpus").as_wire());
    bytes.extend([0, 1, 0, 1]);
    bytes
}

pub fn answer(section: &[u8]) -> Vec<u8> {
    let mut message = vec![0, 0, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0];
    message.extend(section);
    message.extend(b"\xc0\x0c\0\x01\0\x01\0\0\x0e\x10\0\x04\xc6\x33\x64\x01");
    message
}

/// Keeps an answer to a query in the cache.
pub fn keep(cache: &Cache, query: &[u8], now: Now) {
    let key = CacheKey {
        qname: &query[12..query.len() - 4],
        qtype: rtype::A,
        dnssec_ok: false,
        checking_disabled: false,
    };
    cache.put(&key, &answer(&query[12..]), now);
}
