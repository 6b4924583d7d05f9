//! What the server counted, and what the kernel did before it could.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::Path;

/// Counters by name.
pub struct Counted(BTreeMap<String, u64>);

impl Counted {
    /// Asks over the control socket of the Stairgate that was started in `folder`.
    pub fn read(folder: &Path) -> Counted {
        let mut stream = UnixStream::connect(folder.join("var/control.sock")).expect("the control socket");
        stream.write_all(b"{\"command\":\"status\"}\n").expect("it reads");
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).expect("it answers");
        let status: serde_json::Value = serde_json::from_str(&line).expect("one JSON object");
        Counted(serde_json::from_value(status["counters"].clone()).expect("numbers by name"))
    }

    pub fn since(self, before: &Counted) -> Counted {
        let since = |(name, count): (String, u64)| {
            let before = before.0.get(&name).copied().unwrap_or(0);
            (name, count - before)
        };
        Counted(self.0.into_iter().map(since).collect())
    }

    /// Queries that got no response.
    pub fn dropped(&self) -> u64 {
        let dropped = self.0.iter().filter(|(name, _)| name.starts_with("dropped_"));
        dropped.map(|(_, count)| count).sum()
    }
}

impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = self.0.iter().filter(|(_, count)| **count > 0);
        let words: Vec<String> = counts.map(|(name, count)| format!("{name} {count}")).collect();
        f.write_str(&words.join(", "))
    }
}

/// Datagrams that came to this address and found no room in the sockets bound to it.
pub fn kernel_drops(address: SocketAddr) -> u64 {
    let sockets = std::fs::read_to_string("/proc/net/udp").expect("the kernel tells");
    let port = format!(":{:04X}", address.port());
    let of_port = sockets.lines().skip(1).filter_map(|line| {
        let mut fields = line.split_whitespace();
        let is_ours = fields.nth(1)?.ends_with(&port);
        is_ours.then(|| fields.last()?.parse::<u64>().ok())?
    });
    of_port.sum()
}
