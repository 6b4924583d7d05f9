//! The fst yardstick alone. With a number as argument only that many names, to count instructions:
//! `valgrind --tool=callgrind target/release/deps/yardstick_fst-* 100000`.

mod yardstick;

use std::time::Instant;

fn main() {
    let mut names = yardstick::names();
    let few = std::env::args().find_map(|argument| argument.parse::<usize>().ok());
    if let Some(count) = few {
        names = names.lines().take(count).flat_map(|name| [name, "\n"]).collect();
    }
    let started = Instant::now();
    let fst = yardstick::build(&names);
    println!(
        "fst yardstick: {} names, {} keys, {:.2} s, {} bytes",
        names.lines().count(),
        fst.len(),
        started.elapsed().as_secs_f64(),
        fst.as_bytes().len()
    );
    let wires: Vec<_> = names
        .lines()
        .filter_map(|name| stairgate::dns::name::Name::parse(name).ok())
        .collect();
    let started = Instant::now();
    let found = wires
        .iter()
        .filter(|name| yardstick::walk(&fst, name.as_wire()).is_some())
        .count();
    let each = started.elapsed().as_nanos() as f64 / wires.len() as f64;
    println!("plain walk, listed names in list order: {each:.0} ns each, {found} found");
}
