//! One request, and its answer.
//!
//! In: a request, the address it came from. Out: a response.
//! Always: whether and why a site is closed is asked of the policy in force, as a query from that address would ask it. A request for a
//! site is kept only with a token that was made for this address and this site.
//!
//! What a browser gets: for a closed site 403 with the page, whatever the path, or 451 where the law closes it; 403, so that no program
//! takes the page for the site, and none asks again at once, as it would after 5xx. For a site that is not closed 421: it is not served here, and
//! a new look-up leads to where it is. For no site 400 or 404. Programs that do not ask for HTML get the first sentence as plain text.

use super::Shared;
use super::host::{Host, Site};
use super::view::{ASK_PATH, Document, POLICY};
use super::words::{Language, Words, fill, weight};
use crate::clock;
use crate::config::settings::ImposedBy;
use crate::count::Count;
use crate::dns::ede::Text;
use crate::dns::key::Key;
use crate::dns::rtype;
use crate::generation::Generation;
use crate::limits::PAGE_BODY_BYTES;
use crate::now::Now;
use crate::policy::{Asker, Closed, Met, Why};
use crate::requests::{New, NotAsked, Whom};
use crate::schedule::local::instant;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Method, Request, Response, StatusCode};
use jiff::tz::TimeZone;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

type Answer = Response<Full<Bytes>>;

/// Answers a request from `peer`.
pub(super) async fn answer(shared: &Arc<Shared>, peer: IpAddr, request: Request<Incoming>) -> Answer {
    let (parts, body) = request.into_parts();
    let now = clock::now();
    let generation = shared.service.generations.load_full();
    let words = language(&parts.headers).words();
    let html = wants_html(&parts);
    if !matches!(parts.method, Method::GET | Method::HEAD | Method::POST) {
        let mut refused = plain(StatusCode::METHOD_NOT_ALLOWED, words, words.nothing);
        let allow = HeaderValue::from_static("GET, HEAD, POST");
        refused.headers_mut().insert(header::ALLOW, allow);
        return refused;
    }
    // Whoever may not ask for names is told nothing of what is closed.
    let Some(asker) = generation.policy.client(peer, now.unix_s()) else {
        return nothing(StatusCode::FORBIDDEN, words, html);
    };
    let site = match host(&parts) {
        Host::Name(site) => site,
        Host::Address => return nothing(StatusCode::NOT_FOUND, words, html),
        Host::None => return nothing(StatusCode::BAD_REQUEST, words, html),
    };
    let path = parts.uri.path();
    if path == "/favicon.ico" {
        return plain(StatusCode::NOT_FOUND, words, words.nothing);
    }
    let visit = Visit {
        shared,
        generation: &generation,
        asker,
        peer,
        site,
        words,
        now,
    };
    match (&parts.method, path) {
        (&Method::POST, ASK_PATH) => match read(&parts.headers, body).await {
            Ok(form) => visit.ask(form).await,
            Err(status) => plain(status, words, words.nothing),
        },
        _ => visit.show(html),
    }
}

/// A client at a site.
struct Visit<'v> {
    shared: &'v Arc<Shared>,
    generation: &'v Generation,
    asker: Asker,
    peer: IpAddr,
    site: Site,
    words: &'static Words,
    now: Now,
}

/// What was sent by the form.
#[derive(Default)]
struct Form {
    token: String,
    note: String,
}

impl Visit<'_> {
    /// Why the site is closed, and the rule in a few words; `None`: it is not.
    fn closed(&self) -> Option<(Closed<'_>, Text)> {
        let Generation { policy, gate, .. } = self.generation;
        let key = Key::from_wire(self.site.name.as_wire());
        // A browser asks for both.
        [rtype::A, rtype::AAAA].into_iter().find_map(|qtype| {
            let decision = policy.decide(gate, &self.asker, &key, Met::Question, qtype);
            let closed = policy.closed(&self.asker, &decision)?;
            Some((closed, policy.answer(&self.asker, &decision).text))
        })
    }

    fn show(&self, html: bool) -> Answer {
        let Some((closed, text)) = self.closed() else {
            return self.show_open(html);
        };
        if !html {
            return plain(
                status(&closed),
                self.words,
                &fill(self.words.closed, &[&self.site.ascii]),
            );
        }
        let said = if closed.may_be_asked_for() {
            let may_ask = self
                .shared
                .service
                .requests
                .may_ask(&self.request(&closed, &text, String::new()), self.now.unix_s());
            may_ask.err().map(|why| self.not_asked(&why))
        } else {
            None
        };
        self.page(status(&closed), &closed, &text, said)
    }

    /// The page about a closed site. `said`: instead of the form.
    fn page(&self, status: StatusCode, closed: &Closed<'_>, text: &Text, said: Option<&str>) -> Answer {
        let words = self.words;
        let mut document = Document::new(words, words.title);
        document.about_site(words.closed, &self.site);
        document.paragraph(words.no_blame);
        document.heading(words.why);
        document.paragraph(&self.reason(closed));
        match closed.imposed_by {
            ImposedBy::Household => {}
            ImposedBy::Operator => document.paragraph(words.by_operator),
            ImposedBy::Law => document.paragraph(words.by_law),
        }
        if let Some(until_s) = closed.until_s {
            let until = match closed.why {
                Why::Quota(_) => words.quota_until,
                _ => words.until,
            };
            document.paragraph(&fill(until, &[&self.time(until_s)]));
        }
        document.heading(words.now);
        document.paragraph(&fill(words.ask, &[self.contact()]));
        if let Some(message) = &self.generation.settings.page.message {
            document.paragraph(message);
        }
        match (closed.may_be_asked_for(), said) {
            (_, Some(said)) => document.said(said),
            (true, None) => document.form(&self.shared.tokens.make(self.peer, &self.site.name, self.now)),
            (false, None) => document.paragraph(words.not_asked_for),
        }
        let device = match self.asker.client {
            Some(client) => self.generation.policy.client_name(client),
            None => "",
        };
        let text = String::from_utf8_lossy(text.as_bytes());
        document.for_grown_ups(&[&text, device, &self.peer.to_canonical().to_string()]);
        respond(status, words, document.finish())
    }

    fn show_open(&self, html: bool) -> Answer {
        let words = self.words;
        let status = StatusCode::MISDIRECTED_REQUEST;
        if !html {
            return plain(status, words, &fill(words.open, &[&self.site.ascii]));
        }
        let mut document = Document::new(words, words.open_title);
        document.about_site(words.open, &self.site);
        document.paragraph(&fill(words.open_more, &[self.contact()]));
        respond(status, words, document.finish())
    }

    fn reason(&self, closed: &Closed<'_>) -> String {
        let words = self.words;
        match closed.why {
            Why::Category(category) => words.category(category),
            Why::Service(name) => fill(words.service, &[name]),
            Why::Window(name) => fill(words.window, &[name]),
            Why::Quota(name) => fill(words.quota, &[name]),
            Why::Pause => words.pause.to_owned(),
            Why::NotAmongOnly => words.not_among_only.to_owned(),
            Why::Denied => words.denied.to_owned(),
            Why::WayAround => words.way_around.to_owned(),
            Why::Other => words.other.to_owned(),
        }
    }

    fn contact(&self) -> &str {
        let contact = self.generation.settings.page.contact.as_deref();
        contact.unwrap_or(self.words.grown_up)
    }

    /// A time where the child is.
    fn time(&self, at_s: u64) -> String {
        let household = self.generation.settings.household.as_ref();
        let zone = household.map_or(TimeZone::UTC, |household| {
            let person = self
                .asker
                .person
                .and_then(|person| household.people.get(person as usize));
            person.map_or(&household.zone, |person| &person.zone).clone()
        });
        let shown = |at_s| zone.to_datetime(instant(i64::try_from(at_s).unwrap_or(i64::MAX)));
        self.words.time(shown(at_s), shown(self.now.unix_s()))
    }

    /// Who asks, as an edit of the household names it.
    fn whom(&self) -> Whom {
        let Generation { policy, settings, .. } = self.generation;
        let person = self.asker.person.and_then(|person| {
            let people = &settings.household.as_ref()?.people;
            people.get(person as usize)
        });
        match (person, self.asker.client, self.asker.profile) {
            (Some(person), _, _) => Whom::Person(person.id.clone()),
            (None, Some(client), _) => Whom::Device(policy.client_name(client).to_owned()),
            (None, None, profile) => Whom::Profile(profile.map_or("", |id| policy.profile_name(id)).to_owned()),
        }
    }

    fn request(&self, closed: &Closed<'_>, text: &Text, note: String) -> New {
        New {
            name: self.site.name.clone(),
            whom: self.whom(),
            from: self.peer,
            why: String::from_utf8_lossy(text.as_bytes()).into_owned(),
            by_time: closed.is_by_time(),
            note,
        }
    }

    /// Keeps a request for the site.
    async fn ask(&self, form: Form) -> Answer {
        let Some((closed, text)) = self.closed() else {
            return self.show_open(true);
        };
        let words = self.words;
        if !closed.may_be_asked_for() {
            return self.page(status(&closed), &closed, &text, Some(words.not_asked_for));
        }
        let Shared { service, tokens, .. } = &**self.shared;
        if !tokens.take(&form.token, self.peer, &self.site.name, self.now) {
            let mut document = Document::new(words, words.title);
            document.about_site(words.closed, &self.site);
            document.said(words.token_over);
            document.form(&tokens.make(self.peer, &self.site.name, self.now));
            return respond(StatusCode::FORBIDDEN, words, document.finish());
        }
        let (requests, new, now_s) = (
            Arc::clone(&service.requests),
            self.request(&closed, &text, form.note),
            self.now.unix_s(),
        );
        let asked = tokio::task::spawn_blocking(move || requests.ask(new, now_s)).await;
        let asked = asked.unwrap_or_else(|error| Err(NotAsked::NotKept(std::io::Error::other(error))));
        if let Err(why) = asked {
            let status = match why {
                NotAsked::IsOpen(_) => StatusCode::OK,
                NotAsked::TooManyToday | NotAsked::TooManyOpen | NotAsked::Full => StatusCode::TOO_MANY_REQUESTS,
                NotAsked::NotKept(_) => StatusCode::SERVICE_UNAVAILABLE,
            };
            return self.page(status, &closed, &text, Some(self.not_asked(&why)));
        }
        self.shared.failing.store(false, Ordering::Relaxed);
        service.counters.add(Count::PageAsked.into());
        let mut document = Document::new(words, words.sent);
        document.about_site("{}", &self.site);
        document.paragraph(words.sent_more);
        respond(StatusCode::OK, words, document.finish())
    }

    /// What to say where there is no request.
    fn not_asked(&self, why: &NotAsked) -> &'static str {
        match why {
            NotAsked::IsOpen(_) => self.words.is_open,
            NotAsked::TooManyToday => self.words.too_many_today,
            NotAsked::TooManyOpen => self.words.too_many_open,
            NotAsked::Full => self.words.not_kept,
            NotAsked::NotKept(_) => {
                self.shared.service.counters.add(Count::FilesNotKept.into());
                if !self.shared.failing.swap(true, Ordering::Relaxed) {
                    tracing::warn!("{why}; children who ask for sites are told to ask in person until it can");
                }
                self.words.not_kept
            }
        }
    }
}

/// RFC 7725 has a status of its own for what the law demands.
fn status(closed: &Closed<'_>) -> StatusCode {
    match closed.imposed_by {
        ImposedBy::Law => StatusCode::UNAVAILABLE_FOR_LEGAL_REASONS,
        ImposedBy::Household | ImposedBy::Operator => StatusCode::FORBIDDEN,
    }
}

/// The site that a request is for (RFC 9112 §3.2): an absolute target counts before the Host field, of which there may be one.
fn host(parts: &Parts) -> Host {
    let mut fields = parts.headers.get_all(header::HOST).iter();
    let field = fields.next();
    if fields.next().is_some() {
        return Host::None;
    }
    match (parts.uri.authority(), field) {
        (Some(authority), _) => Host::parse(authority.as_str().as_bytes()),
        (None, Some(field)) => Host::parse(field.as_bytes()),
        (None, None) => Host::None,
    }
}

fn language(headers: &HeaderMap) -> Language {
    let field = headers
        .get(header::ACCEPT_LANGUAGE)
        .and_then(|field| field.to_str().ok());
    Language::wanted(field.unwrap_or_default())
}

/// Whether somebody will read the answer: a browser names HTML when it opens a page, and not for what it loads for one. Who says
/// nothing of what it takes may be anybody.
fn wants_html(parts: &Parts) -> bool {
    if parts.method == Method::POST && parts.uri.path() == ASK_PATH {
        return true;
    }
    let mut fields = parts.headers.get_all(header::ACCEPT).iter().peekable();
    if fields.peek().is_none() {
        return true;
    }
    let mut ranges = fields
        .filter_map(|field| field.to_str().ok())
        .flat_map(|field| field.split(','));
    ranges.any(|range| {
        let mut parts = range.split(';');
        let media = parts.next().unwrap_or_default().trim();
        let is_html = ["text/html", "application/xhtml+xml"];
        is_html.iter().any(|html| media.eq_ignore_ascii_case(html)) && weight(parts) > 0
    })
}

/// What the form sent, or the status of what is wrong with it.
async fn read(headers: &HeaderMap, body: Incoming) -> Result<Form, StatusCode> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|field| field.to_str().ok());
    let kind = kind.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err(StatusCode::UNSUPPORTED_MEDIA_TYPE);
    }
    let bytes = match Limited::new(body, PAGE_BODY_BYTES).collect().await {
        Ok(read) => read.to_bytes(),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => return Err(StatusCode::PAYLOAD_TOO_LARGE),
        Err(_) => return Err(StatusCode::BAD_REQUEST),
    };
    let mut form = Form::default();
    for (key, value) in form_urlencoded::parse(&bytes) {
        match &*key {
            "token" => form.token = value.into_owned(),
            "note" => form.note = value.into_owned(),
            _ => {}
        }
    }
    Ok(form)
}

/// For who is at no site.
fn nothing(status: StatusCode, words: &'static Words, html: bool) -> Answer {
    if !html {
        return plain(status, words, words.nothing);
    }
    let mut document = Document::new(words, words.nothing_title);
    document.paragraph(words.nothing);
    respond(status, words, document.finish())
}

fn respond(status: StatusCode, words: &'static Words, html: String) -> Answer {
    with_fields(status, words, "text/html; charset=utf-8", html)
}

fn plain(status: StatusCode, words: &'static Words, sentence: &str) -> Answer {
    with_fields(status, words, "text/plain; charset=utf-8", format!("{sentence}\n"))
}

fn with_fields(status: StatusCode, words: &'static Words, kind: &'static str, body: String) -> Answer {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let fixed: [(HeaderName, &'static str); 7] = [
        (header::CONTENT_TYPE, kind),
        (header::CONTENT_LANGUAGE, words.tag),
        // What is closed now may be open in a minute, and is for one client.
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("x-robots-tag"), "noindex"),
    ];
    let fields = response.headers_mut();
    for (name, value) in fixed {
        fields.insert(name, HeaderValue::from_static(value));
    }
    if let Ok(policy) = HeaderValue::from_str(&POLICY) {
        fields.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}
