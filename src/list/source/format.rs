//! The formats of lists and their families.

use std::fmt;
use std::str::FromStr;

/// How a list is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Format {
    Hosts = 0,
    Domains = 1,
    Wildcard = 2,
    Adguard = 3,
    Regex = 4,
    Rpz = 5,
    Dnsmasq = 6,
    Unbound = 7,
    Dnscrypt = 8,
    V2fly = 9,
    Dump = 10,
}

impl Format {
    /// Every format, in the order of their numbers.
    pub const ALL: [Format; 11] = [
        Format::Hosts,
        Format::Domains,
        Format::Wildcard,
        Format::Adguard,
        Format::Regex,
        Format::Rpz,
        Format::Dnsmasq,
        Format::Unbound,
        Format::Dnscrypt,
        Format::V2fly,
        Format::Dump,
    ];

    /// The word of the command line and the settings.
    pub fn word(self) -> &'static str {
        match self {
            Format::Hosts => "hosts",
            Format::Domains => "domains",
            Format::Wildcard => "wildcard",
            Format::Adguard => "adguard",
            Format::Regex => "regex",
            Format::Rpz => "rpz",
            Format::Dnsmasq => "dnsmasq",
            Format::Unbound => "unbound",
            Format::Dnscrypt => "dnscrypt",
            Format::V2fly => "v2fly",
            Format::Dump => "dump",
        }
    }

    /// How a source of this format chooses among its own matches.
    pub fn family(self) -> Family {
        match self {
            Format::Adguard => Family::Adguard,
            Format::Rpz => Family::Rpz,
            Format::Dnsmasq => Family::Dnsmasq,
            Format::Unbound => Family::Unbound,
            _ => Family::Plain,
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// A word that names no format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{0}\" is not a format; it is one of auto, hosts, domains, wildcard, adguard, regex, rpz, dnsmasq, unbound, dnscrypt, v2fly, dump"
)]
pub struct UnknownFormat(pub String);

/// "auto" is no format: callers take it as `None` before they ask.
impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(word: &str) -> Result<Format, UnknownFormat> {
        Format::ALL
            .into_iter()
            .find(|format| format.word() == word)
            .ok_or_else(|| UnknownFormat(word.to_owned()))
    }
}

/// How a source reduces several matches of its own to one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Family {
    /// Every match counts.
    Plain = 0,
    /// Every match counts, in AdGuard's order of precedence.
    Adguard = 1,
    /// One match: client-IP, QNAME, IP, NSDNAME, NSIP; exact before wildcard.
    Rpz = 2,
    /// The longest name.
    Dnsmasq = 3,
    /// The closest zone.
    Unbound = 4,
}
