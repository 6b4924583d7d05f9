//! Where queries come in and responses go out: UDP by the batch, TCP as a stream.
//!
//! In: addresses to listen on, and what answers there ([`Service`]). Out: running listeners that can be stopped.
//! Always: all sockets are bound before anything is answered, or none. Every query ends in one response or one counted drop.
//! Fails: an address that cannot be bound is an error that says which and what to do; nothing that comes in later stops a
//! listener.

mod clients;
mod line;
mod noted;
mod renew;
mod stream;
mod udp;

use crate::activity::Asked;
use crate::activity::ring::Rings;
use crate::cache::Cache;
use crate::clock;
use crate::count::{Count, Counts};
use crate::generation::{Generation, Generations};
use crate::limits::{MESSAGE_BYTES, PENDING_ENDING, PENDING_QUERIES, RENEWALS, STALE_WAIT, TCP_UNSENT_ALL_BYTES};
use crate::now::Now;
use crate::policy::Asker;
use crate::query::{self, Begun, Peer, Pending, Read, Transport};
use crate::resolver::{Answer, Failure, Resolver, files_left};
use crate::telemetry::counters::Counters;
use clients::{Among, Clients};
pub(crate) use clients::{Client, client};
use line::{Line, Place};
use renew::renew;
use std::cell::RefCell;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
pub(crate) use stream::open;
use stream::{Places, Unsent};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};

/// What answers: shared by all listeners of a server.
pub struct Service {
    /// The generation in force; whoever reloads stores the next one here.
    pub generations: Arc<Generations>,
    pub cache: Arc<Cache>,
    pub resolver: Arc<dyn Resolver>,
    pub counters: Arc<Counters>,
    /// Where queries of those go who chose that something is kept of them.
    pub activity: Arc<Rings>,
}

/// Running listeners.
pub struct Listeners {
    shared: Arc<Shared>,
    addresses: Vec<SocketAddr>,
    threads: Vec<JoinHandle<()>>,
    stop: watch::Sender<bool>,
    /// Yields its end when the last task that serves TCP is gone.
    streams_gone: mpsc::Receiver<std::convert::Infallible>,
}

/// An address cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address} ({transport}): {}{}", .source, hint(.source))]
pub struct ListenError {
    pub address: SocketAddr,
    /// "UDP" or "TCP".
    pub transport: &'static str,
    pub source: io::Error,
}

fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => "; stop the program that holds the port, or choose another in `listen`",
        io::ErrorKind::AddrNotAvailable => "; no interface of this machine has the address",
        io::ErrorKind::PermissionDenied => "; ports below 1024 need root or CAP_NET_BIND_SERVICE",
        _ => "",
    }
}

/// How a stop went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stopped {
    /// Queries still in flight when the time was up; their clients got no response.
    pub abandoned: usize,
}

impl Listeners {
    /// Binds every address for UDP and TCP and starts to answer. Port 0 takes a free port, the same for both. `workers` is
    /// the number of UDP threads for each address, 0 for one a core. Must be called within a tokio runtime, on which TCP and
    /// waiting queries run.
    pub fn start(addresses: &[SocketAddr], workers: usize, service: Service) -> Result<Listeners, ListenError> {
        let workers = match workers {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            workers => workers,
        };
        let mut bound = Vec::new();
        for &address in addresses {
            bound.push(bind(address, workers)?);
        }
        let (stop, stopped) = watch::channel(false);
        let (alive, streams_gone) = mpsc::channel(1);
        let shared = Arc::new(Shared {
            service,
            runtime: tokio::runtime::Handle::current(),
            line: Line::new(PENDING_QUERIES),
            clients: Arc::default(),
            tasks: Arc::new(Semaphore::new(TASKS)),
            renewals: Arc::new(Semaphore::new(RENEWALS)),
            unsent: Unsent::new(TCP_UNSENT_ALL_BYTES),
            stop: stopped.clone(),
            stopping: AtomicBool::new(false),
            workers,
        });
        let places = Arc::new(Places::new(files_left()));
        let mut addresses = Vec::new();
        let mut threads = Vec::new();
        for (address, sockets, listener) in bound {
            addresses.push(address);
            for (index, socket) in sockets.into_iter().enumerate() {
                let (socket, shared_by) = (Arc::new(socket), Arc::clone(&shared));
                let thread = std::thread::Builder::new()
                    .name(format!("udp-{index}"))
                    .spawn(move || udp::work(&socket, &shared_by))
                    .map_err(|source| ListenError {
                        address,
                        transport: "UDP",
                        source,
                    });
                match thread {
                    Ok(thread) => threads.push(thread),
                    Err(error) => {
                        shared.stopping.store(true, Ordering::Relaxed);
                        return Err(error);
                    }
                }
            }
            tokio::spawn(stream::accept(
                listener,
                Arc::clone(&shared),
                Arc::clone(&places),
                stopped.clone(),
                alive.clone(),
            ));
        }
        Ok(Listeners {
            shared,
            addresses,
            threads,
            stop,
            streams_gone,
        })
    }

    /// The addresses listened on, with the ports that were taken.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Takes no new queries, answers those that have come in, and returns when that is done or `grace` is over.
    pub async fn stop(mut self, grace: Duration) -> Stopped {
        let deadline = tokio::time::Instant::from_std(clock::instant() + grace);
        self.shared.stopping.store(true, Ordering::Relaxed);
        // Nobody listening any more is fine.
        let _ = self.stop.send(true);
        let threads = std::mem::take(&mut self.threads);
        let joined = tokio::task::spawn_blocking(move || threads.into_iter().for_each(|thread| drop(thread.join())));
        let _ = tokio::time::timeout_at(deadline, joined).await;
        let all = self.shared.tasks.acquire_many(TASKS as u32);
        let _ = tokio::time::timeout_at(deadline, all).await;
        let _ = tokio::time::timeout_at(deadline, self.streams_gone.recv()).await;
        Stopped {
            abandoned: TASKS - self.shared.tasks.available_permits().min(TASKS),
        }
    }
}

type Bound = (SocketAddr, Vec<std::net::UdpSocket>, tokio::net::TcpListener);

fn bind(address: SocketAddr, workers: usize) -> Result<Bound, ListenError> {
    let failed = |address, transport| {
        move |source| ListenError {
            address,
            transport,
            source,
        }
    };
    // A free port of one transport may be taken in the other.
    let tries = if address.port() == 0 { 16 } else { 1 };
    let mut attempt = 0;
    loop {
        attempt += 1;
        let listener = stream::open(address).map_err(failed(address, "TCP"))?;
        let local = listener.local_addr().map_err(failed(address, "TCP"))?;
        match udp::probe(local) {
            Ok(()) => {}
            Err(_) if attempt < tries => continue,
            Err(error) => return Err(failed(local, "UDP")(error)),
        }
        let sockets = (0..workers).map(|_| udp::open(local)).collect::<io::Result<Vec<_>>>();
        return Ok((local, sockets.map_err(failed(local, "UDP"))?, listener));
    }
}

/// What all threads and tasks of the listeners share.
struct Shared {
    service: Service,
    runtime: tokio::runtime::Handle,
    /// Where queries wait for the resolver.
    line: Arc<Line>,
    /// How many of them are of which client.
    clients: Arc<Clients>,
    /// One permit for each task that a query may have: those in the line, and those sent away whose response is not yet out.
    tasks: Arc<Semaphore>,
    /// One permit for each answer being renewed.
    renewals: Arc<Semaphore>,
    /// Responses that TCP clients do not take.
    unsent: Unsent,
    /// Turns true when the listeners stop.
    stop: watch::Receiver<bool>,
    /// The same, for threads.
    stopping: AtomicBool,
    /// UDP threads for each address.
    workers: usize,
}

/// Queries of which a task knows.
const TASKS: usize = PENDING_QUERIES + PENDING_ENDING;
/// What a client hears whose query could not wait, or not any longer.
const OVER_LIMIT: Failure = Failure::Limit("too many queries are waiting");
/// What one hears that has too many waiting itself.
const OVER_CLIENT: Failure = Failure::Limit("too many queries of this client are waiting");

thread_local! {
    /// Where tasks have responses written before they are sent: one largest message a thread, not one a query.
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; MESSAGE_BYTES]);
}

/// What is done for one query on the thread that reads packets. A panic in it would be a bug; it costs that query its answer and
/// nobody else's.
fn guarded(work: impl FnOnce() -> (Begun, Counts)) -> (Begun, Counts) {
    caught(work).unwrap_or((Begun::Drop, Count::DroppedByBug.into()))
}

/// `None` where work on what came in panicked.
fn caught<T>(work: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(work)).ok()
}

/// [`query::begin`], with the query itself counted.
fn begin(
    shared: &Shared,
    generation: &Arc<Generation>,
    bytes: &[u8],
    peer: &Peer,
    now: Now,
    out: &mut [u8],
) -> (Begun, Counts) {
    counted(peer, || {
        let read = query::read(&shared.service.cache, bytes);
        let asker = query::identify(generation, peer, now);
        begin_read(shared, generation, &read, peer, asker, now, out)
    })
}

/// [`query::begin_for`], and noted for those who chose that something is kept.
#[inline]
fn begin_read(
    shared: &Shared,
    generation: &Arc<Generation>,
    read: &Read<'_>,
    peer: &Peer,
    asker: Option<Asker>,
    now: Now,
    out: &mut [u8],
) -> (Begun, Counts) {
    let done = query::begin_for(generation, &shared.service.cache, read, peer, asker, now, out);
    noted::begun(shared, generation, asker.as_ref(), read, &done);
    done
}

/// What is begun with a query from `peer`, with the query itself counted.
#[inline]
fn counted(peer: &Peer, work: impl FnOnce() -> (Begun, Counts)) -> (Begun, Counts) {
    let (begun, counts) = guarded(work);
    (begun, counts.with(came_by(peer.transport)))
}

fn came_by(transport: Transport) -> Count {
    match transport {
        Transport::Udp => Count::QueriesUdp,
        Transport::Tcp => Count::QueriesTcp,
    }
}

/// Whether a query waits.
enum Later {
    Waits,
    /// No: here is its response.
    Respond(usize),
    /// No, and a rule says that it gets none.
    Drop,
}

/// Has the resolver asked for `pending` and its response handed to `deliver`; an empty one means that there is none. Over
/// the bound on waiting queries the oldest is answered SERVFAIL instead; should those not go fast enough, or those of this
/// client be too many, this one is, and its response is written to `out` at once.
fn answer_later(
    shared: &Arc<Shared>,
    pending: Box<Pending>,
    from: IpAddr,
    out: &mut [u8],
    deliver: impl FnOnce(&Shared, &[u8]) + Send + 'static,
) -> Later {
    let Some(among) = shared.clients.enter(from) else {
        return answer_over_limit(shared, pending, &OVER_CLIENT, Count::PendingOverClient, out);
    };
    let Ok(permit) = Arc::clone(&shared.tasks).try_acquire_owned() else {
        return answer_over_limit(shared, pending, &OVER_LIMIT, Count::PendingOverLimit, out);
    };
    let waiting = Waiting {
        shared: Arc::clone(shared),
        deliver: Some(deliver),
        noted: noted::waits(&pending),
        place: shared.line.enter(),
        _among: among,
        _permit: permit,
    };
    shared.runtime.spawn(resolve(pending, waiting));
    Later::Waits
}

/// Answers a query that may not wait: with what was known before, or SERVFAIL.
fn answer_over_limit(
    shared: &Shared,
    mut pending: Box<Pending>,
    failure: &Failure,
    count: Count,
    out: &mut [u8],
) -> Later {
    let mut all = count.into();
    let noted = noted::waits(&pending);
    loop {
        let (begun, counts) =
            guarded(|| query::finish(pending, Err(failure.clone()), &shared.service.cache, clock::now(), out));
        all = counts.union(all);
        let later = match begun {
            // What was known leads on to another name; a row of such has an end.
            Begun::Pending(next) => {
                pending = next;
                continue;
            }
            Begun::Respond(len) | Begun::RespondAndRenew(len, _) => Later::Respond(len),
            Begun::Drop => Later::Drop,
        };
        shared.service.counters.add(all);
        if let Some(mut asked) = noted {
            noted::end(&mut asked, all);
            shared.service.activity.put(*asked);
        }
        return later;
    }
}

/// A query that waits; dropped undelivered (a bug, or the end of the server) it is a counted drop.
struct Waiting<D: FnOnce(&Shared, &[u8])> {
    shared: Arc<Shared>,
    deliver: Option<D>,
    /// What is to be noted of it, where something is kept.
    noted: Option<Box<Asked>>,
    place: Place,
    _among: Among,
    _permit: OwnedSemaphorePermit,
}

impl<D: FnOnce(&Shared, &[u8])> Waiting<D> {
    fn deliver(&mut self, response: &[u8], counts: Counts) {
        self.shared.service.counters.add(counts);
        if let Some(mut asked) = self.noted.take() {
            noted::end(&mut asked, counts);
            self.shared.service.activity.put(*asked);
        }
        if let Some(deliver) = self.deliver.take() {
            deliver(&self.shared, response);
        }
    }
}

impl<D: FnOnce(&Shared, &[u8])> Drop for Waiting<D> {
    fn drop(&mut self) {
        if self.deliver.is_some() {
            let count = match self.shared.stopping.load(Ordering::Relaxed) {
                true => Count::DroppedStopping,
                false => Count::DroppedByBug,
            };
            self.deliver(&[], count.into());
        }
    }
}

async fn resolve<D: FnOnce(&Shared, &[u8]) + Send>(mut pending: Box<Pending>, mut waiting: Waiting<D>) {
    let came = clock::instant();
    let deadline = came + pending.generation().settings.resolver.deadline;
    let mut impatient = Some((came + STALE_WAIT).into());
    loop {
        let (result, over_limit) = heard(&pending, &mut waiting, deadline, &mut impatient).await;
        if waiting.deliver.is_none() {
            // The client has its answer; this one is for those that come after.
            if let Ok(answer) = result {
                query::keep(&pending, &answer, &waiting.shared.service.cache, clock::now());
            }
            return;
        }
        let now = clock::now();
        let next = SCRATCH.with_borrow_mut(|out| {
            let (begun, counts) = query::finish(pending, result, &waiting.shared.service.cache, now, out);
            let counts = counts.union(over_limit);
            match begun {
                Begun::Respond(len) => waiting.deliver(&out[..len], counts),
                Begun::RespondAndRenew(len, renewal) => {
                    waiting.deliver(&out[..len], counts);
                    renew(&waiting.shared, renewal);
                }
                Begun::Drop => waiting.deliver(&[], counts),
                Begun::Pending(pending) => return Some(pending),
            }
            None
        });
        match next {
            Some(next) => pending = next,
            None => return,
        }
    }
}

/// What the resolver says to a query, or that there is no room to wait for it. Meanwhile its client may get an answer from before.
async fn heard<D: FnOnce(&Shared, &[u8]) + Send>(
    pending: &Pending,
    waiting: &mut Waiting<D>,
    deadline: std::time::Instant,
    impatient: &mut Option<tokio::time::Instant>,
) -> (Result<Answer, Failure>, Counts) {
    let shared = Arc::clone(&waiting.shared);
    let asked = shared.service.resolver.resolve(pending.question(), deadline);
    // Resolvers keep deadlines; this one holds for a resolver that does not.
    let mut asked = std::pin::pin!(tokio::time::timeout_at((deadline + LATE).into(), asked));
    loop {
        tokio::select! {
            asked = &mut asked => return (asked.unwrap_or(Err(Failure::Unreachable)), Counts::NONE),
            () = waiting.place.sent_away() => return (Err(OVER_LIMIT), Count::PendingOverLimit.into()),
            () = until(*impatient) => {
                *impatient = None;
                SCRATCH.with_borrow_mut(|out| {
                    let known = query::meanwhile(pending, &shared.service.cache, clock::now(), out);
                    if let Some((len, counts)) = known {
                        waiting.deliver(&out[..len], counts);
                    }
                });
            }
        }
    }
}

/// Until then; for ever, if there is no such time.
async fn until(time: Option<tokio::time::Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time).await,
        None => std::future::pending().await,
    }
}

/// How long past its deadline a resolver is waited for.
const LATE: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::settings::Settings;
    use crate::limits::PENDING_QUERIES_PER_CLIENT;
    use crate::list::set::Gate;
    use crate::local::Zones;
    use crate::policy::Policy;

    /// Never answers.
    struct Silent;

    #[async_trait::async_trait]
    impl Resolver for Silent {
        async fn resolve(&self, _: &crate::resolver::Question, _: std::time::Instant) -> Result<Answer, Failure> {
            std::future::pending().await
        }
    }

    #[tokio::test]
    async fn a_client_with_too_many_queries_waiting_is_told_so_at_once_and_others_wait_as_before() {
        let mut settings = Settings::builtin(&std::env::temp_dir());
        settings.lists.clear();
        settings.server.allow = Some(vec!["0.0.0.0/0".parse().unwrap()]);
        let gate = Gate::default();
        let generation = Generation {
            number: 1,
            policy: Policy::build(&gate, &settings, &[]).unwrap(),
            gate: Arc::new(gate),
            local: Zones::build(&settings).unwrap(),
            settings: Arc::new(settings),
        };
        let service = Service {
            generations: Arc::new(Generations::from_pointee(generation)),
            cache: Arc::new(Cache::new(1 << 20, Duration::ZERO, Duration::from_secs(60))),
            resolver: Arc::new(Silent),
            counters: Arc::default(),
            activity: Arc::default(),
        };
        let listeners = Listeners::start(&["127.0.0.1:0".parse().unwrap()], 1, service).unwrap();
        let shared = &listeners.shared;
        let generation = shared.service.generations.load_full();
        let query = b"\0\x07\x01\0\0\x01\0\0\0\0\0\x01\x04slow\x07example\0\0\x01\0\x01\0\0\x29\x04\xd0\0\0\0\0\0\0";
        let mut out = vec![0; MESSAGE_BYTES];
        let mut ask = |from: &str| {
            let address: SocketAddr = from.parse().unwrap();
            let transport = Transport::Udp;
            let peer = Peer { address, transport };
            let (begun, _) = begin(shared, &generation, query, &peer, clock::now(), &mut out);
            let Begun::Pending(pending) = begun else {
                panic!("{from} has to wait")
            };
            match answer_later(shared, pending, address.ip(), &mut out, |_, _| {}) {
                Later::Waits => None,
                Later::Respond(len) => Some(out[..len].to_vec()),
                Later::Drop => panic!("no rule says so"),
            }
        };
        for port in 1..=PENDING_QUERIES_PER_CLIENT {
            assert_eq!(ask(&format!("198.51.100.1:{port}")), None);
        }
        let response = ask("198.51.100.1:1").expect("a response at once");
        assert_eq!((response[1], response[3] & 15), (7, 2), "its own, and SERVFAIL");
        assert!(response.ends_with(b"too many queries of this client are waiting"));
        assert_eq!(ask("198.51.100.2:1"), None);
        assert_eq!(ask("127.0.0.1:1"), None);
        let sums = shared.service.counters.sum();
        assert_eq!(sums.get(Count::PendingOverClient), 1);
        assert_eq!(sums.get(Count::PendingOverLimit), 0);
    }
}
