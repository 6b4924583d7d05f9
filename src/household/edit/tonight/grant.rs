//! Things for a while, and more minutes of a quota.
//!
//! In: for whom, what, until when. Out: the grant in the document, or none any more.

use super::{add, end_time, let_go, reaches, too_far};
use crate::household::edit::error::EditError;
use crate::household::edit::people::{self, Who, has, said_all};
use crate::household::edit::tables::{self, Spot};
use crate::household::edit::{Context, End, fields, when};
use crate::household::phrases;
use crate::household::shape::{Household, Quota};
use toml_edit::{DocumentMut, Value};

/// Longest grant: a holiday.
const GRANT_DAYS: i64 = 31;
/// Most minutes of one grant: a day of them.
const GRANT_MINUTES: i64 = 1440;

pub(in crate::household::edit) fn grant(
    doc: &mut DocumentMut,
    context: &Context,
    who: &[String],
    allow: &[String],
    from: Option<&str>,
    end: &End,
) -> Result<String, EditError> {
    let household = context.household;
    let all = Who::read_all(who, household)?;
    let wall = people::wall(&all, household, context.around);
    let now = context.around.now;
    let mut things = Vec::new();
    for word in allow
        .iter()
        .flat_map(|word| word.split(','))
        .filter(|word| !word.trim().is_empty())
    {
        match fields::thing(word, context) {
            Ok(thing) => things.push(thing),
            Err(_) if household.quotas.iter().any(|quota| quota.name == word.trim()) => {
                return Err(EditError::Unclear(format!(
                    "\"{word}\" is a quota; for more minutes of it write `stairgate household grant {} 30m of {word}`",
                    who.join(",")
                )));
            }
            Err(error) => return Err(error),
        }
    }
    if things.is_empty() {
        return Err(EditError::Unclear(format!(
            "what may {} have? name internet, a service, a category or a name, as in `stairgate household grant {} \
             internet --for 30m`; or minutes of a quota, as in `stairgate household grant {} 30m of games`",
            said_all(&all, household),
            who.join(","),
            who.join(",")
        )));
    }
    let from = from.map(|from| wall.read("--from", from, now)).transpose()?;
    let from = from.filter(|from| *from > now);
    let begins = from.unwrap_or(now);
    let until = end_time("a grant", end, begins, now, &wall, GRANT_DAYS)?;
    let words: Vec<String> = all.iter().map(Who::word).collect();
    let same = household.grants.iter().position(|grant| {
        let waits = |from: &str| wall.stored(from).is_none_or(|from| from > now);
        grant.quota.is_none()
            && grant.whom.list() == words
            && grant.allow == things
            && grant.from.as_deref().is_some_and(waits) == from.is_some()
    });
    let written = Value::from(wall.written(until));
    match same.and_then(|index| tables::at(doc, &Spot::Listed("grant", index))) {
        Some(table) => {
            if let Some(from) = from {
                tables::set(table, "from", Value::from(wall.written(from)));
            }
            tables::set(table, "until", written);
        }
        None => {
            let mut keys = vec![("for", tables::list(&words)), ("allow", tables::list(&things))];
            keys.extend(from.map(|from| ("from", Value::from(wall.written(from)))));
            keys.push(("until", written));
            add(doc, "grant", keys)?;
        }
    }
    let begins = from.map_or(String::new(), |from| format!("from {} ", wall.said(from, now)));
    Ok(format!(
        "{} may have {} {begins}until {}",
        said_all(&all, household),
        people::joined(things.iter().map(|thing| phrases::thing(thing)).collect()),
        wall.said(until, from.unwrap_or(now))
    ))
}

pub(in crate::household::edit) fn minutes(
    doc: &mut DocumentMut,
    context: &Context,
    who: &[String],
    length: &str,
    quota: Option<&str>,
    until: Option<&str>,
) -> Result<String, EditError> {
    let household = context.household;
    let all = Who::read_all(who, household)?;
    let said = said_all(&all, household);
    let minutes = when::minutes(length).ok_or_else(|| {
        EditError::value(
            "the time",
            length,
            "is not a length of time; write it like \"30m\" or \"1h\"",
        )
    })?;
    if minutes > GRANT_MINUTES {
        return Err(EditError::value(
            "the time",
            length,
            "is more than a day; give a day at most at once",
        ));
    }
    let quota = which_quota(&all, &said, who, length, quota, household)?;
    let wall = people::wall(&all, household, context.around);
    let now = context.around.now;
    let weekly = quota.per.as_deref() == Some("week");
    let until = match until {
        Some(_) => {
            let end = End { lasting: None, until };
            end_time("a grant", &end, now, now, &wall, GRANT_DAYS)?
        }
        None => wall
            .period_end(now, weekly)
            .ok_or_else(|| too_far("a grant", GRANT_DAYS))?,
    };
    let words: Vec<String> = all.iter().map(Who::word).collect();
    add(
        doc,
        "grant",
        vec![
            ("for", tables::list(&words)),
            ("quota", Value::from(&quota.name)),
            ("minutes", Value::from(minutes)),
            ("until", Value::from(wall.written(until))),
        ],
    )?;
    Ok(format!(
        "{said} {} {minutes} more {} of {} until {}",
        has(&all),
        if minutes == 1 { "minute" } else { "minutes" },
        quota.name,
        wall.said(until, now)
    ))
}

/// The quota of a name, or the only one that is for all of them.
fn which_quota<'h>(
    all: &[Who],
    said: &str,
    who: &[String],
    length: &str,
    name: Option<&str>,
    household: &'h Household,
) -> Result<&'h Quota, EditError> {
    let theirs = |quota: &Quota| {
        all.iter().all(|who| {
            let limits = quota.whom.list();
            limits.iter().any(|word| reaches(word, who, household))
        })
    };
    let names = |quotas: &[&Quota]| quotas.iter().map(|quota| quota.name.clone()).collect::<Vec<_>>();
    if let Some(name) = name {
        let same = |quota: &&Quota| quota.name.to_lowercase() == name.trim().to_lowercase();
        let Some(quota) = household.quotas.iter().find(same) else {
            let known = names(&household.quotas.iter().collect::<Vec<_>>());
            let how = "`stairgate household add quota games --for masha --of games --limit 1h` makes one";
            return Err(EditError::no_such("quota", name, known, how));
        };
        return match theirs(quota) {
            true => Ok(quota),
            false => Err(EditError::Unclear(format!(
                "quota {} does not limit {said}, so there is nothing to add minutes to; it is for {}",
                quota.name,
                people::said_words(quota.whom.list(), household)
            ))),
        };
    }
    let quotas: Vec<&Quota> = household.quotas.iter().filter(|quota| theirs(quota)).collect();
    match quotas[..] {
        [quota] => Ok(quota),
        [] => Err(EditError::Unclear(format!(
            "no quota limits {said}, so there is nothing to add minutes to; \
             did you mean `stairgate household grant {} internet --for {length}`?",
            who.join(",")
        ))),
        _ => Err(EditError::Unclear(format!(
            "more minutes of what: {}? write it as in `stairgate household grant {} {length} of {}`",
            names(&quotas).join(" or "),
            who.join(","),
            names(&quotas).first().map(String::as_str).unwrap_or_default()
        ))),
    }
}

pub(in crate::household::edit) fn revoke(
    doc: &mut DocumentMut,
    context: &Context,
    who: &[String],
) -> Result<String, EditError> {
    let household = context.household;
    let all = Who::read_all(who, household)?;
    let words: Vec<String> = all.iter().map(Who::word).collect();
    let mut count = 0;
    for (index, grant) in household.grants.iter().enumerate().rev() {
        count += usize::from(let_go(doc, "grant", index, &grant.whom, &words));
    }
    let said = said_all(&all, household);
    match count {
        0 => Err(EditError::Unclear(format!(
            "nothing is granted to {said}; `stairgate household show` tells what is granted to whom"
        ))),
        1 => Ok(format!("the grant of {said} is taken back")),
        count => Ok(format!("{count} grants of {said} are taken back")),
    }
}
