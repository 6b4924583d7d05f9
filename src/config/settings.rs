//! The settings the program runs on: what `stairgate.toml` and the household file say, checked and with defaults filled in.
//! What each key means stands in `config/stairgate.toml`; names here are the file's.

use super::error::Warning;
use super::household::{Household, OwnName};
use crate::dns::cookie;
use crate::dns::name::Name;
use crate::dns::translate::Prefix;
use ipnet::IpNet;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The file these came from; none for the built-in home example.
    pub file: Option<PathBuf>,
    /// The folder relative paths of the file stand in.
    pub folder: PathBuf,
    pub state_dir: PathBuf,
    /// A compiled gate file to serve and watch; otherwise `lists` are compiled.
    pub gate: Option<PathBuf>,
    pub household_file: Option<PathBuf>,
    pub server: Server,
    pub cache: CacheSettings,
    pub resolver: ResolverSettings,
    pub page: PageSettings,
    pub zones: Vec<Zone>,
    pub records: Vec<LocalRecord>,
    pub lists: Vec<ListSettings>,
    pub profiles: Vec<ProfileSettings>,
    pub clients: Vec<ClientSettings>,
    /// `None` where the file names none.
    pub household: Option<Household>,
}

impl Settings {
    /// What was for a time and is over at `now_s`, Unix seconds: it does no harm, but is no longer worth reading. The caller has the
    /// clock.
    pub fn over(&self, now_s: i64) -> Vec<Warning> {
        let warning = |line, sentence: String| Warning {
            file: self.household_file.clone().or(self.file.clone()),
            line,
            sentence,
        };
        let over = self.household.iter().flat_map(|household| household.over(now_s));
        let mut warnings: Vec<Warning> = over
            .map(|(line, kind)| warning(Some(line), format!("this {kind} is over; it can go")))
            .collect();
        let of_profiles = self.profiles.iter().flat_map(|profile| {
            let only = profile.only.iter().flatten();
            profile.allow.iter().chain(&profile.deny).chain(only)
        });
        let people = self.household.iter().flat_map(|household| &household.people);
        let of_people = people.flat_map(|person| person.allow.iter().chain(&person.deny));
        let ended = |name: &OwnName| name.until.is_some_and(|until| until <= now_s);
        if of_profiles.chain(of_people).any(ended) {
            let sentence = "names of profiles or persons are past their until; they can go".to_owned();
            warnings.push(warning(None, sentence));
        }
        warnings
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    pub listen: Vec<SocketAddr>,
    /// `None`: loopback, private and directly connected networks.
    pub allow: Option<Vec<IpNet>>,
    pub unmatched: Unmatched,
    /// Threads that answer over UDP, and as many that resolve; 0 is one a core of each.
    pub workers: usize,
    /// Whether queries with a cookie get one back.
    pub cookies: bool,
    /// What these are signed with; random where nothing is written.
    pub cookie_secret: cookie::Secrets,
    /// Responses a second over UDP to the clients of one prefix without a valid cookie; 0: without a bound.
    pub rate_limit: u32,
    /// Every n-th response over it is a truncated one or BADCOOKIE, the others are dropped; 0: all are.
    pub rate_limit_slip: u32,
    /// Whom it does not concern. `None`: loopback, private and link-local networks.
    pub rate_limit_exempt: Option<Vec<IpNet>>,
    /// Who filters, told with blocked answers to clients that read structured errors.
    pub organization: Option<String>,
    /// Whom to ask about them: URIs of the schemes `mailto`, `tel` and `sips`.
    pub contact: Vec<String>,
    /// Names that may lead into a private network, whatever profile asks; beside them those of `zones` and of this server's own.
    pub rebinding_allow: Vec<OwnName>,
}

/// What a client that no entry matches gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unmatched {
    /// The profile called `default`.
    Default,
    /// No filtering.
    Open,
    /// REFUSED.
    Refuse,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheSettings {
    pub size_bytes: u64,
    pub min_ttl: Duration,
    pub max_ttl: Duration,
    /// Whether answers that are asked for again and again are renewed shortly before their time is over.
    pub prefetch: bool,
    /// Whether what it holds is written to `state_dir` at a stop, and read again at the next start.
    pub keep: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolverSettings {
    pub mode: Mode,
    pub root_hints: Option<PathBuf>,
    pub prime: bool,
    pub validate: bool,
    pub trust_anchor: Option<PathBuf>,
    pub trust_anchors: Vec<String>,
    pub insecure: Vec<Name>,
    pub sha1: bool,
    pub signature_skew: Duration,
    pub qname_minimization: QnameMinimization,
    pub case_randomization: bool,
    pub ipv4: bool,
    pub ipv6: bool,
    pub edns_buffer: u16,
    pub deadline: Duration,
    pub query_private: Vec<IpNet>,
    pub bootstrap: Vec<SocketAddr>,
    pub forward: Vec<Upstream>,
    pub forward_order: ForwardOrder,
    pub fallback: Option<Fallback>,
    /// Prefixes of the network's translator; none: no addresses are made.
    pub dns64: Vec<Prefix>,
}

/// `[page]`: the block page.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PageSettings {
    /// None: there is no block page.
    pub listen: Vec<SocketAddr>,
    /// Whom a child is told to ask; `None`: a grown-up.
    pub contact: Option<String>,
    /// Words of the family's own.
    pub message: Option<String>,
}

/// What answers when the way that `mode` says gives no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fallback {
    /// Recursion behind upstreams; it validates unless `validate = false` is written.
    Recursive { validate: bool },
    /// Upstreams behind recursion.
    Forward,
}

/// Which of several upstreams is asked, and when the next is asked as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ForwardOrder {
    /// As written; the next where one fails or keeps silent.
    #[default]
    Ordered,
    /// By measured time; the next where one fails or keeps silent.
    Fastest,
    /// By measured time; the next also where one takes longer than it usually does. The first answer counts.
    Raced,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Recursive,
    Forward,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QnameMinimization {
    Relaxed,
    Strict,
    Off,
}

/// One upstream resolver: `udp://`, `tcp://`, `tls://ADDR#NAME`, `https://HOST/PATH`, `quic://`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Upstream {
    pub scheme: Scheme,
    pub host: Host,
    pub port: u16,
    /// The name the certificate must have (after `#`, or the host of a URL). `None` for udp and tcp, and where the key alone counts.
    pub server_name: Option<String>,
    /// SHA-256 digests of the keys that the server may have (RFC 7858 §4.2); empty: any key with a good certificate.
    pub pins: Vec<[u8; 32]>,
    /// Path of an https upstream, with its slash, without the variable of its template.
    pub path: String,
    /// Ask by GET, which HTTP caches can answer, instead of POST (RFC 8484 §4.1).
    pub get: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    Udp,
    Tcp,
    Tls,
    Https,
    Quic,
}

/// An address, or a name that bootstrap resolves.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Host {
    Address(IpAddr),
    Name(Name),
}

/// `[[zone]]`: another way for one zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone {
    pub name: Name,
    pub source: ZoneSource,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ZoneSource {
    Forward {
        upstreams: Vec<Upstream>,
        order: ForwardOrder,
        validate: bool,
    },
    /// A master file.
    File(PathBuf),
}

/// `[[record]]`: records of one name that this server answers itself; PTR records are made along.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalRecord {
    pub name: Name,
    /// Master-file text without the owner: `A 192.168.1.20`, `300 IN CNAME x.example.`
    pub data: Vec<String>,
}

/// `[[list]]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListSettings {
    pub name: String,
    pub source: ListSource,
    pub category: String,
    pub action: ListAction,
    /// A word of DESIGN's FORMAT, `None` for auto.
    pub format: Option<String>,
    pub match_scope: Option<MatchScope>,
    /// Lower comes first; 100 unless said.
    pub rank: u32,
    /// Whether its rules may redirect. Default: paths may, URLs may not.
    pub rewrite: bool,
    pub refresh: Duration,
    pub imposed_by: ImposedBy,
    pub observe: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListSource {
    Path(PathBuf),
    Url(String),
    /// A list that is part of the program: a starter list, as its file stands in `blocklists/starter/`, compressed or not.
    Embedded {
        file: &'static str,
        bytes: &'static [u8],
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListAction {
    Block,
    Allow,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MatchScope {
    Exact,
    Subtree,
}

/// Who wants a name blocked; chooses the Extended DNS Error (RFC 8914): 17, 15 or 16.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ImposedBy {
    Household,
    Operator,
    Law,
}

/// `[profile.NAME]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProfileSettings {
    pub name: String,
    /// The profile it was made of, whose words are among these; there is no way from it back to this one.
    pub base: Option<String>,
    /// Categories or list names.
    pub block: Vec<String>,
    /// Blocks every category, beside what `block` names: the profile `default` where the settings define nobody.
    pub every_category: bool,
    /// Names of lists with `action = "allow"`.
    pub allow_lists: Vec<String>,
    /// Own names. Those of a base profile are among them.
    pub allow: Vec<OwnName>,
    pub deny: Vec<OwnName>,
    /// Only these names and what always stays reachable, and of those only what no list blocks.
    pub only: Option<Vec<OwnName>>,
    /// Services that are blocked, by their ids; groups of services written out.
    pub services: Vec<String>,
    /// Search engines whose safe mode is switched on, by their ids in the catalogue.
    pub safe_search: Vec<String>,
    pub youtube: Option<YoutubeMode>,
    /// Whether names and addresses that lead around the filter are blocked.
    pub bypass_guard: bool,
    /// Whether answers about public names are blocked that lead into a private network.
    pub rebinding: bool,
    /// Whether names in other scripts are blocked that look like a name its lists block.
    pub look_alikes: bool,
    /// Query types that are answered with NODATA.
    pub types: Vec<u16>,
    pub answer: AnswerKind,
    /// Addresses of the block page, for `answer = "page"`.
    pub answer_addresses: Vec<IpAddr>,
    pub answer_ttl: Duration,
    pub imposed_by: ImposedBy,
    pub observe: bool,
    /// What is kept of who asked what.
    pub log: LogSettings,
}

/// What is kept of who asked what, and how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LogSettings {
    pub choice: LogChoice,
    /// Days, that of today among them; from 1 to 90.
    pub days: u16,
}

/// From least to most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LogChoice {
    Nothing,
    /// How many queries a day, how many of them blocked, and by which category.
    Counts,
    /// The names too.
    Names,
}

impl Default for LogSettings {
    /// Nothing; what is asked for without a time is kept for a week.
    fn default() -> LogSettings {
        LogSettings {
            choice: LogChoice::Nothing,
            days: 7,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum YoutubeMode {
    Moderate,
    Strict,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AnswerKind {
    Null,
    Nxdomain,
    Nodata,
    Refused,
    Page,
}

/// `[[client]]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientSettings {
    pub name: String,
    pub tags: Vec<String>,
    pub networks: Vec<IpNet>,
    /// That of the person whose device it is, if it is somebody's.
    pub profile: String,
    /// Index of that person.
    pub person: Option<u32>,
}
