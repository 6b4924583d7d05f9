//! The road of a query, walked with a made-up resolver: from bytes to bytes, and over real sockets on loopback.

mod activity;
mod ahead;
mod aliases;
mod alloc;
mod answers;
mod common;
mod cookies;
mod ech;
mod hostile;
mod household;
mod look_alikes;
mod nameservers;
mod rates;
mod rebinding;
mod recall;
mod renewals;
mod rpz_answers;
mod sockets;
mod streams;
mod structured;
mod swap;
