//! A made-up internet in one process: zones as text, servers with tempers, a network that delays, loses, doubles and forges, and
//! a clock that jumps from event to event. One number reproduces a run.

mod authority;
mod cases;
mod dress;
mod errors;
mod families;
mod hostile;
mod lives;
mod network;
mod odd;
mod oracle;
mod seeds;
mod signed;
mod trust;
mod zones;
