//! Who serves the zones on the way to the names of an answer, for clients whose rules ask for it.
//!
//! In: an answer that cannot be judged before that is known. Out: a query that waits for the resolver to say it, and then goes on
//! where it was.
//! Always: clients without such rules never come here. It is a question of its own, which no client can ask
//! ([`rtype::NAMESERVERS`]), kept in the cache under its own type: what it says is the same for everybody, what comes of it is not.
//! Fails closed: where the resolver cannot say it, nobody knows what the client may not see, and the answer is SERVFAIL.

use super::{Asked, Begun, Purpose, alias, deliver, respond};
use crate::cache::{Cache, CacheKey};
use crate::count::Counts;
use crate::dns::ede::Errors;
use crate::dns::name::Name;
use crate::dns::rtype;
use crate::now::Now;
use crate::resolver::{Answer, Failure, Question};

/// What is known about servers, as messages of [`dns::nameservers`](crate::dns::nameservers).
pub(super) struct Known<'a> {
    pub cache: &'a Cache,
    /// What was learned for this very query, whether or not the cache keeps it.
    pub learned: &'a [Learned],
    /// Where one message has room.
    pub room: &'a mut [u8],
}

/// What the resolver said about one name.
#[derive(Clone)]
pub(super) struct Learned {
    name: Name,
    message: Vec<u8>,
}

impl Known<'_> {
    /// The message about `name`, in wire form.
    pub(super) fn get(&mut self, name: &[u8], now: Now) -> Option<&[u8]> {
        let mut learned = self.learned.iter();
        if let Some(learned) = learned.find(|learned| learned.name.as_wire().eq_ignore_ascii_case(name)) {
            return Some(&learned.message);
        }
        let key = CacheKey {
            qname: name,
            qtype: rtype::NAMESERVERS,
            dnssec_ok: false,
            checking_disabled: false,
        };
        let hit = self.cache.get(&key, now, self.room)?;
        self.room.get(..hit.len)
    }
}

/// A query that waits to be told who serves the zones on the way to a name.
pub(super) struct Waits {
    learned: Vec<Learned>,
    then: Then,
}

/// Where such a query goes on.
pub(super) enum Then {
    /// With an answer that is to be inspected.
    Deliver { message: Vec<u8>, errors: Errors },
    /// With what completes an answer whose alias leads to it.
    Complete {
        started: alias::Started,
        message: Vec<u8>,
        errors: Errors,
    },
}

/// Has the resolver asked about `name`, in wire form.
pub(super) fn wait(
    asked: &Asked<'_>,
    cache: &Cache,
    name: &[u8],
    learned: &[Learned],
    then: Then,
    out: &mut [u8],
) -> (Begun, Counts) {
    let Some(name) = Name::from_wire(name) else {
        return respond::unusable(asked, out);
    };
    let question = Question {
        name,
        qtype: rtype::NAMESERVERS,
        dnssec_ok: false,
        checking_disabled: false,
    };
    let learned = learned.to_vec();
    asked.pending(cache, question, Purpose::Servers(Waits { learned, then }))
}

/// Goes on once `answer` says who serves the zones on the way to `name`.
pub(super) fn go_on(
    asked: &Asked<'_>,
    cache: &Cache,
    waits: &Waits,
    (name, answer): (&Name, &Answer),
    out: &mut [u8],
) -> (Begun, Counts) {
    let mut learned = waits.learned.clone();
    learned.push(Learned {
        name: name.clone(),
        message: answer.message.clone(),
    });
    match &waits.then {
        Then::Deliver { message, errors } => match out.get_mut(..message.len()) {
            Some(room) => {
                room.copy_from_slice(message);
                deliver(asked, cache, message.len(), false, errors, &learned, out)
            }
            None => respond::unusable(asked, out),
        },
        Then::Complete {
            started,
            message,
            errors,
        } => alias::complete(asked, cache, started, message, errors, &learned, out),
    }
}

/// SERVFAIL: the resolver cannot say it.
pub(super) fn failed(asked: &Asked<'_>, failure: &Failure, out: &mut [u8]) -> (Begun, Counts) {
    let mut errors = failure.ede();
    if let Some((_, text)) = errors.first_mut()
        && text.is_empty()
    {
        "who serves the zones of the name could not be found out".clone_into(text);
    }
    respond::failed_with(asked, &errors, out)
}
