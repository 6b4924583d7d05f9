//! Explanations: rule, list, line, and the verdict in words.

use super::explain::{Explanation, Subject, Texts, explain};
use super::tests::settings;
use super::*;
use crate::config::settings::ListAction;
use crate::config::settings::ProfileSettings;
use crate::config::settings::Settings;
use crate::dns::name::Name;
use crate::dns::rtype;
use crate::list::compile::{CompileOptions, compile};
use crate::list::lines::Lines;
use crate::list::set::Gate;
use crate::list::source::{Content, SourceSpec};
use crate::list::verify::Unverified;

const LISTS: &[(&str, &str, &str)] = &[
    (
        "ads",
        "ads",
        "! Title: ads\n||bad.example^$important\n@@||good.example^\n/^ads[0-9]+\\./\n||safe.example^$dnsrewrite=192.0.2.1\n\
         ||198.51.100.7^\n||gone.example^$dnsrewrite=NXDOMAIN;;\n",
    ),
    (
        "hosts",
        "adult",
        "# a comment\n0.0.0.0 one.example  # inline\n0.0.0.0 bad.example\n0.0.0.0 good.example\n",
    ),
    (
        "wide",
        "adult",
        "# domains\n\ndeep.example\nwww.deep.example\nmore.example\n",
    ),
    (
        "zone",
        "malware",
        "@ SOA localhost. root.localhost. 1 1h 15m 30d 2h\nz.example CNAME .\nq.example CNAME rpz-tcp-only.\n\
         pass.example CNAME rpz-passthru.\nns.bad.example.rpz-nsdname CNAME .\n",
    ),
];

/// Explains a name or an address to somebody with the profile `default`, which blocks everything.
fn explained(what: &str, with_lines: bool, adapt: impl Fn(&mut Settings)) -> Explanation {
    let specs = LISTS.iter().map(|(name, category, text)| SourceSpec {
        name: (*name).to_owned(),
        path: name.into(),
        category: (*category).to_owned(),
        action: ListAction::Block,
        format: None,
        match_scope: None,
        rank: 100,
        rewrite: true,
        fetched: false,
        content: Content::Bytes(text.as_bytes().into()),
    });
    let compiled = compile(specs.collect(), &CompileOptions::default()).unwrap();
    let gate = Unverified::new(compiled.gate).verify().unwrap().into_gate();
    let lines = Lines::open(compiled.lines, &gate).unwrap();
    let mut settings = settings();
    settings.profiles[0].allow = vec![Name::parse("mine.example").unwrap().into()];
    settings.profiles[0].deny = vec![Name::parse("theirs.example").unwrap().into()];
    adapt(&mut settings);
    let policy = Policy::build(&gate, &settings, &[]).unwrap();
    let texts = Texts {
        lines: with_lines.then_some(&lines),
        line_text: &|source, line| {
            let name = &gate.sources()[usize::from(source.0)].name;
            let (_, _, text) = LISTS.iter().find(|(list, ..)| list == name)?;
            text.lines().nth(line as usize - 1).map(str::to_owned)
        },
    };
    let subject = match what.parse() {
        Ok(addr) => Subject::Address(addr),
        Err(_) => Subject::Name(Name::parse(what).unwrap()),
    };
    let asker = Asker::new(policy.profile("default"), None, None);
    explain(&policy, &gate, &texts, &settings, Ok(&asker), &subject, rtype::A)
}

/// Verdict, action, list:line, rule.
fn words(explanation: &Explanation) -> String {
    format!(
        "{} {} {}:{} {}",
        explanation.verdict,
        explanation.action,
        explanation.list.as_deref().unwrap_or("-"),
        explanation.line.map_or("-".to_owned(), |line| line.to_string()),
        explanation.rule.as_deref().unwrap_or("-"),
    )
}

#[test]
fn every_verdict_names_its_rule_list_and_line() {
    for (what, expected) in [
        ("One.Example.", "block null hosts:2 0.0.0.0 one.example  # inline"),
        ("bad.example", "block null ads:2 ||bad.example^$important"),
        ("good.example", "allow resolve ads:3 @@||good.example^"),
        ("ads7.test", "block null ads:4 /^ads[0-9]+\\./"),
        (
            "safe.example",
            "rewrite data=A 192.0.2.1 ads:5 ||safe.example^$dnsrewrite=192.0.2.1",
        ),
        (
            "gone.example",
            "rewrite nxdomain ads:7 ||gone.example^$dnsrewrite=NXDOMAIN;;",
        ),
        ("x.deep.example", "block null wide:3 deep.example"),
        ("z.example", "block nxdomain zone:2 z.example CNAME ."),
        ("q.example", "allow tcp-only zone:3 q.example CNAME rpz-tcp-only."),
        ("198.51.100.7", "block null ads:6 ||198.51.100.7^"),
        ("nothing.example", "allow resolve -:- -"),
        ("www.mine.example", "allow resolve -:- mine.example"),
        ("theirs.example", "block null -:- theirs.example"),
        ("mask.icloud.com", "block nxdomain -:- canary of iCloud Private Relay"),
        (".", "allow resolve -:- -"),
    ] {
        assert_eq!(words(&explained(what, true, |_| {})), expected, "{what}");
    }
}

#[test]
fn of_networks_that_share_an_effect_the_one_that_matched_is_named_and_of_several_the_longest() {
    let zone = "@ SOA localhost. root.localhost. 1 1h 15m 30d 2h\nfoo.example CNAME rpz-drop.\n8.0.0.0.127.rpz-client-ip CNAME rpz-drop.\n\
                112.zz.2001.rpz-client-ip CNAME rpz-drop.\n128.5.zz.2001.rpz-client-ip CNAME rpz-drop.\n\
                24.0.2.0.192.rpz-ip CNAME .\n26.64.2.0.192.rpz-ip CNAME .\n";
    let adguard = "! Title: ads\n||x.example^\n198.51.100.0/24\n||198.51.100.64^\n";
    let gate = Gate::from_lists(&[("ads", "x", adguard), ("zone", "x", zone)]);
    let policy = Policy::build(&gate, &settings(), &[]).unwrap();
    let texts = Texts {
        lines: None,
        line_text: &|_, _| None,
    };
    let ask = |what: &str, client: Option<&str>| {
        let subject = match what.parse() {
            Ok(addr) => Subject::Address(addr),
            Err(_) => Subject::Name(Name::parse(what).unwrap()),
        };
        let asker = Asker::new(
            policy.profile("default"),
            None,
            client.map(|addr| addr.parse().unwrap()),
        );
        explain(&policy, &gate, &texts, &settings(), Ok(&asker), &subject, rtype::A)
    };
    let rule = |what: &str, client: Option<&str>| ask(what, client).rule.unwrap_or_default();
    assert_eq!(rule("foo.example", None), "foo.example CNAME rpz-drop.");
    for name in ["foo.example", "bar.example"] {
        assert_eq!(
            rule(name, Some("127.0.0.1")),
            "8.0.0.0.127.rpz-client-ip CNAME rpz-drop."
        );
        assert_eq!(rule(name, Some("2001::6")), "112.zz.2001.rpz-client-ip CNAME rpz-drop.");
        assert_eq!(
            rule(name, Some("2001::5")),
            "128.5.zz.2001.rpz-client-ip CNAME rpz-drop."
        );
    }
    assert_eq!(ask("bar.example", Some("2001::5")).matches.len(), 2);
    assert_eq!(rule("192.0.2.70", None), "26.64.2.0.192.rpz-ip CNAME .");
    assert_eq!(rule("192.0.2.7", None), "24.0.2.0.192.rpz-ip CNAME .");
    assert_eq!(ask("192.0.2.70", None).matches.len(), 2);
}

#[test]
fn what_an_alias_of_a_rule_leads_to_is_judged_as_the_server_does() {
    let adguard = "! Title: ads\n||to.example^$dnsrewrite=bad.example\n||fine.example^$dnsrewrite=good.example\n";
    let gate = Gate::from_lists(&[("ads", "x", adguard), ("hosts", "x", "0.0.0.0 bad.example\n")]);
    let policy = Policy::build(&gate, &settings(), &[]).unwrap();
    let texts = Texts {
        lines: None,
        line_text: &|_, _| None,
    };
    let asker = Asker::new(policy.profile("default"), None, None);
    let ask = |subject: Subject| {
        words(&explain(
            &policy,
            &gate,
            &texts,
            &settings(),
            Ok(&asker),
            &subject,
            rtype::A,
        ))
    };
    let name = |text: &str| Name::parse(text).unwrap();
    assert_eq!(
        ask(Subject::Name(name("to.example"))),
        "block null hosts:- 0.0.0.0 bad.example"
    );
    let fine = ask(Subject::Name(name("fine.example")));
    assert!(fine.starts_with("rewrite cname=good.example"), "{fine}");
    for (target, expected) in [
        ("bad.example", "block null hosts:- 0.0.0.0 bad.example"),
        ("good.example", "rewrite cname -:- [[record]] bad.example"),
    ] {
        let says = super::explain::Local {
            rule: "[[record]] bad.example".to_owned(),
            action: "cname".to_owned(),
            follow: Some(name(target)),
        };
        assert_eq!(ask(Subject::Local(name("bad.example"), says)), expected);
    }
}

#[test]
fn a_name_that_was_dropped_as_redundant_names_the_entry_above() {
    let explanation = explained("www.deep.example", true, |_| {});
    assert_eq!(words(&explanation), "block null wide:3 deep.example");
}

#[test]
fn all_that_matched_is_told_with_what_each_does() {
    let explanation = explained("bad.example", true, |_| {});
    let told: Vec<String> = explanation
        .matches
        .iter()
        .map(|found| format!("{} {} {:?} {}", found.effect, found.list, found.line, found.rule))
        .collect();
    assert_eq!(
        told,
        [
            "block ads Some(2) ||bad.example^$important",
            "block hosts Some(3) 0.0.0.0 bad.example"
        ]
    );
}

#[test]
fn without_line_numbers_the_rule_is_told_in_the_language_of_its_list() {
    assert_eq!(
        words(&explained("bad.example", false, |_| {})),
        "block null ads:- ||bad.example^$important"
    );
    assert_eq!(
        words(&explained("one.example", false, |_| {})),
        "block null hosts:- 0.0.0.0 one.example"
    );
    assert_eq!(
        words(&explained("z.example", false, |_| {})),
        "block nxdomain zone:- z.example CNAME ."
    );
}

#[test]
fn the_answer_is_the_one_the_profile_chose_and_observing_resolves() {
    let refused = explained("one.example", true, |settings| {
        settings.profiles[0].answer = AnswerKind::Refused
    });
    assert_eq!(refused.action, "refused");
    let observed = explained("one.example", true, |settings| settings.profiles[0].observe = true);
    assert_eq!(words(&observed), "allow resolve hosts:2 0.0.0.0 one.example  # inline");
    assert!(observed.observed);
}

#[test]
fn where_rules_about_name_servers_may_yet_act_that_is_told() {
    let told = |what: &str| explained(what, true, |_| {}).name_servers;
    assert!(told("other.example"));
    assert!(told("good.example"), "an exemption of another kind of list");
    for what in ["z.example", "mine.example", "pass.example", "192.0.2.1"] {
        assert!(!told(what), "{what}");
    }
    let observing = explained("z.example", true, |settings| settings.profiles[0].observe = true);
    assert!(observing.name_servers, "it is resolved");
    let idle = explained("other.example", true, |settings| {
        settings.profiles[0] = ProfileSettings::named("default");
    });
    assert!(!idle.name_servers);
    let text = serde_json::to_string(&idle).unwrap();
    assert!(!text.contains("name_servers"), "{text}");
}

#[test]
fn a_client_that_may_not_ask_is_told_so() {
    let gate = Gate::empty();
    let policy = Policy::build(&gate, &settings(), &[]).unwrap();
    let texts = Texts {
        lines: None,
        line_text: &|_, _| None,
    };
    let subject = Subject::Name(Name::parse("x.example").unwrap());
    let explanation = explain(
        &policy,
        &gate,
        &texts,
        &settings(),
        Err(Refusal::Access),
        &subject,
        rtype::A,
    );
    assert_eq!((explanation.verdict, explanation.action.as_str()), ("block", "refused"));
    assert_eq!(explanation.rule.as_deref(), Some("server.allow"));
    let explanation = explain(
        &policy,
        &gate,
        &texts,
        &settings(),
        Err(Refusal::Unmatched),
        &subject,
        rtype::A,
    );
    assert_eq!(explanation.rule.as_deref(), Some("server.unmatched"));
}

#[test]
fn a_policy_for_one_explanation_has_the_lists_of_the_profile_asked_for_and_of_no_other() {
    let gate = Gate::from_lists(&[("a", "adult", "0.0.0.0 bad.example\n")]);
    let mut settings = super::tests::settings();
    for name in ["child", "parent"] {
        settings.profiles.push(ProfileSettings {
            block: vec!["adult".to_owned()],
            ..ProfileSettings::named(name)
        });
    }
    let policy = Policy::build_for(&gate, &settings, &[], 0, |name| name == "child").unwrap();
    let filters = |name: &str| policy.filters(policy.profile(name).unwrap());
    assert!(filters("child") && !filters("parent") && !filters("default"));
    settings.profiles[1].block = vec!["nowhere".to_owned()];
    let broken = Policy::build_for(&gate, &settings, &[], 0, |name| name == "parent");
    assert!(broken.is_err(), "the profiles that are not asked for are checked");
}

#[test]
fn what_leads_into_a_private_network_is_explained() {
    let guarded = |what: &str| {
        explained(what, true, |settings| {
            settings.profiles[0].rebinding = true;
            settings.server.rebinding_allow = vec![Name::parse("corp.example").unwrap().into()];
        })
    };
    let address = guarded("192.168.1.1");
    assert_eq!((address.verdict, address.rule.as_deref()), ("block", Some("rebinding")));
    assert_eq!(guarded("192.0.2.99").verdict, "allow");
    assert_eq!(guarded("198.51.100.7").list.as_deref(), Some("ads"));
    for (name, said) in [
        ("plain.example", true),
        ("www.corp.example", false),
        ("mine.example", false),
        ("bad.example", false),
    ] {
        assert_eq!(guarded(name).rebinding, said, "{name}");
    }
    assert!(!explained("plain.example", true, |_| {}).rebinding);
}

#[test]
fn a_look_alike_is_explained_by_the_name_that_it_looks_like_and_where_that_is_listed() {
    // Cyrillic е.
    let name = idna::domain_to_ascii("x.d\u{435}ep.example").unwrap();
    let seen = explained(&name, true, |settings| settings.profiles[0].look_alikes = true);
    assert_eq!((seen.verdict, seen.action.as_str()), ("block", "null"));
    assert_eq!(seen.looks_like.as_deref(), Some("x.deep.example"));
    assert_eq!((seen.list.as_deref(), seen.line), (Some("wide"), Some(3)));
    assert_eq!(seen.category.as_deref(), Some("adult"));
    assert_eq!(seen.rule.as_deref(), Some("deep.example"));
    let unasked = explained(&name, true, |_| {});
    assert_eq!((unasked.verdict, unasked.looks_like), ("allow", None));
    let itself = explained("www.deep.example", true, |settings| {
        settings.profiles[0].look_alikes = true
    });
    assert_eq!((itself.verdict, itself.looks_like), ("block", None));
}
