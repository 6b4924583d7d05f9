//! Tells how a list is written, and what is no list at all.
//!
//! In: unpacked bytes, a file name. Out: a [`Format`], or a [`ParseError`].
//! Always: content decides over the name; the name decides only among formats that the content fits alike.

use super::ParseError;
use super::dump;
use super::line::{self, Words};
use super::v2fly;
use crate::list::normalize;
use crate::list::source::Format;

/// How many lines with entries have a vote.
const VOTERS: usize = 600;
/// How many bytes are looked at to find them.
const BYTES: usize = 4 << 20;
/// How much of one line is looked at.
const LINE_BYTES: usize = 4096;

/// Whether most lines have the shape of a dump's. That comes before anything else, since the patterns of a dump may look
/// like the rules of any other format, or like a page's first tag.
pub fn is_dump(bytes: &[u8]) -> bool {
    let head = &bytes[..bytes.len().min(BYTES)];
    let entries = head
        .split(|&byte| byte == b'\n')
        .filter(|line| dump::is_row(line) || !matches!(line.trim_ascii(), [] | [b'#', ..]));
    let (mut rows, mut others) = (0, 0);
    for line in entries.take(VOTERS) {
        if dump::is_row(line) {
            rows += 1;
        } else {
            others += 1;
        }
    }
    rows > others
}

/// Refuses what is no text, or text that is no list.
pub fn refuse(bytes: &[u8]) -> Result<(), ParseError> {
    const MAGICS: [&[u8]; 10] = [
        b"%PDF-",
        b"\x7fELF",
        b"PK\x03\x04",
        b"\x89PNG",
        b"GIF8",
        b"\xff\xd8\xff",
        b"BZh",
        b"7z\xbc\xaf",
        b"Rar!",
        b"SQLite format 3",
    ];
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return Err(ParseError::Utf16);
    }
    if MAGICS.iter().any(|magic| bytes.starts_with(magic)) {
        return Err(ParseError::Binary);
    }
    let head = &bytes[..bytes.len().min(64 << 10)];
    let controls = head
        .iter()
        .filter(|&&byte| (byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)) || byte == 0x7f)
        .count();
    // Random bytes have ten in a hundred; a list with a few stray ones is still a list.
    if controls * 50 > head.len() {
        return Err(ParseError::Binary);
    }
    // Pages are published with a byte order mark too.
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    let start = text[..text.len().min(1024)].to_ascii_lowercase();
    let holds = |word: &[u8]| memchr::memmem::find(&start, word).is_some();
    match text {
        [b'<', ..]
            if [
                &b"<!doctype"[..],
                b"<html",
                b"<head",
                b"<?xml",
                b"<script",
                b"<body",
                b"<rss",
                b"<svg",
            ]
            .iter()
            .any(|tag| holds(tag)) =>
        {
            Err(ParseError::WebPage)
        }
        [b'{', rest @ ..] if rest.trim_ascii_start().starts_with(b"\"") || rest.trim_ascii() == b"}" => {
            Err(ParseError::Json)
        }
        [b'[', rest @ ..] if matches!(rest.trim_ascii_start(), [b'{' | b'"', ..]) => Err(ParseError::Json),
        _ => Ok(()),
    }
}

/// The format that most lines speak for, of those that are no dump.
pub fn detect(bytes: &[u8], file_name: &str) -> Format {
    let mut votes = [0usize; Format::ALL.len()];
    let mut voters = 0;
    let mut header = false;
    let head = &bytes[..bytes.len().min(BYTES)];
    for line in head.split(|&byte| byte == b'\n') {
        let line = &line[..line.len().min(LINE_BYTES)];
        if line.to_ascii_lowercase().starts_with(b"[adblock") {
            header = true;
        }
        if let Some(format) = vote(line) {
            votes[format as usize] += 1;
            voters += 1;
            if voters == VOTERS {
                break;
            }
        }
    }
    let of = |format: Format| votes[format as usize];
    let hint = hint(file_name);
    let strongest = [
        Format::Unbound,
        Format::Dnsmasq,
        Format::Rpz,
        Format::Hosts,
        Format::Regex,
    ]
    .into_iter()
    .find(|&format| of(format) * 2 > voters);
    let neutral = of(Format::Domains) + of(Format::Wildcard);
    if let Some(format) = strongest
        // Hosts lines and expressions stand in AdGuard lists too.
        && !(matches!(format, Format::Hosts | Format::Regex) && (header || of(Format::Adguard) * 10 >= voters))
    {
        return format;
    }
    if header || (of(Format::Adguard) > 0 && of(Format::Adguard) * 10 >= voters) {
        return Format::Adguard;
    }
    if of(Format::V2fly) > 0 && (of(Format::V2fly) + neutral) * 10 >= voters * 9 {
        return Format::V2fly;
    }
    if of(Format::Dnscrypt) * 20 >= voters.max(1) && of(Format::Dnscrypt) > of(Format::Wildcard) {
        return Format::Dnscrypt;
    }
    // Plain names fit several formats; any other content has decided by now, or is a mixture that the reader of plain
    // entries knows best what to do with.
    if let Some(format @ (Format::Regex | Format::V2fly | Format::Dnscrypt | Format::Wildcard | Format::Adguard)) = hint
        && (neutral + of(format)) * 2 > voters
    {
        return format;
    }
    if voters == 0 {
        return hint.unwrap_or(Format::Domains);
    }
    if of(Format::Wildcard) > of(Format::Domains) {
        Format::Wildcard
    } else {
        Format::Domains
    }
}

/// What the parts of a file name say.
fn hint(file_name: &str) -> Option<Format> {
    let name = file_name.to_ascii_lowercase();
    let parts = name.split(['.', '-', '_']).rev();
    let mut parts = parts.filter_map(|part| {
        Some(match part {
            "hosts" | "hosts6" => Format::Hosts,
            "domains" => Format::Domains,
            "wildcard" => Format::Wildcard,
            "adguard" | "adblock" => Format::Adguard,
            "regex" => Format::Regex,
            "rpz" | "zone" => Format::Rpz,
            "dnsmasq" | "dnsmasq6" => Format::Dnsmasq,
            "unbound" => Format::Unbound,
            "dnscrypt" => Format::Dnscrypt,
            "dlc" | "v2fly" => Format::V2fly,
            "dump" => Format::Dump,
            _ => return None,
        })
    });
    parts.next()
}

/// What one line speaks for; comments and lines of no known form do not vote.
fn vote(line: &[u8]) -> Option<Format> {
    let indented = line.first().is_some_and(|&byte| line::is_blank(byte));
    let line = line.trim_ascii();
    match line {
        [] | [b'#' | b'!' | b';', ..] | [b'/', b'/', ..] | [b'[', .., b']'] => return None,
        [b'|', ..] | [b'@', b'@', ..] => return Some(Format::Adguard),
        [b'/', rest @ ..] if rest.ends_with(b"/") || memchr::memmem::find(rest, b"/$").is_some() => {
            return Some(Format::Adguard);
        }
        [b'=', ..] => return Some(Format::Dnscrypt),
        _ => {}
    }
    let starts = |words: &[&str]| words.iter().any(|word| line.starts_with(word.as_bytes()));
    if starts(&["local-zone:", "local-data:", "local-data-ptr:", "server:"]) {
        return Some(Format::Unbound);
    }
    const V2FLY: [&str; 5] = ["domain:", "full:", "keyword:", "regexp:", "include:"];
    if starts(&V2FLY)
        || v2fly::yaml_item(line).is_some_and(|item| V2FLY.iter().any(|word| item.starts_with(word.as_bytes())))
    {
        return Some(Format::V2fly);
    }
    if starts(&[
        "address=",
        "server=",
        "local=",
        "cname=",
        "host-record=",
        "ipset=",
        "rebind-domain-ok=",
    ]) {
        return Some(Format::Dnsmasq);
    }
    if starts(&["$TTL", "$ORIGIN", "$ttl", "$origin"]) {
        return Some(Format::Rpz);
    }
    let mut words = Words(line);
    let first = words.next()?;
    let second = words.next();
    if let Some(second) = second {
        if normalize::address(first).is_some() && !matches!(second, [b'#' | b';' | b'!' | b'/', ..]) {
            return Some(Format::Hosts);
        }
        let from = if indented { 0 } else { 1 };
        if Words(line).skip(from).take(3).any(is_record_word) {
            return Some(Format::Rpz);
        }
    }
    let entry = line::before_comment(first, b"#");
    if entry.ends_with(b"^")
        || has_adguard_modifier(entry)
        || (entry.len() < first.len() && first.contains(&b'#') && is_hiding(first))
    {
        return Some(Format::Adguard);
    }
    if memchr::memmem::find(entry, b"://").is_some() {
        return Some(Format::Domains);
    }
    if entry.starts_with(b"^")
        || entry.ends_with(b"$")
        || entry
            .iter()
            .any(|byte| matches!(byte, b'\\' | b'(' | b')' | b'+' | b'{' | b'}'))
            && !entry.starts_with(b"+.")
    {
        return Some(Format::Regex);
    }
    if let Some(below) = entry.strip_prefix(b"*.")
        && !below.contains(&b'*')
    {
        return Some(Format::Wildcard);
    }
    if entry.contains(&b'*') || entry.contains(&b'[') {
        return Some(if entry.contains(&b'[') && !entry.contains(&b'*') {
            Format::Regex
        } else {
            Format::Dnscrypt
        });
    }
    match second {
        Some(second) if second.starts_with(b"@") && second.len() > 1 => Some(Format::V2fly),
        Some(second) if !matches!(second, [b'#' | b';' | b'!', ..] | [b'/', b'/', ..]) && !line.contains(&b',') => None,
        _ => Some(Format::Domains),
    }
}

/// A word that stands behind the owner of a record.
fn is_record_word(word: &[u8]) -> bool {
    ["CNAME", "SOA", "IN", "NS", "A", "AAAA", "TXT", "MX", "DNAME"]
        .iter()
        .any(|known| word.eq_ignore_ascii_case(known.as_bytes()) && word.iter().all(u8::is_ascii_alphabetic))
}

fn has_adguard_modifier(entry: &[u8]) -> bool {
    const WORDS: [&[u8]; 9] = [
        b"$important",
        b"$badfilter",
        b"$dnsrewrite",
        b"$dnstype",
        b"$denyallow",
        b"$client",
        b"$ctag",
        b"$third-party",
        b"$all",
    ];
    entry.contains(&b'$') && WORDS.iter().any(|word| memchr::memmem::find(entry, word).is_some())
}

fn is_hiding(word: &[u8]) -> bool {
    [&b"##"[..], b"#@#", b"#?#", b"#%#", b"#$#"]
        .iter()
        .any(|mark| memchr::memmem::find(word, mark).is_some_and(|at| at > 0))
}
