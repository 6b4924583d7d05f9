//! One download over HTTP.
//!
//! In: a URL and the validators of the last good version. Out: the body in a file with its digest, or "not modified".
//! Always: bounded in bytes, in time from first to last, in time between two pieces, and in redirects, none of which leads
//! from https to http. A web page or an empty body is no list.

use super::FetchError;
use super::snapshot::{Incoming, Metadata};
use crate::limits;
use reqwest::header::{ETAG, HeaderMap, HeaderName, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED};
use reqwest::{Response, StatusCode, Url, redirect};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// The bounds of one download; the program's are [`Bounds::default`].
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Of the unpacked body.
    pub bytes: u64,
    /// From the request to the last byte.
    pub time: Duration,
    /// Between two pieces of the body.
    pub stall: Duration,
    /// For a connection.
    pub connect: Duration,
}

impl Default for Bounds {
    fn default() -> Bounds {
        Bounds {
            bytes: limits::LIST_BYTES,
            time: limits::FETCH_TIME,
            stall: limits::FETCH_STALL,
            connect: limits::FETCH_CONNECT,
        }
    }
}

/// Downloads lists. Cheap to clone.
#[derive(Clone)]
pub struct Fetcher {
    http: reqwest::Client,
    bounds: Bounds,
}

/// What the server sent.
pub(super) enum Body {
    NotModified,
    Arrived(Arrived),
}

pub(super) struct Arrived {
    /// Lower-case hexadecimal.
    pub(super) sha256: String,
    pub(super) bytes: u64,
    pub(super) etag: Option<String>,
    pub(super) last_modified: Option<String>,
}

impl Fetcher {
    /// A fetcher that looks up publishers' names through `names` and trusts the usual certificate authorities, and those
    /// of the PEM file `extra_roots`, for a publisher inside a company.
    pub fn new(
        names: Arc<impl reqwest::dns::Resolve + 'static>,
        extra_roots: Option<&Path>,
        bounds: Bounds,
    ) -> Result<Fetcher, String> {
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls(extra_roots)?)
            .dns_resolver(names)
            .user_agent(concat!("stairgate/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::custom(follow))
            .referer(false)
            .connect_timeout(bounds.connect)
            .read_timeout(bounds.stall)
            .pool_max_idle_per_host(1)
            .build()
            .map_err(|error| format!("the HTTP client cannot be made: {error}"))?;
        Ok(Fetcher { http, bounds })
    }

    /// Gets `url`, unless the server says that what `have` describes is still current, and writes it to `into`.
    pub(super) async fn download(
        &self,
        url: &str,
        have: Option<&Metadata>,
        into: &mut Incoming,
    ) -> Result<Body, FetchError> {
        let address = Url::parse(url)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        let address = address.ok_or_else(|| FetchError::Address(url.to_owned()))?;
        tokio::time::timeout(self.bounds.time, self.exchange(address, have, into))
            .await
            .unwrap_or(Err(FetchError::TooSlow(self.bounds.time)))
    }

    async fn exchange(&self, address: Url, have: Option<&Metadata>, into: &mut Incoming) -> Result<Body, FetchError> {
        let request = self.http.get(address).headers(validators(have));
        let mut response = request
            .send()
            .await
            .map_err(|error| self.failed("the request", error))?;
        match response.status() {
            StatusCode::NOT_MODIFIED => return Ok(Body::NotModified),
            StatusCode::OK => {}
            other => return Err(FetchError::Status(other.as_u16())),
        }
        let (etag, last_modified) = (header(&response, &ETAG), header(&response, &LAST_MODIFIED));
        let mut digest = Sha256::new();
        let mut bytes = 0u64;
        let mut opening = Vec::new();
        let mut page_checked = false;
        while let Some(piece) = response
            .chunk()
            .await
            .map_err(|error| self.failed("the download", error))?
        {
            bytes += piece.len() as u64;
            if bytes > self.bounds.bytes {
                return Err(FetchError::TooLarge(self.bounds.bytes));
            }
            if !page_checked {
                opening.extend_from_slice(&piece[..piece.len().min(OPENING_BYTES)]);
                page_checked = opening.len() >= OPENING_BYTES;
                refuse_web_page(&opening)?;
            }
            digest.update(&piece);
            // The page cache takes these few kilobytes at once; a thread of its own for each would cost more.
            into.file.write_all(&piece).map_err(|error| into.failed(error))?;
        }
        if bytes == 0 {
            return Err(FetchError::Empty);
        }
        Ok(Body::Arrived(Arrived {
            sha256: hexadecimal(&digest.finalize()),
            bytes,
            etag,
            last_modified,
        }))
    }

    fn failed(&self, what: &'static str, source: reqwest::Error) -> FetchError {
        let refused = std::error::Error::source(&source).and_then(|cause| cause.downcast_ref::<Refused>());
        if let Some(Refused(why)) = refused {
            return FetchError::Redirect(why);
        }
        if source.is_timeout() && !source.is_connect() {
            return FetchError::Stalled(self.bounds.stall);
        }
        FetchError::Network {
            what: if source.is_connect() { "connecting" } else { what },
            source,
        }
    }
}

/// A redirect that is not followed.
#[derive(Debug, thiserror::Error)]
#[error("redirected {0}")]
struct Refused(&'static str);

fn follow(attempt: redirect::Attempt<'_>) -> redirect::Action {
    let from_https = attempt.previous().last().is_some_and(|url| url.scheme() == "https");
    let refused = match attempt.url().scheme() {
        _ if attempt.previous().len() > limits::FETCH_REDIRECTS => Some("too many times"),
        "https" => None,
        "http" if from_https => Some("from https to http"),
        "http" => None,
        _ => Some("to something that is not a web address"),
    };
    match refused {
        Some(why) => attempt.error(Refused(why)),
        None => attempt.follow(),
    }
}

/// If-None-Match and If-Modified-Since of RFC 9110 §13.1; both, since some servers heed only one.
fn validators(have: Option<&Metadata>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let mut add = |name: HeaderName, value: Option<&String>| {
        if let Some(value) = value.and_then(|value| HeaderValue::from_str(value).ok()) {
            headers.insert(name, value);
        }
    };
    add(IF_NONE_MATCH, have.and_then(|have| have.etag.as_ref()));
    add(IF_MODIFIED_SINCE, have.and_then(|have| have.last_modified.as_ref()));
    headers
}

fn header(response: &Response, name: &HeaderName) -> Option<String> {
    response.headers().get(name)?.to_str().ok().map(str::to_owned)
}

/// Bytes of a body that tell a web page from a list.
const OPENING_BYTES: usize = 512;

/// Portals, error pages and parked domains answer 200 with HTML. No list format opens with these words.
fn refuse_web_page(opening: &[u8]) -> Result<(), FetchError> {
    let text = opening
        .strip_prefix(b"\xef\xbb\xbf")
        .unwrap_or(opening)
        .trim_ascii_start();
    let opens_with = |word: &str| {
        text.get(..word.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(word.as_bytes()))
    };
    let page = ["<!doctype html", "<html", "<head", "<body", "<?xml"]
        .iter()
        .any(|word| opens_with(word));
    if page { Err(FetchError::WebPage) } else { Ok(()) }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

fn tls(extra_roots: Option<&Path>) -> Result<rustls::ClientConfig, String> {
    use rustls::pki_types::{CertificateDer, pem::PemObject as _};
    let mut roots = rustls::RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    if let Some(file) = extra_roots {
        let wrong = |what: &dyn std::fmt::Display| format!("{}: {what}", file.display());
        for certificate in CertificateDer::pem_file_iter(file).map_err(|error| wrong(&error))? {
            let certificate = certificate.map_err(|error| wrong(&error))?;
            roots.add(certificate).map_err(|error| wrong(&error))?;
        }
    }
    rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map(|config| config.with_root_certificates(roots).with_no_client_auth())
        .map_err(|error| format!("TLS cannot be set up: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_web_page_is_told_from_a_list_by_its_first_word() {
        for page in [
            "<!DOCTYPE html>",
            "\u{feff}\r\n <HTML lang=en>",
            "<?xml version='1.0'?>",
        ] {
            assert!(
                matches!(refuse_web_page(page.as_bytes()), Err(FetchError::WebPage)),
                "{page}"
            );
        }
        for list in ["0.0.0.0 html.example", "! <html>", "", "<", "||doctype.example^"] {
            assert!(refuse_web_page(list.as_bytes()).is_ok(), "{list}");
        }
    }
}
