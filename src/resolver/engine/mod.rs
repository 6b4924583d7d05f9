//! Recursion: from a question to what the authorities say, by asking them.
//!
//! In: a name, a type, a seed; then events. Out: commands, and a [`Found`] or a [`Trouble`]. `driver` does with sockets what the
//! commands say.
//! Always: bytes and the time in, packets to send and answers out. Nothing here but `driver` knows a socket, a clock or a
//! runtime, so that one number reproduces a resolution. What resolutions share is behind locks that are held for one look-up
//! and never while waiting.
//!
//! The road: [`walk`] goes down the tree, `minimize` says how much of the name to show, [`delegations`] and `addresses` who to
//! ask, [`servers`] and [`choose`] which of them first, `ask` sends and listens, `query` and [`response`] are the bytes,
//! [`classify`] says what they mean, `check` has it validated, [`store`] keeps it, `message` writes the answer. `nameservers` tells who was on the way.
//! [`task`] drives, [`trace`] tells.
//! Keeps: RFC 1034 §5.3.3; the pages name the rest.

mod addresses;
mod apexes;
mod ask;
mod bounded;
mod check;
pub mod choose;
pub mod classify;
pub mod delegations;
mod driver;
pub mod hints;
mod keeper;
mod message;
mod minimize;
mod nameservers;
mod prime;
pub mod query;
mod race;
pub mod response;
pub mod rrset;
pub mod servers;
mod special;
mod stage;
pub mod store;
pub mod task;
pub mod trace;
mod trouble;
pub mod walk;

pub(super) use driver::validator;
pub use driver::{Mapping, Recursive, RecursiveError};
pub use nameservers::OnTheWay;
pub use shared::{Engine, EngineSettings, Wanted};
pub use stage::Link;
pub use trouble::Trouble;
pub use walk::{Finding, Found};

mod shared;
#[cfg(test)]
mod simulation;
