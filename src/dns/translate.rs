//! IPv4 addresses inside IPv6 addresses, as translators at the edge of IPv6-only networks have them.
//!
//! Keeps: RFC 6052 §2.1 (the well-known prefix), §2.2 (where the four bytes stand), §3.1 (what it may not stand for).

use std::net::{Ipv4Addr, Ipv6Addr};

/// A translation prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prefix {
    octets: [u8; 16],
    /// Length in bytes: 4, 5, 6, 7, 8 or 12.
    bytes: usize,
}

/// `64:ff9b::/96`, the same everywhere.
pub const WELL_KNOWN: Prefix = Prefix {
    octets: [0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    bytes: 12,
};

/// Bits 64 to 71 are zero, whatever stands around them.
const GAP: usize = 8;

impl Prefix {
    /// `None`: not 32, 40, 48, 56, 64 or 96 bits, bits set behind them, or in bits 64 to 71.
    pub fn new(address: Ipv6Addr, bits: u8) -> Option<Prefix> {
        let octets = address.octets();
        let bytes = usize::from(bits / 8);
        let fits = matches!(bits, 32 | 40 | 48 | 56 | 64 | 96) && octets[bytes..].iter().all(|&octet| octet == 0);
        (fits && octets[GAP] == 0).then_some(Prefix { octets, bytes })
    }

    /// Where the four bytes stand.
    fn places(self) -> impl Iterator<Item = usize> {
        (self.bytes..16).filter(|&at| at != GAP).take(4)
    }

    /// The address that stands for `address` behind this prefix.
    pub fn embed(self, address: Ipv4Addr) -> Ipv6Addr {
        let mut octets = self.octets;
        for (at, octet) in self.places().zip(address.octets()) {
            octets[at] = octet;
        }
        octets.into()
    }

    /// The address that `address` stands for; `None` if it is not behind this prefix. What follows it is of no account.
    pub fn extract(self, address: Ipv6Addr) -> Option<Ipv4Addr> {
        let octets = address.octets();
        if octets[..self.bytes] != self.octets[..self.bytes] || octets[GAP] != 0 {
            return None;
        }
        let mut inner = [0; 4];
        for (octet, at) in inner.iter_mut().zip(self.places()) {
            *octet = octets[at];
        }
        Some(inner.into())
    }

    /// Whether `address` may stand behind this prefix: behind the well-known one only addresses that mean the same everywhere, and
    /// behind none those that mean no host.
    pub fn takes(self, address: Ipv4Addr) -> bool {
        let [first, second, third, _] = address.octets();
        let no_host = first == 0 || first >= 224 || address.is_loopback() || address.is_link_local();
        let here_only = address.is_private()
            || address.is_documentation()
            // RFC 6598, RFC 6890 §2.2.2, RFC 2544.
            || (first == 100 && second & 0xc0 == 64)
            || (first, second, third) == (192, 0, 0)
            || (first == 198 && second & 0xfe == 18);
        !(no_host || (self == WELL_KNOWN && here_only))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefix(text: &str) -> Prefix {
        let (address, bits) = text.split_once('/').unwrap();
        Prefix::new(address.parse().unwrap(), bits.parse().unwrap()).unwrap()
    }

    #[test]
    fn rfc6052_2_4_examples_are_written_and_read_back() {
        let inner = Ipv4Addr::new(192, 0, 2, 33);
        for (network, expected) in [
            ("2001:db8::/32", "2001:db8:c000:221::"),
            ("2001:db8:100::/40", "2001:db8:1c0:2:21::"),
            ("2001:db8:122::/48", "2001:db8:122:c000:2:2100::"),
            ("2001:db8:122:300::/56", "2001:db8:122:3c0:0:221::"),
            ("2001:db8:122:344::/64", "2001:db8:122:344:c0:2:2100::"),
            ("2001:db8:122:344::/96", "2001:db8:122:344::192.0.2.33"),
        ] {
            let outer: Ipv6Addr = expected.parse().unwrap();
            assert_eq!(prefix(network).embed(inner), outer, "{network}");
            assert_eq!(prefix(network).extract(outer), Some(inner), "{network}");
            assert_eq!(prefix(network).extract("2001:db9::".parse().unwrap()), None);
        }
        assert_eq!(prefix("64:ff9b::/96"), WELL_KNOWN);
    }

    #[test]
    fn prefixes_of_other_lengths_or_with_bits_where_none_may_be_are_refused() {
        for (address, bits) in [
            ("64:ff9b::", 95),
            ("64:ff9b::1", 96),
            ("2001:db8::", 0),
            ("2001:db8:0:0:100::", 96),
        ] {
            assert_eq!(Prefix::new(address.parse().unwrap(), bits), None, "{address}/{bits}");
        }
    }

    #[test]
    fn rfc6052_3_1_private_addresses_stand_behind_a_networks_own_prefix_only() {
        let own = prefix("2001:db8::/32");
        for (address, well_known, network) in [
            ("198.51.101.1", true, true),
            ("192.168.1.1", false, true),
            ("100.64.0.1", false, true),
            ("0.0.0.0", false, false),
            ("127.0.0.1", false, false),
            ("169.254.1.1", false, false),
            ("255.255.255.255", false, false),
        ] {
            let address: Ipv4Addr = address.parse().unwrap();
            assert_eq!(
                (WELL_KNOWN.takes(address), own.takes(address)),
                (well_known, network),
                "{address}"
            );
        }
    }
}
