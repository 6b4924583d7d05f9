//! What the owner name of a rule triggers on.
//!
//! In: the owner relative to the zone, as text without a final dot. Out: a [`Trigger`].

use crate::dns::name::Name;
use crate::list::normalize;
use crate::list::rule::Scope;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use std::borrow::Cow;
use std::net::{Ipv4Addr, Ipv6Addr};

#[derive(Debug, PartialEq, Eq)]
pub enum Trigger {
    /// The zone itself.
    Apex,
    Name(Box<[u8]>, Scope),
    Client(IpNet),
    Address(IpNet),
    NsName(Box<[u8]>, Scope),
    NsAddress(IpNet),
}

pub fn parse(owner: &str) -> Result<Trigger, Cow<'static, str>> {
    if owner.is_empty() {
        return Ok(Trigger::Apex);
    }
    let (head, last) = owner.rsplit_once('.').unwrap_or(("", owner));
    match last {
        "rpz-client-ip" => Ok(Trigger::Client(network(head)?)),
        "rpz-ip" => Ok(Trigger::Address(network(head)?)),
        "rpz-nsip" => Ok(Trigger::NsAddress(network(head)?)),
        "rpz-nsdname" => name(head).map(|(key, scope)| Trigger::NsName(key, scope)),
        _ if last.starts_with("rpz-") => Err(format!("\"{last}\" is no trigger").into()),
        _ => name(owner).map(|(key, scope)| Trigger::Name(key, scope)),
    }
}

/// `x`, or `*.x` for what is below.
fn name(text: &str) -> Result<(Box<[u8]>, Scope), Cow<'static, str>> {
    if matches!(text, "" | "*") {
        return Err("the trigger matches every name".into());
    }
    let (name, scope) = match text.strip_prefix("*.") {
        Some(parent) => (parent, Scope::Below),
        None => (text, Scope::Exact),
    };
    if let Ok(key) = normalize::key(name.as_bytes()) {
        return Ok((key, scope));
    }
    // Zones may hold names that no other list can write; a star within one is none of them.
    if !name.contains('\\') {
        let fault = normalize::key(name.as_bytes()).err().map(|fault| fault.to_string());
        return Err(fault.unwrap_or_default().into());
    }
    let wire = Name::parse(name).map_err(|error| error.to_string())?;
    let key = normalize::key_of_name(&wire).map_err(|fault| fault.to_string())?;
    Ok((key, scope))
}

/// `24.0.2.0.192` is 192.0.2.0/24; `48.zz.db8.2001` is 2001:db8::/48.
fn network(text: &str) -> Result<IpNet, Cow<'static, str>> {
    let bad = || Cow::from(format!("\"{text}\" is no network of a trigger"));
    let (prefix, rest) = text.split_once('.').ok_or_else(bad)?;
    let prefix: u8 = prefix.parse().map_err(|_| bad())?;
    let parts: Vec<&str> = rest.split('.').rev().collect();
    if parts.len() == 4 && parts.iter().all(|part| part.parse::<u8>().is_ok()) && prefix <= 32 {
        let mut octets = [0u8; 4];
        for (octet, part) in octets.iter_mut().zip(&parts) {
            *octet = part.parse().map_err(|_| bad())?;
        }
        let network = Ipv4Net::new(Ipv4Addr::from(octets), prefix).map_err(|_| bad())?;
        return Ok(IpNet::V4(network.trunc()));
    }
    let gaps = parts.iter().filter(|part| part.eq_ignore_ascii_case("zz")).count();
    if gaps > 1 || parts.len() > 8 || (gaps == 0 && parts.len() != 8) {
        return Err(bad());
    }
    let mut groups = Vec::with_capacity(8);
    for part in &parts {
        if part.eq_ignore_ascii_case("zz") {
            // As many zeros as are missing, at least one.
            groups.resize(groups.len() + (9 - parts.len()), 0);
        } else {
            if part.is_empty() || part.len() > 4 {
                return Err(bad());
            }
            groups.push(u16::from_str_radix(part, 16).map_err(|_| bad())?);
        }
    }
    let groups: [u16; 8] = groups.try_into().map_err(|_| bad())?;
    let network = Ipv6Net::new(Ipv6Addr::from(groups), prefix).map_err(|_| bad())?;
    Ok(IpNet::V6(network.trunc()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_written_backwards_with_zz_for_the_gap() {
        for (text, expected) in [
            ("32.1.2.0.192", "192.0.2.1/32"),
            ("24.0.0.0.127", "127.0.0.0/24"),
            ("24.5.0.0.127", "127.0.0.0/24"),
            ("128.57.zz.102.101.db8.2001", "2001:db8:101:102::57/128"),
            ("48.zz.101.db8.2001", "2001:db8:101::/48"),
            ("128.1.zz", "::1/128"),
            ("64.zz.1.2.3.4", "4:3:2:1::/64"),
            ("128.8.7.6.5.4.3.2.1", "1:2:3:4:5:6:7:8/128"),
        ] {
            assert_eq!(network(text).unwrap(), expected.parse::<IpNet>().unwrap(), "{text}");
        }
        for bad in [
            "",
            "32",
            "33.1.2.0.192",
            "32.1.2.0",
            "129.zz",
            "64.zz.zz",
            "x.1.2.3.4",
            "32.256.0.0.1.2.3.4.5.6",
        ] {
            assert!(network(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_owner_tells_its_trigger_by_its_last_label() {
        assert_eq!(parse("").unwrap(), Trigger::Apex);
        assert_eq!(
            parse("a.example").unwrap(),
            Trigger::Name((*b"example.a.").into(), Scope::Exact)
        );
        assert_eq!(
            parse("*.example").unwrap(),
            Trigger::Name((*b"example.").into(), Scope::Below)
        );
        assert_eq!(
            parse("*.ns.example.rpz-nsdname").unwrap(),
            Trigger::NsName((*b"example.ns.").into(), Scope::Below)
        );
        assert!(matches!(parse("32.1.2.0.192.rpz-nsip").unwrap(), Trigger::NsAddress(_)));
        assert!(parse("*").is_err());
        assert!(parse("a.*.example").is_err());
        assert!(parse("x.rpz-what").unwrap_err().contains("rpz-what"));
        assert_eq!(
            parse(r"a\032b.example").unwrap(),
            Trigger::Name((*b"example.a b.").into(), Scope::Exact)
        );
    }
}
