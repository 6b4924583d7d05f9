//! Which entry goes when room is needed: SIEVE.
//!
//! In: what was stored and removed, and which entries were read. Out: the next to go.
//! Always: constant work for each entry stored, on average; nothing here is touched when an entry is read.
//!
//! Entries stand in a queue in the order they were stored. A hand walks from the oldest to the newest: an entry that was
//! read since the hand last passed stays where it is, the first that was not goes. Whatever was asked for only once goes
//! soon after it came; what is asked for again stays without being moved.

/// The entries as the queue sees them. Numbers are not 0.
pub trait Nodes {
    /// Neighbors in the queue: the newer, the older; 0 for none.
    fn links(&self, id: u32) -> (u32, u32);
    fn set_links(&self, id: u32, links: (u32, u32));
    /// Whether the entry was read since this was last asked.
    fn take_visited(&self, id: u32) -> bool;
    /// Whether the entry is of no more use to anyone.
    fn is_dead(&self, id: u32) -> bool;
}

/// The queue and its hand.
#[derive(Debug, Default)]
pub struct Sieve {
    newest: u32,
    oldest: u32,
    /// Where the next search begins; 0 is at the oldest.
    hand: u32,
    len: usize,
}

impl Sieve {
    pub fn len(&self) -> usize {
        self.len
    }

    /// Adds an entry as the newest.
    pub fn insert(&mut self, nodes: &impl Nodes, id: u32) {
        nodes.set_links(id, (0, self.newest));
        match self.newest {
            0 => self.oldest = id,
            next => nodes.set_links(next, (id, nodes.links(next).1)),
        }
        self.newest = id;
        self.len += 1;
    }

    /// Takes an entry out of the queue.
    pub fn remove(&mut self, nodes: &impl Nodes, id: u32) {
        let (newer, older) = nodes.links(id);
        if self.hand == id {
            self.hand = newer;
        }
        match newer {
            0 => self.newest = older,
            newer => nodes.set_links(newer, (nodes.links(newer).0, older)),
        }
        match older {
            0 => self.oldest = newer,
            older => nodes.set_links(older, (newer, nodes.links(older).1)),
        }
        self.len -= 1;
    }

    /// The entry that should go next, still in the queue; `None` if the queue is empty.
    pub fn victim(&mut self, nodes: &impl Nodes) -> Option<u32> {
        let mut at = if self.hand == 0 { self.oldest } else { self.hand };
        // Readers may mark entries as fast as the hand clears them; after one round whatever it stands on must go.
        for _ in 0..self.len {
            if nodes.is_dead(at) || !nodes.take_visited(at) {
                break;
            }
            at = match nodes.links(at).0 {
                0 => self.oldest,
                newer => newer,
            };
        }
        self.hand = at;
        (at != 0).then_some(at)
    }

    /// All entries, oldest first.
    pub fn iter<'a, N: Nodes>(&self, nodes: &'a N) -> impl Iterator<Item = u32> + use<'a, N> {
        let mut at = self.oldest;
        std::iter::from_fn(move || {
            let this = at;
            (this != 0).then(|| {
                at = nodes.links(this).0;
                this
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    #[derive(Default, Clone)]
    struct Node {
        links: (u32, u32),
        visited: bool,
        dead: bool,
    }

    struct Table(RefCell<Vec<Node>>);

    impl Nodes for Table {
        fn links(&self, id: u32) -> (u32, u32) {
            self.0.borrow()[id as usize].links
        }
        fn set_links(&self, id: u32, links: (u32, u32)) {
            self.0.borrow_mut()[id as usize].links = links;
        }
        fn take_visited(&self, id: u32) -> bool {
            std::mem::take(&mut self.0.borrow_mut()[id as usize].visited)
        }
        fn is_dead(&self, id: u32) -> bool {
            self.0.borrow()[id as usize].dead
        }
    }

    impl Table {
        fn visit(&self, id: u32) {
            self.0.borrow_mut()[id as usize].visited = true;
        }
    }

    fn filled(count: u32) -> (Table, Sieve) {
        let table = Table(RefCell::new(vec![Node::default(); count as usize + 10]));
        let mut sieve = Sieve::default();
        for id in 1..=count {
            sieve.insert(&table, id);
        }
        (table, sieve)
    }

    fn evict(table: &Table, sieve: &mut Sieve) -> Option<u32> {
        let id = sieve.victim(table)?;
        sieve.remove(table, id);
        Some(id)
    }

    #[test]
    fn the_hand_spares_what_was_read_and_goes_on_from_where_it_stopped() {
        let (table, mut sieve) = filled(5);
        table.visit(1);
        table.visit(3);
        assert_eq!(evict(&table, &mut sieve), Some(2));
        sieve.insert(&table, 6);
        assert_eq!(
            evict(&table, &mut sieve),
            Some(4),
            "3 was read; the new entry is behind the hand's way"
        );
        assert_eq!(sieve.iter(&table).collect::<Vec<_>>(), [1, 3, 5, 6]);
        assert_eq!(evict(&table, &mut sieve), Some(5));
        assert_eq!(evict(&table, &mut sieve), Some(6));
        assert_eq!(
            evict(&table, &mut sieve),
            Some(1),
            "round again: its mark was taken the first time"
        );
    }

    #[test]
    fn a_dead_entry_goes_although_it_was_read() {
        let (table, mut sieve) = filled(3);
        table.visit(1);
        table.0.borrow_mut()[1].dead = true;
        assert_eq!(evict(&table, &mut sieve), Some(1));
    }

    #[test]
    fn when_all_were_read_one_still_goes_and_when_none_is_left_none_does() {
        let (table, mut sieve) = filled(4);
        (1..=4).for_each(|id| table.visit(id));
        let mut gone: Vec<u32> = std::iter::from_fn(|| evict(&table, &mut sieve)).collect();
        gone.sort_unstable();
        assert_eq!(gone, [1, 2, 3, 4]);
        assert_eq!(sieve.len(), 0);
        sieve.insert(&table, 2);
        assert_eq!(sieve.iter(&table).collect::<Vec<_>>(), [2]);
    }

    #[test]
    fn removing_from_the_ends_and_the_middle_keeps_the_queue_in_order() {
        let (table, mut sieve) = filled(6);
        for id in [1, 6, 3] {
            sieve.remove(&table, id);
        }
        assert_eq!(sieve.iter(&table).collect::<Vec<_>>(), [2, 4, 5]);
        assert_eq!(sieve.len(), 3);
    }
}
