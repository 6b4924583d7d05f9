//! Stairgate, a DNS resolver that protects children: it checks every query against blocklists that a family or its operator
//! chose, answers harmful names with a sinkhole answer that says why, and resolves the rest.
//!
//! # Two roads
//!
//! **A query**: listener → parse → identify client → cache → policy → resolve → inspect answer → respond
//!
//! 1. [`listener`] takes datagrams in batches and messages from streams, and hands their bytes to
//! 2. [`query`]: `read` reads them ([`dns::query`]), `begin` asks [`policy`] who asks, answers from [`local`] zones and the [`cache`], asks [`policy`]
//!    what becomes of the name, or hands back what must be awaited; for a batch `Ahead` brings near what both will look at;
//! 3. [`resolver`] finds the answer, recursively or through upstreams;
//! 4. [`query`]: `finish` inspects it for the client that asked, and writes the response ([`dns::response`]).
//!
//! A query sees one [`generation`] of lists and settings from start to end.
//!
//! **A list**: fetch → parse → normalize → merge → compile → verify → publish → mmap
//!
//! 1. [`list::source`] finds the lists that an argument or a setting stands for, [`list::fetch`] downloads those that live elsewhere;
//! 2. [`list::parse`] reads every format, [`list::normalize`] makes gate keys of names, both in the words of [`list::rule`];
//! 3. [`list::compile`] brings the rules of all lists together and writes the gate file ([`list::format`]);
//! 4. [`list::verify`] checks it whole, [`list::publish`] puts it in its place, [`list::set`] maps it and answers look-ups.
//!
//! # Table of contents
//!
//! | module | what stands there |
//! | --- | --- |
//! | [`now`], [`clock`] | one moment; the only reader of time |
//! | [`limits`] | every bound, why this number, what happens at it |
//! | [`count`] | what is counted, a word each |
//! | [`dns`] | names, a borrowed view of a query, answers, the response writer, Extended DNS Errors |
//! | [`checks`] | texts whose damage is found when they are read |
//! | [`catalogue`] | services, safe search, ways around the filter: tables that come along |
//! | [`schedule`] | windows, and the timetables that are made of them |
//! | [`config`] | the file's shape, and the checked settings that the program runs on |
//! | [`activity`] | what is kept of who asked what, for those who chose so |
//! | [`list`] | the list road, and the gate file |
//! | [`household`] | the household file as commands show and change it, with every version kept |
//! | [`requests`] | what children asked for, and what became of it |
//! | [`policy`] | what becomes of a query: pure, without sockets, clock or locks |
//! | [`cache`] | answers in wire form, read without locks |
//! | [`resolver`] | one trait; engine (recursion), forward, scripted, and what stands in front of all |
//! | [`local`] | zones and records that this server answers for itself |
//! | [`generation`] | lists and policy that belong together, swapped as one |
//! | [`query`] | `begin` and `finish` |
//! | [`listener`] | UDP, one socket and thread a core; TCP |
//! | [`page`] | the block page: what is closed, why, whom to ask; requests |
//! | [`telemetry`] | logs, counters |
//! | [`control`] | the local control socket |
//! | [`cli`] | one file a command |
//!
//! `ARCHITECTURE.md` has the promises, who may import whom, and what people see when something fails.

pub mod activity;
pub mod cache;
pub mod catalogue;
pub mod checks;
pub mod cli;
pub mod clock;
pub mod config;
pub mod control;
pub mod count;
pub mod dns;
pub mod generation;
pub mod household;
pub mod limits;
pub mod list;
pub mod listener;
pub mod local;
pub mod nearest;
pub mod now;
pub mod page;
pub mod policy;
pub mod query;
pub mod requests;
pub mod resolver;
pub mod schedule;
pub mod telemetry;
