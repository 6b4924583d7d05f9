use super::table::is_name;
use super::*;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

const SERVICES: &str = include_str!("../../blocklists/catalogue/services.tsv");
const SAFE_SEARCH: &str = include_str!("../../blocklists/catalogue/safesearch.tsv");
const BYPASS: &str = include_str!("../../blocklists/catalogue/bypass.tsv");
const ADDRESSES: &str = include_str!("../../blocklists/catalogue/bypass-addresses.tsv");
const ALWAYS: &str = include_str!("../../blocklists/catalogue/always-reachable.tsv");
const WITHOUT: &str = include_str!("../../blocklists/catalogue/search-without-safe-mode.tsv");
const KIDS: &str = include_str!("../../blocklists/catalogue/kids.txt");

const HEADER: &str = "service\tname\tgroup\tdomain\tsource\tbackground\n";

/// Names that carry far more than one service: nothing may rest on them or on what is above them.
const BROAD: &[&str] = &[
    "google.com",
    "googleapis.com",
    "gstatic.com",
    "googleusercontent.com",
    "cloudflare.com",
    "cloudfront.net",
    "akamaihd.net",
    "akamaized.net",
    "akamaiedge.net",
    "amazonaws.com",
    "fastly.net",
    "apple.com",
    "icloud.com",
    "microsoft.com",
    "live.com",
    "office.net",
    "windows.com",
    "azureedge.net",
    "mail.ru",
    "yandex.ru",
    "yandex.net",
    "ya.ru",
    "appspot.com",
    "b-cdn.net",
    "mozilla.org",
    "firefox.com",
    "opendns.com",
    "mycdn.me",
    "okcdn.ru",
    "github.io",
    "naver.com",
    "bing.com",
    "ggpht.com",
    "qq.com",
    "go.com",
    "ngenix.net",
];

/// A name of one service that stands above, or is, a name of another: on purpose, and no others.
const OVERLAPS: &[(&str, &str, &str)] = &[
    ("facebook", "messenger", "chat-e2ee-mini.facebook.com"),
    ("facebook", "messenger", "edge-chat.facebook.com"),
    ("vk-play", "vk-play-live", "live.vkplay.ru"),
    ("vk-video", "vk-play-live", "live.vkvideo.ru"),
    ("youtube", "youtube-music", "music.youtube.com"),
];

fn above(name: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(name), |name| name.split_once('.').map(|(_, rest)| rest))
}

fn services(rows: &str) -> Result<Services, CatalogueError> {
    Services::parse(&format!("# comment\n{HEADER}\n{rows}"))
}

fn fault(rows: &str) -> Fault {
    let error = services(rows).unwrap_err();
    assert_eq!(error.file, "services.tsv");
    error.what
}

#[test]
fn shipped_services_are_many_and_every_group_has_some() {
    let services = Services::parse(SERVICES).unwrap();
    let count = services.iter().count();
    assert!(count >= 120, "{count}");
    let groups: Vec<&str> = services.groups().collect();
    assert!((10..=16).contains(&groups.len()), "{groups:?}");
    for group in groups {
        assert!(services.group(group).unwrap().count() >= 5, "{group}");
    }
    for service in services.iter() {
        assert!(
            service.domains.iter().any(|domain| !domain.background),
            "{} is background alone",
            service.id
        );
    }
    println!(
        "{count} services, {} names",
        services.iter().map(|service| service.domains.len()).sum::<usize>()
    );
}

#[test]
fn no_shipped_name_carries_far_more_than_what_it_is_listed_for() {
    let services = Services::parse(SERVICES).unwrap();
    let bypass = Bypass::parse(BYPASS).unwrap();
    let always = Names::always_reachable(ALWAYS).unwrap();
    let without = Names::search_without_safe_mode(WITHOUT).unwrap();
    let names = (services
        .iter()
        .flat_map(|service| &service.domains)
        .map(|domain| domain.name.as_str()))
    .chain(bypass.0.iter().map(|(name, _)| name.as_str()))
    .chain(always.iter().map(|(_, name)| name))
    .chain(without.iter().map(|(_, name)| name));
    for name in names {
        assert!(!BROAD.contains(&name), "{name}");
    }
}

#[test]
fn services_share_names_only_where_that_is_written_down() {
    let services = Services::parse(SERVICES).unwrap();
    let mut holders: BTreeMap<&str, Vec<(&str, bool)>> = BTreeMap::new();
    for service in services.iter() {
        for domain in &service.domains {
            holders
                .entry(&domain.name)
                .or_default()
                .push((&service.id, domain.exact));
        }
    }
    let mut found = BTreeSet::new();
    for service in services.iter() {
        for domain in &service.domains {
            for upper in above(&domain.name) {
                for &(holder, exact) in holders.get(upper).into_iter().flatten() {
                    let covers = !exact || upper == domain.name;
                    if covers && holder != service.id && (upper != domain.name || holder < service.id.as_str()) {
                        found.insert((holder, service.id.as_str(), domain.name.as_str()));
                    }
                }
            }
        }
    }
    assert_eq!(found.into_iter().collect::<Vec<_>>(), OVERLAPS);
}

#[test]
fn all_hosts_of_google_and_every_engine_with_a_safe_name_are_shipped() {
    let safe = SafeSearch::parse(SAFE_SEARCH).unwrap();
    assert_eq!(safe.of("google", Mode::Strict).len(), 194);
    assert_eq!(safe.of("youtube", Mode::Strict).len(), 5);
    assert_eq!(safe.of("youtube", Mode::Moderate).len(), 5);
    for engine in ["bing", "brave", "duckduckgo", "ecosia", "pixabay", "qwant", "yandex"] {
        assert!(!safe.of(engine, Mode::Strict).is_empty(), "{engine}");
    }
    let hosts: BTreeSet<&str> = safe.iter().map(|host| host.host.as_str()).collect();
    for host in safe.iter() {
        assert!(
            !hosts.contains(host.target.as_str()),
            "{} is answered with itself",
            host.target
        );
    }
    assert!(safe.of("google", Mode::Moderate).is_empty());
    assert!(safe.of("altavista", Mode::Strict).is_empty());
}

#[test]
fn engines_without_a_safe_mode_do_not_hold_the_hosts_of_those_with_one() {
    let safe = SafeSearch::parse(SAFE_SEARCH).unwrap();
    let without = Names::search_without_safe_mode(WITHOUT).unwrap();
    let without: BTreeSet<&str> = without.iter().map(|(_, name)| name).collect();
    for host in safe.iter() {
        for name in above(&host.host).chain(above(&host.target)) {
            assert!(!without.contains(name), "{name} is above {}", host.host);
        }
    }
}

#[test]
fn ways_around_are_known_by_kind_and_leave_everyday_names_alone() {
    let bypass = Bypass::parse(BYPASS).unwrap();
    assert_eq!(bypass.get("dns.google"), Some(Way::Doh));
    assert_eq!(bypass.get("cloudflare-dns.com"), Some(Way::Doh));
    assert_eq!(bypass.get("one.one.one.one"), Some(Way::Doh));
    assert_eq!(bypass.get("torproject.org"), Some(Way::Tor));
    assert_eq!(bypass.get("mask.icloud.com"), Some(Way::Relay));
    assert_eq!(bypass.get("use-application-dns.net"), Some(Way::Canary));
    assert_eq!(bypass.get("nordvpn.com"), Some(Way::Vpn));
    assert_eq!(bypass.get("croxyproxy.com"), Some(Way::Proxy));
    assert_eq!(bypass.get("google.com"), None);
    for way in [
        Way::Doh,
        Way::Dot,
        Way::Vpn,
        Way::Proxy,
        Way::Tor,
        Way::Relay,
        Way::Canary,
    ] {
        println!("{way:?}: {}", bypass.of(way).count());
        assert!(bypass.of(way).next().is_some(), "{way:?}");
    }
    let everyday = [
        "www.google.com",
        "www.apple.com",
        "update.microsoft.com",
        "www.cloudflare.com",
        "mozilla.org",
    ];
    for name in everyday.iter().flat_map(|name| above(name)) {
        assert_eq!(bypass.get(name), None, "{name}");
    }
}

#[test]
fn nothing_that_stays_reachable_is_a_way_around() {
    let bypass = Bypass::parse(BYPASS).unwrap();
    let always = Names::always_reachable(ALWAYS).unwrap();
    for kind in ["time", "captive", "emergency", "school"] {
        assert!(always.of(kind).count() >= 10, "{kind}");
    }
    for (kind, name) in always.iter() {
        assert!(["time", "captive", "emergency", "school"].contains(&kind), "{kind}");
        for upper in above(name) {
            assert_eq!(bypass.get(upper), None, "{name}");
        }
    }
}

#[test]
fn addresses_of_resolvers_are_read_with_their_prefix() {
    let addresses = BypassAddresses::parse(ADDRESSES).unwrap().0;
    assert!(addresses.len() > 100);
    assert!(addresses.contains(&("1.1.1.1".parse().unwrap(), 32, "cloudflare".into())));
    assert!(addresses.iter().any(|(_, length, _)| *length == 24));
    for wrong in ["1.1.1", "1.1.1.1/33", "::/129", "1.1.1.1/", "1.1.1.1/x", "dns.google"] {
        assert_eq!(read_network(wrong), None, "{wrong}");
    }
}

#[test]
fn the_childrens_internet_names_hosts_once_and_no_service_of_the_social_groups() {
    let services = Services::parse(SERVICES).unwrap();
    let closed: BTreeSet<&str> = ["social", "strangers", "dating", "ai", "video"]
        .iter()
        .flat_map(|group| services.group(group).unwrap())
        .flat_map(|service| service.domains.iter().map(|domain| domain.name.as_str()))
        .collect();
    let mut seen = BTreeSet::new();
    for name in KIDS.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        assert!(is_name(name) && seen.insert(name), "{name}");
        assert!(above(name).all(|upper| !closed.contains(upper)), "{name}");
    }
    assert!((60..=150).contains(&seen.len()), "{}", seen.len());
}

#[test]
fn a_service_is_found_by_id_and_by_group() {
    let services =
        services("a\tA\tg\t=x.example\tmaker\t\na\tA\tg\ty.example\tmaker\tbackground\nb\tB\tg\tz.example\tmaker\t\n");
    let services = services.unwrap();
    let a = services.get("a").unwrap();
    assert_eq!((a.name.as_str(), a.domains.len()), ("A", 2));
    assert!(a.domains[0].exact && !a.domains[0].background);
    assert!(!a.domains[1].exact && a.domains[1].background);
    let ids: Vec<&str> = services
        .group("g")
        .unwrap()
        .map(|service| service.id.as_str())
        .collect();
    assert_eq!(ids, ["a", "b"]);
    assert!(services.get("c").is_none() && services.group("h").is_none());
}

#[test]
fn a_wrong_line_is_named_by_file_line_and_fault() {
    let error = services("a\tA\tg\tx.example\tmaker\t\nb\tB\n").unwrap_err();
    assert_eq!(error.to_string(), "services.tsv:5: 2 columns where 6 are");
    assert_eq!(fault("A\tA\tg\tx.example\tm\t\n"), Fault::Id("A".into()));
    assert_eq!(fault("a\tA\t\tx.example\tm\t\n"), Fault::Id(String::new()));
    assert_eq!(fault("a\t\tg\tx.example\tm\t\n"), Fault::Empty("name"));
    assert_eq!(fault("a\tA\tg\tx.example\tm\tpush\n"), Fault::Word("push".into()));
    assert!(matches!(Services::parse("").unwrap_err().what, Fault::Header(_)));
    for name in [
        "com",
        "X.example",
        "x.example.",
        "=.example",
        "-x.example",
        "x_y.example",
        "1.2.3.4",
        "é.example",
    ] {
        assert!(
            matches!(fault(&format!("a\tA\tg\t{name}\tm\t\n")), Fault::Name(_)),
            "{name}"
        );
    }
}

#[test]
fn rows_twice_or_out_of_order_are_refused() {
    assert_eq!(
        fault("a\tA\tg\tx.example\tm\t\na\tA\tg\tx.example\tm\t\n"),
        Fault::Order
    );
    assert_eq!(
        fault("a\tA\tg\tx.example\tm\t\na\tA\tg\t=x.example\tm\t\n"),
        Fault::Order
    );
    assert_eq!(
        fault("a\tA\tg\ty.example\tm\t\na\tA\tg\tx.example\tm\t\n"),
        Fault::Order
    );
    assert_eq!(
        fault("b\tB\tg\tx.example\tm\t\na\tA\tg\tx.example\tm\t\n"),
        Fault::Order
    );
    assert_eq!(
        fault("a\tA\tg\tx.example\tm\t\na\tB\tg\ty.example\tm\t\n"),
        Fault::Service("a".into())
    );
}

proptest! {
    #[test]
    fn no_text_makes_a_parser_panic(text in "(?s).{0,200}", rows in "[a-c=.\t\n#-]{0,120}") {
        for text in [text.clone(), format!("{HEADER}{rows}"), format!("kind\tname\tsource\n{rows}")] {
            let _ = Services::parse(&text);
            let _ = SafeSearch::parse(&text);
            let _ = Bypass::parse(&text);
            let _ = BypassAddresses::parse(&text);
            let _ = Names::always_reachable(&text);
        }
    }
}

#[test]
fn search_engines_without_a_safe_mode_are_services_of_one_group_and_stay_those_of_whom_they_were() {
    let engines = Names(vec![
        ("a".to_owned(), "a.example".to_owned()),
        ("b".to_owned(), "search.big.example".to_owned()),
        ("b".to_owned(), "search.big.test".to_owned()),
        ("c".to_owned(), "search.one.example".to_owned()),
    ]);
    let rows = "big\tBig\tvideo\tbig.example\tmaker\t\none\tOne\tvideo\t=one.example\tmaker\t\n";
    let all = services(rows).unwrap().with_search_engines(&engines);
    let names = |id: &str| -> Vec<&str> {
        let domains = &all.get(id).unwrap().domains;
        domains.iter().map(|domain| domain.name.as_str()).collect()
    };
    let group: Vec<&str> = all
        .group("search-without-safe-mode")
        .unwrap()
        .map(|service| service.id.as_str())
        .collect();
    assert_eq!(group, ["a-search", "b-search", "c-search"]);
    assert_eq!(names("b-search"), ["search.big.example", "search.big.test"]);
    assert_eq!(names("big"), ["big.example", "search.big.example"]);
    assert_eq!(names("one"), ["one.example"]);
    let shipped = &Catalogue::shipped().services;
    let ids: Vec<&String> = shipped.iter().map(|service| &service.id).collect();
    assert!(ids.is_sorted_by(|a, b| a < b), "no id is there twice");
    assert!(shipped.get("kagi-search").is_some());
}
