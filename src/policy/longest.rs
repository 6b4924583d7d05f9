//! From an address to the longest network that holds it, for a million networks.
//!
//! In: networks with a number each. Out: [`Longest`].
//! Always: nested networks are flattened to ranges when it is built, so that a look-up is one search, in nodes of one line of cache each: all but
//! the last few are in a core's caches even where every client asks in turn. An IPv4-mapped IPv6 address (RFC 4291 §2.5.5.2) counts as the IPv4
//! address it holds.

use ipnet::IpNet;
use std::cmp::Reverse;
use std::net::{IpAddr, Ipv6Addr};

/// The number of a range that no network holds.
const NONE: u32 = u32::MAX;

/// Networks, each with a number below `u32::MAX`.
#[derive(Debug, Default)]
pub struct Longest {
    v4: Ranges<u32>,
    /// IPv6 networks of at most 64 bits, by the upper half of the address.
    v6: Ranges<u64>,
    /// Longer ones. They go first.
    hosts: Ranges<u128>,
}

impl Longest {
    /// Of equal networks the first one counts.
    pub fn new(networks: impl IntoIterator<Item = (IpNet, u32)>) -> Longest {
        let (mut v4, mut v6, mut hosts) = (Vec::new(), Vec::new(), Vec::new());
        let mut add4 = |first: u32, last: u32, bits: i16, value: u32| {
            v4.push(Network {
                first,
                last,
                bits,
                value,
            })
        };
        for (network, value) in networks {
            let bits = i16::from(network.prefix_len());
            let (first, last) = (network.network(), network.broadcast());
            match (first, last) {
                (IpAddr::V4(first), IpAddr::V4(last)) => add4(first.into(), last.into(), bits, value),
                (IpAddr::V6(first), IpAddr::V6(last)) => {
                    let mapped = IpAddr::from([0, 0, 0, 0, 0, 0xffff, 0, 0]);
                    let (low, high) = (u128::from(first), u128::from(last));
                    match (first.to_ipv4_mapped(), last.to_ipv4_mapped()) {
                        (Some(first), Some(last)) => add4(first.into(), last.into(), bits - 96, value),
                        // It holds all of IPv4 too, but less closely than any network of IPv4.
                        _ if network.contains(&mapped) => add4(0, u32::MAX, bits - 96, value),
                        _ => {}
                    }
                    if bits <= 64 {
                        v6.push(Network {
                            first: (low >> 64) as u64,
                            last: (high >> 64) as u64,
                            bits,
                            value,
                        });
                    } else {
                        hosts.push(Network {
                            first: low,
                            last: high,
                            bits,
                            value,
                        });
                    }
                }
                _ => unreachable!("both ends of a network are of one family"),
            }
        }
        Longest {
            v4: Ranges::new(v4),
            v6: Ranges::new(v6),
            hosts: Ranges::new(hosts),
        }
    }

    /// The number of the longest network that holds the address.
    #[inline]
    pub fn find(&self, addr: IpAddr) -> Option<u32> {
        match addr.to_canonical() {
            IpAddr::V4(addr) => self.v4.find(addr.into()),
            IpAddr::V6(addr) => {
                let addr = u128::from(addr);
                self.hosts.find(addr).or_else(|| self.v6.find((addr >> 64) as u64))
            }
        }
    }

    /// Whether a network of at most 64 bits holds the address, and so all that share its upper half.
    pub fn holds_half(&self, addr: Ipv6Addr) -> bool {
        self.v6.find((u128::from(addr) >> 64) as u64).is_some()
    }

    /// Bytes it takes.
    pub fn size_bytes(&self) -> usize {
        self.v4.size_bytes() + self.v6.size_bytes() + self.hosts.size_bytes()
    }
}

/// What addresses are searched as.
trait Number: Copy + Ord {
    const LAST: Self;
    fn next(self) -> Self;
}

macro_rules! number {
    ($($type:ty),*) => {$(
        impl Number for $type {
            const LAST: Self = Self::MAX;
            fn next(self) -> Self {
                self + 1
            }
        }
    )*};
}

number!(u32, u64, u128);

struct Network<K> {
    first: K,
    last: K,
    /// How many bits it fixes; of an IPv6 network that holds all of IPv4, less than none.
    bits: i16,
    value: u32,
}

/// Keys of a node, side by side in half a line of cache or more.
const NODE: usize = 8;

/// Keys in order; behind the last of all stands [`Number::LAST`] up to the end of the node.
type Node<K> = [K; NODE];

/// Where each range begins, with its number; it ends where the next begins.
#[derive(Debug)]
struct Ranges<K> {
    starts: Box<[Node<K>]>,
    values: Box<[u32]>,
    /// Every [`NODE`]th key of the level below, from `starts` up to one node.
    levels: Vec<Box<[Node<K>]>>,
}

impl<K> Default for Ranges<K> {
    fn default() -> Ranges<K> {
        Ranges {
            starts: Box::default(),
            values: Box::default(),
            levels: Vec::new(),
        }
    }
}

impl<K: Number> Ranges<K> {
    fn new(mut networks: Vec<Network<K>>) -> Ranges<K> {
        // Networks follow those that hold them.
        networks.sort_by_key(|network| (network.first, Reverse(network.last), network.bits));
        networks.dedup_by_key(|network| (network.first, network.last, network.bits));
        let mut leaves: Vec<(K, u32)> = Vec::new();
        let mut begin = |at: K, value: u32| {
            while leaves.last().is_some_and(|(start, _)| *start == at) {
                leaves.pop();
            }
            if leaves.last().map_or(NONE, |(_, before)| *before) != value {
                leaves.push((at, value));
            }
        };
        let mut open: Vec<(K, u32)> = Vec::new();
        let close = |open: &mut Vec<(K, u32)>, begin: &mut dyn FnMut(K, u32), until: Option<K>| {
            while let Some(&(last, _)) = open.last().filter(|(last, _)| until.is_none_or(|until| *last < until)) {
                open.pop();
                if last != K::LAST {
                    begin(last.next(), open.last().map_or(NONE, |(_, value)| *value));
                }
            }
        };
        for network in networks {
            close(&mut open, &mut begin, Some(network.first));
            begin(network.first, network.value);
            open.push((network.last, network.value));
        }
        close(&mut open, &mut begin, None);
        let (starts, values): (Vec<K>, Vec<u32>) = leaves.into_iter().unzip();
        let mut levels = Vec::new();
        let mut below = nodes(&starts);
        let starts = below.clone();
        while below.len() > 1 {
            let firsts: Vec<K> = below.iter().map(|node| node[0]).collect();
            below = nodes(&firsts);
            levels.push(below.clone());
        }
        Ranges {
            starts,
            values: values.into(),
            levels,
        }
    }

    #[inline]
    fn find(&self, key: K) -> Option<u32> {
        let mut node = 0;
        for level in self.levels.iter().rev() {
            node = step(level, node, key)?;
        }
        // What fills the last node is the largest key and so behind the last range, whose number counts for it.
        let at = step(&self.starts, node, key)?.min(self.values.len() - 1);
        Some(self.values[at]).filter(|value| *value != NONE)
    }

    fn size_bytes(&self) -> usize {
        let levels = self.levels.iter().map(|level| size_of_val(&**level)).sum::<usize>();
        size_of_val(&*self.starts) + size_of_val(&*self.values) + levels
    }
}

/// Keys in nodes, the last one filled.
fn nodes<K: Number>(keys: &[K]) -> Box<[Node<K>]> {
    let node = |keys: &[K]| {
        let mut node = [K::LAST; NODE];
        node[..keys.len()].copy_from_slice(keys);
        node
    };
    keys.chunks(NODE).map(node).collect()
}

/// Of a node the last place whose key is not behind `key`; `None`: all are, or there is no node. What fills the last node of a level above may
/// lead behind the last node, which then is the one.
#[inline]
fn step<K: Number>(level: &[Node<K>], node: usize, key: K) -> Option<usize> {
    let node = node.min(level.len().checked_sub(1)?);
    // All are looked at: that is faster than guessing where to stop.
    let before = level[node]
        .iter()
        .map(|start| usize::from(*start <= key))
        .sum::<usize>();
    Some(node * NODE + before.checked_sub(1)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::clients::Prefixes;
    use ipnet::{Ipv4Net, Ipv6Net};
    use proptest::prelude::*;
    use std::net::Ipv4Addr;

    #[test]
    fn the_longest_prefix_wins_and_mapped_addresses_count_as_ipv4() {
        let networks = [
            "0.0.0.0/0",
            "10.0.0.0/8",
            "10.1.0.0/16",
            "10.1.2.3/32",
            "fd00::/8",
            "10.1.2.0/24",
            "fd00::7/128",
            "255.255.255.255/32",
            "10.1.2.3/32",
        ];
        let networks = networks
            .iter()
            .zip(0u32..)
            .map(|(text, index)| (text.parse().unwrap(), index));
        let table = Longest::new(networks);
        let find = |text: &str| table.find(text.parse().unwrap());
        assert_eq!(find("10.1.2.3"), Some(3));
        assert_eq!(find("10.1.2.4"), Some(5));
        assert_eq!(find("10.1.3.0"), Some(2));
        assert_eq!(find("10.200.0.0"), Some(1));
        assert_eq!(find("11.0.0.0"), Some(0));
        assert_eq!(find("255.255.255.255"), Some(7));
        assert_eq!(find("::ffff:10.1.2.3"), Some(3));
        assert_eq!(find("fd12::1"), Some(4));
        assert_eq!(find("fd00::7"), Some(6));
        assert_eq!(find("fd00::8"), Some(4));
        assert_eq!(find("fe80::1"), None);
        assert_eq!(Longest::new([]).find("10.0.0.1".parse().unwrap()), None);
        let all = Longest::new([("::/0".parse().unwrap(), 1), ("0.0.0.0/0".parse().unwrap(), 2)]);
        assert_eq!(all.find("10.0.0.1".parse().unwrap()), Some(2));
        let all = Longest::new([("::/0".parse().unwrap(), 1)]);
        assert_eq!(all.find("10.0.0.1".parse().unwrap()), Some(1));
    }

    #[test]
    fn a_million_clients_take_little_room_and_are_all_found() {
        // Every second address, so that each client takes a range of its own and one behind it.
        let addr = |index: u32| Ipv4Addr::from(0x0a00_0000 + 2 * index);
        let networks = (0..1_000_000).map(|index| (IpNet::V4(Ipv4Net::new_assert(addr(index), 32)), index));
        let table = Longest::new(networks);
        assert!(table.size_bytes() < 20 << 20, "{}", table.size_bytes());
        for index in (0..1_000_000).step_by(997) {
            assert_eq!(table.find(addr(index).into()), Some(index));
            let between = u32::from(addr(index)) + 1;
            assert_eq!(table.find(Ipv4Addr::from(between).into()), None);
        }
    }

    proptest! {
        #[test]
        fn looking_up_agrees_with_trying_every_network(
            v4 in proptest::collection::vec((0u32..=0xff, 24u8..=32), 0..40),
            v6 in proptest::collection::vec((0u128..=0xff, any::<bool>(), 0u8..=8), 0..40),
            at4 in 0u32..=0xff,
            at6 in (0u128..=0xff, 0u128..=0xff),
        ) {
            // Crowded corners, so that networks nest and touch: of IPv4, of IPv6 networks and of IPv6 hosts.
            let base4 = 0x0a00_0000u32;
            let base6 = 0xfd00_0000_0000_0000_0000_0000_0000_0000u128;
            let v4 = v4.iter().map(|&(host, bits)| {
                IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::from(base4 + host), bits).trunc())
            });
            let v6 = v6.iter().map(|&(number, host, bits)| {
                let (shift, bits) = if host { (0, 120 + bits) } else { (64, 56 + bits) };
                IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::from(base6 + (number << shift)), bits).trunc())
            });
            let networks: Vec<(IpNet, u32)> = v4.chain(v6).zip(0..).collect();
            let fast = Longest::new(networks.clone());
            let slow = Prefixes::new(networks);
            for addr in [
                IpAddr::from(Ipv4Addr::from(base4 + at4)),
                Ipv6Addr::from(base6 + (at6.0 << 64) + at6.1).into(),
                Ipv6Addr::from(base6 + at6.1).into(),
            ] {
                prop_assert_eq!(fast.find(addr), slow.longest(addr));
            }
        }
    }
}
