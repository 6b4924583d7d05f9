//! Imports run one way: the table, and how imports are read out of a source file.

use crate::report;
use crate::source::{Source, sources, without_comments_and_strings, without_tests};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// Who may import whom, by top-level module. Imports run one way: a module's row names only modules of rows above it.
/// `main` and `lib` have no row: one calls `cli`, the other lists the modules.
const IMPORTS: &[(&str, &str)] = &[
    ("now", ""),
    ("limits", ""),
    ("count", ""),
    ("dns", ""),
    ("nearest", ""),
    ("checks", ""),
    ("catalogue", "dns"),
    ("schedule", "limits nearest checks"),
    ("clock", "now"),
    ("config", "now limits dns nearest catalogue schedule"),
    ("activity", "limits dns checks schedule config"),
    ("list", "now limits dns config"),
    ("household", "limits nearest catalogue schedule config list"),
    ("requests", "limits dns checks schedule list"),
    ("policy", "now limits dns catalogue schedule config activity list"),
    ("cache", "now limits dns config"),
    ("resolver", "now limits dns clock config cache"),
    ("local", "now limits dns config"),
    ("generation", "now limits dns config list policy local"),
    (
        "query",
        "now limits count dns config list policy cache resolver local generation",
    ),
    ("telemetry", "now limits count dns clock config list policy query"),
    (
        "listener",
        "now limits count dns clock config activity list policy cache resolver local generation query telemetry",
    ),
    (
        "page",
        "now limits count dns schedule clock config requests policy generation telemetry listener",
    ),
    (
        "control",
        "now limits count dns clock config activity list household requests policy cache resolver local generation query telemetry",
    ),
    (
        "cli",
        "now limits count dns catalogue schedule clock config activity list household requests policy cache resolver local generation query telemetry listener page control",
    ),
];

/// What single files or folders may import beyond their module's row, and why.
const BEYOND: &[(&str, &str, &str)] = &[
    ("list/fetch", "clock", "a download has a deadline"),
    (
        "list/fetch",
        "resolver",
        "list downloads are looked up by `resolver::bootstrap`, never by the system",
    ),
];

/// Imports of a module that are allowed for these items only.
const ONLY: &[(&str, &str, &[&str])] = &[
    ("query", "resolver", &["Question", "Answer", "Failure"]),
    ("page", "listener", &["ListenError", "Client", "client", "open"]),
];

/// The import table as `ARCHITECTURE.md` shows it.
pub fn table() -> String {
    let mut out = String::new();
    for (module, allowed) in IMPORTS {
        let _ = writeln!(out, "{module:<11}{}", allowed);
    }
    // No trailing blanks, so that editors leave the copy in ARCHITECTURE.md alone.
    out.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
}

#[test]
fn imports_run_one_way() {
    println!("{}", table());
    let rows: BTreeMap<&str, &str> = IMPORTS.iter().copied().collect();
    let mut failures = Vec::new();
    let mut above = BTreeSet::new();
    for (module, allowed) in IMPORTS {
        for name in allowed.split(' ').filter(|name| !name.is_empty()) {
            if !above.contains(&name) {
                failures.push(format!(
                    "the table lets {module} import {name}, which does not stand above it"
                ));
            }
        }
        above.insert(*module);
    }
    for source in sources() {
        let module = source.module();
        if matches!(module, "main" | "lib") {
            continue;
        }
        let Some(allowed) = rows.get(module) else {
            failures.push(format!("src/{}: module {module} has no row in the table", source.path));
            continue;
        };
        for (line, path) in crate_paths(&source) {
            let target = path[0].as_str();
            if target == module || !rows.contains_key(target) {
                continue;
            }
            let place = format!("src/{}:{line}", source.path);
            let beyond = BEYOND.iter().any(|(file, to, _)| source.under(file) && *to == target);
            if !allowed.split(' ').any(|name| name == target) && !beyond {
                failures.push(format!("{place}: {module} may not import {}", path.join("::")));
            }
            if let Some((_, _, items)) = ONLY.iter().find(|(from, to, _)| *from == module && *to == target)
                && !path.get(1).is_some_and(|item| items.contains(&item.as_str()))
            {
                failures.push(format!(
                    "{place}: {module} may import {} of {target} only",
                    items.join(", ")
                ));
            }
        }
    }
    report(&failures, &format!("Imports run one way:\n{}", table()));
}

#[test]
fn the_import_table_reads_use_trees_and_super_paths() {
    let source = Source {
        path: "list/parse/hosts.rs".into(),
        text: String::new(),
        tests: false,
        code: without_tests(&without_comments_and_strings(
            "use crate::{dns::name::Name, limits as bounds,\n config::{settings::A, B}};\nlet x = super::super::super::policy::f::<crate::now::Now>(\"crate::cli\"); // crate::cli\n#[cfg(test)]\nmod tests { use crate::control; }\n",
        )),
    };
    let mut paths: Vec<String> = crate_paths(&source)
        .into_iter()
        .map(|(line, p)| format!("{line} {}", p.join("::")))
        .collect();
    paths.sort();
    assert_eq!(
        paths,
        [
            "1 config::B",
            "1 config::settings::A",
            "1 dns::name::Name",
            "1 limits",
            "3 now::Now",
            "3 policy::f"
        ]
    );
}

/// Every path of the crate that a file names: `[module, item, ...]` with the line it stands on.
fn crate_paths(source: &Source) -> Vec<(usize, Vec<String>)> {
    let code = &source.code;
    let to_root = format!("{}crate::", "super::".repeat(source.depth())).replace("crate::", "");
    let mut found = Vec::new();
    for prefix in ["crate::", to_root.as_str()] {
        let mut from = 0;
        while !prefix.is_empty()
            && let Some(at) = code[from..].find(prefix)
        {
            let start = from + at;
            from = start + prefix.len();
            let in_word = code[..start].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':');
            if in_word || code[from..].starts_with("super::") {
                continue;
            }
            let line = code[..start].matches('\n').count() + 1;
            for path in use_tree(&code[from..]) {
                found.push((line, path));
            }
        }
    }
    found
}

/// The paths of a use tree (or of a plain path) at the start of `text`.
fn use_tree(text: &str) -> Vec<Vec<String>> {
    let text = text.trim_start();
    if let Some(group) = text.strip_prefix('{') {
        let mut depth = 0_usize;
        let mut part = 0;
        let mut paths = Vec::new();
        for (at, c) in group.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth > 0 => depth -= 1,
                ',' | '}' if depth == 0 => {
                    if !group[part..at].trim().is_empty() {
                        paths.extend(use_tree(&group[part..at]));
                    }
                    part = at + 1;
                    if c == '}' {
                        break;
                    }
                }
                _ => {}
            }
        }
        return paths;
    }
    let word: String = text
        .chars()
        .take_while(|c| c.is_alphanumeric() || *c == '_' || *c == '*')
        .collect();
    let rest = text[word.len()..].trim_start();
    let below = match rest.strip_prefix("::") {
        Some(rest) if !rest.trim_start().starts_with('<') => use_tree(rest),
        _ => Vec::new(),
    };
    if below.is_empty() {
        return vec![vec![word]];
    }
    below
        .into_iter()
        .map(|mut path| {
            path.insert(0, word.clone());
            path
        })
        .collect()
}
