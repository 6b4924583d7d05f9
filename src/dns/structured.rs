//! EXTRA-TEXT of an Extended DNS Error as a program reads it: an I-JSON object with the registered short names.
//!
//! In: what a person would be told, and whom to ask. Out: JSON in a buffer on the stack, as much of it as there is room for.
//! Always: what is written is a whole object. What must give way, in this order: the organization, the contacts, the end of the
//! justification at a character, all of it; an object that would say nothing is left out.
//! Keeps: draft-ietf-dnsop-structured-dns-error-22 §4 (names), §5.2 (what may be left out), §11.4 (sub-error codes); RFC 7493 §2.1
//! (no surrogates, no noncharacters).

/// Longest object written, in bytes: what a response over UDP has to spare beside the longest name and a cookie.
pub const JSON_BYTES: usize = 768;

/// Sub-error codes (draft §11.4). 1 to 4 go with the INFO-CODEs Blocked and Filtered, the others with Blocked alone, none with Censored.
pub mod sub_error {
    pub const MALWARE: u8 = 1;
    pub const PHISHING: u8 = 2;
    pub const SPAM: u8 = 3;
    pub const SPYWARE: u8 = 4;
    pub const NETWORK_OPERATOR_POLICY: u8 = 5;
    pub const DNS_OPERATOR_POLICY: u8 = 6;
}

/// The language of what is written here (RFC 5646): justifications are English.
const LANGUAGE: &str = "en";

/// What an object says.
#[derive(Debug, Clone, Copy)]
pub struct Structured<'a> {
    /// Contact URIs: `tel`, `mailto` or `sips` (checked by whoever read them).
    pub contact: &'a [String],
    /// UTF-8; empty: none.
    pub justification: &'a [u8],
    pub sub_error: Option<u8>,
    pub organization: Option<&'a str>,
}

/// An object, on the stack.
pub struct Json {
    bytes: [u8; JSON_BYTES],
    len: usize,
}

impl Structured<'_> {
    /// The object in at most `room` bytes; empty where even the shortest would be longer or say nothing.
    pub fn write(&self, room: usize) -> Json {
        let room = room.min(JSON_BYTES);
        let text = std::str::from_utf8(self.justification).unwrap_or("");
        for (contact, organization) in [(true, true), (true, false), (false, false)] {
            if let Some(json) = self.try_write(room, contact, organization, text) {
                return json;
            }
        }
        let mut text = text;
        while let Some((last, _)) = text.char_indices().next_back() {
            text = &text[..last];
            if let Some(json) = self.try_write(room, false, false, text) {
                return json;
            }
        }
        Json::EMPTY
    }

    /// `None`: it does not fit.
    fn try_write(&self, room: usize, contact: bool, organization: bool, text: &str) -> Option<Json> {
        let contact = if contact { self.contact } else { &[] };
        let organization = self.organization.filter(|name| organization && !name.is_empty());
        // A client throws away what has none of these (draft §5.3).
        if contact.is_empty() && text.is_empty() && self.sub_error.is_none() {
            return Some(Json::EMPTY);
        }
        let mut json = Json::EMPTY;
        let mut to = Filling { json: &mut json, room };
        if !contact.is_empty() {
            to.name("c")?;
            for (index, uri) in contact.iter().enumerate() {
                to.put(if index == 0 { b"[" } else { b"," })?;
                to.text(uri)?;
            }
            to.put(b"]")?;
        }
        if !text.is_empty() {
            to.name("j")?;
            to.text(text)?;
        }
        if let Some(code) = self.sub_error {
            to.name("s")?;
            to.number(code)?;
        }
        if let Some(name) = organization {
            to.name("o")?;
            to.text(name)?;
        }
        if !text.is_empty() || organization.is_some() {
            to.name("l")?;
            to.text(LANGUAGE)?;
        }
        to.put(b"}")?;
        Some(json)
    }
}

impl Json {
    pub const EMPTY: Json = Json {
        bytes: [0; JSON_BYTES],
        len: 0,
    };

    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// An object in the making. Each step is `None` where there is no room left.
struct Filling<'j> {
    json: &'j mut Json,
    room: usize,
}

impl Filling<'_> {
    fn put(&mut self, bytes: &[u8]) -> Option<()> {
        let end = self.json.len + bytes.len();
        if end > self.room {
            return None;
        }
        self.json.bytes.get_mut(self.json.len..end)?.copy_from_slice(bytes);
        self.json.len = end;
        Some(())
    }

    /// The name of the next member.
    fn name(&mut self, name: &str) -> Option<()> {
        self.put(if self.json.len == 0 { b"{\"" } else { b",\"" })?;
        self.put(name.as_bytes())?;
        self.put(b"\":")
    }

    fn number(&mut self, number: u8) -> Option<()> {
        for (place, least) in [(100, 100), (10, 10), (1, 0)] {
            if number >= least {
                self.put(&[b'0' + number / place % 10])?;
            }
        }
        Some(())
    }

    /// A string with its quotes (RFC 8259 §7).
    fn text(&mut self, text: &str) -> Option<()> {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        self.put(b"\"")?;
        for character in text.chars() {
            match character {
                '"' => self.put(b"\\\"")?,
                '\\' => self.put(b"\\\\")?,
                control @ '\0'..='\x1f' => {
                    let code = control as usize;
                    self.put(&[b'\\', b'u', b'0', b'0', HEX[code >> 4], HEX[code & 15]])?;
                }
                other => {
                    let code = other as u32;
                    let noncharacter = (0xfdd0..=0xfdef).contains(&code) || code & 0xfffe == 0xfffe;
                    let other = if noncharacter {
                        char::REPLACEMENT_CHARACTER
                    } else {
                        other
                    };
                    self.put(other.encode_utf8(&mut [0; 4]).as_bytes())?;
                }
            }
        }
        self.put(b"\"")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(json: &Json) -> &str {
        std::str::from_utf8(json.as_bytes()).unwrap()
    }

    #[test]
    fn what_does_not_fit_gives_way_in_order() {
        let contact = ["mailto:it@example.net".to_owned(), "tel:+358-555-1234567".to_owned()];
        let whole = Structured {
            contact: &contact,
            justification: "größer".as_bytes(),
            sub_error: Some(1),
            organization: Some("A \"B\" \\ C\n"),
        };
        let written = whole.write(JSON_BYTES);
        let first = concat!(
            r#"{"c":["mailto:it@example.net","tel:+358-555-1234567"],"j":"größer","s":1,"#,
            r#""o":"A \"B\" \\ C\u000a","l":"en"}"#
        );
        assert_eq!(text(&written), first);
        assert_eq!(text(&whole.write(first.len())), first);
        let second = r#"{"c":["mailto:it@example.net","tel:+358-555-1234567"],"j":"größer","s":1,"l":"en"}"#;
        assert_eq!(text(&whole.write(first.len() - 1)), second);
        let third = r#"{"j":"größer","s":1,"l":"en"}"#;
        assert_eq!(text(&whole.write(second.len() - 1)), third);
        // Between ö and ß there is no cut within a character.
        assert_eq!(text(&whole.write(third.len() - 3)), r#"{"j":"grö","s":1,"l":"en"}"#);
        assert_eq!(text(&whole.write(third.len() - 4)), r#"{"j":"grö","s":1,"l":"en"}"#);
        assert_eq!(text(&whole.write(7)), r#"{"s":1}"#);
        assert_eq!(text(&whole.write(6)), "");
        let nothing = Structured {
            contact: &[],
            justification: b"",
            sub_error: None,
            ..whole
        };
        assert_eq!(text(&nothing.write(JSON_BYTES)), "", "a name alone says nothing");
        let number = Structured {
            sub_error: Some(207),
            organization: None,
            ..nothing
        };
        assert_eq!(text(&number.write(JSON_BYTES)), r#"{"s":207}"#);
    }

    proptest! {
        #[test]
        fn whatever_the_room_what_is_written_is_a_whole_object_that_fits(
            contact in proptest::collection::vec("[a-z:\"\\\\@+]{0,40}", 0..3),
            justification in "\\PC{0,60}|[\\x00-\\x20\"\\\\\u{fffe}\u{fdd0}]{0,20}",
            organization in proptest::option::of("\\PC{0,30}"),
            sub_error in proptest::option::of(0u8..),
            room in 0usize..900,
        ) {
            let all = Structured {
                contact: &contact,
                justification: justification.as_bytes(),
                sub_error,
                organization: organization.as_deref(),
            };
            let json = all.write(room);
            prop_assert!(json.as_bytes().len() <= room.min(JSON_BYTES));
            if json.as_bytes().is_empty() {
                return Ok(());
            }
            let read: serde_json::Value = serde_json::from_slice(json.as_bytes()).expect("JSON");
            let read = read.as_object().expect("an object");
            prop_assert!(read.keys().all(|name| ["c", "j", "s", "o", "l"].contains(&name.as_str())));
            if let Some(j) = read.get("j").and_then(|j| j.as_str()) {
                let clean: String = justification
                    .chars()
                    .map(|c| if matches!(c as u32, 0xfdd0..=0xfdef) || c as u32 & 0xfffe == 0xfffe { '\u{fffd}' } else { c })
                    .collect();
                prop_assert!(clean.starts_with(j));
                prop_assert!(j == clean || !read.contains_key("c") && !read.contains_key("o"), "{read:?}");
            }
        }
    }
}
