//! Keeps the lists that have a URL fresh: one task a list, which fetches it when its time comes.
//!
//! In: the lists of the settings. Out: what each fetch came to, sent to the server's one loop.
//! Always: at most [`FETCHES`](crate::limits::FETCHES) downloads at once; failed ones are tried again ever more slowly.

use crate::clock;
use crate::config::settings::{ListSettings, ListSource};
use crate::limits;
use crate::list::fetch::{self, FetchError, Fetched, Fetcher, Store};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::AbortHandle;

/// What one fetch came to.
pub(super) struct News {
    pub(super) list: String,
    pub(super) result: Result<Fetched, FetchError>,
}

/// The tasks. Dropping it ends them.
pub(super) struct Refresh {
    fetcher: Fetcher,
    state_dir: PathBuf,
    permits: Arc<Semaphore>,
    news: mpsc::Sender<News>,
    tasks: HashMap<String, Task>,
}

struct Task {
    url: String,
    refresh: Duration,
    handle: AbortHandle,
}

impl Drop for Task {
    fn drop(&mut self) {
        self.handle.abort();
    }
}

impl Refresh {
    pub(super) fn new(fetcher: Fetcher, state_dir: PathBuf, news: mpsc::Sender<News>) -> Refresh {
        let permits = Arc::new(Semaphore::new(limits::FETCHES));
        Refresh {
            fetcher,
            state_dir,
            permits,
            news,
            tasks: HashMap::new(),
        }
    }

    /// Keeps these lists fresh from now on, and no others. A list that stays as it is keeps its place in time.
    pub(super) fn follow(&mut self, lists: &[ListSettings]) {
        let mut before = std::mem::take(&mut self.tasks);
        for list in lists {
            let ListSource::Url(url) = &list.source else { continue };
            let task = before
                .remove(&list.name)
                .filter(|task| task.url == *url && task.refresh == list.refresh)
                .unwrap_or_else(|| self.start(list, url));
            self.tasks.insert(list.name.clone(), task);
        }
    }

    fn start(&self, list: &ListSettings, url: &str) -> Task {
        let work = keep_fresh(
            list.clone(),
            url.to_owned(),
            Store::new(&self.state_dir, &list.name),
            self.fetcher.clone(),
            Arc::clone(&self.permits),
            self.news.clone(),
        );
        let handle = tokio::spawn(work).abort_handle();
        Task {
            url: url.to_owned(),
            refresh: list.refresh,
            handle,
        }
    }
}

async fn keep_fresh(
    list: ListSettings,
    url: String,
    store: Store,
    fetcher: Fetcher,
    permits: Arc<Semaphore>,
    news: mpsc::Sender<News>,
) {
    let mut failures = 0u32;
    let mut wait = match store.last_good(&url) {
        None => Duration::ZERO,
        Some(good) => {
            let age_ms = clock::now().unix_ms.saturating_sub(good.metadata.checked_unix_ms);
            fetch::first_due(list.refresh, Duration::from_millis(age_ms), rand::random())
        }
    };
    loop {
        tokio::time::sleep(wait).await;
        // The semaphore is never closed.
        let Ok(permit) = permits.acquire().await else { return };
        let rules = fetch::rule_counter(&list);
        let result = fetch::fetch(&fetcher, &store, &url, false, rules).await;
        drop(permit);
        wait = match &result {
            Ok(_) => {
                failures = 0;
                fetch::after_success(list.refresh, rand::random())
            }
            Err(_) => {
                failures += 1;
                let needed = store.last_good(&url).is_none();
                fetch::after_failure(list.refresh, failures, needed, rand::random())
            }
        };
        if news
            .send(News {
                list: list.name.clone(),
                result,
            })
            .await
            .is_err()
        {
            return;
        }
    }
}
