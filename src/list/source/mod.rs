//! What a SOURCE is: from a command-line argument or a `[[list]]` entry to lists whose bytes can be read.
//!
//! In: paths. Out: [`SourceSpec`]s and their unpacked bytes.
//! Always: the same files give the same sources in the same order; a list larger than [`limits::LIST_BYTES`] is never
//! held in memory, also when it only gets that large by unpacking.
//! Fails: a source that cannot be read is a [`SourceError`] that names it.

mod find;
mod format;
mod unpack;

use crate::config::settings::{ListAction, ListSettings, ListSource, MatchScope};
use crate::limits;
use find::Found;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use unpack::{read_bounded, read_file, unpack};

pub use format::{Family, Format, UnknownFormat};

/// One list, not yet read.
#[derive(Debug, Clone)]
pub struct SourceSpec {
    /// File name less the compression suffix, made unique by its folders; or the name of the `[[list]]`.
    pub name: String,
    /// Where it was found, for messages and unique names: a path, one inside an archive, or `-`.
    pub path: PathBuf,
    /// `[a-z0-9_-]+`
    pub category: String,
    pub action: ListAction,
    /// `None`: told from the content.
    pub format: Option<Format>,
    pub match_scope: Option<MatchScope>,
    /// Lower comes first, ties by name.
    pub rank: u32,
    /// Whether it may redirect.
    pub rewrite: bool,
    /// Whether somebody else publishes it.
    pub fetched: bool,
    pub content: Content,
}

/// Where the bytes of a source are.
#[derive(Debug, Clone)]
pub enum Content {
    File(PathBuf),
    /// Standard input, a pipe, a member of an archive. May be compressed, as a file may.
    Bytes(Arc<[u8]>),
}

/// A source that was read.
#[derive(Debug, Clone)]
pub struct Unpacked {
    pub bytes: Vec<u8>,
    /// SHA-256 of `bytes`.
    pub sha256: [u8; 32],
}

/// Why a source cannot be read. Each message is one sentence that names it.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    #[error("{path}: {}", sentence(.cause))]
    Read { path: String, cause: io::Error },
    #[error("{path}: the {how} data is damaged or cut short ({cause})")]
    Packed {
        path: String,
        how: &'static str,
        cause: io::Error,
    },
    #[error(
        "{path}: unpacked it is larger than the {} bytes a list may have",
        limits::LIST_BYTES
    )]
    TooLarge { path: String },
    #[error("{path}: holds no list; README*, LICENSE* and hidden files are left out")]
    NoList { path: String },
    #[error("{path}: is a pipe, a socket or a device, not a file or a folder; give `-` and its data on standard input")]
    Special { path: String },
    #[error(
        "\"{argument}\": the category \"{category}\" may hold only a to z, 0 to 9, \"_\" and \"-\"; write CATEGORY=PATH so"
    )]
    Category { argument: String, category: String },
}

fn sentence(cause: &io::Error) -> String {
    match cause.kind() {
        io::ErrorKind::NotFound => "there is no such file or folder".to_owned(),
        io::ErrorKind::PermissionDenied => "may not be read; check its permissions and its folders'".to_owned(),
        io::ErrorKind::IsADirectory => "is a folder where a file is needed".to_owned(),
        // ELOOP: the kind for it is not stable.
        _ if cause.raw_os_error() == Some(libc::ELOOP) => "its symbolic links lead in a circle".to_owned(),
        _ => format!("cannot be read: {cause}"),
    }
}

fn read_error(path: &Path) -> impl FnOnce(io::Error) -> SourceError {
    |cause| SourceError::Read {
        path: path.display().to_string(),
        cause,
    }
}

impl SourceSpec {
    /// Reads and unpacks the list.
    pub fn read(&self) -> Result<Unpacked, SourceError> {
        let bytes = match &self.content {
            Content::File(path) => unpack(read_file(path)?, path)?,
            Content::Bytes(bytes) => unpack(bytes.to_vec(), &self.path)?,
        };
        let sha256 = Sha256::digest(&bytes).into();
        Ok(Unpacked { bytes, sha256 })
    }

    /// Its size before unpacking, in bytes, to show progress and to begin with the largest; 0 if not known.
    pub fn size_hint(&self) -> u64 {
        match &self.content {
            Content::File(path) => fs::metadata(path).map_or(0, |metadata| metadata.len()),
            Content::Bytes(bytes) => bytes.len() as u64,
        }
    }

    /// What [`parse`](crate::list::parse::parse) needs to know of it.
    pub fn options(&self) -> crate::list::parse::Options {
        crate::list::parse::Options {
            format: self.format,
            file_name: file_name(&self.path),
            action: self.action,
            match_scope: self.match_scope,
            rewrite: self.rewrite,
            fetched: self.fetched,
        }
    }
}

/// One SOURCE of the command line (PATH, CATEGORY=PATH or `-`). `allow`: it came with `--allow`.
pub fn expand(argument: &str, format: Option<Format>, allow: bool) -> Result<Vec<SourceSpec>, SourceError> {
    let (category, path) = match argument.split_once('=') {
        Some((category, path)) if is_category(category) => (Some(category), path),
        // A path may hold "=" too, and then not begin like a category.
        Some((category, _)) if !category.contains('/') && !Path::new(argument).exists() => {
            return Err(SourceError::Category {
                argument: argument.to_owned(),
                category: category.to_owned(),
            });
        }
        _ => (None, argument),
    };
    if path == "-" {
        let name = Path::new("-");
        let bytes = read_bounded(io::stdin().lock(), name)?;
        let found = Found {
            path: PathBuf::from("stdin"),
            content: Content::Bytes(bytes.into()),
        };
        return specs(vec![found], category.or(Some(DEFAULT_CATEGORY)), format, allow, 0);
    }
    expand_path(Path::new(path), category, format, allow)
}

/// A path: a file, a folder, a tar. `category`: instead of the nearest folder of each file. `allow`: lets through instead
/// of blocking, as a folder named `allow` does too.
pub fn expand_path(
    path: &Path,
    category: Option<&str>,
    format: Option<Format>,
    allow: bool,
) -> Result<Vec<SourceSpec>, SourceError> {
    let metadata = fs::metadata(path).map_err(read_error(path))?;
    // The folders of a relative path count as well.
    let absolute = std::path::absolute(path).map_err(read_error(path))?;
    // Of the path itself only the last folder has a say; below it every one.
    let (found, own_folders) = if metadata.is_dir() {
        let depth = absolute.components().count().saturating_sub(1);
        (find::folder(&absolute)?, depth)
    } else {
        let depth = absolute.components().count().saturating_sub(2);
        // Opening a pipe waits for its writer, maybe for ever; one that was handed over open has had its writer.
        if !metadata.is_file() && !is_handed_over(&absolute) {
            return Err(SourceError::Special {
                path: path.display().to_string(),
            });
        }
        (find::file(&absolute, metadata.is_file())?, depth)
    };
    if found.is_empty() {
        return Err(SourceError::NoList {
            path: path.display().to_string(),
        });
    }
    specs(found, category, format, allow, own_folders)
}

/// A `[[list]]` entry whose bytes are at `path`: its own path, or the last good snapshot of its URL (`fetched`).
/// A path with one list gives that list the entry's name; one with several adds their names behind a slash.
/// `path` is of no account for a list that is part of the program.
pub fn expand_list(list: &ListSettings, path: &Path, fetched: bool) -> Result<Vec<SourceSpec>, SourceError> {
    let format = list.format.as_deref().and_then(|word| word.parse().ok());
    if let ListSource::Embedded { file, bytes } = list.source {
        return Ok(vec![SourceSpec {
            name: list.name.clone(),
            path: PathBuf::from(file),
            category: list.category.clone(),
            action: list.action,
            format,
            match_scope: list.match_scope,
            rank: list.rank,
            rewrite: list.rewrite,
            fetched: false,
            content: Content::Bytes(bytes.into()),
        }]);
    }
    let mut specs = expand_path(path, Some(&list.category), format, list.action == ListAction::Allow)?;
    unique_names(&mut specs);
    let single = specs.len() == 1;
    for spec in &mut specs {
        spec.name = if single {
            list.name.clone()
        } else {
            format!("{}/{}", list.name, spec.name)
        };
        if fetched {
            // What the snapshot is called says nothing; the end of the URL is what a file name would be.
            if let ListSource::Url(url) = &list.source {
                spec.path = PathBuf::from(url.split(['?', '#']).next().unwrap_or(""));
            }
            // Neither do the folders that snapshots are kept in.
            spec.action = list.action;
        }
        spec.match_scope = list.match_scope;
        spec.rank = list.rank;
        spec.rewrite = list.rewrite;
        spec.fetched = fetched;
    }
    Ok(specs)
}

/// Gives every source a name of its own: folders are put in front where names meet. The order of `specs` does not matter.
pub fn unique_names(specs: &mut [SourceSpec]) {
    let folders: Vec<Vec<String>> = specs.iter().map(|spec| folders_of(&spec.path)).collect();
    let mut depths = vec![0usize; specs.len()];
    let full_name = |spec: &SourceSpec, folders: &[String], depth: usize| {
        let mut parts: Vec<&str> = folders[folders.len() - depth..].iter().map(String::as_str).collect();
        let last = file_stem(&spec.path);
        parts.push(&last);
        parts.join("/")
    };
    loop {
        let mut by_name: HashMap<String, Vec<usize>> = HashMap::new();
        for (index, spec) in specs.iter().enumerate() {
            by_name
                .entry(full_name(spec, &folders[index], depths[index]))
                .or_default()
                .push(index);
        }
        let mut changed = false;
        // One file given twice stays alike however many folders are put in front.
        let differ = |indices: &Vec<usize>| indices.iter().any(|&index| specs[index].path != specs[indices[0]].path);
        for index in by_name.into_values().filter(differ).flatten() {
            if depths[index] < folders[index].len() {
                depths[index] += 1;
                changed = true;
            }
        }
        if !changed {
            break;
        }
    }
    // What has the same path is the same file given twice; the second gets a number.
    let mut taken: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (index, spec) in specs.iter().enumerate() {
        taken
            .entry(full_name(spec, &folders[index], depths[index]))
            .or_default()
            .push(index);
    }
    for (name, mut indices) in taken {
        indices.sort_by_key(|&index| {
            let spec = &specs[index];
            (spec.category.clone(), spec.action == ListAction::Allow, spec.format)
        });
        for (number, index) in indices.into_iter().enumerate() {
            specs[index].name = match number {
                0 => name.clone(),
                _ => format!("{name}~{}", number + 1),
            };
        }
    }
}

/// Standard input by its path, and other files that the shell has opened for us (`<(command)`).
fn is_handed_over(path: &Path) -> bool {
    path == Path::new("/dev/stdin") || path.starts_with("/dev/fd") || path.starts_with("/proc/self/fd")
}

const DEFAULT_CATEGORY: &str = "default";

fn is_category(word: &str) -> bool {
    !word.is_empty()
        && word
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-".contains(&byte))
}

/// A folder's name as a category.
fn category_of(folder: &str) -> String {
    let word: String = folder
        .chars()
        .map(|c| match c.to_ascii_lowercase() {
            c @ ('a'..='z' | '0'..='9' | '_' | '-') => c,
            _ => '-',
        })
        .collect();
    match word.trim_matches('-') {
        "" => DEFAULT_CATEGORY.to_owned(),
        word => word.to_owned(),
    }
}

/// `own_folders`: how many of the first components of each path have no say in what it allows.
fn specs(
    mut found: Vec<Found>,
    category: Option<&str>,
    format: Option<Format>,
    allow: bool,
    own_folders: usize,
) -> Result<Vec<SourceSpec>, SourceError> {
    found.sort_by(|a, b| a.path.cmp(&b.path));
    let specs = found.into_iter().map(|Found { path, content }| {
        let folders = folders_of(&path);
        let parent = path.parent().unwrap_or(Path::new(""));
        let mut inner = parent.components().skip(own_folders);
        let allowed = inner.any(|component| component.as_os_str().eq_ignore_ascii_case("allow"));
        SourceSpec {
            name: file_stem(&path),
            category: match category {
                Some(category) => category.to_owned(),
                None => category_of(folders.last().map_or("", String::as_str)),
            },
            action: if allow || allowed {
                ListAction::Allow
            } else {
                ListAction::Block
            },
            format,
            match_scope: None,
            rank: DEFAULT_RANK,
            rewrite: true,
            fetched: false,
            content,
            path,
        }
    });
    Ok(specs.collect())
}

/// Where a source stands whose rank nobody gave.
pub const DEFAULT_RANK: u32 = 100;

/// The folders of a path, outermost first.
fn folders_of(path: &Path) -> Vec<String> {
    let parent = path.parent().unwrap_or(Path::new(""));
    let named = parent.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_string_lossy().into_owned()),
        _ => None,
    });
    named.collect()
}

fn file_name(path: &Path) -> String {
    path.file_name()
        .map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}

/// File name less the compression suffix.
fn file_stem(path: &Path) -> String {
    let name = file_name(path);
    for suffix in [".gz", ".zst", ".xz"] {
        if let Some(stem) = name.strip_suffix(suffix).filter(|stem| !stem.is_empty()) {
            return stem.to_owned();
        }
    }
    name
}
