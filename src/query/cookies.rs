//! Cookies of queries, and the responses of those that get less because their network asks too much.
//!
//! In: the COOKIE option of a query, or the query itself. Out: the cookie of the response, what was proven as a count; a
//! response without records.
//! Always: a query with a client cookie gets a server cookie, whatever else it gets; what a cookie proves changes no answer.
//! Keeps: RFC 7873 §5.2 (server side), §5.4 (no question).

use super::{Begun, Peer};
use crate::config::settings::Server;
use crate::count::{Count, Counts};
use crate::dns::cookie::Proof;
use crate::dns::ede::Errors;
use crate::dns::query::{Fault, Head, Query};
use crate::dns::rcode;
use crate::dns::response::Writer;
use crate::generation::Generation;
use crate::now::Now;

/// What a query gets in the place of its response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Short {
    /// No records and TC: who is there comes back over TCP.
    Truncated,
    /// BADCOOKIE and a server cookie: who is there comes back with it (RFC 7873 §5.2.3, §5.2.4). For queries with a cookie only.
    BadCookie,
}

/// Gives the response its cookie if the query had one; the count says what that was worth. `None`: no cookie is so long or so short.
#[inline]
pub(super) fn stamp(server: &Server, cookie: Option<&[u8]>, peer: &Peer, now: Now, head: &mut Head) -> Option<Counts> {
    match cookie {
        Some(cookie) if server.cookies => {
            let (proof, own) = server
                .cookie_secret
                .judge(cookie, peer.address.ip(), (now.unix_ms / 1000) as u32)?;
            if let Some(edns) = &mut head.edns {
                edns.cookie = Some(own);
            }
            Some(count(proof).into())
        }
        _ => Some(Counts::NONE),
    }
}

fn count(proof: Proof) -> Count {
    match proof {
        Proof::New => Count::CookiesNew,
        Proof::Valid => Count::CookiesValid,
        Proof::Invalid => Count::CookiesInvalid,
    }
}

/// The response to a query that asks for nothing but a cookie, and whose own was worth what the counts say (RFC 7873 §5.4).
pub(super) fn no_question(head: Head, cookie: Counts, peer: &Peer, out: &mut [u8]) -> (Begun, Counts) {
    let rcode = match cookie.contains(Count::CookiesInvalid) {
        true => rcode::BADCOOKIE,
        false => rcode::NOERROR,
    };
    let writer = Writer::start(out, head, &[], rcode);
    let written = writer.finish(peer.transport.limit(&head), &Errors::NONE);
    (Begun::Respond(written.bytes), cookie)
}

/// Responds with less than [`begin`](super::begin) has or would have: without asking anybody, and without records. The arguments are
/// those of that call; its counts of the query stay valid.
pub fn shorten(
    generation: &Generation,
    bytes: &[u8],
    peer: &Peer,
    now: Now,
    short: Short,
    out: &mut [u8],
) -> (Begun, Counts) {
    let (mut head, question, cookie) = match Query::parse(bytes) {
        Ok(query) => (query.head, query.question, query.cookie),
        Err(Fault::Owed {
            head, question, cookie, ..
        }) => (head, question, cookie),
        Err(Fault::NoQuestion { head, cookie }) => (head, &[][..], Some(cookie)),
        // Neither gets a response in the first place.
        Err(Fault::Short) => return (Begun::Drop, Count::DroppedShort.into()),
        Err(Fault::Response) => return (Begun::Drop, Count::DroppedResponse.into()),
    };
    // A cookie of a wrong length has got none in return before either.
    let _ = stamp(&generation.settings.server, cookie, peer, now, &mut head);
    let (rcode, count) = match short {
        Short::Truncated => (rcode::NOERROR, Count::LimitedTruncated),
        Short::BadCookie => (rcode::BADCOOKIE, Count::LimitedBadcookie),
    };
    let mut writer = Writer::start(out, head, question, rcode);
    if short == Short::Truncated {
        writer.truncate();
    }
    let written = writer.finish(peer.transport.limit(&head), &Errors::NONE);
    (Begun::Respond(written.bytes), count.into())
}
