//! Bytes that are no list of the kind they are read as: whatever they are, every line is accounted for and every key is one.
//! The corpora of the parsers' fuzz targets replay here, and the goldens of every format are read as every other, whole and damaged.

use proptest::prelude::*;
use stairgate::config::settings::ListAction;
use stairgate::list::parse::{Options, parse};
use stairgate::list::source::Format;
use std::fs;
use std::path::{Path, PathBuf};

fn check(format: Option<Format>, bytes: &[u8]) {
    for fetched in [false, true] {
        let options = Options {
            format,
            file_name: String::new(),
            action: ListAction::Block,
            match_scope: None,
            rewrite: !fetched,
            fetched,
        };
        let Ok((taken_as, parsed)) = parse(bytes, &options) else {
            continue;
        };
        let counts = parsed.counts;
        assert_eq!(
            counts.lines,
            counts.rule_lines + counts.comments + counts.skipped + counts.rejected_lines,
            "{format:?}: {counts:?}"
        );
        for entry in &parsed.names {
            let key = parsed.key(entry);
            assert!(key.ends_with(b".") && key.len() <= 254, "{format:?}: {key:?}");
            assert!(!key.windows(2).any(|pair| pair == b".."), "{format:?}: {key:?}");
            assert_eq!(key, key.to_ascii_lowercase(), "{format:?}");
            assert!(usize::from(entry.template) < parsed.templates.len());
            // A dump tells the lines of the lists it was made from.
            assert!(taken_as == Format::Dump || (1..=counts.lines).contains(&u64::from(entry.line)));
        }
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn what_the_fuzzers_of_the_parsers_found_stays_accounted_for() {
    for format in Format::ALL {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("fuzz/corpus/parse_{format}"));
        let files = files(&folder);
        assert!(files.len() >= 5, "the corpus of {} is there", folder.display());
        for file in files {
            check(Some(format), &fs::read(file).unwrap());
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
