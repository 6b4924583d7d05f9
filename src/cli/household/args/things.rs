//! `stairgate household add KIND ...`: one option for each key that a new thing may have.
//!
//! In: options. Out: an [`Edit::Add`] with the keys of those that were given.

use crate::household::edit::{Edit, Given, Kind};
use std::collections::BTreeMap;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Add {
    /// A person, with a profile
    #[command(after_help = "Examples:\n  stairgate household add person masha --name Masha --profile child")]
    Person {
        /// A short word for commands, such as masha
        id: String,
        /// What the person may see; profiles are made with `add profile`
        #[arg(long)]
        profile: Option<String>,
        /// The name as it is shown
        #[arg(long)]
        name: Option<String>,
        /// Where the person lives, if not with the household: Asia/Yekaterinburg
        #[arg(long, value_name = "ZONE")]
        timezone: Option<String>,
        /// How much is kept of what the person looks up: nothing, counts or names
        #[arg(long, value_name = "WORD")]
        log: Option<String>,
        #[command(flatten)]
        names: OwnNames,
    },
    /// A device, which is a person's or nobody's
    #[command(
        after_help = "Examples:\n  stairgate household add device masha-phone --person masha --match 192.168.1.20\n  \
                            stairgate household add device tv --profile guest --match 192.168.1.30"
    )]
    Device {
        /// Such as masha-phone
        name: String,
        /// Whose it is
        #[arg(long)]
        person: Option<String>,
        /// What may be seen on it, for a device that is nobody's
        #[arg(long)]
        profile: Option<String>,
        #[command(flatten)]
        found: Found,
    },
    /// Several persons and devices under one word
    #[command(after_help = "Examples:\n  stairgate household add group kids masha petya tablet")]
    Group {
        /// Such as kids
        name: String,
        /// Persons and devices
        members: Vec<String>,
    },
    /// What those who have it may see
    #[command(
        after_help = "Examples:\n  stairgate household add profile child --block adult,gambling --youtube strict --safe-search\n  \
                            stairgate household add profile small --base child --only starter"
    )]
    Profile {
        /// Such as child
        name: String,
        /// A profile that this one adds to
        #[arg(long, value_name = "PROFILE")]
        base: Option<String>,
        /// Categories and lists that are blocked
        #[arg(long, value_name = "CATEGORY", value_delimiter = ',')]
        block: Vec<String>,
        /// Lists whose names are allowed
        #[arg(long, value_name = "LIST", value_delimiter = ',')]
        allow_lists: Vec<String>,
        /// Services, and groups of them, that are blocked: tiktok
        #[arg(long, value_name = "SERVICE", value_delimiter = ',')]
        services: Vec<String>,
        #[command(flatten)]
        names: OwnNames,
        /// Nothing but these names; `starter` takes a list for small children along
        #[arg(long, value_name = "NAME", value_delimiter = ',')]
        only: Vec<String>,
        /// Safe search on every search engine, or with =google,bing on these
        #[arg(long, value_name = "ENGINES", num_args = 0..=1, require_equals = true, value_delimiter = ',')]
        safe_search: Option<Vec<String>>,
        /// strict or moderate
        #[arg(long, value_name = "WORD")]
        youtube: Option<String>,
        /// Close ways around the filter: other resolvers, VPNs, proxies
        #[arg(long)]
        bypass_guard: bool,
        /// Drop answers with addresses of the home network
        #[arg(long)]
        rebinding: bool,
        /// Block names in other scripts that look like a name that is blocked
        #[arg(long)]
        look_alikes: bool,
        /// Types of queries that get no answer: HTTPS
        #[arg(long, value_name = "TYPE", value_delimiter = ',')]
        types: Vec<String>,
    },
    /// Hours in which something is blocked or allowed
    #[command(
        after_help = "Examples:\n  stairgate household add window --for kids --days \"school nights\" --from 21:00 --to 07:00 \
                            --block internet --reach school.example"
    )]
    Window {
        /// Persons, devices, groups, profile:NAME or everyone
        #[arg(long = "for", value_name = "WHO", value_delimiter = ',')]
        who: Vec<String>,
        /// "school nights", weekdays, weekend, mon-fri, 2026-12-24..2027-01-08; without it every day
        #[arg(long)]
        days: Option<String>,
        /// When it begins
        #[arg(long, value_name = "TIME")]
        from: Option<String>,
        /// When it ends; not later than --from: on the next day
        #[arg(long, value_name = "TIME")]
        to: Option<String>,
        /// internet, categories, services, names
        #[arg(long, value_name = "WHAT", value_delimiter = ',')]
        block: Vec<String>,
        /// internet, categories, services, names
        #[arg(long, value_name = "WHAT", value_delimiter = ',')]
        allow: Vec<String>,
        /// Names that stay reachable
        #[arg(long, value_name = "NAME", value_delimiter = ',')]
        reach: Vec<String>,
        /// What to call it; without it after its days
        #[arg(long)]
        name: Option<String>,
    },
    /// A limit for a day or a week
    #[command(
        after_help = "Examples:\n  stairgate household add quota games --for masha --of games --limit 1h --per day --carry 30m"
    )]
    Quota {
        /// Such as games
        name: String,
        /// Persons, devices, groups, profile:NAME or everyone
        #[arg(long = "for", value_name = "WHO", value_delimiter = ',')]
        who: Vec<String>,
        /// internet, categories, services, names
        #[arg(long, value_name = "WHAT", value_delimiter = ',')]
        of: Vec<String>,
        /// How long: 1h, 90m
        #[arg(long, value_name = "TIME")]
        limit: Option<String>,
        /// day or week
        #[arg(long, value_name = "PERIOD")]
        per: Option<String>,
        /// So much of what was left over may be used in the next period
        #[arg(long, value_name = "TIME")]
        carry: Option<String>,
        /// Names that stay reachable when the time is up
        #[arg(long, value_name = "NAME", value_delimiter = ',')]
        reach: Vec<String>,
    },
    /// A service of your own, to block and limit by one word
    #[command(
        after_help = "Examples:\n  stairgate household add service club --name \"Chess club\" --names chess.example"
    )]
    Service {
        /// Such as club
        id: String,
        /// The name as it is shown
        #[arg(long)]
        name: Option<String>,
        /// The names on the internet that belong to it
        #[arg(long, value_name = "NAME", value_delimiter = ',')]
        names: Vec<String>,
    },
    /// A client as in the settings file: addresses and a profile
    Client {
        /// Such as printer
        name: String,
        /// What may be seen on it
        #[arg(long)]
        profile: Option<String>,
        #[command(flatten)]
        found: Found,
    },
}

/// How a device or a client is told from others.
#[derive(Debug, clap::Args)]
pub(super) struct Found {
    /// Its address, or a network; give it once for each
    #[arg(long = "match", value_name = "ADDRESS", value_delimiter = ',')]
    matches: Vec<String>,
    /// A word of your own for it
    #[arg(long = "tag", value_name = "WORD", value_delimiter = ',')]
    tags: Vec<String>,
}

#[derive(Debug, clap::Args)]
pub(super) struct OwnNames {
    /// Names that are allowed
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    allow: Vec<String>,
    /// Names that are blocked
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    deny: Vec<String>,
}

#[derive(Default)]
struct Keys(BTreeMap<String, Given>);

impl Keys {
    fn text(mut self, key: &str, value: Option<String>) -> Keys {
        self.0.extend(value.map(|value| (key.to_owned(), Given::Text(value))));
        self
    }

    fn many(mut self, key: &str, values: Vec<String>) -> Keys {
        if !values.is_empty() {
            self.0.insert(key.to_owned(), Given::Many(values));
        }
        self
    }

    fn flag(mut self, key: &str, on: bool) -> Keys {
        if on {
            self.0.insert(key.to_owned(), Given::Flag(true));
        }
        self
    }

    fn names(self, names: OwnNames) -> Keys {
        self.many("allow", names.allow).many("deny", names.deny)
    }

    fn of(self, kind: Kind, name: Option<String>) -> Edit {
        Edit::Add {
            kind,
            name,
            keys: self.0,
        }
    }
}

impl Add {
    pub fn edit(self) -> Edit {
        let keys = Keys::default();
        match self {
            Add::Person {
                id,
                profile,
                name,
                timezone,
                log,
                names,
            } => keys
                .text("profile", profile)
                .text("name", name)
                .text("timezone", timezone)
                .text("log", log)
                .names(names)
                .of(Kind::Person, Some(id)),
            Add::Device {
                name,
                person,
                profile,
                found,
            } => keys
                .text("person", person)
                .text("profile", profile)
                .many("match", found.matches)
                .many("tags", found.tags)
                .of(Kind::Device, Some(name)),
            Add::Group { name, members } => keys.many("members", members).of(Kind::Group, Some(name)),
            Add::Profile {
                name,
                base,
                block,
                allow_lists,
                services,
                names,
                only,
                safe_search,
                youtube,
                bypass_guard,
                rebinding,
                look_alikes,
                types,
            } => {
                let everywhere = safe_search.as_ref().is_some_and(Vec::is_empty);
                keys.text("base", base)
                    .many("block", block)
                    .many("allow_lists", allow_lists)
                    .many("services", services)
                    .names(names)
                    .many("only", only)
                    .many("safe_search", safe_search.unwrap_or_default())
                    .flag("safe_search", everywhere)
                    .text("youtube", youtube)
                    .flag("bypass_guard", bypass_guard)
                    .flag("rebinding", rebinding)
                    .flag("look_alikes", look_alikes)
                    .many("types", types)
                    .of(Kind::Profile, Some(name))
            }
            Add::Window {
                who,
                days,
                from,
                to,
                block,
                allow,
                reach,
                name,
            } => keys
                .many("for", who)
                .text("days", days)
                .text("from", from)
                .text("to", to)
                .many("block", block)
                .many("allow", allow)
                .many("reach", reach)
                .of(Kind::Window, name),
            Add::Quota {
                name,
                who,
                of,
                limit,
                per,
                carry,
                reach,
            } => keys
                .many("for", who)
                .many("of", of)
                .text("limit", limit)
                .text("per", per)
                .text("carry", carry)
                .many("reach", reach)
                .of(Kind::Quota, Some(name)),
            Add::Service { id, name, names } => {
                keys.text("name", name).many("names", names).of(Kind::Service, Some(id))
            }
            Add::Client { name, profile, found } => keys
                .text("profile", profile)
                .many("match", found.matches)
                .many("tags", found.tags)
                .of(Kind::Client, Some(name)),
        }
    }
}
