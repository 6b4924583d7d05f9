//! AdGuard patterns with inner stars or open ends, matched as they stand: without an engine, by looking for their pieces.
//!
//! In: a pattern as a list writes it, then texts. Out: whether it matches.
//! Always: the same answer as [`wildcard_expression`](crate::list::pattern::wildcard_expression) gives as an expression.

/// A pattern, taken apart.
#[derive(Debug)]
pub struct Glob {
    start: Start,
    /// What stands between the stars, lower case; one or more.
    pieces: Vec<Box<[u8]>>,
    /// The last piece ends the text.
    ends: bool,
    /// An end in the middle: nothing matches.
    never: bool,
}

/// Where the first piece may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Start {
    Anywhere,
    /// `||`: the beginning of the text or of a label.
    Label,
    /// `|`: the beginning of the text.
    Text,
}

impl Glob {
    pub fn new(pattern: &str) -> Glob {
        let (start, rest) = if let Some(rest) = pattern.strip_prefix("||") {
            (Start::Label, rest)
        } else if let Some(rest) = pattern.strip_prefix(['|', '^']) {
            (Start::Text, rest)
        } else {
            (Start::Anywhere, pattern)
        };
        let mut glob = Glob {
            start,
            pieces: Vec::new(),
            ends: false,
            never: false,
        };
        let mut piece = Vec::new();
        let bytes = rest.as_bytes();
        for (at, &byte) in bytes.iter().enumerate() {
            match byte {
                // Behind the end a star can only stand for nothing.
                b'*' if !glob.ends => glob.pieces.push(std::mem::take(&mut piece).into()),
                b'*' => {}
                b'^' => glob.ends = true,
                b'|' if at + 1 == bytes.len() => glob.ends = true,
                _ if glob.ends => glob.never = true,
                _ => piece.push(byte.to_ascii_lowercase()),
            }
        }
        glob.pieces.push(piece.into());
        glob
    }

    /// The longest piece: whatever matches holds it.
    pub fn longest_piece(&self) -> &[u8] {
        self.pieces
            .iter()
            .max_by_key(|piece| piece.len())
            .map_or(&[], |piece| piece)
    }

    pub fn matches(&self, text: &[u8]) -> bool {
        if self.never {
            return false;
        }
        match self.start {
            Start::Text => self.matches_at(text, 0),
            Start::Label => {
                let after_dots = memchr::memchr_iter(b'.', text).map(|dot| dot + 1);
                std::iter::once(0).chain(after_dots).any(|at| self.matches_at(text, at))
            }
            Start::Anywhere => (0..=text.len()).any(|at| self.matches_at(text, at)),
        }
    }

    /// The first piece at `at`, the others each as early as they can be, the last at the end if it must be there.
    fn matches_at(&self, text: &[u8], at: usize) -> bool {
        let Some((first, others)) = self.pieces.split_first() else {
            return true;
        };
        if !text[at..].starts_with(first) {
            return false;
        }
        let mut from = at + first.len();
        let Some((last, between)) = others.split_last() else {
            return !self.ends || from == text.len();
        };
        for piece in between {
            match memchr::memmem::find(&text[from..], piece) {
                Some(found) => from += found + piece.len(),
                None => return false,
            }
        }
        let rest = &text[from..];
        if self.ends {
            rest.ends_with(last)
        } else {
            memchr::memmem::find(rest, last).is_some()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::list::pattern::{syntax, wildcard_expression};
    use proptest::prelude::*;
    use regex_automata::meta::Regex;

    fn expression(pattern: &str) -> Regex {
        let expression = wildcard_expression(pattern);
        Regex::builder().syntax(syntax()).build(&expression).unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn a_glob_matches_what_its_expression_matches(
            start in "(\\|\\||\\||\\^|)",
            body in "[ab.*]{0,8}",
            end in "(\\^|\\||\\^\\||\\^\\*|\\*|\\^a|)",
            text in "[ab.]{0,10}",
        ) {
            let pattern = format!("{start}{body}{end}");
            prop_assert_eq!(Glob::new(&pattern).matches(text.as_bytes()), expression(&pattern).is_match(&text), "{}", pattern);
        }
    }

    #[test]
    fn the_longest_piece_is_in_every_match() {
        assert_eq!(
            Glob::new("||ads*.tracker.example^").longest_piece(),
            b".tracker.example"
        );
        assert_eq!(Glob::new("*").longest_piece(), b"");
    }
}
