//! What is counted: one word for each thing, the same in code, metrics and on the control socket.
//!
//! The query road says with each result which of these happened ([`Counts`]); the listener adds them to counters of its
//! own thread (`telemetry::counters`). No count carries a name, an address or anything else about a client.

/// Declares the counters once: variant, stable name, meaning.
macro_rules! counters {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal,)+) => {
        /// One counter. The order is not stable, the names are.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Count {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Count {
            /// All of them, in the order of their numbers.
            pub const ALL: &'static [Count] = &[$(Count::$variant,)+];

            /// The stable name, snake case.
            pub fn name(self) -> &'static str {
                match self { $(Count::$variant => $name,)+ }
            }

            /// What it counts, in one line, as metrics explain it.
            pub fn help(self) -> &'static str {
                match self { $(Count::$variant => concat!($($doc,)+).trim_ascii(),)+ }
            }
        }
    };
}

counters! {
    /// Queries that came over UDP.
    QueriesUdp = "queries_udp",
    /// Queries that came over TCP.
    QueriesTcp = "queries_tcp",
    /// Queries that came over TLS.
    QueriesTls = "queries_tls",
    /// Queries that came over HTTPS.
    QueriesHttps = "queries_https",
    /// Queries that came over QUIC.
    QueriesQuic = "queries_quic",

    /// Queries blocked by the name they asked for.
    Blocked = "blocked",
    /// Queries blocked by what their answer held.
    BlockedByAnswer = "blocked_by_answer",
    /// Queries that would have been blocked, but the profile or list only observes.
    Observed = "observed",
    /// Queries that an allow rule let through.
    Allowed = "allowed",
    /// Queries answered with records of a rule.
    Rewritten = "rewritten",
    /// Queries answered from zones and records of this server.
    Local = "local",

    /// Queries answered from the cache.
    Cached = "cached",
    /// Queries answered by resolving.
    Resolved = "resolved",
    /// Queries answered with what was known before, since resolving failed or takes long.
    Stale = "stale",
    /// Cached answers whose renewal began before their time was over.
    Renewals = "renewals",
    /// Renewals that failed, so that the answer stayed as it was.
    RenewalsFailed = "renewals_failed",
    /// Cached answers not renewed because too much was under way.
    RenewalsOverLimit = "renewals_over_limit",
    /// Queries that resolving failed; SERVFAIL.
    Failed = "failed",
    /// Queries refused because the client may not ask.
    Refused = "refused",
    /// Malformed queries; FORMERR.
    Formerr = "formerr",
    /// Queries with an opcode or type not implemented; NOTIMP.
    Notimp = "notimp",
    /// Queries with an EDNS version above 0; BADVERS.
    Badvers = "badvers",
    /// Responses sent with TC because they did not fit.
    Truncated = "truncated",
    /// Queries with a cookie that has no server cookie in it yet.
    CookiesNew = "cookies_new",
    /// Queries with a valid server cookie.
    CookiesValid = "cookies_valid",
    /// Queries with a server cookie that is too old, of another address or server, or made up; answered as if without.
    CookiesInvalid = "cookies_invalid",
    /// Responses over the rate limit sent empty and with TC, so that the client comes back over TCP.
    LimitedTruncated = "limited_truncated",
    /// Responses over the rate limit sent as BADCOOKIE, so that the client comes back with its cookie.
    LimitedBadcookie = "limited_badcookie",
    /// Queries answered SERVFAIL because too many were waiting already.
    PendingOverLimit = "pending_over_limit",
    /// Queries answered SERVFAIL because too many of the same client were waiting already.
    PendingOverClient = "pending_over_client",

    /// Packets dropped: shorter than a header.
    DroppedShort = "dropped_short",
    /// Packets dropped: longer than a query may be.
    DroppedLong = "dropped_long",
    /// Packets dropped: responses, not queries.
    DroppedResponse = "dropped_response",
    /// Packets dropped: source port or address that cannot be answered.
    DroppedSource = "dropped_source",
    /// Queries dropped because a rule says so.
    DroppedByRule = "dropped_by_rule",
    /// Queries dropped because there were too many responses to their network in a second.
    DroppedOverRate = "dropped_over_rate",
    /// Queries dropped because the server is stopping.
    DroppedStopping = "dropped_stopping",
    /// Queries dropped because of a bug: a panic while they were answered.
    DroppedByBug = "dropped_by_bug",
    /// Responses lost because the client was gone or the socket refused them.
    DroppedSend = "dropped_send",

    /// TCP connections accepted.
    TcpConnections = "tcp_connections",
    /// TCP connections closed because they were idle.
    TcpClosedIdle = "tcp_closed_idle",
    /// TCP connections closed to make room for new ones.
    TcpClosedLimit = "tcp_closed_limit",
    /// TCP connections closed to make room for new ones of the same client.
    TcpClosedClient = "tcp_closed_client",
    /// TCP connections closed because they broke the protocol.
    TcpClosedError = "tcp_closed_error",

    /// Requests answered by the block page, whatever was answered.
    PageRequests = "page_requests",
    /// Connections to the block page closed to make room for new ones.
    PageClosedLimit = "page_closed_limit",
    /// Requests for a closed site that were kept.
    PageAsked = "page_asked",

    /// Queries answered SERVFAIL because a list their client needs has not arrived yet.
    NotReady = "not_ready",
    /// Generations put into force after the first.
    Reloads = "reloads",
    /// Reloads that failed, so that what was in force stayed.
    ReloadsFailed = "reloads_failed",
    /// Downloads of lists that failed or were held back.
    FetchesFailed = "fetches_failed",
    /// Files that could not be kept on disk.
    FilesNotKept = "files_not_kept",
    /// Queries of clients who chose that something is kept, and that came too fast to be noted.
    ActivityDropped = "activity_dropped",
}

/// What happened with one query: a set, each count at most once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts(u64);

const _: () = assert!(Count::ALL.len() <= 64, "a set of counts is one u64");

impl Counts {
    /// Nothing.
    pub const NONE: Counts = Counts(0);

    /// Only this.
    pub const fn one(count: Count) -> Counts {
        Counts(1 << count as u8)
    }

    /// This too.
    #[must_use]
    pub const fn with(self, count: Count) -> Counts {
        Counts(self.0 | 1 << count as u8)
    }

    /// These too.
    #[must_use]
    pub const fn union(self, other: Counts) -> Counts {
        Counts(self.0 | other.0)
    }

    pub const fn contains(self, count: Count) -> bool {
        self.0 & (1 << count as u8) != 0
    }

    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The counts of the set, in the order of their numbers.
    pub fn iter(self) -> impl Iterator<Item = Count> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            let lowest = rest.trailing_zeros() as usize;
            rest &= rest.wrapping_sub(1);
            Count::ALL.get(lowest).copied()
        })
    }
}

impl From<Count> for Counts {
    fn from(count: Count) -> Counts {
        Counts::one(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_gives_back_what_was_put_in_and_nothing_else() {
        let set = Counts::NONE
            .with(Count::QueriesUdp)
            .with(Count::TcpClosedError)
            .with(Count::Cached)
            .with(Count::Cached);
        let listed: Vec<Count> = set.iter().collect();
        assert_eq!(listed, [Count::QueriesUdp, Count::Cached, Count::TcpClosedError]);
        assert!(set.contains(Count::Cached) && !set.contains(Count::Blocked));
        assert!(Counts::NONE.iter().next().is_none());
    }

    #[test]
    fn names_are_distinct_and_snake_case_and_every_count_is_explained() {
        let mut names: Vec<&str> = Count::ALL.iter().map(|count| count.name()).collect();
        assert!(
            names
                .iter()
                .all(|name| name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'))
        );
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Count::ALL.len());
        for (number, &count) in Count::ALL.iter().enumerate() {
            assert_eq!(count as usize, number);
            assert!(
                count.help().ends_with('.') && !count.help().starts_with(' '),
                "{}",
                count.help()
            );
        }
    }
}
