//! What a profile says in words a parent uses: services, safe search, the guard against ways around the filter.
//!
//! In: the tables of the catalogue and the household's own services, once; then names. Out: what a name is ([`Seen`]), and what that means for what
//! a profile has [`Chosen`].
//! Always: one table of names for all profiles, so that a profile costs a few bits; the most specific name says whose it is, so that a
//! messenger whose names lie below another service's is told apart from it. Nothing is allocated for a name.

use super::PolicyError;
use super::clients::Prefixes;
use super::suffixes::Groups;
use crate::catalogue::{Catalogue, Mode, Way};
use crate::config::household::OwnService;
use crate::config::settings::{ProfileSettings, YoutubeMode};
use crate::dns::key::Key;
use crate::dns::name::Name;
use std::collections::HashMap;
use std::net::IpAddr;

/// The engine whose safe mode has two strengths.
pub const YOUTUBE: &str = "youtube";

/// Every service, safe host and way around the filter that is known, by name.
#[derive(Default)]
pub struct Marks {
    names: Groups<Mark>,
    /// Names of services, by number.
    services: Vec<String>,
    /// Numbers of services, by id.
    numbers: HashMap<String, u16>,
    /// What hosts of safe modes are answered with, by number.
    targets: Vec<Safe>,
    /// Engines with their modes, by number.
    modes: Vec<(String, Mode)>,
    /// Addresses of other people's encrypted resolvers.
    addresses: Prefixes<()>,
}

/// A host's answer in a safe mode.
struct Safe {
    target: Name,
    /// The number of the engine with its mode.
    mode: u16,
}

/// What a name is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Mark {
    what: What,
    /// Not what is below it.
    exact: bool,
    /// Asked for while nobody uses the service.
    background: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    /// Of the service with this number.
    Service(u16),
    /// A way around the filter.
    Way(Way),
    /// Answered with this target.
    Safe(u32),
}

/// What a profile has chosen of all that.
#[derive(Debug, Clone, Default)]
pub struct Chosen {
    services: Vec<u64>,
    modes: Vec<u64>,
    guard: bool,
}

/// What a name is, whoever asks.
#[derive(Debug, Clone, Copy, Default)]
pub struct Seen<'m> {
    /// The marks of the most specific name that is of a service.
    services: &'m [Mark],
    /// That is the name itself.
    itself: bool,
    way: Option<Way>,
    /// The marks of the name itself, if it is the host of a safe mode.
    safe: &'m [Mark],
    /// Asked for by apps and pages while nobody uses the service.
    pub background: bool,
}

/// What a name means for a profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Marked {
    /// Blocked: it belongs to this service.
    Service(u16),
    /// Blocked: it leads around the filter.
    Way(Way),
    /// Answered with this target.
    Safe(u32),
}

impl Marks {
    /// The catalogue with the household's own services behind it; of one id the household's counts.
    pub fn new(catalogue: &Catalogue, own: &[OwnService]) -> Marks {
        let mut marks = Marks::default();
        let mut names: Vec<(Box<[u8]>, Mark)> = Vec::new();
        let mut note = |name: &Name, what: What, exact: bool, background: bool| {
            let key = Box::from(Key::from_wire(name.as_wire()).as_bytes());
            let mark = Mark {
                what,
                exact,
                background,
            };
            names.push((key, mark));
        };
        let mut add = |id: &str, name: &str| {
            let number = marks.services.len() as u16;
            marks.services.push(name.to_owned());
            marks.numbers.insert(id.to_owned(), number);
            What::Service(number)
        };
        for service in own {
            let what = add(&service.id, &service.name);
            service
                .names
                .iter()
                .for_each(|own| note(&own.name, what, own.exact, false));
        }
        for service in catalogue.services.iter() {
            if own.iter().any(|own| own.id == service.id) {
                continue;
            }
            let what = add(&service.id, &service.name);
            for domain in &service.domains {
                note(&parsed(&domain.name), what, domain.exact, domain.background);
            }
        }
        for host in catalogue.safe_search.iter() {
            let mode = (host.engine.clone(), host.mode);
            let number = match marks.modes.iter().position(|known| *known == mode) {
                Some(number) => number,
                None => {
                    marks.modes.push(mode);
                    marks.modes.len() - 1
                }
            };
            note(&parsed(&host.host), What::Safe(marks.targets.len() as u32), true, false);
            marks.targets.push(Safe {
                target: parsed(&host.target),
                mode: number as u16,
            });
        }
        for (name, way) in catalogue.bypass.iter().filter(|(_, way)| *way != Way::Canary) {
            note(&parsed(name), What::Way(way), false, false);
        }
        marks.names = Groups::new(names);
        let networks = catalogue.bypass_addresses.networks();
        marks.addresses = Prefixes::new(networks.map(|(network, _)| (network, ())));
        marks
    }

    /// Whether a profile asks for any of it.
    pub fn are_wanted(profile: &ProfileSettings) -> bool {
        let searches = !profile.safe_search.is_empty() || profile.youtube.is_some();
        profile.bypass_guard || searches || !profile.services.is_empty()
    }

    /// What a profile chose.
    pub fn chosen(&self, profile: &ProfileSettings) -> Result<Chosen, PolicyError> {
        let unknown = |key: &'static str, word: &str| PolicyError::UnknownWord {
            profile: profile.name.clone(),
            key,
            word: word.to_owned(),
        };
        let mut chosen = Chosen {
            guard: profile.bypass_guard,
            ..Chosen::default()
        };
        for id in &profile.services {
            let number = self.numbers.get(id).ok_or_else(|| unknown("services", id))?;
            set(&mut chosen.services, (*number).into());
        }
        for engine in &profile.safe_search {
            let mut modes = self.modes.iter().enumerate().filter(|(_, (of, _))| of == engine);
            // The stricter one is the last.
            let (number, _) = modes
                .by_ref()
                .max_by_key(|(_, (_, mode))| *mode)
                .ok_or_else(|| unknown("safe_search", engine))?;
            set(&mut chosen.modes, number);
        }
        if let Some(mode) = profile.youtube {
            let mode = match mode {
                YoutubeMode::Moderate => Mode::Moderate,
                YoutubeMode::Strict => Mode::Strict,
            };
            let number = self
                .modes
                .iter()
                .position(|(engine, of)| engine == YOUTUBE && *of == mode);
            set(&mut chosen.modes, number.ok_or_else(|| unknown("youtube", YOUTUBE))?);
        }
        Ok(chosen)
    }

    /// These services alone; those that there are not are left out.
    pub fn services(&self, ids: &[String]) -> Chosen {
        let mut chosen = Chosen::default();
        for number in ids.iter().filter_map(|id| self.numbers.get(id)) {
            set(&mut chosen.services, (*number).into());
        }
        chosen
    }

    /// What a name is, whoever asks.
    #[inline]
    pub fn look<'m>(&'m self, key: &Key) -> Seen<'m> {
        let mut seen = Seen::default();
        for (labels, marks) in self.names.all(key) {
            let itself = key.complete() && labels == key.label_count();
            // A name and a parent of it may both be of services: the more specific one says whose it is.
            let known = !seen.services.is_empty();
            for mark in marks.iter().filter(|mark| itself || !mark.exact) {
                match mark.what {
                    What::Service(_) if known => {}
                    What::Service(_) => {
                        (seen.services, seen.itself) = (marks, itself);
                        seen.background |= mark.background;
                    }
                    What::Way(way) => seen.way = seen.way.or(Some(way)),
                    What::Safe(_) => seen.safe = marks,
                }
            }
        }
        seen
    }

    /// The service of those chosen that a name is of.
    #[inline]
    pub fn service_of(&self, chosen: &Chosen, seen: &Seen<'_>) -> Option<u16> {
        seen.services.iter().find_map(|mark| match mark.what {
            What::Service(number) if seen.itself || !mark.exact => {
                is_set(&chosen.services, number.into()).then_some(number)
            }
            _ => None,
        })
    }

    /// What a name means for whoever chose this, where a service that is let through is not looked at. Services and ways come before safe modes.
    pub fn find(&self, chosen: &Chosen, seen: &Seen<'_>, let_through: bool) -> Option<Marked> {
        if let (false, Some(number)) = (let_through, self.service_of(chosen, seen)) {
            return Some(Marked::Service(number));
        }
        if let (true, Some(way)) = (chosen.guard, seen.way) {
            return Some(Marked::Way(way));
        }
        seen.safe.iter().find_map(|mark| match mark.what {
            What::Safe(number) => {
                let mode = self.targets[number as usize].mode;
                is_set(&chosen.modes, mode.into()).then_some(Marked::Safe(number))
            }
            _ => None,
        })
    }

    /// Whether an address is that of somebody else's encrypted resolver.
    pub fn is_way(&self, addr: IpAddr) -> bool {
        self.addresses.all(addr).next().is_some()
    }

    /// The service of a number, as a person calls it.
    pub fn service(&self, number: u16) -> &str {
        self.services.get(usize::from(number)).map_or("", |name| name)
    }

    /// The number of a service, by its id.
    pub fn number(&self, id: &str) -> Option<u16> {
        self.numbers.get(id).copied()
    }

    /// The engine whose safe mode has this target.
    pub fn engine(&self, number: u32) -> &str {
        let safe = self.targets.get(number as usize);
        safe.and_then(|safe| self.modes.get(usize::from(safe.mode)))
            .map_or("", |(engine, _)| engine)
    }

    /// What a host is answered with in its safe mode.
    pub fn target(&self, number: u32) -> Option<&Name> {
        self.targets.get(number as usize).map(|safe| &safe.target)
    }

    /// Bytes it takes.
    pub fn size_bytes(&self) -> usize {
        self.names.size_bytes() + size_of_val(&*self.targets)
    }
}

impl Chosen {
    /// Whether there is nothing of it.
    pub fn is_empty(&self) -> bool {
        !self.guard && self.services.is_empty() && self.modes.is_empty()
    }

    /// Whether ways around the filter are blocked.
    pub fn guard(&self) -> bool {
        self.guard
    }
}

/// A name of the catalogue, whose tables were checked when they were read.
fn parsed(text: &str) -> Name {
    Name::parse(text).unwrap_or_else(|error| unreachable!("the catalogue's {text}: {error}"))
}

fn set(bits: &mut Vec<u64>, number: usize) {
    let word = number / 64;
    if bits.len() <= word {
        bits.resize(word + 1, 0);
    }
    bits[word] |= 1 << (number % 64);
}

fn is_set(bits: &[u64], number: usize) -> bool {
    bits.get(number / 64).is_some_and(|word| word >> (number % 64) & 1 == 1)
}
