//! From an address to its client where clients have one address each, for a million of them: one line of cache a look-up.
//!
//! In: addresses, or the upper halves of IPv6 addresses, each with a client and its profile. Out: [`Hosts`].
//! Always: made when policy loads, never changed after. What an address is followed by stands in the same line as the address, so that who
//! asks is known after one wait for memory; `longest` takes two or three.

use super::{ClientId, ProfileId};

/// Addresses with a client each. `N`: as many as fit a line of cache with what belongs to them.
#[derive(Debug)]
pub struct Hosts<K, const N: usize> {
    /// An address stands in the bucket that its hash says or, where that is full, in one of the next.
    buckets: Box<[Bucket<K, N>]>,
}

#[derive(Debug, Clone)]
#[repr(align(64))]
struct Bucket<K, const N: usize> {
    keys: [K; N],
    /// [`NONE`] where no key stands; those come last.
    clients: [u32; N],
    profiles: [u16; N],
}

/// Of IPv4 addresses.
pub type Hosts4 = Hosts<u32, 6>;
/// Of IPv6 networks of 64 bits, by those.
pub type Hosts6 = Hosts<u64, 4>;
const _: () = assert!(size_of::<Bucket<u32, 6>>() == 64 && size_of::<Bucket<u64, 4>>() == 64);

const NONE: u32 = u32::MAX;
/// In the place of a profile: none.
const NO_PROFILE: u16 = u16::MAX;

impl<K, const N: usize> Default for Hosts<K, N> {
    fn default() -> Hosts<K, N> {
        Hosts {
            buckets: Box::default(),
        }
    }
}

impl<K: Copy + Default + Eq + Into<u64>, const N: usize> Hosts<K, N> {
    /// Of equal addresses the first one counts.
    pub fn new(rows: &[(K, ClientId, Option<ProfileId>)]) -> Hosts<K, N> {
        // Three of four places are taken: nearly all stand where they are first looked for.
        let buckets = (rows.len() * 4).div_ceil(N * 3);
        let empty = Bucket {
            keys: [K::default(); N],
            clients: [NONE; N],
            profiles: [NO_PROFILE; N],
        };
        let mut hosts = Hosts {
            buckets: vec![empty; buckets].into(),
        };
        for &(key, client, profile) in rows {
            if hosts.find(key).is_some() {
                continue;
            }
            let mut at = hosts.home(key);
            let place = loop {
                match hosts.buckets[at].clients.iter().position(|client| *client == NONE) {
                    Some(place) => break place,
                    None => at = hosts.next(at),
                }
            };
            let bucket = &mut hosts.buckets[at];
            bucket.keys[place] = key;
            bucket.clients[place] = client.0;
            bucket.profiles[place] = profile.map_or(NO_PROFILE, |profile| profile.0);
        }
        hosts
    }

    /// The client of this address, and its profile.
    #[inline]
    pub fn find(&self, key: K) -> Option<(ClientId, Option<ProfileId>)> {
        let mut at = self.home(key);
        loop {
            let bucket = self.buckets.get(at)?;
            for place in 0..N {
                if bucket.keys[place] == key && bucket.clients[place] != NONE {
                    let profile = Some(bucket.profiles[place]).filter(|profile| *profile != NO_PROFILE);
                    return Some((ClientId(bucket.clients[place]), profile.map(ProfileId)));
                }
            }
            // There are more places than addresses, so that one is free somewhere.
            if bucket.clients[N - 1] == NONE {
                return None;
            }
            at = self.next(at);
        }
    }

    /// Reads the line that a look-up will read, so that it is near soon after: reads that stand together wait for memory together.
    #[inline]
    pub fn touch(&self, key: K) -> u64 {
        self.buckets
            .get(self.home(key))
            .map_or(0, |bucket| u64::from(bucket.clients[0]))
    }

    /// Neighboring addresses, which many clients have, come to lie evenly (a multiple of the golden ratio).
    #[inline]
    fn home(&self, key: K) -> usize {
        let mixed = key.into().wrapping_mul(0x9e37_79b9_7f4a_7c15);
        ((u128::from(mixed) * self.buckets.len() as u128) >> 64) as usize
    }

    #[inline]
    fn next(&self, at: usize) -> usize {
        if at + 1 == self.buckets.len() { 0 } else { at + 1 }
    }

    /// Bytes it takes.
    pub fn size_bytes(&self) -> usize {
        size_of_val(&*self.buckets)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    #[test]
    fn a_million_neighbors_lie_evenly_and_take_little_room() {
        for step in [1, 2, 256] {
            let key = |at: u32| 0x0a00_0000 + at * step;
            let rows: Vec<_> = (0..1_000_000u32)
                .map(|at| (key(at), ClientId(at), Some(ProfileId((at % 10_000) as u16))))
                .collect();
            let hosts = Hosts4::new(&rows);
            assert!(hosts.size_bytes() < 15_000_000, "{}", hosts.size_bytes());
            let far = rows.iter().filter(|(key, _, _)| {
                let home = &hosts.buckets[hosts.home(*key)];
                !home.keys.contains(key)
            });
            assert!(
                far.count() < 150_000,
                "one of seven at most is not where it is first looked for"
            );
            for &(key, client, profile) in rows.iter().step_by(991) {
                assert_eq!(hosts.find(key), Some((client, profile)));
            }
            assert_eq!(hosts.find(0x0a00_0000 - 1), None);
        }
    }

    proptest! {
        #[test]
        fn what_is_found_is_what_was_put_in(
            keys in prop::collection::vec(0u64..60, 0..80),
            asked in prop::collection::vec(0u64..60, 20),
        ) {
            let rows: Vec<_> = keys
                .iter()
                .zip(0u32..)
                .map(|(key, at)| (*key, ClientId(at), (at % 3 > 0).then_some(ProfileId(at as u16))))
                .collect();
            let mut slow = HashMap::new();
            for &(key, client, profile) in &rows {
                slow.entry(key).or_insert((client, profile));
            }
            let wide = Hosts6::new(&rows);
            let narrow = Hosts4::new(&rows.iter().map(|&(key, client, profile)| (key as u32, client, profile)).collect::<Vec<_>>());
            for key in asked {
                prop_assert_eq!(wide.find(key), slow.get(&key).copied());
                prop_assert_eq!(narrow.find(key as u32), slow.get(&key).copied());
            }
        }
    }
}
