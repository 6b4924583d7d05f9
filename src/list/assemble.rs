//! From merged lists to the bytes of a gate and its companion.
//!
//! In: [`Merged`]. Out: [`Compiled`]: rule sets numbered, an fst built for each shard, every table written.
//! Always: the same lists give the same bytes, however many threads build.

use crate::list::builder::Builder;
use crate::list::compile::{CompileError, Compiled, Progress, Report, Stage};
use crate::list::format::{self, Section, Write};
use crate::list::lines;
use crate::list::merge::{Merged, Shard};
use crate::list::ranges::Ranges;
use crate::list::tables;
use ipnet::IpNet;
use rayon::prelude::*;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

pub(super) fn build(merged: Merged, progress: &dyn Progress) -> Result<Compiled, CompileError> {
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
