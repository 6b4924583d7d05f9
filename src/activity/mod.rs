//! What is kept of who asked what, for those who chose that something is (`log`), and what is known of devices that fall silent.
//!
//! In: queries of those who chose so, each as one [`Asked`], held by [`ring::Rings`] until somebody takes them. Out: a [`record::Record`], which
//! `file` makes a text of; [`report`]s for people.
//! Always: nothing is kept of whoever did not choose it; no name of whoever chose counts. What is kept is bounded, ends after the days that were
//! chosen, and shrinks as soon as less is chosen. Nothing here leaves the machine.
//! Pure, apart from the rings: the caller has the clock and the files.

pub mod evidence;
pub mod file;
pub mod record;
pub mod report;
pub mod ring;

use crate::config::settings::LogSettings;
use jiff::tz::TimeZone;
use std::sync::Arc;

/// Somebody of whom something is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Whose {
    /// `person:masha`, `device:console` or `profile:default`: the same after a restart.
    pub key: String,
    pub log: LogSettings,
    /// The zone whose days count.
    pub zone: TimeZone,
}

/// The key of a person, a device or a profile: `kind` and name, on one line.
pub fn key(kind: &str, name: &str) -> String {
    format!("{kind}:{}", one_line(name))
}

/// The text without what ends lines and columns.
fn one_line(text: &str) -> String {
    text.replace(|c: char| c.is_control() || c == ';', "?")
}

/// One query of somebody of whom something is kept.
#[derive(Debug, Clone)]
pub struct Asked {
    pub whose: Arc<Whose>,
    /// Minutes since 1970.
    pub minute: u64,
    pub blocked: bool,
    /// By what, where it was blocked.
    pub category: Option<Box<str>>,
    /// QNAME in wire form as sent, 1 to 255 bytes; of those who chose names only.
    pub name: Option<Box<[u8]>>,
}
