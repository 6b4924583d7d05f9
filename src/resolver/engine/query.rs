//! Writes queries for authorities, and tells which responses belong to them.
//!
//! In: a name, a type, how the server wants to be asked. Out: bytes to send; a [`Match`] for bytes that came.
//! Always: RD is clear, an ID and, where wanted, letter case that nobody off the path can guess.
//! Keeps: RFC 1035 §4.1, RFC 5452 §9.1 (what must match), RFC 6891 §6.2 (EDNS), RFC 9619 (one question).

use crate::dns::name::{self, Name};
use crate::dns::query::HEADER_BYTES;
use crate::dns::{class, rtype};
use rand::Rng;

/// How a query is dressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dress {
    /// The UDP payload size to announce, with DO; `None` leaves EDNS out, for servers that cannot bear it (RFC 6891 §7).
    pub edns_buffer: Option<u16>,
    /// Random letter case in the question (draft-vixie-dnsext-dns0x20).
    pub random_case: bool,
}

/// A query with a random ID.
pub fn write(qname: &Name, qtype: u16, dress: Dress, random: &mut impl Rng) -> Vec<u8> {
    let wire = qname.as_wire();
    let mut bytes = Vec::with_capacity(HEADER_BYTES + wire.len() + 15);
    bytes.extend_from_slice(&random.random::<u16>().to_be_bytes());
    bytes.extend_from_slice(&[0, 0, 0, 1, 0, 0, 0, 0, 0, u8::from(dress.edns_buffer.is_some())]);
    bytes.extend_from_slice(wire);
    if dress.random_case {
        // Length bytes are at most 63, below the letters.
        for byte in &mut bytes[HEADER_BYTES..] {
            if byte.is_ascii_alphabetic() && random.random() {
                *byte ^= 0x20;
            }
        }
    }
    bytes.extend_from_slice(&qtype.to_be_bytes());
    bytes.extend_from_slice(&class::IN.to_be_bytes());
    if let Some(buffer) = dress.edns_buffer {
        bytes.push(0);
        bytes.extend_from_slice(&rtype::OPT.to_be_bytes());
        bytes.extend_from_slice(&buffer.to_be_bytes());
        // DO: signatures and proofs are wanted whoever asks, since what is kept serves everybody.
        bytes.extend_from_slice(&[0, 0, 0x80, 0, 0, 0]);
    }
    bytes
}

/// Whether bytes that came are the response to a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Match {
    Yes,
    /// All but the letter case of the question agrees.
    OtherCase,
    No,
}

/// Compares ID, QR, opcode and question (RFC 5452 §9.1). A bare header with an error is taken as well; the caller has
/// compared the address.
pub fn compare(query: &[u8], response: &[u8]) -> Match {
    let Some(header) = response.first_chunk::<HEADER_BYTES>() else {
        return Match::No;
    };
    if header[..2] != query[..2] || header[2] & 0xf8 != 0x80 {
        return Match::No;
    }
    match u16::from_be_bytes([header[4], header[5]]) {
        0 if header[3] & 0x0f != 0 && header[6..10] == [0; 4] => Match::Yes,
        1 => {
            let question = question(query);
            let Some(theirs) = response.get(HEADER_BYTES..HEADER_BYTES + question.len()) else {
                return Match::No;
            };
            let qname = question.len() - 4;
            if theirs == question {
                Match::Yes
            } else if theirs[..qname].eq_ignore_ascii_case(&question[..qname]) && theirs[qname..] == question[qname..] {
                Match::OtherCase
            } else {
                Match::No
            }
        }
        _ => Match::No,
    }
}

/// The question section of a query made here: name, type, class.
fn question(query: &[u8]) -> &[u8] {
    let length = name::wire_len(&query[HEADER_BYTES..]).expect("queries are made here, from a name");
    &query[HEADER_BYTES..HEADER_BYTES + length + 4]
}

/// Puts the name as it was meant over the question of a response that matches, so that names compressed against it carry no
/// random letter case.
pub fn settle_case(response: &mut [u8], qname: &Name) {
    if let Some(theirs) = response.get_mut(HEADER_BYTES..HEADER_BYTES + qname.as_wire().len())
        && theirs.eq_ignore_ascii_case(qname.as_wire())
    {
        theirs.copy_from_slice(qname.as_wire());
    }
}
