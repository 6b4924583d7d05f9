//! Where the servers of a zone are.
//!
//! In: a zone's NS sets with glue, the store. Out: addresses that may be asked, and the names of servers whose addresses are
//! missing; these are looked up one at a time, when the others are of no use.
//! Always: no address outside the allowed families and networks; look-ups end at the bounds that keep a hostile referral from
//! turning one query into many (NXNSAttack, CVE-2020-8616; TsuNAME).
//! Keeps: RFC 1034 §5.3.3 step 3, RFC 2181 §5.4.1 (glue is for getting there), RFC 6890 (networks that are nobody's on the
//! internet).

use super::ask::Choice;
use super::delegations::Cut;
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

impl Walk {
    /// The addresses of a zone's servers as far as they are known, and the servers with none, each with its tier.
    pub(super) fn addresses(&self, cut: &Cut) -> (Vec<Choice>, Vec<(u8, Name)>) {
        let mut choices: Vec<Choice> = Vec::new();
        let mut missing: Vec<(u8, Name)> = Vec::new();
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
            let (known, all_known) = self.known_addresses(name);
            let glue = match server.glue.as_slice() {
                [] => cut.parents_glue(name),
                glue => glue,
            };
            let any = !known.is_empty() || !glue.is_empty();
            for address in known.into_iter().chain(glue.iter().copied()) {
                add(address, tier, false);
            }
            // Inside the zone only the referral could tell, and did not.
            if !any && !all_known && !name.is_within(&cut.zone) && missing.iter().all(|(_, theirs)| theirs != name) {
                missing.push((tier, name.clone()));
            }
        }
        if missing.len() > 1 {
            // Not every resolver should begin with the same one; nor any with those of the lower tier.
            let turn = self
                .io
                .chance(|random| rand::Rng::random_range(random, 0..missing.len()));
            missing.rotate_left(turn);
            missing.sort_by_key(|(tier, _)| *tier);
        }
        (choices, missing)
    }

    /// Addresses of a server in the store, and whether nothing more is to be found out.
    fn known_addresses(&self, server: &Name) -> (Vec<IpAddr>, bool) {
        let now_ms = self.io.now_ms();
        let mut addresses = Vec::new();
        let mut open = false;
        for (wanted, rtype) in self.address_types() {
            match self.engine.store.find(server, rtype, now_ms) {
                Some(Known::Set(held)) => {
                    addresses.extend(held.set.records().filter_map(address).take(limits::SERVER_ADDRESSES));
                }
                Some(Known::Denied(_)) => {}
                // An alias is followed when it is looked up.
                Some(Known::Alias(_)) | None => open |= wanted,
            }
        }
        (addresses, !open)
    }

    fn address_types(&self) -> [(bool, u16); 2] {
        let settings = &self.engine.settings;
        [(settings.ipv4, rtype::A), (settings.ipv6, rtype::AAAA)]
    }

    /// Looks up a server's addresses: first of one family, and of the other if there are none. Empty when there are none, or
    /// when this resolution has spent what it may on such trips.
    pub(super) async fn look_up_server(&self, server: &Name, trip: &Trip<'_>) -> Vec<IpAddr> {
        if trip.passes(server) || trip.depth >= limits::SIDE_TRIP_DEPTH {
            return Vec::new();
        }
        let mut found = Vec::new();
        let may = self.io.purse(|purse| {
            let may = purse.side_trips < limits::SIDE_TRIPS && purse.fruitless < limits::SIDE_TRIPS_FRUITLESS;
            purse.side_trips += usize::from(may);
            may
        });
        if !may {
            return found;
        }
        let deeper = trip.deeper(server);
        for (wanted, rtype) in self.address_types() {
            if !wanted || !found.is_empty() {
                continue;
            }
            let answer = Box::pin(self.answer(server, rtype, &deeper)).await;
            match answer {
                Ok(answer) => {
                    if let Finding::Set(held) = &answer.end {
                        let addresses = held.set.records().filter_map(address);
                        found.extend(
                            addresses
                                .filter(|&address| self.engine.networks.may_ask(address))
                                .take(limits::SERVER_ADDRESSES),
                        );
                    } else if answer.is_nxdomain() {
                        break;
                    }
                }
                Err(_) => break,
            }
        }
        if found.is_empty() {
            self.io.purse(|purse| purse.fruitless += 1);
        }
        found
    }

    /// Counts a query that is about to be sent to a server of `zone`; fails when that is one too many.
    pub(super) fn spend(&self, zone: &Name, trip: &Trip<'_>) -> Result<(), Trouble> {
        let hash = self.engine.secret.hash_one(zone);
        self.io.purse(|purse: &mut Purse| {
            if purse.queries >= limits::AUTHORITY_QUERIES {
                return Err(Trouble::Limit("the question takes too many queries"));
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
                return Err(Trouble::Limit("the zone's servers take too many queries to find"));
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
