//! Why a name is closed to whoever asks, and until when, in terms that can be put into words for a child.
//!
//! In: who asked, and the decision. Out: [`Closed`], or nothing where the name is not closed.
//! Always: the reason is the decision's own. The time is that at which the reason ends, as far as the weeks to come are known; what is
//! closed for good, and what lists hold, has none. Nothing is counted towards quotas by asking.

use super::decision::{Action, Cause, Decision};
use super::plans::Does;
use super::{Asker, LayerId, Policy};
use crate::config::settings::ImposedBy;
use crate::limits::{PAGE_AHEAD_S, PAGE_CHANGES};

/// A name that is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closed<'p> {
    pub why: Why<'p>,
    pub imposed_by: ImposedBy,
    /// Unix seconds at which that reason ends; others may begin then.
    pub until_s: Option<u64>,
}

/// What closes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why<'p> {
    /// It is on a list of this category.
    Category(&'p str),
    /// It belongs to the service of this name.
    Service(&'p str),
    /// A window of this name, as the household has it.
    Window(&'p str),
    /// The internet is off for a while.
    Pause,
    /// The quota of this name is used up.
    Quota(&'p str),
    /// The profile has only some names.
    NotAmongOnly,
    /// The household denies the name itself.
    Denied,
    /// It leads around the filter.
    WayAround,
    /// Something else, such as its type.
    Other,
}

impl Closed<'_> {
    /// Whether it makes sense to ask the household for the name: not where it has said no to just this name, nor where the law demands it.
    pub fn may_be_asked_for(&self) -> bool {
        self.why != Why::Denied && self.imposed_by != ImposedBy::Law
    }

    /// Whether it is closed by the time of day or by what was used, and not by what it is.
    pub fn is_by_time(&self) -> bool {
        matches!(self.why, Why::Window(_) | Why::Pause | Why::Quota(_))
    }
}

impl Policy {
    /// Why a name that was decided so is closed to who asked; `None`: it is not.
    pub fn closed(&self, asker: &Asker, decision: &Decision) -> Option<Closed<'_>> {
        let closes = matches!(
            decision.action,
            Action::Sinkhole | Action::Rcode(_) | Action::Nodata | Action::Drop
        );
        if !closes || decision.observed {
            return None;
        }
        let mut until_s = None;
        let why = match decision.cause {
            Cause::Rule(_) | Cause::LookAlike(..) => match self.category_and_list(decision) {
                Some((category, _)) => Why::Category(category),
                None => Why::Other,
            },
            Cause::Service(number) => Why::Service(self.marks.service(number)),
            Cause::Way(_) => Why::WayAround,
            Cause::NotAmongOnly => Why::NotAmongOnly,
            Cause::OwnDeny(_) | Cause::PersonDeny(_) => Why::Denied,
            Cause::Timed(number) => {
                let item = self.plans.item(number)?;
                match item.does {
                    Does::Limits => {
                        until_s = self.quota_ends(number, asker);
                        Why::Quota(&item.name)
                    }
                    does => {
                        until_s = self.ends(number, asker);
                        match does {
                            Does::PausesInternet => Why::Pause,
                            _ => Why::Window(&item.name),
                        }
                    }
                }
            }
            _ => Why::Other,
        };
        Some(Closed {
            why,
            imposed_by: self.answer(asker, decision).imposed_by,
            until_s,
        })
    }

    /// When a window or pause ends that holds now. Where others that switch the internet off follow without a gap, the end of the last.
    fn ends(&self, number: u32, asker: &Asker) -> Option<u64> {
        let closes = |layer: LayerId| {
            self.plans.items(layer).any(|(other, item)| {
                let off = matches!(item.does, Does::Blocks | Does::PausesInternet) && item.about.internet;
                other == number || off
            })
        };
        let mut at_s = asker.until_s;
        for _ in 0..PAGE_CHANGES {
            if at_s.saturating_sub(asker.now_s) > PAGE_AHEAD_S {
                return None;
            }
            let (layer, until_s) = self.plans.holds(asker.client, asker.profile, at_s);
            if !closes(layer) {
                return Some(at_s);
            }
            if until_s <= at_s {
                return None;
            }
            at_s = until_s;
        }
        None
    }

    /// When minutes of a quota are given anew.
    fn quota_ends(&self, number: u32, asker: &Asker) -> Option<u64> {
        let account = self.plans.account(number, asker)?;
        let now_s = i64::try_from(asker.now_s).ok()?;
        u64::try_from(account.quota.period_at(now_s, &account.zone).to_s).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::household::*;
    use crate::config::settings::{ProfileSettings, Settings};
    use crate::dns::key::Key;
    use crate::dns::name::Name;
    use crate::dns::rtype;
    use crate::list::set::Gate;
    use crate::policy::Met;
    use crate::schedule::Window;
    use crate::schedule::quota::Period;
    use jiff::tz::TimeZone;
    use std::path::Path;
    use std::time::Duration;

    /// Noon of a Wednesday, UTC.
    const NOON_S: u64 = 1_700_049_600;
    const HOUR_S: u64 = 3600;

    fn everyone() -> Subjects {
        Subjects {
            everyone: true,
            ..Subjects::default()
        }
    }

    fn names(names: &[&str]) -> Target {
        Target {
            names: names.iter().map(|name| Name::parse(name).unwrap().into()).collect(),
            ..Target::default()
        }
    }

    fn internet() -> Target {
        Target {
            internet: true,
            ..Target::default()
        }
    }

    fn window(name: &str, from: &str, to: &str, block: Target) -> WindowSettings {
        WindowSettings {
            name: name.to_owned(),
            line: 1,
            subjects: everyone(),
            when: Window::parse("every day", from, to).unwrap(),
            block,
            allow: Target::default(),
            reach: Target::default(),
        }
    }

    fn policy(household: Household, change: impl FnOnce(&mut ProfileSettings)) -> Policy {
        let mut settings = Settings::builtin(Path::new("/"));
        settings.lists.clear();
        settings.profiles = vec![ProfileSettings::named("default")];
        change(&mut settings.profiles[0]);
        settings.household = Some(Household {
            zone: TimeZone::UTC,
            ..household
        });
        Policy::build_at(&Gate::empty(), &settings, &[], NOON_S).unwrap()
    }

    fn why(policy: &Policy, name: &str, now_s: u64) -> Option<(String, Option<u64>, bool)> {
        let asker = policy.client("127.0.0.1".parse().unwrap(), now_s).unwrap();
        let key = Key::parse(name).unwrap();
        let decision = policy.decide(&Gate::empty(), &asker, &key, Met::Question, rtype::A);
        let closed = policy.closed(&asker, &decision)?;
        let in_s = closed.until_s.map(|until_s| until_s - now_s);
        Some((format!("{:?}", closed.why), in_s, closed.may_be_asked_for()))
    }

    fn closed(why: &str, in_hours: Option<u64>, may_be_asked_for: bool) -> Option<(String, Option<u64>, bool)> {
        Some((why.to_owned(), in_hours.map(|hours| hours * HOUR_S), may_be_asked_for))
    }

    #[test]
    fn the_words_of_a_profile_close_for_good_and_what_is_denied_by_name_is_not_asked_for() {
        let policy = policy(Household::default(), |profile| {
            profile.deny = vec![Name::parse("bad.example").unwrap().into()];
            profile.services = vec!["tiktok".to_owned()];
            profile.only = Some(vec![
                Name::parse("kids.example").unwrap().into(),
                Name::parse("tiktok.com").unwrap().into(),
                Name::parse("bad.example").unwrap().into(),
            ]);
        });
        assert_eq!(why(&policy, "www.bad.example", NOON_S), closed("Denied", None, false));
        assert_eq!(
            why(&policy, "tiktok.com", NOON_S),
            closed("Service(\"TikTok\")", None, true)
        );
        assert_eq!(
            why(&policy, "other.example", NOON_S),
            closed("NotAmongOnly", None, true)
        );
        assert_eq!(why(&policy, "kids.example", NOON_S), None);
    }

    #[test]
    fn a_window_closes_until_it_ends_whatever_begins_and_ends_meanwhile() {
        let household = Household {
            windows: vec![
                window("lessons", "9:00", "15:00", names(&["game.example"])),
                window("lunch", "13:00", "14:00", names(&["video.example"])),
            ],
            ..Household::default()
        };
        let policy = policy(household, |_| {});
        assert_eq!(
            why(&policy, "game.example", NOON_S),
            closed("Window(\"lessons\")", Some(3), true)
        );
        assert_eq!(why(&policy, "video.example", NOON_S), None);
        assert_eq!(why(&policy, "game.example", NOON_S + 3 * HOUR_S), None);
    }

    #[test]
    fn where_the_internet_goes_on_to_be_off_the_last_end_is_said() {
        let household = Household {
            windows: vec![
                window("evening", "21:00", "22:00", internet()),
                window("night", "22:00", "6:00", internet()),
            ],
            pauses: vec![PauseSettings {
                line: 1,
                subjects: everyone(),
                what: Paused::Internet,
                from: None,
                until: (NOON_S + HOUR_S) as i64,
            }],
            ..Household::default()
        };
        let policy = policy(household, |_| {});
        assert_eq!(why(&policy, "a.example", NOON_S), closed("Pause", Some(1), true));
        let evening = NOON_S + 9 * HOUR_S;
        assert_eq!(
            why(&policy, "a.example", evening),
            closed("Window(\"evening\")", Some(9), true)
        );
    }

    #[test]
    fn a_window_without_end_has_no_time_to_wait_for() {
        let household = Household {
            windows: vec![window("always", "0:00", "24:00", internet())],
            ..Household::default()
        };
        let policy = policy(household, |_| {});
        assert_eq!(
            why(&policy, "a.example", NOON_S),
            closed("Window(\"always\")", None, true)
        );
    }

    #[test]
    fn a_quota_is_used_up_until_its_next_day_and_asking_why_uses_none() {
        let household = Household {
            quotas: vec![QuotaSettings {
                name: "games".to_owned(),
                line: 1,
                subjects: everyone(),
                of: names(&["game.example"]),
                limit: Duration::from_secs(3600),
                per: Period::Day,
                carry: Duration::ZERO,
                reach: Target::default(),
            }],
            ..Household::default()
        };
        let policy = policy(household, |_| {});
        assert_eq!(why(&policy, "game.example", NOON_S), None);
        policy.accounts()[0].set_spent(true);
        // A day begins at four.
        let later = NOON_S + HOUR_S;
        assert_eq!(
            why(&policy, "game.example", later),
            closed("Quota(\"games\")", Some(15), true)
        );
        assert_eq!(policy.accounts()[0].used_minute(), NOON_S / 60);
    }
}
