//! The run from start to end: names, servers, checks, rounds, tables.

use crate::latency::{self, latencies};
use crate::load::{self, Pace, load};
use crate::options::Options;
use crate::peers::check::check;
use crate::peers::config::{self, Kind, Place};
use crate::peers::names::Names;
use crate::peers::process::{self, Cpu, Memory, Server};
use crate::peers::upstream::Upstream;
use crate::table::{self, Round, Row};
use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

/// Blocked names whose answers are checked before the load; those of the load are checked as they come.
const CHECKED: usize = 2_000;
/// Questions outstanding when the bare loop's rate is found: enough to keep it busy.
const OUTSTANDING: u64 = 200;

/// A server that runs, and what was measured of it.
struct Candidate {
    server: Server,
    row: Row,
    /// The next question of each set.
    next: [usize; 3],
}

pub fn run(options: &Options) {
    println!("reading the lists of the corpus");
    let names = Names::read(options.listed);
    process::keep_to_own_core();
    process::raise_open_files();
    let folder = tempfile::tempdir().expect("a folder for lists and settings");
    let lists = names.write(folder.path());
    let upstream = Upstream::start();
    println!(
        "{} listed names; {} cached, {} blocked, {} mixed questions",
        names.listed(),
        names.sets[0].len(),
        names.sets[1].len(),
        names.sets[2].len()
    );
    let mut candidates = Vec::new();
    for &kind in &options.kinds {
        let Some(version) = kind.version() else {
            println!("{}: missing", kind.name());
            continue;
        };
        println!("{}: {version}", kind.name());
        let place = folder.path().join(kind.name());
        if options.settings {
            show_settings(kind, &place, &lists, &upstream);
        }
        match start(kind, &place, &lists, &upstream, &names) {
            Ok(candidate) => candidates.push(candidate),
            Err(said) => println!("{}: does not answer, and is left out; it said:\n{said}", kind.name()),
        }
    }
    let mut odd = BTreeSet::new();
    candidates.retain_mut(|candidate| is_right(candidate, &names, &mut odd));
    if !odd.is_empty() {
        println!(
            "{} cached names that a server answers in its own way are left out",
            odd.len()
        );
    }
    let names = names.without(&odd);
    let rate = rate(options, &candidates, &names);
    for round in 0..options.rounds {
        eprintln!("round {} of {}", round + 1, options.rounds);
        for set in 0..names.sets.len() {
            for candidate in &mut candidates {
                measure(options, candidate, &names, set, rate, &upstream);
            }
        }
    }
    for candidate in &mut candidates {
        candidate.row.memory = candidate.server.memory();
    }
    let (servers, rows): (Vec<Server>, Vec<Row>) = candidates
        .into_iter()
        .map(|candidate| (candidate.server, candidate.row))
        .unzip();
    drop(servers);
    table::print(&rows, names.sets.each_ref().map(|set| set.name));
}

fn show_settings(kind: Kind, folder: &Path, lists: &config::Lists, upstream: &Upstream) {
    let place = Place {
        folder,
        lists,
        port: 0,
        upstream: upstream.address,
    };
    let (file, settings) = config::settings(kind, &place);
    println!("--- {file}, where port 0 stands for a free one\n{settings}---");
}

/// Twice: in an empty folder, and where it ran before. The second stays.
fn start(
    kind: Kind,
    folder: &Path,
    lists: &config::Lists,
    upstream: &Upstream,
    names: &Names,
) -> Result<Candidate, String> {
    let start = || Server::start(kind, folder, lists, upstream.address, "", names.sets[1].get(0));
    let first = start()?.started_in;
    let server = start()?;
    println!(
        "{}: answers after {:.3} s, and after {:.3} s when started again",
        kind.name(),
        first.as_secs_f64(),
        server.started_in.as_secs_f64()
    );
    let row = Row {
        kind,
        series: Default::default(),
        starts: [first, server.started_in],
        memory: Memory::default(),
    };
    Ok(Candidate {
        server,
        row,
        next: [0; 3],
    })
}

/// Fills the cache. `odd` gains the few cached names that the server answers otherwise, such as those that tell a device not to hide
/// what it looks up. A server with many, or with a listed name that is not blocked, would do other work, and is left out.
fn is_right(candidate: &mut Candidate, names: &Names, odd: &mut BTreeSet<usize>) -> bool {
    let (kind, address) = (candidate.row.kind, candidate.server.address);
    let [cached, blocked, _] = &names.sets;
    let wrong = check(kind, address, cached, cached.len());
    let passed = check(kind, address, blocked, CHECKED);
    if wrong.len() * 100 > cached.len() || !passed.is_empty() || !candidate.server.is_running() {
        println!("{}: is left out", kind.name());
        return false;
    }
    odd.extend(wrong);
    true
}

/// The load every server gets, in questions a second.
fn rate(options: &Options, candidates: &[Candidate], names: &Names) -> f64 {
    let bare = candidates.iter().find(|candidate| candidate.row.kind == Kind::Bare);
    let server = &bare.expect("the bare loop answers").server;
    let drive = |pace| {
        let (before, started) = (server.cpu(), Instant::now());
        let outcome = load(
            Kind::Bare,
            server.address,
            &names.sets[0],
            0,
            pace,
            Duration::from_secs(2),
        );
        let busy =
            server.cpu().since(before).total.as_secs_f64() / started.elapsed().as_secs_f64().min(outcome.seconds);
        (outcome, busy)
    };
    let tries: Vec<_> = (0..3).map(|_| drive(Pace::Outstanding(OUTSTANDING))).collect();
    let (best, busy) = tries
        .into_iter()
        .max_by_key(|(outcome, _)| outcome.answered)
        .expect("there were some");
    let most = best.answered as f64 / best.seconds;
    let rate = most * options.load as f64 / 100.0;
    println!(
        "bare loop: {most:.0} answers a second with {OUTSTANDING} outstanding, {:.0} % of its core busy; load: {} source ports, {} % of \
         that, {rate:.0} a second",
        100.0 * busy,
        load::SOCKETS,
        options.load
    );
    if busy < 0.9 {
        println!("that is the load generator's limit, or that of a busy machine, not the bare loop's");
    }
    // More than it can send: what goes out is its limit.
    let (flood, _) = drive(Pace::PerSecond(1e9));
    println!(
        "the load generator sends {:.0} a second at most; latency is measured at {} a second",
        flood.sent as f64 / flood.seconds,
        latency::PER_SECOND
    );
    rate
}

fn measure(options: &Options, candidate: &mut Candidate, names: &Names, set: usize, rate: f64, upstream: &Upstream) {
    let (kind, address) = (candidate.row.kind, candidate.server.address);
    let queries = &names.sets[set];
    let series = &mut candidate.row.series[set];
    let (before, asked): (Cpu, u64) = (candidate.server.cpu(), upstream.asked());
    let duration = Duration::from_secs(options.seconds);
    let outcome = load(
        kind,
        address,
        queries,
        candidate.next[set],
        Pace::PerSecond(rate),
        duration,
    );
    let cpu = candidate.server.cpu().since(before);
    assert!(candidate.server.is_running(), "{} ended under load", kind.name());
    candidate.next[set] += outcome.sent as usize;
    let asked = upstream.asked() - asked;
    // Single ones are upkeep.
    if asked * 1_000 > outcome.answered {
        println!(
            "{}, {}: {asked} questions went to the upstream",
            kind.name(),
            queries.name
        );
    }
    if outcome.failed > 0 {
        println!(
            "{}, {}: {} answers were errors",
            kind.name(),
            queries.name,
            outcome.failed
        );
    }
    series.rounds.push(Round {
        cpu,
        wanted: (rate * outcome.seconds) as u64,
        sent: outcome.sent,
        answered: outcome.answered,
        bad: outcome.wrong + outcome.failed,
        seconds: outcome.seconds,
    });
    let seconds = options.seconds.div_ceil(2);
    let times = latencies(kind, address, queries, candidate.next[set], seconds);
    let timed = seconds * u64::from(latency::PER_SECOND);
    candidate.next[set] += timed as usize;
    series.timed += timed;
    series.latencies.extend(times);
}
