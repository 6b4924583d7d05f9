//! What the code may hold and where: clocks, locks, `unsafe`, the length of a file; and why each dependency is there.

use crate::source::sources;
use crate::{report, root};
use std::fs;

/// Words that may not stand in the code of a module (its tests may use them).
const WITHOUT: &[(&str, &[&str])] = &[
    ("dns", &["tokio::", "std::net::Udp", "std::net::Tcp", "Mutex", "RwLock"]),
    (
        "policy",
        &[
            "tokio::",
            "UdpSocket",
            "TcpStream",
            "TcpListener",
            "Mutex",
            "RwLock",
            "Instant",
            "SystemTime",
        ],
    ),
    ("query", &["tokio::", "tracing::", "Mutex", "RwLock", "SystemTime"]),
];

/// Ways to read a clock. They stand in `clock.rs` and nowhere else.
const CLOCKS: &[&str] = &[
    "Instant::now",
    "SystemTime::now",
    "Timestamp::now",
    "Zoned::now",
    ".elapsed()",
];

/// Where `unsafe` may stand: the memory map, and the system calls that no safe crate offers.
const UNSAFE: &[&str] = &["list/set", "listener/udp"];

/// Longest source file, in lines, its tests included.
const FILE_LINES: usize = 700;

#[test]
fn only_clock_reads_the_time() {
    let mut failures = Vec::new();
    for source in sources().iter().filter(|s| s.path != "clock.rs") {
        for (number, line) in source.code.lines().enumerate() {
            for clock in CLOCKS.iter().filter(|clock| line.contains(**clock)) {
                failures.push(format!("src/{}:{}: {clock}", source.path, number + 1));
            }
        }
    }
    report(
        &failures,
        "Only clock.rs reads a clock; everyone else asks `clock` or is told `now`:",
    );
}

#[test]
fn pure_modules_name_no_sockets_clocks_or_locks() {
    let mut failures = Vec::new();
    for source in sources() {
        for (module, words) in WITHOUT.iter().filter(|(module, _)| *module == source.module()) {
            for (number, line) in source.code.lines().enumerate() {
                for word in words.iter().filter(|word| line.contains(**word)) {
                    failures.push(format!("src/{}:{}: {module} uses {word}", source.path, number + 1));
                }
            }
        }
    }
    report(&failures, "These modules are pure:");
}

#[test]
fn every_unsafe_block_stands_where_it_may_and_carries_its_proof() {
    let mut failures = Vec::new();
    for source in sources() {
        let lines: Vec<&str> = source.text.lines().collect();
        for (number, code) in source.code.lines().enumerate() {
            let words = code.split(|c: char| !(c.is_alphanumeric() || c == '_'));
            if !words.into_iter().any(|word| word == "unsafe") {
                continue;
            }
            let place = format!("src/{}:{}", source.path, number + 1);
            if !UNSAFE.iter().any(|file| source.under(file)) {
                failures.push(format!("{place}: unsafe stands only in {}", UNSAFE.join(", ")));
            }
            // The comment right above, past attributes and the first line of a statement that was broken.
            let above = lines[number.saturating_sub(12)..=number].iter().rev();
            let mut other = 0;
            let proven = above.take_while(|line| {
                let line = line.trim_start();
                other += usize::from(!line.starts_with("//") && !line.starts_with("#["));
                other <= 3
            });
            if !proven
                .into_iter()
                .any(|line| line.contains("SAFETY:") || line.contains("# Safety"))
            {
                failures.push(format!("{place}: no SAFETY comment above it"));
            }
        }
    }
    report(&failures, "Every unsafe block has a place and a proof:");
}

#[test]
fn every_source_file_opens_with_what_it_is_for_and_ends_before_it_is_too_long() {
    let mut failures = Vec::new();
    for source in sources() {
        if !source.tests && !source.text.trim_start().starts_with("//!") {
            failures.push(format!("src/{}: does not begin with //!", source.path));
        }
        let lines = source.text.lines().count();
        if lines > FILE_LINES {
            failures.push(format!(
                "src/{}: {lines} lines, more than {FILE_LINES}; split it by subject",
                source.path
            ));
        }
    }
    report(&failures, "A page says what it is for:");
}

#[test]
fn every_dependency_says_why_it_is_worth_it() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).expect("Cargo.toml");
    let mut in_dependencies = false;
    // Dependencies one comment may speak for, such as three compressions.
    let mut left = 0_usize;
    let mut seen = 0;
    let mut failures = Vec::new();
    for (number, line) in manifest.lines().enumerate() {
        let line = line.trim();
        if line.starts_with('[') {
            in_dependencies = line.contains("dependencies");
            left = 0;
        } else if line.starts_with('#') {
            left = 4;
        } else if line.is_empty() {
            left = 0;
        } else if in_dependencies && line.split_once('=').is_some() {
            seen += 1;
            if left == 0 {
                failures.push(format!("Cargo.toml:{}: {line}", number + 1));
            }
            left = left.saturating_sub(1);
        }
    }
    assert!(seen > 10, "the dependencies were not found");
    report(
        &failures,
        "A dependency has a comment above it that says why it is worth it:",
    );
}
