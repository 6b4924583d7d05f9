//! The program as its operator meets it: the real binary, real files, real sockets on loopback.

mod fetch;
mod publisher;
