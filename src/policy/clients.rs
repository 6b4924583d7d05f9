//! Who asks: from an address to a client and its profile; and the networks that rules and the access list are about.
//!
//! In: the settings' clients. Out: [`Clients`], some forty bytes each; [`Prefixes`].
//! Always: the longest prefix wins; an IPv4-mapped IPv6 address (RFC 4291 §2.5.5.2) counts as the IPv4 address it holds.

use super::hosts::{Hosts4, Hosts6};
use super::longest::Longest;
use super::{ClientId, ProfileId};
use crate::config::settings::ClientSettings;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The clients of the settings, in columns: a million of them are looked up by every query.
#[derive(Debug, Default)]
pub struct Clients {
    /// Who may ask at all.
    access: Longest,
    /// Those of one address each that may ask.
    hosts4: Hosts4,
    /// The same for IPv6 networks of 64 bits.
    hosts6: Hosts6,
    /// The other networks.
    networks: Longest,
    /// By client: its profile, or [`NO_PROFILE`].
    profiles: Box<[u16]>,
    /// All names, one behind the other, and where each ends.
    names: Box<str>,
    ends: Box<[u32]>,
    /// By client: its tags, of which there are few different sets.
    tags: Box<[u32]>,
    tag_sets: Vec<Vec<String>>,
}

/// There are fewer profiles.
const NO_PROFILE: u16 = u16::MAX;

fn of(profile: u16) -> Option<ProfileId> {
    (profile != NO_PROFILE).then_some(ProfileId(profile))
}

/// Who is at an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// Somebody who may not ask.
    Refused,
    /// Somebody whom the settings do not name.
    Nobody,
    Client(ClientId, Option<ProfileId>),
}

/// A client as rules ask about it.
#[derive(Debug, Clone, Copy)]
pub struct Client<'c> {
    pub name: &'c str,
    pub tags: &'c [String],
}

impl Clients {
    /// `access`: who may ask at all. `profile`: whom the profile of this name is, `None` where nobody is filtered.
    pub fn new<E>(
        clients: &[ClientSettings],
        access: impl IntoIterator<Item = IpNet>,
        profile: impl Fn(&ClientSettings) -> Result<Option<ProfileId>, E>,
    ) -> Result<Clients, E> {
        let access = Longest::new(access.into_iter().map(|network| (network, 0)));
        let mut sets: HashMap<&[String], u32> = HashMap::new();
        let mut tag_sets = Vec::new();
        let (mut names, mut ends) = (String::new(), Vec::with_capacity(clients.len()));
        let (mut profiles, mut tags) = (Vec::with_capacity(clients.len()), Vec::with_capacity(clients.len()));
        for client in clients {
            names.push_str(&client.name);
            // Settings of four gigabytes are not read.
            ends.push(names.len() as u32);
            profiles.push(profile(client)?.map_or(NO_PROFILE, |id| id.0));
            tags.push(*sets.entry(&client.tags).or_insert_with(|| {
                tag_sets.push(client.tags.clone());
                tag_sets.len() as u32 - 1
            }));
        }
        let all = || {
            let ids = clients.iter().zip(0u32..);
            ids.flat_map(|(client, id)| client.networks.iter().map(move |network| (*network, id)))
        };
        // Within a network of 64 bits a client may have a longer one only if none of them is looked up by itself.
        let longer =
            all().any(|(network, _)| matches!(network, IpNet::V6(v6) if v6.prefix_len() > 64 && mapped(v6).is_none()));
        let (mut hosts4, mut hosts6, mut networks) = (Vec::new(), Vec::new(), Vec::new());
        for (network, id) in all() {
            let profile = of(profiles[id as usize]);
            match single(network) {
                Some(Single::V4(addr)) if access.find(addr.into()).is_some() => {
                    hosts4.push((u32::from(addr), ClientId(id), profile));
                }
                Some(Single::V6(first)) if !longer && access.holds_half(first) => {
                    hosts6.push(((u128::from(first) >> 64) as u64, ClientId(id), profile));
                }
                _ => networks.push((network, id)),
            }
        }
        Ok(Clients {
            access,
            hosts4: Hosts4::new(&hosts4),
            hosts6: Hosts6::new(&hosts6),
            networks: Longest::new(networks),
            profiles: profiles.into(),
            names: names.into(),
            ends: ends.into(),
            tags: tags.into(),
            tag_sets,
        })
    }

    /// Who is at this address.
    #[inline]
    pub fn find(&self, addr: IpAddr) -> Who {
        let addr = addr.to_canonical();
        let own = match addr {
            IpAddr::V4(addr) => self.hosts4.find(addr.into()),
            IpAddr::V6(addr) => self.hosts6.find((u128::from(addr) >> 64) as u64),
        };
        if let Some((client, profile)) = own {
            return Who::Client(client, profile);
        }
        if !self.may_ask(addr) {
            return Who::Refused;
        }
        match self.networks.find(addr) {
            Some(id) => Who::Client(ClientId(id), self.profiles.get(id as usize).copied().and_then(of)),
            None => Who::Nobody,
        }
    }

    /// Whether somebody at this address may ask at all.
    pub fn may_ask(&self, addr: IpAddr) -> bool {
        self.access.find(addr).is_some()
    }

    /// Brings near what [`find`](Clients::find) will look at for clients of one address. What it returns means nothing.
    #[inline]
    pub fn touch(&self, addr: IpAddr) -> u64 {
        match addr.to_canonical() {
            IpAddr::V4(addr) => self.hosts4.touch(addr.into()),
            IpAddr::V6(addr) => self.hosts6.touch((u128::from(addr) >> 64) as u64),
        }
    }

    /// What rules ask of a client.
    pub fn get(&self, ClientId(id): ClientId) -> Option<Client<'_>> {
        let id = id as usize;
        let start = id.checked_sub(1).map_or(0, |before| self.ends[before] as usize);
        Some(Client {
            name: self.names.get(start..*self.ends.get(id)? as usize)?,
            tags: self.tag_sets.get(*self.tags.get(id)? as usize)?,
        })
    }

    /// Bytes it takes.
    pub fn size_bytes(&self) -> usize {
        let found = self.hosts4.size_bytes() + self.hosts6.size_bytes() + self.networks.size_bytes();
        found + self.names.len() + 10 * self.profiles.len()
    }
}

/// A network that is one client's address as a rule.
enum Single {
    V4(Ipv4Addr),
    /// The first address of 64 bits.
    V6(Ipv6Addr),
}

fn single(network: IpNet) -> Option<Single> {
    match network {
        IpNet::V4(v4) => (v4.prefix_len() == 32).then(|| Single::V4(v4.addr())),
        IpNet::V6(v6) => match mapped(v6) {
            Some(addr) => (v6.prefix_len() == 128).then_some(Single::V4(addr)),
            // The first network of all holds the IPv4 addresses, too.
            None => {
                let alone = v6.prefix_len() == 64 && v6.network() != Ipv6Addr::UNSPECIFIED;
                alone.then(|| Single::V6(v6.network()))
            }
        },
    }
}

/// The IPv4 address that an IPv6 network begins with, if all of it is IPv4.
fn mapped(network: Ipv6Net) -> Option<Ipv4Addr> {
    network
        .network()
        .to_ipv4_mapped()
        .filter(|_| network.prefix_len() >= 96)
}

/// Networks with a value each; finds all that hold an address. For thousands of networks, not for millions: `Longest` is.
#[derive(Debug, Clone, Default)]
pub struct Prefixes<T> {
    /// Sorted by first address, then shortest prefix first, so that a network follows those that hold it.
    rows: Vec<Row<T>>,
}

#[derive(Debug, Clone)]
struct Row<T> {
    /// First and last address, IPv4 as IPv4-mapped IPv6.
    first: u128,
    last: u128,
    /// The row of the smallest network that holds this one.
    parent: Option<u32>,
    value: T,
}

impl<T: Copy> Prefixes<T> {
    /// Of equal networks the first one counts.
    pub fn new(networks: impl IntoIterator<Item = (IpNet, T)>) -> Prefixes<T> {
        let mut rows: Vec<Row<T>> = networks
            .into_iter()
            .map(|(network, value)| {
                let (first, last) = bounds(&network);
                Row {
                    first,
                    last,
                    parent: None,
                    value,
                }
            })
            .collect();
        rows.sort_by_key(|row| (row.first, std::cmp::Reverse(row.last)));
        rows.dedup_by_key(|row| (row.first, row.last));
        let mut open: Vec<u32> = Vec::new();
        for index in 0..rows.len() {
            while open
                .last()
                .is_some_and(|&at| rows[at as usize].last < rows[index].first)
            {
                open.pop();
            }
            rows[index].parent = open.last().copied();
            open.push(index as u32);
        }
        Prefixes { rows }
    }

    /// The values of the networks that hold the address, longest prefix first.
    pub fn all(&self, addr: IpAddr) -> impl Iterator<Item = T> + '_ {
        let number = number(addr);
        let mut at = self.rows.partition_point(|row| row.first <= number).checked_sub(1);
        std::iter::from_fn(move || {
            while let Some(index) = at {
                let row = &self.rows[index];
                at = row.parent.map(|parent| parent as usize);
                if number <= row.last {
                    return Some(row.value);
                }
            }
            None
        })
    }

    /// The value of the longest network that holds the address.
    #[cfg(test)]
    pub fn longest(&self, addr: IpAddr) -> Option<T> {
        self.all(addr).next()
    }
}

fn number(addr: IpAddr) -> u128 {
    match addr {
        IpAddr::V4(v4) => u128::from(v4.to_ipv6_mapped()),
        IpAddr::V6(v6) => u128::from(v6),
    }
}

fn bounds(network: &IpNet) -> (u128, u128) {
    match network {
        IpNet::V4(v4) => (number(v4.network().into()), number(v4.broadcast().into())),
        IpNet::V6(v6) => (u128::from(v6.network()), u128::from(v6.broadcast())),
    }
}

/// Who may ask where the settings do not say, beside directly connected networks: loopback, private and link-local
/// addresses (RFC 1122 §3.2.1.3, RFC 1918, RFC 3927, RFC 4193, RFC 4291 §2.5.3 and §2.5.6).
pub fn default_access() -> Vec<IpNet> {
    let v4 = |a, b, c, d, prefix| IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix));
    let v6 = |first, prefix| IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::new(first, 0, 0, 0, 0, 0, 0, 0), prefix));
    vec![
        v4(127, 0, 0, 0, 8),
        v4(10, 0, 0, 0, 8),
        v4(172, 16, 0, 0, 12),
        v4(192, 168, 0, 0, 16),
        v4(169, 254, 0, 0, 16),
        v6(0xfc00, 7),
        v6(0xfe80, 10),
        IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::LOCALHOST, 128)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn prefixes(of: &[&str]) -> Prefixes<usize> {
        Prefixes::new(
            of.iter()
                .enumerate()
                .map(|(index, text)| (text.parse().unwrap(), index)),
        )
    }

    #[test]
    fn the_longest_prefix_wins_and_mapped_addresses_count_as_ipv4() {
        let table = prefixes(&[
            "0.0.0.0/0",
            "10.0.0.0/8",
            "10.1.0.0/16",
            "10.1.2.3/32",
            "fd00::/8",
            "10.1.2.0/24",
        ]);
        let find = |text: &str| table.longest(text.parse().unwrap());
        assert_eq!(find("10.1.2.3"), Some(3));
        assert_eq!(find("10.1.2.4"), Some(5));
        assert_eq!(find("10.1.3.0"), Some(2));
        assert_eq!(find("10.200.0.0"), Some(1));
        assert_eq!(find("11.0.0.0"), Some(0));
        assert_eq!(find("::ffff:10.1.2.3"), Some(3));
        assert_eq!(find("fd12::1"), Some(4));
        assert_eq!(find("fe80::1"), None);
        let all: Vec<usize> = table.all("10.1.2.3".parse().unwrap()).collect();
        assert_eq!(all, [3, 5, 2, 1, 0]);
        assert_eq!(prefixes(&[]).longest("10.0.0.1".parse().unwrap()), None);
    }

    #[test]
    fn clients_keep_name_tags_and_profile_in_few_bytes() {
        let client = |index: u32, tags: &[&str]| ClientSettings {
            name: format!("client-{index}"),
            tags: tags.iter().map(|tag| tag.to_string()).collect(),
            networks: vec![IpNet::from(IpAddr::from(Ipv4Addr::from(0x0a00_0000 + 2 * index)))],
            profile: (index % 1000).to_string(),
            person: None,
        };
        let mut clients: Vec<ClientSettings> = (0..100_000).map(|index| client(index, &[])).collect();
        clients[7].tags = vec!["device_phone".to_owned()];
        let everybody = ["0.0.0.0/0".parse().unwrap()];
        let clients = Clients::new(&clients, everybody, |client| {
            let profile: u16 = client.profile.parse()?;
            Ok::<_, std::num::ParseIntError>((profile != 999).then_some(ProfileId(profile)))
        });
        let clients = clients.unwrap();
        for index in [0, 7, 998, 999, 99_999u32] {
            let addr = Ipv4Addr::from(0x0a00_0000 + 2 * index);
            let profile = Some(ProfileId((index % 1000) as u16)).filter(|id| id.0 != 999);
            assert_eq!(clients.find(addr.into()), Who::Client(ClientId(index), profile));
            let found = clients.get(ClientId(index)).unwrap();
            assert_eq!(found.name, format!("client-{index}"));
            assert_eq!(found.tags.len(), usize::from(index == 7));
        }
        assert!(clients.get(ClientId(100_000)).is_none());
        assert!(clients.size_bytes() < 64 * 100_000, "{}", clients.size_bytes());
    }

    #[test]
    fn a_client_of_all_that_is_mapped_is_found_by_ipv4_addresses_and_by_its_own() {
        let client = |network: &str| ClientSettings {
            name: network.to_owned(),
            tags: Vec::new(),
            networks: vec![network.parse().unwrap()],
            profile: String::new(),
            person: None,
        };
        let clients = [client("::/64"), client("::ffff:10.0.0.1/128"), client("fd00::/64")];
        let everybody = ["::/0".parse().unwrap()];
        let clients = Clients::new(&clients, everybody, |_| Ok::<_, ()>(None)).unwrap();
        let find = |addr: &str| clients.find(addr.parse().unwrap());
        assert_eq!(find("192.0.2.1"), Who::Client(ClientId(0), None));
        assert_eq!(find("10.0.0.1"), Who::Client(ClientId(1), None));
        assert_eq!(find("::ffff:10.0.0.1"), Who::Client(ClientId(1), None));
        assert_eq!(find("::7"), Who::Client(ClientId(0), None));
        assert_eq!(find("fd00::7"), Who::Client(ClientId(2), None));
        assert_eq!(find("fd00:0:0:1::7"), Who::Nobody);
    }

    proptest! {
        /// Addresses of their own, networks around them, networks of IPv6 within others, and who may not ask.
        #[test]
        fn who_is_at_an_address_is_whom_the_longest_network_names(
            v4 in proptest::collection::vec((0u32..=0x1f, 28u8..=32), 0..20),
            v6 in proptest::collection::vec((0u128..=3, 0u128..=3, 62u8..=64, any::<bool>()), 0..10),
            longer in any::<bool>(),
            access in proptest::collection::vec((0u32..=0x1f, 28u8..=32), 0..4),
            access6 in (0u128..=3, 62u8..=66),
        ) {
            let at4 = |host: u32| Ipv4Addr::from(0x0a00_0000 + host);
            let at6 = |half: u128, host: u128| Ipv6Addr::from((0xfd00_0000_0000_0000 + half) << 64 | host);
            let net4 = |host, bits| IpNet::V4(Ipv4Net::new_assert(at4(host), bits).trunc());
            let net6 = |half, host, bits| IpNet::V6(Ipv6Net::new_assert(at6(half, host), bits).trunc());
            let mut networks: Vec<IpNet> = v4.iter().map(|&(host, bits)| net4(host, bits)).collect();
            networks.extend(v6.iter().map(|&(half, host, bits, single)| {
                net6(half, host, if single && longer { 128 } else { bits })
            }));
            let clients: Vec<ClientSettings> = networks
                .iter()
                .map(|network| ClientSettings {
                    name: String::new(),
                    tags: Vec::new(),
                    networks: vec![*network],
                    profile: String::new(),
            person: None,
                })
                .collect();
            let mut may: Vec<IpNet> = access.iter().map(|&(host, bits)| net4(host, bits)).collect();
            may.push(net6(access6.0, 0, access6.1));
            let fast = Clients::new(&clients, may.clone(), |_| Ok::<_, ()>(Some(ProfileId(3)))).unwrap();
            let slow = Prefixes::new(networks.into_iter().zip(0u32..));
            let asked = (0..0x20).map(|host| IpAddr::from(at4(host)));
            let asked = asked.chain((0..4).flat_map(|half| (0..4).map(move |host| at6(half, host).into())));
            for addr in asked {
                let who = match (may.iter().any(|network| network.contains(&addr)), slow.longest(addr)) {
                    (false, _) => Who::Refused,
                    (true, None) => Who::Nobody,
                    (true, Some(id)) => Who::Client(ClientId(id), Some(ProfileId(3))),
                };
                prop_assert_eq!(fast.find(addr), who, "{}", addr);
            }
        }

        #[test]
        fn looking_up_agrees_with_trying_every_network(
            networks in proptest::collection::vec((0u32..=0xff, 24u8..=32), 0..20),
            addr in 0u32..=0xff,
        ) {
            // A crowded corner of 10.0.0.0/24, so that networks nest and touch.
            let base = 0x0a00_0000u32;
            let networks: Vec<IpNet> = networks
                .iter()
                .map(|&(host, prefix)| IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::from(base + host), prefix).trunc()))
                .collect();
            let addr = IpAddr::V4(Ipv4Addr::from(base + addr));
            let table = Prefixes::new(networks.iter().map(|&network| (network, network.prefix_len())));
            let slow = networks.iter().filter(|network| network.contains(&addr)).map(|network| network.prefix_len()).max();
            prop_assert_eq!(table.longest(addr), slow);
        }
    }
}
