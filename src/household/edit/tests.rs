use super::*;

pub(super) const HOUSEHOLD: &str = r#"version = 1
timezone = "Europe/Moscow"

[profile.default]
block = []

[profile.child]
base = "default"
block = ["adult"]
services = ["club"]

[person.masha]
name = "Masha"
profile = "child"

[person.petya]
profile = "child"
timezone = "Asia/Yekaterinburg"

[[device]]
name = "masha-phone"
person = "masha"
match = ["192.168.1.20"]

[[device]]
name = "tv"
profile = "default"
match = ["192.168.1.30"]

[[group]]
name = "kids"
members = ["masha", "petya"]

[[window]]
for = ["kids"]
days = "school nights"
from = "21:00"
to = "07:00"
block = ["internet"]

[[quota]]
name = "games"
for = ["masha"]
of = ["games"]
limit = "1h"
per = "day"

[[quota]]
name = "video"
for = ["kids"]
of = ["video"]
limit = "5h"
per = "week"

[service.club]
names = ["chess.example"]
"#;

/// Monday, 20:00 in Moscow.
pub(super) const NOW: &str = "2026-11-30T17:00:00Z";

pub(super) fn known() -> Words {
    let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
    Words {
        categories: words(&["adult", "gambling"]),
        allow_lists: words(&["school-list"]),
        services: words(&["games", "tiktok", "video", "youtube"]),
        engines: words(&["google", "bing"]),
    }
}

pub(super) fn at(text: &str, edit: &str, now: &str) -> Result<(String, String), String> {
    let edit: Edit = serde_json::from_str(edit).unwrap_or_else(|error| panic!("{edit}: {error}"));
    let (zone, words) = (TimeZone::UTC, known());
    let around = Around {
        now: now.parse().unwrap(),
        system_zone: &zone,
        zone: &|name| TimeZone::get(name).ok(),
        words: &words,
        beginning: "",
    };
    match apply_to_text(text, &edit, &around) {
        Ok((text, changed)) => Ok((text, changed.to_string())),
        Err(error) => Err(error.to_string()),
    }
}

pub(super) fn says(edit: &str) -> String {
    at(HOUSEHOLD, edit, NOW).unwrap().1
}

pub(super) fn wrong(edit: &str) -> String {
    match at(HOUSEHOLD, edit, NOW) {
        Err(sentence) => sentence,
        Ok((text, sentence)) => panic!("{sentence}\n{text}"),
    }
}

/// The lines that are new, and those that are gone, with a minus.
pub(super) fn difference(before: &str, after: &str) -> Vec<String> {
    let gone = before.lines().filter(|line| !after.lines().any(|other| other == *line));
    let new = after.lines().filter(|line| !before.lines().any(|other| other == *line));
    gone.map(|line| format!("-{line}"))
        .chain(new.map(str::to_owned))
        .collect()
}

#[test]
fn the_sentences_of_the_evening() {
    for (edit, expected) in [
        (
            r#"{"edit":"pause","what":"filter","who":["masha"],"lasting":"30m"}"#,
            "the filter is off for Masha until 20:30",
        ),
        (
            r#"{"edit":"pause","what":"internet","who":["kids"],"until":"21:00"}"#,
            "the internet is off for group kids until 21:00",
        ),
        (
            r#"{"edit":"pause","what":"internet","who":["petya"],"until":"23:00"}"#,
            "the internet is off for petya until 23:00",
        ),
        (
            r#"{"edit":"grant","who":["masha"],"allow":["internet"],"until":"21:30"}"#,
            "Masha may have the internet until 21:30",
        ),
        (
            r#"{"edit":"grant","who":["Masha","petya"],"allow":["games","school.example"],"lasting":"2h"}"#,
            "Masha and petya may have games and school.example until 22:00",
        ),
        (
            r#"{"edit":"minutes","who":["masha"],"minutes":"30m","quota":"games"}"#,
            "Masha has 30 more minutes of games until Tuesday 04:00",
        ),
        (
            r#"{"edit":"minutes","who":["petya"],"minutes":"+1h"}"#,
            "petya has 60 more minutes of video until 2026-12-07 04:00",
        ),
        (
            r#"{"edit":"own-name","list":"allow","name":"https://school.example/x","who":["masha"]}"#,
            "school.example is now allowed for Masha",
        ),
        (
            r#"{"edit":"own-name","list":"block","name":"bad.example"}"#,
            "bad.example is now blocked for profile default",
        ),
        (
            r#"{"edit":"own-name","list":"block","name":"bad.example","who":["kids"],"lasting":"2h"}"#,
            "bad.example is now blocked for Masha and petya until 22:00",
        ),
        (
            r#"{"edit":"set","kind":"person","name":"masha","key":"profile","value":"default"}"#,
            "Masha: profile is now default; it was child",
        ),
        (
            r#"{"edit":"set","kind":"profile","name":"child","key":"safe-search","value":["google"]}"#,
            "profile child: safe_search is now google",
        ),
        (
            r#"{"edit":"set","kind":"profile","name":"child","key":"bypass_guard","value":"yes"}"#,
            "profile child: bypass_guard is now on",
        ),
        (
            r#"{"edit":"set","kind":"device","name":"tv","key":"person","value":"masha"}"#,
            "device tv: person is now masha, and no longer has a profile of its own",
        ),
        (
            r#"{"edit":"also","kind":"device","name":"tv","key":"match","values":["fd00::30"]}"#,
            "device tv: match now has fd00::30 too: 192.168.1.30, fd00::30",
        ),
        (
            r#"{"edit":"without","kind":"group","name":"kids","key":"members","values":["petya"]}"#,
            "group kids: members is now masha; petya is gone",
        ),
        (
            r#"{"edit":"unset","kind":"person","name":"petya","key":"timezone"}"#,
            "petya: timezone is gone; it was Asia/Yekaterinburg",
        ),
        (
            r#"{"edit":"remove","kind":"window","name":"1"}"#,
            "window 1 is no longer part of this household",
        ),
        (
            r#"{"edit":"set","kind":"household","key":"timezone","value":"Europe/Berlin"}"#,
            "the household: timezone is now Europe/Berlin; it was Europe/Moscow",
        ),
        (
            r#"{"edit":"add","kind":"group","name":"all","keys":{"members":["masha","tv"]}}"#,
            "group all is now Masha and tv",
        ),
        (
            r#"{"edit":"add","kind":"service","name":"lego","keys":{"names":["lego.example"]}}"#,
            "service lego is new: lego.example",
        ),
    ] {
        assert_eq!(says(edit), expected, "{edit}");
    }
}

#[test]
fn what_is_not_readable_is_left_alone() {
    let edit = r#"{"edit":"own-name","list":"allow","name":"x.example"}"#;
    let broken = at("version = 1\n[person.masha\n", edit, NOW).unwrap_err();
    assert!(
        broken.starts_with("the household is not readable as it stands (line 2: "),
        "{broken}"
    );
    let odd = at("[person.masha]\nprofile = 3\n", edit, NOW).unwrap_err();
    assert!(
        odd.starts_with("the household is not readable as it stands (line 2: "),
        "{odd}"
    );
    assert!(odd.ends_with("or go back with `stairgate household undo`"), "{odd}");
}

#[test]
fn a_second_pause_or_grant_of_the_same_takes_the_place_of_the_first() {
    let (first, _) = at(
        HOUSEHOLD,
        r#"{"edit":"grant","who":["masha"],"allow":["internet"],"until":"22:00"}"#,
        NOW,
    )
    .unwrap();
    let (second, _) = at(
        &first,
        r#"{"edit":"grant","who":["masha"],"allow":["internet"],"until":"21:00"}"#,
        NOW,
    )
    .unwrap();
    assert_eq!(
        difference(&first, &second),
        ["-until = \"2026-11-30T22:00\"", "until = \"2026-11-30T21:00\""]
    );
    let minutes = r#"{"edit":"minutes","who":["masha"],"minutes":"30m","quota":"games"}"#;
    let (once, _) = at(HOUSEHOLD, minutes, NOW).unwrap();
    let (twice, _) = at(&once, minutes, NOW).unwrap();
    assert_eq!(twice.matches("minutes = 30").count(), 2);
}

#[test]
fn resume_ends_what_was_paused_and_tells_of_a_pause_by_another_word() {
    let pause = r#"{"edit":"pause","what":"filter","who":["kids"],"lasting":"30m"}"#;
    let (paused, _) = at(HOUSEHOLD, pause, NOW).unwrap();
    assert_eq!(
        at(&paused, r#"{"edit":"resume","who":["masha"]}"#, NOW).unwrap_err(),
        "Masha has no pause of their own, but there is one for group kids; run `stairgate household resume kids`"
    );
    let (resumed, says) = at(&paused, r#"{"edit":"resume","who":["kids"]}"#, NOW).unwrap();
    assert_eq!(
        (resumed.as_str(), says.as_str()),
        (HOUSEHOLD, "the filter is on again for group kids")
    );
    let both = r#"{"edit":"pause","what":"internet","who":["masha","petya"],"lasting":"30m"}"#;
    let (paused, _) = at(HOUSEHOLD, both, NOW).unwrap();
    let (left, says) = at(&paused, r#"{"edit":"resume","who":["masha"]}"#, NOW).unwrap();
    assert_eq!(says, "the internet is on again for Masha");
    assert!(left.contains("[[pause]]\nfor = [\"petya\"]\n"), "{left}");
}

#[test]
fn what_has_ended_is_swept_out_by_the_next_edit_and_nothing_else_is() {
    let old = format!(
        "{}{}",
        HOUSEHOLD
            .replace(
                "name = \"Masha\"",
                "name = \"Masha\"\nallow = [\"a.example\", {{ name = \"b.example\", until = \"2026-11-30T19:00\" }}]"
            )
            .replace("{{", "{")
            .replace("}}", "}"),
        "\n# for the trip\n[[pause]]\nfor = [\"masha\"]\nwhat = \"filter\"\nuntil = \"2026-11-30T20:00\"\n\n\
         [[grant]]\nfor = [\"petya\"]\nallow = [\"internet\"]\nuntil = \"2026-11-30T21:00\"\n\n\
         [[grant]]\nfor = [\"masha\"]\nallow = [\"internet\"]\nuntil = \"2026-11-30T21:00\"\n"
    );
    let edit = r#"{"edit":"own-name","list":"block","name":"bad.example"}"#;
    let (after, says) = at(&old, edit, NOW).unwrap();
    // It is 22:00 where petya lives.
    assert_eq!(
        says,
        "bad.example is now blocked for profile default; 1 grant, 1 pause and 1 name that had ended were removed"
    );
    assert!(after.contains("allow = [\"a.example\"]\n"), "{after}");
    assert!(!after.contains("trip") && !after.contains("petya\"]\nallow"), "{after}");
    assert!(after.contains("[[grant]]\nfor = [\"masha\"]\n"), "{after}");
}

#[test]
fn a_name_is_on_one_list_and_the_last_word_counts() {
    let allow = r#"{"edit":"own-name","list":"allow","name":"x.example","who":["masha"]}"#;
    let block = r#"{"edit":"own-name","list":"block","name":"x.example","who":["masha"]}"#;
    let (allowed, _) = at(HOUSEHOLD, allow, NOW).unwrap();
    let (same, says) = at(&allowed, allow, NOW).unwrap();
    assert_eq!(
        (same, says.as_str()),
        (allowed.clone(), "x.example is allowed for Masha, as it was")
    );
    let (blocked, says) = at(&allowed, block, NOW).unwrap();
    assert_eq!(says, "x.example is now blocked for Masha, and no longer allowed");
    assert_eq!(
        difference(&allowed, &blocked),
        ["-allow = [\"x.example\"]", "allow = []", "deny = [\"x.example\"]"]
    );
    let forget = r#"{"edit":"forget-name","list":"block","name":"x.example","who":["masha"]}"#;
    let (_, says) = at(&blocked, forget, NOW).unwrap();
    assert_eq!(
        says,
        "x.example is no longer on the block list of Masha; what the profile and its lists say counts again"
    );
}

#[test]
fn a_grant_for_a_group_in_two_zones_is_written_with_its_offset() {
    let edit = r#"{"edit":"grant","who":["kids"],"allow":["internet"],"until":"21:00"}"#;
    let (after, says) = at(HOUSEHOLD, edit, NOW).unwrap();
    assert_eq!(says, "group kids may have the internet until 21:00");
    assert!(after.contains("until = \"2026-11-30T21:00:00+03:00\"\n"), "{after}");
}

#[test]
fn line_ends_and_the_mark_of_an_editor_stay() {
    let text = format!("\u{feff}{}", HOUSEHOLD.replace('\n', "\r\n"));
    let edit = r#"{"edit":"set","kind":"person","name":"masha","key":"profile","value":"default"}"#;
    let (after, _) = at(&text, edit, NOW).unwrap();
    let (plain, _) = at(HOUSEHOLD, edit, NOW).unwrap();
    assert_eq!(after, format!("\u{feff}{}", plain.replace('\n', "\r\n")));
}

#[test]
fn a_new_name_for_a_thing_that_others_name_is_refused() {
    let rename = |kind: &str, old: &str, new: &str| {
        let edit = format!(r#"{{"edit":"set","kind":"{kind}","name":"{old}","key":"name","value":"{new}"}}"#);
        at(HOUSEHOLD, &edit, NOW).map(|(_, says)| says)
    };
    assert_eq!(
        rename("device", "tv", "screen").unwrap(),
        "device tv: name is now screen; it was tv"
    );
    assert_eq!(
        rename("person", "masha", "Maria").unwrap(),
        "Masha: name is now Maria; it was Masha"
    );
    assert!(
        rename("group", "kids", "children")
            .unwrap_err()
            .starts_with("group kids cannot go: window 1")
    );
    assert!(
        rename("device", "tv", "masha")
            .unwrap_err()
            .starts_with("there is already a person")
    );
}

#[test]
fn a_window_is_called_after_its_days() {
    let edit = r#"{"edit":"add","kind":"window","keys":{"for":["masha"],"days":"weekend","from":"9:00","to":"10:00","allow":["games"]}}"#;
    let (one, says) = at(HOUSEHOLD, edit, NOW).unwrap();
    assert_eq!(
        says,
        "window weekend is new: Masha may have games, weekend 09:00 to 10:00"
    );
    let (two, _) = at(&one, edit, NOW).unwrap();
    assert!(two.contains("name = \"weekend 2\"\n"), "{two}");
}

#[test]
fn midnight_begins_a_window_at_zero_and_ends_it_at_twenty_four() {
    let edit = r#"{"edit":"add","kind":"window","keys":{"for":["masha"],"from":"midnight","to":"midnight","block":["games"]}}"#;
    let (text, _) = at(HOUSEHOLD, edit, NOW).unwrap();
    assert!(text.contains("from = \"00:00\"\nto = \"24:00\"\n"), "{text}");
}

#[test]
fn an_edit_that_fails_changes_nothing() {
    let mut doc: DocumentMut = HOUSEHOLD.parse().unwrap();
    let (zone, words) = (TimeZone::UTC, known());
    let around = Around {
        now: NOW.parse().unwrap(),
        system_zone: &zone,
        zone: &|name| TimeZone::get(name).ok(),
        words: &words,
        beginning: "",
    };
    let edit = Edit::Without {
        kind: Kind::Group,
        name: Some("kids".to_owned()),
        key: "members".to_owned(),
        values: vec!["masha".to_owned(), "tv".to_owned()],
    };
    assert!(apply(&mut doc, &edit, &around).is_err());
    assert_eq!(doc.to_string(), HOUSEHOLD);
}

#[test]
fn what_is_meant_is_asked_where_it_is_not_clear() {
    let text = format!(
        "{HOUSEHOLD}\n[person.masha2]\nname = \"Mary\"\nprofile = \"child\"\n\n[person.mary3]\nname = \"Mary\"\n\
         profile = \"child\"\n\n[[quota]]\nname = \"homework\"\nfor = \"masha\"\nof = [\"games\"]\nlimit = \"1h\"\n\n\
         [[group]]\nname = \"all\"\nmembers = [\"masha\", \"tv\"]\n"
    );
    let wrong = |edit: &str| at(&text, edit, NOW).unwrap_err();
    assert_eq!(
        wrong(r#"{"edit":"pause","what":"filter","who":["Mary"],"lasting":"30m"}"#),
        "2 persons are called Mary; which one is meant: masha2 or mary3?"
    );
    assert_eq!(
        wrong(r#"{"edit":"grant","who":["masha"],"allow":["homework"],"lasting":"30m"}"#),
        "\"homework\" is a quota; for more minutes of it write `stairgate household grant masha 30m of homework`"
    );
    assert_eq!(
        wrong(r#"{"edit":"own-name","list":"block","name":"x.example","who":["all"]}"#),
        "device tv has no names of its own; write --for profile:default, whose names count for it"
    );
    assert_eq!(
        at(
            "version = 1\n",
            r#"{"edit":"own-name","list":"block","name":"x.example","who":["everyone"]}"#,
            NOW
        )
        .unwrap_err(),
        "there is no profile yet for which x.example could be blocked; `stairgate household add profile default` makes one"
    );
    let everyone = r#"{"edit":"own-name","list":"block","name":"x.example","who":["everyone"]}"#;
    assert_eq!(
        at(&text, everyone, NOW).unwrap().1,
        "x.example is now blocked for profile default"
    );
    let minutes = r#"{"edit":"minutes","who":["masha"],"minutes":"0m","quota":"games"}"#;
    assert_eq!(
        wrong(minutes),
        "the time \"0m\" is not a length of time; write it like \"30m\" or \"1h\""
    );
    assert_eq!(
        wrong(r#"{"edit":"without","kind":"window","name":"1","key":"block","values":["internet"]}"#),
        "window 1 would be left without \"block\"; give another with `set`, or remove the whole window"
    );
    assert_eq!(
        wrong(r#"{"edit":"add","kind":"profile","name":"new","keys":{"base":"new"}}"#),
        "base \"new\" is the profile itself; name another one"
    );
}

#[test]
fn what_grants_and_pauses_hold_on_to_cannot_go() {
    let (text, _) = at(
        HOUSEHOLD,
        r#"{"edit":"minutes","who":["masha"],"minutes":"30m","quota":"games"}"#,
        NOW,
    )
    .unwrap();
    let (text, _) = at(
        &text,
        r#"{"edit":"pause","what":"filter","who":["tv"],"lasting":"30m"}"#,
        NOW,
    )
    .unwrap();
    assert_eq!(
        at(&text, r#"{"edit":"remove","kind":"quota","name":"games"}"#, NOW).unwrap_err(),
        "quota games cannot go: Masha got minutes of it; run `stairgate household remove grant masha` first"
    );
    assert_eq!(
        at(&text, r#"{"edit":"remove","kind":"device","name":"tv"}"#, NOW).unwrap_err(),
        "device tv cannot go: a pause is for it; run `stairgate household resume tv` first"
    );
    // An hour later the pause has ended and is swept out, and nothing holds the device any more.
    assert_eq!(
        at(
            &text,
            r#"{"edit":"remove","kind":"device","name":"tv"}"#,
            "2026-11-30T18:00:00Z"
        )
        .unwrap()
        .1,
        "device tv is no longer part of this household; 1 pause that had ended was removed"
    );
}

#[test]
fn an_edit_that_breaks_the_file_would_say_so() {
    assert_eq!(
        EditError::Broken("line 3: what".to_owned()).to_string(),
        "the edit would leave a household that does not read back (line 3: what); nothing was changed, please report this"
    );
}
