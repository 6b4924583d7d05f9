//! What a connection costs that has asked one query and waits: memory that the server's process wrote to.

use crate::Stage;
use crate::peers::config::Kind;
use crate::peers::names::Queries;
use socket2::{Domain, Socket, Type};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// Connections from one address, which has some 28,000 ports.
const PER_ADDRESS: usize = 5_000;
/// Files that a server opens beside connections.
const OTHER_FILES: usize = 400;
/// For the last responses to be sent and what they took to be given back; less than connections may wait.
const SETTLED: Duration = Duration::from_secs(1);

/// Holds `wanted` connections to each server, or as many as the limit of open files permits.
pub fn connections(stage: &Stage<'_>, kinds: &[Kind], wanted: usize) {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    // Stairgate keeps half of the files, or 10,000, for upstreams; Unbound ends connections early as soon as half may be open that may.
    let most = limit.map_or(usize::MAX, |files| (files as usize / 2).saturating_sub(OTHER_FILES));
    let count = wanted.min(most);
    println!("\n{count} connections that have asked one query and wait:\n");
    if count < wanted {
        println!(
            "({wanted} were wanted; the limit of open files, {}, permits no more)\n",
            limit.unwrap_or(0)
        );
    }
    println!(
        "| server    | connected in, s |  held | without, MiB | grown by, MiB | of that before they came | kB a connection |"
    );
    println!(
        "| --------- | --------------: | ----: | -----------: | ------------: | -----------------------: | --------------: |"
    );
    for &kind in kinds {
        // The longest that it takes, so that none ends before all are there.
        let more = match kind {
            Kind::Unbound => format!(
                "server:\n    incoming-num-tcp: {}\n    tcp-idle-timeout: 120000\n",
                2 * count + OTHER_FILES / 2
            ),
            _ => String::new(),
        };
        // As it is without room for them.
        let Some((server, _)) = stage.start(kind, "") else {
            continue;
        };
        let before = server.memory().private_dirty;
        drop(server);
        let Some((server, _)) = stage.start(kind, &more) else {
            continue;
        };
        let queries = &stage.names.sets[0];
        // What the first connections make the process do once.
        drop(connect(server.address, queries, count.min(100)));
        let ready = server.memory().private_dirty;
        let started = Instant::now();
        let streams = connect(server.address, queries, count);
        let took = started.elapsed().as_secs_f64();
        std::thread::sleep(SETTLED);
        let grown = server.memory().private_dirty.saturating_sub(before);
        let readied = ready.saturating_sub(before);
        let held = streams.iter().filter(|stream| is_open(stream)).count();
        let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        println!(
            "| {:<9} | {took:>15.1} | {held:>5} | {:>12.1} | {:>13.1} | {:>24.1} | {:>15.2} |",
            kind.name(),
            mib(before),
            mib(grown),
            mib(readied),
            grown as f64 / 1000.0 / held.max(1) as f64,
        );
    }
}

/// Connections on each of which one query was answered.
fn connect(server: SocketAddr, queries: &Queries, count: usize) -> Vec<TcpStream> {
    let connect = |number: usize| -> std::io::Result<TcpStream> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        let from = SocketAddr::from(([127, 0, 1, (number / PER_ADDRESS) as u8 + 1], 0));
        socket.bind(&from.into())?;
        socket.connect(&server.into())?;
        let mut stream = TcpStream::from(socket);
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(2)))?;
        let query = queries.get(number % queries.len());
        stream.write_all(&[&(query.len() as u16).to_be_bytes(), query].concat())?;
        let mut response = [0; 2048];
        match stream.read(&mut response)? {
            0 => Err(ErrorKind::UnexpectedEof.into()),
            _ => Ok(stream),
        }
    };
    let connected: Vec<_> = (0..count).map(connect).collect();
    let failed = connected.iter().filter(|stream| stream.is_err()).count();
    if let Some(Err(error)) = connected.iter().find(|stream| stream.is_err()) {
        println!("{failed} connections could not be made or were not answered: {error}");
    }
    connected.into_iter().flatten().collect()
}

/// Nothing has come, not even its end.
fn is_open(stream: &TcpStream) -> bool {
    let nothing = stream.set_nonblocking(true).and_then(|()| stream.peek(&mut [0; 1]));
    nothing.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
}
