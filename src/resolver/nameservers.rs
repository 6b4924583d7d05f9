//! Who serves the zones on the way to a name, as far as upstreams tell; for rules about name servers.
//!
//! In: any question. Out: to one of type [`rtype::NAMESERVERS`] the message of [`dns::nameservers`](crate::dns::nameservers); to all
//! others what the resolver below says.
//! Always: upstreams are asked for the NS records of the name and of those above it, then for the servers' addresses, within bounds
//! of [`limits`] and a share of the time that is left. What they do not tell is left out, and cannot match a rule. Their words are not
//! validated: a zone gains nothing by lying about its servers that its own answer would not show.
//! Fails: where no upstream answers anything.
//! Keeps: RFC 2308 §5 (a negative answer carries the SOA of the zone it is from).

use super::{Answer, Failure, Question, Resolver, Scope};
use crate::cache::{Cache, CacheKey};
use crate::clock;
use crate::dns::answer::{Message, NameBuf, Section, address};
use crate::dns::name::Name;
use crate::dns::nameservers;
use crate::dns::rtype;
use crate::limits;
use async_trait::async_trait;
use futures_util::StreamExt;
use futures_util::stream;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The answer that says so, good for `ttl_s` seconds, as far as the bounds let it.
pub(super) fn answer(name: &Name, ttl_s: u32, names: &[Name], addresses: Vec<IpAddr>) -> Answer {
    let ttl_s = ttl_s.clamp(limits::NAMESERVERS_TTL_MIN_S, limits::NAMESERVERS_TTL_MAX_S);
    let names = names.iter().take(limits::NAMESERVERS);
    let addresses = addresses.into_iter().take(limits::NAMESERVERS_ADDRESSES);
    Answer {
        message: nameservers::write(name, ttl_s, names, addresses),
        ede: Vec::new(),
    }
}

/// See the page's first lines.
pub struct NameServers {
    inner: Arc<dyn Resolver>,
    /// Who is asked about name servers.
    upstreams: Arc<dyn Resolver>,
    /// Only names below it are asked about.
    top: Name,
    /// What upstreams said: most names lie in zones that others lie in as well.
    memory: Cache,
}

impl NameServers {
    /// In front of `inner`; remembers up to `memory_bytes` of what `upstreams` say.
    pub fn new(inner: Arc<dyn Resolver>, upstreams: Arc<dyn Resolver>, top: Name, memory_bytes: usize) -> NameServers {
        let longest = Duration::from_secs(u64::from(limits::NAMESERVERS_TTL_MAX_S));
        NameServers {
            inner,
            upstreams,
            top,
            memory: Cache::new(memory_bytes as u64, Duration::ZERO, longest),
        }
    }

    /// Forgets what upstreams said of these names; returns how much that was.
    pub fn forget(&self, scope: &Scope) -> usize {
        self.memory.flush(scope.top(), matches!(scope, Scope::Within(_)))
    }

    async fn find(&self, name: &Name, deadline: Instant) -> Result<Answer, Failure> {
        let left = deadline.saturating_duration_since(clock::instant());
        let end = deadline - left.mul_f64(1.0 - limits::NAMESERVER_SHARE);
        let mut learned = Learned::default();
        let mut silence = None;
        let mut next = Some(name.clone());
        for _ in 0..limits::NAMESERVER_STEPS {
            let Some(at) = next.take().filter(|at| at.is_within(&self.top) && *at != self.top) else {
                break;
            };
            next = at.parent();
            match self.ask(&at, rtype::NS, end).await {
                Ok(message) => {
                    silence = None;
                    match learned.servers(&at, &message) {
                        Told::Servers => {}
                        // There is no cut between.
                        Told::Apex(apex) => next = Some(apex),
                        Told::Nothing => learned.partial = true,
                    }
                }
                Err(failure) => {
                    learned.partial = true;
                    let silent = matches!(failure.first(), Failure::Unreachable | Failure::Upstream(_));
                    if learned.answers == 0 && silent {
                        silence = Some(failure);
                    }
                }
            }
        }
        if let Some(failure) = silence {
            return Err(failure);
        }
        let servers = learned.names.iter().take(limits::NAMESERVER_UPSTREAM_LOOK_UPS);
        let look_ups: Vec<(Name, u16)> = servers
            .flat_map(|server| [rtype::A, rtype::AAAA].map(|rtype| (server.clone(), rtype)))
            .collect();
        // A server of which nobody says where it is keeps nobody waiting for long.
        let end = end.min(clock::instant() + limits::NAMESERVER_LOOK_UP_TIME);
        let mut look_ups = stream::iter(look_ups)
            .map(|(server, rtype)| async move { self.ask(&server, rtype, end).await })
            .buffer_unordered(limits::NAMESERVER_AT_ONCE);
        while let Some(result) = look_ups.next().await {
            match result {
                Ok(message) => learned.addresses(&message),
                Err(_) => learned.partial = true,
            }
        }
        let longest_s = match learned.partial {
            true => limits::NAMESERVERS_PARTIAL_TTL_S as u32,
            false => limits::NAMESERVERS_TTL_MAX_S,
        };
        let ttl_s = learned.ttl_s.unwrap_or(longest_s).min(longest_s);
        Ok(answer(name, ttl_s, &learned.names, learned.addresses))
    }

    /// What upstreams say, or said a while ago.
    async fn ask(&self, name: &Name, qtype: u16, end: Instant) -> Result<Vec<u8>, Failure> {
        let key = CacheKey {
            qname: name.as_wire(),
            qtype,
            dnssec_ok: false,
            checking_disabled: false,
        };
        let mut room = vec![0; limits::CACHED_MESSAGE_BYTES];
        if let Some(hit) = self.memory.get(&key, clock::now(), &mut room) {
            room.truncate(hit.len);
            return Ok(room);
        }
        let question = Question {
            name: name.clone(),
            qtype,
            dnssec_ok: false,
            checking_disabled: false,
        };
        let answer = self.upstreams.resolve(&question, end).await?;
        self.memory.put(&key, &answer.message, clock::now());
        Ok(answer.message)
    }
}

/// What upstreams have told so far.
#[derive(Default)]
struct Learned {
    names: Vec<Name>,
    addresses: Vec<IpAddr>,
    /// The least TTL of these.
    ttl_s: Option<u32>,
    /// Messages that were answers.
    answers: usize,
    /// Something was not told.
    partial: bool,
}

/// What an answer to a question for NS records says.
enum Told {
    /// The name is a zone's apex; its servers were taken in.
    Servers,
    /// It is not, and this is the apex of the zone it is in.
    Apex(Name),
    /// Neither.
    Nothing,
}

impl Learned {
    fn servers(&mut self, at: &Name, message: &[u8]) -> Told {
        self.answers += 1;
        let Some(parsed) = Message::parse(message) else {
            return Told::Nothing;
        };
        let read = |place| Name::from_wire(NameBuf::read(message, place)?.as_wire());
        let (mut found, mut alias, mut apex) = (false, false, None);
        for record in parsed.records().flatten() {
            match (record.section, record.rtype) {
                (Section::Answer, rtype::NS) if read(record.owner_at).as_ref() == Some(at) => {
                    if let Some(server) = read(record.rdata_at).filter(|server| !self.names.contains(server)) {
                        self.names.push(server);
                    }
                    self.take_ttl(record.ttl);
                    found = true;
                }
                (Section::Answer, rtype::CNAME | rtype::DNAME) => alias = true,
                (Section::Authority, rtype::SOA) => apex = read(record.owner_at),
                _ => {}
            }
        }
        if found {
            return Told::Servers;
        }
        // Behind an alias the SOA is of the zone that it leads to.
        let apex = apex.filter(|apex| !alias && apex != at && at.is_within(apex));
        match apex {
            Some(apex) => Told::Apex(apex),
            // An alias stands at no apex, which is told as well.
            None if alias => Told::Apex(at.parent().unwrap_or_else(Name::root)),
            None => Told::Nothing,
        }
    }

    fn addresses(&mut self, message: &[u8]) {
        let Some(parsed) = Message::parse(message) else { return };
        let records = parsed.records().flatten();
        let of_answer = records.filter(|record| record.section == Section::Answer);
        let addresses = of_answer.filter(|record| matches!(record.rtype, rtype::A | rtype::AAAA));
        for record in addresses.take(limits::SERVER_ADDRESSES) {
            let rdata = &message[record.rdata_at..record.rdata_at + record.rdata_bytes];
            if let Some(addr) = address(rdata).filter(|addr| !self.addresses.contains(addr)) {
                self.addresses.push(addr);
            }
            self.take_ttl(record.ttl);
        }
    }

    fn take_ttl(&mut self, ttl_s: u32) {
        self.ttl_s = Some(self.ttl_s.map_or(ttl_s, |least| least.min(ttl_s)));
    }
}

#[async_trait]
impl Resolver for NameServers {
    async fn resolve(&self, question: &Question, deadline: Instant) -> Result<Answer, Failure> {
        match question.qtype {
            rtype::NAMESERVERS => self.find(&question.name, deadline).await,
            _ => self.inner.resolve(question, deadline).await,
        }
    }

    async fn renew(&self, question: &Question, least_left: Duration, deadline: Instant) -> Result<Answer, Failure> {
        match question.qtype {
            rtype::NAMESERVERS => self.find(&question.name, deadline).await,
            _ => self.inner.renew(question, least_left, deadline).await,
        }
    }
}
