//! Windows, quotas, grants, pauses and own services: what holds for whom beside profiles, and when.
//!
//! In: the shape of the household file; persons, devices and words, which are known by now. Out: the rest of [`Household`].
//! Always: what is over is kept; only a clock can tell, and there is none here ([`Settings::over`](super::settings::Settings::over) is told the time).

use super::error::{ConfigError, Problem};
use super::household::*;
use super::load::Loader;
use super::persons::Names;
use super::settings::{ClientSettings, ProfileSettings};
use super::shape::{self, Text, Words};
use super::times::{self, ZoneId, Zones};
use super::values;
use super::whom::Everybody;
use super::words::{Place, Vocabulary, with_a_dot};
use crate::limits;
use crate::nearest::nearest;
use crate::schedule::quota::Period;
use crate::schedule::{ParseError, TimeOfDay, Window};
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;
use toml::Spanned;

const DAY: Duration = Duration::from_secs(86_400);

/// Refuses files that hold more than anybody has.
pub(super) fn counts(loader: &Loader, shape: &shape::Household) -> Result<(), ConfigError> {
    let person = (shape.person.len(), shape.person.values().next().map(Spanned::span));
    let service = (shape.service.len(), shape.service.values().next().map(Spanned::span));
    let people = limits::HOUSEHOLD_PEOPLE;
    let rules = limits::HOUSEHOLD_RULES;
    let listed = [
        ("[person.ID]", person.0, person.1, people),
        ("[[client]]", shape.client.len(), first(&shape.client), people),
        ("[[device]]", shape.device.len(), first(&shape.device), people),
        (
            "[[group]]",
            shape.group.len(),
            first(&shape.group),
            limits::HOUSEHOLD_GROUPS,
        ),
        ("[[window]]", shape.window.len(), first(&shape.window), rules),
        ("[[quota]]", shape.quota.len(), first(&shape.quota), rules),
        ("[[grant]]", shape.grant.len(), first(&shape.grant), rules),
        ("[[pause]]", shape.pause.len(), first(&shape.pause), rules),
        ("[service.ID]", service.0, service.1, rules),
    ];
    match listed.into_iter().find(|(_, count, _, most)| count > most) {
        None => Ok(()),
        Some((table, count, first, most)) => {
            Err(loader.fail(first.unwrap_or(0..0), Problem::TooMany { table, count, most }))
        }
    }
}

fn first<T>(tables: &[Spanned<T>]) -> Option<std::ops::Range<usize>> {
    tables.first().map(Spanned::span)
}

/// `[service.ID]`, by id.
pub(super) fn services(
    loader: &Loader,
    words: &Vocabulary,
    shapes: &BTreeMap<String, Spanned<shape::Service>>,
) -> Result<Vec<OwnService>, ConfigError> {
    let mut in_order: Vec<_> = shapes.iter().collect();
    in_order.sort_by_key(|(_, shape)| shape.span().start);
    let mut services = Vec::with_capacity(in_order.len());
    for (id, shape) in in_order {
        let written = shape.get_ref();
        let wrong = |why: String| loader.fail(shape.span(), Problem::Other(format!("service {id:?} {why}")));
        if !super::entries::is_category(id) {
            return Err(wrong(
                "is not a word; write it with a-z, 0-9, \"_\" and \"-\"".to_owned(),
            ));
        }
        if let Some(other) = words.taken(id) {
            return Err(wrong(format!("has the name of {other}; give it another")));
        }
        if written.names.get_ref().is_empty() {
            return Err(wrong("has no names; write those that it is reached by".to_owned()));
        }
        services.push(OwnService {
            id: id.clone(),
            name: written.name.as_ref().map_or(id, |name| name.get_ref()).clone(),
            names: loader.values(written.names.get_ref(), "service.names", with_a_dot)?,
        });
    }
    services.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(services)
}

/// What the rules of a household may name.
pub(super) struct Rules<'a> {
    pub words: &'a Vocabulary,
    pub zones: &'a Zones,
    pub zone_of: &'a [ZoneId],
    pub profiles: &'a [ProfileSettings],
    pub clients: &'a [ClientSettings],
}

impl Rules<'_> {
    pub fn read(
        &self,
        loader: &mut Loader,
        household: &mut Household,
        shape: &shape::Household,
        names: Names,
    ) -> Result<(), ConfigError> {
        let people = &household.people;
        let everybody = Everybody::new(
            loader,
            names,
            self.profiles,
            self.clients,
            self.zone_of,
            people.iter().map(|person| person.profile.as_str()),
            &shape.group,
        )?;
        for window in &shape.window {
            self.window(loader, &everybody, window, &mut household.windows)?;
        }
        let mut quotas = HashMap::new();
        for quota in &shape.quota {
            household
                .quotas
                .push(self.quota(loader, &everybody, quota, &mut quotas)?);
        }
        for grant in &shape.grant {
            match &grant.get_ref().quota {
                None => household.grants.push(self.grant(loader, &everybody, grant)?),
                Some(quota) => {
                    let at = self.quota_of(loader, quota, &quotas)?;
                    let per = household.quotas[at as usize].per;
                    household
                        .earned
                        .push(self.earned(loader, &everybody, grant, quota, (at, per))?);
                }
            }
        }
        for pause in &shape.pause {
            household.pauses.push(self.pause(loader, &everybody, pause)?);
        }
        Ok(())
    }

    fn target(
        &self,
        loader: &Loader,
        (owner, key): (&str, &'static str),
        words: Option<&[Text]>,
        allowing: bool,
    ) -> Result<Target, ConfigError> {
        let place = Place { owner, key };
        self.words.target(loader, &place, words.unwrap_or_default(), allowing)
    }

    /// One window for each text in `days`.
    fn window(
        &self,
        loader: &mut Loader,
        everybody: &Everybody<'_>,
        shape: &Spanned<shape::Window>,
        windows: &mut Vec<WindowSettings>,
    ) -> Result<(), ConfigError> {
        let written = shape.get_ref();
        let line = loader.source.line(shape.span().start);
        let days = match &written.days {
            None => vec![Spanned::new(shape.span(), "every day".to_owned())],
            Some(days) => Words::texts(days),
        };
        let blank = days.iter().find(|days| days.get_ref().trim().is_empty());
        if days.is_empty() || blank.is_some() {
            let span = blank.map(Spanned::span).or(written.days.as_ref().map(Spanned::span));
            let span = span.unwrap_or(shape.span());
            return Err(loader.fail(
                span,
                Problem::Other(
                    "window.days names no day; write days such as \"mon-fri\" or leave the key out".to_owned(),
                ),
            ));
        }
        let (from, to) = (written.from.get_ref().trim(), written.to.get_ref().trim());
        for (key, text, read) in [
            (
                "window.from",
                &written.from,
                TimeOfDay::beginning as fn(&str) -> Result<TimeOfDay, ParseError>,
            ),
            ("window.to", &written.to, TimeOfDay::parse),
        ] {
            read(text.get_ref())
                .map_err(|cause| loader.fail(text.span(), Problem::Other(format!("{key}: {cause}"))))?;
        }
        let name = match &written.name {
            Some(name) if name.get_ref().trim().is_empty() => {
                return Err(loader.wrong(name, "window.name", "is empty; write a name or leave the key out"));
            }
            Some(name) => name.get_ref().trim().to_owned(),
            None => {
                let what = |verb: &str, words: &Option<Vec<Text>>| match words.as_deref() {
                    None | Some([]) => None,
                    Some(words) => Some(format!("{verb} {}", joined(words))),
                };
                let does = [what("block", &written.block), what("allow", &written.allow)];
                let does: Vec<String> = does.into_iter().flatten().collect();
                format!("{}, {} {from} to {to}", does.join(", "), joined(&days))
            }
        };
        let owner = format!("window {name:?}");
        let subjects = everybody.subjects(loader, &owner, &written.whom)?;
        let block = self.target(loader, (&owner, "block"), written.block.as_deref(), false)?;
        let allow = self.target(loader, (&owner, "allow"), written.allow.as_deref(), true)?;
        let reach = self.target(loader, (&owner, "reach"), written.reach.as_deref(), true)?;
        let nothing = Target::default();
        if block == nothing && allow == nothing {
            return Err(loader.fail(
                shape.span(),
                Problem::Other(
                    "a window neither blocks nor allows anything; write block = [\"internet\"] or the like, or leave it out"
                        .to_owned(),
                ),
            ));
        }
        if let (true, Some(text)) = (block == nothing, written.reach.as_deref().unwrap_or_default().first()) {
            loader.warn(
                text.span(),
                format!("{owner} has reach, but blocks nothing; leave reach out"),
            );
        }
        let count = windows.len() + days.len();
        if count > limits::HOUSEHOLD_RULES {
            return Err(loader.fail(
                shape.span(),
                Problem::TooMany {
                    table: "[[window]], one for each text in days",
                    count,
                    most: limits::HOUSEHOLD_RULES,
                },
            ));
        }
        let members = subjects.people.len() + subjects.devices.len();
        everybody.count(loader, &written.whom, members.saturating_mul(days.len() - 1))?;
        for days in days {
            let when = Window::parse(days.get_ref().trim(), from, to)
                .map_err(|cause| loader.fail(days.span(), Problem::Other(format!("window.days: {cause}"))))?;
            windows.push(WindowSettings {
                name: name.clone(),
                line,
                subjects: subjects.clone(),
                when,
                block: block.clone(),
                allow: allow.clone(),
                reach: reach.clone(),
            });
        }
        Ok(())
    }

    fn quota(
        &self,
        loader: &Loader,
        everybody: &Everybody<'_>,
        shape: &Spanned<shape::Quota>,
        quotas: &mut HashMap<String, (u32, usize)>,
    ) -> Result<QuotaSettings, ConfigError> {
        let written = shape.get_ref();
        let name = written.name.get_ref();
        loader.value(Some(&written.name), "quota.name", (), |name| {
            // What was used is kept under `masha/games`; of two names only the first may have a slash of its own.
            match name.contains('/') {
                true => Err("has a \"/\", behind which it is kept what somebody used; write a name without".to_owned()),
                false => super::persons::id(name),
            }
        })?;
        let line = loader.source.line(shape.span().start);
        let (at, name_line) = (quotas.len() as u32, loader.source.line(written.name.span().start));
        if let Some((_, first)) = quotas.insert(name.clone(), (at, name_line)) {
            return Err(loader.fail(
                written.name.span(),
                Problem::Duplicate {
                    kind: "quota",
                    name: name.clone(),
                    first,
                },
            ));
        }
        let owner = format!("quota {name:?}");
        let subjects = everybody.subjects(loader, &owner, &written.whom)?;
        let of = self.target(loader, (&owner, "of"), Some(written.of.get_ref()), false)?;
        if of == Target::default() {
            return Err(loader.fail(
                written.of.span(),
                Problem::Other(format!(
                    "{owner} is of nothing; name services, categories or \"internet\" in of"
                )),
            ));
        }
        let per = loader.word(
            written.per.as_ref(),
            "quota.per",
            Period::Day,
            &[("day", Period::Day), ("week", Period::Week)],
        )?;
        let (period, word) = match per {
            Period::Day => (DAY, "day"),
            Period::Week => (7 * DAY, "week"),
        };
        let minutes = |text: &str| match values::duration(text)? {
            length if length > period => Err(format!("is longer than the {word} it is for; write a shorter time")),
            length if length.as_secs() % 60 != 0 || length.subsec_millis() != 0 => {
                Err("is counted in minutes; write whole ones such as \"90m\"".to_owned())
            }
            length => Ok(length),
        };
        let limit = loader.value(
            Some(&written.limit),
            "quota.limit",
            Duration::ZERO,
            |text| match minutes(text)? {
                none if none.is_zero() => {
                    Err("leaves no time at all; block it in a profile or a window instead".to_owned())
                }
                limit => Ok(limit),
            },
        )?;
        Ok(QuotaSettings {
            name: name.clone(),
            line,
            subjects,
            of,
            limit,
            per,
            carry: loader.value(written.carry.as_ref(), "quota.carry", Duration::ZERO, minutes)?,
            reach: self.target(loader, (&owner, "reach"), written.reach.as_deref(), true)?,
        })
    }

    /// The quota that a grant names.
    fn quota_of(
        &self,
        loader: &Loader,
        text: &Text,
        quotas: &HashMap<String, (u32, usize)>,
    ) -> Result<u32, ConfigError> {
        let word = text.get_ref();
        match quotas.get(word) {
            Some(&(at, _)) => Ok(at),
            None => Err(loader.fail(
                text.span(),
                Problem::NoSuch {
                    owner: "a grant".to_owned(),
                    key: "quota",
                    word: word.clone(),
                    what: "quota",
                    nearest: nearest(word, quotas.keys()),
                    advice: "add a [[quota]] of that name".to_owned(),
                },
            )),
        }
    }

    fn grant(
        &self,
        loader: &mut Loader,
        everybody: &Everybody<'_>,
        shape: &Spanned<shape::Grant>,
    ) -> Result<GrantSettings, ConfigError> {
        let written = shape.get_ref();
        let other = |sentence: &str| Problem::Other(sentence.to_owned());
        if let Some(minutes) = &written.minutes {
            return Err(loader.fail(
                minutes.span(),
                other("a grant has minutes, but names no quota; add quota, or write until instead of minutes"),
            ));
        }
        let Some(allow) = written.allow.as_ref().filter(|allow| !allow.get_ref().is_empty()) else {
            return Err(loader.fail(
                shape.span(),
                other("a grant allows nothing; write allow = [\"internet\"] or the like, or quota and minutes"),
            ));
        };
        let words = joined(allow.get_ref());
        let owner = format!("a grant of {words}");
        let subjects = everybody.subjects(loader, &owner, &written.whom)?;
        let target = self.target(loader, (&owner, "allow"), Some(allow.get_ref()), true)?;
        let zone = self.zones.get(everybody.zone(&subjects));
        let Some(until) = &written.until else {
            return Err(loader.fail(
                shape.span(),
                other("a grant has no end; write until = \"2026-12-24T20:00\" or the like"),
            ));
        };
        let (from, end) = self.times(loader, "grant", written.from.as_ref(), until, zone)?;
        Ok(GrantSettings {
            name: format!("{words} until {}", until.get_ref().trim()),
            line: loader.source.line(shape.span().start),
            subjects,
            allow: target,
            from,
            until: end,
        })
    }

    fn earned(
        &self,
        loader: &mut Loader,
        everybody: &Everybody<'_>,
        shape: &Spanned<shape::Grant>,
        quota: &Text,
        (at, per): (u32, Period),
    ) -> Result<EarnedSettings, ConfigError> {
        let written = shape.get_ref();
        let other = |sentence: &str| Problem::Other(sentence.to_owned());
        if let Some(allow) = &written.allow {
            return Err(loader.fail(
                allow.span(),
                other("a grant has both allow and quota; make two of it, one for each"),
            ));
        }
        if written.minutes.is_none() {
            return Err(loader.fail(
                quota.span(),
                other("a grant names a quota, but no minutes; add minutes = 30 or the like"),
            ));
        }
        let minutes = loader.number(written.minutes.as_ref(), "grant.minutes", 0, 1..=limits::GRANT_MINUTES)?;
        let owner = format!("a grant of {minutes} minutes");
        let subjects = everybody.subjects(loader, &owner, &written.whom)?;
        let zone = self.zones.get(everybody.zone(&subjects));
        let (from, until) = match (&written.from, &written.until) {
            (from, Some(until)) => self.times(loader, "grant", from.as_ref(), until, zone)?,
            (Some(text), None) => {
                let from = times::instant(loader, text, "grant.from", zone)?;
                (Some(from), times::period_end(from, per, zone))
            }
            (None, None) => {
                return Err(loader.fail(
                    shape.span(),
                    other("a grant of minutes says neither from nor until, so that nobody could tell of which day they are; write one"),
                ));
            }
        };
        Ok(EarnedSettings {
            line: loader.source.line(shape.span().start),
            subjects,
            quota: at,
            minutes: minutes as u32,
            from,
            until,
        })
    }

    fn pause(
        &self,
        loader: &mut Loader,
        everybody: &Everybody<'_>,
        shape: &Spanned<shape::Pause>,
    ) -> Result<PauseSettings, ConfigError> {
        let written = shape.get_ref();
        let what = loader.word(
            Some(&written.what),
            "pause.what",
            Paused::Filter,
            &[("filter", Paused::Filter), ("internet", Paused::Internet)],
        )?;
        let owner = format!("a pause of the {}", written.what.get_ref());
        let subjects = everybody.subjects(loader, &owner, &written.whom)?;
        let zone = self.zones.get(everybody.zone(&subjects));
        let (from, until) = self.times(loader, "pause", written.from.as_ref(), &written.until, zone)?;
        Ok(PauseSettings {
            line: loader.source.line(shape.span().start),
            subjects,
            what,
            from,
            until,
        })
    }

    fn times(
        &self,
        loader: &mut Loader,
        kind: &str,
        from: Option<&Text>,
        until: &Text,
        zone: &jiff::tz::TimeZone,
    ) -> Result<(Option<i64>, i64), ConfigError> {
        let (from_key, until_key) = match kind {
            "pause" => ("pause.from", "pause.until"),
            _ => ("grant.from", "grant.until"),
        };
        let begins = match from {
            Some(text) => Some(times::instant(loader, text, from_key, zone)?),
            None => None,
        };
        let ends = times::instant(loader, until, until_key, zone)?;
        match begins {
            Some(begins) if begins >= ends => Err(loader.wrong(
                until,
                until_key,
                "is not after from; write a later time, or an earlier from",
            )),
            begins => Ok((begins, ends)),
        }
    }
}

fn joined(words: &[Text]) -> String {
    let words: Vec<&str> = words.iter().map(|word| word.get_ref().trim()).collect();
    words.join(", ")
}
