//! The shape of `stairgate.toml` and of the household file: which tables and keys there are, and of which TOML type.
//!
//! In: text. Out: what was written, each value with its place in the text. Nothing is checked here beyond types, and no
//! default is filled in: that is `load`'s. What a key means stands in `config/stairgate.toml` and
//! `config/examples/household.toml`.
//! Always: a key that is not here is an error.

pub use super::written::{Engines, Only, OwnName, Words};

use serde::Deserialize;
use std::collections::BTreeMap;
use toml::Spanned;

/// A text with its place.
pub type Text = Spanned<String>;

/// `stairgate.toml`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    pub version: Option<Spanned<i64>>,
    pub state_dir: Option<Text>,
    pub gate: Option<Text>,
    pub household: Option<Text>,
    pub server: Option<Server>,
    pub cache: Option<Cache>,
    pub resolver: Option<Resolver>,
    pub page: Option<Spanned<Page>>,
    #[serde(default)]
    pub zone: Vec<Spanned<Zone>>,
    #[serde(default)]
    pub record: Vec<Spanned<Record>>,
    #[serde(default)]
    pub list: Vec<Spanned<List>>,
    #[serde(default)]
    pub profile: BTreeMap<String, Spanned<Profile>>,
    #[serde(default)]
    pub client: Vec<Spanned<Client>>,
}

/// The household file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Household {
    pub version: Option<Spanned<i64>>,
    pub timezone: Option<Text>,
    #[serde(default)]
    pub profile: BTreeMap<String, Spanned<Profile>>,
    #[serde(default)]
    pub client: Vec<Spanned<Client>>,
    #[serde(default)]
    pub person: BTreeMap<String, Spanned<Person>>,
    #[serde(default)]
    pub device: Vec<Spanned<Device>>,
    #[serde(default)]
    pub group: Vec<Spanned<Group>>,
    #[serde(default)]
    pub window: Vec<Spanned<Window>>,
    #[serde(default)]
    pub quota: Vec<Spanned<Quota>>,
    #[serde(default)]
    pub grant: Vec<Spanned<Grant>>,
    #[serde(default)]
    pub pause: Vec<Spanned<Pause>>,
    #[serde(default)]
    pub service: BTreeMap<String, Spanned<Service>>,
}

/// `[server]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Server {
    pub listen: Option<Spanned<Vec<Text>>>,
    pub allow: Option<Vec<Text>>,
    pub unmatched: Option<Text>,
    pub workers: Option<Spanned<i64>>,
    pub cookies: Option<bool>,
    pub cookie_secret: Option<Spanned<Secret>>,
    pub rate_limit: Option<Spanned<i64>>,
    pub rate_limit_slip: Option<Spanned<i64>>,
    pub rate_limit_exempt: Option<Vec<Text>>,
    pub organization: Option<Text>,
    pub contact: Option<Spanned<Vec<Text>>>,
    pub rebinding_allow: Option<Vec<Text>>,
}

/// `cookie_secret`: one, or several. What is neither is not shown in the error.
#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "invalid type: something else, expected a secret or a list of two"
)]
pub enum Secret {
    One(String),
    Several(Vec<String>),
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

/// `[cache]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cache {
    pub size: Option<Text>,
    pub min_ttl: Option<Text>,
    pub max_ttl: Option<Text>,
    pub prefetch: Option<bool>,
    pub keep: Option<bool>,
}

/// `[resolver]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resolver {
    pub mode: Option<Text>,
    pub root_hints: Option<Text>,
    pub prime: Option<bool>,
    pub validate: Option<bool>,
    pub trust_anchor: Option<Text>,
    pub trust_anchors: Option<Vec<String>>,
    pub insecure: Option<Vec<Text>>,
    pub sha1: Option<bool>,
    pub signature_skew: Option<Text>,
    pub qname_minimization: Option<Text>,
    pub case_randomization: Option<bool>,
    pub ipv4: Option<Spanned<bool>>,
    pub ipv6: Option<Spanned<bool>>,
    pub edns_buffer: Option<Spanned<i64>>,
    pub deadline: Option<Text>,
    pub query_private: Option<Vec<Text>>,
    pub bootstrap: Option<Vec<Text>>,
    pub forward: Option<Vec<Text>>,
    pub forward_order: Option<Text>,
    pub fallback: Option<Text>,
    pub dns64: Option<Vec<Text>>,
}

/// `[page]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Page {
    pub listen: Option<Spanned<Vec<Text>>>,
    pub contact: Option<Text>,
    pub message: Option<Text>,
}

/// `[[zone]]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Zone {
    pub name: Text,
    pub forward: Option<Spanned<Vec<Text>>>,
    pub forward_order: Option<Text>,
    pub validate: Option<bool>,
    pub file: Option<Text>,
}

/// `[[record]]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    pub name: Text,
    pub data: Spanned<Vec<Text>>,
}

/// `[[list]]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct List {
    pub name: Text,
    pub source: Text,
    pub category: Text,
    pub action: Option<Text>,
    pub format: Option<Text>,
    #[serde(rename = "match")]
    pub match_scope: Option<Text>,
    pub rank: Option<Spanned<i64>>,
    pub rewrite: Option<bool>,
    pub refresh: Option<Text>,
    pub imposed_by: Option<Text>,
    pub observe: Option<bool>,
}

/// `[profile.NAME]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    pub base: Option<Text>,
    pub block: Option<Vec<Text>>,
    pub allow_lists: Option<Vec<Text>>,
    pub allow: Option<Vec<Spanned<OwnName>>>,
    pub deny: Option<Vec<Spanned<OwnName>>>,
    pub only: Option<Spanned<Only>>,
    pub services: Option<Vec<Text>>,
    pub safe_search: Option<Spanned<Engines>>,
    pub youtube: Option<Text>,
    pub bypass_guard: Option<bool>,
    pub rebinding: Option<bool>,
    pub look_alikes: Option<bool>,
    pub types: Option<Vec<Text>>,
    pub answer: Option<Text>,
    pub answer_addresses: Option<Spanned<Vec<Text>>>,
    pub answer_ttl: Option<Text>,
    pub imposed_by: Option<Text>,
    pub observe: Option<bool>,
    pub log: Option<Text>,
    pub log_for: Option<Text>,
}

/// `[[client]]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Client {
    pub name: Text,
    pub tags: Option<Vec<Text>>,
    #[serde(rename = "match")]
    pub networks: Spanned<Vec<Text>>,
    pub profile: Text,
}

/// `[person.ID]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Person {
    pub name: Option<Text>,
    pub profile: Text,
    pub timezone: Option<Text>,
    pub allow: Option<Vec<Spanned<OwnName>>>,
    pub deny: Option<Vec<Spanned<OwnName>>>,
    pub log: Option<Text>,
    pub log_for: Option<Text>,
}

/// `[[device]]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Device {
    pub name: Text,
    pub person: Option<Text>,
    pub profile: Option<Text>,
    #[serde(rename = "match")]
    pub networks: Spanned<Vec<Text>>,
    pub tags: Option<Vec<Text>>,
}

/// `[[group]]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    pub name: Text,
    pub members: Spanned<Vec<Text>>,
}

/// `[[window]]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    pub name: Option<Text>,
    #[serde(rename = "for")]
    pub whom: Spanned<Words>,
    pub days: Option<Spanned<Words>>,
    pub from: Text,
    pub to: Text,
    pub block: Option<Vec<Text>>,
    pub allow: Option<Vec<Text>>,
    pub reach: Option<Vec<Text>>,
}

/// `[[quota]]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quota {
    pub name: Text,
    #[serde(rename = "for")]
    pub whom: Spanned<Words>,
    pub of: Spanned<Vec<Text>>,
    pub limit: Text,
    pub per: Option<Text>,
    pub carry: Option<Text>,
    pub reach: Option<Vec<Text>>,
}

/// `[[grant]]`: of something, or of more minutes of a quota.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    #[serde(rename = "for")]
    pub whom: Spanned<Words>,
    pub allow: Option<Spanned<Vec<Text>>>,
    pub quota: Option<Text>,
    pub minutes: Option<Spanned<i64>>,
    pub from: Option<Text>,
    pub until: Option<Text>,
}

/// `[[pause]]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pause {
    #[serde(rename = "for")]
    pub whom: Spanned<Words>,
    pub what: Text,
    pub from: Option<Text>,
    pub until: Text,
}

/// `[service.ID]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Service {
    pub name: Option<Text>,
    pub names: Spanned<Vec<Text>>,
}
