//! Nothing that was changed on the way is secure: any one byte of what is signed.

use super::super::chain::Fetched;
use super::super::verdict::Verdict;
use super::world::*;
use crate::dns::name::Name;
use crate::dns::rtype;
use crate::resolver::engine::rrset::RRset;
use proptest::prelude::*;
use std::sync::Arc;

/// Changes one byte of the set: of an owner label, a record or a signature. `None` where there is no such byte, or the change makes
/// the same set.
fn change(set: &RRset, part: u8, at: usize, by: u8) -> Option<RRset> {
    let mut wire = set.name.as_wire().to_vec();
    let mut records: Vec<Vec<u8>> = set.records().map(<[u8]>::to_vec).collect();
    let mut signatures: Vec<Vec<u8>> = set.signatures().map(<[u8]>::to_vec).collect();
    let bytes = match part % 3 {
        0 => &mut wire,
        1 => records.get_mut(at % set.len())?,
        _ => signatures.get_mut(0)?,
    };
    let at = at % bytes.len();
    let old = bytes[at];
    bytes[at] ^= by;
    // Letter case of the owner and the signer is of no account (RFC 4034 §6.2).
    let caseless = part.is_multiple_of(3) || (part % 3 == 2 && (18..18 + 9).contains(&at));
    if caseless && old.eq_ignore_ascii_case(&bytes[at]) {
        return None;
    }
    let mut changed = RRset::new(&Name::from_wire(&wire)?, set.rtype, set.ttl_s);
    records.iter().for_each(|rdata| changed.push(rdata));
    signatures.iter().for_each(|rdata| changed.sign(rdata));
    Some(changed)
}

fn world() -> World {
    World::new(vec![
        Zone::new(".", Deny::Nsec),
        Zone::new("example", Deny::Nsec)
            .with_a("www.example")
            .with("www.example", rtype::TXT, b"\x05hello")
            .with("www.example", rtype::TXT, b"\x05world")
            .with_a("*.wild.example"),
        Zone::new("three", nsec3()).with_a("www.three"),
    ])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn rfc4035_5_3_one_changed_byte_of_an_answer_is_never_secure(part: u8, at: usize, by in 1..=255_u8, which in 0..2_usize) {
        let world = world();
        let (qname, qtype) = [("www.example", rtype::TXT), ("a.wild.example", rtype::A)][which];
        let mut reply = world.reply(qname, qtype);
        prop_assert!(world.judge(qname, qtype, &reply).verdict.is_secure());
        // The label that a wildcard was expanded to may be any.
        prop_assume!(which == 0 || !part.is_multiple_of(3));
        let Some(changed) = change(&reply.answers[0], part, at, by) else { return Ok(()) };
        let asked = changed.name.clone();
        reply.answers[0] = changed;
        // Asked for under the changed name, too, so that the set counts as the answer.
        let judged = world.judge(asked.to_string().as_str(), qtype, &reply);
        prop_assert!(!judged.verdict.is_secure(), "{judged:?}");
    }

    #[test]
    fn rfc4035_5_4_one_changed_byte_of_a_proof_is_never_secure(part: u8, at: usize, by in 1..=255_u8, which in 0..4_usize, set: usize) {
        let world = world();
        let (qname, qtype) = [("0.example", rtype::A), ("www.example", rtype::MX), ("0.three", rtype::A), ("www.three", rtype::MX)][which];
        let mut reply = world.reply(qname, qtype);
        let place = 1 + set % (reply.authorities.len() - 1);
        let Some(changed) = change(&reply.authorities[place], part, at, by) else { return Ok(()) };
        reply.authorities[place] = changed;
        prop_assert!(!world.judge(qname, qtype, &reply).verdict.is_secure());
    }

    #[test]
    fn rfc4035_5_2_one_changed_byte_of_the_chain_is_never_secure(part: u8, at: usize, by in 1..=255_u8, ds: bool) {
        let world = world();
        let fetch = |owner: &str, rtype| match run(super::super::Source::fetch(&world, &name(owner), rtype)) {
            Some(Fetched::Set(set)) => set,
            other => panic!("{other:?}"),
        };
        let rtype = if ds { rtype::DS } else { rtype::DNSKEY };
        let Some(changed) = change(&fetch("example", rtype), part, at, by) else { return Ok(()) };
        world.forge("example", rtype, Some(Fetched::Set(Arc::new(changed))));
        let verdict = world.ask("www.example", rtype::A).verdict;
        prop_assert!(matches!(verdict, Verdict::Bogus(_)), "{verdict:?}");
    }

    /// The bytes of signatures, keys and proofs as an attacker likes them.
    #[test]
    fn any_bytes_are_judged_without_a_panic(
        sets in proptest::collection::vec((0..8_usize, any::<u16>(), proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..60), 1..4)), 1..6),
        nxdomain: bool,
    ) {
        let world = world();
        let types = [rtype::A, rtype::NSEC, rtype::NSEC3, rtype::DS, rtype::DNSKEY, rtype::SOA, rtype::DNAME];
        let names = ["www.example", "example", "", "x.www.example", "*.example", "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom.example", "three", "a.b.c.three"];
        let built: Vec<RRset> = sets
            .iter()
            .map(|(owner, rtype, rdatas)| {
                let rtype = types.get(usize::from(*rtype) % 9).copied().unwrap_or(*rtype);
                let mut set = RRset::new(&name(names[*owner]), rtype, 60);
                rdatas.iter().for_each(|rdata| set.push(rdata));
                rdatas.iter().for_each(|rdata| set.sign(rdata));
                // One that is the zone's own but for what it signs.
                let mut own = world.reply("www.example", rtype::A).answers[0].signatures().next().unwrap().to_vec();
                own[..2].copy_from_slice(&rtype.to_be_bytes());
                set.sign(&own);
                set
            })
            .collect();
        for set in &built {
            let fetched = if nxdomain { Fetched::Denied(built.clone()) } else { Fetched::Set(Arc::new(set.clone())) };
            world.forged.borrow_mut().insert((set.name.clone(), set.rtype), Some(fetched));
        }
        let reply = Reply { nxdomain, answers: built.clone(), authorities: built };
        for qname in names {
            for qtype in [rtype::A, rtype::ANY, rtype::DS, rtype::DNSKEY] {
                let judged = world.judge(qname, qtype, &reply);
                prop_assert!(!judged.answers.iter().flatten().any(|judged| judged.verdict.is_secure()));
            }
        }
    }
}
