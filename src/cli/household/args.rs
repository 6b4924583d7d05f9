//! `stairgate household ...` as it is typed, with the help that parents read.
//!
//! In: arguments. Out: what is asked ([`Asked`]): a look, an [`Edit`], the history, a step back.
//! Always: only forms are judged here; whether a name is there is for the household to say.
//! Fails: with one sentence, for what clap itself cannot tell.

mod things;

use crate::household::commands::Asked;
use crate::household::edit::{Edit, Given, Kind, OwnList, Pausable, when};
use crate::requests::HowLong;
use clap::Subcommand;
use std::path::PathBuf;

const EXAMPLES: &str = "\
A household from nothing:
  stairgate household add profile child --block adult --youtube strict
  stairgate household add person masha --name Masha --profile child
  stairgate household add device masha-phone --person masha --match 192.168.1.20
  stairgate household add device tablet --person masha --match 192.168.1.21
  stairgate household add quota games --for masha --of games --limit 1h --per day
  stairgate household add window --for masha --days \"school nights\" \\
    --from 21:00 --to 07:00 --block internet

Tonight:
  stairgate household grant masha 30m of games
  stairgate household grant masha internet --until 21:30
  stairgate household pause filter tablet --for 15m
  stairgate household undo";

/// Look at and change the household: who is who, what the children may see, and when.
///
/// Each change says in one sentence what is different now, takes hold at once where the server runs, and can be undone.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
    /// Print one JSON object
    #[arg(long, global = true)]
    pub json: bool,
    /// Settings file that names the household; without it the built-in home example's
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Tell who is who, with devices, hours, and what is granted until when
    Show {
        /// A person, device, group or profile; without it everybody
        who: Option<String>,
    },
    /// Add a person, device, group, profile, window, quota, service or client
    ///
    /// Where an option may name several things, put commas between them or give it again.
    #[command(subcommand)]
    Add(things::Add),
    /// Change one key: `set person masha profile teen`
    #[command(after_help = SET_EXAMPLES)]
    Set {
        /// person, device, group, profile, window, quota, service, client or household
        #[arg(value_parser = kind)]
        kind: Kind,
        /// NAME KEY VALUE..., as `show` names them; for the household KEY VALUE
        #[arg(value_name = "NAME KEY VALUE", num_args = 1.., required = true)]
        rest: Vec<String>,
        /// Put this on the list too, and leave the rest of it
        #[arg(long, value_name = "VALUE", conflicts_with = "without")]
        also: Vec<String>,
        /// Take this off the list, and leave the rest of it
        #[arg(long, value_name = "VALUE")]
        without: Vec<String>,
    },
    /// Take a key away, so that what goes without it goes: `unset person masha timezone`
    Unset {
        /// person, device, group, profile, window, quota, service, client or household
        #[arg(value_parser = kind)]
        kind: Kind,
        /// NAME KEY; for the household KEY
        #[arg(value_name = "NAME KEY", num_args = 1..=2, required = true)]
        rest: Vec<String>,
    },
    /// Remove a person, device, group, profile, window, quota, service or client; or a grant, an allowed or a blocked name
    #[command(after_help = REMOVE_EXAMPLES)]
    Remove {
        /// person, device, group, profile, window, quota, service, client, grant, allow or block
        kind: String,
        /// Its name; of a grant, whose it is
        name: String,
        /// Of an allowed or blocked name: a person, a group or profile:NAME
        #[arg(long = "for", value_name = "WHO")]
        who: Vec<String>,
    },
    /// Switch the filter or the internet off for a while
    #[command(after_help = PAUSE_EXAMPLES)]
    Pause {
        /// filter or internet
        #[arg(value_parser = pausable)]
        what: Pausable,
        /// A person, a device, a group, profile:NAME or everyone
        who: Vec<String>,
        #[command(flatten)]
        end: EndArgs,
    },
    /// End a pause before its time
    Resume {
        /// A person, a device, a group, profile:NAME or everyone
        who: String,
        /// filter or internet; without it both
        #[arg(value_parser = pausable)]
        what: Option<Pausable>,
    },
    /// Let somebody have something for a while, give more minutes of a quota, or say yes to what a child asked for
    #[command(after_help = GRANT_EXAMPLES)]
    Grant {
        /// A person, a device, a group, profile:NAME or everyone; or a number of `stairgate household requests`
        who: String,
        /// internet, services, categories or names; or minutes of a quota: 30m of games; for a request hour, today or good
        #[arg(value_name = "WHAT")]
        what: Vec<String>,
        /// Begin then, not now
        #[arg(long, value_name = "TIME")]
        from: Option<String>,
        #[command(flatten)]
        end: EndArgs,
    },
    /// List what children asked for on the block page and wait for an answer to
    Requests {
        /// Those that were granted or refused, too
        #[arg(long)]
        all: bool,
    },
    /// Say no to what a child asked for
    Refuse {
        /// Its number, as `stairgate household requests` tells it
        #[arg(value_name = "NUMBER")]
        request: u64,
    },
    /// Allow a name, and all below it
    #[command(after_help = NAME_EXAMPLES)]
    Allow(NameArgs),
    /// Block a name, and all below it
    #[command(after_help = NAME_EXAMPLES)]
    Block(NameArgs),
    /// List the last 50 versions: when, by whom, what was changed
    History,
    /// Go one version back; again: one further
    #[command(
        after_help = "`stairgate household undo 12` goes to version 12 of `stairgate household history`, \
                            also forward again to one that was undone."
    )]
    Undo {
        /// The number of a version to go to
        version: Option<u32>,
    },
}

#[derive(Debug, clap::Args)]
struct EndArgs {
    /// How long: 30m, 1h, 2 days
    #[arg(long = "for", value_name = "TIME", conflicts_with = "until")]
    lasting: Option<String>,
    /// To when: 21:00, "tomorrow 7:00", "friday 20:00", 2026-12-24T20:00
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
}

#[derive(Debug, clap::Args)]
struct NameArgs {
    /// Such as school.example; with = in front the name alone and nothing below it
    name: String,
    /// A person, a group or profile:NAME; without it the profile "default"
    #[arg(long = "for", value_name = "WHO")]
    who: Vec<String>,
    /// To when: 21:00, "tomorrow 7:00", "friday 20:00"; without it for good
    #[arg(long, value_name = "TIME", conflicts_with = "hours")]
    until: Option<String>,
    /// How many hours: 2; or how long: 30m
    #[arg(long, value_name = "N")]
    hours: Option<String>,
}

const SET_EXAMPLES: &str = "\
Examples:
  stairgate household set person masha profile teen
  stairgate household set profile child youtube strict
  stairgate household set device masha-phone match 192.168.1.20 fd00::20
  stairgate household set group kids members --also tablet
  stairgate household set window \"school nights\" from 20:30
  stairgate household set household timezone Europe/Moscow";

const REMOVE_EXAMPLES: &str = "\
Examples:
  stairgate household remove device tablet
  stairgate household remove grant masha
  stairgate household remove allow school.example --for masha";

const PAUSE_EXAMPLES: &str = "\
Examples:
  stairgate household pause filter masha --for 30m
  stairgate household pause internet kids --until 21:00";

const GRANT_EXAMPLES: &str = "\
Examples:
  stairgate household grant masha internet --for 30m
  stairgate household grant masha internet --from 21:00 --until 21:30
  stairgate household grant kids school.example --until \"friday 20:00\"
  stairgate household grant masha 30m of games
  stairgate household grant 3 today";

const NAME_EXAMPLES: &str = "\
Examples:
  stairgate household allow school.example --for masha
  stairgate household allow once.example --for masha --hours 2
  stairgate household block bad.example --for profile:child";

/// What a command line wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// The household shown, or changed.
    Household(Asked),
    /// What children asked for; `all`: what was granted or refused, too.
    Requests { all: bool },
    /// A request granted.
    Grant { request: u64, how_long: HowLong },
    /// A request refused.
    Refuse { request: u64 },
}

#[cfg(test)]
impl Wanted {
    /// What is asked of the household, which is nearly everything.
    pub fn household(self) -> Asked {
        match self {
            Wanted::Household(asked) => asked,
            other => panic!("{other:?} is not about the household"),
        }
    }
}

impl Args {
    /// What is wanted, or one sentence on what is wrong with the command line.
    pub fn wanted(self) -> Result<Wanted, String> {
        let asked = match self.action {
            Action::Requests { all } => return Ok(Wanted::Requests { all }),
            Action::Refuse { request } => return Ok(Wanted::Refuse { request }),
            Action::Grant { who, what, from, end } => match (who.parse(), how_long(&what)) {
                (Ok(request), Some(how_long)) => return granted(request, how_long, from.is_some() || end.is_given()),
                _ => Asked::from(grant(who, what, from, end)?),
            },
            Action::Show { who } => Asked::Show { who },
            Action::History => Asked::History,
            Action::Undo { version } => Asked::Undo { version },
            Action::Add(add) => Asked::from(add.edit()),
            Action::Set {
                kind,
                rest,
                also,
                without,
            } => Asked::from(set(kind, rest, also, without)?),
            Action::Unset { kind, rest } => {
                let (name, key, more) = name_and_key(kind, rest)?;
                match more.is_empty() {
                    true => Asked::from(Edit::Unset { kind, name, key }),
                    false => return Err(format!("unset takes no value; {:?} is too much", more.join(" "))),
                }
            }
            Action::Remove { kind, name, who } => Asked::from(remove(&kind, name, who)?),
            Action::Pause { what, who, end } => Asked::from(Edit::Pause {
                what,
                who,
                lasting: end.lasting,
                until: end.until,
            }),
            Action::Resume { who, what } => Asked::from(Edit::Resume { who: vec![who], what }),
            Action::Allow(args) => Asked::from(own_name(OwnList::Allow, args)?),
            Action::Block(args) => Asked::from(own_name(OwnList::Block, args)?),
        };
        Ok(Wanted::Household(asked))
    }
}

impl EndArgs {
    fn is_given(&self) -> bool {
        self.lasting.is_some() || self.until.is_some()
    }
}

fn granted(request: u64, how_long: HowLong, with_times: bool) -> Result<Wanted, String> {
    match with_times {
        false => Ok(Wanted::Grant { request, how_long }),
        true => Err(format!(
            "what a child asked for is granted for an hour, for today or for good; write `stairgate household grant {request} hour`, `today` or `good`"
        )),
    }
}

/// For how long a request is granted; without a word for an hour.
fn how_long(words: &[String]) -> Option<HowLong> {
    let words: Vec<String> = words.iter().map(|word| word.to_lowercase()).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        [] | ["hour"] | ["for", "an", "hour"] => Some(HowLong::Hour),
        ["today"] => Some(HowLong::Today),
        ["good"] | ["for", "good"] => Some(HowLong::ForGood),
        _ => None,
    }
}

/// NAME KEY VALUE...; of the household KEY VALUE...
fn name_and_key(kind: Kind, rest: Vec<String>) -> Result<(Option<String>, String, Vec<String>), String> {
    let mut rest = rest.into_iter();
    let name = if kind == Kind::Household { None } else { rest.next() };
    match rest.next() {
        Some(key) => Ok((name, key, rest.collect())),
        None => Err(format!(
            "which key? write it behind the name, as in `stairgate household set {} {} KEY VALUE`",
            kind.word(),
            name.unwrap_or_default()
        )),
    }
}

fn set(kind: Kind, rest: Vec<String>, also: Vec<String>, without: Vec<String>) -> Result<Edit, String> {
    let (name, key, mut values) = name_and_key(kind, rest)?;
    let changes = !also.is_empty() || !without.is_empty();
    if changes && !values.is_empty() {
        return Err(
            "a value and --also or --without are given; give a value to replace the list, or --also and --without \
             to change it"
                .to_owned(),
        );
    }
    Ok(match (also.is_empty(), without.is_empty(), values.len()) {
        (false, _, _) => Edit::Also {
            kind,
            name,
            key,
            values: also,
        },
        (_, false, _) => Edit::Without {
            kind,
            name,
            key,
            values: without,
        },
        (_, _, 0) => return Err(format!("which value? write it behind the key {key}")),
        (_, _, 1) => {
            let value = Given::Text(values.remove(0));
            Edit::Set { kind, name, key, value }
        }
        _ => {
            let value = Given::Many(values);
            Edit::Set { kind, name, key, value }
        }
    })
}

fn remove(word: &str, name: String, who: Vec<String>) -> Result<Edit, String> {
    let list = match word {
        "allow" => Some(OwnList::Allow),
        "block" => Some(OwnList::Block),
        _ => None,
    };
    if let Some(list) = list {
        return Ok(Edit::ForgetName { list, name, who });
    }
    if !who.is_empty() {
        return Err(format!(
            "--for goes with `remove allow` and `remove block` only, not with a {word}"
        ));
    }
    match word {
        "grant" => Ok(Edit::Revoke { who: vec![name] }),
        "pause" => Err(format!("a pause ends with `stairgate household resume {name}`")),
        word => Ok(Edit::Remove {
            kind: kind(word)?,
            name,
        }),
    }
}

/// Minutes of a quota if the first words are a length of time, else things.
fn grant(who: String, what: Vec<String>, from: Option<String>, end: EndArgs) -> Result<Edit, String> {
    let who = vec![who];
    let length = (1..=what.len()).rev().find(|count| {
        let words = what.get(..*count).unwrap_or_default();
        when::minutes(&words.join(" ")).is_some()
    });
    let Some(length) = length else {
        return Ok(Edit::Grant {
            who,
            allow: what,
            from,
            lasting: end.lasting,
            until: end.until,
        });
    };
    let (minutes, rest) = what.split_at(length);
    let minutes = minutes.join(" ");
    let rest: Vec<&str> = rest.iter().map(String::as_str).collect();
    let quota = match rest[..] {
        ["more", "of", ref quota @ ..] | ["of" | "more", ref quota @ ..] | ref quota => quota.join(" "),
    };
    if from.is_some() || end.lasting.is_some() {
        return Err(format!(
            "minutes of a quota are given now and until its day or week ends, or until --until; leave --from and --for \
             away, or name what may be had, as in `stairgate household grant {} internet --for {minutes}`",
            who.join(",")
        ));
    }
    Ok(Edit::Minutes {
        who,
        minutes,
        quota: Some(quota).filter(|quota| !quota.is_empty()),
        until: end.until,
    })
}

fn own_name(list: OwnList, args: NameArgs) -> Result<Edit, String> {
    if let Some(length) = args.who.iter().find(|who| when::minutes(who).is_some()) {
        return Err(format!(
            "--for names a person here, and {length:?} is a length of time; write --hours 1 or --until 21:00"
        ));
    }
    // A bare number is hours here, as the option says.
    let lasting = args
        .hours
        .map(|hours| match hours.bytes().all(|byte| byte.is_ascii_digit()) {
            true => format!("{hours}h"),
            false => hours,
        });
    Ok(Edit::OwnName {
        list,
        name: args.name,
        who: args.who,
        lasting,
        until: args.until,
    })
}

fn kind(text: &str) -> Result<Kind, String> {
    let word = text.to_lowercase();
    let found = Kind::ALL
        .into_iter()
        .find(|kind| kind.word() == word || format!("{}s", kind.word()) == word);
    found.ok_or_else(|| {
        let words: Vec<&str> = Kind::ALL.iter().map(|kind| kind.word()).collect();
        format!("there is no kind {text:?}; it is one of {}", words.join(", "))
    })
}

fn pausable(text: &str) -> Result<Pausable, String> {
    match text.to_lowercase().as_str() {
        "filter" => Ok(Pausable::Filter),
        "internet" => Ok(Pausable::Internet),
        _ => Err("write filter or internet, and then for whom".to_owned()),
    }
}

#[cfg(test)]
mod tests;
