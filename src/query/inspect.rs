//! Looks into an answer for what the client may not see: aliases, services and addresses.
//!
//! In: a response message, as the cache or the resolver gave it. Out: the first thing in it that policy acts on.
//! Always: allocates nothing; judges for the client that asked, whoever filled the cache.
//! Fails closed: an answer that is broken, or that names more than [`INSPECTED_NAMES`] names, is unusable.
//! Keeps: RFC 6672 §2.1 (DNAME), RFC 9460 §2.2 (SVCB).
//!
//! Each record is judged with its own type, so that `$dnstype` of a list's rule can tell an alias from an address.

use super::Asked;
use super::respond::{self, Verdict};
use crate::count::Counts;
use crate::dns::answer::{Message, NameBuf, Record, Section, Service, address};
use crate::dns::key::Key;
use crate::dns::{class, rtype};
use crate::limits::INSPECTED_NAMES;
use crate::policy::Met;
use crate::policy::decision::{Action, Decision};
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
    /// Not a whole message, or more names than are followed.
    Unusable,
}

/// Something in an answer that policy acts on.
pub(super) struct Hit {
    pub decision: Decision,
    /// Index of the record in the answer section.
    pub index: usize,
    /// The name a rewrite's records stand at: the alias target that was hit, or the owner of the address.
    pub owner: NameBuf,
}

/// Inspects the answer section of `message`.
pub(super) fn inspect(asked: &Asked<'_>, message: &[u8]) -> (Finding, Counts) {
    let inspects = asked.generation.policy.inspects(&asked.asker);
    if !inspects.names && !inspects.addresses {
        return (Finding::Clear, Counts::NONE);
    }
    let mut judge = Judge {
        asked,
        names: 0,
        counts: Counts::NONE,
        hit: None,
    };
    let Some(parsed) = Message::parse(message) else {
        return (Finding::Unusable, Counts::NONE);
    };
    for (index, record) in parsed.records().enumerate() {
        let Ok(record) = record else {
            return (Finding::Unusable, judge.counts);
        };
        if record.section != Section::Answer {
            break;
        }
        if record.class != class::IN {
            continue;
        }
        if judge.record(message, &record).is_none() || judge.names > INSPECTED_NAMES {
            return (Finding::Unusable, judge.counts);
        }
        if let Some((decision, name)) = judge.hit {
            let Some(owner) = name.or_else(|| NameBuf::read(message, record.owner_at)) else {
                return (Finding::Unusable, judge.counts);
            };
            return (Finding::Hit(Hit { decision, index, owner }), judge.counts);
        }
    }
    (Finding::Clear, judge.counts)
}

struct Judge<'a> {
    asked: &'a Asked<'a>,
    names: usize,
    counts: Counts,
    hit: Option<(Decision, Option<NameBuf>)>,
}

impl Judge<'_> {
    /// `None` if the record is broken.
    fn record(&mut self, message: &[u8], record: &Record) -> Option<()> {
        let rdata = &message[record.rdata_at..record.rdata_at + record.rdata_bytes];
        match record.rtype {
            rtype::A | rtype::AAAA => {
                let address = address(rdata).filter(|ip| ip.is_ipv4() == (record.rtype == rtype::A))?;
                self.address(address, record.rtype);
            }
            rtype::CNAME | rtype::DNAME => {
                let target = NameBuf::read(message, record.rdata_at)?;
                self.name(&target, record.rtype);
            }
            rtype::SVCB | rtype::HTTPS => {
                let service = Service::read(message, record)?;
                // The root stands for the owner, which has been judged.
                if service.target.as_wire() != [0] {
                    self.name(&service.target, record.rtype);
                }
                for hint in service.hints() {
                    self.address(hint, if hint.is_ipv4() { rtype::A } else { rtype::AAAA });
                }
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
        let generation = self.asked.generation;
        let key = Key::from_wire(name.as_wire());
        let decide = |rtype| {
            let asker = &self.asked.asker;
            generation
                .policy
                .decide(&generation.gate, asker, &key, Met::Answer, rtype)
        };
        let mut decision = decide(rtype);
        // What a list's records put in place of the alias's target depends on the type that is wanted at its end.
        if matches!(decision.action, Action::Nodata | Action::Rewrite(_)) {
            let wanted = decide(self.asked.qtype);
            if wanted.acts() {
                decision = wanted;
            }
        }
        self.judge(decision, Some(*name));
    }

    fn address(&mut self, address: IpAddr, rtype: u16) {
        if self.hit.is_none() {
            let generation = self.asked.generation;
            let decision = generation
                .policy
                .decide_address(&generation.gate, &self.asked.asker, address, rtype);
            self.judge(decision, None);
        }
    }

    fn judge(&mut self, decision: Decision, name: Option<NameBuf>) {
        match respond::verdict(&decision, self.asked.transport) {
            Verdict::Pass { counts, .. } => self.counts = self.counts.union(counts),
            Verdict::Act => self.hit = Some((decision, name)),
        }
    }
}
