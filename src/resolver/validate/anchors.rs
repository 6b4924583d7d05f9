//! Trust anchors: where chains of trust begin, and where they are cut on purpose.
//!
//! In: the built-in anchors, a file and lines of DS or DNSKEY records, names that are not to be checked. Out: what covers a name.
//! Always: the closest anchor covers (an island of trust has its own); of an anchor and a negative anchor at the same name, the
//! negative one. A line that cannot be an anchor is an error with its number: a resolver that silently trusts less is not what
//! the operator asked for.
//! Keeps: RFC 4035 §4.4, RFC 6840 appendix C (closest encloser), RFC 7646, RFC 9718 (the root's anchors).

use super::algorithm::{self, DigestType, Support};
use super::canonical;
use super::keys::{self, Promise};
use super::rdata::Dnskey;
use super::verdict::Fault;
use crate::dns::name::{Name, NameError};
use crate::limits;
use std::collections::{HashMap, HashSet};

/// The key-signing keys of the root, as IANA publishes them (data.iana.org/root-anchors): KSK-2017 and KSK-2024.
pub const ROOT: &str = "\
. IN DS 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D
. IN DS 38696 8 2 683D2D0ACB8C9B712A1948B27F741219298D0A450D612C483AF444A4C0FB2B16
";

/// See the page's first lines.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Anchors {
    positive: HashMap<Name, Vec<Promise>>,
    negative: HashSet<Name>,
}

/// What covers a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cover<'a> {
    Anchor(&'a Name, &'a [Promise]),
    /// Not to be checked, from this name down.
    Negative(&'a Name),
    Nothing,
}

/// Why a text is no list of trust anchors.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {flaw}")]
pub struct AnchorError {
    /// Counted from 1.
    pub line: usize,
    pub flaw: AnchorFlaw,
}

/// What is wrong with one record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AnchorFlaw {
    #[error("{0:?} is not a domain name: {1}")]
    Name(String, NameError),
    #[error("an anchor is a DS or DNSKEY record: NAME [TTL] [IN] DS|DNSKEY DATA")]
    Shape,
    #[error("{0:?} is not a number that fits its field")]
    Number(String),
    #[error("the digest is not in hexadecimal digits, or not as long as its type has it")]
    Digest,
    #[error("the key is not in base 64, or not as long as its algorithm has it")]
    Key,
    #[error("the key is revoked, or not for signing zones")]
    Flags,
    #[error("the parenthesis is never closed")]
    Open,
    #[error("there are more anchors than {0}", limits::ANCHORS)]
    TooMany,
    #[error("there is no record in it")]
    Empty,
}

impl Anchors {
    /// Nothing is covered.
    pub fn none() -> Anchors {
        Anchors::default()
    }

    /// The root's anchors as this program brings them.
    pub fn built_in() -> Anchors {
        let mut anchors = Anchors::none();
        anchors.read(ROOT).expect("the built-in anchors are well-formed");
        anchors
    }

    /// Adds the records of `text`, a master file of DS and DNSKEY records with comments and parentheses. One of no record at all
    /// is an error: it is a slip, such as a file not yet written.
    pub fn read(&mut self, text: &str) -> Result<(), AnchorError> {
        let records = records(text)?;
        if records.is_empty() {
            return Err(AnchorError {
                line: 1,
                flaw: AnchorFlaw::Empty,
            });
        }
        for (line, words) in records {
            let (name, promise) = record(&words).map_err(|flaw| AnchorError { line, flaw })?;
            if self.positive.values().map(Vec::len).sum::<usize>() >= limits::ANCHORS {
                let flaw = AnchorFlaw::TooMany;
                return Err(AnchorError { line, flaw });
            }
            self.add(&name, promise);
        }
        Ok(())
    }

    pub fn add(&mut self, name: &Name, promise: Promise) {
        let promises = self.positive.entry(name.to_lower()).or_default();
        if !promises.contains(&promise) {
            promises.push(promise);
        }
    }

    /// Replaces what is known of a zone's keys, as RFC 5011 has it change; none at all ends the zone's being an anchor (§5).
    pub fn replace(&mut self, name: &Name, promises: Vec<Promise>) {
        if promises.is_empty() {
            self.positive.remove(name);
        } else {
            self.positive.insert(name.to_lower(), promises);
        }
    }

    /// Nothing at `name` or below is checked, unless an anchor below it says otherwise (RFC 7646 §1.1).
    pub fn add_negative(&mut self, name: &Name) {
        self.negative.insert(name.to_lower());
    }

    /// The zones that have anchors.
    pub fn zones(&self) -> impl Iterator<Item = (&Name, &[Promise])> {
        self.positive.iter().map(|(name, promises)| (name, promises.as_slice()))
    }

    /// Zones none of whose anchors can be followed, each with why: they and what is below them are insecure (RFC 4035 §5.2). `sha1`:
    /// RSA with SHA-1 counts.
    pub fn unusable(&self, sha1: bool) -> impl Iterator<Item = (&Name, Fault)> {
        self.zones()
            .filter_map(move |(zone, promises)| Some((zone, keys::followable(promises, sha1).err()?)))
    }

    /// The closest of all at or above `name`.
    pub fn over(&self, name: &Name) -> Cover<'_> {
        for labels in (0..=name.label_count()).rev() {
            let name = canonical::suffix(name, labels);
            if let Some(negative) = self.negative.get(&name) {
                return Cover::Negative(negative);
            }
            if let Some((zone, promises)) = self.positive.get_key_value(&name) {
                return Cover::Anchor(zone, promises);
            }
        }
        Cover::Nothing
    }
}

/// Records as words, comments and parentheses gone, each with the number of its first line.
fn records(text: &str) -> Result<Vec<(usize, Vec<&str>)>, AnchorError> {
    let mut records = Vec::new();
    let mut words: Vec<&str> = Vec::new();
    let (mut start, mut open) = (0, false);
    for (number, line) in text.lines().enumerate() {
        let line = line.split(';').next().unwrap_or_default();
        if !open {
            start = number + 1;
        }
        for piece in line.split_inclusive(['(', ')']) {
            let word = piece.trim_end_matches(['(', ')']);
            words.extend(word.split_ascii_whitespace());
            open = match piece.as_bytes().last() {
                Some(b'(') => true,
                Some(b')') => false,
                _ => open,
            };
        }
        if !open && !words.is_empty() {
            records.push((start, std::mem::take(&mut words)));
        }
    }
    match open {
        true => Err(AnchorError {
            line: start,
            flaw: AnchorFlaw::Open,
        }),
        false => Ok(records),
    }
}

fn record(words: &[&str]) -> Result<(Name, Promise), AnchorFlaw> {
    let (owner, rest) = words.split_first().ok_or(AnchorFlaw::Shape)?;
    let name = Name::parse(owner).map_err(|error| AnchorFlaw::Name((*owner).to_owned(), error))?;
    // TTL and class, in either order.
    let skipped = rest
        .iter()
        .take(2)
        .take_while(|word| word.eq_ignore_ascii_case("IN") || word.bytes().all(|byte| byte.is_ascii_digit()))
        .count();
    let promise = match rest[skipped..].split_first() {
        Some((rtype, fields)) if rtype.eq_ignore_ascii_case("DS") => ds(fields)?,
        Some((rtype, fields)) if rtype.eq_ignore_ascii_case("DNSKEY") => dnskey(fields)?,
        _ => return Err(AnchorFlaw::Shape),
    };
    Ok((name, promise))
}

fn number<T: std::str::FromStr>(word: &str) -> Result<T, AnchorFlaw> {
    word.parse().map_err(|_| AnchorFlaw::Number(word.to_owned()))
}

fn ds(fields: &[&str]) -> Result<Promise, AnchorFlaw> {
    let [tag, algorithm, digest_type, digest @ ..] = fields else {
        return Err(AnchorFlaw::Shape);
    };
    let (tag, algorithm, digest_type): (u16, u8, u8) = (number(tag)?, number(algorithm)?, number(digest_type)?);
    let length = match DigestType::of(digest_type) {
        Some(DigestType::Sha1) => Some(20),
        Some(DigestType::Sha256) => Some(32),
        Some(DigestType::Sha384) => Some(48),
        // One of another kind cannot be followed and does no harm: those beside it may be.
        None => None,
    };
    let digest = data_encoding::HEXLOWER_PERMISSIVE
        .decode(digest.concat().as_bytes())
        .ok()
        .filter(|digest| length.is_none_or(|length| digest.len() == length))
        .ok_or(AnchorFlaw::Digest)?;
    let mut rdata = tag.to_be_bytes().to_vec();
    rdata.extend([algorithm, digest_type]);
    rdata.extend(digest);
    Ok(Promise::Ds(rdata))
}

fn dnskey(fields: &[&str]) -> Result<Promise, AnchorFlaw> {
    let [flags, protocol, algorithm, key @ ..] = fields else {
        return Err(AnchorFlaw::Shape);
    };
    let (flags, protocol, algorithm): (u16, u8, u8) = (number(flags)?, number(protocol)?, number(algorithm)?);
    let known = algorithm::support(algorithm) != Support::No;
    let key = data_encoding::BASE64
        .decode(key.concat().as_bytes())
        .ok()
        .filter(|key| !known || algorithm::Material::read(algorithm, key).is_some())
        .ok_or(AnchorFlaw::Key)?;
    let mut rdata = flags.to_be_bytes().to_vec();
    rdata.extend([protocol, algorithm]);
    rdata.extend(key);
    let read = Dnskey::read(&rdata).ok_or(AnchorFlaw::Key)?;
    if !read.is_zone_key() || read.is_revoked() || protocol != 3 {
        return Err(AnchorFlaw::Flags);
    }
    Ok(Promise::Dnskey(rdata))
}

/// A promise as its record's type and data, the form that [`Anchors::read`] takes after a name.
pub fn to_text(promise: &Promise) -> String {
    match promise {
        Promise::Ds(rdata) => {
            let (fixed, digest) = rdata.split_at(4);
            let tag = u16::from_be_bytes([fixed[0], fixed[1]]);
            let digest = data_encoding::HEXUPPER.encode(digest);
            format!("DS {tag} {} {} {digest}", fixed[2], fixed[3])
        }
        Promise::Dnskey(rdata) => {
            let (fixed, key) = rdata.split_at(4);
            let flags = u16::from_be_bytes([fixed[0], fixed[1]]);
            let key = data_encoding::BASE64.encode(key);
            format!("DNSKEY {flags} {} {} {key}", fixed[2], fixed[3])
        }
    }
}

/// A promise from such a text.
pub(super) fn from_text(text: &str) -> Option<Promise> {
    let words: Vec<&str> = [".", "IN"].into_iter().chain(text.split_ascii_whitespace()).collect();
    record(&words).ok().map(|(_, promise)| promise)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    #[test]
    fn the_built_in_anchors_are_the_keys_of_2017_and_2024() {
        let anchors = Anchors::built_in();
        let Cover::Anchor(zone, promises) = anchors.over(&name("www.example")) else {
            panic!("the root covers all")
        };
        assert!(zone.is_root());
        // The keys themselves, which another library brings for the same purpose.
        let keys = hickory_proto::dnssec::TrustAnchors::default();
        assert_eq!(promises.len(), keys.len());
        for (at, promise) in promises.iter().enumerate() {
            use hickory_proto::dnssec::PublicKey;
            let key = keys.get(at).unwrap();
            let dnskey = [&[1, 1, 3, 8], key.public_bytes()].concat();
            let digest = DigestType::Sha256.digest(&[0], &dnskey);
            let tag = super::super::rdata::tag(&dnskey);
            let expected = [&tag.to_be_bytes()[..], &[8, 2], digest.as_ref()].concat();
            assert_eq!(*promise, Promise::Ds(expected));
            assert_eq!(tag, [20326, 38696][at]);
        }
    }

    #[test]
    fn files_of_other_programs_are_read() {
        let root = Anchors::built_in();
        let mut anchors = Anchors::none();
        let text = "; autotrust\n\n.\t86400\tIN\tDS\t20326 8 2 ( E06D44B80B8F1D39A95C0B0D7C65D084\n  58e880409bbc683457104237c7f8ec8d )\n. IN 5 ds 38696 8 2 683D2D0ACB8C9B712A1948B27F741219298D0A450D612C483AF444A4C0FB2B16 ;{id = 38696}\n";
        anchors.read(text).unwrap();
        assert_eq!(anchors, root);
        let Cover::Anchor(_, promises) = root.over(&Name::root()) else {
            panic!()
        };
        for promise in promises {
            assert_eq!(from_text(&to_text(promise)).as_ref(), Some(promise));
        }
    }

    #[test]
    fn lines_that_are_no_anchors_are_told_by_number_and_reason() {
        let flaw = |text: &str| Anchors::none().read(text).unwrap_err();
        let line = |text: &str| {
            let error = flaw(&format!("; first\n{text}\n"));
            assert_eq!(error.line, 2, "{text}");
            error.flaw
        };
        assert_eq!(line("example A 192.0.2.1"), AnchorFlaw::Shape);
        assert_eq!(line("example"), AnchorFlaw::Shape);
        assert!(matches!(line("a..b DS 1 8 2 00"), AnchorFlaw::Name(..)));
        assert_eq!(line("example DS 99999 8 2 00"), AnchorFlaw::Number("99999".into()));
        assert_eq!(line("example DS 1 8 2 00"), AnchorFlaw::Digest);
        assert_eq!(line("example DNSKEY 257 3 13 AAAA"), AnchorFlaw::Key);
        let key = data_encoding::BASE64.encode(&[7; 32]);
        assert_eq!(line(&format!("example DNSKEY 0 3 15 {key}")), AnchorFlaw::Flags);
        assert_eq!(line(&format!("example DNSKEY 385 3 15 {key}")), AnchorFlaw::Flags);
        assert_eq!(line("example DS 1 8 ( 2 00"), AnchorFlaw::Open);
        assert_eq!(flaw("; nothing\n").flaw, AnchorFlaw::Empty);
    }

    #[test]
    fn rfc4035_5_2_anchors_of_unknown_algorithms_and_digests_do_no_harm_and_alone_do_no_good() {
        let mut anchors = Anchors::none();
        let key = data_encoding::BASE64.encode(&[7; 32]);
        let text = format!(
            "new.example DNSKEY 257 3 250 AAEC\nnew.example DS 1 13 99 00\n\
             both.example DS 1 250 2 {digest}\nboth.example DNSKEY 257 3 15 {key}",
            digest = "00".repeat(32)
        );
        anchors.read(&text).unwrap();
        let unusable: Vec<_> = anchors.unusable(false).map(|(zone, _)| zone.clone()).collect();
        assert_eq!(unusable, [name("new.example")]);
        assert!(matches!(anchors.over(&name("both.example")), Cover::Anchor(_, promises) if promises.len() == 2));
    }

    #[test]
    fn rfc7646_1_1_the_closest_of_all_anchors_covers_a_name() {
        let mut anchors = Anchors::built_in();
        let key = format!("DNSKEY 257 3 15 {}", data_encoding::BASE64.encode(&[7; 32]));
        anchors
            .read(&format!("island.corp.example {key}\nboth.example {key}"))
            .unwrap();
        anchors.add_negative(&name("Corp.example"));
        anchors.add_negative(&name("both.example"));
        assert!(matches!(anchors.over(&name("example")), Cover::Anchor(zone, _) if zone.is_root()));
        assert_eq!(
            anchors.over(&name("a.corp.example")),
            Cover::Negative(&name("corp.example"))
        );
        assert!(
            matches!(anchors.over(&name("x.Island.corp.example")), Cover::Anchor(zone, _) if *zone == name("island.corp.example"))
        );
        assert_eq!(
            anchors.over(&name("both.example")),
            Cover::Negative(&name("both.example"))
        );
        assert_eq!(Anchors::none().over(&name("example")), Cover::Nothing);
    }
}
