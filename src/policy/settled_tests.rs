//! The short way to a decision beside weighing everything that matches.

use super::decide::Asked;
use super::profile::Table;
use super::tests::{World, list_settings, settings};
use super::*;
use crate::dns::key::Key;
use crate::dns::rtype;
use proptest::prelude::*;

/// A list of one language, named by its place.
fn list() -> impl Strategy<Value = String> {
    const NAME: &str = "[ab](\\.[ab]){0,2}";
    let line = |form: &'static str| NAME.prop_map(move |name| form.replace('N', &name));
    // `P` stands for a pattern: a wildcard, or an expression with or without a piece to look for.
    let pattern = |form: &'static str| {
        let text = prop_oneof![
            Just("||a*b^".to_owned()),
            Just("||ab*.a^".to_owned()),
            "[ab]{1,2}\\*[ab.]{1,2}",
            Just("/^[ab]\\./".to_owned()),
            Just("/ab?$/".to_owned()),
            Just("/(a|b)\\.b/".to_owned()),
        ];
        text.prop_map(move |text| form.replace('P', &text))
    };
    let adguard = prop_oneof![
        4 => line("||N^"),
        1 => line("@@||N^"),
        1 => line("||N^$important"),
        1 => line("||N^$dnstype=A"),
        1 => line("||N^$denyallow=a.b|b"),
        1 => line("||N^$dnsrewrite=192.0.2.1"),
        5 => pattern("P"),
        2 => pattern("@@P"),
        1 => pattern("P$important"),
        1 => pattern("@@P$important"),
        1 => pattern("P$denyallow=a.b"),
        1 => pattern("P$dnstype=~A"),
        1 => pattern("P$dnsrewrite=NXDOMAIN"),
    ];
    let dnsmasq = prop_oneof![
        line("address=/N/0.0.0.0"),
        line("server=/N/#"),
        line("address=/N/192.0.2.7")
    ];
    let unbound = prop_oneof![
        line("local-zone: \"N\" always_nxdomain"),
        line("local-zone: \"N\" transparent"),
        line("local-zone: \"N\" deny")
    ];
    let zone = prop_oneof![
        4 => line("N CNAME ."),
        2 => line("*.N CNAME *."),
        1 => line("N CNAME rpz-passthru."),
        1 => line("N CNAME rpz-tcp-only."),
        1 => line("N CNAME rpz-drop."),
        1 => Just("* CNAME .".to_owned()),
        1 => Just("8.0.0.0.127.rpz-client-ip CNAME rpz-drop.".to_owned()),
        1 => Just("8.0.0.0.127.rpz-client-ip CNAME rpz-passthru.".to_owned()),
    ];
    let text = |head: &'static str, lines: BoxedStrategy<String>| {
        proptest::collection::vec(lines, 1..7).prop_map(move |lines| format!("{head}\n{}\n", lines.join("\n")))
    };
    prop_oneof![
        4 => text("! Title\n||filler.example^", adguard.boxed()),
        3 => text("# domains", line("N").boxed()),
        1 => text("# dnsmasq\naddress=/filler.example/", dnsmasq.boxed()),
        1 => text("server:\nlocal-zone: \"filler.example\" deny", unbound.boxed()),
        2 => text(
            "$TTL 60\n@ SOA localhost. root.localhost. 1 1h 15m 30d 2h\n@ NS localhost.\nfiller.example CNAME .",
            zone.boxed()
        ),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn a_decision_is_the_one_that_weighing_everything_gives(
        texts in proptest::collection::vec(list(), 1..5),
        allowed in proptest::option::of(list()),
        observing in any::<[bool; 4]>(),
        some_observe in proptest::bool::weighted(0.2),
        asked in proptest::collection::vec("[ab]{1,2}(\\.[ab]{1,2}){0,3}", 12),
        bar in prop_oneof![3 => Just(u16::MAX), 1 => 0..4u16],
    ) {
        const NAMES: [&str; 4] = ["k", "l", "m", "n"];
        let mut lists: Vec<(&str, &str, &str)> =
            NAMES.iter().zip(&texts).map(|(name, text)| (*name, "x", text.as_str())).collect();
        // Its number is lower than some of the others'.
        lists.extend(allowed.iter().map(|text| ("lb", "allow", text.as_str())));
        let mut settings = settings();
        settings.lists = NAMES.iter().zip(observing).map(|(name, observe)| list_settings(name, observe && some_observe)).collect();
        let world = World::with(&lists, settings);
        let policy = &world.policy;
        let asker = Asker { rpz_bar: bar, ..world.asker("127.0.0.1") };
        let table: &Table = &policy.tables[usize::from(policy.profiles[0].table)];
        for name in asked.iter().map(String::as_str).chain(["."]) {
            let key = Key::parse(name).unwrap();
            for (met, qtype) in [(Met::Question, rtype::A), (Met::Question, rtype::AAAA), (Met::Answer, rtype::CNAME)] {
                let fast = policy.decide(&world.gate, &asker, &key, met, qtype);
                let slow = policy.decide_by_all(&world.gate, table, &asker, &Asked { key: &key, met, qtype });
                prop_assert_eq!(fast, slow, "{} {:?} {:?}", name, met, lists);
            }
        }
    }
}
