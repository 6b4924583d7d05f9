//! The log: lines for people or JSON objects, on standard error.
//!
//! In: events of `tracing`. Out: one line each on standard error.
//! Always: at the default level no name that a client asked for appears. Ours are logged at `debug` and below, and the
//! libraries that would name them in warnings are silent unless `STAIRGATE_LOG` asks for them.

use std::io::{self, IsTerminal};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::EnvFilter;

/// Overrides the level: a level (`debug`), or `target=level` pairs apart by commas (`info,stairgate::resolver=trace`).
pub const FILTER_VARIABLE: &str = "STAIRGATE_LOG";

/// How a log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Format {
    /// Time, level, where, what; in color on a terminal
    #[default]
    Human,
    /// One JSON object a line
    Json,
}

/// Why logging did not start.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    #[error(
        "{FILTER_VARIABLE}: {value:?} is not a log filter ({cause}); write a level such as debug, or target=level pairs"
    )]
    Filter {
        value: String,
        cause: tracing_subscriber::filter::ParseError,
    },
    #[error("the log was started twice")]
    Twice,
}

/// Starts the log for the whole process; once. `level` is for Stairgate's own events, other libraries' are shown from
/// `warn` up; [`FILTER_VARIABLE`] replaces both.
pub fn log_init(format: Format, level: LevelFilter) -> Result<(), LogError> {
    let asked = std::env::var(FILTER_VARIABLE).unwrap_or_default();
    let filter = filter(&asked, level)?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(format == Format::Human && io::stderr().is_terminal());
    match format {
        Format::Human => builder.try_init(),
        Format::Json => builder.json().flatten_event(true).try_init(),
    }
    .map_err(|_| LogError::Twice)
}

/// Shows on standard error what the resolver does step by step, names included: for a command that somebody runs to see
/// just that. Times are seconds since it began. [`FILTER_VARIABLE`] replaces what is shown.
pub fn trace_init() -> Result<(), LogError> {
    let asked = std::env::var(FILTER_VARIABLE).unwrap_or_default();
    let asked = if asked.trim().is_empty() { TRACED } else { &asked };
    tracing_subscriber::fmt()
        .with_env_filter(filter(asked, LevelFilter::TRACE)?)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .with_timer(tracing_subscriber::fmt::time::uptime())
        .with_target(false)
        .try_init()
        .map_err(|_| LogError::Twice)
}

/// Every exchange with another server. What the libraries below say of themselves is many times as long.
const TRACED: &str = "stairgate::resolver=trace";

/// The filter that `asked` (may be empty) describes, or the default one.
fn filter(asked: &str, level: LevelFilter) -> Result<EnvFilter, LogError> {
    let default = format!(
        "{others},stairgate={level},hickory_proto=off,hickory_net=off,hickory_resolver=off,hickory_server=off",
        others = level.min(LevelFilter::WARN)
    );
    let text = if asked.trim().is_empty() { &default } else { asked };
    EnvFilter::try_new(text).map_err(|cause| LogError::Filter {
        value: asked.to_owned(),
        cause,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};
    use tracing_subscriber::fmt::MakeWriter;

    /// Keeps what is written.
    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl<'a> MakeWriter<'a> for Kept {
        type Writer = Kept;
        fn make_writer(&'a self) -> Kept {
            self.clone()
        }
    }

    fn written(asked: &str, level: LevelFilter, log: impl FnOnce()) -> String {
        let kept = Kept::default();
        let subscriber = tracing_subscriber::fmt()
            .with_env_filter(filter(asked, level).unwrap())
            .with_writer(kept.clone())
            .with_ansi(false)
            .finish();
        tracing::subscriber::with_default(subscriber, log);
        String::from_utf8(kept.0.lock().unwrap().clone()).unwrap()
    }

    fn log_something() {
        tracing::info!(target: "stairgate::query", "ours");
        tracing::debug!(target: "stairgate::query", "names");
        tracing::warn!(target: "hickory_resolver::recursor", "warns of a name");
        tracing::warn!(target: "rustls", "warns");
        tracing::info!(target: "rustls", "chats");
    }

    #[test]
    fn the_default_level_shows_ours_and_hushes_libraries_that_log_names() {
        let text = written("", LevelFilter::INFO, log_something);
        assert!(text.contains("ours") && text.contains("warns\n"), "{text}");
        assert!(!text.contains("name") && !text.contains("chats"), "{text}");
        assert_eq!(written("", LevelFilter::OFF, log_something), "");
    }

    #[test]
    fn the_variable_replaces_the_default() {
        let text = written("hickory_resolver=warn", LevelFilter::INFO, log_something);
        assert!(text.contains("warns of a name") && !text.contains("ours"), "{text}");
    }

    #[test]
    fn a_filter_that_is_none_is_an_error_that_names_the_variable() {
        let error = filter("stairgate=loud=very", LevelFilter::INFO)
            .unwrap_err()
            .to_string();
        assert!(error.starts_with("STAIRGATE_LOG: \"stairgate=loud=very\""), "{error}");
    }
}
