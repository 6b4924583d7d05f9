//! Looks into an answer for what the client may not see: aliases, services and addresses.
//!
//! In: a response message, as the cache or the resolver gave it. Out: the first thing in it that policy acts on.
//! Always: allocates nothing; judges for the client that asked, whoever filled the cache.
//! Fails closed: an answer that is broken, or that names more than [`INSPECTED_NAMES`] names, is unusable.
//! Keeps: RFC 6672 §2.1 (DNAME), RFC 9460 §2.2 (SVCB); the response policy zones' rule that of an alias chain the first
//! match counts, and of the addresses at its end that of the first zone.
//!
//! Rules about name servers are asked at each name of the chain: at an alias before what it leads to, at the last name together with
//! its addresses. There the first zone speaks that any rule of both kinds belongs to, and of one zone the rule about addresses. Until
//! it is known who those servers are, nothing is found.
//!
//! Each record is judged with its own type, so that `$dnstype` of a list's rule can tell an alias from an address. What an
//! RPZ zone lets through at one record it and the zones behind it have let through at all records behind that.

use super::Asked;
use super::respond::{self, Verdict};
use super::servers::Known;
use crate::count::Counts;
use crate::dns::answer::{Message, NameBuf, Record, Records, Section, Service, address};
use crate::dns::key::Key;
use crate::dns::nameservers::Servers;
use crate::dns::query::HEADER_BYTES;
use crate::dns::{class, rtype};
use crate::limits::INSPECTED_NAMES;
use crate::list::source::Family;
use crate::policy::Asker;
use crate::policy::decision::{Cause, Decision};
use std::net::IpAddr;

/// What there is in an answer.
#[allow(
    clippy::large_enum_variant,
    reason = "one a query, on the stack; the small ones are the common ones"
)]
pub(super) enum Finding {
    /// Nothing the client may not see.
    Clear,
    Hit(Hit),
    /// Who serves the zones on the way to this name must be known first.
    Unknown(NameBuf),
    /// Not a whole message, or more names than are followed.
    Unusable,
}

/// Something in an answer that policy acts on.
pub(super) struct Hit {
    pub decision: Decision,
    /// The client, less the RPZ zones that have let through something in front or have had their say with this.
    pub asker: Asker,
    /// So many records of the answer section stand before what a rewrite puts there; the aliases among them are kept.
    pub before: usize,
    /// The name a rewrite's records stand at: the alias target that was hit, the owner of the address, or the name whose zone has
    /// such a server.
    pub owner: NameBuf,
}

/// Inspects the answer section of `message`.
pub(super) fn inspect(asked: &Asked<'_>, message: &[u8], known: &mut Known<'_>) -> (Finding, Counts) {
    let inspects = asked.generation.policy.inspects(&asked.asker);
    if !inspects.names && !inspects.addresses && !inspects.servers {
        return (Finding::Clear, Counts::NONE);
    }
    let mut judge = Judge::new(asked);
    judge.rebinding = inspects.rebinding && is_public(asked);
    let Some(parsed) = Message::parse(message) else {
        return (Finding::Unusable, Counts::NONE);
    };
    let mut chain = match inspects.servers {
        true => match NameBuf::read(message, HEADER_BYTES) {
            Some(name) => Some(Chain::new(name)),
            None => return (Finding::Unusable, Counts::NONE),
        },
        false => None,
    };
    let mut records = parsed.records();
    let mut index = 0;
    while let Some(record) = records.next() {
        let Ok(record) = record else {
            return (Finding::Unusable, judge.counts);
        };
        if record.section != Section::Answer {
            break;
        }
        if record.class == class::IN {
            if let Some(chain) = &mut chain
                && let Some(finding) = judge.on_chain(message, &record, index, chain, known)
            {
                return (finding, judge.counts);
            }
            if judge.record(message, &record, &records).is_none() || judge.names > INSPECTED_NAMES {
                return (Finding::Unusable, judge.counts);
            }
            if let Some((decision, name)) = judge.hit {
                let Some(owner) = name.or_else(|| NameBuf::read(message, record.owner_at)) else {
                    return (Finding::Unusable, judge.counts);
                };
                return (judge.finding(decision, index + 1, owner), judge.counts);
            }
        }
        index += 1;
    }
    let finding = chain.and_then(|mut chain| judge.end_of_chain(&mut chain, known));
    (finding.unwrap_or(Finding::Clear), judge.counts)
}

/// Whether the name asked for is one that must not lead into private networks: neither this server's own nor one of those that may.
#[cold]
fn is_public(asked: &Asked<'_>) -> bool {
    let (generation, qname) = (asked.generation, asked.qname());
    !generation.local.covers(qname) && generation.policy.guards_rebinding(&asked.asker, &Key::from_wire(qname))
}

/// How far along an alias chain an inspection is.
struct Chain {
    /// The name at hand.
    name: NameBuf,
    /// So many records of the answer section lead to it.
    before: usize,
    /// It is the last one, and its servers were looked at.
    ended: bool,
    /// They are what a zone acts on, unless a rule about addresses goes before.
    waiting: Option<(Decision, u16)>,
}

impl Chain {
    fn new(name: NameBuf) -> Chain {
        Chain {
            name,
            before: 0,
            ended: false,
            waiting: None,
        }
    }
}

/// What policy says about a name that an alias leads to.
pub(super) struct Judged {
    pub decision: Decision,
    /// Whether the client may see what the name holds.
    pub passes: bool,
    /// The client from here on, less the RPZ zones that have had their say.
    pub asker: Asker,
    pub counts: Counts,
}

/// Judges `target` (wire form) of an alias that a rule or a local zone put into the answer. `None` if it is no name.
pub(super) fn alias(asked: &Asked<'_>, target: &[u8]) -> Option<Judged> {
    let mut judge = Judge::new(asked);
    let (decision, passes) = if asked.generation.policy.inspects(&asked.asker).names {
        judge.name_alone(&NameBuf::read(target, 0)?, rtype::CNAME)
    } else {
        (Decision::PASS, true)
    };
    Some(Judged {
        decision,
        passes,
        asker: asked.asker.after(&decision),
        counts: judge.counts,
    })
}

/// Why rules about servers cannot be judged.
enum Unjudged {
    Unknown,
    Unusable,
}

impl Unjudged {
    fn finding(self, name: NameBuf) -> Finding {
        match self {
            Unjudged::Unknown => Finding::Unknown(name),
            Unjudged::Unusable => Finding::Unusable,
        }
    }
}

struct Judge<'a> {
    asked: &'a Asked<'a>,
    /// The client, less the RPZ zones that have let through something in front.
    asker: Asker,
    names: usize,
    counts: Counts,
    hit: Option<(Decision, Option<NameBuf>)>,
    /// Addresses must not lead into private networks.
    rebinding: bool,
    /// The first RPZ zone that let an address through.
    let_through: u16,
}

impl<'a> Judge<'a> {
    fn new(asked: &'a Asked<'a>) -> Judge<'a> {
        Judge {
            asked,
            asker: asked.asker,
            names: 0,
            counts: Counts::NONE,
            hit: None,
            rebinding: false,
            let_through: u16::MAX,
        }
    }

    fn finding(&self, decision: Decision, before: usize, owner: NameBuf) -> Finding {
        Finding::Hit(Hit {
            decision,
            asker: self.asker.after(&decision),
            before,
            owner,
        })
    }

    /// Looks at the servers on the way to the name that a record stands at, if it is that record's turn.
    fn on_chain(
        &mut self,
        message: &[u8],
        record: &Record,
        index: usize,
        chain: &mut Chain,
        known: &mut Known<'_>,
    ) -> Option<Finding> {
        match record.rtype {
            rtype::CNAME => {
                let (Some(owner), Some(target)) = (
                    NameBuf::read(message, record.owner_at),
                    NameBuf::read(message, record.rdata_at),
                ) else {
                    return Some(Finding::Unusable);
                };
                let decision = match self.servers(&owner, known) {
                    Ok(decision) => decision,
                    Err(unjudged) => return Some(unjudged.finding(owner)),
                };
                if !self.passes(&decision) {
                    return Some(self.finding(decision, chain.before, owner));
                }
                self.asker = self.asker.after(&decision);
                (chain.name, chain.before) = (target, index + 1);
                None
            }
            rtype::A | rtype::AAAA | rtype::SVCB | rtype::HTTPS if !chain.ended => {
                let Some(owner) = NameBuf::read(message, record.owner_at) else {
                    return Some(Finding::Unusable);
                };
                chain.name = owner;
                self.at_last(chain, known)
            }
            _ => None,
        }
    }

    /// What the servers on the way to the last name of the chain mean, once all else was looked at.
    fn end_of_chain(&mut self, chain: &mut Chain, known: &mut Known<'_>) -> Option<Finding> {
        // An alias that was asked for as such leads nowhere.
        let is_last = self.asked.qtype != rtype::CNAME || chain.before == 0;
        if !chain.ended
            && is_last
            && let Some(unjudged) = self.at_last(chain, known)
        {
            return Some(unjudged);
        }
        let (decision, zone) = chain.waiting?;
        // Of one zone the rule about addresses goes first, also one that lets through.
        (zone < self.let_through).then(|| self.finding(decision, chain.before, chain.name))
    }

    /// Looks at the servers on the way to the last name. Zones behind the one that speaks have no say in its addresses.
    fn at_last(&mut self, chain: &mut Chain, known: &mut Known<'_>) -> Option<Finding> {
        chain.ended = true;
        let decision = match self.servers(&chain.name, known) {
            Ok(decision) => decision,
            Err(unjudged) => return Some(unjudged.finding(chain.name)),
        };
        if self.passes(&decision) {
            self.asker = beside(self.asker, &decision);
        } else if let Some(zone) = self.zone(&decision) {
            chain.waiting = Some((decision, zone));
            self.asker.rpz_bar = self.asker.rpz_bar.min(zone.saturating_add(1));
        }
        None
    }

    /// What the servers on the way to a name mean.
    fn servers(&self, name: &NameBuf, known: &mut Known<'_>) -> Result<Decision, Unjudged> {
        let generation = self.asked.generation;
        if !generation.policy.inspects(&self.asker).servers {
            return Ok(Decision::PASS);
        }
        let message = known.get(name.as_wire(), self.asked.now).ok_or(Unjudged::Unknown)?;
        let servers = Servers::read(message).ok_or(Unjudged::Unusable)?;
        let key = Key::from_wire(name.as_wire());
        Ok(generation.policy.decide_servers(
            &generation.gate,
            &self.asker,
            (&key, self.asked.qtype),
            servers.names(),
            servers.addresses(),
        ))
    }

    /// `behind`: the records after this one. `None` if the record is broken.
    fn record(&mut self, message: &[u8], record: &Record, behind: &Records<'_>) -> Option<()> {
        match record.rtype {
            rtype::A | rtype::AAAA => {
                let address = address_of(message, record)?;
                self.address(address, record.rtype, || addresses(message, behind, record.rtype));
            }
            rtype::CNAME | rtype::DNAME => {
                let target = NameBuf::read(message, record.rdata_at)?;
                self.name(&target, record.rtype);
            }
            rtype::SVCB | rtype::HTTPS => {
                let service = Service::read(message, record)?;
                // Services stand side by side: what lets one through says nothing about the next.
                let before = self.asker;
                // The root stands for the owner, which has been judged.
                if service.target.as_wire() != [0] {
                    self.name(&service.target, record.rtype);
                }
                let rtype = |hint: &IpAddr| if hint.is_ipv4() { rtype::A } else { rtype::AAAA };
                for hint in service.hints() {
                    self.address(hint, rtype(&hint), || {
                        service.hints().filter(move |other| rtype(other) == rtype(&hint))
                    });
                }
                self.asker = before;
            }
            _ => {}
        }
        Some(())
    }

    fn name(&mut self, name: &NameBuf, rtype: u16) {
        self.names += 1;
        if self.names > INSPECTED_NAMES || self.hit.is_some() {
            return;
        }
        let asker = self.asker;
        let (decision, passes) = self.name_alone(name, rtype);
        if passes {
            self.asker = asker.after(&decision);
        } else {
            self.hit = Some((decision, Some(*name)));
        }
    }

    /// What is decided about a name in a record of this type, and whether that leaves the answer as it is.
    fn name_alone(&mut self, name: &NameBuf, rtype: u16) -> (Decision, bool) {
        let generation = self.asked.generation;
        let key = Key::from_wire(name.as_wire());
        let decision = generation
            .policy
            .decide_in_answer(&generation.gate, &self.asker, &key, rtype, self.asked.qtype);
        let passes = self.passes(&decision);
        (decision, passes)
    }

    /// `others`: the addresses of the same RRset that have not been judged. They are looked at only if an RPZ zone acts on
    /// this one, since a zone in front of it may have matched one of them; of one zone the first address counts.
    fn address<I: Iterator<Item = IpAddr>>(&mut self, address: IpAddr, rtype: u16, others: impl FnOnce() -> I) {
        if self.hit.is_some() {
            return;
        }
        let mut decision = self.decide_address(address, rtype);
        if let (false, Some(mut first)) = (self.passes(&decision), self.zone(&decision)) {
            for other in others() {
                let found = self.decide_address(other, rtype);
                let passes = matches!(respond::verdict(&found, self.asked.transport), Verdict::Pass { .. });
                if passes && found.rpz_bar < first {
                    first = found.rpz_bar;
                    self.lets_through(&found);
                    decision = self.decide_address(address, rtype);
                } else if let (false, Some(zone)) = (passes, self.zone(&found).filter(|zone| *zone < first)) {
                    (first, decision) = (zone, found);
                }
            }
        }
        if self.passes(&decision) {
            self.lets_through(&decision);
        } else {
            self.hit = Some((decision, None));
        }
    }

    /// An address passes.
    fn lets_through(&mut self, decision: &Decision) {
        if !decision.observed {
            self.let_through = self.let_through.min(decision.rpz_bar);
        }
        self.asker = beside(self.asker, decision);
    }

    fn decide_address(&self, address: IpAddr, rtype: u16) -> Decision {
        let generation = self.asked.generation;
        if self.rebinding
            && let Some(decision) = generation.policy.decide_rebinding(&self.asker, address)
        {
            return decision;
        }
        generation
            .policy
            .decide_address(&generation.gate, &self.asker, address, rtype)
    }

    /// The RPZ zone that a decision rests on, by its place among the sources.
    fn zone(&self, decision: &Decision) -> Option<u16> {
        let gate = &self.asked.generation.gate;
        let Cause::Rule(rule) = decision.cause else { return None };
        let source = gate.rule(rule)?.source.0;
        let format = gate.sources().get(usize::from(source))?.format;
        (format.family() == Family::Rpz).then_some(source)
    }

    /// Whether the answer is left as it is, and what is counted with that.
    fn passes(&mut self, decision: &Decision) -> bool {
        match respond::verdict(decision, self.asked.transport) {
            Verdict::Pass { counts, .. } => {
                self.counts = self.counts.union(counts);
                true
            }
            Verdict::Act => false,
        }
    }
}

/// The asker for addresses of the same RRset. The zone that let this one through still judges the others, since which of
/// them comes first is chance; zones behind it do not.
fn beside(asker: Asker, decision: &Decision) -> Asker {
    Asker {
        rpz_bar: asker.rpz_bar.min(asker.after(decision).rpz_bar.saturating_add(1)),
        ..asker
    }
}

/// The address of an A or AAAA record; `None` if it is broken.
fn address_of(message: &[u8], record: &Record) -> Option<IpAddr> {
    let rdata = &message[record.rdata_at..record.rdata_at + record.rdata_bytes];
    address(rdata).filter(|ip| ip.is_ipv4() == (record.rtype == rtype::A))
}

/// The addresses among the records of the answer section that are still ahead.
fn addresses(message: &[u8], ahead: &Records<'_>, rtype: u16) -> impl Iterator<Item = IpAddr> {
    let ahead = ahead.clone().flatten();
    ahead
        .take_while(|record| record.section == Section::Answer)
        .filter(move |record| record.rtype == rtype && record.class == class::IN)
        .filter_map(|record| address_of(message, &record))
}
