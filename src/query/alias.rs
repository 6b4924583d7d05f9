//! Answers that are put together: records of rules and of local zones, and what their aliases lead to.
//!
//! In: a rewrite that was decided, or a name of a local zone. Out: the whole response, or a [`Started`] one that waits for
//! the resolver to say where its alias leads.
//! Always: a name that an alias leads to is judged like every name met in an answer, and so is what the resolver says about it,
//! whoever put the alias there. A list may rewrite what another's alias leads to, at most [`REWRITES_IN_A_ROW`] times.
//! Fails closed: a longer row, which is a loop or nobody's wish, is SERVFAIL.
//! Keeps: RFC 1034 §3.6.2 (aliases), RFC 2308 §2.2 (negative answers behind aliases), RFC 6672 §2.2 (names that grow too
//! long); the response policy zones' rule that an answer is rewritten once: the zone whose alias it is, and those behind it,
//! have had their say.

use super::inspect::{self, Finding, Hit};
use super::servers::{self, Known, Learned, Then};
use super::{Asked, Begun, Purpose, add, ech, renew, respond, special};
use crate::cache::Cache;
use crate::count::{Count, Counts};
use crate::dns::answer::{Message, Section};
use crate::dns::ede::Errors;
use crate::dns::key::Key;
use crate::dns::response::{Owner, Writer};
use crate::dns::{name, rcode, rtype};
use crate::limits::{CACHED_MESSAGE_BYTES, REWRITES_IN_A_ROW};
use crate::list::rule::Effect;
use crate::policy::Met;
use crate::policy::decision::{Action, Decision, Rewrites};

/// A response that ends in an alias.
#[derive(Clone)]
pub(super) struct Started {
    /// Header, question and answer section so far.
    message: Vec<u8>,
    errors: Errors,
    /// An own allow of the QNAME covers the whole answer.
    whole: bool,
    /// How often lists have rewritten it.
    rewrites: usize,
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
            // Local zones come before policy, but not what others say about the names they point to: there it counts
            // what was let through with the QNAME.
            let policy = &asked.generation.policy;
            let key = Key::from_wire(asked.qname());
            let decision = policy.decide(&asked.generation.gate, &asked.asker, &key, Met::Question, asked.qtype);
            let mut asked = *asked;
            if !decision.acts() {
                asked.asker = asked.asker.after(&decision);
            }
            let started = Started {
                message,
                errors: Errors::NONE,
                whole: decision.action == Action::PassWhole,
                rewrites: 0,
            };
            follow(&asked, cache, started, target.as_wire().to_vec(), out)
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

/// Answers with the records that `decision` puts in place. When they concern something in an answer, `answer` is that message and where in
/// it they apply: the aliases up to there are kept and the records stand at their end.
pub(super) fn rewrite(
    asked: &Asked<'_>,
    cache: &Cache,
    decision: &Decision,
    answer: Option<(&[u8], &Hit)>,
    out: &mut [u8],
) -> (Begun, Counts) {
    let (errors, ttl) = respond::rewritten(asked, decision);
    let mut writer = asked.start(out, rcode::NOERROR);
    let mut asked = *asked;
    let end = match answer {
        Some((message, hit)) => {
            asked.asker = hit.asker;
            copy_aliases(&mut writer, message, hit.before);
            let owner = hit.owner.as_wire();
            records(&asked, &mut writer, &decision.action, Owner::Name(owner), owner, ttl)
        }
        None => records(&asked, &mut writer, &decision.action, Owner::Qname, asked.qname(), ttl),
    };
    let End::Alias(target) = end else {
        return respond::finished(writer, &asked, &errors);
    };
    let bytes = writer.pause();
    let started = Started {
        message: out[..bytes].to_vec(),
        errors,
        whole: false,
        rewrites: 1,
    };
    follow(&asked, cache, started, target, out)
}

/// Where records lead.
enum End {
    /// Nowhere: the answer is whole.
    Here,
    /// To this name, in wire form.
    Alias(Vec<u8>),
}

/// Writes the records that `action` puts in place for `name`, which `owner` writes.
fn records(
    asked: &Asked<'_>,
    writer: &mut Writer<'_>,
    action: &Action,
    owner: Owner<'_>,
    name: &[u8],
    ttl: u32,
) -> End {
    // A name with an alias has no other records (RFC 1034 §3.6.2).
    let alias = |writer: &mut Writer<'_>, target: Vec<u8>| {
        writer.record(Section::Answer, owner, rtype::CNAME, ttl, &target);
        match asked.qtype {
            rtype::CNAME | rtype::ANY => End::Here,
            _ => End::Alias(target),
        }
    };
    let rewrites = match action {
        Action::Rewrite(rewrites) => *rewrites,
        Action::Alias(number) => match asked.generation.policy.safe_host(*number) {
            Some(target) => return alias(writer, target.as_wire().to_vec()),
            None => Rewrites::default(),
        },
        _ => Rewrites::default(),
    };
    let gate = &asked.generation.gate;
    let mut any = false;
    for rule in rewrites.iter().filter_map(|id| gate.rule(id)) {
        let target = match &rule.effect {
            Effect::Data { rtype, rdata, ttl: own } if *rtype == asked.qtype || asked.qtype == rtype::ANY => {
                writer.record(Section::Answer, owner, *rtype, own.unwrap_or(ttl), rdata);
                any = true;
                continue;
            }
            Effect::Cname(target) => target.as_wire().to_vec(),
            Effect::CnameBelow(parent) => match below(name, parent.as_wire()) {
                Some(target) => target,
                None => {
                    writer.rcode(rcode::YXDOMAIN);
                    return End::Here;
                }
            },
            _ => continue,
        };
        return alias(writer, target);
    }
    if !any {
        writer.negative_soa(ttl);
    }
    End::Here
}

/// Goes where the alias of `started` leads, once that name has been judged for this client.
fn follow(
    asked: &Asked<'_>,
    cache: &Cache,
    mut started: Started,
    mut target: Vec<u8>,
    out: &mut [u8],
) -> (Begun, Counts) {
    let mut asked = *asked;
    let mut seen = Counts::NONE;
    while !started.whole {
        let Some(judged) = inspect::alias(&asked, &target) else {
            return respond::unusable(&asked, out);
        };
        seen = seen.union(judged.counts);
        asked.asker = judged.asker;
        match judged.decision.action {
            _ if judged.passes => {
                if let Some(done) = special::lists_missing(&asked, &judged.decision, out) {
                    return add(done, seen);
                }
                break;
            }
            Action::Rewrite(_) | Action::Alias(_) => {
                match rewritten(&asked, &mut started, &judged.decision, None, &target, out) {
                    Ok(next) => target = next,
                    Err(done) => return add(done, seen.with(Count::Rewritten)),
                }
            }
            _ => {
                return add(
                    respond::plain(&asked, &judged.decision, &target, Count::BlockedByAnswer, out),
                    seen,
                );
            }
        }
    }
    let done = if !asked.head.recursion_desired {
        resume(&asked, &started, out, |writer| {
            respond::finished(writer, &asked, &started.errors)
        })
    } else {
        let mut found = vec![0; CACHED_MESSAGE_BYTES];
        match cache.get(&asked.cache_key(&target), asked.now, &mut found) {
            Some(hit) => {
                let done = complete(&asked, cache, &started, &found[..hit.len], &Errors::NONE, &[], out);
                add(
                    renew::when_due(&asked, cache, &target, &hit, done),
                    Count::Cached.into(),
                )
            }
            None => asked.wait(cache, &target, Purpose::Alias(started), out),
        }
    };
    add(done, seen)
}

/// Goes on with `started` by the records that `decision` puts at `owner`, behind the aliases among so many records of `answer`. Returns
/// the name that they lead to, or the response if there is none.
fn rewritten(
    asked: &Asked<'_>,
    started: &mut Started,
    decision: &Decision,
    answer: Option<(&[u8], usize)>,
    owner: &[u8],
    out: &mut [u8],
) -> Result<Vec<u8>, (Begun, Counts)> {
    started.rewrites += 1;
    if started.rewrites > REWRITES_IN_A_ROW {
        return Err(respond::unusable(asked, out));
    }
    let (errors, ttl) = respond::rewritten(asked, decision);
    started.errors = errors;
    let Some(mut writer) = take_up(asked, started, out) else {
        return Err(respond::unusable(asked, out));
    };
    if let Some((message, before)) = answer {
        copy_aliases(&mut writer, message, before);
    }
    match records(asked, &mut writer, &decision.action, Owner::Name(owner), owner, ttl) {
        End::Here => Err(respond::finished(writer, asked, &errors)),
        End::Alias(target) => {
            let bytes = writer.pause();
            started.message = out[..bytes].to_vec();
            Ok(target)
        }
    }
}

/// Completes a response with what its alias leads to, a message about that name that came with `errors`. `learned`: as for
/// [`deliver`](super::deliver).
pub(super) fn complete(
    asked: &Asked<'_>,
    cache: &Cache,
    started: &Started,
    message: &[u8],
    errors: &Errors,
    learned: &[Learned],
    out: &mut [u8],
) -> (Begun, Counts) {
    let (finding, counts) = match started.whole {
        true => (Finding::Clear, Counts::NONE),
        false => {
            let room = &mut *out;
            inspect::inspect(asked, message, &mut Known { cache, learned, room })
        }
    };
    let done = match finding {
        Finding::Hit(hit) => match hit.decision.action {
            Action::Rewrite(_) | Action::Alias(_) => {
                let asked = Asked {
                    asker: hit.asker,
                    ..*asked
                };
                let mut started = started.clone();
                let answer = Some((message, hit.before));
                let owner = hit.owner.as_wire();
                let done = match rewritten(&asked, &mut started, &hit.decision, answer, owner, out) {
                    Ok(target) => follow(&asked, cache, started, target, out),
                    Err(done) => done,
                };
                add(done, Count::Rewritten.into())
            }
            _ => respond::plain(asked, &hit.decision, hit.owner.as_wire(), Count::BlockedByAnswer, out),
        },
        Finding::Unknown(name) => {
            let then = Then::Complete {
                started: started.clone(),
                message: message.to_vec(),
                errors: *errors,
            };
            servers::wait(asked, cache, name.as_wire(), learned, then, out)
        }
        Finding::Unusable => respond::unusable(asked, out),
        Finding::Clear => resume(asked, started, out, |mut writer| {
            // Who wrote the alias comes first, then what the resolver had to say.
            let mut all = if started.errors.codes().is_empty() {
                *errors
            } else {
                started.errors
            };
            errors.codes().iter().for_each(|&code| all.push(code));
            let without_ech = !started.whole && ech::is_in(asked, message);
            // Who wrote the alias has said more.
            if without_ech && started.errors.codes().is_empty() {
                all = ech::told(asked, &all);
            }
            let errors = &all;
            let Some(parsed) = Message::parse(message) else {
                writer.rcode(rcode::SERVFAIL);
                return respond::finished(writer, asked, errors);
            };
            writer.rcode(u16::from(parsed.rcode()));
            for record in parsed
                .records()
                .flatten()
                .filter(|record| record.section != Section::Additional)
            {
                match without_ech {
                    true if ech::copy(&mut writer, message, &record).is_none() => writer.truncate(),
                    true => {}
                    false => writer.copy(message, &record),
                }
            }
            respond::finished(writer, asked, errors)
        }),
    };
    add(done, counts)
}

fn resume(
    asked: &Asked<'_>,
    started: &Started,
    out: &mut [u8],
    then: impl FnOnce(Writer<'_>) -> (Begun, Counts),
) -> (Begun, Counts) {
    match take_up(asked, started, out) {
        Some(writer) => then(writer),
        None => respond::unusable(asked, out),
    }
}

/// The writer of a response that was started.
fn take_up<'o>(asked: &Asked<'_>, started: &Started, out: &'o mut [u8]) -> Option<Writer<'o>> {
    let bytes = started.message.len();
    out.get_mut(..bytes)?.copy_from_slice(&started.message);
    Writer::resume(out, bytes, asked.head, asked.section)
}

/// Copies the aliases among the first `before` records of a message's answer section.
fn copy_aliases(writer: &mut Writer<'_>, message: &[u8], before: usize) {
    let Some(parsed) = Message::parse(message) else { return };
    for record in parsed.records().flatten().take(before) {
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
