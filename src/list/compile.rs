//! Compiles lists into a gate: reads and parses them, here, then merges and assembles.
//!
//! In: sources. Out: [`Compiled`], the bytes of a gate and of its companion file, and a report.
//! Always: the same lists give the same bytes, whatever their order and however many jobs there are.
//! Fails: a list that cannot be read or parsed fails the whole, by name; callers that have a last good copy of it try again with that.

use crate::config::settings::ListAction;
use crate::list::assemble::build;
use crate::list::merge::{self, MergeError, Merged, ParsedSource};
use crate::list::parse::{Options, ParseError, parse, split_dump};
use crate::list::rule::{Counts, Parsed};
use crate::list::set::Gate;
use crate::list::source::{Content, Format, SourceError, SourceSpec};
use crate::list::tables::SourceInfo;
use rayon::prelude::*;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

/// How to compile.
pub struct CompileOptions<'o> {
    /// Threads; 0 is one a core.
    pub jobs: usize,
    /// Told how far things are.
    pub progress: &'o dyn Progress,
}

impl Default for CompileOptions<'_> {
    fn default() -> Self {
        CompileOptions {
            jobs: 0,
            progress: &Silent,
        }
    }
}

/// Hears how far a compilation is, from several threads.
pub trait Progress: Sync {
    /// `done` of `total` steps of a stage are done.
    fn step(&self, stage: Stage, done: u64, total: u64);
}

/// For those who do not want to know.
pub struct Silent;

impl Progress for Silent {
    fn step(&self, _: Stage, _: u64, _: u64) {}
}

/// What a compilation is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Reading and parsing; steps are lists.
    Read,
    /// Sorting and grouping; one step.
    Merge,
    /// Building the fsts; steps are shards.
    Build,
}

/// A compiled gate, not yet verified or published.
#[derive(Debug)]
pub struct Compiled {
    /// The bytes of the gate file.
    pub gate: Vec<u8>,
    /// The bytes of its companion of line numbers.
    pub lines: Vec<u8>,
    pub report: Report,
}

/// What a gate holds and where it came from, in numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Version of the file's format.
    pub version: u32,
    /// Different names, redundant ones included.
    pub names: u64,
    /// Names the gate holds.
    pub keys: u64,
    /// Rules taken from all sources, duplicates included.
    pub rules: u64,
    /// Bytes of the gate file.
    pub bytes: u64,
    /// In order of rank, then name.
    pub sources: Vec<SourceInfo>,
}

/// Why lists cannot be compiled.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// Some lists failed; each with its name, in order of name.
    #[error("{}", failed_lists(.0))]
    Lists(Vec<(String, ListError)>),
    #[error(transparent)]
    Merge(#[from] MergeError),
    #[error("the compiled lists exceed what a gate can hold: {0}")]
    TooLarge(&'static str),
    #[error("cannot start {jobs} threads: {cause}")]
    Threads {
        jobs: usize,
        cause: rayon::ThreadPoolBuildError,
    },
}

/// Why one list cannot be compiled.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error(transparent)]
    Parse(#[from] ParseError),
}

fn failed_lists(failed: &[(String, ListError)]) -> String {
    let lines: Vec<String> = failed
        .iter()
        .map(|(name, error)| format!("list {name}: {error}"))
        .collect();
    lines.join("\n")
}

/// Compiles lists.
pub fn compile(specs: Vec<SourceSpec>, options: &CompileOptions) -> Result<Compiled, CompileError> {
    in_pool(options.jobs, || {
        let lists = read_all(specs, options.progress)?;
        options.progress.step(Stage::Merge, 0, 1);
        let merged = merge::merge(lists)?;
        options.progress.step(Stage::Merge, 1, 1);
        build(merged, options.progress)
    })
}

/// Compiles lists that were parsed already.
pub fn compile_parsed(lists: Vec<ParsedSource>, options: &CompileOptions) -> Result<Compiled, CompileError> {
    in_pool(options.jobs, || build(merge::merge(lists)?, options.progress))
}

/// The bytes of a gate without any list.
pub(crate) fn empty() -> Vec<u8> {
    // Without lists nothing can fail: no source to read, no name to be double, no number to overflow.
    match build(Merged::nothing(), &Silent) {
        Ok(compiled) => compiled.gate,
        Err(error) => unreachable!("a gate of no lists: {error}"),
    }
}

fn in_pool<T: Send>(jobs: usize, work: impl FnOnce() -> Result<T, CompileError> + Send) -> Result<T, CompileError> {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(jobs)
        .thread_name(|number| format!("compile-{number}"))
        .build()
        .map_err(|cause| CompileError::Threads { jobs, cause })?;
    pool.install(work)
}

/// Reads and parses all lists, the largest first so that no thread is left with it at the end.
fn read_all(mut specs: Vec<SourceSpec>, progress: &dyn Progress) -> Result<Vec<ParsedSource>, CompileError> {
    specs.sort_by_cached_key(|spec| (std::cmp::Reverse(spec.size_hint()), spec.rank, spec.name.clone()));
    let total = specs.len() as u64;
    let done = AtomicU64::new(0);
    progress.step(Stage::Read, 0, total);
    let read: Vec<Result<ReadFile, (String, ListError)>> = specs
        .into_par_iter()
        .with_max_len(1)
        .map(|spec| {
            let file = read_one(&spec);
            progress.step(Stage::Read, done.fetch_add(1, Ordering::Relaxed) + 1, total);
            file.map_err(|error| (spec.name, error))
        })
        .collect();
    let (mut files, mut failed) = (Vec::with_capacity(read.len()), Vec::new());
    for read in read {
        match read {
            Ok(lists) => files.push(lists),
            Err(error) => failed.push(error),
        }
    }
    if !failed.is_empty() {
        failed.sort_by(|a, b| a.0.cmp(&b.0));
        return Err(CompileError::Lists(failed));
    }
    let mut uses: HashMap<String, usize> = HashMap::new();
    for list in files.iter().flat_map(|file| &file.lists) {
        *uses.entry(list.info.name.clone()).or_default() += 1;
    }
    for file in files.iter_mut().filter(|file| file.is_dump) {
        for list in file.lists.iter_mut().filter(|list| uses[&list.info.name] > 1) {
            list.info.name = format!("{}/{}", file.name, list.info.name);
        }
    }
    Ok(files.into_iter().flat_map(|file| file.lists).collect())
}

/// What one file held: a list, or the lists of a dump.
struct ReadFile {
    name: String,
    is_dump: bool,
    lists: Vec<ParsedSource>,
}

/// Reads and parses one file: one list, or the lists that a dump holds.
fn read_one(spec: &SourceSpec) -> Result<ReadFile, ListError> {
    let unpacked = spec.read()?;
    let options = spec.options();
    if options.format == Some(Format::Dump) {
        return read_dump(spec, &unpacked.bytes);
    }
    let (format, parsed) = parse(&unpacked.bytes, &options)?;
    if format == Format::Dump {
        drop(parsed);
        return read_dump(spec, &unpacked.bytes);
    }
    let info = SourceInfo {
        name: spec.name.clone(),
        category: spec.category.clone(),
        action: spec.action,
        format,
        match_scope: spec.match_scope,
        rank: spec.rank,
        rewrite: spec.rewrite,
        sha256: unpacked.sha256,
        ..SourceInfo::default()
    };
    Ok(ReadFile {
        name: spec.name.clone(),
        is_dump: false,
        lists: vec![parsed_source(info, parsed)],
    })
}

/// Each source of a dump is a source again, called, ranked and counted as it was.
fn read_dump(spec: &SourceSpec, bytes: &[u8]) -> Result<ReadFile, ListError> {
    let mut lists = Vec::new();
    for part in split_dump(bytes) {
        let options = Options {
            format: Some(Format::Dump),
            action: part.traits.action,
            ..spec.options()
        };
        let (_, parsed) = parse(&part.bytes, &options)?;
        let or_of_file = |own: String, of_file: &String| if own.is_empty() { of_file.clone() } else { own };
        let info = SourceInfo {
            name: or_of_file(part.source, &spec.name),
            category: or_of_file(part.category, &spec.category),
            action: part.traits.action,
            format: part.traits.format,
            match_scope: spec.match_scope,
            rank: part.traits.rank,
            rewrite: spec.rewrite,
            sha256: Sha256::digest(&part.bytes).into(),
            ..SourceInfo::default()
        };
        lists.push(parsed_source(info, parsed));
    }
    Ok(ReadFile {
        name: spec.name.clone(),
        is_dump: true,
        lists,
    })
}

fn parsed_source(info: SourceInfo, mut parsed: Parsed) -> ParsedSource {
    // What a parser set aside too much would be held until the end.
    parsed.keys.shrink_to_fit();
    parsed.names.shrink_to_fit();
    let info = SourceInfo {
        counts: std::mem::take(&mut parsed.counts),
        rejects: std::mem::take(&mut parsed.rejects),
        dated: parsed.dated.take(),
        licence: parsed.licence.take(),
        ..info
    };
    ParsedSource { info, parsed }
}

impl Gate {
    /// Compiles small lists in memory: name, category, text; the category `allow` means an allow list. For tests and benches.
    ///
    /// Panics if they do not compile.
    pub fn from_lists(lists: &[(&str, &str, &str)]) -> Gate {
        let specs = lists.iter().map(|(name, category, text)| SourceSpec {
            name: (*name).to_owned(),
            path: name.into(),
            category: (*category).to_owned(),
            action: if *category == "allow" {
                ListAction::Allow
            } else {
                ListAction::Block
            },
            format: None,
            match_scope: None,
            rank: 100,
            rewrite: true,
            fetched: false,
            content: Content::Bytes(text.as_bytes().into()),
        });
        let compiled = compile(specs.collect(), &CompileOptions::default());
        let compiled = compiled.unwrap_or_else(|error| panic!("{error}"));
        Gate::from_bytes(compiled.gate).unwrap_or_else(|error| panic!("a compiled gate {error}"))
    }
}

impl Report {
    /// The report that compiling this gate gave.
    pub fn of(gate: &Gate) -> Report {
        Report {
            version: gate.version(),
            names: gate.names(),
            keys: gate.keys(),
            rules: gate.sources().iter().map(|source| source.counts.rules).sum(),
            bytes: gate.size_bytes(),
            sources: gate.sources().to_vec(),
        }
    }

    /// All sources' counts together.
    pub fn totals(&self) -> Counts {
        self.sources.iter().fold(Counts::default(), |mut sum, source| {
            let counts = &source.counts;
            sum.lines += counts.lines;
            sum.rule_lines += counts.rule_lines;
            sum.comments += counts.comments;
            sum.skipped += counts.skipped;
            sum.rejected_lines += counts.rejected_lines;
            sum.rules += counts.rules;
            sum.rejects += counts.rejects;
            sum
        })
    }
}
