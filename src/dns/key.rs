//! Gate keys: names as the gate file orders them.

use super::name;

/// The byte that follows each label of a key. No label in a gate holds it, so a wire label that does matches nothing.
pub const SEPARATOR: u8 = b'.';

/// The largest number of labels a name of 255 bytes can have.
pub const MAX_LABELS: usize = 127;

/// A name as the gate knows it: labels reversed, ASCII lower case, each followed by [`SEPARATOR`]:
/// `www.Example.com` is `com.example.www.`. Every parent of a name is a prefix of its key. Lives on the stack.
#[derive(Clone)]
pub struct Key {
    /// What stands behind the key is of no meaning.
    bytes: [u8; ROOM],
    /// `ends[n]` is the length of the prefix that holds `n` labels; `ends[0]` is 0.
    ends: [u8; MAX_LABELS + 1],
    labels: u8,
    complete: bool,
}

/// Labels are copied in windows of this size: as long as the longest and its separator.
pub const LABEL_WINDOW: usize = 64;

/// The longest name, and a window that begins at its end.
const ROOM: usize = 256 + LABEL_WINDOW;

impl Key {
    /// The root's.
    pub const ROOT: Key = Key {
        bytes: [0; ROOM],
        ends: [0; MAX_LABELS + 1],
        labels: 0,
        complete: true,
    };

    /// The key of an uncompressed wire name of at most 255 bytes (checked by whoever made it; anything else gives the
    /// key of the labels that could be read).
    ///
    /// A label that holds the separator byte ends the key, which is then not [`complete`](Key::complete): its parents
    /// can still match, the name itself cannot.
    #[inline]
    pub fn from_wire(wire: &[u8]) -> Key {
        let mut key = Key::ROOT;
        key.set_wire(wire);
        key
    }

    /// Makes this the key of another name, as [`from_wire`](Key::from_wire) would: in half the time, since no room has to be
    /// cleared and nothing moved.
    pub fn set_wire(&mut self, wire: &[u8]) {
        (self.labels, self.complete) = (0, true);
        let wire = &wire[..wire.len().min(256)];
        let mut starts = [0u8; MAX_LABELS];
        let mut count = 0;
        let mut at = 0usize;
        while let Some(&length) = wire.get(at) {
            if length == 0 || length > 63 || count == MAX_LABELS || at > 253 {
                break;
            }
            starts[count] = at as u8;
            count += 1;
            at += usize::from(length) + 1;
        }
        // Also where it is a length; then the labels say whether one holds it.
        let may_hold_separator = memchr::memchr(SEPARATOR, wire).is_some();
        let mut end = 0usize;
        for &start in starts[..count].iter().rev() {
            let start = usize::from(start);
            let length = usize::from(wire[start]);
            let label = wire.get(start + 1..start + 1 + length);
            let Some(label) = label.filter(|_| end + length < 255) else {
                self.complete = false;
                break;
            };
            if may_hold_separator && label.contains(&SEPARATOR) {
                self.complete = false;
                break;
            }
            self.bytes[end..end + length].copy_from_slice(label);
            end += length;
            self.bytes[end] = SEPARATOR;
            end += 1;
            self.labels += 1;
            self.ends[usize::from(self.labels)] = end as u8;
        }
        // In pieces of one size, which takes a few instructions for each.
        for piece in self.bytes[..end.next_multiple_of(16)].chunks_exact_mut(16) {
            piece.make_ascii_lowercase();
        }
    }

    /// Makes this the key that a gate holds as these bytes, at most 254 (checked by whoever made them; what is behind is left out).
    pub fn set_bytes(&mut self, bytes: &[u8]) {
        (self.labels, self.complete) = (0, true);
        let bytes = &bytes[..bytes.len().min(254)];
        self.bytes[..bytes.len()].copy_from_slice(bytes);
        for end in memchr::memchr_iter(SEPARATOR, bytes).take(MAX_LABELS) {
            self.labels += 1;
            self.ends[usize::from(self.labels)] = end as u8 + 1;
        }
    }

    /// The labels as a name has them, the lowest first: each in a window of which only its length counts.
    #[inline]
    pub fn labels_first_to_last(&self) -> impl Iterator<Item = (&[u8], usize)> {
        (1..=self.label_count()).rev().map(|labels| {
            let start = self.end(labels - 1);
            let length = self.end(labels) - start - 1;
            (&self.bytes[start..start + LABEL_WINDOW], length)
        })
    }

    /// The key of a name in presentation form.
    pub fn parse(text: &str) -> Result<Key, name::NameError> {
        Ok(Key::from_wire(name::Name::parse(text)?.as_wire()))
    }

    /// The whole key, 0 to 254 bytes; the root's is empty.
    pub fn as_bytes(&self) -> &[u8] {
        self.prefix(self.label_count())
    }

    /// The key of the parent that has `labels` labels, at most [`label_count`](Key::label_count).
    pub fn prefix(&self, labels: usize) -> &[u8] {
        &self.bytes[..usize::from(self.ends[labels])]
    }

    /// Where the prefix of `labels` labels ends, in bytes.
    pub fn end(&self, labels: usize) -> usize {
        usize::from(self.ends[labels])
    }

    /// How many labels the key holds.
    pub fn label_count(&self) -> usize {
        usize::from(self.labels)
    }

    /// Whether the key stands for the whole name, not only for the part above a label that no gate can hold.
    pub fn complete(&self) -> bool {
        self.complete
    }
}

/// The presentation form, without a final dot, of the name a key stands for: `com.example.` is `example.com`.
pub fn to_text(key: &[u8]) -> String {
    let mut text = String::with_capacity(key.len());
    for label in key
        .split(|&byte| byte == SEPARATOR)
        .rev()
        .filter(|label| !label.is_empty())
    {
        if !text.is_empty() {
            text.push('.');
        }
        // Writing to a string cannot fail.
        let _ = name::write_label(&mut text, label);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_parent_of_a_name_is_a_prefix_of_its_key() {
        let key = Key::parse("www.Example.com").unwrap();
        assert_eq!(key.as_bytes(), b"com.example.www.");
        assert_eq!(key.prefix(2), b"com.example.");
        assert_eq!(key.prefix(0), b"");
        assert!(key.complete());
        assert_eq!(to_text(key.as_bytes()), "www.example.com");
    }

    #[test]
    fn a_label_with_the_separator_matches_only_through_its_parents() {
        let key = Key::parse(r"a.b\.c.example.com").unwrap();
        assert_eq!(key.as_bytes(), b"com.example.");
        assert!(!key.complete());
    }

    #[test]
    fn a_key_that_was_another_names_is_as_a_new_one() {
        let mut key = Key::ROOT;
        let longest = vec!["A"; 127].join(".");
        for name in [longest.as_str(), "www.Example.com", r"a.b\.c.example.com", ".", "Test"] {
            let name = name::Name::parse(name).unwrap();
            let new = Key::from_wire(name.as_wire());
            for wire in [name.as_wire(), &name.as_wire()[..name.as_wire().len() / 2]] {
                key.set_wire(wire);
                assert_eq!(key.as_bytes(), Key::from_wire(wire).as_bytes());
                assert_eq!(key.complete(), Key::from_wire(wire).complete());
            }
            key.set_wire(name.as_wire());
            assert_eq!((key.as_bytes(), key.complete()), (new.as_bytes(), new.complete()));
            key.set_wire(b"");
            key.set_bytes(new.as_bytes());
            assert_eq!(key.as_bytes(), new.as_bytes());
            assert!(
                key.labels_first_to_last()
                    .map(|(_, length)| length)
                    .eq(new.labels_first_to_last().map(|(_, length)| length))
            );
        }
    }

    #[test]
    fn the_longest_names_have_keys() {
        let text = vec!["a"; 127].join(".");
        assert_eq!(Key::parse(&text).unwrap().as_bytes().len(), 254);
        assert_eq!(Key::parse(".").unwrap().as_bytes(), b"");
    }
}
