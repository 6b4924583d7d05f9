//! The command line: which command, what it may be told, how it ends. One file a command.
//!
//! In: arguments. Out: an exit code; results on standard output, everything else on standard error.
//! Always: 0 done, 1 failed, 2 usage or settings, 3 a list or file would not verify; what fails says so in one sentence.
//!
//! A command is a module with `Args` (what clap fills in) and `run(Args) -> Outcome`.

pub mod activity;
pub mod cache;
pub mod check;
pub mod compile;
mod connected;
pub mod diff;
pub mod dump;
pub mod explain;
pub mod health;
pub mod household;
pub mod inspect;
mod lists;
mod look;
mod names;
mod progress;
pub mod query;
mod rdnss;
pub mod serve;
mod settings;
mod together;
pub mod update;

use clap::{Parser, Subcommand};
use std::ffi::OsString;
use std::fmt;
use std::io;
use std::process::ExitCode;

/// A DNS resolver that protects children.
///
/// Without a command it serves the built-in home example on 127.0.0.1:5300.
#[derive(Debug, Parser)]
#[command(name = "stairgate", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Answer queries until told to stop
    Serve(serve::Args),
    /// Compile lists into a gate file
    Compile(compile::Args),
    /// Say what is in a gate file and where it came from
    Inspect(inspect::Args),
    /// Print every rule of a gate file, one a line, sorted
    Dump(dump::Args),
    /// Say what a new gate file, or list, adds and drops
    Diff(diff::Args),
    /// Say what becomes of a name, and which rule of which list makes it so
    Explain(explain::Args),
    /// Say whether the server would start, and what is odd about its settings
    Check(check::Args),
    /// Fetch every list now, then compile, verify and publish
    Update(update::Args),
    /// Look at or empty the running server's answer cache
    Cache(cache::Args),
    /// Say what is kept of who asked what, which rules hold for somebody, which devices fell silent
    Activity(activity::Args),
    /// Resolve a name as the settings say, without policy, and print the response
    Query(query::Args),
    /// Ask the running server whether it answers; exit 0 if it does
    Health(health::Args),
    // Its own page of help says what it is.
    Household(household::Args),
}

impl Command {
    fn run(self) -> Outcome {
        match self {
            Command::Serve(args) => serve::run(args),
            Command::Compile(args) => compile::run(args),
            Command::Inspect(args) => inspect::run(args),
            Command::Dump(args) => dump::run(args),
            Command::Diff(args) => diff::run(args),
            Command::Explain(args) => explain::run(args),
            Command::Check(args) => check::run(args),
            Command::Update(args) => update::run(args),
            Command::Cache(args) => cache::run(args),
            Command::Activity(args) => activity::run(args),
            Command::Query(args) => query::run(args),
            Command::Health(args) => health::run(args),
            Command::Household(args) => household::run(args),
        }
    }
}

/// Runs the command that `args` (the program's name first) ask for.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version come this way too, to standard output. A reader that has gone away is nobody to tell.
            let _ = error.print();
            let exit = if error.use_stderr() { Exit::Usage } else { Exit::Done };
            return exit.into();
        }
    };
    let command = cli.command.unwrap_or_else(|| Command::Serve(serve::Args::default()));
    match command.run() {
        Ok(exit) => exit.into(),
        Err(failure) => {
            if !failure.sentence.is_empty() {
                eprintln!("{failure}");
            }
            failure.exit.into()
        }
    }
}

/// How a command ends when it said all there is to say.
pub type Outcome = Result<Exit, Failure>;

/// The exit codes that scripts rely on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// Failed.
    Failed = 1,
    /// The command line or the settings are wrong.
    Usage = 2,
    /// A list or a gate file would not verify.
    Unverified = 3,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

/// Why a command ends early: the exit code, and the sentence for standard error (which thing, what is wrong, what to do).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub exit: Exit,
    pub sentence: String,
}

impl Failure {
    /// The work failed (exit 1).
    pub fn failed(sentence: impl fmt::Display) -> Failure {
        Failure::new(Exit::Failed, sentence)
    }

    /// The command line or the settings are wrong (exit 2).
    pub fn usage(sentence: impl fmt::Display) -> Failure {
        Failure::new(Exit::Usage, sentence)
    }

    /// A list or file would not verify (exit 3).
    pub fn unverified(sentence: impl fmt::Display) -> Failure {
        Failure::new(Exit::Unverified, sentence)
    }

    fn new(exit: Exit, sentence: impl fmt::Display) -> Failure {
        Failure {
            exit,
            sentence: sentence.to_string(),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)
    }
}

impl std::error::Error for Failure {}

/// For writing results: `?` on standard output. A reader that closed the pipe (`stairgate dump FILE | head`) has what it
/// wanted, so that ends the command quietly. Errors of files deserve a sentence that names the file; make one by hand.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Failure::new(Exit::Done, ""),
            _ => Failure::failed(format_args!("standard output: {error}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_tree_has_no_clashing_options() {
        Cli::command().debug_assert();
    }

    #[test]
    fn an_unknown_option_is_a_usage_error() {
        let error = Cli::try_parse_from(["stairgate", "serve", "--nonsense"]).expect_err("no such option");
        assert!(error.use_stderr());
    }

    #[test]
    fn a_closed_pipe_ends_a_command_well() {
        let failure = Failure::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!((failure.exit, failure.sentence.as_str()), (Exit::Done, ""));
    }
}
