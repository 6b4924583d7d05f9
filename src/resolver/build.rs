//! Puts the resolver together from settings.

use super::bootstrap::{Bootstrap, Families};
use super::counters::Counters;
use super::dns64::Dns64;
use super::engine::{self, Mapping, Recursive, RecursiveError};
use super::failures::Failures;
use super::fallback::{Direction, Fallback};
use super::forward::checked::Checked;
use super::forward::{BadUpstream, Forward, Surroundings, Trust};
use super::join::Join;
use super::nameservers::NameServers;
use super::validate::Validator;
use super::zones::Zones;
use super::{Resolver, Scope};
use crate::config::settings::{self, Mode, ResolverSettings, Settings, ZoneSource};
use crate::dns::name::Name;
use crate::limits;
use std::collections::HashMap;
use std::sync::Arc;

/// The resolver and what else of it the program needs a hold of.
pub struct Stack {
    /// Answers questions; made for sharing.
    pub resolver: Arc<dyn Resolver>,
    /// Looks up names for this program itself, such as those of list publishers.
    pub bootstrap: Arc<Bootstrap>,
    /// What is counted, for the control socket.
    pub counters: Arc<Counters>,
    join: Arc<Join>,
    failures: Arc<Failures>,
    recursive: Option<Arc<Recursive>>,
    /// Who validates what upstreams say.
    validators: Vec<Arc<Validator>>,
    /// Who asks upstreams about name servers.
    nameservers: Option<Arc<NameServers>>,
}

/// Settings that no resolver can be made of.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    #[error(transparent)]
    Upstream(#[from] BadUpstream),
    #[error("resolver.mode is \"forward\", but resolver.forward names no upstream; add one, such as \"9.9.9.9\"")]
    NoUpstream,
    #[error(transparent)]
    Recursive(#[from] RecursiveError),
}

impl Stack {
    /// Forgets the failures it remembers and whatever else would answer in place of other servers, for `cache flush`: the next
    /// question is asked of them. Returns how many records, denials, delegations and failures went.
    pub fn forget(&self, scope: &Scope) -> usize {
        self.join.forget();
        self.bootstrap.forget(scope);
        self.validators
            .iter()
            .for_each(|validator| validator.forget(scope.top()));
        let known = self.recursive.as_ref().map_or(0, |recursive| recursive.forget(scope));
        let servers = self.nameservers.as_ref().map_or(0, |servers| servers.forget(scope));
        known + servers + self.failures.forget(scope)
    }
}

/// What the resolver takes of `cache.size` for what it remembers, in bytes; the answer cache has the rest.
pub fn memory_bytes(settings: &Settings) -> usize {
    recursion_bytes(settings) + validators_bytes(settings)
}

fn size_bytes(settings: &Settings) -> usize {
    usize::try_from(settings.cache.size_bytes).unwrap_or(usize::MAX)
}

/// For recursion, its validation included.
fn recursion_bytes(settings: &Settings) -> usize {
    match (settings.resolver.mode, settings.resolver.fallback) {
        (Mode::Forward, None) => 0,
        // A fallback to recursion remembers as much as recursion.
        _ => size_bytes(settings) / limits::STORE_SHARE,
    }
}

/// For those who validate what upstreams say: one for `resolver.forward`, one for all zones.
fn validators_bytes(settings: &Settings) -> usize {
    let wanted = &settings.resolver;
    let forwards = wanted.mode == Mode::Forward || matches!(wanted.fallback, Some(settings::Fallback::Forward));
    let zones = settings
        .zones
        .iter()
        .any(|zone| matches!(zone.source, ZoneSource::Forward { validate: true, .. }));
    let count = usize::from(forwards && wanted.validate) + usize::from(zones);
    count * validator_bytes(settings)
}

/// For one of them.
fn validator_bytes(settings: &Settings) -> usize {
    (size_bytes(settings) / limits::VALIDATOR_SHARE).min(limits::ZONES_TRUSTED_BYTES)
}

/// Makes the resolver that settings describe. Nothing is sent before the first question.
///
/// `trust` says whose certificates encrypted upstreams may show: [`Trust::public`] but for tests.
pub fn build(settings: &Settings, trust: Trust) -> Result<Stack, BuildError> {
    build_mapped(settings, trust, Arc::new(|address| (address, 53).into()))
}

/// The same, with authorities found where `mapping` says; they are at port 53 of their addresses but for tests.
pub fn build_mapped(settings: &Settings, trust: Trust, mapping: Mapping) -> Result<Stack, BuildError> {
    let counters = Arc::new(Counters::default());
    let wanted = &settings.resolver;
    let families = Families {
        ipv4: wanted.ipv4,
        ipv6: wanted.ipv6,
    };
    let asked = match wanted.bootstrap.as_slice() {
        [] => None,
        servers => Some(Arc::new(Bootstrap::new(servers, families)?)),
    };
    let mut surroundings = Surroundings {
        trust,
        bootstrap: asked.clone(),
        edns_buffer: wanted.edns_buffer,
        counters: Arc::clone(&counters),
    };
    let memory_bytes = recursion_bytes(settings);
    // A command that only looks something up leaves no folders behind.
    let anchors = settings.state_dir.is_dir().then(|| settings.state_dir.join("anchors"));
    let mut recursive = None;
    let mut nameservers = None;
    let mut validators = Vec::new();
    let mut recursion = |validate| -> Result<Arc<dyn Resolver>, BuildError> {
        let wanted = ResolverSettings {
            validate,
            ..wanted.clone()
        };
        let walk = Recursive::new(
            &wanted,
            memory_bytes,
            anchors.clone(),
            Arc::clone(&mapping),
            Arc::clone(&counters),
        )?;
        let walk = Arc::new(walk);
        recursive = Some(Arc::clone(&walk));
        Ok(walk)
    };
    let mut upstreams = || -> Result<Arc<dyn Resolver>, BuildError> {
        let upstreams: Arc<dyn Resolver> =
            Arc::new(Forward::new(&wanted.forward, wanted.forward_order, &surroundings)?);
        let plain = Arc::clone(&upstreams);
        let checked: Arc<dyn Resolver> = match engine::validator(wanted)? {
            Some(validator) => {
                let chain = Arc::clone(&upstreams);
                let place = "resolver.forward".to_owned();
                let validator = Arc::new(validator.remembering(validator_bytes(settings)));
                validators.push(Arc::clone(&validator));
                Arc::new(Checked::new(upstreams, chain, validator, place, wanted))
            }
            None => upstreams,
        };
        let memory_bytes = size_bytes(settings) / limits::NAMESERVER_MEMORY_SHARE;
        let front = Arc::new(NameServers::new(checked, plain, Name::root(), memory_bytes));
        nameservers = Some(Arc::clone(&front));
        Ok(front)
    };
    let behind = |usual, other, direction| Arc::new(Fallback::new(usual, other, direction, Arc::clone(&counters)));
    let default: Arc<dyn Resolver> = match (wanted.mode, wanted.fallback) {
        (Mode::Forward, _) if wanted.forward.is_empty() => return Err(BuildError::NoUpstream),
        (Mode::Forward, Some(settings::Fallback::Recursive { validate })) => {
            let direction = Direction::ToRecursion { validated: validate };
            behind(upstreams()?, recursion(validate)?, direction)
        }
        (Mode::Forward, _) => upstreams()?,
        (Mode::Recursive, Some(settings::Fallback::Forward)) => {
            behind(recursion(wanted.validate)?, upstreams()?, Direction::ToUpstreams)
        }
        (Mode::Recursive, _) => recursion(wanted.validate)?,
    };
    // Nobody else is to be asked: own look-ups go the way of all names, but for zones, whose forwarders may need them.
    let bootstrap = asked.unwrap_or_else(|| Arc::new(Bootstrap::through(Arc::clone(&default), families)));
    surroundings.bootstrap = Some(Arc::clone(&bootstrap));
    let zones = Arc::new(zones(settings, default, &surroundings, &mut validators)?);
    let failures = Arc::new(Failures::new(
        zones,
        size_bytes(settings) / limits::FAILURES_SHARE,
        Arc::clone(&counters),
    ));
    let join = Arc::new(Join::new(
        Arc::clone(&failures) as Arc<dyn Resolver>,
        Arc::clone(&counters),
    ));
    let mut resolver = Arc::clone(&join) as Arc<dyn Resolver>;
    if !wanted.dns64.is_empty() {
        resolver = Arc::new(Dns64::new(resolver, wanted.dns64.clone()));
    }
    Ok(Stack {
        resolver,
        bootstrap,
        counters,
        join,
        failures,
        recursive,
        validators,
        nameservers,
    })
}

/// Each zone's own way, and `default` for the rest.
fn zones(
    settings: &Settings,
    default: Arc<dyn Resolver>,
    surroundings: &Surroundings,
    validators: &mut Vec<Arc<Validator>>,
) -> Result<Zones, BuildError> {
    let mut plain: HashMap<_, Arc<dyn Resolver>> = HashMap::new();
    let mut validated = Vec::new();
    for zone in &settings.zones {
        if let ZoneSource::Forward {
            upstreams,
            order,
            validate,
        } = &zone.source
        {
            let way = Forward::new(upstreams, *order, surroundings)?;
            plain.insert(zone.name.clone(), Arc::new(way));
            if *validate {
                validated.push(&zone.name);
            }
        }
    }
    let mut ways = plain.clone();
    if !validated.is_empty() {
        let wanted = ResolverSettings {
            validate: true,
            ..settings.resolver.clone()
        };
        let validator = engine::validator(&wanted)?;
        let validator = validator.map(|validator| Arc::new(validator.remembering(validator_bytes(settings))));
        validators.extend(validator.clone());
        let chain: Arc<dyn Resolver> = Arc::new(Zones::new(Arc::clone(&default), plain.clone()));
        for (name, validator) in validated.into_iter().zip(validator.iter().cycle()) {
            if let Some(way) = ways.get_mut(name) {
                let (chain, validator) = (Arc::clone(&chain), Arc::clone(validator));
                let place = format!("[[zone]] {name}");
                *way = Arc::new(Checked::new(Arc::clone(way), chain, validator, place, &wanted));
            }
        }
    }
    for (name, way) in &mut ways {
        // What is above the zone is not on its way, nor is it its upstreams' business.
        let top = name.parent().unwrap_or_else(Name::root);
        let asked = Arc::clone(plain.get(name).unwrap_or(way));
        *way = Arc::new(NameServers::new(Arc::clone(way), asked, top, 0));
    }
    Ok(Zones::new(default, ways))
}
