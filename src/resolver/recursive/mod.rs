//! Resolves from the root down.
//!
//! In: a question. Out: the authorities' answer, put in order along its alias chain, or why there is none. Not validated: AD is
//! never set.
//! hickory's `Recursor` walks the tree; everything it sends goes through `provider`, which bounds each exchange and turns an
//! error answer into the next server's turn. What the walk loses is made up for here: the alias chain in front of a negative
//! answer, the RCODE of a chain, names that do not exist only because a server was confused.
//! Always: ends at the deadline; at most [`AUTHORITY_QUERIES`](crate::limits::AUTHORITY_QUERIES) queries a question; networks that are
//! not public are asked only where `resolver.query_private` says so.
//! Keeps: RFC 1034 §5.3.3, RFC 2308, RFC 9156 (as far as hickory does), RFC 9609 (priming).

mod hints;
mod provider;
mod reading;

pub use hints::HintsError;
pub use provider::Mapping;

use super::counters::Counters;
use super::{Answer, Failure, Question, Resolver, message};
use crate::clock;
use crate::config::settings::{QnameMinimization, ResolverSettings};
use crate::dns::rtype;
use crate::limits;
use arc_swap::ArcSwap;
use async_trait::async_trait;
use hickory_proto::op::{Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::{Name, Record, RecordType};
use hickory_resolver::recursor::{DnssecPolicy, QNameMinimization, Recursor, RecursorError, RecursorOptions};
use ipnet::IpNet;
use provider::Provider;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;
use tokio::time::timeout_at;

/// A resolver that starts at the root.
pub struct Recursive {
    inner: Arc<Inner>,
}

struct Inner {
    walker: ArcSwap<Walker>,
    options: RecursorOptions,
    provider: Provider,
    /// Root servers as the hints have them; what priming asks.
    hints: Vec<IpAddr>,
    /// When to prime next, in milliseconds of the clock that never goes back; never when priming is off.
    prime_at_ms: AtomicU64,
}

/// hickory's recursor and the root servers it was made with.
struct Walker {
    recursor: Arc<Recursor<Provider>>,
    /// A second look for questions at which the first fails: slower, since it looks up every server that a referral names.
    thorough: Arc<Recursor<Provider>>,
    roots: Vec<IpAddr>,
}

/// Settings from which nothing can start at the root.
#[derive(Debug, thiserror::Error)]
pub enum RecursiveError {
    #[error(transparent)]
    Hints(#[from] HintsError),
    #[error(
        "resolver: no root server can be asked; allow ipv4 or ipv6, or write root hints with addresses of the kind allowed"
    )]
    NoRoots,
    #[error("resolver: hickory refuses the settings: {0}")]
    Refused(String),
}

impl Recursive {
    /// A resolver as settings want it. `mapping` says where the server with an address is found: at port 53 of that address, but
    /// for tests.
    pub fn new(
        settings: &ResolverSettings,
        mapping: Mapping,
        counters: Arc<Counters>,
    ) -> Result<Recursive, RecursiveError> {
        let hints: Vec<IpAddr> = match &settings.root_hints {
            Some(path) => hints::read(path)?,
            None => hints::builtin(),
        };
        let wanted = |address: &IpAddr| match address {
            IpAddr::V4(_) => settings.ipv4,
            IpAddr::V6(_) => settings.ipv6,
        };
        let hints: Vec<IpAddr> = hints.into_iter().filter(wanted).collect();
        let options = options(settings);
        let provider = Provider::new(mapping, counters);
        let inner = Inner {
            walker: ArcSwap::from_pointee(Walker::new(hints.clone(), &options, &provider)?),
            options,
            provider,
            hints,
            prime_at_ms: AtomicU64::new(if settings.prime { 0 } else { u64::MAX }),
        };
        Ok(Recursive { inner: Arc::new(inner) })
    }

    /// Forgets what the walk has learned of zones and their servers.
    pub fn forget(&self) {
        self.inner.walk_from(self.inner.walker.load().roots.clone());
    }
}

#[async_trait]
impl Resolver for Recursive {
    async fn resolve(&self, question: &Question, deadline: Instant) -> Result<Answer, Failure> {
        self.inner.prime_when_due();
        let walker = self.inner.walker.load_full();
        // What has been sent and heard for this question, wherever in the walk it was.
        let (errand, result) = provider::errand(async {
            timeout_at(deadline.into(), walker.look(question, deadline))
                .await
                .unwrap_or(Err(Failure::Unreachable))
        })
        .await;
        result.map_err(|failure| errand.explain(failure))
    }
}

/// The recursor's options for these settings.
fn options(settings: &ResolverSettings) -> RecursorOptions {
    let mut options = RecursorOptions {
        ns_cache_size: limits::ZONES_KEPT,
        response_cache_size: limits::AUTHORITY_ANSWERS_KEPT,
        recursion_limit: limits::RECURSION_DEPTH,
        ns_recursion_limit: limits::RECURSION_DEPTH,
        allow_server: settings.query_private.clone(),
        case_randomization: settings.case_randomization,
        edns_payload_len: settings.edns_buffer,
        // Relaxed as well when minimization is off: the recursor always walks label by label.
        qname_minimization: match settings.qname_minimization {
            QnameMinimization::Strict => QNameMinimization::Strict,
            QnameMinimization::Relaxed | QnameMinimization::Off => QNameMinimization::Relaxed,
        },
        ..RecursorOptions::default()
    };
    let all = |network: &str| network.parse::<IpNet>().expect("it is a network");
    if !settings.ipv4 {
        options.deny_server.push(all("0.0.0.0/0"));
    }
    if !settings.ipv6 {
        options.deny_server.push(all("::/0"));
    }
    options
}

impl Inner {
    /// Starts anew from these root servers; keeps on as before if that cannot be done.
    fn walk_from(&self, roots: Vec<IpAddr>) {
        match Walker::new(roots, &self.options, &self.provider) {
            Ok(walker) => self.walker.store(Arc::new(walker)),
            Err(error) => tracing::warn!(%error, "the root servers found cannot be used; the ones before stay"),
        }
    }

    /// Asks the hints for the present root servers (RFC 9609) beside the questions of clients, never in front of them.
    fn prime_when_due(self: &Arc<Self>) {
        let now_ms = clock::now().mono_ms;
        let due_ms = self.prime_at_ms.load(Ordering::Relaxed);
        if now_ms < due_ms {
            return;
        }
        let retry_ms = now_ms + limits::PRIME_RETRY.as_millis() as u64;
        if self
            .prime_at_ms
            .compare_exchange(due_ms, retry_ms, Ordering::Relaxed, Ordering::Relaxed)
            .is_err()
        {
            return;
        }
        let inner = Arc::clone(self);
        tokio::spawn(async move {
            match inner.provider.prime(&inner.hints, &inner.options).await {
                Some(primed) => {
                    let next_ms = clock::now().mono_ms + u64::from(primed.ttl_s) * 1000;
                    inner.prime_at_ms.store(next_ms, Ordering::Relaxed);
                    let mut known = inner.walker.load().roots.clone();
                    known.sort_unstable();
                    if known != primed.roots {
                        inner.walk_from(primed.roots);
                    }
                }
                None => tracing::debug!("priming failed; the root hints serve until it succeeds"),
            }
        });
    }
}

impl Walker {
    fn new(roots: Vec<IpAddr>, options: &RecursorOptions, provider: &Provider) -> Result<Walker, RecursiveError> {
        if roots.is_empty() {
            return Err(RecursiveError::NoRoots);
        }
        let make = |provider: Provider| {
            // DNSSEC records are asked for and passed on; nothing is validated.
            let policy = DnssecPolicy::ValidationDisabled;
            Recursor::new(&roots, policy, None, options.clone(), provider)
                .map(Arc::new)
                .map_err(|cause| RecursiveError::Refused(cause.to_string()))
        };
        let recursor = make(provider.clone())?;
        let (completing, completer) = provider.completing();
        let thorough = make(completing)?;
        completer.serve(&thorough);
        Ok(Walker {
            recursor,
            thorough,
            roots,
        })
    }

    /// Looks once, and a second time when that fails or takes most of the time there is; the first answer counts.
    async fn look(&self, question: &Question, deadline: Instant) -> Result<Answer, Failure> {
        let now = clock::instant();
        let patience = now + deadline.saturating_duration_since(now) * 2 / 3;
        let mut first = Box::pin(self.answer(&self.recursor, question));
        let second = || self.answer(&self.thorough, question);
        match timeout_at(patience.into(), &mut first).await {
            Ok(Err(Failure::Upstream(_) | Failure::Unreachable)) => second().await,
            Ok(result) => result,
            Err(_) => {
                let mut second = Box::pin(second());
                tokio::select! {
                    result = &mut first => if result.is_ok() { result } else { second.await },
                    result = &mut second => if result.is_ok() { result } else { first.await },
                }
            }
        }
    }

    async fn answer(&self, recursor: &Recursor<Provider>, question: &Question) -> Result<Answer, Failure> {
        let qname = Name::from_labels(question.name.labels()).map_err(|cause| Failure::Upstream(cause.to_string()))?;
        let query = Query::query(qname.clone(), RecordType::from(question.qtype));
        let found = match ask(recursor, query.clone(), question.dnssec_ok).await? {
            Found::Message(message) => reading::positive(*message, &query)?,
            Found::Negative(negative) => {
                let mut reading = reading::negative(*negative);
                // The walk tells only how the chain ended.
                if question.qtype != rtype::CNAME && question.qtype != rtype::ANY {
                    reading.answers = aliases(recursor, &qname, &reading.about, question.dnssec_ok).await?;
                }
                reading
            }
        };
        let mut response = Message::new(0, MessageType::Response, OpCode::Query);
        response.add_query(query);
        response.metadata.response_code = found.rcode;
        response.add_answers(found.answers);
        response.add_authorities(found.authorities);
        if !question.dnssec_ok {
            response = response.maybe_strip_dnssec_records(false);
        }
        let mut bytes = response
            .to_vec()
            .map_err(|_| Failure::Upstream("the answer does not fit a message".to_owned()))?;
        message::stamp(&mut bytes, question);
        Ok(Answer {
            message: bytes,
            ede: Vec::new(),
        })
    }
}

/// The aliases that lead from `qname` to `end`, for an answer that is about another name than was asked for.
async fn aliases(
    recursor: &Recursor<Provider>,
    qname: &Name,
    end: &Name,
    dnssec_ok: bool,
) -> Result<Vec<Record>, Failure> {
    let mut chain = Vec::new();
    let mut name = qname.clone();
    let mut hops = 0;
    // A walk cut short at a name above (RFC 8020) is about the name asked for.
    while !end.zone_of(&name) {
        hops += 1;
        if hops > limits::ALIAS_HOPS {
            return Err(Failure::Limit("too many aliases in a row"));
        }
        let query = Query::query(name.clone(), RecordType::CNAME);
        let Found::Message(message) = ask(recursor, query.clone(), dnssec_ok).await? else {
            return Ok(chain);
        };
        let step = reading::positive(*message, &query)?;
        let Some(target) = step.answers.iter().find_map(reading::alias_target).cloned() else {
            return Ok(chain);
        };
        chain.extend(step.answers);
        name = target;
    }
    Ok(chain)
}

async fn ask(recursor: &Recursor<Provider>, query: Query, dnssec_ok: bool) -> Result<Found, Failure> {
    match recursor.resolve(query, clock::instant(), dnssec_ok).await {
        Ok(message) => Ok(Found::Message(Box::new(message))),
        Err(RecursorError::Negative(data)) => {
            // A name that "does not exist" because everything a server said was thrown away is no finding.
            if data.is_nx_domain() && !data.is_no_records_found() {
                return Err(Failure::Upstream(
                    "a server spoke of other zones than its own".to_owned(),
                ));
            }
            Ok(Found::Negative(Box::new(data)))
        }
        Err(error) if error.is_timeout() => Err(Failure::Unreachable),
        Err(RecursorError::QueryBudgetExceeded | RecursorError::RecursionLimitExceeded { .. }) => {
            Err(Failure::Limit("the question takes too many queries"))
        }
        Err(RecursorError::MaxRecordLimitExceeded { .. }) => Err(Failure::Limit("too many aliases in a row")),
        Err(error) => Err(Failure::Upstream(error.to_string())),
    }
}

/// How a walk ended.
enum Found {
    Message(Box<Message>),
    Negative(Box<hickory_resolver::recursor::AuthorityData>),
}

/// What a walk found, in order.
struct Reading {
    rcode: ResponseCode,
    answers: Vec<Record>,
    authorities: Vec<Record>,
    /// The name that `rcode` and a negative answer are about: the end of the alias chain.
    about: Name,
}
