//! What a profile says in words a parent uses: services, safe search, the guard against ways around the filter.
//!
//! In: the tables of the catalogue and the household's own services, once; then names. Out: [`Mark`]s; what of them a profile has chosen
//! is [`Chosen`].
//! Always: one table of names for all profiles, so that a profile costs a few bits; the most specific name says whose it is, so that a
//! messenger whose names lie below another service's is told apart from it. Nothing is allocated for a name.

use super::PolicyError;
use super::clients::Prefixes;
use super::suffixes::Suffixes;
use crate::catalogue::{Catalogue, Mode, Way};
use crate::config::household::OwnService;
use crate::config::settings::{ProfileSettings, YoutubeMode};
use crate::dns::key::Key;
use crate::dns::name::Name;
use std::collections::HashMap;
use std::net::IpAddr;

/// The engine whose safe mode has two strengths.
const YOUTUBE: &str = "youtube";

/// Every service, safe host and way around the filter that is known, by name.
#[derive(Default)]
pub struct Marks {
    /// Ranges of `marks`.
    names: Suffixes<(u32, u32)>,
    marks: Vec<Mark>,
    /// Ids and names of services, in order of their numbers.
    services: Vec<(String, String)>,
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
pub struct Seen {
    /// The marks of the most specific name that is of a service, and whether that is the name itself.
    services: Option<(u32, u32, bool)>,
    way: Option<Way>,
    /// The marks of the name itself, if it is the host of a safe mode.
    safe: Option<(u32, u32)>,
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
        for service in catalogue.services.iter() {
            if own.iter().any(|own| own.id == service.id) {
                continue;
            }
            let number = marks.services.len() as u16;
            marks.services.push((service.id.clone(), service.name.clone()));
            for domain in &service.domains {
                note(
                    &parsed(&domain.name),
                    What::Service(number),
                    domain.exact,
                    domain.background,
                );
            }
        }
        for service in own {
            let number = marks.services.len() as u16;
            marks.services.push((service.id.clone(), service.name.clone()));
            for own in &service.names {
                note(&own.name, What::Service(number), own.exact, false);
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
        names.sort_by(|a, b| a.0.cmp(&b.0));
        let mut keys = Vec::new();
        for same in names.chunk_by(|a, b| a.0 == b.0) {
            let start = marks.marks.len() as u32;
            marks.marks.extend(same.iter().map(|(_, mark)| *mark));
            keys.push((same[0].0.clone(), (start, marks.marks.len() as u32)));
        }
        marks.names = Suffixes::new(keys);
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
        let numbers: HashMap<&str, usize> = self.services.iter().map(|(id, _)| id.as_str()).zip(0..).collect();
        for id in &profile.services {
            let number = numbers.get(id.as_str()).ok_or_else(|| unknown("services", id))?;
            set(&mut chosen.services, *number);
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
        for id in ids {
            if let Some(number) = self.services.iter().position(|(known, _)| known == id) {
                set(&mut chosen.services, number);
            }
        }
        chosen
    }

    /// What a name is, whoever asks.
    pub fn look(&self, key: &Key) -> Seen {
        let mut seen = Seen::default();
        for (labels, (start, end)) in self.names.all(key) {
            let itself = key.complete() && labels == key.label_count();
            // A name and a parent of it may both be of services: the name says whose it is.
            let mut of_service = false;
            for mark in &self.marks[start as usize..end as usize] {
                if mark.exact && !itself {
                    continue;
                }
                match mark.what {
                    What::Service(_) if seen.services.is_none() => {
                        of_service = true;
                        seen.background |= mark.background;
                    }
                    What::Service(_) => {}
                    What::Way(way) => seen.way = seen.way.or(Some(way)),
                    What::Safe(_) => seen.safe = Some((start, end)),
                }
            }
            if of_service {
                seen.services = Some((start, end, itself));
            }
        }
        seen
    }

    /// The service of those chosen that a name is of.
    #[inline]
    pub fn service_of(&self, chosen: &Chosen, seen: &Seen) -> Option<u16> {
        let (start, end, itself) = seen.services?;
        let mut marks = self.marks[start as usize..end as usize].iter();
        marks.find_map(|mark| match mark.what {
            What::Service(number) if itself || !mark.exact => is_set(&chosen.services, number.into()).then_some(number),
            _ => None,
        })
    }

    /// What a name means for whoever chose this. Services and ways come before safe modes.
    pub fn find(&self, chosen: &Chosen, seen: &Seen) -> Option<Marked> {
        if let Some(number) = self.service_of(chosen, seen) {
            return Some(Marked::Service(number));
        }
        if let (true, Some(way)) = (chosen.guard, seen.way) {
            return Some(Marked::Way(way));
        }
        let (start, end) = seen.safe?;
        let mut marks = self.marks[start as usize..end as usize].iter();
        marks.find_map(|mark| match mark.what {
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
        self.services.get(usize::from(number)).map_or("", |(_, name)| name)
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
        self.names.size_bytes() + size_of_val(&*self.marks) + size_of_val(&*self.targets)
    }
}

impl Chosen {
    /// Whether there is nothing of it.
    pub fn is_empty(&self) -> bool {
        !self.guard && self.services.is_empty() && self.modes.is_empty()
    }

    /// The same with every service let through.
    pub fn without_services(&self) -> Chosen {
        Chosen {
            services: Vec::new(),
            ..self.clone()
        }
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
