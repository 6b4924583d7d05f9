//! Keeps the house in order: who imports whom, who reads the clock, where `unsafe` stands, what every page carries.
//!
//! Reads sources as text and needs nothing of the program, so that it stays quick and speaks even when the program does not build.
//! `cargo test --test tidy -- --nocapture` prints the import table.

mod blocklists;
mod code;
mod imports;
mod pages;
mod source;

use std::fs;
use std::path::{Path, PathBuf};

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

/// Fails with everything that breaks the rule at once.
fn report(failures: &[String], rule: &str) {
    assert!(failures.is_empty(), "{rule}\n  {}\n", failures.join("\n  "));
}
