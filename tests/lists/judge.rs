//! The program's side of a comparison: lists compiled in memory, one profile that blocks all of them.

use super::model::{Deed, Said};
use stairgate::config::settings::{ListAction, ProfileSettings, Settings};
use stairgate::dns::key::Key;
use stairgate::dns::name::Name;
use stairgate::list::compile::{CompileOptions, compile};
use stairgate::list::listing;
use stairgate::list::rule::Effect;
use stairgate::list::set::Gate;
use stairgate::list::source::{Content, SourceSpec};
use stairgate::list::verify::Unverified;
use stairgate::policy::decision::{Action, Cause, Decision};
use stairgate::policy::{Asker, Met, Policy, ProfileId};
use std::path::Path;

pub struct Program {
    gate: Gate,
    policy: Policy,
}

impl Program {
    /// Lists by name, format, rank and text, each in a category of its own name.
    pub fn new(lists: &[(String, &str, u32, String)]) -> Program {
        let specs = lists.iter().map(|(name, format, rank, text)| SourceSpec {
            name: name.clone(),
            path: name.into(),
            category: name.clone(),
            action: ListAction::Block,
            format: (*format != "auto").then(|| format.parse().unwrap()),
            match_scope: None,
            rank: *rank,
            rewrite: true,
            fetched: false,
            content: Content::Bytes(text.as_bytes().into()),
        });
        let everything = lists.iter().map(|(name, ..)| name.clone()).collect();
        Program::of(specs.collect(), everything)
    }

    /// The program that the dump of this one's gate makes, its format told from its content. Lines are dumped as zeros.
    pub fn dumped_again(&self) -> (String, Program) {
        let mut dump = Vec::new();
        listing::write(&self.gate, None, &mut dump).expect("a vector takes every line");
        let text = String::from_utf8(dump).expect("a dump is text");
        let spec = SourceSpec {
            name: "dumped.tsv".into(),
            path: "dumped.tsv".into(),
            category: "dumped".into(),
            action: ListAction::Block,
            format: None,
            match_scope: None,
            rank: 100,
            rewrite: true,
            fetched: false,
            content: Content::Bytes(text.as_bytes().into()),
        };
        let everything = self.gate.sources().iter().map(|source| source.category.clone());
        let everything = everything.chain(["dumped".to_owned()]).collect();
        (text, Program::of(vec![spec], everything))
    }

    fn of(specs: Vec<SourceSpec>, everything: Vec<String>) -> Program {
        let compiled = compile(specs, &CompileOptions::default()).expect("random lists compile");
        let gate = Unverified::new(compiled.gate)
            .verify()
            .expect("what was compiled verifies")
            .into_gate();
        let mut settings = Settings::builtin(Path::new("."));
        settings.lists.clear();
        settings.clients.clear();
        let known: Vec<String> = everything
            .into_iter()
            .filter(|category| gate.sources().iter().any(|source| source.category == *category))
            .collect();
        settings.profiles = vec![ProfileSettings {
            block: known,
            ..ProfileSettings::named("default")
        }];
        let policy = Policy::build(&gate, &settings, &[]).expect("policy for what was compiled");
        Program { gate, policy }
    }

    fn decision(&self, name: &str, qtype: &str) -> Decision {
        let name = idna::domain_to_ascii(name).unwrap();
        let key = Key::from_wire(Name::parse(&name).unwrap().as_wire());
        let asker = Asker::new(Some(ProfileId(0)), None, None);
        self.policy
            .decide(&self.gate, &asker, &key, Met::Question, number(qtype))
    }

    /// The decision in the model's words.
    pub fn decide(&self, name: &str, qtype: &str) -> Said {
        let decision = self.decision(name, qtype);
        let rule = match decision.cause {
            Cause::Rule(rule) => Some(self.gate.rule(rule).expect("a rule that was reported exists")),
            _ => None,
        };
        let list = rule.map(|rule| self.gate.sources()[usize::from(rule.source.0)].name.clone());
        // A list that has records of other types for the name rewrites it to NODATA.
        let has_data = rule.is_some_and(|rule| matches!(rule.effect, Effect::Data { .. }));
        let deed = list.as_ref().map(|_| match decision.action {
            Action::Pass | Action::PassWhole => Deed::Allow,
            Action::Rewrite(_) => Deed::Rewrite,
            Action::Nodata if has_data => Deed::Rewrite,
            _ => Deed::Block,
        });
        Said { deed, list }
    }

    /// What is done, in one word.
    pub fn action(&self, name: &str, qtype: &str) -> &'static str {
        match self.decision(name, qtype).action {
            Action::Pass | Action::PassWhole => "pass",
            Action::Sinkhole => "sinkhole",
            Action::Rcode(3) => "nxdomain",
            Action::Rcode(5) => "refused",
            Action::Rcode(_) => "rcode",
            Action::Nodata => "nodata",
            Action::Drop => "drop",
            Action::TcpOnly => "tcp-only",
            Action::Rewrite(_) | Action::Alias(_) => "rewrite",
        }
    }
}

fn number(qtype: &str) -> u16 {
    match qtype {
        "A" => 1,
        "PTR" => 12,
        "MX" => 15,
        "TXT" => 16,
        "AAAA" => 28,
        "SRV" => 33,
        "SVCB" => 64,
        "HTTPS" => 65,
        other => panic!("{other}"),
    }
}
