//! Windows, grants and pauses: what holds for whom, at which second, beside a slow model.

use super::decision::{Action, Decision};
use super::tests::{World, settings};
use super::*;
use crate::config::household::*;
use crate::config::settings::ClientSettings;
use crate::dns::key::Key;
use crate::dns::rtype;
use crate::list::set::Gate;
use crate::schedule::Window;
use crate::schedule::local::Offsets;
use jiff::civil::date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use proptest::prelude::*;

/// A Tuesday.
const NOON: &str = "2026-12-01T12:00:00+01:00";

fn at(text: &str) -> u64 {
    text.parse::<Timestamp>().unwrap().as_second() as u64
}

fn berlin() -> TimeZone {
    TimeZone::get("Europe/Berlin").unwrap()
}

fn own(name: &str) -> OwnName {
    Name::parse(name).unwrap().into()
}

fn person(id: &str) -> Person {
    Person {
        id: id.to_owned(),
        name: id.to_owned(),
        profile: "default".to_owned(),
        zone: berlin(),
        allow: Vec::new(),
        deny: Vec::new(),
        log: Default::default(),
    }
}

fn target(words: &[&str]) -> Target {
    let mut target = Target::default();
    for word in words {
        match *word {
            "internet" => target.internet = true,
            "tiktok" | "youtube" => target.services.push((*word).to_owned()),
            word if word.contains('.') => target.names.push(own(word)),
            word => target.lists.push(word.to_owned()),
        }
    }
    target
}

fn people(people: &[u32]) -> Subjects {
    Subjects {
        people: people.to_vec(),
        ..Subjects::default()
    }
}

fn window(subjects: Subjects, days: &str, from: &str, to: &str, block: &[&str], allow: &[&str]) -> WindowSettings {
    WindowSettings {
        name: format!("{days} {from}"),
        line: 1,
        subjects,
        when: Window::parse(days, from, to).unwrap(),
        block: target(block),
        allow: target(allow),
        reach: Target::default(),
    }
}

fn grant(subjects: Subjects, allow: &[&str], until: &str) -> GrantSettings {
    GrantSettings {
        name: "grant".to_owned(),
        line: 1,
        subjects,
        allow: target(allow),
        from: None,
        until: at(until) as i64,
    }
}

/// Masha has 10.0.0.1, Petya 10.0.0.2; 10.0.0.9 is nobody's. Lists of adult sites and of games.
fn world(change: impl FnOnce(&mut Household)) -> World {
    let mut settings = settings();
    let mut household = Household {
        zone: berlin(),
        people: vec![person("masha"), person("petya")],
        ..Household::default()
    };
    change(&mut household);
    settings.household = Some(household);
    settings.clients = [("phone", "10.0.0.1/32", Some(0)), ("tablet", "10.0.0.2/32", Some(1))]
        .map(|(name, network, person)| ClientSettings {
            name: name.to_owned(),
            tags: Vec::new(),
            networks: vec![network.parse().unwrap()],
            profile: "default".to_owned(),
            person,
        })
        .into();
    settings.profiles[0].every_category = false;
    settings.profiles[0].block = vec!["adult".to_owned()];
    settings.profiles[0].safe_search = vec!["google".to_owned()];
    let lists = [
        ("sites", "adult", "adult.example\nboth.example\n"),
        ("play", "games", "game.example\nboth.example\n"),
    ];
    let gate = Gate::from_lists(&lists);
    let policy = Policy::build_at(&gate, &settings, &[], at(NOON)).unwrap();
    World { gate, policy }
}

#[track_caller]
fn says(world: &World, who: &str, name: &str, when: &str) -> String {
    let asker = world.policy.client(who.parse().unwrap(), at(when)).unwrap();
    let decision = world.decide(&asker, name, rtype::A);
    world.words(&decision)
}

const MASHA: &str = "10.0.0.1";
const PETYA: &str = "10.0.0.2";
const GUEST: &str = "10.0.0.9";

#[test]
fn a_window_over_midnight_holds_for_whom_it_is_for_and_what_must_stay_reachable_does() {
    let world = world(|household| {
        let mut nights = window(people(&[0]), "school nights", "21:00", "7:00", &["internet"], &[]);
        nights.reach = target(&["school.example"]);
        household.windows = vec![nights];
    });
    let night = "2026-12-01T23:30:00+01:00";
    assert_eq!(
        says(&world, MASHA, "www.example", night),
        "block by school nights 21:00"
    );
    assert_eq!(
        says(&world, MASHA, "www.example", "2026-12-02T06:59:59+01:00"),
        "block by school nights 21:00"
    );
    assert_eq!(says(&world, MASHA, "www.example", "2026-12-02T07:00:00+01:00"), "pass");
    assert_eq!(says(&world, MASHA, "www.example", "2026-12-01T20:59:59+01:00"), "pass");
    // Friday night is none before a school day.
    assert_eq!(says(&world, MASHA, "www.example", "2026-12-04T23:30:00+01:00"), "pass");
    assert_eq!(says(&world, MASHA, "www.school.example", night), "pass");
    assert_eq!(says(&world, MASHA, "captive.apple.com", night), "pass");
    for other in [PETYA, GUEST] {
        assert_eq!(says(&world, other, "www.example", night), "pass");
    }
    let asker = world.policy.client(MASHA.parse().unwrap(), at(night)).unwrap();
    assert_eq!(
        world.says_of_answer(&asker, "cdn.example", rtype::CNAME),
        "pass",
        "what a reachable page needs"
    );
    assert_eq!(asker.until_s, at("2026-12-02T07:00:00+01:00"), "until the next change");
    assert!(
        !world.policy.goes_by_lists_alone(&asker),
        "a cached answer is judged, too"
    );
}

#[test]
fn a_window_may_be_about_a_category_a_service_or_a_name() {
    let world = world(|household| {
        household.windows = vec![window(
            people(&[0]),
            "every day",
            "0:00",
            "24:00",
            &["games", "tiktok", "some.example"],
            &[],
        )];
    });
    for name in ["game.example", "www.tiktok.com", "x.some.example"] {
        assert_eq!(says(&world, MASHA, name, NOON), "block by every day 0:00", "{name}");
        assert!(!says(&world, PETYA, name, NOON).contains("block"), "{name}");
    }
    assert_eq!(says(&world, MASHA, "www.example", NOON), "pass");
    assert_eq!(says(&world, MASHA, "adult.example", NOON), "block by sites");
}

#[test]
fn a_grant_lifts_windows_and_never_what_lists_of_other_categories_block() {
    let until = "2026-12-01T22:00:00+01:00";
    let nights = || window(people(&[0, 1]), "every day", "21:00", "7:00", &["internet"], &[]);
    let world = world(|household| {
        household.windows = vec![nights()];
        household.grants = vec![grant(people(&[0]), &["internet"], until)];
    });
    let when = "2026-12-01T21:30:00+01:00";
    assert_eq!(says(&world, MASHA, "www.example", when), "pass");
    assert_eq!(says(&world, MASHA, "adult.example", when), "block by sites");
    assert!(says(&world, MASHA, "www.google.com", when).starts_with("cname forcesafesearch"));
    assert_eq!(says(&world, PETYA, "www.example", when), "block by every day 21:00");
    assert_eq!(
        says(&world, MASHA, "www.example", until),
        "block by every day 21:00",
        "it has an end"
    );
}

#[test]
fn a_grant_of_a_category_takes_its_lists_away_and_leaves_the_others() {
    let mut of_games = None;
    let world = world(|household| {
        household.windows = vec![window(people(&[0]), "every day", "0:00", "24:00", &["games"], &[])];
        household.grants = vec![grant(people(&[0]), &["games"], "2026-12-01T13:00:00+01:00")];
        of_games = Some(());
    });
    assert_eq!(says(&world, MASHA, "game.example", NOON), "pass");
    assert_eq!(says(&world, MASHA, "both.example", NOON), "block by sites");
    assert_eq!(
        says(&world, MASHA, "game.example", "2026-12-01T13:00:00+01:00"),
        "block by every day 0:00"
    );
}

#[test]
fn a_grant_of_a_name_covers_its_whole_answer() {
    let world = world(|household| {
        household.windows = vec![window(people(&[0]), "every day", "0:00", "24:00", &["internet"], &[])];
        household.grants = vec![grant(people(&[0]), &["adult.example"], "2026-12-01T13:00:00+01:00")];
    });
    assert_eq!(says(&world, MASHA, "www.adult.example", NOON), "pass whole by grant");
    assert_eq!(says(&world, MASHA, "www.example", NOON), "block by every day 0:00");
}

#[test]
fn of_windows_that_hold_together_the_last_one_that_concerns_a_name_counts() {
    let off = || window(people(&[0]), "every day", "8:00", "20:00", &["internet"], &[]);
    let on = || window(people(&[0]), "every day", "11:00", "13:00", &[], &["internet"]);
    let lifted = world(|household| household.windows = vec![off(), on()]);
    assert_eq!(says(&lifted, MASHA, "www.example", NOON), "pass");
    assert_eq!(
        says(&lifted, MASHA, "www.example", "2026-12-01T14:00:00+01:00"),
        "block by every day 8:00"
    );
    let not = world(|household| household.windows = vec![on(), off()]);
    assert_eq!(says(&not, MASHA, "www.example", NOON), "block by every day 8:00");
}

#[test]
fn a_pause_of_the_filter_and_one_of_the_internet_have_an_end() {
    let pause = |what| PauseSettings {
        line: 1,
        subjects: people(&[0]),
        what,
        from: None,
        until: at("2026-12-01T12:30:00+01:00") as i64,
    };
    let unfiltered = world(|household| household.pauses = vec![pause(Paused::Filter)]);
    assert_eq!(says(&unfiltered, MASHA, "adult.example", NOON), "pass whole by pause");
    assert_eq!(
        says(&unfiltered, MASHA, "adult.example", "2026-12-01T12:30:00+01:00"),
        "block by sites"
    );
    let off = world(|household| household.pauses = vec![pause(Paused::Internet)]);
    assert_eq!(says(&off, MASHA, "www.example", NOON), "block by pause");
    assert_eq!(says(&off, PETYA, "www.example", NOON), "pass");
    assert_eq!(says(&off, MASHA, "www.example", "2026-12-01T12:30:00+01:00"), "pass");
}

#[test]
fn what_is_for_everyone_is_for_strangers_and_what_is_for_a_profile_for_whoever_has_it() {
    let world = world(|household| {
        let everyone = Subjects {
            everyone: true,
            ..Subjects::default()
        };
        let profile = Subjects {
            profiles: vec!["default".to_owned()],
            ..Subjects::default()
        };
        household.windows = vec![
            window(everyone, "every day", "21:00", "22:00", &["internet"], &[]),
            window(profile, "every day", "22:00", "23:00", &["internet"], &[]),
        ];
    });
    for who in [MASHA, PETYA, GUEST] {
        assert!(
            says(&world, who, "www.example", "2026-12-01T21:30:00+01:00").starts_with("block"),
            "{who}"
        );
        assert!(
            says(&world, who, "www.example", "2026-12-01T22:30:00+01:00").starts_with("block"),
            "{who}"
        );
        assert_eq!(says(&world, who, "www.example", NOON), "pass", "{who}");
    }
}

#[test]
fn a_persons_own_names_come_before_the_profiles() {
    let world = world(|household| {
        household.people[0].allow = vec![own("adult.example")];
        household.people[0].deny = vec![own("www.example")];
    });
    assert_eq!(
        says(&world, MASHA, "adult.example", NOON),
        "pass whole by the person's own allow 0"
    );
    assert_eq!(
        says(&world, MASHA, "www.example", NOON),
        "block by the person's own deny 0"
    );
    assert_eq!(says(&world, PETYA, "adult.example", NOON), "block by sites");
}

#[test]
fn a_child_elsewhere_has_a_clock_of_its_own() {
    let world = world(|household| {
        household.people[1].zone = TimeZone::get("Asia/Yekaterinburg").unwrap();
        household.windows = vec![window(
            people(&[0, 1]),
            "every day",
            "21:00",
            "22:00",
            &["internet"],
            &[],
        )];
    });
    // Nine in the evening there is five in the afternoon here.
    let when = "2026-12-01T17:30:00+01:00";
    assert_eq!(says(&world, MASHA, "www.example", when), "pass");
    assert!(says(&world, PETYA, "www.example", when).starts_with("block"));
}

#[test]
fn a_clock_that_is_set_far_away_is_answered_for_that_day() {
    let world = world(|household| {
        household.windows = vec![window(people(&[0]), "every day", "21:00", "7:00", &["internet"], &[])];
    });
    for year in ["1999", "2035"] {
        assert!(says(&world, MASHA, "www.example", &format!("{year}-12-01T23:00:00+01:00")).starts_with("block"));
        assert_eq!(
            says(&world, MASHA, "www.example", &format!("{year}-12-01T12:00:00+01:00")),
            "pass"
        );
    }
    assert!(!world.policy.is_due(at(NOON) + 60));
    assert!(world.policy.is_due(at(NOON) + 86_400) && world.policy.is_due(at(NOON) - 86_400));
}

/// What the items of a household come to, found by trying each.
fn slow(household: &Household, person: u32, zone: &TimeZone, name: &str, when: i64) -> Option<bool> {
    let is_for = |subjects: &Subjects| subjects.everyone || subjects.people.contains(&person);
    let names = |target: &Target| {
        let asked = Name::parse(name).unwrap();
        target.names.iter().any(|own| asked.is_within(&own.name))
    };
    let concerns = |target: &Target| target.internet || names(target);
    let spans = |from: Option<i64>, until: i64| from.is_none_or(|from| from <= when) && when < until;
    for pause in &household.pauses {
        if pause.what == Paused::Filter && is_for(&pause.subjects) && spans(pause.from, pause.until) {
            return Some(true);
        }
    }
    for grant in &household.grants {
        if is_for(&grant.subjects) && spans(grant.from, grant.until) && concerns(&grant.allow) {
            return names(&grant.allow).then_some(true);
        }
    }
    for pause in &household.pauses {
        if pause.what == Paused::Internet && is_for(&pause.subjects) && spans(pause.from, pause.until) {
            return Some(false);
        }
    }
    let today = zone.to_datetime(Timestamp::from_second(when).unwrap()).date();
    let offsets = Offsets::around(zone, when - 4 * 86_400, when + 4 * 86_400);
    for window in household.windows.iter().rev().filter(|window| is_for(&window.subjects)) {
        let holds = (-2..=1).any(|days| {
            let day = today.checked_add(days.days()).unwrap();
            window.when.days.contains(day)
                && window
                    .when
                    .on(day, &offsets)
                    .is_some_and(|(from, to)| from <= when && when < to)
        });
        if holds && concerns(&window.block) {
            return Some(false);
        }
        if holds && concerns(&window.allow) {
            return names(&window.allow).then_some(true);
        }
    }
    None
}

fn some_window() -> impl Strategy<Value = WindowSettings> {
    let days = prop_oneof![
        Just("every day"),
        Just("sat"),
        Just("school nights"),
        Just("2026-10-25"),
        Just("2027-03-28")
    ];
    let what = prop_oneof![Just("internet"), Just("a.example"), Just("b.a.example")];
    (days, 0u16..24, 0u16..24, what, any::<bool>(), 0u32..3).prop_map(|(days, from, to, what, block, whom)| {
        let subjects = match whom {
            2 => Subjects {
                everyone: true,
                ..Subjects::default()
            },
            person => people(&[person]),
        };
        let (blocked, allowed) = if block {
            (vec![what], vec![])
        } else {
            (vec![], vec![what])
        };
        window(
            subjects,
            days,
            &format!("{from}:30"),
            &format!("{to}:00"),
            &blocked,
            &allowed,
        )
    })
}

proptest! {
    #[test]
    fn what_holds_is_what_trying_every_item_finds(
        windows in proptest::collection::vec(some_window(), 0..6),
        spans in proptest::collection::vec((0i64..3_000, 1i64..3_000, 0u32..2, 0usize..4), 0..4),
        zone in prop_oneof![Just("Europe/Berlin"), Just("America/New_York"), Just("Australia/Lord_Howe"), Just("Asia/Beirut"), Just("UTC"), Just("Africa/Cairo")],
        // Two days around nights on which clocks are set.
        night in prop_oneof![Just(date(2026, 10, 24)), Just(date(2026, 10, 31)), Just(date(2027, 3, 27)), Just(date(2026, 10, 3)), Just(date(2026, 10, 29))],
        minutes in proptest::collection::vec(0i64..2_880, 12),
        name in prop_oneof![Just("x.b.a.example"), Just("a.example"), Just("c.example")],
    ) {
        let zone = TimeZone::get(zone).unwrap();
        let start = zone.to_timestamp(night.at(0, 0, 0, 0)).unwrap().as_second();
        let mut household = Household { zone: zone.clone(), people: vec![person("masha"), person("petya")], windows, ..Household::default() };
        household.people.iter_mut().for_each(|person| person.zone = zone.clone());
        for (from, length, person, what) in spans {
            let (from, until) = (Some(start + 60 * from), start + 60 * (from + length));
            let allow = target(&[["internet", "a.example", "", ""][what]].map(|word| if word.is_empty() { "c.c" } else { word }));
            match what {
                0 | 1 => household.grants.push(GrantSettings { name: "g".to_owned(), line: 1, subjects: people(&[person]), allow, from, until }),
                2 => household.pauses.push(PauseSettings { line: 1, subjects: people(&[person]), what: Paused::Filter, from, until }),
                _ => household.pauses.push(PauseSettings { line: 1, subjects: people(&[person]), what: Paused::Internet, from, until }),
            }
        }
        let mut settings = settings();
        settings.household = Some(household.clone());
        settings.clients = vec![ClientSettings { name: "phone".to_owned(), tags: Vec::new(), networks: vec!["10.0.0.1/32".parse().unwrap()], profile: "default".to_owned(), person: Some(0) }];
        let gate = Gate::empty();
        let policy = Policy::build_at(&gate, &settings, &[], start as u64).unwrap();
        for minute in minutes {
            let when = start + 60 * minute;
            let asker = policy.client("10.0.0.1".parse().unwrap(), when as u64).unwrap();
            let decision: Decision = policy.decide(&gate, &asker, &Key::parse(name).unwrap(), Met::Question, rtype::A);
            let fast = match decision.action {
                Action::Sinkhole => Some(false),
                Action::PassWhole => Some(true),
                _ => None,
            };
            prop_assert_eq!(fast, slow(&household, 0, &zone, name, when), "{} at {}", name, Timestamp::from_second(when).unwrap());
            prop_assert!(asker.until_s > when as u64);
            // Until the second it says nothing changes.
            let last = policy.client("10.0.0.1".parse().unwrap(), asker.until_s - 1).unwrap();
            prop_assert_eq!(last.layer, asker.layer);
        }
    }
}
