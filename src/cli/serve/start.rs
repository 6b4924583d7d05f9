//! Starts a server: first what may refuse (addresses, settings), then what takes time (lists), then what answers.

use super::activity::Activity;
use super::kept::Kept;
use super::notice::Notice;
use super::quotas::Quotas;
use super::refresh::Refresh;
use super::reload::{Reloading, Server, forget_old_copies, keep_version};
use super::state::State;
use super::watch::Watch;
use super::{Args, advice, build, greet, listen};
use crate::cache::Cache;
use crate::cli::{Failure, names};
use crate::clock;
use crate::config::settings::Settings;
use crate::control::{Control, Socket};
use crate::count::Count;
use crate::generation::Generations;
use crate::listener::{Listeners, Service};
use crate::page::{self, Pages};
use crate::requests::Store;
use crate::resolver::{self, forward::Trust};
use crate::telemetry::counters::Counters;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::sync::mpsc;
use tracing::warn;

/// A server that answers.
pub(super) struct Started {
    pub(super) server: Server,
    pub(super) listeners: Listeners,
    pub(super) kept: Kept,
    pub(super) pages: Pages,
}

pub(super) async fn start(args: Args, mut settings: Settings) -> Result<Started, Failure> {
    let started_mono_ms = clock::now().mono_ms;
    for sentence in listen::leave_out(&mut settings, listen::try_address) {
        warn!("{sentence}");
    }
    settings.server.listen.iter().try_for_each(|&address| free(address))?;
    for &address in &settings.page.listen {
        listen::try_stream(address).map_err(|error| Failure::failed(advice::bind(address, "[page]", &error)))?;
    }
    let counters = Arc::new(Counters::new());
    let cache = Arc::new(Cache::new(
        settings.cache.size_bytes - resolver::memory_bytes(&settings) as u64,
        settings.cache.min_ttl,
        settings.cache.max_ttl,
    ));
    let stack = resolver::build(&settings, Trust::public()).map_err(Failure::usage)?;
    let fetcher = names::fetcher(Arc::clone(&stack.bootstrap))?;

    let watch = Watch::new(&settings, args.without_lists);
    let settings = Arc::new(settings);
    let built = compile(&args, &settings).await?;
    forget_old_copies(&settings, &[built.generation.gate.digest()]);
    for note in &built.notes {
        warn!("{note}");
    }
    if built.not_kept {
        counters.add(Count::FilesNotKept.into());
    }
    let generations = Arc::new(Generations::from_pointee(built.generation));

    let kept = Kept::load(&settings, &cache, &counters);

    let (news_in, news) = mpsc::channel(16);
    let (reloads_in, reloads) = mpsc::channel(16);
    let resolver = Arc::clone(&stack.resolver);
    let activity = Arc::new(Activity::open(&settings.state_dir, &counters));
    activity.follow(&generations.load().policy, clock::now());
    let state = Arc::new(State::new(
        Arc::clone(&generations),
        stack,
        Arc::clone(&activity),
        reloads_in,
    ));
    let (requests, remark) = Store::open(&settings.state_dir);
    if let Some(sentence) = remark {
        warn!("{sentence}");
    }
    let requests = Arc::new(requests);
    let control = Control {
        running: Arc::clone(&state) as _,
        cache: Arc::clone(&cache),
        counters: Arc::clone(&counters),
        requests: Arc::clone(&requests),
        started_mono_ms,
    };
    let service = Service {
        generations: Arc::clone(&generations),
        cache: Arc::clone(&cache),
        resolver,
        counters: Arc::clone(&counters),
        activity: Arc::clone(&activity.rings),
    };
    // What is spent is so from the first answer on.
    let mut quotas = Quotas::open(&settings.state_dir);
    quotas.count(&generations.load().policy, clock::now());
    let listeners = Listeners::start(&settings.server.listen, settings.server.workers, service)
        .map_err(|error| Failure::failed(advice::bind(error.address, "[server]", &error.source)))?;
    let of_page = page::Service {
        generations: Arc::clone(&generations),
        requests,
        counters: Arc::clone(&counters),
    };
    let pages = Pages::start(&settings.page.listen, of_page)
        .map_err(|error| Failure::failed(advice::bind(error.address, "[page]", &error.source)))?;
    match Socket::bind(&settings.state_dir) {
        Ok(socket) => drop(tokio::spawn(socket.serve(Arc::new(control)))),
        Err(error) => {
            warn!("{error}; it answers queries, but `stairgate health` and `stairgate cache` cannot reach it");
            counters.add(Count::FilesNotKept.into());
        }
    }
    let mut refresh = Refresh::new(fetcher, settings.state_dir.clone(), news_in);
    refresh.follow(&args.lists_to_fetch(&settings));
    if let Some(file) = settings.household_file.clone() {
        tokio::task::spawn_blocking(move || keep_version(&file));
    }
    let notice = Notice::of(settings.household_file.as_deref());
    if built.missing.is_empty() {
        greet::ready(&generations.load());
    } else {
        let lists = built.missing.join(", ");
        warn!("waiting for lists that never arrived: {lists}; clients that need them get SERVFAIL until they do");
    }
    let server = Server {
        args,
        settings,
        generations,
        cache,
        counters,
        state,
        watch,
        refresh,
        news,
        requests: reloads,
        missing: built.missing,
        reloading: Reloading::default(),
        quotas,
        notice,
        activity,
    };
    Ok(Started {
        server,
        listeners,
        kept,
        pages,
    })
}

/// Builds the first generation on a thread that may take its time, with a progress bar on a terminal.
async fn compile(args: &Args, settings: &Arc<Settings>) -> Result<build::Built, Failure> {
    let (settings, without_lists) = (Arc::clone(settings), args.without_lists);
    let work = move || {
        let bar = crate::cli::progress::Bar::new();
        let built = build::build(&settings, without_lists, None, &bar);
        bar.finish();
        built
    };
    match tokio::task::spawn_blocking(work).await {
        Ok(built) => built.map_err(|error| Failure {
            exit: error.exit(),
            sentence: error.to_string(),
        }),
        Err(_) => Err(Failure::failed(
            "the start broke off; this is a fault of the program, please report it",
        )),
    }
}

/// Whether an address can be listened on, asked before the lists take their time.
fn free(address: SocketAddr) -> Result<(), Failure> {
    listen::try_address(address).map_err(|error| Failure::failed(advice::bind(address, "[server]", &error)))
}
