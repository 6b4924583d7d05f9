//! Resolvers that the router of this network advertises for itself over IPv6: devices that are told of one ask it, and go around
//! this server (RFC 8106, RDNSS).
//!
//! In: what the system wrote down of the resolvers it was told of, its own addresses, its networks. Out: those that stand in
//! this network and are not this machine.
//! Always: only what cannot be meant otherwise: a resolver far away may be one that somebody chose for this machine alone.

use ipnet::IpNet;
use std::net::{IpAddr, Ipv6Addr};

/// Where systems write down whom they were told to ask: the file that programs read, and what stands behind it where
/// systemd-resolved answers there.
pub(super) const FILES: [&str; 2] = ["/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"];

/// Where Linux lists the IPv6 addresses of this machine.
pub(super) const OWN: &str = "/proc/net/if_inet6";

/// The IPv6 resolvers among the `nameserver` lines of `resolv_conf` that are neighbors, as written. `if_inet6` holds this
/// machine's addresses, one a line, 32 hexadecimal digits first.
pub(super) fn neighbors(resolv_conf: &str, if_inet6: &str, connected: &[IpNet]) -> Vec<String> {
    let own: Vec<Ipv6Addr> = if_inet6
        .lines()
        .filter_map(|line| u128::from_str_radix(line.split_whitespace().next()?, 16).ok())
        .map(Ipv6Addr::from)
        .collect();
    let mut found = Vec::new();
    for line in resolv_conf.lines() {
        let mut words = line.split_whitespace();
        let (Some("nameserver"), Some(written)) = (words.next(), words.next()) else {
            continue;
        };
        // A link-local address comes with its interface (RFC 4007 §11).
        let address = written.split('%').next().unwrap_or(written);
        let Ok(address) = address.parse::<Ipv6Addr>() else {
            continue;
        };
        let near = address.is_unicast_link_local()
            || address.is_unique_local()
            || connected.iter().any(|network| network.contains(&IpAddr::V6(address)));
        if near && !address.is_loopback() && !own.contains(&address) && !found.iter().any(|other| other == written) {
            found.push(written.to_owned());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const IF_INET6: &str = "\
00000000000000000000000000000001 01 80 10 80       lo
fe80000000000000021122fffe334455 02 40 20 80     eth0
20010db8000100000000000000000053 02 40 00 80     eth0
";

    #[test]
    fn only_ipv6_resolvers_of_this_network_that_are_not_this_machine_are_named() {
        let connected: Vec<IpNet> = vec!["2001:db8:1::/64".parse().expect("a network")];
        for (line, named) in [
            ("nameserver fe80::1%eth0", true),
            ("nameserver\tfe80::1%2", true),
            ("nameserver fd00::1", true),
            ("nameserver 2001:db8:1::1 # router", true),
            // This machine itself.
            ("nameserver ::1", false),
            ("nameserver fe80::211:22ff:fe33:4455%eth0", false),
            ("nameserver 2001:db8:1::53", false),
            // Somewhere else, or not over IPv6.
            ("nameserver 2001:db8:2::1", false),
            ("nameserver 192.168.1.1", false),
            ("nameserver 127.0.0.53", false),
            ("# nameserver fe80::1%eth0", false),
            ("search fe80::1", false),
            ("nameserver", false),
            ("nameserver fe80::zz", false),
            ("", false),
        ] {
            let found = neighbors(line, IF_INET6, &connected);
            let expected: Vec<String> = line
                .split_whitespace()
                .skip(1)
                .take(usize::from(named))
                .map(str::to_owned)
                .collect();
            assert_eq!(found, expected, "{line}");
        }
    }

    #[test]
    fn a_resolver_that_stands_in_both_files_is_named_once_and_broken_files_are_no_trouble() {
        let twice = "nameserver fe80::1%eth0\noptions edns0\nnameserver fe80::1%eth0\nnameserver fe80::2%eth0\n";
        assert_eq!(neighbors(twice, "", &[]), ["fe80::1%eth0", "fe80::2%eth0"]);
        assert_eq!(neighbors(twice, "not hexadecimal\n\n", &[]).len(), 2);
    }
}
