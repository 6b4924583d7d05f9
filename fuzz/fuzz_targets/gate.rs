#![no_main]
//! The bytes of a gate file: refused with a sentence, or walked without a panic. The digest is set right first, so that what
//! lies behind it is reached.

use libfuzzer_sys::fuzz_target;
use stairgate::dns::key::Key;
use stairgate::list::format::{self, DIGEST};
use stairgate::list::verify::Unverified;

fuzz_target!(|bytes: &[u8]| {
    let mut bytes = bytes.to_vec();
    let digest = format::digest(&bytes);
    if let Some(place) = bytes.get_mut(DIGEST) {
        place.copy_from_slice(&digest);
    }
    if let Ok(verified) = Unverified::new(bytes).verify() {
        let gate = verified.into_gate();
        for name in ["com", "example.com", "a.b.c.example.org", "."] {
            let key = Key::parse(name).expect("a name");
            gate.walk(&key, |_, set| assert!(gate.rules_of(set).all(|rule| gate.rule(rule).is_some())));
        }
    }
});
