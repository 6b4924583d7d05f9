//! Lists of regular expressions, one a line, as Pi-hole reads them.
//!
//! `#` begins a comment line, or a comment behind a blank. Options of Pi-hole's may follow: `;querytype=`, `;reply=`;
//! `;invert` is not supported. Keeps: POSIX extended syntax and Perl's, as far as [`crate::list::pattern`] takes them.

use super::collect::{Collector, Line, TOO_MANY_TEMPLATES};
use super::line;
use crate::dns::rcode;
use crate::list::normalize;
use crate::list::parse::hosts;
use crate::list::pattern;
use crate::list::rdata;
use crate::list::rule::{Effect, Modifiers, Pattern};
use std::borrow::Cow;

pub fn line(line: &[u8], out: &mut Collector) -> Line {
    if matches!(line, [] | [b'#', ..]) {
        super::note_header(line, out);
        return Line::Comment;
    }
    let end = memchr::memchr_iter(b'#', line).find(|&at| line::is_blank(line[at - 1]));
    let line = line[..end.unwrap_or(line.len())].trim_ascii();
    if let Err(reason) = rule(line, out) {
        out.reject(line, reason);
    }
    Line::Entries
}

fn rule(line: &[u8], out: &mut Collector) -> Result<(), Cow<'static, str>> {
    let text = std::str::from_utf8(line).map_err(|_| "the expression is not UTF-8")?;
    let (text, options) = match [";querytype=", ";reply=", ";invert"]
        .iter()
        .filter_map(|word| text.find(word))
        .min()
    {
        Some(at) => (&text[..at], &text[at + 1..]),
        None => (text, ""),
    };
    let text = match text.strip_prefix('/').and_then(|text| text.strip_suffix('/')) {
        Some(inner) if !inner.is_empty() => inner,
        _ => text,
    };
    let expression = pattern::checked(text)?;
    let mut effect = Effect::Block;
    let mut modifiers = Modifiers::default();
    for option in options.split(';').filter(|option| !option.is_empty()) {
        match option.split_once('=') {
            Some(("querytype", types)) => {
                let (list, types) = match types.strip_prefix('!') {
                    Some(types) => (&mut modifiers.types_not, types),
                    None => (&mut modifiers.types, types),
                };
                for name in types.split(',') {
                    list.push(rdata::type_number(name.trim()).ok_or_else(|| format!("\"{name}\" is no query type"))?);
                }
                list.sort_unstable();
                list.dedup();
            }
            Some(("reply", reply)) => effect = reply_effect(reply.trim())?,
            _ => return Err(format!("the option \"{option}\" is not supported").into()),
        }
    }
    let template = out.template(effect, modifiers, false).ok_or(TOO_MANY_TEMPLATES)?;
    out.pattern(Pattern::Regex(expression), template, line);
    Ok(())
}

fn reply_effect(reply: &str) -> Result<Effect, Cow<'static, str>> {
    Ok(match reply.to_ascii_uppercase().as_str() {
        "NODATA" => Effect::Nodata,
        "NXDOMAIN" => Effect::Rcode(rcode::NXDOMAIN as u8),
        "REFUSED" => Effect::Rcode(rcode::REFUSED as u8),
        "NONE" => Effect::Drop,
        "IP" => Effect::Block,
        _ => match normalize::address(reply.as_bytes()) {
            Some(address) => hosts::effect_of(address),
            None => return Err(format!("\"{reply}\" is no reply").into()),
        },
    })
}
