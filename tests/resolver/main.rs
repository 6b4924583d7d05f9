//! The resolver against servers on loopback: forwarding over every transport, and recursion in a small internet.

mod forward;
mod internet;
mod servers;
mod stack;
