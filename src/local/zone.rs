//! One local zone: its records and how a question is answered from them.
//!
//! Keeps: RFC 1034 §4.3.2 (the algorithm), RFC 4592 (wildcards), RFC 2308 §3 (negative answers carry the SOA), RFC 2181 §10.1
//! (a CNAME stands alone).

use super::key;
use crate::dns::name;
use crate::dns::rtype;
use std::collections::{HashMap, HashSet};

/// Records of one name and type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RrSet {
    pub rtype: u16,
    pub ttl_s: u32,
    /// RDATA with names uncompressed.
    pub data: Vec<Box<[u8]>>,
}

/// What kind of zone it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A zone the parent knows of: names that it does not hold do not exist, DS at its apex is the parent's.
    Whole,
    /// A special-use top-level name: like a whole zone, and no DS exists.
    TopLevel,
    /// A special-use zone in which every name exists and those that it does not hold have nothing.
    Hollow,
    /// Records among the names of others: what it does not hold is looked for elsewhere.
    Loose,
}

/// Records by owner name, with the SOA for negative answers.
#[derive(Debug, Clone)]
pub(super) struct Zone {
    apex: Box<[u8]>,
    kind: Kind,
    /// Every name with records, and every empty name between those and the apex (RFC 4592 §2.2.2).
    nodes: HashMap<Box<[u8]>, Vec<RrSet>>,
    has_cuts: bool,
    from_file: bool,
    /// The names whose records came from `[[record]]` entries.
    recorded: HashSet<Box<[u8]>>,
    elsewhere: bool,
}

/// What a zone says to a question.
#[derive(Debug, Clone)]
pub(super) enum Found<'a> {
    Answer(Vec<&'a RrSet>),
    /// A CNAME; `target` is an uncompressed wire name.
    Alias {
        set: &'a RrSet,
        target: &'a [u8],
    },
    Nodata {
        soa: Soa<'a>,
    },
    Nxdomain {
        soa: Soa<'a>,
    },
    /// The name is at or below a cut: the servers of the child zone, and their addresses as far as this zone has them.
    Referral {
        cut: &'a [u8],
        servers: &'a RrSet,
        glue: Vec<(&'a [u8], &'a RrSet)>,
    },
}

/// The SOA record of a negative answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Soa<'a> {
    pub owner: &'a [u8],
    pub ttl_s: u32,
    pub data: &'a [u8],
}

/// Why a record cannot be put into a zone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum ZoneError {
    #[error("a CNAME may not stand beside other records of the same name")]
    CnameNotAlone,
    #[error("records of one name and type are too many to fit a message")]
    TooLong,
}

impl Zone {
    /// An empty zone at `apex` (wire form) with this SOA RDATA.
    pub(super) fn new(apex: &[u8], kind: Kind, soa_ttl_s: u32, soa: Box<[u8]>) -> Zone {
        let apex = key(apex);
        let soa = RrSet {
            rtype: rtype::SOA,
            ttl_s: soa_ttl_s,
            data: vec![soa],
        };
        Zone {
            nodes: HashMap::from([(apex.clone(), vec![soa])]),
            apex,
            kind,
            has_cuts: false,
            from_file: false,
            recorded: HashSet::new(),
            elsewhere: false,
        }
    }

    /// Somebody wrote its records in a file.
    pub(super) fn set_from_file(&mut self) {
        self.from_file = true;
    }

    pub(super) fn is_from_file(&self) -> bool {
        self.from_file
    }

    /// Adds records of a `[[record]]`.
    pub(super) fn add_recorded(&mut self, owner: &[u8], set: RrSet) -> Result<(), ZoneError> {
        self.add(owner, set)?;
        self.recorded.insert(key(owner));
        Ok(())
    }

    pub(super) fn apex(&self) -> &[u8] {
        &self.apex
    }

    /// A zone of loose records at the apex of a forwarded zone: what it does not hold is the resolver's, whatever local
    /// zone is above.
    pub(super) fn set_elsewhere(&mut self, elsewhere: bool) {
        self.elsewhere = elsewhere;
    }

    pub(super) fn is_elsewhere(&self) -> bool {
        self.elsewhere
    }

    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    /// Whether a set of this type stands at `owner`.
    pub(super) fn has(&self, owner: &[u8], rtype: u16) -> bool {
        let owner = key(owner);
        self.nodes
            .get(&owner)
            .is_some_and(|sets| sets.iter().any(|set| set.rtype == rtype))
    }

    /// Adds records at `owner`, which lies within the zone (the caller's promise). An SOA takes the place of the one there.
    pub(super) fn add(&mut self, owner: &[u8], set: RrSet) -> Result<(), ZoneError> {
        let owner = key(owner);
        debug_assert!(owner.ends_with(&self.apex));
        // The empty names between the owner and the apex exist too.
        let mut at = usize::from(owner[0]) + 1;
        while owner.len() - at > self.apex.len() {
            self.nodes.entry(owner[at..].into()).or_default();
            at += usize::from(owner[at]) + 1;
        }
        self.has_cuts |= set.rtype == rtype::NS && owner != self.apex;
        let is_apex = owner == self.apex;
        // The SOA that every zone has does not make its apex busy: a zone of loose records may have a CNAME there.
        let loose_apex = is_apex && self.kind == Kind::Loose;
        let sets = self.nodes.entry(owner).or_default();
        let lone = |other: &RrSet| other.rtype == rtype::CNAME && set.rtype != rtype::CNAME;
        let busy = |other: &RrSet| {
            set.rtype == rtype::CNAME && other.rtype != rtype::CNAME && !(loose_apex && other.rtype == rtype::SOA)
        };
        if sets.iter().any(|other| lone(other) || busy(other)) {
            return Err(ZoneError::CnameNotAlone);
        }
        match sets.iter_mut().find(|other| other.rtype == set.rtype) {
            Some(other) if set.rtype == rtype::SOA => *other = set,
            Some(other) if set.rtype == rtype::CNAME && other.data != set.data => return Err(ZoneError::CnameNotAlone),
            Some(other) => {
                // One TTL for a set (RFC 2181 §5.2).
                other.ttl_s = other.ttl_s.min(set.ttl_s);
                for data in set.data {
                    if !other.data.contains(&data) {
                        other.data.push(data);
                    }
                }
                check_size(other)?;
            }
            None => {
                check_size(&set)?;
                sets.push(set);
            }
        }
        Ok(())
    }

    /// Answers a question for a name within the zone; `None` when the answer is not this zone's.
    pub(super) fn find<'a>(&'a self, qname: &[u8], qtype: u16) -> Option<Found<'a>> {
        let mut lower = [0; 255];
        let lower = lower.get_mut(..qname.len())?;
        lower.copy_from_slice(qname);
        lower.make_ascii_lowercase();
        let lower: &[u8] = lower;

        let at_apex = lower == &*self.apex;
        if at_apex && qtype == rtype::DS && matches!(self.kind, Kind::Whole | Kind::Hollow) {
            return None;
        }
        if self.has_cuts
            && let Some(referral) = self.referral(lower, qtype)
        {
            return Some(referral);
        }
        match self.node(lower) {
            Some((_, sets)) => self.answer_from(sets, qtype, at_apex),
            None => match self.kind {
                Kind::Loose => None,
                Kind::Hollow => Some(Found::Nodata { soa: self.soa() }),
                Kind::Whole | Kind::TopLevel => Some(Found::Nxdomain { soa: self.soa() }),
            },
        }
    }

    /// The owner of the `[[record]]` that what is said about a name (lower-case wire form, within the zone) rests on.
    pub(super) fn recorded(&self, lower: &[u8]) -> Option<&[u8]> {
        let (owner, _) = self.node(lower)?;
        self.recorded.get(owner).map(|owner| &**owner)
    }

    /// The node that speaks for a name: its own, or that of the wildcard below its closest encloser (RFC 4592 §3.3.1).
    fn node(&self, lower: &[u8]) -> Option<(&[u8], &[RrSet])> {
        let at_owner = |owner: &[u8]| {
            let (owner, sets) = self.nodes.get_key_value(owner)?;
            Some((&**owner, &**sets))
        };
        if let Some(node) = at_owner(lower) {
            return Some(node);
        }
        let mut at = 0;
        loop {
            at += usize::from(*lower.get(at)?) + 1;
            let encloser = lower.get(at..)?;
            if self.nodes.contains_key(encloser) {
                let mut wildcard = [0; 257];
                wildcard[..2].copy_from_slice(b"\x01*");
                let wildcard = wildcard.get_mut(..encloser.len() + 2)?;
                wildcard[2..].copy_from_slice(encloser);
                return at_owner(wildcard);
            }
        }
    }

    fn answer_from<'a>(&'a self, sets: &'a [RrSet], qtype: u16, at_apex: bool) -> Option<Found<'a>> {
        if self.kind == Kind::Loose {
            // An SOA that nobody wrote is for negative answers only; a name with nothing else is not ours.
            let mut own = sets
                .iter()
                .filter(|set| !(at_apex && set.rtype == rtype::SOA))
                .peekable();
            own.peek()?;
        }
        if qtype == rtype::ANY {
            return Some(Found::Answer(sets.iter().collect()));
        }
        if let Some(set) = sets.iter().find(|set| set.rtype == qtype) {
            return Some(Found::Answer(vec![set]));
        }
        if let Some(set) = sets.iter().find(|set| set.rtype == rtype::CNAME) {
            return Some(Found::Alias {
                set,
                target: set.data.first()?,
            });
        }
        Some(Found::Nodata { soa: self.soa() })
    }

    /// The topmost cut at or above `lower`, below the apex. DS records at a cut are this side's.
    fn referral<'a>(&'a self, lower: &[u8], qtype: u16) -> Option<Found<'a>> {
        let mut cut = None;
        let mut at = 0;
        while lower.len() - at > self.apex.len() {
            let suffix = &lower[at..];
            let own_ds = at == 0 && qtype == rtype::DS;
            if let Some((owner, sets)) = self.nodes.get_key_value(suffix)
                && let Some(servers) = sets.iter().find(|set| set.rtype == rtype::NS)
                && !own_ds
            {
                cut = Some((owner, servers));
            }
            at += usize::from(suffix[0]) + 1;
        }
        let (cut, servers) = cut?;
        let mut glue = Vec::new();
        for server in &servers.data {
            if let Some((owner, sets)) = self.nodes.get_key_value(&*key(server)) {
                for set in sets.iter().filter(|set| matches!(set.rtype, rtype::A | rtype::AAAA)) {
                    glue.push((&**owner, set));
                }
            }
        }
        Some(Found::Referral { cut, servers, glue })
    }

    fn soa(&self) -> Soa<'_> {
        let set = self
            .nodes
            .get(&self.apex)
            .and_then(|sets| sets.iter().find(|set| set.rtype == rtype::SOA))
            .expect("a zone is made with an SOA and only ever gets another in its place");
        let data = &*set.data[0];
        // RFC 2308 §3: the smaller of the SOA's own TTL and its last field, MINIMUM.
        let minimum = data
            .last_chunk::<4>()
            .map_or(set.ttl_s, |bytes| u32::from_be_bytes(*bytes));
        Soa {
            owner: &self.apex,
            ttl_s: set.ttl_s.min(minimum),
            data,
        }
    }
}

/// Leaves room for the header, the question and an alias chain in a message of 64 KiB.
fn check_size(set: &RrSet) -> Result<(), ZoneError> {
    const ROOM: usize = 48 * 1024;
    let bytes: usize = set.data.iter().map(|data| data.len() + 12).sum();
    if bytes > ROOM { Err(ZoneError::TooLong) } else { Ok(()) }
}

/// An SOA's RDATA (RFC 1035 §3.3.13): two names in wire form, then SERIAL, REFRESH, RETRY, EXPIRE, MINIMUM in seconds.
pub(super) fn soa_data(mname: &[u8], rname: &[u8], numbers: [u32; 5]) -> Box<[u8]> {
    debug_assert!(name::wire_len(mname).is_some() && name::wire_len(rname).is_some());
    let mut data = [mname, rname].concat();
    for number in numbers {
        data.extend_from_slice(&number.to_be_bytes());
    }
    data.into_boxed_slice()
}
