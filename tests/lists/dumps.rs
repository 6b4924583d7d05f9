//! What `dump` prints, compiled again without a word on its format, decides as what it was printed from.

use super::judge::Program;
use super::model_agrees::{TYPES, lists, name, texts};
use proptest::prelude::*;

/// Rules whose patterns look like the lines of other formats, or like no list at all, once they are dumped.
const ODD: [&str; 18] = [
    "||x",
    "||adv*.b^",
    "||ads*^",
    "|a.*",
    "-y.",
    "*_t*",
    "||192.0.2.0/24^",
    "||0.0.0.0/0^",
    "@@||b.*^$important",
    "||x-y*^$dnstype=A",
    "||co*^$denyallow=a.co.uk|b.org",
    "/^ads\\./",
    "/ a/",
    "/#a/",
    "/!b|^b/",
    "/[a]ds/",
    "/<html|x-y/",
    "/@@|_t/",
];

/// A list of such rules, in AdGuard's syntax.
fn odd() -> impl Strategy<Value = String> {
    proptest::collection::vec(proptest::sample::select(&ODD[..]), 1..5).prop_map(|lines| lines.join("\n") + "\n")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_dump_is_known_by_its_shape_and_decides_as_what_it_was_dumped_from(
        lists in lists(),
        odd in odd(),
        only_odd in any::<bool>(),
        asked in proptest::collection::vec(name(), 20),
    ) {
        let mut texts = if only_odd { Vec::new() } else { texts(&lists) };
        texts.push(("odd".to_owned(), "adguard", 1, odd));
        let program = Program::new(&texts);
        let (dump, again) = program.dumped_again();
        for name in asked.iter().chain(lists.iter().flat_map(|list| &list.lines).map(|line| &line.name)) {
            for qtype in TYPES {
                prop_assert_eq!(program.decide(name, qtype), again.decide(name, qtype), "{} {} of\n{}", name, qtype, dump);
                prop_assert_eq!(program.action(name, qtype), again.action(name, qtype), "{} {} of\n{}", name, qtype, dump);
            }
        }
    }
}
