//! Another way to answers, for when the usual one gives none: recursion behind upstreams, or upstreams behind recursion.
//!
//! In: a question. Out: what the usual way says, else what the other way says.
//! Always: an answer that says there is nothing (NXDOMAIN, NODATA) is an answer. The usual way gets [`FALLBACK_SHARE`] of the time, so
//! that there is some left; while it keeps silent the other goes first, and one question after a pause, longer each time, sees whether it
//! is back. Recursion that fails for one name while it works for others is no reason to show that name to upstreams.
//! Fails: with what the usual way said, if it was asked.

use super::counters::Counters;
use super::forward::health::Health;
use super::{Answer, Failure, Question, Resolver};
use crate::clock;
use crate::dns::ede::code;
use crate::limits::{FALLBACK_SHARE, FALLBACK_SILENCE};
use async_trait::async_trait;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// See the page's first lines.
pub struct Fallback {
    usual: Arc<dyn Resolver>,
    other: Arc<dyn Resolver>,
    direction: Direction,
    health: Health,
    /// When the usual way last gave an answer, in milliseconds of the clock that never goes back; 0 is never.
    answered_ms: AtomicU64,
    /// The other way is in use, as the log was told.
    begun: AtomicBool,
    counters: Arc<Counters>,
}

/// What stands behind what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// `validated`: it checks what it finds, so that it may be asked about what upstreams say is bogus.
    ToRecursion {
        validated: bool,
    },
    ToUpstreams,
}

impl Direction {
    /// Whether a failure of the usual way is one that the other may not share.
    fn follows(self, failure: &Failure) -> bool {
        match failure.first() {
            Failure::Bogus { .. } => self == Direction::ToRecursion { validated: true },
            Failure::Authorities { .. } => self == Direction::ToUpstreams,
            Failure::Limit(_) | Failure::TooMuch(_) => false,
            // Upstreams that say why they keep an answer back have given one.
            Failure::Answered { ede, .. } => !ede.iter().any(|&(info_code, _)| match info_code {
                code::BLOCKED..=code::FILTERED => true,
                code::DNSSEC_INDETERMINATE..=code::NSEC_MISSING | code::SIGNATURE_EXPIRED_BEFORE_VALID => {
                    self != Direction::ToRecursion { validated: true }
                }
                _ => false,
            }),
            Failure::Unreachable | Failure::Upstream(_) | Failure::Cached(_) => true,
        }
    }

    /// Whether that failure may mean that nobody is there at all. Of authorities it cannot be told from one: a line may let nothing out.
    fn is_silence(self, failure: &Failure) -> bool {
        match failure {
            Failure::Unreachable | Failure::Upstream(_) => true,
            Failure::Authorities { .. } => self == Direction::ToUpstreams,
            _ => false,
        }
    }
}

impl Fallback {
    pub fn new(
        usual: Arc<dyn Resolver>,
        other: Arc<dyn Resolver>,
        direction: Direction,
        counters: Arc<Counters>,
    ) -> Fallback {
        Fallback {
            usual,
            other,
            direction,
            health: Health::default(),
            answered_ms: AtomicU64::new(0),
            begun: AtomicBool::new(false),
            counters,
        }
    }

    /// Asks the usual way, and notes how that went. The outer failure is final.
    async fn usual(&self, question: &Question, end: Instant) -> Result<Result<Answer, Failure>, Failure> {
        let result = self.usual.resolve(question, end).await;
        let now_ms = clock::now().mono_ms;
        let silent = result.as_ref().is_err_and(|failure| self.direction.is_silence(failure));
        if !silent {
            // Whatever it said, it is there.
            self.health.answered(Duration::ZERO, now_ms);
            self.answered_ms.store(now_ms.max(1), Ordering::Relaxed);
            if self.begun.swap(false, Ordering::Relaxed) {
                tracing::info!("{} again", self.direction.usual());
            }
        }
        match result {
            Err(failure) if !self.direction.follows(&failure) => Err(failure),
            Err(failure) if silent && self.direction == Direction::ToUpstreams && self.works(now_ms) => Err(failure),
            result => {
                if silent {
                    self.health.missed(now_ms);
                }
                Ok(result)
            }
        }
    }

    /// Whether the usual way gave answers a moment ago.
    fn works(&self, now_ms: u64) -> bool {
        let answered_ms = self.answered_ms.load(Ordering::Relaxed);
        answered_ms != 0 && now_ms.saturating_sub(answered_ms) < FALLBACK_SILENCE.as_millis() as u64
    }

    async fn other(&self, question: &Question, deadline: Instant) -> Result<Answer, Failure> {
        self.counters.fallbacks.add();
        tracing::debug!(name = %question.name, qtype = question.qtype, "{}", self.direction.now());
        self.other.resolve(question, deadline).await
    }

    fn begins(&self) {
        if !self.begun.swap(true, Ordering::Relaxed) {
            tracing::warn!("{} no more; {} meanwhile", self.direction.usual(), self.direction.now());
        }
    }
}

impl Direction {
    fn usual(self) -> &'static str {
        match self {
            Direction::ToRecursion { .. } => "the upstreams of resolver.forward answer",
            Direction::ToUpstreams => "name servers can be reached",
        }
    }

    fn now(self) -> &'static str {
        match self {
            Direction::ToRecursion { .. } => "name servers are asked by this server itself",
            Direction::ToUpstreams => "the upstreams of resolver.forward are asked",
        }
    }
}

#[async_trait]
impl Resolver for Fallback {
    async fn resolve(&self, question: &Question, deadline: Instant) -> Result<Answer, Failure> {
        if self.health.is_avoided(clock::now().mono_ms) {
            self.begins();
            return match self.other(question, deadline).await {
                Err(failure) if failure.is_bogus() => Err(failure),
                // With what time is left.
                Err(failure) if self.direction.follows(&failure) => self.usual(question, deadline).await?,
                result => result,
            };
        }
        let left = deadline.saturating_duration_since(clock::instant());
        let failure = match self
            .usual(question, deadline - left.mul_f64(1.0 - FALLBACK_SHARE))
            .await?
        {
            Ok(answer) => return Ok(answer),
            Err(failure) => failure,
        };
        tracing::debug!(%failure, "the usual way gave no answer");
        match self.other(question, deadline).await {
            Err(bogus) if bogus.is_bogus() => Err(bogus),
            Err(_) => Err(failure),
            Ok(answer) => Ok(answer),
        }
    }

    async fn renew(&self, question: &Question, least_left: Duration, deadline: Instant) -> Result<Answer, Failure> {
        // Nobody waits for it, so one way is enough: the one that works.
        let way = match self.health.is_avoided(clock::now().mono_ms) {
            true => &self.other,
            false => &self.usual,
        };
        way.renew(question, least_left, deadline).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::name::Name;
    use crate::resolver::scripted::Scripted;

    const TO_RECURSION: Direction = Direction::ToRecursion { validated: true };

    fn two(direction: Direction) -> (Arc<Scripted>, Arc<Scripted>, Fallback) {
        let (usual, other) = (Arc::new(Scripted::new()), Arc::new(Scripted::new()));
        let ways = (
            Arc::clone(&usual) as Arc<dyn Resolver>,
            Arc::clone(&other) as Arc<dyn Resolver>,
        );
        (usual, other, Fallback::new(ways.0, ways.1, direction, Arc::default()))
    }

    async fn ask(fallback: &Fallback, text: &str) -> Result<Answer, Failure> {
        let question = Question {
            name: Name::parse(text).unwrap(),
            qtype: 1,
            dnssec_ok: false,
            checking_disabled: false,
        };
        fallback
            .resolve(&question, clock::instant() + Duration::from_secs(5))
            .await
    }

    #[tokio::test]
    async fn what_is_denied_or_answered_is_not_asked_of_the_other_and_what_failed_is() {
        let (usual, other, fallback) = two(TO_RECURSION);
        usual.records("www.example", "A", &["192.0.2.1"]);
        usual.answer("no.example", "A", 3, &[]);
        ask(&fallback, "www.example").await.unwrap();
        ask(&fallback, "no.example").await.unwrap();
        assert_eq!((other.asked(), fallback.counters.fallbacks.get()), (0, 0));
        let refused = Failure::Answered {
            rcode: 5,
            ede: Vec::new(),
        };
        usual.failure("refused.example", "A", refused.clone());
        assert_eq!(
            ask(&fallback, "refused.example").await.unwrap_err(),
            refused,
            "neither knows it"
        );
        other.records("refused.example", "A", &["192.0.2.1"]);
        ask(&fallback, "refused.example").await.unwrap();
        assert_eq!((other.asked(), fallback.counters.fallbacks.get()), (2, 2));
        assert!(!fallback.begun.load(Ordering::Relaxed), "upstreams are there");
    }

    #[tokio::test]
    async fn while_the_usual_way_is_silent_the_other_goes_first_and_both_are_tried() {
        let (usual, other, fallback) = two(TO_RECURSION);
        for turn in 0..20 {
            other.records(&format!("n{turn}.example"), "A", &["192.0.2.1"]);
            ask(&fallback, &format!("n{turn}.example")).await.unwrap();
        }
        assert!(fallback.begun.load(Ordering::Relaxed));
        assert_eq!(
            (usual.asked(), other.asked()),
            (2, 20),
            "it is left alone after two misses"
        );
        usual.records("back.example", "A", &["192.0.2.1"]);
        ask(&fallback, "back.example").await.unwrap();
        assert!(!fallback.begun.load(Ordering::Relaxed));
        ask(&fallback, "back.example").await.unwrap();
        assert_eq!(other.asked(), 21);
    }

    #[tokio::test]
    async fn what_the_other_way_finds_bogus_is_not_asked_of_the_usual_one_that_is_avoided() {
        let (usual, other, fallback) = two(TO_RECURSION);
        for _ in 0..2 {
            ask(&fallback, "silent.example").await.unwrap_err();
        }
        assert!(fallback.health.is_avoided(clock::now().mono_ms));
        let bogus = Failure::Bogus {
            code: 6,
            what: "www.example. A: no".to_owned(),
        };
        for failure in [bogus.clone(), Failure::Cached(Box::new(bogus))] {
            other.failure("www.example", "A", failure.clone());
            usual.records("www.example", "A", &["192.0.2.66"]);
            assert_eq!(ask(&fallback, "www.example").await.unwrap_err(), failure);
        }
    }

    #[tokio::test]
    async fn what_upstreams_keep_back_for_a_reason_they_give_stays_kept_back() {
        for (direction, info_code, kept) in [
            (TO_RECURSION, code::FILTERED, true),
            (Direction::ToRecursion { validated: false }, code::BLOCKED, true),
            (Direction::ToRecursion { validated: false }, code::DNSSEC_BOGUS, true),
            (
                Direction::ToRecursion { validated: false },
                code::SIGNATURE_EXPIRED_BEFORE_VALID,
                true,
            ),
            (TO_RECURSION, code::DNSSEC_BOGUS, false),
            (TO_RECURSION, code::NO_REACHABLE_AUTHORITY, false),
        ] {
            let (usual, other, fallback) = two(direction);
            let failure = Failure::Answered {
                rcode: 2,
                ede: vec![(info_code, String::new())],
            };
            usual.failure("www.example", "A", failure);
            other.records("www.example", "A", &["192.0.2.1"]);
            assert_eq!(
                ask(&fallback, "www.example").await.is_err(),
                kept,
                "{direction:?} {info_code}"
            );
        }
    }

    #[tokio::test]
    async fn while_the_usual_way_is_avoided_answers_are_renewed_by_the_other() {
        let (_, other, fallback) = two(TO_RECURSION);
        for _ in 0..2 {
            ask(&fallback, "silent.example").await.unwrap_err();
        }
        other.records("www.example", "A", &["192.0.2.1"]);
        let question = Question {
            name: Name::parse("www.example").unwrap(),
            qtype: 1,
            dnssec_ok: false,
            checking_disabled: false,
        };
        let deadline = clock::instant() + Duration::from_secs(1);
        fallback.renew(&question, Duration::ZERO, deadline).await.unwrap();
    }

    #[tokio::test]
    async fn a_bogus_answer_is_asked_for_again_only_where_the_other_way_validates() {
        let bogus = Failure::Bogus {
            code: 6,
            what: "www.example. A: no".to_owned(),
        };
        for (direction, believed) in [
            (TO_RECURSION, true),
            (Direction::ToRecursion { validated: false }, false),
            (Direction::ToUpstreams, false),
        ] {
            let (usual, other, fallback) = two(direction);
            usual.failure("www.example", "A", bogus.clone());
            other.records("www.example", "A", &["192.0.2.1"]);
            assert_eq!(ask(&fallback, "www.example").await.is_ok(), believed, "{direction:?}");
        }
    }

    #[tokio::test]
    async fn a_dead_zone_is_not_shown_to_upstreams_while_recursion_works_for_others() {
        let (usual, other, fallback) = two(Direction::ToUpstreams);
        other.records("dead.example", "A", &["192.0.2.1"]);
        ask(&fallback, "dead.example").await.unwrap();
        assert_eq!(other.asked(), 1, "nothing was ever reached");
        usual.records("www.example", "A", &["192.0.2.1"]);
        ask(&fallback, "www.example").await.unwrap();
        for _ in 0..5 {
            assert_eq!(ask(&fallback, "dead.example").await.unwrap_err(), Failure::Unreachable);
        }
        assert_eq!(other.asked(), 1);
    }

    #[tokio::test]
    async fn the_usual_way_leaves_time_for_the_other() {
        let (slow, other) = (Scripted::new().delayed(Duration::from_secs(60)), Scripted::new());
        other.records("www.example", "A", &["192.0.2.1"]);
        let fallback = Fallback::new(Arc::new(slow), Arc::new(other), TO_RECURSION, Arc::default());
        let question = Question {
            name: Name::parse("www.example").unwrap(),
            qtype: 1,
            dnssec_ok: false,
            checking_disabled: false,
        };
        let started = clock::instant();
        let answer = fallback.resolve(&question, started + Duration::from_millis(200)).await;
        answer.unwrap();
        let took = clock::instant().duration_since(started);
        assert!(
            took >= Duration::from_millis(100) && took < Duration::from_millis(200),
            "{took:?}"
        );
    }
}
