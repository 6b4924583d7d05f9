//! Ten thousand simulated internets: every answer is compared with what the zones of its internet say.
//!
//! In: `simulation [SEEDS]`, 10,000 unless said. Out: how many names were answered right at the first ask, with how many queries, and
//! how long it took them by the simulated clock.
//! The simulation stands beside the iterator (`src/resolver/engine/simulation`), where `cargo test` runs two hundred; this has the same test
//! run with more of them, optimized. Fails where an answer is wrong, and never by time.

use std::process::{Command, ExitCode};

const TEST: &str = "resolver::engine::simulation::seeds::two_hundred_worlds_answer_as_their_zones_say";

fn main() -> ExitCode {
    let asked = std::env::args().skip(1).find(|word| word != "--bench");
    let seeds: u32 = asked.map_or(10_000, |text| text.parse().expect("a number of seeds"));
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["test", "--release", "--lib", "--", "--exact", TEST, "--nocapture"])
        .env("SEEDS", seeds.to_string())
        .status();
    match status {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("cargo cannot be started: {error}");
            ExitCode::FAILURE
        }
    }
}
