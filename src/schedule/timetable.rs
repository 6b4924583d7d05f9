//! A schedule as a table of its changes, so that asking costs one search.
//!
//! In: windows, spans, a zone, a horizon. Out: [`Timetable`].
//! Always: asking allocates nothing. At most one change an instant, sorted, and each changes what holds.
//! Fails: more items than the bound are [`TooManyItems`]. A horizon that needs too many changes is cut short: beyond it the
//! table says that it does not know, as it does for times before its beginning.

use super::local::{DAY_S, OFFSET_MAX_S, Offsets, utc_date};
use super::{Span, Window};
use crate::limits::{SCHEDULE_ITEMS, TIMETABLE_CHANGES, TIMETABLE_INDEXES, TIMETABLE_SECONDS};
use jiff::tz::TimeZone;
use std::collections::HashMap;

/// Which items hold, for every second of its horizon.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Timetable {
    /// When what holds changes, Unix seconds, strictly ascending; the first is the beginning of the horizon.
    changes_s: Box<[i64]>,
    /// For each change: what holds from then on.
    states: Box<[StateId]>,
    /// Where the horizon ends, Unix seconds; no longer included.
    end_s: i64,
    /// The items of all states, one state after the other.
    items: Box<[u16]>,
    /// For each state: where its items end.
    ends: Box<[u32]>,
}

/// A set of items that hold together. Of one timetable, equal ids are equal sets and different ids different sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct StateId(u16);

const _: () = assert!(TIMETABLE_CHANGES <= 1 << 16 && SCHEDULE_ITEMS <= 1 << 16 && TIMETABLE_INDEXES >= SCHEDULE_ITEMS);

impl StateId {
    /// Its place among the states of its timetable.
    pub fn index(self) -> usize {
        self.0.into()
    }
}

/// A schedule has more windows and spans than [`SCHEDULE_ITEMS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a schedule has {items} windows and spans, but may have {SCHEDULE_ITEMS}; leave out those that are over")]
pub struct TooManyItems {
    pub items: usize,
}

impl Timetable {
    /// What holds from `from_s` up to `to_s`, both Unix seconds, the latter not included.
    pub fn compile(
        windows: &[Window],
        spans: &[Span],
        zone: &TimeZone,
        from_s: i64,
        to_s: i64,
    ) -> Result<Timetable, TooManyItems> {
        let items = windows.len() + spans.len();
        if items > SCHEDULE_ITEMS {
            return Err(TooManyItems { items });
        }
        let to_s = to_s.min(from_s.saturating_add(TIMETABLE_SECONDS));
        if to_s <= from_s {
            return Ok(Timetable::default());
        }
        let edges = edges(windows, spans, zone, from_s, to_s);
        let mut building = Building::new(to_s);
        let mut active = Active::new(items);
        if edges.first().is_none_or(|edge| edge.at_s > from_s) {
            building.change(from_s, &[]);
        }
        for together in edges.chunk_by(|a, b| a.at_s == b.at_s) {
            together.iter().for_each(|edge| _ = active.turn(edge));
            if !building.change(together[0].at_s, &active.items) {
                break;
            }
        }
        Ok(building.finish())
    }

    /// What holds at `now_s`, and until when it does for certain: the next change, or the end of the horizon. `None`: the
    /// table does not know, since `now_s` is before or past its horizon; it is time to compile another.
    #[inline]
    pub fn at(&self, now_s: i64) -> Option<(StateId, i64)> {
        self.at_near(now_s, 0).map(|(state, until_s, _)| (state, until_s))
    }

    /// The same, with the place in the table where that was found. `near`: where it was found the last time; most times it is there still.
    #[inline]
    pub fn at_near(&self, now_s: i64, near: usize) -> Option<(StateId, i64, usize)> {
        let until_s = |place: usize| self.changes_s.get(place + 1).copied().unwrap_or(self.end_s);
        let holds =
            |place: usize| self.changes_s.get(place).is_some_and(|from_s| *from_s <= now_s) && now_s < until_s(place);
        let place = match holds(near) {
            true => near,
            false if now_s >= self.end_s => return None,
            false => self.changes_s.partition_point(|at_s| *at_s <= now_s).checked_sub(1)?,
        };
        Some((*self.states.get(place)?, until_s(place), place))
    }

    /// The items that hold in a state, ascending: first the windows by their index, then the spans, counted on from there.
    #[inline]
    pub fn state(&self, id: StateId) -> &[u16] {
        let at = usize::from(id.0);
        let begin = at.checked_sub(1).map_or(Some(&0), |before| self.ends.get(before));
        match (begin, self.ends.get(at)) {
            (Some(&begin), Some(&end)) => &self.items[begin as usize..end as usize],
            // An id of another table.
            _ => &[],
        }
    }

    /// The states there are.
    pub fn state_ids(&self) -> impl Iterator<Item = StateId> + '_ {
        (0..self.ends.len()).map(|at| StateId(at as u16))
    }

    /// The end of what the table knows, Unix seconds.
    pub fn end_s(&self) -> i64 {
        self.end_s
    }

    /// Bytes it takes.
    pub fn size_bytes(&self) -> usize {
        size_of::<Timetable>()
            + size_of_val(&*self.changes_s)
            + size_of_val(&*self.states)
            + size_of_val(&*self.items)
            + size_of_val(&*self.ends)
    }
}

/// An instant at which an item begins or ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Edge {
    pub(super) at_s: i64,
    /// Ends come before beginnings: what ends when another begins does not overlap it.
    pub(super) begins: bool,
    pub(super) item: u16,
}

/// The edges of all items that hold somewhere in the horizon, sorted; what reaches over its ends is cut there.
pub(super) fn edges(windows: &[Window], spans: &[Span], zone: &TimeZone, from_s: i64, to_s: i64) -> Vec<Edge> {
    // A window reaches into the second day after the one it begins on.
    let first = from_s.saturating_sub(2 * DAY_S + OFFSET_MAX_S);
    let last = to_s.saturating_add(OFFSET_MAX_S);
    let offsets = Offsets::around(zone, first, last.saturating_add(2 * DAY_S));
    let (first, last) = (utc_date(first), utc_date(last));
    let mut edges = Vec::new();
    let mut add = |item: usize, begin_s: i64, end_s: i64| {
        let (begin_s, end_s, item) = (begin_s.max(from_s), end_s.min(to_s), item as u16);
        if begin_s < end_s {
            let edge = |at_s, begins| Edge { at_s, begins, item };
            edges.extend([edge(begin_s, true), edge(end_s, false)]);
        }
    };
    let mut day = Some(first);
    while let Some(date) = day.filter(|date| *date <= last) {
        for (item, window) in windows
            .iter()
            .enumerate()
            .filter(|(_, window)| window.days.contains(date))
        {
            if let Some((begin_s, end_s)) = window.on(date, &offsets) {
                add(item, begin_s, end_s);
            }
        }
        day = date.tomorrow().ok();
    }
    for (item, span) in spans.iter().enumerate() {
        add(windows.len() + item, span.from_s, span.to_s);
    }
    edges.sort_unstable();
    edges
}

/// The items that hold while the edges are walked.
pub(super) struct Active {
    /// Ascending.
    pub(super) items: Vec<u16>,
    /// How often each item holds: a window of all day overlaps itself when the clock is set back.
    times: Vec<u32>,
}

impl Active {
    pub(super) fn new(items: usize) -> Active {
        Active {
            items: Vec::new(),
            times: vec![0; items],
        }
    }

    /// Walks over an edge: whether the item now holds that did not.
    pub(super) fn turn(&mut self, edge: &Edge) -> bool {
        let times = &mut self.times[usize::from(edge.item)];
        let before = *times;
        *times = if edge.begins {
            before + 1
        } else {
            before.saturating_sub(1)
        };
        match (before, *times, self.items.binary_search(&edge.item)) {
            (0, 1, Err(place)) => self.items.insert(place, edge.item),
            (1, 0, Ok(place)) => _ = self.items.remove(place),
            _ => return false,
        }
        edge.begins
    }
}

/// A timetable being written.
struct Building {
    changes_s: Vec<i64>,
    states: Vec<StateId>,
    end_s: i64,
    items: Vec<u16>,
    ends: Vec<u32>,
    known: HashMap<Vec<u16>, StateId>,
}

impl Building {
    fn new(end_s: i64) -> Building {
        Building {
            changes_s: Vec::new(),
            states: Vec::new(),
            end_s,
            items: Vec::new(),
            ends: Vec::new(),
            known: HashMap::new(),
        }
    }

    /// From `at_s` on these items hold. `false`: the table is full, and now ends there.
    fn change(&mut self, at_s: i64, items: &[u16]) -> bool {
        if at_s >= self.end_s {
            return false;
        }
        let known = self.known.get(items).copied();
        if known.is_some() && known == self.states.last().copied() {
            return true;
        }
        let grows = if known.is_none() { items.len() } else { 0 };
        if self.changes_s.len() >= TIMETABLE_CHANGES || self.items.len() + grows > TIMETABLE_INDEXES {
            self.end_s = at_s;
            return false;
        }
        let state = known.unwrap_or_else(|| self.add(items));
        self.changes_s.push(at_s);
        self.states.push(state);
        true
    }

    fn add(&mut self, items: &[u16]) -> StateId {
        let id = StateId(self.ends.len() as u16);
        self.items.extend_from_slice(items);
        self.ends.push(self.items.len() as u32);
        self.known.insert(items.to_vec(), id);
        id
    }

    fn finish(self) -> Timetable {
        Timetable {
            changes_s: self.changes_s.into(),
            states: self.states.into(),
            end_s: self.end_s,
            items: self.items.into(),
            ends: self.ends.into(),
        }
    }
}
