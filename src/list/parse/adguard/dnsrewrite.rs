//! The value of `$dnsrewrite`: what is answered instead.
//!
//! Short forms are an address, a name (CNAME) and an RCODE; the full form is `RCODE;TYPE;VALUE`. As in AdGuard's urlfilter
//! (`rules/dnsrewrite.go`) the full form takes every RCODE that has a name, in any letter case; the short form takes four,
//! in capitals, so that a host called `refused` can be meant.

use crate::dns::name::Name;
use crate::dns::{rcode, rtype};
use crate::list::normalize;
use crate::list::rdata;
use crate::list::rule::Effect;
use std::borrow::Cow;
use std::net::IpAddr;

/// Reads a value. An error is half a sentence.
pub fn parse(value: &str) -> Result<Effect, Cow<'static, str>> {
    let mut fields = value.splitn(3, ';').map(str::trim);
    let (first, rtype, data) = (fields.next().unwrap_or(""), fields.next(), fields.next());
    let (Some(rtype), Some(data)) = (rtype, data) else {
        if rtype.is_some() {
            return Err("dnsrewrite has two of three fields; it is RCODE;TYPE;VALUE".into());
        }
        return short(first);
    };
    let code = any_rcode(first).ok_or_else(|| format!("dnsrewrite holds \"{first}\", which is no RCODE"))?;
    if code != 0 {
        return Ok(Effect::Rcode(code));
    }
    if rtype.is_empty() && data.is_empty() {
        return Ok(Effect::Nodata);
    }
    let number = rdata::type_number(rtype).ok_or_else(|| format!("dnsrewrite holds \"{rtype}\", which is no type"))?;
    if data.is_empty() {
        return Err(format!("dnsrewrite has no value for the type {rtype}").into());
    }
    if number == rtype::CNAME {
        return Ok(Effect::Cname(name(data)?));
    }
    // A text is one string, blanks and all.
    let data = if matches!(number, rtype::TXT) {
        rdata::parse(number, &[&data.replace('\\', "\\\\")], &Name::root())
    } else {
        let fields: Vec<&str> = data.split_ascii_whitespace().collect();
        rdata::parse(number, &fields, &Name::root())
    }?;
    Ok(Effect::Data {
        rtype: number,
        rdata: data,
        ttl: None,
    })
}

fn short(value: &str) -> Result<Effect, Cow<'static, str>> {
    match short_rcode(value)? {
        Some(0) => return Ok(Effect::Nodata),
        Some(code) => return Ok(Effect::Rcode(code)),
        None => {}
    }
    Ok(match value.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => Effect::Data {
            rtype: rtype::A,
            rdata: address.octets().into(),
            ttl: None,
        },
        Ok(IpAddr::V6(address)) => Effect::Data {
            rtype: rtype::AAAA,
            rdata: address.octets().into(),
            ttl: None,
        },
        Err(_) => Effect::Cname(name(value)?),
    })
}

fn name(text: &str) -> Result<Name, Cow<'static, str>> {
    normalize::name(text.as_bytes()).map_err(|fault| format!("dnsrewrite holds \"{text}\": {fault}").into())
}

/// A word in capitals is one of the keywords, or nothing.
fn short_rcode(word: &str) -> Result<Option<u8>, Cow<'static, str>> {
    if word.is_empty() || !word.bytes().all(|byte| byte.is_ascii_uppercase()) {
        return Ok(None);
    }
    match word {
        "NOERROR" | "SERVFAIL" | "NXDOMAIN" | "REFUSED" => Ok(any_rcode(word)),
        _ => Err(format!(
            "dnsrewrite holds \"{word}\"; alone it is NOERROR, SERVFAIL, NXDOMAIN or REFUSED, and \"{word};;\" otherwise"
        )
        .into()),
    }
}

/// The RCODEs that have a name (IANA "DNS RCODEs"; `NOTIMPL` is how some write `NOTIMP`).
fn any_rcode(word: &str) -> Option<u8> {
    const NAMES: [(&str, u16); 21] = [
        ("NOERROR", rcode::NOERROR),
        ("FORMERR", rcode::FORMERR),
        ("SERVFAIL", rcode::SERVFAIL),
        ("NXDOMAIN", rcode::NXDOMAIN),
        ("NOTIMP", rcode::NOTIMP),
        ("REFUSED", rcode::REFUSED),
        ("YXDOMAIN", rcode::YXDOMAIN),
        ("YXRRSET", 7),
        ("NXRRSET", 8),
        ("NOTAUTH", 9),
        ("NOTZONE", 10),
        ("DSOTYPENI", 11),
        ("NOTIMPL", rcode::NOTIMP),
        ("BADSIG", 16),
        ("BADKEY", 17),
        ("BADTIME", 18),
        ("BADMODE", 19),
        ("BADNAME", 20),
        ("BADALG", 21),
        ("BADTRUNC", 22),
        ("BADCOOKIE", 23),
    ];
    let known = NAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(word));
    known.map(|(_, code)| *code as u8)
}
