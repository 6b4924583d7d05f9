//! The `normalize` stop: names as lists write them become gate keys.
//!
//! In: one name as a list writes it. Out: its gate key, appended to an arena of keys.
//! Always: what is appended is a whole key that some name of DNS can have (labels of 1 to 63 bytes, at most 255 bytes in
//! wire form, none holding the separator); on an error the arena is as it was. No allocation for plain ASCII names.
//! Keeps: RFC 1035 §3.1 and RFC 2181 §11 (lengths, underscores and hyphens anywhere), UTS 46 (U-labels, non-transitional,
//! CheckHyphens and STD3 rules off). A-labels are kept as they stand.

use crate::dns::key::{Key, SEPARATOR};
use crate::dns::name::Name;
use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

/// Why a text is not a name that a list can mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameFault {
    Empty,
    EmptyLabel,
    LongLabel,
    LongName,
    /// A byte that names of lists do not hold, ASCII.
    Byte(u8),
    NotUtf8,
    Unmappable,
    /// It is an IPv4 address.
    Address(Ipv4Addr),
    /// Every label is a number, so that it can only be a broken address.
    Number,
    /// A label holds a dot.
    Dot,
}

/// Half a sentence for the operator, as in "line 3: ...".
impl fmt::Display for NameFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NameFault::Empty => f.write_str("there is no name"),
            NameFault::EmptyLabel => f.write_str("a label is empty"),
            NameFault::LongLabel => f.write_str("a label is longer than 63 bytes"),
            NameFault::LongName => f.write_str("the name is longer than 255 bytes"),
            NameFault::Byte(byte @ 0x21..=0x7e) => {
                write!(f, "a name cannot hold the character \"{}\"", char::from(*byte))
            }
            NameFault::Byte(b' ' | b'\t') => f.write_str("a name cannot hold a blank"),
            NameFault::Byte(byte) => write!(f, "a name cannot hold the byte 0x{byte:02x}"),
            NameFault::NotUtf8 => f.write_str("the name is not UTF-8"),
            NameFault::Unmappable => f.write_str("the name has no ASCII form (UTS 46)"),
            NameFault::Address(address) => write!(f, "{address} is an address, not a name"),
            NameFault::Number => f.write_str("every label is a number, and the whole is no address"),
            NameFault::Dot => f.write_str("a label holds a dot"),
        }
    }
}

/// Appends the gate key of `text` (presentation form without escapes, a final dot allowed) and returns its length.
pub fn push_key(text: &[u8], keys: &mut Vec<u8>) -> Result<u8, NameFault> {
    match push_plain_key(text, keys) {
        Err(NameFault::Byte(byte)) if !byte.is_ascii() => push_mapped_key(text, keys),
        result => result,
    }
}

/// As [`push_key`], for ASCII only: any other byte is a [`NameFault::Byte`].
pub fn push_plain_key(text: &[u8], keys: &mut Vec<u8>) -> Result<u8, NameFault> {
    let text = match text {
        [] => return Err(NameFault::Empty),
        [head @ .., b'.'] => head,
        whole => whole,
    };
    // 253 bytes of text are 255 in wire form.
    let mut lower = [0u8; 253];
    let mut bad = false;
    for (to, &from) in lower.iter_mut().zip(text) {
        *to = LOWER[usize::from(from)];
        bad |= *to == 0;
    }
    if bad || text.len() > lower.len() {
        return Err(fault_of(text));
    }
    let lower = &lower[..text.len()];
    let start = keys.len();
    let mut end = lower.len();
    loop {
        let mut at = end;
        while at > 0 && lower[at - 1] != b'.' {
            at -= 1;
        }
        let length = end - at;
        if length == 0 || length > 63 {
            keys.truncate(start);
            return Err(if length == 0 {
                NameFault::EmptyLabel
            } else {
                NameFault::LongLabel
            });
        }
        keys.extend_from_slice(&lower[at..end]);
        keys.push(SEPARATOR);
        if at == 0 {
            break;
        }
        end = at - 1;
    }
    if lower[lower.len() - 1].is_ascii_digit()
        && let Some(fault) = number_at_the_end(lower)
    {
        keys.truncate(start);
        return Err(fault);
    }
    // At most 253 + 1 bytes.
    Ok((keys.len() - start) as u8)
}

/// The gate key of `text` on its own.
pub fn key(text: &[u8]) -> Result<Box<[u8]>, NameFault> {
    let mut keys = Vec::with_capacity(text.len() + 1);
    push_key(text, &mut keys)?;
    Ok(keys.into_boxed_slice())
}

/// The gate key of a name of the wire; a label with a dot in it has none.
pub fn key_of_name(name: &Name) -> Result<Box<[u8]>, NameFault> {
    let key = Key::from_wire(name.as_wire());
    if key.complete() {
        Ok(key.as_bytes().into())
    } else {
        Err(NameFault::Dot)
    }
}

/// The name of the wire that `text` stands for (presentation form without escapes; U-labels are mapped).
pub fn name(text: &[u8]) -> Result<Name, NameFault> {
    let key = key(text)?;
    let mut wire = Vec::with_capacity(key.len() + 1);
    for label in key
        .split(|&byte| byte == SEPARATOR)
        .rev()
        .filter(|label| !label.is_empty())
    {
        wire.push(label.len() as u8);
        wire.extend_from_slice(label);
    }
    wire.push(0);
    Name::from_wire(&wire).ok_or(NameFault::LongName)
}

/// Maps the labels that are not ASCII (UTS 46) and appends the key of what comes out.
#[cold]
fn push_mapped_key(text: &[u8], keys: &mut Vec<u8>) -> Result<u8, NameFault> {
    let text = std::str::from_utf8(text).map_err(|_| NameFault::NotUtf8)?;
    if text.len() > LONGEST_MAPPED {
        return Err(NameFault::LongName);
    }
    let mut mapped = String::with_capacity(text.len() + 16);
    // The other full stops of UTS 46 §2.3 part labels too.
    for (index, label) in text.split(['.', '\u{3002}', '\u{ff0e}', '\u{ff61}']).enumerate() {
        if index > 0 {
            mapped.push('.');
        }
        if label.is_ascii() {
            mapped.push_str(label);
            continue;
        }
        let ascii = Uts46::new()
            .to_ascii(
                label.as_bytes(),
                AsciiDenyList::EMPTY,
                Hyphens::Allow,
                DnsLength::Ignore,
            )
            .map_err(|_| NameFault::Unmappable)?;
        mapped.push_str(&ascii);
    }
    push_plain_key(mapped.as_bytes(), keys)
}

/// No name of 255 bytes comes from a longer text: the shortest A-label of a text of n bytes has more than n / 4 bytes.
const LONGEST_MAPPED: usize = 1024;

#[cold]
fn fault_of(text: &[u8]) -> NameFault {
    // A byte above ASCII decides over the others: it sends the name to the mapping, which then judges the rest.
    if let Some(&byte) = text.iter().find(|byte| !byte.is_ascii()) {
        return NameFault::Byte(byte);
    }
    match text.iter().find(|&&byte| LOWER[usize::from(byte)] == 0) {
        Some(&byte) => NameFault::Byte(byte),
        None => NameFault::LongName,
    }
}

/// A name of numbers alone is an address, a range of them, or a broken one.
#[cold]
fn number_at_the_end(lower: &[u8]) -> Option<NameFault> {
    if !lower
        .iter()
        .all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-'))
    {
        return None;
    }
    let text = std::str::from_utf8(lower).ok()?;
    Some(text.parse().map_or(NameFault::Number, NameFault::Address))
}

/// An address as lists write them: also with a zone (`fe80::1%lo0`) or in brackets.
pub fn address(text: &[u8]) -> Option<IpAddr> {
    // Only what has a digit or colon early can be one: most tokens are names.
    let text = match text {
        [b'[', inner @ .., b']'] => inner,
        other => other,
    };
    if text.len() > 64 || !(text.contains(&b':') || text.first()?.is_ascii_digit()) {
        return None;
    }
    let text = std::str::from_utf8(text).ok()?;
    let text = text.split_once('%').map_or(text, |(address, _)| address);
    text.parse().ok()
}

/// The lower case of the bytes that plain names hold (letters, digits, hyphen, underscore, dot), 0 for all others.
const LOWER: [u8; 256] = {
    let mut table = [0u8; 256];
    let mut byte = 0usize;
    while byte < 256 {
        let value = byte as u8;
        if value.is_ascii_alphanumeric() || value == b'-' || value == b'_' || value == b'.' {
            table[byte] = value.to_ascii_lowercase();
        }
        byte += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    fn text_key(text: &str) -> Result<String, NameFault> {
        Ok(String::from_utf8(key(text.as_bytes())?.into_vec()).unwrap())
    }

    #[test]
    fn names_become_reversed_lower_case_keys() {
        assert_eq!(text_key("WWW.Example.COM").unwrap(), "com.example.www.");
        assert_eq!(text_key("example.com.").unwrap(), "com.example.");
        assert_eq!(text_key("-a_b-.example").unwrap(), "example.-a_b-.");
        assert_eq!(text_key("zip").unwrap(), "zip.");
    }

    #[test]
    fn u_labels_are_mapped_and_a_labels_kept_as_they_stand() {
        assert_eq!(text_key("B\u{fc}cher.example").unwrap(), "example.xn--bcher-kva.");
        // Transitional processing would make it "fass".
        assert_eq!(text_key("fa\u{df}.de").unwrap(), "de.xn--fa-hia.");
        assert_eq!(text_key("XN--0.example").unwrap(), "example.xn--0.");
        assert_eq!(text_key("a\u{3002}\u{fc}.example").unwrap(), "example.xn--tda.a.");
        assert_eq!(text_key("\u{fffd}.example"), Err(NameFault::Unmappable));
        assert_eq!(key(b"\xff.example"), Err(NameFault::NotUtf8));
    }

    #[test]
    fn what_is_no_name_says_why() {
        assert_eq!(text_key(""), Err(NameFault::Empty));
        assert_eq!(text_key("."), Err(NameFault::EmptyLabel));
        assert_eq!(text_key("a..b"), Err(NameFault::EmptyLabel));
        assert_eq!(text_key(".a"), Err(NameFault::EmptyLabel));
        assert_eq!(text_key("a b"), Err(NameFault::Byte(b' ')));
        assert_eq!(text_key("a/b"), Err(NameFault::Byte(b'/')));
        assert_eq!(
            text_key("192.0.2.1"),
            Err(NameFault::Address(Ipv4Addr::new(192, 0, 2, 1)))
        );
        assert_eq!(text_key("192.0.2.300"), Err(NameFault::Number));
        assert_eq!(text_key(&"a".repeat(64)), Err(NameFault::LongLabel));
        let longest = format!("{}.{}", vec!["a".repeat(49); 5].join("."), "abc");
        assert_eq!(longest.len(), 253);
        assert_eq!(text_key(&longest).unwrap().len(), 254);
        assert_eq!(text_key(&format!("{longest}d")), Err(NameFault::LongName));
    }

    #[test]
    fn a_fault_leaves_the_arena_as_it_was() {
        let mut keys = b"com.".to_vec();
        for bad in ["a..b", "1.2.3.4.5", "a b"] {
            assert!(push_key(bad.as_bytes(), &mut keys).is_err());
            assert_eq!(keys, b"com.");
        }
    }

    #[test]
    fn a_key_is_the_one_a_query_for_the_name_gets() {
        for text in ["www.example.com", "a.b.c.d.example", "x", "_dmarc.Example.org"] {
            assert_eq!(&*key(text.as_bytes()).unwrap(), Key::parse(text).unwrap().as_bytes());
            assert_eq!(name(text.as_bytes()).unwrap(), Name::parse(text).unwrap());
        }
    }

    #[test]
    fn addresses_are_read_with_zones_and_brackets() {
        assert_eq!(address(b"fe80::1%lo0"), Some("fe80::1".parse().unwrap()));
        assert_eq!(address(b"[::1]"), Some("::1".parse().unwrap()));
        assert_eq!(address(b"127.0.0.1"), Some("127.0.0.1".parse().unwrap()));
        assert_eq!(address(b"ad.example"), None);
        assert_eq!(address(b"1.example"), None);
    }
}
