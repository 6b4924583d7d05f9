//! Reads the tables that ship with the program: services, safe search, ways around the filter, what stays reachable.
//!
//! In: the text of a table. Out: typed rows in the order of the file, or the first line that is wrong.
//! Always: names are lower-case A-labels, at least two of them; rows ascend strictly, so nothing is there twice and a
//! look-up is a binary search. No files, no sockets.
//! Fails: as a whole. The tables are built in and tested, so a wrong line is the program's mistake, not a publisher's.

mod shipped;
mod table;
#[cfg(test)]
mod tests;

pub use shipped::Catalogue;
pub use table::{CatalogueError, Fault};

use ipnet::IpNet;
use std::net::IpAddr;
use table::Rows;

/// Online services, by id.
#[derive(Debug, Clone, Default)]
pub struct Services {
    services: Vec<Service>,
    /// Ids of groups with the places of their services, both ascending.
    groups: Vec<(String, Vec<usize>)>,
}

/// A service a parent would name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    pub id: String,
    pub name: String,
    pub group: String,
    /// In ascending order of name.
    pub domains: Vec<Domain>,
}

/// One name of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Domain {
    pub name: String,
    /// This name alone, not what is below it.
    pub exact: bool,
    /// Asked for while nobody uses the service, so it is no activity.
    pub background: bool,
    pub source: String,
}

impl Services {
    pub const FILE: &str = "services.tsv";

    pub fn parse(text: &str) -> Result<Services, CatalogueError> {
        const COLUMNS: &[&str] = &["service", "name", "group", "domain", "source", "background"];
        let mut services: Vec<Service> = Vec::new();
        for row in Rows::open(Self::FILE, text, COLUMNS)? {
            let row = row?;
            let [id, name, group, domain, source, background] = row.array()?;
            row.id(id)?;
            row.id(group)?;
            row.filled("name", name)?;
            row.filled("source", source)?;
            let bare = domain.strip_prefix('=').unwrap_or(domain);
            row.name(bare)?;
            let domain = Domain {
                name: bare.to_owned(),
                exact: bare.len() < domain.len(),
                background: row.word(&[("", false), ("background", true)], background)?,
                source: source.to_owned(),
            };
            match services.last_mut() {
                Some(last) if last.id == id => {
                    if last.name != name || last.group != group {
                        return Err(row.fault(Fault::Service(id.to_owned())));
                    }
                    row.ascends(
                        last.domains.last().map(|before| before.name.as_str()),
                        domain.name.as_str(),
                    )?;
                    last.domains.push(domain);
                }
                last => {
                    row.ascends(last.as_ref().map(|before| before.id.as_str()), id)?;
                    services.push(Service {
                        id: id.to_owned(),
                        name: name.to_owned(),
                        group: group.to_owned(),
                        domains: vec![domain],
                    });
                }
            }
        }
        Ok(Services::grouped(services))
    }

    /// `services`: ascending by id.
    fn grouped(services: Vec<Service>) -> Services {
        let mut groups: Vec<(String, Vec<usize>)> = Vec::new();
        for (place, service) in services.iter().enumerate() {
            match groups.binary_search_by(|(id, _)| id.as_str().cmp(&service.group)) {
                Ok(at) => groups[at].1.push(place),
                Err(at) => groups.insert(at, (service.group.clone(), vec![place])),
            }
        }
        Services { services, groups }
    }

    /// The group of search engines that no answer switches to a safe mode.
    pub const WITHOUT_SAFE_MODE: &str = "search-without-safe-mode";

    /// With each of these engines as a service of its own, `kagi-search`, all of them in one group. A name that is a service's already, or
    /// lies below one of its names, stays that service's too, so that whoever blocks the service blocks its search.
    pub fn with_search_engines(self, engines: &Names) -> Services {
        let mut services = self.services;
        let own = services.len();
        for (engine, name) in engines.iter() {
            let domain = Domain {
                name: name.to_owned(),
                exact: false,
                background: false,
                source: Names::WITHOUT_SAFE_MODE.to_owned(),
            };
            let above = |held: &Domain| {
                let rest = name.strip_suffix(held.name.as_str());
                rest.is_some_and(|rest| rest.ends_with('.') && !held.exact)
            };
            for service in &mut services[..own] {
                let known = service.domains.binary_search_by(|held| held.name.as_str().cmp(name));
                if let (Err(place), true) = (known, service.domains.iter().any(above)) {
                    service.domains.insert(place, domain.clone());
                }
            }
            let id = format!("{engine}-search");
            match services[own..].last_mut() {
                Some(last) if last.id == id => last.domains.push(domain),
                _ => services.push(Service {
                    id,
                    name: format!("{engine} (search)"),
                    group: Self::WITHOUT_SAFE_MODE.to_owned(),
                    domains: vec![domain],
                }),
            }
        }
        services.sort_by(|a, b| a.id.cmp(&b.id));
        Services::grouped(services)
    }

    pub fn get(&self, id: &str) -> Option<&Service> {
        let at = self
            .services
            .binary_search_by(|service| service.id.as_str().cmp(id))
            .ok()?;
        Some(&self.services[at])
    }

    /// The services of a group, by id; `None`: there is no such group.
    pub fn group(&self, id: &str) -> Option<impl Iterator<Item = &Service>> {
        let at = self.groups.binary_search_by(|(group, _)| group.as_str().cmp(id)).ok()?;
        Some(self.groups[at].1.iter().map(|&place| &self.services[place]))
    }

    pub fn groups(&self) -> impl Iterator<Item = &str> {
        self.groups.iter().map(|(id, _)| id.as_str())
    }

    pub fn iter(&self) -> impl Iterator<Item = &Service> {
        self.services.iter()
    }
}

/// How much a safe mode hides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mode {
    Moderate,
    Strict,
}

/// A host that is answered with another name, so that a search engine's safe mode is on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SafeHost {
    pub engine: String,
    pub mode: Mode,
    /// Matched exactly.
    pub host: String,
    /// Target of the CNAME.
    pub target: String,
    pub source: String,
}

/// Safe modes, by engine, mode and host.
#[derive(Debug, Clone, Default)]
pub struct SafeSearch(Vec<SafeHost>);

impl SafeSearch {
    pub const FILE: &str = "safesearch.tsv";

    pub fn parse(text: &str) -> Result<SafeSearch, CatalogueError> {
        const COLUMNS: &[&str] = &["engine", "mode", "host", "target", "source"];
        let mut hosts: Vec<SafeHost> = Vec::new();
        for row in Rows::open(Self::FILE, text, COLUMNS)? {
            let row = row?;
            let [engine, mode, host, target, source] = row.array()?;
            row.id(engine)?;
            row.name(host)?;
            row.name(target)?;
            row.filled("source", source)?;
            let mode = row.word(&[("moderate", Mode::Moderate), ("strict", Mode::Strict)], mode)?;
            let before = hosts
                .last()
                .map(|last| (last.engine.as_str(), last.mode, last.host.as_str()));
            row.ascends(before, (engine, mode, host))?;
            hosts.push(SafeHost {
                engine: engine.to_owned(),
                mode,
                host: host.to_owned(),
                target: target.to_owned(),
                source: source.to_owned(),
            });
        }
        Ok(SafeSearch(hosts))
    }

    /// The hosts of an engine in a mode; none: the engine is unknown or has no such mode.
    pub fn of(&self, engine: &str, mode: Mode) -> &[SafeHost] {
        let key = |host: &SafeHost| (host.engine.as_str().cmp(engine)).then(host.mode.cmp(&mode));
        let start = self.0.partition_point(|host| key(host).is_lt());
        let end = self.0.partition_point(|host| key(host).is_le());
        &self.0[start..end]
    }

    pub fn iter(&self) -> impl Iterator<Item = &SafeHost> {
        self.0.iter()
    }
}

/// What kind of way around the filter a name is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    Doh,
    Dot,
    Vpn,
    Proxy,
    Tor,
    Relay,
    /// Answered as its maker asks, not blocked.
    Canary,
}

impl Way {
    /// The word of the table.
    pub fn word(self) -> &'static str {
        match self {
            Way::Doh => "doh",
            Way::Dot => "dot",
            Way::Vpn => "vpn",
            Way::Proxy => "proxy",
            Way::Tor => "tor",
            Way::Relay => "relay",
            Way::Canary => "canary",
        }
    }
}

/// Ways around the filter, by name; each stands for itself and everything below it.
#[derive(Debug, Clone, Default)]
pub struct Bypass(Vec<(String, Way)>);

impl Bypass {
    pub const FILE: &str = "bypass.tsv";

    pub fn parse(text: &str) -> Result<Bypass, CatalogueError> {
        const WAYS: &[(&str, Way)] = &[
            ("doh", Way::Doh),
            ("dot", Way::Dot),
            ("vpn", Way::Vpn),
            ("proxy", Way::Proxy),
            ("tor", Way::Tor),
            ("relay", Way::Relay),
            ("canary", Way::Canary),
        ];
        let mut names: Vec<(String, Way)> = Vec::new();
        for row in Rows::open(Self::FILE, text, &["kind", "name", "source"])? {
            let row = row?;
            let [kind, name, source] = row.array()?;
            row.name(name)?;
            row.filled("source", source)?;
            row.ascends(names.last().map(|(before, _)| before.as_str()), name)?;
            names.push((name.to_owned(), row.word(WAYS, kind)?));
        }
        Ok(Bypass(names))
    }

    pub fn get(&self, name: &str) -> Option<Way> {
        let at = self.0.binary_search_by(|(listed, _)| listed.as_str().cmp(name)).ok()?;
        Some(self.0[at].1)
    }

    pub fn of(&self, way: Way) -> impl Iterator<Item = &str> {
        self.iter().filter(move |(_, kind)| *kind == way).map(|(name, _)| name)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, Way)> {
        self.0.iter().map(|(name, way)| (name.as_str(), *way))
    }
}

/// Addresses of other people's encrypted resolvers: the first of a network, the length of its prefix, whose it is.
#[derive(Debug, Clone, Default)]
pub struct BypassAddresses(pub Vec<(IpAddr, u8, String)>);

impl BypassAddresses {
    pub const FILE: &str = "bypass-addresses.tsv";

    pub fn parse(text: &str) -> Result<BypassAddresses, CatalogueError> {
        let mut networks: Vec<(IpAddr, u8, String)> = Vec::new();
        for row in Rows::open(Self::FILE, text, &["address", "resolver", "source"])? {
            let row = row?;
            let [network, resolver, source] = row.array()?;
            row.id(resolver)?;
            row.filled("source", source)?;
            let (address, length) = read_network(network).ok_or_else(|| row.fault(Fault::Address(network.into())))?;
            row.ascends(
                networks.last().map(|(address, length, _)| (*address, *length)),
                (address, length),
            )?;
            networks.push((address, length, resolver.to_owned()));
        }
        Ok(BypassAddresses(networks))
    }

    /// Each network, and whose it is.
    pub fn networks(&self) -> impl Iterator<Item = (IpNet, &str)> {
        let network = |(addr, length, _): &(IpAddr, u8, String)| IpNet::new(*addr, *length).ok();
        self.0
            .iter()
            .filter_map(move |row| Some((network(row)?, row.2.as_str())))
    }
}

fn read_network(text: &str) -> Option<(IpAddr, u8)> {
    let (address, length) = text
        .split_once('/')
        .map_or((text, None), |(address, length)| (address, Some(length)));
    let address: IpAddr = address.parse().ok()?;
    let bits = if address.is_ipv4() { 32 } else { 128 };
    let length = length.map_or(Some(bits), |length| length.parse().ok())?;
    (length <= bits).then_some((address, length))
}

/// Names under a word, by word and name: `always-reachable.tsv` by kind, `search-without-safe-mode.tsv` by engine.
#[derive(Debug, Clone, Default)]
pub struct Names(Vec<(String, String)>);

impl Names {
    const WITHOUT_SAFE_MODE: &str = "search-without-safe-mode.tsv";

    pub fn always_reachable(text: &str) -> Result<Names, CatalogueError> {
        Names::parse::<2>("always-reachable.tsv", text, &["kind", "name"])
    }

    pub fn search_without_safe_mode(text: &str) -> Result<Names, CatalogueError> {
        Names::parse::<3>(Self::WITHOUT_SAFE_MODE, text, &["engine", "name", "source"])
    }

    fn parse<const N: usize>(
        file: &'static str,
        text: &str,
        columns: &'static [&'static str],
    ) -> Result<Names, CatalogueError> {
        let mut names: Vec<(String, String)> = Vec::new();
        for row in Rows::open(file, text, columns)? {
            let row = row?;
            let columns: [&str; N] = row.array()?;
            row.id(columns[0])?;
            row.name(columns[1])?;
            let before = names.last().map(|(word, name)| (word.as_str(), name.as_str()));
            row.ascends(before, (columns[0], columns[1]))?;
            names.push((columns[0].to_owned(), columns[1].to_owned()));
        }
        Ok(Names(names))
    }

    pub fn of(&self, word: &str) -> impl Iterator<Item = &str> {
        self.0
            .iter()
            .filter(move |(kind, _)| kind == word)
            .map(|(_, name)| name.as_str())
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(word, name)| (word.as_str(), name.as_str()))
    }
}
