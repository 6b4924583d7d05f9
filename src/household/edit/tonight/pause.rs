//! The filter or the internet off for a while, and on again.
//!
//! In: what, for whom, until when. Out: the pause in the document, or none any more.

use super::{add, end_time, let_go, reaches};
use crate::household::edit::error::EditError;
use crate::household::edit::people::{self, Who, has, said_all};
use crate::household::edit::tables::{self, Spot};
use crate::household::edit::{Context, End, Pausable};
use crate::household::shape::Household;
use toml_edit::{DocumentMut, Value};

/// Longest pause. A filter that is off for longer is forgotten; who means it changes the profile.
const PAUSE_DAYS: i64 = 7;
pub(in crate::household::edit) fn pause(
    doc: &mut DocumentMut,
    context: &Context,
    what: Pausable,
    who: &[String],
    end: &End,
) -> Result<String, EditError> {
    let household = context.household;
    let all = Who::read_all(who, household)?;
    let wall = people::wall(&all, household, context.around);
    let now = context.around.now;
    let until = end_time("a pause", end, now, now, &wall, PAUSE_DAYS)?;
    let words: Vec<String> = all.iter().map(Who::word).collect();
    let written = Value::from(wall.written(until));
    let same = household
        .pauses
        .iter()
        .position(|pause| pause.what == what.word() && pause.whom.list() == words);
    match same.and_then(|index| tables::at(doc, &Spot::Listed("pause", index))) {
        Some(table) => tables::set(table, "until", written),
        None => add(
            doc,
            "pause",
            vec![
                ("for", tables::list(&words)),
                ("what", Value::from(what.word())),
                ("until", written),
            ],
        )?,
    }
    Ok(format!(
        "the {} is off for {} until {}",
        what.word(),
        said_all(&all, household),
        wall.said(until, now)
    ))
}

pub(in crate::household::edit) fn resume(
    doc: &mut DocumentMut,
    context: &Context,
    who: &[String],
    what: Option<Pausable>,
) -> Result<String, EditError> {
    let household = context.household;
    let all = Who::read_all(who, household)?;
    let words: Vec<String> = all.iter().map(Who::word).collect();
    let mut ended: Vec<&str> = Vec::new();
    for (index, pause) in household.pauses.iter().enumerate().rev() {
        if what.is_none_or(|what| what.word() == pause.what) && let_go(doc, "pause", index, &pause.whom, &words) {
            let word = pause.what.as_str();
            if !ended.contains(&word) {
                ended.insert(0, word);
            }
        }
    }
    let said = said_all(&all, household);
    if ended.is_empty() {
        return Err(nothing_to_resume(&all, &said, what, household));
    }
    let things: Vec<String> = ended.iter().map(|word| format!("the {word}")).collect();
    let is = if things.len() > 1 { "are" } else { "is" };
    Ok(format!("{} {is} on again for {said}", people::joined(things)))
}

/// There is no pause of theirs; perhaps one that reaches them by another word.
fn nothing_to_resume(all: &[Who], said: &str, what: Option<Pausable>, household: &Household) -> EditError {
    let reaching = household.pauses.iter().filter(|pause| {
        let of_kind = what.is_none_or(|what| what.word() == pause.what);
        of_kind
            && pause
                .whom
                .list()
                .iter()
                .any(|word| all.iter().any(|who| reaches(word, who, household)))
    });
    let reaching: Vec<String> = reaching
        .flat_map(|pause| pause.whom.list())
        .filter(|word| all.iter().any(|who| reaches(word, who, household)))
        .cloned()
        .collect();
    EditError::Unclear(match reaching.first() {
        Some(word) => format!(
            "{said} {} no pause of their own, but there is one for {}; run `stairgate household resume {word}`",
            has(all),
            people::said_words(std::slice::from_ref(word), household)
        ),
        None => format!("nothing is paused for {said}; `stairgate household show` tells what is"),
    })
}
