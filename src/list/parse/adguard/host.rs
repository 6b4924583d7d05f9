//! Which words alone on a line are names of hosts. Any other is a pattern that is found anywhere in a name.
//!
//! Keeps: AdGuard's urlfilter, `IsDomainName` (`internal/ufnet`, earlier `filterutil`), whose test allows one label (`cc`);
//! see `docs/decisions/0009-bare-words-in-adguard-lists.md`.

use crate::list::normalize;

/// Whether a word is a host's name: labels of letters, digits and inner hyphens, the last one of letters or an A-label.
/// Names of other letters than ASCII, which urlfilter would look for without ever finding them, are hosts too.
pub fn is_host(word: &str) -> bool {
    if !word.is_ascii() {
        return normalize::key(word.as_bytes()).is_ok();
    }
    let last = word.rsplit('.').next().unwrap_or(word);
    let is_top = last.len() >= 2
        && (last.bytes().all(|byte| byte.is_ascii_alphabetic())
            // "xn--" and at least four more.
            || (last.len() >= 8 && last.as_bytes()[..4].eq_ignore_ascii_case(b"xn--")));
    word.len() <= 253 && is_top && word.split('.').all(is_label)
}

fn is_label(label: &str) -> bool {
    label.len() <= 63
        && label.starts_with(|c: char| c.is_ascii_alphanumeric())
        && label.ends_with(|c: char| c.is_ascii_alphanumeric())
        && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::is_host;

    #[test]
    fn a_word_is_a_host_where_urlfilter_takes_it_for_one() {
        let long = "x".repeat(63);
        for host in [
            "1.cc",
            "a.b.cc",
            "a-bc.ab--c.abc",
            "abc.xn--p1ai",
            "cc",
            "localhost",
            "b\u{fc}cher.example",
        ] {
            assert!(is_host(host), "{host}");
        }
        assert!(is_host(&format!("{long}.cc")));
        for pattern in [
            "",
            "c",
            "a.c",
            ".a.cc",
            "a.cc.",
            "adserver.",
            "-a.cc",
            "a-.cc",
            "-ads.",
            "ads-",
            "_ad_",
            "_a.example",
            "a.1cc",
            "a.cc1",
            "abc.xn--",
            "abc.xn--asd",
            "a..cc",
            "a#cc",
        ] {
            assert!(!is_host(pattern), "{pattern}");
        }
        assert!(!is_host(&format!("x{long}.cc")));
    }
}
