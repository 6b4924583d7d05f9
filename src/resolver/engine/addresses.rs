//! Where the servers of a zone are.
//!
//! In: a zone's NS sets with glue, the store. Out: addresses that may be asked, and the names of servers whose addresses are
//! missing; these are looked up when the others are of no use, first of the address family that works, the next one soon.
//! Always: no address outside the allowed families and networks; look-ups end at the bounds that keep a hostile referral from
//! turning one query into many (NXNSAttack, CVE-2020-8616; TsuNAME).
//! Keeps: RFC 1034 §5.3.3 step 3, RFC 2181 §5.4.1 (glue is for getting there), RFC 6890 (networks that are nobody's on the
//! internet).

use super::ask::Choice;
use super::delegations::Cut;
use super::race::{Look, Race};
use super::store::Known;
use super::task::Purse;
use super::trouble::Trouble;
use super::walk::{Finding, Trip, Walk};
use crate::dns::answer::address;
use crate::dns::name::Name;
use crate::dns::rtype;
use crate::limits;
use ipnet::IpNet;
use std::hash::BuildHasher;
use std::net::IpAddr;

/// Networks in which no server of the public DNS stands (RFC 6890, and multicast), as far as they may not be asked.
const NOT_PUBLIC: [&str; 24] = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
    "::/128",
    "::1/128",
    "::ffff:0:0/96",
    "64:ff9b:1::/48",
    "100::/64",
    "2001:db8::/32",
    "fc00::/7",
    "fe80::/10",
    "fec0::/10",
    "ff00::/8",
];

/// Which addresses may be asked.
#[derive(Debug)]
pub(super) struct Networks {
    ipv4: bool,
    ipv6: bool,
    closed: Vec<IpNet>,
    opened: Vec<IpNet>,
}

impl Networks {
    /// Those of the families allowed that are public, and `opened`.
    pub fn new(ipv4: bool, ipv6: bool, opened: &[IpNet]) -> Networks {
        let network = |text: &&str| text.parse().expect("the table holds networks");
        Networks {
            ipv4,
            ipv6,
            closed: NOT_PUBLIC.iter().map(network).collect(),
            opened: opened.to_vec(),
        }
    }

    pub fn may_ask(&self, address: IpAddr) -> bool {
        self.family(address)
            && (self.opened.iter().any(|network| network.contains(&address))
                || !self.closed.iter().any(|network| network.contains(&address)))
    }

    pub fn family(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(_) => self.ipv4,
            IpAddr::V6(_) => self.ipv6,
        }
    }
}

/// A server with addresses that are not known.
pub(super) struct Missing {
    pub tier: u8,
    pub name: Name,
    /// A or AAAA, or both, in the order in which they promise success.
    pub types: Vec<u16>,
    /// Other addresses of it are known.
    pub spare: bool,
}

impl Missing {
    /// What is left to look up when addresses of one family were found.
    pub fn other_family(&self) -> Option<Missing> {
        (self.types.len() > 1).then(|| Missing {
            tier: self.tier,
            name: self.name.clone(),
            types: self.types.clone(),
            spare: true,
        })
    }
}

impl Walk {
    /// The addresses of a zone's servers as far as they are known, and those that are not, spare ones last.
    pub(super) fn addresses(&self, cut: &Cut) -> (Vec<Choice>, Vec<Missing>) {
        let mut choices: Vec<Choice> = Vec::new();
        let mut missing: Vec<Missing> = Vec::new();
        let networks = &self.engine.networks;
        let mut add = |address: IpAddr, tier: u8, trusted: bool| {
            let allowed = if trusted {
                networks.family(address)
            } else {
                networks.may_ask(address)
            };
            if allowed && choices.iter().all(|choice| choice.address != address) {
                choices.push(Choice::new(address, tier));
            }
        };
        for (tier, server) in cut.servers() {
            let Some(name) = &server.name else {
                // Hints are the operator's own word.
                server.glue.iter().for_each(|&address| add(address, tier, true));
                continue;
            };
            let (known, mut unknown) = self.known_addresses(name);
            let glue = match server.glue.as_slice() {
                [] => cut.parents_glue(name),
                glue => glue,
            };
            let spare = !known.is_empty() || !glue.is_empty();
            for address in known.into_iter().chain(glue.iter().copied()) {
                unknown.retain(|rtype| (*rtype == rtype::AAAA) != address.is_ipv6());
                add(address, tier, false);
            }
            // Inside the zone only the referral could tell, and did not.
            if !unknown.is_empty() && !name.is_within(&cut.zone) && missing.iter().all(|theirs| theirs.name != *name) {
                missing.push(Missing {
                    tier,
                    name: name.clone(),
                    types: unknown,
                    spare,
                });
            }
        }
        if missing.len() > 1 {
            // Not every resolver should begin with the same one; nor any with those of the lower tier.
            let turn = self
                .io
                .chance(|random| rand::Rng::random_range(random, 0..missing.len()));
            missing.rotate_left(turn);
            missing.sort_by_key(|missing| (missing.spare, missing.tier));
        }
        (choices, missing)
    }

    /// Addresses of a server in the store, and the types of which nothing is known.
    fn known_addresses(&self, server: &Name) -> (Vec<IpAddr>, Vec<u16>) {
        let now_ms = self.io.now_ms();
        let mut addresses = Vec::new();
        let mut unknown = Vec::new();
        for rtype in self.address_types() {
            match self.engine.store.find(server, rtype, now_ms) {
                Some(Known::Set(held)) => {
                    addresses.extend(held.set.records().filter_map(address).take(limits::SERVER_ADDRESSES));
                }
                Some(Known::Denied(_)) => {}
                // An alias is followed when it is looked up.
                Some(Known::Alias(_)) | None => unknown.push(rtype),
            }
        }
        (addresses, unknown)
    }

    /// The types of addresses that can be asked, that of the family that works first.
    fn address_types(&self) -> Vec<u16> {
        let (settings, now_ms) = (&self.engine.settings, self.io.now_ms());
        let mut types = Vec::with_capacity(2);
        if settings.ipv4 {
            types.push(rtype::A);
        }
        if settings.ipv6 {
            types.push(rtype::AAAA);
        }
        if types.len() == 2 && self.engine.servers.prefers_ipv6(now_ms) {
            types.reverse();
        }
        types
    }

    /// Looks up addresses of a server, with its tier. Nothing when there are none, or when this resolution has spent what it may on
    /// such trips.
    pub(super) fn look_up_server<'a>(&'a self, missing: Missing, trip: &'a Trip<'a>) -> Look<'a, (u8, Vec<IpAddr>)> {
        Box::pin(async move {
            let Missing {
                tier,
                name,
                mut types,
                spare,
            } = missing;
            if spare {
                types = self.known_addresses(&name).1;
            }
            if trip.passes(&name) || trip.depth >= limits::SIDE_TRIP_DEPTH {
                return None;
            }
            let may = self.io.purse(|purse| {
                let may = purse.side_trips < limits::SIDE_TRIPS && purse.fruitless < limits::SIDE_TRIPS_FRUITLESS;
                purse.side_trips += usize::from(may);
                may
            });
            if !may {
                return None;
            }
            let deeper = trip.deeper(&name);
            let looks = types
                .into_iter()
                .map(|rtype| self.look_up_addresses(&name, rtype, &deeper));
            let found = Race::new(&self.io, looks).run().await;
            if found.is_none() {
                self.io.purse(|purse| purse.fruitless += 1);
            }
            found.map(|addresses| (tier, addresses))
        })
    }

    /// The addresses of one family that may be asked, if there are any.
    fn look_up_addresses<'a>(&'a self, server: &'a Name, rtype: u16, trip: &'a Trip<'a>) -> Look<'a, Vec<IpAddr>> {
        Box::pin(async move {
            let answer = self.answer(server, rtype, trip).await.ok()?;
            let Finding::Set(held) = &answer.end else { return None };
            let addresses = held.set.records().filter_map(address);
            let usable = addresses.filter(|&address| self.engine.networks.may_ask(address));
            let usable: Vec<IpAddr> = usable.take(limits::SERVER_ADDRESSES).collect();
            (!usable.is_empty()).then_some(usable)
        })
    }

    /// Counts a query that is about to be sent to a server of `zone`; fails when that is one too many.
    pub(super) fn spend(&self, zone: &Name, trip: &Trip<'_>) -> Result<(), Trouble> {
        let hash = self.engine.secret.hash_one(zone);
        self.io.purse(|purse: &mut Purse| {
            if purse.queries >= limits::AUTHORITY_QUERIES {
                return Err(Trouble::TooMuch("the question takes too many queries"));
            }
            if trip.depth == 0 {
                return Ok(());
            }
            let at = match purse.side_queries.iter().position(|(theirs, _)| *theirs == hash) {
                Some(at) => at,
                None => {
                    purse.side_queries.push((hash, 0));
                    purse.side_queries.len() - 1
                }
            };
            let count = &mut purse.side_queries[at].1;
            *count += 1;
            if *count > limits::SIDE_QUERIES_A_ZONE {
                return Err(Trouble::TooMuch("the zone's servers take too many queries to find"));
            }
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc6890_networks_are_asked_only_where_settings_open_them() {
        let networks = Networks::new(true, false, &["127.5.0.0/16".parse().unwrap()]);
        let may = |text: &str| networks.may_ask(text.parse().unwrap());
        assert!(may("198.41.0.4") && may("127.5.0.1"));
        assert!(!may("127.6.0.1") && !may("10.0.0.1") && !may("192.168.1.1") && !may("224.0.0.1"));
        assert!(!may("2001:503:ba3e::2:30"), "IPv6 is off");
        assert!(Networks::new(true, true, &[]).may_ask("2001:503:ba3e::2:30".parse().unwrap()));
    }
}
