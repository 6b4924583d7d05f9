//! How many files the server may have open, clients and upstreams included.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tracing::debug;

/// Raises the limit as far as the system lets a process without asking: shells start programs with 1024 for the sake of
/// old ones, which is little for a server.
pub fn raise() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    // Where it cannot be raised it is lived with: upstream sockets keep to half of it, clients wait to be accepted.
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => debug!(from = limit.current, to = limit.maximum, "open files"),
        Err(error) => debug!(%error, limit = limit.current, "the limit of open files stays"),
    }
}
