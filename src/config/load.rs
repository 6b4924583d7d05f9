//! From the file's shape to settings: defaults filled in, every value checked, every path absolute.
//!
//! In: a path, or nothing for the built-in home example. Out: [`Loaded`].
//! Always: the first wrong thing in the order of the reference file is the one reported.

use super::error::{ConfigError, Problem, Warning};
use super::people;
use super::settings::*;
use super::shape::{self, Text};
use super::syntax::{Source, nearest};
use super::{starter, values};
use crate::dns::name::Name;
use crate::limits;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;
use toml::Spanned;

/// Settings that can be run on, and what is odd about them.
#[derive(Debug, Clone)]
pub struct Loaded {
    pub settings: Settings,
    pub warnings: Vec<Warning>,
}

/// The formats a `[[list]]` may name.
pub const FORMATS: [&str; 12] = [
    "auto", "hosts", "domains", "wildcard", "adguard", "regex", "rpz", "dnsmasq", "unbound", "dnscrypt", "v2fly",
    "dump",
];

impl Settings {
    /// Reads a settings file, and the household file if it names one.
    pub fn load(file: &Path) -> Result<Loaded, ConfigError> {
        let source = Source::read(file)?;
        let shape: shape::File = source.shape()?;
        let absolute = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
        let folder = absolute.parent().unwrap_or(Path::new("/")).to_owned();
        Loader {
            source,
            folder,
            warnings: Vec::new(),
        }
        .settings(shape, absolute)
    }

    /// The built-in home example: the starter lists for everybody, on the loopback addresses, with `var` in `folder` as
    /// its state.
    pub fn builtin(folder: &Path) -> Settings {
        let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
        Settings {
            file: None,
            state_dir: folder.join("var"),
            folder,
            gate: None,
            household: None,
            server: Server {
                listen: vec![
                    SocketAddr::new(Ipv4Addr::LOCALHOST.into(), DEFAULT_PORT),
                    SocketAddr::new(Ipv6Addr::LOCALHOST.into(), DEFAULT_PORT),
                ],
                ..Server::default()
            },
            cache: CacheSettings::default(),
            resolver: ResolverSettings::default(),
            zones: Vec::new(),
            records: Vec::new(),
            lists: starter::lists()
                .map(|(name, category, source)| ListSettings {
                    name: name.to_owned(),
                    source,
                    category: category.to_owned(),
                    action: ListAction::Block,
                    format: None,
                    match_scope: None,
                    rank: DEFAULT_RANK,
                    rewrite: false,
                    refresh: DEFAULT_REFRESH,
                    imposed_by: ImposedBy::Household,
                    observe: false,
                })
                .collect(),
            profiles: vec![ProfileSettings::blocking_everything()],
            clients: Vec::new(),
        }
    }
}

/// The port of the built-in example and of the default `listen`: one that needs no privilege.
const DEFAULT_PORT: u16 = 5300;
const DEFAULT_RANK: u32 = 100;
const DEFAULT_REFRESH: Duration = Duration::from_secs(86_400);

impl Default for Server {
    fn default() -> Server {
        Server {
            listen: vec![SocketAddr::new(Ipv4Addr::LOCALHOST.into(), DEFAULT_PORT)],
            allow: None,
            unmatched: Unmatched::Default,
            workers: 0,
        }
    }
}

impl Default for CacheSettings {
    fn default() -> CacheSettings {
        CacheSettings {
            size_bytes: 128 << 20,
            min_ttl: Duration::ZERO,
            max_ttl: Duration::from_secs(86_400),
        }
    }
}

impl Default for ResolverSettings {
    fn default() -> ResolverSettings {
        ResolverSettings {
            mode: Mode::Recursive,
            root_hints: None,
            prime: true,
            validate: false,
            trust_anchor: None,
            trust_anchors: Vec::new(),
            insecure: Vec::new(),
            sha1: false,
            signature_skew: Duration::ZERO,
            qname_minimization: QnameMinimization::Relaxed,
            case_randomization: false,
            ipv4: true,
            ipv6: true,
            edns_buffer: 1232,
            deadline: Duration::from_secs(5),
            query_private: Vec::new(),
            bootstrap: vec![SocketAddr::new(IpAddr::V4(Ipv4Addr::new(9, 9, 9, 9)), 53)],
            forward: Vec::new(),
        }
    }
}

impl ProfileSettings {
    /// A profile with nothing in it yet: sinkhole answers of the kind `null`, 30 s, imposed by the household.
    pub fn named(name: &str) -> ProfileSettings {
        ProfileSettings {
            name: name.to_owned(),
            block: Vec::new(),
            every_category: false,
            allow_lists: Vec::new(),
            allow: Vec::new(),
            deny: Vec::new(),
            answer: AnswerKind::Null,
            answer_addresses: Vec::new(),
            answer_ttl: Duration::from_secs(30),
            imposed_by: ImposedBy::Household,
            observe: false,
        }
    }

    /// The profile `default` where the settings define nobody: every category of every list.
    pub fn blocking_everything() -> ProfileSettings {
        ProfileSettings {
            every_category: true,
            ..ProfileSettings::named("default")
        }
    }
}

/// Reads one file's shape; `source` is the file whose places the spans are.
pub(super) struct Loader {
    pub source: Source,
    pub folder: PathBuf,
    pub warnings: Vec<Warning>,
}

impl Loader {
    fn settings(mut self, shape: shape::File, file: PathBuf) -> Result<Loaded, ConfigError> {
        self.version(&shape.version)?;
        let state_dir = self.path(shape.state_dir.as_ref(), "state_dir")?;
        let gate = self.path(shape.gate.as_ref(), "gate")?;
        let household = self.path(shape.household.as_ref(), "household")?;
        let server = self.server(shape.server.unwrap_or_default())?;
        let cache = self.cache(shape.cache.unwrap_or_default())?;
        let resolver = self.resolver(shape.resolver.unwrap_or_default())?;
        let zones = self.zones(&shape.zone)?;
        let records = self.records(&shape.record)?;
        let lists = self.lists(&shape.list)?;
        let mut settings = Settings {
            file: Some(file),
            state_dir: state_dir.unwrap_or_else(|| self.folder.join("var")),
            folder: self.folder.clone(),
            gate,
            household: household.clone(),
            server,
            cache,
            resolver,
            zones,
            records,
            lists,
            profiles: Vec::new(),
            clients: Vec::new(),
        };
        let warnings = match (&household, shape.household) {
            (Some(path), Some(text)) => {
                if !shape.profile.is_empty() || !shape.client.is_empty() {
                    return Err(self.fail(
                        text.span(),
                        Problem::Other(
                            "household names a file, but this file has profiles or clients of its own; \
                             move them to the household file or leave the key household out"
                                .to_owned(),
                        ),
                    ));
                }
                let source = Source::read(path)?;
                let shape: shape::Household = source.shape()?;
                let mut loader = Loader {
                    source,
                    folder: self.folder.clone(),
                    warnings: self.warnings,
                };
                loader.version(&shape.version)?;
                people::read(&mut loader, &mut settings, &shape.profile, &shape.client)?;
                loader.warnings
            }
            _ => {
                people::read(&mut self, &mut settings, &shape.profile, &shape.client)?;
                self.warnings
            }
        };
        Ok(Loaded { settings, warnings })
    }

    pub fn fail(&self, span: Range<usize>, problem: Problem) -> ConfigError {
        self.source.fail(span, problem)
    }

    /// An error about one value.
    pub fn wrong(&self, text: &Text, key: &'static str, why: impl Into<String>) -> ConfigError {
        self.fail(
            text.span(),
            Problem::Value {
                key,
                value: text.get_ref().clone(),
                why: why.into(),
            },
        )
    }

    pub fn warn(&mut self, span: Range<usize>, sentence: String) {
        self.warnings.push(Warning {
            file: Some(self.source.file.clone()),
            line: Some(self.source.line(span.start)),
            sentence,
        });
    }

    /// One value by its reader, or the default where it is not written.
    pub fn value<T>(
        &self,
        text: Option<&Text>,
        key: &'static str,
        default: T,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Result<T, ConfigError> {
        text.map_or(Ok(default), |text| {
            read(text.get_ref()).map_err(|why| self.wrong(text, key, why))
        })
    }

    /// Every value of a list by its reader.
    pub fn values<T>(
        &self,
        texts: &[Text],
        key: &'static str,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Vec<T>, ConfigError> {
        texts
            .iter()
            .map(|text| read(text.get_ref()).map_err(|why| self.wrong(text, key, why)))
            .collect()
    }

    /// One of a few words.
    pub fn word<T: Copy>(
        &self,
        text: Option<&Text>,
        key: &'static str,
        default: T,
        words: &[(&str, T)],
    ) -> Result<T, ConfigError> {
        self.value(text, key, default, |word| {
            words
                .iter()
                .find(|(known, _)| *known == word)
                .map(|&(_, value)| value)
                .ok_or_else(|| {
                    let known: Vec<String> = words.iter().map(|(known, _)| format!("\"{known}\"")).collect();
                    format!("is not a word for it; write {}", known.join(" or "))
                })
        })
    }

    fn path(&self, text: Option<&Text>, key: &'static str) -> Result<Option<PathBuf>, ConfigError> {
        text.map(|text| {
            if text.get_ref().is_empty() || text.get_ref().contains('\0') {
                Err(self.wrong(text, key, "is not a path; write one or leave the key out"))
            } else {
                Ok(self.folder.join(text.get_ref()))
            }
        })
        .transpose()
    }

    fn number(
        &self,
        number: Option<&Spanned<i64>>,
        key: &'static str,
        default: i64,
        range: std::ops::RangeInclusive<i64>,
    ) -> Result<i64, ConfigError> {
        match number {
            None => Ok(default),
            Some(number) if range.contains(number.get_ref()) => Ok(*number.get_ref()),
            Some(number) => Err(self.fail(
                number.span(),
                Problem::Other(format!(
                    "{key} = {} is out of bounds; write a number from {} to {}",
                    number.get_ref(),
                    range.start(),
                    range.end()
                )),
            )),
        }
    }

    fn version(&self, version: &Option<Spanned<i64>>) -> Result<(), ConfigError> {
        match version {
            Some(version) if *version.get_ref() != 1 => Err(self.fail(
                version.span(),
                Problem::Other(format!(
                    "version = {} is not known to this program, which knows 1; update the program or the file",
                    version.get_ref()
                )),
            )),
            _ => Ok(()),
        }
    }

    fn server(&mut self, shape: shape::Server) -> Result<Server, ConfigError> {
        let default = Server::default();
        let listen = match &shape.listen {
            None => default.listen,
            Some(listen) => {
                let mut seen: HashMap<SocketAddr, usize> = HashMap::new();
                for text in listen.get_ref() {
                    let addr =
                        values::socket_address(text.get_ref()).map_err(|why| self.wrong(text, "server.listen", why))?;
                    if addr.port() == 0 {
                        return Err(self.wrong(text, "server.listen", "has port 0; write the port to listen on"));
                    }
                    if seen.insert(addr, 0).is_some() {
                        return Err(self.wrong(text, "server.listen", "is there twice; leave one out"));
                    }
                }
                if listen.get_ref().is_empty() {
                    return Err(self.fail(
                        listen.span(),
                        Problem::Other(
                            "server.listen is empty; write an address such as \"127.0.0.1:5300\"".to_owned(),
                        ),
                    ));
                }
                self.values(listen.get_ref(), "server.listen", values::socket_address)?
            }
        };
        let allow = shape
            .allow
            .map(|allow| self.values(&allow, "server.allow", values::network))
            .transpose()?;
        let unmatched = self.word(
            shape.unmatched.as_ref(),
            "server.unmatched",
            default.unmatched,
            &[
                ("default", Unmatched::Default),
                ("open", Unmatched::Open),
                ("refuse", Unmatched::Refuse),
            ],
        )?;
        let workers = self.number(shape.workers.as_ref(), "server.workers", 0, 0..=1024)?;
        Ok(Server {
            listen,
            allow,
            unmatched,
            workers: workers as usize,
        })
    }

    fn cache(&self, shape: shape::Cache) -> Result<CacheSettings, ConfigError> {
        let default = CacheSettings::default();
        let min_ttl = self.value(
            shape.min_ttl.as_ref(),
            "cache.min_ttl",
            default.min_ttl,
            values::duration,
        )?;
        let max_ttl = self.value(
            shape.max_ttl.as_ref(),
            "cache.max_ttl",
            default.max_ttl,
            values::duration,
        )?;
        if min_ttl > max_ttl {
            let text = shape.min_ttl.or(shape.max_ttl).map_or(0..0, |text| text.span());
            return Err(self.fail(
                text,
                Problem::Other("cache.min_ttl is longer than cache.max_ttl; swap or change them".to_owned()),
            ));
        }
        let size_bytes = self.value(shape.size.as_ref(), "cache.size", default.size_bytes, |text| {
            let size = values::size(text)?;
            if size < limits::CACHE_FLOOR_BYTES {
                Err(format!(
                    "is under the floor of {} MiB; a smaller cache answers nothing twice",
                    limits::CACHE_FLOOR_BYTES >> 20
                ))
            } else {
                Ok(size)
            }
        })?;
        Ok(CacheSettings {
            size_bytes,
            min_ttl,
            max_ttl,
        })
    }

    fn resolver(&self, shape: shape::Resolver) -> Result<ResolverSettings, ConfigError> {
        let default = ResolverSettings::default();
        if let Some(validate) = shape.validate.as_ref().filter(|validate| *validate.get_ref()) {
            return Err(self.fail(
                validate.span(),
                Problem::Other(
                    "resolver.validate = true needs DNSSEC validation, which this version does not have yet; \
                     write false or leave it out"
                        .to_owned(),
                ),
            ));
        }
        let mode = self.word(
            shape.mode.as_ref(),
            "resolver.mode",
            default.mode,
            &[("recursive", Mode::Recursive), ("forward", Mode::Forward)],
        )?;
        let ipv4 = shape.ipv4.as_ref().is_none_or(|ipv4| *ipv4.get_ref());
        let ipv6 = shape.ipv6.as_ref().is_none_or(|ipv6| *ipv6.get_ref());
        if !ipv4 && !ipv6 {
            let span = shape.ipv6.map_or(0..0, |ipv6| ipv6.span());
            return Err(self.fail(
                span,
                Problem::Other("resolver.ipv4 and resolver.ipv6 are both false; set one to true".to_owned()),
            ));
        }
        let forward = self.values(
            shape.forward.as_deref().unwrap_or_default(),
            "resolver.forward",
            values::upstream,
        )?;
        let bootstrap = match &shape.bootstrap {
            None => default.bootstrap,
            Some(bootstrap) => self.values(bootstrap, "resolver.bootstrap", |text| {
                values::address_with_port(text, 53)
            })?,
        };
        if mode == Mode::Forward && forward.is_empty() {
            let span = shape.mode.map_or(0..0, |mode| mode.span());
            return Err(self.fail(
                span,
                Problem::Other(
                    "resolver.mode = \"forward\" needs upstreams; add forward = [\"tls://9.9.9.9#dns.quad9.net\"] or others"
                        .to_owned(),
                ),
            ));
        }
        if bootstrap.is_empty() {
            let named = forward.iter().zip(shape.forward.as_deref().unwrap_or_default());
            for (upstream, text) in named {
                if matches!(upstream.host, Host::Name(_)) {
                    return Err(self.wrong(
                        text,
                        "resolver.forward",
                        "is an upstream by name, but resolver.bootstrap is empty; write its address or a bootstrap server",
                    ));
                }
            }
        }
        Ok(ResolverSettings {
            mode,
            root_hints: self.path(shape.root_hints.as_ref(), "resolver.root_hints")?,
            prime: shape.prime.unwrap_or(default.prime),
            validate: default.validate,
            trust_anchor: self.path(shape.trust_anchor.as_ref(), "resolver.trust_anchor")?,
            trust_anchors: shape.trust_anchors.unwrap_or_default(),
            insecure: self.values(
                shape.insecure.as_deref().unwrap_or_default(),
                "resolver.insecure",
                values::name,
            )?,
            sha1: shape.sha1.unwrap_or(default.sha1),
            signature_skew: self.value(
                shape.signature_skew.as_ref(),
                "resolver.signature_skew",
                default.signature_skew,
                values::duration,
            )?,
            qname_minimization: self.word(
                shape.qname_minimization.as_ref(),
                "resolver.qname_minimization",
                default.qname_minimization,
                &[
                    ("relaxed", QnameMinimization::Relaxed),
                    ("strict", QnameMinimization::Strict),
                    ("off", QnameMinimization::Off),
                ],
            )?,
            case_randomization: shape.case_randomization.unwrap_or(default.case_randomization),
            ipv4,
            ipv6,
            // 512: RFC 6891 §6.2.3; above 4096 no path carries it whole.
            edns_buffer: self.number(
                shape.edns_buffer.as_ref(),
                "resolver.edns_buffer",
                i64::from(default.edns_buffer),
                512..=4096,
            )? as u16,
            deadline: self.value(shape.deadline.as_ref(), "resolver.deadline", default.deadline, |text| {
                match values::duration(text)? {
                    deadline if deadline < Duration::from_millis(100) || deadline > Duration::from_secs(60) => {
                        Err("is out of bounds; write a duration from 100ms to 60s".to_owned())
                    }
                    deadline => Ok(deadline),
                }
            })?,
            query_private: self.values(
                shape.query_private.as_deref().unwrap_or_default(),
                "resolver.query_private",
                values::network,
            )?,
            bootstrap,
            forward,
        })
    }

    fn zones(&self, shapes: &[Spanned<shape::Zone>]) -> Result<Vec<Zone>, ConfigError> {
        let mut seen = Seen::new("zone");
        let mut zones = Vec::new();
        for shape in shapes {
            let zone = shape.get_ref();
            let name = self.value(Some(&zone.name), "zone.name", Name::root(), values::name)?;
            seen.note(self, &zone.name, name.to_string())?;
            let source = match (&zone.forward, &zone.file) {
                (Some(forward), None) if forward.get_ref().is_empty() => {
                    return Err(self.fail(
                        forward.span(),
                        Problem::Other(format!(
                            "zone {:?} has forward = [], which answers nothing; write an upstream",
                            zone.name.get_ref()
                        )),
                    ));
                }
                (Some(forward), None) => {
                    ZoneSource::Forward(self.values(forward.get_ref(), "zone.forward", values::upstream)?)
                }
                (None, Some(file)) => match self.path(Some(file), "zone.file")? {
                    Some(path) => ZoneSource::File(path),
                    None => continue,
                },
                (forward, _) => {
                    let what = if forward.is_some() {
                        "both forward and file"
                    } else {
                        "neither forward nor file"
                    };
                    return Err(self.fail(
                        zone.name.span(),
                        Problem::Other(format!(
                            "zone {:?} has {what}; give it one of them",
                            zone.name.get_ref()
                        )),
                    ));
                }
            };
            zones.push(Zone { name, source });
        }
        Ok(zones)
    }

    fn records(&self, shapes: &[Spanned<shape::Record>]) -> Result<Vec<LocalRecord>, ConfigError> {
        let mut seen = Seen::new("record");
        let mut records = Vec::new();
        for shape in shapes {
            let record = shape.get_ref();
            let name = self.value(Some(&record.name), "record.name", Name::root(), values::name)?;
            seen.note(self, &record.name, name.to_string())?;
            if record.data.get_ref().is_empty() {
                return Err(self.fail(
                    record.data.span(),
                    Problem::Other(format!(
                        "record {:?} has no data; write some such as \"A 192.168.1.20\"",
                        record.name.get_ref()
                    )),
                ));
            }
            let data = self.values(record.data.get_ref(), "record.data", record_data)?;
            records.push(LocalRecord { name, data });
        }
        Ok(records)
    }

    fn lists(&self, shapes: &[Spanned<shape::List>]) -> Result<Vec<ListSettings>, ConfigError> {
        let mut seen = Seen::new("list");
        let mut lists = Vec::new();
        for shape in shapes {
            let list = shape.get_ref();
            let name = list.name.get_ref().clone();
            if name.is_empty() || name.contains('/') || name.chars().any(char::is_control) {
                return Err(self.wrong(
                    &list.name,
                    "list.name",
                    "is not a name for a list; write one without \"/\"",
                ));
            }
            seen.note(self, &list.name, name.clone())?;
            let category = list.category.get_ref().clone();
            if !is_category(&category) {
                return Err(self.wrong(
                    &list.category,
                    "list.category",
                    "is not a category; write it with a-z, 0-9, \"_\" and \"-\"",
                ));
            }
            let text = list.source.get_ref();
            let url = text.split_once("://").map(|(scheme, _)| scheme);
            let source = match url {
                Some("https") => ListSource::Url(text.clone()),
                Some(_) => {
                    return Err(self.wrong(
                        &list.source,
                        "list.source",
                        "is neither a path nor an https:// address; lists are fetched over https only",
                    ));
                }
                None => match self.path(Some(&list.source), "list.source")? {
                    Some(path) => ListSource::Path(path),
                    None => continue,
                },
            };
            let format = self.value(list.format.as_ref(), "list.format", None, |word| match word {
                "auto" => Ok(None),
                word if FORMATS.contains(&word) => Ok(Some(word.to_owned())),
                word => {
                    let known: Vec<String> = FORMATS.iter().map(|&format| format.to_owned()).collect();
                    Err(match nearest(word, &known) {
                        Some(near) => format!("is not a format; is \"{near}\" meant?"),
                        None => format!("is not a format; write one of {}", known.join(", ")),
                    })
                }
            })?;
            let refresh =
                self.value(
                    list.refresh.as_ref(),
                    "list.refresh",
                    DEFAULT_REFRESH,
                    |text| match values::duration(text)? {
                        refresh if refresh < limits::REFRESH_FLOOR => Err(format!(
                            "is under the floor of {}m; publishers ban clients that ask so often",
                            limits::REFRESH_FLOOR.as_secs() / 60
                        )),
                        refresh => Ok(refresh),
                    },
                )?;
            let rank = self.number(list.rank.as_ref(), "list.rank", i64::from(DEFAULT_RANK), 0..=1_000_000)?;
            lists.push(ListSettings {
                rewrite: list.rewrite.unwrap_or(matches!(source, ListSource::Path(_))),
                name,
                source,
                category,
                action: self.word(
                    list.action.as_ref(),
                    "list.action",
                    ListAction::Block,
                    &[("block", ListAction::Block), ("allow", ListAction::Allow)],
                )?,
                format,
                match_scope: self.word(
                    list.match_scope.as_ref(),
                    "list.match",
                    None,
                    &[
                        ("exact", Some(MatchScope::Exact)),
                        ("subtree", Some(MatchScope::Subtree)),
                    ],
                )?,
                rank: rank as u32,
                refresh,
                imposed_by: self.imposed_by(list.imposed_by.as_ref(), "list.imposed_by")?,
                observe: list.observe.unwrap_or(false),
            });
        }
        Ok(lists)
    }

    pub fn imposed_by(&self, text: Option<&Text>, key: &'static str) -> Result<ImposedBy, ConfigError> {
        self.word(
            text,
            key,
            ImposedBy::Household,
            &[
                ("household", ImposedBy::Household),
                ("operator", ImposedBy::Operator),
                ("law", ImposedBy::Law),
            ],
        )
    }
}

/// Whether `word` can be a category: `[a-z0-9_-]+`.
pub fn is_category(word: &str) -> bool {
    !word.is_empty()
        && word
            .bytes()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-'))
}

/// Record data as far as it can be told here: a type, and addresses where addresses belong. The rest is for whoever
/// reads master files.
fn record_data(text: &str) -> Result<String, String> {
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    let start = words
        .iter()
        .position(|word| !word.bytes().all(|byte| byte.is_ascii_digit()) && !word.eq_ignore_ascii_case("IN"))
        .ok_or("is not record data; write it like \"A 192.168.1.20\"")?;
    let rdata = words.get(start + 1).copied();
    let wrong = match words[start].to_ascii_uppercase().as_str() {
        "A" => rdata.is_none_or(|addr| addr.parse::<Ipv4Addr>().is_err()),
        "AAAA" => rdata.is_none_or(|addr| addr.parse::<Ipv6Addr>().is_err()),
        _ => rdata.is_none(),
    };
    if wrong {
        Err("is not record data; write it like \"A 192.168.1.20\"".to_owned())
    } else {
        Ok(text.trim().to_owned())
    }
}

/// Names met so far and their lines, to find the one that is there twice.
pub(super) struct Seen {
    kind: &'static str,
    lines: HashMap<String, usize>,
}

impl Seen {
    pub fn new(kind: &'static str) -> Seen {
        Seen {
            kind,
            lines: HashMap::new(),
        }
    }

    /// Notes `identity`, written as `text`; an error if it was there before.
    pub fn note(&mut self, loader: &Loader, text: &Text, identity: String) -> Result<(), ConfigError> {
        let line = loader.source.line(text.span().start);
        match self.lines.insert(identity, line) {
            None => Ok(()),
            Some(first) => Err(loader.fail(
                text.span(),
                Problem::Duplicate {
                    kind: self.kind,
                    name: text.get_ref().clone(),
                    first,
                },
            )),
        }
    }
}
