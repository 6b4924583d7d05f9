//! Counts what quotas are of: from the minutes that policy has seen used to what is left, kept over restarts.
//!
//! In: a policy, the time. Out: for each account of it, whether anything is left; `state_dir/quotas`, and `state_dir/quotas.more` with what
//! changed since that was written.
//! Always: a minute counts once, whichever device of the person asked. What was used is known to a new policy before it comes into force.
//! Work and writing are in proportion to what was used, not to how many accounts there are.
//! Fails: a file that is torn or damaged is read as far as it is whole, and said; one that cannot be written is said once until it can.

use crate::list::publish::replace;
use crate::now::Now;
use crate::policy::Policy;
use crate::policy::accounts::Account;
use crate::schedule::quota::{Meter, MeterError, PeriodSpan, Quota, Tally};
use jiff::tz::TimeZone;
use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use tracing::warn;

/// What is written at most so often, in seconds: what a power cut may take back.
const SAVED_EVERY_S: u64 = 60;
/// A use that is longer ago, in minutes, belongs to a policy of before.
const MINUTES_BACK: u64 = 2;
/// Bytes that are added in any case before the whole is written anew.
const MORE_BYTES: usize = 64 << 10;
/// Seconds between two looks for keys that nobody has any more, once there is no room.
const FORGETS_EVERY_S: u64 = 3600;

/// Who counts.
pub(super) struct Quotas {
    file: PathBuf,
    more: PathBuf,
    meter: Meter,
    /// Keys whose lines are not written yet.
    changed: HashSet<Box<str>>,
    /// What was added to is open, with its bytes and those of the whole text before it.
    adding: Option<(File, usize, usize)>,
    saved_s: u64,
    failing: bool,
    /// When there was no room last.
    full_s: u64,
}

/// Periods by what they depend on, so that accounts share them: there are as many as zones, times two.
#[derive(Default)]
struct Periods(Vec<(Quota, TimeZone, PeriodSpan)>);

impl Periods {
    fn at(&mut self, account: &Account, second: i64) -> PeriodSpan {
        let (quota, zone) = (&account.quota, &account.zone);
        let alike = |of: &Quota| of.period == quota.period && of.day_begins_hour == quota.day_begins_hour;
        let within = |span: &PeriodSpan| (span.from_s..span.to_s).contains(&second);
        let known = self
            .0
            .iter()
            .find(|(of, at, span)| alike(of) && within(span) && at == zone);
        if let Some((_, _, span)) = known {
            return *span;
        }
        let span = quota.period_at(second, zone);
        self.0.push((*quota, zone.clone(), span));
        span
    }
}

/// What was used before, from `state_dir`; `None`: nothing was kept. `say`: what is wrong with it.
pub(in crate::cli) fn kept(state_dir: &Path, say: impl Fn(String)) -> Option<Meter> {
    let (file, more) = files(state_dir);
    let read = |path: &Path| match std::fs::read_to_string(path) {
        Ok(text) => Some(text),
        Err(cause) => {
            if cause.kind() != ErrorKind::NotFound {
                say(format!(
                    "{}: {cause}; what was used of quotas is not known from there",
                    path.display()
                ));
            }
            None
        }
    };
    let text = read(&file)?;
    let mut meter = Meter::from_text(&text).unwrap_or_else(|damaged| {
        say(format!("{}: {damaged}", file.display()));
        *damaged.kept
    });
    if let Some(added) = read(&more)
        && let Err(damaged) = meter.read_more(&text, &added)
    {
        say(format!("{}: {damaged}", more.display()));
    }
    Some(meter)
}

fn files(state_dir: &Path) -> (PathBuf, PathBuf) {
    (state_dir.join("quotas"), state_dir.join("quotas.more"))
}

/// What is left of an account at this Unix second, less than nothing where minutes that were given have ended.
fn left(account: &Account, tally: &Tally, at: i64) -> i64 {
    i64::from(tally.given) + i64::from(account.earned_minutes(at)) - i64::from(tally.used)
}

/// Tells the accounts of a policy what is spent at this Unix second by what was kept.
pub(in crate::cli) fn tell(policy: &Policy, meter: &Meter, at: i64) {
    let mut periods = Periods::default();
    for account in policy.accounts() {
        let tally = meter.tally(&account.key, &account.quota, &periods.at(account, at));
        account.set_spent(left(account, &tally, at) <= 0);
    }
}

impl Quotas {
    /// What was used before, from `state_dir`.
    pub(super) fn open(state_dir: &Path) -> Quotas {
        let (file, more) = files(state_dir);
        Quotas {
            meter: kept(state_dir, |sentence| warn!("{sentence}")).unwrap_or_default(),
            file,
            more,
            changed: HashSet::new(),
            adding: None,
            saved_s: 0,
            failing: false,
            full_s: 0,
        }
    }

    /// Counts what was used since the last time, and tells the policy of this moment what is spent.
    pub(super) fn count(&mut self, policy: &Policy, now: Now) {
        let now_s = now.unix_s();
        let at = i64::try_from(now_s).unwrap_or(i64::MAX);
        let this_minute = now_s / 60;
        let mut periods = Periods::default();
        for account in policy.accounts() {
            if !account.is_due(this_minute.saturating_sub(MINUTES_BACK)) {
                continue;
            }
            let period = periods.at(account, at);
            let tally = |meter: &Meter| meter.tally(&account.key, &account.quota, &period);
            let mut told = tally(&self.meter);
            let minute = account.used_minute();
            let second = i64::try_from(60 * minute).unwrap_or(i64::MAX);
            let fresh = minute != 0 && this_minute.abs_diff(minute) <= MINUTES_BACK;
            let counted = |tally: &Tally, minute: u64| tally.last_minute == i64::try_from(minute).ok();
            // What is asked for in the moments until it is known that nothing is left is not a minute more.
            if fresh && !counted(&told, minute) && left(account, &told, at) > 0 {
                let used_in = periods.at(account, second);
                match self.meter.note(&account.key, &account.quota, &used_in, second) {
                    Ok(()) => {
                        self.changed.insert(account.key.clone());
                        told = tally(&self.meter);
                    }
                    Err(refused) => self.make_room(policy, refused, now_s),
                }
            }
            // The last minute is a whole one.
            let under_way = counted(&told, this_minute);
            let used_up = left(account, &told, at) <= 0;
            account.set_spent(used_up && !under_way);
            if used_up && under_way {
                // Whenever the next look is: it may come late.
                account.look_again();
            }
        }
        if !self.changed.is_empty() && now_s.abs_diff(self.saved_s) >= SAVED_EVERY_S {
            self.saved_s = now_s;
            self.save();
        }
    }

    /// Forgets what no setting names any more, so that there is room again.
    fn make_room(&mut self, policy: &Policy, refused: MeterError, now_s: u64) {
        if now_s.abs_diff(self.full_s) < FORGETS_EVERY_S {
            return;
        }
        self.full_s = now_s;
        let named: HashSet<&str> = policy.accounts().iter().map(|account| &*account.key).collect();
        let before = self.meter.len();
        self.meter.retain(|key| named.contains(key));
        self.adding = None;
        warn!(
            "quotas: {refused}; {} that nobody has any more were forgotten",
            before - self.meter.len()
        );
    }

    /// Writes what was used, if it changed.
    pub(super) fn save(&mut self) {
        if self.changed.is_empty() {
            return;
        }
        match self.add().and_then(|added| if added { Ok(()) } else { self.write() }) {
            Ok(()) => {
                // A tick in which everybody was there takes no room for ever.
                self.changed = HashSet::new();
                self.failing = false;
            }
            Err(cause) => {
                // Half a line may stand there now, and nothing can be added to that.
                self.adding = None;
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

    /// Adds what changed to what was written; `false`: so much was added already that the whole is to be written anew.
    fn add(&mut self) -> io::Result<bool> {
        let Some((file, bytes, whole)) = &mut self.adding else {
            return Ok(false);
        };
        if *bytes > MORE_BYTES.max(*whole) {
            return Ok(false);
        }
        let mut more = String::new();
        for key in &self.changed {
            self.meter.add_more(key, &mut more);
        }
        file.write_all(more.as_bytes())?;
        file.sync_data()?;
        *bytes += more.len();
        Ok(true)
    }

    /// Writes the whole, and begins what is added to it.
    fn write(&mut self) -> io::Result<()> {
        let text = self.meter.to_text();
        replace(&self.file, text.as_bytes(), false)?;
        replace(&self.more, Meter::begin_more(&text).as_bytes(), false)?;
        let file = OpenOptions::new().append(true).open(&self.more)?;
        self.adding = Some((file, 0, text.len()));
        Ok(())
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
        // Nothing was added yet.
        let file = folder.path().join("quotas");
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, &text[..text.len() - 3]).unwrap();
        assert_eq!(Quotas::open(folder.path()).meter.len(), 1);
        std::fs::write(&file, b"\xff\xfe").unwrap();
        assert!(Quotas::open(folder.path()).meter.is_empty());
    }

    #[test]
    fn what_changed_is_added_to_what_was_written_and_both_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let mut quotas = Quotas::open(folder.path());
        let policy = policy(Vec::new());
        let play = |quotas: &mut Quotas, minute: u64| {
            let at = NOON_S + 60 * minute;
            asks(&policy, "game.example", at);
            quotas.count(&policy, now(at));
            quotas.save();
        };
        let file = |name: &str| std::fs::read(folder.path().join(name)).unwrap();
        play(&mut quotas, 0);
        let (whole, begun) = (file("quotas"), file("quotas.more").len());
        play(&mut quotas, 5);
        assert_eq!(file("quotas"), whole, "the whole was not written again");
        let added = file("quotas.more");
        assert!(added.len() > begun);
        assert_eq!(Quotas::open(folder.path()).meter, quotas.meter);
        // A power cut in the middle of a line takes that one back.
        std::fs::write(folder.path().join("quotas.more"), &added[..added.len() - 3]).unwrap();
        let mut again = Quotas::open(folder.path());
        assert_ne!(again.meter, quotas.meter);
        play(&mut again, 10);
        assert_eq!(Quotas::open(folder.path()).meter, again.meter);
        // What was added to another text counts for nothing.
        std::fs::write(folder.path().join("quotas.more"), &added).unwrap();
        assert_eq!(Quotas::open(folder.path()).meter, again.meter);
        // What was added grows no further than what it is added to.
        for minute in 20..1000 {
            play(&mut again, minute * 1440);
        }
        assert!(
            file("quotas.more").len() < MORE_BYTES + 1024,
            "{}",
            file("quotas.more").len()
        );
    }

    #[test]
    fn accounts_that_nobody_uses_are_not_looked_at_again() {
        let policy = policy(Vec::new());
        let mut quotas = Quotas::open(Path::new("/nowhere"));
        let minute = NOON_S / 60;
        let due = |policy: &Policy, minute| {
            policy
                .accounts()
                .iter()
                .filter(|account| account.is_due(minute))
                .count()
        };
        let all = policy.accounts().len();
        assert_eq!(due(&policy, minute), all);
        quotas.count(&policy, now(NOON_S));
        assert_eq!(due(&policy, minute), 0);
        asks(&policy, "game.example", NOON_S);
        assert_eq!(due(&policy, minute), 1);
        assert_eq!(due(&policy, minute + 1), 0);
    }
}
