//! Finds answers: one trait, several ways.
//!
//! In: a question that neither policy nor the cache answered. Out: an [`Answer`] in wire form, or a [`Failure`] that says what to
//! tell the client.
//! Always: [`build`] stacks, from the outside in: `dns64` (where the network has a translator), `join` (equal questions in flight are resolved once), `failures` (what failed a
//! moment ago fails at once), `zones` (`[[zone]] forward`), and below them `forward` or `engine` (recursion), or one
//! behind the other (`fallback`). Who serves a name's zones, which rules may ask for, recursion knows; in front of upstreams
//! `nameservers` finds it out. Everything ends at its deadline.
//! The system's resolver is never asked: it may be this program. `bootstrap` looks up the names this program itself needs.

pub mod bootstrap;
mod build;
pub mod counters;
pub mod dns64;
pub mod engine;
mod exchange;
pub mod failures;
pub mod fallback;
pub mod forward;
pub mod join;
mod message;
pub mod nameservers;
mod scope;
pub mod scripted;
mod sockets;
mod stub;
pub mod validate;
pub mod zones;

pub use build::{BuildError, Stack, build, build_mapped, memory_bytes};
pub use scope::Scope;
pub use sockets::files_left;

use crate::dns::name::Name;
use async_trait::async_trait;
use std::time::{Duration, Instant};

/// What is asked of a resolver. Class IN; other classes never come here.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Question {
    /// Letter case is of no account (equal and hashed without it).
    pub name: Name,
    pub qtype: u16,
    /// The client wants DNSSEC records (DO).
    pub dnssec_ok: bool,
    /// The client validates itself (CD).
    pub checking_disabled: bool,
}

/// What a resolver found: also NXDOMAIN and NODATA are answers.
#[derive(Debug, Clone)]
pub struct Answer {
    /// A whole response message: ID 0, QR, RD and RA set, AD when validated, the question as asked, its sections, no OPT.
    pub message: Vec<u8>,
    /// Extended DNS Errors to pass on (RFC 8914): INFO-CODE and EXTRA-TEXT.
    pub ede: Vec<(u16, String)>,
}

/// Why there is no answer; the client gets SERVFAIL and the EDE.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// No server answered in time (EDE 22, No Reachable Authority).
    #[error("no server answered in time")]
    Unreachable,
    /// Servers answered, none usably (EDE 23, Network Error, or 0).
    #[error("upstream failed: {0}")]
    Upstream(String),
    /// Every server that answered said this error; what they added to it is passed on.
    #[error("upstream answered with response code {rcode}")]
    Answered { rcode: u16, ede: Vec<(u16, String)> },
    /// Authorities were reached, none gave an answer: what one of them did. What it added to it is passed on, before EDE 23 (Network
    /// Error) and 22 (No Reachable Authority), which RFC 8914 §4.23 means for those that refuse as well.
    #[error("authorities failed: {what}")]
    Authorities { what: String, ede: Vec<(u16, String)> },
    /// Servers' answers do not hold against the chain of trust (RFC 4035 §5.5): an INFO-CODE of RFC 8914, and which records are
    /// wrong and how.
    #[error("bogus: {what}")]
    Bogus { code: u16, what: String },
    /// The same question failed a moment ago (EDE 13, Cached Error).
    #[error("failed a moment ago: {0}")]
    Cached(Box<Failure>),
    /// Too much work is under way, whatever the question (EDE 0 with a text).
    #[error("over a limit: {0}")]
    Limit(&'static str),
    /// This question takes more than any may (EDE 0 with a text).
    #[error("takes too much: {0}")]
    TooMuch(&'static str),
}

impl Failure {
    /// Whether an answer from before is better than this failure (RFC 8767 §4). Where signatures do not hold, somebody may be
    /// at work who would like to be believed, and a client is told so.
    pub fn permits_stale(&self) -> bool {
        !self.is_bogus()
    }

    /// Signatures do not hold, or did not a moment ago: nobody else's word may take the place of this.
    pub fn is_bogus(&self) -> bool {
        matches!(self.first(), Failure::Bogus { .. })
    }

    /// What failed when it was not yet remembered.
    pub fn first(&self) -> &Failure {
        match self {
            Failure::Cached(failure) => failure.first(),
            first => first,
        }
    }

    /// The Extended DNS Errors (RFC 8914 §4) that tell a client about this failure: INFO-CODE and EXTRA-TEXT, the most
    /// telling first, at most [`EDE_OPTIONS`](crate::limits::EDE_OPTIONS) and three.
    pub fn ede(&self) -> Vec<(u16, String)> {
        match self {
            Failure::Unreachable => vec![(22, String::new())],
            Failure::Upstream(_) => vec![(23, String::new())],
            Failure::Answered { rcode, ede } if ede.is_empty() => vec![(23, format!("upstream said rcode {rcode}"))],
            Failure::Answered { ede, .. } => ede.clone(),
            Failure::Authorities { what, ede } => {
                let ours = [(23, what.clone()), (22, String::new())];
                ede.iter().cloned().chain(ours).collect()
            }
            Failure::Bogus { code, what } => vec![(*code, what.clone())],
            Failure::Cached(failure) => {
                let mut ede = failure.ede();
                ede.push((13, String::new()));
                ede
            }
            Failure::Limit(what) | Failure::TooMuch(what) => vec![(0, (*what).to_owned())],
        }
    }
}

/// One way to find answers. Implementations are shared by all listeners and must bound their own work.
#[async_trait]
pub trait Resolver: Send + Sync {
    /// Answers `question`, or fails, before `deadline`.
    async fn resolve(&self, question: &Question, deadline: Instant) -> Result<Answer, Failure>;

    /// The same for an answer that is known and about to end, which nobody waits for: what is known of it counts only if it is
    /// fresh for so much longer. That it fails is no reason to fail others.
    async fn renew(&self, question: &Question, least_left: Duration, deadline: Instant) -> Result<Answer, Failure> {
        // Who keeps nothing has nothing that could be too old.
        let _ = least_left;
        self.resolve(question, deadline).await
    }
}
