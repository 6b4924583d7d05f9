//! Quotas as the query road meets them: that somebody used what one is of, and whether it is spent.
//!
//! In: the minute of a query; from whoever counts, that an account is spent. Out: both, to the other side.
//! Always: a query reads two numbers and writes one of them at most once a minute, so that cores hardly ever write what others read.
//! Counting itself is `schedule::quota`'s, in the hands of `serve`.

use super::{Asker, ClientId, ProfileId};
use crate::schedule::quota::Quota;
use jiff::tz::TimeZone;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Whose account it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Holder {
    Person(u32),
    /// A device that is nobody's.
    Client(u32),
    /// Whoever is no client and has this profile.
    Profile(u16),
}

impl Holder {
    /// Whose accounts a query counts towards; `None`: nobody's, since whoever asks is not filtered.
    pub fn of(asker: &Asker) -> Option<Holder> {
        match (asker.person, asker.client, asker.profile) {
            (Some(person), _, _) => Some(Holder::Person(person)),
            (None, Some(ClientId(client)), _) => Some(Holder::Client(client)),
            (None, None, profile) => profile.map(|ProfileId(id)| Holder::Profile(id)),
        }
    }
}

/// One quota of one holder.
#[derive(Debug)]
pub struct Account {
    /// `masha/games`: the same after a restart.
    pub key: Box<str>,
    pub quota: Quota,
    /// The zone whose days count.
    pub zone: TimeZone,
    /// Minutes that were given beside the quota, each with its place in the settings.
    earned: Vec<(u32, Earned)>,
    /// Minutes since 1970 of the latest use.
    used_minute: AtomicU64,
    spent: AtomicBool,
    /// Whether it was said if it is spent.
    told: AtomicBool,
}

/// Minutes that were given until a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Earned {
    pub minutes: u32,
    /// Unix seconds.
    pub from_s: i64,
    /// Unix seconds, no longer included.
    pub until_s: i64,
}

impl Account {
    pub fn new(key: String, quota: Quota, zone: TimeZone) -> Account {
        Account {
            key: key.into(),
            quota,
            zone,
            earned: Vec::new(),
            used_minute: AtomicU64::new(0),
            spent: AtomicBool::new(false),
            told: AtomicBool::new(false),
        }
    }

    /// Gives minutes beside the quota, those of one place once.
    pub fn earns(&mut self, place: u32, earned: Earned) {
        if !self.earned.iter().any(|(known, _)| *known == place) {
            self.earned.push((place, earned));
        }
    }

    /// Notes that it is used at this Unix second.
    #[inline]
    pub fn uses(&self, now_s: u64) {
        let minute = now_s / 60;
        if self.used_minute.load(Ordering::Relaxed) != minute {
            self.used_minute.store(minute, Ordering::Relaxed);
        }
    }

    /// Minutes since 1970 of the latest use; 0: there was none.
    pub fn used_minute(&self) -> u64 {
        self.used_minute.load(Ordering::Relaxed)
    }

    /// Whether nothing is left.
    #[inline]
    pub fn is_spent(&self) -> bool {
        self.spent.load(Ordering::Relaxed)
    }

    /// Says whether anything is left.
    pub fn set_spent(&self, spent: bool) {
        self.spent.store(spent, Ordering::Relaxed);
        self.told.store(true, Ordering::Relaxed);
    }

    /// Has it looked at once more, though nobody uses it until then.
    pub fn look_again(&self) {
        self.told.store(false, Ordering::Relaxed);
    }

    /// Whether something may have changed in the minutes from this one on: it was used in them, is spent, or was never looked at. Of a million
    /// accounts that is so for few.
    pub fn is_due(&self, minute: u64) -> bool {
        self.used_minute() >= minute || self.is_spent() || !self.told.load(Ordering::Relaxed)
    }

    /// Minutes given beside the quota at this Unix second.
    pub fn earned_minutes(&self, now_s: i64) -> u32 {
        let earned = self.earned.iter().map(|(_, earned)| earned);
        let open = earned.filter(|earned| earned.from_s <= now_s && now_s < earned.until_s);
        open.fold(0, |sum, earned| sum.saturating_add(earned.minutes))
    }
}

/// All accounts of a household.
#[derive(Debug, Default)]
pub struct Accounts {
    rows: Vec<Account>,
    /// By item and holder.
    places: HashMap<(u32, Holder), u32>,
}

impl Accounts {
    /// The account of a holder for this item, which is added if there is none yet.
    pub fn open(&mut self, item: u32, holder: Holder, account: impl FnOnce() -> Account) -> &mut Account {
        let place = self.places.entry((item, holder)).or_insert_with(|| {
            self.rows.push(account());
            self.rows.len() as u32 - 1
        });
        &mut self.rows[*place as usize]
    }

    pub fn of(&self, item: u32, holder: Holder) -> Option<&Account> {
        self.rows.get(*self.places.get(&(item, holder))? as usize)
    }

    pub fn all(&self) -> &[Account] {
        &self.rows
    }
}
