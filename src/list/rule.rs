//! What a list says, one rule at a time: the words that the parsers, the compiler, the gate file and the decision share.
//!
//! A *rule* is a pattern (what it is about), an effect (what becomes of it) and modifiers (when it counts).

use crate::dns::name::Name;
use ipnet::IpNet;

/// Which names a name pattern covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Scope {
    /// That name only.
    Exact = 0,
    /// The name and everything below it.
    Subtree = 1,
    /// Everything below the name, not the name itself (`*.x` of an RPZ).
    Below = 2,
}

/// A pattern that is not one name of the fst. Names themselves are gate keys with a [`Scope`], see [`Parsed::names`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Pattern {
    /// A regular expression over the lower-case presentation name without a final dot; unanchored unless it says so.
    Regex(String),
    /// An AdGuard pattern with inner `*` or open ends, as written without modifiers (`||ads*.example^`).
    Wildcard(String),
    /// The response holds an address in this network (RPZ IP trigger, AdGuard `||192.0.2.1^`, address lists).
    Address(IpNet),
    /// The client asks from this network (RPZ client-IP trigger).
    Client(IpNet),
    /// A name server of a zone on the way has this name (RPZ NSDNAME trigger); the key and what it covers.
    NsName(Box<[u8]>, Scope),
    /// A name server of a zone on the way has an address in this network (RPZ NSIP trigger).
    NsAddress(IpNet),
}

/// What becomes of a name or an answer that a rule matches.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Effect {
    /// Answered as the profile chose (`null`, `nxdomain`, ...).
    Block,
    /// Let through (`@@`, RPZ PASSTHRU, unbound `transparent`, dnsmasq `server=/x/#`).
    Allow,
    /// Answered with this RCODE and no records (RPZ NXDOMAIN is 3, `$dnsrewrite=REFUSED` is 5).
    Rcode(u8),
    /// Answered NOERROR with no records.
    Nodata,
    /// Not answered at all (RPZ `rpz-drop.`, unbound `deny`).
    Drop,
    /// Over UDP an empty truncated response, so that the client comes back over TCP (RPZ `rpz-tcp-only.`).
    TcpOnly,
    /// Answered with this record, among the others that the same list has for the name: RPZ local data, `$dnsrewrite`, `local-data`.
    Data {
        rtype: u16,
        rdata: Box<[u8]>,
        ttl: Option<u32>,
    },
    /// Answered with a CNAME to this name, which is then resolved.
    Cname(Name),
    /// Answered with a CNAME to the name asked for followed by this one (RPZ `CNAME *.x.`).
    CnameBelow(Name),
    /// Takes back rewrites of the same name: all of them, or the one named (`@@...$dnsrewrite`).
    Unrewrite(Option<Box<Effect>>),
}

/// A client as `$client` names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ClientIs {
    Network(IpNet),
    Name(String),
}

/// When a rule counts. The default is: always.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Modifiers {
    /// `$important`
    pub important: bool,
    /// `$dnstype`: the types it is for; empty means all.
    pub types: Vec<u16>,
    /// `$dnstype=~X`: the types it is not for.
    pub types_not: Vec<u16>,
    /// `$denyallow`: gate keys of the names, with all below them, that the rule leaves out.
    pub denyallow: Vec<Box<[u8]>>,
    /// `$client`: for these clients (empty: all), and not for those.
    pub clients: Vec<ClientIs>,
    pub clients_not: Vec<ClientIs>,
    /// `$ctag`: for clients with one of these tags (empty: all), and not with those.
    pub tags: Vec<String>,
    pub tags_not: Vec<String>,
}

impl Modifiers {
    /// Whether the rule counts always and in the usual rank.
    pub fn is_plain(&self) -> bool {
        *self == Modifiers::default()
    }
}

/// What the names and patterns of one list have in common; a list has few.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Template {
    pub effect: Effect,
    pub modifiers: Modifiers,
    /// `$badfilter`: the rule takes back the same rule of its own source instead of acting.
    pub badfilter: bool,
}

/// One name rule of a parsed list. 16 bytes, since a list has up to a million.
#[derive(Debug, Clone, Copy)]
pub struct NameEntry {
    /// Where its gate key starts in [`Parsed::keys`].
    pub key_start: u32,
    pub key_len: u8,
    pub scope: Scope,
    /// Index into [`Parsed::templates`].
    pub template: u16,
    /// Line of the unpacked list, from 1.
    pub line: u32,
}

/// One rule of a parsed list that is not about a single name.
#[derive(Debug, Clone)]
pub struct PatternEntry {
    pub pattern: Pattern,
    pub template: u16,
    pub line: u32,
}

/// Why an entry was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reject {
    pub line: u32,
    /// Half a sentence: "a label is longer than 63 bytes".
    pub reason: String,
    /// The entry as written, at most 120 characters of it.
    pub entry: String,
}

/// How the lines of a list were accounted for: `lines = rule_lines + comments + skipped + rejected_lines`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    pub lines: u64,
    /// Lines of which at least one rule was taken.
    pub rule_lines: u64,
    /// Comments, blank lines, headers.
    pub comments: u64,
    /// Lines that are right but not for a resolver: cosmetic and URL-path rules, preambles of hosts files.
    pub skipped: u64,
    /// Lines of which nothing was taken and something should have been.
    pub rejected_lines: u64,
    /// Rules taken (names and patterns), duplicates included.
    pub rules: u64,
    /// Entries not taken; a line can have several.
    pub rejects: u64,
}

/// One list, parsed and normalized.
#[derive(Debug, Default)]
pub struct Parsed {
    pub counts: Counts,
    /// The first [`crate::limits::LIST_REJECTS_KEPT`] rejects.
    pub rejects: Vec<Reject>,
    /// The gate keys of all names, one after another.
    pub keys: Vec<u8>,
    pub names: Vec<NameEntry>,
    pub patterns: Vec<PatternEntry>,
    pub templates: Vec<Template>,
    /// The date or version written in the list itself (`! Last modified: ...`, a SOA serial), as written.
    pub dated: Option<String>,
    /// The licence written in the list itself (`# License: MIT`), as written.
    pub licence: Option<String>,
}

impl Parsed {
    /// The gate key of one of this list's names.
    pub fn key(&self, entry: &NameEntry) -> &[u8] {
        &self.keys[entry.key_start as usize..][..usize::from(entry.key_len)]
    }
}
