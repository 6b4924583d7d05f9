//! Looks up the names this program itself needs: of upstreams, of list publishers.
//!
//! Never through the system's resolver, which may be this program, and never through a profile. By the servers of
//! `resolver.bootstrap`; where it is empty, by this program's own resolver, which looks nothing up by name itself then.
//!
//! In: a host name. Out: its addresses.
//! Always: an address is kept for its TTL within bounds; when looking again fails, the last known addresses still serve.

use super::forward::BadUpstream;
use super::stub::Stub;
use super::{Answer, Failure, Question, Resolver, Scope};
use crate::clock;
use crate::dns::name::Name;
use crate::dns::rtype;
use crate::limits;
use hickory_proto::op::Message;
use hickory_proto::rr::RData;
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// Looks up names by asking plain DNS servers given by address, or a resolver.
pub struct Bootstrap {
    resolver: Arc<dyn Resolver>,
    families: Families,
    known: Mutex<HashMap<Name, Known>>,
}

/// Which addresses can be reached from here.
#[derive(Debug, Clone, Copy)]
pub struct Families {
    pub ipv4: bool,
    pub ipv6: bool,
}

#[derive(Clone)]
struct Known {
    addresses: Vec<IpAddr>,
    until_ms: u64,
}

impl Bootstrap {
    /// Asks `servers` (the setting `resolver.bootstrap`).
    pub fn new(servers: &[SocketAddr], families: Families) -> Result<Bootstrap, BadUpstream> {
        Ok(Bootstrap::through(Arc::new(Stub::new(servers)?), families))
    }

    /// Asks a resolver that needs no names looked up itself.
    pub fn through(resolver: Arc<dyn Resolver>, families: Families) -> Bootstrap {
        Bootstrap {
            resolver,
            families,
            known: Mutex::new(HashMap::new()),
        }
    }

    /// The addresses of a host, IPv4 first; never empty.
    pub async fn lookup(&self, name: &Name, deadline: Instant) -> Result<Vec<IpAddr>, Failure> {
        let now_ms = clock::now().mono_ms;
        let known = self.locked().get(name).cloned();
        match known {
            Some(known) if now_ms < known.until_ms => return Ok(known.addresses),
            _ => {}
        }
        match self.ask(name, deadline).await {
            Ok((addresses, ttl_s)) => {
                let mut table = self.locked();
                if table.len() >= limits::BOOTSTRAP_NAMES && !table.contains_key(name) {
                    table.retain(|_, known| now_ms < known.until_ms);
                }
                if table.len() < limits::BOOTSTRAP_NAMES || table.contains_key(name) {
                    let ttl_s = ttl_s.clamp(limits::BOOTSTRAP_TTL_MIN_S, limits::BOOTSTRAP_TTL_MAX_S);
                    let entry = Known {
                        addresses: addresses.clone(),
                        until_ms: now_ms + u64::from(ttl_s) * 1000,
                    };
                    table.insert(name.clone(), entry);
                }
                Ok(addresses)
            }
            Err(failure) => match self.locked().get_mut(name) {
                Some(known) => {
                    // An old address beats none; ask again after a while, not with every query.
                    known.until_ms = now_ms + u64::from(limits::BOOTSTRAP_TTL_MIN_S) * 1000;
                    Ok(known.addresses.clone())
                }
                None => Err(failure),
            },
        }
    }

    /// Has addresses asked for again. Until then, and should nobody answer, those known before serve on.
    pub fn forget(&self, scope: &Scope) {
        for (name, known) in self.locked().iter_mut() {
            if scope.covers(name) {
                known.until_ms = 0;
            }
        }
    }

    async fn ask(&self, name: &Name, deadline: Instant) -> Result<(Vec<IpAddr>, u32), Failure> {
        let question = |qtype| Question {
            name: name.clone(),
            qtype,
            dnssec_ok: false,
            checking_disabled: false,
        };
        let one = |qtype, wanted| async move {
            match wanted {
                true => Some(self.resolver.resolve(&question(qtype), deadline).await),
                false => None,
            }
        };
        let (v4, v6) = tokio::join!(one(rtype::A, self.families.ipv4), one(rtype::AAAA, self.families.ipv6));
        let mut addresses = Vec::new();
        let mut ttl_s = u32::MAX;
        let mut failure = None;
        for result in [v4, v6].into_iter().flatten() {
            match result {
                Ok(answer) => collect(&answer, &mut addresses, &mut ttl_s),
                Err(error) => failure = Some(error),
            }
        }
        if addresses.is_empty() {
            return Err(failure.unwrap_or_else(|| Failure::Upstream(format!("{name} has no address"))));
        }
        Ok((addresses, ttl_s))
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, HashMap<Name, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes the addresses out of an answer; a chain of aliases in front of them shortens their TTL.
fn collect(answer: &Answer, addresses: &mut Vec<IpAddr>, ttl_s: &mut u32) {
    let Ok(message) = Message::from_vec(&answer.message) else {
        return;
    };
    for record in &message.answers {
        let address = match &record.data {
            RData::A(address) => IpAddr::from(address.0),
            RData::AAAA(address) => IpAddr::from(address.0),
            RData::CNAME(_) => {
                *ttl_s = (*ttl_s).min(record.ttl);
                continue;
            }
            _ => continue,
        };
        *ttl_s = (*ttl_s).min(record.ttl);
        if addresses.len() < limits::BOOTSTRAP_ADDRESSES && !addresses.contains(&address) {
            addresses.push(address);
        }
    }
}
