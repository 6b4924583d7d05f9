//! `[[zone]]`, `[[record]]` and `[[list]]`.

use super::defaults::{DEFAULT_RANK, DEFAULT_REFRESH};
use super::error::{ConfigError, Problem};
use super::load::{Loader, Seen};
use super::settings::*;
use super::{shape, values};
use crate::dns::name::Name;
use crate::limits;
use crate::nearest::nearest;
use std::net::{Ipv4Addr, Ipv6Addr};
use toml::Spanned;

/// The formats a `[[list]]` may name.
pub const FORMATS: [&str; 12] = [
    "auto", "hosts", "domains", "wildcard", "adguard", "regex", "rpz", "dnsmasq", "unbound", "dnscrypt", "v2fly",
    "dump",
];

impl Loader {
    pub(super) fn zones(&self, shapes: &[Spanned<shape::Zone>]) -> Result<Vec<Zone>, ConfigError> {
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
                (Some(forward), None) => ZoneSource::Forward {
                    upstreams: self.values(forward.get_ref(), "zone.forward", values::upstream)?,
                    order: self.forward_order(zone.forward_order.as_ref(), "zone.forward_order")?,
                    // A zone that only its own servers know is denied by the signed zone above it.
                    validate: zone.validate.unwrap_or(false),
                },
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

    pub(super) fn records(&self, shapes: &[Spanned<shape::Record>]) -> Result<Vec<LocalRecord>, ConfigError> {
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

    pub(super) fn lists(&self, shapes: &[Spanned<shape::List>]) -> Result<Vec<ListSettings>, ConfigError> {
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
