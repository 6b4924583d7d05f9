//! Look-alikes: names in other scripts that a person takes for a name that lists block.
//!
//! In: a name with a label in A-form. Out: the names in plain letters that look like it, and what lists say about these.
//! Always: only a name with a label `xn--` costs anything; it is looked at only where no list has a say in the name itself. At most
//! [`LOOK_ALIKES`] names are tried.
//! Keeps: UTS 39 §4 (skeletons), RFC 5891 §4.4 (A-labels), RFC 3492 (Punycode).

use super::decide::Asked;
use super::decision::{Action, Cause, Decision};
use super::profile::Table;
use super::{Asker, Policy};
use crate::dns::key::{Key, SEPARATOR, to_text};
use crate::dns::name::Name;
use crate::limits::LOOK_ALIKES;
use crate::list::set::Gate;
use unicode_security::confusable_detection::skeleton;

impl Policy {
    /// What lists say about the names that this one looks like.
    #[cold]
    pub(super) fn by_look_alikes(
        &self,
        gate: &Gate,
        table: &Table,
        asker: &Asker,
        asked: &Asked<'_>,
    ) -> Option<Decision> {
        if !has_a_label(asked.key) || !asked.key.complete() {
            return None;
        }
        look_alikes(asked.key).zip(0..).find_map(|(key, nth)| {
            let said = self.by_lists(gate, table, asker, &Asked { key: &key, ..*asked });
            let blocks = matches!(
                said.action,
                Action::Sinkhole | Action::Rcode(_) | Action::Nodata | Action::Drop
            );
            match said.cause {
                Cause::Rule(rule) if blocks => Some(Decision {
                    cause: Cause::LookAlike(rule, nth),
                    ..said
                }),
                _ => None,
            }
        })
    }
}

/// Whether a name has a label in A-form.
pub(super) fn has_a_label(key: &Key) -> bool {
    let bytes = key.as_bytes();
    bytes.starts_with(b"xn--") || memchr::memmem::find(bytes, b".xn--").is_some()
}

/// The name that a decision with [`Cause::LookAlike`] about `key` rests on.
pub(super) fn nth(key: &Key, nth: u8) -> Option<Key> {
    look_alikes(key).nth(nth.into())
}

/// The same as text, for a name in wire form.
pub fn text_of(wire: &[u8], of: u8) -> Option<String> {
    Some(to_text(nth(&Key::from_wire(wire), of)?.as_bytes()))
}

/// A piece of a name, and another that looks the same (UTS 39 gives both one skeleton).
type Piece = (String, Option<&'static str>);

/// The names in letters, digits and hyphens that look like a name with labels in A-form: first the one with most of its own letters.
/// Where more of them can be read in two ways than there are names tried, the last stay as they are.
fn look_alikes(key: &Key) -> impl Iterator<Item = Key> {
    let pieces = pieces(key).unwrap_or_default();
    let open = pieces.iter().filter(|(_, as_well)| as_well.is_some()).count();
    let count = match pieces.is_empty() {
        true => 0,
        false => 1usize
            .checked_shl(open as u32)
            .map_or(LOOK_ALIKES, |all| all.min(LOOK_ALIKES)),
    };
    (0..count).filter_map(move |choice| {
        let mut left = choice;
        let mut text = String::new();
        for (piece, as_well) in &pieces {
            let other = as_well.filter(|_| left & 1 == 1);
            left >>= usize::from(as_well.is_some());
            text.push_str(other.unwrap_or(piece));
        }
        Some(Key::from_wire(Name::parse(&text).ok()?.as_wire()))
    })
}

/// What a name is made of, the lowest label first; `None` where no label looks like one in plain letters.
fn pieces(key: &Key) -> Option<Vec<Piece>> {
    let mut pieces = Vec::new();
    let mut any = false;
    let labels = key.as_bytes().strip_suffix(&[SEPARATOR])?;
    for label in labels.split(|&byte| byte == SEPARATOR).rev() {
        if !pieces.is_empty() {
            pieces.push((".".to_owned(), None));
        }
        // A label of other bytes than letters is in none of these lists.
        let text = std::str::from_utf8(label).ok()?;
        let decoded = text.strip_prefix("xn--").and_then(idna::punycode::decode_to_string);
        // What is in plain letters in truth is no A-label (RFC 5891 §4.4).
        let decoded = decoded.filter(|decoded| !decoded.is_ascii());
        match decoded.and_then(|decoded| read(&decoded)) {
            Some(read) => {
                any = true;
                pieces.extend(read);
            }
            None => pieces.push((text.to_owned(), None)),
        }
    }
    any.then_some(pieces)
}

/// Reads a label as one in plain letters; `None` if it does not look like one.
fn read(label: &str) -> Option<Vec<Piece>> {
    let mut pieces: Vec<Piece> = Vec::new();
    let mut plain = |letter: char| match (letter, pieces.last_mut()) {
        ('n', Some(last)) if last.0 == "r" => *last = ("rn".to_owned(), Some("m")),
        _ => pieces.push((
            letter.to_string(),
            match letter {
                'l' => Some("1"),
                '1' => Some("l"),
                'm' => Some("rn"),
                _ => None,
            },
        )),
    };
    for letter in label.chars() {
        if is_plain(letter) {
            plain(letter);
            continue;
        }
        let shape: Vec<char> = skeleton(letter.encode_utf8(&mut [0; 4])).collect();
        match shape.as_slice() {
            // What the skeletons of `m` and `0` are.
            ['r', 'n'] => plain('m'),
            ['O'] => plain('0'),
            shape if !shape.is_empty() && shape.iter().copied().all(is_plain) => {
                shape.iter().copied().for_each(&mut plain)
            }
            _ => return None,
        }
    }
    Some(pieces)
}

fn is_plain(letter: char) -> bool {
    matches!(letter, 'a'..='z' | '0'..='9' | '-')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(text: &str) -> Key {
        let ascii = idna::domain_to_ascii(text).unwrap();
        Key::parse(&ascii).unwrap()
    }

    fn seen(text: &str) -> Vec<String> {
        look_alikes(&key(text)).map(|key| to_text(key.as_bytes())).collect()
    }

    #[test]
    fn names_in_other_scripts_are_read_as_the_names_they_look_like() {
        // Cyrillic а, е, о, р, с, ԁ; Greek ο; dotless ı.
        assert_eq!(seen("www.\u{430}pp.com"), ["www.app.com"]);
        assert_eq!(seen("g\u{43e}\u{3bf}d.example"), ["good.example"]);
        assert_eq!(seen("b\u{131}ng.c\u{43e}"), ["bing.co"]);
        assert_eq!(seen("\u{440}\u{430}ypal.com"), ["paypal.com", "paypa1.com"]);
        assert_eq!(seen("\u{440}aypa1.com")[1], "paypal.com");
        assert!(seen("g\u{430}rnes.example").contains(&"games.example".to_owned()));
        assert_eq!(
            seen("www.\u{43e}ne.d\u{435}.\u{441}om"),
            ["www.one.de.com", "www.one.de.corn"]
        );
        // Only the label that is in other letters is read in two ways.
        assert_eq!(seen("mall.\u{430}b.com"), ["mall.ab.com"]);
    }

    #[test]
    fn names_that_look_like_no_name_in_plain_letters_have_none() {
        // An accent is seen; a word in its own script is one.
        for name in [
            "b\u{fc}cher.example",
            "caf\u{e9}.example",
            "\u{43f}\u{440}\u{438}\u{43c}\u{435}\u{440}.example",
            "plain.example",
        ] {
            assert_eq!(seen(name), [""; 0], "{name}");
        }
        let broken = Key::parse("xn--a-\\255.example").unwrap();
        assert_eq!(look_alikes(&broken).count(), 0);
        for text in ["xn--.example", "xn--plain-.example"] {
            assert_eq!(look_alikes(&Key::parse(text).unwrap()).count(), 0, "{text}");
        }
        assert_eq!(look_alikes(&Key::ROOT).count(), 0);
        assert!(seen(&format!("{}\u{430}.example", "lm".repeat(20))).len() <= LOOK_ALIKES);
    }

    #[test]
    fn a_label_in_a_form_is_known_wherever_it_stands() {
        for (name, has) in [
            ("xn--a.example", true),
            ("www.xn--a.example", true),
            ("a.xn--p1ai", true),
            ("axn--a.example", false),
            ("xn-a.example", false),
            (".", false),
        ] {
            assert_eq!(has_a_label(&Key::parse(name).unwrap()), has, "{name}");
        }
    }

    proptest! {
        #[test]
        fn every_name_found_has_the_skeleton_of_the_one_asked_for(label in "[a-z0-9\u{430}-\u{44f}\u{3b1}-\u{3c9}]{1,12}") {
            let Ok(ascii) = idna::domain_to_ascii(&format!("{label}.example")) else { return Ok(()) };
            let (decoded, _) = idna::domain_to_unicode(&ascii);
            let asked: String = skeleton(&decoded).collect();
            for found in look_alikes(&Key::parse(&ascii).unwrap()) {
                let found = to_text(found.as_bytes());
                prop_assert_ne!(&found, &ascii);
                prop_assert_eq!(skeleton(&found).collect::<String>(), asked.clone(), "{}", found);
            }
        }

        #[test]
        fn random_names_never_panic(wire in proptest::collection::vec(any::<u8>(), 0..255)) {
            let _ = look_alikes(&Key::from_wire(&wire)).count();
        }
    }
}
