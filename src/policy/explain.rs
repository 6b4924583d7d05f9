//! Why a name is answered as it is: the decision that `decide` makes, and every rule that matched, in words.
//!
//! In: a gate, its line numbers if they are at hand, a policy, who asks and for what. Out: an [`Explanation`].
//! Always: the verdict is the one the server gives; this module only looks up where it comes from. What a resolver would say
//! is not known here, so aliases are followed as far as rules and local zones write them.

mod origin;

use super::decide::What;
use super::decision::{Action, Cause, Decision};
use super::plans::Does;
use super::rules::Act;
use super::{Asker, ClientId, Met, Policy, Refusal, look_alikes, written};
use crate::config::household::OwnName;
use crate::config::settings::{AnswerKind, Settings};
use crate::dns::key::{Key, to_text};
use crate::dns::name::Name;
use crate::dns::rtype;
use crate::limits::REWRITES_IN_A_ROW;
use crate::list::dump::{Target, effect_text};
use crate::list::lines::Lines;
use crate::list::patterns::Patterns;
use crate::list::rule::{Effect, Pattern};
use crate::list::set::{Gate, RuleId, SourceId};
use origin::Asked;
use serde::Serialize;
use std::net::IpAddr;

/// What `explain --json` prints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// What was asked for, without a final dot, with A-labels.
    pub name: String,
    /// "allow", "block", "rewrite"
    pub verdict: &'static str,
    /// The rule it rests on, as written; none where nothing matched. "server.allow" or "server.unmatched" for somebody who may
    /// not ask; `[[record]] NAME`, `[[zone]] NAME` or `built-in zone NAME` where this server answers itself, which is a
    /// "rewrite" that no list has a say in.
    pub rule: Option<String>,
    /// The list the rule stands in; none for the profile's own names and for this server's own answers.
    pub list: Option<String>,
    /// The line in the unpacked list, from 1; none where the line numbers are not at hand.
    pub line: Option<u32>,
    pub category: Option<String>,
    /// The name that the rule is about, where the one asked for only looks like it (`look_alikes`). Left out where it is about that itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub looks_like: Option<String>,
    /// What is done, in a word: "resolve", "null", "nxdomain", "nodata", "refused", "page", "drop", "tcp-only", or the
    /// records.
    pub action: String,
    /// None for clients that are not filtered.
    pub profile: Option<String>,
    /// The base of that profile which says what it rests on. Left out where the profile says it itself, or nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile_from: Option<String>,
    /// The device, or the client of the settings. Left out for strangers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// The person whose device it is. Left out for a device that is nobody's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub person: Option<String>,
    /// Where in the household file the window, grant or pause stands that it rests on. Left out where it rests on none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub household_line: Option<usize>,
    /// Step by step from who asks to what it rests on: "device phone", "person masha", "profile child (inherited from base)", "window night
    /// (household, line 11)", "rule ||x.example^", "list ads:7".
    pub path: Vec<String>,
    /// The command that lets it through, where a household says who gets what. Left out for what is not blocked, or not by its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub way_in: Option<String>,
    /// Quotas that asking for it counts towards, and one that is spent. Left out where there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub quotas: Vec<QuotaUse>,
    /// What stands in that line of the household.
    #[serde(skip)]
    kind: Option<&'static str>,
    /// The profile or the list only observes: the query is resolved, and the rule is the one that would have acted.
    pub observed: bool,
    /// It is resolved, and lists of the profile have rules about name servers (RPZ NSDNAME and NSIP), which may yet act on what comes of
    /// it: they are judged when it is known who serves the zones of the name. Left out where that is not so.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub name_servers: bool,
    /// It is resolved, and an answer that leads into a private network is blocked (`rebinding`). Left out where that is not so.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub rebinding: bool,
    /// It is resolved, and the keys of Encrypted ClientHello are left out of the answer (`bypass_guard`). Left out where that is not so.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub without_ech: bool,
    /// All rules of enabled lists that matched, the longest names first.
    pub matches: Vec<Match>,
}

/// A quota of whoever asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct QuotaUse {
    pub name: String,
    /// "day" or "week"
    pub per: &'static str,
    /// Minutes of each such period.
    pub limit: u32,
    /// Minutes of this period, with those that went over into it and those that were granted; `null`: it is not at hand what was used.
    pub given: Option<u32>,
    /// Minutes used in this period; `null` likewise.
    pub used: Option<u32>,
    /// Its account.
    #[serde(skip)]
    pub key: String,
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
    /// The client's address matched.
    #[serde(skip)]
    by_client: bool,
}

/// What is asked.
#[derive(Debug, Clone)]
pub enum Subject {
    Name(Name),
    /// A name that this server answers for itself.
    Local(Name, Local),
    /// An address in an answer.
    Address(IpAddr),
}

/// What this server says about a name before any list is asked.
#[derive(Debug, Clone)]
pub struct Local {
    /// Where that stands, as [`Explanation::rule`] has it.
    pub rule: String,
    /// What is answered, as [`Explanation::action`] has it.
    pub action: String,
    /// The name outside the local zones that an alias leads to.
    pub follow: Option<Name>,
}

/// What lists hold, as far as it is at hand.
pub struct Texts<'t> {
    /// The companion of the gate.
    pub lines: Option<&'t Lines>,
    /// The text of a line of a source, if the list that was compiled can still be read.
    pub line_text: &'t dyn Fn(SourceId, u32) -> Option<String>,
}

/// Explains what becomes of `subject`, to somebody who asks or who may not.
pub fn explain(
    policy: &Policy,
    gate: &Gate,
    texts: &Texts<'_>,
    settings: &Settings,
    asker: Result<&Asker, Refusal>,
    subject: &Subject,
    qtype: u16,
) -> Explanation {
    let name = match subject {
        Subject::Name(name) | Subject::Local(name, _) => Some(name),
        Subject::Address(_) => None,
    };
    let mut explanation = Explanation {
        name: match subject {
            Subject::Name(name) | Subject::Local(name, _) => plain_text(name),
            Subject::Address(addr) => addr.to_string(),
        },
        verdict: "allow",
        rule: None,
        list: None,
        line: None,
        category: None,
        looks_like: None,
        action: "resolve".to_owned(),
        profile: None,
        profile_from: None,
        device: None,
        person: None,
        household_line: None,
        path: Vec::new(),
        way_in: None,
        quotas: Vec::new(),
        kind: None,
        observed: false,
        name_servers: false,
        rebinding: false,
        without_ech: false,
        matches: Vec::new(),
    };
    let asker = match asker {
        Ok(asker) => asker,
        Err(refusal) => {
            let rule = match refusal {
                Refusal::Access => "server.allow",
                Refusal::Unmatched => "server.unmatched",
            };
            explanation.verdict = "block";
            explanation.rule = Some(rule.to_owned());
            explanation.action = "refused".to_owned();
            explanation.path = vec![format!("rule {rule}")];
            return explanation;
        }
    };
    let person = asker
        .person
        .and_then(|person| settings.household.as_ref()?.people.get(person as usize));
    explanation.person = person.map(|person| person.id.clone());
    let client = asker
        .client
        .and_then(|ClientId(client)| settings.clients.get(client as usize));
    explanation.device = client.map(|client| client.name.clone());
    let profile = asker.profile.and_then(|id| {
        let name = policy.profile_name(id);
        explanation.profile = Some(name.to_owned());
        settings.profiles.iter().find(|profile| profile.name == name)
    });
    let asked = Asked {
        profile,
        profiles: &settings.profiles,
        person,
        qtype,
    };
    let key = name.map(|name| Key::from_wire(name.as_wire()));
    let what = match (&key, subject) {
        (Some(key), _) => What::Name(key),
        (None, Subject::Address(addr)) => What::Address(*addr),
        (None, _) => return explanation,
    };
    let decision = match what {
        What::Name(key) => policy.decide(gate, asker, key, Met::Question, qtype),
        What::Address(addr) => policy
            .decide_rebinding(asker, addr)
            .unwrap_or_else(|| policy.decide_address(gate, asker, addr, qtype)),
    };
    let met = if name.is_some() { Met::Question } else { Met::Answer };
    let all = |what: What<'_>, asker: &Asker, met| {
        let finder = Finder {
            policy,
            gate,
            texts,
            what,
            asker,
        };
        finder.all(met, qtype)
    };
    explanation.matches = all(what, asker, met);
    explanation.quotas = quotas(policy, asker, &decision);
    if let What::Name(key) = what {
        explanation.look_alike(key, &decision, |what| all(what, asker, met));
    }
    let mut asker = *asker;
    let mut next = match subject {
        Subject::Local(_, says) => {
            explanation.verdict = "rewrite";
            explanation.rule = Some(says.rule.clone());
            explanation.action.clone_from(&says.action);
            // An own allow of the name covers all that its alias leads to.
            says.follow.clone().filter(|_| decision.action != Action::PassWhole)
        }
        _ => {
            explanation.rests_on(policy, gate, &asked, &decision);
            name.and_then(|name| alias_of(policy, gate, &decision, name, qtype))
        }
    };
    if matches!(subject, Subject::Name(_)) || !decision.acts() {
        asker = asker.after(&decision);
    }
    let mut resolved = match subject {
        Subject::Local(..) => next.is_some(),
        Subject::Name(_) => decision.action != Action::PassWhole && (!decision.acts() || decision.observed),
        Subject::Address(_) => false,
    };
    // What an alias leads to is judged, too.
    for _ in 0..REWRITES_IN_A_ROW {
        let Some(target) = next.take() else { break };
        let key = Key::from_wire(target.as_wire());
        let decision = policy.decide_in_answer(gate, &asker, &key, rtype::CNAME, qtype);
        resolved = !decision.acts() || decision.observed;
        if resolved {
            asker = asker.after(&decision);
            break;
        }
        explanation.matches.extend(all(What::Name(&key), &asker, Met::Answer));
        explanation.look_alike(&key, &decision, |what| all(what, &asker, Met::Answer));
        explanation.rests_on(policy, gate, &asked, &decision);
        next = alias_of(policy, gate, &decision, &target, qtype);
        asker = asker.after(&decision);
    }
    explanation.name_servers = resolved && policy.inspects(&asker).servers;
    explanation.path = explanation.steps(settings.household.is_some());
    explanation.way_in = explanation.way_in(settings).filter(|_| name.is_some());
    explanation.without_ech = resolved && matches!(qtype, rtype::SVCB | rtype::HTTPS) && policy.inspects(&asker).ech;
    // A name of this server's own may lead anywhere, also through an alias.
    explanation.rebinding = resolved
        && matches!(subject, Subject::Name(_))
        && name.is_some_and(|name| policy.guards_rebinding(&asker, &Key::from_wire(name.as_wire())));
    explanation
}

/// The quotas that the question was counted towards when it was decided, and the one that the decision rests on. The policy is made for one
/// explanation, so that nothing was counted before.
fn quotas(policy: &Policy, asker: &Asker, decision: &Decision) -> Vec<QuotaUse> {
    let limits = policy
        .plans
        .items(asker.layer)
        .filter(|(_, item)| item.does == Does::Limits);
    let accounts = limits.filter_map(|(number, item)| Some((number, item, policy.plans.account(number, asker)?)));
    accounts
        .filter(|(number, _, account)| account.used_minute() != 0 || decision.cause == Cause::Timed(*number))
        .map(|(_, item, account)| QuotaUse {
            name: item.name.clone(),
            per: account.quota.period.word(),
            limit: account.quota.minutes,
            given: None,
            used: None,
            key: account.key.to_string(),
        })
        .collect()
}

impl Explanation {
    /// What a parent types to let the name through.
    fn way_in(&self, settings: &Settings) -> Option<String> {
        if self.verdict != "block" || self.observed || settings.household.is_none() {
            return None;
        }
        let (name, profile) = (&self.name, self.profile.as_ref()?);
        let rule = self.rule.as_deref()?;
        let whose = || match &self.person {
            Some(person) => person.clone(),
            None => format!("profile:{profile}"),
        };
        let command = match (self.kind, rule) {
            // Hours and quotas hold for names that are allowed, too.
            (Some(_), _) => format!(
                "grant {} {name} --for 1h",
                self.person.as_ref().or(self.device.as_ref())?
            ),
            (None, "only") => format!("set profile {profile} only --also {name}"),
            (None, "types") => return None,
            (None, _) => format!("allow {name} --for {}", whose()),
        };
        Some(format!("stairgate household {command}"))
    }

    /// The way from who asks to what it rests on.
    fn steps(&self, household: bool) -> Vec<String> {
        let device = if household { "device" } else { "client" };
        let inherited = self.profile_from.as_ref();
        let inherited = inherited.map_or_else(String::new, |base| format!(" (inherited from {base})"));
        let line = self.line.map_or_else(String::new, |line| format!(":{line}"));
        let what = match (self.kind, self.household_line) {
            (Some(kind), Some(line)) => self.rule.as_ref().map(|rule| match rule == kind {
                true => format!("{kind} (household, line {line})"),
                false => format!("{kind} {rule} (household, line {line})"),
            }),
            _ => self.rule.as_ref().map(|rule| format!("rule {rule}")),
        };
        let steps = [
            self.device.as_ref().map(|name| format!("{device} {name}")),
            self.person.as_ref().map(|id| format!("person {id}")),
            self.profile.as_ref().map(|name| format!("profile {name}{inherited}")),
            what,
            self.list.as_ref().map(|list| format!("list {list}{line}")),
        ];
        steps.into_iter().flatten().collect()
    }

    /// Adds what matched the name that `key` looks like, where a decision rests on that.
    fn look_alike(&mut self, key: &Key, decision: &Decision, all: impl FnOnce(What<'_>) -> Vec<Match>) {
        self.looks_like = None;
        if let Cause::LookAlike(_, of) = decision.cause
            && let Some(key) = look_alikes::nth(key, of)
        {
            self.matches.extend(all(What::Name(&key)));
            self.looks_like = Some(to_text(key.as_bytes()));
        }
    }

    /// Takes over a decision; what matched is known.
    fn rests_on(&mut self, policy: &Policy, gate: &Gate, asked: &Asked<'_>, decision: &Decision) {
        let own = |names: Option<&Vec<OwnName>>, index: u32| {
            names
                .and_then(|names| names.get(index as usize))
                .map(|own| own_text(&own.name))
        };
        (self.rule, self.list, self.line, self.category) = (None, None, None, None);
        (self.household_line, self.kind) = (None, None);
        self.profile_from = asked.origin(policy, &decision.cause);
        match decision.cause {
            Cause::Nothing | Cause::Unfiltered => {}
            Cause::Canary(feature) => self.rule = Some(format!("canary of {feature}")),
            Cause::PersonAllow(index) => self.rule = own(asked.person.map(|person| &person.allow), index),
            Cause::PersonDeny(index) => self.rule = own(asked.person.map(|person| &person.deny), index),
            Cause::Timed(number) => {
                let item = policy.plans.item(number);
                self.rule = item.map(|item| item.name.clone());
                self.household_line = item.map(|item| item.line);
                self.kind = item.map(|item| match item.does {
                    Does::PausesFilter | Does::PausesInternet => "pause",
                    Does::Grants => "grant",
                    Does::Limits => "quota",
                    Does::Allows | Does::Blocks => "window",
                });
            }
            Cause::Rebinding => self.rule = Some("rebinding".to_owned()),
            Cause::NotAmongOnly => self.rule = Some("only".to_owned()),
            Cause::Type => self.rule = Some("types".to_owned()),
            Cause::Service(number) => self.rule = Some(format!("service {}", policy.marks.service(number))),
            Cause::Way(way) => self.rule = Some(format!("bypass_guard: {}", way.word())),
            Cause::Safe(number) => self.rule = Some(format!("safe_search: {}", policy.marks.engine(number))),
            Cause::OwnAllow(index) => self.rule = own(asked.profile.map(|profile| &profile.allow), index),
            Cause::OwnDeny(index) => self.rule = own(asked.profile.map(|profile| &profile.deny), index),
            Cause::Rule(rule) | Cause::LookAlike(rule, _) => {
                // Rules of one source with one effect share a number. A zone is asked about the client first; then, of the
                // places a rule was met at, the longest name or network counts, which comes first.
                let mut of_rule = self.matches.iter().filter(|found| found.id == rule);
                let found = of_rule.clone().find(|found| found.by_client).or_else(|| of_rule.next());
                if let Some(found) = found {
                    self.rule = Some(found.rule.clone());
                    self.list = Some(found.list.clone());
                    self.line = found.line;
                    self.category = Some(found.category.clone());
                }
            }
        }
        let answer = asked.profile.map_or(AnswerKind::Null, |profile| profile.answer);
        self.observed = decision.observed;
        if !decision.observed {
            self.verdict = verdict(policy, decision);
            self.action = action(policy, gate, decision, answer);
        }
    }
}

/// The name that a rewrite of `name` leads to.
fn alias_of(policy: &Policy, gate: &Gate, decision: &Decision, name: &Name, qtype: u16) -> Option<Name> {
    if decision.observed || matches!(qtype, rtype::CNAME | rtype::ANY) {
        return None;
    }
    let rewrites = match decision.action {
        Action::Rewrite(rewrites) => rewrites,
        Action::Alias(number) => return policy.safe_host(number).cloned(),
        _ => return None,
    };
    rewrites.iter().find_map(|rule| match &gate.rule(rule)?.effect {
        Effect::Cname(target) => Some(target.clone()),
        Effect::CnameBelow(parent) => {
            let labels = name.as_wire().split_last()?.1;
            Name::from_wire(&[labels, parent.as_wire()].concat())
        }
        _ => None,
    })
}

/// A name without a final dot, in lower case; the root is ".".
pub fn plain_text(name: &Name) -> String {
    let mut text = name.to_lower().to_string();
    if !name.is_root() {
        text.pop();
    }
    text
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
        Action::Rewrite(_) | Action::Alias(_) => "rewrite",
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

fn action(policy: &Policy, gate: &Gate, decision: &Decision, answer: AnswerKind) -> String {
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
        Action::Alias(number) => match policy.safe_host(number) {
            Some(target) => effect_text(&Effect::Cname(target.clone())),
            None => String::new(),
        },
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
    asker: &'f Asker,
}

impl Finder<'_> {
    /// Every rule that matched, the longest names first.
    fn all(&self, met: Met, qtype: u16) -> Vec<Match> {
        let found = self.policy.matches(self.gate, self.asker, self.what, met, qtype);
        found
            .iter()
            .flat_map(|&(rule, labels)| self.find(rule, labels))
            .collect()
    }

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
        // Of networks the longest first.
        let mut others: Vec<(u8, Match)> = Vec::new();
        for (index, (pattern, id)) in self.gate.patterns().iter().enumerate() {
            if *id == rule && self.matches(pattern) {
                let line = self.texts.lines.and_then(|lines| lines.of_pattern(index));
                let length = match pattern {
                    Pattern::Client(network) => network.prefix_len(),
                    _ => 0,
                };
                others.push((length, self.describe(rule, Target::Pattern(pattern.clone()), line)));
            }
        }
        if let What::Address(addr) = self.what {
            for (index, (network, id)) in self.gate.networks().enumerate() {
                if id == rule && network.contains(&addr.to_canonical()) {
                    let line = self.texts.lines.and_then(|lines| lines.of_network(index));
                    let target = Target::Pattern(Pattern::Address(network));
                    others.push((network.prefix_len(), self.describe(rule, target, line)));
                }
            }
        }
        others.sort_by_key(|(length, _)| std::cmp::Reverse(*length));
        found.extend(others.into_iter().map(|(_, found)| found));
        found
    }

    fn matches(&self, pattern: &Pattern) -> bool {
        match pattern {
            Pattern::Regex(_) | Pattern::Wildcard(_) => {
                let Ok(Some(alone)) = Patterns::build(std::iter::once(pattern)) else {
                    return false;
                };
                let mut matched = false;
                match self.what {
                    What::Name(key) => alone.name(key, |_| matched = true),
                    What::Address(addr) => alone.text(&addr.to_canonical().to_string(), |_| matched = true),
                }
                matched
            }
            Pattern::Client(network) => self.asker.addr.is_some_and(|addr| network.contains(&addr)),
            // Who serves the name is not known here.
            Pattern::Address(_) | Pattern::NsName(..) | Pattern::NsAddress(_) => false,
        }
    }

    fn describe(&self, rule: RuleId, target: Target, line: Option<u32>) -> Match {
        let by_client = matches!(target, Target::Pattern(Pattern::Client(_)));
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
            by_client,
        }
    }
}
