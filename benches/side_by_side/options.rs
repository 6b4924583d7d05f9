//! The command line.

use crate::peers::config::Kind;

/// What to run, and how much of it.
pub struct Options {
    pub rounds: usize,
    /// Of load, for each server, set of names and round.
    pub seconds: u64,
    /// Offered load, in percent of what the bare loop answers at most.
    pub load: u64,
    /// Names of the list.
    pub listed: usize,
    pub kinds: Vec<Kind>,
    /// Print the settings of every server.
    pub settings: bool,
}

impl Options {
    /// Ends the program on what it does not know.
    pub fn parse(arguments: &[String]) -> Options {
        let mut options = Options {
            rounds: 5,
            seconds: 3,
            load: 80,
            listed: 1_170_000,
            kinds: Kind::ALL.to_vec(),
            settings: false,
        };
        let mut words = arguments.iter();
        while let Some(word) = words.next() {
            if word == "--settings" {
                options.settings = true;
                continue;
            }
            let value = words.next().unwrap_or_else(|| panic!("{word} takes a value"));
            let number = || -> u64 { value.parse().unwrap_or_else(|_| panic!("{word} takes a number")) };
            match word.as_str() {
                "--rounds" => options.rounds = number().max(1) as usize,
                "--seconds" => options.seconds = number().max(1),
                "--load" => options.load = number().clamp(1, 100),
                "--listed" => options.listed = number() as usize,
                "--only" => options.kinds = only(value),
                _ => panic!("there is no option {word}; see benches/README.md"),
            }
        }
        options
    }
}

/// The servers named, in the usual order. The bare loop is always there: everything is a multiple of it.
fn only(names: &str) -> Vec<Kind> {
    let named: Vec<&str> = names.split(',').map(str::trim).collect();
    for name in &named {
        assert!(
            Kind::ALL.iter().any(|kind| kind.name() == *name),
            "no server is called {name:?}; there are {}",
            Kind::ALL.map(Kind::name).join(", ")
        );
    }
    let wanted = |kind: &Kind| *kind == Kind::Bare || named.contains(&kind.name());
    Kind::ALL.into_iter().filter(wanted).collect()
}
