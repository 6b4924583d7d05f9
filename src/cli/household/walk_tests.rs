//! The sentence of a parent, by commands alone: from an empty household to the file, and what each command says.

use crate::cli::household::args::Args;
use crate::household::commands::Asked;
use crate::household::edit::{Around, Words, apply_to_text};
use clap::Parser;
use jiff::Timestamp;
use jiff::tz::TimeZone;

#[derive(Debug, Parser)]
struct Household {
    #[command(flatten)]
    args: Args,
}

fn run(text: &mut String, line: &str, now: &str) -> String {
    let mut words = vec!["household".to_owned()];
    for (index, part) in line.split('"').enumerate() {
        match index % 2 {
            0 => words.extend(part.split_whitespace().map(str::to_owned)),
            _ => words.push(part.to_owned()),
        }
    }
    let asked = Household::try_parse_from(words)
        .unwrap()
        .args
        .wanted()
        .unwrap()
        .household();
    let Asked::Edit { edit } = asked else {
        panic!("{line} is no edit")
    };
    let now: Timestamp = now.parse().unwrap();
    let zone = TimeZone::get("Europe/Moscow").unwrap();
    let known = Words {
        categories: ["adult", "gambling"].map(str::to_owned).to_vec(),
        services: ["games", "tiktok", "video"].map(str::to_owned).to_vec(),
        ..Words::default()
    };
    let around = Around {
        now,
        system_zone: &zone,
        zone: &|name| TimeZone::get(name).ok(),
        words: &known,
        beginning: "",
    };
    let (after, changed) = apply_to_text(text, &edit, &around).unwrap_or_else(|error| panic!("{line}: {error}"));
    *text = after;
    changed.to_string()
}

#[test]
fn a_parent_says_it_all_by_commands_from_an_empty_household() {
    let mut text = String::new();
    let monday_evening = "2026-11-30T17:00:00Z";
    for (line, says) in [
        (
            "add profile child --block adult --youtube strict",
            "profile child is new: blocks adult; YouTube strict",
        ),
        (
            "add person masha --name Masha --profile child",
            "Masha is now part of this household, with profile child",
        ),
        (
            "add device masha-phone --person masha --match 192.168.1.20",
            "device masha-phone (192.168.1.20) now belongs to Masha",
        ),
        (
            "add device tablet --person masha --match 192.168.1.21",
            "device tablet (192.168.1.21) now belongs to Masha",
        ),
        (
            "add quota games --for masha --of games --limit 1h --per day",
            "quota games is new: Masha may have games for 1h a day",
        ),
        (
            "add window --for masha --days \"school nights\" --from 21:00 --to 07:00 --block internet",
            "window school nights is new: no internet for Masha, school nights 21:00 to 07:00",
        ),
        (
            "grant masha 30m of games",
            "Masha has 30 more minutes of games until Tuesday 04:00",
        ),
        (
            "grant masha internet --from 21:00 --for 30m",
            "Masha may have the internet from 21:00 until 21:30",
        ),
    ] {
        assert_eq!(run(&mut text, line, monday_evening), says, "{line}");
    }
    assert_eq!(text, include_str!("walk.toml"));
    // Later that week the first command sweeps out what has ended.
    assert_eq!(
        run(&mut text, "pause filter tablet --for 15m", "2026-12-03T17:00:01Z"),
        "the filter is off for tablet until 20:16; 2 grants that had ended were removed"
    );
    assert!(!text.contains("[[grant]]"), "{text}");
}
