//! What every parser's target does: whatever the bytes, every line is accounted for and every key is one.

use stairgate::config::settings::ListAction;
use stairgate::list::parse::{Options, parse};
use stairgate::list::source::Format;

/// Parses `bytes` as `format`, as a list of the operator's own and as one that somebody else publishes.
pub fn check(format: Format, bytes: &[u8]) {
    for fetched in [false, true] {
        let options = Options {
            format: Some(format),
            file_name: String::new(),
            action: ListAction::Block,
            match_scope: None,
            rewrite: !fetched,
            fetched,
        };
        let Ok((_, parsed)) = parse(bytes, &options) else { continue };
        let counts = parsed.counts;
        assert_eq!(counts.lines, counts.rule_lines + counts.comments + counts.skipped + counts.rejected_lines);
        for entry in &parsed.names {
            let key = parsed.key(entry);
            assert!(key.ends_with(b".") && key.len() <= 254 && !key.contains(&0));
            assert!(usize::from(entry.template) < parsed.templates.len());
        }
    }
}
