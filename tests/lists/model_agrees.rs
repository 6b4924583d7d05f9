//! Random lists in every dialect, and the program's decision against the slow obvious model's.

use super::model::{Deed, Dialect, Line, List, Reach, judge, write};
use proptest::prelude::*;

const LABELS: [&str; 5] = ["a", "b", "ads", "x-y", "_t"];
const ENDS: [&str; 3] = ["com", "org", "co.uk"];
pub const TYPES: [&str; 4] = ["A", "AAAA", "HTTPS", "TXT"];

pub fn name() -> impl Strategy<Value = String> {
    (
        proptest::collection::vec(proptest::sample::select(&LABELS[..]), 1..4),
        proptest::sample::select(&ENDS[..]),
    )
        .prop_map(|(labels, end)| format!("{}.{end}", labels.join(".")))
}

fn dialect() -> impl Strategy<Value = Dialect> {
    proptest::sample::select(vec![
        Dialect::Hosts,
        Dialect::Domains,
        Dialect::Adguard,
        Dialect::Adguard,
        Dialect::Rpz,
        Dialect::Unbound,
        Dialect::Dnsmasq,
    ])
}

fn line(dialect: Dialect) -> impl Strategy<Value = Line> {
    let types = proptest::sample::subsequence(TYPES.to_vec(), 0..3);
    (
        name(),
        0..100u32,
        0..100u32,
        types,
        any::<bool>(),
        proptest::collection::vec(name(), 0..3),
    )
        .prop_map(move |(name, which, extras, types, negated, names)| {
            let mut line = Line {
                name,
                reach: Reach::Subtree,
                deed: Deed::Block,
                important: false,
                only_types: Vec::new(),
                but_types: Vec::new(),
                denyallow: Vec::new(),
                badfilter: false,
            };
            match dialect {
                Dialect::Hosts => line.reach = Reach::Exact,
                Dialect::Domains => {}
                Dialect::Rpz => {
                    line.reach = if which % 2 == 0 { Reach::Exact } else { Reach::Below };
                    line.deed = [Deed::Block, Deed::Block, Deed::Allow, Deed::Rewrite][extras as usize % 4];
                }
                Dialect::Unbound | Dialect::Dnsmasq => {
                    line.deed = if which % 4 == 0 { Deed::Allow } else { Deed::Block };
                }
                Dialect::Adguard => {
                    line.reach = if which % 3 == 0 { Reach::Exact } else { Reach::Subtree };
                    line.deed = match extras % 10 {
                        0..=5 => Deed::Block,
                        6..=8 => Deed::Allow,
                        _ => Deed::Rewrite,
                    };
                    line.important = which % 5 == 0;
                    if line.deed != Deed::Rewrite {
                        if which % 7 == 0 {
                            if negated {
                                line.but_types = types
                            } else {
                                line.only_types = types
                            }
                        }
                        if which % 11 == 0 {
                            line.denyallow = names;
                        }
                        line.badfilter = which % 13 == 0;
                    } else {
                        line.important = false;
                    }
                }
            }
            line
        })
}

fn list() -> impl Strategy<Value = List> {
    (dialect(), 0..3u32).prop_flat_map(|(dialect, rank)| {
        proptest::collection::vec(line(dialect), 0..14).prop_map(move |mut lines| {
            if matches!(dialect, Dialect::Rpz | Dialect::Unbound | Dialect::Dnsmasq) {
                // An owner has one action in these; the first written stays.
                let mut seen = Vec::new();
                lines.retain(|line| {
                    let owner = (line.name.clone(), line.reach);
                    let fresh = !seen.contains(&owner);
                    seen.push(owner);
                    fresh
                });
            }
            List {
                dialect,
                rank,
                name: String::new(),
                lines,
            }
        })
    })
}

pub fn lists() -> impl Strategy<Value = Vec<List>> {
    proptest::collection::vec(list(), 1..6).prop_map(|mut lists| {
        for (index, list) in lists.iter_mut().enumerate() {
            list.name = format!("list{index}");
        }
        lists
    })
}

fn program(lists: &[List]) -> super::judge::Program {
    super::judge::Program::new(&texts(lists))
}

/// The lists as they are written: name, format, rank, text.
pub fn texts(lists: &[List]) -> Vec<(String, &'static str, u32, String)> {
    lists
        .iter()
        .map(|list| {
            let format = match list.dialect {
                Dialect::Hosts => "hosts",
                Dialect::Domains => "domains",
                Dialect::Adguard => "adguard",
                Dialect::Rpz => "rpz",
                Dialect::Unbound => "unbound",
                Dialect::Dnsmasq => "dnsmasq",
            };
            (list.name.clone(), format, list.rank, write(list))
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_decision_is_the_slow_obvious_models(lists in lists(), asked in proptest::collection::vec(name(), 30)) {
        let program = program(&lists);
        let mut names: Vec<String> = asked;
        for line in lists.iter().flat_map(|list| &list.lines) {
            names.push(line.name.clone());
            names.push(format!("deep.below.{}", line.name));
            names.extend(line.denyallow.iter().cloned());
        }
        for name in &names {
            for qtype in TYPES {
                let said = judge(&lists, name, qtype);
                let decided = program.decide(name, qtype);
                prop_assert_eq!(&decided, &said, "{} {} of\n{}", name, qtype,
                    lists.iter().map(|list| format!("# {} {:?} rank {}\n{}", list.name, list.dialect, list.rank, write(list))).collect::<String>());
            }
        }
    }
}
