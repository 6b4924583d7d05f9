//! Answers without the keys of Encrypted ClientHello, for clients whose profile blocks ways around the filter: with these a
//! connection would hide its name from every filter behind this one.
//!
//! In: an answer that was inspected and may be seen. Out: the same without `ech`, and without what signs it.
//! Always: such an answer has no AD and says that it was changed; nothing is allocated.
//! Fails closed: a service that cannot be written without is SERVFAIL.
//! Keeps: RFC 9460 §2.2, RFC 9848 §3, RFC 8914 §4.5 (Forged Answer).

use super::{Asked, Begun, respond};
use crate::count::{Count, Counts};
use crate::dns::answer::{Message, NameBuf, Record, Section, Service};
use crate::dns::ech::{SERVICE_BYTES, has_ech, without_ech};
use crate::dns::ede::Errors;
use crate::dns::response::{Owner, Writer};
use crate::dns::rtype;

/// Whether an answer shows this client keys that it must not have.
#[inline]
pub(super) fn is_in(asked: &Asked<'_>, message: &[u8]) -> bool {
    asked.generation.policy.inspects(&asked.asker).ech && shows_keys(message)
}

#[cold]
fn shows_keys(message: &[u8]) -> bool {
    let records = Message::parse(message).map(|parsed| parsed.records().flatten());
    records.into_iter().flatten().any(|record| {
        is_service(record.rtype) && Service::read(message, &record).is_some_and(|service| has_ech(&service))
    })
}

fn is_service(rtype: u16) -> bool {
    matches!(rtype, rtype::SVCB | rtype::HTTPS)
}

/// Responds with the message of `len` bytes at the start of `out`, without the keys. `errors`: what came with it.
pub(super) fn deliver(asked: &Asked<'_>, len: usize, errors: &Errors, out: &mut [u8]) -> (Begun, Counts) {
    // The new response is written behind the old one, then moved.
    let (message, room) = out.split_at_mut(len);
    let parsed = Message::parse(message).filter(|_| room.len() >= Writer::ROOM);
    let Some(parsed) = parsed else {
        return respond::unusable(asked, out);
    };
    let mut writer = asked.start(room, u16::from(parsed.rcode()));
    for record in parsed.records().flatten() {
        if record.section != Section::Additional && copy(&mut writer, message, &record).is_none() {
            return respond::unusable(asked, out);
        }
    }
    let (begun, counts) = respond::finished(writer, asked, &told(asked, errors));
    if let Begun::Respond(written) = begun {
        out.copy_within(len..len + written, 0);
    }
    (begun, counts.with(Count::Rewritten))
}

/// Copies a record, without keys if it is a service, and not at all if it signs services. `None`: it cannot be written so.
pub(super) fn copy(writer: &mut Writer<'_>, message: &[u8], record: &Record) -> Option<()> {
    if is_service(record.rtype) {
        let owner = NameBuf::read(message, record.owner_at)?;
        let mut rdata = [0; SERVICE_BYTES];
        let bytes = without_ech(message, record, &mut rdata)?;
        let owner = Owner::Name(owner.as_wire());
        writer.record_of_class(
            record.section,
            owner,
            record.rtype,
            record.class,
            record.ttl,
            &rdata[..bytes],
        );
        return Some(());
    }
    let covered = message.get(record.rdata_at..record.rdata_at + record.rdata_bytes.min(2))?;
    let signs = record.rtype == rtype::RRSIG
        && covered
            .first_chunk::<2>()
            .is_some_and(|covered| is_service(u16::from_be_bytes(*covered)));
    if !signs {
        writer.copy(message, record);
    }
    Some(())
}

/// What is told with an answer whose keys are gone, beside what came with it.
pub(super) fn told(asked: &Asked<'_>, errors: &Errors) -> Errors {
    let mut told = respond::changed(asked, "encrypted client hello left out: a way around the filter");
    errors.codes().iter().for_each(|&code| told.push(code));
    told
}
