//! The settings a command runs with: those of `--config FILE`, or the built-in home example.

use super::Failure;
use crate::config::load::Loaded;
use crate::config::settings::Settings;
use std::path::Path;

/// Reads the settings; their warnings are for `serve` and `check` to tell.
pub fn load(config: Option<&Path>) -> Result<Settings, Failure> {
    Ok(load_all(config)?.settings)
}

/// The settings and what is odd about them.
pub fn load_all(config: Option<&Path>) -> Result<Loaded, Failure> {
    match config {
        Some(file) => Settings::load(file),
        None => Settings::load_builtin(Path::new(".")),
    }
    .map_err(Failure::usage)
}

/// The settings without the household file, which may be what a command is to mend.
pub fn load_alone(config: Option<&Path>) -> Result<Settings, Failure> {
    match config {
        Some(file) => Settings::load_alone(file)
            .map(|loaded| loaded.settings)
            .map_err(Failure::usage),
        None => Ok(Settings::builtin_alone(Path::new(".")).settings),
    }
}
