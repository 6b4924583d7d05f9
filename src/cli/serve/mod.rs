//! `stairgate serve`: answers queries until told to stop.

pub mod advice;

use super::{Exit, Outcome};
use std::path::PathBuf;

#[derive(Debug, Default, clap::Args)]
pub struct Args {
    /// Settings file; without it the built-in home example
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Run as a plain resolver that filters nothing
    #[arg(long)]
    without_lists: bool,
}

pub fn run(args: Args) -> Outcome {
    let _ = args;
    Ok(Exit::Done)
}
