//! Texts whose damage is found: every line carries its own check, and the last one that of all.
//!
//! In: a header and lines. Out: a text, and the lines from it again, up to the first that is wrong.
//! Always: the same lines give the same text, and a line that was cut off or changed is never taken for a whole one.
//! Fails: a text that is torn or damaged is the line and its [`Damage`]; what stood before has been handed over by then.
//!
//! The first line says what the text is and of which version. Then a line each, the check of the rest before it and a tab between;
//! the last is `end`, how many there are, and the check of all before it, with tabs between.

use std::fmt::Write;

/// What is wrong with a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    #[error("is not \"{0}\": the file is of another version, or something else")]
    Header(&'static str),
    #[error("does not match its check")]
    Check,
    #[error("matches its check but makes no sense")]
    Meaning,
    #[error("has a key that stood before")]
    Twice,
    #[error("is one more than can be kept")]
    TooMany,
    #[error("is missing: the file ends in the middle")]
    Torn,
    #[error("is the end, but lines before it are missing or in another order")]
    End,
    #[error("stands behind the end")]
    Behind,
    #[error("says that it was added to another file")]
    Other,
}

/// The text of these lines, which hold no line ends.
pub fn text(header: &str, lines: impl Iterator<Item = String>) -> String {
    let mut text = format!("{header}\n");
    let mut count = 0;
    for line in lines {
        add_line(&mut text, &line);
        count += 1;
    }
    let all = check(text.as_bytes());
    let _ = writeln!(text, "end\t{count}\t{all:016x}");
    text
}

/// Adds a line with its check, for texts that grow.
pub fn add_line(text: &mut String, line: &str) {
    // Writing to a string does not fail.
    let _ = writeln!(text, "{:016x}\t{line}", check(line.as_bytes()));
}

/// Hands every line of a text to `take`, up to the first that is wrong; `Err` has its number, from 1.
pub fn read(
    header: &'static str,
    text: &str,
    mut take: impl FnMut(&str) -> Result<(), Damage>,
) -> Result<(), (usize, Damage)> {
    // A line without an end is half a line, even if it reads as a whole one.
    let whole = text.rfind('\n').map_or("", |last| &text[..=last]);
    let mut lines = (1..).zip(whole.split_terminator('\n'));
    let mut begin = match lines.next() {
        Some((_, first)) if first == header => header.len() + 1,
        None if header.starts_with(text) => return Err((1, Damage::Torn)),
        _ => return Err((1, Damage::Header(header))),
    };
    let (mut number, mut count) = (1, 0);
    for (line_number, line) in lines {
        number = line_number;
        if line.starts_with("end\t") {
            let all = check(&text.as_bytes()[..begin]);
            if line != format!("end\t{count}\t{all:016x}") {
                return Err((number, Damage::End));
            }
            return match text.len() == begin + line.len() + 1 {
                true => Ok(()),
                false => Err((number + 1, Damage::Behind)),
            };
        }
        begin += line.len() + 1;
        let rest = checked(line).ok_or((number, Damage::Check))?;
        take(rest).map_err(|damage| (number, damage))?;
        count += 1;
    }
    Err((number + 1, Damage::Torn))
}

/// What stands behind the check, if that is right.
pub fn checked(line: &str) -> Option<&str> {
    let (written, rest) = line.split_once('\t')?;
    (written == format!("{:016x}", check(rest.as_bytes()))).then_some(rest)
}

/// The check of some bytes. FNV-1a of 64 bits: it finds accidents, and nobody gains by forging a file they may write.
pub fn check(bytes: &[u8]) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, step)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "notes, version 1";

    fn lines(text: &str) -> (Vec<String>, Result<(), (usize, Damage)>) {
        let mut lines = Vec::new();
        let read = read(HEADER, text, |line| {
            lines.push(line.to_owned());
            Ok(())
        });
        (lines, read)
    }

    #[test]
    fn a_text_gives_back_its_lines_and_a_part_of_it_those_that_are_whole() {
        let written = ["one", "", "three\tcolumns"].map(str::to_owned);
        let whole = text(HEADER, written.clone().into_iter());
        assert_eq!(lines(&whole), (written.to_vec(), Ok(())));
        for end in 0..whole.len() {
            let (kept, damage) = lines(&whole[..end]);
            let ends = whole[..end].matches('\n').count();
            assert_eq!(damage, Err((ends + 1, Damage::Torn)), "{end}");
            assert_eq!(kept, written[..ends.saturating_sub(1).min(3)], "{end}");
        }
        let swapped = whole.replacen(&written[0], "eno", 1);
        assert_eq!(lines(&swapped), (Vec::new(), Err((2, Damage::Check))));
    }
}
