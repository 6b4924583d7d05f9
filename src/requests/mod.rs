//! What children asked for on the block page, and what became of it.
//!
//! In: who asks for which name, when, with which note; then what a parent decided. Out: the requests, in the order they came; for one
//! that is to be granted, the [`Edit`] of the household that is due.
//! Always: pure, but for [`store`], which keeps them in a file. Everybody has a bounded number of requests a day and of open ones, and one
//! open request for a name. Nothing here changes the household: whoever grants makes the edit first, and then marks the request.
//! Fails: a request over a bound is [`NotAsked`], and nothing was changed.

pub mod store;
mod text;

pub use store::Store;
pub use text::Damaged;

use crate::dns::key::{Key, to_text};
use crate::dns::name::Name;
use crate::limits::{REQUEST_NOTE_CHARS, REQUESTS, REQUESTS_A_DAY, REQUESTS_OPEN};
use crate::schedule::local::{Offsets, civil_s, instant};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

const HOUR_S: u64 = 3600;
const DAY_S: u64 = 86_400;

/// One request. As JSON it is one flat object: `{"id":3,"name":"game.example","person":"masha","from":"192.168.1.20",
/// "asked_s":1790000000,"why":"games, some-list","note":"for school","state":"granted","until_s":1790003600,"decided_s":1790000100}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// From 1, never given twice.
    pub id: u64,
    /// The name asked for.
    #[serde(with = "name_text")]
    pub name: Name,
    #[serde(flatten)]
    pub whom: Whom,
    /// The address it was asked from.
    pub from: IpAddr,
    /// When, Unix seconds.
    pub asked_s: u64,
    /// What closes the name, in a few words: the category and the list, a service, a window.
    pub why: String,
    /// That is a window, a quota or a pause: a name that is allowed for good stays closed by it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_time: bool,
    /// What the child wrote, without control characters; may be empty.
    pub note: String,
    #[serde(flatten)]
    pub state: State,
    /// When it was granted or refused, Unix seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided_s: Option<u64>,
}

/// Who asks, by the names of the settings: whom an edit would be for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Whom {
    /// The id of a person.
    Person(String),
    /// The name of a device that is nobody's.
    Device(String),
    /// The profile of a device that the settings do not name.
    Profile(String),
}

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub enum State {
    Open,
    Granted {
        /// Unix seconds; `None`: for good.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until_s: Option<u64>,
    },
    Refused,
}

/// How long something is granted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HowLong {
    Hour,
    /// To the end of the day, by the clock on the wall.
    Today,
    ForGood,
}

/// What to change in the household so that a name is let through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    pub whom: Whom,
    /// With all below it.
    pub name: Name,
    /// Until then (Unix seconds) a `[[grant]]` for `whom` with `allow = [name]`, which comes before windows, quotas and lists. `None`: for
    /// good, one of the names in `allow` of the person, or of the profile; windows and quotas go on to hold ([`Request::by_time`]).
    pub until_s: Option<u64>,
}

impl HowLong {
    /// The end of it from `now_s` on, Unix seconds; `None`: there is none. `zone`: where the child is.
    pub fn until_s(self, now_s: u64, zone: &TimeZone) -> Option<u64> {
        match self {
            HowLong::Hour => Some(now_s.saturating_add(HOUR_S)),
            HowLong::Today => {
                let now_s = i64::try_from(now_s).unwrap_or(i64::MAX);
                let offsets = Offsets::around(zone, now_s, now_s.saturating_add(2 * DAY_S as i64));
                let shown = zone.to_datetime(instant(now_s)).date();
                let tomorrow = shown.tomorrow().unwrap_or(shown);
                // Where clocks are changed at midnight, when the clock first shows it or a later time.
                Some(offsets.first_at(civil_s(tomorrow, 0)).max(0) as u64)
            }
            HowLong::ForGood => None,
        }
    }
}

impl Request {
    /// What to change in the household before this request is marked as granted until [`Edit::until_s`].
    pub fn edit(&self, how_long: HowLong, now_s: u64, zone: &TimeZone) -> Edit {
        Edit {
            whom: self.whom.clone(),
            name: self.name.clone(),
            until_s: how_long.until_s(now_s, zone),
        }
    }

    pub fn is_open(&self) -> bool {
        self.state == State::Open
    }
}

/// A request in the making.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct New {
    pub name: Name,
    pub whom: Whom,
    pub from: IpAddr,
    pub why: String,
    pub by_time: bool,
    /// As it was written: [`Requests::ask`] cleans it.
    pub note: String,
}

/// Why there is no request.
#[derive(Debug, thiserror::Error)]
pub enum NotAsked {
    #[error("request {0} asks for the same and is still open")]
    IsOpen(u64),
    #[error("there were {REQUESTS_A_DAY} requests within a day")]
    TooManyToday,
    #[error("{REQUESTS_OPEN} requests are open")]
    TooManyOpen,
    #[error("{REQUESTS} requests of everybody wait for an answer")]
    Full,
    #[error("the request cannot be written to state_dir: {0}")]
    NotKept(std::io::Error),
}

/// Why a request was not marked.
#[derive(Debug, thiserror::Error)]
pub enum NotMarked {
    #[error("there is no request {0}; `stairgate household requests` shows those there are")]
    NoSuch(u64),
    #[error("what became of the request cannot be written to state_dir: {0}")]
    NotKept(std::io::Error),
}

/// All requests, by id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requests {
    rows: Vec<Request>,
    next_id: u64,
}

impl Default for Requests {
    fn default() -> Requests {
        Requests {
            rows: Vec::new(),
            next_id: 1,
        }
    }
}

impl Requests {
    /// In the order they came.
    pub fn list(&self) -> &[Request] {
        &self.rows
    }

    pub fn get(&self, id: u64) -> Option<&Request> {
        let at = self.rows.binary_search_by_key(&id, |request| request.id).ok()?;
        self.rows.get(at)
    }

    /// Whether a request would be taken at `now_s`, Unix seconds.
    pub fn may_ask(&self, new: &New, now_s: u64) -> Result<(), NotAsked> {
        let own = || self.rows.iter().filter(|request| request.whom == new.whom);
        let open = || own().filter(|request| request.is_open());
        if let Some(same) = open().find(|request| request.name == new.name) {
            return Err(NotAsked::IsOpen(same.id));
        }
        // Strangers with one profile are told apart by where they are. A clock that was set back makes nothing longer ago.
        let of_profile = matches!(new.whom, Whom::Profile(_));
        let today = own().filter(|request| {
            let same = !of_profile || is_near(request.from, new.from);
            same && now_s.abs_diff(request.asked_s) < DAY_S
        });
        if today.count() >= REQUESTS_A_DAY {
            return Err(NotAsked::TooManyToday);
        }
        if open().count() >= REQUESTS_OPEN {
            return Err(NotAsked::TooManyOpen);
        }
        match self.rows.len() >= REQUESTS && self.rows.iter().all(Request::is_open) {
            true => Err(NotAsked::Full),
            false => Ok(()),
        }
    }

    /// Adds a request and returns its id. The oldest that is decided makes room.
    pub fn ask(&mut self, new: New, now_s: u64) -> Result<u64, NotAsked> {
        self.may_ask(&new, now_s)?;
        if self.rows.len() >= REQUESTS
            && let Some(at) = self.rows.iter().position(|request| !request.is_open())
        {
            self.rows.remove(at);
        }
        let id = self.next_id;
        self.next_id += 1;
        self.rows.push(Request {
            id,
            name: new.name.to_lower(),
            whom: new.whom,
            from: new.from.to_canonical(),
            asked_s: now_s,
            why: clean(&new.why),
            by_time: new.by_time,
            note: clean(&new.note),
            state: State::Open,
            decided_s: None,
        });
        Ok(id)
    }

    /// Says what became of a request, one that was decided before too: parents change their minds. `Open` opens it again.
    pub fn mark(&mut self, id: u64, state: State, now_s: u64) -> Result<&Request, NotMarked> {
        let at = self.rows.binary_search_by_key(&id, |request| request.id);
        let request = at.map_err(|_| NotMarked::NoSuch(id)).map(|at| &mut self.rows[at])?;
        request.state = state;
        request.decided_s = (state != State::Open).then_some(now_s);
        Ok(request)
    }
}

/// Whether two addresses are one device's as far as can be told: of IPv6 the same /64, in which it has as many as it likes.
fn is_near(a: IpAddr, b: IpAddr) -> bool {
    match (a.to_canonical(), b.to_canonical()) {
        (IpAddr::V6(a), IpAddr::V6(b)) => a.to_bits() >> 64 == b.to_bits() >> 64,
        (a, b) => a == b,
    }
}

/// A note as it is kept: one line of at most [`REQUEST_NOTE_CHARS`] characters, none of which does something to a screen.
pub fn clean(note: &str) -> String {
    // Marks that turn the direction of writing, and those nobody sees.
    let hidden =
        |c: char| matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    let shown = note.chars().filter(|c| !hidden(*c));
    let text: String = shown.map(|c| if c.is_control() { ' ' } else { c }).collect();
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").chars().take(REQUEST_NOTE_CHARS).collect()
}

/// A name as people write it: without its final dot.
mod name_text {
    use super::{Key, Name, to_text};
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(name: &Name, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&to_text(Key::from_wire(name.as_wire()).as_bytes()))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Name, D::Error> {
        Name::parse(&String::deserialize(from)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests;
