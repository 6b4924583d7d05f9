//! Whether a signature is within its dates, and whether the clock is fit to say so.
//!
//! In: the two dates of an RRSIG, the time, settings. Out: what is wrong with them, or how long the signature lasts.
//! Always: serial arithmetic, so nothing ends in 2106. While the clock is plainly wrong dates are not looked at: a small board
//! without a battery would otherwise resolve nothing, not even the name of its time server.
//! Keeps: RFC 4034 §3.1.5, RFC 4035 §5.3.1, RFC 1982.

use super::rdata::Rrsig;
use super::verdict::Fault;
use crate::now::Now;

/// No clock that is right shows an earlier time, in seconds since 1970: 2026-01-01, when this program did not exist.
pub const BEFORE_THIS_PROGRAM_UNIX_S: u64 = 1_767_225_600;

/// A saved time this far ahead of the clock was itself saved by a clock that ran ahead, and says nothing.
const SAVED_BELIEVED_MS: u64 = 366 * 86_400 * 1000;

/// Whether the clock shows a time that must be past: one before this program was written, or before the last time that it
/// saved.
pub fn is_plainly_wrong(unix_ms: u64, last_saved_unix_ms: Option<u64>) -> bool {
    let before = |saved: u64| (unix_ms + 1..=unix_ms.saturating_add(SAVED_BELIEVED_MS)).contains(&saved);
    unix_ms < BEFORE_THIS_PROGRAM_UNIX_S * 1000 || last_saved_unix_ms.is_some_and(before)
}

/// The moment of a validation, and how strictly dates are taken.
#[derive(Debug, Clone, Copy)]
pub struct When {
    pub now: Now,
    /// Allowance around both dates, in seconds.
    pub skew_s: u32,
    /// The clock is [plainly wrong](is_plainly_wrong).
    pub suspended: bool,
}

impl When {
    fn unix_s(&self) -> u64 {
        self.now.unix_ms / 1000
    }

    /// How long the signature lasts from now, in seconds, the allowance included.
    pub fn seconds_left(&self, rrsig: &Rrsig<'_>) -> Result<u32, Fault> {
        let lasts = rrsig.expiration.wrapping_sub(rrsig.inception) as i32;
        if lasts < 0 {
            return Err(Fault::DatesReversed);
        }
        if self.suspended {
            return Ok(lasts as u32);
        }
        let now = self.unix_s() as u32;
        // Dates are within 68 years of now on either side (RFC 4034 §3.1.5).
        let until = i64::from(rrsig.expiration.wrapping_sub(now) as i32);
        let since = i64::from(now.wrapping_sub(rrsig.inception) as i32);
        let skew = i64::from(self.skew_s);
        if until + skew < 0 {
            let at_unix_s = self.unix_s().saturating_add_signed(until);
            return Err(Fault::Expired { at_unix_s });
        }
        if since + skew < 0 {
            let from_unix_s = self.unix_s().saturating_add_signed(-since);
            return Err(Fault::NotYetValid { from_unix_s });
        }
        Ok(u32::try_from(until + skew).unwrap_or(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(inception: u32, expiration: u32, unix_s: u64, skew_s: u32) -> Result<u32, Fault> {
        let rrsig = Rrsig {
            covered: 1,
            algorithm: 13,
            labels: 1,
            original_ttl_s: 60,
            expiration,
            inception,
            tag: 0,
            signer: &[0],
            signature: &[],
            fixed: &[0; 18],
        };
        let now = Now {
            mono_ms: 0,
            unix_ms: unix_s * 1000,
        };
        let when = When {
            now,
            skew_s,
            suspended: false,
        };
        when.seconds_left(&rrsig)
    }

    #[test]
    fn rfc4035_5_3_1_both_dates_are_part_of_the_time_and_the_skew_widens_it() {
        assert_eq!(left(100, 200, 100, 0), Ok(100));
        assert_eq!(left(100, 200, 200, 0), Ok(0));
        assert_eq!(left(100, 200, 99, 0), Err(Fault::NotYetValid { from_unix_s: 100 }));
        assert_eq!(left(100, 200, 201, 0), Err(Fault::Expired { at_unix_s: 200 }));
        assert_eq!(left(100, 200, 210, 10), Ok(0));
        assert_eq!(left(100, 200, 211, 10), Err(Fault::Expired { at_unix_s: 200 }));
        assert_eq!(left(100, 200, 90, 10), Ok(120));
        assert_eq!(left(200, 100, 150, 0), Err(Fault::DatesReversed));
    }

    #[test]
    fn rfc4034_3_1_5_dates_go_on_past_2106() {
        let turn = 1_u64 << 32;
        assert_eq!(left(u32::MAX - 50, 50, turn + 10, 0), Ok(40));
        assert_eq!(left(u32::MAX - 50, 50, turn - 10, 0), Ok(60));
        assert_eq!(
            left(u32::MAX - 50, 50, turn + 51, 0),
            Err(Fault::Expired { at_unix_s: turn + 50 })
        );
        let from_unix_s = turn - 51;
        assert_eq!(
            left(u32::MAX - 50, 50, turn - 60, 0),
            Err(Fault::NotYetValid { from_unix_s })
        );
    }

    #[test]
    fn a_clock_before_this_program_or_before_what_it_saved_is_wrong() {
        assert!(is_plainly_wrong(0, None));
        assert!(is_plainly_wrong(1_800_000_000_000, Some(1_800_000_000_001)));
        assert!(!is_plainly_wrong(1_800_000_000_000, Some(1_800_000_000_000)));
        assert!(!is_plainly_wrong(1_800_000_000_000, None));
        // Saved while the clock was in 2040: that must not suspend dates until then.
        assert!(!is_plainly_wrong(1_800_000_000_000, Some(2_208_988_800_000)));
    }
}
