//! Finds the lists that a path stands for: a file, the files of a folder, the members of a tar.
//!
//! In: an absolute path. Out: [`Found`] lists, none of them twice.
//! Always: the same tree gives the same lists; no link is followed to what was visited already, so that links that lead back
//! up end. Fails: whatever cannot be read is an error that names it, since a list that is silently missing filters nothing.

use super::unpack::{is_tar, read_bounded, read_file, read_head, unpack};
use super::{Content, SourceError, file_name, file_stem, read_error};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs;
use std::io::Read;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

/// A list that was found, with the folders it is in.
pub struct Found {
    pub path: PathBuf,
    pub content: Content,
}

/// A file: one list, or the lists of a tar.
pub fn file(path: &Path, regular: bool) -> Result<Vec<Found>, SourceError> {
    if !regular {
        // A pipe can be read once only.
        let file = fs::File::open(path).map_err(read_error(path))?;
        let bytes = unpack(read_bounded(file, path)?, path)?;
        if is_tar(&bytes) {
            return tar_members(path, &bytes);
        }
        return Ok(vec![Found {
            path: path.to_owned(),
            content: Content::Bytes(bytes.into()),
        }]);
    }
    if is_tar(&read_head(path)?) {
        return tar_members(path, &unpack(read_file(path)?, path)?);
    }
    Ok(vec![Found {
        path: path.to_owned(),
        content: Content::File(path.to_owned()),
    }])
}

/// The lists below a folder.
pub fn folder(root: &Path) -> Result<Vec<Found>, SourceError> {
    let mut files = Vec::new();
    let mut links = Vec::new();
    // Canonical paths of what was visited, so that no link is followed to it again.
    let mut seen = HashSet::new();
    walk(root, &mut files, &mut links, &mut seen)?;
    // Real files first: a link to one of them is an alias.
    let mut at = 0;
    while at < links.len() {
        let link: PathBuf = links[at].clone();
        at += 1;
        let target = fs::canonicalize(&link).map_err(read_error(&link))?;
        if seen.contains(&target) {
            continue;
        }
        if fs::metadata(&target).map_err(read_error(&link))?.is_dir() {
            let before = links.len();
            walk(&link, &mut files, &mut links, &mut seen)?;
            links[before..].sort();
        } else {
            seen.insert(target);
            files.push(link);
        }
    }
    let kept = without_companions(files);
    let mut found = Vec::new();
    for path in kept {
        let metadata = fs::metadata(&path).map_err(read_error(&path))?;
        if !metadata.is_file() {
            return Err(SourceError::Special {
                path: path.display().to_string(),
            });
        }
        found.extend(file(&path, true)?);
    }
    Ok(found)
}

fn walk(
    folder: &Path,
    files: &mut Vec<PathBuf>,
    links: &mut Vec<PathBuf>,
    seen: &mut HashSet<PathBuf>,
) -> Result<(), SourceError> {
    if !seen.insert(fs::canonicalize(folder).map_err(read_error(folder))?) {
        return Ok(());
    }
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder).map_err(read_error(folder))? {
        entries.push(entry.map_err(read_error(folder))?);
    }
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        if is_left_out(&file_name(&path)) {
            continue;
        }
        let kind = entry.file_type().map_err(read_error(&path))?;
        if kind.is_symlink() {
            links.push(path);
        } else if kind.is_dir() {
            walk(&path, files, links, seen)?;
        } else {
            seen.insert(fs::canonicalize(&path).map_err(read_error(&path))?);
            files.push(path);
        }
    }
    Ok(())
}

/// Files that are never lists.
fn is_left_out(name: &str) -> bool {
    name.starts_with('.') || name.starts_with("README") || name.starts_with("LICENSE")
}

/// Leaves out what stands beside `domains` in UT1's folders: URLs, expressions, what the category is for.
fn without_companions(files: Vec<PathBuf>) -> Vec<PathBuf> {
    const COMPANIONS: [&str; 5] = [
        "urls",
        "expressions",
        "usage",
        "very_restrictive_expression",
        "very_restrictive_expressions",
    ];
    let mut by_folder: BTreeMap<PathBuf, Vec<PathBuf>> = BTreeMap::new();
    for path in files {
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        by_folder.entry(folder).or_default().push(path);
    }
    let is_ut1 = |paths: &[PathBuf]| {
        let stems: Vec<String> = paths.iter().map(|path| file_stem(path)).collect();
        let known = |stem: &String| stem == "domains" || COMPANIONS.contains(&stem.as_str());
        stems.iter().all(known) && stems.iter().any(|stem| stem == "domains" || stem == "usage")
    };
    // The folder above UT1's folders has papers of its own.
    let tops: BTreeSet<PathBuf> = by_folder
        .iter()
        .filter(|(_, paths)| is_ut1(paths))
        .filter_map(|(folder, _)| Some(folder.parent()?.to_owned()))
        .collect();
    let mut kept = Vec::new();
    for (folder, paths) in by_folder {
        let ut1 = is_ut1(&paths);
        let top = tops.contains(&folder);
        kept.extend(paths.into_iter().filter(|path| {
            let name = file_name(path);
            !(ut1 && file_stem(path) != "domains" || top && (name == "global_usage" || name.ends_with(".pdf")))
        }));
    }
    kept
}

/// The lists of an unpacked tar, by the rules for folders. Links within it are aliases of its files.
fn tar_members(archive: &Path, bytes: &[u8]) -> Result<Vec<Found>, SourceError> {
    let damaged = |cause| SourceError::Packed {
        path: archive.display().to_string(),
        how: "tar",
        cause,
    };
    let mut contents: BTreeMap<PathBuf, Arc<[u8]>> = BTreeMap::new();
    let mut reader = tar::Archive::new(bytes);
    for entry in reader.entries().map_err(damaged)? {
        let mut entry = entry.map_err(damaged)?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let inner = entry.path().map_err(damaged)?.into_owned();
        let plain: PathBuf = inner
            .components()
            .filter(|part| matches!(part, Component::Normal(_)))
            .collect();
        if plain.iter().any(|part| is_left_out(&part.to_string_lossy())) {
            continue;
        }
        // Only what the archive really holds is read, whatever size a header claims.
        let mut content = Vec::new();
        entry.read_to_end(&mut content).map_err(damaged)?;
        contents.insert(archive.join(plain), content.into());
    }
    let kept = without_companions(contents.keys().cloned().collect());
    let found = kept.into_iter().filter_map(|path| {
        let content = Content::Bytes(contents.remove(&path)?);
        Some(Found { path, content })
    });
    Ok(found.collect())
}
