//! The program's sources as text: whole, and without comments, strings and tests.

use crate::{files, root};
use std::fs;

/// One file under `src/`.
pub struct Source {
    /// Path below `src/`, with `/`.
    pub path: String,
    /// The file as it is.
    pub text: String,
    /// The same without comments, strings and `#[cfg(test)]` items; lines keep their numbers. Empty for tests.
    pub code: String,
    /// The file is a module's tests.
    pub tests: bool,
}

impl Source {
    /// The top-level module the file belongs to: `list` for `list/set.rs`, `clock` for `clock.rs`.
    pub fn module(&self) -> &str {
        self.path.split(['/', '.']).next().unwrap_or_default()
    }

    /// How many `super::` lead from this file to the crate root.
    pub fn depth(&self) -> usize {
        let parts = self.path.split('/').count();
        if self.path.ends_with("/mod.rs") {
            parts - 1
        } else {
            parts
        }
    }

    /// Whether the file or its folder carries this path: `list/set` covers `list/set.rs`, `list/set/walk.rs` and `list/set_map.rs`.
    pub fn under(&self, place: &str) -> bool {
        self.path.starts_with(place)
    }
}

pub fn sources() -> Vec<Source> {
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
pub fn without_comments_and_strings(text: &str) -> String {
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
pub fn without_tests(code: &str) -> String {
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
