//! Services without the keys of Encrypted ClientHello.
//!
//! In: an SVCB or HTTPS record. Out: whether it has the parameter `ech`; its RDATA without.
//! Always: what is left is a service that clients take: `mandatory` does not name what is gone.
//! Keeps: RFC 9460 §2.2 (RDATA), §8 (mandatory), RFC 9848 §3 (ech).

use super::answer::{Record, Service};

const MANDATORY: u16 = 0;
const ECH: u16 = 5;

/// Longest RDATA that [`without_ech`] writes, in bytes: names, addresses and protocols of a service stay far below.
pub const SERVICE_BYTES: usize = 2048;

/// Whether a service has it.
pub fn has_ech(service: &Service<'_>) -> bool {
    service.params().any(|(key, _)| key == ECH)
}

/// Writes the RDATA of `record` without it to `out`, and returns its length; the name in it is not compressed. `None`: the record is
/// broken, or does not fit.
pub fn without_ech(message: &[u8], record: &Record, out: &mut [u8; SERVICE_BYTES]) -> Option<usize> {
    let service = Service::read(message, record)?;
    let mut at = 0;
    let mut put = |bytes: &[u8]| {
        out.get_mut(at..at + bytes.len())?.copy_from_slice(bytes);
        at += bytes.len();
        Some(())
    };
    put(message.get(record.rdata_at..record.rdata_at + 2)?)?;
    put(service.target.as_wire())?;
    for (key, value) in service.params().filter(|(key, _)| *key != ECH) {
        // RFC 9460 §8: a key that is named there and absent makes the record malformed, and so does an empty list.
        let kept = |named: &&[u8]| key != MANDATORY || **named != ECH.to_be_bytes();
        let (bytes, piece) = match key {
            MANDATORY => (value.chunks_exact(2).filter(kept).count() * 2, 2),
            _ => (value.len(), value.len().max(1)),
        };
        if key == MANDATORY && bytes == 0 {
            continue;
        }
        put(&key.to_be_bytes())?;
        put(&(bytes as u16).to_be_bytes())?;
        for part in value.chunks(piece).filter(kept) {
            put(part)?;
        }
    }
    Some(at)
}

#[cfg(test)]
mod tests {
    use super::super::answer::Message;
    use super::*;
    use proptest::prelude::*;

    /// A response with one HTTPS record of this RDATA.
    fn message(rdata: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0, 0, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0];
        bytes.extend(b"\x03www\x07example\x03com\0\0\x41\0\x01");
        bytes.extend(b"\xc0\x0c\0\x41\0\x01\0\0\0\x3c");
        bytes.extend((rdata.len() as u16).to_be_bytes());
        bytes.extend(rdata);
        bytes
    }

    fn without(rdata: &[u8]) -> (bool, Option<Vec<u8>>) {
        let bytes = message(rdata);
        let record = Message::parse(&bytes).unwrap().records().next().unwrap().unwrap();
        let mut out = [0; SERVICE_BYTES];
        let had = Service::read(&bytes, &record).is_some_and(|service| has_ech(&service));
        let written = without_ech(&bytes, &record, &mut out).map(|len| out[..len].to_vec());
        (had, written)
    }

    #[test]
    fn what_is_mandatory_does_not_name_what_is_gone() {
        for (with, without_it) in [
            (
                &b"\0\x01\0\0\x01\0\x03\x02h2\0\x05\0\x02ab\0\x06\0\x02xy"[..],
                &b"\0\x01\0\0\x01\0\x03\x02h2\0\x06\0\x02xy"[..],
            ),
            (b"\0\x01\0\0\0\0\x02\0\x05\0\x05\0\x02ab", b"\0\x01\0"),
            (
                b"\0\x01\0\0\0\0\x04\0\x01\0\x05\0\x01\0\x03\x02h2\0\x05\0\0",
                b"\0\x01\0\0\0\0\x02\0\x01\0\x01\0\x03\x02h2",
            ),
            (b"\0\x02\xc0\x10\0\x05\0\x01a", b"\0\x02\x07example\x03com\0"),
        ] {
            assert_eq!(without(with), (true, Some(without_it.to_vec())));
        }
        let plain = b"\0\x01\0\0\x01\0\x03\x02h2\0\x02\0\0\0\x04\0\x04\xc0\0\x02\x01";
        assert_eq!(without(plain), (false, Some(plain.to_vec())));
        assert_eq!(
            without(b"\0\x01\0\0\x07\x08\0"),
            (false, Some(b"\0\x01\0".to_vec())),
            "not a whole parameter"
        );
        let mut long = b"\0\x01\0\xff\0\x08\0".to_vec();
        long.extend([7; 2048]);
        assert_eq!(without(&long).1, None);
    }

    proptest! {
        #[test]
        fn random_parameters_never_panic_and_none_is_left(rdata in proptest::collection::vec(0u8..9, 0..80)) {
            if let (_, Some(written)) = without(&rdata) {
                prop_assert!(!without(&written).0);
            }
        }
    }
}
