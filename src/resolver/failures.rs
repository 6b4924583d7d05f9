//! Remembers which questions failed a moment ago, so that a broken name costs its servers, and us, little.
//!
//! Always: what failed is not tried again for a few seconds, longer each time it fails in a row; a success forgets it. Bounded.
//! A renewal that fails is not remembered: its answer is still good, and whoever needs it once it is not asks for himself.
//! Keeps: RFC 9520 §3.

use super::counters::Counters;
use super::{Answer, Failure, Question, Resolver, Scope};
use crate::clock;
use crate::limits;
use async_trait::async_trait;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A resolver with a memory for failures in front.
pub struct Failures {
    inner: Arc<dyn Resolver>,
    table: Mutex<HashMap<Question, Entry>>,
    /// The most entries.
    bound: usize,
    counters: Arc<Counters>,
}

struct Entry {
    failure: Failure,
    /// In a row.
    times: u32,
    /// Asked again from then on, in milliseconds of the clock that never goes back.
    until_ms: u64,
}

impl Failures {
    /// Remembers as many as fit `memory_bytes`, and never more than [`FAILURES`](limits::FAILURES).
    pub fn new(inner: Arc<dyn Resolver>, memory_bytes: usize, counters: Arc<Counters>) -> Failures {
        Failures {
            inner,
            table: Mutex::default(),
            bound: (memory_bytes / limits::FAILURE_BYTES).min(limits::FAILURES),
            counters,
        }
    }

    /// Forgets failures; returns how many.
    pub fn forget(&self, scope: &Scope) -> usize {
        let mut table = self.locked();
        let before = table.len();
        table.retain(|question, _| !scope.covers(&question.name));
        before - table.len()
    }

    fn recent(&self, question: &Question, now_ms: u64) -> Option<Failure> {
        let table = self.locked();
        let entry = table.get(question).filter(|entry| now_ms < entry.until_ms)?;
        Some(entry.failure.clone())
    }

    fn remember(&self, question: &Question, failure: &Failure, now_ms: u64) {
        let mut table = self.locked();
        if table.len() >= self.bound && !table.contains_key(question) {
            make_room(&mut table, self.bound, now_ms);
        }
        let entry = table.entry(question.clone()).or_insert(Entry {
            failure: failure.clone(),
            times: 0,
            until_ms: 0,
        });
        let pause = limits::FAILURE_TTL_MIN
            .saturating_mul(1 << entry.times.min(16))
            .min(limits::FAILURE_TTL_MAX);
        entry.failure = failure.clone();
        entry.times += 1;
        entry.until_ms = now_ms + pause.as_millis() as u64;
    }

    fn locked(&self) -> MutexGuard<'_, HashMap<Question, Entry>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Drops what is past, and if that is too little, everything: a flood of failures is no reason to remember one of them well.
fn make_room(table: &mut HashMap<Question, Entry>, bound: usize, now_ms: u64) {
    table.retain(|_, entry| now_ms < entry.until_ms);
    if table.len() > bound / 2 {
        table.clear();
    }
}

#[async_trait]
impl Resolver for Failures {
    async fn resolve(&self, question: &Question, deadline: Instant) -> Result<Answer, Failure> {
        if let Some(failure) = self.recent(question, clock::now().mono_ms) {
            self.counters.cached_failures.add();
            return Err(Failure::Cached(Box::new(failure)));
        }
        let result = self.inner.resolve(question, deadline).await;
        match &result {
            Ok(_) => {
                self.locked().remove(question);
            }
            // Our own limits pass; the question is not to blame.
            Err(Failure::Limit(_)) => self.counters.failures.add(),
            Err(failure) => {
                self.counters.failures.add();
                self.remember(question, failure, clock::now().mono_ms);
            }
        }
        result
    }

    async fn renew(&self, question: &Question, least_left: Duration, deadline: Instant) -> Result<Answer, Failure> {
        if let Some(failure) = self.recent(question, clock::now().mono_ms) {
            self.counters.cached_failures.add();
            return Err(Failure::Cached(Box::new(failure)));
        }
        let result = self.inner.renew(question, least_left, deadline).await;
        match result {
            Ok(_) => drop(self.locked().remove(question)),
            Err(_) => self.counters.failures.add(),
        }
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::name::Name;
    use crate::resolver::scripted::Scripted;

    fn question(text: &str) -> Question {
        Question {
            name: Name::parse(text).unwrap(),
            qtype: 1,
            dnssec_ok: false,
            checking_disabled: false,
        }
    }

    #[tokio::test]
    async fn a_failed_question_is_not_asked_again_at_once() {
        let scripted = Arc::new(Scripted::new());
        let failures = Failures::new(Arc::clone(&scripted) as Arc<dyn Resolver>, usize::MAX, Arc::default());
        scripted.failure("broken.example", "A", Failure::Unreachable);
        let deadline = clock::instant() + Duration::from_secs(1);
        let first = failures
            .resolve(&question("broken.example"), deadline)
            .await
            .unwrap_err();
        assert_eq!(first, Failure::Unreachable);
        for _ in 0..1000 {
            let again = failures
                .resolve(&question("Broken.example"), deadline)
                .await
                .unwrap_err();
            assert_eq!(again.ede().iter().map(|ede| ede.0).collect::<Vec<_>>(), [22, 13]);
        }
        assert_eq!(scripted.asked(), 1);
        assert_eq!(failures.counters.cached_failures.get(), 1000);
    }

    #[test]
    fn a_name_that_fails_all_the_time_is_tried_at_most_five_times_a_minute() {
        let failures = Failures::new(Arc::new(Scripted::new()), usize::MAX, Arc::default());
        let question = question("broken.example");
        let mut tries = 0;
        for now_ms in (1_000..61_000).step_by(60) {
            if failures.recent(&question, now_ms).is_none() {
                tries += 1;
                failures.remember(&question, &Failure::Unreachable, now_ms);
            }
        }
        assert!((2..=5).contains(&tries), "{tries}");
    }

    #[tokio::test]
    async fn a_success_forgets_the_failures_before_it() {
        let scripted = Arc::new(Scripted::new());
        let failures = Failures::new(Arc::clone(&scripted) as Arc<dyn Resolver>, usize::MAX, Arc::default());
        let asked = question("www.example");
        failures.remember(&asked, &Failure::Unreachable, 0);
        failures.remember(&asked, &Failure::Unreachable, 0);
        assert_eq!(
            failures.locked()[&asked].until_ms,
            2 * limits::FAILURE_TTL_MIN.as_millis() as u64
        );
        scripted.records("www.example", "A", &["192.0.2.1"]);
        let deadline = clock::instant() + Duration::from_secs(1);
        failures.resolve(&asked, deadline).await.unwrap();
        assert!(failures.locked().is_empty());
    }

    #[tokio::test]
    async fn a_renewal_that_fails_fails_nobody_else_and_none_begins_for_what_failed_just_now() {
        let scripted = Arc::new(Scripted::new());
        let failures = Failures::new(Arc::clone(&scripted) as Arc<dyn Resolver>, usize::MAX, Arc::default());
        let asked = question("www.example");
        scripted.failure("www.example", "A", Failure::Unreachable);
        let deadline = clock::instant() + Duration::from_secs(1);
        let renew = || failures.renew(&asked, Duration::ZERO, deadline);
        assert_eq!(renew().await.unwrap_err(), Failure::Unreachable);
        assert!(failures.locked().is_empty());
        assert_eq!(
            failures.resolve(&asked, deadline).await.unwrap_err(),
            Failure::Unreachable
        );
        assert!(matches!(renew().await, Err(Failure::Cached(_))));
        assert_eq!(scripted.asked(), 2);
    }

    #[test]
    fn the_memory_is_bounded() {
        let failures = Failures::new(Arc::new(Scripted::new()), usize::MAX, Arc::default());
        for number in 0..limits::FAILURES + 10 {
            failures.remember(&question(&format!("n{number}.example")), &Failure::Unreachable, 0);
        }
        assert!(failures.locked().len() <= limits::FAILURES);
    }
}
