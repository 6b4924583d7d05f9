//! The processes: both resolvers as their users run them, and the authorities.
//!
//! Always: a child ends with the value that stands for it. Times and memory are what the kernel counts for the process.

use crate::authority::Weather;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

/// Who resolves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Unbound,
    Stairgate,
}

impl Kind {
    pub const ALL: [Kind; 2] = [Kind::Unbound, Kind::Stairgate];

    pub fn name(self) -> &'static str {
        match self {
            Kind::Unbound => "Unbound",
            Kind::Stairgate => "Stairgate",
        }
    }

    fn port(self) -> u16 {
        match self {
            Kind::Unbound => 5301,
            Kind::Stairgate => 5302,
        }
    }
}

/// What differs between the measurements.
#[derive(Debug, Clone, Copy)]
pub struct Setup<'a> {
    /// Of everything cached.
    pub cache_mib: u64,
    /// A DS record in text: the resolver validates.
    pub anchor: Option<&'a str>,
}

/// A resolver in a process of its own.
pub struct Resolver {
    child: Child,
    pub address: SocketAddr,
    folder: tempfile::TempDir,
}

impl Resolver {
    pub fn start(kind: Kind, setup: Setup<'_>) -> Resolver {
        let folder = tempfile::tempdir().expect("a folder for the resolver");
        let hints = folder.path().join("hints.zone");
        let servers: String = (1..=5)
            .map(|at| format!(". 3600000 IN NS ns{at}.roots.\nns{at}.roots. 3600000 IN A 127.1.0.{at}\n"))
            .collect();
        write(&hints, &servers);
        if let Some(anchor) = setup.anchor {
            write(&folder.path().join("anchor.ds"), &format!("{anchor}\n"));
        }
        let settings = settings(kind, setup, folder.path());
        let file = folder.path().join(match kind {
            Kind::Unbound => "unbound.conf",
            Kind::Stairgate => "stairgate.toml",
        });
        write(&file, &settings);
        let mut command = match kind {
            Kind::Unbound => {
                let mut command = Command::new("unbound");
                command.args(["-d", "-c"]).arg(&file);
                command
            }
            Kind::Stairgate => {
                let mut command = Command::new(env!("CARGO_BIN_EXE_stairgate"));
                command.args(["serve", "--without-lists", "--config"]).arg(&file);
                command
            }
        };
        let log = std::fs::File::create(folder.path().join("log")).expect("a log");
        let child = command
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a log"))
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("{} cannot be started: {error}", kind.name()));
        let resolver = Resolver {
            child,
            address: SocketAddr::from(([127, 0, 0, 1], kind.port())),
            folder,
        };
        resolver.wait(kind);
        resolver
    }

    /// Until it answers what it answers by itself.
    fn wait(&self, kind: Kind) {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        socket.connect(self.address).expect("a socket can be connected");
        socket
            .set_read_timeout(Some(Duration::from_millis(100)))
            .expect("a timeout");
        let query = b"\0\x01\x01\0\0\x01\0\0\0\0\0\0\x09localhost\0\0\x01\0\x01";
        let end = Instant::now() + Duration::from_secs(20);
        let mut buffer = [0; 512];
        while Instant::now() < end {
            let _ = socket.send(query);
            if socket.recv(&mut buffer).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        panic!("{} does not answer:\n{log}", kind.name());
    }

    /// User and system time so far.
    pub fn cpu(&self) -> Duration {
        let stat = self.proc("stat");
        // Fields after the name, which may hold anything: 14 and 15 of the whole, in ticks of 10 ms.
        let (_, rest) = stat.rsplit_once(')').expect("a name in parentheses");
        let ticks: u64 = rest
            .split_whitespace()
            .skip(11)
            .take(2)
            .map(|field| field.parse::<u64>().expect("ticks"))
            .sum();
        Duration::from_millis(10 * ticks)
    }

    /// Private resident memory in bytes: what does not come from a file.
    pub fn memory(&self) -> u64 {
        let status = self.proc("status");
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
        let kib: u64 = line
            .and_then(|rest| rest.split_whitespace().next()?.parse().ok())
            .expect("the kernel counts anonymous memory");
        kib << 10
    }

    fn proc(&self, file: &str) -> String {
        std::fs::read_to_string(format!("/proc/{}/{file}", self.child.id())).expect("the resolver is still running")
    }
}

impl Drop for Resolver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn write(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}

/// The settings file of a resolver. Whatever is not named here is at its default; Debian's package sets nothing else that counts.
pub fn settings(kind: Kind, setup: Setup<'_>, folder: &Path) -> String {
    let (port, folder) = (kind.port(), folder.display());
    let cache = setup.cache_mib;
    match kind {
        Kind::Unbound => {
            let modules = match setup.anchor {
                None => "module-config: \"iterator\"".to_owned(),
                Some(_) => {
                    format!("module-config: \"validator iterator\"\n    trust-anchor-file: \"{folder}/anchor.ds\"")
                }
            };
            // By default it answers nobody who has waited for 1.9 s; the clients here wait for 5.
            // A third for messages and two for RRsets, as its manual has it.
            format!(
                "server:
    directory: \"{folder}\"
    chroot: \"\"
    username: \"\"
    pidfile: \"\"
    use-syslog: no
    interface: 127.0.0.1@{port}
    num-threads: 1
    do-ip6: no
    do-not-query-localhost: no
    root-hints: \"{folder}/hints.zone\"
    qname-minimisation: yes
    discard-timeout: 5000
    msg-cache-size: {}k
    rrset-cache-size: {}k
    {modules}
remote-control:
    control-enable: no
",
                cache * 1024 / 3,
                cache * 1024 * 2 / 3
            )
        }
        Kind::Stairgate => {
            let validation = match setup.anchor {
                None => "validate = false".to_owned(),
                Some(_) => "validate = true\ntrust_anchor = \"anchor.ds\"".to_owned(),
            };
            format!(
                "version = 1
state_dir = \"{folder}/var\"
[server]
listen = [\"127.0.0.1:{port}\"]
workers = 1
[cache]
size = \"{cache} MiB\"
[resolver]
mode = \"recursive\"
root_hints = \"hints.zone\"
qname_minimization = \"relaxed\"
ipv6 = false
query_private = [\"127.0.0.0/8\"]
bootstrap = []
{validation}
"
            )
        }
    }
}

/// The authorities in a process of their own.
pub struct Authorities {
    child: Child,
    commands: ChildStdin,
    replies: BufReader<ChildStdout>,
    /// The DS of the root, in text.
    pub anchor: String,
}

impl Authorities {
    pub fn start(seed: u64) -> Authorities {
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .args(["authorities", &seed.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this program can be started");
        let commands = child.stdin.take().expect("piped");
        let mut replies = BufReader::new(child.stdout.take().expect("piped"));
        let anchor = read(&mut replies);
        Authorities {
            child,
            commands,
            replies,
            anchor,
        }
    }

    pub fn weather(&mut self, weather: Weather) {
        let Weather {
            bad_servers,
            delays,
            loss,
        } = weather;
        self.tell(&format!("weather {bad_servers} {delays} {loss}"));
    }

    /// Queries since the last count at the addresses that begin so: over UDP and over TCP together.
    pub fn count(&mut self, prefix: &str) -> u64 {
        let counts = self.tell(&format!("count {prefix}"));
        counts
            .split(' ')
            .map(|count| count.parse::<u64>().expect("a count"))
            .sum()
    }

    fn tell(&mut self, command: &str) -> String {
        writeln!(self.commands, "{command}").expect("the authorities are running");
        read(&mut self.replies)
    }
}

fn read(replies: &mut impl BufRead) -> String {
    let mut line = String::new();
    replies.read_line(&mut line).expect("the authorities are running");
    assert!(!line.is_empty(), "the authorities stopped");
    line.trim().to_owned()
}

impl Drop for Authorities {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
