//! Lines and words, as every format needs them.

use super::collect::{Collector, Line};
use crate::limits;

/// Calls `each` for every line, without blanks around it, and counts the lines. Lines end with LF or CR LF; the last one
/// may lack its end. A line longer than [`limits::LIST_LINE_BYTES`] is rejected.
pub fn each_line(bytes: &[u8], out: &mut Collector, mut each: impl FnMut(&[u8], &mut Collector) -> Line) {
    each_whole_line(bytes, out, |line, out| each(line.trim_ascii(), out));
}

/// As [`each_line`], with the blanks around each line.
pub fn each_whole_line(bytes: &[u8], out: &mut Collector, mut each: impl FnMut(&[u8], &mut Collector) -> Line) {
    let mut start = 0;
    let ends = memchr::memchr_iter(b'\n', bytes).chain((!bytes.ends_with(b"\n")).then_some(bytes.len()));
    for end in ends {
        if start == bytes.len() {
            break;
        }
        let line = &bytes[start..end];
        start = end + 1;
        out.begin_line();
        let kind = if line.len() > limits::LIST_LINE_BYTES {
            out.reject(
                line,
                format_args!("the line is longer than {} bytes", limits::LIST_LINE_BYTES),
            );
            Line::Entries
        } else {
            each(line, out)
        };
        out.end_line(kind);
    }
}

/// The words of a line, apart by blanks.
#[derive(Clone)]
pub struct Words<'a>(pub &'a [u8]);

impl<'a> Iterator for Words<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        let start = self.0.iter().position(|&byte| !is_blank(byte))?;
        let rest = &self.0[start..];
        let end = rest.iter().position(|&byte| is_blank(byte)).unwrap_or(rest.len());
        self.0 = &rest[end..];
        Some(&rest[..end])
    }
}

/// A space, a tab, or another character that editors show as nothing.
#[inline]
pub fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | 0x0b | 0x0c)
}

/// The line up to the first of these characters, without blanks at its end.
#[inline]
pub fn before_comment<'a>(line: &'a [u8], marks: &[u8]) -> &'a [u8] {
    let end = match marks {
        [mark] => memchr::memchr(*mark, line),
        _ => line.iter().position(|byte| marks.contains(byte)),
    };
    line[..end.unwrap_or(line.len())].trim_ascii_end()
}

/// What stands behind `key` in a header such as `! Last modified: 2026-08-16`, whatever the letter case.
pub fn header<'a>(comment: &'a [u8], key: &str) -> Option<&'a [u8]> {
    let text = comment.trim_ascii_start();
    let text = text.trim_prefix_bytes(b"#!;/ \t");
    let (head, tail) = text.split_at_checked(key.len())?;
    head.eq_ignore_ascii_case(key.as_bytes()).then_some(())?;
    tail.trim_ascii().strip_prefix(b":").map(<[u8]>::trim_ascii)
}

trait TrimPrefix {
    fn trim_prefix_bytes(&self, set: &[u8]) -> &Self;
}

impl TrimPrefix for [u8] {
    fn trim_prefix_bytes(&self, set: &[u8]) -> &[u8] {
        let start = self.iter().position(|byte| !set.contains(byte)).unwrap_or(self.len());
        &self[start..]
    }
}
