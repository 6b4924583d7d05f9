//! The modifiers behind the `$` of a rule.
//!
//! In: their text. Out: [`Found`], with lists sorted, so that rules that say the same are equal.

use super::dnsrewrite;
use crate::list::normalize;
use crate::list::rdata;
use crate::list::rule::{ClientIs, Effect, Modifiers};
use ipnet::IpNet;
use std::borrow::Cow;
use std::net::IpAddr;

/// What the modifiers of one rule say.
#[derive(Default)]
pub struct Found {
    pub modifiers: Modifiers,
    pub badfilter: bool,
    /// `dnsrewrite`, and what to; without a value it is `Some(None)`.
    pub rewrite: Option<Option<Effect>>,
}

/// Reads modifiers. An error is half a sentence.
pub fn parse(text: &str) -> Result<Found, Cow<'static, str>> {
    let mut found = Found::default();
    for modifier in pieces(text, ',') {
        let (name, value) = match modifier.split_once('=') {
            Some((name, value)) => (name.trim(), Some(value.trim())),
            None => (modifier.trim(), None),
        };
        match (name, value) {
            ("", None) if text.is_empty() => {}
            ("important", None) => found.modifiers.important = true,
            ("badfilter", None) => found.badfilter = true,
            ("denyallow", Some(value)) => denyallow(value, &mut found.modifiers)?,
            ("dnstype", Some(value)) => dnstype(value, &mut found.modifiers)?,
            ("client", Some(value)) => client(value, &mut found.modifiers)?,
            ("ctag", Some(value)) => ctag(value, &mut found.modifiers)?,
            ("dnsrewrite", None | Some("")) => found.rewrite = Some(None),
            ("dnsrewrite", Some(value)) => found.rewrite = Some(Some(dnsrewrite::parse(&unescaped(value))?)),
            ("denyallow" | "dnstype" | "client" | "ctag", None) => {
                return Err(format!("the modifier \"{name}\" needs a value").into());
            }
            _ => {
                let name: String = name.chars().take(40).collect();
                return Err(format!("the modifier \"{name}\" is not one for DNS").into());
            }
        }
    }
    let modifiers = &mut found.modifiers;
    modifiers.types.sort_unstable();
    modifiers.types.dedup();
    modifiers.types_not.sort_unstable();
    modifiers.types_not.dedup();
    modifiers.denyallow.sort_unstable();
    modifiers.denyallow.dedup();
    for clients in [&mut modifiers.clients, &mut modifiers.clients_not] {
        clients.sort_unstable();
        clients.dedup();
    }
    for tags in [&mut modifiers.tags, &mut modifiers.tags_not] {
        tags.sort_unstable();
        tags.dedup();
    }
    Ok(found)
}

/// `a.example|b.example`: names, each with all below it, that the rule leaves out.
fn denyallow(value: &str, modifiers: &mut Modifiers) -> Result<(), Cow<'static, str>> {
    for name in value.split('|') {
        let key =
            normalize::key(name.trim().as_bytes()).map_err(|fault| format!("denyallow holds \"{name}\": {fault}"))?;
        modifiers.denyallow.push(key);
    }
    Ok(())
}

/// `A|AAAA`, `~HTTPS`
fn dnstype(value: &str, modifiers: &mut Modifiers) -> Result<(), Cow<'static, str>> {
    for word in value.split('|') {
        let word = word.trim();
        let (list, name) = match word.strip_prefix('~') {
            Some(name) => (&mut modifiers.types_not, name),
            None => (&mut modifiers.types, word),
        };
        let number = rdata::type_number(name).ok_or_else(|| format!("dnstype holds \"{name}\", which is no type"))?;
        list.push(number);
    }
    // AdGuard lets the positive list decide where there is one.
    if !modifiers.types.is_empty() {
        modifiers.types_not.clear();
    }
    Ok(())
}

/// `127.0.0.1|'Frank\'s laptop'|~192.0.2.0/24`
fn client(value: &str, modifiers: &mut Modifiers) -> Result<(), Cow<'static, str>> {
    for word in pieces(value, '|') {
        let word = word.trim();
        let (list, word) = match word.strip_prefix('~') {
            Some(word) => (&mut modifiers.clients_not, word),
            None => (&mut modifiers.clients, word),
        };
        let quoted = ['"', '\'']
            .into_iter()
            .find_map(|quote| word.strip_prefix(quote).and_then(|inner| inner.strip_suffix(quote)));
        let name = unescaped(quoted.unwrap_or(word));
        if name.is_empty() {
            return Err("client holds an empty name".into());
        }
        list.push(if let Ok(address) = name.parse::<IpAddr>() {
            ClientIs::Network(IpNet::from(address))
        } else if let Ok(network) = name.parse::<IpNet>() {
            ClientIs::Network(network.trunc())
        } else {
            ClientIs::Name(name)
        });
    }
    Ok(())
}

/// `device_phone|~user_child`
fn ctag(value: &str, modifiers: &mut Modifiers) -> Result<(), Cow<'static, str>> {
    for word in value.split('|') {
        let word = word.trim();
        let (list, tag) = match word.strip_prefix('~') {
            Some(tag) => (&mut modifiers.tags_not, tag),
            None => (&mut modifiers.tags, word),
        };
        if tag.is_empty()
            || !tag
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
        {
            return Err(format!("ctag holds \"{tag}\", which is no tag").into());
        }
        list.push(tag.to_owned());
    }
    Ok(())
}

/// The pieces between separators that no backslash precedes and that are not within quotes which begin a piece.
fn pieces(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let mut escaped = false;
        let mut quote = None;
        let mut previous = separator;
        for (at, c) in text.char_indices() {
            if escaped {
                escaped = false;
            } else if c == '\\' {
                escaped = true;
            } else if quote == Some(c) {
                quote = None;
            } else if quote.is_none() && matches!(c, '"' | '\'') && matches!(previous, '=' | '|' | '~') {
                // Only where its end is: a lone apostrophe is a letter.
                quote = text[at + 1..].contains(c).then_some(c);
            } else if quote.is_none() && c == separator {
                rest = Some(&text[at + 1..]);
                return Some(&text[..at]);
            }
            previous = c;
        }
        rest = None;
        Some(text)
    })
}

/// Takes the backslashes away that kept a character from being a separator.
fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c == '\\'
            && let Some(kept) = chars.next_if(|next| matches!(next, ',' | '|' | '\'' | '"' | '$' | '\\'))
        {
            out.push(kept);
        } else {
            out.push(c);
        }
    }
    out
}
