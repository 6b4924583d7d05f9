//! Queries that came together, read and looked ahead for, are answered as each would be by itself.

use crate::common::*;
use proptest::prelude::*;
use stairgate::config::settings::ProfileSettings;
use stairgate::count::Counts;
use stairgate::limits::LOOKED_AHEAD;
use stairgate::list::set::Gate;
use stairgate::query::{self, Ahead, Begun};

/// What came of a query: the response, what waits for the resolver, or nothing.
#[derive(Debug, PartialEq)]
enum Came {
    Response(Vec<u8>),
    Asks(stairgate::dns::name::Name),
    Nothing,
}

fn came((begun, counts): (Begun, Counts), out: &[u8]) -> (Came, Counts) {
    let came = match begun {
        Begun::Respond(len) | Begun::RespondAndRenew(len, _) => Came::Response(out[..len].to_vec()),
        Begun::Pending(pending) => Came::Asks(pending.question().name.clone()),
        Begun::Drop => Came::Nothing,
    };
    (came, counts)
}

/// Names that are cached, denied, listed (one also cached), nowhere, local; bytes that are no query.
fn messages() -> Vec<Vec<u8>> {
    let names = [
        "www.cached.example",
        "WWW.cached.Example",
        "cached-and-listed.example",
        "blocked.example",
        "listed.example",
        "a.b.c.listed.example",
        "ads7.tracker.example",
        "nowhere.example",
        "localhost",
        "www.allowed.example",
        ".",
    ];
    let plain = names.map(|name| ask(name, "A").bytes());
    let others = [
        ask("www.cached.example", "AAAA").bytes(),
        ask("www.cached.example", "A").edns(1232, true).bytes(),
        ask("www.cached.example", "A").no_recursion().bytes(),
        ask("listed.example", "ANY").bytes(),
        Vec::new(),
        b"\0\x07\x81\0\0\x01\0\0\0\0\0\0".to_vec(),
        b"\0\x07\x01\0\0\x01\0\0\0\0\0\0\x03www".to_vec(),
    ];
    plain.into_iter().chain(others).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn a_batch_is_answered_as_each_of_it_by_itself(
        chosen in proptest::collection::vec(any::<prop::sample::Index>(), 1..=LOOKED_AHEAD),
        indexed in any::<bool>(),
    ) {
        let mut settings = settings();
        settings.profiles[0] = ProfileSettings {
            every_category: true,
            ..settings.profiles[0].clone()
        };
        let lists = [
            ("names", "adult", "listed.example\ncached-and-listed.example\n"),
            ("rules", "ads", "||ads*.tracker.example^\n@@||b.c.listed.example^\n"),
        ];
        let gate = Gate::from_lists(&lists);
        let script = Script::new();
        let mut road = Road::new(settings.clone(), &script);
        road.generation = with_gate(settings, if indexed { gate.indexed() } else { gate });
        for name in ["www.cached.example", "cached-and-listed.example"] {
            keep(&road, name);
        }
        let messages = messages();
        let batch: Vec<&[u8]> = chosen.iter().map(|at| at.get(&messages).as_slice()).collect();
        let (generation, cache, peer, now) = (&road.generation, &road.cache, &road.peer, road.now);
        let mut out = vec![0; 65_535];
        let alone: Vec<_> = batch
            .iter()
            .map(|bytes| came(query::begin(generation, cache, bytes, peer, now, &mut out), &out))
            .collect();
        let mut ahead = Ahead::default();
        // Twice, since the room is used again.
        for _ in 0..2 {
            let mut reads = [None; LOOKED_AHEAD];
            for (read, bytes) in reads.iter_mut().zip(&batch) {
                *read = Some(query::read(cache, bytes));
            }
            ahead.look(generation, cache, &mut reads);
            let mut askers = Vec::new();
            generation.policy.clients(&vec![peer.address.ip(); batch.len()], 0, &mut askers);
            for ((read, asker), alone) in reads.iter().flatten().zip(askers).zip(&alone) {
                let begun = query::begin_for(generation, cache, read, peer, asker, now, &mut out);
                prop_assert_eq!(&came(begun, &out), alone);
            }
        }
    }
}

/// Keeps an answer for this name's addresses.
fn keep(road: &Road, text: &str) {
    let mut response = b"\0\0\x81\x80\0\x01\0\x01\0\0\0\0".to_vec();
    let qname = name(text);
    response.extend(qname.as_wire());
    response.extend(b"\0\x01\0\x01\xc0\x0c\0\x01\0\x01\0\0\x01\x2c\0\x04\xc0\0\x02\x01");
    let key = stairgate::cache::CacheKey {
        qname: qname.as_wire(),
        qtype: 1,
        dnssec_ok: false,
        checking_disabled: false,
    };
    road.cache.put(&key, &response, road.now);
}
