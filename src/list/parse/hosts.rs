//! Hosts files: an address, then names that are to have it; `#` begins a comment anywhere.
//!
//! A null or loopback address blocks. Any other is data for the name where the list may redirect, and blocks where not.
//! A rule is about that name only. Keeps: hosts(5).

use super::collect::{Collector, Line, TOO_MANY_TEMPLATES, TemplateId};
use super::line::{self, Words};
use crate::dns::rtype;
use crate::list::normalize::{self, NameFault};
use crate::list::rule::{Effect, Modifiers, Pattern, Scope};
use ipnet::IpNet;
use std::net::IpAddr;

/// Reads hosts lines; remembers what the last address meant, since most lists have one.
#[derive(Default)]
pub struct Hosts {
    last: Option<(Vec<u8>, TemplateId)>,
}

impl Hosts {
    pub fn line(&mut self, line: &[u8], out: &mut Collector) -> Line {
        match line.first() {
            None | Some(b'#' | b'!' | b';') => {
                super::note_header(line, out);
                return Line::Comment;
            }
            _ => {}
        }
        let line = line::before_comment(line, b"#");
        let mut words = Words(line);
        let Some(first) = words.next() else {
            return Line::Comment;
        };
        // A preamble is no reason to remember what its address would mean.
        if is_preamble(words.clone().next().unwrap_or(b"")) && words.clone().all(is_preamble) {
            return match normalize::address(first) {
                Some(_) => Line::Skipped,
                None => self.without_address(line, out),
            };
        }
        let Some(template) = self.meaning_of(first, out) else {
            return self.without_address(line, out);
        };
        let template = match template {
            Ok(template) => template,
            Err(reason) => {
                out.reject(line, reason);
                return Line::Entries;
            }
        };
        let mut names = 0;
        for name in words {
            names += 1;
            entry(name, Scope::Exact, template, out);
        }
        if names == 0 {
            // "0.0.0.0" alone says nothing; another address alone is an entry of an address list.
            return without_name(first, out);
        }
        Line::Entries
    }

    /// What names behind this address get; `None` if it is no address.
    #[inline]
    fn meaning_of(&mut self, first: &[u8], out: &mut Collector) -> Option<Result<TemplateId, &'static str>> {
        if let Some((address, template)) = &self.last
            && address == first
        {
            return Some(Ok(*template));
        }
        let address = normalize::address(first)?;
        let template = out.template(effect_of(address), Modifiers::default(), false);
        if let Some(template) = template {
            self.last = Some((first.to_vec(), template));
        }
        Some(template.ok_or(TOO_MANY_TEMPLATES))
    }

    /// A line that does not begin with an address. A lone name is taken as blocked: other filters take it in such files.
    #[cold]
    fn without_address(&mut self, line: &[u8], out: &mut Collector) -> Line {
        let mut words = Words(line);
        match (words.next(), words.next()) {
            (Some(name), None) => {
                let block = out.block();
                entry(name, Scope::Exact, block, out);
            }
            _ => out.reject(line, "the line does not begin with an address"),
        }
        Line::Entries
    }
}

#[cold]
fn without_name(address: &[u8], out: &mut Collector) -> Line {
    match normalize::address(address) {
        Some(address) if !is_null(address) => {
            let block = out.block();
            out.pattern(
                Pattern::Address(IpNet::from(address)),
                block,
                address.to_string().as_bytes(),
            );
            Line::Entries
        }
        _ => Line::Skipped,
    }
}

/// One name of a hosts line.
#[inline]
fn entry(name: &[u8], scope: Scope, template: TemplateId, out: &mut Collector) {
    if is_preamble(name) {
        return;
    }
    match out.try_name(name, scope, template) {
        Ok(()) => {}
        Err(NameFault::Address(address)) if is_null(address.into()) => {}
        Err(NameFault::Address(address)) => {
            let block = out.block();
            out.pattern(Pattern::Address(IpNet::from(IpAddr::from(address))), block, name);
        }
        Err(fault) => match normalize::address(name) {
            Some(address) if !is_null(address) => {
                let block = out.block();
                out.pattern(Pattern::Address(IpNet::from(address)), block, name);
            }
            Some(_) => {}
            None => out.reject(name, fault),
        },
    }
}

/// What an address in front of a name makes of it.
pub fn effect_of(address: IpAddr) -> Effect {
    if is_null(address) {
        return Effect::Block;
    }
    match address {
        IpAddr::V4(address) => Effect::Data {
            rtype: rtype::A,
            rdata: address.octets().into(),
            ttl: None,
        },
        IpAddr::V6(address) => Effect::Data {
            rtype: rtype::AAAA,
            rdata: address.octets().into(),
            ttl: None,
        },
    }
}

/// An address that goes nowhere: 0.0.0.0/8, 127.0.0.0/8, `::`, `::1`, and these as IPv4 within IPv6.
pub fn is_null(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => matches!(address.octets()[0], 0 | 127),
        IpAddr::V6(address) => address.is_unspecified() || address.is_loopback(),
    }
}

/// The names of the machine itself and of multicast groups with which hosts files begin.
fn is_preamble(name: &[u8]) -> bool {
    // None of them begins with another letter than these, which spares most names the comparisons.
    if !matches!(name.first(), Some(b'l' | b'L' | b'b' | b'B' | b'i' | b'I')) {
        return false;
    }
    const NAMES: [&str; 15] = [
        "localhost",
        "localhost.localdomain",
        "localhost4",
        "localhost4.localdomain4",
        "localhost6",
        "localhost6.localdomain6",
        "local",
        "loopback",
        "broadcasthost",
        "ip6-localhost",
        "ip6-loopback",
        "ip6-localnet",
        "ip6-mcastprefix",
        "ip6-allnodes",
        "ip6-allrouters",
    ];
    NAMES.iter().any(|known| name.eq_ignore_ascii_case(known.as_bytes())) || name.eq_ignore_ascii_case(b"ip6-allhosts")
}
