//! What is known of a cached answer from those who asked before: what the lists hold for the names and addresses in it.
//!
//! In: a hit of the cache, who asks. Out: whether the answer can go out as it is, without a decision about the question and without an
//! inspection, because both would find nothing.
//! Always: what is noted is true whoever asks, for one generation: that no list in force for anybody has anything about it, or one rule set,
//! or that it has to be looked into each time. Whether that set means something for a profile is asked each time.
//! Fails closed: what is not known, or does not fit into a note, is decided and inspected as if nothing were noted.

use super::Asked;
use crate::cache::{Cache, Hit, Note};
use crate::dns::answer::{Message, NameBuf, Section, Service, address};
use crate::dns::key::Key;
use crate::dns::{class, rtype};
use crate::generation::Generation;
use crate::limits::INSPECTED_NAMES;
use crate::list::set::RuleSetId;
use crate::policy::Footprint;

/// Bits of a note that tell the generation.
const TAG_BITS: u32 = 8;
const WHAT_BITS: u32 = Note::BITS - TAG_BITS;
/// How many generations there may be between two times that all notes are forgotten: less than half of those that tags tell apart, so
/// that a query which began before such a time does no harm with what it notes behind it.
const FORGOTTEN_EVERY: u64 = 1 << (TAG_BITS - 2);

// What is noted; 0 is nothing.
const CLEAR: u32 = 1;
const FIRST_SET: u32 = 2;
const MANY: u32 = (1 << WHAT_BITS) - 1;

/// Keeps notes of one generation from being taken for those of another. To be called with every generation before it comes into force.
pub fn prepare(generation: &Generation, cache: &Cache) {
    if generation.number.is_multiple_of(FORGOTTEN_EVERY) {
        cache.forget_notes();
    }
}

/// Whether the answer that stands in `message`, read from the cache by `hit`, is nothing that policy has to do with for who asks.
#[inline]
pub(super) fn passes(asked: &Asked<'_>, cache: &Cache, hit: &Hit, message: &[u8]) -> bool {
    let policy = &asked.generation.policy;
    if asked.asker.profile.is_none() {
        return true;
    }
    if !policy.goes_by_lists_alone(&asked.asker) {
        return false;
    }
    let tag = asked.generation.number as u32 & ((1 << TAG_BITS) - 1);
    let (noted, what) = (hit.note.0 >> WHAT_BITS, hit.note.0 & MANY);
    let footprint = match what {
        0 => None,
        _ if noted != tag => None,
        CLEAR => Some(Footprint::Nothing),
        MANY => Some(Footprint::Many),
        set => Some(Footprint::Set(RuleSetId(set - FIRST_SET))),
    };
    let footprint = footprint.unwrap_or_else(|| {
        let footprint = look(asked, message);
        let what = match footprint {
            Footprint::Nothing => CLEAR,
            Footprint::Set(RuleSetId(set)) => set.saturating_add(FIRST_SET).min(MANY),
            Footprint::Many => MANY,
        };
        cache.note(&asked.cache_key(asked.qname()), hit, Note(tag << WHAT_BITS | what));
        footprint
    });
    policy.is_untouched(&asked.generation.gate, &asked.asker, footprint)
}

/// What lists hold for the question and for all in the answer that an inspection looks at.
#[cold]
fn look(asked: &Asked<'_>, message: &[u8]) -> Footprint {
    let Generation { policy, gate, .. } = &**asked.generation;
    let name = |name: &[u8]| policy.footprint_of_name(gate, &Key::from_wire(name));
    let mut all = name(asked.qname());
    let Some(parsed) = Message::parse(message) else {
        return Footprint::Many;
    };
    let mut names = 0;
    for record in parsed.records() {
        let Ok(record) = record else {
            return Footprint::Many;
        };
        if record.section != Section::Answer {
            break;
        }
        if record.class != class::IN {
            continue;
        }
        let found = match record.rtype {
            rtype::A | rtype::AAAA => {
                let rdata = &message[record.rdata_at..record.rdata_at + record.rdata_bytes];
                address(rdata).map(|addr| policy.footprint_of_address(gate, addr))
            }
            rtype::CNAME | rtype::DNAME => {
                names += 1;
                NameBuf::read(message, record.rdata_at).map(|target| name(target.as_wire()))
            }
            rtype::SVCB | rtype::HTTPS => {
                names += 1;
                Service::read(message, &record).map(|service| {
                    let hints = service.hints().map(|addr| policy.footprint_of_address(gate, addr));
                    hints.fold(name(service.target.as_wire()), Footprint::and)
                })
            }
            _ => continue,
        };
        all = found.map_or(Footprint::Many, |found| all.and(found));
        if names > INSPECTED_NAMES || all == Footprint::Many {
            return Footprint::Many;
        }
    }
    all
}
