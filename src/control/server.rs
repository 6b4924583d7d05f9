//! The answering side of the control socket.

use super::protocol::{
    CacheEntry, Dumped, Flushed, Forgotten, GenerationStatus, ListStatus, ReloadStatus, Request, Result as Ended,
    Status, by_name,
};
use super::socket_path;
use crate::activity::report::{DayReport, DeviceReport};
use crate::cache::Cache;
use crate::clock;
use crate::dns::name::Name;
use crate::household::commands::{Answer, Asked};
use crate::limits;
use crate::requests::{State, Store};
use crate::resolver::Scope;
use crate::telemetry::counters::Counters;
use async_trait::async_trait;
use serde::Serialize;
use socket2::{Domain, SockAddr, Type};
use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;
use tracing::{debug, warn};

/// The part of the running server that only `serve` knows.
#[async_trait]
pub trait Running: Send + Sync {
    /// The lists and policy in force.
    fn generation(&self) -> GenerationStatus;
    /// How the lists of the settings fare. May read files.
    fn lists(&self) -> Vec<ListStatus> {
        Vec::new()
    }
    /// How the last reload went, whoever asked for it.
    fn last_reload(&self) -> Option<ReloadStatus>;
    /// Reloads as SIGHUP does and returns when that is done. Requests at the same time are the implementation's to join.
    async fn reload(&self) -> ReloadStatus;
    /// Shows or changes the household, and returns when a change is in force. The error is one sentence.
    async fn household(&self, _: Asked) -> Result<Answer, String> {
        Err("this server has no household".to_owned())
    }
    /// What the resolver counted, by name.
    fn resolver(&self) -> BTreeMap<String, u64> {
        BTreeMap::new()
    }
    /// Forgets what would answer in place of other servers beside the cache, such as failures: a flush is also for that. Returns how
    /// many things that was.
    fn forget(&self, _: &Scope) -> usize {
        0
    }
    /// What is kept of who asked what: of one or of all, the last days or all of them.
    fn activity(&self, _whose: Option<&str>, _days: Option<u16>) -> Vec<DayReport> {
        Vec::new()
    }
    /// Forgets what is kept of one; the days there were, or a sentence why it is still on disk.
    fn forget_activity(&self, _whose: &str) -> std::result::Result<u64, String> {
        Ok(0)
    }
    /// When devices last asked.
    fn devices(&self) -> Vec<DeviceReport> {
        Vec::new()
    }
}

/// What the control socket answers from.
pub struct Control {
    pub running: Arc<dyn Running>,
    pub cache: Arc<Cache>,
    pub counters: Arc<Counters>,
    /// What children asked for.
    pub requests: Arc<Store>,
    /// When the server started, [`Now::mono_ms`](crate::now::Now).
    pub started_mono_ms: u64,
}

/// Why there is no control socket.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    #[error("{}: another server is running with this state_dir; stop it, or give this one a state_dir of its own", .0.display())]
    Taken(PathBuf),
    #[error("{}: this path is too long for a socket; choose a shorter state_dir", .0.display())]
    LongPath(PathBuf),
    #[error("{}: cannot be made ({cause}); state_dir must be a folder this user may write to", path.display())]
    Unmade { path: PathBuf, cause: io::Error },
}

/// The socket, open for connections. Dropping it removes its file.
#[derive(Debug)]
pub struct Socket {
    listener: UnixListener,
    path: PathBuf,
}

impl Socket {
    /// Opens the socket in `state_dir`, which must exist. One that a server left behind is replaced. Within a tokio runtime.
    pub fn bind(state_dir: &Path) -> Result<Socket, SocketError> {
        let path = socket_path(state_dir);
        if StdUnixStream::connect(&path).is_ok() {
            return Err(SocketError::Taken(path));
        }
        let Ok(address) = SockAddr::unix(&path) else {
            return Err(SocketError::LongPath(path));
        };
        let bound = (|| {
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let socket = socket2::Socket::new(Domain::UNIX, Type::STREAM, None)?;
            socket.bind(&address)?;
            // Before it listens nobody can connect, so nobody gets in between the two modes.
            fs::set_permissions(&path, Permissions::from_mode(0o600))?;
            socket.listen(limits::CONTROL_CONNECTIONS as i32)?;
            socket.set_nonblocking(true)?;
            UnixListener::from_std(socket.into())
        })();
        match bound {
            Ok(listener) => Ok(Socket { listener, path }),
            Err(cause) => Err(SocketError::Unmade { path, cause }),
        }
    }

    /// Answers until the future is dropped.
    pub async fn serve(self, control: Arc<Control>) {
        let room = Arc::new(Semaphore::new(limits::CONTROL_CONNECTIONS));
        loop {
            let Ok(permit) = Arc::clone(&room).acquire_owned().await else {
                return;
            };
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    let control = Arc::clone(&control);
                    tokio::spawn(async move {
                        if let Err(error) = converse(&control, stream).await {
                            debug!(%error, "control connection ended");
                        }
                        drop(permit);
                    });
                }
                Err(error) => {
                    // Out of file descriptors, most likely: wait for some to come back.
                    warn!(%error, "control socket cannot accept");
                    tokio::time::sleep(limits::CONTROL_RETRY).await;
                }
            }
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // It may be gone with its folder; the next server replaces what is left.
        let _ = fs::remove_file(&self.path);
    }
}

/// Answers the requests of one connection, one after the other.
async fn converse(control: &Control, stream: UnixStream) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut line = Vec::new();
    loop {
        line.clear();
        let mut bounded = (&mut stream).take(limits::CONTROL_LINE_BYTES);
        match timeout(limits::CONTROL_IDLE, bounded.read_until(b'\n', &mut line)).await {
            Ok(Ok(0)) | Err(_) => return Ok(()),
            Ok(Ok(_)) => {}
            Ok(Err(error)) => return Err(error),
        }
        if line.len() as u64 == limits::CONTROL_LINE_BYTES && line.last() != Some(&b'\n') {
            let sentence = format!("a request is longer than {} bytes", limits::CONTROL_LINE_BYTES);
            return refuse(&mut stream, sentence).await;
        }
        match serde_json::from_slice(&line) {
            Ok(request) => answer(control, &mut stream, request).await?,
            Err(error) => refuse(&mut stream, format!("not a request: {error}")).await?,
        }
    }
}

async fn answer(control: &Control, stream: &mut BufReader<UnixStream>, request: Request) -> io::Result<()> {
    match request {
        Request::Status => {
            let running = Arc::clone(&control.running);
            let lists = tokio::task::spawn_blocking(move || running.lists());
            let lists = match lists.await {
                Ok(lists) => lists,
                Err(error) => return refuse(stream, format!("the lists cannot be looked at: {error}")).await,
            };
            let status = Status {
                version: env!("CARGO_PKG_VERSION").to_owned(),
                uptime_s: clock::now().mono_ms.saturating_sub(control.started_mono_ms) / 1000,
                generation: control.running.generation(),
                lists,
                counters: by_name(&control.counters.sum()),
                resolver: control.running.resolver(),
                cache: control.cache.stats(),
                last_reload: control.running.last_reload(),
            };
            finish(stream, status).await
        }
        Request::CacheDump => dump(control, stream).await,
        Request::CacheFlush { name, below } => {
            let name = match name.as_deref().map(Name::parse).transpose() {
                Ok(name) => name,
                Err(error) => {
                    return refuse(stream, format!("{:?} is not a name: {error}", name.unwrap_or_default())).await;
                }
            };
            if below && name.is_none() {
                return refuse(stream, "below needs a name".to_owned()).await;
            }
            // What answers are made of goes first, or an answer could be made of it in between.
            let known = control.running.forget(&scope(name.as_ref(), below)) as u64;
            let flushed = control.cache.flush(name.as_ref(), below) as u64;
            finish(stream, Flushed { flushed, known }).await
        }
        Request::Activity { whose, days } => {
            let running = Arc::clone(&control.running);
            let looking = tokio::task::spawn_blocking(move || running.activity(whose.as_deref(), days));
            match looking.await {
                Ok(days) => list(stream, &days).await,
                Err(error) => refuse(stream, format!("what is kept cannot be looked at: {error}")).await,
            }
        }
        Request::ActivityForget { whose } => {
            let running = Arc::clone(&control.running);
            let forgetting = tokio::task::spawn_blocking(move || running.forget_activity(&whose));
            match forgetting.await {
                Ok(Ok(days)) => finish(stream, Forgotten { days }).await,
                Ok(Err(sentence)) => refuse(stream, sentence).await,
                Err(error) => refuse(stream, format!("it may still be kept: {error}")).await,
            }
        }
        Request::ActivityDevices => list(stream, &control.running.devices()).await,
        Request::Reload => {
            let status = control.running.reload().await;
            finish(stream, status).await
        }
        Request::Household { asked } => match control.running.household(asked).await {
            Ok(answer) => finish(stream, answer).await,
            Err(sentence) => refuse(stream, sentence).await,
        },
        Request::Requests => {
            let requests = control.requests.list();
            let mut lines = Vec::new();
            requests.iter().for_each(|request| push_line(&mut lines, request));
            write(stream, &lines).await?;
            let entries = requests.len() as u64;
            finish(stream, Dumped { entries }).await
        }
        Request::RequestGranted { id, until_s } => mark(control, stream, id, State::Granted { until_s }).await,
        Request::RequestRefused { id } => mark(control, stream, id, State::Refused).await,
    }
}

/// Says what became of a request, on a thread that may wait for the disk.
async fn mark(control: &Control, stream: &mut BufReader<UnixStream>, id: u64, state: State) -> io::Result<()> {
    let requests = Arc::clone(&control.requests);
    let now_s = clock::now().unix_s();
    match tokio::task::spawn_blocking(move || requests.mark(id, state, now_s)).await {
        Ok(Ok(request)) => finish(stream, request).await,
        Ok(Err(error)) => refuse(stream, error.to_string()).await,
        Err(error) => refuse(stream, format!("the request cannot be marked: {error}")).await,
    }
}

fn scope(name: Option<&Name>, below: bool) -> Scope {
    match (name, below) {
        (None, _) => Scope::All,
        (Some(name), false) => Scope::At(name.clone()),
        (Some(name), true) => Scope::Within(name.clone()),
    }
}

/// Writes every entry of the cache. They are gathered on a thread that may wait, a bounded number ahead of the reader.
async fn dump(control: &Control, stream: &mut BufReader<UnixStream>) -> io::Result<()> {
    let (sender, mut receiver) = mpsc::channel(limits::CONTROL_DUMP_AHEAD);
    let cache = Arc::clone(&control.cache);
    let now = clock::now();
    let gathering = tokio::task::spawn_blocking(move || {
        let mut gone = false;
        cache.entries(now, |entry| {
            // Without a reader the rest of the walk is quick.
            gone = gone || sender.blocking_send(CacheEntry::from(entry)).is_err();
        });
    });
    let mut entries = 0;
    let mut lines = Vec::new();
    let mut batch = Vec::new();
    while receiver.recv_many(&mut batch, limits::CONTROL_DUMP_AHEAD).await > 0 {
        lines.clear();
        for entry in batch.drain(..) {
            push_line(&mut lines, &entry);
            entries += 1;
        }
        write(stream, &lines).await?;
    }
    match gathering.await {
        Ok(()) => finish(stream, Dumped { entries }).await,
        Err(error) => refuse(stream, format!("the dump broke off: {error}")).await,
    }
}

/// Writes items, and how many there were.
async fn list(stream: &mut BufReader<UnixStream>, items: &[impl Serialize]) -> io::Result<()> {
    for some in items.chunks(limits::CONTROL_DUMP_AHEAD) {
        let mut lines = Vec::new();
        some.iter().for_each(|item| push_line(&mut lines, item));
        write(stream, &lines).await?;
    }
    let entries = items.len() as u64;
    finish(stream, Dumped { entries }).await
}

async fn finish(stream: &mut BufReader<UnixStream>, value: impl Serialize) -> io::Result<()> {
    let end = Ended {
        ok: true,
        error: None,
        value: Some(value),
    };
    let mut line = Vec::new();
    push_line(&mut line, &end);
    write(stream, &line).await
}

async fn refuse(stream: &mut BufReader<UnixStream>, sentence: String) -> io::Result<()> {
    let end: Ended<()> = Ended {
        ok: false,
        error: Some(sentence),
        value: None,
    };
    let mut line = Vec::new();
    push_line(&mut line, &end);
    write(stream, &line).await
}

fn push_line(line: &mut Vec<u8>, value: &impl Serialize) {
    serde_json::to_writer(&mut *line, value).expect("answers are plain data, and memory does not refuse");
    line.push(b'\n');
}

/// Writes, unless the other side reads nothing for too long.
async fn write(stream: &mut BufReader<UnixStream>, bytes: &[u8]) -> io::Result<()> {
    match timeout(limits::CONTROL_IDLE, stream.get_mut().write_all(bytes)).await {
        Ok(written) => written,
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::CacheKey;
    use crate::cache::message::{Builder, key, qname};
    use crate::control::{Client, ClientError};
    use crate::count::Count;
    use crate::dns::rtype;
    use crate::requests::{New, Whom};
    use std::io::{Read, Write};
    use std::sync::Mutex;
    use std::time::Duration;
    use tempfile::TempDir;

    #[derive(Default)]
    struct Fake {
        forgot: Mutex<Vec<Scope>>,
    }

    #[async_trait]
    impl Running for Fake {
        fn generation(&self) -> GenerationStatus {
            GenerationStatus {
                number: 7,
                ..GenerationStatus::default()
            }
        }
        fn last_reload(&self) -> Option<ReloadStatus> {
            None
        }
        async fn reload(&self) -> ReloadStatus {
            ReloadStatus {
                unix_ms: 5,
                errors: vec!["stairgate.toml:3: no".to_owned()],
                notes: Vec::new(),
            }
        }
        fn resolver(&self) -> BTreeMap<String, u64> {
            let forgot = self.forgot.lock().unwrap();
            let text = |scope: &Scope| (format!("{scope:?}"), 1);
            forgot.iter().map(text).collect()
        }
        fn forget(&self, scope: &Scope) -> usize {
            self.forgot.lock().unwrap().push(scope.clone());
            5
        }
    }

    /// A server on a socket of its own, and what a client on another thread makes of it.
    fn with_server<T: Send + 'static>(fill: impl FnOnce(&Control), ask: impl FnOnce(&Path) -> T + Send + 'static) -> T {
        let folder = TempDir::new().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let control = Control {
                running: Arc::new(Fake::default()),
                cache: Arc::new(Cache::new(1 << 20, Duration::ZERO, Duration::from_secs(86_400))),
                counters: Arc::new(Counters::new()),
                requests: Arc::new(Store::open(folder.path()).0),
                started_mono_ms: clock::now().mono_ms - 12_345,
            };
            fill(&control);
            let socket = Socket::bind(folder.path()).unwrap();
            let serving = tokio::spawn(socket.serve(Arc::new(control)));
            let path = folder.path().to_owned();
            let asked = tokio::task::spawn_blocking(move || ask(&path)).await.unwrap();
            serving.abort();
            let _ = serving.await;
            assert!(!socket_path(folder.path()).exists(), "the socket goes with its server");
            asked
        })
    }

    fn fill_cache(control: &Control) {
        for name in ["a.example", "b.example", "b.test"] {
            let name = qname(name);
            let key = CacheKey {
                dnssec_ok: true,
                ..key(&name, rtype::HTTPS)
            };
            let response = Builder::for_wire(&name, rtype::HTTPS).soa(600, 600).build();
            control.cache.put(&key, &response, clock::now());
        }
    }

    #[test]
    fn status_tells_of_generation_counters_and_cache() {
        let status = with_server(
            |control| {
                fill_cache(control);
                control.counters.add(Count::Blocked.into());
            },
            |path| Client::connect(path).unwrap().status().unwrap(),
        );
        assert_eq!((status.uptime_s, status.generation.number), (12, 7));
        assert_eq!((status.counters["blocked"], status.counters["cached"]), (1, 0));
        assert_eq!((status.cache.entries, status.cache.stored), (3, 3));
        assert_eq!(status.version, env!("CARGO_PKG_VERSION"));
    }

    #[test]
    fn a_dump_lists_every_entry_and_a_flush_takes_what_it_was_told() {
        let (names, flushed, left) = with_server(fill_cache, |path| {
            let mut client = Client::connect(path).unwrap();
            let mut entries = Vec::new();
            let count = client
                .cache_dump::<ClientError>(|entry| {
                    entries.push(entry);
                    Ok(())
                })
                .unwrap();
            assert_eq!(count, 3);
            assert!(
                entries
                    .iter()
                    .all(|entry| entry.qtype == "HTTPS" && entry.dnssec_ok && entry.remaining_s > 590)
            );
            let mut names: Vec<String> = entries.into_iter().map(|entry| entry.name).collect();
            names.sort_unstable();
            assert!(client.status().unwrap().resolver.is_empty());
            let flushed = client.cache_flush(Some("example".to_owned()), true).unwrap();
            let status = client.status().unwrap();
            let forgot: Vec<&str> = status.resolver.keys().map(String::as_str).collect();
            assert_eq!(forgot, ["Within(example.)"], "failures go with the answers");
            (names, flushed, status.cache.entries)
        });
        assert_eq!(names, ["a.example.", "b.example.", "b.test."]);
        assert_eq!((flushed, left), (Flushed { flushed: 2, known: 5 }, 1));
    }

    #[test]
    fn requests_of_children_are_listed_and_what_became_of_them_is_kept() {
        let fill = |control: &Control| {
            for name in ["a.example", "b.example"] {
                let new = New {
                    name: Name::parse(name).unwrap(),
                    whom: Whom::Person("masha".to_owned()),
                    from: "192.0.2.1".parse().unwrap(),
                    why: "games, some-list".to_owned(),
                    by_time: false,
                    note: "please".to_owned(),
                };
                control.requests.ask(new, 1_700_000_000).unwrap();
            }
        };
        with_server(fill, |path| {
            let mut client = Client::connect(path).unwrap();
            let asked = client.requests().unwrap();
            let names: Vec<String> = asked.iter().map(|request| request.name.to_string()).collect();
            assert_eq!(names, ["a.example.", "b.example."]);
            let until_s = Some(1_700_003_600);
            assert_eq!(
                client.request_granted(1, until_s).unwrap().state,
                State::Granted { until_s }
            );
            assert_eq!(client.request_refused(2).unwrap().state, State::Refused);
            assert!(
                client
                    .request_refused(3)
                    .unwrap_err()
                    .to_string()
                    .starts_with("there is no request 3;")
            );
            let states: Vec<State> = client.requests().unwrap().iter().map(|request| request.state).collect();
            assert_eq!(states, [State::Granted { until_s }, State::Refused]);
            assert_eq!(Store::open(path).0.list(), client.requests().unwrap());
        });
    }

    #[test]
    fn a_dump_larger_than_any_buffer_comes_whole() {
        let fill = |control: &Control| {
            for number in 0..3000 {
                let name = qname(&format!("name{number}.example"));
                let response = Builder::for_wire(&name, rtype::A).a(600).build();
                control.cache.put(&key(&name, rtype::A), &response, clock::now());
            }
        };
        let count = with_server(fill, |path| {
            let mut seen = 0;
            let mut client = Client::connect(path).unwrap();
            let count = client.cache_dump::<ClientError>(|_| {
                seen += 1;
                Ok(())
            });
            (seen, count.unwrap())
        });
        assert_eq!(count, (3000, 3000));
    }

    #[test]
    fn what_cannot_be_done_is_one_sentence_and_the_connection_goes_on() {
        with_server(fill_cache, |path| {
            let mut client = Client::connect(path).unwrap();
            let error = client
                .cache_flush(Some("a..b".to_owned()), false)
                .unwrap_err()
                .to_string();
            assert_eq!(error, "\"a..b\" is not a name: a label is empty");
            assert!(client.cache_flush(None, true).is_err());
            assert_eq!(client.reload().unwrap().errors, ["stairgate.toml:3: no"]);
            assert_eq!(client.cache_flush(None, false).unwrap().flushed, 3);
        });
    }

    #[test]
    fn lines_that_are_no_requests_are_refused_and_endless_ones_cut_off() {
        with_server(
            |_| {},
            |path| {
                let mut stream = StdUnixStream::connect(socket_path(path)).unwrap();
                stream
                    .write_all(b"\xff\xfe nonsense\n{\"command\":\"status\"}\n")
                    .unwrap();
                stream
                    .write_all(&vec![b'x'; limits::CONTROL_LINE_BYTES as usize])
                    .unwrap();
                let mut text = String::new();
                stream.read_to_string(&mut text).unwrap();
                let lines: Vec<&str> = text.lines().collect();
                assert_eq!(lines.len(), 3, "{text}");
                assert!(
                    lines[0].starts_with(r#"{"ok":false,"error":"not a request"#),
                    "{}",
                    lines[0]
                );
                assert!(lines[1].starts_with(r#"{"ok":true,"#) && lines[2].starts_with(r#"{"ok":false"#));
            },
        );
    }

    #[test]
    fn the_socket_is_its_users_alone_and_a_second_server_is_told_of_the_first() {
        with_server(
            |_| {},
            |path| {
                let mode = fs::metadata(socket_path(path)).unwrap().permissions().mode();
                assert_eq!(mode & 0o777, 0o600);
                assert!(matches!(Socket::bind(path), Err(SocketError::Taken(_))));
            },
        );
    }

    #[tokio::test]
    async fn a_socket_left_behind_is_replaced_and_a_folder_that_is_none_is_an_error() {
        let folder = TempDir::new().unwrap();
        // Without Socket's drop the file stays, as after a crash.
        drop(std::os::unix::net::UnixListener::bind(socket_path(folder.path())).unwrap());
        assert!(matches!(
            Client::connect(folder.path()),
            Err(ClientError::NotRunning(_))
        ));
        let socket = Socket::bind(folder.path()).unwrap();
        drop(socket);
        assert!(matches!(
            Client::connect(folder.path()),
            Err(ClientError::NotRunning(_))
        ));
        assert!(matches!(
            Socket::bind(&folder.path().join("none")),
            Err(SocketError::Unmade { .. })
        ));
        let long = folder.path().join("x".repeat(120));
        assert!(matches!(Socket::bind(&long), Err(SocketError::LongPath(_))));
    }
}
