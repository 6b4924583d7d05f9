//! Extended DNS Errors (RFC 8914): what a stub is told beside the RCODE.

/// INFO-CODEs (IANA "Extended DNS Error Codes").
pub mod code {
    pub const OTHER: u16 = 0;
    pub const UNSUPPORTED_DNSKEY_ALGORITHM: u16 = 1;
    pub const UNSUPPORTED_DS_DIGEST: u16 = 2;
    pub const STALE_ANSWER: u16 = 3;
    pub const FORGED_ANSWER: u16 = 4;
    pub const DNSSEC_INDETERMINATE: u16 = 5;
    pub const DNSSEC_BOGUS: u16 = 6;
    pub const SIGNATURE_EXPIRED: u16 = 7;
    pub const SIGNATURE_NOT_YET_VALID: u16 = 8;
    pub const DNSKEY_MISSING: u16 = 9;
    pub const RRSIGS_MISSING: u16 = 10;
    pub const NO_ZONE_KEY_BIT_SET: u16 = 11;
    pub const NSEC_MISSING: u16 = 12;
    pub const CACHED_ERROR: u16 = 13;
    pub const NOT_READY: u16 = 14;
    pub const BLOCKED: u16 = 15;
    pub const CENSORED: u16 = 16;
    pub const FILTERED: u16 = 17;
    pub const PROHIBITED: u16 = 18;
    pub const STALE_NXDOMAIN_ANSWER: u16 = 19;
    pub const NOT_AUTHORITATIVE: u16 = 20;
    pub const NOT_SUPPORTED: u16 = 21;
    pub const NO_REACHABLE_AUTHORITY: u16 = 22;
    pub const NETWORK_ERROR: u16 = 23;
    pub const SIGNATURE_EXPIRED_BEFORE_VALID: u16 = 25;
    pub const UNSUPPORTED_NSEC3_ITERATIONS: u16 = 27;
}

/// The EDNS option code of an Extended DNS Error.
pub const OPTION: u16 = 15;

/// Longest EXTRA-TEXT written, in bytes: a sentence for a person, not a reason to truncate a response.
pub const TEXT_BYTES: usize = 96;

/// EXTRA-TEXT that lives on the stack: UTF-8, cut at a character when it would pass [`TEXT_BYTES`].
#[derive(Clone, Copy)]
pub struct Text {
    bytes: [u8; TEXT_BYTES],
    len: u8,
}

impl Text {
    pub const EMPTY: Text = Text {
        bytes: [0; TEXT_BYTES],
        len: 0,
    };

    pub fn new(text: &str) -> Text {
        let mut new = Text::EMPTY;
        new.push(text);
        new
    }

    /// Adds as much of `text` as fits.
    pub fn push(&mut self, text: &str) {
        let at = usize::from(self.len);
        let mut end = text.len().min(TEXT_BYTES - at);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        self.bytes[at..at + end].copy_from_slice(&text.as_bytes()[..end]);
        self.len += end as u8;
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    pub fn as_str(&self) -> &str {
        // It was put together of whole characters.
        std::str::from_utf8(self.as_bytes()).unwrap_or("")
    }
}

/// The Extended DNS Errors of one response: at most [`Errors::MOST`], later ones left out. All but the first go without text.
#[derive(Clone, Copy)]
pub struct Errors {
    codes: [u16; Errors::MOST],
    len: u8,
    /// Of the first: the sub-error code, 0 for none; `None` where it is not said by this server's policy.
    sub_error: Option<u8>,
    text: Text,
}

impl Errors {
    /// Four of an authority, two that say what became of it, and that it was so a moment ago.
    pub const MOST: usize = 7;
    pub const NONE: Errors = Errors {
        codes: [0; Errors::MOST],
        len: 0,
        sub_error: None,
        text: Text::EMPTY,
    };

    /// One error with its text, which may be empty.
    pub fn one(code: u16, text: Text) -> Errors {
        let mut errors = Errors::NONE;
        errors.push(code);
        errors.text = text;
        errors
    }

    /// One error that says why this server's policy did not answer, which clients that ask for it get as a
    /// [`structured`](super::structured) one. `sub_error`: of the registry there.
    pub fn policy(code: u16, text: Text, sub_error: Option<u8>) -> Errors {
        Errors {
            sub_error: Some(sub_error.unwrap_or(0)),
            ..Errors::one(code, text)
        }
    }

    /// Whether the first is one of [`policy`](Errors::policy), and its sub-error code.
    pub fn structured(&self) -> Option<Option<u8>> {
        self.sub_error.map(|code| (code != 0).then_some(code))
    }

    /// Adds an error without text, unless it is there.
    pub fn push(&mut self, code: u16) {
        if !self.codes().contains(&code)
            && let Some(slot) = self.codes.get_mut(usize::from(self.len))
        {
            *slot = code;
            self.len += 1;
        }
    }

    pub fn codes(&self) -> &[u16] {
        &self.codes[..usize::from(self.len)]
    }

    /// The text of the first.
    pub fn text(&self) -> &[u8] {
        self.text.as_bytes()
    }

    /// Length of all options in bytes, with a text of so many bytes.
    pub fn wire_len(&self, text_bytes: usize) -> usize {
        match self.len {
            0 => 0,
            count => usize::from(count) * 6 + text_bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_at_a_character() {
        let mut text = Text::new(&"x".repeat(TEXT_BYTES - 1));
        text.push("é");
        assert_eq!(text.as_bytes().len(), TEXT_BYTES - 1);
        text.push("y");
        assert_eq!(text.as_bytes().len(), TEXT_BYTES);
    }
}
