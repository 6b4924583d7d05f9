//! What all resolutions share, and where they start.

use super::addresses::Networks;
use super::apexes::Apexes;
use super::bounded::Secret;
use super::delegations::Delegations;
use super::nameservers::OnTheWay;
use super::prime;
use super::servers::Servers;
use super::store::Store;
use super::task::{Errand, Task};
use super::walk::{Found, Trip, Walk};
use crate::config::settings::QnameMinimization;
use crate::dns::name::Name;
use crate::limits;
use crate::now::Now;
use crate::resolver::Scope;
use crate::resolver::validate::aggressive::Aggressive;
use crate::resolver::validate::{Validator, When, dates};
use ipnet::IpNet;
use std::collections::HashSet;
use std::hash::BuildHasher;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// How to resolve.
#[derive(Debug, Clone)]
pub struct EngineSettings {
    /// Addresses of root servers; whether one may be asked is not questioned.
    pub hints: Vec<IpAddr>,
    pub prime: bool,
    pub minimization: QnameMinimization,
    pub random_case: bool,
    pub ipv4: bool,
    pub ipv6: bool,
    /// UDP payload size to announce, in bytes.
    pub edns_buffer: u16,
    /// Allowance around the dates of signatures, in seconds.
    pub signature_skew_s: u32,
    /// The last time that was saved, in milliseconds since 1970: while the clock shows an earlier one, dates of signatures do not
    /// count.
    pub last_saved_unix_ms: Option<u64>,
    /// Networks that may be asked although they are not public.
    pub query_private: Vec<IpNet>,
    /// Bound of what is remembered of names, zones, keys and servers together, in bytes.
    pub memory_bytes: usize,
}

/// What is to be found out.
#[derive(Debug, Clone)]
pub struct Wanted {
    pub name: Name,
    pub qtype: u16,
    /// It is to be validated, where the engine validates: unless the client checks for itself (CD).
    pub check: bool,
    /// What is known counts only if it is fresh for so much longer: to renew what is popular before it expires.
    pub least_left_ms: u64,
}

/// See the page's first line.
pub struct Engine {
    pub(super) settings: EngineSettings,
    pub(super) networks: Networks,
    pub store: Store,
    pub delegations: Delegations,
    /// Which of these zones names were found in.
    pub(super) apexes: Apexes,
    pub servers: Arc<Servers>,
    /// Who checks what is found; `None` where nothing is to be checked.
    pub validator: Option<Validator>,
    /// Proofs for names that were not asked for yet (RFC 8198).
    pub(super) aggressive: Mutex<Aggressive>,
    pub(super) secret: Secret,
    /// What is being asked of servers at this moment, by hashes of zone, name and type.
    asking: Mutex<HashSet<u64>>,
    /// When to prime next, in milliseconds of the clock that never goes back; never when priming is off.
    prime_at_ms: AtomicU64,
}

impl Engine {
    /// Knows the root hints and nothing else. `secret` keeps others from choosing names whose hashes collide.
    pub fn new(settings: EngineSettings, validator: Option<Validator>, secret: [u64; 2]) -> Engine {
        let secret = Secret(secret);
        let shares = Shares::of(settings.memory_bytes, validator.is_some());
        let usable: Vec<IpAddr> = settings
            .hints
            .iter()
            .copied()
            .filter(|address| match address {
                IpAddr::V4(_) => settings.ipv4,
                IpAddr::V6(_) => settings.ipv6,
            })
            .collect();
        Engine {
            networks: Networks::new(settings.ipv4, settings.ipv6, &settings.query_private),
            store: Store::new(shares.sets, secret),
            delegations: Delegations::new(shares.delegations, secret, &usable),
            apexes: Apexes::new(secret),
            servers: Arc::new(Servers::new(shares.servers, secret)),
            validator: validator.map(|validator| validator.remembering(shares.keys)),
            aggressive: Mutex::new(Aggressive::new(shares.proofs)),
            secret,
            asking: Mutex::default(),
            prime_at_ms: AtomicU64::new(if settings.prime { 0 } else { u64::MAX }),
            settings,
        }
    }

    /// A resolution, to be stepped. `seed` is all the chance in it: from a good source of randomness, since IDs come of it.
    pub fn resolve(self: &Arc<Self>, wanted: Wanted, seed: u64, deadline_ms: u64, traced: bool) -> Task<Found> {
        let engine = Arc::clone(self);
        Task::start(seed, deadline_ms, traced, move |io| async move {
            let walk = Walk {
                engine,
                io,
                least_left_ms: wanted.least_left_ms,
            };
            walk.answer(&wanted.name, wanted.qtype, &Trip::own(wanted.check)).await
        })
    }

    /// Finds out who serves the zones on the way to `name`; for the rest as [`resolve`](Engine::resolve).
    pub fn nameservers(self: &Arc<Self>, name: Name, seed: u64, deadline_ms: u64, traced: bool) -> Task<OnTheWay> {
        let engine = Arc::clone(self);
        Task::start(seed, deadline_ms, traced, move |io| async move {
            let walk = Walk {
                engine,
                io,
                least_left_ms: 0,
            };
            walk.nameservers(&name).await
        })
    }

    /// An errand that a resolution wanted done.
    pub fn run(self: &Arc<Self>, errand: Errand, seed: u64, deadline_ms: u64, traced: bool) -> Task<()> {
        let engine = Arc::clone(self);
        Task::start(seed, deadline_ms, traced, move |io| async move {
            let walk = Walk {
                engine,
                io,
                least_left_ms: 0,
            };
            match errand {
                Errand::Prime => prime::prime(&walk).await,
                Errand::Revalidate(zone) => walk.revalidate(&zone).await,
            }
        })
    }

    /// The moment of a validation.
    pub(super) fn when(&self, now: Now) -> When {
        When {
            now,
            skew_s: self.settings.signature_skew_s,
            suspended: dates::is_plainly_wrong(now.unix_ms, self.settings.last_saved_unix_ms),
        }
    }

    /// Forgets what is known, and what would stand in for it: the next question is asked of its servers. What was measured of
    /// servers goes only with all else. Returns how many sets, denials and delegations went.
    pub fn forget(&self, scope: &Scope) -> usize {
        if *scope == Scope::All {
            self.servers.forget();
        }
        if let Some(validator) = &self.validator {
            validator.forget(scope.top());
        }
        let mut aggressive = self.aggressive.lock().unwrap_or_else(PoisonError::into_inner);
        aggressive.forget(scope.top());
        drop(aggressive);
        self.store.forget(scope) + self.delegations.forget(scope)
    }

    /// Takes the lead in asking servers of `zone` for `qtype` at `name`, unless another resolution has it. The lead ends when the
    /// value is dropped.
    pub(super) fn lead(self: &Arc<Self>, zone: &Name, name: &Name, qtype: u16) -> Option<Lead> {
        let key = self.secret.hash_one((zone, name, qtype));
        let fresh = self.asking.lock().unwrap_or_else(PoisonError::into_inner).insert(key);
        fresh.then(|| Lead {
            engine: Arc::clone(self),
            key,
        })
    }

    /// Whether it is time to prime, and this caller's to do.
    pub(super) fn claim_priming(&self, now_ms: u64) -> bool {
        let due_ms = self.prime_at_ms.load(Ordering::Relaxed);
        let retry_ms = now_ms + limits::PRIME_RETRY.as_millis() as u64;
        now_ms >= due_ms
            && self
                .prime_at_ms
                .compare_exchange(due_ms, retry_ms, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }

    pub(super) fn primed(&self, next_ms: u64) {
        self.prime_at_ms.store(next_ms, Ordering::Relaxed);
    }
}

/// What of the memory is for what, in bytes.
struct Shares {
    /// Keys of zones, and that zones have none.
    keys: usize,
    /// Proofs that answer other questions.
    proofs: usize,
    sets: usize,
    delegations: usize,
    servers: usize,
}

impl Shares {
    /// Where there is validation it gets three eighths at most. Of the rest half is for RRsets, three eighths for delegations, one
    /// eighth for servers.
    fn of(bytes: usize, validates: bool) -> Shares {
        let (keys, proofs) = match validates {
            true => (
                (bytes / 4).min(limits::ZONES_TRUSTED_BYTES),
                (bytes / 8).min(limits::AGGRESSIVE_BYTES),
            ),
            false => (0, 0),
        };
        let eighth = (bytes - keys - proofs) / 8;
        Shares {
            keys,
            proofs,
            sets: eighth * 4,
            delegations: eighth * 3,
            servers: eighth,
        }
    }
}

/// See [`Engine::lead`].
pub(super) struct Lead {
    engine: Arc<Engine>,
    key: u64,
}

impl Drop for Lead {
    fn drop(&mut self) {
        let mut asking = self.engine.asking.lock().unwrap_or_else(PoisonError::into_inner);
        asking.remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_is_remembered_together_stays_within_what_there_is() {
        for bytes in [0, 1000, 1 << 20, 42 << 20, 3 << 30] {
            for validates in [false, true] {
                let shares = Shares::of(bytes, validates);
                let sum = shares.keys + shares.proofs + shares.sets + shares.delegations + shares.servers;
                assert!(sum <= bytes && sum + 8 > bytes, "{sum} of {bytes}");
                assert_eq!(shares.keys > 0 && shares.proofs > 0, validates && bytes > 0);
            }
        }
    }
}
