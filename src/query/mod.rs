//! The road of a query, from bytes to bytes: parse -> identify client -> cache -> policy -> resolve -> inspect -> respond. The
//! cache comes first because what is in it is mostly known to be nothing that policy acts on (`recall`).
//!
//! In: the bytes of one query, who sent them, a generation, the cache, the time. Out: a response in the caller's buffer, a
//! drop, or a [`Pending`] that waits for the resolver and comes back through [`finish`]; with each, what to count.
//! Always: one query sees one generation. Every query ends in one response or one counted drop. Every answer, cached or
//! fresh, is inspected for the client that asked. Blocked and cached names cost no allocation, no lock and no write to
//! memory that another thread reads.
//! Fails closed: what cannot be understood or inspected is FORMERR or SERVFAIL, never an unfiltered answer.
//! Keeps: RFC 1035 §4, RFC 2308 §5, RFC 6891, RFC 7873, RFC 8482, RFC 8767, RFC 8914, RFC 9619; by file.

mod ahead;
mod alias;
mod client;
mod cookies;
mod ech;
mod inspect;
mod recall;
mod renew;
mod respond;
mod servers;
mod special;

pub use ahead::{Ahead, Read, read};
pub use client::{Peer, Transport};
pub use cookies::{Short, shorten};
pub use recall::prepare;
pub use renew::Renewal;

use crate::cache::{Cache, CacheKey, Hit, Spot};
use crate::count::{Count, Counts};
use crate::dns::ede::{Errors, code};
use crate::dns::key::Key;
use crate::dns::name::Name;
use crate::dns::query::{Head, Query};
use crate::dns::response::Writer;
use crate::dns::{rcode, rtype};
use crate::generation::Generation;
use crate::limits::CACHED_MESSAGE_BYTES;
use crate::now::Now;
use crate::policy::{Asker, Met};
use crate::resolver::{Answer, Failure, Question};
use inspect::Finding;
use respond::Verdict;
use servers::{Known, Learned, Then};
use std::sync::Arc;

/// What became of a query so far.
pub enum Begun {
    /// The response: this many bytes at the start of `out`.
    Respond(usize),
    /// The same, and an answer that the resolver should renew meanwhile.
    RespondAndRenew(usize, Box<Renewal>),
    /// No response; the counts say why.
    Drop,
    /// The resolver must answer [`Pending::question`] first.
    Pending(Box<Pending>),
}

/// Answers a query as far as that is possible at once. `out` has at least [`MESSAGE_BYTES`](crate::limits::MESSAGE_BYTES)
/// bytes.
pub fn begin(
    generation: &Arc<Generation>,
    cache: &Cache,
    bytes: &[u8],
    peer: &Peer,
    now: Now,
    out: &mut [u8],
) -> (Begun, Counts) {
    let read = read(cache, bytes);
    begin_for(
        generation,
        cache,
        &read,
        peer,
        identify(generation, peer, now),
        now,
        out,
    )
}

/// The same, where the query was read already and it is known who asks; `None`: somebody who may not. The cache is the one it was read for.
#[inline]
pub fn begin_for(
    generation: &Arc<Generation>,
    cache: &Cache,
    read: &Read<'_>,
    peer: &Peer,
    asker: Option<Asker>,
    now: Now,
    out: &mut [u8],
) -> (Begun, Counts) {
    let server = &generation.settings.server;
    let query = match &read.query {
        Ok(query) => query,
        Err(fault) => return special::fault(*fault, server, peer, now, out),
    };
    let mut head = query.head;
    match cookies::stamp(server, query.cookie, peer, now, &mut head) {
        Some(counts) => {
            let done = match asker {
                Some(asker) => {
                    let asked = Asked::new(generation, asker, head, query, peer.transport, now);
                    answer(asked, cache, query.qclass, read, out)
                }
                None => special::refused(head, query, peer.transport, out),
            };
            add(done, counts)
        }
        None => special::malformed(head, query.question, peer.transport, out),
    }
}

/// Who asks; `None`: somebody who may not.
#[inline]
pub fn identify(generation: &Generation, peer: &Peer, now: Now) -> Option<Asker> {
    let addr = peer.address.ip().to_canonical();
    generation.policy.client(addr, now.unix_s())
}

/// Answers a query that was understood.
#[inline]
fn answer(mut asked: Asked<'_>, cache: &Cache, qclass: u16, read: &Read<'_>, out: &mut [u8]) -> (Begun, Counts) {
    if let Some(done) = special::answer(&asked, qclass, out).or_else(|| alias::local(&asked, cache, out)) {
        return done;
    }
    let hit = asked.recall(cache, read.spot, out);
    if let Some(hit) = &hit
        && recall::passes(&asked, cache, hit, &out[..hit.len])
    {
        // The cache has compared the questions.
        let done = match Writer::take_over(out, hit.len, asked.head, asked.section) {
            Some(writer) => respond::finished(writer, &asked, &respond::told(hit.info_code)),
            None => respond::unusable(&asked, out),
        };
        return renew::when_due(&asked, cache, asked.qname(), hit, add(done, Count::Cached.into()));
    }
    let built;
    let key = match read.key {
        Some(key) => key,
        None => {
            built = Key::from_wire(asked.qname());
            &built
        }
    };
    let (generation, asker) = (asked.generation, asked.asker);
    let decision = generation
        .policy
        .decide(&generation.gate, &asker, key, Met::Question, asked.qtype);
    asked.asker = asker.after(&decision);
    match respond::verdict(&decision, asked.transport) {
        Verdict::Act => respond::act(&asked, cache, &decision, out),
        Verdict::Pass { whole, counts } => {
            let waits = special::lists_missing(&asked, &decision, out);
            add(waits.unwrap_or_else(|| look_up(&asked, cache, hit, whole, out)), counts)
        }
    }
}

/// Goes on with a query whose question the resolver has answered or failed. `out` as for [`begin`].
pub fn finish(
    pending: Box<Pending>,
    result: Result<Answer, Failure>,
    cache: &Cache,
    now: Now,
    out: &mut [u8],
) -> (Begun, Counts) {
    let asked = pending.asked(now);
    let of_servers = matches!(pending.purpose, Purpose::Servers(_));
    let (answer, count) = match result {
        Ok(mut answer) => {
            cache.bound_ttls(&mut answer.message);
            pending.keep(&answer, cache, now);
            (answer, Count::Resolved)
        }
        Err(failure) => {
            let known = failure.permits_stale().then(|| pending.known_before(cache, now));
            match known.flatten() {
                Some(answer) => (answer, Count::Stale),
                None if of_servers => return servers::failed(&asked, &failure, out),
                None => return respond::failed(&asked, &failure, out),
            }
        }
    };
    let counts = match of_servers {
        // Where the answer came from was counted with it.
        true => Counts::NONE,
        false => count.into(),
    };
    add(pending.respond(&asked, cache, &answer, out), counts)
}

/// Keeps the answer to a query whose client has a response already.
pub fn keep(pending: &Pending, answer: &Answer, cache: &Cache, now: Now) {
    pending.keep(answer, cache, now);
}

/// Answers with what was known before, for a client that should not wait longer (RFC 8767 §5). `None`: nothing was, or it
/// does not answer the query yet. The query itself goes on, so that the next client gets the new answer.
pub fn meanwhile(pending: &Pending, cache: &Cache, now: Now, out: &mut [u8]) -> Option<(usize, Counts)> {
    let answer = pending.known_before(cache, now)?;
    match pending.respond(&pending.asked(now), cache, &answer, out) {
        (Begun::Respond(len) | Begun::RespondAndRenew(len, _), counts) => Some((len, counts.with(Count::Stale))),
        (Begun::Drop | Begun::Pending(_), _) => None,
    }
}

/// Answers with what the cache had, which stands at the start of `out`, or has the resolver asked.
fn look_up(asked: &Asked<'_>, cache: &Cache, hit: Option<Hit>, whole: bool, out: &mut [u8]) -> (Begun, Counts) {
    if let Some(done) = special::not_looked_up(asked, out) {
        return done;
    }
    match hit {
        Some(hit) => {
            let done = deliver(asked, cache, hit.len, whole, &respond::told(hit.info_code), &[], out);
            renew::when_due(asked, cache, asked.qname(), &hit, add(done, Count::Cached.into()))
        }
        None => asked.wait(cache, asked.qname(), Purpose::Answer { whole }, out),
    }
}

/// Responds with the message that stands at the start of `out`, once it has been inspected for this client (unless an own
/// allow covers the `whole` of it). `learned`: who serves the zones of names in it, as far as the resolver was asked.
fn deliver(
    asked: &Asked<'_>,
    cache: &Cache,
    len: usize,
    whole: bool,
    errors: &Errors,
    learned: &[Learned],
    out: &mut [u8],
) -> (Begun, Counts) {
    let (finding, counts) = match whole {
        true => (Finding::Clear, Counts::NONE),
        false => {
            let (message, room) = out.split_at_mut(len);
            inspect::inspect(asked, message, &mut Known { cache, learned, room })
        }
    };
    let done = match finding {
        Finding::Clear if !whole && ech::is_in(asked, &out[..len]) => ech::deliver(asked, len, errors, out),
        Finding::Clear => match Writer::resume(out, len, asked.head, asked.section) {
            Some(writer) => respond::finished(writer, asked, errors),
            None => respond::unusable(asked, out),
        },
        Finding::Hit(hit) => add(
            respond::act_on_answer(asked, cache, len, &hit, out),
            Count::BlockedByAnswer.into(),
        ),
        Finding::Unknown(name) => {
            let (message, errors) = (out[..len].to_vec(), *errors);
            let then = Then::Deliver { message, errors };
            servers::wait(asked, cache, name.as_wire(), learned, then, out)
        }
        Finding::Unusable => respond::unusable(asked, out),
    };
    add(done, counts)
}

fn add((begun, counts): (Begun, Counts), more: Counts) -> (Begun, Counts) {
    (begun, counts.union(more))
}

/// A query understood, and all that its answer depends on.
#[derive(Clone, Copy)]
struct Asked<'a> {
    generation: &'a Arc<Generation>,
    asker: Asker,
    head: Head,
    /// The question section as sent: QNAME, QTYPE, QCLASS.
    section: &'a [u8],
    qtype: u16,
    transport: Transport,
    now: Now,
}

impl<'a> Asked<'a> {
    fn new(
        generation: &'a Arc<Generation>,
        asker: Asker,
        head: Head,
        query: &Query<'a>,
        transport: Transport,
        now: Now,
    ) -> Asked<'a> {
        Asked {
            generation,
            asker,
            head,
            section: query.question,
            qtype: query.qtype,
            transport,
            now,
        }
    }

    fn qname(&self) -> &'a [u8] {
        &self.section[..self.section.len() - 4]
    }

    /// Whether the client reads structured errors.
    #[inline]
    fn structured_errors(&self) -> bool {
        self.head.edns.is_some_and(|edns| edns.structured_errors)
    }

    fn limit(&self) -> usize {
        self.transport.limit(&self.head)
    }

    fn start<'o>(&self, out: &'o mut [u8], rcode: u16) -> Writer<'o> {
        Writer::start(out, self.head, self.section, rcode)
    }

    /// Reads what the cache has at the spot of the question to the start of `out`, if it may be given to who asks.
    #[inline]
    fn recall(&self, cache: &Cache, spot: Option<Spot>, out: &mut [u8]) -> Option<Hit> {
        let spot = spot.filter(|_| self.head.recursion_desired && self.qtype != rtype::ANY)?;
        cache.get_at(spot, &self.cache_key(self.qname()), self.now, out)
    }

    fn cache_key<'n>(&self, name: &'n [u8]) -> CacheKey<'n> {
        CacheKey {
            qname: name,
            qtype: self.qtype,
            dnssec_ok: self.head.dnssec_ok(),
            checking_disabled: self.head.checking_disabled,
        }
    }

    /// What to ask the resolver about `name`.
    fn question(&self, name: Name) -> Question {
        Question {
            name,
            qtype: self.qtype,
            dnssec_ok: self.head.dnssec_ok(),
            checking_disabled: self.head.checking_disabled,
        }
    }

    /// Has the resolver asked for `name` (uncompressed wire form) with the type of the query.
    fn wait(&self, cache: &Cache, name: &[u8], purpose: Purpose, out: &mut [u8]) -> (Begun, Counts) {
        match Name::from_wire(name) {
            Some(name) => self.pending(cache, self.question(name), purpose),
            None => respond::unusable(self, out),
        }
    }

    /// Has the resolver asked.
    fn pending(&self, cache: &Cache, question: Question, purpose: Purpose) -> (Begun, Counts) {
        let pending = Pending {
            generation: Arc::clone(self.generation),
            asker: self.asker,
            head: self.head,
            section: self.section.into(),
            transport: self.transport,
            purpose,
            question,
            flushes: cache.flushes(),
        };
        (Begun::Pending(Box::new(pending)), Counts::NONE)
    }
}

/// A query that waits for the resolver, with all it needs to go on.
pub struct Pending {
    generation: Arc<Generation>,
    asker: Asker,
    head: Head,
    /// The question section as sent.
    section: Box<[u8]>,
    transport: Transport,
    purpose: Purpose,
    question: Question,
    /// [`Cache::flushes`] when it began.
    flushes: u64,
}

/// What the resolver's answer is for.
enum Purpose {
    /// It is the answer; `whole`: an own allow covers all of it.
    Answer { whole: bool },
    /// It completes an answer whose alias chain leads to it.
    Alias(alias::Started),
    /// It says who serves the zones of a name in an answer that is there.
    Servers(servers::Waits),
}

impl Pending {
    /// What to ask the resolver.
    pub fn question(&self) -> &Question {
        &self.question
    }

    /// Who asked, and QNAME in wire form as sent.
    pub fn asked_by(&self) -> (&Asker, &[u8]) {
        (&self.asker, &self.section[..self.section.len() - 4])
    }

    /// The generation the query began with.
    pub fn generation(&self) -> &Arc<Generation> {
        &self.generation
    }

    /// Keeps the answer for those who ask the same, unless something was to be forgotten since.
    fn keep(&self, answer: &Answer, cache: &Cache, now: Now) {
        if cache.flushes() == self.flushes {
            cache.put_with(&self.key(), &answer.message, respond::kept(&answer.ede), now);
        }
    }

    /// What the answer is kept under.
    fn key(&self) -> CacheKey<'_> {
        CacheKey {
            qname: self.question.name.as_wire(),
            qtype: self.question.qtype,
            dnssec_ok: self.question.dnssec_ok,
            checking_disabled: self.question.checking_disabled,
        }
    }

    /// The answer that was known before, past its time, with the error that says so (RFC 8914 §4.4, §4.20).
    fn known_before(&self, cache: &Cache, now: Now) -> Option<Answer> {
        // What is longer is not kept.
        let mut message = vec![0; CACHED_MESSAGE_BYTES];
        let hit = cache.get_stale(&self.key(), now, &mut message)?;
        message.truncate(hit.len);
        let nxdomain = u16::from(message[3] & 15) == rcode::NXDOMAIN;
        let info_code = if nxdomain {
            code::STALE_NXDOMAIN_ANSWER
        } else {
            code::STALE_ANSWER
        };
        let ede = match hit.stale {
            true => vec![(info_code, String::new())],
            // Somebody else's question was answered meanwhile.
            false => Vec::new(),
        };
        Some(Answer { message, ede })
    }

    /// Responds with an answer to [`question`](Pending::question).
    fn respond(&self, asked: &Asked<'_>, cache: &Cache, answer: &Answer, out: &mut [u8]) -> (Begun, Counts) {
        let errors = respond::passed_on(&answer.ede);
        match &self.purpose {
            Purpose::Answer { whole } => match out.get_mut(..answer.message.len()) {
                Some(room) => {
                    room.copy_from_slice(&answer.message);
                    deliver(asked, cache, answer.message.len(), *whole, &errors, &[], out)
                }
                None => respond::unusable(asked, out),
            },
            Purpose::Alias(started) => alias::complete(asked, cache, started, &answer.message, &errors, &[], out),
            Purpose::Servers(waits) => servers::go_on(asked, cache, waits, (&self.question.name, answer), out),
        }
    }

    fn asked(&self, now: Now) -> Asked<'_> {
        // The type stands before the two bytes of the class.
        let [.., high, low, _, _] = *self.section else {
            unreachable!("a question ends in type and class")
        };
        Asked {
            generation: &self.generation,
            asker: self.asker,
            head: self.head,
            section: &self.section,
            qtype: u16::from_be_bytes([high, low]),
            transport: self.transport,
            now,
        }
    }
}
