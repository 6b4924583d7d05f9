use super::*;
use crate::activity::Asked;
use crate::config::settings::{ClientSettings, LogChoice, LogSettings, Settings};
use crate::dns::name::Name;
use crate::list::set::Gate;

/// Noon of a day, UTC.
const NOON_S: u64 = 1_700_049_600;

fn now(second: u64) -> Now {
    Now {
        mono_ms: 0,
        unix_ms: 1000 * second,
    }
}

/// Two devices that are nobody's, of whom this is kept.
fn policy(choice: LogChoice) -> Policy {
    let mut settings = Settings::builtin(Path::new("/"));
    settings.lists.clear();
    settings.profiles[0].log = LogSettings { choice, days: 7 };
    settings.clients = ["phone", "tablet"]
        .into_iter()
        .zip(1..)
        .map(|(name, host)| ClientSettings {
            name: name.to_owned(),
            tags: Vec::new(),
            networks: vec![format!("10.0.0.{host}/32").parse().unwrap()],
            profile: "default".to_owned(),
            person: None,
        })
        .collect();
    Policy::build_at(&Gate::empty(), &settings, &[], NOON_S).unwrap()
}

/// A query of the phone, as far as anything is kept of it.
fn ask(activity: &Activity, policy: &Policy, second: u64) {
    let asker = policy.client("10.0.0.1".parse().unwrap(), second).unwrap();
    if let Some(whose) = policy.asks(&asker) {
        activity.rings.put(Asked {
            whose: Arc::clone(whose),
            minute: second / 60,
            blocked: false,
            category: None,
            name: Some(Name::parse("secret.example").unwrap().as_wire().into()),
        });
    }
}

fn open(folder: &Path) -> Activity {
    Activity::open(folder, &Arc::new(Counters::new()))
}

fn text(activity: &Activity) -> String {
    std::fs::read_to_string(&activity.path).unwrap_or_default()
}

/// Somebody whose names are kept has asked once, and that is written.
fn saved(folder: &Path) -> (Activity, Policy) {
    let activity = open(folder);
    let names = policy(LogChoice::Names);
    activity.follow(&names, now(NOON_S));
    ask(&activity, &names, NOON_S);
    activity.save(now(NOON_S));
    (activity, names)
}

#[test]
fn what_was_kept_is_there_after_a_restart_and_names_go_from_the_file_as_soon_as_only_counts_are_chosen() {
    let folder = tempfile::tempdir().unwrap();
    let (activity, names) = saved(folder.path());
    assert!(text(&activity).contains("secret.example."));

    let activity = open(folder.path());
    activity.follow(&names, now(NOON_S));
    let report = activity.report(Some("device:phone"), None);
    assert_eq!((report.len(), report[0].names[0].name.as_str()), (1, "secret.example."));
    // Of the generation before, after the choice was taken back.
    let counts = policy(LogChoice::Counts);
    activity.follow(&counts, now(NOON_S));
    assert!(text(&activity).contains("device:phone") && !text(&activity).contains("secret"));
    ask(&activity, &names, NOON_S);
    let report = activity.report(None, None);
    assert_eq!((report[0].queries, report[0].names.len()), (2, 0));

    activity.follow(&policy(LogChoice::Nothing), now(NOON_S));
    assert!(!activity.path.exists(), "where nothing is kept there is no file");
    ask(&activity, &names, NOON_S);
    activity.save(now(NOON_S));
    assert!(!activity.path.exists() && activity.report(None, None).is_empty());
}

#[test]
fn who_is_forgotten_is_gone_from_the_file_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let (activity, names) = saved(folder.path());
    // Beside what is not yet noted.
    ask(&activity, &names, NOON_S + 86_400);
    assert_eq!(activity.forget("device:phone", now(NOON_S + 86_400)), Ok(2));
    assert!(!activity.path.exists());
}

#[test]
fn a_week_later_nothing_is_kept_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let (activity, names) = saved(folder.path());
    activity.tick(&names, now(NOON_S + 6 * 86_400));
    assert!(activity.path.exists());
    activity.tick(&names, now(NOON_S + 7 * 86_400));
    assert!(!activity.path.exists());
}

#[test]
fn a_damaged_file_is_read_as_far_as_it_is_whole_and_one_that_cannot_be_written_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let (activity, names) = saved(folder.path());
    let whole = text(&activity);
    std::fs::write(&activity.path, &whole[..whole.len() - 3]).unwrap();
    assert_eq!(open(folder.path()).report(None, None).len(), 1);
    std::fs::write(&activity.path, b"\xff\xfe").unwrap();
    assert!(open(folder.path()).report(None, None).is_empty());

    let nowhere = open(&folder.path().join("none"));
    nowhere.follow(&names, now(NOON_S));
    ask(&nowhere, &names, NOON_S);
    nowhere.save(now(NOON_S));
    assert_eq!(nowhere.counters.sum().get(Count::FilesNotKept), 1);
    assert_eq!(
        nowhere.report(None, None)[0].queries,
        1,
        "queries go on, and are kept in memory"
    );
}

#[test]
fn a_device_that_is_heard_but_does_not_ask_is_told_of_whatever_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let activity = open(folder.path());
    let before = policy(LogChoice::Nothing);
    ask(&activity, &before, NOON_S);
    // A reload takes over when devices asked.
    let policy = policy(LogChoice::Nothing);
    policy.remember(&before);
    let neighbor = |host: u8, confirmed_s| Neighbor {
        addr: [10, 0, 0, host].into(),
        confirmed_s,
    };
    let later = NOON_S + 40 * 60;
    activity
        .kept()
        .hear(&policy, &[neighbor(1, 120), neighbor(2, 0), neighbor(9, 0)], later);
    let devices = activity.devices(&policy, now(later));
    let phone = &devices[0];
    assert_eq!(phone.device, "phone");
    assert_eq!((phone.asked_minutes_ago, phone.active_minutes_ago), (Some(40), Some(2)));
    assert_eq!(phone.silent_minutes, Some(40));
    // The other one never asked: who knows why.
    assert_eq!((devices[1].asked_minutes_ago, devices[1].silent_minutes), (None, None));
    // It asks again.
    ask(&activity, &policy, later);
    assert_eq!(activity.devices(&policy, now(later))[0].silent_minutes, None);
    assert!(!folder.path().join("activity").exists());
}
