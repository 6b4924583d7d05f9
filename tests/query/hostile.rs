//! Packets nobody sends by mistake: a response or a counted drop for each, never a panic.

use crate::common::*;
use hickory_proto::op::ResponseCode;
use proptest::prelude::*;
use stairgate::count::{Count, Counts};
use stairgate::query::Transport;

/// What must hold for every query: one response with its ID, or one counted drop.
fn check(road: &Road, bytes: &[u8]) {
    let came = road.walk(bytes);
    if came.bytes.is_empty() {
        assert_ne!(came.counts, Counts::NONE, "a drop is counted: {bytes:02x?}");
        return;
    }
    let response = &came.bytes;
    assert!(response.len() <= 1232);
    assert_eq!(response[..2], bytes[..2], "the ID is echoed");
    assert_eq!(response[2] & 0x80, 0x80, "a response is one");
    assert_eq!(response[2] & 0x78, bytes[2] & 0x78, "the opcode is echoed");
    let message = read(response);
    assert!(message.queries.len() <= 1);
    // Nothing that comes in can make it say more than it was asked.
    assert!(message.metadata.response_code != ResponseCode::NoError || message.queries.len() == 1);
}

fn road() -> Road {
    let script = Script::new().says("www.site.example.", "A", 0, &["www.site.example. 300 A 192.0.2.7"]);
    Road::new(settings(), &script)
}

#[test]
fn every_truncation_of_a_query_is_answered_or_dropped_and_counted() {
    let road = road();
    let query = ask("www.site.example.", "A").edns(1232, true).bytes();
    for length in 0..query.len() {
        check(&road, &query[..length]);
        if length >= 12 {
            assert!(road.walk(&query[..length]).counted(Count::Formerr), "{length}");
        } else {
            assert!(road.walk(&query[..length]).counted(Count::DroppedShort), "{length}");
        }
    }
}

#[test]
fn every_single_byte_changed_is_answered_or_dropped() {
    let road = road();
    let query = ask("www.site.example.", "A").edns(1232, true).bytes();
    for at in 0..query.len() {
        for value in 0..=255 {
            let mut changed = query.clone();
            changed[at] = value;
            check(&road, &changed);
        }
    }
}

#[test]
fn a_format_error_echoes_the_question_it_could_read_and_opt_for_opt() {
    let mut query = ask("www.site.example.", "A").edns(1232, true).bytes();
    query.push(0);
    let message = road().walk(&query).message();
    assert_eq!(message.metadata.response_code, ResponseCode::FormErr);
    assert_eq!(message.queries.len(), 1);
    assert!(message.edns.is_some());
    let mut version = ask("www.site.example.", "A").edns(1232, true);
    version.message.edns.as_mut().unwrap().set_version(1);
    let message = road().ask(&version).message();
    assert_eq!(u16::from(message.metadata.response_code), 16, "BADVERS");
    assert_eq!(message.edns.unwrap().version(), 0);
}

#[test]
fn what_the_fuzzer_found_once_stays_answered() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/query");
    let mut replayed = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        check(&road(), &std::fs::read(entry.unwrap().path()).unwrap());
        replayed += 1;
    }
    assert!(replayed >= 10, "the corpus of {} is there", folder.display());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_are_answered_or_dropped(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        check(&road(), &bytes);
    }

    #[test]
    fn random_bytes_behind_a_sound_header_are_answered_or_dropped(
        rest in proptest::collection::vec(any::<u8>(), 0..300),
        counts in (0u8..3, 0u8..2, 0u8..2, 0u8..4),
    ) {
        let mut bytes = vec![1, 2, 1, 0, 0, counts.0, 0, counts.1, 0, counts.2, 0, counts.3];
        bytes.extend(rest);
        check(&road(), &bytes);
    }

    #[test]
    fn several_changes_to_a_query_are_answered_or_dropped(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
        tcp in any::<bool>(),
    ) {
        let mut query = ask("www.site.example.", "A").edns(1232, true).bytes();
        for (at, value) in changes {
            let at = at.index(query.len());
            query[at] = value;
        }
        query.truncate(query.len() - cut.index(3));
        let mut road = road();
        if tcp { road.peer.transport = Transport::Tcp; }
        check(&road, &query);
    }

    #[test]
    fn answers_that_are_random_bytes_are_never_passed_on_broken(rest in proptest::collection::vec(any::<u8>(), 0..300), answers in 0u8..5) {
        let mut answer = message("www.site.example.", "A", 0, &[]);
        answer[7] = answers;
        answer.extend(rest);
        let script = Script::new();
        script.gives("www.site.example.", "A", Ok(answer));
        let came = Road::new(settings(), &script).ask(&ask("www.site.example.", "A"));
        prop_assert!(!came.bytes.is_empty());
    }
}
