//! The servers as processes: started, timed, measured, ended.
//!
//! Always: a child ends with the value that stands for it, and with this program. Times and memory are what the kernel counts for the
//! process and those it started.

use crate::peers::check::{Verdict, judge, right};
use crate::peers::config::{self, Kind, Lists, Place};
use std::io::Read;
use std::net::{SocketAddr, UdpSocket};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// As taskset takes it.
pub const SERVER_CORE: &str = "0";
const OWN_CORE: &str = "1";
/// Reading a list of a million names takes some of them a minute.
const START: Duration = Duration::from_secs(240);

/// CPU time so far.
#[derive(Debug, Clone, Copy, Default)]
pub struct Cpu {
    /// Exact.
    pub total: Duration,
    /// In ticks of 10 ms: what the kernel found running at its clock's ticks, so the share of user time needs many of them.
    pub user: u64,
    pub system: u64,
}

impl Cpu {
    pub fn since(self, before: Cpu) -> Cpu {
        Cpu {
            total: self.total - before.total,
            user: self.user - before.user,
            system: self.system - before.system,
        }
    }
}

/// Resident memory, in bytes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Memory {
    /// What the process wrote to: nobody else can use it, and it cannot be read from a file again.
    pub private_dirty: u64,
    /// Pages of programs, libraries and mapped files: the kernel may drop them, and other processes share them. It counts them as
    /// private where one process alone has them mapped, so they are told by being of a file.
    pub file_mapped: u64,
}

pub struct Server {
    pub kind: Kind,
    pub address: SocketAddr,
    /// From the program's start to its first right answer for a listed name.
    pub started_in: Duration,
    child: Child,
}

impl Server {
    /// Starts it in `folder`, with `more` behind its settings, and waits for the answer to `query`, a listed name. The error tells what the
    /// server said.
    pub fn start(
        kind: Kind,
        folder: &Path,
        lists: &Lists,
        upstream: SocketAddr,
        more: &str,
        query: &[u8],
    ) -> Result<Server, String> {
        std::fs::create_dir_all(folder).expect("the folder can be written to");
        let place = Place {
            folder,
            lists,
            port: free_port(),
            upstream,
        };
        let (file, settings) = config::settings(kind, &place);
        let file = folder.join(file);
        std::fs::write(&file, settings + more).expect("the folder can be written to");
        let log_path = folder.join("log");
        let log = std::fs::File::create(&log_path).expect("the folder can be written to");
        let mut command = config::command(kind, &place, &file);
        command
            .current_dir(folder)
            // The bare loop ends with its input; nothing is ever written to it.
            .stdin(Stdio::piped())
            .stdout(log.try_clone().expect("a log"))
            .stderr(log);
        end_with_parent(&mut command);
        let started = Instant::now();
        let child = command.spawn().map_err(|error| error.to_string())?;
        let mut server = Server {
            kind,
            address: SocketAddr::from(([127, 0, 0, 1], place.port)),
            started_in: Duration::ZERO,
            child,
        };
        match server.wait(started, query, &log_path) {
            true => Ok(server),
            false => Err(log_end(&log_path)),
        }
    }

    fn wait(&mut self, started: Instant, query: &[u8], log: &Path) -> bool {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback can be bound");
        socket
            .set_read_timeout(Some(Duration::from_millis(1)))
            .expect("a timeout");
        let mut buffer = [0; 4096];
        while started.elapsed() < START && self.is_running() {
            if self.kind == Kind::Bare {
                // It chooses its port itself.
                match std::fs::read_to_string(log)
                    .ok()
                    .and_then(|text| text.trim().parse().ok())
                {
                    Some(port) => self.address.set_port(port),
                    None => continue,
                }
            }
            let _ = socket.send_to(query, self.address);
            // None is there yet, or none answers yet.
            let Ok(length) = socket.recv(&mut buffer) else {
                std::thread::sleep(Duration::from_micros(200));
                continue;
            };
            if judge(&buffer[..length], right(self.kind, true)) == Verdict::Right {
                self.started_in = started.elapsed();
                return true;
            }
        }
        false
    }

    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    pub fn cpu(&self) -> Cpu {
        let mut sum = Cpu::default();
        for pid in self.tree() {
            let stat = proc(pid, "stat");
            // Fields after the name, which may hold anything: 14 and 15 of the whole.
            let Some((_, rest)) = stat.rsplit_once(')') else {
                continue;
            };
            let mut ticks = rest
                .split_whitespace()
                .skip(11)
                .map(|field| field.parse::<u64>().unwrap_or(0));
            sum.user += ticks.next().unwrap_or(0);
            sum.system += ticks.next().unwrap_or(0);
            sum.total += process_clock(pid);
        }
        sum
    }

    pub fn memory(&self) -> Memory {
        let mut sum = Memory::default();
        for pid in self.tree() {
            let rollup = proc(pid, "smaps_rollup");
            let bytes = |field: &str| -> u64 {
                let line = rollup
                    .lines()
                    .find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
                let kib: Option<u64> = line.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
                kib.unwrap_or(0) << 10
            };
            sum.private_dirty += bytes("Private_Dirty");
            sum.file_mapped += bytes("Rss") - bytes("Anonymous");
        }
        sum
    }

    /// The process and all it started.
    fn tree(&self) -> Vec<u32> {
        let mut pids = vec![self.child.id()];
        let mut at = 0;
        while let Some(&pid) = pids.get(at) {
            let children = proc(pid, &format!("task/{pid}/children"));
            pids.extend(
                children
                    .split_whitespace()
                    .filter_map(|child| child.parse::<u32>().ok()),
            );
            at += 1;
        }
        pids
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs this program, and all threads it will have, on the second core.
pub fn keep_to_own_core() {
    let output = Command::new("taskset")
        .args(["-a", "-p", "-c", OWN_CORE, &std::process::id().to_string()])
        .output()
        .unwrap_or_else(|error| panic!("taskset cannot be started ({error}): install util-linux"));
    assert!(
        output.status.success(),
        "this bench needs two cores: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
}

/// Raises the limit of open files for the sockets of the load.
pub fn raise_open_files() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).expect("a limit can be raised to its maximum");
}

fn end_with_parent(command: &mut Command) {
    use rustix::process::{Signal, set_parent_process_death_signal};
    // SAFETY: between fork and exec only one system call is made, which neither allocates nor takes a lock.
    unsafe {
        command.pre_exec(|| Ok(set_parent_process_death_signal(Some(Signal::KILL))?));
    }
}

/// Time on a core of all threads of a process, those that ended too.
fn process_clock(pid: u32) -> Duration {
    let mut clock: libc::clockid_t = 0;
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: both calls write to the one value each is given, which lives through the call.
    let result = unsafe {
        match libc::clock_getcpuclockid(pid as libc::pid_t, &mut clock) {
            0 => libc::clock_gettime(clock, &mut time),
            error => error,
        }
    };
    assert_eq!(result, 0, "the process {pid} has a clock while it runs");
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Empty where the process has ended.
fn proc(pid: u32, file: &str) -> String {
    let mut text = Vec::new();
    let _ = std::fs::File::open(format!("/proc/{pid}/{file}")).and_then(|mut file| file.read_to_end(&mut text));
    String::from_utf8_lossy(&text).into_owned()
}

/// A port of loopback that nobody has, over UDP or TCP.
fn free_port() -> u16 {
    for _ in 0..100 {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback can be bound");
        let address = socket.local_addr().expect("it is bound");
        if std::net::TcpListener::bind(address).is_ok() {
            return address.port();
        }
    }
    panic!("no port of loopback is free");
}

fn log_end(path: &PathBuf) -> String {
    let log = std::fs::read(path).unwrap_or_default();
    let log = String::from_utf8_lossy(&log).into_owned();
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(8)..].join("\n")
}
