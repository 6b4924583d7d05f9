//! Asks other resolvers.
//!
//! In: a question. Out: an upstream's answer, checked as a message ([`checked`] validates it), or why none of them gave one.
//! Always: upstreams are asked in the order of the settings, those that lately kept silent last; one that is silent never uses up
//! the deadline of the others; at most [`FORWARD_EXCHANGES`](crate::limits::FORWARD_EXCHANGES) exchanges a question.
//! Fails: with the most telling thing that went wrong.

pub mod checked;
mod https;
mod quic;
pub(super) mod reuse;
pub(super) mod stream;
pub(super) mod tcp;
mod tls;
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
use crate::config::settings::Upstream as UpstreamSettings;
use crate::dns::rcode;
use crate::limits;
use async_trait::async_trait;
use std::sync::Arc;
use std::time::Instant;
use tokio::time::timeout_at;
use upstream::Upstream;

/// Some upstreams, any of which may answer.
pub struct Forward {
    upstreams: Vec<Upstream>,
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
    pub fn new(upstreams: &[UpstreamSettings], surroundings: &Surroundings) -> Result<Forward, BadUpstream> {
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
            edns_buffer: surroundings.edns_buffer,
            counters: Arc::clone(&surroundings.counters),
        })
    }

    /// One pass after the other over the upstreams, each pass more patient than the one before.
    async fn ask(&self, question: &Question, deadline: Instant, worst: &mut Worst) -> Option<Answer> {
        let mut exchanges = 0;
        for pass in 0u32.. {
            for (behind, upstream) in self.in_order().enumerate() {
                if exchanges == limits::FORWARD_EXCHANGES {
                    return None;
                }
                let now = clock::instant();
                let left = deadline.saturating_duration_since(now);
                if left.is_zero() {
                    return None;
                }
                // Those that come after it in this pass keep a share of what is left.
                let others = u32::try_from(self.upstreams.len() - behind).unwrap_or(u32::MAX);
                let share = if others > 1 { left * 2 / (others + 1) } else { left };
                let wait = upstream.first_wait().saturating_mul(1 << pass.min(8));
                exchanges += 1;
                if let Some(answer) = self.ask_one(upstream, question, now + wait.min(share), worst).await {
                    return Some(answer);
                }
            }
            if worst.is_final() {
                return None;
            }
        }
        None
    }

    /// The upstreams, those to be avoided last.
    fn in_order(&self) -> impl Iterator<Item = &Upstream> {
        let now_ms = clock::now().mono_ms;
        let (avoided, well): (Vec<_>, Vec<_>) = match self.upstreams.as_slice() {
            // Whom else to ask?
            [only] => (vec![], vec![only]),
            several => several.iter().partition(|upstream| upstream.health.is_avoided(now_ms)),
        };
        well.into_iter().chain(avoided)
    }

    async fn ask_one(
        &self,
        upstream: &Upstream,
        question: &Question,
        end: Instant,
        worst: &mut Worst,
    ) -> Option<Answer> {
        let dress = Dress {
            edns_buffer: Some(self.edns_buffer),
            padding: upstream.is_encrypted(),
        };
        match self.exchange(upstream, &message::query(question, dress), end).await {
            // RFC 6891 §7: a server that does not know EDNS may say FORMERR, and answers without it.
            Ok(reply) if reply.rcode == rcode::FORMERR => {
                let plain = Dress {
                    edns_buffer: None,
                    padding: false,
                };
                let end = end.max(clock::instant() + upstream.first_wait());
                let reply = self.exchange(upstream, &message::query(question, plain), end).await;
                self.judge(upstream, question, reply, worst)
            }
            reply => self.judge(upstream, question, reply, worst),
        }
    }

    async fn exchange(&self, upstream: &Upstream, query: &[u8], end: Instant) -> Result<Reply, ExchangeError> {
        let started = clock::instant();
        let result = upstream.exchange(query, end).await;
        let now = clock::instant();
        match &result {
            // Whatever it said, it is there.
            Ok(_) => upstream.health.answered(now.duration_since(started)),
            Err(ExchangeError::Bootstrap(_)) => {}
            Err(_) => upstream.health.missed(clock::now().mono_ms),
        }
        result
    }

    fn judge(
        &self,
        upstream: &Upstream,
        question: &Question,
        reply: Result<Reply, ExchangeError>,
        worst: &mut Worst,
    ) -> Option<Answer> {
        let error = match reply {
            Ok(reply) if message::is_answer(reply.rcode) && !reply.truncated => match reply.into_answer(question) {
                Ok(answer) => {
                    tracing::debug!(%upstream, name = %question.name, qtype = question.qtype, "upstream answered");
                    return Some(answer);
                }
                Err(malformed) => ExchangeError::Malformed(malformed),
            },
            Ok(reply) if reply.truncated => ExchangeError::Network("a truncated answer over a stream".to_owned()),
            Ok(reply) => {
                self.counters.upstream_errors.add();
                tracing::debug!(%upstream, rcode = reply.rcode, "upstream answered with an error");
                worst.answered(reply.rcode, reply.ede);
                return None;
            }
            Err(error) => error,
        };
        match error {
            ExchangeError::Timeout => self.counters.upstream_timeouts.add(),
            _ => self.counters.upstream_errors.add(),
        }
        tracing::debug!(%upstream, %error, "upstream failed");
        worst.failed(upstream, error);
        None
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

/// The most telling failure so far: an error answer says more than a broken connection, and that more than silence.
#[derive(Default)]
struct Worst {
    answered: Option<(u16, Vec<(u16, String)>)>,
    failed: Option<String>,
    /// Some upstream kept silent or was not reached this pass: another try may help.
    retry: bool,
}

impl Worst {
    fn answered(&mut self, rcode: u16, ede: Vec<(u16, String)>) {
        // One with an explanation is worth more than one without.
        if self.answered.as_ref().is_none_or(|(_, known)| known.is_empty()) {
            self.answered = Some((rcode, ede));
        }
    }

    fn failed(&mut self, upstream: &Upstream, error: ExchangeError) {
        match error {
            ExchangeError::Timeout => self.retry = true,
            ExchangeError::Closed | ExchangeError::Network(_) => {
                self.retry = true;
                self.failed = Some(format!("{upstream}: {error}"));
            }
            _ => self.failed = Some(format!("{upstream}: {error}")),
        }
    }

    /// Whether another pass would find the same: every upstream said something definite. Starts the next pass otherwise.
    fn is_final(&mut self) -> bool {
        !std::mem::take(&mut self.retry)
    }

    fn into_failure(self) -> Failure {
        match (self.answered, self.failed) {
            (Some((rcode, ede)), _) => Failure::Answered { rcode, ede },
            (None, Some(what)) => Failure::Upstream(what),
            (None, None) => Failure::Unreachable,
        }
    }
}
