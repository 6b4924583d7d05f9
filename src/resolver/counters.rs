//! What the resolver counts, for the control socket.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts since the start of the program; none ever goes down. They are added to on cache misses only.
#[derive(Debug, Default)]
pub struct Counters {
    /// Questions asked of the resolver.
    pub questions: Counter,
    /// Questions that waited for the same question already in flight.
    pub joined: Counter,
    /// Questions answered from the failure cache (RFC 9520).
    pub cached_failures: Counter,
    /// Questions that failed, cached failures left out.
    pub failures: Counter,
    /// Queries sent to other servers, each transmission counted.
    pub upstream_queries: Counter,
    /// Exchanges with other servers that ended without an answer in time.
    pub upstream_timeouts: Counter,
    /// Exchanges that failed otherwise, or were answered with an error RCODE.
    pub upstream_errors: Counter,
    /// Questions asked again over TCP because the UDP response was truncated or forged.
    pub tcp_fallbacks: Counter,
    /// Questions asked of the way that stands behind the usual one (`resolver.fallback`).
    pub fallbacks: Counter,
    /// Connections opened (TCP, TLS, HTTPS, QUIC).
    pub connections: Counter,
}

/// One count.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds one.
    pub fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// The count so far.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Counters {
    /// All counts with their names, in a fixed order.
    pub fn all(&self) -> [(&'static str, u64); 10] {
        [
            ("questions", self.questions.get()),
            ("joined", self.joined.get()),
            ("cached_failures", self.cached_failures.get()),
            ("failures", self.failures.get()),
            ("upstream_queries", self.upstream_queries.get()),
            ("upstream_timeouts", self.upstream_timeouts.get()),
            ("upstream_errors", self.upstream_errors.get()),
            ("tcp_fallbacks", self.tcp_fallbacks.get()),
            ("fallbacks", self.fallbacks.get()),
            ("connections", self.connections.get()),
        ]
    }
}
