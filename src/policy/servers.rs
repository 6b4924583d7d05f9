//! Rules about name servers: the NSDNAME and NSIP triggers of response policy zones.
//!
//! In: the rules of all profiles, once; then who serves the zones on the way to a name. Out: a [`Decision`] about that name.
//! Always: nothing is allocated unless a rule matches. What of the servers is not known cannot match.
//! Keeps: the response policy zones' order: NSDNAME before NSIP, the longest name or network of a zone first.

use super::clients::Prefixes;
use super::decision::Decision;
use super::judge::Judge;
use super::places::{Place, Places, labels_of_name};
use super::suffixes::Suffixes;
use super::triggers::group;
use super::{Asker, Met, Policy};
use crate::dns::answer::NameBuf;
use crate::dns::key::Key;
use crate::list::rule::Scope;
use crate::list::set::{Gate, RuleId};
use ipnet::IpNet;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// The rules about name servers, as ranges of the groups of [`Triggers`](super::triggers::Triggers).
#[derive(Debug, Default)]
pub struct Servers {
    names: Suffixes<Named>,
    /// With each network how many bits it fixes, IPv4 as IPv4-mapped IPv6.
    networks: Prefixes<((u32, u32), u8)>,
}

/// Rules of one name: for the server that is called so, and for those called something below it.
#[derive(Debug, Clone, Copy, Default)]
struct Named {
    itself: (u32, u32),
    below: (u32, u32),
}

impl Servers {
    /// The rules go to `grouped`.
    pub fn new(
        names: Vec<(&[u8], Scope, RuleId)>,
        networks: Vec<(IpNet, RuleId)>,
        grouped: &mut Vec<RuleId>,
    ) -> Servers {
        let mut by_key: BTreeMap<&[u8], [Vec<RuleId>; 2]> = BTreeMap::new();
        for (key, scope, id) in names {
            let [itself, below] = by_key.entry(key).or_default();
            if scope != Scope::Below {
                itself.push(id);
            }
            if scope != Scope::Exact {
                below.push(id);
            }
        }
        let mut range = |rules: Vec<RuleId>| {
            let start = grouped.len() as u32;
            grouped.extend(rules);
            (start, grouped.len() as u32)
        };
        let rows: Vec<(Box<[u8]>, Named)> = by_key
            .into_iter()
            .map(|(key, [itself, below])| {
                let named = Named {
                    itself: range(itself),
                    below: range(below),
                };
                (Box::from(key), named)
            })
            .collect();
        let networks = group(networks, grouped);
        Servers {
            names: Suffixes::new(rows),
            networks: Prefixes::new(networks.into_iter().map(|(network, range)| {
                let bits = match network {
                    IpNet::V4(v4) => v4.prefix_len() + 96,
                    IpNet::V6(v6) => v6.prefix_len(),
                };
                (network, (range, bits))
            })),
        }
    }

    pub fn size_bytes(&self) -> usize {
        self.names.size_bytes()
    }

    /// What matches the name of a server, and how many labels it has.
    fn name(&self, name: &NameBuf, found: &mut Vec<(Reverse<usize>, Place)>) {
        let key = Key::from_wire(name.as_wire());
        for (labels, named) in self.names.all(&key) {
            let itself = key.complete() && labels == key.label_count();
            let range = if itself { named.itself } else { named.below };
            if range.0 < range.1 {
                // A server that is called so comes before those below the same name.
                found.push((Reverse(2 * labels + usize::from(itself)), Place::ServerName(range)));
            }
        }
    }

    fn address(&self, addr: IpAddr, found: &mut Vec<(Reverse<usize>, Place)>) {
        let networks = self.networks.all(addr.to_canonical());
        found.extend(networks.map(|(range, bits)| (Reverse(usize::from(bits)), Place::ServerAddress(range))));
    }
}

impl Policy {
    /// What becomes of an answer for the name of `key`, to a question for `qtype`, because of who serves the zones on the way to
    /// it: `names` and `addresses` of all those servers.
    pub fn decide_servers(
        &self,
        gate: &Gate,
        asker: &Asker,
        (key, qtype): (&Key, u16),
        names: impl Iterator<Item = NameBuf>,
        addresses: impl Iterator<Item = IpAddr>,
    ) -> Decision {
        let Some(profile) = asker.profile.and_then(|id| self.profiles.get(usize::from(id.0))) else {
            return Decision::UNFILTERED;
        };
        let table = &self.tables[usize::from(profile.table)];
        // Of several servers the longest match counts, whoever is named first.
        let mut found = Vec::new();
        names.for_each(|name| self.triggers.servers.name(&name, &mut found));
        addresses.for_each(|addr| self.triggers.servers.address(addr, &mut found));
        if found.is_empty() {
            return Decision::PASS;
        }
        found.sort_by_key(|(rank, _)| *rank);
        let mut places = Places::new();
        found.into_iter().for_each(|(_, place)| places.others.push(place));
        let judge = Judge {
            policy: self,
            gate,
            table,
            asker,
            met: Met::Answer,
            question: self.question(asker, Some(key), qtype),
            names: labels_of_name(key),
        };
        judge.weigh(&places).observed_if(profile.observe)
    }
}
