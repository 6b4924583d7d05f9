//! What the operator sees of a running server: logs and counters. Nothing here names what a client looked up unless the
//! operator asked for it.

pub mod counters;
mod log;

pub use log::{FILTER_VARIABLE, Format, LogError, log_init, trace_init};
