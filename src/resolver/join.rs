//! Joins equal questions in flight: a hundred clients that ask the same at once cost one resolution.
//!
//! Always: who joins waits for the first one's result, yet not past a deadline of its own. When everybody has gone, so has the
//! work; the next to ask starts afresh. Renewals are joined among themselves: a client that waits is not told of the failure of
//! one, and one is not content with what satisfies a client.

use super::counters::Counters;
use super::{Answer, Failure, Question, Resolver};
use async_trait::async_trait;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared, WeakShared};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::time::timeout_at;

type Outcome = Result<Arc<Answer>, Failure>;
type Work = Shared<BoxFuture<'static, Outcome>>;
/// Work by what is wanted, each with a ticket of its own.
type Works = HashMap<Wanted, (u64, WeakShared<BoxFuture<'static, Outcome>>)>;
type InFlight = Mutex<Works>;

/// A question, and how fresh an answer must be that is known already.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Wanted {
    question: Question,
    renewal: bool,
}

/// A resolver with joining in front.
pub struct Join {
    inner: Arc<dyn Resolver>,
    in_flight: Arc<InFlight>,
    tickets: AtomicU64,
    counters: Arc<Counters>,
}

impl Join {
    pub fn new(inner: Arc<dyn Resolver>, counters: Arc<Counters>) -> Join {
        Join {
            inner,
            in_flight: Arc::default(),
            tickets: AtomicU64::new(0),
            counters,
        }
    }

    /// Questions being resolved now.
    pub fn in_flight(&self) -> usize {
        locked(&self.in_flight).len()
    }

    /// The work of answering a question, or of renewing its answer where that must be fresh for so much longer.
    /// Whoever asks from now on has work of its own begun; that under way goes on for those who wait for it.
    pub fn forget(&self) {
        locked(&self.in_flight).clear();
    }

    fn work(&self, question: &Question, least_left: Option<Duration>, deadline: Instant) -> Work {
        let wanted = Wanted {
            question: question.clone(),
            renewal: least_left.is_some(),
        };
        let mut in_flight = locked(&self.in_flight);
        if let Some(work) = in_flight.get(&wanted).and_then(|(_, work)| work.upgrade()) {
            self.counters.joined.add();
            return work;
        }
        let inner = Arc::clone(&self.inner);
        let ticket = self.tickets.fetch_add(1, Ordering::Relaxed);
        let place = Place {
            ticket,
            in_flight: Arc::clone(&self.in_flight),
            wanted: wanted.clone(),
        };
        let work = async move {
            let question = &place.wanted.question;
            let result = match least_left {
                None => inner.resolve(question, deadline).await,
                Some(least_left) => inner.renew(question, least_left, deadline).await,
            };
            drop(place);
            result.map(Arc::new)
        }
        .boxed()
        .shared();
        if let Some(weak) = work.downgrade() {
            in_flight.insert(wanted, (ticket, weak));
        }
        work
    }

    async fn outcome(
        &self,
        question: &Question,
        least_left: Option<Duration>,
        deadline: Instant,
    ) -> Result<Answer, Failure> {
        self.counters.questions.add();
        let work = self.work(question, least_left, deadline);
        let answer = match timeout_at(deadline.into(), work).await {
            Ok(outcome) => outcome?,
            Err(_) => return Err(Failure::Unreachable),
        };
        let mut answer = Arc::unwrap_or_clone(answer);
        // Each gets the question as it asked it, letter case and all.
        super::message::rename(&mut answer.message, question);
        Ok(answer)
    }
}

#[async_trait]
impl Resolver for Join {
    async fn resolve(&self, question: &Question, deadline: Instant) -> Result<Answer, Failure> {
        self.outcome(question, None, deadline).await
    }

    async fn renew(&self, question: &Question, least_left: Duration, deadline: Instant) -> Result<Answer, Failure> {
        self.outcome(question, Some(least_left), deadline).await
    }
}

/// A place in the table, given up when the work is done or dropped.
struct Place {
    ticket: u64,
    in_flight: Arc<InFlight>,
    wanted: Wanted,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut in_flight = locked(&self.in_flight);
        // Once everybody has gone somebody else may have begun anew in this place; theirs stays.
        if in_flight
            .get(&self.wanted)
            .is_some_and(|(ticket, _)| *ticket == self.ticket)
        {
            in_flight.remove(&self.wanted);
        }
    }
}

fn locked(in_flight: &InFlight) -> MutexGuard<'_, Works> {
    in_flight.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;
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

    fn slow() -> (Arc<Scripted>, Arc<Join>) {
        let scripted = Arc::new(Scripted::new().delayed(Duration::from_millis(50)));
        scripted.records("www.example", "A", &["192.0.2.1"]);
        let join = Join::new(Arc::clone(&scripted) as Arc<dyn Resolver>, Arc::default());
        (scripted, Arc::new(join))
    }

    #[tokio::test]
    async fn a_hundred_equal_questions_are_resolved_once_and_each_keeps_its_letter_case() {
        let (scripted, join) = slow();
        let deadline = clock::instant() + Duration::from_secs(5);
        let mut tasks = Vec::new();
        for turn in 0..100 {
            let join = Arc::clone(&join);
            let text = if turn % 2 == 0 { "www.example" } else { "WWW.example" };
            tasks.push(tokio::spawn(async move {
                let answer = join.resolve(&question(text), deadline).await.unwrap();
                assert_eq!(&answer.message[13..16], &text.as_bytes()[..3]);
            }));
        }
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(scripted.asked(), 1);
        assert_eq!(join.counters.joined.get(), 99);
        assert_eq!(join.in_flight(), 0);
        // DO makes another question of it.
        let signed = Question {
            dnssec_ok: true,
            ..question("www.example")
        };
        join.resolve(&signed, deadline).await.unwrap();
        assert_eq!(scripted.asked(), 2);
    }

    #[tokio::test]
    async fn renewals_are_joined_among_themselves_and_never_with_who_waits() {
        let (scripted, join) = slow();
        let deadline = clock::instant() + Duration::from_secs(5);
        let question = question("www.example");
        let renew = || join.renew(&question, Duration::from_secs(9), deadline);
        let (first, second, third) = tokio::join!(renew(), join.resolve(&question, deadline), renew());
        assert!(first.is_ok() && second.is_ok() && third.is_ok());
        assert_eq!((scripted.asked(), join.counters.joined.get()), (2, 1));
    }

    #[tokio::test]
    async fn work_outlives_the_one_who_began_it_but_not_all_who_wait() {
        let (scripted, join) = slow();
        let deadline = clock::instant() + Duration::from_secs(5);
        let first = tokio::spawn({
            let join = Arc::clone(&join);
            async move { join.resolve(&question("www.example"), deadline).await }
        });
        tokio::time::sleep(Duration::from_millis(10)).await;
        let second = tokio::spawn({
            let join = Arc::clone(&join);
            async move { join.resolve(&question("www.example"), deadline).await }
        });
        tokio::time::sleep(Duration::from_millis(10)).await;
        first.abort();
        second.await.unwrap().unwrap();
        assert_eq!(scripted.asked(), 1);

        let third = tokio::spawn({
            let join = Arc::clone(&join);
            async move { join.resolve(&question("www.example"), deadline).await }
        });
        tokio::time::sleep(Duration::from_millis(10)).await;
        third.abort();
        let _ = third.await;
        assert_eq!(join.in_flight(), 0);
        join.resolve(&question("www.example"), deadline).await.unwrap();
        assert_eq!(scripted.asked(), 3);
    }

    #[tokio::test]
    async fn who_asks_after_a_flush_does_not_join_work_from_before_it() {
        let (scripted, join) = slow();
        let deadline = clock::instant() + Duration::from_secs(5);
        let before = tokio::spawn({
            let join = Arc::clone(&join);
            async move { join.resolve(&question("www.example"), deadline).await }
        });
        tokio::time::sleep(Duration::from_millis(10)).await;
        join.forget();
        join.resolve(&question("www.example"), deadline).await.unwrap();
        before.await.unwrap().unwrap();
        assert_eq!(scripted.asked(), 2);
        assert_eq!(join.in_flight(), 0);
    }

    #[tokio::test]
    async fn who_joins_keeps_a_deadline_of_its_own() {
        let (_, join) = slow();
        let first = tokio::spawn({
            let join = Arc::clone(&join);
            let deadline = clock::instant() + Duration::from_secs(5);
            async move { join.resolve(&question("www.example"), deadline).await }
        });
        tokio::time::sleep(Duration::from_millis(10)).await;
        let soon = clock::instant() + Duration::from_millis(5);
        assert_eq!(
            join.resolve(&question("www.example"), soon).await.unwrap_err(),
            Failure::Unreachable
        );
        first.await.unwrap().unwrap();
    }
}
