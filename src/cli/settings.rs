//! The settings a command runs with: those of `--config FILE`, or the built-in home example.

use super::Failure;
use crate::config::settings::Settings;
use std::path::Path;

/// Reads the settings; their warnings are for `serve` and `check` to tell.
pub fn load(config: Option<&Path>) -> Result<Settings, Failure> {
    match config {
        Some(file) => Settings::load(file)
            .map(|loaded| loaded.settings)
            .map_err(Failure::usage),
        None => Ok(Settings::builtin(Path::new("."))),
    }
}
