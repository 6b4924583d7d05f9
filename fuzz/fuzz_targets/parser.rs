//! What must hold of a parsed list, whatever its bytes are. Shared by the fuzz targets and by `cargo test`, which replays
//! their corpora.

use stairgate::config::settings::ListAction;
use stairgate::dns::name;
use stairgate::list::dump::{self, Target, Traits};
use stairgate::list::parse::{Options, parse, split_dump};
use stairgate::list::pattern;
use stairgate::list::rule::{Parsed, Pattern};
use stairgate::list::source::Format;

/// Reads `bytes` as `format`, and as whatever they look like.
#[allow(dead_code, reason = "for the targets; the tests call what it calls")]
pub fn check(format: Format, bytes: &[u8]) {
    check_as(Some(format), bytes);
    check_as(None, bytes);
}

/// Reads `bytes` as `format` (`None`: what they look like), as a list of the operator's own and as one that somebody else
/// publishes.
pub fn check_as(format: Option<Format>, bytes: &[u8]) {
    for fetched in [false, true] {
        let options = Options {
            format,
            file_name: String::new(),
            action: ListAction::Block,
            match_scope: None,
            rewrite: !fetched,
            fetched,
        };
        let Ok((taken_as, parsed)) = parse(bytes, &options) else {
            continue;
        };
        holds(taken_as, &parsed);
        let (_, again) = parse(bytes, &options).expect("it parsed a moment ago");
        assert_eq!(again.keys, parsed.keys, "the same bytes give the same names");
        assert_eq!(again.counts, parsed.counts, "the same bytes give the same counts");
        if taken_as == Format::Dump {
            let parts: usize = split_dump(bytes).iter().map(|part| part.bytes.len()).sum();
            assert!(parts + 3 >= bytes.len(), "no line of a dump is lost when it is parted");
        }
    }
}

fn holds(taken_as: Format, parsed: &Parsed) {
    let counts = parsed.counts;
    assert_eq!(
        counts.lines,
        counts.rule_lines + counts.comments + counts.skipped + counts.rejected_lines,
        "each line is counted once"
    );
    assert_eq!(
        counts.rules,
        (parsed.names.len() + parsed.patterns.len()) as u64,
        "each rule is counted once"
    );
    assert!(
        counts.rejects >= parsed.rejects.len() as u64,
        "no reject is kept that was not counted"
    );
    for entry in &parsed.names {
        let key = parsed.key(entry);
        assert!(key.len() > 1 && key.ends_with(b"."), "a key is labels, each closed");
        for label in key[..key.len() - 1].split(|&byte| byte == b'.') {
            assert!((1..=63).contains(&label.len()), "a label has 1 to 63 bytes");
            assert!(!label.iter().any(u8::is_ascii_uppercase), "a key is in lower case");
        }
        assert!(
            usize::from(entry.template) < parsed.templates.len(),
            "a rule has a template"
        );
        // A dump tells the lines of the lists it was made from.
        assert!(
            taken_as == Format::Dump || (1..=counts.lines).contains(&u64::from(entry.line)),
            "a rule stands on a line of the list"
        );
        let text = dump::name_text(key, entry.scope);
        let read = dump::parse_target(dump::name_kind(entry.scope), &text);
        assert_eq!(
            read,
            Ok(Target::Name(key.into(), entry.scope)),
            "a name reads back equal"
        );
    }
    for entry in &parsed.patterns {
        assert!(
            usize::from(entry.template) < parsed.templates.len(),
            "a rule has a template"
        );
        match &entry.pattern {
            Pattern::Regex(expression) => {
                assert_eq!(
                    pattern::checked(expression).as_ref(),
                    Ok(expression),
                    "an expression that was taken is taken again, as it is"
                );
            }
            Pattern::Wildcard(wildcard) => {
                let expression = pattern::wildcard_expression(wildcard);
                assert!(
                    pattern::checked(&expression).is_ok(),
                    "a wildcard is an expression: {wildcard}"
                );
            }
            _ => {}
        }
        let text = dump::pattern_text(&entry.pattern);
        assert!(!text.contains(['\t', '\n']), "a pattern is one field: {text:?}");
        let read = dump::parse_target(dump::pattern_kind(&entry.pattern), &text);
        assert_eq!(
            read,
            Ok(Target::Pattern(entry.pattern.clone())),
            "a pattern reads back equal"
        );
    }
    for template in &parsed.templates {
        let text = dump::effect_text(&template.effect);
        assert_eq!(
            dump::parse_effect(&text).as_ref(),
            Ok(&template.effect),
            "an effect reads back equal"
        );
        let text = dump::modifiers_text(&template.modifiers, &Traits::default());
        let read = dump::parse_modifiers(&text);
        assert_eq!(
            read.map(|(modifiers, _)| modifiers).as_ref(),
            Ok(&template.modifiers),
            "modifiers read back equal"
        );
        if let stairgate::list::rule::Effect::Cname(target) = &template.effect {
            assert_eq!(
                name::wire_len(target.as_wire()),
                Some(target.as_wire().len()),
                "a target is a whole name"
            );
        }
    }
}
