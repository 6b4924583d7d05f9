//! Stairgate, a DNS resolver that protects children.

pub mod cache;
pub mod cli;
pub mod clock;
pub mod config;
pub mod control;
pub mod count;
pub mod dns;
pub mod generation;
pub mod limits;
pub mod list;
pub mod listener;
pub mod local;
pub mod now;
pub mod policy;
pub mod query;
pub mod resolver;
pub mod telemetry;
