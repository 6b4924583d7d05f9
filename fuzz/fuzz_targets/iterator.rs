//! One resolution against servers that say what the bytes hold. Also replayed by the tests.

use stairgate::config::settings::QnameMinimization;
use stairgate::dns::name::Name;
use stairgate::limits;
use stairgate::now::Now;
use stairgate::resolver::engine::task::{Command, Event, Why};
use stairgate::resolver::engine::{Engine, EngineSettings, Wanted};
use std::collections::VecDeque;
use std::sync::Arc;

/// The bytes are responses, each behind two bytes of length: empty ones are silence, one of a single byte a failure. Their IDs and
/// questions are set right where they are long enough, so that what lies behind is reached.
pub fn run(mut bytes: &[u8]) {
    let settings = EngineSettings {
        hints: vec![[198, 41, 0, 4].into()],
        prime: true,
        minimization: QnameMinimization::Relaxed,
        random_case: false,
        ipv4: true,
        ipv6: true,
        edns_buffer: 1232,
        signature_skew_s: 0,
        last_saved_unix_ms: None,
        query_private: vec![
            "0.0.0.0/0".parse().expect("a network"),
            "::/0".parse().expect("a network"),
        ],
        memory_bytes: 1 << 20,
    };
    let engine = Arc::new(Engine::new(settings, None, [1, 2]));
    let wanted = Wanted {
        name: Name::parse("www.example.com").expect("a name"),
        qtype: 1,
        check: true,
        least_left_ms: 0,
    };
    let (mut now_ms, deadline_ms) = (1_000_000, 1_005_000);
    let mut task = engine.resolve(wanted, 7, deadline_ms, true);
    let mut commands = Vec::new();
    let mut events = VecDeque::from([Event::Timer]);
    let mut wake_ms = deadline_ms;
    loop {
        let event = events.pop_front().unwrap_or_else(|| {
            now_ms = wake_ms.max(now_ms + 1);
            Event::Timer
        });
        let now = Now {
            mono_ms: now_ms,
            unix_ms: 1_800_000_000_000,
        };
        if task.step(now, event, &mut commands).is_some() {
            break;
        }
        for command in commands.drain(..) {
            match command {
                Command::WakeAt(at_ms) => wake_ms = at_ms,
                Command::Send { id, bytes: query, .. } => {
                    let Some((length, rest)) = bytes.split_first_chunk::<2>() else {
                        continue;
                    };
                    let length = usize::from(u16::from_be_bytes(*length)).min(rest.len());
                    let (response, rest) = rest.split_at(length);
                    bytes = rest;
                    match response.len() {
                        0 => {}
                        1 => events.push_back(Event::Failed { id, why: Why::NoRoute }),
                        _ => events.push_back(Event::Reply {
                            id,
                            bytes: fit(response, &query),
                        }),
                    }
                }
                Command::Cancel(_) | Command::Also(_) => {}
            }
        }
    }
    assert!(now_ms <= deadline_ms + 1, "it ends in time");
    assert!(task.queries() <= limits::AUTHORITY_QUERIES, "and within its bound");
    for traced in task.take_trace() {
        let _ = traced.step.to_string();
    }
}

/// The response with the header's ID and the question of the query.
fn fit(response: &[u8], query: &[u8]) -> Vec<u8> {
    let mut fitted = response.to_vec();
    let opt = if query[11] == 1 { 11 } else { 0 };
    let question = &query[12..query.len() - opt];
    if fitted.len() >= 12 {
        fitted[..2].copy_from_slice(&query[..2]);
        fitted[2] |= 0x80;
        if fitted[4..6] == [0, 1] {
            fitted.splice(12..12, question.iter().copied());
        }
    }
    fitted
}
