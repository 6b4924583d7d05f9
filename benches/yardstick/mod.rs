//! The fst yardstick: what compiling and looking up names costs when done plainly. Written once; not to be changed, since
//! the figures asked of the gate are multiples of it.
//!
//! [`build`]: one thread; split, lower-case, reverse, sort, drop names below a listed one, one `fst::raw::Builder` pass.
//! [`walk`]: a name in wire form through that fst, label by label from the right, until a listed name is met.

use fst::raw::{Builder, Fst};
use stairgate::list::rule::Parsed;
use stairgate::list::{parse, source};
use std::collections::HashSet;
use std::path::PathBuf;

/// The folder of real data: `STAIRGATE_CORPUS`, or `../shared` beside the package. Ends the program where neither is there.
#[allow(dead_code, reason = "not every bench that takes this file in uses it")]
pub fn corpus() -> PathBuf {
    let folder = match std::env::var_os("STAIRGATE_CORPUS") {
        Some(folder) => PathBuf::from(folder),
        None => PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared")),
    };
    assert!(
        folder.join("lists").is_dir(),
        "{}: no lists there; set STAIRGATE_CORPUS to the folder that holds them",
        folder.display()
    );
    folder
}

/// Every name of every list of the corpus once, one a line, in the order of the lists.
#[allow(dead_code, reason = "not every bench that takes this file in uses it")]
pub fn names() -> String {
    let folder = corpus().join("lists");
    let mut specs = source::expand(&folder.to_string_lossy(), None, false).expect("the corpus can be read");
    specs.sort_by(|a, b| a.path.cmp(&b.path));
    let mut seen: HashSet<Box<[u8]>> = HashSet::new();
    let mut text = String::new();
    for spec in specs {
        let bytes = spec.read().expect("the list can be read").bytes;
        let (_, parsed): (_, Parsed) = parse::parse(&bytes, &spec.options()).expect("the list can be parsed");
        for entry in &parsed.names {
            let key = parsed.key(entry);
            if seen.insert(key.into()) {
                text.push_str(&stairgate::dns::key::to_text(key));
                text.push('\n');
            }
        }
    }
    text
}

/// Builds the fst.
#[allow(dead_code, reason = "not every bench that takes this file in uses it")]
pub fn build(names: &str) -> Fst<Vec<u8>> {
    let mut keys: Vec<Vec<u8>> = names.lines().map(reversed).collect();
    keys.sort_unstable();
    let mut builder = Builder::memory();
    let mut last: Option<&[u8]> = None;
    for key in &keys {
        if last.is_some_and(|last| key.starts_with(last)) {
            continue;
        }
        builder.add(key).expect("keys are sorted");
        last = Some(key);
    }
    builder.into_fst()
}

/// Labels reversed, lower case, each followed by a dot.
fn reversed(name: &str) -> Vec<u8> {
    let mut key = Vec::with_capacity(name.len() + 1);
    for label in name.rsplit('.') {
        key.extend(label.bytes().map(|byte| byte.to_ascii_lowercase()));
        key.push(b'.');
    }
    key
}

/// How many labels the listed name has that a name in wire form is, or is below.
#[allow(dead_code, reason = "not every bench that takes this file in uses it")]
pub fn walk(fst: &Fst<Vec<u8>>, wire: &[u8]) -> Option<usize> {
    let mut starts = [0u8; 128];
    let mut count = 0;
    let mut at = 0;
    while wire[at] != 0 {
        starts[count] = at as u8;
        count += 1;
        at += usize::from(wire[at]) + 1;
    }
    let mut node = fst.root();
    for (label, &start) in starts[..count].iter().rev().enumerate() {
        let start = usize::from(start);
        let label_bytes = &wire[start + 1..=start + usize::from(wire[start])];
        for byte in label_bytes.iter().map(u8::to_ascii_lowercase).chain([b'.']) {
            let index = node.find_input(byte)?;
            node = fst.node(node.transition_addr(index));
        }
        if node.is_final() {
            return Some(label + 1);
        }
    }
    None
}
