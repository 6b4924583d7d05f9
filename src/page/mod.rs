//! The block page: what a browser shows that was led here in place of a closed site, and the form to ask for that site.
//!
//! In: addresses to listen on, what is in force, the requests that are kept. Out: a page over HTTP/1.1 in plain words: what is closed, why,
//! until when, whom to ask; requests of children.
//! Always: what the page says is what a query of the same client for the same name would be told. Any Host is answered, and none of it is
//! shown that is no name of DNS. Every connection serves one request and ends within [`PAGE_TIME`]; at a bound the oldest makes room. No
//! answer leads elsewhere, none is to be stored, none holds a script.
//! Fails: an address that cannot be bound is an error at the start; what comes in later ends with its connection.
//! Keeps: RFC 9110 and RFC 9112 (by hyper), RFC 7725 (451).
//!
//! It cannot answer for sites over HTTPS: nobody has their certificates, and browsers say so before any page is shown.

mod answer;
mod host;
mod places;
mod token;
mod view;
mod words;

use crate::count::Count;
use crate::generation::Generations;
use crate::limits::{PAGE_HEAD_BYTES, PAGE_HEAD_TIME, PAGE_HEADERS, PAGE_TIME};
use crate::listener::ListenError;
use crate::requests::Store;
use crate::telemetry::counters::Counters;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use places::Places;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use token::Tokens;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// What the page is made of.
pub struct Service {
    /// The generation in force.
    pub generations: Arc<Generations>,
    pub requests: Arc<Store>,
    pub counters: Arc<Counters>,
}

/// Running listeners of the block page. Dropping them ends them, with the connections that are open.
pub struct Pages {
    addresses: Vec<SocketAddr>,
    _listeners: JoinSet<()>,
}

/// What all connections share.
struct Shared {
    service: Service,
    tokens: Tokens,
    places: Arc<Places>,
    /// The last request could not be kept: said once until one is.
    failing: AtomicBool,
}

impl Pages {
    /// Binds every address and starts to answer. Within a tokio runtime. Port 0 takes a free port.
    pub fn start(addresses: &[SocketAddr], service: Service) -> Result<Pages, ListenError> {
        let shared = Arc::new(Shared {
            service,
            tokens: Tokens::random(),
            places: Arc::default(),
            failing: AtomicBool::new(false),
        });
        let mut bound = Vec::new();
        for &address in addresses {
            let opened = crate::listener::open(address).and_then(|listener| Ok((listener.local_addr()?, listener)));
            bound.push(opened.map_err(|source| ListenError {
                address,
                transport: "TCP",
                source,
            })?);
        }
        let mut listeners = JoinSet::new();
        let addresses = bound.iter().map(|(address, _)| *address).collect();
        for (_, listener) in bound {
            listeners.spawn(accept(listener, Arc::clone(&shared)));
        }
        Ok(Pages {
            addresses,
            _listeners: listeners,
        })
    }

    /// The addresses listened on, with the ports that were taken.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }
}

/// Accepts connections until it is dropped.
async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        // Those that have ended.
        while connections.try_join_next().is_some() {}
        match listener.accept().await {
            Ok((stream, address)) => {
                let (place, closed) = shared.places.enter(address.ip());
                if closed {
                    shared.service.counters.add(Count::PageClosedLimit.into());
                }
                let id = place.id();
                let (served, places) = (Arc::clone(&shared), Arc::clone(&shared.places));
                let task = connections.spawn(async move {
                    let _place = place;
                    serve(stream, address, &served).await;
                });
                places.serves(id, task);
            }
            // The client was gone before its turn came.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                // Out of file descriptors or memory: a waiting client's are given to the next one.
                tracing::warn!(%error, "accepting connections to the block page fails; closing the oldest one");
                shared.places.close_oldest();
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

/// One connection, which is one request.
async fn serve(stream: TcpStream, address: SocketAddr, shared: &Arc<Shared>) {
    let service = service_fn(|request| {
        let shared = Arc::clone(shared);
        async move {
            shared.service.counters.add(Count::PageRequests.into());
            Ok::<_, Infallible>(answer::answer(&shared, address.ip(), request).await)
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PAGE_HEAD_TIME)
        .max_buf_size(PAGE_HEAD_BYTES)
        .max_headers(PAGE_HEADERS)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    // What a client does wrong is its own affair, and hyper has answered it where it could.
    let _ = tokio::time::timeout(PAGE_TIME, connection).await;
}
