//! Runs the real binary, talks DNS to it, and gives it an upstream that answers everything.

use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::opt::{EdnsCode, EdnsOption};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Longest wait for anything that should happen; far above what it takes, since test machines are busy.
pub const PATIENCE: Duration = Duration::from_secs(15);

/// The address that the test upstream gives every name.
pub const UPSTREAM_SAYS: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

/// The binary, told nothing by the environment of whoever runs the tests.
pub fn stairgate(arguments: &[&str], folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stairgate"));
    command.args(arguments).current_dir(folder);
    for variable in [
        "STAIRGATE_LOG",
        "http_proxy",
        "https_proxy",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "SSL_CERT_FILE",
    ] {
        command.env_remove(variable);
    }
    if folder.join(ROOTS).exists() {
        command.env("SSL_CERT_FILE", folder.join(ROOTS));
    }
    command
}

/// What a command that ended left behind.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// Runs a command to its end.
pub fn run(arguments: &[&str], folder: &Path) -> Ended {
    let output = stairgate(arguments, folder)
        .stdin(Stdio::null())
        .output()
        .expect("the binary runs");
    Ended {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Tries until `what` gives something, or fails the test saying `hope`.
pub fn eventually<T>(hope: &str, mut what: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = what() {
            return found;
        }
        assert!(Instant::now() < end, "waited {PATIENCE:?} in vain: {hope}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A folder with a configuration, an upstream, and an address of loopback to serve on.
pub struct Home {
    folder: tempfile::TempDir,
    pub upstream: Upstream,
    pub address: SocketAddr,
}

/// Certificate authorities that the binary trusts beside the usual ones, when the home has this file.
pub const ROOTS: &str = "roots.pem";

impl Home {
    pub fn new() -> Home {
        Home {
            folder: tempfile::tempdir().expect("a temporary folder"),
            upstream: Upstream::start(),
            address: free_address(),
        }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        let path = self.file(name);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).expect("a writable folder");
        }
        std::fs::write(path, text).expect("a writable folder");
    }

    /// Writes `stairgate.toml`: our address and upstream, then `rest`.
    pub fn configure(&self, rest: &str) {
        self.configure_with("", rest);
    }

    /// The same, with keys of no table at the top.
    pub fn configure_with(&self, top: &str, rest: &str) {
        let text = format!(
            "version = 1\n{top}[server]\nlisten = [\"{}\"]\nworkers = 1\n\
             [resolver]\nmode = \"forward\"\nforward = [\"udp://{}\"]\ndeadline = \"2s\"\n{rest}",
            self.address, self.upstream.address
        );
        self.write("stairgate.toml", &text);
    }

    /// Runs a command with this configuration to its end.
    pub fn run(&self, arguments: &[&str]) -> Ended {
        let mut all = arguments.to_vec();
        all.extend(["--config", "stairgate.toml"]);
        run(&all, self.path())
    }

    /// Starts `serve` and waits until it says that it answers.
    pub fn serve(&self, arguments: &[&str]) -> Server {
        let server = self.serve_without_waiting(arguments);
        server.wait_for("Stairgate answers on");
        server
    }

    /// Starts `serve`. Unless told otherwise it looks at its files more often than people need.
    pub fn serve_without_waiting(&self, arguments: &[&str]) -> Server {
        let mut all = vec!["serve", "--config", "stairgate.toml"];
        if !arguments.contains(&"--watch-interval-ms") {
            all.extend(["--watch-interval-ms", "50"]);
        }
        all.extend(arguments);
        Server::spawn(stairgate(&all, self.path()), self.address)
    }
}

/// A running server. Killed when dropped.
pub struct Server {
    child: Child,
    pub address: SocketAddr,
    said: Arc<Mutex<String>>,
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    pub fn spawn(mut command: Command, address: SocketAddr) -> Server {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary runs");
        let said = Arc::new(Mutex::new(String::new()));
        listen_to(child.stdout.take().expect("a pipe"), Arc::clone(&said));
        listen_to(child.stderr.take().expect("a pipe"), Arc::clone(&said));
        Server { child, address, said }
    }

    /// Everything it said so far, on both outputs.
    pub fn said(&self) -> String {
        self.said.lock().expect("no test panics in here").clone()
    }

    pub fn wait_for(&self, text: &str) {
        let end = Instant::now() + PATIENCE;
        while !self.said().contains(text) {
            assert!(Instant::now() < end, "it never said {text:?}, but:\n{}", self.said());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub fn signal(&self, signal: &str) {
        let status = Command::new("kill")
            .args([&format!("-{signal}"), &self.child.id().to_string()])
            .status();
        assert!(status.is_ok_and(|status| status.success()), "kill -{signal} works");
    }

    pub fn wait_for_exit(&mut self) -> ExitStatus {
        eventually("the server ends", || self.child.try_wait().expect("a child of ours"))
    }

    /// Asks for a name until the answer is as hoped.
    pub fn ask_until(&self, name: &str, rtype: RecordType, hope: &str, is_it: impl Fn(&Message) -> bool) -> Message {
        let end = Instant::now() + PATIENCE;
        loop {
            let response = ask(self.address, name, rtype);
            match response {
                Some(response) if is_it(&response) => return response,
                other => assert!(
                    Instant::now() < end,
                    "{name} never was {hope}, but:\n{other:#?}\n{}",
                    self.said()
                ),
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub fn ask(&self, name: &str) -> Message {
        ask(self.address, name, RecordType::A).unwrap_or_else(|| panic!("no answer for {name}:\n{}", self.said()))
    }

    pub fn ask_until_blocked(&self, name: &str) -> Message {
        self.ask_until(name, RecordType::A, "blocked", is_blocked)
    }

    pub fn ask_until_resolved(&self, name: &str) -> Message {
        self.ask_until(name, RecordType::A, "resolved", is_resolved)
    }
}

fn listen_to(output: impl Read + Send + 'static, said: Arc<Mutex<String>>) {
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            let mut said = said.lock().expect("no test panics in here");
            said.push_str(&line);
            said.push('\n');
        }
    });
}

/// The query for a name, with EDNS so that the answer may say why.
pub fn query(id: u16, name: &str, rtype: RecordType) -> Message {
    let mut query = Message::new(id, MessageType::Query, OpCode::Query);
    query.metadata.recursion_desired = true;
    query.add_query(Query::query(Name::from_ascii(name).expect("a name"), rtype));
    query.edns = Some(Edns::new());
    query
}

/// One query over UDP; `None` when no answer came within two seconds or so.
pub fn ask(server: SocketAddr, name: &str, rtype: RecordType) -> Option<Message> {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port on loopback");
    socket
        .set_read_timeout(Some(Duration::from_millis(2500)))
        .expect("a socket of ours");
    let id = 0x5347;
    socket
        .send_to(&query(id, name, rtype).to_vec().expect("a query"), server)
        .ok()?;
    let mut buffer = [0; 4096];
    let len = socket.recv(&mut buffer).ok()?;
    let response = Message::from_vec(&buffer[..len]).expect("a well-formed response");
    assert_eq!(response.metadata.id, id);
    Some(response)
}

pub fn addresses(response: &Message) -> Vec<Ipv4Addr> {
    let address = |record: &Record| match &record.data {
        RData::A(address) => Some(address.0),
        _ => None,
    };
    response.answers.iter().filter_map(address).collect()
}

pub fn is_blocked(response: &Message) -> bool {
    addresses(response) == [Ipv4Addr::UNSPECIFIED]
}

pub fn is_resolved(response: &Message) -> bool {
    addresses(response) == [UPSTREAM_SAYS]
}

pub fn is_servfail(response: &Message) -> bool {
    response.metadata.response_code == ResponseCode::ServFail
}

/// INFO-CODE and EXTRA-TEXT of the Extended DNS Errors (RFC 8914 §2).
pub fn extended_errors(response: &Message) -> Vec<(u16, String)> {
    let Some(edns) = &response.edns else { return Vec::new() };
    let error = |(_, option): &(EdnsCode, EdnsOption)| match option {
        EdnsOption::Unknown(15, data) if data.len() >= 2 => Some((
            u16::from_be_bytes([data[0], data[1]]),
            String::from_utf8_lossy(&data[2..]).into_owned(),
        )),
        _ => None,
    };
    edns.options().options.iter().filter_map(error).collect()
}

/// An address on loopback whose UDP and TCP ports were free a moment ago.
pub fn free_address() -> SocketAddr {
    loop {
        let tcp = TcpListener::bind("127.0.0.1:0").expect("a free port on loopback");
        let address = tcp.local_addr().expect("a bound socket");
        if UdpSocket::bind(address).is_ok() {
            return address;
        }
    }
}

/// A resolver that gives every name the same address. Names that begin with `slow` it answers late, those that begin with
/// `silent` never.
pub struct Upstream {
    pub address: SocketAddr,
    /// The names it was asked for, in lower case and with their final dot, in order.
    pub asked: Arc<Mutex<Vec<String>>>,
}

/// How late the upstream answers names that begin with `slow`.
pub const SLOW: Duration = Duration::from_millis(700);

impl Upstream {
    fn start() -> Upstream {
        Upstream::on(UdpSocket::bind("127.0.0.1:0").expect("a free port on loopback"))
    }

    pub fn on(socket: UdpSocket) -> Upstream {
        let socket = Arc::new(socket);
        let address = socket.local_addr().expect("a bound socket");
        let asked = Arc::new(Mutex::new(Vec::new()));
        let list = Arc::clone(&asked);
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok((len, peer)) = socket.recv_from(&mut buffer) {
                let Ok(query) = Message::from_vec(&buffer[..len]) else {
                    continue;
                };
                let Some(response) = answer(&query) else { continue };
                let name = query.queries[0].name().to_ascii().to_ascii_lowercase();
                list.lock().expect("no test panics in here").push(name.clone());
                if name.starts_with("silent") {
                    continue;
                }
                let slow = name.starts_with("slow");
                let socket = Arc::clone(&socket);
                let send = move || {
                    let _ = socket.send_to(&response, peer);
                };
                if slow {
                    std::thread::spawn(move || {
                        std::thread::sleep(SLOW);
                        send();
                    });
                } else {
                    send();
                }
            }
        });
        Upstream { address, asked }
    }

    /// How often it was asked for a name.
    pub fn asked(&self, name: &str) -> usize {
        let asked = self.asked.lock().expect("no test panics in here");
        asked.iter().filter(|asked| asked.trim_end_matches('.') == name).count()
    }
}

fn answer(query: &Message) -> Option<Vec<u8>> {
    let question = query.queries.first()?;
    let mut response = Message::new(query.metadata.id, MessageType::Response, OpCode::Query);
    response.metadata.recursion_desired = true;
    response.metadata.recursion_available = true;
    response.add_query(question.clone());
    if question.query_type() == RecordType::A {
        response.add_answer(Record::from_rdata(
            question.name().clone(),
            60,
            RData::A(UPSTREAM_SAYS.into()),
        ));
    }
    response.to_vec().ok()
}
