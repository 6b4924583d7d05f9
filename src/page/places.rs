//! The connections that are open, and which of them is closed when there are too many.
//!
//! In: a new connection's client. Out: its place. Always: at most [`PAGE_CONNECTIONS`] in all and, except from this machine itself,
//! [`PAGE_CONNECTIONS_PER_CLIENT`] of one client. At a bound the oldest goes, not the new one: a connection lives for one request, so that
//! the oldest is one that waits.

use crate::limits::{PAGE_CONNECTIONS, PAGE_CONNECTIONS_PER_CLIENT};
use crate::listener::{Client, client};
use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::task::AbortHandle;

/// All open connections.
#[derive(Debug, Default)]
pub struct Places {
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    /// The oldest first.
    connections: VecDeque<Connected>,
    next_id: u64,
}

#[derive(Debug)]
struct Connected {
    id: u64,
    client: Client,
    /// `None` until its task is there.
    task: Option<AbortHandle>,
}

/// One connection's place among them; leaves it when dropped.
#[derive(Debug)]
pub struct Place {
    places: Arc<Places>,
    id: u64,
}

impl Places {
    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a new connection, and whether another was closed for it.
    pub fn enter(self: &Arc<Places>, address: IpAddr) -> (Place, bool) {
        let client = client(address);
        let mut open = self.lock();
        let own = |one: &Connected| client.is_some() && one.client == client;
        let too_many = open.connections.iter().filter(|one| own(one)).count() >= PAGE_CONNECTIONS_PER_CLIENT;
        let gone = match too_many {
            true => open.connections.iter().position(own),
            false => (open.connections.len() >= PAGE_CONNECTIONS).then_some(0),
        };
        if let Some(connected) = gone.and_then(|at| open.connections.remove(at))
            && let Some(task) = connected.task
        {
            task.abort();
        }
        let id = open.next_id;
        open.next_id += 1;
        open.connections.push_back(Connected { id, client, task: None });
        drop(open);
        let places = Arc::clone(self);
        (Place { places, id }, gone.is_some())
    }

    /// Says which task serves the connection that has this place.
    pub fn serves(&self, id: u64, task: AbortHandle) {
        let mut open = self.lock();
        match open.connections.iter_mut().find(|one| one.id == id) {
            Some(connected) => connected.task = Some(task),
            // It is over, or was closed for another before it began.
            None => task.abort(),
        }
    }

    /// Closes the oldest connection, for want of something else.
    pub fn close_oldest(&self) {
        let oldest = self.lock().connections.pop_front();
        if let Some(task) = oldest.and_then(|oldest| oldest.task) {
            task.abort();
        }
    }
}

impl Place {
    pub fn id(&self) -> u64 {
        self.id
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // It may have been closed for another.
        self.places.lock().connections.retain(|one| one.id != self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn enter(places: &Arc<Places>, from: &str) -> (Place, bool) {
        places.enter(from.parse().unwrap())
    }

    fn is_there(places: &Places, place: &Place) -> bool {
        places.lock().connections.iter().any(|one| one.id == place.id)
    }

    #[test]
    fn a_client_at_its_bound_loses_its_oldest_connection_and_others_lose_none() {
        let places = Arc::new(Places::default());
        let (other, _) = enter(&places, "192.0.2.1");
        let mut greedy: Vec<Place> = Vec::new();
        for _ in 0..PAGE_CONNECTIONS_PER_CLIENT {
            let (place, closed) = enter(&places, "2001:db8::1");
            assert!(!closed);
            greedy.push(place);
        }
        let (last, closed) = enter(&places, "2001:db8::ffff");
        assert!(closed && !is_there(&places, &greedy[0]));
        assert!([&greedy[1], &other, &last].iter().all(|place| is_there(&places, place)));
        // One that ends by itself makes room.
        greedy.pop();
        assert!(!enter(&places, "2001:db8::1").1);
        drop((greedy, other, last));
        assert!(places.lock().connections.is_empty());
    }

    #[test]
    fn with_all_places_taken_the_oldest_goes_whoever_has_it() {
        let places = Arc::new(Places::default());
        let held: Vec<Place> = (0..PAGE_CONNECTIONS).map(|_| enter(&places, "127.0.0.1").0).collect();
        let (_new, closed) = enter(&places, "192.0.2.1");
        assert!(closed && !is_there(&places, &held[0]) && is_there(&places, &held[1]));
        assert_eq!(places.lock().connections.len(), PAGE_CONNECTIONS);
    }

    #[tokio::test]
    async fn what_is_closed_for_another_ends() {
        let places = Arc::new(Places::default());
        let (place, _) = enter(&places, "127.0.0.1");
        let id = place.id();
        let task = tokio::spawn(async move {
            let _place = place;
            std::future::pending::<()>().await
        });
        places.serves(id, task.abort_handle());
        places.close_oldest();
        assert!(task.await.unwrap_err().is_cancelled());
    }
}
