//! Name patterns of dnscrypt-proxy: `x` and `*.x` with all below, `=x` that name, `x.*` names that begin so, `*x*` names
//! that hold it, any other stars, `?` and `[a-z]` as shells read them. A rule with a schedule (`@work`) is rejected: the
//! schedule stands in that program's settings.

use super::collect::{Collector, Line};
use super::domains;
use super::line::Words;
use crate::list::normalize::NameFault;
use crate::list::pattern;
use crate::list::rule::{Pattern, Scope};
use ipnet::{IpNet, Ipv4Net};
use std::net::Ipv4Addr;

pub fn line(line: &[u8], out: &mut Collector) -> Line {
    let mut words = Words(line);
    let entry = match words.next() {
        None => return Line::Comment,
        Some([b'#', ..]) => {
            super::note_header(line, out);
            return Line::Comment;
        }
        Some(entry) => entry,
    };
    match words.next() {
        None | Some([b'#', ..]) => {}
        Some([b'@', ..]) => {
            out.reject(line, "the rule has a schedule, which is in another program's settings");
            return Line::Entries;
        }
        Some(_) => {
            out.reject(line, "the line holds several words");
            return Line::Entries;
        }
    }
    let block = out.block();
    let entry = match entry.iter().position(|&byte| byte == b'#') {
        Some(mark) => &entry[..mark],
        None => entry,
    };
    if let Some(name) = entry.strip_prefix(b"=") {
        out.name(name, Scope::Exact, block);
        return Line::Entries;
    }
    if let Some(network) = address_prefix(entry) {
        out.pattern(Pattern::Address(network), block, entry);
        return Line::Entries;
    }
    let name = entry
        .strip_prefix(b"*.")
        .or_else(|| entry.strip_prefix(b"."))
        .unwrap_or(entry);
    match out.try_name(name, Scope::Subtree, block) {
        Ok(()) => {}
        Err(NameFault::Byte(b'*' | b'?' | b'[' | b']')) => match glob(entry) {
            Ok(pattern) => out.pattern(pattern, block, entry),
            Err(reason) => out.reject(entry, reason),
        },
        // Addresses, and whatever else stands in lists of plain entries.
        Err(_) => domains::entry(entry, block, out),
    }
    Line::Entries
}

/// `192.0.2.*`, as this program writes networks.
fn address_prefix(entry: &[u8]) -> Option<IpNet> {
    let text = std::str::from_utf8(entry.strip_suffix(b".*")?).ok()?;
    let parts: Vec<u8> = text.split('.').map(|part| part.parse().ok()).collect::<Option<_>>()?;
    if parts.len() > 3 {
        return None;
    }
    let mut octets = [0u8; 4];
    octets[..parts.len()].copy_from_slice(&parts);
    Some(IpNet::V4(
        Ipv4Net::new(Ipv4Addr::from(octets), 8 * parts.len() as u8).ok()?,
    ))
}

/// A pattern of a shell over the whole name.
fn glob(entry: &[u8]) -> Result<Pattern, String> {
    if let Ok(text) = domains::glob(entry) {
        // Stars only.
        let start = if text.starts_with('*') { "" } else { "|" };
        let end = if text.ends_with('*') { "" } else { "|" };
        return Ok(Pattern::Wildcard(format!("{start}{text}{end}")));
    }
    let text = std::str::from_utf8(entry).map_err(|_| NameFault::NotUtf8.to_string())?;
    if !text.bytes().any(|byte| byte.is_ascii_alphanumeric()) {
        return Err("the pattern matches every name".to_owned());
    }
    let mut expression = String::from("^");
    let mut in_class = false;
    for c in text.chars() {
        match c {
            '*' if !in_class => expression.push_str(".*"),
            '?' if !in_class => expression.push('.'),
            '[' => {
                in_class = true;
                expression.push(c);
            }
            ']' => {
                in_class = false;
                expression.push(c);
            }
            '.' if !in_class => expression.push_str("\\."),
            'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '_' => expression.push(c),
            '^' | '!' if in_class && expression.ends_with('[') => expression.push('^'),
            other => return Err(NameFault::Byte(u8::try_from(other).unwrap_or(b'?')).to_string()),
        }
    }
    expression.push('$');
    Ok(Pattern::Regex(pattern::checked(&expression)?))
}
