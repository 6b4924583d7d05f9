//! What is kept of a query, for those who chose that something is: handed to `activity` where the query ends.
//!
//! In: who asked for what, and what became of it. Out: one [`Asked`] in the ring of the thread.
//! Always: of whoever chose nothing, nothing is made: that costs a query one branch.

use super::Shared;
use crate::activity::{Asked, Whose};
use crate::config::settings::LogChoice;
use crate::count::{Count, Counts};
use crate::dns::key::Key;
use crate::generation::Generation;
use crate::policy::{Asker, Met};
use crate::query::{Begun, Pending, Read};
use std::sync::Arc;

/// What is blocked by what its answer holds: which list has it is not told where the query ends.
const ANSWER: &str = "in an answer";

/// Notes a query that was begun, unless it waits: then [`waits`] does.
#[inline]
pub(super) fn begun(
    shared: &Shared,
    generation: &Generation,
    asker: Option<&Asker>,
    read: &Read<'_>,
    done: &(Begun, Counts),
) {
    if let Some(asker) = asker
        && let Some(whose) = generation.policy.asks(asker)
    {
        note(shared, generation, (asker, whose), read, done);
    }
}

#[cold]
fn note(
    shared: &Shared,
    generation: &Generation,
    (asker, whose): (&Asker, &Arc<Whose>),
    read: &Read<'_>,
    (begun, counts): &(Begun, Counts),
) {
    let Some((qname, qtype)) = read.question().filter(|_| !matches!(begun, Begun::Pending(_))) else {
        return;
    };
    let mut asked = asked(whose, asker, qname);
    end(&mut asked, *counts);
    if counts.contains(Count::Blocked) {
        // The same inputs make the same decision: it is made once more for those few, so that it need not be carried along for all.
        let policy = &generation.policy;
        let decision = policy.decide(&generation.gate, asker, &Key::from_wire(qname), Met::Question, qtype);
        asked.category = Some(policy.blocked_by(&decision).into());
    }
    shared.service.activity.put(asked);
}

/// What is to be noted of a query that waits for the resolver, once it has [ended](end).
#[inline]
pub(super) fn waits(pending: &Pending) -> Option<Box<Asked>> {
    let (asker, qname) = pending.asked_by();
    let whose = pending.generation().policy.asks(asker)?;
    Some(Box::new(asked(whose, asker, qname)))
}

fn asked(whose: &Arc<Whose>, asker: &Asker, qname: &[u8]) -> Asked {
    Asked {
        whose: Arc::clone(whose),
        minute: asker.now_s / 60,
        blocked: false,
        category: None,
        name: (whose.log.choice == LogChoice::Names).then(|| qname.into()),
    }
}

/// Says what became of it.
pub(super) fn end(asked: &mut Asked, counts: Counts) {
    let by_answer = counts.contains(Count::BlockedByAnswer);
    asked.blocked = by_answer || counts.contains(Count::Blocked) || counts.contains(Count::DroppedByRule);
    asked.category = asked.blocked.then(|| if by_answer { ANSWER } else { "lists" }.into());
}
