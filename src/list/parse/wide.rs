//! Whether an allow rule lets through a top-level domain or more: a list that somebody else publishes must not be able to
//! switch filtering off, by mistake or on purpose.
//!
//! In: keys and patterns. Out: yes or no; in doubt about an expression, probes are asked.

use crate::dns::key::SEPARATOR;
use crate::list::pattern;
use crate::list::rule::Pattern;
use regex_automata::meta::Regex;

/// A key of one label or none.
pub fn key_is_wide(key: &[u8]) -> bool {
    memchr::memchr_iter(SEPARATOR, key).take(2).count() < 2
}

pub fn pattern_is_wide(pattern: &Pattern) -> bool {
    match pattern {
        Pattern::Regex(expression) => expression_is_wide(expression),
        Pattern::Wildcard(wildcard) => {
            covers_a_tld(wildcard) || expression_is_wide(&pattern::wildcard_expression(wildcard))
        }
        // An eighth of a thousandth of all addresses is more than any site has.
        Pattern::Address(network) | Pattern::NsAddress(network) => {
            let longest = if network.addr().is_ipv4() { 32 } else { 128 };
            network.prefix_len() < longest / 4
        }
        // Lets these clients have everything.
        Pattern::Client(_) => true,
        Pattern::NsName(key, _) => key_is_wide(key),
    }
}

/// `*.zip^`, `.zip|` or `zip^`: every name under one label.
fn covers_a_tld(wildcard: &str) -> bool {
    let Some(anchored) = wildcard.strip_suffix(['^', '|']) else {
        return false;
    };
    !anchored.trim_start_matches(['|', '*', '.']).contains(['.', '*'])
}

/// Whether it matches all of some names that have nothing in common but their top-level domain.
fn expression_is_wide(expression: &str) -> bool {
    const NAMES: [&str; 5] = ["example", "qzx-7", "w", "mail.jyg9", "a.b.kovf"];
    const TLDS: [&str; 28] = [
        "com", "net", "org", "de", "uk", "io", "co", "info", "ru", "cn", "nl", "fr", "br", "eu", "us", "xyz", "top",
        "online", "site", "shop", "app", "dev", "me", "tv", "edu", "gov", "zip", "co.uk",
    ];
    let Ok(regex) = Regex::builder().syntax(pattern::syntax()).build(expression) else {
        return true;
    };
    TLDS.iter()
        .any(|tld| NAMES.iter().all(|name| regex.is_match(&format!("{name}.{tld}"))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_that_let_a_top_level_domain_through_are_wide() {
        for wide in ["*", "||*.com^", "*.zip^", "com^", ".", "||*", "a*|"] {
            assert!(pattern_is_wide(&Pattern::Wildcard(wide.to_owned())), "{wide}");
        }
        for narrow in ["|a*", "||ads*.com^", "google"] {
            assert!(!pattern_is_wide(&Pattern::Wildcard(narrow.to_owned())), "{narrow}");
        }
        for wide in [".*", "^.+$", r"\.com$", "[a-z]", "^"] {
            assert!(pattern_is_wide(&Pattern::Regex(wide.to_owned())), "{wide}");
        }
        for narrow in [r"(^|\.)example\.com$", "^stats?\\.", "google"] {
            assert!(!pattern_is_wide(&Pattern::Regex(narrow.to_owned())), "{narrow}");
        }
        assert!(pattern_is_wide(&Pattern::Address("0.0.0.0/0".parse().unwrap())));
        assert!(!pattern_is_wide(&Pattern::Address("192.0.2.0/24".parse().unwrap())));
        assert!(key_is_wide(b"com.") && key_is_wide(b"") && !key_is_wide(b"com.example."));
    }
}
