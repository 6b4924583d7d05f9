//! Finds out who serves the zones on the way to a name, for rules about name servers.
//!
//! In: a name. Out: the names of the servers of every zone from the one it is in up to the top-level domain, and their addresses, of
//! the parent's word and the zone's own.
//! Always: nobody is asked while all of that is known, as it is just after the name itself was looked up. What was forgotten since is
//! found again by walking there. Addresses come from glue and the store; those of servers without any are looked up, within
//! [`NAMESERVER_LOOK_UPS`](limits::NAMESERVER_LOOK_UPS) and [`NAMESERVER_LOOK_UP_TIME`](limits::NAMESERVER_LOOK_UP_TIME), and are left
//! out if nothing comes of it. A zone whose servers serve its parent as well may be passed unseen: nobody refers to it.
//! Fails: where a zone on the way cannot be found any more.

use super::apexes::Side;
use super::delegations::Cut;
use super::race::Look;
use super::special;
use super::store::{Above, Known};
use super::trouble::Trouble;
use super::walk::{Finding, Trip, Walk};
use crate::dns::answer::address;
use crate::dns::name::Name;
use crate::dns::rtype;
use crate::limits;
use std::net::IpAddr;
use std::task::Poll;

/// Who serves the zones on the way to a name.
#[derive(Debug)]
pub struct OnTheWay {
    pub names: Vec<Name>,
    pub addresses: Vec<IpAddr>,
    /// When the first part of it ends, in milliseconds of the clock that never goes back.
    pub expires_ms: u64,
}

/// How often a walk is tried whose end is forgotten before it can be used: by others who need the room.
const TRIES: usize = 3;

impl Walk {
    /// See the page's first lines.
    pub(super) async fn nameservers(&self, name: &Name) -> Result<OnTheWay, Trouble> {
        let trip = Trip::own(false);
        let mut way = OnTheWay {
            names: Vec::new(),
            addresses: Vec::new(),
            expires_ms: u64::MAX,
        };
        if special::zone_of(name).is_some() {
            return Ok(way);
        }
        let mut unknown = Vec::new();
        let mut cut = self.zone_of(&self.existing(name), Side::Inside, &trip).await?;
        // The root's servers serve everybody.
        while !cut.zone.is_root() {
            self.take_in(&cut, &mut way, &mut unknown);
            cut = self.zone_of(&cut.zone, Side::Above, &trip).await?;
        }
        unknown.truncate(limits::NAMESERVER_LOOK_UPS);
        if !unknown.is_empty() && !self.look_up_all(&unknown, &trip, &mut way).await {
            let soon_ms = self.io.now_ms() + limits::NAMESERVERS_PARTIAL_TTL_S * 1000;
            way.expires_ms = way.expires_ms.min(soon_ms);
        }
        Ok(way)
    }

    /// The name itself, or the one above it that does not exist, so that nothing is below.
    fn existing(&self, name: &Name) -> Name {
        match self.engine.store.cut_above(name, self.io.now_ms(), false) {
            Above::Denied(above, _) => above,
            Above::Doubtful(_) | Above::Nothing => name.clone(),
        }
    }

    /// The zone that `name` is in, or that delegates it.
    async fn zone_of(&self, name: &Name, side: Side, trip: &Trip<'_>) -> Result<Cut, Trouble> {
        let above = side == Side::Above;
        for _ in 0..TRIES {
            let cut = self.engine.delegations.deepest(name, above, self.io.now_ms());
            if self.engine.apexes.is(side, name, &cut.zone) {
                return Ok(cut);
            }
            // Every server answers for addresses; DS records are the parent's to answer.
            self.descend(name, if above { rtype::DS } else { rtype::A }, trip)
                .await?;
        }
        Err(Trouble::Limit("the zones on the way are forgotten too fast"))
    }

    /// Adds the servers of a zone; those without a known address to `unknown`.
    fn take_in(&self, cut: &Cut, way: &mut OnTheWay, unknown: &mut Vec<Name>) {
        let child_ms = cut.child.as_ref().map_or(u64::MAX, |child| child.expires_ms);
        way.expires_ms = way.expires_ms.min(cut.parent.expires_ms).min(child_ms);
        for (_, server) in cut.servers() {
            let Some(name) = &server.name else { continue };
            let mut known = !server.glue.is_empty();
            let glue = server.glue.iter().chain(cut.parents_glue(name));
            glue.for_each(|&address| way.add(address));
            known |= !cut.parents_glue(name).is_empty();
            for rtype in [rtype::A, rtype::AAAA] {
                match self.engine.store.find(name, rtype, self.io.now_ms()) {
                    Some(Known::Set(held)) => {
                        known = true;
                        let addresses = held.set.records().filter_map(address);
                        addresses
                            .take(limits::SERVER_ADDRESSES)
                            .for_each(|address| way.add(address));
                        way.expires_ms = way.expires_ms.min(held.expires_ms);
                    }
                    // It has none, which is known.
                    Some(Known::Denied(_)) => known = true,
                    Some(Known::Alias(_)) | None => {}
                }
            }
            if !way.names.contains(name) {
                way.names.push(name.clone());
                if !known {
                    unknown.push(name.clone());
                }
            }
        }
    }

    /// Looks up addresses of servers, all at the same time. Whether every look-up came to an end.
    async fn look_up_all(&self, servers: &[Name], trip: &Trip<'_>, way: &mut OnTheWay) -> bool {
        let deeper: Vec<Trip<'_>> = servers.iter().map(|server| trip.deeper(server)).collect();
        let mut looks: Vec<Look<'_, Vec<IpAddr>>> = Vec::new();
        for (server, trip) in servers.iter().zip(&deeper) {
            for rtype in [rtype::A, rtype::AAAA] {
                looks.push(Box::pin(async move {
                    let found = self.answer(server, rtype, trip).await.ok()?;
                    Some(match &found.end {
                        Finding::Set(held) => held.set.records().filter_map(address).collect(),
                        Finding::Denied(_) | Finding::TooLong => Vec::new(),
                    })
                }));
            }
        }
        let now_ms = self.io.now_ms();
        let left_ms = self.io.deadline_ms().saturating_sub(now_ms);
        let end_ms = now_ms + (limits::NAMESERVER_LOOK_UP_TIME.as_millis() as u64).min(left_ms / 2);
        let mut all = true;
        std::future::poll_fn(|cx| {
            looks.retain_mut(|look| match look.as_mut().poll(cx) {
                Poll::Pending => true,
                Poll::Ready(addresses) => {
                    all &= addresses.is_some();
                    let addresses = addresses.into_iter().flatten();
                    addresses
                        .take(limits::SERVER_ADDRESSES)
                        .for_each(|address| way.add(address));
                    false
                }
            });
            if looks.is_empty() || self.io.now_ms() >= end_ms {
                return Poll::Ready(());
            }
            self.io.wake_at(end_ms);
            Poll::Pending
        })
        .await;
        all && looks.is_empty()
    }
}

impl OnTheWay {
    fn add(&mut self, address: IpAddr) {
        if !self.addresses.contains(&address) {
            self.addresses.push(address);
        }
    }
}
