//! Why a resolution found nothing.

use crate::resolver::validate::Reason;

/// What to tell the client, the operator and the trace.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// No server answered in time.
    #[error("no server answered in time")]
    Unreachable,
    /// The network says that none can be asked: which, and why.
    #[error("{0}")]
    Lost(String),
    /// Servers were reached, none gave an answer: what one of them did, and the Extended DNS Errors it sent along (RFC 8914).
    #[error("{what}")]
    Unusable { what: String, ede: Vec<(u16, String)> },
    /// What servers say cannot be believed (RFC 4033 §5).
    #[error("{0}")]
    Bogus(Box<Reason>),
    /// Too much is under way: over a bound of `limits` that questions share.
    #[error("over a limit: {0}")]
    Limit(&'static str),
    /// Over a bound of `limits` for one question.
    #[error("takes too much: {0}")]
    TooMuch(&'static str),
}

impl Trouble {
    /// Servers were reached and said nothing about why they are of no use.
    pub(super) fn unusable(what: impl Into<String>) -> Trouble {
        Trouble::Unusable {
            what: what.into(),
            ede: Vec::new(),
        }
    }

    /// The more telling of two: words of a server go before a broken exchange, that before silence, and among words those with a
    /// reason. Of equals the later.
    pub(super) fn or_later(self, later: Trouble) -> Trouble {
        let rank = |trouble: &Trouble| match trouble {
            Trouble::Unreachable => 0,
            Trouble::Lost(_) => 1,
            Trouble::Unusable { ede, .. } if ede.is_empty() => 2,
            _ => 3,
        };
        if rank(&self) > rank(&later) { self } else { later }
    }
}
