//! `stairgate update`: fetch every list now, compile, verify, publish.

use super::{Exit, Outcome};
use std::path::PathBuf;

#[derive(Debug, Default, clap::Args)]
pub struct Args {
    /// Settings file; without it the built-in home example
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

pub fn run(args: Args) -> Outcome {
    let _ = args;
    Ok(Exit::Done)
}
