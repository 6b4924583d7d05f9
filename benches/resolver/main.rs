//! Recursion beside Unbound: both resolve names of the same simulated internet, in turns, in the same run.
//!
//! In: nothing but the two programs: `stairgate` as built here, and `unbound` of the system. Out: settings and tables on
//! standard output. A figure is the median of the rounds. Never fails by time or by a figure.
//! Always: runs in a network namespace of its own, where loopback is all there is; nothing outside can be asked. Fails at once where
//! there may be none, or where `unbound` is missing.
//!
//! `resolver [MEASUREMENT]... [--seed N] [--rounds N] [--fill N] [--tell]`; all measurements where none is named.

mod authority;
mod driver;
mod measure;
mod process;
mod sign;
mod table;
mod world;

use std::process::{Command, ExitCode};

/// Set for the part of this program that runs within the namespace.
const INSIDE: &str = "STAIRGATE_BENCH_NAMESPACE";

/// Measures and prints.
type Measurement = fn(&Options);

/// What to measure, and how much of it.
pub struct Options {
    pub seed: u64,
    pub rounds: usize,
    /// Distinct names that the cache is filled with.
    pub fill: u64,
    /// Names what was not answered at the first ask, and how the servers in question behave.
    pub tell: bool,
    measurements: Vec<String>,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    if let [first, seed] = arguments.as_slice()
        && first == "authorities"
    {
        authority::serve(seed.parse().expect("a seed is a number"));
        return ExitCode::SUCCESS;
    }
    if std::env::var_os(INSIDE).is_none() {
        return inside_namespace(&arguments);
    }
    let options = options(&arguments);
    let known: [(&str, Measurement); 8] = [
        ("names", measure::names),
        ("misses", measure::misses),
        ("validation", measure::validation),
        ("joining", measure::joining),
        ("failing", measure::failing),
        ("nxns", measure::nxns),
        ("flood", measure::flood),
        ("memory", measure::memory),
    ];
    for named in &options.measurements {
        assert!(
            known.iter().any(|(name, _)| name == named),
            "no measurement is called {named:?}; there are {}",
            known.map(|(name, _)| name).join(", ")
        );
    }
    if let Err(error) = Command::new("unbound").arg("-V").output() {
        eprintln!("unbound is missing ({error}): install the package of that name; there is nothing to compare with");
        return ExitCode::FAILURE;
    }
    measure::conditions(&options);
    for (name, measurement) in known {
        if options.measurements.is_empty() || options.measurements.iter().any(|named| named == name) {
            measurement(&options);
        }
    }
    ExitCode::SUCCESS
}

/// Runs this program again where there is no network but loopback.
fn inside_namespace(arguments: &[String]) -> ExitCode {
    let program = std::env::current_exe().expect("this program");
    let script = "ip link set lo up && exec \"$0\" \"$@\"";
    let mut failures = Vec::new();
    // Root may make a namespace; others may where they can be root of a user namespace.
    for flags in [&["--net"][..], &["--net", "--map-root-user"]] {
        let permitted = Command::new("unshare")
            .args(flags)
            .args(["sh", "-c", "ip link set lo up"])
            .output();
        match permitted {
            Ok(output) if output.status.success() => {
                let status = Command::new("unshare")
                    .args(flags)
                    .args(["sh", "-c", script])
                    .arg(&program)
                    .args(arguments)
                    .env(INSIDE, "1")
                    .status()
                    .expect("it ran a moment ago");
                return match status.success() {
                    true => ExitCode::SUCCESS,
                    false => ExitCode::FAILURE,
                };
            }
            Ok(output) => failures.push(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
            Err(error) => failures.push(error.to_string()),
        }
    }
    eprintln!(
        "this bench needs a network namespace of its own (`unshare --net`, and `ip` to set loopback up), which is not permitted \
         here: {}; run it as root or where user namespaces are allowed",
        failures.join("; ")
    );
    ExitCode::FAILURE
}

fn options(arguments: &[String]) -> Options {
    let mut options = Options {
        seed: 1,
        rounds: 3,
        fill: 300_000,
        tell: false,
        measurements: Vec::new(),
    };
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        let mut number = || -> u64 {
            let value = words.next().and_then(|value| value.parse().ok());
            value.unwrap_or_else(|| panic!("{word} takes a number"))
        };
        match word.as_str() {
            "--seed" => options.seed = number(),
            "--rounds" => options.rounds = number() as usize,
            "--fill" => options.fill = number(),
            "--tell" => options.tell = true,
            name => options.measurements.push(name.to_owned()),
        }
    }
    options
}
