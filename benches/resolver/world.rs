//! The simulated internet: which zones there are, who serves them, and what they hold.
//!
//! In: a seed. Out: for any name the zones from the root down to it, their servers, and their records.
//! Always: everything is computed from the seed and the name, nothing is stored, so that the authorities and whoever compares
//! answers with what the zones say know the same internet in two processes.

use hickory_proto::rr::rdata::{A, CNAME, NS, SOA};
use hickory_proto::rr::{Name, RData, RecordType};
use std::net::Ipv4Addr;

/// Second-level zones that names are asked in.
const SITES: u64 = 40_000;
const TLDS: u64 = 20;
/// Companies whose servers many zones share.
const HOSTS: u64 = 150;
/// Servers of zones that have their own.
const POOL: u64 = 1000;
/// Servers of the root, and of each TLD; one of them is bad.
const REGISTRY_SERVERS: u64 = 5;
/// Zones of each kind made for one test; each round has its own.
const SPECIALS: u64 = 16;
/// Name servers in the referral of the NXNS attack.
const NXNS_SERVERS: u64 = 50;

/// How a server behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Temper {
    Good,
    Silent,
    Refused,
    Servfail,
    /// Refers everybody to the root.
    Lame,
    /// Says truncated to every query over UDP; answers over TCP.
    Truncates,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Zone {
    Root,
    Tld(u64),
    /// A company's zone, which holds the addresses of its servers.
    Host(u64),
    /// A zone with names that people ask for.
    Site(u64),
    /// Every name in it exists; its servers are always well.
    Big(u64),
    /// Its servers never answer.
    Silent(u64),
    /// Its servers always say SERVFAIL.
    Broken(u64),
    /// Its servers never answer; the one that is flooded.
    Dead(u64),
    /// Whose subdomains are all delegated to names in the victim's zone.
    Attacker(u64),
    /// A subdomain of the attacker's.
    Trap(u64),
    Victim(u64),
}

/// A name server: its name, and its address where there is one.
pub struct Server {
    pub name: String,
    pub address: Option<Ipv4Addr>,
}

/// A question that a client asks, and what is right.
#[derive(Debug, Clone)]
pub struct Asked {
    pub name: String,
    pub right: Right,
    /// Every zone it takes has at least one server that works.
    pub answerable: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Right {
    NxDomain,
    Address(Ipv4Addr),
    /// Nobody looks at it.
    Anything,
}

#[derive(Clone, Copy)]
pub struct World {
    pub seed: u64,
}

impl World {
    /// A number for `kind` and `number` that looks random (SplitMix64).
    fn hash(&self, kind: u64, number: u64) -> u64 {
        let mut x = self.seed ^ kind.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ number.wrapping_mul(0xd1b5_4a32_d192_ed03);
        for _ in 0..2 {
            x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
            x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            x ^= x >> 31;
        }
        x
    }

    /// The TLD that a second-level zone is in.
    fn tld(&self, zone: Zone) -> u64 {
        let (kind, number) = match zone {
            Zone::Host(number) => (1, number),
            Zone::Site(number) => (2, number),
            Zone::Big(number) => (3, number),
            Zone::Silent(number) => (4, number),
            Zone::Broken(number) => (5, number),
            Zone::Dead(number) => (6, number),
            Zone::Attacker(number) => (7, number),
            Zone::Victim(number) => (8, number),
            Zone::Root | Zone::Tld(_) | Zone::Trap(_) => unreachable!("not at the second level"),
        };
        self.hash(kind, number) % TLDS
    }

    /// The name of a zone, with a final dot.
    pub fn apex(&self, zone: Zone) -> String {
        let label = match zone {
            Zone::Root => return ".".to_owned(),
            Zone::Tld(number) => return format!("t{number}."),
            Zone::Host(number) => format!("host{number}"),
            Zone::Site(number) => format!("site{number}"),
            Zone::Big(number) => format!("big{number}"),
            Zone::Silent(number) => format!("silent{number}"),
            Zone::Broken(number) => format!("broken{number}"),
            Zone::Dead(number) => format!("dead{number}"),
            Zone::Attacker(number) => format!("attacker{number}"),
            Zone::Victim(number) => format!("victim{number}"),
            Zone::Trap(_) => unreachable!("any label below the attacker's"),
        };
        format!("{label}.t{}.", self.tld(zone))
    }

    /// The zones on the way to `labels` (a name's, lower case, leftmost first), the root first, each with how many of the labels
    /// are its apex.
    pub fn chain(&self, labels: &[String]) -> Vec<(Zone, usize)> {
        let mut chain = vec![(Zone::Root, 0)];
        let mut down = labels.iter().rev();
        let numbered = |label: &str, word: &str, end: u64| {
            let number: u64 = label.strip_prefix(word)?.parse().ok()?;
            (number < end).then_some(number)
        };
        let Some(tld) = down.next().and_then(|label| numbered(label, "t", TLDS)) else {
            return chain;
        };
        chain.push((Zone::Tld(tld), 1));
        let Some(label) = down.next() else { return chain };
        let second = [
            numbered(label, "host", HOSTS).map(Zone::Host),
            numbered(label, "site", SITES).map(Zone::Site),
            numbered(label, "big", SPECIALS).map(Zone::Big),
            numbered(label, "silent", SPECIALS).map(Zone::Silent),
            numbered(label, "broken", SPECIALS).map(Zone::Broken),
            numbered(label, "dead", SPECIALS).map(Zone::Dead),
            numbered(label, "attacker", SPECIALS).map(Zone::Attacker),
            numbered(label, "victim", SPECIALS).map(Zone::Victim),
        ];
        let there = |zone: &Zone| self.tld(*zone) == tld;
        if let Some(zone) = second.into_iter().flatten().find(there) {
            chain.push((zone, 2));
            if let (Zone::Attacker(number), Some(_)) = (zone, down.next()) {
                chain.push((Zone::Trap(number), 3));
            }
        }
        chain
    }

    /// Who serves a zone. `apex` is its name; of use only where labels may be anything.
    pub fn servers(&self, zone: Zone, apex: &str) -> Vec<Server> {
        let server = |name: String, address: [u8; 4]| Server {
            name,
            address: Some(address.into()),
        };
        let pair = |net: u8, number: u64| {
            let one = |last: u8| server(format!("ns{last}.{}", self.apex(zone)), [127, net, number as u8, last]);
            vec![one(1), one(2)]
        };
        match zone {
            Zone::Root => (1..=REGISTRY_SERVERS)
                .map(|at| server(format!("ns{at}.roots."), [127, 1, 0, at as u8]))
                .collect(),
            Zone::Tld(tld) => (1..=REGISTRY_SERVERS)
                .map(|at| server(format!("ns{at}.nic.t{tld}."), [127, 2, tld as u8, at as u8]))
                .collect(),
            Zone::Host(number) => (1..=4).map(|at| self.host_server(number, at)).collect(),
            Zone::Site(number) => self.site_servers(number),
            Zone::Big(number) => pair(10, number),
            Zone::Silent(number) => pair(11, number),
            Zone::Broken(number) => pair(12, number),
            Zone::Dead(number) => pair(13, number),
            Zone::Attacker(number) => pair(14, number),
            Zone::Victim(number) => pair(15, number),
            Zone::Trap(number) => (0..NXNS_SERVERS)
                .map(|at| Server {
                    // Other names for every trap, so that nothing known of one helps with the next.
                    name: format!(
                        "{at}-{}.{}",
                        apex.split('.').next().unwrap_or_default(),
                        self.apex(Zone::Victim(number))
                    ),
                    address: None,
                })
                .collect(),
        }
    }

    fn host_server(&self, host: u64, at: u64) -> Server {
        Server {
            name: format!("ns{at}.{}", self.apex(Zone::Host(host))),
            address: Some([127, 3, host as u8, at as u8].into()),
        }
    }

    /// Two to four servers: of one company, of two, or the zone's own.
    fn site_servers(&self, site: u64) -> Vec<Server> {
        let random = self.hash(20, site);
        let count = 2 + random % 3;
        let host = |salt: u64| self.hash(21 + salt, site) % HOSTS;
        match (random >> 8) % 10 {
            0..=4 => (1..=count).map(|at| self.host_server(host(0), at)).collect(),
            5..=6 => (1..=count).map(|at| self.host_server(host(at % 2), at)).collect(),
            _ => (1..=count)
                .map(|at| {
                    let machine = self.hash(30 + at, site) % POOL;
                    Server {
                        name: format!("ns{at}.{}", self.apex(Zone::Site(site))),
                        address: Some([127, 4, (machine / 250) as u8, (machine % 250 + 1) as u8].into()),
                    }
                })
                .collect(),
        }
    }

    /// Every address that somebody serves at.
    pub fn addresses(&self) -> Vec<Ipv4Addr> {
        let mut zones = vec![Zone::Root];
        zones.extend((0..TLDS).map(Zone::Tld));
        zones.extend((0..HOSTS).map(Zone::Host));
        for number in 0..SPECIALS {
            zones.extend([
                Zone::Big(number),
                Zone::Silent(number),
                Zone::Broken(number),
                Zone::Dead(number),
                Zone::Attacker(number),
                Zone::Victim(number),
            ]);
        }
        let pool = (0..POOL).map(|machine| Ipv4Addr::new(127, 4, (machine / 250) as u8, (machine % 250 + 1) as u8));
        zones
            .into_iter()
            .flat_map(|zone| self.servers(zone, ""))
            .filter_map(|server| server.address)
            .chain(pool)
            .collect()
    }

    /// One server in five is bad, each in its own way.
    pub fn temper(&self, address: Ipv4Addr) -> Temper {
        let [_, net, third, last] = address.octets();
        let bad = match net {
            1 | 2 => u64::from(last) == 1 + self.hash(40, u64::from(net) << 8 | u64::from(third)) % REGISTRY_SERVERS,
            3 | 4 => self.hash(41, u64::from(address.to_bits())).is_multiple_of(5),
            11 | 13 => return Temper::Silent,
            12 => return Temper::Servfail,
            _ => false,
        };
        match self.hash(42, u64::from(address.to_bits())) % 5 {
            _ if !bad => Temper::Good,
            0 => Temper::Silent,
            1 => Temper::Refused,
            2 => Temper::Servfail,
            3 => Temper::Lame,
            _ => Temper::Truncates,
        }
    }

    /// The time of a server's answers without jitter, in milliseconds: 10 to 150.
    pub fn delay_ms(&self, address: Ipv4Addr) -> u64 {
        10 + self.hash(43, u64::from(address.to_bits())) % 141
    }

    pub fn is_signed(&self, zone: Zone) -> bool {
        match zone {
            Zone::Root | Zone::Tld(_) => true,
            Zone::Site(number) => number % 10 < 3,
            _ => false,
        }
    }

    /// A zone some server of which gives right answers. A company's server that works serves the company's zone as well.
    fn works(&self, zone: Zone) -> bool {
        let right = |server: &Server| {
            server
                .address
                .is_some_and(|address| matches!(self.temper(address), Temper::Good | Temper::Truncates))
        };
        self.servers(zone, "").iter().any(right)
    }

    /// How the servers of each zone on the way to a name behave, for people.
    pub fn tempers(&self, name: &str) -> String {
        let labels: Vec<String> = name.trim_end_matches('.').split('.').map(str::to_owned).collect();
        let chain = self.chain(&labels).into_iter().map(|(zone, _)| {
            let servers = self.servers(zone, "").into_iter();
            let tempers = servers.filter_map(|server| Some((self.temper(server.address?), server.name)));
            format!("{zone:?} {:?}", tempers.collect::<Vec<_>>())
        });
        chain.collect::<Vec<_>>().join(", ")
    }

    /// The `number`th of the names people ask for: mostly hosts, some aliases across zones, some below empty non-terminals, some
    /// that are not there.
    pub fn asked(&self, number: u64) -> Asked {
        let zone = Zone::Site(number % SITES);
        let apex = self.apex(zone);
        let name = match self.hash(50, number) % 20 {
            // Denials of signed zones would need whole chains.
            0 if !self.is_signed(zone) => {
                return Asked {
                    name: format!("none.{apex}"),
                    right: Right::NxDomain,
                    answerable: self.works(zone),
                };
            }
            1 | 2 => {
                let target = self.alias(number % SITES);
                return Asked {
                    name: format!("alias.{apex}"),
                    right: Right::Address(self.data(&format!("www.{}", self.apex(target)))),
                    answerable: self.works(zone) && self.works(target),
                };
            }
            3 => format!("a.b.c.{apex}"),
            4 | 5 => apex,
            _ => format!("www.{apex}"),
        };
        Asked {
            right: Right::Address(self.data(&name)),
            name,
            answerable: self.works(zone),
        }
    }

    /// The host of the `number`th signed zone.
    pub fn asked_signed(&self, number: u64) -> Asked {
        let name = format!("www.{}", self.apex(Zone::Site(number / 3 * 10 + number % 3)));
        Asked {
            right: Right::Address(self.data(&name)),
            name,
            answerable: true,
        }
    }

    /// The `number`th name of a zone whose every name exists.
    pub fn asked_big(&self, zone: u64, number: u64) -> Asked {
        let name = format!("name{number}.{}", self.apex(Zone::Big(zone)));
        Asked {
            right: Right::Address(self.data(&name)),
            name,
            answerable: true,
        }
    }

    fn alias(&self, site: u64) -> Zone {
        Zone::Site(self.hash(51, site) % SITES)
    }

    /// The address of a host, a made-up public one.
    fn data(&self, owner: &str) -> Ipv4Addr {
        let mixed = owner.bytes().fold(7, |mixed, byte| self.hash(mixed, u64::from(byte)));
        Ipv4Addr::from_bits(20 << 24 | (mixed & 0x00ff_ffff) as u32)
    }

    /// The types at a name of a zone, its own labels leftmost first; none is an empty non-terminal, `None` no name at all.
    pub fn types(&self, zone: Zone, own: &[String]) -> Option<Vec<RecordType>> {
        let own: Vec<&str> = own.iter().map(String::as_str).collect();
        let mut types = match (zone, own.as_slice()) {
            (_, []) => vec![RecordType::NS, RecordType::SOA],
            (Zone::Root, ["roots"]) | (Zone::Tld(_), ["nic"]) => return Some(Vec::new()),
            (Zone::Root, [server, "roots"]) | (Zone::Tld(_), [server, "nic"]) if server.starts_with("ns") => {
                vec![RecordType::A]
            }
            (Zone::Site(_), ["www"] | ["a", "b", "c"]) => vec![RecordType::A],
            (Zone::Site(_), ["b", "c"] | ["c"]) => return Some(Vec::new()),
            (Zone::Site(_), ["alias"]) => vec![RecordType::CNAME],
            (Zone::Victim(_), [server]) if server.starts_with("ns") => vec![RecordType::A],
            (Zone::Big(_) | Zone::Silent(_) | Zone::Broken(_) | Zone::Dead(_) | Zone::Attacker(_), [_]) => {
                vec![RecordType::A]
            }
            (Zone::Host(_) | Zone::Site(_), [server]) => {
                let full = format!("{server}.{}", self.apex(zone));
                if self.servers(zone, "").iter().all(|server| server.name != full) {
                    return None;
                }
                vec![RecordType::A]
            }
            _ => return None,
        };
        if own.is_empty() {
            if matches!(zone, Zone::Site(_)) {
                types.push(RecordType::A);
            }
            if self.is_signed(zone) {
                types.push(RecordType::DNSKEY);
            }
        }
        Some(types)
    }

    /// The data of `rtype` at `owner` (text, with a final dot), which [`types`](World::types) says is there; DNSKEY apart.
    pub fn rdata(&self, zone: Zone, owner: &str, rtype: RecordType) -> Vec<RData> {
        let name = |text: &str| Name::from_ascii(text).expect("names of this internet are names");
        match rtype {
            RecordType::NS => self
                .servers(zone, owner)
                .iter()
                .map(|server| RData::NS(NS(name(&server.name))))
                .collect(),
            RecordType::SOA => vec![RData::SOA(SOA::new(
                name(&self.servers(zone, owner)[0].name),
                name(&format!("hostmaster.{}", owner.trim_start_matches('.'))),
                1,
                3600,
                600,
                86_400,
                300,
            ))],
            RecordType::CNAME => {
                let Zone::Site(number) = zone else {
                    unreachable!("aliases are in sites")
                };
                vec![RData::CNAME(CNAME(name(&format!(
                    "www.{}",
                    self.apex(self.alias(number))
                ))))]
            }
            RecordType::A => {
                let apex = self.apex(zone);
                let servers = self.servers(zone, &apex);
                let server = servers.iter().find(|server| server.name == owner);
                let address = server.and_then(|server| server.address);
                vec![RData::A(A(address.unwrap_or_else(|| self.data(owner))))]
            }
            _ => Vec::new(),
        }
    }
}
