//! Decisions over small lists, as tables: lists in, a question, what becomes of it.

use super::decision::{Action, Cause, Decision};
use super::*;
use crate::config::settings::*;
use crate::dns::key::Key;
use crate::dns::rtype;
use crate::list::rule::Effect;
use crate::list::set::Gate;
use std::path::{Path, PathBuf};

/// A gate of small lists and a policy over it. The profile `default` blocks every category and uses every allow list.
pub(super) struct World {
    pub gate: Gate,
    pub policy: Policy,
}

/// Settings that go with any gate.
pub(super) fn settings() -> Settings {
    Settings {
        gate: Some(PathBuf::from("lists.gate")),
        lists: Vec::new(),
        ..Settings::builtin(Path::new("/"))
    }
}

/// What the settings say of a list that may only observe.
pub(super) fn list_settings(name: &str, observe: bool) -> ListSettings {
    ListSettings {
        name: name.to_owned(),
        source: ListSource::Path(PathBuf::from(name)),
        category: "x".to_owned(),
        action: ListAction::Block,
        format: None,
        match_scope: None,
        rank: 100,
        rewrite: true,
        refresh: std::time::Duration::from_secs(86_400),
        imposed_by: ImposedBy::Household,
        observe,
    }
}

impl World {
    /// `lists`: name, category, text.
    pub fn new(lists: &[(&str, &str, &str)]) -> World {
        World::with(lists, settings())
    }

    pub fn with(lists: &[(&str, &str, &str)], mut settings: Settings) -> World {
        let gate = Gate::from_lists(lists);
        for profile in &mut settings.profiles {
            if profile.every_category {
                let allow = gate.sources().iter().filter(|source| source.is_allow());
                profile.allow_lists = allow.map(|source| source.name.clone()).collect();
            }
        }
        let policy = Policy::build(&gate, &settings, &[]).unwrap();
        World { gate, policy }
    }

    pub fn asker(&self, addr: &str) -> Asker {
        self.policy.client(addr.parse().unwrap(), 0).unwrap()
    }

    pub fn decide(&self, asker: &Asker, name: &str, qtype: u16) -> Decision {
        let key = Key::parse(name).unwrap();
        self.policy.decide(&self.gate, asker, &key, Met::Question, qtype)
    }

    /// What becomes of a question from 127.0.0.1, in words, with the list it rests on.
    pub fn says(&self, name: &str, qtype: u16) -> String {
        self.words(&self.decide(&self.asker("127.0.0.1"), name, qtype))
    }

    pub fn says_of_answer(&self, asker: &Asker, name: &str, qtype: u16) -> String {
        let key = Key::parse(name).unwrap();
        self.words(&self.policy.decide(&self.gate, asker, &key, Met::Answer, qtype))
    }

    pub fn says_of_address(&self, asker: &Asker, addr: &str) -> String {
        let addr: IpAddr = addr.parse().unwrap();
        let rtype = if addr.is_ipv4() { rtype::A } else { rtype::AAAA };
        self.words(&self.policy.decide_address(&self.gate, asker, addr, rtype))
    }

    pub fn words(&self, decision: &Decision) -> String {
        let action = match decision.action {
            Action::Pass => "pass".to_owned(),
            Action::PassWhole => "pass whole".to_owned(),
            Action::Sinkhole => "block".to_owned(),
            Action::Rcode(rcode) => format!("rcode {rcode}"),
            Action::Nodata => "nodata".to_owned(),
            Action::Drop => "drop".to_owned(),
            Action::TcpOnly => "tcp".to_owned(),
            Action::Rewrite(rules) => {
                let effects = rules.iter().map(|rule| match &self.gate.rule(rule).unwrap().effect {
                    Effect::Cname(name) => format!("cname {name}"),
                    Effect::CnameBelow(name) => format!("cname below {name}"),
                    Effect::Data { rtype, rdata, .. } if rdata.len() == 4 => {
                        format!(
                            "{rtype}:{}",
                            rdata.iter().map(u8::to_string).collect::<Vec<_>>().join(".")
                        )
                    }
                    Effect::Data { rtype, .. } => format!("{rtype}"),
                    other => panic!("{other:?} is no record"),
                });
                let mut effects: Vec<String> = effects.collect();
                effects.sort();
                effects.join(" + ")
            }
            Action::Alias(number) => format!("cname {}", self.policy.safe_host(number).unwrap()),
        };
        let observed = if decision.observed { " (observed)" } else { "" };
        let cause = match decision.cause {
            Cause::Nothing => String::new(),
            Cause::Unfiltered => " (unfiltered)".to_owned(),
            Cause::Canary(feature) => format!(" as canary of {feature}"),
            Cause::OwnAllow(index) => format!(" by own allow {index}"),
            Cause::OwnDeny(index) => format!(" by own deny {index}"),
            Cause::PersonAllow(index) => format!(" by the person's own allow {index}"),
            Cause::PersonDeny(index) => format!(" by the person's own deny {index}"),
            Cause::Timed(number) => format!(" by {}", self.policy.plans.item(number).unwrap().name),
            Cause::NotAmongOnly => " as none of the only names".to_owned(),
            Cause::Type => " by type".to_owned(),
            Cause::Rebinding => " as rebinding".to_owned(),
            Cause::Service(number) => format!(" as {}", self.policy.marks.service(number)),
            Cause::Way(way) => format!(" as way around: {}", way.word()),
            Cause::Safe(number) => format!(" for safe {}", self.policy.marks.engine(number)),
            Cause::LookAlike(..) => {
                let (_, list) = self.policy.category_and_list(decision).unwrap();
                format!(" as a look-alike by {list}")
            }
            Cause::Rule(_) => {
                let (_, list) = self.policy.category_and_list(decision).unwrap();
                format!(" by {list}")
            }
        };
        format!("{action}{cause}{observed}")
    }
}

/// A table of questions to one set of lists. A question is `NAME` (type A) or `NAME TYPE`.
#[track_caller]
pub(super) fn check(lists: &[(&str, &str, &str)], questions: &[(&str, &str)]) {
    check_world(&World::new(lists), questions);
}

#[track_caller]
pub(super) fn check_world(world: &World, questions: &[(&str, &str)]) {
    let mut differences = String::new();
    for (question, expected) in questions {
        let (name, qtype) = question.split_once(' ').unwrap_or((question, "A"));
        let qtype = match qtype {
            "A" => rtype::A,
            "AAAA" => rtype::AAAA,
            "TXT" => rtype::TXT,
            "MX" => rtype::MX,
            "HTTPS" => rtype::HTTPS,
            other => panic!("{other} is not known to this table"),
        };
        let said = world.says(name, qtype);
        if said != *expected {
            differences += &format!("{question}: {said}, expected {expected}\n");
        }
    }
    assert!(differences.is_empty(), "\n{differences}");
}

pub(super) const HOSTS: &str = "# Title: hosts\n0.0.0.0 one.example\n0.0.0.0 two.example\n0.0.0.0 www.two.example\n";

#[test]
fn a_hosts_list_blocks_its_names_only_and_a_domains_list_all_below() {
    check(
        &[
            ("h", "x", HOSTS),
            ("w", "y", "# domains\nthree.example\nfour.example\n"),
        ],
        &[
            ("one.example", "block by h"),
            ("ONE.Example.", "block by h"),
            ("www.one.example", "pass"),
            ("www.two.example", "block by h"),
            ("three.example", "block by w"),
            ("a.b.three.example MX", "block by w"),
            ("xthree.example", "pass"),
            ("example", "pass"),
            (".", "pass"),
            (r"a\.b.three.example", "block by w"),
            (r"a\.one.example", "pass"),
        ],
    );
}

#[test]
fn of_equal_matches_the_lowest_list_then_the_longest_name_is_reported() {
    let world = World::new(&[
        ("b", "x", "# domains\nexample.com\nwww.deep.example.com\nother.test\n"),
        ("a", "x", "# domains\nexample.net\ndeep.example.com\nother.test\n"),
    ]);
    assert_eq!(world.says("other.test", rtype::A), "block by a");
    assert_eq!(world.says("x.www.deep.example.com", rtype::A), "block by a");
    assert_eq!(world.says("example.com", rtype::A), "block by b");
}

/// Every pair of classes of AdGuard's and of plain lists: the class on the left wins.
#[test]
fn classes_come_in_the_order_of_precedence() {
    let classes = [
        ("||x.example^$dnsrewrite=192.0.2.1", "1:192.0.2.1"),
        ("@@||x.example^$important", "pass"),
        ("||x.example^$important", "block"),
        ("@@||x.example^", "pass"),
        ("||x.example^", "block"),
    ];
    for (stronger, (first, outcome)) in classes.iter().enumerate() {
        for (second, _) in &classes[stronger + 1..] {
            // In one list and in two, whichever comes first.
            let one = format!("! Title\n{second}\n{first}\n||filler.example^\n");
            let (a, b) = (
                format!("! Title\n{first}\n||filler.example^\n"),
                format!("! Title\n{second}\n||filler.example^\n"),
            );
            check(&[("l", "x", &one)], &[("x.example", &format!("{outcome} by l"))]);
            check(
                &[("a", "x", &a), ("b", "x", &b)],
                &[("x.example", &format!("{outcome} by a"))],
            );
            check(
                &[("b", "x", &a), ("a", "x", &b)],
                &[("x.example", &format!("{outcome} by b"))],
            );
        }
    }
}

#[test]
fn an_adguard_exception_covers_names_of_other_lists_too() {
    check(
        &[
            ("a", "x", "! Title\n@@||good.two.example^\n||bad.example^\n"),
            ("h", "x", "# domains\ntwo.example\n"),
        ],
        &[
            ("two.example", "block by h"),
            ("good.two.example", "pass by a"),
            ("x.good.two.example", "pass by a"),
            ("bad.example", "block by a"),
        ],
    );
}

#[test]
fn dnstype_limits_a_rule_to_types() {
    check(
        &[(
            "a",
            "x",
            "! Title\n||v6.example^$dnstype=AAAA\n||not.example^$dnstype=~A|~AAAA\n||x.example^\n@@||x.example^$dnstype=HTTPS\n",
        )],
        &[
            ("v6.example AAAA", "block by a"),
            ("v6.example A", "pass"),
            ("not.example A", "pass"),
            ("not.example TXT", "block by a"),
            ("x.example A", "block by a"),
            ("x.example HTTPS", "pass by a"),
        ],
    );
}

#[test]
fn denyallow_leaves_names_and_all_below_them_out() {
    check(
        &[(
            "a",
            "x",
            "! Title\n||zip^$denyallow=good.zip|fine.zip\n||plain.example^\n",
        )],
        &[
            ("bad.zip", "block by a"),
            ("good.zip", "pass"),
            ("www.good.zip", "pass"),
            ("notgood.zip", "block by a"),
            ("fine.zip", "pass"),
        ],
    );
}

#[test]
fn badfilter_takes_back_rules_of_its_own_list_only() {
    let bad = "! Title\n||x.example^\n||x.example^$badfilter\n||y.example^$important\n||y.example^$badfilter\n";
    check(
        &[("a", "x", bad)],
        &[("x.example", "pass"), ("y.example", "block by a")],
    );
    check(
        &[
            ("a", "x", "! Title\n||x.example^$badfilter\n||y.example^\n"),
            ("b", "x", "! Title\n||x.example^\n||z.example^\n"),
        ],
        &[("x.example", "block by b")],
    );
}

#[test]
fn patterns_match_as_adguard_documents_and_a_name_rule_is_reported_before_them() {
    check(
        &[(
            "a",
            "x",
            "! Title\n/^ads[0-9]+\\./\n||track*.example^\n@@/^ads7\\./\n||ads1.test^\n/important[0-9]/$important\n@@||important5.example^\n",
        )],
        &[
            ("ads3.example", "block by a"),
            ("x.ads3.example", "pass"),
            ("ads7.example", "pass by a"),
            ("tracker.example", "block by a"),
            ("sub.tracking.example", "block by a"),
            ("track.example.com", "pass"),
            ("ads1.test", "block by a"),
            ("important5.example", "block by a"),
        ],
    );
}

#[test]
fn client_and_ctag_ask_about_the_client() {
    let mut settings = settings();
    let client = |name: &str, network: &str, tags: &[&str]| ClientSettings {
        name: name.to_owned(),
        tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
        networks: vec![network.parse().unwrap()],
        profile: "default".to_owned(),
        person: None,
    };
    settings.clients = vec![
        client("Tablet", "192.168.1.20/32", &["device_tablet"]),
        client("TV", "192.168.1.21/32", &["device_tv", "os_other"]),
    ];
    let world = World::with(
        &[(
            "a",
            "x",
            "! Title\n||tablet.example^$client=tablet\n||nottv.example^$client=~TV\n||net.example^$client=192.168.1.0/27\n\
             ||tag.example^$ctag=device_tv|device_audio\n||nottag.example^$ctag=~device_tv\n||all.example^\n",
        )],
        settings,
    );
    let blocked = |addr: &str, name: &str| world.decide(&world.asker(addr), name, rtype::A).acts();
    let (tablet, tv, other) = ("192.168.1.20", "192.168.1.21", "192.168.1.99");
    for (name, on_tablet, on_tv, on_other) in [
        ("tablet.example", true, false, false),
        ("nottv.example", true, false, true),
        ("net.example", true, true, false),
        ("tag.example", false, true, false),
        ("nottag.example", true, false, true),
        ("all.example", true, true, true),
    ] {
        assert_eq!(blocked(tablet, name), on_tablet, "{name} on the tablet");
        assert_eq!(blocked(tv, name), on_tv, "{name} on the TV");
        assert_eq!(blocked(other, name), on_other, "{name} elsewhere");
    }
}

#[test]
fn dnsrewrite_gives_records_of_the_type_asked_for_and_nodata_for_others() {
    check(
        &[(
            "a",
            "x",
            "! Title\n||two.example^$dnsrewrite=192.0.2.1\n||two.example^$dnsrewrite=192.0.2.2\n\
             ||six.example^$dnsrewrite=2001:db8::1\n||alias.example^$dnsrewrite=safe.example\n\
             ||alias.example^$dnsrewrite=192.0.2.9\n||refused.example^$dnsrewrite=REFUSED\n\
             ||refused.example^$dnsrewrite=192.0.2.3\n||nx.example^$dnsrewrite=NXDOMAIN;;\n||empty.example^$dnsrewrite=NOERROR;;\n\
             ||txt.example^$dnsrewrite=NOERROR;TXT;hello\n||self.example^$dnsrewrite=self.example\n||plain.example^\n",
        )],
        &[
            ("two.example A", "1:192.0.2.1 + 1:192.0.2.2 by a"),
            ("two.example AAAA", "nodata by a"),
            ("two.example TXT", "nodata by a"),
            ("www.two.example A", "1:192.0.2.1 + 1:192.0.2.2 by a"),
            ("six.example AAAA", "28 by a"),
            ("six.example A", "nodata by a"),
            ("alias.example A", "cname safe.example. by a"),
            ("alias.example TXT", "cname safe.example. by a"),
            ("refused.example A", "rcode 5 by a"),
            ("nx.example A", "rcode 3 by a"),
            ("empty.example A", "nodata by a"),
            ("txt.example TXT", "16 by a"),
            ("txt.example A", "nodata by a"),
            ("self.example A", "pass"),
            ("www.self.example A", "cname self.example. by a"),
        ],
    );
}

#[test]
fn an_exception_takes_back_all_rewrites_or_the_one_it_names() {
    check(
        &[
            (
                "a",
                "x",
                "! Title\n||all.example^$dnsrewrite=192.0.2.1\n||all.example^$dnsrewrite=192.0.2.2\n\
                 ||one.example^$dnsrewrite=192.0.2.1\n||one.example^$dnsrewrite=192.0.2.2\n\
                 ||strong.example^$dnsrewrite=192.0.2.1,important\n||block.example^$dnsrewrite=192.0.2.1\n||block.example^\n",
            ),
            (
                "b",
                "x",
                "! Title\n@@||all.example^$dnsrewrite\n@@||one.example^$dnsrewrite=192.0.2.1\n\
                 @@||strong.example^$dnsrewrite\n@@||block.example^$dnsrewrite\n||z.example^\n",
            ),
        ],
        &[
            ("all.example", "pass"),
            ("one.example", "1:192.0.2.2 by a"),
            ("strong.example", "1:192.0.2.1 by a"),
            ("block.example", "block by a"),
        ],
    );
}

#[test]
fn names_in_answers_are_blocked_or_let_through_but_not_rewritten_by_adguard() {
    let world = World::new(&[(
        "a",
        "x",
        "! Title\n||bad.example^\n@@||good.bad.example^\n||safe.example^$dnsrewrite=192.0.2.1\n||both.example^$dnsrewrite=192.0.2.1\n||both.example^\n",
    )]);
    let asker = world.asker("127.0.0.1");
    assert_eq!(
        world.says_of_answer(&asker, "cdn.bad.example", rtype::CNAME),
        "block by a"
    );
    assert_eq!(
        world.says_of_answer(&asker, "good.bad.example", rtype::CNAME),
        "pass by a"
    );
    assert_eq!(world.says_of_answer(&asker, "safe.example", rtype::CNAME), "pass");
    assert_eq!(world.says_of_answer(&asker, "both.example", rtype::CNAME), "block by a");
}

#[test]
fn addresses_in_answers_meet_address_rules_and_adguard_expressions() {
    let world = World::new(&[
        (
            "a",
            "x",
            "! Title\n||198.51.100.7^\n/^192\\.168\\.\\d+\\.\\d+$/\n/^f[cd][0-9a-f]{2}:/\n||name.example^\n",
        ),
        ("r", "y", "# regex\n^10\\.\n^ads[0-9]\n"),
    ]);
    let asker = world.asker("127.0.0.1");
    assert_eq!(world.says_of_address(&asker, "198.51.100.7"), "block by a");
    assert_eq!(world.says_of_address(&asker, "::ffff:198.51.100.7"), "block by a");
    assert_eq!(world.says_of_address(&asker, "198.51.100.8"), "pass");
    assert_eq!(world.says_of_address(&asker, "192.168.1.1"), "block by a");
    assert_eq!(world.says_of_address(&asker, "fd00::1"), "block by a");
    assert_eq!(
        world.says_of_address(&asker, "10.0.0.1"),
        "pass",
        "a list of expressions is about names"
    );
    assert!(world.policy.inspects(&asker).addresses);
}
