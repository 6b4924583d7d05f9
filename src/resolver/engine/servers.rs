//! What is known of each server, by address: how fast, how alive, how it wants to be asked.
//!
//! In: what came of each exchange. Out: a [`View`] to choose by (`choose`).
//! Always: bounded; one lock for one look; nothing here names a zone (`delegations` knows who is lame for which).
//! Keeps: RFC 6298 (smoothed times), RFC 6891 §7 (who knows no EDNS is remembered), RFC 9520 §3.1 (silent servers rest).

use super::bounded::{Bounded, Secret};
use super::task::Why;
use crate::limits;
use std::hash::BuildHasher;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// One server.
#[derive(Debug, Clone, Default)]
struct Server {
    /// Smoothed round-trip time and its deviation in milliseconds, once anything was heard.
    time_ms: Option<(f32, f32)>,
    /// Silences in a row, and when the last one was noticed. Queries on their way then were lost to the same cause.
    silences: u32,
    silent_at_ms: u64,
    /// Once it is down: until when it rests.
    rests_until_ms: u64,
    /// Queries on their way.
    in_flight: u32,
    /// It has answered a query with EDNS, with an OPT record.
    speaks_edns: bool,
    /// How often, since its last OPT record, it answered without EDNS what it did not answer with it.
    silent_to_edns: u8,
    /// Until when it is asked without EDNS.
    plain_until_ms: u64,
    /// It does not keep the letter case of questions.
    loses_case: bool,
    /// Until when it is asked over TCP first, because UDP did not get through.
    tcp_until_ms: u64,
}

/// What to choose a server by, at one moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct View {
    /// Smoothed round-trip time in milliseconds; `None` for a stranger.
    pub time_ms: Option<f32>,
    /// How long to wait for it before something else is tried.
    pub patience_ms: u64,
    /// Silences in a row.
    pub silences: u32,
    /// It kept silent too often.
    pub down: bool,
    /// It is down and may not be asked yet, or somebody is asking it just now.
    pub resting: bool,
    /// When it may be asked again if it rests and nobody is asking it; 0 otherwise.
    pub rested_at_ms: u64,
    /// Too many queries are on their way to it, or its address family does not get through.
    pub shunned: bool,
    /// Nothing was ever heard from its address family; and the other one did answer, or at least failed less often.
    pub doubted: bool,
    /// Something was.
    pub family_heard: bool,
    pub edns: bool,
    pub speaks_edns: bool,
    pub loses_case: bool,
    pub tcp: bool,
}

/// Whether an address family gets through at all.
#[derive(Debug, Default)]
struct Family {
    /// Ever, since the start.
    heard: AtomicBool,
    /// Silences since anything was heard.
    silences: AtomicU32,
    shunned_until_ms: AtomicU64,
}

/// See the page's first lines.
pub struct Servers {
    shards: Vec<Mutex<Bounded<Server>>>,
    secret: Secret,
    families: [Family; 2],
    /// Patience with strangers, in milliseconds: as long as servers first met have taken lately.
    stranger_ms: Mutex<(f32, f32)>,
}

const SHARDS: usize = 16;

impl Servers {
    /// Remembers servers in at most about `bound_bytes`.
    pub(super) fn new(bound_bytes: usize, secret: Secret) -> Servers {
        let shards = (0..SHARDS).map(|_| Mutex::new(Bounded::new(bound_bytes / SHARDS, secret)));
        let stranger = limits::SERVER_PATIENCE_STRANGER.as_millis() as f32;
        Servers {
            shards: shards.collect(),
            secret,
            families: Default::default(),
            stranger_ms: Mutex::new((stranger / 4.0, stranger / 8.0)),
        }
    }

    pub fn view(&self, address: IpAddr, now_ms: u64) -> View {
        let (server, known) = match self.shard(address).get(&key(address)) {
            Some(server) => (server.clone(), true),
            None => (Server::default(), false),
        };
        let down = server.silences >= limits::SERVER_SILENCES;
        let patience = match server.time_ms {
            Some((time, deviation)) => time + (4.0 * deviation).max(10.0),
            None => self.stranger_patience_ms(),
        };
        // Doubled with each silence (RFC 6298 §5.5).
        let patience = patience * (1_u32 << server.silences.min(4)) as f32;
        let bounds = (
            limits::SERVER_PATIENCE_MIN.as_millis() as f32,
            limits::SERVER_PATIENCE_MAX.as_millis() as f32,
        );
        View {
            time_ms: server.time_ms.filter(|_| known).map(|(time, _)| time),
            patience_ms: patience.clamp(bounds.0, bounds.1) as u64,
            silences: server.silences,
            down,
            resting: down && (now_ms < server.rests_until_ms || server.in_flight > 0),
            rested_at_ms: match down && server.in_flight == 0 {
                true => server.rests_until_ms,
                false => 0,
            },
            shunned: server.in_flight >= limits::SERVER_IN_FLIGHT
                || now_ms < self.family(address).shunned_until_ms.load(Ordering::Relaxed),
            doubted: self.is_doubted(address.is_ipv6()),
            family_heard: self.family(address).heard.load(Ordering::Relaxed),
            edns: now_ms >= server.plain_until_ms,
            speaks_edns: server.speaks_edns,
            loses_case: server.loses_case,
            tcp: now_ms < server.tcp_until_ms,
        }
    }

    /// A query goes out; it counts as on its way until the value is dropped.
    pub(super) fn sent(self: &Arc<Self>, address: IpAddr) -> InFlight {
        self.change(address, |server| server.in_flight += 1);
        InFlight {
            servers: Arc::clone(self),
            address,
        }
    }

    /// It answered, whatever it said, after this time.
    pub(super) fn heard(&self, address: IpAddr, took_ms: u64, opt: bool) {
        let took = took_ms as f32;
        let first = self.change(address, |server| {
            let first = server.time_ms.is_none();
            server.time_ms = Some(match server.time_ms {
                None => (took, took / 2.0),
                // RFC 6298 §2.3.
                Some((time, deviation)) => (
                    time * 0.875 + took * 0.125,
                    deviation * 0.75 + (time - took).abs() * 0.25,
                ),
            });
            server.silences = 0;
            server.rests_until_ms = 0;
            if opt {
                server.speaks_edns = true;
                server.silent_to_edns = 0;
            }
            first
        });
        let family = self.family(address);
        family.heard.store(true, Ordering::Relaxed);
        family.silences.store(0, Ordering::Relaxed);
        family.shunned_until_ms.store(0, Ordering::Relaxed);
        if first {
            let mut stranger = self.stranger_ms.lock().unwrap_or_else(PoisonError::into_inner);
            let (time, deviation) = *stranger;
            *stranger = (time * 0.9 + took * 0.1, deviation * 0.9 + (time - took).abs() * 0.1);
        }
    }

    /// Nothing came within the patience with it to a query sent at `sent_ms`.
    pub(super) fn silent(&self, address: IpAddr, sent_ms: u64, now_ms: u64) {
        let counts = self.change(address, |server| {
            if server.silences > 0 && sent_ms < server.silent_at_ms {
                return false;
            }
            server.silences = server.silences.saturating_add(1);
            server.silent_at_ms = now_ms;
            if let Some(over) = server.silences.checked_sub(limits::SERVER_SILENCES) {
                let rest = limits::SERVER_REST_MIN
                    .saturating_mul(1 << over.min(8))
                    .min(limits::SERVER_REST_MAX);
                server.rests_until_ms = now_ms + rest.as_millis() as u64;
            }
            true
        });
        if counts {
            self.family_silent(address, now_ms);
        }
    }

    fn family_silent(&self, address: IpAddr, now_ms: u64) {
        let family = self.family(address);
        let most = match family.heard.load(Ordering::Relaxed) {
            true => limits::FAMILY_SILENCES,
            false => limits::FAMILY_SILENCES_UNHEARD,
        };
        if family.silences.fetch_add(1, Ordering::Relaxed) + 1 >= most {
            self.shun_family(address, now_ms);
        }
    }

    /// It took longer than this, which is less than its due.
    pub(super) fn slow(&self, address: IpAddr, waited_ms: u64, now_ms: u64) {
        // Of a family that was never heard any silence is telling.
        if !self.family(address).heard.load(Ordering::Relaxed) {
            self.family_silent(address, now_ms);
        }
        let at_least = waited_ms as f32 * 1.5;
        self.change(address, |server| match &mut server.time_ms {
            Some((time, _)) => *time = time.max(at_least),
            None => server.time_ms = Some((at_least, at_least / 2.0)),
        });
    }

    /// An exchange with it could not be had.
    pub(super) fn failed(&self, address: IpAddr, why: Why, sent_ms: u64, now_ms: u64) {
        match why {
            Why::NoRoute => {
                self.shun_family(address, now_ms);
                self.silent(address, sent_ms, now_ms);
            }
            Why::PortClosed | Why::NoConnection => self.silent(address, sent_ms, now_ms),
            // A closed connection says nothing about the server; a full host even less.
            Why::Closed | Why::Local => {}
        }
    }

    /// It does not understand queries with EDNS, and is asked without for a while (RFC 6891 §7). One that ever sent an OPT record knows
    /// it, and had another reason: an hour without signatures is no answer to that.
    pub(super) fn knows_no_edns(&self, address: IpAddr, now_ms: u64) {
        let until_ms = now_ms + limits::SERVER_PLAIN.as_millis() as u64;
        self.change(address, |server| {
            if !server.speaks_edns {
                server.plain_until_ms = until_ms;
            }
        });
    }

    /// What it said without EDNS was of no use: whether it knows none is found out anew.
    pub(super) fn may_know_edns(&self, address: IpAddr) {
        self.change(address, |server| {
            server.plain_until_ms = 0;
            server.silent_to_edns = 0;
        });
    }

    /// It answered without EDNS what it did not answer with it. Once, a packet may have been lost, and an hour without signatures
    /// would be the price.
    pub(super) fn was_silent_to_edns(&self, address: IpAddr, now_ms: u64) {
        let again = self.change(address, |server| {
            server.silent_to_edns = server.silent_to_edns.saturating_add(1);
            server.silent_to_edns > 1
        });
        if again {
            self.knows_no_edns(address, now_ms);
        }
    }

    /// Its answers change the letter case of questions even where nobody can have forged them.
    pub(super) fn loses_case(&self, address: IpAddr) {
        self.change(address, |server| server.loses_case = true);
    }

    /// UDP did not get through to it, TCP did.
    pub(super) fn wants_tcp(&self, address: IpAddr, now_ms: u64) {
        let until_ms = now_ms + limits::SERVER_TCP.as_millis() as u64;
        self.change(address, |server| server.tcp_until_ms = until_ms);
    }

    /// Forgets all.
    pub fn forget(&self) {
        for shard in &self.shards {
            let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            shard.retain(|_, server| server.in_flight > 0);
        }
    }

    fn stranger_patience_ms(&self) -> f32 {
        let (time, deviation) = *self.stranger_ms.lock().unwrap_or_else(PoisonError::into_inner);
        let longest = limits::SERVER_PATIENCE_STRANGER.as_millis() as f32;
        (time + 4.0 * deviation).clamp(longest / 3.0, longest)
    }

    fn shun_family(&self, address: IpAddr, now_ms: u64) {
        let until_ms = now_ms + limits::FAMILY_SHUNNED.as_millis() as u64;
        self.family(address).shunned_until_ms.store(until_ms, Ordering::Relaxed);
    }

    /// Whether servers should rather be asked over IPv6.
    pub(super) fn prefers_ipv6(&self, now_ms: u64) -> bool {
        let poor = |ipv6: bool| {
            let shunned_until_ms = self.families[usize::from(ipv6)]
                .shunned_until_ms
                .load(Ordering::Relaxed);
            (now_ms < shunned_until_ms, self.is_doubted(ipv6))
        };
        poor(true) < poor(false)
    }

    fn is_doubted(&self, ipv6: bool) -> bool {
        let family = &self.families[usize::from(ipv6)];
        let other = &self.families[usize::from(!ipv6)];
        let silences = |family: &Family| family.silences.load(Ordering::Relaxed);
        !family.heard.load(Ordering::Relaxed)
            && (other.heard.load(Ordering::Relaxed) || silences(family) > silences(other))
    }

    fn family(&self, address: IpAddr) -> &Family {
        &self.families[usize::from(address.is_ipv6())]
    }

    fn change<T>(&self, address: IpAddr, with: impl FnOnce(&mut Server) -> T) -> T {
        let key = key(address);
        let mut shard = self.shard(address);
        if let Some(server) = shard.get(&key) {
            return with(server);
        }
        let mut server = Server::default();
        let result = with(&mut server);
        shard.put(&key, server, 0);
        result
    }

    fn shard(&self, address: IpAddr) -> MutexGuard<'_, Bounded<Server>> {
        let at = (self.secret.hash_one(address) >> 32) as usize % SHARDS;
        self.shards[at].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// See [`Servers::sent`].
pub(super) struct InFlight {
    servers: Arc<Servers>,
    address: IpAddr,
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.servers.change(self.address, |server| {
            server.in_flight = server.in_flight.saturating_sub(1);
        });
    }
}

/// IPv4 addresses as IPv6 ones that stand for them (RFC 4291 §2.5.5.2).
fn key(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => v6.octets(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn servers() -> Servers {
        Servers::new(1 << 20, Secret([1, 2]))
    }

    fn at(octet: u8) -> IpAddr {
        [192, 0, 2, octet].into()
    }

    #[test]
    fn times_are_smoothed_and_patience_follows_them() {
        let servers = servers();
        assert_eq!(servers.view(at(1), 0).time_ms, None);
        servers.heard(at(1), 40, true);
        assert_eq!(servers.view(at(1), 0).time_ms, Some(40.0));
        assert_eq!(servers.view(at(1), 0).patience_ms, 120);
        for _ in 0..50 {
            servers.heard(at(1), 20, true);
        }
        let view = servers.view(at(1), 0);
        assert!(view.time_ms.unwrap() < 21.0 && view.speaks_edns);
        assert!(view.patience_ms <= 60, "{}", view.patience_ms);
    }

    #[test]
    fn a_silent_server_rests_longer_each_time_and_one_word_wakes_it() {
        let servers = Arc::new(servers());
        for _ in 0..limits::SERVER_SILENCES {
            assert!(!servers.view(at(1), 0).down);
            servers.silent(at(1), 0, 0);
        }
        let rest = limits::SERVER_REST_MIN.as_millis() as u64;
        assert!(servers.view(at(1), rest - 1).resting);
        assert!(!servers.view(at(1), rest).resting, "it may be probed");
        let probe = servers.sent(at(1));
        assert!(servers.view(at(1), rest).resting, "by one at a time");
        drop(probe);
        servers.silent(at(1), rest, rest);
        assert!(servers.view(at(1), rest + rest).resting);
        servers.heard(at(1), 10, false);
        assert!(!servers.view(at(1), rest + rest).down);
    }

    #[test]
    fn a_hundred_queries_lost_at_once_are_one_silence() {
        let servers = servers();
        for _ in 0..100 {
            servers.silent(at(1), 10, 400);
        }
        assert!(!servers.view(at(1), 400).down);
    }

    #[test]
    fn a_family_without_a_way_is_shunned_until_something_is_heard() {
        let servers = servers();
        let v6: IpAddr = "2001:db8::1".parse().unwrap();
        servers.failed(v6, Why::NoRoute, 0, 0);
        assert!(servers.view("2001:db8::2".parse().unwrap(), 1).shunned);
        assert!(!servers.view(at(1), 1).shunned);
        servers.heard(v6, 5, true);
        assert!(!servers.view(v6, 1).shunned);
    }
}
