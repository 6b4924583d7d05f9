#![no_main]
//! What servers say to the validator: never a panic, never more work than its bounds allow.

use libfuzzer_sys::fuzz_target;

#[path = "judged.rs"]
mod judged;

fuzz_target!(|bytes: &[u8]| {
    judged::run(bytes);
});
