//! `[[client]]` and `[[device]]`: which addresses are whose.
//!
//! In: both as written, profiles, persons. Out: clients; those of persons have their persons' profiles.
//! Always: a network is one client's, and a name too. Clients come before devices.

use super::error::{ConfigError, Problem};
use super::household::Person;
use super::load::Loader;
use super::persons::{Names, id};
use super::settings::*;
use super::shape::{self, Text};
use super::values;
use ipnet::{IpNet, Ipv4Net};
use std::collections::{HashMap, HashSet};
use toml::Spanned;

/// Reads clients and devices. `names`: of all whom something can be for; theirs come along.
pub(super) fn read(
    loader: &Loader,
    profiles: &[ProfileSettings],
    clients: &[Spanned<shape::Client>],
    devices: &[Spanned<shape::Device>],
    people: &[Person],
    names: &mut Names,
) -> Result<Vec<ClientSettings>, ConfigError> {
    let known: HashSet<&str> = profiles.iter().map(|profile| profile.name.as_str()).collect();
    let mut owners = Owners::default();
    let mut read = Vec::with_capacity(clients.len() + devices.len());
    for shape in clients {
        let client = shape.get_ref();
        if client.name.get_ref().is_empty() || client.name.get_ref().chars().any(char::is_control) {
            return Err(loader.wrong(
                &client.name,
                "client.name",
                "is not a name; write one such as \"tablet\"",
            ));
        }
        names.device(loader, "client", &client.name, read.len())?;
        let networks = owners.networks(loader, "client", &client.name, &client.networks)?;
        let profile = client.profile.get_ref();
        if !known.contains(profile.as_str()) {
            let owner = format!("client {:?}", client.name.get_ref());
            return Err(loader.no_such(&client.profile, owner, ("profile", "profile"), known.iter().copied()));
        }
        read.push(ClientSettings {
            name: client.name.get_ref().clone(),
            tags: tags(&client.tags),
            networks,
            profile: profile.clone(),
            person: None,
        });
    }
    for shape in devices {
        let device = shape.get_ref();
        loader.value(Some(&device.name), "device.name", (), id)?;
        names.device(loader, "device", &device.name, read.len())?;
        let networks = owners.networks(loader, "device", &device.name, &device.networks)?;
        let (profile, person) = whose(loader, device, &known, people)?;
        read.push(ClientSettings {
            name: device.name.get_ref().clone(),
            tags: tags(&device.tags),
            networks,
            profile,
            person,
        });
    }
    Ok(read)
}

fn tags(written: &Option<Vec<Text>>) -> Vec<String> {
    let tags = written.as_deref().unwrap_or_default();
    tags.iter().map(|tag| tag.get_ref().clone()).collect()
}

/// The profile of a device, and the person who has it.
fn whose(
    loader: &Loader,
    device: &shape::Device,
    profiles: &HashSet<&str>,
    people: &[Person],
) -> Result<(String, Option<u32>), ConfigError> {
    let name = device.name.get_ref();
    let owner = || format!("device {name:?}");
    match (&device.person, &device.profile) {
        (Some(person), None) => {
            // In order of their ids.
            let id = person.get_ref();
            match people.binary_search_by(|known| known.id.cmp(id)) {
                Ok(at) => Ok((people[at].profile.clone(), Some(at as u32))),
                Err(_) => {
                    let known = people.iter().map(|person| person.id.as_str());
                    Err(loader.no_such(person, owner(), ("person", "person"), known))
                }
            }
        }
        (None, Some(profile)) => {
            let word = profile.get_ref();
            match profiles.contains(word.as_str()) {
                true => Ok((word.clone(), None)),
                false => {
                    let known = profiles.iter().copied();
                    Err(loader.no_such(profile, owner(), ("profile", "profile"), known))
                }
            }
        }
        (Some(_), Some(profile)) => Err(loader.fail(
            profile.span(),
            Problem::Other(format!(
                "device {name:?} has both person and profile; leave profile out, since a person's devices have the person's, \
                 or person, if it is nobody's"
            )),
        )),
        (None, None) => Err(loader.fail(
            device.name.span(),
            Problem::Other(format!(
                "device {name:?} has neither person nor profile; write whose it is, or what holds for it"
            )),
        )),
    }
}

/// Who matches a network, and where that stands.
#[derive(Default)]
struct Owners(HashMap<IpNet, (&'static str, String, usize)>);

impl Owners {
    fn networks(
        &mut self,
        loader: &Loader,
        kind: &'static str,
        name: &Text,
        written: &Spanned<Vec<Text>>,
    ) -> Result<Vec<IpNet>, ConfigError> {
        let name = name.get_ref();
        if written.get_ref().is_empty() {
            return Err(loader.fail(
                written.span(),
                Problem::Other(format!(
                    "{kind} {name:?} matches nothing; write its addresses or networks in match"
                )),
            ));
        }
        let key = if kind == "device" {
            "device.match"
        } else {
            "client.match"
        };
        let networks = loader.values(written.get_ref(), key, network)?;
        for (network, text) in networks.iter().zip(written.get_ref()) {
            let line = loader.source.line(text.span().start);
            let here = (kind, name.clone(), line);
            if let Some((other_kind, other, line)) = self.0.insert(as_asked(*network), here) {
                return Err(loader.fail(
                    text.span(),
                    Problem::SameNetwork {
                        kind,
                        client: name.clone(),
                        other_kind,
                        other,
                        line,
                        network: text.get_ref().clone(),
                    },
                ));
            }
        }
        Ok(networks)
    }
}

fn network(text: &str) -> Result<IpNet, String> {
    let kind = text.trim().split_once(':').map(|(kind, _)| kind.to_ascii_lowercase());
    match kind.as_deref() {
        Some("mac" | "lease" | "id") => Err(
            "comes with a later version; give the device a fixed address in the router and write that address"
                .to_owned(),
        ),
        _ => values::network(text),
    }
}

/// A network of mapped addresses (RFC 4291 §2.5.5.2) is that of the IPv4 addresses, as it is for queries.
fn as_asked(network: IpNet) -> IpNet {
    let IpNet::V6(wide) = network else { return network };
    let mapped = wide.addr().to_ipv4_mapped().zip(wide.prefix_len().checked_sub(96));
    mapped
        .and_then(|(addr, length)| Ipv4Net::new(addr, length).ok())
        .map_or(network, IpNet::from)
}
