//! What lists mean, case by case: `cases/*.case` hold small lists and the verdicts expected of them.
//!
//! A case begins with `== title`; `#format F` names the dialect (else the file's name does); `|` begins a line of the list;
//! `? NAME TYPE => VERDICT [ACTION]` asks. Verdicts are `allow`, `block`, `rewrite`; the action is checked where it stands.

use super::judge::Program;
use super::model::Deed;
use std::fs;
use std::path::Path;

struct Case {
    title: String,
    format: String,
    list: String,
    asks: Vec<String>,
}

fn read(path: &Path) -> Vec<Case> {
    let dialect = path.file_stem().unwrap().to_str().unwrap().to_owned();
    let mut cases: Vec<Case> = Vec::new();
    for line in fs::read_to_string(path).unwrap().lines() {
        if let Some(title) = line.strip_prefix("== ") {
            cases.push(Case {
                title: title.into(),
                format: dialect.clone(),
                list: String::new(),
                asks: Vec::new(),
            });
        } else if let Some(format) = line.strip_prefix("#format ") {
            cases.last_mut().unwrap().format = format.into();
        } else if let Some(text) = line.strip_prefix('|') {
            let list = &mut cases.last_mut().unwrap().list;
            list.push_str(text);
            list.push('\n');
        } else if let Some(ask) = line.strip_prefix("? ") {
            cases.last_mut().unwrap().asks.push(ask.into());
        } else {
            assert!(line.is_empty(), "{}: {line}", path.display());
        }
    }
    cases
}

fn run(dialect: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/lists/cases/{dialect}.case"));
    let mut wrong = Vec::new();
    let cases = read(&path);
    assert!(!cases.is_empty());
    for case in &cases {
        let program = Program::new(&[("list".into(), case.format.as_str(), 100, case.list.clone())]);
        for ask in &case.asks {
            let (question, expected) = ask.split_once(" => ").unwrap();
            let (name, qtype) = question.split_once(' ').unwrap();
            let (verdict, action) = expected
                .split_once(' ')
                .map_or((expected, None), |(verdict, action)| (verdict, Some(action)));
            let said = match program.decide(name, qtype).deed {
                Some(Deed::Block) => "block",
                Some(Deed::Rewrite) => "rewrite",
                Some(Deed::Allow) | None => "allow",
            };
            if said != verdict {
                wrong.push(format!("{}: {question}: {said} instead of {verdict}", case.title));
            }
            if let Some(action) = action {
                let done = program.action(name, qtype);
                if done != action {
                    wrong.push(format!("{}: {question}: action {done} instead of {action}", case.title));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{dialect}:\n{}", wrong.join("\n"));
}

#[test]
fn adguard_lists_mean_what_adguard_documents() {
    run("adguard");
}

#[test]
fn rpz_zones_mean_what_the_draft_says() {
    run("rpz");
}

#[test]
fn lists_of_the_other_programs_mean_what_those_programs_make_of_them() {
    run("others");
}
