//! The road of a list: fetch -> parse -> normalize -> merge -> compile -> verify -> publish -> mmap.

pub mod dump;
pub mod fetch;
pub mod normalize;
pub mod parse;
pub mod pattern;
pub mod rdata;
pub mod rule;
pub mod set;
pub mod source;
pub mod stamp;
