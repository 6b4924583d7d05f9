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
    table: Mutex<Table>,
    bound_bytes: usize,
    counters: Arc<Counters>,
}

#[derive(Default)]
struct Table {
    entries: HashMap<Question, Entry>,
    /// What they take.
    bytes: usize,
}

struct Entry {
    failure: Failure,
    /// In a row.
    times: u32,
    /// Asked again from then on, in milliseconds of the clock that never goes back.
    until_ms: u64,
}

impl Failures {
    /// Remembers as many as fit `bound_bytes`, and never more than [`FAILURES`](limits::FAILURES).
    pub fn new(inner: Arc<dyn Resolver>, bound_bytes: usize, counters: Arc<Counters>) -> Failures {
        Failures {
            inner,
            table: Mutex::default(),
            bound_bytes,
            counters,
        }
    }

    /// Forgets failures; returns how many.
    pub fn forget(&self, scope: &Scope) -> usize {
        self.locked().retain(|question, _| !scope.covers(&question.name))
    }

    fn recent(&self, question: &Question, now_ms: u64) -> Option<Failure> {
        let table = self.locked();
        let entry = table.entries.get(question).filter(|entry| now_ms < entry.until_ms)?;
        Some(entry.failure.clone())
    }

    fn remember(&self, question: &Question, failure: &Failure, now_ms: u64) {
        let mut table = self.locked();
        let times = table.remove(question).map_or(0, |entry| entry.times);
        let pause = limits::FAILURE_TTL_MIN
            .saturating_mul(1 << times.min(16))
            .min(limits::FAILURE_TTL_MAX);
        let entry = Entry {
            failure: failure.clone(),
            times: times + 1,
            until_ms: now_ms + pause.as_millis() as u64,
        };
        let bytes = weight(question, &entry);
        if table.bytes + bytes > self.bound_bytes || table.entries.len() >= limits::FAILURES {
            table.make_room(self.bound_bytes, now_ms);
        }
        if table.bytes + bytes <= self.bound_bytes {
            table.bytes += bytes;
            table.entries.insert(question.clone(), entry);
        }
    }

    fn locked(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn remove(&mut self, question: &Question) -> Option<Entry> {
        let entry = self.entries.remove(question)?;
        self.bytes -= weight(question, &entry);
        Some(entry)
    }

    /// Removes what `keep` does not want; returns how many went.
    fn retain(&mut self, keep: impl Fn(&Question, &Entry) -> bool) -> usize {
        let (before, mut bytes) = (self.entries.len(), 0);
        self.entries.retain(|question, entry| {
            let kept = keep(question, entry);
            bytes += if kept { weight(question, entry) } else { 0 };
            kept
        });
        self.bytes = bytes;
        before - self.entries.len()
    }

    /// Drops what is past, and if that is too little, everything: a flood of failures is no reason to remember one of them well.
    fn make_room(&mut self, bound_bytes: usize, now_ms: u64) {
        self.retain(|_, entry| now_ms < entry.until_ms);
        if self.bytes > bound_bytes / 2 || self.entries.len() > limits::FAILURES / 2 {
            self.retain(|_, _| false);
        }
    }
}

/// What an entry takes in memory, in bytes: a map has up to twice the places it needs. Texts come from servers, and so do their lengths.
fn weight(question: &Question, entry: &Entry) -> usize {
    let text = |(_, text): &(u16, String)| size_of::<(u16, String)>() + text.len();
    let said = match entry.failure.first() {
        Failure::Upstream(what) => what.len(),
        Failure::Bogus { what, .. } => what.len(),
        Failure::Answered { ede, .. } => ede.iter().map(text).sum(),
        Failure::Authorities { what, ede } => what.len() + ede.iter().map(text).sum::<usize>(),
        Failure::Unreachable | Failure::Limit(_) | Failure::TooMuch(_) | Failure::Cached(_) => 0,
    };
    2 * size_of::<(Question, Entry)>() + question.name.as_wire().len() + said
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
            // That others keep us busy passes; the question is not to blame.
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

    #[tokio::test]
    async fn rfc9520_2_a_question_that_takes_too_much_is_remembered_and_a_busy_moment_is_not() {
        for (failure, asked) in [
            (Failure::TooMuch("too many aliases in a row"), 1),
            (Failure::Limit("too many questions for one zone are under way"), 10),
        ] {
            let scripted = Arc::new(Scripted::new());
            let failures = Failures::new(Arc::clone(&scripted) as Arc<dyn Resolver>, usize::MAX, Arc::default());
            scripted.failure("www.example", "A", failure);
            let deadline = clock::instant() + Duration::from_secs(1);
            for _ in 0..10 {
                let failure = failures.resolve(&question("www.example"), deadline).await.unwrap_err();
                assert_eq!(failure.ede()[0].0, 0);
            }
            assert_eq!(scripted.asked(), asked);
        }
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
            failures.locked().entries[&asked].until_ms,
            2 * limits::FAILURE_TTL_MIN.as_millis() as u64
        );
        scripted.records("www.example", "A", &["192.0.2.1"]);
        let deadline = clock::instant() + Duration::from_secs(1);
        failures.resolve(&asked, deadline).await.unwrap();
        assert!(failures.locked().entries.is_empty());
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
        assert!(failures.locked().entries.is_empty());
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
        assert!(failures.locked().entries.len() <= limits::FAILURES);
    }

    #[test]
    fn what_servers_say_at_length_counts_as_what_it_takes() {
        const BOUND: usize = 100_000;
        let failures = Failures::new(Arc::new(Scripted::new()), BOUND, Arc::default());
        let said = (0..limits::EDE_OPTIONS).map(|_| (22, "x".repeat(limits::EDE_TEXT_BYTES)));
        let failure = Failure::Answered {
            rcode: 2,
            ede: said.collect(),
        };
        let mut most = 0;
        for number in 0..1000 {
            let asked = question(&format!("n{number}.example"));
            failures.remember(&asked, &failure, 0);
            assert_eq!(
                failures.recent(&asked, 1).as_ref(),
                Some(&failure),
                "the latest is remembered"
            );
            let table = failures.locked();
            let texts = table.entries.len() * limits::EDE_OPTIONS * limits::EDE_TEXT_BYTES;
            assert!(texts < table.bytes && table.bytes <= BOUND, "{texts} {}", table.bytes);
            most = most.max(table.bytes);
        }
        assert!(most > BOUND / 2, "{most}");
        failures.forget(&Scope::All);
        assert_eq!(failures.locked().bytes, 0);
    }
}
