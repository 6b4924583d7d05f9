use super::*;
use clap::{CommandFactory, Parser};

/// As the program has it: `stairgate household ...`.
#[derive(Debug, Parser)]
pub(crate) struct Household {
    #[command(flatten)]
    pub args: Args,
}

pub(crate) fn words(line: &str) -> Vec<String> {
    let mut words = vec!["household".to_owned()];
    for (index, part) in line.split('"').enumerate() {
        match index % 2 {
            0 => words.extend(part.split_whitespace().map(str::to_owned)),
            _ => words.push(part.to_owned()),
        }
    }
    words
}

fn wanted(line: &str) -> Result<Wanted, String> {
    let parsed = Household::try_parse_from(words(line)).map_err(|error| error.to_string())?;
    parsed.args.wanted()
}

fn asked(line: &str) -> Result<Asked, String> {
    wanted(line).map(Wanted::household)
}

fn json(line: &str) -> String {
    match asked(line).unwrap() {
        Asked::Edit { edit } => serde_json::to_string(&edit).unwrap(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_command_tree_has_no_clashing_options() {
    Household::command().debug_assert();
}

#[test]
fn every_example_of_the_help_is_a_command() {
    let mut texts = Vec::new();
    fn collect(command: &clap::Command, texts: &mut Vec<String>) {
        texts.extend(command.get_after_help().map(ToString::to_string));
        for sub in command.get_subcommands() {
            collect(sub, texts);
        }
    }
    collect(&Household::command(), &mut texts);
    let mut count = 0;
    let texts: Vec<String> = texts.iter().map(|text| text.replace("\\\n", " ")).collect();
    for line in texts.iter().flat_map(|text| text.lines()) {
        if let Some(command) = line.trim().strip_prefix("stairgate household ") {
            assert!(wanted(command).is_ok(), "{command}: {:?}", wanted(command));
            count += 1;
        }
    }
    assert!(count > 25, "{count}");
}

#[test]
fn a_command_is_one_json_object() {
    for (line, expected) in [
        (
            "pause filter masha --for 30m",
            r#"{"edit":"pause","what":"filter","who":["masha"],"lasting":"30m"}"#,
        ),
        (
            "resume kids internet",
            r#"{"edit":"resume","who":["kids"],"what":"internet"}"#,
        ),
        (
            "grant masha internet --until 21:30",
            r#"{"edit":"grant","who":["masha"],"allow":["internet"],"until":"21:30"}"#,
        ),
        (
            "grant masha 30m of games",
            r#"{"edit":"minutes","who":["masha"],"minutes":"30m","quota":"games"}"#,
        ),
        (
            "grant masha +30m",
            r#"{"edit":"minutes","who":["masha"],"minutes":"+30m"}"#,
        ),
        (
            "grant masha 30 minutes more of computer games",
            r#"{"edit":"minutes","who":["masha"],"minutes":"30 minutes","quota":"computer games"}"#,
        ),
        (
            "grant masha 2ch.example --for 1h",
            r#"{"edit":"grant","who":["masha"],"allow":["2ch.example"],"lasting":"1h"}"#,
        ),
        (
            "allow once.example --for masha --hours 2",
            r#"{"edit":"own-name","list":"allow","name":"once.example","who":["masha"],"lasting":"2h"}"#,
        ),
        (
            "block bad.example",
            r#"{"edit":"own-name","list":"block","name":"bad.example"}"#,
        ),
        (
            "set group kids members --also tablet",
            r#"{"edit":"also","kind":"group","name":"kids","key":"members","values":["tablet"]}"#,
        ),
        (
            "set household timezone Europe/Moscow",
            r#"{"edit":"set","kind":"household","key":"timezone","value":"Europe/Moscow"}"#,
        ),
        (
            "add profile child --block adult,gambling --safe-search --bypass-guard",
            r#"{"edit":"add","kind":"profile","name":"child","keys":{"block":["adult","gambling"],"bypass_guard":true,"safe_search":true}}"#,
        ),
        (
            "add profile child --safe-search=google,bing",
            r#"{"edit":"add","kind":"profile","name":"child","keys":{"safe_search":["google","bing"]}}"#,
        ),
        ("remove grant masha --json", r#"{"edit":"revoke","who":["masha"]}"#),
        (
            "remove block bad.example --for masha",
            r#"{"edit":"forget-name","list":"block","name":"bad.example","who":["masha"]}"#,
        ),
        ("remove window #2", r##"{"edit":"remove","kind":"window","name":"#2"}"##),
    ] {
        assert_eq!(json(line), expected, "{line}");
        let back: Edit = serde_json::from_str(expected).unwrap();
        assert_eq!(serde_json::to_string(&back).unwrap(), expected);
    }
}

#[test]
fn an_edit_with_a_key_that_is_not_known_is_refused() {
    for bad in [
        r#"{"edit":"pause","what":"filter","who":["masha"],"untill":"21:00"}"#,
        r#"{"edit":"stop"}"#,
        "{}",
    ] {
        assert!(serde_json::from_str::<Edit>(bad).is_err(), "{bad}");
    }
}

#[test]
fn looks_and_steps_back_are_no_edits() {
    assert_eq!(asked("show").unwrap(), Asked::Show { who: None });
    assert_eq!(
        asked("show masha --json").unwrap(),
        Asked::Show {
            who: Some("masha".to_owned())
        }
    );
    assert_eq!(asked("history").unwrap(), Asked::History);
    assert_eq!(asked("undo").unwrap(), Asked::Undo { version: None });
    assert_eq!(asked("undo 12").unwrap(), Asked::Undo { version: Some(12) });
}

#[test]
fn what_a_command_line_lacks_is_said() {
    for (line, expected) in [
        (
            "set person masha",
            "which key? write it behind the name, as in `stairgate household set person masha KEY VALUE`",
        ),
        (
            "set person masha profile",
            "which value? write it behind the key profile",
        ),
        (
            "set group kids members masha --also petya",
            "a value and --also or --without are given; give a value to replace the list, or --also and --without to \
             change it",
        ),
        (
            "allow x.example --for 30m",
            "--for names a person here, and \"30m\" is a length of time; write --hours 1 or --until 21:00",
        ),
        (
            "grant masha 30m of games --for 1h",
            "minutes of a quota are given now and until its day or week ends, or until --until; leave --from and --for \
             away, or name what may be had, as in `stairgate household grant masha internet --for 30m`",
        ),
        (
            "remove pause masha",
            "a pause ends with `stairgate household resume masha`",
        ),
        (
            "remove person masha --for petya",
            "--for goes with `remove allow` and `remove block` only, not with a person",
        ),
        (
            "remove robot r2d2",
            "there is no kind \"robot\"; it is one of household, profile, person, device, group, window, quota, service, \
             client",
        ),
    ] {
        assert_eq!(asked(line).unwrap_err(), expected, "{line}");
    }
    assert!(
        asked("pause masha --for 30m")
            .unwrap_err()
            .contains("write filter or internet, and then for whom")
    );
    assert!(asked("pause filter masha --for 30m --until 21:00").is_err());
}

#[test]
fn a_number_with_a_length_that_requests_know_is_a_request_and_all_else_is_whoever_is_called_so() {
    for (line, how_long) in [
        ("grant 3", HowLong::Hour),
        ("grant 3 hour", HowLong::Hour),
        ("grant 3 Today", HowLong::Today),
        ("grant 3 for good", HowLong::ForGood),
    ] {
        assert_eq!(wanted(line).unwrap(), Wanted::Grant { request: 3, how_long }, "{line}");
    }
    assert!(matches!(wanted("grant 3 internet --for 30m"), Ok(Wanted::Household(_))));
    assert!(matches!(wanted("grant masha today"), Ok(Wanted::Household(_))));
    assert!(wanted("grant 3 today --for 30m").unwrap_err().contains("grant 3 hour"));
    assert_eq!(wanted("refuse 7").unwrap(), Wanted::Refuse { request: 7 });
    assert!(wanted("refuse masha").is_err());
    assert_eq!(wanted("requests --all").unwrap(), Wanted::Requests { all: true });
}
