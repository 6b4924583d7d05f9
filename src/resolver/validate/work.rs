//! Counts the work that one client query may cause in validation.
//!
//! In: what is about to be done. Out: leave to do it, or the fault that ends the validation.
//! Always: bounded whatever the zones do: signatures (KeyTrap, CVE-2023-50387), NSEC3 hashes (CVE-2023-50868), questions for DS
//! and DNSKEY sets.

use super::algorithm;
use super::verdict::Fault;
use crate::limits;

/// What is left. One for each client query, handed to all checks made for it.
#[derive(Debug)]
pub struct Work {
    signatures: u32,
    failures: u32,
    blocks: u32,
    fetches: u32,
}

impl Default for Work {
    fn default() -> Work {
        Work::new()
    }
}

impl Work {
    pub fn new() -> Work {
        Work {
            signatures: limits::SIGNATURE_CHECKS,
            failures: limits::SIGNATURE_FAILURES,
            blocks: limits::NSEC3_BLOCKS,
            fetches: limits::CHAIN_FETCHES,
        }
    }

    /// One signature is about to be checked.
    pub fn signature(&mut self) -> Result<(), Fault> {
        match self.failures {
            0 => Err(Fault::TooMuchWork("signatures that do not match")),
            _ => take(&mut self.signatures, 1, "signatures"),
        }
    }

    /// One did not match.
    pub fn failed(&mut self) {
        self.failures = self.failures.saturating_sub(1);
    }

    /// A name is about to be hashed.
    pub fn hash(&mut self, name_bytes: usize, salt_bytes: usize, iterations: u16) -> Result<(), Fault> {
        let blocks = algorithm::nsec3_blocks(name_bytes, salt_bytes, iterations);
        take(&mut self.blocks, blocks, "NSEC3 hashes")
    }

    /// A DS or DNSKEY set is about to be asked for.
    pub fn fetch(&mut self) -> Result<(), Fault> {
        take(&mut self.fetches, 1, "questions for keys")
    }

    /// Signatures checked so far.
    pub fn signatures_checked(&self) -> u32 {
        limits::SIGNATURE_CHECKS - self.signatures
    }

    /// SHA-1 blocks computed so far.
    pub fn blocks_hashed(&self) -> u32 {
        limits::NSEC3_BLOCKS - self.blocks
    }
}

fn take(left: &mut u32, amount: u32, what: &'static str) -> Result<(), Fault> {
    *left = left.checked_sub(amount).ok_or(Fault::TooMuchWork(what))?;
    Ok(())
}
