//! Every format, as plain files: a list in `goldens/NAME/input`, and what is taken from it in `goldens/NAME/expected.tsv`.
//!
//! `UPDATE_GOLDENS=1` rewrites the expected files; read that diff as carefully as code. Words behind the format in NAME say
//! what the operator said of the source: `allow`, `fetched`.

use stairgate::config::settings::ListAction;
use stairgate::list::dump::{Traits, effect_text, modifiers_text, name_kind, name_text, pattern_kind, pattern_text};
use stairgate::list::parse::{Options, parse};
use stairgate::list::rule::Parsed;
use stairgate::list::source::Format;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::Path;

fn options(name: &str) -> Options {
    let says = |word: &str| name.split('-').any(|part| part == word);
    Options {
        format: None,
        file_name: String::new(),
        action: if says("allow") {
            ListAction::Allow
        } else {
            ListAction::Block
        },
        match_scope: None,
        rewrite: !says("fetched"),
        fetched: says("fetched"),
    }
}

/// Everything that was made of a list: its rules by line, then the account of its lines, then what was rejected.
fn text(format: Format, parsed: &Parsed) -> String {
    let mut rules = Vec::new();
    let mut rule = |line: u32, pattern: String, kind: &str, template: u16| {
        let template = &parsed.templates[usize::from(template)];
        let mut modifiers = modifiers_text(&template.modifiers, &Traits::default());
        if template.badfilter {
            modifiers.push_str("badfilter");
        }
        let effect = effect_text(&template.effect);
        rules.push((line, format!("{line}\t{pattern}\t{kind}\t{effect}\t{modifiers}\n")));
    };
    for entry in &parsed.names {
        rule(
            entry.line,
            name_text(parsed.key(entry), entry.scope),
            name_kind(entry.scope),
            entry.template,
        );
    }
    for entry in &parsed.patterns {
        rule(
            entry.line,
            pattern_text(&entry.pattern),
            pattern_kind(&entry.pattern),
            entry.template,
        );
    }
    rules.sort();
    let mut text: String = rules.into_iter().map(|(_, rule)| rule).collect();
    let counts = parsed.counts;
    let dated = parsed.dated.as_deref().unwrap_or("-");
    let _ = writeln!(
        text,
        "= {format}, dated {dated}: {} lines = {} with rules + {} comments + {} skipped + {} rejected; {} rules, {} rejects",
        counts.lines,
        counts.rule_lines,
        counts.comments,
        counts.skipped,
        counts.rejected_lines,
        counts.rules,
        counts.rejects,
    );
    for reject in &parsed.rejects {
        let _ = writeln!(text, "! {}\t{}\t{}", reject.line, reject.entry, reject.reason);
    }
    text
}

#[test]
fn every_format_is_read_as_its_golden_says() {
    let goldens = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lists/goldens");
    let mut formats = BTreeSet::new();
    for entry in fs::read_dir(&goldens).unwrap() {
        let folder = entry.unwrap().path();
        let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
        let input = fs::read(folder.join("input")).unwrap();
        let (format, parsed) = parse(&input, &options(&name)).unwrap();
        formats.insert(format);
        let lines = input.split_inclusive(|&byte| byte == b'\n').count() as u64;
        let counts = parsed.counts;
        assert_eq!(counts.lines, lines, "{name}: every line is counted");
        assert_eq!(
            counts.rules,
            (parsed.names.len() + parsed.patterns.len()) as u64,
            "{name}"
        );
        let actual = text(format, &parsed);
        let file = folder.join("expected.tsv");
        if std::env::var_os("UPDATE_GOLDENS").is_some() {
            fs::write(&file, &actual).unwrap();
        }
        let expected = fs::read_to_string(&file).unwrap_or_default();
        assert!(
            actual == expected,
            "{name}: the golden says\n{expected}\nand it is\n{actual}"
        );
        // The format named is the format found.
        let named = Options {
            format: Some(format),
            ..options(&name)
        };
        assert_eq!(text(format, &parse(&input, &named).unwrap().1), actual, "{name}");
    }
    assert_eq!(
        formats.into_iter().collect::<Vec<_>>(),
        Format::ALL,
        "every format has a golden"
    );
}
