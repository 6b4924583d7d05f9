//! Parts a master file into records: blanks, quotes, parentheses over several lines, comments.
//!
//! In: bytes. Out: the fields of one record after another, and the account of the lines they stand on.
//! Always: a parenthesis or quote that is never closed spoils its own line only. Keeps: RFC 1035 §5.1.

use super::super::collect::{Collector, Line};
use crate::limits;

/// One record, directive or comment.
pub struct Record<'a> {
    /// Words, and strings with their quotes. Empty for a comment or a blank line.
    pub fields: Vec<&'a [u8]>,
    /// Whether the first line begins with a blank: the owner is the one before.
    pub indented: bool,
    /// The first line, for messages.
    pub text: &'a [u8],
}

/// How many lines a record in parentheses may have before the opening one is taken for a mistake.
const RECORD_LINES: usize = 64;

pub fn each_record(bytes: &[u8], out: &mut Collector, mut each: impl FnMut(&Record<'_>, &mut Collector) -> Line) {
    let mut at = 0;
    let mut record = Record {
        fields: Vec::new(),
        indented: false,
        text: b"",
    };
    while at < bytes.len() {
        let (line, mut next) = line_at(bytes, at);
        out.begin_line();
        if line.len() > limits::LIST_LINE_BYTES {
            out.reject(
                line,
                format_args!("the line is longer than {} bytes", limits::LIST_LINE_BYTES),
            );
            out.end_line(Line::Entries);
            at = next;
            continue;
        }
        record.fields.clear();
        record.indented = matches!(line.first(), Some(b' ' | b'\t'));
        record.text = line.trim_ascii();
        let mut depth = 0i32;
        let mut good = split(line, &mut record.fields, &mut depth);
        let mut more = 0u64;
        if good && depth > 0 {
            let (fields, after) = (record.fields.len(), next);
            while depth > 0 && good && (more as usize) < RECORD_LINES && next < bytes.len() {
                let (line, following) = line_at(bytes, next);
                good = split(line, &mut record.fields, &mut depth);
                next = following;
                more += 1;
            }
            if depth != 0 || !good {
                record.fields.truncate(fields);
                (next, more) = (after, 0);
                good = false;
            }
        }
        let line = if good && depth == 0 {
            out.continue_lines(more);
            each(&record, out)
        } else {
            out.reject(record.text, "a parenthesis or quote has no other end");
            Line::Entries
        };
        out.end_lines(line, 1 + more);
        out.advance(more);
        at = next;
    }
}

/// The line that begins at `at`, without its end, and where the next one begins.
fn line_at(bytes: &[u8], at: usize) -> (&[u8], usize) {
    let end = memchr::memchr(b'\n', &bytes[at..]).map_or(bytes.len(), |length| at + length);
    let line = &bytes[at..end];
    (line.strip_suffix(b"\r").unwrap_or(line), end + 1)
}

/// Appends the fields of one line; `false` if a quote in it has no end.
fn split<'a>(line: &'a [u8], fields: &mut Vec<&'a [u8]>, depth: &mut i32) -> bool {
    let mut at = 0;
    while let Some(&byte) = line.get(at) {
        match byte {
            b' ' | b'\t' | b'\r' | 0x0b | 0x0c => at += 1,
            b';' => return true,
            b'(' => {
                *depth += 1;
                at += 1;
            }
            b')' => {
                *depth -= 1;
                at += 1;
            }
            b'"' => {
                let mut end = at + 1;
                loop {
                    match line.get(end) {
                        None => return false,
                        Some(b'\\') => end += 2,
                        Some(b'"') => break,
                        Some(_) => end += 1,
                    }
                }
                fields.push(&line[at..=end]);
                at = end + 1;
            }
            _ => {
                let start = at;
                // A quote within a word belongs to it: key="value" of service records.
                let mut in_quotes = false;
                while let Some(&byte) = line.get(at) {
                    match byte {
                        b'\\' => at += 1,
                        b'"' => in_quotes = !in_quotes,
                        b' ' | b'\t' | b'\r' | b';' | b'(' | b')' if !in_quotes => break,
                        _ => {}
                    }
                    at += 1;
                }
                at = at.min(line.len());
                fields.push(&line[start..at]);
            }
        }
    }
    true
}
