//! `stairgate serve`: answers queries until told to stop.
//!
//! In: settings, signals. Out: answers; what is in force is said on standard output, what happens goes to the log.
//! Always: signals are heard from the first moment on; a stop answers what is in flight and ends with 0.
//! Fails: wrong settings end a start with 2, a gate that does not verify with 3, anything else with 1. Once it answers,
//! nothing but a signal ends it, except waiting in vain for a list that it needs.

pub(in crate::cli) mod activity;
pub mod advice;
mod build;
mod greet;
mod kept;
pub(in crate::cli) mod listen;
mod neighbors;
mod notice;
mod open_files;
pub(in crate::cli) mod quotas;
mod refresh;
mod reload;
mod signals;
mod start;
mod state;
mod watch;

use super::{Exit, Failure, Outcome, settings};
use crate::clock;
use crate::config::load::Loaded;
use crate::config::settings::{ListSettings, Settings};
use crate::limits;
use crate::telemetry;
use signals::Signals;
use std::path::PathBuf;
use std::time::Duration;
use tracing::level_filters::LevelFilter;
use tracing::{info, warn};

#[derive(Debug, Clone, Default, clap::Args)]
pub struct Args {
    /// Settings file; without it the built-in home example
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Run as a plain resolver that filters nothing
    #[arg(long)]
    without_lists: bool,
    /// How log lines look
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    log_format: telemetry::Format,
    /// How long a start waits for lists that never arrived
    #[arg(long, value_name = "MS", hide = true)]
    start_wait_ms: Option<u64>,
    /// How often files are looked at for changes
    #[arg(long, value_name = "MS", hide = true)]
    watch_interval_ms: Option<u64>,
}

impl Args {
    /// The settings as they are on disk now.
    fn settings(&self) -> Result<Loaded, Failure> {
        let mut loaded = settings::load_all(self.config.as_deref())?;
        let over = loaded.settings.over((clock::now().unix_ms / 1000) as i64);
        loaded.warnings.extend(over);
        Ok(loaded)
    }

    /// The lists that are to be kept fresh: none where they are not compiled here.
    fn lists_to_fetch(&self, settings: &Settings) -> Vec<ListSettings> {
        if self.without_lists || settings.gate.is_some() {
            Vec::new()
        } else {
            settings.lists.clone()
        }
    }

    fn start_wait(&self) -> Duration {
        self.start_wait_ms.map_or(limits::START_WAIT, Duration::from_millis)
    }

    fn watch_interval(&self) -> Duration {
        self.watch_interval_ms
            .map_or(limits::WATCH_INTERVAL, |ms| Duration::from_millis(ms.max(1)))
    }
}

pub fn run(args: Args) -> Outcome {
    let loaded = args.settings()?;
    telemetry::log_init(args.log_format, LevelFilter::INFO).map_err(Failure::usage)?;
    for warning in &loaded.warnings {
        warn!("{warning}");
    }
    open_files::raise();
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    // Who bounds the threads that answer bounds those that resolve as well; idle ones cost each other wake-ups.
    match loaded.settings.server.workers {
        0 => {}
        workers => {
            runtime.worker_threads(workers);
        }
    }
    let runtime = runtime
        .enable_all()
        .build()
        .map_err(|error| Failure::failed(format_args!("threads cannot be started: {error}")))?;
    let ended = runtime.block_on(live(args, loaded.settings));
    // A compilation that nobody waits for any more must not hold up the end.
    runtime.shutdown_background();
    ended.map(|()| Exit::Done)
}

async fn live(args: Args, settings: Settings) -> Result<(), Failure> {
    let mut signals =
        Signals::new().map_err(|error| Failure::failed(format_args!("signals cannot be heard: {error}")))?;
    let mut started = tokio::select! {
        started = start::start(args, settings) => started?,
        () = signals.stop() => return Ok(()),
    };
    let ended = started.server.run(&mut signals).await;
    info!("stopping");
    drop(started.pages);
    let stopped = started.listeners.stop(limits::STOP_GRACE).await;
    if stopped.abandoned > 0 {
        warn!(queries = stopped.abandoned, "not answered in time");
    }
    started.kept.save(&started.server.settings);
    started.server.activity.save(clock::now());
    ended
}
