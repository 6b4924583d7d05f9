//! The road of a list: fetch -> parse -> normalize -> merge -> compile -> verify -> publish -> mmap.

pub mod rule;
pub mod set;
