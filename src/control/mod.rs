//! The local control socket: what those who may read `state_dir` ask of the running server, and its answers.
//!
//! In: one JSON object a line, a [`Request`]. Out: JSON objects, one a line; the last one of each answer has `ok`.
//! Always: the socket is `state_dir/control.sock`, mode 0600 from the moment it can be reached; no request waits for a query
//! and no query for a request. Lines, connections and idle time are bounded.
//! Fails: a request that cannot be done is answered `{"ok":false,"error":"one sentence"}`; the connection stays.
//!
//! Over it go names that clients looked up (`cache-dump`, `activity`) and asked for (`requests`): that is why nobody but the server's own user may open it.

mod client;
mod protocol;
mod server;

pub use client::{Client, ClientError};
pub use protocol::{
    CacheEntry, FetchFailure, FetchStatus, Flushed, Forgotten, GenerationStatus, ListStatus, ReloadStatus, Request,
    Result, SnapshotStatus, SourceStatus, Status,
};
pub use server::{Control, Running, Socket, SocketError};

use std::path::{Path, PathBuf};

/// Where the socket of a server with this `state_dir` is.
pub fn socket_path(state_dir: &Path) -> PathBuf {
    state_dir.join("control.sock")
}
