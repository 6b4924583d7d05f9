//! Counts what quotas are of: from the minutes that policy has seen used to what is left, kept over restarts.
//!
//! In: a policy, the time. Out: for each account of it, whether anything is left; `state_dir/quotas`.
//! Always: a minute counts once, whichever device of the person asked. What was used is known to a new policy before it comes into force.
//! Fails: a file that is torn or damaged is read as far as it is whole, and said; one that cannot be written is said once until it can.

use crate::list::publish::replace;
use crate::now::Now;
use crate::policy::Policy;
use crate::schedule::quota::Meter;
use std::collections::HashMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use tracing::warn;

/// What is written at most so often, in seconds: what a power cut may take back.
const SAVED_EVERY_S: u64 = 60;
/// A use that is longer ago, in minutes, belongs to a policy of before.
const MINUTES_BACK: u64 = 2;

/// Who counts.
pub(super) struct Quotas {
    file: PathBuf,
    meter: Meter,
    /// By key: the latest minute that was counted.
    counted: HashMap<String, u64>,
    changed: bool,
    saved_s: u64,
    failing: bool,
}

impl Quotas {
    /// What was used before, from `state_dir`.
    pub(super) fn open(state_dir: &Path) -> Quotas {
        let file = state_dir.join("quotas");
        let meter = match std::fs::read_to_string(&file) {
            Ok(text) => Meter::from_text(&text).unwrap_or_else(|damaged| {
                warn!("{}: {damaged}", file.display());
                *damaged.kept
            }),
            Err(cause) => {
                if cause.kind() != ErrorKind::NotFound {
                    warn!("{}: {cause}; the minutes of all quotas count from 0", file.display());
                }
                Meter::default()
            }
        };
        Quotas {
            file,
            meter,
            counted: HashMap::new(),
            changed: false,
            saved_s: 0,
            failing: false,
        }
    }

    /// Counts what was used since the last time, and tells the policy of this moment what is spent.
    pub(super) fn count(&mut self, policy: &Policy, now: Now) {
        let now_s = now.unix_s();
        let at = i64::try_from(now_s).unwrap_or(i64::MAX);
        for account in policy.accounts() {
            let period = account.quota.period_at(at, &account.zone);
            let earned = i64::from(account.earned_minutes(at));
            let left = |meter: &Meter| meter.balance_in(&account.key, &account.quota, &period) + earned;
            let minute = account.used_minute();
            let fresh = minute != 0 && (now_s / 60).abs_diff(minute) <= MINUTES_BACK;
            // What is asked for in the moments until it is known that nothing is left is not a minute more.
            if fresh && self.counted.get(&account.key) != Some(&minute) && left(&self.meter) > 0 {
                let second = i64::try_from(60 * minute).unwrap_or(i64::MAX);
                match self.meter.note(&account.key, &account.quota, second, &account.zone) {
                    Ok(_) => {
                        self.counted.insert(account.key.clone(), minute);
                        self.changed = true;
                    }
                    Err(cause) => warn!("quota {}: {cause}", account.key),
                }
            }
            // The last minute is a whole one.
            let under_way = self.counted.get(&account.key) == Some(&(now_s / 60));
            account.set_spent(left(&self.meter) <= 0 && !under_way);
        }
        if self.changed && now_s.abs_diff(self.saved_s) >= SAVED_EVERY_S {
            self.saved_s = now_s;
            self.save();
        }
    }

    /// Writes what was used, if it changed.
    pub(super) fn save(&mut self) {
        if !self.changed {
            return;
        }
        match replace(&self.file, self.meter.to_text().as_bytes(), false) {
            Ok(()) => (self.changed, self.failing) = (false, false),
            Err(cause) => {
                if !self.failing {
                    warn!(
                        "{}: {cause}; what was used of quotas is not kept over a restart until it can be written",
                        self.file.display()
                    );
                }
                self.failing = true;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::household::{EarnedSettings, Household, QuotaSettings, Subjects, Target};
    use crate::config::settings::Settings;
    use crate::dns::key::Key;
    use crate::dns::name::Name;
    use crate::dns::rtype;
    use crate::list::set::Gate;
    use crate::policy::Met;
    use crate::policy::decision::Action;
    use crate::schedule::quota::Period;
    use jiff::tz::TimeZone;
    use std::time::Duration;

    /// Noon of a day, UTC.
    const NOON_S: u64 = 1_700_049_600;

    fn everyone() -> Subjects {
        Subjects {
            everyone: true,
            ..Subjects::default()
        }
    }

    /// Everybody may use game.example for three minutes a day.
    fn policy(earned: Vec<EarnedSettings>) -> Policy {
        let mut settings = Settings::builtin(Path::new("/"));
        settings.lists.clear();
        settings.household = Some(Household {
            zone: TimeZone::UTC,
            quotas: vec![QuotaSettings {
                name: "games".to_owned(),
                line: 1,
                subjects: everyone(),
                of: Target {
                    names: vec![Name::parse("game.example").unwrap().into()],
                    services: vec!["tiktok".to_owned()],
                    ..Target::default()
                },
                limit: Duration::from_secs(180),
                per: Period::Day,
                carry: Duration::ZERO,
                reach: Target::default(),
            }],
            earned,
            ..Household::default()
        });
        Policy::build_at(&Gate::empty(), &settings, &[], NOON_S).unwrap()
    }

    fn now(second: u64) -> Now {
        Now {
            mono_ms: 0,
            unix_ms: 1000 * second,
        }
    }

    /// Whether the name is blocked, and whether its answer is to be short-lived.
    fn asks(policy: &Policy, name: &str, second: u64) -> (bool, bool) {
        let asker = policy.client("127.0.0.1".parse().unwrap(), second).unwrap();
        let key = Key::parse(name).unwrap();
        let decision = policy.decide(&Gate::empty(), &asker, &key, Met::Question, rtype::A);
        let left = asker.after(&decision).until_s - second;
        (decision.action == Action::Sinkhole, left <= 60)
    }

    #[test]
    fn a_quota_is_spent_by_minutes_of_use_and_given_anew_the_next_day() {
        let folder = tempfile::tempdir().unwrap();
        let mut quotas = Quotas::open(folder.path());
        let policy = policy(Vec::new());
        for minute in 0..3 {
            for second in [0, 20, 40] {
                let at = NOON_S + 600 * minute + second;
                quotas.count(&policy, now(at));
                assert_eq!(asks(&policy, "www.game.example", at), (false, true), "minute {minute}");
                assert_eq!(asks(&policy, "school.example", at), (false, false));
                quotas.count(&policy, now(at));
            }
        }
        let evening = NOON_S + 6 * 3600;
        quotas.count(&policy, now(evening));
        assert_eq!(asks(&policy, "www.game.example", evening), (true, true));
        assert!(asks(&policy, "www.tiktok.com", evening).0);
        assert_eq!(asks(&policy, "school.example", evening), (false, false));
        // A new day begins at four.
        let morning = NOON_S + 16 * 3600;
        quotas.count(&policy, now(morning - 1));
        assert!(asks(&policy, "www.game.example", morning - 1).0);
        quotas.count(&policy, now(morning));
        assert!(!asks(&policy, "www.game.example", morning).0);
    }

    #[test]
    fn names_that_apps_ask_for_by_themselves_are_no_use() {
        let folder = tempfile::tempdir().unwrap();
        let mut quotas = Quotas::open(folder.path());
        let policy = policy(Vec::new());
        let ask_for_minutes = |quotas: &mut Quotas, name: &str, from: u64| {
            for minute in 0..10 {
                let at = NOON_S + 60 * (from + minute);
                asks(&policy, name, at);
                quotas.count(&policy, now(at));
            }
            let at = NOON_S + 60 * (from + 10);
            asks(&policy, name, at);
            quotas.count(&policy, now(at));
            asks(&policy, name, at + 10).0
        };
        assert!(!ask_for_minutes(&mut quotas, "log.tiktokv.com", 0));
        assert!(ask_for_minutes(&mut quotas, "www.tiktok.com", 20));
    }

    #[test]
    fn what_was_used_is_known_after_a_restart_and_to_a_policy_with_more_minutes() {
        let folder = tempfile::tempdir().unwrap();
        let mut quotas = Quotas::open(folder.path());
        let before = policy(Vec::new());
        for minute in 0..3 {
            let at = NOON_S + 60 * minute;
            asks(&before, "game.example", at);
            quotas.count(&before, now(at));
        }
        quotas.save();
        let mut quotas = Quotas::open(folder.path());
        let at = NOON_S + 600;
        let after = policy(Vec::new());
        quotas.count(&after, now(at));
        assert!(asks(&after, "game.example", at).0);
        let more = EarnedSettings {
            line: 2,
            subjects: everyone(),
            quota: 0,
            minutes: 1,
            from: None,
            until: (NOON_S + 3600) as i64,
        };
        let earned = policy(vec![more]);
        quotas.count(&earned, now(at));
        assert!(!asks(&earned, "game.example", at).0, "a minute was given");
        quotas.count(&earned, now(at));
        quotas.count(&earned, now(at + 60));
        assert!(asks(&earned, "game.example", at + 60).0, "and used");
    }

    #[test]
    fn a_damaged_file_is_read_as_far_as_it_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let mut quotas = Quotas::open(folder.path());
        let spent = policy(Vec::new());
        asks(&spent, "game.example", NOON_S);
        quotas.count(&spent, now(NOON_S));
        quotas.save();
        let file = folder.path().join("quotas");
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, &text[..text.len() - 3]).unwrap();
        assert_eq!(Quotas::open(folder.path()).meter.len(), 1);
        std::fs::write(&file, b"\xff\xfe").unwrap();
        assert!(Quotas::open(folder.path()).meter.is_empty());
    }
}
