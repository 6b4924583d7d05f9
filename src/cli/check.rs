//! `stairgate check`: whether the server would start with these settings, and what is odd about them.
//!
//! In: settings, the lists they name, the machine. Out: warnings on standard error, one sentence on standard output.
//! Always: nothing is changed, nothing is fetched; addresses are only tried.
//! Fails: what would stop a start ends the check with the sentence that the start would end with.

use super::serve::listen::{try_address, try_stream};
use super::{Exit, Failure, Outcome, connected, lists, rdnss, together};
use crate::clock;
use crate::config::load::Loaded;
use crate::config::settings::{AnswerKind, ListSource, ProfileSettings, Settings, Unmatched, ZoneSource};
use crate::list::set::{Gate, RuleSetId};
use crate::list::source::Format;
use crate::local::Zones;
use crate::policy::{Policy, is_of_list};
use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Settings file; without it the built-in home example
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

pub fn run(args: Args) -> Outcome {
    let Loaded { mut settings, warnings } = super::settings::load_all(args.config.as_deref())?;
    let mut warnings: Vec<String> = warnings.iter().map(ToString::to_string).collect();
    let over = settings.over((clock::now().unix_ms / 1000) as i64);
    warnings.extend(over.iter().map(ToString::to_string));
    files(&settings)?;
    Zones::build(&settings).map_err(Failure::usage)?;
    let held = lists::Held::of(&settings, false)?;
    let connected = connected::networks();
    let policy = Policy::build_at(&held.gate, &settings, &connected, clock::now().unix_s()).map_err(Failure::usage)?;
    for list in &held.missing {
        warnings.push(format!(
            "list {list} was never fetched; `stairgate update` fetches it, and a start waits for it"
        ));
    }
    about_lists(&settings, &held.gate, &mut warnings);
    about_policy(&settings, &held.gate, &policy, &mut warnings);
    warnings.extend(about_page(&settings));
    warnings.extend(together::about(&settings, clock::now()));
    about_machine(&settings, &mut warnings);
    let read = |file: &str| std::fs::read_to_string(file).unwrap_or_default();
    let resolvers = rdnss::neighbors(&rdnss::FILES.map(read).join("\n"), &read(rdnss::OWN), &connected);
    warnings.extend(about_resolvers(&settings, &resolvers));
    warnings.extend(super::serve::listen::leave_out(&mut settings, try_address));
    let bound = listen(&settings, &mut warnings);
    for warning in &warnings {
        eprintln!("warning: {warning}");
    }
    bound?;
    let what = settings.file.as_ref().map_or_else(
        || "the built-in home example".to_owned(),
        |file| file.display().to_string(),
    );
    let told = match warnings.len() {
        0 => String::new(),
        1 => "; 1 warning".to_owned(),
        more => format!("; {more} warnings"),
    };
    writeln!(io::stdout(), "{what}: would start{told}")?;
    Ok(Exit::Done)
}

/// Files that the settings name beside lists must be there.
fn files(settings: &Settings) -> Result<(), Failure> {
    let zones = settings.zones.iter().filter_map(|zone| match &zone.source {
        ZoneSource::File(path) => Some(("zone.file", path)),
        ZoneSource::Forward { .. } => None,
    });
    let named = [
        ("resolver.root_hints", &settings.resolver.root_hints),
        ("resolver.trust_anchor", &settings.resolver.trust_anchor),
    ];
    let named = named
        .into_iter()
        .filter_map(|(key, path)| path.as_ref().map(|path| (key, path)));
    for (key, path) in zones.chain(named) {
        std::fs::File::open(path).map_err(|error| {
            Failure::usage(format_args!(
                "{key} = {}: {error}; correct the path or leave the key out",
                path.display()
            ))
        })?;
    }
    Ok(())
}

/// Of a list's entries so many may be rejected before it is worth a word, in hundredths.
const MANY_REJECTS: u64 = 5;

/// A list is taken to name whole sites if so many hundredths of its names are sites themselves.
const WHOLE_SITES: u64 = 60;

fn about_lists(settings: &Settings, gate: &Gate, warnings: &mut Vec<String>) {
    if settings.lists.is_empty() && settings.gate.is_none() {
        warnings.push(
            "there is no list, so that nothing but the profiles' own names is filtered; add a [[list]]".to_owned(),
        );
    }
    for source in gate.sources() {
        let counts = &source.counts;
        if counts.rules == 0 {
            warnings.push(format!(
                "list {} has no rules; check that it is what it should be",
                source.name
            ));
        }
        let entries = counts.rules + counts.rejects;
        if counts.rejects * 100 > entries * MANY_REJECTS {
            let first = source.rejects.first().map_or_else(String::new, |reject| {
                format!(" (line {}: {})", reject.line, reject.reason)
            });
            warnings.push(format!(
                "list {}: {} of {entries} entries were rejected{first}; `stairgate inspect` shows them, and format may be wrong",
                source.name, counts.rejects
            ));
        }
    }
    for name in whole_sites(gate) {
        warnings.push(format!(
            "list {name} is a hosts file that names whole sites; match = \"subtree\" would also block what is below them"
        ));
    }
    for list in &settings.lists {
        if let ListSource::Path(path) = &list.source
            && !gate.sources().iter().any(|source| is_of_list(&source.name, &list.name))
        {
            warnings.push(format!("list {}: {} holds no list", list.name, path.display()));
        }
    }
}

/// Hosts lists whose names are mostly sites: `x.tld`, or `www.x.tld`.
fn whole_sites(gate: &Gate) -> Vec<String> {
    let sources = gate.sources();
    let asked = |index: usize| {
        let source = &sources[index];
        source.format == Format::Hosts && source.match_scope.is_none() && !source.is_allow()
    };
    let mut seen = vec![(0u64, 0u64); sources.len()];
    if !(0..sources.len()).any(asked) {
        return Vec::new();
    }
    for shard in 0..gate.shard_count() {
        let mut keys = gate.shard_keys(shard, b"");
        while let Some((key, set)) = keys.next() {
            let labels: Vec<&[u8]> = key
                .split(|&byte| byte == b'.')
                .filter(|label| !label.is_empty())
                .collect();
            let site = matches!(labels.as_slice(), [_, _] | [_, _, b"www"]);
            for rule in gate.rules_of(RuleSetId(set)) {
                if let Some(rule) = gate.rule(rule) {
                    let (names, sites) = &mut seen[usize::from(rule.source.0)];
                    *names += 1;
                    *sites += u64::from(site);
                }
            }
        }
    }
    (0..sources.len())
        .filter(|&index| asked(index))
        .filter(|&index| seen[index].0 >= 20 && seen[index].1 * 100 >= seen[index].0 * WHOLE_SITES)
        .map(|index| sources[index].name.clone())
        .collect()
}

/// A block page that nobody is led to. The other way round somebody else's page may be meant.
fn about_page(settings: &Settings) -> Option<String> {
    let leads = |profile: &ProfileSettings| profile.answer == AnswerKind::Page;
    (!settings.page.listen.is_empty() && !settings.profiles.iter().any(leads)).then(|| {
        "[page] listens, but no profile leads anybody there; write answer = \"page\" and answer_addresses in the profiles of children"
            .to_owned()
    })
}

fn about_policy(settings: &Settings, gate: &Gate, policy: &Policy, warnings: &mut Vec<String>) {
    if settings.gate.is_some() {
        // Of lists that the settings name this was told when they were read.
        let everything = settings.profiles.iter().any(|profile| profile.every_category);
        let blocked = |source: &crate::list::set::SourceInfo| {
            let words = settings.profiles.iter().flat_map(|profile| &profile.block);
            everything
                || words
                    .into_iter()
                    .any(|word| *word == source.category || is_of_list(&source.name, word))
        };
        let idle: BTreeSet<&str> = gate
            .sources()
            .iter()
            .filter(|source| !source.is_allow() && !blocked(source))
            .map(|source| source.category.as_str())
            .collect();
        for category in idle {
            warnings.push(format!(
                "no profile blocks the category \"{category}\" of the gate file; add it to a profile's block if it is wanted"
            ));
        }
    }
    for client in &settings.clients {
        for network in &client.networks {
            if policy.client(network.addr(), 0).is_none() && settings.server.unmatched != Unmatched::Refuse {
                let why = match settings.server.allow {
                    Some(_) => "it is not in allow in [server]",
                    None => "this machine is not directly connected to it",
                };
                warnings.push(format!(
                    "client \"{}\": {network} may not ask, since {why}; add it to allow in [server]",
                    client.name
                ));
            }
        }
    }
}

/// What the machine does to clients and to port 53.
fn about_machine(settings: &Settings, warnings: &mut Vec<String>) {
    let contained = ["/.dockerenv", "/run/.containerenv"]
        .iter()
        .any(|file| Path::new(file).exists());
    if contained && !settings.clients.is_empty() {
        warnings.push(
            "this is a container: a bridge network hides the addresses of clients, so that every query seems to come from the \
             bridge and no [[client]] matches; run it with host networking"
                .to_owned(),
        );
    }
    let on_53 = settings.server.listen.iter().any(|addr| addr.port() == 53);
    let stub = Path::new("/run/systemd/resolve/stub-resolv.conf").exists();
    let wildcard = settings.server.listen.iter().any(|addr| addr.ip().is_unspecified());
    if on_53 && stub && wildcard {
        warnings.push(
            "systemd-resolved answers on 127.0.0.53:53; set DNSStubListener=no in /etc/systemd/resolved.conf and restart it, or \
             listen on this machine's own addresses only"
                .to_owned(),
        );
    }
}

/// What devices of the network are told beside what they should be; `resolvers` as [`rdnss::neighbors`] finds them.
fn about_resolvers(settings: &Settings, resolvers: &[String]) -> Option<String> {
    // Who serves nobody but this machine need not care about the network.
    let for_others = settings.server.listen.iter().any(|addr| !addr.ip().is_loopback());
    (for_others && !resolvers.is_empty()).then(|| {
        format!(
            "this network advertises a resolver of its own over IPv6 ({}), and devices that ask it go around this server; switch off \
             \"DNS over IPv6\" or \"RDNSS\" in the router, or enter this server's IPv6 address there and add it to listen",
            resolvers.join(", ")
        )
    })
}

/// Tries every address. The running server itself may hold them.
fn listen(settings: &Settings, warnings: &mut Vec<String>) -> Result<(), Failure> {
    let names = settings
        .server
        .listen
        .iter()
        .map(|&addr| (addr, "[server]", try_address(addr)));
    let pages = settings
        .page
        .listen
        .iter()
        .map(|&addr| (addr, "[page]", try_stream(addr)));
    let failed = names
        .chain(pages)
        .find_map(|(addr, section, tried)| Some((addr, section, tried.err()?)));
    match failed {
        Some((addr, _, error)) if error.kind() == io::ErrorKind::AddrInUse && is_running(settings) => {
            warnings.push(format!("{addr} is held by the server that is running now"));
            Ok(())
        }
        Some((addr, section, error)) => Err(Failure::failed(super::serve::advice::bind(addr, section, &error))),
        None => Ok(()),
    }
}

/// Whether a server answers on the control socket of these settings.
fn is_running(settings: &Settings) -> bool {
    std::os::unix::net::UnixStream::connect(settings.state_dir.join("control.sock")).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resolver_of_the_router_is_worth_a_warning_only_to_who_serves_the_network() {
        let mut settings = Settings::builtin(Path::new("/"));
        let resolvers = ["fe80::1%eth0".to_owned()];
        assert_eq!(about_resolvers(&settings, &resolvers), None);
        settings.server.listen = vec!["192.168.1.2:53".parse().expect("an address")];
        assert_eq!(about_resolvers(&settings, &[]), None);
        let warning = about_resolvers(&settings, &resolvers).expect("a warning");
        assert!(
            warning.contains("fe80::1%eth0") && warning.contains("RDNSS"),
            "{warning}"
        );
    }
}
