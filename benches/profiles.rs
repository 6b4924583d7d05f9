//! What many profiles and clients cost: `query::begin` for one profile of everybody's beside ten thousand different ones and a million
//! clients, in one run.
//!
//! In: the lists of the corpus (`STAIRGATE_CORPUS`, `STAIRGATE_GATE` as for `udp`). Out: a table of user time for each query, medians of
//! interleaved rounds; bytes of each client and profile. All profiles have the list that the blocked names are from, and every other
//! list by chance, so that both sides answer the same. Clients ask as often as a Zipf law of exponent 1 says, or all alike.
//! Fails only without the data.

mod road;

use ipnet::{IpNet, Ipv4Net};
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use road::{cache, cached, gate, keep, open, plain_query, sources};
use stairgate::cache::Cache;
use stairgate::clock;
use stairgate::config::settings::{ClientSettings, ProfileSettings, Settings};
use stairgate::dns::key::{Key, to_text};
use stairgate::dns::rtype;
use stairgate::generation::Generation;
use stairgate::limits::{LOOKED_AHEAD, UDP_BATCH};
use stairgate::list::rule::{Effect, Modifiers, Scope};
use stairgate::list::set::Gate;
use stairgate::local::Zones;
use stairgate::policy::decision::Action;
use stairgate::policy::{Met, Policy};
use stairgate::query::{self, Ahead, Begun, Peer, Transport};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

const PROFILES: usize = 10_000;
const CLIENTS: u32 = 1_000_000;
const QUERIES: usize = 400_000;
const ROUNDS: usize = 9;

fn main() {
    let file = gate();
    let everything = road::generation(&file);
    let gate = Arc::new(open(&file));
    let few = generation(&gate, 1, 1);
    let started = Instant::now();
    let many = generation(&gate, PROFILES, CLIENTS);
    println!(
        "policy of {PROFILES} profiles and {CLIENTS} clients: made in {:.1} s",
        started.elapsed().as_secs_f64()
    );
    sizes(&gate, &few, &many);
    // One for each: what is noted with a cached answer holds for one generation.
    let caches = [cache(), cache()];
    let now = clock::now();
    let queries = |names: Vec<String>| names.iter().map(|name| plain_query(name)).collect::<Vec<_>>();
    let known = queries(cached(&everything));
    for cache in &caches {
        known.iter().for_each(|query| keep(cache, query, now));
    }
    let blocked = queries(blocked(&gate, &many));
    println!(
        "{} cached names, {} blocked ones; ns of a query",
        known.len(),
        blocked.len()
    );
    println!(
        "{:<10}{:<10}{:>12}{:>12}{:>8}{:>8}",
        "names", "clients", "one profile", "many", "ratio", "asked"
    );
    for (what, queries) in [("cached", &known), ("blocked", &blocked)] {
        for (who, peers, asked) in [("Zipf", zipf(), 1.15), ("uniform", uniform(), 1.3)] {
            let mut times = [Vec::new(), Vec::new()];
            for _ in 0..ROUNDS {
                for ((generation, cache), times) in [&few, &many].into_iter().zip(&caches).zip(&mut times) {
                    times.push(ask(generation, cache, queries, &peers));
                }
            }
            let [one, many] = times.map(|mut times| {
                times.sort_by(f64::total_cmp);
                times[times.len() / 2]
            });
            println!(
                "{what:<10}{who:<10}{one:>12.0}{many:>12.0}{:>8.2}{asked:>8}",
                many / one
            );
        }
    }
}

/// Nanoseconds for each query.
fn ask(generation: &Arc<Generation>, cache: &Cache, queries: &[Vec<u8>], peers: &[Peer]) -> f64 {
    let now = clock::now();
    let mut out = vec![0; stairgate::limits::MESSAGE_BYTES];
    let mut unanswered = 0;
    let mut queries = queries.iter().cycle();
    let (mut askers, mut ahead) = (Vec::new(), Ahead::default());
    let started = Instant::now();
    // As a UDP worker does it with what came in together.
    for peers in peers.chunks(UDP_BATCH) {
        let sources: Vec<IpAddr> = peers.iter().map(|peer| peer.address.ip()).collect();
        generation.policy.clients(&sources, 0, &mut askers);
        for (peers, askers) in peers.chunks(LOOKED_AHEAD).zip(askers.chunks(LOOKED_AHEAD)) {
            let mut reads = [None; LOOKED_AHEAD];
            for (read, query) in reads[..peers.len()].iter_mut().zip(&mut queries) {
                *read = Some(query::read(cache, query));
            }
            ahead.look(generation, cache, &mut reads);
            for ((peer, asker), read) in peers.iter().zip(askers).zip(reads.iter().flatten()) {
                match query::begin_for(generation, cache, read, peer, *asker, now, &mut out) {
                    (Begun::Respond(len) | Begun::RespondAndRenew(len, _), _) => std::hint::black_box(len),
                    _ => {
                        unanswered += 1;
                        0
                    }
                };
            }
        }
    }
    // A pattern of some list may let a name through for some.
    assert!(
        unanswered * 1000 <= peers.len(),
        "{unanswered} would have to be resolved"
    );
    started.elapsed().as_nanos() as f64 / peers.len() as f64
}

/// Every second address of 10.0.0.0/8 is a client.
fn address(client: u32) -> Ipv4Addr {
    Ipv4Addr::from(0x0a00_0000 + 2 * client)
}

fn peer(client: u32) -> Peer {
    Peer {
        address: SocketAddr::new(address(client).into(), 4000),
        transport: Transport::Udp,
    }
}

fn zipf() -> Vec<Peer> {
    let mut random = StdRng::seed_from_u64(1);
    // Who is popular has nothing to do with the order of addresses.
    let mut clients: Vec<u32> = (0..CLIENTS).collect();
    clients.shuffle(&mut random);
    let mut sum = 0.0;
    let sums: Vec<f64> = (1..=CLIENTS)
        .map(|rank| {
            sum += 1.0 / f64::from(rank);
            sum
        })
        .collect();
    let mut one = || sums.partition_point(|&at| at < random.random_range(0.0..sum));
    (0..QUERIES).map(|_| peer(clients[one()])).collect()
}

fn uniform() -> Vec<Peer> {
    let mut random = StdRng::seed_from_u64(2);
    (0..QUERIES).map(|_| peer(random.random_range(0..CLIENTS))).collect()
}

/// So many profiles with the largest list and a choice of the others, and so many clients that have one of them each by chance; one client is
/// the whole of 10.0.0.0/8.
fn generation(gate: &Arc<Gate>, profiles: usize, clients: u32) -> Arc<Generation> {
    let mut random = StdRng::seed_from_u64(3);
    let mut settings = Settings::builtin(&std::env::temp_dir());
    settings.lists.clear();
    let lists = sources(gate);
    let of_all = largest(gate);
    let base = ProfileSettings {
        every_category: false,
        ..ProfileSettings::blocking_everything()
    };
    settings.profiles = (0..profiles)
        .map(|number| ProfileSettings {
            name: if number == 0 {
                base.name.clone()
            } else {
                format!("profile-{number}")
            },
            block: lists
                .iter()
                .filter(|list| **list == of_all || random.random_bool(0.5))
                .cloned()
                .collect(),
            ..base.clone()
        })
        .collect();
    settings.clients = (0..clients)
        .map(|client| ClientSettings {
            name: format!("client-{client}"),
            tags: Vec::new(),
            networks: vec![match clients {
                1 => IpNet::V4(Ipv4Net::new_assert(address(0), 8)),
                _ => IpNet::from(IpAddr::from(address(client))),
            }],
            profile: settings.profiles[random.random_range(0..profiles)].name.clone(),
            person: None,
        })
        .collect();
    Arc::new(Generation {
        number: 1 + profiles as u64,
        policy: Policy::build(gate, &settings, &[]).unwrap_or_else(|error| panic!("{error}")),
        gate: Arc::clone(gate),
        local: Zones::builtin(),
        settings: Arc::new(settings),
    })
}

/// The source that has most of a sample of keys.
fn largest(gate: &Gate) -> String {
    let mut counts = vec![0u32; gate.sources().len()];
    let mut keys = gate.all_keys();
    for number in 0.. {
        if !keys.advance() {
            break;
        }
        if number % 101 == 0 {
            gate.walk(&Key::parse(&to_text(keys.key())).expect("a name"), |_, set| {
                for rule in gate.rules_of(set) {
                    let source = gate.rule(rule).expect("a rule").source;
                    counts[usize::from(source.0)] += u32::from(!gate.sources()[usize::from(source.0)].is_allow());
                }
            });
        }
    }
    let largest = (0..counts.len()).max_by_key(|&source| counts[source]).expect("sources");
    gate.sources()[largest].name.clone()
}

/// Names that everybody's list blocks and that nothing lets through, in random order.
fn blocked(gate: &Gate, many: &Generation) -> Vec<String> {
    let of_all = largest(gate);
    let blocks = |client: u32, key: &Key| {
        let asker = many.policy.client(address(client).into(), 0).expect("a client");
        let decision = many.policy.decide(gate, &asker, key, Met::Question, rtype::A);
        decision.action == Action::Sinkhole
    };
    let mut names = Vec::new();
    let mut keys = gate.all_keys();
    for number in 0u32.. {
        if !keys.advance() {
            break;
        }
        if number % 11 != 0 {
            continue;
        }
        let text = to_text(keys.key());
        let key = Key::parse(&text).expect("a name");
        let (mut listed, mut only_blocked) = (false, true);
        gate.walk(&key, |_, set| {
            for rule in gate.rules_of(set).filter_map(|rule| gate.rule(rule)) {
                let source = &gate.sources()[usize::from(rule.source.0)];
                let blocks = rule.effect == Effect::Block && rule.modifiers == Modifiers::default();
                listed |= source.name == of_all && rule.scope == Scope::Subtree;
                only_blocked &= blocks && !source.is_allow();
            }
        });
        // A pattern may still let it through for some.
        if listed && only_blocked && (0..8).all(|client| blocks(number % 100_000 + client * 100_000, &key)) {
            names.push(text);
        }
    }
    names.shuffle(&mut StdRng::seed_from_u64(4));
    names.truncate(200_000);
    names
}

fn sizes(gate: &Arc<Gate>, few: &Generation, many: &Generation) {
    let profiles = generation(gate, PROFILES, 1).policy.size_bytes();
    let (one, all) = (few.policy.size_bytes(), many.policy.size_bytes());
    let of_a_profile = (profiles - one) as f64 / (PROFILES - 1) as f64;
    println!(
        "bytes: {one} for one profile and client, {all} for all; {:.1} a client (asked: 64), {of_a_profile:.1} a profile, {:.5} bits a rule set (asked: 2)",
        (all - profiles) as f64 / f64::from(CLIENTS - 1),
        8.0 * of_a_profile / gate.rule_set_count() as f64,
    );
}
