//! Why a resolution found nothing.

use crate::resolver::validate::Reason;

/// What to tell the client, the operator and the trace.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// No server answered in time.
    #[error("no server answered in time")]
    Unreachable,
    /// Servers answered, none usably; what the last one did.
    #[error("{0}")]
    Unusable(String),
    /// What servers say cannot be believed (RFC 4033 §5).
    #[error("{0}")]
    Bogus(Box<Reason>),
    /// Over a bound of `limits`.
    #[error("over a limit: {0}")]
    Limit(&'static str),
}
