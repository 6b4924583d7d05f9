//! Merges parsed lists: what each name is listed for, by whom, on which line.
//!
//! In: parsed lists. Out: [`Merged`], shards of sorted keys, each key with its set of rules, and everything that is not a name.
//! Always: the same lists give the same result, whatever their order and however many threads work.
//! Steps: number the rules, sort the names, cut them into shards, then group equal names, take back what `$badfilter`
//! takes back and drop what is redundant.

use crate::list::grouping::{Grouping, classes};
use crate::list::lines;
use crate::list::order::{shard_ranges, sorted};
use crate::list::rule::{Effect, Modifiers, Parsed, Pattern, Scope};
use crate::list::tables::SourceInfo;
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The most sources of one gate: their numbers take two bytes.
pub const SOURCES: usize = u16::MAX as usize;

/// A parsed list and where it came from.
#[derive(Debug)]
pub struct ParsedSource {
    pub info: SourceInfo,
    pub parsed: Parsed,
}

/// A rule, with its effect and modifiers as indexes into [`Rules::effects`] and [`Rules::modifiers`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RuleRow {
    pub source: u16,
    pub scope: Scope,
    pub effect: u32,
    pub modifiers: u32,
}

/// All different rules, in order of source, scope, effect, modifiers.
#[derive(Debug, Default)]
pub struct Rules {
    pub rows: Vec<RuleRow>,
    pub effects: Vec<Effect>,
    pub modifiers: Vec<Modifiers>,
    /// For each source, template and scope: what an entry of it stands for.
    pub(super) meanings: Vec<Vec<Meaning>>,
}

/// What an entry does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    Rule(u32),
    /// Takes back that rule for the same pattern.
    Unrule(u32),
    /// Takes back a rule that its source does not have.
    Nothing,
}

/// A kept name: where its key ends in the shard's bytes, and its rule set.
#[derive(Debug, Clone, Copy)]
pub struct KeyRow {
    pub(super) end: u32,
    /// Index into the shard's own sets.
    pub set: u32,
}

/// A range of the sorted names.
#[derive(Debug, Default)]
pub struct Shard {
    /// The first two labels of its first name, which all its names but the copies are not less than.
    pub first: Box<[u8]>,
    /// Kept names in order.
    pub keys: Vec<KeyRow>,
    /// Their keys, one after another: in the order in which they are read from here on, where the lists have them all
    /// over memory.
    pub(super) bytes: Vec<u8>,
    /// How many of the first keys are copies of the root's or a TLD's key whose place is in an earlier shard.
    pub copies: usize,
    /// Different names, dropped ones included, copies not.
    pub names: u64,
    /// The rule sets of its names, each ascending.
    pub sets: Vec<Box<[u32]>>,
    /// Line numbers of the keys, copies included.
    pub lines: lines::ShardLines,
}

/// What lists hold, merged.
#[derive(Debug, Default)]
pub struct Merged {
    pub sources: Vec<SourceInfo>,
    pub rules: Rules,
    pub shards: Vec<Shard>,
    /// Patterns without networks of answers, each with its rule and line, in order of pattern, then rule.
    pub patterns: Vec<(Pattern, u32, u32)>,
    /// Networks of answers likewise, those of IPv4 first.
    pub networks: Vec<(ipnet::IpNet, u32, u32)>,
    /// For each source, how many bits its line numbers take.
    pub line_widths: Vec<u8>,
}

/// Why lists cannot be merged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MergeError {
    #[error("two lists are called \"{0}\"; give one of them another name")]
    SameName(String),
    #[error("{0} lists are more than a gate can hold, {SOURCES}")]
    TooMany(usize),
}

impl Merged {
    /// What no lists give.
    pub fn nothing() -> Merged {
        Merged {
            shards: vec![Shard::default()],
            ..Merged::default()
        }
    }
}

impl Shard {
    /// The key of one of its rows, by its place.
    pub fn key(&self, row: usize) -> &[u8] {
        let start = row.checked_sub(1).map_or(0, |before| self.keys[before].end);
        &self.bytes[start as usize..self.keys[row].end as usize]
    }
}

/// Merges lists. Works on the current rayon pool.
pub fn merge(mut lists: Vec<ParsedSource>) -> Result<Merged, MergeError> {
    if lists.len() > SOURCES {
        return Err(MergeError::TooMany(lists.len()));
    }
    lists.sort_by(|a, b| (a.info.rank, &a.info.name).cmp(&(b.info.rank, &b.info.name)));
    let mut names = BTreeSet::new();
    for list in &lists {
        if !names.insert(&list.info.name) {
            return Err(MergeError::SameName(list.info.name.clone()));
        }
    }
    let (mut sources, mut parsed) = (Vec::with_capacity(lists.len()), Vec::with_capacity(lists.len()));
    for list in lists {
        sources.push(list.info);
        parsed.push(list.parsed);
    }
    let rules = number_rules(&parsed);
    let (patterns, networks) = merge_patterns(&mut parsed, &rules);
    let items = sorted(&parsed);
    let line_widths: Vec<u8> = parsed.par_iter().map(line_width).collect();
    let grouping = Grouping {
        parsed: &parsed,
        rules: &rules,
        classes: classes(&rules),
        widths: rules
            .rows
            .iter()
            .map(|row| u32::from(line_widths[usize::from(row.source)]))
            .collect(),
    };
    let shards = shard_ranges(&items, &parsed)
        .into_par_iter()
        .with_max_len(1)
        .map(|range| grouping.shard(&items, range))
        .collect();
    drop(items);
    Ok(Merged {
        sources,
        rules,
        shards,
        patterns,
        networks,
        line_widths,
    })
}

/// How many bits the largest line number of a list takes.
fn line_width(list: &Parsed) -> u8 {
    let names = list.names.iter().map(|entry| entry.line).max();
    lines::width(names.unwrap_or(0))
}

// ---- Numbering the rules ----

fn number_rules(parsed: &[Parsed]) -> Rules {
    let used: Vec<Vec<bool>> = parsed.par_iter().map(used_meanings).collect();
    let mut effects = BTreeSet::new();
    let mut modifiers = BTreeSet::new();
    for list in parsed {
        for template in &list.templates {
            effects.insert(&template.effect);
            modifiers.insert(canonical(&template.modifiers));
        }
    }
    let effects: Vec<Effect> = effects.into_iter().cloned().collect();
    let modifiers: Vec<Modifiers> = modifiers.into_iter().collect();
    let effect_index: HashMap<&Effect, u32> = effects.iter().zip(0..).collect();
    let modifiers_index: HashMap<&Modifiers, u32> = modifiers.iter().zip(0..).collect();
    let mut rows = Vec::new();
    let mut meanings = Vec::new();
    for (source, (list, used)) in parsed.iter().zip(&used).enumerate() {
        let row_of = |template: usize, scope: Scope| RuleRow {
            source: source as u16,
            scope,
            effect: effect_index[&list.templates[template].effect],
            modifiers: modifiers_index[&canonical(&list.templates[template].modifiers)],
        };
        let all = || (0..list.templates.len()).flat_map(|template| SCOPES.map(|scope| (template, scope)));
        let own: BTreeMap<RuleRow, u32> = all()
            .filter(|&(template, scope)| used[slot(template, scope)] && !list.templates[template].badfilter)
            .map(|(template, scope)| row_of(template, scope))
            .collect::<BTreeSet<RuleRow>>()
            .into_iter()
            .zip(rows.len() as u32..)
            .collect();
        rows.extend(own.keys().copied());
        meanings.push(
            all()
                .map(|(template, scope)| match own.get(&row_of(template, scope)) {
                    None => Meaning::Nothing,
                    Some(&rule) if list.templates[template].badfilter => Meaning::Unrule(rule),
                    Some(&rule) => Meaning::Rule(rule),
                })
                .collect(),
        );
    }
    drop((effect_index, modifiers_index));
    Rules {
        rows,
        effects,
        modifiers,
        meanings,
    }
}

const SCOPES: [Scope; 3] = [Scope::Exact, Scope::Subtree, Scope::Below];

pub(super) fn slot(template: usize, scope: Scope) -> usize {
    template * SCOPES.len() + scope as usize
}

/// Which templates and scopes a list's entries have. Patterns count as exact.
fn used_meanings(list: &Parsed) -> Vec<bool> {
    let mut used = vec![false; list.templates.len() * SCOPES.len()];
    for entry in &list.names {
        used[slot(usize::from(entry.template), entry.scope)] = true;
    }
    for entry in &list.patterns {
        used[slot(usize::from(entry.template), Scope::Exact)] = true;
    }
    used
}

/// Modifiers without a difference that means nothing: lists in order, each thing once.
fn canonical(modifiers: &Modifiers) -> Modifiers {
    fn tidy<T: Ord>(list: &mut Vec<T>) {
        list.sort_unstable();
        list.dedup();
    }
    let mut modifiers = modifiers.clone();
    tidy(&mut modifiers.types);
    tidy(&mut modifiers.types_not);
    tidy(&mut modifiers.denyallow);
    tidy(&mut modifiers.clients);
    tidy(&mut modifiers.clients_not);
    tidy(&mut modifiers.tags);
    tidy(&mut modifiers.tags_not);
    modifiers
}

// ---- What is not a name ----

type PatternRows = Vec<(Pattern, u32, u32)>;
type NetworkRows = Vec<(ipnet::IpNet, u32, u32)>;

fn merge_patterns(parsed: &mut [Parsed], rules: &Rules) -> (PatternRows, NetworkRows) {
    let mut rows = Vec::new();
    let mut taken_back = BTreeSet::new();
    for (list, meanings) in parsed.iter_mut().zip(&rules.meanings) {
        for entry in std::mem::take(&mut list.patterns) {
            match meanings[slot(usize::from(entry.template), Scope::Exact)] {
                Meaning::Rule(rule) => rows.push((entry.pattern, rule, entry.line)),
                Meaning::Unrule(rule) => {
                    taken_back.insert((entry.pattern, rule));
                }
                Meaning::Nothing => {}
            }
        }
    }
    rows.par_sort_unstable();
    rows.dedup_by(|next, first| (&next.0, next.1) == (&first.0, first.1));
    if !taken_back.is_empty() {
        rows.retain(|(pattern, rule, _)| !taken_back.contains(&(pattern.clone(), *rule)));
    }
    let (mut patterns, mut networks) = (Vec::new(), Vec::new());
    for (pattern, rule, line) in rows {
        match pattern {
            Pattern::Address(network) => networks.push((network.trunc(), rule, line)),
            pattern => patterns.push((pattern, rule, line)),
        }
    }
    networks.sort_unstable();
    networks.dedup_by(|next, first| (next.0, next.1) == (first.0, first.1));
    (patterns, networks)
}

#[cfg(test)]
#[path = "merge_tests.rs"]
pub(crate) mod tests;
