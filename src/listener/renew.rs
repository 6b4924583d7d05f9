//! Has cached answers renewed beside everything else.
//!
//! In: a [`Renewal`] that the query road found due. Out: the new answer in the cache, or nothing.
//! Always: bounded in number; shed as soon as queries pile up, and at a stop; nobody waits for one. Each is counted.

use super::Shared;
use crate::clock;
use crate::count::Count;
use crate::limits::RENEWALS_UP_TO_PENDING;
use crate::query::Renewal;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Begins a renewal, if there is room.
pub(super) fn renew(shared: &Arc<Shared>, renewal: Box<Renewal>) {
    let counters = &shared.service.counters;
    // Tasks on their way out keep their permits a moment longer; that errs on the side of who waits.
    let pending = super::TASKS - shared.tasks.available_permits();
    let room = (pending <= RENEWALS_UP_TO_PENDING && !shared.stopping.load(Ordering::Relaxed))
        .then(|| Arc::clone(&shared.renewals).try_acquire_owned().ok());
    let Some(permit) = room.flatten() else {
        counters.add(Count::RenewalsOverLimit.into());
        return;
    };
    counters.add(Count::Renewals.into());
    let shared = Arc::clone(shared);
    let mut stop = shared.stop.clone();
    let runtime = shared.runtime.clone();
    runtime.spawn(async move {
        let _permit = permit;
        let deadline = clock::instant() + renewal.deadline();
        let service = &shared.service;
        let renewed = service
            .resolver
            .renew(renewal.question(), renewal.least_left(), deadline);
        let renewed = tokio::select! {
            renewed = tokio::time::timeout_at((deadline + super::LATE).into(), renewed) => renewed,
            _ = stop.wait_for(|stop| *stop) => return,
        };
        match renewed {
            Ok(Ok(answer)) if renewal.keep(&answer, &service.cache, clock::now()) => {}
            Ok(_) | Err(_) => service.counters.add(Count::RenewalsFailed.into()),
        }
    });
}
