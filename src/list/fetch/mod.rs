//! Brings a list that lives at a URL to this machine, and keeps its last good version.
//!
//! In: a list's name and URL, a way to count its rules. Out: a [`Snapshot`], the file to parse.
//! Always: a snapshot is replaced whole or not at all; what fails to arrive, is no list, or has suddenly lost or gained
//! most of its rules leaves the last good snapshot where it is. Fails by keeping what there was and saying why.
//! Keeps: RFC 9110 §13 (conditional requests), §15.4 (redirection).

mod download;
mod error;
mod guard;
mod names;
mod schedule;
mod snapshot;

pub use download::{Bounds, Fetcher};
pub use error::FetchError;
pub use names::{ListNames, Lookup};
pub use schedule::{after_failure, after_success, first_due};
pub use snapshot::{Metadata, Snapshot, Store};

use crate::clock;
use crate::config::settings::ListSettings;
use crate::list::{parse, source};
use download::Body;
use std::path::Path;

/// What a fetch came to, when it did not fail.
#[derive(Debug)]
pub enum Fetched {
    /// The publisher has nothing newer.
    Unchanged(Snapshot),
    /// A new version, now the last good one.
    New(Snapshot),
}

impl Fetched {
    /// The last good version, new or not.
    pub fn snapshot(&self) -> &Snapshot {
        match self {
            Fetched::Unchanged(snapshot) | Fetched::New(snapshot) => snapshot,
        }
    }
}

/// Fetches the list at `url` into `store`. `count_rules` reads a candidate and says how many rules it holds, or in half a
/// sentence why it cannot be read. `accept` takes a version that the guard would hold back.
pub async fn fetch(
    fetcher: &Fetcher,
    store: &Store,
    url: &str,
    accept: bool,
    count_rules: impl FnOnce(&Path) -> Result<u64, String> + Send + 'static,
) -> Result<Fetched, FetchError> {
    let last_good = store.last_good(url);
    let mut incoming = store.incoming(url)?;
    let body = fetcher
        .download(url, last_good.as_ref().map(|good| &good.metadata), &mut incoming)
        .await?;
    let checked_unix_ms = clock::now().unix_ms;
    let arrived = match (body, last_good.as_ref()) {
        (Body::Arrived(arrived), _) => arrived,
        (Body::NotModified, Some(good)) => {
            let metadata = Metadata {
                checked_unix_ms,
                ..good.metadata.clone()
            };
            return store.touch(good, metadata).map(Fetched::Unchanged);
        }
        (Body::NotModified, None) => return Err(FetchError::Status(304)),
    };
    let same = last_good.as_ref().filter(|good| good.metadata.sha256 == arrived.sha256);
    if let Some(good) = same {
        let metadata = Metadata {
            etag: arrived.etag,
            last_modified: arrived.last_modified,
            checked_unix_ms,
            ..good.metadata.clone()
        };
        return store.touch(good, metadata).map(Fetched::Unchanged);
    }
    let candidate = incoming.path().to_owned();
    let rules = tokio::task::spawn_blocking(move || count_rules(&candidate))
        .await
        .map_err(|_| FetchError::Unreadable("reading it failed".into()))?
        .map_err(FetchError::Unreadable)?;
    if !accept {
        guard::judge(last_good.as_ref().map(|good| good.metadata.rules), rules)?;
    }
    let metadata = Metadata {
        url: url.to_owned(),
        file: String::new(),
        sha256: arrived.sha256,
        bytes: arrived.bytes,
        etag: arrived.etag,
        last_modified: arrived.last_modified,
        fetched_unix_ms: checked_unix_ms,
        checked_unix_ms,
        rules,
    };
    store.keep(incoming, metadata).map(Fetched::New)
}

/// Counts the rules of a candidate for `list`, the way compiling would read it.
pub fn rule_counter(list: &ListSettings) -> impl FnOnce(&Path) -> Result<u64, String> + Send + 'static {
    let list = list.clone();
    move |candidate| {
        let specs = source::expand_list(&list, candidate, true).map_err(|error| error.to_string())?;
        let mut rules = 0;
        for spec in &specs {
            let unpacked = spec.read().map_err(|error| error.to_string())?;
            let (_, parsed) = parse::parse(&unpacked.bytes, &spec.options()).map_err(|error| format!("it {error}"))?;
            rules += parsed.counts.rules;
        }
        Ok(rules)
    }
}
