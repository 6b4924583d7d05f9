//! Exchanges over HTTPS: one HTTP/2 connection, a POST or a GET for each query.
//!
//! Redirects are not followed: they would show the name to somebody whom the settings do not name.
//! Keeps: RFC 8484 (DNS over HTTPS: §4.1 ID 0, the media type, GET and POST, §4.2.1 status, §5.1 Age), RFC 9113.

use super::reuse::{Connection, Pulse};
use super::tls;
use crate::clock;
use crate::limits;
use crate::resolver::counters::Counters;
use crate::resolver::exchange::ExchangeError;
use crate::resolver::message::{self, Reply};
use bytes::Bytes;
use h2::client::SendRequest;
use http::header;
use http::{Method, Request, Response, StatusCode, Uri, Version};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;
use tokio::time::{sleep, timeout, timeout_at};

/// Application protocol of HTTP/2 (RFC 9113 §3.1).
pub(super) const ALPN: &[u8] = b"h2";
/// RFC 8484 §6.
const MEDIA_TYPE: &str = "application/dns-message";
/// So much of the target of a redirect is told.
const REDIRECT_SHOWN: usize = 100;

/// Where queries go and how.
pub(super) struct Site {
    /// For GET without its variable.
    pub(super) uri: Uri,
    pub(super) get: bool,
}

impl Site {
    /// The request for `query`, and the body that follows it.
    fn request(&self, query: &[u8]) -> Result<(Request<()>, Option<Bytes>), ExchangeError> {
        let wrong = |cause: http::Error| ExchangeError::Http(cause.to_string());
        let request = Request::builder()
            .version(Version::HTTP_2)
            .header(header::ACCEPT, MEDIA_TYPE);
        if !self.get {
            let request = request
                .method(Method::POST)
                .uri(self.uri.clone())
                .header(header::CONTENT_TYPE, MEDIA_TYPE)
                .header(header::CONTENT_LENGTH, query.len());
            return Ok((request.body(()).map_err(wrong)?, Some(Bytes::copy_from_slice(query))));
        }
        // RFC 8484 §6: base64url without padding.
        let dns = data_encoding::BASE64URL_NOPAD.encode(query);
        let joint = if self.uri.query().is_some() { '&' } else { '?' };
        let request = request.method(Method::GET).uri(format!("{}{joint}dns={dns}", self.uri));
        Ok((request.body(()).map_err(wrong)?, None))
    }
}

/// A connection to one server, shared by exchanges.
#[derive(Clone)]
pub(super) struct Https {
    requests: SendRequest<Bytes>,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    ended: AtomicBool,
    pulse: Pulse,
    /// When it was last asked, in milliseconds of the clock that never goes back.
    used_ms: AtomicU64,
}

impl Connection for Https {
    fn is_usable(&self) -> bool {
        !self.state.ended.load(Ordering::Relaxed) && !self.state.pulse.is_silent(clock::now().mono_ms)
    }
}

impl From<h2::Error> for ExchangeError {
    fn from(cause: h2::Error) -> Self {
        if cause.is_io() || cause.is_go_away() || cause.reason() == Some(h2::Reason::REFUSED_STREAM) {
            ExchangeError::Closed
        } else {
            ExchangeError::Http(cause.to_string())
        }
    }
}

/// Connects and starts the task that drives the connection until it ends or nobody has used it for a while.
pub(super) async fn connect(
    servers: &[SocketAddr],
    server_name: ServerName<'static>,
    config: Arc<ClientConfig>,
    counters: &Counters,
) -> Result<Https, ExchangeError> {
    let tls = tls::handshake(servers, server_name, config, counters).await?;
    if tls.get_ref().1.alpn_protocol() != Some(ALPN) {
        return Err(ExchangeError::Http("the server does not speak HTTP/2".to_owned()));
    }
    let handshake = h2::client::Builder::new().enable_push(false).handshake(tls);
    let (requests, connection) = timeout(limits::UPSTREAM_CONNECT, handshake)
        .await
        .map_err(|_| ExchangeError::Timeout)??;
    let state = Arc::new(State::default());
    state.used_ms.store(clock::now().mono_ms, Ordering::Relaxed);
    let watched = Arc::clone(&state);
    tokio::spawn(async move {
        tokio::select! {
            // Why it ended is told to the exchanges in flight.
            _ = connection => {}
            () = idle(&watched) => {}
        }
        watched.ended.store(true, Ordering::Relaxed);
    });
    Ok(Https { requests, state })
}

/// Ends when nobody has used the connection for [`UPSTREAM_IDLE`](limits::UPSTREAM_IDLE).
async fn idle(state: &State) {
    loop {
        let unused_ms = clock::now()
            .mono_ms
            .saturating_sub(state.used_ms.load(Ordering::Relaxed));
        let idle_ms = limits::UPSTREAM_IDLE.as_millis() as u64;
        if unused_ms >= idle_ms {
            return;
        }
        sleep(std::time::Duration::from_millis(idle_ms - unused_ms)).await;
    }
}

impl Https {
    /// Asks `query` (with ID 0, so that HTTP caches see equal queries as equal) and waits until `end`.
    pub(super) async fn exchange(&self, site: &Site, query: &[u8], end: Instant) -> Result<Reply, ExchangeError> {
        self.state.used_ms.store(clock::now().mono_ms, Ordering::Relaxed);
        let waiting = self.state.pulse.waiting();
        let asked = timeout_at(end.into(), self.ask(site, query)).await;
        waiting.end();
        let result = asked.unwrap_or(Err(ExchangeError::Timeout));
        if matches!(result, Err(ExchangeError::Closed)) {
            // It takes no more requests, although those that run may end well: the next to ask finds another one.
            self.state.ended.store(true, Ordering::Relaxed);
        }
        result
    }

    async fn ask(&self, site: &Site, query: &[u8]) -> Result<Reply, ExchangeError> {
        let (request, body) = site.request(query)?;
        let mut requests = self.requests.clone().ready().await?;
        let (response, mut sending) = requests.send_request(request, body.is_none())?;
        if let Some(body) = body {
            sending.send_data(body, true)?;
        }
        let response = response.await?;
        self.state.pulse.heard();
        let age_s = check_head(&response)?;
        let bytes = read_body(response.into_body()).await?;
        if !message::answers(query, &bytes) {
            return Err(ExchangeError::Http("the answer is to another question".to_owned()));
        }
        let mut reply = Reply::read(bytes)?;
        if age_s > 0 && !reply.truncated {
            reply.age(age_s);
        }
        Ok(reply)
    }
}

/// Checks status and media type; returns the seconds the response spent in HTTP caches.
fn check_head<B>(response: &Response<B>) -> Result<u32, ExchangeError> {
    let text = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
    let status = response.status();
    if status.is_redirection() {
        let target: String = text(header::LOCATION)
            .unwrap_or_default()
            .chars()
            .take(REDIRECT_SHOWN)
            .collect();
        return Err(ExchangeError::Http(format!(
            "status {}: it redirects to {target:?}, which is not followed",
            status.as_u16()
        )));
    }
    if status != StatusCode::OK {
        let reason = status.canonical_reason().unwrap_or("unknown");
        return Err(ExchangeError::Http(format!("status {} ({reason})", status.as_u16())));
    }
    let media_type = text(header::CONTENT_TYPE).unwrap_or_default();
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case(MEDIA_TYPE) {
        return Err(ExchangeError::Http(format!(
            "the answer is {media_type:?}, not {MEDIA_TYPE}"
        )));
    }
    // RFC 9111 §1.2.2: what does not fit is long ago.
    let age = text(header::AGE).map_or("", str::trim);
    Ok(match age.bytes().all(|byte| byte.is_ascii_digit()) && !age.is_empty() {
        true => age.parse().map_or(1 << 31, |age: u32| age.min(1 << 31)),
        false => 0,
    })
}

async fn read_body(mut body: h2::RecvStream) -> Result<Vec<u8>, ExchangeError> {
    let mut bytes = Vec::new();
    while let Some(chunk) = body.data().await {
        let chunk = chunk?;
        if bytes.len() + chunk.len() > limits::MESSAGE_BYTES {
            return Err(ExchangeError::Http(
                "the answer is longer than a DNS message".to_owned(),
            ));
        }
        bytes.extend_from_slice(&chunk);
        body.flow_control().release_capacity(chunk.len())?;
    }
    Ok(bytes)
}
