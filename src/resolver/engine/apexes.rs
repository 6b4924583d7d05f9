//! Which zone a name was found in when its servers were last asked.
//!
//! In: what walks come to know. Out: whether the deepest zone known is also the one a name is in, or others have been forgotten since.
//! Always: of a fixed size and without locks. What went because its place was taken costs a walk.

use super::bounded::Secret;
use crate::dns::name::Name;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Names that are remembered: those asked for in the last moments, and the zones on their way. 8 bytes each.
const PLACES: usize = 4096;

/// Which side of a zone cut is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Side {
    /// The zone that the name is in; at an apex that zone.
    Inside,
    /// The zone that delegates the name, which is an apex.
    Above,
}

/// See the page's first lines.
pub(super) struct Apexes {
    secret: Secret,
    /// By a hash of the name: one of name and zone.
    places: Box<[AtomicU64]>,
}

impl Apexes {
    pub fn new(secret: Secret) -> Apexes {
        Apexes {
            secret,
            places: (0..PLACES).map(|_| AtomicU64::new(0)).collect(),
        }
    }

    /// `name` was found in `zone`.
    pub fn note(&self, side: Side, name: &Name, zone: &Name) {
        self.place(side, name).store(self.mark(side, name, zone), Relaxed);
    }

    /// Whether that is where it was found last.
    pub fn is(&self, side: Side, name: &Name, zone: &Name) -> bool {
        self.place(side, name).load(Relaxed) == self.mark(side, name, zone)
    }

    fn place(&self, side: Side, name: &Name) -> &AtomicU64 {
        &self.places[self.secret.hash_one((side, name)) as usize % PLACES]
    }

    fn mark(&self, side: Side, name: &Name, zone: &Name) -> u64 {
        self.secret.hash_one((side, name, zone))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_about_a_name_counts_and_both_sides_of_a_cut_are_kept_apart() {
        let apexes = Apexes::new(Secret([1, 2]));
        let name = |text| Name::parse(text).unwrap();
        let (com, example) = (name("com"), name("example.com"));
        assert!(!apexes.is(Side::Inside, &example, &com));
        apexes.note(Side::Inside, &name("Example.com"), &name("COM"));
        assert!(apexes.is(Side::Inside, &example, &com));
        assert!(!apexes.is(Side::Above, &example, &com));
        apexes.note(Side::Inside, &example, &example);
        assert!(!apexes.is(Side::Inside, &example, &com));
    }
}
