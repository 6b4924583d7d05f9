//! A stub resolver (RFC 9499 §6): asks recursive resolvers that are given by address, for `bootstrap`.
//!
//! In: a question. Out: the records of the answer, without what else a response says (AD, EDE): good enough for addresses this
//! program needs itself, which is why clients' questions take `forward` instead.
//! Always: servers in their order, UDP first, TCP where an answer is truncated; no file of the system is read.
//! Keeps: RFC 1034 §5.3.1, by hickory-resolver.

use super::forward::BadUpstream;
use super::{Answer, Failure, Question, Resolver};
use crate::limits;
use async_trait::async_trait;
use hickory_proto::op::{Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::{Name, Record, RecordType};
use hickory_proto::serialize::binary::BinDecodable;
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{
    ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts, ServerOrderingStrategy,
};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use std::net::SocketAddr;
use std::time::Instant;
use tokio::time::timeout_at;

/// Asks some servers for this program itself.
pub struct Stub {
    resolver: TokioResolver,
}

impl Stub {
    /// A stub of these servers. Nothing is sent before the first question.
    pub fn new(servers: &[SocketAddr]) -> Result<Stub, BadUpstream> {
        let servers = servers.iter().map(|server| {
            let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
                connection.port = server.port();
                connection
            });
            // Not even NXDOMAIN is believed before the others were asked: one of them may see a network that this one does not.
            NameServerConfig::new(server.ip(), false, connections.into())
        });
        let config = ResolverConfig::from_name_servers(servers.collect());
        let mut options = ResolverOpts::default();
        options.timeout = limits::BOOTSTRAP_WAIT;
        options.attempts = limits::BOOTSTRAP_ATTEMPTS;
        options.edns0 = true;
        options.edns_payload_len = limits::BOOTSTRAP_EDNS_BUFFER;
        options.num_concurrent_reqs = 1;
        options.server_ordering_strategy = ServerOrderingStrategy::UserProvidedOrder;
        options.use_hosts_file = ResolveHosts::Never;
        options.preserve_intermediates = true;
        // `Bootstrap` remembers what was found.
        options.cache_size = 0;
        let resolver = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
            .with_options(options)
            .build()
            .map_err(|cause| BadUpstream {
                upstream: "resolver.bootstrap".to_owned(),
                what: cause.to_string(),
            })?;
        Ok(Stub { resolver })
    }
}

#[async_trait]
impl Resolver for Stub {
    async fn resolve(&self, question: &Question, deadline: Instant) -> Result<Answer, Failure> {
        let name = Name::from_bytes(question.name.as_wire())
            .map_err(|cause| Failure::Upstream(format!("{}: {cause}", question.name)))?;
        let qtype = RecordType::from(question.qtype);
        let lookup = self.resolver.lookup(name.clone(), qtype);
        let (rcode, answers) = match timeout_at(deadline.into(), lookup).await {
            Err(_) | Ok(Err(NetError::Timeout)) => return Err(Failure::Unreachable),
            Ok(Ok(lookup)) => (ResponseCode::NoError, lookup.answers().to_vec()),
            Ok(Err(NetError::Dns(DnsError::NoRecordsFound(none)))) => (none.response_code, Vec::new()),
            Ok(Err(NetError::Dns(DnsError::ResponseCode(rcode)))) => {
                return Err(Failure::Answered {
                    rcode: u16::from(rcode),
                    ede: Vec::new(),
                });
            }
            Ok(Err(error)) => return Err(Failure::Upstream(error.to_string())),
        };
        Ok(Answer {
            message: message(name, qtype, rcode, answers)?,
            ede: Vec::new(),
        })
    }
}

/// A response as [`Answer`] describes it.
fn message(name: Name, qtype: RecordType, rcode: ResponseCode, answers: Vec<Record>) -> Result<Vec<u8>, Failure> {
    let mut message = Message::new(0, MessageType::Response, OpCode::Query);
    message.metadata.recursion_desired = true;
    message.metadata.recursion_available = true;
    message.metadata.response_code = rcode;
    message.add_query(Query::query(name, qtype));
    message.answers = answers;
    message.to_vec().map_err(|cause| Failure::Upstream(cause.to_string()))
}
