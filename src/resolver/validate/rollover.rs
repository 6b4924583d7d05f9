//! Follows the keys of a trust anchor as the zone changes them.
//!
//! In: the keys trusted so far, a DNSKEY set as it was seen, the moment. Out: the keys trusted from now on, when to look next; a
//! text that keeps all this over a restart.
//! Always: a new key is trusted only after it was seen in signed sets for the hold-down time; a revoked one at once no more, and
//! never again. A set that is not signed by a trusted key changes nothing but revocations, which a key signs for itself.
//! While the clock is plainly wrong nothing changes.
//! Keeps: RFC 5011.

use super::algorithm::{self, Support};
use super::anchors;
use super::dates::When;
use super::keys::{self, Key, Keying, Promise};
use super::rdata::{Dnskey, Rrsig};
use super::signature;
use super::verdict::Fault;
use super::work::Work;
use crate::dns::name::Name;
use crate::limits;
use crate::resolver::engine::rrset::RRset;
use std::fmt::Write;

/// RFC 5011 §4.2, less Start, which is not being here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyState {
    /// Seen, not yet trusted. Not before this time, in seconds since 1970.
    Pending {
        until_unix_s: u64,
    },
    Valid,
    /// Trusted, and not in the zone at the moment.
    Missing,
    Revoked,
    /// Was revoked, and is kept so that it does not come back.
    Removed,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Managed {
    /// A DNSKEY without its revoked bit; or a DS, until the key it means was seen.
    pub promise: Promise,
    pub state: KeyState,
    /// When it came to that state, in seconds since 1970.
    pub since_unix_s: u64,
}

/// The anchor of one zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rollover {
    pub zone: Name,
    pub keys: Vec<Managed>,
    /// When to look at the zone's DNSKEY set next, in seconds since 1970.
    pub look_at_unix_s: u64,
}

/// What a look changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A key is waiting to be trusted.
    Pending(u16),
    Trusted(u16),
    Missing(u16),
    Back(u16),
    Revoked(u16),
    Removed(u16),
    /// A key that waited is gone again.
    Dropped(u16),
    /// All keys were revoked: the zone is no anchor any more (RFC 5011 §5).
    NoneLeft,
}

/// Why a kept text is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line} is not of this file's form")]
pub struct BadState {
    pub line: usize,
}

impl Rollover {
    /// Begins with configured anchors, all of them trusted; to be looked at at once.
    pub fn begin(zone: &Name, promises: &[Promise], when: &When) -> Rollover {
        let since_unix_s = when.now.unix_ms / 1000;
        let keys = promises.iter().map(|promise| Managed {
            promise: promise.clone(),
            state: KeyState::Valid,
            since_unix_s,
        });
        Rollover {
            zone: zone.to_lower(),
            keys: keys.collect(),
            look_at_unix_s: 0,
        }
    }

    /// Takes in anchors that were configured since the text was kept: those never heard of are trusted, and so are those still
    /// waiting. A key that was revoked stays so.
    pub fn adopt(&mut self, promises: &[Promise], when: &When) {
        let since_unix_s = when.now.unix_ms / 1000;
        for promise in promises {
            let zone = &self.zone;
            let known = self.keys.iter_mut().find(|key| same(zone, &key.promise, promise));
            match known {
                Some(key) if matches!(key.state, KeyState::Pending { .. }) => {
                    key.state = KeyState::Valid;
                    key.since_unix_s = since_unix_s;
                }
                Some(_) => {}
                None => self.keys.push(Managed {
                    promise: promise.clone(),
                    state: KeyState::Valid,
                    since_unix_s,
                }),
            }
        }
    }

    /// What is trusted now. Nothing, once all keys were revoked: then the zone is no anchor.
    pub fn trusted(&self) -> Vec<Promise> {
        let trusted = |key: &&Managed| matches!(key.state, KeyState::Valid | KeyState::Missing);
        self.keys
            .iter()
            .filter(trusted)
            .map(|key| key.promise.clone())
            .collect()
    }

    pub fn is_due(&self, when: &When) -> bool {
        !when.suspended && when.now.unix_ms / 1000 >= self.look_at_unix_s
    }

    /// Nobody gave the DNSKEY set, or it could not be believed: when to try again (RFC 5011 §2.3), with nothing else known an hour.
    pub fn failed(&mut self, when: &When) {
        self.look_at_unix_s = when.now.unix_ms / 1000 + limits::ANCHOR_LOOK_MIN_S;
    }

    /// Takes in the zone's DNSKEY set. An error says why the set is not believed; revocations in it may have counted all the same.
    pub fn observe(
        &mut self,
        set: &RRset,
        sha1: bool,
        when: &When,
        work: &mut Work,
        changes: &mut Vec<Change>,
    ) -> Result<(), Fault> {
        if when.suspended {
            return Ok(());
        }
        let now_s = when.now.unix_ms / 1000;
        self.resolve_ds(set);
        self.revoke(set, when, work, changes);
        let trusted = self.trusted();
        if trusted.is_empty() {
            self.look_at_unix_s = now_s + limits::ANCHOR_LOOK_MAX_S;
            return Ok(());
        }
        let believed = match keys::establish(set, &trusted, sha1, when, work) {
            Ok(Keying::Secure(_)) => Ok(()),
            Ok(Keying::Insecure(fault)) | Err(fault) => Err(fault),
        };
        if let Err(fault) = believed {
            self.look_at_unix_s = now_s + interval(set, when, 10, limits::ANCHOR_RETRY_MAX_S);
            return Err(fault);
        }
        self.look_at_unix_s = now_s + interval(set, when, 2, limits::ANCHOR_LOOK_MAX_S);
        let seen: Vec<Dnskey<'_>> = set.records().filter_map(Dnskey::read).take(limits::ZONE_KEYS).collect();
        for key in &mut self.keys {
            let there = seen
                .iter()
                .any(|dnskey| !dnskey.is_revoked() && is_of(&key.promise, dnskey));
            let tag = tag(&key.promise);
            let (next, change) = match key.state {
                KeyState::Pending { until_unix_s } if there && now_s >= until_unix_s => {
                    (KeyState::Valid, Change::Trusted(tag))
                }
                KeyState::Pending { .. } if !there => (KeyState::Removed, Change::Dropped(tag)),
                // A DS whose key was never seen has not gone missing.
                KeyState::Valid if !there && matches!(key.promise, Promise::Dnskey(_)) => {
                    (KeyState::Missing, Change::Missing(tag))
                }
                KeyState::Missing if there => (KeyState::Valid, Change::Back(tag)),
                KeyState::Revoked if now_s.saturating_sub(key.since_unix_s) >= limits::ANCHOR_HOLD_DOWN_S => {
                    (KeyState::Removed, Change::Removed(tag))
                }
                _ => continue,
            };
            key.state = next;
            key.since_unix_s = now_s;
            changes.push(change);
        }
        // Back to Start: it may come again, and then waits anew.
        let dropped = |change: &Change| matches!(change, Change::Dropped(_));
        if changes.iter().any(dropped) {
            let gone = |key: &Managed| key.state == KeyState::Removed && key.since_unix_s == now_s;
            let tags: Vec<u16> = changes
                .iter()
                .filter_map(|change| {
                    if let Change::Dropped(tag) = change {
                        Some(*tag)
                    } else {
                        None
                    }
                })
                .collect();
            self.keys.retain(|key| !gone(key) || !tags.contains(&tag(&key.promise)));
        }
        let hold_s = limits::ANCHOR_HOLD_DOWN_S.max(u64::from(original_ttl_s(set)));
        for dnskey in seen {
            let candidate = dnskey.is_zone_key()
                && dnskey.is_entry_point()
                && !dnskey.is_revoked()
                && dnskey.protocol == 3
                && algorithm::support(dnskey.algorithm) != Support::No;
            let known = self.keys.iter().any(|key| is_of(&key.promise, &dnskey));
            if candidate && !known && self.keys.len() < limits::ANCHOR_KEYS {
                changes.push(Change::Pending(dnskey.tag()));
                self.keys.push(Managed {
                    promise: Promise::Dnskey(dnskey.rdata.to_vec()),
                    state: KeyState::Pending {
                        until_unix_s: now_s + hold_s,
                    },
                    since_unix_s: now_s,
                });
            }
        }
        Ok(())
    }

    /// DS records of which the key is in the set become that key: a DS fits the key only as long as its flags stay.
    fn resolve_ds(&mut self, set: &RRset) {
        for dnskey in set.records().filter_map(Dnskey::read).take(limits::ZONE_KEYS) {
            let bare = Promise::Dnskey(unrevoked(&dnskey));
            for key in &mut self.keys {
                if matches!(key.promise, Promise::Ds(_)) && same(&self.zone, &key.promise, &bare) {
                    key.promise = bare.clone();
                }
            }
        }
        let mut kept: Vec<Managed> = Vec::new();
        for key in std::mem::take(&mut self.keys) {
            if !kept.iter().any(|other| other.promise == key.promise) {
                kept.push(key);
            }
        }
        self.keys = kept;
    }

    /// RFC 5011 §2.1: a key that carries the revoked bit and signed the set that says so.
    fn revoke(&mut self, set: &RRset, when: &When, work: &mut Work, changes: &mut Vec<Change>) {
        let mut any = false;
        for dnskey in set.records().filter_map(Dnskey::read).take(limits::ZONE_KEYS) {
            if !dnskey.is_revoked() {
                continue;
            }
            let known = self.keys.iter_mut().find(|key| is_of(&key.promise, &dnskey));
            let Some(key) = known.filter(|key| !matches!(key.state, KeyState::Revoked | KeyState::Removed)) else {
                continue;
            };
            // Its signature is made, and its tag computed, with the bit set.
            let Some(signer) = Key::of_revoked(dnskey.rdata) else {
                continue;
            };
            let signed = signature::check_with(set, &set.name, when, work, |tag, algorithm| {
                std::iter::once(&signer).filter(move |key| key.tag == tag && key.algorithm == algorithm)
            });
            if signed.is_ok_and(|signed| signed.encloser.is_none()) {
                key.state = KeyState::Revoked;
                key.since_unix_s = when.now.unix_ms / 1000;
                changes.push(Change::Revoked(tag(&key.promise)));
                any = true;
            }
        }
        if any && self.trusted().is_empty() {
            changes.push(Change::NoneLeft);
        }
    }

    /// The text that [`Rollover::read`] takes.
    pub fn to_text(&self) -> String {
        let mut text = format!(
            "; Keys of the trust anchor {}, followed as RFC 5011 says. Delete this file to begin again with the configured anchors.\n\
             rollover 1\nzone {}\nlook {}\n",
            self.zone, self.zone, self.look_at_unix_s
        );
        for key in &self.keys {
            let (state, until) = match key.state {
                KeyState::Pending { until_unix_s } => ("pending", until_unix_s),
                KeyState::Valid => ("valid", 0),
                KeyState::Missing => ("missing", 0),
                KeyState::Revoked => ("revoked", 0),
                KeyState::Removed => ("removed", 0),
            };
            let record = anchors::to_text(&key.promise);
            writeln!(text, "key {state} {until} {} {record}", key.since_unix_s).expect("a String takes all");
        }
        text
    }

    /// Reads what [`Rollover::to_text`] wrote.
    pub fn read(text: &str) -> Result<Rollover, BadState> {
        let mut lines = text.lines().enumerate().filter(|(_, line)| !line.starts_with(';'));
        let mut field = |key: &str| {
            let (number, line) = lines.next().ok_or(BadState { line: 1 })?;
            let value = line.strip_prefix(key).and_then(|rest| rest.strip_prefix(' '));
            value
                .map(|value| (number + 1, value))
                .ok_or(BadState { line: number + 1 })
        };
        let (line, version) = field("rollover")?;
        if version != "1" {
            return Err(BadState { line });
        }
        let (line, zone) = field("zone")?;
        let zone = Name::parse(zone).map_err(|_| BadState { line })?;
        let (line, look) = field("look")?;
        let look_at_unix_s = look.parse().map_err(|_| BadState { line })?;
        let mut keys = Vec::new();
        for (number, line) in lines {
            let bad = BadState { line: number + 1 };
            let key = line.strip_prefix("key ").and_then(managed).ok_or(bad.clone())?;
            if keys.len() >= limits::ANCHOR_KEYS {
                return Err(bad);
            }
            keys.push(key);
        }
        Ok(Rollover {
            zone: zone.to_lower(),
            keys,
            look_at_unix_s,
        })
    }
}

fn managed(line: &str) -> Option<Managed> {
    let mut words = line.splitn(4, ' ');
    let state = words.next()?;
    let until_unix_s: u64 = words.next()?.parse().ok()?;
    let since_unix_s = words.next()?.parse().ok()?;
    let state = match state {
        "pending" => KeyState::Pending { until_unix_s },
        "valid" => KeyState::Valid,
        "missing" => KeyState::Missing,
        "revoked" => KeyState::Revoked,
        "removed" => KeyState::Removed,
        _ => return None,
    };
    Some(Managed {
        promise: anchors::from_text(words.next()?)?,
        state,
        since_unix_s,
    })
}

/// Whether two promises are about one key.
fn same(zone: &Name, ours: &Promise, theirs: &Promise) -> bool {
    match (ours, theirs) {
        (Promise::Dnskey(ours), Promise::Dnskey(theirs)) => ours[3..] == theirs[3..],
        (Promise::Ds(ours), Promise::Ds(theirs)) => ours == theirs,
        (Promise::Ds(ds), Promise::Dnskey(dnskey)) | (Promise::Dnskey(dnskey), Promise::Ds(ds)) => {
            let Some(ds) = super::rdata::Ds::read(ds) else {
                return false;
            };
            let digest = algorithm::DigestType::of(ds.digest_type);
            super::rdata::tag(dnskey) == ds.tag
                && digest.is_some_and(|digest| digest.digest(zone.as_wire(), dnskey).as_ref() == ds.digest)
        }
    }
}

/// Whether a DNSKEY is the promised one, whatever its flags.
fn is_of(promise: &Promise, dnskey: &Dnskey<'_>) -> bool {
    match promise {
        Promise::Dnskey(rdata) => rdata[3] == dnskey.algorithm && rdata[4..] == *dnskey.key,
        // Those in the set were replaced by their keys.
        Promise::Ds(_) => false,
    }
}

fn unrevoked(dnskey: &Dnskey<'_>) -> Vec<u8> {
    let mut rdata = dnskey.rdata.to_vec();
    rdata[1] &= !0x80;
    rdata
}

fn tag(promise: &Promise) -> u16 {
    match promise {
        Promise::Ds(rdata) => u16::from_be_bytes([rdata[0], rdata[1]]),
        Promise::Dnskey(rdata) => super::rdata::tag(rdata),
    }
}

fn original_ttl_s(set: &RRset) -> u32 {
    let signatures = set.signatures().filter_map(Rrsig::read);
    signatures.map(|rrsig| rrsig.original_ttl_s).max().unwrap_or(set.ttl_s)
}

/// RFC 5011 §2.3: a part of the original TTL and of what is left of the signature, within bounds.
fn interval(set: &RRset, when: &When, part: u64, most_s: u64) -> u64 {
    let lasts_s = set
        .signatures()
        .filter_map(Rrsig::read)
        .filter_map(|rrsig| when.seconds_left(&rrsig).ok())
        .min()
        .unwrap_or(0);
    let shortest = u64::from(original_ttl_s(set)).min(u64::from(lasts_s)) / part;
    shortest.clamp(limits::ANCHOR_LOOK_MIN_S, most_s)
}
