//! Why a name is answered as it is: the decision that `decide` makes, and every rule that matched, in words.
//!
//! In: a gate, its line numbers if they are at hand, a policy, who asks and for what. Out: an [`Explanation`].
//! Always: the verdict is the one the server gives; this module only looks up where it comes from.

use super::decide::What;
use super::decision::{Action, Cause, Decision};
use super::rules::Act;
use super::{Asker, Met, Policy, written};
use crate::config::settings::{AnswerKind, ProfileSettings};
use crate::dns::key::{Key, to_text};
use crate::dns::name::Name;
use crate::list::dump::{Target, effect_text};
use crate::list::lines::Lines;
use crate::list::rule::{Effect, Pattern};
use crate::list::set::{Gate, RuleId, SourceId};
use serde::Serialize;
use std::net::IpAddr;

/// What `explain --json` prints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// What was asked for, without a final dot, with A-labels.
    pub name: String,
    /// "allow", "block", "rewrite"
    pub verdict: &'static str,
    /// The rule it rests on, as written; none where nothing matched.
    pub rule: Option<String>,
    /// The list the rule stands in; none for the profile's own names.
    pub list: Option<String>,
    /// The line in the unpacked list, from 1; none where the line numbers are not at hand.
    pub line: Option<u32>,
    pub category: Option<String>,
    /// What is done, in a word: "resolve", "null", "nxdomain", "nodata", "refused", "page", "drop", "tcp-only", or the
    /// records.
    pub action: String,
    /// None for clients that are not filtered.
    pub profile: Option<String>,
    /// The profile or the list only observes: the query is resolved, and the rule is the one that would have acted.
    pub observed: bool,
    /// All rules of enabled lists that matched, the longest names first.
    pub matches: Vec<Match>,
}

/// One rule that matched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Match {
    pub rule: String,
    pub list: String,
    pub line: Option<u32>,
    pub category: String,
    /// What the rule does: "block", "allow", "nxdomain", "data=A 192.0.2.1" and so on, as `dump` has it.
    pub effect: String,
    #[serde(skip)]
    id: RuleId,
}

/// What is asked.
#[derive(Debug, Clone)]
pub enum Subject {
    Name(Name),
    /// An address in an answer.
    Address(IpAddr),
}

/// What lists hold, as far as it is at hand.
pub struct Texts<'t> {
    /// The companion of the gate.
    pub lines: Option<&'t Lines>,
    /// The text of a line of a source, if the list that was compiled can still be read.
    pub line_text: &'t dyn Fn(SourceId, u32) -> Option<String>,
}

/// Explains what becomes of `subject`. `asker` is `None` for a client that may not ask.
pub fn explain(
    policy: &Policy,
    gate: &Gate,
    texts: &Texts<'_>,
    profiles: &[ProfileSettings],
    asker: Option<&Asker>,
    subject: &Subject,
    qtype: u16,
) -> Explanation {
    let key = match subject {
        Subject::Name(name) => Some(Key::from_wire(name.as_wire())),
        Subject::Address(_) => None,
    };
    let mut explanation = Explanation {
        name: match subject {
            Subject::Name(name) if name.is_root() => ".".to_owned(),
            Subject::Name(name) => {
                let mut text = name.to_lower().to_string();
                text.pop();
                text
            }
            Subject::Address(addr) => addr.to_string(),
        },
        verdict: "allow",
        rule: None,
        list: None,
        line: None,
        category: None,
        action: "resolve".to_owned(),
        profile: None,
        observed: false,
        matches: Vec::new(),
    };
    let Some(asker) = asker else {
        explanation.verdict = "block";
        explanation.rule = Some("server.allow".to_owned());
        explanation.action = "refused".to_owned();
        return explanation;
    };
    let settings = asker.profile.and_then(|id| {
        let name = policy.profile_name(id);
        explanation.profile = Some(name.to_owned());
        profiles.iter().find(|profile| profile.name == name)
    });
    let what = match (&key, subject) {
        (Some(key), _) => What::Name(key),
        (None, Subject::Address(addr)) => What::Address(*addr),
        (None, Subject::Name(_)) => return explanation,
    };
    let finder = Finder {
        policy,
        gate,
        texts,
        what,
    };
    let found = policy.matches(gate, asker, what, qtype);
    explanation.matches = found
        .iter()
        .flat_map(|&(rule, labels)| finder.find(rule, labels))
        .collect();
    let decision = match what {
        What::Name(key) => policy.decide(gate, asker, key, Met::Question, qtype),
        What::Address(addr) => policy.decide_address(gate, asker, addr, qtype),
    };
    let own = |names: Option<&Vec<Name>>, index: u32| names.and_then(|names| names.get(index as usize)).map(own_text);
    match decision.cause {
        Cause::Nothing | Cause::Unfiltered => {}
        Cause::Canary(feature) => explanation.rule = Some(format!("canary of {feature}")),
        Cause::OwnAllow(index) => explanation.rule = own(settings.map(|profile| &profile.allow), index),
        Cause::OwnDeny(index) => explanation.rule = own(settings.map(|profile| &profile.deny), index),
        Cause::Rule(rule) => {
            // Of the places a rule was met at, the longest name, which comes first.
            if let Some(found) = explanation.matches.iter().find(|found| found.id == rule) {
                explanation.rule = Some(found.rule.clone());
                explanation.list = Some(found.list.clone());
                explanation.line = found.line;
                explanation.category = Some(found.category.clone());
            }
        }
    }
    let answer = settings.map_or(AnswerKind::Null, |profile| profile.answer);
    explanation.observed = decision.observed;
    if !decision.observed {
        explanation.verdict = verdict(policy, &decision);
        explanation.action = action(gate, &decision, answer);
    }
    explanation
}

fn own_text(name: &Name) -> String {
    to_text(Key::from_wire(name.as_wire()).as_bytes())
}

fn verdict(policy: &Policy, decision: &Decision) -> &'static str {
    let rewriting = match decision.cause {
        Cause::Rule(rule) => policy.rules.get(rule).is_some_and(|rule| rule.act == Act::Rewrite),
        _ => false,
    };
    match decision.action {
        // Over TCP it is resolved.
        Action::Pass | Action::PassWhole | Action::TcpOnly => "allow",
        Action::Rewrite(_) => "rewrite",
        Action::Sinkhole | Action::Drop => "block",
        Action::Rcode(_) | Action::Nodata => {
            if rewriting {
                "rewrite"
            } else {
                "block"
            }
        }
    }
}

fn action(gate: &Gate, decision: &Decision, answer: AnswerKind) -> String {
    match decision.action {
        Action::Pass | Action::PassWhole => "resolve".to_owned(),
        Action::Sinkhole => match answer {
            AnswerKind::Null => "null",
            AnswerKind::Nxdomain => "nxdomain",
            AnswerKind::Nodata => "nodata",
            AnswerKind::Refused => "refused",
            AnswerKind::Page => "page",
        }
        .to_owned(),
        Action::Rcode(rcode) => effect_text(&Effect::Rcode(rcode)),
        Action::Nodata => "nodata".to_owned(),
        Action::Drop => "drop".to_owned(),
        Action::TcpOnly => "tcp-only".to_owned(),
        Action::Rewrite(rules) => {
            let records = rules
                .iter()
                .filter_map(|rule| gate.rule(rule))
                .map(|rule| effect_text(&rule.effect));
            records.collect::<Vec<_>>().join(", ")
        }
    }
}

/// Finds the text and the line of rules.
struct Finder<'f> {
    policy: &'f Policy,
    gate: &'f Gate,
    texts: &'f Texts<'f>,
    what: What<'f>,
}

impl Finder<'_> {
    /// Where a rule was met: on the key of `labels` labels, or as patterns and networks (several may share a rule).
    fn find(&self, rule: RuleId, labels: u8) -> Vec<Match> {
        let Some(whole) = self.gate.rule(rule) else {
            return Vec::new();
        };
        let mut found = Vec::new();
        if let What::Name(key) = self.what {
            let prefix = key.prefix(usize::from(labels));
            let here = self.texts.lines.and_then(|lines| lines.of_key(self.gate, prefix));
            let mut on_key = false;
            self.gate.walk(key, |at, set| {
                on_key |= at == usize::from(labels) && self.gate.rules_of(set).any(|other| other == rule);
            });
            if on_key {
                let line = here.and_then(|rows| rows.into_iter().find(|(id, _)| *id == rule).map(|(_, line)| line));
                found.push(self.describe(rule, Target::Name(prefix.into(), whole.scope), line));
            }
        }
        if labels > 0 {
            return found;
        }
        for (index, (pattern, id)) in self.gate.patterns().iter().enumerate() {
            if *id == rule && self.matches(pattern) {
                let line = self.texts.lines.and_then(|lines| lines.of_pattern(index));
                found.push(self.describe(rule, Target::Pattern(pattern.clone()), line));
            }
        }
        if let What::Address(addr) = self.what {
            for (index, (network, id)) in self.gate.networks().enumerate() {
                if id == rule && network.contains(&addr.to_canonical()) {
                    let line = self.texts.lines.and_then(|lines| lines.of_network(index));
                    found.push(self.describe(rule, Target::Pattern(Pattern::Address(network)), line));
                }
            }
        }
        found
    }

    fn matches(&self, pattern: &Pattern) -> bool {
        match pattern {
            Pattern::Regex(_) | Pattern::Wildcard(_) => {
                let Ok(Some(alone)) = super::patterns::Patterns::build(std::iter::once(pattern)) else {
                    return false;
                };
                let mut matched = false;
                match self.what {
                    What::Name(key) => alone.name(key, |_| matched = true),
                    What::Address(addr) => alone.text(&addr.to_canonical().to_string(), |_| matched = true),
                }
                matched
            }
            // That it matched the client is why it is here.
            Pattern::Client(_) => true,
            Pattern::Address(_) | Pattern::NsName(..) | Pattern::NsAddress(_) => false,
        }
    }

    fn describe(&self, rule: RuleId, target: Target, line: Option<u32>) -> Match {
        let whole = self.gate.rule(rule);
        let text = whole.map_or_else(String::new, |whole| {
            line.and_then(|line| (self.texts.line_text)(whole.source, line))
                .unwrap_or_else(|| {
                    let format = self.gate.sources()[usize::from(whole.source.0)].format;
                    written::rule(format, &target, &whole.effect, &whole.modifiers)
                })
        });
        let source = self.policy.source(rule);
        Match {
            rule: text,
            list: source.map_or_else(String::new, |source| source.name.clone()),
            line,
            category: source.map_or_else(String::new, |source| source.category.clone()),
            effect: whole.map_or_else(String::new, |whole| effect_text(&whole.effect)),
            id: rule,
        }
    }
}
