//! Tokens that show that a form came from a page of this server, shown to the same client, about the same site, not long ago.
//!
//! In: a client's address, a name, the time. Out: a token for the form; when it comes back, whether it is good.
//! Always: each is good once, for one address and one name, for [`PAGE_TOKEN_S`]. The secret is made at the start and shown nowhere, so
//! that no page elsewhere can have a browser ask in its child's name.
//! Shape of a token, base 64 without padding: the second it was made at, by the clock that never goes back (eight bytes, big-endian); eight
//! random bytes; HMAC-SHA-256 of address, both, and name.

use crate::dns::name::Name;
use crate::limits::{PAGE_TOKEN_S, PAGE_TOKENS_USED};
use crate::now::Now;
use data_encoding::BASE64URL_NOPAD;
use ring::hmac;
use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

const START_BYTES: usize = 16;
const TAG_BYTES: usize = 32;

type Start = [u8; START_BYTES];

/// See the page's first lines.
pub struct Tokens {
    key: hmac::Key,
    /// Those that came back and are not over yet, the oldest first.
    used: Mutex<VecDeque<Start>>,
}

impl Tokens {
    /// With a secret that nobody else has.
    pub fn random() -> Tokens {
        let secret: [u8; 32] = rand::random();
        Tokens {
            key: hmac::Key::new(hmac::HMAC_SHA256, &secret),
            used: Mutex::default(),
        }
    }

    /// A token for a form.
    pub fn make(&self, client: IpAddr, name: &Name, now: Now) -> String {
        let mut start = [0; START_BYTES];
        start[..8].copy_from_slice(&(now.mono_ms / 1000).to_be_bytes());
        start[8..].copy_from_slice(&rand::random::<[u8; 8]>());
        let tag = hmac::sign(&self.key, &signed(&start, client, name));
        BASE64URL_NOPAD.encode(&[&start, tag.as_ref()].concat())
    }

    /// Whether a token is good; it is so once.
    pub fn take(&self, token: &str, client: IpAddr, name: &Name, now: Now) -> bool {
        let Ok(bytes) = BASE64URL_NOPAD.decode(token.as_bytes()) else {
            return false;
        };
        let Some((start, tag)) = bytes.split_first_chunk::<START_BYTES>() else {
            return false;
        };
        // Compares in constant time.
        if tag.len() != TAG_BYTES || hmac::verify(&self.key, &signed(start, client, name), tag).is_err() {
            return false;
        }
        let now_s = now.mono_ms / 1000;
        if is_over(start, now_s) {
            return false;
        }
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        used.retain(|start| !is_over(start, now_s));
        if used.contains(start) {
            return false;
        }
        if used.len() >= PAGE_TOKENS_USED {
            used.pop_front();
        }
        used.push_back(*start);
        true
    }
}

fn is_over(start: &Start, now_s: u64) -> bool {
    let made_s = start.first_chunk().map_or(0, |made| u64::from_be_bytes(*made));
    now_s.saturating_sub(made_s) >= PAGE_TOKEN_S
}

/// What the tag is of. Only the name has no fixed length, and it stands last.
fn signed(start: &Start, client: IpAddr, name: &Name) -> Vec<u8> {
    let client = match client.to_canonical() {
        IpAddr::V4(client) => client.to_ipv6_mapped(),
        IpAddr::V6(client) => client,
    };
    [&start[..], &client.octets(), name.to_lower().as_wire()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: u64) -> Now {
        Now {
            mono_ms: 1000 * second,
            unix_ms: 0,
        }
    }

    #[test]
    fn a_token_is_good_once_for_one_client_and_one_name_within_its_time() {
        let (tokens, others) = (Tokens::random(), Tokens::random());
        let client: IpAddr = "192.0.2.1".parse().unwrap();
        let (name, other) = (Name::parse("game.example").unwrap(), Name::parse("b.example").unwrap());
        let token = tokens.make(client, &name, at(100));
        assert!(!tokens.take(&token, "192.0.2.2".parse().unwrap(), &name, at(101)));
        assert!(!tokens.take(&token, client, &other, at(101)));
        assert!(!others.take(&token, client, &name, at(101)));
        assert!(!tokens.take(&token, client, &name, at(100 + PAGE_TOKEN_S)));
        let mapped: IpAddr = "::ffff:192.0.2.1".parse().unwrap();
        assert!(tokens.take(
            &token,
            mapped,
            &Name::parse("GAME.example").unwrap(),
            at(99 + PAGE_TOKEN_S)
        ));
        assert!(!tokens.take(&token, client, &name, at(101)), "it was used");
        assert!(tokens.take(&tokens.make(client, &name, at(100)), client, &name, at(101)));
    }

    #[test]
    fn no_character_of_a_token_can_be_another() {
        let tokens = Tokens::random();
        let (client, name) = ("2001:db8::1".parse().unwrap(), Name::parse("game.example").unwrap());
        let token = tokens.make(client, &name, at(100));
        for place in 0..token.len() {
            let mut changed = token.clone().into_bytes();
            changed[place] = if changed[place] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert!(!tokens.take(&changed, client, &name, at(101)), "{place}");
            assert!(!tokens.take(&token[..place], client, &name, at(101)), "{place}");
        }
        for odd in ["", "=", "ü", &"A".repeat(5000)] {
            assert!(!tokens.take(odd, client, &name, at(101)));
        }
        assert!(tokens.take(&token, client, &name, at(101)));
    }

    #[test]
    fn what_is_remembered_of_used_tokens_is_bounded() {
        let tokens = Tokens::random();
        let (client, name) = ("192.0.2.1".parse().unwrap(), Name::parse("game.example").unwrap());
        for _ in 0..PAGE_TOKENS_USED + 10 {
            assert!(tokens.take(&tokens.make(client, &name, at(100)), client, &name, at(101)));
        }
        assert_eq!(tokens.used.lock().unwrap().len(), PAGE_TOKENS_USED);
    }
}
