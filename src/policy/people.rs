//! Own names of persons, close together: a million persons have some each.
//!
//! In: each person's names, once. Out: what the longest of them that a name is or lies below does.
//! Always: a few bytes beside each name's own; a look-up goes through one person's names, which are few and stand in one place.
//! Shape, by person: for each name its length (one byte, at most 254), [`ALLOWS`], [`EXACT`] and [`ENDS`] as one byte, its key, and where it ends the
//! Unix second from which it no longer counts (eight bytes, little-endian). Allowed names come first, both kinds in the order of the settings.

use super::profile::Own;
use crate::config::household::OwnName;
use crate::dns::key::Key;

const ALLOWS: u8 = 1;
const EXACT: u8 = 2;
const ENDS: u8 = 4;

/// See the page's first lines.
#[derive(Debug, Default)]
pub struct PeopleNames {
    bytes: Vec<u8>,
    /// By person: where its names end.
    ends: Vec<u32>,
}

impl PeopleNames {
    /// Adds the next person. `None`: all names together are more than four gigabytes.
    pub fn push(&mut self, allow: &[OwnName], deny: &[OwnName]) -> Option<()> {
        for (names, allows) in [(allow, ALLOWS), (deny, 0)] {
            for own in names {
                let key = Key::from_wire(own.name.as_wire());
                let key = key.as_bytes();
                let flag = |yes: bool, flag: u8| if yes { flag } else { 0 };
                self.bytes.push(key.len() as u8);
                self.bytes
                    .push(allows | flag(own.exact, EXACT) | flag(own.until.is_some(), ENDS));
                self.bytes.extend_from_slice(key);
                if let Some(until) = own.until {
                    self.bytes.extend((until.max(0) as u64).to_le_bytes());
                }
            }
        }
        self.ends.push(u32::try_from(self.bytes.len()).ok()?);
        Some(())
    }

    /// Whether a person has any.
    #[inline]
    pub fn has(&self, person: u32) -> bool {
        !self.of(person).is_empty()
    }

    #[inline]
    fn of(&self, person: u32) -> &[u8] {
        let at = person as usize;
        let start = at
            .checked_sub(1)
            .map_or(Some(0), |before| self.ends.get(before).copied());
        match (start, self.ends.get(at)) {
            (Some(start), Some(&end)) => &self.bytes[start as usize..end as usize],
            _ => &[],
        }
    }

    /// What the longest own name that is this one or a parent of it does for a person at this Unix second; of equal ones the allow counts.
    pub fn find(&self, person: u32, key: &Key, now_s: u64) -> Option<Own> {
        let mut rest = self.of(person);
        let mut best: Option<(usize, Own)> = None;
        let (mut allowed, mut denied) = (0, 0);
        while let Some(([length, flags], behind)) = rest.split_first_chunk() {
            let (own, behind) = behind.split_at_checked(usize::from(*length))?;
            let (until_s, behind) = match (flags & ENDS, behind.split_first_chunk()) {
                (0, _) | (_, None) => (u64::MAX, behind),
                (_, Some((until, behind))) => (u64::from_le_bytes(*until), behind),
            };
            rest = behind;
            let allows = flags & ALLOWS != 0;
            let number = if allows { &mut allowed } else { &mut denied };
            let here = if allows {
                Own::Allow(*number)
            } else {
                Own::Deny(*number)
            };
            *number += 1;
            let itself = key.complete() && own.len() == key.as_bytes().len();
            let covers = key.as_bytes().starts_with(own) && (itself || flags & EXACT == 0) && now_s < until_s;
            if covers && best.is_none_or(|(longest, _)| own.len() > longest) {
                best = Some((own.len(), here));
            }
        }
        best.map(|(_, own)| own)
    }

    /// Bytes it takes.
    pub fn size_bytes(&self) -> usize {
        self.bytes.len() + size_of_val(&*self.ends)
    }

    /// Gives back room that was kept for more.
    pub fn shrink(&mut self) {
        self.bytes.shrink_to_fit();
        self.ends.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use super::super::profile::OwnNames;
    use super::*;
    use crate::dns::name::Name;
    use proptest::prelude::*;

    fn own() -> impl Strategy<Value = OwnName> {
        let until = prop_oneof![3 => Just(None), 1 => (0i64..3).prop_map(Some)];
        ("[ab](\\.[ab]){0,3}", any::<bool>(), until).prop_map(|(name, exact, until)| OwnName {
            name: Name::parse(&name).unwrap(),
            exact,
            until,
        })
    }

    proptest! {
        #[test]
        fn a_persons_names_say_what_those_of_a_profile_say(
            people in proptest::collection::vec((proptest::collection::vec(own(), 0..6), proptest::collection::vec(own(), 0..6)), 1..5),
            asked in proptest::collection::vec("[ab](\\.[ab]){0,4}", 6),
            now_s in 0u64..4,
        ) {
            let mut names = PeopleNames::default();
            people.iter().for_each(|(allow, deny)| names.push(allow, deny).unwrap());
            for (person, (allow, deny)) in people.iter().enumerate() {
                let slow = OwnNames::new(allow, deny);
                prop_assert_eq!(names.has(person as u32), !allow.is_empty() || !deny.is_empty());
                for asked in &asked {
                    let key = Key::parse(asked).unwrap();
                    let allows = |own: Option<Own>| own.map(|own| matches!(own, Own::Allow(_)));
                    let found = names.find(person as u32, &key, now_s);
                    prop_assert_eq!(allows(found), allows(slow.find(&key, now_s)));
                    // The number leads to the name.
                    let named = match found {
                        Some(Own::Allow(number)) => Some(&allow[number as usize]),
                        Some(Own::Deny(number)) => Some(&deny[number as usize]),
                        None => None,
                    };
                    prop_assert!(named.is_none_or(|named| Name::parse(asked).unwrap().is_within(&named.name)));
                }
            }
            prop_assert_eq!(names.find(people.len() as u32, &Key::parse("a").unwrap(), now_s), None);
        }
    }
}
