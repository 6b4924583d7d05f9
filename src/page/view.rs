//! The page as HTML.
//!
//! In: words, and what is to be said. Out: a whole document, and the header fields that go with every answer.
//! Always: whatever comes from a request or from settings is escaped. No script, nothing from elsewhere, one style, which the policy of
//! the answer names by its digest; it can be read on a phone, in the dark, and by a screen reader.

use super::host::Site;
use super::words::Words;
use crate::limits::REQUEST_NOTE_CHARS;
use data_encoding::BASE64;
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;
use std::sync::LazyLock;

/// Where the form is sent: a path that no site has.
pub const ASK_PATH: &str = "/.stairgate/ask";

const STYLE: &str = "\
:root{color-scheme:light dark;--ground:#f6f4ef;--card:#fff;--text:#222;--soft:#5a5a5a;--accent:#1d5fa8}\
@media(prefers-color-scheme:dark){:root{--ground:#17191c;--card:#22262b;--text:#eceae6;--soft:#a9aeb5;--accent:#8dbdf2}}\
body{margin:0;background:var(--ground);color:var(--text);font:1.125rem/1.55 system-ui,sans-serif}\
main{max-width:36rem;margin:0 auto;padding:1.5rem;box-sizing:border-box}\
h1{font-size:1.6rem;line-height:1.25;margin:.5rem 0 1rem}h2{font-size:1.15rem;margin:1.6rem 0 .3rem}p{margin:.4rem 0}\
bdi{font-weight:600;overflow-wrap:anywhere}small,details{color:var(--soft)}\
form,.said{background:var(--card);border-radius:.6rem;padding:1rem;margin:1rem 0}\
label{display:block}textarea{width:100%;box-sizing:border-box;margin:.4rem 0 .8rem;font:inherit}\
button{font:inherit;font-weight:600;padding:.6rem 1.2rem;border:2px solid var(--accent);border-radius:.5rem;\
background:transparent;color:var(--accent)}details{margin-top:2rem;font-size:.9rem}";

/// What the browser may do with the page: show it, in this style, and send its form back here.
pub static POLICY: LazyLock<String> = LazyLock::new(|| {
    let digest = BASE64.encode(&Sha256::digest(STYLE.as_bytes()));
    format!(
        "default-src 'none'; style-src 'sha256-{digest}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
});

/// A document in the making.
pub struct Document {
    words: &'static Words,
    html: String,
}

impl Document {
    pub fn new(words: &'static Words, title: &str) -> Document {
        let mut html = format!(
            "<!DOCTYPE html>\n<html lang=\"{}\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"robots\" content=\"noindex\">\n<title>",
            words.tag
        );
        escape(title, &mut html);
        let _ = write!(html, "</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>");
        escape(title, &mut html);
        html.push_str("</h1>\n");
        Document { words, html }
    }

    pub fn heading(&mut self, text: &str) {
        self.html.push_str("<h2>");
        escape(text, &mut self.html);
        self.html.push_str("</h2>\n");
    }

    pub fn paragraph(&mut self, text: &str) {
        self.html.push_str("<p>");
        escape(text, &mut self.html);
        self.html.push_str("</p>\n");
    }

    /// A paragraph in whose text the site stands.
    pub fn about_site(&mut self, text: &str, site: &Site) {
        let (before, after) = text.split_once("{}").unwrap_or((text, ""));
        self.html.push_str("<p>");
        escape(before, &mut self.html);
        self.html.push_str("<bdi>");
        escape(site.unicode.as_ref().unwrap_or(&site.ascii), &mut self.html);
        self.html.push_str("</bdi>");
        if site.unicode.is_some() {
            self.html.push_str(" <small>(");
            escape(&site.ascii, &mut self.html);
            self.html.push_str(")</small>");
        }
        escape(after, &mut self.html);
        self.html.push_str("</p>\n");
    }

    /// What became of something that was done on the page.
    pub fn said(&mut self, text: &str) {
        self.html.push_str("<p class=\"said\" role=\"status\">");
        escape(text, &mut self.html);
        self.html.push_str("</p>\n");
    }

    /// The form to ask for the site.
    pub fn form(&mut self, token: &str) {
        let _ = write!(
            self.html,
            "<form method=\"post\" action=\"{ASK_PATH}\" accept-charset=\"utf-8\" autocomplete=\"off\">\n<p>"
        );
        escape(self.words.form, &mut self.html);
        self.html
            .push_str("</p>\n<input type=\"hidden\" name=\"token\" value=\"");
        escape(token, &mut self.html);
        self.html.push_str("\">\n<label for=\"note\">");
        escape(self.words.note, &mut self.html);
        let _ = write!(
            self.html,
            "</label>\n<textarea id=\"note\" name=\"note\" rows=\"2\" maxlength=\"{REQUEST_NOTE_CHARS}\"></textarea>\n<button>"
        );
        escape(self.words.send, &mut self.html);
        self.html.push_str("</button>\n</form>\n");
    }

    /// What helps who looks after the rules, folded up.
    pub fn for_grown_ups(&mut self, facts: &[&str]) {
        self.html.push_str("<details><summary>");
        escape(self.words.for_grown_ups, &mut self.html);
        self.html.push_str("</summary>\n");
        for fact in facts.iter().filter(|fact| !fact.is_empty()) {
            self.paragraph(fact);
        }
        self.html.push_str("</details>\n");
    }

    pub fn finish(mut self) -> String {
        self.html.push_str("</main>\n</body>\n</html>\n");
        self.html
    }
}

/// Appends a text so that it is only text, in an element and in an attribute with double quotes.
fn escape(text: &str, html: &mut String) {
    for c in text.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            c => html.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::words::Language;
    use super::*;

    #[test]
    fn nothing_that_is_put_into_a_page_becomes_a_part_of_it() {
        let evil = "\"><script>alert('&')</script>";
        let words = Language::English.words();
        let site = crate::page::host::Site {
            name: crate::dns::name::Name::root(),
            ascii: evil.to_owned(),
            unicode: Some(evil.to_owned()),
        };
        let mut document = Document::new(words, evil);
        document.heading(evil);
        document.paragraph(evil);
        document.about_site("{} x", &site);
        document.said(evil);
        document.form(evil);
        document.for_grown_ups(&[evil]);
        let html = document.finish();
        assert!(!html.contains("<script") && !html.contains(evil), "{html}");
        assert_eq!(html.matches("&lt;script&gt;alert(&#39;&amp;&#39;)").count(), 9);
    }

    #[test]
    fn the_policy_names_the_style_and_allows_nothing_else() {
        assert!(POLICY.starts_with("default-src 'none'; style-src 'sha256-"));
        assert!(!POLICY.contains("unsafe"));
        let html = Document::new(Language::Russian.words(), "x").finish();
        assert!(html.contains("<html lang=\"ru\">") && html.contains(STYLE));
        assert!(!html.contains(" style=") && !html.contains("http:") && !html.contains("https:"));
    }
}
