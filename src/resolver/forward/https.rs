//! Exchanges over HTTPS: one HTTP/2 connection, a POST for each query.
//!
//! Keeps: RFC 8484 (DNS over HTTPS: §4.1 ID 0 and the media type, §4.2.1 status, §5.1 Age), RFC 9113.

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
    /// Asks `query` (with ID 0, so that HTTP caches see equal queries as equal) at `uri` and waits until `end`.
    pub(super) async fn exchange(&self, uri: &Uri, query: &[u8], end: Instant) -> Result<Reply, ExchangeError> {
        let now_ms = clock::now().mono_ms;
        self.state.used_ms.store(now_ms, Ordering::Relaxed);
        self.state.pulse.asked(now_ms);
        let asked = timeout_at(end.into(), self.post(uri, query)).await;
        asked.unwrap_or(Err(ExchangeError::Timeout))
    }

    async fn post(&self, uri: &Uri, query: &[u8]) -> Result<Reply, ExchangeError> {
        let request = Request::builder()
            .method(Method::POST)
            .version(Version::HTTP_2)
            .uri(uri.clone())
            .header(header::ACCEPT, MEDIA_TYPE)
            .header(header::CONTENT_TYPE, MEDIA_TYPE)
            .header(header::CONTENT_LENGTH, query.len())
            .body(())
            .map_err(|cause| ExchangeError::Http(cause.to_string()))?;
        let mut requests = self.requests.clone().ready().await?;
        let (response, mut body) = requests.send_request(request, false)?;
        body.send_data(Bytes::copy_from_slice(query), true)?;
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
    if response.status() != StatusCode::OK {
        return Err(ExchangeError::Http(format!("status {}", response.status().as_u16())));
    }
    let text = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
    let media_type = text(header::CONTENT_TYPE).unwrap_or_default();
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case(MEDIA_TYPE) {
        return Err(ExchangeError::Http(format!(
            "the answer is {media_type:?}, not {MEDIA_TYPE}"
        )));
    }
    Ok(text(header::AGE).and_then(|age| age.trim().parse().ok()).unwrap_or(0))
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
