//! The resolver against servers on loopback: forwarding over every transport, and recursion in a small internet; what fuzzing found.

mod encrypted;
mod forward;
mod hostile;
mod internet;
mod nameserver_rules;
mod servers;
mod stack;
