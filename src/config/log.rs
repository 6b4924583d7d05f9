//! `log` and `log_for` of profiles and persons: what is kept of who asked what, and how long.
//!
//! In: both as written. Out: [`WrittenLog`], what they say over what a base or a profile says.

use super::error::ConfigError;
use super::load::Loader;
use super::settings::{LogChoice, LogSettings};
use super::shape::Text;
use super::values;
use crate::limits::ACTIVITY_DAYS;
use std::time::Duration;

const DAY: Duration = Duration::from_secs(86_400);

/// What is not written is `None`.
#[derive(Clone, Copy)]
pub(super) struct WrittenLog {
    choice: Option<LogChoice>,
    days: Option<u16>,
}

impl WrittenLog {
    /// Each value comes with its key.
    pub fn read(
        loader: &Loader,
        (log, log_key): (Option<&Text>, &'static str),
        (log_for, log_for_key): (Option<&Text>, &'static str),
    ) -> Result<WrittenLog, ConfigError> {
        let choices = &[
            ("nothing", Some(LogChoice::Nothing)),
            ("counts", Some(LogChoice::Counts)),
            ("names", Some(LogChoice::Names)),
        ];
        let days = |text: &str| {
            let time = values::duration(text)?;
            let days = time.as_secs() / DAY.as_secs();
            match u16::try_from(days) {
                Ok(days @ 1..=ACTIVITY_DAYS) if time == DAY * u32::from(days) => Ok(Some(days)),
                _ => Err(format!(
                    "is out of bounds; write whole days from \"1d\" to \"{ACTIVITY_DAYS}d\""
                )),
            }
        };
        Ok(WrittenLog {
            choice: loader.word(log, log_key, None, choices)?,
            days: loader.value(log_for, log_for_key, None, days)?,
        })
    }

    /// What holds where this is written over something else.
    pub fn over(self, other: LogSettings) -> LogSettings {
        LogSettings {
            choice: self.choice.unwrap_or(other.choice),
            days: self.days.unwrap_or(other.days),
        }
    }
}
