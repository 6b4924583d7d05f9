//! Messages one behind the other, each after two bytes of its length (RFC 1035 §4.2.2).

use super::buffers::LENGTH_BYTES;
use crate::limits::QUERY_BYTES;

/// What stands at the start of the bytes that came.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum First<'a> {
    /// A message, and what is behind it.
    Whole(&'a [u8], &'a [u8]),
    /// Less than one.
    Part,
    /// One that is longer than a query may be.
    TooLong,
}

pub(super) fn first(bytes: &[u8]) -> First<'_> {
    let Some((length, behind)) = bytes.split_first_chunk::<LENGTH_BYTES>() else {
        return First::Part;
    };
    let length = usize::from(u16::from_be_bytes(*length));
    if length > QUERY_BYTES {
        return First::TooLong;
    }
    match behind.split_at_checked(length) {
        Some((message, behind)) => First::Whole(message, behind),
        None => First::Part,
    }
}

/// Of whole messages of ours, where the one begins that holds the byte at `sent`, and how many are not sent whole with it.
pub(super) fn unsent(messages: &[u8], sent: usize) -> (usize, u64) {
    let (mut start, mut begins, mut count) = (0, messages.len(), 0);
    while let Some(length) = messages[start..].first_chunk::<LENGTH_BYTES>() {
        let end = start + LENGTH_BYTES + usize::from(u16::from_be_bytes(*length));
        if end > sent {
            begins = begins.min(start);
            count += 1;
        }
        start = end;
    }
    (begins, count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_whole_with_its_last_byte_and_not_before() {
        let bytes = [0, 3, 1, 2, 3, 0, 1];
        assert_eq!(first(&bytes), First::Whole(&[1, 2, 3], &[0, 1]));
        (0..5).for_each(|end| assert_eq!(first(&bytes[..end]), First::Part));
        assert_eq!(first(&[0, 0]), First::Whole(&[], &[]));
        assert_eq!(first(&[0x10, 0]), First::Part);
        assert_eq!(first(&[0x10, 1]), First::TooLong);
    }

    #[test]
    fn what_is_sent_in_part_counts_as_unsent() {
        let messages = [0, 1, 9, 0, 0, 0, 2, 9, 9];
        let expected = [
            (0, 3),
            (0, 3),
            (0, 3),
            (3, 2),
            (3, 2),
            (5, 1),
            (5, 1),
            (5, 1),
            (5, 1),
            (9, 0),
        ];
        for (sent, expected) in expected.into_iter().enumerate() {
            assert_eq!(unsent(&messages, sent), expected, "{sent}");
        }
        assert_eq!(unsent(&[], 0), (0, 0));
    }
}
