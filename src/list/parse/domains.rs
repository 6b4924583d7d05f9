//! Lists of plain entries: names (one a line, or several apart by commas), `*.x` wildcards, addresses, URLs of whole sites.
//!
//! A name means itself and everything below it. Addresses and networks are about answers that hold them. Of a URL the host
//! is taken when it stands for the whole site; with a path it is skipped, since a resolver does not see paths.

use super::adguard;
use super::collect::{Collector, Line, TemplateId};
use super::hosts::{self, Hosts};
use super::line::{self, Words};
use crate::list::normalize::{self, NameFault};
use crate::list::rule::{Pattern, Scope};
use ipnet::{IpNet, Ipv4Subnets, Ipv6Subnets};
use std::net::IpAddr;

/// Reads lines of plain entries.
pub struct Domains {
    block: TemplateId,
    /// For lines of hosts form among the others.
    hosts: Hosts,
}

impl Domains {
    pub fn new(out: &mut Collector) -> Domains {
        Domains {
            block: out.block(),
            hosts: Hosts::default(),
        }
    }

    #[inline]
    pub fn line(&mut self, line: &[u8], out: &mut Collector) -> Line {
        match out.try_plain_name(line, Scope::Subtree, self.block) {
            Ok(()) => Line::Entries,
            Err(_) => self.other_line(line, out),
        }
    }

    /// Everything but one plain name.
    fn other_line(&mut self, line: &[u8], out: &mut Collector) -> Line {
        match line {
            [] | [b'#' | b'!' | b';', ..] | [b'/', b'/', ..] | [b'[', .., b']'] => {
                super::note_header(line, out);
                return Line::Comment;
            }
            [b'|', ..] | [b'@', b'@', ..] | [b'/', .., b'/'] => return adguard::lone_rule(line, out),
            _ => {}
        }
        let line = without_comment(line);
        if line.contains(&b',') {
            let words = line.split(|&byte| byte == b',').map(<[u8]>::trim_ascii);
            for word in words.filter(|word| !word.is_empty()) {
                entry(word, self.block, out);
            }
            return Line::Entries;
        }
        let mut words = Words(line);
        match (words.next(), words.next()) {
            (Some(word), None) => entry(word, self.block, out),
            (Some(first), Some(second)) => {
                if normalize::address(first).is_some() && normalize::address(second).is_none() {
                    return self.hosts.line(line, out);
                }
                // Names apart by blanks; a sentence is not one of them.
                if Words(line).all(|word| word.contains(&b'.') && normalize::key(word).is_ok()) {
                    for word in Words(line) {
                        entry(word, self.block, out);
                    }
                } else {
                    out.reject(line, "the line holds several words and is no list of names");
                }
            }
            (None, _) => return Line::Comment,
        }
        Line::Entries
    }
}

/// The line up to `#`, or to a word that begins with another comment mark.
fn without_comment(line: &[u8]) -> &[u8] {
    let line = line::before_comment(line, b"#");
    let mark = line
        .windows(2)
        .position(|pair| line::is_blank(pair[0]) && matches!(pair[1], b';' | b'!'));
    let slashes = line
        .windows(3)
        .position(|three| line::is_blank(three[0]) && &three[1..] == b"//");
    let end = mark.into_iter().chain(slashes).min().unwrap_or(line.len());
    line[..end].trim_ascii()
}

/// One entry: a name, a wildcard, an address, a network, a URL.
pub fn entry(word: &[u8], block: TemplateId, out: &mut Collector) {
    let written = word;
    let word = match word {
        [b'"', inner @ .., b'"'] | [b'\'', inner @ .., b'\''] => inner,
        other => other,
    };
    let (host, path) = match memchr::memmem::find(word, b"://") {
        Some(at) if word[..at].iter().all(u8::is_ascii_alphanumeric) => host_and_path(&word[at + 3..], true),
        _ => match network(word) {
            Some(networks) => {
                for network in networks {
                    out.pattern(Pattern::Address(network), block, written);
                }
                return;
            }
            None => host_and_path(word, false),
        },
    };
    if let Some(address) = normalize::address(host) {
        if path.is_empty() && !hosts::is_null(address) {
            out.pattern(Pattern::Address(IpNet::from(address)), block, written);
        }
        return;
    }
    let below = [&b"*."[..], b"+.", b"."]
        .into_iter()
        .find_map(|prefix| host.strip_prefix(prefix))
        .unwrap_or(host);
    if !path.is_empty() {
        // Skipped when the rest is in order, so that a line of prose is not taken for a URL.
        if let Err(fault) = normalize::key(below) {
            out.reject(written, fault);
        }
        return;
    }
    match out.try_name(below, Scope::Subtree, block) {
        Ok(()) => {}
        Err(NameFault::Byte(b'*')) => wildcard(below, block, written, out),
        Err(fault) => out.reject(written, fault),
    }
}

/// A name with stars in it: the names it stands for, and all below them.
fn wildcard(text: &[u8], block: TemplateId, written: &[u8], out: &mut Collector) {
    match glob(text) {
        Ok(glob) => out.pattern(Pattern::Wildcard(format!("||{glob}^")), block, written),
        Err(reason) => out.reject(written, reason),
    }
}

/// A name with stars in lower case, if it is one that does not match everything.
pub fn glob(text: &[u8]) -> Result<String, &'static str> {
    let plain: Vec<u8> = text
        .iter()
        .map(|&byte| if byte == b'*' { b'a' } else { byte })
        .collect();
    if let Some(part) = plain.split(|&byte| byte == b'.').find(|label| label.len() > 63) {
        let _ = part;
        return Err("a label is longer than 63 bytes");
    }
    if !plain
        .iter()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
    {
        return Err("the pattern holds a character that no name has");
    }
    if !text.iter().any(u8::is_ascii_alphanumeric) {
        return Err("the pattern matches every name");
    }
    Ok(text.iter().map(|&byte| char::from(byte.to_ascii_lowercase())).collect())
}

/// Parts `host[:port][/path]`. The path is empty for `/` alone. `url`: what stands before `@` is a user.
fn host_and_path(text: &[u8], url: bool) -> (&[u8], &[u8]) {
    let ends = |byte: &u8| matches!(byte, b'/' | b'\\') || (url && *byte == b'?');
    let at = text.iter().position(ends).unwrap_or(text.len());
    let (mut host, path) = text.split_at(at);
    if url && let Some(user) = host.iter().rposition(|&byte| byte == b'@') {
        host = &host[user + 1..];
    }
    if let Some(colon) = host.iter().rposition(|&byte| byte == b':')
        && (host.ends_with(b"]") || memchr::memchr(b':', host) == Some(colon))
        && host[colon + 1..].iter().all(u8::is_ascii_digit)
    {
        host = &host[..colon];
    }
    (host, if path == b"/" { b"" } else { path })
}

/// A network (`192.0.2.0/24`) or a range of addresses (`192.0.2.1-192.0.2.9`).
fn network(word: &[u8]) -> Option<Vec<IpNet>> {
    if word.len() > 100
        || !word
            .iter()
            .all(|byte| byte.is_ascii_hexdigit() || b".:/-".contains(byte))
    {
        return None;
    }
    let text = std::str::from_utf8(word).ok()?;
    if let Some((from, to)) = text.split_once('-') {
        return match (from.parse().ok()?, to.parse().ok()?) {
            (IpAddr::V4(from), IpAddr::V4(to)) if from <= to => {
                Some(Ipv4Subnets::new(from, to, 0).map(IpNet::from).collect())
            }
            (IpAddr::V6(from), IpAddr::V6(to)) if from <= to => {
                Some(Ipv6Subnets::new(from, to, 0).map(IpNet::from).collect())
            }
            _ => None,
        };
    }
    let network: IpNet = text.parse().ok()?;
    Some(vec![network.trunc()])
}
