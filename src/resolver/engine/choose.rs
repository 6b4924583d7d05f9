//! Chooses which server to ask next.
//!
//! In: the servers of a zone with what is known of each, and chance. Out: one of them, and how long to wait for it.
//! Always: the fastest is asked most; every other is met now and then, so that a better one is found and one that came back is
//! noticed; meeting one costs little, since the wait for it is short while a good one is known.

use super::servers::View;
use crate::limits;
use rand::Rng;
use std::net::IpAddr;

/// A server that could be asked.
#[derive(Debug, Clone, Copy)]
pub struct Candidate {
    pub address: IpAddr,
    pub view: View,
    /// 0 for servers that the zone names itself, 1 for those that only its parent names.
    pub tier: u8,
    /// Lame for the zone, lately.
    pub lame: bool,
    /// How often it was asked this question already.
    pub tries: u32,
}

/// One in so many questions goes to another server than the best one.
const EXPLORE: u32 = 16;
/// Silences in a row after which it does not count that the zone names the server itself.
const TIER_SILENCES: u32 = 2;
/// Servers this much slower than the fastest, in milliseconds, are as good as it.
const BAND_MS: f32 = 8.0;

/// Which of `candidates` to ask, by position, and how long to wait before another is tried, in milliseconds. `None` if there is
/// none that may be asked now.
pub fn choose(candidates: &[Candidate], random: &mut impl Rng) -> Option<(usize, u64)> {
    // Least tried first; of these, those without a mark against them.
    let mark = |candidate: &Candidate| {
        let view = &candidate.view;
        (
            candidate.tries,
            candidate.lame,
            view.down,
            view.shunned,
            view.doubted,
            // One that the zone names itself and that keeps silent is no better than those its parent names.
            candidate.tier.max(u8::from(view.silences >= TIER_SILENCES)),
        )
    };
    let able = |candidate: &&Candidate| !candidate.view.resting || candidate.tries > 0;
    let best_mark = candidates.iter().filter(able).map(mark).min()?;
    let group: Vec<usize> = (0..candidates.len())
        .filter(|&at| able(&&candidates[at]) && mark(&candidates[at]) == best_mark)
        .collect();
    let time = |at: usize| candidates[at].view.time_ms;
    let fastest = group.iter().filter_map(|&at| time(at)).reduce(f32::min);
    let pick = |from: &[usize], random: &mut dyn rand::RngCore| from[random.random_range(0..from.len())];

    let Some(fastest) = fastest else {
        // Of strangers, those first that did not keep silent yet: whoever comes after a failure goes on where it ended.
        let least = group.iter().map(|&at| candidates[at].view.silences).min();
        let group: Vec<usize> = group
            .into_iter()
            .filter(|&at| Some(candidates[at].view.silences) == least)
            .collect();
        let at = pick(&group, random);
        let Candidate { address, view, .. } = &candidates[at];
        // First words of a family: it may be a line that leads nowhere, and the other family is there.
        let unsure = !view.family_heard
            && candidates
                .iter()
                .any(|other| other.address.is_ipv6() != address.is_ipv6() && other.tries == 0);
        let most_ms = match unsure {
            true => limits::FAMILY_FIRST_WAIT.as_millis() as u64,
            false => u64::MAX,
        };
        return Some((at, view.patience_ms.min(most_ms)));
    };
    let good: Vec<usize> = group
        .iter()
        .copied()
        .filter(|&at| time(at).is_some_and(|time| time <= fastest + BAND_MS))
        .collect();
    // Those that rested long enough are among the others, whatever is held against them; strangers and slow ones too.
    let others: Vec<usize> = (0..candidates.len())
        .filter(|at| !good.contains(at))
        .filter(|&at| {
            let candidate = &candidates[at];
            able(&candidate) && !candidate.lame && !candidate.view.shunned && candidate.tries == best_mark.0
        })
        .collect();
    if !others.is_empty() && best_mark.0 == 0 && random.random_ratio(1, EXPLORE) {
        let at = pick(&others, random);
        // A better one stands ready.
        let short = (fastest * 1.5) as u64 + 10;
        return Some((at, candidates[at].view.patience_ms.min(short)));
    }
    let at = pick(&good, random);
    Some((at, candidates[at].view.patience_ms))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    fn candidate(octet: u8, time_ms: Option<f32>) -> Candidate {
        Candidate {
            address: [192, 0, 2, octet].into(),
            view: View {
                time_ms,
                patience_ms: 300,
                silences: 0,
                down: false,
                resting: false,
                rested_at_ms: 0,
                shunned: false,
                doubted: false,
                family_heard: true,
                edns: true,
                speaks_edns: true,
                loses_case: false,
                tcp: false,
            },
            tier: 0,
            lame: false,
            tries: 0,
        }
    }

    fn tally(candidates: &[Candidate]) -> Vec<usize> {
        let mut random = StdRng::seed_from_u64(1);
        let mut counts = vec![0; candidates.len()];
        for _ in 0..1000 {
            counts[choose(candidates, &mut random).unwrap().0] += 1;
        }
        counts
    }

    #[test]
    fn the_fastest_gets_most_and_every_other_some() {
        let counts = tally(&[
            candidate(1, Some(100.0)),
            candidate(2, Some(20.0)),
            candidate(3, None),
            candidate(4, Some(25.0)),
        ]);
        assert!(counts[1] > 400 && counts[3] > 400, "{counts:?}");
        assert!(counts[0] > 10 && counts[2] > 10, "{counts:?}");
    }

    #[test]
    fn a_server_that_is_down_is_met_again_only_after_its_rest() {
        let mut bad = candidate(1, Some(1.0));
        bad.view.down = true;
        bad.view.resting = true;
        let good = candidate(2, Some(50.0));
        assert_eq!(tally(&[bad, good]), [0, 1000]);
        bad.view.resting = false;
        assert!((10..200).contains(&tally(&[bad, good])[0]));
        bad.view.resting = true;
        assert!(choose(&[bad], &mut StdRng::seed_from_u64(1)).is_none());
    }

    #[test]
    fn lame_servers_and_those_already_asked_come_last() {
        let mut lame = candidate(1, Some(1.0));
        lame.lame = true;
        let mut asked = candidate(2, Some(2.0));
        asked.tries = 1;
        assert_eq!(tally(&[lame, asked]), [1000, 0]);
    }

    #[test]
    fn waiting_for_a_stranger_is_short_while_a_good_server_is_known() {
        let candidates = [candidate(1, None), candidate(2, Some(20.0))];
        let mut random = StdRng::seed_from_u64(3);
        let waits = (0..500).filter_map(|_| choose(&candidates, &mut random));
        let longest = waits.filter(|(at, _)| *at == 0).map(|(_, wait)| wait).max().unwrap();
        assert_eq!(longest, 40);
    }

    #[test]
    fn a_silent_server_of_the_zones_own_set_gives_way_to_one_of_its_parents() {
        let mut own = candidate(1, None);
        let mut parents = candidate(2, Some(20.0));
        parents.tier = 1;
        assert!(tally(&[own, parents])[0] > 800);
        own.view.silences = TIER_SILENCES;
        assert!(tally(&[own, parents])[1] > 800);
    }

    #[test]
    fn of_strangers_those_that_kept_silent_come_last() {
        let mut silent = candidate(1, None);
        silent.view.silences = 1;
        assert_eq!(tally(&[silent, candidate(2, None), candidate(3, None)])[0], 0);
    }
}
