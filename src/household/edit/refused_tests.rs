//! What a command does not do, and what it says instead.

use super::tests::*;

#[test]
fn what_cannot_be_done_is_said_with_what_to_do() {
    for (edit, expected) in [
        (
            r#"{"edit":"pause","what":"filter","who":["mascha"],"lasting":"30m"}"#,
            "there is no person, device or group \"mascha\"; is \"masha\" meant?",
        ),
        (
            r#"{"edit":"pause","what":"filter","who":["grandfather"],"lasting":"30m"}"#,
            "there is no person, device or group \"grandfather\"; there is masha, petya, masha-phone, tv, kids; \
             \"everyone\" and \"profile:NAME\" go too",
        ),
        (
            r#"{"edit":"pause","what":"filter","who":["child"],"lasting":"30m"}"#,
            "\"child\" is a profile; write \"profile:child\" for everyone who has it",
        ),
        (
            r#"{"edit":"pause","what":"filter","who":[],"lasting":"30m"}"#,
            "for whom? name a person, a device, a group, \"profile:NAME\" or \"everyone\"",
        ),
        (
            r#"{"edit":"pause","what":"filter","who":["masha"]}"#,
            "for how long? a pause needs an end, such as `--for 30m` or `--until 21:00`",
        ),
        (
            r#"{"edit":"pause","what":"filter","who":["masha"],"lasting":"1h","until":"21:00"}"#,
            "both a length and an end are given; write `--for` or `--until`, not both",
        ),
        (
            r#"{"edit":"pause","what":"filter","who":["masha"],"lasting":"soon"}"#,
            "--for \"soon\" is not a length of time; write it like \"30m\" or \"1h30m\"",
        ),
        (
            r#"{"edit":"pause","what":"filter","who":["masha"],"until":"2026-11-29T20:00"}"#,
            "a pause ended already: 2026-11-29 20:00 is past; name a time to come",
        ),
        (
            r#"{"edit":"pause","what":"filter","who":["masha"],"lasting":"3 weeks"}"#,
            "a pause may last 7 days at most; choose an earlier end, or change the rules themselves with `set`",
        ),
        (
            r#"{"edit":"resume","who":["masha"]}"#,
            "nothing is paused for Masha; `stairgate household show` tells what is",
        ),
        (
            r#"{"edit":"revoke","who":["masha"]}"#,
            "nothing is granted to Masha; `stairgate household show` tells what is granted to whom",
        ),
        (
            r#"{"edit":"grant","who":["masha"],"allow":[],"lasting":"1h"}"#,
            "what may Masha have? name internet, a service, a category or a name, as in `stairgate household grant masha \
             internet --for 30m`; or minutes of a quota, as in `stairgate household grant masha 30m of games`",
        ),
        (
            r#"{"edit":"grant","who":["masha"],"allow":["tictok"],"lasting":"1h"}"#,
            "there is no category, service or name with a dot \"tictok\"; is \"tiktok\" meant?",
        ),
        (
            r#"{"edit":"minutes","who":["masha"],"minutes":"30m"}"#,
            "more minutes of what: games or video? write it as in `stairgate household grant masha 30m of games`",
        ),
        (
            r#"{"edit":"minutes","who":["tv"],"minutes":"30m"}"#,
            "no quota limits tv, so there is nothing to add minutes to; did you mean `stairgate household grant tv \
             internet --for 30m`?",
        ),
        (
            r#"{"edit":"minutes","who":["petya"],"minutes":"30m","quota":"games"}"#,
            "quota games does not limit petya, so there is nothing to add minutes to; it is for Masha",
        ),
        (
            r#"{"edit":"minutes","who":["masha"],"minutes":"30m","quota":"gamse"}"#,
            "there is no quota \"gamse\"; is \"games\" meant?",
        ),
        (
            r#"{"edit":"minutes","who":["masha"],"minutes":"25h","quota":"games"}"#,
            "the time \"25h\" is more than a day; give a day at most at once",
        ),
        (
            r#"{"edit":"own-name","list":"allow","name":"x.example","who":["masha-phone"]}"#,
            "device masha-phone has no names of its own; write --for masha, whose names count for it",
        ),
        (
            r#"{"edit":"forget-name","list":"allow","name":"x.example","who":["masha"]}"#,
            "x.example is not on the allow list of Masha; `stairgate household show` tells which names are",
        ),
        (
            r#"{"edit":"add","kind":"person","name":"zoe"}"#,
            "zoe needs \"profile\"; add --profile child",
        ),
        (
            r#"{"edit":"add","kind":"person","name":"zoe","keys":{"profile":"chidl"}}"#,
            "there is no profile \"chidl\"; is \"child\" meant?",
        ),
        (
            r#"{"edit":"add","kind":"person","name":"Zoe Smith","keys":{"profile":"child"}}"#,
            "person \"Zoe Smith\" is not a name that commands can use; write letters, digits and hyphens: \"zoe-smith\"",
        ),
        (
            r#"{"edit":"add","kind":"person","keys":{"profile":"child"}}"#,
            "a person needs a name; add one, as in `stairgate household add person NAME`",
        ),
        (
            r#"{"edit":"add","kind":"group","name":"Masha","keys":{"members":["tv"]}}"#,
            "there is already a person \"Masha\"; choose another name, or change that one with `stairgate household set`",
        ),
        (
            r#"{"edit":"add","kind":"device","name":"tablet","keys":{"match":["192.168.1.40"]}}"#,
            "device tablet has either person or profile; give one of them",
        ),
        (
            r#"{"edit":"add","kind":"device","name":"tablet","keys":{"person":"masha","match":["192.168.1.20"]}}"#,
            "match \"192.168.1.20\" is device masha-phone's already; take it away there first",
        ),
        (
            r#"{"edit":"add","kind":"device","name":"tablet","keys":{"person":"masha","match":["mac:02:00:00:00:00:01"]}}"#,
            "match \"mac:02:00:00:00:00:01\" comes with a later version; give the device a fixed address in the router, and \
             write that address",
        ),
        (
            r#"{"edit":"add","kind":"window","keys":{"for":["masha"],"from":"21:00","to":"07:00"}}"#,
            "window every day has either block or allow; give one of them",
        ),
        (
            r#"{"edit":"add","kind":"household"}"#,
            "there is one household, and nothing more of it to add; change it as in `stairgate household set household \
             timezone Europe/Berlin`",
        ),
        (
            r#"{"edit":"set","kind":"profile","name":"child","key":"yuotube","value":"strict"}"#,
            "a profile has no key \"yuotube\"; is \"youtube\" meant?",
        ),
        (
            r#"{"edit":"set","kind":"profile","name":"child","key":"youtube","value":"hard"}"#,
            "youtube \"hard\" is none of its words; write strict or moderate, or take the key away with `unset`",
        ),
        (
            r#"{"edit":"set","kind":"profile","name":"child","key":"bypass_guard","value":"perhaps"}"#,
            "bypass_guard \"perhaps\" is not yes or no; write true or false",
        ),
        (
            r#"{"edit":"set","kind":"profile","name":"child","key":"youtube","value":["strict","moderate"]}"#,
            "youtube \"strict, moderate\" is more than one; write one",
        ),
        (
            r#"{"edit":"set","kind":"profile","name":"default","key":"base","value":"child"}"#,
            "base \"child\" is itself based on default; name a profile that is not",
        ),
        (
            r#"{"edit":"set","kind":"household","key":"timezone","value":"Moscow"}"#,
            "timezone \"Moscow\" is not a time zone; write its IANA name such as \"Europe/Berlin\"",
        ),
        (
            r#"{"edit":"also","kind":"profile","name":"child","key":"youtube","values":["strict"]}"#,
            "youtube is one value and no list; write `stairgate household set profile child youtube VALUE`",
        ),
        (
            r#"{"edit":"also","kind":"group","name":"kids","key":"members","values":["everyone"]}"#,
            "members \"everyone\" is no person, device or group; a group has only those",
        ),
        (
            r#"{"edit":"without","kind":"group","name":"kids","key":"members","values":["masha","petya"]}"#,
            "group kids would be left without \"members\"; give another with `set`, or remove the whole group",
        ),
        (
            r#"{"edit":"without","kind":"group","name":"kids","key":"members","values":["tv"]}"#,
            "there is no such word in it: \"tv\"; there is masha, petya",
        ),
        (
            r#"{"edit":"unset","kind":"device","name":"tv","key":"match"}"#,
            "device tv would be left without \"match\"; give another with `set`, or remove the whole device",
        ),
        (
            r#"{"edit":"unset","kind":"device","name":"tv","key":"profile"}"#,
            "device tv would be left without \"profile\"; give another with `set`, or remove the whole device",
        ),
        (
            r#"{"edit":"unset","kind":"person","name":"masha","key":"log"}"#,
            "Masha has no log to take away; nothing was changed",
        ),
        (
            r#"{"edit":"remove","kind":"profile","name":"child"}"#,
            "profile child cannot go: Masha has it, petya has it; run `stairgate household set person masha profile OTHER` \
             first",
        ),
        (
            r#"{"edit":"remove","kind":"person","name":"masha"}"#,
            "Masha cannot go: device masha-phone is theirs, group kids has it as a member, quota games is for it; run \
             `stairgate household remove device masha-phone` first",
        ),
        (
            r#"{"edit":"remove","kind":"group","name":"kids"}"#,
            "group kids cannot go: window 1 is for it, quota video is for it; run `stairgate household remove window 1` \
             first",
        ),
        (
            r#"{"edit":"remove","kind":"service","name":"club"}"#,
            "service club cannot go: profile child blocks it; run `stairgate household set profile child services \
             --without club` first",
        ),
        (
            r#"{"edit":"remove","kind":"device","name":"toaster"}"#,
            "there is no device \"toaster\"; there is masha-phone, tv",
        ),
        (
            r#"{"edit":"remove","kind":"household","name":"x"}"#,
            "the household itself cannot be removed; remove what is in it, or delete the file",
        ),
    ] {
        assert_eq!(wrong(edit), expected, "{edit}");
    }
}

#[test]
fn a_household_without_anybody_says_what_to_begin_with() {
    let wrong = |edit: &str| at("", edit, NOW).unwrap_err();
    assert_eq!(
        wrong(r#"{"edit":"pause","what":"filter","who":["masha"],"lasting":"30m"}"#),
        "there is no person, device or group \"masha\"; add one first, as in `stairgate household add person masha \
         --profile child`"
    );
    assert_eq!(
        wrong(r#"{"edit":"add","kind":"person","name":"masha","keys":{"profile":"child"}}"#),
        "there is no profile \"child\"; `stairgate household add profile child --block adult` makes one"
    );
    assert_eq!(
        wrong(r#"{"edit":"own-name","list":"allow","name":"x.example"}"#),
        "for whom is x.example to be allowed? there is nobody yet; `stairgate household add profile default` makes a \
         profile for the whole household"
    );
    let family = "[profile.child]\n[person.masha]\nprofile = \"child\"\n";
    assert_eq!(
        at(family, r#"{"edit":"own-name","list":"allow","name":"x.example"}"#, NOW).unwrap_err(),
        "for whom is x.example to be allowed? write --for masha or --for profile:child"
    );
}
