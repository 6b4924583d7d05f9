//! Values of the shape that may be written in more than one way: one word or several, a name or a table.
//!
//! In: a value. Out: what was written, with the places of its parts. Read by visitors, not by trying one type after another: so places
//! stay known, an unknown key in a table is named, and a household of a million names is read without copies.

use super::shape::Text;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::fmt;
use std::marker::PhantomData;
use toml::Spanned;

/// One word, or a list of them.
#[derive(Debug)]
pub enum Words {
    One(String),
    Several(Vec<Text>),
}

impl Words {
    /// The words with their places.
    pub fn texts(written: &Spanned<Words>) -> Vec<Text> {
        match written.get_ref() {
            Words::One(word) => vec![Spanned::new(written.span(), word.clone())],
            Words::Several(words) => words
                .iter()
                .map(|word| Spanned::new(word.span(), word.get_ref().clone()))
                .collect(),
        }
    }
}

/// An own name: as it is, or with the time at which it ends.
#[derive(Debug)]
pub enum OwnName {
    Name(String),
    Until(UntilName),
}

impl OwnName {
    pub fn text(&self) -> &str {
        match self {
            OwnName::Name(name) => name,
            OwnName::Until(table) => table.name.get_ref(),
        }
    }
}

/// `{ name = "...", until = "..." }`
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UntilName {
    pub name: Text,
    pub until: Text,
}

/// `only`: one name or `"starter"`, or a list.
#[derive(Debug)]
pub enum Only {
    One(String),
    Several(Vec<Spanned<OwnName>>),
}

/// `safe_search`: all engines, none, or some.
#[derive(Debug)]
pub enum Engines {
    All(bool),
    Some(Vec<Text>),
}

/// The ways in which a value may be written; those that a type does not know are errors.
trait Written<'de>: Sized {
    type Part: Deserialize<'de>;
    /// Ends the sentence "must be ...".
    const WANTED: &'static str;

    fn text(_: String) -> Option<Self> {
        None
    }
    fn truth(_: bool) -> Option<Self> {
        None
    }
    fn list(_: Vec<Self::Part>) -> Option<Self> {
        None
    }
    fn table<A: MapAccess<'de>>(_: A) -> Option<Result<Self, A::Error>> {
        None
    }
}

struct Ways<T>(PhantomData<T>);

impl<'de, T: Written<'de>> Visitor<'de> for Ways<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::WANTED)
    }

    fn visit_bool<E: Error>(self, truth: bool) -> Result<T, E> {
        T::truth(truth).ok_or_else(|| E::invalid_type(serde::de::Unexpected::Bool(truth), &self))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        self.visit_string(text.to_owned())
    }

    fn visit_string<E: Error>(self, text: String) -> Result<T, E> {
        T::text(text).ok_or_else(|| E::invalid_type(serde::de::Unexpected::Other("a text"), &self))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<T, A::Error> {
        let mut list = Vec::new();
        while let Some(part) = parts.next_element()? {
            list.push(part);
        }
        T::list(list).ok_or_else(|| A::Error::invalid_type(serde::de::Unexpected::Seq, &self))
    }

    fn visit_map<A: MapAccess<'de>>(self, table: A) -> Result<T, A::Error> {
        T::table(table).unwrap_or_else(|| Err(A::Error::invalid_type(serde::de::Unexpected::Map, &self)))
    }
}

macro_rules! written {
    ($($type:ty),*) => {
        $(impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any(Ways(PhantomData))
            }
        })*
    };
}
written!(Words, OwnName, Only, Engines);

impl<'de> Written<'de> for Words {
    type Part = Text;
    const WANTED: &'static str = "a text in quotes or a list of texts";

    fn text(text: String) -> Option<Words> {
        Some(Words::One(text))
    }
    fn list(words: Vec<Text>) -> Option<Words> {
        Some(Words::Several(words))
    }
}

impl<'de> Written<'de> for OwnName {
    type Part = serde::de::IgnoredAny;
    const WANTED: &'static str = "a name in quotes, or { name = \"...\", until = \"...\" }";

    fn text(text: String) -> Option<OwnName> {
        Some(OwnName::Name(text))
    }
    fn table<A: MapAccess<'de>>(table: A) -> Option<Result<OwnName, A::Error>> {
        Some(UntilName::deserialize(MapAccessDeserializer::new(table)).map(OwnName::Until))
    }
}

impl<'de> Written<'de> for Only {
    type Part = Spanned<OwnName>;
    const WANTED: &'static str = "a list of names, or \"starter\"";

    fn text(text: String) -> Option<Only> {
        Some(Only::One(text))
    }
    fn list(names: Vec<Spanned<OwnName>>) -> Option<Only> {
        Some(Only::Several(names))
    }
}

impl<'de> Written<'de> for Engines {
    type Part = Text;
    const WANTED: &'static str = "true, false or a list of search engines";

    fn truth(all: bool) -> Option<Engines> {
        Some(Engines::All(all))
    }
    fn list(engines: Vec<Text>) -> Option<Engines> {
        Some(Engines::Some(engines))
    }
}
