//! What is said over the control socket.
//!
//! A request is one object: `{"command":"status"}`. The answer is any number of objects without `ok` (entries of a dump) and
//! then one with it: `{"ok":true,...}` or `{"ok":false,"error":"..."}`. Keys may be added, none changes its meaning.

use crate::cache::{Entry, Stats};
use crate::household::commands::Asked;
use crate::list::rdata::type_name;
use crate::telemetry::counters::Sums;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What may be asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// How the server is.
    Status,
    /// Every entry of the cache, then how many.
    CacheDump,
    /// Forget everything; with a name that name, all types; with `below` also everything below it.
    CacheFlush {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        #[serde(default)]
        below: bool,
    },
    /// What is kept of one (`person:masha`, `device:console`, `profile:default`), or of all: the last days, or all of them.
    Activity {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        whose: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        days: Option<u16>,
    },
    /// Forget what is kept of one.
    ActivityForget { whose: String },
    /// When each device last asked, and what is known of those that fell silent.
    ActivityDevices,
    /// Read settings, household and lists again, as SIGHUP does; answered when that is done.
    Reload,
    /// Show or change the household; answered when a change is in force.
    Household { asked: Asked },
    /// What children asked for on the block page: each [`requests::Request`](crate::requests::Request), the oldest first, then how many.
    Requests,
    /// A request is granted: the household has been changed so that it holds, to `until_s` (Unix seconds) or for good. Answered with the
    /// request.
    RequestGranted {
        id: u64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until_s: Option<u64>,
    },
    /// A request is refused. Answered with the request.
    RequestRefused { id: u64 },
}

/// How one request ended; flattened into the last object of its answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Result<T> {
    pub ok: bool,
    /// One sentence, where `ok` is false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    #[serde(flatten)]
    pub value: Option<T>,
}

/// The answer to [`Request::Status`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    pub version: String,
    pub uptime_s: u64,
    pub generation: GenerationStatus,
    /// The `[[list]]` entries, in the order of the settings; none where a gate file is served.
    #[serde(default)]
    pub lists: Vec<ListStatus>,
    /// Each [`Count`](crate::count::Count) by its name.
    pub counters: BTreeMap<String, u64>,
    /// What the resolver counted, by name.
    #[serde(default)]
    pub resolver: BTreeMap<String, u64>,
    pub cache: Stats,
    /// The last attempt to reload, if there was one.
    pub last_reload: Option<ReloadStatus>,
}

/// The lists and policy in force.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct GenerationStatus {
    /// Grows by one with each swap, from 1.
    pub number: u64,
    /// SHA-256 of the gate file in hexadecimal; `None` without lists.
    pub digest: Option<String>,
    /// Names on the lists, before dropping what others cover, and keys in the file after it.
    pub names: u64,
    pub keys: u64,
    pub sources: Vec<SourceStatus>,
}

/// One list of the generation.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SourceStatus {
    pub name: String,
    pub category: String,
    pub rules: u64,
}

/// One `[[list]]` of the settings.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ListStatus {
    pub name: String,
    pub category: String,
    /// Whether its rules are part of the generation. A list that never came is not.
    pub in_force: bool,
    /// How its fetches went; `None` for a list that is a file on this machine or part of the program.
    pub fetch: Option<FetchStatus>,
}

/// How the fetches of a list went.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct FetchStatus {
    /// The last good version; `None` if none ever came.
    pub snapshot: Option<SnapshotStatus>,
    /// Why the last fetch of this run failed; `None` if it did not, or none was due yet.
    pub error: Option<FetchFailure>,
}

/// The last good version of a list.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SnapshotStatus {
    /// Since this version arrived.
    pub age_s: u64,
    /// Since its publisher last said that it is current.
    pub checked_age_s: u64,
    pub rules: u64,
}

/// A fetch that failed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct FetchFailure {
    /// When, milliseconds since 1970-01-01 UTC.
    pub unix_ms: u64,
    /// How many in a row failed by then, from 1.
    pub failures: u64,
    /// Why, as in the log.
    pub reason: String,
}

/// How a reload went.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ReloadStatus {
    /// When it ended, milliseconds since 1970-01-01 UTC.
    pub unix_ms: u64,
    /// Why what ran before stays in force, one sentence each; empty if the reload took hold.
    pub errors: Vec<String>,
    /// What took hold but deserves a look: keys that need a restart, lists kept from their last good snapshot.
    pub notes: Vec<String>,
}

/// One entry of the cache.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CacheEntry {
    /// Presentation form, with its final dot.
    pub name: String,
    /// Mnemonic, or `TYPE123`.
    #[serde(rename = "type")]
    pub qtype: String,
    /// Kept for queries with DO, with CD.
    #[serde(rename = "do")]
    pub dnssec_ok: bool,
    #[serde(rename = "cd")]
    pub checking_disabled: bool,
    pub rcode: u8,
    pub remaining_s: u32,
    pub bytes: u64,
}

impl From<Entry> for CacheEntry {
    fn from(entry: Entry) -> CacheEntry {
        CacheEntry {
            name: entry.name.to_string(),
            qtype: type_name(entry.qtype),
            dnssec_ok: entry.dnssec_ok,
            checking_disabled: entry.checking_disabled,
            rcode: entry.rcode,
            remaining_s: entry.remaining_s,
            bytes: entry.bytes,
        }
    }
}

/// Values of the ends of answers that have no type of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dumped {
    pub entries: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flushed {
    /// Answers.
    pub flushed: u64,
    /// What the resolver knew beside them: records, denials, delegations, failures.
    #[serde(default)]
    pub known: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forgotten {
    /// Days of which something was kept.
    pub days: u64,
}

/// Counters by name.
pub fn by_name(sums: &Sums) -> BTreeMap<String, u64> {
    sums.iter()
        .map(|(count, value)| (count.name().to_owned(), value))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_written_as_documented_and_unknown_ones_are_refused() {
        let text = |request: &Request| serde_json::to_string(request).unwrap();
        assert_eq!(text(&Request::Status), r#"{"command":"status"}"#);
        let flush: Request = serde_json::from_str(r#"{"command":"cache-flush","name":"a.example"}"#).unwrap();
        let expected = Request::CacheFlush {
            name: Some("a.example".to_owned()),
            below: false,
        };
        assert_eq!(flush, expected);
        let granted = Request::RequestGranted {
            id: 3,
            until_s: Some(7),
        };
        assert_eq!(text(&granted), r#"{"command":"request-granted","id":3,"until_s":7}"#);
        for bad in [
            r#"{"command":"stop"}"#,
            r#"{"command":"request-refused"}"#,
            r#"{"command":"cache-flush","nmae":"x"}"#,
            "{}",
            "[]",
            "status",
        ] {
            assert!(serde_json::from_str::<Request>(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_end_of_an_answer_is_one_flat_object() {
        let done = Result {
            ok: true,
            error: None,
            value: Some(Flushed { flushed: 3, known: 4 }),
        };
        assert_eq!(
            serde_json::to_string(&done).unwrap(),
            r#"{"ok":true,"flushed":3,"known":4}"#
        );
        let failed: Result<Flushed> = serde_json::from_str(r#"{"ok":false,"error":"no"}"#).unwrap();
        assert_eq!(
            (failed.ok, failed.error.as_deref(), failed.value),
            (false, Some("no"), None)
        );
    }
}
