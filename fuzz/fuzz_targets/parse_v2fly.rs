#![no_main]
//! Lists written as `v2fly`.

mod parser;

use libfuzzer_sys::fuzz_target;
use stairgate::list::source::Format;

fuzz_target!(|bytes: &[u8]| parser::check(Format::V2fly, bytes));
