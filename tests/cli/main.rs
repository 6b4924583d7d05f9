//! The program as its operator meets it: the real binary, real files, real sockets on loopback.

mod common;
mod explain;
mod fetch;
mod publisher;
mod what_fails;
