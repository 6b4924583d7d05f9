//! DNSSEC validation: whether records are what their zones say.
//!
//! In: RRsets with signatures and proofs as servers gave them, trust anchors, the moment; a [`Source`] of DS and
//! DNSKEY sets. Out: a [`Verdict`] for each set and denial, with a reason for programs and for people.
//! Always: pure but for what the source does while it is awaited, and a memory of zones' keys; the work that one client query
//! may cause is bounded ([`work`]); no panic on any bytes.
//!
//! From the ground up: [`rdata`] and [`canonical`] are the bytes, [`algorithm`] the cryptography, [`dates`] the clock,
//! [`signature`] one RRset, [`keys`] one zone, [`proofs`] and [`denial`] what does not exist, [`anchors`] where trust begins and
//! [`rollover`] how it moves on, [`chain`] the way down with its [`memory`], [`judge`] what becomes of a response, [`headers`] what
//! of it clients see, [`aggressive`] what is answered from proofs that are there already.
//! Keeps: RFC 4033 to 4035, RFC 5155, RFC 6840; the pages name the rest.

pub mod aggressive;
pub mod algorithm;
pub mod anchors;
pub mod canonical;
pub mod chain;
pub mod dates;
pub mod denial;
pub mod headers;
pub mod judge;
pub mod keys;
pub mod memory;
pub mod proofs;
pub mod rdata;
pub mod rollover;
pub mod signature;
pub mod verdict;
pub mod work;

pub use chain::{Fetched, Source, Validator, ValidatorSettings};
pub use dates::When;
pub use judge::{Denial, Judged, JudgedDenial, JudgedWhole, Whole};
pub use verdict::{Fault, Reason, Verdict};
pub use work::Work;

#[cfg(test)]
pub(in crate::resolver) mod tests;
