//! Response policy zones: triggers are owner names, actions are records.
//!
//! Triggers: QNAME, `*.` (only what is below), `rpz-client-ip`, `rpz-ip`, `rpz-nsdname`, `rpz-nsip`. Actions: `CNAME .`
//! (NXDOMAIN), `CNAME *.` (NODATA), `rpz-passthru.`, `rpz-drop.`, `rpz-tcp-only.`, `CNAME *.x.`, any other data.
//! Names are relative to the zone (its SOA's owner, or the first `$ORIGIN`); lists without either, and absolute names that
//! are not in the zone, mean the name as it stands.
//! Keeps: draft-vixie-dnsop-dns-rpz-00; RFC 1035 §5.1 for the form, tolerantly.

mod scan;
mod trigger;

use super::collect::{Collector, Line, TOO_MANY_TEMPLATES, TemplateId};
use crate::dns::name::Name;
use crate::dns::{rcode, rtype};
use crate::list::normalize;
use crate::list::rdata;
use crate::list::rule::{Effect, Modifiers, Pattern, Scope};
use scan::Record;
use std::borrow::Cow;
use trigger::Trigger;

/// What is known of the zone while its records are read.
struct Zone {
    /// The zone's own name, once a SOA or the first `$ORIGIN` told it.
    apex: Option<Name>,
    /// Whether the apex came from a SOA.
    has_soa: bool,
    /// What relative names are relative to; none while nothing told it.
    origin: Option<Name>,
    /// The last owner, for records that begin with a blank.
    owner: Option<Vec<u8>>,
    /// `$TTL`
    ttl: Option<u32>,
    /// For names that become NXDOMAIN, which is what most lists say of all of them.
    nxdomain: Option<TemplateId>,
}

pub fn parse(bytes: &[u8], out: &mut Collector) {
    let mut zone = Zone {
        apex: None,
        has_soa: false,
        origin: None,
        owner: None,
        ttl: None,
        nxdomain: None,
    };
    scan::each_record(bytes, out, |record, out| match zone.record(record, out) {
        Ok(line) => line,
        Err(reason) => {
            out.reject(record.text, reason);
            Line::Entries
        }
    });
}

type Reason = Cow<'static, str>;

impl Zone {
    fn record(&mut self, record: &Record<'_>, out: &mut Collector) -> Result<Line, Reason> {
        let fields = record.fields.as_slice();
        let Some((&first, mut rest)) = fields.split_first() else {
            super::note_header(record.text, out);
            return Ok(Line::Comment);
        };
        if first.starts_with(b"$") && !record.indented {
            return self.directive(first, rest);
        }
        if record.indented {
            rest = fields;
        } else {
            self.owner = Some(first.to_vec());
        }
        let mut ttl = self.ttl;
        while let Some((&word, after)) = rest.split_first() {
            if word.eq_ignore_ascii_case(b"IN") {
                rest = after;
            } else if let Some(seconds) = seconds(word) {
                ttl = Some(seconds);
                rest = after;
            } else {
                break;
            }
        }
        let (&kind, data) = rest.split_first().ok_or("the record has no type")?;
        let owner = self.owner.take().ok_or("the record has no owner")?;
        let result = self.rule(&owner, kind, data, ttl, record, out);
        self.owner = Some(owner);
        result
    }

    /// `$ORIGIN`, `$TTL`
    fn directive(&mut self, word: &[u8], values: &[&[u8]]) -> Result<Line, Reason> {
        let value = values.first().copied().unwrap_or(b"");
        if word.eq_ignore_ascii_case(b"$ORIGIN") {
            let text = std::str::from_utf8(value).map_err(|_| "the origin is not UTF-8")?;
            let base = self.origin.clone().unwrap_or_else(Name::root);
            let origin = rdata::name(text, &base).ok_or("the origin is no name")?;
            if self.apex.is_none() && !origin.is_root() {
                self.apex = Some(origin.clone());
            }
            self.origin = Some(origin);
            Ok(Line::Comment)
        } else if word.eq_ignore_ascii_case(b"$TTL") {
            self.ttl = Some(seconds(value).ok_or("the TTL is no time")?);
            Ok(Line::Comment)
        } else if word.eq_ignore_ascii_case(b"$INCLUDE") {
            Err("a list cannot include another file".into())
        } else {
            Err("the directive is not known".into())
        }
    }

    fn rule(
        &mut self,
        owner: &[u8],
        kind: &[u8],
        data: &[&[u8]],
        ttl: Option<u32>,
        record: &Record<'_>,
        out: &mut Collector,
    ) -> Result<Line, Reason> {
        let kind = std::str::from_utf8(kind).map_err(|_| "the record's type is not UTF-8")?;
        let number =
            rdata::type_number(kind).ok_or_else(|| format!("\"{}\" is no record type", kind.escape_default()))?;
        match number {
            rtype::SOA => return self.soa(owner, data, out),
            // What a zone needs for itself, and what signing adds.
            24 | 25 | rtype::DS | rtype::RRSIG | rtype::NSEC | rtype::DNSKEY | rtype::NSEC3 | 51 | 59 | 60 | 63 => {
                return Ok(Line::Comment);
            }
            _ => {}
        }
        let is_nxdomain = number == rtype::CNAME && *data == [b"."];
        // The fast way: a plain relative name that becomes NXDOMAIN.
        if is_nxdomain && self.plain_name(owner, out)? {
            return Ok(Line::Entries);
        }
        let trigger = trigger::parse(&self.trigger_text(owner)?)?;
        if matches!(trigger, Trigger::Apex) {
            // A text or the name servers at the apex say something of the zone.
            return match number {
                rtype::CNAME | rtype::DNAME => Err("the rule has no trigger".into()),
                _ => Ok(Line::Comment),
            };
        }
        if number == rtype::NS {
            return Err("an NS record below the zone's name delegates, which is no action".into());
        }
        let effect = self.effect(owner, number, data, ttl)?;
        let template = out
            .template(effect, Modifiers::default(), false)
            .ok_or(TOO_MANY_TEMPLATES)?;
        match trigger {
            Trigger::Apex => {}
            Trigger::Name(key, scope) => out.key(&key, scope, template, record.text),
            Trigger::Client(network) => out.pattern(Pattern::Client(network), template, record.text),
            Trigger::Address(network) => out.pattern(Pattern::Address(network), template, record.text),
            Trigger::NsAddress(network) => out.pattern(Pattern::NsAddress(network), template, record.text),
            Trigger::NsName(key, scope) => out.pattern(Pattern::NsName(key, scope), template, record.text),
        }
        Ok(Line::Entries)
    }

    /// Takes the rule if its owner is a plain name, or a star before one, relative to the zone itself.
    fn plain_name(&mut self, owner: &[u8], out: &mut Collector) -> Result<bool, Reason> {
        if self.origin != self.apex || owner.ends_with(b".") || owner == b"@" || self.apex_is_written_out() {
            return Ok(false);
        }
        if memchr::memmem::find(owner, b"rpz-").is_some() || memchr::memmem::find(owner, b"RPZ-").is_some() {
            return Ok(false);
        }
        let template = match self.nxdomain {
            Some(template) => template,
            None => {
                let effect = Effect::Rcode(rcode::NXDOMAIN as u8);
                let template = out
                    .template(effect, Modifiers::default(), false)
                    .ok_or(TOO_MANY_TEMPLATES)?;
                *self.nxdomain.insert(template)
            }
        };
        let (name, scope) = match owner.strip_prefix(b"*.") {
            Some(parent) => (parent, Scope::Below),
            None => (owner, Scope::Exact),
        };
        Ok(out.try_plain_name(name, scope, template).is_ok())
    }

    /// Whether relative names may end in the zone's name all the same, as where a final dot was forgotten.
    fn apex_is_written_out(&self) -> bool {
        self.origin.is_none() && self.apex.is_some()
    }

    fn soa(&mut self, owner: &[u8], data: &[&[u8]], out: &mut Collector) -> Result<Line, Reason> {
        let text = std::str::from_utf8(owner).map_err(|_| "the owner is not UTF-8")?;
        let base = self.origin.clone().unwrap_or_else(Name::root);
        let apex = rdata::name(text, &base).ok_or("the owner is no name")?;
        // A SOA at "@" without an origin leaves the zone's name open.
        if !self.has_soa && !apex.is_root() {
            if text.ends_with('.') && self.origin.is_none() {
                self.origin = Some(apex.clone());
            }
            self.apex = Some(apex);
        }
        self.has_soa = true;
        if let Some(serial) = data.get(2) {
            out.dated(serial);
        }
        Ok(Line::Comment)
    }

    /// The owner without the zone's name: what it triggers on, as text of a name without a final dot.
    fn trigger_text(&self, owner: &[u8]) -> Result<String, Reason> {
        let text = std::str::from_utf8(owner).map_err(|_| "the owner is not UTF-8")?;
        if text == "@" {
            let inner = match (&self.origin, &self.apex) {
                (Some(origin), Some(apex)) => below(origin, apex),
                _ => None,
            };
            return Ok(inner.map_or_else(String::new, |inner| plain(&inner)));
        }
        let is_absolute = text.ends_with('.') && !text.ends_with("\\.");
        let bare = if is_absolute { &text[..text.len() - 1] } else { text };
        // Letters other than ASCII are mapped before labels are counted.
        let mapped;
        let bare = if bare.is_ascii() {
            bare
        } else {
            let (star, name) = match bare.strip_prefix("*.") {
                Some(name) => ("*.", name),
                None => ("", bare),
            };
            let name = normalize::name(name.as_bytes()).map_err(|fault| fault.to_string())?;
            mapped = format!("{star}{}", plain(&name));
            &mapped
        };
        let name = Name::parse(bare).map_err(|error| error.to_string())?;
        let full = match &self.origin {
            Some(origin) if !is_absolute && !origin.is_root() => joined(&name, origin)?,
            _ => name,
        };
        // What is not in the zone is meant as it stands.
        let inner = self.apex.as_ref().and_then(|apex| below(&full, apex));
        Ok(plain(&inner.unwrap_or(full)))
    }

    fn effect(&self, owner: &[u8], number: u16, data: &[&[u8]], ttl: Option<u32>) -> Result<Effect, Reason> {
        let fields = data
            .iter()
            .map(|field| std::str::from_utf8(field).map_err(|_| "the data is not UTF-8"))
            .collect::<Result<Vec<&str>, _>>()?;
        let origin = self.origin.clone().unwrap_or_else(Name::root);
        if number == rtype::DNAME {
            return Err("a DNAME is no action".into());
        }
        if number != rtype::CNAME {
            let rdata = rdata::parse(number, &fields, &origin)?;
            return Ok(Effect::Data {
                rtype: number,
                rdata,
                ttl,
            });
        }
        let &[target] = fields.as_slice() else {
            return Err("a CNAME has one target".into());
        };
        let lower = target.to_ascii_lowercase();
        match lower.as_str() {
            "." => return Ok(Effect::Rcode(rcode::NXDOMAIN as u8)),
            "*." => return Ok(Effect::Nodata),
            // The final dot is often forgotten.
            "rpz-passthru." | "rpz-passthru" => return Ok(Effect::Allow),
            "rpz-drop." | "rpz-drop" => return Ok(Effect::Drop),
            "rpz-tcp-only." | "rpz-tcp-only" => return Ok(Effect::TcpOnly),
            other if other.starts_with("rpz-") && !other.trim_end_matches('.').contains('.') => {
                return Err(format!("\"{target}\" is no action").into());
            }
            _ => {}
        }
        // A CNAME to the name itself is how zones of the first version let names through.
        let trigger = self.trigger_text(owner)?;
        if lower.strip_suffix('.') == Some(trigger.as_str()) {
            return Ok(Effect::Allow);
        }
        if let Some(parent) = target.strip_prefix("*.") {
            let parent = rdata::name(parent, &origin).ok_or("the target is no name")?;
            return Ok(Effect::CnameBelow(parent.to_lower()));
        }
        let target = rdata::name(target, &origin).ok_or("the target is no name")?;
        Ok(Effect::Cname(target.to_lower()))
    }
}

/// `name` with `origin` behind it.
fn joined(name: &Name, origin: &Name) -> Result<Name, Reason> {
    let labels = &name.as_wire()[..name.as_wire().len() - 1];
    let wire = [labels, origin.as_wire()].concat();
    Ok(Name::from_wire(&wire).ok_or("the name is longer than 255 bytes")?)
}

/// `name` without `apex` at its end; `None` if it is not within it.
fn below(name: &Name, apex: &Name) -> Option<Name> {
    name.is_within(apex).then_some(())?;
    let kept = name.as_wire().len() - apex.as_wire().len();
    let mut wire = name.as_wire()[..kept].to_vec();
    wire.push(0);
    Name::from_wire(&wire)
}

/// Presentation form in lower case without a final dot; empty for the root.
fn plain(name: &Name) -> String {
    let mut text = name.to_lower().to_string();
    text.pop();
    text
}

/// A TTL: seconds, or numbers with units (`2h`, `1h30m`).
fn seconds(word: &[u8]) -> Option<u32> {
    if !word.first()?.is_ascii_digit() {
        return None;
    }
    let (mut total, mut number, mut pending) = (0u32, 0u32, false);
    for byte in word {
        let unit = match byte {
            b'0'..=b'9' => {
                number = number.checked_mul(10)?.checked_add(u32::from(byte - b'0'))?;
                pending = true;
                continue;
            }
            b's' | b'S' => 1,
            b'm' | b'M' => 60,
            b'h' | b'H' => 3600,
            b'd' | b'D' => 86_400,
            b'w' | b'W' => 604_800,
            // A stray semicolon is a comment elsewhere.
            _ => return None,
        };
        total = total.checked_add(number.checked_mul(unit)?)?;
        (number, pending) = (0, false);
    }
    if pending {
        total = total.checked_add(number)?;
    }
    Some(total)
}
