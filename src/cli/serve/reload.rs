//! The server's one loop: signals, changed files, fetched lists and requests for a reload come in here, one after another;
//! new generations go out.
//!
//! Always: one reload at a time, built beside the queries and put into force by one swap; what comes meanwhile leads to
//! one more. Fails by leaving in force what is, and saying so in the log and the status.

use super::activity::Activity;
use super::build::{self, Built};
use super::notice::Notice;
use super::quotas::Quotas;
use super::refresh::{News, Refresh};
use super::signals::{Signal, Signals};
use super::state::{Anew, State, Waiting};
use super::watch::Watch;
use super::{Args, greet};
use crate::cache::Cache;
use crate::cli::Failure;
use crate::clock;
use crate::config::settings::{ListSettings, Settings};
use crate::control::ReloadStatus;
use crate::count::Count;
use crate::generation::{Generation, Generations};
use crate::household;
use crate::list::compile::Silent;
use crate::list::fetch::Fetched;
use crate::list::publish;
use crate::list::stamp::Stamp;
use crate::query;
use crate::telemetry::counters::Counters;
use jiff::Timestamp;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;
use tracing::{debug, error, info, warn};

/// What the loop works on.
pub(super) struct Server {
    pub(super) args: Args,
    pub(super) settings: Arc<Settings>,
    pub(super) generations: Arc<Generations>,
    pub(super) cache: Arc<Cache>,
    pub(super) counters: Arc<Counters>,
    pub(super) state: Arc<State>,
    pub(super) watch: Watch,
    pub(super) refresh: Refresh,
    pub(super) news: mpsc::Receiver<News>,
    pub(super) requests: mpsc::Receiver<Waiting>,
    /// Lists that clients wait for.
    pub(super) missing: Vec<String>,
    pub(super) reloading: Reloading,
    pub(super) quotas: Quotas,
    pub(super) notice: Notice,
    pub(super) activity: Arc<Activity>,
}

/// The reload under way, and the next.
#[derive(Default)]
pub(super) struct Reloading {
    under_way: Option<JoinHandle<Prepared>>,
    waiting: Vec<Waiting>,
    again: bool,
    waiting_for_next: Vec<Waiting>,
    /// The household was read since it began.
    household_since: bool,
    /// The last one failed: what had changed by then is still to be read.
    failed: bool,
}

/// How often it is counted what was used of quotas: several times a minute, so that none goes unseen.
const QUOTAS_EVERY: Duration = Duration::from_secs(10);
/// How often it is noted what is kept of who asked what: rings are made for the queries of a second.
const NOTED_EVERY: Duration = Duration::from_secs(1);

/// What a reload has come to before it is put into force.
struct Prepared {
    /// What to watch and fetch from now on; `None` when the settings could not be read.
    follow: Option<(Watch, Vec<ListSettings>)>,
    result: Result<(Arc<Settings>, Built), String>,
}

impl Server {
    /// Runs until a signal says stop (`Ok`), or the start has waited for a list in vain.
    pub(super) async fn run(&mut self, signals: &mut Signals) -> Result<(), Failure> {
        let give_up = tokio::time::sleep(self.args.start_wait());
        tokio::pin!(give_up);
        let mut looks = tokio::time::interval(self.args.watch_interval());
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut counts = tokio::time::interval(QUOTAS_EVERY);
        counts.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut notes = tokio::time::interval(NOTED_EVERY);
        notes.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut starting = !self.missing.is_empty();
        loop {
            tokio::select! {
                signal = signals.next() => match signal {
                    Signal::Stop => {
                        self.quotas.count(&self.generations.load().policy, clock::now());
                        self.quotas.save();
                        return Ok(());
                    }
                    Signal::Reload => {
                        info!("SIGHUP: reloading");
                        self.reload(None);
                    }
                },
                Some(waiting) = self.requests.recv() => match waiting.anew {
                    Anew::Everything => self.reload(Some(waiting)),
                    Anew::Household => {
                        let status = self.read_household().await;
                        // Whoever asked may have gone.
                        let _ = waiting.answer.send(status);
                    }
                },
                Some(news) = self.news.recv() => self.hear(news),
                prepared = self.reloading.done() => {
                    self.put_into_force(prepared).await;
                    if starting && self.missing.is_empty() {
                        starting = false;
                        greet::ready(&self.generations.load());
                    }
                }
                // A command's own change was read when it was made.
                () = self.notice.saved() => if self.watch.household_changed() {
                    info!("the household was saved: reading it");
                    self.read_household().await;
                },
                _ = looks.tick() => self.look(),
                _ = counts.tick() => self.quotas.count(&self.generations.load().policy, clock::now()),
                _ = notes.tick() => self.activity.tick(&self.generations.load().policy, clock::now()),
                () = &mut give_up, if starting => return Err(self.never_arrived()),
            }
        }
    }

    /// Looks for changed files, unless a reload that reads them all is under way.
    fn look(&mut self) {
        if self.reloading.under_way.is_some() {
            return;
        }
        let changed = self.watch.poll();
        if !changed.is_empty() {
            info!(changed = changed.join(", "), "files changed: reloading");
            self.reload(None);
        } else if self.generations.load().policy.is_due(clock::now().unix_s()) {
            debug!("windows of the household are looked up for the weeks to come");
            self.reload(None);
        }
    }

    fn hear(&mut self, news: News) {
        let list = news.list;
        match news.result {
            Ok(Fetched::New(snapshot)) => {
                info!(list, rules = snapshot.metadata.rules, "a new version was fetched");
                self.state.note_fetch(&list, None);
                self.reload(None);
            }
            Ok(Fetched::Unchanged(_)) => {
                debug!(list, "still current");
                self.state.note_fetch(&list, None);
            }
            Err(error) => {
                let kept = if self.missing.contains(&list) {
                    "it is tried again"
                } else {
                    "its last good version stays"
                };
                warn!("list {list}: {error}; {kept}");
                self.counters.add(Count::FetchesFailed.into());
                if error.is_local() {
                    self.counters.add(Count::FilesNotKept.into());
                }
                self.state.note_fetch(&list, Some(error.to_string()));
            }
        }
    }

    fn never_arrived(&self) -> Failure {
        let why = |list: &String| match self.state.fetch_failure(list) {
            Some(failure) => format!("list {list} never arrived: {}", failure.reason),
            None => format!("list {list} never arrived"),
        };
        let lists: Vec<String> = self.missing.iter().map(why).collect();
        Failure::failed(format_args!(
            "{}; mend the address or the connection, or run with --without-lists, which filters nothing",
            lists.join("; ")
        ))
    }

    /// Begins a reload, or has one more follow that under way.
    fn reload(&mut self, waiting: Option<Waiting>) {
        if self.reloading.under_way.is_some() {
            self.reloading.again = true;
            self.reloading.waiting_for_next.extend(waiting);
            return;
        }
        self.reloading.waiting.extend(waiting);
        self.reloading.household_since = false;
        let args = self.args.clone();
        let settings = Arc::clone(&self.settings);
        let generations = Arc::clone(&self.generations);
        let work = move || prepare(&args, &settings, &generations);
        self.reloading.under_way = Some(tokio::task::spawn_blocking(work));
    }

    /// Reads the household anew and puts it into force, with the lists that are. It takes milliseconds, so that nothing else is heard meanwhile.
    async fn read_household(&mut self) -> ReloadStatus {
        self.reloading.household_since = self.reloading.under_way.is_some();
        let mut status = ReloadStatus::default();
        let prepared = self.household_after(self.generations.load_full()).await;
        match prepared {
            Ok((_, built)) if self.missing.is_empty() && !built.missing.is_empty() => {
                status.errors.push(not_yet(&built))
            }
            Ok((settings, built)) => {
                status.notes = built.notes.clone();
                self.install(settings, built);
                // It may have been the household that was in the way.
                if self.reloading.failed {
                    self.reload(None);
                }
            }
            Err(sentence) => status.errors.push(sentence),
        }
        self.conclude(&mut status);
        status
    }

    /// The household as it is on disk, on top of a generation.
    async fn household_after(&mut self, before: Arc<Generation>) -> Result<(Arc<Settings>, Built), String> {
        let without_lists = self.args.without_lists;
        let Some(file) = &before.settings.household_file else {
            return Err(NO_HOUSEHOLD.to_owned());
        };
        // Before it is read: what is written in between is then noticed.
        self.watch.read_household(Stamp::of(file));
        let work = move || {
            let loaded = before.settings.reload_household().map_err(|error| error.to_string())?;
            let mut warnings = loaded.warnings;
            warnings.extend(loaded.settings.over((clock::now().unix_ms / 1000) as i64));
            let settings = Arc::new(loaded.settings);
            let built = build::build_household(&settings, without_lists, &before);
            let mut built = built.map_err(|error| error.to_string())?;
            built.notes.extend(warnings.iter().map(ToString::to_string));
            Ok((settings, built))
        };
        let done = tokio::task::spawn_blocking(work).await;
        done.unwrap_or_else(|_| Err(BROKE_OFF.to_owned()))
    }

    async fn put_into_force(&mut self, prepared: Prepared) {
        if let Some((watch, lists)) = prepared.follow {
            self.watch = watch;
            self.refresh.follow(&lists);
            self.state.follow(&lists);
        }
        let mut status = ReloadStatus::default();
        match prepared.result {
            // Whoever is served by a whole generation is better off with that than with one that lacks a list.
            Ok((_, built)) if self.missing.is_empty() && !built.missing.is_empty() => {
                status.errors.push(not_yet(&built))
            }
            Ok((settings, built)) => {
                status.notes = built.notes.clone();
                if built.not_kept {
                    self.counters.add(Count::FilesNotKept.into());
                }
                match std::mem::take(&mut self.reloading.household_since) {
                    false => self.install(settings, built),
                    // It was read before the change that is in force.
                    true => match self.household_after(Arc::new(built.generation)).await {
                        Ok((settings, built)) => self.install(settings, built),
                        Err(sentence) => status.errors.push(sentence),
                    },
                }
            }
            Err(sentence) => status.errors.push(sentence),
        }
        self.reloading.failed = !status.errors.is_empty();
        self.conclude(&mut status);
        for waiting in self.reloading.waiting.drain(..) {
            // Whoever asked may have gone.
            let _ = waiting.answer.send(status.clone());
        }
        self.reloading.waiting = std::mem::take(&mut self.reloading.waiting_for_next);
        if std::mem::take(&mut self.reloading.again) {
            self.reload(None);
        }
    }

    /// Swaps the generation.
    fn install(&mut self, settings: Arc<Settings>, mut built: Built) {
        self.missing = built.missing;
        self.settings = settings;
        self.notice.follow(self.settings.household_file.as_deref());
        let before = self.generations.load_full();
        // What is noted with cached answers holds for one number, and a household may have come in between.
        built.generation.number = before.number + 1;
        let number = built.generation.number;
        query::prepare(&built.generation, &self.cache);
        self.quotas.count(&before.policy, clock::now());
        self.quotas.count(&built.generation.policy, clock::now());
        built.generation.policy.remember(&before.policy);
        self.activity.follow(&built.generation.policy, clock::now());
        self.generations.store(Arc::new(built.generation));
        self.counters.add(Count::Reloads.into());
        info!(generation = number, "reloaded");
        if let Some(file) = self.settings.household_file.clone() {
            // What was edited by hand becomes a version to go back to; nobody waits for that.
            tokio::task::spawn_blocking(move || keep_version(&file));
        }
    }

    /// Says how a reload went.
    fn conclude(&mut self, status: &mut ReloadStatus) {
        status.unix_ms = clock::now().unix_ms;
        for note in &status.notes {
            warn!("{note}");
        }
        for sentence in &status.errors {
            error!("{sentence}; the running settings and lists stay in force");
        }
        if !status.errors.is_empty() {
            self.counters.add(Count::ReloadsFailed.into());
        }
        self.state.note_reload(status.clone());
    }
}

/// Lists are missing that were there before.
fn not_yet(built: &Built) -> String {
    let lists = built.missing.join(", ");
    format!("not all lists have arrived yet ({lists}); what is in force stays until they do")
}

const NO_HOUSEHOLD: &str =
    "the settings in force name no household file; write household = \"household.toml\" at their top";
const BROKE_OFF: &str = "the reload broke off; this is a fault of the program, please report it";

impl Reloading {
    /// Waits for the end of the reload under way; forever, when there is none.
    async fn done(&mut self) -> Prepared {
        let Some(under_way) = &mut self.under_way else {
            return std::future::pending().await;
        };
        let prepared = under_way.await;
        self.under_way = None;
        prepared.unwrap_or_else(|_| Prepared {
            follow: None,
            result: Err(BROKE_OFF.to_owned()),
        })
    }
}

/// Reads settings, household, lists and gate anew. Runs beside the loop, since compiling takes its time.
fn prepare(args: &Args, running: &Settings, generations: &Generations) -> Prepared {
    let read = || {
        let mut loaded = args.settings().map_err(|failure| failure.sentence)?;
        if loaded.settings.file.is_none() {
            // The built-in example listens on what this machine has, which was looked at when it started.
            loaded.settings.server.listen.clone_from(&running.server.listen);
        }
        Ok(loaded)
    };
    let loaded = match read() {
        Ok(loaded) => loaded,
        Err(sentence) => {
            return Prepared {
                follow: None,
                result: Err(sentence),
            };
        }
    };
    let gone = loaded.settings.household_file.as_deref().filter(|file| !file.exists());
    if let (Some(file), Some(_)) = (gone, &running.household) {
        return Prepared {
            follow: None,
            result: Err(format!(
                "{}: is gone; bring it back, or let `stairgate household undo` do that",
                file.display()
            )),
        };
    }
    let watch = Watch::new(&running.reloaded(loaded.settings).0, args.without_lists);
    // Once more, now that what changes is watched: nothing that is written in between can be missed.
    let loaded = match read() {
        Ok(loaded) => loaded,
        Err(sentence) => {
            return Prepared {
                follow: None,
                result: Err(sentence),
            };
        }
    };
    let (settings, needs_restart) = running.reloaded(loaded.settings);
    let settings = Arc::new(settings);
    let follow = Some((watch, args.lists_to_fetch(&settings)));
    let before = generations.load_full();
    let mut built = match build::build(&settings, args.without_lists, Some(&before), &Silent) {
        Ok(built) => built,
        Err(error) => {
            return Prepared {
                follow,
                result: Err(error.to_string()),
            };
        }
    };
    built.notes.extend(loaded.warnings.iter().map(ToString::to_string));
    if !needs_restart.is_empty() {
        built.notes.push(format!(
            "changed, but takes effect only after a restart: {}",
            needs_restart.join(", ")
        ));
    }
    forget_old_copies(&settings, &[before.gate.digest(), built.generation.gate.digest()]);
    Prepared {
        follow,
        result: Ok((settings, built)),
    }
}

/// Makes a version of a household that was edited by hand.
pub(super) fn keep_version(household: &Path) {
    let now = Timestamp::from_millisecond(clock::now().unix_ms as i64).unwrap_or_default();
    if let Err(error) = household::store::Store::new(household).notice(now) {
        debug!("{error}");
    }
}

/// Removes private copies of gates that no generation uses any more.
pub(super) fn forget_old_copies(settings: &Settings, in_use: &[[u8; 32]]) {
    let removed = publish::Store::new(&settings.state_dir).and_then(|store| store.keep_only(in_use));
    if let Err(error) = removed {
        debug!("old copies stay: {error}");
    }
}
