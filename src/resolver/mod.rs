//! Finds answers: one trait, several ways.

use crate::dns::name::Name;
use async_trait::async_trait;
use std::time::Instant;

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
    /// The same question failed a moment ago (EDE 13, Cached Error).
    #[error("failed a moment ago: {0}")]
    Cached(Box<Failure>),
    /// Too much work is under way, or this question takes too much (EDE 0 with a text).
    #[error("over a limit: {0}")]
    Limit(&'static str),
}

/// One way to find answers. Implementations are shared by all listeners and must bound their own work.
#[async_trait]
pub trait Resolver: Send + Sync {
    /// Answers `question`, or fails, before `deadline`.
    async fn resolve(&self, question: &Question, deadline: Instant) -> Result<Answer, Failure>;
}
