//! The words that commands may use, and what a household begins with.
//!
//! In: the settings. Out: [`Words`]; the text that the first change is made to.

use super::edit::Words;
use crate::catalogue::Catalogue;
use crate::config::settings::{ListAction, Settings};

impl Words {
    /// The words of these settings. Where a compiled gate file is served, `sources` are the names of its lists and their categories.
    pub fn of<'s>(settings: &Settings, sources: impl IntoIterator<Item = (&'s str, &'s str)>) -> Words {
        let mut words = Words::default();
        if settings.gate.is_some() {
            for (name, category) in sources {
                words.categories.extend([name.to_owned(), category.to_owned()]);
            }
        }
        for list in settings.lists.iter().filter(|_| settings.gate.is_none()) {
            match list.action {
                ListAction::Block => words.categories.extend([list.name.clone(), list.category.clone()]),
                ListAction::Allow => words.allow_lists.push(list.name.clone()),
            }
        }
        let catalogue = Catalogue::shipped();
        let ids = catalogue.services.iter().map(|service| service.id.clone());
        words.services = ids.chain(catalogue.services.groups().map(str::to_owned)).collect();
        words.engines = catalogue.safe_search.iter().map(|host| host.engine.clone()).collect();
        for words in [&mut words.categories, &mut words.services, &mut words.engines] {
            words.sort_unstable();
            words.dedup();
        }
        words
    }
}

/// What a household has before anybody is in it: devices that nobody named are filtered, by every category of these.
pub fn beginning<'s>(categories: impl IntoIterator<Item = &'s str>) -> String {
    let mut categories: Vec<&str> = categories.into_iter().collect();
    categories.sort_unstable();
    categories.dedup();
    let block = toml_edit::Array::from_iter(categories);
    format!(
        "version = 1\n\n# Devices that are not named here: visitors, the television.\n[profile.default]\nblock = {}\n",
        toml_edit::Value::from(block)
    )
}
