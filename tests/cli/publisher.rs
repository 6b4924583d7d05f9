//! A publisher of lists: a small HTTP server on loopback that behaves as well or as badly as it is told.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
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
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    pages: HashMap<String, Page>,
    requests: Vec<String>,
}

impl Publisher {
    pub fn start() -> Publisher {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port on loopback");
        let address = listener.local_addr().expect("a bound socket");
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&shared);
                std::thread::spawn(move || {
                    // A client that goes away ends its own thread only.
                    let _ = serve(stream, &shared);
                });
            }
        });
        Publisher { address, state }
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
        format!("http://{}{path}", self.address)
    }

    /// How often `path` was asked for.
    pub fn requests(&self, path: &str) -> usize {
        let state = self.state.lock().expect("no test panics in here");
        state.requests.iter().filter(|asked| *asked == path).count()
    }
}

fn serve(stream: TcpStream, state: &Mutex<State>) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let request = lines.next().transpose()?.unwrap_or_default();
    let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut headers = HashMap::new();
    for line in lines {
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
    answer(stream, page, &headers)
}

fn answer(mut stream: TcpStream, page: Page, headers: &HashMap<String, String>) -> std::io::Result<()> {
    let has = |name: &str, value: &str| headers.get(name).is_some_and(|sent| sent == value);
    match page {
        Page::List(body) => whole(&mut stream, "", body.as_bytes()),
        Page::Tagged(tag, _) if has("if-none-match", tag) => status(&mut stream, 304, ""),
        Page::Tagged(tag, body) => whole(&mut stream, &format!("ETag: {tag}\r\n"), body.as_bytes()),
        Page::Dated(date, _) if has("if-modified-since", date) => status(&mut stream, 304, ""),
        Page::Dated(date, body) => whole(&mut stream, &format!("Last-Modified: {date}\r\n"), body.as_bytes()),
        Page::Gzip(body) => whole(&mut stream, "Content-Encoding: gzip\r\n", &body),
        Page::Status(code) => status(&mut stream, code, ""),
        Page::Redirect(to) => status(&mut stream, 302, &format!("Location: {to}\r\n")),
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

fn status(stream: &mut TcpStream, code: u16, headers: &str) -> std::io::Result<()> {
    write!(
        stream,
        "HTTP/1.1 {code} Told\r\n{headers}Content-Length: 0\r\nConnection: close\r\n\r\n"
    )
}

fn whole(stream: &mut TcpStream, headers: &str, body: &[u8]) -> std::io::Result<()> {
    write!(
        stream,
        "HTTP/1.1 200 OK\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    )?;
    stream.write_all(body)
}
