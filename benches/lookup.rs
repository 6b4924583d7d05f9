//! Look-ups beside the plain walk of the yardstick: the walk through the gate, and a whole decision.
//!
//! Listed names in random order, and names of the corpus's queries that no list holds. A figure is the best of
//! [`ROUNDS`]. Also how long opening a checked gate takes. Fails only without the data.
//!
//! To count instructions: `lookup FILE.gate listed|unlisted N [TIMES]` decides N names, so many times over, with a gate that was compiled before;
//! `valgrind --tool=callgrind --toggle-collect='*Policy*decide*'` counts those alone.

mod yardstick;

use stairgate::config::settings::{ProfileSettings, Settings};
use stairgate::dns::key::{Key, to_text};
use stairgate::dns::name::Name;
use stairgate::dns::rtype;
use stairgate::list::compile::{CompileOptions, compile};
use stairgate::list::publish::{self, Store};
use stairgate::list::set::Gate;
use stairgate::list::source;
use stairgate::list::verify::Unverified;
use stairgate::policy::{Asker, Met, Policy};
use std::hint::black_box;
use std::io::Read;
use std::path::Path;
use std::time::Instant;

const ROUNDS: usize = 7;
const LISTED: usize = 200_000;
/// As many as a UDP worker takes at once.
const BATCH: usize = 64;

fn main() {
    let corpus = yardstick::corpus();
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench")
        .collect();
    if let [file, which, count, times @ ..] = arguments.as_slice() {
        let times = times.first().map_or(1, |times| times.parse().expect("a number"));
        let count = count.parse().expect("a number");
        return decide_some(&corpus, Path::new(file), which == "listed", count, times);
    }
    let names = yardstick::names();
    let fst = yardstick::build(&names);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("all.gate");
    let lists = corpus.join("lists");
    let mut specs = source::expand(&lists.to_string_lossy(), None, false).expect("the corpus can be read");
    source::unique_names(&mut specs);
    let compiled = compile(specs, &CompileOptions::default()).expect("the corpus compiles");
    let started = Instant::now();
    let verified = Unverified::new(compiled.gate).verify().expect("it verifies");
    println!("verify: {:.0} ms", started.elapsed().as_secs_f64() * 1e3);
    publish::publish(&path, &verified, &compiled.lines).expect("it can be written");
    let store = Store::new(&folder.path().join("var")).expect("a state directory");
    drop(store.open(&path).expect("it opens"));
    let settings = settings(folder.path());
    let started = Instant::now();
    let gate = store.open(&path).expect("it opens");
    let opened = started.elapsed();
    let policy = Policy::build(&gate, &settings, &[]).expect("policy for it");
    let ready = started.elapsed();
    println!(
        "open a checked gate: {:.1} ms, with policy {:.1} ms (asked: 50)",
        opened.as_secs_f64() * 1e3,
        ready.as_secs_f64() * 1e3
    );

    let all: Vec<&str> = names.lines().collect();
    // A step without a factor in common with the count visits names in an order that no cache foresees.
    let listed = (0..LISTED).map(|n| all[(n * 1_000_003 + 7) % all.len()]);
    let listed: Vec<Name> = listed.filter_map(|name| Name::parse(name).ok()).collect();
    let asked = queries(&corpus);
    let unlisted: Vec<Name> = asked
        .into_iter()
        .filter(|name| {
            let mut hit = yardstick::walk(&fst, name.as_wire()).is_some();
            gate.walk(&Key::from_wire(name.as_wire()), |_, _| hit = true);
            !hit
        })
        .collect();
    let profile = policy.profile(&settings.profiles[0].name);
    let asker = Asker::new(profile, None, None);
    let mut batch = Batch::default();
    for (what, asked, names) in [("listed", 1.3, &listed), ("unlisted", 2.0, &unlisted)] {
        let plain = best(names, |name| {
            black_box(yardstick::walk(&fst, name.as_wire()));
        });
        let by_fst = best(names, |name| {
            let mut last = None;
            gate.walk_fst(&Key::from_wire(name.as_wire()), |_, set| last = Some(set));
            black_box(last);
        });
        let walked = best(names, |name| {
            let mut last = None;
            gate.walk(&Key::from_wire(name.as_wire()), |_, set| last = Some(set));
            black_box(last);
        });
        let decided = best(names, |name| {
            let key = Key::from_wire(name.as_wire());
            black_box(policy.decide(&gate, &asker, &key, Met::Question, rtype::A));
        });
        let batched = best_of_batches(names, |names| decide_batch(&gate, &policy, &asker, names, &mut batch));
        println!(
            "{} {what} names: plain walk {plain:.0} ns, gate's fst {by_fst:.0} ns, by index {walked:.0} ns ({:.2}), decision {decided:.0} ns ({:.2}; asked: {asked}), in batches of {BATCH} {batched:.0} ns ({:.2})",
            names.len(),
            walked / plain,
            decided / plain,
            batched / plain
        );
    }
}

/// One profile that blocks every category.
fn settings(folder: &Path) -> Settings {
    let mut settings = Settings::builtin(folder);
    settings.clients.clear();
    settings.profiles = vec![ProfileSettings::blocking_everything()];
    settings
}

/// Makes so many decisions and prints nothing but that.
fn decide_some(corpus: &Path, file: &Path, listed: bool, count: usize, times: usize) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let gate = Store::new(folder.path())
        .and_then(|store| store.open(file))
        .expect("it opens");
    let settings = settings(folder.path());
    let policy = Policy::build(&gate, &settings, &[]).expect("policy for it");
    let asker = Asker::new(policy.profile(&settings.profiles[0].name), None, None);
    let mut names = Vec::new();
    if listed {
        let mut keys = gate.all_keys();
        let step = (gate.keys() as usize / count).max(1);
        let mut number = 0;
        while keys.advance() {
            if number % step == 0 {
                names.push(Name::parse(&to_text(keys.key())).expect("a name"));
            }
            number += 1;
        }
    } else {
        names = queries(corpus);
        names.retain(|name| {
            let mut hit = false;
            gate.walk(&Key::from_wire(name.as_wire()), |_, _| hit = true);
            !hit
        });
    }
    let step = (names.len() / count).max(1);
    let names: Vec<Name> = names.into_iter().step_by(step).take(count).collect();
    let mut made = 0;
    let started = Instant::now();
    let mut batch = Batch::default();
    for names in (0..times).flat_map(|_| names.chunks(if times > 1 { BATCH } else { 1 })) {
        decide_batch(&gate, &policy, &asker, names, &mut batch);
        made += names.len();
    }
    println!(
        "{made} decisions, {} ns each",
        started.elapsed().as_nanos() / u128::from(made.max(1) as u64)
    );
}

/// Nanoseconds for each name.
fn best(names: &[Name], mut each: impl FnMut(&Name)) -> f64 {
    let rounds = (0..ROUNDS).map(|_| {
        let started = Instant::now();
        names.iter().for_each(&mut each);
        started.elapsed()
    });
    rounds.min().expect("there are rounds").as_nanos() as f64 / names.len() as f64
}

/// Room for what a batch needs.
#[derive(Default)]
struct Batch {
    keys: Vec<Key>,
    places: Vec<usize>,
}

/// Decides some names, with what memory holds of them brought near first.
fn decide_batch(gate: &Gate, policy: &Policy, asker: &Asker, names: &[Name], batch: &mut Batch) {
    let Batch { keys, places } = batch;
    keys.resize(names.len(), Key::ROOT);
    for (key, name) in keys.iter_mut().zip(names) {
        key.set_wire(name.as_wire());
    }
    if keys.len() > 1 {
        places.clear();
        keys.iter().for_each(|key| gate.foresee(key, places));
        black_box(gate.touch(places));
    }
    for key in &*keys {
        black_box(policy.decide(gate, asker, key, Met::Question, rtype::A));
    }
}

/// The same, with the names by the batch.
fn best_of_batches(names: &[Name], mut each: impl FnMut(&[Name])) -> f64 {
    let rounds = (0..ROUNDS).map(|_| {
        let started = Instant::now();
        names.chunks(BATCH).for_each(&mut each);
        started.elapsed()
    });
    rounds.min().expect("there are rounds").as_nanos() as f64 / names.len() as f64
}

/// The names of every ranking.
fn queries(corpus: &Path) -> Vec<Name> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(corpus.join("queries")).expect("the queries are there") {
        let path = entry.expect("the folder can be read").path();
        if path.extension().is_none_or(|extension| extension != "zst") {
            continue;
        }
        let file = std::fs::File::open(&path).expect("the ranking can be read");
        let mut text = String::new();
        let mut decoder = zstd::Decoder::new(file).expect("zstd");
        decoder.read_to_string(&mut text).expect("text");
        names.extend(text.lines().filter_map(|name| Name::parse(name).ok()));
    }
    names.sort();
    names.dedup();
    names
}
