//! The same names in several formats: what each file of a group has beyond or short of its first, entry by entry.
//!
//! Needs the corpus, as `corpus` does. The tables hold the differences that the sources themselves have; with `match` set
//! alike, keys and scopes agree outside them.

use super::corpus::{keys, lists, read};
use stairgate::config::settings::MatchScope;
use stairgate::dns::key::to_text;
use stairgate::list::rule::Scope;
use stairgate::list::source::{Format, expand};
use std::collections::BTreeSet;

/// A file, the format it is in, and how its names differ from those of the group's first file.
struct Member {
    file: &'static str,
    format: Format,
    /// How many names the file has that the first has not, and how many of the first's it lacks.
    more: usize,
    fewer: usize,
    /// Some of these names, so that equal numbers of other names do not pass.
    such_as: &'static [&'static str],
    /// Whether each name it has more is below one of the first's.
    below: bool,
    why: &'static str,
}

const fn same(file: &'static str, format: Format) -> Member {
    differs(file, format, (0, 0), &[], "")
}

/// `(more, fewer)` names than the first file.
const fn differs(
    file: &'static str,
    format: Format,
    (more, fewer): (usize, usize),
    such_as: &'static [&'static str],
    why: &'static str,
) -> Member {
    Member {
        file,
        format,
        more,
        fewer,
        such_as,
        below: false,
        why,
    }
}

impl Member {
    const fn below_the_first(self) -> Member {
        Member { below: true, ..self }
    }
}

const SLASHED: &[&str] = &["hentai.animestigma.com", "javmovie.com", "justicehentai.com"];
const SLASHED_AND_LOCAL: &[&str] = &[
    "hentai.animestigma.com",
    "javmovie.com",
    "justicehentai.com",
    "localhost",
    "localhost.localdomain",
];
const SLASH: &str = "a name with a slash is a URL in a list of plain entries only";
const SLASH_AND_PREAMBLE: &str =
    "a name with a slash is a URL in a list of plain entries only; localhost is the preamble of a hosts file";
const KEPT: &str = "the source keeps more names in this one";
const SUBDOMAINS: &str = "the source lists subdomains too where a rule is about one name";

/// Groups of names: how many the first file has, then its members.
const GROUPS: &[(usize, &[Member])] = &[
    (
        51973,
        &[
            same("adult/energized-porn-lite.domains.zst", Format::Domains),
            same("adult/energized-porn-lite.one-line.txt.zst", Format::Domains),
            same("adult/energized-porn-lite.adblock.zst", Format::Adguard),
            same("adult/energized-porn-lite.dnsmasq.conf.zst", Format::Dnsmasq),
            same("adult/energized-porn-lite.dnsmasq6.conf.zst", Format::Dnsmasq),
            differs("adult/energized-porn-lite.rpz.zst", Format::Rpz, (0, 3), SLASHED, SLASH),
            differs(
                "adult/energized-porn-lite.unbound.conf.zst",
                Format::Unbound,
                (0, 3),
                SLASHED,
                SLASH,
            ),
            differs(
                "adult/energized-porn-lite.hosts.zst",
                Format::Hosts,
                (0, 5),
                SLASHED_AND_LOCAL,
                SLASH_AND_PREAMBLE,
            ),
            differs(
                "adult/energized-porn-lite.hosts6.zst",
                Format::Hosts,
                (0, 5),
                SLASHED_AND_LOCAL,
                SLASH_AND_PREAMBLE,
            ),
        ],
    ),
    (
        26029,
        &[
            same("drugs/blocklistproject-drugs.domains.zst", Format::Domains),
            same("drugs/blocklistproject-drugs.adguard.zst", Format::Adguard),
            same("drugs/blocklistproject-drugs.dnsmasq.conf.zst", Format::Dnsmasq),
            same("drugs/blocklistproject-drugs.hosts.zst", Format::Hosts),
        ],
    ),
    (
        714,
        &[
            same("bypass/hagezi-doh-vpn-proxy-bypass.wildcard.zst", Format::Wildcard),
            same("bypass/hagezi-doh-vpn-proxy-bypass.adblock.zst", Format::Adguard),
            same("bypass/hagezi-doh-vpn-proxy-bypass.dnsmasq.conf.zst", Format::Dnsmasq),
            same("bypass/hagezi-doh-vpn-proxy-bypass.unbound.conf.zst", Format::Unbound),
            differs(
                "bypass/hagezi-doh-vpn-proxy-bypass.domains.zst",
                Format::Domains,
                (491, 0),
                &["adblock.doh.mullvad.net"],
                SUBDOMAINS,
            )
            .below_the_first(),
            differs(
                "bypass/hagezi-doh-vpn-proxy-bypass.hosts.zst",
                Format::Hosts,
                (491, 0),
                &["adblock.doh.mullvad.net"],
                SUBDOMAINS,
            )
            .below_the_first(),
        ],
    ),
    (
        135,
        &[
            same("safesearch/hagezi-nosafesearch.wildcard.zst", Format::Wildcard),
            same("safesearch/hagezi-nosafesearch.unbound.conf.zst", Format::Unbound),
            differs(
                "safesearch/hagezi-nosafesearch.hosts.zst",
                Format::Hosts,
                (40, 0),
                &["www.ecosia.org"],
                SUBDOMAINS,
            )
            .below_the_first(),
        ],
    ),
    (
        3156,
        &[
            same("ads/nickspaargaren-google.adguard.zst", Format::Adguard),
            same("ads/nickspaargaren-google.rpz.zst", Format::Rpz),
            differs(
                "ads/nickspaargaren-google.dnsmasq.conf.zst",
                Format::Dnsmasq,
                (3676, 0),
                &["0.firebaseio.com"],
                KEPT,
            ),
            differs(
                "ads/nickspaargaren-google.unbound.conf.zst",
                Format::Unbound,
                (3676, 0),
                &["0.firebaseio.com"],
                KEPT,
            ),
            differs(
                "ads/nickspaargaren-google.domains.zst",
                Format::Domains,
                (36, 2118),
                &["google.aw", "104.page.link"],
                "the source lists whole domains in this one",
            ),
        ],
    ),
    (
        2116,
        &[
            same("social/jmdugan-facebook.hosts6.zst", Format::Hosts),
            same("social/jmdugan-facebook.adblock.zst", Format::Adguard),
            differs(
                "social/jmdugan-facebook.hosts.zst",
                Format::Hosts,
                (1, 0),
                &["graph.fbpigeon.com"],
                "the source added the name to this one only",
            ),
        ],
    ),
    (
        139978,
        &[
            same("bulk/ads/hagezi-light.dnsmasq.conf.zst", Format::Dnsmasq),
            differs(
                "bulk/ads/hagezi-light.unbound.conf.zst",
                Format::Unbound,
                (3524, 61187),
                &["016665.com", "0.github.net.zooplus.de"],
                "of another day, and only the topmost names",
            ),
        ],
    ),
];

#[test]
fn files_of_a_group_hold_the_same_names_outside_the_table() {
    let Some(lists) = lists("files_of_a_group_hold_the_same_names_outside_the_table") else {
        return;
    };
    let mut faults = Vec::new();
    for (count, members) in GROUPS {
        let mut first: Option<BTreeSet<Vec<u8>>> = None;
        for member in *members {
            let file = lists.join(member.file);
            let mut spec = expand(file.to_str().unwrap(), None, false).unwrap().remove(0);
            spec.match_scope = Some(MatchScope::Subtree);
            let (format, parsed) = read(&spec);
            assert_eq!(format, member.format, "{}", member.file);
            assert!(
                parsed.names.iter().all(|entry| entry.scope == Scope::Subtree),
                "match is set for all"
            );
            let names = keys(&parsed);
            let first = first.get_or_insert_with(|| names.clone());
            let more: BTreeSet<String> = names.difference(first).map(|key| to_text(key)).collect();
            let fewer: BTreeSet<String> = first.difference(&names).map(|key| to_text(key)).collect();
            if (more.len(), fewer.len()) != (member.more, member.fewer) {
                let some = |set: &BTreeSet<String>| set.iter().take(12).cloned().collect::<Vec<_>>();
                faults.push(format!(
                    "{}: {} more {:?}, {} fewer {:?}; the table says {} and {} ({})",
                    member.file,
                    more.len(),
                    some(&more),
                    fewer.len(),
                    some(&fewer),
                    member.more,
                    member.fewer,
                    member.why
                ));
            }
            if member.below {
                let apart = names.iter().find(|key| {
                    let ends = key.iter().enumerate().filter(|&(_, &byte)| byte == b'.');
                    !ends.map(|(end, _)| &key[..=end]).any(|parent| first.contains(parent))
                });
                if let Some(key) = apart {
                    faults.push(format!("{}: {} is below no listed name", member.file, to_text(key)));
                }
            }
            for name in member.such_as {
                if !more.contains(*name) && !fewer.contains(*name) {
                    faults.push(format!("{}: {name} is no difference ({})", member.file, member.why));
                }
            }
        }
        let found = first.map_or(0, |first| first.len());
        if found != *count {
            faults.push(format!("{}: {found} names, not {count}", members[0].file));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
