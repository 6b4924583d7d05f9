//! The worked example of `docs/gate-format.md`, and the corpus of the gate's fuzz target.

use stairgate::config::settings::ListAction;
use stairgate::dns::key::Key;
use stairgate::list::compile::{CompileOptions, compile};
use stairgate::list::rule::Effect;
use stairgate::list::source::{Content, SourceSpec};
use stairgate::list::verify::Unverified;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// The list of the page.
const LIST: &str = "||example.com^\n@@||ok.example.com^\n";

fn page() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/gate-format.md");
    std::fs::read_to_string(path).expect("the page is there")
}

fn compiled() -> Vec<u8> {
    let spec = SourceSpec {
        name: "example".to_owned(),
        path: "example.txt".into(),
        category: "ads".to_owned(),
        action: ListAction::Block,
        format: None,
        match_scope: None,
        rank: 100,
        rewrite: true,
        fetched: false,
        content: Content::Bytes(LIST.as_bytes().into()),
    };
    compile(vec![spec], &CompileOptions::default())
        .expect("it compiles")
        .gate
}

/// Sixteen bytes a row; rows of zeros are left out.
fn hex_dump(bytes: &[u8]) -> String {
    let mut text = String::new();
    for (row, bytes) in bytes.chunks(16).enumerate() {
        if bytes.iter().all(|&byte| byte == 0) {
            continue;
        }
        let hex: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let readable = bytes
            .iter()
            .map(|&byte| if byte.is_ascii_graphic() { byte as char } else { '.' });
        writeln!(
            text,
            "{:08x}  {:47}  {}",
            row * 16,
            hex.join(" "),
            readable.collect::<String>()
        )
        .expect("memory");
    }
    writeln!(text, "{:08x}", bytes.len()).expect("memory");
    text
}

/// The dump that stands in the page, as bytes again.
fn bytes_of_page(page: &str) -> Vec<u8> {
    let dump = page
        .split("```hex\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next())
        .expect("a hex dump");
    let mut bytes = Vec::new();
    for line in dump.lines() {
        let (offset, rest) = line.split_once("  ").unwrap_or((line, ""));
        bytes.resize(usize::from_str_radix(offset, 16).expect("an offset"), 0);
        let hex = rest.split("  ").next().unwrap_or("");
        bytes.extend(
            hex.split_whitespace()
                .map(|byte| u8::from_str_radix(byte, 16).expect("a byte")),
        );
    }
    bytes
}

#[test]
fn the_worked_example_is_what_its_list_compiles_to() {
    let wanted = hex_dump(&compiled());
    assert!(
        page().contains(&wanted),
        "docs/gate-format.md has another dump; this is the right one:\n{wanted}"
    );
}

#[test]
fn the_bytes_written_in_the_page_are_a_gate_that_says_what_the_page_says() {
    let gate = Unverified::new(bytes_of_page(&page()))
        .verify()
        .expect("it verifies")
        .into_gate();
    let mut said = Vec::new();
    gate.walk(&Key::parse("www.ok.example.com").expect("a name"), |labels, set| {
        said.extend(
            gate.rules_of(set)
                .filter_map(|rule| gate.rule(rule))
                .map(|rule| (labels, rule.effect.clone())),
        );
    });
    assert_eq!(said, [(2, Effect::Block), (3, Effect::Allow)]);
    assert_eq!(gate.sources()[0].name, "example");
}

#[test]
fn the_corpus_of_the_gates_fuzz_target_never_panics() {
    let folder: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/gate");
    let mut count = 0;
    for entry in std::fs::read_dir(&folder).expect("the corpus is there") {
        let path = entry.expect("the folder can be read").path();
        let bytes = std::fs::read(&path).expect("a file");
        // The name says whether it is a gate.
        let good = path
            .file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with("good"));
        assert_eq!(Unverified::new(bytes).verify().is_ok(), good, "{}", path.display());
        count += 1;
    }
    assert!(count >= 5, "{count} files");
}
