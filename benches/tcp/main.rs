//! Streams beside Unbound's: how many queries a second one connection gets, what they cost, and what a connection costs that waits.
//!
//! In: the lists and query names of the corpus (`STAIRGATE_CORPUS`, default `../shared`), and Unbound if it is installed. Out: two tables
//! on standard output. Never fails by time or by a figure; if Unbound is missing, that is said.
//! Always: names, lists, settings and cores as in `side_by_side`. Rounds in turns; figures are medians.
//!
//! `tcp [--rounds N] [--seconds N] [--depth N] [--connections N] [--listed N]`

mod idle;
mod load;
#[path = "../peers/mod.rs"]
mod peers;

use load::load;
use peers::check::check;
use peers::config::{Kind, Lists};
use peers::names::Names;
use peers::process::Server;
use peers::upstream::Upstream;
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

const KINDS: [Kind; 2] = [Kind::Unbound, Kind::Stairgate];
/// As many as `side_by_side` asks before the load.
const CHECKED: usize = 2_000;

/// What to run, and how much of it.
struct Options {
    rounds: usize,
    /// Of load, for each server, set of names and round.
    seconds: u64,
    /// Queries outstanding on the connection.
    depth: usize,
    /// Connections that wait.
    connections: usize,
    listed: usize,
}

impl Options {
    /// Ends the program on what it does not know.
    fn parse() -> Options {
        let mut options = Options {
            rounds: 5,
            seconds: 2,
            depth: 64,
            connections: 20_000,
            listed: 200_000,
        };
        peers::numbers(|word, number| {
            let count = number as usize;
            match word {
                "--rounds" => options.rounds = count.max(1),
                "--seconds" => options.seconds = number.max(1.0) as u64,
                "--depth" => options.depth = count.clamp(1, load::MOST_OUTSTANDING),
                "--connections" => options.connections = count,
                "--listed" => options.listed = count,
                _ => return false,
            }
            true
        });
        options
    }
}

/// What the servers are started with.
struct Stage<'a> {
    folder: &'a Path,
    lists: Lists,
    upstream: Upstream,
    names: Names,
}

impl Stage<'_> {
    /// Starts a server with `more` settings and fills its cache; with it come the cached names that it answers in its own way. `None` if it
    /// is of no use, which is said.
    fn start(&self, kind: Kind, more: &str) -> Option<(Server, Vec<usize>)> {
        let listed = self.names.sets[1].get(0);
        let folder = self.folder.join(kind.name());
        let server = Server::start(kind, &folder, &self.lists, self.upstream.address, more, listed);
        let server = server
            .inspect_err(|said| println!("{}: does not answer; it said:\n{said}", kind.name()))
            .ok()?;
        let [cached, blocked, _] = &self.names.sets;
        let odd = check(kind, server.address, cached, cached.len());
        check(kind, server.address, blocked, CHECKED);
        (odd.len() * 100 <= cached.len()).then_some((server, odd))
    }
}

/// One server, one set of names and one round.
struct Round {
    per_second: f64,
    micros: f64,
    /// The part of its core that the server was busy.
    busy: f64,
    bad: u64,
}

fn main() {
    let options = Options::parse();
    let names = Names::read(options.listed);
    peers::process::keep_to_own_core();
    peers::process::raise_open_files();
    let folder = tempfile::tempdir().expect("a folder for lists and settings");
    let mut stage = Stage {
        folder: folder.path(),
        lists: names.write(folder.path()),
        upstream: Upstream::start(),
        names,
    };
    for kind in KINDS {
        let version = kind.version().unwrap_or_else(|| "missing".to_owned());
        println!("{}: {version}", kind.name());
    }
    let kinds: Vec<Kind> = KINDS.into_iter().filter(|kind| kind.version().is_some()).collect();
    let mut servers = Vec::new();
    let mut odd = BTreeSet::new();
    for &kind in &kinds {
        if let Some((server, own)) = stage.start(kind, "") {
            servers.push((kind, server));
            odd.extend(own);
        }
    }
    stage.names = stage.names.without(&odd);
    one_connection(&options, &stage.names, &servers);
    drop(servers);
    idle::connections(&stage, &kinds, options.connections);
}

fn one_connection(options: &Options, names: &Names, servers: &[(Kind, Server)]) {
    println!(
        "\nOne connection with {} queries outstanding, {} rounds of {} s:\n",
        options.depth, options.rounds, options.seconds
    );
    println!("| names   | server    | queries/s | of unbound | CPU, us/query | of unbound | busy, % | bad answers |");
    println!("| ------- | --------- | --------: | ---------: | ------------: | ---------: | ------: | ----------: |");
    for queries in &names.sets[..2] {
        let mut rounds: Vec<Vec<Round>> = servers.iter().map(|_| Vec::new()).collect();
        for round in 0..options.rounds {
            for ((kind, server), rounds) in servers.iter().zip(&mut rounds) {
                let first = round * queries.len() / options.rounds;
                let before = server.cpu();
                let duration = Duration::from_secs(options.seconds);
                let outcome = load(*kind, server.address, queries, first, options.depth, duration);
                let cpu = server.cpu().since(before).total.as_secs_f64();
                rounds.push(Round {
                    per_second: outcome.answered as f64 / outcome.seconds,
                    micros: cpu * 1e6 / outcome.answered.max(1) as f64,
                    busy: cpu / outcome.seconds,
                    bad: outcome.bad,
                });
            }
        }
        let unbound = servers.iter().position(|(kind, _)| *kind == Kind::Unbound);
        for ((kind, _), own) in servers.iter().zip(&rounds) {
            // Round by round, since neighbours in time met the same machine.
            let ratio = |figure: fn(&Round) -> f64| {
                let unbound = unbound.map(|at| own.iter().zip(&rounds[at]));
                unbound.map_or(f64::NAN, |pairs| {
                    median(pairs.map(|(own, other)| figure(own) / figure(other)))
                })
            };
            println!(
                "| {:<7} | {:<9} | {:>9.0} | {:>10.2} | {:>13.2} | {:>10.2} | {:>7.0} | {:>11} |",
                queries.name,
                kind.name(),
                median(own.iter().map(|round| round.per_second)),
                ratio(|round| round.per_second),
                median(own.iter().map(|round| round.micros)),
                ratio(|round| round.micros),
                100.0 * median(own.iter().map(|round| round.busy)),
                own.iter().map(|round| round.bad).sum::<u64>(),
            );
        }
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
