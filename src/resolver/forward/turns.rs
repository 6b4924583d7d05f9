//! Whose turn it is: which upstream is asked next for one question.
//!
//! Always: one pass after the other over the upstreams, those that lately kept silent last; who has said something definite is not asked
//! again; at most [`FORWARD_EXCHANGES`](limits::FORWARD_EXCHANGES) turns.

use super::upstream::Upstream;
use crate::config::settings::ForwardOrder;
use crate::limits;
use std::time::Duration;

/// The turns of one question.
pub(super) struct Turns {
    /// Upstreams by index, in the order of asking, those done with left out.
    order: Vec<usize>,
    at: usize,
    pass: u32,
    left: usize,
    raced: bool,
    /// The second starts with the first, to be measured.
    measured: bool,
}

/// One turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Turn {
    /// Index of the upstream.
    pub(super) index: usize,
    /// Full passes before this one.
    pub(super) pass: u32,
    /// How many in this pass still come behind it.
    pub(super) behind: u32,
}

impl Turns {
    pub(super) fn new(upstreams: &[Upstream], order: ForwardOrder, now_ms: u64) -> Turns {
        let by_time = order != ForwardOrder::Ordered;
        let mut turns = Turns {
            order: (0..upstreams.len()).collect(),
            at: 0,
            pass: 0,
            left: limits::FORWARD_EXCHANGES,
            raced: order == ForwardOrder::Raced,
            measured: false,
        };
        // Whom else to ask?
        if upstreams.len() < 2 {
            return turns;
        }
        let health = |index: usize| &upstreams[index].health;
        // Asked once each: the question has side effects.
        let avoided: Vec<bool> = upstreams
            .iter()
            .map(|upstream| upstream.health.is_avoided(now_ms))
            .collect();
        turns.order.sort_by_key(|&index| {
            let rank = if by_time { health(index).rank() } else { 0 };
            (avoided[index], rank)
        });
        if by_time {
            let due = |&at: &usize| !avoided[turns.order[at]] && health(turns.order[at]).is_due(now_ms);
            if let Some(due) = (1..turns.order.len()).find(due) {
                turns.order[1..=due].rotate_right(1);
                turns.measured = true;
            }
        }
        turns
    }

    /// The next turn; `None` once there is nobody to ask any more.
    pub(super) fn next(&mut self) -> Option<Turn> {
        if self.at >= self.order.len() {
            self.at = 0;
            self.pass += 1;
        }
        let index = *self.order.get(self.at)?;
        self.left = self.left.checked_sub(1)?;
        self.at += 1;
        Some(Turn {
            index,
            pass: self.pass,
            behind: u32::try_from(self.order.len() - self.at).unwrap_or(u32::MAX),
        })
    }

    /// How long after the start of this turn the next begins, if nothing comes of it meanwhile; `wait` is the patience with its upstream.
    pub(super) fn ahead(&self, turn: Turn, upstream: &Upstream, wait: Duration) -> Duration {
        if turn.behind == 0 || turn.pass > 0 {
            wait
        } else if self.measured && self.at == 1 {
            Duration::ZERO
        } else if self.raced {
            wait.min(upstream.health.ahead())
        } else {
            wait
        }
    }

    /// An upstream has said something definite, or cannot be asked.
    pub(super) fn done(&mut self, index: usize) {
        if let Some(at) = self.order.iter().position(|&other| other == index) {
            self.order.remove(at);
            self.at -= usize::from(at < self.at);
        }
    }
}
