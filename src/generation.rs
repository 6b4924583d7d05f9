//! What belongs together while one query is answered: lists, policy, settings and local zones of one moment.
//!
//! In: the parts, each built and checked. Out: one [`Generation`] behind an `Arc`, swapped as a whole.
//! Always: immutable. A query keeps the generation it began with to its end, so it never sees parts of two.

use crate::config::settings::Settings;
use crate::list::set::Gate;
use crate::local::Zones;
use crate::policy::Policy;
use std::sync::Arc;

/// Lists and policy that belong together. The next one takes its place by one pointer; an old one lives until its last
/// query is answered.
pub struct Generation {
    /// Counts up from 1 with each reload, for logs and tests.
    pub number: u64,
    /// The compiled lists.
    pub gate: Arc<Gate>,
    /// Clients and profiles, made for this gate: rule set ids mean nothing with another.
    pub policy: Policy,
    pub settings: Arc<Settings>,
    /// Names this server answers for itself.
    pub local: Zones,
}

/// Where the listeners find the generation in force, and reload puts the next.
pub type Generations = arc_swap::ArcSwap<Generation>;
