#![no_main]
//! The bytes of a query, through `query::begin` with a household that blocks a name.

use libfuzzer_sys::fuzz_target;
use stairgate::cache::Cache;
use stairgate::config::settings::{ProfileSettings, Settings};
use stairgate::count::Counts;
use stairgate::dns::name::Name;
use stairgate::generation::Generation;
use stairgate::limits::MESSAGE_BYTES;
use stairgate::list::set::Gate;
use stairgate::local::Zones;
use stairgate::now::Now;
use stairgate::policy::Policy;
use stairgate::query::{Begun, Peer, Transport, begin};
use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

static ROAD: LazyLock<(Arc<Generation>, Cache)> = LazyLock::new(|| {
    let mut settings = Settings::builtin(Path::new("."));
    settings.lists.clear();
    let mut profile = ProfileSettings::named("default");
    profile.deny = vec![Name::parse("blocked.example").expect("a name")];
    settings.profiles = vec![profile];
    let gate = Gate::empty();
    let generation = Generation {
        number: 1,
        policy: Policy::build(&gate, &settings, &[]).expect("policy without lists"),
        gate: Arc::new(gate),
        local: Zones::build(&settings).expect("the built-in zones"),
        settings: Arc::new(settings),
    };
    (Arc::new(generation), Cache::new(1 << 20, Duration::ZERO, Duration::from_secs(86_400)))
});

fuzz_target!(|bytes: &[u8]| {
    let (generation, cache) = &*ROAD;
    let now = Now { mono_ms: 10_000_000, unix_ms: 1_700_000_000_000 };
    let mut out = vec![0; MESSAGE_BYTES];
    for transport in [Transport::Udp, Transport::Tcp] {
        let peer = Peer { address: ([127, 0, 0, 1], 4000).into(), transport };
        let (begun, counts) = begin(generation, cache, bytes, &peer, now, &mut out);
        match begun {
            Begun::Respond(length) | Begun::RespondAndRenew(length, _) => {
                assert!(length >= 12 && out[..2] == bytes[..2] && out[2] & 0x80 != 0);
                assert!(transport == Transport::Tcp || length <= 1232);
            }
            Begun::Pending(_) => {}
            _ => assert_ne!(counts, Counts::NONE),
        }
    }
});
