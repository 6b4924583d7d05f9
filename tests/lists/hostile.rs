//! Bytes that are no list of the kind they are read as: whatever they are, every line is accounted for and every key is one.
//! The corpora of the parsers' fuzz targets replay here, and the goldens of every format are read as every other, whole and damaged.

#[path = "../../fuzz/fuzz_targets/parser.rs"]
mod parser;

use parser::check_as as check;
use proptest::prelude::*;
use stairgate::config::settings::ListAction;
use stairgate::list::parse::{Options, ParseError, parse};
use stairgate::list::source::Format;
use std::fs;
use std::path::{Path, PathBuf};

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn corpus(format: Format) -> Vec<PathBuf> {
    files(&Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("fuzz/corpus/parse_{format}")))
}

#[test]
fn what_the_fuzzers_of_the_parsers_found_stays_accounted_for() {
    for format in Format::ALL {
        let files = corpus(format);
        assert!(files.len() >= 5, "the corpus of {format} is there");
        for file in files {
            let bytes = fs::read(file).unwrap();
            check(None, &bytes);
            for read_as in Format::ALL {
                check(Some(read_as), &bytes);
            }
        }
    }
}

#[test]
fn every_list_can_be_read_as_every_format_and_broken_off_anywhere() {
    let mut read = 0;
    for folder in files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lists/goldens")) {
        let bytes = fs::read(folder.join("input")).unwrap();
        for format in Format::ALL {
            check(Some(format), &bytes);
        }
        for end in (0..bytes.len()).step_by(7) {
            check(None, &bytes[..end]);
        }
        read += 1;
    }
    assert!(read >= Format::ALL.len());
}

#[test]
fn no_small_change_to_a_list_breaks_a_promise() {
    const SIGNS: &[u8] = b"\n\r\t \0.*^|$@/\\()[]{}\"'#;:=,~!?+-<%\xff\xc3\xbc09azA";
    // A generator of one's own, so that a failure is met again.
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut random = move |bound: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % bound.max(1) as u64) as usize
    };
    for format in Format::ALL {
        for file in corpus(format) {
            let original = fs::read(&file).unwrap();
            if original.is_empty() {
                continue;
            }
            for _ in 0..60 {
                let mut bytes = original.clone();
                for _ in 0..1 + random(12) {
                    let at = random(bytes.len());
                    match random(4) {
                        0 => bytes[at] = SIGNS[random(SIGNS.len())],
                        1 => bytes.insert(at, SIGNS[random(SIGNS.len())]),
                        2 => {
                            bytes.remove(at);
                        }
                        _ => bytes.truncate(at.max(1)),
                    }
                    if bytes.is_empty() {
                        bytes.push(b'\n');
                    }
                }
                check(Some(format), &bytes);
            }
        }
    }
}

/// What a fetched list of unknown format is read with.
fn unknown() -> Options {
    Options {
        format: None,
        file_name: String::new(),
        action: ListAction::Block,
        match_scope: None,
        rewrite: true,
        fetched: true,
    }
}

fn refused(bytes: &[u8]) -> Option<ParseError> {
    parse(bytes, &unknown()).err()
}

#[test]
fn what_is_no_list_is_told_from_what_is_an_odd_one() {
    assert_eq!(refused(b"<!DOCTYPE html>\n<html><head>"), Some(ParseError::WebPage));
    assert_eq!(refused(b"\xef\xbb\xbf \n\n<HTML lang=en>"), Some(ParseError::WebPage));
    assert_eq!(refused(b"{\"message\": \"Not Found\"}"), Some(ParseError::Json));
    assert_eq!(refused(b"[{\"a\": 1}]"), Some(ParseError::Json));
    assert_eq!(refused(b"\x7fELF\x02\x01\x01"), Some(ParseError::Binary));
    assert_eq!(refused(b"PK\x03\x04zip"), Some(ParseError::Binary));
    assert_eq!(refused(&[0, 1, 2, 3, 4, 5, 6, 7, b'a']), Some(ParseError::Binary));
    assert_eq!(refused(b"\xff\xfea\0.\0"), Some(ParseError::Utf16));
    assert_eq!(refused(b""), None);
    assert_eq!(refused(b"\n\n"), None);
    assert_eq!(refused(b"[Adblock Plus 2.0]\n||a.example^\n"), None);
    let mut odd = "a.example\n".repeat(100).into_bytes();
    odd.extend_from_slice(b"b\0.example\n");
    assert_eq!(refused(&odd), None, "one stray byte does not make a list binary");
}

#[test]
fn a_line_of_a_megabyte_is_one_line() {
    let names: Vec<String> = (0..60_000).map(|n| format!("n{n}.example.com")).collect();
    let line = names.join(",");
    assert!(line.len() > 900_000);
    let (format, parsed) = parse(line.as_bytes(), &unknown()).unwrap();
    assert_eq!(format, Format::Domains);
    assert_eq!(
        (parsed.counts.lines, parsed.counts.rule_lines, parsed.counts.rules),
        (1, 1, 60_000)
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_lines_of_syntax_are_accounted_for(
        pieces in proptest::collection::vec(
            proptest::sample::select(vec![
                "||", "@@", "|", "^", "$", "*", "/", ".", "example", "com", "xn--", "ü", " ", "\t", "\n", "\r\n", "#", "!", ";", "=",
                "0.0.0.0", "::1", "192.0.2.1/24", "dnsrewrite=", "dnstype=A", "denyallow=", "client='", "important", "badfilter", ",",
                "CNAME", "A", "rpz-ip", "$ORIGIN", "(", ")", "\"", "\\", "local-zone:", "static", "address=/", "server=/", "domain:",
                "regexp:", "[", "]", "\u{feff}", "\0", "www", "-", "_", "http://", "{1,9}", "(?i)", "~",
            ]),
            0..60,
        )
    ) {
        let text = pieces.concat();
        check(None, text.as_bytes());
        for format in Format::ALL {
            check(Some(format), text.as_bytes());
        }
    }
}
