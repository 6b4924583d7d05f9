//! Who serves the zones on the way to a name, as a message that this program asks itself for and keeps like any other answer.
//!
//! In: the name, names of name servers, their addresses. Out: the message, and the same read from it.
//! Always: it begins with a record of type [`NAMESERVERS`](rtype::NAMESERVERS), which no other message holds and which says how long it
//! may be kept, also where there are no servers. NS, A and AAAA records follow; whose they are is of no account.

use super::answer::{Message, NameBuf, Records, address};
use super::name::Name;
use super::query::HEADER_BYTES;
use super::{class, rtype};
use std::net::IpAddr;

/// The record that a message begins with has no data.
const POINTER_TO_QUESTION: [u8; 2] = [0xc0, HEADER_BYTES as u8];

/// The message about `name`, good for `ttl_s` seconds. Who calls bounds how many there are: all fit a message.
pub fn write<'n>(
    name: &Name,
    ttl_s: u32,
    names: impl IntoIterator<Item = &'n Name>,
    addresses: impl IntoIterator<Item = IpAddr>,
) -> Vec<u8> {
    // QR and RD; RA.
    let mut bytes = vec![0, 0, 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0];
    bytes.extend_from_slice(name.as_wire());
    bytes.extend_from_slice(&rtype::NAMESERVERS.to_be_bytes());
    bytes.extend_from_slice(&class::IN.to_be_bytes());
    let mut count: u16 = 0;
    let mut record = |rtype: u16, rdata: &[u8]| {
        bytes.extend_from_slice(&POINTER_TO_QUESTION);
        bytes.extend_from_slice(&rtype.to_be_bytes());
        bytes.extend_from_slice(&class::IN.to_be_bytes());
        bytes.extend_from_slice(&ttl_s.to_be_bytes());
        bytes.extend_from_slice(&(rdata.len() as u16).to_be_bytes());
        bytes.extend_from_slice(rdata);
        count += 1;
    };
    record(rtype::NAMESERVERS, &[]);
    names.into_iter().for_each(|name| record(rtype::NS, name.as_wire()));
    for addr in addresses {
        match addr {
            IpAddr::V4(v4) => record(rtype::A, &v4.octets()),
            IpAddr::V6(v6) => record(rtype::AAAA, &v6.octets()),
        }
    }
    bytes[6..8].copy_from_slice(&count.to_be_bytes());
    bytes
}

/// What such a message says.
pub struct Servers<'a> {
    message: &'a [u8],
    records: Records<'a>,
}

impl<'a> Servers<'a> {
    /// Reads a message; `None` if it is not one of these, or broken.
    pub fn read(message: &'a [u8]) -> Option<Servers<'a>> {
        let mut records = Message::parse(message)?.records();
        let first = records.next()?.ok()?;
        let good = first.rtype == rtype::NAMESERVERS && records.clone().all(|record| record.is_ok());
        good.then_some(Servers { message, records })
    }

    /// The names of the servers.
    pub fn names(&self) -> impl Iterator<Item = NameBuf> + 'a {
        let message = self.message;
        let of_servers = self.records.clone().flatten();
        of_servers
            .filter(|record| record.rtype == rtype::NS)
            .filter_map(|record| NameBuf::read(message, record.rdata_at))
    }

    /// Their addresses.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> + 'a {
        let message = self.message;
        let of_servers = self.records.clone().flatten();
        of_servers
            .filter(|record| matches!(record.rtype, rtype::A | rtype::AAAA))
            .filter_map(|record| address(&message[record.rdata_at..record.rdata_at + record.rdata_bytes]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    #[test]
    fn what_was_written_is_read_and_nothing_else_passes_for_it() {
        let servers = [name("ns1.example"), name("b.root")];
        let addresses: [IpAddr; 2] = ["192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap()];
        let bytes = write(&name("www.example"), 60, &servers, addresses);
        let read = Servers::read(&bytes).unwrap();
        let names: Vec<Name> = read
            .names()
            .filter_map(|name| Name::from_wire(name.as_wire()))
            .collect();
        assert_eq!(names, servers);
        assert_eq!(read.addresses().collect::<Vec<_>>(), addresses);
        for end in 0..bytes.len() {
            assert!(Servers::read(&bytes[..end]).is_none(), "cut at {end}");
        }
        let none = write(&name("www.example"), 60, [], []);
        assert_eq!(Servers::read(&none).unwrap().names().count(), 0);
        // The first record is of another type.
        let mut other = bytes.clone();
        let at = HEADER_BYTES + name("www.example").as_wire().len() + 4 + 2;
        other[at..at + 2].copy_from_slice(&rtype::NS.to_be_bytes());
        assert!(Servers::read(&other).is_none());
    }
}
