//! `[page]`: the block page, from the file's shape to settings.

use super::error::{ConfigError, Problem};
use super::load::Loader;
use super::settings::PageSettings;
use super::shape::{self, Text};
use crate::limits::{PAGE_CONTACT_CHARS, PAGE_MESSAGE_CHARS};
use toml::Spanned;

impl Loader {
    pub(super) fn page(&self, page: &Spanned<shape::Page>) -> Result<PageSettings, ConfigError> {
        let shape = page.get_ref();
        let Some(listen) = &shape.listen else {
            return Err(self.fail(
                page.span(),
                Problem::Other(
                    "[page] lacks the key \"listen\"; write the address that answer_addresses of the profiles name, such as \
                     listen = [\"192.168.1.1:80\"]"
                        .to_owned(),
                ),
            ));
        };
        Ok(PageSettings {
            listen: self.listen(listen, "page.listen", "192.168.1.1:80")?,
            contact: self.words(shape.contact.as_ref(), "page.contact", PAGE_CONTACT_CHARS)?,
            message: self.words(shape.message.as_ref(), "page.message", PAGE_MESSAGE_CHARS)?,
        })
    }

    /// A text that people read.
    fn words(&self, text: Option<&Text>, key: &'static str, most: usize) -> Result<Option<String>, ConfigError> {
        let read = |text: &Text| {
            let words = text.get_ref().trim();
            if words.is_empty() {
                return Err(self.wrong(text, key, "is empty; write it or leave the key out"));
            }
            if words.contains(|c: char| c.is_control()) {
                return Err(self.wrong(text, key, "has a line break or control character; write it in one line"));
            }
            if words.chars().count() > most {
                return Err(self.wrong(text, key, format!("is longer than {most} characters; shorten it")));
            }
            Ok(words.to_owned())
        };
        text.map(read).transpose()
    }
}
