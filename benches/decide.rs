//! What a decision costs beside a plain walk over an fst of the same names: everything included, from the wire form of the
//! name to the decision, for a client that is known.
//!
//! Prints a table; fails only without its data (`STAIRGATE_CORPUS`, default `../shared`). The lists are all of the corpus, the
//! profile blocks every category and uses every allow list. Listed names are a sample in random order, unlisted ones those of
//! the corpus's real queries that no list holds. A figure is the best of [`ROUNDS`].
//!
//! An argument is taken as a gate file, to compile nothing.

use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use stairgate::config::settings::{ProfileSettings, Settings};
use stairgate::dns::key::{Key, to_text};
use stairgate::dns::name::Name;
use stairgate::dns::rtype;
use stairgate::list::compile::{CompileOptions, compile};
use stairgate::list::publish;
use stairgate::list::set::Gate;
use stairgate::list::source;
use stairgate::list::verify::Unverified;
use stairgate::policy::decision::Action;
use stairgate::policy::{Asker, Met, Policy};
use std::hint::black_box;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Instant;

const ROUNDS: usize = 7;
const SAMPLE: usize = 400_000;

fn main() {
    let file = std::env::args().skip(1).find(|argument| argument.ends_with(".gate"));
    let gate = match &file {
        Some(file) => publish::read(Path::new(file)).expect("a gate file").into_gate(),
        None => compiled(),
    };
    println!(
        "gate: {} names, {} keys, {} rule sets",
        gate.names(),
        gate.keys(),
        gate.rule_set_count()
    );
    let started = Instant::now();
    let policy = policy(&gate);
    println!(
        "policy: built in {:.1?}, {} kB of verdicts, {} patterns",
        started.elapsed(),
        policy.size_bytes() >> 10,
        gate.patterns().len()
    );
    let (plain, keys) = plain(&gate);
    println!("plain fst: {} bytes", plain.as_fst().as_bytes().len());

    let mut random = rand::rngs::StdRng::seed_from_u64(1);
    let listed: Vec<Vec<u8>> = (0..SAMPLE)
        .map(|_| wire(&to_text(&keys[random.random_range(0..keys.len())])))
        .collect();
    drop(keys);
    let asker = Asker::new(policy.profile("default"), None, None);
    let is_listed = |name: &[u8]| {
        let mut found = false;
        gate.walk(&Key::from_wire(name), |_, _| found = true);
        found
    };
    let mut unlisted: Vec<Vec<u8>> = queries().iter().map(|name| wire(name)).collect();
    unlisted.retain(|name| !is_listed(name));
    unlisted.shuffle(&mut random);

    println!("\n{:28} {:>9} {:>9} {:>7}", "", "plain", "decision", "times");
    for (what, names) in [("listed, random order", &listed), ("unlisted, real queries", &unlisted)] {
        let walk = best(|| names.iter().map(|name| usize::from(walk(&plain, name))).sum());
        let decide = best(|| {
            let decided = names.iter().map(|name| {
                let key = Key::from_wire(name);
                let decision = policy.decide(&gate, &asker, &key, Met::Question, rtype::A);
                usize::from(decision.action == Action::Pass)
            });
            decided.sum()
        });
        let each = |seconds: f64| seconds * 1e9 / names.len() as f64;
        println!(
            "{what:28} {:6.0} ns {:6.0} ns {:7.2}   ({} names)",
            each(walk),
            each(decide),
            decide / walk,
            names.len()
        );
    }
}

/// Seconds of the best round.
fn best(mut round: impl FnMut() -> usize) -> f64 {
    let mut best = f64::MAX;
    for _ in 0..ROUNDS {
        let started = Instant::now();
        black_box(round());
        best = best.min(started.elapsed().as_secs_f64());
    }
    best
}

fn corpus() -> PathBuf {
    let root = std::env::var_os("STAIRGATE_CORPUS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"),
        PathBuf::from,
    );
    assert!(
        root.join("lists").is_dir(),
        "{} has no lists; set STAIRGATE_CORPUS",
        root.display()
    );
    root
}

fn compiled() -> Gate {
    let argument = corpus().join("lists").display().to_string();
    let specs = source::expand(&argument, None, false).expect("readable lists");
    let compiled = compile(specs, &CompileOptions::default()).expect("lists that compile");
    Unverified::new(compiled.gate)
        .verify()
        .expect("a gate that verifies")
        .into_gate()
}

fn policy(gate: &Gate) -> Policy {
    let mut settings = Settings::builtin(Path::new("."));
    settings.gate = Some(PathBuf::from("lists.gate"));
    settings.lists.clear();
    let allow = gate.sources().iter().filter(|source| source.is_allow());
    settings.profiles = vec![ProfileSettings {
        allow_lists: allow.map(|source| source.name.clone()).collect(),
        ..ProfileSettings::blocking_everything()
    }];
    Policy::build(gate, &settings, &[]).expect("a policy")
}

/// The names of the gate as a plain fst, those below another left out, and all of them.
fn plain(gate: &Gate) -> (fst::Set<Vec<u8>>, Vec<Box<[u8]>>) {
    let mut keys: Vec<Box<[u8]>> = Vec::new();
    for shard in 0..gate.shard_count() {
        let mut of_shard = gate.shard_keys(shard, b"");
        while let Some((key, _)) = of_shard.next() {
            keys.push(key.into());
        }
    }
    keys.sort();
    keys.dedup();
    let mut builder = fst::SetBuilder::memory();
    let mut above: Option<&[u8]> = None;
    for key in keys.iter().filter(|key| !key.is_empty()) {
        if above.is_some_and(|above| key.starts_with(above)) {
            continue;
        }
        builder.insert(key).expect("sorted keys");
        above = Some(key);
    }
    (
        fst::Set::new(builder.into_inner().expect("memory")).expect("an fst"),
        keys,
    )
}

/// The plain walk: labels reversed, lower case, then byte by byte until a name ends or no byte leads on.
fn walk(plain: &fst::Set<Vec<u8>>, wire: &[u8]) -> bool {
    let fst = plain.as_fst();
    let mut labels = [(0usize, 0usize); 128];
    let (mut count, mut at) = (0, 0);
    while wire[at] != 0 {
        let length = usize::from(wire[at]);
        labels[count] = (at + 1, at + 1 + length);
        count += 1;
        at += length + 1;
    }
    let mut node = fst.root();
    for &(start, end) in labels[..count].iter().rev() {
        for byte in wire[start..end].iter().map(u8::to_ascii_lowercase).chain([b'.']) {
            let Some(index) = node.find_input(byte) else {
                return false;
            };
            node = fst.node(node.transition_addr(index));
        }
        if node.is_final() {
            return true;
        }
    }
    false
}

fn wire(name: &str) -> Vec<u8> {
    Name::parse(name).expect("a name").as_wire().to_vec()
}

fn queries() -> Vec<String> {
    let folder = corpus().join("queries");
    let mut names = Vec::new();
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("the folder of queries")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "zst"))
        .collect();
    files.sort();
    for file in files {
        let mut text = String::new();
        zstd::Decoder::new(std::fs::File::open(file).expect("a file"))
            .expect("zstd")
            .read_to_string(&mut text)
            .expect("text");
        names.extend(text.lines().filter(|name| Name::parse(name).is_ok()).map(str::to_owned));
    }
    names.sort();
    names.dedup();
    names
}
