//! The text form of rules: what `dump` prints and what the dump format reads.
//!
//! In: rules. Out: one line of seven fields apart by tabs (pattern, kind, effect, modifiers, category, source, line), and back.
//! Always: what is written reads back equal; no field holds a tab or a line end.
//! What a source itself adds to the meaning of its rules (that it is an allow list, how it reduces its matches, its rank)
//! stands among the modifiers, so that every line can be read alone.

use crate::config::settings::ListAction;
use crate::dns::key;
use crate::dns::name::Name;
use crate::list::normalize;
use crate::list::rdata;
use crate::list::rule::{ClientIs, Effect, Modifiers, Pattern, Scope};
use crate::list::source::{DEFAULT_RANK, Format};
use ipnet::IpNet;
use std::fmt::Write;

/// The words of the kind column.
pub const KINDS: [&str; 8] = [
    "exact", "subtree", "wildcard", "regex", "ip", "clientip", "nsname", "nsip",
];

/// What a source adds to the meaning of its rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Traits {
    pub action: ListAction,
    /// Only its family matters: it says how several matches are reduced to one.
    pub format: Format,
    pub rank: u32,
}

impl Default for Traits {
    /// What most sources are: they block, every match counts, nobody gave a rank.
    fn default() -> Traits {
        Traits {
            action: ListAction::Block,
            format: Format::Dump,
            rank: DEFAULT_RANK,
        }
    }
}

/// What a line is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A gate key and what it covers.
    Name(Box<[u8]>, Scope),
    Pattern(Pattern),
}

/// The kind column of a name rule.
pub fn name_kind(scope: Scope) -> &'static str {
    match scope {
        Scope::Exact => "exact",
        Scope::Subtree => "subtree",
        Scope::Below => "wildcard",
    }
}

/// The pattern column of a name rule.
pub fn name_text(key: &[u8], scope: Scope) -> String {
    match scope {
        Scope::Exact | Scope::Subtree => key_text(key),
        Scope::Below => format!("*.{}", key_text(key)),
    }
}

/// The kind column of any other rule.
pub fn pattern_kind(pattern: &Pattern) -> &'static str {
    match pattern {
        Pattern::Regex(_) => "regex",
        Pattern::Wildcard(_) => "wildcard",
        Pattern::Address(_) => "ip",
        Pattern::Client(_) => "clientip",
        Pattern::NsName(..) => "nsname",
        Pattern::NsAddress(_) => "nsip",
    }
}

/// The pattern column of any other rule.
pub fn pattern_text(pattern: &Pattern) -> String {
    match pattern {
        Pattern::Regex(text) | Pattern::Wildcard(text) => text.clone(),
        Pattern::Address(network) | Pattern::Client(network) | Pattern::NsAddress(network) => network.to_string(),
        Pattern::NsName(key, Scope::Exact) => key_text(key),
        Pattern::NsName(key, Scope::Below) => format!("*.{}", key_text(key)),
        Pattern::NsName(key, Scope::Subtree) => format!(".{}", key_text(key)),
    }
}

/// Whether a wildcard would read as the names below another; open patterns of that shape end in a star instead.
pub fn reads_as_below(wildcard: &str) -> bool {
    wildcard
        .strip_prefix("*.")
        .is_some_and(|name| !name.contains(['*', '^', '|']))
}

/// The effect column.
pub fn effect_text(effect: &Effect) -> String {
    match effect {
        Effect::Block => "block".to_owned(),
        Effect::Allow => "allow".to_owned(),
        Effect::Rcode(code) => match RCODES.iter().find(|(_, known)| known == code) {
            Some((word, _)) => (*word).to_owned(),
            None => format!("rcode={code}"),
        },
        Effect::Nodata => "nodata".to_owned(),
        Effect::Drop => "drop".to_owned(),
        Effect::TcpOnly => "tcp-only".to_owned(),
        Effect::Data { rtype, rdata, ttl } => {
            let ttl = ttl.map_or_else(String::new, |ttl| format!("{ttl} "));
            format!("data={} {ttl}{}", rdata::type_name(*rtype), rdata::text(*rtype, rdata))
        }
        Effect::Cname(name) => format!("cname={name}"),
        Effect::CnameBelow(name) => format!("cname-below={name}"),
        Effect::Unrewrite(None) => "unrewrite".to_owned(),
        Effect::Unrewrite(Some(effect)) => format!("unrewrite={}", effect_text(effect)),
    }
}

const RCODES: [(&str, u8); 5] = [
    ("formerr", 1),
    ("servfail", 2),
    ("nxdomain", 3),
    ("notimp", 4),
    ("refused", 5),
];

/// Reads the effect column.
pub fn parse_effect(text: &str) -> Result<Effect, String> {
    let bad = || format!("\"{text}\" is no effect");
    if let Some(&(_, code)) = RCODES.iter().find(|(word, _)| *word == text) {
        return Ok(Effect::Rcode(code));
    }
    let (word, value) = match text.split_once('=') {
        Some((word, value)) => (word, Some(value)),
        None => (text, None),
    };
    let name = |value: &str| Name::parse(value).map_err(|error| error.to_string());
    Ok(match (word, value) {
        ("block", None) => Effect::Block,
        ("allow", None) => Effect::Allow,
        ("rcode", Some(code)) => Effect::Rcode(code.parse().map_err(|_| bad())?),
        ("nodata", None) => Effect::Nodata,
        ("drop", None) => Effect::Drop,
        ("tcp-only", None) => Effect::TcpOnly,
        ("data", Some(value)) => {
            let fields: Vec<&str> = value.split(' ').collect();
            let (kind, mut fields) = fields.split_first().ok_or_else(bad)?;
            let rtype = rdata::type_number(kind).ok_or_else(bad)?;
            let mut ttl = None;
            // No data begins with a plain number: addresses have dots or colons, the rest is in \# form.
            if let Some((first, rest)) = fields.split_first()
                && first.bytes().all(|byte| byte.is_ascii_digit())
                && !first.is_empty()
                && !rest.is_empty()
            {
                ttl = Some(first.parse().map_err(|_| bad())?);
                fields = rest;
            }
            Effect::Data {
                rtype,
                rdata: rdata::parse(rtype, fields, &Name::root())?,
                ttl,
            }
        }
        ("cname", Some(value)) => Effect::Cname(name(value)?),
        ("cname-below", Some(value)) => Effect::CnameBelow(name(value)?),
        ("unrewrite", None) => Effect::Unrewrite(None),
        // One level: a rule takes back a rewrite, not a taking back.
        ("unrewrite", Some(value)) if !value.starts_with("unrewrite") => {
            Effect::Unrewrite(Some(Box::new(parse_effect(value)?)))
        }
        _ => return Err(bad()),
    })
}

/// The modifiers column; empty for plain rules of plain sources.
pub fn modifiers_text(modifiers: &Modifiers, traits: &Traits) -> String {
    let mut pieces = Vec::new();
    if modifiers.important {
        pieces.push("important".to_owned());
    }
    let types = either(&modifiers.types, &modifiers.types_not, |&number| {
        rdata::type_name(number)
    });
    let clients = either(&modifiers.clients, &modifiers.clients_not, |client| match client {
        ClientIs::Network(network) => network.to_string(),
        ClientIs::Name(name) => format!("\"{}\"", escaped(name)),
    });
    let tags = either(&modifiers.tags, &modifiers.tags_not, |tag| escaped(tag));
    let names: Vec<String> = modifiers.denyallow.iter().map(|key| escaped(&key_text(key))).collect();
    for (word, value) in [
        ("dnstype", types),
        ("denyallow", names.join("|")),
        ("client", clients),
        ("ctag", tags),
    ] {
        if !value.is_empty() {
            pieces.push(format!("{word}={value}"));
        }
    }
    if traits.action == ListAction::Allow {
        pieces.push("list=allow".to_owned());
    }
    if traits.format.family() != Format::Dump.family() {
        pieces.push(format!("format={}", traits.format));
    }
    if traits.rank != DEFAULT_RANK {
        pieces.push(format!("rank={}", traits.rank));
    }
    pieces.join(",")
}

fn either<T>(yes: &[T], no: &[T], text: impl Fn(&T) -> String) -> String {
    let yes = yes.iter().map(&text);
    let no = no.iter().map(|item| format!("~{}", text(item)));
    yes.chain(no).collect::<Vec<String>>().join("|")
}

/// Percent signs for what parts words, and for what is not printed.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() || matches!(c, '%' | ',' | '|' | '~' | '"' | '=') {
            for byte in c.to_string().bytes() {
                // Writing to a string cannot fail.
                let _ = write!(out, "%{byte:02x}");
            }
        } else {
            out.push(c);
        }
    }
    out
}

fn unescaped(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let digits = [bytes.next()?, bytes.next()?];
            out.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
        } else {
            out.push(byte);
        }
    }
    String::from_utf8(out).ok()
}

/// Reads the modifiers column. An error is half a sentence.
pub fn parse_modifiers(text: &str) -> Result<(Modifiers, Traits), String> {
    let mut modifiers = Modifiers::default();
    let mut traits = Traits::default();
    for piece in text.split(',').filter(|piece| !piece.is_empty()) {
        let bad = || format!("\"{piece}\" is no modifier of a dump");
        let (word, value) = piece.split_once('=').unwrap_or((piece, ""));
        match word {
            "important" if value.is_empty() => modifiers.important = true,
            "dnstype" => {
                for word in value.split('|') {
                    let (list, word) = sides(word, &mut modifiers.types, &mut modifiers.types_not);
                    list.push(rdata::type_number(word).ok_or_else(bad)?);
                }
            }
            "denyallow" => {
                for word in value.split('|') {
                    modifiers.denyallow.push(parse_key(&unescaped(word).ok_or_else(bad)?)?);
                }
            }
            "client" => {
                for word in value.split('|') {
                    let (list, word) = sides(word, &mut modifiers.clients, &mut modifiers.clients_not);
                    let name = word.strip_prefix('"').and_then(|word| word.strip_suffix('"'));
                    list.push(match name {
                        Some(name) => ClientIs::Name(unescaped(name).ok_or_else(bad)?),
                        None => ClientIs::Network(word.parse().map_err(|_| bad())?),
                    });
                }
            }
            "ctag" => {
                for word in value.split('|') {
                    let (list, word) = sides(word, &mut modifiers.tags, &mut modifiers.tags_not);
                    list.push(unescaped(word).ok_or_else(bad)?);
                }
            }
            "list" if value == "allow" => traits.action = ListAction::Allow,
            "format" => traits.format = value.parse().map_err(|_| bad())?,
            "rank" => traits.rank = value.parse().map_err(|_| bad())?,
            _ => return Err(bad()),
        }
    }
    Ok((modifiers, traits))
}

fn sides<'a, 'b, T>(word: &'a str, yes: &'b mut Vec<T>, no: &'b mut Vec<T>) -> (&'b mut Vec<T>, &'a str) {
    match word.strip_prefix('~') {
        Some(word) => (no, word),
        None => (yes, word),
    }
}

/// A name in presentation form, with the signs of patterns escaped as well.
fn key_text(key: &[u8]) -> String {
    let text = key::to_text(key);
    if text.contains(['*', '^', '|']) {
        return text.replace('*', "\\042").replace('^', "\\094").replace('|', "\\124");
    }
    text
}

/// Reads the pattern column by its kind. An error is half a sentence.
pub fn parse_target(kind: &str, text: &str) -> Result<Target, String> {
    let network = || -> Result<IpNet, String> {
        let network: IpNet = text.parse().map_err(|_| format!("\"{text}\" is no network"))?;
        Ok(network)
    };
    Ok(match kind {
        "exact" => Target::Name(parse_key(text)?, Scope::Exact),
        "subtree" => Target::Name(parse_key(text)?, Scope::Subtree),
        "wildcard" if reads_as_below(text) => Target::Name(parse_key(&text[2..])?, Scope::Below),
        "wildcard" if text.is_empty() => return Err("the pattern is empty".to_owned()),
        "wildcard" => Target::Pattern(Pattern::Wildcard(text.to_owned())),
        "regex" => Target::Pattern(Pattern::Regex(text.to_owned())),
        "ip" => Target::Pattern(Pattern::Address(network()?)),
        "clientip" => Target::Pattern(Pattern::Client(network()?)),
        "nsip" => Target::Pattern(Pattern::NsAddress(network()?)),
        "nsname" => {
            let (scope, name) = if let Some(name) = text.strip_prefix("*.") {
                (Scope::Below, name)
            } else if let Some(name) = text.strip_prefix('.') {
                (Scope::Subtree, name)
            } else {
                (Scope::Exact, text)
            };
            Target::Pattern(Pattern::NsName(parse_key(name)?, scope))
        }
        _ => return Err(format!("\"{kind}\" is no kind of pattern")),
    })
}

/// The gate key of a name with the escapes of master files.
fn parse_key(text: &str) -> Result<Box<[u8]>, String> {
    if !text.contains('\\')
        && let Ok(key) = normalize::key(text.as_bytes())
    {
        return Ok(key);
    }
    let name = Name::parse(text).map_err(|error| error.to_string())?;
    if name.is_root() {
        return Err("there is no name".to_owned());
    }
    normalize::key_of_name(&name).map_err(|fault| fault.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn label() -> impl Strategy<Value = Vec<u8>> {
        // Any byte that a label of a gate can hold; upper case never stands in one.
        proptest::collection::vec(
            any::<u8>().prop_filter("separator", |b| *b != b'.' && !b.is_ascii_uppercase()),
            1..20,
        )
    }

    fn key() -> impl Strategy<Value = Box<[u8]>> {
        proptest::collection::vec(label(), 1..5).prop_map(|labels| {
            let mut key = Vec::new();
            for label in labels {
                key.extend_from_slice(&label);
                key.push(b'.');
            }
            key.into_boxed_slice()
        })
    }

    fn network() -> impl Strategy<Value = IpNet> {
        prop_oneof![
            (any::<u32>(), 0u8..=32).prop_map(|(address, prefix)| {
                IpNet::new(std::net::Ipv4Addr::from(address).into(), prefix)
                    .unwrap()
                    .trunc()
            }),
            (any::<u128>(), 0u8..=128).prop_map(|(address, prefix)| {
                IpNet::new(std::net::Ipv6Addr::from(address).into(), prefix)
                    .unwrap()
                    .trunc()
            }),
        ]
    }

    fn name() -> impl Strategy<Value = Name> {
        proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..20), 0..5).prop_map(|labels| {
            let mut wire = Vec::new();
            for label in labels {
                wire.push(label.len() as u8);
                wire.extend_from_slice(&label);
            }
            wire.push(0);
            Name::from_wire(&wire).unwrap()
        })
    }

    fn effect() -> impl Strategy<Value = Effect> {
        let leaf = prop_oneof![
            Just(Effect::Block),
            Just(Effect::Allow),
            any::<u8>().prop_map(Effect::Rcode),
            Just(Effect::Nodata),
            Just(Effect::Drop),
            Just(Effect::TcpOnly),
            (
                any::<u16>(),
                proptest::collection::vec(any::<u8>(), 0..40),
                any::<Option<u32>>()
            )
                .prop_map(|(rtype, rdata, ttl)| Effect::Data {
                    rtype,
                    rdata: rdata.into_boxed_slice(),
                    ttl
                }),
            (any::<[u8; 4]>(), any::<Option<u32>>()).prop_map(|(octets, ttl)| Effect::Data {
                rtype: 1,
                rdata: octets.into(),
                ttl
            }),
            name().prop_map(Effect::Cname),
            name().prop_map(Effect::CnameBelow),
            Just(Effect::Unrewrite(None)),
        ];
        (leaf, any::<bool>()).prop_map(|(effect, back)| match effect {
            Effect::Unrewrite(_) => effect,
            effect if back => Effect::Unrewrite(Some(Box::new(effect))),
            effect => effect,
        })
    }

    fn client() -> impl Strategy<Value = ClientIs> {
        prop_oneof![
            network().prop_map(ClientIs::Network),
            any::<String>().prop_map(ClientIs::Name)
        ]
    }

    prop_compose! {
        fn modifiers()(
            important in any::<bool>(),
            types in proptest::collection::vec(any::<u16>(), 0..3),
            types_not in proptest::collection::vec(any::<u16>(), 0..3),
            denyallow in proptest::collection::vec(key(), 0..3),
            clients in proptest::collection::vec(client(), 0..3),
            clients_not in proptest::collection::vec(client(), 0..3),
            tags in proptest::collection::vec("[a-z_,~|%]{1,9}", 0..3),
            tags_not in proptest::collection::vec("[a-z_]{1,9}", 0..3),
        ) -> Modifiers {
            Modifiers { important, types, types_not, denyallow, clients, clients_not, tags, tags_not }
        }
    }

    fn target() -> impl Strategy<Value = Target> {
        let scope = prop_oneof![Just(Scope::Exact), Just(Scope::Subtree), Just(Scope::Below)];
        prop_oneof![
            (key(), scope.clone()).prop_map(|(key, scope)| Target::Name(key, scope)),
            (key(), scope).prop_map(|(key, scope)| Target::Pattern(Pattern::NsName(key, scope))),
            network().prop_map(|network| Target::Pattern(Pattern::Address(network))),
            network().prop_map(|network| Target::Pattern(Pattern::Client(network))),
            network().prop_map(|network| Target::Pattern(Pattern::NsAddress(network))),
            "[a-z0-9.*^|-]{1,20}"
                .prop_filter("below", |text| !reads_as_below(text))
                .prop_map(|text| Target::Pattern(Pattern::Wildcard(text))),
            "[ -~]{1,20}".prop_map(|text| Target::Pattern(Pattern::Regex(text))),
        ]
    }

    proptest! {
        #[test]
        fn effects_read_back_equal(effect in effect()) {
            let text = effect_text(&effect);
            prop_assert!(!text.contains(['\t', '\n', '\r']));
            // Debug too, because names compare without letter case.
            prop_assert_eq!(format!("{:?}", parse_effect(&text).unwrap()), format!("{effect:?}"));
        }

        #[test]
        fn modifiers_read_back_equal(modifiers in modifiers(), allow in any::<bool>(), rank in any::<u32>(), rpz in any::<bool>()) {
            let traits = Traits {
                action: if allow { ListAction::Allow } else { ListAction::Block },
                format: if rpz { Format::Rpz } else { Format::Dump },
                rank,
            };
            let text = modifiers_text(&modifiers, &traits);
            prop_assert!(!text.contains(['\t', '\n', '\r']));
            prop_assert_eq!(parse_modifiers(&text).unwrap(), (modifiers, traits));
        }

        #[test]
        fn targets_read_back_equal(target in target()) {
            let (kind, text) = match &target {
                Target::Name(key, scope) => (name_kind(*scope), name_text(key, *scope)),
                Target::Pattern(pattern) => (pattern_kind(pattern), pattern_text(pattern)),
            };
            prop_assert!(!text.contains(['\t', '\n', '\r']));
            prop_assert_eq!(parse_target(kind, &text).unwrap(), target);
        }

        #[test]
        fn no_text_makes_the_readers_panic(text in any::<String>()) {
            let _ = parse_effect(&text);
            let _ = parse_modifiers(&text);
            for kind in KINDS {
                let _ = parse_target(kind, &text);
            }
        }
    }

    #[test]
    fn a_plain_rule_of_a_plain_source_has_no_modifiers() {
        assert_eq!(modifiers_text(&Modifiers::default(), &Traits::default()), "");
        assert_eq!(effect_text(&Effect::Rcode(3)), "nxdomain");
        let data = Effect::Data {
            rtype: 1,
            rdata: [192, 0, 2, 1].into(),
            ttl: Some(60),
        };
        assert_eq!(effect_text(&data), "data=A 60 192.0.2.1");
    }
}
