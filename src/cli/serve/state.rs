//! What the control socket may know of a running server, and how it asks for a reload.

use super::activity::Activity;
use crate::activity::report::{DayReport, DeviceReport};
use crate::clock;
use crate::config::settings::{ListSettings, ListSource, Settings};
use crate::control::{
    FetchFailure, FetchStatus, GenerationStatus, ListStatus, ReloadStatus, Running, SnapshotStatus, SourceStatus,
};
use crate::generation::{Generation, Generations};
use crate::household::commands::{Answer, Asked};
use crate::list::fetch;
use crate::list::format::hex;
use crate::policy::is_of_list;
use crate::resolver::{Scope, Stack};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{mpsc, oneshot};

/// Somebody who waits for the end of a reload.
pub(super) struct Waiting {
    pub(super) anew: Anew,
    pub(super) answer: oneshot::Sender<ReloadStatus>,
}

/// What is to be read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Anew {
    Everything,
    /// The household, whose file is known to have changed.
    Household,
}

/// Shared between the server's one loop, which writes, and the control socket, which reads.
pub(super) struct State {
    generations: Arc<Generations>,
    stack: Stack,
    activity: Arc<Activity>,
    last_reload: Mutex<Option<ReloadStatus>>,
    /// Why the last fetch of a list failed, by list.
    failed: Mutex<BTreeMap<String, FetchFailure>>,
    requests: mpsc::Sender<Waiting>,
}

impl State {
    pub(super) fn new(
        generations: Arc<Generations>,
        stack: Stack,
        activity: Arc<Activity>,
        requests: mpsc::Sender<Waiting>,
    ) -> State {
        State {
            generations,
            stack,
            activity,
            last_reload: Mutex::default(),
            failed: Mutex::default(),
            requests,
        }
    }

    fn failed(&self) -> MutexGuard<'_, BTreeMap<String, FetchFailure>> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes how a fetch of a list ended: in an error, or well.
    pub(super) fn note_fetch(&self, list: &str, error: Option<String>) {
        let mut failed = self.failed();
        let Some(reason) = error else {
            failed.remove(list);
            return;
        };
        let failure = failed.entry(list.to_owned()).or_default();
        *failure = FetchFailure {
            unix_ms: clock::now().unix_ms,
            failures: failure.failures + 1,
            reason,
        };
    }

    /// Why the last fetch of a list failed, if it did.
    pub(super) fn fetch_failure(&self, list: &str) -> Option<FetchFailure> {
        self.failed().get(list).cloned()
    }

    /// Forgets how lists fared that are no longer fetched.
    pub(super) fn follow(&self, lists: &[ListSettings]) {
        self.failed()
            .retain(|name, _| lists.iter().any(|list| list.name == *name));
    }

    /// Has something read again, and waits until that is done.
    async fn anew(&self, anew: Anew) -> ReloadStatus {
        let (waiting, answer) = oneshot::channel();
        let asked = self.requests.send(Waiting { anew, answer: waiting }).await;
        let status = match asked {
            Ok(()) => answer.await.ok(),
            Err(_) => None,
        };
        status.unwrap_or_else(|| ReloadStatus {
            unix_ms: clock::now().unix_ms,
            errors: vec!["the server is stopping".to_owned()],
            notes: Vec::new(),
        })
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

    fn lists(&self) -> Vec<ListStatus> {
        let generation = self.generations.load_full();
        if generation.settings.gate.is_some() {
            return Vec::new();
        }
        let lists = generation.settings.lists.iter();
        lists
            .map(|list| list_status(&generation, list, self.fetch_failure(&list.name)))
            .collect()
    }

    fn last_reload(&self) -> Option<ReloadStatus> {
        self.last_reload.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn reload(&self) -> ReloadStatus {
        self.anew(Anew::Everything).await
    }

    async fn household(&self, asked: Asked) -> Result<Answer, String> {
        let generation = self.generations.load_full();
        let changes = matches!(asked, Asked::Edit { .. } | Asked::Undo { .. });
        let work = move || {
            let settings = &generation.settings;
            let sources = generation.gate.sources().iter();
            let sources = sources.map(|source| (source.name.as_str(), source.category.as_str()));
            crate::cli::household::carry_out(&asked, settings, sources)
        };
        let answer = tokio::task::spawn_blocking(work).await;
        let mut answer = answer.map_err(|error| format!("the household cannot be looked at: {error}"))??;
        if let (true, Answer::Done(done)) = (changes, &mut answer) {
            let status = self.anew(Anew::Household).await;
            done.in_force = status.errors.is_empty();
            if let Some(error) = status.errors.into_iter().next() {
                done.note = Some(format!("written, but what was in force before stays in force: {error}"));
            }
        }
        Ok(answer)
    }

    fn resolver(&self) -> BTreeMap<String, u64> {
        let counts = self.stack.counters.all();
        counts
            .into_iter()
            .map(|(name, count)| (name.to_owned(), count))
            .collect()
    }

    fn forget(&self, scope: &Scope) -> usize {
        self.stack.forget(scope)
    }

    fn activity(&self, whose: Option<&str>, days: Option<u16>) -> Vec<DayReport> {
        self.activity.report(whose, days)
    }

    fn forget_activity(&self, whose: &str) -> Result<u64, String> {
        self.activity.forget(whose, clock::now())
    }

    fn devices(&self) -> Vec<DeviceReport> {
        self.activity.devices(&self.generations.load().policy, clock::now())
    }
}

fn list_status(generation: &Generation, list: &ListSettings, error: Option<FetchFailure>) -> ListStatus {
    let sources = generation.gate.sources();
    ListStatus {
        name: list.name.clone(),
        category: list.category.clone(),
        in_force: sources.iter().any(|source| is_of_list(&source.name, &list.name)),
        fetch: match &list.source {
            ListSource::Url(url) => Some(FetchStatus {
                snapshot: snapshot(&generation.settings, &list.name, url),
                error,
            }),
            ListSource::Path(_) | ListSource::Embedded { .. } => None,
        },
    }
}

fn snapshot(settings: &Settings, list: &str, url: &str) -> Option<SnapshotStatus> {
    let good = fetch::Store::new(&settings.state_dir, list).last_good(url)?;
    let now_ms = clock::now().unix_ms;
    // A clock that was set back makes nothing older than now.
    let age_s = |unix_ms: u64| now_ms.saturating_sub(unix_ms) / 1000;
    Some(SnapshotStatus {
        age_s: age_s(good.metadata.fetched_unix_ms),
        checked_age_s: age_s(good.metadata.checked_unix_ms),
        rules: good.metadata.rules,
    })
}
