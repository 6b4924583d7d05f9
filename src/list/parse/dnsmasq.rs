//! Lines of a dnsmasq configuration: `address=`, `server=`, `local=`, `cname=`, `host-record=`, `bogus-nxdomain=`.
//!
//! A name stands for itself and all below it, except in `cname=` and `host-record=`. A null or empty address blocks, another
//! is data; `server=/x/` and `local=/x/` block, `server=/x/#` exempts, `server=/x/ADDRESS` is forwarding and is skipped like
//! every other option. Keeps: dnsmasq(8).

use super::collect::{Collector, Line, TOO_MANY_TEMPLATES, TemplateId};
use super::hosts;
use super::line;
use crate::dns::rcode;
use crate::list::normalize::{self, NameFault};
use crate::list::rule::{Effect, Modifiers, Pattern, Scope};
use ipnet::IpNet;

pub struct Dnsmasq {
    block: TemplateId,
}

impl Dnsmasq {
    pub fn new(out: &mut Collector) -> Dnsmasq {
        Dnsmasq { block: out.block() }
    }

    pub fn line(&mut self, line: &[u8], out: &mut Collector) -> Line {
        if matches!(line, [] | [b'#' | b';' | b'!', ..]) {
            super::note_header(line, out);
            return Line::Comment;
        }
        // "/#" is a value; a comment follows a blank.
        let end = memchr::memchr_iter(b'#', line).find(|&at| line::is_blank(line[at - 1]));
        let line = line[..end.unwrap_or(line.len())].trim_ascii();
        let option = line.strip_prefix(b"--").unwrap_or(line);
        let Some(equals) = memchr::memchr(b'=', option) else {
            let is_flag = option.iter().all(|byte| byte.is_ascii_lowercase() || *byte == b'-');
            if is_flag && option.contains(&b'-') {
                return Line::Skipped;
            }
            out.reject(line, "the line is no option of dnsmasq");
            return Line::Entries;
        };
        let (key, value) = (option[..equals].trim_ascii(), option[equals + 1..].trim_ascii());
        match key {
            b"address" => self.address(value, out),
            b"server" | b"local" => self.server(value, out),
            b"cname" => cname(value, out),
            b"host-record" => host_record(value, out),
            b"bogus-nxdomain" => bogus(value, out),
            _ if !key.is_empty() && key.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-') => {
                Line::Skipped
            }
            _ => {
                out.reject(line, "the line is no option of dnsmasq");
                Line::Entries
            }
        }
    }

    /// `/x/y/192.0.2.1`
    fn address(&mut self, value: &[u8], out: &mut Collector) -> Line {
        let Some((names, target)) = names_and_target(value) else {
            out.reject(value, "the names do not stand between slashes");
            return Line::Entries;
        };
        let template = match target {
            b"" | b"#" => Some(self.block),
            address => match normalize::address(address) {
                Some(address) => out.template(hosts::effect_of(address), Modifiers::default(), false),
                None => {
                    out.reject(value, "what follows the last slash is no address");
                    return Line::Entries;
                }
            },
        };
        match template {
            Some(template) => each_name(names, template, out),
            None => out.reject(value, TOO_MANY_TEMPLATES),
        }
        Line::Entries
    }

    /// `/x/y/`, `/x/#`, `/x/192.0.2.1`, `192.0.2.1`
    fn server(&mut self, value: &[u8], out: &mut Collector) -> Line {
        let Some((names, target)) = names_and_target(value) else {
            // An upstream for everything.
            return Line::Skipped;
        };
        match target {
            b"" => each_name(names, self.block, out),
            b"#" => match out.template(Effect::Allow, Modifiers::default(), false) {
                Some(template) => each_name(names, template, out),
                None => out.reject(value, TOO_MANY_TEMPLATES),
            },
            _ => return Line::Skipped,
        }
        Line::Entries
    }
}

/// Parts `/x/y/target`. Some lists end the target with a slash, which would make it one more name.
fn names_and_target(value: &[u8]) -> Option<(&[u8], &[u8])> {
    let inner = value.strip_prefix(b"/")?;
    let last = memchr::memrchr(b'/', inner)?;
    let (names, target) = (&inner[..last], &inner[last + 1..]);
    if target.is_empty()
        && let Some(before) = memchr::memrchr(b'/', names)
        && normalize::address(&names[before + 1..]).is_some()
    {
        return Some((&names[..before], &names[before + 1..]));
    }
    Some((names, target))
}

fn each_name(names: &[u8], template: TemplateId, out: &mut Collector) {
    for name in names.split(|&byte| byte == b'/') {
        if out.try_plain_name(name, Scope::Subtree, template).is_ok() {
            continue;
        }
        let below = name
            .strip_prefix(b"*.")
            .or_else(|| name.strip_prefix(b"."))
            .unwrap_or(name);
        match (below, out.try_name(below, Scope::Subtree, template)) {
            (_, Ok(())) => {}
            (b"#", _) => out.reject(name, "\"#\" stands for every name"),
            (b"", _) => out.reject(name, "an empty name stands for all names without a dot"),
            // A star at the beginning of a label stands for its beginning.
            (_, Err(NameFault::Byte(b'*'))) => match below.strip_prefix(b"*").map(super::domains::glob) {
                Some(Ok(glob)) if !glob.contains('*') => {
                    out.pattern(Pattern::Wildcard(format!("*{glob}^")), template, name);
                }
                _ => out.reject(name, NameFault::Byte(b'*')),
            },
            (_, Err(fault)) => out.reject(name, fault),
        }
    }
}

/// `alias,alias,target[,ttl]`
fn cname(value: &[u8], out: &mut Collector) -> Line {
    let mut words: Vec<&[u8]> = value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii).collect();
    if words.len() > 2 && words.last().is_some_and(|word| word.iter().all(u8::is_ascii_digit)) {
        words.pop();
    }
    let target = match words.pop().map(normalize::name) {
        Some(Ok(target)) if !words.is_empty() => target,
        Some(Err(fault)) => {
            out.reject(value, fault);
            return Line::Entries;
        }
        _ => {
            out.reject(value, "cname= needs an alias and a target");
            return Line::Entries;
        }
    };
    let Some(template) = out.template(Effect::Cname(target), Modifiers::default(), false) else {
        out.reject(value, TOO_MANY_TEMPLATES);
        return Line::Entries;
    };
    for alias in words {
        match alias.strip_prefix(b"*.") {
            Some(parent) => out.name(parent, Scope::Below, template),
            None => out.name(alias, Scope::Exact, template),
        }
    }
    Line::Entries
}

/// `name,name,192.0.2.1,2001:db8::1[,ttl]`
fn host_record(value: &[u8], out: &mut Collector) -> Line {
    let mut names = Vec::new();
    let mut effects = Vec::new();
    let mut ttl = None;
    for word in value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii) {
        if let Some(address) = normalize::address(word) {
            effects.push(hosts::effect_of(address));
        } else if !effects.is_empty() && word.iter().all(u8::is_ascii_digit) {
            ttl = std::str::from_utf8(word).ok().and_then(|word| word.parse().ok());
        } else {
            names.push(word);
        }
    }
    if names.is_empty() || effects.is_empty() {
        out.reject(value, "host-record= needs a name and an address");
        return Line::Entries;
    }
    let mut templates = Vec::new();
    for mut effect in effects {
        if let Effect::Data { ttl: of_data, .. } = &mut effect {
            *of_data = ttl;
        }
        match out.template(effect, Modifiers::default(), false) {
            Some(template) if !templates.contains(&template) => templates.push(template),
            Some(_) => {}
            None => {
                out.reject(value, TOO_MANY_TEMPLATES);
                return Line::Entries;
            }
        }
    }
    for name in names {
        for &template in &templates {
            out.name(name, Scope::Exact, template);
        }
    }
    Line::Entries
}

/// `192.0.2.1[/24]`: an answer with such an address becomes NXDOMAIN.
fn bogus(value: &[u8], out: &mut Collector) -> Line {
    let text = std::str::from_utf8(value).unwrap_or("");
    let network = match normalize::address(value) {
        Some(address) => Some(IpNet::from(address)),
        None => text.parse::<IpNet>().ok().map(|network| network.trunc()),
    };
    let template = out.template(Effect::Rcode(rcode::NXDOMAIN as u8), Modifiers::default(), false);
    match (network, template) {
        (Some(network), Some(template)) => out.pattern(Pattern::Address(network), template, value),
        (None, _) => out.reject(value, "the value is no address"),
        (_, None) => out.reject(value, TOO_MANY_TEMPLATES),
    }
    Line::Entries
}
