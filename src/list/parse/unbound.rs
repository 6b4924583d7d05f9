//! Lines of an Unbound configuration: `local-zone:` and `local-data:`; every other option is skipped.
//!
//! A zone stands for its name and all below it; data for the name it is of, or for the whole zone where that is `redirect`.
//! Data that is a null address blocks. Keeps: unbound.conf(5).

use super::collect::{Collector, Line, TOO_MANY_TEMPLATES, TemplateId};
use super::hosts;
use crate::dns::name::Name;
use crate::dns::{rcode, rtype};
use crate::list::normalize;
use crate::list::rdata;
use crate::list::rule::{Effect, Modifiers, Scope};
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

pub struct Unbound {
    block: TemplateId,
    /// Keys of the `redirect` zones that have real data, which then stands for the whole zone.
    redirected: HashSet<Box<[u8]>>,
    /// Which zones are `typetransparent`; empty where none is.
    typed: HashMap<Box<[u8]>, bool>,
    /// The last zone type and what it means: lists have one or two.
    last_kind: Option<(Vec<u8>, TemplateId)>,
}

impl Unbound {
    /// Looks through the list once for zones that have data of their own.
    pub fn new(bytes: &[u8], out: &mut Collector) -> Unbound {
        let mut typed = HashMap::new();
        if memchr::memmem::find(bytes, b"typetransparent").is_some() {
            for line in bytes.split(|&byte| byte == b'\n') {
                if let Some(("local-zone", value)) = option(line.trim_ascii())
                    && let Some((name, kind)) = zone(value)
                    && let Ok(key) = normalize::key(name)
                {
                    typed.insert(key, kind == b"typetransparent");
                }
            }
        }
        let mut owners = HashSet::new();
        let mut redirected = HashSet::new();
        if memchr::memmem::find(bytes, b"local-data:").is_some() && memchr::memmem::find(bytes, b"redirect").is_some() {
            for line in bytes.split(|&byte| byte == b'\n') {
                if let Some(("local-data", value)) = option(line.trim_ascii())
                    && let Ok(record) = record(value)
                    && record.effect != Effect::Block
                {
                    owners.insert(record.owner);
                }
            }
            for line in bytes.split(|&byte| byte == b'\n') {
                if let Some(("local-zone", value)) = option(line.trim_ascii())
                    && let Some((name, kind)) = zone(value)
                    && matches!(kind, b"redirect" | b"inform_redirect")
                    && let Ok(key) = normalize::key(name)
                    && owners.contains(&key)
                {
                    redirected.insert(key);
                }
            }
        }
        Unbound {
            block: out.block(),
            redirected,
            typed,
            last_kind: None,
        }
    }

    pub fn line(&mut self, line: &[u8], out: &mut Collector) -> Line {
        if matches!(line, [] | [b'#' | b';' | b'!', ..]) {
            super::note_header(line, out);
            return Line::Comment;
        }
        let result = match option(line) {
            Some(("local-zone", value)) => self.local_zone(value, out),
            Some(("local-data", value)) => self.local_data(value, out),
            Some(_) => return Line::Skipped,
            None => Err("the line is no option of unbound".into()),
        };
        result.unwrap_or_else(|reason| {
            out.reject(line, reason);
            Line::Entries
        })
    }

    fn local_zone(&mut self, value: &[u8], out: &mut Collector) -> Result<Line, Cow<'static, str>> {
        let (name, kind) = zone(value).ok_or("local-zone: needs a name and a type")?;
        if name == b"." {
            return Err("the zone \".\" stands for every name".into());
        }
        let template = match &self.last_kind {
            Some((last, template)) if last == kind => *template,
            _ => {
                let (effect, modifiers) = match kind {
                    // Options of views and default zones that say nothing of a name.
                    b"nodefault" | b"noview" | b"ipset" => return Ok(Line::Skipped),
                    // A for the type of query only.
                    b"block_a" => {
                        let modifiers = Modifiers {
                            types: vec![rtype::A],
                            ..Modifiers::default()
                        };
                        (Effect::Nodata, modifiers)
                    }
                    kind => {
                        let text = String::from_utf8_lossy(kind);
                        let effect = effect_of(kind).ok_or_else(|| format!("\"{text}\" is no type of zone"))?;
                        (effect, Modifiers::default())
                    }
                };
                let template = out.template(effect, modifiers, false).ok_or(TOO_MANY_TEMPLATES)?;
                self.last_kind = Some((kind.to_vec(), template));
                template
            }
        };
        if !self.redirected.is_empty()
            && matches!(kind, b"redirect" | b"inform_redirect")
            && normalize::key(name).is_ok_and(|key| self.redirected.contains(&key))
        {
            // Its data says what becomes of the zone.
            return Ok(Line::Skipped);
        }
        out.name(name, Scope::Subtree, template);
        Ok(Line::Entries)
    }

    fn local_data(&mut self, value: &[u8], out: &mut Collector) -> Result<Line, Cow<'static, str>> {
        let record = record(value)?;
        if self.is_typed(&record.owner) && !matches!(record.effect, Effect::Cname(_)) {
            // unbound.conf(5), typetransparent: types without data are resolved, at this name and below it.
            let modifiers = Modifiers {
                types: vec![record.rtype, rtype::ANY],
                ..Modifiers::default()
            };
            let template = out
                .template(record.effect, modifiers, false)
                .ok_or(TOO_MANY_TEMPLATES)?;
            out.key(&record.owner, Scope::Exact, template, value);
            return Ok(Line::Entries);
        }
        if record.effect == Effect::Block {
            // With a real record beside it the null one says nothing.
            if self.redirected.contains(&record.owner) {
                return Ok(Line::Skipped);
            }
            out.key(&record.owner, Scope::Subtree, self.block, value);
            return Ok(Line::Entries);
        }
        let scope = if self.redirected.contains(&record.owner) {
            Scope::Subtree
        } else {
            Scope::Exact
        };
        let template = out
            .template(record.effect, Modifiers::default(), false)
            .ok_or(TOO_MANY_TEMPLATES)?;
        out.key(&record.owner, scope, template, value);
        Ok(Line::Entries)
    }

    /// Whether the nearest zone around the name is `typetransparent`.
    fn is_typed(&self, owner: &[u8]) -> bool {
        if self.typed.is_empty() {
            return false;
        }
        let ends = memchr::memrchr_iter(b'.', owner);
        ends.map(|end| &owner[..=end])
            .find_map(|key| self.typed.get(key))
            .is_some_and(|typed| *typed)
    }
}

/// Parts `key: value`, without a comment at the end.
fn option(line: &[u8]) -> Option<(&str, &[u8])> {
    let colon = memchr::memchr(b':', line)?;
    let key = std::str::from_utf8(&line[..colon]).ok()?;
    let is_key = !key.is_empty()
        && key
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    is_key.then(|| (key, line[colon + 1..].trim_ascii()))
}

/// A word or what stands in quotes, and the rest behind it.
fn quoted(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let text = text.trim_ascii_start();
    match text.first()? {
        b'#' => None,
        quote @ (b'"' | b'\'') => {
            let inner = &text[1..];
            let end = memchr::memchr(*quote, inner)?;
            Some((&inner[..end], &inner[end + 1..]))
        }
        _ => {
            let end = text
                .iter()
                .position(|byte| byte.is_ascii_whitespace())
                .unwrap_or(text.len());
            Some(text.split_at(end))
        }
    }
}

/// Name and type of a zone.
fn zone(value: &[u8]) -> Option<(&[u8], &[u8])> {
    let (name, rest) = quoted(value)?;
    let (kind, _) = quoted(rest)?;
    Some((name, kind))
}

fn effect_of(kind: &[u8]) -> Option<Effect> {
    Some(match kind {
        b"static" | b"redirect" | b"inform_redirect" | b"always_null" => Effect::Block,
        b"deny" | b"inform_deny" | b"always_deny" => Effect::Drop,
        b"refuse" | b"always_refuse" => Effect::Rcode(rcode::REFUSED as u8),
        b"always_nxdomain" => Effect::Rcode(rcode::NXDOMAIN as u8),
        b"always_nodata" => Effect::Nodata,
        b"truncate" => Effect::TcpOnly,
        b"transparent" | b"typetransparent" | b"always_transparent" | b"inform" => Effect::Allow,
        _ => return None,
    })
}

struct Record {
    owner: Box<[u8]>,
    rtype: u16,
    /// Data, a CNAME, or to block.
    effect: Effect,
}

/// Reads `"owner [ttl] [class] type data"`.
fn record(value: &[u8]) -> Result<Record, Cow<'static, str>> {
    let (text, _) = quoted(value).ok_or("local-data: needs a record in quotes")?;
    // Without quotes the whole line is the record.
    let text = if matches!(value.first(), Some(b'"' | b'\'')) {
        text
    } else {
        value
    };
    let text = std::str::from_utf8(text).map_err(|_| "the record is not UTF-8")?;
    let fields = fields(text);
    let (owner, mut rest) = fields.split_first().ok_or("local-data: needs a record")?;
    let mut ttl = None;
    while let Some((first, after)) = rest.split_first() {
        if first.eq_ignore_ascii_case("IN") {
            rest = after;
        } else if let Ok(seconds) = first.parse() {
            ttl = Some(seconds);
            rest = after;
        } else {
            break;
        }
    }
    let (kind, data) = rest.split_first().ok_or("the record has no type")?;
    let number = rdata::type_number(kind).ok_or_else(|| format!("\"{kind}\" is no type"))?;
    let owner = normalize::key(owner.as_bytes()).map_err(|fault| fault.to_string())?;
    let data = rdata::parse(number, data, &Name::root())?;
    let address = match number {
        rtype::A => <[u8; 4]>::try_from(&*data).ok().map(IpAddr::from),
        rtype::AAAA => <[u8; 16]>::try_from(&*data).ok().map(IpAddr::from),
        _ => None,
    };
    let effect = match address {
        Some(address) if hosts::is_null(address) => Effect::Block,
        _ if number == rtype::CNAME => Effect::Cname(Name::from_wire(&data).ok_or("the target is no name")?),
        _ => Effect::Data {
            rtype: number,
            rdata: data,
            ttl,
        },
    };
    Ok(Record {
        owner,
        rtype: number,
        effect,
    })
}

/// Words apart by blanks; a string in quotes is one word.
fn fields(text: &str) -> Vec<&str> {
    let mut fields = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let end = match rest.strip_prefix('"') {
            Some(inner) => inner.find('"').map_or(rest.len(), |end| end + 2),
            None => rest.find(|c: char| c.is_ascii_whitespace()).unwrap_or(rest.len()),
        };
        fields.push(&rest[..end]);
        rest = rest[end..].trim_start();
    }
    fields
}
