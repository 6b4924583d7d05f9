//! What is answered without looking anything up: queries that are none, clients that may not ask, classes and types that
//! are not about names.
//!
//! Keeps: RFC 1035 §4.1.1, RFC 5936 §2.2.1 (AXFR), RFC 6891 §7, RFC 6895 §3.1 (meta types), RFC 8482 §4.2 (ANY),
//! RFC 9619; RFC 4892 is answered as far as it tells nobody anything.

use super::{Asked, Begun, Peer, Transport, cookies, respond};
use crate::config::settings::Server;
use crate::count::{Count, Counts};
use crate::dns::answer::Section;
use crate::dns::ede::{Errors, Text, code};
use crate::dns::query::{Fault, Head, Query};
use crate::dns::response::{Owner, Writer};
use crate::dns::{class, rcode, rtype};
use crate::now::Now;
use crate::policy::decision::{Cause, Decision};

/// How long clients may keep the answer to ANY, in seconds: nothing in it changes.
const ANY_TTL_S: u32 = 3600;

/// Bytes that are not a query that can be answered: a drop, or what they are owed.
pub(super) fn fault(fault: Fault<'_>, server: &Server, peer: &Peer, now: Now, out: &mut [u8]) -> (Begun, Counts) {
    match fault {
        Fault::Short => (Begun::Drop, Count::DroppedShort.into()),
        Fault::Response => (Begun::Drop, Count::DroppedResponse.into()),
        Fault::Owed {
            mut head,
            question,
            rcode,
            cookie,
        } => {
            // What is wrong besides with a cookie of a wrong length is told already.
            let cookie = cookies::stamp(server, cookie, peer, now, &mut head).unwrap_or_default();
            let (begun, counts) = owed(head, question, rcode, peer.transport, out);
            (begun, counts.union(cookie))
        }
        Fault::NoQuestion { mut head, cookie } if server.cookies => {
            match cookies::stamp(server, Some(cookie), peer, now, &mut head) {
                Some(counts) => cookies::no_question(head, counts, peer, out),
                None => malformed(head, &[], peer.transport, out),
            }
        }
        Fault::NoQuestion { head, .. } => malformed(head, &[], peer.transport, out),
    }
}

/// FORMERR: a query that breaks a rule the parser does not know.
pub(super) fn malformed(head: Head, question: &[u8], transport: Transport, out: &mut [u8]) -> (Begun, Counts) {
    owed(head, question, rcode::FORMERR, transport, out)
}

fn owed(head: Head, question: &[u8], rcode: u16, transport: Transport, out: &mut [u8]) -> (Begun, Counts) {
    let count = match rcode {
        rcode::NOTIMP => Count::Notimp,
        rcode::BADVERS => Count::Badvers,
        _ => Count::Formerr,
    };
    let written = Writer::start(out, head, question, rcode).finish(transport.limit(&head), &Errors::NONE);
    (Begun::Respond(written.bytes), count.into())
}

/// A client that may not ask.
pub(super) fn refused(head: Head, query: &Query<'_>, transport: Transport, out: &mut [u8]) -> (Begun, Counts) {
    let errors = Errors::one(code::PROHIBITED, Text::new("this client may not ask here"));
    let writer = Writer::start(out, head, query.question, rcode::REFUSED);
    (
        Begun::Respond(writer.finish(transport.limit(&head), &errors).bytes),
        Count::Refused.into(),
    )
}

/// Questions that are not about names of the Internet. `None`: it is an ordinary question.
pub(super) fn answer(asked: &Asked<'_>, qclass: u16, out: &mut [u8]) -> Option<(Begun, Counts)> {
    match qclass {
        class::IN => {}
        class::CH => return Some(chaos(asked, out)),
        // No zone of another class is reachable from here.
        _ => return Some(respond::empty(asked, out, rcode::REFUSED, Count::Refused)),
    }
    match asked.qtype {
        // Zone transfers are for those who own the zone.
        rtype::AXFR | rtype::IXFR => Some(respond::empty(asked, out, rcode::REFUSED, Count::Refused)),
        // Obsolete since RFC 1035.
        rtype::MAILA | rtype::MAILB => Some(respond::empty(asked, out, rcode::NOTIMP, Count::Notimp)),
        rtype::ANY => None,
        // OPT and the range of meta types: they stand in messages, not in zones.
        0 | rtype::OPT | 128..=255 => Some(respond::empty(asked, out, rcode::FORMERR, Count::Formerr)),
        _ => None,
    }
}

/// What a question about an ordinary name gets that no policy has touched, and that the resolver is not asked for.
pub(super) fn not_looked_up(asked: &Asked<'_>, out: &mut [u8]) -> Option<(Begun, Counts)> {
    if !asked.head.recursion_desired {
        // Whether a name is in the cache is nobody's business but of those who asked for it.
        let errors = Errors::one(code::NOT_AUTHORITATIVE, Text::new("recursion was not desired"));
        let (begun, counts) = respond::finished(asked.start(out, rcode::REFUSED), asked, &errors);
        return Some((begun, counts.with(Count::Refused)));
    }
    if asked.qtype == rtype::ANY {
        let mut writer = asked.start(out, rcode::NOERROR);
        writer.record(
            Section::Answer,
            Owner::Qname,
            rtype::HINFO,
            ANY_TTL_S,
            b"\x07RFC8482\x00",
        );
        return Some(respond::finished(writer, asked, &Errors::NONE));
    }
    None
}

/// What a client gets whose profile has a list that was never fetched: nobody knows yet what it may not see. Its own allowed
/// names are let through.
pub(super) fn lists_missing(asked: &Asked<'_>, decision: &Decision, out: &mut [u8]) -> Option<(Begun, Counts)> {
    let missing = asked
        .asker
        .profile
        .map_or(&[][..], |profile| asked.generation.policy.missing(profile));
    let list = missing.first().filter(|_| {
        !matches!(
            decision.cause,
            Cause::OwnAllow(_) | Cause::PersonAllow(_) | Cause::Timed(_)
        )
    })?;
    let mut text = Text::new("not fetched yet: ");
    text.push(list);
    let errors = Errors::one(code::NOT_READY, text);
    let (begun, counts) = respond::finished(asked.start(out, rcode::SERVFAIL), asked, &errors);
    Some((begun, counts.with(Count::NotReady)))
}

/// Class CH: the program's name, and nothing about its version or its machine, which would help only to choose an attack.
fn chaos(asked: &Asked<'_>, out: &mut [u8]) -> (Begun, Counts) {
    const VERSION: [&[u8]; 2] = [b"\x07version\x04bind\0", b"\x07version\x06server\0"];
    if !VERSION.iter().any(|name| asked.qname().eq_ignore_ascii_case(name)) {
        return respond::empty(asked, out, rcode::REFUSED, Count::Refused);
    }
    let mut writer = asked.start(out, rcode::NOERROR);
    writer.authoritative();
    if matches!(asked.qtype, rtype::TXT | rtype::ANY) {
        writer.record_of_class(
            Section::Answer,
            Owner::Qname,
            rtype::TXT,
            class::CH,
            0,
            b"\x09stairgate",
        );
    }
    let (begun, counts) = respond::finished(writer, asked, &Errors::NONE);
    (begun, counts.with(Count::Local))
}
