//! Zones, and points in time as the file writes them.
//!
//! In: the name of a zone; a time, local or with its offset. Out: the zone; Unix seconds.
//! Always: of a local time that comes twice or never the later instant is taken, and a warning says so: what was granted for an evening
//! is not over before it. Reads the zones of the system, and no clock.

use super::error::{ConfigError, Problem};
use super::household::OwnName;
use super::load::Loader;
use super::shape::{self, Text};
use crate::nearest::nearest;
use crate::schedule::quota::{Period, Quota};
use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{AmbiguousOffset, TimeZone};
use std::collections::HashMap;
use toml::Spanned;

/// The zones of a file, each read once.
pub(super) struct Zones {
    known: Vec<TimeZone>,
    by_name: HashMap<String, ZoneId>,
}

/// A zone of the file; 0 is that of the household.
pub(super) type ZoneId = u32;
pub(super) const HOUSEHOLD: ZoneId = 0;

impl Zones {
    /// The zone of the household; the system's where none is written. `matters`: whether anything is read in it.
    pub fn new(loader: &mut Loader, written: Option<&Text>, matters: bool) -> Result<Zones, ConfigError> {
        let zone = match written {
            Some(text) => loader.value(Some(text), "timezone", TimeZone::UTC, zone)?,
            None => Zones::system(loader, matters),
        };
        Ok(Zones {
            by_name: written.iter().map(|text| (text.get_ref().clone(), HOUSEHOLD)).collect(),
            known: vec![zone],
        })
    }

    fn system(loader: &mut Loader, matters: bool) -> TimeZone {
        match TimeZone::try_system() {
            Ok(zone) if !zone.is_unknown() => zone,
            _ if !matters => TimeZone::UTC,
            _ => {
                loader.warn(
                    0..0,
                    "this system does not know its time zone, so that times are in UTC; \
                     write timezone = \"Europe/Berlin\" or the like"
                        .to_owned(),
                );
                TimeZone::UTC
            }
        }
    }

    /// The zone of a person.
    pub fn of(&mut self, loader: &Loader, written: Option<&Text>) -> Result<ZoneId, ConfigError> {
        let Some(text) = written else { return Ok(HOUSEHOLD) };
        if let Some(&id) = self.by_name.get(text.get_ref()) {
            return Ok(id);
        }
        let zone = loader.value(Some(text), "person.timezone", TimeZone::UTC, zone)?;
        let id = self.known.iter().position(|known| *known == zone).unwrap_or_else(|| {
            self.known.push(zone);
            self.known.len() - 1
        }) as ZoneId;
        self.by_name.insert(text.get_ref().clone(), id);
        Ok(id)
    }

    pub fn get(&self, id: ZoneId) -> &TimeZone {
        // Ids come from `of` only.
        &self.known[id as usize]
    }
}

/// A zone by its IANA name.
fn zone(name: &str) -> Result<TimeZone, String> {
    let name = name.trim();
    if let Ok(zone) = TimeZone::get(name) {
        return Ok(zone);
    }
    let known: Vec<String> = jiff::tz::db().available().map(|known| known.to_string()).collect();
    if known.is_empty() {
        return Err("cannot be looked up, since this system has no time zones; install tzdata".to_owned());
    }
    Err(match nearest(name, &known) {
        Some(near) => format!("is not a time zone; is \"{near}\" meant?"),
        None => "is not a time zone; write it like \"Europe/Berlin\"".to_owned(),
    })
}

/// A time of the file in Unix seconds: local in `zone`, or as RFC 3339 has it.
pub(super) fn instant(
    loader: &mut Loader,
    text: &Text,
    key: &'static str,
    zone: &TimeZone,
) -> Result<i64, ConfigError> {
    let written = text.get_ref().trim();
    let wrong = "is not a time; write it like \"2026-12-24T20:00\", or with an offset, \"2026-12-24T20:00:00+01:00\"";
    if let Some(local) = local(written) {
        let there = zone.to_ambiguous_timestamp(local);
        let offset = there.offset();
        let at = there.later().map_err(|_| loader.wrong(text, key, wrong))?;
        let why = match offset {
            AmbiguousOffset::Unambiguous { .. } => None,
            AmbiguousOffset::Gap { .. } => Some("never comes"),
            AmbiguousOffset::Fold { .. } => Some("comes twice"),
        };
        if let Some(why) = why {
            let name = zone.iana_name().unwrap_or("this zone");
            loader.warn(
                text.span(),
                format!(
                    "{key} = \"{written}\" {why} in {name}, where clocks are changed then; {} is taken",
                    at.to_zoned_datetime(zone.clone()).strftime("%Y-%m-%dT%H:%M:%S%:z")
                ),
            );
        }
        return Ok(at.as_second());
    }
    match written.parse::<Timestamp>() {
        Ok(at) => Ok(at.as_second()),
        Err(_) if is_shaped(written) => Err(loader.wrong(
            text,
            key,
            "is no day and time of the calendar; look up how many days the month has",
        )),
        Err(_) => Err(loader.wrong(text, key, wrong)),
    }
}

/// `2026-12-24T20:00` or `2026-12-24T20:00:30`, with a blank for the `T` if somebody likes that. Nothing may follow, so that no offset is
/// passed over.
fn local(text: &str) -> Option<DateTime> {
    if !is_shaped(text) {
        return None;
    }
    let date: Date = text[..10].parse().ok()?;
    let part = |at: usize| text.get(at..at + 2).map_or(Some(0), |digits| digits.parse::<i8>().ok());
    let time = Time::new(part(11)?, part(14)?, part(17)?, 0).ok()?;
    Some(date.to_datetime(time))
}

/// Whether the digits stand where [`local`] has them.
fn is_shaped(text: &str) -> bool {
    let fits = |shape: &str| {
        text.len() == shape.len()
            && text.bytes().zip(shape.bytes()).all(|(byte, wanted)| match wanted {
                b'0' => byte.is_ascii_digit(),
                b'T' => matches!(byte, b'T' | b't' | b' '),
                wanted => byte == wanted,
            })
    };
    fits("0000-00-00T00:00") || fits("0000-00-00T00:00:00")
}

/// When the period of a quota ends in which `from` lies; as those who count the minutes have it.
pub(super) fn period_end(from: i64, per: Period, zone: &TimeZone) -> i64 {
    Quota::of_minutes(0, per).period_at(from, zone).to_s
}

/// Own names of a profile or person.
pub(super) fn own_names(
    loader: &mut Loader,
    written: &[Spanned<shape::OwnName>],
    key: &'static str,
    zone: &TimeZone,
    read: fn(&str) -> Result<OwnName, String>,
) -> Result<Vec<OwnName>, ConfigError> {
    let mut names = Vec::with_capacity(written.len());
    for shape in written {
        let name = read(shape.get_ref().text()).map_err(|why| {
            loader.fail(
                shape.span(),
                Problem::Value {
                    key,
                    value: shape.get_ref().text().to_owned(),
                    why,
                },
            )
        })?;
        names.push(match shape.get_ref() {
            shape::OwnName::Name(_) => name,
            shape::OwnName::Until(table) => OwnName {
                until: Some(instant(loader, &table.until, "until", zone)?),
                ..name
            },
        });
    }
    Ok(names)
}
