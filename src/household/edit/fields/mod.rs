//! Which keys each kind of thing has, of which form, and what their words must be.
//!
//! In: a kind, a key, words of a command. Out: the TOML value to write.
//! Always: a word that names something names one that is there, as the file writes it.
//! Fails: with one sentence on the word that is wrong.

mod words;

pub(super) use words::thing;

use super::error::EditError;
use crate::nearest::nearest;
use serde::{Deserialize, Serialize};

/// What there is in a household.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The household itself: keys before the first table.
    Household,
    Profile,
    Person,
    Device,
    Group,
    Window,
    Quota,
    Service,
    Client,
}

impl Kind {
    pub const ALL: [Kind; 9] = [
        Kind::Household,
        Kind::Profile,
        Kind::Person,
        Kind::Device,
        Kind::Group,
        Kind::Window,
        Kind::Quota,
        Kind::Service,
        Kind::Client,
    ];

    /// In commands, in sentences and in the file.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Household => "household",
            Kind::Profile => "profile",
            Kind::Person => "person",
            Kind::Device => "device",
            Kind::Group => "group",
            Kind::Window => "window",
            Kind::Quota => "quota",
            Kind::Service => "service",
            Kind::Client => "client",
        }
    }

    /// `[kind.NAME]`, and not `[[kind]]` with a name inside.
    pub(super) fn is_named(self) -> bool {
        matches!(self, Kind::Profile | Kind::Person | Kind::Service)
    }

    /// In the order in which a new table has them.
    pub(super) fn fields(self) -> &'static [Field] {
        match self {
            Kind::Household => HOUSEHOLD,
            Kind::Profile => PROFILE,
            Kind::Person => PERSON,
            Kind::Device => DEVICE,
            Kind::Group => GROUP,
            Kind::Window => WINDOW,
            Kind::Quota => QUOTA,
            Kind::Service => SERVICE,
            Kind::Client => CLIENT,
        }
    }

    /// A key by its name; `_` and `-` are the same to commands.
    pub(super) fn field(self, key: &str) -> Result<&'static Field, EditError> {
        let plain = key.trim().to_lowercase().replace('-', "_");
        let found = self.fields().iter().find(|field| field.key == plain);
        found.ok_or_else(|| {
            let known: Vec<String> = self.fields().iter().map(|field| field.key.to_owned()).collect();
            EditError::UnknownKey {
                owner: match self {
                    Kind::Household => "the household".to_owned(),
                    kind => format!("a {}", kind.word()),
                },
                key: key.to_owned(),
                nearest: nearest(&plain, &known),
                known,
            }
        })
    }
}

/// One key.
#[derive(Debug)]
pub(super) struct Field {
    pub key: &'static str,
    pub form: Form,
    pub check: Check,
    /// There is no such thing without it.
    pub needed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Text,
    List,
    Flag,
    /// `safe_search`: true, or some.
    FlagOrList,
    /// `days`, `only`: one text as a text, some as a list.
    TextOrList,
}

/// What a word must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Check {
    Line,
    Id,
    OneOf(&'static [&'static str]),
    OwnName,
    /// An own name, or the word `starter`.
    OnlyName,
    Profile,
    Person,
    /// A person, a device or another group.
    Member,
    Who,
    Days,
    Clock,
    Length,
    Zone,
    Network,
    Address,
    QueryType,
    Category,
    AllowList,
    Service,
    Engine,
    /// `internet`, a category, a list, a service or group of them, a name with a dot.
    Thing,
}

const fn field(key: &'static str, form: Form, check: Check) -> Field {
    Field {
        key,
        form,
        check,
        needed: false,
    }
}

const fn needed(key: &'static str, form: Form, check: Check) -> Field {
    Field {
        key,
        form,
        check,
        needed: true,
    }
}

const HOUSEHOLD: &[Field] = &[field("timezone", Form::Text, Check::Zone)];

const PROFILE: &[Field] = &[
    field("base", Form::Text, Check::Profile),
    field("block", Form::List, Check::Category),
    field("allow_lists", Form::List, Check::AllowList),
    field("services", Form::List, Check::Service),
    field("allow", Form::List, Check::OwnName),
    field("deny", Form::List, Check::OwnName),
    field("only", Form::TextOrList, Check::OnlyName),
    field("safe_search", Form::FlagOrList, Check::Engine),
    field("youtube", Form::Text, Check::OneOf(&["strict", "moderate"])),
    field("bypass_guard", Form::Flag, Check::Line),
    field("rebinding", Form::Flag, Check::Line),
    field("look_alikes", Form::Flag, Check::Line),
    field("types", Form::List, Check::QueryType),
    field(
        "answer",
        Form::Text,
        Check::OneOf(&["null", "nxdomain", "nodata", "refused", "page"]),
    ),
    field("answer_addresses", Form::List, Check::Address),
    field("answer_ttl", Form::Text, Check::Line),
    field(
        "imposed_by",
        Form::Text,
        Check::OneOf(&["household", "operator", "law"]),
    ),
    field("observe", Form::Flag, Check::Line),
    field("log", Form::Text, Check::OneOf(&["nothing", "counts", "names"])),
    field("log_for", Form::Text, Check::Line),
];

const PERSON: &[Field] = &[
    field("name", Form::Text, Check::Line),
    needed("profile", Form::Text, Check::Profile),
    field("timezone", Form::Text, Check::Zone),
    field("allow", Form::List, Check::OwnName),
    field("deny", Form::List, Check::OwnName),
    field("log", Form::Text, Check::OneOf(&["nothing", "counts", "names"])),
    field("log_for", Form::Text, Check::Line),
];

const DEVICE: &[Field] = &[
    needed("name", Form::Text, Check::Id),
    field("person", Form::Text, Check::Person),
    field("profile", Form::Text, Check::Profile),
    needed("match", Form::List, Check::Network),
    field("tags", Form::List, Check::Line),
];

const GROUP: &[Field] = &[
    needed("name", Form::Text, Check::Id),
    needed("members", Form::List, Check::Member),
];

const WINDOW: &[Field] = &[
    field("name", Form::Text, Check::Line),
    needed("for", Form::List, Check::Who),
    field("days", Form::TextOrList, Check::Days),
    needed("from", Form::Text, Check::Clock),
    needed("to", Form::Text, Check::Clock),
    field("block", Form::List, Check::Thing),
    field("allow", Form::List, Check::Thing),
    field("reach", Form::List, Check::OwnName),
];

const QUOTA: &[Field] = &[
    needed("name", Form::Text, Check::Line),
    needed("for", Form::List, Check::Who),
    needed("of", Form::List, Check::Thing),
    needed("limit", Form::Text, Check::Length),
    field("per", Form::Text, Check::OneOf(&["day", "week"])),
    field("carry", Form::Text, Check::Length),
    field("reach", Form::List, Check::OwnName),
];

const SERVICE: &[Field] = &[
    field("name", Form::Text, Check::Line),
    needed("names", Form::List, Check::OwnName),
];

const CLIENT: &[Field] = &[
    needed("name", Form::Text, Check::Id),
    needed("profile", Form::Text, Check::Profile),
    needed("match", Form::List, Check::Network),
    field("tags", Form::List, Check::Line),
];
