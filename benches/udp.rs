//! What a query costs through the UDP listener, beside the bare loop of `yardstick_udp`: CPU time of the server process for
//! each answered query, cached and blocked names apart.
//!
//! In: the lists and query names of the corpus (`STAIRGATE_CORPUS`, default `../shared`), a compiled gate of all its lists
//! (`STAIRGATE_GATE` names one; it is compiled first otherwise). Out: a table on standard output.
//! Both servers run as child processes pinned to the first core, in turns, driven by dnsperf, or by the small generator here
//! where dnsperf is missing, on the second. A figure is the median of the rounds. Fails loudly without its data.
//!
//! `udp begin cached|blocked|edns|cookie COUNT` runs only `query::begin`, for counting instructions (`edns`: cached names asked with an OPT record,
//! `cookie`: with a valid cookie in it), and `udp listener GATE bounded` only the listener, with nobody exempt from its rate limit; see
//! `benches/README.md`.

mod road;
#[path = "yardstick_udp.rs"]
mod yardstick;

use async_trait::async_trait;
use road::{answer, blocked, cache, cached, gate, generation, keep, plain_query};
use stairgate::cache::Cache;
use stairgate::clock;
use stairgate::generation::{Generation, Generations};
use stairgate::listener::{Listeners, Service};
use stairgate::query::{self, Begun, Peer, Transport};
use stairgate::resolver::{Answer, Failure, Question, Resolver};
use stairgate::telemetry::counters::Counters;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

const ROUNDS: usize = 7;
const ROUND_SECONDS: u64 = 3;
/// Queries outstanding at once: enough to fill batches.
const OUTSTANDING: usize = 200;

fn main() {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench")
        .collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        [] => compare(),
        ["yardstick"] => yardstick::serve(),
        ["listener", gate] => listen(Path::new(gate), false),
        ["listener", gate, "bounded"] => listen(Path::new(gate), true),
        ["begin", kind, count] => begin(kind, count.parse().expect("COUNT is a number")),
        _ => panic!("usage: udp | udp begin cached|blocked|edns|cookie COUNT | udp listener GATE [bounded]"),
    }
}

/// Runs both servers in turns and prints the table.
fn compare() {
    let gate = gate();
    let generation = generation(&gate);
    let (blocked, cached) = (blocked(&generation), cached(&generation));
    let folder = tempfile::tempdir().expect("a folder for query files");
    println!("{ROUNDS} rounds of {ROUND_SECONDS} s, {OUTSTANDING} queries outstanding; microseconds of CPU a query");
    println!(
        "{:<10}{:<12}{:>8}{:>8}{:>8}{:>12}",
        "names", "server", "user", "system", "total", "queries/s"
    );
    for (kind, names) in [("blocked", &blocked), ("cached", &cached)] {
        let file = folder.path().join(kind);
        std::fs::write(
            &file,
            names.iter().map(|name| format!("{name} A\n")).collect::<String>(),
        )
        .unwrap();
        let mut servers = [
            ("yardstick", vec!["yardstick"]),
            ("listener", vec!["listener", gate.to_str().unwrap()]),
        ]
        .map(|(name, arguments)| (name, Server::start(&arguments), Vec::new()));
        for (_, server, _) in &mut servers {
            // Fills the cache, and whatever else is made at first use.
            drive(server.address, &file, names, 1);
        }
        for _ in 0..ROUNDS {
            for (_, server, figures) in &mut servers {
                let before = server.usage();
                let answered = drive(server.address, &file, names, ROUND_SECONDS);
                let after = server.usage();
                figures.push(
                    [after.0 - before.0, after.1 - before.1]
                        .map(|micros| micros as f64 / answered as f64)
                        .into_iter()
                        .chain([answered as f64 / ROUND_SECONDS as f64])
                        .collect::<Vec<f64>>(),
                );
            }
        }
        let mut totals = Vec::new();
        for (name, _, figures) in &servers {
            let median = |figure: &dyn Fn(&Vec<f64>) -> f64| {
                let mut values: Vec<f64> = figures.iter().map(figure).collect();
                values.sort_by(f64::total_cmp);
                values[values.len() / 2]
            };
            let total = median(&|figures| figures[0] + figures[1]);
            println!(
                "{kind:<10}{name:<12}{:>8.2}{:>8.2}{total:>8.2}{:>12.0}",
                median(&|figures| figures[0]),
                median(&|figures| figures[1]),
                median(&|figures| figures[2]),
            );
            totals.push(total);
        }
        println!("{kind:<10}{:<12}{:>24.2}", "ratio", totals[1] / totals[0]);
    }
}

/// Sends queries for `seconds`; returns how many were answered.
fn drive(address: SocketAddr, file: &Path, names: &[String], seconds: u64) -> u64 {
    let dnsperf = Command::new("taskset")
        .args([
            "-c",
            "1",
            "dnsperf",
            "-s",
            "127.0.0.1",
            "-p",
            &address.port().to_string(),
        ])
        .args(["-l", &seconds.to_string(), "-q", &OUTSTANDING.to_string(), "-d"])
        .arg(file)
        .output();
    let Ok(output) = dnsperf else {
        return generate(address, names, seconds);
    };
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let completed = text
        .lines()
        .find_map(|line| line.trim().strip_prefix("Queries completed:"));
    match completed.and_then(|rest| rest.split_whitespace().next()?.parse().ok()) {
        Some(answered) => answered,
        None => generate(address, names, seconds),
    }
}

/// The built-in generator: keeps [`OUTSTANDING`] queries in flight, on one socket.
fn generate(address: SocketAddr, names: &[String], seconds: u64) -> u64 {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(address).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let queries: Vec<Vec<u8>> = names.iter().map(|name| plain_query(name)).collect();
    let mut queries = queries.iter().cycle();
    let mut send = || drop(socket.send(queries.next().expect("a cycle has no end")));
    (0..OUTSTANDING).for_each(|_| send());
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut buffer = [0; 2048];
    let mut answered = 0;
    while Instant::now() < end {
        match socket.recv(&mut buffer) {
            Ok(_) => {
                answered += 1;
                send();
            }
            // All in flight were lost.
            Err(_) => (0..OUTSTANDING).for_each(|_| send()),
        }
    }
    answered
}

/// A server in a process of its own, pinned to the first core.
struct Server {
    child: Child,
    requests: ChildStdin,
    replies: BufReader<ChildStdout>,
    address: SocketAddr,
}

impl Server {
    fn start(arguments: &[&str]) -> Server {
        let mut child = Command::new("taskset")
            .args(["-c", "0"])
            .arg(std::env::current_exe().unwrap())
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("taskset starts the server");
        let requests = child.stdin.take().expect("piped");
        let mut replies = BufReader::new(child.stdout.take().expect("piped"));
        let mut line = String::new();
        replies.read_line(&mut line).unwrap();
        let port: u16 = line.trim().parse().expect("the server says its port");
        Server {
            child,
            requests,
            replies,
            address: SocketAddr::from(([127, 0, 0, 1], port)),
        }
    }

    /// User and system time so far, in microseconds.
    fn usage(&mut self) -> (u64, u64) {
        writeln!(self.requests).unwrap();
        let mut line = String::new();
        self.replies.read_line(&mut line).unwrap();
        let (user, system) = line.trim().split_once(' ').expect("two numbers");
        (user.parse().unwrap(), system.parse().unwrap())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The listener as the program runs it, with one worker and a resolver that knows every name.
fn listen(gate: &Path, bounded: bool) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let service = Service {
        generations: Arc::new(Generations::from(match bounded {
            true => road::generation_with(gate, |settings| {
                settings.server.rate_limit = 1_000_000_000;
                settings.server.rate_limit_exempt = Some(Vec::new());
            }),
            false => generation(gate),
        })),
        cache: Arc::new(cache()),
        resolver: Arc::new(Everything),
        counters: Arc::new(Counters::new()),
        activity: Arc::default(),
    };
    let listeners = runtime
        .block_on(async { Listeners::start(&[SocketAddr::from(([127, 0, 0, 1], 0))], 1, service) })
        .unwrap_or_else(|error| panic!("{error}"));
    println!("{}", listeners.addresses()[0].port());
    yardstick::usage_on_request();
}

/// Runs `query::begin` alone, so many times.
fn begin(kind: &str, count: usize) {
    let gate = gate();
    let generation = generation(&gate);
    let (blocked, cached) = (blocked(&generation), cached(&generation));
    let names = if kind == "blocked" { blocked } else { cached };
    let cache = cache();
    let now = clock::now();
    let mut queries: Vec<Vec<u8>> = names.iter().map(|name| plain_query(name)).collect();
    // What everybody is kept from is in no cache.
    if kind != "blocked" {
        queries.iter().for_each(|query| keep(&cache, query, now));
    }
    let options = match kind {
        "edns" => Some(Vec::new()),
        "cookie" => Some(valid_cookie(&generation, &cache, &queries[0])),
        _ => None,
    };
    if let Some(options) = options {
        queries.iter_mut().for_each(|query| add_opt(query, &options));
    }
    let mut out = vec![0; stairgate::limits::MESSAGE_BYTES];
    let started = Instant::now();
    let bytes = begin_all(&generation, &cache, &queries, &peer(), count, &mut out);
    let nanos = started.elapsed().as_nanos() as usize / count;
    println!(
        "begin, {kind}: {count} times, {} bytes a response, {nanos} ns each",
        bytes / count
    );
}

fn peer() -> Peer {
    Peer {
        address: SocketAddr::from(([127, 0, 0, 1], 4000)),
        transport: Transport::Udp,
    }
}

/// Adds an OPT record (RFC 6891 §6.1.2).
fn add_opt(query: &mut Vec<u8>, options: &[u8]) {
    query[11] += 1;
    query.extend(b"\0\0\x29\x04\xd0\0\0\0\0");
    query.extend((options.len() as u16).to_be_bytes());
    query.extend(options);
}

/// The cookie option that the server gives to whoever comes with a cookie of its own (RFC 7873 §5.2.3).
fn valid_cookie(generation: &Arc<Generation>, cache: &Cache, query: &[u8]) -> Vec<u8> {
    let mut query = query.to_vec();
    add_opt(&mut query, b"\0\x0a\0\x08stairway");
    let mut out = vec![0; stairgate::limits::MESSAGE_BYTES];
    match query::begin(generation, cache, &query, &peer(), clock::now(), &mut out) {
        (Begun::Respond(len) | Begun::RespondAndRenew(len, _), _) => out[len - 28..len].to_vec(),
        _ => panic!("a cached name is answered at once"),
    }
}

/// Where callgrind counts.
#[inline(never)]
fn begin_all(
    generation: &Arc<Generation>,
    cache: &Cache,
    queries: &[Vec<u8>],
    peer: &Peer,
    count: usize,
    out: &mut [u8],
) -> usize {
    let now = clock::now();
    let mut bytes = 0;
    for query in queries.iter().cycle().take(count) {
        match query::begin(generation, cache, query, peer, now, out) {
            (Begun::Respond(len) | Begun::RespondAndRenew(len, _), _) => bytes += len,
            _ => panic!("blocked and cached names are answered at once"),
        }
    }
    bytes
}

/// Answers every question for A with one address.
struct Everything;

#[async_trait]
impl Resolver for Everything {
    async fn resolve(&self, question: &Question, _deadline: Instant) -> Result<Answer, Failure> {
        let mut section = question.name.as_wire().to_vec();
        section.extend(question.qtype.to_be_bytes());
        section.extend([0, 1]);
        Ok(Answer {
            message: answer(&section),
            ede: Vec::new(),
        })
    }
}
