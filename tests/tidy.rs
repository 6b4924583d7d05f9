//! Keeps the house in order: who imports whom, who reads the clock, where `unsafe` stands, what every page carries.
//!
//! Reads sources as text and needs nothing of the program, so that it stays quick and speaks even when the program does not build.
//! `cargo test --test tidy -- --nocapture` prints the import table.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// Who may import whom, by top-level module. Imports run one way: a module's row names only modules of rows above it.
/// `main` and `lib` have no row: one calls `cli`, the other lists the modules.
const IMPORTS: &[(&str, &[&str])] = &[
    ("now", &[]),
    ("limits", &[]),
    ("count", &[]),
    ("dns", &[]),
    ("clock", &["now"]),
    ("config", &["now", "limits", "dns"]),
    ("list", &["now", "limits", "dns", "config"]),
    ("policy", &["now", "limits", "dns", "config", "list"]),
    ("cache", &["now", "limits", "dns", "config"]),
    ("resolver", &["now", "limits", "dns", "clock", "config", "cache"]),
    ("local", &["now", "limits", "dns", "config"]),
    (
        "generation",
        &["now", "limits", "dns", "config", "list", "policy", "local"],
    ),
    (
        "query",
        &[
            "now",
            "limits",
            "count",
            "dns",
            "config",
            "list",
            "policy",
            "cache",
            "resolver",
            "local",
            "generation",
        ],
    ),
    (
        "telemetry",
        &[
            "now", "limits", "count", "dns", "clock", "config", "list", "policy", "query",
        ],
    ),
    (
        "listener",
        &[
            "now",
            "limits",
            "count",
            "dns",
            "clock",
            "config",
            "list",
            "policy",
            "cache",
            "resolver",
            "local",
            "generation",
            "query",
            "telemetry",
        ],
    ),
    (
        "control",
        &[
            "now",
            "limits",
            "count",
            "dns",
            "clock",
            "config",
            "list",
            "policy",
            "cache",
            "resolver",
            "local",
            "generation",
            "query",
            "telemetry",
        ],
    ),
    (
        "cli",
        &[
            "now",
            "limits",
            "count",
            "dns",
            "clock",
            "config",
            "list",
            "policy",
            "cache",
            "resolver",
            "local",
            "generation",
            "query",
            "telemetry",
            "listener",
            "control",
        ],
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
const ONLY: &[(&str, &str, &[&str])] = &[("query", "resolver", &["Question", "Answer", "Failure"])];

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
const FILE_LINES: usize = 800;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Files below `folder` with one of these extensions, sorted. Build folders and hidden ones are left out.
fn files(folder: &Path, extensions: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten() {
            let path = entry.expect("a folder of the repository can be listed").path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() {
                if !matches!(name.as_str(), "target" | "var" | "artifacts") && !name.starts_with('.') {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|e| extensions.iter().any(|x| e == *x)) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// One file under `src/`.
struct Source {
    /// Path below `src/`, with `/`.
    path: String,
    /// The file as it is.
    text: String,
    /// The same without comments, strings and `#[cfg(test)]` items; lines keep their numbers. Empty for tests.
    code: String,
    /// The file is a module's tests.
    tests: bool,
}

impl Source {
    /// The top-level module the file belongs to: `list` for `list/set.rs`, `clock` for `clock.rs`.
    fn module(&self) -> &str {
        self.path.split(['/', '.']).next().unwrap_or_default()
    }

    /// How many `super::` lead from this file to the crate root.
    fn depth(&self) -> usize {
        let parts = self.path.split('/').count();
        if self.path.ends_with("/mod.rs") {
            parts - 1
        } else {
            parts
        }
    }

    /// Whether the file or its folder carries this path: `list/set` covers `list/set.rs`, `list/set/walk.rs` and `list/set_map.rs`.
    fn under(&self, place: &str) -> bool {
        self.path.starts_with(place)
    }
}

fn sources() -> Vec<Source> {
    let src = root().join("src");
    let found: Vec<Source> = files(&src, &["rs"])
        .into_iter()
        .map(|file| {
            let text = fs::read_to_string(&file).expect("a source file is UTF-8");
            let path = file
                .strip_prefix(&src)
                .expect("below src")
                .to_string_lossy()
                .replace('\\', "/");
            // A module's own tests may stand in a file of their own; like those at the end of a page they follow no table.
            let tests = path.ends_with("/tests.rs") || path.ends_with("_tests.rs") || path.contains("/tests/");
            let code = if tests {
                String::new()
            } else {
                without_tests(&without_comments_and_strings(&text))
            };
            Source {
                path,
                text,
                code,
                tests,
            }
        })
        .collect();
    assert!(found.len() > 10, "the sources were not found");
    found
}

/// Blanks comments, string and character literals; newlines stay.
fn without_comments_and_strings(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = match bytes[at] {
            b'/' if bytes[at..].starts_with(b"//") => find(bytes, at, b"\n").unwrap_or(bytes.len()),
            b'/' if bytes[at..].starts_with(b"/*") => find(bytes, at, b"*/").map_or(bytes.len(), |end| end + 2),
            b'r' if is_raw_string(bytes, at) => {
                let hashes = bytes[at + 1..].iter().take_while(|b| **b == b'#').count();
                let close = [&b"\""[..], &vec![b'#'; hashes]].concat();
                find(bytes, at + hashes + 2, &close).map_or(bytes.len(), |end| end + close.len())
            }
            b'"' => string_end(bytes, at),
            // A character, never a lifetime: 'x' or '\...'.
            b'\'' if bytes.get(at + 1) == Some(&b'\\') => find(bytes, at + 3, b"'").map_or(bytes.len(), |end| end + 1),
            b'\'' if bytes.get(at + 2) == Some(&b'\'') => at + 3,
            _ => {
                at += 1;
                continue;
            }
        };
        for byte in &mut out[at..end] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        at = end;
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn find(bytes: &[u8], from: usize, what: &[u8]) -> Option<usize> {
    let from = from.min(bytes.len());
    bytes[from..]
        .windows(what.len())
        .position(|w| w == what)
        .map(|at| at + from)
}

fn is_raw_string(bytes: &[u8], at: usize) -> bool {
    let follows = bytes[at + 1..].iter().find(|b| **b != b'#') == Some(&b'"');
    let in_word = at > 0 && (bytes[at - 1].is_ascii_alphanumeric() || bytes[at - 1] == b'_') && bytes[at - 1] != b'b';
    follows && !in_word
}

fn string_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while at < bytes.len() && bytes[at] != b'"' {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(bytes.len())
}

/// Blanks what `#[cfg(test)]` stands before: a block to its closing brace, or a line to its semicolon.
fn without_tests(code: &str) -> String {
    let mut out = code.to_owned();
    while let Some(start) = out.find("#[cfg(test)]") {
        let bytes = out.as_bytes();
        let mut depth = 0_usize;
        let mut end = bytes.len();
        for (at, byte) in bytes.iter().enumerate().skip(start + "#[cfg(test)]".len()) {
            match byte {
                b'{' => depth += 1,
                b'}' => {
                    depth = depth.saturating_sub(1);
                    if depth == 0 {
                        end = at + 1;
                        break;
                    }
                }
                b';' if depth == 0 => {
                    end = at + 1;
                    break;
                }
                _ => {}
            }
        }
        let blank: String = out[start..end]
            .chars()
            .map(|c| if c == '\n' { '\n' } else { ' ' })
            .collect();
        out.replace_range(start..end, &blank);
    }
    out
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

/// The import table as `ARCHITECTURE.md` shows it.
fn table() -> String {
    let mut out = String::new();
    for (module, allowed) in IMPORTS {
        let _ = writeln!(out, "{module:<11}{}", allowed.join(" "));
    }
    // No trailing blanks, so that editors leave the copy in ARCHITECTURE.md alone.
    out.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
}

fn report(failures: &[String], rule: &str) {
    assert!(failures.is_empty(), "{rule}\n  {}\n", failures.join("\n  "));
}

#[test]
fn imports_run_one_way() {
    println!("{}", table());
    let rows: BTreeMap<&str, &[&str]> = IMPORTS.iter().copied().collect();
    let mut failures = Vec::new();
    let mut above = BTreeSet::new();
    for (module, allowed) in IMPORTS {
        for name in *allowed {
            if !above.contains(name) {
                failures.push(format!(
                    "the table lets {module} import {name}, which does not stand above it"
                ));
            }
        }
        above.insert(module);
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
            if !allowed.contains(&target) && !beyond {
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
