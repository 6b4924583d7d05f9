//! The list, in the form each server takes, and the three sets of questions.
//!
//! In: the adult lists of the corpus, and its rankings of what people look up. Always: the same corpus gives the same names in the
//! same order.

#[path = "../yardstick/mod.rs"]
mod fst_yardstick;

use crate::peers::config::Lists;
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{Rng, SeedableRng};
use stairgate::dns::key::{Key, to_text};
use stairgate::dns::name::Name;
use stairgate::list::rule::Parsed;
use stairgate::list::{parse, source};
use stairgate::local::Zones;
use std::collections::{BTreeSet, HashSet};
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::process::Command;

/// Folders of the lists that the names come from, below `lists` of the corpus.
const FOLDERS: [&str; 2] = ["adult", "bulk/adult"];
/// Names that people look up and the list does not hold.
const CACHED: usize = 10_000;
/// Listed names that are asked for, in an order that no cache of the processor foresees.
const BLOCKED: usize = 500_000;
/// Questions of the mixed set.
const MIXED: usize = 500_000;

pub struct Names {
    listed: Vec<String>,
    cached: Vec<String>,
    pub sets: [Queries; 3],
}

/// Questions for A in wire form, without EDNS, one after another.
pub struct Queries {
    pub name: &'static str,
    bytes: Vec<u8>,
    /// Where each begins; one more at the end.
    starts: Vec<u32>,
    blocked: Vec<bool>,
}

impl Queries {
    fn new<'a>(name: &'static str, names: impl Iterator<Item = (&'a str, bool)>) -> Queries {
        let mut queries = Queries {
            name,
            bytes: Vec::new(),
            starts: vec![0],
            blocked: Vec::new(),
        };
        for (name, blocked) in names {
            // An ID that the sender fills in, RD, one question.
            queries.bytes.extend([0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
            let name = Name::parse(name).expect("it was parsed before");
            queries.bytes.extend(name.as_wire());
            queries.bytes.extend([0, 1, 0, 1]);
            queries.starts.push(queries.bytes.len() as u32);
            queries.blocked.push(blocked);
        }
        queries
    }

    pub fn len(&self) -> usize {
        self.blocked.len()
    }

    pub fn get(&self, at: usize) -> &[u8] {
        &self.bytes[self.starts[at] as usize..self.starts[at + 1] as usize]
    }

    /// Whether the list holds the name.
    pub fn is_blocked(&self, at: usize) -> bool {
        self.blocked[at]
    }

    /// The name in text, for messages.
    pub fn text(&self, at: usize) -> String {
        let query = self.get(at);
        to_text(Key::from_wire(&query[12..query.len() - 4]).as_bytes())
    }
}

impl Names {
    /// Reads the corpus. `count`: names of the list.
    pub fn read(count: usize) -> Names {
        let local = Zones::builtin();
        let listed = listed(count, &local);
        let cached = popular(&listed, &local);
        let sets = sets(&listed, &cached);
        Names { listed, cached, sets }
    }

    /// The same without some of the cached names.
    pub fn without(self, numbers: &BTreeSet<usize>) -> Names {
        let cached = self.cached.into_iter().enumerate();
        let cached: Vec<String> = cached
            .filter(|(number, _)| !numbers.contains(number))
            .map(|(_, name)| name)
            .collect();
        let sets = sets(&self.listed, &cached);
        Names {
            listed: self.listed,
            cached,
            sets,
        }
    }

    pub fn listed(&self) -> usize {
        self.listed.len()
    }

    /// Writes the list in every form, and compiles it.
    pub fn write(&self, folder: &Path) -> Lists {
        let lists = Lists {
            unbound: folder.join("unbound.list"),
            rpz: folder.join("addresses.rpz"),
            rpz_by_default: folder.join("actions.rpz"),
            plain: folder.join("names.txt"),
            dnsmasq: folder.join("dnsmasq.list"),
            gate: folder.join("list.gate"),
        };
        let soa = "$TTL 30\n@ SOA localhost. root.localhost. 1 3600 600 86400 30\n@ NS localhost.\n";
        let origin = format!("$ORIGIN list.rpz.\n{soa}");
        self.write_lines(&lists.unbound, "", |name| {
            format!("local-zone: \"{name}\" always_null\n")
        });
        self.write_lines(&lists.rpz, &origin, |name| {
            format!("{name} A 0.0.0.0\n*.{name} A 0.0.0.0\n")
        });
        self.write_lines(&lists.rpz_by_default, &origin, |name| {
            format!("{name} CNAME .\n*.{name} CNAME .\n")
        });
        self.write_lines(&lists.plain, "", |name| format!("{name}\n"));
        self.write_lines(&lists.dnsmasq, "", |name| format!("address=/{name}/0.0.0.0\n"));
        let output = Command::new(env!("CARGO_BIN_EXE_stairgate"))
            .args(["compile", "--format", "domains", "--output"])
            .arg(&lists.gate)
            .arg(format!("adult={}", lists.plain.display()))
            .output()
            .expect("stairgate can be started");
        assert!(
            output.status.success(),
            "stairgate compile: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        lists
    }

    fn write_lines(&self, path: &Path, head: &str, line: impl Fn(&str) -> String) {
        let mut text = head.to_owned();
        text.extend(self.listed.iter().map(|name| line(name)));
        std::fs::write(path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
}

/// Cached, blocked and mixed questions.
fn sets(listed: &[String], cached: &[String]) -> [Queries; 3] {
    let mut random = rand::rngs::StdRng::seed_from_u64(1);
    let mut blocked: Vec<&str> = listed.iter().map(String::as_str).collect();
    blocked.shuffle(&mut random);
    blocked.truncate(BLOCKED);
    let mixed = (0..MIXED).map(|_| match random.random_ratio(1, 10) {
        true => (*blocked.choose(&mut random).expect("the list is not empty"), true),
        false => (
            cached.choose(&mut random).expect("there are popular names").as_str(),
            false,
        ),
    });
    let mixed = Queries::new("mixed", mixed);
    let cached = Queries::new("cached", cached.iter().map(|name| (name.as_str(), false)));
    let blocked = Queries::new("blocked", blocked.into_iter().map(|name| (name, true)));
    [cached, blocked, mixed]
}

/// The first `count` names of the lists, in the order of the lists' paths.
fn listed(count: usize, local: &Zones) -> Vec<String> {
    let lists = fst_yardstick::corpus().join("lists");
    let mut specs = Vec::new();
    for folder in FOLDERS {
        let path = lists.join(folder);
        specs.extend(source::expand(&path.to_string_lossy(), None, false).unwrap_or_else(|error| panic!("{error}")));
    }
    specs.sort_by(|a, b| a.path.cmp(&b.path));
    let mut seen: HashSet<Box<[u8]>> = HashSet::new();
    let mut names = Vec::with_capacity(count);
    for spec in specs {
        let bytes = spec.read().unwrap_or_else(|error| panic!("{error}")).bytes;
        let (_, parsed): (_, Parsed) = parse::parse(&bytes, &spec.options()).expect("the list can be parsed");
        for entry in &parsed.names {
            let key = parsed.key(entry);
            let name = to_text(key);
            if names.len() < count && is_plain(&name) && !is_local(&name, local) && seen.insert(key.into()) {
                names.push(name);
            }
        }
    }
    assert!(
        names.len() == count,
        "the lists hold {} names, and {count} are wanted",
        names.len()
    );
    names
}

/// What people look up most and the list does not hold, nor any name above it.
fn popular(listed: &[String], local: &Zones) -> Vec<String> {
    let listed: HashSet<&str> = listed.iter().map(String::as_str).collect();
    let is_listed = |name: &str| {
        let starts = std::iter::once(0).chain(name.match_indices('.').map(|(at, _)| at + 1));
        starts.into_iter().any(|start| listed.contains(&name[start..]))
    };
    let mut names = Vec::new();
    let mut seen = HashSet::new();
    for file in ["umbrella-top-100k-fqdn.txt.zst", "top-domains.txt.zst"] {
        let path = fst_yardstick::corpus().join("queries").join(file);
        let packed = File::open(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut text = String::new();
        zstd::Decoder::new(packed)
            .and_then(|mut decoder| decoder.read_to_string(&mut text))
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        for name in text.lines().map(|line| line.trim().to_ascii_lowercase()) {
            if names.len() < CACHED && is_plain(&name) && !is_listed(&name) && !is_local(&name, local) {
                names.extend(seen.insert(name.clone()).then_some(name));
            }
        }
    }
    names
}

/// Longest name, in characters, that still is one with a wildcard before it and the zone of the rules behind it. Servers stop reading
/// such a zone at the first that is not.
const NAME_LENGTH: usize = 240;

/// Written alike in the settings of every server: two labels or more of letters, digits, hyphens and underscores.
fn is_plain(name: &str) -> bool {
    let plain = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && label
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte))
    };
    name.len() <= NAME_LENGTH && name.contains('.') && name.split('.').all(plain) && Name::parse(name).is_ok()
}

/// Servers answer these themselves, and each differently.
fn is_local(name: &str, local: &Zones) -> bool {
    let special = ["arpa", "local", "localhost", "test", "invalid", "onion", "example"];
    special.iter().any(|zone| name.rsplit('.').next() == Some(zone))
        || Name::parse(name).is_ok_and(|name| local.covers(name.as_wire()))
}
