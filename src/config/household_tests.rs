use super::household::*;
use super::load::Loaded;
use super::settings::*;
use super::shape;
use super::tests::{fields, load_with, shipped};
use crate::schedule::quota::Period;

const SETTINGS: &str = "household = 'household.toml'\n[server]\nunmatched = 'open'\n\
                        [[list]]\nname='a'\nsource='a.txt'\ncategory='adult'\n\
                        [[list]]\nname='g'\nsource='g.txt'\ncategory='games'\n\
                        [[list]]\nname='w'\nsource='w.txt'\ncategory='trusted'\naction='allow'\n";

/// Nine lines; what a test adds begins on line 10.
const FAMILY: &str = "timezone = 'Europe/Berlin'\n[profile.child]\nblock = ['adult', 'games']\n\
                      [person.masha]\nprofile = 'child'\n\
                      [[device]]\nname = 'phone'\nperson = 'masha'\nmatch = ['10.0.0.1']\n";

/// Loads a household file that begins with [`FAMILY`].
pub(super) fn load(more: &str) -> Result<Loaded, String> {
    load_with(SETTINGS, Some(&format!("{FAMILY}{more}")))
}

fn household(more: &str) -> Household {
    load(more).unwrap().settings.household.unwrap()
}

fn profile(loaded: &Loaded, name: &str) -> ProfileSettings {
    let mut profiles = loaded.settings.profiles.iter();
    profiles.find(|profile| profile.name == name).unwrap().clone()
}

fn warnings(more: &str) -> Vec<String> {
    let warnings = load(more).unwrap().warnings;
    warnings.iter().map(|warning| warning.sentence.clone()).collect()
}

fn shown(names: &[OwnName]) -> Vec<String> {
    let equal = |name: &OwnName| if name.exact { "=" } else { "" };
    names
        .iter()
        .map(|name| format!("{}{}", equal(name), name.name))
        .collect()
}

fn at(text: &str) -> i64 {
    text.parse::<jiff::Timestamp>().unwrap().as_second()
}

#[test]
fn persons_and_the_like_are_keys_of_the_household_file_only() {
    for (table, key) in [
        ("[person.masha]\nprofile = 'child'", "person"),
        ("[[window]]\nfor = 'x'", "window"),
    ] {
        assert_eq!(
            load_with(table, None).map(|_| ()).unwrap_err(),
            format!(
                "stairgate.toml:1: {key} stands in the household file only; name one with household = \"household.toml\" and \
                 move it there, and profiles and clients too"
            )
        );
    }
}

#[test]
fn lists_of_a_profile_add_to_those_of_its_base_and_single_values_take_their_place() {
    let loaded = load(
        "[profile.base]\nblock = ['adult']\nallow = ['a.example', 'both.example']\ndeny = ['c.example']\n\
         services = ['tiktok']\ntypes = ['HTTPS']\nsafe_search = ['google']\nyoutube = 'strict'\nbypass_guard = true\nrebinding = true\nlook_alikes = true\n\
         answer = 'nxdomain'\nanswer_ttl = '10s'\nonly = ['kids.example']\n\
         [profile.middle]\nbase = 'base'\nallow_lists = ['w']\n\
         [profile.own]\nbase = 'middle'\nblock = ['games', 'adult']\nallow = ['=d.example', 'c.example']\n\
         deny = ['both.example']\nservices = ['tiktok', 'youtube']\ntypes = ['ANY', 'HTTPS']\nsafe_search = ['bing']\n\
         youtube = 'moderate'\nbypass_guard = false\nrebinding = false\nlook_alikes = false\nanswer = 'refused'\nonly = ['more.example']\n",
    )
    .unwrap();
    let own = profile(&loaded, "own");
    assert_eq!(own.block, ["adult", "games"]);
    assert_eq!(own.allow_lists, ["w"]);
    // What the profile says itself of a name counts.
    assert_eq!(shown(&own.allow), ["a.example.", "=d.example.", "c.example."]);
    assert_eq!(shown(&own.deny), ["both.example."]);
    assert_eq!(shown(own.only.as_deref().unwrap()), ["more.example."]);
    assert_eq!(own.services, ["tiktok", "youtube"]);
    assert_eq!(own.safe_search, ["google", "bing"]);
    assert_eq!(own.types, [65, 255]);
    assert_eq!((own.youtube, own.bypass_guard), (Some(YoutubeMode::Moderate), false));
    assert_eq!((own.answer, own.answer_ttl.as_secs()), (AnswerKind::Refused, 10));
    let middle = profile(&loaded, "middle");
    assert_eq!((own.rebinding, middle.rebinding), (false, true));
    assert_eq!((own.look_alikes, middle.look_alikes), (false, true));
    assert_eq!((middle.youtube, middle.bypass_guard), (Some(YoutubeMode::Strict), true));
    assert_eq!(shown(middle.only.as_deref().unwrap()), ["kids.example."]);
}

#[test]
fn what_is_kept_is_nothing_unless_said_and_a_persons_word_counts_before_the_profiles() {
    let loaded = load(
        "[profile.base]\nblock = ['adult']\nlog = 'counts'\nlog_for = '30d'\n[profile.own]\nbase = 'base'\nlog = 'names'\n\
         [person.a]\nprofile = 'own'\n[person.b]\nprofile = 'own'\nlog = 'nothing'\n\
         [person.c]\nprofile = 'child'\nlog = 'counts'\nlog_for = '24h'\n",
    )
    .unwrap();
    let log = |choice, days| LogSettings { choice, days };
    assert_eq!(profile(&loaded, "child").log, LogSettings::default());
    assert_eq!(profile(&loaded, "base").log, log(LogChoice::Counts, 30));
    assert_eq!(profile(&loaded, "own").log, log(LogChoice::Names, 30));
    let people = loaded.settings.household.unwrap().people;
    let of = |id: &str| people.iter().find(|person| person.id == id).unwrap().log;
    assert_eq!(of("masha"), LogSettings::default());
    assert_eq!(of("a"), log(LogChoice::Names, 30));
    assert_eq!(of("b"), log(LogChoice::Nothing, 30));
    assert_eq!(of("c"), log(LogChoice::Counts, 1));
}

#[test]
fn a_base_may_stand_below_and_what_it_blocks_need_not_be_said_again() {
    let loaded = load("[profile.a]\nbase = 'b'\n[profile.b]\nbase = 'child'\n").unwrap();
    assert_eq!(profile(&loaded, "a").block, ["adult", "games"]);
    let loaded = load("[profile.a]\nbase = 'b'\nsafe_search = false\n[profile.b]\nsafe_search = true\n").unwrap_err();
    assert!(
        loaded.contains("profile \"a\" names no list and no category"),
        "with the safe mode taken back nothing is left: {loaded}"
    );
}

#[test]
fn words_of_profiles_are_written_out() {
    let loaded = load(
        "[profile.a]\nsafe_search = true\nservices = ['dating', 'club']\nonly = ['kids.example', 'starter']\n\
         [service.club]\nname = 'Chess club'\nnames = ['chess.example', '=live.chess.example']\n",
    )
    .unwrap();
    let a = profile(&loaded, "a");
    assert!(a.safe_search.iter().any(|engine| engine == "google"));
    assert!(a.safe_search.iter().all(|engine| engine != "youtube"));
    assert!(a.services.len() > 5 && a.services.contains(&"club".to_owned()));
    let only = shown(&a.only.unwrap());
    assert!(only.len() > 50 && only[0] == "kids.example." && only.contains(&"wikipedia.org.".to_owned()));
    let service = &loaded.settings.household.unwrap().services[0];
    assert_eq!(service.name, "Chess club");
    assert_eq!(shown(&service.names), ["chess.example.", "=live.chess.example."]);
}

#[test]
fn devices_of_persons_become_clients_with_their_profile() {
    let loaded = load(
        "[person.anna]\nprofile = 'child'\nname = 'Anna'\n\
         [[device]]\nname = 'laptop'\nperson = 'anna'\nmatch = ['10.0.0.2', 'fd00::/64']\ntags = ['device_laptop']\n\
         [[device]]\nname = 'console'\nprofile = 'child'\nmatch = ['10.0.0.3']\n\
         [[client]]\nname = 'guests'\nprofile = 'child'\nmatch = ['10.0.1.0/24']\n",
    )
    .unwrap();
    let household = loaded.settings.household.unwrap();
    let people: Vec<(&str, &str)> = household
        .people
        .iter()
        .map(|p| (p.id.as_str(), p.name.as_str()))
        .collect();
    assert_eq!(people, [("anna", "Anna"), ("masha", "masha")]);
    let clients = loaded.settings.clients.iter();
    let clients: Vec<(&str, Option<u32>)> = clients.map(|c| (c.name.as_str(), c.person)).collect();
    assert_eq!(
        clients,
        [
            ("guests", None),
            ("phone", Some(1)),
            ("laptop", Some(0)),
            ("console", None)
        ]
    );
    assert!(loaded.settings.clients.iter().all(|client| client.profile == "child"));
    assert_eq!(loaded.settings.clients[2].networks.len(), 2);
    assert_eq!(loaded.settings.clients[2].tags, ["device_laptop"]);
}

#[test]
fn groups_in_groups_are_written_out_once() {
    let household = household(
        "[person.petya]\nprofile = 'child'\n\
         [[device]]\nname = 'console'\nprofile = 'child'\nmatch = ['10.0.0.3']\n\
         [[group]]\nname = 'all'\nmembers = ['kids', 'petya', 'things']\n\
         [[group]]\nname = 'kids'\nmembers = ['masha', 'petya']\n\
         [[group]]\nname = 'things'\nmembers = ['console']\n\
         [[window]]\nfor = ['all', 'masha', 'profile:child']\nfrom = '21:00'\nto = '7:00'\nblock = ['internet']\n\
         [[window]]\nfor = 'everyone'\nfrom = '0:00'\nto = '24:00'\nblock = ['internet']\n",
    );
    let whom = &household.windows[0].subjects;
    assert_eq!(
        (whom.people.as_slice(), whom.devices.as_slice()),
        (&[0, 1][..], &[1][..])
    );
    assert_eq!(
        (whom.everyone, whom.profiles.as_slice()),
        (false, &["child".to_owned()][..])
    );
    assert!(household.windows[1].subjects.everyone);
}

#[test]
fn groups_nest_only_so_deep() {
    let groups = |count: usize| -> String {
        (0..count)
            .map(|at| {
                let member = if at + 1 < count {
                    format!("g{}", at + 1)
                } else {
                    "masha".to_owned()
                };
                format!("[[group]]\nname = 'g{at}'\nmembers = ['{member}']\n")
            })
            .collect()
    };
    load(&groups(crate::limits::GROUP_DEPTH)).unwrap();
    let error = load(&groups(crate::limits::GROUP_DEPTH + 1)).unwrap_err();
    assert!(error.contains("stands in 16 groups within each other"), "{error}");
}

#[test]
fn a_word_that_is_a_category_and_a_group_of_services_means_both() {
    let household = household(
        "[[window]]\nfor = 'masha'\nfrom = '21:00'\nto = '7:00'\nblock = ['games', 'a', 'youtube', 'x.example', '=y.example']\n\
         [[window]]\nfor = 'masha'\nfrom = '7:00'\nto = '7:00'\nallow = ['w', 'internet']\n",
    );
    let block = &household.windows[0].block;
    assert_eq!(block.lists, ["a", "games"]);
    assert!(block.services.len() > 5 && block.services.contains(&"youtube".to_owned()));
    assert_eq!(shown(&block.names), ["x.example.", "=y.example."]);
    assert!(!block.internet);
    let whole_day = &household.windows[1];
    assert_eq!(
        (whole_day.allow.lists.as_slice(), whole_day.allow.internet),
        (&["w".to_owned()][..], true)
    );
    assert_eq!(whole_day.name, "allow w, internet, every day 7:00 to 7:00");
}

#[test]
fn with_a_compiled_gate_only_the_gate_knows_categories() {
    let settings = format!("gate = 'lists.gate'\n{SETTINGS}");
    let window = "[[window]]\nfor = 'masha'\nfrom = '21:00'\nto = '7:00'\nblock = ['weapons', 'games']\n";
    let loaded = load_with(&settings, Some(&format!("{FAMILY}{window}"))).unwrap();
    let household = loaded.settings.household.unwrap();
    assert_eq!(household.windows[0].block.lists, ["games", "weapons"]);
    assert!(!household.windows[0].block.services.is_empty());
}

#[test]
fn each_text_of_days_is_a_window() {
    let household = household(
        "[[window]]\nname = 'n'\nfor = 'masha'\ndays = ['school nights', '2026-12-24']\nfrom = '21:00'\nto = '7:00'\nblock = ['internet']\n",
    );
    let days: Vec<String> = household
        .windows
        .iter()
        .map(|window| window.when.days.to_string())
        .collect();
    assert_eq!(days, ["school nights", "2026-12-24"]);
    assert!(
        household
            .windows
            .iter()
            .all(|window| window.name == "n" && window.line == 10)
    );
}

#[test]
fn times_are_those_of_whom_it_is_for_and_of_the_house_where_they_differ() {
    let household = household(
        "[person.anna]\nprofile = 'child'\ntimezone = 'Asia/Yekaterinburg'\n\
         allow = [{ name = 'once.example', until = '2026-12-01T22:00' }]\n\
         [[device]]\nname = 'laptop'\nperson = 'anna'\nmatch = ['10.0.0.2']\n\
         [[grant]]\nfor = 'anna'\nallow = ['internet']\nuntil = '2026-12-01T21:30'\n\
         [[grant]]\nfor = 'laptop'\nallow = ['internet']\nuntil = '2026-12-01 21:30:00'\n\
         [[grant]]\nfor = ['anna', 'masha']\nallow = ['internet']\nuntil = '2026-12-01T21:30'\n\
         [[grant]]\nfor = 'everyone'\nallow = ['internet']\nuntil = '2026-12-01T21:30'\n\
         [[pause]]\nfor = 'anna'\nwhat = 'internet'\nfrom = '2026-12-01T10:00:00Z'\nuntil = '2026-12-01T21:30:00+03:00'\n",
    );
    let anna = &household.people[0];
    assert_eq!(anna.zone.iana_name(), Some("Asia/Yekaterinburg"));
    assert_eq!(anna.allow[0].until, Some(at("2026-12-01T17:00:00Z")));
    assert_eq!(household.people[1].zone, household.zone);
    let ends: Vec<i64> = household.grants.iter().map(|grant| grant.until).collect();
    let (hers, house) = (at("2026-12-01T16:30:00Z"), at("2026-12-01T20:30:00Z"));
    assert_eq!(ends, [hers, hers, house, house]);
    assert_eq!(household.pauses[0].from, Some(at("2026-12-01T10:00:00Z")));
    assert_eq!(household.pauses[0].until, at("2026-12-01T18:30:00Z"));
    assert_eq!(household.pauses[0].what, Paused::Internet);
}

#[test]
fn of_a_time_that_never_comes_or_comes_twice_the_later_instant_is_taken() {
    let grant = |until: &str| format!("[[grant]]\nfor = 'masha'\nallow = ['internet']\nuntil = '{until}'\n");
    let never = grant("2027-03-28T02:30");
    assert_eq!(household(&never).grants[0].until, at("2027-03-28T01:30:00Z"));
    assert_eq!(
        warnings(&never),
        [
            "grant.until = \"2027-03-28T02:30\" never comes in Europe/Berlin, where clocks are changed then; \
             2027-03-28T03:30:00+02:00 is taken"
        ]
    );
    let twice = grant("2026-10-25T02:30");
    assert_eq!(household(&twice).grants[0].until, at("2026-10-25T01:30:00Z"));
    assert_eq!(
        warnings(&twice),
        [
            "grant.until = \"2026-10-25T02:30\" comes twice in Europe/Berlin, where clocks are changed then; \
             2026-10-25T02:30:00+01:00 is taken"
        ]
    );
    assert!(warnings(&grant("2026-10-25T02:30:00+02:00")).is_empty());
}

#[test]
fn earned_minutes_end_when_they_say_or_with_their_period() {
    let household = household(
        "[[quota]]\nname = 'games'\nfor = 'masha'\nof = ['games']\nlimit = '1h'\ncarry = '30m'\n\
         [[quota]]\nname = 'all'\nfor = 'masha'\nof = ['internet']\nlimit = '10h'\nper = 'week'\n\
         [[grant]]\nfor = 'masha'\nquota = 'all'\nminutes = 30\nuntil = '2026-12-02T04:00'\n\
         [[grant]]\nfor = 'masha'\nquota = 'games'\nminutes = 10\nfrom = '2026-12-01T20:00'\n\
         [[grant]]\nfor = 'masha'\nquota = 'games'\nminutes = 10\nfrom = '2026-12-01T02:00'\n\
         [[grant]]\nfor = 'masha'\nquota = 'all'\nminutes = 10\nfrom = '2026-12-07T03:59'\n",
    );
    assert_eq!(household.quotas[0].carry.as_secs(), 1800);
    assert_eq!(household.quotas[1].per, Period::Week);
    let ends: Vec<(u32, i64)> = household
        .earned
        .iter()
        .map(|earned| (earned.quota, earned.until))
        .collect();
    assert_eq!(
        ends,
        [
            (1, at("2026-12-02T03:00:00Z")),
            (0, at("2026-12-02T03:00:00Z")),
            (0, at("2026-12-01T03:00:00Z")),
            // The Monday that begins a minute later.
            (1, at("2026-12-07T03:00:00Z")),
        ]
    );
    assert!(household.grants.is_empty());
}

#[test]
fn what_is_over_is_kept_and_told_by_who_knows_the_time() {
    let loaded = load(
        "[[grant]]\nfor = 'masha'\nallow = ['internet']\nuntil = '2026-12-01T21:30'\n\
         [[pause]]\nfor = 'masha'\nwhat = 'filter'\nuntil = '2026-12-02T21:30'\n\
         [profile.once]\nbase = 'child'\nallow = [{ name = 'x.example', until = '2026-12-02T22:00' }]\n\
         [[device]]\nname = 'tablet'\nprofile = 'once'\nmatch = ['10.0.0.2']\n",
    )
    .unwrap();
    assert!(loaded.warnings.is_empty());
    assert!(loaded.settings.over(at("2026-12-01T20:29:59Z")).is_empty());
    let over = loaded.settings.over(at("2026-12-03T00:00:00Z"));
    let told: Vec<String> = over
        .iter()
        .map(|over| format!("{:?} {}", over.line, over.sentence))
        .collect();
    assert_eq!(
        told,
        [
            "Some(10) this grant is over; it can go",
            "Some(14) this pause is over; it can go",
            "None names of profiles or persons are past their until; they can go",
        ]
    );
}

#[test]
fn what_is_hardly_meant_is_warned_of() {
    assert_eq!(
        warnings("[person.petya]\nprofile = 'child'\nallow = ['x.example']\ndeny = ['x.example']\n"),
        [
            "person \"petya\" both allows and denies \"x.example\"; allow wins, leave one out",
            "person \"petya\" has no device, and queries come from devices; add a [[device]] with person = \"petya\"",
        ]
    );
    assert_eq!(
        warnings(
            "[[window]]\nname = 'n'\nfor = 'masha'\nfrom = '7:00'\nto = '8:00'\nallow = ['w']\nreach = ['x.example']\n"
        ),
        ["window \"n\" has reach, but blocks nothing; leave reach out"]
    );
}

#[test]
fn a_household_of_profiles_and_clients_alone_has_no_family() {
    let household =
        "[profile.child]\nblock = ['adult']\n[[client]]\nname = 'c'\nprofile = 'child'\nmatch = ['10.0.0.1']\n";
    let loaded = load_with(SETTINGS, Some(household)).unwrap();
    assert!(loaded.settings.household.is_none());
}

#[test]
fn more_windows_than_anybody_has_are_refused() {
    let window = "[[window]]\nfor = 'masha'\nfrom = '21:00'\nto = '7:00'\nblock = ['internet']\n";
    let error = load(&window.repeat(crate::limits::HOUSEHOLD_RULES + 1)).unwrap_err();
    assert_eq!(
        error,
        "household.toml:10: there are 10001 of [[window]], more than 10000; leave out what is over"
    );
}

#[test]
fn many_persons_with_many_names_load() {
    let names: Vec<String> = (0..30).map(|at| format!("'n{at}.example'")).collect();
    let names = names.join(", ");
    let people: String = (0..1000)
        .map(|at| {
            format!(
                "[person.p{at}]\nprofile = 'child'\nallow = [{names}]\n\
                 [[device]]\nname = 'd{at}'\nperson = 'p{at}'\nmatch = ['10.1.{}.{}']\n",
                at / 250,
                at % 250
            )
        })
        .collect();
    let loaded = load(&people).unwrap();
    let household = loaded.settings.household.unwrap();
    assert_eq!(household.people.len(), 1001);
    assert!(household.people.iter().skip(1).all(|person| person.allow.len() == 30));
    assert_eq!(loaded.settings.clients.len(), 1001);
}

/// The settings of the home example, with the household example instead of its own profiles and clients.
fn example() -> Loaded {
    let home = std::fs::read_to_string(shipped("examples/home.toml")).unwrap();
    let lists = home.split("[profile.default]").next().unwrap();
    let household = std::fs::read_to_string(shipped("examples/household.toml")).unwrap();
    load_with(&format!("household = 'household.toml'\n{lists}"), Some(&household)).unwrap()
}

#[test]
fn the_shipped_household_loads_without_a_warning() {
    let loaded = example();
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
    let household = loaded.settings.household.unwrap();
    assert_eq!(household.people.len(), 2);
    // One of two texts of days.
    assert_eq!(household.windows.len(), 3);
    assert_eq!(
        (household.quotas.len(), household.grants.len(), household.earned.len()),
        (1, 1, 1)
    );
    assert_eq!((household.pauses.len(), household.services.len()), (1, 1));
    assert_eq!(loaded.settings.clients.len(), 4);
}

#[test]
fn every_key_of_a_household_stands_in_the_shipped_one() {
    let text = std::fs::read_to_string(shipped("examples/household.toml")).unwrap();
    let starts = |start: String| text.lines().any(|line| line.starts_with(&start));
    for key in fields::<shape::Household>() {
        let there = [format!("{key} = "), format!("[{key}."), format!("[[{key}]]")];
        assert!(there.into_iter().any(starts), "{key} is missing");
    }
    let keys = [
        fields::<shape::Person>(),
        fields::<shape::Device>(),
        fields::<shape::Group>(),
        fields::<shape::Window>(),
        fields::<shape::Quota>(),
        fields::<shape::Grant>(),
        fields::<shape::Pause>(),
        fields::<shape::Service>(),
    ]
    .concat();
    assert!(keys.len() > 35, "the probe sees the keys");
    for key in keys {
        assert!(starts(format!("{key} = ")), "the key {key} is missing");
    }
}

#[test]
fn minutes_that_end_with_their_day_end_when_it_ends_for_the_quota_also_where_the_clock_jumps_over_that_hour() {
    // In Casey it was 5:00 after 1:59 that night, so that no clock showed 4:00.
    let household = household(
        "[person.anna]\nprofile = 'child'\ntimezone = 'Antarctica/Casey'\n\
         [[quota]]\nname = 'all'\nfor = 'anna'\nof = ['internet']\nlimit = '1h'\n\
         [[grant]]\nfor = 'anna'\nquota = 'all'\nminutes = 30\nfrom = '2011-10-27T12:00'\n",
    );
    let anna = household.people.iter().find(|person| person.id == "anna").unwrap();
    let (quota, earned) = (household.quotas[0].quota(), &household.earned[0]);
    let period = quota.period_at(earned.from.unwrap(), &anna.zone);
    assert_eq!(earned.until, period.to_s);
    assert_eq!(earned.until, at("2011-10-27T18:00:00Z"));
}
