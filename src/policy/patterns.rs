//! Regular expressions and wildcards: which of many match a name, found in one pass over its text.
//!
//! In: the patterns a profile uses, then names. Out: the indexes of those that match.
//! Always: time linear in the name whatever the patterns; no lock. A name that no pattern matches costs one pass of the
//! lazy automaton over its text, whose states each thread builds for itself as it meets them and keeps within
//! [`CACHE_BYTES`]; `docs/decisions/` says why.

use crate::dns::key::{Key, SEPARATOR};
use crate::limits;
use crate::list::pattern::{syntax, wildcard_expression};
use crate::list::rule::Pattern;
use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::nfa::thompson;
use regex_automata::{Input, MatchKind, PatternSet};
use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};

/// Memory that one thread's states of one automaton may take before they are dropped and built anew.
const CACHE_BYTES: usize = 1 << 20;

/// Automata that one thread keeps states for. A family has a handful of different profiles; past this number the oldest
/// states are dropped, which costs time only.
const CACHES: usize = 8;

/// Several patterns as one automaton.
pub struct Patterns {
    dfa: DFA,
    /// Tells one automaton's states from another's; never used twice in a run of the program.
    id: u64,
}

/// Why patterns cannot be used together.
#[derive(Debug, thiserror::Error)]
#[error("the pattern {pattern:?} cannot be used: {cause}")]
pub struct PatternError {
    pub pattern: String,
    pub cause: String,
}

struct Scratch {
    caches: Vec<(u64, Cache)>,
    text: [u8; TEXT_BYTES],
    matched: PatternSet,
}

/// The longest presentation form: 253 bytes, each written as an escape of four.
const TEXT_BYTES: usize = 1024;

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::new(Scratch {
        caches: Vec::new(),
        text: [0; TEXT_BYTES],
        matched: PatternSet::new(0),
    });
}

impl Patterns {
    /// An automaton for these patterns; `None` if there are none. A pattern that is no text pattern matches nothing.
    pub fn build<'p>(patterns: impl Iterator<Item = &'p Pattern>) -> Result<Option<Patterns>, PatternError> {
        let expressions: Vec<String> = patterns
            .map(|pattern| match pattern {
                Pattern::Regex(expression) => expression.clone(),
                Pattern::Wildcard(wildcard) => wildcard_expression(wildcard),
                // Matches nothing: an end before a byte.
                _ => "$.".to_owned(),
            })
            .collect();
        if expressions.is_empty() {
            return Ok(None);
        }
        let mut compiler = thompson::Compiler::new();
        compiler.syntax(syntax()).configure(
            thompson::Config::new()
                .utf8(false)
                .which_captures(thompson::WhichCaptures::None)
                .nfa_size_limit(Some(limits::PATTERN_STATES_BYTES)),
        );
        let failed = |cause: &dyn std::error::Error| {
            // One that does not build alone is to blame; otherwise they are too many.
            let culprit = expressions.iter().find(|one| compiler.build(one).is_err());
            PatternError {
                pattern: culprit.unwrap_or(&expressions[0]).clone(),
                cause: match culprit {
                    Some(_) => cause.to_string(),
                    None => format!("{} patterns together are too large ({cause})", expressions.len()),
                },
            }
        };
        let nfa = compiler.build_many(&expressions).map_err(|cause| failed(&cause))?;
        let dfa = DFA::builder()
            .configure(
                DFA::config()
                    .match_kind(MatchKind::All)
                    .cache_capacity(CACHE_BYTES)
                    .skip_cache_capacity_check(true),
            )
            .build_from_nfa(nfa)
            .map_err(|cause| failed(&cause))?;
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Ok(Some(Patterns {
            dfa,
            id: NEXT.fetch_add(1, Ordering::Relaxed),
        }))
    }

    /// Calls `visit` with the index of every pattern that matches the name, ascending.
    pub fn name(&self, key: &Key, visit: impl FnMut(usize)) {
        SCRATCH.with_borrow_mut(|scratch| {
            let length = write_text(key, &mut scratch.text);
            self.search(scratch, length, visit);
        });
    }

    /// Calls `visit` with the index of every pattern that matches a text, ascending. Only its first
    /// [`TEXT_BYTES`] bytes are looked at; no name or address has more.
    pub fn text(&self, text: &str, visit: impl FnMut(usize)) {
        SCRATCH.with_borrow_mut(|scratch| {
            let length = text.len().min(TEXT_BYTES);
            scratch.text[..length].copy_from_slice(&text.as_bytes()[..length]);
            self.search(scratch, length, visit);
        });
    }

    fn search(&self, scratch: &mut Scratch, length: usize, visit: impl FnMut(usize)) {
        let at = match scratch.caches.iter().position(|(id, _)| *id == self.id) {
            Some(at) => at,
            None => {
                if scratch.caches.len() == CACHES {
                    scratch.caches.remove(0);
                }
                scratch.caches.push((self.id, self.dfa.create_cache()));
                scratch.caches.len() - 1
            }
        };
        let cache = &mut scratch.caches[at].1;
        let input = Input::new(&scratch.text[..length]);
        // The automaton neither quits (no Unicode word boundaries) nor gives up (no limit on clearing), so an error
        // cannot come; if one did, closed is the safe side: every pattern is tried as if it might match.
        match self.dfa.try_search_fwd(cache, &input.clone().earliest(true)) {
            Ok(None) => return,
            Ok(Some(_)) => {}
            Err(error) => debug_assert!(false, "{error}"),
        }
        if scratch.matched.capacity() < self.dfa.pattern_len() {
            scratch.matched = PatternSet::new(self.dfa.pattern_len());
        }
        scratch.matched.clear();
        if let Err(error) = self
            .dfa
            .try_which_overlapping_matches(cache, &input, &mut scratch.matched)
        {
            debug_assert!(false, "{error}");
        }
        scratch.matched.iter().map(|pattern| pattern.as_usize()).for_each(visit);
    }
}

/// Writes the presentation form without a final dot of the name a key stands for; returns its length.
fn write_text(key: &Key, text: &mut [u8; TEXT_BYTES]) -> usize {
    let bytes = key.as_bytes();
    let mut at = 0;
    for labels in (1..=key.label_count()).rev() {
        if at > 0 {
            text[at] = b'.';
            at += 1;
        }
        // The label without the separator behind it.
        for &byte in &bytes[key.end(labels - 1)..key.end(labels) - 1] {
            if matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_') {
                text[at] = byte;
                at += 1;
            } else {
                at += write_escaped(byte, &mut text[at..]);
            }
        }
    }
    debug_assert!(bytes.is_empty() || bytes.ends_with(&[SEPARATOR]));
    at
}

/// The escapes of `dns::name::write_label`, which a list's author sees in logs and `explain`.
#[cold]
fn write_escaped(byte: u8, text: &mut [u8]) -> usize {
    let mut written = String::with_capacity(4);
    // Writing to a string cannot fail.
    let _ = crate::dns::name::write_label(&mut written, &[byte]);
    text[..written.len()].copy_from_slice(written.as_bytes());
    written.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::key;
    use crate::dns::name::Name;

    fn patterns(of: &[&str]) -> Patterns {
        let patterns: Vec<Pattern> = of
            .iter()
            .map(|text| match text.strip_prefix('/') {
                Some(expression) => Pattern::Regex(expression.to_owned()),
                None => Pattern::Wildcard((*text).to_owned()),
            })
            .collect();
        Patterns::build(patterns.iter()).unwrap().unwrap()
    }

    fn matches(patterns: &Patterns, name: &str) -> Vec<usize> {
        let mut found = Vec::new();
        patterns.name(&Key::parse(name).unwrap(), |index| found.push(index));
        found
    }

    #[test]
    fn every_pattern_that_matches_is_found_in_one_pass() {
        let patterns = patterns(&[
            "/^ads?[0-9]*\\.",
            "||ads*.example^",
            "/\\.example$",
            "*track*",
            "/^never$",
        ]);
        assert_eq!(matches(&patterns, "ads1.Example"), [0, 1, 2]);
        assert_eq!(matches(&patterns, "x.ads1.example."), [1, 2]);
        assert_eq!(matches(&patterns, "x.tracker.test"), [3]);
        assert!(matches(&patterns, "www.school.test").is_empty());
        assert!(matches(&patterns, ".").is_empty());
    }

    #[test]
    fn the_text_a_pattern_sees_is_the_one_that_logs_show() {
        for name in ["www.Example.com", ".", "a_b.c-d", r"a\032b\007.x\@y", "a"] {
            let key = Key::parse(name).unwrap();
            let mut text = [0; TEXT_BYTES];
            let length = write_text(&key, &mut text);
            assert_eq!(
                std::str::from_utf8(&text[..length]).unwrap(),
                key::to_text(key.as_bytes())
            );
        }
        // The longest there is: every byte an escape.
        let wire: Vec<u8> = [
            &[63][..],
            &[7; 63],
            &[63],
            &[7; 63],
            &[63],
            &[7; 63],
            &[61],
            &[7; 61],
            &[0],
        ]
        .concat();
        let key = Key::from_wire(Name::from_wire(&wire).unwrap().as_wire());
        let mut text = [0; TEXT_BYTES];
        assert_eq!(write_text(&key, &mut text), 250 * 4 + 3);
    }

    #[test]
    fn automata_do_not_see_each_others_states() {
        let many: Vec<Patterns> = (0..CACHES + 3).map(|n| patterns(&[&format!("/^n{n}\\.")])).collect();
        for _ in 0..2 {
            for (n, one) in many.iter().enumerate() {
                assert_eq!(matches(one, &format!("n{n}.example")), [0]);
                assert!(matches(one, &format!("n{}.example", n + 1)).is_empty());
            }
        }
    }

    #[test]
    fn a_pattern_that_cannot_be_used_is_named() {
        let bad = [Pattern::Regex("fine".into()), Pattern::Regex("(".into())];
        let error = Patterns::build(bad.iter()).err().unwrap();
        assert_eq!(error.pattern, "(");
    }
}
