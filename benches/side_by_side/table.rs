//! Figures of all rounds, and the tables made of them.

use crate::peers::config::Kind;
use crate::peers::process::{Cpu, Memory};
use std::time::Duration;

/// Every kernel of Linux tells programs so.
const TICKS_PER_SECOND: f64 = 100.0;

/// One server and one set of names in one round.
#[derive(Debug, Clone, Copy)]
pub struct Round {
    pub cpu: Cpu,
    /// Questions of the load; fewer were sent where the sender was held up.
    pub wanted: u64,
    pub sent: u64,
    pub answered: u64,
    /// Answered with something else than is right.
    pub bad: u64,
    pub seconds: f64,
}

impl Round {
    /// CPU for each answered query, in microseconds.
    fn total(&self) -> f64 {
        self.cpu.total.as_secs_f64() * 1e6 / self.answered.max(1) as f64
    }
}

/// All rounds of one server and one set of names.
#[derive(Debug, Default)]
pub struct Series {
    pub rounds: Vec<Round>,
    /// In nanoseconds, of all rounds.
    pub latencies: Vec<u32>,
    /// Questions of the latency measurement.
    pub timed: u64,
}

impl Series {
    /// CPU for each answered query, the median of the rounds.
    fn total(&self) -> f64 {
        median(self.rounds.iter().map(Round::total))
    }

    /// The part of CPU time that is the program's own, of all rounds together, since it comes from ticks.
    fn user_share(&self) -> f64 {
        let (user, system) = self.ticks();
        user / (user + system).max(1.0)
    }

    /// One standard error of that part, as of so many independent ticks.
    fn user_share_error(&self) -> f64 {
        let (user, system) = self.ticks();
        let share = self.user_share();
        (share * (1.0 - share) / (user + system).max(1.0)).sqrt()
    }

    fn ticks(&self) -> (f64, f64) {
        let sum = |field: fn(&Cpu) -> u64| self.rounds.iter().map(|round| field(&round.cpu)).sum::<u64>() as f64;
        (sum(|cpu| cpu.user), sum(|cpu| cpu.system))
    }

    /// Total CPU as a multiple of another server's: the median of each round's, since neighbours in time met the same machine.
    fn ratio(&self, other: &Series) -> f64 {
        let pairs = self.rounds.iter().zip(&other.rounds);
        median(pairs.map(|(one, other)| one.total() / other.total()))
    }

    fn rate(&self, field: impl Fn(&Round) -> u64) -> f64 {
        let count: u64 = self.rounds.iter().map(field).sum();
        count as f64 / self.rounds.iter().map(|round| round.seconds).sum::<f64>()
    }

    fn lost_percent(&self) -> f64 {
        let sum = |field: fn(&Round) -> u64| self.rounds.iter().map(field).sum::<u64>() as f64;
        100.0 * (1.0 - sum(|round| round.answered) / sum(|round| round.sent).max(1.0))
    }
}

/// One server.
#[derive(Debug)]
pub struct Row {
    pub kind: Kind,
    /// As the sets of names are ordered.
    pub series: [Series; 3],
    /// Of a start in an empty folder, and of one where it ran before.
    pub starts: [Duration; 2],
    pub memory: Memory,
}

/// Prints all tables.
pub fn print(rows: &[Row], sets: [&str; 3]) {
    let find = |kind: Kind| rows.iter().find(|row| row.kind == kind);
    let bare = find(Kind::Bare).expect("it is always there");
    let unbound = find(Kind::Unbound);
    println!("\nCPU in microseconds for each answered query; latency in microseconds.\n");
    println!(
        "| names   | server        |  user | system | total | of bare | of unbound | offered/s | lost, % | bad answers |   p50 |   p99 | p99.9 | no time |"
    );
    println!(
        "| ------- | ------------- | ----: | -----: | ----: | ------: | ---------: | --------: | ------: | ----------: | ----: | ----: | ----: | ------: |"
    );
    for (set, name) in sets.iter().enumerate() {
        for row in rows {
            let series = &row.series[set];
            let (total, share) = (series.total(), series.user_share());
            let of_unbound = unbound.map_or("".to_owned(), |unbound| {
                format!("{:.2}", series.ratio(&unbound.series[set]))
            });
            let latency = |share| quantile(&series.latencies, share);
            println!(
                "| {name:<7} | {:<13} | {:>5.2} | {:>6.2} | {total:>5.2} | {:>7.2} | {of_unbound:>10} | {:>9.0} | {:>7.2} | {:>11} | {:>5.1} | {:>5.0} | {:>5.0} | {:>7} |",
                row.kind.name(),
                total * share,
                total * (1.0 - share),
                series.ratio(&bare.series[set]),
                series.rate(|round| round.sent),
                series.lost_percent(),
                series.rounds.iter().map(|round| round.bad).sum::<u64>(),
                latency(0.5),
                latency(0.99),
                latency(0.999),
                series.timed - series.latencies.len() as u64,
            );
        }
    }
    held_up(rows);
    println!(
        "\nMemory after the load, in MiB; time from the program's start to the first right answer for a listed name, in seconds.\n"
    );
    println!("| server        | private dirty | file-mapped | first start | start again |");
    println!("| ------------- | ------------: | ----------: | ----------: | ----------: |");
    for row in rows {
        let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        println!(
            "| {:<13} | {:>13.1} | {:>11.1} | {:>11.3} | {:>11.3} |",
            row.kind.name(),
            mib(row.memory.private_dirty),
            mib(row.memory.file_mapped),
            row.starts[0].as_secs_f64(),
            row.starts[1].as_secs_f64(),
        );
    }
    if let Some(stairgate) = find(Kind::Stairgate) {
        asked(stairgate, bare, unbound, sets);
    }
}

/// Says where less than the load was offered: then the machine was busy with something else, and the figures mean little.
fn held_up(rows: &[Row]) {
    let rounds = rows
        .iter()
        .flat_map(|row| &row.series)
        .flat_map(|series| &series.rounds);
    let parts: Vec<f64> = rounds
        .map(|round| round.sent as f64 / round.wanted.max(1) as f64)
        .collect();
    let least = parts.iter().copied().fold(1.0, f64::min);
    let count = parts.iter().filter(|part| **part < 0.95).count();
    if count > 0 {
        println!(
            "\nThe load generator was held up: in {count} of {} measurements it sent less than 95 % of the load, in one {:.0} %.",
            parts.len(),
            100.0 * least
        );
    }
}

/// What is asked of Stairgate, in the order of the sets, and a line that tells which of it is met.
fn asked(stairgate: &Row, bare: &Row, unbound: Option<&Row>, sets: [&str; 3]) {
    let mut lines: Vec<(String, f64, f64, f64)> = Vec::new();
    for (set, most) in [(0, 0.13), (1, 0.24)] {
        let series = &stairgate.series[set];
        let ratio = series.ratio(&bare.series[set]);
        lines.push((
            format!("user, {}, of the bare loop's total", sets[set]),
            most,
            ratio * series.user_share(),
            ratio * series.user_share_error(),
        ));
    }
    for set in [0, 1, 2] {
        let ratio = stairgate.series[set].ratio(&bare.series[set]);
        lines.push((format!("total, {}, of the bare loop's", sets[set]), 1.2, ratio, 0.0));
    }
    if let Some(unbound) = unbound {
        for (set, most) in [(0, 0.78), (1, 0.6), (2, 0.7)] {
            let ratio = stairgate.series[set].ratio(&unbound.series[set]);
            lines.push((format!("total, {}, of Unbound's", sets[set]), most, ratio, 0.0));
        }
    }
    println!(
        "\n| asked of stairgate, at most             | asked | measured |\n| --------------------------------------- | ----: | -------: |"
    );
    for (what, most, measured, error) in &lines {
        let error = match *error > 0.0 {
            true => format!(" ± {error:.3}"),
            false => String::new(),
        };
        println!("| {what:<39} | {most:>5.2} | {measured:>8.3}{error} |");
    }
    let unmet: Vec<&str> = lines
        .iter()
        // What could not be measured is not met.
        .filter(|(_, most, measured, _)| measured.partial_cmp(most).is_none_or(|order| order.is_gt()))
        .map(|(what, ..)| what.as_str())
        .collect();
    let met = lines.len() - unmet.len();
    match unmet.as_slice() {
        [] => println!("\nmet: all {met}"),
        _ => println!("\nmet: {met} of {}; not met: {}", lines.len(), unmet.join("; ")),
    }
    let (user, system) = stairgate.series[0].ticks();
    println!(
        "user time is told from system time by {:.0} s of the kernel's ticks for each set; ± is one standard error",
        (user + system) / TICKS_PER_SECOND
    );
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The time that `share` of all do not exceed, in microseconds.
fn quantile(nanos: &[u32], share: f64) -> f64 {
    let mut sorted = nanos.to_vec();
    sorted.sort_unstable();
    let at = (share * sorted.len() as f64).ceil() as usize;
    sorted
        .get(at.saturating_sub(1))
        .map_or(f64::NAN, |&nanos| f64::from(nanos) / 1e3)
}
