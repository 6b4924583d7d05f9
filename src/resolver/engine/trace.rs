//! What a resolution did, step by step, for people: `stairgate query --trace`.

use super::classify::Flaw;
use super::response::Malformed;
use super::store::Security;
use super::task::{Transport, Why};
use crate::dns::name::Name;
use crate::resolver::validate::Reason;
use std::fmt;
use std::net::IpAddr;

/// One step and when it happened, in milliseconds of the clock that never goes back.
#[derive(Debug, Clone, PartialEq)]
pub struct Traced {
    pub at_ms: u64,
    pub step: Step,
}

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// A name is looked for; deeper where it is that of a name server another look-up needs.
    Look { name: Name, qtype: u16, depth: usize },
    /// It was known.
    Known { name: Name, qtype: u16, what: &'static str },
    /// A query went out. `patience_ms`: how long until another server is tried.
    Sent {
        zone: Name,
        server: IpAddr,
        transport: Transport,
        name: Name,
        qtype: u16,
        edns: bool,
        patience_ms: u64,
    },
    /// A response came.
    Heard {
        server: IpAddr,
        took_ms: u64,
        verdict: Verdict,
    },
    /// Nothing came in time.
    Silent { server: IpAddr, waited_ms: u64 },
    /// The exchange could not be had.
    Lost { server: IpAddr, why: Why },
    /// So far all servers failed; the name is asked for whole, or the addresses of more servers are looked up.
    Fallback { zone: Name, why: &'static str },
    /// Validation looked at it. The reason is there if it is bogus.
    Checked {
        name: Name,
        security: Security,
        reason: Option<Reason>,
    },
    /// A name that may not leave this host was not asked for.
    Kept { name: Name },
}

/// What was made of a response.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    Answer,
    Alias {
        target: Name,
    },
    NoData,
    NxDomain,
    Referral {
        zone: Name,
        servers: usize,
    },
    /// Without AA, to be used for want of anything better.
    Weak,
    /// Ask again over TCP.
    Truncated,
    /// Not ours, or forged: ID, question or letter case differ.
    Stranger,
    /// Ask again without EDNS.
    NoEdns,
    Flawed(Flaw),
    Unreadable(Malformed),
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Look { name, qtype, depth } => {
                write!(f, "{:width$}looking for {name} {}", "", Type(*qtype), width = depth * 2)
            }
            Step::Known { name, qtype, what } => write!(f, "known: {name} {}: {what}", Type(*qtype)),
            Step::Sent {
                zone,
                server,
                transport,
                name,
                qtype,
                edns,
                patience_ms,
            } => write!(
                f,
                "asking {server} of {zone} for {name} {}{}{}, {patience_ms} ms until another is tried",
                Type(*qtype),
                if *transport == Transport::Tcp { " over TCP" } else { "" },
                if *edns { "" } else { " without EDNS" },
            ),
            Step::Heard {
                server,
                took_ms,
                verdict,
            } => write!(f, "{server} after {took_ms} ms: {verdict}"),
            Step::Silent { server, waited_ms } => write!(f, "{server} is silent after {waited_ms} ms"),
            Step::Lost { server, why } => write!(f, "{server} cannot be asked: {why}"),
            Step::Fallback { zone, why } => write!(f, "{zone}: {why}"),
            Step::Checked {
                name,
                reason: Some(reason),
                ..
            } => write!(f, "{name} is bogus: {reason}"),
            Step::Checked { name, security, .. } => match security {
                Security::Secure => write!(f, "{name} is secure"),
                Security::Insecure => write!(f, "{name} is insecure: no chain of trust leads there"),
                Security::Unchecked | Security::Bogus => write!(f, "{name} is not checked"),
            },
            Step::Kept { name } => write!(f, "{name} is for this host and network only and is not asked for"),
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verdict::Answer => f.write_str("the answer"),
            Verdict::Alias { target } => write!(f, "an alias of {target}"),
            Verdict::NoData => f.write_str("no such type there"),
            Verdict::NxDomain => f.write_str("no such name"),
            Verdict::Referral { zone, servers } => write!(f, "{zone} is served by {servers} others"),
            Verdict::Weak => f.write_str("an answer without authority, kept for want of a better"),
            Verdict::Truncated => f.write_str("truncated, so over TCP again"),
            Verdict::Stranger => f.write_str("something that belongs to no query, ignored"),
            Verdict::NoEdns => f.write_str("knows no EDNS, so without it again"),
            Verdict::Flawed(flaw) => write!(f, "useless: {flaw}"),
            Verdict::Unreadable(cause) => write!(f, "unreadable: {cause}"),
        }
    }
}

/// A type by the names that traces need, or its number.
struct Type(u16);

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.0 {
            1 => "A",
            2 => "NS",
            5 => "CNAME",
            6 => "SOA",
            12 => "PTR",
            15 => "MX",
            16 => "TXT",
            28 => "AAAA",
            33 => "SRV",
            43 => "DS",
            48 => "DNSKEY",
            65 => "HTTPS",
            other => return write!(f, "TYPE{other}"),
        };
        f.write_str(name)
    }
}
