//! The stream connections that are open, and which of them is closed when there are too many.
//!
//! In: a new connection's client. Out: its place. Always: at most [`TCP_CONNECTIONS`] in all and, except from this machine
//! itself, [`TCP_CONNECTIONS_PER_CLIENT`] of one client. At a bound it is the idlest that goes, not the new one that is refused:
//! clients that came to ask are served, those that only hold on to a connection can connect again.
//! Keeps: RFC 7766 §6.2.2 and §6.2.3, RFC 9210 §4.

use super::clients::{Client, client};
use crate::clock;
use crate::count::{Count, Counts};
use crate::limits::{TCP_CONNECTIONS, TCP_CONNECTIONS_PER_CLIENT};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// All open connections.
#[derive(Default)]
pub(super) struct Connections {
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    by_id: HashMap<u64, (Client, Arc<Activity>)>,
    /// How many each client has; none has 0.
    of_client: HashMap<Client, usize>,
    next_id: u64,
}

/// What a connection and whoever closes it know of each other.
#[derive(Default)]
struct Activity {
    /// [`Now::mono_ms`](crate::now::Now::mono_ms) of its last query or response.
    last_ms: AtomicU64,
    close: Notify,
}

/// One open connection's place among them; leaves it when dropped.
pub(super) struct Entry {
    connections: Arc<Connections>,
    id: u64,
    activity: Arc<Activity>,
}

impl Connections {
    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a new connection, and what to count for the one that was closed for it, if one was.
    pub(super) fn enter(self: &Arc<Connections>, address: IpAddr) -> (Entry, Counts) {
        let client = client(address);
        let mut open = self.lock();
        let of_client = open.of_client.get(&client).copied().unwrap_or(0);
        let counts = if client.is_some() && of_client >= TCP_CONNECTIONS_PER_CLIENT {
            open.close_idlest(|other| other == client, Count::TcpClosedClient)
        } else if open.by_id.len() >= TCP_CONNECTIONS {
            open.close_idlest(|_| true, Count::TcpClosedLimit)
        } else {
            Counts::NONE
        };
        let activity = Arc::new(Activity::default());
        activity.last_ms.store(clock::now().mono_ms, Ordering::Relaxed);
        let id = open.next_id;
        open.next_id += 1;
        open.by_id.insert(id, (client, Arc::clone(&activity)));
        *open.of_client.entry(client).or_insert(0) += 1;
        drop(open);
        let entry = Entry {
            connections: Arc::clone(self),
            id,
            activity,
        };
        (entry, counts)
    }

    /// Closes the idlest connection of all, for want of something else; returns what to count.
    pub(super) fn close_idlest(&self) -> Counts {
        self.lock().close_idlest(|_| true, Count::TcpClosedLimit)
    }
}

impl Open {
    fn close_idlest(&mut self, of: impl Fn(Client) -> bool, count: Count) -> Counts {
        let candidates = self.by_id.iter().filter(|(_, (client, _))| of(*client));
        // Of equals the oldest.
        let idlest = candidates.min_by_key(|(id, (_, activity))| (activity.last_ms.load(Ordering::Relaxed), **id));
        match idlest.map(|(&id, _)| id).and_then(|id| self.remove(id)) {
            Some(activity) => {
                activity.close.notify_one();
                count.into()
            }
            None => Counts::NONE,
        }
    }

    fn remove(&mut self, id: u64) -> Option<Arc<Activity>> {
        let (client, activity) = self.by_id.remove(&id)?;
        if let Some(count) = self.of_client.get_mut(&client) {
            *count -= 1;
            if *count == 0 {
                self.of_client.remove(&client);
            }
        }
        Some(activity)
    }
}

impl Entry {
    /// Something was asked or answered now.
    pub(super) fn active(&self) {
        self.activity.last_ms.store(clock::now().mono_ms, Ordering::Relaxed);
    }

    /// Waits until another connection needs the place.
    pub(super) async fn closed(&self) {
        self.activity.close.notified().await;
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        // It may have been closed for another.
        self.connections.lock().remove(self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    /// Opens `count` connections; all but the first have been active since.
    fn fill(connections: &Arc<Connections>, from: &str, count: usize) -> Vec<Entry> {
        let entries: Vec<Entry> = (0..count)
            .map(|_| {
                let (entry, counts) = connections.enter(address(from));
                assert!(counts.is_empty(), "there is room");
                entry
            })
            .collect();
        for (index, entry) in entries.iter().enumerate() {
            entry.activity.last_ms.store(u64::from(index != 0), Ordering::Relaxed);
        }
        entries
    }

    fn is_closed(entry: &Entry) -> bool {
        !entry.connections.lock().by_id.contains_key(&entry.id)
    }

    #[test]
    fn a_client_at_its_bound_loses_its_idlest_connection_and_others_lose_none() {
        let connections = Arc::new(Connections::default());
        let other = fill(&connections, "192.0.2.1", 1);
        let mut greedy = fill(&connections, "198.51.100.1", TCP_CONNECTIONS_PER_CLIENT);
        let (last, counts) = connections.enter(address("::ffff:198.51.100.1"));
        assert!(counts.contains(Count::TcpClosedClient));
        assert!(is_closed(&greedy[0]) && !is_closed(&greedy[1]) && !is_closed(&other[0]) && !is_closed(&last));
        // One that ends by itself makes room.
        greedy.pop();
        assert!(connections.enter(address("198.51.100.1")).1.is_empty());
        drop((greedy, last, other));
        let open = connections.lock();
        assert!(open.by_id.is_empty() && open.of_client.is_empty());
    }

    #[test]
    fn an_ipv6_client_is_its_64_whatever_address_it_takes() {
        let connections = Arc::new(Connections::default());
        let _same = fill(&connections, "2001:db8::1", TCP_CONNECTIONS_PER_CLIENT);
        assert!(connections.enter(address("2001:db8:0:1::1")).1.is_empty());
        let (_, counts) = connections.enter(address("2001:db8::ffff:1"));
        assert!(counts.contains(Count::TcpClosedClient));
    }

    #[test]
    fn this_machine_is_bound_only_by_what_there_is_in_all() {
        let connections = Arc::new(Connections::default());
        let local = fill(&connections, "127.0.0.1", TCP_CONNECTIONS - 1);
        let other = fill(&connections, "192.0.2.1", 1);
        let (_entry, counts) = connections.enter(address("::1"));
        assert!(counts.contains(Count::TcpClosedLimit));
        // Both are as idle; the older one goes.
        assert!(is_closed(&local[0]) && !is_closed(&other[0]));
    }

    #[tokio::test]
    async fn a_connection_is_told_that_it_is_closed() {
        let connections = Arc::new(Connections::default());
        let (entry, _) = connections.enter(address("192.0.2.1"));
        assert!(connections.close_idlest().contains(Count::TcpClosedLimit));
        entry.closed().await;
        assert!(connections.close_idlest().is_empty(), "there is none left");
    }
}
