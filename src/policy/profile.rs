//! Profiles as tables: whose rules count for whoever has the profile.
//!
//! In: what kinds of rules each source has, the sources a profile enables. Out: [`Table`], shared by profiles that enable the same sources;
//! [`OwnNames`].
//! Always: made when policy loads, never changed after. A table takes a bit a source: what a rule set means for it is read off the rules of
//! the set, which all profiles share, so that many different profiles do not push each other out of a core's caches.

use super::suffixes::Groups;
use super::triggers::Kinds;
use crate::config::household::OwnName;
use crate::dns::key::Key;

/// What the sources that a profile enables mean: one line of cache.
#[repr(align(64))]
pub struct Table {
    /// By source, from the lowest bit: whether its rules count, 64 a word.
    active: [u64; WORDS],
    /// The same for those behind them: few gates have so many.
    more: Box<[u64]>,
    kinds: Kinds,
}

const WORDS: usize = 4;
const _: () = assert!(size_of::<Table>() == 64);

impl Table {
    /// `kinds`: by source, what rules it has.
    pub fn new(active: &[bool], kinds: &[Kinds]) -> Table {
        let mut words = vec![0u64; active.len().div_ceil(64)];
        let mut all = Kinds::default();
        for (source, kinds) in kinds.iter().enumerate().filter(|(source, _)| active[*source]) {
            words[source / 64] |= 1 << (source % 64);
            all.add(kinds);
        }
        let more = words.split_off(words.len().min(WORDS));
        words.resize(WORDS, 0);
        Table {
            active: std::array::from_fn(|at| words[at]),
            more: more.into(),
            kinds: all,
        }
    }

    #[inline]
    pub fn is_active(&self, source: u16) -> bool {
        let at = usize::from(source / 64);
        let word = match self.active.get(at) {
            Some(word) => *word,
            None => self.more.get(at - WORDS).copied().unwrap_or(0),
        };
        word >> (source % 64) & 1 == 1
    }

    /// The same table without the sources of another. What kinds of rules are left may be fewer than it says.
    pub fn without(&self, other: &Table) -> Table {
        let others = other.more.iter().copied().chain(std::iter::repeat(0));
        Table {
            active: std::array::from_fn(|at| self.active[at] & !other.active[at]),
            more: self
                .more
                .iter()
                .zip(others)
                .map(|(word, other)| word & !other)
                .collect(),
            kinds: self.kinds,
        }
    }

    /// What rules count.
    #[inline]
    pub fn kinds(&self) -> &Kinds {
        &self.kinds
    }

    /// Bytes it takes.
    pub fn size_bytes(&self) -> usize {
        size_of::<Table>() + size_of_val(&*self.more)
    }
}

/// A profile's own names.
#[derive(Debug, Default)]
pub struct OwnNames {
    names: Groups<Row>,
}

#[derive(Debug, Clone, Copy)]
struct Row {
    own: Own,
    /// Not what is below the name.
    exact: bool,
    /// Unix seconds from which it no longer counts.
    until: u64,
}

/// What a profile's own name does; the number is its place in the settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Own {
    Allow(u32),
    Deny(u32),
}

impl OwnNames {
    pub fn new(allow: &[OwnName], deny: &[OwnName]) -> OwnNames {
        let row = |own: Own, name: &OwnName| {
            let key: Box<[u8]> = Key::from_wire(name.name.as_wire()).as_bytes().into();
            let until = name.until.map_or(u64::MAX, |until| until.max(0) as u64);
            let exact = name.exact;
            (key, Row { own, exact, until })
        };
        // Of equal names the allow counts: it comes first, and the sort is stable.
        let allowed = allow.iter().zip(0..).map(|(name, at)| row(Own::Allow(at), name));
        let denied = deny.iter().zip(0..).map(|(name, at)| row(Own::Deny(at), name));
        OwnNames {
            names: Groups::new(allowed.chain(denied).collect()),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// What the longest own name that is this one or a parent of it does, at this Unix second.
    #[inline]
    pub fn find(&self, key: &Key, now_s: u64) -> Option<Own> {
        self.names.all(key).find_map(|(labels, rows)| {
            let itself = key.complete() && labels == key.label_count();
            let counts = |row: &&Row| (itself || !row.exact) && now_s < row.until;
            rows.iter().find(counts).map(|row| row.own)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_knows_the_sources_of_every_word() {
        let active: Vec<bool> = (0..500).map(|source| source % 3 == 0 || source == 64).collect();
        let table = Table::new(&active, &vec![Kinds::default(); 500]);
        for source in 0..600u16 {
            assert_eq!(
                table.is_active(source),
                active.get(usize::from(source)) == Some(&true),
                "{source}"
            );
        }
    }
    use crate::dns::name::Name;
    use proptest::prelude::*;

    fn names(of: &[&str]) -> Vec<OwnName> {
        of.iter().map(|name| Name::parse(name).unwrap().into()).collect()
    }

    #[test]
    fn the_longest_own_name_counts_and_allow_wins_ties() {
        let own = OwnNames::new(
            &names(&["school.example", "both.example"]),
            &names(&["example", "game.school.example", "both.example"]),
        );
        let find = |name: &str| own.find(&Key::parse(name).unwrap(), 0);
        assert_eq!(find("www.school.example"), Some(Own::Allow(0)));
        assert_eq!(find("game.school.example"), Some(Own::Deny(1)));
        assert_eq!(find("x.game.school.example"), Some(Own::Deny(1)));
        assert_eq!(find("school.example"), Some(Own::Allow(0)));
        assert_eq!(find("schools.example"), Some(Own::Deny(0)));
        assert_eq!(find("both.example"), Some(Own::Allow(1)));
        assert_eq!(find("test"), None);
        assert_eq!(find("."), None);
    }

    #[test]
    fn an_exact_own_name_does_not_cover_what_is_below_it_and_one_for_a_time_ends() {
        let name = |text: &str| OwnName::from(Name::parse(text).unwrap());
        let exact = OwnName {
            exact: true,
            ..name("www.school.example")
        };
        let tonight = OwnName {
            until: Some(100),
            ..name("game.example")
        };
        let own = OwnNames::new(&[exact, tonight], &[name("example")]);
        let find = |name: &str, now_s| own.find(&Key::parse(name).unwrap(), now_s);
        assert_eq!(find("www.school.example", 0), Some(Own::Allow(0)));
        assert_eq!(find("x.www.school.example", 0), Some(Own::Deny(0)));
        assert_eq!(find("game.example", 99), Some(Own::Allow(1)));
        assert_eq!(find("game.example", 100), Some(Own::Deny(0)));
        // The name ends in a label that no key can hold: what is exact is another name.
        assert_eq!(find(r"a\.b.www.school.example", 0), Some(Own::Deny(0)));
    }

    proptest! {
        #[test]
        fn finding_an_own_name_agrees_with_trying_each(
            allow in proptest::collection::vec("[ab](\\.[ab]){0,3}", 0..6),
            deny in proptest::collection::vec("[ab](\\.[ab]){0,3}", 0..6),
            asked in "[ab](\\.[ab]){0,4}",
        ) {
            let read = |of: &[String]| of.iter().map(|name| Name::parse(name).unwrap()).collect::<Vec<_>>();
            let own = |of: &[Name]| of.iter().cloned().map(OwnName::from).collect::<Vec<_>>();
            let (allow, deny, asked) = (read(&allow), read(&deny), Name::parse(&asked).unwrap());
            let longest = |of: &[Name]| of.iter().filter(|name| asked.is_within(name)).map(Name::label_count).max();
            let slow = match (longest(&allow), longest(&deny)) {
                (None, None) => None,
                (allowed, denied) => Some(allowed >= denied),
            };
            let fast = OwnNames::new(&own(&allow), &own(&deny))
                .find(&Key::from_wire(asked.as_wire()), 0)
                .map(|own| matches!(own, Own::Allow(_)));
            prop_assert_eq!(fast, slow);
        }
    }
}
