//! DNS Cookies: how a client shows, with a later query, that it is where its packets say it is.
//!
//! In: the COOKIE option of a query, the address it came from, the time. Out: what the option proves, and the option of the
//! response, with which the client comes back.
//! Always: servers with the same secrets take each other's cookies. Nothing is kept of any client, and nothing allocated.
//! Fails by proving nothing: a cookie that is old, of another address or another secret counts as none from this server.
//! Keeps: RFC 7873 §4 and §5.2 (lengths), RFC 9018 §4 (version 1 of server cookies), §5 (change of the secret).

use siphasher::sip::SipHasher24;
use std::fmt;
use std::net::IpAddr;

/// The EDNS option code of a cookie (RFC 7873 §4).
pub const OPTION: u16 = 10;

/// Length in bytes of the option's data as this server writes it: a client cookie and a server cookie of version 1.
pub const COOKIE_BYTES: usize = CLIENT_BYTES + SERVER_BYTES;

/// Length of a secret in bytes: the key of SipHash-2-4 (RFC 9018 §4.4).
pub const SECRET_BYTES: usize = 16;

const CLIENT_BYTES: usize = 8;
/// Version, three reserved bytes, timestamp, hash (RFC 9018 §4).
const SERVER_BYTES: usize = 16;
/// What the server cookies of other programs may have (RFC 7873 §4).
const ANY_SERVER_BYTES: std::ops::RangeInclusive<usize> = 8..=32;
const VERSION: u8 = 1;

/// How many seconds ago and ahead of now a cookie may have been made, and from which age on the response brings a new one
/// (RFC 9018 §4.3).
const OLDEST_S: i32 = 3600;
const AHEAD_S: i32 = 300;
const RENEWED_S: i32 = 1800;

/// The data of a COOKIE option of a response.
pub type Cookie = [u8; COOKIE_BYTES];

/// What the cookie of a query proves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// The client takes part, and has no server cookie yet.
    New,
    /// It receives what is sent to its address: it has a cookie that was sent there.
    Valid,
    /// Nothing: too old, made for another address or with another secret, or made up.
    Invalid,
}

/// What server cookies are signed with.
#[derive(Clone)]
pub struct Secrets {
    signing: [u8; SECRET_BYTES],
    /// Another whose cookies are taken while the secret changes (RFC 9018 §5).
    other: Option<[u8; SECRET_BYTES]>,
    written: bool,
}

impl Secrets {
    /// A secret that nobody else has, for a server that shares its address with none.
    pub fn random() -> Secrets {
        Secrets {
            signing: rand::random(),
            other: None,
            written: false,
        }
    }

    /// Secrets that several servers share: `signing` makes cookies, both verify them.
    pub fn shared(signing: [u8; SECRET_BYTES], other: Option<[u8; SECRET_BYTES]>) -> Secrets {
        Secrets {
            signing,
            other,
            written: true,
        }
    }

    /// Whether they were written down, not made at the start.
    pub fn are_shared(&self) -> bool {
        self.written
    }

    /// What the data of a query's COOKIE option proves, and the data of the response's. `from`: where the query came from.
    /// `unix_s`: seconds since 1970, modulo 2^32. `None`: no cookie has this length (RFC 7873 §5.2.2: FORMERR).
    pub fn judge(&self, option: &[u8], from: IpAddr, unix_s: u32) -> Option<(Proof, Cookie)> {
        let (client, server) = option.split_first_chunk::<CLIENT_BYTES>()?;
        if server.is_empty() {
            return Some((Proof::New, self.make(client, from, unix_s)));
        }
        if !ANY_SERVER_BYTES.contains(&server.len()) {
            return None;
        }
        Some(match self.age_s(client, server, from, unix_s) {
            None => (Proof::Invalid, self.make(client, from, unix_s)),
            Some(age_s) if age_s > RENEWED_S => (Proof::Valid, self.make(client, from, unix_s)),
            Some(_) => {
                let mut same = [0; COOKIE_BYTES];
                same.copy_from_slice(option);
                (Proof::Valid, same)
            }
        })
    }

    /// The age in seconds of a server cookie that is valid. One signed with the other secret is as old as one may be: it is time
    /// for a new one (RFC 9018 Appendix A.4).
    fn age_s(&self, client: &[u8; CLIENT_BYTES], server: &[u8], from: IpAddr, unix_s: u32) -> Option<i32> {
        let (start, hash) = server.split_first_chunk::<8>()?;
        let hash: &[u8; 8] = hash.try_into().ok()?;
        let [VERSION, _, _, _, made_s @ ..] = *start else {
            return None;
        };
        // In serial arithmetic (RFC 1982, RFC 9018 §4.3).
        let age_s = unix_s.wrapping_sub(u32::from_be_bytes(made_s)) as i32;
        if !(-AHEAD_S..=OLDEST_S).contains(&age_s) {
            return None;
        }
        // Whole numbers are compared, so how long it takes tells nothing of where they differ.
        let signed_with = |secret| u64::from_le_bytes(*hash) == self::hash(secret, client, start, from);
        if signed_with(&self.signing) {
            return Some(age_s);
        }
        self.other.as_ref().is_some_and(signed_with).then_some(OLDEST_S)
    }

    fn make(&self, client: &[u8; CLIENT_BYTES], from: IpAddr, unix_s: u32) -> Cookie {
        let [a, b, c, d] = unix_s.to_be_bytes();
        let start = [VERSION, 0, 0, 0, a, b, c, d];
        let mut cookie = [0; COOKIE_BYTES];
        cookie[..8].copy_from_slice(client);
        cookie[8..16].copy_from_slice(&start);
        cookie[16..].copy_from_slice(&hash(&self.signing, client, &start, from).to_le_bytes());
        cookie
    }
}

/// SipHash-2-4 of client cookie, version, reserved bytes, timestamp and address, in this order (RFC 9018 §4.4). `start`: version
/// to timestamp as they stand in the server cookie.
fn hash(secret: &[u8; SECRET_BYTES], client: &[u8; CLIENT_BYTES], start: &[u8; 8], from: IpAddr) -> u64 {
    let mut bytes = [0; CLIENT_BYTES + 8 + 16];
    bytes[..8].copy_from_slice(client);
    bytes[8..16].copy_from_slice(start);
    let end = match from.to_canonical() {
        IpAddr::V4(address) => {
            bytes[16..20].copy_from_slice(&address.octets());
            20
        }
        IpAddr::V6(address) => {
            bytes[16..].copy_from_slice(&address.octets());
            32
        }
    };
    SipHasher24::new_with_key(secret).hash(&bytes[..end])
}

impl PartialEq for Secrets {
    /// Whether it is written that they are the same. One made at a start is as good as any other.
    fn eq(&self, other: &Secrets) -> bool {
        match (self.written, other.written) {
            (true, true) => (self.signing, self.other) == (other.signing, other.other),
            (written, others) => written == others,
        }
    }
}

impl Eq for Secrets {}

impl fmt::Debug for Secrets {
    /// Without the secrets: settings may end up in a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secrets")
            .field("written", &self.written)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use data_encoding::HEXLOWER;

    fn hex<const N: usize>(text: &str) -> [u8; N] {
        HEXLOWER.decode(text.as_bytes()).unwrap().try_into().unwrap()
    }

    fn judged(secrets: &Secrets, option: &str, from: &str, unix_s: u32) -> Option<(Proof, String)> {
        let option = HEXLOWER.decode(option.as_bytes()).unwrap();
        let (proof, cookie) = secrets.judge(&option, from.parse().unwrap(), unix_s)?;
        Some((proof, HEXLOWER.encode(&cookie)))
    }

    const SECRET: &str = "e5e973e5a6b2a43f48e7dc849e37bfcf";
    const CLIENT: &str = "2464c4abcf10c957";
    const MADE: &str = "2464c4abcf10c957010000005cf79f111f8130c3eee29480";
    const MADE_S: u32 = 1_559_731_985;
    const FROM: &str = "198.51.100.100";

    /// RFC 9018 Appendix A.1 to A.4.
    #[test]
    fn cookies_are_those_of_rfc_9018() {
        let secrets = Secrets::shared(hex(SECRET), None);
        let new = |cookie: &str| Some((Proof::New, cookie.to_owned()));
        let valid = |cookie: &str| Some((Proof::Valid, cookie.to_owned()));
        assert_eq!(judged(&secrets, CLIENT, FROM, MADE_S), new(MADE));
        let renewed = "2464c4abcf10c957010000005cf7a871d4a564a1442aca77";
        assert_eq!(judged(&secrets, MADE, FROM, 1_559_734_385), valid(renewed));

        // Made by a server that sets reserved bytes, which the hash covers; by the time of the response it was too old.
        let reserved = "fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5";
        let renewed = "fc93fc62807ddb86010000005cf7a9acf73a7810aca2381e";
        let from = "203.0.113.203";
        assert_eq!(judged(&secrets, reserved, from, 1_559_727_985), valid(reserved));
        assert_eq!(
            judged(&secrets, reserved, from, 1_559_734_700),
            Some((Proof::Invalid, renewed.to_owned()))
        );
        assert_eq!(judged(&secrets, &reserved[..16], from, 1_559_734_700), new(renewed));

        let rolled = Secrets::shared(
            hex("445536bcd2513298075a5d379663c962"),
            Some(hex("dd3bdf9344b678b185a6f5cb60fca715")),
        );
        let (old, renewed) = (
            "22681ab97d52c298010000005cf7c57926556bd0934c72f8",
            "22681ab97d52c298010000005cf7c609a6bb79d16625507a",
        );
        let from = "2001:db8:220:1:59de:d0f4:8769:82b8";
        assert_eq!(judged(&rolled, old, from, 1_559_741_961), valid(renewed));
        assert_eq!(judged(&rolled, renewed, from, 1_559_741_961), valid(renewed));
        let done = Secrets::shared(hex("445536bcd2513298075a5d379663c962"), None);
        assert_eq!(
            judged(&done, old, from, 1_559_741_961),
            Some((Proof::Invalid, renewed.to_owned()))
        );
    }

    #[test]
    fn a_cookie_is_good_for_an_hour_from_five_minutes_before_and_new_after_half_of_it() {
        let secrets = Secrets::shared(hex(SECRET), None);
        let at = |seconds: i64| judged(&secrets, MADE, FROM, (i64::from(MADE_S) + seconds) as u32).unwrap();
        for (seconds, proof, same) in [
            (-301, Proof::Invalid, false),
            (-300, Proof::Valid, true),
            (0, Proof::Valid, true),
            (1800, Proof::Valid, true),
            (1801, Proof::Valid, false),
            (3600, Proof::Valid, false),
            (3601, Proof::Invalid, false),
            (1 << 31, Proof::Invalid, false),
        ] {
            let (found, cookie) = at(seconds);
            assert_eq!((found, cookie == MADE), (proof, same), "{seconds} s");
        }
        // The 32 bits of the timestamp wrap in 2106.
        let (_, late) = judged(&secrets, CLIENT, FROM, u32::MAX - 10).unwrap();
        assert_eq!(judged(&secrets, &late, FROM, 100), Some((Proof::Valid, late.clone())));
    }

    #[test]
    fn a_cookie_proves_nothing_for_another_address_or_client_and_with_any_bit_changed() {
        let secrets = Secrets::shared(hex(SECRET), None);
        let proof = |option: &[u8], from: &str| secrets.judge(option, from.parse().unwrap(), MADE_S).unwrap().0;
        let made: Cookie = hex(MADE);
        assert_eq!(proof(&made, "::ffff:198.51.100.100"), Proof::Valid, "the same address");
        for other in ["198.51.100.101", "::198.51.100.100", "2001:db8::1"] {
            assert_eq!(proof(&made, other), Proof::Invalid, "{other}");
        }
        for bit in 0..COOKIE_BYTES * 8 {
            let mut changed = made;
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(proof(&changed, FROM), Proof::Invalid, "bit {bit}");
        }
    }

    #[test]
    fn lengths_that_no_cookie_has_are_told_from_cookies_of_others() {
        let secrets = Secrets::random();
        for length in 0..=50 {
            let judged = secrets.judge(&vec![1; length], FROM.parse().unwrap(), MADE_S);
            let expected = match length {
                8 => Some(Proof::New),
                16..=40 => Some(Proof::Invalid),
                _ => None,
            };
            assert_eq!(judged.map(|(proof, _)| proof), expected, "{length} bytes");
        }
    }

    #[test]
    fn secrets_are_told_to_nobody_and_differ_only_where_they_are_written() {
        let shared = Secrets::shared(hex(SECRET), Some([229; 16]));
        let shown = format!("{shared:?} {shared:#?}");
        assert!(!shown.contains("229") && !shown.contains("e5"), "{shown}");
        assert_eq!(Secrets::random(), Secrets::random());
        assert_ne!(shared, Secrets::random());
        assert_ne!(shared, Secrets::shared(hex(SECRET), None));
        assert_eq!(shared, shared.clone());
        let made = |secrets: &Secrets| secrets.judge(&[1; 8], FROM.parse().unwrap(), MADE_S).unwrap().1;
        assert_ne!(made(&Secrets::random()), made(&Secrets::random()));
    }
}
