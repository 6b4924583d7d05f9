//! AdGuard's syntax for DNS, and Adblock's as far as it is about whole hosts.
//!
//! `||x^` is a name and all below it, `|x^` that name, `x` alone that name where it is a host's (see [`host`]) and a pattern
//! found anywhere in a name otherwise; open ends and stars make patterns; `/x/` is a regular expression; `@@` lets through. Cosmetic and URL rules are skipped. An unknown modifier rejects its rule, since
//! what the rule would mean without it is anyone's guess. Lines of hosts form are read as such.

mod dnsrewrite;
mod host;
mod modifiers;

use super::collect::{Collector, Line, TOO_MANY_TEMPLATES, TemplateId};
use super::hosts::Hosts;
use super::line::{self, Words};
use crate::list::dump;
use crate::list::normalize;
use crate::list::pattern;
use crate::list::rule::{Effect, Pattern, Scope};
use ipnet::IpNet;
use modifiers::Found;
use std::borrow::Cow;

/// Reads lines of a list in this syntax.
pub struct Adguard {
    block: TemplateId,
    hosts: Hosts,
    /// What a name without anything around it means.
    bare: Scope,
}

/// Whether the list has rules that only this syntax has; then a bare name in it is exact.
pub fn has_rules(bytes: &[u8]) -> bool {
    let mut lines = bytes.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii);
    lines.any(|line| match line {
        [b'!' | b'#', ..] => false,
        [b'|', ..] | [b'@', b'@', ..] => true,
        _ => line.contains(&b'^') || line.contains(&b'$') || matches!(line, [b'/', .., b'/']),
    })
}

/// A rule of this syntax within a list of another.
pub fn lone_rule(line: &[u8], out: &mut Collector) -> Line {
    Adguard::new(Scope::Subtree, out).other_line(line, out)
}

impl Adguard {
    pub fn new(bare: Scope, out: &mut Collector) -> Adguard {
        Adguard {
            block: out.block(),
            hosts: Hosts::default(),
            bare,
        }
    }

    #[inline]
    pub fn line(&mut self, line: &[u8], out: &mut Collector) -> Line {
        if let [b'|', b'|', name @ .., b'^'] = line
            && out.try_plain_name(name, Scope::Subtree, self.block).is_ok()
        {
            return Line::Entries;
        }
        self.other_line(line, out)
    }

    fn other_line(&mut self, line: &[u8], out: &mut Collector) -> Line {
        if is_comment(line) {
            super::note_header(line, out);
            return Line::Comment;
        }
        if is_cosmetic(line) {
            return Line::Skipped;
        }
        let is_expression = line.strip_prefix(b"@@").unwrap_or(line).starts_with(b"/");
        let rule = if is_expression { line } else { without_comment(line) };
        let mut words = Words(rule);
        if let (Some(first), Some(_)) = (words.next(), words.next())
            && normalize::address(first).is_some()
        {
            return self.hosts.line(line, out);
        }
        match self.rule(rule, out) {
            Ok(kind) => kind,
            Err(reason) => {
                out.reject(line, reason);
                Line::Entries
            }
        }
    }

    /// One rule. An error is half a sentence.
    fn rule(&mut self, rule: &[u8], out: &mut Collector) -> Result<Line, Cow<'static, str>> {
        let text = std::str::from_utf8(rule).map_err(|_| "the rule is not UTF-8")?;
        let (allow, text) = match text.strip_prefix("@@") {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        if has_flags(text) {
            return Err("flags behind an expression are not supported; expressions match in any letter case".into());
        }
        let (pattern, options) = split(text);
        // What a URL rule's modifiers say is of no account.
        if is_url_pattern(pattern) {
            return Ok(Line::Skipped);
        }
        let found = modifiers::parse(options)?;
        let Found {
            modifiers,
            badfilter,
            rewrite,
        } = found;
        let effect = match (rewrite, allow) {
            (None, false) => Effect::Block,
            (None, true) => Effect::Allow,
            (Some(Some(effect)), false) => effect,
            (Some(None), false) => return Err("dnsrewrite needs a value, except in an exception".into()),
            (Some(effect), true) => Effect::Unrewrite(effect.map(Box::new)),
        };
        let plain = options.is_empty() && !allow;
        // Rules for everything make sense only when something narrows them down.
        let narrowed = !modifiers.denyallow.is_empty()
            || !modifiers.types.is_empty()
            || !modifiers.types_not.is_empty()
            || !modifiers.clients.is_empty()
            || !modifiers.clients_not.is_empty()
            || !modifiers.tags.is_empty()
            || !modifiers.tags_not.is_empty()
            || !matches!(effect, Effect::Block | Effect::Allow);
        let template = out.template(effect, modifiers, badfilter).ok_or(TOO_MANY_TEMPLATES)?;
        let written = rule;
        match self.target(pattern, plain)? {
            Target::Name(name, scope) => match out.try_name(name.as_bytes(), scope, template) {
                Ok(()) => {}
                Err(fault) => return Err(fault.to_string().into()),
            },
            Target::Address(network) => out.pattern(Pattern::Address(network), template, written),
            Target::Regex(expression) => out.pattern(Pattern::Regex(expression), template, written),
            Target::Wildcard(_) if pattern.len() < SHORTEST && !narrowed => {
                return Err("the pattern is shorter than three characters and would match far too much".into());
            }
            Target::Wildcard(wildcard) => out.pattern(Pattern::Wildcard(wildcard), template, written),
            Target::Everything if out.fetched() => {
                return Err("the rule matches every name, which a fetched list may not".into());
            }
            Target::Everything if !narrowed => return Err("the rule matches every name".into()),
            Target::Everything => out.pattern(Pattern::Wildcard("*".to_owned()), template, written),
        }
        Ok(Line::Entries)
    }

    /// What a pattern is about. `plain`: the rule has neither modifiers nor `@@`, and so may be a host alone.
    fn target(&self, pattern: &str, plain: bool) -> Result<Target, Cow<'static, str>> {
        if let Some(expression) = expression(pattern) {
            return Ok(Target::Regex(pattern::checked(expression)?));
        }
        // Some lists leave blanks between a name and the sign that ends it.
        let trimmed;
        let pattern = match pattern.strip_suffix('^') {
            Some(head) if head.ends_with([' ', '\t']) => {
                trimmed = format!("{}^", head.trim_end());
                &trimmed
            }
            _ => pattern,
        };
        if pattern.bytes().any(line::is_blank) {
            return Err("the pattern holds a blank".into());
        }
        let (start, rest) = if let Some(rest) = pattern.strip_prefix("||") {
            (Start::Label, rest)
        } else if let Some(rest) = pattern.strip_prefix('|') {
            (Start::Name, rest)
        } else {
            (Start::Open, pattern)
        };
        let (start, rest) = match after_scheme(rest) {
            // The scheme is where the name begins.
            Some(rest) => (Start::Name, rest),
            None => (start, rest),
        };
        // A slash is where the name ends.
        let (rest, closed_by_slash) = match ["/", "/*", "/^", "/|"].iter().find_map(|end| rest.strip_suffix(end)) {
            Some(rest) => (rest, true),
            None => (rest, false),
        };
        // The end of the name is followed by nothing, which is what a star may stand for.
        let closed = rest.trim_end_matches(['^', '|', '*']);
        let tail = &rest[closed.len()..];
        let is_closed = closed_by_slash || tail.contains(['^', '|']);
        if tail.contains("||") {
            return Err("a bar within the pattern".into());
        }
        // "x*^": the star before the end belongs to the pattern.
        let (core, star_at_end) = match tail.find(['^', '|']) {
            Some(0) => (closed, false),
            Some(_) => (closed, true),
            None => (closed, !tail.is_empty()),
        };
        if core.trim_matches(['*', '.']).is_empty() {
            return Ok(Target::Everything);
        }
        if !star_at_end && let Some(network) = network(core) {
            return if start == Start::Open || is_closed {
                Ok(Target::Address(network))
            } else {
                Ok(Target::Wildcard(wildcard(start, core, "")?))
            };
        }
        if let Some(c) = core
            .chars()
            .find(|&c| matches!(c, '^' | '|' | '/' | '$' | '~' | '=' | '&' | '?' | '%' | '"'))
        {
            return Err(format!("the pattern holds \"{c}\" where no name can match it").into());
        }
        let stars = core.contains('*') || star_at_end;
        if is_closed && !star_at_end {
            if !stars && start == Start::Label && !core.starts_with('.') {
                return Ok(Target::Name(core.to_owned(), Scope::Subtree));
            }
            if !stars && start == Start::Name && !core.starts_with('.') {
                return Ok(Target::Name(core.to_owned(), Scope::Exact));
            }
            // "||*.x^" and ".x^" are all names below x.
            if let Some(parent) = core
                .strip_prefix("*.")
                .or_else(|| core.strip_prefix('.').filter(|_| start != Start::Name))
                && !parent.contains('*')
            {
                return Ok(Target::Name(parent.to_owned(), Scope::Below));
            }
        }
        if plain && !stars && !is_closed && start == Start::Open && host::is_host(pattern) {
            return Ok(Target::Name(core.to_owned(), self.bare));
        }
        let end = match (star_at_end, is_closed) {
            (true, true) => "*^",
            (true, false) => "*",
            (false, true) => "^",
            (false, false) => "",
        };
        Ok(Target::Wildcard(wildcard(start, core, end)?))
    }
}

/// A pattern shorter than this is taken only with modifiers that narrow it down, as in AdGuard's urlfilter, in bytes.
const SHORTEST: usize = 3;

/// Where a pattern begins to match.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Start {
    /// `||`
    Label,
    /// `|`
    Name,
    /// Anywhere.
    Open,
}

enum Target {
    Name(String, Scope),
    Address(IpNet),
    Regex(String),
    Wildcard(String),
    Everything,
}

/// A pattern in lower case, with what begins and ends it.
fn wildcard(start: Start, core: &str, end: &str) -> Result<String, Cow<'static, str>> {
    if !core.is_ascii() {
        return Err("an open pattern cannot hold other letters than ASCII".into());
    }
    if let Some(c) = core
        .chars()
        .find(|&c| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '*' | ':')))
    {
        return Err(format!("a name cannot hold the character \"{c}\"").into());
    }
    if core.len() > 255 {
        return Err("the pattern is longer than any name".into());
    }
    let start = match start {
        Start::Label => "||",
        Start::Name => "|",
        Start::Open => "",
    };
    let mut pattern = format!("{start}{}{end}", core.to_ascii_lowercase());
    // An open end says the same with a star, and "*.x" alone is how names below x are written.
    if dump::reads_as_below(&pattern) {
        pattern.push('*');
    }
    Ok(pattern)
}

/// `192.0.2.1`, `2001:db8::1`, `192.0.2.0/24`
fn network(text: &str) -> Option<IpNet> {
    if let Some(address) = normalize::address(text.as_bytes()) {
        return Some(IpNet::from(address));
    }
    text.parse::<IpNet>().ok().map(|network| network.trunc())
}

/// The rest behind `://`, `http://`, `*://` and the like.
fn after_scheme(pattern: &str) -> Option<&str> {
    let (scheme, rest) = pattern.split_once("://")?;
    matches!(scheme, "" | "*" | "http" | "https" | "http*" | "ws" | "wss").then_some(rest)
}

/// What stands between the slashes of a regular expression.
fn expression(pattern: &str) -> Option<&str> {
    pattern
        .strip_prefix('/')?
        .strip_suffix('/')
        .filter(|inner| !inner.is_empty())
}

/// Whether this is `/x/i`, as other programs write expressions. AdGuard's urlfilter takes the flags for an unknown modifier.
/// A path such as `/ads/i` has no sign of an expression in it.
fn has_flags(text: &str) -> bool {
    let Some((inner, flags)) = text.strip_prefix('/').and_then(|rest| rest.rsplit_once('/')) else {
        return false;
    };
    (1..=6).contains(&flags.len())
        && flags.bytes().all(|flag| b"dgimsuvy".contains(&flag))
        && (inner.starts_with('^') || inner.contains(['\\', '(', '[', '{', '+', '$']))
}

/// Parts a rule into pattern and modifiers at the `$` between them.
fn split(text: &str) -> (&str, &str) {
    if text.starts_with('/') {
        // A dollar within an expression is its own; the one that counts follows the last slash.
        let mut end = text.len();
        while let Some(slash) = text[..end].rfind('/').filter(|&slash| slash > 0) {
            match text[slash + 1..].strip_prefix('$') {
                Some(options) => return (&text[..=slash], options),
                None if slash + 1 == text.len() => return (text, ""),
                None => end = slash,
            }
        }
    }
    match text.split_once('$') {
        Some((pattern, options)) => (pattern, options),
        None => (text, ""),
    }
}

/// Whether a pattern is about more of a URL than its host.
fn is_url_pattern(pattern: &str) -> bool {
    if let Some(expression) = expression(pattern) {
        return expression.contains("://") || expression.contains(":\\/\\/");
    }
    let rest = pattern.trim_start_matches('|');
    let rest = after_scheme(rest).unwrap_or(rest);
    if network(rest.trim_end_matches(['^', '|'])).is_some() {
        return false;
    }
    let host = rest.find(['/', '?', '=', '&', ':']);
    match host {
        None => false,
        Some(at) => {
            let path = &rest[at..];
            // "x/" is the whole host, and so is "x/*"; a port is nothing a resolver sees.
            !matches!(path, "/" | "/*" | "/^" | "/|")
        }
    }
}

fn is_comment(line: &[u8]) -> bool {
    match line {
        [] | [b'!' | b';', ..] => true,
        [b'[', .., b']'] => true,
        [b'#', ..] => !is_generic_cosmetic(line),
        _ => false,
    }
}

/// A cosmetic rule for all sites, as apart from a comment line of `#` signs.
fn is_generic_cosmetic(line: &[u8]) -> bool {
    const MARKS: [&[u8]; 6] = [b"#@#", b"#?#", b"#$#", b"#%#", b"#@?#", b"#$?#"];
    MARKS.iter().any(|mark| line.starts_with(mark))
        || line.strip_prefix(b"##").is_some_and(|selector| match selector {
            [b'.' | b'[' | b'^' | b'*' | b'+', ..] => true,
            [b'#', id, ..] => id.is_ascii_alphabetic() && !selector.contains(&b' '),
            _ => false,
        })
}

/// Element hiding, scripts, styles: `example.org##.banner`, `example.org$$script`.
fn is_cosmetic(line: &[u8]) -> bool {
    if line.first() == Some(&b'/') || line.starts_with(b"@@") || line.starts_with(b"|") {
        return false;
    }
    if line.first() == Some(&b'#') {
        return is_generic_cosmetic(line);
    }
    const MARKS: [&[u8]; 9] = [b"##", b"#@#", b"#?#", b"#$#", b"#%#", b"#@?#", b"#@%#", b"$$", b"$@$"];
    let Some(at) = line.iter().position(|byte| matches!(byte, b'#' | b'$')) else {
        return false;
    };
    let sites = &line[..at];
    MARKS.iter().any(|mark| line[at..].starts_with(mark))
        && !sites
            .iter()
            .any(|&byte| line::is_blank(byte) || matches!(byte, b'^' | b'|'))
}

/// The line up to a `#` that follows a blank.
fn without_comment(line: &[u8]) -> &[u8] {
    let end = memchr::memchr_iter(b'#', line).find(|&at| at > 0 && line::is_blank(line[at - 1]));
    line[..end.unwrap_or(line.len())].trim_ascii()
}
