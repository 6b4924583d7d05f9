//! What is so when the settings say nothing, and the built-in home example.

use super::settings::*;
use super::starter;
use crate::dns::cookie;
use crate::limits;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

/// The port of the built-in example and of the default `listen`: one that needs no privilege.
pub(super) const DEFAULT_PORT: u16 = 5300;
pub(super) const DEFAULT_RANK: u32 = 100;
pub(super) const DEFAULT_REFRESH: Duration = Duration::from_secs(86_400);

impl Settings {
    /// The built-in home example: the starter lists for everybody, on the loopback addresses, with `var` in `folder` as
    /// its state.
    pub fn builtin(folder: &Path) -> Settings {
        let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
        Settings {
            file: None,
            state_dir: folder.join("var"),
            folder,
            gate: None,
            household_file: None,
            server: Server {
                listen: vec![
                    SocketAddr::new(Ipv4Addr::LOCALHOST.into(), DEFAULT_PORT),
                    SocketAddr::new(Ipv6Addr::LOCALHOST.into(), DEFAULT_PORT),
                ],
                ..Server::default()
            },
            cache: CacheSettings::default(),
            resolver: ResolverSettings::default(),
            page: PageSettings::default(),
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
            household: None,
        }
    }
}

impl Default for Server {
    fn default() -> Server {
        Server {
            listen: vec![SocketAddr::new(Ipv4Addr::LOCALHOST.into(), DEFAULT_PORT)],
            allow: None,
            unmatched: Unmatched::Default,
            workers: 0,
            cookies: true,
            cookie_secret: cookie::Secrets::random(),
            rate_limit: limits::RATE_LIMIT,
            rate_limit_slip: limits::RATE_LIMIT_SLIP,
            rate_limit_exempt: None,
            organization: None,
            contact: Vec::new(),
            rebinding_allow: Vec::new(),
        }
    }
}

impl Default for CacheSettings {
    fn default() -> CacheSettings {
        CacheSettings {
            size_bytes: 128 << 20,
            min_ttl: Duration::ZERO,
            max_ttl: Duration::from_secs(86_400),
            prefetch: true,
            keep: false,
        }
    }
}

impl Default for ResolverSettings {
    fn default() -> ResolverSettings {
        ResolverSettings {
            mode: Mode::Recursive,
            root_hints: None,
            prime: true,
            validate: true,
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
            forward_order: ForwardOrder::default(),
            fallback: None,
            dns64: Vec::new(),
        }
    }
}

impl ProfileSettings {
    /// A profile with nothing in it yet: sinkhole answers of the kind `null`, 30 s, imposed by the household.
    pub fn named(name: &str) -> ProfileSettings {
        ProfileSettings {
            name: name.to_owned(),
            base: None,
            block: Vec::new(),
            every_category: false,
            allow_lists: Vec::new(),
            allow: Vec::new(),
            deny: Vec::new(),
            only: None,
            services: Vec::new(),
            safe_search: Vec::new(),
            youtube: None,
            bypass_guard: false,
            rebinding: false,
            look_alikes: false,
            types: Vec::new(),
            answer: AnswerKind::Null,
            answer_addresses: Vec::new(),
            answer_ttl: Duration::from_secs(30),
            imposed_by: ImposedBy::Household,
            observe: false,
            log: LogSettings::default(),
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
