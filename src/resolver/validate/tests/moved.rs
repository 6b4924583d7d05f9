//! Trust anchors that move on: RFC 5011 with made-up months.

use super::super::keys::Promise;
use super::super::rollover::{Change, Rollover};
use super::super::verdict::Fault;
use super::super::work::Work;
use super::world::*;
use crate::limits;
use crate::resolver::engine::rrset::RRset;

const DAY_S: u64 = 86_400;

/// The root's DNSKEY set on some day, signed by `signers`.
fn keys(day: u64, published: &[&TestKey], signers: &[&TestKey]) -> RRset {
    let apex = name("");
    let now_s = NOW_S + day * DAY_S;
    let mut set = RRset::new(&apex, crate::dns::rtype::DNSKEY, TTL_S);
    published.iter().for_each(|key| set.push(&key.rdata()));
    let how = How {
        inception: (now_s - 3600) as u32,
        expiration: (now_s + 14 * DAY_S) as u32,
        ..How::default()
    };
    signers.iter().for_each(|key| set.sign(&rrsig(&set, &apex, key, &how)));
    set
}

struct Story {
    state: Rollover,
    changes: Vec<Change>,
}

impl Story {
    fn of(key: &TestKey) -> Story {
        let anchor = [Promise::Ds(key.ds(&name(""), 2))];
        Story {
            state: Rollover::begin(&name(""), &anchor, &when()),
            changes: Vec::new(),
        }
    }

    fn day(&mut self, day: u64, published: &[&TestKey], signers: &[&TestKey]) -> Result<(), Fault> {
        // Each day begins from what was written down the day before.
        self.state = Rollover::read(&self.state.to_text()).unwrap();
        let when = at(NOW_S + day * DAY_S);
        self.changes.clear();
        let set = keys(day, published, signers);
        self.state
            .observe(&set, false, &when, &mut Work::new(), &mut self.changes)
    }

    fn trusts(&self, key: &TestKey) -> bool {
        let own = Promise::Dnskey(key.rdata());
        let ds = Promise::Ds(key.ds(&name(""), 2));
        self.state
            .trusted()
            .iter()
            .any(|promise| *promise == own || *promise == ds)
    }
}

#[test]
fn rfc5011_4_2_a_new_key_is_trusted_after_thirty_days_in_signed_sets() {
    let (old, new) = (TestKey::new(15), TestKey::new(13));
    let mut story = Story::of(&old);
    story.day(0, &[&old, &new], &[&old]).unwrap();
    assert_eq!(story.changes, [Change::Pending(new.tag())]);
    for day in [1, 15, 29] {
        story.day(day, &[&old, &new], &[&old]).unwrap();
        assert!(!story.trusts(&new) && story.changes.is_empty(), "day {day}");
    }
    story.day(30, &[&old, &new], &[&old]).unwrap();
    assert_eq!(story.changes, [Change::Trusted(new.tag())]);
    assert!(story.trusts(&new) && story.trusts(&old));
    // The old one is revoked, as its own signature says; the new one carries on alone.
    let revoked = old.with_flags(257 | 128);
    story.day(40, &[&revoked, &new], &[&revoked, &new]).unwrap();
    assert_eq!(story.changes, [Change::Revoked(old.tag())]);
    assert!(story.trusts(&new) && !story.trusts(&old));
    story.day(41, &[&old, &new], &[&old, &new]).unwrap();
    assert!(!story.trusts(&old), "it cannot come back");
    story.day(70, &[&new], &[&new]).unwrap();
    assert_eq!(story.changes, [Change::Removed(old.tag())]);
    story.day(71, &[&old, &new], &[&old, &new]).unwrap();
    assert!(story.changes.is_empty() && !story.trusts(&old));
    assert_eq!(story.day(72, &[&old], &[&old]), Err(Fault::DsMismatch));
}

#[test]
fn rfc5011_2_2_a_key_that_disappears_while_it_waits_waits_anew() {
    let (old, new) = (TestKey::new(15), TestKey::new(15));
    let mut story = Story::of(&old);
    story.day(0, &[&old, &new], &[&old]).unwrap();
    story.day(20, &[&old], &[&old]).unwrap();
    assert_eq!(story.changes, [Change::Dropped(new.tag())]);
    story.day(31, &[&old, &new], &[&old]).unwrap();
    assert_eq!(story.changes, [Change::Pending(new.tag())]);
    story.day(60, &[&old, &new], &[&old]).unwrap();
    assert!(!story.trusts(&new));
    story.day(61, &[&old, &new], &[&old]).unwrap();
    assert!(story.trusts(&new));
}

#[test]
fn a_waiting_key_that_a_newer_configuration_brings_is_trusted_at_once() {
    let (old, new) = (TestKey::new(15), TestKey::new(15));
    let mut story = Story::of(&old);
    story.day(0, &[&old, &new], &[&old]).unwrap();
    story
        .state
        .adopt(&[Promise::Ds(new.ds(&name(""), 2))], &at(NOW_S + DAY_S));
    assert!(story.trusts(&new) && story.trusts(&old));
    story.day(2, &[&old, &new], &[&new]).unwrap();
    assert!(story.changes.is_empty());
}

#[test]
fn rfc5011_2_2_a_set_that_no_trusted_key_signed_adds_nothing() {
    let (old, thief) = (TestKey::new(15), TestKey::new(15));
    let mut story = Story::of(&old);
    assert_eq!(story.day(0, &[&old, &thief], &[&thief]), Err(Fault::NoKey));
    assert!(story.day(40, &[&old, &thief], &[&thief]).is_err());
    assert!(story.changes.is_empty() && !story.trusts(&thief) && story.trusts(&old));
    // Nor does one that is out of date.
    let set = keys(0, &[&old, &thief], &[&old]);
    let late = at(NOW_S + 20 * DAY_S);
    let mut changes = Vec::new();
    assert!(
        story
            .state
            .observe(&set, false, &late, &mut Work::new(), &mut changes)
            .is_err()
    );
    assert!(changes.is_empty());
}

#[test]
fn rfc5011_2_1_only_a_key_itself_can_revoke_it() {
    let (mine, other) = (TestKey::new(15), TestKey::new(15));
    let mut story = Story::of(&mine);
    story.state.adopt(&[Promise::Dnskey(other.rdata())], &when());
    let revoked = mine.with_flags(257 | 128);
    // Published as revoked, signed by the other alone.
    story.day(0, &[&revoked, &other], &[&other]).unwrap();
    assert!(story.trusts(&mine));
    assert!(story.changes.contains(&Change::Missing(mine.tag())));
    story.day(1, &[&mine, &other], &[&other]).unwrap();
    assert!(story.changes.contains(&Change::Back(mine.tag())));
    // Its own signature is enough, without any other.
    story.day(2, &[&revoked, &other], &[&revoked, &other]).unwrap();
    assert!(!story.trusts(&mine) && story.trusts(&other));
}

#[test]
fn rfc5011_5_when_the_last_key_is_revoked_the_zone_is_no_anchor() {
    let key = TestKey::new(15);
    let mut story = Story::of(&key);
    let revoked = key.with_flags(257 | 128);
    story.day(0, &[&revoked], &[&revoked]).unwrap();
    assert_eq!(story.changes, [Change::Revoked(key.tag()), Change::NoneLeft]);
    assert!(story.state.trusted().is_empty());
    assert!(!story.state.is_due(&at(NOW_S + DAY_S)), "nobody looks all the time");
    // Not even by being configured again.
    story.state.adopt(&[Promise::Dnskey(key.rdata())], &when());
    assert!(story.state.trusted().is_empty());
}

#[test]
fn keys_that_are_no_entry_points_are_not_taken_up_and_their_number_is_bounded() {
    let old = TestKey::new(15);
    let mut story = Story::of(&old);
    let zsk = TestKey::new(15).with_flags(256);
    story.day(0, &[&old, &zsk], &[&old]).unwrap();
    assert!(story.changes.is_empty());
    for day in 1..4 {
        let many: Vec<TestKey> = (0..20).map(|_| TestKey::new(15)).collect();
        let mut published: Vec<&TestKey> = many.iter().collect();
        published.push(&old);
        story.day(day, &published, &[&old]).unwrap();
        assert!(story.state.keys.len() <= limits::ANCHOR_KEYS);
    }
    assert!(story.trusts(&old));
}

#[test]
fn rfc5011_2_3_the_next_look_follows_ttl_and_signature_within_bounds() {
    let key = TestKey::new(15);
    let mut story = Story::of(&key);
    assert!(story.state.is_due(&when()));
    story.day(0, &[&key], &[&key]).unwrap();
    // Half of the hour that the TTL is, but not under an hour.
    assert_eq!(story.state.look_at_unix_s, NOW_S + 3600);
    assert!(!story.state.is_due(&when()) && story.state.is_due(&at(NOW_S + 3600)));
    let mut wrong = at(NOW_S + 3600);
    wrong.suspended = true;
    assert!(!story.state.is_due(&wrong), "not by a clock that is plainly wrong");
    story.state.failed(&at(NOW_S + 5000));
    assert_eq!(story.state.look_at_unix_s, NOW_S + 8600);
}

#[test]
fn a_clock_that_is_plainly_wrong_moves_nothing() {
    let (old, new) = (TestKey::new(15), TestKey::new(15));
    let mut story = Story::of(&old);
    story.day(0, &[&old, &new], &[&old]).unwrap();
    let before = story.state.clone();
    let mut when = at(NOW_S + 300 * DAY_S);
    when.suspended = true;
    let set = keys(300, &[&old, &new], &[&old]);
    story
        .state
        .observe(&set, false, &when, &mut Work::new(), &mut story.changes)
        .unwrap();
    assert_eq!(story.state, before);
}

#[test]
fn a_kept_text_that_was_cut_or_changed_is_told_by_line() {
    let story = Story::of(&TestKey::new(15));
    let text = story.state.to_text();
    assert_eq!(Rollover::read(&text).unwrap(), story.state);
    for (line, bad) in [
        (2, text.replace("rollover 1", "rollover 2")),
        (3, text.replace("zone .", "zone a..b")),
        (4, text.replace("look 0", "look soon")),
        (5, text.replace("key valid", "key good")),
        (
            5,
            text.trim_end()
                .trim_end_matches(|c: char| c.is_ascii_hexdigit())
                .to_owned(),
        ),
        (1, String::new()),
    ] {
        assert_eq!(Rollover::read(&bad).map_err(|bad| bad.line), Err(line), "{bad}");
    }
}
