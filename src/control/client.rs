//! The asking side of the control socket, for the command line.

use super::protocol::{CacheEntry, Dumped, Flushed, Forgotten, ReloadStatus, Request, Result as Ended, Status};
use super::socket_path;
use crate::activity::report::{DayReport, DeviceReport};
use crate::household::commands::{Answer, Asked};
use crate::requests;
use serde::de::DeserializeOwned;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Longest wait for the next line of an answer; a reload may compile lists.
const ANSWER_TIME: Duration = Duration::from_secs(600);

/// A connection to the running server.
pub struct Client {
    stream: BufReader<UnixStream>,
    path: PathBuf,
}

/// Why the server could not be asked, or what it said.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("{}: no server is running with this state_dir; start it, or name its settings with --config", .0.display())]
    NotRunning(PathBuf),
    #[error("{}: not yours to open; run this as the user that runs the server", .0.display())]
    Denied(PathBuf),
    #[error("{}: {cause}", path.display())]
    Broken { path: PathBuf, cause: io::Error },
    #[error("{}: the server answered something this version does not know; use the version that is running", .0.display())]
    Strange(PathBuf),
    #[error("{0}")]
    Refused(String),
}

impl Client {
    /// Connects to the server that runs with this `state_dir`.
    pub fn connect(state_dir: &Path) -> Result<Client, ClientError> {
        let path = socket_path(state_dir);
        let connected = UnixStream::connect(&path).and_then(|stream| {
            stream.set_read_timeout(Some(ANSWER_TIME))?;
            Ok(stream)
        });
        match connected {
            Ok(stream) => Ok(Client {
                stream: BufReader::new(stream),
                path,
            }),
            Err(cause) => Err(match cause.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => ClientError::NotRunning(path),
                io::ErrorKind::PermissionDenied => ClientError::Denied(path),
                _ => ClientError::Broken { path, cause },
            }),
        }
    }

    pub fn status(&mut self) -> Result<Status, ClientError> {
        self.ask(&Request::Status, |_: Nothing| Ok(()))
    }

    /// Hands each entry of the cache to `visit` and returns how many there were. An error of `visit` ends it.
    pub fn cache_dump<E: From<ClientError>>(
        &mut self,
        visit: impl FnMut(CacheEntry) -> Result<(), E>,
    ) -> Result<u64, E> {
        self.ask(&Request::CacheDump, visit).map(|end: Dumped| end.entries)
    }

    /// Returns how much was forgotten.
    pub fn cache_flush(&mut self, name: Option<String>, below: bool) -> Result<Flushed, ClientError> {
        self.ask(&Request::CacheFlush { name, below }, |_: Nothing| Ok(()))
    }

    /// What is kept of one, or of all.
    pub fn activity(&mut self, whose: Option<String>, days: Option<u16>) -> Result<Vec<DayReport>, ClientError> {
        self.list(&Request::Activity { whose, days })
    }

    /// Returns of how many days something was kept.
    pub fn activity_forget(&mut self, whose: String) -> Result<u64, ClientError> {
        let end: Result<Forgotten, ClientError> = self.ask(&Request::ActivityForget { whose }, |_: Nothing| Ok(()));
        end.map(|end| end.days)
    }

    /// What is known of each device.
    pub fn devices(&mut self) -> Result<Vec<DeviceReport>, ClientError> {
        self.list(&Request::ActivityDevices)
    }

    /// All that comes before the end of an answer.
    fn list<Item: DeserializeOwned>(&mut self, request: &Request) -> Result<Vec<Item>, ClientError> {
        let mut items = Vec::new();
        self.ask(request, |item| {
            items.push(item);
            Ok(())
        })
        .map(|_: Dumped| items)
    }

    /// Returns when the reload is done.
    pub fn reload(&mut self) -> Result<ReloadStatus, ClientError> {
        self.ask(&Request::Reload, |_: Nothing| Ok(()))
    }

    /// Shows or changes the household; returns when a change is in force.
    pub fn household(&mut self, asked: Asked) -> Result<Answer, ClientError> {
        self.ask(&Request::Household { asked }, |_: Nothing| Ok(()))
    }

    /// What children asked for on the block page, the oldest first.
    pub fn requests(&mut self) -> Result<Vec<requests::Request>, ClientError> {
        let mut all = Vec::new();
        self.ask(&Request::Requests, |request| {
            all.push(request);
            Ok(())
        })
        .map(|_: Dumped| all)
    }

    /// Marks a request as granted, to a Unix second or for good, after the household was changed; returns it.
    pub fn request_granted(&mut self, id: u64, until_s: Option<u64>) -> Result<requests::Request, ClientError> {
        self.ask(&Request::RequestGranted { id, until_s }, |_: Nothing| Ok(()))
    }

    /// Marks a request as refused; returns it.
    pub fn request_refused(&mut self, id: u64) -> Result<requests::Request, ClientError> {
        self.ask(&Request::RequestRefused { id }, |_: Nothing| Ok(()))
    }

    /// Sends a request, hands what comes before the end of its answer to `visit`, and returns what the end holds.
    fn ask<Item: DeserializeOwned, End: DeserializeOwned, E: From<ClientError>>(
        &mut self,
        request: &Request,
        mut visit: impl FnMut(Item) -> Result<(), E>,
    ) -> Result<End, E> {
        let mut line = serde_json::to_string(request).expect("a request is plain data");
        line.push('\n');
        let sent = self.stream.get_mut().write_all(line.as_bytes());
        sent.map_err(|cause| self.broken(cause))?;
        loop {
            line.clear();
            let read = self.stream.read_line(&mut line).map_err(|cause| self.broken(cause))?;
            if read == 0 {
                return Err(self.broken(io::ErrorKind::UnexpectedEof.into()).into());
            }
            if let Ok(end) = serde_json::from_str::<Ended<serde_json::Value>>(&line) {
                if !end.ok {
                    return Err(ClientError::Refused(end.error.unwrap_or_default()).into());
                }
                let value = end.value.unwrap_or_default();
                return serde_json::from_value(value).map_err(|_| ClientError::Strange(self.path.clone()).into());
            }
            let item = serde_json::from_str(&line).map_err(|_| ClientError::Strange(self.path.clone()))?;
            visit(item)?;
        }
    }

    fn broken(&self, cause: io::Error) -> ClientError {
        ClientError::Broken {
            path: self.path.clone(),
            cause,
        }
    }
}

/// What the answers of most requests have before their end.
#[derive(Debug, serde::Deserialize)]
enum Nothing {}
