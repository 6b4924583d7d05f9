//! One upstream: how to reach it, and how it has been doing.

use super::health::Health;
use super::https::{self, Https, Site};
use super::quic::{self, Quic};
use super::reuse::Reused;
use super::stream::Stream;
use super::tls::{self, Proof, Trust};
use super::{tcp, udp};
use crate::clock;
use crate::config::settings::{Host, Scheme, Upstream as UpstreamSettings};
use crate::limits;
use crate::resolver::bootstrap::Bootstrap;
use crate::resolver::counters::Counters;
use crate::resolver::exchange::ExchangeError;
use crate::resolver::message::Reply;
use crate::resolver::sockets::Sockets;
use futures_util::FutureExt;
use http::Uri;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// An upstream resolver.
pub(super) struct Upstream {
    host: Host,
    port: u16,
    /// For logs: the address and scheme as the settings have them.
    label: String,
    transport: Transport,
    bootstrap: Option<Arc<Bootstrap>>,
    counters: Arc<Counters>,
    pub(super) health: Health,
}

enum Transport {
    Udp {
        sockets: Arc<Sockets>,
        /// For truncated answers.
        tcp: Reused<Stream>,
    },
    Tcp(Reused<Stream>),
    Tls {
        name: ServerName<'static>,
        config: Arc<ClientConfig>,
        connection: Reused<Stream>,
    },
    Https {
        name: ServerName<'static>,
        config: Arc<ClientConfig>,
        site: Site,
        connection: Reused<Https>,
    },
    Quic {
        name: String,
        config: Arc<ClientConfig>,
        connection: Reused<Quic>,
    },
}

/// Settings name an upstream that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("resolver.forward: upstream {upstream}: {what}")]
pub struct BadUpstream {
    pub upstream: String,
    pub what: String,
}

impl Upstream {
    pub(super) fn new(
        settings: &UpstreamSettings,
        trust: &Trust,
        bootstrap: Option<Arc<Bootstrap>>,
        counters: Arc<Counters>,
    ) -> Result<Upstream, BadUpstream> {
        let host = match &settings.host {
            Host::Address(address) => address.to_string(),
            Host::Name(name) => name.to_string().trim_end_matches('.').to_owned(),
        };
        let bracketed = match &settings.host {
            Host::Address(address) if address.is_ipv6() => format!("[{host}]"),
            _ => host.clone(),
        };
        let label = format!("{:?}://{bracketed}:{}", settings.scheme, settings.port).to_lowercase();
        let bad = |what: String| BadUpstream {
            upstream: label.clone(),
            what,
        };
        // Without a name of its own the certificate must be for the address (RFC 8310 §8.1).
        let named = settings.server_name.clone().unwrap_or(host);
        let server_name =
            || ServerName::try_from(named.clone()).map_err(|_| bad(format!("{named:?} is no server name")));
        let proof = Proof {
            pins: settings.pins.clone(),
            key_alone: settings.server_name.is_none() && !settings.pins.is_empty(),
        };
        let transport = match settings.scheme {
            Scheme::Udp => Transport::Udp {
                sockets: Sockets::new(),
                tcp: Reused::default(),
            },
            Scheme::Tcp => Transport::Tcp(Reused::default()),
            Scheme::Tls => Transport::Tls {
                name: server_name()?,
                config: trust.client(b"", proof),
                connection: Reused::default(),
            },
            Scheme::Https => {
                // The site is the one the certificate is for, wherever it is reached.
                let site = match &settings.server_name {
                    Some(name) if !name.contains(':') => name.clone(),
                    _ => bracketed,
                };
                let authority = match settings.port {
                    443 => site,
                    port => format!("{site}:{port}"),
                };
                let uri = Uri::builder()
                    .scheme("https")
                    .authority(authority)
                    .path_and_query(settings.path.as_str())
                    .build()
                    .map_err(|cause| bad(cause.to_string()))?;
                Transport::Https {
                    name: server_name()?,
                    config: trust.client(https::ALPN, proof),
                    site: Site { uri, get: settings.get },
                    connection: Reused::default(),
                }
            }
            Scheme::Quic => {
                server_name()?;
                Transport::Quic {
                    name: named.clone(),
                    config: trust.client(quic::ALPN, proof),
                    connection: Reused::default(),
                }
            }
        };
        Ok(Upstream {
            host: settings.host.clone(),
            port: settings.port,
            label,
            transport,
            bootstrap,
            counters,
            health: Health::default(),
        })
    }

    /// Whether exchanges are hidden from the network, so that padding is worth its bytes.
    pub(super) fn is_encrypted(&self) -> bool {
        !matches!(self.transport, Transport::Udp { .. } | Transport::Tcp(_))
    }

    /// How long the first try may take before another upstream, or the same again, is asked.
    pub(super) fn first_wait(&self) -> Duration {
        match self.transport {
            Transport::Udp { .. } => self.health.wait(),
            // A handshake is two or three round trips more, and the transport itself repeats what is lost.
            _ => limits::UPSTREAM_WAIT_MAX,
        }
    }

    /// One exchange, until `end`. A truncated or forged UDP response is asked for again over TCP (RFC 7766 §5); a reused
    /// connection that turns out to have ended is opened again once (§6.2.4).
    pub(super) async fn exchange(&self, query: &[u8], end: Instant) -> Result<Reply, ExchangeError> {
        let addresses = self.addresses(end).await?;
        let counters = &self.counters;
        match &self.transport {
            Transport::Udp { sockets, tcp } => {
                let first = *addresses.first().ok_or(ExchangeError::Timeout)?;
                match udp::exchange(sockets, first, query, end, counters).await {
                    Ok(reply) if !reply.truncated => Ok(reply),
                    Ok(_) | Err(ExchangeError::Forged) => {
                        counters.tcp_fallbacks.add();
                        // The server is there: TCP gets its own time.
                        let end = end.max(clock::instant() + limits::UPSTREAM_WAIT_MAX);
                        self.over_stream(tcp, addresses, query, end).await
                    }
                    Err(error) => Err(error),
                }
            }
            Transport::Tcp(connection) => self.over_stream(connection, addresses, query, end).await,
            Transport::Tls { connection, .. } => self.over_stream(connection, addresses, query, end).await,
            Transport::Https {
                name,
                config,
                site,
                connection,
            } => loop {
                let (name, config) = (name.clone(), Arc::clone(config));
                let (addresses, shared) = (addresses.clone(), Arc::clone(counters));
                let connect = move || async move { https::connect(&addresses, name, config, &shared).await }.boxed();
                let (https, reused) = within(end, connection.get(connect)).await?;
                counters.upstream_queries.add();
                match https.exchange(site, query, end).await {
                    Err(ExchangeError::Closed) if reused => continue,
                    result => return result,
                }
            },
            Transport::Quic {
                name,
                config,
                connection,
            } => loop {
                let (name, config) = (name.clone(), Arc::clone(config));
                let (addresses, shared) = (addresses.clone(), Arc::clone(counters));
                let connect = move || async move { quic::connect(&addresses, &name, config, &shared).await }.boxed();
                let (quic, reused) = within(end, connection.get(connect)).await?;
                counters.upstream_queries.add();
                match quic.exchange(query, end).await {
                    Err(ExchangeError::Closed) if reused => continue,
                    result => return result,
                }
            },
        }
    }

    async fn over_stream(
        &self,
        connection: &Reused<Stream>,
        addresses: Vec<SocketAddr>,
        query: &[u8],
        end: Instant,
    ) -> Result<Reply, ExchangeError> {
        loop {
            let (addresses, counters) = (addresses.clone(), Arc::clone(&self.counters));
            let tls = match &self.transport {
                Transport::Tls { name, config, .. } => Some((name.clone(), Arc::clone(config))),
                _ => None,
            };
            let connect = move || {
                async move {
                    match tls {
                        Some((name, config)) => tls::connect(&addresses, name, config, &counters).await,
                        None => tcp::connect(&addresses, &counters).await,
                    }
                }
                .boxed()
            };
            let (stream, reused) = within(end, connection.get(connect)).await?;
            self.counters.upstream_queries.add();
            match stream.exchange(query, end).await {
                // Whatever is made next was not there before, so this ends.
                Err(ExchangeError::Closed) if reused => continue,
                result => return result,
            }
        }
    }

    async fn addresses(&self, end: Instant) -> Result<Vec<SocketAddr>, ExchangeError> {
        let name = match &self.host {
            Host::Address(address) => return Ok(vec![SocketAddr::new(*address, self.port)]),
            Host::Name(name) => name,
        };
        let bootstrap = self
            .bootstrap
            .as_ref()
            .ok_or_else(|| ExchangeError::Bootstrap("a bootstrap server must be an address".to_owned()))?;
        let addresses = bootstrap
            .lookup(name, end)
            .await
            .map_err(|failure| ExchangeError::Bootstrap(failure.to_string()))?;
        Ok(addresses
            .into_iter()
            .map(|address| SocketAddr::new(address, self.port))
            .collect())
    }
}

async fn within<T>(end: Instant, work: impl Future<Output = Result<T, ExchangeError>>) -> Result<T, ExchangeError> {
    tokio::time::timeout_at(end.into(), work)
        .await
        .unwrap_or(Err(ExchangeError::Timeout))
}

impl fmt::Display for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.label)
    }
}
