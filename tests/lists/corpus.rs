//! Every real list of the corpus against what its README counts, independently of this program.
//!
//! Needs the corpus (`STAIRGATE_CORPUS`, or `../shared` beside the package); skipped without it.

use stairgate::list::parse::parse;
use stairgate::list::rule::{Parsed, Pattern};
use stairgate::list::source::{Format, SourceSpec, expand};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// The folder of lists, if it is there; says so if not.
pub fn lists(test: &str) -> Option<PathBuf> {
    let corpus = std::env::var_os("STAIRGATE_CORPUS").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared"),
        PathBuf::from,
    );
    let lists = corpus.join("lists");
    if lists.join("README.md").is_file() {
        return Some(lists);
    }
    eprintln!("{test}: skipped, there is no {}", lists.display());
    None
}

/// Reads and parses one list as the command line would.
pub fn read(spec: &SourceSpec) -> (Format, Parsed) {
    let unpacked = spec.read().unwrap_or_else(|error| panic!("{error}"));
    parse(&unpacked.bytes, &spec.options()).unwrap_or_else(|error| panic!("{}: {error}", spec.name))
}

/// The different names of a list, as gate keys.
pub fn keys(parsed: &Parsed) -> BTreeSet<Vec<u8>> {
    parsed.names.iter().map(|entry| parsed.key(entry).to_vec()).collect()
}

/// Lists whose names are counted otherwise here: how many there are, and why.
const DIFFERENT_NAMES: &[(&str, usize, &str)] = &[
    (
        "ads/adguard-dns-filter.adguard.zst",
        158754,
        "open ends (`||x`, `||x.`) and bare words that are no host name (`-ikln.`) are patterns, not names",
    ),
    ("ads/nickspaargaren-google.adguard.zst", 3156, HYPHEN),
    ("ads/nickspaargaren-google.dnsmasq.conf.zst", 6832, HYPHEN),
    ("ads/nickspaargaren-google.rpz.zst", 3156, HYPHEN),
    ("ads/nickspaargaren-google.unbound.conf.zst", 6832, HYPHEN),
    ("adult/energized-porn-lite.adblock.zst", 51973, SLASH),
    ("adult/energized-porn-lite.domains.zst", 51973, SLASH),
    ("adult/energized-porn-lite.one-line.txt.zst", 51973, SLASH),
    ("adult/energized-porn-lite.hosts.zst", 51968, PREAMBLE),
    ("adult/energized-porn-lite.hosts6.zst", 51968, PREAMBLE),
    ("adult/energized-porn.hosts.zst", 505667, PREAMBLE),
    ("malware/energized-basic.hosts.zst", 616610, PREAMBLE),
    ("adult/stevenblack-porn.hosts.zst", 153930, HYPHEN),
    (
        "allow/hagezi-referral.adguard.zst",
        858,
        "`@@||mtpc.se` has an open end: a pattern",
    ),
    ("bulk/adult/columndeeply-04.hosts.zst", 90447, HYPHEN),
    ("bulk/adult/skiddle-domains-2024.domains.zst", 177155, HYPHEN),
    (
        "bulk/malware/romainmarcoux-full-ab.domains.zst",
        63939,
        "four numbers that are no address are no name",
    ),
    ("bulk/scam/shadowwhisperer-typo-2020.domains.zst", 109574, HYPHEN),
    (
        "gambling/skiddle-judi.domains.zst",
        231656,
        "U-labels, and URLs that end with the host, are names",
    ),
    ("phishing/phishing-database-active.domains.zst", 135685, HYPHEN),
    (
        "special/powerdns-basic.rpz.zst",
        6,
        "client, address and name-server triggers are no names",
    ),
];

const HYPHEN: &str = "labels may begin and end with a hyphen";
const SLASH: &str = "a slash at the end of a name is a URL of the whole site";
const PREAMBLE: &str = "localhost and its like are skipped";

/// Files whose name says one format and whose content is plain names, which is another.
const PLAIN_NAMES: [&str; 2] = ["adult/stevenblack-porn.hosts.zst", "gambling/hagezi-gambling.hosts.zst"];

/// The word of a format as the README writes it, to the formats it may be.
fn formats(word: &str) -> &'static [Format] {
    let word = word.split([' ', ',']).next().unwrap_or("");
    match word {
        "hosts" => &[Format::Hosts],
        "domains" | "comma" | "IP" => &[Format::Domains],
        "wildcard" => &[Format::Wildcard],
        "adguard" | "adblock" => &[Format::Adguard],
        "regex" => &[Format::Regex],
        "rpz" => &[Format::Rpz],
        "dnsmasq" => &[Format::Dnsmasq],
        "unbound" => &[Format::Unbound],
        "v2fly" => &[Format::V2fly],
        other => panic!("the README speaks of the format \"{other}\""),
    }
}

#[test]
fn every_list_of_the_corpus_has_the_lines_and_names_its_readme_counts() {
    let Some(lists) = lists("every_list_of_the_corpus_has_the_lines_and_names_its_readme_counts") else {
        return;
    };
    let readme = std::fs::read_to_string(lists.join("README.md")).unwrap();
    let different: BTreeMap<&str, usize> = DIFFERENT_NAMES.iter().map(|&(file, names, _)| (file, names)).collect();
    let (mut files, mut faults, mut met) = (0, Vec::new(), BTreeSet::new());
    for row in readme.lines() {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let (Some(file), 13) = (cells.first().filter(|file| file.ends_with(".zst")), cells.len()) else {
            continue;
        };
        files += 1;
        let spec = expand(lists.join(file).to_str().unwrap(), None, false)
            .unwrap()
            .remove(0);
        let (format, parsed) = read(&spec);
        let counts = parsed.counts;
        let (lines, names): (u64, usize) = (cells[10].parse().unwrap(), cells[11].parse().unwrap());
        let found = keys(&parsed).len();
        let expected = match different.get(file) {
            Some(&names) => {
                met.insert(*file);
                names
            }
            None => names,
        };
        if counts.lines != lines {
            faults.push(format!("{file}: {} lines, {lines} by the README", counts.lines));
        }
        if found != expected {
            faults.push(format!(
                "{file}: {found} names, {expected} expected, {names} by the README ({})",
                cells[12]
            ));
        }
        if counts.lines != counts.rule_lines + counts.comments + counts.skipped + counts.rejected_lines {
            faults.push(format!("{file}: {counts:?} do not add up"));
        }
        if !PLAIN_NAMES.contains(file) && !formats(cells[6]).contains(&format) {
            faults.push(format!("{file}: taken for {format}, {} by the README", cells[6]));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert_eq!(files, 129, "all lists were met");
    assert_eq!(
        met.len(),
        different.len(),
        "no difference is left of a list that is gone"
    );
}

#[test]
fn every_category_of_the_ut1_tar_is_a_source_and_no_alias_is() {
    let Some(lists) = lists("every_category_of_the_ut1_tar_is_a_source_and_no_alias_is") else {
        return;
    };
    let readme = std::fs::read_to_string(lists.join("README.md")).unwrap();
    let (_, table) = readme.split_once("## UT1 folder tree").unwrap();
    let tar = lists.join("ut1/ut1-2026-08-17.tar.zst");
    let specs = expand(tar.to_str().unwrap(), None, false).unwrap();
    let mut by_category: BTreeMap<&str, &SourceSpec> =
        specs.iter().map(|spec| (spec.category.as_str(), spec)).collect();
    assert_eq!(by_category.len(), specs.len(), "one list a category");
    for row in table.lines() {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [category, lines, names, addresses, _] = cells.as_slice() else {
            continue;
        };
        let (Ok(lines), Ok(names), Ok(addresses)) =
            (lines.parse::<u64>(), names.parse::<usize>(), addresses.parse::<usize>())
        else {
            continue;
        };
        let spec = by_category
            .remove(category)
            .unwrap_or_else(|| panic!("{category} is no source"));
        let (format, parsed) = read(spec);
        assert_eq!((format, parsed.counts.lines), (Format::Domains, lines), "{category}");
        // The README counts one name of `bank` as invalid that is none here.
        let expected = if *category == "bank" { names + 1 } else { names };
        assert_eq!(keys(&parsed).len(), expected, "{category}");
        let found = parsed
            .patterns
            .iter()
            .filter(|entry| matches!(entry.pattern, Pattern::Address(_)))
            .count();
        assert_eq!(found, addresses, "{category}");
    }
    assert!(by_category.is_empty(), "{:?} are in no row", by_category.keys());
}
