//! What the recursor sends goes through here.
//!
//! Always: an exchange with one server ends within a second; an error answer, and one that is plainly nobody's, is the next
//! server's turn; a server that lately kept silent gets a shorter one. Every query is counted against the question it is for.
//! Keeps: RFC 1034 §5.3.3 step 4d, RFC 6891 §7, RFC 7766 §5.

use crate::clock;
use crate::limits;
use crate::resolver::Failure;
use crate::resolver::counters::Counters;
use crate::resolver::exchange::ExchangeError;
use crate::resolver::forward::reuse::Reused;
use crate::resolver::forward::stream::Stream;
use crate::resolver::forward::{tcp, udp};
use crate::resolver::message::Reply;
use futures_util::FutureExt;
use futures_util::stream::{self, BoxStream, StreamExt};
use hickory_net::NetError;
use hickory_net::runtime::TokioRuntimeProvider;
use hickory_net::xfer::DnsHandle;
use hickory_proto::access_control::AccessControlSetBuilder;
use hickory_proto::op::{DnsRequest, DnsRequestOptions, DnsResponse, Message, Query, ResponseCode};
use hickory_proto::rr::{Name, RData, RecordType};
use hickory_resolver::config::{ConnectionConfig, ProtocolConfig};
use hickory_resolver::recursor::{Recursor, RecursorOptions};
use hickory_resolver::{ConnectionProvider, PoolContext};
use std::collections::HashMap;
use std::future::{Ready, ready};
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::Instant;

/// Where the server with an address is found.
pub type Mapping = Arc<dyn Fn(IpAddr) -> SocketAddr + Send + Sync>;

/// Makes the recursor's connections.
#[derive(Clone)]
pub(super) struct Provider {
    shared: Arc<Shared>,
    runtime: TokioRuntimeProvider,
    /// Looks up what referrals leave out; `None` for the walk that takes them as they are.
    completer: Option<Completer>,
}

struct Shared {
    mapping: Mapping,
    counters: Arc<Counters>,
    /// Servers that kept silent the last time they were asked, and until when they get short turns.
    silent: Mutex<HashMap<IpAddr, Silent>>,
}

#[derive(Clone, Copy)]
struct Silent {
    times: u32,
    until_ms: u64,
}

tokio::task_local! {
    /// The question that queries are sent for.
    static ERRAND: Arc<Errand>;
}

/// What was sent and heard for one question.
#[derive(Default)]
pub(super) struct Errand {
    queries: AtomicUsize,
    over_budget: AtomicBool,
    /// The last server asked kept silent.
    silent: AtomicBool,
    /// Names of servers being looked up on the side, so that none is looked up for itself.
    completing: Mutex<Vec<Name>>,
}

/// Does `work`, counting the queries it sends.
pub(super) async fn errand<T>(work: impl Future<Output = T>) -> (Arc<Errand>, T) {
    let errand = Arc::new(Errand::default());
    let result = ERRAND.scope(Arc::clone(&errand), work).await;
    (errand, result)
}

impl Errand {
    /// A failure as the client should hear of it. The recursor tells a full budget and silence apart only in prose.
    pub(super) fn explain(&self, failure: Failure) -> Failure {
        match failure {
            Failure::Upstream(_) if self.over_budget.load(Ordering::Relaxed) => {
                Failure::Limit("the question takes too many queries")
            }
            Failure::Upstream(_) if self.silent.load(Ordering::Relaxed) => Failure::Unreachable,
            other => other,
        }
    }

    /// One more query; false when that is too many.
    fn take(&self) -> bool {
        let fits = self.queries.fetch_add(1, Ordering::Relaxed) < limits::AUTHORITY_QUERIES;
        if !fits {
            self.over_budget.store(true, Ordering::Relaxed);
        }
        fits
    }
}

impl Provider {
    pub(super) fn new(mapping: Mapping, counters: Arc<Counters>) -> Provider {
        Provider {
            shared: Arc::new(Shared {
                mapping,
                counters,
                silent: Mutex::default(),
            }),
            runtime: TokioRuntimeProvider::new(),
            completer: None,
        }
    }

    /// The same servers, for a recursor that also wants the addresses that referrals leave out. It is given the recursor
    /// when there is one.
    pub(super) fn completing(&self) -> (Provider, Completer) {
        let completer = Completer::default();
        let provider = Provider {
            completer: Some(completer.clone()),
            ..self.clone()
        };
        (provider, completer)
    }

    /// Asks the root servers in `hints`, one after the other, who they are now (RFC 9609 §3).
    pub(super) async fn prime(&self, hints: &[IpAddr], options: &RecursorOptions) -> Option<Primed> {
        let allowed = AccessControlSetBuilder::new("root servers")
            .allow(options.allow_server.iter())
            .deny(options.deny_server.iter())
            .build()
            .ok()?;
        let mut request = DnsRequestOptions::default();
        request.recursion_desired = false;
        request.edns_payload_len = options.edns_payload_len;
        let query = Query::query(Name::root(), RecordType::NS);
        // From a random one on, so that not every server in the world asks the first (RFC 9609 §3.2).
        let first: usize = rand::random_range(0..hints.len().max(1));
        for hint in hints.iter().cycle().skip(first).take(hints.len()) {
            let connection = self.connection(*hint);
            let Ok(response) = connection
                .exchange(DnsRequest::from_query(query.clone(), request))
                .await
            else {
                continue;
            };
            let mut servers = Vec::new();
            let mut ttl_s = u32::MAX;
            for record in &response.answers {
                if let RData::NS(server) = &record.data {
                    servers.push(server.0.clone());
                    ttl_s = ttl_s.min(record.ttl);
                }
            }
            let mut roots: Vec<IpAddr> = response
                .additionals
                .iter()
                .filter(|record| servers.contains(&record.name))
                .filter_map(|record| record.data.ip_addr())
                .filter(|address| !allowed.denied(*address))
                .collect();
            roots.sort_unstable();
            roots.dedup();
            if !roots.is_empty() && response.metadata.authoritative {
                return Some(Primed {
                    roots,
                    ttl_s: ttl_s.clamp(limits::PRIME_TTL_MIN_S, limits::PRIME_TTL_MAX_S),
                });
            }
        }
        None
    }

    fn connection(&self, ip: IpAddr) -> Connection {
        Connection {
            server: (self.shared.mapping)(ip),
            ip,
            stream_only: false,
            stream: Arc::new(Reused::default()),
            shared: Arc::clone(&self.shared),
            completer: self.completer.clone(),
        }
    }
}

/// Looks up the addresses of servers that a referral names without them, so that the recursor finds them in its cache.
///
/// hickory uses the servers whose addresses come with the referral and forgets the others; when the former are the broken ones,
/// the zone fails.
#[derive(Clone, Default)]
pub(super) struct Completer {
    recursor: Arc<OnceLock<Weak<Recursor<Provider>>>>,
}

impl Completer {
    pub(super) fn serve(&self, recursor: &Arc<Recursor<Provider>>) {
        // Each completer is made for one recursor, which is set once.
        let _ = self.recursor.set(Arc::downgrade(recursor));
    }

    async fn complete(&self, response: &Message) {
        let Some(recursor) = self.recursor.get().and_then(Weak::upgrade) else {
            return;
        };
        let Ok(errand) = ERRAND.try_with(Arc::clone) else {
            return;
        };
        for server in unglued(response) {
            {
                let mut completing = errand.completing.lock().unwrap_or_else(PoisonError::into_inner);
                if completing.len() >= limits::SERVERS_COMPLETED || completing.contains(&server) {
                    continue;
                }
                completing.push(server.clone());
            }
            // Only so that the answer is in the recursor's cache. The time limit also ends a look-up that waits for itself, as two
            // zones served by each other can make it.
            let query = Query::query(server, RecordType::A);
            let looking = recursor.resolve(query, clock::instant(), false);
            let _ = tokio::time::timeout(limits::AUTHORITY_TURN, Box::pin(looking)).await;
        }
    }
}

/// The servers a response names without an address, except those inside the zone it is about: these only the referral itself
/// could tell.
fn unglued(response: &Message) -> Vec<Name> {
    let sections = response.answers.iter().chain(&response.authorities);
    let mut missing = Vec::new();
    for record in sections {
        if let RData::NS(server) = &record.data {
            let has_address =
                |other: &hickory_proto::rr::Record| other.name == server.0 && other.data.ip_addr().is_some();
            if !record.name.zone_of(&server.0) && !response.additionals.iter().any(has_address) {
                missing.push(server.0.clone());
            }
        }
    }
    missing.truncate(limits::SERVERS_COMPLETED);
    missing
}

/// The root servers of the day.
pub(super) struct Primed {
    /// Sorted, each once, never empty.
    pub roots: Vec<IpAddr>,
    pub ttl_s: u32,
}

impl ConnectionProvider for Provider {
    type Conn = Connection;
    type FutureConn = Ready<Result<Connection, NetError>>;
    type RuntimeProvider = TokioRuntimeProvider;

    fn new_connection(
        &self,
        ip: IpAddr,
        config: &ConnectionConfig,
        _: &PoolContext,
    ) -> Result<Self::FutureConn, NetError> {
        Ok(ready(Ok(Connection {
            stream_only: !matches!(config.protocol, ProtocolConfig::Udp),
            ..self.connection(ip)
        })))
    }

    fn runtime_provider(&self) -> &TokioRuntimeProvider {
        &self.runtime
    }
}

/// A server to exchange messages with.
#[derive(Clone)]
pub(super) struct Connection {
    server: SocketAddr,
    ip: IpAddr,
    /// The recursor no longer trusts UDP for what it asks.
    stream_only: bool,
    stream: Arc<Reused<Stream>>,
    shared: Arc<Shared>,
    completer: Option<Completer>,
}

impl DnsHandle for Connection {
    type Response = BoxStream<'static, Result<DnsResponse, NetError>>;
    type Runtime = TokioRuntimeProvider;

    fn send(&self, request: DnsRequest) -> Self::Response {
        let connection = self.clone();
        stream::once(async move { connection.exchange(request).await }).boxed()
    }
}

impl Connection {
    async fn exchange(&self, request: DnsRequest) -> Result<DnsResponse, NetError> {
        let counters = &self.shared.counters;
        let result = self.ask(&request).await;
        let silent = matches!(result, Err(Lost::Exchange(ExchangeError::Timeout)));
        // Outside a question, when priming, there is nobody to tell.
        let _ = ERRAND.try_with(|errand| errand.silent.store(silent, Ordering::Relaxed));
        match &result {
            Ok(response) => {
                self.shared.spoke(self.ip);
                if let Some(query) = request.queries.first() {
                    tracing::debug!(
                        server = %self.server,
                        name = %query.name,
                        qtype = %query.query_type,
                        rcode = u16::from(response.metadata.response_code),
                        answers = response.answers.len(),
                        authorities = response.authorities.len(),
                        "a server answered"
                    );
                }
            }
            Err(Lost::Exchange(ExchangeError::Timeout)) => {
                counters.upstream_timeouts.add();
                self.shared.kept_silent(self.ip);
            }
            Err(Lost::Budget) => {}
            Err(_) => counters.upstream_errors.add(),
        }
        if let (Ok(response), Some(completer)) = (&result, &self.completer) {
            completer.complete(response).await;
        }
        result.map_err(|lost| {
            tracing::debug!(server = %self.server, %lost, "a server gave no usable answer");
            lost.into()
        })
    }

    async fn ask(&self, request: &DnsRequest) -> Result<DnsResponse, Lost> {
        let end = clock::instant() + self.shared.turn(self.ip);
        let mut response = self.ask_as(request, end).await?;
        // RFC 6891 §7: a server that does not know EDNS says FORMERR, or NOTIMP, and answers without it.
        if matches!(
            response.metadata.response_code,
            ResponseCode::FormErr | ResponseCode::NotImp
        ) && request.edns.is_some()
        {
            let (mut message, options) = request.clone().into_parts();
            message.edns = None;
            let plain = DnsRequest::new(message, options).with_original_query(request.original_query().cloned());
            response = self.ask_as(&plain, end).await?;
        }
        let code = response.metadata.response_code;
        if !matches!(code, ResponseCode::NoError | ResponseCode::NXDomain) {
            return Err(Lost::Code(code));
        }
        if is_lame(&response) {
            return Err(Lost::Lame);
        }
        Ok(response)
    }

    async fn ask_as(&self, request: &DnsRequest, end: Instant) -> Result<DnsResponse, Lost> {
        let bytes = request.to_vec().map_err(|_| Lost::Unreadable)?;
        let reply = self.transfer(&bytes, end).await?;
        let response = DnsResponse::from_buffer(reply.into_bytes()).map_err(|_| Lost::Unreadable)?;
        let Some(original) = request.original_query() else {
            return Ok(response);
        };
        // Case randomization (draft-vixie-dnsext-dns0x20): the same letters must come back; then the question is as it was.
        let mut message = response.into_message();
        let same = |theirs: &Query, ours: &Query| theirs.name().eq_case(ours.name());
        match (message.queries.first(), request.queries.first()) {
            (Some(theirs), Some(ours)) if same(theirs, ours) => {}
            _ if self.stream_only => {}
            _ => return Err(Lost::Case),
        }
        message.queries = vec![original.clone()];
        DnsResponse::from_message(message).map_err(|_| Lost::Unreadable)
    }

    async fn transfer(&self, query: &[u8], end: Instant) -> Result<Reply, Lost> {
        take()?;
        let counters = &self.shared.counters;
        if !self.stream_only {
            match udp::exchange(self.server, query, Some(limits::AUTHORITY_AGAIN), end, counters).await {
                Ok(reply) if !reply.truncated => return Ok(reply),
                Ok(_) | Err(ExchangeError::Forged) => counters.tcp_fallbacks.add(),
                Err(error) => return Err(error.into()),
            }
            take()?;
        }
        // The server is there, or UDP is not to be trusted: a stream has a turn of its own.
        let end = end.max(clock::instant() + limits::AUTHORITY_TURN);
        loop {
            let (server, shared) = (self.server, Arc::clone(&self.shared));
            let connect = move || async move { tcp::connect(&[server], &shared.counters).await }.boxed();
            let connecting = tokio::time::timeout_at(end.into(), self.stream.get(connect));
            let (stream, reused) = connecting.await.unwrap_or(Err(ExchangeError::Timeout))?;
            counters.upstream_queries.add();
            match stream.exchange(query, end).await {
                Err(ExchangeError::Closed) if reused => continue,
                Ok(reply) if reply.truncated => return Err(Lost::Unreadable),
                Ok(reply) => return Ok(reply),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// Counts a query against the question it is sent for.
fn take() -> Result<(), Lost> {
    match ERRAND.try_with(|errand| errand.take()) {
        Ok(false) => Err(Lost::Budget),
        // Priming is nobody's errand.
        Ok(true) | Err(_) => Ok(()),
    }
}

/// Whether a server answered for a zone it does not serve: not with authority, no records, and either nothing at all or
/// a pointer back up to the root.
fn is_lame(response: &Message) -> bool {
    if response.metadata.authoritative
        || !response.answers.is_empty()
        || response.metadata.response_code != ResponseCode::NoError
    {
        return false;
    }
    let for_root = response.queries.first().is_some_and(|query| query.name().is_root());
    let mut servers = response
        .authorities
        .iter()
        .filter(|record| record.record_type() == RecordType::NS)
        .peekable();
    match servers.peek() {
        Some(_) => !for_root && servers.all(|record| record.name.is_root()),
        None => !response
            .authorities
            .iter()
            .any(|record| record.record_type() == RecordType::SOA),
    }
}

/// Why a server gave nothing to go on with.
#[derive(Debug, thiserror::Error)]
enum Lost {
    #[error(transparent)]
    Exchange(#[from] ExchangeError),
    #[error("it answered {0}")]
    Code(ResponseCode),
    #[error("it does not serve the zone")]
    Lame,
    #[error("its answer cannot be read")]
    Unreadable,
    #[error("it changed the letter case of the question")]
    Case,
    #[error("the question has used up its queries")]
    Budget,
}

impl From<Lost> for NetError {
    /// I/O errors and timeouts send the recursor to the next server; anything else ends its search.
    fn from(lost: Lost) -> NetError {
        match lost {
            Lost::Exchange(ExchangeError::Timeout) => NetError::Timeout,
            Lost::Case => NetError::QueryCaseMismatch,
            Lost::Budget => NetError::Message("too many queries for one question"),
            other => NetError::from(std::io::Error::other(other.to_string())),
        }
    }
}

impl Shared {
    /// How long the server may take.
    fn turn(&self, ip: IpAddr) -> std::time::Duration {
        let silent = self.silent.lock().unwrap_or_else(PoisonError::into_inner);
        match silent.get(&ip) {
            Some(silent) if clock::now().mono_ms < silent.until_ms => limits::AUTHORITY_SHORT_TURN,
            _ => limits::AUTHORITY_TURN,
        }
    }

    fn spoke(&self, ip: IpAddr) {
        self.silent.lock().unwrap_or_else(PoisonError::into_inner).remove(&ip);
    }

    fn kept_silent(&self, ip: IpAddr) {
        let now_ms = clock::now().mono_ms;
        let mut silent = self.silent.lock().unwrap_or_else(PoisonError::into_inner);
        if silent.len() >= limits::SILENT_SERVERS && !silent.contains_key(&ip) {
            silent.retain(|_, entry| now_ms < entry.until_ms);
            if silent.len() >= limits::SILENT_SERVERS {
                silent.clear();
            }
        }
        let entry = silent.entry(ip).or_insert(Silent { times: 0, until_ms: 0 });
        let pause = limits::UPSTREAM_AVOID_MIN
            .saturating_mul(1 << entry.times.min(8))
            .min(limits::UPSTREAM_AVOID_MAX);
        entry.times += 1;
        entry.until_ms = now_ms + pause.as_millis() as u64;
    }
}
