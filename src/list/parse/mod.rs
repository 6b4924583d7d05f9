//! The `parse` stop of a list's road: the bytes of one list become rules.
//!
//! In: unpacked bytes, what the operator said of the source. Out: [`Parsed`], with every line accounted for.
//! Always: the same bytes and options give the same rules; no panic on any bytes; nothing is read or fetched.
//! Fails: a line that is no rule is counted with its reason and left out; something that is no list at all
//! (an HTML page, a program) is a [`ParseError`].

mod adguard;
mod collect;
mod detect;
mod dnscrypt;
mod dnsmasq;
mod domains;
mod dump;
mod hosts;
mod line;
mod regex;
mod rpz;
mod unbound;
mod v2fly;
mod wide;

use crate::config::settings::{ListAction, MatchScope};
use crate::limits;
use crate::list::rule::Parsed;
use crate::list::rule::Scope;
use crate::list::source::Format;
use collect::Collector;

pub use dump::{Part, split_dump};

/// What the operator said of a source, as far as parsing depends on it.
#[derive(Debug, Clone)]
pub struct Options {
    /// `None`: told from the content and the file name.
    pub format: Option<Format>,
    /// Only a hint for the format; may be empty.
    pub file_name: String,
    pub action: ListAction,
    pub match_scope: Option<MatchScope>,
    /// Whether the list may redirect; otherwise its redirections block.
    pub rewrite: bool,
    /// Whether somebody else publishes the list, so that it must not switch filtering off.
    pub fetched: bool,
}

/// Why a file is not a list at all. Each reads as the end of a sentence that begins with the name of the source.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    #[error("is a web page, not a list; check the address it came from")]
    WebPage,
    #[error("is JSON, not a list; check the address it came from")]
    Json,
    #[error("is a binary file, not a list")]
    Binary,
    #[error("is UTF-16 text; lists are read as UTF-8, so save it as that")]
    Utf16,
    #[error("is larger than the {} bytes a list may have", limits::LIST_BYTES)]
    TooLarge,
}

/// Parses one list. An empty one is a list without rules.
pub fn parse(bytes: &[u8], options: &Options) -> Result<(Format, Parsed), ParseError> {
    if bytes.len() as u64 > limits::LIST_BYTES {
        return Err(ParseError::TooLarge);
    }
    let is_dump = detect::is_dump(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes));
    if !is_dump {
        detect::refuse(bytes)?;
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let format = match options.format {
        Some(format) => format,
        None if is_dump => Format::Dump,
        None => detect::detect(bytes, &options.file_name),
    };
    let mut out = Collector::new(options, bytes.len());
    match format {
        Format::Hosts => {
            let mut hosts = hosts::Hosts::default();
            line::each_line(bytes, &mut out, |line, out| hosts.line(line, out));
        }
        Format::Adguard if adguard::has_rules(bytes) => {
            let mut adguard = adguard::Adguard::new(Scope::Exact, &mut out);
            line::each_line(bytes, &mut out, |line, out| adguard.line(line, out));
        }
        Format::Domains | Format::Wildcard | Format::Adguard => {
            let mut domains = domains::Domains::new(&mut out);
            line::each_line(bytes, &mut out, |line, out| domains.line(line, out));
        }
        Format::Regex => line::each_line(bytes, &mut out, regex::line),
        Format::Rpz => rpz::parse(bytes, &mut out),
        Format::Dnsmasq => {
            let mut dnsmasq = dnsmasq::Dnsmasq::new(&mut out);
            line::each_line(bytes, &mut out, |line, out| dnsmasq.line(line, out));
        }
        Format::Unbound => {
            let mut unbound = unbound::Unbound::new(bytes, &mut out);
            line::each_line(bytes, &mut out, |line, out| unbound.line(line, out));
        }
        Format::Dnscrypt => line::each_line(bytes, &mut out, dnscrypt::line),
        Format::V2fly => line::each_line(bytes, &mut out, v2fly::line),
        Format::Dump => line::each_whole_line(bytes, &mut out, dump::line),
    }
    Ok((format, out.finish()))
}

/// Takes the date or version that a list gives itself in a comment, or the licence it is under.
fn note_header(comment: &[u8], out: &mut Collector) {
    for key in ["license", "licence", "spdx-license-identifier"] {
        if let Some(value) = line::header(comment, key) {
            out.licensed(value);
            return;
        }
    }
    for key in [
        "last modified",
        "last updated",
        "updated",
        "date",
        "timestamp",
        "version",
    ] {
        if let Some(value) = line::header(comment, key) {
            out.dated(value);
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn licence(text: &str, format: Format) -> Option<String> {
        let options = Options {
            format: Some(format),
            file_name: String::new(),
            action: ListAction::Block,
            match_scope: None,
            rewrite: false,
            fetched: true,
        };
        parse(text.as_bytes(), &options).expect("a list").1.licence
    }

    #[test]
    fn the_licence_is_what_the_first_such_header_of_a_list_says_whatever_its_format() {
        for (format, mark, rule) in [
            (Format::Hosts, "#", "0.0.0.0 a.example"),
            (Format::Domains, "#", "a.example"),
            (Format::Wildcard, "#", "*.a.example"),
            (Format::Adguard, "!", "||a.example^"),
            (Format::Regex, "#", "^a\\."),
            (Format::Rpz, ";", "a.example CNAME ."),
            (Format::Dnsmasq, "#", "address=/a.example/"),
            (Format::Unbound, "#", "local-zone: \"a.example\" always_nxdomain"),
            (Format::Dnscrypt, "#", "a.example"),
            (Format::V2fly, "#", "domain:a.example"),
        ] {
            let text = format!("{mark} Title: x\n{mark} License: MIT, see LICENSE\n{rule}\n{mark} Licence: other\n");
            assert_eq!(licence(&text, format).as_deref(), Some("MIT, see LICENSE"), "{format}");
            let words = format!("{mark} Licence terms of others\n{mark} license:\n{rule}\n");
            assert_eq!(licence(&words, format), None, "{format}");
        }
        let british = "# LICENCE: CC0-1.0\n# SPDX-License-Identifier: MIT\n";
        assert_eq!(licence(british, Format::Hosts).as_deref(), Some("CC0-1.0"));
        assert_eq!(
            licence("# SPDX-License-Identifier: MIT\n", Format::Hosts).as_deref(),
            Some("MIT")
        );
    }

    #[test]
    fn the_licence_of_a_list_is_in_its_gate() {
        let gate = crate::list::set::Gate::from_lists(&[("a", "x", "# License: MIT\n0.0.0.0 a.example\n")]);
        assert_eq!(gate.sources()[0].licence.as_deref(), Some("MIT"));
    }
}
