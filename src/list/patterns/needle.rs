//! What must stand in a text for an expression to match: literals to look for before the expression itself is tried.
//!
//! In: an expression's syntax tree. Out: a set of literals of which every match holds at least one, or nothing that could
//! be said. Always: on the safe side; a set may be larger than it need be, never too small.

use regex_syntax::hir::{Class, Hir, HirKind};

/// Literals past this number are no help any more.
const MOST: usize = 64;

/// Text that stands in so many names that looking for it rules hardly any out: nearly two of three names in the rankings
/// that the benches use end in one of these domains or begin like this.
const COMMON: [&[u8]; 4] = [b".com", b".net", b".org", b"www."];

/// Literals, lower case, of which every match holds one.
pub fn needles(hir: &Hir) -> Option<Vec<Vec<u8>>> {
    match hir.kind() {
        HirKind::Literal(literal) => Some(vec![literal.0.to_ascii_lowercase()]),
        HirKind::Class(_) => letter(hir).map(|byte| vec![vec![byte]]),
        HirKind::Capture(capture) => needles(&capture.sub),
        HirKind::Repetition(repetition) if repetition.min > 0 => needles(&repetition.sub),
        HirKind::Alternation(branches) => {
            let mut all = Vec::new();
            for branch in branches {
                all.extend(needles(branch)?);
                if all.len() > MOST {
                    return None;
                }
            }
            all.sort();
            all.dedup();
            Some(all)
        }
        HirKind::Concat(parts) => best_of(parts),
        HirKind::Empty | HirKind::Look(_) | HirKind::Repetition(_) => None,
    }
}

/// The best that any part offers: letters that follow each other count as one part.
fn best_of(parts: &[Hir]) -> Option<Vec<Vec<u8>>> {
    let mut best: Option<Vec<Vec<u8>>> = None;
    let mut run: Vec<u8> = Vec::new();
    let mut offer = |set: Vec<Vec<u8>>| {
        if !set.is_empty() && best.as_ref().is_none_or(|best| worth(&set) > worth(best)) {
            best = Some(set);
        }
    };
    for part in parts {
        match (part.kind(), letter(part)) {
            (HirKind::Literal(literal), _) => run.extend(literal.0.to_ascii_lowercase()),
            (_, Some(byte)) => run.push(byte),
            (HirKind::Look(_), None) => {
                // Takes no text: what stands around it follows each other.
            }
            (_, None) => {
                if !run.is_empty() {
                    offer(vec![std::mem::take(&mut run)]);
                }
                if let Some(set) = needles(part) {
                    offer(set);
                }
            }
        }
    }
    if !run.is_empty() {
        offer(vec![run]);
    }
    best
}

/// The shortest literal says how rarely a set is met; of equals the smaller set.
fn worth(set: &[Vec<u8>]) -> (usize, std::cmp::Reverse<usize>) {
    let rare = set.iter().map(|literal| rare_bytes(literal)).min().unwrap_or(0);
    (rare, std::cmp::Reverse(set.len()))
}

/// How many bytes of a literal say something: all, unless it is (part of) what stands in most names.
pub fn rare_bytes(literal: &[u8]) -> usize {
    let common = |common: &&[u8]| memchr::memmem::find(common, literal).is_some();
    match literal {
        _ if COMMON.iter().any(common) => 1,
        // Most likely a TLD.
        [b'.', label @ ..] if label.iter().all(u8::is_ascii_alphabetic) => literal.len().min(2),
        _ => literal.len(),
    }
}

/// The letter that a class of one letter in both cases stands for: how `a` is written where case is ignored.
fn letter(hir: &Hir) -> Option<u8> {
    let HirKind::Class(class) = hir.kind() else { return None };
    let bytes: Vec<u8> = match class {
        Class::Bytes(class) if class.ranges().len() <= 2 => {
            let ranges = class.ranges().iter();
            ranges.flat_map(|range| range.start()..=range.end()).take(3).collect()
        }
        _ => return None,
    };
    match bytes.as_slice() {
        [one] => Some(one.to_ascii_lowercase()),
        [upper, lower] if upper.is_ascii_uppercase() && upper.to_ascii_lowercase() == *lower => Some(*lower),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::list::pattern::syntax;
    use regex_automata::util::syntax::parse_with;

    #[track_caller]
    fn check(expression: &str, expected: &[&str]) {
        let hir = parse_with(expression, &syntax()).unwrap();
        let mut found = needles(&hir).unwrap_or_default();
        found.sort();
        let found: Vec<String> = found.into_iter().map(|one| String::from_utf8(one).unwrap()).collect();
        assert_eq!(found, expected, "{expression}");
    }

    #[test]
    fn every_match_of_an_expression_holds_one_of_its_needles() {
        check(r"^stat(s|istics)?[0-9]*[_.-]", &["stat"]);
        check(r"^(www[0-9]*\.)?xn--", &["xn--"]);
        check(r"(^|\.)[1-9]+zipai\.(com|net)$", &["zipai."]);
        check(r"(^|\.)91p[0-9]\.com$", &["91p"]);
        check(r"(^|\.)uu[a-z]\.com$", &["uu"]);
        check(r"(^|\.)3[0-9]{2}\.icu$", &[".icu"]);
        check(r"^139\.45\.197\.2(4[0-9]|5[0-4])", &["139.45.197.2"]);
        check(r"^(facebook|TIKTOK)\.", &["facebook", "tiktok"]);
        check(r"^.+$", &[]);
        check(r"^[a-z]{1,4}$", &[]);
        check(r"(ads|[0-9]+)\.example", &[".example"]);
        check(r"(^|\.)18j[efg]\.life$", &["18j"]);
        check(r"(?:a|b|[cd])?", &[]);
    }
}
