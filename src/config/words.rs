//! The words that settings may use for what they are about: categories, lists, services and groups of services.
//!
//! In: the lists of the settings, the services of the catalogue and the household's own. Out: what a word is, or the sentence that says
//! which word is meant.
//! Always: a look-up is one of a hash table; only a wrong word has all of them gone through.

use super::error::{ConfigError, Problem};
use super::household::{OwnName, OwnService, Target};
use super::load::Loader;
use super::settings::{ListAction, ListSettings};
use super::shape::Text;
use super::values;
use crate::catalogue::Catalogue;
use crate::nearest::nearest;
use std::collections::HashSet;

/// Every word there is.
pub(super) struct Vocabulary {
    /// With a compiled gate file only the file knows lists and categories, and `policy` asks it.
    compiled: bool,
    /// Lists that block, and their categories.
    blocking: HashSet<String>,
    /// Lists that allow.
    allowing: HashSet<String>,
    /// Categories of these, which are no words of a profile.
    allowing_categories: HashSet<String>,
    /// Services of the household's own.
    own: HashSet<String>,
    catalogue: &'static Catalogue,
}

/// Whose word it is, for the sentence.
pub(super) struct Place<'a> {
    /// `window "school nights"`
    pub owner: &'a str,
    pub key: &'static str,
}

impl Vocabulary {
    pub fn new(compiled: bool, lists: &[ListSettings], own: &[OwnService]) -> Vocabulary {
        let mut words = Vocabulary {
            compiled,
            blocking: HashSet::new(),
            allowing: HashSet::new(),
            allowing_categories: HashSet::new(),
            own: own.iter().map(|service| service.id.clone()).collect(),
            catalogue: Catalogue::shipped(),
        };
        for list in lists {
            let (names, categories) = match list.action {
                ListAction::Block => (&mut words.blocking, None),
                ListAction::Allow => (&mut words.allowing, Some(&mut words.allowing_categories)),
            };
            names.insert(list.name.clone());
            match categories {
                Some(categories) => categories.insert(list.category.clone()),
                None => names.insert(list.category.clone()),
            };
        }
        words
    }

    /// Checks that the lists a profile names are there.
    pub fn lists_exist(
        &self,
        loader: &Loader,
        profile: &str,
        key: &'static str,
        action: ListAction,
        words: &[Text],
    ) -> Result<(), ConfigError> {
        if self.compiled {
            return Ok(());
        }
        for text in words {
            let word = text.get_ref();
            let (fitting, other) = match action {
                ListAction::Block => (&self.blocking, &self.allowing),
                ListAction::Allow => (&self.allowing, &self.blocking),
            };
            if fitting.contains(word) {
                continue;
            }
            return Err(loader.fail(
                text.span(),
                Problem::ProfileWord {
                    profile: profile.to_owned(),
                    key,
                    word: word.clone(),
                    why: self.why_no_list(word, action, other.contains(word), fitting),
                },
            ));
        }
        Ok(())
    }

    fn why_no_list(&self, word: &str, action: ListAction, is_other: bool, fitting: &HashSet<String>) -> String {
        if is_other || self.allowing_categories.contains(word) {
            return match action {
                ListAction::Block => {
                    "its lists have action = \"allow\"; name them by list in allow_lists instead".to_owned()
                }
                ListAction::Allow => {
                    "that is not a list with action = \"allow\"; give the list that action or leave the word out"
                        .to_owned()
                }
            };
        }
        if action == ListAction::Block && self.is_service(word) {
            return "that is a service; name it in services instead".to_owned();
        }
        match (action, nearest(word, fitting)) {
            (_, Some(near)) => format!("there is no such list or category; is \"{near}\" meant?"),
            (ListAction::Block, None) => {
                "there is no such list or category; add a [[list]] for it or leave the word out".to_owned()
            }
            (ListAction::Allow, None) => {
                "there is no such list; add a [[list]] with action = \"allow\" or leave the word out".to_owned()
            }
        }
    }

    /// Whether it is a service or a group of services.
    fn is_service(&self, word: &str) -> bool {
        self.own.contains(word)
            || self.catalogue.services.get(word).is_some()
            || self.catalogue.services.group(word).is_some()
    }

    /// What stands in the way of a service of the household's own with this id, if something does.
    pub fn taken(&self, id: &str) -> Option<&'static str> {
        if id == "internet" {
            Some("the word for every name")
        } else if self.catalogue.services.get(id).is_some() {
            Some("a service of the catalogue")
        } else if self.catalogue.services.group(id).is_some() {
            Some("a group of services of the catalogue")
        } else {
            None
        }
    }

    /// The services that a word means; a group is written out.
    fn services_of(&self, word: &str, into: &mut Vec<String>) -> bool {
        let before = into.len();
        if self.own.contains(word) || self.catalogue.services.get(word).is_some() {
            into.push(word.to_owned());
        }
        if let Some(group) = self.catalogue.services.group(word) {
            into.extend(group.map(|service| service.id.clone()));
        }
        into.len() > before
    }

    fn known_services(&self) -> impl Iterator<Item = String> {
        let of_catalogue = self.catalogue.services.iter().map(|service| service.id.clone());
        let groups = self.catalogue.services.groups().map(str::to_owned);
        of_catalogue.chain(groups).chain(self.own.iter().cloned())
    }

    /// `services` of a profile: each service once, groups written out.
    pub fn services(&self, loader: &Loader, place: &Place<'_>, words: &[Text]) -> Result<Vec<String>, ConfigError> {
        let mut services = Vec::new();
        for text in words {
            let word = text.get_ref();
            if self.services_of(word, &mut services) {
                continue;
            }
            let list = self.blocking.contains(word);
            let known: Vec<String> = self.known_services().collect();
            return Err(loader.fail(
                text.span(),
                Problem::NoSuch {
                    owner: place.owner.to_owned(),
                    key: place.key,
                    word: word.clone(),
                    what: "service or group of services",
                    nearest: if list { None } else { nearest(word, &known) },
                    advice: if list {
                        "it is a category or list, which stands in block".to_owned()
                    } else {
                        let groups: Vec<&str> = self.catalogue.services.groups().collect();
                        format!("the groups are {}", groups.join(", "))
                    },
                },
            ));
        }
        services.sort_unstable();
        services.dedup();
        Ok(services)
    }

    /// What something is about. A word that is at the same time a category and a group of services means both. `allowing`: lists with
    /// `action = "allow"` may be named, since something is let through.
    pub fn target(
        &self,
        loader: &Loader,
        place: &Place<'_>,
        words: &[Text],
        allowing: bool,
    ) -> Result<Target, ConfigError> {
        let mut target = Target::default();
        for text in words {
            let word = text.get_ref().trim();
            if word == "internet" {
                target.internet = true;
            } else if word.contains('.') || word.starts_with('=') {
                target
                    .names
                    .push(with_a_dot(word).map_err(|why| loader.wrong(text, place.key, why))?);
            } else {
                let service = self.services_of(word, &mut target.services);
                let list = self.compiled || self.blocking.contains(word) || allowing && self.allowing.contains(word);
                if list {
                    target.lists.push(word.to_owned());
                }
                if !service && !list {
                    return Err(self.no_target(loader, place, text));
                }
            }
        }
        target.lists.sort_unstable();
        target.lists.dedup();
        target.services.sort_unstable();
        target.services.dedup();
        Ok(target)
    }

    fn no_target(&self, loader: &Loader, place: &Place<'_>, text: &Text) -> ConfigError {
        let word = text.get_ref();
        let allow_list = self.allowing.contains(word);
        let mut known: Vec<String> = self.known_services().collect();
        known.extend(self.blocking.iter().cloned());
        known.push("internet".to_owned());
        loader.fail(
            text.span(),
            Problem::NoSuch {
                owner: place.owner.to_owned(),
                key: place.key,
                word: word.clone(),
                what: "category, list or service",
                nearest: if allow_list { None } else { nearest(word.trim(), &known) },
                advice: if allow_list {
                    "it is a list with action = \"allow\", which can be let through only".to_owned()
                } else {
                    "name a category of the lists, a service, \"internet\", or a name with a dot".to_owned()
                },
            },
        )
    }
}

/// A name where words may stand too, so that a word with a slip is not taken for a top-level domain.
pub(super) fn with_a_dot(text: &str) -> Result<OwnName, String> {
    let name = values::own(text)?;
    match name.name.label_count() {
        0 | 1 => Err("is a single label; write a whole name such as \"school.example\"".to_owned()),
        _ => Ok(name),
    }
}
