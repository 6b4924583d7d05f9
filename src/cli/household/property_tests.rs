//! Random commands on a commented household: lines that a command is not about come out as they went in, in their order.

use crate::cli::household::args::{Args, Wanted};
use crate::household::commands::Asked;
use crate::household::edit::{Around, Edit, Words, apply_to_text};
use crate::household::shape::Household as Shape;
use clap::Parser;
use jiff::tz::TimeZone;
use proptest::prelude::*;

const COMMENTED: &str = r#"# The household of the tests.
# Two lines of it.

version = 1   # of the format
timezone = "Europe/Moscow"	# a tab before this

#### profiles ####

# for everybody
[profile.default]
block = [] # nothing yet

# the small ones
  [profile.child]   # indented, for whatever reason
base = 'default'
block = [
  "adult",     # never
  # gambling is asked for at school
  "gambling",
]
allow = ["school.example", { name = "once.example", until = "2026-12-24T22:00" }]   # homework

# -- films --

# youtube = "moderate"
youtube = "strict"

[profile.spare]
deny = [
  'one.example', # the first
  'two.example' # the last
]
types = [
  "HTTPS", # no hints
]

# persons, and whose is what

[person.masha]
name = "Masha"   # Maria on paper
profile = "child"

[person."petya"]
profile="child"
# a comment at the end of petya

[[device]]
name = "masha-phone"
person = "masha"
match = ["192.168.1.20", "fd00::20"] # fixed in the router

  # indented comment of the tablet
[[device]]
name = "tablet"
person = "petya"
match = [
  "192.168.1.21" ] # no comma
[[group]]
name = "kids"
members = ["masha", 'petya']

# hours

# bed
[[window]]
name = "bed"
for = "kids"
days = "school nights"
from = "21:00"
to = "07:00"
block = ["internet"] # all of it

[[window]]
for = ["masha", "tablet"]
from = "13:00"
to = "14:00"
allow = ["games"]

[[quota]]
name = "games"
for = ["masha"] # only her
of = ["games"]
limit = "1h"
per = "day"

# no hints

# for the trip
[[pause]]
for = ["kids"]
what = "filter"
until = "2026-11-30T21:00"

[service.club]
names = ["chess.example"]

# the end
"#;

/// Every sort of command, some of which fail in some states.
const COMMANDS: &[&str] = &[
    "add profile teen --base child --services tiktok",
    "add person zoe --profile child",
    "add person zoe --profile teen --name Zoe",
    "add device console --person zoe --match 192.168.1.40",
    "add device tv --profile default --match 192.168.1.30 --match fd00::30",
    "add group grown tv",
    "add window --for kids --from 12:00 --to 13:00 --block video",
    "add quota video --for kids --of video --limit 2h --per week",
    "add service lego --names lego.example",
    "set household timezone Europe/Berlin",
    "unset household timezone",
    "set person masha profile spare",
    "set person masha name Maria",
    "set person petya timezone Asia/Yekaterinburg",
    "unset person masha name",
    "set profile child youtube moderate",
    "unset profile child youtube",
    "unset profile child base",
    "set profile child block --also drugs",
    "set profile child block --without adult",
    "set profile child block --without gambling",
    "set profile spare deny --also three.example",
    "set profile spare deny --without two.example",
    "set profile spare deny --without one.example",
    "set profile spare types --also AAAA",
    "set device tablet match --also 192.168.1.22",
    "set device tablet match --without 192.168.1.21",
    "set device masha-phone match 192.168.1.50",
    "set device tablet profile spare",
    "set group kids members --also tv",
    "set group kids members --without petya",
    "set window bed from 20:30",
    "set window bed for --also tablet",
    "set window #2 days weekend",
    "set quota games limit 90m",
    "remove profile spare",
    "remove person petya",
    "remove device tablet",
    "remove group kids",
    "remove window bed",
    "remove window #1",
    "remove quota games",
    "remove service club",
    "remove grant masha",
    "pause filter masha --for 30m",
    "pause internet kids --until 21:00",
    "pause filter kids --until 22:00",
    "resume kids",
    "resume masha",
    "grant masha internet --for 30m",
    "grant kids school.example --until 23:00",
    "grant masha 30m of games",
    "grant kids +15m",
    "allow school.example --for masha",
    "allow twice.example --for profile:child --hours 2",
    "allow club.example",
    "block once.example --for profile:child",
    "block bad.example --for kids",
    "remove allow school.example --for profile:child",
    "remove block bad.example --for masha",
];

#[derive(Debug, Parser)]
struct Household {
    #[command(flatten)]
    args: Args,
}

fn edit(line: &str) -> Edit {
    let words = format!("household {line}");
    match Household::try_parse_from(words.split_whitespace())
        .unwrap()
        .args
        .wanted()
    {
        Ok(Wanted::Household(Asked::Edit { edit })) => edit,
        other => panic!("{line}: {other:?}"),
    }
}

/// A table with the comment directly above it, its keys, and the name by which edits call it.
struct Block<'t> {
    name: String,
    lines: Vec<&'t str>,
}

fn blocks(text: &str) -> Vec<Block<'_>> {
    let mut blocks = vec![Block {
        name: "household".to_owned(),
        lines: Vec::new(),
    }];
    let mut comment: Vec<&str> = Vec::new();
    for line in text.lines() {
        let trimmed = line.trim();
        let block = blocks.last_mut().unwrap();
        if trimmed.starts_with('#') && !in_list(&block.lines) {
            comment.push(line);
        } else if trimmed.starts_with('[') && !in_list(&block.lines) {
            let header = trimmed.split('#').next().unwrap().replace(['[', ']', '"'], "");
            let mut lines = std::mem::take(&mut comment);
            lines.push(line);
            blocks.push(Block {
                name: header.trim().to_owned(),
                lines,
            });
        } else {
            // A comment with a blank line or a key below it is of the table above it.
            block.lines.append(&mut comment);
            block.lines.push(line);
            if let Some(name) = trimmed.strip_prefix("name = ")
                && !block.name.contains(['.', ':'])
            {
                block.name.push(':');
                block
                    .name
                    .push_str(name.split('#').next().unwrap().trim().trim_matches('"'));
            }
        }
    }
    blocks.last_mut().unwrap().lines.append(&mut comment);
    blocks
}

/// Within a list of several lines.
fn in_list(lines: &[&str]) -> bool {
    let code = |line: &&str| line.split('#').next().unwrap().to_owned();
    let keys: String = lines.iter().skip_while(|line| !line.contains('=')).map(code).collect();
    keys.matches('[').count() > keys.matches(']').count()
}

/// Whether an edit may change a block.
fn about(edit: &Edit, block: &str, swept: bool) -> bool {
    let (kind, _) = block.split_once(['.', ':']).unwrap_or((block, ""));
    let whose = |who: &[String]| {
        who.iter().any(|who| match who.strip_prefix("profile:") {
            Some(profile) => block == format!("profile.{profile}"),
            None => block == format!("person.{who}") || (who == "kids" && kind == "person"),
        }) || (who.is_empty() && block == "profile.default")
    };
    if swept && matches!(kind, "grant" | "pause" | "person" | "profile") {
        return true;
    }
    match edit {
        Edit::Add { .. } => false,
        Edit::Set { kind: of, name, .. }
        | Edit::Also { kind: of, name, .. }
        | Edit::Without { kind: of, name, .. }
        | Edit::Unset { kind: of, name, .. } => {
            let name = name.clone().unwrap_or_default();
            block == of.word()
                || block == format!("{}.{name}", of.word())
                || block == format!("{}:{name}", of.word())
                || (name.starts_with('#') && kind == "window")
        }
        Edit::Remove { kind: of, name } => {
            block == format!("{}.{name}", of.word())
                || block == format!("{}:{name}", of.word())
                || (name.starts_with('#') && kind == "window")
        }
        Edit::Pause { .. } | Edit::Resume { .. } => kind == "pause",
        Edit::Grant { .. } | Edit::Minutes { .. } | Edit::Revoke { .. } => kind == "grant",
        Edit::OwnName { who, .. } | Edit::ForgetName { who, .. } => whose(who),
    }
}

/// The lines that a key of the edit's own table takes, with the comment directly above it where it is taken away.
fn touched<'t>(text: &'t str, edit: &Edit, key: &str) -> Vec<&'t str> {
    // A device that gets a person loses its profile, and the other way round.
    let keys = match key {
        "person" | "profile" => vec!["person", "profile"],
        key => vec![key],
    };
    let mut touched = Vec::new();
    for block in blocks(text) {
        if !about(edit, &block.name, false) {
            continue;
        }
        let mut inside = false;
        for (index, line) in block.lines.iter().enumerate() {
            let bare = line.trim();
            let begins = keys.iter().any(|key| {
                let rest = bare.strip_prefix(key).map(str::trim_start);
                rest.is_some_and(|rest| rest.starts_with('='))
            });
            if begins && matches!(edit, Edit::Unset { .. }) {
                let above = block.lines.iter().take(index).rev();
                touched.extend(above.copied().take_while(|line| line.trim().starts_with('#')));
            }
            let within = inside && in_list(&block.lines[..index]);
            inside = begins || within;
            // Of a list of several lines only those of its words, and the one that gets a comma.
            let code = line.split('#').next().unwrap_or_default().trim();
            let own = match edit {
                Edit::Also { values, .. } | Edit::Without { values, .. } if within || code.ends_with('[') => {
                    let named = values.iter().any(|value| code.contains(value.as_str()));
                    let last = matches!(edit, Edit::Also { .. }) && !code.ends_with([',', '[']) && code != "]";
                    named || last || code.ends_with(']') && code.len() > 1
                }
                _ => true,
            };
            if inside && own {
                touched.push(line);
            }
        }
    }
    touched
}

/// Whether the lines are in the text, in this order.
fn missing<'l>(lines: &[&'l str], text: &str) -> Option<&'l str> {
    let mut rest = text.lines();
    lines.iter().copied().find(|line| !rest.any(|other| other == *line))
}

fn run(commands: &[usize], minutes: &[i64], dense: bool) -> Result<(), TestCaseError> {
    let mut text = COMMENTED.to_owned();
    if dense {
        text = text.replace("\n\n[", "\n[");
    }
    let zone = TimeZone::UTC;
    let words = Words::default();
    let mut now: jiff::Timestamp = "2026-11-30T17:00:00Z".parse().unwrap();
    for (command, minutes) in commands.iter().zip(minutes) {
        now += jiff::SignedDuration::from_mins(*minutes);
        let line = COMMANDS[command % COMMANDS.len()];
        let edit = edit(line);
        let around = Around {
            now,
            system_zone: &zone,
            zone: &|name| TimeZone::get(name).ok(),
            words: &words,
            beginning: "",
        };
        let Ok((after, changed)) = apply_to_text(&text, &edit, &around) else {
            continue;
        };
        prop_assert!(Shape::read(&after).is_ok(), "{line}\n{after}");
        prop_assert!(!after.contains("\n\n\n"), "{line}\n{after}");
        let kept: Vec<&str> = blocks(&text)
            .iter()
            .filter(|block| !about(&edit, &block.name, changed.swept.is_some()))
            .flat_map(|block| block.lines.clone())
            .filter(|line| !line.trim().is_empty())
            .collect();
        let kept = match &edit {
            Edit::Set { key, .. } | Edit::Also { key, .. } | Edit::Without { key, .. } | Edit::Unset { key, .. }
                if changed.swept.is_none() =>
            {
                let touched = touched(&text, &edit, key);
                text.lines()
                    .filter(|line| !line.trim().is_empty() && !touched.contains(line))
                    .collect()
            }
            _ => kept,
        };
        if let Some(lost) = missing(&kept, &after) {
            return Err(TestCaseError::fail(format!(
                "{line}: lost {lost:?}\n--- before\n{text}\n--- after\n{after}"
            )));
        }
        if matches!(
            edit,
            Edit::Set { .. } | Edit::Also { .. } | Edit::OwnName { .. } | Edit::Add { .. } | Edit::Grant { .. }
        ) && changed.swept.is_none()
        {
            let comments: Vec<&str> = text
                .lines()
                .filter_map(|line| line.split_once('#'))
                .map(|(_, text)| text)
                .collect();
            let lost = comments.iter().find(|comment| !after.contains(*comment));
            prop_assert!(lost.is_none(), "{line}: lost {lost:?}\n{after}");
        }
        text = after;
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn lines_that_a_command_is_not_about_stay_as_they_are(
        commands in prop::collection::vec(0usize..1000, 1..14),
        minutes in prop::collection::vec(0i64..200, 14),
        dense: bool,
    ) {
        run(&commands, &minutes, dense)?;
    }
}

/// Households in forms that nobody writes but TOML knows, and some that are none.
const PIECES: &[&str] = &[
    "",
    "# only a comment",
    "version = 1\r\n",
    "\u{feff}version = 1\n",
    "person = { masha = { profile = 'child', allow = ['a.example'] } }\n",
    "person.masha.profile = 'child'\nperson.masha.name = 'Masha'\n",
    "device = [{ name = 'masha-phone', person = 'masha', match = ['192.168.1.20'] }]\n",
    "grant = []\npause = []\n",
    "group = [\n  { name = 'kids', members = ['masha'] }, # ours\n]\n",
    "[person]\nmasha.profile = 'child'\nmasha.deny = [ ]\n",
    "[person]\n[person.masha]\nprofile = 'child'\n",
    "[profile]\nchild = { block = [] }\ndefault = {}\n",
    "[profile.child]\nblock = []",
    "[profile.\"child\"]\n[profile.default]\n[profile.spare]\n",
    "  [[device]]\n  name = 'masha-phone'\n  person = 'masha'\n  match = [\n# x\n'192.168.1.20'\n# y\n]\n",
    "[[window]]\nname = 'bed'\nfor = 'masha'\nfrom = '21:00'\nto = '07:00'\nblock = ['internet']\n",
    "[[quota]]\nname = 'games'\nfor = 'everyone'\nof = ['games']\nlimit = '1h'\n",
    "[[pause]]\nfor = 'masha'\nwhat = 'filter'\nuntil = 'never'\n",
    "[[pause]]\nfor = []\nwhat = 'filter'\nuntil = '2026-11-30T00:00'\n",
    "[[grant]]\nfor = ['nobody']\nquota = 'games'\nminutes = 5\n",
    "[[grant]]\nfor = ['masha']\nallow = ['internet']\nuntil = '2000-01-01T00:00'\n",
    "[window.odd]\n",
    "[[person]]\n",
    "[service.club]\nnames = []\n[service.club.more]\nx = 1\n",
    "timezone = 'Nowhere'\n",
    "key = [\n",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_household_however_odd_makes_a_command_panic_or_break_it(
        pieces in prop::collection::vec(0..PIECES.len(), 1..6),
        commands in prop::collection::vec(0..COMMANDS.len(), 1..8),
    ) {
        let mut text: String = pieces.iter().map(|piece| PIECES[*piece]).collect();
        let (zone, words) = (TimeZone::UTC, Words::default());
        let around = Around {
            now: "2026-11-30T17:00:00Z".parse().unwrap(),
            system_zone: &zone,
            zone: &|name| TimeZone::get(name).ok(),
            words: &words, beginning: "",
        };
        for command in commands {
            let line = COMMANDS[command];
            match apply_to_text(&text, &edit(line), &around) {
                Ok((after, _)) => {
                    prop_assert!(Shape::read(after.trim_start_matches('\u{feff}')).is_ok(), "{line}\n{after}");
                    text = after;
                }
                Err(error) => prop_assert!(!matches!(error, crate::household::edit::EditError::Broken(_)), "{line}: {error}\n{text}"),
            }
            let _ = crate::household::show::view(&text, None, &around).map(|view| view.to_string());
        }
    }
}

#[test]
fn every_command_of_the_property_succeeds_in_some_state() {
    let zone = TimeZone::UTC;
    let words = Words::default();
    let around = Around {
        now: "2026-11-30T17:00:00Z".parse().unwrap(),
        system_zone: &zone,
        zone: &|name| TimeZone::get(name).ok(),
        words: &words,
        beginning: "",
    };
    // What some need first.
    let first = [
        "add profile teen --base child",
        "add person zoe --profile child",
        "add device tv --profile default --match 192.168.1.30",
        "pause filter masha --for 30m",
        "grant masha internet --for 30m",
        "add quota shared --for kids --of video --limit 2h",
        "block bad.example --for kids",
        "set device tablet match --also 192.168.1.99",
        "add person solo --profile child",
    ];
    for line in COMMANDS {
        let mut text = COMMENTED.to_owned();
        let alone = apply_to_text(&text, &edit(line), &around);
        if alone.is_ok() {
            continue;
        }
        let mut last = String::new();
        let mut done = false;
        for before in first {
            if let Ok((after, _)) = apply_to_text(&text, &edit(before), &around) {
                text = after;
            }
            match apply_to_text(&text, &edit(line), &around) {
                Ok(_) => done = true,
                Err(error) => last = error.to_string(),
            }
        }
        // These two are refused as long as somebody has what they are about, as they should be.
        let refused = ["remove person petya", "remove group kids", "remove device tablet"];
        assert!(done || refused.contains(line), "{line}: {last}");
    }
}
