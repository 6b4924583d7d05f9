//! Asks who the root servers are.
//!
//! Always: the hints stay behind what is found, for when its servers all fail; a failure is no reason not to answer.
//! Keeps: RFC 9609 §3 and §4.

use super::classify::End;
use super::trouble::Trouble;
use super::walk::{Trip, Walk};
use crate::dns::name::Name;
use crate::dns::rtype;
use crate::limits;

/// Asks, and takes in what comes.
pub(super) async fn prime(walk: &Walk) -> Result<(), Trouble> {
    let mut cut = walk.engine.delegations.root();
    let primed_before = cut.child.take();
    let reading = match walk.ask(&cut, &Name::root(), rtype::NS, false, &Trip::own(false)).await {
        Ok((reading, _)) => reading,
        // None of the hints answers: perhaps they are old.
        Err(trouble) => {
            cut.child = Some(primed_before.ok_or(trouble)?);
            walk.ask(&cut, &Name::root(), rtype::NS, false, &Trip::own(false))
                .await?
                .0
        }
    };
    let (End::Found { set, .. }, Some((zone, servers))) = (reading.end, reading.own_servers) else {
        return Err(Trouble::unusable("no root server says who they are"));
    };
    let reachable = servers
        .servers
        .iter()
        .flat_map(|server| &server.glue)
        .any(|&address| walk.engine.networks.may_ask(address));
    if !zone.is_root() || !reachable {
        return Err(Trouble::unusable("the root servers named cannot be asked"));
    }
    walk.engine.delegations.put_child(&zone, servers);
    let ttl_s = set.ttl_s.clamp(limits::PRIME_TTL_MIN_S, limits::PRIME_TTL_MAX_S);
    walk.engine.primed(walk.io.now_ms() + u64::from(ttl_s) * 1000);
    Ok(())
}
