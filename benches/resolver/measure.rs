//! The measurements, each with resolvers of its own.
//!
//! Always: both resolvers are asked the same names in the same weather; who is first changes from round to round.

use crate::Options;
use crate::authority::Weather;
use crate::driver::{self, Flood, Outcome, PATIENCE, Pace};
use crate::process::{Authorities, Kind, Resolver, Setup, settings};
use crate::table::{Table, quantile};
use crate::world::{Asked, Right, World, Zone};
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Cold names a round, and how many a second.
const NAMES: u64 = 2000;
const NAMES_PER_SECOND: u32 = 150;
const WARM_PER_SECOND: u32 = 500;
/// Names a round where neither distance nor bad servers hold anything up, and how many are waited for at once.
const MISSES: u64 = 4000;
const OUTSTANDING: usize = 100;
/// Names asked once, and in another process a hundred times at once.
const JOINED: u64 = 20;
/// How often a failing name is asked, and over how long.
const FAILING: usize = 1000;
const FAILING_SECONDS: u32 = 60;
const TRAPS: u64 = 10;
const FLOOD_PER_SECOND: u32 = 10_000;
/// Other names before and during the flood.
const OTHERS: u64 = 1000;
const OTHERS_PER_SECOND: u32 = 200;
const CACHE_MIB: u64 = 64;
const SMALL_CACHE_MIB: u64 = 16;
/// Until whatever a resolver does after it answered has come to an end.
const SETTLE: Duration = Duration::from_secs(2);

const PLAIN: Setup<'static> = Setup {
    cache_mib: CACHE_MIB,
    anchor: None,
};

/// Prints what all measurements have in common.
pub fn conditions(options: &Options) {
    let version = std::process::Command::new("unbound").arg("-V").output();
    let version = version.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let version = version.unwrap_or_default();
    println!(
        "{}, seed {}, {} rounds",
        version.lines().next().unwrap_or("Unbound"),
        options.seed,
        options.rounds
    );
    let validating = Setup {
        anchor: Some(""),
        ..PLAIN
    };
    for kind in Kind::ALL {
        for setup in [PLAIN, validating] {
            let what = if setup.anchor.is_some() {
                " where it validates"
            } else {
                ""
            };
            println!("\n{}'s settings{what}:\n", kind.name());
            print!("{}", settings(kind, setup, Path::new("FOLDER")));
        }
    }
}

/// Who is asked in a round, in which order.
fn turns(round: usize) -> [Kind; 2] {
    match round % 2 {
        0 => Kind::ALL,
        _ => [Kind::Stairgate, Kind::Unbound],
    }
}

fn millis(outcomes: &[Outcome]) -> Vec<f64> {
    outcomes
        .iter()
        .map(|outcome| outcome.time.as_secs_f64() * 1e3)
        .collect()
}

fn percent(part: usize, whole: usize) -> f64 {
    100.0 * part as f64 / whole.max(1) as f64
}

fn right(outcomes: &[Outcome]) -> usize {
    outcomes.iter().filter(|outcome| outcome.right).count()
}

/// Cold and warm names in rough weather: answered, how fast, at what cost.
pub fn names(options: &Options) {
    let mut table = Table::default();
    let world = World { seed: options.seed };
    let mut authorities = Authorities::start(options.seed);
    authorities.weather(Weather::ROUGH);
    let mut hopeless = 0;
    for round in 0..options.rounds {
        let first = round as u64 * NAMES;
        let all: Vec<Asked> = (first..first + NAMES).map(|number| world.asked(number)).collect();
        let names: Vec<Asked> = all.iter().filter(|asked| asked.answerable).cloned().collect();
        hopeless = all.len() - names.len();
        for kind in turns(round) {
            let resolver = Resolver::start(kind, PLAIN);
            sleep(SETTLE);
            authorities.count("127.");
            let cpu = resolver.cpu();
            let cold = driver::ask(resolver.address, &names, Pace::PerSecond(NAMES_PER_SECOND), false);
            sleep(SETTLE);
            let cpu = resolver.cpu() - cpu;
            let packets = authorities.count("127.");
            let failed: Vec<Asked> = names
                .iter()
                .zip(&cold)
                .filter(|(_, outcome)| !outcome.right)
                .map(|(asked, _)| asked.clone())
                .collect();
            let again = driver::ask(resolver.address, &failed, Pace::PerSecond(NAMES_PER_SECOND), false);
            for (asked, outcome) in failed.iter().zip(&again) {
                if options.tell {
                    println!("{}: {}; {}", kind.name(), asked.name, world.tempers(&asked.name));
                }
                if !outcome.right {
                    println!("round {round}: {} is still unanswered by {}", asked.name, kind.name());
                }
            }
            let warm = driver::ask(resolver.address, &names, Pace::PerSecond(WARM_PER_SECOND), false);
            let wrong = cold
                .iter()
                .chain(&again)
                .chain(&warm)
                .filter(|outcome| outcome.wrong)
                .count();
            let times = millis(&cold);
            let warm_times = millis(&warm);
            let mut add = |what, asked, decimals, value| table.add(what, asked, decimals, kind, value);
            let by_second = right(&cold) + right(&again);
            add(
                "answered within 5 s at the first ask, %",
                "99.9",
                2,
                percent(right(&cold), names.len()),
            );
            add(
                "answered by the second ask, %",
                "100",
                2,
                percent(by_second, names.len()),
            );
            let failures = cold.iter().filter(|outcome| outcome.failed).count();
            add(
                "SERVFAIL within 5 s at the first ask, %",
                "",
                2,
                percent(failures, names.len()),
            );
            add("wrong answers", "0", 0, wrong as f64);
            add(
                "cold: median, ms",
                "1.05 of Unbound's",
                1,
                quantile(&times, 0.5).unwrap_or_default(),
            );
            add(
                "cold: p99, ms",
                "1.05 of Unbound's",
                1,
                quantile(&times, 0.99).unwrap_or_default(),
            );
            add(
                "warm: median, ms",
                "1.05 of Unbound's",
                3,
                quantile(&warm_times, 0.5).unwrap_or_default(),
            );
            add(
                "warm: p99, ms",
                "1.05 of Unbound's",
                3,
                quantile(&warm_times, 0.99).unwrap_or_default(),
            );
            add(
                "upstream packets a cold name",
                "Unbound's",
                2,
                packets as f64 / names.len() as f64,
            );
            add(
                "CPU a cold name, us",
                "Unbound's",
                0,
                cpu.as_micros() as f64 / names.len() as f64,
            );
        }
    }
    table.print(&format!(
        "Names: {NAMES} cold names a round, {NAMES_PER_SECOND} a second, less {hopeless} without a server that works; delays of 10 to \
         150 ms, 2 % loss, one bad server in five"
    ));
}

/// What a cache miss costs where nothing goes wrong.
pub fn misses(options: &Options) {
    let world = World { seed: options.seed };
    let names = |round: usize| -> Vec<Asked> {
        let first = 10_000 + round as u64 * MISSES;
        (first..first + MISSES).map(|number| world.asked(number)).collect()
    };
    let table = throughput(options, names, false);
    table.print(&format!(
        "Cache misses: {MISSES} cold names a round, {OUTSTANDING} outstanding, no delay, loss or bad server"
    ));
}

/// What a validated cache miss costs.
pub fn validation(options: &Options) {
    let world = World { seed: options.seed };
    let names = |round: usize| -> Vec<Asked> {
        let first = round as u64 * MISSES;
        (first..first + MISSES)
            .map(|number| world.asked_signed(number))
            .collect()
    };
    let table = throughput(options, names, true);
    table.print(&format!(
        "Validation: {MISSES} cold names a round, each in a signed zone of its own (ECDSA P-256), {OUTSTANDING} outstanding, no delay, \
         loss or bad server"
    ));
}

fn throughput(options: &Options, names: impl Fn(usize) -> Vec<Asked>, validate: bool) -> Table {
    let mut table = Table::default();
    let mut authorities = Authorities::start(options.seed);
    authorities.weather(Weather::NEAR);
    let anchor = authorities.anchor.clone();
    let setup = Setup {
        anchor: validate.then_some(anchor.as_str()),
        ..PLAIN
    };
    for round in 0..options.rounds {
        let names = names(round);
        for kind in turns(round) {
            let resolver = Resolver::start(kind, setup);
            sleep(SETTLE);
            authorities.count("127.");
            let (cpu, start) = (resolver.cpu(), Instant::now());
            let outcomes = driver::ask(resolver.address, &names, Pace::Outstanding(OUTSTANDING), validate);
            let (cpu, wall) = (resolver.cpu() - cpu, start.elapsed());
            let packets = authorities.count("127.");
            let answered = right(&outcomes);
            let mut add = |what, asked, decimals, value| table.add(what, asked, decimals, kind, value);
            add("answered, %", "100", 2, percent(answered, names.len()));
            if validate {
                let secure = outcomes
                    .iter()
                    .filter(|outcome| outcome.right && outcome.authentic)
                    .count();
                add("validated, %", "100", 2, percent(secure, names.len()));
            }
            let asked = if validate { "Unbound's or more" } else { "" };
            add("answers a second", asked, 0, answered as f64 / wall.as_secs_f64());
            add(
                "CPU an answer, us",
                "Unbound's",
                0,
                cpu.as_micros() as f64 / answered.max(1) as f64,
            );
            add(
                "upstream packets an answer",
                "",
                2,
                packets as f64 / answered.max(1) as f64,
            );
        }
    }
    table
}

/// 100 equal cold queries beside one.
pub fn joining(options: &Options) {
    let mut table = Table::default();
    let world = World { seed: options.seed };
    let mut authorities = Authorities::start(options.seed);
    authorities.weather(Weather::FAR);
    let names: Vec<Asked> = (30_000..30_000 + JOINED).map(|number| world.asked(number)).collect();
    for round in 0..options.rounds {
        for kind in turns(round) {
            for (what, times) in [
                ("packets a name asked once", 1),
                ("packets a name asked 100 times at once", 100),
            ] {
                let resolver = Resolver::start(kind, PLAIN);
                sleep(SETTLE);
                authorities.count("127.");
                for asked in &names {
                    let equal = vec![asked.clone(); times];
                    let outcomes = driver::ask(resolver.address, &equal, Pace::Outstanding(times), false);
                    if right(&outcomes) < times {
                        println!(
                            "{}: {} of {times} answered by {}",
                            asked.name,
                            right(&outcomes),
                            kind.name()
                        );
                    }
                }
                sleep(SETTLE);
                let asked = if times == 1 { "" } else { "the same" };
                table.add(what, asked, 2, kind, authorities.count("127.") as f64 / JOINED as f64);
            }
        }
    }
    table.print(&format!(
        "Equal queries: {JOINED} names one after another, each by a new process; delays only"
    ));
}

/// A name that fails, asked again and again.
pub fn failing(options: &Options) {
    let mut table = Table::default();
    let world = World { seed: options.seed };
    let mut authorities = Authorities::start(options.seed);
    authorities.weather(Weather::FAR);
    let resolvers = Kind::ALL.map(|kind| Resolver::start(kind, PLAIN));
    // Two zones of each sort for each resolver: one whose name is asked once, one whose name is asked all the time.
    let names = |number: u64| {
        [Zone::Silent(number), Zone::Broken(number)].map(|zone| Asked {
            name: format!("www.{}", world.apex(zone)),
            right: Right::Anything,
            answerable: false,
        })
    };
    let mut asked_once = [[0; 2]; 2];
    for (at, resolver) in resolvers.iter().enumerate() {
        driver::ask(resolver.address, &names(at as u64), Pace::Outstanding(2), false);
    }
    // Retransmissions may go on after the client's patience.
    sleep(Duration::from_secs(20));
    for (at, counts) in asked_once.iter_mut().enumerate() {
        *counts = ["11", "12"].map(|net| authorities.count(&format!("127.{net}.{at}.")));
    }
    std::thread::scope(|scope| {
        for (at, resolver) in resolvers.iter().enumerate() {
            let repeated: Vec<Asked> = (0..FAILING).flat_map(|_| names(2 + at as u64)).collect();
            let pace = Pace::PerSecond(repeated.len() as u32 / FAILING_SECONDS);
            scope.spawn(move || driver::ask(resolver.address, &repeated, pace, false));
        }
    });
    for (at, kind) in Kind::ALL.into_iter().enumerate() {
        let sorts = [
            (
                "silent servers: packets, asked once",
                "silent servers: packets, asked 1,000 times",
            ),
            ("SERVFAIL: packets, asked once", "SERVFAIL: packets, asked 1,000 times"),
        ];
        for (sort, (once, often)) in sorts.into_iter().enumerate() {
            let net = 11 + sort;
            let packets = authorities.count(&format!("127.{net}.{}.", at + 2));
            table.add(once, "", 0, kind, asked_once[at][sort] as f64);
            table.add(often, "5 resolutions", 0, kind, packets as f64);
        }
    }
    table.print(&format!(
        "A failing name: asked {FAILING} times in {FAILING_SECONDS} s; one round"
    ));
}

/// Referrals to 50 name servers in the zone of a victim.
pub fn nxns(options: &Options) {
    let mut table = Table::default();
    let world = World { seed: options.seed };
    let mut authorities = Authorities::start(options.seed);
    authorities.weather(Weather::FAR);
    for round in 0..options.rounds {
        for kind in turns(round) {
            let resolver = Resolver::start(kind, PLAIN);
            sleep(SETTLE);
            authorities.count("127.");
            let mut most = 0;
            let mut all = 0;
            for trap in 0..TRAPS {
                let asked = Asked {
                    name: format!("www.trap{trap}.{}", world.apex(Zone::Attacker(0))),
                    right: Right::Anything,
                    answerable: false,
                };
                driver::ask(resolver.address, &[asked], Pace::Outstanding(1), false);
                sleep(SETTLE);
                let packets = authorities.count("127.15.");
                most = most.max(packets);
                all += packets;
            }
            table.add(
                "queries at the victim a query, mean",
                "10",
                1,
                kind,
                all as f64 / TRAPS as f64,
            );
            table.add("queries at the victim a query, most", "10", 0, kind, most as f64);
        }
    }
    table.print(&format!(
        "NXNS: {TRAPS} queries, each for a zone with 50 servers without glue, in the victim's zone"
    ));
}

/// Random subdomains of a dead zone, and what they do to other names.
pub fn flood(options: &Options) {
    let mut table = Table::default();
    let world = World { seed: options.seed };
    let mut authorities = Authorities::start(options.seed);
    authorities.weather(Weather::ROUGH);
    let seconds = OTHERS as u32 / OTHERS_PER_SECOND;
    for round in 0..options.rounds {
        let others = |part: u64| -> Vec<Asked> {
            let first = 32_000 + (2 * round as u64 + part) * OTHERS;
            let all = (first..first + OTHERS).map(|number| world.asked(number));
            all.filter(|asked| asked.answerable).collect()
        };
        let warm_up: Vec<Asked> = (31_000..31_500).map(|number| world.asked(number)).collect();
        for kind in turns(round) {
            let resolver = Resolver::start(kind, PLAIN);
            driver::ask(resolver.address, &warm_up, Pace::PerSecond(OTHERS_PER_SECOND), false);
            let pace = Pace::PerSecond(OTHERS_PER_SECOND);
            let before = driver::ask(resolver.address, &others(0), pace, false);
            authorities.count("127.13.");
            let cpu = resolver.cpu();
            let start = Instant::now();
            let flood = Flood::start(resolver.address, &world.apex(Zone::Dead(0)), FLOOD_PER_SECOND);
            let during = driver::ask(resolver.address, &others(1), pace, false);
            // Both are flooded for the same time, however long they made others wait.
            sleep((Duration::from_secs(seconds.into()) + PATIENCE).saturating_sub(start.elapsed()));
            let sent = flood.end();
            let cpu = resolver.cpu() - cpu;
            let packets = authorities.count("127.13.");
            for (times, outcomes) in [
                (
                    ["before: answered, %", "before: median, ms", "before: p99, ms"],
                    &before,
                ),
                (
                    ["during: answered, %", "during: median, ms", "during: p99, ms"],
                    &during,
                ),
            ] {
                let [answered, middle, p99] = times;
                let values = millis(outcomes);
                let asked = if p99.starts_with("during") { "twice before" } else { "" };
                table.add(answered, "", 1, kind, percent(right(outcomes), outcomes.len()));
                table.add(middle, "", 0, kind, quantile(&values, 0.5).unwrap_or_default());
                table.add(p99, asked, 0, kind, quantile(&values, 0.99).unwrap_or_default());
            }
            table.add("queries of the flood", "", 0, kind, sent as f64);
            table.add("packets at the dead zone", "", 0, kind, packets as f64);
            table.add("CPU during, s", "", 2, kind, cpu.as_secs_f64());
        }
    }
    table.print(&format!(
        "Flood: {FLOOD_PER_SECOND} random names a second of a zone whose servers are silent; {OTHERS_PER_SECOND} others a second for \
         {seconds} s before and during, in rough weather"
    ));
}

/// A cache filled past its bound.
pub fn memory(options: &Options) {
    let mut table = Table::default();
    let world = World { seed: options.seed };
    let mut authorities = Authorities::start(options.seed);
    authorities.weather(Weather::NEAR);
    let setup = Setup {
        cache_mib: SMALL_CACHE_MIB,
        anchor: None,
    };
    for kind in Kind::ALL {
        let resolver = Resolver::start(kind, setup);
        sleep(SETTLE);
        let start = resolver.memory();
        let mut answered = 0;
        let mut most = start;
        let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        let cpu = resolver.cpu();
        for first in (0..options.fill).step_by(20_000) {
            let last = options.fill.min(first + 20_000);
            let names: Vec<Asked> = (first..last).map(|number| world.asked_big(0, number)).collect();
            answered += right(&driver::ask(
                resolver.address,
                &names,
                Pace::Outstanding(OUTSTANDING),
                false,
            ));
            most = most.max(resolver.memory());
        }
        let cpu = resolver.cpu() - cpu;
        table.add("answered, %", "100", 2, kind, percent(answered, options.fill as usize));
        table.add("private memory at start, MiB", "", 1, kind, mib(start));
        table.add("at most while filling, MiB", "", 1, kind, mib(most));
        table.add("grown by, MiB", "17.6", 1, kind, mib(most - start));
        table.add(
            "CPU an answer, us",
            "",
            0,
            kind,
            cpu.as_micros() as f64 / answered.max(1) as f64,
        );
    }
    table.print(&format!(
        "Memory: {} distinct names of one zone through a cache of {SMALL_CACHE_MIB} MiB; one round",
        options.fill
    ));
}
