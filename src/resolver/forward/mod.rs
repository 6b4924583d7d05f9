//! Asks other resolvers.
//!
//! In: a question. Out: an upstream's answer, checked as a message ([`checked`] validates it), or why none of them gave one.
//! Always: one that is silent never uses up the deadline of the others; who is late is still listened to while the next is asked; of
//! several the first good answer counts, and the others are let go. `turns` tells who comes next.
//! Fails: with the most telling thing that went wrong.

pub mod checked;
pub(super) mod health;
mod https;
mod quic;
pub(super) mod reuse;
pub(super) mod stream;
pub(super) mod tcp;
mod tls;
mod turns;
pub(super) mod udp;
mod upstream;

pub use tls::{BadAuthority, Trust};
pub use upstream::BadUpstream;

use super::bootstrap::Bootstrap;
use super::counters::Counters;
use super::exchange::ExchangeError;
use super::message::{self, Dress, Reply};
use super::{Answer, Failure, Question, Resolver};
use crate::clock;
use crate::config::settings::{ForwardOrder, Upstream as UpstreamSettings};
use crate::dns::rcode;
use crate::limits;
use async_trait::async_trait;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use std::future::pending;
use std::pin::pin;
use std::sync::Arc;
use std::time::Instant;
use tokio::time::{sleep_until, timeout_at};
use turns::{Turn, Turns};
use upstream::Upstream;

/// Some upstreams, any of which may answer.
pub struct Forward {
    upstreams: Vec<Upstream>,
    order: ForwardOrder,
    edns_buffer: u16,
    counters: Arc<Counters>,
}

/// What forwarders share.
#[derive(Clone)]
pub struct Surroundings {
    pub trust: Trust,
    /// Looks up upstreams that are given by name; `None` for bootstrap itself.
    pub bootstrap: Option<Arc<Bootstrap>>,
    /// UDP payload size to announce.
    pub edns_buffer: u16,
    pub counters: Arc<Counters>,
}

impl Forward {
    /// A forwarder to these upstreams. No connection is made before it is needed.
    pub fn new(
        upstreams: &[UpstreamSettings],
        order: ForwardOrder,
        surroundings: &Surroundings,
    ) -> Result<Forward, BadUpstream> {
        let upstreams = upstreams
            .iter()
            .map(|settings| {
                Upstream::new(
                    settings,
                    &surroundings.trust,
                    surroundings.bootstrap.clone(),
                    Arc::clone(&surroundings.counters),
                )
            })
            .collect::<Result<_, _>>()?;
        Ok(Forward {
            upstreams,
            order,
            edns_buffer: surroundings.edns_buffer,
            counters: Arc::clone(&surroundings.counters),
        })
    }

    /// Asks one upstream, and another whenever those before are late or have failed, until one gives an answer. Who is late is still
    /// listened to.
    async fn ask(&self, question: &Question, deadline: Instant, worst: &mut Worst) -> Option<Answer> {
        let mut turns = Turns::new(&self.upstreams, self.order, clock::now().mono_ms);
        let mut running = FuturesUnordered::new();
        // Attempts in `running`: number, upstream, start.
        let mut open: Vec<(usize, &Upstream, Instant)> = Vec::new();
        let mut begun = 0;
        let mut next_at = Some(clock::instant());
        loop {
            let due = async move {
                match next_at {
                    Some(at) => sleep_until(at.into()).await,
                    None => pending().await,
                }
            };
            tokio::select! {
                biased;
                Some((number, turn, result)) = running.next(), if !running.is_empty() => {
                    let (turn, result): (Turn, Result<Answer, Miss>) = (turn, result);
                    open.retain(|(other, ..)| *other != number);
                    match result {
                        Ok(answer) => {
                            let now = clock::instant();
                            for (_, upstream, started) in open {
                                upstream.health.outrun(now.duration_since(started));
                            }
                            return Some(answer);
                        }
                        Err(miss) => {
                            if miss.is_final(turn.pass) {
                                turns.done(turn.index);
                            }
                            worst.take(&self.upstreams[turn.index], miss);
                        }
                    }
                    // Those that started later have their time still.
                    if number == begun && next_at.is_some() {
                        next_at = Some(clock::instant());
                    }
                }
                () = due => {
                    let now = clock::instant();
                    let left = deadline.saturating_duration_since(now);
                    next_at = None;
                    if !left.is_zero() && let Some(turn) = turns.next() {
                        let upstream = &self.upstreams[turn.index];
                        // Those that come after it in this pass keep a share of what is left.
                        let share = if turn.behind > 0 { left * 2 / (turn.behind + 2) } else { left };
                        let wait = upstream.first_wait().saturating_mul(1 << turn.pass.min(8)).min(share);
                        next_at = Some(now + turns.ahead(turn, upstream, wait));
                        begun += 1;
                        open.push((begun, upstream, now));
                        let number = begun;
                        running.push(async move {
                            let end = deadline.min(now + wait + limits::UPSTREAM_LAST_WORDS);
                            (number, turn, self.attempt(upstream, question, now + wait, end).await)
                        });
                    }
                }
            }
            if running.is_empty() && next_at.is_none() {
                return None;
            }
        }
    }

    /// One turn of one upstream: until `patient` it is expected to answer, and until `end` it is listened to.
    async fn attempt(
        &self,
        upstream: &Upstream,
        question: &Question,
        patient: Instant,
        end: Instant,
    ) -> Result<Answer, Miss> {
        tracing::debug!(%upstream, name = %question.name, qtype = question.qtype, "upstream is asked");
        let started = clock::instant();
        let mut exchange = pin!(self.exchange(upstream, question, end));
        let (result, late) = match timeout_at(patient.into(), &mut exchange).await {
            Ok(result) => (result, false),
            Err(_) => {
                upstream.health.missed(clock::now().mono_ms);
                self.counters.upstream_timeouts.add();
                tracing::debug!(%upstream, "no answer in time; it is still listened to");
                (exchange.await, true)
            }
        };
        let took = clock::instant().duration_since(started);
        let now_ms = clock::now().mono_ms;
        match &result {
            // Whatever it said, it is there.
            Ok(_) => upstream.health.answered(took, now_ms),
            Err(ExchangeError::Bootstrap(_)) => {}
            Err(_) if late => {}
            Err(_) => upstream.health.missed(now_ms),
        }
        let error = match result {
            Ok(reply) if message::is_answer(reply.rcode) && !reply.truncated => match reply.into_answer(question) {
                Ok(answer) => {
                    tracing::debug!(%upstream, took_ms = took.as_millis() as u64, "upstream answered");
                    return Ok(answer);
                }
                Err(malformed) => ExchangeError::Malformed(malformed),
            },
            Ok(reply) if reply.truncated => ExchangeError::Network("a truncated answer over a stream".to_owned()),
            Ok(reply) => {
                self.counters.upstream_errors.add();
                tracing::debug!(%upstream, rcode = reply.rcode, "upstream answered with an error");
                return Err(Miss::Answered(reply.rcode, reply.ede));
            }
            Err(error) => error,
        };
        match error {
            ExchangeError::Timeout if late => {}
            ExchangeError::Timeout => self.counters.upstream_timeouts.add(),
            _ => self.counters.upstream_errors.add(),
        }
        tracing::debug!(%upstream, %error, "upstream failed");
        Err(Miss::Failed(error))
    }

    async fn exchange(&self, upstream: &Upstream, question: &Question, end: Instant) -> Result<Reply, ExchangeError> {
        let dress = Dress {
            edns_buffer: Some(self.edns_buffer),
            padding: upstream.is_encrypted(),
        };
        match upstream.exchange(&message::query(question, dress), end).await {
            // RFC 6891 §7: a server that does not know EDNS may say FORMERR, and answers without it.
            Ok(reply) if reply.rcode == rcode::FORMERR => {
                let plain = Dress {
                    edns_buffer: None,
                    padding: false,
                };
                let end = end.max(clock::instant() + upstream.first_wait());
                upstream.exchange(&message::query(question, plain), end).await
            }
            result => result,
        }
    }
}

#[async_trait]
impl Resolver for Forward {
    async fn resolve(&self, question: &Question, deadline: Instant) -> Result<Answer, Failure> {
        let mut worst = Worst::default();
        // Exchanges may outlast their share (TCP after UDP), never the deadline.
        match timeout_at(deadline.into(), self.ask(question, deadline, &mut worst)).await {
            Ok(Some(answer)) => Ok(answer),
            Ok(None) | Err(_) => Err(worst.into_failure()),
        }
    }
}

/// Why an attempt brought no answer.
enum Miss {
    /// An error RCODE, and what was added to it.
    Answered(u16, Vec<(u16, String)>),
    Failed(ExchangeError),
}

impl Miss {
    /// Whether the upstream would say the same again; `pass` counts from 0.
    fn is_final(&self, pass: u32) -> bool {
        match self {
            Miss::Answered(..) => true,
            Miss::Failed(ExchangeError::Timeout) => false,
            // A connection may have ended by chance once.
            Miss::Failed(ExchangeError::Closed | ExchangeError::Network(_)) => pass > 0,
            Miss::Failed(_) => true,
        }
    }
}

/// The most telling failure so far: an error answer says more than a broken connection, and that more than silence.
#[derive(Default)]
struct Worst {
    answered: Option<(u16, Vec<(u16, String)>)>,
    failed: Option<String>,
}

impl Worst {
    fn take(&mut self, upstream: &Upstream, miss: Miss) {
        match miss {
            // One with an explanation is worth more than one without.
            Miss::Answered(rcode, ede) => {
                if self.answered.as_ref().is_none_or(|(_, known)| known.is_empty()) {
                    self.answered = Some((rcode, ede));
                }
            }
            Miss::Failed(ExchangeError::Timeout) => {}
            Miss::Failed(error) => self.failed = Some(format!("{upstream}: {error}")),
        }
    }

    fn into_failure(self) -> Failure {
        match (self.answered, self.failed) {
            (Some((rcode, ede)), _) => Failure::Answered { rcode, ede },
            (None, Some(what)) => Failure::Upstream(what),
            (None, None) => Failure::Unreachable,
        }
    }
}
