//! The rules that hold for somebody, in plain words: what is filtered, when, what is kept, and who can see it.
//!
//! In: settings, a person, device or profile. Out: sentences, or the same as JSON; what is over is left out.
//! Always: the same words whoever asks.

use super::{SEEN, Subject, kept_words, now_s, word};
use crate::cli::Failure;
use crate::config::household::{OwnName, Paused, Subjects, Target};
use crate::config::settings::{ProfileSettings, Settings, YoutubeMode};
use crate::schedule::quota::Period;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;
use std::io::{self, Write};

#[derive(Serialize)]
struct Rules {
    who: String,
    profile: String,
    filtered: Vec<String>,
    times: Vec<String>,
    log: &'static str,
    log_days: u16,
}

pub(super) fn print(out: &mut impl Write, settings: &Settings, subject: &Subject, json: bool) -> Result<(), Failure> {
    let profile = settings.profiles.iter().find(|profile| profile.name == subject.profile);
    let mut filtered = profile.map(of_profile).unwrap_or_default();
    let household = settings.household.as_ref();
    if let Some(person) = household.and_then(|household| household.people.get(subject.person?)) {
        filtered.extend(own(&person.deny, "blocked for this person alone"));
        filtered.extend(own(&person.allow, "allowed for this person alone"));
    }
    let rules = Rules {
        who: subject.name.clone(),
        profile: subject.profile.clone(),
        filtered,
        times: times(settings, subject),
        log: word(subject.log.choice),
        log_days: subject.log.days,
    };
    if json {
        serde_json::to_writer(&mut *out, &rules).map_err(io::Error::from)?;
        writeln!(out)?;
        return Ok(());
    }
    writeln!(out, "{}: these rules hold, profile {}", rules.who, rules.profile)?;
    writeln!(out, "\nWhat is filtered:")?;
    sentences(out, &rules.filtered)?;
    writeln!(out, "\nAt certain times:")?;
    sentences(out, &rules.times)?;
    writeln!(out, "\nWhat is kept:\n  {}\n  {SEEN}", kept_words(subject.log))?;
    Ok(())
}

fn sentences(out: &mut impl Write, all: &[String]) -> io::Result<()> {
    if all.is_empty() {
        return writeln!(out, "  nothing");
    }
    all.iter().try_for_each(|sentence| writeln!(out, "  {sentence}"))
}

fn of_profile(profile: &ProfileSettings) -> Vec<String> {
    let mut all = Vec::new();
    if profile.observe {
        all.push("nothing is blocked; what would be is only counted".to_owned());
    }
    if profile.every_category {
        all.push("blocked: every category".to_owned());
    }
    let mut list = |what: &str, words: &[String]| {
        if !words.is_empty() {
            all.push(format!("{what}: {}", words.join(", ")));
        }
    };
    list("blocked categories and lists", &profile.block);
    list("blocked services", &profile.services);
    list("safe mode of search engines", &profile.safe_search);
    match profile.youtube {
        Some(YoutubeMode::Strict) => all.push("YouTube: strict".to_owned()),
        Some(YoutubeMode::Moderate) => all.push("YouTube: moderate".to_owned()),
        None => {}
    }
    if profile.bypass_guard {
        all.push("ways around the filter are blocked".to_owned());
    }
    if let Some(only) = &profile.only {
        all.push(format!("only {} names and what they need are reachable", only.len()));
    }
    all.extend(own(&profile.deny, "blocked besides"));
    all.extend(own(&profile.allow, "always allowed"));
    all
}

fn own(names: &[OwnName], what: &str) -> Option<String> {
    let now = now_s();
    let names = names.iter().filter(|name| name.until.is_none_or(|until| until > now));
    let names: Vec<String> = names.map(|name| bare(&name.name.to_string())).collect();
    (!names.is_empty()).then(|| format!("{what}: {}", names.join(", ")))
}

fn bare(name: &str) -> String {
    name.trim_end_matches('.').to_owned()
}

/// Windows, quotas, grants and pauses that are for the subject.
fn times(settings: &Settings, subject: &Subject) -> Vec<String> {
    let Some(household) = &settings.household else {
        return Vec::new();
    };
    let person = subject.person.and_then(|person| household.people.get(person));
    let zone = person.map_or(&household.zone, |person| &person.zone);
    let is_for = |subjects: &Subjects| {
        let is_in = |all: &[u32], at: Option<usize>| at.is_some_and(|at| all.contains(&(at as u32)));
        let devices = settings.clients.iter().zip(0..).filter(|(client, at)| {
            let of_person = subject
                .person
                .is_some_and(|person| client.person == Some(person as u32));
            of_person || subject.device == Some(*at)
        });
        let by_device = devices.map(|(_, at)| at).any(|at| is_in(&subjects.devices, Some(at)));
        let by_profile = subjects.profiles.contains(&subject.profile);
        subjects.everyone || is_in(&subjects.people, subject.person) || by_device || by_profile
    };
    let now = now_s();
    let mut all = Vec::new();
    for window in household.windows.iter().filter(|window| is_for(&window.subjects)) {
        let does = [("blocks", &window.block), ("allows", &window.allow)];
        let does = does
            .iter()
            .filter_map(|(verb, target)| Some(format!("{verb} {}", about(target)?)));
        let (does, when) = (does.collect::<Vec<_>>().join(" and "), &window.when);
        all.push(format!("{:?} {does}: {when}", window.name));
    }
    for quota in household.quotas.iter().filter(|quota| is_for(&quota.subjects)) {
        let per = match quota.per {
            Period::Day => "a day",
            Period::Week => "a week",
        };
        let (minutes, of) = (quota.limit.as_secs() / 60, about(&quota.of).unwrap_or_default());
        all.push(format!("{:?}: {minutes} minutes {per} of {of}", quota.name));
    }
    for grant in household
        .grants
        .iter()
        .filter(|grant| is_for(&grant.subjects) && grant.until > now)
    {
        let (of, until) = (about(&grant.allow).unwrap_or_default(), time(grant.until, zone));
        all.push(format!("allowed until {until}: {of}"));
    }
    for pause in household
        .pauses
        .iter()
        .filter(|pause| is_for(&pause.subjects) && pause.until > now)
    {
        let what = match pause.what {
            Paused::Filter => "nothing is filtered",
            Paused::Internet => "the internet is off",
        };
        all.push(format!("{what} until {}", time(pause.until, zone)));
    }
    all
}

/// What something is about; `None`: nothing.
fn about(target: &Target) -> Option<String> {
    let internet = target.internet.then(|| "the internet".to_owned());
    let names = target.names.iter().map(|name| bare(&name.name.to_string()));
    let words = internet
        .into_iter()
        .chain(target.lists.iter().chain(&target.services).cloned());
    let all: Vec<String> = words.chain(names).collect();
    (!all.is_empty()).then(|| all.join(", "))
}

fn time(second: i64, zone: &TimeZone) -> String {
    let at = Timestamp::from_second(second);
    at.map_or(String::new(), |at| {
        zone.to_datetime(at).strftime("%Y-%m-%d %H:%M").to_string()
    })
}
