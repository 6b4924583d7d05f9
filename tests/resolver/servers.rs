//! Upstreams for tests: small DNS servers on loopback that say what a test tells them to.

use bytes::Bytes;
use hickory_proto::op::{Message, MessageType, OpCode, ResponseCode};
use hickory_proto::rr::rdata::A;
use hickory_proto::rr::{RData, Record};
use rcgen::PublicKeyData;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest, Sha256};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};
use tokio::task::JoinHandle;

/// How a query came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    Udp,
    Tcp,
    Tls,
    Https,
    Quic,
}

/// What a server says to a query: whole messages, in that order; nothing at all is silence.
pub type Handler = Arc<dyn Fn(Transport, &Message) -> Vec<Vec<u8>> + Send + Sync>;

/// What a server has seen so far.
#[derive(Debug, Default)]
pub struct Seen {
    pub udp: AtomicUsize,
    pub streams: AtomicUsize,
    pub connections: AtomicUsize,
    /// TLS sessions that went on from an earlier one.
    pub resumed: AtomicUsize,
    /// Server names of TLS handshakes.
    pub names: Mutex<Vec<Option<String>>>,
    /// Request paths.
    pub paths: Mutex<Vec<String>>,
    /// IDs of the queries.
    pub ids: Mutex<Vec<u16>>,
    /// Source ports of UDP queries.
    pub ports: Mutex<Vec<u16>>,
    /// How long answers over UDP are held back, in milliseconds.
    delay_ms: AtomicUsize,
    /// With its first request an HTTP/2 connection is told to be the last of it.
    pub goes_away: AtomicBool,
}

impl Seen {
    /// Holds answers over UDP back from now on.
    pub fn delay(&self, delay: Duration) {
        self.delay_ms.store(delay.as_millis() as usize, Ordering::SeqCst);
    }

    pub fn udp(&self) -> usize {
        self.udp.load(Ordering::SeqCst)
    }

    pub fn streams(&self) -> usize {
        self.streams.load(Ordering::SeqCst)
    }

    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

/// A running server; it ends with this value.
pub struct Server {
    pub address: SocketAddr,
    pub seen: Arc<Seen>,
    tasks: Vec<JoinHandle<()>>,
}

impl Drop for Server {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// A response to `query` with its ID and question.
pub fn response(query: &Message) -> Message {
    let mut message = Message::new(query.metadata.id, MessageType::Response, OpCode::Query);
    message.metadata.recursion_desired = query.metadata.recursion_desired;
    message.metadata.recursion_available = true;
    message.add_queries(query.queries.iter().cloned());
    message
}

/// The address `192.0.2.1` for whatever was asked.
pub fn address(query: &Message) -> Vec<u8> {
    let mut message = response(query);
    let name = query.queries[0].name().clone();
    message.add_answer(Record::from_rdata(name, 300, RData::A(A(Ipv4Addr::new(192, 0, 2, 1)))));
    message.to_vec().unwrap()
}

/// An empty response with this code.
pub fn error(query: &Message, code: ResponseCode) -> Vec<u8> {
    let mut message = response(query);
    message.metadata.response_code = code;
    message.to_vec().unwrap()
}

/// A server on UDP and TCP at the same port.
pub async fn plain(handler: Handler) -> Server {
    plain_at((Ipv4Addr::LOCALHOST, 0).into(), handler).await
}

pub async fn plain_at(address: SocketAddr, handler: Handler) -> Server {
    // The port must be free for both.
    let (udp, tcp) = loop {
        let udp = UdpSocket::bind(address).await.unwrap();
        match TcpListener::bind(udp.local_addr().unwrap()).await {
            Ok(tcp) => break (Arc::new(udp), tcp),
            Err(_) if address.port() == 0 => continue,
            Err(cause) => panic!("{address}: {cause}"),
        }
    };
    let address = udp.local_addr().unwrap();
    let seen = Arc::new(Seen::default());
    let datagrams = tokio::spawn(serve_udp(udp, Arc::clone(&handler), Arc::clone(&seen)));
    let streams = tokio::spawn(accept(tcp, None, handler, Arc::clone(&seen)));
    Server {
        address,
        seen,
        tasks: vec![datagrams, streams],
    }
}

async fn serve_udp(socket: Arc<UdpSocket>, handler: Handler, seen: Arc<Seen>) {
    let mut buffer = [0; 4096];
    loop {
        let Ok((length, peer)) = socket.recv_from(&mut buffer).await else {
            continue;
        };
        let query = Message::from_vec(&buffer[..length]).expect("the resolver sends queries that can be read");
        seen.udp.fetch_add(1, Ordering::SeqCst);
        seen.ids.lock().unwrap().push(query.metadata.id);
        seen.ports.lock().unwrap().push(peer.port());
        let replies = handler(Transport::Udp, &query);
        let delay = Duration::from_millis(seen.delay_ms.load(Ordering::SeqCst) as u64);
        let socket = Arc::clone(&socket);
        let send = async move {
            for reply in replies {
                let _ = socket.send_to(&reply, peer).await;
            }
        };
        match delay.is_zero() {
            true => send.await,
            false => {
                tokio::spawn(async move {
                    tokio::time::sleep(delay).await;
                    send.await;
                });
            }
        }
    }
}

async fn accept(listener: TcpListener, tls: Option<tokio_rustls::TlsAcceptor>, handler: Handler, seen: Arc<Seen>) {
    loop {
        let Ok((socket, _)) = listener.accept().await else {
            continue;
        };
        seen.connections.fetch_add(1, Ordering::SeqCst);
        let (tls, handler, seen) = (tls.clone(), Arc::clone(&handler), Arc::clone(&seen));
        tokio::spawn(async move {
            match tls {
                None => serve_stream(socket, Transport::Tcp, handler, seen).await,
                Some(acceptor) => {
                    let Ok(stream) = acceptor.accept(socket).await else {
                        return;
                    };
                    let session = stream.get_ref().1;
                    if session.handshake_kind() == Some(rustls::HandshakeKind::Resumed) {
                        seen.resumed.fetch_add(1, Ordering::SeqCst);
                    }
                    seen.names
                        .lock()
                        .unwrap()
                        .push(session.server_name().map(str::to_owned));
                    match session.alpn_protocol() {
                        Some(b"h2") => serve_h2(stream, handler, seen).await,
                        _ => serve_stream(stream, Transport::Tls, handler, seen).await,
                    }
                }
            }
        });
    }
}

/// Answers each query of a stream on its own, so that slow ones do not hold up the rest.
async fn serve_stream(
    io: impl AsyncRead + AsyncWrite + Send + 'static,
    transport: Transport,
    handler: Handler,
    seen: Arc<Seen>,
) {
    let (mut read, mut write) = tokio::io::split(io);
    loop {
        let Ok(length) = read.read_u16().await else {
            return;
        };
        let mut bytes = vec![0; usize::from(length)];
        if read.read_exact(&mut bytes).await.is_err() {
            return;
        }
        let query = Message::from_vec(&bytes).expect("the resolver sends queries that can be read");
        seen.streams.fetch_add(1, Ordering::SeqCst);
        seen.ids.lock().unwrap().push(query.metadata.id);
        for reply in handler(transport, &query) {
            // An empty reply means: hang up.
            if reply.is_empty()
                || write.write_u16(reply.len() as u16).await.is_err()
                || write.write_all(&reply).await.is_err()
            {
                return;
            }
        }
        let _ = write.flush().await;
    }
}

async fn serve_h2(io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, handler: Handler, seen: Arc<Seen>) {
    let Ok(mut connection) = h2::server::handshake(io).await else {
        return;
    };
    while let Some(Ok((request, mut respond))) = connection.accept().await {
        if seen.goes_away.load(Ordering::SeqCst) {
            connection.graceful_shutdown();
        }
        let (handler, seen) = (Arc::clone(&handler), Arc::clone(&seen));
        tokio::spawn(async move {
            let (head, mut body) = request.into_parts();
            assert_eq!(head.headers["accept"], "application/dns-message");
            let mut bytes = Vec::new();
            let uri = head.uri.to_string();
            let path = match head.method {
                http::Method::GET => {
                    let (path, dns) = uri.split_once("dns=").expect("a GET carries its query");
                    bytes = data_encoding::BASE64URL_NOPAD
                        .decode(dns.as_bytes())
                        .expect("base64url");
                    format!("GET {path}")
                }
                method => {
                    assert_eq!(method, http::Method::POST);
                    assert_eq!(head.headers["content-type"], "application/dns-message");
                    uri
                }
            };
            seen.paths.lock().unwrap().push(path);
            while let Some(Ok(chunk)) = body.data().await {
                let _ = body.flow_control().release_capacity(chunk.len());
                bytes.extend_from_slice(&chunk);
            }
            let query = Message::from_vec(&bytes).expect("the resolver sends queries that can be read");
            seen.streams.fetch_add(1, Ordering::SeqCst);
            seen.ids.lock().unwrap().push(query.metadata.id);
            if let Some(reply) = handler(Transport::Https, &query).into_iter().next() {
                // A short reply is a status; an age goes along with everything else.
                let status = reply.as_slice().try_into().map(u16::from_be_bytes).unwrap_or(200);
                let response = http::Response::builder()
                    .status(status)
                    .header("content-type", "application/dns-message")
                    .header("age", "100")
                    .header("location", "https://elsewhere.example/")
                    .body(())
                    .unwrap();
                let Ok(mut stream) = respond.send_response(response, false) else {
                    return;
                };
                let _ = stream.send_data(Bytes::from(reply), true);
                return;
            }
            // Silence: keep the stream open.
            std::future::pending::<()>().await;
        });
    }
    if seen.goes_away.load(Ordering::SeqCst) {
        // It takes no more requests, and does not hang up either.
        std::future::pending::<()>().await;
    }
}

/// A certificate authority of its own and a certificate for these names and addresses.
pub struct Identity {
    pub authority: CertificateDer<'static>,
    certificate: CertificateDer<'static>,
    /// SHA-256 of the key, as pins have it.
    pub pin: [u8; 32],
    key: PrivateKeyDer<'static>,
}

impl Identity {
    pub fn of(names: &[&str]) -> Identity {
        let ca_key = rcgen::KeyPair::generate().unwrap();
        let mut ca = rcgen::CertificateParams::new(Vec::new()).unwrap();
        ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let authority = ca.self_signed(&ca_key).unwrap().der().clone();
        let issuer = rcgen::Issuer::new(ca, ca_key);
        let key = rcgen::KeyPair::generate().unwrap();
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let certificate = rcgen::CertificateParams::new(names)
            .unwrap()
            .signed_by(&key, &issuer)
            .unwrap();
        Identity {
            authority,
            certificate: certificate.der().clone(),
            pin: Sha256::digest(key.subject_public_key_info()).into(),
            key: PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        }
    }

    fn config(&self, alpn: &[&[u8]]) -> rustls::ServerConfig {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![self.certificate.clone()], self.key.clone_key())
            .unwrap();
        config.alpn_protocols = alpn.iter().map(|alpn| alpn.to_vec()).collect();
        config
    }
}

/// DNS over TLS and, by ALPN, over HTTPS.
pub async fn encrypted(identity: &Identity, alpn: &[&[u8]], handler: Handler) -> Server {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let seen = Arc::new(Seen::default());
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(identity.config(alpn)));
    let task = tokio::spawn(accept(listener, Some(acceptor), handler, Arc::clone(&seen)));
    Server {
        address,
        seen,
        tasks: vec![task],
    }
}

/// DNS over QUIC.
pub async fn quic(identity: &Identity, handler: Handler) -> Server {
    let crypto = quinn::crypto::rustls::QuicServerConfig::try_from(identity.config(&[b"doq"])).unwrap();
    let config = quinn::ServerConfig::with_crypto(Arc::new(crypto));
    let endpoint = quinn::Endpoint::server(config, (Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let address = endpoint.local_addr().unwrap();
    let seen = Arc::new(Seen::default());
    let task = tokio::spawn(serve_quic(endpoint, handler, Arc::clone(&seen)));
    Server {
        address,
        seen,
        tasks: vec![task],
    }
}

async fn serve_quic(endpoint: quinn::Endpoint, handler: Handler, seen: Arc<Seen>) {
    while let Some(incoming) = endpoint.accept().await {
        let (handler, seen) = (Arc::clone(&handler), Arc::clone(&seen));
        tokio::spawn(async move {
            let Ok(connection) = incoming.await else {
                return;
            };
            seen.connections.fetch_add(1, Ordering::SeqCst);
            let data = connection
                .handshake_data()
                .unwrap()
                .downcast::<quinn::crypto::rustls::HandshakeData>()
                .unwrap();
            seen.names.lock().unwrap().push(data.server_name.clone());
            while let Ok((mut send, mut receive)) = connection.accept_bi().await {
                let (handler, seen) = (Arc::clone(&handler), Arc::clone(&seen));
                tokio::spawn(async move {
                    // The whole stream at once: the query must end with FIN (RFC 9250 §4.2).
                    let bytes = receive.read_to_end(4096).await.unwrap();
                    assert_eq!(usize::from(u16::from_be_bytes([bytes[0], bytes[1]])), bytes.len() - 2);
                    let query = Message::from_vec(&bytes[2..]).unwrap();
                    seen.streams.fetch_add(1, Ordering::SeqCst);
                    seen.ids.lock().unwrap().push(query.metadata.id);
                    if let Some(reply) = handler(Transport::Quic, &query).into_iter().next() {
                        send.write_all(&(reply.len() as u16).to_be_bytes()).await.unwrap();
                        send.write_all(&reply).await.unwrap();
                        send.finish().unwrap();
                        return;
                    }
                    std::future::pending::<()>().await;
                });
            }
        });
    }
}
