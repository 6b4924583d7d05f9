//! Addresses that lead into the network of whoever connects to them, or to their own machine: none that a public name should have.
//!
//! Keeps: RFC 1918 §3, RFC 3056 §2 (6to4), RFC 3879 §4 (site-local), RFC 4193 §3.1, RFC 4291 §2.5, RFC 6052 §2.1, RFC 6598 §7,
//! RFC 6890 §2.2.2 (this host, loopback, link-local), RFC 8215 §4.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether an address leads to this machine or into a private network, however it is written: also as an IPv6 address that stands for
/// such an IPv4 address. What stands behind a network's own translation prefix only its settings know.
pub fn is_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_local_v4(v4),
        IpAddr::V6(v6) => is_local_v6(v6),
    }
}

fn is_local_v4(address: Ipv4Addr) -> bool {
    let [first, second, ..] = address.octets();
    // 0.0.0.0 is this machine to most systems; of 100.64.0.0/10 a carrier's own network is made.
    first == 0
        || address.is_loopback()
        || address.is_private()
        || address.is_link_local()
        || (first == 100 && second & 0xc0 == 64)
}

fn is_local_v6(address: Ipv6Addr) -> bool {
    let v4 = |high: u16, low: u16| is_local_v4(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)));
    match address.segments() {
        // Mapped, ::ffff:0:0/96; compatible, ::/96, with the unspecified and the loopback address.
        [0, 0, 0, 0, 0, 0xffff | 0, high, low] => v4(high, low),
        // Behind the translators' prefix, and the one for networks of their own, of which nearly all take 96 bits.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x64, 0xff9b, 1, _, _, _, high, low] => v4(high, low),
        // 6to4.
        [0x2002, high, low, ..] => v4(high, low),
        // fc00::/7, fe80::/10, fec0::/10.
        [first, ..] => first & 0xfe00 == 0xfc00 || first & 0xff80 == 0xfe80,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_addresses_are_local_however_they_are_written_and_their_neighbors_are_not() {
        let local = |text: &str| is_local(text.parse().unwrap());
        for text in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "10.255.255.255",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.1.1",
            "169.254.1.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "::",
            "::1",
            "::10.0.0.1",
            "::ffff:192.168.1.1",
            "::ffff:0.0.0.0",
            "64:ff9b::127.0.0.1",
            "64:ff9b:1::10.0.0.1",
            "2002:c0a8:101::1",
            "fc00::1",
            "fd12:3456:789a::1",
            "fe80::1",
            "febf::1",
            "fec0::1",
        ] {
            assert!(local(text), "{text}");
        }
        for text in [
            "1.0.0.0",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            // What a client learns its translator's prefix from (RFC 7050 §8.2).
            "192.0.0.170",
            "192.0.2.1",
            "192.167.255.255",
            "192.169.0.0",
            "::ffff:192.0.2.1",
            "64:ff9b::192.0.2.1",
            "64:ff9b:2::10.0.0.1",
            "2001:db8::1",
            "2001:db8::10.0.0.1",
            "2002:c000:201::1",
            "2003:c0a8:101::1",
            "fbff::1",
            "fe00::1",
            "ff02::1",
        ] {
            assert!(!local(text), "{text}");
        }
    }
}
