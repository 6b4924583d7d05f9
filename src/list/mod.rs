//! The road of a list: fetch -> parse -> normalize -> merge -> compile -> verify -> publish -> mmap.

mod assemble;
pub mod builder;
pub mod compile;
pub mod diff;
pub mod dump;
pub mod fetch;
pub mod format;
mod grouping;
pub mod index;
pub mod lines;
pub mod listing;
pub mod merge;
pub mod nodes;
pub mod normalize;
mod order;
pub mod parse;
pub mod pattern;
pub mod publish;
mod ranges;
pub mod rdata;
pub mod rule;
pub mod set;
pub mod source;
pub mod stamp;
pub mod stock;
pub mod tables;
pub mod verify;
