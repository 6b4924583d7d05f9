//! Whether a device that has stopped asking was there meanwhile: what else tells of it, and what follows.
//!
//! In: the kernel's answer about its neighbors, in netlink form; the minutes at which a device last asked and was last there.
//! Out: [`Neighbor`]s, and how long it was [`silent`].
//! Always: bytes of the kernel are read with bounds like those of anybody; what is not understood tells nothing.
//! Why not `/proc/net/arp`: its "complete" flag holds for entries that are days old as well, and it knows IPv4 only.
//! Keeps: rtnetlink(7), RTM_NEWNEIGH with NDA_DST and NDA_CACHEINFO.

use crate::limits::SILENT_MINUTES;
use std::net::IpAddr;

/// What tells that a device was active.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Evidence {
    /// This machine's kernel heard its network card.
    Neighbor,
}

impl Evidence {
    /// As people read it.
    pub fn words(self) -> &'static str {
        match self {
            Evidence::Neighbor => "this machine heard its network card",
        }
    }
}

/// An address on a network of this machine that was heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Neighbor {
    pub addr: IpAddr,
    /// Seconds since the kernel last knew that it can be reached.
    pub confirmed_s: u64,
}

/// How many minutes a device has been silent while it was active, from the minutes since 1970 at which it last asked and was last there.
/// `None`: it did ask, or nothing tells that it was there when it did not. Whoever never asked since the start (0) may have asked just before it.
pub fn silent(asked: u64, active: u64, now: u64) -> Option<u64> {
    (asked != 0 && active >= asked + SILENT_MINUTES).then(|| now.saturating_sub(asked))
}

const HEADER_BYTES: usize = 16;
const NEIGHBOR_BYTES: usize = 12;
const NEW_NEIGHBOR: u16 = 28;
const GET_NEIGHBOR: u16 = 30;
const DONE: u16 = 3;
const ATTRIBUTE_ADDRESS: u16 = 1;
const ATTRIBUTE_TIMES: u16 = 3;
/// `NLM_F_REQUEST | NLM_F_DUMP`.
const ASKS_FOR_ALL: u16 = 0x301;
/// States of an entry whose hardware address is, or was, known to be right (`NUD_REACHABLE`, `STALE`, `DELAY`, `PROBE`): in all of them the time says when.
const HEARD: u16 = 0x02 | 0x04 | 0x08 | 0x10;
/// The kernel tells times to programs in hundredths of a second.
const TICKS: u32 = 100;

/// The message that asks the kernel for all neighbors of both families.
pub fn request() -> [u8; HEADER_BYTES + NEIGHBOR_BYTES] {
    let mut bytes = [0; HEADER_BYTES + NEIGHBOR_BYTES];
    let length = bytes.len() as u32;
    bytes[..4].copy_from_slice(&length.to_ne_bytes());
    bytes[4..6].copy_from_slice(&GET_NEIGHBOR.to_ne_bytes());
    bytes[6..8].copy_from_slice(&ASKS_FOR_ALL.to_ne_bytes());
    bytes
}

/// Reads one datagram of the answer into `neighbors`. Whether it was the last.
pub fn read(mut bytes: &[u8], neighbors: &mut Vec<Neighbor>) -> bool {
    while let Some((length, kind)) = bytes
        .get(..HEADER_BYTES)
        .and_then(|header| Some((u32_at(header, 0)?, u16_at(header, 4)?)))
    {
        let length = length as usize;
        let Some(message) = bytes.get(HEADER_BYTES..length) else {
            return true;
        };
        match kind {
            NEW_NEIGHBOR => neighbors.extend(neighbor(message)),
            // DONE, or an error: nothing follows.
            ..=DONE => return true,
            _ => {}
        }
        bytes = bytes.get(aligned(length)..).unwrap_or_default();
    }
    false
}

fn neighbor(message: &[u8]) -> Option<Neighbor> {
    let state = u16_at(message, 8)?;
    let mut attributes = message.get(NEIGHBOR_BYTES..)?;
    let (mut addr, mut confirmed) = (None, None);
    while let (Some(length), Some(kind)) = (u16_at(attributes, 0), u16_at(attributes, 2)) {
        let Some(value) = attributes.get(4..usize::from(length)) else {
            break;
        };
        match kind {
            ATTRIBUTE_ADDRESS => {
                let v4 = <[u8; 4]>::try_from(value).map(IpAddr::from);
                addr = v4.or_else(|_| <[u8; 16]>::try_from(value).map(IpAddr::from)).ok();
            }
            ATTRIBUTE_TIMES => confirmed = u32_at(value, 0),
            _ => {}
        }
        attributes = attributes.get(aligned(usize::from(length))..).unwrap_or_default();
    }
    (state & HEARD != 0).then_some(Neighbor {
        addr: addr?,
        confirmed_s: (confirmed? / TICKS).into(),
    })
}

fn aligned(length: usize) -> usize {
    length.next_multiple_of(4)
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn message(kind: u16, body: &[u8]) -> Vec<u8> {
        let mut bytes = ((HEADER_BYTES + body.len()) as u32).to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend([0; 10]);
        bytes.extend(body);
        bytes
    }

    fn entry(state: u16, addr: &[u8], confirmed: u32) -> Vec<u8> {
        let mut body = vec![2, 0, 0, 0, 3, 0, 0, 0];
        body.extend(state.to_ne_bytes());
        body.extend([0, 1]);
        // A hardware address, which is longer than it says in whole words.
        let mut times = confirmed.to_ne_bytes().to_vec();
        times.extend([9; 12]);
        for (kind, value) in [
            (2u16, &[1, 2, 3, 4, 5, 6][..]),
            (ATTRIBUTE_ADDRESS, addr),
            (ATTRIBUTE_TIMES, &times),
        ] {
            body.extend((4 + value.len() as u16).to_ne_bytes());
            body.extend(kind.to_ne_bytes());
            body.extend(value);
            body.resize(aligned(body.len()), 0);
        }
        message(NEW_NEIGHBOR, &body)
    }

    fn answer() -> Vec<u8> {
        let v6 = "fe80::7".parse::<std::net::Ipv6Addr>().unwrap().octets();
        let incomplete = entry(0x01, &[192, 168, 1, 9], 100);
        [
            entry(0x02, &[192, 168, 1, 20], 1250),
            incomplete,
            entry(0x04, &v6, 600_000),
            message(DONE, &[0; 4]),
        ]
        .concat()
    }

    #[test]
    fn neighbors_that_were_heard_are_read_with_the_time_and_others_are_not() {
        let mut neighbors = Vec::new();
        assert!(read(&answer(), &mut neighbors));
        let heard = |addr: &str, confirmed_s| Neighbor {
            addr: addr.parse().unwrap(),
            confirmed_s,
        };
        assert_eq!(neighbors, [heard("192.168.1.20", 12), heard("fe80::7", 6000)]);
        assert!(
            !read(&entry(0x02, &[192, 168, 1, 20], 0), &mut neighbors),
            "more follows"
        );
    }

    #[test]
    fn a_device_is_silent_that_was_active_long_after_it_last_asked() {
        let asked = 1_000_000;
        assert_eq!(silent(asked, asked + SILENT_MINUTES, asked + 25), Some(25));
        // The response to its last query makes the kernel look for it once more.
        assert_eq!(silent(asked, asked + 1, asked + 25), None);
        assert_eq!(silent(asked, 0, asked + 25), None, "a phone that is away or asleep");
        assert_eq!(
            silent(0, asked, asked + 25),
            None,
            "nothing was seen of it since the start"
        );
    }

    proptest! {
        #[test]
        fn no_bytes_are_a_panic(at in any::<prop::sample::Index>(), value in any::<u8>(), cut in any::<prop::sample::Index>()) {
            let mut bytes = answer();
            let index = at.index(bytes.len());
            bytes[index] = value;
            bytes.truncate(cut.index(bytes.len() + 1));
            read(&bytes, &mut Vec::new());
        }
    }
}
