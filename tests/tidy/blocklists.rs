//! The lists that come along, and the catalogue of those that can be had.

use crate::{files, report, root};
use std::collections::BTreeSet;
use std::fs;

#[test]
fn the_catalogue_of_lists_can_be_copied_into_settings() {
    let text = fs::read_to_string(root().join("blocklists/sources.toml")).expect("the catalogue");
    let catalogue: toml::Table = text.parse().expect("the catalogue is TOML");
    let entries = catalogue["source"].as_array().expect("[[source]] entries");
    assert!(entries.len() >= 30, "the catalogue is short");
    let formats = [
        "auto", "hosts", "domains", "wildcard", "adguard", "regex", "rpz", "dnsmasq", "unbound", "dnscrypt", "v2fly",
        "dump",
    ];
    let licences = ["Unlicense", "CC0-1.0", "MIT", "GPL-3.0", "CC-BY-SA-4.0"];
    let mut names = BTreeSet::new();
    let mut failures = Vec::new();
    for entry in entries {
        let entry = entry.as_table().expect("an entry is a table");
        let field = |key: &str| entry.get(key).and_then(toml::Value::as_str).unwrap_or_default();
        let name = field("name");
        let mut check = |holds: bool, what: &str| {
            if !holds {
                failures.push(format!("{name}: {what}"));
            }
        };
        let word = |text: &str| {
            !text.is_empty()
                && text
                    .bytes()
                    .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-'))
        };
        check(
            word(name) && names.insert(name.to_owned()),
            "name is empty, odd or taken",
        );
        check(field("url").starts_with("https://"), "url is not https");
        check(field("homepage").starts_with("https://"), "homepage is not https");
        check(formats.contains(&field("format")), "format is none of DESIGN's words");
        check(word(field("category")), "category is not a word");
        check(licences.contains(&field("licence")), "licence is unknown");
        check(field("about").ends_with('.'), "about is not a sentence");
        check(
            !entry.contains_key("match") || matches!(field("match"), "exact" | "subtree"),
            "match is odd",
        );
        for key in entry.keys() {
            let known = [
                "name",
                "url",
                "homepage",
                "format",
                "category",
                "licence",
                "about",
                "match",
                "languages",
                "seen",
            ];
            check(known.contains(&key.as_str()), &format!("unknown key {key}"));
        }
    }
    report(&failures, "blocklists/sources.toml:");
}

#[test]
fn starter_lists_are_small_sorted_and_carry_their_notices() {
    let starter = root().join("blocklists/starter");
    let notice = fs::read_to_string(root().join("blocklists/NOTICE.md")).expect("the notices");
    let mut failures = Vec::new();
    let mut categories = BTreeSet::new();
    let mut bytes = 0;
    for file in files(&starter, &["domains", "hosts"]) {
        let text = fs::read_to_string(&file).expect("a starter list is UTF-8");
        let path = file
            .strip_prefix(&starter)
            .expect("below")
            .to_string_lossy()
            .into_owned();
        bytes += text.len();
        categories.insert(path.split('/').next().unwrap_or_default().to_owned());
        let names: Vec<&str> = text
            .lines()
            .filter(|l| !l.starts_with('#'))
            .map(|l| l.trim_start_matches("0.0.0.0 "))
            .collect();
        if !names.is_sorted_by(|a, b| a < b) {
            failures.push(format!("{path}: not sorted, or a name stands twice"));
        }
        if !text.contains(&format!("Names: {}.", names.len())) {
            failures.push(format!("{path}: the heading's count is not {}", names.len()));
        }
        let sources = text
            .lines()
            .find_map(|l| l.strip_prefix("# Taken from "))
            .unwrap_or_default();
        for source in sources.trim_end_matches('.').split(", ") {
            if source.is_empty() || !notice.contains(&format!("https://github.com/{source})")) {
                failures.push(format!("{path}: NOTICE.md does not name {source:?}"));
            }
        }
    }
    assert_eq!(
        categories.iter().map(String::as_str).collect::<Vec<_>>(),
        [
            "adult", "bypass", "drugs", "gambling", "malware", "phishing", "violence"
        ]
    );
    assert!(bytes < 800_000, "{bytes} bytes of starter lists go into every binary");
    for licence in notice.split('`').skip(1).step_by(2).filter(|word| word.contains("__")) {
        if !root().join("blocklists/LICENSES").join(licence).exists() {
            failures.push(format!("blocklists/LICENSES/{licence} is missing"));
        }
    }
    report(&failures, "blocklists/starter:");
}
