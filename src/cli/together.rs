//! What `check` says of a household that holds together: windows of which one allows what another blocks, devices within another's network.
//!
//! In: settings with their household, the time. Out: sentences.
//! Always: nothing of it is a mistake, but it may not be meant. Windows are compared for those who have them both, in their zone, once for all
//! who have the same ones.

use crate::config::household::{Household, Target, WindowSettings};
use crate::config::settings::Settings;
use crate::now::Now;
use crate::schedule::overlaps;
use ipnet::IpNet;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use std::collections::{HashMap, HashSet};

/// Pairs of windows that are compared, so that a check of a carrier's household ends in seconds.
const PAIRS: usize = 5_000_000;
/// Sentences of one kind; a hundred more help nobody.
const SENTENCES: usize = 20;
/// Days ahead in which a window should hold once.
const DAYS_AHEAD: i32 = 3 * 366;

/// All of it.
pub(super) fn about(settings: &Settings, now: Now) -> Vec<String> {
    let Some(household) = &settings.household else {
        return Vec::new();
    };
    let mut told = contradictions(settings, household, now);
    told.extend(over(household, now));
    told.extend(within_anothers(settings, household));
    told
}

/// Windows for one device, or for strangers with a profile.
struct Whose<'s> {
    /// Of the first who has them.
    name: &'s str,
    zone: &'s TimeZone,
    /// Ascending.
    windows: Vec<u32>,
}

/// Every set of windows that somebody has, each once.
fn sets<'s>(settings: &'s Settings, household: &'s Household) -> Vec<Whose<'s>> {
    let (mut everyone, mut people, mut devices) = (Vec::new(), HashMap::new(), HashMap::new());
    let mut profiles: HashMap<&str, Vec<u32>> = HashMap::new();
    for (window, at) in household.windows.iter().zip(0u32..) {
        let subjects = &window.subjects;
        everyone.extend(subjects.everyone.then_some(at));
        for (of, indexes) in [(&mut people, &subjects.people), (&mut devices, &subjects.devices)] {
            for &index in indexes {
                of.entry(index).or_insert_with(Vec::new).push(at);
            }
        }
        for profile in &subjects.profiles {
            profiles.entry(profile).or_default().push(at);
        }
    }
    let none = Vec::new();
    let (mut known, mut sets) = (HashSet::new(), Vec::new());
    let mut add = |name: &'s str, zone: &'s TimeZone, person: Option<u32>, device: Option<u32>, profile: &str| {
        let of = |all: &HashMap<u32, Vec<u32>>, index: Option<u32>| index.and_then(|index| all.get(&index).cloned());
        let of_profile = profiles.get(profile).unwrap_or(&none);
        let parts = [of(&people, person), of(&devices, device), Some(of_profile.clone())];
        let mut windows: Vec<u32> = parts.into_iter().flatten().flatten().collect();
        windows.sort_unstable();
        windows.dedup();
        let key = (zone.iana_name().unwrap_or_default(), windows.clone());
        if known.insert(key) {
            windows.extend(&everyone);
            windows.sort_unstable();
            windows.dedup();
            sets.push(Whose { name, zone, windows });
        }
    };
    for (client, at) in settings.clients.iter().zip(0u32..) {
        let person = client.person.and_then(|person| household.people.get(person as usize));
        let zone = person.map_or(&household.zone, |person| &person.zone);
        let name = person.map_or(client.name.as_str(), |person| person.name.as_str());
        add(name, zone, client.person, Some(at), &client.profile);
    }
    for (person, at) in household.people.iter().zip(0u32..) {
        add(&person.name, &person.zone, Some(at), None, &person.profile);
    }
    for profile in &settings.profiles {
        add(&profile.name, &household.zone, None, None, &profile.name);
    }
    sets
}

/// Windows of which one allows what another blocks for somebody at the same time, with the one that counts.
fn contradictions(settings: &Settings, household: &Household, now: Now) -> Vec<String> {
    let (mut told, mut lines) = (Vec::new(), HashSet::new());
    let mut left = PAIRS;
    for whose in sets(settings, household) {
        let windows: Vec<&WindowSettings> = whose
            .windows
            .iter()
            .map(|&at| &household.windows[at as usize])
            .collect();
        let pairs = windows.len() * windows.len() / 2;
        if left < pairs {
            told.push(
                "there are too many windows to compare them all; some of those that were not may contradict each other"
                    .to_owned(),
            );
            break;
        }
        left -= pairs;
        let mut contrary = HashSet::new();
        for (at, first) in windows.iter().enumerate() {
            for (other, last) in windows.iter().enumerate().skip(at + 1) {
                let both = common(&first.block, &last.allow) || common(&first.allow, &last.block);
                if both && first.line != last.line && !lines.contains(&(first.line, last.line)) {
                    contrary.insert((at, other));
                }
            }
        }
        if contrary.is_empty() {
            continue;
        }
        let second = |unix_s: i64| Timestamp::from_second(unix_s).unwrap_or_default();
        let today = whose.zone.to_datetime(second(now.unix_s() as i64)).date();
        let when: Vec<_> = windows.iter().map(|window| window.when.clone()).collect();
        // More than there may be were told of when policy was made.
        for met in overlaps(&when, whose.zone, today).unwrap_or_default() {
            let (one, other) = (usize::from(met.one), usize::from(met.other));
            let (first, last) = (windows[one], windows[other]);
            if !contrary.contains(&(one, other)) || !lines.insert((first.line, last.line)) {
                continue;
            }
            told.push(format!(
                "window \"{}\" (line {}) and window \"{}\" (line {}) hold together for {}, for the first time at {}, and one allows what the \
                 other blocks; the one on line {} counts, which stands last in the file",
                first.name,
                first.line,
                last.name,
                last.line,
                whose.name,
                whose.zone.to_datetime(second(met.at_s)).strftime("%F %H:%M"),
                last.line,
            ));
        }
        if told.len() >= SENTENCES {
            break;
        }
    }
    if !told.is_empty() {
        told.push(
            "of what holds at once the first of these counts that concerns a name: a pause of the filter, a grant, a pause of the internet, \
             a quota that is used up, a window, and of windows the last in the file"
                .to_owned(),
        );
    }
    told
}

/// Whether something is of both.
fn common(a: &Target, b: &Target) -> bool {
    let nothing = Target::default();
    let share = |a: &[String], b: &[String]| a.iter().any(|word| b.contains(word));
    if *a == nothing || *b == nothing {
        return false;
    }
    a.internet
        || b.internet
        || share(&a.lists, &b.lists)
        || share(&a.services, &b.services)
        || a.names.iter().any(|one| {
            let meets = |other: &crate::dns::name::Name| one.name.is_within(other) || other.is_within(&one.name);
            b.names.iter().any(|other| meets(&other.name))
        })
}

/// Windows of dates that are over.
fn over(household: &Household, now: Now) -> Vec<String> {
    let now = Timestamp::from_second(now.unix_s() as i64).unwrap_or_default();
    // One that began yesterday may hold still, and somewhere it is a day earlier than here.
    let Ok(first) = household.zone.to_datetime(now).date().checked_sub(2.days()) else {
        return Vec::new();
    };
    let holds = |window: &WindowSettings| {
        let days = std::iter::successors(Some(first), |day| day.tomorrow().ok());
        days.take(DAYS_AHEAD as usize).any(|day| window.when.days.contains(day))
    };
    let over = household.windows.iter().filter(|window| !holds(window));
    let told = over.take(SENTENCES).map(|window| {
        let (name, line) = (&window.name, window.line);
        format!("window \"{name}\" (line {line}) has no day left on which it begins; it can go, or get others in days")
    });
    told.collect()
}

/// Devices of one person within a network of another's.
fn within_anothers(settings: &Settings, household: &Household) -> Vec<String> {
    let mut networks: Vec<(IpNet, &str, u32)> = Vec::new();
    for client in &settings.clients {
        if let Some(person) = client.person {
            networks.extend(client.networks.iter().map(|net| (*net, client.name.as_str(), person)));
        }
    }
    // What holds others comes right before them.
    networks.sort_unstable_by_key(|(net, ..)| (net.network(), net.prefix_len()));
    let name = |person: u32| {
        household
            .people
            .get(person as usize)
            .map_or("", |person| person.name.as_str())
    };
    let (mut around, mut told): (Vec<(IpNet, &str, u32)>, Vec<String>) = (Vec::new(), Vec::new());
    for (net, device, person) in networks {
        while around.last().is_some_and(|(outer, ..)| !outer.contains(&net)) {
            around.pop();
        }
        if let Some((outer, others, other)) = around.last().filter(|(.., other)| *other != person) {
            told.push(format!(
                "device \"{device}\" of {} ({net}) lies within {outer}, which is device \"{others}\" of {}; the longer prefix counts, so that \
                 it is {}'s",
                name(person),
                name(*other),
                name(person),
            ));
            if told.len() >= SENTENCES {
                break;
            }
        }
        around.push((net, device, person));
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said of a household on Tuesday, 2026-12-01; what is added begins on line 13.
    fn told(more: &str) -> Vec<String> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("a writable folder");
        write(
            "stairgate.toml",
            "household = \"household.toml\"\n[server]\nunmatched = \"open\"\n",
        );
        let people = "timezone = \"Europe/Moscow\"\n[profile.child]\nblock = []\nservices = [\"tiktok\"]\n[person.masha]\nprofile = \"child\"\n\
                      [person.petya]\nprofile = \"child\"\n[[device]]\nname = \"phone\"\nperson = \"masha\"\nmatch = [\"10.0.0.1\"]\n";
        write("household.toml", &format!("{people}{more}"));
        let loaded = Settings::load(&folder.path().join("stairgate.toml"));
        let settings = loaded.expect("good settings").settings;
        let now = Now {
            mono_ms: 0,
            unix_ms: 1_796_155_200_000,
        };
        about(&settings, now)
    }

    fn window(whom: &str, days: &str, what: &str) -> String {
        format!("[[window]]\nfor = \"{whom}\"\ndays = \"{days}\"\nfrom = \"10:00\"\nto = \"12:00\"\n{what}\n")
    }

    #[test]
    fn windows_that_contradict_each_other_are_told_with_the_first_time_they_meet_and_the_one_that_counts() {
        let block = window("masha", "sat", "block = [\"tiktok\"]");
        let found = told(&format!(
            "{block}{}",
            window("masha", "weekend", "allow = [\"tiktok\"]")
        ));
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(
            found[0].contains("(line 13)") && found[0].contains("2026-12-05 10:00"),
            "{found:?}"
        );
        assert!(
            found[0].ends_with("the one on line 19 counts, which stands last in the file"),
            "{found:?}"
        );
        assert!(
            found[1].starts_with("of what holds at once the first of these counts"),
            "{found:?}"
        );
        for other in [
            window("masha", "sun", "allow = [\"tiktok\"]"),
            window("masha", "sat", "allow = [\"roblox\"]"),
            window("masha", "sat", "block = [\"tiktok\"]"),
            window("petya", "sat", "allow = [\"tiktok\"]"),
        ] {
            assert_eq!(told(&format!("{block}{other}")), Vec::<String>::new());
        }
    }

    #[test]
    fn windows_meet_whether_they_are_for_a_device_its_person_or_the_profile_and_the_internet_is_everything() {
        let block = window("masha", "sat", "block = [\"internet\"]");
        for whom in ["phone", "masha", "profile:child", "everyone"] {
            for allow in ["allow = [\"tiktok\"]", "allow = [\"school.example\"]"] {
                let found = told(&format!("{block}{}", window(whom, "sat", allow)));
                assert_eq!(found.len(), 2, "{whom}: {found:?}");
                assert!(found[0].contains("hold together for masha"), "{found:?}");
            }
        }
        let below = window("masha", "sat", "block = [\"www.school.example\"]");
        let found = told(&format!(
            "{below}{}",
            window("masha", "sat", "allow = [\"school.example\"]")
        ));
        assert_eq!(found.len(), 2, "{found:?}");
    }

    #[test]
    fn a_window_whose_dates_are_over_can_go() {
        let found = told(&window("masha", "2026-10-01..2026-11-28", "block = [\"tiktok\"]"));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(
            found[0].contains("(line 13) has no day left on which it begins"),
            "{found:?}"
        );
        for days in ["2026-11-30", "2027-12-24", "2026-10-01, mon"] {
            assert_eq!(
                told(&window("masha", days, "block = [\"tiktok\"]")),
                Vec::<String>::new(),
                "{days}"
            );
        }
    }

    #[test]
    fn a_device_within_a_network_of_another_person_is_told_with_whose_it_is() {
        let device = |name: &str, person: &str, net: &str| {
            format!("[[device]]\nname = \"{name}\"\nperson = \"{person}\"\nmatch = [\"{net}\"]\n")
        };
        let found = told(&device("room", "petya", "10.0.0.0/24"));
        assert_eq!(
            found,
            [
                "device \"phone\" of masha (10.0.0.1/32) lies within 10.0.0.0/24, which is device \"room\" of petya; the longer prefix counts, so \
              that it is masha's"
            ]
        );
        assert_eq!(told(&device("room", "masha", "10.0.0.0/24")), Vec::<String>::new());
        assert_eq!(told(&device("room", "petya", "10.0.1.0/24")), Vec::<String>::new());
    }
}
