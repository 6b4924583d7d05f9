//! `stairgate explain`: what the server does with a name, and the rule, list and line that make it so.

use super::inspect::unreadable;
use super::serve::quotas;
use super::{Exit, Failure, Outcome, connected, lists};
use crate::clock;
use crate::config::settings::{ProfileSettings, Settings, Unmatched};
use crate::config::values;
use crate::dns::answer::{Message, Section};
use crate::dns::name::Name;
use crate::list::dump::effect_text;
use crate::list::rdata;
use crate::list::rule::Effect;
use crate::list::set::SourceId;
use crate::list::source::SourceSpec;
use crate::local::{Origin, Zones};
use crate::policy::explain::{Explanation, Local, QuotaUse, Subject, Texts, explain, plain_text};
use crate::policy::{Asker, Policy, Refusal};
use ipnet::IpNet;
use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::io::{self, Write};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The name asked for, also with U-labels; or an address that an answer may hold
    #[arg(value_name = "NAME", allow_hyphen_values = true)]
    name: String,
    /// The type asked for
    #[arg(long = "type", value_name = "T", default_value = "A")]
    qtype: String,
    /// Judge as for this profile
    #[arg(long, value_name = "P", conflicts_with = "client")]
    profile: Option<String>,
    /// Judge as for the client at this address
    #[arg(long, value_name = "ADDR")]
    client: Option<IpAddr>,
    /// Judge as at this moment: RFC 3339, or RFC 9557 with a zone
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// Judge by this gate file and, without a profile, by every category and every allow list in it
    #[arg(long, value_name = "FILE", conflicts_with = "config")]
    gate: Option<PathBuf>,
    /// Settings file; without it the built-in home example
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// The profile that a gate alone is judged with.
const EVERYTHING: &str = "everything";

pub fn run(args: Args) -> Outcome {
    let explanation = explanation(&args, &connected::networks())?;
    let mut out = io::stdout().lock();
    if args.json {
        serde_json::to_writer(&mut out, &explanation).map_err(io::Error::from)?;
        writeln!(out)?;
    } else {
        print(&mut out, &explanation)?;
    }
    Ok(Exit::Done)
}

/// What is to be printed. `connected`: the networks this machine is directly connected to.
fn explanation(args: &Args, connected: &[IpNet]) -> Result<Explanation, Failure> {
    let subject = subject(&args.name)?;
    let qtype = rdata::type_number(&args.qtype.to_ascii_uppercase()).ok_or_else(|| {
        Failure::usage(format_args!(
            "--type {}: there is no such type; write one such as A, AAAA or HTTPS",
            args.qtype
        ))
    })?;
    let now_s = match &args.at {
        Some(at) => moment(at)?,
        None => clock::now().unix_s(),
    };
    let (settings, held) = match &args.gate {
        Some(file) => {
            let mut settings = Settings::builtin(Path::new("."));
            let held = lists::Held::look(file, &settings.state_dir, true).map_err(unreadable)?;
            for_gate(&mut settings, file, &held);
            (settings, held)
        }
        None => {
            let settings = super::settings::load(args.config.as_deref())?;
            let held = lists::Held::of(&settings, true)?;
            (settings, held)
        }
    };
    for list in &held.missing {
        eprintln!("list {list} was never fetched and is left out; `stairgate update` fetches it");
    }
    if let (Some(name), true) = (&args.profile, args.gate.is_some()) {
        return Err(Failure::usage(format_args!(
            "--profile {name}: a gate file has no profiles; name them with --config"
        )));
    }
    // One decision needs one profile; the tables of the others would take longer than all else.
    let asked = profile(args, &settings, connected);
    let policy = Policy::build_for(&held.gate, &settings, connected, now_s, |name| asked == Some(name))
        .map_err(Failure::usage)?;
    let meter = match args.gate {
        None => quotas::kept(&settings.state_dir, |sentence| eprintln!("{sentence}")),
        Some(_) => None,
    };
    let at = i64::try_from(now_s).unwrap_or(i64::MAX);
    if let Some(meter) = &meter {
        quotas::tell(&policy, meter, at);
    }
    let asker = asker(args, &settings, &policy, now_s)?;
    // A gate alone says nothing of what some server answers itself.
    let subject = match subject {
        Subject::Name(name) if args.gate.is_none() => {
            let zones = Zones::build(&settings).map_err(Failure::usage)?;
            match local(&zones, &name, qtype) {
                Some(says) => Subject::Local(name, says),
                None => Subject::Name(name),
            }
        }
        subject => subject,
    };
    let texts = Originals::new(&held);
    let mut explanation = explain(
        &policy,
        &held.gate,
        &Texts {
            lines: held.lines.as_ref(),
            line_text: &|source, line| texts.line(source, line),
        },
        &settings,
        asker.as_ref().map_err(|refusal| *refusal),
        &subject,
        qtype,
    );
    for told in &mut explanation.quotas {
        let account = policy.accounts().iter().find(|account| *account.key == *told.key);
        if let (Some(meter), Some(account)) = (&meter, account) {
            let tally = meter.tally(
                &account.key,
                &account.quota,
                &account.quota.period_at(at, &account.zone),
            );
            told.given = Some(tally.given.saturating_add(account.earned_minutes(at)));
            told.used = Some(tally.used);
        }
    }
    Ok(explanation)
}

fn subject(text: &str) -> Result<Subject, Failure> {
    if let Ok(addr) = text.parse() {
        return Ok(Subject::Address(addr));
    }
    values::name(text)
        .map(Subject::Name)
        .map_err(|why| Failure::usage(format_args!("\"{text}\" {why}")))
}

/// Reads `--at`: the Unix second.
fn moment(text: &str) -> Result<u64, Failure> {
    let read = if text.contains('[') {
        text.parse::<jiff::ZonedDateTime>().map(|zoned| zoned.timestamp())
    } else {
        text.parse::<jiff::Timestamp>()
    };
    let read = read.map(|at| at.as_second().max(0) as u64);
    read.map_err(|cause| {
        Failure::usage(format_args!(
            "--at {text}: {cause}; write it like 2026-07-24T21:30:00+02:00 or 2026-07-24T21:30:00[Europe/Berlin]"
        ))
    })
}

/// Settings for a gate on its own: everybody has a profile with every category and every allow list.
fn for_gate(settings: &mut Settings, file: &Path, held: &lists::Held) {
    let allow_lists = held.gate.sources().iter().filter(|source| source.is_allow());
    settings.gate = Some(file.to_owned());
    settings.lists.clear();
    settings.profiles = vec![ProfileSettings {
        name: EVERYTHING.to_owned(),
        allow_lists: allow_lists.map(|source| source.name.clone()).collect(),
        ..ProfileSettings::blocking_everything()
    }];
}

/// The profile that judges; `None` if none does.
fn profile<'s>(args: &'s Args, settings: &'s Settings, connected: &[IpNet]) -> Option<&'s str> {
    if args.gate.is_some() {
        return Some(EVERYTHING);
    }
    if let Some(name) = &args.profile {
        return Some(name);
    }
    let addr = args.client;
    let client = addr.and_then(|addr| Policy::unfiltered(settings, connected).client(addr, 0)?.client);
    match client {
        Some(client) => settings
            .clients
            .get(client.0 as usize)
            .map(|client| client.profile.as_str()),
        None => (settings.server.unmatched == Unmatched::Default).then_some("default"),
    }
}

/// What this server answers itself to a question for `name`; `None` where it does not.
fn local(zones: &Zones, name: &Name, qtype: u16) -> Option<Local> {
    let wire = name.as_wire();
    let mut message = Vec::new();
    let answer = zones.answer(wire, qtype, &mut message)?;
    let rule = match zones.origin(wire, qtype)? {
        Origin::Record(owner) => format!("[[record]] {}", plain_text(&owner)),
        Origin::File(apex) => format!("[[zone]] {}", plain_text(&apex)),
        Origin::Builtin(apex) => format!("built-in zone {}", plain_text(&apex)),
    };
    let parsed = Message::parse(&message)?;
    let records = parsed
        .records()
        .flatten()
        .filter(|record| record.section == Section::Answer);
    let records: Vec<String> = records
        .map(|record| {
            effect_text(&Effect::Data {
                rtype: record.rtype,
                rdata: message[record.rdata_at..record.rdata_at + record.rdata_bytes].into(),
                ttl: None,
            })
        })
        .collect();
    let action = match parsed.rcode() {
        0 if records.is_empty() && parsed.authoritative() => "nodata".to_owned(),
        0 if records.is_empty() => "referral".to_owned(),
        0 => records.join(", "),
        rcode => effect_text(&Effect::Rcode(rcode)),
    };
    Some(Local {
        rule,
        action,
        follow: answer.follow,
    })
}

/// Who is asked for, or why they may not ask.
fn asker(args: &Args, settings: &Settings, policy: &Policy, now_s: u64) -> Result<Result<Asker, Refusal>, Failure> {
    if args.gate.is_some() {
        return Ok(Ok(Asker::new(policy.profile(EVERYTHING), None, args.client).at(now_s)));
    }
    if let Some(name) = &args.profile {
        let profile = policy.profile(name).ok_or_else(|| {
            let known: Vec<&str> = settings.profiles.iter().map(|profile| profile.name.as_str()).collect();
            Failure::usage(format_args!(
                "--profile {name}: there is no such profile; there are {}",
                known.join(", ")
            ))
        })?;
        return Ok(Ok(Asker::new(Some(profile), None, None).at(now_s)));
    }
    if let Some(addr) = args.client {
        return Ok(policy.client(addr, now_s).ok_or_else(|| policy.refusal(addr)));
    }
    // A client that no entry matches and that may ask.
    Ok(match settings.server.unmatched {
        Unmatched::Default => Ok(Asker::new(policy.profile("default"), None, None).at(now_s)),
        Unmatched::Open => Ok(Asker::new(None, None, None)),
        Unmatched::Refuse => Err(Refusal::Unmatched),
    })
}

/// The lists themselves, where they are still what was compiled.
struct Originals<'h> {
    held: &'h lists::Held,
    specs: OnceCell<Vec<SourceSpec>>,
    read: RefCell<HashMap<SourceId, Option<Vec<u8>>>>,
}

impl<'h> Originals<'h> {
    fn new(held: &'h lists::Held) -> Originals<'h> {
        Originals {
            held,
            specs: OnceCell::new(),
            read: RefCell::default(),
        }
    }

    /// A line of a list, as text; `None` if the list is not at hand or has changed.
    fn line(&self, source: SourceId, line: u32) -> Option<String> {
        let mut read = self.read.borrow_mut();
        let bytes = read.entry(source).or_insert_with(|| {
            let info = self.held.gate.sources().get(usize::from(source.0))?;
            // Beside a gate several files may be called so.
            let specs = self.specs.get_or_init(|| self.held.specs()).iter();
            specs.filter(|spec| spec.name == info.name).find_map(|spec| {
                let unpacked = spec.read().ok()?;
                (unpacked.sha256 == info.sha256).then_some(unpacked.bytes)
            })
        });
        let line = bytes.as_deref()?.split(|&byte| byte == b'\n').nth(line as usize - 1)?;
        // One list is a single line of a megabyte; there the rule in the language of the list says more.
        (line.len() <= LINE_BYTES).then(|| String::from_utf8_lossy(line).trim().to_owned())
    }
}

/// Longest line that is shown as it stands.
const LINE_BYTES: usize = 1024;

/// `games: 23 of 60 minutes used today`
fn quota_text(quota: &QuotaUse) -> String {
    let now = match quota.per {
        "week" => "this week",
        _ => "today",
    };
    let (name, limit) = (&quota.name, quota.limit);
    match (quota.used, quota.given) {
        (Some(used), Some(given)) => {
            let beside = match given.saturating_sub(limit) {
                0 => String::new(),
                more => format!(" ({limit} and {more} more)"),
            };
            format!("{name}: {used} of {given} minutes used {now}{beside}")
        }
        _ => format!(
            "{name}: {limit} minutes a {}; how many were used is not known here",
            quota.per
        ),
    }
}

fn print(out: &mut impl Write, explanation: &Explanation) -> io::Result<()> {
    let observed = if explanation.observed { ", observed only" } else { "" };
    writeln!(
        out,
        "{}: {} ({}{observed})",
        explanation.name, explanation.verdict, explanation.action
    )?;
    if let Some(rule) = &explanation.rule {
        writeln!(out, "  rule     {rule}")?;
    }
    if let Some(name) = &explanation.looks_like {
        writeln!(out, "  looks    like {name}")?;
    }
    if let Some(list) = &explanation.list {
        let line = explanation
            .line
            .map_or_else(String::new, |line| format!(", line {line}"));
        writeln!(out, "  list     {list}{line}")?;
    }
    if let Some(category) = &explanation.category {
        writeln!(out, "  category {category}")?;
    }
    if let Some(line) = explanation.household_line {
        writeln!(out, "  line     {line} of the household")?;
    }
    if let Some(device) = &explanation.device {
        writeln!(out, "  device   {device}")?;
    }
    if let Some(person) = &explanation.person {
        writeln!(out, "  person   {person}")?;
    }
    if let Some(profile) = &explanation.profile {
        let from = explanation.profile_from.as_ref();
        let from = from.map_or_else(String::new, |base| format!(" (inherited from {base})"));
        writeln!(out, "  profile  {profile}{from}")?;
    }
    for quota in &explanation.quotas {
        writeln!(out, "  quota    {}", quota_text(quota))?;
    }
    if explanation.path.len() > 1 {
        writeln!(out, "  path     {}", explanation.path.join(" -> "))?;
    }
    if let Some(command) = &explanation.way_in {
        writeln!(out, "  allow    {command}")?;
    }
    if explanation.name_servers {
        writeln!(
            out,
            "  servers  lists of the profile have rules about name servers; they are judged when the name is resolved"
        )?;
    }
    if explanation.rebinding {
        writeln!(out, "  answer   blocked if it leads into a private network (rebinding)")?;
    }
    if explanation.without_ech {
        writeln!(out, "  answer   without keys of Encrypted ClientHello (bypass_guard)")?;
    }
    for (index, found) in explanation.matches.iter().enumerate() {
        let head = if index == 0 { "matched" } else { "" };
        let line = found.line.map_or_else(String::new, |line| format!(":{line}"));
        writeln!(
            out,
            "  {head:8} {}{line}: {} ({})",
            found.list, found.rule, found.effect
        )?;
    }
    Ok(())
}

#[cfg(test)]
#[path = "explain_tests.rs"]
mod tests;
