//! `stairgate compile`: lists in, a gate file out.

use super::{Exit, Failure, Outcome};
use crate::list::compile::{CompileOptions, Compiled, Progress, Report, Stage, compile};
use crate::list::publish::{self, PublishError};
use crate::list::source::{self, Format, SourceError, SourceSpec};
use crate::list::stock::{self, Fresh, Plan};
use crate::list::verify::Unverified;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

#[derive(Debug, Default, clap::Args)]
pub struct Args {
    /// Where the gate goes; without it `lists.gate` in the state directory of the settings
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Settings file; its lists are compiled when no SOURCE is given
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// How every SOURCE is written, instead of telling from its content: auto, hosts, domains, wildcard, adguard, regex,
    /// rpz, dnsmasq, unbound, dnscrypt, v2fly, dump
    #[arg(long, value_name = "F", value_parser = parse_format)]
    format: Option<FormatArgument>,
    /// A SOURCE that lets through instead of blocking; may be given several times
    #[arg(long, value_name = "SOURCE")]
    allow: Vec<String>,
    /// Threads; 0 is one a core
    #[arg(long, value_name = "N", default_value_t = 0)]
    jobs: usize,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// PATH or CATEGORY=PATH: a file, a folder, a tar, each also compressed; `-` is standard input
    #[arg(value_name = "SOURCE")]
    sources: Vec<String>,
}

/// `None` is `auto`.
#[derive(Debug, Clone, Copy)]
struct FormatArgument(Option<Format>);

fn parse_format(word: &str) -> Result<FormatArgument, source::UnknownFormat> {
    if word == "auto" {
        return Ok(FormatArgument(None));
    }
    word.parse().map(|format| FormatArgument(Some(format)))
}

pub fn run(args: Args) -> Outcome {
    let settings = super::settings::load(args.config.as_deref())?;
    let plan = (args.sources.is_empty() && args.allow.is_empty()).then(|| Plan::new(&settings));
    let specs = match &plan {
        Some(plan) => from_settings(plan)?,
        None => from_arguments(&args)?,
    };
    let output = args
        .output
        .clone()
        .unwrap_or_else(|| stock::gate_path(&settings.state_dir));
    let bar = Bar::new();
    let compiled = compile(
        specs,
        &CompileOptions {
            jobs: args.jobs,
            progress: &bar,
        },
    );
    bar.finish();
    let Compiled { gate, lines, report } = compiled.map_err(|error| super::lists::stock(error.into()))?;
    let gate = Unverified::new(gate)
        .verify()
        .map_err(|error| Failure::unverified(format_args!("the compiled gate {error}")))?;
    let fresh = Fresh { gate, lines, report };
    match plan {
        Some(plan) => plan.publish(&fresh, args.output.as_deref()),
        None => publish_sources(&fresh, &output, args.output.is_none()),
    }
    .map_err(super::inspect::unreadable)?;
    warn(&fresh.report);
    print(&fresh.report, &output, args.json)?;
    Ok(Exit::Done)
}

/// Publishes what was compiled from arguments. In the state directory it takes the place of the settings' lists, so the note
/// of what that gate was made of has to go first.
fn publish_sources(fresh: &Fresh, output: &Path, in_state_dir: bool) -> Result<(), PublishError> {
    let failed = |cause| PublishError::File {
        path: output.to_owned(),
        cause,
    };
    if in_state_dir {
        if let Some(folder) = output.parent() {
            std::fs::create_dir_all(folder).map_err(failed)?;
        }
        stock::forget(output).map_err(failed)?;
    }
    publish::publish(output, &fresh.gate, &fresh.lines)
}

fn print(report: &Report, output: &Path, json: bool) -> io::Result<()> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    if json {
        serde_json::to_writer(&mut out, &super::inspect::report_json(report))?;
        writeln!(out)?;
    } else {
        writeln!(
            out,
            "{}: {} names from {} lists, {} kept, {} bytes",
            output.display(),
            report.names,
            report.sources.len(),
            report.keys,
            report.bytes
        )?;
    }
    out.flush()
}

fn from_arguments(args: &Args) -> Result<Vec<SourceSpec>, Failure> {
    let format = args.format.and_then(|format| format.0);
    let mut specs = Vec::new();
    for (arguments, allow) in [(&args.sources, false), (&args.allow, true)] {
        for argument in arguments {
            specs.extend(source::expand(argument, format, allow).map_err(unusable)?);
        }
    }
    source::unique_names(&mut specs);
    Ok(specs)
}

/// A SOURCE that is written wrong is the command line's fault (2), one that cannot be read is not (1).
fn unusable(error: SourceError) -> Failure {
    match error {
        SourceError::Category { .. } => Failure::usage(error),
        _ => Failure::failed(error),
    }
}

fn from_settings(plan: &Plan) -> Result<Vec<SourceSpec>, Failure> {
    for name in &plan.missing {
        eprintln!("warning: list {name} was never fetched and is left out; stairgate update fetches it");
    }
    plan.specs().map_err(Failure::failed)
}

/// Says on standard error what an operator should look at.
fn warn(report: &Report) {
    for source in &report.sources {
        let counts = &source.counts;
        if counts.rules == 0 {
            eprintln!("warning: list {} holds no rule", source.name);
        } else if counts.rejects > 0 {
            let first = source.rejects.first();
            let first = first.map(|reject| format!("; the first, line {}: {}", reject.line, reject.reason));
            eprintln!(
                "warning: list {}: {} entries were not taken{}",
                source.name,
                counts.rejects,
                first.unwrap_or_default()
            );
        }
    }
}

/// A progress bar on standard error, if that is a terminal.
struct Bar(ProgressBar);

impl Bar {
    fn new() -> Bar {
        let target = if io::stderr().is_terminal() {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target(Some(0), target);
        if let Ok(style) = ProgressStyle::with_template("{msg:20} [{bar:40}] {pos}/{len} {elapsed}") {
            bar.set_style(style);
        }
        Bar(bar)
    }

    fn finish(&self) {
        self.0.finish_and_clear();
    }
}

impl Progress for Bar {
    fn step(&self, stage: Stage, done: u64, total: u64) {
        self.0.set_message(match stage {
            Stage::Read => "reading lists",
            Stage::Merge => "merging",
            Stage::Build => "building",
        });
        self.0.set_length(total);
        self.0.set_position(done);
    }
}
