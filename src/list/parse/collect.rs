//! Where parsers put what they find: rules, rejects and the account of lines.
//!
//! In: entries, line by line. Out: a [`Parsed`].
//! Always: what the operator said of the source (action, match, rewrite, fetched) is applied here and nowhere else, so that
//! it holds for every format alike; each line is counted once.

use super::Options;
use super::wide;
use crate::config::settings::{ListAction, MatchScope};
use crate::limits;
use crate::list::normalize::{self, NameFault};
use crate::list::rule::{Effect, Modifiers, NameEntry, Parsed, Pattern, PatternEntry, Reject, Scope, Template};
use std::collections::HashMap;
use std::fmt::Display;

/// What a line was, when no rule was taken from it and nothing rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line {
    /// It holds entries; those that were taken or rejected decide how it counts.
    Entries,
    /// A comment, a blank line, a header.
    Comment,
    /// Right, but not for a resolver.
    Skipped,
}

/// Index of a template of the list at hand, and whether its rules let names through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TemplateId {
    index: u16,
    allows: bool,
}

pub struct Collector {
    parsed: Parsed,
    indices: HashMap<Template, u16>,
    action: ListAction,
    match_scope: Option<MatchScope>,
    rewrite: bool,
    fetched: bool,
    /// Number of the line at hand, from 1.
    line: u32,
    /// The number that its rules get instead.
    written_at: Option<u32>,
    /// Rules and rejects when the line at hand began.
    rules_before: u64,
    rejects_before: u64,
}

impl Collector {
    pub fn new(options: &Options, bytes: usize) -> Collector {
        let mut parsed = Parsed::default();
        // Most of a list is its names.
        parsed.keys.reserve(bytes);
        parsed.names.reserve(bytes / 24);
        Collector {
            parsed,
            indices: HashMap::new(),
            action: options.action,
            match_scope: options.match_scope,
            rewrite: options.rewrite,
            fetched: options.fetched,
            line: 0,
            written_at: None,
            rules_before: 0,
            rejects_before: 0,
        }
    }

    /// Whether somebody else publishes the list.
    pub fn fetched(&self) -> bool {
        self.fetched
    }

    /// Gives the rules of the line at hand another line number, until the next line begins.
    pub fn written_at(&mut self, line: Option<u32>) {
        self.written_at = line;
    }

    /// Begins the next line.
    pub fn begin_line(&mut self) {
        self.line = self.line.saturating_add(1);
        self.parsed.counts.lines += 1;
        self.written_at = None;
        self.rules_before = self.parsed.counts.rules;
        self.rejects_before = self.parsed.counts.rejects;
    }

    /// Ends the line at hand and counts it.
    pub fn end_line(&mut self, line: Line) {
        self.end_lines(line, 1);
    }

    /// Ends `lines` lines that were one entry (a record in parentheses) and counts each like it.
    pub fn end_lines(&mut self, line: Line, lines: u64) {
        let counts = &mut self.parsed.counts;
        if counts.rules > self.rules_before {
            counts.rule_lines += lines;
        } else if counts.rejects > self.rejects_before {
            counts.rejected_lines += lines;
        } else if line == Line::Comment {
            counts.comments += lines;
        } else {
            counts.skipped += lines;
        }
    }

    /// Counts lines that continue the entry which began at the line at hand, before its [`end_lines`](Collector::end_lines).
    pub fn continue_lines(&mut self, lines: u64) {
        self.parsed.counts.lines += lines;
    }

    /// Moves the number of the line at hand past the lines that continued it.
    pub fn advance(&mut self, lines: u64) {
        self.line = self.line.saturating_add(u32::try_from(lines).unwrap_or(u32::MAX));
    }

    /// The template of rules that block and nothing else.
    pub fn block(&mut self) -> TemplateId {
        // The first template of a list always fits.
        self.template(Effect::Block, Modifiers::default(), false)
            .unwrap_or(TemplateId {
                index: 0,
                allows: false,
            })
    }

    /// The template with this effect, as far as the source may have it; `None` (and a reject of `entry` is due) when the
    /// list has too many different ones.
    pub fn template(&mut self, effect: Effect, modifiers: Modifiers, badfilter: bool) -> Option<TemplateId> {
        let effect = self.permitted(effect);
        let allows = matches!(effect, Effect::Allow) && !badfilter;
        let template = Template {
            effect,
            modifiers,
            badfilter,
        };
        if let Some(&index) = self.indices.get(&template) {
            return Some(TemplateId { index, allows });
        }
        let index = u16::try_from(self.parsed.templates.len()).ok()?;
        self.parsed.templates.push(template.clone());
        self.indices.insert(template, index);
        Some(TemplateId { index, allows })
    }

    /// What the operator lets the list do in place of `effect`.
    fn permitted(&self, effect: Effect) -> Effect {
        match effect {
            // Taking back a rewrite changes no answer for the worse.
            Effect::Unrewrite(taken_back) => Effect::Unrewrite(taken_back),
            _ if self.action == ListAction::Allow => Effect::Allow,
            Effect::Data { .. } | Effect::Cname(_) | Effect::CnameBelow(_) if !self.rewrite => Effect::Block,
            other => other,
        }
    }

    /// Takes a name rule, or rejects it with the reason.
    pub fn name(&mut self, text: &[u8], scope: Scope, template: TemplateId) {
        if let Err(fault) = self.try_name(text, scope, template) {
            self.reject(text, fault);
        }
    }

    /// Takes a name rule; on a fault nothing has happened yet.
    pub fn try_name(&mut self, text: &[u8], scope: Scope, template: TemplateId) -> Result<(), NameFault> {
        let start = self.parsed.keys.len();
        let length = normalize::push_key(text, &mut self.parsed.keys)?;
        self.keep_name(start, length, scope, template, text);
        Ok(())
    }

    /// As [`try_name`](Collector::try_name) for ASCII names only: the fast way of the large formats.
    #[inline]
    pub fn try_plain_name(&mut self, text: &[u8], scope: Scope, template: TemplateId) -> Result<(), NameFault> {
        let start = self.parsed.keys.len();
        let length = normalize::push_plain_key(text, &mut self.parsed.keys)?;
        self.keep_name(start, length, scope, template, text);
        Ok(())
    }

    /// Takes a name rule whose key is known; `text` is the entry as written.
    pub fn key(&mut self, key: &[u8], scope: Scope, template: TemplateId, text: &[u8]) {
        let start = self.parsed.keys.len();
        let Ok(length) = u8::try_from(key.len()) else {
            self.reject(text, NameFault::LongName);
            return;
        };
        self.parsed.keys.extend_from_slice(key);
        self.keep_name(start, length, scope, template, text);
    }

    #[inline]
    fn keep_name(&mut self, start: usize, length: u8, scope: Scope, template: TemplateId, text: &[u8]) {
        let scope = match self.match_scope {
            None => scope,
            Some(MatchScope::Exact) => Scope::Exact,
            Some(MatchScope::Subtree) => Scope::Subtree,
        };
        let Ok(key_start) = u32::try_from(start) else {
            self.parsed.keys.truncate(start);
            self.reject(text, "the list holds more than 4 GiB of names");
            return;
        };
        if template.allows && self.fetched && wide::key_is_wide(&self.parsed.keys[start..]) {
            self.parsed.keys.truncate(start);
            self.reject(text, TOO_WIDE);
            return;
        }
        self.parsed.names.push(NameEntry {
            key_start,
            key_len: length,
            scope,
            template: template.index,
            line: self.written_at.unwrap_or(self.line),
        });
        self.parsed.counts.rules += 1;
    }

    /// Takes a rule that is not about a single name; `text` is the entry as written.
    pub fn pattern(&mut self, pattern: Pattern, template: TemplateId, text: &[u8]) {
        if template.allows && self.fetched && wide::pattern_is_wide(&pattern) {
            self.reject(text, TOO_WIDE);
            return;
        }
        self.parsed.patterns.push(PatternEntry {
            pattern,
            template: template.index,
            line: self.written_at.unwrap_or(self.line),
        });
        self.parsed.counts.rules += 1;
    }

    /// Rejects an entry of the line at hand.
    #[cold]
    pub fn reject(&mut self, entry: &[u8], reason: impl Display) {
        self.parsed.counts.rejects += 1;
        if self.parsed.rejects.len() < limits::LIST_REJECTS_KEPT {
            // A character has at most four bytes; what was cut in two becomes a replacement character and goes.
            let head = &entry[..entry.len().min(4 * ENTRY_CHARACTERS)];
            let entry: String = String::from_utf8_lossy(head)
                .chars()
                .map(|c| if c.is_control() { ' ' } else { c })
                .take(ENTRY_CHARACTERS)
                .collect();
            self.parsed.rejects.push(Reject {
                line: self.line,
                reason: reason.to_string(),
                entry,
            });
        }
    }

    /// Notes the date or version that the list gives itself; the first one counts.
    pub fn dated(&mut self, text: &[u8]) {
        if self.parsed.dated.is_none() {
            self.parsed.dated = header_text(text);
        }
    }

    /// Notes the licence that the list says it is under; the first one counts.
    pub fn licensed(&mut self, text: &[u8]) {
        if self.parsed.licence.is_none() {
            self.parsed.licence = header_text(text);
        }
    }

    pub fn finish(mut self) -> Parsed {
        self.parsed.keys.shrink_to_fit();
        self.parsed.names.shrink_to_fit();
        let counts = self.parsed.counts;
        debug_assert_eq!(
            counts.lines,
            counts.rule_lines + counts.comments + counts.skipped + counts.rejected_lines,
            "each line is counted once"
        );
        self.parsed
    }
}

/// What a header says, fit to be shown; `None` if it says nothing.
fn header_text(text: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(&text[..text.len().min(4 * ENTRY_CHARACTERS)]);
    let shown = text.trim().chars().filter(|c| !c.is_control());
    let text: String = shown.take(ENTRY_CHARACTERS).collect();
    (!text.is_empty()).then_some(text)
}

/// How much of a rejected entry or a header is kept, in characters.
const ENTRY_CHARACTERS: usize = 120;

/// Why an allow rule of a fetched list is rejected.
const TOO_WIDE: &str = "lets through a whole top-level domain, a client or more, which a fetched list may not";

/// Why a rule with yet another effect is rejected.
pub const TOO_MANY_TEMPLATES: &str = "the list has more than 65536 different effects and modifiers";
