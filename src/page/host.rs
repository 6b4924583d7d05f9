//! Which site a request is for, by its Host field: bytes that anybody may have written.
//!
//! In: the value of the field, or the authority of an absolute target. Out: [`Host`].
//! Always: what is [`Host::Name`] is a domain name of letters, digits, hyphens and underscores that DNS can have; whatever else is in the
//! field is shown to nobody.
//! Keeps: RFC 9110 §7.2 (Host), RFC 3986 §3.2.2 (hosts and ports), RFC 1035 §3.1 (lengths), UTS 46 (U-labels).

use crate::dns::name::Name;
use std::net::{Ipv4Addr, Ipv6Addr};

/// What a Host field says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    Name(Site),
    /// An address: somebody looks for this server itself, or for whatever else was there.
    Address,
    /// Nothing, or what is no host.
    None,
}

/// A site by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    pub name: Name,
    /// With A-labels, in lower case, without a final dot.
    pub ascii: String,
    /// With U-labels, where that is another text. It may look like another name, so the first is always shown beside it.
    pub unicode: Option<String>,
}

impl Host {
    /// `field`: without the blanks around it. A port is of no account.
    pub fn parse(field: &[u8]) -> Host {
        let Ok(text) = std::str::from_utf8(field) else {
            return Host::None;
        };
        if let Some(rest) = text.strip_prefix('[') {
            return match rest.split_once(']') {
                Some((address, port)) if address.parse::<Ipv6Addr>().is_ok() && is_port(port) => Host::Address,
                _ => Host::None,
            };
        }
        let (host, port) = match text.find(':') {
            Some(at) => text.split_at(at),
            None => (text, ""),
        };
        if !is_port(port) {
            return Host::None;
        }
        if host.parse::<Ipv4Addr>().is_ok() {
            return Host::Address;
        }
        site(host).map_or(Host::None, Host::Name)
    }
}

/// A port with its colon, or nothing. One without digits is allowed (RFC 3986 §3.2.3).
fn is_port(text: &str) -> bool {
    match text.strip_prefix(':') {
        Some("") => true,
        Some(digits) => digits.bytes().all(|byte| byte.is_ascii_digit()) && digits.parse::<u16>().is_ok(),
        None => text.is_empty(),
    }
}

fn site(host: &str) -> Option<Site> {
    let ascii = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    if ascii.is_empty() || !ascii.bytes().all(known) {
        return None;
    }
    // What ends in a number is an address that somebody wrote in a strange way, and no name (RFC 3696 §2).
    let last = ascii.rsplit('.').next()?;
    if last.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let name = Name::parse(&ascii).ok()?;
    let unicode = match idna::domain_to_unicode(&ascii) {
        (unicode, Ok(())) if unicode != ascii => Some(unicode),
        _ => None,
    };
    Some(Site { name, ascii, unicode })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ascii(field: &str) -> Option<String> {
        match Host::parse(field.as_bytes()) {
            Host::Name(site) => Some(site.ascii),
            _ => None,
        }
    }

    #[test]
    fn names_are_read_in_every_way_that_browsers_and_programs_write_them() {
        for field in [
            "game.example",
            "GAME.Example",
            "game.example.",
            "game.example:80",
            "game.example.:",
            "game.example:65535",
        ] {
            assert_eq!(ascii(field).as_deref(), Some("game.example"), "{field}");
        }
        assert_eq!(ascii("_dns.a-b.example").as_deref(), Some("_dns.a-b.example"));
        assert_eq!(ascii("stairgate").as_deref(), Some("stairgate"));
        let longest = [
            ["a"; 63].concat(),
            ["b"; 63].concat(),
            ["c"; 63].concat(),
            ["d"; 61].concat(),
        ]
        .join(".");
        assert_eq!(ascii(&longest), Some(longest.clone()));
    }

    #[test]
    fn u_labels_are_shown_beside_a_labels_that_stand_for_some() {
        let site = |field: &str| match Host::parse(field.as_bytes()) {
            Host::Name(site) => (site.ascii, site.unicode),
            other => panic!("{field}: {other:?}"),
        };
        assert_eq!(site("XN--BCHER-KVA.example").1.as_deref(), Some("bücher.example"));
        assert_eq!(site("xn--e1afmkfd.xn--p1ai").1.as_deref(), Some("пример.рф"));
        assert_eq!(site("game.example").1, None);
        assert_eq!(
            site("xn--a.example"),
            ("xn--a.example".to_owned(), None),
            "it stands for nothing"
        );
    }

    #[test]
    fn addresses_are_no_names() {
        for field in [
            "192.168.1.1",
            "192.168.1.1:80",
            "[::1]",
            "[2001:db8::1]:8080",
            "[::ffff:192.0.2.1]:",
        ] {
            assert_eq!(Host::parse(field.as_bytes()), Host::Address, "{field}");
        }
    }

    #[test]
    fn what_is_no_host_is_nothing() {
        let (many, long) = (vec!["a"; 300].join("."), "a".repeat(64));
        let odd = [
            "",
            ".",
            "..",
            ":80",
            "a..b",
            ".a",
            "a b",
            "a/b",
            "a@b.example",
            "user:pw@a.example",
            "a:b",
            "a:99999",
            "a:-1",
            "a:+1",
            "[::1",
            "[::1]x",
            "[]",
            "[a.example]",
            "[fe80::1%25eth0]",
            "127.1",
            "0x7f.1",
            "1.2.3.4.5",
            "a.example.1",
            "<script>alert(1)</script>",
            "a.example\r\nX: y",
            "a\0b",
            "a%41.example",
            "bücher.example",
            r"a\.b",
            "*.example",
            &many,
            &long,
        ];
        for field in odd {
            assert_eq!(Host::parse(field.as_bytes()), Host::None, "{field:?}");
        }
        assert_eq!(Host::parse(b"a\xff.example"), Host::None);
    }

    proptest! {
        #[test]
        fn whatever_is_taken_for_a_name_is_one_and_can_be_shown_in_a_page(
            field in prop_oneof![
                proptest::collection::vec(any::<u8>(), 0..300),
                "[a-zA-Z0-9_.:\\[\\]<&\"'\\\\%@/ -]{0,80}".prop_map(String::into_bytes),
                "((xn--)?[a-z0-9-]{1,12}\\.){1,6}[a-z]{2,5}(:[0-9]{0,6})?".prop_map(String::into_bytes),
            ]
        ) {
            if let Host::Name(site) = Host::parse(&field) {
                prop_assert!(site.ascii.len() <= 253);
                prop_assert!(site.ascii.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.".contains(&b)));
                prop_assert_eq!(&Name::parse(&site.ascii).unwrap(), &site.name);
                if let Some(unicode) = &site.unicode {
                    prop_assert!(!unicode.contains(|c: char| c.is_control() || "<>&\"'".contains(c)), "{}", unicode);
                }
                // Read again it is the same.
                prop_assert_eq!(Host::parse(site.ascii.as_bytes()), Host::Name(site));
            }
        }
    }
}
