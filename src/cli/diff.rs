//! `stairgate diff`: what a new gate file, or list, adds and drops.

use super::inspect::unreadable;
use super::{Exit, Failure, Outcome};
use crate::list::compile::{CompileOptions, compile};
use crate::list::diff::{Change, Sources, diff};
use crate::list::format::MAGIC;
use crate::list::publish;
use crate::list::set::Gate;
use crate::list::source;
use crate::list::verify::Unverified;
use serde::Serialize;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// A gate file, or a list or folder of lists
    #[arg(value_name = "OLD")]
    old: PathBuf,
    /// What to compare it with
    #[arg(value_name = "NEW")]
    new: PathBuf,
}

/// What `diff --json` prints: patterns in the order of gate keys. Scripts rely on these keys.
#[derive(Default, Serialize)]
struct Differences {
    added: Vec<String>,
    removed: Vec<String>,
    changed: Vec<String>,
}

pub fn run(args: Args) -> Outcome {
    let (old, new) = (open(&args.old)?, open(&args.new)?);
    // A list is called by its file, and two files have two names; so only two gates are compared list by list.
    let sources = if old.1 && new.1 {
        Sources::Compared
    } else {
        Sources::Ignored
    };
    let mut out = io::BufWriter::with_capacity(1 << 16, io::stdout().lock());
    let mut differences = Differences::default();
    let mut counts = [0u64; 3];
    diff(&old.0, &new.0, sources, |change, pattern| {
        counts[change as usize] += 1;
        if args.json {
            match change {
                Change::Added => &mut differences.added,
                Change::Removed => &mut differences.removed,
                Change::Changed => &mut differences.changed,
            }
            .push(pattern.to_owned());
            return Ok(());
        }
        let sign = match change {
            Change::Added => '+',
            Change::Removed => '-',
            Change::Changed => '~',
        };
        writeln!(out, "{sign} {pattern}")
    })?;
    if args.json {
        serde_json::to_writer(&mut out, &differences).map_err(io::Error::from)?;
        writeln!(out)?;
    }
    out.flush()?;
    if !args.json {
        let [added, removed, changed] = counts;
        eprintln!("{added} added, {removed} removed, {changed} changed");
    }
    Ok(Exit::Done)
}

/// Opens a gate file, or compiles lists in memory; and which it was.
fn open(path: &Path) -> Result<(Gate, bool), Failure> {
    if is_gate(path) {
        let gate = publish::read(path).map_err(unreadable)?.into_gate();
        return Ok((gate, true));
    }
    let mut specs = source::expand_path(path, None, None, false).map_err(Failure::failed)?;
    source::unique_names(&mut specs);
    let compiled = compile(specs, &CompileOptions::default()).map_err(|error| super::lists::stock(error.into()))?;
    let verified = Unverified::new(compiled.gate).verify();
    let verified = verified.map_err(|error| Failure::unverified(format_args!("{}: {error}", path.display())))?;
    Ok((verified.into_gate(), false))
}

/// Whether a file begins as a gate does, or is called one and so should be.
fn is_gate(path: &Path) -> bool {
    let mut magic = [0; MAGIC.len()];
    let begins = std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut magic));
    (begins.is_ok() && magic == MAGIC) || path.extension().is_some_and(|extension| extension == "gate")
}
