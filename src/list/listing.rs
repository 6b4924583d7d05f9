//! What a gate holds as lines of text, sorted: what `dump` prints.
//!
//! In: a gate, its companion if there is one. Out: one line a rule, in the order of their bytes.
//! Always: the same gate gives the same lines; memory is a few dozen bytes a name, never a string for each.

use crate::list::dump::{self, Traits};
use crate::list::lines::Lines;
use crate::list::rule::Scope;
use crate::list::set::{Gate, Rule, RuleId, RuleSetId};
use std::io::{self, Write};

/// One name of the gate with those of its rules that are written alike: `x` or, for what is only below it, `*.x`.
struct Entry {
    /// Where the text of the name stands in the arena.
    start: u64,
    /// Where the name's line numbers begin, in bits.
    offset: u64,
    set: RuleSetId,
    shard: u32,
    length: u16,
    below: bool,
}

/// Writes every rule of a gate. Without the companion line numbers are 0.
pub fn write(gate: &Gate, lines: Option<&Lines>, out: &mut impl Write) -> io::Result<()> {
    let tails = tails(gate);
    let (arena, mut entries) = entries(gate, lines);
    let text = |entry: &Entry| &arena[entry.start as usize..][..usize::from(entry.length)];
    // "*." is less than any name begins with, save names that begin with "*" themselves; comparing both parts in turn keeps
    // the order of bytes without writing the star down.
    let pattern = |entry: &Entry| {
        let star: &[u8] = if entry.below { b"*." } else { b"" };
        star.iter().chain(text(entry))
    };
    entries.sort_unstable_by(|a, b| pattern(a).cmp(pattern(b)));
    let mut others = others(gate, lines, &tails).into_iter().peekable();
    let mut rows: Vec<Vec<u8>> = Vec::new();
    let mut rest = entries.as_slice();
    while let Some(first) = rest.first() {
        let same = rest
            .iter()
            .take_while(|entry| pattern(entry).eq(pattern(first)))
            .count();
        let (group, after) = rest.split_at(same);
        rest = after;
        for entry in group {
            rows_of(gate, lines, entry, text(entry), &tails, &mut rows);
        }
        rows.sort_unstable();
        for row in rows.drain(..) {
            while let Some(other) = others.next_if(|other| *other < row) {
                out.write_all(&other)?;
            }
            out.write_all(&row)?;
        }
    }
    others.try_for_each(|other| out.write_all(&other))
}

/// For each rule, the columns between kind and line.
fn tails(gate: &Gate) -> Vec<String> {
    (0..gate.rule_count() as u32)
        .filter_map(|rule| gate.rule(RuleId(rule)))
        .map(|rule| tail(gate, rule))
        .collect()
}

fn tail(gate: &Gate, rule: &Rule) -> String {
    let Some(source) = gate.sources().get(usize::from(rule.source.0)) else {
        return String::new();
    };
    let traits = Traits {
        action: source.action,
        format: source.format,
        rank: source.rank,
    };
    format!(
        "\t{}\t{}\t{}\t{}\t",
        dump::effect_text(&rule.effect),
        dump::modifiers_text(&rule.modifiers, &traits),
        source.category,
        source.name
    )
}

fn entries(gate: &Gate, lines: Option<&Lines>) -> (Vec<u8>, Vec<Entry>) {
    let mut arena = Vec::new();
    let mut entries = Vec::with_capacity(usize::try_from(gate.keys()).unwrap_or(0));
    for shard in 0..gate.shard_count() {
        let mut cursor = lines.and_then(|lines| lines.of_shard(shard));
        let copies = gate.shard_copies(shard);
        let mut keys = gate.shard_keys(shard, b"");
        let mut count = 0;
        while let Some((key, set)) = keys.next() {
            let set = RuleSetId(set);
            let offset = cursor.as_ref().map_or(0, |cursor| cursor.offset());
            if let Some(cursor) = &mut cursor {
                cursor.skip(gate, set);
            }
            count += 1;
            if count <= copies {
                continue;
            }
            let start = arena.len() as u64;
            arena.extend_from_slice(dump::name_text(key, Scope::Subtree).as_bytes());
            let has = |below: bool| {
                let mut rules = gate.rules_of(set).filter_map(|rule| gate.rule(rule));
                rules.any(|rule| (rule.scope == Scope::Below) == below)
            };
            for below in [false, true].into_iter().filter(|&below| has(below)) {
                entries.push(Entry {
                    start,
                    offset,
                    set,
                    shard: shard as u32,
                    // A name of 254 bytes has at most four for each when written.
                    length: (arena.len() as u64 - start) as u16,
                    below,
                });
            }
        }
    }
    (arena, entries)
}

fn rows_of(gate: &Gate, lines: Option<&Lines>, entry: &Entry, text: &[u8], tails: &[String], rows: &mut Vec<Vec<u8>>) {
    let mut row = |rule: RuleId, line: u32| {
        let Some(scope) = gate.rule(rule).map(|rule| rule.scope) else {
            return;
        };
        if (scope == Scope::Below) != entry.below {
            return;
        }
        let mut row = Vec::with_capacity(text.len() + 64);
        if entry.below {
            row.extend_from_slice(b"*.");
        }
        row.extend_from_slice(text);
        // Writing to memory cannot fail.
        let _ = writeln!(row, "\t{}{}{line}", dump::name_kind(scope), tails[rule.0 as usize]);
        rows.push(row);
    };
    let cursor = lines.and_then(|lines| lines.of_shard(entry.shard as usize));
    match cursor {
        Some(mut cursor) => {
            cursor.go_to(entry.offset);
            cursor.read(gate, entry.set, row);
        }
        None => gate.rules_of(entry.set).for_each(|rule| row(rule, 0)),
    }
}

/// The lines of what is not a name, sorted.
fn others(gate: &Gate, lines: Option<&Lines>, tails: &[String]) -> Vec<Vec<u8>> {
    let patterns = gate.patterns().iter().enumerate().map(|(index, (pattern, rule))| {
        let line = lines.and_then(|lines| lines.of_pattern(index)).unwrap_or(0);
        (dump::pattern_text(pattern), dump::pattern_kind(pattern), *rule, line)
    });
    let networks = gate.networks().enumerate().map(|(index, (network, rule))| {
        let line = lines.and_then(|lines| lines.of_network(index)).unwrap_or(0);
        let pattern = crate::list::rule::Pattern::Address(network);
        (dump::pattern_text(&pattern), dump::pattern_kind(&pattern), rule, line)
    });
    let mut rows: Vec<Vec<u8>> = patterns
        .chain(networks)
        .map(|(text, kind, rule, line)| format!("{text}\t{kind}{}{line}\n", tails[rule.0 as usize]).into_bytes())
        .collect();
    rows.sort_unstable();
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::list::compile::{CompileOptions, compile};
    use crate::list::source::{Content, SourceSpec};

    fn spec(name: &str, text: &[u8]) -> SourceSpec {
        SourceSpec {
            name: name.to_owned(),
            path: name.into(),
            category: if name.starts_with("allow") { "allow" } else { "ads" }.to_owned(),
            action: if name.starts_with("allow") {
                crate::config::settings::ListAction::Allow
            } else {
                crate::config::settings::ListAction::Block
            },
            format: None,
            match_scope: None,
            rank: 100,
            rewrite: true,
            fetched: false,
            content: Content::Bytes(text.into()),
        }
    }

    fn dumped(specs: Vec<SourceSpec>) -> String {
        let compiled = compile(specs, &CompileOptions::default()).unwrap();
        let gate = Gate::from_bytes(compiled.gate).unwrap();
        let lines = Lines::open(compiled.lines, &gate).unwrap();
        let mut out = Vec::new();
        write(&gate, Some(&lines), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    const ZONE: &str = "$TTL 60\n@ SOA a. b. 1 1 1 1 1\nads.example CNAME .\n*.ads.example CNAME *.\n\
                        ok.ads.example CNAME rpz-passthru.\n24.0.2.0.192.rpz-ip CNAME .\n";

    #[test]
    fn lines_come_in_the_order_of_their_bytes_each_with_seven_fields() {
        let specs = vec![
            spec("b.hosts", b"0.0.0.0 www.example.com\n0.0.0.0 a.example.org\n"),
            spec(
                "a.adguard",
                b"||example.com^\n@@||z.example.com^$important\n/^ad[0-9]+/\n192.0.2.9\n||x*y.example^\n",
            ),
            spec("zone.rpz", ZONE.as_bytes()),
            spec("allow.txt", b"fine.example\n"),
        ];
        let text = dumped(specs);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines.len() >= 10, "{text}");
        assert!(lines.is_sorted(), "{text}");
        for line in &lines {
            assert_eq!(line.split('\t').count(), 7, "{line}");
        }
        assert!(
            text.contains("www.example.com\texact\tblock\t\tads\tb.hosts\t1\n"),
            "{text}"
        );
        assert!(text.contains("*.ads.example\twildcard\tnodata\t"), "{text}");
    }

    #[test]
    fn a_dump_compiled_and_dumped_again_is_the_same_dump() {
        let specs =
            vec![
            spec("b.hosts", b"# a comment\n0.0.0.0 www.example.com\n0.0.0.0 a.example.org\n"),
            spec(
                "a.adguard",
                b"! a comment\n||example.com^\n@@||z.example.com^$important\n/^ad[0-9]+/\n||t.example^$dnstype=AAAA\n\
                  ||r.example^$dnsrewrite=192.0.2.1\n||c.example^$client=192.0.2.0/24\n||x*y.example^\n",
            ),
            spec("zone.rpz", ZONE.as_bytes()),
            spec("allow.txt", b"fine.example\n"),
        ];
        let first = dumped(specs);
        let again = dumped(vec![spec("all.dump", first.as_bytes())]);
        assert_eq!(first, again);
    }
}
