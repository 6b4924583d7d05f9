//! v2fly's domain-list-community: `domain:` (and names alone) with all below, `full:` that name, `keyword:` any name that
//! holds it, `regexp:`. Attributes (`@ads`) and affiliations (`&list`) are about how that project puts its files together
//! and change nothing here; `include:` names another file of it and is skipped.
//!
//! Its exports are read too: `domain:x:@ads,@cn` (attributes close behind), and YAML, where each rule is an item of a list
//! (`- "domain:x:@ads"`), with the lines around the items taken as headers.

use super::collect::{Collector, Line};
use super::domains;
use super::line::Words;
use crate::list::pattern;
use crate::list::rule::{Pattern, Scope};
use std::borrow::Cow;

pub fn line(line: &[u8], out: &mut Collector) -> Line {
    if is_yaml_header(line) {
        return Line::Comment;
    }
    match yaml_item(line) {
        Some(item) => rule_line(&item, out),
        None => rule_line(line, out),
    }
}

fn rule_line(line: &[u8], out: &mut Collector) -> Line {
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
    let rule = without_attributes(rule);
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

/// `lists:`, `- name: x`, `length: 3`, `rules:` and the name of a list alone, as exports have them.
fn is_yaml_header(line: &[u8]) -> bool {
    let bare = line.strip_prefix(b"- ").unwrap_or(line).trim_ascii_start();
    if let Some(name) = bare.strip_suffix(b":") {
        return name
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_!".contains(byte));
    }
    bare.starts_with(b"name: ") || bare.starts_with(b"length: ")
}

/// The text of `- "x"`, `- 'x'` or `- x`.
pub(super) fn yaml_item(line: &[u8]) -> Option<Cow<'_, [u8]>> {
    let item = line.strip_prefix(b"- ")?.trim_ascii();
    Some(match item {
        [b'"', inner @ .., b'"'] if inner.contains(&b'\\') => Cow::Owned(unescaped(inner)),
        [b'"', inner @ .., b'"'] | [b'\'', inner @ .., b'\''] => Cow::Borrowed(inner),
        plain => Cow::Borrowed(plain),
    })
}

/// Takes away the backslashes that a string in double quotes has before backslashes and quotes.
fn unescaped(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => out.push(bytes.next_if(|next| matches!(next, b'\\' | b'"')).unwrap_or(byte)),
            _ => out.push(byte),
        }
    }
    out
}

/// The rule without `:@ads,@cn` at its end.
fn without_attributes(rule: &[u8]) -> &[u8] {
    let Some(at) = memchr::memmem::rfind(rule, b":@") else {
        return rule;
    };
    let mut attributes = rule[at + 1..].split(|&byte| byte == b',');
    let is_attribute = |word: &[u8]| match word {
        [b'@', name @ ..] => {
            !name.is_empty()
                && name
                    .iter()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"-_!".contains(byte))
        }
        _ => false,
    };
    if attributes.all(is_attribute) {
        &rule[..at]
    } else {
        rule
    }
}
