//! Names that mean this host or this network only: answered here and never asked for elsewhere.
//!
//! Always: one table for who answers them (`local`) and for who must not let them out (`resolver/engine`).
//! Keeps: RFC 6303 §4, RFC 6761 §6, RFC 6762 §22.1, RFC 7535, RFC 7686 §2, RFC 8375 §4.

/// Special-use names without a parent in the DNS, none of which may be looked up.
pub const TOP_LEVEL: [&str; 5] = [
    "localhost", // RFC 6761 §6.3
    "invalid",   // RFC 6761 §6.4
    "test",      // RFC 6761 §6.2
    "local",     // RFC 6762 §22.1
    "onion",     // RFC 7686 §2
];

/// Zones that are served locally and empty: SOA and NS only.
pub const EMPTY: [&str; 20] = [
    // RFC 6303 §4.1: reverse zones of private networks (RFC 1918); those of 172.16.0.0/12 are counted out, since they are sixteen.
    "10.in-addr.arpa",
    "168.192.in-addr.arpa",
    // RFC 6303 §4.2.
    "0.in-addr.arpa",
    "127.in-addr.arpa",
    "254.169.in-addr.arpa",
    "2.0.192.in-addr.arpa",
    "100.51.198.in-addr.arpa",
    "113.0.203.in-addr.arpa",
    "255.255.255.255.in-addr.arpa",
    // RFC 6303 §4.3 to §4.6.
    "0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa",
    "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa",
    "d.f.ip6.arpa",
    "8.e.f.ip6.arpa",
    "9.e.f.ip6.arpa",
    "a.e.f.ip6.arpa",
    "b.e.f.ip6.arpa",
    "8.b.d.0.1.0.0.2.ip6.arpa",
    // Names of the home and of discovery, which mean this network only.
    "home.arpa",        // RFC 8375 §4
    "service.arpa",     // RFC 9665
    "empty.as112.arpa", // RFC 7535
];

/// Where clients ask for designated resolvers (RFC 9462 §4). One that an upstream names for itself would lead them past this
/// server, and here there is none: NODATA for every name (§6.4), which says so without denying the name itself.
pub const DISCOVERY: &str = "resolver.arpa";
