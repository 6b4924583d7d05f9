//! What can go wrong with a fetch, in words for the operator: each completes a sentence that names the list.

use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;

/// Why a list could not be fetched. Each reads as the second half of a sentence that names the list.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    #[error("{0:?} is not an http or https address")]
    Address(String),
    #[error("{what} failed: {}", root_cause(.source))]
    Network { what: &'static str, source: reqwest::Error },
    #[error("the server answered with HTTP status {0}")]
    Status(u16),
    #[error("redirected {0}, which is not followed")]
    Redirect(&'static str),
    #[error("it is larger than {0} bytes")]
    TooLarge(u64),
    #[error("the server sent nothing for {} s", .0.as_secs())]
    Stalled(Duration),
    #[error("it did not arrive within {} s", .0.as_secs())]
    TooSlow(Duration),
    #[error("a web page came instead of a list; check the address")]
    WebPage,
    #[error("it is empty")]
    Empty,
    #[error("no rule was found in it; check the address and the format")]
    NoRules,
    #[error("it cannot be read: {0}")]
    Unreadable(String),
    /// The guard held back a version that shrank or exploded.
    #[error(
        "the new version has {now} rules where the last good one has {was}; held back, `stairgate update --accept` with the list's name takes it"
    )]
    Held { was: u64, now: u64 },
    #[error("{}: {source}", path.display())]
    Store { path: PathBuf, source: std::io::Error },
}

impl FetchError {
    /// Whether this machine failed to keep what it was sent (disk full, no permission), rather than the publisher.
    pub fn is_local(&self) -> bool {
        matches!(self, FetchError::Store { .. })
    }
}

/// The innermost cause says what is wrong; the layers above repeat the address.
fn root_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
