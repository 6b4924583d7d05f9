//! What `dump` printed, read back: the rules of many sources in one file.
//!
//! In: lines of seven fields apart by tabs. Out: rules; and, before that, the file parted into its sources.

use super::collect::{Collector, Line, TOO_MANY_TEMPLATES};
use crate::list::dump::{self, Target, Traits};
use crate::list::pattern;
use crate::list::rule::Pattern;
use std::borrow::Cow;
use std::collections::HashMap;

/// One source of a dump.
#[derive(Debug, Clone)]
pub struct Part {
    pub category: String,
    pub source: String,
    /// Its action, its rank, and the format whose family it belongs to.
    pub traits: Traits,
    /// Its lines, in the order of the dump.
    pub bytes: Vec<u8>,
}

/// Parts a dump into its sources, in the order in which they first appear. Lines that are no rules (comments, and lines
/// that do not read) go with the first source, so that they are counted once.
pub fn split_dump(bytes: &[u8]) -> Vec<Part> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut parts: Vec<Part> = Vec::new();
    let mut indices: HashMap<(Vec<u8>, Vec<u8>), usize> = HashMap::new();
    let mut strays = Vec::new();
    for line in bytes.split_inclusive(|&byte| byte == b'\n') {
        let mut fields = line.trim_ascii_end().split(|&byte| byte == b'\t').skip(3);
        let (Some(modifiers), Some(category), Some(source)) = (fields.next(), fields.next(), fields.next()) else {
            strays.extend_from_slice(line);
            continue;
        };
        let key = (category.to_vec(), source.to_vec());
        let index = *indices.entry(key).or_insert_with(|| {
            let traits = std::str::from_utf8(modifiers)
                .ok()
                .and_then(|text| dump::parse_modifiers(text).ok())
                .map_or_else(Traits::default, |(_, traits)| traits);
            parts.push(Part {
                category: String::from_utf8_lossy(category).into_owned(),
                source: String::from_utf8_lossy(source).into_owned(),
                traits,
                bytes: Vec::new(),
            });
            parts.len() - 1
        });
        let part = &mut parts[index].bytes;
        part.extend_from_slice(line);
        if !part.ends_with(b"\n") {
            part.push(b'\n');
        }
    }
    if !strays.is_empty() {
        match parts.first_mut() {
            Some(part) => part.bytes.extend_from_slice(&strays),
            None => parts.push(Part {
                category: String::new(),
                source: String::new(),
                traits: Traits::default(),
                bytes: strays,
            }),
        }
    }
    parts
}

/// Whether a line has the columns of a dump: seven, with a word of [`dump::KINDS`] and a number where they belong.
pub fn is_row(line: &[u8]) -> bool {
    let mut fields = row(line).split(|&byte| byte == b'\t').skip(1);
    let Some(kind) = fields.next() else {
        return false;
    };
    let number = fields.by_ref().nth(4);
    dump::KINDS.iter().any(|known| known.as_bytes() == kind)
        && number.is_some_and(|number| number.iter().all(u8::is_ascii_digit))
        && fields.next().is_none()
}

/// A line without its end; blanks at its start belong to the pattern.
fn row(line: &[u8]) -> &[u8] {
    line.trim_ascii_end()
}

/// Reads one line.
pub fn line(line: &[u8], out: &mut Collector) -> Line {
    let line = row(line);
    // A pattern may begin with the sign of a comment.
    if matches!(line.trim_ascii_start(), [] | [b'#', ..]) && !is_row(line) {
        return Line::Comment;
    }
    match rule(line, out) {
        Ok(()) => {}
        Err(reason) => out.reject(line, reason),
    }
    Line::Entries
}

fn rule(line: &[u8], out: &mut Collector) -> Result<(), Cow<'static, str>> {
    let text = std::str::from_utf8(line).map_err(|_| "the line is not UTF-8")?;
    let fields: Vec<&str> = text.split('\t').collect();
    let &[pattern, kind, effect, modifiers, _category, _source, number] = fields.as_slice() else {
        return Err("the line has not the seven fields of a dump".into());
    };
    let target = dump::parse_target(kind, pattern)?;
    let effect = dump::parse_effect(effect)?;
    let (modifiers, _) = dump::parse_modifiers(modifiers)?;
    // Where the rule stood in the list it came from, if the dump knew.
    out.written_at(number.parse().ok().filter(|&number| number > 0));
    let template = out.template(effect, modifiers, false).ok_or(TOO_MANY_TEMPLATES)?;
    match target {
        Target::Name(key, scope) => out.key(&key, scope, template, line),
        // A dump written by hand may spell an expression as other engines do.
        Target::Pattern(Pattern::Regex(expression)) => {
            out.pattern(Pattern::Regex(pattern::checked(&expression)?), template, line);
        }
        Target::Pattern(pattern) => out.pattern(pattern, template, line),
    }
    Ok(())
}
