//! A publisher of lists: a small HTTP server on loopback that behaves as well or as badly as it is told.

use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What the publisher does with requests for one path.
#[derive(Clone)]
pub enum Page {
    /// 200 with this body.
    List(String),
    /// 200 with this body and ETag, or 304 when the request names it.
    Tagged(&'static str, String),
    /// 200 with this body and Last-Modified, or 304 when the request names it.
    Dated(&'static str, String),
    /// 200 with these bytes, said to be gzip.
    Gzip(Vec<u8>),
    /// This status, without a body.
    Status(u16),
    /// A redirect to this location.
    Redirect(String),
    /// 200, a few bytes, then silence.
    Stall,
    /// 200 and lines until nobody listens.
    Endless,
    /// 200 with a Content-Length longer than what follows.
    Truncated,
    /// Bytes that are not HTTP.
    Garbage,
    /// The connection is closed without a word.
    HangUp,
}

pub struct Publisher {
    scheme: &'static str,
    address: SocketAddr,
    /// PEM, for `https`.
    pub root: String,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    pages: HashMap<String, Page>,
    requests: Vec<String>,
}

impl Publisher {
    /// One that speaks plain http.
    pub fn start() -> Publisher {
        Publisher::listen("http", None, String::new())
    }

    /// One that speaks https, with a certificate of its own making for 127.0.0.1 and `lists.test`.
    pub fn start_https() -> Publisher {
        let names = ["127.0.0.1".to_owned(), "lists.test".to_owned()];
        let made = rcgen::generate_simple_self_signed(names).expect("a certificate");
        let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("a key");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("usual versions")
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .expect("a matching key");
        Publisher::listen("https", Some(Arc::new(config)), made.cert.pem())
    }

    fn listen(scheme: &'static str, tls: Option<Arc<ServerConfig>>, root: String) -> Publisher {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port on loopback");
        let address = listener.local_addr().expect("a bound socket");
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (shared, tls) = (Arc::clone(&shared), tls.clone());
                // A client that goes away ends its own thread only.
                std::thread::spawn(move || match tls.map(ServerConnection::new) {
                    None => serve(stream, &shared),
                    Some(Ok(connection)) => {
                        let mut stream = StreamOwned::new(connection, stream);
                        let served = serve(&mut stream, &shared);
                        stream.conn.send_close_notify();
                        stream.flush().and(served)
                    }
                    Some(Err(error)) => panic!("the publisher's certificate: {error}"),
                });
            }
        });
        Publisher {
            scheme,
            address,
            root,
            state,
        }
    }

    /// From now on, requests for `path` get `page`.
    pub fn put(&self, path: &str, page: Page) -> String {
        self.state
            .lock()
            .expect("no test panics in here")
            .pages
            .insert(path.into(), page);
        self.url(path)
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}://{}{path}", self.scheme, self.address)
    }

    /// How often `path` was asked for.
    pub fn requests(&self, path: &str) -> usize {
        let state = self.state.lock().expect("no test panics in here");
        state.requests.iter().filter(|asked| *asked == path).count()
    }
}

fn serve(mut stream: impl Read + Write, state: &Mutex<State>) -> std::io::Result<()> {
    let mut lines = BufReader::new(&mut stream).lines();
    let request = lines.next().transpose()?.unwrap_or_default();
    let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut headers = HashMap::new();
    for line in lines.by_ref() {
        let line = line?;
        if line.is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':') {
            headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
        }
    }
    let page = {
        let mut state = state.lock().expect("no test panics in here");
        state.requests.push(path.clone());
        state.pages.get(&path).cloned().unwrap_or(Page::Status(404))
    };
    drop(lines);
    answer(&mut stream, page, &headers)
}

fn answer(stream: &mut impl Write, page: Page, headers: &HashMap<String, String>) -> std::io::Result<()> {
    let has = |name: &str, value: &str| headers.get(name).is_some_and(|sent| sent == value);
    match page {
        Page::List(body) => whole(stream, "", body.as_bytes()),
        Page::Tagged(tag, _) if has("if-none-match", tag) => status(stream, 304, ""),
        Page::Tagged(tag, body) => whole(stream, &format!("ETag: {tag}\r\n"), body.as_bytes()),
        Page::Dated(date, _) if has("if-modified-since", date) => status(stream, 304, ""),
        Page::Dated(date, body) => whole(stream, &format!("Last-Modified: {date}\r\n"), body.as_bytes()),
        Page::Gzip(body) => whole(stream, "Content-Encoding: gzip\r\n", &body),
        Page::Status(code) => status(stream, code, ""),
        Page::Redirect(to) => status(stream, 302, &format!("Location: {to}\r\n")),
        Page::Stall => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nstart.example\n")?;
            std::thread::sleep(Duration::from_secs(30));
            Ok(())
        }
        Page::Endless => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")?;
            let lines = "again.example\n".repeat(1000);
            loop {
                stream.write_all(lines.as_bytes())?;
            }
        }
        Page::Truncated => stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nstart.example\n"),
        Page::Garbage => stream.write_all(b"220 mail.example ESMTP\r\n"),
        Page::HangUp => Ok(()),
    }
}

fn status(stream: &mut impl Write, code: u16, headers: &str) -> std::io::Result<()> {
    write!(
        stream,
        "HTTP/1.1 {code} Told\r\n{headers}Content-Length: 0\r\nConnection: close\r\n\r\n"
    )
}

fn whole(stream: &mut impl Write, headers: &str, body: &[u8]) -> std::io::Result<()> {
    write!(
        stream,
        "HTTP/1.1 200 OK\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    )?;
    stream.write_all(body)
}
