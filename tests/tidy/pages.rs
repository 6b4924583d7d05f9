//! The pages people read: links lead somewhere, ARCHITECTURE.md tells what is there, nobody's machine is named.

use crate::imports::table;
use crate::source::sources;
use crate::{files, report, root};
use std::collections::BTreeSet;
use std::fs;

/// The pages people read, with their place in the repository.
fn pages() -> Vec<(String, String)> {
    let root = root();
    files(&root, &["md"])
        .into_iter()
        .map(|file| {
            let text = fs::read_to_string(&file).expect("a page is UTF-8");
            (
                file.strip_prefix(&root)
                    .expect("below the root")
                    .to_string_lossy()
                    .into_owned(),
                text,
            )
        })
        .collect()
}

#[test]
fn every_link_in_the_pages_leads_somewhere() {
    let mut failures = Vec::new();
    let mut seen = 0;
    for (page, text) in pages() {
        let folder = root()
            .join(&page)
            .parent()
            .expect("a page stands in a folder")
            .to_path_buf();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let path = link.split('#').next().unwrap_or_default();
            if path.is_empty() || link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            seen += 1;
            if !folder.join(path).exists() {
                failures.push(format!("{page}: {link}"));
            }
        }
    }
    assert!(seen > 10, "no links were found");
    report(&failures, "Every link leads somewhere:");
}

#[test]
fn the_architecture_page_maps_every_module_and_shows_the_table_kept_here() {
    let page = fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md");
    let mut failures = Vec::new();
    let modules: BTreeSet<String> = sources().iter().map(|s| s.module().to_owned()).collect();
    for module in modules.iter().filter(|m| *m != "main") {
        if !page.contains(&format!("src/{module}.rs")) && !page.contains(&format!("src/{module}/")) {
            failures.push(format!("src/{module} is not in the map"));
        }
    }
    for path in page
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|word| word.starts_with("src/"))
    {
        if !root().join(path).exists() {
            failures.push(format!("{path} is named and does not exist"));
        }
    }
    let shown: Vec<&str> = page.lines().map(str::trim).collect();
    for row in table().lines() {
        if !shown.contains(&row) {
            failures.push(format!("the table lacks: {row}"));
        }
    }
    report(
        &failures,
        &format!("ARCHITECTURE.md tells what is there. The table:\n{}", table()),
    );
}

#[test]
fn no_page_or_source_names_a_machine_it_was_written_on() {
    // In pieces, so that this file does not find itself.
    let words = [["/wo", "rk/"], ["/ro", "ot/"]].map(|parts| parts.concat());
    let root = root();
    let mut failures = Vec::new();
    for file in files(&root, &["rs", "md", "toml", "sh", "service", "json", "zone", "yml"]) {
        let Ok(text) = fs::read_to_string(&file) else { continue };
        for (number, line) in text.lines().enumerate() {
            let absolute =
                |at: usize| !line[..at].ends_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '-'));
            if words
                .iter()
                .any(|word| line.match_indices(word.as_str()).any(|(at, _)| absolute(at)))
            {
                failures.push(format!(
                    "{}:{}: {line}",
                    file.strip_prefix(&root).expect("below").display(),
                    number + 1
                ));
            }
        }
    }
    report(&failures, "No machine's own folders:");
}
