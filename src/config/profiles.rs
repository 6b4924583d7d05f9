//! `[profile.NAME]`: what is filtered, and how it is answered.
//!
//! In: profiles as written, the words there are. Out: [`ProfileSettings`], each with what its bases say.
//! Always: each is read by itself, in the order of the file; then bases are put together. Lists add to those of the base, single values
//! take the place of the base's.

use super::error::{ConfigError, Problem};
use super::household::OwnName;
use super::load::Loader;
use super::log::WrittenLog;
use super::settings::*;
use super::shape::{self, Text};
use super::times;
use super::values;
use super::words::{Place, Vocabulary, with_a_dot};
use crate::catalogue::Catalogue;
use crate::nearest::nearest;
use jiff::tz::TimeZone;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ops::Range;
use std::time::Duration;
use toml::Spanned;

/// A profile by itself: what is not written is `None`.
struct Own<'s> {
    name: &'s str,
    span: Range<usize>,
    base: Option<&'s Text>,
    block: Option<Vec<String>>,
    allow_lists: Vec<String>,
    allow: Vec<OwnName>,
    deny: Vec<OwnName>,
    only: Option<Vec<OwnName>>,
    services: Vec<String>,
    safe_search: Option<Vec<String>>,
    youtube: Option<YoutubeMode>,
    bypass_guard: Option<bool>,
    rebinding: Option<bool>,
    look_alikes: Option<bool>,
    types: Vec<u16>,
    answer: Option<AnswerKind>,
    answer_addresses: Option<Vec<std::net::IpAddr>>,
    answer_ttl: Option<Duration>,
    imposed_by: Option<ImposedBy>,
    observe: Option<bool>,
    log: WrittenLog,
}

/// Reads all profiles, by name. `zone`: of times in them.
pub(super) fn read(
    loader: &mut Loader,
    words: &Vocabulary,
    shapes: &BTreeMap<String, Spanned<shape::Profile>>,
    zone: &TimeZone,
) -> Result<Vec<ProfileSettings>, ConfigError> {
    // In the order of the file, so that the first wrong one is the one reported.
    let mut in_order: Vec<_> = shapes.iter().collect();
    in_order.sort_by_key(|(_, shape)| shape.span().start);
    let mut owns = Vec::with_capacity(in_order.len());
    for &(name, shape) in &in_order {
        owns.push(own(loader, words, name, shape, zone)?);
    }
    let bases = bases(loader, &owns)?;
    let mut whole: Vec<Option<ProfileSettings>> = owns.iter().map(|_| None).collect();
    // Whether `block` is written, here or in a base.
    let mut says_what: Vec<bool> = owns.iter().map(|own| own.block.is_some()).collect();
    for at in 0..owns.len() {
        if whole[at].is_some() {
            continue;
        }
        let mut chain = vec![at];
        while let Some(base) = chain.last().and_then(|&last| bases[last]) {
            if whole[base].is_some() {
                break;
            }
            chain.push(base);
        }
        for &one in chain.iter().rev() {
            let base = bases[one].and_then(|base| whole[base].as_ref());
            let base = base.cloned().unwrap_or_else(|| ProfileSettings::named(""));
            says_what[one] |= bases[one].is_some_and(|base| says_what[base]);
            whole[one].get_or_insert_with(|| merged(base, &owns[one]));
        }
    }
    let mut profiles = Vec::with_capacity(owns.len());
    for (at, profile) in whole.into_iter().enumerate() {
        let Some(profile) = profile else { continue };
        check(loader, &profile, &owns[at], in_order[at].1, says_what[at])?;
        profiles.push(profile);
    }
    profiles.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(profiles)
}

/// The base of each profile; an error where one leads back to itself.
fn bases(loader: &Loader, owns: &[Own<'_>]) -> Result<Vec<Option<usize>>, ConfigError> {
    let by_name: HashMap<&str, usize> = owns.iter().enumerate().map(|(at, own)| (own.name, at)).collect();
    let mut bases = Vec::with_capacity(owns.len());
    for own in owns {
        bases.push(match own.base {
            None => None,
            Some(text) => match by_name.get(text.get_ref().as_str()) {
                Some(&base) => Some(base),
                None => {
                    let owner = format!("profile {:?}", own.name);
                    let known = owns.iter().map(|own| own.name);
                    return Err(loader.no_such(text, owner, ("base", "profile"), known));
                }
            },
        });
    }
    // Profiles from which the way up is known to end.
    let mut ends = vec![false; owns.len()];
    for start in 0..owns.len() {
        let (mut way, mut on_it) = (Vec::new(), HashSet::new());
        let mut next = Some(start);
        while let Some(at) = next.filter(|&at| !ends[at]) {
            if !on_it.insert(at) {
                let from = way.iter().position(|&one| one == at).unwrap_or(0);
                let chain: Vec<&str> = way[from..]
                    .iter()
                    .chain([&at])
                    .map(|&one: &usize| owns[one].name)
                    .collect();
                let span = owns[at].base.map_or(owns[at].span.clone(), |text| text.span());
                return Err(loader.fail(
                    span,
                    Problem::Other(format!(
                        "profile {:?} is its own base: {}; take base out of one of them",
                        owns[at].name,
                        chain.join(" -> ")
                    )),
                ));
            }
            way.push(at);
            next = bases[at];
        }
        for at in way {
            ends[at] = true;
        }
    }
    Ok(bases)
}

/// What a base says with what the profile says itself.
fn merged(base: ProfileSettings, own: &Own<'_>) -> ProfileSettings {
    let add = |mut list: Vec<String>, more: &[String]| {
        let known: HashSet<String> = list.iter().cloned().collect();
        list.extend(more.iter().filter(|word| !known.contains(*word)).cloned());
        list
    };
    let types: BTreeSet<u16> = base.types.iter().chain(&own.types).copied().collect();
    ProfileSettings {
        name: own.name.to_owned(),
        base: own.base.map(|base| base.get_ref().clone()),
        block: add(base.block, own.block.as_deref().unwrap_or_default()),
        every_category: false,
        allow_lists: add(base.allow_lists, &own.allow_lists),
        allow: names(base.allow, &own.allow, &own.deny),
        deny: names(base.deny, &own.deny, &own.allow),
        only: own.only.clone().or(base.only),
        services: add(base.services, &own.services),
        safe_search: match &own.safe_search {
            // `safe_search = false` takes back what the base has.
            Some(none) if none.is_empty() => Vec::new(),
            more => add(base.safe_search, more.as_deref().unwrap_or_default()),
        },
        youtube: own.youtube.or(base.youtube),
        bypass_guard: own.bypass_guard.unwrap_or(base.bypass_guard),
        rebinding: own.rebinding.unwrap_or(base.rebinding),
        look_alikes: own.look_alikes.unwrap_or(base.look_alikes),
        types: types.into_iter().collect(),
        answer: own.answer.unwrap_or(base.answer),
        answer_addresses: own.answer_addresses.clone().unwrap_or(base.answer_addresses),
        answer_ttl: own.answer_ttl.unwrap_or(base.answer_ttl),
        imposed_by: own.imposed_by.unwrap_or(base.imposed_by),
        observe: own.observe.unwrap_or(base.observe),
        log: own.log.over(base.log),
    }
}

/// Names of a base and the profile's own. What it says itself for good of a name counts, whatever the base says of it.
fn names(base: Vec<OwnName>, own: &[OwnName], contrary: &[OwnName]) -> Vec<OwnName> {
    if base.is_empty() {
        return own.to_vec();
    }
    let said: HashSet<(&[u8], bool)> = own
        .iter()
        .chain(contrary.iter().filter(|name| name.until.is_none()))
        .map(key)
        .collect();
    let mut names: Vec<OwnName> = base.into_iter().filter(|name| !said.contains(&key(name))).collect();
    names.extend_from_slice(own);
    names
}

fn key(name: &OwnName) -> (&[u8], bool) {
    (name.name.as_wire(), name.exact)
}

fn own<'s>(
    loader: &mut Loader,
    words: &Vocabulary,
    name: &'s str,
    shape: &'s Spanned<shape::Profile>,
    zone: &TimeZone,
) -> Result<Own<'s>, ConfigError> {
    let written = shape.get_ref();
    if name.is_empty() || name.chars().any(char::is_control) {
        return Err(loader.fail(
            shape.span(),
            Problem::Other("a profile has no name; write [profile.child] or the like".to_owned()),
        ));
    }
    let list = |texts: &Option<Vec<Text>>| -> Option<Vec<String>> {
        texts
            .as_ref()
            .map(|texts| texts.iter().map(|text| text.get_ref().clone()).collect())
    };
    let some = |texts: &'s Option<Vec<Text>>| -> &'s [Text] { texts.as_deref().unwrap_or_default() };
    words.lists_exist(loader, name, "block", ListAction::Block, some(&written.block))?;
    words.lists_exist(
        loader,
        name,
        "allow_lists",
        ListAction::Allow,
        some(&written.allow_lists),
    )?;
    let allow = written.allow.as_deref().unwrap_or_default();
    let deny = written.deny.as_deref().unwrap_or_default();
    let allow = times::own_names(loader, allow, "profile.allow", zone, values::own)?;
    let deny = times::own_names(loader, deny, "profile.deny", zone, values::own)?;
    let only = match &written.only {
        Some(only) => Some(read_only(loader, name, only, zone)?),
        None => None,
    };
    let owner = format!("profile {name:?}");
    let place = Place {
        owner: &owner,
        key: "services",
    };
    let answers = &[
        ("null", AnswerKind::Null),
        ("nxdomain", AnswerKind::Nxdomain),
        ("nodata", AnswerKind::Nodata),
        ("refused", AnswerKind::Refused),
        ("page", AnswerKind::Page),
    ]
    .map(|(word, kind)| (word, Some(kind)));
    let modes = &[
        ("moderate", Some(YoutubeMode::Moderate)),
        ("strict", Some(YoutubeMode::Strict)),
    ];
    let addresses = written.answer_addresses.as_ref();
    Ok(Own {
        name,
        span: shape.span(),
        base: written.base.as_ref(),
        block: list(&written.block),
        allow_lists: list(&written.allow_lists).unwrap_or_default(),
        allow,
        deny,
        only,
        services: words.services(loader, &place, some(&written.services))?,
        safe_search: match &written.safe_search {
            Some(engines) => Some(read_engines(loader, name, engines)?),
            None => None,
        },
        youtube: loader.word(written.youtube.as_ref(), "profile.youtube", None, modes)?,
        bypass_guard: written.bypass_guard,
        rebinding: written.rebinding,
        look_alikes: written.look_alikes,
        types: loader.values(some(&written.types), "profile.types", values::query_type)?,
        answer: loader.word(written.answer.as_ref(), "profile.answer", None, answers)?,
        answer_addresses: match addresses {
            Some(addresses) => Some(loader.values(addresses.get_ref(), "profile.answer_addresses", values::address)?),
            None => None,
        },
        answer_ttl: loader.value(written.answer_ttl.as_ref(), "profile.answer_ttl", None, |text| {
            match values::duration(text)? {
                ttl if ttl > Duration::from_secs(86_400) || ttl.subsec_millis() != 0 => {
                    Err("is out of bounds; write whole seconds up to \"1d\"".to_owned())
                }
                ttl => Ok(Some(ttl)),
            }
        })?,
        imposed_by: match &written.imposed_by {
            Some(_) => Some(loader.imposed_by(written.imposed_by.as_ref(), "profile.imposed_by")?),
            None => None,
        },
        observe: written.observe,
        log: WrittenLog::read(
            loader,
            (written.log.as_ref(), "profile.log"),
            (written.log_for.as_ref(), "profile.log_for"),
        )?,
    })
}

/// `only`: names, and the starter list by its word.
fn read_only(
    loader: &mut Loader,
    profile: &str,
    only: &Spanned<shape::Only>,
    zone: &TimeZone,
) -> Result<Vec<OwnName>, ConfigError> {
    const STARTER: &str = "starter";
    let starter = || Catalogue::shipped().kids.iter().cloned().map(OwnName::from);
    let near = |word: &str, why: String| match nearest(word, &[STARTER.to_owned()]) {
        Some(_) => format!("is not the starter list; is \"{STARTER}\" meant?"),
        None => why,
    };
    let wrong = |word: &str, why: String| Problem::Value {
        key: "profile.only",
        value: word.to_owned(),
        why: near(word, why),
    };
    match only.get_ref() {
        shape::Only::One(word) if word == STARTER => Ok(starter().collect()),
        shape::Only::One(word) => match with_a_dot(word) {
            Ok(name) => Ok(vec![name]),
            Err(why) => Err(loader.fail(only.span(), wrong(word, why))),
        },
        shape::Only::Several(parts) => {
            if parts.is_empty() {
                loader.warn(
                    only.span(),
                    format!("profile {profile:?} has only = [], which closes everything; name what stays open"),
                );
            }
            let mut names = Vec::with_capacity(parts.len());
            for part in parts {
                let word = part.get_ref().text();
                if let (shape::OwnName::Name(_), STARTER) = (part.get_ref(), word) {
                    names.extend(starter());
                    continue;
                }
                with_a_dot(word).map_err(|why| loader.fail(part.span(), wrong(word, why)))?;
                names.extend(times::own_names(
                    loader,
                    std::slice::from_ref(part),
                    "profile.only",
                    zone,
                    with_a_dot,
                )?);
            }
            Ok(names)
        }
    }
}

/// `safe_search`: engines of the catalogue. YouTube stands there too, but has a key of its own, since it has two modes.
fn read_engines(loader: &Loader, profile: &str, engines: &Spanned<shape::Engines>) -> Result<Vec<String>, ConfigError> {
    const YOUTUBE: &str = "youtube";
    let of_catalogue = Catalogue::shipped().safe_search.iter().map(|host| host.engine.as_str());
    let known: BTreeSet<&str> = of_catalogue.filter(|&engine| engine != YOUTUBE).collect();
    match engines.get_ref() {
        shape::Engines::All(false) => Ok(Vec::new()),
        shape::Engines::All(true) => Ok(known.into_iter().map(str::to_owned).collect()),
        shape::Engines::Some(words) => {
            let mut unknown = words.iter().filter(|text| !known.contains(text.get_ref().as_str()));
            if let Some(text) = unknown.next() {
                let word = text.get_ref();
                let engines: Vec<String> = known.iter().map(|&engine| engine.to_owned()).collect();
                return Err(loader.fail(
                    text.span(),
                    Problem::NoSuch {
                        owner: format!("profile {profile:?}"),
                        key: "safe_search",
                        word: word.clone(),
                        what: "search engine",
                        nearest: nearest(word, &engines),
                        advice: if word == YOUTUBE {
                            "write youtube = \"strict\" or \"moderate\"".to_owned()
                        } else {
                            format!("write some of {}", engines.join(", "))
                        },
                    },
                ));
            }
            Ok(words.iter().map(|text| text.get_ref().clone()).collect())
        }
    }
}

/// What the parts of a profile mean together.
fn check(
    loader: &mut Loader,
    profile: &ProfileSettings,
    own: &Own<'_>,
    shape: &Spanned<shape::Profile>,
    says_what: bool,
) -> Result<(), ConfigError> {
    let (name, written) = (own.name, shape.get_ref());
    let filters = !profile.deny.is_empty()
        || !profile.services.is_empty()
        || !profile.types.is_empty()
        || !profile.safe_search.is_empty()
        || profile.only.is_some()
        || profile.youtube.is_some()
        || profile.bypass_guard
        || profile.rebinding;
    if profile.block.is_empty() && !filters {
        if !says_what {
            return Err(loader.fail(
                shape.span(),
                Problem::Other(format!(
                    "profile \"{name}\" names no list and no category; add block = [\"adult\"] or others, \
                     or block = [] if it is to filter nothing"
                )),
            ));
        }
        loader.warn(
            shape.span(),
            format!("profile \"{name}\" blocks nothing; name categories or lists in block if that is not meant"),
        );
    }
    warn_of_both(
        loader,
        &format!("profile {name:?}"),
        &own.allow,
        &own.deny,
        written.deny.as_deref(),
    );
    match (profile.answer, profile.answer_addresses.is_empty()) {
        (AnswerKind::Page, true) => {
            let span = written.answer.as_ref().map_or(shape.span(), |answer| answer.span());
            return Err(loader.fail(
                span,
                Problem::Other(format!(
                    "profile \"{name}\" has answer = \"page\" without answer_addresses; add the addresses of the block page"
                )),
            ));
        }
        (AnswerKind::Page, false) | (_, true) => {}
        (_, false) => {
            if let Some(addresses) = &written.answer_addresses {
                loader.warn(
                    addresses.span(),
                    format!(
                        "profile \"{name}\" has answer_addresses that nothing uses; write answer = \"page\" or leave them out"
                    ),
                );
            }
        }
    }
    Ok(())
}

/// A name that is both allowed and denied: allow wins, which is hardly meant.
pub(super) fn warn_of_both(
    loader: &mut Loader,
    owner: &str,
    allow: &[OwnName],
    deny: &[OwnName],
    written: Option<&[Spanned<shape::OwnName>]>,
) {
    if allow.is_empty() || deny.is_empty() {
        return;
    }
    // What is allowed for a time may well be denied else.
    let both: HashSet<_> = allow.iter().filter(|name| name.until.is_none()).map(key).collect();
    let written = written.unwrap_or_default();
    if let Some((_, text)) = deny.iter().zip(written).find(|(name, _)| both.contains(&key(name))) {
        loader.warn(
            text.span(),
            format!(
                "{owner} both allows and denies \"{}\"; allow wins, leave one out",
                text.get_ref().text()
            ),
        );
    }
}
