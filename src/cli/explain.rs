//! `stairgate explain`: what the server does with a name, and the rule, list and line that make it so.

use super::inspect::unreadable;
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
use crate::policy::explain::{Explanation, Local, Subject, Texts, explain, plain_text};
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
    /// Judge as at this moment: RFC 3339, or RFC 9557 with a zone. Nothing in the settings depends on the time yet
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
    Ok(explain(
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
    ))
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
    if let Some(person) = &explanation.person {
        writeln!(out, "  person   {person}")?;
    }
    if let Some(profile) = &explanation.profile {
        writeln!(out, "  profile  {profile}")?;
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
mod tests {
    use super::*;
    use std::fs;

    fn args(name: &str, client: Option<&str>, folder: &Path) -> Args {
        Args {
            name: name.to_owned(),
            qtype: "A".to_owned(),
            profile: None,
            client: client.map(|addr| addr.parse().expect("an address")),
            at: None,
            gate: None,
            config: Some(folder.join("stairgate.toml")),
            json: true,
        }
    }

    #[test]
    fn a_client_of_a_directly_connected_network_is_explained_as_it_is_served() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).expect("a writable folder");
        write("a.hosts", "0.0.0.0 bad.example\n");
        write(
            "stairgate.toml",
            "[[list]]\nname = \"a\"\nsource = \"a.hosts\"\ncategory = \"adult\"\n[profile.default]\nblock = [\"adult\"]\n",
        );
        let ask = |connected: &[IpNet]| {
            let args = args("bad.example", Some("198.51.100.7"), folder.path());
            let Ok(explanation) = explanation(&args, connected) else {
                panic!("good settings");
            };
            explanation.action
        };
        assert_eq!(ask(&[]), "refused");
        assert_eq!(ask(&["198.51.100.0/24".parse().expect("a network")]), "null");
    }

    #[test]
    fn what_this_server_answers_itself_is_explained_before_any_list_is() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).expect("a writable folder");
        write(
            "a.hosts",
            "0.0.0.0 bad.example\n0.0.0.0 printer.home.arpa\n0.0.0.0 www.site.example\n0.0.0.0 x.test\n0.0.0.0 nas.example\n",
        );
        write(
            "site.zone",
            "@ SOA ns.site.example. host.site.example. 1 2 3 4 60\nwww A 192.0.2.1\nto CNAME bad.example.\n",
        );
        write(
            "stairgate.toml",
            "[server]\nallow = [\"127.0.0.0/8\"]\nunmatched = \"refuse\"\n\
             [[list]]\nname = \"a\"\nsource = \"a.hosts\"\ncategory = \"adult\"\n[profile.default]\nblock = [\"adult\"]\n\
             [[client]]\nname = \"me\"\nmatch = [\"127.0.0.1\"]\nprofile = \"default\"\n\
             [[zone]]\nname = \"site.example\"\nfile = \"site.zone\"\n\
             [[record]]\nname = \"printer.home.arpa\"\ndata = [\"A 192.168.1.20\"]\n\
             [[record]]\nname = \"*.nas.example\"\ndata = [\"A 192.168.1.21\"]\n",
        );
        let ask = |name: &str, client: &str| {
            let Ok(found) = explanation(&args(name, Some(client), folder.path()), &[]) else {
                panic!("good settings");
            };
            let rule = found.rule.unwrap_or_default();
            (format!("{} {}", found.verdict, found.action), rule, found.matches.len())
        };
        for (name, does, rule, matched) in [
            (
                "Printer.home.arpa",
                "rewrite data=A 192.168.1.20",
                "[[record]] printer.home.arpa",
                1,
            ),
            (
                "x.nas.example",
                "rewrite data=A 192.168.1.21",
                "[[record]] *.nas.example",
                0,
            ),
            ("nas.example", "block null", "0.0.0.0 nas.example", 1),
            (
                "www.site.example",
                "rewrite data=A 192.0.2.1",
                "[[zone]] site.example",
                1,
            ),
            ("none.site.example", "rewrite nxdomain", "[[zone]] site.example", 0),
            ("to.site.example", "block null", "0.0.0.0 bad.example", 1),
            ("localhost", "rewrite data=A 127.0.0.1", "built-in zone localhost", 0),
            ("x.test", "rewrite nxdomain", "built-in zone test", 1),
            ("_dns.resolver.arpa", "rewrite nodata", "built-in zone resolver.arpa", 0),
            ("mask.icloud.com", "block nxdomain", "canary of iCloud Private Relay", 0),
            ("bad.example", "block null", "0.0.0.0 bad.example", 1),
        ] {
            assert_eq!(
                ask(name, "127.0.0.1"),
                (does.to_owned(), rule.to_owned(), matched),
                "{name}"
            );
        }
        for (client, rule) in [("127.0.0.2", "server.unmatched"), ("192.0.2.1", "server.allow")] {
            assert_eq!(
                ask("localhost", client),
                ("block refused".to_owned(), rule.to_owned(), 0)
            );
        }
    }

    #[test]
    fn what_a_person_gets_at_a_time_is_explained_by_the_window_that_holds_then() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).expect("a writable folder");
        write(
            "stairgate.toml",
            "household = \"household.toml\"\n[server]\nunmatched = \"open\"\n",
        );
        write(
            "household.toml",
            "timezone = \"Europe/Moscow\"\n[profile.child]\nblock = []\nservices = [\"tiktok\"]\n[person.masha]\nprofile = \"child\"\n\
             [[device]]\nname = \"phone\"\nperson = \"masha\"\nmatch = [\"192.168.1.20\"]\n\
             [[window]]\nname = \"night\"\nfor = \"masha\"\ndays = \"school nights\"\nfrom = \"21:00\"\nto = \"7:00\"\nblock = [\"internet\"]\n",
        );
        let ask = |name: &str, at: &str| {
            let args = Args {
                at: Some(at.to_owned()),
                ..args(name, Some("192.168.1.20"), folder.path())
            };
            let Ok(found) = explanation(&args, &["192.168.1.0/24".parse().expect("a network")]) else {
                panic!("good settings");
            };
            assert_eq!(found.person.as_deref(), Some("masha"));
            (found.verdict, found.rule.unwrap_or_default(), found.household_line)
        };
        let evening = "2026-12-01T21:30:00+03:00";
        assert_eq!(ask("www.example", evening), ("block", "night".to_owned(), Some(11)));
        assert_eq!(
            ask("www.example", "2026-12-01T20:30:00+03:00"),
            ("allow", String::new(), None)
        );
        assert_eq!(
            ask("www.example", "2026-12-04T21:30:00[Europe/Moscow]"),
            ("allow", String::new(), None)
        );
        let service = ask("tiktok.com", "2026-12-01T20:30:00+03:00");
        assert_eq!(service, ("block", "service TikTok".to_owned(), None));
    }

    #[test]
    fn the_profile_that_is_asked_for_is_that_of_the_client_or_of_everybody_else() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("stairgate.toml");
        let text = "[profile.default]\nblock = []\n[profile.child]\nblock = []\n[[client]]\nname = \"tablet\"\nmatch = [\"192.168.1.20\"]\nprofile = \"child\"\n";
        fs::write(&file, text).expect("a writable folder");
        let settings = Settings::load(&file).expect("good settings").settings;
        let of = |client| {
            let args = args("a.example", client, folder.path());
            profile(&args, &settings, &[]).map(str::to_owned)
        };
        assert_eq!(of(Some("192.168.1.20")).as_deref(), Some("child"));
        assert_eq!(of(Some("192.168.1.21")).as_deref(), Some("default"));
        assert_eq!(of(None).as_deref(), Some("default"));
    }
}
