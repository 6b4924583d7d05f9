//! Gates that are damaged, cut short, newer, or made to hurt.

use super::*;
use crate::list::compile::{CompileOptions, compile_parsed};
use crate::list::format::{DIGEST, Section};
use crate::list::merge::tests::{list, template};
use crate::list::rule::{Effect, Modifiers, Pattern, PatternEntry, Scope, Template};

/// A gate with something in every section.
fn small() -> Vec<u8> {
    let modified = Template {
        modifiers: Modifiers {
            important: true,
            types: vec![28],
            ..Modifiers::default()
        },
        ..template(Effect::Rcode(3))
    };
    let names = [
        ("example.com", Scope::Subtree, 0),
        ("www.example.net", Scope::Exact, 1),
        ("a.example.org", Scope::Below, 1),
        ("xn--bcher-kva.example", Scope::Exact, 0),
    ];
    let mut source = list("small", &[template(Effect::Block), modified], &names);
    for pattern in [
        Pattern::Regex("^ads[0-9]+".to_owned()),
        Pattern::Address("192.0.2.0/24".parse().unwrap()),
        Pattern::Address("2001:db8::/32".parse().unwrap()),
        Pattern::NsName(b"com.ns.".as_slice().into(), Scope::Exact),
    ] {
        source.parsed.patterns.push(PatternEntry {
            pattern,
            template: 1,
            line: 3,
        });
    }
    source.info.dated = Some("2026-08-17".to_owned());
    let other = list("other", &[template(Effect::Block)], &[("example.com", Scope::Exact, 0)]);
    compile_parsed(vec![source, other], &CompileOptions::default())
        .unwrap()
        .gate
}

fn verify(bytes: Vec<u8>) -> Result<Verified, FormatError> {
    Unverified::new(bytes).verify()
}

/// The same with a right digest: what somebody who means harm would send.
fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
    let digest = format::digest(&bytes);
    bytes[DIGEST].copy_from_slice(&digest);
    bytes
}

/// Uses everything a gate offers.
fn exercise(gate: &Gate) {
    for name in ["example.com", "x.www.example.net", "b.a.example.org", ".", "com"] {
        gate.walk(&Key::parse(name).unwrap(), |_, set| {
            gate.rules_of(set).for_each(|rule| drop(gate.rule(rule).cloned()));
        });
    }
    for address in ["192.0.2.1", "198.51.100.1", "2001:db8::1", "::"] {
        gate.addresses(address.parse().unwrap(), |rule| drop(gate.rule(rule).cloned()));
    }
    for shard in 0..gate.shard_count() {
        let mut keys = gate.shard_keys(shard, b"com.");
        while keys.next().is_some() {}
    }
    let _ = (gate.networks().count(), gate.patterns().len(), gate.sources().len());
}

#[test]
fn a_compiled_gate_verifies() {
    let verified = verify(small()).unwrap();
    assert_eq!(verified.gate().keys(), 4);
    exercise(verified.gate());
    assert!(verify(crate::list::compile::empty()).is_ok());
}

#[test]
fn no_truncation_and_no_appended_byte_verifies() {
    let bytes = small();
    // Sections are mostly padding: every length in the pages that hold something, and around every page.
    for length in (0..bytes.len()).filter(|length| length % 4096 < 700 || length % 4096 > 4090) {
        assert!(
            verify(bytes[..length].to_vec()).is_err(),
            "{length} bytes of {}",
            bytes.len()
        );
    }
    let mut longer = bytes.clone();
    longer.push(0);
    assert!(matches!(verify(longer), Err(FormatError::Overlong { .. })));
}

#[test]
fn no_flipped_bit_verifies() {
    let bytes = small();
    for at in (0..bytes.len()).filter(|at| at % 4096 < 700 || at % 4096 > 4090) {
        let mut bad = bytes.clone();
        bad[at] ^= 1 << (at % 8);
        assert!(verify(bad).is_err(), "byte {at}");
    }
}

#[test]
fn no_changed_byte_under_a_right_digest_makes_verification_or_look_ups_panic() {
    let bytes = small();
    let header = Header::read(&bytes).unwrap();
    let mut places: Vec<usize> = (0..format::HEADER_BYTES + 240)
        .filter(|at| !DIGEST.contains(at))
        .collect();
    for section in Section::ALL {
        places.extend(header.section(section));
    }
    let (mut refused, mut taken) = (0, 0);
    for at in places {
        for value in [
            0,
            1,
            0x7f,
            0x80,
            0xff,
            bytes[at] ^ 1,
            bytes[at] ^ 0x40,
            bytes[at].wrapping_add(1),
        ] {
            if value == bytes[at] {
                continue;
            }
            let mut bad = bytes.clone();
            bad[at] = value;
            match verify(sealed(bad)) {
                Ok(verified) => {
                    // Another rank or another letter in a reason is a different gate, not a broken one.
                    exercise(verified.gate());
                    taken += 1;
                }
                Err(_) => refused += 1,
            }
        }
    }
    assert!(refused > 1000 && taken > 100, "{refused} refused, {taken} taken");
}

#[test]
fn a_newer_gate_is_told_apart_from_a_broken_one() {
    let mut bytes = small();
    bytes[8..12].copy_from_slice(&7u32.to_le_bytes());
    let error = verify(sealed(bytes)).map(drop).unwrap_err();
    assert_eq!(error, FormatError::Newer { found: 7 });
    assert!(verify(b"||ads.example^\n".to_vec()).is_err());
    assert!(verify(Vec::new()).is_err());
}

/// An fst of made-up nodes, as the only shard of a gate.
fn with_fst(nodes: &[u8], root: u64, count: u64) -> Vec<u8> {
    let mut fst = Vec::new();
    fst.extend_from_slice(&3u64.to_le_bytes());
    fst.extend_from_slice(&0u64.to_le_bytes());
    fst.extend_from_slice(nodes);
    fst.extend_from_slice(&count.to_le_bytes());
    fst.extend_from_slice(&root.to_le_bytes());
    fst.extend_from_slice(&[0; 4]);
    let bytes = small();
    let header = Header::read(&bytes).unwrap();
    let mut shards = Vec::new();
    shards.extend_from_slice(&1u32.to_le_bytes());
    shards.extend_from_slice(&0u64.to_le_bytes());
    shards.extend_from_slice(&(fst.len() as u64).to_le_bytes());
    shards.extend_from_slice(&[0; 8]);
    let sections: Vec<_> = Section::ALL
        .iter()
        .map(|&section| {
            let part = match section {
                Section::Shards => &shards[..],
                Section::Fsts => &fst[..],
                other => &bytes[header.section(other)],
            };
            (section, vec![part])
        })
        .collect();
    format::assemble(count, count, &sections)
}

#[test]
fn fsts_made_to_hurt_are_refused() {
    // 24 nodes with two ways each to the node before: 2^24 paths, none of which ends a key.
    let mut bomb = Vec::new();
    for level in 0..24u8 {
        // Node: two distances (0 for the first: the empty node would be final, so 1 byte back to a dead end), inputs, widths, state.
        if level == 0 {
            bomb.extend_from_slice(&[0x00, 0x00, 0x00]);
        }
        let distance = 1;
        bomb.extend_from_slice(&[distance, distance, b'b', b'a', 0x10, 0x02]);
    }
    let root = (HEAD_BYTES + bomb.len() - 1) as u64;
    assert!(verify(with_fst(&bomb, root, 1)).is_err());
    // A node that leads into the middle of another, one that leads to itself, one with widths past eight.
    for nodes in [
        &[0x05, 0x10, b'a', 0x80][..],
        &[0x00, 0x00, 0x10, b'a', 0x80, 0x02, b'a', 0x10, 0x01][..],
        &[0x01, 0xff, b'a', 0x80][..],
        &[0xc0][..],
        &[0x00][..],
        &[0x40][..],
    ] {
        let root = (HEAD_BYTES + nodes.len() - 1) as u64;
        for count in [0, 1, 2] {
            assert!(verify(with_fst(nodes, root, count)).is_err(), "{nodes:x?}");
        }
    }
    assert!(
        verify(with_fst(&[], 0, 0)).is_err(),
        "a root that is a key, which was not counted"
    );
    assert!(verify(with_fst(&[], 0, 1)).is_ok(), "the frame itself is right");
}

#[test]
fn a_key_that_is_no_name_is_refused() {
    for key in [&b"com.example"[..], b"com..", b".", b"com.Example."] {
        let mut builder = fst::raw::Builder::memory();
        builder.insert(key, 0).unwrap();
        let bytes = builder.into_inner().unwrap();
        let tail = bytes.len() - 20;
        let root = u64::from_le_bytes(bytes[tail + 8..tail + 16].try_into().unwrap());
        let gate = with_fst(&bytes[HEAD_BYTES..tail], root, 1);
        assert!(verify(gate).is_err(), "{}", String::from_utf8_lossy(key));
    }
    let mut builder = fst::raw::Builder::memory();
    builder.insert(b"com.example.", 0).unwrap();
    let bytes = builder.into_inner().unwrap();
    let tail = bytes.len() - 20;
    let root = u64::from_le_bytes(bytes[tail + 8..tail + 16].try_into().unwrap());
    assert!(
        verify(with_fst(&bytes[HEAD_BYTES..tail], root, 1)).is_ok(),
        "the frame itself is right"
    );
}
