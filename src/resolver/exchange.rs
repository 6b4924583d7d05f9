//! Why one exchange with one server failed.

use super::message::Malformed;

/// Why a server gave no usable response. Kept small and cheap to copy: several waiting queries may share one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum ExchangeError {
    #[error("no answer in time")]
    Timeout,
    /// The connection ended before the response came.
    #[error("the connection was closed")]
    Closed,
    #[error("{0}")]
    Network(String),
    /// The handshake or its certificate failed.
    #[error("TLS: {0}")]
    Tls(String),
    #[error("HTTP: {0}")]
    Http(String),
    #[error("unreadable answer: {0}")]
    Malformed(#[from] Malformed),
    /// So many datagrams did not match the query that somebody is guessing.
    #[error("too many forged answers")]
    Forged,
    #[error("its name cannot be looked up: {0}")]
    Bootstrap(String),
}

impl From<std::io::Error> for ExchangeError {
    fn from(cause: std::io::Error) -> Self {
        use std::io::ErrorKind;
        match cause.kind() {
            ErrorKind::TimedOut => ExchangeError::Timeout,
            ErrorKind::UnexpectedEof
            | ErrorKind::ConnectionReset
            | ErrorKind::BrokenPipe
            | ErrorKind::ConnectionAborted => ExchangeError::Closed,
            _ => ExchangeError::Network(cause.to_string()),
        }
    }
}
