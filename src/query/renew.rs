//! Has the resolver renew an answer that is popular and about to end, before anybody has to wait for it.
//!
//! In: a hit of the cache, and what became of the query it answered. Out: the same, and once for each such answer a [`Renewal`].
//! Always: the client gets the answer there is, at once. One renewal of an answer at a time; one that fails leaves the answer as it
//! is until its time is over. The question is the one that the answer is kept under, DO and CD included.

use super::{Asked, Begun, respond};
use crate::cache::{Cache, CacheKey, Hit};
use crate::count::{Count, Counts};
use crate::dns::name::Name;
use crate::now::Now;
use crate::resolver::{Answer, Question};
use std::time::Duration;

/// An answer to be renewed.
#[derive(Debug)]
pub struct Renewal {
    question: Question,
    least_left: Duration,
    deadline: Duration,
    /// [`Cache::flushes`] when it was due.
    flushes: u64,
}

impl Renewal {
    /// What to ask the resolver.
    pub fn question(&self) -> &Question {
        &self.question
    }

    /// What the resolver knows already counts only if it is fresh for so much longer: what would end with the old answer is to be
    /// fetched, the rest of a row of aliases need not be.
    pub fn least_left(&self) -> Duration {
        self.least_left
    }

    /// How long it may take.
    pub fn deadline(&self) -> Duration {
        self.deadline
    }

    /// Keeps the new answer in the place of the old one, and says whether it did: not what will not live for longer, as what a
    /// forwarder has in its own cache, nor what was to be forgotten since.
    pub fn keep(&self, answer: &Answer, cache: &Cache, now: Now) -> bool {
        let key = CacheKey {
            qname: self.question.name.as_wire(),
            qtype: self.question.qtype,
            dnssec_ok: self.question.dnssec_ok,
            checking_disabled: self.question.checking_disabled,
        };
        cache.flushes() == self.flushes
            && cache.renew(&key, &answer.message, respond::kept(&answer.ede), self.least_left, now)
    }
}

/// What became of a query that `hit`, an answer about `name`, was good for; with its renewal if that is due and the caller's to see
/// to.
pub(super) fn when_due(
    asked: &Asked<'_>,
    cache: &Cache,
    name: &[u8],
    hit: &Hit,
    (begun, counts): (Begun, Counts),
) -> (Begun, Counts) {
    let begun = match begun {
        // What is blocked for who asks is not worth it.
        Begun::Respond(len) if hit.ending && !counts.contains(Count::BlockedByAnswer) => {
            match renewal(asked, cache, name, hit) {
                Some(renewal) => Begun::RespondAndRenew(len, renewal),
                None => Begun::Respond(len),
            }
        }
        begun => begun,
    };
    (begun, counts)
}

#[cold]
fn renewal(asked: &Asked<'_>, cache: &Cache, name: &[u8], hit: &Hit) -> Option<Box<Renewal>> {
    let settings = &asked.generation.settings;
    if !settings.cache.prefetch || !cache.claim(&asked.cache_key(name), asked.now) {
        return None;
    }
    Some(Box::new(Renewal {
        question: asked.question(Name::from_wire(name)?),
        least_left: Duration::from_secs(u64::from(hit.lifetime_s) / 2),
        deadline: settings.resolver.deadline,
        flushes: cache.flushes(),
    }))
}
