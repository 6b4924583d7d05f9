//! The stream connections that are open, and which of them is closed when there are too many.
//!
//! In: a new connection's client. Out: its place. Always: at most [`TCP_CONNECTIONS`] in all, fewer where the process may open few
//! files, and, except from this machine itself, [`TCP_CONNECTIONS_PER_CLIENT`] of one client. At a bound it is the idlest that goes,
//! not the new one that is refused: clients that came to ask are served, those that only hold on to a connection can connect again.
//! Keeps: RFC 7766 §6.2.2 and §6.2.3, RFC 9210 §4.

use super::inbox::{Inbox, Told};
use crate::count::{Count, Counts};
use crate::limits::{OPEN_FILES_KEPT, TCP_CONNECTIONS, TCP_CONNECTIONS_PER_CLIENT};
use crate::listener::clients::{Client, client};
use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// All open connections.
#[derive(Debug)]
pub(in crate::listener) struct Places {
    bound: usize,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    by_id: HashMap<u64, Connected>,
    /// When each was last seen active, and its number. That may be long ago: who takes the first looks whether it is still so, and
    /// puts it where it belongs. So a query has nothing to do here, and finding the idlest takes no look at all of them.
    by_age: BTreeSet<(u64, u64)>,
    /// Those of each client but this machine; none has 0.
    of_client: HashMap<IpAddr, Vec<u64>>,
    next_id: u64,
}

#[derive(Debug)]
struct Connected {
    client: Client,
    inbox: Arc<Inbox>,
    /// Where it stands in `by_age`.
    seen_ms: u64,
}

/// One open connection's place among them; leaves it when dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Arc<Places>,
    id: u64,
    pub inbox: Arc<Inbox>,
}

/// How many connections may be open where so many files are left for them and for what else the process opens. Says so in the log if
/// these are fewer than usual.
fn bound(files_left: usize) -> usize {
    let bound = files_left - OPEN_FILES_KEPT.min(files_left / 2);
    if bound < TCP_CONNECTIONS {
        tracing::warn!(
            "the limit of open files leaves room for {bound} TCP connections at once instead of {TCP_CONNECTIONS}; \
             LimitNOFILE= of the service or `ulimit -n` raises it"
        );
    }
    bound.clamp(1, TCP_CONNECTIONS)
}

impl Places {
    /// `files_left`: files that the process may have open beside those towards other servers.
    pub fn new(files_left: usize) -> Places {
        Places {
            bound: bound(files_left),
            open: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a new connection, and what to count for the one that was closed for it, if one was.
    pub(super) fn enter(self: &Arc<Places>, address: IpAddr) -> (Place, Counts) {
        let client = client(address);
        let mut open = self.lock();
        let of_client = client.and_then(|client| open.of_client.get(&client));
        let counts = match of_client {
            Some(others) if others.len() >= TCP_CONNECTIONS_PER_CLIENT => {
                let idlest = open.idlest(others);
                open.close(idlest, Count::TcpClosedClient)
            }
            _ if open.by_id.len() >= self.bound => open.close_idlest(),
            _ => Counts::NONE,
        };
        let inbox = Arc::new(Inbox::new());
        let id = open.add(client, Arc::clone(&inbox));
        drop(open);
        let place = Place {
            places: Arc::clone(self),
            id,
            inbox,
        };
        (place, counts)
    }

    /// Closes the idlest connection of all, for want of something else; returns what to count.
    pub(super) fn close_idlest(&self) -> Counts {
        self.lock().close_idlest()
    }

    /// Has all of them end when what came in is answered.
    pub(super) fn stop(&self) {
        for connected in self.lock().by_id.values() {
            connected.inbox.tell(Told::Stop);
        }
    }
}

impl Open {
    fn add(&mut self, client: Client, inbox: Arc<Inbox>) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        let seen_ms = inbox.active_ms();
        self.by_age.insert((seen_ms, id));
        if let Some(client) = client {
            self.of_client.entry(client).or_default().push(id);
        }
        let connected = Connected { client, inbox, seen_ms };
        self.by_id.insert(id, connected);
        id
    }

    fn close_idlest(&mut self) -> Counts {
        while let Some((seen_ms, id)) = self.by_age.pop_first() {
            let Some(connected) = self.by_id.get_mut(&id) else {
                continue;
            };
            let active_ms = connected.inbox.active_ms();
            // Of equals the oldest, which has the lowest number.
            self.by_age.insert((active_ms, id));
            connected.seen_ms = active_ms;
            if active_ms == seen_ms {
                return self.close(Some(id), Count::TcpClosedLimit);
            }
        }
        Counts::NONE
    }

    /// The idlest of some.
    fn idlest(&self, ids: &[u64]) -> Option<u64> {
        let ages = ids
            .iter()
            .filter_map(|id| Some((self.by_id.get(id)?.inbox.active_ms(), *id)));
        ages.min().map(|(_, id)| id)
    }

    fn close(&mut self, id: Option<u64>, count: Count) -> Counts {
        match id.and_then(|id| self.remove(id)) {
            Some(connected) => {
                connected.inbox.tell(Told::Close);
                count.into()
            }
            None => Counts::NONE,
        }
    }

    fn remove(&mut self, id: u64) -> Option<Connected> {
        let connected = self.by_id.remove(&id)?;
        self.by_age.remove(&(connected.seen_ms, id));
        if let Some(client) = connected.client
            && let Some(ids) = self.of_client.get_mut(&client)
        {
            ids.retain(|other| *other != id);
            if ids.is_empty() {
                self.of_client.remove(&client);
            }
        }
        Some(connected)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // It may have been closed for another.
        self.places.lock().remove(self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn places() -> Arc<Places> {
        Arc::new(Places::new(usize::MAX))
    }

    /// Opens `count` connections; all but the first have been active since.
    fn fill(places: &Arc<Places>, from: &str, count: usize) -> Vec<Place> {
        let filled: Vec<Place> = (0..count)
            .map(|_| {
                let (place, counts) = places.enter(address(from));
                assert!(counts.is_empty(), "there is room");
                place
            })
            .collect();
        let start = filled[0].inbox.active_ms();
        filled[1..].iter().for_each(|place| place.inbox.active(start + 1000));
        filled
    }

    fn is_closed(place: &Place) -> bool {
        place.inbox.told() == Told::Close
    }

    #[test]
    fn a_client_at_its_bound_loses_its_idlest_connection_and_others_lose_none() {
        let places = places();
        let other = fill(&places, "192.0.2.1", 1);
        let mut greedy = fill(&places, "198.51.100.1", TCP_CONNECTIONS_PER_CLIENT);
        let (last, counts) = places.enter(address("::ffff:198.51.100.1"));
        assert!(counts.contains(Count::TcpClosedClient));
        assert!(is_closed(&greedy[0]) && !is_closed(&greedy[1]) && !is_closed(&other[0]) && !is_closed(&last));
        // One that ends by itself makes room.
        greedy.pop();
        assert!(places.enter(address("198.51.100.1")).1.is_empty());
        drop((greedy, last, other));
        let open = places.lock();
        assert!(open.by_id.is_empty() && open.by_age.is_empty() && open.of_client.is_empty());
    }

    #[test]
    fn an_ipv6_client_is_its_64_whatever_address_it_takes() {
        let places = places();
        let _same = fill(&places, "2001:db8::1", TCP_CONNECTIONS_PER_CLIENT);
        assert!(places.enter(address("2001:db8:0:1::1")).1.is_empty());
        let (_, counts) = places.enter(address("2001:db8::ffff:1"));
        assert!(counts.contains(Count::TcpClosedClient));
    }

    #[test]
    fn this_machine_is_bound_only_by_what_there_is_in_all() {
        let places = places();
        let local = fill(&places, "127.0.0.1", TCP_CONNECTIONS - 1);
        let other = fill(&places, "192.0.2.1", 1);
        let (_place, counts) = places.enter(address("::1"));
        assert!(counts.contains(Count::TcpClosedLimit));
        assert!(is_closed(&local[0]) && !is_closed(&local[1]) && !is_closed(&other[0]));
    }

    #[test]
    fn with_all_places_taken_those_go_first_that_have_been_idle_longest_whenever_they_came() {
        let places = Arc::new(Places::new(12));
        assert_eq!(places.bound, 6, "half is kept where there are few files");
        let held = fill(&places, "127.0.0.1", 6);
        let start = held[0].inbox.active_ms();
        for (place, ms) in held.iter().zip([5, 3, 9, 1, 3, 7]) {
            place.inbox.active(start + ms);
        }
        let mut order = Vec::new();
        let newer: Vec<Place> = (0..4)
            .map(|_| {
                let (place, counts) = places.enter(address("127.0.0.1"));
                assert!(counts.contains(Count::TcpClosedLimit));
                place.inbox.active(start + 1000);
                let gone = |at: &usize| is_closed(&held[*at]) && !order.contains(at);
                order.extend((0..held.len()).filter(gone).collect::<Vec<_>>());
                place
            })
            .collect();
        assert_eq!(order, [3, 1, 4, 0]);
        assert!(!newer.iter().any(is_closed));
        places.stop();
        let told: Vec<Told> = held.iter().chain(&newer).map(|place| place.inbox.told()).collect();
        let (close, stop) = (Told::Close, Told::Stop);
        assert_eq!(told, [close, close, stop, close, close, stop, stop, stop, stop, stop]);
    }

    #[test]
    fn few_files_mean_few_connections_and_one_there_always_is() {
        assert_eq!(bound(usize::MAX), TCP_CONNECTIONS);
        assert_eq!(bound(TCP_CONNECTIONS + OPEN_FILES_KEPT), TCP_CONNECTIONS);
        assert_eq!(bound(1000), 1000 - OPEN_FILES_KEPT);
        assert_eq!(bound(64), 32);
        assert_eq!(bound(0), 1);
    }
}
