//! Rules as their lists would write them, for lists whose text is not at hand.
//!
//! In: a rule. Out: a line in the language of its list that means the rule; details that have no bearing on the meaning
//! (blanks, the address of a hosts line) are as is usual.

use crate::dns::key::to_text;
use crate::dns::name::Name;
use crate::dns::rtype;
use crate::list::dump::{Target, effect_text, name_text, pattern_text};
use crate::list::rdata;
use crate::list::rule::{ClientIs, Effect, Modifiers, Pattern, Scope};
use crate::list::source::Format;
use ipnet::IpNet;

/// One rule as text.
pub fn rule(format: Format, target: &Target, effect: &Effect, modifiers: &Modifiers) -> String {
    match format {
        Format::Adguard => adguard(target, effect, modifiers),
        Format::Rpz => rpz(target, effect),
        Format::Dnsmasq => dnsmasq(target, effect),
        Format::Unbound => unbound(target, effect),
        Format::Hosts => match (target, effect) {
            (Target::Name(key, _), Effect::Data { rtype, rdata, .. }) => {
                format!("{} {}", rdata::text(*rtype, rdata), to_text(key))
            }
            (Target::Name(key, _), _) => format!("0.0.0.0 {}", to_text(key)),
            (Target::Pattern(pattern), _) => pattern_text(pattern),
        },
        Format::V2fly => match target {
            Target::Name(key, Scope::Exact) => format!("full:{}", to_text(key)),
            Target::Name(key, _) => format!("domain:{}", to_text(key)),
            Target::Pattern(Pattern::Regex(expression)) => format!("regexp:{expression}"),
            Target::Pattern(pattern) => pattern_text(pattern),
        },
        Format::Dnscrypt => match target {
            // `ads.*` is a beginning, which needs no sign there.
            Target::Pattern(Pattern::Wildcard(pattern)) => pattern.trim_start_matches('|').to_owned(),
            Target::Name(key, Scope::Exact) => format!("={}", to_text(key)),
            Target::Name(key, scope) => name_text(key, *scope),
            Target::Pattern(pattern) => pattern_text(pattern),
        },
        Format::Wildcard => match target {
            Target::Name(key, Scope::Subtree) => format!("*.{}", to_text(key)),
            Target::Name(key, scope) => name_text(key, *scope),
            Target::Pattern(pattern) => pattern_text(pattern),
        },
        Format::Domains | Format::Regex | Format::Dump => match target {
            Target::Name(key, scope) => name_text(key, *scope),
            Target::Pattern(pattern) => pattern_text(pattern),
        },
    }
}

fn adguard(target: &Target, effect: &Effect, modifiers: &Modifiers) -> String {
    let mut text = match effect {
        Effect::Allow | Effect::Unrewrite(_) => "@@".to_owned(),
        _ => String::new(),
    };
    match target {
        Target::Name(key, Scope::Subtree) => text += &format!("||{}^", to_text(key)),
        Target::Name(key, Scope::Exact) => text += &format!("|{}^", to_text(key)),
        Target::Name(key, Scope::Below) => text += &format!("*.{}^", to_text(key)),
        Target::Pattern(Pattern::Regex(expression)) => text += &format!("/{expression}/"),
        Target::Pattern(Pattern::Address(network)) => text += &format!("||{}^", address(network)),
        Target::Pattern(pattern) => text += &pattern_text(pattern),
    }
    let mut said = Vec::new();
    if modifiers.important {
        said.push("important".to_owned());
    }
    let negated = |some: Vec<String>, not: Vec<String>| -> Vec<String> {
        some.into_iter()
            .chain(not.into_iter().map(|one| format!("~{one}")))
            .collect()
    };
    let mut list = |word: &str, values: Vec<String>| {
        if !values.is_empty() {
            said.push(format!("{word}={}", values.join("|")));
        }
    };
    let types = |types: &[u16]| types.iter().map(|rtype| rdata::type_name(*rtype)).collect();
    let who = |clients: &[ClientIs]| {
        let text = |client: &ClientIs| match client {
            ClientIs::Network(network) => address(network),
            ClientIs::Name(name) => format!("'{name}'"),
        };
        clients.iter().map(text).collect()
    };
    list("dnstype", negated(types(&modifiers.types), types(&modifiers.types_not)));
    list(
        "denyallow",
        modifiers.denyallow.iter().map(|key| to_text(key)).collect(),
    );
    list("client", negated(who(&modifiers.clients), who(&modifiers.clients_not)));
    list("ctag", negated(modifiers.tags.clone(), modifiers.tags_not.clone()));
    match effect {
        Effect::Unrewrite(None) => said.push("dnsrewrite".to_owned()),
        Effect::Unrewrite(Some(effect)) => said.push(format!("dnsrewrite={}", rewrite(effect))),
        Effect::Block | Effect::Allow => {}
        effect => said.push(format!("dnsrewrite={}", rewrite(effect))),
    }
    if !said.is_empty() {
        text += &format!("${}", said.join(","));
    }
    text
}

fn rewrite(effect: &Effect) -> String {
    match effect {
        Effect::Data { rtype: kind, rdata, .. } if matches!(*kind, rtype::A | rtype::AAAA) => rdata::text(*kind, rdata),
        Effect::Data { rtype, rdata, .. } => {
            let data = presented(*rtype, rdata, false);
            format!("NOERROR;{};{data}", rdata::type_name(*rtype))
        }
        Effect::Cname(name) => without_dot(&name.to_string()),
        Effect::Nodata => "NOERROR;;".to_owned(),
        effect => format!("{};;", effect_text(effect).to_ascii_uppercase()),
    }
}

fn rpz(target: &Target, effect: &Effect) -> String {
    let trigger = match target {
        Target::Name(key, Scope::Below) => format!("*.{}", to_text(key)),
        Target::Name(key, _) => to_text(key),
        Target::Pattern(Pattern::Client(network)) => format!("{}.rpz-client-ip", reversed(network)),
        Target::Pattern(Pattern::Address(network)) => format!("{}.rpz-ip", reversed(network)),
        Target::Pattern(Pattern::NsAddress(network)) => format!("{}.rpz-nsip", reversed(network)),
        Target::Pattern(pattern @ Pattern::NsName(..)) => format!("{}.rpz-nsdname", pattern_text(pattern)),
        Target::Pattern(pattern) => pattern_text(pattern),
    };
    let action = match effect {
        Effect::Nodata => "CNAME *.".to_owned(),
        Effect::Allow => "CNAME rpz-passthru.".to_owned(),
        Effect::Drop => "CNAME rpz-drop.".to_owned(),
        Effect::TcpOnly => "CNAME rpz-tcp-only.".to_owned(),
        Effect::Cname(name) => format!("CNAME {name}"),
        Effect::CnameBelow(name) => format!("CNAME *.{name}"),
        Effect::Data { rtype, rdata, .. } => {
            format!("{} {}", rdata::type_name(*rtype), presented(*rtype, rdata, true))
        }
        _ => "CNAME .".to_owned(),
    };
    format!("{trigger} {action}")
}

fn dnsmasq(target: &Target, effect: &Effect) -> String {
    let name = match target {
        Target::Name(key, _) if key.is_empty() => "#".to_owned(),
        Target::Name(key, _) => to_text(key),
        Target::Pattern(Pattern::Address(network)) => return format!("bogus-nxdomain={}", address(network)),
        Target::Pattern(pattern) => pattern_text(pattern),
    };
    match (target, effect) {
        (_, Effect::Allow) => format!("server=/{name}/#"),
        (_, Effect::Cname(to)) => format!("cname={name},{}", without_dot(&to.to_string())),
        (Target::Name(_, Scope::Exact), Effect::Data { rtype, rdata, .. }) => {
            format!("host-record={name},{}", rdata::text(*rtype, rdata))
        }
        (_, Effect::Data { rtype, rdata, .. }) => format!("address=/{name}/{}", rdata::text(*rtype, rdata)),
        _ => format!("address=/{name}/"),
    }
}

fn unbound(target: &Target, effect: &Effect) -> String {
    let name = match target {
        Target::Name(key, _) => format!("{}.", to_text(key)),
        Target::Pattern(pattern) => pattern_text(pattern),
    };
    let kind = match effect {
        Effect::Data { rtype, rdata, .. } => {
            let record = format!("{name} {} {}", rdata::type_name(*rtype), presented(*rtype, rdata, true));
            return format!("local-data: '{record}'");
        }
        Effect::Allow => "transparent",
        Effect::Nodata => "always_nodata",
        Effect::Drop => "deny",
        Effect::Rcode(5) => "refuse",
        Effect::Rcode(_) => "always_nxdomain",
        _ => "static",
    };
    format!("local-zone: \"{name}\" {kind}")
}

/// Record data as people write it, for the types that lists use; `\#` form for the others. `master`: as in a master file, with
/// final dots and quotes.
fn presented(kind: u16, data: &[u8], master: bool) -> String {
    let name = |wire: &[u8]| {
        let text = Name::from_wire(wire)?.to_string();
        Some(if master || text == "." {
            text
        } else {
            without_dot(&text)
        })
    };
    let number = |at: usize| data.get(at..at + 2).map(|two| u16::from_be_bytes([two[0], two[1]]));
    let text = match kind {
        rtype::NS | rtype::PTR | rtype::DNAME => name(data),
        rtype::MX => number(0)
            .zip(name(data.get(2..).unwrap_or_default()))
            .map(|(preference, name)| format!("{preference} {name}")),
        rtype::SRV => name(data.get(6..).unwrap_or_default())
            .and_then(|name| Some(format!("{} {} {} {name}", number(0)?, number(2)?, number(4)?))),
        rtype::TXT => strings(data, master),
        _ => None,
    };
    text.unwrap_or_else(|| rdata::text(kind, data))
}

/// The strings of a TXT record, each in quotes; without them only where there is one.
fn strings(mut data: &[u8], quoted: bool) -> Option<String> {
    let mut texts = Vec::new();
    while let Some((&length, rest)) = data.split_first() {
        let (string, after) = rest.split_at_checked(usize::from(length))?;
        data = after;
        if !string
            .iter()
            .all(|byte| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\'))
        {
            return None;
        }
        texts.push(String::from_utf8_lossy(string));
    }
    match texts.as_slice() {
        [one] if !quoted => Some(one.to_string()),
        _ if !quoted => None,
        texts => Some(
            texts
                .iter()
                .map(|text| format!("\"{text}\""))
                .collect::<Vec<_>>()
                .join(" "),
        ),
    }
}

/// A network as lists write it: a single address without its prefix.
fn address(network: &IpNet) -> String {
    if network.prefix_len() == network.max_prefix_len() {
        network.addr().to_string()
    } else {
        network.to_string()
    }
}

/// A network as an RPZ writes it: prefix length, then the address backwards, for IPv6 in words with `zz` for `::`.
fn reversed(network: &IpNet) -> String {
    let words = match network {
        IpNet::V4(v4) => v4.addr().octets().iter().rev().map(u8::to_string).collect(),
        IpNet::V6(v6) => {
            let text = v6.addr().to_string();
            let parts = text.replace("::", ":zz:");
            let parts: Vec<&str> = parts.split(':').filter(|part| !part.is_empty()).collect();
            parts.into_iter().rev().map(str::to_owned).collect::<Vec<String>>()
        }
    };
    format!("{}.{}", network.prefix_len(), words.join("."))
}

fn without_dot(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::list::set::{Gate, RuleId};

    /// Every rule of a small list, written again.
    fn written(text: &str) -> Vec<String> {
        let gate = Gate::from_lists(&[("l", "x", text)]);
        let format = gate.sources()[0].format;
        let whole = |id: RuleId| gate.rule(id).unwrap();
        let mut lines = Vec::new();
        for shard in 0..gate.shard_count() {
            let mut keys = gate.shard_keys(shard, b"");
            while let Some((key, set)) = keys.next() {
                let key: Box<[u8]> = key.into();
                for id in gate.rules_of(crate::list::set::RuleSetId(set)) {
                    let of = whole(id);
                    lines.push(rule(
                        format,
                        &Target::Name(key.clone(), of.scope),
                        &of.effect,
                        &of.modifiers,
                    ));
                }
            }
        }
        let others = gate.patterns().iter().map(|(pattern, id)| (pattern.clone(), *id));
        let networks = gate.networks().map(|(network, id)| (Pattern::Address(network), id));
        for (pattern, id) in others.chain(networks) {
            let of = whole(id);
            lines.push(rule(format, &Target::Pattern(pattern), &of.effect, &of.modifiers));
        }
        lines.sort();
        lines.dedup();
        lines
    }

    /// Lines that come back as they were written.
    #[track_caller]
    fn come_back(header: &str, lines: &[&str]) {
        let mut expected: Vec<&str> = lines.to_vec();
        expected.sort();
        assert_eq!(written(&format!("{header}{}\n", lines.join("\n"))), expected);
    }

    #[test]
    fn adguard_rules_come_back() {
        come_back(
            "! Title\n",
            &[
                "||a.example^",
                "@@||b.example^$important",
                "|c.example^$dnstype=A|AAAA",
                "||d.example^$dnstype=~HTTPS",
                "||zip^$denyallow=good.zip",
                "||e.example^$client=192.0.2.0/24|'Tablet'",
                "||f.example^$ctag=~device_tv",
                "||g.example^$dnsrewrite=192.0.2.1",
                "||h.example^$dnsrewrite=safe.example",
                "||i.example^$dnsrewrite=REFUSED;;",
                "@@||j.example^$dnsrewrite",
                "||k*.example^",
                "/^ads[0-9]+\\./",
                "||192.0.2.7^",
                "||m.example^$dnsrewrite=NOERROR;MX;10 mail.example",
                "||s.example^$dnsrewrite=NOERROR;SRV;10 60 8080 host.example",
                "||t.example^$dnsrewrite=NOERROR;TXT;two words",
                "||p.example^$dnsrewrite=NOERROR;PTR;host.example",
            ],
        );
    }

    #[test]
    fn rpz_records_come_back() {
        come_back(
            "@ SOA localhost. root.localhost. 1 1h 15m 30d 2h\n",
            &[
                "a.example CNAME .",
                "*.a.example CNAME *.",
                "b.example CNAME rpz-passthru.",
                "c.example CNAME rpz-drop.",
                "d.example CNAME rpz-tcp-only.",
                "e.example CNAME garden.example.",
                "f.example A 192.0.2.1",
                "m.example MX 10 mail.example.",
                "t.example TXT \"one\" \"and two\"",
                "l.example TYPE65280 \\# 2 abcd",
                "24.0.2.0.192.rpz-ip CNAME .",
                "32.1.2.0.192.rpz-client-ip CNAME rpz-drop.",
                "48.zz.1.db8.2001.rpz-nsip CNAME .",
                "ns.example.rpz-nsdname CNAME .",
            ],
        );
    }

    #[test]
    fn configurations_come_back() {
        come_back(
            "# dnsmasq\n",
            &[
                "address=/a.example/",
                "server=/b.example/#",
                "address=/c.example/192.0.2.1",
            ],
        );
        come_back("# domains\n", &["a.example", "b.example"]);
        come_back("# dnscrypt\n", &["ads.*", "*banner*", "=a.example", "b.example"]);
        come_back("# hosts\n", &["0.0.0.0 a.example", "0.0.0.0 b.example"]);
    }
}
