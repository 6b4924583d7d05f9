//! `stairgate inspect`: what is in a gate file, and where it came from.

use super::{Exit, Failure, Outcome};
use crate::list::compile::Report;
use crate::list::format::hex;
use crate::list::publish::{self, PublishError};
use crate::list::set::Gate;
use serde::Serialize;
use std::io::{self, Write};
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// The gate file
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

pub fn run(args: Args) -> Outcome {
    let verified = publish::read(&args.file).map_err(unreadable)?;
    let report = Report::of(verified.gate());
    let mut out = io::BufWriter::new(io::stdout().lock());
    if args.json {
        serde_json::to_writer(&mut out, &report_json(&report)).map_err(io::Error::from)?;
        writeln!(out)?;
    } else {
        print(&mut out, verified.gate(), &report)?;
    }
    out.flush()?;
    Ok(Exit::Done)
}

/// A file that cannot be read is a failure (1), one that does not verify is that (3).
pub(super) fn unreadable(error: PublishError) -> Failure {
    match error {
        PublishError::Unverified { .. } => Failure::unverified(error),
        PublishError::File { .. } => Failure::failed(error),
    }
}

/// What `compile --json` and `inspect --json` print. Scripts rely on these keys.
#[derive(Serialize)]
pub(super) struct ReportJson<'r> {
    version: u32,
    names: u64,
    keys: u64,
    rules: u64,
    bytes: u64,
    sources: Vec<SourceJson<'r>>,
}

#[derive(Serialize)]
struct SourceJson<'r> {
    name: &'r str,
    category: &'r str,
    format: &'static str,
    lines: u64,
    rule_lines: u64,
    comments: u64,
    skipped: u64,
    rejected_lines: u64,
    rules: u64,
    rejects: u64,
    /// The first of them, as many as the gate keeps.
    rejected: Vec<RejectJson<'r>>,
    sha256: String,
}

/// An entry that was not taken.
#[derive(Serialize)]
struct RejectJson<'r> {
    line: u32,
    /// Half a sentence.
    reason: &'r str,
    /// As written, shortened.
    entry: &'r str,
}

pub(super) fn report_json(report: &Report) -> ReportJson<'_> {
    let sources = report.sources.iter().map(|source| SourceJson {
        name: &source.name,
        category: &source.category,
        format: source.format.word(),
        lines: source.counts.lines,
        rule_lines: source.counts.rule_lines,
        comments: source.counts.comments,
        skipped: source.counts.skipped,
        rejected_lines: source.counts.rejected_lines,
        rules: source.counts.rules,
        rejects: source.counts.rejects,
        rejected: source
            .rejects
            .iter()
            .map(|reject| RejectJson {
                line: reject.line,
                reason: &reject.reason,
                entry: &reject.entry,
            })
            .collect(),
        sha256: hex(&source.sha256),
    });
    ReportJson {
        version: report.version,
        names: report.names,
        keys: report.keys,
        rules: report.rules,
        bytes: report.bytes,
        sources: sources.collect(),
    }
}

fn print(out: &mut impl Write, gate: &Gate, report: &Report) -> io::Result<()> {
    writeln!(out, "format   {}", report.version)?;
    writeln!(out, "digest   {}", hex(&gate.digest()))?;
    writeln!(out, "bytes    {}", report.bytes)?;
    writeln!(
        out,
        "names    {} ({} kept, the others are covered by entries above them)",
        report.names, report.keys
    )?;
    writeln!(out, "patterns {}", gate.patterns().len())?;
    writeln!(out, "networks {}", gate.network_count())?;
    writeln!(out, "rules    {} from {} lists", report.rules, report.sources.len())?;
    for source in &report.sources {
        let counts = &source.counts;
        writeln!(out)?;
        let action = if source.is_allow() { ", allow list" } else { "" };
        writeln!(out, "{}: {}, {}{action}", source.name, source.category, source.format)?;
        writeln!(
            out,
            "  {} lines: {} with rules, {} comments and blanks, {} skipped, {} rejected; {} rules",
            counts.lines, counts.rule_lines, counts.comments, counts.skipped, counts.rejected_lines, counts.rules
        )?;
        writeln!(out, "  sha256 {}", hex(&source.sha256))?;
        if let Some(dated) = &source.dated {
            writeln!(out, "  dated {dated}")?;
        }
        if let Some(licence) = &source.licence {
            writeln!(out, "  licence {licence}")?;
        }
        if counts.rejects > 0 {
            writeln!(out, "  {} entries were not taken:", counts.rejects)?;
            for reject in &source.rejects {
                writeln!(out, "    line {}: {}: {}", reject.line, reject.reason, reject.entry)?;
            }
            let more = counts.rejects.saturating_sub(source.rejects.len() as u64);
            if more > 0 {
                writeln!(out, "    and {more} more")?;
            }
        }
    }
    Ok(())
}
