//! v2fly's domain-list-community: `domain:` (and names alone) with all below, `full:` that name, `keyword:` any name that
//! holds it, `regexp:`. Attributes (`@ads`) and affiliations (`&list`) are about how that project puts its files together
//! and change nothing here; `include:` names another file of it and is skipped.

use super::collect::{Collector, Line};
use super::domains;
use super::line::Words;
use crate::list::pattern;
use crate::list::rule::{Pattern, Scope};

pub fn line(line: &[u8], out: &mut Collector) -> Line {
    let mut words = Words(line);
    let rule = match words.next() {
        None => return Line::Comment,
        Some([b'#', ..]) => {
            super::note_header(line, out);
            return Line::Comment;
        }
        Some(rule) => rule,
    };
    for word in words {
        match word {
            [b'#', ..] => break,
            [b'@' | b'&', _, ..] => {}
            _ => {
                out.reject(line, "an attribute begins with @, an affiliation with &");
                return Line::Entries;
            }
        }
    }
    // A comment may stand close behind the rule, except in an expression.
    let (kind, value) = match rule.iter().position(|&byte| byte == b':') {
        Some(colon) => (&rule[..colon], &rule[colon + 1..]),
        None => (&b"domain"[..], rule),
    };
    let before_mark = |value: &'_ [u8]| value.iter().position(|&byte| byte == b'#').unwrap_or(value.len());
    let block = out.block();
    match kind {
        b"domain" => out.name(&value[..before_mark(value)], Scope::Subtree, block),
        b"full" => out.name(&value[..before_mark(value)], Scope::Exact, block),
        b"keyword" => match domains::glob(&value[..before_mark(value)]) {
            Ok(keyword) => out.pattern(Pattern::Wildcard(format!("*{keyword}*")), block, rule),
            Err(reason) => out.reject(rule, reason),
        },
        b"regexp" => match std::str::from_utf8(value).map_err(|_| "the expression is not UTF-8".to_owned()) {
            Ok(expression) => match pattern::checked(expression) {
                Ok(expression) => out.pattern(Pattern::Regex(expression), block, rule),
                Err(reason) => out.reject(rule, reason),
            },
            Err(reason) => out.reject(rule, reason),
        },
        b"include" => return Line::Skipped,
        _ => out.reject(rule, "the rule is none of domain:, full:, keyword:, regexp:, include:"),
    }
    Line::Entries
}
