//! How many queries of each client wait for the resolver.
//!
//! In: the address a query came from. Out: its place among those of its client, or none.
//! Always: at most [`PENDING_QUERIES_PER_CLIENT`] of one client, except of this machine itself, so that one that asks for names nobody
//! answers does not take the places of all others. Only queries that no cache could answer come here, so a lock is no hardship.

use crate::limits::PENDING_QUERIES_PER_CLIENT;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Who asks, as far as one client can be told from another: an IPv4 address, or the /64 of an IPv6 address, in which a client has
/// as many addresses as it likes (RFC 4291 §2.5.1, RFC 8981). `None`: this machine itself, where a proxy or forwarder may bring
/// the queries of everybody.
pub(crate) type Client = Option<IpAddr>;

pub(crate) fn client(address: IpAddr) -> Client {
    match address.to_canonical() {
        address if address.is_loopback() => None,
        IpAddr::V4(address) => Some(IpAddr::V4(address)),
        IpAddr::V6(address) => Some(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into()),
    }
}

/// Queries that wait, by client; none has 0.
#[derive(Debug, Default)]
pub(super) struct Clients {
    waiting: Mutex<HashMap<IpAddr, usize>>,
}

/// One query among those of its client; leaves them when dropped.
#[derive(Debug)]
pub(super) struct Among {
    clients: Arc<Clients>,
    client: Client,
}

impl Clients {
    /// One more query waits; `None` if its client has too many already.
    pub fn enter(self: &Arc<Clients>, address: IpAddr) -> Option<Among> {
        let client = client(address);
        if let Some(address) = client {
            let mut waiting = self.lock();
            let count = waiting.entry(address).or_insert(0);
            if *count >= PENDING_QUERIES_PER_CLIENT {
                return None;
            }
            *count += 1;
        }
        Some(Among {
            clients: Arc::clone(self),
            client,
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Among {
    fn drop(&mut self) {
        let Some(address) = self.client else { return };
        let mut waiting = self.clients.lock();
        if let Some(count) = waiting.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                waiting.remove(&address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn a_client_has_so_many_places_whatever_address_of_its_own_it_takes_and_others_have_theirs() {
        let clients = Arc::new(Clients::default());
        for (greedy, same, other) in [
            ("198.51.100.1", "::ffff:198.51.100.1", "198.51.100.2"),
            ("2001:db8::1", "2001:db8::ffff:2", "2001:db8:0:1::1"),
        ] {
            let mut places: Vec<Among> = (0..PENDING_QUERIES_PER_CLIENT)
                .map(|_| clients.enter(address(greedy)).expect("there is room"))
                .collect();
            assert!(clients.enter(address(greedy)).is_none() && clients.enter(address(same)).is_none());
            assert!(clients.enter(address(other)).is_some());
            places.pop();
            assert!(clients.enter(address(same)).is_some(), "one has gone");
        }
        assert!(clients.lock().is_empty(), "nothing is left of who has gone");
    }

    #[test]
    fn this_machine_is_bound_only_by_what_there_is_in_all() {
        let clients = Arc::new(Clients::default());
        let places: Vec<_> = (0..PENDING_QUERIES_PER_CLIENT + 10)
            .map(|_| clients.enter(address("127.0.0.1")))
            .collect();
        assert!(places.iter().all(Option::is_some));
    }
}
