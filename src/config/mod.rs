//! Settings: the file's shape (`shape`), and what the program runs on (`settings`), parsed, checked, with every path absolute.
//!
//! In: `stairgate.toml` and the household file. Out: [`settings::Settings`] and warnings, or one sentence that says which
//! file and line, what is wrong and what to do.
//! Always: nothing is read but those two files and the system's time zones; no clock is. The same text gives the same settings.
//! Fails: the first thing that is wrong stops the load; the caller keeps what it runs on.

pub mod error;
pub mod household;
pub mod load;
pub mod settings;
pub mod starter;
pub mod values;

mod defaults;
mod devices;
mod entries;
mod household_load;
mod log;
mod page;
mod people;
mod persons;
mod profiles;
mod reload;
mod resolver;
mod shape;
mod syntax;
mod times;
mod whom;
mod words;
mod written;

#[cfg(test)]
mod household_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod wrong_household_tests;
