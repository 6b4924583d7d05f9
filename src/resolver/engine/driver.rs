//! Runs resolutions on sockets.
//!
//! In: questions of clients. Out: answers in wire form. Commands of tasks become datagrams and TCP exchanges; what comes back, and
//! the time, become events.
//! Always: a UDP query goes out from a socket and a port of its own, connected to the server (`sockets`); TCP connections are shared and reused (RFC 7766 §6.2.1); everything ends
//! with the resolution it belongs to.

use super::hints::{self, HintsError};
use super::keeper::{self, Keeper};
use super::message;
use super::shared::{Engine, EngineSettings, Wanted};
use super::task::{Command, Errand, Event, Id, Task, Transport, Why};
use super::trouble::Trouble;
use super::walk::{Finding, Found};
use crate::clock;
use crate::config::settings::ResolverSettings;
use crate::dns::name::Name;
use crate::dns::rtype;
use crate::limits;
use crate::now::{Now, seconds_between};
use crate::resolver::counters::Counters;
use crate::resolver::exchange::ExchangeError;
use crate::resolver::forward::reuse::Reused;
use crate::resolver::forward::stream::Stream;
use crate::resolver::forward::tcp;
use crate::resolver::nameservers;
use crate::resolver::sockets::{Socket, Sockets};
use crate::resolver::validate::anchors::{AnchorError, Anchors};
use crate::resolver::validate::{Validator, ValidatorSettings};
use crate::resolver::{self, Answer, Failure, Question, Resolver, Scope};
use async_trait::async_trait;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use std::collections::HashMap;
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::time::Sleep;

/// Where the server with an address is found: at port 53 of it, but for tests.
pub type Mapping = Arc<dyn Fn(IpAddr) -> SocketAddr + Send + Sync>;

/// A resolver that starts at the root.
pub struct Recursive {
    inner: Arc<Inner>,
}

struct Inner {
    engine: Arc<Engine>,
    mapping: Mapping,
    counters: Arc<Counters>,
    sockets: Arc<Sockets>,
    streams: Mutex<HashMap<SocketAddr, Arc<Reused<Stream>>>>,
    /// Follows the keys of trust anchors, where answers are validated.
    keeper: Option<Keeper>,
}

/// Settings from which nothing can start at the root.
#[derive(Debug, thiserror::Error)]
pub enum RecursiveError {
    #[error(transparent)]
    Hints(#[from] HintsError),
    #[error(
        "resolver: no root server can be asked; allow ipv4 or ipv6, or write root hints with addresses of the kind allowed"
    )]
    NoRoots,
    #[error("{}: the trust anchors cannot be read: {cause}", path.display())]
    AnchorFile { path: PathBuf, cause: std::io::Error },
    #[error("{}:{}: {}", path.display(), cause.line, cause.flaw)]
    Anchor { path: PathBuf, cause: AnchorError },
    #[error("resolver.trust_anchors: {text:?}: {}", cause.flaw)]
    AnchorLine { text: String, cause: AnchorError },
}

/// The validator that settings describe, or none.
pub(in crate::resolver) fn validator(settings: &ResolverSettings) -> Result<Option<Validator>, RecursiveError> {
    if !settings.validate {
        return Ok(None);
    }
    let mut anchors = match &settings.trust_anchor {
        None => Anchors::built_in(),
        Some(path) => {
            let text = std::fs::read_to_string(path).map_err(|cause| RecursiveError::AnchorFile {
                path: path.clone(),
                cause,
            })?;
            let mut anchors = Anchors::none();
            anchors.read(&text).map_err(|cause| RecursiveError::Anchor {
                path: path.clone(),
                cause,
            })?;
            anchors
        }
    };
    for text in &settings.trust_anchors {
        anchors.read(text).map_err(|cause| RecursiveError::AnchorLine {
            text: text.clone(),
            cause,
        })?;
    }
    for (zone, fault) in anchors.unusable(settings.sha1) {
        tracing::warn!(%zone, ?fault, "no trust anchor of this zone can be followed; nothing at or below it is checked");
    }
    settings.insecure.iter().for_each(|name| anchors.add_negative(name));
    let settings = ValidatorSettings { sha1: settings.sha1 };
    Ok(Some(Validator::new(anchors, settings)))
}

impl Recursive {
    /// A resolver as settings want it, which remembers up to `memory_bytes`, and in `anchors` how the keys of trust anchors
    /// changed; without such a folder that is forgotten at the end.
    pub fn new(
        settings: &ResolverSettings,
        memory_bytes: usize,
        anchors: Option<PathBuf>,
        mapping: Mapping,
        counters: Arc<Counters>,
    ) -> Result<Recursive, RecursiveError> {
        let hints = match &settings.root_hints {
            Some(path) => hints::read(path)?,
            None => hints::builtin(),
        };
        let usable = |address: &IpAddr| match address {
            IpAddr::V4(_) => settings.ipv4,
            IpAddr::V6(_) => settings.ipv6,
        };
        if !hints.iter().any(usable) {
            return Err(RecursiveError::NoRoots);
        }
        let validator = validator(settings)?;
        let sha1 = settings.sha1;
        let settings = EngineSettings {
            signature_skew_s: u32::try_from(settings.signature_skew.as_secs()).unwrap_or(u32::MAX),
            last_saved_unix_ms: anchors.as_deref().and_then(keeper::last_saved_unix_ms),
            hints,
            prime: settings.prime,
            minimization: settings.qname_minimization,
            random_case: settings.case_randomization,
            ipv4: settings.ipv4,
            ipv6: settings.ipv6,
            edns_buffer: settings.edns_buffer,
            query_private: settings.query_private.clone(),
            memory_bytes,
        };
        let engine = Engine::new(settings, validator, rand::random());
        let when = engine.when(clock::now());
        if when.suspended && engine.validator.is_some() {
            tracing::warn!(
                "the clock shows a time that is past; the dates of DNSSEC signatures are not looked at until it is right"
            );
        }
        let keeper = engine
            .validator
            .as_ref()
            .map(|validator| Keeper::load(validator, anchors, sha1, &when));
        Ok(Recursive {
            inner: Arc::new(Inner {
                keeper,
                engine: Arc::new(engine),
                mapping,
                counters,
                sockets: Sockets::new(),
                streams: Mutex::default(),
            }),
        })
    }

    /// Forgets what was learned; see [`Engine::forget`].
    pub fn forget(&self, scope: &Scope) -> usize {
        self.inner.engine.forget(scope)
    }

    /// What resolutions share.
    pub fn engine(&self) -> &Arc<Engine> {
        &self.inner.engine
    }

    async fn answer(&self, question: &Question, least_left: Duration, deadline: Instant) -> Result<Answer, Failure> {
        let now = clock::now();
        let left = deadline.saturating_duration_since(clock::instant());
        let deadline_ms = now.mono_ms + left.as_millis() as u64;
        let engine = &self.inner.engine;
        self.inner.follow_anchors(now);
        if question.qtype == rtype::NAMESERVERS {
            return self.nameservers(&question.name, deadline_ms).await;
        }
        let wanted = Wanted {
            name: question.name.clone(),
            qtype: question.qtype,
            check: !question.checking_disabled,
            least_left_ms: least_left.as_millis() as u64,
        };
        let traced = tracing::enabled!(tracing::Level::DEBUG);
        let task = engine.resolve(wanted, rand::random(), deadline_ms, traced);
        let found: Found = self.inner.drive(task).await?;
        let now = clock::now();
        let message = message::write(&question.name, question.qtype, &found, question.dnssec_ok, now.mono_ms)
            .ok_or(Failure::TooMuch("the answer does not fit a message"))?;
        // Who checks for himself needs no opinion of ours.
        let ede = match question.checking_disabled {
            true => Vec::new(),
            false => engine.remarks(&question.name, &found, now),
        };
        Ok(Answer { message, ede })
    }

    /// The answer that says who serves the zones on the way to `name`.
    async fn nameservers(&self, name: &Name, deadline_ms: u64) -> Result<Answer, Failure> {
        let traced = tracing::enabled!(tracing::Level::DEBUG);
        let engine = &self.inner.engine;
        let task = engine.nameservers(name.clone(), rand::random(), deadline_ms, traced);
        let way = self.inner.drive(task).await?;
        let ttl_s = seconds_between(clock::now().mono_ms, way.expires_ms);
        Ok(nameservers::answer(name, ttl_s, &way.names, way.addresses))
    }
}

#[async_trait]
impl Resolver for Recursive {
    async fn resolve(&self, question: &Question, deadline: Instant) -> Result<Answer, Failure> {
        self.answer(question, Duration::ZERO, deadline).await
    }

    async fn renew(&self, question: &Question, least_left: Duration, deadline: Instant) -> Result<Answer, Failure> {
        self.answer(question, least_left, deadline).await
    }
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Failure {
        match trouble {
            Trouble::Unreachable => Failure::Unreachable,
            Trouble::Lost(what) => Failure::Authorities { what, ede: Vec::new() },
            Trouble::Unusable { what, ede } => Failure::Authorities { what, ede },
            Trouble::Limit(what) => Failure::Limit(what),
            Trouble::TooMuch(what) => Failure::TooMuch(what),
            Trouble::Bogus(reason) => Failure::Bogus {
                code: reason.code(),
                what: reason.to_string(),
            },
        }
    }
}

impl Inner {
    /// Steps `task` until it has a result.
    async fn drive<T>(self: &Arc<Self>, mut task: Task<T>) -> Result<T, Trouble> {
        let mut line = Line {
            open: Vec::new(),
            ready: Vec::new(),
            alarm: Box::pin(tokio::time::sleep(Duration::ZERO)),
        };
        let mut commands = Vec::new();
        let mut event = Event::Timer;
        loop {
            let now = clock::now();
            let result = task.step(now, event, &mut commands);
            for traced in task.take_trace() {
                tracing::debug!("{}", traced.step);
            }
            for command in commands.drain(..) {
                self.obey(command, now.mono_ms, &mut line);
            }
            if let Some(result) = result {
                return result;
            }
            event = line.next(&self.counters).await;
        }
    }

    /// Looks at the keys of trust anchors when that is due, beside whatever is going on.
    fn follow_anchors(self: &Arc<Self>, now: Now) {
        let when = self.engine.when(now);
        let due = self.keeper.as_ref().map(|keeper| keeper.due(&when)).unwrap_or_default();
        if due.is_empty() {
            return;
        }
        let inner = Arc::clone(self);
        tokio::spawn(async move {
            for zone in due {
                let wanted = Wanted {
                    name: zone.clone(),
                    qtype: rtype::DNSKEY,
                    check: false,
                    // What is known does not count: it is the zone's own word that is wanted.
                    least_left_ms: u64::MAX / 2,
                };
                let deadline_ms = clock::now().mono_ms + limits::ERRAND.as_millis() as u64;
                let task = inner.engine.resolve(wanted, rand::random(), deadline_ms, false);
                let found = inner.drive(task).await.ok();
                let seen = found.as_ref().and_then(|found| match &found.end {
                    Finding::Set(held) => Some(&*held.set),
                    Finding::Denied(_) | Finding::TooLong => None,
                });
                if let (Some(keeper), Some(validator)) = (&inner.keeper, &inner.engine.validator) {
                    keeper.take_in(&zone, seen, validator, &inner.engine.when(clock::now()));
                }
            }
            if let Some(keeper) = &inner.keeper {
                keeper.settle();
            }
        });
    }

    fn obey(self: &Arc<Self>, command: Command, now_ms: u64, line: &mut Line) {
        match command {
            Command::Send {
                id,
                server,
                transport,
                bytes,
            } => {
                self.counters.upstream_queries.add();
                let server = (self.mapping)(server);
                match transport {
                    // Where the process has no socket left to give, the task tries again in a moment.
                    Transport::Udp => match self.sockets.try_open(server).and_then(|socket| {
                        socket.send(&bytes)?;
                        Ok(socket)
                    }) {
                        Ok(socket) => line.open.push(Exchange {
                            id,
                            heard: false,
                            way: Way::Udp(hear(socket)),
                        }),
                        Err(cause) => line.ready.push(Event::Failed {
                            id,
                            why: why(cause.kind()),
                        }),
                    },
                    Transport::Tcp => {
                        self.counters.tcp_fallbacks.add();
                        line.open.push(Exchange {
                            id,
                            heard: false,
                            way: Way::Tcp(Arc::clone(self).stream_exchange(server, bytes).boxed()),
                        });
                    }
                }
            }
            Command::Cancel(id) => {
                if let Some(at) = line.open.iter().position(|exchange| exchange.id == id)
                    && !line.open.swap_remove(at).heard
                {
                    self.counters.upstream_timeouts.add();
                }
            }
            Command::WakeAt(at_ms) => {
                let wait = Duration::from_millis(at_ms.saturating_sub(now_ms));
                line.alarm.as_mut().reset((clock::instant() + wait).into());
            }
            Command::Also(errand) => self.also(errand, now_ms),
        }
    }

    /// Runs an errand beside the resolution that wanted it.
    fn also(self: &Arc<Self>, errand: Errand, now_ms: u64) {
        let deadline_ms = now_ms + limits::ERRAND.as_millis() as u64;
        let traced = tracing::enabled!(tracing::Level::DEBUG);
        let task = self.engine.run(errand, rand::random(), deadline_ms, traced);
        let inner = Arc::clone(self);
        // Boxed, since an errand might have errands.
        let driven: BoxFuture<'static, _> = async move { inner.drive(task).await }.boxed();
        tokio::spawn(async move {
            if let Err(trouble) = driven.await {
                tracing::debug!(%trouble, "an errand failed");
            }
        });
    }

    /// One exchange over a connection that others use as well.
    async fn stream_exchange(self: Arc<Self>, server: SocketAddr, query: Vec<u8>) -> Result<Vec<u8>, Why> {
        let end = clock::instant() + limits::ERRAND;
        let stream = self.stream(server);
        loop {
            let counters = Arc::clone(&self.counters);
            let connect = move || async move { tcp::connect(&[server], &counters).await }.boxed();
            let (connection, reused) = stream.get(connect).await.map_err(|error| match error {
                ExchangeError::Network(_) | ExchangeError::Closed => Why::PortClosed,
                _ => Why::NoConnection,
            })?;
            match connection.exchange(&query, end).await {
                // It had grown tired of waiting; that says nothing of the server (RFC 7766 §6.2.4).
                Err(ExchangeError::Closed) if reused => continue,
                Err(_) => return Err(Why::Closed),
                Ok(reply) => {
                    let mut bytes = reply.into_bytes();
                    // The connection has IDs of its own.
                    let id = resolver::message::id(&query).unwrap_or_default();
                    resolver::message::set_id(&mut bytes, id);
                    return Ok(bytes);
                }
            }
        }
    }

    fn stream(&self, server: SocketAddr) -> Arc<Reused<Stream>> {
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        if streams.len() >= limits::AUTHORITY_STREAMS && !streams.contains_key(&server) {
            // Those in use live on with the exchanges that hold them.
            streams.retain(|_, stream| Arc::strong_count(stream) > 1 || stream.is_usable());
            if streams.len() >= limits::AUTHORITY_STREAMS {
                streams.clear();
            }
        }
        Arc::clone(streams.entry(server).or_default())
    }
}

/// The next datagram, and the socket for those after it.
fn hear(socket: Socket) -> BoxFuture<'static, (Socket, std::io::Result<Vec<u8>>)> {
    async move {
        let came = socket.hear().await;
        (socket, came)
    }
    .boxed()
}

/// What an error of a socket says.
fn why(kind: ErrorKind) -> Why {
    match kind {
        ErrorKind::ConnectionRefused => Why::PortClosed,
        ErrorKind::NetworkUnreachable | ErrorKind::HostUnreachable | ErrorKind::AddrNotAvailable => Why::NoRoute,
        _ => Why::Local,
    }
}

/// What one task has going.
struct Line {
    open: Vec<Exchange>,
    /// Events that came of commands.
    ready: Vec<Event>,
    alarm: Pin<Box<Sleep>>,
}

struct Exchange {
    id: Id,
    heard: bool,
    way: Way,
}

enum Way {
    Udp(BoxFuture<'static, (Socket, std::io::Result<Vec<u8>>)>),
    Tcp(BoxFuture<'static, Result<Vec<u8>, Why>>),
}

impl Line {
    /// What happens next.
    async fn next(&mut self, counters: &Counters) -> Event {
        if let Some(event) = self.ready.pop() {
            return event;
        }
        std::future::poll_fn(|cx| self.poll_next(cx, counters)).await
    }

    fn poll_next(&mut self, cx: &mut Context<'_>, counters: &Counters) -> Poll<Event> {
        let Line { open, alarm, .. } = self;
        for at in 0..open.len() {
            let exchange = &mut open[at];
            let came = match &mut exchange.way {
                Way::Udp(hearing) => match hearing.as_mut().poll(cx) {
                    Poll::Pending => continue,
                    Poll::Ready((socket, came)) => {
                        // The first datagram need not be the genuine one.
                        *hearing = hear(socket);
                        came.map_err(|cause| why(cause.kind()))
                    }
                },
                Way::Tcp(exchange) => match exchange.as_mut().poll(cx) {
                    Poll::Pending => continue,
                    Poll::Ready(came) => came,
                },
            };
            exchange.heard = true;
            let id = exchange.id;
            // A TCP exchange ends with its response; a datagram may be followed by others.
            if came.is_err() || matches!(exchange.way, Way::Tcp(_)) {
                open.swap_remove(at);
            }
            return Poll::Ready(match came {
                Ok(bytes) => {
                    if bytes.get(3).is_some_and(|byte| !matches!(byte & 0x0f, 0 | 3)) {
                        counters.upstream_errors.add();
                    }
                    Event::Reply { id, bytes }
                }
                Err(why) => {
                    counters.upstream_errors.add();
                    Event::Failed { id, why }
                }
            });
        }
        alarm.as_mut().poll(cx).map(|()| Event::Timer)
    }
}
