//! What `explain` says of whole settings: who asks, what decides and where that stands.

use super::*;
use crate::schedule::quota::{Meter, Period, Quota};
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

/// A household with an inherited profile, and what is explained to its phone.
struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Home {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).expect("a writable folder");
        write("a.hosts", "0.0.0.0 bad.example\n0.0.0.0 own.example\n");
        write("b.hosts", "0.0.0.0 loud.example\n");
        write(
            "stairgate.toml",
            "household = \"household.toml\"\nstate_dir = \"state\"\n[server]\nunmatched = \"open\"\n\
                 [[list]]\nname = \"a\"\nsource = \"a.hosts\"\ncategory = \"adult\"\n\
                 [[list]]\nname = \"b\"\nsource = \"b.hosts\"\ncategory = \"noise\"\n",
        );
        write(
            "household.toml",
            "timezone = \"Europe/Moscow\"\n\
                 [profile.root]\nblock = [\"adult\"]\ntypes = [\"TXT\"]\n\
                 [profile.base]\nbase = \"root\"\nsafe_search = true\nservices = [\"tiktok\", \"search-without-safe-mode\"]\n\
                 bypass_guard = true\ndeny = [\"mean.example\"]\n\
                 [profile.child]\nbase = \"base\"\nblock = [\"noise\"]\nservices = [\"vk\"]\nallow = [\"own.example\"]\n\
                 [person.masha]\nprofile = \"child\"\n\
                 [[device]]\nname = \"phone\"\nperson = \"masha\"\nmatch = [\"192.168.1.20\"]\n\
                 [[window]]\nname = \"night\"\nfor = \"masha\"\nfrom = \"21:00\"\nto = \"7:00\"\nblock = [\"internet\"]\n\
                 [[window]]\nname = \"homework\"\nfor = \"masha\"\nfrom = \"15:00\"\nto = \"16:00\"\nallow = [\"search-without-safe-mode\"]\n\
                 [[quota]]\nname = \"games\"\nfor = \"masha\"\nof = [\"games\"]\nlimit = \"2m\"\n",
        );
        Home(folder)
    }

    fn ask(&self, name: &str, at: &str) -> Explanation {
        let args = Args {
            at: Some(at.to_owned()),
            ..args(name, Some("192.168.1.20"), self.0.path())
        };
        let Ok(found) = explanation(&args, &["192.168.1.0/24".parse().expect("a network")]) else {
            panic!("good settings");
        };
        found
    }

    fn path(&self, name: &str, at: &str) -> String {
        self.ask(name, at).path.join(" -> ")
    }
}

const NOON: &str = "2026-12-01T12:00:00+03:00";

#[test]
fn the_path_names_the_base_that_says_what_decides_and_where_it_stands() {
    let home = Home::new();
    let masha = "device phone -> person masha -> profile child";
    for (name, steps) in [
        (
            "bad.example",
            " (inherited from root) -> rule 0.0.0.0 bad.example -> list a:1",
        ),
        ("loud.example", " -> rule 0.0.0.0 loud.example -> list b:1"),
        ("own.example", " -> rule own.example"),
        ("mean.example", " (inherited from base) -> rule mean.example"),
        ("tiktok.com", " (inherited from base) -> rule service TikTok"),
        ("vk.com", " -> rule service VK"),
        ("www.google.com", " (inherited from base) -> rule safe_search: google"),
        ("kagi.com", " (inherited from base) -> rule service kagi (search)"),
        ("wikipedia.org", ""),
    ] {
        assert_eq!(home.path(name, NOON), format!("{masha}{steps}"), "{name}");
    }
    let night = home.path("wikipedia.org", "2026-12-01T22:00:00+03:00");
    assert_eq!(night, format!("{masha} -> window night (household, line 22)"));
    let way_in = |name: &str, at: &str| home.ask(name, at).way_in;
    let asleep = way_in("wikipedia.org", "2026-12-01T22:00:00+03:00");
    assert_eq!(
        asleep.as_deref(),
        Some("stairgate household grant masha wikipedia.org --for 1h")
    );
    let listed = way_in("bad.example", NOON);
    assert_eq!(
        listed.as_deref(),
        Some("stairgate household allow bad.example --for masha")
    );
    assert_eq!(way_in("wikipedia.org", NOON), None);
    let mut text = Vec::new();
    print(&mut text, &home.ask("bad.example", NOON)).expect("memory");
    let text = String::from_utf8(text).expect("text");
    assert!(text.contains("  profile  child (inherited from root)\n"), "{text}");
    assert!(text.contains("  path     device phone -> person masha -> "), "{text}");
}

#[test]
fn search_engines_without_a_safe_mode_are_one_word_for_profiles_and_windows_and_youtube_is_left_alone() {
    let home = Home::new();
    let verdict = |name: &str, at: &str| home.ask(name, at).verdict;
    let homework = "2026-12-01T15:30:00+03:00";
    for name in ["kagi.com", "search.yahoo.com", "m.baidu.com"] {
        assert_eq!(
            (verdict(name, NOON), verdict(name, homework)),
            ("block", "allow"),
            "{name}"
        );
    }
    assert_eq!(verdict("www.google.com", homework), "rewrite");
    // `safe_search = true` alone says nothing of YouTube, which has two modes and a key of its own.
    assert_eq!(verdict("www.youtube.com", NOON), "allow");
}

#[test]
fn quotas_are_told_with_what_was_used_where_that_is_kept() {
    let home = Home::new();
    let told = |name: &str, at: &str| {
        let found = home.ask(name, at);
        (found.verdict, found.quotas.iter().map(quota_text).collect::<Vec<_>>())
    };
    let unknown = "games: 2 minutes a day; how many were used is not known here";
    assert_eq!(told("roblox.com", NOON), ("allow", vec![unknown.to_owned()]));
    assert_eq!(told("wikipedia.org", NOON), ("allow", Vec::new()));
    let used = |minutes: i64| {
        let zone = jiff::tz::TimeZone::get("Europe/Moscow").expect("a zone");
        let quota = Quota::of_minutes(2, Period::Day);
        let noon_s = NOON.parse::<jiff::Timestamp>().expect("a time").as_second();
        let mut meter = Meter::default();
        for minute in 1..=minutes {
            let second = noon_s - 60 * minute;
            let period = quota.period_at(second, &zone);
            meter.note("masha/games", &quota, &period, second).expect("room");
        }
        let folder = home.0.path().join("state");
        fs::create_dir_all(&folder).expect("a writable folder");
        fs::write(folder.join("quotas"), meter.to_text()).expect("a writable folder");
    };
    used(1);
    let one = "games: 1 of 2 minutes used today".to_owned();
    assert_eq!(told("roblox.com", NOON), ("allow", vec![one]));
    used(2);
    let two = "games: 2 of 2 minutes used today".to_owned();
    assert_eq!(told("roblox.com", NOON), ("block", vec![two]));
    assert!(
        home.path("roblox.com", NOON)
            .ends_with(" -> quota games (household, line 34)")
    );
    let tomorrow = "2026-12-02T12:00:00+03:00";
    assert_eq!(told("roblox.com", tomorrow).0, "allow");
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
