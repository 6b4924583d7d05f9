//! Which servers there are, and the settings of each: one thread, no validation, one upstream, a cache that holds every name, and
//! the same list with the same effect: a listed name and all below it get 0.0.0.0.
//!
//! Whatever is not named here is at the server's own default.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;

/// What a listed name gets from every server.
pub const BLOCKED: Ipv4Addr = Ipv4Addr::UNSPECIFIED;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// The loop of `yardstick_udp`: receives, flips some bits, sends.
    Bare,
    Unbound,
    PdnsRecursor,
    Dnsdist,
    Dnsmasq,
    Kresd,
    Stairgate,
}

impl Kind {
    pub const ALL: [Kind; 7] = [
        Kind::Bare,
        Kind::Unbound,
        Kind::PdnsRecursor,
        Kind::Dnsdist,
        Kind::Dnsmasq,
        Kind::Kresd,
        Kind::Stairgate,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Kind::Bare => "bare",
            Kind::Unbound => "unbound",
            Kind::PdnsRecursor => "pdns-recursor",
            Kind::Dnsdist => "dnsdist",
            Kind::Dnsmasq => "dnsmasq",
            Kind::Kresd => "kresd",
            Kind::Stairgate => "stairgate",
        }
    }

    /// The program and the word that makes it print its version; `None` for what this package builds.
    pub fn program(self) -> Option<(&'static str, &'static str)> {
        match self {
            Kind::Bare | Kind::Stairgate => None,
            Kind::Unbound => Some(("unbound", "-V")),
            Kind::PdnsRecursor => Some(("pdns_recursor", "--version")),
            Kind::Dnsdist => Some(("dnsdist", "--version")),
            Kind::Dnsmasq => Some(("dnsmasq", "--version")),
            Kind::Kresd => Some(("kresd", "--version")),
        }
    }

    /// The first line that tells the version; `None` where the program is missing.
    pub fn version(self) -> Option<String> {
        let Some((program, word)) = self.program() else {
            return Some("of this package".to_owned());
        };
        let output = Command::new(program).arg(word).output().ok()?;
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text).into_owned();
        let line = text.lines().find(|line| line.contains(|c: char| c.is_ascii_digit()));
        let line = line.unwrap_or("unknown").trim();
        // One puts the time before it.
        Some(line[line.find("PowerDNS").unwrap_or(0)..].to_owned())
    }
}

/// Where a server finds things.
pub struct Place<'a> {
    /// Of its own, empty at first.
    pub folder: &'a Path,
    pub lists: &'a Lists,
    pub port: u16,
    pub upstream: SocketAddr,
}

/// The list in the form each server takes.
pub struct Lists {
    pub unbound: PathBuf,
    pub rpz: PathBuf,
    /// The zone whose rules are carried out as the settings say, for the server that would keep an answer for each name otherwise.
    pub rpz_by_default: PathBuf,
    pub plain: PathBuf,
    pub dnsmasq: PathBuf,
    pub gate: PathBuf,
}

/// The file's name, and what it holds. Empty for the bare loop, which has no settings.
pub fn settings(kind: Kind, place: &Place<'_>) -> (&'static str, String) {
    let Place {
        folder,
        lists,
        port,
        upstream,
    } = place;
    let folder = folder.display();
    let upstream_port = upstream.port();
    match kind {
        Kind::Bare => ("none", String::new()),
        // A third of 64 MiB for messages and two for RRsets, as its manual has it.
        Kind::Unbound => (
            "unbound.conf",
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
    module-config: \"iterator\"
    msg-cache-size: 21m
    rrset-cache-size: 43m
    include: \"{}\"
remote-control:
    control-enable: no
forward-zone:
    name: \".\"
    forward-addr: 127.0.0.1@{upstream_port}
",
                lists.unbound.display()
            ),
        ),
        // One thread that receives and answers, instead of one that hands on to others.
        Kind::PdnsRecursor => {
            let lua = folder.to_string() + "/rpz.lua";
            let rules = rpz_lua(lists);
            (
                "recursor.conf",
                format!(
                    "local-address=127.0.0.1
local-port={port}
threads=1
pdns-distributes-queries=no
dnssec=off
forward-zones-recurse=.=127.0.0.1:{upstream_port}
dont-query=
security-poll-suffix=
socket-dir={folder}
# which says: {rules}
lua-config-file={lua}
max-cache-entries=1000000
max-packetcache-entries=1000000
quiet=yes
"
                ),
            )
        }
        Kind::Dnsdist => (
            "dnsdist.conf",
            format!(
                "setLocal(\"127.0.0.1:{port}\")
setSecurityPollSuffix(\"\")
setVerboseHealthChecks(false)
newServer({{address=\"127.0.0.1:{upstream_port}\", name=\"upstream\"}}):setUp()
getPool(\"\"):setCache(newPacketCache(1000000, {{maxTTL=86400}}))
listed = newSuffixMatchNode()
for line in io.lines(\"{}\") do
  listed:add(newDNSName(line))
end
addAction(SuffixMatchNodeRule(listed), SpoofAction(\"0.0.0.0\"))
",
                lists.plain.display()
            ),
        ),
        Kind::Dnsmasq => (
            "dnsmasq.conf",
            format!(
                "port={port}
listen-address=127.0.0.1
bind-interfaces
no-resolv
no-hosts
no-poll
server=127.0.0.1#{upstream_port}
cache-size=100000
dns-forward-max=1000
conf-file={}
",
                lists.dnsmasq.display()
            ),
        ),
        // Without trust anchors nothing is validated.
        Kind::Kresd => (
            "kresd.conf",
            format!(
                "net.listen('127.0.0.1', {port}, {{ kind = 'dns' }})
net.ipv6 = false
trust_anchors.remove('.')
cache.open(64 * MB, 'lmdb://{folder}/cache')
modules.unload('ta_update')
modules.unload('ta_signal_query')
modules.unload('priming')
modules.unload('detect_time_skew')
modules.unload('detect_time_jump')
local null = policy.ANSWER({{ [kres.type.A] = {{ rdata = kres.str2ip('0.0.0.0'), ttl = 30 }} }}, true)
policy.add(policy.rpz(null, '{}', false))
policy.add(policy.all(policy.FORWARD('127.0.0.1@{upstream_port}')))
",
                lists.rpz_by_default.display()
            ),
        ),
        Kind::Stairgate => (
            "stairgate.toml",
            format!(
                "version = 1
state_dir = \"{folder}/var\"
gate = \"{}\"
[server]
listen = [\"127.0.0.1:{port}\"]
workers = 1
[cache]
size = \"64 MiB\"
[resolver]
mode = \"forward\"
forward = [\"127.0.0.1:{upstream_port}\"]
validate = false
bootstrap = []
",
                lists.gate.display()
            ),
        ),
    }
}

/// The rules stand in a file of their own.
fn rpz_lua(lists: &Lists) -> String {
    format!("rpzFile(\"{}\", {{policyName=\"list\"}})", lists.rpz.display())
}

/// The command that runs the server in the foreground. `file` holds its settings.
pub fn command(kind: Kind, place: &Place<'_>, file: &Path) -> Command {
    let program = match kind {
        Kind::Bare => std::env::current_exe().expect("this program"),
        Kind::Stairgate => env!("CARGO_BIN_EXE_stairgate").into(),
        _ => kind.program().expect("it has one").0.into(),
    };
    let mut command = Command::new("taskset");
    command.args(["-c", crate::peers::process::SERVER_CORE]).arg(program);
    match kind {
        Kind::Bare => command.arg("yardstick"),
        Kind::Unbound => command.args(["-d", "-c"]).arg(file),
        Kind::PdnsRecursor => {
            std::fs::write(place.folder.join("rpz.lua"), rpz_lua(place.lists)).expect("the folder can be written to");
            command
                .arg(format!("--config-dir={}", place.folder.display()))
                .arg("--daemon=no")
        }
        Kind::Dnsdist => command.args(["--supervised", "--disable-syslog", "-C"]).arg(file),
        // As whoever runs the bench: it would become another user, who may not read the folder.
        Kind::Dnsmasq => command
            .args([
                "--keep-in-foreground",
                "--log-facility=-",
                "--pid-file=",
                "--user=root",
                "-C",
            ])
            .arg(file),
        Kind::Kresd => command.args(["-n", "-c"]).arg(file).arg(place.folder),
        Kind::Stairgate => command.args(["serve", "--config"]).arg(file),
    };
    command
}
