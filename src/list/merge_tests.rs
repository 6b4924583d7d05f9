//! Merging and compiling made-up lists, from `Parsed` values to look-ups.

use super::*;
use crate::config::settings::ListAction;
use crate::dns::key::Key;
use crate::list::compile::{CompileOptions, Compiled, compile_parsed};
use crate::list::lines::Lines;
use crate::list::rule::NameEntry;
use crate::list::rule::{Counts, PatternEntry, Template};
use crate::list::set::{Gate, RuleId};
use crate::list::source::Format;
use proptest::prelude::*;

/// A list of names, each with a scope and a template; lines are counted from 1.
pub(crate) fn list(name: &str, templates: &[Template], names: &[(&str, Scope, u16)]) -> ParsedSource {
    let mut parsed = Parsed {
        templates: templates.to_vec(),
        ..Parsed::default()
    };
    for (line, (name, scope, template)) in (1..).zip(names) {
        let key = Key::parse(name).unwrap();
        parsed.names.push(NameEntry {
            key_start: parsed.keys.len() as u32,
            key_len: key.as_bytes().len() as u8,
            scope: *scope,
            template: *template,
            line,
        });
        parsed.keys.extend_from_slice(key.as_bytes());
    }
    let counts = Counts {
        lines: names.len() as u64,
        rule_lines: names.len() as u64,
        rules: names.len() as u64,
        ..Counts::default()
    };
    ParsedSource {
        info: SourceInfo {
            name: name.to_owned(),
            category: "adult".to_owned(),
            action: ListAction::Block,
            format: Format::Domains,
            match_scope: None,
            rank: 100,
            rewrite: false,
            sha256: [7; 32],
            counts,
            rejects: Vec::new(),
            dated: None,
            licence: None,
        },
        parsed,
    }
}

pub(crate) fn template(effect: Effect) -> Template {
    Template {
        effect,
        modifiers: Modifiers::default(),
        badfilter: false,
    }
}

fn blocks(name: &str, names: &[(&str, Scope)]) -> ParsedSource {
    let names: Vec<_> = names.iter().map(|&(name, scope)| (name, scope, 0)).collect();
    list(name, &[template(Effect::Block)], &names)
}

fn compiled(lists: Vec<ParsedSource>) -> Compiled {
    compile_parsed(lists, &CompileOptions::default()).unwrap()
}

fn open(compiled: &Compiled) -> (Gate, Lines) {
    let gate = Gate::from_bytes(compiled.gate.clone()).unwrap();
    gate.check_tables().unwrap();
    let lines = Lines::open(compiled.lines.clone(), &gate).unwrap();
    (gate, lines)
}

/// What the gate holds on the way to a name: labels, source, scope.
fn found(gate: &Gate, name: &str) -> Vec<(usize, String, Scope)> {
    let mut found = Vec::new();
    gate.walk(&Key::parse(name).unwrap(), |labels, set| {
        for rule in gate.rules_of(set) {
            let rule = gate.rule(rule).unwrap();
            found.push((
                labels,
                gate.sources()[usize::from(rule.source.0)].name.clone(),
                rule.scope,
            ));
        }
    });
    found
}

use Scope::{Below, Exact, Subtree};

#[test]
fn a_walk_gives_every_parent_that_is_listed_shortest_first() {
    let lists = vec![
        blocks("b", &[("example.com", Exact), ("deep.www.example.com", Subtree)]),
        blocks("a", &[("www.example.com", Exact)]),
        blocks("c", &[("com", Below)]),
    ];
    let (gate, _) = open(&compiled(lists));
    assert_eq!(
        found(&gate, "x.deep.www.Example.COM"),
        [
            (1, "c".to_owned(), Below),
            (2, "b".to_owned(), Exact),
            (3, "a".to_owned(), Exact),
            (4, "b".to_owned(), Subtree)
        ]
    );
    assert_eq!(found(&gate, "example.org"), []);
    assert_eq!(found(&gate, "example.comx"), []);
    assert_eq!((gate.names(), gate.keys()), (4, 4));
}

#[test]
fn a_name_is_dropped_only_if_every_source_that_lists_it_covers_it_from_above() {
    let lists = vec![
        blocks(
            "a",
            &[
                ("example.com", Subtree),
                ("one.example.com", Exact),
                ("two.example.com", Subtree),
            ],
        ),
        blocks("b", &[("example.com", Exact), ("two.example.com", Exact)]),
    ];
    let compiled = compiled(lists);
    let (gate, _) = open(&compiled);
    assert_eq!((gate.names(), gate.keys()), (3, 2));
    assert_eq!(found(&gate, "one.example.com").len(), 2);
    assert_eq!(
        found(&gate, "two.example.com").len(),
        4,
        "b has no entry above that covers it, so all stays"
    );
}

#[test]
fn a_name_under_an_exception_is_kept_although_a_higher_entry_covers_it() {
    let names = [
        ("example.com", Subtree, 0),
        ("mail.example.com", Subtree, 1),
        ("ads.mail.example.com", Exact, 0),
    ];
    let lists = vec![list("a", &[template(Effect::Block), template(Effect::Allow)], &names)];
    let (gate, _) = open(&compiled(lists));
    assert_eq!(gate.keys(), 3);
}

#[test]
fn a_different_effect_or_modifier_keeps_a_name() {
    let important = Template {
        modifiers: Modifiers {
            important: true,
            ..Modifiers::default()
        },
        ..template(Effect::Block)
    };
    let names = [
        ("example.com", Subtree, 0),
        ("a.example.com", Exact, 1),
        ("b.example.com", Exact, 2),
    ];
    let lists = vec![list(
        "a",
        &[template(Effect::Block), important, template(Effect::Nodata)],
        &names,
    )];
    let (gate, _) = open(&compiled(lists));
    assert_eq!(gate.keys(), 3);
}

#[test]
fn badfilter_takes_back_the_same_rule_of_its_own_source_only() {
    let bad = Template {
        badfilter: true,
        ..template(Effect::Block)
    };
    let names = [
        ("one.example", Subtree, 0),
        ("one.example", Subtree, 1),
        ("two.example", Subtree, 0),
        ("two.example", Exact, 1),
        ("three.example", Subtree, 1),
    ];
    let lists = vec![
        list("a", &[template(Effect::Block), bad], &names),
        blocks("b", &[("three.example", Subtree)]),
    ];
    let (gate, _) = open(&compiled(lists));
    assert_eq!(found(&gate, "one.example"), []);
    assert_eq!(
        found(&gate, "two.example"),
        [(2, "a".to_owned(), Subtree)],
        "another scope is another rule"
    );
    assert_eq!(found(&gate, "three.example"), [(2, "b".to_owned(), Subtree)]);
    assert_eq!(gate.names(), 2);
}

#[test]
fn equal_rules_of_a_source_keep_the_first_line() {
    let lists = vec![
        blocks("a", &[("x.example", Exact), ("y.example", Exact), ("x.example", Exact)]),
        blocks("b", &[("y.example", Exact), ("x.example", Exact)]),
    ];
    let (gate, lines) = open(&compiled(lists));
    let key = Key::parse("x.example").unwrap();
    assert_eq!(
        lines.of_key(&gate, key.as_bytes()),
        Some(vec![(RuleId(0), 1), (RuleId(1), 2)])
    );
    assert_eq!(lines.of_key(&gate, b"example.z."), None);
}

#[test]
fn sources_come_in_order_of_rank_then_name() {
    let mut first = blocks("z", &[("x.example", Exact)]);
    first.info.rank = 1;
    let lists = vec![
        blocks("b", &[("x.example", Exact)]),
        first,
        blocks("a", &[("x.example", Exact)]),
    ];
    let (gate, _) = open(&compiled(lists));
    let names: Vec<_> = found(&gate, "x.example").into_iter().map(|row| row.1).collect();
    assert_eq!(names, ["z", "a", "b"]);
}

#[test]
fn two_lists_of_one_name_are_refused() {
    let lists = vec![blocks("a", &[]), blocks("a", &[])];
    assert_eq!(merge(lists).unwrap_err(), MergeError::SameName("a".to_owned()));
}

#[test]
fn patterns_and_networks_keep_their_rules_and_lines() {
    let mut source = blocks("a", &[]);
    let network = |text: &str| Pattern::Address(text.parse().unwrap());
    for (line, pattern) in (1..).zip([
        Pattern::Regex("^ads".to_owned()),
        network("192.0.2.0/24"),
        network("192.0.2.7/32"),
        network("2001:db8::/32"),
        Pattern::Regex("^ads".to_owned()),
    ]) {
        source.parsed.patterns.push(PatternEntry {
            pattern,
            template: 0,
            line,
        });
    }
    source.info.counts.lines = 5;
    let (gate, lines) = open(&compiled(vec![source]));
    assert_eq!(gate.patterns(), [(Pattern::Regex("^ads".to_owned()), RuleId(0))]);
    assert_eq!(lines.of_pattern(0), Some(1));
    assert_eq!(lines.of_network(1), Some(3));
    assert!(gate.has_address_rules());
    let hits = |text: &str| {
        let mut hits = 0;
        gate.addresses(text.parse().unwrap(), |_| hits += 1);
        hits
    };
    let found = [
        "192.0.2.7",
        "192.0.3.0",
        "::ffff:192.0.2.7",
        "2001:db8::1",
        "2001:db9::1",
    ]
    .map(hits);
    assert_eq!(found, [1, 0, 1, 1, 0]);
}

/// Enough names for several shards, some under TLDs that are names themselves.
fn many() -> Vec<ParsedSource> {
    let mut names = Vec::new();
    for n in 0..500_000u32 {
        let label = n.wrapping_mul(2_654_435_761) >> 8;
        let tld = ["com", "net", "org"][n as usize % 3];
        names.push((format!("{label:x}.{tld}"), if n % 5 == 0 { Subtree } else { Exact }));
        if n % 7 == 0 {
            names.push((format!("www.{label:x}.{tld}"), Exact));
        }
    }
    let all: Vec<(&str, Scope)> = names.iter().map(|(name, scope)| (name.as_str(), *scope)).collect();
    vec![
        blocks("a", &all[..300_000]),
        blocks("b", &all[200_000..]),
        blocks("c", &[(".", Below)]),
        blocks("d", &[("com", Below)]),
    ]
}

#[test]
fn jobs_and_order_do_not_change_a_byte_and_every_name_is_found_with_its_line() {
    let whole = compiled(many());
    let mut turned = many();
    turned.reverse();
    let options = CompileOptions {
        jobs: 1,
        ..CompileOptions::default()
    };
    let other = compile_parsed(turned, &options).unwrap();
    assert!(whole.gate == other.gate && whole.lines == other.lines);

    let (gate, lines) = open(&whole);
    assert!(gate.shard_count() > 2, "{} shards", gate.shard_count());
    let mut streamed = 0;
    for shard in 0..gate.shard_count() {
        let mut keys = gate.shard_keys(shard, b"");
        let mut count = 0;
        while keys.next().is_some() {
            count += 1;
        }
        streamed += count - gate.shard_copies(shard) as u64;
    }
    assert_eq!(streamed, gate.keys());
    for list in many() {
        for entry in list.parsed.names.iter().step_by(997) {
            let key = list.parsed.key(entry);
            let name = crate::dns::key::to_text(key);
            let rows = found(&gate, &name);
            assert_eq!(
                rows[0],
                (0, "c".to_owned(), Below),
                "{name}: the root is found in every shard"
            );
            if name.ends_with("com") {
                assert!(rows.contains(&(1, "d".to_owned(), Below)), "{name}: and so is the TLD");
            }
            if entry.scope == Subtree {
                let labels = name.split('.').count();
                assert!(rows.contains(&(labels, list.info.name.clone(), Subtree)), "{name}");
                let found = lines.of_key(&gate, key).unwrap();
                assert!(
                    found.iter().any(|row| row.1 == entry.line),
                    "{name} {}: {found:?}",
                    entry.line
                );
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Dropping redundant names changes which entry is named, never which source says what about a name.
    #[test]
    fn dropping_never_changes_what_a_source_says(
        rows in prop::collection::vec((0..3usize, "[ab](\\.[ab]){0,4}", 0..3u16, 0..3usize), 1..40),
        probe in "[ab](\\.[ab]){0,5}",
    ) {
        let templates = [template(Effect::Block), template(Effect::Allow), template(Effect::Nodata)];
        let lists: Vec<_> = (0..3).map(|source| {
            let names: Vec<_> = rows.iter().filter(|row| row.0 == source)
                .map(|row| (row.1.as_str(), [Exact, Subtree, Below][row.3], row.2)).collect();
            list(&format!("list{source}"), &templates, &names)
        }).collect();
        // For each source: what it says at the closest name at which it says anything about the probe.
        let mut wanted = vec![Vec::new(); 3];
        for (source, wanted) in wanted.iter_mut().enumerate() {
            let covers = |name: &str, scope| {
                let below = probe.ends_with(&format!(".{name}"));
                match scope { Exact => probe == name, Below => below, Subtree => below || probe == name }
            };
            let said: Vec<_> = rows.iter().filter(|row| row.0 == source)
                .filter(|row| covers(&row.1, [Exact, Subtree, Below][row.3])).collect();
            let longest = said.iter().map(|row| row.1.len()).max();
            *wanted = said.iter().filter(|row| Some(row.1.len()) == longest).map(|row| row.2).collect();
            wanted.sort_unstable();
            wanted.dedup();
        }
        let (gate, _) = open(&compiled(lists));
        let key = Key::parse(&probe).unwrap();
        let mut got = vec![(0, Vec::new()); 3];
        gate.walk(&key, |labels, set| for rule in gate.rules_of(set) {
            let rule = gate.rule(rule).unwrap();
            let covers = match rule.scope { Exact => labels == key.label_count(), Below => labels < key.label_count(), Subtree => true };
            let (at, said) = &mut got[usize::from(rule.source.0)];
            if covers {
                if *at != labels { said.clear(); }
                *at = labels;
                said.push(match rule.effect { Effect::Block => 0, Effect::Allow => 1, _ => 2u16 });
            }
        });
        for (source, (_, mut said)) in got.into_iter().enumerate() {
            said.sort_unstable();
            said.dedup();
            prop_assert_eq!(&said, &wanted[source], "list{} about {}", source, &probe);
        }
    }
}
