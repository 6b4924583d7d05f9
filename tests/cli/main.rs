//! The program as its operator meets it: the real binary, real files, real sockets on loopback.

mod activity;
mod bad_sources;
mod cache;
mod common;
mod explain;
mod fetch;
mod household;
mod lifecycle;
mod overload;
mod publisher;
mod status;
mod talk;
mod what_fails;
mod wrong_clock;
