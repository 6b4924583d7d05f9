//! Domain names in uncompressed wire form.

use std::fmt;
use std::hash::{Hash, Hasher};

/// A domain name in uncompressed wire form: length-prefixed labels of 1 to 63 bytes, ended by the empty root label,
/// 1 to 255 bytes in all (RFC 1035 §3.1, RFC 2181 §11). Letter case is kept; comparison and hashing ignore it (RFC 4343).
#[derive(Clone)]
pub struct Name {
    wire: Vec<u8>,
}

/// Why a text is not a domain name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    #[error("a label is empty")]
    EmptyLabel,
    #[error("a label is longer than 63 bytes")]
    LongLabel,
    #[error("the name is longer than 255 bytes in wire form")]
    LongName,
    #[error("a backslash is not followed by a character or three digits up to 255")]
    BadEscape,
}

impl Name {
    /// The root, one byte in wire form.
    pub fn root() -> Name {
        Name { wire: vec![0] }
    }

    /// Takes exactly one uncompressed name; `None` if `wire` holds anything else: a pointer, a lie in a length, a byte more.
    pub fn from_wire(wire: &[u8]) -> Option<Name> {
        (wire_len(wire)? == wire.len()).then(|| Name { wire: wire.to_vec() })
    }

    /// Reads presentation form (RFC 1035 §5.1): labels apart by dots, a final dot allowed, `\X` and `\DDD` escapes.
    pub fn parse(text: &str) -> Result<Name, NameError> {
        if text == "." || text.is_empty() {
            return Ok(Name::root());
        }
        let mut wire = Vec::with_capacity(text.len() + 2);
        let mut start = 0;
        wire.push(0);
        let mut bytes = text.bytes().peekable();
        while let Some(byte) = bytes.next() {
            let byte = match byte {
                b'.' => {
                    close_label(&mut wire, start)?;
                    if bytes.peek().is_none() {
                        wire.push(0);
                        return finish(wire);
                    }
                    start = wire.len();
                    wire.push(0);
                    continue;
                }
                b'\\' => match bytes.next() {
                    Some(first) if first.is_ascii_digit() => {
                        let mut value = u32::from(first - b'0');
                        for _ in 0..2 {
                            let digit = bytes.next().filter(u8::is_ascii_digit).ok_or(NameError::BadEscape)?;
                            value = value * 10 + u32::from(digit - b'0');
                        }
                        u8::try_from(value).map_err(|_| NameError::BadEscape)?
                    }
                    Some(other) => other,
                    None => return Err(NameError::BadEscape),
                },
                other => other,
            };
            wire.push(byte);
        }
        close_label(&mut wire, start)?;
        wire.push(0);
        finish(wire)
    }

    /// The name in wire form, 1 to 255 bytes, root label included.
    pub fn as_wire(&self) -> &[u8] {
        &self.wire
    }

    /// The labels from the left, without the root label.
    pub fn labels(&self) -> impl Iterator<Item = &[u8]> {
        labels(&self.wire)
    }

    /// How many labels, the root label not counted (0 to 127).
    pub fn label_count(&self) -> usize {
        self.labels().count()
    }

    pub fn is_root(&self) -> bool {
        self.wire.len() == 1
    }

    /// The name without its leftmost label; `None` for the root.
    pub fn parent(&self) -> Option<Name> {
        let first = usize::from(self.wire[0]);
        (first != 0).then(|| Name {
            wire: self.wire[first + 1..].to_vec(),
        })
    }

    /// Whether this name is `other` or below it.
    pub fn is_within(&self, other: &Name) -> bool {
        let (ours, theirs) = (self.label_count(), other.label_count());
        if ours < theirs {
            return false;
        }
        let mut at = 0;
        for _ in 0..ours - theirs {
            at += usize::from(self.wire[at]) + 1;
        }
        self.wire[at..].eq_ignore_ascii_case(&other.wire)
    }

    /// The same name with ASCII letters in lower case.
    pub fn to_lower(&self) -> Name {
        // Length bytes are at most 63 and so below the letters: lowering the whole is lowering the labels.
        Name {
            wire: self.wire.to_ascii_lowercase(),
        }
    }
}

fn close_label(wire: &mut [u8], start: usize) -> Result<(), NameError> {
    match wire.len() - start - 1 {
        0 => Err(NameError::EmptyLabel),
        length @ 1..=63 => {
            wire[start] = length as u8;
            Ok(())
        }
        _ => Err(NameError::LongLabel),
    }
}

fn finish(wire: Vec<u8>) -> Result<Name, NameError> {
    if wire.len() > 255 {
        Err(NameError::LongName)
    } else {
        Ok(Name { wire })
    }
}

/// The length in bytes of the uncompressed name that `wire` begins with, root label included; `None` if there is none
/// (a pointer, a reserved label type, more than 255 bytes, or the end of the bytes).
pub fn wire_len(wire: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        match *wire.get(at)? {
            0 => return (at < 255).then_some(at + 1),
            length @ 1..=63 => at += usize::from(length) + 1,
            _ => return None,
        }
        if at >= 255 {
            return None;
        }
    }
}

/// The labels of an uncompressed wire name from the left, without the root label. Stops at whatever is not a label.
pub fn labels(wire: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = wire;
    std::iter::from_fn(move || {
        let length = usize::from(*rest.first()?);
        if length == 0 || length > 63 {
            return None;
        }
        let label = rest.get(1..=length)?;
        rest = &rest[length + 1..];
        Some(label)
    })
}

impl PartialEq for Name {
    fn eq(&self, other: &Name) -> bool {
        self.wire.eq_ignore_ascii_case(&other.wire)
    }
}

impl Eq for Name {}

/// Canonical order (RFC 4034 §6.1): by labels from the right, letters in lower case.
impl Ord for Name {
    fn cmp(&self, other: &Name) -> std::cmp::Ordering {
        let reversed = |name: &Name| {
            let mut labels: Vec<Vec<u8>> = name.labels().map(<[u8]>::to_ascii_lowercase).collect();
            labels.reverse();
            labels
        };
        reversed(self).cmp(&reversed(other))
    }
}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Name) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let mut lower = [0; 255];
        let lower = &mut lower[..self.wire.len()];
        lower.copy_from_slice(&self.wire);
        // Length bytes are at most 63 and so below the letters.
        lower.make_ascii_lowercase();
        state.write(lower);
    }
}

/// Presentation form with a final dot: `www.example.`, the root is `.`; bytes that would mislead are escaped (RFC 1035 §5.1).
impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_root() {
            return f.write_str(".");
        }
        for label in self.labels() {
            write_label(f, label)?;
            f.write_str(".")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// Writes one label with the escapes of master files.
pub fn write_label(f: &mut impl fmt::Write, label: &[u8]) -> fmt::Result {
    for &byte in label {
        match byte {
            b'.' | b'\\' | b'"' | b'(' | b')' | b';' | b'@' | b'$' => write!(f, "\\{}", byte as char)?,
            0x21..=0x7e => f.write_char(byte as char)?,
            _ => write!(f, "\\{byte:03}")?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presentation_form_survives_a_round_trip_with_every_byte() {
        for byte in 0..=255u8 {
            let name = Name::from_wire(&[3, b'a', byte, b'b', 2, b'f', b'i', 0]).unwrap();
            let again = Name::parse(&name.to_string()).unwrap();
            assert_eq!(name.as_wire(), again.as_wire(), "byte {byte}");
        }
    }

    #[test]
    fn names_past_the_bounds_are_refused() {
        assert_eq!(Name::parse("a..b"), Err(NameError::EmptyLabel));
        assert_eq!(Name::parse(&"a".repeat(64)), Err(NameError::LongLabel));
        let long = vec!["a".repeat(49); 6].join(".");
        assert_eq!(Name::parse(&long), Err(NameError::LongName));
        assert_eq!(Name::parse(r"a\25"), Err(NameError::BadEscape));
        assert_eq!(Name::parse(r"a\256"), Err(NameError::BadEscape));
        assert!(Name::from_wire(&[1, b'a']).is_none());
        assert!(Name::from_wire(&[1, b'a', 0, 0]).is_none());
        assert!(Name::from_wire(&[0xc0, 0]).is_none());
    }

    #[test]
    fn a_name_is_within_its_parents_and_not_within_lookalikes() {
        let name = Name::parse("www.Example.com").unwrap();
        assert!(name.is_within(&Name::parse("example.COM.").unwrap()));
        assert!(name.is_within(&name));
        assert!(name.is_within(&Name::root()));
        assert!(!name.is_within(&Name::parse("ample.com").unwrap()));
        assert_eq!(name.parent().unwrap().to_string(), "Example.com.");
    }
}
