//! Requests as a text that outlives a restart.
//!
//! In: [`Requests`]. Out: a text, and the requests from it again.
//! Always: the same requests give the same text: the next id, then a JSON object a line, each with its check (`checks`).
//! Fails: a text that is torn or damaged is [`Damaged`], with what stood before the damage.

use super::{Request, Requests};
use crate::checks::{self, Damage};
use crate::limits::REQUESTS;

/// The first line, with the version of what follows.
const HEADER: &str = "requests, version 1";

/// Why a text is not, or not wholly, what was written.
#[derive(Debug, thiserror::Error)]
#[error("line {line} {damage}; {}", rest(kept))]
pub struct Damaged {
    /// From 1.
    pub line: usize,
    pub damage: Damage,
    /// Those of all lines before it.
    pub kept: Requests,
}

fn rest(kept: &Requests) -> String {
    match kept.list().len() {
        0 => "no request could be kept".to_owned(),
        1 => "the one request before it was kept, those behind it are lost".to_owned(),
        more => format!("{more} requests before it were kept, those behind it are lost"),
    }
}

impl Requests {
    /// The text from which [`Requests::from_text`] reads the same ones.
    pub fn to_text(&self) -> String {
        let next = std::iter::once(format!("next {}", self.next_id));
        let rows = self
            .rows
            .iter()
            .map(|request| serde_json::to_string(request).expect("a request is plain data"));
        checks::text(HEADER, next.chain(rows))
    }

    /// Reads what [`Requests::to_text`] wrote.
    pub fn from_text(text: &str) -> Result<Requests, Damaged> {
        let mut kept = Requests::default();
        let mut is_first = true;
        let read = checks::read(HEADER, text, |line| kept.take(line, std::mem::take(&mut is_first)));
        match read {
            Ok(()) => Ok(kept),
            Err((line, damage)) => Err(Damaged { line, damage, kept }),
        }
    }

    fn take(&mut self, line: &str, is_first: bool) -> Result<(), Damage> {
        if is_first {
            let next = line.strip_prefix("next ").and_then(|id| id.parse().ok());
            self.next_id = next.filter(|id| *id > 0).ok_or(Damage::Meaning)?;
            return Ok(());
        }
        let request: Request = serde_json::from_str(line).map_err(|_| Damage::Meaning)?;
        // By id, and the next one is higher than all.
        let last = self.rows.last().map_or(0, |last| last.id);
        match request.id {
            id if id == last => return Err(Damage::Twice),
            id if id < last || id >= self.next_id => return Err(Damage::Meaning),
            _ => {}
        }
        if self.rows.len() >= REQUESTS {
            return Err(Damage::TooMany);
        }
        self.rows.push(request);
        Ok(())
    }
}
