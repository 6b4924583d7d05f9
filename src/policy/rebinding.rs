//! Rebinding: a public name that leads into the network of whoever asks, so that a page from outside reaches what is inside.
//!
//! In: who asks, for which name; an address of its answer. Out: whether answers about the name are looked at so, and a [`Decision`].
//! Always: it is the name asked for that counts, since a page can have any alias: one that leads to a name of this network is caught too.

use super::decision::{Action, Cause, Decision};
use super::{Asker, Policy};
use crate::dns::key::Key;
use crate::dns::local_address::is_local;
use std::net::IpAddr;

impl Policy {
    /// Whether no answer about this name may hold an address of a private network. That this server answers some names itself, who
    /// may have any address, the caller knows.
    pub fn guards_rebinding(&self, asker: &Asker, key: &Key) -> bool {
        self.inspects(asker).rebinding && self.inward.find(key, asker.now_s).is_none()
    }

    /// What becomes of an answer that holds this address, where that was so; `None`: it leads into no private network.
    pub fn decide_rebinding(&self, asker: &Asker, addr: IpAddr) -> Option<Decision> {
        let profile = self.profiles.get(usize::from(asker.profile?.0))?;
        (profile.rebinding && self.leads_inward(addr))
            .then(|| Decision::new(Action::Sinkhole, Cause::Rebinding).observed_if(profile.observe))
    }

    /// Whether an address leads into a private network, behind whatever translator.
    pub(super) fn leads_inward(&self, addr: IpAddr) -> bool {
        is_local(addr) || self.translated(addr).is_some_and(|inner| is_local(inner.into()))
    }
}
