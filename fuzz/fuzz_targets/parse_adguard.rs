#![no_main]
//! Lists written as `adguard`.

mod parser;

use libfuzzer_sys::fuzz_target;
use stairgate::list::source::Format;

fuzz_target!(|bytes: &[u8]| parser::check(Format::Adguard, bytes));
