#![no_main]
//! What servers say to the iterator: never a panic, never more queries than its bounds allow, and always an end.

use libfuzzer_sys::fuzz_target;

#[path = "iterator.rs"]
mod iterator;

fuzz_target!(|bytes: &[u8]| iterator::run(bytes));
