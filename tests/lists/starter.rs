//! The starter lists do what the README says the default does.

use stairgate::dns::key::Key;
use stairgate::list::compile::{CompileOptions, Compiled, compile};
use stairgate::list::rule::Scope;
use stairgate::list::set::Gate;
use stairgate::list::source::{expand_path, unique_names};
use stairgate::list::verify::Unverified;
use std::path::Path;

fn compiled() -> Compiled {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("blocklists/starter");
    let mut lists = expand_path(&folder, None, None, false).expect("the starter lists are there");
    unique_names(&mut lists);
    compile(lists, &CompileOptions::default()).expect("the starter lists compile")
}

/// The categories of the rules that match `name`.
fn categories(gate: &Gate, name: &str) -> Vec<String> {
    let key = Key::parse(name).expect("a name");
    let mut sets = Vec::new();
    gate.walk(&key, |labels, set| sets.push((labels, set)));
    let mut found = Vec::new();
    for (labels, set) in sets {
        for rule in gate.rules_of(set).filter_map(|id| gate.rule(id)) {
            let covers = match rule.scope {
                Scope::Exact => labels == key.label_count(),
                Scope::Subtree => true,
                Scope::Below => labels < key.label_count(),
            };
            if covers {
                found.push(gate.sources()[usize::from(rule.source.0)].category.clone());
            }
        }
    }
    found.sort();
    found.dedup();
    found
}

#[test]
fn no_line_of_a_starter_list_is_rejected_or_skipped() {
    let report = compiled().report;
    assert_eq!(report.sources.len(), 9);
    for source in &report.sources {
        let counts = &source.counts;
        assert_eq!(
            (counts.rejected_lines, counts.rejects, counts.skipped),
            (0, 0, 0),
            "{}",
            source.name
        );
        assert_eq!(counts.comments, 3, "{}: the heading", source.name);
    }
    assert!(report.names > 30_000, "{} names", report.names);
}

#[test]
fn the_default_knows_what_everybody_would_ask_about_first() {
    let gate = Unverified::new(compiled().gate)
        .verify()
        .expect("what was just compiled verifies");
    for (name, category) in [
        ("pornhub.com", "adult"),
        ("m.xvideos.com", "adult"),
        ("www.bet365.com", "gambling"),
        ("stake.com", "gambling"),
        ("leafly.com", "drugs"),
        ("bestgore.com", "violence"),
        ("nordvpn.com", "bypass"),
        ("www.torproject.org", "bypass"),
        ("dns.google", "bypass"),
        ("chrome.cloudflare-dns.com", "bypass"),
    ] {
        assert_eq!(categories(gate.gate(), name), [category], "{name}");
    }
}

#[test]
fn the_default_leaves_alone_what_a_household_needs() {
    let gate = Unverified::new(compiled().gate)
        .verify()
        .expect("what was just compiled verifies");
    for name in [
        "wikipedia.org",
        "www.google.com",
        "google.com",
        "youtube.com",
        "bbc.co.uk",
        "www.microsoft.com",
        "apple.com",
        "icloud.com",
        "github.com",
        "checkpoint.com",
        "opera.com",
        "app.fly.io",
        "www.nhs.uk",
        "example.com",
        "use-application-dns.net",
    ] {
        assert!(
            categories(gate.gate(), name).is_empty(),
            "{name}: {:?}",
            categories(gate.gate(), name)
        );
    }
}
