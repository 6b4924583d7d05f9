//! The household file as commands see it: shown in plain words, changed word by word, with every version kept.
//!
//! In: what somebody asks ([`commands::Asked`]), `household.toml`, the time. Out: an [`commands::Answer`], and the file with the change in it.
//! Always: comments, order and writing of everything that a change is not about stay byte for byte; a text that the settings would not load is
//! never written; the last fifty versions can be gone back to.
//! Fails: with one sentence; the file is as it was.

pub mod commands;
pub mod edit;
pub mod phrases;
pub mod shape;
pub mod show;
pub mod store;

mod known;

pub use known::beginning;
