//! A flood of names that no cache holds, at twice the rate that can be answered: what becomes of cached and blocked names meanwhile.
//!
//! In: the lists and query names of the corpus (`STAIRGATE_CORPUS`, default `../shared`), and Unbound if it is installed. Out: a table
//! on standard output, and for Stairgate whether every query sent is answered or counted. Never fails by time or by a figure.
//! Always: names, lists, settings and cores as in `side_by_side`; the upstream answers at once.
//!
//! `flood [--seconds N] [--times N] [--beside N] [--listed N]`

mod counted;
mod load;
#[path = "../peers/mod.rs"]
mod peers;

use counted::{Counted, kernel_drops};
use load::{Load, Of, Outcome};
use peers::check::check;
use peers::config::Kind;
use peers::names::Names;
use peers::process::Server;
use peers::upstream::Upstream;
use std::collections::BTreeSet;
use std::time::Duration;

/// Questions outstanding when the sustainable rate is found: enough to keep a server busy, and far below every bound.
const OUTSTANDING: u64 = 500;
/// Between what is measured, so that one does not meet what the other has left.
const PAUSE: Duration = Duration::from_secs(3);

/// What to run, and how much of it.
struct Options {
    /// Of flood.
    seconds: u64,
    /// The flood as a multiple of the sustainable rate.
    times: f64,
    /// Cached and blocked names beside it, of each so many a second.
    beside: f64,
    listed: usize,
}

impl Options {
    /// Ends the program on what it does not know.
    fn parse() -> Options {
        let mut options = Options {
            seconds: 10,
            times: 2.0,
            beside: 5_000.0,
            listed: 200_000,
        };
        peers::numbers(|word, number| {
            match word {
                "--seconds" => options.seconds = number.max(1.0) as u64,
                "--times" => options.times = number.max(0.0),
                "--beside" => options.beside = number.max(0.0),
                "--listed" => options.listed = number as usize,
                _ => return false,
            }
            true
        });
        options
    }
}

fn main() {
    let options = Options::parse();
    let names = Names::read(options.listed);
    peers::process::keep_to_own_core();
    peers::process::raise_open_files();
    let folder = tempfile::tempdir().expect("a folder for lists and settings");
    let lists = names.write(folder.path());
    let upstream = Upstream::start();
    let mut servers = Vec::new();
    let mut odd = BTreeSet::new();
    for kind in [Kind::Unbound, Kind::Stairgate] {
        let Some(version) = kind.version() else {
            println!("{}: missing", kind.name());
            continue;
        };
        let place = folder.path().join(kind.name());
        match Server::start(kind, &place, &lists, upstream.address, "", names.sets[1].get(0)) {
            Ok(server) => {
                println!("{}: {version}", kind.name());
                odd.extend(check(kind, server.address, &names.sets[0], usize::MAX));
                servers.push((kind, place, server));
            }
            Err(said) => println!("{}: does not answer; it said:\n{said}", kind.name()),
        }
    }
    // Those that a server answers in its own way.
    let names = names.without(&odd);
    let [cached, blocked, _] = &names.sets;
    for (kind, place, server) in servers {
        println!("\n{}:", kind.name());
        let mut load = Load::new(kind, &server, [cached, blocked]);
        let calm = load.outstanding(OUTSTANDING, Duration::from_secs(3));
        let sustained = calm.of(Of::Uncached).right as f64 / calm.seconds;
        println!("{sustained:.0} uncached names answered a second with {OUTSTANDING} outstanding");
        std::thread::sleep(PAUSE);
        for times in [0.0, options.times] {
            let rates = [options.beside, options.beside, times * sustained];
            let before = (kind == Kind::Stairgate).then(|| Counted::read(&place));
            let (lost_before, cpu) = (kernel_drops(server.address), server.cpu());
            let outcome = load.rates(rates, Duration::from_secs(options.seconds));
            let busy = server.cpu().since(cpu).total.as_secs_f64() / outcome.seconds;
            let lost = kernel_drops(server.address) - lost_before;
            print(times, &outcome, lost, busy);
            if let Some(before) = before {
                account(&outcome, lost, &Counted::read(&place).since(&before));
            }
            std::thread::sleep(PAUSE);
        }
    }
}

fn print(times: f64, outcome: &Outcome, lost: u64, busy: f64) {
    println!(
        "\nuncached names at {times} times that; CPU for {:.0} % of the time, with what is answered after it:\n",
        100.0 * busy
    );
    println!(
        "| names    | offered/s | answered rightly, % | SERVFAIL, % | wrong | nothing, % |   p50, ms |   p99, ms |"
    );
    println!(
        "| -------- | --------: | ------------------: | ----------: | ----: | ---------: | --------: | --------: |"
    );
    for of in Of::ALL {
        let fate = outcome.of(of);
        let percent = |count: u64| 100.0 * count as f64 / fate.sent.max(1) as f64;
        println!(
            "| {:<8} | {:>9.0} | {:>19.2} | {:>11.2} | {:>5} | {:>10.2} | {:>9.2} | {:>9.2} |",
            of.name(),
            fate.sent as f64 / outcome.seconds,
            percent(fate.right),
            percent(fate.failed),
            fate.wrong,
            percent(fate.sent - fate.right - fate.failed - fate.wrong),
            outcome.quantile(of, 0.5),
            outcome.quantile(of, 0.99),
        );
    }
    println!(
        "\n{lost} queries were lost before the server's socket, {} responses before the clients'",
        outcome.lost
    );
}

/// Whether what was sent is what was answered, and what was dropped and counted.
fn account(outcome: &Outcome, lost: u64, counted: &Counted) {
    let sum = |count: fn(&load::Fate) -> u64| Of::ALL.map(|of| count(outcome.of(of))).iter().sum::<u64>();
    let sent = sum(|fate| fate.sent);
    let answered = sum(|fate| fate.right + fate.failed + fate.wrong) + outcome.lost;
    let dropped = counted.dropped();
    let missing = sent as i64 - (answered + dropped + lost) as i64;
    println!(
        "sent {sent} = answered {answered} + counted drops {dropped} + lost before the socket {lost} + not accounted for {missing}"
    );
    println!("counted: {counted}");
}
