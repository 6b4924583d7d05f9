//! Patterns that are not names, as regular expressions: what AdGuard's wildcards mean, and which expressions are taken.
//!
//! In: patterns as lists write them. Out: expressions over the lower-case presentation name without a final dot.
//! Always: an expression that [`checked`] let through compiles under [`syntax()`], also together with others.

use crate::limits;
use regex_automata::nfa::thompson;
use regex_automata::util::syntax;
use std::fmt::Write;

/// How expressions of lists are read: bytes (names are ASCII), linear in time, no look-around.
pub fn syntax() -> syntax::Config {
    syntax::Config::new().unicode(false).utf8(false).case_insensitive(true)
}

/// The states of one expression may take this much memory, in bytes; a larger one is rejected.
pub const STATE_BYTES: usize = 1 << 20;

/// Checks an expression of a list (Perl's or POSIX's extended syntax) and returns it as [`syntax()`] reads it, or half a
/// sentence on why it is not taken.
pub fn checked(expression: &str) -> Result<String, String> {
    if expression.len() > limits::PATTERN_BYTES {
        return Err(format!("the expression is longer than {} bytes", limits::PATTERN_BYTES));
    }
    let expression = translated(expression)?;
    // A comment alone is empty too. It would match every name.
    if expression.is_empty() {
        return Err("the expression is empty".to_owned());
    }
    thompson::Compiler::new()
        .syntax(syntax())
        .configure(thompson::Config::new().utf8(false).nfa_size_limit(Some(STATE_BYTES)))
        .build(&expression)
        .map_err(|error| match error.size_limit() {
            Some(_) => "the expression is too large when its repetitions are written out".to_owned(),
            None => format!("the expression does not read: {}", last_line(&error)),
        })?;
    Ok(expression)
}

/// The reason at the end of a parser's message, which draws the expression first.
fn last_line(error: &dyn std::error::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    let text = cause.to_string();
    let line = text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("");
    line.trim().trim_start_matches("error: ").to_owned()
}

/// Rewrites the spellings of other engines that mean the same here, and refuses what a linear engine cannot do.
fn translated(expression: &str) -> Result<String, String> {
    let mut out = String::with_capacity(expression.len());
    let mut rest = expression.chars().peekable();
    let mut in_class = false;
    while let Some(c) = rest.next() {
        match c {
            '\\' => match rest.next() {
                None => return Err("the expression ends in a backslash".to_owned()),
                Some(digit @ '1'..='9') if !in_class => {
                    return Err(format!("a back reference (\\{digit}) is not supported"));
                }
                Some('Z') => out.push_str("\\z"),
                Some('\t') => out.push_str("\\t"),
                Some(other) if other.is_control() => return Err(CONTROL.to_owned()),
                // A slash is escaped because slashes delimit the expression; other engines escape blanks and "<" alike.
                Some(plain @ ('/' | ' ' | '<' | '>' | '"' | '\'')) => out.push(plain),
                Some(other) => {
                    out.push('\\');
                    out.push(other);
                }
            },
            '[' if in_class => {
                // "[:space:]" is a class of its own; any other bracket within brackets stands for itself.
                if rest.peek() != Some(&':') {
                    out.push('\\');
                }
                out.push('[');
                if rest.peek() == Some(&':') {
                    for inner in rest.by_ref() {
                        if inner.is_control() {
                            return Err(CONTROL.to_owned());
                        }
                        out.push(inner);
                        if inner == ']' {
                            break;
                        }
                    }
                }
            }
            '[' => {
                in_class = true;
                out.push('[');
                if rest.next_if_eq(&'^').is_some() {
                    out.push('^');
                }
                // A bracket that comes first stands for itself.
                if rest.next_if_eq(&']').is_some() {
                    out.push_str("\\]");
                }
            }
            ']' if in_class => {
                in_class = false;
                out.push(']');
            }
            // Set operations of this engine, plain characters of the others.
            '&' | '~' if in_class => {
                out.push('\\');
                out.push(c);
            }
            '-' if in_class && rest.peek() == Some(&'-') => out.push_str("\\-"),
            '(' if !in_class && rest.peek() == Some(&'?') => {
                let ahead: String = rest.clone().take(3).collect();
                for (opening, what) in [
                    ("?=", "look-ahead"),
                    ("?!", "look-ahead"),
                    ("?<=", "look-behind"),
                    ("?<!", "look-behind"),
                    ("?>", "an atomic group"),
                    ("?(", "a conditional group"),
                    ("?R", "recursion"),
                ] {
                    if ahead.starts_with(opening) {
                        return Err(format!("{what} is not supported"));
                    }
                }
                // Unicode classes would need automata of another kind; names are ASCII.
                let flags: String = rest
                    .clone()
                    .skip(1)
                    .take_while(|c| c.is_ascii_alphabetic() || *c == '-')
                    .collect();
                if flags.contains('u') && !ahead.starts_with("?P") {
                    return Err("the flag \"u\" is not supported".to_owned());
                }
                if ahead.starts_with("?#") {
                    // A comment.
                    for inner in rest.by_ref() {
                        if inner == ')' {
                            break;
                        }
                    }
                } else {
                    out.push('(');
                }
            }
            // A brace that opens no repetition stands for itself.
            '{' if !in_class && !opens_repetition(rest.clone()) => out.push_str("\\{"),
            '\t' => out.push_str("\\t"),
            other if other.is_control() => return Err(CONTROL.to_owned()),
            other => out.push(other),
        }
    }
    Ok(out)
}

const CONTROL: &str = "the expression holds a control character";

fn opens_repetition(mut rest: impl Iterator<Item = char>) -> bool {
    let mut digits = 0;
    loop {
        match rest.next() {
            Some('0'..='9') => digits += 1,
            Some(',') if digits > 0 => {}
            Some('}') => return digits > 0,
            _ => return false,
        }
    }
}

/// What an AdGuard pattern means for a name, as an expression: `||` is the beginning of the name or of one of its labels, `|`
/// the beginning or end of the name, `*` anything, `^` the end (no separator of AdGuard's can be within a name).
pub fn wildcard_expression(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len() + 16);
    let mut rest = pattern;
    if let Some(after) = rest.strip_prefix("||") {
        out.push_str("(?:^|\\.)");
        rest = after;
    } else if let Some(after) = rest.strip_prefix(['|', '^']) {
        out.push('^');
        rest = after;
    }
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        match c {
            '*' => out.push_str(".*"),
            '^' => out.push('$'),
            '|' if rest.is_empty() => out.push('$'),
            'a'..='z' | '0'..='9' | '_' => out.push(c),
            'A'..='Z' => out.push(c.to_ascii_lowercase()),
            other if other.is_ascii_punctuation() => {
                out.push('\\');
                out.push(other);
            }
            other => {
                // Writing to a string cannot fail.
                for byte in other.to_string().bytes() {
                    let _ = write!(out, "\\x{byte:02x}");
                }
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use regex_automata::meta::Regex;

    fn matches(expression: &str, name: &str) -> bool {
        Regex::builder()
            .syntax(syntax())
            .build(expression)
            .unwrap()
            .is_match(name)
    }

    #[test]
    fn wildcards_mean_what_adguard_documents() {
        for (pattern, name, expected) in [
            ("||ads*.example^", "ads1.example", true),
            ("||ads*.example^", "x.ads1.example", true),
            ("||ads*.example^", "bads1.example", false),
            ("||ads*.example^", "ads1.example.com", false),
            ("||direct.example", "direct.example.com", true),
            ("|ads.", "ads.example", true),
            ("|ads.", "x.ads.example", false),
            ("*track*", "x.tracker.example", true),
            ("-s2s.example^", "x-s2s.example", true),
            ("-s2s.example^", "x-s2s.example.com", false),
            ("||a.b^", "a.b", true),
            ("||a.b^", "axb", false),
            ("||a*b|", "axxb", true),
            ("||a*b|", "axxbc", false),
            ("||ads^*", "ads", true),
        ] {
            assert_eq!(
                matches(&wildcard_expression(pattern), name),
                expected,
                "{pattern} on {name}"
            );
        }
    }

    #[test]
    fn expressions_of_other_engines_keep_their_meaning() {
        for (expression, name, expected) in [
            (
                r"^ad([sxv]?[0-9]*|system)[_.-]([^.[:space:]]+\.){1,}",
                "ads3.example.com",
                true,
            ),
            (r"^https?\/", "https", false),
            (r"^[]a]x", "]x", true),
            (r"^[a[]x", "[x", true),
            (r"^a{x", "a{x", true),
            (r"^(www[0-9]*\.)?xn--", "www2.xn--p1ai", true),
            (r"(?#comment)abc$", "xabc", true),
            (r"ADS\.", "ads.example", true),
            ("^a\\\tb", "a\tb", true),
            (r"^[\w.-]+\.zip\Z", "a.b.zip", true),
        ] {
            let expression = checked(expression).unwrap();
            assert_eq!(matches(&expression, name), expected, "{expression} on {name}");
        }
    }

    #[test]
    fn what_a_linear_engine_cannot_do_is_refused_with_the_reason() {
        for (expression, reason) in [
            ("^(?!www)ads", "look-ahead"),
            ("(?<=a)b", "look-behind"),
            (r"(a)\1", "back reference"),
            ("(a", "does not read"),
            (r"(?u)\b", "flag"),
            (r"(?i-u:a)", "flag"),
            ("((a{1000}){1000}){1000}", "too large"),
            ("", "empty"),
            ("(?#all of it)", "empty"),
            ("a\\\u{7}", "control"),
            ("[[:s\tace:]]", "control"),
            ("a\\", "backslash"),
        ] {
            let refused = checked(expression).unwrap_err();
            assert!(refused.contains(reason), "{expression}: {refused}");
        }
        assert!(checked(&"a".repeat(limits::PATTERN_BYTES + 1)).is_err());
    }
}
