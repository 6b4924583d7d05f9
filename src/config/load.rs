//! From the file's shape to settings: defaults filled in, every value checked, every path absolute.
//!
//! In: a path, or nothing for the built-in home example. Out: [`Loaded`].
//! Always: the first wrong thing in the order of the reference file is the one reported.

use super::error::{ConfigError, Problem, Warning};
use super::people;
use super::settings::*;
use super::shape::{self, Text};
use super::syntax::Source;
use super::values;
use crate::dns::cookie;
use crate::limits;
use crate::nearest::nearest;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::ops::Range;
use std::path::{Path, PathBuf};
use toml::Spanned;

/// Settings that can be run on, and what is odd about them.
#[derive(Debug, Clone)]
pub struct Loaded {
    pub settings: Settings,
    pub warnings: Vec<Warning>,
}

impl Settings {
    /// Reads a settings file, and the household file if it names one.
    pub fn load(file: &Path) -> Result<Loaded, ConfigError> {
        let alone = Settings::load_alone(file)?;
        let Some(path) = &alone.settings.household_file else {
            return Ok(alone);
        };
        if path.exists() {
            return alone.with(Source::read(path, limits::HOUSEHOLD_BYTES)?);
        }
        // Commands make it; until then everything is filtered for everybody.
        let mut loaded = alone.with(Source::new(path.clone(), String::new()))?;
        loaded.warnings.push(Warning {
            file: Some(path.clone()),
            line: None,
            sentence: "is not there yet, so that every device is filtered by every category; `stairgate household --help` shows how to begin it"
                .to_owned(),
        });
        Ok(loaded)
    }

    /// Reads a settings file and not the household file that it may name: nobody is known then.
    pub fn load_alone(file: &Path) -> Result<Loaded, ConfigError> {
        let source = Source::read(file, limits::SETTINGS_BYTES)?;
        let shape: shape::File = source.shape()?;
        let absolute = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
        let folder = absolute.parent().unwrap_or(Path::new("/")).to_owned();
        Loader {
            source,
            folder,
            warnings: Vec::new(),
        }
        .settings(shape, absolute)
    }

    /// The built-in home example, with the household that its state has once commands have made one.
    pub fn load_builtin(folder: &Path) -> Result<Loaded, ConfigError> {
        let alone = Settings::builtin_alone(folder);
        match &alone.settings.household_file {
            Some(path) if path.exists() => alone.with(Source::read(path, limits::HOUSEHOLD_BYTES)?),
            _ => Ok(alone),
        }
    }

    /// The same without looking at the household file.
    pub fn builtin_alone(folder: &Path) -> Loaded {
        let mut settings = Settings::builtin(folder);
        settings.household_file = Some(settings.state_dir.join("household.toml"));
        Loaded {
            settings,
            warnings: Vec::new(),
        }
    }

    /// The same settings with the household file as it is now.
    pub fn reload_household(&self) -> Result<Loaded, ConfigError> {
        let file = self.household_file.clone().unwrap_or_default();
        let alone = Loaded {
            settings: self.clone(),
            warnings: Vec::new(),
        };
        alone.with(Source::read(&file, limits::HOUSEHOLD_BYTES)?)
    }

    /// The same settings with the household that this text is. Whoever was known before is not.
    pub fn with_household(&self, text: String) -> Result<Loaded, ConfigError> {
        let file = self.household_file.clone().unwrap_or_default();
        let alone = Loaded {
            settings: self.clone(),
            warnings: Vec::new(),
        };
        alone.with(Source::new(file, text))
    }
}

impl Loaded {
    /// With the household that a file holds.
    fn with(&self, source: Source) -> Result<Loaded, ConfigError> {
        let mut settings = Settings {
            profiles: Vec::new(),
            clients: Vec::new(),
            household: None,
            ..self.settings.clone()
        };
        let shape: shape::Household = source.shape()?;
        let mut loader = Loader {
            source,
            folder: settings.folder.clone(),
            warnings: self.warnings.clone(),
        };
        loader.version(&shape.version)?;
        people::read_household(&mut loader, &mut settings, &shape)?;
        Ok(Loaded {
            settings,
            warnings: loader.warnings,
        })
    }
}

/// Reads one file's shape; `source` is the file whose places the spans are.
pub(super) struct Loader {
    pub source: Source,
    pub folder: PathBuf,
    pub warnings: Vec<Warning>,
}

impl Loader {
    fn settings(mut self, shape: shape::File, file: PathBuf) -> Result<Loaded, ConfigError> {
        self.version(&shape.version)?;
        let state_dir = self.path(shape.state_dir.as_ref(), "state_dir")?;
        let gate = self.path(shape.gate.as_ref(), "gate")?;
        let household = self.path(shape.household.as_ref(), "household")?;
        let server = self.server(shape.server.unwrap_or_default())?;
        let cache = self.cache(shape.cache.unwrap_or_default())?;
        let resolver = self.resolver(shape.resolver.unwrap_or_default())?;
        let page = shape.page.as_ref().map(|page| self.page(page)).transpose()?;
        let zones = self.zones(&shape.zone)?;
        let records = self.records(&shape.record)?;
        let lists = self.lists(&shape.list)?;
        let mut settings = Settings {
            file: Some(file),
            state_dir: state_dir.unwrap_or_else(|| self.folder.join("var")),
            folder: self.folder.clone(),
            gate,
            household_file: household,
            server,
            cache,
            resolver,
            page: page.unwrap_or_default(),
            zones,
            records,
            lists,
            profiles: Vec::new(),
            clients: Vec::new(),
            household: None,
        };
        match shape.household {
            Some(text) if !shape.profile.is_empty() || !shape.client.is_empty() => {
                return Err(self.fail(
                    text.span(),
                    Problem::Other(
                        "household names a file, but this file has profiles or clients of its own; \
                         move them to the household file or leave the key household out"
                            .to_owned(),
                    ),
                ));
            }
            Some(_) => {}
            None => people::read(&mut self, &mut settings, &shape.profile, &shape.client)?,
        }
        let warnings = self.warnings;
        Ok(Loaded { settings, warnings })
    }

    pub fn fail(&self, span: Range<usize>, problem: Problem) -> ConfigError {
        self.source.fail(span, problem)
    }

    /// An error about one value.
    pub fn wrong(&self, text: &Text, key: &'static str, why: impl Into<String>) -> ConfigError {
        self.fail(
            text.span(),
            Problem::Value {
                key,
                value: text.get_ref().clone(),
                why: why.into(),
            },
        )
    }

    /// An error about a word that should be a profile or a person of the file. `owner`: who has it, `client "tablet"`.
    pub(super) fn no_such<'k>(
        &self,
        text: &Text,
        owner: String,
        (key, what): (&'static str, &'static str),
        known: impl IntoIterator<Item = &'k str>,
    ) -> ConfigError {
        let word = text.get_ref().clone();
        let known: Vec<String> = known.into_iter().map(str::to_owned).collect();
        self.fail(
            text.span(),
            Problem::NoSuch {
                owner,
                key,
                what,
                nearest: nearest(&word, &known),
                advice: format!("add [{what}.{word}]"),
                word,
            },
        )
    }

    pub fn warn(&mut self, span: Range<usize>, sentence: String) {
        self.warnings.push(Warning {
            file: Some(self.source.file.clone()),
            line: Some(self.source.line(span.start)),
            sentence,
        });
    }

    /// One value by its reader, or the default where it is not written.
    pub fn value<T>(
        &self,
        text: Option<&Text>,
        key: &'static str,
        default: T,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Result<T, ConfigError> {
        text.map_or(Ok(default), |text| {
            read(text.get_ref()).map_err(|why| self.wrong(text, key, why))
        })
    }

    /// Every value of a list by its reader.
    pub fn values<T>(
        &self,
        texts: &[Text],
        key: &'static str,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Vec<T>, ConfigError> {
        texts
            .iter()
            .map(|text| read(text.get_ref()).map_err(|why| self.wrong(text, key, why)))
            .collect()
    }

    /// One of a few words.
    pub fn word<T: Copy>(
        &self,
        text: Option<&Text>,
        key: &'static str,
        default: T,
        words: &[(&str, T)],
    ) -> Result<T, ConfigError> {
        self.value(text, key, default, |word| {
            words
                .iter()
                .find(|(known, _)| *known == word)
                .map(|&(_, value)| value)
                .ok_or_else(|| {
                    let known: Vec<String> = words.iter().map(|&(known, _)| known.to_owned()).collect();
                    match nearest(word, &known) {
                        Some(near) => format!("is not a word for it; is \"{near}\" meant?"),
                        None => format!("is not a word for it; write \"{}\"", known.join("\" or \"")),
                    }
                })
        })
    }

    pub(super) fn path(&self, text: Option<&Text>, key: &'static str) -> Result<Option<PathBuf>, ConfigError> {
        text.map(|text| {
            if text.get_ref().is_empty() || text.get_ref().contains('\0') {
                Err(self.wrong(text, key, "is not a path; write one or leave the key out"))
            } else {
                Ok(self.folder.join(text.get_ref()))
            }
        })
        .transpose()
    }

    pub(super) fn number(
        &self,
        number: Option<&Spanned<i64>>,
        key: &'static str,
        default: i64,
        range: std::ops::RangeInclusive<i64>,
    ) -> Result<i64, ConfigError> {
        match number {
            None => Ok(default),
            Some(number) if range.contains(number.get_ref()) => Ok(*number.get_ref()),
            Some(number) => Err(self.fail(
                number.span(),
                Problem::Other(format!(
                    "{key} = {} is out of bounds; write a number from {} to {}",
                    number.get_ref(),
                    range.start(),
                    range.end()
                )),
            )),
        }
    }

    fn version(&self, version: &Option<Spanned<i64>>) -> Result<(), ConfigError> {
        match version {
            Some(version) if *version.get_ref() != 1 => Err(self.fail(
                version.span(),
                Problem::Other(format!(
                    "version = {} is not known to this program, which knows 1; update the program or the file",
                    version.get_ref()
                )),
            )),
            _ => Ok(()),
        }
    }

    fn server(&mut self, shape: shape::Server) -> Result<Server, ConfigError> {
        let default = Server::default();
        let listen = match &shape.listen {
            None => default.listen,
            Some(listen) => self.listen(listen, "server.listen", "127.0.0.1:5300")?,
        };
        let allow = shape
            .allow
            .map(|allow| self.values(&allow, "server.allow", values::network))
            .transpose()?;
        let unmatched = self.word(
            shape.unmatched.as_ref(),
            "server.unmatched",
            default.unmatched,
            &[
                ("default", Unmatched::Default),
                ("open", Unmatched::Open),
                ("refuse", Unmatched::Refuse),
            ],
        )?;
        let workers = self.number(shape.workers.as_ref(), "server.workers", 0, 0..=1024)?;
        let cookies = shape.cookies.unwrap_or(default.cookies);
        let cookie_secret = self.cookie_secret(shape.cookie_secret.as_ref(), default.cookie_secret)?;
        if let (false, Some(secret)) = (cookies, &shape.cookie_secret) {
            self.warn(
                secret.span(),
                "server.cookie_secret is not used while cookies = false; leave one of them out".to_owned(),
            );
        }
        let number = |number: Option<&_>, key, default: u32, most| {
            self.number(number, key, default.into(), 0..=i64::from(most))
                .map(|number| number as u32)
        };
        let rate_limit = number(
            shape.rate_limit.as_ref(),
            "server.rate_limit",
            default.rate_limit,
            limits::RATE_LIMIT_MOST,
        )?;
        let rate_limit_slip = number(
            shape.rate_limit_slip.as_ref(),
            "server.rate_limit_slip",
            default.rate_limit_slip,
            limits::RATE_LIMIT_SLIP_MOST,
        )?;
        let rate_limit_exempt = shape
            .rate_limit_exempt
            .map(|exempt| self.values(&exempt, "server.rate_limit_exempt", values::network))
            .transpose()?;
        let organization = self.value(shape.organization.as_ref(), "server.organization", None, |text| {
            values::organization(text).map(Some)
        })?;
        let contact = self.contact(shape.contact.as_ref())?;
        let rebinding_allow = shape.rebinding_allow.unwrap_or_default();
        let rebinding_allow = self.values(&rebinding_allow, "server.rebinding_allow", values::own)?;
        Ok(Server {
            listen,
            allow,
            unmatched,
            workers: workers as usize,
            cookies,
            cookie_secret,
            rate_limit,
            rate_limit_slip,
            rate_limit_exempt,
            organization,
            contact,
            rebinding_allow,
        })
    }

    /// Addresses to listen on, at least one. `example`: one that could be meant.
    pub(super) fn listen(
        &self,
        listen: &Spanned<Vec<Text>>,
        key: &'static str,
        example: &str,
    ) -> Result<Vec<SocketAddr>, ConfigError> {
        let mut seen = Vec::new();
        for text in listen.get_ref() {
            let addr = values::socket_address(text.get_ref()).map_err(|why| self.wrong(text, key, why))?;
            if addr.port() == 0 {
                return Err(self.wrong(text, key, "has port 0; write the port to listen on"));
            }
            if seen.contains(&addr) {
                return Err(self.wrong(text, key, "is there twice; leave one out"));
            }
            seen.push(addr);
        }
        if seen.is_empty() {
            return Err(self.fail(
                listen.span(),
                Problem::Other(format!("{key} is empty; write an address such as \"{example}\"")),
            ));
        }
        Ok(seen)
    }

    /// Whom to ask about a blocked name.
    fn contact(&self, texts: Option<&Spanned<Vec<Text>>>) -> Result<Vec<String>, ConfigError> {
        let Some(texts) = texts else { return Ok(Vec::new()) };
        let contact = self.values(texts.get_ref(), "server.contact", values::contact)?;
        let bytes: usize = contact.iter().map(String::len).sum();
        if bytes > limits::CONTACT_BYTES {
            return Err(self.fail(
                texts.span(),
                Problem::Other(format!(
                    "server.contact has {bytes} bytes in all, more than the {} that fit beside an answer; leave some out",
                    limits::CONTACT_BYTES
                )),
            ));
        }
        Ok(contact)
    }

    /// The secrets of cookies. What is wrong with them is said without showing them.
    fn cookie_secret(
        &self,
        secret: Option<&Spanned<shape::Secret>>,
        default: cookie::Secrets,
    ) -> Result<cookie::Secrets, ConfigError> {
        let Some(secret) = secret else { return Ok(default) };
        let written = match secret.get_ref() {
            shape::Secret::One(one) => std::slice::from_ref(one),
            shape::Secret::Several(several) => several.as_slice(),
        };
        let read: Option<Vec<_>> = written.iter().map(|text| values::cookie_secret(text)).collect();
        match read.as_deref() {
            Some(&[signing]) => Ok(cookie::Secrets::shared(signing, None)),
            Some(&[signing, other]) if signing != other => Ok(cookie::Secrets::shared(signing, Some(other))),
            _ => Err(self.fail(
                secret.span(),
                Problem::Other(
                    "server.cookie_secret is not a secret of 32 hex digits, or two different ones in [ ]; \
                     `openssl rand -hex 16` makes one"
                        .to_owned(),
                ),
            )),
        }
    }

    fn cache(&self, shape: shape::Cache) -> Result<CacheSettings, ConfigError> {
        let default = CacheSettings::default();
        let min_ttl = self.value(
            shape.min_ttl.as_ref(),
            "cache.min_ttl",
            default.min_ttl,
            values::duration,
        )?;
        let max_ttl = self.value(
            shape.max_ttl.as_ref(),
            "cache.max_ttl",
            default.max_ttl,
            values::duration,
        )?;
        if min_ttl > max_ttl {
            let text = shape.min_ttl.or(shape.max_ttl).map_or(0..0, |text| text.span());
            return Err(self.fail(
                text,
                Problem::Other("cache.min_ttl is longer than cache.max_ttl; swap or change them".to_owned()),
            ));
        }
        let size_bytes = self.value(shape.size.as_ref(), "cache.size", default.size_bytes, |text| {
            let size = values::size(text)?;
            if size < limits::CACHE_FLOOR_BYTES {
                Err(format!(
                    "is under the floor of {} MiB; a smaller cache answers nothing twice",
                    limits::CACHE_FLOOR_BYTES >> 20
                ))
            } else {
                Ok(size)
            }
        })?;
        Ok(CacheSettings {
            size_bytes,
            min_ttl,
            max_ttl,
            prefetch: shape.prefetch.unwrap_or(default.prefetch),
            keep: shape.keep.unwrap_or(default.keep),
        })
    }

    pub fn imposed_by(&self, text: Option<&Text>, key: &'static str) -> Result<ImposedBy, ConfigError> {
        self.word(
            text,
            key,
            ImposedBy::Household,
            &[
                ("household", ImposedBy::Household),
                ("operator", ImposedBy::Operator),
                ("law", ImposedBy::Law),
            ],
        )
    }
}

/// Names met so far and their lines, to find the one that is there twice.
pub(super) struct Seen {
    kind: &'static str,
    lines: HashMap<String, usize>,
}

impl Seen {
    pub fn new(kind: &'static str) -> Seen {
        Seen {
            kind,
            lines: HashMap::new(),
        }
    }

    /// Notes `identity`, written as `text`; an error if it was there before.
    pub fn note(&mut self, loader: &Loader, text: &Text, identity: String) -> Result<(), ConfigError> {
        let line = loader.source.line(text.span().start);
        match self.lines.insert(identity, line) {
            None => Ok(()),
            Some(first) => Err(loader.fail(
                text.span(),
                Problem::Duplicate {
                    kind: self.kind,
                    name: text.get_ref().clone(),
                    first,
                },
            )),
        }
    }
}
