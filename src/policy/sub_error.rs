//! Why a name is blocked as a number that programs read: the sub-error codes of structured DNS errors.
//!
//! In: the category of the list, the cause, who imposes it. Out: a code of the registry, if it has one that goes with the INFO-CODE.
//! Always: a category counts by the words of its name, since operators name categories.
//! Keeps: draft-ietf-dnsop-structured-dns-error-22 §5.2 (none with Censored), §11.4 (which go with which).

use super::decision::Cause;
use crate::config::settings::ImposedBy;
use crate::dns::structured::sub_error::*;

/// Words of category names. A category is split at `-` and `_`.
const WORDS: [(u8, &[&str]); 4] = [
    (
        MALWARE,
        &[
            "malware",
            "virus",
            "ransomware",
            "botnet",
            "cryptojacking",
            "threat",
            "threats",
        ],
    ),
    (PHISHING, &["phishing", "scam", "fraud"]),
    (SPAM, &["spam"]),
    (SPYWARE, &["spyware", "stalkerware"]),
];

/// The code of a category, for [`of`]: found once for each list, since a query must not read words.
pub(super) fn of_category(category: &str) -> Option<u8> {
    let mut words = category.split(['-', '_']);
    words.find_map(|word| {
        let mut codes = WORDS.iter();
        codes.find(|(_, known)| known.contains(&word)).map(|(code, _)| *code)
    })
}

/// The code; `by_category`: that of the list it rests on.
#[inline]
pub(super) fn of(by_category: Option<u8>, cause: &Cause, imposed_by: ImposedBy) -> Option<u8> {
    match imposed_by {
        ImposedBy::Law => None,
        ImposedBy::Household => by_category,
        ImposedBy::Operator => by_category.or(Some(match cause {
            // What the server does of itself, whatever lists there are.
            Cause::Canary(_) | Cause::Rebinding => DNS_OPERATOR_POLICY,
            _ => NETWORK_OPERATOR_POLICY,
        })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_category_has_the_code_of_its_words_and_none_where_the_registry_has_none() {
        let of = |category: &str, by| of(of_category(category), &Cause::Nothing, by);
        for (category, code) in [
            ("malware", Some(1)),
            ("ut1-phishing", Some(2)),
            ("spam", Some(3)),
            ("stalkerware", Some(4)),
            ("adult", None),
            ("antimalwarevendors", None),
        ] {
            assert_eq!(of(category, ImposedBy::Household), code, "{category}");
            assert_eq!(
                of(category, ImposedBy::Law),
                None,
                "{category}: nothing goes with Censored"
            );
            assert_eq!(of(category, ImposedBy::Operator), code.or(Some(5)), "{category}");
        }
        assert_eq!(super::of(None, &Cause::Canary("x"), ImposedBy::Operator), Some(6));
        assert_eq!(super::of(None, &Cause::Rebinding, ImposedBy::Operator), Some(6));
        assert_eq!(super::of(None, &Cause::Type, ImposedBy::Household), None);
    }
}
