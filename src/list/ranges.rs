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
            flatten(&rows)
        };
        Ranges {
            v4: of_family(true),
            v6: of_family(false),
        }
    }
}

/// Networks lie beside or within each other, never across, so a stack of open ones is enough.
fn flatten(rows: &[(u128, u128, u32)]) -> Vec<(u128, Vec<u32>)> {
    let mut flat = Flat::default();
    for &(start, end, rule) in rows {
        flat.close_before(Some(start));
        flat.open.push((end, rule));
        flat.begin(start);
    }
    flat.close_before(None);
    flat.ranges
}

#[derive(Default)]
struct Flat {
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
            if let Some(after) = end.checked_add(1) {
                self.begin(after);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn networks(texts: &[(&str, u32)]) -> Vec<(IpNet, u32, u32)> {
        let mut networks: Vec<_> = texts
            .iter()
            .map(|(text, rule)| (text.parse().unwrap(), *rule, 1))
            .collect();
        networks.sort();
        networks
    }

    #[test]
    fn ranges_say_for_every_address_what_the_networks_say() {
        let networks = networks(&[
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
        ]);
        let ranges = Ranges::of(&networks);
        let probe = |list: &[(u128, Vec<u32>)], address: u128| -> Vec<u32> {
            let after = list.partition_point(|(start, _)| *start <= address);
            after.checked_sub(1).map_or(Vec::new(), |index| list[index].1.clone())
        };
        let edges = networks
            .iter()
            .flat_map(|(network, _, _)| [network.network(), network.broadcast()]);
        for edge in edges {
            for delta in [-1i128, 0, 1] {
                let (list, number) = match edge {
                    std::net::IpAddr::V4(edge) => (&ranges.v4, u128::from(u32::from(edge))),
                    std::net::IpAddr::V6(edge) => (&ranges.v6, u128::from(edge)),
                };
                let number = number.wrapping_add_signed(delta);
                let address: std::net::IpAddr = match edge {
                    std::net::IpAddr::V4(_) if number > u128::from(u32::MAX) => continue,
                    std::net::IpAddr::V4(_) => std::net::Ipv4Addr::from(number as u32).into(),
                    std::net::IpAddr::V6(_) => std::net::Ipv6Addr::from(number).into(),
                };
                let mut wanted: Vec<u32> = networks
                    .iter()
                    .filter(|(network, _, _)| network.contains(&address))
                    .map(|row| row.1)
                    .collect();
                wanted.sort_unstable();
                wanted.dedup();
                assert_eq!(probe(list, number), wanted, "{address}");
            }
        }
        assert!(ranges.v4.is_sorted_by(|a, b| a.0 < b.0 && a.1 != b.1));
    }
}
