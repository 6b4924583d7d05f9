//! What the control socket may know of a running server, and how it asks for a reload.

use crate::control::{GenerationStatus, ReloadStatus, Running, SourceStatus};
use crate::generation::Generations;
use crate::list::format::hex;
use crate::resolver::Stack;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{mpsc, oneshot};

/// Somebody who waits for the end of a reload.
pub(super) type Waiting = oneshot::Sender<ReloadStatus>;

/// Shared between the server's one loop, which writes, and the control socket, which reads.
pub(super) struct State {
    generations: Arc<Generations>,
    stack: Stack,
    last_reload: Mutex<Option<ReloadStatus>>,
    requests: mpsc::Sender<Waiting>,
}

impl State {
    pub(super) fn new(generations: Arc<Generations>, stack: Stack, requests: mpsc::Sender<Waiting>) -> State {
        State {
            generations,
            stack,
            last_reload: Mutex::default(),
            requests,
        }
    }

    pub(super) fn note_reload(&self, status: ReloadStatus) {
        *self.last_reload.lock().unwrap_or_else(PoisonError::into_inner) = Some(status);
    }
}

#[async_trait::async_trait]
impl Running for State {
    fn generation(&self) -> GenerationStatus {
        let generation = self.generations.load();
        let gate = &generation.gate;
        let source = |source: &crate::list::set::SourceInfo| SourceStatus {
            name: source.name.clone(),
            category: source.category.clone(),
            rules: source.counts.rules,
        };
        GenerationStatus {
            number: generation.number,
            digest: (!gate.sources().is_empty()).then(|| hex(&gate.digest())),
            names: gate.names(),
            keys: gate.keys(),
            sources: gate.sources().iter().map(source).collect(),
        }
    }

    fn last_reload(&self) -> Option<ReloadStatus> {
        self.last_reload.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn reload(&self) -> ReloadStatus {
        let (waiting, answer) = oneshot::channel();
        let asked = self.requests.send(waiting).await;
        let status = match asked {
            Ok(()) => answer.await.ok(),
            Err(_) => None,
        };
        status.unwrap_or_else(|| ReloadStatus {
            unix_ms: crate::clock::now().unix_ms,
            errors: vec!["the server is stopping".to_owned()],
            notes: Vec::new(),
        })
    }
    fn resolver(&self) -> BTreeMap<String, u64> {
        let counts = self.stack.counters.all();
        counts
            .into_iter()
            .map(|(name, count)| (name.to_owned(), count))
            .collect()
    }

    fn forget(&self) {
        self.stack.forget();
    }
}
