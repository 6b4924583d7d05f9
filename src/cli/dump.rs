//! `stairgate dump`: every rule of a gate file, one a line, sorted.

use super::inspect::unreadable;
use super::{Exit, Outcome, lists};
use crate::list::listing;
use std::io::{self, Write};
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The gate file; line numbers come from FILE.lines beside it, and are 0 without it
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

pub fn run(args: Args) -> Outcome {
    let held = lists::Held::read(&args.file).map_err(unreadable)?;
    if held.lines.is_none() {
        eprintln!(
            "warning: {}.lines is not there or belongs to another gate; line numbers are 0",
            args.file.display()
        );
    }
    let mut out = io::BufWriter::with_capacity(1 << 16, io::stdout().lock());
    listing::write(&held.gate, held.lines.as_ref(), &mut out)?;
    out.flush()?;
    Ok(Exit::Done)
}
