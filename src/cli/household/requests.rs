//! `stairgate household requests`, `grant NUMBER` and `refuse NUMBER`: what children asked for on the block page, and what becomes of it.
//!
//! In: the requests of the running server, or those in `state_dir` where none runs. Out: a line each; or the household with what was granted in
//! it, and the request marked.
//! Always: the household is changed first. A request is never marked as granted that is not.
//! Fails: with one sentence that says what to do instead.

use super::Household;
use crate::cli::Failure;
use crate::clock;
use crate::config::settings::Settings;
use crate::control::Client;
use crate::dns::key::{Key, to_text};
use crate::household::commands::{Answer, Asked};
use crate::household::edit::{Edit, OwnList};
use crate::requests::{HowLong, Request, State, Store, Whom};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;
use std::fmt;

/// What is printed.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Told {
    List { requests: Vec<Request> },
    Granted { request: Request, household: Answer },
    Refused { request: Request },
}

/// Where requests are.
enum Kept<'h> {
    Server(&'h mut Client),
    File(Store),
}

impl Kept<'_> {
    fn list(&mut self) -> Result<Vec<Request>, Failure> {
        match self {
            Kept::Server(client) => Ok(client.requests()?),
            Kept::File(store) => Ok(store.list()),
        }
    }

    fn granted(&mut self, id: u64, until_s: Option<u64>) -> Result<Request, Failure> {
        match self {
            Kept::Server(client) => Ok(client.request_granted(id, until_s)?),
            Kept::File(store) => {
                let marked = store.mark(id, State::Granted { until_s }, clock::now().unix_s());
                marked.map_err(Failure::failed)
            }
        }
    }

    fn refused(&mut self, id: u64) -> Result<Request, Failure> {
        match self {
            Kept::Server(client) => Ok(client.request_refused(id)?),
            Kept::File(store) => {
                let marked = store.mark(id, State::Refused, clock::now().unix_s());
                marked.map_err(Failure::failed)
            }
        }
    }
}

fn kept<'h>(household: &'h mut Household, settings: &Settings) -> Kept<'h> {
    match household {
        Household::Server(client) => Kept::Server(client),
        Household::File => {
            let (store, remark) = Store::open(&settings.state_dir);
            if let Some(remark) = remark {
                eprintln!("{remark}");
            }
            Kept::File(store)
        }
    }
}

/// Those that wait for an answer, or all.
pub fn list(household: &mut Household, settings: &Settings, all: bool) -> Result<Told, Failure> {
    let mut requests = kept(household, settings).list()?;
    requests.retain(|request| all || request.is_open());
    Ok(Told::List { requests })
}

pub fn refuse(household: &mut Household, settings: &Settings, id: u64) -> Result<Told, Failure> {
    let request = kept(household, settings).refused(id)?;
    Ok(Told::Refused { request })
}

/// Lets a child have what it asked for.
pub fn grant(household: &mut Household, settings: &Settings, id: u64, how_long: HowLong) -> Result<Told, Failure> {
    let requests = kept(household, settings).list()?;
    let Some(request) = requests.into_iter().find(|request| request.id == id) else {
        return Err(Failure::failed(format_args!(
            "there is no request {id}; `stairgate household requests --all` shows those there are"
        )));
    };
    let due = request.edit(how_long, clock::now().unix_s(), &zone(settings, &request.whom));
    let edit = edit(&request, due.until_s).map_err(Failure::failed)?;
    let answer = household.ask(Asked::from(edit), settings)?;
    let request = kept(household, settings).granted(id, due.until_s)?;
    Ok(Told::Granted {
        request,
        household: answer,
    })
}

/// The zone of whoever asked; that of the machine where the household cannot be read, which the edit will say.
fn zone(settings: &Settings, whom: &Whom) -> TimeZone {
    let loaded = settings.reload_household().ok();
    let household = loaded.and_then(|loaded| loaded.settings.household);
    let zone = household.map(|household| {
        let person = household
            .people
            .iter()
            .find(|person| *whom == Whom::Person(person.id.clone()));
        person.map_or(household.zone.clone(), |person| person.zone.clone())
    });
    zone.unwrap_or_else(|| TimeZone::try_system().unwrap_or(TimeZone::UTC))
}

/// What to change in the household.
fn edit(request: &Request, until_s: Option<u64>) -> Result<Edit, String> {
    let name = name_of(request);
    let who = match &request.whom {
        Whom::Person(id) => id.clone(),
        Whom::Device(name) => name.clone(),
        Whom::Profile(name) => format!("profile:{name}"),
    };
    if let Some(until_s) = until_s {
        let until = Timestamp::from_second(until_s as i64).map_err(|error| format!("the clock: {error}"))?;
        return Ok(Edit::Grant {
            who: vec![who],
            allow: vec![name],
            from: None,
            lasting: None,
            until: Some(until.to_string()),
        });
    }
    if request.by_time {
        return Err(format!(
            "{name} is closed by {}, which holds for names that are allowed, too; grant it for an hour or for today, or let it through there with \
             `stairgate household set window NAME reach --also {name}`",
            request.why
        ));
    }
    if let Whom::Device(device) = &request.whom {
        return Err(format!(
            "device {device} is nobody's and has no names of its own; grant it for an hour or for today, or allow it for the device's whole profile with \
             `stairgate household allow {name} --for profile:NAME`"
        ));
    }
    Ok(Edit::OwnName {
        list: OwnList::Allow,
        name,
        who: vec![who],
        lasting: None,
        until: None,
    })
}

fn name_of(request: &Request) -> String {
    to_text(Key::from_wire(request.name.as_wire()).as_bytes())
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Told::List { requests } if requests.is_empty() => writeln!(f, "nobody waits for an answer"),
            Told::List { requests } => requests.iter().try_for_each(|request| line(f, request)),
            Told::Granted { request, household } => {
                write!(f, "{household}")?;
                writeln!(f, "request {} is granted", request.id)
            }
            Told::Refused { request } => writeln!(f, "request {} for {} is refused", request.id, name_of(request)),
        }
    }
}

/// `  3  2026-12-01 19:02  masha  game.example  closed by games, some-list; "for school"`
fn line(f: &mut fmt::Formatter<'_>, request: &Request) -> fmt::Result {
    let zone = TimeZone::try_system().unwrap_or(TimeZone::UTC);
    let clock = |unix_s: u64| {
        let at = Timestamp::from_second(unix_s as i64).unwrap_or_default();
        zone.to_datetime(at).strftime("%Y-%m-%d %H:%M").to_string()
    };
    let whom = match &request.whom {
        Whom::Person(id) => id.clone(),
        Whom::Device(name) => format!("device {name}"),
        Whom::Profile(name) => format!("{} (profile {name})", request.from),
    };
    write!(
        f,
        "{:>5}  {}  {whom}  {}  closed by {}",
        request.id,
        clock(request.asked_s),
        name_of(request),
        request.why
    )?;
    if !request.note.is_empty() {
        write!(f, "; {:?}", request.note)?;
    }
    match request.state {
        State::Open => writeln!(f),
        State::Granted { until_s: Some(until_s) } => writeln!(f, "  granted until {}", clock(until_s)),
        State::Granted { until_s: None } => writeln!(f, "  granted for good"),
        State::Refused => writeln!(f, "  refused"),
    }
}
