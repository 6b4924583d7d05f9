//! Names this server answers for itself: special-use names, private reverse zones, `[[zone]] file`, `[[record]]`.
//!
//! In: a question. Out: a whole response message, or nothing when the name is in no local zone.
//! Always: synchronous, no locks, no clock; a name that is not local costs a few comparisons and no allocation.
//! Fails: a zone file or record that cannot be read stops the start, or leaves the running zones alone on reload.
//! Keeps: RFC 6761 (special-use names), RFC 6303 and RFC 7793 (locally served zones), RFC 6762 §22.1 (`local.`), RFC 7686
//! (`onion.`), RFC 8375 (`home.arpa.`), RFC 9462 §8.2 (`resolver.arpa.`), RFC 9665 (`service.arpa.`), RFC 1034 §4.3.2,
//! RFC 2308 §3, RFC 4592 (wildcards).
//!
//! What is nearest wins: a `[[record]]`, `[[zone]] file` or `[[zone]] forward` at or below a built-in zone takes its place for
//! the names it covers. DS records of a zone belong to its parent (RFC 4035 §3.1.4.1), so a question for them is not
//! answered here unless the parent is local too, or the name has no parent in the DNS (`localhost.`, `onion.`).

mod builtin;
mod load;
mod table;
mod write;
mod zone;

pub use load::LocalError;

use crate::config::settings::Settings;
use crate::dns::name::{self, Name};
use crate::dns::rcode;
use crate::limits;
use table::Table;
use write::Response;
use zone::{Found, Zone};

/// All local zones. Part of what is swapped on reload: building it reads files, using it does not.
#[derive(Debug, Clone)]
pub struct Zones {
    table: Table,
}

/// Where a local answer comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A `[[record]]` of this name, or a PTR record made along with one.
    Record(Name),
    /// The `[[zone]] file` of this name.
    File(Name),
    /// The built-in zone of this name.
    Builtin(Name),
}

/// A local answer, written to the caller's buffer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalAnswer {
    /// The alias chain left the local zones here: the answer is whole only with what the resolver finds for this name and the
    /// same type ([`append`] joins the two). `None`: the answer is whole.
    pub follow: Option<Name>,
}

impl Zones {
    /// Reads what settings say, on top of the built-in zones.
    pub fn build(settings: &Settings) -> Result<Zones, LocalError> {
        load::build(&settings.zones, &settings.records).map(|table| Zones { table })
    }

    /// The built-in zones alone.
    pub fn builtin() -> Zones {
        Zones {
            table: builtin::table(),
        }
    }

    /// Whether a name (uncompressed wire form, any case) lies in a local zone, without answering.
    pub fn covers(&self, qname: &[u8]) -> bool {
        self.table.may_hold(qname) && self.table.candidates(qname).next().is_some()
    }

    /// Answers a question of class IN, or returns `None` when no local zone answers it.
    ///
    /// `qname` is an uncompressed wire name (checked by the parser of the query). `out` is cleared and then holds a whole
    /// message as [`Answer`](crate::resolver::Answer) describes it, with AA set: ID 0, QR, RD and RA, the question as asked,
    /// no OPT, at most [`MESSAGE_BYTES`](limits::MESSAGE_BYTES). No DNSSEC records: local zones are not signed.
    pub fn answer(&self, qname: &[u8], qtype: u16, out: &mut Vec<u8>) -> Option<LocalAnswer> {
        let (_, mut found) = self.find(qname, qtype)?;
        let mut response = Response::start(out, qname, qtype);
        let mut owner: Vec<u8> = qname.to_vec();
        let mut follow = None;
        for _ in 0..limits::LOCAL_CHAIN {
            match found {
                Found::Alias { set, target } => {
                    response.answer(&owner, set);
                    // Where the chain goes on: here, or in the hands of the resolver.
                    match self.find(target, qtype) {
                        Some((_, next)) => {
                            owner = target.to_vec();
                            found = next;
                            continue;
                        }
                        None => follow = Name::from_wire(target),
                    }
                }
                Found::Answer(sets) => {
                    for set in sets {
                        response.answer(&owner, set);
                    }
                }
                Found::Nodata { soa } => response.negative(rcode::NOERROR, soa),
                Found::Nxdomain { soa } => response.negative(rcode::NXDOMAIN, soa),
                Found::Referral { cut, servers, glue } => response.referral(cut, servers, &glue),
            }
            return Some(response.finish(follow));
        }
        // A loop among local aliases, or a chain nobody wrote on purpose.
        response.fail();
        Some(LocalAnswer { follow: None })
    }

    /// Where the answer to a question comes from that [`answer`](Zones::answer) answers; of a chain of aliases, its beginning.
    pub fn origin(&self, qname: &[u8], qtype: u16) -> Option<Origin> {
        let (zone, _) = self.find(qname, qtype)?;
        if let Some(owner) = zone.recorded(&key(qname)) {
            return Name::from_wire(owner).map(Origin::Record);
        }
        let apex = Name::from_wire(zone.apex())?;
        Some(match zone.is_from_file() {
            true => Origin::File(apex),
            false => Origin::Builtin(apex),
        })
    }

    fn find<'a>(&'a self, qname: &'a [u8], qtype: u16) -> Option<(&'a Zone, Found<'a>)> {
        for candidate in self.table.candidates(qname) {
            match candidate {
                table::Entry::Elsewhere => return None,
                table::Entry::Zone(zone) => {
                    if let Some(found) = zone.find(qname, qtype) {
                        return Some((&**zone, found));
                    }
                    if zone.is_elsewhere() {
                        return None;
                    }
                }
            }
        }
        None
    }
}

/// Completes a local answer whose alias chain left the local zones: the answer records of `rest` (the resolver's message for
/// [`LocalAnswer::follow`]) are put after those of `local`, its RCODE and authority records are taken over. AA is cleared, since
/// not all of it is ours. `None` when either is not a message or the whole is too long.
pub fn append(local: &[u8], rest: &[u8]) -> Option<Vec<u8>> {
    use hickory_proto::op::Message;
    let mut whole = Message::from_vec(local).ok()?;
    let rest = Message::from_vec(rest).ok()?;
    whole.metadata.authoritative = false;
    whole.metadata.response_code = rest.metadata.response_code;
    whole.answers.extend(rest.answers);
    whole.authorities = rest.authorities;
    whole.to_vec().ok().filter(|bytes| bytes.len() <= limits::MESSAGE_BYTES)
}

/// The reverse name of an address (RFC 1035 §3.5, RFC 3596 §2.5), in wire form.
pub fn reverse_name(address: std::net::IpAddr) -> Name {
    use std::fmt::Write;
    let mut text = String::with_capacity(80);
    // Writing to a string cannot fail.
    match address {
        std::net::IpAddr::V4(v4) => {
            for byte in v4.octets().iter().rev() {
                let _ = write!(text, "{byte}.");
            }
            text.push_str("in-addr.arpa");
        }
        std::net::IpAddr::V6(v6) => {
            for byte in v6.octets().iter().rev() {
                let _ = write!(text, "{:x}.{:x}.", byte & 15, byte >> 4);
            }
            text.push_str("ip6.arpa");
        }
    }
    Name::parse(&text).expect("a reverse name has at most 34 short labels")
}

/// The lower-case wire form of a name, the form all tables here are keyed by.
fn key(wire: &[u8]) -> Box<[u8]> {
    debug_assert_eq!(name::wire_len(wire), Some(wire.len()));
    wire.to_ascii_lowercase().into_boxed_slice()
}

#[cfg(test)]
mod tests;
