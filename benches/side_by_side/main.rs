//! Stairgate beside other servers on the hot path: one machine, one run, one core each, the same list, the same questions.
//!
//! In: the lists and query names of the corpus (`STAIRGATE_CORPUS`, default `../shared`), and whichever of the other servers are
//! installed. Out: tables on standard output: CPU for each answered query, loss, latency, memory, time to start; then what is asked
//! of Stairgate, and whether it was met. Never fails by time or by a figure; a server that is missing is said to be missing.
//! Always: servers run on the first core, and everything else, load and upstream, on the second. All sockets are on loopback, none
//! on port 53. Servers that are not asked are idle.
//!
//! `side_by_side [--rounds N] [--seconds N] [--load PERCENT] [--listed N] [--only NAME,...] [--settings]`

mod latency;
mod load;
mod options;
#[path = "../peers/mod.rs"]
mod peers;
mod run;
mod table;
#[path = "../yardstick_udp.rs"]
mod yardstick;

use options::Options;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    // This same program stands for the bare loop.
    if arguments == ["yardstick"] {
        yardstick::serve();
        return;
    }
    run::run(&Options::parse(&arguments));
}
