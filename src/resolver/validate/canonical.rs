//! Canonical form and order, and the bytes that a signature is over.
//!
//! In: uncompressed wire names, RDATA, RRsets. Out: comparisons, signed data.
//! Always: the bytes of the RRset as received, names lowered where the RFCs say so; nothing decoded and encoded again.
//! Keeps: RFC 4034 §6, RFC 4035 §5.3.2, RFC 6840 §5.1 (NSEC's next name keeps its case).

use super::rdata::Rrsig;
use crate::dns::name::{self, Name};
use crate::dns::rtype;
use crate::resolver::engine::rrset::RRset;
use std::borrow::Cow;
use std::cmp::Ordering;

/// Where the labels of an uncompressed wire name start, from the left, without the root label.
pub struct Labels {
    at: [u8; 127],
    count: u8,
}

impl Labels {
    pub fn of(wire: &[u8]) -> Labels {
        let mut labels = Labels { at: [0; 127], count: 0 };
        let mut at = 0;
        while let Some(&length) = wire.get(at)
            && length != 0
            && usize::from(labels.count) < labels.at.len()
        {
            labels.at[usize::from(labels.count)] = at as u8;
            labels.count += 1;
            at += usize::from(length) + 1;
        }
        labels
    }

    pub fn count(&self) -> usize {
        usize::from(self.count)
    }

    /// Where the rightmost `count` labels start in the name `wire`, whose labels these are.
    pub fn suffix<'a>(&self, wire: &'a [u8], count: usize) -> &'a [u8] {
        match self.count().checked_sub(count) {
            Some(skipped) if count > 0 => &wire[usize::from(self.at[skipped])..],
            Some(_) => &wire[wire.len() - 1..],
            None => wire,
        }
    }
}

/// The rightmost `labels` labels of a name; the whole name if it has no more.
pub fn suffix(name: &Name, labels: usize) -> Name {
    let wire = Labels::of(name.as_wire()).suffix(name.as_wire(), labels);
    Name::from_wire(wire).expect("the end of a name from a label on is a name")
}

/// `*` below `encloser`; `None` if that is too long for a name.
pub fn wildcard(encloser: &Name) -> Option<Name> {
    let mut wire = Vec::with_capacity(encloser.as_wire().len() + 2);
    wire.extend_from_slice(b"\x01*");
    wire.extend_from_slice(encloser.as_wire());
    Name::from_wire(&wire)
}

/// How many labels from the right two names share.
pub fn shared_labels(left: &[u8], right: &[u8]) -> usize {
    let (lefts, rights) = (Labels::of(left), Labels::of(right));
    let most = lefts.count().min(rights.count());
    (1..=most)
        .take_while(|&count| {
            let (left, right) = (lefts.suffix(left, count), rights.suffix(right, count));
            let length = usize::from(left[0]) + 1;
            length == usize::from(right[0]) + 1 && left[..length].eq_ignore_ascii_case(&right[..length])
        })
        .count()
}

/// Whether `name` is `above` or below it. Both are wire names.
pub fn is_within(name: &[u8], above: &[u8]) -> bool {
    let (names, aboves) = (Labels::of(name), Labels::of(above));
    names.count() >= aboves.count() && names.suffix(name, aboves.count()).eq_ignore_ascii_case(above)
}

/// Canonical order of wire names (RFC 4034 §6.1).
pub fn compare(left: &[u8], right: &[u8]) -> Ordering {
    let (lefts, rights) = (Labels::of(left), Labels::of(right));
    for count in 1..=lefts.count().min(rights.count()) {
        let (left, right) = (lefts.suffix(left, count), rights.suffix(right, count));
        let (left, right) = (&left[1..=usize::from(left[0])], &right[1..=usize::from(right[0])]);
        let lower = |bytes: &[u8]| bytes.to_ascii_lowercase();
        let order = if left.eq_ignore_ascii_case(right) {
            Ordering::Equal
        } else if left.iter().chain(right).any(u8::is_ascii_uppercase) {
            lower(left).cmp(&lower(right))
        } else {
            left.cmp(right)
        };
        if order != Ordering::Equal {
            return order;
        }
    }
    lefts.count().cmp(&rights.count())
}

/// RDATA in canonical form (RFC 4034 §6.2, corrected by RFC 6840 §5.1): names in the RDATA of the old types in lower case.
pub fn rdata(rtype: u16, rdata: &[u8]) -> Cow<'_, [u8]> {
    let lowered = |skipped: usize, names: usize| -> Option<Vec<u8>> {
        let mut end = skipped;
        for _ in 0..names {
            end += name::wire_len(rdata.get(end..)?)?;
        }
        // Length bytes are below the letters, so a whole name may be lowered at once.
        let names = &rdata[skipped..end];
        names.iter().any(u8::is_ascii_uppercase).then(|| {
            let mut bytes = rdata.to_vec();
            bytes[skipped..end].make_ascii_lowercase();
            bytes
        })
    };
    let changed = match rtype {
        // NS, MD, MF, CNAME, MB, MG, MR, PTR, DNAME
        rtype::NS | 3 | 4 | rtype::CNAME | 7 | 8 | 9 | rtype::PTR | rtype::DNAME | 30 => lowered(0, 1),
        // SOA, MINFO, RP
        rtype::SOA | 14 | 17 => lowered(0, 2),
        // MX, AFSDB, RT, KX
        rtype::MX | 18 | 21 | 36 => lowered(2, 1),
        // PX
        26 => lowered(2, 2),
        rtype::SRV => lowered(6, 1),
        // SIG, RRSIG
        24 | rtype::RRSIG => lowered(18, 1),
        // NAPTR: three texts, then the name.
        35 => {
            let mut at = 4;
            for _ in 0..3 {
                at += rdata.get(at).map_or(rdata.len(), |&length| usize::from(length) + 1);
            }
            lowered(at, 1)
        }
        // A6: a prefix length, the bytes it leaves of the address, the name of the prefix.
        38 => rdata.first().and_then(|&bits| {
            let bytes = (128_usize.saturating_sub(usize::from(bits))).div_ceil(8);
            if bits == 0 { None } else { lowered(1 + bytes, 1) }
        }),
        _ => None,
    };
    changed.map_or(Cow::Borrowed(rdata), Cow::Owned)
}

/// The records of a set in canonical form and order, each once (RFC 4034 §6.3). Made once for all its signatures.
pub struct Canonical<'a> {
    owner: &'a Name,
    rtype: u16,
    records: Vec<Cow<'a, [u8]>>,
}

impl<'a> Canonical<'a> {
    pub fn of(set: &'a RRset) -> Canonical<'a> {
        let mut records: Vec<Cow<'a, [u8]>> = set.records().map(|bytes| rdata(set.rtype, bytes)).collect();
        if !records.is_sorted_by(|left, right| left < right) {
            records.sort_unstable();
            records.dedup();
        }
        Canonical {
            owner: &set.name,
            rtype: set.rtype,
            records,
        }
    }

    /// The bytes that `rrsig` is over (RFC 4035 §5.3.2), into `out`. `None` if the signature has more labels than the owner.
    pub fn signed_data(&self, rrsig: &Rrsig<'_>, out: &mut Vec<u8>) -> Option<()> {
        out.clear();
        out.extend_from_slice(rrsig.fixed);
        out.extend(rrsig.signer.iter().map(u8::to_ascii_lowercase));
        let wire = self.owner.as_wire();
        let labels = Labels::of(wire);
        let wanted = usize::from(rrsig.labels);
        let mut head = [0_u8; 255 + 8];
        let mut length = 0;
        let mut put = |bytes: &[u8]| {
            head[length..length + bytes.len()].copy_from_slice(bytes);
            length += bytes.len();
        };
        match wanted.cmp(&owner_labels(wire, &labels)) {
            Ordering::Equal => put(wire),
            Ordering::Less => {
                put(b"\x01*");
                put(labels.suffix(wire, wanted));
            }
            Ordering::Greater => return None,
        }
        put(&self.rtype.to_be_bytes());
        put(&crate::dns::class::IN.to_be_bytes());
        put(&rrsig.original_ttl_s.to_be_bytes());
        let head = &head[..length];
        for record in &self.records {
            // RRset owners are in lower case already.
            out.extend_from_slice(head);
            out.extend_from_slice(&(record.len() as u16).to_be_bytes());
            out.extend_from_slice(record);
        }
        Some(())
    }
}

/// The label count that an unexpanded signature of this owner has: the root and a leading `*` are not counted (RFC 4034 §3.1.3).
pub fn owner_labels(wire: &[u8], labels: &Labels) -> usize {
    labels.count() - usize::from(wire.starts_with(b"\x01*"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    #[test]
    fn rfc4034_6_1_the_example_is_in_order() {
        let names = [
            "example",
            "a.example",
            "yljkjljk.a.example",
            "Z.a.example",
            "zABC.a.EXAMPLE",
            "z.example",
            r"\001.z.example",
            "*.z.example",
            r"\200.z.example",
        ];
        for pair in names.windows(2) {
            let (left, right) = (name(pair[0]), name(pair[1]));
            assert_eq!(
                compare(left.as_wire(), right.as_wire()),
                Ordering::Less,
                "{left} {right}"
            );
            assert_eq!(compare(right.as_wire(), left.as_wire()), Ordering::Greater);
            assert_eq!(
                compare(left.as_wire(), right.as_wire()),
                left.cmp(&right),
                "the slow order"
            );
        }
        assert_eq!(compare(name("A.b").as_wire(), name("a.B").as_wire()), Ordering::Equal);
    }

    #[test]
    fn rfc4034_6_2_names_are_lowered_in_old_types_only() {
        let upper = name("Www.Example");
        let lower = upper.to_lower();
        let with = |head: &[u8], name: &Name, tail: &[u8]| [head, name.as_wire(), tail].concat();
        for (rtype, skipped, tail) in [
            (2, 0, 0),
            (5, 0, 0),
            (12, 0, 0),
            (39, 0, 0),
            (15, 2, 0),
            (33, 6, 0),
            (46, 18, 64),
        ] {
            let (head, tail) = (vec![b'A'; skipped], vec![b'A'; tail]);
            let got = rdata(rtype, &with(&head, &upper, &tail)).into_owned();
            assert_eq!(got, with(&head, &lower, &tail), "type {rtype}");
        }
        let naptr = with(b"\0\x01\0\x02\x01U\x03E2U\0", &upper, b"");
        assert_eq!(*rdata(35, &naptr), with(b"\0\x01\0\x02\x01U\x03E2U\0", &lower, b""));
        // RFC 6840 §5.1: not in NSEC; RFC 9460 §2.1: nor in SVCB.
        for rtype in [47, 64, 65, 16] {
            let bytes = with(b"", &upper, b"A");
            assert_eq!(*rdata(rtype, &bytes), bytes, "type {rtype}");
        }
    }

    #[test]
    fn cut_rdata_stays_as_it_is() {
        for rtype in 0..=300 {
            for length in 0..24 {
                let bytes = vec![b'A'; length];
                let _ = rdata(rtype, &bytes);
            }
        }
    }

    #[test]
    fn suffixes_and_wildcards_are_names() {
        let long = name("a.b.example");
        assert_eq!(suffix(&long, 2), name("b.example"));
        assert_eq!(suffix(&long, 0), Name::root());
        assert_eq!(suffix(&long, 9), long);
        assert_eq!(wildcard(&long).unwrap().to_string(), "*.a.b.example.");
        assert_eq!(shared_labels(long.as_wire(), name("A.B.org").as_wire()), 0);
        assert_eq!(shared_labels(long.as_wire(), name("c.B.example").as_wire()), 2);
        let widest = Name::from_wire(&[[1, b'a'].repeat(127), vec![0]].concat()).unwrap();
        assert_eq!(Labels::of(widest.as_wire()).count(), 127);
        assert!(wildcard(&widest).is_none());
    }
}
