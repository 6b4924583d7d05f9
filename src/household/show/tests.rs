use super::*;
use crate::household::edit::Words as Known;
use jiff::tz::TimeZone;

const HOUSEHOLD: &str = r#"
version = 1
timezone = "Europe/Moscow"
[profile.child]
block = ["adult"]
youtube = "strict"
safe_search = true
[profile.guest]
[person.masha]
name = "Masha"
profile = "child"
allow = ["school.example", { name = "once.example", until = "2026-11-30T22:00" }, { name = "old.example", until = "2026-11-01T22:00" }]
[person.petya]
profile = "child"
timezone = "Asia/Yekaterinburg"
[[device]]
name = "masha-phone"
person = "masha"
match = ["192.168.1.20", "fd00::20"]
[[device]]
name = "tv"
profile = "guest"
match = ["192.168.1.30"]
[[client]]
name = "printer"
match = ["192.168.1.31"]
profile = "guest"
[[group]]
name = "kids"
members = ["masha", "petya"]
[[window]]
for = "kids"
days = "school nights"
from = "21:00"
to = "07:00"
block = ["internet"]
reach = ["school.example"]
[[window]]
name = "phone"
for = ["masha-phone"]
from = "13:00"
to = "14:00"
allow = ["games"]
[[quota]]
name = "games"
for = ["masha"]
of = ["games"]
limit = "1h"
per = "day"
[[grant]]
for = ["masha"]
quota = "games"
minutes = 30
until = "2026-12-01T04:00"
[[grant]]
for = ["petya"]
allow = ["internet"]
from = "2026-11-30T23:00"
until = "2026-11-30T23:30"
[[grant]]
for = ["masha"]
allow = ["internet"]
until = "2026-11-30T19:59"
[[pause]]
for = ["kids"]
what = "filter"
until = "2026-11-30T18:30Z"
"#;

fn look(text: &str, who: Option<&str>) -> Result<View, EditError> {
    let words = Known::default();
    let zone = TimeZone::UTC;
    view(
        text,
        who,
        &Around {
            now: "2026-11-30T17:00:00Z".parse().unwrap(),
            system_zone: &zone,
            zone: &|name| TimeZone::get(name).ok(),
            words: &words,
            beginning: "",
        },
    )
}

#[test]
fn a_household_is_told_in_plain_words() {
    assert_eq!(
        look(HOUSEHOLD, None).unwrap().to_string(),
        "\
Masha (masha): profile child
  device masha-phone (192.168.1.20 and fd00::20)
    window phone: masha-phone may have games, every day 13:00 to 14:00
  paused: the filter is off for group kids until 21:30
  granted: 30 more minutes of games for Masha until Tuesday 04:00
  window 1: no internet for group kids, school nights 21:00 to 07:00, but always school.example
  quota games: Masha may have games for 1h a day
  allowed: school.example, once.example (until 2026-11-30 22:00)

petya: profile child, in Asia/Yekaterinburg
  paused: the filter is off for group kids until 21:30
  granted: petya may have the internet from 23:00 until 23:30
  window 1: no internet for group kids, school nights 21:00 to 07:00, but always school.example

devices of nobody
  tv (192.168.1.30): profile guest
  printer (192.168.1.31): profile guest

groups
  kids: masha, petya

profiles
  child: blocks adult; YouTube strict; safe search on
  guest: blocks nothing
"
    );
}

#[test]
fn one_person_is_told_alone_with_the_profile_they_have() {
    let masha = look(HOUSEHOLD, Some("Masha")).unwrap();
    assert_eq!(masha.persons.len(), 1);
    assert_eq!(masha.profiles.len(), 1);
    assert!(masha.devices.is_empty() && masha.services.is_empty());
    assert_eq!(look(HOUSEHOLD, Some("masha-phone")).unwrap().persons[0].id, "masha");
    assert_eq!(look(HOUSEHOLD, Some("kids")).unwrap().persons.len(), 2);
    assert_eq!(look(HOUSEHOLD, Some("child")).unwrap().persons.len(), 2);
    assert_eq!(look(HOUSEHOLD, Some("tv")).unwrap().devices.len(), 1);
    assert_eq!(
        look(HOUSEHOLD, Some("mahsa")).unwrap_err().to_string(),
        "there is no person, device or group \"mahsa\"; is \"masha\" meant?"
    );
}

#[test]
fn the_view_is_one_json_object_that_reads_back() {
    let all = look(HOUSEHOLD, None).unwrap();
    let json = serde_json::to_string(&all).unwrap();
    assert!(
        json.contains(
            r#"{"for":["masha"],"quota":"games","minutes":30,"until":"2026-12-01T04:00","says":"30 more minutes of games for Masha until Tuesday 04:00"}"#
        ),
        "{json}"
    );
    assert_eq!(serde_json::from_str::<View>(&json).unwrap(), all);
}

#[test]
fn an_empty_household_says_how_to_begin() {
    assert_eq!(
        look("", None).unwrap().to_string(),
        "there is nobody in this household yet; `stairgate household --help` shows how to begin\n"
    );
}
