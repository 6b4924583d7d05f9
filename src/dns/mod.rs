//! The DNS wire format, as far as the query road needs it without help from a library.
//!
//! In: bytes. Out: borrowed views, names, keys, written responses.
//! Always: no panic on any input, nothing imported from the rest of the crate, no clock, no sockets.
//! Keeps: RFC 1035 §4 (messages), RFC 2181 §11 (names), RFC 6891 (EDNS), RFC 8914 (EDE),
//! RFC 7873 and RFC 9018 (cookies), draft-ietf-dnsop-structured-dns-error (EDE that programs read).

pub mod answer;
pub mod cookie;
pub mod cut;
pub mod ech;
pub mod ede;
pub mod edns;
pub mod key;
pub mod local_address;
pub mod name;
pub mod nameservers;
pub mod query;
pub mod response;
pub mod special_use;
pub mod structured;
pub mod translate;

/// Record types and query types (IANA "Resource Record (RR) TYPEs").
pub mod rtype {
    pub const A: u16 = 1;
    pub const NS: u16 = 2;
    pub const CNAME: u16 = 5;
    pub const SOA: u16 = 6;
    pub const PTR: u16 = 12;
    pub const HINFO: u16 = 13;
    pub const MX: u16 = 15;
    pub const TXT: u16 = 16;
    pub const AAAA: u16 = 28;
    pub const SRV: u16 = 33;
    pub const DNAME: u16 = 39;
    pub const OPT: u16 = 41;
    pub const DS: u16 = 43;
    pub const RRSIG: u16 = 46;
    pub const NSEC: u16 = 47;
    pub const DNSKEY: u16 = 48;
    pub const NSEC3: u16 = 50;
    pub const SVCB: u16 = 64;
    pub const HTTPS: u16 = 65;
    /// Who serves the zones on the way to a name ([`nameservers`](super::nameservers)): asked within this program only. It is one
    /// of the types that stand in messages and never in zones (RFC 6895 §3.1), so that no client's query for it gets anywhere.
    pub const NAMESERVERS: u16 = 240;
    pub const IXFR: u16 = 251;
    pub const AXFR: u16 = 252;
    pub const MAILB: u16 = 253;
    pub const MAILA: u16 = 254;
    pub const ANY: u16 = 255;
}

/// Classes (RFC 1035 §3.2.4).
pub mod class {
    pub const IN: u16 = 1;
    pub const CH: u16 = 3;
    pub const NONE: u16 = 254;
    pub const ANY: u16 = 255;
}

/// Response codes (IANA "DNS RCODEs"); values above 15 need an OPT record.
pub mod rcode {
    pub const NOERROR: u16 = 0;
    pub const FORMERR: u16 = 1;
    pub const SERVFAIL: u16 = 2;
    pub const NXDOMAIN: u16 = 3;
    pub const NOTIMP: u16 = 4;
    pub const REFUSED: u16 = 5;
    pub const YXDOMAIN: u16 = 6;
    pub const NOTAUTH: u16 = 9;
    pub const BADVERS: u16 = 16;
    pub const BADCOOKIE: u16 = 23;
}
