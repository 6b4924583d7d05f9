//! Answers that are put together: records of rules and of local zones, and what their aliases lead to.
//!
//! In: a rewrite that was decided, or a name of a local zone. Out: the whole response, or a [`Started`] one that waits for
//! the resolver to say where its alias leads.
//! Always: what an alias leads to is inspected like every answer, but never rewritten again, so nothing can loop.
//! Keeps: RFC 1034 §3.6.2 (aliases), RFC 2308 §2.2 (negative answers behind aliases), RFC 6672 §2.2 (names that grow too
//! long).

use super::inspect::{self, Finding, Hit};
use super::{Asked, Begun, Purpose, respond};
use crate::cache::Cache;
use crate::count::{Count, Counts};
use crate::dns::answer::{Message, Section};
use crate::dns::ede::Errors;
use crate::dns::response::{Owner, Writer};
use crate::dns::{name, rcode, rtype};
use crate::limits::MESSAGE_BYTES;
use crate::list::rule::Effect;
use crate::policy::decision::{Action, Decision, Rewrites};

/// A response that ends in an alias.
pub(super) struct Started {
    /// Header, question and answer section so far.
    message: Vec<u8>,
    errors: Errors,
}

/// Answers names that this server answers for itself; `None` for all others.
pub(super) fn local(asked: &Asked<'_>, cache: &Cache, out: &mut [u8]) -> Option<(Begun, Counts)> {
    let zones = &asked.generation.local;
    if !zones.covers(asked.qname()) {
        return None;
    }
    let mut message = Vec::new();
    let answer = zones.answer(asked.qname(), asked.qtype, &mut message)?;
    let (begun, counts) = match answer.follow {
        Some(target) => {
            let started = Started {
                message,
                errors: Errors::NONE,
            };
            follow(asked, cache, started, target.as_wire(), out)
        }
        None => {
            let room = out.get_mut(..message.len())?;
            room.copy_from_slice(&message);
            match Writer::resume(out, message.len(), asked.head, asked.section) {
                Some(mut writer) => {
                    writer.authoritative();
                    respond::finished(writer, asked, &Errors::NONE)
                }
                None => respond::unusable(asked, out),
            }
        }
    };
    Some((begun, counts.with(Count::Local)))
}

/// Answers with the records of `rewrites`. When they concern something in an answer, `answer` is that message and where in
/// it they apply: the aliases up to there are kept and the records stand at their end.
pub(super) fn rewrite(
    asked: &Asked<'_>,
    cache: &Cache,
    decision: &Decision,
    rewrites: &Rewrites,
    answer: Option<(&[u8], &Hit)>,
    out: &mut [u8],
) -> (Begun, Counts) {
    let (errors, ttl) = respond::rewritten(asked, decision);
    let mut writer = asked.start(out, rcode::NOERROR);
    let owner = match answer {
        Some((message, hit)) => {
            copy_aliases(&mut writer, message, hit.index);
            hit.owner.as_wire()
        }
        None => asked.qname(),
    };
    let at = |name| {
        if answer.is_some() {
            Owner::Name(name)
        } else {
            Owner::Qname
        }
    };
    let gate = &asked.generation.gate;
    let mut any = false;
    for rule in rewrites.iter().filter_map(|id| gate.rule(id)) {
        let target = match &rule.effect {
            Effect::Data { rtype, rdata, ttl: own } if *rtype == asked.qtype || asked.qtype == rtype::ANY => {
                writer.record(Section::Answer, at(owner), *rtype, own.unwrap_or(ttl), rdata);
                any = true;
                continue;
            }
            Effect::Cname(target) => target.as_wire().to_vec(),
            Effect::CnameBelow(parent) => match below(owner, parent.as_wire()) {
                Some(target) => target,
                None => {
                    writer.rcode(rcode::YXDOMAIN);
                    return respond::finished(writer, asked, &errors);
                }
            },
            _ => continue,
        };
        writer.record(Section::Answer, at(owner), rtype::CNAME, ttl, &target);
        if matches!(asked.qtype, rtype::CNAME | rtype::ANY) {
            return respond::finished(writer, asked, &errors);
        }
        // A name with an alias has no other records (RFC 1034 §3.6.2).
        let bytes = writer.pause();
        let started = Started {
            message: out[..bytes].to_vec(),
            errors,
        };
        return follow(asked, cache, started, &target, out);
    }
    if !any {
        writer.negative_soa(ttl);
    }
    respond::finished(writer, asked, &errors)
}

/// Goes where the alias of `started` leads.
fn follow(asked: &Asked<'_>, cache: &Cache, started: Started, target: &[u8], out: &mut [u8]) -> (Begun, Counts) {
    if !asked.head.recursion_desired {
        return resume(asked, &started, out, |writer| {
            respond::finished(writer, asked, &started.errors)
        });
    }
    let mut found = vec![0; MESSAGE_BYTES];
    match cache.get(&asked.cache_key(target), asked.now, &mut found) {
        Some(hit) => {
            let (begun, counts) = complete(asked, &started, &found[..hit.len], out);
            (begun, counts.with(Count::Cached))
        }
        None => asked.wait(target, Purpose::Alias(started), out),
    }
}

/// Completes a response with what its alias leads to, a message about that name.
pub(super) fn complete(asked: &Asked<'_>, started: &Started, message: &[u8], out: &mut [u8]) -> (Begun, Counts) {
    let (finding, counts) = inspect::inspect(asked, message);
    let (begun, more) = match finding {
        // What a rule put there is not rewritten again.
        Finding::Hit(hit) if !matches!(hit.decision.action, Action::Rewrite(_)) => {
            respond::plain(asked, &hit.decision, Count::BlockedByAnswer, out)
        }
        Finding::Unusable => respond::unusable(asked, out),
        Finding::Clear | Finding::Hit(_) => resume(asked, started, out, |mut writer| {
            let Some(parsed) = Message::parse(message) else {
                writer.rcode(rcode::SERVFAIL);
                return respond::finished(writer, asked, &started.errors);
            };
            writer.rcode(u16::from(parsed.rcode()));
            for record in parsed
                .records()
                .flatten()
                .filter(|record| record.section != Section::Additional)
            {
                writer.copy(message, &record);
            }
            respond::finished(writer, asked, &started.errors)
        }),
    };
    (begun, counts.union(more))
}

fn resume(
    asked: &Asked<'_>,
    started: &Started,
    out: &mut [u8],
    then: impl FnOnce(Writer<'_>) -> (Begun, Counts),
) -> (Begun, Counts) {
    let bytes = started.message.len();
    if let Some(room) = out.get_mut(..bytes) {
        room.copy_from_slice(&started.message);
    }
    match Writer::resume(out, bytes, asked.head, asked.section) {
        Some(writer) => then(writer),
        None => respond::unusable(asked, out),
    }
}

/// Copies the aliases among the first `last` + 1 records of a message's answer section.
fn copy_aliases(writer: &mut Writer<'_>, message: &[u8], last: usize) {
    let Some(parsed) = Message::parse(message) else { return };
    for record in parsed.records().flatten().take(last + 1) {
        if matches!(record.rtype, rtype::CNAME | rtype::DNAME) {
            writer.copy(message, &record);
        }
    }
}

/// `name` with all of `parent` behind it; `None` past 255 bytes.
fn below(name: &[u8], parent: &[u8]) -> Option<Vec<u8>> {
    let mut joined = name[..name.len() - 1].to_vec();
    joined.extend(parent);
    name::wire_len(&joined).map(|_| joined)
}
