//! Writes what was decided: sinkhole answers, error responses, and what is counted with each.
//!
//! In: a decision, the shape of the client's answers. Out: a response.
//! Always: a sinkhole answer has neither AA nor AD, and a TTL so short that a parent's "allow" works at once.
//! Keeps: RFC 2308 §3 (SOA of negative answers), RFC 8914 §4 (EDE), draft-ietf-dnsop-structured-dns-error-22 §5.2.

use super::inspect::Hit;
use super::{Asked, Begun, Transport, alias};
use crate::cache::Cache;
use crate::config::settings::{AnswerKind, ImposedBy};
use crate::count::{Count, Counts};
use crate::dns::answer::Section;
use crate::dns::ede::{Errors, Text, code};
use crate::dns::response::{Owner, Writer};
use crate::dns::structured::Structured;
use crate::dns::{rcode, rtype};
use crate::list::rule::Effect;
use crate::policy::decision::{Action, Cause, Decision};
use crate::policy::{Shape, look_alikes};
use crate::resolver::Failure;
use std::net::IpAddr;

// What a failure may tell (`Failure::ede`) fits.
const _: () = assert!(Errors::MOST >= crate::limits::EDE_OPTIONS + 3);

/// Whether a decision changes the answer.
pub(super) enum Verdict {
    /// No. `whole`: the answer need not be inspected.
    Pass { whole: bool, counts: Counts },
    /// Yes.
    Act,
}

/// What a decision means for a query that came by `transport`.
pub(super) fn verdict(decision: &Decision, transport: Transport) -> Verdict {
    let whole = decision.action == Action::PassWhole;
    match decision.action {
        Action::Pass | Action::PassWhole => {
            let counts = match decision.cause {
                Cause::OwnAllow(_) | Cause::PersonAllow(_) | Cause::Timed(_) | Cause::Rule(_) => Count::Allowed.into(),
                _ => Counts::NONE,
            };
            Verdict::Pass { whole, counts }
        }
        _ if decision.observed => Verdict::Pass {
            whole,
            counts: Count::Observed.into(),
        },
        // The rule wants a stream, and here it is.
        Action::TcpOnly if transport != Transport::Udp => Verdict::Pass {
            whole,
            counts: Counts::NONE,
        },
        _ => Verdict::Act,
    }
}

/// Carries out a decision about the QNAME that changes the answer.
pub(super) fn act(asked: &Asked<'_>, cache: &Cache, decision: &Decision, out: &mut [u8]) -> (Begun, Counts) {
    match decision.action {
        Action::Rewrite(_) | Action::Alias(_) => {
            let (begun, counts) = alias::rewrite(asked, cache, decision, None, out);
            (begun, counts.with(Count::Rewritten))
        }
        _ => plain(asked, decision, asked.qname(), Count::Blocked, out),
    }
}

/// Carries out a decision about something in the answer, a message of `len` bytes at the start of `out`.
pub(super) fn act_on_answer(
    asked: &Asked<'_>,
    cache: &Cache,
    len: usize,
    hit: &Hit,
    out: &mut [u8],
) -> (Begun, Counts) {
    match hit.decision.action {
        Action::Rewrite(_) | Action::Alias(_) => {
            let message = out[..len].to_vec();
            let (begun, counts) = alias::rewrite(asked, cache, &hit.decision, Some((&message, hit)), out);
            (begun, counts.with(Count::Rewritten))
        }
        _ => plain(asked, &hit.decision, hit.owner.as_wire(), Count::BlockedByAnswer, out),
    }
}

/// Every action that writes no records of rules. `name`: the one that was judged, in wire form.
pub(super) fn plain(
    asked: &Asked<'_>,
    decision: &Decision,
    name: &[u8],
    blocked: Count,
    out: &mut [u8],
) -> (Begun, Counts) {
    let mut shape = asked.generation.policy.answer(&asked.asker, decision);
    if let Cause::LookAlike(_, of) = decision.cause {
        let mut text = Text::new("looks like ");
        text.push(&look_alikes::text_of(name, of).unwrap_or_default());
        text.push(": ");
        text.push(shape.text.as_str());
        shape.text = text;
    }
    let imposed = imposed(shape.imposed_by);
    let reason = || Errors::policy(imposed, shape.text, shape.sub_error);
    let ttl = shape.ttl_s;
    let negative = |out: &mut [u8], rcode| {
        let mut writer = asked.start(out, rcode);
        writer.negative_soa(ttl);
        finished(writer, asked, &reason())
    };
    let (begun, counts) = match decision.action {
        Action::Drop => return (Begun::Drop, Count::DroppedByRule.into()),
        Action::TcpOnly => {
            let mut writer = asked.start(out, rcode::NOERROR);
            writer.truncate();
            finished(writer, asked, &Errors::NONE)
        }
        Action::Nodata if list_data(asked, decision) => {
            let mut writer = asked.start(out, rcode::NOERROR);
            writer.negative_soa(ttl);
            finished(writer, asked, &forged(asked, &shape))
        }
        Action::Nodata => negative(out, rcode::NOERROR),
        Action::Rcode(code) if u16::from(code) == rcode::NXDOMAIN => negative(out, rcode::NXDOMAIN),
        Action::Rcode(code) => finished(asked.start(out, u16::from(code)), asked, &reason()),
        _ => match shape.kind {
            AnswerKind::Null => match asked.qtype {
                rtype::A => addresses(asked, &[IpAddr::from([0; 4])], ttl, &reason(), out),
                rtype::AAAA => addresses(asked, &[IpAddr::from([0; 16])], ttl, &reason(), out),
                _ => negative(out, rcode::NOERROR),
            },
            AnswerKind::Page => addresses(asked, shape.addresses, ttl, &forged(asked, &shape), out),
            AnswerKind::Nxdomain => negative(out, rcode::NXDOMAIN),
            AnswerKind::Nodata => negative(out, rcode::NOERROR),
            AnswerKind::Refused => finished(asked.start(out, rcode::REFUSED), asked, &reason()),
        },
    };
    (begun, counts.with(blocked))
}

/// The addresses of the type asked for, or NODATA.
fn addresses(asked: &Asked<'_>, addresses: &[IpAddr], ttl: u32, errors: &Errors, out: &mut [u8]) -> (Begun, Counts) {
    let mut writer = asked.start(out, rcode::NOERROR);
    let mut none = true;
    for address in addresses {
        let (rtype, rdata) = match address {
            IpAddr::V4(v4) => (rtype::A, &v4.octets()[..]),
            IpAddr::V6(v6) => (rtype::AAAA, &v6.octets()[..]),
        };
        if rtype == asked.qtype {
            writer.record(Section::Answer, Owner::Qname, rtype, ttl, rdata);
            none = false;
        }
    }
    if none {
        writer.negative_soa(ttl);
    }
    finished(writer, asked, errors)
}

/// Whether a decision rests on records that a list puts in place of the answer, even if none has the type asked for.
fn list_data(asked: &Asked<'_>, decision: &Decision) -> bool {
    let Cause::Rule(rule) = decision.cause else {
        return false;
    };
    let rule = asked.generation.gate.rule(rule);
    rule.is_some_and(|rule| matches!(rule.effect, Effect::Data { .. }))
}

/// Who wants it so, as an INFO-CODE.
fn imposed(by: ImposedBy) -> u16 {
    match by {
        ImposedBy::Household => code::FILTERED,
        ImposedBy::Operator => code::BLOCKED,
        ImposedBy::Law => code::CENSORED,
    }
}

/// The errors of an answer that someone else than the zone's owner wrote. A client that reads structured errors is not told that it is
/// forged, only why (draft-ietf-dnsop-structured-dns-error-22 §5.2).
fn forged(asked: &Asked<'_>, shape: &Shape<'_>) -> Errors {
    let imposed = imposed(shape.imposed_by);
    if asked.structured_errors() {
        return Errors::policy(imposed, shape.text, shape.sub_error);
    }
    let mut errors = Errors::one(code::FORGED_ANSWER, shape.text);
    errors.push(imposed);
    errors
}

/// The errors of an answer that a profile changed on the way, with a sentence that says what.
pub(super) fn changed(asked: &Asked<'_>, sentence: &str) -> Errors {
    let mut shape = asked.generation.policy.answer(&asked.asker, &Decision::PASS);
    shape.text = Text::new(sentence);
    forged(asked, &shape)
}

/// The errors of records that a list put in place of the answer.
pub(super) fn rewritten(asked: &Asked<'_>, decision: &Decision) -> (Errors, u32) {
    let shape = asked.generation.policy.answer(&asked.asker, decision);
    (forged(asked, &shape), shape.ttl_s)
}

/// Extended DNS Errors that came with an answer. One text is enough for a person.
pub(super) fn passed_on(errors: &[(u16, String)]) -> Errors {
    let Some(((first, text), rest)) = errors.split_first() else {
        return Errors::NONE;
    };
    let mut passed = Errors::one(*first, Text::new(text));
    rest.iter().for_each(|(code, _)| passed.push(*code));
    passed
}

/// Of what a resolver says beside an answer, what is kept with it in the cache: the first INFO-CODE, or 0.
pub(super) fn kept(errors: &[(u16, String)]) -> u16 {
    errors.first().map_or(0, |(code, _)| *code)
}

/// What is told beside an answer of the cache.
#[inline]
pub(super) fn told(info_code: u8) -> Errors {
    match info_code {
        0 => Errors::NONE,
        code => Errors::one(code.into(), Text::EMPTY),
    }
}

/// SERVFAIL: the resolver failed.
pub(super) fn failed(asked: &Asked<'_>, failure: &Failure, out: &mut [u8]) -> (Begun, Counts) {
    failed_with(asked, &failure.ede(), out)
}

/// SERVFAIL with these errors.
pub(super) fn failed_with(asked: &Asked<'_>, errors: &[(u16, String)], out: &mut [u8]) -> (Begun, Counts) {
    let (begun, counts) = finished(asked.start(out, rcode::SERVFAIL), asked, &passed_on(errors));
    (begun, counts.with(Count::Failed))
}

/// SERVFAIL: there is an answer, but not one that can be checked or taken over.
pub(super) fn unusable(asked: &Asked<'_>, out: &mut [u8]) -> (Begun, Counts) {
    let errors = Errors::one(code::OTHER, Text::new("the answer could not be checked"));
    let (begun, counts) = finished(asked.start(out, rcode::SERVFAIL), asked, &errors);
    (begun, counts.with(Count::Failed))
}

/// A response without records.
pub(super) fn empty(asked: &Asked<'_>, out: &mut [u8], rcode: u16, count: Count) -> (Begun, Counts) {
    let (begun, counts) = finished(asked.start(out, rcode), asked, &Errors::NONE);
    (begun, counts.with(count))
}

/// The response that `writer` holds.
pub(super) fn finished(mut writer: Writer<'_>, asked: &Asked<'_>, errors: &Errors) -> (Begun, Counts) {
    // What is decided otherwise from a certain second on is not kept longer.
    if asked.asker.until_s != u64::MAX {
        let left_s = asked.asker.until_s.saturating_sub(asked.asker.now_s);
        writer.bound_ttls(u32::try_from(left_s).unwrap_or(u32::MAX));
    }
    let written = match errors.structured() {
        Some(sub_error) if asked.structured_errors() => {
            let server = &asked.generation.settings.server;
            let structured = Structured {
                contact: &server.contact,
                justification: errors.text(),
                sub_error,
                organization: server.organization.as_deref(),
            };
            writer.finish_structured(asked.limit(), errors, Some(&structured))
        }
        _ => writer.finish(asked.limit(), errors),
    };
    let counts = match written.truncated {
        true => Count::Truncated.into(),
        false => Counts::NONE,
    };
    (Begun::Respond(written.bytes), counts)
}
