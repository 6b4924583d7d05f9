//! Words of a command as values of the file.
//!
//! In: a key, words. Out: the TOML value, or the sentence on the word that is wrong.

use super::{Check, Field, Form};
use crate::household::edit::error::EditError;
use crate::household::edit::people::{self, Who};
use crate::household::edit::tables::list;
use crate::household::edit::{Context, Given, checks};
use toml_edit::Value;

impl Field {
    /// How a command gives it.
    pub fn flag(&self) -> String {
        format!("--{}", self.key.replace('_', "-"))
    }

    pub fn is_list(&self) -> bool {
        !matches!(self.form, Form::Text | Form::Flag)
    }

    /// The TOML value of what a command gives.
    pub fn value(&self, given: &Given, context: &Context) -> Result<Value, EditError> {
        let texts = given.texts();
        let one = || match &texts[..] {
            [text] => Ok(text.as_str()),
            [] => Err(EditError::value(self.key, "", "is empty; write something")),
            _ => Err(EditError::value(
                self.key,
                &texts.join(", "),
                "is more than one; write one",
            )),
        };
        match self.form {
            Form::Text => Ok(Value::from(self.word(one()?, context)?)),
            Form::Flag => match flag(one()?) {
                Some(flag) => Ok(Value::from(flag)),
                None => Err(EditError::value(
                    self.key,
                    one()?,
                    "is not yes or no; write true or false",
                )),
            },
            Form::FlagOrList => match texts.first().and_then(|text| flag(text)) {
                Some(flag) if texts.len() == 1 => Ok(Value::from(flag)),
                _ => Ok(list(&self.words(&texts, context)?)),
            },
            Form::TextOrList => match &self.words(&texts, context)?[..] {
                // Names alone are a list in the file; only the one word is a text.
                [word] if self.check != Check::OnlyName || word == "starter" => Ok(Value::from(word)),
                words => Ok(list(words)),
            },
            Form::List => Ok(list(&self.words(&texts, context)?)),
        }
    }

    /// Checked words, none twice.
    pub fn words(&self, texts: &[String], context: &Context) -> Result<Vec<String>, EditError> {
        let mut words = Vec::new();
        for text in texts {
            let word = self.word(text, context)?;
            if !words.contains(&word) {
                words.push(word);
            }
        }
        match words.is_empty() && (self.needed || self.form != Form::List) {
            true => Err(EditError::value(self.key, "", "is empty; write something")),
            false => Ok(words),
        }
    }

    /// One checked word, as the file writes it.
    pub fn word(&self, text: &str, context: &Context) -> Result<String, EditError> {
        let household = context.household;
        let words = context.around.words;
        let checked = match self.check {
            Check::Line => checks::line(text),
            Check::Id => checks::id(text).map(|()| text.to_owned()),
            Check::OneOf(known) => match known.iter().find(|word| word.eq_ignore_ascii_case(text.trim())) {
                Some(word) => Ok((*word).to_owned()),
                None => Err(format!(
                    "is none of its words; write {}, or take the key away with `unset`",
                    known.join(" or ")
                )),
            },
            Check::OwnName => checks::own_name(text),
            Check::OnlyName if text == "starter" => Ok(text.to_owned()),
            Check::OnlyName => checks::own_name(text),
            Check::Profile => return people::profile_name(text, household),
            Check::Person => return people::person_id(text, household),
            Check::Member => {
                return match Who::read(text, household)? {
                    Who::Person(word) | Who::Device(word) | Who::Group(word) => Ok(word),
                    who => Err(EditError::value(
                        self.key,
                        &who.word(),
                        "is no person, device or group; a group has only those",
                    )),
                };
            }
            Check::Who => return Who::read(text, household).map(|who| who.word()),
            Check::Days => checks::days(text),
            // A day ends at 24:00, and begins at 0:00.
            Check::Clock if self.key == "from" => checks::clock(text).map(|clock| clock.replace("24:00", "00:00")),
            Check::Clock => checks::clock(text),
            Check::Length => checks::length(text),
            Check::Zone => match (context.around.zone)(text.trim()) {
                Some(_) => Ok(text.trim().to_owned()),
                None => Err("is not a time zone; write its IANA name such as \"Europe/Berlin\"".to_owned()),
            },
            Check::Network => checks::network(text),
            Check::Address => match text.trim().parse::<std::net::IpAddr>() {
                Ok(address) => Ok(address.to_string()),
                Err(_) => Err("is not an address; write it like \"192.168.1.2\"".to_owned()),
            },
            Check::QueryType => checks::query_type(text),
            Check::Category => return known("category or list", text, &[], &[&words.categories]),
            Check::AllowList => return known("list that allows", text, &[], &[&words.allow_lists]),
            Check::Engine => return known("search engine", text, &[], &[&words.engines]),
            Check::Service => return known("service", text, &own_services(context), &[&words.services]),
            Check::Thing => return thing(text, context),
        };
        checked.map_err(|why| EditError::value(self.key, text, why))
    }
}

/// What windows, quotas and grants are about.
pub(in crate::household::edit) fn thing(text: &str, context: &Context) -> Result<String, EditError> {
    let word = text.trim().to_lowercase();
    if word.contains('.') {
        return checks::own_name(text).map_err(|why| EditError::value("the name", text, why));
    }
    let words = context.around.words;
    let mut own = own_services(context);
    own.push("internet".to_owned());
    known(
        "category, service or name with a dot",
        &word,
        &own,
        &[&words.categories, &words.services],
    )
}

fn own_services(context: &Context) -> Vec<String> {
    let own = context.household.services();
    own.into_iter().map(|(id, _)| id.to_owned()).collect()
}

/// A word that is the household's own or comes with lists and the catalogue. Where nothing was told of those, any word will do.
fn known(kind: &'static str, text: &str, own: &[String], brought: &[&[String]]) -> Result<String, EditError> {
    let word = text.trim().to_lowercase();
    let all: Vec<String> = own.iter().chain(brought.iter().copied().flatten()).cloned().collect();
    if all.contains(&word) {
        return Ok(word);
    }
    match brought.iter().all(|words| words.is_empty()) {
        true => checks::id(&word)
            .map(|()| word.clone())
            .map_err(|why| EditError::value(kind, text, why)),
        false => Err(EditError::no_such(kind, text, all, "")),
    }
}

fn flag(text: &str) -> Option<bool> {
    match text.trim().to_lowercase().as_str() {
        "true" | "yes" | "on" => Some(true),
        "false" | "no" | "off" => Some(false),
        _ => None,
    }
}
