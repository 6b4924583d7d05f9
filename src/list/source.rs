//! What a SOURCE is: from a command-line argument or a `[[list]]` entry to lists whose bytes can be read.
//!
//! In: paths. Out: [`SourceSpec`]s and their unpacked bytes.
//! Always: the same files give the same sources in the same order; a list larger than [`limits::LIST_BYTES`] is never
//! held in memory, also when it only gets that large by unpacking.
//! Fails: a source that cannot be read is a [`SourceError`] that names it.

use crate::config::settings::{ListAction, ListSettings, ListSource, MatchScope};
use crate::limits;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::fs;
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

/// How a list is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Format {
    Hosts = 0,
    Domains = 1,
    Wildcard = 2,
    Adguard = 3,
    Regex = 4,
    Rpz = 5,
    Dnsmasq = 6,
    Unbound = 7,
    Dnscrypt = 8,
    V2fly = 9,
    Dump = 10,
}

impl Format {
    /// Every format, in the order of their numbers.
    pub const ALL: [Format; 11] = [
        Format::Hosts,
        Format::Domains,
        Format::Wildcard,
        Format::Adguard,
        Format::Regex,
        Format::Rpz,
        Format::Dnsmasq,
        Format::Unbound,
        Format::Dnscrypt,
        Format::V2fly,
        Format::Dump,
    ];

    /// The word of the command line and the settings.
    pub fn word(self) -> &'static str {
        match self {
            Format::Hosts => "hosts",
            Format::Domains => "domains",
            Format::Wildcard => "wildcard",
            Format::Adguard => "adguard",
            Format::Regex => "regex",
            Format::Rpz => "rpz",
            Format::Dnsmasq => "dnsmasq",
            Format::Unbound => "unbound",
            Format::Dnscrypt => "dnscrypt",
            Format::V2fly => "v2fly",
            Format::Dump => "dump",
        }
    }

    /// How a source of this format chooses among its own matches.
    pub fn family(self) -> Family {
        match self {
            Format::Adguard => Family::Adguard,
            Format::Rpz => Family::Rpz,
            Format::Dnsmasq => Family::Dnsmasq,
            Format::Unbound => Family::Unbound,
            _ => Family::Plain,
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// A word that names no format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{0}\" is not a format; it is one of auto, hosts, domains, wildcard, adguard, regex, rpz, dnsmasq, unbound, dnscrypt, v2fly, dump"
)]
pub struct UnknownFormat(pub String);

/// "auto" is no format: callers take it as `None` before they ask.
impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(word: &str) -> Result<Format, UnknownFormat> {
        Format::ALL
            .into_iter()
            .find(|format| format.word() == word)
            .ok_or_else(|| UnknownFormat(word.to_owned()))
    }
}

/// How a source reduces several matches of its own to one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Family {
    /// Every match counts.
    Plain = 0,
    /// Every match counts, in AdGuard's order of precedence.
    Adguard = 1,
    /// One match: client-IP, QNAME, IP, NSDNAME, NSIP; exact before wildcard.
    Rpz = 2,
    /// The longest name.
    Dnsmasq = 3,
    /// The closest zone.
    Unbound = 4,
}

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
    #[error("{path}: is neither a file nor a folder")]
    Special { path: String },
    #[error("\"{argument}\": the category \"{category}\" is not made of a to z, 0 to 9, \"_\" and \"-\"")]
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
            Content::File(path) => {
                let file = fs::File::open(path).map_err(read_error(path))?;
                unpack(read_bounded(file, path)?, path)?
            }
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
        (folder(&absolute)?, depth)
    } else {
        let depth = absolute.components().count().saturating_sub(2);
        (file(&absolute, metadata.is_file())?, depth)
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
        for index in by_name.into_values().filter(|indices| indices.len() > 1).flatten() {
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

/// A list that was found, with the folders it is in.
struct Found {
    path: PathBuf,
    content: Content,
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

/// A file: one list, or the lists of a tar.
fn file(path: &Path, regular: bool) -> Result<Vec<Found>, SourceError> {
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
    if begins_like_tar(path)? {
        let file = fs::File::open(path).map_err(read_error(path))?;
        return tar_members(path, &unpack(read_bounded(file, path)?, path)?);
    }
    Ok(vec![Found {
        path: path.to_owned(),
        content: Content::File(path.to_owned()),
    }])
}

/// The lists below a folder.
fn folder(root: &Path) -> Result<Vec<Found>, SourceError> {
    let mut files = Vec::new();
    let mut links = Vec::new();
    // Canonical paths of what was visited, so that no link is followed to it again.
    let mut seen = std::collections::HashSet::new();
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
    seen: &mut std::collections::HashSet<PathBuf>,
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
    let tops: std::collections::BTreeSet<PathBuf> = by_folder
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

fn is_tar(bytes: &[u8]) -> bool {
    bytes.get(257..262) == Some(b"ustar")
}

/// Whether the first block of a file, unpacked, is that of a tar.
fn begins_like_tar(path: &Path) -> Result<bool, SourceError> {
    let mut file = fs::File::open(path).map_err(read_error(path))?;
    let mut magic = [0u8; 6];
    let mut head = Vec::with_capacity(512);
    let length = read_some(&mut file, &mut magic).map_err(read_error(path))?;
    let rest = io::Cursor::new(magic).take(length as u64).chain(file);
    let packing = Packing::of(&magic[..length]);
    // Damage is reported when the list is read.
    let _ = packing
        .reader(rest)
        .and_then(|mut reader| reader.by_ref().take(512).read_to_end(&mut head));
    Ok(is_tar(&head))
}

fn read_some(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut length = 0;
    while length < buffer.len() {
        match reader.read(&mut buffer[length..]) {
            Ok(0) => break,
            Ok(more) => length += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(length)
}

/// How bytes are compressed, told by their first ones and never by a file name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Packing {
    None,
    Gzip,
    Zstd,
    Xz,
}

impl Packing {
    fn of(bytes: &[u8]) -> Packing {
        match bytes {
            [0x1f, 0x8b, ..] => Packing::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Packing::Zstd,
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Packing::Xz,
            _ => Packing::None,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Packing::None => "plain",
            Packing::Gzip => "gzip",
            Packing::Zstd => "zstd",
            Packing::Xz => "xz",
        }
    }

    fn reader<'a>(self, bytes: impl Read + 'a) -> io::Result<Box<dyn Read + 'a>> {
        Ok(match self {
            Packing::None => Box::new(bytes),
            Packing::Gzip => Box::new(flate2::read::MultiGzDecoder::new(bytes)),
            Packing::Zstd => {
                let mut decoder = zstd::Decoder::new(bytes)?;
                // The window may be as large as the list; 2^30 is that bound, and the memory is needed for the list anyway.
                decoder.window_log_max(30)?;
                Box::new(decoder)
            }
            Packing::Xz => Box::new(liblzma::read::XzDecoder::new_multi_decoder(bytes)),
        })
    }
}

/// Reads to the end, or to the bound of a list.
fn read_bounded(reader: impl Read, path: &Path) -> Result<Vec<u8>, SourceError> {
    let mut bytes = Vec::new();
    reader
        .take(limits::LIST_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(read_error(path))?;
    if bytes.len() as u64 > limits::LIST_BYTES {
        return Err(SourceError::TooLarge {
            path: path.display().to_string(),
        });
    }
    Ok(bytes)
}

/// Unpacks what is compressed. The bound is kept while unpacking, so that a bomb fails early.
fn unpack(bytes: Vec<u8>, path: &Path) -> Result<Vec<u8>, SourceError> {
    let packing = Packing::of(&bytes);
    if packing == Packing::None {
        return Ok(bytes);
    }
    let damaged = |cause| SourceError::Packed {
        path: path.display().to_string(),
        how: packing.word(),
        cause,
    };
    let mut out = Vec::with_capacity(bytes.len().saturating_mul(4));
    packing
        .reader(&bytes[..])
        .map_err(damaged)?
        .take(limits::LIST_BYTES + 1)
        .read_to_end(&mut out)
        .map_err(damaged)?;
    if out.len() as u64 > limits::LIST_BYTES {
        return Err(SourceError::TooLarge {
            path: path.display().to_string(),
        });
    }
    Ok(out)
}
