//! Stairgate and the servers it is measured beside: their settings and processes, the names they are asked for, and what they should answer.
#![allow(dead_code, reason = "not every bench that takes this in uses all of it")]

pub mod check;
pub mod config;
pub mod names;
pub mod process;
pub mod upstream;

/// Hands each `--word NUMBER` of the command line to `take`. Ends the program on what has no number and what `take` does not know.
pub fn numbers(mut take: impl FnMut(&str, f64) -> bool) {
    let mut words = std::env::args().skip(1).filter(|word| word != "--bench");
    while let Some(word) = words.next() {
        let number = words.next().and_then(|value| value.parse().ok());
        let number: f64 = number.unwrap_or_else(|| panic!("{word} takes a number"));
        assert!(take(&word, number), "there is no option {word}; see benches/README.md");
    }
}
