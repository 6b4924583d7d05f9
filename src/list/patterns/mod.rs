//! Regular expressions and wildcards: which of many match a name.
//!
//! In: patterns of a gate, then names. Out: the indexes of those that match.
//! Always: time linear in the name for each pattern that is tried, no lock. Nearly every pattern is tried only if a piece of text
//! that it cannot match without stands in the name; [`Grams`] finds those pieces. The few expressions without such a piece are tried
//! [`TOGETHER`] at a time by one automaton, which runs from the end of a name that they are tied to; where that
//! would be too large by a lazy one, whose states each thread builds for itself and keeps within [`CACHE_BYTES`].
//! `docs/decisions/0007-patterns-by-needles.md` and `0013-windows-of-four-bytes.md` say why.

mod glob;
mod grams;
mod needle;

use crate::dns::key::{Key, LABEL_WINDOW};
use crate::limits;
use crate::list::pattern::syntax;
use crate::list::rule::Pattern;
use regex_automata::dfa::{Automaton as _, StartKind, dense};
use regex_automata::hybrid::dfa as hybrid;
use regex_automata::nfa::thompson::pikevm::{self, PikeVM};
use regex_automata::nfa::thompson::{self, WhichCaptures};
use regex_automata::util::primitives::StateID;
use regex_automata::util::syntax::parse_with;
use regex_automata::{Anchored, Input, MatchKind};
use regex_syntax::hir::{Hir, Look};
use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};

use glob::Glob;
use grams::{BEHIND, Grams};
use needle::{needles, rare_bytes};

/// A needle must be this long: a letter is in most names, "ad" in every tenth.
const NEEDLE_BYTES: usize = 2;

/// An expression whose needle is at least this long is tried so seldom that it need not be fast: it has no automaton, which
/// takes a tenth of a millisecond to build.
const RARE_BYTES: usize = 5;

/// Expressions without a needle that share a lazy automaton. Its states are sets of places in all of them: more together
/// have so many different ones that they are never all built.
const TOGETHER: usize = 8;

/// An expression's own automaton may take this much.
const AUTOMATON_BYTES: usize = 64 << 10;

/// An automaton of expressions that are tried together may take this much: about what a core's second cache holds beside
/// everything else.
const TOGETHER_BYTES: usize = 256 << 10;

/// Memory that one thread's states of one automaton may take before they are dropped and built anew.
const CACHE_BYTES: usize = 512 << 10;

/// Automata that one thread keeps states for; past this number the oldest states are dropped, which costs time only.
const CACHES: usize = 32;

/// Several patterns, ready to match.
pub struct Patterns {
    tests: Vec<Test>,
    /// Finds needles; `None` if no pattern has any.
    needles: Option<Grams>,
    /// The pattern that a needle belongs to.
    needle_of: Vec<u32>,
    /// Globs without a needle.
    always: Vec<u32>,
    /// Expressions without a needle.
    open: Vec<Open>,
}

/// Expressions that are tried together.
enum Open {
    Whole {
        machine: Machine,
        patterns: Vec<u32>,
    },
    /// Those whose automaton would be too large are built as far as names need it.
    Lazy(Box<Lazy>),
}

enum Test {
    Glob(Glob),
    Machine(Machine),
    /// An expression that is seldom tried, or whose automaton would be too large.
    Simulated(Box<PikeVM>),
    /// No text pattern.
    Never,
}

/// An automaton with all its states.
struct Machine {
    automaton: Box<dense::DFA<Vec<u32>>>,
    way: Way,
    /// Where it begins: the same for all texts, since it begins at their ends.
    start: StateID,
}

/// Where in a text an automaton begins. One that is tied to an end of the text nearly always stops within a few bytes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Every match begins where the text does: forward from there.
    FromStart,
    /// Every match ends where the text does: backward from there.
    FromEnd,
    /// A match may be anywhere.
    Through,
}

impl Way {
    fn of(hir: &Hir) -> Way {
        let properties = hir.properties();
        if properties.look_set_prefix().contains(Look::Start) {
            Way::FromStart
        } else if properties.look_set_suffix().contains(Look::End) {
            Way::FromEnd
        } else {
            Way::Through
        }
    }
}

struct Lazy {
    dfa: hybrid::DFA,
    /// Tells one automaton's states from another's; never used twice in a run of the program.
    id: u64,
    patterns: Vec<u32>,
}

/// Why patterns cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the pattern {pattern:?} cannot be used: {cause}")]
pub struct PatternError {
    pub pattern: String,
    pub cause: String,
}

struct Scratch {
    caches: Vec<(u64, hybrid::Cache)>,
    vm: Option<pikevm::Cache>,
    text: [u8; TEXT_BYTES],
    candidates: Vec<u32>,
}

/// The longest presentation form: 253 bytes, each written as an escape of four.
const TEXT_BYTES: usize = 1024;

thread_local! {
    static SCRATCH: RefCell<Scratch> = const {
        RefCell::new(Scratch {
            caches: Vec::new(),
            vm: None,
            text: [0; TEXT_BYTES],
            candidates: Vec::new(),
        })
    };
}

impl Patterns {
    /// These patterns together; `None` if there are none.
    pub fn build<'p>(patterns: impl Iterator<Item = &'p Pattern>) -> Result<Option<Patterns>, PatternError> {
        let mut built = Patterns {
            tests: Vec::new(),
            needles: None,
            needle_of: Vec::new(),
            always: Vec::new(),
            open: Vec::new(),
        };
        let mut needles: Vec<Vec<u8>> = Vec::new();
        let mut open: [Vec<(u32, &str)>; 3] = Default::default();
        for (index, pattern) in patterns.enumerate() {
            let index = index as u32;
            let test = match pattern {
                Pattern::Wildcard(wildcard) => {
                    let glob = Glob::new(wildcard);
                    if rare_bytes(glob.longest_piece()) < NEEDLE_BYTES {
                        built.always.push(index);
                    } else {
                        needles.push(glob.longest_piece().to_vec());
                        built.needle_of.push(index);
                    }
                    Test::Glob(glob)
                }
                Pattern::Regex(expression) => {
                    let (found, way) = read(expression)?;
                    let rare = found.iter().map(|needle| rare_bytes(needle)).min().unwrap_or(0);
                    if rare < NEEDLE_BYTES {
                        open[way as usize].push((index, expression));
                    }
                    built.needle_of.extend(found.iter().map(|_| index));
                    needles.extend(found);
                    let fast = if rare < RARE_BYTES {
                        Machine::build(&[expression], way, AUTOMATON_BYTES)
                    } else {
                        None
                    };
                    match fast {
                        Some(machine) => Test::Machine(machine),
                        None => Test::Simulated(Box::new(vm(expression)?)),
                    }
                }
                _ => Test::Never,
            };
            built.tests.push(test);
        }
        if built.tests.is_empty() {
            return Ok(None);
        }
        built.needles = Grams::new(&needles);
        for (way, open) in [Way::FromStart, Way::FromEnd, Way::Through].into_iter().zip(&open) {
            for together in open.chunks(TOGETHER) {
                let expressions: Vec<&str> = together.iter().map(|(_, expression)| *expression).collect();
                built
                    .open
                    .push(match Machine::build(&expressions, way, TOGETHER_BYTES) {
                        Some(machine) => Open::Whole {
                            machine,
                            patterns: together.iter().map(|(index, _)| *index).collect(),
                        },
                        None => Open::Lazy(Box::new(Lazy::build(together)?)),
                    });
            }
        }
        Ok(Some(built))
    }

    /// Calls `visit` with the index of every pattern that matches the name, ascending.
    pub fn name(&self, key: &Key, visit: impl FnMut(usize)) {
        SCRATCH.with_borrow_mut(|scratch| {
            let length = write_text(key, &mut scratch.text);
            self.search(scratch, length, visit);
        });
    }

    /// Whether any pattern matches the name.
    pub fn any_matches(&self, key: &Key) -> bool {
        let mut any = false;
        self.name(key, |_| any = true);
        any
    }

    /// Calls `visit` with the index of every pattern that matches a text, ascending. Only its first kilobyte is looked at; no name or
    /// address has more.
    pub fn text(&self, text: &str, visit: impl FnMut(usize)) {
        SCRATCH.with_borrow_mut(|scratch| {
            let length = text.len().min(TEXT_BYTES - BEHIND);
            scratch.text[..length].copy_from_slice(&text.as_bytes()[..length]);
            self.search(scratch, length, visit);
        });
    }

    /// Bytes that looking for needles takes.
    pub fn size_bytes(&self) -> usize {
        self.needles.as_ref().map_or(0, Grams::size_bytes)
    }

    fn search(&self, scratch: &mut Scratch, length: usize, mut visit: impl FnMut(usize)) {
        let Scratch {
            caches,
            vm,
            text,
            candidates,
        } = scratch;
        candidates.clear();
        candidates.extend(&self.always);
        if let Some(needles) = &self.needles {
            needles.each(&text[..length + BEHIND], length, |needle| {
                candidates.push(self.needle_of[needle])
            });
        }
        let text = &text[..length];
        for open in &self.open {
            let (may_match, patterns) = match open {
                Open::Whole { machine, patterns } => (machine.is_match(text), patterns),
                Open::Lazy(lazy) => (lazy.may_match(caches, text), &lazy.patterns),
            };
            if may_match {
                candidates.extend(patterns);
            }
        }
        if candidates.is_empty() {
            return;
        }
        candidates.sort_unstable();
        candidates.dedup();
        for &index in candidates.iter() {
            let matches = match &self.tests[index as usize] {
                Test::Glob(glob) => glob.matches(text),
                Test::Machine(machine) => machine.is_match(text),
                Test::Simulated(machine) => {
                    let cache = vm.get_or_insert_with(|| machine.create_cache());
                    cache.reset(machine);
                    machine.is_match(cache, text)
                }
                Test::Never => false,
            };
            if matches {
                visit(index as usize);
            }
        }
    }
}

impl Lazy {
    fn build(together: &[(u32, &str)]) -> Result<Lazy, PatternError> {
        let expressions: Vec<&str> = together.iter().map(|(_, expression)| *expression).collect();
        let failed = |cause: String| PatternError {
            pattern: expressions.join(" and "),
            cause,
        };
        let nfa = thompson::Compiler::new()
            .syntax(syntax())
            .configure(nfa_config())
            .build_many(&expressions)
            .map_err(|cause| failed(cause.to_string()))?;
        let dfa = hybrid::DFA::builder()
            .configure(
                hybrid::DFA::config()
                    .match_kind(MatchKind::LeftmostFirst)
                    .cache_capacity(CACHE_BYTES)
                    .skip_cache_capacity_check(true)
                    // States that are dropped so often are better not built: then each expression is tried by itself.
                    .minimum_cache_clear_count(Some(3))
                    .minimum_bytes_per_state(Some(10)),
            )
            .build_from_nfa(nfa)
            .map_err(|cause| failed(cause.to_string()))?;
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Ok(Lazy {
            dfa,
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            patterns: together.iter().map(|(index, _)| *index).collect(),
        })
    }

    /// Whether any of the expressions matches; also true when the automaton gives up.
    fn may_match(&self, caches: &mut Vec<(u64, hybrid::Cache)>, text: &[u8]) -> bool {
        let at = match caches.iter().position(|(id, _)| *id == self.id) {
            Some(at) => at,
            None => {
                if caches.len() == CACHES {
                    caches.remove(0);
                }
                caches.push((self.id, self.dfa.create_cache()));
                caches.len() - 1
            }
        };
        let input = Input::new(text).earliest(true);
        !matches!(self.dfa.try_search_fwd(&mut caches[at].1, &input), Ok(None))
    }
}

/// The needles of an expression, none if it has none that are long enough, and which way it is tried.
fn read(expression: &str) -> Result<(Vec<Vec<u8>>, Way), PatternError> {
    let hir = parse_with(expression, &syntax()).map_err(|cause| PatternError {
        pattern: expression.to_owned(),
        cause: cause.to_string(),
    })?;
    let found = needles(&hir).unwrap_or_default();
    let long_enough = found.iter().all(|needle| rare_bytes(needle) >= NEEDLE_BYTES);
    Ok((if long_enough { found } else { Vec::new() }, Way::of(&hir)))
}

impl Machine {
    /// The whole automaton of some expressions, all to be tried this way; `None` if it would take more than `most_bytes` or more work than
    /// that is worth.
    fn build(expressions: &[&str], way: Way, most_bytes: usize) -> Option<Machine> {
        let start = match way {
            Way::Through => StartKind::Unanchored,
            Way::FromStart | Way::FromEnd => StartKind::Anchored,
        };
        let automaton = dense::Builder::new()
            .syntax(syntax())
            .thompson(nfa_config().reverse(way == Way::FromEnd))
            .configure(
                dense::Config::new()
                    .start_kind(start)
                    // Names are too short for searching ahead to pay.
                    .accelerate(false)
                    .dfa_size_limit(Some(most_bytes))
                    .determinize_size_limit(Some(most_bytes)),
            )
            .build_many(expressions)
            .ok()?;
        let nothing = Input::new("").anchored(match way {
            Way::Through => Anchored::No,
            Way::FromStart | Way::FromEnd => Anchored::Yes,
        });
        let start = match way {
            Way::FromEnd => automaton.start_state_reverse(&nothing),
            Way::FromStart | Way::Through => automaton.start_state_forward(&nothing),
        };
        Some(Machine {
            start: start.ok()?,
            automaton: Box::new(automaton),
            way,
        })
    }

    /// Whether it matches a text. State by state, since what a search object sets up costs more than a name.
    fn is_match(&self, text: &[u8]) -> bool {
        match self.way {
            Way::FromStart | Way::Through => self.runs(text.iter()),
            Way::FromEnd => self.runs(text.iter().rev()),
        }
    }

    #[inline]
    fn runs<'t>(&self, bytes: impl Iterator<Item = &'t u8>) -> bool {
        let automaton = &*self.automaton;
        let mut state = self.start;
        for &byte in bytes {
            state = automaton.next_state(state, byte);
            if automaton.is_special_state(state) && (automaton.is_match_state(state) || automaton.is_dead_state(state))
            {
                return automaton.is_match_state(state);
            }
        }
        automaton.is_match_state(automaton.next_eoi_state(state))
    }
}

fn vm(expression: &str) -> Result<PikeVM, PatternError> {
    PikeVM::builder()
        .syntax(syntax())
        .thompson(nfa_config())
        .build(expression)
        .map_err(|cause| PatternError {
            pattern: expression.to_owned(),
            cause: cause.to_string(),
        })
}

fn nfa_config() -> thompson::Config {
    thompson::Config::new()
        .utf8(false)
        .which_captures(WhichCaptures::None)
        .nfa_size_limit(Some(limits::PATTERN_STATES_BYTES))
}

/// Writes the presentation form without a final dot of the name a key stands for; returns its length.
fn write_text(key: &Key, text: &mut [u8; TEXT_BYTES]) -> usize {
    let mut at = 0;
    for (label, length) in key.labels_first_to_last() {
        // Whole windows, which take a few instructions, whatever the label's length; what is too much is written over.
        text[at..at + LABEL_WINDOW].copy_from_slice(label);
        text[at + length] = b'.';
        at += length + 1;
    }
    let length = at.saturating_sub(1);
    text[length..length + 16].fill(b'.');
    let chunks = text[..length + 16].chunks_exact(16);
    if chunks.fold(true, |plain, chunk| plain & is_plain(chunk)) {
        length
    } else {
        write_escaped(key, text)
    }
}

/// Whether all bytes stand for themselves in the presentation form, dots included. Without branches, so that all are looked
/// at together.
#[inline]
fn is_plain(chunk: &[u8]) -> bool {
    chunk.iter().fold(true, |plain, &byte| {
        let letter = byte.wrapping_sub(b'a') < 26;
        let digit = byte.wrapping_sub(b'0') < 10;
        plain & (letter | digit | (byte == b'-') | (byte == b'_') | (byte == b'.'))
    })
}

/// The same with the escapes of `dns::name::write_label`, which a list's author sees in logs and `explain`.
#[cold]
fn write_escaped(key: &Key, text: &mut [u8; TEXT_BYTES]) -> usize {
    let mut written = String::with_capacity(TEXT_BYTES);
    for (number, (label, length)) in key.labels_first_to_last().enumerate() {
        if number > 0 {
            written.push('.');
        }
        // Writing to a string cannot fail.
        let _ = crate::dns::name::write_label(&mut written, &label[..length]);
    }
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
        // No needle, and so many states that only those that are met are built.
        let letters: Vec<char> = ('a'..='z').chain('0'..='9').collect();
        assert!(letters.len() > CACHES);
        let many: Vec<Patterns> = letters
            .iter()
            .map(|c| patterns(&[&format!("/{c}[0-9][0-9a-z]{{18}}(-|$)")]))
            .collect();
        assert!(many.iter().all(|one| matches!(one.open[..], [Open::Lazy(_)])));
        for _ in 0..2 {
            for (n, one) in many.iter().enumerate() {
                let name = |c: char| format!("w.{c}1{}", "z".repeat(18));
                assert_eq!(matches(one, &name(letters[n])), [0]);
                assert!(matches(one, &name(letters[(n + 1) % letters.len()])).is_empty());
            }
        }
    }

    /// Against each expression on its own, in another engine.
    #[test]
    fn looking_for_needles_first_finds_what_every_expression_by_itself_finds() {
        let of = [
            "/^ad([sxv]?[0-9]*|system)[_.-]([^.[:space:]]+\\.){1,}|[_.-]ad([sxv]?[0-9]*|system)[_.-]",
            "/^(.+[_.-])?adse?rv(er?|ice)?s?[0-9]*[_.-]",
            "/^stat(s|istics)?[0-9]*[_.-]",
            "/^(www[0-9]*\\.)?xn--",
            "/^[a-z]{1,2}\\.",
            "/(^|\\.)[a-z][1-9][0-9][a-z]\\.com$",
            "/[0-9]$|^[0-9]",
            "/^[0-9a-f]+$",
            "/[a-f][0-9]+",
            "/(facebook|tiktok)",
            "||ads*.example^",
            "*track*",
            "||*.zip^",
            "||a*b^",
        ];
        let together = patterns(&of);
        let alone: Vec<regex_automata::meta::Regex> = of
            .iter()
            .map(|text| match text.strip_prefix('/') {
                Some(expression) => expression.to_owned(),
                None => crate::list::pattern::wildcard_expression(text),
            })
            .map(|expression| {
                regex_automata::meta::Regex::builder()
                    .syntax(syntax())
                    .build(&expression)
                    .unwrap()
            })
            .collect();
        for name in [
            "ads.example",
            "ad-x.test",
            "x.ad7.test",
            "adserver.test",
            "my-adservice2.test",
            "stats.test",
            "statistics3.test",
            "xn--p1ai",
            "www2.xn--p1ai",
            "ab.test",
            "abc.test",
            "m.facebook.com",
            "tiktokcdn.com",
            "adsx.example",
            "x.adsx.example",
            "badsx.example",
            "tracker.test",
            "x.zip",
            "zip",
            "axxb",
            "x.ab",
            "abx",
            "a",
            "a1",
            "7.test",
            "a17b.com",
            "x.q99z.com",
            "xa17b.com",
            "a17b.com.test",
            "a17.com",
            "school.test",
        ] {
            let slow: Vec<usize> = (0..of.len()).filter(|&index| alone[index].is_match(name)).collect();
            assert_eq!(matches(&together, name), slow, "{name}");
        }
    }

    #[test]
    fn a_pattern_that_cannot_be_used_is_named() {
        let bad = [Pattern::Regex("fine".into()), Pattern::Regex("(".into())];
        let error = Patterns::build(bad.iter()).err().unwrap();
        assert_eq!(error.pattern, "(");
    }
}
