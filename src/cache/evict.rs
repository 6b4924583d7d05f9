//! Which entry goes when room is needed: newcomers wait apart, and who comes back in time is let in at once.
//!
//! In: what was stored, replaced and removed, and how often entries were read. Out: the next to go.
//! Always: constant work for each entry stored, on average; nothing here is touched when an entry is read.
//!
//! A newcomer stands in a short queue, a fiftieth of all entries. At its end it joins the residents if it was read, or
//! goes, and its hash is remembered ([`Departed`]) until nine tenths as many as there are entries went after it. What is
//! asked for again within that time becomes a resident at once. Residents stand in a queue too: at its end one that was read
//! goes back to the beginning, one read poorer, and one that was not goes. Whatever is asked for only once therefore never takes room
//! from residents, however much of it there is.

use super::departed::Departed;

/// How many reads are counted. More would keep what was popular once for longer than it deserves.
pub const MOST_READS: u32 = 3;
/// Newcomers are one in so many entries.
const NEWCOMER_PART: usize = 50;

/// An entry's place in its queue. Numbers of entries are below 2^28, and 0 is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Place {
    pub newer: u32,
    pub older: u32,
    /// Whether the queue is that of the residents.
    pub resident: bool,
}

/// The entries as the queues see them.
pub trait Nodes {
    fn place(&self, id: u32) -> Place;
    fn set_place(&self, id: u32, place: Place);
    /// How often the entry was read, up to [`MOST_READS`], since it came or since this was last set.
    fn reads(&self, id: u32) -> u32;
    fn set_reads(&self, id: u32, reads: u32);
    /// Whether the entry is of no more use to anyone.
    fn is_dead(&self, id: u32) -> bool;
    fn hash(&self, id: u32) -> u64;
}

/// The two queues, and what left them.
#[derive(Debug, Default)]
pub struct Queues {
    newcomers: Queue,
    residents: Queue,
    departed: Departed,
}

impl Queues {
    /// Queues for at most `room` entries.
    pub fn new(room: usize) -> Queues {
        Queues {
            departed: Departed::new(room),
            ..Queues::default()
        }
    }

    pub fn len(&self) -> usize {
        self.newcomers.len + self.residents.len
    }

    /// Bytes of memory taken so far.
    pub fn bytes(&self) -> usize {
        self.departed.bytes()
    }

    /// Bytes of memory when all of it is taken.
    pub fn full_bytes(&self) -> usize {
        self.departed.full_bytes()
    }

    /// Adds an entry, to the residents if it left not long ago.
    pub fn admit(&mut self, nodes: &impl Nodes, id: u32) {
        let length = self.len() * 9 / 10;
        let resident = self.departed.take(nodes.hash(id), length);
        self.queue(resident).push(nodes, id, resident);
    }

    /// Puts an entry in the place of another, as one that was read once more: it was asked for again.
    pub fn replace(&mut self, nodes: &impl Nodes, old: u32, new: u32) {
        let place = nodes.place(old);
        self.queue(place.resident).replace(nodes, place, new);
        nodes.set_reads(new, (nodes.reads(old) + 1).min(MOST_READS));
    }

    /// Takes an entry out, of which nothing is remembered.
    pub fn remove(&mut self, nodes: &impl Nodes, id: u32) {
        let place = nodes.place(id);
        self.queue(place.resident).remove(nodes, place);
    }

    /// Takes an entry out that goes because room is needed. Remembered are newcomers, and residents that were in use but past
    /// their time: who asks for those next is to find them among the residents again.
    pub fn evict(&mut self, nodes: &impl Nodes, id: u32) {
        if !nodes.place(id).resident || nodes.reads(id) > 0 && nodes.is_dead(id) {
            self.departed.add(nodes.hash(id));
        }
        self.remove(nodes, id);
    }

    /// The entry that should go next, still in its queue; `None` if there is none.
    pub fn victim(&mut self, nodes: &impl Nodes) -> Option<u32> {
        let mut spared = 0;
        loop {
            let waiting = self.newcomers.len;
            if waiting > 0 && waiting >= self.len() / NEWCOMER_PART || self.residents.len == 0 {
                let id = self.newcomers.oldest;
                if id == 0 || nodes.is_dead(id) || nodes.reads(id) == 0 {
                    return (id != 0).then_some(id);
                }
                self.newcomers.remove(nodes, nodes.place(id));
                nodes.set_reads(id, 0);
                self.residents.push(nodes, id, true);
                continue;
            }
            let id = self.residents.oldest;
            let reads = nodes.reads(id);
            // Readers may count as fast as is taken here; after one round whatever stands at the end must go.
            if reads == 0 || nodes.is_dead(id) || spared >= self.residents.len {
                return Some(id);
            }
            self.residents.remove(nodes, nodes.place(id));
            nodes.set_reads(id, reads - 1);
            self.residents.push(nodes, id, true);
            spared += 1;
        }
    }

    /// Forgets what left.
    pub fn forget_departed(&mut self) {
        self.departed.forget();
    }

    /// All entries: newcomers, then residents, the oldest of each first, which is about the order they would go in.
    pub fn iter<'a, N: Nodes>(&self, nodes: &'a N) -> impl Iterator<Item = u32> + use<'a, N> {
        self.newcomers.iter(nodes).chain(self.residents.iter(nodes))
    }

    fn queue(&mut self, resident: bool) -> &mut Queue {
        if resident {
            &mut self.residents
        } else {
            &mut self.newcomers
        }
    }
}

/// One queue: entries linked to their neighbors.
#[derive(Debug, Default)]
struct Queue {
    newest: u32,
    oldest: u32,
    len: usize,
}

impl Queue {
    fn push(&mut self, nodes: &impl Nodes, id: u32, resident: bool) {
        let place = Place {
            newer: 0,
            older: self.newest,
            resident,
        };
        nodes.set_place(id, place);
        self.newest = id;
        self.link_older(nodes, place, id);
        self.len += 1;
    }

    /// Takes out the entry that stands here.
    fn remove(&mut self, nodes: &impl Nodes, place: Place) {
        self.link_newer(nodes, place, place.older);
        self.link_older(nodes, place, place.newer);
        self.len -= 1;
    }

    /// Puts another entry where one stands.
    fn replace(&mut self, nodes: &impl Nodes, place: Place, new: u32) {
        nodes.set_place(new, place);
        self.link_newer(nodes, place, new);
        self.link_older(nodes, place, new);
    }

    /// Makes `id` what the newer neighbor of a place takes for its older one.
    fn link_newer(&mut self, nodes: &impl Nodes, place: Place, id: u32) {
        match place.newer {
            0 => self.newest = id,
            newer => nodes.set_place(
                newer,
                Place {
                    older: id,
                    ..nodes.place(newer)
                },
            ),
        }
    }

    /// The same for the older neighbor.
    fn link_older(&mut self, nodes: &impl Nodes, place: Place, id: u32) {
        match place.older {
            0 => self.oldest = id,
            older => nodes.set_place(
                older,
                Place {
                    newer: id,
                    ..nodes.place(older)
                },
            ),
        }
    }

    fn iter<'a, N: Nodes>(&self, nodes: &'a N) -> impl Iterator<Item = u32> + use<'a, N> {
        let mut at = self.oldest;
        std::iter::from_fn(move || {
            let this = at;
            (this != 0).then(|| {
                at = nodes.place(this).newer;
                this
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::cell::RefCell;
    use std::collections::{HashMap, HashSet, VecDeque};

    #[derive(Default, Clone, Copy)]
    struct Node {
        place: Place,
        reads: u32,
        dead: bool,
    }

    /// Entries whose hashes follow from their numbers. With `eager`, each is read again as soon as its reads were set.
    struct Table {
        nodes: RefCell<Vec<Node>>,
        eager: bool,
    }

    impl Nodes for Table {
        fn place(&self, id: u32) -> Place {
            self.nodes.borrow()[id as usize].place
        }
        fn set_place(&self, id: u32, place: Place) {
            self.nodes.borrow_mut()[id as usize].place = place;
        }
        fn reads(&self, id: u32) -> u32 {
            self.nodes.borrow()[id as usize].reads
        }
        fn set_reads(&self, id: u32, reads: u32) {
            self.nodes.borrow_mut()[id as usize].reads = if self.eager { MOST_READS } else { reads };
        }
        fn is_dead(&self, id: u32) -> bool {
            self.nodes.borrow()[id as usize].dead
        }
        fn hash(&self, id: u32) -> u64 {
            let mixed = u64::from(id).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            (mixed ^ mixed >> 31).wrapping_mul(0xd6e8_feb8_6659_fd93)
        }
    }

    impl Table {
        fn new() -> Table {
            Table {
                nodes: RefCell::new(vec![Node::default(); 10_000]),
                eager: false,
            }
        }

        fn read(&self, id: u32) {
            let reads = &mut self.nodes.borrow_mut()[id as usize].reads;
            *reads = (*reads + 1).min(MOST_READS);
        }

        fn kill(&self, id: u32) {
            self.nodes.borrow_mut()[id as usize].dead = true;
        }
    }

    fn filled(ids: std::ops::RangeInclusive<u32>) -> (Table, Queues) {
        let (table, mut queues) = (Table::new(), Queues::new(1024));
        ids.for_each(|id| admit(&table, &mut queues, id));
        (table, queues)
    }

    fn admit(table: &Table, queues: &mut Queues, id: u32) {
        table.nodes.borrow_mut()[id as usize] = Node::default();
        queues.admit(table, id);
    }

    fn evict(table: &Table, queues: &mut Queues) -> Option<u32> {
        let id = queues.victim(table)?;
        queues.evict(table, id);
        Some(id)
    }

    fn all(table: &Table, queues: &Queues) -> (Vec<u32>, Vec<u32>) {
        let (newcomers, residents) = (&queues.newcomers, &queues.residents);
        assert_eq!(newcomers.len + residents.len, queues.len());
        let all: (Vec<u32>, Vec<u32>) = (newcomers.iter(table).collect(), residents.iter(table).collect());
        assert!(all.0.len() == newcomers.len && all.1.len() == residents.len);
        assert_eq!(queues.iter(table).collect::<Vec<_>>(), [&all.0[..], &all.1].concat());
        all
    }

    #[test]
    fn a_newcomer_that_was_read_once_stays_and_one_that_was_not_goes() {
        let (table, mut queues) = filled(1..=4);
        table.read(1);
        table.read(3);
        assert_eq!(evict(&table, &mut queues), Some(2));
        assert_eq!(evict(&table, &mut queues), Some(4));
        assert_eq!(all(&table, &queues), (vec![], vec![1, 3]));
        assert_eq!(table.reads(1), 0, "what made it stay does not count twice");
    }

    #[test]
    fn what_went_unread_is_remembered_and_comes_back_as_a_resident() {
        let (table, mut queues) = filled(1..=10);
        assert_eq!(evict(&table, &mut queues), Some(1));
        admit(&table, &mut queues, 1);
        admit(&table, &mut queues, 11);
        assert_eq!(all(&table, &queues), ((2..=11).collect(), vec![1]));
        assert_eq!(
            evict(&table, &mut queues),
            Some(2),
            "the oldest newcomer goes before a resident"
        );
    }

    #[test]
    fn what_went_longer_ago_than_nine_tenths_of_the_entries_is_forgotten() {
        // 20 entries, of which 18 may go after one that is remembered, itself included.
        for (departures, resident) in [(18, true), (19, false)] {
            let (table, mut queues) = filled(1..=20 + departures);
            for gone in 1..=departures {
                assert_eq!(evict(&table, &mut queues), Some(gone));
            }
            admit(&table, &mut queues, 1);
            assert_eq!(table.place(1).resident, resident, "{departures}");
        }
    }

    #[test]
    fn what_was_flushed_is_not_remembered_and_what_left_can_be_forgotten() {
        let (table, mut queues) = filled(1..=10);
        queues.remove(&table, 1);
        evict(&table, &mut queues);
        queues.forget_departed();
        admit(&table, &mut queues, 1);
        admit(&table, &mut queues, 2);
        assert_eq!(all(&table, &queues), ((3..=10).chain(1..=2).collect(), vec![]));
    }

    #[test]
    fn names_asked_for_once_take_no_room_from_those_asked_for_again() {
        let (table, mut queues) = filled(1..=100);
        (1..=100).for_each(|id| table.read(id));
        assert_eq!(evict(&table, &mut queues), Some(1));
        for id in 101..9_000 {
            admit(&table, &mut queues, id);
            if queues.len() > 100 {
                evict(&table, &mut queues);
            }
        }
        let (newcomers, residents) = all(&table, &queues);
        // A second newcomer makes a fiftieth: then the first goes.
        assert_eq!((newcomers.len(), residents.len()), (1, 99));
        assert!(residents.iter().all(|&id| id <= 100));
    }

    #[test]
    fn what_is_past_its_time_goes_although_it_was_read_and_if_it_was_comes_back_as_a_resident() {
        let (table, mut queues) = filled(1..=6);
        table.read(1);
        table.kill(1);
        assert_eq!(evict(&table, &mut queues), Some(1), "a newcomer");
        (2..=4).for_each(|id| table.read(id));
        assert_eq!(evict(&table, &mut queues), Some(5));
        assert_eq!(evict(&table, &mut queues), Some(6));
        table.read(2);
        table.kill(2);
        table.kill(3);
        assert_eq!(evict(&table, &mut queues), Some(2), "a resident");
        assert_eq!(evict(&table, &mut queues), Some(3), "one that was of no use any more");
        for id in 7..=10 {
            admit(&table, &mut queues, id);
        }
        (1..=3).for_each(|id| admit(&table, &mut queues, id));
        assert_eq!(all(&table, &queues), (vec![7, 8, 9, 10, 3], vec![4, 1, 2]));
    }

    #[test]
    fn what_replaces_another_stands_in_its_place_as_read_once_more() {
        let (table, mut queues) = filled(1..=5);
        table.read(1);
        for (old, new) in [(1, 11), (3, 13), (5, 15)] {
            queues.replace(&table, old, new);
        }
        assert_eq!(all(&table, &queues), (vec![11, 2, 13, 4, 15], vec![]));
        assert_eq!([11, 13, 15].map(|id| table.reads(id)), [2, 1, 1]);
        assert_eq!(evict(&table, &mut queues), Some(2));
        queues.replace(&table, 11, 21);
        queues.replace(&table, 21, 31);
        queues.replace(&table, 31, 41);
        queues.replace(&table, 41, 51);
        assert_eq!(all(&table, &queues), (vec![13, 4, 15], vec![51]));
        assert_eq!(table.reads(51), MOST_READS);
    }

    #[test]
    fn readers_that_read_everything_at_once_again_do_not_keep_anything_from_going() {
        let (mut table, mut queues) = filled(1..=50);
        (1..=50).for_each(|id| table.read(id));
        table.eager = true;
        let mut gone: Vec<u32> = std::iter::from_fn(|| evict(&table, &mut queues)).collect();
        gone.sort_unstable();
        assert_eq!(gone, (1..=50).collect::<Vec<_>>());
        assert_eq!(all(&table, &queues), (vec![], vec![]));
    }

    #[test]
    fn a_cache_of_one_or_two_entries_works() {
        let (table, mut queues) = filled(1..=1);
        for id in 2..1000 {
            admit(&table, &mut queues, id);
            if id % 3 == 0 {
                table.read(id);
            }
            assert!(evict(&table, &mut queues).is_some());
            assert_eq!(queues.len(), 1);
        }
    }

    #[test]
    fn a_resident_is_spared_once_for_each_read_and_then_goes() {
        let (table, mut queues) = filled(1..=3);
        (1..=3).for_each(|id| table.read(id));
        // All become residents, and the first of them goes.
        assert_eq!(evict(&table, &mut queues), Some(1));
        table.read(2);
        table.read(2);
        admit(&table, &mut queues, 4);
        table.read(4);
        assert_eq!(evict(&table, &mut queues), Some(3));
        assert_eq!(all(&table, &queues), (vec![], vec![4, 2]));
        assert_eq!(table.reads(2), 1);
        assert_eq!(evict(&table, &mut queues), Some(4));
        assert_eq!(evict(&table, &mut queues), Some(2), "alone, after one more round");
        assert_eq!(evict(&table, &mut queues), None);
    }

    /// The same by lists, slow and obvious.
    #[derive(Default)]
    struct Model {
        newcomers: VecDeque<u32>,
        residents: VecDeque<u32>,
        /// All that ever left and were to be remembered, in that order; 0 where one came back.
        departed: Vec<u32>,
        reads: HashMap<u32, u32>,
        dead: HashSet<u32>,
    }

    impl Model {
        fn len(&self) -> usize {
            self.newcomers.len() + self.residents.len()
        }

        fn admit(&mut self, id: u32) {
            let since = self.departed.len().saturating_sub(self.len() * 9 / 10);
            if self.departed[since..].contains(&id) {
                self.residents.push_back(id);
            } else {
                self.newcomers.push_back(id);
            }
            self.departed
                .iter_mut()
                .filter(|gone| **gone == id)
                .for_each(|gone| *gone = 0);
            self.reads.insert(id, 0);
        }

        fn remove(&mut self, id: u32) {
            self.newcomers.retain(|&other| other != id);
            self.residents.retain(|&other| other != id);
            self.reads.remove(&id);
            self.dead.remove(&id);
        }

        fn replace(&mut self, old: u32, new: u32) {
            let mut places = self.newcomers.iter_mut().chain(&mut self.residents);
            *places.find(|id| **id == old).unwrap() = new;
            let reads = self.reads.remove(&old).unwrap();
            self.reads.insert(new, (reads + 1).min(3));
            self.dead.remove(&old);
        }

        fn evict(&mut self) -> Option<u32> {
            let mut left_to_spare = None;
            loop {
                let newcomers_room = (self.len() / 50).max(1);
                let from_newcomers = self.newcomers.len() >= newcomers_room || self.residents.is_empty();
                let queue = if from_newcomers {
                    &self.newcomers
                } else {
                    &self.residents
                };
                let id = *queue.front()?;
                let (reads, dead) = (self.reads[&id], self.dead.contains(&id));
                let round = left_to_spare.get_or_insert(self.residents.len());
                if from_newcomers && reads > 0 && !dead {
                    self.newcomers.pop_front();
                    self.residents.push_back(id);
                    self.reads.insert(id, 0);
                    *round += 1;
                } else if !from_newcomers && reads > 0 && !dead && *round > 0 {
                    *round -= 1;
                    self.residents.rotate_left(1);
                    self.reads.insert(id, reads - 1);
                } else {
                    if from_newcomers || dead && reads > 0 {
                        self.departed.push(id);
                    }
                    self.remove(id);
                    return Some(id);
                }
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 4 } else { 256 }, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn it_does_what_lists_do(
            room in prop_oneof![1usize..12, Just(200)],
            names in prop_oneof![Just(20u32), Just(400)],
            steps in proptest::collection::vec((0u8..40, any::<u32>()), 0..3000),
        ) {
            let (table, mut queues, mut model) = (Table::new(), Queues::new(1024), Model::default());
            for (what, number) in steps {
                let id = number % names + 1;
                let other = number / names % names + 1;
                match (what, model.reads.contains_key(&id)) {
                    (0, true) if !model.reads.contains_key(&other) && !model.departed.contains(&other) => {
                        table.nodes.borrow_mut()[other as usize] = Node::default();
                        queues.replace(&table, id, other);
                        model.replace(id, other);
                    }
                    (1, true) => {
                        queues.remove(&table, id);
                        model.remove(id);
                    }
                    (2, true) => {
                        table.kill(id);
                        model.dead.insert(id);
                    }
                    (3, _) if number % 8 == 0 => {
                        queues.forget_departed();
                        model.departed.fill(0);
                    }
                    (_, true) => {
                        table.read(id);
                        model.reads.entry(id).and_modify(|reads| *reads = (*reads + 1).min(3));
                    }
                    (_, false) => {
                        while model.len() >= room {
                            prop_assert_eq!(evict(&table, &mut queues), model.evict());
                        }
                        admit(&table, &mut queues, id);
                        model.admit(id);
                    }
                }
                let expected = (model.newcomers.iter().copied().collect(), model.residents.iter().copied().collect());
                prop_assert_eq!(all(&table, &queues), expected);
            }
        }
    }
}
