//! `stairgate update`: fetch every list now, compile, verify, publish.
//!
//! In: settings. Out: a gate that a running server notices by itself; on standard error what became of each list.
//! Fails: a list that cannot be fetched keeps its last good version and makes the exit 1, but the others go on. As long as
//! a list has no version at all, nothing is published.

use super::progress::Bar;
use super::{Exit, Failure, Outcome, names};
use crate::config::settings::{ListSettings, ListSource, Settings};
use crate::limits;
use crate::list::fetch::{self, FetchError, Fetched, Fetcher, Store};
use crate::list::publish::PublishError;
use crate::list::stock::Plan;
use crate::resolver::{self, forward::Trust};
use futures_util::{StreamExt, stream};
use std::io::Write as _;
use std::path::{Path, PathBuf};

#[derive(Debug, Default, clap::Args)]
pub struct Args {
    /// Settings file; without it the built-in home example
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Take a list's new version even if it has lost or gained most of its rules; may be given several times
    #[arg(long, value_name = "LIST")]
    accept: Vec<String>,
}

pub fn run(args: Args) -> Outcome {
    let settings = super::settings::load(args.config.as_deref())?;
    if settings.lists.is_empty() {
        return Err(Failure::usage("the settings have no [[list]]; add one to update"));
    }
    for name in &args.accept {
        if !settings.lists.iter().any(|list| list.name == *name) {
            return Err(Failure::usage(format_args!(
                "--accept {name}: the settings have no list of that name"
            )));
        }
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::failed(format_args!("threads cannot be started: {error}")))?;
    let failed = runtime.block_on(fetch_all(&settings, &args.accept))?;

    let plan = Plan::new(&settings);
    if !plan.missing.is_empty() {
        let lists = plan.missing.join(", ");
        return Err(Failure::failed(format_args!(
            "nothing was published: there is no version yet of {lists}"
        )));
    }
    let bar = Bar::new();
    let fresh = plan.compile(&bar);
    bar.finish();
    let fresh = fresh.map_err(super::lists::stock)?;
    let to = settings.gate.as_deref();
    plan.publish(&fresh, to).map_err(|error| match error {
        PublishError::Unverified { .. } => Failure::unverified(error),
        PublishError::File { .. } => Failure::failed(error),
    })?;
    let report = &fresh.report;
    writeln!(
        std::io::stdout().lock(),
        "{}: {} names from {} lists",
        to.unwrap_or(plan.gate()).display(),
        report.names,
        report.sources.len()
    )?;
    Ok(if failed { Exit::Failed } else { Exit::Done })
}

/// Fetches every list that has a URL and says what became of it. Whether one failed.
async fn fetch_all(settings: &Settings, accept: &[String]) -> Result<bool, Failure> {
    let stack = resolver::build(settings, Trust::public()).map_err(Failure::usage)?;
    let fetcher = names::fetcher(stack.bootstrap)?;
    let fetches = settings.lists.iter().filter_map(|list| match &list.source {
        ListSource::Url(url) => Some(fetch_one(
            &fetcher,
            list,
            url,
            &settings.state_dir,
            accept.contains(&list.name),
        )),
        ListSource::Path(_) | ListSource::Embedded { .. } => None,
    });
    let mut fetches = stream::iter(fetches).buffer_unordered(limits::FETCHES);
    let mut failed = false;
    while let Some((list, result)) = fetches.next().await {
        match result {
            Ok(Fetched::New(snapshot)) => eprintln!("list {list}: a new version, {} rules", snapshot.metadata.rules),
            Ok(Fetched::Unchanged(_)) => eprintln!("list {list}: unchanged"),
            Err(error) => {
                failed = true;
                eprintln!("list {list}: {error}");
            }
        }
    }
    Ok(failed)
}

async fn fetch_one<'l>(
    fetcher: &Fetcher,
    list: &'l ListSettings,
    url: &str,
    state_dir: &Path,
    accept: bool,
) -> (&'l str, Result<Fetched, FetchError>) {
    let store = Store::new(state_dir, &list.name);
    let result = fetch::fetch(fetcher, &store, url, accept, fetch::rule_counter(list)).await;
    (&list.name, result)
}
