//! Bounds what goes out to one network over UDP, so that queries with its address forged do not make this server flood it.
//!
//! In: where a query came from, what its cookie was worth, the time. Out: whether its response is sent, shortened or dropped ([`Fate`]).
//! Always: pure; one look at one cache line for each response, no lock and no allocation after the start. Each worker has a table of
//! its own. Who has shown a valid cookie is never bounded, nor are the networks exempt.
//! Fails open: of more prefixes than the table holds, one that is far below its rate begins anew.
//! Keeps: RFC 7873 §5.2.3, §5.2.4 (what a cookie gets under a limit).

use crate::config::settings::Server;
use crate::count::{Count, Counts};
use crate::limits::{RATE_LIMIT_IPV4_BITS, RATE_LIMIT_IPV6_BITS, RATE_LIMIT_PREFIXES, RATE_LIMIT_SHARE};
use crate::now::Now;
use crate::policy::clients::default_access;
use crate::query::Short;
use ipnet::IpNet;
use siphasher::sip::SipHasher13;
use std::hash::Hasher;
use std::net::IpAddr;

/// What becomes of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Send,
    /// The client gets this instead.
    Instead(Short),
    Drop,
}

/// A token bucket for each prefix that was lately sent to, of one worker.
pub(super) struct Rate {
    sets: Box<[Set]>,
    /// Nobody else knows it, so nobody can choose prefixes that share a set.
    key: [u8; 16],
    /// From one response to the next at the rate of this worker.
    interval_ns: u64,
    /// How far a bucket can be in debt: what may go out at once.
    burst_ns: u64,
    /// Every n-th response too many is shortened; 0: none.
    slip: u32,
    exempt: Ranges,
}

/// Where a prefix may stand, on one cache line.
#[derive(Clone, Copy, Default)]
#[repr(align(64))]
struct Set([Bucket; WAYS]);

const WAYS: usize = 4;
const SETS: usize = RATE_LIMIT_PREFIXES / WAYS;
const _: () = assert!(SETS.is_power_of_two() && size_of::<Set>() == 64);

#[derive(Clone, Copy, Default)]
struct Bucket {
    /// Part of the hash of its prefix. Two prefixes of one set that have the same share a bucket: one pair in four billion.
    tag: u32,
    /// Responses that were too many.
    over: u32,
    /// When it is full again, if nothing more is taken: in the past for all that are full.
    full_at_ns: u64,
}

impl Rate {
    /// The table of one of so many workers; `None` where nothing is bounded.
    pub fn new(server: &Server, workers: usize) -> Option<Rate> {
        Rate::with_key(server, workers, rand::random())
    }

    fn with_key(server: &Server, workers: usize, key: [u8; 16]) -> Option<Rate> {
        if server.rate_limit == 0 {
            return None;
        }
        // Queries come to the workers by their ports: a network's as a rule to all, a single client's perhaps to one. Each has its
        // share of the rate, and takes a burst of one second of all of it.
        let workers = u32::try_from(workers.max(1)).unwrap_or(u32::MAX);
        let share = (server.rate_limit / workers).max(RATE_LIMIT_SHARE.min(server.rate_limit));
        let interval_ns = 1_000_000_000 / u64::from(share);
        Some(Rate {
            sets: vec![Set::default(); SETS].into(),
            key,
            interval_ns,
            burst_ns: interval_ns * u64::from(server.rate_limit),
            slip: server.rate_limit_slip,
            exempt: match &server.rate_limit_exempt {
                Some(networks) => Ranges::new(networks),
                None => Ranges::new(&default_access()),
            },
        })
    }

    /// What becomes of the response to a query from `from` of which `counts` tell. One that is sent counts.
    pub fn fate(&mut self, from: IpAddr, counts: Counts, now: Now) -> Fate {
        let from = from.to_canonical();
        if counts.contains(Count::CookiesValid) || self.exempt.contain(from) {
            return Fate::Send;
        }
        let now_ns = now.mono_ms.saturating_mul(1_000_000);
        let (interval_ns, burst_ns, slip) = (self.interval_ns, self.burst_ns, self.slip);
        let bucket = self.bucket(prefix(from));
        // Never further ahead than the deepest debt: a clock that was set back costs nobody more than that.
        let full_at_ns = bucket.full_at_ns.clamp(now_ns, now_ns.saturating_add(burst_ns));
        if full_at_ns - now_ns + interval_ns <= burst_ns {
            bucket.full_at_ns = full_at_ns.saturating_add(interval_ns);
            return Fate::Send;
        }
        bucket.full_at_ns = full_at_ns;
        bucket.over = bucket.over.wrapping_add(1);
        if slip == 0 || !bucket.over.is_multiple_of(slip) {
            Fate::Drop
        } else if counts.contains(Count::CookiesNew) || counts.contains(Count::CookiesInvalid) {
            Fate::Instead(Short::BadCookie)
        } else {
            Fate::Instead(Short::Truncated)
        }
    }

    /// The bucket of a prefix. One without takes that of its set that is fullest, and begins with a full one.
    fn bucket(&mut self, prefix: u64) -> &mut Bucket {
        let mut hasher = SipHasher13::new_with_key(&self.key);
        hasher.write_u64(prefix);
        let hash = hasher.finish();
        let tag = (hash >> 32) as u32;
        let buckets = &mut self.sets[hash as usize % SETS].0;
        let mut chosen = 0;
        for (index, bucket) in buckets.iter().enumerate() {
            if bucket.tag == tag {
                return &mut buckets[index];
            }
            if bucket.full_at_ns < buckets[chosen].full_at_ns {
                chosen = index;
            }
        }
        buckets[chosen] = Bucket {
            tag,
            ..Bucket::default()
        };
        &mut buckets[chosen]
    }
}

/// Whose responses are counted together, as a number that tells families apart.
fn prefix(from: IpAddr) -> u64 {
    match from {
        IpAddr::V4(address) => u64::from(address.to_bits() >> (32 - RATE_LIMIT_IPV4_BITS)),
        IpAddr::V6(address) => (address.to_bits() >> (128 - RATE_LIMIT_IPV6_BITS)) as u64 | 1 << 63,
    }
}

const _: () = assert!(RATE_LIMIT_IPV4_BITS <= 32 && RATE_LIMIT_IPV6_BITS < 64);

/// Networks, as first and last addresses in order, none within another.
struct Ranges {
    v4: Vec<(u32, u32)>,
    v6: Vec<(u128, u128)>,
}

impl Ranges {
    fn new(networks: &[IpNet]) -> Ranges {
        let aggregated = IpNet::aggregate(&networks.to_vec());
        let mut ranges = Ranges {
            v4: Vec::new(),
            v6: Vec::new(),
        };
        for network in aggregated {
            match network {
                IpNet::V4(net) => ranges.v4.push((net.network().to_bits(), net.broadcast().to_bits())),
                IpNet::V6(net) => ranges.v6.push((net.network().to_bits(), net.broadcast().to_bits())),
            }
        }
        ranges.v4.sort_unstable();
        ranges.v6.sort_unstable();
        ranges
    }

    fn contain(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(address) => within(&self.v4, address.to_bits()),
            IpAddr::V6(address) => within(&self.v6, address.to_bits()),
        }
    }
}

fn within<T: Ord + Copy>(ranges: &[(T, T)], address: T) -> bool {
    let behind = ranges.partition_point(|&(first, _)| first <= address);
    behind > 0 && address <= ranges[behind - 1].1
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    const NONE: Counts = Counts::NONE;

    fn server(rate_limit: u32, slip: u32) -> Server {
        Server {
            rate_limit,
            rate_limit_slip: slip,
            ..Server::default()
        }
    }

    fn rate(rate_limit: u32, slip: u32) -> Rate {
        Rate::with_key(&server(rate_limit, slip), 1, [7; 16]).expect("it is bounded")
    }

    fn at(mono_ms: u64) -> Now {
        Now { mono_ms, unix_ms: 0 }
    }

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    const START_MS: u64 = 3_600_000;

    /// How many of so many responses at once are sent whole.
    fn sent(rate: &mut Rate, from: &str, times: usize, mono_ms: u64) -> usize {
        let from = address(from);
        (0..times)
            .filter(|_| rate.fate(from, NONE, at(mono_ms)) == Fate::Send)
            .count()
    }

    #[test]
    fn who_keeps_to_the_rate_is_never_bounded_and_who_passes_it_gets_the_rate() {
        for per_second in [1, 7, 200, 1000, 30_000] {
            let mut rate = rate(per_second, 0);
            // Unevenly within the milliseconds of the clock, evenly over the seconds.
            for index in 0..u64::from(per_second) * 5 {
                let now = START_MS + index * 1000 / u64::from(per_second);
                assert_eq!(
                    rate.fate(address("192.0.2.1"), NONE, at(now)),
                    Fate::Send,
                    "{per_second}"
                );
            }
            let mut over = self::rate(per_second, 0);
            let sent: usize = (0..10_000)
                .map(|ms| sent(&mut over, "192.0.2.1", 1 + per_second as usize / 500, START_MS + ms))
                .sum();
            let fair = per_second as usize * 11;
            assert!(
                sent <= fair && sent + 1 + per_second as usize / 10 >= fair.min(10_000),
                "{sent} of {fair}: ten seconds and a burst of one"
            );
        }
    }

    #[test]
    fn a_burst_of_a_second_goes_out_and_the_bucket_fills_at_the_rate() {
        let mut rate = rate(200, 0);
        assert_eq!(sent(&mut rate, "192.0.2.1", 500, START_MS), 200);
        assert_eq!(
            sent(&mut rate, "192.0.2.1", 500, START_MS + 4),
            0,
            "five milliseconds each"
        );
        assert_eq!(sent(&mut rate, "192.0.2.1", 500, START_MS + 5), 1);
        assert_eq!(sent(&mut rate, "192.0.2.1", 500, START_MS + 105), 20);
        assert_eq!(
            sent(&mut rate, "192.0.2.1", 500, START_MS + 60_000),
            200,
            "not more for waiting"
        );
    }

    #[test]
    fn one_in_so_many_slips_by_as_truncated_or_as_badcookie_where_there_is_a_cookie() {
        let cookie = Counts::one(Count::CookiesNew);
        let invalid = Counts::one(Count::CookiesInvalid);
        for (slip, counts, expected) in [
            (0, NONE, None),
            (0, cookie, None),
            (1, NONE, Some(Short::Truncated)),
            (2, NONE, Some(Short::Truncated)),
            (2, cookie, Some(Short::BadCookie)),
            (3, invalid, Some(Short::BadCookie)),
        ] {
            let mut rate = rate(10, slip);
            assert_eq!(sent(&mut rate, "192.0.2.1", 20, START_MS), 10);
            let fates: Vec<Fate> = (0..60)
                .map(|_| rate.fate(address("192.0.2.77"), counts, at(START_MS)))
                .collect();
            let instead = fates
                .iter()
                .filter(|&&fate| expected.map(Fate::Instead) == Some(fate))
                .count();
            let dropped = fates.iter().filter(|&&fate| fate == Fate::Drop).count();
            assert_eq!(instead, if slip == 0 { 0 } else { 60 / slip as usize }, "{slip}");
            assert_eq!(instead + dropped, 60);
        }
    }

    #[test]
    fn slips_are_counted_for_each_prefix_so_that_none_gets_those_of_another() {
        let mut rate = rate(1, 2);
        let mut slipped = [0; 2];
        for _ in 0..100 {
            for (index, from) in ["192.0.2.1", "198.51.100.1"].into_iter().enumerate() {
                let fate = rate.fate(address(from), NONE, at(START_MS));
                slipped[index] += usize::from(fate == Fate::Instead(Short::Truncated));
            }
        }
        assert_eq!(slipped, [49; 2], "of 99 each");
    }

    #[test]
    fn a_valid_cookie_is_never_bounded_and_takes_nothing_from_the_others() {
        let mut rate = rate(5, 2);
        let valid = Counts::one(Count::CookiesValid).with(Count::Cached);
        for _ in 0..100 {
            assert_eq!(rate.fate(address("192.0.2.1"), valid, at(START_MS)), Fate::Send);
        }
        assert_eq!(sent(&mut rate, "192.0.2.1", 100, START_MS), 5);
        assert_eq!(rate.fate(address("192.0.2.1"), valid, at(START_MS)), Fate::Send);
    }

    #[test]
    fn a_network_is_one_client_and_its_neighbor_another() {
        for (one, same, other) in [
            ("192.0.2.1", "192.0.2.254", "192.0.3.1"),
            ("192.0.2.1", "::ffff:192.0.2.9", "0:0:c000:200::1"),
            ("2001:db8:0:1::1", "2001:db8:0:ff:9::", "2001:db8:0:100::1"),
            ("2001:db8:ffff:ff00::", "2001:db8:ffff:ffff::1", "2001:db8:ffff:fe00::"),
        ] {
            let mut rate = rate(10, 0);
            assert_eq!(sent(&mut rate, one, 7, START_MS), 7);
            assert_eq!(sent(&mut rate, same, 7, START_MS), 3, "{same}");
            assert_eq!(sent(&mut rate, other, 20, START_MS), 10, "{other}");
        }
    }

    #[test]
    fn exempt_networks_are_never_bounded_and_what_is_written_takes_their_place() {
        let mut rate = rate(1, 0);
        for exempt in [
            "127.0.0.1",
            "127.255.255.255",
            "::1",
            "10.0.0.1",
            "172.16.0.0",
            "172.31.255.255",
            "192.168.7.7",
            "169.254.1.1",
            "fd00::1",
            "fe80::1",
            "::ffff:192.168.1.1",
        ] {
            assert_eq!(sent(&mut rate, exempt, 50, START_MS), 50, "{exempt}");
        }
        for bounded in [
            "126.255.255.255",
            "128.0.0.0",
            "172.32.0.0",
            "::2",
            "fec0::1",
            "100.64.0.1",
        ] {
            assert_eq!(sent(&mut rate, bounded, 50, START_MS), 1, "{bounded}");
        }
        let networks = ["203.0.113.128/25", "203.0.113.0/25", "203.0.113.7/32", "2001:db8::/32"];
        let mut server = server(1, 0);
        server.rate_limit_exempt = Some(networks.iter().map(|text| text.parse().unwrap()).collect());
        let mut rate = Rate::with_key(&server, 1, [7; 16]).unwrap();
        for (from, expected) in [
            ("203.0.113.7", 50),
            ("203.0.113.255", 50),
            ("203.0.114.0", 1),
            ("203.0.112.255", 1),
            ("2001:db8:ffff::1", 50),
            ("2001:db9::", 1),
            ("127.0.0.1", 1),
        ] {
            assert_eq!(sent(&mut rate, from, 50, START_MS), expected, "{from}");
        }
    }

    #[test]
    fn a_network_under_attack_is_not_forgotten_for_the_many_others_that_are_asked_for() {
        let mut rate = rate(100, 0);
        assert_eq!(sent(&mut rate, "192.0.2.1", 200, START_MS), 100);
        let others = 4 * RATE_LIMIT_PREFIXES as u32;
        for index in 0..others {
            let other = IpAddr::from((0x0b00_0000 + (index << 8)).to_be_bytes());
            assert_eq!(
                rate.fate(other, NONE, at(START_MS)),
                Fate::Send,
                "others are not bounded for it"
            );
        }
        assert_eq!(sent(&mut rate, "192.0.2.1", 200, START_MS + 1), 0);
    }

    #[test]
    fn prefixes_spread_over_the_table_as_the_key_says() {
        let spread = |key| {
            let mut rate = Rate::with_key(&server(100, 0), 1, key).unwrap();
            for index in 0..RATE_LIMIT_PREFIXES as u32 {
                rate.fate(
                    IpAddr::from((0x0b00_0000 + (index << 8)).to_be_bytes()),
                    NONE,
                    at(START_MS),
                );
            }
            let used = |bucket: &&Bucket| bucket.full_at_ns > 0;
            let tags = rate
                .sets
                .iter()
                .flat_map(|set| &set.0)
                .filter(used)
                .map(|bucket| bucket.tag);
            tags.collect::<HashSet<u32>>()
        };
        let (one, other) = (spread([1; 16]), spread([2; 16]));
        assert!(one.len() > RATE_LIMIT_PREFIXES / 4 * 3, "{}", one.len());
        assert!(one.intersection(&other).count() < 100, "another key, other places");
    }

    #[test]
    fn a_clock_that_jumps_costs_nobody_more_than_a_burst() {
        let mut rate = rate(100, 0);
        assert_eq!(sent(&mut rate, "192.0.2.1", 200, START_MS), 100);
        let back = 1000;
        assert_eq!(sent(&mut rate, "192.0.2.1", 200, back), 0);
        assert_eq!(sent(&mut rate, "192.0.2.1", 200, back + 500), 50);
        assert_eq!(sent(&mut rate, "192.0.2.1", 200, back + 5000), 100);
        assert_eq!(sent(&mut rate, "192.0.2.1", 200, START_MS * 1000), 100);
        assert!(
            sent(&mut rate, "192.0.2.1", 200, u64::MAX) >= 100,
            "no panic where time ends"
        );
    }

    #[test]
    fn workers_share_the_rate_down_to_a_part_that_is_left_to_each_and_zero_is_no_bound() {
        let over_a_minute = |rate_limit, workers| {
            let mut rate = Rate::with_key(&server(rate_limit, 0), workers, [7; 16]).unwrap();
            let burst = sent(&mut rate, "192.0.2.1", 1000, START_MS);
            let then: usize = (1..=60_000)
                .map(|ms| sent(&mut rate, "192.0.2.1", 2, START_MS + ms))
                .sum();
            (burst, then / 60)
        };
        assert_eq!(over_a_minute(200, 1), (200, 200));
        assert_eq!(over_a_minute(200, 2), (200, 100));
        assert_eq!(over_a_minute(200, 64), (200, RATE_LIMIT_SHARE as usize));
        assert_eq!(over_a_minute(20, 64), (20, 20), "a small rate is not shared");
        assert!(Rate::new(&server(0, 2), 1).is_none());
    }
}
