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

#[cfg(test)]
mod tests {
    use super::super::tests::load_with;
    use super::*;

    fn page(text: &str) -> Result<PageSettings, String> {
        load_with(text, None).map(|loaded| loaded.settings.page)
    }

    #[test]
    fn a_page_has_addresses_and_words_and_without_the_section_there_is_none() {
        let read =
            page("[page]\nlisten = ['192.168.1.1:80', '[fd00::1]:80']\ncontact = ' Мама '\nmessage = 'Soon.'").unwrap();
        assert_eq!(read.listen.len(), 2);
        assert_eq!(
            (read.contact.as_deref(), read.message.as_deref()),
            (Some("Мама"), Some("Soon."))
        );
        assert_eq!(page("").unwrap(), PageSettings::default());
    }

    #[test]
    fn what_is_wrong_with_a_page_is_one_sentence_with_its_place() {
        let long = format!(
            "[page]\nlisten = ['127.0.0.1:80']\ncontact = '{}'",
            "x".repeat(PAGE_CONTACT_CHARS + 1)
        );
        for (text, sentence) in [
            (
                "[page]\ncontact = 'Mum'",
                "stairgate.toml:1: [page] lacks the key \"listen\"; write the address that",
            ),
            (
                "[page]\nlisten = []",
                "stairgate.toml:2: page.listen is empty; write an address such as \"192.168.1.1:80\"",
            ),
            (
                "[page]\nlisten = ['192.168.1.1']",
                "stairgate.toml:2: page.listen = \"192.168.1.1\" is not an address with a port",
            ),
            (
                "[page]\nlisten = ['[::]:0']",
                "stairgate.toml:2: page.listen = \"[::]:0\" has port 0; write the port to listen on",
            ),
            (
                "[page]\nlisten = ['[::1]:80']\ncontact = ' '",
                "stairgate.toml:3: page.contact = \" \" is empty; write it or",
            ),
            (
                "[page]\nlisten = ['[::1]:80']\nmessage = \"a\\nb\"",
                "stairgate.toml:3: page.message = \"a\\nb\" has a line break or control character; write it in one line",
            ),
            (&long, "stairgate.toml:3: page.contact = \"xxx"),
            (
                "[page]\nport = 80",
                "stairgate.toml:2: there is no key \"port\" in [page]; it may hold contact, listen, message",
            ),
        ] {
            let error = page(text).unwrap_err();
            assert!(error.starts_with(sentence), "{error}");
        }
    }

    #[test]
    fn a_reload_takes_new_words_and_leaves_the_addresses_for_a_restart() {
        let load = |text: &str| {
            load_with(&format!("state_dir = '/nowhere'\n{text}"), None)
                .unwrap()
                .settings
        };
        let before = load("[page]\nlisten = ['127.0.0.1:80']\ncontact = 'Mum'");
        let (after, waiting) = before.reloaded(load("[page]\nlisten = ['127.0.0.1:81']\ncontact = 'Dad'"));
        assert_eq!(waiting, ["page.listen"]);
        assert_eq!(
            (after.page.listen[0].port(), after.page.contact.as_deref()),
            (80, Some("Dad"))
        );
    }
}
