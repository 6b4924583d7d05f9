//! `stairgate activity`: what is kept of who asked what, which rules hold for somebody, and which devices fell silent.
//!
//! In: the settings; the running server, or its file where none runs. Out: first what is kept and for how long, then what is.
//! Always: everybody is told the same, a child as its parents.

mod rules;

use super::serve::activity as file;
use super::{Exit, Failure, Outcome, settings};
use crate::activity::key;
use crate::activity::report::{DayReport, DeviceReport};
use crate::clock;
use crate::config::settings::{LogChoice, LogSettings, Settings};
use crate::control::{Client, ClientError};
use crate::limits::ACTIVITY_DAYS;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Args {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    of: Of,
    /// Only so many days, the last ones
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=i64::from(ACTIVITY_DAYS)))]
    days: Option<u16>,
    /// Say which rules hold: what is filtered, when, what is kept and who can see it
    #[arg(long, requires = "whose")]
    rules: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Settings file of the server; without it the built-in home example's
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Erase what is kept of a person, a device or a profile
    Forget {
        #[command(flatten)]
        of: Of,
        /// Settings file of the server; without it the built-in home example's
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
    /// Say when each device last asked, and which has stopped asking while it was active
    Devices {
        /// Print one JSON object
        #[arg(long)]
        json: bool,
        /// Settings file of the running server; without it the built-in home example's
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
}

/// Whose activity.
#[derive(Debug, Clone, clap::Args)]
#[group(id = "whose", multiple = false)]
struct Of {
    /// Of this person
    #[arg(long, value_name = "ID")]
    person: Option<String>,
    /// Of this device, which is nobody's
    #[arg(long, value_name = "NAME")]
    device: Option<String>,
    /// Of whoever is no device of the settings and has this profile
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
}

pub fn run(args: Args) -> Outcome {
    match args.action {
        Some(Action::Forget { of, config }) => forget(&of, &settings::load(config.as_deref())?),
        Some(Action::Devices { json, config }) => {
            let settings = settings::load(config.as_deref())?;
            devices(Client::connect(&settings.state_dir)?.devices()?, json)
        }
        None => {
            let settings = settings::load(args.config.as_deref())?;
            let subject = subject(&args.of, &settings)?;
            let mut out = BufWriter::new(io::stdout().lock());
            match &subject {
                Some(subject) if args.rules => rules::print(&mut out, &settings, subject, args.json)?,
                _ => show(&mut out, &settings, subject.as_ref(), args.days, args.json)?,
            }
            out.flush()?;
            Ok(Exit::Done)
        }
    }
}

/// A person, a device or a profile of the settings.
struct Subject {
    key: String,
    /// As people are told of it.
    name: String,
    profile: String,
    log: LogSettings,
    /// Index of the person.
    person: Option<usize>,
    /// Index of the device.
    device: Option<usize>,
}

fn subject(of: &Of, settings: &Settings) -> Result<Option<Subject>, Failure> {
    let none = |what: &str, name: &str| Failure::usage(format_args!("there is no {what} {name:?} in the settings"));
    let people = settings.household.iter().flat_map(|household| &household.people);
    let log_of = |profile: &str| {
        let found = settings.profiles.iter().find(|known| known.name == profile);
        found.map(|profile| profile.log)
    };
    Ok(match (&of.person, &of.device, &of.profile) {
        (Some(id), ..) => {
            let found = people.enumerate().find(|(_, person)| person.id == *id);
            let (at, person) = found.ok_or_else(|| none("person", id))?;
            Some(Subject {
                key: key("person", id),
                name: person.name.clone(),
                profile: person.profile.clone(),
                log: person.log,
                person: Some(at),
                device: None,
            })
        }
        (_, Some(name), _) => {
            let found = settings.clients.iter().position(|client| client.name == *name);
            let at = found.ok_or_else(|| none("device", name))?;
            let client = &settings.clients[at];
            let owner = client.person.and_then(|person| people.clone().nth(person as usize));
            if let Some(person) = owner {
                return Err(Failure::usage(format_args!(
                    "device {name:?} is {}'s, and activity is kept by person: write --person {}",
                    person.name, person.id
                )));
            }
            Some(Subject {
                key: key("device", name),
                name: name.clone(),
                profile: client.profile.clone(),
                log: log_of(&client.profile).unwrap_or_default(),
                person: None,
                device: Some(at),
            })
        }
        (_, _, Some(name)) => Some(Subject {
            key: key("profile", name),
            name: format!("whoever has profile {name}"),
            profile: name.clone(),
            log: log_of(name).ok_or_else(|| none("profile", name))?,
            person: None,
            device: None,
        }),
        _ => None,
    })
}

/// What a choice means, in a sentence without its subject.
fn kept_words(log: LogSettings) -> String {
    let days = match log.days {
        1 => "today only".to_owned(),
        days => format!("for {days} days"),
    };
    match log.choice {
        LogChoice::Nothing => "nothing is kept".to_owned(),
        LogChoice::Counts => {
            format!("how many queries there were each day and how many were blocked is kept {days}, no names")
        }
        LogChoice::Names => format!("every name that was asked for, with the times, is kept {days}"),
    }
}

/// Everybody of whom the settings say what is kept, and the word for it in JSON.
fn choices(settings: &Settings, subject: Option<&Subject>) -> Vec<(String, LogSettings)> {
    match subject {
        Some(subject) => vec![(subject.name.clone(), subject.log)],
        None => {
            let people = settings.household.iter().flat_map(|household| &household.people);
            let people = people.map(|person| (person.name.clone(), person.log));
            let profiles = settings.profiles.iter();
            let profiles = profiles.map(|profile| (format!("who else has profile {}", profile.name), profile.log));
            people.chain(profiles).collect()
        }
    }
}

fn word(choice: LogChoice) -> &'static str {
    match choice {
        LogChoice::Nothing => "nothing",
        LogChoice::Counts => "counts",
        LogChoice::Names => "names",
    }
}

/// What is kept, asked of the server, or read from its file where none runs.
fn kept(settings: &Settings, subject: Option<&Subject>, days: Option<u16>) -> Result<Vec<DayReport>, Failure> {
    let whose = subject.map(|subject| subject.key.clone());
    match Client::connect(&settings.state_dir) {
        Ok(mut client) => Ok(client.activity(whose, days)?),
        Err(ClientError::NotRunning(_)) => {
            let path = file::path(&settings.state_dir);
            let (record, damage) = file::read(&path).map_err(|cause| unreadable(&path, &cause))?;
            damage.into_iter().for_each(|sentence| eprintln!("{sentence}"));
            Ok(record.report(whose.as_deref(), days))
        }
        Err(error) => Err(error.into()),
    }
}

fn unreadable(path: &std::path::Path, cause: &io::Error) -> Failure {
    Failure::failed(format_args!("{}: {cause}", path.display()))
}

#[derive(Serialize)]
struct Choice {
    who: String,
    log: &'static str,
    days: u16,
}

#[derive(Serialize)]
struct All {
    kept: Vec<Choice>,
    days: Vec<DayReport>,
}

fn show(
    out: &mut impl Write,
    settings: &Settings,
    subject: Option<&Subject>,
    days: Option<u16>,
    json: bool,
) -> Result<(), Failure> {
    let kept_days = kept(settings, subject, days)?;
    let choices = choices(settings, subject);
    if json {
        let kept = choices.into_iter().map(|(who, log)| Choice {
            who,
            log: word(log.choice),
            days: log.days,
        });
        let all = All {
            kept: kept.collect(),
            days: kept_days,
        };
        serde_json::to_writer(&mut *out, &all).map_err(io::Error::from)?;
        writeln!(out)?;
        return Ok(());
    }
    for (who, log) in choices {
        writeln!(out, "{who}: {}", kept_words(log))?;
    }
    writeln!(out, "{SEEN}")?;
    for day in &kept_days {
        write_day(out, day)?;
    }
    Ok(())
}

/// Who can see it; the same for everybody.
const SEEN: &str = "it stays on this machine; whoever may run this command as the server's user can see it, parents and children alike";

fn write_day(out: &mut impl Write, day: &DayReport) -> io::Result<()> {
    write!(
        out,
        "\n{} {}: {} queries, {} blocked",
        day.day, day.whose, day.queries, day.blocked
    )?;
    let mut before = " (";
    for (category, count) in &day.categories {
        write!(out, "{before}{category} {count}")?;
        before = ", ";
    }
    writeln!(out, "{}", if day.categories.is_empty() { "" } else { ")" })?;
    let zone = TimeZone::system();
    let time = |second: u64| {
        let at = i64::try_from(second)
            .ok()
            .and_then(|second| Timestamp::from_second(second).ok());
        at.map_or(String::new(), |at| zone.to_datetime(at).strftime("%H:%M").to_string())
    };
    for name in &day.names {
        let (first, last) = (time(name.first_s), time(name.last_s));
        let when = if first == last {
            first
        } else {
            format!("{first} to {last}")
        };
        let blocked = if name.blocked { ", blocked" } else { "" };
        writeln!(out, "  {} {when}, {} times{blocked}", name.name, name.queries)?;
    }
    match day.left_out {
        0 => Ok(()),
        queries => writeln!(out, "  and {queries} queries whose names there was no room for"),
    }
}

fn forget(of: &Of, settings: &Settings) -> Outcome {
    // Somebody who is no longer in the settings may be forgotten too.
    let whose = match (&of.person, &of.device, &of.profile) {
        (Some(id), ..) => key("person", id),
        (_, Some(name), _) => key("device", name),
        (_, _, Some(name)) => key("profile", name),
        _ => {
            return Err(Failure::usage(
                "name whom to forget: --person ID, --device NAME or --profile NAME",
            ));
        }
    };
    let days = match Client::connect(&settings.state_dir) {
        Ok(mut client) => client.activity_forget(whose.clone())?,
        Err(ClientError::NotRunning(_)) => {
            let path = file::path(&settings.state_dir);
            let (mut record, damage) = file::read(&path).map_err(|cause| unreadable(&path, &cause))?;
            damage.into_iter().for_each(|sentence| eprintln!("{sentence}"));
            let days = record.forget(&whose);
            file::write(&path, &record).map_err(|cause| unreadable(&path, &cause))?;
            days
        }
        Err(error) => return Err(error.into()),
    };
    writeln!(io::stdout(), "forgotten: {days} days of {whose}")?;
    Ok(Exit::Done)
}

fn devices(devices: Vec<DeviceReport>, json: bool) -> Outcome {
    let mut out = BufWriter::new(io::stdout().lock());
    if json {
        #[derive(Serialize)]
        struct Devices {
            devices: Vec<DeviceReport>,
        }
        serde_json::to_writer(&mut out, &Devices { devices }).map_err(io::Error::from)?;
        writeln!(out)?;
    } else {
        for device in &devices {
            writeln!(out, "{}", device_line(device))?;
        }
    }
    out.flush()?;
    Ok(Exit::Done)
}

fn device_line(device: &DeviceReport) -> String {
    let name = &device.device;
    match (device.silent_minutes, device.asked_minutes_ago) {
        (Some(minutes), _) => {
            let evidence = device.evidence.as_deref().unwrap_or_default();
            let active = device.active_minutes_ago.unwrap_or_default();
            format!("{name}: has stopped asking for {minutes} min while it was active ({evidence} {active} min ago)")
        }
        (None, Some(minutes)) => format!("{name}: last asked {minutes} min ago"),
        (None, None) => format!("{name}: has not asked since the server started"),
    }
}

/// Unix seconds of now, for what is over.
fn now_s() -> i64 {
    i64::try_from(clock::now().unix_s()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_told_of_in_one_line() {
        let mut device = DeviceReport {
            device: "masha-phone".to_owned(),
            asked_minutes_ago: None,
            active_minutes_ago: None,
            silent_minutes: None,
            evidence: None,
        };
        assert_eq!(
            device_line(&device),
            "masha-phone: has not asked since the server started"
        );
        device.asked_minutes_ago = Some(45);
        assert_eq!(device_line(&device), "masha-phone: last asked 45 min ago");
        device.silent_minutes = Some(45);
        device.active_minutes_ago = Some(2);
        device.evidence = Some("this machine heard its network card".to_owned());
        assert_eq!(
            device_line(&device),
            "masha-phone: has stopped asking for 45 min while it was active (this machine heard its network card 2 min ago)"
        );
    }
}
