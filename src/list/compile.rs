//! Compiles lists into a gate: reads, parses and merges them, numbers the rule sets, builds the fsts.
//!
//! In: sources. Out: [`Compiled`], the bytes of a gate and of its companion file, and a report.
//! Always: the same lists give the same bytes, whatever their order and however many jobs there are.
//! Fails: a list that cannot be read or parsed fails the whole, by name; callers that have a last good copy of it try again with that.

use crate::config::settings::ListAction;
use crate::list::builder::Builder;
use crate::list::format::{self, Section, Write};
use crate::list::lines;
use crate::list::merge::{self, MergeError, Merged, ParsedSource, Shard};
use crate::list::parse::{Options, ParseError, parse, split_dump};
use crate::list::rule::{Counts, Parsed};
use crate::list::set::Gate;
use crate::list::source::{Content, Format, SourceError, SourceSpec};
use crate::list::tables::{self, SourceInfo};
use ipnet::IpNet;
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

// ---- From merged lists to bytes ----

fn build(merged: Merged, progress: &dyn Progress) -> Result<Compiled, CompileError> {
    let ranges = Ranges::of(&merged.networks);
    let sets = Sets::number(&merged.shards, &ranges);
    let total = merged.shards.len() as u64;
    let done = AtomicU64::new(0);
    progress.step(Stage::Build, 0, total);
    let fsts: Vec<Vec<u8>> = merged
        .shards
        .par_iter()
        .zip(&sets.of_shards)
        .with_max_len(1)
        .map(|(shard, numbers)| {
            let fst = build_fst(shard, numbers);
            progress.step(Stage::Build, done.fetch_add(1, Ordering::Relaxed) + 1, total);
            fst
        })
        .collect::<Result<_, _>>()?;
    let names = merged.shards.iter().map(|shard| shard.names).sum();
    let keys = merged
        .shards
        .iter()
        .map(|shard| (shard.keys.len() - shard.copies) as u64)
        .sum();
    let rules = merged.sources.iter().map(|source| source.counts.rules).sum();
    let gate = assemble(&merged, &fsts, &sets, &ranges, names, keys);
    drop(fsts);
    let lines = assemble_lines(&merged, &gate);
    let report = Report {
        version: format::VERSION,
        names,
        keys,
        rules,
        bytes: gate.len() as u64,
        sources: merged.sources,
    };
    Ok(Compiled { gate, lines, report })
}

fn build_fst(shard: &Shard, numbers: &[u32]) -> Result<Vec<u8>, CompileError> {
    let mut builder = Builder::new();
    for (at, row) in shard.keys.iter().enumerate() {
        builder.insert(shard.key(at), numbers[row.set as usize]);
    }
    let bytes = builder.finish();
    if bytes.len() > u32::MAX as usize {
        return Err(CompileError::TooLarge("a shard of names passes 4 GiB"));
    }
    Ok(bytes)
}

/// The rule sets of the whole gate: the most frequent first, so that most values are short; equally frequent ones by what
/// they hold.
struct Sets<'m> {
    ordered: Vec<&'m [u32]>,
    /// For each shard, from its own numbers to the gate's.
    of_shards: Vec<Vec<u32>>,
    /// For each address range, its set.
    of_ranges4: Vec<u32>,
    of_ranges6: Vec<u32>,
}

impl<'m> Sets<'m> {
    fn number(shards: &'m [Shard], ranges: &'m Ranges) -> Sets<'m> {
        let mut counts: HashMap<&[u32], u64> = HashMap::new();
        for shard in shards {
            let mut own = vec![0u64; shard.sets.len()];
            for key in &shard.keys[shard.copies..] {
                own[key.set as usize] += 1;
            }
            for (set, count) in shard.sets.iter().zip(own) {
                *counts.entry(set).or_default() += count;
            }
        }
        for (_, rules) in ranges.v4.iter().chain(&ranges.v6) {
            if !rules.is_empty() {
                *counts.entry(rules).or_default() += 1;
            }
        }
        let mut ordered: Vec<(&[u32], u64)> = counts.into_iter().collect();
        ordered.sort_unstable_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        let ordered: Vec<&[u32]> = ordered.into_iter().map(|(set, _)| set).collect();
        let numbers: HashMap<&[u32], u32> = ordered.iter().copied().zip(0..).collect();
        let of_ranges = |ranges: &[(u128, Vec<u32>)]| {
            let number = |rules: &Vec<u32>| numbers.get(rules.as_slice()).copied().unwrap_or(u32::MAX);
            ranges.iter().map(|(_, rules)| number(rules)).collect()
        };
        Sets {
            of_shards: shards
                .iter()
                .map(|shard| shard.sets.iter().map(|set| numbers[&**set]).collect())
                .collect(),
            of_ranges4: of_ranges(&ranges.v4),
            of_ranges6: of_ranges(&ranges.v6),
            ordered,
        }
    }
}

/// Networks of answers, cut so that no range overlaps another: where each begins and the rules that hold in it.
#[derive(Default)]
struct Ranges {
    v4: Vec<(u128, Vec<u32>)>,
    v6: Vec<(u128, Vec<u32>)>,
}

impl Ranges {
    /// `networks` are sorted.
    fn of(networks: &[(IpNet, u32, u32)]) -> Ranges {
        let bounds = |network: &IpNet| match network {
            IpNet::V4(network) => (
                u128::from(u32::from(network.network())),
                u128::from(u32::from(network.broadcast())),
            ),
            IpNet::V6(network) => (u128::from(network.network()), u128::from(network.broadcast())),
        };
        let of_family = |v4: bool| {
            let mut rows: Vec<(u128, u128, u32)> = networks
                .iter()
                .filter(|(network, _, _)| matches!(network, IpNet::V4(_)) == v4)
                .map(|(network, rule, _)| {
                    let (start, end) = bounds(network);
                    (start, end, *rule)
                })
                .collect();
            // Wider networks first, so that those that hold a network are open when it begins.
            rows.sort_unstable_by(|a, b| a.0.cmp(&b.0).then(b.1.cmp(&a.1)).then(a.2.cmp(&b.2)));
            flatten(&rows)
        };
        Ranges {
            v4: of_family(true),
            v6: of_family(false),
        }
    }
}

/// Networks lie beside or within each other, never across, so a stack of open ones is enough.
fn flatten(rows: &[(u128, u128, u32)]) -> Vec<(u128, Vec<u32>)> {
    let mut flat = Flat::default();
    for &(start, end, rule) in rows {
        flat.close_before(Some(start));
        flat.open.push((end, rule));
        flat.begin(start);
    }
    flat.close_before(None);
    flat.ranges
}

#[derive(Default)]
struct Flat {
    /// The end and the rule of each network around the current place, the innermost last.
    open: Vec<(u128, u32)>,
    ranges: Vec<(u128, Vec<u32>)>,
}

impl Flat {
    /// From `start` on the open networks hold, and no other.
    fn begin(&mut self, start: u128) {
        let mut rules: Vec<u32> = self.open.iter().map(|&(_, rule)| rule).collect();
        rules.sort_unstable();
        rules.dedup();
        self.ranges.pop_if(|(last, _)| *last == start);
        if self.ranges.last().map_or(!rules.is_empty(), |(_, last)| *last != rules) {
            self.ranges.push((start, rules));
        }
    }

    /// Closes the networks that end before `start`; all of them for `None`.
    fn close_before(&mut self, start: Option<u128>) {
        while let Some(&(end, _)) = self.open.last() {
            if start.is_some_and(|start| end >= start) {
                break;
            }
            while self.open.pop_if(|(other, _)| *other == end).is_some() {}
            if let Some(after) = end.checked_add(1) {
                self.begin(after);
            }
        }
    }
}

fn assemble(merged: &Merged, fsts: &[Vec<u8>], sets: &Sets, ranges: &Ranges, names: u64, keys: u64) -> Vec<u8> {
    let shards = shard_table(merged, fsts);
    let mut set_table = Vec::new();
    set_table.put_u32(sets.ordered.len() as u32);
    let mut offset = 0;
    for set in &sets.ordered {
        set_table.put_u32(offset);
        offset += set.len() as u32;
    }
    set_table.put_u32(offset);
    sets.ordered
        .iter()
        .copied()
        .flatten()
        .for_each(|&rule| set_table.put_u32(rule));

    let mut rules = Vec::new();
    rules.put_u32(merged.rules.rows.len() as u32);
    for row in &merged.rules.rows {
        rules.put_u16(row.source);
        rules.put(&[row.scope as u8, 0]);
        rules.put_u32(row.effect);
        rules.put_u32(row.modifiers);
    }
    let mut effects = Vec::new();
    effects.put_u32(merged.rules.effects.len() as u32);
    merged
        .rules
        .effects
        .iter()
        .for_each(|effect| tables::put_effect(&mut effects, effect));
    let mut modifiers = Vec::new();
    modifiers.put_u32(merged.rules.modifiers.len() as u32);
    merged
        .rules
        .modifiers
        .iter()
        .for_each(|each| tables::put_modifiers(&mut modifiers, each));
    let mut patterns = Vec::new();
    patterns.put_u32(merged.patterns.len() as u32);
    for (pattern, rule, _) in &merged.patterns {
        patterns.put_u32(*rule);
        tables::put_pattern(&mut patterns, pattern);
    }
    let mut networks = Vec::new();
    let v4 = merged
        .networks
        .iter()
        .filter(|row| matches!(row.0, IpNet::V4(_)))
        .count();
    networks.put_u32(v4 as u32);
    networks.put_u32((merged.networks.len() - v4) as u32);
    for (network, rule, _) in &merged.networks {
        tables::put_network_row(&mut networks, network, *rule);
    }
    let mut range_table = Vec::new();
    range_table.put_u32(ranges.v4.len() as u32);
    range_table.put_u32(ranges.v6.len() as u32);
    // Starts in network order, as addresses are compared.
    ranges
        .v4
        .iter()
        .for_each(|(start, _)| range_table.put(&(*start as u32).to_be_bytes()));
    sets.of_ranges4.iter().for_each(|set| range_table.put_u32(*set));
    ranges
        .v6
        .iter()
        .for_each(|(start, _)| range_table.put(&start.to_be_bytes()));
    sets.of_ranges6.iter().for_each(|set| range_table.put_u32(*set));
    let mut sources = Vec::new();
    sources.put_u32(merged.sources.len() as u32);
    merged
        .sources
        .iter()
        .for_each(|source| tables::put_source(&mut sources, source));

    let parts = [
        (Section::Shards, vec![&shards[..]]),
        (Section::Fsts, fsts.iter().map(Vec::as_slice).collect()),
        (Section::Sets, vec![&set_table[..]]),
        (Section::Rules, vec![&rules[..]]),
        (Section::Effects, vec![&effects[..]]),
        (Section::Modifiers, vec![&modifiers[..]]),
        (Section::Patterns, vec![&patterns[..]]),
        (Section::Networks, vec![&networks[..]]),
        (Section::Ranges, vec![&range_table[..]]),
        (Section::Sources, vec![&sources[..]]),
    ];
    format::assemble(names, keys, &parts)
}

fn shard_table(merged: &Merged, fsts: &[Vec<u8>]) -> Vec<u8> {
    let mut table = Vec::new();
    table.put_u32(fsts.len() as u32);
    let mut at = 0u64;
    for (number, (shard, fst)) in merged.shards.iter().zip(fsts).enumerate() {
        table.put_u64(at);
        table.put_u64(fst.len() as u64);
        table.put_u32(shard.copies as u32);
        table.put_blob(if number == 0 { &[] } else { &shard.first });
        at += fst.len() as u64;
    }
    table
}

fn assemble_lines(merged: &Merged, gate: &[u8]) -> Vec<u8> {
    let digest = gate[format::DIGEST].try_into().unwrap_or_default();
    let shards: Vec<_> = merged
        .shards
        .iter()
        .map(|shard| {
            let checkpoints = (0..shard.keys.len()).step_by(lines::CHECKPOINT_KEYS);
            let keys = checkpoints.map(|at| shard.key(at)).collect();
            (&shard.lines, keys)
        })
        .collect();
    let patterns: Vec<u32> = merged.patterns.iter().map(|row| row.2).collect();
    let networks: Vec<u32> = merged.networks.iter().map(|row| row.2).collect();
    lines::assemble(digest, &merged.line_widths, &shards, &patterns, &networks)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn networks(texts: &[(&str, u32)]) -> Vec<(IpNet, u32, u32)> {
        let mut networks: Vec<_> = texts
            .iter()
            .map(|(text, rule)| (text.parse().unwrap(), *rule, 1))
            .collect();
        networks.sort();
        networks
    }

    #[test]
    fn ranges_say_for_every_address_what_the_networks_say() {
        let networks = networks(&[
            ("0.0.0.0/32", 4),
            ("10.0.0.0/8", 1),
            ("10.1.0.0/16", 2),
            ("10.1.0.0/16", 0),
            ("10.1.255.0/24", 1),
            ("10.2.0.0/16", 3),
            ("255.255.255.255/32", 5),
            ("2001:db8::/32", 6),
            ("2001:db8::1/128", 7),
            ("ffff::/16", 6),
        ]);
        let ranges = Ranges::of(&networks);
        let probe = |list: &[(u128, Vec<u32>)], address: u128| -> Vec<u32> {
            let after = list.partition_point(|(start, _)| *start <= address);
            after.checked_sub(1).map_or(Vec::new(), |index| list[index].1.clone())
        };
        let edges = networks
            .iter()
            .flat_map(|(network, _, _)| [network.network(), network.broadcast()]);
        for edge in edges {
            for delta in [-1i128, 0, 1] {
                let (list, number) = match edge {
                    std::net::IpAddr::V4(edge) => (&ranges.v4, u128::from(u32::from(edge))),
                    std::net::IpAddr::V6(edge) => (&ranges.v6, u128::from(edge)),
                };
                let number = number.wrapping_add_signed(delta);
                let address: std::net::IpAddr = match edge {
                    std::net::IpAddr::V4(_) if number > u128::from(u32::MAX) => continue,
                    std::net::IpAddr::V4(_) => std::net::Ipv4Addr::from(number as u32).into(),
                    std::net::IpAddr::V6(_) => std::net::Ipv6Addr::from(number).into(),
                };
                let mut wanted: Vec<u32> = networks
                    .iter()
                    .filter(|(network, _, _)| network.contains(&address))
                    .map(|row| row.1)
                    .collect();
                wanted.sort_unstable();
                wanted.dedup();
                assert_eq!(probe(list, number), wanted, "{address}");
            }
        }
        assert!(ranges.v4.is_sorted_by(|a, b| a.0 < b.0 && a.1 != b.1));
    }
}
