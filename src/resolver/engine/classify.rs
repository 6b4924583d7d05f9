//! Says what a response means, and throws away what its sender has no say about.
//!
//! In: a [`Response`] from a server of some zone, and what it was asked. Out: a [`Reading`], or the [`Flaw`] that makes it
//! useless.
//! Always: nothing outside the zone asked is believed (bailiwick); of what is inside, only what answers the question: aliases
//! from the name asked, the set at their end, the denial, or one delegation on the way to the name.
//! Keeps: RFC 1034 §4.3.2, RFC 2181 §5.4, RFC 2308 §2, RFC 4035 §3.1.4, RFC 6672 §2 and §3, RFC 6840 §4.

use super::delegations::{NameServer, NsSet};
use super::response::Response;
use super::rrset::{self, RRset};
use crate::dns::answer::address;
use crate::dns::name::Name;
use crate::dns::{rcode, rtype};
use crate::limits;

/// What a response means.
#[derive(Debug)]
pub struct Reading {
    /// Aliases followed, in order.
    pub aliases: Vec<Alias>,
    pub end: End,
    /// The NS set that the zone has for itself, if it came along.
    pub own_servers: Option<(Name, NsSet)>,
    /// AA was clear where it should be set: good for want of anything better.
    pub weak: bool,
}

/// One step of an alias chain.
#[derive(Debug)]
pub enum Alias {
    Cname {
        set: RRset,
        proofs: Vec<RRset>,
    },
    /// With the CNAME made from it (RFC 6672 §3.1), which is ours and so not signed.
    Dname {
        set: RRset,
        cname: RRset,
    },
}

/// Where the aliases, or the name itself, end.
#[derive(Debug)]
pub enum End {
    /// With a set. The proofs are there if a wildcard made it.
    Found { set: RRset, proofs: Vec<RRset> },
    /// It, or the type at it, does not exist.
    Denied {
        name: Name,
        nxdomain: bool,
        soa: Option<RRset>,
        proofs: Vec<RRset>,
    },
    /// The server does not say more; this name is to be looked up.
    Elsewhere(Name),
    /// Others know.
    Referral(Referral),
    /// The name after a DNAME would be too long (RFC 6672 §2.2: YXDOMAIN).
    TooLong,
}

/// A delegation.
#[derive(Debug)]
pub struct Referral {
    pub zone: Name,
    pub servers: NsSet,
    /// The zone's DS set, if it has one.
    pub ds: Option<RRset>,
    /// NSEC and NSEC3 sets, which may prove that it has none.
    pub proofs: Vec<RRset>,
}

/// Why a response is useless.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    #[error("it answered with response code {0}")]
    Code(u16),
    #[error("it does not serve the zone")]
    Lame,
    #[error("it refers to a zone that the name is not in, or that it cannot know of")]
    Astray,
    #[error("its aliases go in circles")]
    Circle,
}

/// What was asked of a server of `zone`.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    pub zone: &'a Name,
    pub qname: &'a Name,
    pub qtype: u16,
    pub now_ms: u64,
}

/// Reads `response`, which is neither truncated nor of another question.
pub fn read(mut response: Response, asked: Asked<'_>) -> Result<Reading, Flaw> {
    if !matches!(response.rcode, rcode::NOERROR | rcode::NXDOMAIN | rcode::YXDOMAIN) {
        return Err(Flaw::Code(response.rcode));
    }
    let own_servers = own_servers(&response, asked);
    let mut aliases = Vec::new();
    let mut name = asked.qname.clone();
    loop {
        // A DNAME goes before the CNAME that the server made from it, also where a CNAME is asked for; the one made here counts
        // (RFC 6672 §3.4.1).
        let dname = response
            .answers
            .iter()
            .find(|set| {
                set.rtype == rtype::DNAME
                    && !set.is_empty()
                    && name != set.name
                    && name.is_within(&set.name)
                    && set.name.is_within(asked.zone)
            })
            .cloned();
        if dname.is_none()
            && let Some(set) = take(&mut response.answers, |set| {
                set.rtype == asked.qtype && set.name == name
            })
        {
            let proofs = wildcard_proofs(&response, asked, &set);
            return Ok(Reading {
                aliases,
                end: End::Found { set, proofs },
                own_servers,
                weak: !response.authoritative,
            });
        }
        if aliases.len() > limits::ALIAS_HOPS {
            return Err(Flaw::Circle);
        }
        if let Some(set) = dname {
            let Some(target) = set.target().map(|target| rrset::substitute(&name, &set.name, &target)) else {
                return Err(Flaw::Astray);
            };
            let Some(target) = target else {
                aliases.push(Alias::Dname {
                    cname: RRset::new(&name, rtype::CNAME, 0),
                    set,
                });
                return Ok(Reading {
                    aliases,
                    end: End::TooLong,
                    own_servers,
                    weak: !response.authoritative,
                });
            };
            let cname = RRset::of(&name, rtype::CNAME, set.ttl_s, target.as_wire());
            aliases.push(Alias::Dname { set, cname });
            name = target;
        } else if asked.qtype != rtype::CNAME
            && let Some(set) = take(&mut response.answers, |set| {
                set.rtype == rtype::CNAME && set.name == name
            })
        {
            let Some(target) = set.target() else {
                return Err(Flaw::Astray);
            };
            let proofs = wildcard_proofs(&response, asked, &set);
            aliases.push(Alias::Cname { set, proofs });
            name = target;
        } else {
            break;
        }
        if !name.is_within(asked.zone) {
            break;
        }
    }
    let end = if aliases.is_empty() {
        nothing_there(&mut response, asked)?
    } else {
        let denial = name
            .is_within(asked.zone)
            .then(|| denial(&response, asked, &name))
            .flatten()
            .filter(|_| response.authoritative);
        denial.unwrap_or(End::Elsewhere(name))
    };
    let weak = !response.authoritative && !matches!(end, End::Referral(_));
    Ok(Reading {
        aliases,
        end,
        own_servers,
        weak,
    })
}

/// A response without anything at the name asked: a denial, a referral, or nonsense.
fn nothing_there(response: &mut Response, asked: Asked<'_>) -> Result<End, Flaw> {
    let bare = |nxdomain| End::Denied {
        name: asked.qname.clone(),
        nxdomain,
        soa: None,
        proofs: Vec::new(),
    };
    if response.rcode == rcode::NXDOMAIN {
        return Ok(denial(response, asked, asked.qname).unwrap_or_else(|| bare(true)));
    }
    // YXDOMAIN without the DNAME that would make the name too long.
    if response.rcode == rcode::YXDOMAIN {
        return Err(Flaw::Code(response.rcode));
    }
    // NS sets of which the server knows nothing may stand beside it.
    let cuts = response.authorities.iter().filter(|set| {
        let owner = &set.name;
        set.rtype == rtype::NS
            && !set.is_empty()
            && asked.qname.is_within(owner)
            && owner.is_within(asked.zone)
            && *owner != *asked.zone
    });
    if let Some(zone) = cuts
        .map(|set| &set.name)
        .max_by_key(|owner| owner.label_count())
        .cloned()
    {
        // RFC 4035 §3.1.4.1: a server that answers a DS question with the cut itself knows no DS; there is none to be had.
        if asked.qtype == rtype::DS && zone == *asked.qname {
            return Ok(bare(false));
        }
        if response.authority_above(asked.qname, rtype::SOA).is_none() || !response.authoritative {
            return referral(response, asked, zone);
        }
    }
    if let Some(denial) = denial(response, asked, asked.qname) {
        return Ok(denial);
    }
    match response.authority_above(asked.qname, rtype::NS) {
        _ if response.authoritative => Ok(bare(false)),
        Some(set) if set.name != *asked.zone => Err(Flaw::Astray),
        _ => Err(Flaw::Lame),
    }
}

/// The denial of `name` in the authority section, if an SOA of its zone stands there.
fn denial(response: &Response, asked: Asked<'_>, name: &Name) -> Option<End> {
    let soa = response.authority_above(name, rtype::SOA)?;
    soa.name.is_within(asked.zone).then(|| End::Denied {
        name: name.clone(),
        nxdomain: response.rcode == rcode::NXDOMAIN,
        soa: Some(soa.clone()),
        proofs: proofs(response, asked),
    })
}

fn referral(response: &mut Response, asked: Asked<'_>, zone: Name) -> Result<End, Flaw> {
    let proofs = proofs(response, asked);
    let ds = take(&mut response.authorities, |set| {
        set.rtype == rtype::DS && set.name == zone
    });
    let set = take(&mut response.authorities, |set| {
        set.rtype == rtype::NS && set.name == zone
    })
    .ok_or(Flaw::Astray)?;
    // Glue may be of any name the asked zone is above: its siblings, too.
    let servers = ns_set(&set, response, asked.zone, asked.now_ms);
    Ok(End::Referral(Referral {
        zone,
        servers,
        ds,
        proofs,
    }))
}

/// The zone's own NS set, from a response with AA.
fn own_servers(response: &Response, asked: Asked<'_>) -> Option<(Name, NsSet)> {
    if !response.authoritative {
        return None;
    }
    let mut sets = response.answers.iter().chain(&response.authorities);
    let set = sets.find(|set| {
        set.rtype == rtype::NS && !set.is_empty() && set.name.is_within(asked.zone) && asked.qname.is_within(&set.name)
    })?;
    // A set below the zone asked, beside a denial or answer, is the apex of a zone on the same server.
    let apex = set.name.clone();
    let servers = ns_set(set, response, &apex, asked.now_ms);
    Some((apex, servers))
}

/// The servers in `set` with their addresses, as far as these lie in `bailiwick`.
fn ns_set(set: &RRset, response: &Response, bailiwick: &Name, now_ms: u64) -> NsSet {
    let mut servers: Vec<NameServer> = set
        .records()
        .filter_map(Name::from_wire)
        .take(limits::REFERRAL_SERVERS)
        .map(|name| NameServer {
            name: Some(name.to_lower()),
            glue: Vec::new(),
        })
        .collect();
    for glue in &response.additionals {
        if !glue.name.is_within(bailiwick) {
            continue;
        }
        if let Some(server) = servers
            .iter_mut()
            .find(|server| server.name.as_ref() == Some(&glue.name))
        {
            let room = limits::SERVER_ADDRESSES.saturating_sub(server.glue.len());
            server.glue.extend(glue.records().filter_map(address).take(room));
        }
    }
    NsSet {
        servers,
        expires_ms: super::store::expiry(now_ms, set.ttl_s.max(limits::DELEGATION_TTL_MIN_S)),
    }
}

/// NSEC and NSEC3 sets of the zone.
fn proofs(response: &Response, asked: Asked<'_>) -> Vec<RRset> {
    response
        .authorities
        .iter()
        .filter(|set| matches!(set.rtype, rtype::NSEC | rtype::NSEC3) && set.name.is_within(asked.zone))
        .cloned()
        .collect()
}

/// The proofs that belong to a set made from a wildcard: signed with fewer labels than its owner has (RFC 4035 §5.3.4).
fn wildcard_proofs(response: &Response, asked: Asked<'_>, set: &RRset) -> Vec<RRset> {
    match set.signed_labels() {
        Some(labels) if labels < set.name.label_count() => proofs(response, asked),
        _ => Vec::new(),
    }
}

fn take(sets: &mut Vec<RRset>, wanted: impl Fn(&RRset) -> bool) -> Option<RRset> {
    let at = sets.iter().position(|set| !set.is_empty() && wanted(set))?;
    Some(sets.remove(at))
}
