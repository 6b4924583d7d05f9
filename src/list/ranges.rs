//! Cuts networks of answers into ranges that do not overlap, so that an address is found by one search.
//!
//! In: networks with their rules. Out: where each range begins and the rules that hold in it.

use ipnet::IpNet;

/// Networks of answers, cut so that no range overlaps another: where each begins and the rules that hold in it.
#[derive(Default)]
pub(super) struct Ranges {
    pub(super) v4: Vec<(u128, Vec<u32>)>,
    pub(super) v6: Vec<(u128, Vec<u32>)>,
}

impl Ranges {
    /// `networks` are sorted.
    pub(super) fn of(networks: &[(IpNet, u32, u32)]) -> Ranges {
        let bounds = |network: &IpNet| match network {
            IpNet::V4(network) => (
                u128::from(u32::from(network.network())),
                u128::from(u32::from(network.broadcast())),
            ),
            IpNet::V6(network) => (u128::from(network.network()), u128::from(network.broadcast())),
        };
        let of_family = |v4: bool| {
            let mut rows: Vec<(u128, u128, u32)> = networks
                .iter()
                .filter(|(network, _, _)| matches!(network, IpNet::V4(_)) == v4)
                .map(|(network, rule, _)| {
                    let (start, end) = bounds(network);
                    (start, end, *rule)
                })
                .collect();
            // Wider networks first, so that those that hold a network are open when it begins.
            rows.sort_unstable_by(|a, b| a.0.cmp(&b.0).then(b.1.cmp(&a.1)).then(a.2.cmp(&b.2)));
            flatten(&rows, if v4 { u128::from(u32::MAX) } else { u128::MAX })
        };
        Ranges {
            v4: of_family(true),
            v6: of_family(false),
        }
    }
}

/// Networks lie beside or within each other, never across, so a stack of open ones is enough. `last` is the last address
/// of the family.
fn flatten(rows: &[(u128, u128, u32)], last: u128) -> Vec<(u128, Vec<u32>)> {
    let mut flat = Flat {
        last,
        open: Vec::new(),
        ranges: Vec::new(),
    };
    for &(start, end, rule) in rows {
        flat.close_before(Some(start));
        flat.open.push((end, rule));
        flat.begin(start);
    }
    flat.close_before(None);
    flat.ranges
}

struct Flat {
    /// The last address of the family: nothing begins behind it.
    last: u128,
    /// The end and the rule of each network around the current place, the innermost last.
    open: Vec<(u128, u32)>,
    ranges: Vec<(u128, Vec<u32>)>,
}

impl Flat {
    /// From `start` on the open networks hold, and no other.
    fn begin(&mut self, start: u128) {
        let mut rules: Vec<u32> = self.open.iter().map(|&(_, rule)| rule).collect();
        rules.sort_unstable();
        rules.dedup();
        self.ranges.pop_if(|(last, _)| *last == start);
        if self.ranges.last().map_or(!rules.is_empty(), |(_, last)| *last != rules) {
            self.ranges.push((start, rules));
        }
    }

    /// Closes the networks that end before `start`; all of them for `None`.
    fn close_before(&mut self, start: Option<u128>) {
        while let Some(&(end, _)) = self.open.last() {
            if start.is_some_and(|start| end >= start) {
                break;
            }
            while self.open.pop_if(|(other, _)| *other == end).is_some() {}
            if end < self.last {
                self.begin(end + 1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

    fn networks(texts: &[(&str, u32)]) -> Vec<(IpNet, u32, u32)> {
        let mut networks: Vec<_> = texts
            .iter()
            .map(|(text, rule)| (text.parse().unwrap(), *rule, 1))
            .collect();
        networks.sort();
        networks
    }

    /// The slow and obvious answer: each network is asked.
    fn one_by_one(networks: &[(IpNet, u32, u32)], address: IpAddr) -> Vec<u32> {
        let mut rules: Vec<u32> = networks
            .iter()
            .filter(|(network, _, _)| network.contains(&address))
            .map(|row| row.1)
            .collect();
        rules.sort_unstable();
        rules.dedup();
        rules
    }

    /// Compares both at the edges of every network and of the families, and one address beside each.
    fn agree(networks: &[(IpNet, u32, u32)]) {
        let ranges = Ranges::of(networks);
        let probe = |list: &[(u128, Vec<u32>)], address: u128| -> Vec<u32> {
            let after = list.partition_point(|(start, _)| *start <= address);
            after.checked_sub(1).map_or(Vec::new(), |index| list[index].1.clone())
        };
        for number in networks.iter().flat_map(|(network, _, _)| match network {
            IpNet::V4(network) => [network.network(), network.broadcast()],
            IpNet::V6(_) => [Ipv4Addr::UNSPECIFIED, Ipv4Addr::BROADCAST],
        }) {
            for number in [-1, 0, 1].map(|delta| u32::from(number).wrapping_add_signed(delta)) {
                let address = IpAddr::V4(Ipv4Addr::from(number));
                assert_eq!(
                    probe(&ranges.v4, number.into()),
                    one_by_one(networks, address),
                    "{address}"
                );
            }
        }
        for number in networks.iter().flat_map(|(network, _, _)| match network {
            IpNet::V6(network) => [network.network(), network.broadcast()],
            IpNet::V4(_) => [Ipv6Addr::UNSPECIFIED, Ipv6Addr::from(u128::MAX)],
        }) {
            for number in [-1, 0, 1].map(|delta| u128::from(number).wrapping_add_signed(delta)) {
                let address = IpAddr::V6(Ipv6Addr::from(number));
                assert_eq!(probe(&ranges.v6, number), one_by_one(networks, address), "{address}");
            }
        }
        for ranges in [&ranges.v4, &ranges.v6] {
            assert!(ranges.is_sorted_by(|a, b| a.0 < b.0 && a.1 != b.1));
        }
        assert!(ranges.v4.iter().all(|(start, _)| *start <= u128::from(u32::MAX)));
    }

    #[test]
    fn ranges_say_for_every_address_what_the_networks_say() {
        agree(&networks(&[
            ("0.0.0.0/32", 4),
            ("10.0.0.0/8", 1),
            ("10.1.0.0/16", 2),
            ("10.1.0.0/16", 0),
            ("10.1.255.0/24", 1),
            ("10.2.0.0/16", 3),
            ("255.255.255.255/32", 5),
            ("2001:db8::/32", 6),
            ("2001:db8::1/128", 7),
            ("ffff::/16", 6),
        ]));
    }

    proptest! {
        /// Few bits and long prefixes at both ends of a family, so that networks meet, nest and end where it ends.
        #[test]
        fn random_networks_are_found_as_if_each_were_asked(
            rows in proptest::collection::vec(
                (any::<bool>(), any::<bool>(), 0u8..16, prop_oneof![0u8..9, 24u8..33], 0u32..5),
                0..24,
            ),
        ) {
            let mut networks: Vec<_> = rows
                .into_iter()
                .map(|(v4, high, bits, prefix, rule)| {
                    let network = if v4 {
                        let address = if high { !u32::from(bits) } else { u32::from(bits) << 28 };
                        IpNet::new(IpAddr::V4(Ipv4Addr::from(address)), prefix)
                    } else {
                        let address = if high { !u128::from(bits) } else { u128::from(bits) << 124 };
                        let prefix = if prefix > 8 { prefix + 96 } else { prefix };
                        IpNet::new(IpAddr::V6(Ipv6Addr::from(address)), prefix)
                    };
                    (network.unwrap().trunc(), rule, 1)
                })
                .collect();
            networks.sort();
            agree(&networks);
        }
    }
}
